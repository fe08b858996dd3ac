//! The host-target interface of bare-metal test programs: `tohost` and `fromhost`, as in riscv-tests and Spike.
//!
//! A store to `tohost` leaves the run loop. Device 0, command 0: an odd payload ends the run, an even one is the
//! address of a system call block (64, write, and 93, exit). Device 1, command 1 prints a character, command 0 asks for one. Anything else is cleared and
//! ignored.

use super::{Machine, StopReason};
use crate::host::Output;
use isa::PhysAddr;

/// Bytes of `tohost` and of `fromhost`.
pub(super) const WORD_BYTES: u64 = 8;

const PAYLOAD: u64 = (1 << 48) - 1;
const SYS_WRITE: u64 = 64;
const SYS_EXIT: u64 = 93;
const BLOCK_WORDS: usize = 4;
const EBADF: i64 = 9;
const EFAULT: i64 = 14;
const ENOSYS: i64 = 38;
const EIO: i64 = 5;

impl Machine {
    /// Looks at `tohost` after a store to it.
    pub(super) fn serve_htif(&mut self) {
        let Some(htif) = self.boot.as_ref().and_then(|boot| boot.htif) else { return };
        let Some(value) = self.read_word(htif.tohost) else { return };
        match (value >> 56, value >> 48 & 0xff, value & PAYLOAD) {
            _ if value == 0 => return,
            (0, 0, payload) if payload & 1 != 0 => return self.bus.end(StopReason::ToHost(value)),
            (0, 0, block) => {
                self.htif_system_call(PhysAddr(block));
                if let Some(fromhost) = htif.fromhost {
                    self.write_word(fromhost, 1);
                }
            }
            (1, 1, payload) => {
                // As a UART: output to a closed stream is lost.
                let _ = self.bus.stdio().write(Output::Stdout, &payload.to_le_bytes()[..1]);
            }
            (1, 0, _) => {
                if let Some(fromhost) = htif.fromhost {
                    self.bus.ask_htif(fromhost);
                }
            }
            _ => {}
        }
        self.write_word(htif.tohost, 0);
    }

    /// The block holds the number and three arguments; the result goes where the number was.
    fn htif_system_call(&mut self, block: PhysAddr) {
        let words: Option<Vec<u64>> = (0..BLOCK_WORDS as u64)
            .map(|index| self.read_word(block.wrapping_add(index * WORD_BYTES)))
            .collect();
        let Some(words) = words else { return };
        let result = match words[0] {
            SYS_WRITE => self.htif_write(words[1], PhysAddr(words[2]), words[3]),
            SYS_EXIT => {
                self.bus.end(StopReason::ToHost(words[1] << 1 | 1));
                0
            }
            _ => -ENOSYS,
        };
        self.write_word(block, result.cast_unsigned());
    }

    fn htif_write(&mut self, descriptor: u64, at: PhysAddr, len_bytes: u64) -> i64 {
        let output = match descriptor {
            1 => Output::Stdout,
            2 => Output::Stderr,
            _ => return -EBADF,
        };
        let bytes = usize::try_from(len_bytes).ok().and_then(|len| self.ram.slice(at, len));
        let Some(bytes) = bytes else { return -EFAULT };
        match self.bus.stdio().write(output, bytes) {
            Ok(()) => len_bytes.cast_signed(),
            Err(_) => -EIO,
        }
    }

    fn read_word(&self, at: PhysAddr) -> Option<u64> {
        let bytes = self.ram.slice(at, 8)?;
        Some(u64::from_le_bytes(bytes.try_into().expect("eight bytes")))
    }

    fn write_word(&mut self, at: PhysAddr, value: u64) {
        // A word outside RAM has been read as `None` before.
        let _ = self.ram.write(at, &value.to_le_bytes());
    }
}
