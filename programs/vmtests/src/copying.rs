//! Copying inside the kernel: ranges of files, what pipes hold; and reading and writing in a manner.

use core::ffi::CStr;

use rt::Result;
use rt::abi::general as g;
use rt::os;

use crate::check::Outcome;
use crate::exec::unlink;
use crate::memory::temporary;
use crate::raw::{Action, on_signal, sys};
use crate::{check_eq, check_error, tests};

tests! {
    ranges_are_copied, ranges_are_refused, files_go_into_pipes, streams_go_into_pipes, pipes_go_on, pipes_are_teed, memory_goes_into_pipes, @Kernel vectors_in_a_manner, hints_about_files,
    a_full_pipe_comes_before_the_end, the_end_of_a_pipe_waits_for_room, pipes_say_whether_to_wait, @Kernel memory_waits_by_its_own_flag, texts_and_devices_are_sent,
    @Kernel nothing_is_sent, ranges_end_where_files_do, ranges_that_no_file_has,
}

const FROM: &CStr = c"/tmp/vmtests.from";
const TO: &CStr = c"/tmp/vmtests.to";

fn copy(from: i32, from_at: usize, to: i32, to_at: usize, len: usize) -> Result<usize> {
    sys(g::__NR_copy_file_range, [from as usize, from_at, to as usize, to_at, len, 0])
}

fn at(offset: &mut u64) -> usize {
    core::ptr::from_mut(offset) as usize
}

fn text(fd: i32, into: &mut [u8]) -> Result<usize> {
    let count = sys(g::__NR_pread64, [fd as usize, into.as_mut_ptr() as usize, into.len(), 0]);
    core::hint::black_box(into);
    count
}

fn ranges_are_copied() -> Outcome {
    let (from, to) = (temporary(FROM, b"0123456789")?, temporary(TO, b"")?);
    os::lseek(from, 2, g::SEEK_SET)?;
    check_eq!(copy(from, 0, to, 0, 4)?, 4);
    check_eq!(copy(from, 0, to, 0, 100)?, 4);
    check_eq!(copy(from, 0, to, 0, 100)?, 0);
    let (mut here, mut there) = (1, 20);
    check_eq!(copy(from, at(&mut here), to, at(&mut there), 3)?, 3);
    check_eq!((core::hint::black_box(here), core::hint::black_box(there)), (4, 23));
    let mut bytes = [0; 32];
    check_eq!(text(to, &mut bytes)?, 23);
    check_eq!(&bytes[..8], b"23456789");
    check_eq!(&bytes[18..23], b"\0\0123");
    // Within one file, as long as the ranges do not meet.
    let (mut here, mut there) = (0, 5);
    check_error!(copy(from, at(&mut here), from, at(&mut there), 6), EINVAL);
    let (mut here, mut there) = (0, 5);
    check_eq!(copy(from, at(&mut here), from, at(&mut there), 5)?, 5);
    check_eq!(text(from, &mut bytes)?, 10);
    check_eq!(&bytes[..10], b"0123401234");
    unlink(FROM)?;
    unlink(TO)?;
    Ok(())
}

fn ranges_are_refused() -> Outcome {
    let (from, to) = (temporary(FROM, b"0123456789")?, temporary(TO, b"")?);
    check_error!(sys(g::__NR_copy_file_range, [from as usize, 0, to as usize, 0, 1, 1]), EINVAL);
    check_error!(copy(999, 0, to, 0, 1), EBADF);
    check_error!(copy(from, 8, to, 0, 1), EFAULT);
    check_error!(copy(os::open(c"/tmp", g::O_RDONLY, 0)?, 0, to, 0, 1), EISDIR);
    let (read, _write) = os::pipe(0)?;
    check_error!(copy(read, 0, to, 0, 1), EINVAL);
    check_error!(copy(to, 0, os::open(FROM, g::O_RDONLY, 0)?, 0, 1), EBADF);
    check_error!(copy(from, 0, os::open(TO, g::O_WRONLY | g::O_APPEND, 0)?, 0, 1), EBADF);
    unlink(FROM)?;
    unlink(TO)?;
    Ok(())
}

