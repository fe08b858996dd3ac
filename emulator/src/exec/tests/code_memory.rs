//! What decoded code takes of the host's memory: the formula of docs/architecture.md.

use super::*;
use crate::exec::block::{FIRST_BYTES, MAX_BYTES};

/// A rig whose RAM is so many pages filled with `c.addi a0, 1`.
fn rig(pages: u64) -> Rig {
    let mut rig = Rig::new(&[]);
    let len = usize::try_from(pages).expect("few") << 12;
    rig.ram = Ram::new(len);
    assert!(rig.ram.write(RAM_BASE, &[5].repeat(len)));
    rig
}

/// One instruction in each page, a jump to the next one: a directory of 264 bytes, one granule of 128, a block of 12, an
/// entry of 32, and a quarter for growth; or what the cache begins with.
#[test]
fn a_page_with_one_instruction_costs_some_hundred_bytes() {
    const PAGES: u64 = 20_000;
    let mut rig = rig(PAGES);
    for number in 0..PAGES {
        rig.put(RAM_BASE.0 + (number << 12), &["j .+4096"]);
    }
    rig.run(PAGES);
    let bytes = rig.code.bytes() as u64;
    let first = FIRST_BYTES as u64;
    assert!((436 * PAGES..=545 * PAGES + first).contains(&bytes), "{bytes} bytes for {PAGES} pages");
}

/// Every halfword of many pages starts a block of its own, which is the most that can be decoded: 4 MiB a page. It stays
/// within the bound, and the program cannot tell.
#[test]
fn decoded_code_stays_within_its_bound() {
    const PAGES: u64 = 40;
    let run = |drops_code: bool| {
        let mut rig = rig(PAGES);
        let (mut last, mut shrunk) = (0, 0);
        for at in (0..PAGES << 12).step_by(2) {
            rig.hart.pc = RAM_BASE.0 + at;
            rig.run(rig.now.0 + 1);
            let bytes = rig.code.bytes();
            assert!(bytes <= MAX_BYTES, "{bytes} bytes");
            shrunk += u32::from(bytes < last);
            last = bytes;
            if drops_code && at.is_multiple_of(64) {
                rig.code.clear(&mut rig.ram);
            }
        }
        (rig.state(), shrunk)
    };
    let (kept, shrunk) = run(false);
    assert_eq!(shrunk, 2, "the bound has been met twice in 160 MiB");
    assert!(kept == run(true).0);
}
