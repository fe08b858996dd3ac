//! What the debugger's commands mean by a name, and what they say of it: functions that there are several of, names of addresses.

#![allow(clippy::unwrap_used)] // a test may stop

#[path = "support/random.rs"]
mod random;
mod support;

use emulator::source::ProgramFile;
use random::Random;
use support::source::{compiled, compiled_from, debug, line_of, said};
use support::{TempDir, folio, run, run_folio, run_with_input};

/// A breakpoint at a name is at every function that is called so, under one number.
#[test]
fn a_breakpoint_is_at_all_places_of_a_name() {
    let dir = TempDir::new("places-break");
    let program = compiled_from(&dir, &["same_a.c", "same_b.c"], &["-g", "-O1"]);
    let (in_a, in_b) = (line_of("same_a.c", "int helper("), line_of("same_b.c", "int helper("));
    let ran = debug(
        &program,
        &["break helper", "break other if hits == 9", "info breakpoints", "continue", "continue", "continue"],
        &[],
    );
    let said_now = said(&ran);
    assert!(said_now[0].contains("breakpoint 1 at helper: 2 places"), "{ran:?}");
    for text in [&said_now[0], &said_now[2]] {
        assert!(
            text.contains(&format!(" in helper at same_a.c:{in_a}"))
                && text.contains(&format!(" in helper at same_b.c:{in_b}"))
                && text.contains(" 1.1  0x")
                && text.contains(" 1.2  0x"),
            "{ran:?}"
        );
    }
    assert!(said_now[1].contains("breakpoint 2 at other"), "{ran:?}");
    let stops: Vec<bool> = [(3, "a", in_a), (4, "b", in_b)]
        .map(|(index, file, line)| said_now[index].contains(&format!("helper at same_{file}.c:{line}")))
        .into();
    assert_eq!(stops, [true, true], "{ran:?}");
    assert!(said_now[5].contains("has exited"), "{ran:?}");

    for (place, file, line) in [("same_b.c:helper", "b", in_b), ("same_a.c:helper", "a", in_a)] {
        let ran = debug(&program, &[&format!("break {place}"), "continue", "continue"], &[]);
        let said = said(&ran);
        assert!(said[0].contains(&format!("breakpoint 1 at {place}: 0x")), "{ran:?}");
        assert!(said[1].contains(&format!("helper at same_{file}.c:{line}")), "{ran:?}");
        assert!(said[2].contains("has exited"), "{ran:?}");
    }
    for (place, answer) in [
        ("same_b.c:twice", "has no function twice of same_b.c"),
        ("no.c:helper", "is made of "),
        ("nothing", "has no such name"),
    ] {
        let ran = debug(&program, &[&format!("break {place}")], &[]);
        assert!(said(&ran)[0].contains(answer), "{ran:?}");
    }
}

/// So it is in the kernel.
#[test]
fn a_breakpoint_is_at_all_functions_of_the_kernel_of_a_name() {
    let ran = debug(std::path::Path::new("hello"), &["break kernel:new", "info breakpoints"], &[]);
    let said = said(&ran);
    assert!(said[0].contains(" places of the kernel\n    1.1  0xffffff"), "{ran:?}");
    assert!(said[1].contains(" places of the kernel), reached 0 times\n    1.1  0xffffff"), "{ran:?}");
    assert!(said[1].contains("::new"), "{ran:?}");
}

/// A name that the kernel alone has is told to be the kernel's; a variable is no place to stop at.
#[test]
fn a_breakpoint_is_at_code_of_whose_it_is_told() {
    let dir = TempDir::new("places-whose");
    let program = compiled_from(&dir, &["lines.c"], &["-g"]);
    let ran = debug(&program, &["break trap_entry"], &[]);
    assert!(
        said(&ran)[0]
            .contains(" of the kernel: /bin/lines has no `trap_entry` (`kernel:trap_entry` is this one)"),
        "{ran:?}"
    );
    let ran = debug(&program, &["break kernel:trap_entry"], &[]);
    assert!(said(&ran)[0].ends_with(" of the kernel\n"), "{ran:?}");
    let ran = debug(&program, &["break count"], &[]);
    assert!(
        said(&ran)[0].contains("`count` is a variable, and no code: `watch count` stops when it changes"),
        "{ran:?}"
    );
}

