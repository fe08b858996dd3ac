//! Terminals: a line discipline between two ends. Programs have the slave; the master is whoever shows what they write and types:
//! another program (a pseudo-terminal), or the kernel (the console).
//!
//! - [`Termios`]: `struct termios`. [`Discipline`]: what is typed. [`Screen`]: what is written and echoed.
//! - [`Terminal`]: the two together, with the session that it belongs to, its window's size and who has which end open.
//! - `OpenFiles` has them all, and tells of changes (`files.rs`).
//!
//! Signals are the kernel's to send: what asks for some says so ([`Signals`]).

mod discipline;
mod files;
mod screen;
mod termios;
#[cfg(test)]
mod tests;

pub use discipline::{Discipline, Next, Reading};
pub use files::{Console, Terminals};
pub use screen::Screen;
pub use termios::{Special, Termios};

use crate::{Errno, Readiness};
use alloc::collections::VecDeque;
use linux_raw_sys::general as linux;

/// Bytes that a master has written and that wait for room in the discipline, at most.
const HELD_MAX: usize = 4096;

/// A terminal's identity while it exists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TerminalId {
    /// The machine's own.
    Console,
    /// The pseudo-terminal with this number, in `/dev/pts`.
    Pseudo(u32),
}

impl TerminalId {
    /// Its device's number.
    pub fn rdev(self) -> u64 {
        match self {
            TerminalId::Console => crate::stat::device_number(4, 64),
            TerminalId::Pseudo(number) => crate::stat::device_number(136, u64::from(number)),
        }
    }
}

/// One end of a terminal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TerminalEnd {
    /// Of who shows and types.
    Master,
    /// Of the programs.
    Slave,
}

/// Signals for the group in the foreground: bit n for signal n.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[must_use]
pub struct Signals(pub u32);

impl Signals {
    /// Their numbers, in order.
    pub fn numbers(self) -> impl Iterator<Item = u32> {
        (1..32).filter(move |number| self.0 >> number & 1 != 0)
    }
}

/// The size of a window: `struct winsize`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[allow(missing_docs)] // the names say it
pub struct WindowSize {
    pub rows: u16,
    pub columns: u16,
    pub width_pixels: u16,
    pub height_pixels: u16,
}

/// A terminal.
#[derive(Debug)]
pub struct Terminal {
    discipline: Discipline,
    screen: Screen,
    /// What has been typed faster than it is read.
    held: VecDeque<u8>,
    /// The size of its window.
    pub window: WindowSize,
    /// The session whose controlling terminal it is.
    pub session: Option<u32>,
    /// The group in its foreground.
    pub foreground: Option<u32>,
    /// Whose it is: the user who has made it.
    owner: u32,
    masters: u32,
    slaves: u32,
    /// The last slave has been closed, and none opened since.
    is_deserted: bool,
    /// No slave may be opened yet (`unlockpt`).
    pub is_locked: bool,
    /// Only administrators may open it (TIOCEXCL).
    pub is_exclusive: bool,
    /// The master has gone.
    is_hung_up: bool,
}

impl Terminal {
    /// One that nobody has open. ENOMEM.
    fn new(owner: u32, is_edited: bool) -> Result<Terminal, Errno> {
        let mut held = VecDeque::new();
        held.try_reserve_exact(HELD_MAX).map_err(|_| Errno::ENOMEM)?;
        Ok(Terminal {
            discipline: Discipline::new(is_edited)?,
            screen: Screen::new()?,
            held,
            window: WindowSize::default(),
            session: None,
            foreground: None,
            owner,
            masters: 0,
            slaves: 0,
            is_deserted: false,
            is_locked: false,
            is_exclusive: false,
            is_hung_up: false,
        })
    }

    /// What becomes of what is typed.
    pub fn discipline(&self) -> &Discipline {
        &self.discipline
    }

    /// Its settings.
    pub fn termios(&self) -> &Termios {
        self.discipline.termios()
    }

    /// Bytes for the master.
    pub fn shown(&self) -> usize {
        self.screen.len()
    }

    /// Whose it is.
    pub fn owner(&self) -> u32 {
        self.owner
    }

    /// Whether its master has gone: it is one no more.
    pub fn is_hung_up(&self) -> bool {
        self.is_hung_up
    }

    /// Whether there are no slaves any more.
    pub fn is_deserted(&self) -> bool {
        self.is_deserted
    }

    /// Other settings. What waited for them may ask for signals.
    pub fn set(&mut self, settings: Termios) -> Signals {
        self.discipline.set(settings);
        self.settle()
    }

    /// Lets output wait, or go on.
    pub fn set_stopped(&mut self, is_stopped: bool) {
        self.discipline.set_stopped(is_stopped);
    }

