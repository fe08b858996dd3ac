//! Checks of cached translations against the page tables (`--check-translations`): where an access by a stale entry of the TLB goes somewhere
//! else than a walk would lead it now, a fence is missing (privileged manual, "Supervisor Memory-Management Fence Instruction").
//!
//! A translation can only become stale by a store to one of the entries that its walk has read, or by a `satp` that gives its address space
//! another root. So each walk that fills the TLB is remembered with the entries on its way, the pages that hold such entries are kept out of
//! the fast arrays of stores, and a store that changes one of them makes all translations that have come by it *suspect*. Only uses of these
//! are compared with a walk, which is why the rest runs as fast as ever. Differences in A and D are legal, and counted apart.
//!
//! Another hart than the one that has stored may use its entry until that one goes back to a program of the user's: by then it must have had
//! its fences sent. Such a use is *pending* until then. What devices write to page tables is not looked at.

use super::observer::TlbSide;
use crate::hart::Hart;
use isa::paging::{Access, PteFlags, Satp};
use isa::{PAGE_SIZE, PhysAddr, Ppn, Privilege, Step, VirtAddr, Vpn};
use std::collections::{BTreeMap, BTreeSet};

/// Levels of the deepest walk (Sv57).
const MAX_LEVELS: usize = 5;
/// What is told at most: a missing fence that is met again and again is found once for each page.
const MAX_FOUND: usize = 100_000;
/// Stores to one entry that are remembered: the first since a walk has read it is the one that counts.
const MAX_STORES: usize = 64;
/// Bits of an entry that change nothing about where it leads and who may go there, or whose staleness is legal.
const HARMLESS: u64 = PteFlags::A.bits() | PteFlags::D.bits() | 0x300;

/// An entry of the TLB, as long as it is the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Key {
    pub(super) hart: usize,
    pub(super) is_data: bool,
    pub(super) vpn: u64,
    pub(super) asid: u16,
}

impl Key {
    pub(super) fn new(hart: usize, side: TlbSide, vpn: Vpn, asid: u16) -> Self {
        Self { hart, is_data: side == TlbSide::Data, vpn: vpn.0, asid }
    }
}

/// Where walks begin, and how many levels they have: what `satp` says beside the address space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Root(u64);

impl Root {
    /// That of a `satp`.
    pub(super) fn of(satp: Satp) -> Self {
        let any = Satp(satp.0);
        let asid = Satp::sv39(Ppn(0), u16::MAX).0 ^ Satp::sv39(Ppn(0), 0).0;
        Self(any.0 & !asid)
    }
    /// The page of the first table.
    pub fn page(self) -> Ppn {
        Satp(self.0).root()
    }
}

/// The way of the walk that has filled an entry.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) filled: Step,
    pub(super) root: Root,
    pub(super) is_global: bool,
    /// Where the entries lie, and what they held.
    pub(super) levels: Vec<(PhysAddr, u64)>,
    /// A use of it that went astray has been told.
    pub(super) is_told: bool,
}

/// A store to an entry of a page table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TableStore {
    /// When.
    pub step: Step,
    /// By which hart.
    pub hart: usize,
    /// Its program counter.
    pub pc: VirtAddr,
    /// Its mode.
    pub privilege: Privilege,
    /// The entry.
    pub entry: PhysAddr,
    /// What it held.
    pub before: u64,
    /// What it holds from then on.
    pub after: u64,
}

/// What made a translation stale.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// A store to an entry of a page table.
    Store(TableStore),
    /// The address space got another root, by a write of `satp`.
    Root {
        /// When.
        step: Step,
        /// By which hart.
        hart: usize,
        /// Its program counter.
        pc: VirtAddr,
        /// Its mode.
        privilege: Privilege,
        /// The root before.
        before: Root,
        /// The root from then on.
        after: Root,
    },
    /// It was not seen: a device has written the table.
    Unseen,
}

impl Cause {
    fn hart(&self) -> Option<usize> {
        match self {
            Self::Store(TableStore { hart, .. }) | Self::Root { hart, .. } => Some(*hart),
            Self::Unseen => None,
        }
    }
    /// When.
    pub fn step(&self) -> Option<Step> {
        match self {
            Self::Store(TableStore { step, .. }) | Self::Root { step, .. } => Some(*step),
            Self::Unseen => None,
        }
    }
}

