//! The three mechanisms by exact numbers: demand paging, zero-fill on demand, copy-on-write. And what surrounds
//! them: stacks, bss tails, shared memory, running out of frames, teardown.

#![allow(clippy::cast_possible_truncation, clippy::unwrap_used)] // small numbers

mod support;

use isa::events::Access::{self, *};
use isa::paging::{Pte, PteFlags};
use isa::{PAGE_SIZE, PhysAddr, VirtAddr, Vpn};
use mm::fault::{Awaited, FaultSignal};
use mm::layout::{STACK_GUARD_PAGES, STACK_TOP};
use mm::page_cache::PageState;
use mm::{
    AddressSpace, Backing, DiskWait, FaultAction, FaultOutcome, FileBacking, FileId, Flush, ForkMaps,
    MapError, MapRequest, OutOfFrames, PageKey, PageLookup, PhysMem, Placement, Prot, SegvReason, SpaceId,
    Store, VmaFlags, pte,
};
use support::machine::{Stopped, disk_byte};
use support::memory;
use support::rig::{BASE, FILE, RW, Rig, pages};

const SIGSEGV_MAPERR: Result<u8, Stopped> = Err(Stopped::Signal(FaultSignal::SegvMapErr));
const SIGSEGV_ACCERR: Result<u8, Stopped> = Err(Stopped::Signal(FaultSignal::SegvAccErr));
const SIGBUS: Result<u8, Stopped> = Err(Stopped::Signal(FaultSignal::BusAdrErr));

#[test]
fn only_touched_pages_are_read_and_each_once() {
    let mut r = Rig::new(64);
    r.mem.set_file(FILE, 100 * PAGE_SIZE, Store::Device);
    r.file(100, Prot::READ | Prot::EXEC, VmaFlags::empty(), None);
    assert_eq!((r.m.disk_reads.len(), r.spaces[0].resident_pages(&r.mem)), (0, 0), "mapping reads nothing");
    for page in [5, 70, 5, 5, 70] {
        assert_eq!(r.load(0, Rig::at(page, 9)), Ok(disk_byte(FILE, page * PAGE_SIZE + 9)));
    }
    let key = |index| PageKey { file: FILE, index };
    assert_eq!(r.m.disk_reads, [key(5), key(70)]);
    assert!(r.m.log.iter().all(|f| f.from_disk && f.page.is_some()));
    assert_eq!(r.actions(), [FaultAction::FileDisk, FaultAction::FileDisk]);
    // A second process finds them in the cache, and shares the frames.
    let child = r.fork(0);
    r.unmap(child, pages(0, 100));
    let backing = Backing::File(FileBacking { file: FILE, first_page: 0, len_bytes: None });
    r.map(child, BASE, 100, Prot::READ, VmaFlags::empty(), backing);
    assert_eq!(r.load(child, Rig::at(70, 0)), Ok(disk_byte(FILE, 70 * PAGE_SIZE)));
    assert_eq!(r.actions(), [FaultAction::FileCache]);
    assert_eq!(r.frame_at(0, Rig::at(70, 0)), r.frame_at(child, Rig::at(70, 0)));
    assert_eq!(r.m.disk_reads.len(), 2);
    r.end();
}

#[test]
fn a_store_to_a_private_page_of_a_file_copies_it_once() {
    let mut r = Rig::new(64);
    r.mem.set_file(FILE, 2 * PAGE_SIZE, Store::Device);
    r.file(2, RW, VmaFlags::empty(), None);
    r.load(0, Rig::at(0, 0)).unwrap();
    r.store(0, Rig::at(0, 1), 0).unwrap();
    assert_eq!(r.load(0, Rig::at(0, 0)), Ok(disk_byte(FILE, 0)), "the rest of the page was copied");
    assert_eq!(r.load(0, Rig::at(0, 1)), Ok(0));
    r.store(0, Rig::at(1, 0), 0).unwrap();
    let copy = r.m.log.last().unwrap();
    assert!(copy.from_disk && copy.previous_frame.is_some() && copy.frame != copy.previous_frame);
    use FaultAction::*;
    assert_eq!(r.actions(), [FileDisk, FileCopy, FileCopy]);
    assert_eq!((r.anon_frames(), r.mem.cache().len()), (2, 2));
    let PageLookup::Ready(cached) = r.mem.cache().lookup(PageKey { file: FILE, index: 0 }) else { panic!() };
    assert_eq!(r.mem.phys().frame(cached.ppn())[1], disk_byte(FILE, 1), "the file is as it was");
    r.end();
}

