//! The debugger, command by command, on the machine of `recording`.

use super::command::{
    Command, Contents, Examine, Faults, FrameChoice, Happening, ListEnd, Listing, Occasion, RegisterSet,
    Shown, StepKind, StopCommand, commands,
};
use super::condition::Condition;
use super::expression::Expression;
use super::recording::*;
use super::watch::Watched;
use super::*;
use crate::source::{Format, Programs, Variables};
use std::rc::Rc;

#[test]
fn lines_become_commands() {
    let number = |n| Some(Expression::number(n));
    let at = |text: &str| Expression::parse(text).unwrap();
    let x = |count, contents, size_bytes| Examine { count, contents, size_bytes };
    let stop = Command::Stop;
    let catch_if = |name, from, to, condition| {
        let occasion = Occasion::Fault { faults: Faults::from_name(name).unwrap(), from, to };
        Command::Stop(StopCommand::Catch { occasion, condition })
    };
    let catch = |name, from, to| catch_if(name, from, to, None);
    let event = |occasion| Command::Stop(StopCommand::Catch { occasion, condition: None });
    let condition = |text| Some(Condition::parse(text).unwrap());
    let break_at = |at, pid, condition, is_for_once| {
        Command::Stop(StopCommand::Break { at: Expression::number(at), pid, condition, is_for_once })
    };
    for (line, command) in [
        ("step", Command::Step(StepKind::Line, 1)),
        ("  si 20 ", Command::Step(StepKind::Instruction, 20)),
        ("n", Command::Step(StepKind::OverLine, 1)),
        ("c", Command::Continue),
        ("c 3", Command::ContinuePast(3)),
        ("bt full 2", Command::Backtrace { most: Some(2), is_outermost: false, is_full: true }),
        ("bt -2", Command::Backtrace { most: Some(2), is_outermost: true, is_full: false }),
        ("until 1000", Command::Until(1000)),
        ("b 16 4", break_at(16, Some(4), None, false)),
        ("b 16 if pid == 2", break_at(16, None, condition("pid == 2"), false)),
        ("b 16 3 if hits > 2", break_at(16, Some(3), condition("hits > 2"), false)),
        ("tbreak 16", break_at(16, None, None, true)),
        ("break", stop(StopCommand::List)),
        ("delete", stop(StopCommand::Delete(vec![]))),
        ("d 3", stop(StopCommand::Delete(vec![3..=3]))),
        ("delete 1 3-5", stop(StopCommand::Delete(vec![1..=1, 3..=5]))),
        ("condition 2", stop(StopCommand::Condition { id: 2, condition: None })),
        ("condition 2 hits == 4", stop(StopCommand::Condition { id: 2, condition: condition("hits == 4") })),
        ("ignore 2 5", stop(StopCommand::Ignore { id: 2, count: 5 })),
        ("enable", stop(StopCommand::Enable { numbers: vec![], is_enabled: true })),
        ("disable 4", stop(StopCommand::Enable { numbers: vec![4..=4], is_enabled: false })),
        ("commands", stop(StopCommand::Commands(None))),
        (
            "watch 16 4 if pid == 2",
            stop(StopCommand::Watch {
                at: Expression::number(16),
                length: Some(4),
                watched: Watched::Writes,
                outlives: false,
                condition: condition("pid == 2"),
            }),
        ),
        (
            "watch -l s",
            stop(StopCommand::Watch {
                at: at("s"),
                length: None,
                watched: Watched::Writes,
                outlives: true,
                condition: None,
            }),
        ),
        ("rwatch", stop(StopCommand::ListWatches)),
        ("until", Command::Step(StepKind::PastLine, 1)),
        ("thread", Command::WhichThread),
        ("thread 2", Command::Select { pid: None, tid: Some(2) }),
        ("thread apply all bt 3", Command::Apply { tids: None, line: "bt 3".into() }),
        ("thread apply 1 2 p n", Command::Apply { tids: Some(vec![1, 2]), line: "p n".into() }),
        ("info watchpoints", stop(StopCommand::ListWatches)),
        ("i watch", stop(StopCommand::ListWatches)),
        ("finish", Command::Finish),
        ("display", Command::Display(None)),
        (
            "display/2xw 16",
            Command::Display(Some((
                "/2xw 16".into(),
                Shown::Memory(x(2, Contents::Values(Format::Hex), 4)),
                Expression::number(16),
            ))),
        ),
        ("display 16", Command::Display(Some(("16".into(), Shown::Value(None), Expression::number(16))))),
        (
            "display/x a.b",
            Command::Display(Some(("/x a.b".into(), Shown::Value(Some(Format::Hex)), at("a.b")))),
        ),
        (
            "display/i $pc",
            Command::Display(Some((
                "/i $pc".into(),
                Shown::Memory(x(1, Contents::Instructions, 8)),
                at("$pc"),
            ))),
        ),
        ("print a.b[i + 1]", Command::Print(at("a.b[i + 1]"), None)),
        ("p/x *p", Command::Print(at("*p"), Some(Format::Hex))),
        ("p /c 97", Command::Print(at("97"), Some(Format::Character))),
        ("frame", Command::Frame(FrameChoice::Shown)),
        ("f 2", Command::Frame(FrameChoice::Number(2))),
        ("up", Command::Frame(FrameChoice::Up(1))),
        ("down 3", Command::Frame(FrameChoice::Down(3))),
        ("info locals", Command::Variables(Variables::Locals)),
        ("info args", Command::Variables(Variables::Arguments)),
        (
            "watch a[i + 1] 4 if (n > 1)",
            stop(StopCommand::Watch {
                at: at("a[i + 1]"),
                length: Some(4),
                watched: Watched::Writes,
                outlives: false,
                condition: condition("(n > 1)"),
            }),
        ),
        (
            "watch s.member",
            stop(StopCommand::Watch {
                at: at("s.member"),
                length: None,
                watched: Watched::Writes,
                outlives: false,
                condition: None,
            }),
        ),
        ("undisplay 1", Command::Undisplay(Some(1))),
        ("catch fault", catch("any", None, None)),
        ("catch fault cow", catch("cow", None, None)),
        ("catch fault any 16", catch("any", number(16), None)),
        ("catch fault cow 16 32", catch("cow", number(16), number(32))),
        ("catch fault if pid == 2", catch_if("any", None, None, condition("pid == 2"))),
        ("catch fault cow 16 if va == 20", catch_if("cow", number(16), None, condition("va == 20"))),
        ("catch", stop(StopCommand::List)),
        ("catch fork", event(Occasion::Happening(Happening::Fork))),
        ("catch swap-out", event(Occasion::Happening(Happening::SwapOut))),
        ("catch syscall", event(Occasion::Syscall(None))),
        ("catch syscall:write", event(Occasion::Syscall(Some("write".into())))),
        ("catch syscall write", event(Occasion::Syscall(Some("write".into())))),
        ("catch tlb-miss", event(Occasion::TlbMiss)),
        ("regs", Command::Regs(RegisterSet::Integer)),
        ("regs f", Command::Regs(RegisterSet::Float)),
        ("regs csr", Command::Regs(RegisterSet::Csr)),
        ("x 16", Command::Examine(Examine::default(), number(16))),
        ("x/4xw 16", Command::Examine(x(4, Contents::Values(Format::Hex), 4), number(16))),
        ("x/s 16", Command::Examine(x(1, Contents::Values(Format::Text), 1), number(16))),
        ("x/3i", Command::Examine(x(3, Contents::Instructions, 8), None)),
        ("x /8db 16", Command::Examine(x(8, Contents::Values(Format::Decimal), 1), number(16))),
        ("disas 16 3", Command::Disas { at: number(16), count: Some(3) }),
        ("walk", Command::Walk(None)),
        ("tlb 16", Command::Tlb(number(16))),
        ("frames", Command::Frames(None)),
        ("maps 2", Command::Maps(Some(2))),
        ("process 2", Command::Select { pid: Some(2), tid: None }),
        ("thread 3", Command::Select { pid: None, tid: Some(3) }),
        ("inferior", Command::Select { pid: None, tid: None }),
        ("pt 2", Command::PageTable(Some(2))),
        ("whatis 16", Command::WhatIs(Expression::number(16))),
        ("info symbol 16", Command::WhatIs(Expression::number(16))),
        ("swap", Command::Swap { from: 0, most: None }),
        ("swap 40 20", Command::Swap { from: 40, most: Some(20) }),
        ("swap all", Command::Swap { from: 0, most: Some(u64::MAX) }),
        ("list 5,10", Command::List(Listing::Lines(5, 10))),
        ("list 5, 10", Command::List(Listing::Lines(5, 10))),
        ("list 16,", Command::List(Listing::Range(number(16), None))),
        ("list 16,+3", Command::List(Listing::Range(number(16), Some(ListEnd::Behind(3))))),
        ("list ,16", Command::List(Listing::Range(None, Some(ListEnd::Place(Expression::number(16)))))),
        ("info source", Command::List(Listing::File)),
        ("info all-registers", Command::Regs(RegisterSet::All)),
        ("regs a0 $sp", Command::Regs(RegisterSet::Named(vec!["a0".into(), "sp".into()]))),
        ("ps", Command::Ps),
        ("hart 2", Command::Hart(Some(2))),
        ("hart", Command::Hart(None)),
        ("info harts", Command::Hart(None)),
        ("info h", Command::Hart(None)),
        ("i r", Command::Regs(RegisterSet::Integer)),
        ("info registers f", Command::Regs(RegisterSet::Float)),
        ("i b", stop(StopCommand::List)),
        ("info display", Command::Display(None)),
        ("info processes", Command::Ps),
        ("info threads", Command::Ps),
        ("info proc mappings", Command::Maps(None)),
        ("info proc 2", Command::Maps(Some(2))),
        ("why", Command::Explain(None)),
        ("explain 16", Command::Explain(number(16))),
        ("help step", Command::Help(Some("step".to_owned()))),
        ("q", Command::Quit),
    ] {
        assert_eq!(Command::parse(line), Ok(Some(command)), "{line}");
    }
    for line in ["", "   ", "# a comment"] {
        assert_eq!(Command::parse(line), Ok(None));
    }
}

