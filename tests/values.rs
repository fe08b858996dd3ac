//! Values of the guest's variables: what `print`, `locals`, `display`, `watch` and conditions say of programs in C and Rust.

#[path = "support/random.rs"]
mod random;
mod support;

use random::Random;
use std::path::{Path, PathBuf};
use support::rows::{answers, check_answers, is_like};
use support::{Ran, TempDir, child, root, run, run_folio};

/// A program of tests/sources, compiled with these flags.
fn compiled(dir: &TempDir, source: &str, flags: &[&str]) -> PathBuf {
    let program = dir.file(source.split('.').next().expect("it has a name"));
    let mut gcc = child::command("riscv64-linux-gnu-gcc");
    gcc.args(["-g", "-static"]).args(flags).arg("-o").arg(&program).arg(source);
    gcc.current_dir(root().join("tests/sources"));
    let ran = run(gcc);
    assert_eq!(ran.status, 0, "riscv64-linux-gnu-gcc (`make setup-test`): {ran:?}");
    program
}

/// A program of tests/sources in Rust, without optimisation.
fn compiled_rust(dir: &TempDir, source: &str) -> PathBuf {
    let program = dir.file(source.split('.').next().expect("it has a name"));
    let mut rustc = child::command("rustc");
    rustc.args(["-g", "--edition", "2024", "--target", "riscv64gc-unknown-linux-gnu"]);
    rustc.args(["-C", "linker=riscv64-linux-gnu-gcc", "-C", "target-feature=+crt-static"]);
    rustc.args(["-C", "relocation-model=static"]).arg("-o").arg(&program).arg(source);
    rustc.current_dir(root().join("tests/sources"));
    let ran = run(rustc);
    assert_eq!(ran.status, 0, "rustc for riscv64gc-unknown-linux-gnu (`make setup`): {ran:?}");
    program
}

fn debug(program: &Path, commands: &[String]) -> Ran {
    let mut words = vec!["debug".to_string()];
    words.extend(commands.iter().flat_map(|command| ["-ex".to_string(), command.clone()]));
    words.extend(["-ex".to_string(), "quit".to_string(), program.display().to_string()]);
    run_folio(words)
}

/// The line of a file of tests/sources in which a text stands first.
fn line_of(source: &str, text: &str) -> usize {
    let content =
        std::fs::read_to_string(root().join("tests/sources").join(source)).expect("a source of ours");
    1 + content.lines().position(|line| line.contains(text)).expect("it has the text")
}

/// The commands that bring a program to the line in which a text stands first.
fn to(source: &str, text: &str) -> Vec<String> {
    vec![format!("break {source}:{}", line_of(source, text)), "continue".to_owned()]
}

/// Does `start`, then the commands of the rows in one session, and compares what is said with the rows.
fn check(program: &Path, start: &[String], rows: &[(&str, &str)]) {
    let commands = rows.iter().map(|(command, _)| (*command).to_owned());
    let ran = debug(program, &start.iter().cloned().chain(commands).collect::<Vec<_>>());
    check_answers(&ran, start.len(), rows);
}

/// Commands that cannot be carried out, each in a session of its own, since it ends there.
fn check_refused(program: &Path, start: &[String], rows: &[(&str, &str)]) {
    for (command, expected) in rows {
        let commands: Vec<String> = start.iter().cloned().chain([(*command).to_owned()]).collect();
        let ran = debug(program, &commands);
        let said = answers(&ran).into_iter().nth(start.len()).unwrap_or_default();
        let line = said.lines().next().unwrap_or_default();
        assert!(ran.status == 1 && is_like(line, expected), "`{command}`:\n{line}\nis not\n{expected}");
    }
}

