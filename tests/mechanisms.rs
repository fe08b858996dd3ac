//! The three mechanisms by exact numbers, from the demos: pages that are not touched are never read; a zero-filled frame holds no
//! byte of its former owner; after fork all private frames are shared until one is written, a write copies one, and the
//! last owner's write copies none.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/guest.rs"]
mod guest;

use emulator::host::{DiskError, DiskImage};
use emulator::machine::MachineConfig;
use guest::{Guest, disk};
use isa::events::EventKind;
use isa::paging::Satp;
use isa::policies::{PolicyKind, Why};
use isa::{Extension, IsaSet, PAGE_SIZE, Ppn, VirtAddr};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

const PAGE: usize = 4096;

/// A disk that remembers what it was asked for, in 4 KiB pieces.
struct Watched {
    disk: Box<dyn DiskImage>,
    given: Rc<RefCell<Vec<Vec<u8>>>>,
}

impl DiskImage for Watched {
    fn len_bytes(&self) -> u64 {
        self.disk.len_bytes()
    }
    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        self.disk.read(offset_bytes, buffer)?;
        self.given.borrow_mut().extend(buffer.chunks(PAGE).map(<[u8]>::to_vec));
        Ok(())
    }
}

/// The letter with which a page of the demos' book begins, if these bytes are one.
fn book_page(bytes: &[u8]) -> Option<char> {
    let (first, rest) = bytes.split_first()?;
    (bytes.len() == PAGE && first.is_ascii_lowercase() && rest.iter().all(|&byte| byte == b'.'))
        .then_some(char::from(*first))
}

/// The pages of the book that the disk has handed out while `demand` read the pages named, and the reads it took in all.
fn book_pages_read(pages: &[&str]) -> (Vec<char>, usize) {
    let given = Rc::new(RefCell::new(Vec::new()));
    let watched = Watched { disk: disk("demand"), given: Rc::clone(&given) };
    let mut command = vec!["demand"];
    command.extend(pages);
    let mut guest = Guest::with_disk(&command, 0, Box::new(watched));
    assert_eq!(guest.finish(), 0, "{}", guest.output());
    assert_eq!(guest.output().lines().count(), pages.len());
    let given = given.borrow();
    (given.iter().filter_map(|bytes| book_page(bytes)).collect(), given.len())
}

#[test]
fn a_page_that_is_not_touched_is_never_read() {
    // The program holds all 256 pages of the book; the image holds the program.
    let text = guest::elf("demand");
    assert!(text.len() > 256 * PAGE);
    // Pages 3, 77 and 255 begin with d, z and v.
    let (letters, reads) = book_pages_read(&["3", "77", "255"]);
    assert_eq!(letters, ['d', 'z', 'v']);
    // A page read twice is read from the disk once.
    let (letters, again) = book_pages_read(&["3", "77", "255", "77", "3"]);
    assert_eq!((letters.len(), again), (3, reads));
    // One page more is one read of one page more.
    let (letters, more) = book_pages_read(&["3", "77", "255", "100"]);
    assert_eq!((letters.len(), more), (4, reads + 1));
    // The neighbours of a page that was touched are not read either.
    let (letters, _) = book_pages_read(&["3", "5"]);
    assert_eq!(letters, ['d', 'f']);
}

#[test]
fn no_page_of_a_mapping_is_read_before_it_faults() {
    // Every page that comes from the disk comes by a fault on that page, and for it alone.
    for command in [&["hello"][..], &["demand", "1", "2", "9"], &["sharedtext", "3", "20"], &["sharedpage"]] {
        let mut guest = Guest::new(command, 0);
        assert_eq!(guest.finish(), 0, "{}", guest.output());
        let mut seen = BTreeSet::new();
        for event in guest.events().iter().filter(|event| event.from_disk()) {
            let page = (event.record.detail, event.record.detail2);
            assert!(seen.insert(page), "{command:?}: page {page:?} was read twice");
        }
        let header_pages = guest
            .events_of(EventKind::DiskRead)
            .iter()
            .filter(|event| seen.iter().any(|&(file, _)| file == event.record.detail3))
            .count();
        // Besides: what execve itself reads to see what kind of file it is, the first page.
        assert!(header_pages <= 1, "{command:?}: {header_pages} reads of the program without a fault");
    }
}

#[test]
fn every_zero_filled_frame_is_zero_when_it_is_handed_out() {
    // Few frames, so that the parent must get those that its child has filled with 0x5a.
    let mut guest = Guest::new(&["zerofill", "150"], 260);
    guest.stop_at(|event| {
        event.kind().is_some_and(|kind| matches!(kind, EventKind::Zero | EventKind::StackGrow))
    });
    let (mut handed_out, mut reused, mut dirty) = (BTreeSet::new(), 0, 0);
    while let Some(event) = guest.next_stop() {
        let frame = Ppn(event.record.frame);
        let bytes = guest.machine.ram().slice(frame.base(), PAGE).expect("a frame lies in RAM");
        dirty += bytes.iter().filter(|&&byte| byte != 0).count();
        reused += usize::from(!handed_out.insert(frame));
    }
    assert_eq!(guest.finish(), 0, "{}", guest.output());
    assert!(
        guest.output().contains("150 pages written by the parent: 0 old bytes seen"),
        "{}",
        guest.output()
    );
    assert_eq!(dirty, 0, "bytes of former owners");
    // 300 pages were asked for and there are 260 frames: the test has seen what it is about.
    assert!(reused >= 40, "only {reused} frames were handed out twice");
}

