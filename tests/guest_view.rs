//! The view that is folded from events against the memory management that they tell of: random processes map, unmap,
//! protect, move their break, touch, fork, exec and exit through `mm` itself; each operation is reported as the
//! kernel reports it; and after each the view must have the same VMAs, the same frame at every page, the same owners
//! of every frame, and the same frames in use. Fixed seeds.
#![allow(clippy::unwrap_used)] // in functions that only tests call
#![allow(clippy::cast_possible_truncation)] // small numbers

#[path = "../guest-os/mm/tests/support/mod.rs"]
mod support;

use emulator::trace::{Event, FrameContent, SystemUse, Trace};
use isa::events::{Access, EventKind, EventRecord};
use isa::{PAGE_SIZE, Ppn, Step, VirtAddr, Vpn};
use mm::layout::STACK_TOP;
use mm::{
    AddressSpace, Backing, FileBacking, FileId, Flush, FrameKind, FrameNote, MapRequest, Memory, PageRange,
    Placement, Prot, SpaceId, Store, Vma, VmaFlags,
};
use std::collections::{BTreeMap, BTreeSet};
use support::machine::Machine;
use support::rng::Rng;
use support::{VecRam, memory};

const RW: Prot = Prot::READ.union(Prot::WRITE);
const DISK_FILE: FileId = FileId(1);
const DISK_PAGES: u64 = 20;
const SHARED_FILE: FileId = FileId(9);
const SHARED_PAGES: u64 = 12;
const ARENA: u64 = 0x1f0;
const ARENA_PAGES: u64 = 0x40;
const HEAP: VirtAddr = VirtAddr(0x10_0000);

