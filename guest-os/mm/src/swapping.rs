//! Pages on their way to swap space and back: the frames of slots, and what becomes of both.
//!
//! **Out**: an eviction ([`evict_one`](Memory::evict_one)) empties every entry that maps the page and leaves the name of a slot. What the slot does not have yet
//! must be written: the frame stays meanwhile, in the *swap cache*, and the write waits to be taken by the kernel ([`Memory::take_write`]). **Back**: a fault
//! ([`AddressSpace::fault`](crate::AddressSpace::fault)) or a system call gets a frame for the slot ([`Memory::begin_swap_in`]), has it read, and maps it. The first to ask brings
//! the page back for all: the others find it in the swap cache.
//!
//! A page that has come back keeps its slot as long as nobody stores to it: then it can leave again without being written. So a frame with a
//! slot that something else names, too, is mapped so that a store faults; a D bit means that the slot is stale, and that nothing names it.

use crate::frame::{FrameId, FrameKind, OutOfFrames};
use crate::memory::{Contents, Memory};
use crate::page_cache::PageKey;
use crate::phys::{FrameNote, PhysMem};
use crate::policy::Left;
use crate::pte::SwapSlot;
use crate::rmap::AnonOwner;
use crate::swap::{SlotState, SwapMap};

/// A page to be written: the frame is held until [`Memory::finish_swap_out`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct SwapWrite {
    /// Where to.
    pub slot: SwapSlot,
    /// Where from.
    pub frame: FrameId,
}

impl<P: PhysMem> Memory<P> {
    /// From now on pages go out to these slots, none of which is in use. Called once.
    pub fn start_swap(&mut self, map: SwapMap) {
        /// The part of all frames that is kept for the kernel, and the most of it.
        const RESERVED_PART: u64 = 64;
        const MOST_RESERVED: u64 = 256;
        assert!(!self.swap().is_there(), "there is swap space already");
        *self.swap_mut() = map;
        let reserve = (self.frames().total() / RESERVED_PART).min(MOST_RESERVED);
        self.frames_mut().set_reserve(reserve);
        // Files in memory may have what they would have without a limit of the frames, as far as there is room for them.
        let pages = self.frames().limit() + self.swap().counts().slots;
        let limit = pages.min(self.frames().total()) / 2;
        self.cache_mut().set_tmpfs_limit(limit);
        self.offer_all();
    }

    /// A write that an eviction has begun, and that nobody has taken yet. Its frame is free when it is done.
    pub fn take_write(&mut self) -> Option<SwapWrite> {
        self.pending_write_mut().take()
    }

    /// Whether there is one.
    #[inline]
    pub fn has_write(&self) -> bool {
        self.pending_write().is_some()
    }

    /// The slots.
    pub fn swap(&self) -> &SwapMap {
        self.swap_map()
    }

    /// How many entries and slots' names show a private frame: a store to it may be seen by all but one.
    pub(crate) fn sharers(&self, frame: FrameId, maps: u32) -> u32 {
        match self.frames().slot_of(frame) {
            Some(slot) => maps + self.swap().get(slot).names,
            None => maps,
        }
    }

    // ---- back ----

    /// A frame for the page of a slot that is on the disk only, held for the disk to fill.
    pub fn begin_swap_in(&mut self, slot: SwapSlot) -> Result<FrameId, OutOfFrames> {
        self.with_frames(FrameKind::Anon(AnonOwner::Nobody), |mem| mem.enter_swap_in(slot))
    }

    /// As [`Memory::begin_swap_in`], with a free frame.
    pub(crate) fn enter_swap_in(&mut self, slot: SwapSlot) -> Result<FrameId, OutOfFrames> {
        assert!(self.swap().get(slot).state == SlotState::Stored, "{slot:?} need not be read");
        let frame = self.allocate_anon(Contents::Zeros)?;
        self.phys_mut().note(frame.ppn(), FrameNote::InSwapCache { slot, is_read: true });
        self.frames_mut().pin(frame);
        self.frames_mut().set_slot(frame, Some(slot));
        self.swap_mut().set_state(slot, SlotState::Reading(frame));
        Ok(frame)
    }

    /// The disk has filled the frame of [`Memory::begin_swap_in`], or has failed to. Returns whether the frame holds what was once written;
    /// if not, the page can't be had (this time). Whoever waits for it asks again now.
    pub fn finish_swap_in(&mut self, slot: SwapSlot, frame: FrameId, was_read: bool) -> bool {
        self.frames_mut().unpin(frame);
        let is_right = was_read && self.phys().checksum(frame.ppn()) == self.swap().get(slot).checksum;
        if is_right && self.swap().get(slot).names > 0 {
            self.swap_mut().set_state(slot, SlotState::Cached(frame));
            self.offer(frame);
        } else {
            self.swap_mut().set_state(slot, SlotState::Stored);
            self.drop_cached_slot(slot, frame);
        }
        is_right
    }

    /// What is known of a page of a file in memory whose place names a slot. If the slot has a frame, the page is in that from now on.
    pub(crate) fn adopt(&mut self, key: PageKey, slot: SwapSlot) -> SlotState {
        let state = self.swap().get(slot).state;
        let (SlotState::Cached(frame) | SlotState::Unwritten(frame) | SlotState::Kept(frame)) = state else {
            return state;
        };
        self.leave_policy(frame, Left::Freed);
        self.frames_mut().set_kind(frame, FrameKind::PageCache(key));
        self.phys_mut().note(frame.ppn(), FrameNote::CacheFilled(key));
        self.cache_mut().swap_in(key, frame);
        let left = self.swap_mut().remove_name(slot);
        debug_assert_eq!(left, 0, "a page of a file has a slot of its own");
        if state != SlotState::Cached(frame) {
            self.mark_dirty(key);
        }
        self.offer(frame);
        state
    }

