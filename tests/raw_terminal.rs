//! The console of `folio boot` on a terminal: raw keys, Ctrl-A's commands, the monitor, and the settings that are put back however it
//! ends; and guest time beside the clock's.

#![cfg(unix)]
#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/bare.rs"]
mod bare;
mod support;

use nix::pty::{OpenptyResult, openpty};
use nix::sys::signal::Signal;
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::child::{self, Running};
use support::{TempDir, folio, read_json, run};

/// Longest wait for anything on the screen; the machines that run this are shared.
const PATIENCE: Duration = Duration::from_secs(300);

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

/// `folio boot` of the echo on a pseudo-terminal.
struct Session {
    running: Running,
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
    /// The terminal's other end, kept open to look at its settings.
    terminal: OwnedFd,
    before: Termios,
    _dir: TempDir,
}

impl Session {
    fn start() -> Self {
        // In a session of its own, so that the pseudo-terminal is the only one it can find.
        Self::start_by(&["setsid"])
    }

    /// Starts `folio` as the last arguments of another command.
    fn start_by(starter: &[&str]) -> Self {
        let dir = TempDir::new("raw-terminal");
        std::fs::write(dir.file("echo"), bare::elf(&ECHO)).unwrap();
        let OpenptyResult { master, slave } = openpty(None, None).unwrap();
        let before = tcgetattr(&slave).unwrap();
        let end = || Stdio::from(slave.try_clone().unwrap());
        let mut command = child::command(starter[0]);
        command
            .args(&starter[1..])
            .arg(env!("CARGO_BIN_EXE_folio"))
            .args(["boot", "--bios", "none", "--kernel"]);
        command
            .arg(dir.file("echo"))
            .env("TERM", "dumb")
            .env("HOME", dir.path())
            .env_remove("XDG_STATE_HOME");
        command.stdin(end()).stdout(end()).stderr(end());
        let running = Running::start_in_its_session(command);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut output, shown) = (File::from(master.try_clone().unwrap()), Arc::clone(&screen));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                shown.lock().unwrap().extend(&buffer[..count]);
            }
        });
        let session =
            Self { running, keyboard: File::from(master), screen, terminal: slave, before, _dir: dir };
        session.wait("the terminal is raw", |session| !session.has(LocalFlags::ICANON));
        session
    }

    fn has(&self, flag: LocalFlags) -> bool {
        tcgetattr(self.terminal.as_fd()).unwrap().local_flags.contains(flag)
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    fn wait(&self, what: &str, happened: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !happened(self) {
            assert!(started.elapsed() < PATIENCE, "never: {what}\n{}", self.shown());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Types `keys` and waits until `words` are on the screen after what was there before.
    fn types(&mut self, keys: &str, words: &str) {
        let start = self.screen.lock().unwrap().len();
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.wait(words, |session| {
            String::from_utf8_lossy(&session.screen.lock().unwrap()[start..]).contains(words)
        });
    }

    /// The exit status, once the settings are seen to be as they were.
    fn ends(mut self) -> Option<i32> {
        let status = self.running.wait();
        let after = tcgetattr(self.terminal.as_fd()).unwrap();
        assert_eq!(after.local_flags, self.before.local_flags);
        assert_eq!(after.input_flags, self.before.input_flags);
        assert_eq!(after.output_flags, self.before.output_flags);
        assert_eq!(after.control_chars, self.before.control_chars);
        status.code()
    }
}

#[test]
fn keys_go_to_the_guest_and_ctrl_a_x_leaves() {
    let mut session = Session::start();
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
    let mut session = Session::start();
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
    let mut session = Session::start();
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
        let mut session = Session::start();
        if !keys.is_empty() {
            session.types(keys, "(folio) ");
        }
        session.running.signal(signal);
        assert_eq!(session.ends(), status, "{signal} {keys:?}");
    }
}

#[test]
fn a_signal_that_is_ignored_stays_so() {
    let mut session = Session::start_by(&["sh", "-c", "trap '' HUP; exec setsid \"$@\"", "sh"]);
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
