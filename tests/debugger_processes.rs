//! The debugger looks at processes that run, that wait and that have ended: registers, memory, page tables, addresses, swap slots.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/c_program.rs"]
mod c_program;
mod support;

use c_program::{Page, cow, session};
use support::{Ran, TempDir};

/// What each command has said.
fn answers(ran: &Ran) -> Vec<(&str, String)> {
    let said = ran.stderr.split("(folio) ").skip(1);
    said.map(|said| said.split_once('\n').unwrap_or((said, "")))
        .map(|(c, text)| (c, text.to_owned()))
        .collect()
}

/// What a command has said; of several that are the same, the first.
#[track_caller]
fn answer(ran: &Ran, command: &str) -> String {
    let said = answers(ran).into_iter().find(|(of, _)| *of == command);
    said.unwrap_or_else(|| panic!("{command}: {}", ran.stderr)).1
}

/// The frame that a walk ends at.
fn frame(walk: &str) -> &str {
    walk.trim_end().rsplit_once(" -> ").unwrap().1
}

/// Before the store parent and child show one frame, then two.
#[test]
fn a_page_is_one_frame_and_then_two() {
    let dir = cow("walks", Page::Written);
    let walks = ["walk 1:counter", "walk 2:counter"];
    let before = [&["catch fork", "continue"][..], &walks].concat();
    let ran = session(&dir, &[], &before, &["cow"]);
    let [parent, child] = walks.map(|walk| answer(&ran, walk));
    assert_eq!(frame(&parent), frame(&child), "{}", ran.stderr);
    assert!(parent.contains("of process 1 (cow)") && child.contains("of process 2 (cow)"), "{}", ran.stderr);
    let after = [&["catch fault cow if va == &counter", "continue"][..], &walks].concat();
    let ran = session(&dir, &[], &after, &["cow"]);
    let [parent, child] = walks.map(|walk| answer(&ran, walk));
    assert_ne!(frame(&parent), frame(&child), "{}", ran.stderr);
    // It was about to happen, and had not.
    assert!(!answer(&ran, "continue").contains("has not stopped"), "{}", ran.stderr);
}

/// While the child runs, all commands speak of its parent, which waits.
#[test]
fn a_process_that_waits_is_looked_at() {
    let dir = cow("waits", Page::Written);
    let commands = [
        "break printf if pid == 2",
        "continue",
        "x/dw counter",
        "process 1",
        "x/dw counter",
        "regs",
        "disas $pc 1",
        "walk $sp",
        "maps",
        "pt",
        "whatis counter",
        "whatis main",
        "process 2",
        "process",
    ];
    let ran = session(&dir, &[], &commands, &["cow"]);
    let all = answers(&ran);
    let memory: Vec<_> = all.iter().filter(|(command, _)| *command == "x/dw counter").collect();
    assert!(memory[0].1.ends_with(": 2\n") && memory[1].1.ends_with(": 1\n"), "{}", ran.stderr);
    for (command, parts) in [
        ("process 1", &["process 1 (cow) waits in a system call at ", " (pc 0x", "=> 0x", "ecall"][..]),
        // wait4
        ("regs", &["user mode", "a7   0x0000000000000104"]),
        ("disas $pc 1", &["=> 0x", "ecall"]),
        ("walk $sp", &["of process 1 (cow)", "(4 KiB page)"]),
        ("maps", &["r-xp", "/bin/cow", "[stack]"]),
        (
            "pt",
            &[
                "root table at 0x",
                ", of process 1 (cow)\n  [0] 0x0-0x40000000 -> table of level 1 at 0x",
                "\n    [0] 0x0-0x200000 -> table of level 0 at 0x",
                "\n      [16",
                " frame",
                "/bin/cow\n",
                "[stack]\n  [256-511] the kernel's half",
            ],
        ),
        (
            "whatis main",
            &[
                "of process 1 (cow): main\n  mapping  /bin/cow (r-xp, ",
                "  file     byte 0x",
                "  page     in frame 0x",
                "process 1 at 0x",
                "process 2 at 0x",
                "  entry    0x",
                "at level 0\n",
            ],
        ),
        ("process 2", &["user mode, process 2 (cow)\n", "printf>"]),
    ] {
        let said = answer(&ran, command);
        let mut rest = said.as_str();
        for part in parts {
            let at = rest.find(part).unwrap_or_else(|| panic!("{command}: no `{part}` in {said}"));
            rest = &rest[at + part.len()..];
        }
    }
    assert_eq!(answer(&ran, "process 2"), answer(&ran, "process"));
    let ran = session(&dir, &[], &["whatis 0x0", "whatis counter", "whatis kernel:trap_entry"], &["cow"]);
    let nothing = answer(&ran, "whatis 0x0");
    assert!(nothing.contains("  mapping  none: no mapping has ever held it\n  entry    0x0 ["), "{nothing}");
    let later = answer(&ran, "whatis counter");
    assert!(
        later.contains("  page     not in memory yet: its first touch faults and reads page "),
        "{later}"
    );
    let kernel = answer(&ran, "whatis kernel:trap_entry");
    assert!(kernel.contains(" of the kernel: trap_entry\n  memory   at 0x8"), "{kernel}");
}

