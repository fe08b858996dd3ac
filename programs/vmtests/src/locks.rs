//! File locks: who is kept out, who waits, and when they go.

use core::ffi::CStr;

use rt::abi::general as g;
use rt::os::{self, Status};
use rt::{Errno, Result};

use crate::check::Outcome;
use crate::exec::unlink;
use crate::memory::{child, temporary};
use crate::raw::sys;
use crate::{check, check_eq, check_error, tests};

tests! {
    record_locks_are_told, record_locks_exclude, record_locks_wait, record_locks_split, record_locks_end_with_a_close,
    record_locks_deadlock, record_lock_errors, open_file_locks, whole_file_locks, whole_file_locks_wait,
}

const PATH: &CStr = c"/tmp/vmtests.locks";

/// `struct flock`.
fn request(kind: u32, whence: u32, start: i64, len: i64) -> g::flock {
    g::flock { l_type: kind as i16, l_whence: whence as i16, l_start: start, l_len: len, l_pid: 0 }
}

fn fcntl(fd: i32, command: u32, lock: &mut g::flock) -> Result<usize> {
    sys(g::__NR_fcntl, [fd as usize, command as usize, core::ptr::from_mut(lock) as usize])
}

/// Asks for a lock of the bytes from `start` on.
fn lock(fd: i32, command: u32, kind: u32, start: i64, len: i64) -> Result<usize> {
    fcntl(fd, command, &mut request(kind, g::SEEK_SET, start, len))
}

fn flock(fd: i32, operation: u32) -> Result<usize> {
    sys(g::__NR_flock, [fd as usize, operation as usize])
}

/// What a process of its own is answered: 0 or the error's number.
fn in_child(ask: impl FnOnce() -> Result<usize>) -> Result<i32> {
    match os::in_child(|| ask().err().map_or(0, |Errno(number)| number as i32))? {
        Status::Exited(number) => Ok(number),
        _ => Ok(-1),
    }
}

const AGAIN: i32 = 11;

/// Kind, first byte, length and holder of the lock that is in the way of `kind` in a child.
fn told_to_child(fd: i32, command: u32, kind: u32, start: i64, len: i64) -> Result<(i16, i64, i64, i32)> {
    let (read, write) = os::pipe(0)?;
    let mut asked = request(kind, g::SEEK_SET, start, len);
    let status = os::in_child(|| {
        let told = fcntl(fd, command, &mut asked).is_ok();
        let words = [asked.l_type as u64, asked.l_start as u64, asked.l_len as u64, asked.l_pid as u64];
        for word in words {
            let _ = os::write(write, &word.to_le_bytes());
        }
        i32::from(!told)
    })?;
    let mut words = [[0; 8]; 4];
    for word in &mut words {
        os::read(read, word)?;
    }
    let [kind, start, len, pid] = words.map(i64::from_le_bytes);
    let failed = status != Status::Exited(0);
    Ok((if failed { -1 } else { kind as i16 }, start, len, pid as i32))
}

fn record_locks_are_told() -> Outcome {
    let fd = temporary(PATH, b"text")?;
    let unlocked = (g::F_UNLCK as i16, 2, 3, 0);
    check_eq!(told_to_child(fd, g::F_GETLK, g::F_WRLCK, 2, 3)?, unlocked);
    lock(fd, g::F_SETLK, g::F_WRLCK, 4, 2)?;
    os::lseek(fd, 6, g::SEEK_SET)?;
    fcntl(fd, g::F_SETLK, &mut request(g::F_WRLCK, g::SEEK_CUR, 4, -4))?; // bytes 6 to 9
    fcntl(fd, g::F_SETLK, &mut request(g::F_RDLCK, g::SEEK_END, 100, 0))?; // from byte 104 on
    let this = os::getpid();
    check_eq!(told_to_child(fd, g::F_GETLK, g::F_RDLCK, 0, 0)?, (g::F_WRLCK as i16, 4, 6, this));
    check_eq!(told_to_child(fd, g::F_GETLK, g::F_WRLCK, 10, 0)?, (g::F_RDLCK as i16, 104, 0, this));
    check_eq!(told_to_child(fd, g::F_GETLK, g::F_RDLCK, 10, 0)?.0, g::F_UNLCK as i16);
    // One's own are no obstacle.
    let mut own = request(g::F_WRLCK, g::SEEK_SET, 0, 0);
    fcntl(fd, g::F_GETLK, &mut own)?;
    check_eq!(core::hint::black_box(own).l_type, g::F_UNLCK as i16);
    unlink(PATH)?;
    Ok(())
}

