//! The TLB's counters through the run loop.

use super::*;
use crate::mem::tlb::Tlb;

/// Accesses and misses of the instruction side, then of the data side, after `program` in S-mode with a window of
/// eight pages, `t0` at its first and `t1` at the end of its last.
fn counts(program: &[&str], geometry: &str) -> [u64; 4] {
    let window: Vec<_> = (0..8).map(|page| (page, page, ALL)).collect();
    let mut rig = Rig::with_window(program, &window);
    let geometry: TlbGeometry = geometry.parse().expect("a geometry");
    (rig.hart.itlb, rig.hart.dtlb) = (Tlb::new(geometry), Tlb::new(geometry));
    (rig.hart.x[5], rig.hart.x[6]) = (WINDOW, WINDOW + 0x8000);
    rig.hart.csr.mtvec = RAM_BASE.0 + 0x200;
    rig.run(program.len() as u64);
    [rig.hart.itlb.accesses, rig.hart.itlb.misses, rig.hart.dtlb.accesses, rig.hart.dtlb.misses]
}

#[test]
fn each_page_of_each_access_is_counted() {
    let rows: &[(&[&str], [u64; 4])] = &[
        (&["nop", "ld a0, (t0)", "sd a0, 8(t0)", "lb a0, (t0)"], [4, 1, 3, 1]),
        (&["lui t2, 1", "add t2, t2, t0", "ld a0, -4(t2)", "sw a0, -2(t2)"], [4, 1, 4, 2]),
        (&["lr.w a0, (t0)", "sc.w a1, a0, (t0)", "amoadd.d a0, a0, (t0)"], [3, 1, 3, 1]),
        // A fence of one page leaves the others; of everything, the instruction side too.
        (&["sd a0, (t0)", "sfence.vma t0", "sd a0, (t0)"], [3, 1, 2, 2]),
        (&["sd a0, (t0)", "sfence.vma", "sd a0, (t0)"], [3, 2, 2, 2]),
        // What traps is counted: at the first page, or at both.
        (&["nop", "ld a0, (t1)"], [2, 1, 1, 1]),
        (&["ld a0, -8(t1)", "ld a0, -4(t1)"], [2, 1, 3, 2]),
        (&["amoadd.d a0, a0, (t1)"], [1, 1, 1, 1]),
        (&["ecall"], [1, 1, 0, 0]),
    ];
    for (program, expected) in rows {
        for geometry in ["4096", "16x2:fifo", "64x64:lru"] {
            assert_eq!(counts(program, geometry), *expected, "{program:?} {geometry}");
        }
    }
}

#[test]
fn geometry_decides_what_stays() {
    let touch_in_turn =
        ["ld a0, (t0)", "lui t2, 1", "add t0, t0, t2", "ld a0, (t0)", "sub t0, t0, t2", "j .-20"];
    let misses = |geometry: &str, rounds: usize| {
        let window: Vec<_> = (0..8).map(|page| (page, page, ALL)).collect();
        let mut rig = Rig::with_window(&touch_in_turn, &window);
        rig.hart.dtlb = Tlb::new(str::parse::<TlbGeometry>(geometry).expect("a geometry"));
        rig.hart.x[5] = WINDOW;
        rig.run((rounds * touch_in_turn.len()) as u64);
        assert_eq!(rig.hart.dtlb.accesses, 2 * rounds as u64);
        rig.hart.dtlb.misses
    };
    assert_eq!(misses("1", 10), 20, "one entry, two pages in turn");
    assert_eq!(misses("2", 10), 2);
    assert_eq!(misses("2x2:lru", 10), 2);
}

#[test]
fn an_entry_that_does_not_suffice_is_walked_again() {
    let mut rig =
        Rig::with_window(&["ld a0, (t0)", "sd a0, (t0)", "sd a0, (t0)"], &[(0, 0, ALL - PteFlags::D)]);
    rig.hart.csr.menvcfg = isa::csr::menvcfg::ADUE;
    rig.hart.x[5] = WINDOW;
    rig.run(3);
    assert_eq!((rig.hart.dtlb.accesses, rig.hart.dtlb.misses), (3, 2));
}

#[test]
fn an_old_entry_stays_until_it_is_fenced() {
    let mut rig =
        Rig::with_window(&["ld a0, (t0)", "ld a1, (t0)", "sfence.vma t0", "ld a2, (t0)"], &[(0, 0, ALL)]);
    assert!(rig.ram.write(PhysAddr(FRAMES), &[1]) && rig.ram.write(PhysAddr(FRAMES + 0x1000), &[2]));
    rig.hart.x[5] = WINDOW;
    rig.run(1);
    rig.set_pte(Rig::window_pte(0), Pte::new(Ppn((FRAMES >> 12) + 1), ALL));
    rig.run(4);
    assert_eq!(rig.hart.x[A0..=A2], [1, 1, 2]);
}
