//! What is done before anybody needs it, and without sharing: faults that map around, pages that are read ahead, forks that copy.

#![allow(clippy::cast_possible_truncation, clippy::unwrap_used)] // small numbers

mod support;

use isa::events::Access::Read;
use isa::paging::PteFlags;
use isa::{PAGE_SIZE, Vpn};
use mm::fault::Awaited;
use mm::swap::SwapMap;
use mm::{
    DiskWait, FaultAction, FaultOutcome, Flush, PageKey, PageLookup, Prot, SpaceId, Store, Switches, VmaFlags,
};
use support::machine::disk_byte;
use support::rig::{BASE, FILE, RW, Rig, pages};

fn key(index: u64) -> PageKey {
    PageKey { file: FILE, index }
}

/// Maps around a page of the mapping at [`BASE`]; which pages that were.
fn around(r: &mut Rig, who: usize, page: u64, window: u64) -> Vec<u64> {
    let mut mapped = Vec::new();
    let first = BASE.page().0;
    let none = PteFlags::empty();
    let flush = r.spaces[who].map_around(&mut r.mem, Vpn(first + page), window, none, |page| {
        assert_eq!(page.key, key(page.vpn.0 - first));
        mapped.push(page.vpn.0 - first);
    });
    r.m.hart.fence(r.spaces[who].asid(), flush);
    r.audit();
    mapped
}

#[test]
fn a_fault_maps_around_what_is_in_memory_and_reads_nothing() {
    let mut r = Rig::new(64);
    r.m.hart.updates_marks = true;
    r.mem.set_file(FILE, 40 * PAGE_SIZE, Store::Device);
    r.file(40, RW, VmaFlags::empty(), None);
    let child = r.fork(0);
    for page in [1, 2, 5, 8, 15, 16, 17] {
        r.load(0, Rig::at(page, 0)).unwrap();
    }
    let read = r.m.disk_reads.len();
    r.load(child, Rig::at(5, 0)).unwrap();
    // What is there of pages 0 to 15, itself apart.
    assert_eq!(around(&mut r, child, 5, 16), [1, 2, 8, 15]);
    assert_eq!(around(&mut r, child, 5, 16), [], "they are mapped now");
    assert_eq!((r.m.disk_reads.len(), r.anon_frames()), (read, 0));
    r.m.log.clear();
    for page in [1, 2, 8, 15] {
        assert_eq!(r.load(child, Rig::at(page, 3)), Ok(disk_byte(FILE, page * PAGE_SIZE + 3)));
    }
    assert_eq!(r.actions(), [], "no load faults");
    // A store gets a page of its own all the same.
    r.store(child, Rig::at(8, 0), 1).unwrap();
    assert_eq!(r.actions(), [FaultAction::FileCopy]);
    assert_eq!(r.load(0, Rig::at(8, 0)), Ok(disk_byte(FILE, 8 * PAGE_SIZE)));
    r.end();
}

#[test]
fn it_stays_in_its_mapping_and_leaves_what_needs_more_than_an_entry() {
    let mut r = Rig::new(64);
    r.mem.set_file(FILE, 16 * PAGE_SIZE, Store::Device);
    // The mapping ends inside page 6: that one must be copied. Page 4 gets no permission.
    r.file(8, Prot::READ, VmaFlags::empty(), Some(6 * PAGE_SIZE + 7));
    let child = r.fork(0);
    for page in 0..7 {
        r.load(0, Rig::at(page, 0)).unwrap();
    }
    r.protect(child, pages(4, 5), Prot::empty()).unwrap();
    assert_eq!(around(&mut r, child, 1, 8), [0, 1, 2, 3]);
    assert_eq!(around(&mut r, child, 5, 8), [5]);
    assert_eq!(around(&mut r, child, 4, 8), [4]);
    r.m.log.clear();
    r.load(child, Rig::at(4, 0)).unwrap_err();
    r.end();
}