fn record_locks_exclude() -> Outcome {
    let fd = temporary(PATH, b"")?;
    let try_in_child = |kind, start| in_child(|| lock(fd, g::F_SETLK, kind, start, 1));
    lock(fd, g::F_SETLK, g::F_RDLCK, 10, 10)?;
    check_eq!((try_in_child(g::F_RDLCK, 15)?, try_in_child(g::F_WRLCK, 15)?), (0, AGAIN));
    lock(fd, g::F_SETLK, g::F_WRLCK, 10, 10)?;
    check_eq!((try_in_child(g::F_RDLCK, 19)?, try_in_child(g::F_WRLCK, 20)?), (AGAIN, 0));
    // By another open file it is the same file, and a program's end gives back what it had.
    check_eq!(in_child(|| lock(os::open(PATH, g::O_RDWR, 0)?, g::F_SETLK, g::F_WRLCK, 10, 1))?, AGAIN);
    check_eq!(try_in_child(g::F_WRLCK, 30)?, 0);
    lock(fd, g::F_SETLK, g::F_WRLCK, 30, 1)?;
    unlink(PATH)?;
    Ok(())
}

fn record_locks_wait() -> Outcome {
    let fd = temporary(PATH, b"")?;
    let (read, write) = os::pipe(0)?;
    lock(fd, g::F_SETLK, g::F_WRLCK, 0, 0)?;
    let pid = os::fork()?;
    if pid == 0 {
        os::write(write, b"c")?;
        lock(fd, g::F_SETLKW, g::F_WRLCK, 5, 1)?;
        os::write(write, b"C")?;
        os::exit(0);
    }
    let mut letters = [0; 4];
    os::read(read, &mut letters[..1])?;
    (0..20).for_each(|_| os::sched_yield());
    os::write(write, b"p")?;
    lock(fd, g::F_SETLK, g::F_UNLCK, 5, 1)?;
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    os::read(read, &mut letters[1..])?;
    check_eq!(&letters, b"cpC\0");
    unlink(PATH)?;
    Ok(())
}

fn record_locks_split() -> Outcome {
    let fd = temporary(PATH, b"")?;
    lock(fd, g::F_SETLK, g::F_WRLCK, 0, 30)?;
    lock(fd, g::F_SETLK, g::F_UNLCK, 10, 10)?;
    lock(fd, g::F_SETLK, g::F_RDLCK, 25, 10)?;
    let free = |start| in_child(|| lock(fd, g::F_SETLK, g::F_WRLCK, start, 1)).map(|answer| answer == 0);
    check_eq!((free(9)?, free(10)?, free(19)?, free(20)?), (false, true, true, false));
    check_eq!(in_child(|| lock(fd, g::F_SETLK, g::F_RDLCK, 24, 1))?, AGAIN);
    check_eq!(in_child(|| lock(fd, g::F_SETLK, g::F_RDLCK, 25, 1))?, 0);
    unlink(PATH)?;
    Ok(())
}

fn record_locks_end_with_a_close() -> Outcome {
    let fd = temporary(PATH, b"")?;
    let taken = || in_child(|| lock(fd, g::F_SETLK, g::F_WRLCK, 0, 1)).map(|answer| answer == AGAIN);
    lock(fd, g::F_SETLK, g::F_WRLCK, 0, 0)?;
    check!(taken()?);
    // A child has none of its parent's, and closing is its own affair.
    check_eq!(child(|| os::close(fd)), Ok(Status::Exited(0)));
    check!(taken()?);
    // Any descriptor of the process for the file will do.
    let other = os::open(PATH, g::O_RDONLY, 0)?;
    os::close(other)?;
    check!(!taken()?);
    lock(fd, g::F_SETLK, g::F_WRLCK, 0, 0)?;
    os::dup3(fd, 50, 0)?;
    os::dup3(0, 50, 0)?;
    check!(!taken()?);
    unlink(PATH)?;
    Ok(())
}

