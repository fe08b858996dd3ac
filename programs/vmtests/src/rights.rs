//! What processes of one user may do to those of another, and what each may say of itself: signals, priorities, limits, `/proc`.

use core::ffi::CStr;

use rt::abi::errno;
use rt::abi::general as g;
use rt::abi::prctl as p;
use rt::os::{self, Status};
use rt::{Errno, PAGE_SIZE, Result};

use crate::check::Outcome;
use crate::exec::unlink;
use crate::memory::temporary;
use crate::raw::sys;
use crate::users::{as_user, text};
use crate::{check, check_eq, check_error, tests};

tests! {
    @Kernel signals_to_others, @Kernel signals_to_zombies, @Kernel signals_to_groups_of_others, @Kernel limits_of_others, @Kernel niceness, @Kernel niceness_of_others,
    @Kernel processors, @Kernel processes_of_others, @Kernel looked_into_or_not, @Kernel nothing_gained, @Kernel capabilities,
    @Kernel lengths_that_are_none, @Kernel flags_that_exclude_each_other,
}

const USER: usize = 1000;

fn parent() -> usize {
    sys(g::__NR_getppid, []).unwrap_or(0)
}

fn prctl(option: u32, argument: usize) -> Result<usize> {
    sys(g::__NR_prctl, [option as usize, argument, 0, 0, 0])
}

fn signals_to_others() -> Outcome {
    let kill = |pid: usize, signal: u32| sys(g::__NR_kill, [pid, signal as usize]);
    let refused = errno::EPERM;
    check_eq!(as_user(|| kill(parent(), 0))?, refused);
    check_eq!(as_user(|| kill(parent(), g::SIGTERM))?, refused);
    check_eq!(as_user(|| kill(1, g::SIGKILL))?, refused);
    check_eq!(as_user(|| sys(g::__NR_tkill, [parent(), 0]))?, refused);
    check_eq!(as_user(|| sys(g::__NR_tgkill, [parent(), parent(), g::SIGTERM as usize]))?, refused);
    let info = [g::SIGTERM, 0, (-1i32).cast_unsigned(), 0, 0, 0, 0, 0];
    let queue = |pid: usize| sys(g::__NR_rt_sigqueueinfo, [pid, g::SIGTERM as usize, info.as_ptr() as usize]);
    check_eq!(as_user(|| queue(parent()))?, refused);
    // Any of its session may let it go on.
    check_eq!(as_user(|| kill(parent(), g::SIGCONT))?, 0);
    check_eq!(as_user(|| sys(g::__NR_setsid, []).and_then(|_| kill(parent(), g::SIGCONT)))?, refused);
    // Itself, and those of the same user.
    check_eq!(as_user(|| kill(os::getpid() as usize, 0))?, 0);
    let same_user = || {
        let pid = os::fork()?;
        if pid == 0 {
            os::exit(i32::from(kill(parent(), 0).is_err()));
        }
        let status = os::wait(pid)?.1;
        if status == Status::Exited(0) { Ok(0) } else { Err(Errno(errno::EPERM)) }
    };
    check_eq!(as_user(same_user)?, 0);
    // By the real or the effective id of the one, and the real or the saved id of the other.
    let (read, write) = os::pipe(0)?;
    let pid = os::fork()?;
    if pid == 0 {
        let became = sys(g::__NR_setresuid, [7, 0, 8]);
        if became.is_ok() {
            let _ = os::write(write, b"x");
        }
        loop {
            let _ = crate::processes::sleep_ns(1_000_000_000);
        }
    }
    os::read(read, &mut [0])?;
    let asks = |real: usize, effective: usize| {
        os::in_child(|| {
            let _ = sys(g::__NR_setresuid, [real, effective, effective]);
            kill(pid as usize, 0).err().map_or(0, |Errno(number)| number as i32)
        })
    };
    let refused = Status::Exited(refused as i32);
    let allowed = Status::Exited(0);
    check_eq!((asks(7, 9)?, asks(9, 7)?, asks(8, 9)?, asks(9, 8)?), (allowed, allowed, allowed, allowed));
    check_eq!((asks(9, 9)?, asks(1, 2)?), (refused, refused));
    os::kill(pid, g::SIGKILL)?;
    check_eq!(os::wait(pid)?.1, Status::Signaled(g::SIGKILL));
    Ok(())
}

