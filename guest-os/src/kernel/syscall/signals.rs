//! Signals: actions, masks, sending, returning from handlers.

use super::{Arguments, Outcome, Stop, int, length, uint};
use crate::arch;
use crate::hart::current;
use crate::memory::user::{self, UserPtr};
use crate::processes::exit;
use crate::processes::process::{self, Process, table};
use crate::processes::signal;
use crate::processes::wait::{self, WaitOutcome};
use ::proc::{Action, Ids, Pid, SigInfo, Signal, SignalSet, Tid};
use fs::Errno;
use linux_raw_sys::general as linux;

const SIGSET_BYTES: u64 = 8;
/// The code of a signal by `tkill` or `tgkill`.
const SI_TKILL: i32 = -6;

/// EINVAL unless a set of signals has so many bytes.
pub fn check_size(size: u64) -> Result<(), Errno> {
    if size == SIGSET_BYTES { Ok(()) } else { Err(Errno::EINVAL) }
}

pub fn rt_sigaction([number, new, old, size, ..]: Arguments) -> Outcome {
    check_size(size)?;
    let signal = Signal::new(u64::from(uint(number))).ok_or(Errno::EINVAL)?;
    let this = &current().process;
    let before = this.signals.borrow().action(signal);
    // struct sigaction of riscv64: handler, flags, mask.
    if let Some(pointer) = UserPtr::<[u64; 3]>::from(new).non_null() {
        let [handler, flags, mask] = pointer.read()?;
        if signal == Signal::KILL || signal == Signal::STOP {
            return Err(Errno::EINVAL.into());
        }
        let action = Action { handler, flags, mask: SignalSet(mask) };
        if this.signals.borrow_mut().set_action(signal, action) {
            process::each_thread(this.pid, |thread| thread.signals.borrow_mut().discard(signal));
        }
    }
    if let Some(pointer) = UserPtr::<[u64; 3]>::from(old).non_null() {
        pointer.write([before.handler, before.flags, before.mask.0])?;
    }
    Ok(0)
}

pub fn rt_sigprocmask([how, new, old, size, ..]: Arguments) -> Outcome {
    check_size(size)?;
    let this = current();
    let before = this.signals.borrow().blocked();
    if let Some(pointer) = UserPtr::<u64>::from(new).non_null() {
        let set = SignalSet(pointer.read()?);
        let after = match uint(how) {
            linux::SIG_BLOCK => before.union(set),
            linux::SIG_UNBLOCK => before.without(set),
            linux::SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL.into()),
        };
        this.signals.borrow_mut().set_blocked(after);
        hand_on(&this.process);
    }
    if let Some(pointer) = UserPtr::<u64>::from(old).non_null() {
        pointer.write(before.0)?;
    }
    Ok(0)
}

/// What waits for the process and is blocked here now may be for another thread.
fn hand_on(process: &Process) {
    if !process.signals.borrow().pending().is_empty() {
        exit::wake_takers(process);
    }
}

pub fn rt_sigpending([set, size, ..]: Arguments) -> Outcome {
    // As in Linux, a program may ask for a part.
    if size > SIGSET_BYTES {
        return Err(Errno::EINVAL.into());
    }
    let this = current();
    let pending = this.signals.borrow().pending(&this.process.signals.borrow());
    user::copy_out(set, &pending.0.to_ne_bytes()[..length(size)])?;
    Ok(0)
}

pub fn rt_sigsuspend([set, size, ..]: Arguments) -> Outcome {
    check_size(size)?;
    let set = SignalSet(UserPtr::<u64>::from(set).read()?);
    current().signals.borrow_mut().suspend_with(set);
    while wait::sleep_on(alloc::vec::Vec::new(), None, true) != WaitOutcome::Interrupted {}
    Err(Stop::Signal(false))
}

