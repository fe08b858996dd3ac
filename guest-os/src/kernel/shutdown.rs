//! The ways a run ends.

use crate::drivers::{finisher, host};
use core::panic::PanicInfo;
use isa::hostdev;

/// Status by which a machine without the host device says that the kernel itself has failed.
const PANIC_STATUS: u32 = 125;

/// How the run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The first program exited with this status.
    Exited(u8),
    /// The first program was killed by this signal.
    Signaled(u8),
    /// The first program could not be executed; the error number.
    ExecFailed(u16),
    /// The kernel has failed.
    Panic,
}

/// Stops the machine.
pub fn stop(end: End) -> ! {
    let value = match end {
        End::Exited(status) => u64::from(status),
        End::Signaled(signal) => hostdev::EXIT_SIGNALED | u64::from(signal),
        End::ExecFailed(errno) => hostdev::EXIT_EXEC_FAILED | u64::from(errno),
        End::Panic => hostdev::EXIT_PANIC,
    };
    host::with(|host| host.exit(value));
    finisher::exit(match end {
        End::Exited(status) => u32::from(status),
        End::Signaled(signal) => 128 + u32::from(signal),
        End::ExecFailed(_) | End::Panic => PANIC_STATUS,
    })
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    log::error!("kernel panic: {info}");
    stop(End::Panic)
}