/// A function that the compiler has put into others has no code of its own, and is stopped at in each of them.
#[test]
fn a_breakpoint_is_at_each_inlined_instance() {
    let dir = TempDir::new("places-inlined");
    let program = compiled_from(&dir, &["same_a.c", "same_b.c"], &["-g", "-O1"]);
    let ran = debug(&program, &["break twice", "continue", "bt", "continue", "bt", "continue"], &[]);
    let said = said(&ran);
    assert!(said[0].contains("breakpoint 1 at twice: 2 places"), "{ran:?}");
    assert_eq!(said[0].matches(", inlined into main").count(), 2, "{ran:?}");
    for (stop, call) in [(1, "twice(3)"), (3, "twice(first)")] {
        assert!(
            said[stop].contains("breakpoint 1: twice") && said[stop].contains("twice at same_a.c:"),
            "{ran:?}"
        );
        let called = "in main+0x";
        let line = format!(" at same_a.c:{}", line_of("same_a.c", call));
        assert!(
            said[stop + 1].contains("in twice")
                && said[stop + 1].lines().any(|l| l.contains(called) && l.contains(&line)),
            "{ran:?}"
        );
    }
    assert!(said[5].contains("has exited"), "{ran:?}");
}

/// How often a breakpoint at a place stops, and what is said at the first stop of the commands that follow.
fn stops_at(program: &std::path::Path, place: &str, then: &[&str]) -> (usize, Vec<String>) {
    let place = format!("break {place}");
    let commands: Vec<&str> =
        [place.as_str(), "continue"].iter().chain(then).copied().chain(["continue"; 8]).collect();
    let ran = debug(program, &commands, &[]);
    let said = said(&ran);
    (said.iter().filter(|text| text.contains("breakpoint 1: ")).count(), said)
}

/// A breakpoint at a function or at its opening line stops before anything of its body has run, with its arguments; at a line once for each time
/// that it is run, wherever the compiler has put the parts of it.
#[test]
fn a_breakpoint_stops_once_and_in_time() {
    let dir = TempDir::new("places-copies");
    let (opening, scaled) = (line_of("copies.c", "int leaf("), line_of("copies.c", "value * 3"));
    let (head, body) = (line_of("copies.c", "for (int i"), line_of("copies.c", "sum += scaled"));
    for level in ["-O0", "-O1", "-O2"] {
        let program = compiled(&dir, "copies.c", &["-g", level]);
        for place in ["leaf".to_owned(), format!("copies.c:{opening}")] {
            let (count, said) = stops_at(&program, &place, &["print a * 100 + b"]);
            assert_eq!(count, 2, "{level} {place}: {said:?}");
            assert!(said[2].contains(" = 413  (int)"), "{level} {place}: {said:?}");
        }
        for (place, expected) in [
            ("scaled".to_owned(), 5),
            (format!("copies.c:{scaled}"), 5),
            (format!("copies.c:{head}"), 1),
            (format!("copies.c:{body}"), 3),
            ("total".to_owned(), 1),
        ] {
            let (count, said) = stops_at(&program, &place, &[]);
            assert_eq!(count, expected, "{level} {place}: {said:?}");
        }
        // What was put into it begins at the same instruction.
        let (_, said) = stops_at(&program, "main", &["print argc"]);
        assert!(said[1].contains("\nmain at copies.c:") && said[2].contains("argc = 1"), "{level}: {said:?}");
        let (_, said) = stops_at(&program, "scaled", &["bt", "delete", "finish", "bt"]);
        let is_in_main =
            |line: &&str| line.contains(" in scaled at copies.c:") && line.ends_with(", inlined into main");
        assert_eq!(said[0].lines().filter(is_in_main).count(), 2, "{said:?}");
        assert!(
            said[2].contains(" in scaled (value=") && said[2].contains(", inlined\n"),
            "{level}: {said:?}"
        );
        // What follows in `main` may be the next that was put there.
        let (first, outer) = said[5].split_once(" at copies.c:").expect("a frame has a line");
        let is_left = first.contains(" in main") || level != "-O0" && first.contains(" in scaled (value=4)");
        assert!(is_left && !outer.contains("__libc"), "{level}: {said:?}");
    }
    let program = compiled(&dir, "copies.c", &["-g", "-O0"]);
    let (_, said) = stops_at(&program, &format!("copies.c:{opening}"), &[]);
    assert!(
        said[0].contains(&format!("(copies.c:{}, where the function's body begins)", opening + 1)),
        "{said:?}"
    );
}

/// What is at the same page as the address that is waited for may be the same variable.
#[test]
fn a_variable_shares_its_page_with_nobody_but_others() {
    let dir = TempDir::new("places-shares");
    let program = compiled(&dir, "names.c", &["-g"]);
    let ran = debug(&program, &["catch fault cow if va == &table.room[601]", "continue"], &[]);
    let said = said(&ran);
    assert!(
        said[1].contains(
            "`table.room[601]` shares its page with the rest of `table`, which process 2 wrote first"
        ) && said[1].contains("`va in table` means all of it"),
        "{ran:?}"
    );
}

