//! `discard`: forget what the pages of a range hold; the VMAs stay (`madvise(MADV_DONTNEED)`).

use super::{AddressSpace, Flush, MapError};
use crate::memory::Memory;
use crate::phys::PhysMem;
use crate::vma::{PageRange, RangeError};

impl AddressSpace {
    /// Unmaps the pages of a range that VMAs cover, and keeps the VMAs: the next touch finds what the backing holds, as
    /// if the pages were touched for the first time. Shared pages keep their content, which is their file's.
    pub fn discard<P: PhysMem>(&mut self, mem: &mut Memory<P>, range: PageRange) -> Result<Flush, MapError> {
        if !self.vmas.covers(range) {
            return Err(RangeError::NotMapped.into());
        }
        Ok(self.unmap_pages(mem, range))
    }
}
