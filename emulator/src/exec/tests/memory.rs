//! Memory: crossing pages, faults before effects, A and D, decoded code that is written, atomics, PMP.

use super::*;
use isa::csr::menvcfg;

/// A window of two pages on frames that do not follow each other; `t0` holds the address of its second page less 4.
fn two_pages(program: &[&str], second: PteFlags) -> Rig {
    let mut rig = Rig::with_window(program, &[(0, 0, ALL), (1, 5, second)]);
    rig.hart.x[5] = WINDOW + 0xffc;
    rig.hart.csr.mtvec = RAM_BASE.0 + 0x200;
    rig
}

#[test]
fn an_access_over_two_pages_is_whole() {
    let mut rig = two_pages(&["sd a0, (t0)", "ld a1, (t0)", "lw a2, 2(t0)"], ALL);
    rig.hart.x[A0] = 0x8877_6655_4433_2211;
    rig.run(3);
    assert_eq!(rig.hart.x[A1..=A2], [0x8877_6655_4433_2211, 0x6655_4433]);
    assert_eq!(rig.word_at(FRAMES + 0xff8), 0x4433_2211 << 32);
    assert_eq!(rig.word_at(FRAMES + 0x5000), 0x8877_6655);
}

#[test]
fn a_fault_in_the_second_page_stores_nothing() {
    for (second, program, cause) in [
        (PteFlags::empty(), "sd a0, (t0)", 15),
        (ALL - PteFlags::W, "sd a0, (t0)", 15),
        (ALL - PteFlags::D, "sd a0, (t0)", 15),
        (PteFlags::empty(), "ld a0, (t0)", 13),
        (ALL - PteFlags::A, "ld a0, (t0)", 13),
    ] {
        let mut rig = two_pages(&[program], second);
        rig.hart.x[A0] = u64::MAX;
        rig.run(1);
        assert_eq!(
            (rig.hart.csr.mcause, rig.hart.csr.mtval),
            (cause, WINDOW + 0x1000),
            "{program} {second:?}"
        );
        assert_eq!((rig.word_at(FRAMES + 0xff8), rig.hart.x[A0]), (0, u64::MAX));
        assert_eq!((rig.hart.csr.mepc, rig.hart.counters.retired()), (RAM_BASE.0, 0));
    }
}

#[test]
fn an_instruction_over_two_pages_runs_and_faults_as_one() {
    let first = WINDOW + 0xffe;
    let run = |second| {
        let mut rig = two_pages(&["jr t1"], second);
        rig.hart.x[6] = first;
        let bits = word("addi a0, a0, 77").to_le_bytes();
        assert!(rig.ram.write(PhysAddr(FRAMES + 0xffe), &bits[..2]));
        assert!(rig.ram.write(PhysAddr(FRAMES + 0x5000), &bits[2..]));
        rig.run(2);
        rig
    };
    let rig = run(ALL);
    assert_eq!((rig.hart.x[A0], rig.hart.pc), (77, first + 4));
    assert_eq!(rig.hart.itlb.accesses, 3, "one, and one for each page of the second");
    let rig = run(ALL - PteFlags::X);
    let seen = (rig.hart.csr.mcause, rig.hart.csr.mepc, rig.hart.csr.mtval, rig.hart.x[A0]);
    assert_eq!(seen, (12, first, WINDOW + 0x1000, 0));
    assert_eq!(rig.hart.itlb.accesses, 3);
}

#[test]
fn accessed_and_dirty_fault_or_are_set() {
    let touched = PteFlags::V | PteFlags::R | PteFlags::W;
    for (program, adue, flags, cause) in [
        ("ld a0, (t0)", false, touched, 13),
        ("ld a0, (t0)", true, touched | PteFlags::A, 0),
        ("sb a0, (t0)", false, touched, 15),
        ("sb a0, (t0)", true, touched | PteFlags::A | PteFlags::D, 0),
        ("amoadd.d a0, a0, (t0)", true, touched | PteFlags::A | PteFlags::D, 0),
    ] {
        let mut rig = Rig::with_window(&[program], &[(0, 0, touched)]);
        rig.hart.x[5] = WINDOW;
        rig.hart.csr.menvcfg = if adue { menvcfg::ADUE } else { 0 };
        rig.run(1);
        let entry = Pte(rig.word_at(Rig::window_pte(0)));
        assert_eq!((entry.flags(), rig.hart.csr.mcause), (flags, cause), "{program} adue={adue}");
    }
}

#[test]
fn a_store_into_code_is_seen_by_the_next_fetch() {
    // The third instruction is replaced by the second, in the block that is running.
    let mut rig =
        Rig::new(&["lw t1, 0x40(t0)", "sw t1, 8(t0)", "addi a0, a0, 1", "addi a1, a1, 1", "j .-16"]);
    rig.hart.x[5] = RAM_BASE.0;
    rig.put(RAM_BASE.0 + 0x40, &["addi a0, a0, 16"]);
    rig.run(5);
    assert_eq!(rig.hart.x[A0..=A1], [16, 1]);
    rig.put(RAM_BASE.0 + 0x40, &["addi a0, a0, 32"]);
    rig.run(10);
    assert_eq!(rig.hart.x[A0..=A1], [48, 2]);
}

#[test]
fn a_device_that_writes_code_is_seen_by_the_next_fetch() {
    let mut rig = Rig::new(&["addi a0, a0, 1", "sd t0, (t1)", "j .-8"]);
    (rig.hart.x[5], rig.hart.x[6]) = (RAM_BASE.0, DMA);
    rig.run(4);
    assert_eq!(rig.hart.x[A0], 65);
}