fn signals_to_zombies() -> Outcome {
    let pid = os::fork()?;
    if pid == 0 {
        let _ = sys(g::__NR_setpgid, [0, 0]);
        os::exit(0);
    }
    // It has ended, and is still to be waited for.
    let mut info = [0u32; 32];
    let options = (g::WEXITED | g::WNOWAIT) as usize;
    sys(g::__NR_waitid, [g::P_PID as usize, pid as usize, info.as_mut_ptr() as usize, options, 0])?;
    let zombie = pid as usize;
    let group = (pid as isize).wrapping_neg().cast_unsigned();
    for signal in [0, g::SIGKILL as usize] {
        let ways = [
            (g::__NR_kill, [zombie, signal, 0]),
            (g::__NR_kill, [group, signal, 0]),
            (g::__NR_tkill, [zombie, signal, 0]),
            (g::__NR_tgkill, [zombie, zombie, signal]),
        ];
        for (number, arguments) in ways {
            sys(number, arguments)?;
            check_eq!(as_user(|| sys(number, arguments))?, errno::EPERM);
        }
    }
    check_error!(sys(g::__NR_tgkill, [os::getpid() as usize, zombie, 0]), ESRCH);
    // Any of its session may let it go on, though it will not.
    check_eq!(as_user(|| sys(g::__NR_kill, [zombie, g::SIGCONT as usize]))?, 0);
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    check_error!(sys(g::__NR_kill, [zombie, 0]), ESRCH);
    check_error!(sys(g::__NR_kill, [group, 0]), ESRCH);
    Ok(())
}

fn signals_to_groups_of_others() -> Outcome {
    let kill = |pid: isize, signal: usize| sys(g::__NR_kill, [pid.cast_unsigned(), signal]);
    sys(g::__NR_setpgid, [0, 0])?;
    // Some of the group are reached: the process itself.
    check_eq!(as_user(|| kill(0, 0))?, 0);
    let from_elsewhere = || {
        let group = sys(g::__NR_getpgid, [0])? as isize;
        sys(g::__NR_setpgid, [0, 0])?;
        kill(-group, 0)
    };
    check_eq!(as_user(from_elsewhere)?, errno::EPERM);
    // Who means all is told of none, and none is hit.
    check_eq!(as_user(|| kill(-1, g::SIGTERM as usize))?, 0);
    Ok(())
}

fn limit(pid: usize, resource: u32, new: usize, old: usize) -> Result<usize> {
    sys(g::__NR_prlimit64, [pid, resource as usize, new, old])
}

fn limits_of_others() -> Outcome {
    let mut limits = [0u64; 2];
    let at = limits.as_mut_ptr() as usize;
    check_eq!(as_user(|| limit(parent(), g::RLIMIT_CORE, 0, at))?, errno::EPERM);
    check_eq!(as_user(|| limit(parent(), g::RLIMIT_CORE, at, 0))?, errno::EPERM);
    check_eq!(as_user(|| limit(os::getpid() as usize, g::RLIMIT_CORE, 0, at))?, 0);
    check_error!(limit(999_999, g::RLIMIT_CORE, 0, at), ESRCH);
    check_error!(limit(usize::MAX, g::RLIMIT_CORE, 0, at), ESRCH);
    // Only root may raise what must not be exceeded.
    let raised = || {
        let (low, high) = ([10u64, 100], [10u64, 101]);
        limit(0, g::RLIMIT_CORE, low.as_ptr() as usize, 0)?;
        limit(0, g::RLIMIT_CORE, high.as_ptr() as usize, 0)
    };
    check_eq!(as_user(raised)?, errno::EPERM);
    raised()?;
    Ok(())
}

