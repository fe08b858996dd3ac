//! Every combination of the low eight flags, at every level of every scheme, in S- and U-mode (directly and through
//! MPRV), with SUM, MXR and ADUE on and off, for loads, stores, AMOs and fetches; and the high bits (N, PBMT, reserved
//! ones) with all of the flags.

use emulator::mem::tlb::TlbGeometry;
use isa::csr::{menvcfg, mstatus};
use isa::paging::{Satp, Scheme};
use isa::{PhysAddr, Privilege};

use crate::model::{self, Access, Fault, Mode};
use crate::rig::{CODE, End, RAM_BASE, Rig};

/// Where the address under test leads, whatever the level of its leaf.
const TARGET: u64 = RAM_BASE + 0x2000 + OFFSET;
const OFFSET: u64 = 0x7f8;
/// Its page as a table (if the entry under test is a pointer) holds leaves to this page.
const BEHIND: u64 = RAM_BASE + 0x3000;
/// The table pages of the address under test, the root's last; those of the code from the fifth on.
const TABLES: u64 = RAM_BASE + 0x8000;
/// Virtual pages of the code, at the top of the address space.
const KERNEL_CODE: u64 = 0xffff_ffff_ffff_e000;
const USER_CODE: u64 = 0xffff_ffff_ffff_f000;

fn table(level: u8) -> u64 {
    TABLES + 0x1000 * u64::from(level)
}

fn pte(pa: u64, flags: u64) -> u64 {
    pa >> 12 << 10 | flags
}

/// Two instructions that do nothing.
const NOP: u64 = 0x13_0000_0013;

struct Case {
    scheme: Scheme,
    level: u8,
    /// The entry under test.
    entry: u64,
    instruction: &'static str,
    user: bool,
    mprv: bool,
    sum: bool,
    mxr: bool,
    adue: bool,
    pbmte: bool,
}

/// The rig with the tables of a scheme, all but the entry under test.
fn rig(scheme: Scheme) -> Rig {
    let mut rig = Rig::new("16".parse::<TlbGeometry>().unwrap());
    let root = scheme.root_level();
    for level in 1..=root {
        let slot = table(level) + (TARGET >> (12 + 9 * level) & 0x1ff) * 8;
        rig.set_word(slot, pte(table(level - 1), 1));
        let code_table = if level == root { table(level) } else { table(level + 5) };
        rig.set_word(code_table + 511 * 8, pte(table(level + 4), 1));
    }
    rig.set_word(table(5) + 510 * 8, pte(CODE, 0xcb));
    rig.set_word(table(5) + 511 * 8, pte(CODE, 0xdb));
    // The data page: if it is taken for a table, leaves for all; the words under test among them.
    for n in 0..512 {
        rig.set_word((TARGET & !0xfff) + 8 * n, pte(BEHIND, 0xdf));
    }
    rig.hart.csr.satp = Satp::new(scheme, PhysAddr(table(root)).page(), 1).0;
    rig
}

fn check(rig: &mut Rig, case: &Case) {
    let slot = table(case.level) + (TARGET >> (12 + 9 * case.level) & 0x1ff) * 8;
    let pointer = rig.word(slot);
    rig.set_word(slot, case.entry);
    let flag = |on: bool, mask: u64| if on { mask } else { 0 };
    let mpp = u64::from(!case.user) << mstatus::MPP_SHIFT;
    rig.hart.csr.mstatus =
        flag(case.sum, mstatus::SUM) | flag(case.mxr, mstatus::MXR) | flag(case.mprv, mstatus::MPRV | mpp);
    rig.hart.csr.menvcfg = flag(case.adue, menvcfg::ADUE) | flag(case.pbmte, menvcfg::PBMTE);
    rig.hart.fence_translations(None, None);
    rig.hart.rebuild();

    let access = match case.instruction {
        "nop" => Access::Fetch,
        "ld a0, 0(a1)" => Access::Load,
        _ => Access::Store,
    };
    let mode = Mode {
        levels: case.scheme.levels().into(),
        root: table(case.scheme.root_level()),
        user: case.user,
        sum: case.sum,
        mxr: case.mxr,
        adue: case.adue,
        pbmte: case.pbmte,
    };
    let expected = model::translate(|pa| rig.read(pa), TARGET, access, mode);
    let leaf_before = expected.map(|found| rig.word(found.pte_addr));
    let word_before = expected.map(|found| rig.read(found.pa));

    let privilege = if case.user { Privilege::User } else { Privilege::Supervisor };
    let (stored, added): (u64, u64) = (0x1234_5678_9abc_def0, 0x1111);
    rig.hart.x[10] = stored;
    rig.hart.x[11] = TARGET;
    rig.hart.x[12] = added;
    let end = if access == Access::Fetch {
        // Where the fetch leads there is a nop for as long as it runs.
        if let Ok(found) = expected {
            rig.set_word(found.pa, NOP);
        }
        rig.run(TARGET, privilege)
    } else {
        let at = Rig::place(case.instruction);
        match (case.mprv, case.user) {
            (true, _) => rig.run(at, Privilege::Machine),
            (_, true) => rig.run(USER_CODE | at & 0xfff, privilege),
            (_, false) => rig.run(KERNEL_CODE | at & 0xfff, privilege),
        }
    };

    let title = || {
        format!(
            "{:?} level {} entry {:#x}: {} user {} MPRV {} SUM {} MXR {} ADUE {} PBMTE {}",
            case.scheme,
            case.level,
            case.entry,
            case.instruction,
            case.user,
            case.mprv,
            case.sum,
            case.mxr,
            case.adue,
            case.pbmte
        )
    };
    match expected {
        Ok(found) => {
            assert_eq!(end, End::Done, "{}", title());
            assert_eq!(rig.word(found.pte_addr), found.pte, "{}: A and D", title());
            let old = word_before.unwrap().unwrap();
            let (register, memory) = match case.instruction {
                "ld a0, 0(a1)" => (old, old),
                "sd a0, 0(a1)" => (stored, stored),
                "nop" => (stored, NOP),
                _ => (old, old.wrapping_add(added)),
            };
            assert_eq!((rig.hart.x[10], rig.word(found.pa)), (register, memory), "{}", title());
            rig.set_word(found.pa, old);
            rig.set_word(found.pte_addr, leaf_before.unwrap());
        }
        Err(fault) => {
            let cause = match (fault, access) {
                (Fault::Page, Access::Fetch) => 12,
                (Fault::Page, Access::Load) => 13,
                (Fault::Page, Access::Store) => 15,
                (Fault::Access, Access::Fetch) => 1,
                (Fault::Access, Access::Load) => 5,
                (Fault::Access, Access::Store) => 7,
            };
            assert_eq!(end, End::Trap(cause, TARGET), "{}", title());
            assert_eq!(rig.hart.x[10], stored, "{}", title());
        }
    }
    assert_eq!(rig.word(slot), case.entry, "{}: the entry", title());
    rig.set_word(slot, pointer);
}