/// A condition that nobody can decide says so once, and a point that has stopped does not tell why it had not.
#[test]
fn a_condition_that_is_not_known_is_told_of() {
    let dir = TempDir::new("places-unknown");
    let program = compiled(&dir, "optimised.c", &["-g", "-O2"]);
    let ran = debug(&program, &["break middle if unused > 3", "continue"], &[]);
    let told = "breakpoint 1 has not stopped at step ";
    assert!(
        ran.stderr.matches(told).count() == 1
            && ran.stderr.contains("where it is not known whether `unused > 3`: it is optimized out"),
        "{ran:?}"
    );
    let ran = debug(&program, &["break sink if value == 42 || nothing", "continue", "continue"], &[]);
    assert!(!ran.stderr.contains("has not stopped"), "{ran:?}");
}

/// The stop by a fault, `explain` and `whatis` call an address the same.
#[test]
fn an_address_has_the_name_of_its_variable() {
    let dir = TempDir::new("places-names");
    let program = compiled(&dir, "names.c", &["-g"]);
    let ran = debug(
        &program,
        &[
            "catch fault cow if va in table",
            "continue",
            "explain",
            "whatis $fault",
            "whatis _edata",
            "whatis __bss_start",
        ],
        &[],
    );
    let said = said(&ran);
    let name = format!("table+{:#x}", 600 * 8);
    assert!(
        said[1].contains("cow_copy at 0x") && said[1].contains(&format!(" <{name}> in process 2")),
        "{ran:?}"
    );
    assert!(said[2].replace('\n', " ").contains(&format!(" <{name}>; the store is at pc")), "{ran:?}");
    assert!(said[3].contains(&format!("(names): {name}\n")), "{ran:?}");
    for text in &said[4..6] {
        assert!(text.contains("of process 2 (names)"), "{ran:?}");
        assert!(!text.lines().nth(1).unwrap().contains("_edata") && !text.contains(": __"), "{ran:?}");
    }
}

/// Of a process that has ended it is told what the events tell, and what is gone.
#[test]
fn addresses_of_ended_processes_are_told_of() {
    let dir = TempDir::new("places-ended");
    let program = compiled(&dir, "names.c", &["-g"]);
    let ran = debug(
        &program,
        &[
            "catch exit if pid == 2",
            "continue",
            "delete",
            "continue",
            "whatis 2:table+4800",
            "pt 2",
            "walk 2:table",
        ],
        &[],
    );
    let told = said(&ran);
    assert!(told[1].contains("exit: process 2 (names) has ended with status 3; it was last at _"), "{ran:?}");
    assert!(!told[1].contains("/core/src/"), "{ran:?}");
    assert!(
        told[4].contains("of process 2 (names), when it ended: table+0x12c0\n")
            && told[4].contains("was in frame"),
        "{ran:?}"
    );
    assert!(told[5].contains("process 2"), "{ran:?}");
    assert!(
        told[6].contains("has ended (exited 3)") && told[6].contains("`whatis 2:ADDR` tell what it had"),
        "{ran:?}"
    );
    assert_eq!(ran.status, 1);

    // Who has unmapped it, while the program stands at its fault, and when it has ended.
    let drop = line_of("names.c", "munmap(page");
    let ran = debug(
        &program,
        &["catch fault segv", "continue", "whatis $fault", "delete", "continue", "whatis $fault"],
        &["m"],
    );
    let told = said(&ran);
    for text in [&told[2], &told[5]] {
        assert!(
            text.contains("  mapping  none: unmapped by munmap at step ")
                && text.contains(&format!(" at names.c:{drop}>)")),
            "{ran:?}"
        );
    }
}

#[test]
fn shared_anonymous_memory_is_called_so() {
    let dir = TempDir::new("places-shared");
    let program = compiled(&dir, "names.c", &["-g"]);
    let commands = ["break touch", "continue", "explain $a0", "whatis $a0", "x/1xg $a0", "maps"];
    let ran = debug(&program, &commands, &["m", "shared"]);
    let said = said(&ran);
    for text in &said[2..5] {
        assert!(!text.contains("/dev/zero"), "{ran:?}");
    }
    assert!(said[2].replace('\n', " ").contains("maps page 0 of the shared anonymous memory"), "{ran:?}");
    assert!(said[3].contains("mapping  shared anonymous memory (rw-s"), "{ran:?}");
    assert!(said[4].contains("0x0000000000000000") && said[4].contains("first touch shows zeros"), "{ran:?}");
}