#[test]
fn only_touched_pages_of_bss_and_heap_get_frames() {
    let zero = |command: &[&str]| {
        let mut guest = Guest::new(command, 0);
        assert_eq!(guest.finish(), 0, "{}", guest.output());
        guest.count(EventKind::Zero)
    };
    // Parent and child each touch their own.
    assert_eq!(zero(&["zerofill", "50"]) - zero(&["zerofill", "10"]), 2 * 40);
    // Whether 16 or 96 MiB were asked for does not matter.
    assert_eq!(zero(&["lazymalloc", "7", "16"]), zero(&["lazymalloc", "7", "96"]));
    assert_eq!(zero(&["lazymalloc", "107", "96"]) - zero(&["lazymalloc", "7", "96"]), 100);
}

#[test]
fn after_fork_every_private_frame_is_shared() {
    let mut guest = Guest::new(&["cowfork", "64", "3"], 0);
    // fork reports itself when the child's address space is complete, and before the child runs.
    guest.stop_at(|event| event.kind() == Some(EventKind::Fork));
    let fork = guest.next_stop().expect("cowfork forks");
    let parent = Satp(guest.events_of(EventKind::Exec)[0].record.detail2);
    let child = Satp(fork.record.detail2);
    let written: Vec<VirtAddr> = guest
        .events()
        .iter()
        .filter(|event| {
            matches!(event.kind(), Some(EventKind::Zero | EventKind::StackGrow | EventKind::FileCopy))
        })
        .map(|event| VirtAddr(event.record.va / PAGE_SIZE * PAGE_SIZE))
        .collect();
    assert!(written.len() >= 65, "64 pages and a stack");
    for &page in &written {
        let (mine, theirs) =
            (guest.machine.translate_in(parent, page), guest.machine.translate_in(child, page));
        assert!(mine.is_some(), "{page:?} is mapped in the parent");
        assert_eq!(mine, theirs, "{page:?} is shared");
    }
    // One write copies one frame: that page differs from now on, and no other.
    guest.stop_at(|event| event.kind() == Some(EventKind::CowCopy));
    let mut copied = BTreeSet::new();
    while let Some(copy) = guest.next_stop() {
        assert_ne!(copy.record.frame, copy.record.previous_frame);
        assert!(copy.record.refs >= 2, "a copy although nobody else has the frame");
        copied.insert(VirtAddr(copy.record.va / PAGE_SIZE * PAGE_SIZE));
        for &page in &written {
            let same = guest.machine.translate_in(parent, page) == guest.machine.translate_in(child, page);
            assert_eq!(same, !copied.contains(&page), "{page:?} after {} copies", copied.len());
        }
        if copied.len() == 4 {
            break;
        }
    }
    // What the kernel said it shared is what was there to share.
    let shared: u64 = guest.events_of(EventKind::CowShare).iter().map(|event| event.record.detail).sum();
    assert_eq!(shared, written.len() as u64);
    guest.stop_at(|_| false);
    assert_eq!(guest.finish(), 0, "{}", guest.output());
}

#[test]
fn one_write_copies_one_frame_and_the_last_owner_s_none() {
    let counts = |pages: &str, written: &str| {
        let mut guest = Guest::new(&["cowfork", pages, written], 0);
        assert_eq!(guest.finish(), 0, "{}", guest.output());
        let kinds = [EventKind::Zero, EventKind::CowCopy, EventKind::CowReuse];
        kinds.map(|kind| guest.count(kind))
    };
    let [zero, copies, reuses] = counts("64", "0");
    // The child writes nothing but its stack.
    assert!(copies <= 2, "{copies} copies");
    // The parent's 64 writes after the child has gone copy nothing.
    assert!(reuses >= 64, "{reuses} reuses");
    assert_eq!(counts("64", "1"), [zero, copies + 1, reuses]);
    assert_eq!(counts("64", "40"), [zero, copies + 40, reuses]);
    assert_eq!(counts("65", "0"), [zero + 1, copies, reuses + 1]);
    assert_eq!(counts("165", "40"), [zero + 101, copies + 40, reuses + 101]);
}

#[test]
fn shared_text_is_in_memory_once() {
    let counts = |children: &str| {
        let mut guest = Guest::new(&["sharedtext", children, "30"], 0);
        assert_eq!(guest.finish(), 0, "{}", guest.output());
        (guest.count(EventKind::FileDisk), guest.count(EventKind::FileCache))
    };
    let (disk, cache) = counts("1");
    let (disk_of_5, cache_of_5) = counts("5");
    assert_eq!(disk_of_5, disk, "the first child's pages serve all");
    // Four more children map the 30 pages, and a few of text that fork leaves to be found again.
    assert!((cache + 120..=cache + 140).contains(&cache_of_5), "{cache} and {cache_of_5}");
}