fn nice_of(which: u32, who: usize) -> Result<usize> {
    sys(g::__NR_getpriority, [which as usize, who])
}

fn set_nice(which: u32, who: usize, nice: i32) -> Result<usize> {
    sys(g::__NR_setpriority, [which as usize, who, nice as usize])
}

fn niceness() -> Outcome {
    const NOBODY: usize = 999_999;
    for which in [3, u32::MAX] {
        check_error!(nice_of(which, 0), EINVAL);
        check_error!(set_nice(which, 0, 0), EINVAL);
    }
    for which in [g::PRIO_PROCESS, g::PRIO_PGRP, g::PRIO_USER] {
        check_error!(nice_of(which, NOBODY), ESRCH);
        check_error!(set_nice(which, NOBODY, 0), ESRCH);
        check_error!(nice_of(which, usize::MAX), ESRCH);
    }
    sys(g::__NR_setpgid, [0, 0])?;
    set_nice(g::PRIO_PROCESS, 0, 5)?;
    check_eq!((nice_of(g::PRIO_PROCESS, 0)?, nice_of(g::PRIO_PGRP, 0)?), (15, 15));
    let mut stat = [0; 512];
    let stat = text(c"/proc/self/stat", &mut stat)?;
    check!(stat.windows(6).any(|fields| fields == b" 25 5 "));
    // Numbers are cut to what there is.
    set_nice(g::PRIO_PROCESS, os::getpid() as usize, 100)?;
    check_eq!(nice_of(g::PRIO_PROCESS, 0)?, 1);
    set_nice(g::PRIO_PGRP, 0, -100)?;
    check_eq!(nice_of(g::PRIO_PROCESS, 0)?, 40);
    // The best of several is told; a child begins as its parent.
    let pid = os::fork()?;
    if pid == 0 {
        let is_same = nice_of(g::PRIO_PROCESS, 0) == Ok(40);
        let set = set_nice(g::PRIO_PROCESS, 0, 3).is_ok() && nice_of(g::PRIO_PGRP, 0) == Ok(40);
        os::exit(i32::from(!(is_same && set)));
    }
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    check_eq!(nice_of(g::PRIO_USER, 0)?, 40);
    Ok(())
}

fn niceness_of_others() -> Outcome {
    set_nice(g::PRIO_PROCESS, 0, 5)?;
    let own = || {
        set_nice(g::PRIO_USER, 0, 6)?;
        if nice_of(g::PRIO_PROCESS, 0)? == 14 { set_nice(g::PRIO_PROCESS, 0, 4) } else { Err(Errno(0)) }
    };
    check_eq!(as_user(own)?, errno::EACCES);
    check_eq!(as_user(|| set_nice(g::PRIO_PROCESS, parent(), 6))?, errno::EPERM);
    check_eq!(as_user(|| nice_of(g::PRIO_PROCESS, parent()))?, 0);
    // As far as the limit says.
    let limited = || {
        let pair = [14u64, 14];
        limit(0, g::RLIMIT_NICE, pair.as_ptr() as usize, 0)?;
        let status =
            as_user(|| set_nice(g::PRIO_PROCESS, 0, 6).and_then(|_| set_nice(g::PRIO_PROCESS, 0, 5)))?;
        if status == 0 { Ok(0) } else { Err(Errno(status)) }
    };
    check_error!(limited(), EACCES);
    let mut pair = [15u64, 15];
    sys(g::__NR_setrlimit, [g::RLIMIT_NICE as usize, pair.as_ptr() as usize])?;
    pair = [0, 0];
    sys(g::__NR_getrlimit, [g::RLIMIT_NICE as usize, pair.as_mut_ptr() as usize])?;
    check_eq!(core::hint::black_box(pair), [15, 15]);
    check_eq!(as_user(|| set_nice(g::PRIO_PROCESS, 0, 6).and_then(|_| set_nice(g::PRIO_PROCESS, 0, 5)))?, 0);
    check_eq!(nice_of(g::PRIO_PROCESS, 0)?, 15);
    Ok(())
}