#[test]
fn what_is_no_command_is_answered_in_one_line() {
    for (line, error) in [
        ("stpe", "there is no command `stpe`; did you mean `step`? (`help` lists them)"),
        ("frobnicate", "there is no command `frobnicate`; `help` lists them"),
        ("step x", "`x` is not a number; usage: step [N]"),
        ("step 1 2", "`2` is too much; usage: step [N]"),
        ("until 1 2", "`2` is too much; usage: until [STEP|PLACE]"),
        ("advance", "a place is missing; usage: advance LINE|±LINES|PLACE"),
        ("helo", "there is no command `helo`; did you mean `help`? (`help` lists them)"),
        ("wh", "`wh` is the beginning of several commands: `why`, `where`, `whatis`"),
        ("registers", "there is no command `registers`; did you mean `regs` (gdb's `info registers`)?"),
        ("backtarce", "there is no command `backtarce`; did you mean `backtrace`? (`help` lists them)"),
        (
            "catch fault red",
            "there is no fault of kind `red`: there are zero, file, disk, cow, swap, segv, any, and each kind of fault that --stats counts; usage: catch fault KIND [ADDR [END]]|EVENT [if COND]",
        ),
        (
            "catch fault cwo",
            "there is no fault of kind `cwo`; did you mean `cow`?; usage: catch fault KIND [ADDR [END]]|EVENT [if COND]",
        ),
        (
            "catch exce",
            "`exce` can't be caught; did you mean `exec`?; usage: catch fault KIND [ADDR [END]]|EVENT [if COND]",
        ),
        ("break main if argc = 2", "nothing of the program is changed here: `==` compares"),
        (
            "print f(2)",
            "functions of the program are not called here: that would change what it does; usage: print [/FORMAT] EXPR",
        ),
        (
            "p/3x a",
            "`/3x` is no format of `print`: there are /x /d /u /o /t /c /s /a /f, and `x` has sizes; usage: print [/FORMAT] EXPR",
        ),
        (
            "break main thread 2",
            "a breakpoint stops in every thread; PID behind it means one process, `if tid == N` one thread",
        ),
        ("tbreak", "a place is missing; usage: tbreak SYMBOL|ADDR [PID] [if COND]"),
        ("ignore 1", "a number is missing; usage: ignore N COUNT"),
        (
            "info",
            "WHAT is one of breakpoints, watchpoints, signals, harts, stack, frame, source, line, functions, variables, locals, args, registers, all-registers, display, processes, inferiors, threads, symbol, proc mappings, mappings; usage: info WHAT",
        ),
        ("info nonsense", "there is no `info nonsense`; `help` lists the commands"),
        ("delete 3-1", "`3-1` is neither a number nor a range; usage: delete [N|N-M …]"),
        ("list 9,4", "`9,4` ends before it begins; usage: list [PLACE|[PLACE],[PLACE|+N]|-|±LINES]"),
        ("list ,", "a place is missing; usage: list [PLACE|[PLACE],[PLACE|+N]|-|±LINES]"),
        ("whatis struct node", "of a type tells `ptype struct node`; usage: whatis ADDR"),
        ("x/4z 1", "`z` is no format and no size; usage: x/[COUNT][FORMAT][SIZE] ADDR"),
        ("x/0x 1", "COUNT is from 1 to 4096; usage: x/[COUNT][FORMAT][SIZE] ADDR"),
    ] {
        assert_eq!(Command::parse(line), Err(error.to_owned()), "{line}");
    }
    check(&["run"], "nothing is known here of how the machine began\n");
    check(&["regs a0 v"], "there is no register or CSR `v`\n");
    check(&["help stpe"], "there is no command `stpe`; did you mean `step`? (`help` lists them)\n");
}