/// Where a walk leads now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WalkedNow {
    /// To this frame, and the access is allowed.
    Frame(Ppn),
    /// To this frame, and the access is not: with these flags.
    Denied(Ppn, PteFlags),
    /// Nowhere: this entry, of this level, leads no further.
    Nowhere {
        /// Its place; `None` if there is no memory for it.
        entry: Option<PhysAddr>,
        /// Its level.
        level: u8,
    },
}

/// An access that went by a translation which is no longer so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StaleUse {
    /// When.
    pub step: Step,
    /// By which hart.
    pub hart: usize,
    /// The program counter of the access.
    pub pc: VirtAddr,
    /// The mode that it was made in.
    pub privilege: Privilege,
    /// What it asked for.
    pub va: VirtAddr,
    /// How.
    pub access: Access,
    /// The address space of the entry.
    pub asid: u16,
    /// The frame where it went.
    pub frame: Ppn,
    /// The flags of the entry.
    pub flags: PteFlags,
    /// When the entry was filled: in the block that began then.
    pub filled: Step,
    /// Where it should have gone.
    pub now: WalkedNow,
    /// What made the difference.
    pub cause: Cause,
}

/// What is known of the translations of all harts.
#[derive(Debug, Default)]
pub struct Checker {
    paths: BTreeMap<Key, Path>,
    /// The translations that came by an entry.
    by_entry: BTreeMap<u64, BTreeSet<Key>>,
    /// Pages that hold entries, by their number.
    tables: BTreeSet<u64>,
    /// Stores to entries, in order.
    stores: BTreeMap<u64, Vec<TableStore>>,
    /// The last root of each address space of a hart, and what has set it.
    roots: BTreeMap<(usize, u16), (Root, Cause)>,
    suspects: BTreeSet<Key>,
    /// Harts that have not yet forgotten what they know by heart of suspects.
    to_forget: BTreeSet<usize>,
    /// Uses by a hart while another one may still be about to send its fence.
    pending: Vec<StaleUse>,
    found: Vec<StaleUse>,
    /// Entries of which a use differed from a walk in A or D alone.
    accessed_or_dirty: BTreeSet<Key>,
    legal: u64,
}

impl Checker {
    /// The accesses that went where they should not, in their order, at most 100,000.
    pub fn found(&self) -> &[StaleUse] {
        &self.found
    }

    /// Uses of entries that differed from the tables in A or D alone, which is legal.
    pub fn legal(&self) -> u64 {
        self.legal
    }

    /// Whether uses of this entry are to be compared.
    pub(super) fn is_suspect(&self, key: &Key) -> bool {
        !self.suspects.is_empty() && self.suspects.contains(key)
    }

    /// Whether stores to this page are to be seen: RAM pages by the number of their frame.
    pub(super) fn is_table(&self, page: Ppn) -> bool {
        self.tables.contains(&page.0)
    }

    /// Whether a hart is to forget what it knows by heart; from then on it has.
    pub(super) fn take_forget(&mut self, hart: usize) -> bool {
        self.to_forget.remove(&hart)
    }

    /// The TLB has been filled. Whether a page holds entries that was not known to.
    pub(super) fn filled(&mut self, key: Key, path: Path) -> bool {
        self.suspects.remove(&key);
        self.accessed_or_dirty.remove(&key);
        let mut is_new = false;
        for (entry, _) in &path.levels {
            is_new |= self.tables.insert(entry.page().0);
            self.by_entry.entry(entry.0).or_default().insert(key);
        }
        if is_new {
            // Whoever stores there by heart does so no longer.
            self.to_forget.extend(self.paths.keys().map(|key| key.hart).filter(|&hart| hart != key.hart));
        }
        self.paths.insert(key, path);
        is_new
    }

    /// An entry of a page table has been stored to. The pages of this hart that it is to forget, each with the side.
    pub(super) fn stored(&mut self, store: TableStore) -> Vec<Key> {
        if store.before == store.after {
            return Vec::new();
        }
        let Some(keys) = self.by_entry.get(&store.entry.0) else { return Vec::new() };
        let stores = self.stores.entry(store.entry.0).or_default();
        if stores.len() == MAX_STORES {
            stores.remove(0);
        }
        stores.push(store);
        let mut own = Vec::new();
        for &key in keys {
            self.suspects.insert(key);
            if key.hart == store.hart {
                own.push(key);
            } else {
                self.to_forget.insert(key.hart);
            }
        }
        own
    }

