//! What those stumbled over who came to the debugger from gdb: arrays, threads, registers, places beyond the end.

#![allow(clippy::unwrap_used)] // a test may stop

mod support;

use support::source::{compiled, debug, line_of, said};
use support::{Ran, TempDir, run};

/// Whether each command has said this.
#[track_caller]
fn says(ran: &Ran, parts: &[&str]) {
    let said = said(ran);
    for (said, part) in said.iter().zip(parts) {
        assert!(said.contains(part), "no `{part}` in `{said}`: {ran:?}");
    }
    assert!(said.len() >= parts.len(), "{ran:?}");
}

/// Whether a command has said all of this.
#[track_caller]
fn tells(ran: &Ran, command: usize, parts: &[&str]) {
    let said = said(ran);
    for part in parts {
        assert!(said[command].contains(part), "no `{part}` in `{}`: {ran:?}", said[command]);
    }
}

/// What is the same many times in an array is told with its number, and a store by the element that it was to.
#[test]
fn arrays_are_told_by_what_differs() {
    let dir = TempDir::new("finds-arrays");
    let arrays = compiled(&dir, "arrays.c", &["-g"]);
    let filled = line_of("arrays.c", "puts(");
    let ran = debug(
        &arrays,
        &[
            &format!("tbreak {filled}"),
            "continue",
            "print zeros",
            "print mixed",
            "print few",
            "print grid",
            "print *(int(*)[4])flat",
            "print ((int(*)[4])flat)[1][2]",
            "print sizeof(int (*)[4])",
            "ptype (int(*)[4])flat",
        ],
        &[],
    );
    says(
        &ran,
        &[
            "breakpoint 1",
            "main at arrays.c:",
            "zeros = {0 <repeats 3000 times>}  (int[3000])\n",
            "mixed = {0 <repeats 20 times>, 5, 0 <repeats 19 times>, 7, 0 <repeats 23 times>}  (int[64])\n",
            "few = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0}  (int[10])\n",
            "grid = {{0, 0, 0, 0}, {0, 0, 9, 0}, {0, 0, 0, 0}}  (int[3][4])\n",
            "*(int(*)[4])flat = {0, 0, 0, 0}  (int[4])\n",
            "= 9  (int)\n",
            "= 8  (unsigned long)\n",
            "type = int (*)[4]\n",
        ],
    );

    let main = line_of("arrays.c", "fill(grid)");
    let ran = debug(
        &arrays,
        &[
            &format!("tbreak {main}"),
            "continue",
            "watch mixed",
            "watch grid",
            "watch nodes",
            "continue",
            "continue",
            "continue",
            "continue",
            "continue",
        ],
        &[],
    );
    says(
        &ran,
        &[
            "breakpoint 1",
            "main at arrays.c:",
            "watchpoint 2: writes to mixed",
            "watchpoint 3: writes to grid",
            "watchpoint 4: writes to nodes",
            "; mixed[20] was 0, and is 5\n",
            "; mixed[40] was 0, and is 7\n",
            "; grid[1][2] was 0, and is 9\n",
            "; nodes[1].count was 0, and is 4\n",
            "; nodes[1].next was 0x0, and is 0x",
        ],
    );
}

/// Who is looked at is marked, and who is ended by a signal does not wait.
#[test]
fn threads_are_told_by_what_they_do() {
    let dir = TempDir::new("finds-threads");
    let threaded = compiled(&dir, "threaded.c", &["-g", "-pthread"]);
    let ran = debug(&threaded, &["continue", "info threads", "thread", "thread 1", "thread", "ps"], &[]);
    says(
        &ran,
        &[
            "SIGSEGV ends process 1 (threaded), in thread 2 (",
            "     * thread 2 is ended by SIGSEGV at work+0x",
            "thread 2 of process 1 (threaded) is looked at\nstep ",
            "process 1 (threaded), thread 1 waits in a system call at ",
            "thread 1 of process 1 (threaded) is looked at\nprocess 1 (threaded), thread 1 waits",
            "\n*   1     0 ",
        ],
    );
    let said = said(&ran);
    assert!(said[1].contains("       thread 1 waits in a system call at "), "{ran:?}");
    assert!(said[5].contains("     * thread 1 waits in a system call at "), "{ran:?}");
}