/// Of one that has ended there is what it had at the end; what it had is no one's now.
#[test]
fn a_process_that_has_ended_is_looked_at() {
    let dir = cow("ended", Page::Written);
    let ended = "process 2 (cow) has ended (exited 0): its mappings and its page table are gone";
    let commands = [
        "catch exit if pid == 2",
        "continue",
        "process 2",
        "regs",
        "maps",
        "pt",
        "whatis counter",
        "maps 2",
        "x counter",
        "quit",
    ];
    let ran = session(&dir, &[], &commands, &["cow"]);
    assert_eq!(ran.status, 1);
    for (command, parts) in [
        (
            "process 2",
            &[ended, "`maps`, `pt` and `whatis` tell its last state, `regs` those of its last trap\n"][..],
        ),
        // exit_group
        ("regs", &["a7   0x000000000000005e"]),
        ("maps", &[ended, "; when it ended it had\n", "/bin/cow", "[stack]", " pages are in memory\n"]),
        ("pt", &["the page table of process 2 is gone; when it ended it had mapped\n", "/bin/cow\n"]),
        (
            "whatis counter",
            &["of process 2 (cow), when it ended: counter\n", "/bin/cow (rw-p", "was in frame 0x"],
        ),
        ("x counter", &[ended, "\nfolio: the script ends"]),
    ] {
        let said = answer(&ran, command);
        assert!(parts.iter().all(|part| said.contains(part)), "{command}: {said}");
    }
    assert_eq!(answer(&ran, "maps"), answer(&ran, "maps 2"));
    // Nothing is remembered of who was never there; registers are, though the machine ran without being asked anything.
    let ran = session(&dir, &[], &["process 7"], &["cow"]);
    assert!(ran.stderr.contains("there is no process 7\n"), "{}", ran.stderr);
    let ran = session(&dir, &[], &["continue", "process 2", "regs"], &["cow"]);
    assert!(answer(&ran, "regs").contains("a7   0x000000000000005e"), "{}", ran.stderr);
}