/// Words that other debuggers know are answered with what there is here.
#[test]
fn words_of_other_debuggers_name_ours() {
    for (line, here) in [
        ("info float", "`regs f` shows"),
        ("info types", "`ptype` a type"),
        ("checkpoit", "of `checkpoint`: the machine runs forward only"),
        ("reverse", "of `reverse-step`: the machine runs forward only"),
        ("source cmds", "`folio debug --script FILE`"),
        ("shell ls", "another terminal"),
        ("signal 0", "`handle` says which stop"),
        ("reverse-step", "each run is the same"),
        ("help return", "`finish` runs"),
    ] {
        let (mut debugger, mut machine) = session();
        let output = debugger.execute(&mut machine, line);
        let text = output.text;
        assert!(output.failed && text.starts_with("there is no ") && text.contains(here), "{line}: {text}");
        assert_eq!(text.lines().count(), 1, "{line}");
    }
}

/// What begins the name of one command alone means that; of two of which one begins the other the shorter.
#[test]
fn commands_may_be_abbreviated() {
    for (short, long) in [
        ("cont", "continue"),
        ("br main", "break main"),
        ("ste", "step"),
        ("ne 3", "next 3"),
        ("fr 2", "frame 2"),
        ("inf proc", "maps"),
        ("inf reg", "regs"),
        ("dis 1", "disable 1"),
        ("del", "delete"),
        ("wher", "bt"),
        ("tbre main", "tbreak main"),
        ("x/4x 16", "x/4x 16"),
    ] {
        assert_eq!(Command::parse(short), Command::parse(long), "{short}");
    }
}

