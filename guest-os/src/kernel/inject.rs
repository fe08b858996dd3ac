//! The injector: refuses each request for memory of each call once, to show that a refusal hurts nobody.
//!
//! Off unless `/chosen` has `folio,refuse`. When it is on, a system call or page fault is served with its first request for memory refused
//! (a share of the heap, a large allocation, a frame). If it then fails, it is served again with the second one refused, and so on until
//! no refusal meets it or it succeeds all the same. So the program sees the results that it always sees, provided that a call that
//! was refused has left nothing behind. Meanwhile each allocation in pieces is charged to the running thread's share of
//! the heap, which it must not exceed.

use crate::hart::hart;
use crate::heap::THREAD_BYTES;
use core::cell::Cell;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static ON: AtomicBool = AtomicBool::new(false);
static REFUSED: AtomicU64 = AtomicU64::new(0);
static DEEPEST: AtomicU64 = AtomicU64::new(0);

/// The injector's state of one thread.
#[derive(Clone, Copy, Default)]
pub struct Attempts {
    /// Which request is refused, counted from 1; 0 while no call is served.
    refused: u32,
    /// Requests made so far.
    made: u32,
    /// The request came.
    fired: bool,
    /// Bytes of pieces allocated and not freed since the share was last whole.
    drawn: usize,
    /// Bytes allowed beside the share.
    allowed: usize,
}

/// Switches the injector on.
pub fn start() {
    ON.store(true, Ordering::Relaxed);
}

/// Whether it is on.
pub fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Requests refused so far, and the most that a thread has drawn from its share, in bytes.
pub fn tally() -> (u64, u64) {
    (REFUSED.load(Ordering::Relaxed), DEEPEST.load(Ordering::Relaxed))
}

fn with<R>(action: impl FnOnce(&mut Attempts) -> R) -> Option<R> {
    if !is_on() {
        return None;
    }
    let current = hart().current.try_borrow().ok()?;
    let cell: &Cell<Attempts> = &current.as_ref()?.attempts;
    let mut attempts = cell.get();
    let result = action(&mut attempts);
    cell.set(attempts);
    Some(result)
}

/// A call is about to be served.
pub fn begin() {
    with(|a| *a = Attempts { refused: 1, ..Attempts::default() });
}

/// A call has been served and has failed or not. `true`: it is to be served again, with the next request refused.
pub fn again(failed: bool) -> bool {
    with(|a| {
        let again = a.fired && failed;
        *a = Attempts { refused: if again { a.refused + 1 } else { 0 }, ..Attempts::default() };
        again
    })
    .unwrap_or(false)
}

/// Whether a request of the call that is served has been refused.
pub fn has_refused() -> bool {
    with(|a| a.fired).unwrap_or(false)
}

/// Asked at each request for memory: whether to refuse it.
pub fn refuses() -> bool {
    with(|a| {
        if a.refused == 0 || a.fired {
            return false;
        }
        a.made += 1;
        a.fired = a.made == a.refused;
        REFUSED.fetch_add(u64::from(a.fired), Ordering::Relaxed);
        a.fired
    })
    .unwrap_or(false)
}

/// Does what cannot fail any more, since its memory has been seen to: nothing is refused meanwhile.
pub fn covered<R>(action: impl FnOnce() -> R) -> R {
    let refused = with(|a| core::mem::take(&mut a.refused));
    let result = action();
    if let Some(refused) = refused {
        with(|a| a.refused = refused);
    }
    result
}

/// The thread's share is whole again.
pub fn settled() {
    with(|a| (a.drawn, a.allowed) = (0, 0));
}

/// The thread may draw `bytes` beside its share.
pub fn allow(bytes: usize) {
    with(|a| a.allowed += bytes);
}

/// An allocation, in a piece or not.
pub fn charge(bytes: usize, is_piece: bool) {
    with(|a| {
        if is_piece && a.refused > 0 {
            a.drawn += bytes;
            DEEPEST.fetch_max(a.drawn.saturating_sub(a.allowed) as u64, Ordering::Relaxed);
            assert!(a.drawn <= THREAD_BYTES + a.allowed, "a call draws {} bytes of the heap", a.drawn);
        }
    });
}

/// Something was freed.
pub fn credit(bytes: usize) {
    with(|a| a.drawn = a.drawn.saturating_sub(bytes));
}
