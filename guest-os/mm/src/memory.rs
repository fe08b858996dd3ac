//! All memory of the machine that is shared between address spaces: the frames, the page cache, the zero page. (What files that live in
//! memory hold is read and written in `file_memory`.)
//!
//! [`Memory`] is the only place where a frame passes from one owner to the next, and it does so together with
//! the frame's new [`Contents`]. So a frame is never seen with another owner's bytes in it.

use crate::SpaceId;
use crate::address_space::ForkMaps;
use crate::frame::{FrameId, FrameKind, FrameTable, OutOfFrames};
use crate::page_cache::{FileId, PageCache, PageKey, PageLookup, PageState, Store};
use crate::page_table;
use crate::phys::{FrameNote, PhysMem};
use crate::policy::{self, Policy, PolicyKind};
use crate::rmap::{AnonOwner, FileMappings, Mapper, MapperSearch};
use crate::spaces::{Resident, SpaceKey, Spaces};
use crate::swap::{SlotState, SwapMap};
use crate::swapping::SwapWrite;
use crate::switches::Switches;
use alloc::boxed::Box;
use core::ops::Range;
use isa::{PAGE_SIZE, Ppn};

/// What a frame holds when its new owner gets it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Contents {
    /// Zeros.
    Zeros,
    /// What another frame holds.
    CopyOf(FrameId),
    /// The first `len_bytes` bytes of another frame, then zeros.
    PartOf(FrameId, u64),
}

const AT_WORK: &str = "the policy is not asked while it is at work";

/// Frames, page cache and zero page.
#[derive(Debug)]
pub struct Memory<P> {
    phys: P,
    frames: FrameTable,
    cache: PageCache,
    zero_page: FrameId,
    spaces: Spaces,
    file_mappings: FileMappings,
    /// Says which page goes first. Its places are the frames, and pages enter it while they can be dropped. Absent while it is at work.
    policy: Option<Box<dyn Policy>>,
    policy_kind: PolicyKind,
    policy_seed: u64,
    swap: SwapMap,
    /// Begun by an eviction, and not taken yet.
    pending_write: Option<SwapWrite>,
    fork_maps: ForkMaps,
    switches: Switches,
}

impl<P: PhysMem> Memory<P> {
    /// Memory over these frames, all of which are the table's to hand out. The first becomes the zero page. [`PolicyKind::Clock`] says which
    /// page goes first.
    pub fn new(phys: P, frames: FrameTable) -> Result<Self, OutOfFrames> {
        Self::with_policy(phys, frames, PolicyKind::default(), 0)
    }

    /// As [`Memory::new`]; `policy_kind` says which page goes first, and draws its lots, if it does, by `seed`.
    pub fn with_policy(
        phys: P,
        frames: FrameTable,
        policy_kind: PolicyKind,
        seed: u64,
    ) -> Result<Self, OutOfFrames> {
        let (mut phys, mut frames) = (phys, frames);
        let mut policy = policy::make(policy_kind, seed);
        let places = u32::try_from(frames.total()).map_err(|_| OutOfFrames)?;
        policy.reserve(places).map_err(|_| OutOfFrames)?;
        let limit = frames.limit();
        let zero_page = frames.take(FrameKind::Zero)?;
        phys.zero_frame(zero_page.ppn());
        phys.note(zero_page.ppn(), FrameNote::Taken(FrameKind::Zero));
        Ok(Self {
            phys,
            frames,
            cache: PageCache::new(limit / 2),
            zero_page,
            spaces: Spaces::default(),
            file_mappings: FileMappings::default(),
            policy: Some(policy),
            policy_kind,
            policy_seed: seed,
            swap: SwapMap::default(),
            pending_write: None,
            fork_maps: ForkMaps::default(),
            switches: Switches::default(),
        })
    }