/// Between a signal's handler and what it interrupted stands a line of its own; the code that it returns to has a name.
#[test]
fn a_handler_is_told_from_what_it_interrupted() {
    let dir = TempDir::new("places-signal");
    let program = compiled(&dir, "names.c", &["-g"]);
    let commands = [
        "break handler",
        "continue",
        "bt",
        "break *$ra",
        "continue",
        "bt",
        "finish",
        "delete 2",
        "run",
        "up",
        "down",
        "finish",
    ];
    let ran = debug(&program, &commands, &["s"]);
    let said = said(&ran);
    let stack: Vec<&str> = said[2].lines().skip(1).collect();
    assert!(stack[0].starts_with("#0") && stack[0].contains(" in handler+"), "{ran:?}");
    assert_eq!(stack[1], "#1  <signal handler called>", "{ran:?}");
    assert!(stack.last().unwrap().contains(" in main+"), "{ran:?}");
    assert!(said[4].contains("<[vdso]>") || said[4].contains("<[vdso]+0x"), "{ran:?}");
    let stack: Vec<&str> = said[5].lines().skip(1).collect();
    assert!(stack[0].contains(" in [vdso]") && stack[0].ends_with(" <signal handler called>"), "{ran:?}");
    assert!(stack[1].starts_with("#1  0x") && !stack[1].contains(" in ?"), "{ran:?}");
    // Out of either one comes to what was interrupted.
    assert_eq!(said[9].lines().nth(1), Some("#1  <signal handler called>"), "{ran:?}");
    let interrupted = stack[1].split(' ').nth(2).unwrap();
    for finished in [&said[6], &said[11]] {
        assert!(finished.contains(&format!("=> {interrupted} <")), "{ran:?}");
    }

    let deep = compiled(&dir, "deep.c", &["-g"]);
    let ran = run_folio(["run".as_ref(), deep.as_os_str(), "abort".as_ref()]);
    assert_eq!(ran.status, 134);
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let at = lines.iter().position(|line| line.contains("called as a signal's handler")).unwrap();
    assert!(lines[at - 1].contains("called from handler+"), "{ran:?}");
    assert!(lines[at + 1].contains("which interrupted "), "{ran:?}");
}

/// Code of a program without symbols goes by its place in the file, wherever one would see a name.
#[test]
fn code_without_a_name_goes_by_its_file() {
    let dir = TempDir::new("places-stripped");
    let program = compiled(&dir, "names.c", &["-s"]);
    let ran = run_folio([
        "run".as_ref(),
        "--stats".as_ref(),
        "--by=symbol".as_ref(),
        program.as_os_str(),
        "m".as_ref(),
    ]);
    let place = |text: &str| {
        let at = text.find("names+0x").unwrap_or_else(|| panic!("{text}"));
        text[at..].chars().take_while(|c| c.is_alphanumeric() || *c == '+').collect::<String>()
    };
    let death = ran.stderr.lines().find(|line| line.contains("SIGSEGV: ")).unwrap();
    assert!(death.contains(" at names+0x") && death.contains(", ra 0x") && death.ends_with(">)"), "{ran:?}");
    let rows = ran.stderr.split(" by function\n").nth(1).unwrap();
    assert!(rows.contains("  names+0x") && !rows.contains("  0x"), "{ran:?}");
    let ran = debug(&program, &["continue", "bt", "explain", "whatis $pc"], &["m"]);
    let said = said(&ran);
    assert!(said[0].contains(&format!(" <{}>", place(death))), "{ran:?}");
    let calls: Vec<&str> = said[1].lines().filter(|line| line.starts_with('#')).collect();
    assert!(!calls.is_empty() && calls.iter().all(|call| call.contains(" in names+0x")), "{ran:?}");
    assert!(said[2].contains("names+0x") && said[3].contains(&format!(": {}\n", place(death))), "{ran:?}");
}

