//! What of the TLB's counters is whose: what they have gone up by from one switch to the next is the process's that ran, the kernel's work for it
//! and the switch itself included. The machine is looked at when the kernel tells of a switch; it counts on as ever.

use emulator::machine::{Machine, TlbCounters};
use std::collections::BTreeMap;

/// The counters of both sides, instruction and data, of all harts.
type Sides = [TlbCounters; 2];

/// The TLB's counters by process; 0 is the kernel before the first process.
#[derive(Clone, Default, Debug)]
pub struct TlbByProcess {
    running: u64,
    seen: Sides,
    shares: BTreeMap<u64, Sides>,
}

impl TlbByProcess {
    /// Process `to` runs from now on.
    pub fn switch(&mut self, machine: &Machine, to: u64) {
        let (instruction, data) = machine.tlb_counters();
        self.take_in([instruction, data]);
        self.running = to;
    }

    /// The counters are `now` as they are; what is new is the running process's.
    fn take_in(&mut self, now: Sides) {
        let share = self.shares.entry(self.running).or_default();
        for ((share, now), seen) in share.iter_mut().zip(now).zip(self.seen) {
            *share = *share + (now - seen);
        }
        self.seen = now;
    }

    /// Whose there are.
    pub fn processes(&self) -> impl Iterator<Item = u64> + '_ {
        self.shares.keys().copied()
    }
    /// A process's: instruction and data.
    pub fn of(&self, pid: u64) -> Sides {
        self.shares.get(&pid).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_the_running_process_s() {
        let counters =
            |accesses, misses| TlbCounters { accesses, misses, flushes: 2 * misses, flushed: misses };
        let mut by_process = TlbByProcess::default();
        for (running, accesses) in [(0, 10), (1, 15), (2, 15), (1, 40)] {
            by_process.running = running;
            by_process.take_in([counters(accesses, accesses / 5), counters(2 * accesses, 1)]);
        }
        assert_eq!(by_process.of(0), [counters(10, 2), counters(20, 1)]);
        assert_eq!(by_process.of(1), [counters(30, 6), counters(60, 0)]);
        assert_eq!((by_process.of(2), by_process.of(3)), (Sides::default(), Sides::default()));
    }
}
