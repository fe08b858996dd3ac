//! The swap map: which slots of the swap space are in use, by how many, and which frame has a slot's page in memory.
//!
//! A slot has *names*: entries of page tables ([`NotPresent::Swapped`](crate::pte::NotPresent)), and places of files that live in memory. It
//! lives while it has one, or while a frame holds its page unchanged: then the page can leave memory again without being written.
//!
//! ```text
//!             written            nobody has asked for it
//!   Writing ───────────► Stored ◄──────────────────────── Cached
//!      │  asked for meanwhile │ asked for     read            ▲
//!      └──────────────────────┼──────────► Reading ───────────┘
//!      └► Kept: it could not be written, and its frame is all there is of the page
//!
//!   Unwritten: one of those who map the page has lost its entry to its budget, and the others keep it in memory
//! ```
//!
//! This file is the index; [`Memory`](crate::Memory) moves the frames (`swapping`), and the kernel has slots read and written. What a slot
//! should hold is known by a checksum, so that a disk that loses or tears a write is found out ([`Memory::finish_swap_in`](crate::Memory::finish_swap_in)).
//!
//! A slot takes [`SwapMap::BYTES_PER_SLOT`] bytes of memory, in pieces of a few KiB that come with the first use of a slot: swap space that is not
//! used costs nothing.

use crate::frame::{FrameId, OutOfFrames};
use crate::pte::SwapSlot;
use crate::slab::Slab;

/// Where the page of a slot is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SlotState {
    /// On the disk, and nowhere else.
    Stored,
    /// The disk is filling this frame.
    Reading(FrameId),
    /// The disk is taking it from this frame.
    Writing {
        /// The frame.
        frame: FrameId,
        /// Somebody has asked for the page meanwhile: it is to stay in memory.
        is_wanted: bool,
    },
    /// On the disk, and in this frame: unchanged, mapped or not.
    Cached(FrameId),
    /// In this frame only, unchanged since somebody's entry was emptied: it has not been needed to write it.
    Unwritten(FrameId),
    /// In this frame only: the disk has refused it.
    Kept(FrameId),
}

impl SlotState {
    /// The frame that has the page, or is to get it.
    pub fn frame(self) -> Option<FrameId> {
        match self {
            Self::Stored => None,
            Self::Reading(frame)
            | Self::Writing { frame, .. }
            | Self::Cached(frame)
            | Self::Unwritten(frame)
            | Self::Kept(frame) => Some(frame),
        }
    }
    /// Whether the disk is at work on it.
    pub fn is_in_motion(self) -> bool {
        matches!(self, Self::Reading(_) | Self::Writing { .. })
    }
}

/// What is known of a slot in use.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// Entries of page tables and places of files that name it.
    pub names: u32,
    /// Where its page is.
    pub state: SlotState,
    /// What its page adds up to ([`checksum`]).
    pub checksum: u64,
}

/// How many slots there are, and how they are used.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SwapUse {
    /// In all.
    pub slots: u64,
    /// In use.
    pub used: u64,
    /// The most that were ever in use at once.
    pub peak: u64,
    /// Not used any more, since the disk has refused to write them.
    pub bad: u64,
    /// In use, and their pages are in frames: the swap cache.
    pub cached: u64,
    /// Pages that the disk was asked for.
    pub read: u64,
    /// Pages that it was given.
    pub written: u64,
}

/// All slots.
#[derive(Debug, Default)]
pub struct SwapMap {
    used: Slab<Slot>,
    counts: SwapUse,
    /// How many slots the disk is at work on.
    in_motion: u64,
    /// All slots were in use, and since then one has come free.
    has_room_again: bool,
    was_full: bool,
}

impl SwapMap {
    /// Bytes of memory that a slot in use takes.
    pub const BYTES_PER_SLOT: usize = Slab::<Slot>::bytes_for(1 << 16) >> 16;

