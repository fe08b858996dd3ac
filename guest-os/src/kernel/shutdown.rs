//! The ways a run ends.

use crate::arch::StackSlot;
use crate::devices::drivers::{finisher, host};
use crate::hart::hart;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};
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

static IS_PANICKING: AtomicBool = AtomicBool::new(false);

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    if IS_PANICKING.swap(true, Ordering::Relaxed) {
        // What failed first was in the middle of what saying so needs.
        host::exit_at_once(hostdev::EXIT_PANIC);
        finisher::exit(PANIC_STATUS);
    }
    log::error!("kernel panic: {info}");
    stop(End::Panic)
}

/// A trap while the kernel ran, with the trap's CSRs and the stack pointer before it: always our bug.
pub fn trapped_in_kernel(cause: u64, pc: u64, tval: u64, sp: u64) -> ! {
    let guarded = usize::try_from(tval).ok().and_then(StackSlot::guarded_by);
    if guarded.is_none() {
        panic!("trap in the kernel: cause {cause:#x}, pc {pc:#x}, tval {tval:#x}, sp {sp:#x}");
    }
    let current = hart().current.try_borrow();
    match current.as_deref() {
        Ok(Some(thread)) => {
            let name = thread.name.try_borrow();
            let name = name.as_ref().map_or(&b"?"[..], |name| name);
            let name = name.escape_ascii();
            panic!("kernel stack overflow in process {} ({name}): pc {pc:#x}, sp {sp:#x}", thread.process.pid)
        }
        Ok(None) => panic!("kernel stack overflow in the idle thread: pc {pc:#x}, sp {sp:#x}"),
        Err(_) => panic!("kernel stack overflow in a switch: pc {pc:#x}, sp {sp:#x}"),
    }
}
