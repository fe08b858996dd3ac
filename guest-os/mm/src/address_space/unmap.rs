//! `unmap`: take a range out of an address space, its VMAs and its pages.

use super::{AddressSpace, Flush, MapError};
use crate::memory::Memory;
use crate::phys::PhysMem;
use crate::vma::{PageRange, Vma};
use alloc::vec::Vec;

/// A range was unmapped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unmapped {
    /// The VMAs, or parts of VMAs, that were there.
    pub removed: Vec<Vma>,
    /// What the TLB must forget.
    pub flush: Flush,
}

impl AddressSpace {
    /// Unmaps every page of the range. Pages that are not mapped are passed over, as `munmap` does.
    pub fn unmap<P: PhysMem>(&mut self, mem: &mut Memory<P>, range: PageRange) -> Result<Unmapped, MapError> {
        let removed = self.vmas.remove(mem.file_mappings_mut(), range)?;
        let mut flush = Flush::None;
        for vma in &removed {
            flush = flush.and(mem.unmap_pages(self.key, vma.range));
        }
        Ok(Unmapped { removed, flush })
    }
}