/// Functions of C++'s are found with their parameters and without; here C has their names.
#[test]
fn a_function_of_cpp_is_named_as_it_is() {
    let dir = TempDir::new("places-cpp");
    std::fs::write(
        dir.file("cpp.c"),
        "int of_int(void *c, int n) __asm__(\"_ZN2ns5Class6methodEi\");\n\
         int of_text(void *c, const char *n, int k) __asm__(\"_ZN2ns5Class6methodEPKci\");\n\
         int of_t(int k) __asm__(\"_ZN2ns5twiceIiEET_S1_\");\n\
         int of_int(void *c, int n) { return n; }\n\
         int of_text(void *c, const char *s, int k) { return k + s[0]; }\n\
         int of_t(int k) { return k * 2; }\n\
         int main(void) { return of_int(0, 1) + of_text(0, \"a\", 2) + of_t(3) == 0; }\n\
         void ended(void *c) __asm__(\"_ZN2ns5ClassD1Ev\");\n\
         int called(void *c, int n) __asm__(\"_ZN2ns5ClassclEi\");\n\
         int equal(void *c, void *d) __asm__(\"_ZNK2ns5ClasseqERKS0_\");\n\
         int truth(void *c) __asm__(\"_ZNK2ns5ClasscvbEv\");\n\
         void ended(void *c) {}\n\
         int called(void *c, int n) { return n; }\n\
         int equal(void *c, void *d) { return c == d; }\n\
         int truth(void *c) { return c != 0; }\n",
    )
    .unwrap();
    let mut gcc = support::child::command("riscv64-linux-gnu-gcc");
    gcc.args(["-g", "-O0", "-static", "-o", "cpp", "cpp.c"]).current_dir(dir.path());
    assert_eq!(run(gcc).status, 0);
    for (place, answer) in [
        ("ns::Class::method", ": 2 places\n"),
        ("ns::Class::method(int)", " at cpp.c:4\n"),
        ("Class::method(const char *, int)", " at cpp.c:5\n"),
        ("ns::Class::method(int) if n == 1", " if n == 1: 0x10642 at cpp.c:4\n"),
        ("method(int) 1", " in process 1: 0x10642 at cpp.c:4\n"),
        ("'ns::Class::method(int)'", " at cpp.c:4\n"),
        ("ns::twice<int>", " at cpp.c:6\n"),
        ("ns::twice", " at cpp.c:6\n"),
        ("twice", " at cpp.c:6\n"),
        ("ns::twice<int>(int)", " at cpp.c:6\n"),
        ("ns::Class::~Class", " at cpp.c:12\n"),
        ("Class::~Class()", " at cpp.c:12\n"),
        ("ns::Class::operator()", " at cpp.c:13\n"),
        ("Class::operator()(int) if n == 1", " if n == 1: 0x10642 at cpp.c:13\n"),
        ("Class::operator==", " at cpp.c:14\n"),
        ("ns::Class::operator bool", " at cpp.c:15\n"),
        ("method(long)", ": /bin/cpp has no such name"),
        ("main(2)", "functions of the program are not called here"),
    ] {
        let ran = debug(&dir.file("cpp"), &[&format!("break {place}")], &[]);
        let said = &said(&ran)[0];
        let without_address = |text: &str| {
            let words = text.split(' ').filter(|word| !word.starts_with("0x10"));
            words.collect::<Vec<_>>().join(" ")
        };
        assert!(without_address(said).contains(&without_address(answer)), "{place}: {ran:?}");
    }
    let ran = debug(&dir.file("cpp"), &["print main(n)"], &[]);
    assert!(said(&ran)[0].contains("those that it has are not called here"), "{ran:?}");
}

/// At a fatal signal in a library one looks at the program: who has called, and that call's source.
#[test]
fn a_fatal_signal_is_looked_at_in_the_program() {
    let dir = TempDir::new("places-fatal");
    let program = compiled(&dir, "names.c", &["-g"]);
    let ran =
        debug(&program, &["catch signal", "continue", "bt", "list", "regs a7", "print counter"], &["a"]);
    let said = said(&ran);
    assert!(said[1].contains("user mode, process 1 (names)"), "{ran:?}");
    let call = line_of("names.c", "abort();");
    assert!(said[2].contains(" in main+") && said[2].contains(&format!(" at names.c:{call}\n")), "{ran:?}");
    assert!(said[3].contains(&format!("\n{call:<6}        abort();\n")), "{ran:?}");
    // tgkill
    assert!(said[4].contains("0x0000000000000083"), "{ran:?}");
    assert!(said[5].contains("counter = 7"), "{ran:?}");
}

/// Several registers, several numbers, lines from one to another.
#[test]
fn commands_take_what_gdb_takes() {
    let dir = TempDir::new("places-words");
    let program = compiled(&dir, "names.c", &["-g"]);
    let ran = debug(
        &program,
        &[
            "info registers a0 sp pc",
            "list 9,12",
            "list names.c:1",
            "list names.c:40",
            "list",
            "list 3, 4",
            "break main",
            "break drop",
            "break touch",
            "break handler",
            "disable 1-2",
            "delete 1 3-4",
            "info breakpoints",
            "delete 2 7",
        ],
        &[],
    );
    let said = said(&ran);
    let names: Vec<&str> = said[0].lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["a0", "sp", "pc"], "{ran:?}");
    let numbers = |text: &str| -> Vec<usize> {
        text.lines().skip(1).filter_map(|line| line.split(' ').next()?.parse().ok()).collect()
    };
    assert_eq!(numbers(&said[1]), [9, 10, 11, 12], "{ran:?}");
    assert_eq!(numbers(&said[2]), (1..=10).collect::<Vec<_>>(), "{ran:?}");
    assert_eq!(numbers(&said[3]), (35..=44).collect::<Vec<_>>(), "{ran:?}");
    assert_eq!(numbers(&said[4]), (45..=52).collect::<Vec<_>>(), "{ran:?}");
    assert_eq!(numbers(&said[5]), [3, 4], "{ran:?}");
    assert!(
        said[12].lines().skip(1).eq(said[12].lines().filter(|line| line.starts_with("breakpoint 2 at drop"))),
        "{ran:?}"
    );
    assert!(said[12].contains(", disabled"), "{ran:?}");
    assert!(said[13].contains("there is no breakpoint, catchpoint or watchpoint 7"), "{ran:?}");

    let ran = debug(&program, &["list names.c:50", "list"], &[]);
    assert!(
        support::source::said(&ran)[1].contains("names.c ends before line 53: it has 52 lines"),
        "{ran:?}"
    );
    let ran = debug(&program, &["info registers nothing"], &[]);
    assert!(support::source::said(&ran)[0].contains("there is no register or CSR `nothing`"), "{ran:?}");
}

