//! The frame table: who has each frame of RAM, how many page-table entries map it, and which frames are free.
//!
//! Pure bookkeeping: it neither zeroes nor copies. [`Memory`](crate::Memory) wraps it so that a frame is
//! handed out only together with its new contents. Frames are handed out lowest first and freed frames are
//! reused last in, first out, so that the same run takes the same frames.
//!
//! A limit bounds the frames of programs (their memory, page cache, page tables), never those of the kernel itself: a machine
//! with few frames for programs still has a kernel that can grow. The table's own memory is taken once, when it is made.

use crate::layout;
use crate::page_cache::{FileId, PageKey};
use crate::policy::Place;
use crate::pte::SwapSlot;
use crate::rmap::{AnonOwner, Mapper, OwnerList, OwnerLists, Walk};
use alloc::vec::Vec;
use isa::frame_table::{self, FrameEntry};
use isa::{PhysAddr, Ppn};

/// A frame of RAM that a [`FrameTable`] hands out. Only the table makes these, so holding one means that
/// the number lies in the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FrameId(Ppn);

impl FrameId {
    /// The frame's number on the bus.
    pub const fn ppn(self) -> Ppn {
        self.0
    }
    /// The frame's first byte.
    pub const fn base(self) -> PhysAddr {
        self.0.base()
    }
}

/// There is no free frame, and nothing that could be dropped to make one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfFrames;

/// What a frame holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FrameKind {
    /// Nobody's. Its bytes are those of its last owner and must be overwritten before anyone sees them.
    Free,
    /// Taken by the kernel for itself.
    Kernel,
    /// A page-table page. `maps` counts its entries that are not empty.
    PageTable,
    /// The zero page that all untouched anonymous pages share for reading.
    Zero,
    /// Private memory of one process, or of several that share it copy-on-write; or the page of a swap slot, which nobody maps (yet).
    Anon(AnonOwner),
    /// A page of a file, listed in the page cache.
    PageCache(PageKey),
    /// A page of a file that the page cache has given up (the file was truncated or removed) while it is still mapped.
    Orphan,
}

/// What the table knows of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FrameInfo {
    /// What it holds, and whose it is.
    pub kind: FrameKind,
    /// User page-table entries that map it (for a page table: its entries that are not empty).
    pub maps: u32,
    /// Holds on it by I/O in flight; a pinned frame is neither freed nor evicted.
    pub pins: u16,
    /// The slot of the swap space that has what it holds, or is to get it.
    pub slot: Option<SwapSlot>,
    /// Its only program has said that what it holds may be lost, until it stores there again.
    pub is_disposable: bool,
}

impl FrameKind {
    /// Its number in [`isa::frame_table`].
    pub fn number(self) -> u32 {
        FrameInfo { kind: self, ..FrameInfo::FREE }.entry().kind
    }
}

impl FrameInfo {
    const FREE: Self = Self { kind: FrameKind::Free, maps: 0, pins: 0, slot: None, is_disposable: false };

    /// As the table keeps it.
    fn entry(self) -> FrameEntry {
        let slot = self.slot.map_or(0, |slot| slot.0);
        let flags = if self.is_disposable { frame_table::DISPOSABLE } else { 0 };
        let (kind, key, index) = match self.kind {
            FrameKind::Free => (frame_table::KIND_FREE, 0, 0),
            FrameKind::Kernel => (frame_table::KIND_KERNEL, 0, 0),
            FrameKind::PageTable => (frame_table::KIND_PAGE_TABLE, 0, 0),
            FrameKind::Zero => (frame_table::KIND_ZERO, 0, 0),
            FrameKind::Anon(owners) => {
                let mut entry =
                    FrameEntry { maps: self.maps, pins: self.pins, flags, slot, ..FrameEntry::default() };
                set_owners(&mut entry, owners);
                return entry;
            }
            FrameKind::PageCache(key) => (frame_table::KIND_PAGE_CACHE, key.file.0, key.index),
            FrameKind::Orphan => (frame_table::KIND_ORPHAN, 0, 0),
        };
        FrameEntry { kind, maps: self.maps, pins: self.pins, flags, slot, key, index }
    }

