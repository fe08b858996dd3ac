//! An address space: a root page table, its VMAs and its ASID. Its verbs are a file each: `map`, `unmap`, `protect`,
//! `discard`, `advise`, `brk`, `fork`, `teardown`, `fault`, and the clearing of A and D (`marks`).
//!
//! [`Memory`] has the page tables, since a frame may have to be taken from any address space; here is what a process may map. Every change
//! of a user page-table entry goes through [`Memory::set_pte`](crate::page_table), which also keeps the frames' map counts and reverse maps.

mod advise;
mod around;
mod brk;
mod discard;
mod fault;
mod flush;
mod fork;
mod fork_copy;
mod map;
mod marks;
mod move_pages;
mod protect;
mod teardown;
mod unmap;

pub use around::AroundPage;
pub use discard::Discarded;
pub use fault::FRAMES_OF_A_FAULT;
pub use flush::Flush;
pub use fork::{ForkMaps, ForkReport, LeftOut, SharedRange};
pub use fork_copy::CopiedPage;
pub use map::{MapRequest, Mapped, Placement};
pub use unmap::Unmapped;

use crate::frame::{FrameId, OutOfFrames};
use crate::layout::{Layout, STACK_LIMIT_PAGES, mmap_base_page};
use crate::local::Budget;
use crate::memory::Memory;
use crate::page_table::PageTable;
use crate::phys::PhysMem;
use crate::pte;
use crate::spaces::SpaceKey;
use crate::vma::{PageRange, RangeError, VmaFlags, VmaSet};
use core::convert::Infallible;
use isa::paging::{Pte, PteFlags, Satp};
use isa::{Ppn, VirtAddr, Vpn};

/// Names an address space for the world outside. Never used again in one run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SpaceId(pub u32);

/// Why an address space can't be changed as asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MapError {
    /// The range is empty or leaves user space (EINVAL; ENOMEM for a fixed mapping that is too high).
    BadRange,
    /// There is no gap that is large enough (ENOMEM).
    NoRoom,
    /// Something is mapped there, and it must not be replaced (EEXIST).
    Exists,
    /// There would be too many VMAs (ENOMEM).
    TooManyVmas,
    /// Part of the range is not mapped (ENOMEM).
    NotMapped,
    /// The VMA may never become writable (EACCES).
    NeverWritable,
    /// There is no frame left for it (ENOMEM).
    OutOfFrames,
    /// The kernel has no memory for what it must remember meanwhile (ENOMEM).
    NoMemory,
}

impl From<RangeError> for MapError {
    fn from(error: RangeError) -> Self {
        match error {
            RangeError::TooManyVmas => Self::TooManyVmas,
            RangeError::NotMapped => Self::NotMapped,
            RangeError::NeverWritable => Self::NeverWritable,
            RangeError::NoMemory => Self::NoMemory,
        }
    }
}

impl From<OutOfFrames> for MapError {
    fn from(_: OutOfFrames) -> Self {
        Self::OutOfFrames
    }
}

/// An address space. It must be ended by [`AddressSpace::teardown`], which gives its frames back.
#[derive(Debug)]
pub struct AddressSpace {
    id: SpaceId,
    /// Its name in [`Memory`].
    key: SpaceKey,
    asid: u16,
    root: FrameId,
    vmas: VmaSet,
    /// Where the heap begins and where it ends now (the program break), in bytes.
    heap: (VirtAddr, VirtAddr),
    stack_limit_pages: u64,
    /// Where mappings without an address begin, downwards: what the stack's limit was when the program began says it.
    mmap_base: Vpn,
    /// How pages that are mapped from now on are locked (MCL_FUTURE).
    locks_of_new: VmaFlags,
}

impl AddressSpace {
    /// An address space with nothing in its user half. The kernel half of its root is copied from `template`, the
    /// kernel's own root, if there is one; it points to the same lower tables and never changes.
    pub fn new<P: PhysMem>(
        mem: &mut Memory<P>,
        id: SpaceId,
        asid: u16,
        template: Option<Ppn>,
    ) -> Result<Self, OutOfFrames> {
        let (root, key) = mem.add_space(id, asid, template)?;
        Ok(Self {
            id,
            key,
            asid,
            root,
            vmas: VmaSet::new(key),
            heap: (VirtAddr(0), VirtAddr(0)),
            stack_limit_pages: STACK_LIMIT_PAGES,
            mmap_base: mmap_base_page(STACK_LIMIT_PAGES),
            locks_of_new: VmaFlags::empty(),
        })
    }

