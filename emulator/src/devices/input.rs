//! The one door through which the host's input reaches the machine.
//!
//! UART, SBI console and host device all take their input here, so that each byte has one step at which it
//! arrived. The host is asked only at steps that the guest's own doing fixes, never blocks, and an input that is
//! always ready (a regular file) therefore makes the same run every time.

use crate::host::{Input, Stdio};
use serde::{Deserialize, Serialize};

/// Steps between two polls of the host while a guest waits for input and has other things to do: 0.1 ms.
pub const POLL_INTERVAL_STEPS: u64 = 100_000;

/// What the machine remembers of its input.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub struct InputDoor {
    /// Bytes that have come in so far: where a reloaded machine's embedder must go on.
    taken_bytes: u64,
    /// The host said that its input has ended.
    ended: bool,
}

impl InputDoor {
    /// Asks the host for input.
    pub fn poll(&mut self, stdio: &mut dyn Stdio, buffer: &mut [u8]) -> Input {
        if buffer.is_empty() {
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