/// One event has one step, whoever tells of it.
#[test]
fn a_fault_is_told_of_at_one_step() {
    let dir = TempDir::new("finds-steps");
    let freed = compiled(&dir, "freed.c", &["-g"]);
    for commands in [&["continue", "explain"][..], &["catch fault segv", "continue", "explain"]] {
        let ran = debug(&freed, commands, &[]);
        let said = said(&ran);
        let told = said[commands.len() - 1].split_once("At step ").unwrap().1;
        let step = told.split(' ').next().unwrap();
        assert!(said[commands.len() - 2].contains(&format!("\nstep {step}: user mode")), "{ran:?}");
    }
}

#[test]
fn words_of_gdb_that_do_nothing_say_why() {
    let dir = TempDir::new("finds-words");
    let freed = compiled(&dir, "freed.c", &["-g"]);
    let line = line_of("freed.c", "return block->count");
    for (command, answer) in [
        ("print $", "there is no `$`: no history of values is kept"),
        ("print $$", "there is no `$$`: no history"),
        ("print $1", "there is no `$1`: no history"),
        ("handle SIGNONE stop", "there is no signal `SIGNONE`: there are SIGILL, "),
        ("print $priv", "$priv = 0x0 (0)\n"),
        ("regs priv", "priv      0x0000000000000000\n"),
        ("up 9", "#1  "),
        ("up 9", "it is the outermost function that is known\n"),
    ] {
        let ran = debug(&freed, &["continue", command], &[]);
        assert!(said(&ran)[1].contains(answer), "{command}: {ran:?}");
    }
    let ran = debug(&freed, &["continue", "up 9", "up 2"], &[]);
    assert!(said(&ran)[2].starts_with("up 2\nthis is the outermost function that is known\n"), "{ran:?}");
    for (command, answer) in [
        ("info line", "the machine has ended"),
        ("info line main", "<main> is of freed.c:"),
        (format!("info line {line}").as_str(), &format!("freed.c:{line} begins at 0x")),
    ] {
        let ran = debug(&freed, &["continue", "continue", command], &[]);
        let told = &said(&ran)[2];
        assert!(told.contains(answer) && !told.contains("kernel"), "{command}: {ran:?}");
    }
    let mut strip = support::child::command("riscv64-linux-gnu-strip");
    strip.arg(&freed);
    assert_eq!(run(strip).status, 0);
    let ran = debug(&freed, &["start"], &[]);
    assert!(
        said(&ran)[0].contains("there is no code for main now: the program has lost its names"),
        "{ran:?}"
    );
}

/// As compilers make it where the linker does not shorten it.
#[test]
fn a_call_of_two_instructions_names_its_target() {
    let dir = TempDir::new("finds-far");
    let far = compiled(&dir, "freed.c", &["-g", "-Wl,--no-relax"]);
    let ran = debug(&far, &["tbreak main", "continue", "disas main"], &[]);
    let is_named = |line: &str| line.contains(" jalr ") && line.ends_with(" <drop>");
    assert!(said(&ran)[2].lines().any(is_named), "{ran:?}");
}

/// Where the C library ends a program, its functions tell by their beginning who has called: what stands behind a call that never comes
/// back is not their end, and one of them takes room whose size is not in its code.
#[test]
fn who_has_called_is_found_past_calls_that_never_come_back() {
    let dir = TempDir::new("finds-dies");
    let flags = &["-g", "-O0", "-fstack-protector-all"];
    for (word, ways) in [
        ("twice", &["abort+", "__libc_message", "malloc_printerr", "free+", "twice+", "main+"][..]),
        ("smash", &["abort+", "__libc_message", "__fortify_fail", "__stack_chk_fail", "smash+", "main+"]),
    ] {
        let ran = debug(&compiled(&dir, "dies.c", flags), &["continue", "bt"], &[word]);
        let mut stack = said(&ran)[1].clone();
        assert!(!stack.contains(" in ?"), "{ran:?}");
        for function in ways {
            let rest = stack.split_once(function).map(|(_, rest)| rest.to_owned());
            stack = rest.unwrap_or_else(|| panic!("{word}: no {function}: {ran:?}"));
        }
    }
}