    /// Forgets what has been typed and not read, whoever holds it.
    pub fn flush_input(&mut self) {
        self.discipline.flush();
        self.held.clear();
    }

    /// Forgets what has been written and not shown.
    pub fn flush_output(&mut self) {
        self.screen.clear();
    }

    /// A character that goes out as it is (`tcflow`).
    pub fn send(&mut self, byte: u8) {
        self.screen.put_raw(byte);
    }

    /// Bytes are typed, as many as there is room for, and the signals that they ask for.
    pub fn type_in(&mut self, bytes: &[u8]) -> (usize, Signals) {
        let mut signals = Signals::default();
        let mut done = 0;
        for &byte in bytes {
            if self.held.len() == HELD_MAX {
                break;
            }
            self.held.push_back(byte);
            done += 1;
            signals.0 |= self.settle().0;
        }
        (done, signals)
    }

    /// What is typed is edited elsewhere: the line has ended there, or the file.
    pub fn end_of_edited(&mut self, is_end_of_file: bool) {
        self.discipline.end_of_edited(is_end_of_file);
    }

    /// Whether all that has been typed has found its place.
    pub fn is_settled(&self) -> bool {
        self.held.is_empty()
    }

    /// What was held goes on as far as there is room.
    fn settle(&mut self) -> Signals {
        let mut signals = Signals::default();
        while self.discipline.has_room()
            && let Some(byte) = self.held.pop_front()
        {
            signals.0 |= self.discipline.receive(byte, &mut self.screen).map_or(0, |number| 1 << number);
        }
        signals
    }

    /// A program writes: as many bytes as there is room for now.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        let mut done = 0;
        let (settings, stopped) = (*self.termios(), self.discipline.is_stopped());
        for &byte in bytes {
            if stopped || !self.screen.has_room() {
                break;
            }
            self.put(&settings, byte);
            done += 1;
        }
        done
    }

    fn put(&mut self, settings: &Termios, byte: u8) {
        if self.discipline.is_edited() { self.screen.put_raw(byte) } else { self.screen.put(settings, byte) }
    }

    /// Takes out what a program has looked at ([`Discipline::consume`]); what was held comes in.
    pub fn consume(&mut self, position: u64, count: usize) -> Option<Signals> {
        self.discipline.consume(position, count).then(|| self.settle())
    }

    /// Whether a slave that writes would not wait.
    fn takes_output(&self) -> bool {
        self.screen.has_room() && !self.discipline.is_stopped()
    }

    /// Whether the master may type.
    fn takes_input(&self) -> bool {
        self.held.len() < HELD_MAX
    }

    /// What `poll` says of an end.
    pub fn readiness(&self, end: TerminalEnd) -> Readiness {
        let mut ready = Readiness::empty();
        match end {
            TerminalEnd::Slave if self.is_hung_up => {
                ready = Readiness::IN | Readiness::OUT | Readiness::ERR | Readiness::HUP;
            }
            TerminalEnd::Slave => {
                ready.set(Readiness::IN, self.discipline.is_ready());
                ready.set(Readiness::OUT, self.takes_output());
            }
            TerminalEnd::Master => {
                ready.set(Readiness::IN, !self.screen.is_empty());
                ready.set(Readiness::OUT, self.takes_input());
                ready.set(Readiness::HUP, self.is_deserted);
            }
        }
        ready
    }

    /// Whether a program in this group would be stopped that writes (`TOSTOP`).
    pub fn stops_writers(&self) -> bool {
        self.termios().local(linux::TOSTOP)
    }

    /// What a change may make ready: bytes to read, room to type, bytes to show, room to write.
    fn state(&self) -> State {
        State {
            readable: self.discipline.readable() * usize::from(self.discipline.is_ready()),
            shown: self.screen.len(),
            takes_input: self.takes_input(),
            takes_output: self.takes_output(),
        }
    }
}

/// How ready a terminal is.
struct State {
    readable: usize,
    shown: usize,
    takes_input: bool,
    takes_output: bool,
}

impl State {
    /// What the ends can do now that they could not.
    fn gained(&self, now: &State) -> [(TerminalEnd, Readiness); 2] {
        let mut gained =
            [(TerminalEnd::Slave, Readiness::empty()), (TerminalEnd::Master, Readiness::empty())];
        gained[0].1.set(Readiness::IN, now.readable > self.readable);
        gained[0].1.set(Readiness::OUT, now.takes_output && !self.takes_output);
        gained[1].1.set(Readiness::IN, now.shown > self.shown);
        gained[1].1.set(Readiness::OUT, now.takes_input && !self.takes_input);
        gained
    }
}