/// Waits for a signal of the set to be pending and takes it.
pub fn rt_sigtimedwait([set, info, timeout, size, ..]: Arguments) -> Outcome {
    check_size(size)?;
    let set = SignalSet(UserPtr::<u64>::from(set).read()?);
    let deadline = super::time::deadline_of(timeout)?;
    let this = current();
    loop {
        let taken = this.signals.borrow_mut().take(&mut this.process.signals.borrow_mut(), set);
        if let Some(taken) = taken {
            if info != 0 {
                user::copy_out(info, &signal::siginfo(&taken))?;
            }
            return Ok(u64::from(taken.signal.number()));
        }
        if deadline.is_some_and(|deadline| deadline <= arch::time()) {
            return Err(Errno::EAGAIN.into());
        }
        // The awaited signals must wake the sleeper though they are blocked.
        let blocked = this.signals.borrow().blocked();
        this.signals.borrow_mut().suspend_with(blocked.without(set));
        let outcome = wait::sleep_on(alloc::vec::Vec::new(), deadline, true);
        this.signals.borrow_mut().end_suspension();
        let awaited = this.signals.borrow().pending(&this.process.signals.borrow()).0 & set.0 != 0;
        if outcome == WaitOutcome::Interrupted && !awaited {
            // As in Linux, whatever the signal does: this call does not start again.
            return Err(Errno::EINTR.into());
        }
    }
}

pub fn rt_sigreturn(_: Arguments) -> Outcome {
    let this = current();
    if signal::return_from_handler(&this).is_err() {
        this.force(SigInfo::from_kernel(Signal::SEGV));
    }
    Err(Stop::RegistersSet)
}

pub fn sigaltstack([new, old, ..]: Arguments) -> Outcome {
    let this = current();
    let before = this.signals.borrow().alt_stack;
    let flags = before.flags(this.frame.borrow().x[2]);
    if let Some(pointer) = UserPtr::<[u64; 3]>::from(new).non_null() {
        signal::set_alt_stack(&this, pointer.read()?)?;
    }
    if let Some(pointer) = UserPtr::<[u64; 3]>::from(old).non_null() {
        pointer.write([before.base, u64::from(flags), before.size])?;
    }
    Ok(0)
}

/// The signal that a call names; none asks only whether the target is there.
pub fn signal_of(number: u64) -> Result<Option<Signal>, Errno> {
    match u64::from(uint(number)) {
        0 => Ok(None),
        number => Signal::new(number).map(Some).ok_or(Errno::EINVAL),
    }
}

pub fn kill([pid, number, ..]: Arguments) -> Outcome {
    let info = signal_of(number)?.map(|signal| SigInfo::from_user(signal, current().process.pid));
    let this = current().process.pid;
    let group_of = |pid| table(|t| t.group(pid)).unwrap_or(0);
    let group = match int(pid) {
        -1 => None,
        0 => Some(group_of(this)),
        pid if pid > 0 => return send_to(pid.unsigned_abs(), info),
        group => Some(group.unsigned_abs()),
    };
    let (mut are_meant, mut are_reached) = (false, false);
    let is_meant = |pid| match group {
        Some(group) => group_of(pid) == group,
        None => pid != exit::FIRST && pid != this,
    };
    process::each_living(|target| {
        if is_meant(target.pid) {
            are_meant = true;
            if check_right(target, info).is_ok() {
                info.into_iter().for_each(|info| exit::send(target, info));
                are_reached = true;
            }
        }
    });
    // Zombies are there, too, though they take no signals.
    process::each_zombie(|pid, remains| {
        if is_meant(pid) {
            are_meant = true;
            are_reached |= check_right_by(pid, &remains.user, info).is_ok();
        }
    });
    match group {
        // As in Linux, who means all is not told that none may be reached.
        _ if are_reached || are_meant && group.is_none() => Ok(0),
        _ if are_meant => Err(Errno::EPERM.into()),
        _ => Err(Errno::ESRCH.into()),
    }
}

/// EPERM unless the running process may send this to another one: by their users, or to let one of its session go on (kill(2)).
fn check_right(target: &Process, info: Option<SigInfo>) -> Result<(), Errno> {
    let user = target.credentials.borrow().user;
    check_right_by(target.pid, &user, info)
}

