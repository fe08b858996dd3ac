//! `unmap`: take a range out of an address space, its VMAs and its pages.

use super::{AddressSpace, Flush, MapError};
use crate::memory::Memory;
use crate::phys::PhysMem;
use crate::vma::{PageRange, Vma};
use alloc::vec::Vec;
use core::convert::Infallible;

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
        let removed = self.vmas.remove(range)?;
        let mut flush = Flush::None;
        for vma in &removed {
            flush = flush.and(self.unmap_pages(mem, vma.range));
        }
        self.report_unused_files(mem, &removed);
        Ok(Unmapped { removed, flush })
    }

    /// Empties every entry of the range.
    pub(super) fn unmap_pages<P: PhysMem>(&mut self, mem: &mut Memory<P>, range: PageRange) -> Flush {
        let mut flush = Flush::None;
        let done: Result<(), Infallible> = self.for_each_entry(mem, range, |space, mem, vpn, _| {
            flush = flush.and(space.clear_pte(mem, vpn));
            Ok(())
        });
        let Ok(()) = done;
        flush
    }

    /// Tells of each file that was in `removed` and is in no VMA any more.
    fn report_unused_files<P: PhysMem>(&mut self, mem: &mut Memory<P>, removed: &[Vma]) {
        for file in removed.iter().filter_map(Vma::file) {
            if self.vmas.forget_unused(file) {
                mem.file_unmapped(file);
            }
        }
    }
}
