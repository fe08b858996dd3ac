//! Every system call that takes a pointer, with pointers that are none: EFAULT, and the kernel lives on.
//!
//! One table: a row is a call, its arguments with [`BAD`] where the pointer goes. Each row runs with every kind of bad address.

use core::ffi::CStr;

use rt::abi::errno::EFAULT;
use rt::abi::general as g;
use rt::{Errno, PAGE_SIZE, os};

use crate::check::Outcome;
use crate::memory::{READ_WRITE, map};
use crate::raw::{peek, poke, sys};
use crate::{check, check_eq, check_error, tests};

tests! {
    pointers_of_paths, pointers_to_read, pointers_to_write, pointers_of_vectors, pointers_of_exec, @Kernel pointers_of_pipes,
    @Kernel pointers_of_times, pointers_of_signals, strings_without_end,
    writes_that_end_in_a_hole, reads_that_end_in_a_hole, writes_to_read_only, @Kernel wild_lengths, @Kernel random_calls,
}

/// Stands for the bad address in a row.
const BAD: usize = 0xbad0_bad0_bad0_bad0;
/// The current directory, as a descriptor.
const AT: usize = (g::AT_FDCWD as isize).cast_unsigned();

/// Addresses that are not the user's: low, in no mapping, the kernel's, not canonical, at the very end.
const ADDRESSES: [usize; 7] =
    [8, 0x3000_0000, 0xffff_ffc0_8020_0000, 0xffff_ffff_8000_0000, 1 << 63, 1 << 40, usize::MAX - 16];

/// A call, and its arguments.
type Row = (u32, [usize; 6]);

fn run(rows: &[Row]) -> Outcome {
    for (number, arguments) in rows {
        for address in ADDRESSES {
            let actual = arguments.map(|argument| if argument == BAD { address } else { argument });
            check_eq!((number, address, sys(*number, actual)), (number, address, Err(Errno(EFAULT))));
        }
    }
    Ok(())
}

fn at(path: &CStr) -> usize {
    path.as_ptr() as usize
}

fn pointers_of_paths() -> Outcome {
    let mut room = [0u64; 64];
    let buffer = room.as_mut_ptr() as usize;
    run(&[
        (g::__NR_openat, [AT, BAD, 0, 0, 0, 0]),
        (g::__NR_chdir, [BAD, 0, 0, 0, 0, 0]),
        (g::__NR_faccessat, [AT, BAD, 0, 0, 0, 0]),
        (g::__NR_newfstatat, [AT, BAD, buffer, 0, 0, 0]),
        (g::__NR_readlinkat, [AT, BAD, buffer, 64, 0, 0]),
        (g::__NR_unlinkat, [AT, BAD, 0, 0, 0, 0]),
        (g::__NR_mkdirat, [AT, BAD, 0o755, 0, 0, 0]),
        (g::__NR_execve, [BAD, 0, 0, 0, 0, 0]),
    ])
}

fn pointers_to_read() -> Outcome {
    let (_, write) = os::pipe(0)?;
    let write = write as usize;
    let file = crate::memory::temporary(c"/tmp/vmtests.bad", b"")? as usize;
    run(&[
        (g::__NR_write, [write, BAD, 16, 0, 0, 0]),
        (g::__NR_write, [file, BAD, 16, 0, 0, 0]),
        (g::__NR_writev, [write, BAD, 1, 0, 0, 0]),
        (g::__NR_rt_sigprocmask, [0, BAD, 0, 8, 0, 0]),
        (g::__NR_prlimit64, [0, g::RLIMIT_NOFILE as usize, BAD, 0, 0, 0]),
    ])?;
    crate::exec::unlink(c"/tmp/vmtests.bad")?;
    Ok(())
}

fn pointers_to_write() -> Outcome {
    let zero = os::open(c"/dev/zero", g::O_RDONLY, 0)? as usize;
    let root = os::open(c"/", g::O_RDONLY, 0)? as usize;
    let file = crate::memory::temporary(c"/tmp/vmtests.bad", b"sixteen bytes...")? as usize;
    run(&[
        (g::__NR_pread64, [file, BAD, 16, 0, 0, 0]),
        (g::__NR_read, [zero, BAD, 16, 0, 0, 0]),
        (g::__NR_readv, [zero, BAD, 1, 0, 0, 0]),
        (g::__NR_fstat, [zero, BAD, 0, 0, 0, 0]),
        (g::__NR_newfstatat, [AT, at(c"/"), BAD, 0, 0, 0]),
        (g::__NR_getdents64, [root, BAD, 512, 0, 0, 0]),
        (g::__NR_getcwd, [BAD, 64, 0, 0, 0, 0]),
        (g::__NR_readlinkat, [AT, at(c"/proc/self/exe"), BAD, 64, 0, 0]),
        (g::__NR_uname, [BAD, 0, 0, 0, 0, 0]),
        (g::__NR_clock_gettime, [g::CLOCK_MONOTONIC as usize, BAD, 0, 0, 0, 0]),
        (g::__NR_getrandom, [BAD, 16, 0, 0, 0, 0]),
        (g::__NR_sysinfo, [BAD, 0, 0, 0, 0, 0]),
        (g::__NR_getrusage, [0, BAD, 0, 0, 0, 0]),
        (g::__NR_prlimit64, [0, g::RLIMIT_NOFILE as usize, 0, BAD, 0, 0]),
        (g::__NR_rt_sigprocmask, [0, 0, BAD, 8, 0, 0]),
        (g::__NR_times, [BAD, 0, 0, 0, 0, 0]),
    ])?;
    crate::exec::unlink(c"/tmp/vmtests.bad")?;
    // An ended child stays to be awaited with a good pointer.
    let pid = os::fork()?;
    if pid == 0 {
        os::exit(5);
    }
    check_error!(sys(g::__NR_wait4, [pid as usize, 0x3000_0000, 0, 0]), EFAULT);
    Ok(())
}

