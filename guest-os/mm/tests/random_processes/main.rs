//! Random processes against a slow model that holds every byte: mmap, munmap, mprotect, brk, fork, exit, loads
//! and stores, with a TLB that never forgets unless it is told to, junk in every free frame, and the auditor.
//!
//! The model knows nothing of frames, page tables or copy-on-write: a fork copies all bytes.

#![allow(clippy::cast_possible_truncation, clippy::unwrap_used)] // small numbers

mod model;
#[path = "../support/mod.rs"]
mod support;

use isa::paging::PteFlags;
use isa::{PAGE_SIZE, Ppn, VirtAddr, Vpn};
use mm::layout::{STACK_LIMIT_PAGES, STACK_TOP, USER_START_PAGE, mmap_base_page};
use mm::pte::NotPresent;
use mm::swap::SwapMap;
use mm::{
    AddressSpace, Backing, FileBacking, FileId, Flush, ForkMaps, FrameKind, MapRequest, Memory, PageRange,
    Placement, Prot, SpaceId, Store, Switches, VmaFlags,
};
use model::{Bytes, Model, ModelPage};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use support::audit::audit;
use support::machine::{Machine, Stopped, disk_byte};
use support::rng::Rng;
use support::{VecRam, memory, take_evicted};

const PAGE: usize = PAGE_SIZE as usize;
const RW: Prot = Prot::READ.union(Prot::WRITE);
const DISK_FILES: [(FileId, u64); 2] = [(FileId(1), 20 * PAGE_SIZE + 77), (FileId(2), 5 * PAGE_SIZE)];
const SHARED_FILE: FileId = FileId(9);
const SHARED_PAGES: u64 = 12;
/// Mappings with a fixed address lie in these pages, close enough to meet each other, across a border of page tables.
const ARENA: PageRange = PageRange { start: Vpn(0x1f0), end: Vpn(0x230) };
const HEAP: VirtAddr = VirtAddr(0x10_0000);
const STACK_LIMIT: u64 = 40;

struct World {
    rng: Rng,
    mem: Memory<VecRam>,
    machine: Machine,
    processes: Vec<(AddressSpace, Model)>,
    shared: Vec<Rc<RefCell<Box<[u8; PAGE]>>>>,
    next_id: u32,
    killed: u64,
    /// Whether there are fewer frames than are asked for.
    is_short: bool,
    /// Whether there is swap space.
    swaps: bool,
    /// How often a page that was given up was found to be lost.
    lost: u64,
}

impl World {
    fn with_swap(seed: u64, frames: u64, slots: u32) -> Self {
        let mut world = Self::new(seed, frames);
        world.mem.start_swap(SwapMap::new(slots).unwrap());
        world.machine.writes_wait = seed.is_multiple_of(3);
        world.swaps = true;
        world
    }

    fn new(seed: u64, frames: u64) -> Self {
        let mut mem = memory(frames);
        let mut machine = Machine::default();
        // Every second seed has a hart that sets A and D by itself.
        machine.hart.updates_marks = seed.is_multiple_of(2);
        for (file, len_bytes) in DISK_FILES {
            mem.set_file(file, len_bytes, Store::Device);
        }
        mem.set_file(SHARED_FILE, SHARED_PAGES * PAGE_SIZE, Store::Memory);
        let shared = (0..SHARED_PAGES).map(|_| Rc::new(RefCell::new(Box::new([0; PAGE])))).collect();
        let is_short = frames < 500;
        World {
            rng: Rng::new(seed),
            mem,
            machine,
            processes: Vec::new(),
            shared,
            next_id: 1,
            killed: 0,
            is_short,
            swaps: false,
            lost: 0,
        }
    }

    fn next_id(&mut self) -> SpaceId {
        self.next_id += 1;
        SpaceId(self.next_id)
    }

    fn spawn(&mut self) {
        let id = self.next_id();
        let Ok(mut space) = AddressSpace::new(&mut self.mem, id, id.0 as u16, None) else { return };
        space.set_heap_start(HEAP);
        space.set_stack_limit_pages(STACK_LIMIT);
        self.processes.push((space, Model::default()));
        let who = self.processes.len() - 1;
        let stack = PageRange::new(Vpn(STACK_TOP.page().0 - 3), STACK_TOP.page());
        self.map(who, Placement::Fixed(stack.start), 3, RW, VmaFlags::GROWS_DOWN, Backing::Anon);
    }

