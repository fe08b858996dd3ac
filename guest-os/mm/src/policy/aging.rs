//! `aging`: a counter of eight bits a page. At each tick it is shifted right and R comes in at the top; the page with the lowest goes.
//!
//! Approximates LRU by the latest eight intervals between ticks: what counts first is how lately a page was used, then how often. A page comes with 0. Of equal counters that of the page
//! goes whose counter was lower before the last tick, and if that was equal too, before the last but one, and so on; then the one that came first.
//!
//! A page that has come since the last tick goes only if no other can, as nothing is known of it yet. With its 0 it would be the next to go, and a program that needs two
//! pages for one instruction would throw each out for the other until a tick comes.
//!
//! Ticks go by victims, not by time, so that they come as often as memory is short: one before the first victim, and then one after each
//! n/4 victims (at least one), with n the pages that the last tick has found. A tick looks at every page and clears its R. That makes four looks a victim, and one at the victim: O(1) amortised; at
//! worst one for each page, and one.
//!
//! A shift keeps the order of counters, and R at the top puts those that were used behind all others. So one list, kept in ascending
//! order, needs no sorting: a tick moves the used pages to its end, in the order in which they are. 9 bytes and a bit a page.

use super::ring::Ring;
use super::rows::Rows;
use super::search::Search;
use super::uses::Uses;
use super::{Choice, Left, Look, PageName, Place, Policy, Why, World};
use alloc::collections::TryReserveError;

/// R at the top of a counter.
const USED: u8 = 0x80;

/// Counters that are shifted by ticks.
#[derive(Clone, Debug, Default)]
pub(super) struct Aging {
    /// Ascending by counter, and as the header says where these are equal.
    order: Ring,
    counters: Rows<u8>,
    /// The first of the pages that have come since the last tick: the last ones in `order`.
    fresh: Option<Place>,
    uses: Uses,
    /// How many victims there are to be before the next tick.
    until_tick: u32,
}

impl Aging {
    fn take_out(&mut self, place: Place) {
        if self.fresh == Some(place) {
            self.fresh = self.next(place);
        }
        self.order.remove(place);
    }

    /// The page that follows in `order`.
    fn next(&self, place: Place) -> Option<Place> {
        let after = self.order.after(place);
        (self.order.at_hand() != Some(after)).then_some(after)
    }

    fn tick(&mut self, search: &mut Search<'_>) {
        self.enter_fresh();
        let mut next = self.order.at_hand();
        for _ in 0..self.order.len() {
            let Some(place) = next else { break };
            next = Some(self.order.after(place));
            match search.look(place, &mut self.uses) {
                Look::Busy => self.order.remove(place),
                Look::Marks(marks) => {
                    let counter = &mut self.counters[place.index()];
                    *counter >>= 1;
                    if marks.accessed {
                        *counter |= USED;
                        self.order.remove(place);
                        self.order.push(place);
                    }
                }
            }
        }
        self.until_tick = (self.order.len() / 4).max(1);
    }

    /// Puts the fresh pages where their counters, 0, belong: behind the others with 0.
    fn enter_fresh(&mut self) {
        let first_fresh = self.fresh.take();
        let mut above = self.order.at_hand();
        while above != first_fresh && above.is_some_and(|place| self.counters[place.index()] == 0) {
            above = above.and_then(|place| self.next(place));
        }
        // If every other page has 0, they are where they belong.
        let Some(above) = above.filter(|&above| Some(above) != first_fresh) else { return };
        let mut fresh = first_fresh;
        while let Some(place) = fresh {
            fresh = self.next(place);
            self.order.remove(place);
            self.order.insert_before(place, above);
        }
    }
}

impl Policy for Aging {
    fn reserve(&mut self, places: u32) -> Result<(), TryReserveError> {
        self.uses.reserve(places)?;
        self.counters.reserve(places as usize)?;
        self.order.reserve(places)
    }
    fn enter(&mut self, place: Place, _: PageName) {
        self.order.push(place);
        self.fresh.get_or_insert(place);
        self.counters[place.index()] = 0;
        self.uses.forget(place);
    }
    fn leave(&mut self, place: Place, _: Left) {
        self.take_out(place);
    }
    fn is_entered(&self, place: Place) -> bool {
        self.order.contains(place)
    }
    fn entered(&self) -> u32 {
        self.order.len()
    }
    fn used(&mut self, place: Place) {
        self.uses.note(place);
    }
    fn victim(&mut self, world: &mut dyn World) -> Option<Choice> {
        let mut search = Search::new(world, self.order.len());
        if self.until_tick == 0 {
            self.tick(&mut search);
        }
        while let Some(lowest) = self.order.at_hand() {
            match search.peek_with(lowest, &self.uses) {
                Look::Marks(marks) => {
                    self.until_tick -= 1;
                    let choice = search.choose(lowest, marks);
                    let why = Why { counter: self.counters[lowest.index()], ..choice.why };
                    return Some(Choice { why, ..choice });
                }
                Look::Busy => self.take_out(lowest),
            }
        }
        None
    }
}
