//! Timers and timeouts, and the numbers that overflow where seconds are multiplied.

use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

use rt::Result;
use rt::abi::general as g;
use rt::os::{self, Status};

use crate::check::Outcome;
use crate::raw::{Action, on_signal, sys};
use crate::{check, check_eq, check_error, tests};

tests! {
    timer_rings_once, timer_rings_again, timer_is_told, timer_errors, timer_with_a_huge_interval, @Kernel timer_shorter_than_its_signal,
    timer_while_it_is_blocked, @Kernel timers_of_used_time, @Kernel limit_of_used_time, @Kernel sleep_across_stop, @Kernel poll_across_stop, poll_tells_the_rest, sets_are_looked_at,
    @Kernel wait_for_a_signal_ends_with_stop, sleeps_that_are_huge, sleep_until_a_time, timeouts_that_are_huge, times_that_are_none,
    timers_of_ones_own, timers_that_are_none,
}

/// Seconds that overflow as ticks, as nanoseconds, and as both.
const HUGE_SECONDS: [u64; 4] = [1 << 62, (1 << 63) - 1, 1 << 40, 20_000_000_000];

static RINGS: AtomicU64 = AtomicU64::new(0);

extern "C" fn ring(_: i32, _: usize, _: usize) {
    RINGS.fetch_add(1, SeqCst);
}

fn rings() -> u64 {
    RINGS.load(SeqCst)
}

fn at<T>(value: &mut T) -> usize {
    core::ptr::from_mut(value) as usize
}

/// setitimer(2) with seconds and microseconds of interval and value; what was left of the timer before.
fn set(interval: [u64; 2], value: [u64; 2]) -> rt::Result<[u64; 4]> {
    let (mut new, mut old) = ([interval[0], interval[1], value[0], value[1]], [0; 4]);
    sys(g::__NR_setitimer, [g::ITIMER_REAL as usize, at(&mut new), at(&mut old)])?;
    Ok(core::hint::black_box(old))
}

fn left() -> rt::Result<[u64; 4]> {
    let mut value = [0; 4];
    sys(g::__NR_getitimer, [g::ITIMER_REAL as usize, at(&mut value)])?;
    Ok(core::hint::black_box(value))
}

fn start() -> rt::Result<()> {
    on_signal(g::SIGALRM, Action::Call(ring), 0)
}

/// Runs in user mode, in the program's own time.
fn spin(turns: u64) {
    (0..turns).for_each(|turn| {
        core::hint::black_box(turn);
    });
}

fn spin_until_rings(wanted: u64) {
    while rings() < wanted {
        core::hint::spin_loop();
    }
}

fn timer_rings_once() -> Outcome {
    start()?;
    check_eq!(set([0, 0], [0, 1000])?, [0; 4]);
    spin_until_rings(1);
    check_eq!(left()?, [0; 4]);
    // One that was taken back, which says that it had not yet rung, never rings.
    set([0, 0], [0, 1000])?;
    let taken_back = set([0, 0], [0, 0])?[2..] != [0, 0];
    crate::processes::sleep_ns(3_000_000)?;
    check_eq!(rings(), if taken_back { 1 } else { 2 });
    Ok(())
}

fn timer_rings_again() -> Outcome {
    start()?;
    set([0, 2000], [0, 1000])?;
    spin_until_rings(5);
    set([0, 0], [0, 0])?;
    Ok(())
}

fn timer_is_told() -> Outcome {
    start()?;
    set([7, 8], [1000, 0])?;
    let [interval, interval_us, seconds, _] = left()?;
    check_eq!([interval, interval_us], [7, 8]);
    check!((900..=1000).contains(&seconds));
    let before = set([0, 0], [0, 0])?;
    check_eq!(before[..2], [7, 8]);
    check!((900..=1000).contains(&before[2]));
    Ok(())
}

fn timer_errors() -> Outcome {
    check_error!(set([0, 0], [0, 1_000_000]), EINVAL);
    check_error!(set([0, 1_000_000], [0, 1]), EINVAL);
    check_error!(set([0, 0], [u64::MAX, 0]), EINVAL);
    check_error!(sys(g::__NR_getitimer, [77, 0]), EINVAL);
    Ok(())
}

