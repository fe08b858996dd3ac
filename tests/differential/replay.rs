//! The stored cases: replayed on every engine, without Spike; and how they are recorded.

use std::path::{Path, PathBuf};

use emulator::machine::{Machine, StopReason};
use emulator::trace::CommitLog;
use isa::csr::Csr;
use isa::{IsaSet, Step};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::campaign::Campaign;
use crate::case::Case;
use crate::generate::plans;
use crate::layout::{Slot, TOHOST};
use crate::lost_code::{Loss, Losses};
use crate::run::{MAX_STEPS, SpikeRun, machine, machine_with, on_folio};
use crate::runtime::elf_of;
use crate::seeds;
use crate::store::{Stored, read, shorten};

/// Where the stored cases are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/differential/cases")
}

/// Calls `f` with each stored case.
pub fn for_each_stored(mut f: impl FnMut(&Stored)) {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.file_name().is_some_and(|name| name != "seeds.txt")) {
        read(&std::fs::read_to_string(file).unwrap()).iter().for_each(&mut f);
    }
    seeds::all().iter().for_each(f);
}

/// What Folio logs of a case, shortened.
pub fn folio_log(case: &Case, isa: &IsaSet) -> String {
    let cases = std::slice::from_ref(case);
    let run = on_folio(&elf_of(cases), cases, isa);
    assert_eq!(run.stop, StopReason::ToHost(1), "a stored case ends");
    shorten(&run.log, case.slot)
}

#[test]
fn stored_logs_are_repeated() {
    if let Some(spike) = crate::blessing() {
        crate::record_stored_cases(spike);
    }
    let (mut failures, mut cases, mut lines) = (Vec::new(), 0, 0);
    for_each_stored(|stored| {
        cases += 1;
        lines += stored.log.count();
        if let Some(difference) = stored.log.difference(&folio_log(&stored.case, &stored.isa)) {
            failures.push(format!("{}: {difference}", stored.name));
        }
    });
    println!("{cases} stored cases, {lines} lines");
    assert!(cases > 400 && lines > 15_000, "{cases} cases of {lines} lines are too few to mean anything");
    assert!(failures.is_empty(), "{} differ from Spike:\n{}", failures.len(), failures.join("\n"));
}

/// Where Spike is, some of the stored cases are asked again: what is stored are its answers.
#[test]
fn stored_logs_are_spikes() {
    let Some(spike) = crate::spike_support::find() else {
        crate::missing::not_run(crate::spike_support::NOT_THERE);
        return;
    };
    let campaign = Campaign::new(spike, 0, 0);
    if let Err(why) = campaign.spike_is_usable() {
        crate::missing::not_run(&format!("this Spike cannot be compared with: {why}"));
        return;
    }
    let mut number = 0;
    for_each_stored(|stored| {
        number += 1;
        if number % 12 == 0 {
            let found = campaign.spikes_log(&stored.case, &stored.isa);
            assert_eq!(stored.log.difference(&found), None, "{}", stored.name);
        }
    });
}

/// Runs a machine to its end.
type Engine = fn(&mut Machine) -> StopReason;

/// The ways to run a whole machine.
const ENGINES: [(&str, Engine); 7] = [
    ("blocks", |machine| machine.run(Step(MAX_STEPS))),
    ("observed", |machine| {
        let mut log = CommitLog::new(String::new());
        machine.run_observed(Step(MAX_STEPS), &mut log)
    }),
    ("one call an instruction", |machine| {
        loop {
            match machine.step() {
                StopReason::Fuel if machine.steps() < Step(MAX_STEPS) => {}
                end => return end,
            }
        }
    }),
    ("cut at odd steps", |machine| {
        for until in (0..MAX_STEPS).step_by(7) {
            let end = machine.run(Step(until));
            if end != StopReason::Fuel {
                return end;
            }
        }
        StopReason::Fuel
    }),
    ("saved and loaded on the way", |machine| {
        for until in (0..MAX_STEPS).step_by(401) {
            let end = machine.run(Step(until));
            if end != StopReason::Fuel {
                return end;
            }
            *machine = Machine::load(&machine.save()).unwrap();
        }
        StopReason::Fuel
    }),
    ("decoded code dropped at random", |machine| {
        Losses::new(1, 24).run_bare(machine, Step(MAX_STEPS), Loss::Dropped)
    }),
    ("saved and loaded at random", |machine| {
        Losses::new(2, 1000).run_bare(machine, Step(MAX_STEPS), Loss::SavedAndLoaded)
    }),
];

