//! The replacement policies: victim for victim as slow models choose, Belady's table, what a search costs, and the table of names.
#![allow(clippy::cast_possible_truncation, clippy::unwrap_used)] // small numbers; functions that only tests call

mod memory;
mod models;
mod references;
mod to_come;

#[path = "../support/rng.rs"]
mod rng;

use memory::{Memory, Page};
use mm::policy::{
    Choice, Left, Look, Marks, PageName, Place, Policy, PolicyKind, UnknownPolicy, Why, World, make,
};
use models::Model;
use references::{Reference, piece};
use rng::Rng;

/// A policy and its model with a memory each, to which the same happens.
struct Pair {
    kind: PolicyKind,
    policy: Box<dyn Policy>,
    model: Box<dyn Model>,
    /// As the policy leaves its bits.
    memory: Memory,
    /// As the model leaves its bits.
    expected: Memory,
    /// Pages that are held: by I/O, or locked.
    held: Vec<Place>,
    /// Whether the access that faulted sets R when it is tried again, as hardware does.
    first_use_counts: bool,
    faults: u64,
    evictions: u64,
}

impl Pair {
    fn new(kind: PolicyKind, frames: u32, seed: u64) -> Self {
        let mut policy = make(kind, seed);
        policy.reserve(frames).unwrap();
        Self {
            kind,
            policy,
            model: models::make(kind, seed),
            memory: Memory::new(frames),
            expected: Memory::new(frames),
            held: Vec::new(),
            first_use_counts: true,
            faults: 0,
            evictions: 0,
        }
    }

    fn memories(&mut self) -> [&mut Memory; 2] {
        [&mut self.memory, &mut self.expected]
    }

    /// Returns the page that went, if one had to.
    fn refer(&mut self, reference: Reference) -> Option<u64> {
        let (place, gone, faulted) = match self.memory.place_of(reference.page) {
            Some(place) => (place, None, false),
            None => {
                let (place, gone) = self.fault(reference.page);
                (place, gone, true)
            }
        };
        let is_use = self.first_use_counts || !faulted;
        for memory in self.memories() {
            let page = memory.page_mut(place);
            page.accessed |= is_use;
            page.dirty |= reference.is_store;
        }
        gone
    }

    /// Brings a page in. Returns where to, and the page that went.
    fn fault(&mut self, name: u64) -> (Place, Option<u64>) {
        self.faults += 1;
        let (place, gone) = match self.memory.free_place() {
            Some(place) => (place, None),
            None => {
                let victim = self.victim_or_release();
                let gone = self.memory.page(victim).name;
                self.take_out(victim, Left::Evicted);
                self.evictions += 1;
                (victim, Some(gone))
            }
        };
        for memory in self.memories() {
            memory.put(place, Page::new(name));
        }
        self.enter(place);
        (place, gone)
    }

    fn enter(&mut self, place: Place) {
        let name = self.memory.page(place).name;
        self.policy.enter(place, PageName(name));
        self.model.enter(place);
        assert!(self.policy.is_entered(place));
    }

    /// The page leaves memory.
    fn take_out(&mut self, place: Place, why: Left) {
        if self.policy.is_entered(place) {
            self.policy.leave(place, why);
            self.model.leave(place);
        }
        assert!(!self.policy.is_entered(place));
        self.held.retain(|&other| other != place);
        for memory in self.memories() {
            memory.take(place);
        }
    }

    fn victim_or_release(&mut self) -> Place {
        if let Some(choice) = self.victim() {
            return choice.place;
        }
        while !self.held.is_empty() {
            self.release(0);
        }
        self.victim().expect("nothing is held any more").place
    }

    fn victim(&mut self) -> Option<Choice> {
        let entered = self.policy.entered();
        self.memory.looks = 0;
        self.memory.busy_told.clear();
        let choice = self.policy.victim(&mut self.memory);
        let expected = self.model.victim(&mut self.expected);
        assert_eq!(choice.map(|choice| choice.place), expected, "{}", self.kind);
        // What was told to be busy is out.
        for &place in &self.memory.busy_told {
            assert!(!self.policy.is_entered(place));
            self.model.leave(place);
        }
        assert!(self.memory.bits() == self.expected.bits(), "{}: bits that were cleared", self.kind);
        assert_eq!(self.policy.entered(), entered - self.memory.busy_told.len() as u32);
        assert!(self.memory.looks <= most_looks(self.kind, entered), "{}: {}", self.kind, self.memory.looks);
        if let Some(Choice { place, why }) = choice {
            assert!(self.policy.is_entered(place), "until it is taken out");
            assert_eq!(why.looks, self.memory.looks);
            assert_eq!(why.cleared, self.memory.cleared + self.model.uses_cleared());
            assert_eq!(why.marks.dirty, self.expected.page(place).dirty);
        } else {
            assert_eq!(self.memory.busy_told.len(), entered as usize, "each once");
            assert_eq!(self.memory.looks, entered);
        }
        choice
    }