/// No word is answered twice, or is a command.
#[test]
fn no_word_of_other_debuggers_is_ours() {
    let mut words: Vec<_> = super::command::foreign_words().collect();
    let count = words.len();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), count);
    for word in words {
        assert!(super::command::find(word).is_none(), "{word}");
    }
}

#[test]
fn every_command_has_help_and_is_parsed() {
    let (mut debugger, mut machine) = session();
    let list = debugger.execute(&mut machine, "help").text;
    assert_eq!(
        list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")).count(),
        commands().count()
    );
    for entry in commands() {
        for name in entry.names {
            let help = debugger.execute(&mut machine, &format!("help {name}")).text;
            assert!(help.starts_with(entry.names[0]) && help.lines().count() >= 2, "{help}");
            let parsed = Command::parse(name);
            assert!(!parsed.is_err_and(|e| e.starts_with("there is no")), "{name}");
        }
    }
}

/// No two commands go by one name, and what gdb calls a command is no command's name.
#[test]
fn every_name_is_of_one_command() {
    let mut names: Vec<&str> =
        commands().flat_map(|entry| entry.names.iter().chain(entry.gdb)).copied().collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

/// Whatever is typed is answered, and completed, without a panic: lines put together by lot from what commands are made of.
#[test]
fn any_line_is_answered() {
    const PIECES: &[&str] = &[
        " ",
        " ",
        " ",
        "if",
        "&",
        "&&",
        "||",
        "!",
        "==",
        "in",
        "(",
        ")",
        "page(",
        "va",
        "pid",
        "hits",
        "main",
        "1:",
        "kernel:",
        "$a0",
        "$",
        "0x",
        "1",
        "-1",
        "+",
        "-",
        "/",
        "/4xw",
        "/s",
        "*",
        ":",
        "::",
        "é",
        "\u{1f600}",
        "#",
        "fault",
        "cow",
        "syscall:",
        "end",
        "18446744073709551615",
        "info",
        "registers",
        "\t",
        "0b2",
        "2:0x10000",
    ];
    let mut state = 1u64;
    let mut lot = |count: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % count
    };
    let names: Vec<&str> = commands().flat_map(|entry| entry.names).copied().collect();
    let (mut debugger, mut machine) = session();
    run(&mut debugger, &mut machine, &["until 104"]);
    for _ in 0..20_000 {
        let mut line = names[lot(names.len())].to_owned();
        for _ in 0..lot(8) {
            line.push_str(PIECES[lot(PIECES.len())]);
        }
        for (pos, _) in line.char_indices() {
            debugger.complete(&line, pos);
        }
        let output = debugger.execute(&mut machine, &line);
        assert!(output.text.is_empty() || output.text.ends_with('\n'), "{line}: {}", output.text);
        assert!(!output.failed || !output.text.trim().is_empty(), "{line}");
        while debugger.execute_due(&mut machine).is_some() {}
        // A machine that has ended, or too much to stop at, would make all lines alike.
        if lot(20) == 0 {
            (debugger, machine) = session();
            run(&mut debugger, &mut machine, &["until 104"]);
        }
    }
}

