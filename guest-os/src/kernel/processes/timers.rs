//! The timers of processes: SIGALRM by the clock, SIGVTALRM and SIGPROF by the time that a process has used, and `RLIMIT_CPU`.
//!
//! A process uses time no faster than the clock goes, so a timer by used time is looked at when it could ring at the earliest, and
//! again when it has not. Nothing on the way to user mode counts for it.

use crate::arch;
use crate::devices::interrupts::QUANTUM_TICKS;
use crate::local::HartLocal;
use crate::processes::alarms::Alarms;
use crate::processes::exit::send;
use crate::processes::process::{self, Process, Usage};
use core::cell::Cell;
use isa::time::TIMEBASE_HZ;
use proc::{SigInfo, Signal, interval};

/// When a timer rings, in ticks of what it goes by (0: never), and then how often.
#[derive(Clone, Copy, Default)]
pub struct Timer {
    /// When.
    pub deadline: u64,
    /// How often; 0: once.
    pub interval: u64,
}

/// What a timer goes by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The clock (ITIMER_REAL).
    Real,
    /// Time in user mode (ITIMER_VIRTUAL).
    Virtual,
    /// Time in user mode and in the kernel (ITIMER_PROF).
    Used,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Real, Self::Virtual, Self::Used];

    fn signal(self) -> Signal {
        match self {
            Kind::Real => Signal::ALRM,
            Kind::Virtual => Signal::VTALRM,
            Kind::Used => Signal::PROF,
        }
    }
    /// What a timer of a process goes by, now.
    pub fn reading(self, process: &Process, now: u64) -> u64 {
        match self {
            Kind::Real => now,
            Kind::Virtual => process.usage().user_ticks,
            Kind::Used => used(process),
        }
    }
}

fn used(process: &Process) -> u64 {
    let Usage { user_ticks, system_ticks, .. } = process.usage();
    user_ticks + system_ticks
}

/// A process's timers. A forked child has none, a new program keeps them.
#[derive(Default)]
pub struct Timers {
    timers: [Cell<Timer>; Kind::ALL.len()],
    /// The time used at which SIGXCPU comes next, in ticks; 0 while none is to come.
    warning: Cell<u64>,
    /// The time used at which SIGKILL comes; 0 for never.
    end: Cell<u64>,
    /// Those that it has made itself.
    pub alarms: Alarms,
}

impl Timers {
    /// One of them.
    pub fn get(&self, kind: Kind) -> Timer {
        self.timers[kind as usize].get()
    }
    /// Sets one of them.
    pub fn set(&self, kind: Kind, timer: Timer) {
        self.timers[kind as usize].set(timer);
        if timer.deadline != 0 {
            look_at(if kind == Kind::Real { timer.deadline } else { arch::time() });
        }
    }
    /// Sets one that it has made itself.
    pub fn set_alarm(&self, id: u32, kind: Kind, timer: Timer) {
        self.alarms.set(id, timer);
        if timer.deadline != 0 {
            look_at(if kind == Kind::Real { timer.deadline } else { arch::time() });
        }
    }
    /// Sets how many seconds the process may use (`RLIMIT_CPU`), soft and hard.
    pub fn limit(&self, (soft, hard): (u64, u64)) {
        let ticks = |seconds: u64| seconds.max(1).checked_mul(TIMEBASE_HZ).unwrap_or(0);
        self.warning.set(ticks(soft));
        self.end.set(ticks(hard));
        if self.warning.get() | self.end.get() != 0 {
            look_at(arch::time());
        }
    }
    /// Whether there is none at all.
    fn are_off(&self) -> bool {
        self.warning.get() | self.end.get() == 0
            && self.timers.iter().all(|timer| timer.get().deadline == 0)
            && self.alarms.are_off()
    }
}

/// When the timers are to be looked at: the earliest deadline, or an earlier one that has been put off.
static NEXT: HartLocal<Option<u64>> = HartLocal::new(None);

/// The timers are looked at by then.
fn look_at(deadline: u64) {
    let mut next = NEXT.get_mut();
    *next = Some(next.map_or(deadline, |earliest| earliest.min(deadline)));
}

/// When the timers are to be looked at next.
pub fn next() -> Option<u64> {
    *NEXT.get()
}

/// Sends the signals of all timers that have run out. Asked after each trap.
#[inline]
pub fn ring(now: u64) {
    if next().is_some_and(|next| next <= now) {
        ring_all(now);
    }
}

#[cold]
#[inline(never)]
fn ring_all(now: u64) {
    let mut earliest = None::<u64>;
    process::each_living(|process| {
        if !process.timers.are_off()
            && let Some(next) = ring_of(process, now)
        {
            earliest = Some(earliest.map_or(next, |earliest| earliest.min(next)));
        }
    });
    *NEXT.get_mut() = earliest;
}

/// Rings the timers of a process; when they are to be looked at again.
fn ring_of(process: &Process, now: u64) -> Option<u64> {
    let timers = &process.timers;
    let mut earliest = None::<u64>;
    let mut look_in = |ticks: u64| {
        let at = now.saturating_add(ticks);
        earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
    };
    for kind in Kind::ALL {
        let Timer { deadline, interval } = timers.get(kind);
        if deadline == 0 {
            continue;
        }
        let reading = kind.reading(process, now);
        let mut next = deadline;
        if deadline <= reading {
            next = if interval == 0 { 0 } else { interval::next_ring(deadline, interval, reading) };
            timers.timers[kind as usize].set(Timer { deadline: next, interval });
            send(process, SigInfo::from_kernel(kind.signal()));
        }
        if next != 0 {
            look_in(patience(kind, next.saturating_sub(reading)));
        }
    }
    timers.alarms.ring(process, now, |kind, rest| look_in(patience(kind, rest)));
    if timers.warning.get() | timers.end.get() != 0
        && let Some(rest) = enforce_limit(process)
    {
        look_in(patience(Kind::Used, rest));
    }
    earliest
}

/// In how many ticks to look at a timer that has so many to go. What sleeps uses no time: it is not asked all the time.
fn patience(kind: Kind, rest: u64) -> u64 {
    if kind == Kind::Real { rest } else { rest.max(QUANTUM_TICKS / 10) }
}

/// SIGXCPU each second from the soft limit on, SIGKILL at the hard one; how much is left until the next.
fn enforce_limit(process: &Process) -> Option<u64> {
    let Timers { warning, end, .. } = &process.timers;
    let used = used(process);
    if end.get() != 0 && used >= end.get() {
        end.set(0);
        warning.set(0);
        send(process, SigInfo::from_kernel(Signal::KILL));
        return None;
    }
    if warning.get() != 0 && used >= warning.get() {
        warning.set(interval::next_ring(warning.get(), TIMEBASE_HZ, used));
        send(process, SigInfo::from_kernel(Signal::XCPU));
    }
    [warning.get(), end.get()].into_iter().filter(|&at| at != 0).map(|at| at - used).min()
}
