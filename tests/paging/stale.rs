//! Stale translations: loads, stores and AMOs between changes of page tables that nobody fences, fences of every
//! kind, and switches of address space and scheme, compared access by access with a slow TLB. Where the data goes,
//! which accesses fault and how many miss follows from the model alone.
//!
//! The same with `--check-translations`: nothing is another, and it tells of just those accesses that go where a walk would not lead them.

use emulator::exec::Checker;
use emulator::mem::tlb::{Policy, TlbGeometry};
use isa::csr::{menvcfg, mstatus};
use isa::{Privilege, assemble};

use crate::model::{self, Access, Fault, Found, Mode};
use crate::rig::{CODE, End, Numbers, RAM_BASE, Rig};

/// Pages that serve as page tables, of any level, and the pages that leaves lead to; the latter come first, and
/// the tables are among what large leaves map.
const DATA: u64 = RAM_BASE + 0x4000;
const TABLES: u64 = RAM_BASE + 0x8000;

struct Entry {
    vpn: u64,
    asid: u64,
    leaf: Found,
    /// When it was filled or, under `lru`, last used.
    stamp: u64,
    /// That it is stale has been told.
    is_told: bool,
    /// The root and the mode that it was filled by.
    root: (u64, u32),
}

impl Entry {
    fn is_global(&self) -> bool {
        self.leaf.pte & 0x20 != 0
    }
    fn serves(&self, vpn: u64, asid: u64) -> bool {
        self.vpn == vpn && (self.asid == asid || self.is_global())
    }
}

/// The TLB: sets of ways, the index function as documented.
struct Tlb {
    sets: Vec<Vec<Option<Entry>>>,
    lru: bool,
    clock: u64,
    misses: u64,
}

impl Tlb {
    fn new(geometry: TlbGeometry) -> Tlb {
        let ways = || (0..geometry.ways()).map(|_| None).collect();
        let sets = (0..geometry.entries() / geometry.ways()).map(|_| ways()).collect();
        Tlb { sets, lru: geometry.policy() == Policy::Lru, clock: 0, misses: 0 }
    }

    fn translate(
        &mut self,
        read: impl Fn(u64) -> Option<u64>,
        va: u64,
        asid: u64,
        access: Access,
        mode: Mode,
    ) -> Result<Found, Fault> {
        let vpn = va >> 12;
        let count = self.sets.len() as u64;
        let set = &mut self.sets[((vpn ^ vpn >> 12 ^ vpn >> 24) % count) as usize];
        self.clock += 1;
        if let Some(entry) = set.iter_mut().flatten().find(|entry| entry.serves(vpn, asid)) {
            if self.lru {
                entry.stamp = self.clock;
            }
            let low = (1u64 << entry.leaf.size_log2) - 1;
            let pa = entry.leaf.pa & !low | va & low;
            if model::allowed(entry.leaf.pte, access, mode)
                && model::accessed_and_dirty(entry.leaf.pte, access)
            {
                // The entry is not looked at again: what memory holds there is of no account.
                return Ok(Found { pa, ..entry.leaf });
            }
        }
        self.misses += 1;
        let leaf = model::translate(read, va, access, mode)?;
        self.clock += 1;
        let place = set
            .iter()
            .position(|entry| entry.as_ref().is_some_and(|entry| entry.serves(vpn, asid)))
            .or_else(|| set.iter().position(Option::is_none))
            .or_else(|| (0..set.len()).min_by_key(|&way| set[way].as_ref().map(|entry| entry.stamp)));
        set[place.unwrap()] = Some(Entry {
            vpn,
            asid,
            leaf,
            stamp: self.clock,
            is_told: false,
            root: (mode.root, mode.levels),
        });
        Ok(leaf)
    }

    /// Whether it is told now that a page's entry, which has been used, is stale: once for each filling.
    fn tells_of(&mut self, va: u64, asid: u64, mode: Mode, is_stale: bool) -> bool {
        let vpn = va >> 12;
        let mut all = self.sets.iter_mut().flatten().flatten();
        let entry = all.find(|entry| entry.serves(vpn, asid)).unwrap();
        // One of all address spaces that the tables of this one do not have: no fence is missing.
        let is_stale = is_stale && !(entry.is_global() && entry.root != (mode.root, mode.levels));
        let tells = is_stale && !entry.is_told;
        entry.is_told |= is_stale;
        tells
    }

