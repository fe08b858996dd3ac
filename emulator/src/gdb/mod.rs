//! gdb debugs a guest from outside: its remote protocol (crate gdbstub), for one process of the guest OS a session, or for the harts
//! of a machine as threads. No agent runs in the guest, and none of its memory is patched.
//!
//! A [`Server`] has a machine run for several sessions, each with a port of its own: the machine runs while every session lets
//! it. What a session stops for, a [`sentry`] compares, by process and address, before an instruction; what it shows is read
//! from page tables and registers, and from the fold of the guest's events ([`world`]). Sockets are the embedder's
//! ([`Lines`]), and so is the way to run the machine ([`Host`]).
//!
//! Looking changes nothing. Writing registers or memory is an input of the run, with its step: [`Input`], told to the host.
//! What comes in packets is checked in [`front`] before gdbstub sees it; what gdbstub refuses costs an error, never the session.

mod arch;
mod documents;
mod ear;
mod files;
mod front;
mod host_io;
mod input;
mod monitor;
mod points;
mod sentry;
mod server;
mod session;
mod view;
mod world;

pub use ear::{Ear, SharedEar};
pub use files::{FileError, GuestRoot};
pub use input::{Input, Written};
pub use server::{Incoming, Lines, Outcome, Server, Setup};
pub use session::Follow;

use crate::debug::{MachineTarget, Target};
use crate::exec::Observer;
use crate::machine::{Machine, StopReason};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// How a run of the machine came back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ran {
    /// The observer asked for it.
    Stopped,
    /// The event sink asked for it.
    Event,
    /// A line has something.
    Called,
    /// The machine has ended, or has no fuel left.
    Ended(StopReason),
    /// The user wants no more of it.
    Left,
}

/// A machine that is debugged by gdb, and what drives it.
pub trait Host: MachineTarget + Target {
    /// The machine, to write to.
    fn machine_mut(&mut self) -> &mut Machine;
    /// Runs it until something stops it, telling `observer`, if there is one.
    fn run_on(&mut self, observer: Option<&mut dyn Observer>) -> Ran;
    /// What a line sets when it has something, for observers to look at.
    fn call(&self) -> Arc<AtomicBool>;
    /// Somebody has changed the guest.
    fn told(&mut self, input: &Input);
    /// A line for the user.
    fn tell(&mut self, line: &str);
}
