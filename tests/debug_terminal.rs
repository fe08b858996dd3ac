//! The debugger's prompt on a terminal: Ctrl-C at the prompt, in a loop and in a read.

#![cfg(unix)]
#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/c_program.rs"]
mod c_program;
mod support;
#[path = "support/terminal.rs"]
mod terminal;

use isa::{assemble, encode};
use nix::sys::termios::LocalFlags;
use std::io::Write;
use support::{TempDir, tiny_elf};
use terminal::Session;

const CTRL_C: &str = "\x03";

/// Says `>`, then runs for ever.
const LOOPS: &[&str] = &["j ."];

/// Says `>`, then forks, and both run for ever.
const BOTH_LOOP: &[&str] = &[
    "addi a0,zero,17",
    "addi a1,zero,0",
    "addi a2,zero,0",
    "addi a3,zero,0",
    "addi a4,zero,0",
    "addi a7,zero,220",
    "ecall",
    "j .",
];

/// Says `>`, then gives up a page and stores to it, for ever: most of the time is the kernel's.
const FAULTS: &[&str] = &[
    "lui t0,0xfffff",
    "and s0,sp,t0",
    "addi a0,s0,0",
    "lui a1,0x1",
    "addi a2,zero,4",
    "addi a7,zero,233",
    "ecall",
    "sd zero,0(s0)",
    "j .-24",
];

/// Says `>`, reads a line; its status is how many bytes it had.
const READS: &[&str] = &[
    "addi sp,sp,-64",
    "addi a0,zero,0",
    "addi a1,sp,0",
    "addi a2,zero,64",
    "addi a7,zero,63",
    "ecall",
    "addi a7,zero,93",
    "ecall",
];

/// `write(1, ">", 1)`, before the program's own lines.
const PROMPT: &[&str] = &[
    "addi t0,zero,62",
    "sb t0,-8(sp)",
    "addi a0,zero,1",
    "addi a1,sp,-8",
    "addi a2,zero,1",
    "addi a7,zero,64",
    "ecall",
];

/// `folio debug` of a program, at its first prompt.
fn debug(lines: &[&str]) -> Session {
    let session = debug_on(&["setsid", "--ctty"], lines, "xterm");
    at_prompt(&session);
    session
}

/// The same on a terminal of a kind; one that is dumb has no line editor.
fn debug_on(starter: &[&str], lines: &[&str], kind: &str) -> Session {
    let word = |line: &&str| encode(&assemble(line, 0).unwrap()).unwrap();
    let code: Vec<u32> = PROMPT.iter().chain(lines).map(word).collect();
    let dir = TempDir::new("debug-terminal");
    std::fs::write(dir.file("program"), tiny_elf(&code)).unwrap();
    // The terminal is the session's own, so that Ctrl-C becomes a signal.
    let session = Session::start(starter, &["debug", "program"], kind, dir);
    session.wait("the prompt", |session| session.shown().contains("(folio) "));
    session
}

/// The line editor has the keys as they are pressed.
fn at_prompt(session: &Session) {
    session.wait("the line editor", |session| !session.has(LocalFlags::ICANON));
}

/// Resumes the guest, and waits until it has said that it runs.
fn go(session: &mut Session) {
    session.types("continue\r", ">");
    session.wait("the guest's turn", |session| session.has(LocalFlags::ICANON));
}

#[test]
fn ctrl_c_at_the_prompt_ends_nothing() {
    let mut session = debug(LOOPS);
    for _ in 0..2 {
        session.types(CTRL_C, "(folio) ");
        at_prompt(&session);
    }
    session.types("ps\r", "/bin/program");
    at_prompt(&session);
    session.keyboard.write_all(b"quit\r").unwrap();
    assert_eq!(session.ends(), Some(0));
}

/// At a prompt a stop shows what is there; without colours where they are not wanted.
#[test]
fn a_stop_shows_its_context() {
    let with_colours = |session: &mut Session, has_colours: bool| {
        session.types("step 20\r", "-- stack ---");
        at_prompt(session);
        let shown = session.shown();
        assert!(shown.contains("-- registers ---") && shown.contains("-- code ---"), "{shown}");
        assert_eq!(shown.contains("\x1b[2m-- code ---"), has_colours, "{shown}");
        session.keyboard.write_all(b"quit\r").unwrap();
    };
    let mut session = debug(LOOPS);
    with_colours(&mut session, true);
    assert_eq!(session.ends(), Some(0));
    let mut session = debug_on(&["env", "NO_COLOR=1", "setsid", "--ctty"], LOOPS, "xterm");
    at_prompt(&session);
    with_colours(&mut session, false);
    assert_eq!(session.ends(), Some(0));
}

/// The Tab key completes what is the only word, and lists several.
#[test]
fn tab_completes_commands() {
    let mut session = debug(LOOPS);
    session.types("wal\t", "walk");
    session.types("\r", "VPN 0x10");
    at_prompt(&session);
    session.types("ex\t\t", "explain");
    session.types(CTRL_C, "(folio) ");
    at_prompt(&session);
    session.keyboard.write_all(b"quit\r").unwrap();
    assert_eq!(session.ends(), Some(0));
}

