//! Policies that are not in the kernel yet, in short and without care for time and space, over the trait as it is: it has what they need.

use crate::memory::{Memory, Page};
use crate::rng::Rng;
use isa::Step;
use mm::policy::{Choice, Left, Look, Marks, PageName, Place, Policy, PolicyKind, Why, World, make};
use std::collections::{BTreeMap, TryReserveError, VecDeque};

/// What all of them keep: the pages by place, each with what the policy notes of it.
type Pages<T> = BTreeMap<Place, T>;

/// The methods that are alike: `$pages` has the pages.
macro_rules! entered_in {
    ($pages:ident) => {
        fn reserve(&mut self, _: u32) -> Result<(), TryReserveError> {
            Ok(())
        }
        fn is_entered(&self, place: Place) -> bool {
            self.$pages.contains_key(&place)
        }
        fn entered(&self) -> u32 {
            self.$pages.len() as u32
        }
    };
}

fn choice(place: Place, marks: Marks) -> Option<Choice> {
    Some(Choice { place, why: Why { marks, ..Why::default() } })
}

fn remove(queue: &mut VecDeque<Place>, place: Place) {
    queue.retain(|&other| other != place);
}

/// Carr and Hennessy's working-set clock.
#[derive(Debug)]
struct WorkingSetClock {
    window_steps: u64,
    /// From the hand on.
    ring: VecDeque<Place>,
    /// When each was last seen to have been used.
    pages: Pages<Option<Step>>,
}

impl Policy for WorkingSetClock {
    entered_in!(pages);
    fn enter(&mut self, place: Place, _: PageName) {
        self.ring.push_back(place);
        self.pages.insert(place, None);
    }
    fn leave(&mut self, place: Place, _: Left) {
        remove(&mut self.ring, place);
        self.pages.remove(&place);
    }
    fn victim(&mut self, world: &mut dyn World) -> Option<Choice> {
        let mut old_and_dirty = None;
        let mut oldest: Option<(Step, Choice)> = None;
        for _ in 0..self.ring.len() {
            let place = self.ring[0];
            let Look::Marks(marks) = world.look(place) else {
                self.leave(place, Left::Freed);
                continue;
            };
            let last_use = self.pages.get_mut(&place).unwrap();
            if marks.accessed {
                *last_use = Some(world.now());
            }
            let since = *last_use.get_or_insert(world.now());
            let found = choice(place, marks);
            if !marks.accessed && world.now().0 - since.0 > self.window_steps {
                if !marks.dirty {
                    return found;
                }
                old_and_dirty = old_and_dirty.or(found);
            }
            if oldest.is_none_or(|(before, _)| since < before) {
                oldest = found.map(|found| (since, found));
            }
            self.ring.rotate_left(1);
        }
        old_and_dirty.or(oldest.map(|(_, found)| found))
    }
}

/// Johnson and Shasha's 2Q, with second chances in place of LRU.
#[derive(Debug, Default)]
struct TwoQueues {
    once: VecDeque<Place>,
    gone: VecDeque<PageName>,
    again: VecDeque<Place>,
    pages: Pages<PageName>,
    used: Vec<Place>,
}

impl Policy for TwoQueues {
    entered_in!(pages);
    fn enter(&mut self, place: Place, name: PageName) {
        let queue = if self.gone.contains(&name) { &mut self.again } else { &mut self.once };
        queue.push_back(place);
        self.pages.insert(place, name);
    }
    fn leave(&mut self, place: Place, why: Left) {
        let name = self.pages.remove(&place).unwrap();
        if why == Left::Evicted && self.once.contains(&place) {
            self.gone.push_back(name);
            if self.gone.len() > self.pages.len() / 2 {
                self.gone.pop_front();
            }
        }
        remove(&mut self.once, place);
        remove(&mut self.again, place);
        self.used.retain(|&other| other != place);
    }
    fn used(&mut self, place: Place) {
        self.used.push(place);
    }
    fn victim(&mut self, world: &mut dyn World) -> Option<Choice> {
        loop {
            let from_once = self.once.len() > self.pages.len() / 4 || self.again.is_empty();
            let place = *if from_once { self.once.front() } else { self.again.front() }?;
            match world.look(place) {
                Look::Busy => self.leave(place, Left::Freed),
                Look::Marks(marks) if from_once => return choice(place, marks),
                Look::Marks(marks) if !marks.accessed && !self.used.contains(&place) => {
                    return choice(place, marks);
                }
                Look::Marks(_) => {
                    self.again.rotate_left(1);
                    self.used.retain(|&other| other != place);
                }
            }
        }
    }
}

