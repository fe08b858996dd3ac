//! The table of file locks with the kernel's side of it: sleeping for a lock, and waking who waits.

use crate::hart::current;
use crate::local::HartLocal;
use crate::processes::wait::{self, Channel, WaitOutcome};
use crate::syscall::Stop;
use core::cell::RefMut;
use fs::{Errno, FileLock, FileLocks, Holder, LAST_BYTE, Lockable, OpenFile, OpenFileId};

static LOCKS: HartLocal<FileLocks> = HartLocal::new(FileLocks::new());

/// The table; to be dropped before anything sleeps.
pub fn table() -> RefMut<'static, FileLocks> {
    LOCKS.get_mut()
}

/// Takes a lock, or says who has what is in the way: EAGAIN. If it may wait, it sleeps until it has the lock: EDEADLK if that could
/// not end.
pub fn take(file: Lockable, lock: FileLock, may_wait: bool) -> Result<(), Stop> {
    while table().conflict(file, &lock).is_some() {
        if !may_wait {
            return Err(Errno::EAGAIN.into());
        }
        if table().would_deadlock(file, &lock) {
            return Err(Errno::EDEADLK.into());
        }
        let thread = current().tid().0;
        table().wait(thread, file, lock);
        let outcome = wait::sleep_on(alloc::vec![Channel::FileLock(file)], None, true);
        table().end_wait(thread);
        if outcome == WaitOutcome::Interrupted {
            return Err(Stop::Signal(true));
        }
    }
    table().grant(file, lock);
    // It may be less than what its holder had there before.
    wait::wake(Channel::FileLock(file));
    Ok(())
}

/// Gives a range of a file back.
pub fn release(file: Lockable, holder: Holder, start: u64, last: u64) {
    if table().release_range(file, holder, start, last) {
        wait::wake(Channel::FileLock(file));
    }
}

/// A process has closed a descriptor for this file: its locks on ranges go, even if it has other descriptors for it.
pub fn descriptor_closed(process: u32, file: &OpenFile) {
    if !table().is_empty() {
        release_all(file, &[Holder::Process(process)]);
    }
}

/// An open file was closed for the last time.
pub fn file_closed(id: OpenFileId, file: &OpenFile) {
    if !table().is_empty() {
        release_all(file, &[Holder::OpenFile(id), Holder::Flock(id)]);
    }
}

#[cold]
fn release_all(file: &OpenFile, holders: &[Holder]) {
    let Some(lockable) = Lockable::of(file) else { return };
    for &holder in holders {
        release(lockable, holder, 0, LAST_BYTE);
    }
}
