//! For unit tests: numbers by chance, and standard streams in memory.

use crate::host::{Input, Output, OutputClosed, Stdio};

/// The same numbers from the same seed, which is not zero (xorshift64).
pub fn xorshift(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

/// Standard streams in memory.
#[derive(Default)]
pub struct MemoryStdio {
    pub output: Vec<u8>,
    pub input: Vec<u8>,
}

impl Stdio for MemoryStdio {
    fn write(&mut self, _: Output, bytes: &[u8]) -> Result<(), OutputClosed> {
        self.output.extend(bytes);
        Ok(())
    }
    fn poll_input(&mut self, buffer: &mut [u8]) -> Input {
        let count = buffer.len().min(self.input.len());
        if count == 0 {
            return Input::NotYet;
        }
        buffer[..count].copy_from_slice(&self.input[..count]);
        self.input.drain(..count);
        Input::Bytes(count)
    }
}
