//! `fault`: gather the facts, let [`decide`] decide, carry it out.

use super::{AddressSpace, Flush};
use crate::fault::{
    Awaited, Away, DiskWait, FaultAction, FaultOutcome, FaultQuery, MappedFrame, Place, Resolution,
    StackRoom, decide, permits,
};
use crate::frame::{FrameId, FrameKind, OutOfFrames};
use crate::layout::{STACK_GUARD_PAGES, USER_END};
use crate::memory::{Contents, Memory};
use crate::page_cache::{PageKey, PageLookup};
use crate::page_table::{ROOT_LEVEL, mapped_frame, slot_named};
use crate::phys::PhysMem;
use crate::pte::{self, LOCKED, NotPresent, Stores, SwapSlot, marks_of, user_leaf};
use crate::swap::SlotState;
use crate::vma::{PageSource, Prot, Vma, VmaFlags};
use isa::events::Access;
use isa::paging::Pte;
use isa::{PhysAddr, VirtAddr, Vpn};

/// Frames that a fault takes at most: for the page, and for a page table at each level under the root.
pub const FRAMES_OF_A_FAULT: u64 = 1 + ROOT_LEVEL as u64;

impl<P: PhysMem> Memory<P> {
    /// Whether so many frames are free that no fault wants one.
    pub fn has_frames_for_a_fault(&self) -> bool {
        self.frames().free() >= FRAMES_OF_A_FAULT
    }
}

impl AddressSpace {
    /// Resolves a page fault, or one step of it. By trap or for a kernel's copy: it is the same decision.
    ///
    /// `waited` is [`DiskWait::None`] at first, and what became of the read when this is called again for the same
    /// fault. If there is no frame for it, a page is evicted and the fault decided again. On `Err` nothing else has been changed.
    pub fn fault<P: PhysMem>(
        &mut self,
        mem: &mut Memory<P>,
        va: VirtAddr,
        access: Access,
        waited: DiskWait,
    ) -> Result<FaultOutcome, OutOfFrames> {
        self.resolve_fault(mem, va, access, waited, Prot::empty())
    }

    /// As [`AddressSpace::fault`], though the protection of a private VMA forbids the access (`/proc/PID/mem`, debuggers): the page gets
    /// what the access needs, of its own if it is stored to, and the entry allows no more than before. Nothing of a shared VMA is forced.
    #[cold]
    pub fn fault_forced<P: PhysMem>(
        &mut self,
        mem: &mut Memory<P>,
        va: VirtAddr,
        access: Access,
        waited: DiskWait,
    ) -> Result<FaultOutcome, OutOfFrames> {
        let is_shared = self.vmas.find(va.page()).is_some_and(Vma::is_shared);
        self.resolve_fault(mem, va, access, waited, if is_shared { Prot::empty() } else { needed(access) })
    }

    /// Resolves a fault as if the VMA allowed `forced`, too.
    fn resolve_fault<P: PhysMem>(
        &mut self,
        mem: &mut Memory<P>,
        va: VirtAddr,
        access: Access,
        waited: DiskWait,
        forced: Prot,
    ) -> Result<FaultOutcome, OutOfFrames> {
        let mut keeps_budget = true;
        loop {
            let outcome = self.decide_and_apply(mem, va, access, waited, forced, keeps_budget);
            if outcome.is_ok() {
                return outcome;
            }
            if keeps_budget && !mem.is_within_budget(self.key) {
                // Whatever there is too little of: its own page goes. If none can (without swap space, say), a budget is no reason to fail.
                let has_gone = mem.evict_local(self.key, va.page());
                if !has_gone && mem.has_write() {
                    return outcome;
                }
                keeps_budget = has_gone;
                continue;
            }
            if mem.has_frames_for_a_fault() {
                return outcome;
            }
            // Not the very page that the fault needs: it would have to be read again, and so on for ever.
            let needed = self.page_in_memory(mem, va);
            needed.into_iter().for_each(|frame| mem.pin(frame));
            let evicted = mem.evict_one_for(FrameKind::PageTable);
            needed.into_iter().for_each(|frame| mem.unpin(frame));
            if !evicted {
                return outcome;
            }
        }
    }