#[test]
fn values_of_c_are_shown_by_their_types() {
    let dir = TempDir::new("values-c");
    for flags in [&["-O0"][..], &["-O2"], &["-O0", "-gdwarf-2"]] {
        let program = compiled(&dir, "values.c", flags);
        check(
            &program,
            &to("values.c", "first.count += i"),
            &[
                ("print padded", "padded = \"ab\\000cd\"  (char[12])"),
                ("print full", "full = \"xyz\"  (char[3])"),
                ("print none", "none = \"\"  (char[4])"),
                ("print greeting", "greeting = 0x… \"hällo\\n\\\"you\\\"\"  (const char *)"),
                ("print grid", "grid = {{1, 2, 3}, {4, 5, 6}}  (int[2][3])"),
                ("print grid[1][2]", "grid[1][2] = 6  (int)"),
                ("print words", "words = {\"one\", \"two\"}  (char[2][4])"),
                ("print *rows", "*rows = {1, 2, 3}  (int[3])"),
                ("print rows", "rows = 0x… <grid>  (int (*)[3])"),
                ("print names", "names = {0x… \"red\", 0x… \"green\"}  (const char *const[2])"),
                (
                    "print second",
                    "second = {next = 0x0, count = 7, {as_int = 1094861636, as_bytes = \"DCBA\"}, {low = 1, high = -2}}  (node_t)",
                ),
                ("print first.as_bytes", "first.as_bytes = \"abc\"  (char[4])"),
                ("print list->next->low", "list->next->low = 1  (short int)"),
                ("print list", "list = 0x… <first>  (node_t *)"),
                (
                    "print fields",
                    "fields = {kind = 5, delta = -9, wide = 78187493530, is_last = true}  (struct fields)",
                ),
                ("print fields.delta", "fields.delta = -9  (int)"),
                ("print rights", "rights = (READ | EXECUTE)  (enum access)"),
                ("print odd", "odd = (READ | 0x8)  (enum access)"),
                ("print tiny", "tiny = 5e-324  (double)"),
                ("print huge", "huge = 1e+300  (double)"),
                ("print third", "third = 0.3333333333333333  (double)"),
                ("print small", "small = 0.1  (float)"),
                ("print precise", "precise = 0.1  (long double)"),
                ("print wide", "wide = 1267650600228229401496703205381  (__int128)"),
                ("print widest", "widest = 340282366920938463463374607431768211455  (__int128 unsigned)"),
                ("print turn", "turn = 1.5 - 2i  (complex double)"),
                ("print operation", "operation = 0x… <add>  (int (*)(int, int))"),
                ("print table", "table = {0x0, 0x… <add>}  (int (*[2])(int, int))"),
                ("print add", "add = 0x… <add>  (int (int, int))"),
                ("print *packet", "*packet = {length = 3, bytes = {…}}  (struct packet)"),
                ("print packet->bytes[1]", "packet->bytes[1] = 2 '\\002'  (unsigned char)"),
                ("print packet->bytes[0]@3", "packet->bytes[0]@3 = \"\\001\\002\\003\"  (unsigned char[3])"),
                ("print minus", "minus = -1 '\\377'  (signed char)"),
                ("print unnamed.inside", "unnamed.inside = 9  (int)"),
                ("print own", "own = 12  (int)"),
                ("print own_word", "own_word = \"mine\"  (char[8])"),
                ("print environ", "environ = 0x…  (of no type that is known)"),
            ],
        );
    }
}

#[test]
fn types_are_shown_as_the_source_has_them() {
    let dir = TempDir::new("values-types");
    let program = compiled(&dir, "values.c", &["-O0"]);
    check(
        &program,
        &to("values.c", "first.count += i"),
        &[
            (
                "ptype list",
                "type = struct node {\n    struct node *next;\n    int count;\n    union {\n        int as_int;\n        \
                 char as_bytes[4];\n    };\n    struct {\n        short int low;\n        short int high;\n    };\n} *",
            ),
            (
                "ptype struct fields",
                "type = struct fields {\n    unsigned int kind : 3;\n    int delta : 5;\n    long unsigned int wide : 40;\n    \
                 _Bool is_last : 1;\n}",
            ),
            ("ptype rights", "type = enum access {READ = 1, WRITE, EXECUTE = 4}"),
            ("ptype grid", "type = int[2][3]"),
            ("ptype operation", "type = int (*)(int, int)"),
            ("ptype 1 + 1", "type = int"),
            ("ptype greeting", "type = const char *"),
            ("ptype names", "type = const char *const[2]"),
            ("print rights == READ", "rights == READ = 0  (int)"),
            ("print EXECUTE", "EXECUTE = EXECUTE  (enum access)"),
            ("print/d WRITE | EXECUTE", "WRITE | EXECUTE = 6…"),
        ],
    );
}

