//! Machines of several harts: atomics, what one hart sees of another's stores, interrupts between harts, the SBI's hart state
//! management and remote fences, turns, and that a run is the same however it is cut.

#![allow(clippy::unwrap_used)] // in functions that only tests call

mod cuts;
mod interrupts;
#[path = "../support/lost_code.rs"]
mod lost_code;
mod memory;
mod program;
#[path = "../support/random.rs"]
mod random_values;
mod sbi;
