//! Policies and the memory that they take: `reserve` asks for it and may be refused, nothing else asks for any.
#![allow(clippy::unwrap_used)] // in functions that only tests call

use isa::Step;
use mm::policy::{Left, Look, Marks, PageName, Place, PolicyKind, World, make};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The host's allocator, with a count of this thread's calls and a switch by which it refuses them.
struct Watched;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static REFUSES: Cell<bool> = const { Cell::new(false) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: `System` upholds the contract, and null is always an answer; the cells are this thread's own and need no allocation.
unsafe impl GlobalAlloc for Watched {
    // SAFETY: the caller's promises are passed on to `System`.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        BYTES.set(BYTES.get() + layout.size());
        if REFUSES.get() {
            return std::ptr::null_mut();
        }
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }
    // SAFETY: the caller's promises are passed on to `System`, which has allocated whatever this type has.
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        BYTES.set(BYTES.get().saturating_sub(layout.size()));
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static HEAP: Watched = Watched;

/// A memory in which bits follow from the number of the question, and every tenth page is held.
struct Arbitrary(u32);

impl World for Arbitrary {
    fn look(&mut self, place: Place) -> Look {
        self.peek(place)
    }
    fn peek(&mut self, place: Place) -> Look {
        self.0 += 1;
        let accessed = self.0.is_multiple_of(3) && place.0.is_multiple_of(2);
        if self.0.is_multiple_of(10) {
            Look::Busy
        } else {
            Look::Marks(Marks { accessed, dirty: place.0.is_multiple_of(5) })
        }
    }
    fn now(&self) -> Step {
        Step(self.0.into())
    }
}

#[test]
fn only_reserve_allocates() {
    for kind in PolicyKind::all() {
        let mut policy = make(kind, 1);
        policy.reserve(1000).unwrap();
        let calls = CALLS.get();
        let mut world = Arbitrary(0);
        for round in 0..10_000_u32 {
            let place = Place(round.wrapping_mul(7919) % 1000);
            policy.used(place);
            policy.cleaned(place);
            if policy.is_entered(place) {
                policy.leave(place, Left::Freed);
            } else {
                policy.enter(place, PageName(round.into()));
            }
            if round.is_multiple_of(4)
                && let Some(choice) = policy.victim(&mut world)
            {
                policy.leave(choice.place, Left::Evicted);
            }
        }
        assert_eq!(CALLS.get(), calls, "{kind}");
    }
}

#[test]
fn reserve_takes_the_bytes_that_the_page_tells() {
    let expected = [8, 8, 8, 16, 9, 8];
    for (kind, bytes) in PolicyKind::all().zip(expected) {
        let mut policy = make(kind, 1);
        let before = BYTES.get();
        policy.reserve(6400).unwrap();
        let goes_by_r = ![PolicyKind::Fifo, PolicyKind::Random].contains(&kind);
        let bits = if goes_by_r { 6400 / 8 } else { 0 };
        assert_eq!(BYTES.get() - before, 6400 * bytes + bits, "{kind}");
    }
}

#[test]
fn a_reserve_that_is_refused_changes_nothing() {
    for kind in PolicyKind::all() {
        let mut policy = make(kind, 1);
        policy.reserve(100).unwrap();
        (0..100).for_each(|place| policy.enter(Place(place), PageName(0)));
        REFUSES.set(true);
        let refused = policy.reserve(1000);
        REFUSES.set(false);
        assert!(refused.is_err(), "{kind}");
        assert_eq!(policy.entered(), 100);
        assert!(policy.is_entered(Place(99)) && !policy.is_entered(Place(100)));
        policy.reserve(1000).unwrap();
        policy.enter(Place(999), PageName(0));
        policy.leave(Place(0), Left::Freed);
        assert_eq!(policy.entered(), 100);
    }
}