#[test]
fn expressions_are_those_of_c() {
    let dir = TempDir::new("values-expressions");
    let program = compiled(&dir, "values.c", &["-O0"]);
    let start = to("values.c", "first.count += i");
    check(
        &program,
        &start,
        &[
            ("print 1 + 2 * 3", "1 + 2 * 3 = 7  (int)"),
            ("print 7 / 2 + 7 % 4", "7 / 2 + 7 % 4 = 6  (int)"),
            ("print 7 / 2.", "7 / 2. = 3.5  (double)"),
            ("print 'a' + 1", "'a' + 1 = 98  (int)"),
            ("print -1 > 1u", "-1 > 1u = 1  (int)"),
            ("print third * 3", "third * 3 = 1  (double)"),
            ("print (int)third - 1", "(int)third - 1 = -1  (int)"),
            ("print first.count > 2 && yes", "first.count > 2 && yes = 1  (int)"),
            ("print list == &first", "list == &first = 1  (int)"),
            ("print &grid[1] - &grid[0]", "&grid[1] - &grid[0] = 1  (long)"),
            ("print *(*rows + 1)", "*(*rows + 1) = 2  (int)"),
            ("print ((struct node *)list)->next->count", "((struct node *)list)->next->count = 7  (int)"),
            ("print (enum access)6", "(enum access)6 = (WRITE | EXECUTE)  (enum access)"),
            ("print sizeof(node_t) + sizeof first", "sizeof(node_t) + sizeof first = 48  (unsigned long)"),
            ("print *argv@argc", "*argv@argc = {0x… \"…/values\"}  (char *[1])"),
            ("print grid[first.low - 2][argc]", "grid[first.low - 2][argc] = 5  (int)"),
            ("print add::calls", "add::calls = 41  (int)"),
            ("print values.c:padded[0]", "values.c:padded[0] = 97 'a'  (char)"),
            ("print 'values.c'::full", "'values.c'::full = \"xyz\"  (char[3])"),
            ("print 1:full", "1:full = \"xyz\"  (char[3])"),
            ("print $a0 == $a0", "$a0 == $a0 = 1  (int)"),
            ("print $pc - main < 1000", "$pc - main < 1000 = 1  (int)"),
            ("print page(list) == page(&first)", "page(list) == page(&first) = 1  (int)"),
            ("p*list", "*list = {next = 0x… <second>, count = 3, …"),
            ("p/x grid", "grid = {{0x1, 0x2, 0x3}, {0x4, 0x5, 0x6}}  (int[2][3])"),
            ("p/x minus", "minus = 0xff  (signed char)"),
            ("p/d 'a'", "'a' = 97  (char)"),
            ("p/u minus", "minus = 255  (signed char)"),
            ("print/t 10", "10 = 1010  (int)"),
            ("print/o 8", "8 = 010  (int)"),
            ("print/c 65", "65 = 65 'A'  (int)"),
            ("print/x rights", "rights = 0x5  (enum access)"),
            ("print/a operation", "operation = 0x… <add>  (int (*)(int, int))"),
            (
                "print/x padded",
                "padded = {0x61, 0x62, 0x0, 0x63, 0x64, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0}  (char[12])",
            ),
            ("print/s padded", "padded = \"ab\\000cd\"  (char[12])"),
            ("x/s greeting", "0x…: \"hällo\\n\\\"you\\\"\""),
            ("x/3dw grid", "0x…: 1 2 3"),
            ("x/2dw &grid[1]", "0x…: 4 5"),
            ("x/dw &first.count", "0x…: 3"),
            ("x/2dw *rows", "0x…: 1 2"),
            ("whatis first.count", "0x… of process 1 (values): first+0x8\n  type     int…"),
            ("list add", "…"),
        ],
    );
    check_refused(
        &program,
        &start,
        &[
            ("print *nowhere", "0x8: not mapped: no mapping has ever held it"),
            ("print &fields.kind", "`fields.kind`: it has no address: it is a field of bits"),
            ("print nosuch", "process 1 (values) has no variable or symbol `nosuch`"),
            ("print frist", "process 1 (values) has no variable or symbol `frist` (near are `first`, …)"),
            ("print square", "`square` is a variable of leaf, which is not what is looked at (`bt`, `up`)"),
            (
                "print first.cuont",
                "node_t has no member `cuont` (it has next, count, as_int, as_bytes, low, high)",
            ),
            ("print list.next", "node_t * is a pointer: `->next`"),
            ("print 1 / 0", "division by 0"),
            ("print add(1, 2)", "functions of the program are not called here…"),
            ("print argc = 2", "nothing of the program is changed here: `==` compares…"),
            ("print (struct nothing *)list", "the program has no type `struct nothing`"),
            ("print 9:full", "there is no process 9"),
        ],
    );
}

