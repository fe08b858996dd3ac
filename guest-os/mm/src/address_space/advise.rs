//! `cool`, `give_up` and `page_out`: what a program says of the pages that are its alone (`madvise`). Pages that others map, too, and locked
//! ones stay as they are.
//!
//! Cost of each: what is done for each page in memory or in swap space, and no more than a look at a table for what was never touched.

use super::{AddressSpace, Flush};
use crate::frame::{FrameId, FrameKind};
use crate::memory::Memory;
use crate::page_table::mapped_frame;
use crate::phys::PhysMem;
use crate::policy::{Marks, Why};
use crate::pte::{self, NotPresent};
use crate::rmap::Mapper;
use crate::vma::{Backing, PageRange};
use core::convert::Infallible;
use isa::Vpn;
use isa::paging::{Pte, PteFlags};

impl AddressSpace {
    /// The pages of a range will not be used soon (MADV_COLD): their A bits are clear, as if they had not been used. Returns what the TLB must forget.
    pub fn cool<P: PhysMem>(&mut self, mem: &mut Memory<P>, range: PageRange) -> Flush {
        let mut flush = Flush::None;
        let done: Result<(), Infallible> = self.for_each_entry(mem, range, |space, mem, vpn, old| {
            if let Some(frame) = own_frame(mem, old)
                && old.flags().contains(PteFlags::A)
            {
                mem.tell_use(frame, Mapper { space: space.key, vpn });
                flush = flush.and(space.set_flags(mem, vpn, old, old.flags() - PteFlags::A));
            }
            Ok(())
        });
        let Ok(()) = done;
        flush
    }

    /// What the anonymous pages of a range hold is not needed any more (MADV_FREE): they are zeros, if they leave memory before they are stored to
    /// again. Those in swap space are at once: `each` gets stretches of the range with all of these, and no page that is in memory. Returns what the TLB must forget
    /// before anything else happens.
    pub fn give_up<P: PhysMem>(
        &mut self,
        mem: &mut Memory<P>,
        range: PageRange,
        mut each: impl FnMut(PageRange),
    ) -> Flush {
        let mut flush = Flush::None;
        let mut gone: Option<PageRange> = None;
        let done: Result<(), Infallible> = self.for_each_entry(mem, range, |space, mem, vpn, old| {
            if !space.vmas.find(vpn).is_some_and(|vma| vma.backing == Backing::Anon) {
                return Ok(());
            }
            if NotPresent::decode(old).is_some() {
                gone = Some(PageRange::new(gone.map_or(vpn, |gone| gone.start), Vpn(vpn.0 + 1)));
                let emptied = space.set_pte(mem, vpn, Pte::EMPTY);
                flush = flush.and(emptied.expect("an entry is emptied without a frame"));
                return Ok(());
            }
            gone.take().into_iter().for_each(&mut each);
            if let Some(frame) = own_frame(mem, old).filter(|&frame| mem.can_be_given_up(frame)) {
                let flags = old.flags() - (PteFlags::A | PteFlags::D);
                flush = flush.and(space.set_flags(mem, vpn, old, flags));
                mem.give_up(frame);
            }
            Ok(())
        });
        let Ok(()) = done;
        gone.into_iter().for_each(each);
        flush
    }

    /// Has the pages of a range leave memory (MADV_PAGEOUT), as far as they can: from its start on, up to the first that must be written. That write has to be taken
    /// ([`Memory::take_write`]) before this is called again with what is left of the range. Returns whether anything is.
    pub fn page_out<P: PhysMem>(&self, mem: &mut Memory<P>, rest: &mut PageRange) -> bool {
        while !mem.has_write() {
            let Some((vpn, entry)) = self.next_entry(mem, *rest) else { return false };
            rest.start = Vpn(vpn.0 + 1);
            let Some(frame) = own_frame(mem, entry).filter(|&frame| mem.can_go(frame)) else { continue };
            let flags = entry.flags();
            let marks = Marks { accessed: flags.contains(PteFlags::A), dirty: flags.contains(PteFlags::D) };
            if mem.evict(frame, Why { marks, is_asked: true, ..Why::default() }).is_err() {
                // The kernel has no memory to remember where to; more would not find any either.
                return false;
            }
        }
        true
    }
}

/// The frame of a page of private memory or of a file that this entry alone maps, and does not lock.
fn own_frame<P: PhysMem>(mem: &Memory<P>, entry: Pte) -> Option<FrameId> {
    let frame = mapped_frame(mem, entry).filter(|_| !entry.flags().contains(pte::LOCKED))?;
    let info = mem.frames().info(frame);
    (info.maps == 1 && matches!(info.kind, FrameKind::Anon(_) | FrameKind::PageCache(_))).then_some(frame)
}
