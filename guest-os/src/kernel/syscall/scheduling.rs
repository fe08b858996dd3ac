//! How threads are scheduled, as far as programs may say: class, priority, how nice they are, and how they stand in line for the disk, all of
//! which is [remembered](Scheduling); and on which processors they run, of which there is one.

use super::{Arguments, Outcome, int, length, uint};
use crate::devices::clock::NANOSECONDS_PER_TICK;
use crate::devices::interrupts::QUANTUM_TICKS;
use crate::hart::current;
use crate::memory::user::{self, UserPtr};
use crate::processes::process::{self, table};
use crate::processes::thread::Thread;
use ::proc::{
    Asker, CapSet, Credentials, IoPriority, LEAST_NICE, MOST_NICE, Scheduling, Tid, is_within_nice_limit,
    priorities_of,
};
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
    each_meant(which, who, |thread| best = best.max(Some(NICE_0 - thread.scheduling.get().nice)))?;
    Ok(u64::from(best.ok_or(Errno::ESRCH)?.unsigned_abs()))
}

/// As in Linux, what cannot be done to one of several is told, and done to the others.
pub fn setpriority([which, who, nice, ..]: Arguments) -> Outcome {
    let nice = int(nice).clamp(LEAST_NICE, MOST_NICE);
    let caller = current().process.credentials.borrow().clone();
    let mut result = Err(Errno::ESRCH);
    each_meant(which, who, |thread| match check_nice(&caller, thread, nice) {
        Ok(()) => {
            thread.scheduling.set(Scheduling { nice, ..thread.scheduling.get() });
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
    let is_within = is_within_nice_limit(nice, limit);
    if nice >= thread.scheduling.get().nice || is_within || caller.can(CapSet::SYS_NICE) {
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

/// The thread that a call of a class is about: EINVAL for what is no number of one.
fn thread_to_schedule(tid: u64) -> Result<Rc<Thread>, Errno> {
    if int(tid) < 0 { Err(Errno::EINVAL) } else { thread_of(tid) }
}

/// Makes a thread's class, priority and niceness what `wanted` makes of them, if the caller may.
fn change(tid: u64, wanted: impl FnOnce(Scheduling) -> Scheduling) -> Outcome {
    let thread = thread_to_schedule(tid)?;
    let now = thread.scheduling.get();
    let wanted = wanted(now);
    let caller = current().process.credentials.borrow().clone();
    let limits = thread.process.limits.borrow();
    let asker = Asker {
        is_owner: caller.may_schedule(&thread.process.credentials.borrow()),
        is_privileged: caller.can(CapSet::SYS_NICE),
        nice_limit: limits[linux::RLIMIT_NICE as usize].0,
        priority_limit: limits[linux::RLIMIT_RTPRIO as usize].0,
    };
    now.check_change(&wanted, &asker)?;
    thread.scheduling.set(wanted);
    Ok(0)
}

/// A `struct sched_param`: the priority. EINVAL for one that is nowhere.
fn read_priority(tid: u64, parameter: u64) -> Result<u32, Errno> {
    let parameter = UserPtr::<u32>::from(parameter).non_null().ok_or(Errno::EINVAL)?;
    if int(tid) < 0 { Err(Errno::EINVAL) } else { parameter.read() }
}

pub fn sched_setscheduler([tid, class, parameter, ..]: Arguments) -> Outcome {
    if int(class) < 0 {
        return Err(Errno::EINVAL.into());
    }
    let priority = read_priority(tid, parameter)?;
    let (class, resets) =
        (uint(class) & !linux::SCHED_RESET_ON_FORK, uint(class) & linux::SCHED_RESET_ON_FORK);
    change(tid, |now| Scheduling { class, priority, resets: resets != 0, ..now })
}

pub fn sched_setparam([tid, parameter, ..]: Arguments) -> Outcome {
    let priority = read_priority(tid, parameter)?;
    change(tid, |now| Scheduling { priority, ..now })
}

pub fn sched_getscheduler([tid, ..]: Arguments) -> Outcome {
    let Scheduling { class, resets, .. } = thread_to_schedule(tid)?.scheduling.get();
    Ok(u64::from(class | if resets { linux::SCHED_RESET_ON_FORK } else { 0 }))
}

pub fn sched_getparam([tid, parameter, ..]: Arguments) -> Outcome {
    let parameter = UserPtr::<u32>::from(parameter).non_null().ok_or(Errno::EINVAL)?;
    let priority = thread_to_schedule(tid)?.scheduling.get().priority;
    parameter.write(priority)?;
    Ok(0)
}

pub fn sched_get_priority_max([class, ..]: Arguments) -> Outcome {
    Ok(u64::from(*priorities_of(uint(class))?.end()))
}

pub fn sched_get_priority_min([class, ..]: Arguments) -> Outcome {
    Ok(u64::from(*priorities_of(uint(class))?.start()))
}

/// As in Linux: who waits for others of his priority alone waits for ever, so to say.
pub fn sched_rr_get_interval([tid, interval, ..]: Arguments) -> Outcome {
    let nanoseconds = match thread_to_schedule(tid)?.scheduling.get().class {
        linux::SCHED_FIFO => 0,
        _ => QUANTUM_TICKS * NANOSECONDS_PER_TICK,
    };
    UserPtr::<[u64; 2]>::from(interval).write([0, nanoseconds])?;
    Ok(0)
}

/// Words of a `struct sched_attr`: size and class; flags; niceness and priority; three times; two clamps.
const ATTRIBUTE_WORDS: usize = 7;
const ATTRIBUTE_BYTES: u64 = ATTRIBUTE_WORDS as u64 * 8;
/// Bytes of its first version.
const ATTRIBUTE_LEAST_BYTES: u64 = 48;

/// Two halves of a word, the first one first.
fn halves(word: u64) -> (u32, u32) {
    (uint(word), uint(word >> 32))
}

/// EOPNOTSUPP for clamps, as in a kernel without them.
pub fn sched_setattr([tid, attributes, flags, ..]: Arguments) -> Outcome {
    let start = UserPtr::<u32>::from(attributes).non_null().ok_or(Errno::EINVAL)?;
    if int(tid) < 0 || uint(flags) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let size = match u64::from(start.read()?) {
        0 => ATTRIBUTE_LEAST_BYTES,
        size => size,
    };
    let mut words = [0; ATTRIBUTE_WORDS];
    let copied = match size {
        ..ATTRIBUTE_LEAST_BYTES => Err(Errno::E2BIG),
        size => user::copy_struct(attributes, size, ATTRIBUTE_LEAST_BYTES, &mut words),
    };
    if copied == Err(Errno::E2BIG) {
        // How large it would be right.
        start.write(ATTRIBUTE_BYTES as u32)?;
    }
    copied?;
    let (_, class) = halves(words[0]);
    let flags = uint(words[1]);
    let (nice, priority) = halves(words[2]);
    if words[1] & !u64::from(linux::SCHED_FLAG_ALL) != 0 || class.cast_signed() < 0 {
        return Err(Errno::EINVAL.into());
    }
    if flags & linux::SCHED_FLAG_UTIL_CLAMP != 0 {
        return Err(Errno::EOPNOTSUPP.into());
    }
    change(tid, |now| {
        let class = if flags & linux::SCHED_FLAG_KEEP_POLICY == 0 { class } else { now.class };
        let resets = flags & linux::SCHED_FLAG_RESET_ON_FORK != 0;
        let wanted = Scheduling { class, resets, ..now };
        if flags & linux::SCHED_FLAG_KEEP_PARAMS != 0 {
            return wanted;
        }
        // Who is scheduled by priority keeps for later how nice it is.
        let nice = match wanted.is_real_time() {
            true => now.nice,
            false => nice.cast_signed().clamp(LEAST_NICE, MOST_NICE),
        };
        Scheduling { priority, nice, ..wanted }
    })
}

pub fn sched_getattr([tid, attributes, size, flags, ..]: Arguments) -> Outcome {
    let size = u64::from(uint(size));
    let is_refused = attributes == 0
        || int(tid) < 0
        || !(ATTRIBUTE_LEAST_BYTES..=isa::PAGE_SIZE).contains(&size)
        || uint(flags) != 0;
    if is_refused {
        return Err(Errno::EINVAL.into());
    }
    let now = thread_to_schedule(tid)?.scheduling.get();
    let size = size.min(ATTRIBUTE_BYTES) & !7;
    let nice = if now.is_real_time() { 0 } else { now.nice.cast_unsigned() };
    let words: [u64; ATTRIBUTE_WORDS] = [
        size | u64::from(now.class) << 32,
        u64::from(now.resets),
        u64::from(nice) | u64::from(now.priority) << 32,
        0,
        0,
        0,
        0,
    ];
    for (index, &word) in (0..size / 8).zip(&words) {
        UserPtr::<u64>::from(attributes).at(index).write(word)?;
    }
    Ok(0)
}

/// The kinds of `ioprio_get` begin with 1, those of `getpriority` with 0.
fn as_priority_kind(which: u64) -> u64 {
    u64::from(uint(which).wrapping_sub(1))
}

/// The best of those that are meant, of the numbers that are remembered.
pub fn ioprio_get([which, who, ..]: Arguments) -> Outcome {
    let mut best: Option<u16> = None;
    each_meant(as_priority_kind(which), who, |thread| {
        let own = thread.scheduling.get().io;
        best = Some(best.map_or(own, |best| best.min(own)));
    })?;
    Ok(best.ok_or(Errno::ESRCH)?.into())
}

pub fn ioprio_set([which, who, priority, ..]: Arguments) -> Outcome {
    let caller = current().process.credentials.borrow().clone();
    let IoPriority(io) = IoPriority::new(int(priority), caller.can(CapSet::SYS_ADMIN | CapSet::SYS_NICE))?;
    let mut result = Err(Errno::ESRCH);
    each_meant(as_priority_kind(which), who, |thread| {
        if caller.may_prioritise(&thread.process.credentials.borrow()) {
            thread.scheduling.set(Scheduling { io, ..thread.scheduling.get() });
            result = result.or(Ok(0));
        } else {
            result = Err(Errno::EPERM);
        }
    })?;
    Ok(result?)
}
