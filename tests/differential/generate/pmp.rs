//! Entries of physical memory protection by chance. They match nothing but the case's own slot, so that the runtime, whose
//! pages the last entry opens, can always be reached. Locked ones outlive a case: they are for the last in an ELF, and
//! match its code and data only, since M-mode prepares each pass.

use isa::csr::Csr;

use crate::layout::Slot;
use crate::random_values::Random;
use crate::runtime::{OPEN_ALL, PROTECT_DEVICES};

/// Entries by chance are those from this to that number; before them come what protects the devices and the switch of
/// the handlers, behind them what opens everything.
const FIRST: usize = 2;
const LAST: usize = 14;

const LOCKED: u8 = 0x80;
const READ: u64 = 1;
const EXECUTE: u64 = 4;
const TOR: u64 = 1;
const NA4: u64 = 2;
const NAPOT: u64 = 3;

/// What the entries are to cut through: physical addresses.
pub(super) struct Places<'a> {
    pub slot: Slot,
    /// The first byte of the code, and the one behind it.
    pub code: (u64, u64),
    /// Where pointers lead to.
    pub data: &'a [u64],
    /// Entries of the page tables.
    pub tables: &'a [u64],
}

/// The registers of a case that has such entries.
pub(super) fn random(random: &mut Random, places: &Places) -> Vec<(Csr, u64)> {
    let mut config = [0u8; 16];
    let mut addr = [0u64; 16];
    let locks = places.slot.is_last();
    let few = random.below(4) + 1;
    for n in FIRST..=LAST {
        let (at, wanted) = place(random, places, locks);
        let word = at >> 2;
        let matching = match random.below(8) {
            _ if random.below(4) >= few => 0,
            0 => NA4,
            1..4 => TOR,
            _ => NAPOT,
        };
        // Small ones first, so that those behind are seen, too.
        let size = random.below(n as u64).min(random.below(if locks { 11 } else { 14 }));
        addr[n] = match matching {
            NAPOT => word >> size << size | ((1 << size) - 1) >> 1,
            _ if random.below(2) == 0 => word,
            _ => word >> size << size,
        };
        // Bits above an address are dropped.
        if random.below(8) == 0 {
            addr[n] |= random.next() << 54;
        }
        let mut rights = random.below(8);
        if random.below(8) != 0 {
            rights |= wanted;
        }
        // Bits 6:5 are reserved.
        let reserved = if random.below(8) == 0 { random.below(4) } else { 0 };
        config[n] = (rights | matching << 3 | reserved << 5) as u8;
        if locks && random.below(2) == 0 {
            config[n] |= LOCKED;
        }
    }
    config[0] = PROTECT_DEVICES;
    config[15] = OPEN_ALL;
    addr[15] = u64::MAX;
    let address = |n: usize| Csr(Csr::PMPADDR0.0 + n as u16);
    let configs = |from: usize| u64::from_le_bytes(std::array::from_fn(|n| config[from + n]));
    (FIRST..16)
        .map(|n| (address(n), addr[n]))
        .chain([(Csr::PMPCFG0, configs(0)), (Csr(Csr::PMPCFG0.0 + 2), configs(8))])
        .collect()
}

/// An address that the case is likely to touch, and the right that it needs there lest the case end at once.
fn place(random: &mut Random, places: &Places, locks: bool) -> (u64, u64) {
    let near = |random: &mut Random, at: u64| at.wrapping_add(random.below(24) * 4).wrapping_sub(48);
    let within = |(at, wanted): (u64, u64)| {
        let (from, to) = (places.slot.code(), places.slot.tables() - 4);
        (if locks { at.clamp(from, to) } else { at }, wanted)
    };
    within(match random.below(8) {
        0 | 1 => (places.code.0 + random.below(places.code.1 - places.code.0), EXECUTE),
        2 if !places.tables.is_empty() => (random.of(places.tables), READ),
        // Anywhere, and the edges of pages.
        3 => (places.slot.base() + random.below(SLOT_WORDS) * 4, READ | EXECUTE),
        4 => {
            let page = random.below(16) * 0x1000;
            (near(random, places.slot.base() + page), READ | EXECUTE)
        }
        _ => {
            let at = random.of(places.data);
            (near(random, at), 0)
        }
    })
}

const SLOT_WORDS: u64 = crate::layout::SLOT_BYTES / 4;