fn timer_with_a_huge_interval() -> Outcome {
    start()?;
    for (index, seconds) in (1..).zip(HUGE_SECONDS) {
        set([seconds, 999_999], [0, 1])?;
        spin_until_rings(index);
        crate::processes::sleep_ns(2_000_000)?;
        spin(10_000);
        check_eq!(rings(), index);
        // One that is far away has not rung, and says so.
        set([0, 0], [seconds, 999_999])?;
        check!(left()?[2] > 1 << 30);
        check!(left()?[3] < 1_000_000);
        check_eq!(rings(), index);
    }
    set([0, 0], [0, 0])?;
    Ok(())
}

fn timer_shorter_than_its_signal() -> Outcome {
    // The program gets on all the same.
    start()?;
    set([0, 1], [0, 1])?;
    spin(200_000);
    spin_until_rings(3);
    set([0, 0], [0, 0])?;
    Ok(())
}

fn timer_while_it_is_blocked() -> Outcome {
    start()?;
    let (mut block, size) = ([1u64 << (g::SIGALRM - 1)], 8);
    sys(g::__NR_rt_sigprocmask, [g::SIG_BLOCK as usize, at(&mut block), 0, size])?;
    set([0, 100], [0, 100])?;
    crate::processes::sleep_ns(5_000_000)?;
    set([0, 0], [0, 0])?;
    check_eq!(rings(), 0);
    sys(g::__NR_rt_sigprocmask, [g::SIG_UNBLOCK as usize, at(&mut block), 0, size])?;
    // Fifty were missed, one is left.
    check_eq!(rings(), 1);
    Ok(())
}

/// setitimer(2) of a timer, once after so many microseconds.
fn set_once(which: u32, microseconds: u64) -> rt::Result<usize> {
    let mut new = [0, 0, microseconds / 1_000_000, microseconds % 1_000_000];
    sys(g::__NR_setitimer, [which as usize, at(&mut new), 0])
}

fn timers_of_used_time() -> Outcome {
    for (which, signal) in [(g::ITIMER_VIRTUAL, g::SIGVTALRM), (g::ITIMER_PROF, g::SIGPROF)] {
        let before = rings();
        on_signal(signal, Action::Call(ring), 0)?;
        set_once(which, 20_000)?;
        // Sleeping, a program uses no time.
        crate::processes::sleep_ns(40_000_000)?;
        check_eq!(rings(), before);
        let mut value = [0u64; 4];
        sys(g::__NR_getitimer, [which as usize, at(&mut value)])?;
        check!((1..=20_000).contains(&core::hint::black_box(value)[3]));
        spin_until_rings(before + 1);
        set_once(which, 1_000_000)?;
        // No new value is none.
        sys(g::__NR_setitimer, [which as usize, 0, at(&mut value)])?;
        check!(core::hint::black_box(value)[2..] != [0, 0]);
        sys(g::__NR_getitimer, [which as usize, at(&mut value)])?;
        check_eq!(core::hint::black_box(value), [0; 4]);
    }
    Ok(())
}

fn limit_of_used_time() -> Outcome {
    const RLIMIT_CPU: usize = g::RLIMIT_CPU as usize;
    let limited = |hard: u64| {
        os::in_child(|| {
            let mut limit = [1, hard];
            if sys(g::__NR_setrlimit, [RLIMIT_CPU, at(&mut limit)]).is_err() {
                return 1;
            }
            loop {
                spin(1000);
            }
        })
    };
    check_eq!(limited(3)?, Status::Signaled(g::SIGXCPU));
    // A handler is called each second, until the hard limit.
    on_signal(g::SIGXCPU, Action::Call(ring), 0)?;
    check_eq!(limited(2)?, Status::Signaled(g::SIGKILL));
    Ok(())
}

/// Lets a child run for 10 ms, stops it for `nanoseconds`, and lets it go on.
pub fn stop_and_go_on(pid: os::Pid, nanoseconds: u64) -> rt::Result<()> {
    crate::processes::sleep_ns(10_000_000)?;
    os::kill(pid, g::SIGSTOP)?;
    os::wait_with(pid, g::WUNTRACED)?;
    crate::processes::sleep_ns(nanoseconds)?;
    os::kill(pid, g::SIGCONT)
}

/// How a child ends that makes a call and is stopped for 30 ms meanwhile: with 0 if the call is done when it would have been anyway, after 60 ms.
fn call_across_stop(call: impl FnOnce() -> bool) -> rt::Result<Status> {
    let pid = os::fork()?;
    if pid == 0 {
        let start = os::monotonic_ns().unwrap_or(0);
        let is_right = call();
        let took = os::monotonic_ns().unwrap_or(0) - start;
        os::exit(if !is_right { 1 } else { i32::from(!(60_000_000..90_000_000).contains(&took)) * 2 });
    }
    stop_and_go_on(pid, 30_000_000)?;
    os::wait(pid).map(|(_, status)| status)
}

