//! The kernel's stacks: how much of them each function takes, how deep they are used, and what an overflow does.
#![allow(clippy::unwrap_used)] // in functions that only tests call

mod deepest;
mod frames;
#[path = "../support/guest.rs"]
mod guest;
#[path = "../support/missing.rs"]
mod missing;
mod overflow;