    fn hold(&mut self, place: Place) {
        if self.held.contains(&place) {
            return;
        }
        self.held.push(place);
        for memory in self.memories() {
            memory.page_mut(place).busy = true;
        }
    }

    fn release(&mut self, index: usize) {
        let place = self.held.swap_remove(index);
        for memory in self.memories() {
            memory.page_mut(place).busy = false;
        }
        if !self.policy.is_entered(place) {
            self.enter(place);
        }
    }

    /// Something that is no reference: a page is freed, held, let go, read by the kernel, written back; memory grows.
    fn meddle(&mut self, rng: &mut Rng) {
        let places = self.memory.resident();
        let Some(&place) = places.get(rng.below(places.len().max(1) as u64) as usize) else { return };
        match rng.below(24) {
            0..4 => self.take_out(place, Left::Freed),
            4..10 => self.hold(place),
            10..15 if !self.held.is_empty() => self.release(rng.below(self.held.len() as u64) as usize),
            15..18 => {
                self.policy.used(place);
                self.model.used(place);
            }
            18..22 => {
                for memory in self.memories() {
                    memory.page_mut(place).dirty = false;
                }
                self.policy.cleaned(place);
            }
            22 if rng.chance(20) => places.into_iter().for_each(|place| self.hold(place)),
            23 if rng.chance(20) => {
                let frames = (self.memory.frames() + rng.below(4) as u32).min(64);
                self.policy.reserve(frames).unwrap();
                self.memories().into_iter().for_each(|memory| memory.grow(frames));
            }
            _ => (),
        }
    }
}

/// The most looks that a search may take among so many pages, as each policy's file says.
fn most_looks(kind: PolicyKind, pages: u32) -> u32 {
    match kind {
        PolicyKind::Fifo | PolicyKind::Random => pages,
        PolicyKind::SecondChance | PolicyKind::Clock | PolicyKind::Aging => pages + 1,
        PolicyKind::EnhancedClock => 2 * pages + 1,
    }
}

/// One reference string for every policy, in 3 to 64 frames.
fn check_against_models(seed: u64, references: usize) {
    let mut rng = Rng::new(seed);
    let frames = 3 + rng.below(62) as u32;
    let mut string = Vec::new();
    while string.len() < references {
        // Into half of the pieces something else comes as well.
        let quiet = rng.chance(2);
        string.extend(piece(&mut rng, frames).into_iter().map(|reference| (reference, quiet)));
    }
    string.truncate(references);
    for kind in PolicyKind::all() {
        let mut pair = Pair::new(kind, frames, seed);
        let mut rng = Rng::new(seed);
        for &(reference, quiet) in &string {
            pair.refer(reference);
            if !quiet && rng.chance(8) {
                pair.meddle(&mut rng);
            }
        }
        let (faults, evictions) = (pair.faults, pair.evictions);
        assert!(evictions > references as u64 / 100 && faults < references as u64, "{kind}: {evictions}");
        println!("seed {seed}, {frames} frames, {kind}: {faults} faults, {evictions} evictions");
    }
}

#[test]
fn victims_are_the_models() {
    for seed in 1..=20 {
        check_against_models(seed, 10_000);
    }
}

#[test]
#[ignore = "a piece of make campaign"]
fn victims_are_the_models_in_long_strings() {
    for seed in 1001..=1100 {
        check_against_models(seed, 100_000);
    }
}

#[test]
fn clock_is_second_chance() {
    for seed in 1..=5 {
        let mut rng = Rng::new(seed);
        let frames = 3 + rng.below(62) as u32;
        let mut pairs = [PolicyKind::Clock, PolicyKind::SecondChance].map(|kind| Pair::new(kind, frames, 0));
        for reference in (0..20).flat_map(|_| piece(&mut rng, frames)).collect::<Vec<_>>() {
            let [clock, queue] = pairs.each_mut().map(|pair| pair.refer(reference));
            assert_eq!(clock, queue);
        }
        assert!(pairs[0].evictions > 100);
    }
}

/// Faults of a string of loads.
fn faults(kind: PolicyKind, string: &[u64], frames: u32, first_use_counts: bool) -> u64 {
    let mut pair = Pair { first_use_counts, ..Pair::new(kind, frames, 0) };
    for &page in string {
        pair.refer(Reference { page, is_store: false });
    }
    pair.faults
}