fn splice(from: i32, from_at: usize, to: i32, to_at: usize, len: usize, flags: u32) -> Result<usize> {
    sys(g::__NR_splice, [from as usize, from_at, to as usize, to_at, len, flags as usize])
}

/// From a socket: what the pipe has no room for stays there, and its end is told.
fn streams_go_into_pipes() -> Outcome {
    use crate::sockets::{STREAM, pair, receive, send};
    const SMALL: usize = 4096;
    let (one, other) = pair(STREAM)?;
    let (read, write) = os::pipe(0)?;
    let mut there = 0;
    send(one, b"hello", 0)?;
    check_eq!(splice(other, 0, write, 0, 2, 0)?, 2);
    check_eq!(splice(other, 0, write, 0, 99, 0)?, 3);
    let mut bytes = [0u8; 16];
    check_eq!(os::read(read, &mut bytes)?, 5);
    check_eq!(&bytes[..5], b"hello");
    check_error!(splice(other, 0, write, 0, 99, g::SPLICE_F_NONBLOCK), EAGAIN);
    check_error!(splice(other, at(&mut there), write, 0, 99, 0), EINVAL);
    // A pipe of one page.
    sys(g::__NR_fcntl, [write as usize, g::F_SETPIPE_SZ as usize, SMALL])?;
    let page = [7u8; SMALL];
    check_eq!(send(one, &page, 0)? + send(one, b"more", 0)?, SMALL + 4);
    check_eq!(splice(other, 0, write, 0, 2 * SMALL, g::SPLICE_F_NONBLOCK)?, SMALL);
    check_error!(splice(other, 0, write, 0, 1, g::SPLICE_F_NONBLOCK), EAGAIN);
    check_eq!(receive(other, &mut bytes, 0)?, 4);
    check_eq!(&bytes[..4], b"more");
    let mut back = [0u8; SMALL];
    check_eq!(os::read(read, &mut back)?, SMALL);
    check_eq!(back, page);
    os::close(one)?;
    check_eq!(splice(other, 0, write, 0, 99, 0)?, 0);
    Ok(())
}

fn files_go_into_pipes() -> Outcome {
    let file = temporary(FROM, b"0123456789")?;
    let (read, write) = os::pipe(0)?;
    os::lseek(file, 3, g::SEEK_SET)?;
    check_eq!(splice(file, 0, write, 0, 4, 0)?, 4);
    let mut here = 8;
    check_eq!(splice(file, at(&mut here), write, 0, 9, 0)?, 2);
    check_eq!(core::hint::black_box(here), 10);
    let mut bytes = [0; 16];
    check_eq!(os::read(read, &mut bytes)?, 6);
    check_eq!(&bytes[..6], b"345689");
    check_error!(splice(file, 0, write, at(&mut here), 1, 0), ESPIPE);
    check_error!(splice(file, 0, file, 0, 1, 0), EINVAL);
    check_error!(splice(read, 0, write, 0, 1, 0x10), EINVAL);
    check_error!(splice(write, 0, file, 0, 1, 0), EBADF);
    unlink(FROM)?;
    Ok(())
}

fn pipes_go_on() -> Outcome {
    let (read, write) = os::pipe(0)?;
    check_error!(splice(read, 0, 1, 0, 1, g::SPLICE_F_NONBLOCK), EAGAIN);
    let file = temporary(TO, b"")?;
    os::write(write, b"into a file")?;
    check_eq!(splice(read, 0, file, 0, 100, 0)?, 11);
    let mut there = 5;
    os::write(write, b"THE")?;
    check_eq!(splice(read, 0, file, at(&mut there), 100, 0)?, 3);
    let mut bytes = [0; 32];
    check_eq!(text(file, &mut bytes)?, 11);
    check_eq!(&bytes[..11], b"into THEile");
    let (other_read, other_write) = os::pipe(0)?;
    os::write(write, b"from pipe to pipe")?;
    check_eq!(splice(read, 0, other_write, 0, 9, 0)?, 9);
    check_eq!(os::read(other_read, &mut bytes)?, 9);
    check_eq!(os::read(read, &mut bytes)?, 8);
    os::close(write)?;
    check_eq!(splice(read, 0, other_write, 0, 9, 0)?, 0);
    unlink(TO)?;
    Ok(())
}