fn processors() -> Outcome {
    let set = |pid: usize, len: usize, mask: u64| {
        sys(g::__NR_sched_setaffinity, [pid, len, (&raw const mask) as usize])
    };
    check_error!(set(0, 8, 0), EINVAL);
    check_error!(set(0, 0, 1), EINVAL);
    check_error!(set(999_999, 8, 1), ESRCH);
    check_error!(set(usize::MAX, 8, 1), ESRCH);
    check_error!(sys(g::__NR_sched_setaffinity, [0, 8, 8]), EFAULT);
    check_eq!(set(0, 1, u64::MAX)?, 0);
    let mut mask = [0u64; 16];
    let at = mask.as_mut_ptr() as usize;
    check_error!(sys(g::__NR_sched_getaffinity, [999_999, 128, at]), ESRCH);
    check_error!(sys(g::__NR_sched_getaffinity, [usize::MAX, 128, at]), ESRCH);
    check_error!(sys(g::__NR_sched_getaffinity, [0, 12, at]), EINVAL);
    check_eq!(set(0, 128, u64::MAX)?, 0);
    Ok(())
}

/// The path of a file of `/proc/PID`.
fn path_of(pid: usize, name: &[u8], into: &mut [u8; 48]) {
    *into = [0; 48];
    into[..6].copy_from_slice(b"/proc/");
    let digits = (1..10).take_while(|&count| pid >= 10usize.pow(count)).count() + 1;
    let mut rest = pid;
    for at in (6..6 + digits).rev() {
        into[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    into[6 + digits] = b'/';
    into[7 + digits..7 + digits + name.len()].copy_from_slice(name);
}

fn open_of(pid: usize, name: &[u8], flags: u32) -> Result<usize> {
    let mut path = [0; 48];
    path_of(pid, name, &mut path);
    let path = CStr::from_bytes_until_nul(&path).unwrap_or(c"");
    os::open(path, flags, 0).map(|fd| fd as usize)
}

fn link_of(pid: usize, name: &[u8]) -> Result<usize> {
    let mut path = [0; 48];
    path_of(pid, name, &mut path);
    let mut target = [0u8; 64];
    let at = (g::AT_FDCWD as isize).cast_unsigned();
    sys(g::__NR_readlinkat, [at, path.as_ptr() as usize, target.as_mut_ptr() as usize, 64])
}

/// What `/proc` shows only to who may look into a process, and what to all.
const INNER: [&[u8]; 7] = [b"maps", b"smaps", b"environ", b"mem", b"pagemap", b"fd", b"exe"];
const OUTER: [&[u8]; 6] = [b"stat", b"status", b"statm", b"cmdline", b"comm", b"limits"];

fn processes_of_others() -> Outcome {
    for name in INNER {
        check_eq!((name, as_user(|| open_of(parent(), name, g::O_RDONLY))?), (name, errno::EACCES));
        open_of(os::getpid() as usize, name, g::O_RDONLY)?;
    }
    for name in OUTER {
        check_eq!((name, as_user(|| open_of(parent(), name, g::O_RDONLY))?), (name, 0));
    }
    for name in [b"exe".as_slice(), b"cwd", b"root", b"fd/0"] {
        check_eq!((name, as_user(|| link_of(parent(), name))?), (name, errno::EACCES));
        link_of(os::getpid() as usize, name)?;
    }
    check_eq!(as_user(|| open_of(parent(), b"mem", g::O_RDWR))?, errno::EACCES);
    let mut words = [0u64; 2];
    let [head, len] = [0, 1].map(|index| &raw mut words[index] as usize);
    check_eq!(as_user(|| sys(g::__NR_get_robust_list, [parent(), head, len]))?, errno::EPERM);
    check_eq!(as_user(|| sys(g::__NR_get_robust_list, [0, head, len]))?, 0);
    Ok(())
}

fn looked_into_or_not() -> Outcome {
    check_eq!(prctl(p::PR_GET_DUMPABLE, 0)?, 1);
    for wrong in [2, 7, 1 << 32] {
        check_error!(prctl(p::PR_SET_DUMPABLE, wrong), EINVAL);
    }
    // A child of the same user looks into its parent, or not. `SUID_DUMP_USER` is 1, `SUID_DUMP_DISABLE` 0.
    let seen_by_child = |dumpable: usize| {
        as_user(|| {
            prctl(p::PR_SET_DUMPABLE, dumpable)?;
            let seen = os::in_child(|| {
                open_of(parent(), b"maps", g::O_RDONLY).err().map_or(0, |Errno(number)| number as i32)
            })?;
            if seen == Status::Exited(0) { Ok(0) } else { Err(Errno(errno::EACCES)) }
        })
    };
    check_eq!((seen_by_child(1)?, seen_by_child(0)?), (0, errno::EACCES));
    // Who has become somebody else is not looked into any more, and does not know of its parent's end.
    let changed = || {
        let told = prctl(p::PR_GET_DUMPABLE, 0)?;
        let own = open_of(os::getpid() as usize, b"environ", g::O_RDONLY);
        open_of(os::getpid() as usize, b"maps", g::O_RDONLY)?;
        open_of(os::getpid() as usize, b"fd", g::O_RDONLY)?;
        if told == 0 && own == Err(Errno(errno::EACCES)) { Ok(0) } else { Err(Errno(1)) }
    };
    check_eq!(as_user(changed)?, 0);
    prctl(p::PR_SET_PDEATHSIG, g::SIGUSR1 as usize)?;
    sys(g::__NR_setresuid, [usize::MAX, USER, usize::MAX])?;
    let mut signal = 1u32;
    prctl(p::PR_GET_PDEATHSIG, &raw mut signal as usize)?;
    check_eq!(core::hint::black_box(signal), 0);
    check_eq!(prctl(p::PR_GET_DUMPABLE, 0)?, 0);
    prctl(p::PR_SET_DUMPABLE, 1)?;
    check_eq!(prctl(p::PR_GET_DUMPABLE, 0)?, 1);
    // The ids are as they were.
    sys(g::__NR_setresuid, [usize::MAX, USER, usize::MAX])?;
    check_eq!(prctl(p::PR_GET_DUMPABLE, 0)?, 1);
    Ok(())
}

fn nothing_gained() -> Outcome {
    let ask = |arguments: [usize; 4]| {
        let [one, two, three, four] = arguments;
        sys(g::__NR_prctl, [p::PR_SET_NO_NEW_PRIVS as usize, one, two, three, four])
    };
    for wrong in [[0; 4], [2, 0, 0, 0], [1, 1, 0, 0], [1, 0, 0, 1]] {
        check_error!(ask(wrong), EINVAL);
    }
    check_error!(sys(g::__NR_prctl, [p::PR_GET_NO_NEW_PRIVS as usize, 1, 0, 0, 0]), EINVAL);
    check_eq!(prctl(p::PR_GET_NO_NEW_PRIVS, 0)?, 0);
    // A copy of this program acts as its owner, unless nothing is to be gained.
    const COPY: &CStr = c"/tmp/vmtests.gain";
    let acts_as = |gains_nothing: bool| {
        as_user(|| {
            if gains_nothing {
                ask([1, 0, 0, 0])?;
            }
            Err(os::exec(COPY, &[c"x", c"--as=user"], &[]))
        })
    };
    let copy = crate::exec::copy_program_to(COPY)?;
    os::close(copy)?;
    sys(g::__NR_fchmodat, [(g::AT_FDCWD as isize).cast_unsigned(), COPY.as_ptr() as usize, 0o4755])?;
    check_eq!((acts_as(false)?, acts_as(true)?), (0, (USER & 0xff) as u32));
    unlink(COPY)?;
    ask([1, 0, 0, 0])?;
    check_eq!(prctl(p::PR_GET_NO_NEW_PRIVS, 0)?, 1);
    check_error!(ask([0; 4]), EINVAL);
    check_eq!(
        os::in_child(|| prctl(p::PR_GET_NO_NEW_PRIVS, 0).map_or(9, |set| set as i32))?,
        Status::Exited(1)
    );
    Ok(())
}

fn capabilities() -> Outcome {
    for wrong in [41, 99, usize::MAX] {
        check_error!(prctl(p::PR_CAPBSET_READ, wrong), EINVAL);
    }
    check_eq!((prctl(p::PR_CAPBSET_READ, 0)?, prctl(p::PR_CAPBSET_READ, 40)?), (1, 1));
    check_error!(prctl(999, 0), EINVAL);
    Ok(())
}

const PATH: &CStr = c"/tmp/vmtests.rights";

fn lengths_that_are_none() -> Outcome {
    let file = temporary(PATH, b"text")? as usize;
    let null = os::open(c"/dev/null", g::O_RDWR, 0)? as usize;
    let buffer = [0u8; PAGE_SIZE];
    let at = buffer.as_ptr() as usize;
    for len in [usize::MAX, 1 << 63] {
        for fd in [file, null] {
            check_error!(sys(g::__NR_read, [fd, at, len]), EFAULT);
            check_error!(sys(g::__NR_write, [fd, at, len]), EFAULT);
            check_error!(sys(g::__NR_pread64, [fd, at, len, 0]), EFAULT);
            check_error!(sys(g::__NR_pwrite64, [fd, at, len, 0]), EFAULT);
            let vector = [at, len];
            check_error!(sys(g::__NR_readv, [fd, vector.as_ptr() as usize, 1]), EINVAL);
            check_error!(sys(g::__NR_writev, [fd, vector.as_ptr() as usize, 1]), EINVAL);
        }
        check_error!(sys(g::__NR_sendfile, [null, file, 0, len]), EINVAL);
        check_error!(sys(g::__NR_read, [99, at, len]), EBADF);
    }
    // An address that is never a program's, even for nothing.
    for address in [usize::MAX, PAGE_SIZE.wrapping_neg()] {
        check_error!(sys(g::__NR_read, [file, address, 0]), EFAULT);
        check_error!(sys(g::__NR_write, [null, address, 1]), EFAULT);
        let vector = [at, 1, address, 1];
        check_error!(sys(g::__NR_readv, [file, vector.as_ptr() as usize, 2]), EFAULT);
        check_error!(sys(g::__NR_writev, [null, vector.as_ptr() as usize, 2]), EFAULT);
    }
    // What one call moves at most, of one or of several.
    const MOST: usize = 0x7fff_f000;
    let vector = [at, MOST, at, MOST];
    check_eq!(sys(g::__NR_writev, [null, vector.as_ptr() as usize, 2])?, MOST);
    check_eq!(sys(g::__NR_write, [null, at, MOST + 5])?, MOST);
    unlink(PATH)?;
    Ok(())
}

fn flags_that_exclude_each_other() -> Outcome {
    let at = (g::AT_FDCWD as isize).cast_unsigned();
    let mut buffer = [0u64; 32];
    let statx = |flags: usize| {
        sys(g::__NR_statx, [at, c"/".as_ptr() as usize, flags, 0x7ff, &raw mut buffer as usize])
    };
    let (force, never) = (g::AT_STATX_FORCE_SYNC as usize, g::AT_STATX_DONT_SYNC as usize);
    let mut statx = statx;
    check_error!(statx(force | never), EINVAL);
    statx(force)?;
    statx(never)?;
    let file = temporary(PATH, b"text")? as usize;
    let flock = |operation: usize| sys(g::__NR_flock, [file, operation]);
    for wrong in [0, 3, 4, 9, 10, 17, 64, 129] {
        check_error!(flock(wrong), EINVAL);
    }
    // Mandatory locks have been given up, and whoever asks for one is told yes.
    check_eq!((flock(32)?, flock(33)?, flock(99)?), (0, 0, 0));
    unlink(PATH)?;
    Ok(())
}
