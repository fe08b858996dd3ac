//! What has been decoded decides nothing: registers, RAM, counts and the TLB are the same whether the code that an
//! instruction meets is still in the code cache, has been dropped, or the machine was saved and loaded in between.

use super::*;
use crate::mem::tlb::Tlb;
use isa::csr::menvcfg;

const GEOMETRIES: [&str; 4] = ["1", "2x2:lru", "64x4:lru", "4096"];

/// What happens to the decoded code before the program runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Before {
    Kept,
    Dropped,
    SavedAndLoaded,
}

/// A program in S-mode with two pages of the window, whose entries lie in two granules (`t0` at the second page, `t1`
/// at the first), `ret` as decoded code at the addresses `code`, and hardware that sets A and D.
struct Case {
    program: &'static [&'static str],
    first: PteFlags,
    second: PteFlags,
    code: &'static [u64],
}

const SECOND_FRAME: u64 = FRAMES + 0x1000;
/// The last granule of the window's first page.
const END_OF_FIRST: u64 = FRAMES + 0xfc0;
/// In the granules of the entries that map the two pages: entries that nothing reads.
const BESIDE_FIRST: u64 = TABLES + 0x2000 + 8 * 2;
const BESIDE_SECOND: u64 = TABLES + 0x2000 + 8 * 13;
const FRESH: PteFlags = PteFlags::from_bits_truncate(ALL.bits() & !0xc0);

impl Case {
    fn rig(&self, geometry: &str) -> Rig {
        let mut rig = Rig::with_window(self.program, &[(7, 0, self.first), (8, 1, self.second)]);
        let geometry: TlbGeometry = geometry.parse().expect("a geometry");
        (rig.hart.itlb, rig.hart.dtlb) = (Tlb::new(geometry), Tlb::new(geometry));
        rig.hart.csr.menvcfg = menvcfg::ADUE | menvcfg::CBZE | menvcfg::CBCFE;
        rig.hart.csr.mtvec = RAM_BASE.0 + 0x200;
        let nop = word("addi a0, a0, 1").to_le_bytes();
        assert!(rig.ram.write(PhysAddr(FRAMES + 0xffe), &nop[..2]));
        assert!(rig.ram.write(PhysAddr(SECOND_FRAME), &nop[2..]));
        for &at in self.code {
            rig.put(at, &["jalr zero, 0(ra)"]);
            (rig.hart.pc, rig.hart.x[1]) = (at, RAM_BASE.0);
            rig.run(rig.now.0 + 1);
        }
        (rig.hart.x[5], rig.hart.x[6]) = (WINDOW + 0x8000, WINDOW + 0x7000);
        (rig.hart.x[A1], rig.hart.x[A2]) = (0x1111_2222_3333_4444, 5);
        rig
    }

    fn state(&self, geometry: &str, before: Before) -> (State, [u64; 4]) {
        let mut rig = self.rig(geometry);
        match before {
            Before::Kept => {}
            Before::Dropped => rig.code.clear(&mut rig.ram),
            Before::SavedAndLoaded => {
                let saved = postcard::to_allocvec(&rig.hart).expect("plain data");
                rig.hart = postcard::from_bytes(&saved).expect("what was saved");
                rig.code = CodeCache::new();
                rig.ram.code_mut().clear();
            }
        }
        let counts = |rig: &Rig| {
            let (i, d) = (&rig.hart.itlb, &rig.hart.dtlb);
            [i.accesses, i.misses, d.accesses, d.misses]
        };
        let start = counts(&rig);
        rig.run(rig.now.0 + self.program.len() as u64 + 1);
        let end = counts(&rig);
        (rig.state(), std::array::from_fn(|n| end[n] - start[n]))
    }
}