    /// So many slots, counted from 1, none of which is in use. The list of the pieces is made here, so that those come one by one later; `Err` if there is no
    /// memory for it.
    pub fn new(slots: u32) -> Result<Self, OutOfFrames> {
        let mut map = Self::default();
        map.used.reserve_list(slots as usize).map_err(|_| OutOfFrames)?;
        map.counts.slots = u64::from(slots);
        Ok(map)
    }
    /// How the slots are used.
    pub fn counts(&self) -> SwapUse {
        self.counts
    }
    /// Whether there is swap space.
    #[inline]
    pub fn is_there(&self) -> bool {
        self.counts.slots > 0
    }
    /// Whether a page more can go out.
    pub fn has_room(&self) -> bool {
        self.counts.used < self.counts.slots
    }
    /// How many slots the disk is at work on.
    pub fn in_motion(&self) -> u64 {
        self.in_motion
    }
    /// Whether a slot is in use.
    pub fn is_used(&self, slot: SwapSlot) -> bool {
        self.used.contains(number_of(slot))
    }
    /// A slot in use.
    pub fn get(&self, slot: SwapSlot) -> &Slot {
        self.used.get(number_of(slot))
    }
    /// The slots in use, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (SwapSlot, &Slot)> {
        self.used.iter().map(|(number, slot)| (SwapSlot(number + 1), slot))
    }

    /// Takes a slot for a page, which is where `state` says.
    pub(crate) fn take(&mut self, state: SlotState, checksum: u64) -> Result<SwapSlot, OutOfFrames> {
        if !self.has_room() {
            return Err(OutOfFrames);
        }
        self.used.reserve(1).map_err(|_| OutOfFrames)?;
        let slot = SwapSlot(self.used.insert(Slot { names: 0, state, checksum }) + 1);
        self.counts.used += 1;
        self.enters(state);
        self.counts.written += u64::from(state.is_in_motion());
        self.counts.peak = self.counts.peak.max(self.counts.used);
        self.was_full |= !self.has_room();
        // Free ones first: who hears of all slots knows by the highest how many were ever in use at once (`isa::events`).
        debug_assert!(u64::from(slot.0) <= self.counts.peak, "{slot:?} with {:?}", self.counts);
        Ok(slot)
    }
    /// Gives a slot back that nothing names.
    pub(crate) fn release(&mut self, slot: SwapSlot) {
        let was = self.used.remove(number_of(slot));
        assert!(was.names == 0 && !was.state.is_in_motion(), "{slot:?} is in use: {was:?}");
        self.counts.used -= 1;
        self.counts.cached -= u64::from(was.state.frame().is_some());
        self.has_room_again |= self.was_full;
        self.was_full = false;
    }
    /// A slot that nothing names is not to be used again.
    pub(crate) fn abandon(&mut self, slot: SwapSlot) {
        self.set_state(slot, SlotState::Stored);
        self.counts.bad += 1;
    }
    /// Whether a slot has come free since all were in use, and [`SwapMap::take_room_again`] has not told it yet.
    pub fn has_room_again(&self) -> bool {
        self.has_room_again
    }
    /// Whether a slot has come free since all were in use, when pages that had none could not go; told once.
    pub(crate) fn take_room_again(&mut self) -> bool {
        core::mem::take(&mut self.has_room_again)
    }
    /// Where a slot's page is from now on. Returns where it was.
    pub(crate) fn set_state(&mut self, slot: SwapSlot, state: SlotState) -> SlotState {
        let entry = self.used.get_mut(number_of(slot));
        let was = core::mem::replace(&mut entry.state, state);
        self.enters(state);
        self.in_motion -= u64::from(was.is_in_motion());
        self.counts.cached -= u64::from(was.frame().is_some());
        match (was, state) {
            (SlotState::Writing { .. }, SlotState::Writing { .. }) => {}
            (_, SlotState::Writing { .. }) => self.counts.written += 1,
            (_, SlotState::Reading(_)) => self.counts.read += 1,
            _ => {}
        }
        was
    }
    /// A slot is in this state from now on.
    fn enters(&mut self, state: SlotState) {
        self.in_motion += u64::from(state.is_in_motion());
        self.counts.cached += u64::from(state.frame().is_some());
    }
    /// One more names the slot.
    pub(crate) fn add_name(&mut self, slot: SwapSlot) {
        let entry = self.used.get_mut(number_of(slot));
        entry.names = entry.names.checked_add(1).expect("fewer than 2^32 entries fit into RAM");
    }
    /// One less names the slot. Returns how many are left.
    pub(crate) fn remove_name(&mut self, slot: SwapSlot) -> u32 {
        let entry = self.used.get_mut(number_of(slot));
        entry.names = entry.names.checked_sub(1).expect("who names a slot was counted");
        entry.names
    }
}

