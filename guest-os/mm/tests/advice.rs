//! What a program says of its pages: that they are not needed soon, or not at all, or are to leave memory.

#![allow(clippy::cast_possible_truncation, clippy::unwrap_used)] // small numbers, in functions that only tests call

mod support;

use isa::PAGE_SIZE;
use isa::paging::PteFlags;
use mm::policy::Marks;
use mm::pte::{NotPresent, SwapSlot};
use mm::swap::SwapMap;
use mm::{Backing, FaultAction, FileId, FrameNote, PageKey, PageRange, Prot, Store, SwapOut, VmaFlags};
use support::rig::{BASE, FILE, RW, Rig, pages};
use support::take_evicted;

/// A process with so many pages of its own, each with its number, from 1 on, in its first byte; with swap space, or without.
fn with_pages(count: u64, slots: Option<u32>) -> Rig {
    let mut r = Rig::new(64);
    if let Some(slots) = slots {
        r.mem.start_swap(SwapMap::new(slots).unwrap());
    }
    r.anon(count);
    (0..count).for_each(|page| r.store(0, Rig::at(page, 0), page as u8 + 1).unwrap());
    r.actions();
    r
}

fn page_out(r: &mut Rig, mut range: PageRange) {
    while r.spaces[0].page_out(&mut r.mem, &mut range) {
        let write = r.mem.take_write().expect("it stops at a write");
        r.m.write_out(&mut r.mem, write);
    }
    r.audit();
}

fn give_up(r: &mut Rig, range: PageRange) -> Vec<PageRange> {
    let mut gone = Vec::new();
    let flush = r.spaces[0].give_up(&mut r.mem, range, |range| gone.push(range));
    r.m.hart.fence(r.spaces[0].asid(), flush);
    r.audit();
    gone
}

/// What the entry of a page says; `None` if it is in memory.
fn away(r: &Rig, page: u64) -> Option<NotPresent> {
    NotPresent::decode(r.spaces[0].pte(&r.mem, Rig::at(page, 0).page()))
}

/// What was told of pages that went to swap space, or nowhere.
fn told(r: &mut Rig) -> Vec<SwapOut> {
    let notes = std::mem::take(&mut r.mem.phys_mut().notes);
    notes
        .into_iter()
        .filter_map(|(_, n)| if let FrameNote::SwappedOut(out) = n { Some(out) } else { None })
        .collect()
}

#[test]
fn pages_leave_memory_when_their_program_asks_for_it() {
    let mut r = with_pages(6, Some(100));
    let lock = |r: &mut Rig, set, unset| {
        r.spaces[0].set_vma_flags(&mut r.mem, pages(1, 2), set, unset).unwrap();
    };
    lock(&mut r, VmaFlags::LOCKED, VmaFlags::empty());
    r.store(0, Rig::at(2, 0), 0).unwrap();
    told(&mut r);
    page_out(&mut r, pages(0, 4));
    let slot = |number| Some(NotPresent::Swapped(SwapSlot(number)));
    assert_eq!(
        [0, 1, 2, 3, 4].map(|page| away(&r, page)),
        [slot(1), None, Some(NotPresent::Zeros), slot(2), None]
    );
    let told = told(&mut r);
    assert_eq!(told.len(), 3);
    let why = told[0].why;
    assert_eq!((why.is_asked, why.is_local, why.marks), (true, false, Marks { accessed: true, dirty: true }));
    // What a child has, too, stays in memory, and what it has no more goes.
    lock(&mut r, VmaFlags::empty(), VmaFlags::LOCKS);
    let child = r.fork(0);
    page_out(&mut r, pages(0, 6));
    assert_eq!([1, 4, 5].map(|page| away(&r, page)), [None; 3]);
    r.store(child, Rig::at(4, 0), 77).unwrap();
    page_out(&mut r, pages(0, 6));
    assert_eq!([1, 4, 5].map(|page| away(&r, page)), [None, slot(3), None]);
    for (page, byte) in (0..6).zip([1, 2, 0, 4, 5, 6]) {
        assert_eq!(r.load(0, Rig::at(page, 0)), Ok(byte));
    }
    assert_eq!(r.load(child, Rig::at(4, 0)), Ok(77));
    r.end();
}

#[test]
fn nothing_goes_where_there_is_no_swap_space_or_no_more_of_it() {
    for (slots, gone) in [(None, 0), (Some(3), 3)] {
        let mut r = with_pages(5, slots);
        page_out(&mut r, pages(0, 5));
        assert_eq!((0..5).filter(|&page| away(&r, page).is_some()).count(), gone);
        assert_eq!(r.load(0, Rig::at(4, 0)), Ok(5));
        r.end();
    }
}

#[test]
fn what_was_given_up_goes_without_swap_space_unless_it_is_stored_to() {
    let mut r = with_pages(4, None);
    assert!(!r.mem.evict_one(), "there is nowhere to go for them");
    assert_eq!(give_up(&mut r, pages(0, 3)), []);
    r.store(0, Rig::at(1, 9), 5).unwrap();
    assert_eq!(r.load(0, Rig::at(0, 0)), Ok(1), "as long as it is in memory");
    told(&mut r);
    assert_eq!(r.mem.evict_all(), 2);
    assert!(told(&mut r).iter().all(|out| out.is_given_up && !out.is_written && out.slot.is_none()));
    let zeros = Some(NotPresent::Zeros);
    assert_eq!([0, 1, 2, 3].map(|page| away(&r, page)), [zeros, None, zeros, None]);
    let bytes = [(0, 0), (1, 0), (1, 9), (2, 0), (3, 0)].map(|(page, at)| r.load(0, Rig::at(page, at)));
    assert_eq!(bytes, [Ok(0), Ok(2), Ok(5), Ok(0), Ok(4)]);
    r.end();
}