fn pipes_are_teed() -> Outcome {
    let ((read, write), (other_read, other_write)) = (os::pipe(0)?, os::pipe(0)?);
    let tee =
        |from: i32, to: i32, flags: u32| sys(g::__NR_tee, [from as usize, to as usize, 100, flags as usize]);
    check_error!(tee(read, other_write, g::SPLICE_F_NONBLOCK), EAGAIN);
    os::write(write, b"twice")?;
    check_eq!(tee(read, other_write, 0)?, 5);
    let mut bytes = [0; 8];
    check_eq!((os::read(read, &mut bytes)?, os::read(other_read, &mut bytes)?), (5, 5));
    check_error!(tee(read, write, 0), EINVAL);
    Ok(())
}

fn memory_goes_into_pipes() -> Outcome {
    let (read, write) = os::pipe(0)?;
    let vector = [[c"gift".as_ptr() as usize, 4]];
    let at = vector.as_ptr() as usize;
    check_eq!(sys(g::__NR_vmsplice, [write as usize, at, 1, g::SPLICE_F_NONBLOCK as usize])?, 4);
    let mut bytes = [0u8; 8];
    let vector = [[bytes.as_mut_ptr() as usize, 8]];
    check_eq!(sys(g::__NR_vmsplice, [read as usize, vector.as_ptr() as usize, 1, 0])?, 4);
    check_eq!(&core::hint::black_box(bytes)[..4], b"gift");
    let file = temporary(TO, b"")?;
    check_error!(sys(g::__NR_vmsplice, [file as usize, at, 1, 0]), EBADF);
    unlink(TO)?;
    Ok(())
}

fn vectors_in_a_manner() -> Outcome {
    let file = temporary(TO, b"")?;
    let vector = [[c"manner".as_ptr() as usize, 6]];
    let write = |offset: usize, flags: usize| {
        sys(g::__NR_pwritev2, [file as usize, vector.as_ptr() as usize, 1, offset, 0, flags])
    };
    check_eq!((write(usize::MAX, 0)?, write(2, 0)?), (6, 6));
    check_error!(write(0, 0x4000_0000), EOPNOTSUPP);
    let mut bytes = [0u8; 16];
    let vector = [[bytes.as_mut_ptr() as usize, 16]];
    let read =
        |offset: usize| sys(g::__NR_preadv2, [file as usize, vector.as_ptr() as usize, 1, offset, 0, 0]);
    check_eq!(read(usize::MAX)?, 2);
    check_eq!(read(0)?, 8);
    check_eq!(&core::hint::black_box(bytes)[..8], b"mamanner");
    check_error!(read(usize::MAX - 1), EINVAL);
    unlink(TO)?;
    Ok(())
}

fn hints_about_files() -> Outcome {
    let file = temporary(TO, b"hint")? as usize;
    let (read, _write) = os::pipe(0)?;
    check_eq!(sys(g::__NR_fadvise64, [file, 0, 0, 3])?, 0);
    check_error!(sys(g::__NR_fadvise64, [file, 0, 0, 6]), EINVAL);
    check_error!(sys(g::__NR_fadvise64, [read as usize, 0, 0, 0]), ESPIPE);
    check_eq!(sys(g::__NR_readahead, [file, 0, 100])?, 0);
    check_error!(sys(g::__NR_readahead, [read as usize, 0, 1]), EINVAL);
    let folder = os::open(c"/tmp", g::O_RDONLY, 0)? as usize;
    check_error!(sys(g::__NR_readahead, [folder, 0, 1]), EINVAL);
    check_eq!(sys(g::__NR_sync_file_range, [file, 0, 4, 7])?, 0);
    check_error!(sys(g::__NR_sync_file_range, [read as usize, 0, 4, 0]), ESPIPE);
    check_eq!(sys(g::__NR_syncfs, [file])?, 0);
    check_error!(sys(g::__NR_syncfs, [999]), EBADF);
    unlink(TO)?;
    Ok(())
}

