//! `futex`: WAIT and WAKE, keyed by physical address, which is enough for memory shared between processes.

use super::{Arguments, Outcome, Stop, length, uint};
use crate::user::{self, UserPtr};
use crate::wait::{self, Channel, WaitOutcome, scheduler};
use crate::{arch, mem};
use fs::Errno;
use isa::events::Access;
use linux_raw_sys::general as linux;
use mm::PhysMem;

pub fn futex([word, operation, value, timeout, ..]: Arguments) -> Outcome {
    if !word.is_multiple_of(4) {
        return Err(Errno::EINVAL.into());
    }
    match uint(operation) & !(linux::FUTEX_PRIVATE_FLAG | linux::FUTEX_CLOCK_REALTIME) {
        linux::FUTEX_WAIT => wait_while(word, uint(value), super::time::deadline_of(timeout)?),
        linux::FUTEX_WAKE => {
            // A store's page: the waiter's key must be that of the frame that stores go to.
            let pa = user::resolve(word, Access::Write)?;
            Ok(scheduler(|s| s.wake_some(Channel::Futex(pa.0), length(value))) as u64)
        }
        _ => Err(Errno::ENOSYS.into()),
    }
}

fn wait_while(word: u64, value: u32, deadline: Option<u64>) -> Outcome {
    let pa = user::resolve(word, Access::Write)?;
    let mut bytes = [0; 4];
    mem::memory().phys().read_bytes(pa, &mut bytes);
    if u32::from_le_bytes(bytes) != value {
        return Err(Errno::EAGAIN.into());
    }
    if deadline.is_some_and(|deadline| deadline <= arch::time()) {
        return Err(Errno::ETIMEDOUT.into());
    }
    match wait::sleep_on(alloc::vec![Channel::Futex(pa.0)], deadline, true) {
        WaitOutcome::Woken => Ok(0),
        WaitOutcome::TimedOut => Err(Errno::ETIMEDOUT.into()),
        WaitOutcome::Interrupted => Err(Stop::Signal(true)),
    }
}

/// Wakes everyone who waits for the word at `address` of the running process.
pub fn wake_all(address: u64) {
    if let Ok(pa) = user::resolve(UserPtr::<u32>::from(address).address(), Access::Write) {
        wait::wake(Channel::Futex(pa.0));
    }
}
