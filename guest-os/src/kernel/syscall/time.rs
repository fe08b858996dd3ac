//! Clocks, sleeping, timers.

use super::{Arguments, Outcome, Stop, uint};
use crate::arch;
use crate::devices::clock::{self, NANOSECONDS_PER_TICK};
use crate::hart::current;
use crate::memory::user::UserPtr;
use crate::processes::process::Usage;
use crate::processes::wait::{self, WaitOutcome};
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
fn ticks_of(pointer: UserPtr<[u64; 2]>) -> Result<u64, Errno> {
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
    sleep_until(from_now(ticks), left)
}

pub fn clock_nanosleep([clock, flags, wanted, left, ..]: Arguments) -> Outcome {
    reading(uint(clock))?;
    let ticks = ticks_of(UserPtr::from(wanted))?;
    if uint(flags) & linux::TIMER_ABSTIME == 0 {
        return sleep_until(from_now(ticks), left);
    }
    let now = reading(uint(clock))? / NANOSECONDS_PER_TICK;
    sleep_until(from_now(ticks.saturating_sub(now)), 0)
}

fn sleep_until(deadline: u64, left: u64) -> Outcome {
    while arch::time() < deadline {
        if wait::sleep_on(alloc::vec::Vec::new(), Some(deadline), true) == WaitOutcome::Interrupted {
            let rest = deadline.saturating_sub(arch::time());
            if let Some(pointer) = UserPtr::<[u64; 2]>::from(left).non_null() {
                // Whole seconds first: in nanoseconds a long rest would not fit.
                pointer.write([rest / TIMEBASE_HZ, rest % TIMEBASE_HZ * NANOSECONDS_PER_TICK])?;
            }
            return Err(Stop::Signal(false));
        }
    }
    Ok(0)
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

fn timer_words((deadline, interval): (u64, u64)) -> [u64; 4] {
    let left = if deadline == 0 { 0 } else { deadline.saturating_sub(arch::time()).max(1) };
    let split = |ticks: u64| [ticks / TIMEBASE_HZ, (ticks % TIMEBASE_HZ).div_ceil(TIMEBASE_HZ / 1_000_000)];
    let ([a, b], [c, d]) = (split(interval), split(left));
    [a, b, c, d]
}

fn check_timer(which: u64) -> Result<(), Errno> {
    // ITIMER_VIRTUAL and ITIMER_PROF are not kept.
    if uint(which) == linux::ITIMER_REAL { Ok(()) } else { Err(Errno::EINVAL) }
}

pub fn setitimer([which, new, old, ..]: Arguments) -> Outcome {
    check_timer(which)?;
    let this = &current().process;
    let [interval_s, interval_us, value_s, value_us] = UserPtr::<[u64; 4]>::from(new).read()?;
    let (interval, value) = (timeval_ticks(interval_s, interval_us)?, timeval_ticks(value_s, value_us)?);
    let before = timer_words(this.alarm.get());
    let deadline = if value == 0 { 0 } else { from_now(value) };
    this.alarm.set((deadline, if value == 0 { 0 } else { interval }));
    if deadline != 0 {
        crate::processes::exit::alarm_set(deadline);
    }
    if let Some(pointer) = UserPtr::<[u64; 4]>::from(old).non_null() {
        pointer.write(before)?;
    }
    Ok(0)
}

pub fn getitimer([which, value, ..]: Arguments) -> Outcome {
    check_timer(which)?;
    UserPtr::<[u64; 4]>::from(value).write(timer_words(current().process.alarm.get()))?;
    Ok(0)
}
