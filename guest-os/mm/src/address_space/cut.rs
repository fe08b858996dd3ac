//! `cut`: a file that is mapped has become shorter, or has a new hole.

use super::tables::mapped_frame;
use super::{AddressSpace, Flush};
use crate::frame::FrameKind;
use crate::layout::USER_END_PAGE;
use crate::memory::Memory;
use crate::page_cache::FileId;
use crate::phys::PhysMem;
use crate::vma::{Backing, PageRange};
use core::convert::Infallible;
use core::ops::Range;
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
        while let Some(range) = self.next_showing(file, &(first_gone..u64::MAX), rest) {
            let before = self.resident_pages;
            flush = flush.and(self.unmap_pages(mem, range));
            dropped(range, before - self.resident_pages);
            rest.start = range.end;
        }
        flush
    }

    /// Unmaps the pages that show `hole` of the file itself; unlike where a file is cut, private copies stay, as in Linux. The next touch
    /// finds zeros. `dropped` hears of each page.
    ///
    /// Cost: as [`AddressSpace::cut_file`].
    pub fn punch_file<P: PhysMem>(
        &mut self,
        mem: &mut Memory<P>,
        file: FileId,
        hole: &Range<u64>,
        mut dropped: impl FnMut(PageRange),
    ) -> Flush {
        let mut flush = Flush::None;
        let mut rest = PageRange::new(Vpn(0), USER_END_PAGE);
        while let Some(range) = self.next_showing(file, hole, rest) {
            let done: Result<(), Infallible> = self.for_each_entry(mem, range, |space, mem, vpn, pte| {
                let is_copy = mapped_frame(mem, pte)
                    .is_some_and(|frame| matches!(mem.frames().info(frame).kind, FrameKind::Anon(_)));
                if !is_copy {
                    flush = flush.and(space.clear_pte(mem, vpn));
                    dropped(PageRange::new(vpn, Vpn(vpn.0 + 1)));
                }
                Ok(())
            });
            let Ok(()) = done;
            rest.start = range.end;
        }
        flush
    }

    /// The first pages in `rest` that lie in one VMA and show some of these pages of the file.
    fn next_showing(&self, file: FileId, pages: &Range<u64>, rest: PageRange) -> Option<PageRange> {
        self.vmas.overlapping(rest).find_map(|vma| match vma.backing {
            Backing::File(backing) if backing.file == file => {
                let at = |page: u64| {
                    Vpn(vma.range.start.0
                        + page.saturating_sub(backing.first_page).min(vma.range.len_pages()))
                };
                let range = PageRange::new(at(pages.start), at(pages.end)).intersect(rest);
                (!range.is_empty()).then_some(range)
            }
            _ => None,
        })
    }
}