    /// The frame that holds what a fault at an address needs, if one does: of the page of the file behind it, of a private page that is
    /// mapped, or of a slot.
    fn page_in_memory<P: PhysMem>(&self, mem: &Memory<P>, va: VirtAddr) -> Option<FrameId> {
        let pte = self.pte(mem, va.page());
        if let Some(frame) = mapped_frame(mem, pte) {
            return Some(frame);
        }
        if let Some(slot) = slot_named(pte) {
            return mem.swap().get(slot).state.frame();
        }
        let key = self.vmas.find(va.page())?.source(va.page()).key()?;
        match mem.cache().lookup(key) {
            PageLookup::Ready(frame) => Some(frame),
            _ => None,
        }
    }

    fn decide_and_apply<P: PhysMem>(
        &mut self,
        mem: &mut Memory<P>,
        va: VirtAddr,
        access: Access,
        waited: DiskWait,
        forced: Prot,
        keeps_budget: bool,
    ) -> Result<FaultOutcome, OutOfFrames> {
        let vpn = va.page();
        let in_user_space = va < USER_END;
        let old = if in_user_space { self.pte(mem, vpn) } else { Pte::EMPTY };
        let frame = mapped_frame(mem, old);
        let place = if in_user_space { self.place_of(vpn) } else { Place::Nowhere };
        let source = match place {
            Place::Inside(vma) => vma.source(vpn),
            Place::BelowStack { .. } | Place::Nowhere => PageSource::Zeros,
        };
        let key = source.key();
        let opened;
        let seen = match place {
            Place::Inside(vma) if !forced.is_empty() => {
                opened = Vma { prot: vma.prot | forced, ..vma.clone() };
                Place::Inside(&opened)
            }
            place => place,
        };
        let query = FaultQuery {
            va,
            access,
            place: seen,
            pte: old,
            mapped: frame.map(|frame| mapped_facts(mem, frame)),
            away: away(mem, old),
            page: key.map(|key| mem.look_up_page(key)),
            waited,
        };
        let action = decide(&query);
        let (prot, is_locked) = match place {
            Place::Inside(vma) | Place::BelowStack { stack: vma, .. } => (vma.prot, vma.is_locked()),
            Place::Nowhere => (Prot::empty(), false),
        };
        let slot = slot_named(old);
        let fault = Fault { va, access, prot, is_locked, old, frame, source, key, slot, waited };
        if keeps_budget && !mem.is_within_budget(self.key) && is_one_more(action, &fault, mem.zero_page()) {
            return Err(OutOfFrames);
        }
        self.apply(mem, action, &fault)
    }

    /// Where the byte at `va` lies in physical memory, if its page is mapped so that the user may access it this way
    /// without a fault. A kernel's copy tries this first and calls [`AddressSpace::fault`] if it fails.
    pub fn translate<P: PhysMem>(&self, mem: &Memory<P>, va: VirtAddr, access: Access) -> Option<PhysAddr> {
        if va >= USER_END {
            return None;
        }
        let pte = self.pte(mem, va.page());
        (permits(pte, access) && pte.flags().contains(marks_of(access)))
            .then(|| pte.ppn().base().wrapping_add(va.page_offset()))
    }

    /// Sets A, and D for a store, as hardware with Svadu does before an access that the page's entry allows. Returns whether it does.
    /// The TLB need forget nothing: an entry of it that lacks the bits is not used.
    pub fn mark<P: PhysMem>(&mut self, mem: &mut Memory<P>, va: VirtAddr, access: Access) -> bool {
        let old = if va < USER_END { self.pte(mem, va.page()) } else { Pte::EMPTY };
        let allowed = permits(old, access);
        if allowed {
            let _no_fence_needed = self.set_flags(mem, va.page(), old, old.flags() | marks_of(access));
        }
        allowed
    }