fn sleep_across_stop() -> Outcome {
    for clock in [None, Some(g::CLOCK_MONOTONIC), Some(g::CLOCK_REALTIME)] {
        let ended = call_across_stop(|| {
            let (mut wanted, mut left) = ([0u64, 60_000_000], [77u64; 2]);
            let slept = match clock {
                None => sys(g::__NR_nanosleep, [at(&mut wanted), at(&mut left)]),
                Some(clock) => {
                    sys(g::__NR_clock_nanosleep, [clock as usize, 0, at(&mut wanted), at(&mut left)])
                }
            };
            slept == Ok(0)
        });
        check_eq!(ended, Ok(Status::Exited(0)));
    }
    Ok(())
}

fn poll_across_stop() -> Outcome {
    let (read, _write) = os::pipe(0)?;
    let ended = call_across_stop(|| {
        let (mut poll, mut timeout) = ([read as u32, 1], [0, 60_000_000u64]);
        sys(g::__NR_ppoll, [at(&mut poll), 1, at(&mut timeout), 0, 8]) == Ok(0)
    });
    check_eq!(ended, Ok(Status::Exited(0)));
    let ended = call_across_stop(|| {
        let (mut set, mut timeout) = ([1u64 << read], [0, 60_000_000u64]);
        sys(g::__NR_pselect6, [read as usize + 1, at(&mut set), 0, 0, at(&mut timeout), 0]) == Ok(0)
    });
    check_eq!(ended, Ok(Status::Exited(0)));
    Ok(())
}

fn poll_tells_the_rest() -> Outcome {
    let (read, write) = os::pipe(0)?;
    os::write(write, b".")?;
    let (mut poll, mut timeout) = ([read as u32, 1], [1000, 0u64]);
    check_eq!(sys(g::__NR_ppoll, [at(&mut poll), 1, at(&mut timeout), 0, 8])?, 1);
    check!((900..1000).contains(&core::hint::black_box(timeout)[0]));
    let mut set = [1u64 << read];
    let mut timeout = [1000, 0u64];
    check_eq!(sys(g::__NR_pselect6, [read as usize + 1, at(&mut set), 0, 0, at(&mut timeout), 0])?, 1);
    check!((900..1000).contains(&core::hint::black_box(timeout)[0]));
    os::read(read, &mut [0])?;
    let mut timeout = [0, 2_000_000u64];
    check_eq!(sys(g::__NR_ppoll, [at(&mut poll), 1, at(&mut timeout), 0, 8])?, 0);
    check_eq!(core::hint::black_box(timeout), [0, 0]);
    Ok(())
}

fn sets_are_looked_at() -> Outcome {
    let (read, write) = os::pipe(0)?;
    os::close(write)?;
    let mut timeout = [0, 1_000_000u64];
    for set in 1..4 {
        // Each set, of descriptors that are not open, and at no address.
        let mut closed = [1u64 << write];
        for (address, error) in [(at(&mut closed), rt::abi::errno::EBADF), (8, rt::abi::errno::EFAULT)] {
            let mut arguments = [write as usize + 1, 0, 0, 0, at(&mut timeout), 0];
            arguments[set] = address;
            check!(crate::check::is_error(&sys(g::__NR_pselect6, arguments), error));
        }
    }
    check_error!(sys(g::__NR_pselect6, [usize::MAX, 0, 0, 0, at(&mut timeout), 0]), EINVAL);
    os::close(read)?;
    Ok(())
}

fn wait_for_a_signal_ends_with_stop() -> Outcome {
    // As signal(7) says of sigtimedwait: it does not start again.
    let pid = os::fork()?;
    if pid == 0 {
        let (mut set, mut timeout) = ([1u64 << (g::SIGUSR1 - 1)], [60, 0u64]);
        let waited = sys(g::__NR_rt_sigtimedwait, [at(&mut set), 0, at(&mut timeout), 8]);
        os::exit(i32::from(!crate::check::is_error(&waited, rt::abi::errno::EINTR)));
    }
    stop_and_go_on(pid, 1_000_000)?;
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    Ok(())
}