    /// `sfence.vma`; `None` is `x0`.
    fn fence(&mut self, va: Option<u64>, asid: Option<u64>) {
        for way in self.sets.iter_mut().flatten() {
            let goes = way.as_ref().is_some_and(|entry| {
                let size = entry.leaf.size_log2;
                let same_leaf = va.is_none_or(|va| entry.vpn << 12 >> size == va >> size);
                same_leaf && asid.is_none_or(|asid| entry.asid == asid && !entry.is_global())
            });
            if goes {
                *way = None;
            }
        }
    }
}

/// One of the two tables of a level.
fn some_table(numbers: &mut Numbers, level: u64) -> u64 {
    TABLES + 0x1000 * (2 * level + numbers.below(2))
}

/// An entry of a table of `level`, as a kernel, or a confused one, might write it.
fn some_entry(numbers: &mut Numbers, level: u64) -> u64 {
    const N: u64 = 1 << 63;
    const LEAF: u64 = 0xcf;
    let unusual = numbers.one_of(&[0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0x10, 0x20, 0x20, 0x80, 0x40, 0x06, 0x08]);
    let leaf = LEAF ^ unusual;
    match (numbers.below(40), level) {
        (0, _) => numbers.below(1 << 20) << 10 | numbers.below(256),
        (1..=9, 0) => (RAM_BASE >> 12 | 8) << 10 | leaf | N,
        (_, 0) => ((DATA >> 12) + numbers.below(4)) << 10 | leaf,
        // All of RAM, or what lies below it, where there is nothing.
        (1, _) => leaf,
        (2..=9, 1 | 2) => RAM_BASE >> 12 << 10 | leaf,
        _ => some_table(numbers, level - 1) >> 12 << 10 | 1,
    }
}

/// An address: few indices on each level, so that pages meet; sometimes one that is not canonical.
fn some_address(numbers: &mut Numbers, pages: u64) -> u64 {
    let mut va = numbers.below(512) * 8;
    // Pages from 4 on of whatever a large leaf maps: data and tables, never the code.
    va |= (4 + numbers.below(pages)) << 12;
    for level in 1..5 {
        va |= numbers.below(2) << (12 + 9 * level);
    }
    match numbers.below(16) {
        0 => va | 1 << 57,
        1 => va | 1 << 63,
        2..=8 => va & 0x3f_ffff_ffff,
        9..=11 => va & 0x7fff_ffff_ffff,
        _ => va,
    }
}

/// Which side of the TLB is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    /// By loads, stores and AMOs of M-mode, through MPRV.
    Data,
    /// By fetches: each frame's instructions put its own number into a0.
    Instruction,
}

const ACCESSES: [&str; 3] = ["ld a0, 0(a1)", "sd a0, 0(a1)", "amoadd.d a0, a2, (a1)"];

