//! `discard`: forget what the pages of a range hold; the VMAs stay (`madvise(MADV_DONTNEED)`).

use super::{AddressSpace, Flush};
use crate::memory::Memory;
use crate::phys::PhysMem;
use crate::vma::PageRange;

/// Pages of a range were discarded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Discarded {
    /// How many were mapped.
    pub pages: u64,
    /// What the TLB must forget.
    pub flush: Flush,
}

impl AddressSpace {
    /// Unmaps the pages of a range and keeps the VMAs: the next touch finds what the backing holds, as if the pages were
    /// touched for the first time. Shared pages keep their content, which is their file's.
    pub fn discard<P: PhysMem>(&mut self, mem: &mut Memory<P>, range: PageRange) -> Discarded {
        let before = self.resident_pages(mem);
        let flush = mem.unmap_pages(self.key, range);
        Discarded { pages: before - self.resident_pages(mem), flush }
    }
}