/// The stack of a program that dies is told whole, also where its pages are in swap space.
#[test]
fn calls_are_told_whose_stack_is_in_swap_space() {
    let dir = TempDir::new("places-swapped");
    let program = compiled(&dir, "swapped.c", &["-g"]);
    let told = |options: &[&str]| {
        let mut command = folio(["run"]);
        command.args(options).arg(&program);
        run(command)
    };
    let (roomy, tight) = (told(&[]), told(&["--frames", "300"]));
    assert!(roomy.stderr.contains(", 20 times\n") && roomy.stderr.contains("called from main+"), "{roomy:?}");
    assert_eq!(roomy, tight);
}

/// A source that was changed since is told of once; a program without names does not lend those of the kernel.
#[test]
fn what_a_program_lacks_is_told() {
    let dir = TempDir::new("places-lacks");
    let program = compiled(&dir, "names.c", &["-g"]);
    let ran = debug(&program, &["list main", "break main", "continue", "next"], &[]);
    assert!(!ran.stderr.contains("newer than the program"), "{ran:?}");
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    std::fs::File::options().write(true).open(&program).unwrap().set_modified(long_ago).unwrap();
    let ran = debug(&program, &["break main", "continue", "next", "list main"], &[]);
    assert_eq!(ran.stderr.matches("names.c is newer than the program").count(), 1, "{ran:?}");

    let stripped = compiled(&dir, "names.c", &["-s"]);
    let ran = debug(&stripped, &["break kmain", "break kernel:kmain", "break main"], &[]);
    let said = said(&ran);
    assert!(
        said[0].contains("/bin/names is stripped") && said[0].contains("the kernel's is `kernel:kmain`"),
        "{ran:?}"
    );
    assert!(said[1].contains("of the kernel"), "{ran:?}");
    assert!(said[2].contains("/bin/names is stripped") && !said[2].contains("kernel"), "{ran:?}");
}

/// However long a line is, it is answered at once.
#[test]
fn a_line_of_many_megabytes_is_refused() {
    let dir = TempDir::new("places-long");
    let script = dir.file("script");
    for (letters, answer) in
        [(20_000_000, "is no command"), (60_000, "at most 1000 letters"), (900, "has no such name")]
    {
        let line = format!("break {}", "a".repeat(letters));
        std::fs::write(&script, &line).unwrap();
        let began = std::time::Instant::now();
        let mut command = folio(["debug", "--script"]);
        command.arg(&script).arg("hello");
        let scripted = run(command);
        let piped = run_with_input(folio(["debug", "hello"]), line.as_bytes());
        assert!(scripted.stderr.contains(answer) && piped.stderr.contains(answer), "{letters}");
        assert!(scripted.stderr.len() < 70_000, "{letters}");
        // A distance to each name would take minutes.
        assert!(began.elapsed().as_secs() < 60, "{letters}: {:?}", began.elapsed());
    }
}