#[test]
fn words_are_completed() {
    let (mut debugger, mut machine) = session();
    run(&mut debugger, &mut machine, &["until 103", "b main", "catch fork"]);
    debugger.know_calls([(63, "read"), (64, "write"), (260, "wait4")].into_iter());
    debugger.know_signals([(5, "SIGTRAP"), (9, "SIGKILL"), (15, "SIGTERM")].into_iter());
    for (line, words) in [
        ("st", &["start", "starti", "step", "stepi"][..]),
        ("wa", &["walk", "watch"]),
        ("nonsense ", &[]),
        ("nonsense m", &[]),
        ("help ex", &["expect", "explain"]),
        ("info re", &["registers"]),
        ("break ma", &["main"]),
        ("break kern", &["kernel:"]),
        ("break kernel:tr", &["kernel:trap_entry"]),
        ("break main ", &["1"]),
        ("x/4xw he", &["helper"]),
        ("x ", &[]),
        ("walk 1:h", &["1:helper"]),
        ("walk 2:h", &[]),
        ("disas $s1", &["$s1", "$s10", "$s11"]),
        ("disas $fau", &["$fault"]),
        ("disas $sat", &["$satp"]),
        ("disas main+he", &["helper"]),
        ("catch fa", &["fault"]),
        ("catch sw", &["swap-in", "swap-out", "switch"]),
        ("catch fault cow if v", &["va"]),
        ("catch fault cow if va in mai", &["main"]),
        ("condition 1 va==&mai", &["main"]),
        ("catch fault co", &["cow", "cow_copy", "cow_reuse"]),
        ("catch fault cow mai", &["main"]),
        ("maps ", &["1"]),
        ("thread ", &["1"]),
        ("delete ", &["1", "2"]),
        ("condition ", &["1", "2"]),
        ("condition 2 pi", &["pid"]),
        ("ignore 2 ", &[]),
        ("catch sys", &["syscall"]),
        ("catch syscall:w", &["syscall:wait4", "syscall:write"]),
        ("catch syscall w", &["wait4", "write"]),
        ("catch signal SIGT", &["SIGTERM", "SIGTRAP"]),
        ("catch fork ", &[]),
        ("catch vf", &["vfork"]),
        ("handle SIGS", &["SIGSEGV"]),
        ("handle SIGSEGV ", &["nostop", "stop"]),
        ("ps x", &[]),
        ("regs ", &["csr", "f"]),
    ] {
        assert_eq!(debugger.complete(line, line.len()), words, "{line}");
    }
    // What stands behind the word does not count.
    assert_eq!(debugger.complete("break ma 1", 8), ["main"]);
    assert_eq!(Debugger::word_start("break ma 1", 8), 6);
    assert_eq!(Debugger::word_start("disas main+he", 13), 11);
    assert_eq!(Debugger::word_start("é st", 5), 3);
}

