//! `clear_accessed` and `clear_dirty`: what is set from here on tells what is used, and changed, from here on.

use super::{AddressSpace, Flush};
use crate::memory::Memory;
use crate::page_table::mapped_frame;
use crate::phys::PhysMem;
use isa::Vpn;
use isa::paging::PteFlags;

impl AddressSpace {
    /// Clears A of a page. Returns whether it was set, and what the TLB must forget: until then the hardware may use the page without
    /// setting it again.
    pub fn clear_accessed<P: PhysMem>(&mut self, mem: &mut Memory<P>, vpn: Vpn) -> (bool, Flush) {
        self.clear_mark(mem, vpn, PteFlags::A)
    }

    /// Clears D of a page, of which the page cache hears if the page is a file's. Returns whether it was set, and what the TLB must forget
    /// before the page is written to a device: until then the hardware may store to it without setting D again.
    pub fn clear_dirty<P: PhysMem>(&mut self, mem: &mut Memory<P>, vpn: Vpn) -> (bool, Flush) {
        if let Some(frame) = mapped_frame(mem, self.pte(mem, vpn)) {
            // By D alone it would be taken for as it was when it was given up.
            mem.keep(frame);
        }
        self.clear_mark(mem, vpn, PteFlags::D)
    }

    fn clear_mark<P: PhysMem>(&mut self, mem: &mut Memory<P>, vpn: Vpn, mark: PteFlags) -> (bool, Flush) {
        let old = self.pte(mem, vpn);
        if !old.is_valid() || !old.flags().contains(mark) {
            return (false, Flush::None);
        }
        (true, self.set_flags(mem, vpn, old, old.flags() - mark))
    }
}
