//! Files that live in memory: random `read`, `write`, `truncate`, `mmap`, `munmap`, stores and `fork` by several address spaces, against
//! plain vectors of bytes.
#![allow(clippy::cast_possible_truncation, clippy::unwrap_used)] // the tests run on a 64-bit host

mod support;

use isa::{PAGE_SIZE, VirtAddr, Vpn};
use mm::fault::FaultSignal;
use mm::file_memory::whole_pages;
use mm::swap::SwapMap;
use mm::{
    AddressSpace, Backing, FileBacking, FileId, FrameTable, MapRequest, Memory, PageKey, PageRange,
    Placement, Prot, SpaceId, Store, VmaFlags,
};
use std::collections::BTreeMap;
use support::audit::audit;
use support::machine::{Machine, Stopped};
use support::rng::Rng;
use support::{FIRST, VecRam, memory};

const PAGE: usize = PAGE_SIZE as usize;
const FILES: u64 = 3;
const FILE_PAGES: u64 = 6;
/// Places where each address space may map something.
const SLOTS: u64 = 4;
const SPACES: usize = 4;

/// A file as it should be. What lies past the end in its last page is kept, since mappings show it.
#[derive(Default)]
struct PlainFile {
    bytes: Vec<u8>,
    len: usize,
}

impl PlainFile {
    fn resize(&mut self, len: usize) {
        let kept = self.len.min(len);
        let in_pages = len.div_ceil(PAGE) * PAGE;
        // A longer file shows zeros up to its new end; what a shorter one has lost is gone.
        let page_end = (kept.div_ceil(PAGE) * PAGE).min(self.bytes.len());
        let tail_end = if len > self.len { page_end.min(len) } else { page_end };
        if len != self.len && kept < tail_end {
            self.bytes[kept..tail_end].fill(0);
        }
        self.bytes.resize(in_pages, 0);
        self.len = len;
    }
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        if offset + bytes.len() > self.len {
            self.resize(self.len.max(offset));
            // The bytes up to the new end are all written.
            self.bytes.resize((offset + bytes.len()).div_ceil(PAGE) * PAGE, 0);
            self.len = offset + bytes.len();
        }
        self.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
    }
}

/// A mapping as it should be.
#[derive(Clone)]
struct PlainMapping {
    file: u64,
    first_page: u64,
    pages: u64,
    shared: bool,
    /// Private pages, by their place in the mapping.
    copies: BTreeMap<u64, Vec<u8>>,
}

/// An address space with what it should map, slot by slot.
struct Process {
    space: AddressSpace,
    mappings: BTreeMap<u64, PlainMapping>,
}

fn slot_at(slot: u64) -> Vpn {
    Vpn(0x10_000 + slot * 64)
}