#[test]
fn a_bss_tail_is_zeros_behind_the_bytes_of_the_file() {
    let mut r = Rig::new(64);
    r.mem.set_file(FILE, 10 * PAGE_SIZE, Store::Device);
    // 100 bytes of the file's page 0, then 3 pages and a bit of zeros.
    r.file(4, RW, VmaFlags::empty(), Some(100));
    assert_eq!(r.load(0, Rig::at(0, 99)), Ok(disk_byte(FILE, 99)));
    assert_eq!(r.load(0, Rig::at(0, 100)), Ok(0));
    assert_eq!(r.load(0, Rig::at(0, 4095)), Ok(0));
    assert_eq!(r.load(0, Rig::at(1, 0)), Ok(0));
    r.store(0, Rig::at(3, 7), 7).unwrap();
    assert_eq!(r.load(0, Rig::at(3, 8)), Ok(0));
    use FaultAction::*;
    assert_eq!(r.actions(), [FileCopy, ZeroShared, Zero]);
    assert_eq!(r.m.disk_reads.len(), 1, "bss is never read from the file");
    r.end();
}

#[test]
fn untouched_pages_share_the_zero_page_until_they_are_stored_to() {
    let mut r = Rig::new(64);
    r.anon(50);
    for page in 0..50 {
        assert_eq!(r.load(0, Rig::at(page, page)), Ok(0));
    }
    assert_eq!(r.anon_frames(), 0, "fifty pages read, no frame spent");
    assert!(r.actions().iter().all(|&a| a == FaultAction::ZeroShared));
    r.store(0, Rig::at(3, 0), 1).unwrap();
    r.store(0, Rig::at(60, 0), 1).unwrap_err();
    assert_eq!(r.anon_frames(), 1);
    let zero = r.m.log[0];
    assert_eq!(zero.previous_frame, Some(r.mem.zero_page()));
    assert_eq!(r.load(0, Rig::at(4, 0)), Ok(0));
    assert_eq!(r.load(0, Rig::at(3, 1)), Ok(0));
    r.end();
}

#[test]
fn a_reused_frame_holds_no_old_byte() {
    let mut r = Rig::new(16);
    for round in 0..20 {
        r.anon(8);
        let who = r.fork(0);
        for page in 0..8 {
            for offset in (0..PAGE_SIZE).step_by(61) {
                assert_eq!(r.load(who, Rig::at(page, offset)), Ok(0), "round {round}: someone's old byte");
            }
            if page < 5 {
                r.store(who, Rig::at(page, 61 * 7), 0x5e).unwrap();
            }
        }
        r.unmap(0, pages(0, 8));
        let space = r.spaces.pop().unwrap();
        r.m.hart.fence(space.asid(), Flush::All);
        space.teardown(&mut r.mem);
    }
    r.end();
}

#[test]
fn copy_on_write_by_exact_numbers() {
    let mut r = Rig::new(64);
    // Else the child's first loads fault for A.
    r.m.hart.updates_marks = true;
    r.anon(10);
    for page in 0..10 {
        r.store(0, Rig::at(page, 0), page as u8).unwrap();
    }
    r.m.log.clear();
    let used = r.mem.frames().used();
    let child = r.fork(0);
    // Parent and child share all ten frames; the child has cost its three page tables.
    assert_eq!((r.anon_frames(), r.mem.frames().used() - used), (10, 3));
    for page in 0..10 {
        assert_eq!(r.frame_at(0, Rig::at(page, 0)), r.frame_at(child, Rig::at(page, 0)));
        assert_eq!(r.load(child, Rig::at(page, 0)), Ok(page as u8));
    }
    assert_eq!(r.actions(), [], "reading needs no fault at all");
    // One store copies one frame.
    r.store(child, Rig::at(3, 1), 77).unwrap();
    assert_eq!(r.m.log[0].owners, 2);
    assert_eq!((r.actions(), r.anon_frames()), (vec![FaultAction::CowCopy], 11));
    assert_eq!(r.load(0, Rig::at(3, 1)), Ok(0), "the parent does not see it");
    assert_eq!(r.load(child, Rig::at(3, 0)), Ok(3), "the rest was copied");
    // The last owner's store copies none.
    r.store(0, Rig::at(3, 1), 66).unwrap();
    assert_eq!((r.actions(), r.anon_frames()), (vec![FaultAction::CowReuse], 11));
    // No more faults for either.
    r.store(0, Rig::at(3, 2), 1).unwrap();
    r.store(child, Rig::at(3, 2), 2).unwrap();
    assert_eq!(r.actions(), []);
    // The child ends: the parent is the last owner of the other nine.
    r.spaces.pop().unwrap().teardown(&mut r.mem);
    for page in 0..10 {
        r.store(0, Rig::at(page, 5), 5).unwrap();
    }
    assert_eq!((r.actions(), r.anon_frames()), (vec![FaultAction::CowReuse; 9], 10));
    r.end();
}

