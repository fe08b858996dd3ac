//! The console as a raw terminal: each key goes to the guest at once, Ctrl-C too; Ctrl-A introduces the few that are Folio's.
//!
//! The terminal's settings are put back when the guard goes (after SIGINT, SIGTERM and SIGHUP the run loop sees to
//! that), on a panic, and by `signals` where no loop runs. Nothing else here outlives the process.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::stdio::stdin;
use rustix::termios::{
    OptionalActions, OutputModes, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};
use std::io::IsTerminal;
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

/// What the user wants of Folio itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// Ctrl-A x.
    Leave,
    /// Ctrl-A c.
    Monitor,
    /// Ctrl-A h.
    Help,
}

/// Whose terminal it is that gives its keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// A machine's (`boot`): there is a monitor, and a line feed starts a line whatever the guest thinks of that.
    Board,
    /// A program's (`run`), whose terminal is all the guest's.
    Program,
}

impl Use {
    /// The keys, for the banner and for Ctrl-A h.
    pub fn keys(self) -> &'static str {
        match self {
            Self::Board => {
                "Ctrl-A x leaves, Ctrl-A c opens the monitor, Ctrl-A a sends Ctrl-A, Ctrl-A h shows this"
            }
            Self::Program => "Ctrl-A x leaves, Ctrl-A a sends Ctrl-A, Ctrl-A h shows this",
        }
    }
}

const CTRL_A: u8 = 1;

/// Finds Folio's keys among those for the guest.
#[derive(Clone, Copy, Debug)]
pub struct Escapes {
    whose: Use,
    after_ctrl_a: bool,
}

impl Escapes {
    /// Those of a terminal.
    pub fn of(whose: Use) -> Self {
        Self { whose, after_ctrl_a: false }
    }

    /// Moves what is the guest's from `keys` to `guest`; the last of Folio's commands, if there is one.
    pub fn filter(&mut self, keys: &[u8], guest: &mut Vec<u8>) -> Option<Command> {
        let mut command = None;
        for &key in keys {
            if !std::mem::take(&mut self.after_ctrl_a) {
                if key == CTRL_A {
                    self.after_ctrl_a = true;
                } else {
                    guest.push(key);
                }
                continue;
            }
            match key {
                b'x' | b'X' => command = Some(Command::Leave),
                b'c' | b'C' if self.whose == Use::Board => command = Some(Command::Monitor),
                b'h' | b'H' | b'?' => command = Some(Command::Help),
                b'a' | b'A' | CTRL_A => guest.push(CTRL_A),
                // Any other key after Ctrl-A is dropped with it.
                _ => {}
            }
        }
        command
    }
}

/// The settings to go back to, while others are in force.
static COOKED: Mutex<Option<Termios>> = Mutex::new(None);
static PANIC_HOOK: Once = Once::new();

/// When it goes, the settings of the terminal are put back.
#[must_use]
pub struct Restored(());

impl Restored {
    /// Notes the settings, which somebody else is about to change, if standard input is a terminal.
    pub fn as_they_are() -> Option<Self> {
        if !std::io::stdin().is_terminal() {
            return None;
        }
        let cooked = tcgetattr(stdin()).ok()?;
        COOKED.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(cooked);
        Some(Self(()))
    }

    /// Makes the terminal raw, if standard input is one, and not somebody else's at the moment.
    pub fn from_raw(whose: Use) -> Option<Self> {
        if !is_foreground() {
            return None;
        }
        let restored = Self::as_they_are()?;
        let cooked = tcgetattr(stdin()).ok()?;
        PANIC_HOOK.call_once(|| {
            let next = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                restore();
                next(info);
            }));
        });
        let mut raw = cooked.clone();
        raw.make_raw();
        if whose == Use::Board {
            // A guest's bare line feed still starts a line.
            raw.output_modes |= cooked.output_modes & (OutputModes::OPOST | OutputModes::ONLCR);
        }
        // A read returns what there is, perhaps nothing: no thread waits at the terminal while the prompt needs it.
        raw.special_codes[SpecialCodeIndex::VMIN] = 0;
        raw.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(stdin(), OptionalActions::Now, &raw).ok()?;
        Some(restored)
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        restore();
    }
}