/// A pipe in which there is no room, and its other end; whether both are told not to wait.
fn full_pipe(flags: u32) -> Result<(i32, i32)> {
    let (read, write) = os::pipe(g::O_NONBLOCK)?;
    while os::write(write, &[1; 4096]).is_ok() {}
    for fd in [read, write] {
        sys(g::__NR_fcntl, [fd as usize, g::F_SETFL as usize, flags as usize])?;
    }
    Ok((read, write))
}

const NOT_WAITING: u32 = g::SPLICE_F_NONBLOCK;

fn a_full_pipe_comes_before_the_end() -> Outcome {
    let file = temporary(FROM, b"text")?;
    let (_read, full) = full_pipe(0)?;
    let (_other_read, full_not_waiting) = full_pipe(g::O_NONBLOCK)?;
    os::lseek(file, 0, g::SEEK_END)?;
    check_error!(splice(file, 0, full, 0, 9, NOT_WAITING), EAGAIN);
    check_error!(splice(file, 0, full_not_waiting, 0, 9, 0), EAGAIN);
    check_error!(sendfile(full_not_waiting, file, 9), EAGAIN);
    check_error!(sendfile(full_not_waiting, file, 0), EAGAIN);
    check_eq!(splice(file, 0, full, 0, 0, NOT_WAITING)?, 0);
    // Before it shows that there is nothing that could be spliced.
    check_error!(splice(os::open(c"/dev/null", g::O_RDWR, 0)?, 0, full, 0, 9, NOT_WAITING), EAGAIN);
    check_error!(splice(os::open(c"/tmp", g::O_RDONLY, 0)?, 0, full, 0, 9, NOT_WAITING), EAGAIN);
    check_error!(splice(os::open(c"/tmp", g::O_RDONLY, 0)?, 0, os::pipe(0)?.1, 0, 9, 0), EINVAL);
    // And there is no room where a page is not free.
    let (read, write) = full_pipe(0)?;
    os::read(read, &mut [0; 4095])?;
    let mut start = 0;
    check_error!(splice(file, at(&mut start), write, 0, 1, NOT_WAITING), EAGAIN);
    check_eq!((os::read(read, &mut [0])?, splice(file, at(&mut start), write, 0, 1, NOT_WAITING)?), (1, 1));
    // Nobody reads.
    on_signal(g::SIGPIPE, Action::Ignore, 0)?;
    let (read, broken) = os::pipe(0)?;
    os::close(read)?;
    check_error!(splice(file, 0, broken, 0, 9, 0), EPIPE);
    check_error!(sendfile(broken, file, 9), EPIPE);
    unlink(FROM)?;
    Ok(())
}

fn sendfile(to: i32, from: i32, len: usize) -> Result<usize> {
    sys(g::__NR_sendfile, [to as usize, from as usize, 0, len])
}

fn tee(from: i32, to: i32, flags: u32) -> Result<usize> {
    sys(g::__NR_tee, [from as usize, to as usize, 1, flags as usize])
}

/// A pipe at its end, which nobody writes.
fn ended_pipe() -> Result<i32> {
    let (read, write) = os::pipe(0)?;
    os::close(write)?;
    Ok(read)
}

fn the_end_of_a_pipe_waits_for_room() -> Outcome {
    let (_read, full) = full_pipe(0)?;
    let ended = ended_pipe()?;
    check_error!(splice(ended, 0, full, 0, 9, NOT_WAITING), EAGAIN);
    check_error!(tee(ended, full, NOT_WAITING), EAGAIN);
    on_signal(g::SIGPIPE, Action::Ignore, 0)?;
    let (read, broken) = os::pipe(0)?;
    os::close(read)?;
    check_error!(splice(ended, 0, broken, 0, 9, 0), EPIPE);
    check_error!(tee(ended, broken, 0), EPIPE);
    // Nothing there comes before nobody there.
    let (empty, _write) = os::pipe(0)?;
    check_error!(splice(empty, 0, broken, 0, 9, NOT_WAITING), EAGAIN);
    let (_other_read, other) = os::pipe(0)?;
    check_eq!((splice(ended, 0, other, 0, 9, 0)?, tee(ended, other, 0)?), (0, 0));
    Ok(())
}