#[test]
fn a_tree_of_forks_copies_for_all_owners_but_the_last() {
    let mut r = Rig::new(128);
    r.anon(1);
    r.store(0, BASE, 1).unwrap();
    for _ in 0..7 {
        r.fork(0);
    }
    r.m.log.clear();
    assert_eq!(r.anon_frames(), 1);
    for who in 0..8 {
        r.store(who, BASE, who as u8 + 10).unwrap();
    }
    let mut expected = vec![FaultAction::CowCopy; 7];
    expected.push(FaultAction::CowReuse);
    assert_eq!((r.actions(), r.anon_frames()), (expected, 8));
    for who in 0..8 {
        assert_eq!(r.load(who, BASE), Ok(who as u8 + 10));
    }
    r.end();
}

#[test]
fn fork_reports_what_is_shared_and_marks_the_entries() {
    let mut r = Rig::new(64);
    r.anon(4);
    r.store(0, Rig::at(0, 0), 1).unwrap();
    r.store(0, Rig::at(2, 0), 1).unwrap();
    r.load(0, Rig::at(1, 0)).unwrap();
    let report = r.spaces[0].fork(&mut r.mem, SpaceId(2), 2, None).unwrap();
    r.m.hart.fence(1, report.flush);
    assert_eq!(report.shared.len(), 1);
    assert_eq!((report.shared[0].range, report.shared[0].frames), (pages(0, 4), 2));
    assert_eq!(report.flush, Flush::Pages(pages(0, 3)));
    r.spaces.push(report.child);
    for who in 0..2 {
        let entry = r.spaces[who].pte(&r.mem, BASE.page());
        assert!(entry.flags().contains(pte::COW) && !entry.flags().contains(PteFlags::W));
        let zero = r.spaces[who].pte(&r.mem, pages(1, 2).start);
        assert_eq!(zero.ppn(), r.mem.zero_page().ppn());
        assert_eq!(
            r.spaces[who].pte(&r.mem, pages(3, 4).start),
            Pte::EMPTY,
            "never touched, not touched now"
        );
    }
    r.end();
}

#[test]
fn protection_is_taken_and_given_back() {
    let mut r = Rig::new(64);
    r.anon(2);
    r.store(0, BASE, 1).unwrap();
    r.protect(0, pages(0, 2), Prot::READ).unwrap();
    assert_eq!(r.store(0, BASE, 2), Err(Stopped::Signal(FaultSignal::SegvAccErr)));
    assert_eq!(r.load(0, BASE), Ok(1));
    r.protect(0, pages(0, 2), Prot::empty()).unwrap();
    assert_eq!(r.load(0, BASE), SIGSEGV_ACCERR);
    r.m.log.clear();
    r.protect(0, pages(0, 2), RW).unwrap();
    assert_eq!(r.load(0, BASE), Ok(1), "its content outlives PROT_NONE");
    r.store(0, BASE, 2).unwrap();
    assert_eq!(r.actions(), [], "a sole owner gets W back at once");
    // But never while a frame is shared.
    let child = r.fork(0);
    r.protect(0, pages(0, 2), Prot::READ).unwrap();
    r.protect(0, pages(0, 2), RW).unwrap();
    r.store(0, BASE, 3).unwrap();
    assert_eq!((r.actions(), r.load(child, BASE)), (vec![FaultAction::CowCopy], Ok(2)));
    assert_eq!(r.protect(0, pages(0, 3), Prot::READ), Err(MapError::NotMapped));
    r.end();
}

#[test]
fn a_page_that_was_read_only_at_the_fork_is_copied_when_it_is_stored_to_later() {
    let mut r = Rig::new(64);
    r.anon(1);
    r.store(0, BASE, 1).unwrap();
    r.protect(0, pages(0, 1), Prot::READ).unwrap();
    let child = r.fork(0);
    r.protect(child, pages(0, 1), RW).unwrap();
    r.store(child, BASE, 2).unwrap();
    assert_eq!((r.load(0, BASE), r.load(child, BASE)), (Ok(1), Ok(2)));
    r.end();
}

