//! `cut`: a file that is mapped has become shorter.

use super::{AddressSpace, Flush};
use crate::layout::USER_END_PAGE;
use crate::memory::Memory;
use crate::page_cache::FileId;
use crate::phys::PhysMem;
use crate::vma::{Backing, PageRange};
use isa::Vpn;

impl AddressSpace {
    /// Unmaps the pages that show the file from its page `first_gone` on, private copies of them included, as Linux does; the
    /// VMAs stay. The next touch finds the end of the file (SIGBUS), or new pages if it has grown again. `dropped` hears of each
    /// such range and how many of its pages were mapped.
    ///
    /// Cost: a look at every VMA, and the entries of those that show the file's end.
    pub fn cut_file<P: PhysMem>(
        &mut self,
        mem: &mut Memory<P>,
        file: FileId,
        first_gone: u64,
        mut dropped: impl FnMut(PageRange, u64),
    ) -> Flush {
        let mut flush = Flush::None;
        let mut rest = PageRange::new(Vpn(0), USER_END_PAGE);
        while let Some(range) = self.next_showing(file, first_gone, rest) {
            let before = self.resident_pages;
            flush = flush.and(self.unmap_pages(mem, range));
            dropped(range, before - self.resident_pages);
            rest.start = range.end;
        }
        flush
    }

    /// The first pages in `rest` that lie in one VMA and show the file from its page `first` on.
    fn next_showing(&self, file: FileId, first: u64, rest: PageRange) -> Option<PageRange> {
        self.vmas.overlapping(rest).find_map(|vma| match vma.backing {
            Backing::File(backing) if backing.file == file => {
                let kept = first.saturating_sub(backing.first_page).min(vma.range.len_pages());
                let range = PageRange::new(Vpn(vma.range.start.0 + kept), vma.range.end).intersect(rest);
                (!range.is_empty()).then_some(range)
            }
            _ => None,
        })
    }
}