    fn map(
        &mut self,
        who: usize,
        placement: Placement,
        len_pages: u64,
        prot: Prot,
        flags: VmaFlags,
        backing: Backing,
    ) {
        let space = &mut self.processes[who].0;
        let request = MapRequest { placement, len_pages, prot, flags, backing, name: "".into() };
        let mapped = space.map(&mut self.mem, request).expect("there is room");
        self.machine.hart.fence(space.asid(), mapped.flush);
        for (number, vpn) in (0..).zip(mapped.range.pages()) {
            let bytes = self.shared_or_fresh(flags, backing, number);
            let stack = flags.contains(VmaFlags::GROWS_DOWN);
            let is_anon = backing == Backing::Anon;
            self.processes[who].1.pages.insert(
                vpn,
                ModelPage {
                    prot,
                    stack,
                    accessed: false,
                    dirty: false,
                    fresh: bytes.clone(),
                    bytes,
                    is_anon,
                    is_given_up: false,
                },
            );
        }
    }

    fn shared_or_fresh(&self, flags: VmaFlags, backing: Backing, page: u64) -> Bytes {
        let mut bytes = Box::new([0; PAGE]);
        if let Backing::File(file) = backing {
            let index = file.first_page + page;
            if flags.contains(VmaFlags::SHARED) {
                return self.shared.get(index as usize).map_or(Bytes::Beyond, |b| Bytes::Shared(b.clone()));
            }
            let len = DISK_FILES.iter().find(|(f, _)| *f == file.file).expect("a disk file").1;
            let from_file = file.len_bytes.map_or(u64::MAX, |l| l.saturating_sub(page * PAGE_SIZE));
            if from_file > 0 && index >= len.div_ceil(PAGE_SIZE) {
                return Bytes::Beyond;
            }
            for at in 0..PAGE_SIZE.min(from_file) {
                let offset = index * PAGE_SIZE + at;
                bytes[at as usize] = if offset < len { disk_byte(file.file, offset) } else { 0 };
            }
        }
        Bytes::Private(bytes)
    }

    fn random_range(&mut self) -> PageRange {
        let start = ARENA.start.0 + self.rng.below(ARENA.len_pages());
        PageRange::new(Vpn(start), Vpn((start + 1 + self.rng.below(16)).min(ARENA.end.0)))
    }

    fn random_map(&mut self, who: usize) {
        let range = self.random_range();
        let len = range.len_pages();
        let prot = self.rng.pick(&[RW, RW, RW, Prot::READ, Prot::WRITE, Prot::empty()]);
        let (flags, backing) = match self.rng.below(4) {
            0 | 1 => (VmaFlags::empty(), Backing::Anon),
            2 => {
                let (file, _) = self.rng.pick(&DISK_FILES);
                let len_bytes =
                    if self.rng.chance(2) { None } else { Some(1 + self.rng.below(len * PAGE_SIZE)) };
                let first_page = self.rng.below(8);
                (VmaFlags::empty(), Backing::File(FileBacking { file, first_page, len_bytes }))
            }
            _ => {
                let first_page = self.rng.below(SHARED_PAGES);
                let backing = FileBacking { file: SHARED_FILE, first_page, len_bytes: None };
                (VmaFlags::SHARED, Backing::File(backing))
            }
        };
        let placement = match self.rng.below(3) {
            0 => Placement::Anywhere,
            1 => Placement::Hint(range.start),
            _ => Placement::Fixed(range.start),
        };
        self.map(who, placement, len, prot, flags, backing);
    }

    fn unmap(&mut self, who: usize) {
        let range = self.random_range();
        let (space, model) = &mut self.processes[who];
        let unmapped = space.unmap(&mut self.mem, range).unwrap();
        self.machine.hart.fence(space.asid(), unmapped.flush);
        model.pages.retain(|vpn, _| !range.contains(*vpn));
    }