/// Zhang's SIEVE.
#[derive(Debug, Default)]
struct Sieve {
    /// Oldest first.
    order: VecDeque<Place>,
    hand: usize,
    newest: Option<Place>,
    pages: Pages<()>,
}

impl Policy for Sieve {
    entered_in!(pages);
    fn enter(&mut self, place: Place, _: PageName) {
        self.order.push_back(place);
        self.newest = Some(place);
        self.pages.insert(place, ());
    }
    fn leave(&mut self, place: Place, _: Left) {
        let index = self.order.iter().position(|&other| other == place).unwrap();
        self.hand -= usize::from(index < self.hand);
        remove(&mut self.order, place);
        // Past the newest it is at the oldest: a page that comes now is not the next.
        self.hand %= self.order.len().max(1);
        self.pages.remove(&place);
        self.newest = self.newest.filter(|&newest| newest != place);
    }
    fn victim(&mut self, world: &mut dyn World) -> Option<Choice> {
        if let Some(newest) = self.newest.take()
            && world.look(newest) == Look::Busy
        {
            self.leave(newest, Left::Freed);
        }
        loop {
            let place = *self.order.get(self.hand)?;
            match world.look(place) {
                Look::Busy => self.leave(place, Left::Freed),
                Look::Marks(marks) if !marks.accessed => return choice(place, marks),
                Look::Marks(_) => self.hand = (self.hand + 1) % self.order.len(),
            }
        }
    }
}

/// Yang's S3-FIFO.
#[derive(Debug, Default)]
struct SmallMainGhost {
    small: VecDeque<Place>,
    main: VecDeque<Place>,
    ghosts: VecDeque<PageName>,
    /// Its name, and how often it was seen to have been used, up to 3.
    pages: Pages<(PageName, u8)>,
    newest: Option<Place>,
}

impl Policy for SmallMainGhost {
    entered_in!(pages);
    fn enter(&mut self, place: Place, name: PageName) {
        let queue = if self.ghosts.contains(&name) { &mut self.main } else { &mut self.small };
        queue.push_back(place);
        self.pages.insert(place, (name, 0));
        self.newest = Some(place);
    }
    fn leave(&mut self, place: Place, why: Left) {
        let (name, _) = self.pages.remove(&place).unwrap();
        if why == Left::Evicted && self.small.contains(&place) {
            self.ghosts.push_back(name);
            if self.ghosts.len() > self.pages.len() {
                self.ghosts.pop_front();
            }
        }
        remove(&mut self.small, place);
        remove(&mut self.main, place);
        self.newest = self.newest.filter(|&newest| newest != place);
    }
    fn used(&mut self, place: Place) {
        let (_, count) = self.pages.get_mut(&place).unwrap();
        *count = (*count + 1).min(3);
    }
    fn victim(&mut self, world: &mut dyn World) -> Option<Choice> {
        if let Some(newest) = self.newest.take()
            && world.look(newest) == Look::Busy
        {
            self.leave(newest, Left::Freed);
        }
        loop {
            let from_small = self.small.len() > self.pages.len() / 10 || self.main.is_empty();
            let place = *if from_small { self.small.front() } else { self.main.front() }?;
            let Look::Marks(marks) = world.look(place) else {
                self.leave(place, Left::Freed);
                continue;
            };
            if marks.accessed {
                self.used(place);
            }
            let (_, count) = self.pages.get_mut(&place).unwrap();
            match *count {
                0 => return choice(place, marks),
                _ if from_small => {
                    *count = 0;
                    self.small.pop_front();
                    self.main.push_back(place);
                }
                _ => {
                    *count -= 1;
                    self.main.rotate_left(1);
                }
            }
        }
    }
}

/// Generations, as Linux's multi-generational LRU has them, made by walks over the places.
#[derive(Debug, Default)]
struct Generations {
    youngest: u64,
    pages: Pages<u64>,
}

impl Generations {
    /// Looks at all pages: those that were used are of a new generation.
    fn walk(&mut self, world: &mut dyn World) {
        self.youngest += 1;
        let youngest = self.youngest;
        self.pages.retain(|&place, generation| match world.look(place) {
            Look::Busy => false,
            Look::Marks(marks) => {
                if marks.accessed {
                    *generation = youngest;
                }
                true
            }
        });
    }
}