#[test]
fn slots_of_the_swap_space_are_listed_with_their_owners() {
    let dir = TempDir::new("slots");
    let commands = ["swap", "catch swap-in if hits == 5", "continue", "swap"];
    let ran = session(&dir, &["--frames", "15"], &commands, &["zerofill", "30"]);
    assert_eq!(answer(&ran, "swap"), "no page is in swap space\n");
    let listed = answers(&ran).into_iter().rfind(|(command, _)| *command == "swap").unwrap().1;
    let (head, slots) = listed.split_once('\n').unwrap();
    let count = head.split(" slot").next().unwrap();
    assert!(head.ends_with("hold a page") || head.ends_with("holds a page"), "{listed}");
    assert_eq!(slots.lines().count(), count.parse::<usize>().unwrap(), "{listed}");
    let is_out = |line: &&str| line.matches("process ").count() == 1 && !line.contains("also in frame");
    let of_process = slots.lines().find(is_out).unwrap();
    assert!(of_process.starts_with("  slot ") && of_process.contains(", since step "), "{of_process}");
    // The mappings of the process and the address itself say the same.
    let (slot, rest) = of_process.trim().split_once(": process ").unwrap();
    let (pid, rest) = rest.split_once(" at ").unwrap();
    let page = rest.split(',').next().unwrap();
    let (maps, whatis) = (format!("maps {pid}"), format!("whatis {pid}:{page}"));
    let commands = ["catch swap-in if hits == 5", "continue", &maps, &whatis];
    let ran = session(&dir, &["--frames", "15"], &commands, &["zerofill", "30"]);
    assert!(answer(&ran, &maps).contains(&format!("page {page}: {slot}\n")), "{}", ran.stderr);
    let place = format!("  page     in swap {slot}: process {pid} at {page}\n");
    assert!(answer(&ran, &whatis).contains(&place), "{}", ran.stderr);
}

/// Where nothing can ever wake anyone, and where the fuel is spent, all is there to be looked at; it only runs no further.
#[test]
fn a_standstill_is_looked_at() {
    let dir = TempDir::new("standstill");
    c_program::compile(&dir, "locked", include_str!("sources/locked.c"));
    let commands = [
        "continue",
        "bt",
        "up 2",
        "args",
        "thread 2",
        "bt",
        "p forks[0].__data.__owner",
        "thread apply all p own",
        "thread apply all p (int)errno",
        "continue ",
    ];
    let ran = session(&dir, &[], &commands, &["locked"]);
    assert_eq!(ran.status, 1, "{ran:?}");
    let reason = "every hart waits and nothing can ever wake one\n";
    let stop = answer(&ran, "continue");
    let place = " waits in a system call at __lll_lock_wait+";
    for part in [
        format!("{reason}process 1 (locked), thread 1{place}"),
        format!("   process 1 (locked), thread 2{place}"),
        "`thread 2` looks at it\n".to_owned(),
    ] {
        assert!(stop.contains(&part), "{part}: {}", ran.stderr);
    }
    let first = answer(&ran, "bt");
    for part in ["#0  0x", "in take+", " (first=0) at locked.c:", "in main+"] {
        assert!(first.contains(part), "{part}: {}", ran.stderr);
    }
    assert_eq!(answer(&ran, "args"), "first = 0  (int)\n", "{}", ran.stderr);
    let (_, second) = ran.stderr.rsplit_once("(folio) bt\n").unwrap();
    assert!(second.contains(" (first=1) at locked.c:") && second.contains("in other+"), "{}", ran.stderr);
    assert!(answer(&ran, "p forks[0].__data.__owner").ends_with("= 1  (int)\n"), "{}", ran.stderr);
    for command in ["thread apply all p own", "thread apply all p (int)errno"] {
        let told = answer(&ran, command);
        let (first, second) = told.split_once("thread 2 of").unwrap();
        assert!(first.contains(" = 40  (int)\n") && second.contains(" = 41  (int)\n"), "{}", ran.stderr);
    }
    let no_further = format!("the machine runs no further: {reason}");
    assert!(answer(&ran, "continue ").starts_with(&no_further), "{}", ran.stderr);
    // Without the debugger its end says where to look.
    let mut plain = support::folio(["run", "locked"]);
    plain.current_dir(dir.path());
    let ran = support::run(plain);
    assert_eq!(ran.status, 124, "{ran:?}");
    assert!(ran.stderr.contains("with --debug, `continue` comes to where each waits"), "{ran:?}");

    let out_of_fuel = ["continue", "bt", "p $pc"];
    let ran = session(&dir, &["--fuel", "1100000"], &out_of_fuel, &["locked"]);
    assert!(answer(&ran, "continue").contains("the fuel is spent\n"), "{}", ran.stderr);
    assert!(answer(&ran, "bt").starts_with("#0  0x"), "{}", ran.stderr);
}