fn record_locks_deadlock() -> Outcome {
    let fd = temporary(PATH, b"")?;
    let (read, write) = os::pipe(0)?;
    lock(fd, g::F_SETLK, g::F_WRLCK, 0, 1)?;
    let pid = os::fork()?;
    if pid == 0 {
        lock(fd, g::F_SETLK, g::F_WRLCK, 1, 1)?;
        os::write(write, b"c")?;
        // Until the parent gives up.
        lock(fd, g::F_SETLKW, g::F_WRLCK, 0, 1)?;
        os::exit(0);
    }
    os::read(read, &mut [0])?;
    // The child sleeps soon; before that this process would wait for it.
    os::in_child(|| {
        (0..20).for_each(|_| os::sched_yield());
        0
    })?;
    check_error!(lock(fd, g::F_SETLKW, g::F_WRLCK, 1, 1), EDEADLK);
    lock(fd, g::F_SETLK, g::F_UNLCK, 0, 1)?;
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    unlink(PATH)?;
    Ok(())
}

fn record_lock_errors() -> Outcome {
    let fd = temporary(PATH, b"")?;
    let (reader, writer) = (os::open(PATH, g::O_RDONLY, 0)?, os::open(PATH, g::O_WRONLY, 0)?);
    check_error!(lock(reader, g::F_SETLK, g::F_WRLCK, 0, 1), EBADF);
    check_error!(lock(writer, g::F_SETLK, g::F_RDLCK, 0, 1), EBADF);
    check_error!(lock(os::open(PATH, g::O_PATH, 0)?, g::F_SETLK, g::F_RDLCK, 0, 1), EBADF);
    check_error!(lock(99, g::F_SETLK, g::F_RDLCK, 0, 1), EBADF);
    check_error!(lock(fd, g::F_SETLK, 7, 0, 1), EINVAL);
    check_error!(lock(fd, g::F_GETLK, g::F_UNLCK, 0, 1), EINVAL);
    check_error!(lock(fd, g::F_SETLK, g::F_WRLCK, -1, 1), EINVAL);
    check_error!(lock(fd, g::F_SETLK, g::F_WRLCK, 5, -6), EINVAL);
    check_error!(lock(fd, g::F_SETLK, g::F_WRLCK, i64::MAX, 2), EOVERFLOW);
    check_error!(fcntl(fd, g::F_SETLK, &mut request(g::F_WRLCK, 3, 0, 0)), EINVAL);
    check_error!(sys(g::__NR_fcntl, [fd as usize, g::F_SETLK as usize, 8]), EFAULT);
    let mut named = request(g::F_WRLCK, g::SEEK_SET, 0, 0);
    named.l_pid = os::getpid();
    check_error!(fcntl(fd, g::F_OFD_SETLK, &mut named), EINVAL);
    check_error!(flock(fd, 0), EINVAL);
    check_error!(flock(fd, g::LOCK_SH | g::LOCK_EX), EINVAL);
    check_error!(flock(99, g::LOCK_SH), EBADF);
    check_eq!(lock(fd, g::F_SETLK, g::F_WRLCK, i64::MAX, 1)?, 0);
    unlink(PATH)?;
    Ok(())
}

