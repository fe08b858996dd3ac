//! Pointers that are none, where the table of system calls does not show them (`hostile` has the others): in vectors, behind the
//! end of strings and buffers; and calls with random arguments.

use core::ffi::CStr;

use rt::abi::general as g;
use rt::{PAGE_SIZE, os};

use crate::check::Outcome;
use crate::memory::{READ_WRITE, map};
use crate::raw::{peek, poke, sys};
use crate::{check, check_eq, check_error, tests};

tests! {
    pointers_of_vectors, pointers_of_exec, strings_without_end, writes_that_end_in_a_hole, reads_that_end_in_a_hole,
    writes_to_read_only, @Kernel random_calls,
}

/// The current directory, as a descriptor.
const AT: usize = (g::AT_FDCWD as isize).cast_unsigned();

/// Addresses that are not the user's: low, in no mapping, the kernel's, not canonical, at the very end.
pub const ADDRESSES: [usize; 7] =
    [8, 0x3000_0000, 0xffff_ffc0_8020_0000, 0xffff_ffff_8000_0000, 1 << 63, 1 << 40, usize::MAX - 16];

fn at(path: &CStr) -> usize {
    path.as_ptr() as usize
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
    g::__NR_flock,
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
    g::__NR_tee,
    g::__NR_vmsplice,
    g::__NR_accept,
    g::__NR_accept4,
    g::__NR_connect,
    g::__NR_sendto,
    g::__NR_sendmsg,
    g::__NR_sendmmsg,
    g::__NR_recvfrom,
    g::__NR_recvmsg,
    g::__NR_recvmmsg,
    g::__NR_epoll_pwait,
    g::__NR_preadv2,
    g::__NR_preadv,
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
