//! Eviction: a page leaves memory, whoever maps it, and its frame is free; at once, or when its content is in swap space.
//!
//! The policy says which ([`Policy`](crate::policy::Policy)). It knows the pages that can go: those of files on a disk, which can be read again, and, if
//! there is swap space, private memory and files in memory; all of them while no I/O holds
//! them and nobody has locked them. Its questions for R and D bits are answered from all entries that map a page, found by the reverse maps.

use crate::frame::{FrameId, FrameKind, OutOfFrames};
use crate::memory::Memory;
use crate::page_cache::{FileId, PageKey, PageState, Removed, Store};
use crate::phys::{FrameNote, PhysMem, SwapOut};
use crate::policy::{Choice, Left, Look, Marks, PageName, Place, Why, World};
use crate::pte::{self, NotPresent, SwapSlot};
use crate::rmap::{AnonOwner, Mapper, MapperSearch};
use crate::swap::SlotState;
use crate::swapping::SwapWrite;
use core::ops::Range;
use isa::Step;
use isa::paging::{Pte, PteFlags};

impl<P: PhysMem> Memory<P> {
    /// Evicts the page that the policy names, if there is one that can go: every entry that maps it is emptied, and the TLBs fenced, before its
    /// frame is free. Returns whether a frame has come free. If not, there may be a write to be done first ([`Memory::take_write`]): as long as it is
    /// not taken, nothing else is evicted.
    ///
    /// Cost: what the policy's search costs (see its file), and for each page that it looks at and for the one that goes what
    /// [`Memory::mappers`] costs.
    pub fn evict_one(&mut self) -> bool {
        if self.pending_write_mut().is_some() {
            return false;
        }
        let mut choice = self.choose();
        if choice.is_none() && self.swap_mut().take_room_again() {
            self.offer_all();
            choice = self.choose();
        }
        let Some(Choice { place, why }) = choice else { return false };
        let frame = self.frames().in_place(place);
        self.evict(frame, why).is_ok() && self.pending_write_mut().is_none()
    }

    /// As [`Memory::evict_one`], in favour of `kind`.
    pub(crate) fn evict_one_for(&mut self, kind: FrameKind) -> bool {
        let may_evict = kind == FrameKind::Kernel || !self.frames().keeps_all();
        may_evict && self.evict_one()
    }

    fn choose(&mut self) -> Option<Choice> {
        self.with_policy_out(|mem, policy| policy.victim(&mut Looker(mem)))
    }

    /// Evicts every page that can go without being written. Returns how many there were.
    pub fn evict_all(&mut self) -> usize {
        let mut count = 0;
        while self.evict_one() {
            count += 1;
        }
        count
    }

    /// Drops pages of a file that are not needed soon, as far as a device has them, and nobody maps them.
    ///
    /// Cost: a look at each page of them that is in memory.
    pub fn drop_unused(&mut self, file: FileId, pages: Range<u64>) {
        let mut next = pages.start;
        while let Some((index, frame)) = self.cache().next_of(file, next).filter(|&(i, _)| i < pages.end) {
            next = index + 1;
            let is_on_device = !self.is_only_here(PageKey { file, index }, frame);
            if is_on_device && self.frames().info(frame).maps == 0 && self.can_go(frame) {
                self.drop_clean(PageKey { file, index }, frame, Why { is_asked: true, ..Why::default() });
            }
        }
    }

    /// How many pages can be evicted, as far as it is known.
    pub fn evictable(&self) -> u64 {
        u64::from(self.policy().entered())
    }

    /// The page in a frame leaves memory. Fails only if the kernel has no memory to remember where to; then nothing has changed.
    pub(crate) fn evict(&mut self, frame: FrameId, why: Why) -> Result<(), OutOfFrames> {
        let info = self.frames().info(frame);
        match (info.kind, info.slot) {
            (FrameKind::PageCache(key), _) if !self.is_only_here(key, frame) => {
                self.drop_clean(key, frame, why);
            }
            (FrameKind::PageCache(key), _) => {
                if !self.cache().is_only_here(key) {
                    self.mark_dirty(key);
                }
                return self.swap_out(Some(key), frame, why);
            }
            (FrameKind::Anon(AnonOwner::Nobody), Some(slot))
                if matches!(self.swap().get(slot).state, SlotState::Cached(_)) =>
            {
                self.drop_from_swap_cache(slot, frame);
            }
            (FrameKind::Anon(_), _) => return self.swap_out(None, frame, why),
            (kind, _) => unreachable!("{frame:?} cannot be evicted: {kind:?}"),
        }
        Ok(())
    }