#[test]
fn a_stack_grows_to_its_limit_and_keeps_its_guard() {
    let mut r = Rig::new(64);
    r.spaces[0].set_stack_limit_pages(20);
    let stack = VirtAddr(STACK_TOP.0 - 2 * PAGE_SIZE);
    r.map(0, stack, 2, RW, VmaFlags::GROWS_DOWN, Backing::Anon);
    let page = |n: u64| VirtAddr(STACK_TOP.0 - n * PAGE_SIZE);
    r.store(0, page(1), 1).unwrap();
    r.store(0, page(5), 5).unwrap();
    assert_eq!(r.spaces[0].vmas().find(page(5).page()).map(|v| v.range.len_pages()), Some(5));
    assert_eq!(r.load(0, page(4)), Ok(0));
    r.store(0, page(20), 20).unwrap();
    use FaultAction::*;
    assert_eq!(r.actions(), [Zero, StackGrow, ZeroShared, StackGrow]);
    assert_eq!(r.load(0, page(21)), SIGSEGV_MAPERR);
    assert_eq!(r.actions(), [Segv(SegvReason::StackLimit)]);
    // With something mapped close below, the limit does not help.
    r.spaces[0].set_stack_limit_pages(2000);
    let below = page(21 + STACK_GUARD_PAGES);
    r.map(0, VirtAddr(below.0 - PAGE_SIZE), 1, RW, VmaFlags::empty(), Backing::Anon);
    r.store(0, page(21), 1).unwrap();
    assert_eq!(r.load(0, page(22)), SIGSEGV_MAPERR);
    assert_eq!(r.actions(), [StackGrow, Segv(SegvReason::NotMapped)]);
    r.end();
}

#[test]
fn shared_memory_is_shared_and_outlives_a_fork() {
    let mut r = Rig::new(64);
    r.mem.set_file(FILE, 3 * PAGE_SIZE, Store::Memory);
    r.file(3, RW, VmaFlags::SHARED, None);
    r.store(0, Rig::at(0, 0), 1).unwrap();
    let child = r.fork(0);
    r.store(child, Rig::at(0, 1), 2).unwrap();
    r.store(child, Rig::at(1, 0), 3).unwrap();
    assert_eq!(r.load(0, Rig::at(0, 1)), Ok(2));
    assert_eq!(r.load(0, Rig::at(1, 0)), Ok(3));
    assert_eq!(r.load(0, Rig::at(2, 0)), Ok(0));
    r.store(0, Rig::at(2, 0), 4).unwrap();
    assert_eq!(r.load(child, Rig::at(2, 0)), Ok(4));
    use FaultAction::{Dirtied, SharedMap};
    // The child finds page 0 again; page 2 is mapped by a load first.
    assert_eq!(r.actions(), [SharedMap, SharedMap, SharedMap, SharedMap, SharedMap, Dirtied, SharedMap]);
    assert_eq!((r.anon_frames(), r.m.disk_reads.len()), (0, 0));
    // Pages that live in memory only are never dropped.
    r.unmap(0, pages(0, 3));
    assert_eq!(r.mem.take_unmapped_file(FileId(0)), None, "the child has it still");
    r.unmap(child, pages(0, 3));
    assert_eq!((r.mem.evict_all(), r.mem.cache().len()), (0, 3));
    assert_eq!([(); 2].map(|()| r.mem.take_unmapped_file(FileId(0))), [Some(FILE), None]);
    r.mem.remove_file(FILE);
    r.end();
}

#[test]
fn past_the_end_of_a_file_is_a_bus_error() {
    let mut r = Rig::new(64);
    r.mem.set_file(FILE, PAGE_SIZE + 1, Store::Device);
    r.file(4, Prot::READ, VmaFlags::empty(), None);
    assert_eq!(r.load(0, Rig::at(1, 0)), Ok(disk_byte(FILE, PAGE_SIZE)));
    assert_eq!(r.load(0, Rig::at(1, 1)), Ok(0), "the rest of the last page is zeros");
    assert_eq!(r.load(0, Rig::at(2, 0)), SIGBUS);
    r.m.bad_pages.push(PageKey { file: FILE, index: 0 });
    assert_eq!(r.load(0, Rig::at(0, 0)), SIGBUS);
    use FaultAction::*;
    assert_eq!(r.actions(), [FileDisk, Segv(SegvReason::BeyondEndOfFile), Segv(SegvReason::ReadFailed)]);
    assert_eq!(r.mem.cache().len(), 1, "a page that could not be read is not cached");
    r.end();
}

