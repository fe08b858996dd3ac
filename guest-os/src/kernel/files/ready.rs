//! Waiting until open files are ready: `fs` says what to sleep on, and wakes it.

use crate::devices::console;
use crate::memory::heap;
use crate::processes::wait::{self, Channel, WaitOutcome};
use crate::syscall::Stop;
use alloc::vec::Vec;
use fs::{Errno, Source, Surroundings, Waits};

/// Kernel memory to sleep on one channel more, at most.
const CHANNEL_BYTES: usize = 128;

/// What `fs` asks the kernel about what is ready.
pub struct Kernel;

impl Surroundings for Kernel {
    fn console_has_input(&self) -> bool {
        console::has_input()
    }
}

/// Wakes everyone who sleeps until `source` changes.
pub fn wake(source: Source) {
    wait::wake(Channel::Ready(source));
}

/// Sleeps until `source` changes, interruptibly.
pub fn wait_for(source: Source) -> Result<(), Stop> {
    match wait::sleep_on(alloc::vec![Channel::Ready(source)], None, true) {
        WaitOutcome::Interrupted => Err(Stop::Signal(true)),
        _ => Ok(()),
    }
}

/// Sleeps until one of them changes, the deadline passes or a signal comes. ENOMEM.
pub fn sleep_until_any(waits: Waits, deadline: Option<u64>) -> Result<WaitOutcome, Errno> {
    let mut channels = Vec::new();
    channels.try_reserve_exact(waits.sources.len()).map_err(|_| Errno::ENOMEM)?;
    channels.extend(waits.sources.into_iter().map(Channel::Ready));
    let _prepared = heap::prepare(channels.len() * CHANNEL_BYTES)?;
    Ok(wait::sleep_on(channels, deadline, true))
}