#[test]
fn a_child_maps_text_by_faults_or_with_a_word_at_once() {
    let faults = |bootargs: &str| {
        let mut guest = Guest::with_bootargs(&["cowfork", "10", "3"], 0, disk("cowfork"), bootargs);
        assert_eq!(guest.finish(), 0, "{}", guest.output());
        let copied: u64 = guest.events_of(EventKind::CowShare).iter().map(|event| event.record.detail).sum();
        (guest.count(EventKind::FileCache), guest.count(EventKind::CowCopy), copied)
    };
    let ((found, copies, shared), (found_at_once, copies_at_once, shared_at_once)) =
        (faults(""), faults("folio.fork_maps"));
    // What is shared copy-on-write is so either way.
    assert_eq!((copies, shared), (copies_at_once, shared_at_once));
    assert!(found > found_at_once, "{found} pages of text found again, {found_at_once} with a word");
}

#[test]
fn whoever_sets_a_and_d_the_faults_are_the_same() {
    // With Svadu the kernel lets the hart set the bits; without, a fault asks for each.
    let counts = |command: &[&str], isa: IsaSet| {
        let config = MachineConfig { isa, ..MachineConfig::default() };
        let mut guest = Guest::with_config(command, config, disk(command[0]), "");
        assert_eq!(guest.finish(), 0, "{}", guest.output());
        let faults = EventKind::ALL.iter().filter(|kind| kind.is_fault());
        let (marks, others): (Vec<_>, Vec<_>) = faults
            .map(|&kind| (kind, guest.count(kind)))
            .partition(|(kind, _)| matches!(kind, EventKind::Accessed | EventKind::Dirtied));
        (marks.iter().map(|(_, count)| count).sum::<usize>(), others)
    };
    let (with, without) = (IsaSet::default(), IsaSet::parse("rva22s64").expect("a profile"));
    assert!(with.contains(Extension::Svadu) && !without.contains(Extension::Svadu));
    for command in [&["hello"][..], &["demand", "3", "77"], &["cowfork", "64", "3"], &["vmtests"]] {
        let (hardware_marks, hardware) = counts(command, with);
        let (kernel_marks, kernel) = counts(command, without);
        assert_eq!(hardware, kernel, "{command:?}");
        assert_eq!(hardware_marks, 0, "{command:?}");
        // Who neither forks nor maps what it changes later needs none: an access that maps a page sets the bits for itself.
        assert_eq!(kernel_marks > 0, !matches!(command[0], "hello" | "demand"), "{command:?}");
    }
}

#[test]
fn after_the_end_every_frame_is_free() {
    for command in [
        &["hello"][..],
        &["cowfork", "64", "3"],
        &["sharedtext"],
        &["zerofill", "100"],
        &["stackgrow", "100"],
    ] {
        let mut guest = Guest::new(command, 0);
        assert_eq!(guest.finish(), 0, "{}", guest.output());
        let shutdown = guest.events_of(EventKind::Shutdown);
        let [event] = shutdown.as_slice() else { panic!("{command:?}: no record of the end") };
        let (free, cached, at_boot) = (event.record.detail, event.record.detail2, event.record.detail3);
        assert_eq!(free + cached, at_boot, "{command:?}: frames are missing");
        assert!(cached > 0, "{command:?}: the program's pages are still in the cache");
    }
}

#[test]
fn pages_of_files_go_whoever_maps_them_and_programs_do_not_notice() {
    let command = ["sharedtext"];
    let run = |frames: u64, bootargs: &str| {
        let mut guest = Guest::with_bootargs(&command, frames, disk(command[0]), bootargs);
        assert_eq!(guest.finish(), 0, "{bootargs}, {frames} frames: {}", guest.output());
        let shutdown = guest.events_of(EventKind::Shutdown);
        let [end] = shutdown.as_slice() else { panic!("no record of the end") };
        let (free, cached, at_boot) = (end.record.detail, end.record.detail2, end.record.detail3);
        assert_eq!(free + cached, at_boot, "{bootargs}: frames are missing");
        guest
    };
    // When the last process has ended, the kernel drops the page cache.
    let evictions = |guest: &Guest| {
        let end = guest.events_of(EventKind::Exit).last().expect("the program has ended").step;
        guest.events_of(EventKind::Evict).into_iter().filter(|event| event.step < end).collect::<Vec<_>>()
    };
    let alone = run(0, "");
    assert_eq!(evictions(&alone), [], "there is room for all");
    for policy in PolicyKind::all() {
        let short = run(36, &format!("folio.policy={policy}"));
        assert_eq!(short.output(), alone.output(), "{policy}");
        let evictions = evictions(&short);
        assert!(evictions.len() > 10, "{policy}: {}", evictions.len());
        for event in evictions {
            let (by, why) = Why::from_word(event.record.detail3).expect("a policy chose the page");
            assert!(by == policy && why.looks > why.cleared, "{policy}: {by} {why:?}");
        }
        // What has gone is read again.
        assert!(short.count(EventKind::FileDisk) > alone.count(EventKind::FileDisk), "{policy}");
    }
}
