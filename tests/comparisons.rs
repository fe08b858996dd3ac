//! Doing without the mechanisms, by exact numbers: what `--eager` and `--fork copy` read and copy is computed from the program's own file and
//! from what its process has, and the events tell all of it.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/guest.rs"]
mod guest;

use emulator::trace::Trace;
use goblin::elf::Elf;
use goblin::elf::program_header::PT_LOAD;
use guest::{Guest, disk};
use isa::PAGE_SIZE;
use isa::events::EventKind;
use std::collections::BTreeSet;

/// A run to the program's end.
fn run(command: &[&str], frames: u64, bootargs: &str) -> Guest {
    let mut guest = Guest::with_bootargs(command, frames, disk(command[0]), bootargs);
    assert_eq!(guest.finish(), 0, "{command:?} {bootargs}: {}", guest.output());
    guest
}

/// What the events of a run come to.
fn folded(guest: &Guest) -> Trace {
    let mut trace = Trace::default();
    guest.events().iter().for_each(|event| trace.fold(event));
    trace
}

/// The pages of the program's file that came into memory, each time one did.
fn pages_read(guest: &Guest) -> Vec<u64> {
    let program = guest.events_of(EventKind::Mmap)[0].record.detail;
    let fills = guest.events_of(EventKind::CacheFill).into_iter();
    fills.filter(|event| event.record.detail == program).map(|event| event.record.detail2).collect()
}

/// Which pages of its file, and which pages of its address space, the segments of a program span.
fn layout(name: &str) -> (BTreeSet<u64>, BTreeSet<u64>) {
    let elf = Elf::parse(guest::elf(name)).unwrap();
    let pages = |start: u64, len: u64| start / PAGE_SIZE..(start + len).div_ceil(PAGE_SIZE);
    let segments = || elf.program_headers.iter().filter(|segment| segment.p_type == PT_LOAD);
    (
        segments().flat_map(|segment| pages(segment.p_offset, segment.p_filesz)).collect(),
        segments().flat_map(|segment| pages(segment.p_vaddr, segment.p_memsz)).collect(),
    )
}

const PROGRAMS: [&[&str]; 4] = [&["hello"], &["demand"], &["cowfork", "20", "3"], &["lazymalloc", "7", "16"]];

#[test]
fn an_eager_program_is_read_whole_and_once_before_its_first_instruction() {
    for command in PROGRAMS {
        let (lazy, eager) = (run(command, 0, ""), run(command, 0, "folio.eager"));
        assert_eq!(eager.output(), lazy.output(), "{command:?}");
        let (of_file, of_space) = layout(command[0]);
        let read = pages_read(&eager);
        // Every page of the segments, each once; nothing else of any file was asked for.
        assert_eq!(read.iter().copied().collect::<BTreeSet<_>>(), of_file, "{command:?}");
        assert_eq!(read.len(), of_file.len(), "{command:?}: a page was read twice");
        assert!(pages_read(&lazy).len() <= read.len(), "{command:?}");
        // Each page of the segments was mapped, before the program ran. What it asked for later came with the call; the stack grew by faults.
        let begun = eager.events_of(EventKind::Exec)[0].clone();
        let start = eager.events().iter().position(|event| event.is_fault() && !event.kernel_copy());
        let start = start.map_or(u64::MAX, |at| eager.events()[at].step.0);
        let populated: BTreeSet<u64> = eager
            .events_of(EventKind::Populate)
            .iter()
            .filter(|event| event.record.pid == begun.record.pid && event.step.0 < start)
            .map(|event| event.record.va / PAGE_SIZE)
            .collect();
        assert!(populated.is_superset(&of_space), "{command:?}: {populated:x?} lacks some of {of_space:x?}");
        for event in eager.events().iter().filter(|event| event.is_fault() && !event.kernel_copy()) {
            let kind = event.kind().unwrap();
            let is_of_fork = matches!(kind, EventKind::CowCopy | EventKind::CowReuse);
            assert!(is_of_fork || kind == EventKind::StackGrow, "{command:?}: {event:?}");
        }
    }
}

#[test]
fn memory_that_is_asked_for_comes_with_the_call() {
    // 16 MiB and no page less, whatever is touched; it is what faults do not bring then.
    let populated = |mib: &str| run(&["lazymalloc", "7", mib], 0, "folio.eager").count(EventKind::Populate);
    assert_eq!(populated("32") - populated("16"), 16 * 256);
    // What there are no frames for cannot be had.
    let mut guest = Guest::with_bootargs(&["lazymalloc", "7", "256"], 0, disk("lazymalloc"), "folio.eager");
    assert_eq!(guest.finish(), 1);
    assert!(guest.output().contains("ENOMEM"), "{}", guest.output());
    assert_eq!(guest.count(EventKind::OutOfFrames), 0);
}

#[test]
fn without_copy_on_write_a_fork_copies_what_is_private() {
    for (pages, written) in [("64", "3"), ("64", "40"), ("165", "40")] {
        let command = ["cowfork", pages, written];
        let (shared, copied) = (run(&command, 0, ""), run(&command, 0, "folio.fork=copy"));
        assert_eq!(copied.output(), shared.output());
        let frames: u64 = shared.events_of(EventKind::CowShare).iter().map(|event| event.record.detail).sum();
        assert_eq!(copied.count(EventKind::ForkCopy) as u64, frames, "{command:?}");
        assert_eq!(
            copied.events_of(EventKind::CowShare).iter().map(|event| event.record.detail).sum::<u64>(),
            0
        );
        // No store finds a page that others have.
        assert_eq!(
            (copied.count(EventKind::CowCopy), copied.count(EventKind::CowReuse)),
            (0, 0),
            "{command:?}"
        );
        assert!(folded(&copied).stats.private_peak >= folded(&shared).stats.private_peak, "{command:?}");
        for event in copied.events_of(EventKind::ForkCopy) {
            assert_ne!(event.record.frame, event.record.previous_frame);
        }
    }
}

#[test]
fn a_copy_that_does_not_fit_is_the_forks_failure_and_nobodys_death() {
    // 100 pages twice need more than 150 frames; shared, they need some 110.
    let command = ["cowfork", "100", "3"];
    assert_eq!(run(&command, 150, "").count(EventKind::ForkCopy), 0);
    let mut guest = Guest::with_bootargs(&command, 150, disk("cowfork"), "folio.fork=copy");
    assert_ne!(guest.finish(), 0, "{}", guest.output());
    assert_eq!(
        (guest.count(EventKind::OutOfFrames), guest.count(EventKind::Fork)),
        (0, 0),
        "{}",
        guest.output()
    );
}
