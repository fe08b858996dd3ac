//! A thread at a standstill: what one instruction needs leaves memory again before all of it is there.
//!
//! Others may be what takes it. So memory is first kept for such a thread alone, until it has come further ([`claim::take_all`]); if it comes
//! no further even so, this is the end of memory.

use crate::memory::oom::{self, Shortage};
use crate::memory::{claim, mem};
use crate::processes::thread::{Place, Thread};
use isa::VirtAddr;

/// Where the faults of a thread have found it.
#[derive(Clone, Copy, Default)]
pub struct Standstill {
    /// Where its last fault from disk did.
    at: Place,
    /// How many of its faults have found it there.
    rounds: u32,
    /// How many of them, the last one and those right before it, for want of frames of its own.
    rounds_of_its_own: u32,
}

impl Standstill {
    /// An instruction needs four pages at most. That others take some of them away meanwhile happens.
    const ROUNDS_AMONG_OTHERS: u32 = 8;
    /// Where nobody does, and pages are chosen by lot, it may throw out its own a few times.
    const MOST_ROUNDS: u32 = 32;

    /// One fault more, and what there is too little of now.
    fn after(self, at: Place, shortage: Option<Shortage>) -> Self {
        let before = if at == self.at { self } else { Self::default() };
        let is_its_own = shortage == Some(Shortage::OfItsOwn);
        let rounds_of_its_own = if is_its_own { before.rounds_of_its_own + 1 } else { 0 };
        Self { at, rounds: before.rounds + 1, rounds_of_its_own }
    }
}

/// Notes that a fault for what was on a disk is resolved, and has memory kept for the thread alone if need be. Returns what there is too little of if it has
/// one such fault after the other and will come no further.
pub fn comes_no_further(thread: &Thread) -> Option<Shortage> {
    if claim::is_anothers() {
        // That one will be served, and then there are more.
        return None;
    }
    let shortage = shortage(thread);
    let at = thread.place()?;
    let standstill = thread.standstill.get().after(at, shortage);
    thread.standstill.set(standstill);
    match shortage? {
        Shortage::OfItsOwn => {
            (standstill.rounds_of_its_own > Standstill::MOST_ROUNDS).then_some(Shortage::OfItsOwn)
        }
        Shortage::OfFrames if claim::has_all() => {
            (standstill.rounds > Standstill::MOST_ROUNDS).then_some(Shortage::OfFrames)
        }
        Shortage::OfFrames => {
            if standstill.rounds > Standstill::ROUNDS_AMONG_OTHERS {
                claim::take_all(at);
                thread.standstill.set(Standstill { rounds: 0, ..standstill });
            }
            None
        }
    }
}

/// What there is too little of for pages to stay.
fn shortage(thread: &Thread) -> Option<Shortage> {
    let (space, mut memory) = (thread.process.space(), mem::memory());
    let space = space.borrow();
    let is_full = !memory.with_what_is_aside(|memory| memory.has_frames_for_a_fault());
    if space.budget(&memory).is_some() && !(is_full && memory.is_within_budget(space.key())) {
        return Some(Shortage::OfItsOwn);
    }
    is_full.then_some(Shortage::OfFrames)
}

/// A thread comes no further: its process is killed if it may not have more; otherwise the largest, for whose end it waits if that is another one.
/// Returns whether it may go on.
#[cold]
pub fn give_way(thread: &Thread, va: VirtAddr, shortage: Shortage) -> bool {
    thread.standstill.take();
    match shortage {
        Shortage::OfItsOwn => {
            oom::out_of_frames(thread, va, shortage);
            false
        }
        Shortage::OfFrames => oom::kill_largest(va),
    }
}
