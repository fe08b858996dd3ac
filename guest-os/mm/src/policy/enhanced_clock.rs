//! `enhanced-clock`: as `clock`, and what need not be written goes before what must. R and D make four classes, (0,0) (0,1) (1,0) (1,1), and the first page
//! from the hand on of the lowest class goes.
//!
//! Approximates LRU with one bit, and weighs what a victim costs: a dirty page is a write more. As the textbooks have it:
//!
//! 1. From the hand once round, changing nothing: the first page of class (0,0) goes.
//! 2. If there is none, once round again: the first of class (0,1) goes, and R is cleared in each page that is passed.
//! 3. If there is none, every R is clear now: 1 again, and then 2. One of them finds a page.
//!
//! Taken at its word, 1 looks at every page for each victim when all are dirty. It need not. Only a look of ours clears R, and
//! `cleaned` tells when D is cleared: a page that was once seen outside of class (0,0) comes into it in no other way. So `hopeful` has, in
//! the ring's order, the pages that may be in it, and 1 looks at these alone. Each look either ends the search, takes a page off `hopeful`, or clears a bit that a use has set. That is
//! O(1) amortised over uses, victims and pages that enter; at worst two for each page, and one. A call of `cleaned` looks at nothing, but steps along
//! the ring to the next page of `hopeful`, either way. 16 bytes and a bit a page.

use super::ring::Ring;
use super::search::Search;
use super::uses::Uses;
use super::{Choice, Left, Look, Marks, PageName, Place, Policy, World};
use alloc::collections::TryReserveError;

/// A ring with a hand that goes by R and D.
#[derive(Clone, Debug, Default)]
pub(super) struct EnhancedClock {
    ring: Ring,
    /// The pages that may have R and D clear, in the ring's order from its hand on. All others have one set.
    hopeful: Ring,
    uses: Uses,
}

impl EnhancedClock {
    fn take_out(&mut self, place: Place) {
        self.ring.remove(place);
        if self.hopeful.contains(place) {
            self.hopeful.remove(place);
        }
    }

    /// Pass 1. Whoever is not chosen is not hopeful any more.
    fn first_class(&mut self, search: &mut Search<'_>) -> Option<(Place, Marks)> {
        while let Some(place) = self.hopeful.at_hand() {
            match search.peek_with(place, &self.uses) {
                Look::Marks(marks) if !marks.accessed && !marks.dirty => {
                    self.ring.turn_to(place);
                    return Some((place, marks));
                }
                Look::Marks(_) => self.hopeful.remove(place),
                Look::Busy => self.take_out(place),
            }
        }
        None
    }

    /// Pass 2. A page whose R it clears is in class (0,0) or (0,1) now, by its D.
    fn second_class(&mut self, search: &mut Search<'_>) -> Option<(Place, Marks)> {
        for _ in 0..self.ring.len() {
            let place = self.ring.at_hand()?;
            match search.look(place, &mut self.uses) {
                Look::Marks(marks) if !marks.accessed => return Some((place, marks)),
                Look::Marks(marks) => {
                    self.ring.advance();
                    if !marks.dirty {
                        self.hopeful.push(place);
                    }
                }
                Look::Busy => self.take_out(place),
            }
        }
        None
    }
}

impl Policy for EnhancedClock {
    fn reserve(&mut self, places: u32) -> Result<(), TryReserveError> {
        self.uses.reserve(places)?;
        self.hopeful.reserve(places)?;
        self.ring.reserve(places)
    }
    fn enter(&mut self, place: Place, _: PageName) {
        self.ring.push(place);
        self.hopeful.push(place);
        self.uses.forget(place);
    }
    fn leave(&mut self, place: Place, _: Left) {
        self.take_out(place);
    }
    fn is_entered(&self, place: Place) -> bool {
        self.ring.contains(place)
    }
    fn entered(&self) -> u32 {
        self.ring.len()
    }
    fn used(&mut self, place: Place) {
        self.uses.note(place);
    }

    fn cleaned(&mut self, place: Place) {
        if !self.ring.contains(place) || self.hopeful.contains(place) {
            return;
        }
        let Some((hand, first)) = self.ring.at_hand().zip(self.hopeful.at_hand()) else {
            return self.hopeful.push(place);
        };
        let (mut before, mut after) = (place, self.ring.after(place));
        loop {
            // The hand is where the order begins: nobody hopeful lies between it and the page, or between the page and it.
            if before == hand {
                return self.hopeful.insert_before(place, first);
            }
            if after == hand {
                return self.hopeful.push(place);
            }
            before = self.ring.before(before);
            if self.hopeful.contains(before) {
                return self.hopeful.insert_after(place, before);
            }
            if self.hopeful.contains(after) {
                return self.hopeful.insert_before(place, after);
            }
            after = self.ring.after(after);
        }
    }

    fn victim(&mut self, world: &mut dyn World) -> Option<Choice> {
        let mut search = Search::new(world, self.ring.len());
        for _ in 0..2 {
            let found = self.first_class(&mut search).or_else(|| self.second_class(&mut search));
            if let Some((place, marks)) = found {
                return Some(search.choose(place, marks));
            }
        }
        None
    }
}