    fn protect(&mut self, who: usize) {
        let range = self.random_range();
        let prot = self.rng.pick(&[RW, RW, Prot::READ, Prot::empty()]);
        let (space, model) = &mut self.processes[who];
        let whole = range.pages().all(|vpn| model.pages.contains_key(&vpn));
        let result = space.protect(&mut self.mem, range, prot);
        assert_eq!(result.is_ok(), whole);
        if let Ok((_, flush)) = result {
            self.machine.hart.fence(space.asid(), flush);
            for (_, page) in model.pages.range_mut(range.start..range.end) {
                page.prot = prot;
            }
        }
    }

    fn discard(&mut self, who: usize) {
        let range = self.random_range();
        let (space, model) = &mut self.processes[who];
        let discarded = space.discard(&mut self.mem, range);
        self.machine.hart.fence(space.asid(), discarded.flush);
        for (_, page) in model.pages.range_mut(range.start..range.end) {
            page.bytes = page.fresh.clone();
            (page.accessed, page.dirty, page.is_given_up) = (false, false, false);
        }
    }

    /// Says of a range that it is not needed soon, or not at all, or has it leave memory.
    fn advise(&mut self, who: usize) {
        let mut range = self.random_range();
        let (space, model) = &mut self.processes[who];
        match self.rng.below(3) {
            0 => {
                let flush = space.cool(&mut self.mem, range);
                self.machine.hart.fence(space.asid(), flush);
            }
            1 => {
                let flush = space.give_up(&mut self.mem, range, |_| {});
                self.machine.hart.fence(space.asid(), flush);
                for (_, page) in model.pages.range_mut(range.start..range.end) {
                    page.is_given_up |= page.is_anon;
                }
            }
            _ => {
                while space.page_out(&mut self.mem, &mut range) {
                    let write = self.mem.take_write().expect("it stops at a write");
                    self.machine.write_out(&mut self.mem, write);
                }
            }
        }
        self.see_marks(who);
    }

    /// The model takes over which A and D bits there are: what clears them is not its subject here.
    fn see_marks(&mut self, who: usize) {
        let (space, model) = &mut self.processes[who];
        for (&vpn, page) in &mut model.pages {
            let flags = space.pte(&self.mem, vpn).flags();
            page.accessed &= flags.contains(PteFlags::A);
            page.dirty &= flags.contains(PteFlags::D);
        }
    }

    /// A page that was given up is there: it holds what it held, or what it held before anyone had stored to it, and `stored` since, but nothing else.
    fn see_given_up(&mut self, who: usize, va: VirtAddr, stored: Option<u8>) {
        let (space, model) = &mut self.processes[who];
        let Some(page) = model.pages.get_mut(&va.page()).filter(|page| page.is_given_up) else { return };
        let real = self.mem.phys().frame(space.pte(&self.mem, va.page()).ppn());
        let as_told = |bytes: &Bytes| {
            let Bytes::Private(bytes) = bytes else { unreachable!("anonymous memory is private here") };
            let mut bytes = bytes.clone();
            if let Some(byte) = stored {
                bytes[va.page_offset() as usize] = byte;
            }
            bytes
        };
        let found = [as_told(&page.bytes), as_told(&page.fresh)].into_iter().find(|bytes| bytes[..] == *real);
        self.lost += u64::from(found == Some(as_told(&page.fresh)));
        page.bytes = Bytes::Private(found.expect("neither what it held nor zeros"));
        page.is_given_up = stored.is_none();
    }

    /// Clears A or D of a page, as a policy does.
    fn clear_mark(&mut self, who: usize) {
        let vpn = self.random_range().start;
        let (space, model) = &mut self.processes[who];
        let (accessed, dirty) =
            model.pages.get(&vpn).map_or((false, false), |page| (page.accessed, page.dirty));
        let (was, flush) = if self.rng.chance(2) {
            model.pages.entry(vpn).and_modify(|page| page.accessed = false);
            (accessed, space.clear_accessed(&mut self.mem, vpn))
        } else {
            model.pages.entry(vpn).and_modify(|page| page.dirty = false);
            (dirty, space.clear_dirty(&mut self.mem, vpn))
        };
        // When frames run out, the policy clears A, too.
        assert!(flush.0 == was || (self.is_short || self.swaps) && was);
        self.machine.hart.fence(space.asid(), flush.1);
    }