    fn of(entry: FrameEntry) -> Self {
        let kind = match entry.kind {
            frame_table::KIND_FREE => FrameKind::Free,
            frame_table::KIND_KERNEL => FrameKind::Kernel,
            frame_table::KIND_PAGE_TABLE => FrameKind::PageTable,
            frame_table::KIND_ZERO => FrameKind::Zero,
            frame_table::KIND_ANON | frame_table::KIND_ANON_ONE | frame_table::KIND_ANON_SEVERAL => {
                FrameKind::Anon(owners_of(&entry))
            }
            frame_table::KIND_PAGE_CACHE => {
                FrameKind::PageCache(PageKey { file: FileId(entry.key), index: entry.index })
            }
            frame_table::KIND_ORPHAN => FrameKind::Orphan,
            other => unreachable!("no frame is of kind {other}"),
        };
        let is_disposable = entry.flags & frame_table::DISPOSABLE != 0;
        Self { kind, maps: entry.maps, pins: entry.pins, slot: slot_of(&entry), is_disposable }
    }
}

fn slot_of(entry: &FrameEntry) -> Option<SwapSlot> {
    (entry.slot != 0).then_some(SwapSlot(entry.slot))
}

/// The owners of an anonymous frame.
#[inline]
fn owners_of(entry: &FrameEntry) -> AnonOwner {
    match entry.kind {
        frame_table::KIND_ANON_ONE => AnonOwner::One(Mapper::of_words(entry.key, entry.index)),
        frame_table::KIND_ANON_SEVERAL => {
            AnonOwner::Several(Mapper::of_words(entry.key, entry.index), OwnerList::of_key(entry.key))
        }
        _ => AnonOwner::Nobody,
    }
}

#[inline]
fn set_owners(entry: &mut FrameEntry, owners: AnonOwner) {
    (entry.kind, entry.key, entry.index) = match owners {
        AnonOwner::Nobody => (frame_table::KIND_ANON, 0, 0),
        AnonOwner::One(owner) => {
            let (key, index) = owner.words();
            (frame_table::KIND_ANON_ONE, key, index)
        }
        AnonOwner::Several(first, others) => {
            let (key, index) = first.words();
            (frame_table::KIND_ANON_SEVERAL, key | others.key(), index)
        }
    };
}

/// Frames by what they hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[allow(missing_docs)] // the names are those of `FrameKind`
pub struct FrameCounts {
    pub free: u64,
    pub kernel: u64,
    pub page_table: u64,
    pub zero: u64,
    pub anon: u64,
    pub page_cache: u64,
    pub orphan: u64,
}

impl FrameCounts {
    fn of(&mut self, kind: FrameKind) -> &mut u64 {
        match kind {
            FrameKind::Free => &mut self.free,
            FrameKind::Kernel => &mut self.kernel,
            FrameKind::PageTable => &mut self.page_table,
            FrameKind::Zero => &mut self.zero,
            FrameKind::Anon(_) => &mut self.anon,
            FrameKind::PageCache(_) => &mut self.page_cache,
            FrameKind::Orphan => &mut self.orphan,
        }
    }
}

/// All frames that the kernel may hand out.
#[derive(Debug)]
pub struct FrameTable {
    first: Ppn,
    total: u64,
    /// The most frames that may be in use for anything but the kernel.
    limit: u64,
    /// How many frames the kernel can still get when programs have all that they may have.
    reserve: u64,
    /// Frames for programs that only one gets who waits for them.
    aside: u64,
    /// Frames that are not free, by what they hold.
    counts: FrameCounts,
    /// A header, and one entry for each frame that has been handed out at least once: those from `first` on. It never moves, so that what
    /// looks at the machine from outside finds it ([`isa::frame_table`]).
    entries: Vec<FrameEntry>,
    /// Freed frames; the last one goes out first.
    freed: Vec<FrameId>,
    /// Who maps each anonymous frame that has several owners, beside the first.
    owners: OwnerLists,
    peak_used: u64,
}

