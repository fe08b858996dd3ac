//! The line discipline: what becomes of what is typed, byte by byte, as Linux's `n_tty` does it.
//!
//! [`Discipline::receive`] edits, echoes, and says which signal a character asks for; [`Discipline::peek`] and
//! [`Discipline::consume`] are the two halves of a read, so that bytes that cannot be delivered stay. [`Discipline::next`] decides
//! whether a read goes on (`VMIN`, `VTIME`). Nothing here sleeps, and no byte takes memory: there is room for [`INPUT_MAX`].

use super::screen::{Screen, is_continuation, is_control};
use super::termios::{Special, Termios};
use crate::Errno;
use alloc::collections::VecDeque;
use isa::time::TIMEBASE_HZ;
use linux_raw_sys::general as linux;

/// Bytes that wait to be read, at most, of lines their ends included.
const INPUT_MAX: usize = 4096;
const SIGINT: u32 = 2;
const SIGQUIT: u32 = 3;
const SIGTSTP: u32 = 20;

/// What a byte that waits is to who reads lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mark {
    Plain,
    /// The last of its line.
    End,
    /// Ends its line, and is no part of it.
    EndOfFile,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    byte: u8,
    mark: Mark,
}

/// The discipline of a terminal.
#[derive(Debug)]
pub struct Discipline {
    termios: Termios,
    input: VecDeque<Held>,
    /// Bytes of the input that are in complete lines, marks included. 0 where lines mean nothing.
    complete: usize,
    /// Bytes taken out so far.
    consumed: u64,
    /// The next character is taken as it is (`VLNEXT`).
    quotes: bool,
    /// In the middle of what `ECHOPRT` shows as erased.
    erases: bool,
    /// Output waits (`VSTOP`).
    is_stopped: bool,
    /// Somebody else edits and echoes: what comes is what is read.
    is_edited: bool,
}

/// How far a read that waits has come.
#[derive(Clone, Copy, Default, Debug)]
pub struct Reading {
    /// Bytes that were there when it looked last.
    seen: usize,
    /// When it has waited long enough, in ticks.
    deadline: Option<u64>,
}

/// What a read does now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Takes what is there, were it nothing.
    Take,
    /// Waits for more.
    Wait,
    /// Waits for more until then, in ticks, and looks again.
    Until(u64),
}

impl Discipline {
    /// A fresh one, with all the memory that it needs. ENOMEM.
    pub fn new(is_edited: bool) -> Result<Discipline, Errno> {
        let mut input = VecDeque::new();
        input.try_reserve_exact(INPUT_MAX).map_err(|_| Errno::ENOMEM)?;
        Ok(Discipline {
            termios: Termios::FRESH,
            input,
            complete: 0,
            consumed: 0,
            quotes: false,
            erases: false,
            is_stopped: false,
            is_edited,
        })
    }

    /// The termios.
    pub fn termios(&self) -> &Termios {
        &self.termios
    }

    /// Somebody else edits and echoes.
    pub fn is_edited(&self) -> bool {
        self.is_edited
    }

    /// Whether output waits (`VSTOP`, `tcflow`).
    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Lets output wait, or go on.
    pub fn set_stopped(&mut self, is_stopped: bool) {
        self.is_stopped = is_stopped;
    }

    /// Other termios. Who begins to read lines finds what has been typed to be one; who ceases to finds no lines any more.
    pub fn set(&mut self, termios: Termios) {
        let was = core::mem::replace(&mut self.termios, termios);
        if was.is_canonical() != termios.is_canonical() {
            self.input.iter_mut().for_each(|held| held.mark = Mark::Plain);
            self.complete = 0;
            if termios.is_canonical()
                && let Some(last) = self.input.back_mut()
            {
                last.mark = Mark::End;
                self.complete = self.input.len();
            }
            (self.erases, self.quotes) = (false, false);
        }
        if was.input(linux::IXON) && !termios.input(linux::IXON) {
            self.is_stopped = false;
        }
    }

    /// Forgets what has been typed and not read.
    pub fn flush(&mut self) {
        self.consumed += self.input.len() as u64;
        self.input.clear();
        (self.complete, self.erases) = (0, false);
    }

