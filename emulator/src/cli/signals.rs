//! Signals that ask the process to end. The loops that run machines look for them, so that what was asked for is still
//! written and the terminal's settings are put back.

use super::drive::End;
use super::terminal::{self, Restored};
use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

/// Set when the user pressed Ctrl-C, or the process was asked to end.
#[derive(Clone, Default)]
pub struct Interrupted(Arc<State>);

#[derive(Default)]
struct State {
    /// The signal's number, or 0.
    signal: AtomicI32,
    /// Somebody waits for a command: nobody looks at `signal`.
    prompting: AtomicBool,
    /// Another thread has something for whoever runs the machine.
    called: Arc<AtomicBool>,
}

impl Interrupted {
    /// Listens for SIGINT, SIGTERM, SIGHUP and SIGQUIT from now on, on a thread of its own; not for those that are ignored
    /// (by `nohup`, or in the background of a shell).
    pub fn install() -> Self {
        let interrupted = Self::default();
        let ignored = ignored_signals();
        let wanted = [SIGINT, SIGTERM, SIGHUP, SIGQUIT];
        match Signals::new(wanted.iter().filter(|&signal| ignored >> (signal - 1) & 1 == 0)) {
            Ok(signals) => {
                let heard = interrupted.clone();
                std::thread::spawn(move || heard.listen(signals));
            }
            Err(error) => log::warn!("Ctrl-C cannot be caught: {error}"),
        }
        interrupted
    }

    fn listen(&self, mut signals: Signals) {
        for signal in signals.forever() {
            let is_prompting = self.0.prompting.load(Ordering::SeqCst);
            if signal == SIGINT && is_prompting && std::io::stdin().is_terminal() {
                // Ctrl-C at a prompt drops the line, which the terminal or its line editor has seen to.
                continue;
            }
            // SIGQUIT means at once, whatever Folio is at.
            if signal == SIGQUIT || is_prompting {
                terminal::restore();
                // It fails for signals that it does not know.
                let _ = emulate_default_handler(signal);
            }
            self.0.signal.store(signal, Ordering::SeqCst);
        }
    }

    /// From now on no more than so much time: then it is as if a signal had come.
    pub fn allow(&self, time: Duration) {
        let state = Arc::clone(&self.0);
        std::thread::spawn(move || {
            std::thread::sleep(time);
            // A signal that has come tells more.
            let _ = state.signal.compare_exchange(0, SIGALRM, Ordering::SeqCst, Ordering::SeqCst);
        });
    }

    /// How a run ends because of a signal, if one came.
    pub fn end(&self) -> Option<End> {
        match self.signal() {
            0 => None,
            SIGALRM => Some(End::TimeIsUp),
            _ => Some(End::Interrupted(self.status())),
        }
    }

    /// Whether a signal came, or another thread calls.
    pub fn is_set(&self) -> bool {
        self.signal() != 0 || self.is_called()
    }

    /// Whether another thread calls.
    pub fn is_called(&self) -> bool {
        self.0.called.load(Ordering::SeqCst)
    }

    /// What another thread sets to have the machine come back; whoever runs it takes that back.
    pub fn call(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0.called)
    }

    /// Whether a signal came that asks for the end of everything, as Ctrl-C in a debugger does not.
    pub fn is_final(&self) -> bool {
        !matches!(self.signal(), 0 | SIGINT)
    }

    /// The exit status that tells of the signal.
    pub fn status(&self) -> u8 {
        u8::try_from(128 + self.signal()).unwrap_or(u8::MAX)
    }

    /// Forgets Ctrl-C, which only interrupts a debugger's command. Other signals stay.
    pub fn forget_ctrl_c(&self) {
        // There may be none, or another.
        let _ = self.0.signal.compare_exchange(SIGINT, 0, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Reads a command, for as long as it takes. Each of the signals ends the process then, but Ctrl-C at a terminal.
    pub fn at_prompt<R>(&self, read: impl FnOnce() -> R) -> R {
        let _settings = Restored::as_they_are();
        self.0.prompting.store(true, Ordering::SeqCst);
        let result = read();
        self.0.prompting.store(false, Ordering::SeqCst);
        result
    }

    fn signal(&self) -> i32 {
        self.0.signal.load(Ordering::SeqCst)
    }
}

/// The signals that the process was started to ignore, a bit each from SIGHUP (1) on, where the system tells.
fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
