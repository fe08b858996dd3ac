//! `clone3`, and what `clone` can beside what threads and `fork` ask of it: descriptors and numbers of children, actions that are shared, how
//! many processes a user may have.

use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

use rt::abi::errno;
use rt::abi::general::{self as g, SIGCHLD, SIGUSR1, SIGUSR2};
use rt::os::{self, Pid, Status};
use rt::{PAGE_SIZE, Result};

use crate::check::Outcome;
use crate::memory::{READ_WRITE, map};
use crate::raw::{Action, PTHREAD, on_signal, spawn, start_thread3, sys};
use crate::users::as_user;
use crate::{check, check_eq, check_error, tests};

tests! {
    @Kernel clone3_forks, @Kernel clone3_starts_threads, @Kernel clone3_refuses, @Kernel clone3_grows, @Kernel clone3_gives_numbers, @Kernel clone3_clears_actions,
    @Kernel clone_pidfd, @Kernel child_shares_actions, @Kernel processes_are_limited,
}

/// Places in a `struct clone_args` of words.
const FLAGS: usize = 0;
const PIDFD: usize = 1;
const CHILD_TID: usize = 2;
const PARENT_TID: usize = 3;
const EXIT_SIGNAL: usize = 4;
const STACK: usize = 5;
const STACK_BYTES: usize = 6;
const SET_TID: usize = 8;
const SET_TID_COUNT: usize = 9;
const WORDS: usize = 11;

fn args(fields: &[(usize, u64)]) -> [u64; WORDS] {
    let mut words = [0; WORDS];
    fields.iter().for_each(|&(field, value)| words[field] = value);
    words
}

fn address<T>(value: &T) -> u64 {
    core::ptr::from_ref(value) as u64
}

/// clone3(2) without a stack: as `fork`.
fn clone3(fields: &[(usize, u64)]) -> Result<Pid> {
    let words = args(fields);
    sys(g::__NR_clone3, [address(&words) as usize, size_of_val(&words)]).map(|pid| pid as Pid)
}

/// Such a child, which ends with this status; its status as its maker hears it.
fn ends_with(fields: &[(usize, u64)], run: impl FnOnce() -> i32) -> Result<Status> {
    match clone3(fields)? {
        0 => os::exit(run()),
        pid => os::wait(pid).map(|(_, status)| status),
    }
}

fn clone3_forks() -> Outcome {
    let (parent, child, pidfd) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(u32::MAX));
    let flags = g::CLONE_PIDFD | g::CLONE_PARENT_SETTID | g::CLONE_CHILD_SETTID;
    let pid = clone3(&[
        (FLAGS, flags.into()),
        (PIDFD, address(&pidfd)),
        (CHILD_TID, address(&child)),
        (PARENT_TID, address(&parent)),
        (EXIT_SIGNAL, SIGCHLD.into()),
    ])?;
    if pid == 0 {
        os::exit(i32::from(child.load(SeqCst) == os::getpid() as u32) + 5);
    }
    check_eq!(parent.load(SeqCst), pid as u32);
    let fd = pidfd.load(SeqCst) as usize;
    check_eq!(sys(g::__NR_fcntl, [fd, g::F_GETFD as usize])?, g::FD_CLOEXEC as usize);
    let mut info = [0u32; 32];
    let options = g::WEXITED as usize;
    sys(g::__NR_waitid, [g::P_PIDFD as usize, fd, info.as_mut_ptr() as usize, options, 0])?;
    check_eq!(core::hint::black_box(info)[6], 6);
    // One without a signal is waited for as a clone.
    let pid = clone3(&[])?;
    if pid == 0 {
        os::exit(3);
    }
    check_error!(os::wait(pid), ECHILD);
    check_eq!(os::wait_with(pid, g::__WCLONE)?.1, Status::Exited(3));
    Ok(())
}

static COUNT: AtomicU32 = AtomicU32::new(0);

extern "C" fn adds(by: usize) -> i32 {
    COUNT.fetch_add(by as u32, SeqCst);
    0
}