#[test]
fn stepping() {
    check(
        &["step"],
        "step 101: supervisor mode, process 1 (demo)\n\
         => 0xffffffc080200004 <kernel_entry+0x4>: not mapped; the fetch will raise a page fault\n",
    );
    check(&["step 3"], "step 103: user mode, process 1 (demo)\n=> 0x10000 <main>: 00100513  li a0,1\n");
    check(&["step 100"], "step 112: the program has exited with status 7\n");
    check(&["step 100", "step"], "the machine has ended: the program has exited with status 7\n");
    check(&["until 50"], "step 50 has passed; the machine is at step 100 (`advance 50` is for a line)\n");
    check_parts(&["until 104"], &["step 104: user mode", "<main+0x4>", "jal 0x10020"]);
}

#[test]
fn next_runs_calls_and_faults_to_their_return() {
    check_parts(&["until 104", "next"], &["step 107:", "<main+0x8>"]);
    check_parts(&["until 107", "next"], &["step 111:", "<main+0xc>"]);
    check_parts(&["until 103", "next 2"], &["step 107:", "<main+0x8>"]);
    check_parts(&["break helper", "until 104", "next"], &["breakpoint 1: helper", "step 105:", "<helper>"]);
}

#[test]
fn breakpoints_by_symbol_wait_for_the_program() {
    check(&["break helper"], "breakpoint 1 at helper: waits for a program that has it (none so far)\n");
    check_parts(
        &["break helper", "continue"],
        &["breakpoint 1: helper\n", "step 105: user mode", "<helper>"],
    );
    check_parts(&["b helper+4", "c"], &["breakpoint 1: helper+0x4\n", "step 106:"]);
    check_parts(&["b 1:main+8", "c"], &["step 107:"]);
    check_parts(&["b main 2", "c"], &["step 112: the program has exited"]);
    // It faults and runs again, but is stopped at once.
    check_parts(&["b main+8", "c", "c"], &["step 112: the program has exited"]);
    check(&["b main+8", "c", "c", "b"], "breakpoint 1 at main+0x8 (0x10008), reached 1 times\n");
    check_parts(&["b main", "delete 1", "c"], &["exited"]);
    check(&["delete 1"], "there is no breakpoint, catchpoint or watchpoint 1\n");
}

#[test]
fn breakpoints_by_address_and_in_the_kernel() {
    check_parts(&["b 0x10020", "c"], &["breakpoint 1: 0x10020\n", "step 105:"]);
    check(
        &["b trap_entry"],
        "breakpoint 1 at trap_entry: 0xffffffc080200040 of the kernel: /bin/demo has no `trap_entry` (`kernel:trap_entry` is this one)\n",
    );
    check_parts(&["b trap_entry", "c"], &["breakpoint 1: trap_entry\n", "step 108: supervisor mode"]);
    check_parts(&["b kernel:trap_entry+4", "c"], &["step 109:"]);
    check_parts(&["b 0xffffffc080200044", "c"], &["step 109:"]);
    check(&["b kernel:nothing"], "the kernel has no `nothing`\n");
    check(&["b $nothing"], "there is no register or CSR `$nothing`\n");
    check(&["b demo.c:3"], "breakpoint 1 at demo.c:3: waits for a program that has it (none so far)\n");
    check(
        &["until 103", "b 12"],
        "breakpoint 1 at 0xc: nothing is mapped there so far (a number is an address; a line of the source is FILE:LINE)\n",
    );
    check(&["until 103", "b *0x10004"], "breakpoint 1 at 0x10004\n");
    check(
        &["until 103", "x/s mian"],
        "process 1 (demo) has no variable or symbol `mian` (near are `main`)\n",
    );
    check_parts(&["until 103", "b ma"], &["/bin/demo has no such name (near are `main`)"]);
}

