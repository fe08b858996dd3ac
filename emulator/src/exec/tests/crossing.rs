//! Instructions that cross into another page: decoded once, and right whatever changes of their two halves.

use super::*;
use crate::mem::tlb::Tlb;
use isa::{Exception, VirtAddr};

/// A rig of so many pages, each with `j` to its last halfword, where an instruction crosses into the next page; from the
/// last page it goes on at the first.
fn chain(pages: u64) -> Rig {
    let mut rig = Rig::new(&[]);
    rig.ram = Ram::new(usize::try_from((pages + 1) << 12).expect("few"));
    for number in 0..pages {
        let page = RAM_BASE.0 + (number << 12);
        rig.put(page + 2, &["j .+4092"]);
        rig.put(page + 0xffe, &["addi a0, a0, 1"]);
    }
    rig.put(RAM_BASE.0 + (pages << 12) + 2, &["jr a1"]);
    (rig.hart.pc, rig.hart.x[A1]) = (RAM_BASE.0 + 2, RAM_BASE.0 + 2);
    rig
}

#[test]
fn ten_thousand_that_run_a_thousand_times_are_decoded_once_each() {
    const PAGES: u64 = 10_000;
    const PASSES: u64 = 1_000;
    let mut rig = chain(PAGES);
    assert_eq!(rig.run(PASSES * (2 * PAGES + 1)), Exit::Deadline);
    assert_eq!(rig.hart.x[A0], PASSES * PAGES);
    assert_eq!(rig.code.crossings_decoded, PAGES);
}

/// Calls an instruction over two pages five times: as it was, with its second half changed, with its first half changed
/// too, with another second page, with none.
const CHANGES: [&str; 12] = [
    "jalr ra, -2(t0)",
    "sh a1, (t0)",
    "jalr ra, -2(t0)",
    "sh a2, -2(t0)",
    "jalr ra, -2(t0)",
    "sd t2, (t1)",
    "sfence.vma zero, zero",
    "jalr ra, -2(t0)",
    "sd zero, (t1)",
    "sfence.vma zero, zero",
    "jalr ra, -2(t0)",
    "ebreak",
];
/// Steps of all that, those of the calls and of the fault at the end included.
const STEPS: u64 = 20;

fn changing(geometry: &str) -> Rig {
    let mut rig = Rig::with_window(&CHANGES, &[(7, 0, ALL), (8, 1, ALL)]);
    let geometry: TlbGeometry = geometry.parse().expect("a geometry");
    (rig.hart.itlb, rig.hart.dtlb) = (Tlb::new(geometry), Tlb::new(geometry));
    rig.put(FRAMES + 0xffe, &["addi a0, a0, 1", "ret"]);
    rig.put(FRAMES + 0x2000 - 2, &["addi zero, a0, 32", "ret"]);
    let (second_half, first_half) = (word("addi a0, a0, 16") >> 16, word("addi a3, a0, 0") & 0xffff);
    (rig.hart.x[A1], rig.hart.x[A2]) = (second_half.into(), first_half.into());
    (rig.hart.x[5], rig.hart.x[6]) = (WINDOW + 0x8000, Rig::window_pte(8));
    rig.hart.x[7] = Pte::new(Ppn((FRAMES >> 12) + 2), ALL).0;
    rig
}

#[test]
fn a_kept_one_follows_both_its_halves_and_its_pages() {
    for geometry in ["1", "2x2:lru", "64x4:lru", "4096"] {
        let mut dropped = changing(geometry);
        for step in 1..=STEPS {
            dropped.run(step);
            dropped.code.clear(&mut dropped.ram);
        }
        let mut kept = changing(geometry);
        kept.run(STEPS);
        assert_eq!((kept.hart.x[A0], kept.hart.x[A3]), (17, 49), "{geometry}");
        assert_eq!(kept.hart.csr.mcause, Exception::InstructionPage as u64, "{geometry}");
        assert_eq!(kept.hart.csr.mtval, WINDOW + 0x8000, "{geometry}");
        assert!(kept.state() == dropped.state(), "{geometry}");
        assert_eq!(kept.code.crossings_decoded, 4, "{geometry}");
        assert_eq!(VirtAddr(kept.hart.csr.mepc), VirtAddr(WINDOW + 0x7ffe), "{geometry}");
    }
}
