//! Local replacement: an address space with a budget throws out its own pages, and no other's.
//!
//! The budget counts entries of its page table that map a page, are not locked, and do not show the page of zeros. A page more than that needs the place of one: the
//! policy chooses among these entries, and goes by their own R and D bits. **Only that entry is emptied.** The page leaves memory with it, if no
//! other maps it; else it stays for the others, and what the entry names is a slot that has its page in memory (private memory), or nothing (files).
//!
//! An address space without a budget pays nothing for this but the question.

use crate::frame::{FrameId, FrameKind, OutOfFrames};
use crate::memory::Memory;
use crate::page_table::mapped_frame;
use crate::phys::{FrameNote, LocalEviction, PhysMem};
use crate::policy::{self, Choice, Left, Look, Marks, PageName, Place, Policy, PolicyKind, Why, World};
use crate::pte::{self, NotPresent};
use crate::rmap::Mapper;
use crate::spaces::SpaceKey;
use crate::swap::SlotState;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use isa::paging::{Pte, PteFlags};
use isa::{Step, Vpn};

/// An address space's own pages, as many as it may have, and the policy over them.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    /// Pages that it may have beyond that, for as many pages more as it maps.
    lent: (u64, u32),
    /// Absent while it is at work.
    policy: Option<Box<dyn Policy>>,
    /// The page in each place.
    pages: Vec<Vpn>,
    free: Vec<Place>,
    places: BTreeMap<Vpn, Place>,
}

const AT_WORK: &str = "the policy is not asked while it is at work";

impl Budget {
    /// So many pages, none of which is there yet.
    pub(crate) fn new(limit: u64, kind: PolicyKind, seed: u64) -> Self {
        let policy = Some(policy::make(kind, seed));
        Self { limit, lent: (0, 0), policy, pages: Vec::new(), free: Vec::new(), places: BTreeMap::new() }
    }
    /// The most pages.
    pub fn limit(&self) -> u64 {
        self.limit
    }
    /// How many there are.
    pub fn len(&self) -> u64 {
        self.places.len() as u64
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
    /// Whether there may be one more. Pages that were found unable to go are no reason against it: others would go for them again and again.
    fn has_room(&self) -> bool {
        let may_go = self.policy.as_deref().expect(AT_WORK).entered();
        u64::from(may_go) < self.limit + self.lent.0
    }
    fn policy(&mut self) -> &mut dyn Policy {
        self.policy.as_deref_mut().expect(AT_WORK)
    }

    /// A page counts from now on. If the kernel has no memory for its place, it does not.
    fn enter(&mut self, vpn: Vpn) {
        let (lent, left) = self.lent;
        self.lent = if left > 1 { (lent, left - 1) } else { (0, 0) };
        let Some(place) = self.new_place(vpn) else { return };
        self.places.insert(vpn, place);
        self.policy().enter(place, PageName(vpn.0));
    }

    fn new_place(&mut self, vpn: Vpn) -> Option<Place> {
        if let Some(place) = self.free.pop() {
            self.pages[place.0 as usize] = vpn;
            return Some(place);
        }
        let place = Place(u32::try_from(self.pages.len()).ok()?);
        if self.pages.len() == self.pages.capacity() {
            let more = self.pages.len().max(4);
            self.pages.try_reserve_exact(more).ok()?;
            self.free.try_reserve_exact(self.pages.capacity() - self.free.len()).ok()?;
        }
        let places = u32::try_from(self.pages.capacity()).ok()?;
        self.policy().reserve(places).ok()?;
        self.pages.push(vpn);
        Some(place)
    }

    fn leave(&mut self, vpn: Vpn, why: Left) {
        let Some(place) = self.places.remove(&vpn) else { return };
        if self.policy().is_entered(place) {
            self.policy().leave(place, why);
        }
        self.free.push(place);
    }
}

/// Whether an entry counts.
fn counts<P: PhysMem>(mem: &Memory<P>, entry: Pte) -> bool {
    !entry.flags().contains(pte::LOCKED)
        && mapped_frame(mem, entry).is_some_and(|frame| frame != mem.zero_page())
}

impl<P: PhysMem> Memory<P> {
    /// Gives an address space a budget of pages, or takes it away. What it has beyond that goes with its next faults.
    pub(crate) fn set_budget(&mut self, space: SpaceKey, limit: Option<u64>) {
        let known = self.space(space).budget.is_some();
        match limit {
            None => self.space_mut(space).budget = None,
            Some(limit) if known => {
                if let Some(budget) = self.space_mut(space).budget.as_deref_mut() {
                    budget.limit = limit;
                }
            }
            Some(limit) => {
                let mut budget = Box::new(Budget::new(limit, self.policy_kind(), self.policy_seed()));
                let tables = self.space(space).page_table();
                let mut rest = crate::vma::PageRange::new(Vpn(0), crate::layout::USER_END_PAGE);
                while let Some((vpn, entry)) = tables.next_entry(self, rest) {
                    rest.start = Vpn(vpn.0 + 1);
                    if counts(self, entry) {
                        budget.enter(vpn);
                    }
                }
                self.space_mut(space).budget = Some(budget);
            }
        }
    }