/// Puts the settings back now, if they have been changed.
pub fn restore() {
    if let Some(cooked) = COOKED.lock().unwrap_or_else(PoisonError::into_inner).take() {
        // The terminal may have gone away; then there is nothing to put back.
        let _ = tcsetattr(stdin(), OptionalActions::Drain, &cooked);
    }
}

/// Whether the settings have been changed, and lines of our own need a carriage return.
pub fn is_raw() -> bool {
    COOKED.lock().unwrap_or_else(PoisonError::into_inner).is_some()
}

/// What a read of the raw terminal found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Keys {
    /// These.
    Pressed(Vec<u8>),
    /// None in that time.
    Nothing,
    /// The terminal has gone.
    Gone,
}

/// Waits for something to read on standard input, or its end, for at most `timeout`.
pub fn has_input(timeout: Duration) -> bool {
    !matches!(poll_input(timeout), Ok(None))
}

/// What there is to say of standard input within `timeout`, if anything.
fn poll_input(timeout: Duration) -> Result<Option<PollFlags>, Errno> {
    let input = stdin();
    let mut polled = [PollFd::new(&input, PollFlags::IN)];
    let limit = Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    match poll(&mut polled, Some(&limit)) {
        Ok(0) | Err(Errno::INTR) => Ok(None),
        Ok(_) => Ok(Some(polled[0].revents())),
        Err(error) => Err(error),
    }
}

/// Whether the terminal is not another job's: in the background of a shell, where gdb may have it, to touch it would stop this process.
fn is_foreground() -> bool {
    tcgetpgrp(stdin()).map_or(true, |group| group == getpgrp())
}

/// Waits for keys for at most `timeout`, and reads them.
pub fn read_keys(timeout: Duration) -> Keys {
    if !is_foreground() {
        std::thread::sleep(timeout);
        return Keys::Nothing;
    }
    let events = match poll_input(timeout) {
        Ok(Some(events)) => events,
        Ok(None) => return Keys::Nothing,
        Err(_) => return Keys::Gone,
    };
    let mut buffer = [0; 256];
    match rustix::io::read(stdin(), &mut buffer) {
        Ok(0) if events.intersects(PollFlags::HUP | PollFlags::ERR) => Keys::Gone,
        Ok(0) | Err(Errno::INTR | Errno::AGAIN) => Keys::Nothing,
        Ok(count) => Keys::Pressed(buffer[..count].to_vec()),
        Err(_) => Keys::Gone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_a_introduces_folios_own_keys() {
        for (keys, guest, command) in [
            (&b"ls\r"[..], &b"ls\r"[..], None),
            (b"a\x01xb", b"ab", Some(Command::Leave)),
            (b"\x01c", b"", Some(Command::Monitor)),
            (b"\x01h", b"", Some(Command::Help)),
            (b"\x01a\x01\x01x", b"\x01\x01x", None),
            (b"\x01qz", b"z", None),
            (b"\x03", b"\x03", None),
        ] {
            let mut out = Vec::new();
            assert_eq!(Escapes::of(Use::Board).filter(keys, &mut out), command, "{keys:?}");
            assert_eq!(out, guest, "{keys:?}");
        }
    }

    #[test]
    fn the_two_keys_may_come_apart() {
        let (mut escapes, mut guest) = (Escapes::of(Use::Program), Vec::new());
        assert_eq!(escapes.filter(b"x\x01", &mut guest), None);
        assert_eq!(escapes.filter(b"x", &mut guest), Some(Command::Leave));
        assert_eq!(guest, b"x");
        assert_eq!(escapes.filter(b"\x01cy", &mut guest), None, "there is no monitor");
        assert_eq!(guest, b"xy");
    }
}