#[test]
fn catchpoints() {
    check(&["catch fault file"], "catchpoint 1: fault file\n");
    check_parts(
        &["catch fault file", "continue"],
        &["catchpoint 1: file_disk at 0x11000 in process 1", "step 110: user mode", "<main+0x8>"],
    );
    check_parts(&["catch fault cow", "continue"], &["exited"]);
    check_parts(&["catch fault any", "continue", "explain"], &["process 1 (demo)", "0x11000", "/bin/demo"]);
    check_parts(&["catch fault any", "continue", "x $fault"], &["0x11000: not mapped"]);
    let there = &["catchpoint 1: file_disk at 0x11000 in process 1", "step 110: user mode"];
    let not_there = &["step 112: the program has exited"];
    for (command, parts) in [
        ("catch fault any 0x11fff", &there[..]),
        ("catch fault any 0x10000", not_there),
        ("catch fault any 0x10000 0x11000", not_there),
        ("catch fault any 0x10000 0x11001", there),
        ("catch fault file main+0x1000", there),
        ("catch fault cow 0x11000", not_there),
        ("catch fault any 1:0x11000", there),
        ("catch fault any 2:0x11000", not_there),
    ] {
        check_parts(&["until 103", command, "continue"], parts);
    }
    check(
        &["catch fault file 1:0x11008 0x13000", "catch"],
        "catchpoint 1: fault file in 0x11000-0x13000 of process 1, reached 0 times\n",
    );
    check(&["catch fault any 0x11000 0x11000"], "the pages from 0x11000 on end before they begin\n");
    check(&["explain"], "there has been no page fault yet\n");
    check(&["x $fault"], "there has been no page fault yet\n");
}

#[test]
fn registers_are_named_and_changes_marked() {
    check_parts(
        &["until 104", "step", "regs"],
        &["pc   0x0000000000010020* user mode", "zero 0x0000000000000000  ra   0x0000000000010008*", "sp "],
    );
    check_parts(
        &["until 103", "step", "regs"],
        &["pc   0x0000000000010004* user mode", "ra   0x0000000000000000  sp   0x0000003ffffff000  "],
    );
    check(&["regs csr"], &format!("satp      {:#018x}\n", satp().0));
    check_parts(&["regs f"], &["ft0 ", "ft11"]);
}

#[test]
fn memory_is_examined_through_the_page_table() {
    let there = "until 103";
    check(&[there, "x/2xw main"], "0x10000: 0x00100513 0x01c000ef\n");
    check(&[there, "x/s 0x10100"], "0x10100: \"folio\"\n");
    check(&[there, "x/4ub 0x10106"], "0x10106: 255 254 253 252\n");
    check(&[there, "x/2dh 0x10106"], "0x10106: -257 -771\n");
    check(&[there, "x/2c 0x10100"], "0x10100: 102 'f' 111 'o'\n");
    check(&[there, "x/tb 0x10100"], "0x10100: 01100110\n");
    check(
        &[there, "x/2xg 0x10ff8"],
        "0x10ff8: 0x0000000000000000\n\
         0x11000: not in memory yet: its first touch faults and reads page 1 of /bin/demo\n",
    );
    check(&[there, "x 0x20000"], "0x20000: not mapped: no mapping has ever held it\n");
    check(&[there, "x/s -1"], "0xffffffffffffffff: not mapped\n");
    check(
        &[there, "disas 0x4000000000 1"],
        "   0x4000000000: not mapped: no address of Sv39, since bits 63 to 39 differ from bit 38\n",
    );
    check(&[there, "x/xw main", "x"], "0x10004: 0x0005258301c000ef\n");
    check(
        &[there, "disas main 2"],
        "=> 0x10000 <main>: 00100513  li a0,1\n   0x10004 <main+0x4>: 01c000ef  jal 0x10020 <helper>\n",
    );
    check_parts(&[there, "x/3i $pc"], &["=> 0x10000", "0x10008 <main+0x8>: 00052583  lw a1,0(a0)"]);
}