    #[inline(always)] // as `resolve_fault`
    fn place_of(&self, vpn: Vpn) -> Place<'_> {
        if let Some(vma) = self.vmas.find(vpn) {
            return Place::Inside(vma);
        }
        match self.vmas.next_above(vpn) {
            Some(stack) if stack.flags.contains(VmaFlags::GROWS_DOWN) => {
                Place::BelowStack { stack, room: self.stack_room(stack, vpn) }
            }
            _ => Place::Nowhere,
        }
    }

    fn stack_room(&self, stack: &Vma, vpn: Vpn) -> StackRoom {
        if stack.range.end.0 - vpn.0 > self.stack_limit_pages {
            return StackRoom::OverLimit;
        }
        match self.vmas.last_below(vpn) {
            Some(below) if vpn.0 - below.range.end.0 < STACK_GUARD_PAGES => StackRoom::Guard,
            _ => StackRoom::Enough,
        }
    }

    #[inline(always)] // as `resolve_fault`
    fn apply<P: PhysMem>(
        &mut self,
        mem: &mut Memory<P>,
        action: FaultAction,
        fault: &Fault,
    ) -> Result<FaultOutcome, OutOfFrames> {
        match action {
            FaultAction::ReadPage => {
                let awaited = fault.awaited(mem);
                let frame = match awaited {
                    Awaited::Page(key) => mem.enter_reading(key)?,
                    Awaited::Slot(slot) => mem.enter_swap_in(slot)?,
                };
                Ok(FaultOutcome::Read(awaited, frame))
            }
            FaultAction::WaitPage => {
                let awaited = fault.awaited(mem);
                if let Awaited::Slot(slot) = awaited {
                    mem.want(slot);
                }
                Ok(FaultOutcome::Wait(awaited))
            }
            FaultAction::SwapIn => {
                let slot = fault.slot.expect("decide has seen a slot");
                let entry = *mem.swap().get(slot);
                let frame = entry.state.frame().expect("decide has seen its frame");
                // This entry's own name goes when it maps the frame.
                let is_shared = entry.names > 1 || mem.frames().info(frame).maps > 0;
                let stores = if is_shared { Stores::Forbidden } else { Stores::AsProtected };
                self.map_frame(mem, action, fault, frame, stores)
            }
            FaultAction::Zero => {
                let new = mem.allocate_anon(Contents::Zeros)?;
                self.map_frame(mem, action, fault, new, Stores::AsProtected)
            }
            FaultAction::StackGrow => {
                let new = mem.allocate_anon(Contents::Zeros)?;
                let outcome = self.map_frame(mem, action, fault, new, Stores::AsProtected)?;
                let stack = self.vmas.next_above(fault.vpn()).map(|vma| vma.range.start);
                self.vmas.grow_down(
                    mem.file_mappings_mut(),
                    stack.expect("decide has seen the stack"),
                    fault.vpn(),
                );
                Ok(outcome)
            }
            FaultAction::ZeroShared => {
                let zero = mem.zero_page();
                self.map_frame(mem, action, fault, zero, Stores::Forbidden)
            }
            FaultAction::FileDisk | FaultAction::FileCache => {
                let cached = fault.cached_frame(mem)?;
                self.map_frame(mem, action, fault, cached, Stores::Forbidden)
            }
            FaultAction::FileCopy => {
                let original = match fault.frame {
                    Some(mapped) => mapped,
                    None => fault.cached_frame(mem)?,
                };
                let new = mem.allocate_anon(match fault.source {
                    PageSource::FileThenZeros { len_bytes, .. } => Contents::PartOf(original, len_bytes),
                    _ => Contents::CopyOf(original),
                })?;
                let fault = Fault { frame: Some(original), ..*fault };
                self.map_frame(mem, action, &fault, new, Stores::AsProtected)
            }
            FaultAction::CowCopy => {
                let original = fault.mapped_frame();
                let new = mem.allocate_anon(Contents::CopyOf(original))?;
                self.map_frame(mem, action, fault, new, Stores::AsProtected)
            }
            FaultAction::CowReuse => {
                self.map_frame(mem, action, fault, fault.mapped_frame(), Stores::AsProtected)
            }
            FaultAction::SharedMap => {
                let shared = match fault.frame {
                    Some(mapped) => mapped,
                    None => fault.cached_frame(mem)?,
                };
                self.map_frame(mem, action, fault, shared, Stores::AsProtected)
            }
            FaultAction::Accessed | FaultAction::Dirtied => {
                let new_pte = fault.old.with_flags(fault.old.flags() | marks_of(fault.access));
                // A fence even if the entry was right: the TLB may hold what it was before.
                let flush = self.set_pte(mem, fault.vpn(), new_pte)?.and(Flush::page(fault.vpn()));
                let owners = fault.frame.map_or(0, |frame| mem.frames().info(frame).maps);
                Ok(FaultOutcome::Resolved(Resolution {
                    previous_frame: None,
                    ..fault.resolution(action, fault.frame, new_pte, owners, flush)
                }))
            }
            FaultAction::Protection | FaultAction::Segv(_) => {
                let owners = fault.frame.map_or(0, |frame| mem.frames().info(frame).maps);
                Ok(FaultOutcome::Refused(Resolution {
                    previous_frame: None,
                    ..fault.resolution(action, fault.frame, fault.old, owners, Flush::None)
                }))
            }
        }
    }

    /// Maps `frame` at the faulting page and says so. If there is no frame for a page table, `frame` is given back.
    fn map_frame<P: PhysMem>(
        &mut self,
        mem: &mut Memory<P>,
        action: FaultAction,
        fault: &Fault,
        frame: FrameId,
        stores: Stores,
    ) -> Result<FaultOutcome, OutOfFrames> {
        let owners = mem.frames().info(fault.frame.unwrap_or(frame)).maps;
        let mut leaf = user_leaf(frame.ppn(), fault.prot, stores, fault.access);
        if action == FaultAction::SwapIn && stores == Stores::Forbidden {
            // Others have the page, too: a store is decided by itself, and has not happened yet.
            let marks = marks_of(Access::Read);
            leaf = leaf.with_flags((leaf.flags() - marks_of(Access::Write)) | marks | pte::COW);
        }
        let new_pte = if fault.is_locked { leaf.with_flags(leaf.flags() | LOCKED) } else { leaf };
        match self.set_pte(mem, fault.vpn(), new_pte) {
            Ok(flush) => Ok(FaultOutcome::Resolved(fault.resolution(
                action,
                Some(frame),
                new_pte,
                owners,
                flush.and(Flush::page(fault.vpn())),
            ))),
            Err(error) => {
                mem.release_if_unused(frame);
                Err(error)
            }
        }
    }
}

