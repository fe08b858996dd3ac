//! Files that tell of events: counters, timers and signals that are read; and lists of files that are waited for together.

use rt::Result;
use rt::abi::general as g;
use rt::os::{self, Status};

use crate::check::Outcome;
use crate::raw::sys;
use crate::{check, check_eq, check_error, tests};

tests! {
    events_are_counted, events_are_counted_down, events_wait, timers_are_read, timers_by_time_of_day, timers_that_repeat, signals_are_read,
    lists_tell_levels, lists_tell_edges, lists_tell_once, lists_refuse, lists_in_lists, lists_forget, lists_are_fair, lists_wait, lists_and_signals,
    processes_are_told_of,
    event_files_have_names,
}

const EPOLLIN: u32 = 1;
const EPOLLOUT: u32 = 4;
const EPOLLHUP: u32 = 0x10;
const NONBLOCK: u32 = g::O_NONBLOCK;
/// `linux/signalfd.h`; not in linux-raw-sys.
const SFD_NONBLOCK: u32 = g::O_NONBLOCK;
const SFD_CLOEXEC: u32 = g::O_CLOEXEC;

fn eventfd(count: u32, flags: u32) -> Result<i32> {
    Ok(sys(g::__NR_eventfd2, [count as usize, flags as usize])? as i32)
}

/// Reads eight bytes.
fn number(fd: i32) -> Result<u64> {
    let mut bytes = [0; 8];
    check_len(os::read(fd, &mut bytes)?)?;
    Ok(u64::from_ne_bytes(core::hint::black_box(bytes)))
}

fn check_len(len: usize) -> Result<()> {
    if len == 8 { Ok(()) } else { Err(rt::Errno(len as u32)) }
}

fn put(fd: i32, value: u64) -> Result<usize> {
    os::write(fd, &value.to_ne_bytes())
}

fn epoll() -> Result<i32> {
    Ok(sys(g::__NR_epoll_create1, [0])? as i32)
}

fn control(list: i32, operation: u32, fd: i32, events: u32, data: u64) -> Result<usize> {
    let mut event = [u64::from(events), data];
    sys(g::__NR_epoll_ctl, [list as usize, operation as usize, fd as usize, event.as_mut_ptr() as usize])
}

fn add(list: i32, fd: i32, events: u32) -> Result<usize> {
    control(list, g::EPOLL_CTL_ADD, fd, events, u64::from(fd.cast_unsigned()))
}

/// What a list tells within some milliseconds: how many files, and events and data of the first four.
fn wait_for(list: i32, most: usize, milliseconds: isize) -> Result<(usize, [(u32, u64); 4])> {
    let mut events = [[0u64; 2]; 4];
    let at = events.as_mut_ptr() as usize;
    let count = sys(g::__NR_epoll_pwait, [list as usize, at, most, milliseconds.cast_unsigned(), 0, 8])?;
    let events = core::hint::black_box(events);
    Ok((count, events.map(|[events, data]| (events as u32, data))))
}

fn told(list: i32) -> Result<usize> {
    Ok(wait_for(list, 4, 0)?.0)
}

fn events_are_counted() -> Outcome {
    let fd = eventfd(3, NONBLOCK)?;
    check_eq!(number(fd)?, 3);
    check_error!(number(fd), EAGAIN);
    put(fd, 5)?;
    put(fd, 6)?;
    check_eq!(number(fd)?, 11);
    put(fd, u64::MAX - 1)?;
    check_error!(put(fd, 1), EAGAIN);
    check_error!(put(fd, u64::MAX), EINVAL);
    check_error!(os::write(fd, &[0; 7]), EINVAL);
    check_error!(os::read(fd, &mut [0; 7]), EINVAL);
    check_eq!(os::lseek(fd, 0, g::SEEK_CUR)?, 0);
    check_error!(eventfd(0, 2), EINVAL);
    let closed = eventfd(0, g::EFD_CLOEXEC | g::EFD_NONBLOCK)?;
    check_eq!(sys(g::__NR_fcntl, [closed as usize, g::F_GETFD as usize])?, 1);
    Ok(())
}