impl FrameTable {
    /// A table of the `total` frames from `first` on, all free, of which programs may have `limit`.
    ///
    /// # Panics
    /// If the table itself finds no memory: [`FrameTable::bytes_for`].
    pub fn new(first: Ppn, total: u64, limit: u64) -> Self {
        assert!(first.0.checked_add(total).is_some(), "frames wrap around the end of memory");
        assert!(u32::try_from(total).is_ok(), "frames have places below 2^32");
        let count = usize::try_from(total).expect("frames of RAM can be counted by a usize");
        let limit = limit.min(total);
        let (mut entries, freed) = (Vec::with_capacity(count + 1), Vec::with_capacity(count));
        entries.push(FrameEntry { kind: frame_table::KIND_HEADER, key: first.0, ..FrameEntry::default() });
        Self {
            first,
            total,
            limit,
            reserve: 0,
            aside: 0,
            counts: FrameCounts::default(),
            entries,
            freed,
            owners: OwnerLists::default(),
            peak_used: 0,
        }
    }

    /// Bytes of memory that a table of `total` frames takes when it is made. It never takes more.
    pub const fn bytes_for(total: u64) -> u64 {
        (total + 1) * (size_of::<FrameEntry>() + size_of::<FrameId>()) as u64
    }
    /// Where the table lies, for what looks at it from outside.
    pub fn as_ptr(&self) -> *const FrameEntry {
        self.entries.as_ptr()
    }

