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
    pub fn teardown<P: PhysMem>(self, mem: &mut Memory<P>) {
        let _all_of_the_asid_is_flushed = mem.unmap_pages(self.key, PageRange::new(Vpn(0), USER_END_PAGE));
        self.vmas.forget_all(mem.file_mappings_mut());
        mem.remove_space(self.key);
    }
}