fn events_are_counted_down() -> Outcome {
    let fd = eventfd(2, g::EFD_SEMAPHORE | NONBLOCK)?;
    check_eq!((number(fd)?, number(fd)?), (1, 1));
    check_error!(number(fd), EAGAIN);
    Ok(())
}

fn events_wait() -> Outcome {
    let (there, back) = (eventfd(0, 0)?, eventfd(0, 0)?);
    let pid = os::fork()?;
    if pid == 0 {
        let value = number(there)?;
        put(back, value + 1)?;
        os::exit(0);
    }
    put(there, 41)?;
    check_eq!(number(back)?, 42);
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    // A writer waits for room.
    put(there, u64::MAX - 1)?;
    let pid = os::fork()?;
    if pid == 0 {
        put(there, 7)?;
        os::exit(0);
    }
    (0..10).for_each(|_| os::sched_yield());
    check_eq!(number(there)?, u64::MAX - 1);
    check_eq!(number(there)?, 7);
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    Ok(())
}

fn timer(clock: u32, flags: u32) -> Result<i32> {
    Ok(sys(g::__NR_timerfd_create, [clock as usize, flags as usize])? as i32)
}

/// Interval and first time, in nanoseconds.
fn set(fd: i32, flags: u32, interval: u64, value: u64) -> Result<[u64; 4]> {
    let split = |time: u64| [time / 1_000_000_000, time % 1_000_000_000];
    let ([a, b], [c, d]) = (split(interval), split(value));
    let (mut new, mut old) = ([a, b, c, d], [0u64; 4]);
    let (new, at) = (new.as_mut_ptr() as usize, old.as_mut_ptr() as usize);
    sys(g::__NR_timerfd_settime, [fd as usize, flags as usize, new, at])?;
    Ok(core::hint::black_box(old))
}

fn left(fd: i32) -> Result<[u64; 4]> {
    let mut now = [0u64; 4];
    sys(g::__NR_timerfd_gettime, [fd as usize, now.as_mut_ptr() as usize])?;
    Ok(core::hint::black_box(now))
}

const MILLISECOND: u64 = 1_000_000;

