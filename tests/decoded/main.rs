//! What has been decoded decides nothing. Whole machines run in one go, and with their decoded code dropped or themselves
//! saved and loaded at random steps; state hash, counts and TLB contents (which the hash covers) must be the same, in
//! each of three geometries of the TLB.

// All of it is test code: what cannot be is a failed test.
#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "../support/linux.rs"]
mod linux;
#[path = "../support/lost_code.rs"]
mod lost_code;
#[path = "../support/printed.rs"]
mod printed;
#[path = "../support/random.rs"]
mod random_values;
#[path = "../support/mod.rs"]
mod support;
mod systems;
mod thicket;

/// Direct-mapped as by default, small sets by first in, first out, and small sets by last use.
const GEOMETRIES: [&str; 3] = ["4096", "16x2", "8x4:lru"];

/// A number from the environment.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |n| n.parse().unwrap())
}

/// Random programs made to meet themselves. `FOLIO_DECODED_INSTRUCTIONS` and `FOLIO_DECODED_SEED` make it longer and
/// another; each seed names its trial, so that a run can be taken up again.
#[test]
fn random_programs_end_alike_with_and_without_decoded_code() {
    let seed = number("FOLIO_DECODED_SEED", 1);
    let instructions = number("FOLIO_DECODED_INSTRUCTIONS", 5_000_000);
    let seen = thicket::run(seed, instructions);
    println!("{seen:?}");
    // They do what they are made for, and not only handle traps.
    assert!(seen.fetches > seen.steps / 3 && seen.data_accesses > seen.fetches / 5, "{seen:?}");
    assert!(seen.fetch_misses > seen.fetches / 50 && seen.data_misses > seen.data_accesses / 20, "{seen:?}");
}
