//! Places in a ring with a hand: each place has the one before and the one behind it in an array, so that every operation but `reserve` takes
//! a few steps and no memory. 8 bytes a place.
//!
//! The ring is a queue as well: the page at the hand is the first, the one behind the hand the last. The order *from the hand on* is what
//! the policies mean by the order.

use super::Place;
use super::rows::Rows;
use alloc::collections::TryReserveError;

/// The neighbours of a place in the ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Link {
    before: Place,
    after: Place,
}

impl Link {
    /// That of a place which is not in the ring. As its own number no place can have: `reserve` counts in the same type.
    const OUT: Self = Self { before: Place(u32::MAX), after: Place(u32::MAX) };
}

impl Default for Link {
    fn default() -> Self {
        Self::OUT
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Ring {
    links: Rows<Link>,
    /// `None` if and only if the ring is empty.
    hand: Option<Place>,
    len: u32,
}

impl Ring {
    pub fn reserve(&mut self, places: u32) -> Result<(), TryReserveError> {
        self.links.reserve(places as usize)
    }
    pub fn len(&self) -> u32 {
        self.len
    }
    pub fn contains(&self, place: Place) -> bool {
        self.links[place.index()] != Link::OUT
    }

    /// The first page.
    pub fn at_hand(&self) -> Option<Place> {
        self.hand
    }
    /// The place that follows; the last is followed by the first.
    pub fn after(&self, place: Place) -> Place {
        debug_assert!(self.contains(place));
        self.links[place.index()].after
    }
    /// The place that comes before; before the first comes the last.
    pub fn before(&self, place: Place) -> Place {
        debug_assert!(self.contains(place));
        self.links[place.index()].before
    }

    /// The hand goes on by one: what was first is last now.
    pub fn advance(&mut self) {
        self.hand = self.hand.map(|hand| self.after(hand));
    }
    /// The hand goes on to this page.
    pub fn turn_to(&mut self, place: Place) {
        assert!(self.contains(place), "{place:?} is not in the ring");
        self.hand = Some(place);
    }

    /// Adds a page behind the hand: the last.
    pub fn push(&mut self, place: Place) {
        match self.hand {
            Some(hand) => self.link(place, self.before(hand), hand),
            None => {
                self.link(place, place, place);
                self.hand = Some(place);
            }
        }
    }
    /// Adds a page before another. If that was the first, the new one is.
    pub fn insert_before(&mut self, place: Place, other: Place) {
        self.link(place, self.before(other), other);
        if self.hand == Some(other) {
            self.hand = Some(place);
        }
    }
    /// Adds a page after another. If that was the last, the new one is.
    pub fn insert_after(&mut self, place: Place, other: Place) {
        self.link(place, other, self.after(other));
    }
    fn link(&mut self, place: Place, before: Place, after: Place) {
        assert!(!self.contains(place), "{place:?} is entered already");
        self.links[place.index()] = Link { before, after };
        self.links[before.index()].after = place;
        self.links[after.index()].before = place;
        self.len += 1;
    }

    /// Takes a page out. If the hand is on it, it goes on by one.
    pub fn remove(&mut self, place: Place) {
        assert!(self.contains(place), "{place:?} is not entered");
        let Link { before, after } = self.links[place.index()];
        self.links[before.index()].after = after;
        self.links[after.index()].before = before;
        self.links[place.index()] = Link::OUT;
        self.len -= 1;
        if self.hand == Some(place) {
            self.hand = (after != place).then_some(after);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// The places in order from the hand on, forwards; the way back must be the same.
    fn order(ring: &Ring) -> Vec<u32> {
        let Some(hand) = ring.at_hand() else {
            assert_eq!(ring.len(), 0);
            return Vec::new();
        };
        let (mut forwards, mut at) = (Vec::new(), hand);
        for _ in 0..ring.len() {
            assert_eq!(ring.before(ring.after(at)), at);
            forwards.push(at.0);
            at = ring.after(at);
        }
        assert_eq!(at, hand, "round in as many steps as there are pages");
        forwards
    }

    fn ring_of(places: &[u32]) -> Ring {
        let mut ring = Ring::default();
        ring.reserve(8).unwrap();
        for &place in places {
            ring.push(Place(place));
        }
        ring
    }

    #[test]
    fn a_ring_is_a_queue_from_its_hand_on() {
        let mut ring = ring_of(&[3, 1, 4]);
        assert_eq!(order(&ring), [3, 1, 4]);
        ring.advance();
        ring.push(Place(5));
        assert_eq!(order(&ring), [1, 4, 3, 5]);
        ring.turn_to(Place(3));
        assert_eq!(order(&ring), [3, 5, 1, 4]);
    }

    #[test]
    fn pages_come_before_and_after_others() {
        let mut ring = ring_of(&[3, 1]);
        ring.insert_before(Place(0), Place(3));
        ring.insert_before(Place(2), Place(1));
        ring.insert_after(Place(7), Place(1));
        assert_eq!(order(&ring), [0, 3, 2, 1, 7]);
    }

    #[test]
    fn the_hand_goes_on_from_a_page_that_is_taken_out() {
        let mut ring = ring_of(&[3, 1, 4]);
        ring.remove(Place(3));
        assert_eq!(order(&ring), [1, 4]);
        ring.remove(Place(4));
        assert!(!ring.contains(Place(4)) && ring.contains(Place(1)));
        ring.remove(Place(1));
        assert_eq!(order(&ring), []);
        ring.push(Place(4));
        assert_eq!(order(&ring), [4]);
    }

    #[test]
    fn more_places_leave_the_pages_where_they_are() {
        let mut ring = ring_of(&[3, 1]);
        ring.reserve(4).unwrap();
        ring.reserve(100).unwrap();
        ring.push(Place(99));
        assert_eq!(order(&ring), [3, 1, 99]);
        assert!(!ring.contains(Place(100)), "no such place");
    }

    #[test]
    #[should_panic(expected = "is entered already")]
    fn a_place_holds_one_page() {
        ring_of(&[3, 1]).push(Place(3));
    }

    #[test]
    #[should_panic(expected = "is not entered")]
    fn what_is_not_there_does_not_leave() {
        ring_of(&[3, 1]).remove(Place(2));
    }
}
