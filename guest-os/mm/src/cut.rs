//! What has gone from a file goes from all who map it: the file has become shorter, or has a new hole.

use crate::address_space::Flush;
use crate::frame::FrameKind;
use crate::memory::Memory;
use crate::page_cache::FileId;
use crate::page_table::mapped_frame;
use crate::phys::PhysMem;
use crate::spaces::Resident;
use crate::vma::PageRange;
use core::ops::Range;
use isa::Vpn;

impl<P: PhysMem> Memory<P> {
    /// Unmaps the pages that show the file from its page `first_gone` on, private copies of them included, as Linux does; the
    /// VMAs stay. The next touch finds the end of the file (SIGBUS), or new pages if it has grown again. `gone` hears of each
    /// such range, of which address space it is, how many of its pages were mapped, and what the TLB must forget.
    ///
    /// Cost: a look at each interval of address spaces that shows the file, and the entries of those that show its end.
    pub fn cut_file(
        &mut self,
        file: FileId,
        first_gone: u64,
        mut gone: impl FnMut(&Resident, PageRange, u64, Flush),
    ) {
        let pages = first_gone..u64::MAX;
        let mut last = None;
        while let Some(interval) = self.file_mappings().next_of(file, &pages, last) {
            last = Some(interval);
            let range = interval.pages_showing(&pages);
            let space = interval.at.space;
            let before = self.space(space).pages;
            let flush = self.unmap_pages(space, range);
            let resident = self.space(space);
            gone(resident, range, before - resident.pages, flush);
        }
    }

    /// Unmaps the pages that show `hole` of the file itself; unlike where a file is cut, private copies stay, as in Linux. The next touch
    /// finds zeros. `gone` hears of each page.
    ///
    /// Cost: as [`Memory::cut_file`].
    pub fn unmap_hole(
        &mut self,
        file: FileId,
        hole: &Range<u64>,
        mut gone: impl FnMut(&Resident, PageRange, u64, Flush),
    ) {
        let mut last = None;
        while let Some(interval) = self.file_mappings().next_of(file, hole, last) {
            last = Some(interval);
            let space = interval.at.space;
            let mut rest = interval.pages_showing(hole);
            while let Some((vpn, pte)) = self.space(space).page_table().next_entry(self, rest) {
                rest.start = Vpn(vpn.0 + 1);
                // What went out by an entry of its own is a copy, too: the file's pages leave empty entries.
                let is_copy = mapped_frame(self, pte)
                    .is_none_or(|frame| matches!(self.frames().info(frame).kind, FrameKind::Anon(_)));
                if !is_copy {
                    let flush = self.clear_pte(space, vpn);
                    gone(self.space(space), PageRange::new(vpn, rest.start), 1, flush);
                }
            }
        }
    }
}