fn number_of(slot: SwapSlot) -> u32 {
    slot.0.checked_sub(1).expect("slots are counted from 1")
}

/// What the words of a page add up to: a polynomial of them. Pages that differ in one word have different sums, and other pages nearly always; it is no
/// defence against a liar.
pub fn checksum(words: impl Iterator<Item = u64>) -> u64 {
    /// 2^64 over the golden ratio, made odd.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    words.fold(SPREAD, |sum, word| sum.wrapping_mul(SPREAD).wrapping_add(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{FrameKind, FrameTable};
    use isa::Ppn;

    #[test]
    fn slots_are_counted_from_1_and_used_again() {
        let mut frames = FrameTable::new(Ppn(100), 4, 4);
        let frame = frames.take(FrameKind::Kernel).unwrap();
        let writing = SlotState::Writing { frame, is_wanted: false };
        let mut map = SwapMap::default();
        assert!(!map.is_there() && map.take(writing, 0).is_err());
        let mut map = SwapMap::new(3).unwrap();
        let [a, b, c] = [(); 3].map(|()| map.take(writing, 7).unwrap());
        assert_eq!([a, b, c], [1, 2, 3].map(SwapSlot));
        assert_eq!((map.take(writing, 0), map.in_motion()), (Err(OutOfFrames), 3));
        map.set_state(b, SlotState::Stored);
        assert!(!map.take_room_again());
        map.release(b);
        assert!(map.take_room_again() && !map.take_room_again());
        assert_eq!(map.take(writing, 0), Ok(b));
        let counts = SwapUse { slots: 3, used: 3, peak: 3, bad: 0, cached: 3, read: 0, written: 4 };
        assert_eq!(map.counts(), counts);
        map.set_state(c, SlotState::Stored);
        map.set_state(c, SlotState::Reading(frame));
        map.set_state(c, SlotState::Cached(frame));
        assert_eq!(map.counts(), SwapUse { read: 1, ..counts }, "it has gone, and is back");
        map.set_state(c, SlotState::Stored);
        map.set_state(c, SlotState::Writing { frame, is_wanted: false });
        map.set_state(c, SlotState::Writing { frame, is_wanted: true });
        assert_eq!(map.counts(), SwapUse { read: 1, written: 5, ..counts }, "a write that is wanted is one");
        map.set_state(c, SlotState::Stored);
        map.release(c);
        assert_eq!((map.counts().used, map.counts().cached), (2, 2));
        map.add_name(a);
        map.add_name(a);
        assert_eq!((map.remove_name(a), map.remove_name(a), map.get(a).checksum), (1, 0, 7));
    }

    #[test]
    fn checksums_tell_pages_apart() {
        let page = |change: usize, by: u64| {
            checksum((0..512).map(move |word| word as u64 ^ if word == change { by } else { 0 }))
        };
        assert_eq!(page(0, 0), page(1, 0));
        assert_ne!(page(0, 0), page(0, 1));
        assert_ne!(page(511, 0), page(511, 1 << 63));
        let torn = checksum((0..512).map(|word| if word < 256 { word } else { 0 }));
        assert_ne!(torn, page(0, 0));
    }
}
