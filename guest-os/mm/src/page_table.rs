//! The page tables of an address space: walking them, and the one function that changes an entry ([`Memory::set_pte`]).

use crate::address_space::Flush;
use crate::frame::{FrameId, FrameKind, OutOfFrames};
use crate::memory::{Contents, Memory};
use crate::phys::PhysMem;
use crate::pte::{self, NotPresent, SwapSlot};
use crate::rmap::Mapper;
use crate::spaces::SpaceKey;
use crate::vma::PageRange;
use isa::paging::{self, ENTRIES, Pte, PteFlags, Scheme};
use isa::{PhysAddr, Ppn, Vpn};

pub(crate) const ROOT_LEVEL: u8 = Scheme::Sv39.root_level();
/// The kernel half of a root: the entries for addresses with bit 38 set.
const KERNEL_ENTRIES: core::ops::Range<u64> = ENTRIES / 2..ENTRIES;

/// Where in a table of `level` the entry for `vpn` lies.
fn slot(table: FrameId, vpn: Vpn, level: u8) -> PhysAddr {
    paging::pte_addr(table.ppn(), vpn.base(), level)
}

fn kernel_slot(root: Ppn, index: u64) -> PhysAddr {
    PhysAddr(root.base().0 + index * paging::PTE_BYTES)
}

/// Pages that an entry of a table of `level` spans.
fn span_pages(level: u8) -> u64 {
    1 << paging::pages_log2(level)
}

/// A root page table: empty below, the template's entries above.
pub(crate) fn new_root<P: PhysMem>(
    mem: &mut Memory<P>,
    template: Option<Ppn>,
) -> Result<FrameId, OutOfFrames> {
    let root = mem.allocate(FrameKind::PageTable, Contents::Zeros)?;
    if let Some(template) = template {
        for index in KERNEL_ENTRIES {
            let entry = mem.phys().read_pte(kernel_slot(template, index));
            mem.phys_mut().write_pte(kernel_slot(root.ppn(), index), entry);
        }
    }
    Ok(root)
}

/// Finds the table that a non-leaf entry points to.
fn table_of<P: PhysMem>(mem: &Memory<P>, entry: Pte) -> Option<FrameId> {
    if !entry.is_valid() {
        return None;
    }
    Some(mem.frames().lookup(entry.ppn()).expect("a user page table lies in the frame table's range"))
}

/// The page tables under a root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageTable {
    root: FrameId,
}

impl PageTable {
    pub(crate) fn new(root: FrameId) -> Self {
        Self { root }
    }

    /// The entry for a user page; [`Pte::EMPTY`] also if there is no page table for it.
    pub(crate) fn pte<P: PhysMem>(self, mem: &Memory<P>, vpn: Vpn) -> Pte {
        self.leaf_table(mem, vpn).map_or(Pte::EMPTY, |table| mem.phys().read_pte(slot(table, vpn, 0)))
    }

    /// The first entry of the range that is not empty, with its page. At each level it looks at no more than one table, so what is
    /// mapped nowhere costs next to nothing.
    pub(crate) fn next_entry<P: PhysMem>(self, mem: &Memory<P>, range: PageRange) -> Option<(Vpn, Pte)> {
        let mut vpn = range.start;
        while vpn < range.end {
            let mut table = self.root;
            for level in (0..=ROOT_LEVEL).rev() {
                let span = span_pages(level);
                let table_end = Vpn((vpn.0 | (span * ENTRIES - 1)) + 1);
                let in_range = range.end.min(table_end).0.div_ceil(span) - vpn.0 / span;
                let Some((before, entry)) = mem.phys().first_pte(slot(table, vpn, level), in_range) else {
                    vpn = table_end;
                    break;
                };
                if before > 0 {
                    vpn = Vpn((vpn.0 / span + before) * span);
                }
                if level == 0 {
                    return Some((vpn, entry));
                }
                table = table_of(mem, entry).expect("above the leaves, an entry is empty or names a table");
            }
        }
        None
    }