fn clone3_starts_threads() -> Outcome {
    const STACK_LEN: usize = 4 * PAGE_SIZE;
    for by in [3, 4] {
        let word = AtomicU32::new(0);
        let words = [
            u64::from(PTHREAD),
            0,
            address(&word),
            address(&word),
            0,
            map(4, READ_WRITE)? as u64,
            STACK_LEN as u64,
            0,
            0,
            0,
            0,
        ];
        start_thread3(&words, adds, by)?;
        loop {
            let seen = word.load(SeqCst);
            if seen == 0 && COUNT.load(SeqCst) != 0 {
                break;
            }
            let _ = sys(g::__NR_futex, [word.as_ptr() as usize, g::FUTEX_WAIT as usize, seen as usize, 0]);
        }
    }
    check_eq!(COUNT.load(SeqCst), 7);
    Ok(())
}

fn clone3_refuses() -> Outcome {
    let vm = u64::from(g::CLONE_VM);
    let signals = u64::from(g::CLONE_SIGHAND);
    let stack = map(1, READ_WRITE)? as u64;
    for refused in [
        &[(EXIT_SIGNAL, 65)][..],
        &[(EXIT_SIGNAL, 17), (FLAGS, g::CLONE_PARENT.into())],
        &[(EXIT_SIGNAL, 17), (FLAGS, PTHREAD.into())],
        &[(FLAGS, 17)],
        &[(FLAGS, 1 << 63)],
        &[(FLAGS, g::CLONE_DETACHED.into())],
        &[(FLAGS, signals)],
        &[(FLAGS, signals | vm | g::CLONE_CLEAR_SIGHAND)],
        &[(FLAGS, g::CLONE_THREAD.into())],
        &[(STACK, stack)],
        &[(STACK_BYTES, PAGE_SIZE as u64)],
        &[(SET_TID, stack)],
        &[(SET_TID_COUNT, 1)],
        &[(SET_TID, stack), (SET_TID_COUNT, 33)],
    ] {
        check_error!(clone3(refused), EINVAL);
    }
    check_error!(clone3(&[(FLAGS, g::CLONE_PIDFD.into()), (PIDFD, 8)]), EFAULT);
    check_error!(clone3(&[(FLAGS, g::CLONE_INTO_CGROUP), (10, 99)]), EBADF);
    let user = || clone3(&[(FLAGS, g::CLONE_NEWUTS.into())]).map(|_| 0);
    check_eq!(as_user(user)?, errno::EPERM);
    check_error!(os::wait(-1), ECHILD);
    Ok(())
}

/// What a newer program would say is 0, or more than this system knows.
fn clone3_grows() -> Outcome {
    let mut words = [0u64; 600];
    words[EXIT_SIGNAL] = SIGCHLD.into();
    let mut call = |last: u64, size: usize| {
        words[20] = last;
        let made = sys(g::__NR_clone3, [words.as_ptr() as usize, size])?;
        if made == 0 {
            os::exit(0);
        }
        os::wait(made as Pid).map(drop)
    };
    for size in [64, 80, 88, 200, PAGE_SIZE] {
        call(0, size)?;
    }
    check_error!(call(0, 63), EINVAL);
    check_error!(call(0, 0), EINVAL);
    check_error!(call(1, 200), E2BIG);
    check_error!(call(0, PAGE_SIZE + 8), E2BIG);
    check_error!(sys(g::__NR_clone3, [8, 88]), EFAULT);
    Ok(())
}

fn clone3_gives_numbers() -> Outcome {
    const WANTED: i32 = 31_234;
    let number =
        |number: &i32| [(SET_TID, address(number)), (SET_TID_COUNT, 1), (EXIT_SIGNAL, SIGCHLD.into())];
    check_eq!(ends_with(&number(&WANTED), || i32::from(os::getpid() == WANTED))?, Status::Exited(1));
    for refused in [0, -1, 1 << 22 | 1] {
        check_error!(clone3(&number(&refused)), EINVAL);
    }
    check_error!(clone3(&number(&os::getpid())), EEXIST);
    let user = || clone3(&number(&WANTED)).map(|_| 0);
    check_eq!(as_user(user)?, errno::EPERM);
    // The next one comes as it would have.
    let next = os::fork()?;
    if next == 0 {
        os::exit(0);
    }
    check!(os::wait(next)?.0 < WANTED);
    Ok(())
}

static HANDLED: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(_: i32, _: usize, _: usize) {
    HANDLED.fetch_add(1, SeqCst);
}

