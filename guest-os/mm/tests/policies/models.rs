//! The policies again, slow and obvious: vectors that are searched from the front, written from the textbooks' words. A page that is busy is stepped over; the test
//! takes out what the policy was told of.

use crate::memory::Memory;
use mm::policy::{Place, PolicyKind};

pub trait Model {
    fn enter(&mut self, place: Place);
    /// Nothing, if it is out.
    fn leave(&mut self, place: Place);
    /// A use by the kernel, for models that go by R.
    fn used(&mut self, _place: Place) {}
    /// Clears R in `memory` as the policy would.
    fn victim(&mut self, memory: &mut Memory) -> Option<Place>;
    /// How many pages the last search has found used by the kernel alone, R being clear, and has cleared.
    fn uses_cleared(&self) -> u32 {
        0
    }
}

pub fn make(kind: PolicyKind, seed: u64) -> Box<dyn Model> {
    match kind {
        PolicyKind::Fifo => Box::new(Fifo { oldest_first: Vec::new() }),
        PolicyKind::SecondChance => Box::<SecondChance>::default(),
        PolicyKind::Clock => Box::new(Clock { passes: &[Pass::Plain, Pass::Plain], dial: Dial::default() }),
        PolicyKind::EnhancedClock => Box::new(Clock {
            passes: &[Pass::NeitherBit, Pass::NotUsed, Pass::NeitherBit, Pass::NotUsed],
            dial: Dial::default(),
        }),
        PolicyKind::Aging => Box::<Aging>::default(),
        PolicyKind::Random => Box::new(Random { row: Vec::new(), state: seed }),
    }
}

/// R bits, those that the kernel's own uses set among them.
#[derive(Default)]
struct Referenced {
    by_kernel: Vec<Place>,
    cleared: u32,
}

impl Referenced {
    fn is_set(&self, memory: &Memory, place: Place) -> bool {
        memory.page(place).accessed || self.by_kernel.contains(&place)
    }
    fn clear(&mut self, memory: &mut Memory, place: Place) {
        if self.is_set(memory, place) && !memory.page(place).accessed {
            self.cleared += 1;
        }
        memory.page_mut(place).accessed = false;
        self.by_kernel.retain(|&other| other != place);
    }
}

/// "The oldest page is replaced."
struct Fifo {
    oldest_first: Vec<Place>,
}

impl Model for Fifo {
    fn enter(&mut self, place: Place) {
        self.oldest_first.push(place);
    }
    fn leave(&mut self, place: Place) {
        self.oldest_first.retain(|&other| other != place);
    }
    fn victim(&mut self, memory: &mut Memory) -> Option<Place> {
        self.oldest_first.iter().copied().find(|&place| !memory.page(place).busy)
    }
}

/// "Inspect the R bit of the oldest page. If it is 0, the page is replaced. If it is 1, the bit is cleared, the page is put at the end of the
/// list as if it had just arrived, and the search goes on."
#[derive(Default)]
struct SecondChance {
    oldest_first: Vec<Place>,
    r: Referenced,
}

impl Model for SecondChance {
    fn enter(&mut self, place: Place) {
        self.oldest_first.push(place);
    }
    fn leave(&mut self, place: Place) {
        self.oldest_first.retain(|&other| other != place);
        self.r.by_kernel.retain(|&other| other != place);
    }
    fn used(&mut self, place: Place) {
        if self.oldest_first.contains(&place) {
            self.r.by_kernel.push(place);
        }
    }
    fn victim(&mut self, memory: &mut Memory) -> Option<Place> {
        self.r.cleared = 0;
        loop {
            let oldest = self.oldest_first.iter().position(|&place| !memory.page(place).busy)?;
            let place = self.oldest_first[oldest];
            if !self.r.is_set(memory, place) {
                return Some(place);
            }
            self.r.clear(memory, place);
            self.oldest_first.remove(oldest);
            self.oldest_first.push(place);
        }
    }
    fn uses_cleared(&self) -> u32 {
        self.r.cleared
    }
}

/// Pages around a dial, and where the hand points.
#[derive(Default)]
struct Dial {
    pages: Vec<Place>,
    hand: usize,
    r: Referenced,
}

enum Pass {
    /// Takes the first page with R = 0, clears R of those passed.
    Plain,
    /// Takes the first page with R = 0 and D = 0, changes nothing.
    NeitherBit,
    /// Takes the first page with R = 0 and D = 1, clears R of those passed.
    NotUsed,
}