    /// How many tables there are at most, the root included.
    ///
    /// Cost: a walk for each table.
    pub(crate) fn tables<P: PhysMem>(self, mem: &Memory<P>) -> u64 {
        let mut count = 1;
        let mut rest = PageRange::new(Vpn(0), crate::layout::USER_END_PAGE);
        while let Some((vpn, _)) = self.next_entry(mem, rest) {
            rest.start = Vpn((vpn.0 | (ENTRIES - 1)) + 1);
            // A leaf table, and perhaps one for it at each level between it and the root.
            count += u64::from(ROOT_LEVEL);
        }
        count
    }

    fn leaf_table<P: PhysMem>(self, mem: &Memory<P>, vpn: Vpn) -> Option<FrameId> {
        debug_assert!(vpn < crate::layout::USER_END_PAGE, "{vpn:?} is not the user's");
        let mut table = self.root;
        for level in (1..=ROOT_LEVEL).rev() {
            table = table_of(mem, mem.phys().read_pte(slot(table, vpn, level)))?;
        }
        Some(table)
    }

    /// Makes the missing tables down to the leaf table for `vpn`, whose entry its caller is about to fill.
    /// If frames run out half-way, the tables made so far are freed again.
    fn make_leaf_table<P: PhysMem>(self, mem: &mut Memory<P>, vpn: Vpn) -> Result<FrameId, OutOfFrames> {
        let mut table = self.root;
        for level in (1..=ROOT_LEVEL).rev() {
            let at = slot(table, vpn, level);
            table = match table_of(mem, mem.phys().read_pte(at)) {
                Some(lower) => lower,
                None => match mem.allocate(FrameKind::PageTable, Contents::Zeros) {
                    Ok(lower) => {
                        mem.phys_mut().write_pte(at, Pte::new(lower.ppn(), PteFlags::V));
                        mem.frames_mut().count_entry(table, 1);
                        lower
                    }
                    Err(error) => {
                        self.free_empty_tables(mem, vpn);
                        return Err(error);
                    }
                },
            };
        }
        Ok(table)
    }

    /// Frees the tables on the way to `vpn` that have no entries, from the bottom up. The root stays.
    fn free_empty_tables<P: PhysMem>(self, mem: &mut Memory<P>, vpn: Vpn) {
        for lowest in 0..ROOT_LEVEL {
            // Walk down to the table of level `lowest`, remembering the entry that points to it.
            let mut table = self.root;
            let mut parent = None;
            for level in (lowest + 1..=ROOT_LEVEL).rev() {
                let at = slot(table, vpn, level);
                let Some(lower) = table_of(mem, mem.phys().read_pte(at)) else {
                    parent = None;
                    break;
                };
                parent = Some((table, at));
                table = lower;
            }
            if let Some((upper, at)) = parent
                && mem.frames().info(table).maps == 0
            {
                mem.phys_mut().write_pte(at, Pte::EMPTY);
                mem.frames_mut().count_entry(upper, -1);
                mem.release(table);
            }
        }
    }
}

