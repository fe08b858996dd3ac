//! Clocks, sleeping, timers.

use super::{Arguments, Outcome, Rest, Stop, uint};
use crate::arch;
use crate::devices::clock::{self, NANOSECONDS_PER_TICK};
use crate::hart::current;
use crate::memory::user::UserPtr;
use crate::processes::process::Usage;
use crate::processes::timers::{Kind, Timer};
use crate::processes::vdso;
use crate::processes::wait::{self, WaitOutcome};
use ::proc::CapSet;
use fs::Errno;
use isa::time::TIMEBASE_HZ;
use linux_raw_sys::general as linux;

const NANOSECONDS: u64 = 1_000_000_000;
/// Ticks of the timebase in a clock tick of `times` (100 Hz).
const TICKS_PER_CLOCK: u64 = TIMEBASE_HZ / 100;

fn reading(clock: u32) -> Result<u64, Errno> {
    let thread = current();
    let time = |usage: Usage| (usage.user_ticks + usage.system_ticks) * NANOSECONDS_PER_TICK;
    Ok(match clock {
        linux::CLOCK_REALTIME | linux::CLOCK_REALTIME_COARSE | linux::CLOCK_TAI => clock::realtime(),
        linux::CLOCK_MONOTONIC
        | linux::CLOCK_MONOTONIC_RAW
        | linux::CLOCK_MONOTONIC_COARSE
        | linux::CLOCK_BOOTTIME => clock::monotonic(),
        linux::CLOCK_PROCESS_CPUTIME_ID => {
            thread.count_system_time();
            time(thread.process.usage())
        }
        linux::CLOCK_THREAD_CPUTIME_ID => {
            thread.count_system_time();
            time(thread.usage.get())
        }
        _ => return Err(Errno::EINVAL),
    })
}

pub fn clock_gettime([clock, pointer, ..]: Arguments) -> Outcome {
    let now = reading(uint(clock))?;
    UserPtr::<[u64; 2]>::from(pointer).write([now / NANOSECONDS, now % NANOSECONDS])?;
    Ok(0)
}

/// What an administrator says the time is, in seconds and parts of a second of which there are so many.
fn set_time([seconds, part]: [u64; 2], parts: u64) -> Outcome {
    if part >= parts || seconds.cast_signed() < 0 {
        return Err(Errno::EINVAL.into());
    }
    if !current().process.credentials.borrow().can(CapSet::SYS_TIME) {
        return Err(Errno::EPERM.into());
    }
    let whole = seconds.checked_mul(NANOSECONDS).ok_or(Errno::EINVAL)?;
    clock::set(whole.saturating_add(part * (NANOSECONDS / parts)))?;
    vdso::follow_clock();
    Ok(0)
}

/// The time of day alone can be set.
pub fn clock_settime([clock, time, ..]: Arguments) -> Outcome {
    if uint(clock) != linux::CLOCK_REALTIME {
        reading(uint(clock))?;
        return Err(Errno::EINVAL.into());
    }
    set_time(UserPtr::<[u64; 2]>::from(time).read()?, NANOSECONDS)
}

/// The time zone is the programs' own matter: it is read, and forgotten.
pub fn settimeofday([time, zone, ..]: Arguments) -> Outcome {
    let time = UserPtr::<[u64; 2]>::from(time).non_null().map(UserPtr::read).transpose()?;
    UserPtr::<[u32; 2]>::from(zone).non_null().map(UserPtr::read).transpose()?;
    match time {
        Some(time) => set_time(time, NANOSECONDS / 1000),
        None if current().process.credentials.borrow().can(CapSet::SYS_TIME) => Ok(0),
        None => Err(Errno::EPERM.into()),
    }
}

pub fn clock_getres([clock, pointer, ..]: Arguments) -> Outcome {
    reading(uint(clock))?;
    if let Some(pointer) = UserPtr::<[u64; 2]>::from(pointer).non_null() {
        pointer.write([0, NANOSECONDS_PER_TICK])?;
    }
    Ok(0)
}

