//! The VMAs of one address space, disjoint and in order.

use super::gaps::Gaps;
use super::{Backing, PageRange, Prot, Vma, VmaFlags};
use crate::layout::{MAX_VMAS, STACK_GUARD_PAGES, USER_END_PAGE};
use crate::rmap::FileMappings;
use crate::spaces::SpaceKey;
use alloc::collections::{BTreeMap, BTreeSet, TryReserveError};
use alloc::vec::Vec;
use isa::Vpn;

/// From so many VMAs on their gaps are listed; up to then looking at each VMA costs less than keeping a list.
const MANY_VMAS: usize = 128;

/// Why a range can't be changed as asked. Nothing has been changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RangeError {
    /// There would be more than [`MAX_VMAS`] VMAs (ENOMEM).
    TooManyVmas,
    /// Part of the range is not mapped (ENOMEM).
    NotMapped,
    /// A VMA in the range may never become writable (EACCES).
    NeverWritable,
    /// The kernel has no memory for the list of what was there (ENOMEM).
    NoMemory,
}

impl From<TryReserveError> for RangeError {
    fn from(_: TryReserveError) -> Self {
        Self::NoMemory
    }
}

/// The VMAs of one address space.
///
/// Invariants: VMAs are not empty and do not overlap; no two neighbours could be one VMA; there are at most [`MAX_VMAS`]; those that show files
/// are entered in the one [`FileMappings`] that all changes are given.
#[derive(Debug)]
pub struct VmaSet {
    space: SpaceKey,
    /// By first page.
    by_start: BTreeMap<Vpn, Vma>,
    /// First pages of the VMAs that grow down.
    stacks: BTreeSet<Vpn>,
    /// What neither a VMA nor the guard gap below a stack has, up to the last VMA.
    gaps: Option<Gaps>,
    total_pages: u64,
    peak_pages: u64,
    locked_pages: u64,
}

