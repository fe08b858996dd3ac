//! `futex`: WAIT and WAKE, and their BITSET forms for all bits, which C libraries use for the sake of the absolute timeout.
//!
//! A word is known by where it is to those who share it: by its place in a file if they share its mapping, else by its place in their
//! address space. Not by its frame, which a store after a fork exchanges while somebody waits.

use super::{Arguments, Outcome, Stop, length, uint};
use crate::arch;
use crate::hart::current;
use crate::memory::user::UserPtr;
use crate::processes::wait::{self, Channel, WaitOutcome, scheduler};
use fs::Errno;
use isa::VirtAddr;
use linux_raw_sys::general as linux;
use mm::vma::PageSource;
use mm::{PageKey, SpaceId};

/// A word that is waited for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum FutexKey {
    /// Of memory that only one address space has.
    Private(SpaceId, VirtAddr),
    /// Of a shared mapping: a page of a file, and where in it.
    Shared(PageKey, u64),
}

/// The key of the running process's word at `address`. EFAULT if nothing is mapped there, unless the program says that it is private.
fn key_of(address: u64, says_private: bool) -> Result<FutexKey, Errno> {
    let va = VirtAddr(address);
    let space = current().process.space();
    let space = space.borrow();
    let private = FutexKey::Private(space.id(), va);
    if says_private {
        return Ok(private);
    }
    let vma = space.vmas().find(va.page()).ok_or(Errno::EFAULT)?;
    match vma.source(va.page()) {
        PageSource::File(key) if vma.is_shared() => Ok(FutexKey::Shared(key, va.page_offset())),
        _ => Ok(private),
    }
}

pub fn futex([word, operation, value, timeout, _, bits]: Arguments) -> Outcome {
    if !word.is_multiple_of(4) {
        return Err(Errno::EINVAL.into());
    }
    let key = || key_of(word, uint(operation) & linux::FUTEX_PRIVATE_FLAG != 0);
    let is_realtime = uint(operation) & linux::FUTEX_CLOCK_REALTIME != 0;
    match uint(operation) & !(linux::FUTEX_PRIVATE_FLAG | linux::FUTEX_CLOCK_REALTIME) {
        wait @ (linux::FUTEX_WAIT | linux::FUTEX_WAIT_BITSET) if is_for_all(wait, bits) => {
            let deadline = match wait {
                linux::FUTEX_WAIT => super::time::deadline_of(timeout)?,
                _ => super::time::deadline_at(timeout, is_realtime)?,
            };
            // Reading the word may sleep; nothing does from there on.
            let is_equal = UserPtr::<u32>::from(word).read()? == uint(value);
            wait_while(is_equal, key()?, deadline)
        }
        wake @ (linux::FUTEX_WAKE | linux::FUTEX_WAKE_BITSET) if is_for_all(wake, bits) => {
            let channel = Channel::Futex(key()?);
            Ok(scheduler(|s| s.wake_some(channel, length(value))) as u64)
        }
        _ => Err(Errno::ENOSYS.into()),
    }
}

fn is_for_all(operation: u32, bits: u64) -> bool {
    !matches!(operation, linux::FUTEX_WAIT_BITSET | linux::FUTEX_WAKE_BITSET) || uint(bits) == u32::MAX
}

fn wait_while(is_equal: bool, key: FutexKey, deadline: Option<u64>) -> Outcome {
    if !is_equal {
        return Err(Errno::EAGAIN.into());
    }
    if deadline.is_some_and(|deadline| deadline <= arch::time()) {
        return Err(Errno::ETIMEDOUT.into());
    }
    match wait::sleep_on(alloc::vec![Channel::Futex(key)], deadline, true) {
        WaitOutcome::Woken => Ok(0),
        WaitOutcome::TimedOut => Err(Errno::ETIMEDOUT.into()),
        WaitOutcome::Interrupted => Err(Stop::Signal(true)),
    }
}

/// Wakes one who waits for the word at `address` of the running process (CLONE_CHILD_CLEARTID).
pub fn wake_one(address: u64) {
    if let Ok(key) = key_of(address, false) {
        scheduler(|s| s.wake_some(Channel::Futex(key), 1));
    }
}