#[test]
fn counts_and_tlb_do_not_depend_on_decoded_code() {
    let case = |program, first, second, code| Case { program, first, second, code };
    let cases = [
        // Over two pages, into code in the second one, in the first one, or with entries beside code.
        case(&["sd a1, -4(t0)"][..], ALL, ALL, &[SECOND_FRAME][..]),
        case(&["sd a1, -4(t0)"], ALL, ALL, &[END_OF_FIRST]),
        case(&["ld a2, (t1)", "sd a1, -4(t0)"], ALL, ALL, &[END_OF_FIRST, SECOND_FRAME]),
        case(&["sd a1, -4(t0)"], ALL, FRESH, &[BESIDE_SECOND]),
        case(&["ld a2, (t1)", "sd a1, -4(t0)"], FRESH, FRESH, &[BESIDE_SECOND]),
        case(&["sd a1, -4(t0)"], FRESH, FRESH, &[BESIDE_FIRST]),
        case(&["sd a1, -4(t0)"], FRESH, PteFlags::empty(), &[BESIDE_FIRST]),
        case(&["sd a1, -4(t0)"], FRESH, ALL - PteFlags::W, &[BESIDE_SECOND]),
        case(&["sw a1, -2(t0)"], ALL, PteFlags::empty(), &[END_OF_FIRST]),
        case(&["ld a0, -4(t0)"], ALL, FRESH, &[BESIDE_SECOND]),
        case(&["ld a0, (t1)", "ld a0, -4(t0)"], FRESH, FRESH, &[BESIDE_SECOND]),
        // Fetches over two pages.
        case(&["jr -2(t0)"], ALL, FRESH, &[BESIDE_SECOND]),
        case(&["jr -2(t0)"], FRESH, FRESH, &[BESIDE_SECOND]),
        case(&["jr -2(t0)"], FRESH, ALL - PteFlags::X, &[BESIDE_SECOND]),
        // Within a page.
        case(&["jr (t1)"], FRESH, ALL, &[BESIDE_FIRST]),
        case(&["sd a1, (t0)", "ld a0, (t1)"], ALL, ALL, &[SECOND_FRAME]),
        case(&["sd a1, 8(t0)"], ALL, FRESH, &[BESIDE_SECOND]),
        case(&["sd a1, (t0)", "sd a1, (t1)"], FRESH, FRESH, &[BESIDE_FIRST, SECOND_FRAME]),
        case(&["ld a0, (t0)"], ALL, FRESH, &[BESIDE_SECOND]),
        case(&["amoadd.d a0, a1, (t0)"], ALL, ALL, &[SECOND_FRAME]),
        case(&["amoadd.d a0, a1, (t0)"], ALL, FRESH, &[BESIDE_SECOND, SECOND_FRAME]),
        case(&["lr.d a0, (t0)", "ld a0, (t1)", "sc.d a0, a1, (t0)"], ALL, ALL, &[SECOND_FRAME]),
        case(&["lr.d a0, (t0)", "ld a0, (t1)", "sc.d a0, a1, (t0)"], ALL, FRESH, &[BESIDE_SECOND]),
        case(&["cbo.zero (t0)", "cbo.clean (t1)"], ALL, ALL, &[SECOND_FRAME]),
        case(&["cbo.zero (t0)", "cbo.clean (t1)"], FRESH, FRESH, &[BESIDE_SECOND]),
        // Instructions of the running block.
        case(&["auipc t2, 0", "sd a1, 12(t2)", "nop", "nop", "nop"], ALL, ALL, &[]),
    ];
    let mut wrong = Vec::new();
    for case in &cases {
        for geometry in GEOMETRIES {
            let (expected, counts) = case.state(geometry, Before::Dropped);
            for before in [Before::Kept, Before::SavedAndLoaded] {
                let (found, its_counts) = case.state(geometry, before);
                if found != expected {
                    let Case { program, first, second, .. } = case;
                    wrong.push(format!(
                        "{program:?} {first:?} {second:?}, {geometry}: {before:?} {its_counts:?}, dropped {counts:?}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "accesses and misses, instruction and data side:\n{}", wrong.join("\n"));
}

/// An access over two pages asks the TLB once for each, whatever makes it run alone.
#[test]
fn an_access_over_two_pages_counts_two() {
    let code = Case { program: &["sd a1, -4(t0)"], first: ALL, second: ALL, code: &[SECOND_FRAME] };
    for geometry in GEOMETRIES {
        let (_, counts) = code.state(geometry, Before::Kept);
        assert_eq!(counts[2..], [2, 2], "into code, {geometry}");
        for watched in [FRAMES + 0xff8, SECOND_FRAME] {
            let mut rig = Case { code: &[], ..code }.rig(geometry);
            rig.options.watch = vec![isa::platform::Region { base: PhysAddr(watched), len_bytes: 8 }];
            assert!(matches!(rig.run(100), Exit::Watch { .. }));
            let seen = (rig.hart.dtlb.accesses, rig.hart.dtlb.misses);
            assert_eq!(seen, (2, 2), "watched at {watched:#x}, {geometry}");
        }
    }
}

/// `cbo.zero` stores word by word; with a watch in the middle of its block it is told once of each word all the same.
#[test]
fn a_block_that_is_zeroed_is_observed_once() {
    struct Stores(Vec<u64>);
    impl Observer for Stores {
        fn memory(&mut self, access: crate::exec::MemoryAccess) {
            self.0.push(access.va.0);
        }
    }
    let mut rig = Case { program: &["cbo.zero (t0)"], first: ALL, second: ALL, code: &[] }.rig("4096");
    rig.options.watch = vec![isa::platform::Region { base: PhysAddr(SECOND_FRAME + 32), len_bytes: 8 }];
    let mut stores = Stores(Vec::new());
    assert!(matches!(rig.run_observed(100, &mut stores), Exit::Watch { .. }));
    let words: Vec<u64> = (0..16).map(|n| WINDOW + 0x8000 + 4 * n).collect();
    assert_eq!(stores.0, words);
}
