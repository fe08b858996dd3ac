//! Doing without the mechanisms, and with guesses, by exact numbers: what `--eager` and `--fork copy` read and copy is computed from the program's own
//! file and from what its process has; what `--fault-around` and `--read-ahead` do changes nothing but when a page is there; `folio compare` tells the same.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/guest.rs"]
mod guest;
mod support;

use emulator::devices::host::GuestExit;
use emulator::host::{DiskError, DiskImage};
use emulator::trace::Trace;
use goblin::elf::Elf;
use goblin::elf::program_header::PT_LOAD;
use guest::{Guest, disk};
use isa::PAGE_SIZE;
use isa::events::EventKind;
use serde_json::Value;
use std::collections::BTreeSet;
use support::{TempDir, count, folio, read_json, run_folio, run_with_figures};

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

/// The faults at pages that had been mapped for their neighbours' sake: stores, which need more than the page cache's frame.
fn faults_at_pages_mapped_around(guest: &Guest) -> u64 {
    let (mut around, mut faults) = (BTreeSet::new(), 0);
    for event in guest.events() {
        let page = (event.record.space, event.record.va / PAGE_SIZE);
        if event.kind() == Some(EventKind::MapAround) {
            around.insert(page);
        } else if event.is_fault() {
            faults += u64::from(around.remove(&page));
        }
    }
    faults
}

#[test]
fn faults_that_map_around_save_others_and_read_nothing() {
    for command in [
        &["hello"][..],
        &["demand"],
        &["cowfork", "20", "3"],
        &["sharedtext", "3", "30"],
        &["zerofill", "20"],
    ] {
        let (plain, around) = (run(command, 0, ""), run(command, 0, "folio.fault_around=16"));
        assert_eq!(around.output(), plain.output(), "{command:?}");
        let sorted = |guest| pages_read(guest).into_iter().collect::<BTreeSet<_>>();
        assert_eq!(pages_read(&around).len(), pages_read(&plain).len(), "{command:?}");
        assert_eq!(sorted(&around), sorted(&plain), "{command:?}");
        let (before, after) = (folded(&plain).stats, folded(&around).stats);
        assert_eq!(
            before.faults_total,
            after.faults_total + after.ahead.around_used - faults_at_pages_mapped_around(&around),
            "{command:?}"
        );
        assert_eq!(after.ahead.mapped_around, around.count(EventKind::MapAround) as u64);
        assert!(after.ahead.around_used <= after.ahead.mapped_around);
        // Only who comes later finds anything mapped by others.
        assert_eq!(after.ahead.around_used > 10, command[0] == "sharedtext", "{command:?}");
        assert_eq!(before.frames_peak, after.frames_peak, "{command:?}");
    }
    // With 30 pages in a row each child has a fault for 16 of them at most.
    let children =
        |n: &str, bootargs: &str| run(&["sharedtext", n, "30"], 0, bootargs).count(EventKind::FileCache);
    let more = |bootargs: &str| children("5", bootargs) - children("1", bootargs);
    assert!(
        more("folio.fault_around=16") * 3 < more(""),
        "{} and {}",
        more("folio.fault_around=16"),
        more("")
    );
}

