//! Waiting for children: `wait4`, `waitid`.

use super::{Arguments, Outcome, Stop, int, pidfd, uint};
use crate::hart::current;
use crate::memory::inject;
use crate::memory::user::{self, UserPtr};
use crate::processes::process::{self, Process, Usage, table};
use crate::processes::signal;
use crate::processes::wait::{self, Channel};
use ::proc::{Awaited, ChildEvent, ChildKind, Pid, SigInfo, Signal, WaitFor};
use fs::Errno;
use linux_raw_sys::general as linux;

/// What a call is told of a child.
struct Told {
    child: Pid,
    event: ChildEvent,
    usage: Usage,
}

pub fn wait4([pid, status, options, usage, ..]: Arguments) -> Outcome {
    let who = match int(pid) {
        // Its negative is no number.
        i32::MIN => return Err(Errno::ESRCH.into()),
        -1 => WaitFor::Any,
        0 => WaitFor::Group(own_group()),
        pid if pid > 0 => WaitFor::Process(pid.unsigned_abs()),
        group => WaitFor::Group(group.unsigned_abs()),
    };
    let Some(told) = wait_for(who, uint(options) | linux::WEXITED)? else { return Ok(0) };
    // As in Linux, the child is gone, whether there is room for what is told of it or not.
    inject::covered(|| {
        if let Some(pointer) = UserPtr::<u32>::from(status).non_null() {
            pointer.write(told.event.to_wait_status())?;
        }
        if usage != 0 {
            super::system::write_usage(usage, &told.usage)?;
        }
        Ok(u64::from(told.child))
    })
}

pub fn waitid([kind, id, info, options, usage, ..]: Arguments) -> Outcome {
    let options = uint(options);
    if options & (linux::WEXITED | linux::WSTOPPED | linux::WCONTINUED) == 0 {
        return Err(Errno::EINVAL.into());
    }
    let who = match (uint(kind), int(id)) {
        (linux::P_ALL, _) => WaitFor::Any,
        (linux::P_PID, pid) if pid > 0 => WaitFor::Process(pid.unsigned_abs()),
        (linux::P_PGID, 0) => WaitFor::Group(own_group()),
        (linux::P_PGID, group) if group > 0 => WaitFor::Group(group.unsigned_abs()),
        (linux::P_PIDFD, fd) if fd >= 0 => {
            let (pid, is_not_to_wait) = pidfd::process_of(id)?;
            let who = WaitFor::Process(pid.ok_or(Errno::ECHILD)?);
            if is_not_to_wait && options & linux::WNOHANG == 0 {
                let told = wait_for(who, options | linux::WNOHANG)?;
                return tell(info, usage, Some(told.ok_or(Errno::EAGAIN)?));
            }
            who
        }
        _ => return Err(Errno::EINVAL.into()),
    };
    tell(info, usage, wait_for(who, options)?)
}

/// What `waitid` tells of a child, or that there is nothing to tell.
fn tell(info: u64, usage: u64, told: Option<Told>) -> Outcome {
    inject::covered(|| {
        if usage != 0
            && let Some(told) = &told
        {
            super::system::write_usage(usage, &told.usage)?;
        }
        write_info(info, told.as_ref())?;
        Ok(0)
    })
}

/// Where `siginfo_t` is asked for: what SIGCHLD says, or that there is nothing to say.
fn write_info(address: u64, told: Option<&Told>) -> Result<(), Errno> {
    /// `si_signo` to `si_status`.
    const BYTES: usize = 28;
    if address == 0 {
        return Ok(());
    }
    let bytes = told.map_or([0; signal::SIGINFO_BYTES], |told| {
        let (code, status) = told.event.code_and_status();
        let (pid, value) = (told.child, u64::from(status));
        signal::siginfo(&SigInfo { signal: Signal::CHLD, code, pid, value })
    });
    user::copy_out(address, &bytes[..BYTES])
}

fn own_group() -> Pid {
    table(|t| t.group(current().process.pid)).unwrap_or(0)
}

/// Waits for one of the events that `options` name; `None` if there is none and none is to be waited for.
fn wait_for(who: WaitFor, options: u32) -> Result<Option<Told>, Stop> {
    let kind = match options {
        _ if options & linux::__WALL != 0 => ChildKind::All,
        _ if options & linux::__WCLONE != 0 => ChildKind::Clones,
        _ => ChildKind::Usual,
    };
    let this = &current().process;
    loop {
        let found = table(|t| {
            let t = &*t;
            let event = |pid| match t.zombie_status(pid) {
                Some(status) => Some(ChildEvent::Ended(status)).filter(|_| options & linux::WEXITED != 0),
                None => event_of(&*t.get(pid)?, options),
            };
            t.find_child(this.pid, Awaited { who, kind }, event)
        });
        if let Some((child, event)) = found.map_err(|_| Errno::ECHILD)? {
            let usage = usage_of(child);
            if options & linux::WNOWAIT == 0 {
                take(this, child, event);
            }
            return Ok(Some(Told { child, event, usage }));
        }
        if options & linux::WNOHANG != 0 {
            return Ok(None);
        }
        if current().has_signal() {
            return Err(Stop::Signal(true));
        }
        // Whatever ends the sleep: what a child has to tell comes before a signal.
        wait::sleep_on(alloc::vec![Channel::Child(this.pid)], None, true);
    }
}

/// What a living child has to tell since it was last asked.
fn event_of(child: &Process, options: u32) -> Option<ChildEvent> {
    match child.stopped.get() {
        Some(signal) if options & linux::WUNTRACED != 0 && child.stop_unreported.get() => {
            Some(ChildEvent::Stopped(signal))
        }
        _ if options & linux::WCONTINUED != 0 && child.continue_unreported.get() => {
            Some(ChildEvent::Continued)
        }
        _ => None,
    }
}

/// What a child and all that it waited for have used.
fn usage_of(child: Pid) -> Usage {
    match process::find(child) {
        None => process::remains(child).unwrap_or_default().usage,
        Some(child) => {
            let mut usage = child.usage();
            usage.add(&child.children_usage.get());
            usage
        }
    }
}

/// The event has been told; a zombie is gone.
fn take(parent: &Process, child: Pid, event: ChildEvent) {
    match (event, process::find(child)) {
        (ChildEvent::Stopped(_), Some(child)) => child.stop_unreported.set(false),
        (ChildEvent::Continued, Some(child)) => child.continue_unreported.set(false),
        _ => {
            table(|t| t.reap(child));
            let mut sum = parent.children_usage.get();
            sum.add(&process::forget(child).usage);
            parent.children_usage.set(sum);
        }
    }
}
