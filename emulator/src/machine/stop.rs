//! Why a run of the machine came back.

use crate::devices::host::GuestExit;
use serde::{Deserialize, Serialize};

/// Why [`super::Machine::run`] came back. The machine can always be inspected; it can be run on
/// after the variants marked *resumable*.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum StopReason {
    /// The budget of steps is spent. *Resumable.*
    Fuel,
    /// The guest kernel ended the run.
    Exit(GuestExit),
    /// The test finisher was told PASS (power off).
    FinisherPass,
    /// The test finisher was told FAIL with this code.
    FinisherFail(u16),
    /// The test finisher or the SBI was asked for a reset.
    Reset,
    /// The SBI was asked to shut down; the reason given is 0 for none, 1 for a system failure.
    SbiShutdown(u32),
    /// An odd value was stored to `tohost`: 1 is a pass, else case `value >> 1` failed.
    ToHost(u64),
    /// Every hart waits and nothing can ever wake one.
    Idle,
    /// Every hart waits and only input can wake one: the host may block for input, then run on. *Resumable.*
    NeedInput,
    /// The event sink asked for a stop. *Resumable.*
    Event,
    /// The embedder asked for a stop. *Resumable.*
    Interrupted,
    /// A breakpoint was reached; its instruction has not run. *Resumable.*
    Breakpoint,
}
