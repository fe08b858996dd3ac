//! How threads are scheduled, as far as programs may say: how nice they are, which is remembered, and on which processors they run, of
//! which there is one.

use super::{Arguments, Outcome, int, length, uint};
use crate::hart::current;
use crate::memory::user::{self, UserPtr};
use crate::processes::process::{self, table};
use crate::processes::thread::Thread;
use ::proc::{CapSet, Credentials, Tid};
use abi::sets;
use alloc::rc::Rc;
use fs::Errno;
use linux_raw_sys::general as linux;

/// What the calls add to, or take a niceness from, so that no result looks like an error.
const NICE_0: i32 = 20;

/// Hands every thread that is meant to `visit`. EINVAL if `which` is no kind of them.
fn each_meant(which: u64, who: u64, mut visit: impl FnMut(&Thread)) -> Result<(), Errno> {
    let which = sets::PRIORITY.choice(which).ok_or(Errno::EINVAL)?;
    let this = current();
    let (who, own_group) = (uint(who), table(|t| t.group(this.process.pid)));
    let user = if who == 0 { this.process.credentials.borrow().user.real } else { who };
    let group = if who == 0 { own_group } else { Some(who) };
    match uint(which.bits) {
        linux::PRIO_PROCESS if who == 0 => visit(&this),
        linux::PRIO_PROCESS => {
            table(|t| t.thread(Tid(who))).into_iter().for_each(|thread| visit(&thread));
        }
        kind => process::each_living(|process| {
            let is_meant = match kind {
                linux::PRIO_PGRP => table(|t| t.group(process.pid)) == group,
                _ => process.credentials.borrow().user.real == user,
            };
            if is_meant {
                process::each_thread(process.pid, |thread| visit(thread));
            }
        }),
    }
    Ok(())
}

/// The best of them.
pub fn getpriority([which, who, ..]: Arguments) -> Outcome {
    let mut best = None;
    each_meant(which, who, |thread| best = best.max(Some(NICE_0 - thread.nice.get())))?;
    Ok(u64::from(best.ok_or(Errno::ESRCH)?.unsigned_abs()))
}

/// As in Linux, what cannot be done to one of several is told, and done to the others.
pub fn setpriority([which, who, nice, ..]: Arguments) -> Outcome {
    let nice = int(nice).clamp(-20, 19);
    let caller = current().process.credentials.borrow().clone();
    let mut result = Err(Errno::ESRCH);
    each_meant(which, who, |thread| match check_nice(&caller, thread, nice) {
        Ok(()) => {
            thread.nice.set(nice);
            if result == Err(Errno::ESRCH) {
                result = Ok(());
            }
        }
        Err(error) => result = Err(error),
    })?;
    Ok(result.map(|()| 0)?)
}

/// Whether somebody may make a thread so nice: less than it is only down to the limit that it has (RLIMIT_NICE).
fn check_nice(caller: &Credentials, thread: &Thread, nice: i32) -> Result<(), Errno> {
    if !caller.may_schedule(&thread.process.credentials.borrow()) {
        return Err(Errno::EPERM);
    }
    let (limit, _) = thread.process.limits.borrow()[linux::RLIMIT_NICE as usize];
    let is_within = u64::from((NICE_0 - nice).unsigned_abs()) <= limit;
    if nice >= thread.nice.get() || is_within || caller.can(CapSet::SYS_NICE) {
        Ok(())
    } else {
        Err(Errno::EACCES)
    }
}

/// A thread by its number; 0 is the running one.
fn thread_of(tid: u64) -> Result<Rc<Thread>, Errno> {
    match int(tid) {
        0 => Ok(current()),
        tid => {
            let tid = u32::try_from(tid).map_err(|_| Errno::ESRCH)?;
            table(|t| t.thread(Tid(tid))).ok_or(Errno::ESRCH)
        }
    }
}

/// Bytes of a set of processors.
const MASK_BYTES: usize = 8;
/// The set of those that there are.
const PROCESSORS: u64 = 1;

/// Any set will do that has a processor which there is.
pub fn sched_setaffinity([tid, len, mask, ..]: Arguments) -> Outcome {
    let mut wanted = [0; MASK_BYTES];
    user::copy_in(mask, &mut wanted[..length(len).min(MASK_BYTES)])?;
    let thread = thread_of(tid)?;
    let caller = current().process.credentials.borrow().clone();
    if !caller.may_schedule(&thread.process.credentials.borrow()) {
        return Err(Errno::EPERM.into());
    }
    if u64::from_le_bytes(wanted) & PROCESSORS == 0 {
        return Err(Errno::EINVAL.into());
    }
    Ok(0)
}

pub fn sched_getaffinity([tid, len, mask, ..]: Arguments) -> Outcome {
    if length(len) < MASK_BYTES || !length(len).is_multiple_of(MASK_BYTES) {
        return Err(Errno::EINVAL.into());
    }
    thread_of(tid)?;
    UserPtr::<u64>::from(mask).write(PROCESSORS)?;
    Ok(MASK_BYTES as u64)
}
