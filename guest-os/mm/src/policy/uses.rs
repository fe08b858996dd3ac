//! Uses that the kernel itself has seen (`read` of a cached page): they set R in no entry, so a bit a place notes them until a look takes it.

use super::Place;
use super::ring::grow;
use alloc::collections::TryReserveError;
use alloc::vec::Vec;

#[derive(Clone, Debug, Default)]
pub(super) struct Uses(Vec<u64>);

impl Uses {
    pub fn reserve(&mut self, places: u32) -> Result<(), TryReserveError> {
        grow(&mut self.0, places.div_ceil(u64::BITS) as usize, 0)
    }
    pub fn note(&mut self, place: Place) {
        *self.word(place) |= bit(place);
    }
    pub fn forget(&mut self, place: Place) {
        *self.word(place) &= !bit(place);
    }
    pub fn noted(&self, place: Place) -> bool {
        self.0[place.index() / 64] & bit(place) != 0
    }
    fn word(&mut self, place: Place) -> &mut u64 {
        &mut self.0[place.index() / 64]
    }
}

fn bit(place: Place) -> u64 {
    1 << (place.0 % u64::BITS)
}
