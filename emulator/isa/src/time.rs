//! `Step`, the machine's only clock.
//!
//! A step counts every executed instruction, retired or trapped, and the idle time skipped while all harts
//! wait. No guest can write it. One step is one nanosecond of guest time; the timebase (what `mtime` and the
//! `time` CSR count) is 10 MHz, so a tick is [`STEPS_PER_TICK`] steps.

use core::fmt;

/// Frequency of `mtime` and of the `time` CSR, in Hz. QEMU's `virt` board has the same.
pub const TIMEBASE_HZ: u64 = 10_000_000;
/// Steps in a second of guest time.
pub const STEPS_PER_SECOND: u64 = 1_000_000_000;
/// Steps in one tick of `mtime`.
pub const STEPS_PER_TICK: u64 = STEPS_PER_SECOND / TIMEBASE_HZ;

/// A point in the machine's time, in steps since reset.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[repr(transparent)]
pub struct Step(pub u64);

impl Step {
    /// A deadline that never comes.
    pub const NEVER: Step = Step(u64::MAX);

    /// The value of `mtime` at this step (before any offset a write to `mtime` has made).
    #[inline]
    pub const fn ticks(self) -> u64 {
        self.0 / STEPS_PER_TICK
    }
    /// The first step at which [`Step::ticks`] is at least `ticks`; [`Step::NEVER`] if that lies past the end of time.
    #[inline]
    pub const fn at_ticks(ticks: u64) -> Step {
        match ticks.checked_mul(STEPS_PER_TICK) {
            Some(steps) => Step(steps),
            None => Step::NEVER,
        }
    }
    /// The step `steps` later, stopping at [`Step::NEVER`].
    #[inline]
    pub const fn after(self, steps: u64) -> Step {
        Step(self.0.saturating_add(steps))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_reached_exactly_at_its_step() {
        assert_eq!(Step::at_ticks(3).ticks(), 3);
        assert_eq!(Step(Step::at_ticks(3).0 - 1).ticks(), 2);
        assert_eq!(Step::at_ticks(u64::MAX), Step::NEVER);
    }
}
