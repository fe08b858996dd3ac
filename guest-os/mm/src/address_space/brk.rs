//! `brk`: the heap, one anonymous VMA that ends at the program break.

use super::{AddressSpace, Flush};
use crate::layout::{USER_END, USER_START_PAGE};
use crate::memory::Memory;
use crate::phys::PhysMem;
use crate::vma::{Backing, PageRange, Prot, Vma};
use isa::{PAGE_SIZE, VirtAddr, Vpn};

impl AddressSpace {
    /// Says where the heap begins, at `exec`: behind the program's last segment. The break is there too.
    pub fn set_heap_start(&mut self, start: VirtAddr) {
        self.heap = (start, start);
    }
    /// Where the heap begins.
    pub fn heap_start(&self) -> VirtAddr {
        self.heap.0
    }
    /// The program break: the first byte behind the heap.
    pub fn heap_end(&self) -> VirtAddr {
        self.heap.1
    }

    /// Moves the program break, if it can be there; the break is then [`AddressSpace::heap_end`]. As on Linux, a
    /// request that can't be met changes nothing and is not an error.
    pub fn brk<P: PhysMem>(&mut self, mem: &mut Memory<P>, wanted: VirtAddr) -> Flush {
        let (start, old_end) = self.heap;
        if wanted < start || wanted > USER_END {
            return Flush::None;
        }
        let (old_page, new_page) = (page_behind(old_end), page_behind(wanted));
        let mut flush = Flush::None;
        if new_page > old_page {
            if !self.grow_heap(mem, PageRange::new(old_page, new_page)) {
                return Flush::None;
            }
        } else if new_page < old_page {
            match self.unmap(mem, PageRange::new(new_page, old_page)) {
                Ok(unmapped) => flush = unmapped.flush,
                Err(_) => return Flush::None,
            }
        }
        self.heap.1 = wanted;
        flush
    }

    fn grow_heap<P: PhysMem>(&mut self, mem: &mut Memory<P>, range: PageRange) -> bool {
        if range.start < USER_START_PAGE
            || self.vmas.overlapping(range).next().is_some()
            || self.vmas.in_guard_gap(range)
        {
            return false;
        }
        let heap = Vma {
            range,
            prot: Prot::READ | Prot::WRITE,
            flags: self.locks_of_new,
            backing: Backing::Anon,
            name: "[heap]".into(),
        };
        self.vmas.insert(mem.file_mappings_mut(), heap).is_ok()
    }
}

/// The first page that begins at or behind the address.
fn page_behind(va: VirtAddr) -> Vpn {
    VirtAddr(va.0 + (PAGE_SIZE - 1)).page()
}
