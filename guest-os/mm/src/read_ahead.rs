//! Read-ahead: a page of a file is entered as being read though nobody has asked for it.

use crate::frame::FrameId;
use crate::memory::Memory;
use crate::page_cache::{PageKey, PageLookup};
use crate::phys::PhysMem;
use crate::pte::SwapSlot;
use crate::swap::SlotState;

/// Free frames that read-ahead leaves to those who know what they need.
const RESERVE: u64 = 16;

impl<P: PhysMem> Memory<P> {
    /// As [`Memory::begin_read`], for a page that may never be asked for: it takes a free frame, none of the last ones, and nobody's page goes for it.
    /// `None` if there is none, or the page need not be read.
    pub fn begin_read_ahead(&mut self, key: PageKey) -> Option<FrameId> {
        let is_wanted = self.cache().lookup(key) == PageLookup::Absent;
        let has_room = self.frames().free() > RESERVE;
        if is_wanted && has_room { self.enter_reading(key).ok() } else { None }
    }

    /// As [`Memory::begin_swap_in`], in the same way.
    pub fn begin_swap_in_ahead(&mut self, slot: SwapSlot) -> Option<FrameId> {
        let is_away = self.swap().get(slot).state == SlotState::Stored;
        let has_room = self.frames().free() > RESERVE;
        if is_away && has_room { self.enter_swap_in(slot).ok() } else { None }
    }
}
