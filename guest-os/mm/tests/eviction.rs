//! Pages of files leave memory, whoever maps them, and come back.

#![allow(clippy::unwrap_used)] // in functions that only tests call

mod support;

use isa::events::Access;
use isa::{PAGE_SIZE, Vpn};
use mm::{Backing, DiskWait, FaultAction, FaultOutcome, FileBacking, PageKey, Prot, Store, VmaFlags};
use support::machine::disk_byte;
use support::rig::{BASE, FILE, RW, Rig, pages};
use support::take_evicted;

#[test]
fn clean_pages_make_room_mapped_or_not_as_the_clock_says() {
    // Zero page, root, two tables: four frames are left.
    let mut r = Rig::new(8);
    r.mem.set_file(FILE, 100 * PAGE_SIZE, Store::Device);
    r.file(100, Prot::READ, VmaFlags::empty(), None);
    for page in 0..4 {
        r.load(0, Rig::at(page, 0)).unwrap();
    }
    r.unmap(0, pages(2, 4));
    r.map(0, Rig::at(2, 0), 3, RW, VmaFlags::empty(), Backing::Anon);
    assert_eq!(r.mem.frames().free(), 0);
    let evicted = |r: &mut Rig| take_evicted(&mut r.mem).iter().map(|key| key.index).collect::<Vec<_>>();
    // All were used, those that are not mapped any more too: the hand goes round once and takes the first.
    r.store(0, Rig::at(2, 0), 1).unwrap();
    assert_eq!(evicted(&mut r), [0]);
    // Page 1 is used once more, and so passed.
    r.load(0, Rig::at(1, 0)).unwrap();
    r.store(0, Rig::at(3, 0), 1).unwrap();
    assert_eq!(evicted(&mut r), [2]);
    r.mem.look_up_page(PageKey { file: FILE, index: 3 });
    r.store(0, Rig::at(4, 0), 1).unwrap();
    assert_eq!(evicted(&mut r), [1], "3 was looked up, and 1 is no longer used");
    r.audit();
    r.actions();
    // Whoever maps a page that has gone finds it again.
    r.m.disk_reads.clear();
    assert_eq!(r.load(0, Rig::at(1, 0)), Ok(disk_byte(FILE, PAGE_SIZE)));
    assert_eq!((r.actions(), r.m.disk_reads.len()), (vec![FaultAction::FileDisk], 1));
    assert_eq!(r.mem.frames().peak_used(), 8);
    r.end();
}

/// Who has all of memory kept for it: others get nothing, and nothing leaves memory for them.
#[test]
fn nothing_is_evicted_for_others_while_all_is_kept() {
    let mut r = Rig::new(16);
    r.mem.set_file(FILE, 100 * PAGE_SIZE, Store::Device);
    r.file(100, Prot::READ, VmaFlags::empty(), None);
    r.map(0, Rig::at(90, 0), 3, RW, VmaFlags::empty(), Backing::Anon);
    for page in 0..12 {
        r.load(0, Rig::at(page, 0)).unwrap();
    }
    take_evicted(&mut r.mem);
    r.mem.set_aside(u64::MAX);
    assert!(r.spaces[0].fault(&mut r.mem, Rig::at(90, 0), Access::Write, DiskWait::None).is_err());
    assert!(r.mem.make_room(1).is_err());
    assert_eq!(take_evicted(&mut r.mem), []);
    // The kernel itself is nobody's rival.
    let frame = r.mem.allocate_kernel().unwrap();
    r.mem.free_kernel(frame);
    let space = &mut r.spaces[0];
    let resolved =
        r.mem.with_what_is_aside(|mem| space.fault(mem, Rig::at(90, 0), Access::Write, DiskWait::None));
    assert!(matches!(resolved, Ok(FaultOutcome::Resolved(_))), "{resolved:?}");
    assert!(r.mem.make_room(1).is_err(), "all is kept again");
    r.mem.set_aside(0);
    r.mem.make_room(3).unwrap();
    r.audit();
    r.end();
}

