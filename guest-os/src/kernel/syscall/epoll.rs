//! Waiting for many files: `epoll_create1`, `epoll_ctl`, `epoll_pwait`.

use super::files::{Reserved, file_to_use};
use super::signals::check_size;
use super::{Arguments, Outcome, int, time, uint};
use crate::arch;
use crate::files::ready::{self, Kernel};
use crate::files::vfs::open_files;
use crate::hart::current;
use crate::memory::user::UserPtr;
use crate::processes::wait::WaitOutcome;
use ::proc::SignalSet;
use fs::{Errno, Interest, Waits};
use isa::time::TIMEBASE_HZ;
use linux_raw_sys::general as linux;

/// `struct epoll_event`, in bytes: the events, and the program's own word.
const EVENT_BYTES: u64 = 16;

pub fn epoll_create1([flags, ..]: Arguments) -> Outcome {
    let reserved = Reserved::new(0)?;
    let id = open_files().create_epoll();
    Ok(u64::from(reserved.fill(id, uint(flags) & linux::EPOLL_CLOEXEC != 0)))
}

pub fn epoll_ctl([list, operation, fd, event, ..]: Arguments) -> Outcome {
    let operation = uint(operation);
    let interest = if operation == linux::EPOLL_CTL_DEL {
        Interest { events: 0, data: 0 }
    } else {
        let [events, data] = UserPtr::<[u64; 2]>::from(event).read()?;
        Interest { events: uint(events), data }
    };
    let (list, file) = (file_to_use(list)?, file_to_use(fd)?);
    let fd = uint(fd);
    let mut files = open_files();
    files.check_epoll(list, file)?;
    match operation {
        linux::EPOLL_CTL_ADD => files.epoll_add(list, file, fd, interest)?,
        linux::EPOLL_CTL_MOD => files.epoll_modify(list, file, fd, interest)?,
        linux::EPOLL_CTL_DEL => files.epoll_delete(list, file, fd)?,
        _ => return Err(Errno::EINVAL.into()),
    }
    Ok(0)
}

pub fn epoll_pwait([list, events, most, timeout, mask, size]: Arguments) -> Outcome {
    const TICKS_PER_MILLISECOND: u64 = TIMEBASE_HZ / 1000;
    let wait = u64::try_from(int(timeout)).ok();
    let deadline = wait.map(|wait| arch::time().saturating_add(wait * TICKS_PER_MILLISECOND));
    wait_for(list, events, most, deadline, [mask, size])
}

pub fn epoll_pwait2([list, events, most, timeout, mask, size]: Arguments) -> Outcome {
    let deadline = time::deadline_of(timeout)?;
    wait_for(list, events, most, deadline, [mask, size])
}

fn wait_for(list: u64, events: u64, most: u64, deadline: Option<u64>, [mask, size]: [u64; 2]) -> Outcome {
    let set = match UserPtr::<u64>::from(mask).non_null() {
        Some(pointer) => {
            check_size(size)?;
            Some(SignalSet(pointer.read()?))
        }
        None => None,
    };
    let list = file_to_use(list)?;
    let most = usize::try_from(int(most)).ok().filter(|&most| most > 0).ok_or(Errno::EINVAL)?;
    open_files().anonymous(list)?;
    if let Some(set) = set {
        current().signals.borrow_mut().suspend_with(set);
    }
    loop {
        let mut waits = Waits::default();
        let due = open_files().epoll_look(list, most, &Kernel, &mut waits)?;
        if !due.is_empty() {
            let written = due.iter().zip(0..).take_while(|(due, index)| {
                let at = UserPtr::<[u64; 2]>::from(events.wrapping_add(index * EVENT_BYTES));
                at.write([due.events.into(), due.data]).is_ok()
            });
            let count = written.count();
            if count == 0 {
                return Err(Errno::EFAULT.into());
            }
            open_files().epoll_told(list, &due[..count]);
            return Ok(count as u64);
        }
        if deadline.is_some_and(|deadline| deadline <= arch::time()) {
            return Ok(0);
        }
        if ready::sleep_until_any(waits, deadline)? == WaitOutcome::Interrupted {
            // As in Linux, whatever the signal does: this call does not start again.
            return Err(Errno::EINTR.into());
        }
    }
}