/// `O_NONBLOCK` of a pipe is as good as the call's own flag.
fn pipes_say_whether_to_wait() -> Outcome {
    let (empty, empty_write) = os::pipe(g::O_NONBLOCK)?;
    let (waiting, waiting_write) = os::pipe(0)?;
    let null = os::open(c"/dev/null", g::O_RDWR, 0)?;
    check_error!(splice(empty, 0, null, 0, 9, 0), EAGAIN);
    check_error!(splice(empty, 0, waiting_write, 0, 9, 0), EAGAIN);
    check_error!(splice(waiting, 0, empty_write, 0, 9, 0), EAGAIN);
    check_error!(tee(empty, waiting_write, 0), EAGAIN);
    check_error!(tee(waiting, empty_write, 0), EAGAIN);
    os::write(waiting_write, b"x")?;
    let (_read, full) = full_pipe(g::O_NONBLOCK)?;
    check_error!(splice(waiting, 0, full, 0, 9, 0), EAGAIN);
    check_error!(tee(waiting, full, 0), EAGAIN);
    Ok(())
}

extern "C" fn ring(_: i32, _: usize, _: usize) {}

/// As the host's Linux has it; qemu-riscv64 looks at the program's memory first.
fn memory_waits_by_its_own_flag() -> Outcome {
    let mut byte = [0u8];
    let vectors = [[byte.as_mut_ptr() as usize, 1], [8, 1], [8, 0]];
    let vmsplice = |fd: i32, which: usize, flags: u32| {
        sys(g::__NR_vmsplice, [fd as usize, (&raw const vectors[which]) as usize, 1, flags as usize])
    };
    let (_read, full) = full_pipe(g::O_NONBLOCK)?;
    let (empty, _write) = os::pipe(g::O_NONBLOCK)?;
    check_error!(vmsplice(full, 0, NOT_WAITING), EAGAIN);
    check_error!(vmsplice(full, 1, NOT_WAITING), EAGAIN);
    check_error!(vmsplice(empty, 0, NOT_WAITING), EAGAIN);
    on_signal(g::SIGALRM, Action::Call(ring), 0)?;
    for fd in [full, empty] {
        let soon = [0u64, 0, 0, 20_000];
        sys(g::__NR_setitimer, [g::ITIMER_REAL as usize, soon.as_ptr() as usize, 0])?;
        check_error!(vmsplice(fd, 0, 0), EINTR);
    }
    // Nothing is asked of nobody.
    let file = temporary(TO, b"")?;
    check_eq!((vmsplice(full, 2, 0)?, vmsplice(empty, 2, 0)?, vmsplice(file, 2, 0)?), (0, 0, 0));
    check_error!(vmsplice(file, 0, 0), EBADF);
    unlink(TO)?;
    Ok(())
}

fn texts_and_devices_are_sent() -> Outcome {
    let version = os::open(c"/proc/version", g::O_RDONLY, 0)?;
    let mut whole = [0; 64];
    check_eq!(os::read(version, &mut whole[..24])?, 24);
    os::lseek(version, 0, g::SEEK_SET)?;
    let (read, write) = os::pipe(0)?;
    let mut start = 16;
    check_eq!(splice(version, 0, write, 0, 4, 0)?, 4);
    check_eq!(sendfile(write, version, 12)?, 12);
    check_eq!(splice(version, at(&mut start), write, 0, 8, 0)?, 8);
    check_eq!((os::lseek(version, 0, g::SEEK_CUR)?, core::hint::black_box(start)), (16, 24));
    let mut bytes = [0; 24];
    check_eq!(os::read(read, &mut bytes)?, 24);
    check_eq!(bytes, whole[..24]);
    let zero = os::open(c"/dev/zero", g::O_RDWR, 0)?;
    check_eq!((splice(zero, 0, write, 0, 9, 0)?, sendfile(write, zero, 9)?), (9, 9));
    bytes = [1; 24];
    check_eq!((os::read(read, &mut bytes)?, bytes[..18] == [0; 18], bytes[18]), (18, true, 1));
    // What nothing is sent to, once there is something to send.
    let full = os::open(c"/dev/full", g::O_RDWR, 0)?;
    let event = sys(g::__NR_eventfd2, [0, 0])? as i32;
    os::lseek(version, 0, g::SEEK_SET)?;
    for target in [full, event] {
        check_error!(sendfile(target, version, 8), EINVAL);
        os::write(write, b"x")?;
        check_error!(splice(read, 0, target, 0, 1, 0), EINVAL);
    }
    Ok(())
}