/// Arguments and variables of the function at work, and of those that have called it.
#[test]
fn frames_have_their_variables() {
    let dir = TempDir::new("values-frames");
    let program = compiled(&dir, "values.c", &["-O0"]);
    let line = line_of("values.c", "the end of leaf");
    check(
        &program,
        &to("values.c", "the end of leaf"),
        &[
            ("locals", "square = 16  (int)\nroom = {13, 10, 20, 30}  (int[4])"),
            (
                "info args",
                "n = 4  (int)\ntext = 0x… \"hällo\\n\\\"you\\\"\"  (const char *)\nratio = 2.5  (double)",
            ),
            ("print room[2]", "room[2] = 20  (int)"),
            (
                "up",
                &format!(
                    "#1  0x… in down+0x… at values.c:{}\n    return leaf(4, greeting, 2.5) + at->count;",
                    line + 6
                ),
            ),
            ("info locals", "local = 0  (int)"),
            ("print n", "n = 0  (int)"),
            ("print $a0", "$a0 = <not saved>"),
            (
                "up 2",
                "#3  0x… in down+0x… at values.c:…\n    local += down(n - 1, at->next ? at->next : at);",
            ),
            ("args", "n = 2  (int)\nat = 0x… <second>  (node_t *)"),
            ("print $sp == $pc", "$sp == $pc = 0  (int)"),
            ("frame 5", "#5  0x… in main+0x… at values.c:…\n    sum += down(3, list);"),
            ("print argc", "argc = 1  (int)"),
            ("down", "#4  0x… in down+0x… at values.c:…\n…"),
            ("print n", "n = 3  (int)"),
            ("regs", "pc   0x…\n…\nthe others are not saved: what it has called may have overwritten them"),
            (
                "frame 0",
                "#0  0x… in leaf+0x… at values.c:…\n    return room[0] + square; /* the end of leaf */",
            ),
            ("print n", "n = 4  (int)"),
        ],
    );
    let outermost = "#5  … in main+…\n…\nit is the outermost function that is known";
    check(&program, &to("values.c", "the end of leaf"), &[("up 99", outermost)]);
    check_refused(
        &program,
        &to("values.c", "the end of leaf"),
        &[
            ("down", "this is the innermost function: it has called none"),
            ("frame 99", "there is no frame 99: `bt` lists them"),
        ],
    );
}

/// What an optimising compiler has kept is found where it is; what it has not is said to be so.
#[test]
fn optimised_variables_are_found_or_said_to_be_lost() {
    let dir = TempDir::new("values-optimised");
    let program = compiled(&dir, "optimised.c", &["-O2"]);
    let start = |function: &str| vec![format!("break {function}"), "continue".to_owned()];
    check(
        &program,
        &start("sink"),
        &[
            ("args", "value = 42  (int)"),
            ("up", "#1  0x… in middle…\n…"),
            // It was passed in a register that is overwritten since: the caller's caller says what it passed.
            ("print seed", "seed = 7  (int)"),
            ("print unused", "unused = <optimized out>  (int)"),
            ("print constant", "constant = 12  (int)"),
            ("print pair", "pair = {first = 7, second = 49}  (struct pair)"),
            ("print pair.second", "pair.second = 49  (long int)"),
        ],
    );
}