    /// A page that a device has, too.
    fn drop_clean(&mut self, key: PageKey, frame: FrameId, why: Why) {
        self.replace_entries(frame, Pte::EMPTY);
        self.leave_policy(frame, Left::Evicted);
        self.cache_mut().remove(key);
        self.frames_mut().release(frame);
        let policy = self.policy_kind();
        self.phys_mut().note(frame.ppn(), FrameNote::Evicted(key, policy, why));
    }

    /// A page that has no other place than memory and swap space: `page` of a file in memory, or a private one.
    fn swap_out(&mut self, page: Option<PageKey>, frame: FrameId, why: Why) -> Result<(), OutOfFrames> {
        if self.is_changed(page, frame) {
            self.slot_is_stale(frame);
        }
        let is_given_up = self.is_given_up(frame);
        let to = match self.frames().slot_of(frame) {
            None if is_given_up => Out::Zeros,
            Some(slot) if matches!(self.swap().get(slot).state, SlotState::Unwritten(_)) => {
                self.swap_mut().set_state(slot, SlotState::Writing { frame, is_wanted: false });
                Out::First(slot)
            }
            Some(slot) => Out::Again(slot),
            None if self.is_not_worth_a_slot(page) && self.phys().is_zero(frame.ppn()) => Out::Zeros,
            None => {
                let sum = self.phys().checksum(frame.ppn());
                let writing = SlotState::Writing { frame, is_wanted: false };
                Out::First(self.swap_mut().take(writing, sum)?)
            }
        };
        let slot = to.slot();
        self.frames_mut().set_slot(frame, slot);
        self.frames_mut().set_disposable(frame, false);
        // Held, so that it is not freed with the last entry that maps it.
        self.frames_mut().pin(frame);
        let left_behind = match (page, slot) {
            (Some(_), _) => NotPresent::Nothing,
            (None, Some(slot)) => NotPresent::Swapped(slot),
            (None, None) => NotPresent::Zeros,
        };
        self.replace_entries(frame, left_behind.encode());
        self.leave_policy(frame, Left::Evicted);
        if let Some(key) = page {
            match slot {
                Some(slot) => {
                    self.name_slot(slot);
                    self.cache_mut().swap_out(key, slot);
                }
                None => {
                    let removed = self.cache_mut().remove(key);
                    debug_assert_eq!(removed, Some(Removed::Frame(frame)));
                }
            }
            self.frames_mut().set_kind(frame, FrameKind::Anon(AnonOwner::Nobody));
        }
        let policy = self.policy_kind();
        let out = SwapOut { page, slot, is_written: matches!(to, Out::First(_)), is_given_up, policy, why };
        self.phys_mut().note(frame.ppn(), FrameNote::SwappedOut(out));
        match to {
            Out::First(slot) => *self.pending_write_mut() = Some(SwapWrite { slot, frame }),
            Out::Again(slot) => {
                self.swap_mut().set_state(slot, SlotState::Stored);
                self.free_swapped(frame);
            }
            Out::Zeros => self.free_swapped(frame),
        }
        Ok(())
    }

    fn free_swapped(&mut self, frame: FrameId) {
        self.frames_mut().set_slot(frame, None);
        self.frames_mut().unpin(frame);
        self.frames_mut().release(frame);
    }

    /// Whether no device has a page of the cache as it is in its frame: a store through a mapping may have changed it, too.
    fn is_only_here(&self, key: PageKey, frame: FrameId) -> bool {
        self.cache().is_only_here(key)
            || self.cache().store(key.file) == Some(Store::Overlay) && self.is_stored_to(frame)
    }

    /// Whether an entry that maps a frame says that it was stored to.
    fn is_stored_to(&self, frame: FrameId) -> bool {
        self.mappers(frame).any(|mapper| self.entry_of(mapper).flags().contains(PteFlags::D))
    }

    /// Whether a frame is private memory that nobody but its only mapper may want.
    pub(crate) fn can_be_given_up(&self, frame: FrameId) -> bool {
        let info = self.frames().info(frame);
        let is_named = info.slot.is_some_and(|slot| self.swap().get(slot).names > 0);
        matches!(info.kind, FrameKind::Anon(_)) && info.maps == 1 && info.pins == 0 && !is_named
    }

    /// The only mapper of a frame that [can be given up](Memory::can_be_given_up), whose entry has no D bit, needs what it holds no more.
    pub(crate) fn give_up(&mut self, frame: FrameId) {
        self.slot_is_stale(frame);
        self.frames_mut().set_disposable(frame, true);
        self.offer(frame);
    }

    /// What a private frame holds is needed, whatever was said before.
    pub(crate) fn keep(&mut self, frame: FrameId) {
        self.frames_mut().set_disposable(frame, false);
    }

    /// Whether nobody needs what a private frame holds: it was given up, and not stored to since.
    fn is_given_up(&self, frame: FrameId) -> bool {
        self.frames().info(frame).is_disposable && !self.is_stored_to(frame)
    }

