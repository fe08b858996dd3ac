//! A counter of events: eventfd(2).

use crate::Readiness;

/// The counter.
#[derive(Clone, Copy, Debug)]
pub struct EventCounter {
    count: u64,
    /// Each read takes one, and not all.
    is_semaphore: bool,
}

/// What the counter never reaches.
const LIMIT: u64 = u64::MAX;

impl EventCounter {
    /// A counter that begins at `count`.
    pub fn new(count: u32, is_semaphore: bool) -> EventCounter {
        EventCounter { count: count.into(), is_semaphore }
    }

    /// What a read takes; `None` while there is nothing.
    pub fn value(self) -> Option<u64> {
        match self.count {
            0 => None,
            _ if self.is_semaphore => Some(1),
            count => Some(count),
        }
    }

    /// Takes what was read. `false`, with nothing done, if it is no longer there.
    pub fn take(&mut self, value: u64) -> bool {
        let is_there = self.value() == Some(value);
        if is_there {
            self.count -= value;
        }
        is_there
    }

    /// Adds to it. `false`, with nothing done, if there is no room.
    pub fn add(&mut self, value: u64) -> bool {
        let fits = value < LIMIT - self.count;
        if fits {
            self.count += value;
        }
        fits
    }

    pub(super) fn readiness(self) -> Readiness {
        let mut ready = Readiness::empty();
        ready.set(Readiness::IN, self.count > 0);
        ready.set(Readiness::OUT, self.count < LIMIT - 1);
        ready
    }
}