/// Belady, Nelson and Shedler's string of 1969: more frames, more faults.
///
/// On hardware a page's first use counts: the access that faulted is tried again and sets R. So every page that the hand meets for the first time has its bit
/// set, the hits come where they save nothing, and what goes is what `fifo` would take. Some textbooks let a page come with R = 0, and count from its second use on. Then a
/// single bit is enough to lift the anomaly from this string.
#[test]
fn beladys_table() {
    const STRING: [u64; 12] = [1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5];
    let rows = PolicyKind::all().map(|kind| {
        let [three, four] = [3, 4].map(|frames| faults(kind, &STRING, frames, true));
        let [plain_three, plain_four] = [3, 4].map(|frames| faults(kind, &STRING, frames, false));
        (kind.name(), [three, four], [plain_three, plain_four])
    });
    assert_eq!(
        rows.collect::<Vec<_>>(),
        [
            // Frames: 3, 4; and if the first use does not count: 3, 4.
            ("fifo", [9, 10], [9, 10]),
            ("second-chance", [9, 10], [10, 8]),
            ("clock", [9, 10], [10, 8]),
            ("enhanced-clock", [9, 10], [10, 8]),
            ("aging", [10, 10], [10, 8]),
            ("random", [7, 6], [7, 6]),
        ]
    );
}

/// Round and round through four pages more than there are frames: what was used longest ago is used next, and whoever throws it out faults each time.
#[test]
fn lots_are_better_than_lru_in_a_loop_that_is_too_long() {
    let string: Vec<u64> = (0..20_000).map(|i| i % 36).collect();
    let rows = PolicyKind::all().map(|kind| (kind.name(), faults(kind, &string, 32, true)));
    assert_eq!(
        rows.collect::<Vec<_>>(),
        [
            ("fifo", 20_000),
            ("second-chance", 20_000),
            ("clock", 20_000),
            ("enhanced-clock", 20_000),
            ("aging", 20_000),
            ("random", 4_340),
        ]
    );
}

/// Two new pages that are needed by turns come in once each, however much all others are used: an instruction and what it stores to.
#[test]
fn pages_that_have_just_come_do_not_throw_each_other_out() {
    for kind in PolicyKind::all().filter(|&kind| kind != PolicyKind::Random) {
        let mut pair = Pair::new(kind, 64, 0);
        for round in 0..100 {
            for page in 0..62 {
                pair.refer(Reference { page, is_store: page % 2 == 0 });
            }
            let before = pair.faults;
            for turn in 0..6 {
                pair.refer(Reference { page: 100 + 2 * round + turn % 2, is_store: false });
            }
            assert_eq!(pair.faults - before, 2, "{kind}, round {round}");
        }
    }
}

/// Draws the next reference of a string that is made for so many frames.
type NextReference = fn(&mut Rng, u64) -> Reference;

/// Looks for each victim, on average, with a string made for so many frames.
fn looks_per_victim(kind: PolicyKind, frames: u32, string: NextReference) -> f64 {
    let mut rng = Rng::new(7);
    let mut pair = Pair::new(kind, frames, 7);
    let (mut looks, mut victims) = (0, 0);
    for _ in 0..frames * 40 {
        let before = pair.evictions;
        let reference = string(&mut rng, u64::from(frames));
        pair.memory.looks = 0;
        pair.refer(reference);
        if pair.evictions > before {
            looks += u64::from(pair.memory.looks);
            victims += 1;
        }
    }
    assert!(victims > u64::from(frames), "{kind}: {victims}");
    looks as f64 / victims as f64
}

/// A search costs the same with 16 times the pages: looks for each victim, where loads and stores hit any of twice as many pages as there are frames, where all are stores (a
/// plain reading of enhanced-clock's first pass would look at all pages each time), and where most go to few.
#[test]
fn looks_do_not_grow_with_memory() {
    let strings: [(&str, NextReference); 3] = [
        ("loads and stores", |rng, frames| Reference {
            page: rng.below(2 * frames),
            is_store: rng.chance(4),
        }),
        ("stores", |rng, frames| Reference { page: rng.below(2 * frames), is_store: true }),
        ("mostly stores to few", |rng, frames| {
            let page = if rng.chance(4) { rng.below(4 * frames) } else { rng.below(frames / 2) };
            Reference { page, is_store: !rng.chance(8) }
        }),
    ];
    for kind in PolicyKind::all() {
        for (name, string) in strings {
            let [one, four, sixteen] = [64, 256, 1024].map(|frames| looks_per_victim(kind, frames, string));
            println!("{kind:14} {name:22} {one:.2} {four:.2} {sixteen:.2}");
            assert!(one < 8.0 && four < one * 1.1 && sixteen < one * 1.1, "{kind}, {name}");
        }
    }
}