    /// Whether there is something in a frame that its slot does not have.
    fn is_changed(&self, page: Option<PageKey>, frame: FrameId) -> bool {
        let is_dirty = |key| self.cache().state(key) == Some(PageState::Ready { dirty: true });
        let is_kept = |slot| matches!(self.swap().get(slot).state, SlotState::Kept(_));
        page.is_some_and(is_dirty)
            || self.frames().slot_of(frame).is_some_and(is_kept)
            || self.is_stored_to(frame)
    }

    /// Whether a page of zeros may become a hole: what tmpfs has room for is counted, and a hole might not be filled again.
    fn is_not_worth_a_slot(&self, page: Option<PageKey>) -> bool {
        page.is_none_or(|key| self.cache().store(key.file) == Some(Store::Memory))
    }

    /// Puts `entry` in the place of every entry that maps a frame, and has the TLBs forget those.
    fn replace_entries(&mut self, frame: FrameId, entry: Pte) {
        // Owners of private memory go with their entries; intervals of files stay.
        let mut files = MapperSearch::default();
        loop {
            let mut from_start = MapperSearch::default();
            let is_anon = matches!(self.frames().info(frame).kind, FrameKind::Anon(_));
            let search = if is_anon { &mut from_start } else { &mut files };
            let Some(Mapper { space, vpn }) = self.next_mapper(frame, search) else { return };
            let flush = self.set_pte(space, vpn, entry).expect("the entry's page table is there");
            let asid = self.space(space).asid;
            self.phys_mut().fence(asid, flush);
        }
    }

    fn entry_of(&self, Mapper { space, vpn }: Mapper) -> Pte {
        self.space(space).page_table().pte(self, vpn)
    }

    // ---- what the policy knows ----

    /// Something that may have kept a page from leaving has ended: the policy may choose it, if nothing else keeps it.
    pub(crate) fn offer(&mut self, frame: FrameId) {
        if !self.may_be_chosen(frame)
            && self.can_go(frame)
            && let Some(name) = self.name_of_page(frame)
        {
            let place = self.frames().place_of(frame);
            self.policy_mut().enter(place, name);
        }
    }

    /// A page of private memory is mapped by `mapper`, and by nobody else: it is new, or has come back.
    #[inline]
    pub(crate) fn offer_private(&mut self, frame: FrameId, mapper: Mapper) {
        if !self.swap().is_there() {
            return;
        }
        if self.frames().slot_of(frame).is_some() {
            return self.offer(frame);
        }
        if self.swap().has_room() {
            let place = self.frames().place_of(frame);
            let name = private_name(self.space(mapper.space).id.0, mapper);
            self.policy_mut().enter(place, name);
        }
    }

    /// Offers all pages anew: what keeps many of them has ended.
    #[cold]
    pub(crate) fn offer_all(&mut self) {
        for place in (0..self.frames().handed_out()).filter_map(|place| u32::try_from(place).ok()).map(Place)
        {
            let frame = self.frames().in_place(place);
            self.offer(frame);
        }
    }

    /// An entry that maps a frame goes with its A bit set, and the page stays.
    pub(crate) fn was_used(&mut self, frame: FrameId, is_anon: bool) {
        let is_known = is_anon || matches!(self.frames().info(frame).kind, FrameKind::PageCache(_));
        if is_known {
            let place = self.frames().place_of(frame);
            self.policy_mut().used(place);
        }
    }

    /// An entry that has locked a frame does so no more.
    pub(crate) fn unlocked(&mut self, frame: Option<FrameId>) {
        if let Some(frame) = frame {
            self.offer(frame);
        }
    }

    /// Whether an entry locks the frame of a page in memory.
    ///
    /// Cost: as [`Memory::mappers`].
    pub fn is_locked(&self, frame: FrameId) -> bool {
        self.mappers(frame).any(|mapper| self.entry_of(mapper).flags().contains(pte::LOCKED))
    }

    /// Whether the page in a frame can be had again when it has left memory, and no I/O holds it.
    pub fn can_go(&self, frame: FrameId) -> bool {
        let info = self.frames().info(frame);
        info.pins == 0
            && match info.kind {
                FrameKind::PageCache(key) => match self.cache().state(key) {
                    Some(PageState::Ready { .. }) if self.is_only_here(key, frame) => {
                        self.has_slot(info.slot)
                    }
                    Some(PageState::Ready { dirty }) => !dirty,
                    Some(PageState::Reading) | None => false,
                },
                FrameKind::Anon(_) => self.has_slot(info.slot) || self.is_given_up(frame),
                _ => false,
            }
    }

