//! The injector: refuses each request for memory of each call once, to show that a refusal hurts nobody.
//!
//! Off unless the kernel's command line has `folio.refuse`. When it is on, a system call or page fault is served with its first
//! request for memory refused (a share of the heap, a large allocation, a frame). If it then fails, it is served again with the second
//! one refused, and so on until no refusal meets it or it succeeds all the same. Parts of a call that stay done when a
//! later one fails (the pages that a copy touches, the pieces of a transfer) are tried again by themselves. So the program sees the
//! results that it always sees, provided that what was refused has left nothing behind. Meanwhile each allocation in pieces is
//! charged to the running thread's share of the heap, which it must not exceed.

use crate::hart::hart;
use crate::memory::heap::THREAD_BYTES;
use core::cell::Cell;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static ON: AtomicBool = AtomicBool::new(false);
static REFUSED: AtomicU64 = AtomicU64::new(0);
static DEEPEST: AtomicU64 = AtomicU64::new(0);

/// One attempt at a call or a part of one.
#[derive(Clone, Copy, Default)]
struct Attempt {
    /// Which request is refused, counted from 1; 0 while nothing is.
    refused: u32,
    /// Requests made so far.
    made: u32,
    /// The request came.
    fired: bool,
}

/// The injector's state of one thread.
#[derive(Clone, Copy, Default)]
pub struct Attempts {
    attempt: Attempt,
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
#[inline]
pub fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Tells what was done, at the end of the run.
pub fn report() {
    if is_on() {
        let (refused, deepest) = (REFUSED.load(Ordering::Relaxed), DEEPEST.load(Ordering::Relaxed));
        log::info!(
            "refused {refused} requests for memory; a call drew {deepest} of {THREAD_BYTES} bytes at most"
        );
    }
}

#[inline]
fn with<R>(action: impl FnOnce(&mut Attempts) -> R) -> Option<R> {
    if is_on() { with_current(action) } else { None }
}

#[cold]
#[inline(never)]
fn with_current<R>(action: impl FnOnce(&mut Attempts) -> R) -> Option<R> {
    let current = hart().current.try_borrow().ok()?;
    let cell: &Cell<Attempts> = &current.as_ref()?.attempts;
    let mut attempts = cell.get();
    let result = action(&mut attempts);
    cell.set(attempts);
    Some(result)
}

/// Serves a call or a part of one, again and again while it `failed` by a refusal.
#[inline]
pub fn attempts<R>(failed: impl Fn(&R) -> bool, mut action: impl FnMut() -> R) -> R {
    let outer = with(|a| core::mem::take(&mut a.attempt));
    let mut refused = 0;
    loop {
        refused += 1;
        if outer.is_some() {
            with(|a| a.attempt = Attempt { refused, ..Attempt::default() });
        }
        let result = action();
        let Some(outer) = outer else { return result };
        if !(has_refused() && failed(&result)) {
            with(|a| a.attempt = outer);
            return result;
        }
    }
}

/// Whether a request of what is served has been refused.
pub fn has_refused() -> bool {
    with(|a| a.attempt.fired).unwrap_or(false)
}

/// Asked at each request for memory: whether to refuse it.
#[inline]
pub fn refuses() -> bool {
    with(|a| {
        let attempt = &mut a.attempt;
        if attempt.refused == 0 || attempt.fired {
            return false;
        }
        attempt.made += 1;
        attempt.fired = attempt.made == attempt.refused;
        REFUSED.fetch_add(u64::from(attempt.fired), Ordering::Relaxed);
        attempt.fired
    })
    .unwrap_or(false)
}

/// Does what cannot fail any more, since its memory has been seen to: nothing is refused meanwhile.
pub fn covered<R>(action: impl FnOnce() -> R) -> R {
    let outer = with(|a| core::mem::take(&mut a.attempt));
    let result = action();
    if let Some(outer) = outer {
        with(|a| a.attempt = outer);
    }
    result
}

/// The thread's share is whole again.
#[inline]
pub fn settled() {
    with(|a| (a.drawn, a.allowed) = (0, 0));
}

/// The thread may draw `bytes` beside its share.
pub fn allow(bytes: usize) {
    with(|a| a.allowed += bytes);
}

/// An allocation, in a piece or not.
#[inline]
pub fn charge(bytes: usize, is_piece: bool) {
    with(|a| {
        if is_piece && a.attempt.refused > 0 {
            a.drawn += bytes;
            DEEPEST.fetch_max(a.drawn.saturating_sub(a.allowed) as u64, Ordering::Relaxed);
            assert!(a.drawn <= THREAD_BYTES + a.allowed, "a call draws {} bytes of the heap", a.drawn);
        }
    });
}

/// Something was freed.
#[inline]
pub fn credit(bytes: usize) {
    with(|a| a.drawn = a.drawn.saturating_sub(bytes));
}