#[test]
fn a_child_maps_what_no_fault_would_bring_back() {
    for (maps, text_pages) in [(ForkMaps::Needed, 0), (ForkMaps::All, 2)] {
        let mut r = Rig::new(64);
        r.mem.set_fork_maps(maps);
        r.mem.set_file(FILE, 8 * PAGE_SIZE, Store::Device);
        // Two pages of text are read; of four pages of data one is read and one is written.
        r.file(2, Prot::READ, VmaFlags::empty(), None);
        r.load(0, Rig::at(0, 0)).unwrap();
        r.load(0, Rig::at(1, 0)).unwrap();
        let data = Backing::File(FileBacking { file: FILE, first_page: 2, len_bytes: None });
        r.map(0, Rig::at(4, 0), 4, RW, VmaFlags::empty(), data);
        r.load(0, Rig::at(4, 0)).unwrap();
        r.store(0, Rig::at(5, 0), 1).unwrap();
        let child = r.fork(0);
        assert_eq!(r.spaces[child].resident_pages(&r.mem), text_pages + 2, "{maps:?}");
        for page in [0, 1, 4, 5] {
            assert_eq!(r.load(child, Rig::at(page, 1)), r.load(0, Rig::at(page, 1)));
        }
        assert_eq!(r.spaces[child].resident_pages(&r.mem), 4);
        r.end();
    }
}

#[test]
fn who_comes_while_a_page_is_being_read_waits_for_it() {
    let mut r = Rig::new(64);
    r.mem.set_file(FILE, PAGE_SIZE, Store::Device);
    r.file(1, RW, VmaFlags::empty(), None);
    let child = r.fork(0);
    let ask = |r: &mut Rig, who: usize, access: Access, waited| {
        r.spaces[who].fault(&mut r.mem, BASE, access, waited).unwrap()
    };
    let key = PageKey { file: FILE, index: 0 };
    let FaultOutcome::Read(to_read, frame) = ask(&mut r, 0, Read, DiskWait::None) else { panic!() };
    let awaited = Awaited::Page(key);
    assert_eq!(to_read, awaited);
    assert_eq!(ask(&mut r, child, Write, DiskWait::None), FaultOutcome::Wait(awaited));
    assert_eq!(ask(&mut r, 0, Read, DiskWait::None), FaultOutcome::Wait(awaited), "asking twice reads once");
    assert_eq!(r.mem.evict_all(), 0, "a frame that the device fills stays");
    r.m.read_disk(&mut r.mem, key, frame);
    r.mem.finish_read(key, frame, true);
    let FaultOutcome::Resolved(first) = ask(&mut r, 0, Read, DiskWait::Done) else { panic!() };
    let FaultOutcome::Resolved(second) = ask(&mut r, child, Write, DiskWait::Done) else { panic!() };
    assert_eq!((first.action, first.from_disk), (FaultAction::FileDisk, true));
    assert_eq!((second.action, second.from_disk), (FaultAction::FileCopy, true));
    r.end();
}

#[test]
fn a_file_that_goes_while_it_is_read_or_mapped_takes_no_frame_with_it() {
    let mut r = Rig::new(64);
    r.mem.set_file(FILE, 3 * PAGE_SIZE, Store::Device);
    r.file(3, Prot::READ, VmaFlags::empty(), None);
    r.load(0, Rig::at(0, 0)).unwrap();
    let FaultOutcome::Read(Awaited::Page(key), frame) =
        r.spaces[0].fault(&mut r.mem, Rig::at(1, 0), Read, DiskWait::None).unwrap()
    else {
        panic!()
    };
    r.mem.set_file(FILE, 0, Store::Device);
    r.mem.remove_file(FILE);
    r.audit();
    r.mem.finish_read(key, frame, true);
    assert_eq!(r.load(0, Rig::at(1, 0)), SIGBUS);
    assert_eq!(r.load(0, Rig::at(0, 0)), Ok(disk_byte(FILE, 0)), "a mapped page stays until it is unmapped");
    assert_eq!(r.mem.frames().counts().orphan, 1);
    r.end();
}

#[test]
fn truncating_zeroes_the_rest_of_the_last_page() {
    let mut r = Rig::new(64);
    r.mem.set_file(FILE, 2 * PAGE_SIZE, Store::Memory);
    r.file(2, RW, VmaFlags::SHARED, None);
    for offset in [0, 99, 100, 4095, 4096] {
        r.store(0, Rig::at(0, offset), 9).unwrap();
    }
    r.resize(100);
    assert_eq!(r.load(0, Rig::at(1, 0)), SIGBUS, "past the end, though it was mapped");
    r.store(0, Rig::at(0, 101), 8).unwrap();
    r.resize(2 * PAGE_SIZE);
    let bytes = [0, 99, 100, 101, 4095, 4096].map(|offset| r.load(0, Rig::at(0, offset)).unwrap());
    assert_eq!(bytes, [9, 9, 0, 0, 0, 0], "what lay past the end is gone");
    r.unmap(0, pages(0, 2));
    r.mem.remove_file(FILE);
    r.end();
}

