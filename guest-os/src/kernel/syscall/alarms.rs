//! Timers that a process makes: `timer_create` and its kind.

use super::{Arguments, Outcome, int, limits, time, uint};
use crate::arch;
use crate::devices::clock;
use crate::hart::current;
use crate::memory::user::UserPtr;
use crate::processes::alarms::{Alarm, Notice};
use crate::processes::process;
use crate::processes::timers::{Kind, Timer};
use ::proc::{Signal, Tid};
use fs::Errno;
use linux_raw_sys::general as linux;

/// What `sigev_notify` asks for.
const SIGEV_SIGNAL: u32 = 0;
const SIGEV_NONE: u32 = 1;
const SIGEV_THREAD: u32 = 2;
const SIGEV_THREAD_ID: u32 = 4;

pub fn timer_create([clock, event, id, ..]: Arguments) -> Outcome {
    let (kind, is_realtime) = match uint(clock) {
        linux::CLOCK_REALTIME | linux::CLOCK_TAI => (Kind::Real, true),
        linux::CLOCK_MONOTONIC | linux::CLOCK_BOOTTIME => (Kind::Real, false),
        linux::CLOCK_PROCESS_CPUTIME_ID | linux::CLOCK_THREAD_CPUTIME_ID => (Kind::Used, false),
        _ => return Err(Errno::EINVAL.into()),
    };
    let notice = match event {
        0 => Notice { signal: Some(Signal::ALRM), thread: None, value: None },
        _ => read_notice(event)?,
    };
    let process = &current().process;
    if !limits::has_room_for_signal(process) {
        return Err(Errno::EAGAIN.into());
    }
    let number = process.timers.alarms.create(kind, is_realtime, notice);
    if let Err(error) = UserPtr::<u32>::from(id).write(number) {
        process.timers.alarms.delete(number);
        return Err(error.into());
    }
    Ok(0)
}

/// `struct sigevent`.
fn read_notice(event: u64) -> Result<Notice, Errno> {
    let value = UserPtr::<u64>::from(event).read()?;
    let word = |index| UserPtr::<u32>::from(event).at(index).read();
    let [signal, notify, tid] = [word(2)?, word(3)?, word(4)?];
    let (signal, thread) = match notify {
        SIGEV_NONE => (None, None),
        SIGEV_SIGNAL | SIGEV_THREAD => (Signal::new(signal.into()), None),
        SIGEV_THREAD_ID => {
            let pid = current().process.pid;
            let thread = process::table(|t| t.thread(Tid(tid)));
            thread.filter(|thread| thread.process.pid == pid).ok_or(Errno::EINVAL)?;
            (Signal::new(signal.into()), Some(Tid(tid)))
        }
        _ => return Err(Errno::EINVAL),
    };
    if signal.is_none() && notify != SIGEV_NONE {
        return Err(Errno::EINVAL);
    }
    Ok(Notice { signal, thread, value: Some(value) })
}

/// The timer with a number.
fn alarm(id: u64) -> Result<(u32, Alarm), Errno> {
    let id = u32::try_from(int(id)).map_err(|_| Errno::EINVAL)?;
    Ok((id, current().process.timers.alarms.get(id).ok_or(Errno::EINVAL)?))
}

/// `struct itimerspec` of a timer now: how often, and how long until then.
fn told(alarm: &Alarm) -> [u64; 4] {
    let reading = alarm.kind.reading(&current().process, arch::time());
    let left = match alarm.timer.deadline {
        0 => 0,
        deadline => deadline.saturating_sub(reading).max(1),
    };
    let [a, b] = time::timespec_of(alarm.timer.interval);
    let [c, d] = time::timespec_of(left);
    [a, b, c, d]
}

pub fn timer_settime([id, flags, new, old, ..]: Arguments) -> Outcome {
    let new = UserPtr::<[u64; 2]>::from(new).non_null().ok_or(Errno::EINVAL)?;
    let (interval, value) = (time::ticks_of(new)?, time::ticks_of(new.at(1))?);
    let (id, alarm) = alarm(id)?;
    let before = told(&alarm);
    let this = &current().process;
    let reading = alarm.kind.reading(this, arch::time());
    let deadline = match value {
        0 => 0,
        value if uint(flags) & linux::TIMER_ABSTIME == 0 => reading.saturating_add(value),
        value if alarm.is_realtime => {
            let epoch = clock::realtime() / clock::NANOSECONDS_PER_TICK - arch::time();
            value.saturating_sub(epoch).max(1)
        }
        value => value,
    };
    this.timers.set_alarm(id, alarm.kind, Timer { deadline, interval });
    if let Some(pointer) = UserPtr::<[u64; 4]>::from(old).non_null() {
        pointer.write(before)?;
    }
    Ok(0)
}

pub fn timer_gettime([id, value, ..]: Arguments) -> Outcome {
    let (_, alarm) = alarm(id)?;
    UserPtr::<[u64; 4]>::from(value).write(told(&alarm))?;
    Ok(0)
}

pub fn timer_getoverrun([id, ..]: Arguments) -> Outcome {
    let (id, _) = alarm(id)?;
    let overruns = current().process.timers.alarms.overruns(id).ok_or(Errno::EINVAL)?;
    Ok(overruns.min(i32::MAX as u64))
}

pub fn timer_delete([id, ..]: Arguments) -> Outcome {
    let (id, _) = alarm(id)?;
    current().process.timers.alarms.delete(id);
    Ok(0)
}
