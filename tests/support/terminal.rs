//! `folio` on a pseudo-terminal: keys are typed, the screen is read, and the settings must be as before when it has ended.
#![allow(dead_code)] // each test target uses its part
#![allow(clippy::unwrap_used)] // in functions that only tests call

use super::support::TempDir;
use super::support::child::{self, Running};
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longest wait for anything on the screen; the machines that run this are shared.
const PATIENCE: Duration = Duration::from_secs(180);

/// A `folio` that runs on a pseudo-terminal.
pub struct Session {
    pub running: Running,
    pub keyboard: File,
    pub screen: Arc<Mutex<Vec<u8>>>,
    /// The terminal's other end, kept open to look at its settings.
    terminal: OwnedFd,
    before: Termios,
    _dir: TempDir,
}

impl Session {
    /// Starts `folio ARGS` in a folder, as the last arguments of another command, on a terminal of this kind (`TERM`).
    pub fn start(starter: &[&str], args: &[&str], kind: &str, dir: TempDir) -> Self {
        let window = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(Some(&window), None).unwrap();
        let before = tcgetattr(&slave).unwrap();
        let end = || Stdio::from(slave.try_clone().unwrap());
        let mut command = child::command(starter[0]);
        command.args(&starter[1..]).arg(env!("CARGO_BIN_EXE_folio")).args(args).current_dir(dir.path());
        command.env("TERM", kind).env("HOME", dir.path()).env_remove("XDG_STATE_HOME");
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
        Self { running, keyboard: File::from(master), screen, terminal: slave, before, _dir: dir }
    }

    /// Makes the window another size.
    pub fn resize(&self, rows: u16, columns: u16) {
        let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&self.terminal, size).unwrap();
    }

    /// Whether a setting of the terminal is on.
    pub fn has(&self, flag: LocalFlags) -> bool {
        tcgetattr(self.terminal.as_fd()).unwrap().local_flags.contains(flag)
    }

    pub fn shown(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    pub fn wait(&self, what: &str, happened: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !happened(self) {
            assert!(started.elapsed() < PATIENCE, "never: {what}\n{}", self.shown());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Types `keys` and waits until `words` are on the screen after what was there before.
    pub fn types(&mut self, keys: &str, words: &str) {
        let start = self.screen.lock().unwrap().len();
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.wait(words, |session| {
            String::from_utf8_lossy(&session.screen.lock().unwrap()[start..]).contains(words)
        });
    }

    /// The exit status, once the settings are seen to be as they were.
    pub fn ends(mut self) -> Option<i32> {
        let status = self.running.wait();
        let after = tcgetattr(self.terminal.as_fd()).unwrap();
        assert_eq!(after.local_flags, self.before.local_flags);
        assert_eq!(after.input_flags, self.before.input_flags);
        assert_eq!(after.output_flags, self.before.output_flags);
        assert_eq!(after.control_chars, self.before.control_chars);
        status.code()
    }
}