    /// An entry of an address space with a budget has changed.
    #[cold]
    pub(crate) fn budget_follows(&mut self, space: SpaceKey, vpn: Vpn, old: Pte, new: Pte) {
        let (was, is) = (counts(self, old), counts(self, new));
        let id = self.space(space).id;
        let Some(budget) = self.space_mut(space).budget.as_deref_mut() else { return };
        match (was, is) {
            (false, true) => budget.enter(vpn),
            (true, false) => return budget.leave(vpn, Left::Freed),
            _ => return,
        }
        let limit = budget.limit() + budget.lent.0;
        // What only waits to be read or written goes soon, and is not told.
        if budget.len() > limit && !self.swap().has_room() {
            self.phys_mut().note_beyond_budget(id, limit);
        }
    }

    /// Lets an address space that comes no further have a page more than its budget, for a while: until it has mapped some more.
    pub fn lend_page(&mut self, space: SpaceKey) {
        /// As many as several threads may need to come further, each a few.
        const MAPPED_MEANWHILE: u32 = 64;
        if let Some(budget) = self.space_mut(space).budget.as_deref_mut() {
            budget.lent = (budget.lent.0 + 1, MAPPED_MEANWHILE);
        }
    }

    /// Whether an address space may map a page more without throwing one out.
    pub fn is_within_budget(&self, space: SpaceKey) -> bool {
        self.space(space).budget.as_deref().is_none_or(Budget::has_room)
    }

    /// Throws out a page of an address space's own, but not `needed`. Returns whether there was one that could go; none can while a write waits to be taken
    /// ([`Memory::take_write`]). (What has to be written is in the swap cache meanwhile: it counts no more.)
    pub(crate) fn evict_local(&mut self, space: SpaceKey, needed: Vpn) -> bool {
        if self.pending_write_mut().is_some() {
            return false;
        }
        let choice = self.choose_local(space, needed);
        let Some((vpn, why)) = choice else { return false };
        let entry = self.space(space).page_table().pte(self, vpn);
        let frame = mapped_frame(self, entry).expect("a page that counts is mapped");
        let is_alone = self.frames().info(frame).maps == 1;
        if is_alone && !matches!(self.frames().info(frame).kind, FrameKind::Orphan) {
            // The page leaves memory.
            self.evict(frame, why).is_ok()
        } else {
            self.empty_entry(Mapper { space, vpn }, entry, frame, why).is_ok()
        }
    }

    fn choose_local(&mut self, space: SpaceKey, needed: Vpn) -> Option<(Vpn, Why)> {
        for is_second_try in [false, true] {
            let budget = self.space_mut(space).budget.as_deref_mut()?;
            if is_second_try {
                // What could not go was forgotten, and nobody tells when it can.
                let places: Vec<(Vpn, Place)> =
                    budget.places.iter().map(|(&vpn, &place)| (vpn, place)).collect();
                for (vpn, place) in places {
                    if !budget.policy().is_entered(place) {
                        budget.policy().enter(place, PageName(vpn.0));
                    }
                }
            }
            let mut policy = self.space_mut(space).budget.as_deref_mut()?.policy.take().expect(AT_WORK);
            let choice = policy.victim(&mut OwnLooker { mem: self, space, needed });
            let budget = self.space_mut(space).budget.as_deref_mut()?;
            budget.policy = Some(policy);
            if let Some(Choice { place, why }) = choice {
                let vpn = budget.pages[place.0 as usize];
                return Some((vpn, Why { is_local: true, ..why }));
            }
        }
        None
    }

