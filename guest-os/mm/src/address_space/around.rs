//! Fault-around: when a load or a fetch has had a page of a file mapped, its neighbours are mapped, too, which are in the page cache already.
//! Off unless the kernel asks for it: pages then are mapped that nobody touches.

use super::{AddressSpace, Flush};
use crate::frame::FrameId;
use crate::memory::Memory;
use crate::page_cache::{PageKey, PageLookup};
use crate::phys::PhysMem;
use crate::pte::{self, Stores, permissions};
use crate::vma::{PageRange, PageSource};
use isa::Vpn;
use isa::paging::{ENTRIES, Pte, PteFlags};

/// A page that was mapped as another one's neighbour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AroundPage {
    /// The page.
    pub vpn: Vpn,
    /// The frame of the page cache that it shows.
    pub frame: FrameId,
    /// What is in it.
    pub key: PageKey,
    /// Its entry.
    pub pte: Pte,
}

impl AddressSpace {
    /// Maps what the page cache has of the neighbours of a page that is mapped: of the `window` pages (a power of two, of at most a page table's
    /// entries) among which it lies, aligned, those of its VMA, as far as its budget goes. `each` hears of every one. Nothing is read, no frame is taken, and no page counts as
    /// used by that: `marks` is A only where the hardware cannot set it.
    ///
    /// Cost: for each page of the window a look into the page cache, and a walk if it is there.
    pub fn map_around<P: PhysMem>(
        &mut self,
        mem: &mut Memory<P>,
        vpn: Vpn,
        window: u64,
        marks: PteFlags,
        mut each: impl FnMut(AroundPage),
    ) -> Flush {
        assert!(window.is_power_of_two() && window <= ENTRIES, "the window lies in one page table");
        let Some(vma) = self.vmas.find(vpn) else { return Flush::None };
        let first = Vpn(vpn.0 & !(window - 1));
        let range = PageRange::new(first, Vpn(first.0 + window)).intersect(vma.range);
        let stores = if vma.is_shared() { Stores::AsProtected } else { Stores::Forbidden };
        let locks = if vma.is_locked() { pte::LOCKED } else { PteFlags::empty() };
        let flags = permissions(vma.prot, stores) | PteFlags::V | marks | locks;
        let mut flush = Flush::None;
        for vpn in range.pages() {
            let PageSource::File(key) = vma.source(vpn) else { continue };
            let PageLookup::Ready(frame) = mem.cache().lookup(key) else { continue };
            if self.page_table().pte(mem, vpn) != Pte::EMPTY {
                continue;
            }
            if locks.is_empty() && !mem.is_within_budget(self.key) {
                break;
            }
            let pte = Pte::new(frame.ppn(), flags);
            let changed = mem.set_pte(self.key, vpn, pte);
            flush = flush
                .and(changed.expect("the page table is there, and a page of a file needs no list of owners"));
            each(AroundPage { vpn, frame, key, pte });
        }
        flush
    }
}