#[test]
fn a_budget_bounds_what_is_mapped_around() {
    let mut r = Rig::new(64);
    r.m.hart.updates_marks = true;
    r.mem.set_file(FILE, 16 * PAGE_SIZE, Store::Device);
    r.file(16, Prot::READ, VmaFlags::empty(), None);
    let child = r.fork(0);
    (0..16).for_each(|page| assert!(r.load(0, Rig::at(page, 0)).is_ok()));
    r.spaces[child].set_budget(&mut r.mem, Some(4));
    r.load(child, Rig::at(8, 0)).unwrap();
    assert_eq!(around(&mut r, child, 8, 16), [0, 1, 2]);
    // What they are is known to the budget: one of them goes for the next.
    r.load(child, Rig::at(9, 0)).unwrap();
    assert_eq!(r.spaces[child].resident_pages(&r.mem), 4);
    assert_eq!(around(&mut r, child, 9, 16), []);
    r.end();
}

#[test]
fn what_was_mapped_around_is_told_to_be_used_only_if_it_was() {
    let mut r = Rig::new(64);
    r.m.hart.updates_marks = true;
    r.mem.set_switches(Switches { tells_uses: true, ..Switches::default() });
    r.mem.set_file(FILE, 4 * PAGE_SIZE, Store::Device);
    r.file(4, Prot::READ, VmaFlags::empty(), None);
    let child = r.fork(0);
    (0..4).for_each(|page| assert!(r.load(0, Rig::at(page, 0)).is_ok()));
    r.load(child, Rig::at(0, 0)).unwrap();
    assert_eq!(around(&mut r, child, 0, 4), [1, 2, 3]);
    r.load(child, Rig::at(2, 0)).unwrap();
    r.mem.phys_mut().uses.clear();
    r.unmap(child, pages(0, 4));
    let first = BASE.page().0;
    assert_eq!(r.mem.phys().uses, [0, 2].map(|page| (SpaceId(2), Vpn(first + page))));
    r.end();
}

#[test]
fn a_page_that_is_read_ahead_takes_nobodys_frame_and_is_waited_for_like_any_other() {
    let mut r = Rig::new(24);
    r.mem.set_file(FILE, 16 * PAGE_SIZE, Store::Device);
    r.file(16, Prot::READ, VmaFlags::empty(), None);
    let FaultOutcome::Read(Awaited::Page(first), frame) =
        r.spaces[0].fault(&mut r.mem, BASE, Read, DiskWait::None).unwrap()
    else {
        panic!()
    };
    let ahead = r.mem.begin_read_ahead(key(1)).expect("there is a free frame");
    assert_eq!(r.mem.begin_read_ahead(key(1)), None, "it is being read");
    assert_eq!(r.mem.begin_read_ahead(key(16)), None, "the file ends before it");
    // As many as there are frames to spare.
    let more: Vec<_> =
        (2..16).map_while(|index| Some((key(index), r.mem.begin_read_ahead(key(index))?))).collect();
    assert!(!more.is_empty() && more.len() < 14, "{}", more.len());
    let free = r.mem.frames().free();
    assert!(free > 0, "some are left");
    let wait = r.spaces[0].fault(&mut r.mem, Rig::at(1, 0), Read, DiskWait::None).unwrap();
    assert_eq!(wait, FaultOutcome::Wait(Awaited::Page(key(1))));
    for (key, frame) in [(first, frame), (key(1), ahead)].into_iter().chain(more) {
        r.m.read_disk(&mut r.mem, key, frame);
        r.mem.finish_read(key, frame, true);
    }
    let FaultOutcome::Resolved(done) =
        r.spaces[0].fault(&mut r.mem, Rig::at(1, 0), Read, DiskWait::Done).unwrap()
    else {
        panic!()
    };
    assert_eq!((done.action, done.frame), (FaultAction::FileDisk, Some(ahead)));
    assert!(matches!(r.mem.cache().lookup(key(2)), PageLookup::Ready(_)));
    r.end();
}