/// What each thread and each process has of its own is shown of the one that is looked at, or that is named.
#[test]
fn threads_and_processes_have_their_own() {
    let dir = TempDir::new("values-own");
    let program = compiled(&dir, "own.c", &["-O0"]);
    check(
        &program,
        &to("own.c", "a thread's own"),
        &[
            ("print mine", "mine = 7  (int)"),
            ("print *(int *)arg", "*(int *)arg = 7  (int)"),
            ("thread 1", "process 1 (own), thread 1 waits in a system call …"),
            ("print mine", "mine = 6  (int)"),
            ("thread 2", "…"),
            ("print &mine == &mine && mine == 7", "&mine == &mine && mine == 7 = 1  (int)"),
        ],
    );
    check(
        &program,
        &to("own.c", "a process's own"),
        &[
            ("print shared", "shared = 50  (int)"),
            ("print n", "n = 4  (int)"),
            ("print 1:shared", "1:shared = 7  (int)"),
            ("print shared - 1:shared", "shared - 1:shared = 43  (int)"),
            ("x/dw 1:shared", "0x…: 7"),
            ("process 1", "…"),
            ("print shared", "shared = 7  (int)"),
        ],
    );
}

/// A function that was put into another has variables of its own.
#[test]
fn inlined_functions_have_their_variables() {
    let dir = TempDir::new("values-inlined");
    let program = compiled(&dir, "own.c", &["-O0"]);
    check(
        &program,
        &to("own.c", "in the inner function"),
        &[
            ("locals", "deep = 19  (int)"),
            ("args", "a = 12  (int)"),
            // What it was put into is seen, too.
            ("print mid + out", "mid + out = 16  (int)"),
            ("up", "#1  0x… in middle (b=4) at own.c:…, inlined\n    int result = inner(mid);"),
            ("args", "b = 4  (int)"),
            ("print mid", "mid = 12  (int)"),
            ("up", "#2  0x… in outer+0x… (…) at own.c:…\n    return middle(out) + out;"),
            ("locals", "out = 4  (int)"),
            ("down 2", "#0  0x… in inner (a=12) at own.c:…, inlined\n…"),
        ],
    );
    check_refused(
        &program,
        &[to("own.c", "in the inner function"), vec!["up 2".into()]].concat(),
        &[("print deep", "`deep` is a variable of inner, which is not what is looked at (`bt`, `up`)")],
    );
}

#[test]
fn displays_show_values() {
    let dir = TempDir::new("values-display");
    let program = compiled(&dir, "values.c", &["-O0"]);
    let start = to("values.c", "first.count += i");
    let mut commands = start.clone();
    commands.extend(
        [
            "display first.count",
            "display/x first",
            "display/i $pc",
            "display/2dw grid",
            "undisplay 2",
            "continue",
        ]
        .map(str::to_owned),
    );
    let ran = debug(&program, &commands);
    let said = answers(&ran);
    assert_eq!(said[2], "1: first.count = 3  (int)\n", "{ran:?}");
    assert!(said[3].starts_with("2: first = {next = 0x"), "{ran:?}");
    assert!(said[4].starts_with("3: => 0x"), "{ran:?}");
    assert!(said[5].starts_with("4: 0x") && said[5].ends_with(": 1 2\n"), "{ran:?}");
    let shown: Vec<&str> = said[7].lines().filter(|line| line.starts_with(['1', '2', '3', '4'])).collect();
    assert!(
        matches!(shown.as_slice(), [count, code, grid] if *count == "1: first.count = 3  (int)" && code.starts_with("3: ") && grid.starts_with("4: ")),
        "{ran:?}"
    );
}

#[test]
fn conditions_are_about_variables() {
    let dir = TempDir::new("values-conditions");
    let program = compiled(&dir, "values.c", &["-O0"]);
    let at = line_of("values.c", "int local = n * 100");
    let stop = |condition: &str, print: &str| {
        let commands =
            [format!("break values.c:{at} if {condition}"), "continue".into(), format!("print {print}")];
        let ran = debug(&program, &commands);
        answers(&ran).into_iter().nth(2).unwrap_or_else(|| format!("{ran:?}"))
    };
    assert_eq!(stop("n == 1", "n"), "n = 1  (int)\n");
    assert_eq!(stop("n < 2", "n"), "n = 1  (int)\n");
    assert_eq!(stop("at->count == 7", "n"), "n = 2  (int)\n");
    assert_eq!(stop("(hits > 1 && at->next == 0)", "n"), "n = 2  (int)\n");
    assert_eq!(stop("list->next->as_bytes[0] == 'D' && n != 3", "n"), "n = 2  (int)\n");
    // What is not known does not hold, and a name that nobody has is told of at once.
    let commands = [format!("break values.c:{at} if nosuch == 1"), "continue".into()];
    let ran = debug(&program, &commands);
    assert!(
        answers(&ran)[0].contains("`nosuch`: ") && answers(&ran)[0].contains("has no such name"),
        "{ran:?}"
    );
    assert!(answers(&ran)[1].contains("exit"), "{ran:?}");
    let ran = debug(&program, &["break main if square == 1".into()]);
    assert!(
        answers(&ran)[0].ends_with("`square` is not seen there: the condition will not hold\n"),
        "{ran:?}"
    );
    let deep = format!("break main if {}", "(".repeat(50_000));
    let ran = debug(&program, &[deep]);
    assert!(ran.status == 1 && answers(&ran)[0].contains("at most"), "{}", ran.status);
}

