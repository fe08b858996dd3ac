//! Random numbers from a seed, and the values that guests are hostile with.

use emulator::host::{Input, Output, OutputClosed, Stdio};
use isa::platform::RAM_BASE;

pub use crate::random_values::Random;

/// What hostile guests need of it.
impl Random {
    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
    pub fn word(&mut self) -> u32 {
        u32::try_from(self.next() >> 32).unwrap()
    }
    pub fn half_word(&mut self) -> u16 {
        u16::try_from(self.next() >> 48).unwrap()
    }

    /// A number as guests get them wrong: small, a power of two and its neighbours, a sign bit, anything.
    pub fn number(&mut self) -> u64 {
        match self.below(6) {
            0 => self.below(16),
            1 => (1 << self.below(64)) - self.below(2),
            2 => u64::MAX - self.below(16),
            3 => self.next() >> self.below(64),
            4 => (1 << 63) + self.below(3),
            _ => self.next(),
        }
    }

    /// An address in RAM of so many bytes, or just outside it, or nowhere.
    pub fn address(&mut self, ram_bytes: u64) -> u64 {
        match self.below(8) {
            0 => RAM_BASE.0 + ram_bytes - self.below(64),
            1 => RAM_BASE.0.wrapping_add(self.below(16)).wrapping_sub(8),
            2 => self.number(),
            // Over the edge of a page.
            3 => RAM_BASE.0 + (self.below(ram_bytes) & !0xfff) + 0xff0 + self.below(32),
            _ => RAM_BASE.0 + self.below(ram_bytes),
        }
    }
}

/// Standard streams that give random bytes at random times and sometimes refuse output.
pub struct Noise(pub Random);

impl Stdio for Noise {
    fn write(&mut self, _: Output, _: &[u8]) -> Result<(), OutputClosed> {
        if self.0.one_in(64) { Err(OutputClosed) } else { Ok(()) }
    }
    fn poll_input(&mut self, buffer: &mut [u8]) -> Input {
        match self.0.below(64) {
            0 => Input::Eof,
            1..=31 => Input::NotYet,
            _ => {
                let count = 1 + usize::try_from(self.0.below(buffer.len() as u64)).unwrap();
                buffer[..count].fill_with(|| self.0.half_word().to_le_bytes()[0]);
                Input::Bytes(count)
            }
        }
    }
}