/// The protection that an access needs.
fn needed(access: Access) -> Prot {
    match access {
        Access::Read => Prot::READ,
        Access::Write => Prot::WRITE,
        Access::Execute => Prot::EXEC,
    }
}

fn mapped_facts<P: PhysMem>(mem: &Memory<P>, frame: FrameId) -> MappedFrame {
    let info = mem.frames().info(frame);
    match info.kind {
        FrameKind::Zero => MappedFrame::Zero,
        FrameKind::Anon(_) => MappedFrame::Anon { owners: mem.sharers(frame, info.maps) },
        FrameKind::PageCache(_) | FrameKind::Orphan => MappedFrame::File,
        FrameKind::Free | FrameKind::Kernel | FrameKind::PageTable => {
            unreachable!("a user page maps {frame:?}: {info:?}")
        }
    }
}

/// Whether an action maps a page more that counts in a budget, now or when it has been read.
#[cold]
fn is_one_more(action: FaultAction, fault: &Fault, zero_page: FrameId) -> bool {
    let is_counted =
        !fault.old.flags().contains(LOCKED) && fault.frame.is_some_and(|frame| frame != zero_page);
    !fault.is_locked && !is_counted && maps_a_page(action)
}

/// Whether an action maps a page of the address space's own, now or when it has been read.
fn maps_a_page(action: FaultAction) -> bool {
    match action {
        FaultAction::ReadPage
        | FaultAction::FileDisk
        | FaultAction::FileCache
        | FaultAction::FileCopy
        | FaultAction::Zero
        | FaultAction::CowCopy
        | FaultAction::SharedMap
        | FaultAction::StackGrow
        | FaultAction::SwapIn => true,
        FaultAction::ZeroShared
        | FaultAction::WaitPage
        | FaultAction::CowReuse
        | FaultAction::Accessed
        | FaultAction::Dirtied
        | FaultAction::Protection
        | FaultAction::Segv(_) => false,
    }
}