#[test]
fn what_was_given_up_is_kept_when_others_want_it_or_its_d_bit_says_nothing() {
    // A child; a policy that has cleared D; a store before the page goes.
    let mut r = with_pages(3, Some(100));
    give_up(&mut r, pages(0, 3));
    let child = r.fork(0);
    r.unmap(child, pages(1, 3));
    r.store(0, Rig::at(1, 1), 8).unwrap();
    let (_, flush) = r.spaces[0].clear_dirty(&mut r.mem, Rig::at(1, 0).page());
    r.m.hart.fence(1, flush);
    page_out(&mut r, pages(0, 3));
    r.unmap(0, pages(0, 1));
    while let Some(write) = {
        r.mem.evict_one();
        r.mem.take_write()
    } {
        r.m.write_out(&mut r.mem, write);
    }
    let found = [(child, 0, 0), (0, 1, 0), (0, 1, 1), (0, 2, 0)]
        .map(|(who, page, at)| r.load(who, Rig::at(page, at)));
    assert_eq!(found, [Ok(1), Ok(2), Ok(8), Ok(3)]);
    r.end();
}

#[test]
fn what_is_in_swap_space_is_given_up_at_once() {
    let mut r = with_pages(6, Some(100));
    page_out(&mut r, pages(0, 2));
    page_out(&mut r, pages(3, 5));
    assert_eq!(give_up(&mut r, pages(0, 6)), [pages(0, 2), pages(3, 5)]);
    assert_eq!(r.mem.swap().counts().used, 0);
    let bytes = [0, 1, 2, 3, 4, 5].map(|page| r.load(0, Rig::at(page, 0)));
    assert_eq!(bytes, [Ok(0), Ok(0), Ok(3), Ok(0), Ok(0), Ok(6)]);
    // A page that came back, and kept its slot, loses that.
    r.store(0, Rig::at(2, 0), 4).unwrap();
    page_out(&mut r, pages(2, 3));
    assert_eq!(r.load(0, Rig::at(2, 0)), Ok(4));
    assert_eq!(r.mem.swap().counts().used, 1);
    give_up(&mut r, pages(2, 3));
    assert_eq!(r.mem.swap().counts().used, 0);
    r.end();
}

#[test]
fn cool_pages_go_first() {
    let mut r = with_pages(4, Some(100));
    r.mem.evict_one();
    let write = r.mem.take_write().unwrap();
    r.m.write_out(&mut r.mem, write);
    assert!((0..4).all(|page| r.load(0, Rig::at(page, 0)).is_ok()));
    let flush = r.spaces[0].cool(&mut r.mem, pages(2, 3));
    r.m.hart.fence(1, flush);
    let has_a = |page| r.spaces[0].pte(&r.mem, Rig::at(page, 0).page()).flags().contains(PteFlags::A);
    assert_eq!([0, 1, 2, 3].map(has_a), [true, true, false, true]);
    r.mem.evict_one();
    assert!(away(&r, 2).is_some(), "the only one that was not used");
    let write = r.mem.take_write().unwrap();
    r.m.write_out(&mut r.mem, write);
    r.end();
}

#[test]
fn pages_of_a_file_that_nobody_maps_are_dropped() {
    let mut r = Rig::new(64);
    r.mem.set_file(FILE, 8 * PAGE_SIZE, Store::Device);
    let in_memory = FileId(7);
    r.mem.set_file(in_memory, PAGE_SIZE, Store::Memory);
    r.file(8, Prot::READ, VmaFlags::empty(), None);
    r.map(
        0,
        Rig::at(100, 0),
        1,
        RW,
        VmaFlags::SHARED,
        Backing::File(mm::FileBacking { file: in_memory, first_page: 0, len_bytes: None }),
    );
    assert!((0..6).all(|page| r.load(0, Rig::at(page, 0)).is_ok()));
    r.store(0, Rig::at(100, 0), 9).unwrap();
    r.unmap(0, PageRange::new(BASE.page(), pages(0, 5).end));
    take_evicted(&mut r.mem);
    r.mem.drop_unused(FILE, 1..100);
    let key = |index| PageKey { file: FILE, index };
    assert_eq!(take_evicted(&mut r.mem), [1, 2, 3, 4].map(key), "page 5 is mapped");
    r.mem.drop_unused(FILE, 6..7);
    r.mem.drop_unused(in_memory, 0..100);
    r.unmap(0, pages(100, 101));
    r.mem.drop_unused(in_memory, 0..100);
    assert_eq!(take_evicted(&mut r.mem), [], "no device has it");
    r.actions();
    r.m.disk_reads.clear();
    r.load(0, Rig::at(5, 0)).unwrap();
    assert_eq!((r.actions(), r.m.disk_reads.len()), (Vec::<FaultAction>::new(), 0));
    r.mem.remove_file(in_memory);
    r.end();
}
