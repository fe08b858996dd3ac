//! One address space: its VMAs and which frame each of its pages maps.

use super::event::permissions;
use core::ops::Range;
use isa::events::{GIVEN_UP, VMA_GROWSDOWN, VMA_READ, VMA_SHARED, VMA_WRITE};
use isa::paging::{Satp, Scheme, pages_log2};
use isa::{PAGE_SIZE, Ppn, VirtAddr, Vpn};
use std::collections::BTreeMap;

/// How the guest OS translates user addresses.
pub(super) const SCHEME: Scheme = Scheme::Sv39;
/// The level of the root table, which is always there.
pub(super) const ROOT_LEVEL: u8 = SCHEME.root_level();

/// A range of an address space with one protection and one backing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VmaView {
    /// First byte.
    pub start: VirtAddr,
    /// First byte behind it.
    pub end: VirtAddr,
    /// The file's number, or 0 for anonymous memory.
    pub file: u64,
    /// Where in the file it starts, in bytes.
    pub offset_bytes: u64,
    /// `isa::events::VMA_*`.
    pub flags: u64,
    /// The file's path, or `[heap]`, `[stack]`; empty for other anonymous memory.
    pub name: String,
}

impl VmaView {
    /// Whether it holds the address.
    pub fn contains(&self, va: VirtAddr) -> bool {
        self.start <= va && va < self.end
    }
    /// The permissions as in `/proc/PID/maps`: `r-xp`.
    pub fn permissions(&self) -> String {
        permissions(self.flags)
    }
    /// Where in the file the byte at `va` comes from.
    pub fn file_offset_of(&self, va: VirtAddr) -> u64 {
        self.offset_bytes.wrapping_add(va.0.wrapping_sub(self.start.0))
    }
    /// What to call it: its name, or what kind of memory it is.
    pub fn title(&self) -> &str {
        match (self.name.as_str(), self.flags & VMA_SHARED != 0) {
            ("", false) => "anonymous memory",
            ("", true) => SHARED_ANONYMOUS,
            (name, _) => title_of_file(name),
        }
    }
    /// Whether its pages begin as zeros, and are no file's that has a name.
    pub fn is_anonymous(&self) -> bool {
        self.name.is_empty() || self.title() == SHARED_ANONYMOUS
    }
    /// What it is, and where in it an address lies: `/bin/cat (r-xp, 0x10000-0x12000), on page 1 of that file`.
    pub fn described(&self, va: VirtAddr) -> String {
        let (start, end) = (self.start, self.end);
        let what = format!("{} ({}, {start}-{end})", self.title(), self.permissions());
        if self.file == 0 {
            return what;
        }
        format!("{what}, on page {} of that file", self.file_offset_of(va.page_base()) / PAGE_SIZE)
    }
    /// The part from `va` on.
    fn from(&self, va: VirtAddr) -> Self {
        let offset_bytes = if self.file == 0 { self.offset_bytes } else { self.file_offset_of(va) };
        Self { start: va, offset_bytes, ..self.clone() }
    }
    /// Whether `next` goes on where this one ends, with all the same.
    fn continues_in(&self, next: &Self) -> bool {
        let offsets_meet = self.file == 0 || next.offset_bytes == self.file_offset_of(self.end);
        self.end == next.start
            && (self.file, self.flags, &self.name) == (next.file, next.flags, &next.name)
            && offsets_meet
    }
}

const SHARED_ANONYMOUS: &str = "shared anonymous memory";

/// What to call a file: the one in memory that holds shared anonymous memory has a name only because `/proc/PID/maps` shows one.
pub(super) fn title_of_file(name: &str) -> &str {
    if name == "/dev/zero (deleted)" { SHARED_ANONYMOUS } else { name }
}

/// Where a private page is that has left memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Away {
    /// Nowhere: it held zeros.
    Zeros,
    /// Nowhere: its program had given its content up (MADV_FREE).
    GivenUp,
    /// In this slot of the swap space.
    Slot(u64),
}

impl Away {
    /// As an event tells it: 0 is no slot; `flags` are those of a `SwapOut`.
    pub(super) fn told(slot: u64, flags: u64) -> Self {
        match (slot, flags) {
            (0, GIVEN_UP) => Self::GivenUp,
            (0, _) => Self::Zeros,
            _ => Self::Slot(slot),
        }
    }
}

