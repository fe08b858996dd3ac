//! What calls about processes, users, limits, priorities and signals refuse.

use rt::Result;
use rt::abi::errno;
use rt::abi::general as g;
use rt::os::{self, Status};

use crate::check::{Outcome, Refused, each_is_refused, is_error};
use crate::raw::sys;
use crate::users::as_user;
use crate::{check, check_eq, tests};

tests! {
    processes_that_are_not_there, signals_that_are_none, sessions_and_groups, waits_for_nobody, values_that_are_none,
    @Kernel users_who_may_not, @Kernel processes_of_other_users, @Kernel too_many_signals, limits_that_cannot_be,
    @Kernel robust_lists_of_others,
}

/// A number that no process has, and that could be one.
const NOBODY: usize = 4_000_000;
const NONE: usize = usize::MAX;

fn processes_that_are_not_there() -> Outcome {
    let mut room = [0u64; 32];
    let zeros = room.as_mut_ptr() as usize;
    let info = [g::SIGUSR1, 0, (-1i32).cast_unsigned(), 0, 0, 0, 0, 0];
    let info = info.as_ptr() as usize;
    let parameter = [0u32; 2];
    let parameter = parameter.as_ptr() as usize;
    let attributes = [48u64, 0, 0, 0, 0, 0, 0];
    let attributes = attributes.as_ptr() as usize;
    let signal = g::SIGUSR1 as usize;
    let me = os::getpid() as usize;
    each_is_refused(&[
        (g::__NR_kill, &[NOBODY, signal], errno::ESRCH),
        (g::__NR_kill, &[NOBODY.wrapping_neg(), signal], errno::ESRCH),
        (g::__NR_tkill, &[NOBODY, signal], errno::ESRCH),
        (g::__NR_tgkill, &[NOBODY, NOBODY, signal], errno::ESRCH),
        (g::__NR_tgkill, &[me, NOBODY, signal], errno::ESRCH),
        (g::__NR_rt_sigqueueinfo, &[NOBODY, signal, info], errno::ESRCH),
        (g::__NR_rt_tgsigqueueinfo, &[NOBODY, NOBODY, signal, info], errno::ESRCH),
        (g::__NR_getpgid, &[NOBODY], errno::ESRCH),
        (g::__NR_getsid, &[NOBODY], errno::ESRCH),
        (g::__NR_setpgid, &[NOBODY, 0], errno::ESRCH),
        (g::__NR_getpriority, &[0, NOBODY], errno::ESRCH),
        (g::__NR_setpriority, &[0, NOBODY, 0], errno::ESRCH),
        (g::__NR_ioprio_get, &[1, NOBODY], errno::ESRCH),
        (g::__NR_ioprio_set, &[1, NOBODY, 0], errno::ESRCH),
        (g::__NR_prlimit64, &[NOBODY, 7, 0, zeros], errno::ESRCH),
        (g::__NR_sched_getscheduler, &[NOBODY], errno::ESRCH),
        (g::__NR_sched_setscheduler, &[NOBODY, 0, parameter], errno::ESRCH),
        (g::__NR_sched_getparam, &[NOBODY, zeros], errno::ESRCH),
        (g::__NR_sched_setparam, &[NOBODY, parameter], errno::ESRCH),
        (g::__NR_sched_setattr, &[NOBODY, attributes, 0], errno::ESRCH),
        (g::__NR_sched_getattr, &[NOBODY, zeros, 48, 0], errno::ESRCH),
        (g::__NR_sched_getaffinity, &[NOBODY, 128, zeros], errno::ESRCH),
        (g::__NR_sched_setaffinity, &[NOBODY, 128, zeros], errno::ESRCH),
        (g::__NR_sched_rr_get_interval, &[NOBODY, zeros], errno::ESRCH),
        (g::__NR_pidfd_open, &[NOBODY, 0], errno::ESRCH),
        (g::__NR_capget, &[header(NOBODY).as_ptr() as usize, zeros], errno::ESRCH),
    ])
}

/// `struct __user_cap_header_struct`, version 3.
fn header(pid: usize) -> [u32; 2] {
    [0x2008_0522, pid as u32]
}