/// It completes members of structures, of variables of the program and of the function at work.
#[test]
fn tab_completes_members() {
    let dir = TempDir::new("debug-members");
    let source = "
        struct pair { int left, right; };
        struct node { int count; struct node *next; struct pair pair; } first;
        int look(struct node *start) { return start->count; }
        int main(void) { return look(&first); }
    ";
    c_program::compile(&dir, "program", source);
    let mut session = Session::start(&["setsid", "--ctty"], &["debug", "program"], "xterm", dir);
    session.wait("the prompt", |session| session.shown().contains("(folio) "));
    at_prompt(&session);
    session.types("print first.cou\t", "first.count");
    session.types("\r", "first.count = 0  (int)");
    at_prompt(&session);
    session.types("print first.pair.ri\t\r", "first.pair.right = 0  (int)");
    at_prompt(&session);
    session.types("print first.\t\t", "first.next");
    session.types(CTRL_C, "(folio) ");
    at_prompt(&session);
    // Of a function that is yet to be looked at.
    session.types("break look if start->cou\t == 0\r", "breakpoint 1 at look if start->count == 0");
    at_prompt(&session);
    session.types("continue\r", "look at program.c");
    at_prompt(&session);
    session.types("print start->pair.le\t\r", "start->pair.left = 0  (int)");
    at_prompt(&session);
    session.types("ptype struct pa\t\r", "int right;");
    at_prompt(&session);
    session.types("tbreak program.c:loo\t if start->cou\t == 7\r", "if start->count == 7");
    at_prompt(&session);
    session.types("info proc m\t\r", "pages are in memory");
    at_prompt(&session);
    session.keyboard.write_all(b"quit\r").unwrap();
    assert_eq!(session.ends(), Some(0));
}

#[test]
fn ctrl_c_stops_a_loop_and_it_goes_on() {
    let mut session = debug(LOOPS);
    go(&mut session);
    for _ in 0..2 {
        session.types(CTRL_C, "interrupted");
        at_prompt(&session);
        session.types("x/i $pc\r", "j ");
        at_prompt(&session);
        session.keyboard.write_all(b"continue\r").unwrap();
        session.wait("the guest's turn", |session| session.has(LocalFlags::ICANON));
    }
    session.types(CTRL_C, "interrupted");
    at_prompt(&session);
    session.keyboard.write_all(b"quit\r").unwrap();
    assert_eq!(session.ends(), Some(0));
}

/// Where programs take turns, it stops in one of them, and not in the kernel that gives the hart from one to the other.
#[test]
fn ctrl_c_stops_in_a_program() {
    stops_in_a_program(BOTH_LOOP);
}

#[test]
fn ctrl_c_in_the_kernels_work_for_a_program_stops_in_the_program() {
    stops_in_a_program(FAULTS);
}

fn stops_in_a_program(lines: &[&str]) {
    let mut session = debug(lines);
    go(&mut session);
    for turn in 0..6 {
        // With something armed each trap is looked at.
        if turn == 3 {
            session.types(CTRL_C, "interrupted");
            at_prompt(&session);
            session.types("break 0x123456\r", "breakpoint 1");
            at_prompt(&session);
            session.keyboard.write_all(b"continue\r").unwrap();
            session.wait("the guest's turn", |session| session.has(LocalFlags::ICANON));
        }
        session.types(CTRL_C, "interrupted");
        at_prompt(&session);
        session.types("print $priv\r", "$priv = 0x0 (0)");
        at_prompt(&session);
        session.keyboard.write_all(b"continue\r").unwrap();
        session.wait("the guest's turn", |session| session.has(LocalFlags::ICANON));
    }
    session.types(CTRL_C, "interrupted");
    at_prompt(&session);
    session.keyboard.write_all(b"quit\r").unwrap();
    assert_eq!(session.ends(), Some(0));
}

#[test]
fn ctrl_c_stops_many_steps() {
    let mut session = debug(LOOPS);
    go(&mut session);
    session.types(CTRL_C, "interrupted");
    for command in ["step", "next"] {
        at_prompt(&session);
        session.keyboard.write_all(format!("{command} 1000000000000\r").as_bytes()).unwrap();
        session.wait("the guest's turn", |session| session.has(LocalFlags::ICANON));
        session.types(CTRL_C, "interrupted");
    }
    at_prompt(&session);
    session.keyboard.write_all(b"quit\r").unwrap();
    assert_eq!(session.ends(), Some(0));
}

#[test]
fn ctrl_c_stops_a_read_and_its_line_comes_later() {
    let mut session = debug(READS);
    go(&mut session);
    // The kernel idles: what is looked at is the program, which waits.
    session.types(CTRL_C, "process 1 (program) waits in a system call at program+0xa8 (pc 0x100a8)");
    at_prompt(&session);
    session.types("print $a7\r", "$a7 = 0x3f (63)");
    at_prompt(&session);
    // The guest waits for input still, but what is typed here is not for it.
    session.types("ps\r", "waiting");
    at_prompt(&session);
    session.keyboard.write_all(b"continue\r").unwrap();
    session.wait("the guest's turn", |session| session.has(LocalFlags::ICANON));
    session.types("Bob\n", "exited with status 4");
    at_prompt(&session);
    session.keyboard.write_all(b"quit\r").unwrap();
    assert_eq!(session.ends(), Some(4));
}

#[test]
fn ctrl_c_is_the_same_without_a_line_editor() {
    let mut session = debug_on(&["setsid", "--ctty"], LOOPS, "dumb");
    session.types("half a line\x03ps\n", "/bin/program");
    session.types("continue\n", ">");
    session.types(CTRL_C, "interrupted");
    session.types("x/i $pc\n", "j ");
    session.keyboard.write_all(b"quit\n").unwrap();
    assert_eq!(session.ends(), Some(0));
}
