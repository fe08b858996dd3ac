//! What goes out of a terminal: `c_oflag`, and where on the line it has come to (the erasing of tabs asks for that).

use super::termios::Termios;
use crate::Errno;
use alloc::collections::VecDeque;
use linux_raw_sys::general as linux;

/// Most bytes of programs that wait to be taken out.
const WRITTEN_MAX: usize = 12 << 10;
/// Most bytes with those of the echo, which cannot wait: what does not fit is lost.
const ALL_MAX: usize = 16 << 10;
/// Most bytes that one becomes: a tab.
const LONGEST: usize = 8;

/// What has been written and echoed, until somebody takes it.
#[derive(Debug)]
pub struct Screen {
    bytes: VecDeque<u8>,
    /// Bytes taken out so far.
    consumed: u64,
    /// Where the next character goes.
    column: usize,
    /// Where the line that is being typed began.
    line_start: usize,
}

impl Screen {
    /// An empty one, with all the memory that it needs. ENOMEM.
    pub fn new() -> Result<Screen, Errno> {
        let mut bytes = VecDeque::new();
        bytes.try_reserve_exact(ALL_MAX).map_err(|_| Errno::ENOMEM)?;
        Ok(Screen { bytes, consumed: 0, column: 0, line_start: 0 })
    }

    /// Bytes that wait.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether a program may write a character.
    pub fn has_room(&self) -> bool {
        self.bytes.len() + LONGEST <= WRITTEN_MAX
    }

    /// Forgets what waits.
    pub fn clear(&mut self) {
        self.drop_first(usize::MAX);
    }

    /// Copies the next bytes out, and says where in the stream of all they are. They stay until [`Screen::consume`].
    pub fn peek(&self, out: &mut [u8]) -> (usize, u64) {
        let count = out.len().min(self.bytes.len());
        out.iter_mut().zip(&self.bytes).for_each(|(place, &byte)| *place = byte);
        (count, self.consumed)
    }

    /// Takes out `count` of the bytes at `position`. `false`, with nothing done, if somebody else has had them.
    pub fn consume(&mut self, position: u64, count: usize) -> bool {
        let is_there = self.consumed == position;
        if is_there {
            self.drop_first(count);
        }
        is_there
    }

    fn drop_first(&mut self, count: usize) {
        let count = count.min(self.bytes.len());
        self.bytes.drain(..count);
        self.consumed += count as u64;
    }

    /// The line that is typed begins here.
    pub fn start_line(&mut self) {
        self.line_start = self.column;
    }

    /// A byte as it is.
    pub fn put_raw(&mut self, byte: u8) {
        if self.bytes.len() < ALL_MAX {
            self.bytes.push_back(byte);
        }
    }

    /// `^X` for a control character.
    pub fn put_control(&mut self, byte: u8) {
        self.put_raw(b'^');
        self.put_raw(byte ^ 0x40);
        self.column += 2;
    }

    /// Back over a tab: what stands before it on its line, or behind the tab before it (`after_tab`), takes so many columns.
    pub fn erase_tab(&mut self, columns: usize, after_tab: bool) {
        let from = if after_tab { columns } else { columns + self.line_start };
        for _ in 0..8 - from % 8 {
            self.put_raw(8);
            self.column = self.column.saturating_sub(1);
        }
    }

    /// A byte as the settings want it.
    pub fn put(&mut self, termios: &Termios, byte: u8) {
        if !termios.output(linux::OPOST) {
            return self.put_raw(byte);
        }
        let mut byte = byte;
        match byte {
            b'\n' => {
                if termios.output(linux::ONLRET) {
                    self.column = 0;
                }
                if termios.output(linux::ONLCR) {
                    self.column = 0;
                    self.put_raw(b'\r');
                }
                self.line_start = self.column;
            }
            b'\r' if termios.output(linux::ONOCR) && self.column == 0 => return,
            b'\r' if termios.output(linux::OCRNL) => {
                byte = b'\n';
                if termios.output(linux::ONLRET) {
                    (self.column, self.line_start) = (0, 0);
                }
            }
            b'\r' => (self.column, self.line_start) = (0, 0),
            b'\t' => {
                let spaces = 8 - self.column % 8;
                self.column += spaces;
                if termios.oflag & linux::TABDLY == linux::XTABS {
                    (0..spaces).for_each(|_| self.put_raw(b' '));
                    return;
                }
            }
            8 => self.column = self.column.saturating_sub(1),
            _ if is_control(byte) => {}
            _ => {
                if termios.output(linux::OLCUC) {
                    byte = byte.to_ascii_uppercase();
                }
                self.column += usize::from(!is_continuation(termios, byte));
            }
        }
        self.put_raw(byte);
    }
}

/// As Linux has it: what lies above 127 is none.
pub fn is_control(byte: u8) -> bool {
    byte.is_ascii_control()
}

/// Whether a byte goes on with a character that has begun before it.
pub fn is_continuation(termios: &Termios, byte: u8) -> bool {
    termios.input(linux::IUTF8) && byte & 0xc0 == 0x80
}