struct World {
    rng: Rng,
    mem: Memory<VecRam>,
    machine: Machine,
    processes: BTreeMap<u64, AddressSpace>,
    next: u64,
    trace: Trace,
    step: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut mem = memory(3000);
        mem.set_file(DISK_FILE, DISK_PAGES * PAGE_SIZE - 77, Store::Device);
        mem.set_file(SHARED_FILE, SHARED_PAGES * PAGE_SIZE, Store::Memory);
        let (rng, machine, trace) = (Rng::new(seed), Machine::default(), Trace::default());
        let mut world = World { rng, mem, machine, processes: BTreeMap::new(), next: 1, trace, step: 0 };
        world.exec(1);
        world
    }

    /// What `mm` has told of frames goes into the stream first, as in the kernel.
    fn report(
        &mut self,
        kind: EventKind,
        pid: u64,
        text: impl AsRef<[u8]>,
        fill: impl FnOnce(&mut EventRecord),
    ) {
        self.report_notes();
        self.push(kind, pid, text, fill);
    }
    fn report_notes(&mut self) {
        for (frame, note) in std::mem::take(&mut self.mem.phys_mut().notes) {
            let (kind, detail, detail2) = match note {
                FrameNote::Taken(kind) => (EventKind::FrameTake, u64::from(kind.number()), 0),
                FrameNote::CacheFilled(key) => (EventKind::CacheFill, key.file.0, key.index),
                FrameNote::Evicted(key, ..) => (EventKind::Evict, key.file.0, key.index),
                FrameNote::CacheDropped(key) => (EventKind::CacheDrop, key.file.0, key.index),
                FrameNote::Freed => (EventKind::FrameFree, 0, 0),
                note => unreachable!("there is no swap space: {note:?}"),
            };
            self.push(kind, 0, "", |r| (r.frame, r.detail, r.detail2) = (frame.0, detail, detail2));
        }
    }
    fn push(
        &mut self,
        kind: EventKind,
        pid: u64,
        text: impl AsRef<[u8]>,
        fill: impl FnOnce(&mut EventRecord),
    ) {
        let space = self.processes.get(&pid).map_or(0, |space| u64::from(space.id().0));
        let mut record = EventRecord { kind: kind as u64, pid, tid: pid, space, ..EventRecord::default() };
        fill(&mut record);
        self.step += 1;
        self.trace.fold(&Event::new(Step(self.step), 0, &record, text.as_ref()));
    }
    fn report_vma(&mut self, pid: u64, vma: &Vma) {
        let (file, offset) = match vma.backing {
            Backing::Anon => (0, 0),
            Backing::File(file) => (file.file.0, file.first_page * PAGE_SIZE),
        };
        self.report(EventKind::Mmap, pid, vma.name.as_bytes(), |r| {
            (r.va, r.va_end) = (vma.range.start.base().0, vma.range.end.base().0);
            (r.detail, r.detail2, r.detail3) = (file, offset, vma.event_flags());
        });
    }
    fn report_range(&mut self, kind: EventKind, pid: u64, range: PageRange, flags: u64) {
        self.report(kind, pid, "", |r| {
            (r.va, r.va_end, r.detail3) = (range.start.base().0, range.end.base().0, flags);
        });
    }
    fn new_space(&mut self) -> AddressSpace {
        self.next += 1;
        let id = SpaceId(self.next as u32);
        let mut space = AddressSpace::new(&mut self.mem, id, self.next as u16, None).expect("frames enough");
        space.set_heap_start(HEAP);
        space
    }

    /// The process runs a new program: a fresh address space with a stack.
    fn exec(&mut self, pid: u64) {
        let mut space = self.new_space();
        let satp = space.satp().0;
        let stack = MapRequest {
            placement: Placement::Fixed(Vpn(STACK_TOP.page().0 - 3)),
            len_pages: 3,
            prot: RW,
            flags: VmaFlags::GROWS_DOWN,
            backing: Backing::Anon,
            name: "[stack]".into(),
        };
        space.map(&mut self.mem, stack).expect("an empty address space has room");
        let vmas: Vec<Vma> = space.vmas().iter().cloned().collect();
        if let Some(old) = self.processes.insert(pid, space) {
            self.machine.hart.fence(old.asid(), Flush::All);
            old.teardown(&mut self.mem);
        }
        self.report(EventKind::Exec, pid, "/bin/program", |r| r.detail2 = satp);
        for vma in vmas {
            self.report_vma(pid, &vma);
        }
    }

    fn random_range(&mut self) -> PageRange {
        let start = self.rng.below(ARENA_PAGES);
        let end = (start + 1 + self.rng.below(16)).min(ARENA_PAGES);
        PageRange::new(Vpn(ARENA + start), Vpn(ARENA + end))
    }

    fn map(&mut self, pid: u64) {
        let range = self.random_range();
        let file = |file, first_page, len_bytes| Backing::File(FileBacking { file, first_page, len_bytes });
        let (flags, backing, name) = match self.rng.below(4) {
            0 | 1 => (VmaFlags::empty(), Backing::Anon, ""),
            2 => {
                // As `exec` makes them: the file ends inside the last page.
                let part = (range.len_pages() - 1) * PAGE_SIZE + 1 + self.rng.below(PAGE_SIZE);
                let len_bytes = if self.rng.chance(2) { None } else { Some(part) };
                (VmaFlags::empty(), file(DISK_FILE, self.rng.below(8), len_bytes), "/lib/file")
            }
            _ => (VmaFlags::SHARED, file(SHARED_FILE, 0, None), "/tmp/shared"),
        };
        let prot = self.rng.pick(&[RW, RW, RW, Prot::READ, Prot::empty()]);
        let (placement, len_pages) = (Placement::Fixed(range.start), range.len_pages());
        let request = MapRequest { placement, len_pages, prot, flags, backing, name: name.into() };
        let space = self.processes.get_mut(&pid).expect("the process lives");
        let mapped = space.map(&mut self.mem, request.clone()).expect("there is room");
        self.machine.hart.fence(space.asid(), mapped.flush);
        for vma in &mapped.replaced {
            self.report_range(EventKind::Munmap, pid, vma.range, 0);
        }
        let MapRequest { prot, flags, backing, name, .. } = request;
        self.report_vma(pid, &Vma { range: mapped.range, prot, flags, backing, name });
    }

    fn unmap(&mut self, pid: u64) {
        let range = self.random_range();
        let space = self.processes.get_mut(&pid).expect("the process lives");
        let unmapped = space.unmap(&mut self.mem, range).expect("the range is in user space");
        self.machine.hart.fence(space.asid(), unmapped.flush);
        for vma in &unmapped.removed {
            self.report_range(EventKind::Munmap, pid, vma.range, 0);
        }
    }

    fn discard(&mut self, pid: u64) {
        let range = self.random_range();
        let space = self.processes.get_mut(&pid).expect("the process lives");
        let discarded = space.discard(&mut self.mem, range);
        self.machine.hart.fence(space.asid(), discarded.flush);
        self.report_range(EventKind::Discard, pid, range, 0);
    }

    fn protect(&mut self, pid: u64) {
        let range = self.random_range();
        let prot = self.rng.pick(&[RW, Prot::READ, Prot::empty()]);
        let space = self.processes.get_mut(&pid).expect("the process lives");
        let Ok((changed, flush)) = space.protect(&mut self.mem, range, prot) else { return };
        self.machine.hart.fence(space.asid(), flush);
        for vma in changed {
            self.report_range(EventKind::Mprotect, pid, vma.range, vma.event_flags());
        }
    }

    fn brk(&mut self, pid: u64) {
        let wanted = HEAP.wrapping_add(self.rng.below(12 * PAGE_SIZE));
        let space = self.processes.get_mut(&pid).expect("the process lives");
        let flush = space.brk(&mut self.mem, wanted);
        self.machine.hart.fence(space.asid(), flush);
        let end = space.heap_end().0;
        self.report(EventKind::Brk, pid, "", |r| (r.va, r.va_end) = (HEAP.0, end));
    }

    fn fork(&mut self, pid: u64) {
        self.next += 1;
        let child = self.next;
        let space = self.processes.get_mut(&pid).expect("the process lives");
        let forked =
            space.fork(&mut self.mem, SpaceId(child as u32), child as u16, None).expect("frames enough");
        self.machine.hart.fence(space.asid(), forked.flush);
        let (space, satp) = (u64::from(forked.child.id().0), forked.child.satp().0);
        self.processes.insert(child, forked.child);
        self.report(EventKind::Fork, pid, "", |r| (r.detail, r.detail2, r.detail3) = (child, satp, space));
        for PageRange { start, end } in forked.shared.iter().map(|shared| shared.range) {
            self.report(EventKind::CowShare, pid, "", |r| {
                (r.va, r.va_end, r.detail2) = (start.base().0, end.base().0, space);
            });
        }
    }

    fn exit(&mut self, pid: u64) {
        let space = self.processes.remove(&pid).expect("the process lives");
        self.machine.hart.fence(space.asid(), Flush::All);
        space.teardown(&mut self.mem);
        self.report(EventKind::Exit, pid, "", |_| {});
    }

    fn touch(&mut self, pid: u64) {
        let space = self.processes.get_mut(&pid).expect("the process lives");
        let page = match self.rng.below(8) {
            0 => STACK_TOP.page().0 - 1 - self.rng.below(8),
            1 | 2 => HEAP.page().0 + self.rng.below(12),
            _ => ARENA + self.rng.below(ARENA_PAGES),
        };
        let va = Vpn(page).base().wrapping_add(self.rng.below(PAGE_SIZE));
        let access = if self.rng.chance(2) { Access::Write } else { Access::Read };
        let before = self.machine.log.len();
        // Refused or not, the log says what became of it.
        let _ = self.machine.translate(&mut self.mem, space, va, access);
        let resolutions = self.machine.log.split_off(before);
        for resolution in &resolutions {
            let event = resolution.event();
            self.report(EventKind::Zero, pid, "", |r| {
                *r = EventRecord { pid, tid: pid, space: r.space, ..event }
            });
        }
        self.machine.log.extend(resolutions);
    }

    fn evict(&mut self) {
        while self.mem.evict_one() {}
        self.report_notes();
    }

    fn turn(&mut self) {
        let pids: Vec<u64> = self.processes.keys().copied().collect();
        let pid = self.rng.pick(&pids);
        match self.rng.below(100) {
            0..=9 => self.map(pid),
            10..=13 => self.unmap(pid),
            14 | 15 => self.discard(pid),
            16..=21 => self.protect(pid),
            22..=26 => self.brk(pid),
            27..=29 if pids.len() < 6 => self.fork(pid),
            30 => self.exec(pid),
            31 | 32 if pids.len() > 1 => self.exit(pid),
            33 => self.evict(),
            _ => self.touch(pid),
        }
    }

    /// The view and `mm` must agree on everything that both know.
    fn compare(&self) {
        let mut owners: BTreeMap<Ppn, BTreeSet<(u64, Vpn)>> = BTreeMap::new();
        for (&pid, space) in &self.processes {
            let view = self.trace.guest.space(pid).expect("the process lives in the view too");
            let real: Vec<_> = space.vmas().iter().map(described).collect();
            let seen: Vec<_> = view
                .vmas()
                .map(|v| (v.start.page(), v.end.page(), v.flags, v.file, v.offset_bytes, v.name.clone()))
                .collect();
            assert_eq!(merged(seen), merged(real), "VMAs of process {pid}");
            let mapped = frames_of(&self.mem, space);
            assert_eq!(view.pages().collect::<Vec<_>>(), mapped, "pages of process {pid}");
            for (vpn, frame) in mapped {
                owners.entry(frame).or_default().insert((u64::from(space.id().0), vpn));
            }
        }
        // What level of page table there is for an address follows from the pages that are mapped.
        let spaces = self.processes.keys().filter_map(|&pid| self.trace.guest.space(pid));
        let tables = spaces.map(|space| {
            let of = |level: u8| {
                let reached = |&(vpn, _): &(Vpn, Ppn)| space.lowest_table(vpn.base()) <= level;
                let tables = space.pages().filter(reached).map(|(vpn, _)| vpn.0 >> (9 * (level + 1)));
                tables.collect::<BTreeSet<_>>().len() as u64
            };
            (0..3).map(|level| if level == 2 { 1 } else { of(level) }).sum::<u64>()
        });
        let tables: u64 = tables.sum();
        assert_eq!(
            tables,
            self.trace.guest.frames_of_programs() - self.trace.guest.frames_in_use(),
            "page tables"
        );
        let zero = self.mem.zero_page().ppn();
        let system: BTreeMap<Ppn, SystemUse> = self.trace.guest.system_frames().collect();
        let mut in_use = 0;
        for (frame, info) in self.mem.frames().iter() {
            let view = self.trace.guest.frame(frame.ppn());
            match info.kind {
                FrameKind::Anon(_) => {
                    in_use += 1;
                    assert_eq!(view.map(|v| v.content), Some(FrameContent::Anonymous), "{frame:?}");
                }
                FrameKind::PageCache(key) => {
                    in_use += 1;
                    let content = FrameContent::File { file: key.file.0, page: key.index };
                    assert_eq!(view.map(|v| v.content), Some(content), "{frame:?}");
                }
                FrameKind::Zero => {
                    in_use += 1;
                    assert_eq!(view.map(|v| v.content), Some(FrameContent::Zero));
                }
                FrameKind::Orphan => {
                    in_use += 1;
                    assert_eq!(view.map(|v| v.content), Some(FrameContent::Dropped), "{frame:?}");
                }
                FrameKind::Free | FrameKind::Kernel | FrameKind::PageTable => {
                    assert_eq!(view, None, "{frame:?} is {:?}", info.kind);
                    let system_use = (info.kind == FrameKind::PageTable).then_some(SystemUse::PageTable);
                    assert_eq!(system.get(&frame.ppn()).copied(), system_use, "{frame:?}");
                }
            }
            if let Some(view) = view {
                let real = owners.remove(&frame.ppn()).unwrap_or_default();
                assert_eq!(view.mappings, real, "owners of {frame:?}");
            }
        }
        assert!(owners.keys().all(|&frame| frame == zero), "frames that the view has not: {owners:?}");
        assert_eq!(self.trace.guest.frames_in_use(), in_use);
    }
}