fn open_file_locks() -> Outcome {
    let fd = temporary(PATH, b"")?;
    let other = os::open(PATH, g::O_RDWR, 0)?;
    lock(fd, g::F_OFD_SETLK, g::F_WRLCK, 0, 10)?;
    // Two open files of one process are in each other's way; a child that has the same one is not, and a process's own locks are.
    check_error!(lock(other, g::F_OFD_SETLK, g::F_RDLCK, 9, 1), EAGAIN);
    check_error!(lock(fd, g::F_SETLK, g::F_RDLCK, 9, 1), EAGAIN);
    check_eq!(in_child(|| lock(fd, g::F_OFD_SETLK, g::F_WRLCK, 9, 1))?, 0);
    let told = told_to_child(other, g::F_OFD_GETLK, g::F_RDLCK, 0, 0)?;
    check_eq!(told, (g::F_WRLCK as i16, 0, 10, -1));
    // F_UNLCK asks what the open file itself has.
    let mut own = request(g::F_UNLCK, g::SEEK_SET, 5, 1);
    fcntl(fd, g::F_OFD_GETLK, &mut own)?;
    check_eq!((u32::from(own.l_type.cast_unsigned()), own.l_start, own.l_len), (g::F_WRLCK, 0, 10));
    let mut none = request(g::F_UNLCK, g::SEEK_SET, 0, 0);
    fcntl(other, g::F_OFD_GETLK, &mut none)?;
    check_eq!(u32::from(none.l_type.cast_unsigned()), g::F_UNLCK);
    // Only the last descriptor's close ends it.
    let (read, write) = os::pipe(0)?;
    let pid = os::fork()?;
    if pid == 0 {
        os::close(other)?;
        os::read(read, &mut [0])?;
        os::exit(0); // and with it the last descriptor
    }
    os::close(fd)?;
    check_error!(lock(other, g::F_OFD_SETLK, g::F_RDLCK, 0, 1), EAGAIN);
    os::write(write, b"x")?;
    lock(other, g::F_OFD_SETLKW, g::F_WRLCK, 0, 1)?;
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    unlink(PATH)?;
    Ok(())
}

fn whole_file_locks() -> Outcome {
    let fd = temporary(PATH, b"")?;
    let other = os::open(PATH, g::O_RDONLY, 0)?;
    flock(fd, g::LOCK_SH)?;
    check_eq!(flock(other, g::LOCK_SH)?, 0);
    check_error!(flock(fd, g::LOCK_EX | g::LOCK_NB), EAGAIN);
    // The attempt has cost the shared one.
    check_eq!(flock(other, g::LOCK_EX | g::LOCK_NB)?, 0);
    check_error!(flock(fd, g::LOCK_SH | g::LOCK_NB), EAGAIN);
    // A child shares its parent's, and can give it back.
    check_eq!(in_child(|| flock(other, g::LOCK_EX | g::LOCK_NB))?, 0);
    check_eq!(in_child(|| flock(other, g::LOCK_UN))?, 0);
    check_eq!(flock(fd, g::LOCK_EX | g::LOCK_NB)?, 0);
    // It is another kind than those of ranges.
    check_eq!(in_child(|| lock(fd, g::F_SETLK, g::F_WRLCK, 0, 0))?, 0);
    os::close(fd)?;
    check_eq!(flock(other, g::LOCK_EX | g::LOCK_NB)?, 0);
    unlink(PATH)?;
    Ok(())
}

fn whole_file_locks_wait() -> Outcome {
    let fd = temporary(PATH, b"")?;
    const CHILDREN: u8 = 4;
    const ROUNDS: u8 = 10;
    for _ in 0..CHILDREN {
        if os::fork()? == 0 {
            let own = os::open(PATH, g::O_RDWR, 0)?;
            for _ in 0..ROUNDS {
                flock(own, g::LOCK_EX)?;
                let mut count = [0];
                os::lseek(own, 0, g::SEEK_SET)?;
                let _ = os::read(own, &mut count)?;
                os::sched_yield();
                os::lseek(own, 0, g::SEEK_SET)?;
                os::write(own, &[count[0] + 1])?;
                flock(own, g::LOCK_UN)?;
            }
            os::exit(0);
        }
    }
    for _ in 0..CHILDREN {
        check_eq!(os::wait(-1)?.1, Status::Exited(0));
    }
    let mut count = [0];
    os::read(fd, &mut count)?;
    check_eq!(count[0], CHILDREN * ROUNDS);
    unlink(PATH)?;
    Ok(())
}
