//! What evictions cost when the page cache is full.
#![allow(clippy::unwrap_used)] // in functions that only tests call

mod support;

use isa::{PAGE_SIZE, VirtAddr, Vpn};
use mm::replacement::{LeastRecentlyUsed, Mark, Replacement};
use mm::{
    AddressSpace, Backing, FileBacking, FileId, FrameTable, MapRequest, Memory, PageKey, PageLookup,
    PageRange, Placement, Prot, SpaceId, Store, VmaFlags,
};
use std::cell::Cell;
use std::rc::Rc;
use support::audit::audit;
use support::machine::Machine;
use support::{FIRST, VecRam, take_evicted};

/// Counts how often a victim is asked for.
#[derive(Debug)]
struct Counted(LeastRecentlyUsed, Rc<Cell<u64>>);

impl Replacement for Counted {
    fn enters(&mut self, page: PageKey) -> Mark {
        self.0.enters(page)
    }
    fn is_used(&mut self, page: PageKey, mark: Mark, is_candidate: bool) -> Mark {
        self.0.is_used(page, mark, is_candidate)
    }
    fn add_candidate(&mut self, page: PageKey, mark: Mark) {
        self.0.add_candidate(page, mark);
    }
    fn remove_candidate(&mut self, page: PageKey, mark: Mark) {
        self.0.remove_candidate(page, mark);
    }
    fn victim(&self) -> Option<PageKey> {
        self.1.set(self.1.get() + 1);
        self.0.victim()
    }
}

const MAPPED: FileId = FileId(1);
const READ: FileId = FileId(2);

/// Reads a page of a file as `read` does, and gives it up.
fn read(mem: &mut Memory<VecRam>, machine: &mut Machine, key: PageKey) {
    if let PageLookup::Absent = mem.look_up_page(key) {
        let frame = mem.begin_read(key).unwrap();
        let succeeded = machine.read_disk(mem, key, frame);
        mem.finish_read(key, frame, succeeded);
    }
}

#[test]
fn an_eviction_looks_at_a_mapped_page_once() {
    // Of 2100 frames 1500 hold mapped pages of a file, the oldest of the cache; 20,000 pages of another file pass through the rest.
    let (mapped_pages, read_pages) = (1500, 20_000);
    let looks = Rc::new(Cell::new(0));
    let policy = Box::new(Counted(LeastRecentlyUsed::default(), looks.clone()));
    let mut mem = Memory::with_policy(VecRam::new(2100), FrameTable::new(FIRST, 2100, 2100), policy).unwrap();
    let mut machine = Machine::default();
    let mut space = AddressSpace::new(&mut mem, SpaceId(1), 1, None).unwrap();
    mem.set_file(MAPPED, mapped_pages * PAGE_SIZE, Store::Device);
    mem.set_file(READ, read_pages * PAGE_SIZE, Store::Device);
    let at = Vpn(0x10_000);
    let request = MapRequest {
        placement: Placement::Fixed(at),
        len_pages: mapped_pages,
        prot: Prot::READ,
        flags: VmaFlags::SHARED,
        backing: Backing::File(FileBacking { file: MAPPED, first_page: 0, len_bytes: None }),
        name: "".into(),
    };
    let _ = space.map(&mut mem, request).unwrap();
    for page in 0..mapped_pages {
        machine.load(&mut mem, &mut space, VirtAddr((at.0 + page) * PAGE_SIZE)).unwrap();
    }
    for index in 0..read_pages {
        read(&mut mem, &mut machine, PageKey { file: READ, index });
    }
    audit(&mem, [&space]);
    let evictions = take_evicted(&mut mem);
    assert!(evictions.len() as u64 > read_pages - 700);
    assert!(evictions.windows(2).all(|pair| pair[0] < pair[1]), "the oldest that can go");
    // One look for each eviction, and one more for each page that had to be passed over, once.
    assert_eq!(looks.get(), evictions.len() as u64 + mapped_pages);

    // Unmapped, they are the oldest again.
    let unmapped = space.unmap(&mut mem, PageRange::new(at, Vpn(at.0 + 3))).unwrap();
    machine.hart.fence(space.asid(), unmapped.flush);
    for index in 0..4 {
        read(&mut mem, &mut machine, PageKey { file: READ, index });
    }
    let gone = take_evicted(&mut mem);
    assert_eq!(gone[..3], [0, 1, 2].map(|index| PageKey { file: MAPPED, index }));
    assert_eq!(gone[3].file, READ);
    space.teardown(&mut mem);
}
