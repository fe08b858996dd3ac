//! `--realtime`: keeps guest time from running ahead of the host's clock, by sleeping.
//!
//! A step is a nanosecond. A guest that computes is slower than that and never sleeps here; one that waits is held back
//! at the end of each slice. What the guest computes is the same with and without, until input arrives.

use isa::Step;
use std::time::{Duration, Instant};

/// The last moment at which guest and host were level.
pub struct Pace {
    step: Step,
    instant: Instant,
}

impl Pace {
    /// Level at `now`.
    pub fn new(now: Step) -> Self {
        Self { step: now, instant: Instant::now() }
    }

    /// How long to sleep at guest time `now`. A guest that lags does not run faster later: it is level from now on.
    pub fn ahead(&mut self, now: Step) -> Duration {
        let ahead = self.ahead_at(now, self.instant.elapsed());
        if ahead.is_zero() {
            *self = Self::new(now);
        }
        ahead
    }

    fn ahead_at(&self, now: Step, elapsed: Duration) -> Duration {
        Duration::from_nanos(now.0.saturating_sub(self.step.0)).saturating_sub(elapsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_guest_that_is_ahead_sleeps() {
        let pace = Pace::new(Step(1_000_000));
        for (now, elapsed, sleep) in
            [(1_000_000, 0, 0), (3_000_000, 500, 1500), (3_000_000, 2500, 0), (0, 0, 0)]
        {
            let ahead = pace.ahead_at(Step(now), Duration::from_micros(elapsed));
            assert_eq!(ahead, Duration::from_micros(sleep), "{now} after {elapsed} µs");
        }
    }
}