impl VmaSet {
    /// No VMAs, of this address space.
    pub fn new(space: SpaceKey) -> Self {
        Self {
            space,
            by_start: BTreeMap::new(),
            stacks: BTreeSet::new(),
            gaps: None,
            total_pages: 0,
            peak_pages: 0,
            locked_pages: 0,
        }
    }
    /// The same VMAs for another address space.
    pub fn copy_for(&self, space: SpaceKey, files: &mut FileMappings) -> Self {
        self.iter().for_each(|vma| files.add(space, vma));
        Self {
            space,
            by_start: self.by_start.clone(),
            stacks: self.stacks.clone(),
            gaps: self.gaps.clone(),
            total_pages: self.total_pages,
            peak_pages: self.total_pages,
            locked_pages: self.locked_pages,
        }
    }
    /// The address space ends.
    pub fn forget_all(self, files: &mut FileMappings) {
        self.iter().for_each(|vma| files.remove(self.space, vma));
    }
    /// The VMAs in the order of their addresses.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Vma> {
        self.by_start.values()
    }
    /// How many VMAs there are.
    pub fn len(&self) -> usize {
        self.by_start.len()
    }
    /// Whether there is no VMA.
    pub fn is_empty(&self) -> bool {
        self.by_start.is_empty()
    }
    /// How many pages the VMAs have together.
    pub fn total_pages(&self) -> u64 {
        self.total_pages
    }
    /// The most pages that they ever had together.
    pub fn peak_pages(&self) -> u64 {
        self.peak_pages
    }
    /// How many of their pages are locked, whether they are in memory or not.
    pub fn locked_pages(&self) -> u64 {
        self.locked_pages
    }
    /// The VMA that holds the page.
    pub fn find(&self, vpn: Vpn) -> Option<&Vma> {
        self.by_start.range(..=vpn).next_back().map(|(_, vma)| vma).filter(|vma| vma.range.contains(vpn))
    }
    /// The first VMA that begins behind the page.
    pub fn next_above(&self, vpn: Vpn) -> Option<&Vma> {
        self.by_start.range(Vpn(vpn.0 + 1)..).next().map(|(_, vma)| vma)
    }
    /// The last VMA that begins before the page.
    pub fn last_below(&self, vpn: Vpn) -> Option<&Vma> {
        self.by_start.range(..vpn).next_back().map(|(_, vma)| vma)
    }
    /// The VMAs that share a page with the range, in order.
    pub fn overlapping(&self, range: PageRange) -> impl Iterator<Item = &Vma> {
        let first = self.find(range.start).map_or(range.start, |vma| vma.range.start);
        self.by_start
            .range(first..range.end.max(first))
            .map(|(_, vma)| vma)
            .filter(move |vma| vma.range.overlaps(range))
    }
    /// Whether every page of the range lies in a VMA.
    pub fn covers(&self, range: PageRange) -> bool {
        self.mapped_start(range) == range
    }
    /// The part of the range up to the first page that no VMA has.
    pub fn mapped_start(&self, range: PageRange) -> PageRange {
        let mut end = range.start;
        for vma in self.overlapping(range) {
            if vma.range.start > end {
                break;
            }
            end = vma.range.end.min(range.end);
        }
        PageRange::new(range.start, end)
    }
    /// Adds a VMA where there is none, as one with its neighbours if they are alike.
    pub fn insert(&mut self, files: &mut FileMappings, vma: Vma) -> Result<(), RangeError> {
        assert!(!vma.range.is_empty(), "a VMA has at least one page");
        assert!(self.overlapping(vma.range).next().is_none(), "a VMA is inserted over another one");
        if self.len() >= MAX_VMAS {
            return Err(RangeError::TooManyVmas);
        }
        let range = vma.range;
        let is_stack = vma.flags.contains(VmaFlags::GROWS_DOWN);
        self.put(files, vma);
        self.merge_around(files, range.start);
        self.list_gaps(range, is_stack);
        Ok(())
    }

    /// Takes out every page of the range. Returns the parts of VMAs that were there.
    pub fn remove(&mut self, files: &mut FileMappings, range: PageRange) -> Result<Vec<Vma>, RangeError> {
        self.split_room(range)?;
        let mut removed = Vec::new();
        removed.try_reserve_exact(self.overlapping(range).count())?;
        let (mut any_stack, mut is_cut) = (false, false);
        loop {
            let Some(start) = self.overlapping(range).next().map(|vma| vma.range.start) else { break };
            let vma = self.take(files, start);
            self.put_outside(files, &vma, range);
            any_stack |= vma.flags.contains(VmaFlags::GROWS_DOWN);
            // What is left of zeros is like its neighbours as the whole was.
            is_cut |= vma.file().is_some() && vma.range.intersect(range) != vma.range;
            removed.push(vma.part(range));
        }
        if is_cut {
            self.merge_outside(files, range);
        }
        if !removed.is_empty() {
            self.list_gaps(range, any_stack);
        }
        Ok(removed)
    }

    /// Gives every page of the range another protection. Returns the parts of VMAs that have changed, as they are now.
    pub fn protect(
        &mut self,
        files: &mut FileMappings,
        range: PageRange,
        prot: Prot,
    ) -> Result<Vec<Vma>, RangeError> {
        if !self.covers(range) {
            return Err(RangeError::NotMapped);
        }
        let never = |vma: &Vma| vma.flags.contains(VmaFlags::NEVER_WRITABLE);
        if prot.contains(Prot::WRITE) && self.overlapping(range).any(never) {
            return Err(RangeError::NeverWritable);
        }
        self.change(files, range, |vma| Vma { prot, ..vma })
    }

    /// Sets and takes away flags of the VMAs in the range; gaps in it are passed over.
    pub fn set_flags(
        &mut self,
        files: &mut FileMappings,
        range: PageRange,
        set: VmaFlags,
        unset: VmaFlags,
    ) -> Result<(), RangeError> {
        self.change(files, range, |vma| Vma { flags: (vma.flags - unset) | set, ..vma }).map(|_| ())
    }

    /// Changes the part of each VMA that lies in the range. Returns the parts that are not as they were.
    fn change(
        &mut self,
        files: &mut FileMappings,
        range: PageRange,
        change: impl Fn(Vma) -> Vma,
    ) -> Result<Vec<Vma>, RangeError> {
        self.split_room(range)?;
        let mut changed = Vec::new();
        changed.try_reserve_exact(self.overlapping(range).count())?;
        let differs = |vma: &Vma| {
            let new = change(vma.clone());
            (new.prot, new.flags) != (vma.prot, vma.flags)
        };
        let mut rest = range;
        loop {
            let next = self.overlapping(rest).find(|vma| differs(vma)).map(|vma| vma.range.start);
            let Some(start) = next else { break };
            let vma = self.take(files, start);
            rest.start = vma.range.end.min(range.end);
            self.put_outside(files, &vma, range);
            let part = change(vma.part(range));
            self.put(files, part.clone());
            changed.push(part);
        }
        for vma in &changed {
            self.merge_around(files, vma.range.start);
        }
        self.merge_outside(files, range);
        Ok(changed)
    }

    /// Lets the stack that begins at `start` begin at the lower page `new_start`, over pages that no VMA has.
    pub fn grow_down(&mut self, files: &mut FileMappings, start: Vpn, new_start: Vpn) {
        let mut vma = self.take(files, start);
        assert!(
            new_start < start && vma.backing == Backing::Anon,
            "only an anonymous VMA grows, and only down"
        );
        vma.range.start = new_start;
        assert!(self.overlapping(vma.range).next().is_none(), "a stack grows over another VMA");
        self.put(files, vma);
        self.list_gaps(PageRange::new(new_start, start), true);
    }

    /// The highest place below `below` and not below `lowest` where `len_pages` pages fit between the VMAs.
    /// The guard gap below a stack stays free.
    pub fn find_gap(&self, len_pages: u64, lowest: Vpn, below: Vpn) -> Option<Vpn> {
        let last_start = Vpn(below.0.checked_sub(len_pages)?);
        let Some(gaps) = &self.gaps else { return self.find_gap_by_looking(len_pages, lowest, below) };
        // Above the last VMA nothing is taken, and no gap is listed.
        let top = self.by_start.last_key_value().map_or(Vpn(0), |(_, vma)| vma.range.end);
        let start = if top <= last_start {
            last_start
        } else {
            let (start, gap_pages) = gaps.last_fitting(len_pages, last_start)?;
            last_start.min(Vpn(start.0 + gap_pages - len_pages))
        };
        (start >= lowest).then_some(start)
    }

    fn find_gap_by_looking(&self, len_pages: u64, lowest: Vpn, below: Vpn) -> Option<Vpn> {
        let mut end = below;
        for vma in self.iter().rev() {
            let floor = vma.range.end.max(lowest);
            if fits(floor, end, len_pages) {
                return Some(Vpn(end.0 - len_pages));
            }
            let guard_pages = if vma.flags.contains(VmaFlags::GROWS_DOWN) { STACK_GUARD_PAGES } else { 0 };
            end = end.min(Vpn(vma.range.start.0.saturating_sub(guard_pages)));
        }
        fits(lowest, end, len_pages).then(|| Vpn(end.0 - len_pages))
    }

    /// Whether the range would take pages of the guard gap below a stack.
    pub fn in_guard_gap(&self, range: PageRange) -> bool {
        let stacks_behind = Vpn(range.start.0 + 1);
        !range.is_empty() && guarded_from(&self.stacks, stacks_behind).is_some_and(|guard| guard < range.end)
    }

    /// VMAs have come, gone or grown within `range`, stacks among them or not: lists the gaps there and around it as they are now.
    fn list_gaps(&mut self, range: PageRange, with_stacks: bool) {
        let (mut range, mut with_stacks) = (range, with_stacks);
        if self.gaps.is_none() && self.len() >= MANY_VMAS {
            self.gaps = Some(Gaps::default());
            (range, with_stacks) = (PageRange::new(Vpn(0), USER_END_PAGE), true);
        } else if self.len() < MANY_VMAS / 2 {
            self.gaps = None;
        }
        let Self { by_start, stacks, gaps: Some(gaps), .. } = self else { return };
        // A stack's guard gap shortens the gaps below it.
        let guard_pages = if with_stacks { STACK_GUARD_PAGES } else { 0 };
        let from = Vpn(range.start.0.saturating_sub(guard_pages));
        // A gap begins where a VMA ends.
        let mut start = by_start.range(..from).next_back().map_or(Vpn(0), |(_, below)| below.range.end);
        gaps.remove(start.min(from)..Vpn(range.end.0 + 1));
        for (_, above) in by_start.range(start..) {
            if start > range.end {
                break;
            }
            let end = above.range.start.min(guarded_from(stacks, start).unwrap_or(above.range.start));
            if start < end {
                gaps.insert(start, end.0 - start.0);
            }
            start = above.range.end;
        }
    }

    /// Splitting off both ends of a range makes at most two VMAs more.
    fn split_room(&self, range: PageRange) -> Result<(), RangeError> {
        let cut = |at: Vpn| self.find(at).is_some_and(|vma| vma.range.start < at);
        let extra = usize::from(cut(range.start)) + usize::from(cut(range.end));
        if self.len() + extra > MAX_VMAS { Err(RangeError::TooManyVmas) } else { Ok(()) }
    }

    fn put_outside(&mut self, files: &mut FileMappings, vma: &Vma, range: PageRange) {
        if vma.range.start < range.start {
            self.put(files, vma.part(PageRange::new(vma.range.start, range.start)));
        }
        if vma.range.end > range.end {
            self.put(files, vma.part(PageRange::new(range.end, vma.range.end)));
        }
    }

    /// Makes the VMA that holds the page `at` one with its neighbours, where they are alike. (What began there may be part of the one
    /// below already, and not yet one with what lies above.)
    fn merge_around(&mut self, files: &mut FileMappings, at: Vpn) {
        let Some(mut start) = self.find(at).map(|vma| vma.range.start) else { return };
        if let Some(below) = self.last_below(start)
            && below.continues_in(&self.by_start[&start])
        {
            let below = below.range.start;
            self.join(files, below, start);
            start = below;
        }
        let end = self.by_start[&start].range.end;
        if let Some(above) = self.by_start.get(&end)
            && self.by_start[&start].continues_in(above)
        {
            self.join(files, start, end);
        }
    }

    /// What is left of VMAs that a range has cut may be like a neighbour that the whole was not like: the zeros behind a file's part, say.
    fn merge_outside(&mut self, files: &mut FileMappings, range: PageRange) {
        self.merge_around(files, range.end);
        if range.start > Vpn(0) {
            self.merge_around(files, Vpn(range.start.0 - 1));
        }
    }

    fn join(&mut self, files: &mut FileMappings, first: Vpn, second: Vpn) {
        let second = self.take(files, second);
        let mut vma = self.take(files, first);
        vma.range.end = second.range.end;
        self.put(files, vma);
    }

    fn put(&mut self, files: &mut FileMappings, vma: Vma) {
        files.add(self.space, &vma);
        if vma.flags.contains(VmaFlags::GROWS_DOWN) {
            self.stacks.insert(vma.range.start);
        }
        self.total_pages += vma.range.len_pages();
        self.peak_pages = self.peak_pages.max(self.total_pages);
        self.locked_pages += locked_pages(&vma);
        let before = self.by_start.insert(vma.range.start, vma);
        debug_assert!(before.is_none());
    }

    fn take(&mut self, files: &mut FileMappings, start: Vpn) -> Vma {
        let vma = self.by_start.remove(&start).expect("the caller has just found this VMA");
        files.remove(self.space, &vma);
        if vma.flags.contains(VmaFlags::GROWS_DOWN) {
            self.stacks.remove(&start);
        }
        self.total_pages -= vma.range.len_pages();
        self.locked_pages -= locked_pages(&vma);
        vma
    }
}

fn locked_pages(vma: &Vma) -> u64 {
    if vma.is_locked() { vma.range.len_pages() } else { 0 }
}

fn fits(start: Vpn, end: Vpn, len_pages: u64) -> bool {
    start <= end && end.0 - start.0 >= len_pages
}

/// Where the guard gap below the first stack that begins at or behind `vpn` begins. Stacks further up guard nothing below that.
fn guarded_from(stacks: &BTreeSet<Vpn>, vpn: Vpn) -> Option<Vpn> {
    let stack = stacks.range(vpn..).next()?;
    Some(Vpn(stack.0.saturating_sub(STACK_GUARD_PAGES)))
}