/// The same of a process, living or not, with this number and these ids of a user.
fn check_right_by(pid: Pid, user: &Ids, info: Option<SigInfo>) -> Result<(), Errno> {
    let this = current();
    let this = &this.process;
    let continues = info.is_some_and(|info| info.signal == Signal::CONT);
    let may = pid == this.pid
        || continues && table(|t| t.session(pid) == t.session(this.pid))
        || this.credentials.borrow().may_signal(user);
    if may { Ok(()) } else { Err(Errno::EPERM) }
}

/// Sends a signal, if it is one, to the process with this number. As in Linux, a thread's number names its process here.
pub fn send_to(pid: Pid, info: Option<SigInfo>) -> Outcome {
    if let Some(remains) = process::remains(pid) {
        check_right_by(pid, &remains.user, info)?;
        return Ok(0);
    }
    let target = table(|t| t.thread(Tid(pid))).map(|thread| thread.process.clone());
    let target = target.or_else(|| process::find(pid)).ok_or(Errno::ESRCH)?;
    check_right(&target, info)?;
    if let Some(info) = info {
        exit::try_send(&target, info).map_err(|_| Errno::EAGAIN)?;
    }
    Ok(0)
}

/// `rt_sigqueueinfo`: a signal with a value of the sender's.
pub fn rt_sigqueueinfo([pid, number, info, ..]: Arguments) -> Outcome {
    let info = queued_info(number, info, uint(pid))?;
    send_to(uint(pid), info)
}

pub fn rt_tgsigqueueinfo([group, tid, number, info, ..]: Arguments) -> Outcome {
    let info = queued_info(number, info, uint(tid))?;
    send_to_tid(Some(group), tid, info)
}

/// What a program says of a signal that it sends. To others it may not say that `kill` or the kernel does.
pub fn queued_info(number: u64, address: u64, target: u32) -> Result<Option<SigInfo>, Errno> {
    const CODE: u64 = 8;
    const SENDER: u64 = 16;
    const VALUE: u64 = 24;
    let code = UserPtr::<i32>::from(address.wrapping_add(CODE)).read()?;
    let pid = UserPtr::<u32>::from(address.wrapping_add(SENDER)).read()?;
    let value = UserPtr::<u64>::from(address.wrapping_add(VALUE)).read()?;
    let this = current();
    if (code >= 0 || code == SI_TKILL) && target != this.process.pid && target != this.tid().0 {
        return Err(Errno::EPERM);
    }
    Ok(signal_of(number)?.map(|signal| SigInfo { signal, code, pid, value }))
}

/// To the thread with this number, of this process if it is named. A zombie's number is still that of its first thread.
fn send_to_tid(process: Option<u64>, tid: u64, info: Option<SigInfo>) -> Outcome {
    if [process.unwrap_or(tid), tid].into_iter().any(|number| int(number) <= 0) {
        return Err(Errno::EINVAL.into());
    }
    let is_its = |pid: Pid| process.is_none_or(|process| uint(process) == pid);
    let tid = uint(tid);
    if let Some(remains) = process::remains(tid).filter(|_| is_its(tid)) {
        check_right_by(tid, &remains.user, info)?;
        return Ok(0);
    }
    let thread = table(|t| t.thread(Tid(tid))).filter(|thread| is_its(thread.process.pid));
    let thread = thread.ok_or(Errno::ESRCH)?;
    check_right(&thread.process, info)?;
    if let Some(info) = info {
        exit::send_to_thread(&thread, info).map_err(|_| Errno::EAGAIN)?;
    }
    Ok(0)
}

/// A signal by `tkill` or `tgkill`.
fn thread_info(number: u64) -> Result<Option<SigInfo>, Errno> {
    let from_here = |signal| SigInfo { code: SI_TKILL, ..SigInfo::from_user(signal, current().process.pid) };
    Ok(signal_of(number)?.map(from_here))
}

pub fn tkill([tid, number, ..]: Arguments) -> Outcome {
    let info = thread_info(number)?;
    send_to_tid(None, tid, info)
}

pub fn tgkill([group, tid, number, ..]: Arguments) -> Outcome {
    let info = thread_info(number)?;
    send_to_tid(Some(group), tid, info)
}