/// Numbers are C's, and so are casts to letters; a catchpoint is listed by what was typed, and `bt -N` tells of the outermost functions.
#[test]
fn numbers_and_words_are_as_gdb_has_them() {
    let dir = TempDir::new("finds-numbers");
    let arrays = compiled(&dir, "arrays.c", &["-g"]);
    let ran = debug(
        &arrays,
        &[
            "tbreak main",
            "continue",
            "print 0777",
            "print (unsigned char)-1",
            "print 1.5f",
            "catch fault cow grid",
            "bt -1",
        ],
        &[],
    );
    says(
        &ran,
        &[
            "breakpoint 1",
            "main at arrays.c:",
            "0777 = 511  (int)\n",
            "(unsigned char)-1 = 255 '\\377'  (unsigned char)\n",
            "1.5f = 1.5  (float)\n",
            "catchpoint 2: fault cow in grid (0x",
            "#0  0x",
        ],
    );
}

/// A signal that no fault has brought is explained by the call that has sent it.
#[test]
fn a_signal_of_the_programs_own_is_explained() {
    let dir = TempDir::new("finds-raised");
    let names = compiled(&dir, "names.c", &["-g"]);
    let ran = debug(&names, &["continue", "explain"], &["a"]);
    says(
        &ran,
        &["SIGABRT ends process 1", "Process 1 (names) has sent itself SIGABRT by the system call tgkill"],
    );
}

/// What one has in the fingers from gdb works, or says what does.
#[test]
fn forms_of_gdb_are_understood() {
    let dir = TempDir::new("finds-forms");
    let lines = compiled(&dir, "lines.c", &["-g"]);
    let sum = line_of("lines.c", "sum += twice");
    let commands = format!("break lines.c:{sum}");
    for (command, answers) in [
        (
            "bt full",
            &["in work+", "\n        sum = 0  (int)\n", "\n        i = 0  (int)\n", "\n        result = "][..],
        ),
        ("list 10,+2", &["10    ", "12    "]),
        ("list lines.c:10,12", &["10    ", "12    "]),
        ("list work,", &["static int work", "return sum;"]),
        ("list ,20", &["11    ", "20    "]),
        ("list work,outer", &["int work(", "int outer("]),
        ("info source", &["lines.c, compiled in ", " lines\n"]),
        ("break if sum > 1", &["breakpoint 2 at 0x", " if sum > 1"]),
        ("c 2", &["breakpoint 1: lines.c:", "work at lines.c:"]),
        ("p {int}&count", &["= 7  (int)\n"]),
        ("p (sum, 5)", &["= 5  (int)\n"]),
        ("info all-registers", &["\nzero ", "\nft0 "]),
        ("catch signal 10", &["catchpoint 2: signal SIGUSR1\n"]),
        ("p \"abc\"", &["`print/s NAME` shows a text of the program's"]),
        ("p v.size()", &["are not called here", "`print v` shows the elements, and `v[0]` is one"]),
        ("p $", &["is in `$a0` or `$fa0`"]),
        ("catch throw", &["`break __cxa_throw` stops where C++ throws"]),
        ("whatis struct shape", &["of a type tells `ptype struct shape`"]),
        ("dprintf work", &["then `commands` with `silent`"]),
        ("p value", &["`value` is a variable of twice, which is not what is looked at"]),
        ("x/f &ratio", &[": 0.5\n"]),
    ] {
        let ran = debug(&lines, &[&commands, "continue", command], &[]);
        tells(&ran, 2, answers);
    }
    let ran = debug(&lines, &[&commands, "continue", "c 2", "p i"], &[]);
    tells(&ran, 3, &["i = 2  (int)\n"]);
    let ran = debug(&lines, &["c 2"], &[]);
    tells(&ran, 0, &["nothing has stopped here that could be passed"]);
}

