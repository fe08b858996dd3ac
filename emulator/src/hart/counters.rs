//! What a hart counts: retired instructions by mode, and `minstret` and `mcycle` on top of them.
//!
//! The totals only grow and no guest can write them; the two CSRs are kept as a distance from the total, so that
//! running a block costs one addition. As in Spike, `mcycle` counts retired instructions too.

use isa::Privilege;
use serde::{Deserialize, Serialize};

/// A counter CSR that follows the number of retired instructions, unless it is inhibited.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Following {
    /// The value is the total plus this (wrapping).
    Running(u64),
    /// `mcountinhibit` holds it at this value.
    Held(u64),
}

impl Following {
    fn at(self, retired: u64) -> u64 {
        match self {
            Self::Running(distance) => retired.wrapping_add(distance),
            Self::Held(value) => value,
        }
    }
    /// Reads as `value` once `retired` instructions have retired.
    fn set(&mut self, value: u64, retired: u64) {
        *self = match self {
            Self::Running(_) => Self::Running(value.wrapping_sub(retired)),
            Self::Held(_) => Self::Held(value),
        };
    }
    /// The instruction that changes `mcountinhibit` counts (or not) as it says from then on.
    fn inhibit(&mut self, inhibit: bool, retired: u64) {
        *self = match (*self, inhibit) {
            (Self::Running(_), true) => Self::Held(self.at(retired)),
            (Self::Held(value), false) => Self::Running(value.wrapping_sub(retired)),
            (same, _) => same,
        };
    }
}

/// The counts of a hart.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Counters {
    retired: [u64; 4],
    instret: Following,
    cycle: Following,
    /// `mcountinhibit`; of the counters that always read zero it is only kept.
    inhibited: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self { retired: [0; 4], instret: Following::Running(0), cycle: Following::Running(0), inhibited: 0 }
    }
}

/// Bit of `mcountinhibit` for `mcycle`.
const INHIBIT_CYCLE: u64 = 1 << 0;
/// Bit of `mcountinhibit` for `minstret`.
const INHIBIT_INSTRET: u64 = 1 << 2;

impl Counters {
    /// Instructions that have retired since reset.
    pub fn retired(&self) -> u64 {
        self.retired.iter().sum()
    }
    /// Instructions that have retired in `privilege`.
    pub fn retired_in(&self, privilege: Privilege) -> u64 {
        self.retired[privilege as usize]
    }
    /// `instructions` more have retired in `privilege`.
    #[inline]
    pub(crate) fn retire(&mut self, privilege: Privilege, instructions: u64) {
        self.retired[privilege as usize] += instructions;
    }
    /// `minstret` when `extra` instructions more than counted have retired.
    pub(crate) fn instret(&self, extra: u64) -> u64 {
        self.instret.at(self.retired() + extra)
    }
    /// `mcycle` when `extra` instructions more than counted have retired.
    pub(crate) fn cycle(&self, extra: u64) -> u64 {
        self.cycle.at(self.retired() + extra)
    }
    /// A write of `minstret` by the instruction after `extra` uncounted ones. The value is that after the
    /// writing instruction, which does not count itself.
    pub(crate) fn set_instret(&mut self, value: u64, extra: u64) {
        let retired = self.retired() + extra + 1;
        self.instret.set(value, retired);
    }
    /// A write of `mcycle`, as [`Counters::set_instret`].
    pub(crate) fn set_cycle(&mut self, value: u64, extra: u64) {
        let retired = self.retired() + extra + 1;
        self.cycle.set(value, retired);
    }
    /// `mcountinhibit`.
    pub(crate) fn inhibited(&self) -> u64 {
        self.inhibited
    }
    /// A write of `mcountinhibit` by the instruction after `extra` uncounted ones.
    pub(crate) fn set_inhibited(&mut self, value: u64, extra: u64) {
        let retired = self.retired() + extra;
        self.inhibited = value;
        self.instret.inhibit(value & INHIBIT_INSTRET != 0, retired);
        self.cycle.inhibit(value & INHIBIT_CYCLE != 0, retired);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_counter_reads_as_written_after_the_write() {
        let mut counters = Counters::default();
        counters.retire(Privilege::Machine, 10);
        counters.set_instret(100, 2);
        counters.retire(Privilege::Machine, 3);
        assert_eq!((counters.instret(0), counters.cycle(0)), (100, 13));
        assert_eq!(counters.instret(5), 105);
    }

    #[test]
    fn an_inhibited_counter_stands_still() {
        let mut counters = Counters::default();
        counters.retire(Privilege::User, 10);
        counters.set_inhibited(INHIBIT_INSTRET, 0);
        counters.retire(Privilege::User, 10);
        assert_eq!((counters.instret(0), counters.cycle(0), counters.inhibited()), (10, 20, INHIBIT_INSTRET));
        counters.set_inhibited(0, 0);
        counters.retire(Privilege::User, 1);
        assert_eq!((counters.instret(0), counters.retired_in(Privilege::User)), (11, 21));
    }
}
