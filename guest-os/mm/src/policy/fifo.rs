//! `fifo`: the page that came first goes.
//!
//! Approximates nothing but fairness: how long a page has been there stands for how little it is needed. More frames can mean more faults (Belady 1969).
//! A victim takes one look, and one for each busy page, which is then out: O(1) amortised over the pages that enter, at worst one for each page.
//! R is never cleared. 8 bytes a page.

use super::ring::Ring;
use super::search::Search;
use super::{Choice, Left, Look, PageName, Place, Policy, World};
use alloc::collections::TryReserveError;

/// First in, first out.
#[derive(Clone, Debug, Default)]
pub(super) struct Fifo {
    queue: Ring,
}

impl Policy for Fifo {
    fn reserve(&mut self, places: u32) -> Result<(), TryReserveError> {
        self.queue.reserve(places)
    }
    fn enter(&mut self, place: Place, _: PageName) {
        self.queue.push(place);
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
    fn victim(&mut self, world: &mut dyn World) -> Option<Choice> {
        let mut search = Search::new(world, self.queue.len());
        while let Some(first) = self.queue.at_hand() {
            match search.peek(first) {
                Look::Marks(marks) => return Some(search.choose(first, marks)),
                Look::Busy => self.queue.remove(first),
            }
        }
        None
    }
}