    /// Whether the next byte has a place. While a line is too long, each byte takes the place of the one before, so that its end can come.
    pub fn has_room(&self) -> bool {
        self.input.len() + 1 < INPUT_MAX || self.termios.is_canonical() && self.complete == 0
    }

    /// Bytes that a read could have now, marks of ends included.
    pub fn readable(&self) -> usize {
        if self.termios.is_canonical() { self.complete } else { self.input.len() }
    }

    /// Bytes that wait to be read (`FIONREAD`).
    pub fn unread(&self) -> usize {
        self.input.iter().take(self.readable()).filter(|held| held.mark != Mark::EndOfFile).count()
    }

    /// Whether a program that waits would be told.
    pub fn is_ready(&self) -> bool {
        let least = match self.termios.tenths() {
            0 if !self.termios.is_canonical() => self.termios.least().max(1),
            _ => 1,
        };
        self.readable() >= least
    }

    /// What a read of at most `want` bytes does at a time in ticks.
    pub fn next(&self, reading: &mut Reading, want: usize, now: u64) -> Next {
        const TENTH: u64 = TIMEBASE_HZ / 10;
        let there = self.readable();
        if self.termios.is_canonical() {
            return if there > 0 { Next::Take } else { Next::Wait };
        }
        let (least, time) = (self.termios.least(), self.termios.tenths() * TENTH);
        match least {
            0 if there > 0 || time == 0 => return Next::Take,
            0 => {}
            _ if there >= least.min(want) => return Next::Take,
            _ if time == 0 || there == 0 => return Next::Wait,
            // The time is that between two bytes.
            _ if there != reading.seen => *reading = Reading { seen: there, deadline: None },
            _ => {}
        }
        let deadline = *reading.deadline.get_or_insert(now.saturating_add(time));
        if deadline <= now { Next::Take } else { Next::Until(deadline) }
    }

    /// Copies out what one read gets, and says where in the stream of all input it is. It stays until [`Discipline::consume`].
    pub fn peek(&self, out: &mut [u8]) -> (usize, u64) {
        let is_line = self.termios.is_canonical();
        let mut count = 0;
        for (place, held) in out.iter_mut().zip(self.input.iter().take(self.readable())) {
            if held.mark == Mark::EndOfFile {
                break;
            }
            *place = held.byte;
            count += 1;
            if is_line && held.mark == Mark::End {
                break;
            }
        }
        (count, self.consumed)
    }

    /// Takes out bytes that were looked at: `count` of those at `position`, and the mark of an end of file behind them. `false`, with
    /// nothing done, if somebody else has had them meanwhile.
    pub fn consume(&mut self, position: u64, count: usize) -> bool {
        if self.consumed != position {
            return false;
        }
        let mut last = Mark::Plain;
        (0..count).for_each(|_| last = self.take().unwrap_or(Mark::Plain));
        let is_at_end = self.input.front().is_some_and(|held| held.mark == Mark::EndOfFile);
        if last == Mark::Plain && is_at_end && self.complete > 0 {
            self.take();
        }
        true
    }

    fn take(&mut self) -> Option<Mark> {
        let held = self.input.pop_front()?;
        self.consumed += 1;
        self.complete = self.complete.saturating_sub(1);
        Some(held.mark)
    }