#[test]
fn a_file_that_has_changed_is_read_again_by_whoever_touches_a_new_page() {
    let mut r = Rig::new(64);
    r.mem.set_file(FILE, 3 * PAGE_SIZE, Store::Device);
    r.file(3, Prot::READ, VmaFlags::empty(), None);
    r.load(0, Rig::at(0, 0)).unwrap();
    r.mem.remove_file(FILE);
    r.load(0, Rig::at(0, 0)).unwrap();
    r.load(0, Rig::at(1, 0)).unwrap();
    assert_eq!(r.actions(), [FaultAction::FileDisk; 2], "the file is mapped, so it is known still");
    r.end();
}

#[test]
fn discarded_pages_begin_anew() {
    let mut r = Rig::new(64);
    r.anon(3);
    for page in 0..3 {
        r.store(0, Rig::at(page, 0), 1).unwrap();
    }
    // Where no VMA is, there is nothing to discard.
    let discarded = r.spaces[0].discard(&mut r.mem, pages(1, 5));
    r.m.hart.fence(1, discarded.flush);
    assert_eq!((discarded.pages, r.anon_frames()), (2, 1));
    let bytes = [0, 1, 2].map(|page| r.load(0, Rig::at(page, 0)).unwrap());
    assert_eq!((bytes, r.anon_frames()), ([1, 0, 0], 1));
    assert_eq!(r.spaces[0].vmas().len(), 1);
    r.end();
}

#[test]
fn running_out_of_frames_changes_nothing() {
    let mut r = Rig::new(6);
    r.anon(10);
    r.store(0, Rig::at(0, 0), 1).unwrap();
    r.store(0, Rig::at(1, 0), 1).unwrap();
    assert_eq!(r.mem.frames().free(), 0);
    assert_eq!(r.store(0, Rig::at(2, 0), 1), Err(Stopped::OutOfFrames));
    assert!(r.spaces[0].fork(&mut r.mem, SpaceId(2), 2, None).is_err());
    r.audit();
    // A frame for the page but none for its page tables.
    r.unmap(0, pages(1, 2));
    let far = VirtAddr(BASE.0 + (1 << 30));
    r.map(0, far, 1, RW, VmaFlags::empty(), Backing::Anon);
    assert_eq!(r.store(0, far, 1), Err(Stopped::OutOfFrames));
    assert_eq!(r.load(0, far), Err(Stopped::OutOfFrames));
    r.audit();
    assert_eq!(r.mem.frames().free(), 1, "nothing is kept of the attempt");
    assert_eq!(r.load(0, Rig::at(0, 0)), Ok(1));
    // A fork that gets its root and one table only.
    assert!(matches!(r.spaces[0].fork(&mut r.mem, SpaceId(2), 2, None), Err(OutOfFrames)));
    r.audit();
    r.end();
}

#[test]
fn the_kernel_half_comes_from_the_template() {
    let mut mem = memory(16);
    let template = mem.allocate_kernel().unwrap();
    for index in 0..512 {
        mem.phys_mut().write_pte(PhysAddr(template.base().0 + index * 8), Pte(index << 10 | 0xcf));
    }
    let space = AddressSpace::new(&mut mem, SpaceId(1), 1, Some(template.ppn())).unwrap();
    let entry = |index: u64| mem.phys().read_pte(PhysAddr(space.root().base().0 + index * 8));
    assert!((0..256).all(|index| entry(index) == Pte::EMPTY));
    assert!((256..512).all(|index| entry(index) == Pte(index << 10 | 0xcf)));
    space.teardown(&mut mem);
    mem.free_kernel(template);
    assert_eq!(mem.frames().used(), 1);
}

#[test]
fn the_heap_moves_with_the_break() {
    let mut r = Rig::new(64);
    r.spaces[0].set_heap_start(VirtAddr(0x20_0010));
    let brk = |r: &mut Rig, to: u64| {
        let flush = r.spaces[0].brk(&mut r.mem, VirtAddr(to));
        r.m.hart.fence(1, flush);
        r.spaces[0].heap_end().0
    };
    assert_eq!(brk(&mut r, 0), 0x20_0010, "asking for nonsense tells where the break is");
    assert_eq!(brk(&mut r, 0x20_5000), 0x20_5000);
    r.store(0, VirtAddr(0x20_4fff), 1).unwrap();
    r.store(0, VirtAddr(0x20_1000), 1).unwrap();
    assert_eq!(brk(&mut r, 0x20_4001), 0x20_4001);
    assert_eq!(r.load(0, VirtAddr(0x20_4fff)), Ok(1), "its page is the break's own");
    assert_eq!(brk(&mut r, 0x20_4000), 0x20_4000);
    assert_eq!(r.load(0, VirtAddr(0x20_4fff)), SIGSEGV_MAPERR);
    assert_eq!(brk(&mut r, 0x20_5000), 0x20_5000);
    assert_eq!(r.load(0, VirtAddr(0x20_4fff)), Ok(0), "given back and taken again: zeros");
    // Something in the way.
    r.map(0, VirtAddr(0x20_8000), 1, RW, VmaFlags::empty(), Backing::Anon);
    assert_eq!(brk(&mut r, 0x20_8001), 0x20_5000);
    assert_eq!(brk(&mut r, 0x20_8000), 0x20_8000);
    assert_eq!(r.spaces[0].vmas().iter().filter(|v| v.name.as_bytes() == b"[heap]").count(), 1);
    r.end();
}

