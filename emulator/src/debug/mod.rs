//! The debugger: an engine that takes command lines and gives text, whoever typed them.
//!
//! [`Debugger::execute`] is all of it; prompt, history and scripts are the embedder's. It sees the machine through
//! the small trait [`Target`], and the guest OS (processes, mappings, frames, faults) only through the fold of its events
//! that a [`Tap`] keeps. It never writes guest memory: a breakpoint is a comparison of process and
//! address before an instruction, so that stopping changes nothing that the guest could see.
//!
//! A command is parsed ([`command`] has the table of all, [`expression`] what they are about), then carried out here; what it shows is formatted by one file a
//! subject (`registers`, `memory`, `walk`, `views`).

mod advance;
mod again;
mod breakpoints;
mod catches;
mod caught;
pub mod command;
mod complete;
mod condition;
mod deaths;
mod display;
mod execute;
mod explaining;
pub mod expression;
mod finish;
pub(crate) mod forks;
#[cfg(test)]
mod hart_tests;
mod lines;
mod listen;
mod listing;
mod machine_target;
mod members;
mod memory;
mod missed;
mod outside;
pub mod peek;
#[cfg(test)]
mod peek_tests;
mod points;
mod print;
#[cfg(test)]
mod recording;
mod registers;
mod run;
mod screen;
mod select;
mod space;
mod stack;
mod steps;
#[cfg(test)]
mod stop_tests;
mod stopped;
mod stops;
mod symbol_list;
mod symbols;
mod tap;
pub mod target;
#[cfg(test)]
mod tests;
pub(crate) mod thread_local;
mod tree;
mod unseen;
mod vantage;
mod views;
mod waits;
mod walk;
mod watch;
mod whatis;

pub use execute::{Debugger, MAX_LINE_BYTES, Output};
pub use machine_target::{MachineMemory, MachineTarget};
pub use outside::Caught;
pub use screen::Screen;
pub use stopped::Stopped;
pub use symbols::{loaded_at, loaded_of};
pub use tap::{SharedTap, Tap};
pub use target::{Memory, Place, Registers, Stop, Target, TlbLine, TlbSide};
