//! The one door to physical memory.
//!
//! The kernel implements [`PhysMem`] over its direct map, the tests over a vector. Nothing else in this
//! crate can reach a byte of RAM, so the unsafe part of the kernel's memory management is these functions.

use crate::address_space::Flush;
use crate::frame::FrameKind;
use crate::page_cache::PageKey;
use crate::policy::{PolicyKind, Why};
use isa::paging::{PTE_BYTES, Pte};
use isa::{PhysAddr, Ppn, Step};

/// What has become of a frame. (Private memory is told of by the faults and verbs that take and free it.)
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameNote {
    /// Taken, for the kernel, as a page table or as the zero page.
    Taken(FrameKind),
    /// Taken for a page of a file, which is in the page cache from now on.
    CacheFilled(PageKey),
    /// The page in it has left the page cache to make room, and nothing maps it any more; which policy chose it, and what led to that.
    Evicted(PageKey, PolicyKind, Why),
    /// The page in it has left the page cache: its file was cut or removed, or could not be read.
    CacheDropped(PageKey),
    /// Free again.
    Freed,
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
    /// Copies a whole frame onto another one.
    fn copy_frame(&mut self, from: Ppn, to: Ppn);
    /// Reads bytes; the range does not leave its frame.
    fn read_bytes(&self, at: PhysAddr, into: &mut [u8]);
    /// Writes bytes; the range does not leave its frame.
    fn write_bytes(&mut self, at: PhysAddr, bytes: &[u8]);
}