    /// Somebody asks for the page of a slot that is being written: it is to stay in memory.
    pub(crate) fn want(&mut self, slot: SwapSlot) {
        if let SlotState::Writing { frame, .. } = self.swap().get(slot).state {
            self.swap_mut().set_state(slot, SlotState::Writing { frame, is_wanted: true });
        }
    }

    // ---- out ----

    /// A write of [`Memory::take_write`] is done, or has failed; then the page stays in memory, and the slot is not used again.
    pub fn finish_swap_out(&mut self, slot: SwapSlot, was_written: bool) {
        let entry = *self.swap().get(slot);
        let SlotState::Writing { frame, is_wanted } = entry.state else {
            unreachable!("{slot:?} was not being written: {entry:?}")
        };
        self.frames_mut().unpin(frame);
        let state = match (entry.names, was_written) {
            (0, _) => SlotState::Stored,
            (_, false) => SlotState::Kept(frame),
            (_, true) if is_wanted => SlotState::Cached(frame),
            (_, true) => SlotState::Stored,
        };
        self.swap_mut().set_state(slot, state);
        match state {
            SlotState::Stored => self.drop_cached_slot(slot, frame),
            _ => self.offer(frame),
        }
    }

    /// Nothing needs the frame that has a slot's page, and nothing maps it: it is free. So is the slot, if nothing names it.
    fn drop_cached_slot(&mut self, slot: SwapSlot, frame: FrameId) {
        self.leave_policy(frame, Left::Freed);
        self.frames_mut().set_slot(frame, None);
        self.release(frame);
        self.release_slot_if_unused(slot);
    }

    fn release_slot_if_unused(&mut self, slot: SwapSlot) {
        let entry = self.swap().get(slot);
        if entry.names == 0 && entry.state == SlotState::Stored {
            self.swap_mut().release(slot);
        }
    }

    /// I/O holds a frame of the swap cache no more.
    pub(crate) fn unheld_in_swap_cache(&mut self, frame: FrameId) {
        let info = self.frames().info(frame);
        let Some(slot) = info.slot.filter(|_| info.pins == 0) else { return };
        if self.swap().get(slot).names > 0 {
            return self.offer(frame);
        }
        self.forget_slot(frame, slot);
        self.leave_policy(frame, Left::Freed);
        self.release(frame);
    }

    /// The swap cache gives up the frame of a page that nothing maps: the slot has it.
    pub(crate) fn drop_from_swap_cache(&mut self, slot: SwapSlot, frame: FrameId) {
        self.swap_mut().set_state(slot, SlotState::Stored);
        self.drop_cached_slot(slot, frame);
    }

    // ---- names, and frames that keep their slots ----

    pub(crate) fn name_slot(&mut self, slot: SwapSlot) {
        self.swap_mut().add_name(slot);
    }

    /// One less names a slot: with the last name the slot goes, unless a frame that is in use has its page.
    pub(crate) fn unname_slot(&mut self, slot: SwapSlot) {
        if self.swap_mut().remove_name(slot) > 0 {
            return;
        }
        match self.swap().get(slot).state {
            SlotState::Stored => self.release_slot_if_unused(slot),
            // Whoever has it read or written finds that nobody wants it.
            SlotState::Reading(_) | SlotState::Writing { .. } => {}
            SlotState::Cached(frame) | SlotState::Unwritten(frame) | SlotState::Kept(frame) => {
                let info = self.frames().info(frame);
                if info.kind == FrameKind::Anon(AnonOwner::Nobody) {
                    self.unheld_in_swap_cache(frame);
                } else if self.swap().get(slot).state != SlotState::Cached(frame) {
                    // Its frame has all owners that are left: it is private memory like other.
                    self.forget_slot(frame, slot);
                    self.offer(frame);
                }
            }
        }
    }

    /// What a frame holds is not what its slot has any more.
    pub(crate) fn slot_is_stale(&mut self, frame: FrameId) {
        if let Some(slot) = self.frames().slot_of(frame)
            && !self.swap().get(slot).state.is_in_motion()
        {
            self.forget_slot(frame, slot);
        }
    }

    /// Takes a frame's slot from it. Nothing else names the slot.
    pub(crate) fn forget_slot(&mut self, frame: FrameId, slot: SwapSlot) {
        let entry = *self.swap().get(slot);
        assert!(entry.names == 0, "{slot:?} of {frame:?} is named by others: {entry:?}");
        self.frames_mut().set_slot(frame, None);
        if entry.state == SlotState::Kept(frame) {
            self.swap_mut().abandon(slot);
        } else {
            self.swap_mut().set_state(slot, SlotState::Stored);
            self.swap_mut().release(slot);
        }
    }

    /// A private frame that nothing maps any more and nothing holds: free, or in the swap cache, if it is all there is of a page that has names.
    pub(crate) fn release_private(&mut self, frame: FrameId) {
        if let Some(slot) = self.frames().slot_of(frame) {
            let entry = *self.swap().get(slot);
            match (entry.names, entry.state) {
                (0, _) => self.forget_slot(frame, slot),
                (_, SlotState::Kept(_) | SlotState::Unwritten(_)) => {
                    let note = FrameNote::InSwapCache { slot, is_read: false };
                    self.phys_mut().note(frame.ppn(), note);
                    return self.offer(frame);
                }
                _ => {
                    self.swap_mut().set_state(slot, SlotState::Stored);
                    self.frames_mut().set_slot(frame, None);
                }
            }
        }
        self.leave_policy(frame, Left::Freed);
        self.frames_mut().release(frame);
    }
}