#[test]
fn pages_that_are_read_ahead_change_nothing_but_when_they_are_there() {
    const ROW: &[&str] =
        &["demand", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15"];
    for command in [ROW, &["demand"], &["hello"], &["sharedtext", "3", "30"], &["cowfork", "20", "3"]] {
        let (plain, ahead) = (run(command, 0, ""), run(command, 0, "folio.read_ahead=8"));
        assert_eq!(ahead.output(), plain.output(), "{command:?}");
        let (before, after) = (folded(&plain).stats, folded(&ahead).stats);
        assert_eq!(after.faults_total, before.faults_total, "{command:?}");
        let (few, many): (BTreeSet<_>, BTreeSet<_>) =
            (pages_read(&plain).into_iter().collect(), pages_read(&ahead).into_iter().collect());
        assert!(few.is_subset(&many), "{command:?}");
        assert_eq!(many.len(), pages_read(&ahead).len(), "{command:?}: a page was read twice");
        // What was read for nothing is what the plain run did not read.
        assert_eq!(
            after.ahead.read_ahead - after.ahead.ahead_used,
            (many.len() - few.len()) as u64,
            "{command:?}"
        );
        let shutdown = ahead.events_of(EventKind::Shutdown)[0].record;
        assert_eq!(shutdown.detail + shutdown.detail2, shutdown.detail3, "{command:?}: frames are missing");
    }
    let steps = |command: &[&str], bootargs| run(command, 0, bootargs).machine.steps();
    // Pages in a row are on their way while those before are looked at. Of a few it costs more than it saves.
    let long = ["sharedtext", "1", "250"];
    assert!(steps(&long, "folio.read_ahead=8") < steps(&long, ""));
    assert!(steps(&["hello"], "folio.read_ahead=8") > steps(&["hello"], ""));
}

#[test]
fn with_few_frames_every_program_ends_as_it_does_without_switches() {
    let ends = |command: &[&str], frames: u64, bootargs: &str| {
        let mut guest = Guest::with_bootargs(command, frames, disk(command[0]), bootargs);
        (guest.end(), guest.output())
    };
    for command in
        [&["hello"][..], &["demand"], &["sharedtext"], &["cowfork", "10", "3"], &["lazymalloc", "7", "16"]]
    {
        for frames in [64, 48, 40] {
            let usual = ends(command, frames, "");
            for bootargs in
                ["folio.fault_around=16", "folio.read_ahead=8", "folio.fault_around=64 folio.read_ahead=32"]
            {
                assert_eq!(
                    ends(command, frames, bootargs),
                    usual,
                    "{command:?}, {frames} frames, {bootargs}"
                );
            }
        }
    }
}

#[test]
fn the_self_test_sees_none_of_it_but_what_is_there_before_it_is_touched() {
    let plain = run(&["vmtests"], 0, "");
    for bootargs in ["folio.fork=copy", "folio.fault_around=16 folio.read_ahead=8"] {
        assert_eq!(run(&["vmtests"], 0, bootargs).output(), plain.output(), "{bootargs}");
    }
}

/// A disk of which one read fails.
struct Failing {
    disk: Box<dyn DiskImage>,
    reads: u64,
    fails: u64,
}

impl DiskImage for Failing {
    fn len_bytes(&self) -> u64 {
        self.disk.len_bytes()
    }
    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        self.reads += 1;
        if self.reads == self.fails { Err(DiskError) } else { self.disk.read(offset_bytes, buffer) }
    }
}

#[test]
fn a_read_ahead_that_fails_is_nobodys_error() {
    let command = ["demand", "0", "1", "2", "3", "40"];
    let plain = run(&command, 0, "");
    let reads = run(&command, 0, "folio.read_ahead=8").machine.disks().map(|disk| disk.reads).sum::<u64>();
    let (mut harmless, mut fatal) = (0, 0);
    for fails in 1..=reads {
        let failing = Failing { disk: disk("demand"), reads: 0, fails };
        let mut guest = Guest::with_bootargs(&command, 0, Box::new(failing), "folio.read_ahead=8");
        match guest.end() {
            GuestExit::Status(0) => {
                assert_eq!(guest.output(), plain.output(), "read {fails}");
                harmless += 1;
            }
            // It was a page that the program needed then, or the file system's.
            GuestExit::Signaled(7) | GuestExit::ExecFailed(_) => fatal += 1,
            other => panic!("read {fails}: {other:?}\n{}", guest.output()),
        }
    }
    // Nobody but who needs a page learns that it cannot be read.
    let ahead = folded(&run(&command, 0, "folio.read_ahead=8")).stats.ahead.read_ahead;
    assert_eq!((harmless, fatal), (ahead, reads - ahead));
}

/// The runs that `folio compare` tells of, and its table.
fn compared(program: &[&str]) -> (Vec<Value>, String) {
    let dir = TempDir::new("compare");
    let mut command = folio(["compare", "--json"]);
    command.arg(dir.file("runs.json")).args(program);
    let ran = support::run(command);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{program:?}");
    (read_json(&dir.file("runs.json"))["runs"].as_array().unwrap().clone(), ran.stdout)
}

/// The rows of such a table: the switches, and the numbers.
fn rows(table: &str) -> Vec<(String, Vec<u64>)> {
    const COLUMNS: usize = 8;
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, numbers) = words.split_at(words.len().checked_sub(COLUMNS)?);
        let numbers: Option<Vec<u64>> =
            numbers.iter().map(|word| word.replace(',', "").parse().ok()).collect();
        Some((name.join(" "), numbers?))
    };
    table.lines().filter_map(row).collect()
}

