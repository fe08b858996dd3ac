//! `teardown`: the end of an address space. Every frame that only it had is free afterwards.

use super::AddressSpace;
use crate::layout::USER_END_PAGE;
use crate::memory::Memory;
use crate::phys::PhysMem;
use crate::vma::PageRange;
use isa::Vpn;

impl AddressSpace {
    /// Ends the address space: unmaps all of it and frees its page tables. It must not be current any more (its
    /// root goes too), and its ASID must be flushed before it is used again.
    pub fn teardown<P: PhysMem>(mut self, mem: &mut Memory<P>) {
        let _all_of_the_asid_is_flushed = self.unmap_pages(mem, PageRange::new(Vpn(0), USER_END_PAGE));
        debug_assert_eq!(self.resident_pages, 0);
        for file in self.vmas.files() {
            mem.file_unmapped(file);
        }
        mem.release(self.root);
    }
}