    /// Gives a process a budget, or takes it away.
    fn limit(&mut self, who: usize) {
        let budget = self.rng.pick(&[None, Some(3), Some(10), Some(30)]);
        self.processes[who].0.set_budget(&mut self.mem, budget);
    }

    /// Maps what is in memory of the pages around one.
    fn map_around(&mut self, who: usize) {
        let vpn = self.random_range().start;
        let window = self.rng.pick(&[2, 16, 64]);
        let (space, _) = &mut self.processes[who];
        // As a fault does, which has had the page itself mapped.
        if space.pte(&self.mem, vpn).is_valid() {
            let flush = space.map_around(&mut self.mem, vpn, window, PteFlags::empty(), |_| {});
            self.machine.hart.fence(space.asid(), flush);
        }
    }

    /// Locks a range, or gives it free; gaps are passed over.
    fn lock(&mut self, who: usize) {
        let range = self.random_range();
        let locks = self.rng.pick(&[VmaFlags::empty(), VmaFlags::LOCKED]);
        self.processes[who].0.set_vma_flags(&mut self.mem, range, locks, VmaFlags::LOCKS).unwrap();
    }

    fn brk(&mut self, who: usize) {
        let wanted = HEAP.wrapping_add(self.rng.below(12 * PAGE_SIZE));
        let (space, model) = &mut self.processes[who];
        let flush = space.brk(&mut self.mem, wanted);
        self.machine.hart.fence(space.asid(), flush);
        assert_eq!(space.heap_end(), wanted);
        let end = Vpn(wanted.0.div_ceil(PAGE_SIZE));
        model.pages.retain(|&vpn, _| !(vpn >= end && vpn < Vpn(HEAP.page().0 + 12)));
        for vpn in PageRange::new(HEAP.page(), end.max(HEAP.page())).pages() {
            let zeros = || Bytes::Private(Box::new([0; PAGE]));
            let page = || ModelPage {
                prot: RW,
                stack: false,
                bytes: zeros(),
                accessed: false,
                dirty: false,
                fresh: zeros(),
                is_anon: true,
                is_given_up: false,
            };
            model.pages.entry(vpn).or_insert_with(page);
        }
    }

    fn fork(&mut self, who: usize) {
        let id = self.next_id();
        let maps = self.rng.pick(&[ForkMaps::Needed, ForkMaps::All]);
        self.mem.set_fork_maps(maps);
        let copies_at_fork = self.rng.chance(3);
        self.mem.set_switches(Switches { copies_at_fork, tells_uses: self.rng.chance(2) });
        let (space, model) = &mut self.processes[who];
        let result = self.machine.with_room(&mut self.mem, |mem| space.fork(mem, id, id.0 as u16, None));
        let flush = result.as_ref().map_or(Flush::All, |report| report.flush);
        self.machine.hart.fence(space.asid(), flush);
        if let Ok(report) = result {
            let of_child = frames_of(&self.mem, &report.child);
            // As the parent's are now: pages of files may have made room for the child's page tables.
            let before = frames_of(&self.mem, space);
            assert_eq!(
                slots_of(&self.mem, &report.child),
                slots_of(&self.mem, space),
                "what is in swap space"
            );
            if maps == ForkMaps::All && !copies_at_fork {
                assert_eq!(of_child, before, "the child maps exactly the parent's frames");
            }
            let is_anonymous = |frame| {
                matches!(
                    self.mem.frames().info(self.mem.frames().lookup(frame).unwrap()).kind,
                    FrameKind::Anon(_)
                )
            };
            // A copy is a frame of the child's own, for the same page.
            let is_copied = |page: &(Vpn, Ppn)| copies_at_fork && is_anonymous(page.1);
            assert!(of_child.iter().all(|page| before.contains(page) != is_copied(page)));
            let has_page = |vpn| of_child.iter().any(|page| page.0 == vpn);
            assert!(before.iter().all(|page| has_page(page.0) || !is_anonymous(page.1)));
            let mut model = model.clone();
            for page in model.pages.values_mut() {
                (page.accessed, page.dirty) = (false, false);
            }
            self.processes.push((report.child, model));
        }
    }

