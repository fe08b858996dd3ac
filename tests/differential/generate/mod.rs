//! Cases made by chance. A [`Plan`] is what proptest makes and shrinks: the seed of the state, passes, and a list of
//! seeds of items, any of which can be left out. [`Plan::case`] makes of it the case that is run.

mod csrs;
mod items;
mod mode;
mod operands;
mod pmp;
mod state;

use isa::{IsaSet, Privilege};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::case::Case;
use crate::item::{Item, assemble_items};
use crate::layout::Slot;
use crate::paging;
use crate::random_values::Random;

use items::Generator;
use mode::Mode;

/// Registers that point into the data when a case starts: stack pointer, anywhere, and aligned for atomics.
const SP: u8 = 2;
const BASE: u8 = 8;
const ATOMIC_BASE: u8 = 9;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    pub seed: u64,
    pub passes: u64,
    pub items: Vec<u64>,
}

/// Every plan.
pub fn plans() -> impl Strategy<Value = Plan> {
    let seed = any::<u64>().no_shrink();
    (seed, 1..=12u64, vec(any::<u64>().no_shrink(), 1..64)).prop_map(|(seed, passes, items)| Plan {
        seed,
        passes,
        items,
    })
}

impl Plan {
    /// A short plan, the same for a number whenever it is asked for.
    pub fn of_number(number: u64) -> Self {
        let mut random = Random(number);
        let (seed, items) = (random.next(), 1 + random.below(40));
        Self { seed, passes: 1, items: (0..items).map(|_| random.next()).collect() }
    }

    /// The case, for a machine with the extensions of `isa`.
    pub fn case(&self, slot: Slot, isa: &IsaSet) -> Case {
        let mut random = Random(self.seed);
        let mode = Mode::random(&mut random, slot, isa);
        let (entries, changes) = if mode.translation == 0 {
            (Vec::new(), Vec::new())
        } else {
            paging::random(&mut random, slot, mode.translation, mode.privilege == Privilege::User, isa)
        };
        let mut x = std::array::from_fn(|_| random.integer());
        let pointers: Vec<u8> =
            [SP, BASE, ATOMIC_BASE].into_iter().chain((10..16).filter(|_| random.below(3) == 0)).collect();
        for &n in &pointers {
            let aligned = n == SP || n == ATOMIC_BASE;
            let page = paging::data_address(&mut random, slot, mode.translation);
            let offset = if aligned { random.below(0x200) * 8 } else { random.of(&[0, 0, 4, 0xff8, 0x7fd]) };
            x[usize::from(n)] = page + offset;
        }
        let mut csrs = mode.csrs(&mut random, slot);
        let generator = Generator { isa, mode, slot };
        let items: Vec<Item> = self.items.iter().map(|&seed| generator.item(&mut Random(seed))).collect();
        let code = assemble_items(&items);
        // Somewhere in the two pages, often so that it crosses from one to the other.
        let room = Slot::CODE_PAGES * 0x1000 - code.len() as u64 * 2 - 4;
        let crossing = (0x1000 - random.below(code.len() as u64 + 1) * 2).min(room);
        let code_offset = if random.below(2) == 0 { crossing } else { random.below(room / 2) * 2 };
        if mode.pmp {
            let first = slot.code() + code_offset;
            let data: Vec<u64> = pointers
                .iter()
                .map(|&n| slot.data() + random.below(Slot::DATA_PAGES) * 0x1000 + x[usize::from(n)] % 0x1000)
                .collect();
            let tables: Vec<u64> =
                entries.iter().map(|&(index, _)| slot.tables() + u64::from(index) * 8).collect();
            let code = (first, first + code.len() as u64 * 2 + 4);
            csrs.extend(pmp::random(&mut random, &pmp::Places { slot, code, data: &data, tables: &tables }));
        }
        Case {
            slot,
            mode: mode.privilege,
            passes: self.passes,
            x,
            f: std::array::from_fn(|_| random.float()),
            fcsr: random.below(5) << 5 | random.below(32),
            mstatus: mode.status,
            physical: mode.physical,
            csrs,
            data_seed: random.next(),
            entries,
            changes,
            code_offset,
            code,
        }
    }
}