/// The hand goes round as often as there are passes, and stops at the first page that the pass takes. If it finds none it is where it began.
struct Clock {
    passes: &'static [Pass],
    dial: Dial,
}

impl Model for Clock {
    fn enter(&mut self, place: Place) {
        self.dial.pages.insert(self.dial.hand, place);
        self.dial.hand = (self.dial.hand + 1) % self.dial.pages.len();
    }
    fn leave(&mut self, place: Place) {
        let Dial { pages, hand, r } = &mut self.dial;
        let Some(index) = pages.iter().position(|&other| other == place) else { return };
        pages.remove(index);
        if index < *hand {
            *hand -= 1;
        }
        if *hand == pages.len() {
            *hand = 0;
        }
        r.by_kernel.retain(|&other| other != place);
    }
    fn used(&mut self, place: Place) {
        if self.dial.pages.contains(&place) {
            self.dial.r.by_kernel.push(place);
        }
    }
    fn victim(&mut self, memory: &mut Memory) -> Option<Place> {
        let Dial { pages, hand, r } = &mut self.dial;
        r.cleared = 0;
        for pass in self.passes {
            for step in 0..pages.len() {
                let index = (*hand + step) % pages.len();
                let place = pages[index];
                if memory.page(place).busy {
                    continue;
                }
                let (used, dirty) = (r.is_set(memory, place), memory.page(place).dirty);
                let (takes, clears) = match pass {
                    Pass::Plain => (!used, true),
                    Pass::NeitherBit => (!used && !dirty, false),
                    Pass::NotUsed => (!used && dirty, true),
                };
                if takes {
                    *hand = index;
                    return Some(place);
                }
                if clears {
                    r.clear(memory, place);
                }
            }
        }
        None
    }
    fn uses_cleared(&self) -> u32 {
        self.dial.r.cleared
    }
}

/// "At each tick the counters are shifted right one bit, and the R bit is put in at the left. The page with the lowest counter is replaced." The pages are in the order in
/// which they came; a tick sorts them by the counters that it finds, those that are equal as they were. A page that no tick has seen has none yet, and goes
/// after all others.
#[derive(Default)]
struct Aging {
    pages: Vec<(Place, Option<u8>)>,
    victims_to_tick: usize,
    r: Referenced,
}

impl Model for Aging {
    fn enter(&mut self, place: Place) {
        self.pages.push((place, None));
    }
    fn leave(&mut self, place: Place) {
        self.pages.retain(|&(other, _)| other != place);
        self.r.by_kernel.retain(|&other| other != place);
    }
    fn used(&mut self, place: Place) {
        if self.pages.iter().any(|&(other, _)| other == place) {
            self.r.by_kernel.push(place);
        }
    }
    fn victim(&mut self, memory: &mut Memory) -> Option<Place> {
        self.r.cleared = 0;
        if self.victims_to_tick == 0 {
            self.pages.retain(|&(place, _)| !memory.page(place).busy);
            self.pages.sort_by_key(|&(_, counter)| counter.unwrap_or(0));
            for (place, counter) in &mut self.pages {
                let r = self.r.is_set(memory, *place);
                *counter = Some(counter.unwrap_or(0) / 2 + if r { 128 } else { 0 });
                self.r.clear(memory, *place);
            }
            self.victims_to_tick = std::cmp::max(self.pages.len() / 4, 1);
        }
        let candidates = self.pages.iter().filter(|(place, _)| !memory.page(*place).busy);
        let &(victim, _) = candidates.min_by_key(|(_, counter)| counter.map_or(256, u32::from))?;
        self.victims_to_tick -= 1;
        Some(victim)
    }
    fn uses_cleared(&self) -> u32 {
        self.r.cleared
    }
}

/// A lot for each try. The row is kept as the policy's file says, or equal lots would draw other pages.
struct Random {
    row: Vec<Place>,
    state: u64,
}

impl Model for Random {
    fn enter(&mut self, place: Place) {
        self.row.push(place);
    }
    fn leave(&mut self, place: Place) {
        if let Some(index) = self.row.iter().position(|&other| other == place) {
            self.row.swap_remove(index);
        }
    }
    fn victim(&mut self, memory: &mut Memory) -> Option<Place> {
        while !self.row.is_empty() {
            self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let lot = (z ^ (z >> 31)) >> 32;
            let index = (lot as u128 * self.row.len() as u128 / (1 << 32)) as usize;
            if !memory.page(self.row[index]).busy {
                return Some(self.row[index]);
            }
            self.row.swap_remove(index);
        }
        None
    }
}