    /// The frame table, for looking.
    pub fn frames(&self) -> &FrameTable {
        &self.frames
    }
    /// The page cache, for looking.
    pub fn cache(&self) -> &PageCache {
        &self.cache
    }
    /// Physical memory.
    pub fn phys(&self) -> &P {
        &self.phys
    }
    /// Physical memory, to write to.
    pub fn phys_mut(&mut self) -> &mut P {
        &mut self.phys
    }
    /// The page of zeros that untouched anonymous pages share for reading.
    pub fn zero_page(&self) -> FrameId {
        self.zero_page
    }
    /// What the child of a `fork` maps at once.
    pub fn fork_maps(&self) -> ForkMaps {
        self.fork_maps
    }
    /// Says what the child of a `fork` maps at once, from now on.
    pub fn set_fork_maps(&mut self, maps: ForkMaps) {
        self.fork_maps = maps;
    }
    /// What is done otherwise, to compare.
    pub fn switches(&self) -> Switches {
        self.switches
    }
    /// Says what is done otherwise, from now on.
    pub fn set_switches(&mut self, switches: Switches) {
        self.switches = switches;
    }
    /// Which pages of address spaces may show which pages of files.
    pub fn file_mappings(&self) -> &FileMappings {
        &self.file_mappings
    }
    pub(crate) fn file_mappings_mut(&mut self) -> &mut FileMappings {
        &mut self.file_mappings
    }
    /// Which policy says what goes first.
    pub fn policy_kind(&self) -> PolicyKind {
        self.policy_kind
    }
    pub(crate) fn policy_seed(&self) -> u64 {
        self.policy_seed
    }
    pub(crate) fn policy(&self) -> &dyn Policy {
        self.policy.as_deref().expect(AT_WORK)
    }
    pub(crate) fn policy_mut(&mut self) -> &mut dyn Policy {
        self.policy.as_deref_mut().expect(AT_WORK)
    }
    /// Lets the policy work on memory itself.
    pub(crate) fn with_policy_out<R>(&mut self, action: impl FnOnce(&mut Self, &mut dyn Policy) -> R) -> R {
        let mut policy = self.policy.take().expect(AT_WORK);
        let result = action(self, &mut *policy);
        self.policy = Some(policy);
        result
    }
    #[inline]
    pub(crate) fn swap_map(&self) -> &SwapMap {
        &self.swap
    }
    pub(crate) fn swap_mut(&mut self) -> &mut SwapMap {
        &mut self.swap
    }
    #[inline]
    pub(crate) fn pending_write(&self) -> Option<SwapWrite> {
        self.pending_write
    }
    pub(crate) fn pending_write_mut(&mut self) -> &mut Option<SwapWrite> {
        &mut self.pending_write
    }
    pub(crate) fn cache_mut(&mut self) -> &mut PageCache {
        &mut self.cache
    }
    pub(crate) fn frames_mut(&mut self) -> &mut FrameTable {
        &mut self.frames
    }

    // ---- address spaces, and who maps a frame ----

    /// An address space in which nothing is mapped: its root page table, whose kernel half is the template's, and its name here.
    pub(crate) fn add_space(
        &mut self,
        id: SpaceId,
        asid: u16,
        template: Option<Ppn>,
    ) -> Result<(FrameId, SpaceKey), OutOfFrames> {
        self.spaces.reserve().map_err(|_| OutOfFrames)?;
        let root = self.with_frames(FrameKind::PageTable, |mem| page_table::new_root(mem, template))?;
        Ok((root, self.spaces.add(id, asid, root)))
    }

    /// Ends an address space in which nothing is mapped any more.
    pub(crate) fn remove_space(&mut self, space: SpaceKey) {
        let resident = self.spaces.remove(space);
        debug_assert_eq!((resident.pages, resident.anon_pages), (0, 0));
        self.release(resident.root);
    }

    /// What is resident of an address space.
    pub fn space(&self, space: SpaceKey) -> &Resident {
        self.spaces.get(space)
    }
    pub(crate) fn space_mut(&mut self, space: SpaceKey) -> &mut Resident {
        self.spaces.get_mut(space)
    }
    /// All address spaces.
    pub fn spaces(&self) -> impl Iterator<Item = (SpaceKey, &Resident)> {
        self.spaces.iter()
    }

