//! The one door through which the host's input reaches the machine.
//!
//! UART, SBI console and host device all take their input here, so that each byte has one step at which it
//! arrived. The host is asked only at steps that the guest's own doing fixes, never blocks, and an input that is
//! always ready (a regular file) therefore makes the same run every time.

use crate::host::{Input, Stdio};
use serde::{Deserialize, Serialize};

/// Steps between two polls of the host while a guest waits for input and has other things to do: 0.1 ms.
pub const POLL_INTERVAL_STEPS: u64 = 100_000;

/// Which of the machine's consoles the host's input goes to. All of them print to standard output.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub enum Console {
    /// The UART, and the SBI console, which on a board is the same line.
    #[default]
    Uart,
    /// The SBI console alone.
    Sbi,
    /// A virtio console.
    Virtio,
}

/// Who asks for input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)] // the names say it
pub enum Reader {
    Uart,
    Sbi,
    Virtio,
    HostDevice,
    Htif,
}

/// What the machine remembers of its input.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub struct InputDoor {
    console: Console,
    /// Bytes that have come in so far: where a reloaded machine's embedder must go on.
    taken_bytes: u64,
    /// The host said that its input has ended.
    ended: bool,
}

impl InputDoor {
    /// A door that leads to `console`.
    pub fn new(console: Console) -> Self {
        Self { console, ..Self::default() }
    }

    /// Whether the door leads to `reader`.
    pub fn serves(&self, reader: Reader) -> bool {
        match reader {
            Reader::Uart => self.console == Console::Uart,
            Reader::Sbi | Reader::Htif => matches!(self.console, Console::Uart | Console::Sbi),
            Reader::Virtio => self.console == Console::Virtio,
            // Its reads are a program's, not a console's.
            Reader::HostDevice => true,
        }
    }

    /// Asks the host for input, for `reader`.
    pub fn poll(&mut self, reader: Reader, stdio: &mut dyn Stdio, buffer: &mut [u8]) -> Input {
        if buffer.is_empty() || !self.serves(reader) {
            return Input::NotYet;
        }
        let input = stdio.poll_input(buffer);
        match input {
            Input::Bytes(count) => {
                self.taken_bytes = self.taken_bytes.wrapping_add(count as u64);
                self.ended = false;
            }
            Input::Eof => self.ended = true,
            Input::NotYet => {}
            // A console of characters has no size.
            Input::Resized if reader != Reader::HostDevice => return Input::NotYet,
            Input::Resized => {}
        }
        input
    }

    /// Bytes taken from the host since the machine was built.
    pub fn taken_bytes(&self) -> u64 {
        self.taken_bytes
    }

    /// Whether the host's last answer was end of input.
    pub fn ended(&self) -> bool {
        self.ended
    }
}
