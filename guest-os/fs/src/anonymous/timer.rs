//! A timer that is read: timerfd_create(2). All times are in ticks of one clock.

/// The timer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer {
    /// It goes by the time of day.
    pub is_realtime: bool,
    /// When it rings next; none if it is off.
    deadline: Option<u64>,
    /// And then how often; 0: once.
    interval: u64,
    /// How often it has rung and that was read.
    read: u64,
}

impl Timer {
    /// One that is off.
    pub fn new(is_realtime: bool) -> Timer {
        Timer { is_realtime, ..Timer::default() }
    }

    /// Sets it, and forgets how often it has rung.
    pub fn set(&mut self, deadline: Option<u64>, interval: u64) {
        (self.deadline, self.interval) = (deadline, interval);
    }

    /// How long until it rings next (0: never), and how often then.
    pub fn left(&self, now: u64) -> (u64, u64) {
        (self.next(now).map_or(0, |next| (next - now).max(1)), self.interval)
    }

    /// How often it has rung by now, and nobody has read that.
    pub fn rings(&self, now: u64) -> u64 {
        match self.deadline {
            Some(deadline) if deadline <= now => 1 + (now - deadline).checked_div(self.interval).unwrap_or(0),
            _ => 0,
        }
    }

    /// When it rings next, after `now`.
    pub fn next(&self, now: u64) -> Option<u64> {
        let deadline = self.deadline?;
        match (deadline > now, self.interval) {
            (true, _) => Some(deadline),
            (false, 0) => None,
            (false, interval) => deadline.checked_add(self.rings(now).checked_mul(interval)?),
        }
    }

    /// It was read `rings` times at `now`.
    pub fn take(&mut self, rings: u64, now: u64) {
        self.deadline = self.next(now);
        self.read = self.read.wrapping_add(rings);
    }

    /// How often it has rung in all.
    pub(super) fn total(&self, now: u64) -> u64 {
        self.read.wrapping_add(self.rings(now))
    }
}