#[test]
fn mappings_are_placed_as_asked() {
    let mut r = Rig::new(16);
    let mut map = |placement, len_pages| {
        let request = MapRequest {
            placement,
            len_pages,
            prot: RW,
            flags: VmaFlags::empty(),
            backing: Backing::Anon,
            name: "".into(),
        };
        r.spaces[0].map(&mut r.mem, request).map(|m| m.range.start)
    };
    let top = mm::layout::mmap_base_page(mm::layout::STACK_LIMIT_PAGES).0;
    assert_eq!(map(Placement::Anywhere, 4), Ok(Vpn(top - 4)));
    assert_eq!(map(Placement::Anywhere, 4), Ok(Vpn(top - 8)));
    assert_eq!(map(Placement::Hint(Vpn(0x500)), 4), Ok(Vpn(0x500)));
    assert_eq!(map(Placement::Hint(Vpn(0x502)), 4), Ok(Vpn(top - 12)), "taken: anywhere else");
    assert_eq!(map(Placement::Hint(Vpn(3)), 4), Ok(Vpn(top - 16)), "too low: anywhere else");
    assert_eq!(map(Placement::FixedNoReplace(Vpn(0x503)), 1), Err(MapError::Exists));
    assert_eq!(map(Placement::Fixed(Vpn(0x503)), 1), Ok(Vpn(0x503)));
    assert_eq!(map(Placement::Fixed(Vpn((1 << 26) - 1)), 2), Err(MapError::BadRange));
    assert_eq!(map(Placement::Fixed(Vpn(u64::MAX - 1)), 2), Err(MapError::BadRange));
    assert_eq!(map(Placement::Fixed(Vpn(7)), u64::MAX), Err(MapError::BadRange));
    assert_eq!(map(Placement::Anywhere, 0), Err(MapError::BadRange));
    assert_eq!(map(Placement::Anywhere, 1 << 26), Err(MapError::NoRoom));
    r.end();
}

/// A and D of a page of process 0.
fn marks(r: &Rig, page: u64) -> (bool, bool) {
    let flags = r.spaces[0].pte(&r.mem, Rig::at(page, 0).page()).flags();
    (flags.contains(PteFlags::A), flags.contains(PteFlags::D))
}

#[test]
fn a_load_sets_a_and_a_store_sets_d_at_the_cost_of_no_fault_of_its_own() {
    let mut r = Rig::new(64);
    r.anon(2);
    r.load(0, Rig::at(0, 0)).unwrap();
    r.store(0, Rig::at(1, 0), 1).unwrap();
    assert_eq!([marks(&r, 0), marks(&r, 1)], [(true, false), (true, true)]);
    r.store(0, Rig::at(0, 0), 1).unwrap();
    assert_eq!(marks(&r, 0), (true, true));
    use FaultAction::{Zero, ZeroShared};
    assert_eq!(r.actions(), [ZeroShared, Zero, Zero]);
    r.end();
}

#[test]
fn cleared_bits_are_set_again_by_fault_or_by_hardware() {
    for updates_marks in [false, true] {
        let mut r = Rig::new(64);
        r.m.hart.updates_marks = updates_marks;
        r.anon(1);
        r.store(0, BASE, 1).unwrap();
        for clear in [AddressSpace::clear_accessed, AddressSpace::clear_dirty] {
            let (was_set, flush) = clear(&mut r.spaces[0], &mut r.mem, BASE.page());
            assert_eq!((was_set, flush), (true, Flush::page(BASE.page())));
            r.m.hart.fence(1, flush);
            assert_eq!(clear(&mut r.spaces[0], &mut r.mem, BASE.page()), (false, Flush::None));
        }
        assert_eq!(marks(&r, 0), (false, false));
        r.load(0, BASE).unwrap();
        assert_eq!(marks(&r, 0), (true, false));
        r.store(0, BASE, 2).unwrap();
        assert_eq!(marks(&r, 0), (true, true));
        use FaultAction::{Accessed, Dirtied, Zero};
        let expected: &[_] = if updates_marks { &[Zero] } else { &[Zero, Accessed, Dirtied] };
        assert_eq!(r.actions(), expected);
        r.end();
    }
}

