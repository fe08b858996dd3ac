//! Eviction: a page leaves memory, whoever maps it, and its frame is free.
//!
//! The policy says which ([`Policy`](crate::policy::Policy)). It knows the pages that can go: those of files on a disk, which can be read again, while no I/O holds
//! them and nobody has locked them. Its questions for R and D bits are answered from all entries that map a page, found by the reverse maps.

use crate::frame::{FrameId, FrameKind};
use crate::memory::Memory;
use crate::page_cache::PageKey;
use crate::phys::{FrameNote, PhysMem};
use crate::policy::{Choice, Left, Look, Marks, PageName, Place, Why, World};
use crate::pte;
use crate::rmap::{Mapper, MapperSearch};
use isa::Step;
use isa::paging::{Pte, PteFlags};

impl<P: PhysMem> Memory<P> {
    /// Evicts the page that the policy names, if there is one that can go: every entry that maps it is emptied, and the TLBs fenced, before its
    /// frame is free. Returns whether there was one.
    ///
    /// Cost: what the policy's search costs (see its file), and for each page that it looks at and for the one that goes what
    /// [`Memory::mappers`] costs.
    pub fn evict_one(&mut self) -> bool {
        let choice = self.with_policy_out(|mem, policy| policy.victim(&mut Looker(mem)));
        let Some(Choice { place, why }) = choice else { return false };
        let frame = self.frames().in_place(place);
        let FrameKind::PageCache(key) = self.frames().info(frame).kind else {
            unreachable!("{frame:?} is not of the page cache")
        };
        self.evict(key, frame, why);
        true
    }

    /// Evicts every page that can go. Returns how many there were.
    pub fn evict_all(&mut self) -> usize {
        let mut count = 0;
        while self.evict_one() {
            count += 1;
        }
        count
    }

    /// How many pages can be evicted, as far as it is known.
    pub fn evictable(&self) -> u64 {
        u64::from(self.policy().entered())
    }

    fn evict(&mut self, key: PageKey, frame: FrameId, why: Why) {
        let mut search = MapperSearch::default();
        while let Some(Mapper { space, vpn }) = self.next_mapper(frame, &mut search) {
            let flush = self.clear_pte(space, vpn);
            let asid = self.space(space).asid;
            self.phys_mut().fence(asid, flush);
        }
        let place = self.frames().place_of(frame);
        self.policy_mut().leave(place, Left::Evicted);
        self.cache_mut().remove(key);
        self.frames_mut().release(frame);
        let policy = self.policy_kind();
        self.phys_mut().note(frame.ppn(), FrameNote::Evicted(key, policy, why));
    }

    /// Something that may have kept a page from being dropped has ended: the policy may choose it, if nothing else does.
    pub(crate) fn offer(&mut self, key: PageKey, frame: FrameId) {
        if !self.may_be_chosen(frame) && self.can_go(key, frame) {
            let place = self.frames().place_of(frame);
            self.policy_mut().enter(place, name_of(key));
        }
    }

    /// An entry that maps a frame goes with its A bit set.
    pub(crate) fn was_used(&mut self, frame: FrameId) {
        if let FrameKind::PageCache(_) = self.frames().info(frame).kind {
            let place = self.frames().place_of(frame);
            self.policy_mut().used(place);
        }
    }

    /// An entry that has locked a frame does so no more.
    pub(crate) fn unlocked(&mut self, frame: Option<FrameId>) {
        if let Some(frame) = frame
            && let FrameKind::PageCache(key) = self.frames().info(frame).kind
        {
            self.offer(key, frame);
        }
    }

    /// Whether an entry locks the frame of a page in memory.
    ///
    /// Cost: as [`Memory::mappers`].
    pub fn is_locked(&self, frame: FrameId) -> bool {
        self.mappers(frame).any(|Mapper { space, vpn }| {
            self.space(space).page_table().pte(self, vpn).flags().contains(pte::LOCKED)
        })
    }

    /// Whether the page can be had again from a device, and no I/O holds it.
    pub fn can_go(&self, key: PageKey, frame: FrameId) -> bool {
        self.frames().info(frame).pins == 0 && self.cache().is_clean_copy(key)
    }

    /// Whether the policy may choose the page in a frame.
    pub fn may_be_chosen(&self, frame: FrameId) -> bool {
        self.policy().is_entered(self.frames().place_of(frame))
    }

    /// A page leaves the cache, and not to make room.
    pub(crate) fn forget_page(&mut self, key: PageKey) -> Option<FrameId> {
        let frame = self.cache_mut().remove(key)?;
        if self.may_be_chosen(frame) {
            let place = self.frames().place_of(frame);
            self.policy_mut().leave(place, Left::Freed);
        }
        Some(frame)
    }
}

/// The same page has the same name whenever it comes; two pages have the same one hardly ever, which costs a policy nothing but a wrong guess.
fn name_of(key: PageKey) -> PageName {
    /// 2^64 over the golden ratio: consecutive files lie far apart.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    PageName(key.file.0.wrapping_mul(SPREAD).wrapping_add(key.index))
}

/// What a policy sees of memory.
struct Looker<'a, P>(&'a mut Memory<P>);

impl<P: PhysMem> Looker<'_, P> {
    /// The bits of a page that can go; `each` gets every entry that maps it.
    fn marks(&mut self, place: Place, mut each: impl FnMut(&mut Memory<P>, Mapper, Pte)) -> Look {
        let mem = &mut *self.0;
        let frame = mem.frames().in_place(place);
        let FrameKind::PageCache(key) = mem.frames().info(frame).kind else { return Look::Busy };
        if !mem.can_go(key, frame) || mem.is_locked(frame) {
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
        self.marks(place, |mem, Mapper { space, vpn }, pte| {
            if pte.flags().contains(PteFlags::A) {
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