type Described = (Vpn, Vpn, u64, u64, u64, String);

fn described(vma: &Vma) -> Described {
    let (file, offset) = match vma.backing {
        Backing::Anon => (0, 0),
        Backing::File(file) => (file.file.0, file.first_page * PAGE_SIZE),
    };
    let name = String::from_utf8_lossy(vma.name.as_bytes()).into_owned();
    (vma.range.start, vma.range.end, vma.event_flags(), file, offset, name)
}

/// Neighbours that are alike as one: how far both sides merge is not at stake.
fn merged(vmas: Vec<Described>) -> Vec<Described> {
    let mut all: Vec<Described> = Vec::new();
    for vma in vmas {
        let Some(last) = all.last_mut() else {
            all.push(vma);
            continue;
        };
        let offset = if last.3 == 0 { 0 } else { last.4 + (last.1.0 - last.0.0) * PAGE_SIZE };
        if last.1 == vma.0 && (last.2, last.3, &last.5) == (vma.2, vma.3, &vma.5) && offset == vma.4 {
            last.1 = vma.1;
        } else {
            all.push(vma);
        }
    }
    all
}

/// The pages that an address space maps, each with its frame.
fn frames_of(mem: &Memory<VecRam>, space: &AddressSpace) -> Vec<(Vpn, Ppn)> {
    let mut rest = PageRange::new(Vpn(0), STACK_TOP.page());
    std::iter::from_fn(|| {
        let (vpn, pte) = space.next_entry(mem, rest)?;
        rest.start = Vpn(vpn.0 + 1);
        Some((vpn, pte.ppn()))
    })
    .collect()
}

#[test]
fn the_view_agrees_with_memory_management() {
    let mut faults = 0;
    for seed in 1..=10 {
        println!("seed {seed}");
        let mut world = World::new(seed);
        for _ in 0..1500 {
            world.turn();
            world.compare();
        }
        faults += world.trace.stats.faults_total;
        assert_eq!(world.trace.stats.faults_total, world.machine.log.len() as u64);
    }
    assert!(faults > 3000, "the random processes hardly fault: {faults}");
}
