//! Loads, stores, atomics and fetches when the fast arrays cannot answer: the TLB model, the walk, PMP, devices,
//! watched addresses, decoded code, accesses that cross pages.
//!
//! Each function either has its whole effect or none: everything that may stop is asked first (privileged manual,
//! "Virtual Address Translation Process"; unprivileged manual, "Load and Store Instructions"). An access is *found*,
//! which changes nothing, and then *settled*: whether its instruction must run alone is known in between, before the
//! TLB model has been touched, so that no count depends on what has been decoded. An access over two pages always
//! runs alone: what its first part does to the TLB decides what its second part meets.

use super::Exit;
use super::context::{Attention, Core, StopCause};
use super::observer::TlbSide;
use crate::mem::code_map::{CodeMap, GRANULE_BYTES};
use crate::mem::pmp::Verdict;
use crate::mem::tlb::Tlb;
use crate::semantics::Width;
use isa::paging::{Access, Denial, Leaf, PteFlags, WalkFault, denial, walk};
use isa::platform::RAM_BASE;
use isa::{Exception, PAGE_SIZE, PhysAddr, Privilege, Trap, VirtAddr};

/// Where an access goes.
#[derive(Clone, Copy)]
enum Target {
    /// RAM, at this offset.
    Ram(usize),
    /// Somewhere on the bus.
    Device(PhysAddr),
}

impl Target {
    /// The RAM offset of a part of an access that crosses pages; devices have no such accesses.
    fn of_crossing(self, exception: Exception, va: u64) -> Outcome<usize> {
        match self {
            Self::Ram(offset) => Ok(offset),
            Self::Device(_) => Err(trap(exception, va)),
        }
    }
}

/// Where a fetch goes.
#[derive(Clone, Copy)]
pub(super) struct FetchTarget {
    /// RAM offset.
    pub offset: usize,
    /// PMP allows fetches from all of the page.
    pub whole_page: bool,
    /// A hit need not be told to the TLB model.
    pub silent: bool,
}

type Outcome<T> = Result<T, StopCause>;

/// The instruction must run alone; nothing has happened yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Alone;

impl From<Alone> for StopCause {
    fn from(_: Alone) -> Self {
        Self::RunAlone
    }
}

/// How an address becomes a physical one.
#[derive(Clone, Copy)]
enum Translation {
    /// The TLB is not asked: the address is physical, or the instruction has to run alone first.
    Unasked,
    /// By the entry at this place of the TLB.
    Hit(usize),
    /// By a walk, which may have failed; the TLB may hold an entry that does not suffice.
    Walk { insufficient: Option<usize>, walked: Option<Walked> },
}

/// What a walk has come to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Walked {
    /// The leaf as it is to be in the TLB, A and D set.
    leaf: Leaf,
    /// The RAM offset and the value of its entry before, if A or D is to be set there.
    update: Option<(usize, u64)>,
}

/// An access within one page, before it has had any effect.
struct Found {
    side: TlbSide,
    va: VirtAddr,
    access: Access,
    privilege: Privilege,
    translation: Translation,
    /// Where it goes, or why it does not: an exception, or that the instruction must run alone.
    target: Outcome<Target>,
}

const fn trap(exception: Exception, va: u64) -> StopCause {
    StopCause::Trap(Trap::at(exception, VirtAddr(va)))
}