    fn exit(&mut self, who: usize) {
        let (space, _) = self.processes.swap_remove(who);
        self.machine.hart.fence(space.asid(), Flush::All);
        space.teardown(&mut self.mem);
    }

    fn random_address(&mut self, who: usize) -> VirtAddr {
        let pages: Vec<Vpn> = self.processes[who].1.pages.keys().copied().collect();
        let vpn = match self.rng.below(12) {
            0 => Vpn(ARENA.start.0 + self.rng.below(ARENA.len_pages())),
            1 => Vpn(STACK_TOP.page().0 - 1 - self.rng.below(STACK_LIMIT + 5)),
            _ if pages.is_empty() => USER_START_PAGE,
            _ => self.rng.pick(&pages),
        };
        vpn.base().wrapping_add(self.rng.below(PAGE_SIZE))
    }

    /// A load or a store, by the machine and by the model.
    fn access(&mut self, who: usize) {
        let va = self.random_address(who);
        let write = self.rng.chance(2);
        let byte = self.rng.next() as u8;
        let (space, _) = &mut self.processes[who];
        let real = if write {
            self.machine.store(&mut self.mem, space, va, byte).map(|()| byte)
        } else {
            self.machine.load(&mut self.mem, space, va)
        };
        if real == Err(Stopped::OutOfFrames) {
            // The process that asked is killed.
            self.killed += 1;
            return self.exit(who);
        }
        if real.is_ok() {
            self.see_given_up(who, va, write.then_some(byte));
        }
        let model = &mut self.processes[who].1;
        let expected = if write { model.store(va, byte).map(|()| byte) } else { model.load(va) };
        assert_eq!(
            real,
            expected.map_err(Stopped::Signal),
            "{va} write={write}: {:?}",
            self.machine.log.last()
        );
    }

    /// Reads every page of a process, a byte here and there, and compares.
    fn compare_all(&mut self, who: usize) {
        let pages: Vec<Vpn> = self.processes[who].1.pages.keys().copied().collect();
        for vpn in pages {
            for offset in [0, 1, 700, 2048, 4095] {
                let va = vpn.base().wrapping_add(offset);
                let space = &mut self.processes[who].0;
                match self.machine.load(&mut self.mem, space, va) {
                    Err(Stopped::OutOfFrames) => {
                        self.killed += 1;
                        return self.exit(who);
                    }
                    real => {
                        if real.is_ok() {
                            self.see_given_up(who, va, None);
                        }
                        let expected = self.processes[who].1.load(va);
                        assert_eq!(real, expected.map_err(Stopped::Signal), "{va}");
                    }
                }
            }
        }
    }

    /// Whoever looks at a free frame must not like what he sees.
    fn junk_free_frames(&mut self) {
        let free: Vec<_> = self.mem.frames().iter().filter(|(_, i)| i.kind == FrameKind::Free).collect();
        for (frame, _) in free {
            self.mem.phys_mut().fill(frame.ppn(), 0xdd);
        }
    }

    /// Some pages go, whatever there is room for; now and then the disk refuses one.
    fn evict_some(&mut self) {
        if self.swaps && self.rng.chance(20) {
            self.machine.failing_writes = 1;
        }
        for _ in 0..self.rng.below(12) {
            self.mem.evict_one();
            if let Some(write) = self.mem.take_write() {
                self.machine.write_out(&mut self.mem, write);
            }
        }
        if self.rng.chance(2) {
            self.machine.finish_writes(&mut self.mem);
        }
        self.machine.failing_writes = 0;
    }

    /// Pages of files on the disk go, mapped or not; with swap space, all others too.
    fn evict_all(&mut self) {
        while self.mem.evict_all() > 0 || self.swaps {
            let Some(write) = self.mem.take_write() else { break };
            self.machine.write_out(&mut self.mem, write);
        }
        for (space, model) in &mut self.processes {
            for (&vpn, page) in &mut model.pages {
                let has_gone = !space.pte(&self.mem, vpn).is_valid();
                (page.accessed, page.dirty) = (page.accessed && !has_gone, page.dirty && !has_gone);
            }
        }
    }

