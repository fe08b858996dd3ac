//! `random`: any page, each as likely as the others.
//!
//! Approximates nothing, and is what the others must beat. No reference string is its worst case, and loops a little longer than memory, where LRU and its kin fault at each
//! step, hurt it less. The pages lie in a row: a new one comes at the end, the last takes the place of one that goes, and SplitMix64 draws
//! an index.
//! A victim takes one look, and one for each busy page, which is then out: O(1) amortised over the pages that enter, at worst one for each page.
//! R is never cleared. 8 bytes a page.

use super::rows::Rows;
use super::search::Search;
use super::{Choice, Left, Look, PageName, Place, Policy, World};
use alloc::collections::TryReserveError;

/// No place's index in the row.
const OUT: u32 = u32::MAX;

/// Lots.
#[derive(Clone, Debug)]
pub(super) struct Random {
    /// The pages that may be chosen: the first `len`.
    row: Rows<Place>,
    len: u32,
    /// Where in the row each place is.
    index: Rows<u32>,
    /// SplitMix64's.
    state: u64,
}

impl Random {
    /// Draws the same lots for the same seed.
    pub fn new(seed: u64) -> Self {
        Self { row: Rows::of(Place(OUT)), len: 0, index: Rows::of(OUT), state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A page of the row, which is not empty: the upper half of a 64-bit lot times the length. That some are likelier by one in 2^32 is below what can be seen.
    fn draw(&mut self) -> Place {
        let index = ((self.next() >> 32) * u64::from(self.len)) >> 32;
        self.row[usize::try_from(index).expect("less than the row's length, which is a u32")]
    }

    fn take_out(&mut self, place: Place) {
        assert!(self.is_entered(place), "{place:?} is not entered");
        self.len -= 1;
        let last = self.row[self.len as usize];
        let index = self.index[place.index()];
        self.row[index as usize] = last;
        self.index[last.index()] = index;
        self.index[place.index()] = OUT;
    }
}

impl Policy for Random {
    fn reserve(&mut self, places: u32) -> Result<(), TryReserveError> {
        self.row.reserve(places as usize)?;
        self.index.reserve(places as usize)
    }
    fn enter(&mut self, place: Place, _: PageName) {
        assert!(!self.is_entered(place), "{place:?} is entered already");
        self.row[self.len as usize] = place;
        self.index[place.index()] = self.len;
        self.len += 1;
    }
    fn leave(&mut self, place: Place, _: Left) {
        self.take_out(place);
    }
    fn is_entered(&self, place: Place) -> bool {
        self.index[place.index()] != OUT
    }
    fn entered(&self) -> u32 {
        self.len
    }
    fn victim(&mut self, world: &mut dyn World) -> Option<Choice> {
        let mut search = Search::new(world, self.len);
        while self.len > 0 {
            let place = self.draw();
            match search.peek(place) {
                Look::Marks(marks) => return Some(search.choose(place, marks)),
                Look::Busy => self.take_out(place),
            }
        }
        None
    }
}
