//! Copying inside the kernel: ranges of files, what pipes hold; and reading and writing in a manner.

use core::ffi::CStr;

use rt::Result;
use rt::abi::general as g;
use rt::os;

use crate::check::Outcome;
use crate::exec::unlink;
use crate::memory::temporary;
use crate::raw::sys;
use crate::{check_eq, check_error, tests};

tests! {
    ranges_are_copied, ranges_are_refused, files_go_into_pipes, pipes_go_on, pipes_are_teed, memory_goes_into_pipes, @Kernel vectors_in_a_manner, hints_about_files,
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
    check_eq!(sys(g::__NR_sync_file_range, [file, 0, 4, 7])?, 0);
    check_error!(sys(g::__NR_sync_file_range, [read as usize, 0, 4, 0]), ESPIPE);
    check_eq!(sys(g::__NR_syncfs, [file])?, 0);
    check_error!(sys(g::__NR_syncfs, [999]), EBADF);
    unlink(TO)?;
    Ok(())
}