/// The geometries of the TLB that engines are compared with.
const GEOMETRIES: [&str; 3] = ["4096", "4x2", "4x4:lru"];

/// Runs a program on every engine in turn, and compares how they end.
fn compare_engines(elf: &[u8], isa: &IsaSet, tlb: &str, title: &str) -> StopReason {
    let mut ends = ENGINES.iter().map(|(name, run)| {
        let mut machine = machine_with(elf, isa, tlb.parse().unwrap());
        let end = run(&mut machine);
        (name, (end, machine.steps(), machine.instructions(), machine.tlb_counters(), machine.state_hash()))
    });
    let (_, expected) = ends.next().unwrap();
    for (name, end) in ends {
        assert_eq!(end, expected, "{title}, TLB {tlb}: {name} ends otherwise than blocks");
    }
    expected.0
}

/// Cases made by chance, which nobody has a log of: the engines agree on them all the same.
#[test]
fn every_engine_ends_random_cases_alike() {
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[8; 32]));
    let strategy = plans();
    for batch in 0..9 {
        let cases: Vec<Case> = (0..6)
            .map(|n| strategy.new_tree(&mut runner).unwrap().current().case(Slot(n), &IsaSet::default()))
            .collect();
        let tlb = GEOMETRIES[batch % GEOMETRIES.len()];
        compare_engines(&elf_of(&cases), &IsaSet::default(), tlb, &format!("batch {batch}"));
    }
}

/// Every engine ends a stored case in one state, with one count of everything.
#[test]
fn every_engine_ends_alike() {
    let mut number = 0;
    for_each_stored(|stored| {
        number += 1;
        if number % 5 != 0 {
            return;
        }
        // More passes run decoded code again.
        let case = Case { passes: 3, ..stored.case.clone() };
        let elf = elf_of(std::slice::from_ref(&case));
        let tlb = GEOMETRIES[number / 5 % GEOMETRIES.len()];
        let end = compare_engines(&elf, &stored.isa, tlb, &stored.name);
        assert_eq!(end, StopReason::ToHost(1), "{} ends", stored.name);
    });
}

/// The cases whose whole log is stored, traps and all: one of each mode.
fn cases_to_the_letter() -> Vec<Stored> {
    let mut chosen: Vec<Stored> = Vec::new();
    for_each_stored(|stored| {
        let delegates = stored.case.csrs.iter().any(|&(csr, value)| csr == Csr::MEDELEG && value != 0);
        if delegates && chosen.iter().all(|other| other.case.mode != stored.case.mode) {
            chosen.push(stored.clone());
        }
    });
    chosen
}

fn letters() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/goldens/commit_log.txt")
}

/// `--log-commits` writes what `spike -l --log-commits` does, to the letter, but for the disassembly.
#[test]
fn the_log_is_spikes_to_the_letter() {
    if let Some(spike) = crate::blessing() {
        bless_commit_log(&spike);
    }
    let mut found = String::new();
    for stored in cases_to_the_letter() {
        let mut log = CommitLog::new(String::new());
        let mut machine = machine(&elf_of(&[stored.case]), &stored.isa);
        assert_eq!(machine.run_observed(Step(MAX_STEPS), &mut log), StopReason::ToHost(1));
        found.push_str(&log.into_writer());
    }
    let expected = std::fs::read_to_string(letters()).unwrap();
    assert!(expected.contains("exception trap_") && expected.contains(" tval "), "there are traps");
    for (number, (expected, found)) in expected.lines().zip(found.lines()).enumerate() {
        assert_eq!(found, expected, "line {}", number + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count());
}

/// Writes Spike's log.
fn bless_commit_log(spike: &Path) {
    let mut text = String::new();
    for stored in cases_to_the_letter() {
        let elf = elf_of(&[stored.case]);
        let run = SpikeRun::start_with(spike, &std::env::temp_dir(), &elf, &stored.isa, &["-l"]);
        let log = run.log(usize::MAX / 2).unwrap();
        let disassembly = |line: &str| line.contains(": 0x") || line.contains(": >>>>");
        // The program ends with its store to tohost.
        let end = format!("mem {TOHOST:#018x} 0x");
        for line in log.lines().filter(|line| !disassembly(line)) {
            text.push_str(line);
            text.push('\n');
            if line.contains(&end) {
                break;
            }
        }
    }
    std::fs::write(letters(), text).unwrap();
}