struct World {
    mem: Memory<VecRam>,
    machine: Machine,
    processes: Vec<Process>,
    files: Vec<PlainFile>,
    spaces_made: u32,
    random: Rng,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut mem = memory(512);
        let space = AddressSpace::new(&mut mem, SpaceId(1), 1, None).unwrap();
        World {
            mem,
            machine: Machine::default(),
            processes: vec![Process { space, mappings: BTreeMap::new() }],
            files: (0..FILES).map(|_| PlainFile::default()).collect(),
            spaces_made: 1,
            random: Rng::new(seed),
        }
    }

    fn write(&mut self, file: u64, offset: usize, bytes: &[u8]) {
        let count = self.mem.write_file(FileId(file + 1), Store::Tmpfs, offset as u64, bytes);
        assert_eq!(count, bytes.len(), "there is memory for all");
        if !bytes.is_empty() {
            self.files[file as usize].write(offset, bytes);
        }
    }

    fn read(&mut self, file: u64, offset: usize, len: usize) {
        let mut bytes = vec![0xee; len];
        let count = self.mem.read_file(FileId(file + 1), offset as u64, &mut bytes);
        let plain = &self.files[file as usize];
        let from = offset.min(plain.len);
        assert_eq!(bytes[..count], plain.bytes[from..(from + len).min(plain.len)]);
    }

    fn truncate(&mut self, file: u64, len: usize) {
        let (id, kept) = (FileId(file + 1), (len as u64).div_ceil(PAGE_SIZE));
        self.mem.resize_file(id, Store::Tmpfs, len as u64);
        let hart = &mut self.machine.hart;
        self.mem.cut_file(id, kept, |space, _, _, flush| hart.fence(space.asid, flush));
        for process in &mut self.processes {
            for mapping in process.mappings.values_mut().filter(|mapping| mapping.file == file) {
                mapping.copies.retain(|page, _| mapping.first_page + page < kept);
            }
        }
        self.files[file as usize].resize(len);
    }

    fn punch(&mut self, file: u64, offset: usize, len: usize) {
        let (id, bytes) = (FileId(file + 1), offset as u64..(offset + len) as u64);
        let hole = whole_pages(&bytes);
        self.mem.punch_file(id, bytes);
        let hart = &mut self.machine.hart;
        self.mem.unmap_hole(id, &hole, |space, _, _, flush| hart.fence(space.asid, flush));
        assert!(
            hole.into_iter()
                .all(|index| self.mem.cache().next_page(id, index) != Some(PageKey { file: id, index }))
        );
        let plain = &mut self.files[file as usize].bytes;
        let end = plain.len();
        plain[offset.min(end)..(offset + len).min(end)].fill(0);
    }

    fn map(&mut self, who: usize, slot: u64, mapping: PlainMapping) {
        let backing =
            FileBacking { file: FileId(mapping.file + 1), first_page: mapping.first_page, len_bytes: None };
        let request = MapRequest {
            placement: Placement::Fixed(slot_at(slot)),
            len_pages: mapping.pages,
            prot: Prot::READ | Prot::WRITE,
            flags: if mapping.shared { VmaFlags::SHARED } else { VmaFlags::empty() },
            backing: Backing::File(backing),
            name: "".into(),
        };
        self.unmap(who, slot);
        let process = &mut self.processes[who];
        let mapped = process.space.map(&mut self.mem, request).unwrap();
        self.machine.hart.fence(process.space.asid(), mapped.flush);
        process.mappings.insert(slot, mapping);
    }

    fn unmap(&mut self, who: usize, slot: u64) {
        let process = &mut self.processes[who];
        let range = PageRange::new(slot_at(slot), slot_at(slot + 1));
        let unmapped = process.space.unmap(&mut self.mem, range).unwrap();
        self.machine.hart.fence(process.space.asid(), unmapped.flush);
        process.mappings.remove(&slot);
    }

    /// Loads a byte of a mapping, or stores to it, and compares with what it should be.
    fn touch(&mut self, who: usize, slot: u64, store: Option<u8>) {
        let Some(mapping) = self.processes[who].mappings.get(&slot).cloned() else { return };
        let (page, offset) = (self.random.below(mapping.pages), self.random.below(PAGE_SIZE) as usize);
        let va = VirtAddr(slot_at(slot).base().0 + page * PAGE_SIZE + offset as u64);
        let file = &mut self.files[mapping.file as usize];
        let in_file = (mapping.first_page + page) as usize * PAGE;
        let is_past_end = in_file >= file.len.div_ceil(PAGE) * PAGE;
        let process = &mut self.processes[who];
        let expected = if is_past_end {
            Err(Stopped::Signal(FaultSignal::BusAdrErr))
        } else if let Some(copy) = mapping.copies.get(&page) {
            Ok(copy[offset])
        } else {
            Ok(file.bytes[in_file + offset])
        };
        let Some(byte) = store else {
            let found = self.machine.load(&mut self.mem, &mut process.space, va);
            return assert_eq!(found, expected, "slot {slot} of {who}, page {page}, offset {offset}");
        };
        let stored = self.machine.store(&mut self.mem, &mut process.space, va, byte);
        assert_eq!(stored, expected.map(|_| ()), "slot {slot} of {who}, page {page}, offset {offset}");
        if is_past_end {
        } else if mapping.shared {
            file.bytes[in_file + offset] = byte;
        } else {
            let original = file.bytes[in_file..in_file + PAGE].to_vec();
            let mapping = process.mappings.get_mut(&slot).unwrap();
            mapping.copies.entry(page).or_insert(original)[offset] = byte;
        }
    }

    fn fork(&mut self, who: usize) {
        self.spaces_made += 1;
        let id = self.spaces_made;
        let parent = &mut self.processes[who];
        let report = parent.space.fork(&mut self.mem, SpaceId(id), id as u16, None).unwrap();
        self.machine.hart.fence(parent.space.asid(), report.flush);
        let mappings = parent.mappings.clone();
        self.processes.push(Process { space: report.child, mappings });
    }

    fn exit(&mut self, who: usize) {
        self.processes.remove(who).space.teardown(&mut self.mem);
    }

    fn step(&mut self) {
        let who = self.random.below(self.processes.len() as u64) as usize;
        let (file, slot) = (self.random.below(FILES), self.random.below(SLOTS));
        let offset = self.random.below(FILE_PAGES * PAGE_SIZE) as usize;
        let byte = self.random.next() as u8;
        match self.random.below(32) {
            0..=5 => {
                let len = self.random.below(2 * PAGE_SIZE) as usize;
                self.write(file, offset, &vec![byte; len]);
            }
            6..=9 => self.read(file, offset, 3 * PAGE),
            10 | 11 => self.truncate(file, offset),
            18 | 19 => self.punch(file, offset, 2 * PAGE + byte as usize),
            12..=14 => {
                let first_page = self.random.below(3);
                let pages = 1 + self.random.below(FILE_PAGES);
                let shared = self.random.chance(2);
                let mapping = PlainMapping { file, first_page, pages, shared, copies: BTreeMap::new() };
                self.map(who, slot, mapping);
            }
            15 => self.unmap(who, slot),
            16 if self.processes.len() < SPACES => self.fork(who),
            17 if self.processes.len() > 1 => self.exit(who),
            20..=25 => self.touch(who, slot, Some(byte)),
            _ => self.touch(who, slot, None),
        }
    }
}