    /// The pages that map a frame of private memory or of the page cache: the reverse map.
    pub fn mappers(&self, frame: FrameId) -> impl Iterator<Item = Mapper> + '_ {
        let mut search = MapperSearch::default();
        core::iter::from_fn(move || self.next_mapper(frame, &mut search))
    }

    /// The next page that maps a frame; `search` says where the search has come to. Private owners must neither come nor go meanwhile.
    ///
    /// Cost: a step for each owner of a private frame; for a page of a file what [`FileMappings::showing`] costs, and a walk for each
    /// page that it names.
    pub(crate) fn next_mapper(&self, frame: FrameId, search: &mut MapperSearch) -> Option<Mapper> {
        match self.frames.info(frame).kind {
            FrameKind::Anon(owners) => self.frames.next_owner(owners, &mut search.owners),
            FrameKind::PageCache(key) => loop {
                let mapper = self.file_mappings.next_showing(key, &mut search.files)?;
                let pte = self.space(mapper.space).page_table().pte(self, mapper.vpn);
                if page_table::mapped_frame(self, pte) == Some(frame) {
                    return Some(mapper);
                }
            },
            _ => None,
        }
    }

    // ---- frames ----

    /// A free frame with new contents, for `kind`. It takes no page's place, since who asks is in the middle of something: see [`Memory::with_frames`].
    pub(crate) fn allocate(&mut self, kind: FrameKind, contents: Contents) -> Result<FrameId, OutOfFrames> {
        if !self.phys.may_take() {
            return Err(OutOfFrames);
        }
        let frame = self.frames.take(kind)?;
        match contents {
            Contents::Zeros => self.phys.zero_frame(frame.ppn()),
            Contents::CopyOf(source) => self.phys.copy_frame(source.ppn(), frame.ppn()),
            Contents::PartOf(source, len_bytes) => {
                self.phys.copy_frame(source.ppn(), frame.ppn());
                self.zero_from(frame, len_bytes);
            }
        }
        self.note_taken(frame, kind);
        Ok(frame)
    }

    /// Does what needs frames for `kind`. When there is none, `action` must leave everything as it was; then a page is evicted, and `action`
    /// begins again with what is true now. So nothing is evicted behind the back of something half done.
    pub(crate) fn with_frames<R>(
        &mut self,
        kind: FrameKind,
        mut action: impl FnMut(&mut Self) -> Result<R, OutOfFrames>,
    ) -> Result<R, OutOfFrames> {
        loop {
            match action(self) {
                Err(OutOfFrames) if !self.frames.has_free(kind) && self.evict_one_for(kind) => {}
                result => return result,
            }
        }
    }

    fn note_taken(&mut self, frame: FrameId, kind: FrameKind) {
        match kind {
            FrameKind::PageCache(key) => self.phys.note(frame.ppn(), FrameNote::CacheFilled(key)),
            FrameKind::Kernel | FrameKind::PageTable => self.phys.note(frame.ppn(), FrameNote::Taken(kind)),
            FrameKind::Anon(_) => {}
            FrameKind::Free | FrameKind::Zero | FrameKind::Orphan => {
                unreachable!("no frame is taken as {kind:?}")
            }
        }
    }

    /// Gives back a frame that was no program's private memory.
    pub(crate) fn release(&mut self, frame: FrameId) {
        self.frames.release(frame);
        self.phys.note(frame.ppn(), FrameNote::Freed);
    }

    /// Whether there are `frames` frames for `kind`, free or in place of pages that can be dropped. Asked before the first of many is
    /// taken, so that a request that is too large costs nobody his pages.
    pub fn has_room(&self, kind: FrameKind, frames: u64) -> bool {
        self.frames.free_for(kind) + self.evictable() >= frames
    }

    /// Sees to it that programs can get `frames` more frames, by evictions if need be. If there can't be so many, nothing is evicted.
    pub fn make_room(&mut self, frames: u64) -> Result<(), OutOfFrames> {
        if !self.phys.may_take() || !self.has_room(FrameKind::PageTable, frames) {
            return Err(OutOfFrames);
        }
        while self.frames.free() < frames {
            if !self.evict_one_for(FrameKind::PageTable) {
                return Err(OutOfFrames);
            }
        }
        Ok(())
    }

    /// Keeps so many of the frames that programs can get for who waits for them, from now on; [`u64::MAX`]: all, and for nobody else is a page
    /// evicted.
    pub fn set_aside(&mut self, frames: u64) {
        self.frames.set_aside(frames);
    }

    /// Does something for whom frames are set aside: with those.
    pub fn with_what_is_aside<R>(&mut self, action: impl FnOnce(&mut Self) -> R) -> R {
        let aside = self.frames.set_aside(0);
        let result = action(self);
        self.frames.set_aside(aside);
        result
    }

    /// A zeroed frame for the kernel itself.
    pub fn allocate_kernel(&mut self) -> Result<FrameId, OutOfFrames> {
        self.with_frames(FrameKind::Kernel, |mem| mem.allocate(FrameKind::Kernel, Contents::Zeros))
    }

    /// Gives back a frame of [`Memory::allocate_kernel`].
    pub fn free_kernel(&mut self, frame: FrameId) {
        assert!(self.frames.info(frame).kind == FrameKind::Kernel, "{frame:?} is not the kernel's");
        self.release(frame);
    }

    pub(crate) fn allocate_anon(&mut self, contents: Contents) -> Result<FrameId, OutOfFrames> {
        self.allocate(FrameKind::Anon(AnonOwner::Nobody), contents)
    }

    /// Frees a frame that nothing maps any more, if mapping it was all that kept it.
    pub(crate) fn release_if_unused(&mut self, frame: FrameId) {
        let info = self.frames.info(frame);
        if info.maps > 0 || info.pins > 0 {
            return;
        }
        match info.kind {
            FrameKind::Anon(_) => self.release_private(frame),
            FrameKind::Orphan => self.release(frame),
            // It stays in the cache.
            FrameKind::PageCache(_) => self.offer(frame),
            FrameKind::Zero | FrameKind::Kernel => {}
            FrameKind::PageTable | FrameKind::Free => {
                unreachable!("{frame:?} was never mapped: {info:?}")
            }
        }
    }

    /// Ends a hold on a frame by I/O (see [`FrameTable::pin`]) and frees the frame if that was all that kept it.
    pub fn unpin(&mut self, frame: FrameId) {
        self.frames.unpin(frame);
        let info = self.frames.info(frame);
        match info.kind {
            // Mapped or not.
            FrameKind::PageCache(_) => self.offer(frame),
            FrameKind::Anon(_) if info.maps > 0 => self.offer(frame),
            FrameKind::Anon(_) if info.slot.is_some() => self.unheld_in_swap_cache(frame),
            _ => self.release_if_unused(frame),
        }
    }

    /// Holds a frame for I/O in flight.
    pub fn pin(&mut self, frame: FrameId) {
        self.frames.pin(frame);
    }

    /// Zeroes a frame from a byte on to its end.
    pub fn zero_from(&mut self, frame: FrameId, from: u64) {
        self.zero_part(frame, from..PAGE_SIZE);
    }

    pub(crate) fn zero_part(&mut self, frame: FrameId, bytes: Range<u64>) {
        const ZEROS: [u8; 256] = [0; 256];
        let mut at = bytes.start;
        while at < bytes.end {
            let len = usize::try_from(bytes.end - at).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
            self.phys.write_bytes(frame.base().wrapping_add(at), &ZEROS[..len]);
            at += len as u64;
        }
    }

    // ---- the page cache ----

    /// Makes a file known to the page cache, with its length, before it is mapped or read; again when its length changes.
    pub fn set_file(&mut self, file: FileId, len_bytes: u64, store: Store) {
        self.cache.set_file(file, len_bytes, store);
    }

    /// A file on the device, `len_bytes` long, is about to change, which the device is not told.
    pub fn overlay_file(&mut self, file: FileId, len_bytes: u64) {
        self.cache.overlay(file, len_bytes);
    }

    /// What is known of a page of a file; counts as a use of it.
    pub fn look_up_page(&mut self, key: PageKey) -> PageLookup {
        let found = match self.cache.lookup(key) {
            PageLookup::Swapped(slot) => match self.adopt(key, slot) {
                SlotState::Stored => PageLookup::Swapped(slot),
                SlotState::Reading(_) | SlotState::Writing { .. } => {
                    self.want(slot);
                    PageLookup::SwapBusy(slot)
                }
                SlotState::Cached(frame) | SlotState::Unwritten(frame) | SlotState::Kept(frame) => {
                    PageLookup::Ready(frame)
                }
            },
            found => found,
        };
        if let PageLookup::Ready(frame) = found {
            let place = self.frames.place_of(frame);
            self.policy_mut().used(place);
        }
        found
    }

    /// Enters an absent page as being read, with a zeroed and pinned frame for the device to fill.
    pub fn begin_read(&mut self, key: PageKey) -> Result<FrameId, OutOfFrames> {
        self.with_frames(FrameKind::PageCache(key), |mem| mem.enter_reading(key))
    }

    /// As [`Memory::begin_read`], into a free frame.
    pub(crate) fn enter_reading(&mut self, key: PageKey) -> Result<FrameId, OutOfFrames> {
        assert!(self.cache.lookup(key) == PageLookup::Absent, "{key:?} need not be read");
        let frame = self.allocate(FrameKind::PageCache(key), Contents::Zeros)?;
        self.frames.pin(frame);
        self.cache.enter(key, frame, PageState::Reading);
        Ok(frame)
    }

    /// The device has filled the frame of [`Memory::begin_read`] (or has failed to, then the page is absent again).
    /// Whoever waits for the page asks again now.
    pub fn finish_read(&mut self, key: PageKey, frame: FrameId, succeeded: bool) {
        self.frames.unpin(frame);
        let is_current = self.cache.lookup(key) == PageLookup::Reading(frame);
        match (is_current, succeeded) {
            (true, true) => {
                self.cache.set_ready(key);
                self.offer(frame);
            }
            (true, false) => {
                self.forget_page(key);
                self.drop_page_frame(key, frame);
            }
            // The file was truncated or removed meanwhile, and the frame with it.
            (false, _) => self.release_if_unused(frame),
        }
    }

    /// A ready page was changed: it has what the device, or its slot of the swap space, has not.
    pub fn mark_dirty(&mut self, key: PageKey) {
        self.cache.set_dirty(key, true);
        if let PageLookup::Ready(frame) = self.cache.lookup(key) {
            self.slot_is_stale(frame);
        }
    }

    /// The device has a page's changes now.
    pub fn mark_clean(&mut self, key: PageKey) {
        self.cache.set_dirty(key, false);
        if let PageLookup::Ready(frame) = self.cache.lookup(key) {
            self.offer(frame);
        }
    }

    /// All pages of the file leave the cache: it is gone, or what the cache has of it is out of date. Mappings that
    /// show a dropped page keep its frame until they are unmapped; while there are mappings, the file stays known.
    pub fn remove_file(&mut self, file: FileId) {
        self.drop_pages(file, 0..u64::MAX);
        if !self.is_file_mapped(file) {
            self.cache.forget_file(file);
        }
    }

    /// Forgets the cached pages of a range of a file.
    pub(crate) fn drop_pages(&mut self, file: FileId, pages: Range<u64>) {
        while let Some(key) = self.cache.next_page(file, pages.start).filter(|key| key.index < pages.end) {
            if let Some(frame) = self.forget_page(key) {
                self.drop_page_frame(key, frame);
            }
        }
    }

    /// Whether some address space maps the file.
    pub fn is_file_mapped(&self, file: FileId) -> bool {
        self.file_mappings.is_mapped(file)
    }

    /// A file that has lost its last mapping and was not given by this yet, the lowest number that is at least `from`. If it is open nowhere
    /// else and has no name (shared anonymous memory, a removed file), it can go now.
    pub fn take_unmapped_file(&mut self, from: FileId) -> Option<FileId> {
        self.file_mappings.take_unmapped(from)
    }

    /// A frame that the cache has just given up: freed, unless someone maps or fills it still.
    fn drop_page_frame(&mut self, key: PageKey, frame: FrameId) {
        self.phys.note(frame.ppn(), FrameNote::CacheDropped(key));
        self.frames.set_kind(frame, FrameKind::Orphan);
        self.release_if_unused(frame);
    }
}