fn signals_that_are_none() -> Outcome {
    let me = os::getpid() as usize;
    let info = [0, 0, (-1i32).cast_unsigned(), 0, 0, 0, 0, 0u32];
    let info = info.as_ptr() as usize;
    let set = [0u64; 4];
    let set = set.as_ptr() as usize;
    for signal in [65, 1000, NONE] {
        each_is_refused(&[
            (g::__NR_kill, &[me, signal], errno::EINVAL),
            (g::__NR_tkill, &[me, signal], errno::EINVAL),
            (g::__NR_tgkill, &[me, me, signal], errno::EINVAL),
            (g::__NR_rt_sigqueueinfo, &[me, signal, info], errno::EINVAL),
            (g::__NR_rt_tgsigqueueinfo, &[me, me, signal, info], errno::EINVAL),
            (g::__NR_rt_sigaction, &[signal, 0, 0, 8], errno::EINVAL),
        ])?;
    }
    each_is_refused(&[
        (g::__NR_tkill, &[0, 0], errno::EINVAL),
        (g::__NR_tkill, &[NONE, 0], errno::EINVAL),
        (g::__NR_tgkill, &[0, me, 0], errno::EINVAL),
        (g::__NR_tgkill, &[me, 0, 0], errno::EINVAL),
        (g::__NR_tgkill, &[NONE, me, 0], errno::EINVAL),
        (g::__NR_rt_tgsigqueueinfo, &[me, 0, 0, info], errno::EINVAL),
        (g::__NR_rt_tgsigqueueinfo, &[0, me, 0, info], errno::EINVAL),
        (g::__NR_rt_sigaction, &[0, 0, 0, 8], errno::EINVAL),
        (g::__NR_rt_sigaction, &[g::SIGKILL as usize, set, 0, 8], errno::EINVAL),
        (g::__NR_rt_sigaction, &[g::SIGSTOP as usize, set, 0, 8], errno::EINVAL),
        (g::__NR_rt_sigaction, &[1, 0, 0, 4], errno::EINVAL),
        (g::__NR_rt_sigprocmask, &[77, set, 0, 8], errno::EINVAL),
        (g::__NR_rt_sigpending, &[set, 16], errno::EINVAL),
        (g::__NR_rt_sigsuspend, &[set, 4], errno::EINVAL),
        (g::__NR_rt_sigtimedwait, &[set, 0, 0, 4], errno::EINVAL),
        (g::__NR_rt_sigtimedwait, &[set, 0, set, 8], errno::EAGAIN),
    ])
}

fn sessions_and_groups() -> Outcome {
    // The child of a child is nobody's to move, one of another session neither, and a session's leader stays.
    let (read, write) = os::pipe(0)?;
    let (held, holds) = os::pipe(0)?;
    let pid = os::fork()?;
    if pid == 0 {
        os::close(holds)?;
        let led = sys(g::__NR_setsid, []);
        let again = sys(g::__NR_setsid, []);
        let moved = sys(g::__NR_setpgid, [0, 0]);
        let right = led.is_ok() && is_error(&again, errno::EPERM) && is_error(&moved, errno::EPERM);
        os::write(write, &[u8::from(right)])?;
        // Until the parent has gone, at the latest.
        let _ = os::read(held, &mut [0]);
        os::exit(0);
    }
    let mut byte = [0];
    os::read(read, &mut byte)?;
    check_eq!(byte, [1]);
    let child = pid as usize;
    each_is_refused(&[
        (g::__NR_setpgid, &[child, 0], errno::EPERM),
        (g::__NR_setpgid, &[0, child], errno::EPERM),
        (g::__NR_setpgid, &[0, NOBODY], errno::EPERM),
        (g::__NR_setpgid, &[0, NONE], errno::EINVAL),
        (g::__NR_setpgid, &[os::getppid() as usize, 0], errno::ESRCH),
        (g::__NR_setpgid, &[NONE, 0], errno::EINVAL),
    ])?;
    os::kill(pid, g::SIGKILL)?;
    os::wait(pid)?;
    // Who leads a group leads no session.
    let alone = os::in_child(|| {
        let _ = sys(g::__NR_setpgid, [0, 0]);
        i32::from(!is_error(&sys(g::__NR_setsid, []), errno::EPERM))
    })?;
    check_eq!(alone, Status::Exited(0));
    Ok(())
}