/// Debug information is the guest's: damaged, it tells less, and nothing worse.
#[test]
fn damaged_debug_information_harms_nobody() {
    let dir = TempDir::new("places-damaged");
    let program = compiled_from(&dir, &["same_a.c", "same_b.c"], &["-g", "-O1"]);
    let bytes = std::fs::read(&program).unwrap();
    let whole = ProgramFile::read(bytes.clone());
    let (helpers, twice) = (whole.functions_called("helper", None), whole.functions_called("twice", None));
    assert_eq!((helpers.len(), twice.len()), (2, 2));
    let elf = goblin::elf::Elf::parse(&bytes).unwrap();
    let is_debug = |header: &&goblin::elf::SectionHeader| {
        elf.shdr_strtab.get_at(header.sh_name).is_some_and(|name| name.starts_with(".debug_"))
    };
    let places: Vec<usize> = elf
        .section_headers
        .iter()
        .filter(is_debug)
        .filter_map(|header| header.file_range())
        .flatten()
        .collect();
    let mut random = Random(0x5eed);
    for round in 0..100 {
        let mut damaged = bytes.clone();
        for _ in 0..1 + round % 16 {
            damaged[random.of(&places)] = u8::try_from(random.below(256)).unwrap();
        }
        let file = ProgramFile::read(damaged);
        for name in ["helper", "twice", "main"] {
            for at in file
                .functions_called(name, None)
                .iter()
                .chain(file.functions_called(name, Some("same_b.c")).iter())
            {
                let _ = (file.body_of(*at), file.spot(*at));
            }
        }
        // What the symbols tell is not damaged.
        assert!(!file.functions_called("helper", None).is_empty(), "round {round}");
    }
}

/// What is said of a name or a place that is not there says why.
#[test]
fn what_is_not_there_is_told_with_its_reason() {
    let dir = TempDir::new("places-reasons");
    std::fs::write(
        dir.file("blocks.c"),
        "#include <stdio.h>\n#include <sys/wait.h>\n#include <unistd.h>\nint total = 5;\nint lookup(int key) { return key * 2 + total; }\n\
         int main(void) {\n    for (int i = 0; i < 3; i++) {\n        int twice = lookup(i);\n        total += twice;\n    }\n\
         \n    puts(\"end\");\n    if (fork() == 0) return 3;\n    wait(0);\n    return 0;\n}\n",
    )
    .unwrap();
    let compile = |name: &str, flags: &[&str]| {
        let mut gcc = support::child::command("riscv64-linux-gnu-gcc");
        gcc.args(flags).args(["-g", "-O0", "-o", name, "blocks.c"]).current_dir(dir.path());
        assert_eq!(run(gcc).status, 0);
        dir.file(name)
    };
    let program = compile("static", &["-static"]);
    for (commands, answer) in [
        (
            &["break blocks.c:12", "continue", "print twice"][..],
            "`twice` is a variable of a block that begins at blocks.c:8 and ends at line 9 and is not at work here",
        ),
        (&["print twice"], "`twice` is a variable of main, which is not what is looked at (`bt`, `up`)"),
        (
            &["break lookup 3"],
            "breakpoint 1 at lookup in process 3: waits for process 3, which there is not yet\n",
        ),
        (
            &["catch exit", "continue", "break lookup 2"],
            "breakpoint 2 at lookup in process 2: process 2 (static) has ended, it never stops\n",
        ),
        // Another's variables can be asked for while one looks at who has ended, and its own cannot.
        (&["catch exit", "continue", "process 2", "print 1:total"], "1:total = 48  (int)"),
        (&["catch exit", "continue", "process 2", "print 1 + 2"], "1 + 2 = 3  (int)"),
        (&["catch exit", "continue", "process 2", "print total"], "process 2 (static) has ended"),
        // The kernel's names are not the program's.
        (
            &["print handle_trap_that_is_not"],
            "process 1 (static) has no variable or symbol `handle_trap_that_is_not`",
        ),
        (&["print trap_entry"], "no variable or symbol `trap_entry`"),
        (&["print trap_entry"], "; the kernel's is `kernel:trap_entry`"),
        (&["print kernel:trap_entry"], "kernel:trap_entry = "),
        (
            &["catch exit", "continue", "print trap_entry"],
            "process 2 (static) has no variable or symbol `trap_entry`",
        ),
        // When all has ended names are still the program's.
        (&["continue", "print total"], "/bin/static has ended, and its memory is gone (`run` begins"),
        // What needs no memory is known from the file.
        (&["continue", "print sizeof total"], "sizeof total = "),
        (&["continue", "print &total"], "&total = "),
        (&["continue", "print twice"], "/bin/static has ended, which has `twice`"),
        (
            &["continue", "print totle"],
            "/bin/static, which has ended, has no variable or symbol `totle` (near are `total`)",
        ),
        (&["continue", "print memcpy"], "memcpy = 0x"),
        (&["continue", "print kernel:trap_entry"], "kernel:trap_entry = "),
        (
            &["continue", "break lookup"],
            "at lookup: /bin/static has ended; it waits for the next run (`run`)\n",
        ),
        (
            &["continue", "break blocks.c:999"],
            "/bin/static has no code for line 999 of blocks.c or behind it; it waits",
        ),
        (&["continue", "break loookup"], "/bin/static, which has ended, has no such name (near are `lookup`"),
        (
            &["continue", "list nothing"],
            "`nothing` is no function or line of its program: `list` goes on in it",
        ),
    ] {
        let ran = debug(&program, commands, &[]);
        let said = said(&ran);
        assert!(said[commands.len() - 1].contains(answer), "{commands:?}: `{answer}` is not in {ran:?}");
    }
    let program = compile("dynamic", &[]);
    let options = ["--sysroot", "/usr/riscv64-linux-gnu"];
    let commands = ["catch syscall:write", "continue", "locals"];
    let ran = support::source::debug_with(&options, &program, &commands, &[]);
    let answer = &said(&ran)[2];
    assert!(
        answer.contains("there is no debug information of ")
            && answer.contains(", which is of /")
            && answer.contains("libc.so.6 (`up`"),
        "{ran:?}"
    );
}

