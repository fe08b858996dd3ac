//! Page tables made by chance: sound where the runtime and the code lie (mostly), anything where the data lies.

use isa::paging::{Pte, PteFlags};
use isa::{Extension, IsaSet};

use crate::case::{Change, VIRTUAL_CODE};
use crate::layout::{RAM_BASE, RAM_BYTES, Slot};
use crate::random_values::Random;

/// Data is seen through this many entries, which show the data pages in any order.
const DATA_ENTRIES: u64 = 8;
/// The first of them: number in the last table.
const DATA_INDEX: u64 = 8;
const VIRTUAL_DATA: u64 = VIRTUAL_CODE + DATA_INDEX * 0x1000;
/// The same tables through a pointer that has flags by chance.
const BY_ODD_POINTER: u64 = 0x80_0000;
/// The slot as part of a superpage.
const SUPERPAGE: u64 = 0x60_0000;

/// The first bit of an entry that takes an address out of RAM.
const OUTSIDE_RAM: u64 = RAM_BYTES.trailing_zeros() as u64 - 2;

const FULL: PteFlags = PteFlags::V
    .union(PteFlags::R)
    .union(PteFlags::W)
    .union(PteFlags::X)
    .union(PteFlags::A)
    .union(PteFlags::D);

/// An address at the start of a page of data, as the case sees it.
pub fn data_address(random: &mut Random, slot: Slot, translation: u64) -> u64 {
    if translation == 0 {
        return slot.data() + random.below(Slot::DATA_PAGES) * 0x1000;
    }
    let page = random.below(DATA_ENTRIES) * 0x1000;
    // Sign-extended all ones: the same tables through the root's last entry.
    let high = if random.below(4) == 0 { u64::MAX << 30 } else { 0 };
    high | match random.below(8) {
        0 => SUPERPAGE + slot.data() % (1 << 21) + page % (Slot::DATA_PAGES * 0x1000),
        1 => BY_ODD_POINTER + DATA_INDEX * 0x1000 + page,
        _ => VIRTUAL_DATA + page,
    }
}

/// The entries of a case's tables, and those that change between passes.
pub fn random(
    random: &mut Random,
    slot: Slot,
    translation: u64,
    user: bool,
    isa: &IsaSet,
) -> (Vec<(u16, u64)>, Vec<Change>) {
    let mut entries = Vec::new();
    let table = |n: u64| slot.tables() + n * 0x1000;
    let pointer = |n: u64| entry(table(n), PteFlags::V);
    let mode = if user { PteFlags::U } else { PteFlags::empty() };
    let mut put = |table: u64, index: u64, value: u64| {
        assert!(table < Slot::TABLE_PAGES);
        entries.push(((table * 512 + index) as u16, value));
    };
    // From the root down to the table whose entries are gigapages.
    let gigapages = translation - 8;
    for level in 0..gigapages {
        put(level, 0, pointer(level + 1));
        put(level, 511, pointer(level + 1));
    }
    let (megapages, pages) = (gigapages + 1, gigapages + 2);
    put(gigapages, 0, pointer(megapages));
    put(gigapages, 511, pointer(megapages));
    // The runtime, as it is.
    put(gigapages, RAM_BASE >> 30, entry(RAM_BASE, FULL | PteFlags::G));
    put(megapages, VIRTUAL_CODE >> 21, pointer(pages));
    let superpage = entry(slot.base() >> 21 << 21, FULL | mode);
    let superpage = match random.below(8) {
        // Misaligned.
        0 => superpage ^ 1 << (10 + random.below(9)),
        _ => perturbed(random, superpage, isa),
    };
    put(megapages, SUPERPAGE >> 21, superpage);
    put(megapages, BY_ODD_POINTER >> 21, perturbed(random, pointer(pages), isa));
    for n in 0..Slot::CODE_PAGES {
        let code = entry(slot.code() + n * 0x1000, FULL | mode);
        let odd = random.below(12) == 0;
        put(pages, n, if odd { perturbed(random, code, isa) } else { code });
    }
    for n in 0..DATA_ENTRIES {
        let page = slot.data() + random.below(Slot::DATA_PAGES) * 0x1000;
        let user = if random.below(6) == 0 { mode ^ PteFlags::U } else { mode };
        let data = entry(page, FULL | user);
        put(pages, DATA_INDEX + n, if random.below(3) == 0 { perturbed(random, data, isa) } else { data });
    }
    let changes = (0..random.below(4)).map(|_| {
        let index = (pages * 512 + DATA_INDEX + random.below(DATA_ENTRIES)) as u16;
        Change { index, mask: 1 << random.below(8) | 1 << random.below(8) }
    });
    let changes = changes.collect();
    (entries, changes)
}

fn entry(pa: u64, flags: PteFlags) -> u64 {
    pa >> 12 << 10 | Pte(0).with_flags(flags).0
}

/// The entry with something odd about it.
fn perturbed(random: &mut Random, entry: u64, isa: &IsaSet) -> u64 {
    let reserved = |bit: u64| match bit {
        63 => isa.contains(Extension::Svnapot),
        61 | 62 => isa.contains(Extension::Svpbmt),
        _ => false,
    };
    match random.below(10) {
        0..5 => entry ^ 1 << random.below(8),
        5 | 6 => entry & !0xff | random.next() & 0xff,
        // Reserved bits; those of extensions have a meaning only where they are.
        7 => entry | 1 << Some(54 + random.below(10)).filter(|&bit| !reserved(bit)).unwrap_or(54),
        // A frame outside RAM. (One inside may show the page tables, and a store there would be an unfenced change.)
        8 => entry ^ 1 << (OUTSIDE_RAM + random.below(54 - OUTSIDE_RAM)),
        // The bits for software.
        _ => entry | random.below(4) << 8,
    }
}