    /// Frames in the table.
    pub fn total(&self) -> u64 {
        self.total
    }
    /// The most frames that programs may have: their memory, page cache and page tables.
    pub fn limit(&self) -> u64 {
        self.limit
    }
    /// Keeps so many frames for the kernel from now on: what makes room for programs may need some, and must not wait for itself.
    pub(crate) fn set_reserve(&mut self, frames: u64) {
        self.reserve = frames;
    }
    /// Keeps so many of the frames that programs can get for one who waits for them. Returns how many were kept before.
    pub(crate) fn set_aside(&mut self, frames: u64) -> u64 {
        core::mem::replace(&mut self.aside, frames)
    }
    /// Whether all frames are kept for one who waits.
    pub(crate) fn keeps_all(&self) -> bool {
        self.aside == u64::MAX
    }
    /// Frames that programs can still get, but for those set aside.
    pub fn free(&self) -> u64 {
        let left = (self.total - self.used()).saturating_sub(self.reserve);
        left.min(self.limit.saturating_sub(self.used() - self.counts.kernel)).saturating_sub(self.aside)
    }
    /// Frames that can still be had for `kind`.
    pub fn free_for(&self, kind: FrameKind) -> u64 {
        if kind == FrameKind::Kernel { self.total - self.used() } else { self.free() }
    }
    /// Whether there is a free frame for `kind`.
    pub fn has_free(&self, kind: FrameKind) -> bool {
        self.free_for(kind) > 0
    }
    /// Frames in use.
    pub fn used(&self) -> u64 {
        self.handed_out() - self.freed.len() as u64
    }
    /// The most frames that were ever in use at once.
    pub fn peak_used(&self) -> u64 {
        self.peak_used
    }
    /// The frame with this number, if it is one of the table's.
    pub fn lookup(&self, ppn: Ppn) -> Option<FrameId> {
        (ppn >= self.first && ppn.0 - self.first.0 < self.total).then_some(FrameId(ppn))
    }
    /// The frame's place among those that a policy may choose from.
    #[allow(clippy::cast_possible_truncation)] // the table has fewer than 2^32 frames
    pub(crate) fn place_of(&self, frame: FrameId) -> Place {
        Place((frame.0.0 - self.first.0) as u32)
    }
    /// The frame in a place.
    pub(crate) fn in_place(&self, place: Place) -> FrameId {
        FrameId(Ppn(self.first.0 + u64::from(place.0)))
    }
    /// What the table knows of a frame.
    #[inline]
    pub fn info(&self, frame: FrameId) -> FrameInfo {
        self.entries.get(self.index(frame)).map_or(FrameInfo::FREE, |&entry| FrameInfo::of(entry))
    }
    /// Every frame that was ever handed out, with what is known of it, in the order of the numbers.
    pub fn iter(&self) -> impl Iterator<Item = (FrameId, FrameInfo)> + '_ {
        let entries = self.entries.iter().skip(1);
        (self.first.0..).zip(entries).map(|(number, &entry)| (FrameId(Ppn(number)), FrameInfo::of(entry)))
    }
    /// How many frames hold what.
    pub fn counts(&self) -> FrameCounts {
        FrameCounts { free: self.total - self.used(), ..self.counts }
    }

    /// Takes a free frame. Its bytes are still those of its last owner: only `Memory` may call this.
    pub(crate) fn take(&mut self, kind: FrameKind) -> Result<FrameId, OutOfFrames> {
        assert!(kind != FrameKind::Free, "a frame is taken for something");
        if !self.has_free(kind) {
            return Err(OutOfFrames);
        }
        let frame = self.freed.pop().unwrap_or_else(|| {
            let frame = FrameId(self.first.wrapping_add(self.handed_out()));
            self.entries.push(FrameInfo::FREE.entry());
            let handed_out = self.handed_out();
            self.entries.first_mut().expect("the header is there").index = handed_out;
            frame
        });
        *self.counts.of(kind) += 1;
        self.change(frame, |info| {
            assert!(*info == FrameInfo::FREE, "{frame:?} is in use: {info:?}");
            info.kind = kind;
        });
        self.peak_used = self.peak_used.max(self.used());
        Ok(frame)
    }

    /// Gives a frame back. Nothing may map or pin it.
    pub(crate) fn release(&mut self, frame: FrameId) {
        let was = self.change(frame, |info| {
            assert!(info.kind != FrameKind::Free, "{frame:?} is freed twice");
            assert!(info.maps == 0 && info.pins == 0, "{frame:?} is freed while in use: {info:?}");
            assert!(info.slot.is_none(), "{frame:?} is freed with a slot: {info:?}");
            info.is_disposable = false;
            core::mem::replace(&mut info.kind, FrameKind::Free)
        });
        *self.counts.of(was) -= 1;
        self.freed.push(frame);
    }

    pub(crate) fn set_kind(&mut self, frame: FrameId, kind: FrameKind) {
        let was = self.change(frame, |info| core::mem::replace(&mut info.kind, kind));
        debug_assert!(kind != FrameKind::Kernel && was != FrameKind::Kernel);
        *self.counts.of(was) -= 1;
        *self.counts.of(kind) += 1;
    }

    /// The slot of the swap space that has what a frame holds, or is to get it.
    #[inline]
    pub(crate) fn slot_of(&self, frame: FrameId) -> Option<SwapSlot> {
        self.entries.get(self.index(frame)).and_then(slot_of)
    }
    pub(crate) fn set_slot(&mut self, frame: FrameId, slot: Option<SwapSlot>) {
        self.entry_mut(frame).slot = slot.map_or(0, |slot| slot.0);
    }

    /// What a private frame holds may be lost, or not any more.
    pub(crate) fn set_disposable(&mut self, frame: FrameId, is_disposable: bool) {
        self.entry_mut(frame).flags = if is_disposable { frame_table::DISPOSABLE } else { 0 };
    }

    /// Holds a frame for I/O in flight: it will not be freed or evicted.
    pub fn pin(&mut self, frame: FrameId) {
        self.entry_mut(frame).pins += 1;
    }

    /// Ends a hold by [`FrameTable::pin`].
    pub fn unpin(&mut self, frame: FrameId) {
        let entry = self.entry_mut(frame);
        assert!(entry.pins > 0, "{frame:?} is not pinned");
        entry.pins -= 1;
    }

    /// Sees to memory for one owner more of a frame, before [`FrameTable::add_map`].
    pub(crate) fn reserve_owner(&mut self, frame: FrameId) -> Result<(), OutOfFrames> {
        let entry = self.entry_mut(frame);
        if entry.is_anon() && entry.maps > 0 {
            self.owners.reserve().map_err(|_| OutOfFrames)?;
        }
        Ok(())
    }

    /// One more entry maps the frame. Returns whether it is anonymous, and how many do now.
    pub(crate) fn add_map(&mut self, frame: FrameId, mapper: Mapper) -> (bool, u32) {
        debug_assert!(mapper.vpn < layout::USER_END_PAGE);
        let index = self.index(frame);
        let entry = self.entries.get_mut(index).expect("a mapped frame has been handed out");
        entry.maps = entry.maps.checked_add(1).expect("fewer than 2^32 entries fit into RAM");
        let is_anon = entry.is_anon();
        if is_anon {
            let owners = self.owners.with(owners_of(entry), mapper);
            set_owners(entry, owners);
            if entry.maps > 1 {
                // The second one wants it as it is.
                entry.flags = 0;
            }
        }
        (is_anon, entry.maps)
    }

    /// One entry less maps the frame. Returns whether it is anonymous, and how many entries are left.
    pub(crate) fn remove_map(&mut self, frame: FrameId, mapper: Mapper) -> (bool, u32) {
        let index = self.index(frame);
        let entry = self.entries.get_mut(index).expect("a mapped frame has been handed out");
        assert!(entry.maps > 0, "{frame:?} is not mapped: {entry:?}");
        entry.maps -= 1;
        let is_anon = entry.is_anon();
        if is_anon {
            let owners = self.owners.without(owners_of(entry), mapper);
            set_owners(entry, owners);
        }
        (is_anon, entry.maps)
    }

    /// The next page that maps an anonymous frame with these owners.
    pub(crate) fn next_owner(&self, owners: AnonOwner, at: &mut Walk) -> Option<Mapper> {
        self.owners.next(owners, at)
    }
    /// How many owners of frames are in lists, since they are not the first.
    pub fn listed_owners(&self) -> usize {
        self.owners.len()
    }

    /// Counts the entries of a page-table page up or down. Returns how many it has now.
    pub(crate) fn count_entry(&mut self, table: FrameId, change: i32) -> u32 {
        let entry = self.entry_mut(table);
        assert!(entry.kind == frame_table::KIND_PAGE_TABLE, "{table:?} is no page table: {entry:?}");
        entry.maps = entry.maps.checked_add_signed(change).expect("a page table has 0 to 512 entries");
        entry.maps
    }

    /// How many frames were ever handed out.
    pub(crate) fn handed_out(&self) -> u64 {
        self.entries.len() as u64 - 1
    }

    /// Where the frame's entry is: behind the header.
    fn index(&self, frame: FrameId) -> usize {
        let number = frame.0.0 - self.first.0 + 1;
        usize::try_from(number).expect("the table holds fewer frames than usize can count")
    }

    fn entry_mut(&mut self, frame: FrameId) -> &mut FrameEntry {
        let index = self.index(frame);
        self.entries.get_mut(index).expect("a FrameId other than by lookup has been handed out")
    }

    #[inline]
    fn change<R>(&mut self, frame: FrameId, change: impl FnOnce(&mut FrameInfo) -> R) -> R {
        let entry = self.entry_mut(frame);
        let mut info = FrameInfo::of(*entry);
        let result = change(&mut info);
        *entry = info.entry();
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spaces::SpaceKey;
    use isa::Vpn;

    fn table(total: u64) -> FrameTable {
        FrameTable::new(Ppn(100), total, total)
    }

    #[test]
    fn the_limit_is_for_programs_and_not_for_the_kernel() {
        let mut t = FrameTable::new(Ppn(100), 4, 2);
        let orphan = t.take(FrameKind::Orphan).unwrap();
        t.take(FrameKind::Kernel).unwrap();
        assert_eq!((t.free(), t.limit(), t.total()), (1, 2, 4));
        t.take(FrameKind::PageTable).unwrap();
        assert_eq!(
            t.counts(),
            FrameCounts { free: 1, kernel: 1, page_table: 1, orphan: 1, ..FrameCounts::default() }
        );
        assert_eq!(t.take(FrameKind::Orphan), Err(OutOfFrames));
        assert_eq!(
            (t.free(), t.has_free(FrameKind::Orphan), t.has_free(FrameKind::Kernel)),
            (0, false, true)
        );
        let last = t.take(FrameKind::Kernel).unwrap();
        assert_eq!(t.take(FrameKind::Kernel), Err(OutOfFrames));
        t.release(orphan);
        assert_eq!(t.free(), 1, "programs may have a second frame again");
        t.release(last);
        assert_eq!(t.free(), 1, "a frame of the kernel is not theirs");
    }

    #[test]
    fn frames_go_out_lowest_first_and_come_back_last_in_first_out() {
        let mut t = table(4);
        let [a, b, c] = [(); 3].map(|()| t.take(FrameKind::Kernel).unwrap());
        assert_eq!([a.ppn(), b.ppn(), c.ppn()], [Ppn(100), Ppn(101), Ppn(102)]);
        t.release(a);
        t.release(b);
        assert_eq!(t.take(FrameKind::Kernel), Ok(b));
        assert_eq!(t.take(FrameKind::Kernel), Ok(a));
        assert_eq!((t.used(), t.free(), t.peak_used()), (3, 1, 3));
    }

    #[test]
    fn running_out_is_an_ordinary_error() {
        let mut t = table(1);
        let only = t.take(FrameKind::Kernel).unwrap();
        assert_eq!(t.take(FrameKind::Kernel), Err(OutOfFrames));
        t.release(only);
        assert_eq!(t.take(FrameKind::Kernel), Ok(only));
    }

    #[test]
    fn the_owners_follow_the_map_count() {
        let mut t = table(1);
        let f = t.take(FrameKind::Anon(AnonOwner::Nobody)).unwrap();
        let mapper = |space| Mapper { space: SpaceKey(space), vpn: Vpn(5) };
        let owners = |t: &FrameTable| match t.info(f).kind {
            FrameKind::Anon(owners) => t.owners.of(owners).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(owners(&t), []);
        t.add_map(f, mapper(1));
        assert_eq!((owners(&t), t.listed_owners()), (alloc::vec![mapper(1)], 0));
        t.reserve_owner(f).unwrap();
        t.add_map(f, mapper(2));
        assert_eq!((owners(&t), t.info(f).maps), (alloc::vec![mapper(1), mapper(2)], 2));
        t.remove_map(f, mapper(1));
        assert_eq!((owners(&t), t.listed_owners()), (alloc::vec![mapper(2)], 0));
        t.remove_map(f, mapper(2));
        assert_eq!((owners(&t), t.info(f).maps), (alloc::vec![], 0));
    }

    #[test]
    #[should_panic(expected = "freed twice")]
    fn freeing_twice_is_caught() {
        let mut t = table(1);
        let f = t.take(FrameKind::Kernel).unwrap();
        t.release(f);
        t.release(f);
    }

    #[test]
    fn lookup_knows_the_range() {
        let t = table(2);
        assert!(t.lookup(Ppn(99)).is_none() && t.lookup(Ppn(102)).is_none());
        assert_eq!(t.lookup(Ppn(101)).map(FrameId::ppn), Some(Ppn(101)));
    }
}
