//! The one door to physical memory.
//!
//! The kernel implements [`PhysMem`] over its direct map, the tests over a vector. Nothing else in this
//! crate can reach a byte of RAM, so the unsafe part of the kernel's memory management is these functions.

use crate::address_space::{Flush, SpaceId};
use crate::frame::FrameKind;
use crate::page_cache::PageKey;
use crate::policy::{PolicyKind, Why};
use crate::pte::SwapSlot;
use crate::swap;
use isa::paging::{PTE_BYTES, Pte};
use isa::{PAGE_SIZE, PhysAddr, Ppn, Step, Vpn};

/// What has become of a frame. (Private memory is told of by the faults and verbs that take and free it.)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameNote {
    /// Taken, for the kernel, as a page table or as the zero page.
    Taken(FrameKind),
    /// Taken for a page of a file, which is in the page cache from now on.
    CacheFilled(PageKey),
    /// The page in it has left the page cache to make room, and nothing maps it any more; which policy chose it, and what led to that.
    Evicted(PageKey, PolicyKind, Why),
    /// The page in it leaves for swap space, and nothing maps it any more.
    SwappedOut(SwapOut),
    /// An address space maps it no more, and others do.
    LocalEvicted(LocalEviction),
    /// It holds the page of a slot, and nothing maps it: it is in the swap cache from now on.
    InSwapCache {
        /// The slot.
        slot: SwapSlot,
        /// Whether its read begins now.
        is_read: bool,
    },
    /// The page in it has left the page cache: its file was cut or removed, or could not be read.
    CacheDropped(PageKey),
    /// Free again.
    Freed,
}

/// A page leaves for swap space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SwapOut {
    /// The page of a file in memory; private memory otherwise.
    pub page: Option<PageKey>,
    /// The slot. A page of zeros needs none, and neither does one that was given up.
    pub slot: Option<SwapSlot>,
    /// Whether it must be written: until that is done, its frame is in the swap cache. Otherwise its frame is free.
    pub is_written: bool,
    /// Whether it needs no slot since its program has given its content up.
    pub is_given_up: bool,
    /// Which policy chose it.
    pub policy: PolicyKind,
    /// What led to that.
    pub why: Why,
}

/// An address space with a budget maps a page no more that others map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LocalEviction {
    /// Which address space.
    pub space: SpaceId,
    /// Which of its pages.
    pub vpn: Vpn,
    /// The slot that its entry names from now on, if it was private memory.
    pub slot: Option<SwapSlot>,
    /// Which policy chose it.
    pub policy: PolicyKind,
    /// What led to that.
    pub why: Why,
}

/// Physical memory as `mm` needs it. Every address passed in lies in a frame that the
/// [`FrameTable`](crate::FrameTable) owns, or in the kernel's template root.
pub trait PhysMem {
    /// Asked before a frame is handed out; `false` refuses it, as if none were free. For tests of running out of frames.
    fn may_take(&mut self) -> bool {
        true
    }
    /// Told of what becomes of frames where no fault and no range of an address space tells it: for the event stream.
    fn note(&mut self, frame: Ppn, note: FrameNote) {
        let _ = (frame, note);
    }
    /// Told of an entry of an address space, for a page of a file, that has been used and goes or loses its A bit; only if
    /// [`Switches::tells_uses`](crate::Switches).
    fn note_use(&mut self, frame: Ppn, space: SpaceId, vpn: Vpn) {
        let _ = (frame, space, vpn);
    }
    /// Told of an address space that maps more than the `limit` pages of its budget while swap space is full, or not there: those of its pages
    /// that have no slot cannot go. At each page more.
    fn note_beyond_budget(&mut self, space: SpaceId, limit: u64) {
        let _ = (space, limit);
    }
    /// Makes the TLBs forget what `flush` says of an address space, before anything else happens: for entries that are taken from whoever has them.
    /// (What a verb changes for its own caller, it returns.)
    fn fence(&mut self, asid: u16, flush: Flush);
    /// The machine's time, by which pages grow old.
    fn now(&self) -> Step;
    /// Reads the page-table entry at `at` (8-byte aligned).
    fn read_pte(&self, at: PhysAddr) -> Pte;
    /// The first of `count` page-table entries from `at` on (8-byte aligned, all in one table) that is not empty: how many
    /// come before it, and the entry. Most entries of most tables are empty, so this is worth a loop of its own.
    fn first_pte(&self, at: PhysAddr, count: u64) -> Option<(u64, Pte)> {
        let entries = (0..count).map(|index| (index, self.read_pte(PhysAddr(at.0 + index * PTE_BYTES))));
        entries.into_iter().find(|&(_, pte)| pte != Pte::EMPTY)
    }
    /// Writes the page-table entry at `at` (8-byte aligned).
    fn write_pte(&mut self, at: PhysAddr, pte: Pte);
    /// Fills a frame with zeros.
    fn zero_frame(&mut self, frame: Ppn);
    /// Whether a frame holds nothing but zeros.
    fn is_zero(&self, frame: Ppn) -> bool {
        words(self, frame).all(|word| word == 0)
    }
    /// What the words of a frame add up to ([`swap::checksum`]).
    fn checksum(&self, frame: Ppn) -> u64 {
        swap::checksum(words(self, frame))
    }
    /// Copies a whole frame onto another one.
    fn copy_frame(&mut self, from: Ppn, to: Ppn);
    /// Reads bytes; the range does not leave its frame.
    fn read_bytes(&self, at: PhysAddr, into: &mut [u8]);
    /// Writes bytes; the range does not leave its frame.
    fn write_bytes(&mut self, at: PhysAddr, bytes: &[u8]);
}

/// The words of a frame, one by one.
fn words<P: PhysMem + ?Sized>(phys: &P, frame: Ppn) -> impl Iterator<Item = u64> + '_ {
    (0..PAGE_SIZE / 8).map(move |index| {
        let mut word = [0; 8];
        phys.read_bytes(PhysAddr(frame.base().0 + index * 8), &mut word);
        u64::from_le_bytes(word)
    })
}