#[test]
fn the_table_is_what_the_runs_are_by_themselves() {
    let dir = TempDir::new("compared");
    for program in [&["demand", "3", "77"][..], &["cowfork", "40", "7"], &["sharedtext", "3", "20"]] {
        let (runs, table) = compared(program);
        let rows = rows(&table);
        assert_eq!(rows.len(), runs.len(), "{table}");
        for (run, (name, row)) in runs.iter().zip(&rows) {
            let switches = run["switches"].as_str().unwrap();
            let words = switches.split_whitespace().chain(program.iter().copied());
            let (ran, figures) = run_with_figures(&dir, words);
            assert_eq!(ran.status, 0, "{switches}: {}", ran.stderr);
            let alone = |path: &str| count(&figures, path);
            let told = |key: &str| count(run, key);
            let left = alone("frames.total") - alone("frames.shared_peak");
            let expected = [
                ("pages_read", alone("disk.bytes") / PAGE_SIZE),
                ("faults", alone("faults.total")),
                ("frames_peak", alone("frames.peak")),
                ("private_peak", alone("frames.private_peak")),
                ("copied_at_fork", alone("untouched.fork_copies")),
                ("copied_at_stores", alone("faults.by_kind.cow_copy")),
                ("steps", alone("steps")),
                ("fits", left / alone("frames.private_peak")),
            ];
            for ((key, value), &shown) in expected.into_iter().zip(row) {
                assert_eq!((told(key), shown), (value, value), "{program:?} {switches}: {key}");
            }
            assert_eq!(told("disk_reads"), alone("disk.reads"));
            assert!(name == switches || switches.is_empty(), "{name}");
        }
    }
}

#[test]
fn the_claims_for_the_mechanisms_are_measured() {
    let run = |runs: &[Value], switches: &str| {
        runs.iter()
            .find(|run| run["switches"] == switches)
            .unwrap_or_else(|| panic!("no run with {switches}"))
            .clone()
    };
    // Less input and output, sooner there, more programs at once.
    let (runs, _) = compared(&["demand"]);
    let (by_demand, eager) = (run(&runs, ""), run(&runs, "--eager"));
    for key in ["pages_read", "steps", "frames_peak"] {
        assert!(count(&by_demand, key) * 10 < count(&eager, key), "{key}");
    }
    assert!(count(&by_demand, "fits") > count(&eager, "fits"));
    assert!(count(&by_demand, "faults") > count(&eager, "faults"), "what it costs");
    // A fork without copying.
    let (runs, _) = compared(&["cowfork"]);
    let (shared, copied) = (run(&runs, ""), run(&runs, "--fork copy"));
    assert_eq!((count(&shared, "copied_at_fork"), count(&copied, "copied_at_stores")), (0, 0));
    assert!(count(&shared, "copied_at_stores") * 10 < count(&copied, "copied_at_fork"));
    assert!(count(&shared, "fits") * 3 > count(&copied, "fits") * 5);
    // A program that does nothing of it does not care.
    let (runs, _) = compared(&["hello"]);
    assert_eq!(count(&run(&runs, ""), "faults"), count(&run(&runs, "--fork copy"), "faults"));
}

#[test]
fn readme_shows_the_tables_as_they_are() {
    let readme = std::fs::read_to_string(support::root().join("README.md")).unwrap();
    let shown: Vec<&str> = readme.split("\n$ folio compare ").skip(1).collect();
    assert!(shown.len() >= 2, "README shows {} tables", shown.len());
    for block in shown {
        let (program, rest) = block.split_once('\n').unwrap();
        let block = rest.split("```").next().unwrap();
        let (_, table) = compared(&program.split_whitespace().collect::<Vec<_>>());
        let (shown, real) = (rows(block), rows(&table));
        assert_eq!(shown.len(), real.len(), "{program}:\n{table}");
        for ((name, shown), (real_name, real)) in shown.iter().zip(&real) {
            assert_eq!(name, real_name);
            // The last two go with every instruction and every byte of the kernel: near enough is right.
            let (exact, near) = shown.split_at(6);
            assert_eq!(exact, &real[..6], "{program}, {name}: README shows what was; it is now\n{table}");
            for (&shown, &real) in near.iter().zip(&real[6..]) {
                assert!(
                    shown.abs_diff(real) * 20 <= real,
                    "{program}, {name}: README shows what was; it is now\n{table}"
                );
            }
        }
    }
}

#[test]
fn what_cannot_be_compared_is_said() {
    let none = run_folio(["compare", "no-such-program"]);
    assert_eq!((none.status, none.stdout.as_str()), (125, ""));
    assert!(none.stderr.contains("no-such-program"), "{}", none.stderr);
    let bad = run_folio(["run", "--fault-around", "3", "hello"]);
    assert!(bad.status == 125 && bad.stderr.contains("power of two"), "{}", bad.stderr);
    // A program that ends otherwise with a switch is told of below the table.
    let dies = run_folio(["compare", "-m", "16M", "lazymalloc", "7", "40"]);
    assert!(
        dies.status == 0 && dies.stdout.contains("with --eager it ends with status 1, and not 0"),
        "{}",
        dies.stdout
    );
}
