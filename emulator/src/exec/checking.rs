//! What the running hart tells the [`Checker`](super::Checker): walks, stores to page tables, writes of `satp`, and uses of translations that
//! may be stale.

use super::checks::{Cause, Key, Path, Root, StaleUse, TableStore, WalkedNow, entries_in};
use super::context::{Attention, Core};
use super::observer::TlbSide;
use crate::hart::CsrContext;
use crate::mem::pmp::Verdict;
use crate::mem::tlb::TlbEntry;
use isa::csr::Csr;
use isa::paging::{Access, Leaf, PteFlags, WalkFault, denial, walk};
use isa::platform::RAM_BASE;
use isa::{PAGE_SIZE, PhysAddr, Privilege, Step, VirtAddr};

impl Core<'_> {
    /// Whether uses of an entry are to be compared.
    pub(super) fn is_suspect(&self, side: TlbSide, entry: &TlbEntry) -> bool {
        let key = Key::new(self.hart.id, side, entry.vpn(), entry.asid());
        self.checks.as_ref().is_some_and(|checks| checks.is_suspect(&key))
    }

    /// The same of the entry that a page has now.
    pub(super) fn is_suspect_page(&self, side: TlbSide, va: VirtAddr) -> bool {
        if self.checks.is_none() {
            return false;
        }
        self.held(side, va).is_some_and(|entry| self.is_suspect(side, &entry))
    }

    fn held(&self, side: TlbSide, va: VirtAddr) -> Option<TlbEntry> {
        let tlb = match side {
            TlbSide::Instruction => &self.hart.itlb,
            TlbSide::Data => &self.hart.dtlb,
        };
        tlb.find(va.page(), self.hart.satp().asid()).map(|(_, entry)| *entry)
    }

    /// Whether there are entries of page tables in the page of a RAM offset.
    pub(super) fn is_table(&self, offset: usize) -> bool {
        let page = PhysAddr(RAM_BASE.0 + offset as u64).page();
        self.checks.as_ref().is_some_and(|checks| checks.is_table(page))
    }

    /// What a walk finds, and the entries that it reads on its way.
    fn walk_noted(&self, va: VirtAddr) -> (Result<Leaf, WalkFault>, Vec<(PhysAddr, u64)>) {
        let (hart, ram) = (&*self.hart, &*self.ram);
        let by = hart.translation().expect("only a translated access is walked for");
        let mut levels = Vec::new();
        let leaf = walk(by, va, |pa| {
            let allowed = hart.pmp.check(pa, 8, Access::Load, Privilege::Supervisor) == Verdict::Allowed;
            let value = if allowed { ram.read_u64(pa) } else { None }?;
            levels.push((pa, value));
            Some(value)
        });
        (leaf, levels)
    }

    /// The TLB has been filled by a walk.
    #[cold]
    pub(super) fn remember_walk(&mut self, side: TlbSide, va: VirtAddr, leaf: Leaf) {
        let (_, levels) = self.walk_noted(va);
        // The block's first step: the entry was filled by it or a few later, and before any store to a table, as those run alone.
        let (satp, id, filled) = (self.hart.satp(), self.hart.id, Step(self.block_now));
        let is_global = leaf.pte.flags().contains(PteFlags::G);
        let path = Path { filled, root: Root::of(satp), is_global, levels, is_told: false };
        let key = Key::new(id, side, va.page(), satp.asid());
        let is_new = self.checks.as_mut().is_some_and(|checks| checks.filled(key, path));
        if is_new {
            self.hart.fast.drop_writes();
        }
    }

    /// A store to a page that has entries of page tables in it.
    #[cold]
    pub(super) fn store_to_table(&mut self, offset: usize, width_bytes: u8, value: u64) {
        let pa = PhysAddr(RAM_BASE.0 + offset as u64);
        let read = |ram: &crate::mem::ram::Ram, entry: PhysAddr| ram.read_u64(entry).unwrap_or(0);
        let before: Vec<(PhysAddr, u64)> =
            entries_in(pa, width_bytes.into()).map(|entry| (entry, read(self.ram, entry))).collect();
        self.ram.store_any(offset, width_bytes, value);
        let (step, hart, pc, privilege) =
            (Step(self.block_now), self.hart.id, VirtAddr(self.pc_of_now()), self.hart.privilege);
        for (entry, before) in before {
            let after = read(self.ram, entry);
            let store = TableStore { step, hart, pc, privilege, entry, before, after };
            let Some(checks) = &mut self.checks else { return };
            for key in checks.stored(store) {
                if key.is_data {
                    self.hart.fast.drop_data_page(isa::Vpn(key.vpn));
                } else {
                    self.hart.fast.drop_fetch_page(isa::Vpn(key.vpn));
                }
            }
        }
    }

    /// `satp` is written while translations are checked.
    #[cold]
    pub(super) fn write_satp(&mut self, value: u64) -> Option<()> {
        self.attention |= Attention::INTERRUPTS;
        let before = self.hart.satp();
        let (step, hart, pc, privilege) = (self.now(), self.hart.id, self.pc_of_now(), self.hart.privilege);
        self.hart.write_csr(Csr::SATP, value, &CsrContext { retired_before: self.index, mtime: &|| 0 })?;
        let after = self.hart.satp();
        if self.hart.translation().is_some()
            && let Some(checks) = &mut self.checks
        {
            let root_before = checks.root_of(hart, after.asid()).unwrap_or(Root::of(before));
            let (before, after_root) = (root_before, Root::of(after));
            let cause = Cause::Root { step, hart, pc: VirtAddr(pc), privilege, before, after: after_root };
            checks.rooted(hart, after.asid(), after_root, cause);
        }
        Some(())
    }

    /// The address of the running instruction, as exactly as it is known: one that stores to page tables, or writes `satp`, runs alone or
    /// asks for its place.
    fn pc_of_now(&self) -> u64 {
        self.block_pc.wrapping_add(self.offset)
    }

    /// An access goes by an entry of the TLB that holds what suffices for it: it is compared with a walk if it may be stale.
    #[cold]
    pub(super) fn check_use(&mut self, side: TlbSide, va: VirtAddr, access: Access, privilege: Privilege) {
        let Some(entry) = self.held(side, va).filter(|entry| self.is_suspect(side, entry)) else { return };
        let key = Key::new(self.hart.id, side, entry.vpn(), entry.asid());
        let root = Root::of(self.hart.satp());
        if self.checks.as_ref().is_some_and(|checks| checks.is_of_elsewhere(&key, root)) {
            return;
        }
        let always = PteFlags::A.union(PteFlags::D);
        let mode = self.hart.access_mode(privilege);
        let now = match self.walk_noted(va).0 {
            Ok(leaf) if denial(leaf.pte.flags() | always, access, mode).is_some() => {
                WalkedNow::Denied(leaf.frame(va), leaf.pte.flags())
            }
            Ok(leaf) if leaf.frame(va) != entry.ppn() => WalkedNow::Frame(leaf.frame(va)),
            Ok(leaf) => {
                let lost = entry.flags() & (always - leaf.pte.flags());
                if !lost.is_empty()
                    && let Some(checks) = &mut self.checks
                {
                    checks.differs_legally(key);
                }
                return;
            }
            Err(WalkFault::NoMemory(_) | WalkFault::NotCanonical) => {
                WalkedNow::Nowhere { entry: None, level: 0 }
            }
            Err(
                WalkFault::NotValid(leaf) | WalkFault::Reserved(leaf) | WalkFault::MisalignedSuperpage(leaf),
            ) => WalkedNow::Nowhere { entry: Some(leaf.pte_addr), level: leaf.level },
        };
        let pc = if side == TlbSide::Instruction { va } else { VirtAddr(self.pc_of_now()) };
        let stale = StaleUse {
            // It runs alone, or is a fetch, with which a block begins.
            step: Step(self.block_now),
            hart: self.hart.id,
            pc,
            privilege,
            va,
            access,
            asid: entry.asid(),
            frame: entry.ppn(),
            flags: entry.flags(),
            filled: Step(self.block_now),
            now,
            cause: Cause::Unseen,
        };

        let ram = &*self.ram;
        if let Some(checks) = &mut self.checks {
            checks.differs(key, stale, root, |entry| ram.read_u64(entry));
        }
    }
}

const _: () = assert!(PAGE_SIZE == 4096, "what is remembered is by pages of this size");
