//! Address translation against the manual's algorithm, written out a second time without regard to speed
//! (`model.rs`): every combination of an entry's flags at every level in every mode (`flags.rs`), and random
//! operations on a TLB whose entries have gone stale (`stale.rs`).

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)] // all of it is test code

mod flags;
mod model;
#[path = "../support/no_devices.rs"]
mod no_devices;
mod rig;
mod stale;
