//! The console of `folio boot` on a terminal: raw keys, Ctrl-A's commands, the monitor, and the settings that are put back however it
//! ends; and guest time beside the clock's.

#![cfg(unix)]
#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/bare.rs"]
mod bare;
mod support;
#[path = "support/terminal.rs"]
mod terminal;

use nix::sys::signal::Signal;
use nix::sys::termios::LocalFlags;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{TempDir, folio, read_json, run};
use terminal::Session;

/// Sends back what the UART receives.
const ECHO: [&str; 7] = [
    "lui t0, 0x10000",
    "lbu t1, 5(t0)",
    "andi t1, t1, 1",
    "beq t1, zero, .-8",
    "lbu t2, 0(t0)",
    "sb t2, 0(t0)",
    "j .-20",
];

/// `folio boot` of the echo on a pseudo-terminal, once that is raw.
fn boot_echo() -> Session {
    // In a session of its own, so that the pseudo-terminal is the only one it can find.
    boot_echo_by(&["setsid"])
}

/// The same, as the last arguments of another command.
fn boot_echo_by(starter: &[&str]) -> Session {
    let dir = TempDir::new("raw-terminal");
    std::fs::write(dir.file("echo"), bare::elf(&ECHO)).unwrap();
    let session = Session::start(starter, &["boot", "--bios", "none", "--kernel", "echo"], "dumb", dir);
    session.wait("the terminal is raw", |session| !session.has(LocalFlags::ICANON));
    session
}

#[test]
fn keys_go_to_the_guest_and_ctrl_a_x_leaves() {
    let mut session = boot_echo();
    session.wait("the banner", |session| session.shown().contains("Ctrl-A x leaves"));
    assert!(!session.has(LocalFlags::ISIG) && !session.has(LocalFlags::ECHO));
    session.types("hello", "hello");
    session.types("\x03", "\x03");
    session.types("\x01a", "\x01");
    session.types("\x01h", "Ctrl-A c opens the monitor");
    session.keyboard.write_all(b"\x01x").unwrap();
    assert_eq!(session.ends(), Some(0));
}

#[test]
fn the_monitor_has_the_debuggers_commands_and_gives_the_console_back() {
    let mut session = boot_echo();
    session.types("\x01c", "(folio) ");
    session.types("x/i $pc\r", "=> 0x800000");
    session.wait("the prompt again", |session| session.shown().matches("(folio) ").count() >= 2);
    session.keyboard.write_all(b"continue\r").unwrap();
    session.wait("the terminal is raw again", |session| !session.has(LocalFlags::ICANON));
    session.types("back", "back");
    session.types("\x01c", "(folio) ");
    session.keyboard.write_all(b"quit\r").unwrap();
    assert_eq!(session.ends(), Some(0));
}

#[test]
fn who_leaves_after_the_monitor_is_told_nothing_more() {
    let mut session = boot_echo();
    session.types("\x01c", "(folio) ");
    session.keyboard.write_all(b"continue\r").unwrap();
    session.wait("the terminal is raw again", |session| !session.has(LocalFlags::ICANON));
    session.types("back", "back");
    session.keyboard.write_all(b"\x01x").unwrap();
    let screen = Arc::clone(&session.screen);
    assert_eq!(session.ends(), Some(0));
    let shown = String::from_utf8_lossy(&screen.lock().unwrap()).into_owned();
    assert!(shown.ends_with("back"), "{shown}");
}

#[test]
fn signals_put_the_settings_back() {
    // SIGQUIT ends the process where it is; so do the others while the monitor waits for a command.
    for (signal, status, keys) in [
        (Signal::SIGTERM, Some(143), ""),
        (Signal::SIGHUP, Some(129), ""),
        (Signal::SIGINT, Some(130), ""),
        (Signal::SIGQUIT, None, ""),
        (Signal::SIGTERM, None, "\x01c"),
    ] {
        let mut session = boot_echo();
        if !keys.is_empty() {
            session.types(keys, "(folio) ");
        }
        session.running.signal(signal);
        assert_eq!(session.ends(), status, "{signal} {keys:?}");
    }
}

#[test]
fn a_signal_that_is_ignored_stays_so() {
    let mut session = boot_echo_by(&["sh", "-c", "trap '' HUP; exec setsid \"$@\"", "sh"]);
    session.running.signal(Signal::SIGHUP);
    session.types("still here", "still here");
    session.keyboard.write_all(b"\x01x").unwrap();
    assert_eq!(session.ends(), Some(0));
}

/// Waits for its timer at 0.3 s of guest time, and passes.
const WAIT: [&str; 11] = [
    "lui t0, 0x2004",
    "lui t1, 0x2dc",
    "sd t1, 0(t0)",
    "li t2, 128",
    "csrw mie, t2",
    "wfi",
    "lui t0, 0x100",
    "lui t1, 5",
    "addi t1, t1, 0x555",
    "sw t1, 0(t0)",
    "j .",
];

#[test]
fn real_time_holds_a_waiting_guest_back_and_changes_nothing() {
    let dir = TempDir::new("real-time");
    std::fs::write(dir.file("wait"), bare::elf(&WAIT)).unwrap();
    let mut figures = Vec::new();
    for (extra, least) in [(None, Duration::ZERO), (Some("--realtime"), Duration::from_millis(280))] {
        let mut command = folio(["boot", "--bios", "none", "--kernel"]);
        command.arg(dir.file("wait")).arg("--json").arg(dir.file("figures.json")).args(extra);
        let started = Instant::now();
        let ran = run(command);
        assert_eq!(ran.status, 0, "{ran:?}");
        assert!(started.elapsed() >= least, "{extra:?} took {:?}", started.elapsed());
        figures.push(read_json(&dir.file("figures.json")));
    }
    assert_eq!(figures[0], figures[1]);
    assert!(figures[0]["steps"].as_u64().unwrap() > 290_000_000, "{}", figures[0]);
}
