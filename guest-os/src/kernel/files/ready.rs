//! Waiting until open files are ready: `fs` says what to sleep on, and wakes it.

use crate::arch;
use crate::devices::clock::NANOSECONDS_PER_TICK;
use crate::devices::console;
use crate::files::vfs::open_files;
use crate::memory::{heap, inject};
use crate::processes::wait::{self, Channel, WaitOutcome};
use crate::syscall::{Stop, event_files, has_failed, pidfd};
use alloc::vec::Vec;
use fs::{Errno, Hold, OpenFiles, Source, Surroundings, TerminalId, Waits};

/// Kernel memory to sleep on one channel more, at most.
const CHANNEL_BYTES: usize = 128;

/// What `fs` asks the kernel about what is ready.
pub struct Kernel;

impl Surroundings for Kernel {
    fn console_has_input(&self) -> bool {
        console::has_input()
    }
    fn awaits_terminal(&self, terminal: TerminalId) {
        if terminal == TerminalId::Console {
            console::await_line();
        }
    }
    fn pending_signals(&self) -> u64 {
        event_files::pending_signals()
    }
    fn has_ended(&self, pid: u32, birth: u64) -> bool {
        pidfd::has_ended(pid, birth)
    }
    fn now(&self) -> u64 {
        arch::time()
    }
}

/// Wakes everyone who sleeps until `source` changes.
pub fn wake(source: Source) {
    wait::wake(Channel::Ready(source));
}

/// Sleeps until `source` changes, interruptibly.
pub fn wait_for(source: Source) -> Result<(), Stop> {
    Patience::ENDLESS.wait(source, None)
}

/// How long a call waits.
#[derive(Clone, Copy)]
pub struct Patience {
    is_none: bool,
    deadline: Option<u64>,
}

impl Patience {
    /// Not at all.
    pub const NONE: Self = Self { is_none: true, deadline: None };
    /// For as long as it takes.
    pub const ENDLESS: Self = Self { is_none: false, deadline: None };

    /// As long as it takes, or so many nanoseconds.
    pub fn for_time(nanoseconds: Option<u64>) -> Self {
        let ticks = nanoseconds.map(|time| time.div_ceil(NANOSECONDS_PER_TICK));
        Self { is_none: false, deadline: ticks.map(|ticks| arch::time().saturating_add(ticks)) }
    }

    /// Sleeps until `source` changes, or `until`. EAGAIN if there is no more time.
    fn wait(self, source: Source, until: Option<u64>) -> Result<(), Stop> {
        if self.is_none || self.deadline.is_some_and(|deadline| deadline <= arch::time()) {
            return Err(Errno::EAGAIN.into());
        }
        let deadline = self.deadline.into_iter().chain(until).min();
        match wait::sleep_on(alloc::vec![Channel::Ready(source)], deadline, true) {
            // As in Linux: a time to wait would begin anew.
            WaitOutcome::Interrupted if self.deadline.is_some() => Err(Errno::EINTR.into()),
            WaitOutcome::Interrupted => Err(Stop::Signal(true)),
            _ => Ok(()),
        }
    }
}

/// Does something with the open files, as soon as it can be done.
pub fn attempt<T>(
    patience: Patience,
    mut action: impl FnMut(&mut OpenFiles) -> Result<T, Hold>,
) -> Result<T, Stop> {
    loop {
        let tried = inject::attempts(has_failed, || {
            heap::settle()?;
            match action(&mut open_files()) {
                Ok(value) => Ok(Ok(value)),
                Err(Hold::Errno(errno)) => Err(Stop::Errno(errno)),
                Err(Hold::Wait(source)) => Ok(Err((source, None))),
                Err(Hold::Until(source, until)) => Ok(Err((source, Some(until)))),
            }
        })?;
        match tried {
            Ok(value) => return Ok(value),
            Err((source, until)) => patience.wait(source, until)?,
        }
    }
}

/// Sleeps until one of them changes, a deadline passes (theirs, or the one given) or a signal comes. ENOMEM.
pub fn sleep_until_any(waits: Waits, deadline: Option<u64>) -> Result<WaitOutcome, Errno> {
    let deadline = deadline.into_iter().chain(waits.deadline).min();
    let mut channels = Vec::new();
    channels.try_reserve_exact(waits.sources.len()).map_err(|_| Errno::ENOMEM)?;
    channels.extend(waits.sources.into_iter().map(Channel::Ready));
    let _prepared = heap::prepare(channels.len() * CHANNEL_BYTES)?;
    Ok(wait::sleep_on(channels, deadline, true))
}
