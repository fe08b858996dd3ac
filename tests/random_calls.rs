//! System calls at random: whatever programs ask for, the kernel lives, and at the end it misses no frame and no slot (it counts them, and fails if it does).

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "support/c_program.rs"]
mod c_program;
mod support;

use std::time::Duration;
use support::{TempDir, folio, run_within};

const TIME_LIMIT: Duration = Duration::from_secs(1800);

fn check(seed: u64, calls: u64, memory: &[&str]) {
    let dir = TempDir::new("random-calls");
    c_program::compile(&dir, "random_calls", include_str!("sources/random_calls.c"));
    let mut command = folio(["run"]);
    command
        .args(memory)
        .args(["./random_calls", &seed.to_string(), &calls.to_string()])
        .current_dir(dir.path());
    let ran = run_within(TIME_LIMIT, command, b"");
    println!("seed {seed}, {memory:?}: {}", ran.stdout);
    assert_eq!(ran.status, 0, "seed {seed}: {ran:?}");
    assert!(ran.stdout.contains(" calls by ") && !ran.stderr.contains("panic"), "seed {seed}: {ran:?}");
}

#[test]
fn random_calls_do_no_harm() {
    check(1, 60_000, &["-m", "64M"]);
    // With pages that come and go.
    check(2, 20_000, &["--frames", "400", "--swap", "16M"]);
}

#[test]
#[ignore = "a piece of make campaign"]
fn a_million_random_calls_do_no_harm() {
    let seed: u64 = std::env::var("FOLIO_SEED").map_or(1, |seed| seed.parse().unwrap());
    check(seed * 2, 800_000, &["-m", "64M"]);
    check(seed * 2 + 1, 200_000, &["--frames", "400", "--swap", "16M"]);
}
