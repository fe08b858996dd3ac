//! What the disk does for memory: frames may come free when it is done.

use crate::memory::mem;
use core::sync::atomic::{AtomicU64, Ordering};

/// Reads under way that nobody has asked for.
static READS_AHEAD: AtomicU64 = AtomicU64::new(0);

/// A read ahead has begun: it holds a frame, which can be had when it is done.
pub fn begins_read_ahead() {
    READS_AHEAD.fetch_add(1, Ordering::Relaxed);
}

/// One has come to its end.
pub fn ends_read_ahead() {
    READS_AHEAD.fetch_sub(1, Ordering::Relaxed);
}

/// Whether a read is under way that nobody has asked for.
pub fn is_reading_ahead() -> bool {
    READS_AHEAD.load(Ordering::Relaxed) > 0
}

/// Whether the disk is at work on pages.
pub fn is_under_way() -> bool {
    let memory = mem::memory();
    memory.swap().in_motion() > 0 || memory.cache().reading() > 0 || is_reading_ahead()
}