    /// A byte has been typed, for which [there is room](Discipline::has_room). The signal that it asks for.
    pub fn receive(&mut self, byte: u8, screen: &mut Screen) -> Option<u32> {
        if self.is_edited {
            self.hold(byte, if byte == b'\n' { Mark::End } else { Mark::Plain });
            return None;
        }
        if self.input.len() == INPUT_MAX {
            self.input.pop_back();
        }
        let s = self.termios;
        let mut c = if s.input(linux::ISTRIP) { byte & 0x7f } else { byte };
        if s.input(linux::IUCLC) && s.local(linux::IEXTEN) {
            c = c.to_ascii_lowercase();
        }
        if core::mem::take(&mut self.quotes) {
            self.take_plain(c, screen);
            return None;
        }
        if s.input(linux::IXON) && (s.is(c, Special::Start) || s.is(c, Special::Stop)) {
            self.is_stopped = s.is(c, Special::Stop) && !s.is(c, Special::Start);
            return None;
        }
        if let Some(signal) = self.signal_of(c) {
            if !s.local(linux::NOFLSH) {
                self.flush();
            }
            if s.input(linux::IXON) {
                self.is_stopped = false;
            }
            if s.local(linux::ECHO) {
                self.echo(c, screen);
            }
            return Some(signal);
        }
        if s.input(linux::IXON) && s.input(linux::IXANY) {
            self.is_stopped = false;
        }
        let is_return = c == b'\r' && s.input(linux::IGNCR | linux::ICRNL);
        let is_line_feed = c == b'\n' && s.input(linux::INLCR);
        if is_return && s.input(linux::IGNCR) {
            return None;
        }
        match c {
            b'\r' if is_return => c = b'\n',
            b'\n' if is_line_feed => c = b'\r',
            _ => {}
        }
        if s.is_canonical() && self.edit(c, screen) {
            return None;
        }
        if is_return && s.local(linux::ECHO) {
            // One that has become a line feed is shown as one, also where line feeds are shown as ^J.
            self.end_erasing(screen);
            screen.put(&s, b'\n');
            self.store(c);
        } else {
            self.take_plain(c, screen);
        }
        None
    }

    /// Somebody else has ended the line, with or without a line feed, or the file.
    pub fn end_of_edited(&mut self, is_end_of_file: bool) {
        if !self.termios.is_canonical() {
            return;
        }
        if is_end_of_file {
            self.hold(0, Mark::EndOfFile);
        } else if let Some(last) = self.input.back_mut() {
            if last.mark == Mark::Plain {
                last.mark = Mark::End;
            }
            self.complete = self.input.len();
        }
    }

    fn signal_of(&self, c: u8) -> Option<u32> {
        let s = &self.termios;
        let signals =
            [(Special::Intr, SIGINT), (Special::Quit, SIGQUIT), (Special::Susp, SIGTSTP)].into_iter();
        signals.filter(|_| s.local(linux::ISIG)).find(|&(special, _)| s.is(c, special)).map(|found| found.1)
    }

    /// Characters that mean something in a line. Whether this was one.
    fn edit(&mut self, c: u8, screen: &mut Screen) -> bool {
        let s = self.termios;
        let (echoes, extended) = (s.local(linux::ECHO), s.local(linux::IEXTEN));
        if s.is(c, Special::Erase) || s.is(c, Special::Kill) || extended && s.is(c, Special::Werase) {
            self.erase(c, screen);
        } else if extended && s.is(c, Special::Lnext) {
            self.quotes = true;
            if echoes {
                self.end_erasing(screen);
                if s.local(linux::ECHOCTL) {
                    screen.put(&s, b'^');
                    screen.put(&s, 8);
                }
            }
        } else if extended && echoes && s.is(c, Special::Reprint) {
            self.end_erasing(screen);
            self.echo(c, screen);
            screen.put(&s, b'\n');
            for at in self.complete..self.input.len() {
                self.echo(self.input[at].byte, screen);
            }
        } else if c == b'\n' {
            if s.local(linux::ECHO | linux::ECHONL) {
                screen.put(&s, b'\n');
            }
            self.hold(c, Mark::End);
        } else if s.is(c, Special::Eof) {
            self.hold(0, Mark::EndOfFile);
        } else if s.is(c, Special::Eol) || extended && s.is(c, Special::Eol2) {
            if echoes {
                self.start_line(screen);
                self.echo(c, screen);
            }
            if c == 0xff && s.input(linux::PARMRK) {
                self.hold(c, Mark::Plain);
            }
            self.hold(c, Mark::End);
        } else {
            return false;
        }
        true
    }

    /// A character that is just one.
    fn take_plain(&mut self, c: u8, screen: &mut Screen) {
        if self.termios.local(linux::ECHO) {
            self.end_erasing(screen);
            self.start_line(screen);
            self.echo(c, screen);
        }
        self.store(c);
    }

    fn store(&mut self, c: u8) {
        if c == 0xff && self.termios.input(linux::PARMRK) {
            self.hold(c, Mark::Plain);
        }
        self.hold(c, Mark::Plain);
    }