#[test]
fn locked_pages_stay() {
    let mut r = Rig::new(64);
    r.mem.set_file(FILE, 8 * PAGE_SIZE, Store::Device);
    r.file(8, Prot::READ, VmaFlags::empty(), None);
    let child = r.fork(0);
    let lock =
        |r: &mut Rig, range, set, unset| r.spaces[0].set_vma_flags(&mut r.mem, range, set, unset).unwrap();
    // Page 1 is locked when it comes, page 2 when it is there, and what a child maps of it is not.
    r.load(0, Rig::at(2, 0)).unwrap();
    lock(&mut r, pages(1, 3), VmaFlags::LOCKED, VmaFlags::LOCKS);
    r.load(0, Rig::at(1, 0)).unwrap();
    r.load(child, Rig::at(2, 0)).unwrap();
    r.load(0, Rig::at(3, 0)).unwrap();
    assert_eq!(r.mem.evict_all(), 1, "page 3");
    r.audit();
    let is_mapped =
        |r: &Rig, who: usize, page| r.spaces[who].pte(&r.mem, Vpn(BASE.page().0 + page)).is_valid();
    assert!(is_mapped(&r, 0, 1) && is_mapped(&r, 0, 2) && is_mapped(&r, child, 2) && !is_mapped(&r, 0, 3));
    lock(&mut r, pages(1, 2), VmaFlags::empty(), VmaFlags::LOCKS);
    r.audit();
    assert_eq!(r.mem.evict_all(), 1, "page 1");
    r.unmap(0, pages(2, 3));
    assert_eq!(r.mem.evict_all(), 1, "page 2, which nobody locks any more");
    assert!(!is_mapped(&r, child, 2));
    r.end();
}

#[test]
fn an_eviction_empties_every_entry_that_maps_the_page() {
    let mut r = Rig::new(64);
    r.mem.set_file(FILE, 8 * PAGE_SIZE, Store::Device);
    r.file(8, Prot::READ, VmaFlags::empty(), None);
    // The same page three times in one address space, and in a child's.
    let twice = Backing::File(FileBacking { file: FILE, first_page: 2, len_bytes: None });
    r.map(0, Rig::at(100, 0), 4, RW, VmaFlags::empty(), twice);
    r.map(0, Rig::at(200, 0), 1, Prot::READ, VmaFlags::SHARED, twice);
    let child = r.fork(0);
    let places = [(0, 2), (0, 100), (0, 200), (child, 2), (child, 100)];
    for (who, page) in places {
        r.load(who, Rig::at(page, 0)).unwrap();
    }
    r.store(child, Rig::at(101, 5), 77).unwrap();
    r.actions();
    r.audit();
    assert_eq!(r.mem.evict_all(), 2);
    r.audit();
    for (who, page) in places {
        assert!(!r.spaces[who].pte(&r.mem, Vpn(BASE.page().0 + page)).is_valid());
        assert_eq!(r.load(who, Rig::at(page, 9)), Ok(disk_byte(FILE, 2 * PAGE_SIZE + 9)));
    }
    use FaultAction::{FileCache, FileDisk, SharedMap};
    assert_eq!(r.actions(), [FileDisk, FileCache, SharedMap, FileCache, FileCache]);
    assert_eq!(r.load(child, Rig::at(101, 5)), Ok(77), "a copy of one's own stays");
    r.end();
}

/// The second attempt finds pages that have lost their W bit already: the TLB must forget them all the same.
#[test]
fn a_fork_that_makes_room_and_begins_again_forgets_what_the_first_attempt_changed() {
    // The child takes a root and three tables, the last one for a page far away from the others.
    for spare in 0..4 {
        let mut r = Rig::new(16);
        r.mem.set_file(FILE, 100 * PAGE_SIZE, Store::Device);
        r.anon(1);
        r.map(0, Rig::at(1000, 0), 1, RW, VmaFlags::empty(), Backing::Anon);
        let backing = Backing::File(FileBacking { file: FILE, first_page: 0, len_bytes: None });
        r.map(0, Rig::at(1, 0), 100, Prot::READ, VmaFlags::empty(), backing);
        [0, 1000].into_iter().for_each(|page| r.store(0, Rig::at(page, 0), 1).unwrap());
        for page in 1..=r.mem.frames().free() - spare {
            r.load(0, Rig::at(page, 0)).unwrap();
        }
        let child = r.fork(0);
        r.store(0, Rig::at(0, 0), 2).unwrap();
        let found = (r.load(0, Rig::at(0, 0)), r.load(child, Rig::at(0, 0)));
        assert_eq!(found, (Ok(2), Ok(1)), "{spare} frames were free");
        r.end();
    }
}