    /// Empties one entry of a page that others map, too.
    fn empty_entry(
        &mut self,
        mapper: Mapper,
        entry: Pte,
        frame: FrameId,
        why: Why,
    ) -> Result<(), OutOfFrames> {
        let slot = match self.frames().info(frame).kind {
            FrameKind::Anon(_) => Some(self.slot_for_shared(frame)?),
            _ => None,
        };
        let new = slot.map_or(NotPresent::Nothing, NotPresent::Swapped).encode();
        debug_assert!(entry.is_valid());
        let flush = self.set_pte(mapper.space, mapper.vpn, new).expect("the entry's page table is there");
        let (asid, id) = (self.space(mapper.space).asid, self.space(mapper.space).id);
        self.phys_mut().fence(asid, flush);
        let policy = self.policy_kind();
        let note = LocalEviction { space: id, vpn: mapper.vpn, slot, policy, why };
        self.phys_mut().note(frame.ppn(), FrameNote::LocalEvicted(note));
        Ok(())
    }

    /// The slot of a private frame that stays in memory for others: the one that has its page, or one that has it by the frame only, until it is written.
    fn slot_for_shared(&mut self, frame: FrameId) -> Result<crate::pte::SwapSlot, OutOfFrames> {
        // A D bit says that a slot is stale: from here on the slot is the frame itself.
        let mut search = crate::rmap::MapperSearch::default();
        while let Some(Mapper { space, vpn }) = self.next_mapper(frame, &mut search) {
            let entry = self.space(space).page_table().pte(self, vpn);
            if entry.flags().contains(PteFlags::D) {
                let clean = entry.with_flags(entry.flags() - PteFlags::D);
                let flush = self.set_pte(space, vpn, clean).expect("the entry's page table is there");
                let asid = self.space(space).asid;
                self.phys_mut().fence(asid, flush);
            }
        }
        if let Some(slot) = self.frames().slot_of(frame) {
            return Ok(slot);
        }
        let sum = self.phys().checksum(frame.ppn());
        let slot = self.swap_mut().take(SlotState::Unwritten(frame), sum)?;
        self.frames_mut().set_slot(frame, Some(slot));
        Ok(slot)
    }
}

/// What a policy sees of an address space's own pages.
struct OwnLooker<'a, P> {
    mem: &'a mut Memory<P>,
    space: SpaceKey,
    needed: Vpn,
}

impl<P: PhysMem> OwnLooker<'_, P> {
    fn entry(&self, place: Place) -> Option<(Vpn, Pte)> {
        let vpn = *self.mem.space(self.space).budget.as_deref()?.pages.get(place.0 as usize)?;
        Some((vpn, self.mem.space(self.space).page_table().pte(self.mem, vpn)))
    }
    fn marks(&self, place: Place) -> Look {
        let Some((vpn, entry)) = self.entry(place) else { return Look::Busy };
        let Some(frame) = mapped_frame(self.mem, entry) else { return Look::Busy };
        if vpn == self.needed || !self.may_go(frame) {
            return Look::Busy;
        }
        let flags = entry.flags();
        Look::Marks(Marks { accessed: flags.contains(PteFlags::A), dirty: flags.contains(PteFlags::D) })
    }
    /// Whether the frame may lose an entry: others keep it, or it can leave memory.
    fn may_go(&self, frame: FrameId) -> bool {
        let info = self.mem.frames().info(frame);
        match info.kind {
            FrameKind::Anon(_) if info.maps > 1 => info.slot.is_some() || self.mem.swap().has_room(),
            FrameKind::PageCache(_) if info.maps > 1 => true,
            FrameKind::PageCache(_) | FrameKind::Anon(_) => self.mem.can_go(frame),
            _ => false,
        }
    }
}

impl<P: PhysMem> World for OwnLooker<'_, P> {
    fn look(&mut self, place: Place) -> Look {
        let look = self.marks(place);
        if let (Look::Marks(marks), Some((vpn, entry))) = (look, self.entry(place))
            && marks.accessed
        {
            if let Some(frame) = mapped_frame(self.mem, entry) {
                self.mem.tell_use(frame, Mapper { space: self.space, vpn });
            }
            let without = entry.with_flags(entry.flags() - PteFlags::A);
            let flush = self.mem.set_pte(self.space, vpn, without).expect("the entry's page table is there");
            let asid = self.mem.space(self.space).asid;
            self.mem.phys_mut().fence(asid, flush);
        }
        look
    }
    fn peek(&mut self, place: Place) -> Look {
        self.marks(place)
    }
    fn now(&self) -> Step {
        self.mem.phys().now()
    }
}
