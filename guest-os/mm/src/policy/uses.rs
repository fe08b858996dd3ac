//! Uses that the kernel itself has seen (`read` of a cached page): they set R in no entry, so a bit a place notes them until a look takes it.

use super::Place;
use super::rows::Rows;
use alloc::collections::TryReserveError;

#[derive(Clone, Debug, Default)]
pub(super) struct Uses(Rows<u64>);

impl Uses {
    pub fn reserve(&mut self, places: u32) -> Result<(), TryReserveError> {
        self.0.reserve(places.div_ceil(u64::BITS) as usize)
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
