//! `second-chance`: first in, first out, but a page that was used comes in once more.
//!
//! Approximates LRU with one bit: a page goes only if it was not used since it came to the queue's end. Chooses as `clock` does, always; there
//! the pages stay and a hand moves, here they move, which is six stores each.
//! A look that finds no victim clears a bit that a use has set, so looks are O(1) amortised over uses and victims; at worst one for each page, and one.
//! 8 bytes and a bit a page.

use super::ring::Ring;
use super::search::Search;
use super::uses::Uses;
use super::{Choice, Left, Look, PageName, Place, Policy, World};
use alloc::collections::TryReserveError;

/// A queue with second chances.
#[derive(Clone, Debug, Default)]
pub(super) struct SecondChance {
    queue: Ring,
    uses: Uses,
}

impl Policy for SecondChance {
    fn reserve(&mut self, places: u32) -> Result<(), TryReserveError> {
        self.uses.reserve(places)?;
        self.queue.reserve(places)
    }
    fn enter(&mut self, place: Place, _: PageName) {
        self.queue.push(place);
        self.uses.forget(place);
    }
    fn leave(&mut self, place: Place, _: Left) {
        self.queue.remove(place);
    }
    fn is_entered(&self, place: Place) -> bool {
        self.queue.contains(place)
    }
    fn entered(&self) -> u32 {
        self.queue.len()
    }
    fn used(&mut self, place: Place) {
        self.uses.note(place);
    }
    fn victim(&mut self, world: &mut dyn World) -> Option<Choice> {
        let mut search = Search::new(world, self.queue.len());
        while let Some(first) = self.queue.at_hand() {
            match search.look(first, &mut self.uses) {
                Look::Marks(marks) if !marks.accessed => return Some(search.choose(first, marks)),
                Look::Marks(_) => {
                    self.queue.remove(first);
                    self.queue.push(first);
                }
                Look::Busy => self.queue.remove(first),
            }
        }
        None
    }
}