fn clone3_clears_actions() -> Outcome {
    on_signal(SIGUSR1, Action::Call(count), 0)?;
    on_signal(SIGUSR2, Action::Ignore, 0)?;
    let fields = [(FLAGS, g::CLONE_CLEAR_SIGHAND), (EXIT_SIGNAL, SIGCHLD.into())];
    let dies_of = |signal: u32| {
        ends_with(&fields, || {
            let _ = os::kill(os::getpid(), signal);
            i32::from(HANDLED.load(SeqCst) != 0)
        })
    };
    check_eq!(dies_of(SIGUSR1)?, Status::Signaled(SIGUSR1));
    check_eq!(dies_of(SIGUSR2)?, Status::Exited(0));
    os::kill(os::getpid(), SIGUSR1)?;
    check_eq!(HANDLED.load(SeqCst), 1);
    Ok(())
}

fn clone_pidfd() -> Outcome {
    let pidfd = AtomicU32::new(u32::MAX);
    let clone =
        |flags: u32| sys(g::__NR_clone, [(flags | SIGCHLD) as usize, 0, address(&pidfd) as usize, 0, 0]);
    let pid = clone(g::CLONE_PIDFD)?;
    if pid == 0 {
        loop {
            os::sched_yield();
        }
    }
    let fd = pidfd.load(SeqCst) as usize;
    sys(g::__NR_pidfd_send_signal, [fd, g::SIGKILL as usize, 0, 0])?;
    check_eq!(os::wait(pid as Pid)?.1, Status::Signaled(g::SIGKILL));
    check_error!(sys(g::__NR_pidfd_send_signal, [fd, 0, 0, 0]), ESRCH);
    check_error!(clone(g::CLONE_PIDFD | g::CLONE_PARENT_SETTID), EINVAL);
    check_error!(clone(g::CLONE_PIDFD | PTHREAD & !g::CLONE_PARENT_SETTID), EINVAL);
    // Where there is no room for a descriptor there is no child.
    let limit = [fd as u64, 4096];
    sys(g::__NR_setrlimit, [g::RLIMIT_NOFILE as usize, limit.as_ptr() as usize])?;
    check_error!(clone(g::CLONE_PIDFD), EMFILE);
    check_error!(os::wait(-1), ECHILD);
    Ok(())
}

extern "C" fn handles_usr1(_: usize) -> i32 {
    i32::from(on_signal(SIGUSR1, Action::Call(count), 0).is_err())
}

fn child_shares_actions() -> Outcome {
    on_signal(SIGUSR1, Action::Ignore, 0)?;
    let vfork = g::CLONE_VM | g::CLONE_VFORK | SIGCHLD;
    // A copy of the actions: what the child does with them is its own.
    os::wait(spawn(vfork, 0, handles_usr1, 0) as Pid)?;
    os::kill(os::getpid(), SIGUSR1)?;
    check_eq!(HANDLED.load(SeqCst), 0);
    os::wait(spawn(vfork | g::CLONE_SIGHAND, 0, handles_usr1, 0) as Pid)?;
    os::kill(os::getpid(), SIGUSR1)?;
    check_eq!(HANDLED.load(SeqCst), 1);
    Ok(())
}

/// Two processes are the user's own: the one that asks, and a child of it.
fn processes_are_limited() -> Outcome {
    let child = || {
        let pid = os::fork()?;
        if pid == 0 {
            os::exit(0);
        }
        Ok(pid)
    };
    let (mut old, limit) = ([0u64; 2], [2u64, 2]);
    sys(g::__NR_getrlimit, [g::RLIMIT_NPROC as usize, old.as_mut_ptr() as usize])?;
    sys(g::__NR_setrlimit, [g::RLIMIT_NPROC as usize, limit.as_ptr() as usize])?;
    // Root is above it.
    let several = [child()?, child()?, child()?];
    for pid in several {
        os::wait(pid)?;
    }
    let user = || {
        let first = child()?;
        let second = child();
        os::wait(first)?;
        os::wait(child()?)?;
        second.map(|_| 0)
    };
    check_eq!(as_user(user)?, errno::EAGAIN);
    sys(g::__NR_prlimit64, [0, g::RLIMIT_NPROC as usize, 0, old.as_mut_ptr() as usize])?;
    check_eq!(core::hint::black_box(old), limit);
    Ok(())
}
