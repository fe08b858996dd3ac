//! Small values under dense numbers, which are used again.
//!
//! They lie in chunks that never move, so a store that grows asks for one small piece of memory at a time, of which it writes what it has values for.
//! The chunks are given back when the last value has gone.

use alloc::vec::Vec;

/// What a chunk takes at most, however large its values are: a kernel whose heap can't grow while this crate works keeps pieces of that size ready.
pub const CHUNK_BYTES: usize = 8 << 10;
/// Values in a chunk, if they fit.
const MOST_VALUES: usize = 128;

/// There is no memory for a value more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NoMemory;

#[derive(Clone, Copy, Debug)]
enum Slot<T> {
    Used(T),
    /// The next free one.
    Free(Option<u32>),
}

/// The store.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    /// All but the last that is not empty are full.
    chunks: Vec<Vec<Slot<T>>>,
    first_free: Option<u32>,
    used: usize,
    /// How many slots are used or free: those of all chunks that have ever been used.
    begun: u32,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), first_free: None, used: 0, begun: 0 }
    }
}

impl<T> Slab<T> {
    /// Values in a chunk: a power of two.
    const CHUNK: usize = {
        let fit = CHUNK_BYTES / size_of::<Slot<T>>();
        if fit < MOST_VALUES { 1 << fit.ilog2() } else { MOST_VALUES }
    };

    /// Bytes of memory that `count` values take at most.
    pub(crate) const fn bytes_for(count: usize) -> usize {
        let chunks = count.div_ceil(Self::CHUNK);
        // The list of chunks doubles as it grows, and is copied then.
        chunks * (Self::CHUNK * size_of::<Slot<T>>() + 3 * size_of::<Vec<Slot<T>>>())
    }

    /// Sees to memory for the list of the chunks of so many values, beside which a chunk is all that is asked for at a time.
    pub(crate) fn reserve_list(&mut self, values: usize) -> Result<(), NoMemory> {
        let chunks = values.div_ceil(Self::CHUNK).saturating_sub(self.chunks.len());
        self.chunks.try_reserve_exact(chunks).map_err(|_| NoMemory)
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// Sees to memory for `count` more values: that many [`Slab::insert`] succeed.
    pub(crate) fn reserve(&mut self, count: usize) -> Result<(), NoMemory> {
        while self.chunks.len() * Self::CHUNK - self.used < count {
            let mut chunk = Vec::new();
            chunk.try_reserve_exact(Self::CHUNK).map_err(|_| NoMemory)?;
            self.chunks.try_reserve(1).map_err(|_| NoMemory)?;
            self.chunks.push(chunk);
        }
        Ok(())
    }

    /// Enters a value. Returns its number.
    ///
    /// # Panics
    /// Without a [`Slab::reserve`] for it.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        self.used += 1;
        let Some(number) = self.first_free else { return self.begin_slot(value) };
        let Slot::Free(next) = core::mem::replace(self.slot_mut(number), Slot::Used(value)) else {
            unreachable!("a free slot is in use")
        };
        self.first_free = next;
        number
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, number: u32) -> T {
        let free = Slot::Free(self.first_free);
        let Slot::Used(value) = core::mem::replace(self.slot_mut(number), free) else {
            unreachable!("nothing is entered under {number}")
        };
        self.first_free = Some(number);
        self.used -= 1;
        if self.used == 0 {
            // The list of them stays, which may have been reserved.
            self.chunks.clear();
            (self.first_free, self.begun) = (None, 0);
        }
        value
    }

    /// Whether there is a value under a number.
    pub(crate) fn contains(&self, number: u32) -> bool {
        let (chunk, at) = Self::place(number);
        matches!(self.chunks.get(chunk).and_then(|chunk| chunk.get(at)), Some(Slot::Used(_)))
    }

    /// The value under a number.
    pub(crate) fn get(&self, number: u32) -> &T {
        let (chunk, at) = Self::place(number);
        match self.chunks.get(chunk).and_then(|chunk| chunk.get(at)) {
            Some(Slot::Used(value)) => value,
            _ => unreachable!("nothing is entered under {number}"),
        }
    }

    /// The value under a number, to be changed.
    pub(crate) fn get_mut(&mut self, number: u32) -> &mut T {
        match self.slot_mut(number) {
            Slot::Used(value) => value,
            Slot::Free(_) => unreachable!("nothing is entered under {number}"),
        }
    }

    /// All values, by their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..).zip(self.chunks.iter().flatten()).filter_map(|(number, slot)| match slot {
            Slot::Used(value) => Some((number, value)),
            Slot::Free(_) => None,
        })
    }

    fn begin_slot(&mut self, value: T) -> u32 {
        let number = self.begun;
        let chunk = self.chunks.get_mut(Self::place(number).0).expect("room for the value was reserved");
        chunk.push(Slot::Used(value));
        self.begun = number.checked_add(1).expect("there are fewer than 2^32 values");
        number
    }

    fn slot_mut(&mut self, number: u32) -> &mut Slot<T> {
        let (chunk, at) = Self::place(number);
        self.chunks.get_mut(chunk).and_then(|chunk| chunk.get_mut(at)).expect("the number is the slab's")
    }

    /// The chunk of a number, and where in it.
    fn place(number: u32) -> (usize, usize) {
        (number as usize / Self::CHUNK, number as usize % Self::CHUNK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again_and_memory_goes_with_the_last_value() {
        let mut slab = Slab::default();
        slab.reserve(300).unwrap();
        let numbers: Vec<u32> = (0..300).map(|value| slab.insert(value)).collect();
        assert!((0..300).zip(&numbers).all(|(value, &number)| *slab.get(number) == value));
        assert_eq!(slab.iter().count(), 300);
        assert_eq!(slab.remove(numbers[7]), 7);
        *slab.get_mut(numbers[8]) += 1000;
        slab.reserve(1).unwrap();
        assert_eq!(slab.insert(777), numbers[7]);
        assert_eq!((*slab.get(numbers[8]), slab.len()), (1008, 300));
        for &number in &numbers {
            slab.remove(number);
        }
        assert!(slab.chunks.is_empty());
    }

    #[test]
    fn a_chunk_of_large_values_is_no_larger() {
        let mut slab = Slab::default();
        slab.reserve(1000).unwrap();
        let numbers: Vec<u32> = (0..1000).map(|value| slab.insert([value; 100])).collect();
        assert!((0..1000).zip(&numbers).all(|(value, &number)| *slab.get(number) == [value; 100]));
        let bytes = |chunk: &Vec<Slot<[u64; 100]>>| chunk.capacity() * size_of::<Slot<[u64; 100]>>();
        assert!(slab.chunks.iter().all(|chunk| (CHUNK_BYTES / 2..=CHUNK_BYTES).contains(&bytes(chunk))));
    }
}
