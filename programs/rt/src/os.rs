//! The system calls that the programs use, with types. Safe: each passes only memory that it borrows.
//!
//! Unsafe: the calls themselves; each block says why its arguments are harmless.
#![allow(unsafe_code)]

use core::ffi::CStr;

use crate::abi::general::{self as g, AT_FDCWD, SIGCHLD};
use crate::syscall::call;
use crate::{Errno, PAGE_SIZE, Result};

/// Process id.
pub type Pid = i32;

// A descriptor or pid fits 31 bits; the kernel promises it.
#[allow(clippy::cast_possible_truncation)]
const fn small(value: usize) -> i32 {
    value as i32
}

// Negative descriptors and pids are sign-extended, as in C.
const fn word(value: i32) -> usize {
    (value as isize).cast_unsigned()
}

/// Ends the process, all of it.
pub fn exit(status: i32) -> ! {
    loop {
        // SAFETY: touches no memory.
        let _ = unsafe { call(g::__NR_exit_group, [word(status)]) };
    }
}

/// write(2): how many bytes went out.
pub fn write(fd: i32, bytes: &[u8]) -> Result<usize> {
    // SAFETY: the kernel reads `bytes` only.
    unsafe { call(g::__NR_write, [word(fd), bytes.as_ptr() as usize, bytes.len()]) }
}

/// read(2): how many bytes came; 0 at end of file.
pub fn read(fd: i32, bytes: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes `bytes` only.
    unsafe { call(g::__NR_read, [word(fd), bytes.as_mut_ptr() as usize, bytes.len()]) }
}

/// openat(2) from the working directory.
pub fn open(path: &CStr, flags: u32, mode: u32) -> Result<i32> {
    // SAFETY: the kernel reads the string only.
    unsafe { call(g::__NR_openat, [word(AT_FDCWD), path.as_ptr() as usize, flags as usize, mode as usize]) }
        .map(small)
}

/// close(2).
pub fn close(fd: i32) -> Result<()> {
    // SAFETY: touches no memory.
    unsafe { call(g::__NR_close, [word(fd)]) }.map(drop)
}

/// lseek(2).
pub fn lseek(fd: i32, offset: i64, whence: u32) -> Result<usize> {
    // SAFETY: touches no memory.
    unsafe { call(g::__NR_lseek, [word(fd), offset.cast_unsigned() as usize, whence as usize]) }
}

/// pipe2(2): (read end, write end).
pub fn pipe(flags: u32) -> Result<(i32, i32)> {
    let mut ends = [0i32; 2];
    // SAFETY: the kernel writes `ends` only.
    unsafe { call(g::__NR_pipe2, [ends.as_mut_ptr() as usize, flags as usize]) }?;
    Ok((ends[0], ends[1]))
}

/// dup3(2).
pub fn dup3(old: i32, new: i32, flags: u32) -> Result<i32> {
    // SAFETY: touches no memory.
    unsafe { call(g::__NR_dup3, [word(old), word(new), flags as usize]) }.map(small)
}

/// fork(2), which on riscv64 is clone(2): 0 in the child.
pub fn fork() -> Result<Pid> {
    // SAFETY: the child has its own copy of all memory, and there is one thread.
    unsafe { call(g::__NR_clone, [SIGCHLD as usize, 0, 0, 0, 0]) }.map(small)
}

/// How a process ended, decoded from wait4(2)'s status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// It exited with this status.
    Exited(i32),
    /// This signal killed it.
    Signaled(u32),
    /// Anything else, undecoded.
    Other(i32),
}

impl Status {
    const fn decode(status: i32) -> Self {
        match status & 0x7f {
            0 => Self::Exited((status >> 8) & 0xff),
            0x7f => Self::Other(status),
            signal => Self::Signaled(signal.cast_unsigned()),
        }
    }
}

/// wait4(2) without options: waits for child `pid`, or for any child with -1.
pub fn wait(pid: Pid) -> Result<(Pid, Status)> {
    wait_with(pid, 0)
}

/// wait4(2) with options; with WNOHANG the pid may be 0.
pub fn wait_with(pid: Pid, options: u32) -> Result<(Pid, Status)> {
    let mut status = 0i32;
    // SAFETY: the kernel writes `status` only.
    let found = unsafe { call(g::__NR_wait4, [word(pid), &raw mut status as usize, options as usize, 0]) }?;
    Ok((small(found), Status::decode(status)))
}

