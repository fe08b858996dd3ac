//! Timers that ring again and again.

/// Ticks between two rings at least (50 µs): the program must get on, however short its interval and however long the kernel takes to ring.
pub const SHORTEST_TICKS: u64 = 500;

/// When a timer that was due at `deadline` rings next: at the first multiple of its interval that is still to come. What was missed
/// meanwhile rings once, not once each.
pub fn next_ring(deadline: u64, interval: u64, now: u64) -> u64 {
    assert!(interval > 0 && deadline <= now, "the timer has rung and rings again");
    let missed = (now - deadline) / interval;
    let next = interval.saturating_mul(missed + 1).saturating_add(deadline);
    next.max(now.saturating_add(SHORTEST_TICKS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_keeps_its_beat() {
        assert_eq!(next_ring(1000, 1000, 1000), 2000);
        assert_eq!(next_ring(1000, 1000, 1003), 2000);
        assert_eq!(next_ring(1000, 1000, 1999), 2499, "not at 2000: that is too soon");
        assert_eq!(next_ring(1000, 1000, 7_000_400), 7_001_000, "six million beats were missed");
    }

    #[test]
    fn a_short_interval_leaves_time_to_run() {
        assert_eq!(next_ring(1, 1, u64::from(u32::MAX)), u64::from(u32::MAX) + SHORTEST_TICKS);
    }

    #[test]
    fn a_huge_interval_never_ends_a_second_time() {
        assert_eq!(next_ring(10, u64::MAX, 10), u64::MAX);
        assert_eq!(next_ring(10, u64::MAX - 5, 10), u64::MAX);
        assert_eq!(next_ring(10, 1 << 63, 1 << 62), (1 << 63) + 10);
    }
}