fn timers_are_read() -> Outcome {
    check_error!(timer(99, 0), EINVAL);
    check_error!(timer(g::CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
    for clock in [g::CLOCK_MONOTONIC, g::CLOCK_BOOTTIME, g::CLOCK_REALTIME] {
        let fd = timer(clock, g::TFD_CLOEXEC)?;
        check_eq!(sys(g::__NR_fcntl, [fd as usize, g::F_GETFD as usize])?, 1);
        check_eq!(left(fd)?, [0; 4]);
        let start = os::monotonic_ns()?;
        set(fd, 0, 0, 20 * MILLISECOND)?;
        check!(left(fd)?[3] > 0);
        check_eq!(number(fd)?, 1);
        check!(os::monotonic_ns()? - start >= 20 * MILLISECOND);
        check_eq!(left(fd)?, [0; 4]);
        os::close(fd)?;
    }
    let fd = timer(g::CLOCK_MONOTONIC, g::TFD_NONBLOCK)?;
    check_error!(number(fd), EAGAIN);
    set(fd, 0, 7 * MILLISECOND, 1000 * MILLISECOND)?;
    let before = set(fd, 0, 0, 0)?;
    check!(before[1] == 7 * MILLISECOND && before[2] <= 1 && (before[2], before[3]) > (0, 0));
    check_error!(number(fd), EAGAIN);
    check_error!(set(fd, 4, 0, 0).map(drop), EINVAL);
    check_error!(put(fd, 1), EINVAL);
    let mut bad = [0u64, 1_000_000_000, 0, 0];
    check_error!(sys(g::__NR_timerfd_settime, [fd as usize, 0, bad.as_mut_ptr() as usize, 0]), EINVAL);
    let (read, _) = os::pipe(0)?;
    check_error!(left(read).map(drop), EINVAL);
    Ok(())
}

fn timers_by_time_of_day() -> Outcome {
    for clock in [g::CLOCK_REALTIME, g::CLOCK_MONOTONIC] {
        let mut now = [0u64; 2];
        sys(g::__NR_clock_gettime, [clock as usize, now.as_mut_ptr() as usize])?;
        let now = core::hint::black_box(now);
        let time = now[0] * 1_000_000_000 + now[1];
        let fd = timer(clock, 0)?;
        set(fd, g::TFD_TIMER_ABSTIME, 0, time + 20 * MILLISECOND)?;
        check_eq!(number(fd)?, 1);
        // A time that has passed.
        set(fd, g::TFD_TIMER_ABSTIME, 0, time)?;
        check_eq!(number(fd)?, 1);
    }
    Ok(())
}

fn timers_that_repeat() -> Outcome {
    let fd = timer(g::CLOCK_MONOTONIC, 0)?;
    set(fd, 0, 5 * MILLISECOND, 5 * MILLISECOND)?;
    let start = os::monotonic_ns()?;
    let mut rings = 0;
    while rings < 5 {
        rings += number(fd)?;
    }
    check!(os::monotonic_ns()? - start >= 24 * MILLISECOND);
    let list = epoll()?;
    add(list, fd, EPOLLIN)?;
    check_eq!(wait_for(list, 4, -1)?.0, 1);
    check!(number(fd)? >= 1);
    Ok(())
}

fn signals_are_read() -> Outcome {
    let mut set = [1u64 << (g::SIGUSR1 - 1) | 1 << (g::SIGUSR2 - 1)];
    let at = set.as_mut_ptr() as usize;
    check_error!(sys(g::__NR_signalfd4, [999, at, 8, 0]), EBADF);
    sys(g::__NR_rt_sigprocmask, [g::SIG_BLOCK as usize, at, 0, 8])?;
    let fd = sys(g::__NR_signalfd4, [usize::MAX, at, 8, (SFD_NONBLOCK | SFD_CLOEXEC) as usize])? as i32;
    check_eq!(sys(g::__NR_fcntl, [fd as usize, g::F_GETFD as usize])?, 1);
    let mut info = [0u32; 64];
    let buffer = info.as_mut_ptr() as usize;
    let read = |len: usize| sys(g::__NR_read, [fd as usize, buffer, len]);
    check_error!(read(128), EAGAIN);
    check_error!(read(127), EINVAL);
    os::kill(os::getpid(), g::SIGUSR2)?;
    os::kill(os::getpid(), g::SIGUSR1)?;
    check_eq!(read(256)?, 256);
    let info = core::hint::black_box(info);
    check_eq!((info[0], info[32], info[3]), (g::SIGUSR1, g::SIGUSR2, os::getpid().cast_unsigned()));
    check_error!(read(128), EAGAIN);
    // Who waits for one is woken by it, though it is blocked.
    let pid = os::fork()?;
    if pid == 0 {
        let list = epoll()?;
        add(list, fd, EPOLLIN)?;
        check_eq!(wait_for(list, 1, 10_000)?.0, 1);
        sys(g::__NR_fcntl, [fd as usize, g::F_SETFL as usize, 0])?;
        check_eq!(read(128)?, 128);
        check_eq!(read(128)?, 128);
        os::exit(0);
    }
    for signal in [g::SIGUSR1, g::SIGUSR2] {
        (0..10).for_each(|_| os::sched_yield());
        os::kill(pid, signal)?;
    }
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    Ok(())
}

fn lists_tell_levels() -> Outcome {
    let list = epoll()?;
    let (read, write) = os::pipe(0)?;
    add(list, read, EPOLLIN)?;
    check_eq!(told(list)?, 0);
    add(list, write, EPOLLOUT)?;
    check_eq!(wait_for(list, 4, 0)?, (1, [(EPOLLOUT, write as u64), (0, 0), (0, 0), (0, 0)]));
    os::write(write, b"x")?;
    check_eq!((told(list)?, told(list)?), (2, 2));
    control(list, g::EPOLL_CTL_DEL, write, 0, 0)?;
    os::read(read, &mut [0; 1])?;
    check_eq!(told(list)?, 0);
    os::close(write)?;
    check_eq!(wait_for(list, 4, 0)?.1[0].0, EPOLLHUP);
    Ok(())
}

fn lists_tell_edges() -> Outcome {
    let list = epoll()?;
    let (read, write) = os::pipe(0)?;
    add(list, read, EPOLLIN | g::EPOLLET)?;
    os::write(write, b"x")?;
    check_eq!((told(list)?, told(list)?), (1, 0));
    os::write(write, b"y")?;
    check_eq!((told(list)?, told(list)?), (1, 0));
    // What is changed is told again.
    control(list, g::EPOLL_CTL_MOD, read, EPOLLIN | g::EPOLLET, 5)?;
    check_eq!(wait_for(list, 4, 0)?.1[0], (EPOLLIN, 5));
    check_eq!(told(list)?, 0);
    let counter = eventfd(1, 0)?;
    add(list, counter, EPOLLIN | g::EPOLLET)?;
    check_eq!((told(list)?, told(list)?), (1, 0));
    number(counter)?;
    check_eq!(told(list)?, 0);
    put(counter, 1)?;
    check_eq!(told(list)?, 1);
    Ok(())
}

fn lists_tell_once() -> Outcome {
    let list = epoll()?;
    let counter = eventfd(1, 0)?;
    add(list, counter, EPOLLIN | g::EPOLLONESHOT)?;
    check_eq!((told(list)?, told(list)?), (1, 0));
    put(counter, 1)?;
    check_eq!(told(list)?, 0);
    control(list, g::EPOLL_CTL_MOD, counter, EPOLLIN | g::EPOLLONESHOT, 9)?;
    check_eq!(wait_for(list, 4, 0)?.1[0], (EPOLLIN, 9));
    check_eq!(told(list)?, 0);
    Ok(())
}

fn lists_refuse() -> Outcome {
    let list = epoll()?;
    check_error!(sys(g::__NR_epoll_create1, [1]), EINVAL);
    let closed = sys(g::__NR_epoll_create1, [g::EPOLL_CLOEXEC as usize])?;
    check_eq!(sys(g::__NR_fcntl, [closed, g::F_GETFD as usize])?, 1);
    let (read, _write) = os::pipe(0)?;
    add(list, read, EPOLLIN)?;
    check_error!(add(list, read, EPOLLIN), EEXIST);
    // The same file by another number is another entry.
    let copy = sys(g::__NR_dup, [read as usize])? as i32;
    add(list, copy, EPOLLIN)?;
    check_error!(control(list, g::EPOLL_CTL_MOD, list + 90, 0, 0), EBADF);
    let other = eventfd(0, 0)?;
    check_error!(control(list, g::EPOLL_CTL_MOD, other, 0, 0), ENOENT);
    check_error!(control(list, g::EPOLL_CTL_DEL, other, 0, 0), ENOENT);
    check_error!(control(list, 4, other, 0, 0), EINVAL);
    check_error!(add(list, list, EPOLLIN), EINVAL);
    check_error!(add(read, other, EPOLLIN), EINVAL);
    check_error!(add(list, os::open(c"/tmp", g::O_RDONLY, 0)?, EPOLLIN), EPERM);
    let file = crate::memory::temporary(c"/tmp/vmtests.list", b"")?;
    check_error!(add(list, file, EPOLLIN), EPERM);
    crate::exec::unlink(c"/tmp/vmtests.list")?;
    check_error!(add(999, other, EPOLLIN), EBADF);
    check_error!(sys(g::__NR_epoll_ctl, [list as usize, 1, other as usize, 8]), EFAULT);
    check_error!(wait_for(list, 0, 0).map(drop), EINVAL);
    check_error!(wait_for(read, 4, 0).map(drop), EINVAL);
    check_error!(os::read(list, &mut [0; 8]), EINVAL);
    add(list, other, EPOLLIN | g::EPOLLEXCLUSIVE)?;
    check_error!(control(list, g::EPOLL_CTL_MOD, other, EPOLLIN, 0), EINVAL);
    put(other, 1)?;
    check_eq!(told(list)?, 1);
    check_error!(sys(g::__NR_epoll_pwait, [list as usize, 8, 1, 0, 0, 8]), EFAULT);
    check_eq!(told(list)?, 1);
    Ok(())
}

fn lists_in_lists() -> Outcome {
    let (outer, inner) = (epoll()?, epoll()?);
    add(outer, inner, EPOLLIN)?;
    check_error!(add(inner, outer, EPOLLIN), ELOOP);
    let counter = eventfd(0, 0)?;
    add(inner, counter, EPOLLIN)?;
    check_eq!(told(outer)?, 0);
    put(counter, 1)?;
    check_eq!((told(outer)?, told(inner)?), (1, 1));
    // Woken from two floors down.
    number(counter)?;
    let pid = os::fork()?;
    if pid == 0 {
        (0..10).for_each(|_| os::sched_yield());
        put(counter, 1)?;
        os::exit(0);
    }
    check_eq!(wait_for(outer, 1, 10_000)?.0, 1);
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    let mut top = outer;
    let mut deep = 0;
    for _ in 0..8 {
        let above = epoll()?;
        match add(above, top, EPOLLIN) {
            Ok(_) => deep += 1,
            Err(errno) => {
                check_eq!(errno.0, rt::abi::errno::ELOOP);
                break;
            }
        }
        top = above;
    }
    check!((2..6).contains(&deep));
    Ok(())
}

fn lists_forget() -> Outcome {
    let list = epoll()?;
    let counter = eventfd(1, 0)?;
    let copy = sys(g::__NR_dup, [counter as usize])? as i32;
    add(list, counter, EPOLLIN)?;
    os::close(counter)?;
    // The file is still open.
    check_eq!(told(list)?, 1);
    os::close(copy)?;
    check_eq!(told(list)?, 0);
    let again = eventfd(1, 0)?;
    add(list, again, EPOLLIN)?;
    check_eq!(told(list)?, 1);
    os::close(list)?;
    os::close(again)?;
    Ok(())
}

fn lists_are_fair() -> Outcome {
    let list = epoll()?;
    for _ in 0..3 {
        add(list, eventfd(1, 0)?, EPOLLIN)?;
    }
    let mut seen = [0u64; 3];
    for place in &mut seen {
        let (count, events) = wait_for(list, 1, 0)?;
        check_eq!(count, 1);
        *place = events[0].1;
    }
    check!(seen[0] != seen[1] && seen[1] != seen[2] && seen[0] != seen[2]);
    Ok(())
}

fn lists_wait() -> Outcome {
    let list = epoll()?;
    let start = os::monotonic_ns()?;
    check_eq!(wait_for(list, 1, 20)?.0, 0);
    check!(os::monotonic_ns()? - start >= 20 * MILLISECOND);
    // A file that is added while one waits.
    let counter = eventfd(1, 0)?;
    let pid = os::fork()?;
    if pid == 0 {
        (0..10).for_each(|_| os::sched_yield());
        add(list, counter, EPOLLIN)?;
        os::exit(0);
    }
    check_eq!(wait_for(list, 1, 10_000)?.0, 1);
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    Ok(())
}

fn lists_and_signals() -> Outcome {
    let list = epoll()? as usize;
    let mut events = [0u64; 2];
    let at = events.as_mut_ptr() as usize;
    check_error!(
        crate::timers::cut_short(|| sys(g::__NR_epoll_pwait, [list, at, 1, usize::MAX, 0, 8])),
        EINTR
    );
    check_error!(sys(g::__NR_epoll_pwait, [list, at, 1, 0, at, 4]), EINVAL);
    // The mask counts while it waits.
    let mut set = [1u64 << (g::SIGUSR1 - 1)];
    sys(g::__NR_rt_sigprocmask, [g::SIG_BLOCK as usize, set.as_mut_ptr() as usize, 0, 8])?;
    let handler = crate::raw::Action::Call(nothing);
    crate::raw::on_signal(g::SIGUSR1, handler, 0)?;
    os::kill(os::getpid(), g::SIGUSR1)?;
    let mut none = [0u64];
    let mask = none.as_mut_ptr() as usize;
    check_error!(sys(g::__NR_epoll_pwait, [list, at, 1, 1000, mask, 8]), EINTR);
    Ok(())
}

extern "C" fn nothing(_: i32, _: usize, _: usize) {}

fn processes_are_told_of() -> Outcome {
    /// `linux/pidfd.h`; not in linux-raw-sys.
    const PIDFD_NONBLOCK: usize = g::O_NONBLOCK as usize;
    let open = |pid: i32, flags: usize| sys(g::__NR_pidfd_open, [pid as usize, flags]);
    check_error!(open(0, 0), EINVAL);
    check_error!(open(-1, 0), EINVAL);
    check_error!(open(1 << 30, 0), ESRCH);
    check_error!(open(os::getpid(), 1), EINVAL);
    let pid = os::fork()?;
    if pid == 0 {
        let mut long = [100u64, 0];
        let _ = sys(g::__NR_nanosleep, [long.as_mut_ptr() as usize, 0]);
        os::exit(1);
    }
    let fd = open(pid, PIDFD_NONBLOCK)? as i32;
    check_eq!(sys(g::__NR_fcntl, [fd as usize, g::F_GETFD as usize])?, 1);
    let list = epoll()?;
    add(list, fd, EPOLLIN)?;
    check_eq!(told(list)?, 0);
    let mut info = [0u32; 32];
    let at = info.as_mut_ptr() as usize;
    let wait = |fd: i32| sys(g::__NR_waitid, [g::P_PIDFD as usize, fd as usize, at, g::WEXITED as usize, 0]);
    check_error!(wait(fd), EAGAIN);
    check_error!(wait(list), EBADF);
    let send = |fd: i32, signal: u32, flags: usize| {
        sys(g::__NR_pidfd_send_signal, [fd as usize, signal as usize, 0, flags])
    };
    check_error!(send(list, 0, 0), EBADF);
    // A process's folder is as good, and nothing below it.
    check_eq!(send(os::open(c"/proc/self", g::O_RDONLY, 0)?, 0, 0)?, 0);
    check_error!(send(os::open(c"/proc/self/stat", g::O_RDONLY, 0)?, 0, 0), EBADF);
    check_error!(send(os::open(c"/proc", g::O_RDONLY, 0)?, 0, 0), EBADF);
    check_error!(send(fd, 99, 0), EINVAL);
    check_error!(send(fd, 0, 1 << 20), EINVAL);
    check_eq!(send(fd, 0, 0)?, 0);
    send(fd, g::SIGKILL, 0)?;
    check_eq!(wait_for(list, 1, 10_000)?.0, 1);
    check_eq!(wait(fd)?, 0);
    let info = core::hint::black_box(info);
    check_eq!((info[2], info[4], info[6]), (g::CLD_KILLED, pid.cast_unsigned(), g::SIGKILL));
    check_error!(send(fd, 0, 0), ESRCH);
    check_error!(wait(fd), ECHILD);
    check_error!(os::read(fd, &mut [0; 8]), EINVAL);
    Ok(())
}

fn event_files_have_names() -> Outcome {
    let fds = [eventfd(0, 0)?, epoll()?, timer(g::CLOCK_MONOTONIC, 0)?];
    for (fd, name) in fds.into_iter().zip(["eventfd", "eventpoll", "timerfd"]) {
        let mut link = [0u8; 32];
        let mut path = *b"/proc/self/fd/0\0";
        path[14] = b'0' + fd as u8;
        let at = (g::AT_FDCWD as isize).cast_unsigned();
        let len = sys(g::__NR_readlinkat, [at, path.as_ptr() as usize, link.as_mut_ptr() as usize, 32])?;
        let link = core::hint::black_box(&link);
        check_eq!(&link[..12], b"anon_inode:[");
        check_eq!(&link[12..len - 1], name.as_bytes());
    }
    Ok(())
}