/// Where the page of an entry that is not valid went.
fn away<P: PhysMem>(mem: &Memory<P>, entry: Pte) -> Away {
    match NotPresent::decode(entry) {
        None | Some(NotPresent::Nothing) => Away::Nowhere,
        Some(NotPresent::Zeros) => Away::Zeros,
        Some(NotPresent::Swapped(slot)) => match mem.swap().get(slot).state {
            SlotState::Stored => Away::Stored,
            SlotState::Reading(_) | SlotState::Writing { .. } => Away::Busy,
            SlotState::Cached(_) | SlotState::Unwritten(_) | SlotState::Kept(_) => Away::Cached,
        },
    }
}

/// What `apply` needs to know of the fault.
#[derive(Clone, Copy)]
struct Fault {
    va: VirtAddr,
    access: Access,
    /// The protection of the VMA.
    prot: Prot,
    is_locked: bool,
    old: Pte,
    /// The frame that was mapped, or is copied.
    frame: Option<FrameId>,
    source: PageSource,
    key: Option<PageKey>,
    /// The slot that the entry names.
    slot: Option<SwapSlot>,
    waited: DiskWait,
}

impl Fault {
    fn vpn(&self) -> Vpn {
        self.va.page()
    }
    fn page_key(&self) -> PageKey {
        self.key.expect("this action is decided for a page of a file only")
    }
    /// What the fault must wait for.
    fn awaited<P: PhysMem>(&self, mem: &Memory<P>) -> Awaited {
        match self.slot {
            Some(slot) => Awaited::Slot(slot),
            None => match mem.cache().lookup(self.page_key()) {
                PageLookup::Swapped(slot) => Awaited::Slot(slot),
                _ => Awaited::Page(self.page_key()),
            },
        }
    }
    fn mapped_frame(&self) -> FrameId {
        self.frame.expect("this action is decided for a mapped page only")
    }
    /// The frame of the page of the file. A hole of a file that lives in memory gets one now.
    fn cached_frame<P: PhysMem>(&self, mem: &mut Memory<P>) -> Result<FrameId, OutOfFrames> {
        let key = self.page_key();
        match mem.look_up_page(key) {
            PageLookup::Ready(frame) => Ok(frame),
            PageLookup::Hole => mem.fill_hole(key),
            other => unreachable!("decide has seen {key:?} ready: {other:?}"),
        }
    }
    fn resolution(
        &self,
        action: FaultAction,
        frame: Option<FrameId>,
        new_pte: Pte,
        owners: u32,
        flush: Flush,
    ) -> Resolution {
        Resolution {
            action,
            va: self.va,
            access: self.access,
            frame,
            previous_frame: self.frame.filter(|&previous| Some(previous) != frame),
            pte: self.old,
            new_pte,
            owners,
            page: self.key,
            slot: self.slot,
            from_disk: self.waited == DiskWait::Done,
            flush,
        }
    }
}