/// An address space.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SpaceView {
    /// By start.
    vmas: BTreeMap<VirtAddr, VmaView>,
    /// Which frame each mapped page has.
    pages: BTreeMap<Vpn, Ppn>,
    /// Where each private page is that was mapped and has left memory.
    away: BTreeMap<Vpn, Away>,
    /// Where the heap ends, once the program break has moved.
    heap_end: Option<VirtAddr>,
    /// How many processes run in it (more than one between `vfork` and `exec`).
    pub(super) users: u64,
}

impl SpaceView {
    /// Its VMAs in the order of their addresses.
    pub fn vmas(&self) -> impl Iterator<Item = &VmaView> {
        self.vmas.values()
    }
    /// The VMA that holds the address.
    pub fn vma_at(&self, va: VirtAddr) -> Option<&VmaView> {
        self.vmas.range(..=va).next_back().map(|(_, vma)| vma).filter(|vma| vma.contains(va))
    }
    /// The stack that an address lies below, with no mapping in between.
    pub fn stack_above(&self, va: VirtAddr) -> Option<&VmaView> {
        let (_, next) = self.vmas.range(va..).next()?;
        (next.flags & VMA_GROWSDOWN != 0).then_some(next)
    }
    /// The frame that the page maps, as far as the stream tells.
    pub fn frame_of(&self, vpn: Vpn) -> Option<Ppn> {
        self.pages.get(&vpn).copied()
    }
    /// The mapped pages with their frames.
    pub fn pages(&self) -> impl Iterator<Item = (Vpn, Ppn)> + '_ {
        self.pages.iter().map(|(&vpn, &frame)| (vpn, frame))
    }
    /// The lowest level of page table that there is for an address: each has an entry, since one that has none left is freed.
    pub fn lowest_table(&self, va: VirtAddr) -> u8 {
        let has_table = |level: &u8| {
            let first = va.page().0 >> pages_log2(level + 1) << pages_log2(level + 1);
            let pages = Vpn(first)..Vpn(first + (1 << pages_log2(level + 1)));
            self.pages.range(pages.clone()).next().is_some() || self.away.range(pages).next().is_some()
        };
        (0..ROOT_LEVEL).find(has_table).unwrap_or(ROOT_LEVEL)
    }
    /// How many of its pages are mapped.
    pub fn resident_pages(&self) -> u64 {
        self.pages.len() as u64
    }
    /// How many of a VMA's pages are mapped.
    pub fn resident_pages_of(&self, vma: &VmaView) -> u64 {
        self.pages.range(vma.start.page()..page_after(vma.end)).count() as u64
    }

    /// Maps a range: whatever was there is replaced.
    pub(super) fn insert(&mut self, vma: VmaView) {
        self.remove(vma.start, vma.end);
        let start = vma.start;
        self.vmas.insert(start, vma);
        self.merge_around(start);
    }
    /// Takes a range out of the VMAs; parts of VMAs stay.
    pub(super) fn remove(&mut self, start: VirtAddr, end: VirtAddr) {
        self.split_at(start);
        self.split_at(end);
        self.vmas.retain(|&at, _| at < start || end <= at);
    }
    /// Gives a range other VMA flags; whether it is a stack, and shared, stays.
    pub(super) fn protect(&mut self, start: VirtAddr, end: VirtAddr, flags: u64) {
        self.split_at(start);
        self.split_at(end);
        let kept = VMA_SHARED | VMA_GROWSDOWN;
        let changed: Vec<VirtAddr> = self.vmas.range(start..end.max(start)).map(|(&at, _)| at).collect();
        for at in &changed {
            if let Some(vma) = self.vmas.get_mut(at) {
                vma.flags = flags & !kept | vma.flags & kept;
            }
        }
        for at in changed {
            self.merge_around(at);
        }
    }
    /// The heap goes from `start` to `end` now. Returns the end it had, if that was further up: the caller takes the
    /// pages between out.
    pub(super) fn set_heap(&mut self, start: VirtAddr, end: VirtAddr) -> Option<VirtAddr> {
        let old_end = self.heap_end.unwrap_or(start);
        self.heap_end = Some(end);
        if end <= old_end {
            self.remove(end, old_end);
            return Some(old_end);
        }
        let (flags, name) = (VMA_READ | VMA_WRITE, HEAP.to_owned());
        self.insert(VmaView { start: old_end, end, file: 0, offset_bytes: 0, flags, name });
        None
    }
    /// The stack above `va` reaches down to its page now.
    pub(super) fn grow_stack_to(&mut self, va: VirtAddr) {
        let next = self.vmas.range(va..).next().map(|(&at, _)| at);
        let Some(stack) = next.filter(|at| self.vmas[at].flags & VMA_GROWSDOWN != 0) else { return };
        if let Some(vma) = self.vmas.remove(&stack) {
            let start = va.page_base();
            self.vmas.insert(start, VmaView { start, ..vma });
        }
    }

    /// The page maps `frame` now. Returns the frame that it mapped before.
    pub(super) fn set_page(&mut self, vpn: Vpn, frame: Ppn) -> Option<Ppn> {
        self.away.remove(&vpn);
        self.pages.insert(vpn, frame)
    }
    /// The mapped pages of a range with their frames.
    pub(super) fn pages_in(&self, start: VirtAddr, end: VirtAddr) -> Vec<(Vpn, Ppn)> {
        self.pages.range(range_of(start, end)).map(|(&vpn, &frame)| (vpn, frame)).collect()
    }
    /// Where a private page is that has left memory.
    pub fn away(&self, vpn: Vpn) -> Option<Away> {
        self.away.get(&vpn).copied()
    }
    /// The private pages that have left memory.
    pub fn all_away(&self) -> impl Iterator<Item = (Vpn, Away)> + '_ {
        self.away.iter().map(|(&vpn, &away)| (vpn, away))
    }
    /// A page that was mapped has left memory.
    pub(super) fn set_away(&mut self, vpn: Vpn, away: Away) {
        self.away.insert(vpn, away);
    }
    /// The private pages of a range that have left memory.
    pub(super) fn away_in(&self, start: VirtAddr, end: VirtAddr) -> Vec<(Vpn, Away)> {
        self.away.range(range_of(start, end)).map(|(&vpn, &away)| (vpn, away)).collect()
    }
    /// A page is not mapped any more.
    pub(super) fn forget_page(&mut self, vpn: Vpn) {
        self.pages.remove(&vpn);
    }
    /// Takes the mapped pages of a range out.
    pub(super) fn take_pages(&mut self, start: VirtAddr, end: VirtAddr) -> Vec<(Vpn, Ppn)> {
        let taken = self.pages_in(start, end);
        for (vpn, _) in &taken {
            self.pages.remove(vpn);
        }
        for (vpn, _) in self.away_in(start, end) {
            self.away.remove(&vpn);
        }
        taken
    }

    fn split_at(&mut self, va: VirtAddr) {
        let Some(vma) = self.vma_at(va).filter(|vma| vma.start < va).cloned() else { return };
        self.vmas.insert(va, vma.from(va));
        self.vmas.insert(vma.start, VmaView { end: va, ..vma });
    }

    fn merge_around(&mut self, at: VirtAddr) {
        let before = self.vmas.range(..at).next_back().map(|(&start, _)| start);
        for start in before.into_iter().chain([at]) {
            let Some(vma) = self.vmas.get(&start) else { continue };
            let Some(next) = self.vmas.get(&vma.end).filter(|next| vma.continues_in(next)) else { continue };
            let (next_start, end) = (next.start, next.end);
            self.vmas.remove(&next_start);
            if let Some(vma) = self.vmas.get_mut(&start) {
                vma.end = end;
            }
            // What was merged away may have been `at`; one more neighbour may follow.
            return self.merge_around(start);
        }
    }
}

/// The name of the heap's VMA.
const HEAP: &str = "[heap]";

fn range_of(start: VirtAddr, end: VirtAddr) -> Range<Vpn> {
    start.page()..page_after(end).max(start.page())
}

fn page_after(end: VirtAddr) -> Vpn {
    VirtAddr(end.0.saturating_add(PAGE_SIZE - 1)).page()
}

/// The ASID of an address space.
pub(super) fn asid(satp: u64) -> u16 {
    Satp(satp).asid()
}