/// A name that several functions have is not said to be of one of them.
#[test]
fn a_name_of_several_functions_is_told_to_be_so() {
    let dir = TempDir::new("finds-several");
    let lines = compiled(&dir, "lines.c", &["-g"]);
    let ran = debug(&lines, &["break main", "continue", "p rounds"], &[]);
    tells(&ran, 2, &["`rounds` is a variable of outer and work, neither of which is looked at (`bt`, `up`)"]);
}

/// What the compiler was asked to leave out is told by that.
#[test]
fn a_program_without_variables_says_why() {
    let dir = TempDir::new("finds-untold");
    for (flag, why) in [
        ("-g1", "it is compiled with -g1, which tells lines alone; with -g they are known"),
        ("-gsplit-dwarf", "it is compiled with -gsplit-dwarf: its .dwo is not read; without -gsplit-dwarf"),
    ] {
        std::fs::copy(support::root().join("tests/sources/lines.c"), dir.file("lines.c")).unwrap();
        let mut gcc = support::child::command("riscv64-linux-gnu-gcc");
        gcc.args(["-g", flag, "-static", "-o", "lines", "lines.c"]).current_dir(dir.path());
        assert_eq!(run(gcc).status, 0);
        let ran =
            debug(&dir.file("lines"), &["break work", "continue", "locals", "p count", "p rounds"], &[]);
        tells(&ran, 2, &[&format!("variables of the function are not known: {why}")]);
        tells(&ran, 3, &["count = 0x7  (of no type that is known)\n"]);
        tells(&ran, 4, &[&format!("has no variable or symbol `rounds` ({why}")]);
    }
}

/// A function of which nothing is known is told by the place that `bt` has for it, and nobody is sent to a caller that there is not.
#[test]
fn a_function_of_no_debug_information_is_told_as_in_bt() {
    let dir = TempDir::new("finds-outermost");
    let threaded = compiled(&dir, "threaded.c", &["-g"]);
    let ran = debug(&threaded, &["break work", "continue", "up 9", "info locals"], &[]);
    let said = said(&ran);
    let place =
        said[2].split(" in ").nth(1).and_then(|text| text.split_whitespace().next()).expect("a place");
    assert!(said[3].contains(&format!("there is no debug information of {place}\n")), "{ran:?}");
}

/// Where a program ends itself by a signal the machine stops before, as at one that it has brought about by a fault; what another process
/// has sent does not stop it.
#[test]
fn a_signal_that_a_program_sends_itself_stops_before_its_end() {
    let dir = TempDir::new("finds-raises");
    let program = compiled(&dir, "raises.c", &["-g"]);
    let ran = debug(&program, &["continue", "explain", "continue"], &[]);
    let told = said(&ran);
    assert!(told[0].contains("SIGTERM ends process 1 (raises)"), "{ran:?}");
    assert!(told[0].contains("called from give_up at raises.c:7: raise(signal);"), "{ran:?}");
    assert!(told[1].contains("has sent itself SIGTERM by the system"), "{ran:?}");
    assert!(told[2].contains("signal 15 has killed the program"), "{ran:?}");
    let ran = debug(&program, &["handle SIGTERM nostop", "handle", "continue"], &[]);
    let told = said(&ran);
    assert!(told[1].contains("SIGTERM does not stop the machine where it ends a program\n"), "{ran:?}");
    assert!(told[2].contains("signal 15 has killed the program"), "{ran:?}");
    // Who has sent a SIGKILL is not told; where the program was is.
    let ran = debug(&program, &["continue"], &["kill"]);
    assert!(said(&ran)[0].contains("signal 9 has killed the program"), "{ran:?}");
    for line in ["SIGKILL: the program was killed at ", "  called from give_up+0x", "  called from main+0x"] {
        assert!(said(&ran)[0].contains(line), "{ran:?}");
    }
}
