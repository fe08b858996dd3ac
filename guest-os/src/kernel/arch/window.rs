//! Windows of the kernel's address space that are mapped page by page: one for its heap, one for its stacks.
//!
//! The direct map consists of 1 GiB leaves, in which nothing can be left out and nothing scattered made one piece. A window is
//! one entry of the root table (privileged manual, "Sv39"), pointing to a table of the kernel's image from the start on, so that
//! every root that is copied from the kernel's has it, whatever is mapped later. The tables below come from whoever maps the
//! first page under them and stay.
//!
//! What lies in a window is in no device's reach: its pages are scattered in physical memory (see [`super::phys_of`]).

use super::csr::fence_address_space;
use super::start::{direct_map, kernel_root, phys_of};
use core::cell::UnsafeCell;
use core::ops::Range;
use isa::paging::{ENTRIES, Pte, PteFlags};
use isa::{PAGE_SIZE, Ppn};

/// Bytes of a window: what one root entry spans.
pub const WINDOW_BYTES: usize = 1 << 30;
/// Sv39: the root's upper half is the upper end of the address space.
const ROOT_ENTRIES: usize = 512;
const HEAP_SLOT: usize = 508;
const STACK_SLOT: usize = 510;
/// A page of the kernel's data; A and D preset, since the kernel never takes a page fault to set them.
const PAGE: PteFlags = PteFlags::V
    .union(PteFlags::R)
    .union(PteFlags::W)
    .union(PteFlags::A)
    .union(PteFlags::D)
    .union(PteFlags::G);
const TABLE_PAGES: usize = 512;

#[repr(C, align(4096))]
struct Table([UnsafeCell<u64>; TABLE_PAGES]);
const _: () = assert!(size_of::<Table>() as u64 == PAGE_SIZE && TABLE_PAGES as u64 == ENTRIES);

// SAFETY: one hart, and only the functions below touch the entries, none of which can be interrupted.
unsafe impl Sync for Table {}

impl Table {
    const EMPTY: Self = Self([const { UnsafeCell::new(0) }; TABLE_PAGES]);
}

/// A window: its root entry and the table that this points to.
pub struct Window {
    slot: usize,
    table: Table,
}

/// Where the kernel's heap grows.
pub static HEAP_WINDOW: Window = Window { slot: HEAP_SLOT, table: Table::EMPTY };
/// Where the kernel's stacks are.
pub static STACK_WINDOW: Window = Window { slot: STACK_SLOT, table: Table::EMPTY };

/// The lower table of the first stacks, that of the boot stack among them.
static FIRST_STACKS: Table = Table::EMPTY;

/// For the `take_table` of the boot stack's mapping.
pub fn first_stack_table() -> Option<Ppn> {
    Some(phys_of(&raw const FIRST_STACKS).page())
}

/// There was no frame for a page table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoTable;

/// Enters the windows into the kernel's root. Called once, before any other root is made.
pub fn start() {
    let root = direct_map(kernel_root().base()) as *mut u64;
    for window in [&HEAP_WINDOW, &STACK_WINDOW] {
        let entry = Pte::new(phys_of(&raw const window.table).page(), PteFlags::V);
        // SAFETY: an entry of the root table that nothing uses yet.
        unsafe { root.add(window.slot).write_volatile(entry.0) };
    }
    fence_address_space(None, None);
}

impl Window {
    /// Its addresses.
    pub const fn range(&self) -> Range<usize> {
        let start = WINDOW_BYTES.wrapping_mul(self.slot.wrapping_sub(ROOT_ENTRIES));
        start..start + WINDOW_BYTES
    }

    /// Maps `frame` at `va`, where nothing is mapped. `take_table` gives a zeroed frame if a page table is missing.
    pub fn map(
        &self,
        va: usize,
        frame: Ppn,
        take_table: impl FnOnce() -> Option<Ppn>,
    ) -> Result<(), NoTable> {
        let upper = self.upper_entry(va);
        // SAFETY: an entry of the window's table.
        let mut table = Pte(unsafe { upper.read_volatile() });
        if !table.is_valid() {
            table = Pte::new(take_table().ok_or(NoTable)?, PteFlags::V);
            // SAFETY: as above.
            unsafe { upper.write_volatile(table.0) };
        }
        let entry = lower_entry(table, va);
        // SAFETY: an entry of a table that `take_table` has given for this use.
        unsafe {
            assert!(!Pte(entry.read_volatile()).is_valid(), "{va:#x} is mapped already");
            entry.write_volatile(Pte::new(frame, PAGE).0);
        }
        // The hart may have remembered that there was nothing.
        fence_address_space(Some(va as u64), None);
        Ok(())
    }

    /// Unmaps the page at `va`; the frame is the caller's again.
    pub fn unmap(&self, va: usize) -> Ppn {
        // SAFETY: an entry of the window's table.
        let table = Pte(unsafe { self.upper_entry(va).read_volatile() });
        assert!(table.is_valid(), "{va:#x} was never mapped");
        let entry = lower_entry(table, va);
        // SAFETY: an entry of a table of the window.
        let pte = Pte(unsafe { entry.replace(0) });
        assert!(pte.is_valid(), "{va:#x} is not mapped");
        fence_address_space(Some(va as u64), None);
        pte.ppn()
    }

    fn upper_entry(&self, va: usize) -> *mut u64 {
        assert!(
            self.range().contains(&va) && va.is_multiple_of(PAGE_BYTES),
            "{va:#x} is no page of the window"
        );
        self.table.0[(va - self.range().start) / PAGE_BYTES / TABLE_PAGES].get()
    }
}

const PAGE_BYTES: usize = 4096;

fn lower_entry(table: Pte, va: usize) -> *mut u64 {
    let base = direct_map(table.ppn().base()) as *mut u64;
    // SAFETY: the index is below 512: inside the table's frame.
    unsafe { base.add(va / PAGE_BYTES % TABLE_PAGES) }
}