pub fn gettimeofday([time, zone, ..]: Arguments) -> Outcome {
    let now = clock::realtime();
    if let Some(pointer) = UserPtr::<[u64; 2]>::from(time).non_null() {
        pointer.write([now / NANOSECONDS, now % NANOSECONDS / 1000])?;
    }
    if let Some(pointer) = UserPtr::<[u32; 2]>::from(zone).non_null() {
        pointer.write([0, 0])?;
    }
    Ok(0)
}

/// A `timespec` in ticks, rounded up.
pub fn ticks_of(pointer: UserPtr<[u64; 2]>) -> Result<u64, Errno> {
    let [seconds, nanoseconds] = pointer.read()?;
    if seconds.cast_signed() < 0 || nanoseconds >= NANOSECONDS {
        return Err(Errno::EINVAL);
    }
    Ok(seconds.saturating_mul(TIMEBASE_HZ).saturating_add(nanoseconds.div_ceil(NANOSECONDS_PER_TICK)))
}

/// The tick that is so many ticks from now. Asked when all of the program's memory has been read, which may have taken its time.
fn from_now(ticks: u64) -> u64 {
    arch::time().saturating_add(ticks)
}

/// The tick at which a relative timeout passes; none without a pointer.
pub fn deadline_of(timeout: u64) -> Result<Option<u64>, Errno> {
    let Some(pointer) = UserPtr::<[u64; 2]>::from(timeout).non_null() else { return Ok(None) };
    ticks_of(pointer).map(from_now).map(Some)
}

/// The tick at which a clock shows an absolute timeout; none without a pointer.
pub fn deadline_at(timeout: u64, is_realtime: bool) -> Result<Option<u64>, Errno> {
    let Some(pointer) = UserPtr::<[u64; 2]>::from(timeout).non_null() else { return Ok(None) };
    let wanted = ticks_of(pointer)?;
    let now = if is_realtime { clock::realtime() } else { clock::monotonic() } / NANOSECONDS_PER_TICK;
    Ok(Some(from_now(wanted.saturating_sub(now))))
}

pub fn nanosleep([wanted, left, ..]: Arguments) -> Outcome {
    let ticks = ticks_of(UserPtr::from(wanted))?;
    Sleep { deadline: from_now(ticks), left }.go_on()
}