/// A call that waits for ever is cut short by a signal; its result.
pub fn cut_short(call: impl FnOnce() -> rt::Result<usize>) -> rt::Result<usize> {
    start()?;
    // Again and again: the first may come before the call.
    set([0, 2000], [0, 2000])?;
    let result = call();
    set([0, 0], [0, 0])?;
    result
}

fn sleeps_that_are_huge() -> Outcome {
    for seconds in HUGE_SECONDS {
        let (mut wanted, mut left) = ([seconds, 999_999_999], [0u64; 2]);
        let (wanted, rest) = (at(&mut wanted), at(&mut left));
        check_error!(cut_short(|| sys(g::__NR_nanosleep, [wanted, rest])), EINTR);
        // Linux counts to 2^63 nanoseconds.
        check!(core::hint::black_box(left)[0] >= seconds.min(9_000_000_000));
        check!(core::hint::black_box(left)[1] < 1_000_000_000);
        for flags in [0, g::TIMER_ABSTIME] {
            let clock = g::CLOCK_MONOTONIC as usize;
            let slept = cut_short(|| sys(g::__NR_clock_nanosleep, [clock, flags as usize, wanted, 0]));
            check_error!(slept, EINTR);
        }
    }
    Ok(())
}

fn sleep_until_a_time() -> Outcome {
    let clock = g::CLOCK_MONOTONIC as usize;
    let mut time = [0u64; 2];
    sys(g::__NR_clock_gettime, [clock, at(&mut time)])?;
    let [seconds, nanoseconds] = core::hint::black_box(time);
    // A time that has passed is no wait; relative, it would be a long one.
    let mut wanted = [seconds, nanoseconds];
    sys(g::__NR_clock_nanosleep, [clock, g::TIMER_ABSTIME as usize, at(&mut wanted), 0])?;
    wanted = [seconds + 1, nanoseconds];
    sys(g::__NR_clock_nanosleep, [clock, g::TIMER_ABSTIME as usize, at(&mut wanted), 0])?;
    sys(g::__NR_clock_gettime, [clock, at(&mut time)])?;
    let after = core::hint::black_box(time);
    check!(after[0] > seconds);
    check!(after[0] <= seconds + 10);
    Ok(())
}

fn timeouts_that_are_huge() -> Outcome {
    let (read, _write) = os::pipe(0)?;
    for seconds in HUGE_SECONDS {
        let mut timeout = [seconds, 999_999_999];
        let timeout = at(&mut timeout);
        let mut poll = [read as u32, 1];
        check_error!(cut_short(|| sys(g::__NR_ppoll, [at(&mut poll), 1, timeout, 0, 8])), EINTR);
        let mut set = [1u64 << read];
        check_error!(
            cut_short(|| sys(g::__NR_pselect6, [read as usize + 1, at(&mut set), 0, 0, timeout, 0])),
            EINTR
        );
        let mut word = 5u32;
        let futex = [at(&mut word), g::FUTEX_WAIT as usize, 5, timeout];
        check_error!(cut_short(|| sys(g::__NR_futex, futex)), EINTR);
        let mut set = [1u64 << (g::SIGUSR1 - 1)];
        check_error!(cut_short(|| sys(g::__NR_rt_sigtimedwait, [at(&mut set), 0, timeout, 8])), EINTR);
    }
    Ok(())
}

fn times_that_are_none() -> Outcome {
    let (read, _write) = os::pipe(0)?;
    for mut wrong in [[0, 1_000_000_000], [u64::MAX, 0], [1 << 63, 5], [0, u64::MAX]] {
        let wrong = at(&mut wrong);
        check_error!(sys(g::__NR_nanosleep, [wrong, 0]), EINVAL);
        check_error!(sys(g::__NR_clock_nanosleep, [0, 0, wrong, 0]), EINVAL);
        let mut poll = [read as u32, 1];
        check_error!(sys(g::__NR_ppoll, [at(&mut poll), 1, wrong, 0, 8]), EINVAL);
        let mut word = 5u32;
        check_error!(sys(g::__NR_futex, [at(&mut word), g::FUTEX_WAIT as usize, 5, wrong]), EINVAL);
        let mut set = [1u64];
        check_error!(sys(g::__NR_rt_sigtimedwait, [at(&mut set), 0, wrong, 8]), EINVAL);
    }
    Ok(())
}

