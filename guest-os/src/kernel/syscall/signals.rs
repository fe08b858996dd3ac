//! Signals: actions, masks, sending, returning from handlers.

use super::{Arguments, Outcome, Stop, int, uint};
use crate::arch;
use crate::exit;
use crate::hart::current;
use crate::process::{self, Process, table};
use crate::signal;
use crate::user::{self, UserPtr};
use crate::wait::{self, WaitOutcome};
use ::proc::{Action, SigInfo, Signal, SignalSet};
use fs::Errno;
use linux_raw_sys::general as linux;

const SIGSET_BYTES: u64 = 8;

fn check_size(size: u64) -> Result<(), Errno> {
    if size == SIGSET_BYTES { Ok(()) } else { Err(Errno::EINVAL) }
}

pub fn rt_sigaction([number, new, old, size, ..]: Arguments) -> Outcome {
    check_size(size)?;
    let signal = Signal::new(u64::from(uint(number))).ok_or(Errno::EINVAL)?;
    let this = current();
    let before = this.signals.borrow().action(signal);
    // struct sigaction of riscv64: handler, flags, mask.
    if let Some(pointer) = UserPtr::<[u64; 3]>::from(new).non_null() {
        let [handler, flags, mask] = pointer.read()?;
        if signal == Signal::KILL || signal == Signal::STOP {
            return Err(Errno::EINVAL.into());
        }
        this.signals.borrow_mut().set_action(signal, Action { handler, flags, mask: SignalSet(mask) });
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
            linux::SIG_UNBLOCK => SignalSet(before.0 & !set.0),
            linux::SIG_SETMASK => set,
            _ => return Err(Errno::EINVAL.into()),
        };
        this.signals.borrow_mut().set_blocked(after);
    }
    if let Some(pointer) = UserPtr::<u64>::from(old).non_null() {
        pointer.write(before.0)?;
    }
    Ok(0)
}

pub fn rt_sigpending([set, size, ..]: Arguments) -> Outcome {
    check_size(size)?;
    let pending = current().signals.borrow().pending();
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
        let taken = this.signals.borrow_mut().take_pending(set);
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
        this.signals.borrow_mut().suspend_with(SignalSet(blocked.0 & !set.0));
        let outcome = wait::sleep_on(alloc::vec::Vec::new(), deadline, true);
        this.signals.borrow_mut().end_suspension();
        let awaited = this.signals.borrow().pending().0 & set.0 != 0;
        if outcome == WaitOutcome::Interrupted && !awaited {
            return Err(Stop::Signal(false));
        }
    }
}

pub fn rt_sigreturn(_: Arguments) -> Outcome {
    let this = current();
    if signal::return_from_handler(&this).is_err() {
        this.signals.borrow_mut().force(SigInfo::from_kernel(Signal::SEGV));
    }
    Err(Stop::RegistersSet)
}

pub fn sigaltstack([new, old, ..]: Arguments) -> Outcome {
    const MIN_BYTES: u64 = linux::MINSIGSTKSZ as u64;
    let this = current();
    let (base, size, flags) = this.signals.borrow().alt_stack;
    let sp = this.frame.borrow().x[2];
    let in_use = size != 0 && sp.wrapping_sub(base) < size;
    if let Some(pointer) = UserPtr::<[u64; 3]>::from(new).non_null() {
        let [new_base, new_flags, new_size] = pointer.read()?;
        if in_use {
            return Err(Errno::EPERM.into());
        }
        let new_flags = uint(new_flags);
        let stack = match new_flags & !linux::SS_AUTODISARM {
            linux::SS_DISABLE => (0, 0, linux::SS_DISABLE),
            0 | linux::SS_ONSTACK if new_size < MIN_BYTES => return Err(Errno::ENOMEM.into()),
            0 | linux::SS_ONSTACK => (new_base, new_size, 0),
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

/// Signal 0 only asks whether the process is there.
fn send(process: &Process, number: u64, code: i32) -> Result<(), Errno> {
    if int(number) == 0 {
        return Ok(());
    }
    let signal = Signal::new(u64::from(uint(number))).ok_or(Errno::EINVAL)?;
    exit::send(process, SigInfo { code, ..SigInfo::from_user(signal, current().pid) });
    Ok(())
}

pub fn kill([pid, number, ..]: Arguments) -> Outcome {
    if uint(number) > 64 {
        return Err(Errno::EINVAL.into());
    }
    let this = current().pid;
    let group_of = |pid| table(|t| t.group(pid)).unwrap_or(0);
    let group = match int(pid) {
        -1 => None,
        0 => Some(group_of(this)),
        pid if pid > 0 => {
            let pid = pid.unsigned_abs();
            if table(|t| t.zombie_status(pid)).is_some() {
                return Ok(0);
            }
            let target = process::find(pid).ok_or(Errno::ESRCH)?;
            send(&target, number, SI_USER)?;
            return Ok(0);
        }
        group => Some(group.unsigned_abs()),
    };
    let mut result = Err(Errno::ESRCH);
    process::each_living(|target| {
        let is_meant = match group {
            Some(group) => group_of(target.pid) == group,
            None => target.pid != exit::FIRST && target.pid != this,
        };
        if is_meant {
            result = send(target, number, SI_USER);
        }
    });
    Ok(result.map(|()| 0)?)
}

const SI_USER: i32 = 0;
const SI_TKILL: i32 = -6;

pub fn tkill([tid, number, ..]: Arguments) -> Outcome {
    if int(tid) <= 0 || uint(number) > 64 {
        return Err(Errno::EINVAL.into());
    }
    let target = process::find(uint(tid)).ok_or(Errno::ESRCH)?;
    send(&target, number, SI_TKILL)?;
    Ok(0)
}

pub fn tgkill([group, tid, number, ..]: Arguments) -> Outcome {
    if int(group) <= 0 {
        return Err(Errno::EINVAL.into());
    }
    if uint(group) != uint(tid) {
        return Err(Errno::ESRCH.into());
    }
    tkill([tid, number, 0, 0, 0, 0])
}