impl Policy for Generations {
    entered_in!(pages);
    fn enter(&mut self, place: Place, _: PageName) {
        self.pages.insert(place, self.youngest);
    }
    fn leave(&mut self, place: Place, _: Left) {
        self.pages.remove(&place);
    }
    fn used(&mut self, place: Place) {
        self.pages.insert(place, self.youngest);
    }
    fn victim(&mut self, world: &mut dyn World) -> Option<Choice> {
        loop {
            let (&place, &generation) = self.pages.iter().min_by_key(|(_, generation)| **generation)?;
            if generation == self.youngest {
                self.walk(world);
            }
            match world.look(place) {
                Look::Busy => self.leave(place, Left::Freed),
                Look::Marks(marks) if !marks.accessed => return choice(place, marks),
                Look::Marks(_) => self.used(place),
            }
        }
    }
}

/// A policy with memory full of pages of its own.
struct Run {
    policy: Box<dyn Policy>,
    memory: Memory,
    faults: u64,
}

impl Run {
    fn new(mut policy: Box<dyn Policy>, frames: u32) -> Self {
        policy.reserve(frames).unwrap();
        Self { policy, memory: Memory::new(frames), faults: 0 }
    }
    /// A load or store; returns the page that went.
    fn refer(&mut self, name: u64, is_store: bool) -> Option<u64> {
        self.memory.time += 1;
        let mut gone = None;
        let place = self.memory.place_of(name).unwrap_or_else(|| {
            self.faults += 1;
            let place = self.memory.free_place().unwrap_or_else(|| {
                let place = self.policy.victim(&mut self.memory).unwrap().place;
                gone = Some(self.memory.page(place).name);
                self.policy.leave(place, Left::Evicted);
                self.memory.take(place);
                place
            });
            self.memory.put(place, Page::new(name));
            self.policy.enter(place, PageName(name));
            place
        });
        let page = self.memory.page_mut(place);
        page.accessed = true;
        page.dirty |= is_store;
        gone
    }
}

/// Faults where half of the uses go to eight pages, and the others to pages that are never used again.
fn faults_with_a_scan(policy: Box<dyn Policy>) -> u64 {
    let (mut rng, mut run) = (Rng::new(3), Run::new(policy, 16));
    for i in 0..10_000 {
        run.refer(if rng.chance(2) { rng.below(8) } else { 100 + i }, false);
    }
    run.faults
}

#[test]
fn scans_do_less_harm_to_policies_that_know_pages_again() {
    let clock = faults_with_a_scan(make(PolicyKind::Clock, 0));
    let fifo = faults_with_a_scan(make(PolicyKind::Fifo, 0));
    assert!(clock < fifo);
    let policies: [(&str, Box<dyn Policy>); 4] = [
        ("2Q", Box::<TwoQueues>::default()),
        ("SIEVE", Box::<Sieve>::default()),
        ("S3-FIFO", Box::<SmallMainGhost>::default()),
        ("generations", Box::<Generations>::default()),
    ];
    for (name, policy) in policies {
        let faults = faults_with_a_scan(policy);
        println!("{name}: {faults} faults, clock {clock}, fifo {fifo}");
        assert!(faults < clock, "{name}: {faults}, clock {clock}");
    }
}

#[test]
fn the_working_set_clock_keeps_the_window_and_spares_writes() {
    let policy = WorkingSetClock { window_steps: 10, ring: VecDeque::new(), pages: BTreeMap::new() };
    let mut run = Run::new(Box::new(policy), 4);
    for (name, is_store) in [(1, false), (2, true), (3, false), (4, false)] {
        run.refer(name, is_store);
    }
    // All were used lately: the hand goes round, and the page that was seen to be used first goes.
    assert_eq!(run.refer(5, false), Some(1));
    run.memory.time += 20;
    // 2 has not been used in the window, but is dirty.
    assert_eq!(run.refer(6, false), Some(3));
    run.memory.time += 20;
    assert_eq!(run.refer(7, false), Some(4));
    run.memory.time += 20;
    // 5, 6 and 7 have been used since the hand last came by, so 2 goes in the end.
    assert_eq!(run.refer(8, false), Some(2));
}