/// Functions, variables and lines are told of by their names; signals are caught by theirs.
#[test]
fn what_there_is_in_a_program_is_listed() {
    let dir = TempDir::new("places-lists");
    let program = compiled(&dir, "lines.c", &["-g", "-O0"]);
    let (work, sum) = (line_of("lines.c", "static int work("), line_of("lines.c", "int sum = 0"));
    for (commands, answers) in [
        (&["info functions wor"][..], vec![format!("  work at lines.c:{work}\n")]),
        (&["info functions"], vec![format!("  work at lines.c:{work}\n"), "  main at lines.c:".to_owned()]),
        (&["info functions no_such_thing"], vec!["no function has `no_such_thing` in its name".to_owned()]),
        (&["info variables coun"], vec!["  count  (int)\n".to_owned()]),
        (
            &[&*format!("info line lines.c:{sum}")],
            vec![format!("lines.c:{sum} begins at 0x"), "<work+".to_owned(), " and ends at 0x".to_owned()],
        ),
        (
            &["info line lines.c:1"],
            vec!["line 1 of lines.c has no code; the next that has:\nlines.c:".to_owned()],
        ),
        (
            &["info line lines.c:999"],
            vec!["line 999 of lines.c has no code, nor has any behind it".to_owned()],
        ),
        (
            &["break work", "continue", "info line"],
            vec![" <work+".to_owned(), format!("> is of lines.c:{sum}, whose code there begins at 0x")],
        ),
        (
            &["catch signal SIGSEGVV"],
            vec!["there is no signal `SIGSEGVV`; did you mean `SIGSEGV`?".to_owned()],
        ),
        (&["catch signal USR1"], vec!["catchpoint 1: signal SIGUSR1\n".to_owned()]),
    ] {
        let ran = debug(&program, commands, &[]);
        let answered = &said(&ran)[commands.len() - 1];
        for answer in answers {
            assert!(answered.contains(&answer), "{commands:?}: `{answer}` is not in {ran:?}");
        }
    }
    let crash = compiled(&dir, "crash.c", &["-g"]);
    let ran = debug(&crash, &["catch signal SIGUSR1", "catch signal SIGSEGV", "continue"], &[]);
    assert!(said(&ran)[2].contains("catchpoint 2: SIGSEGV of the kernel to process 1"), "{ran:?}");

    // What stands behind the program is the program's.
    let ran = run_folio([
        "debug".as_ref(),
        "--ex".as_ref(),
        "quit".as_ref(),
        crash.as_os_str(),
        "-ex".as_ref(),
        "bt".as_ref(),
    ]);
    assert!(ran.stderr.contains("folio: `-ex` behind PROGRAM is an argument of the program's"), "{ran:?}");
}

/// A breakpoint says where its place is in the source, and `bt` shows no more of an argument than a line has room for.
#[test]
fn a_line_says_as_much_as_it_has_room_for() {
    let dir = TempDir::new("places-room");
    let long = "a".repeat(300);
    let source = format!(
        "static int show(const char *text) {{\n    return text[0];\n}}\nint main(void) {{\n    return show(\"{long}\");\n}}\n"
    );
    std::fs::write(dir.file("room.c"), source).unwrap();
    let mut gcc = support::child::command("riscv64-linux-gnu-gcc");
    gcc.args(["-static", "-g", "-O0", "-o", "room", "room.c"]).current_dir(dir.path());
    assert_eq!(run(gcc).status, 0);
    let ran = debug(&dir.file("room"), &["break show", "break room.c:4", "continue", "continue", "bt"], &[]);
    let said = said(&ran);
    assert!(said[0].contains("breakpoint 1 at show: 0x") && said[0].ends_with(" at room.c:2\n"), "{ran:?}");
    assert!(said[1].contains("(room.c:5, where the function's body begins)"), "{ran:?}");
    let innermost = said[4].lines().nth(1).expect("a frame");
    assert!(innermost.contains("aaaa…) at room.c:2") && innermost.len() < 120, "{ran:?}");
}