/// As the host's Linux has it; qemu-riscv64 looks at the program's memory first.
fn nothing_is_sent() -> Outcome {
    let (folder, null) = (os::open(c"/tmp", g::O_RDONLY, 0)?, os::open(c"/dev/null", g::O_RDWR, 0)?);
    check_eq!(sendfile(null, folder, 0)?, 0);
    check_error!(sendfile(null, folder, 1), EINVAL);
    check_error!(sendfile(null, os::pipe(0)?.0, 0), EINVAL);
    let none = [999, 999, 0, 0, 0, 0];
    check_eq!((sys(g::__NR_tee, none)?, sys(g::__NR_splice, none)?), (0, 0));
    Ok(())
}

fn ranges_end_where_files_do() -> Outcome {
    let (from, to) = (temporary(FROM, b"0123456789")?, temporary(TO, b"")?);
    os::lseek(from, 0, g::SEEK_SET)?;
    check_eq!((copy(from, 0, to, 0, usize::MAX)?, copy(from, 0, to, 0, 9)?), (10, 0));
    // So many bytes from any other place on have no last one.
    check_error!(copy(from, 0, to, 0, usize::MAX), EOVERFLOW);
    // Ranges of one file that would meet, if it went on.
    let (mut here, mut there) = (8, 9);
    check_error!(copy(from, at(&mut here), from, at(&mut there), 9), EINVAL);
    let (mut here, mut there) = (8, 10);
    check_eq!(copy(from, at(&mut here), from, at(&mut there), 9)?, 2);
    let (mut here, mut there) = (20, 20);
    check_eq!(copy(from, at(&mut here), from, at(&mut there), 9)?, 0);
    let mut here = u64::MAX >> 1;
    check_eq!(copy(from, at(&mut here), to, 0, 1)?, 0);
    unlink(FROM)?;
    unlink(TO)?;
    Ok(())
}

fn ranges_that_no_file_has() -> Outcome {
    let (from, to) = (temporary(FROM, b"0123456789")?, temporary(TO, b"")?);
    let (_read, write) = os::pipe(0)?;
    let (mut negative, mut last) = (u64::MAX, u64::MAX >> 1);
    check_error!(copy(from, at(&mut negative), to, 0, 10), EOVERFLOW);
    check_error!(copy(from, at(&mut negative), to, 0, 0), EINVAL);
    check_error!(copy(from, 0, to, at(&mut last), 1), EFBIG);
    let (_other_read, full) = full_pipe(0)?;
    check_error!(splice(from, at(&mut last), full, 0, 10, NOT_WAITING), EINVAL);
    check_error!(splice(from, at(&mut negative), full, 0, 10, NOT_WAITING), EINVAL);
    check_error!(splice(from, at(&mut last), write, 0, 10, 0), EINVAL);
    check_error!(splice(ended_pipe()?, 0, to, at(&mut last), 10, 0), EINVAL);
    check_error!(sys(g::__NR_sendfile, [to as usize, from as usize, at(&mut last), 10]), EINVAL);
    check_error!(sendfile(to, from, usize::MAX), EINVAL);
    unlink(FROM)?;
    unlink(TO)?;
    Ok(())
}