fn waits_for_nobody() -> Outcome {
    let exited = g::WEXITED as usize;
    let mut info = [0u64; 16];
    let info = info.as_mut_ptr() as usize;
    let (all, one, group, file) = (0, 1, 2, 3);
    let null = os::open(c"/dev/null", g::O_RDONLY, 0)? as usize;
    each_is_refused(&[
        (g::__NR_wait4, &[NONE, 0, 0, 0], errno::ECHILD),
        (g::__NR_wait4, &[0, 0, 0, 0], errno::ECHILD),
        (g::__NR_wait4, &[NOBODY, 0, 0, 0], errno::ECHILD),
        (g::__NR_wait4, &[os::getppid() as usize, 0, 0, 0], errno::ECHILD),
        (g::__NR_wait4, &[NONE, 0, g::WNOHANG as usize, 0], errno::ECHILD),
        (g::__NR_wait4, &[NONE, 0, 0x100, 0], errno::EINVAL),
        (g::__NR_waitid, &[all, 0, info, exited], errno::ECHILD),
        (g::__NR_waitid, &[one, NOBODY, info, exited], errno::ECHILD),
        (g::__NR_waitid, &[group, NOBODY, info, exited], errno::ECHILD),
        (g::__NR_waitid, &[all, 0, info, 0], errno::EINVAL),
        (g::__NR_waitid, &[77, 0, info, exited], errno::EINVAL),
        (g::__NR_waitid, &[one, 0, info, exited], errno::EINVAL),
        (g::__NR_waitid, &[one, NONE, info, exited], errno::EINVAL),
        (g::__NR_waitid, &[file, NONE, info, exited], errno::EINVAL),
        (g::__NR_waitid, &[file, null, info, exited], errno::EBADF),
        (g::__NR_pidfd_open, &[0, 0], errno::EINVAL),
        (g::__NR_pidfd_open, &[NONE, 0], errno::EINVAL),
        (g::__NR_pidfd_send_signal, &[null, 0, 0, 0], errno::EBADF),
    ])
}

fn values_that_are_none() -> Outcome {
    let mut room = [0u64; 32];
    let zeros = room.as_mut_ptr() as usize;
    let parameter = [1u32; 2];
    let parameter = parameter.as_ptr() as usize;
    each_is_refused(&[
        (g::__NR_getpriority, &[77, 0], errno::EINVAL),
        (g::__NR_setpriority, &[77, 0, 0], errno::EINVAL),
        (g::__NR_getrlimit, &[77, zeros], errno::EINVAL),
        (g::__NR_setrlimit, &[77, zeros], errno::EINVAL),
        (g::__NR_prlimit64, &[0, 77, 0, zeros], errno::EINVAL),
        (g::__NR_getrusage, &[77, zeros], errno::EINVAL),
        (g::__NR_sched_get_priority_max, &[77], errno::EINVAL),
        (g::__NR_sched_get_priority_min, &[77], errno::EINVAL),
        (g::__NR_sched_setscheduler, &[0, 77, parameter], errno::EINVAL),
        (g::__NR_sched_setscheduler, &[0, 0, parameter], errno::EINVAL),
        (g::__NR_sched_getaffinity, &[0, 3, zeros], errno::EINVAL),
        (g::__NR_sched_setaffinity, &[0, 128, zeros], errno::EINVAL),
        (g::__NR_ioprio_get, &[77, 0], errno::EINVAL),
        (g::__NR_ioprio_set, &[77, 0, 0], errno::EINVAL),
        (g::__NR_ioprio_set, &[1, 0, 7 << 13], errno::EINVAL),
        (g::__NR_getgroups, &[NONE, zeros], errno::EINVAL),
        (g::__NR_setuid, &[NONE], errno::EINVAL),
        (g::__NR_setgid, &[NONE], errno::EINVAL),
        (g::__NR_prctl, &[g::__NR_getpid as usize + 10_000], errno::EINVAL),
        (g::__NR_prctl, &[15, 8], errno::EFAULT),
        (g::__NR_prctl, &[16, 8], errno::EFAULT),
        (g::__NR_prctl, &[1, 65], errno::EINVAL),
        (g::__NR_prctl, &[2, 8], errno::EFAULT),
        (g::__NR_prctl, &[4, 77], errno::EINVAL),
    ])?;
    let (mut to_read, to_write) = ([0u32; 2], [0u32; 2]);
    each_is_refused(&[
        (g::__NR_capget, &[to_read.as_mut_ptr() as usize, zeros], errno::EINVAL),
        (g::__NR_capset, &[to_write.as_ptr() as usize, zeros], errno::EINVAL),
        (g::__NR_capset, &[header(NOBODY).as_ptr() as usize, zeros], errno::EPERM),
        (g::__NR_capget, &[header(0).as_ptr() as usize, 8], errno::EFAULT),
        (g::__NR_capset, &[header(0).as_ptr() as usize, 8], errno::EFAULT),
        (g::__NR_capget, &[8, zeros], errno::EFAULT),
        (g::__NR_capset, &[8, zeros], errno::EFAULT),
    ])?;
    // A process has groups, whether they fit or not.
    let groups = [5u32, 6, 7];
    if sys(g::__NR_setgroups, [3, groups.as_ptr() as usize]).is_ok() {
        each_is_refused(&[
            (g::__NR_getgroups, &[2, zeros], errno::EINVAL),
            (g::__NR_getgroups, &[3, 8], errno::EFAULT),
        ])?;
    }
    Ok(())
}