#[test]
fn a_store_through_a_mapping_makes_the_page_of_the_file_dirty() {
    let dirty = |r: &Rig, index| r.mem.cache().state(PageKey { file: FILE, index });
    let (clean, changed) = (Some(PageState::Ready { dirty: false }), Some(PageState::Ready { dirty: true }));
    let mut r = Rig::new(64);
    r.m.hart.updates_marks = true;
    r.mem.set_file(FILE, 3 * PAGE_SIZE, Store::Device);
    r.file(3, RW, VmaFlags::SHARED, None);
    for page in 0..3 {
        r.load(0, Rig::at(page, 0)).unwrap();
    }
    // The hardware sets D, and no fault tells of it.
    r.store(0, Rig::at(0, 0), 1).unwrap();
    r.store(0, Rig::at(1, 0), 1).unwrap();
    assert_eq!(r.actions(), [FaultAction::SharedMap; 3]);
    let (was_set, flush) = r.spaces[0].clear_dirty(&mut r.mem, Rig::at(0, 0).page());
    r.m.hart.fence(1, flush);
    assert_eq!((was_set, dirty(&r, 0)), (true, changed));
    // The device gets it; then it is stored to again, and unmapped.
    r.mem.mark_clean(PageKey { file: FILE, index: 0 });
    r.store(0, Rig::at(0, 0), 2).unwrap();
    assert_eq!(dirty(&r, 0), clean, "so far D alone knows");
    r.unmap(0, pages(0, 3));
    assert_eq!([0, 1, 2].map(|index| dirty(&r, index)), [changed, changed, clean]);
    r.mem.remove_file(FILE);
    r.end();
}

#[test]
fn a_child_has_neither_used_nor_changed_a_page() {
    let mut r = Rig::new(64);
    r.anon(1);
    r.store(0, BASE, 1).unwrap();
    let child = r.fork(0);
    let flags = r.spaces[child].pte(&r.mem, BASE.page()).flags();
    assert!(!flags.intersects(PteFlags::A | PteFlags::D), "{flags:?}");
    assert_eq!(marks(&r, 0), (true, true));
    r.load(child, BASE).unwrap();
    assert_eq!(r.actions().last(), Some(&FaultAction::Accessed));
    r.end();
}

#[test]
fn a_kernel_copy_marks_pages_as_the_hardware_would() {
    let mut r = Rig::new(64);
    r.anon(1);
    assert!(!r.spaces[0].mark(&mut r.mem, BASE, Read), "there is nothing");
    r.load(0, BASE).unwrap();
    assert!(!r.spaces[0].mark(&mut r.mem, BASE, Write), "a store needs a frame first");
    r.store(0, BASE, 1).unwrap();
    for clear in [AddressSpace::clear_accessed, AddressSpace::clear_dirty] {
        let (_, flush) = clear(&mut r.spaces[0], &mut r.mem, BASE.page());
        r.m.hart.fence(1, flush);
    }
    assert_eq!(r.spaces[0].translate(&r.mem, BASE, Read), None);
    assert!(r.spaces[0].mark(&mut r.mem, BASE, Read));
    assert_eq!(marks(&r, 0), (true, false));
    assert!(r.spaces[0].translate(&r.mem, BASE, Read).is_some());
    assert_eq!(r.spaces[0].translate(&r.mem, BASE, Write), None);
    assert!(r.spaces[0].mark(&mut r.mem, BASE, Write));
    assert!(r.spaces[0].translate(&r.mem, BASE, Write).is_some());
    assert!(!r.spaces[0].mark(&mut r.mem, VirtAddr(u64::MAX), Read));
    r.end();
}

#[test]
fn a_kernel_copy_sees_what_the_user_would() {
    let mut r = Rig::new(64);
    r.anon(2);
    let translate = |r: &Rig, va, access| r.spaces[0].translate(&r.mem, va, access);
    assert_eq!(translate(&r, BASE, Read), None);
    r.load(0, BASE).unwrap();
    assert_eq!(translate(&r, Rig::at(0, 5), Read), Some(r.mem.zero_page().base().wrapping_add(5)));
    assert_eq!(translate(&r, BASE, Write), None);
    r.store(0, BASE, 1).unwrap();
    assert!(translate(&r, BASE, Write).is_some());
    r.protect(0, pages(0, 1), Prot::empty()).unwrap();
    assert_eq!(translate(&r, BASE, Read), None);
    for va in [1 << 38, 0xffff_ffc0_8020_0000, u64::MAX] {
        assert_eq!(translate(&r, VirtAddr(va), Read), None);
        assert_eq!(r.load(0, VirtAddr(va)), SIGSEGV_MAPERR);
    }
    r.end();
}
