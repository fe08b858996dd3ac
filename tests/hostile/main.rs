//! Hostile guests: ten million operations that no well-meaning program makes, and the machine neither panics nor hangs
//! nor forgets that it is deterministic.
//!
//! Each test draws everything from a fixed seed that it prints; a trial that fails names its own. Four kinds of
//! operation: instructions of random programs in every mode (`programs`), accesses to every device and to the gaps
//! between them (`devices`), descriptors in virtqueues (`queues`), calls of the built-in SBI (`calls`). Beside them, images
//! to boot that are damaged at random (`images`).
//!
//! `FOLIO_HOSTILE_FACTOR=N` makes N times as many: the first ones are the same.

#![allow(clippy::unwrap_used)] // in functions that only tests call

#[path = "../support/bare.rs"]
mod bare;
mod calls;
mod devices;
mod images;
mod programs;
mod queues;
mod random;
#[path = "../support/random.rs"]
mod random_values;

use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// Operations of each kind: ten million together.
const INSTRUCTIONS: u64 = 5_000_000;
const ACCESSES: u64 = 4_000_000;
const DESCRIPTORS: u64 = 700_000;
const CALLS: u64 = 300_000;
const _: () = assert!(INSTRUCTIONS + ACCESSES + DESCRIPTORS + CALLS == 10_000_000);

/// Damaged images, beside the ten million.
const IMAGES: u64 = 20_000;

/// Longest time that a test may take before it counts as hanging. Generous: the machines that run this are shared.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// Ends the process if the test that holds it does not come to an end.
struct Watchdog {
    _alive: Sender<()>,
}

impl Watchdog {
    fn start(test: &'static str, seed: u64) -> Self {
        println!("{test}: seed {seed:#x}");
        let (alive, ended) = channel::<()>();
        std::thread::spawn(move || {
            if ended.recv_timeout(TIME_LIMIT) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                eprintln!("{test} hangs (seed {seed:#x})");
                std::process::abort();
            }
        });
        Self { _alive: alive }
    }
}

/// How many operations to make, of a kind that has `fixed` in the plain suite.
fn operations(fixed: u64) -> u64 {
    let factor = std::env::var("FOLIO_HOSTILE_FACTOR").ok().map_or(1, |text| text.parse().expect("a number"));
    fixed * factor
}

#[test]
fn random_programs_do_no_harm() {
    let seed = 0x0f01_1000;
    let _watchdog = Watchdog::start("random programs", seed);
    let seen = programs::run(seed, operations(INSTRUCTIONS));
    println!("{seen:?}");
    assert!(seen.steps >= INSTRUCTIONS);
    // The programs are hostile, not dead: they run in all modes, and most of what they execute retires.
    let observed: u64 = seen.steps_in.iter().sum();
    assert!(seen.steps_in.iter().all(|&steps| steps > observed / 100), "{seen:?}");
    assert!(seen.retired > seen.steps / 2 && seen.translated > observed / 20, "{seen:?}");
}

#[test]
fn random_accesses_break_no_device() {
    let seed = 0x0f01_2000;
    let _watchdog = Watchdog::start("random accesses", seed);
    let seen = devices::run(seed, operations(ACCESSES));
    println!("{seen:?}");
    let all = seen.served + seen.faults;
    assert!(all >= ACCESSES && seen.served > all / 10 && seen.faults > all / 10, "{seen:?}");
}

#[test]
fn random_descriptors_break_no_device() {
    let seed = 0x0f01_3000;
    let _watchdog = Watchdog::start("random descriptors", seed);
    let seen = queues::run(seed, operations(DESCRIPTORS));
    println!("{seen:?}");
    // Every device completes some requests and gives up at some.
    for device in &seen {
        assert!(device.used > 1000 && device.broken > 1000, "{}: {seen:?}", device.name);
    }
}

#[test]
fn random_calls_are_answered() {
    let seed = 0x0f01_4000;
    let _watchdog = Watchdog::start("random SBI calls", seed);
    let seen = calls::run(seed, operations(CALLS));
    println!("{seen:?}");
    assert!(seen.succeeded + seen.refused + seen.ended >= CALLS);
    assert!(seen.succeeded > CALLS / 20 && seen.refused > CALLS / 10 && seen.ended > 100, "{seen:?}");
}

#[test]
fn damaged_images_are_refused_or_run() {
    let seed = 0x0f01_5000;
    let _watchdog = Watchdog::start("damaged images", seed);
    let seen = images::run(seed, operations(IMAGES));
    println!("{seen:?}");
    assert!(seen.started > IMAGES / 10 && seen.refused > IMAGES / 10, "{seen:?}");
}
