//! The kernel's stacks: how much of them each function takes.
#![allow(clippy::unwrap_used)] // in functions that only tests call

mod frames;