#[test]
fn walks_tell_every_level() {
    check(
        &["until 103", "walk"],
        "0x10000 = VPN 0x10 (0.0.16) + offset 0x0\n\
         satp 0x8000300000080001: Sv39, ASID 3, root table at 0x80001000, of process 1 (demo)\n\
         level 2: entry 0 of 512, at 0x80001000: 0x0000000020000801\n         \
         pointer to the table of level 1 at 0x80002000\n\
         level 1: entry 0 of 512, at 0x80002000: 0x0000000020000c01\n         \
         pointer to the table of level 0 at 0x80003000\n\
         level 0: entry 16 of 512, at 0x80003080: 0x000000002000105b\n         \
         leaf, frame at 0x80004000: V valid, R readable, X executable, U user, A accessed; clear: W G D COW\n\
         0x10000 -> 0x80004000 (4 KiB page)\n",
    );
    check_parts(
        &["walk 0x11234"],
        &["level 0", "empty: V is clear", "0x11234 -> page fault: V is clear at level 0"],
    );
    check_parts(&["walk 0x80000000"], &["level 2", "empty: V is clear, there is no table of level 1"]);
    check_parts(
        &["walk 0x4000000000"],
        &["page fault: no address of Sv39, since bits 63 to 39 differ from bit 38"],
    );
    check_parts(&["walk -1"], &["0xffffffffffffffff = VPN 0xfffffffffffff (511.511.511) + offset 0xfff"]);
}

#[test]
fn the_guest_is_shown_as_its_events_tell() {
    let last = "until 110";
    check_parts(&[last, "ps"], &["PID", "1     0  waiting", "/bin/demo"]);
    check_parts(
        &[last, "maps"],
        &["0x0000010000-0x0000012000 r-xp", "1 of      2 pages  /bin/demo", "1 of 2 pages"],
    );
    check(&[last, "maps 5"], "there is no process 5\n");
    check_parts(
        &[last, "frames"],
        &[
            "1 frame holds pages: 0 private, 0 shared copy-on-write, 1 of the page cache mapped",
            "frame 0x80005: page 1 of /bin/demo; process 1 at 0x11000",
        ],
    );
    check_parts(
        &[last, "tlb"],
        &[
            "instruction side (4096x1:fifo): 50 accesses, 2 misses, 2 entries",
            "0x10000 -> frame 0x80004",
            "ASID 3",
            "ASID 7",
            "data side",
        ],
    );
    check_parts(&[last, "tlb 0x11fff"], &["0x11000 -> frame 0x80004"]);
}

#[test]
fn symbols_of_relocated_programs_move_along() {
    let (_, mut machine) = session();
    let program = elf(true, &[("main", 0x10, 0x10), ("helper", 0x20, 0x10)]);
    let programs = Rc::new(Programs::new(Box::new(move |_| Some(program.clone()))));
    let mut debugger = Debugger::new(machine.tap.clone(), None, None, programs);
    let text = run(&mut debugger, &mut machine, &["break helper", "continue"]);
    assert!(text.contains("=> 0x10020 <helper>"), "{text}");
}

#[test]
fn an_empty_line_repeats_steps_and_examines() {
    let (mut debugger, mut machine) = session();
    debugger.execute(&mut machine, "step 2");
    assert!(debugger.repeat(&mut machine).text.starts_with("step 104:"));
    assert!(debugger.repeat(&mut machine).text.starts_with("step 106:"));
    debugger.execute(&mut machine, "x/xw main");
    assert_eq!(debugger.repeat(&mut machine).text, "0x10004: 0x01c000ef\n");
    assert_eq!(debugger.repeat(&mut machine).text, "0x10008: 0x00052583\n");
    debugger.execute(&mut machine, "ps");
    assert_eq!(debugger.repeat(&mut machine).text, "");
}

#[test]
fn quitting() {
    let (mut debugger, mut machine) = session();
    assert!(!debugger.execute(&mut machine, "ps").quit);
    assert!(debugger.execute(&mut machine, "quit").quit);
    assert_eq!(debugger.ended(), None);
}