#[test]
fn data_beside_code_is_stored_without_dropping_it() {
    let mut rig = Rig::new(&["addi a0, a0, 1", "sd a0, 0x400(t0)", "ld a1, 0x400(t0)", "j .-12"]);
    rig.hart.x[5] = RAM_BASE.0;
    rig.run(4_000);
    assert_eq!(rig.hart.x[A0..=A1], [1_000, 1_000]);
}

#[test]
fn a_reservation_holds_until_the_next_sc() {
    let mut rig = Rig::new(&[
        "lr.d t1, (t0)",
        "sc.d a0, a3, (t0)",
        "sc.d a1, a3, (t0)",
        "lr.w t1, (t0)",
        "sc.w a2, a3, (t2)",
    ]);
    rig.hart.x[5] = FRAMES;
    rig.hart.x[7] = FRAMES + 8;
    rig.hart.x[A3] = 9;
    rig.run(5);
    assert_eq!(rig.hart.x[A0..=A2], [0, 1, 1]);
    assert_eq!((rig.word_at(FRAMES), rig.word_at(FRAMES + 8)), (9, 0));
}

#[test]
fn a_trap_ends_the_reservation() {
    for (first, cause) in [("nop", 0), ("ebreak", 3), ("lw a1, (zero)", 5)] {
        let mut rig = Rig::new(&["lr.w a0, (t0)", first, "sc.w a2, a3, (t0)"]);
        rig.hart.x[5] = FRAMES;
        rig.hart.x[A3] = 9;
        rig.hart.csr.mtvec = RAM_BASE.0 + 8;
        rig.run(3);
        let failed = u64::from(cause != 0);
        assert_eq!(
            (rig.hart.csr.mcause, rig.hart.x[A2], rig.word_at(FRAMES)),
            (cause, failed, 9 * (1 - failed))
        );
    }
}

#[test]
fn misaligned_atomics_fault_with_nothing_done() {
    for (program, cause) in [("lr.w a0, (t0)", 5), ("sc.w a0, a1, (t0)", 7), ("amoswap.d a0, a1, (t0)", 7)] {
        let mut rig = Rig::new(&[program]);
        rig.hart.x[5] = FRAMES + 2;
        rig.run(1);
        assert_eq!((rig.hart.csr.mcause, rig.hart.csr.mtval, rig.hart.x[A0]), (cause, FRAMES + 2, 0));
    }
}

#[test]
fn what_is_neither_ram_nor_a_device_is_an_access_fault() {
    for (program, cause) in
        [("ld a0, (t0)", 5), ("sd a0, (t0)", 7), ("amoadd.w a0, a0, (t0)", 7), ("jr t0", 1)]
    {
        let mut rig = Rig::new(&[program]);
        rig.hart.x[5] = 0x5000_0000;
        rig.hart.csr.mtvec = RAM_BASE.0 + 0x200;
        rig.put(RAM_BASE.0 + 0x200, &["j ."]);
        rig.run(2);
        assert_eq!((rig.hart.csr.mcause, rig.hart.csr.mtval), (cause, 0x5000_0000), "{program}");
    }
}

#[test]
fn pmp_guards_part_of_a_page() {
    // Entry 0: the last 16 bytes of the page are read-only; entry 1: everything else is allowed.
    let mut rig = Rig::with_window(&["sd a0, (t0)", "ld a1, 8(t0)", "sd a0, 8(t0)"], &[(0, 0, ALL)]);
    rig.hart.pmp.write_addr(0, (FRAMES + 0xff0) >> 2 | 1);
    rig.hart.pmp.write_addr(1, u64::MAX);
    rig.hart.pmp.write_config(0, 0x1f19);
    rig.hart.x[5] = WINDOW + 0xfe8;
    rig.hart.x[A0] = 3;
    rig.run(3);
    assert_eq!((rig.hart.csr.mcause, rig.hart.csr.mtval), (7, WINDOW + 0xff0));
    assert_eq!((rig.word_at(FRAMES + 0xfe8), rig.word_at(FRAMES + 0xff0)), (3, 0));
    // A page-table entry that PMP hides is an access fault of the access itself.
    let mut rig = Rig::with_window(&["ld a0, (t0)"], &[(0, 0, ALL)]);
    rig.hart.pmp.write_addr(0, Rig::window_pte(0) >> 2);
    rig.hart.pmp.write_addr(1, u64::MAX);
    rig.hart.pmp.write_config(0, 0x1f18);
    rig.hart.x[5] = WINDOW;
    rig.run(1);
    assert_eq!((rig.hart.csr.mcause, rig.hart.csr.mtval), (5, WINDOW));
}

#[test]
fn machine_mode_borrows_the_rights_of_mpp() {
    use isa::csr::mstatus;
    let mut rig = Rig::with_window(&["ld a0, (t0)", "ld a1, (t0)"], &[(0, 0, ALL | PteFlags::U)]);
    rig.hart.privilege = Privilege::Machine;
    rig.hart.csr.mstatus = mstatus::MPRV;
    rig.hart.csr.mtvec = RAM_BASE.0;
    rig.hart.x[5] = WINDOW;
    assert!(rig.ram.write(PhysAddr(FRAMES), &[42]));
    rig.run(1);
    assert_eq!((rig.hart.x[A0], rig.hart.itlb.accesses, rig.hart.dtlb.accesses), (42, 0, 1));
    // With MPP = S the same page is a user's.
    rig.hart.csr.mstatus = mstatus::MPRV | 1 << mstatus::MPP_SHIFT;
    rig.run(2);
    assert_eq!((rig.hart.x[A1], rig.hart.csr.mcause), (0, 13));
}
