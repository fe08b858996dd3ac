//! `clock`: the pages lie in a ring; a hand goes round and takes the first page that was not used since it last came by.
//!
//! Approximates LRU with one bit (Corbató 1968). The hand clears R where it is set and goes on. A new page comes in behind the hand, so the hand meets it last. A victim
//! leaves the hand on the page after it.
//! A look that finds no victim clears a bit that a use has set, so looks are O(1) amortised over uses and victims; at worst one for each page, and one (all were
//! used: the hand comes round and takes where it began). 8 bytes and a bit a page.

use super::ring::Ring;
use super::search::Search;
use super::uses::Uses;
use super::{Choice, Left, Look, PageName, Place, Policy, World};
use alloc::collections::TryReserveError;

/// A ring with a hand.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock {
    ring: Ring,
    uses: Uses,
}

impl Policy for Clock {
    fn reserve(&mut self, places: u32) -> Result<(), TryReserveError> {
        self.uses.reserve(places)?;
        self.ring.reserve(places)
    }
    fn enter(&mut self, place: Place, _: PageName) {
        self.ring.push(place);
        self.uses.forget(place);
    }
    fn leave(&mut self, place: Place, _: Left) {
        self.ring.remove(place);
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
    fn victim(&mut self, world: &mut dyn World) -> Option<Choice> {
        let mut search = Search::new(world, self.ring.len());
        while let Some(place) = self.ring.at_hand() {
            match search.look(place, &mut self.uses) {
                Look::Marks(marks) if !marks.accessed => return Some(search.choose(place, marks)),
                Look::Marks(_) => self.ring.advance(),
                Look::Busy => self.ring.remove(place),
            }
        }
        None
    }
}