    /// `satp` has been written. Whether the hart is to forget what it knows by heart.
    pub(super) fn rooted(&mut self, hart: usize, asid: u16, root: Root, cause: Cause) {
        let before = self.roots.insert((hart, asid), (root, cause));
        if before.is_none_or(|(before, _)| before == root) {
            return;
        }
        let others = self.paths.iter().filter(|(key, path)| {
            key.hart == hart && key.asid == asid && !path.is_global && path.root != root
        });
        let suspects: Vec<Key> = others.map(|(&key, _)| key).collect();
        self.suspects.extend(suspects);
    }

    /// Whether an entry is of all address spaces, and was filled in another one than this: where the tables of this one differ they are wrong
    /// by themselves, and no fence would help.
    pub(super) fn is_of_elsewhere(&self, key: &Key, root: Root) -> bool {
        self.paths.get(key).is_some_and(|path| path.is_global && path.root != root)
    }

    /// The last root of an address space of a hart.
    pub(super) fn root_of(&self, hart: usize, asid: u16) -> Option<Root> {
        self.roots.get(&(hart, asid)).map(|&(root, _)| root)
    }

    /// A use differs from what a walk finds. `current` reads what an entry holds now.
    pub(super) fn differs(
        &mut self,
        key: Key,
        mut use_: StaleUse,
        root: Root,
        current: impl Fn(PhysAddr) -> Option<u64>,
    ) {
        // Once for each filling of the entry.
        self.suspects.remove(&key);
        let Some(path) = self.paths.get_mut(&key).filter(|path| !path.is_told) else { return };
        path.is_told = true;
        use_.filled = path.filled;
        let is_other = |&&(entry, before): &&(PhysAddr, u64)| {
            current(entry).is_none_or(|now| (now ^ before) & !HARMLESS != 0)
        };
        let changed = path.levels.iter().find(is_other);
        use_.cause = match changed {
            Some(&(entry, before)) => {
                let stores = self.stores.get(&entry.0).into_iter().flatten();
                let since = stores.filter(|store| store.step >= path.filled);
                let first = since.clone().find(|store| (store.after ^ before) & !HARMLESS != 0);
                first.map_or(Cause::Unseen, |&store| Cause::Store(store))
            }
            None if root != path.root => {
                self.roots.get(&(key.hart, key.asid)).map_or(Cause::Unseen, |&(_, cause)| cause)
            }
            None => Cause::Unseen,
        };
        if use_.cause.hart().is_some_and(|hart| hart != key.hart) {
            self.pending.push(use_);
        } else if self.found.len() < MAX_FOUND {
            self.found.push(use_);
        }
    }

    /// A use differs in A or D alone.
    pub(super) fn differs_legally(&mut self, key: Key) {
        if self.accessed_or_dirty.insert(key) {
            self.legal += 1;
        }
    }

    /// Decides about uses by one hart of what another one has changed: that one has sent its fences by now if it runs a program of the
    /// user's, or the run has ended (`is_over`).
    pub(crate) fn confirm(&mut self, harts: &[Hart], is_over: bool) {
        if self.pending.is_empty() {
            return;
        }
        let is_decided = |use_: &StaleUse| {
            let storing = use_.cause.hart().and_then(|hart| harts.get(hart));
            is_over || storing.is_none_or(|hart| hart.privilege == Privilege::User)
        };
        let (decided, pending) = std::mem::take(&mut self.pending).into_iter().partition(is_decided);
        self.pending = pending;
        let decided: Vec<StaleUse> = decided;
        for use_ in decided {
            let still_held = harts.get(use_.hart).is_some_and(|hart| {
                let tlb = if use_.access == Access::Fetch { &hart.itlb } else { &hart.dtlb };
                let held = tlb.find(use_.va.page(), use_.asid);
                held.is_some_and(|(_, entry)| entry.ppn() == use_.frame && entry.flags() == use_.flags)
            });
            if still_held && self.found.len() < MAX_FOUND {
                self.found.push(use_);
            }
        }
    }
}

/// The entries of page tables that a store of `len` bytes changes.
pub(super) fn entries_in(pa: PhysAddr, len: u64) -> impl Iterator<Item = PhysAddr> {
    const ENTRY_BYTES: u64 = 8;
    let first = pa.0 & !(ENTRY_BYTES - 1);
    (first..pa.0 + len).step_by(8).map(PhysAddr)
}

const _: () = assert!(PAGE_SIZE.is_multiple_of(8) && MAX_LEVELS == 5, "an entry lies in one page");