const INSTRUCTIONS: [&str; 4] = ["ld a0, 0(a1)", "sd a0, 0(a1)", "amoadd.d a0, a2, (a1)", "nop"];
const BOTH: [bool; 2] = [false, true];

/// What an entry at `level` points to: the target's frame if its flags make it a leaf, else the target's page as a table.
fn frame(level: u8, flags: u64) -> u64 {
    let size_log2 = if flags & 0b1010 == 0 { 12 } else { 12 + 9 * level };
    TARGET >> size_log2 << size_log2
}

fn every_flag_of(scheme: Scheme) {
    let mut rig = rig(scheme);
    let pristine = rig.all_of_ram().to_vec();
    for level in 0..scheme.levels() {
        for flags in 0..256 {
            for bits in 0..64 {
                let on = |n: u32| bits >> n & 1 == 1;
                for instruction in INSTRUCTIONS {
                    // A fetch does not go through MPRV.
                    if instruction == "nop" && on(1) {
                        continue;
                    }
                    // A misaligned superpage, where there are superpages.
                    let bad = if on(5) && level > 0 { 0x400 } else { 0 };
                    let case = Case {
                        scheme,
                        level,
                        entry: pte(frame(level, flags), flags) | bad,
                        instruction,
                        user: on(0),
                        mprv: on(1),
                        sum: on(2),
                        mxr: on(3),
                        adue: on(4),
                        pbmte: false,
                    };
                    check(&mut rig, &case);
                }
            }
            assert!(rig.all_of_ram() == pristine, "a stray store: {scheme:?} level {level} flags {flags:#x}");
        }
    }
}

#[test]
fn every_flag_in_sv39() {
    every_flag_of(Scheme::Sv39);
}

#[test]
fn every_flag_in_sv48() {
    every_flag_of(Scheme::Sv48);
}

#[test]
fn every_flag_in_sv57() {
    every_flag_of(Scheme::Sv57);
}

#[test]
fn every_high_bit_with_every_flag() {
    const N: u64 = 1 << 63;
    let high = (54..64).map(|bit| 1 << bit).chain([0, 3 << 61, N | 1 << 61, N | 2 << 61, N | 3 << 61]);
    let high: Vec<u64> = high.collect();
    let mut rig = rig(Scheme::Sv39);
    for level in 0..Scheme::Sv39.levels() {
        for flags in 0..256 {
            for &bits in &high {
                // For N: the encoding of 64 KiB, and one that is reserved.
                let napot = frame(level, flags) >> 12 & !0xf | 8;
                for ppn in [frame(level, flags) >> 12, napot, napot | 4] {
                    for (instruction, pbmte) in INSTRUCTIONS.into_iter().zip(BOTH.into_iter().cycle()) {
                        for pbmte in [pbmte, !pbmte] {
                            let case = Case {
                                scheme: Scheme::Sv39,
                                level,
                                entry: pte(ppn << 12, flags) | bits,
                                instruction,
                                user: false,
                                mprv: false,
                                sum: false,
                                mxr: false,
                                adue: true,
                                pbmte,
                            };
                            check(&mut rig, &case);
                        }
                    }
                }
            }
        }
    }
}
