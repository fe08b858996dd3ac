//! Character devices: which there are, and those whose reading and writing is pure.

use crate::TerminalId;

/// A character device behind an open file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Device {
    /// `/dev/null`: reads end at once, writes vanish.
    Null,
    /// `/dev/zero`: reads give zeros, writes vanish.
    Zero,
    /// `/dev/full`: reads give zeros, writes fail with ENOSPC.
    Full,
    /// `/dev/random` and `/dev/urandom`: see [`RandomSource`].
    Random,
    /// `/dev/tty`: the controlling terminal of whoever opens it.
    Tty,
    /// `/dev/console`: the console's terminal, of which it makes nobody's controlling terminal.
    Console,
    /// `/dev/ttyS0`: the console's terminal.
    Serial,
    /// `/dev/ptmx`: makes a pseudo-terminal.
    Ptmx,
    /// `/dev/loop-control`: tells which loop device is free.
    LoopControl,
    /// `/dev/pts/N`: a pseudo-terminal's slave.
    Pseudo(u32),
    /// One of the standard streams that the host lends (0, 1, 2) and that are no terminals: it is the kernel's to read and write.
    Stdio {
        /// The host's descriptor.
        stream: u8,
    },
}

impl Device {
    /// Device number, as on Linux.
    pub fn rdev(self) -> u64 {
        let (major, minor) = match self {
            Device::Null => (1, 3),
            Device::Zero => (1, 5),
            Device::Full => (1, 7),
            Device::Random => (1, 9),
            Device::Tty => (5, 0),
            Device::Console => (5, 1),
            Device::Ptmx => (5, 2),
            Device::LoopControl => (10, 237),
            Device::Serial => return TerminalId::Console.rdev(),
            Device::Pseudo(number) => return TerminalId::Pseudo(number).rdev(),
            // As a pipe's.
            Device::Stdio { .. } => (0, 0),
        };
        crate::stat::device_number(major, minor)
    }

    /// Whether opening it opens a terminal: it becomes an [`Object::Terminal`](crate::Object::Terminal).
    pub fn is_terminal(self) -> bool {
        matches!(self, Device::Tty | Device::Console | Device::Serial | Device::Ptmx | Device::Pseudo(_))
    }

    /// The device that a node with this number stands for.
    pub(crate) fn from_rdev(rdev: u64) -> Option<Device> {
        const URANDOM: u64 = crate::stat::device_number(1, 8);
        if rdev == URANDOM {
            return Some(Device::Random);
        }
        let devices = [
            Device::Null,
            Device::Zero,
            Device::Full,
            Device::Random,
            Device::Tty,
            Device::Console,
            Device::Ptmx,
            Device::Serial,
            Device::LoopControl,
        ];
        devices.into_iter().find(|device| device.rdev() == rdev)
    }
}

/// The generator behind `/dev/urandom` and `getrandom`: SplitMix64, seeded by the machine's `--seed`.
///
/// It makes runs repeatable. It is **not** secure: whoever sees 8 bytes knows all that follow.
#[derive(Clone, Debug)]
pub struct RandomSource {
    state: u64,
}

impl RandomSource {
    /// A generator that gives the same bytes for the same seed.
    pub const fn new(seed: u64) -> RandomSource {
        RandomSource { state: seed }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Fills a buffer; a last partial word is thrown away, so that equal lengths give equal bytes.
    pub fn fill(&mut self, buf: &mut [u8]) {
        for chunk in buf.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // The first outputs for seed 0 as published with the algorithm (Vigna, splitmix64.c).
        let mut random = RandomSource::new(0);
        assert_eq!(random.next_u64(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.next_u64(), 0x6e78_9e6a_a1b9_65f4);
        let (mut a, mut b) = ([0; 13], [0; 13]);
        RandomSource::new(7).fill(&mut a);
        RandomSource::new(7).fill(&mut b);
        assert_eq!(a, b);
        assert_ne!(a, [0; 13]);
    }
}