fn check(side: Side, geometry: &str, operations: u32, is_checked: bool) {
    let seed = 0x9e37_79b9_7f4a_7c15;
    let mut numbers = Numbers(seed);
    let geometry: TlbGeometry = geometry.parse().unwrap();
    let mut rig = Rig::new(geometry);
    rig.checks = is_checked.then(Checker::default);
    let (mut told, mut legal) = (0, 0);
    let mut tlb = Tlb::new(geometry);
    for slot in (TABLES..CODE).step_by(8) {
        rig.set_word(slot, some_entry(&mut numbers, (slot - TABLES) >> 13));
    }
    for page in (DATA >> 12)..(TABLES >> 12) {
        let bits = u64::from(assemble(&format!("addi a0, zero, {}", page & 0xff), 0).unwrap().bits);
        (0..512).for_each(|n| rig.set_word((page << 12) + 8 * n, bits << 32 | bits));
    }
    // Fetches keep to the data pages, so that there are instructions.
    let pages = if side == Side::Data { 12 } else { 4 };
    let addresses: Vec<u64> = (0..40).map(|_| some_address(&mut numbers, pages)).collect();
    let mut faults = [0u32; 2];
    for n in 0..operations {
        let title = || format!("{geometry}, seed {seed:#x}, operation {n}");
        let va = if numbers.below(8) == 0 {
            some_address(&mut numbers, pages)
        } else {
            numbers.one_of(&addresses)
        };
        let asid = numbers.below(3);
        rig.hart.x[11] = va;
        rig.hart.x[12] = asid | numbers.below(2) << 16;
        rig.hart.csr.mstatus = 0;
        match numbers.below(40) {
            0..=2 => {
                // Someone changes the tables, and tells nobody.
                let level = numbers.below(5);
                let index = if level == 0 { 4 + numbers.below(12) } else { numbers.below(2) };
                let slot = some_table(&mut numbers, level) + 8 * index;
                (rig.hart.x[10], rig.hart.x[11]) = (some_entry(&mut numbers, level), slot);
                assert_eq!(rig.run(Rig::place("sd a0, 0(a1)"), Privilege::Machine), End::Done);
            }
            3 => {
                let mode = 8 + numbers.below(3);
                let root = some_table(&mut numbers, mode - 6) >> 12;
                rig.hart.x[11] = mode << 60 | asid << 44 | root;
                assert_eq!(rig.run(Rig::place("csrrw zero, satp, a1"), Privilege::Machine), End::Done);
            }
            4 => {
                let fences: [(&str, bool, bool); 5] = [
                    ("sfence.vma", false, false),
                    ("sfence.vma a1, zero", true, false),
                    ("sfence.vma zero, a2", false, true),
                    ("sfence.vma a1, a2", true, true),
                    ("sinval.vma a1, a2", true, true),
                ];
                let (text, by_page, by_asid) = numbers.one_of(&fences);
                assert_eq!(rig.run(Rig::place(text), Privilege::Machine), End::Done);
                tlb.fence(by_page.then_some(va), by_asid.then_some(asid));
            }
            _ => {
                let satp = rig.hart.csr.satp;
                if satp >> 60 == 0 {
                    continue;
                }
                let (user, sum, mxr) = (numbers.below(4) == 0, numbers.below(4) != 0, numbers.below(2) == 0);
                let adue = numbers.below(4) != 0;
                let flag = |on: bool, mask: u64| if on { mask } else { 0 };
                rig.hart.csr.mstatus = flag(side == Side::Data, mstatus::MPRV)
                    | u64::from(!user) << mstatus::MPP_SHIFT
                    | flag(sum, mstatus::SUM)
                    | flag(mxr, mstatus::MXR);
                rig.hart.csr.menvcfg = flag(adue, menvcfg::ADUE);
                let mode = Mode {
                    levels: (satp >> 60) as u32 - 5,
                    root: (satp & 0xfff_ffff_ffff) << 12,
                    user,
                    sum,
                    mxr,
                    adue,
                    pbmte: false,
                };
                let text = if side == Side::Data { numbers.one_of(&ACCESSES) } else { "fetch" };
                let access = match text.as_bytes()[0] {
                    b'f' => Access::Fetch,
                    b'l' => Access::Load,
                    _ => Access::Store,
                };
                let misses = tlb.misses;
                let found = tlb.translate(|pa| rig.read(pa), va, satp >> 44 & 0xffff, access, mode);
                let missed = tlb.misses > misses;
                if let (true, false, Ok(found)) = (is_checked, missed, found) {
                    // A and D are legal to be stale.
                    let walked = model::translate(|pa| rig.read(pa), va, access, Mode { adue: true, ..mode });
                    let is_stale = walked.is_err() || walked.is_ok_and(|walked| walked.pa != found.pa);
                    told += usize::from(tlb.tells_of(va, satp >> 44 & 0xffff, mode, is_stale));
                }
                let before = found.map(|found| rig.read(found.pa));
                let stored = some_entry(&mut numbers, 0);
                rig.hart.x[10] = stored;
                let privilege = if user { Privilege::User } else { Privilege::Supervisor };
                let end = match side {
                    Side::Data => rig.run(Rig::place(text), Privilege::Machine),
                    Side::Instruction => rig.run(va, privilege),
                };
                let page_fault = match access {
                    Access::Fetch => 12,
                    Access::Load => 13,
                    Access::Store => 15,
                };
                let access_fault = if access == Access::Fetch { 1 } else { page_fault - 8 };
                match (found, before) {
                    (Ok(found), Ok(Some(old))) => {
                        assert_eq!(end, End::Done, "{}", title());
                        let added = old.wrapping_add(rig.hart.x[12]);
                        let (register, memory) = match text.as_bytes()[0] {
                            b'f' => (found.pa >> 12 & 0xff, old),
                            b'l' => (old, old),
                            b's' => (stored, stored),
                            _ => (old, added),
                        };
                        // The access itself may have changed the entry that led to it.
                        if missed && found.pte_addr != found.pa {
                            assert_eq!(rig.word(found.pte_addr), found.pte, "{}: A and D", title());
                        }
                        if found.pte_addr != found.pa || !missed {
                            assert_eq!(
                                (rig.hart.x[10], rig.word(found.pa)),
                                (register, memory),
                                "{}",
                                title()
                            );
                        }
                    }
                    (Ok(_), _) => {
                        // Mapped, and no memory there: an access fault after A and D.
                        assert_eq!(end, End::Trap(access_fault, va), "{}", title());
                        faults[1] += 1;
                    }
                    (Err(Fault::Access), _) => assert_eq!(end, End::Trap(access_fault, va), "{}", title()),
                    (Err(Fault::Page), _) => {
                        assert_eq!(end, End::Trap(page_fault, va), "{}", title());
                        faults[0] += 1;
                    }
                }
                let misses = match side {
                    Side::Data => rig.hart.dtlb.misses,
                    Side::Instruction => rig.hart.itlb.misses,
                };
                assert_eq!(misses, tlb.misses, "{}: misses", title());
                if let Some(checks) = &rig.checks {
                    assert_eq!(checks.found().len(), told, "{}: told", title());
                    legal = checks.legal();
                }
            }
        }
    }
    let modelled = match side {
        Side::Data => &rig.hart.dtlb,
        Side::Instruction => &rig.hart.itlb,
    };
    let used = |way: &&Option<Entry>| way.is_some();
    assert_eq!(modelled.live_entries().count(), tlb.sets.iter().flatten().filter(used).count());
    let accesses = modelled.accesses;
    let hits = accesses - tlb.misses;
    if is_checked {
        assert!(geometry.entries() == 1 || told > 100 && legal > 0, "{told} told, {legal} legal: too few");
    }
    let [page_faults, access_faults] = faults;
    println!(
        "{side:?} {geometry}: {accesses} accesses, {hits} hits, {page_faults} page faults, {access_faults} access faults"
    );
    let enough = geometry.entries() == 1 || hits > accesses / 12;
    assert!(enough && u64::from(page_faults) > accesses / 50, "too few of something to be a test");
}

const GEOMETRIES: [&str; 8] = ["1", "8", "64", "4096", "16x4", "16x4:lru", "32x32:lru", "6x3"];

#[test]
fn stale_data_translations_last_exactly_until_they_are_fenced_or_replaced() {
    GEOMETRIES.into_iter().for_each(|geometry| check(Side::Data, geometry, 60_000, false));
}

#[test]
fn stale_code_translations_last_exactly_until_they_are_fenced_or_replaced() {
    GEOMETRIES.into_iter().for_each(|geometry| check(Side::Instruction, geometry, 60_000, false));
}

#[test]
fn stale_data_translations_are_told_when_they_are_used() {
    GEOMETRIES.into_iter().for_each(|geometry| check(Side::Data, geometry, 60_000, true));
}

#[test]
fn stale_code_translations_are_told_when_they_are_used() {
    GEOMETRIES.into_iter().for_each(|geometry| check(Side::Instruction, geometry, 60_000, true));
}