/// What a process of an ordinary user is told, row by row.
fn each_is_refused_to_users(rows: &[Refused]) -> Outcome {
    for (row, &(number, given, expected)) in rows.iter().enumerate() {
        let mut arguments = [0; 6];
        arguments[..given.len()].copy_from_slice(given);
        let answer = as_user(|| sys(number, arguments))?;
        check_eq!(
            (row, abi::call_name(number.into()), answer),
            (row, abi::call_name(number.into()), expected)
        );
    }
    Ok(())
}

fn users_who_may_not() -> Outcome {
    let more = [1u64 << 40; 2];
    let more = more.as_ptr() as usize;
    let zeros = [0u64; 16];
    let zeros = zeros.as_ptr() as usize;
    let parameter = [50u32; 2];
    let parameter = parameter.as_ptr() as usize;
    // `struct sched_attr`: size and class, flags, nice and priority.
    let attributes = [48 | 1u64 << 32, 0, 50 << 32, 0, 0, 0, 0];
    let attributes = attributes.as_ptr() as usize;
    let keep = NONE;
    let limit = [100u64; 2];
    sys(g::__NR_setrlimit, [g::RLIMIT_NOFILE as usize, limit.as_ptr() as usize])?;
    each_is_refused_to_users(&[
        (g::__NR_setuid, &[7], errno::EPERM),
        (g::__NR_setgid, &[7], errno::EPERM),
        (g::__NR_setreuid, &[7, keep], errno::EPERM),
        (g::__NR_setreuid, &[keep, 7], errno::EPERM),
        (g::__NR_setregid, &[7, keep], errno::EPERM),
        (g::__NR_setregid, &[keep, 7], errno::EPERM),
        (g::__NR_setresuid, &[keep, keep, 7], errno::EPERM),
        (g::__NR_setresgid, &[keep, keep, 7], errno::EPERM),
        (g::__NR_setgroups, &[0, 0], errno::EPERM),
        (g::__NR_sethostname, &[zeros, 1], errno::EPERM),
        (g::__NR_setdomainname, &[zeros, 1], errno::EPERM),
        (g::__NR_clock_settime, &[0, zeros], errno::EPERM),
        (g::__NR_settimeofday, &[zeros, 0], errno::EPERM),
        (g::__NR_setrlimit, &[g::RLIMIT_NOFILE as usize, more], errno::EPERM),
        (g::__NR_prlimit64, &[0, g::RLIMIT_NOFILE as usize, more, 0], errno::EPERM),
        (g::__NR_setpriority, &[0, 0, NONE], errno::EACCES),
        (g::__NR_sched_setscheduler, &[0, g::SCHED_FIFO as usize, parameter], errno::EPERM),
        (g::__NR_sched_setattr, &[0, attributes, 0], errno::EPERM),
        (g::__NR_ioprio_set, &[1, 0, 1 << 13], errno::EPERM),
        (g::__NR_unshare, &[g::CLONE_NEWUTS as usize], errno::EPERM),
        (g::__NR_prctl, &[24, 0], errno::EPERM),
        (g::__NR_mount, &[0, c"/tmp".as_ptr() as usize], errno::EPERM),
        (g::__NR_umount2, &[c"/tmp".as_ptr() as usize], errno::EPERM),
    ])
}

