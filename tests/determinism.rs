//! The same command is the same run: a hundred times, and with and without listeners. (Saved and loaded: `snapshot.rs`.)

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/guest.rs"]
mod guest;
mod support;

use guest::Guest;
use serde_json::Value;
use std::fs;
use support::{TempDir, count, folio, read_json, run};

/// fork, copies, a pipe of output, two processes: enough to differ in.
const COMMAND: [&str; 3] = ["cowfork", "24", "5"];
const RUNS: usize = 100;

/// What must not differ between runs.
fn essence(figures: &Value) -> (u64, u64, String) {
    let hash = figures["state_hash"].as_str().expect("a run has a hash").to_string();
    (count(figures, "instructions"), count(figures, "steps"), hash)
}

#[test]
fn a_hundred_runs_are_one() {
    let dir = TempDir::new("hundred-runs");
    let go = |name: &str| {
        let (json, trace) = (dir.file(&format!("{name}.json")), dir.file(&format!("{name}.jsonl")));
        let mut command = folio(["run", "--json"]);
        command.arg(&json).arg("--trace").arg(&trace).args(COMMAND);
        let ran = run(command);
        (ran, essence(&read_json(&json)), fs::read(&trace).expect("the trace was written"))
    };
    let first = go("first");
    assert_eq!(first.0.status, 0, "{}", first.0.stderr);
    assert!(first.2.split(|&byte| byte == b'\n').count() > 60, "the trace tells something");
    for number in 1..RUNS {
        assert!(go("again") == first, "run {number} differs from the first");
    }
}

#[test]
fn listeners_change_nothing() {
    let dir = TempDir::new("listeners");
    let trace = dir.file("trace.jsonl").display().to_string();
    let mut seen = Vec::new();
    let trace = trace.as_str();
    for flags in [
        vec![],
        vec!["--stats"],
        vec!["--trace", trace],
        vec!["--stats", "--trace", trace],
        vec!["--strace"],
        vec!["--debug", "-ex", "continue"],
        vec!["--debug", "-ex", "step 1000", "-ex", "continue"],
    ] {
        let json = dir.file("figures.json");
        let mut command = folio(["run", "--json"]);
        command.arg(&json).args(&flags).args(COMMAND);
        let ran = run(command);
        assert_eq!(ran.status, 0, "{flags:?}: {}", ran.stderr);
        let figures = read_json(&json);
        seen.push((flags, essence(&figures)));
    }
    for (flags, essence) in &seen {
        assert_eq!(essence, &seen[0].1, "{flags:?}");
    }
}

#[test]
fn a_machine_without_an_event_sink_ends_in_the_same_state() {
    let end = |listening: bool| {
        let mut guest = Guest::new(&COMMAND, 0);
        if !listening {
            guest.machine.set_event_sink(None);
        }
        assert_eq!(guest.finish(), 0);
        assert_eq!(guest.events().is_empty(), !listening);
        (guest.machine.instructions(), guest.machine.steps(), guest.machine.state_hash(), guest.output())
    };
    assert_eq!(end(true), end(false));
}
