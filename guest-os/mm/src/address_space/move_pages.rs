//! `move_pages`: the pages of a range are found at another address from now on (`mremap`).

use super::{AddressSpace, Flush};
use crate::frame::OutOfFrames;
use crate::memory::Memory;
use crate::phys::PhysMem;
use crate::vma::PageRange;
use isa::Vpn;
use isa::paging::Pte;

/// Pages that the entries of one page table show.
const PAGES_OF_TABLE: u64 = 512;

impl AddressSpace {
    /// Frames that [`AddressSpace::move_pages`] takes at most for the entries of so many pages: page tables, of two levels, whose first and
    /// last are shared with others' pages.
    pub fn frames_to_move(len_pages: u64) -> u64 {
        len_pages / PAGES_OF_TABLE + len_pages / (PAGES_OF_TABLE * PAGES_OF_TABLE) + 4
    }

    /// Gives the entries of a range to the range that begins at `to`, where nothing is mapped: pages in memory, those in swap space, locks and
    /// marks. No page is copied or read. Both ranges lie in VMAs that show the same. How many entries there were.
    ///
    /// Without a frame for a page table it ends in the middle: the caller sees to [`AddressSpace::frames_to_move`].
    pub fn move_pages<P: PhysMem>(
        &mut self,
        mem: &mut Memory<P>,
        from: PageRange,
        to: Vpn,
    ) -> Result<(u64, Flush), OutOfFrames> {
        let (mut count, mut flush) = (0, Flush::None);
        self.for_each_entry(mem, from, |space, mem, vpn: Vpn, pte: Pte| {
            let new = Vpn(to.0 + (vpn.0 - from.start.0));
            // First there, so that there is always an entry that keeps the page.
            flush = flush.and(space.set_pte(mem, new, pte)?);
            flush = flush.and(space.set_pte(mem, vpn, Pte::EMPTY)?);
            count += 1;
            Ok(())
        })?;
        Ok((count, flush))
    }
}
