//! A thread at a standstill: what one instruction needs leaves memory again before all of it is there.
//!
//! Others may be what takes it. So memory is first kept for such a thread alone, until it has come further ([`claim::take_all`]); if it comes
//! no further even so, this is the end of memory.
//!
//! Where a process's own budget is what binds, its threads may throw out one another's pages, or a loop with LR and SC, which a fault between
//! them begins anew, its own. Then it is lent a page ([`Memory::lend_page`](mm::Memory::lend_page)). Only if a single instruction of a single
//! thread needs more than the budget is it killed.

use crate::memory::oom::{self, Shortage};
use crate::memory::{claim, mem};
use crate::processes::process::table;
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
    /// One of the places of late, since how many faults, and how many of these have found it there again.
    earlier: (Place, u32, u32),
}

impl Standstill {
    /// An instruction needs four pages at most. That others take some of them away meanwhile happens.
    const ROUNDS_AMONG_OTHERS: u32 = 8;
    /// Where nobody does, and pages are chosen by lot, it may throw out its own a few times.
    const MOST_ROUNDS: u32 = 32;
    /// A loop of a few faults comes by an earlier place at least so often...
    const MOST_RETURNS: u32 = 20;
    /// ...in so many faults.
    const FAULTS_OF_RETURNS: u32 = 256;
    /// Pages that a loop with LR and SC needs at most, if it is one that the ISA promises to come to an end: two of code, one of data
    /// (unprivileged manual, "Eventual Success of Store-Conditional Instructions").
    const PAGES_OF_A_LOOP: u64 = 3;

    /// One fault more, and what there is too little of now.
    fn after(self, at: Place, shortage: Option<Shortage>) -> Self {
        let before = if at == self.at { self } else { Self::default() };
        let is_its_own = shortage == Some(Shortage::OfItsOwn);
        let rounds_of_its_own = if is_its_own { before.rounds_of_its_own + 1 } else { 0 };
        let earlier = match self.earlier {
            (place, since, returns) if place == at => (place, since + 1, returns + 1),
            (place, since, returns) if since < Self::FAULTS_OF_RETURNS => (place, since + 1, returns),
            _ => (at, 0, 0),
        };
        Self { at, rounds: before.rounds + 1, rounds_of_its_own, earlier }
    }

    /// Whether it goes round and round.
    fn returns(&self) -> bool {
        let (_, since, returns) = self.earlier;
        since < Self::FAULTS_OF_RETURNS && returns > Self::MOST_RETURNS
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
            let is_alone = table(|t| t.thread_count(thread.process.pid)) == 1;
            let stands = standstill.rounds_of_its_own > Standstill::MOST_ROUNDS;
            if stands && is_alone {
                return Some(Shortage::OfItsOwn);
            }
            if stands || standstill.returns() && lacks_pages_of_a_loop(thread) {
                lend(thread);
            }
            None
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

/// Whether the budget of a thread's process is smaller than what a loop with LR and SC may need.
fn lacks_pages_of_a_loop(thread: &Thread) -> bool {
    let budget = thread.process.space().borrow().budget(&mem::memory());
    budget.is_some_and(|budget| budget < Standstill::PAGES_OF_A_LOOP)
}

/// The process of a thread may have a page more, for a while.
#[cold]
fn lend(thread: &Thread) {
    thread.standstill.take();
    let space = thread.process.space();
    let key = space.borrow().key();
    oom::tell_lent(&thread.process, space.borrow().budget(&mem::memory()).unwrap_or(0));
    mem::memory().lend_page(key);
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
