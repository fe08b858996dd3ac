//! Running instructions: the interpreter over decoded blocks, and the loop that gives every interrupt, deadline
//! and stop request its exact place.
//!
//! [`Exec::run`] is the whole public face. Time is [`Step`]: an interrupt, deadline or budget due at step T acts
//! before the first instruction with step ≥ T, whatever the length of blocks. An instruction that meets a device, a
//! watched address, a second page, or decoded code that it stores to, runs *alone*: its block ends before it, it runs
//! by itself with these effects allowed, and whatever it makes pending is looked at before the next.

mod block;
mod checking;
pub(crate) mod checks;
mod context;
mod dispatch;
mod interp;
mod memory;
mod observer;
mod run;
#[cfg(test)]
mod tests;

pub use block::CodeCache;
pub use checks::{Cause, Checker, Root, StaleUse, TableStore, WalkedNow};
pub use observer::{MemoryAccess, Observer, TlbSide};

use crate::hart::Hart;
use crate::mem::ram::Ram;
use crate::platform::Platform;
use isa::platform::Region;
use isa::{PhysAddr, Step};

/// What a hart needs to run: itself and everything around it.
pub struct Exec<'a> {
    /// The hart.
    pub hart: &'a mut Hart,
    /// Decoded code of `ram`; may be shared by harts that take turns.
    pub code: &'a mut CodeCache,
    /// RAM.
    pub ram: &'a mut Ram,
    /// Devices and interrupt lines.
    pub platform: &'a mut dyn Platform,
    /// How to run.
    pub options: &'a Options,
    /// Who compares cached translations with the page tables, if anybody does. It is slower; the guest cannot tell.
    pub checks: Option<&'a mut Checker>,
}

/// How to run. Turns apart, none of this changes what the guest sees.
#[derive(Clone, Debug)]
pub struct Options {
    /// The most instructions a block may have; at least 1.
    pub block_limit: u16,
    /// Stores here leave the loop after they have been made ([`Exit::Watch`]).
    pub watch: Vec<Region>,
    /// There are other harts: one that spins leaves the loop ([`Exit::TurnOver`]).
    pub turns: bool,
    /// The hart leaves the loop when it can only trap for ever ([`Exit::TrapLoop`]).
    pub leave_trap_loop: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { block_limit: block::MAX_BLOCK, watch: Vec::new(), turns: false, leave_trap_loop: false }
    }
}

impl Options {
    /// How a machine of so many harts runs them. While one of several traps for ever, the others go on.
    pub fn for_harts(count: usize) -> Self {
        Self { turns: count > 1, leave_trap_loop: count == 1, ..Self::default() }
    }
}

/// Why the loop was left. The hart's state is exact: `hart.pc` is the next instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// `until` has been reached.
    Deadline,
    /// The hart waits for an interrupt and none is pending.
    Wfi,
    /// The hart spins (`pause`): it is another hart's turn.
    TurnOver,
    /// ECALL from S-mode with [`Hart::sbi_calls_exit`]: it has been counted and `pc` is past it.
    SbiCall,
    /// [`Platform::stop_requested`].
    StopRequested,
    /// A store to a watched address has been made.
    Watch {
        /// Where.
        pa: PhysAddr,
        /// How many bytes.
        width_bytes: u8,
        /// What was stored.
        value: u64,
    },
    /// The hart has taken a trap whose handler cannot be fetched, and so on for ever: no interrupt can lead it away.
    TrapLoop,
    /// The observer asked for a stop before the instruction at `pc`.
    Breakpoint,
}

impl<'a> Exec<'a> {
    /// Runs from step `now` on, until `until` or another reason to leave. `now` is kept exact.
    pub fn run(self, now: &mut Step, until: Step) -> Exit {
        run::run::<false>(self, now, until, None)
    }
    /// As [`Exec::run`], telling `observer` of everything.
    pub fn run_observed(self, now: &mut Step, until: Step, observer: &'a mut dyn Observer) -> Exit {
        run::run::<true>(self, now, until, Some(observer))
    }
}