impl Core<'_> {
    /// A load that the fast arrays do not know: the value, zero-extended.
    #[cold]
    pub(super) fn load_slow(&mut self, va: u64, width: Width) -> Outcome<u64> {
        let len = u64::from(width.bytes());
        let first_len = PAGE_SIZE - VirtAddr(va).page_offset();
        if len > first_len {
            self.only_alone()?;
            return self.load_crossing(va, len, first_len);
        }
        let found = self.find_data(va, len, Access::Load);
        self.may_reach(&found)?;
        match self.settle_data(&found, Access::Load)? {
            Target::Ram(offset) => Ok(self.ram.load(offset, width.bytes())),
            Target::Device(pa) => self.device_load(va, pa, width.bytes()),
        }
    }

    fn load_crossing(&mut self, va: u64, len: u64, first_len: u64) -> Outcome<u64> {
        let second_va = va.wrapping_add(first_len);
        let first = self.data_target(va, first_len, Access::Load)?.of_crossing(Exception::LoadAccess, va)?;
        let second = self.second_target(second_va, len - first_len, Access::Load)?;
        let second = second.of_crossing(Exception::LoadAccess, second_va)?;
        let byte = |n: u64| {
            let offset = if n < first_len { first + at(n) } else { second + at(n - first_len) };
            self.ram.load(offset, 1) << (8 * n)
        };
        Ok((0..len).map(byte).sum())
    }

    /// A store that the fast arrays do not know.
    #[cold]
    pub(super) fn store_slow(&mut self, va: u64, width: Width, value: u64) -> Outcome<()> {
        let len = u64::from(width.bytes());
        let first_len = PAGE_SIZE - VirtAddr(va).page_offset();
        if len > first_len {
            self.only_alone()?;
            return self.store_crossing(va, len, first_len, value);
        }
        let found = self.find_data(va, len, Access::Store);
        self.may_store(&found, len)?;
        match self.settle_data(&found, Access::Store)? {
            Target::Ram(offset) => {
                self.write_ram(offset, width.bytes(), value);
                Ok(())
            }
            Target::Device(pa) => self.device_store(va, pa, width.bytes(), value),
        }
    }

    fn store_crossing(&mut self, va: u64, len: u64, first_len: u64, value: u64) -> Outcome<()> {
        let second_va = va.wrapping_add(first_len);
        self.entry_before = None;
        let first =
            self.data_target(va, first_len, Access::Store)?.of_crossing(Exception::StoreAccess, va)?;
        let entry_before = self.entry_before.take();
        let second = self.second_target(second_va, len - first_len, Access::Store);
        let second = second.and_then(|target| target.of_crossing(Exception::StoreAccess, second_va));
        let second = second.inspect_err(|_| {
            // D says that the page has been written, and it will not be.
            if let Some((offset, pte)) = entry_before {
                self.write_ram(offset, 8, pte);
                self.hart.fence_translations(Some(VirtAddr(va)), None);
            }
        })?;
        for n in 0..len {
            let offset = if n < first_len { first + at(n) } else { second + at(n - first_len) };
            self.write_ram(offset, 1, value >> (8 * n));
        }
        Ok(())
    }

    /// The target in the second page of a crossing access, which is an access of its own to the TLB.
    fn second_target(&mut self, va: u64, len: u64, access: Access) -> Outcome<Target> {
        if self.hart.data_bank.translates() {
            self.hart.dtlb.accesses += 1;
        }
        self.data_target(va, len, access)
    }

    /// A cache block is cleaned or invalidated: translated and checked as a load, but what faults is a store. Memory only.
    #[cold]
    pub(super) fn manage_block(&mut self, va: u64) -> Outcome<()> {
        let as_store = |cause| match cause {
            StopCause::Trap(Trap { exception: Exception::LoadPage, tval }) => {
                trap(Exception::StorePage, tval)
            }
            StopCause::Trap(Trap { exception: Exception::LoadAccess, tval }) => {
                trap(Exception::StoreAccess, tval)
            }
            other => other,
        };
        match self.data_target(va, 1, Access::Load).map_err(as_store)? {
            Target::Ram(_) => Ok(()),
            Target::Device(_) => Err(trap(Exception::StoreAccess, va)),
        }
    }

    /// LR: the value, zero-extended. Devices cannot be reserved. Where misaligned loads work (Zicclsm) and this one
    /// cannot, it is an access fault, so that nobody tries to emulate it.
    pub(super) fn load_reserved(&mut self, va: u64, width: Width) -> Outcome<u64> {
        let len = u64::from(width.bytes());
        let offset = match self.hart.fast.read(self.hart.data_bank, va, va) {
            Some(offset) if va.is_multiple_of(len) => offset,
            _ if !va.is_multiple_of(len) => return Err(trap(Exception::LoadAccess, va)),
            _ => match self.data_target(va, len, Access::Load)? {
                Target::Ram(offset) => offset,
                Target::Device(_) => return Err(trap(Exception::LoadAccess, va)),
            },
        };
        self.hart.reservation = Some(RAM_BASE.0 + offset as u64);
        Ok(self.ram.load(offset, width.bytes()))
    }

    /// SC: whether it stored. The address is translated and checked even if the reservation has gone; then PMP is asked
    /// for the first byte alone, as in Spike, for none is stored.
    pub(super) fn store_conditional(&mut self, va: u64, width: Width, value: u64) -> Outcome<bool> {
        let len = u64::from(width.bytes());
        if !va.is_multiple_of(len) {
            return Err(trap(Exception::StoreAccess, va));
        }
        let found = self.find_data(va, 1, Access::Store);
        let holds = |offset: usize| self.hart.reservation == Some(RAM_BASE.0 + offset as u64);
        if let Ok(Target::Ram(offset)) = found.target
            && holds(offset)
        {
            self.may_write(offset, len)?;
        }
        let Target::Ram(offset) = self.settle_data(&found, Access::Store)? else {
            return Err(trap(Exception::StoreAccess, va));
        };
        let pa = PhysAddr(RAM_BASE.0 + offset as u64);
        let holds = self.hart.reservation == Some(pa.0);
        if holds {
            self.checked(va, pa, len, Access::Store, self.hart.data_privilege())?;
            self.write_ram(offset, width.bytes(), value);
        }
        self.hart.reservation = None;
        Ok(holds)
    }

    /// AMO: the old value, zero-extended.
    #[inline]
    pub(super) fn amo(&mut self, va: u64, width: Width, change: impl Fn(u64) -> u64) -> Outcome<u64> {
        let len = u64::from(width.bytes());
        if va.is_multiple_of(len)
            && let Some(offset) = self.hart.fast.write(self.hart.data_bank, va, va)
        {
            let old = self.ram.load(offset, width.bytes());
            self.ram.store(offset, width.bytes(), change(old));
            return Ok(old);
        }
        self.amo_slow(va, width, change)
    }

    /// An AMO that the fast arrays do not know; misaligned ones are access faults, as for LR.
    fn amo_slow(&mut self, va: u64, width: Width, change: impl Fn(u64) -> u64) -> Outcome<u64> {
        let len = u64::from(width.bytes());
        if !va.is_multiple_of(len) {
            return Err(trap(Exception::StoreAccess, va));
        }
        let found = self.find_data(va, len, Access::Store);
        self.may_store(&found, len)?;
        match self.settle_data(&found, Access::Store)? {
            Target::Ram(offset) => {
                let old = self.ram.load(offset, width.bytes());
                self.write_ram(offset, width.bytes(), change(old));
                Ok(old)
            }
            Target::Device(pa) => {
                let as_store = |_| trap(Exception::StoreAccess, va);
                let old = self.device_load(va, pa, width.bytes()).map_err(as_store)?;
                self.device_store(va, pa, width.bytes(), change(old))?;
                Ok(old)
            }
        }
    }

    /// Where a fetch of `len` bytes at `pc` goes.
    pub(super) fn fetch_target(&mut self, pc: u64, len: u64) -> Outcome<FetchTarget> {
        let privilege = self.hart.privilege;
        let translates = self.hart.fetch_bank.translates();
        let found = self.find(TlbSide::Instruction, pc, len, Access::Fetch, privilege, translates);
        let Target::Ram(offset) = self.settle(&found)? else {
            return Err(trap(Exception::InstructionAccess, pc));
        };
        let pa = PhysAddr(RAM_BASE.0 + offset as u64);
        Ok(FetchTarget {
            offset,
            whole_page: self.whole_page_allowed(pa, Access::Fetch, privilege),
            silent: !translates
                || self.hart.itlb.hits_are_silent() && !self.is_suspect_page(found.side, found.va),
        })
    }

    /// Where a data access within one page goes, for those that need not ask in between.
    fn data_target(&mut self, va: u64, len: u64, access: Access) -> Outcome<Target> {
        let found = self.find_data(va, len, access);
        self.settle_data(&found, access)
    }

    #[inline]
    fn find_data(&self, va: u64, len: u64, access: Access) -> Found {
        let translates = self.hart.data_bank.translates();
        self.find(TlbSide::Data, va, len, access, self.hart.data_privilege(), translates)
    }

    /// Settles a data access, and lets the fast arrays answer the next one.
    #[inline]
    fn settle_data(&mut self, found: &Found, access: Access) -> Outcome<Target> {
        let target = self.settle(found)?;
        let Target::Ram(offset) = target else { return Ok(target) };
        let (bank, va) = (self.hart.data_bank, found.va.0);
        let pa = PhysAddr(RAM_BASE.0 + offset as u64);
        let silent = !bank.translates()
            || self.hart.dtlb.hits_are_silent() && !self.is_suspect_page(found.side, found.va);
        if silent && self.whole_page_allowed(pa, access, self.hart.data_privilege()) {
            if access == Access::Load {
                self.hart.fast.allow_read(bank, va, offset);
            } else {
                let (page, _) = CodeMap::locate(offset);
                let is_plain =
                    !self.ram.code().page_has_code(page) && !self.is_watched(pa.page_base(), PAGE_SIZE);
                if is_plain && !self.is_table(offset) {
                    self.ram.touch(page);
                    self.hart.fast.allow_write(bank, va, offset);
                }
            }
        }
        Ok(target)
    }

    fn checked(
        &self,
        va: u64,
        pa: PhysAddr,
        len: u64,
        access: Access,
        privilege: Privilege,
    ) -> Outcome<Target> {
        if self.hart.pmp.check(pa, len, access, privilege) == Verdict::Denied {
            return Err(trap(access.access_fault(), va));
        }
        Ok(self.ram.offset_of(pa, at(len)).map_or(Target::Device(pa), Target::Ram))
    }

    fn whole_page_allowed(&self, pa: PhysAddr, access: Access, privilege: Privilege) -> bool {
        self.hart.pmp.check(pa.page_base(), PAGE_SIZE, access, privilege) == Verdict::Allowed
    }

    /// Finds out what an access within one page will meet. Nothing changes.
    #[inline(never)] // its result is built where the caller keeps it
    fn find(
        &self,
        side: TlbSide,
        va: u64,
        len: u64,
        access: Access,
        privilege: Privilege,
        translates: bool,
    ) -> Found {
        let (translation, pa) = if translates {
            self.translate(side, VirtAddr(va), access, privilege)
        } else {
            (Translation::Unasked, Ok(PhysAddr(va)))
        };
        let target = pa.and_then(|pa| self.checked(va, pa, len, access, privilege));
        Found { side, va: VirtAddr(va), access, privilege, translation, target }
    }

    /// The physical address of `va`, through one side of the TLB.
    #[inline]
    fn translate(
        &self,
        side: TlbSide,
        va: VirtAddr,
        access: Access,
        privilege: Privilege,
    ) -> (Translation, Outcome<PhysAddr>) {
        let tlb = match side {
            TlbSide::Instruction => &self.hart.itlb,
            TlbSide::Data => &self.hart.dtlb,
        };
        let held = tlb.find(va.page(), self.hart.satp().asid());
        let mode = self.hart.access_mode(privilege);
        if let Some((place, entry)) = held
            && denial(entry.flags(), access, mode).is_none()
        {
            if side == TlbSide::Data && !self.alone && self.is_suspect(side, entry) {
                // Who makes such an access is told exactly.
                return (Translation::Unasked, Err(StopCause::RunAlone));
            }
            return (Translation::Hit(place), Ok(entry.ppn().base().wrapping_add(va.page_offset())));
        }
        let walked = self.walk_for(va, access, privilege);
        if walked == Err(StopCause::RunAlone) {
            return (Translation::Unasked, Err(StopCause::RunAlone));
        }
        let insufficient = held.map(|(place, _)| place);
        let pa = walked.map(|walked| physical(walked.leaf, va));
        (Translation::Walk { insufficient, walked: walked.ok() }, pa)
    }

    /// The effects of an access on the TLB, and on the entry that maps it; then where it goes.
    #[inline]
    fn settle(&mut self, found: &Found) -> Outcome<Target> {
        match found.translation {
            Translation::Unasked => {}
            Translation::Hit(place) => {
                if self.checks.is_some() {
                    self.check_use(found.side, found.va, found.access, found.privilege);
                }
                self.tlb(found.side).touch(place);
            }
            Translation::Walk { insufficient, walked } => {
                self.settle_walk(found.side, found.va, insufficient, walked);
            }
        }
        found.target
    }

    fn settle_walk(
        &mut self,
        side: TlbSide,
        va: VirtAddr,
        insufficient: Option<usize>,
        walked: Option<Walked>,
    ) {
        if let Some(place) = insufficient {
            self.tlb(side).touch(place);
        }
        self.tlb(side).misses += 1;
        let asid = self.hart.satp().asid();
        if let Some(observer) = &mut self.observer {
            observer.tlb_miss(side, va, asid, walked.map(|walked| physical(walked.leaf, va)));
        }
        let Some(Walked { leaf, update }) = walked else { return };
        if let Some((offset, _)) = update {
            self.entry_before = update;
            self.write_ram(offset, 8, leaf.pte.0);
        }
        let evicted = self.tlb(side).install(va, asid, leaf);
        let drop_page = match side {
            TlbSide::Instruction => crate::mem::fast::FastArrays::drop_fetch_page,
            TlbSide::Data => crate::mem::fast::FastArrays::drop_data_page,
        };
        // The page itself too: it may have been known with the frame of an older entry.
        drop_page(&mut self.hart.fast, va.page());
        if let Some(evicted) = evicted.filter(|&evicted| evicted != va.page()) {
            drop_page(&mut self.hart.fast, evicted);
        }
        if self.checks.is_some() {
            self.remember_walk(side, va, leaf);
        }
    }

    fn tlb(&mut self, side: TlbSide) -> &mut Tlb {
        match side {
            TlbSide::Instruction => &mut self.hart.itlb,
            TlbSide::Data => &mut self.hart.dtlb,
        }
    }

    /// Walks for an access: the leaf as it will be once A and D are set.
    fn walk_for(&self, va: VirtAddr, access: Access, privilege: Privilege) -> Outcome<Walked> {
        let (hart, ram) = (&*self.hart, &*self.ram);
        let by = hart.translation().expect("only a translated access is walked for");
        let leaf = walk(by, va, |pa| {
            let allowed = hart.pmp.check(pa, 8, Access::Load, Privilege::Supervisor) == Verdict::Allowed;
            if allowed { ram.read_u64(pa) } else { None }
        });
        let leaf = match leaf {
            Ok(leaf) => leaf,
            Err(WalkFault::NoMemory(_)) => return Err(trap(access.access_fault(), va.0)),
            Err(_) => return Err(trap(access.page_fault(), va.0)),
        };
        match denial(leaf.pte.flags(), access, hart.access_mode(privilege)) {
            None => Ok(Walked { leaf, update: None }),
            Some(Denial::NotAccessed | Denial::NotDirty) if hart.csr.updates_accessed_and_dirty() => {
                self.with_accessed_and_dirty(va, leaf, access)
            }
            Some(_) => Err(trap(access.page_fault(), va.0)),
        }
    }

    /// Svadu: A, and D for a store, are to be set in the entry.
    fn with_accessed_and_dirty(&self, va: VirtAddr, leaf: Leaf, access: Access) -> Outcome<Walked> {
        let writable = self.hart.pmp.check(leaf.pte_addr, 8, Access::Store, Privilege::Supervisor);
        let offset = self.ram.offset_of(leaf.pte_addr, 8).filter(|_| writable == Verdict::Allowed);
        let Some(offset) = offset else { return Err(trap(access.access_fault(), va.0)) };
        self.may_write(offset, 8)?;
        let dirty = if access == Access::Store { PteFlags::D } else { PteFlags::empty() };
        let pte = leaf.pte.with_flags(leaf.pte.flags() | PteFlags::A | dirty);
        Ok(Walked { leaf: Leaf { pte, ..leaf }, update: Some((offset, leaf.pte.0)) })
    }

    fn only_alone(&self) -> Result<(), Alone> {
        if self.alone { Ok(()) } else { Err(Alone) }
    }

    /// Whether an access that has been found may go on: devices are reached only by an instruction alone.
    fn may_reach(&self, found: &Found) -> Result<(), Alone> {
        if matches!(found.target, Ok(Target::Device(_))) { self.only_alone() } else { Ok(()) }
    }

    /// The same for a store of `len` bytes.
    fn may_store(&self, found: &Found, len: u64) -> Result<(), Alone> {
        match found.target {
            Ok(Target::Ram(offset)) => self.may_write(offset, len),
            _ => self.may_reach(found),
        }
    }

    /// Whether a store to RAM may be made now: where there is decoded code or a watch, only by an instruction alone.
    /// Both are asked for whole granules, which are the size of a cache block: `cbo.zero` stores word by word, and is told
    /// before its first one.
    fn may_write(&self, offset: usize, len: u64) -> Result<(), Alone> {
        let (first_byte, last_byte) =
            (offset & !(GRANULE_BYTES - 1), (offset + at(len) - 1) | (GRANULE_BYTES - 1));
        let (page, first) = CodeMap::locate(first_byte);
        let (_, last) = CodeMap::locate(last_byte);
        let pa = PhysAddr(RAM_BASE.0 + first_byte as u64);
        let len = (last_byte - first_byte + 1) as u64;
        if self.ram.code().has_code(page, first, last) || self.is_watched(pa, len) || self.is_table(offset) {
            return self.only_alone();
        }
        Ok(())
    }

    pub(super) fn write_ram(&mut self, offset: usize, width_bytes: u8, value: u64) {
        if self.is_table(offset) {
            self.store_to_table(offset, width_bytes, value);
        } else {
            self.ram.store_any(offset, width_bytes, value);
        }
        if self.alone {
            self.note_watched(PhysAddr(RAM_BASE.0 + offset as u64), width_bytes, value);
        }
    }

    fn is_watched(&self, pa: PhysAddr, len: u64) -> bool {
        self.watch.iter().any(|region| {
            let end = region.base.0.saturating_add(region.len_bytes);
            pa.0 < end && region.base.0 < pa.0.saturating_add(len)
        })
    }

    fn note_watched(&mut self, pa: PhysAddr, width_bytes: u8, value: u64) {
        if self.is_watched(pa, u64::from(width_bytes)) {
            let kept = if width_bytes == 8 { value } else { value & ((1 << (8 * width_bytes)) - 1) };
            self.watched_store = Some(Exit::Watch { pa, width_bytes, value: kept });
        }
    }

    fn device_load(&mut self, va: u64, pa: PhysAddr, width_bytes: u8) -> Outcome<u64> {
        assert!(self.alone, "a device is reached by an instruction alone");
        self.attention |= Attention::DEVICES;
        let now = self.now();
        self.platform
            .read(self.ram, pa, width_bytes, now)
            .map_err(|crate::platform::AccessFault| trap(Exception::LoadAccess, va))
    }

    fn device_store(&mut self, va: u64, pa: PhysAddr, width_bytes: u8, value: u64) -> Outcome<()> {
        assert!(self.alone, "a device is reached by an instruction alone");
        self.attention |= Attention::DEVICES;
        let now = self.now();
        self.platform
            .write(self.ram, pa, width_bytes, value, now)
            .map_err(|crate::platform::AccessFault| trap(Exception::StoreAccess, va))
    }
}

/// Where a leaf maps an address.
fn physical(leaf: Leaf, va: VirtAddr) -> PhysAddr {
    leaf.frame(va).base().wrapping_add(va.page_offset())
}

/// A length within a page.
#[allow(clippy::cast_possible_truncation)] // at most a page
const fn at(n: u64) -> usize {
    n as usize
}
