//! Signals: actions, masks, sending, returning from handlers.

use super::{Arguments, Outcome, Stop, int, uint};
use crate::arch;
use crate::hart::current;
use crate::memory::user::{self, UserPtr};
use crate::processes::exit;
use crate::processes::process::{self, Process, table};
use crate::processes::signal;
use crate::processes::thread::Thread;
use crate::processes::wait::{self, WaitOutcome};
use ::proc::{Action, AltStack, SigInfo, Signal, SignalSet, Tid};
use alloc::rc::Rc;
use fs::Errno;
use linux_raw_sys::general as linux;

const SIGSET_BYTES: u64 = 8;

fn check_size(size: u64) -> Result<(), Errno> {
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
    check_size(size)?;
    let this = current();
    let pending = this.signals.borrow().pending(&this.process.signals.borrow());
    UserPtr::<u64>::from(set).write(pending.0)?;
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
            return Err(Stop::Signal(false));
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
    const MIN_BYTES: u64 = linux::MINSIGSTKSZ as u64;
    let this = current();
    let AltStack { base, size, flags } = this.signals.borrow().alt_stack;
    let sp = this.frame.borrow().x[2];
    let in_use = size != 0 && sp.wrapping_sub(base) < size;
    if let Some(pointer) = UserPtr::<[u64; 3]>::from(new).non_null() {
        let [new_base, new_flags, new_size] = pointer.read()?;
        if in_use {
            return Err(Errno::EPERM.into());
        }
        let new_flags = uint(new_flags);
        let stack = match new_flags & !linux::SS_AUTODISARM {
            linux::SS_DISABLE => AltStack::NONE,
            0 | linux::SS_ONSTACK if new_size < MIN_BYTES => return Err(Errno::ENOMEM.into()),
            0 | linux::SS_ONSTACK => AltStack { base: new_base, size: new_size, flags: 0 },
            _ => return Err(Errno::EINVAL.into()),
        };
        this.signals.borrow_mut().alt_stack = stack;
    }
    if let Some(pointer) = UserPtr::<[u64; 3]>::from(old).non_null() {
        let flags = if in_use { linux::SS_ONSTACK } else { flags };
        pointer.write([base, u64::from(flags), size])?;
    }
    Ok(0)
}

/// The signal that a call names; none asks only whether the target is there.
fn signal_of(number: u64) -> Result<Option<Signal>, Errno> {
    match u64::from(uint(number)) {
        0 => Ok(None),
        number => Signal::new(number).map(Some).ok_or(Errno::EINVAL),
    }
}

pub fn kill([pid, number, ..]: Arguments) -> Outcome {
    let info = signal_of(number)?.map(|signal| SigInfo::from_user(signal, current().process.pid));
    let send = |target: &Process| info.into_iter().for_each(|info| exit::send(target, info));
    let this = current().process.pid;
    let group_of = |pid| table(|t| t.group(pid)).unwrap_or(0);
    let group = match int(pid) {
        -1 => None,
        0 => Some(group_of(this)),
        pid if pid > 0 => {
            let pid = pid.unsigned_abs();
            if table(|t| t.zombie_status(pid)).is_some() {
                return Ok(0);
            }
            // As in Linux, a thread's number names its process here.
            let target = table(|t| t.thread(Tid(pid))).map(|thread| thread.process.clone());
            send(&*target.or_else(|| process::find(pid)).ok_or(Errno::ESRCH)?);
            return Ok(0);
        }
        group => Some(group.unsigned_abs()),
    };
    let mut result = Err(Errno::ESRCH.into());
    process::each_living(|target| {
        let is_meant = match group {
            Some(group) => group_of(target.pid) == group,
            None => target.pid != exit::FIRST && target.pid != this,
        };
        if is_meant {
            send(target);
            result = Ok(0);
        }
    });
    result
}

fn send_to_thread(thread: &Thread, number: u64) -> Outcome {
    const SI_TKILL: i32 = -6;
    if let Some(signal) = signal_of(number)? {
        let info = SigInfo { code: SI_TKILL, ..SigInfo::from_user(signal, current().process.pid) };
        exit::send_to_thread(thread, info);
    }
    Ok(0)
}

fn thread_of(tid: u64) -> Result<Option<Rc<Thread>>, Errno> {
    if int(tid) <= 0 { Err(Errno::EINVAL) } else { Ok(table(|t| t.thread(Tid(uint(tid))))) }
}

pub fn tkill([tid, number, ..]: Arguments) -> Outcome {
    signal_of(number)?;
    send_to_thread(&*thread_of(tid)?.ok_or(Errno::ESRCH)?, number)
}

pub fn tgkill([group, tid, number, ..]: Arguments) -> Outcome {
    if int(group) <= 0 {
        return Err(Errno::EINVAL.into());
    }
    signal_of(number)?;
    let thread = thread_of(tid)?.filter(|thread| thread.process.pid == uint(group));
    send_to_thread(&*thread.ok_or(Errno::ESRCH)?, number)
}
