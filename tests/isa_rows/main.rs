//! The instruction-accurate suite: every row of `tests/rows/` on every engine, where everything that the row does
//! not mention must stay as it was. See `tests/rows/README.md`.

// All of it is test code: what cannot be is a failed test.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "../support/child.rs"]
mod child;
mod engines;
#[path = "../support/missing.rs"]
mod missing;
#[path = "../support/no_devices.rs"]
mod no_devices;
mod random;
#[path = "../support/random.rs"]
mod random_values;
mod row;
mod spike;
#[path = "../support/spike.rs"]
mod spike_support;
mod state;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use emulator::exec::Exit;
use engines::{Bench, Engine, Outcome};
use isa::{Insn, Op};
use random::random_row;
use row::{Row, read_rows};

/// Calls `f` with each row of each file whose title contains `FOLIO_ROWS`, if that is set.
fn for_each_row(mut f: impl FnMut(&Row)) {
    let filter = std::env::var("FOLIO_ROWS").unwrap_or_default();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/rows");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "rows")) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(file).unwrap();
        read_rows(&name, &text).filter(|row| row.title.contains(&filter)).for_each(|row| f(&row));
    }
}

/// What is wrong with a row's outcome, if anything; `saved` is the state that the block interpreter saved.
fn complaints(row: &Row, outcome: &Outcome, saved: &[u8]) -> Vec<String> {
    let mut complaints = row.after.differences(&outcome.state);
    let mut require = |holds: bool, what: &str| {
        if !holds {
            complaints.push(what.to_string());
        }
    };
    require(outcome.untouched, "something has changed that rows cannot mention");
    require(outcome.steps == row.insns.len() as u64, "an instruction is one step");
    require(matches!(outcome.exit, Exit::Deadline | Exit::Wfi), "it left for another reason");
    require(outcome.saved == saved, "the saved state is not that of the block interpreter");
    complaints
}

/// Small TLBs, so that rows are quick, which hold what any row touches: rows about stale translations rely on it.
const GEOMETRIES: [&str; 3] = ["16", "8x2", "4x4:lru"];

#[test]
fn every_row_on_every_engine() {
    let mut benches = GEOMETRIES.map(|tlb| Engine::ALL.map(|engine| Bench::new(engine, tlb)));
    let mut failures = Vec::new();
    for_each_row(|row| {
        for (benches, tlb) in benches.iter_mut().zip(GEOMETRIES) {
            let outcomes = benches.each_mut().map(|bench| bench.run(row));
            for (engine, outcome) in Engine::ALL.iter().zip(&outcomes) {
                let complaints = complaints(row, outcome, &outcomes[0].saved);
                if !complaints.is_empty() {
                    let complaints = complaints.join("\n    ");
                    failures.push(format!("{}\n  {engine:?}, TLB {tlb}: {complaints}", row.title));
                }
            }
        }
    });
    let shown = failures.iter().take(50).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} failures:\n{shown}", failures.len());
}

/// Sequences made by chance, on which the engines must agree in everything they save.
#[test]
fn random_rows_end_alike_on_every_engine() {
    let mut benches = GEOMETRIES.map(|tlb| Engine::ALL.map(|engine| Bench::new(engine, tlb)));
    for seed in 0..1500 {
        let benches = &mut benches[seed as usize / 2 % GEOMETRIES.len()];
        let mut row = random_row(seed);
        let outcomes = benches.each_mut().map(|bench| bench.run(&row));
        row.after = outcomes[0].state.clone();
        let length: u64 = row.insns.iter().map(|insn| u64::from(insn.len)).sum();
        assert_eq!(row.after.pc, row.before.pc + length, "{} is a straight line", row.title);
        for (engine, outcome) in Engine::ALL.iter().zip(&outcomes) {
            let complaints = complaints(&row, outcome, &outcomes[0].saved);
            assert!(complaints.is_empty(), "{} on {engine:?}: {}", row.title, complaints.join("\n    "));
        }
    }
}

#[test]
fn every_instruction_has_a_row() {
    let mut shown = HashSet::new();
    for_each_row(|row| {
        // An instruction that traps shows little of its meaning, unless trapping is the meaning.
        let meant = |insn: &Insn| matches!(insn.op, Op::Ecall | Op::Ebreak);
        let completed = row.insns.len() - usize::from(row.traps);
        let (completed, trapped) = row.insns.split_at(completed);
        shown.extend(completed.iter().chain(trapped.iter().filter(|insn| meant(insn))).map(|insn| insn.op));
    });
    let missing: Vec<&str> = Op::ALL.iter().filter(|op| !shown.contains(op)).map(|op| op.name()).collect();
    assert!(missing.is_empty(), "no row for {}", missing.join(", "));
}

/// Where Spike is, and a directory for what goes in and comes out.
struct Referee {
    spike: PathBuf,
    dir: PathBuf,
    failures: Vec<String>,
    count: u32,
}

impl Referee {
    /// None, and a note, without Spike.
    fn new(name: &str) -> Option<Referee> {
        let Some(spike) = spike_support::find() else {
            missing::not_run(spike_support::NOT_THERE);
            return None;
        };
        let dir = std::env::temp_dir().join(format!("folio-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        Some(Referee { spike, dir, failures: Vec::new(), count: 0 })
    }

    fn check(&mut self, row: &Row) {
        self.count += 1;
        let differences = match spike::run(&self.spike, &self.dir, row) {
            Ok(mut found) => {
                let expected = spike::comparable(row, &mut found);
                expected.differences(&found)
            }
            Err(why) => vec![why],
        };
        if !differences.is_empty() {
            self.failures.push(format!("{}\n    {}", row.title, differences.join("\n    ")));
        }
    }

    fn finish(self) {
        std::fs::remove_dir_all(&self.dir).unwrap();
        println!("{} rows compared", self.count);
        let failures = &self.failures;
        assert!(failures.is_empty(), "{} rows differ from Spike:\n{}", failures.len(), failures.join("\n"));
    }
}

/// The rows themselves against Spike.
#[test]
#[ignore = "a piece of make campaign"]
fn spike_agrees_with_every_row() {
    let Some(mut referee) = Referee::new("rows") else { return };
    for_each_row(|row| {
        if spike::can_end(row) {
            referee.check(row);
        }
    });
    referee.finish();
}

/// The block interpreter against Spike on sequences made by chance; `FOLIO_SEEDS=1000..1500` chooses others.
#[test]
#[ignore = "a piece of make campaign"]
fn spike_agrees_with_random_rows() {
    let seeds = std::env::var("FOLIO_SEEDS").unwrap_or("0..300".into());
    let (first, end) = seeds.split_once("..").expect("FOLIO_SEEDS is FIRST..END");
    let mut bench = Bench::new(Engine::Blocks, GEOMETRIES[0]);
    let Some(mut referee) = Referee::new("random-rows") else { return };
    for seed in first.parse().unwrap()..end.parse().unwrap() {
        let mut row = random_row(seed);
        row.after = bench.run(&row).state;
        referee.check(&row);
    }
    referee.finish();
}