/// Of another user: the parent, which is root's.
fn processes_of_other_users() -> Outcome {
    let parent = os::getpid() as usize;
    let mut room = [0u64; 16];
    let zeros = room.as_mut_ptr() as usize;
    let one = [1u64; 16];
    let one = one.as_ptr() as usize;
    let parameter = [0u32; 2];
    let parameter = parameter.as_ptr() as usize;
    let attributes = [48u64, 0, 0, 0, 0, 0, 0];
    let attributes = attributes.as_ptr() as usize;
    let info = [g::SIGUSR1, 0, (-1i32).cast_unsigned(), 0, 0, 0, 0, 0];
    let info = info.as_ptr() as usize;
    let signal = g::SIGUSR1 as usize;
    let file = sys(g::__NR_pidfd_open, [parent, 0])?;
    each_is_refused_to_users(&[
        (g::__NR_kill, &[parent, signal], errno::EPERM),
        (g::__NR_tkill, &[parent, signal], errno::EPERM),
        (g::__NR_tgkill, &[parent, parent, signal], errno::EPERM),
        (g::__NR_rt_sigqueueinfo, &[parent, signal, info], errno::EPERM),
        (g::__NR_rt_tgsigqueueinfo, &[parent, parent, signal, info], errno::EPERM),
        (g::__NR_pidfd_send_signal, &[file, signal, 0, 0], errno::EPERM),
        (g::__NR_setpriority, &[0, parent, 5], errno::EPERM),
        (g::__NR_sched_setscheduler, &[parent, 0, parameter], errno::EPERM),
        (g::__NR_sched_setparam, &[parent, parameter], errno::EPERM),
        (g::__NR_sched_setattr, &[parent, attributes, 0], errno::EPERM),
        (g::__NR_sched_setaffinity, &[parent, 128, one], errno::EPERM),
        (g::__NR_ioprio_set, &[1, parent, 0], errno::EPERM),
        (g::__NR_prlimit64, &[parent, 7, 0, zeros], errno::EPERM),
        (g::__NR_setpgid, &[parent, 0], errno::ESRCH),
        (g::__NR_rt_sigqueueinfo, &[parent, 0, zeros], errno::EPERM),
    ])
}

/// As Linux' manual says; qemu-riscv64 7.2 does neither have lists nor ask Linux about namespaces.
fn robust_lists_of_others() -> Outcome {
    let mut room = [0u64; 2];
    let [head, size] = [0, 1].map(|word| &raw mut room[word] as usize);
    each_is_refused(&[
        (g::__NR_get_robust_list, &[NOBODY, head, size], errno::ESRCH),
        (g::__NR_set_robust_list, &[head, 8], errno::EINVAL),
    ])?;
    each_is_refused_to_users(&[
        (g::__NR_get_robust_list, &[os::getpid() as usize, head, size], errno::EPERM),
        (g::__NR_clone, &[g::CLONE_NEWUTS as usize], errno::EPERM),
    ])
}

/// Real-time signals wait in a queue that has an end.
fn too_many_signals() -> Outcome {
    let signal = 40usize;
    let set = [1u64 << (signal - 1)];
    sys(g::__NR_rt_sigprocmask, [0, set.as_ptr() as usize, 0, 8])?;
    let none = [0u64; 2];
    sys(g::__NR_prlimit64, [0, g::RLIMIT_SIGPENDING as usize, none.as_ptr() as usize, 0])?;
    let me = os::getpid() as usize;
    let info = [40, 0, (-1i32).cast_unsigned(), 0, 0, 0, 0, 0u32];
    let info = info.as_ptr() as usize;
    each_is_refused(&[
        (g::__NR_rt_sigqueueinfo, &[me, signal, info], errno::EAGAIN),
        (g::__NR_rt_tgsigqueueinfo, &[me, me, signal, info], errno::EAGAIN),
        (g::__NR_tkill, &[me, signal], errno::EAGAIN),
        (g::__NR_tgkill, &[me, me, signal], errno::EAGAIN),
    ])
}

fn limits_that_cannot_be() -> Outcome {
    let turned_round = [8u64, 7];
    let turned_round = turned_round.as_ptr() as usize;
    let set = |resource: u32| sys(g::__NR_setrlimit, [resource as usize, turned_round]);
    fn is_invalid(result: Result<usize>) -> bool {
        is_error(&result, errno::EINVAL)
    }
    check!(is_invalid(set(g::RLIMIT_NOFILE)));
    check!(is_invalid(sys(g::__NR_prlimit64, [0, g::RLIMIT_NOFILE as usize, turned_round, 0])));
    // Nobody may have more files than there can be.
    let huge = [1u64 << 40; 2];
    each_is_refused(&[(
        g::__NR_setrlimit,
        &[g::RLIMIT_NOFILE as usize, huge.as_ptr() as usize],
        errno::EPERM,
    )])
}