#[test]
fn parts_of_variables_are_watched() {
    let dir = TempDir::new("values-watch");
    let program = compiled(&dir, "values.c", &["-O0"]);
    check(
        &program,
        &["break main".into(), "continue".into()],
        &[
            (
                "watch first.count if first.count > 4",
                "watchpoint 2: writes to first.count of process 1 (0x…, 4 bytes) if first.count > 4",
            ),
            ("watch table[1]", "watchpoint 3: writes to table[1] of process 1 (0x…, 8 bytes)"),
            (
                "continue",
                "watchpoint 3: table[1]: process 1 (values) has stored …; it was 0x0, and is 0x… <add>\n…",
            ),
            ("delete 3", ""),
            ("continue", "watchpoint 2: first.count: process 1 (values) has stored 6 at 0x…; it was 4\n…"),
        ],
    );
    // A function's own variable is watched until the function returns.
    check(
        &program,
        &["break leaf".into(), "continue".into()],
        &[
            ("print $fa0 * 2", "$fa0 * 2 = 5  (double)"),
            (
                "watch square",
                "watchpoint 2: writes to square of process 1 (0x…, 4 bytes, until its function returns)",
            ),
            ("continue", "watchpoint 2: square: process 1 (values) has stored 16 …"),
            ("continue", "watchpoint 2: square is no more: its function has returned\n…down at values.c:…"),
            ("info watchpoints", "there are no watchpoints"),
            ("info breakpoints", "breakpoint 1 at leaf (0x…), reached 1 times"),
        ],
    );
}

#[test]
fn values_of_rust_are_shown_as_it_has_them() {
    let dir = TempDir::new("values-rust");
    let program = compiled_rust(&dir, "values.rs");
    check(
        &program,
        &to("values.rs", "black_box((&some"),
        &[
            (
                "print shapes",
                "shapes = {Empty, Circle(1.5), Rect {width = 2, height = 3}}  (&[values::Shape])",
            ),
            ("print shapes[1]", "shapes[1] = Circle(1.5)  (Shape)"),
            ("print shapes[2].width", "shapes[2].width = 2  (u32)"),
            ("print name", "name = \"tiny\"  (&str)"),
            ("print text", "text = \"grüße\"  (String)"),
            ("print numbers", "numbers = {10, 20, 30}  (Vec<u16, alloc::alloc::Global>)"),
            ("print numbers[2]", "numbers[2] = 30  (u16)"),
            ("print level", "level = High  (Level)"),
            ("print pair", "pair = (3, 'ß')  (Pair)"),
            ("print pair.0", "pair.0 = 3  (u16)"),
            ("print none", "none = None  (…)"),
            ("print some", "some = Some(0x…)  (…)"),
            ("print result", "result = Ok(4)  (…)"),
            ("print *boxed", "*boxed = {x = -1, y = 2}  (Point)"),
            ("print array", "array = {1.5, 2.5}  (…)"),
            ("print COUNT", "COUNT = 77  (u64)"),
        ],
    );
}

