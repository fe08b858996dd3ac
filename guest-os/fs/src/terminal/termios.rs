//! A terminal's settings: `struct termios`, by the names of termios(3).

use linux_raw_sys::general as linux;

/// A character that means something, by its place in `c_cc`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the names are those of termios(3), without their V
#[repr(usize)]
pub enum Special {
    Intr = linux::VINTR as usize,
    Quit = linux::VQUIT as usize,
    Erase = linux::VERASE as usize,
    Kill = linux::VKILL as usize,
    Eof = linux::VEOF as usize,
    Start = linux::VSTART as usize,
    Stop = linux::VSTOP as usize,
    Susp = linux::VSUSP as usize,
    Eol = linux::VEOL as usize,
    Reprint = linux::VREPRINT as usize,
    Werase = linux::VWERASE as usize,
    Lnext = linux::VLNEXT as usize,
    Eol2 = linux::VEOL2 as usize,
}

/// The settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the names are those of termios(3)
pub struct Termios {
    pub iflag: u32,
    pub oflag: u32,
    pub cflag: u32,
    pub lflag: u32,
    pub line: u8,
    pub cc: [u8; 19],
    pub ispeed: u32,
    pub ospeed: u32,
}

impl Termios {
    /// Of a terminal that has just been made, as in Linux.
    pub const FRESH: Termios = Termios {
        iflag: linux::ICRNL | linux::IXON,
        oflag: linux::OPOST | linux::ONLCR,
        cflag: linux::CS8 | linux::CREAD | linux::B38400,
        lflag: linux::ISIG
            | linux::ICANON
            | linux::ECHO
            | linux::ECHOE
            | linux::ECHOK
            | linux::IEXTEN
            | linux::ECHOCTL
            | linux::ECHOKE,
        line: 0,
        cc: [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0],
        ispeed: 38400,
        ospeed: 38400,
    };

    /// Whether flags of `c_iflag` are set, any of them.
    pub fn input(&self, flags: u32) -> bool {
        self.iflag & flags != 0
    }
    /// The same of `c_oflag`.
    pub fn output(&self, flags: u32) -> bool {
        self.oflag & flags != 0
    }
    /// The same of `c_lflag`.
    pub fn local(&self, flags: u32) -> bool {
        self.lflag & flags != 0
    }
    /// Lines are edited, and read when they are complete.
    pub fn is_canonical(&self) -> bool {
        self.local(linux::ICANON)
    }
    /// Whether a character is this special one. NUL is none: it switches one off.
    pub fn is(&self, byte: u8, special: Special) -> bool {
        byte != 0 && byte == self.special(special)
    }
    /// A special character; 0 is none.
    pub fn special(&self, special: Special) -> u8 {
        self.cc[special as usize]
    }
    /// `VMIN`.
    pub fn least(&self) -> usize {
        usize::from(self.cc[linux::VMIN as usize])
    }
    /// `VTIME`, in tenths of a second.
    pub fn tenths(&self) -> u64 {
        u64::from(self.cc[linux::VTIME as usize])
    }
}