/// A memory in which every page is used and dirty, once.
struct AllUsed(Vec<bool>);

impl World for AllUsed {
    fn look(&mut self, place: Place) -> Look {
        let accessed = std::mem::take(&mut self.0[place.0 as usize]);
        Look::Marks(Marks { accessed, dirty: true })
    }
    fn peek(&mut self, place: Place) -> Look {
        Look::Marks(Marks { accessed: self.0[place.0 as usize], dirty: true })
    }
    fn now(&self) -> isa::Step {
        isa::Step(0)
    }
}

#[test]
fn the_worst_search_is_as_each_policy_says() {
    let worst = PolicyKind::all().map(|kind| {
        let mut policy = make(kind, 0);
        policy.reserve(100).unwrap();
        (0..100).for_each(|place| policy.enter(Place(place), PageName(place.into())));
        let why = policy.victim(&mut AllUsed(vec![true; 100])).unwrap().why;
        (kind.name(), why.looks, why.cleared)
    });
    let expected = [
        ("fifo", 1, 0),
        ("second-chance", 101, 100),
        ("clock", 101, 100),
        ("enhanced-clock", 201, 100),
        ("aging", 101, 100),
        ("random", 1, 0),
    ];
    assert_eq!(worst.collect::<Vec<_>>(), expected);
}

#[test]
fn random_draws_each_page_equally_often() {
    let mut policy = make(PolicyKind::Random, 1);
    policy.reserve(10).unwrap();
    (0..10).for_each(|place| policy.enter(Place(place), PageName(0)));
    let mut drawn = [0_u32; 10];
    for _ in 0..100_000 {
        drawn[policy.victim(&mut AllUsed(vec![true; 10])).unwrap().place.0 as usize] += 1;
    }
    // 10,000 each; the standard deviation is 95.
    assert!(drawn.iter().all(|count| (9_600..10_400).contains(count)), "{drawn:?}");
}

#[test]
fn the_table_has_every_policy_once() {
    for kind in PolicyKind::all() {
        assert_eq!(kind.name().parse(), Ok(kind));
        assert_eq!(PolicyKind::from_number(kind.number()), Some(kind));
        assert_eq!(format!("{kind:>15}"), format!("{:>15}", kind.name()));
    }
    assert_eq!(PolicyKind::default().name(), "clock");
    assert_eq!("Clock".parse::<PolicyKind>(), Err(UnknownPolicy));
    assert_eq!(PolicyKind::from_number(6), None);
    assert_eq!(
        UnknownPolicy.to_string(),
        "no such replacement policy; there are: fifo, second-chance, clock, enhanced-clock, aging, random"
    );
}

/// docs/policies.md has the table's rows.
#[test]
fn the_page_has_the_table() {
    let page = include_str!("../../../../docs/policies.md");
    for kind in PolicyKind::all() {
        let row = format!("| {} | `{kind}` | {} |", kind.number(), kind.about());
        assert!(page.contains(&row), "docs/policies.md lacks the row {row}");
    }
}

#[test]
fn a_reason_is_a_word() {
    let full = Why {
        marks: Marks { accessed: true, dirty: true },
        counter: 0xa5,
        looks: 1 << 19,
        cleared: 77,
        is_local: false,
        is_asked: false,
    };
    let only = |marks| Why { marks, ..Why::default() };
    let rows = [
        (PolicyKind::Fifo, Why::default(), 0),
        (PolicyKind::Clock, only(Marks { accessed: false, dirty: true }), 0x102),
        (PolicyKind::Random, only(Marks { accessed: true, dirty: false }), 0x205),
        (PolicyKind::Fifo, Why { is_local: true, ..Why::default() }, 0x400),
        (PolicyKind::Fifo, Why { is_asked: true, ..Why::default() }, 0x800),
        (PolicyKind::Aging, full, 77 << 44 | 1 << 43 | 0xa5_0000 | 0x304),
    ];
    for (kind, why, word) in rows {
        assert_eq!(why.word(kind), word, "{kind}");
        assert_eq!(Why::from_word(word), Some((kind, why)));
    }
    let huge = Why { looks: u32::MAX, cleared: 1 << 20, ..full };
    let (_, told) = Why::from_word(huge.word(PolicyKind::Aging)).unwrap();
    assert_eq!((told.looks, told.cleared), ((1 << 20) - 1, (1 << 20) - 1), "the largest that can be told");
    assert_eq!(Why::from_word(0xff), None);
}