    fn hold(&mut self, byte: u8, mark: Mark) {
        if self.input.len() < INPUT_MAX {
            self.input.push_back(Held { byte, mark });
            if mark != Mark::Plain && self.termios.is_canonical() {
                self.complete = self.input.len();
            }
        }
    }

    /// Whether nothing of a line has been typed.
    fn is_at_start(&self) -> bool {
        self.input.len() == self.complete
    }

    fn start_line(&self, screen: &mut Screen) {
        if self.is_at_start() {
            screen.start_line();
        }
    }

    fn echo(&self, c: u8, screen: &mut Screen) {
        if self.termios.local(linux::ECHOCTL) && is_control(c) && c != b'\t' {
            screen.put_control(c);
        } else {
            screen.put(&self.termios, c);
        }
    }

    fn end_erasing(&mut self, screen: &mut Screen) {
        if core::mem::take(&mut self.erases) {
            screen.put(&self.termios, b'/');
        }
    }

    /// Takes back a character, a word or the line, as the key says.
    fn erase(&mut self, key: u8, screen: &mut Screen) {
        let s = self.termios;
        if self.is_at_start() {
            return;
        }
        let is_one = s.is(key, Special::Erase);
        let is_word = !is_one && s.is(key, Special::Werase);
        let echoes = s.local(linux::ECHO);
        if !is_one && !is_word {
            let shows_each =
                [linux::ECHOK, linux::ECHOKE, linux::ECHOE].into_iter().all(|flag| s.local(flag));
            if !echoes || !shows_each {
                self.input.truncate(self.complete);
                if echoes {
                    self.end_erasing(screen);
                    self.echo(s.special(Special::Kill), screen);
                    if s.local(linux::ECHOK) {
                        screen.put(&s, b'\n');
                    }
                }
                return;
            }
        }
        let mut has_seen_word = false;
        while !self.is_at_start() {
            let mut start = self.input.len() - 1;
            while start > self.complete && is_continuation(&s, self.input[start].byte) {
                start -= 1;
            }
            let c = self.input[start].byte;
            if is_continuation(&s, c) {
                // The rest of a character that began before the line did.
                break;
            }
            if is_word {
                if is_of_word(c) {
                    has_seen_word = true;
                } else if has_seen_word {
                    break;
                }
            }
            if echoes {
                self.echo_erased(start, is_one, screen);
            }
            self.input.truncate(start);
            if is_one {
                break;
            }
        }
        if self.is_at_start() && echoes {
            self.end_erasing(screen);
        }
    }

    /// Shows that the character that begins at `start`, the last one, goes.
    fn echo_erased(&mut self, start: usize, is_one: bool, screen: &mut Screen) {
        let s = self.termios;
        let c = self.input[start].byte;
        if s.local(linux::ECHOPRT) {
            if !core::mem::replace(&mut self.erases, true) {
                screen.put(&s, b'\\');
            }
            self.echo(c, screen);
            for at in start + 1..self.input.len() {
                screen.put(&s, self.input[at].byte);
            }
        } else if is_one && !s.local(linux::ECHOE) {
            self.echo(s.special(Special::Erase), screen);
        } else if c == b'\t' {
            let before = self.input.iter().take(start).skip(self.complete).rev();
            let after_tab = before.clone().any(|held| held.byte == b'\t');
            let width = |byte: u8| match byte {
                _ if is_control(byte) => 2 * usize::from(s.local(linux::ECHOCTL)),
                _ => usize::from(!is_continuation(&s, byte)),
            };
            let columns = before.map(|held| held.byte).take_while(|&byte| byte != b'\t').map(width).sum();
            screen.erase_tab(columns, after_tab);
        } else {
            let times = match is_control(c) {
                true => 2 * usize::from(s.local(linux::ECHOCTL)),
                false => 1,
            };
            for _ in 0..times {
                [8, b' ', 8].into_iter().for_each(|byte| screen.put(&s, byte));
            }
        }
    }
}

/// Whether a character is of a word, as Linux counts: those above 127 as Latin-1 has them.
fn is_of_word(c: u8) -> bool {
    c.is_ascii_alphanumeric() || c == b'_' || c >= 0xc0 && c != 0xd7 && c != 0xf7
}