/// Of libstdc++ vectors and texts are shown as what they hold; here C has their layout, and its debug information is made C++'s.
#[test]
fn vectors_and_texts_of_cpp_are_their_elements() {
    let dir = TempDir::new("values-cpp");
    let source = "struct pair { int a, b; };\n\
        struct vector_pair { struct { struct pair *_M_start, *_M_finish; } _M_impl; };\n\
        struct basic_string_char { struct { char *_M_p; } _M_dataplus; unsigned long _M_string_length; };\n\
        struct pair pairs[3] = {{1, 2}, {3, 4}, {5, 6}};\n\
        struct vector_pair all = {{pairs, pairs + 3}}, *some = &all, none, wrong = {{pairs + 1, pairs}};\n\
        struct basic_string_char text = {{\"hello, world\"}, 5};\n\
        int main(void) { return some != &all; }\n";
    std::fs::write(dir.file("cpp.c"), source).expect("the folder is ours");
    let gcc = |words: &[&str]| {
        let mut gcc = child::command("riscv64-linux-gnu-gcc");
        gcc.args(words).current_dir(dir.path());
        assert_eq!(run(gcc).status, 0);
    };
    gcc(&["-g", "-O0", "-dA", "-S", "cpp.c"]);
    let assembly = std::fs::read_to_string(dir.file("cpp.s")).expect("it was compiled");
    let language = |line: &str| line.contains("DW_AT_language") && line.contains(".byte\t0x1d");
    let lines = assembly.lines().map(|line| match language(line) {
        // C++14's (DWARF 5, section 7.12).
        true => "\t.byte\t0x21".to_owned(),
        false => line
            .replace("\"vector_pair\"", "\"vector<pair>\"")
            .replace("\"basic_string_char\"", "\"basic_string<char, x>\""),
    });
    let lines: Vec<String> = lines.collect();
    std::fs::write(dir.file("cpp.s"), lines.join("\n") + "\n").expect("the folder is ours");
    gcc(&["-static", "-o", "cpp", "cpp.s"]);
    check(
        &dir.file("cpp"),
        &["break main".into(), "continue".into()],
        &[
            ("p all", "all = {{a = 1, b = 2}, {a = 3, b = 4}, {a = 5, b = 6}}  (vector<pair>)"),
            ("p all[2]", "all[2] = {a = 5, b = 6}  (pair)"),
            ("p all[1].b", "all[1].b = 4  (int)"),
            ("p (*some)[1].a", "(*some)[1].a = 3  (int)"),
            ("p none", "none = {}  (vector<pair>)"),
            ("p wrong", "wrong = {_M_impl = {_M_start = 0x…, _M_finish = 0x…}}  (vector<pair>)"),
            ("p text", "text = \"hello\"  (basic_string<char, x>)…"),
            ("p text[1]", "text[1] = 101 'e'  (char)…"),
            ("ptype all", "type = struct vector<pair> {\n…"),
            ("p text._M_string_length", "text._M_string_length = 5  (long unsigned int)"),
        ],
    );
}

/// Floating-point numbers are shown by their bits where gdb does so, and by the size of what an address is of.
#[test]
fn floating_point_numbers_are_shown_as_gdb_shows_them() {
    let dir = TempDir::new("values-floats");
    let source = "struct both { double d; float f; } both = {1.5, 2.5f};\n\
        union { double d; long l; } either = {3.25};\n\
        float ratio = 0.5f, more[2] = {1.5f, 2.5f}; double far = -2.5;\n\
        int main(void) { return 0; }\n";
    std::fs::write(dir.file("floats.c"), source).expect("the folder is ours");
    let mut gcc = child::command("riscv64-linux-gnu-gcc");
    gcc.args(["-g", "-static", "-o", "floats", "floats.c"]).current_dir(dir.path());
    assert_eq!(run(gcc).status, 0);
    check(
        &dir.file("floats"),
        &["break main".into(), "continue".into()],
        &[
            ("p/x 1.5", "1.5 = 0x3ff8000000000000  (double)"),
            ("p/x both", "both = {d = 0x3ff8000000000000, f = 0x40200000}  (struct both)"),
            ("p/x either", "either = {d = 0x400a000000000000, l = 0x400a000000000000}  (union {…})"),
            ("p/d both", "both = {d = 4609434218613702656, f = 1075838976}  (struct both)"),
            ("p/o far", "far = 01400040000000000000000  (double)"),
            ("p/u far", "far = 13836183955189006336  (double)"),
            ("p/c far", "far = -2 '\\376'  (double)"),
            ("p/t ratio", "ratio = 111111000000000000000000000000  (float)"),
            ("x/2i main", "   0x…"),
            ("x/f &ratio", "0x…: 0.5"),
            ("x/2f more", "0x…: 1.5 2.5"),
            ("x/f &far", "0x…: -2.5"),
            ("x/f &both.f", "0x…: 2.5"),
            ("x/fg &both", "0x…: 1.5"),
        ],
    );
}

