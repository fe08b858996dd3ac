//! Folio against Spike on programs made by chance: every instruction that retires, with all that it writes, and every
//! trap, must be alike. See `docs/differential.md`.

// All of it is test code: what cannot be is a failed test.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

mod campaign;
mod case;
#[path = "../support/child.rs"]
mod child;
mod compare;
mod compressed;
mod edge;
mod generate;
mod item;
mod layout;
#[path = "../support/lost_code.rs"]
mod lost_code;
#[path = "../support/missing.rs"]
mod missing;
mod paging;
#[path = "../support/random.rs"]
mod random_values;
mod replay;
mod run;
mod runtime;
mod seeds;
#[path = "../support/spike.rs"]
mod spike_support;
mod store;
mod tally;

use campaign::Campaign;
use isa::Privilege;
use layout::{BATCH, Slot};
use std::path::PathBuf;

/// A part of the comparison that always runs where Spike is installed; the seed is fixed. `FOLIO_DIFF_INSTRUCTIONS`
/// and `FOLIO_DIFF_SEED` make it longer and another.
#[test]
fn spike_agrees_on_a_fixed_part() {
    let Some(spike) = spike_support::find() else {
        missing::not_run(spike_support::NOT_THERE);
        return;
    };
    let instructions = std::env::var("FOLIO_DIFF_INSTRUCTIONS").ok().map(|n| n.parse().unwrap());
    let seed = std::env::var("FOLIO_DIFF_SEED").ok().map(|n| n.parse().unwrap());
    let mut campaign = Campaign::new(spike, seed.unwrap_or(1), instructions.unwrap_or(600_000));
    if let Err(why) = campaign.spike_is_usable() {
        missing::not_run(&format!("this Spike cannot be compared with: {why}"));
        return;
    }
    campaign.run();
    println!("{}", campaign.totals());
}

/// The Spike whose answers are to be stored, if `FOLIO_BLESS` asks for that: the tests that compare with them write them first.
fn blessing() -> Option<PathBuf> {
    std::env::var_os("FOLIO_BLESS").map(|_| spike_support::find().expect(spike_support::NOT_THERE))
}

/// Writes `tests/differential/cases/seeds.txt` anew: cases of each mode, cases that PMP entries of their own refuse
/// something, locked ones too, and cases that change `satp` or `misa` on the way.
fn record_stored_cases(spike: PathBuf) {
    let campaign = Campaign::new(spike, 0, 0);
    let mut lines = campaign.record(120, Slot(0), &["m", "s", "u"], |case, _| {
        Some(match case.mode {
            Privilege::Machine => "m",
            Privilege::Supervisor => "s",
            Privilege::User => "u",
        })
    });
    lines.extend(campaign.record(48, Slot(0), &["pmp", "state"], |case, run| {
        let changed = run.tally.of("writes of satp") + run.tally.of("writes of misa") > 0;
        if case.protects_memory() { run.tally.refused().then_some("pmp") } else { changed.then_some("state") }
    }));
    // Locked entries would bind the cases after it.
    let last = Slot(BATCH - 1);
    lines.extend(campaign.record(24, last, &["locks"], |_, run| run.tally.refused().then_some("locks")));
    seeds::write(campaign.isa(), &lines);
}