impl<P: PhysMem> Memory<P> {
    /// **The one function that changes a user page's entry.** It keeps the map counts and owners of the frame that
    /// is mapped now and of the one that was, and the names of swap slots, passes a D bit that goes on to the page cache or the swap map, makes page
    /// tables as needed and frees them when they are empty, and frees a frame that has lost its last map (a page of the page cache stays there).
    ///
    /// Fails only when a page table is needed and there is no frame for it, or no memory to list another owner of a frame; then nothing has changed.
    pub(crate) fn set_pte(&mut self, space: SpaceKey, vpn: Vpn, new: Pte) -> Result<Flush, OutOfFrames> {
        let tables = self.space(space).page_table();
        let new_frame = mapped_frame(self, new);
        if let Some(frame) = new_frame {
            self.frames_mut().reserve_owner(frame)?;
        }
        let table = match tables.leaf_table(self, vpn) {
            Some(table) => table,
            None if new == Pte::EMPTY => return Ok(Flush::None),
            None => tables.make_leaf_table(self, vpn)?,
        };
        let at = slot(table, vpn, 0);
        let old = self.phys().read_pte(at);
        let old_frame = mapped_frame(self, old);
        if old == new {
            return Ok(Flush::None);
        }
        self.phys_mut().write_pte(at, new);
        if is_dirty(old) && !(is_dirty(new) && old_frame == new_frame) {
            self.pass_on_dirty(old_frame);
        }

        let (old_slot, new_slot) = (slot_named(old), slot_named(new));
        if old_slot != new_slot
            && let Some(slot) = new_slot
        {
            self.name_slot(slot);
            self.space_mut(space).swapped_pages += 1;
        }
        if old_frame != new_frame {
            let mapper = Mapper { space, vpn };
            if let Some(frame) = new_frame {
                let (is_anon, maps) = self.frames_mut().add_map(frame, mapper);
                let is_zeros = frame == self.zero_page();
                self.space_mut(space).count_page(is_anon, is_zeros);
                if is_anon && maps == 1 {
                    self.offer_private(frame, mapper);
                }
            }
            if let Some(frame) = old_frame {
                let (is_anon, left) = self.frames_mut().remove_map(frame, mapper);
                let is_zeros = frame == self.zero_page();
                self.space_mut(space).uncount_page(is_anon, is_zeros);
                if pte_was_used(old) {
                    // A private page that nobody maps any more is gone.
                    if left > 0 || !is_anon {
                        self.was_used(frame, is_anon);
                    }
                    self.tell_use(frame, mapper);
                }
                if left == 0 {
                    self.release_if_unused(frame);
                }
            }
        }
        if old_slot != new_slot
            && let Some(slot) = old_slot
        {
            self.space_mut(space).swapped_pages -= 1;
            self.unname_slot(slot);
        }
        if is_locked(old) && !(is_locked(new) && old_frame == new_frame) {
            self.unlocked(old_frame);
        }
        if self.space(space).budget.is_some() {
            self.budget_follows(space, vpn, old, new);
        }
        if old == Pte::EMPTY {
            self.frames_mut().count_entry(table, 1);
        } else if new == Pte::EMPTY && self.frames_mut().count_entry(table, -1) == 0 {
            tables.free_empty_tables(self, vpn);
            return Ok(Flush::All);
        }
        Ok(Flush::page(vpn))
    }

    /// Empties a user page's entry. Unlike [`Memory::set_pte`] it needs no page table, so it can't fail.
    pub(crate) fn clear_pte(&mut self, space: SpaceKey, vpn: Vpn) -> Flush {
        self.set_pte(space, vpn, Pte::EMPTY).expect("emptying an entry needs no frame")
    }

    /// Empties every entry of the range.
    pub(crate) fn unmap_pages(&mut self, space: SpaceKey, range: PageRange) -> Flush {
        let tables = self.space(space).page_table();
        let mut flush = Flush::None;
        let mut rest = range;
        while let Some((vpn, _)) = tables.next_entry(self, rest) {
            flush = flush.and(self.clear_pte(space, vpn));
            rest.start = Vpn(vpn.0 + 1);
        }
        flush
    }

    /// An entry with D has gone, or has lost D: what was stored through it is known to the page cache from now on; and a slot that had the page
    /// of a private frame has it no more.
    fn pass_on_dirty(&mut self, frame: Option<FrameId>) {
        let Some(frame) = frame else { return };
        match self.frames().info(frame).kind {
            FrameKind::PageCache(key) => self.mark_dirty(key),
            FrameKind::Anon(_) => self.slot_is_stale(frame),
            _ => {}
        }
    }
}

fn pte_was_used(pte: Pte) -> bool {
    pte.flags().contains(PteFlags::A)
}

/// The slot that an entry names.
pub(crate) fn slot_named(pte: Pte) -> Option<SwapSlot> {
    match NotPresent::decode(pte) {
        Some(NotPresent::Swapped(slot)) => Some(slot),
        _ => None,
    }
}

fn is_locked(pte: Pte) -> bool {
    pte.is_valid() && pte.flags().contains(pte::LOCKED)
}

fn is_dirty(pte: Pte) -> bool {
    pte.is_valid() && pte.flags().contains(PteFlags::D)
}

/// The frame that an entry maps. It is always the frame table's: user pages show no other memory.
pub(crate) fn mapped_frame<P: PhysMem>(mem: &Memory<P>, pte: Pte) -> Option<FrameId> {
    if !pte.is_valid() {
        return None;
    }
    Some(mem.frames().lookup(pte.ppn()).expect("a user page shows a frame of the frame table"))
}