/// Arguments are where the debug information says where a breakpoint at a function stops, whether a compiler tells of each instruction or not.
#[test]
fn arguments_of_rust_are_right_at_a_function() {
    let dir = TempDir::new("values-rust-arguments");
    let program = compiled_rust(&dir, "values.rs");
    let commands = ["break values::look", "continue", "args"].map(str::to_owned);
    let ran = debug(&program, &commands);
    let args = &answers(&ran)[2];
    assert!(args.contains("name = \"tiny\"  (&str)"), "{ran:?}");
    assert!(args.starts_with("shapes = {Empty, Circle(1.5), Rect {width = 2, height = 3}}"), "{ran:?}");
}

/// A generic function without its arguments is all of its instances.
#[test]
fn a_breakpoint_is_at_all_instances_of_a_generic_function() {
    let dir = TempDir::new("values-instances");
    let program = compiled_rust(&dir, "values.rs");
    for name in ["Shop::each", "values::Shop::each"] {
        let commands = [format!("break {name}"), "continue".to_owned(), "p factor".to_owned()];
        let again = ["continue".to_owned(), "p factor".to_owned()];
        let ran = debug(&program, &commands.into_iter().chain(again).collect::<Vec<_>>());
        let said = answers(&ran);
        assert!(said[0].contains(&format!("breakpoint 1 at {name}: 2 places\n")), "{ran:?}");
        assert_eq!(
            (said[2].as_str(), said[4].as_str()),
            ("factor = 3  (u64)\n", "factor = 5  (u64)\n"),
            "{ran:?}"
        );
    }
}

/// Damages a program's sections by lot, many times over, and looks at it each time, after the commands of `start`.
fn check_damaged(program: &Path, start: &[String], sections: &[&str], looks: &[&str]) {
    let bytes = std::fs::read(program).expect("it was compiled");
    let elf = goblin::elf::Elf::parse(&bytes).expect("an ELF file");
    let section = |name: &&str| {
        let mut headers = elf.section_headers.iter();
        let header = headers.find(|header| elf.shdr_strtab.get_at(header.sh_name) == Some(name));
        header.and_then(goblin::elf::SectionHeader::file_range).expect("compiled with -g")
    };
    let sections: Vec<_> = sections.iter().map(section).collect();
    let mut lot = Random(7);
    let file = program.with_extension("damaged");
    for (round, look) in looks.iter().cycle().take(3 * looks.len()).enumerate() {
        let mut damaged = bytes.clone();
        for _ in 0..10 {
            // Most of the frames' section is the C library's.
            let section = sections[index(&mut lot, sections.len())].clone();
            let at = section.start + index(&mut lot, section.len().min(4096));
            damaged[at] = u8::try_from(lot.below(256)).expect("below 256");
        }
        std::fs::write(&file, &damaged).expect("the folder is ours");
        let ran = debug(&file, &start.iter().cloned().chain([(*look).to_owned()]).collect::<Vec<_>>());
        assert!(ran.status < 2 && !ran.stderr.contains("panicked"), "round {round}: {ran:?}");
    }
}

/// Debug information that is damaged, byte by byte, costs no panic and no endless work.
#[test]
fn damaged_debug_information_is_survived() {
    let dir = TempDir::new("values-damaged");
    check_damaged(
        &compiled(&dir, "values.c", &["-O0"]),
        &to("values.c", "the end of leaf"),
        &[".debug_info", ".debug_abbrev", ".eh_frame"],
        &[
            "locals",
            "args",
            "print first",
            "print *list",
            "print grid",
            "print fields",
            "print operation",
            "print room",
            "print rights",
            "print turn",
            "up",
            "frame 5",
            "print &first.as_bytes[1]",
            "print sizeof(node_t)",
            "bt",
        ],
    );
    check_damaged(
        &compiled(&dir, "optimised.c", &["-O2"]),
        &["break sink".into(), "continue".into(), "up".into()],
        &[".debug_info", ".debug_abbrev", ".debug_loclists"],
        &["locals", "args", "print pair.second", "print seed"],
    );
}

fn index(lot: &mut Random, len: usize) -> usize {
    usize::try_from(lot.below(len as u64)).expect("below a length")
}