#[test]
fn a_fork_that_copies_shares_no_private_frame() {
    let mut r = Rig::new(64);
    r.m.hart.updates_marks = true;
    r.mem.set_switches(Switches { copies_at_fork: true, ..Switches::default() });
    r.anon(10);
    (0..6).for_each(|page| r.store(0, Rig::at(page, 0), page as u8).unwrap());
    r.protect(0, pages(1, 2), Prot::READ).unwrap();
    r.protect(0, pages(2, 3), Prot::empty()).unwrap();
    r.load(0, Rig::at(7, 0)).unwrap();
    let child = r.fork(0);
    assert_eq!(r.anon_frames(), 12);
    r.m.log.clear();
    for page in [0, 1, 3, 4, 5] {
        assert_eq!(r.load(child, Rig::at(page, 0)), Ok(page as u8));
        assert_ne!(r.frame_at(0, Rig::at(page, 0)), r.frame_at(child, Rig::at(page, 0)));
    }
    r.store(child, Rig::at(0, 0), 99).unwrap();
    r.store(0, Rig::at(3, 0), 98).unwrap();
    assert_eq!(r.actions(), [], "nobody's access faults");
    assert_eq!((r.load(0, Rig::at(0, 0)), r.load(child, Rig::at(3, 0))), (Ok(0), Ok(3)));
    r.store(child, Rig::at(1, 0), 1).unwrap_err();
    r.load(child, Rig::at(2, 0)).unwrap_err();
    r.protect(child, pages(2, 3), RW).unwrap();
    assert_eq!(r.load(child, Rig::at(2, 0)), Ok(2), "a page that may not be touched was copied, too");
    r.store(child, Rig::at(2, 0), 5).unwrap();
    // Each page that was copied is found, once.
    let (mut rest, mut copied) = (pages(0, 10), Vec::new());
    while let Some(page) = r.spaces[child].next_copy(&r.mem, &r.spaces[0], rest) {
        copied.push(page.vpn.0 - BASE.page().0);
        rest.start = Vpn(page.vpn.0 + 1);
    }
    assert_eq!(copied, [0, 1, 2, 3, 4, 5]);
    r.end();
}

#[test]
fn a_fork_that_has_no_frames_for_its_copies_leaves_nothing_behind() {
    let mut r = Rig::new(32);
    r.mem.set_switches(Switches { copies_at_fork: true, ..Switches::default() });
    r.anon(20);
    (0..20).for_each(|page| r.store(0, Rig::at(page, 0), page as u8).unwrap());
    let free = r.mem.frames().free();
    let failed = r.spaces[0].fork(&mut r.mem, SpaceId(9), 9, None);
    assert!(failed.is_err());
    r.m.hart.fence(1, Flush::All);
    assert_eq!(r.mem.frames().free(), free);
    (0..20).for_each(|page| r.store(0, Rig::at(page, 1), page as u8).unwrap());
    // Shared, they fit.
    r.mem.set_switches(Switches::default());
    r.fork(0);
    r.end();
}

#[test]
fn a_fork_that_copies_lets_what_is_in_swap_space_be_shared() {
    let mut r = Rig::new(64);
    r.m.hart.updates_marks = true;
    r.mem.start_swap(SwapMap::new(32).unwrap());
    r.mem.set_switches(Switches { copies_at_fork: true, ..Switches::default() });
    r.anon(4);
    (0..3).for_each(|page| r.store(0, Rig::at(page, 0), 10 + page as u8).unwrap());
    loop {
        let evicted = r.mem.evict_one();
        match r.mem.take_write() {
            Some(write) => r.m.write_out(&mut r.mem, write),
            None if evicted => {}
            None => break,
        }
    }
    r.store(0, Rig::at(3, 0), 13).unwrap();
    assert_eq!(r.anon_frames(), 1, "three pages have gone");
    let child = r.fork(0);
    assert_eq!((r.anon_frames(), r.mem.swap().counts().used), (2, 3), "what is in memory was copied");
    for who in [child, 0] {
        assert_eq!(r.load(who, Rig::at(1, 0)), Ok(11));
    }
    assert_eq!(r.m.swap_reads.len(), 1, "the first brings it back for both");
    r.store(child, Rig::at(1, 0), 99).unwrap();
    r.store(child, Rig::at(2, 0), 98).unwrap();
    r.store(child, Rig::at(3, 0), 97).unwrap();
    let values = |r: &mut Rig, who| [0, 1, 2, 3].map(|page| r.load(who, Rig::at(page, 0)).unwrap());
    assert_eq!(values(&mut r, child), [10, 99, 98, 97]);
    assert_eq!(values(&mut r, 0), [10, 11, 12, 13]);
    // In memory again, pages are copied again.
    let grandchild = r.fork(0);
    for page in 0..4 {
        assert_ne!(r.frame_at(0, Rig::at(page, 0)), r.frame_at(grandchild, Rig::at(page, 0)));
    }
    assert_eq!(values(&mut r, grandchild), [10, 11, 12, 13]);
    r.end();
}