/// Runs `child` in a forked process and waits for its end; the child's status is what it returns.
pub fn in_child(child: impl FnOnce() -> i32) -> Result<Status> {
    match fork()? {
        0 => exit(child()),
        pid => wait(pid).map(|(_, status)| status),
    }
}

/// execve(2) with vectors of strings; returns only if it fails. At most 15 arguments.
pub fn exec(path: &CStr, argv: &[&CStr], envp: &[&CStr]) -> Errno {
    let mut vectors = [[0usize; 16]; 2];
    for (vector, strings) in vectors.iter_mut().zip([argv, envp]) {
        assert!(strings.len() < vector.len(), "at most 15 strings");
        for (slot, string) in vector.iter_mut().zip(strings) {
            *slot = string.as_ptr() as usize;
        }
    }
    // SAFETY: the kernel reads the path, the vectors and their strings; the vectors end in NULL.
    let result = unsafe {
        call(
            g::__NR_execve,
            [path.as_ptr() as usize, vectors[0].as_ptr() as usize, vectors[1].as_ptr() as usize],
        )
    };
    result.err().unwrap_or(Errno(0))
}

/// kill(2).
pub fn kill(pid: Pid, signal: u32) -> Result<()> {
    // SAFETY: touches no memory of ours; what a signal does is the receiver's handler's affair.
    unsafe { call(g::__NR_kill, [word(pid), signal as usize]) }.map(drop)
}

/// getpid(2).
pub fn getpid() -> Pid {
    // SAFETY: touches no memory. It cannot fail.
    unsafe { call(g::__NR_getpid, []) }.map_or(0, small)
}

/// getppid(2).
pub fn getppid() -> Pid {
    // SAFETY: touches no memory. It cannot fail.
    unsafe { call(g::__NR_getppid, []) }.map_or(0, small)
}

/// sched_yield(2).
pub fn sched_yield() {
    // SAFETY: touches no memory. It cannot fail.
    let _ = unsafe { call(g::__NR_sched_yield, []) };
}

/// clock_gettime(CLOCK_MONOTONIC) in nanoseconds.
pub fn monotonic_ns() -> Result<u64> {
    let mut time = g::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes `time` only.
    unsafe { call(g::__NR_clock_gettime, [g::CLOCK_MONOTONIC as usize, &raw mut time as usize]) }?;
    Ok(time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned())
}

/// Whose page faults are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    /// This process's.
    Own,
    /// Those of its children that have ended and were waited for.
    Children,
}

/// Page faults so far, as getrusage(2) counts them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Faults {
    /// Those that were resolved with what is in memory.
    pub minor: u64,
    /// Those that waited for a disk.
    pub major: u64,
}

impl Faults {
    /// Those that have come after `before`.
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        Self { minor: self.minor - before.minor, major: self.major - before.major }
    }
}

/// getrusage(2).
pub fn faults(whose: Whose) -> Result<Faults> {
    let who = match whose {
        Whose::Own => g::RUSAGE_SELF.cast_signed(),
        Whose::Children => g::RUSAGE_CHILDREN,
    };
    let mut usage = core::mem::MaybeUninit::<g::rusage>::zeroed();
    // SAFETY: the kernel writes `usage` only.
    unsafe { call(g::__NR_getrusage, [word(who), usage.as_mut_ptr() as usize]) }?;
    // SAFETY: it is made of integers, and zeroed.
    let usage = unsafe { usage.assume_init() };
    Ok(Faults { minor: usage.ru_minflt.cast_unsigned(), major: usage.ru_majflt.cast_unsigned() })
}

/// mlockall(2): what is mapped now comes and stays.
pub fn lock_all() -> Result<()> {
    // SAFETY: moves no byte.
    unsafe { call(g::__NR_mlockall, [g::MCL_CURRENT as usize]) }.map(drop)
}

/// setrlimit(2) for RLIMIT_RSS: the most pages that this process may have in memory.
pub fn limit_resident(pages: Option<usize>) -> Result<()> {
    let soft = pages.map_or(u64::MAX, |pages| (pages * PAGE_SIZE) as u64);
    let limit = g::rlimit64 { rlim_cur: soft, rlim_max: u64::MAX };
    // SAFETY: the kernel reads `limit` only.
    unsafe { call(g::__NR_prlimit64, [0, g::RLIMIT_RSS as usize, &raw const limit as usize, 0]) }.map(drop)
}
