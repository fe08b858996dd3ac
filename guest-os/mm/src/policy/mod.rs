//! Page replacement as pure policies: facts in, a victim out. No frame, no page table and no disk is touched here.
//!
//! A [`Policy`] knows *places*, each of which holds one page that it may choose: under global replacement a frame, under local
//! replacement a slot of the address space's own. Whoever moves the pages tells it facts ([`enter`](Policy::enter), [`leave`](Policy::leave),
//! [`used`](Policy::used), [`cleaned`](Policy::cleaned)) and asks for a [`victim`](Policy::victim). While it looks for one, a policy asks the
//! [`World`] for the R and D bits of single pages; it never learns of a use in any other way, as no kernel sees each reference.
//!
//! ```text
//!   a page comes      enter(place, name)            the caller finds out, evicts, writes back:
//!   it goes           leave(place, why)             let choice = policy.victim(&mut world);
//!   read(2) uses it   used(place)                   … the page leaves memory …
//!   it was written    cleaned(place)                policy.leave(choice.place, Left::Evicted);
//! ```
//!
//! # What every policy promises
//!
//! - **It never allocates but in [`reserve`](Policy::reserve)**, which may say no. The others run when memory has run out. Space is a few bytes a
//!   place (each file says how many); they are filled when the places are entered.
//! - **The same calls with the same answers bring the same victims.** Nothing is hashed, nothing is read from a clock but [`World::now`].
//! - **A page that is [`Look::Busy`] is out.** The policy forgets it as if it had left, and goes on; who holds the page enters it again when the hold ends
//!   ([`is_entered`](Policy::is_entered) tells). So a page is found busy once each time it comes, and no search passes the same held pages again and
//!   again. If all are busy, `victim` has asked for each once and says `None`.
//! - **The victim stays entered** until `leave`. Asked again, a policy may choose it again; a page that cannot go is Busy.
//!
//! A page's first use is the one that brings it in: the access is tried again when the fault is resolved, and sets R. No policy here makes a difference between
//! that use and others, so under those that go by R every page comes with a chance.
//!
//! # How the policies fit that are not here yet
//!
//! - **Working-set clock** (Carr and Hennessy 1981): the ring of `clock`; a word a place for the time of last use, which is [`World::now`] when `look` finds R. The victim
//!   is the first page that is clean and unused for longer than the window; D and R come with one look. What is old but dirty is remembered in passing, and goes
//!   if a round finds nothing better. Local replacement answers `now` with the steps that the process itself has run.
//!   Only to have the writes of such pages begun while it goes on would it need one question more of the `World`.
//! - **2Q** (Johnson and Shasha 1994): two rings over the same places (A1in, Am) and a ring of names (A1out), with an index over them that `reserve` has made. [`PageName`] in `enter`
//!   says whether a page comes back, [`Left::Evicted`] in `leave` that it may: names of pages that were freed are not kept, and a name that dies while
//!   its page is out does no harm, it grows old and falls off. Am is moved by `used` and by R at the hand, as no kernel can move it at each use.
//! - **SIEVE** (Zhang et al. 2024): one ring, whose hand stays where it is while new pages come at the head. It and S3-FIFO want a page's first use not to count;
//!   they call `look` for the page that came last, and forget the answer, before they look for the next victim. `look` is free to ask for any page.
//! - **S3-FIFO** (Yang et al. 2023): two queues and a ring of names as in 2Q, and two bits a place that count the looks that found R and the calls of `used`.
//! - **Generations** (Linux's multi-generational LRU): a list for each generation and the number of the youngest. Making a generation is a walk with `look` over the places,
//!   paid for by the victims of the one that it ends, as in `aging`. A walk along page tables, which finds used neighbours at once, tells what it found by
//!   `used`. File and anonymous pages apart are two policies, and a choice between them.
//! - **LRU and OPT** need every reference: on the host, from a trace, through the same trait (`used` at each reference; OPT is made with the future).
//!
//! guest-os/mm/tests/policies/to_come.rs has the working-set clock, 2Q, SIEVE, S3-FIFO and generations in short, to show that the trait carries them. docs/policies.md compares the
//! policies; guest-os/mm/tests/policies/main.rs holds each against a slow model, victim for victim.

mod aging;
mod clock;
mod enhanced_clock;
mod fifo;
mod kind;
mod random;
mod ring;
mod rows;
mod search;
mod second_chance;
mod uses;

pub use isa::policies::{Marks, PolicyKind, UnknownPolicy, Why};
pub use kind::make;

use alloc::collections::TryReserveError;
use core::fmt;
use isa::Step;

/// A place for a page among those that a policy may choose from. Places are dense: they begin with 0, and space is taken for all below
/// the largest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Place(pub u32);

impl Place {
    /// As an index into what is kept for each place.
    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Which page it is, wherever it lies: a policy that remembers pages that have gone knows it again by this. The same number is the same page.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PageName(pub u64);

/// A victim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choice {
    /// Where it lies.
    pub place: Place,
    /// What led to it.
    pub why: Why,
}

/// What there is to see of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Look {
    /// It may go.
    Marks(Marks),
    /// It cannot go now: I/O holds it, or it is locked. The policy has forgotten it by this, until it is entered again.
    Busy,
}

/// Why a page leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// It was the victim, and may come back under the same name.
    Evicted,
    /// It was freed, or is not to be chosen any more: nothing that is worth to be remembered.
    Freed,
}

/// What a policy may ask of memory while it looks for a victim. No program runs between the questions of one search: a bit that was cleared stays clear.
pub trait World {
    /// A page's bits; R is clear afterwards, in every entry that maps the page and in every TLB.
    fn look(&mut self, place: Place) -> Look;
    /// A page's bits, as they stay.
    fn peek(&mut self, place: Place) -> Look;
    /// The time by which pages grow old: the machine's, or that of the process whose pages these are.
    fn now(&self) -> Step;
}

/// A replacement policy. The [module](self) says what all of them promise.
///
/// Calls that make no sense (a page enters where one is, or leaves where none is, or a place that was not reserved) are
/// mistakes of the caller and panic.
pub trait Policy: fmt::Debug {
    /// Makes room for places up to `places`, in all. Pages that are entered stay as they are. Changes nothing if there is no room.
    fn reserve(&mut self, places: u32) -> Result<(), TryReserveError>;
    /// A page has come into this place and may be chosen from now on.
    fn enter(&mut self, place: Place, name: PageName);
    /// The page in this place may not be chosen any more.
    fn leave(&mut self, place: Place, why: Left);
    /// Whether the page in this place may be chosen.
    fn is_entered(&self, place: Place) -> bool;
    /// How many pages may be chosen.
    fn entered(&self) -> u32;
    /// The page was used in a way that no entry will tell of: by the kernel itself (`read` of a cached page), or through an entry that goes with its R bit set
    /// while the page stays. Counts as R does. Nothing, if the page is not entered.
    fn used(&mut self, _place: Place) {}
    /// The page was written back and stays: its D bit is clear now. Nothing, if the page is not entered.
    fn cleaned(&mut self, _place: Place) {}
    /// The page to go, if any can.
    fn victim(&mut self, world: &mut dyn World) -> Option<Choice>;
}