#[test]
fn every_way_to_a_file_shows_the_same_bytes() {
    for seed in 1..=20 {
        println!("seed {seed}");
        let mut world = World::new(seed);
        for step in 0..3000 {
            world.step();
            if step % 100 == 0 {
                audit(&world.mem, world.processes.iter().map(|process| &process.space));
                let pages: u64 = (1..=FILES).map(|file| world.mem.cache().file_pages(FileId(file))).sum();
                assert_eq!(
                    (world.mem.cache().tmpfs_pages(), world.mem.cache().memory_pages()),
                    (pages, pages)
                );
            }
        }
        while !world.processes.is_empty() {
            world.exit(0);
        }
        (1..=FILES).for_each(|file| world.mem.remove_file(FileId(file)));
        assert_eq!(world.mem.frames().used(), 1, "only the zero page is left");
    }
}

/// Where a limit withholds frames slots take their place, as far as there are any.
#[test]
fn files_may_have_half_of_the_frames_and_of_what_stands_in_for_them() {
    for (total, limit, slots, most) in
        [(64, 16, 20, 18), (64, 16, 1000, 32), (64, 64, 1000, 32), (64, 16, 1, 8)]
    {
        let table = FrameTable::new(FIRST, total, limit);
        let mut mem = Memory::new(VecRam::new(total), table).unwrap();
        assert_eq!(mem.cache().tmpfs_limit(), limit / 2);
        mem.start_swap(SwapMap::new(slots).unwrap());
        assert_eq!(mem.cache().tmpfs_limit(), most, "{limit} of {total} frames, {slots} slots");
    }
}

#[test]
fn a_file_gets_no_more_than_its_share() {
    let mut mem = memory(16);
    let (file, bytes) = (FileId(1), [7; 12 * PAGE]);
    assert_eq!(mem.cache().tmpfs_limit(), 8);
    assert_eq!(mem.write_file(file, Store::Tmpfs, 100, &bytes), 8 * PAGE - 100, "half of the frames");
    assert_eq!(mem.file_len_bytes(file), 8 * PAGE_SIZE);
    assert_eq!(mem.write_file(file, Store::Tmpfs, 50 * PAGE_SIZE, &bytes), 0);
    assert_eq!(mem.file_len_bytes(file), 8 * PAGE_SIZE, "a write of nothing makes no file longer");
    mem.resize_file(file, Store::Tmpfs, 50 * PAGE_SIZE);
    assert_eq!(
        mem.write_file(FileId(2), Store::Memory, 0, &bytes),
        7 * PAGE,
        "and of other memory all there is"
    );

    // A mapping finds no room in a hole, as a write does; what is there can still be read.
    mem.remove_file(FileId(2));
    let mut space = AddressSpace::new(&mut mem, SpaceId(1), 1, None).unwrap();
    let mut machine = Machine::default();
    let request = MapRequest {
        placement: Placement::Fixed(slot_at(0)),
        len_pages: 9,
        prot: Prot::READ | Prot::WRITE,
        flags: VmaFlags::SHARED,
        backing: Backing::File(FileBacking { file, first_page: 0, len_bytes: None }),
        name: "".into(),
    };
    let _ = space.map(&mut mem, request).unwrap();
    let at = |page: u64| VirtAddr(slot_at(0).base().0 + page * PAGE_SIZE + 200);
    assert_eq!(machine.load(&mut mem, &mut space, at(7)), Ok(7));
    assert_eq!(machine.store(&mut mem, &mut space, at(8), 1), Err(Stopped::Signal(FaultSignal::BusAdrErr)));
    space.teardown(&mut mem);
    mem.remove_file(file);
    assert_eq!(mem.frames().used(), 1);
}