pub fn clock_nanosleep([clock, flags, wanted, left, ..]: Arguments) -> Outcome {
    reading(uint(clock))?;
    if !can_sleep_by(uint(clock)) {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let ticks = ticks_of(UserPtr::from(wanted))?;
    if uint(flags) & linux::TIMER_ABSTIME == 0 {
        return Sleep { deadline: from_now(ticks), left }.go_on();
    }
    let now = reading(uint(clock))? / NANOSECONDS_PER_TICK;
    let sleep = Sleep { deadline: from_now(ticks.saturating_sub(now)), left: 0 };
    // A time stays what it is: the call can start again.
    sleep.go_on().map_err(|stop| if matches!(stop, Stop::Rest) { Stop::Signal(false) } else { stop })
}

/// Whether Linux sleeps by a clock: not by those that are only read.
fn can_sleep_by(clock: u32) -> bool {
    !matches!(
        clock,
        linux::CLOCK_THREAD_CPUTIME_ID
            | linux::CLOCK_MONOTONIC_RAW
            | linux::CLOCK_REALTIME_COARSE
            | linux::CLOCK_MONOTONIC_COARSE
    )
}

/// A sleep for a length of time.
#[derive(Clone, Copy, Debug)]
pub struct Sleep {
    /// When it ends, in ticks.
    deadline: u64,
    /// Where the program wants to know how much is left when it is cut short; 0 for nowhere.
    left: u64,
}

impl Sleep {
    /// Sleeps, or sleeps on.
    pub fn go_on(self) -> Outcome {
        while arch::time() < self.deadline {
            if wait::sleep_on(alloc::vec::Vec::new(), Some(self.deadline), true) == WaitOutcome::Interrupted {
                if let Some(pointer) = UserPtr::<[u64; 2]>::from(self.left).non_null() {
                    pointer.write(time_left(self.deadline))?;
                }
                return Err(Rest::Sleep(self).later());
            }
        }
        Ok(0)
    }
}

/// The `timespec` from now to a tick.
pub fn time_left(deadline: u64) -> [u64; 2] {
    timespec_of(deadline.saturating_sub(arch::time()))
}

/// So many ticks as a `timespec`.
pub fn timespec_of(ticks: u64) -> [u64; 2] {
    // Whole seconds first: in nanoseconds a long rest would not fit.
    [ticks / TIMEBASE_HZ, ticks % TIMEBASE_HZ * NANOSECONDS_PER_TICK]
}

pub fn times([pointer, ..]: Arguments) -> Outcome {
    let this = current();
    this.count_system_time();
    let (own, children) = (this.process.usage(), this.process.children_usage.get());
    let ticks = [own.user_ticks, own.system_ticks, children.user_ticks, children.system_ticks];
    if let Some(pointer) = UserPtr::<[u64; 4]>::from(pointer).non_null() {
        pointer.write(ticks.map(|ticks| ticks / TICKS_PER_CLOCK))?;
    }
    Ok(arch::time() / TICKS_PER_CLOCK)
}

/// Microseconds and seconds of a `timeval` as ticks.
fn timeval_ticks(seconds: u64, microseconds: u64) -> Result<u64, Errno> {
    if microseconds >= 1_000_000 || seconds.cast_signed() < 0 {
        return Err(Errno::EINVAL);
    }
    Ok(seconds.saturating_mul(TIMEBASE_HZ).saturating_add(microseconds * (TIMEBASE_HZ / 1_000_000)))
}

/// What `getitimer` tells of a timer, given what it goes by.
fn timer_words(timer: Timer, reading: u64) -> [u64; 4] {
    let left = if timer.deadline == 0 { 0 } else { timer.deadline.saturating_sub(reading).max(1) };
    let split = |ticks: u64| [ticks / TIMEBASE_HZ, (ticks % TIMEBASE_HZ).div_ceil(TIMEBASE_HZ / 1_000_000)];
    let ([a, b], [c, d]) = (split(timer.interval), split(left));
    [a, b, c, d]
}

fn kind_of(which: u64) -> Result<Kind, Errno> {
    match uint(which) {
        linux::ITIMER_REAL => Ok(Kind::Real),
        linux::ITIMER_VIRTUAL => Ok(Kind::Virtual),
        linux::ITIMER_PROF => Ok(Kind::Used),
        _ => Err(Errno::EINVAL),
    }
}

pub fn setitimer([which, new, old, ..]: Arguments) -> Outcome {
    let kind = kind_of(which)?;
    let this = &current().process;
    // As in Linux, no new value is none at all.
    let new = UserPtr::<[u64; 4]>::from(new).non_null().map(UserPtr::read).transpose()?;
    let [interval_s, interval_us, value_s, value_us] = new.unwrap_or_default();
    let (interval, value) = (timeval_ticks(interval_s, interval_us)?, timeval_ticks(value_s, value_us)?);
    let reading = kind.reading(this, arch::time());
    let before = timer_words(this.timers.get(kind), reading);
    let timer = match value {
        0 => Timer::default(),
        _ => Timer { deadline: reading.saturating_add(value), interval },
    };
    this.timers.set(kind, timer);
    if let Some(pointer) = UserPtr::<[u64; 4]>::from(old).non_null() {
        pointer.write(before)?;
    }
    Ok(0)
}

pub fn getitimer([which, value, ..]: Arguments) -> Outcome {
    let kind = kind_of(which)?;
    let this = &current().process;
    let words = timer_words(this.timers.get(kind), kind.reading(this, arch::time()));
    UserPtr::<[u64; 4]>::from(value).write(words)?;
    Ok(0)
}
