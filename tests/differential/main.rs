//! Folio against Spike on programs made by chance: every instruction that retires, with all that it writes, and every
//! trap, must be alike. See `docs/differential.md`.

// All of it is test code: what cannot be is a failed test.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod campaign;
mod case;
mod compare;
mod compressed;
mod edge;
mod generate;
mod item;
mod layout;
mod paging;
#[path = "../support/random.rs"]
mod random_values;
mod replay;
mod run;
mod runtime;
#[path = "../support/spike.rs"]
mod spike_support;
mod store;
mod tally;

use campaign::Campaign;
use isa::Privilege;
use layout::{BATCH, Slot};

/// A part of the comparison that always runs where Spike is installed; the seed is fixed. `FOLIO_DIFF_INSTRUCTIONS`
/// and `FOLIO_DIFF_SEED` make it longer and another.
#[test]
fn spike_agrees_on_a_fixed_part() {
    let Some(spike) = spike_support::find() else {
        println!("Spike is not installed (FOLIO_SPIKE=/path/to/spike): only stored logs are compared");
        return;
    };
    let instructions = std::env::var("FOLIO_DIFF_INSTRUCTIONS").ok().map(|n| n.parse().unwrap());
    let seed = std::env::var("FOLIO_DIFF_SEED").ok().map(|n| n.parse().unwrap());
    let mut campaign = Campaign::new(spike, seed.unwrap_or(1), instructions.unwrap_or(600_000));
    if let Err(why) = campaign.spike_is_usable() {
        println!("this Spike cannot be compared with, only stored logs are: {why}");
        return;
    }
    campaign.run();
    println!("{}", campaign.totals());
}

/// Writes `tests/differential/cases/{m,s,u}.txt` anew: `cargo test --test differential record -- --ignored`.
#[test]
#[ignore = "needs Spike, and writes the stored logs"]
fn record_stored_cases() {
    let spike = spike_support::find().expect("Spike is installed");
    Campaign::new(spike, 3, 0).record(60, Slot(0), &["m", "s", "u"], |case, _| {
        Some(match case.mode {
            Privilege::Machine => "m",
            Privilege::Supervisor => "s",
            Privilege::User => "u",
        })
    });
}

/// Writes `with_{pmp,locks,state}.txt` of the same folder anew: cases that PMP entries of their own refuse something, locked
/// ones too, and cases that change `satp` or `misa` on the way.
#[test]
#[ignore = "needs Spike, and writes the stored logs"]
fn record_privileged_cases() {
    let spike = spike_support::find().expect("Spike is installed");
    Campaign::new(spike, 4, 0).record(24, Slot(0), &["with_pmp", "with_state"], |case, run| {
        let changed = run.tally.of("writes of satp") + run.tally.of("writes of misa") > 0;
        if case.protects_memory() {
            run.tally.refused().then_some("with_pmp")
        } else {
            changed.then_some("with_state")
        }
    });
    Campaign::new(spike_support::find().unwrap(), 5, 0).record(
        12,
        Slot(BATCH - 1),
        &["with_locks"],
        |_, run| run.tally.refused().then_some("with_locks"),
    );
}
