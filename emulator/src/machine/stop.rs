//! Why a run of the machine came back.

use crate::devices::host::GuestExit;
use core::fmt;
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
    /// The only hart traps for ever: its trap handler cannot be fetched, and no interrupt can lead it away.
    TrapLoop,
}

impl StopReason {
    /// Whether what the guest was at is all there, for who wants to look: it comes no further, but has not come to an end of its own.
    pub fn leaves_all(self) -> bool {
        match self {
            Self::Exit(_)
            | Self::FinisherPass
            | Self::FinisherFail(_)
            | Self::Reset
            | Self::SbiShutdown(_)
            | Self::ToHost(_) => false,
            Self::Fuel
            | Self::Idle
            | Self::TrapLoop
            | Self::NeedInput
            | Self::Event
            | Self::Interrupted
            | Self::Breakpoint => true,
        }
    }
}

/// What has happened, as a sentence without its full stop.
impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(GuestExit::Status(status)) => write!(f, "the program has exited with status {status}"),
            Self::Exit(GuestExit::Signaled(signal)) => write!(f, "signal {signal} has killed the program"),
            Self::Exit(GuestExit::ExecFailed(errno)) => {
                write!(f, "the program can't be executed (errno {errno})")
            }
            Self::Exit(GuestExit::Panic) => f.write_str("the kernel has panicked"),
            Self::FinisherPass => f.write_str("the machine was powered off"),
            Self::FinisherFail(code) => write!(f, "the test finisher was told of failure {code}"),
            Self::Reset => f.write_str("the machine was reset"),
            Self::SbiShutdown(reason) => write!(f, "the machine was shut down (reason {reason})"),
            Self::ToHost(value) => write!(f, "{value} was stored to tohost"),
            Self::Idle => f.write_str("every hart waits and nothing can ever wake one"),
            Self::TrapLoop => f.write_str("the hart traps for ever, as its trap handler cannot be fetched"),
            Self::Fuel => f.write_str("the fuel is spent"),
            Self::NeedInput | Self::Event | Self::Interrupted | Self::Breakpoint => {
                f.write_str("the machine has stopped")
            }
        }
    }
}