    /// Its name for the world outside.
    pub fn id(&self) -> SpaceId {
        self.id
    }
    /// Its name in the reverse maps.
    pub fn key(&self) -> SpaceKey {
        self.key
    }
    /// Its address-space identifier.
    pub fn asid(&self) -> u16 {
        self.asid
    }
    /// The root page table.
    pub fn root(&self) -> FrameId {
        self.root
    }
    /// The value of `satp` that makes it current.
    pub fn satp(&self) -> Satp {
        Satp::sv39(self.root.ppn(), self.asid)
    }
    /// Its VMAs.
    pub fn vmas(&self) -> &VmaSet {
        &self.vmas
    }
    /// How pages that are mapped from now on are locked, if they are.
    pub fn locks_of_new(&self) -> VmaFlags {
        self.locks_of_new
    }
    /// Locks what is mapped from now on, or not.
    pub fn lock_new(&mut self, locks: VmaFlags) {
        self.locks_of_new = locks & VmaFlags::LOCKS;
    }
    /// Sets and takes away flags of the VMAs in a range: what `fork` does with them, and whether their pages are locked.
    pub fn set_vma_flags<P: PhysMem>(
        &mut self,
        mem: &mut Memory<P>,
        range: PageRange,
        set: VmaFlags,
        unset: VmaFlags,
    ) -> Result<(), MapError> {
        self.vmas.set_flags(mem.file_mappings_mut(), range, set, unset)?;
        if (set | unset).contains(VmaFlags::LOCKED) {
            self.lock_entries(mem, range, set.contains(VmaFlags::LOCKED));
        }
        Ok(())
    }
    /// Says in the entries of a range whether their pages are locked. The hardware does not look at that, so no TLB need forget anything.
    fn lock_entries<P: PhysMem>(&mut self, mem: &mut Memory<P>, range: PageRange, is_locked: bool) {
        let done: Result<(), Infallible> = self.for_each_entry(mem, range, |space, mem, vpn, old| {
            if !old.is_valid() {
                return Ok(());
            }
            let flags = if is_locked { old.flags() | pte::LOCKED } else { old.flags() - pte::LOCKED };
            let _no_fence_needed = space.set_flags(mem, vpn, old, flags);
            Ok(())
        });
        let Ok(()) = done;
    }
    /// How many user pages are mapped now.
    pub fn resident_pages<P: PhysMem>(&self, mem: &Memory<P>) -> u64 {
        mem.space(self.key).pages
    }
    /// How many of them count as the program's: the page of zeros is nobody's.
    pub fn counted_pages<P: PhysMem>(&self, mem: &Memory<P>) -> u64 {
        let resident = mem.space(self.key);
        resident.pages - resident.zero_pages
    }
    /// The most that ever counted so at once.
    pub fn peak_resident_pages<P: PhysMem>(&self, mem: &Memory<P>) -> u64 {
        mem.space(self.key).peak_pages
    }

    /// How many pages of its own it may have in memory at once, if that is limited: see [`Budget`](crate::spaces::Resident::budget).
    pub fn budget<P: PhysMem>(&self, mem: &Memory<P>) -> Option<u64> {
        mem.space(self.key).budget.as_deref().map(Budget::limit)
    }
    /// Limits that, or does not. What it has beyond the limit goes with its next faults.
    pub fn set_budget<P: PhysMem>(&mut self, mem: &mut Memory<P>, pages: Option<u64>) {
        mem.set_budget(self.key, pages);
    }

    // ---- its page tables, which are `Memory`'s ----

    /// The entry for a user page; [`Pte::EMPTY`] also if there is no page table for it.
    pub fn pte<P: PhysMem>(&self, mem: &Memory<P>, vpn: Vpn) -> Pte {
        self.page_table().pte(mem, vpn)
    }
    /// The first entry of the range that is not empty, with its page. At each level it looks at no more than one table, so what is
    /// mapped nowhere costs next to nothing.
    pub fn next_entry<P: PhysMem>(&self, mem: &Memory<P>, range: PageRange) -> Option<(Vpn, Pte)> {
        self.page_table().next_entry(mem, range)
    }
    /// Calls `each` for every entry of the range that is not empty, in order: those that are not valid, too, and say where a page went. `each` may change that entry.
    fn for_each_entry<P: PhysMem, E>(
        &mut self,
        mem: &mut Memory<P>,
        range: PageRange,
        mut each: impl FnMut(&mut Self, &mut Memory<P>, Vpn, Pte) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut rest = range;
        while let Some((vpn, pte)) = self.next_entry(mem, rest) {
            each(self, mem, vpn, pte)?;
            rest.start = Vpn(vpn.0 + 1);
        }
        Ok(())
    }
    /// Changes an entry: [`Memory::set_pte`].
    fn set_pte<P: PhysMem>(&mut self, mem: &mut Memory<P>, vpn: Vpn, new: Pte) -> Result<Flush, OutOfFrames> {
        mem.set_pte(self.key, vpn, new)
    }
    /// Gives a mapped page's entry other flags. `old` is what it is now, with a frame.
    fn set_flags<P: PhysMem>(&mut self, mem: &mut Memory<P>, vpn: Vpn, old: Pte, flags: PteFlags) -> Flush {
        self.set_pte(mem, vpn, old.with_flags(flags)).expect("the entry's page table is there")
    }
    fn page_table(&self) -> PageTable {
        PageTable::new(self.root)
    }

    /// Makes room for a stack of so many pages, before anything is mapped.
    pub fn lay_out(&mut self, layout: &Layout, stack_limit_pages: u64) {
        self.stack_limit_pages = stack_limit_pages;
        self.mmap_base = layout.mmap_base;
    }
    /// How far a stack may grow, in pages.
    pub fn stack_limit_pages(&self) -> u64 {
        self.stack_limit_pages
    }
    /// How far a stack may grow, in pages (`RLIMIT_STACK`).
    pub fn set_stack_limit_pages(&mut self, pages: u64) {
        self.stack_limit_pages = pages;
    }
}