    /// A is set where a page was used, and D where it was stored to, and nowhere else. (When frames run out, pages of files go, and the
    /// policy clears A of those that stay.)
    fn check_marks(&self) {
        if self.swaps {
            return;
        }
        for (space, model) in &self.processes {
            for (&vpn, page) in &model.pages {
                let flags = space.pte(&self.mem, vpn).flags();
                let marks = (flags.contains(PteFlags::A), flags.contains(PteFlags::D));
                let is_as_told = marks == (page.accessed, page.dirty);
                let may_have_lost_a = self.is_short && page.accessed && marks == (false, page.dirty);
                assert!(is_as_told || may_have_lost_a, "{vpn:?}: {flags:?}");
            }
        }
    }

    fn step(&mut self) {
        if self.processes.is_empty() {
            return self.spawn();
        }
        let who = self.rng.below(self.processes.len() as u64) as usize;
        match self.rng.below(100) {
            0..=7 => self.random_map(who),
            8..=11 => self.unmap(who),
            12 => self.discard(who),
            13..=17 => self.protect(who),
            18..=20 => self.brk(who),
            21..=23 if self.processes.len() < 6 => self.fork(who),
            24 if self.processes.len() < 6 => self.spawn(),
            25..=26 => self.exit(who),
            27 => self.evict_all(),
            28 => self.compare_all(who),
            29..=34 => self.clear_mark(who),
            35 => self.lock(who),
            36..=39 if self.swaps => self.evict_some(),
            40 if self.swaps => self.limit(who),
            41..=42 => self.map_around(who),
            43..=45 => self.advise(who),
            _ => self.access(who),
        }
    }

    fn run(&mut self, steps: u64) {
        for step in 0..steps {
            self.step();
            if step % 8 == 0 {
                self.junk_free_frames();
                self.audit();
                self.check_marks();
            }
        }
    }

    fn audit(&self) {
        audit(&self.mem, self.processes.iter().map(|(space, _)| space));
    }

    /// Ends every process; then nothing but the zero page may be left.
    fn end(mut self) {
        while !self.processes.is_empty() {
            self.compare_all(0);
            if !self.processes.is_empty() {
                self.exit(0);
            }
        }
        self.mem.remove_file(SHARED_FILE);
        self.machine.finish_writes(&mut self.mem);
        self.mem.evict_all();
        audit(&self.mem, []);
        let slots = self.mem.swap().counts();
        assert_eq!(slots.used, slots.bad, "slots were lost");
        assert_eq!(self.mem.frames().used(), 1, "frames were lost: {:?}", self.mem.frames().counts());
    }
}

/// The pages that an address space maps, each with its frame.
fn frames_of(mem: &Memory<VecRam>, space: &AddressSpace) -> Vec<(Vpn, Ppn)> {
    let mut rest = PageRange::new(Vpn(0), STACK_TOP.page());
    std::iter::from_fn(|| {
        let (vpn, pte) = space.next_entry(mem, rest)?;
        rest.start = Vpn(vpn.0 + 1);
        Some((vpn, pte))
    })
    .filter(|(_, pte)| pte.is_valid())
    .map(|(vpn, pte)| (vpn, pte.ppn()))
    .collect()
}

/// The pages of an address space that went out of memory, each with what its entry says.
fn slots_of(mem: &Memory<VecRam>, space: &AddressSpace) -> Vec<(Vpn, NotPresent)> {
    let mut rest = PageRange::new(Vpn(0), STACK_TOP.page());
    std::iter::from_fn(|| {
        let (vpn, pte) = space.next_entry(mem, rest)?;
        rest.start = Vpn(vpn.0 + 1);
        Some((vpn, pte))
    })
    .filter_map(|(vpn, pte)| Some((vpn, NotPresent::decode(pte)?)))
    .collect()
}