fn pointers_of_vectors() -> Outcome {
    let (read, write) = os::pipe(0)?;
    os::write(write, b"enough to read")?;
    for address in ADDRESSES {
        let mut vector = [[address, 4]];
        let at = vector.as_mut_ptr() as usize;
        check_error!(sys(g::__NR_writev, [write as usize, at, 1]), EFAULT);
        let other = os::open(c"/dev/zero", g::O_RDONLY, 0)?;
        check_error!(sys(g::__NR_readv, [other as usize, at, 1]), EFAULT);
        os::close(other)?;
        check!(read > 0);
    }
    Ok(())
}

fn pointers_of_exec() -> Outcome {
    for address in ADDRESSES {
        let vector = [at(c"name"), address, 0];
        let good = [at(c"name"), 0];
        let program = crate::program();
        check_error!(sys(g::__NR_execve, [program, address, 0]), EFAULT);
        check_error!(sys(g::__NR_execve, [program, good.as_ptr() as usize, address]), EFAULT);
        check_error!(sys(g::__NR_execve, [program, vector.as_ptr() as usize, 0]), EFAULT);
        check_error!(
            sys(g::__NR_execve, [program, good.as_ptr() as usize, vector.as_ptr() as usize]),
            EFAULT
        );
    }
    Ok(())
}

fn pointers_of_pipes() -> Outcome {
    let next = os::open(c"/dev/null", g::O_RDONLY, 0)?;
    for address in ADDRESSES {
        check_error!(sys(g::__NR_pipe2, [address, 0]), EFAULT);
    }
    // No descriptor was lost on the way.
    check_eq!(os::open(c"/dev/null", g::O_RDONLY, 0)?, next + 1);
    Ok(())
}

fn pointers_of_signals() -> Outcome {
    for address in ADDRESSES {
        check_error!(sys(g::__NR_rt_sigaction, [g::SIGUSR1 as usize, address, 0, 8]), EFAULT);
        check_error!(sys(g::__NR_rt_sigaction, [g::SIGUSR1 as usize, 0, address, 8]), EFAULT);
        check_error!(sys(g::__NR_sigaltstack, [address, 0]), EFAULT);
        check_error!(sys(g::__NR_sigaltstack, [0, address]), EFAULT);
    }
    Ok(())
}

fn pointers_of_times() -> Outcome {
    let clock = g::CLOCK_MONOTONIC as usize;
    run(&[(g::__NR_nanosleep, [BAD, 0, 0, 0, 0, 0]), (g::__NR_clock_nanosleep, [clock, 0, BAD, 0, 0, 0])])
}

/// The address of the last `bytes` bytes before a hole.
fn before_hole(bytes: usize) -> rt::Result<usize> {
    let start = map(3, READ_WRITE)?;
    sys(g::__NR_munmap, [start + 2 * PAGE_SIZE, PAGE_SIZE])?;
    Ok(start + 2 * PAGE_SIZE - bytes)
}

fn strings_without_end() -> Outcome {
    let path = before_hole(8)?;
    for offset in 0..8 {
        poke(path + offset, if offset == 0 { b'/' } else { b'a' });
    }
    check_error!(sys(g::__NR_openat, [AT, path, 0, 0]), EFAULT);
    check_error!(sys(g::__NR_execve, [path, 0, 0]), EFAULT);
    // Ending exactly at the hole is right.
    poke(path + 7, 0);
    check_error!(sys(g::__NR_openat, [AT, path, 0, 0]), ENOENT);
    Ok(())
}

fn writes_that_end_in_a_hole() -> Outcome {
    let buffer = before_hole(100)?;
    let zero = os::open(c"/dev/urandom", g::O_RDONLY, 0)? as usize;
    check_eq!(sys(g::__NR_read, [zero, buffer, 100]), Ok(100));
    check_error!(sys(g::__NR_uname, [buffer]), EFAULT);
    check_error!(sys(g::__NR_fstat, [zero, buffer]), EFAULT);
    check_error!(sys(g::__NR_getrandom, [buffer + 100, 1, 0]), EFAULT);
    Ok(())
}