/// `timer_create` with a signal and a value.
fn alarm(clock: u32, signal: u32, value: u64) -> Result<usize> {
    let event = [value, u64::from(signal), 0, 0, 0, 0, 0, 0];
    let mut id = 0u32;
    sys(g::__NR_timer_create, [clock as usize, event.as_ptr() as usize, (&raw mut id) as usize])?;
    Ok(core::hint::black_box(id) as usize)
}

/// Sets a timer: how often and when, in nanoseconds.
fn set_alarm(id: usize, flags: usize, interval: u64, value: u64) -> Result<usize> {
    let split = |time: u64| [time / 1_000_000_000, time % 1_000_000_000];
    let ([a, b], [c, d]) = (split(interval), split(value));
    let words = [a, b, c, d];
    sys(g::__NR_timer_settime, [id, flags, words.as_ptr() as usize, 0])
}

/// Waits for a signal, which is blocked: its code and what came along.
fn take_signal(signal: u32) -> Result<(i32, u64)> {
    let (set, mut info) = (1u64 << (signal - 1), [0u64; 16]);
    sys(g::__NR_rt_sigtimedwait, [(&raw const set) as usize, info.as_mut_ptr() as usize, 0, 8])?;
    let info = core::hint::black_box(info);
    #[allow(clippy::cast_possible_truncation)] // the lower half is si_code
    let code = info[1] as i32;
    Ok((code, info[3]))
}

fn timers_of_ones_own() -> Outcome {
    const MILLISECOND: u64 = 1_000_000;
    const SI_TIMER: i32 = -2;
    let signal = g::SIGUSR1;
    let set = 1u64 << (signal - 1);
    sys(g::__NR_rt_sigprocmask, [g::SIG_BLOCK as usize, (&raw const set) as usize, 0, 8])?;
    let id = alarm(g::CLOCK_MONOTONIC, signal, 77)?;
    let mut left = [0u64; 4];
    sys(g::__NR_timer_gettime, [id, left.as_mut_ptr() as usize])?;
    check_eq!(core::hint::black_box(left), [0; 4]);
    set_alarm(id, 0, 0, 2 * MILLISECOND)?;
    check_eq!(take_signal(signal)?, (SI_TIMER, 77));
    // Again and again; what is not taken is counted.
    set_alarm(id, 0, MILLISECOND, MILLISECOND)?;
    check_eq!(take_signal(signal)?.1, 77);
    sys(g::__NR_timer_gettime, [id, left.as_mut_ptr() as usize])?;
    check!(core::hint::black_box(left)[1] == MILLISECOND);
    let pause = [0u64, 10 * MILLISECOND];
    sys(g::__NR_nanosleep, [pause.as_ptr() as usize, 0])?;
    take_signal(signal)?;
    take_signal(signal)?;
    check!(sys(g::__NR_timer_getoverrun, [id])? >= 1);
    set_alarm(id, 0, 0, 0)?;
    // At a time of the day.
    let day = alarm(g::CLOCK_REALTIME, signal, 78)?;
    let mut now = [0u64; 2];
    sys(g::__NR_clock_gettime, [g::CLOCK_REALTIME as usize, now.as_mut_ptr() as usize])?;
    let [seconds, nanoseconds] = core::hint::black_box(now);
    let at = seconds * 1_000_000_000 + nanoseconds + 3 * MILLISECOND;
    set_alarm(day, g::TIMER_ABSTIME as usize, 0, at)?;
    while take_signal(signal)?.1 != 78 {}
    for id in [id, day] {
        sys(g::__NR_timer_delete, [id])?;
        check_error!(sys(g::__NR_timer_delete, [id]), EINVAL);
    }
    Ok(())
}

fn timers_that_are_none() -> Outcome {
    check_error!(alarm(99, g::SIGUSR1, 0), EINVAL);
    check_error!(alarm(g::CLOCK_MONOTONIC, 99, 0), EINVAL);
    check_error!(set_alarm(999, 0, 0, 1), EINVAL);
    check_error!(sys(g::__NR_timer_getoverrun, [999]), EINVAL);
    let id = alarm(g::CLOCK_MONOTONIC, g::SIGUSR1, 0)?;
    let wrong = [0u64, 0, 0, 1_000_000_000];
    check_error!(sys(g::__NR_timer_settime, [id, 0, wrong.as_ptr() as usize, 0]), EINVAL);
    check_error!(sys(g::__NR_timer_settime, [id, 0, 0, 0]), EINVAL);
    Ok(())
}