    /// Whether a page with this slot, or without one, can go out. (A stale slot is as good as any: it is written again.)
    fn has_slot(&self, slot: Option<SwapSlot>) -> bool {
        match slot.map(|slot| (self.swap().get(slot).state, self.swap().get(slot).names)) {
            // The disk has refused it, and others name it: here it stays.
            Some((SlotState::Kept(_), names)) if names > 0 => false,
            Some((SlotState::Kept(_), _)) | None => self.swap().has_room(),
            Some(_) => true,
        }
    }

    /// Whether the policy may choose the page in a frame.
    #[inline]
    pub fn may_be_chosen(&self, frame: FrameId) -> bool {
        self.policy().is_entered(self.frames().place_of(frame))
    }

    /// A frame's page is not to be chosen any more, and not since it was.
    pub(crate) fn leave_policy(&mut self, frame: FrameId, why: Left) {
        if self.may_be_chosen(frame) {
            let place = self.frames().place_of(frame);
            self.policy_mut().leave(place, why);
        }
    }

    /// A page leaves the cache, and not to make room. The frame that had it, which has lost its slot.
    pub(crate) fn forget_page(&mut self, key: PageKey) -> Option<FrameId> {
        match self.cache_mut().remove(key)? {
            Removed::Frame(frame) => {
                self.leave_policy(frame, Left::Freed);
                self.slot_is_stale(frame);
                Some(frame)
            }
            Removed::Slot(slot) => {
                self.unname_slot(slot);
                None
            }
        }
    }

    /// The name of the page that a frame holds.
    fn name_of_page(&self, frame: FrameId) -> Option<PageName> {
        let info = self.frames().info(frame);
        match info.kind {
            FrameKind::PageCache(key) => Some(name_of(key)),
            FrameKind::Anon(AnonOwner::Nobody) => info.slot.map(|slot| PageName(SPREAD ^ u64::from(slot.0))),
            FrameKind::Anon(_) => {
                let mapper = self.mappers(frame).next()?;
                Some(private_name(self.space(mapper.space).id.0, mapper))
            }
            _ => None,
        }
    }
}

/// Where a page goes.
#[derive(Clone, Copy)]
enum Out {
    /// Nowhere: it is all zeros.
    Zeros,
    /// To a slot that has it.
    Again(SwapSlot),
    /// To a slot that must be written.
    First(SwapSlot),
}

impl Out {
    fn slot(self) -> Option<SwapSlot> {
        match self {
            Self::Zeros => None,
            Self::Again(slot) | Self::First(slot) => Some(slot),
        }
    }
}

/// 2^64 over the golden ratio: consecutive files lie far apart.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The same page has the same name whenever it comes; two pages have the same one hardly ever, which costs a policy nothing but a wrong guess.
fn name_of(key: PageKey) -> PageName {
    PageName(key.file.0.wrapping_mul(SPREAD).wrapping_add(key.index))
}

/// The name of a page of private memory.
fn private_name(space: u32, mapper: Mapper) -> PageName {
    PageName(!u64::from(space).wrapping_mul(SPREAD).wrapping_add(mapper.vpn.0))
}

/// What a policy sees of memory.
struct Looker<'a, P>(&'a mut Memory<P>);

impl<P: PhysMem> Looker<'_, P> {
    /// The bits of a page that can go; `each` gets every entry that maps it.
    fn marks(&mut self, place: Place, mut each: impl FnMut(&mut Memory<P>, Mapper, Pte)) -> Look {
        let mem = &mut *self.0;
        let frame = mem.frames().in_place(place);
        if !mem.can_go(frame) || mem.is_locked(frame) {
            return Look::Busy;
        }
        let mut marks = Marks::default();
        let mut search = MapperSearch::default();
        while let Some(mapper) = mem.next_mapper(frame, &mut search) {
            let pte = mem.space(mapper.space).page_table().pte(mem, mapper.vpn);
            marks.accessed |= pte.flags().contains(PteFlags::A);
            marks.dirty |= pte.flags().contains(PteFlags::D);
            each(mem, mapper, pte);
        }
        Look::Marks(marks)
    }
}

impl<P: PhysMem> World for Looker<'_, P> {
    fn look(&mut self, place: Place) -> Look {
        let frame = self.0.frames().in_place(place);
        self.marks(place, |mem, Mapper { space, vpn }, pte| {
            if pte.flags().contains(PteFlags::A) {
                mem.tell_use(frame, Mapper { space, vpn });
                let without = pte.with_flags(pte.flags() - PteFlags::A);
                let flush = mem.set_pte(space, vpn, without).expect("the entry's page table is there");
                let asid = mem.space(space).asid;
                mem.phys_mut().fence(asid, flush);
            }
        })
    }
    fn peek(&mut self, place: Place) -> Look {
        self.marks(place, |_, _, _| {})
    }
    fn now(&self) -> Step {
        self.0.phys().now()
    }
}