fn kinds_seen(world: &World) -> BTreeMap<&'static str, u64> {
    let mut kinds = BTreeMap::new();
    for resolution in &world.machine.log {
        let kind = resolution.action.event_kind().expect("a finished fault has a kind");
        *kinds.entry(kind.name()).or_insert(0) += 1;
    }
    kinds
}

#[test]
fn many_processes_see_their_own_bytes() {
    let mut seen = BTreeMap::new();
    for seed in 1..=30 {
        println!("seed {seed}");
        let mut world = World::new(seed, 2000);
        world.run(3000);
        assert_eq!(world.killed, 0, "there are frames enough");
        for (kind, count) in kinds_seen(&world) {
            *seen.entry(kind).or_insert(0) += count;
        }
        world.end();
    }
    // The random operations reach every kind of fault.
    for kind in [
        "zero",
        "zero_shared",
        "file_disk",
        "file_cache",
        "file_copy",
        "cow_copy",
        "cow_reuse",
        "stack_grow",
        "shared_map",
        "accessed",
        "dirtied",
        "protection",
        "segv",
    ] {
        assert!(seen.get(kind).is_some_and(|&n| n > 50), "{kind} is rare: {seen:?}");
    }
}

#[test]
fn many_processes_with_too_few_frames() {
    let mut killed = 0;
    for seed in 101..=130 {
        println!("seed {seed}");
        let mut world = World::new(seed, 60);
        world.run(3000);
        killed += world.killed;
        world.end();
    }
    assert!(killed > 30, "the frames ran out only {killed} times");
}

#[test]
fn many_processes_with_swap_space() {
    let (mut seen, mut refused, mut lost) = (BTreeMap::new(), 0, 0);
    for seed in 201..=230 {
        println!("seed {seed}");
        let mut world = World::with_swap(seed, 110, 2000);
        world.run(3000);
        assert_eq!(world.killed, 0, "there is swap space enough");
        for (kind, count) in kinds_seen(&world) {
            *seen.entry(kind).or_insert(0) += count;
        }
        refused += world.mem.swap().counts().bad;
        lost += world.lost;
        assert!(world.machine.swap_reads.len() > 100 && world.machine.swap_writes.len() > 100);
        world.end();
    }
    assert!(refused > 30, "the disk has refused {refused} pages");
    assert!(lost > 1000, "{lost} pages that were given up were lost");
    assert!(seen["swap_in"] > 10_000, "{seen:?}");
}

#[test]
fn many_processes_with_too_little_swap_space() {
    let mut killed = 0;
    for seed in 401..=430 {
        println!("seed {seed}");
        let mut world = World::with_swap(seed, 60, 25);
        world.run(3000);
        killed += world.killed;
        world.end();
    }
    assert!(killed > 10, "memory ran out only {killed} times");
}

/// After each operation the reverse maps of all frames are what a walk of all page tables finds.
fn check_reverse_maps(seeds: std::ops::RangeInclusive<u64>, steps: u64) {
    let mut evictions = 0;
    for seed in seeds {
        println!("seed {seed}");
        // Every second seed has swap space.
        let mut world = World::new(seed, 90);
        if seed.is_multiple_of(2) {
            world = World::with_swap(seed, 90, 100);
        }
        for _ in 0..steps {
            world.step();
            world.audit();
            evictions += take_evicted(&mut world.mem).len();
        }
        world.end();
    }
    assert!(evictions > 100, "only {evictions} pages were evicted");
}

#[test]
fn reverse_maps_are_what_a_walk_finds_after_each_operation() {
    check_reverse_maps(301..=310, 10_000);
}

#[test]
#[ignore = "a piece of make campaign"]
fn reverse_maps_are_what_a_walk_finds_in_long_runs() {
    check_reverse_maps(1001..=1100, 100_000);
}

#[test]
fn the_same_seed_is_the_same_run() {
    let run = |seed| {
        let mut world = World::new(seed, 300);
        world.run(2000);
        (world.machine.log.clone(), world.machine.disk_reads.clone(), world.mem.frames().peak_used())
    };
    for seed in [7, 8] {
        assert_eq!(run(seed), run(seed));
    }
}

const _: () = assert!(ARENA.end.0 < mmap_base_page(STACK_LIMIT_PAGES).0);