fn reads_that_end_in_a_hole() -> Outcome {
    let buffer = before_hole(100)?;
    (0..100).for_each(|offset| poke(buffer + offset, 7));
    let (_, write) = os::pipe(0)?;
    check_eq!(sys(g::__NR_write, [write as usize, buffer, 100]), Ok(100));
    check_error!(sys(g::__NR_write, [write as usize, buffer + 100, 10]), EFAULT);
    Ok(())
}

fn writes_to_read_only() -> Outcome {
    // The kernel may write where the user may, and nowhere else.
    let text = writes_to_read_only as fn() -> Outcome as usize;
    let before = peek(text);
    let zero = os::open(c"/dev/zero", g::O_RDONLY, 0)? as usize;
    check_error!(sys(g::__NR_read, [zero, text, 16]), EFAULT);
    check_error!(sys(g::__NR_uname, [text]), EFAULT);
    check_eq!(peek(text), before);
    let page = map(1, g::PROT_READ)?;
    check_error!(sys(g::__NR_read, [zero, page, 16]), EFAULT);
    let none = map(1, g::PROT_NONE)?;
    let (_, write) = os::pipe(0)?;
    check_error!(sys(g::__NR_write, [write as usize, none, 16]), EFAULT);
    Ok(())
}

fn wild_lengths() -> Outcome {
    let page = map(1, READ_WRITE)?;
    sys(g::__NR_munmap, [page, 0]).err();
    let zero = os::open(c"/dev/zero", g::O_RDONLY, 0)? as usize;
    let null = os::open(c"/dev/null", g::O_WRONLY, 0)? as usize;
    for length in [usize::MAX, 1 << 63, (1 << 63) - 1] {
        // Whatever comes back, it is an error or what could be done, and the kernel lives on.
        let _ = sys(g::__NR_read, [zero, page, length]);
        let _ = sys(g::__NR_write, [null, page, length]);
        let _ = sys(g::__NR_getrandom, [page, length, 0]);
        let _ = sys(g::__NR_getcwd, [page, length]);
        let _ = sys(g::__NR_getdents64, [zero, page, length]);
        let _ = sys(g::__NR_writev, [null, page, length]);
        let _ = sys(g::__NR_madvise, [page, length, 4]);
        check!(sys(g::__NR_munmap, [page + PAGE_SIZE, length & !(PAGE_SIZE - 1)]).is_err());
        check!(sys(g::__NR_mprotect, [page, length, 1]).is_err());
    }
    // What mprotect could do, it did, before it failed: the page may be read-only now, but it is there.
    peek(page);
    Ok(())
}

/// Calls that would end or stop the process, or wait for ever, or leave marks outside it; the random ones spare them.
const SPARED: &[u32] = &[
    g::__NR_exit,
    g::__NR_exit_group,
    g::__NR_kill,
    g::__NR_tkill,
    g::__NR_tgkill,
    g::__NR_rt_sigreturn,
    g::__NR_rt_sigsuspend,
    g::__NR_rt_sigtimedwait,
    g::__NR_clone,
    g::__NR_clone3,
    g::__NR_execve,
    g::__NR_execveat,
    g::__NR_vhangup,
    g::__NR_reboot,
    g::__NR_nanosleep,
    g::__NR_clock_nanosleep,
    g::__NR_futex,
    g::__NR_ppoll,
    g::__NR_pselect6,
    g::__NR_wait4,
    g::__NR_waitid,
    g::__NR_rt_sigqueueinfo,
    g::__NR_rt_tgsigqueueinfo,
    g::__NR_munmap,
    g::__NR_mmap,
    g::__NR_mprotect,
    g::__NR_mremap,
    g::__NR_madvise,
    g::__NR_brk,
    g::__NR_read,
    g::__NR_readv,
    g::__NR_pread64,
    g::__NR_setpgid,
    g::__NR_setsid,
    g::__NR_chroot,
    g::__NR_sched_setaffinity,
    g::__NR_setitimer,
    g::__NR_rt_sigaction,
    g::__NR_prctl,
    g::__NR_prlimit64,
    g::__NR_setrlimit,
    g::__NR_close,
    g::__NR_close_range,
    g::__NR_dup3,
    g::__NR_sync,
    g::__NR_timer_create,
    g::__NR_seccomp,
    g::__NR_unshare,
    g::__NR_setns,
    g::__NR_ptrace,
    g::__NR_sendfile,
    g::__NR_splice,
    g::__NR_flock,
    g::__NR_fcntl,
    g::__NR_ioctl,
    g::__NR_write,
    g::__NR_writev,
];

fn random_calls() -> Outcome {
    // Not for what they answer, but for that they answer. The numbers are the same in every run.
    let page = map(2, READ_WRITE)?;
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    for _ in 0..4000 {
        let number = (next() % 300) as u32;
        let arguments = [0; 6].map(|_: usize| match next() % 8 {
            0 => next(),
            1 => next() % 64,
            2 => page + next() % PAGE_SIZE,
            3 => 0,
            4 => usize::MAX - next() % 4096,
            5 => 0xffff_ffc0_8000_0000 + next() % (1 << 27),
            6 => AT,
            _ => next() % PAGE_SIZE,
        });
        if !SPARED.contains(&number) {
            let _ = sys(number, arguments);
        }
    }
    Ok(())
}
