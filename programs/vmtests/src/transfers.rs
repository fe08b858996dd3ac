//! What read(2), write(2) and their kin move: nothing is lost where memory ends, where an offset is shared, or where a file only grows.

use core::ffi::CStr;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rt::abi::general as g;
use rt::os::{self, Status};
use rt::{PAGE_SIZE, Result};

use crate::check::Outcome;
use crate::exec::unlink;
use crate::memory::{READ_WRITE, map, mmap, munmap, program_file, temporary};
use crate::raw::{Action, copy_from, copy_to, on_signal, peek, poke, sys};
use crate::{check, check_eq, check_error, tests};

tests! {
    a_pipe_keeps_what_does_not_fit, @Kernel writes_count_up_to_a_hole, a_vector_goes_into_a_pipe_whole, vectors_end_at_a_hole, @Kernel entries_end_at_a_hole,
    zero_device_gives_zeros, append_by_position, offsets_are_taken_in_turn, appending_is_not_interleaved, sendfile_does_not_append, sendfile_knows_no_such_place,
    length_is_limited, length_in_memory_is_limited, past_the_limit_is_death,
    @ByName input_is_kept,
}

const PATH: &CStr = c"/tmp/vmtests.transfers";
const NOWHERE: usize = 8;

/// The address of the last `bytes` bytes before a hole, which are `x`.
fn before_hole(bytes: usize) -> Result<usize> {
    let start = map(3, READ_WRITE)?;
    munmap(start + 2 * PAGE_SIZE, PAGE_SIZE)?;
    let at = start + 2 * PAGE_SIZE - bytes;
    (at..at + bytes).for_each(|address| poke(address, b'x'));
    Ok(at)
}

fn read_to(fd: i32, at: usize, len: usize) -> Result<usize> {
    sys(g::__NR_read, [fd as usize, at, len])
}

fn write_from(fd: i32, at: usize, len: usize) -> Result<usize> {
    sys(g::__NR_write, [fd as usize, at, len])
}

fn writev(fd: i32, vector: &[[usize; 2]]) -> Result<usize> {
    sys(g::__NR_writev, [fd as usize, vector.as_ptr() as usize, vector.len()])
}

fn a_pipe_keeps_what_does_not_fit() -> Outcome {
    let (read, write) = os::pipe(0)?;
    os::write(write, b"hello")?;
    check_error!(read_to(read, NOWHERE, 5), EFAULT);
    let mut bytes = [0; 8];
    let vector = [[NOWHERE, 2], [bytes.as_mut_ptr() as usize, 3]];
    check_error!(sys(g::__NR_readv, [read as usize, vector.as_ptr() as usize, 2]), EFAULT);
    check_eq!(os::read(read, &mut bytes)?, 5);
    check_eq!(&bytes[..5], b"hello");
    // Linux gives an error or a part; what it has not given is still there.
    let hole = before_hole(100)?;
    os::write(write, &[7; 200])?;
    let first = read_to(read, hole, 200).unwrap_or(0);
    check!(first == 0 || first == 100);
    let mut rest = [0; 200];
    check_eq!(os::read(read, &mut rest)?, 200 - first);
    check!(rest[..200 - first].iter().all(|&byte| byte == 7));
    Ok(())
}

fn writes_count_up_to_a_hole() -> Outcome {
    let fd = temporary(PATH, b"")?;
    let hole = before_hole(PAGE_SIZE + 100)?;
    check_eq!(write_from(fd, hole, 3 * PAGE_SIZE)?, PAGE_SIZE + 100);
    check_eq!(os::lseek(fd, 0, g::SEEK_END)?, PAGE_SIZE + 100);
    check_eq!(sys(g::__NR_pwrite64, [fd as usize, hole + PAGE_SIZE, 200, 10])?, 100);
    check_error!(write_from(fd, hole + PAGE_SIZE + 100, 1), EFAULT);
    check_eq!(os::lseek(fd, 0, g::SEEK_END)?, PAGE_SIZE + 100);
    // Into a pipe whole pages go, or nothing.
    let (read, write) = os::pipe(g::O_NONBLOCK)?;
    check_eq!(write_from(write, hole + 100, 2 * PAGE_SIZE)?, PAGE_SIZE);
    check_eq!(os::read(read, &mut [0; PAGE_SIZE])?, PAGE_SIZE);
    check_error!(write_from(write, hole + PAGE_SIZE, 200), EFAULT);
    check_error!(os::read(read, &mut [0]), EAGAIN);
    unlink(PATH)?;
    Ok(())
}

fn a_vector_goes_into_a_pipe_whole() -> Outcome {
    let (read, write) = os::pipe(g::O_NONBLOCK)?;
    while os::write(write, &[1; PAGE_SIZE]).is_ok() {}
    os::read(read, &mut [0; PAGE_SIZE])?;
    os::write(write, &[2; PAGE_SIZE - 150])?;
    // 150 bytes of a page are left: two halves of 100 do not go in one by one.
    let half = [3u8; 100];
    let span = [half.as_ptr() as usize, half.len()];
    check_error!(writev(write, &[span, span]), EAGAIN);
    let mut left = 0;
    let mut block = [0; PAGE_SIZE];
    while let Ok(count @ 1..) = os::read(read, &mut block) {
        check!(block[..count].iter().all(|&byte| byte != 3));
        left += count;
    }
    check_eq!(left % PAGE_SIZE, PAGE_SIZE - 150);
    check_eq!(writev(write, &[span, [0, 0], span])?, 200);
    check_eq!(os::read(read, &mut block)?, 200);
    check!(block[..200].iter().all(|&byte| byte == 3));
    Ok(())
}

fn vectors_end_at_a_hole() -> Outcome {
    let fd = temporary(PATH, b"")?;
    let good = [b"good".as_ptr() as usize, 4];
    check_eq!(writev(fd, &[good, [NOWHERE, 4], good])?, 4);
    check_error!(writev(fd, &[[NOWHERE, 4], good]), EFAULT);
    check_eq!(os::lseek(fd, 0, g::SEEK_CUR)?, 4);
    check_eq!(writev(fd, &[good, good])?, 8);
    let mut text = [0; 16];
    os::lseek(fd, 0, g::SEEK_SET)?;
    check_eq!(os::read(fd, &mut text)?, 12);
    check_eq!(&text[..12], b"goodgoodgood");
    unlink(PATH)?;
    Ok(())
}

fn entries_end_at_a_hole() -> Outcome {
    const AT: usize = g::AT_FDCWD as usize;
    // An entry of a name this short takes 24 bytes: these two, `.` and `..`.
    const ENTRY: usize = 24;
    let folder = c"/tmp/vmtests.entries".as_ptr() as usize;
    let names = [c"/tmp/vmtests.entries/1", c"/tmp/vmtests.entries/2"];
    sys(g::__NR_mkdirat, [AT, folder, 0o700])?;
    for name in names {
        os::close(temporary(name, b"")?)?;
    }
    let fd = os::open(c"/tmp/vmtests.entries", g::O_RDONLY | g::O_DIRECTORY, 0)?;
    let entries = |bytes: usize| sys(g::__NR_getdents64, [fd as usize, before_hole(bytes)?, PAGE_SIZE]);
    check_error!(entries(ENTRY - 1), EFAULT);
    check_eq!(entries(3 * ENTRY - 1)?, 2 * ENTRY);
    check_eq!(entries(2 * ENTRY)?, 2 * ENTRY);
    check_eq!(entries(0)?, 0);
    for name in names {
        unlink(name)?;
    }
    sys(g::__NR_unlinkat, [AT, folder, g::AT_REMOVEDIR as usize])?;
    Ok(())
}

fn zero_device_gives_zeros() -> Outcome {
    // What a call has moved before must not be seen again.
    let program = program_file()?.0;
    let mut page = [1; PAGE_SIZE];
    os::lseek(program, 0, g::SEEK_SET)?;
    os::read(program, &mut page)?;
    check!(page.iter().any(|&byte| byte != 0));
    check_eq!(os::read(os::open(c"/dev/zero", g::O_RDONLY, 0)?, &mut page)?, PAGE_SIZE);
    check!(page.iter().all(|&byte| byte == 0));
    Ok(())
}

fn append_by_position() -> Outcome {
    temporary(PATH, b"0123456789")?;
    let fd = os::open(PATH, g::O_RDWR | g::O_APPEND, 0)?;
    check_eq!(sys(g::__NR_pwrite64, [fd as usize, b"ab".as_ptr() as usize, 2, 3])?, 2);
    let vector = [[b"cd".as_ptr() as usize, 2]];
    check_eq!(sys(g::__NR_pwritev, [fd as usize, vector.as_ptr() as usize, 1, 0])?, 2);
    check_eq!(os::lseek(fd, 0, g::SEEK_CUR)?, 0);
    let mut text = [0; 32];
    check_eq!(os::read(fd, &mut text)?, 14);
    check_eq!(&text[..14], b"0123456789abcd");
    unlink(PATH)?;
    Ok(())
}

/// The last pages of this program's file, which nothing has executed: a first touch waits for the disk.
fn cold_pages(pages: usize) -> Result<usize> {
    let (fd, len) = program_file()?;
    let first = len / PAGE_SIZE - pages;
    mmap(0, pages * PAGE_SIZE, g::PROT_READ, g::MAP_PRIVATE, fd, first * PAGE_SIZE)
}

fn offsets_are_taken_in_turn() -> Outcome {
    const WRITERS: usize = 4;
    const BYTES: usize = 100;
    let fd = temporary(PATH, b"")?;
    let pages = cold_pages(WRITERS)?;
    for writer in 0..WRITERS {
        if os::fork()? == 0 {
            check_eq!(write_from(fd, pages + writer * PAGE_SIZE, BYTES)?, BYTES);
            os::exit(0);
        }
    }
    for _ in 0..WRITERS {
        check_eq!(os::wait(-1)?.1, Status::Exited(0));
    }
    check_eq!(os::lseek(fd, 0, g::SEEK_CUR)?, WRITERS * BYTES);
    check_eq!(os::lseek(fd, 0, g::SEEK_END)?, WRITERS * BYTES);
    // Each is there once.
    os::lseek(fd, 0, g::SEEK_SET)?;
    let mut found = 0;
    for _ in 0..WRITERS {
        let (mut written, mut original) = ([0; BYTES], [0; BYTES]);
        os::read(fd, &mut written)?;
        for writer in 0..WRITERS {
            copy_from(pages + writer * PAGE_SIZE, &mut original);
            found |= usize::from(written == original) << writer;
        }
    }
    check_eq!(found, (1 << WRITERS) - 1);
    unlink(PATH)?;
    Ok(())
}

fn appending_is_not_interleaved() -> Outcome {
    const WRITERS: usize = 3;
    const PAGES: usize = 3;
    temporary(PATH, b"")?;
    let cold = cold_pages(12)?;
    for writer in 0..WRITERS {
        if os::fork()? == 0 {
            let fd = os::open(PATH, g::O_WRONLY | g::O_APPEND, 0)?;
            // A page of letters, one that waits for the disk, and a page of letters: one record.
            let letters = [b'a' + writer as u8; PAGE_SIZE];
            let letters = [letters.as_ptr() as usize, PAGE_SIZE];
            check_eq!(
                writev(fd, &[letters, [cold + writer * PAGE_SIZE, PAGE_SIZE], letters])?,
                PAGES * PAGE_SIZE
            );
            os::exit(0);
        }
    }
    for _ in 0..WRITERS {
        check_eq!(os::wait(-1)?.1, Status::Exited(0));
    }
    let fd = os::open(PATH, g::O_RDONLY, 0)?;
    check_eq!(os::lseek(fd, 0, g::SEEK_END)?, WRITERS * PAGES * PAGE_SIZE);
    for record in 0..WRITERS {
        let mut ends = [0; 2];
        for (page, end) in [0, PAGES - 1].into_iter().zip(&mut ends) {
            os::lseek(fd, ((record * PAGES + page) * PAGE_SIZE) as i64, g::SEEK_SET)?;
            os::read(fd, core::slice::from_mut(end))?;
        }
        check!(ends[0] == ends[1] && ends[0].is_ascii_lowercase());
    }
    unlink(PATH)?;
    Ok(())
}

fn sendfile_does_not_append() -> Outcome {
    let input = program_file()?.0;
    os::lseek(input, 0, g::SEEK_SET)?;
    let input = input as usize;
    temporary(PATH, b"")?;
    let fd = os::open(PATH, g::O_WRONLY | g::O_APPEND, 0)?;
    check_error!(sys(g::__NR_sendfile, [fd as usize, input, 0, 100]), EINVAL);
    let fd = os::open(PATH, g::O_RDWR, 0)?;
    check_eq!(sys(g::__NR_sendfile, [fd as usize, input, 0, 100])?, 100);
    check_eq!(os::lseek(fd, 0, g::SEEK_CUR)?, 100);
    unlink(PATH)?;
    Ok(())
}

fn sendfile_knows_no_such_place() -> Outcome {
    const LAST: u64 = i64::MAX as u64;
    let input = temporary(PATH, b"abc")? as usize;
    let output = os::open(c"/dev/null", g::O_WRONLY, 0)? as usize;
    for (start, count) in [(u64::MAX, 1), (LAST, 1), (LAST - 1, 4), (0, usize::MAX)] {
        let mut start = start;
        let at = core::ptr::from_mut(&mut start) as usize;
        check_error!(sys(g::__NR_sendfile, [output, input, at, count]), EINVAL);
    }
    let mut start = LAST - 1;
    let at = core::ptr::from_mut(&mut start) as usize;
    check_eq!(sys(g::__NR_sendfile, [output, input, at, 1])?, 0);
    check_error!(sys(g::__NR_sendfile, [output, input, 0, usize::MAX]), EINVAL);
    // A pipe has no places at all.
    let (read, write) = os::pipe(0)?;
    check_error!(sys(g::__NR_sendfile, [output, read as usize, at, 1]), ESPIPE);
    os::close(read)?;
    os::close(write)?;
    unlink(PATH)?;
    Ok(())
}

/// No file of this process may become longer.
fn limit_length(bytes: usize) -> Result<usize> {
    let limit = [bytes as u64, u64::MAX];
    sys(g::__NR_setrlimit, [g::RLIMIT_FSIZE as usize, limit.as_ptr() as usize])
}

/// How often this process was told that a file would have become too long.
static TOLD: AtomicUsize = AtomicUsize::new(0);

extern "C" fn tell(_: i32, _: usize, _: usize) {
    TOLD.fetch_add(1, Relaxed);
}

fn pwrite(fd: i32, len: usize, offset: usize) -> Result<usize> {
    const BYTES: [u8; 4 * PAGE_SIZE] = [b'x'; _];
    sys(g::__NR_pwrite64, [fd as usize, BYTES.as_ptr() as usize, len, offset])
}

fn length_is_limited() -> Outcome {
    let fd = temporary(PATH, b"")?;
    on_signal(g::SIGXFSZ, Action::Call(tell), 0)?;
    limit_length(2 * PAGE_SIZE)?;
    // Up to the limit; this is no error and tells nothing.
    check_eq!(pwrite(fd, 4 * PAGE_SIZE, 100)?, 2 * PAGE_SIZE - 100);
    check_eq!(pwrite(fd, 2, 2 * PAGE_SIZE - 1)?, 1);
    check_eq!(pwrite(fd, 0, 3 * PAGE_SIZE)?, 0);
    check_eq!(TOLD.load(Relaxed), 0);
    check_error!(pwrite(fd, 1, 2 * PAGE_SIZE), EFBIG);
    os::lseek(fd, 0, g::SEEK_END)?;
    check_error!(os::write(fd, b"x"), EFBIG);
    check_error!(os::write(os::open(PATH, g::O_WRONLY | g::O_APPEND, 0)?, b"x"), EFBIG);
    check_eq!(TOLD.load(Relaxed), 3);
    check_error!(sys(g::__NR_ftruncate, [fd as usize, 2 * PAGE_SIZE + 1]), EFBIG);
    check_error!(sys(g::__NR_truncate, [PATH.as_ptr() as usize, 2 * PAGE_SIZE + 1]), EFBIG);
    check_eq!(TOLD.load(Relaxed), 5);
    // What is too long already may shrink, and what lies before its end be written, up to the limit.
    limit_length(10)?;
    sys(g::__NR_ftruncate, [fd as usize, 100])?;
    check_eq!(pwrite(fd, 20, 5)?, 5);
    check_error!(pwrite(fd, 1, 10), EFBIG);
    check_eq!((os::lseek(fd, 0, g::SEEK_END)?, TOLD.load(Relaxed)), (100, 6));
    // The part that fits is sent, and the rest tells.
    os::lseek(fd, 0, g::SEEK_SET)?;
    let input = program_file()?.0 as usize;
    let mut start = 0u64;
    let start = core::ptr::from_mut(&mut start) as usize;
    check_eq!(sys(g::__NR_sendfile, [fd as usize, input, start, 100])?, 10);
    check_error!(sys(g::__NR_sendfile, [fd as usize, input, start, 100]), EFBIG);
    check!(TOLD.load(Relaxed) >= 7);
    // A pipe is no file that grows.
    os::write(os::pipe(0)?.1, &[0; 100])?;
    unlink(PATH)?;
    Ok(())
}

fn length_in_memory_is_limited() -> Outcome {
    let fd = sys(g::__NR_memfd_create, [c"limited".as_ptr() as usize, 0])? as i32;
    on_signal(g::SIGXFSZ, Action::Call(tell), 0)?;
    limit_length(PAGE_SIZE)?;
    check_eq!(pwrite(fd, 10, PAGE_SIZE - 5)?, 5);
    check_error!(pwrite(fd, 10, PAGE_SIZE), EFBIG);
    let allocate = |mode: u32, len: usize| sys(g::__NR_fallocate, [fd as usize, mode as usize, 10, len]);
    check_error!(allocate(0, PAGE_SIZE), EFBIG);
    check_error!(allocate(g::FALLOC_FL_KEEP_SIZE, PAGE_SIZE), EFBIG);
    check_eq!(TOLD.load(Relaxed), 3);
    allocate(0, PAGE_SIZE - 10)?;
    allocate(g::FALLOC_FL_PUNCH_HOLE | g::FALLOC_FL_KEEP_SIZE, 2 * PAGE_SIZE)?;
    check_eq!(TOLD.load(Relaxed), 3);
    Ok(())
}

fn past_the_limit_is_death() -> Outcome {
    let fd = temporary(PATH, b"")?;
    let ended = os::in_child(|| {
        let _ = limit_length(0);
        let _ = os::write(fd, b"x");
        1
    });
    check_eq!(ended?, Status::Signaled(g::SIGXFSZ));
    unlink(PATH)?;
    Ok(())
}

/// Standard input, which is to be `hello` and a line's end, and nothing more.
fn input_is_kept() -> Outcome {
    check_error!(read_to(0, NOWHERE, 5), EFAULT);
    let page = map(1, READ_WRITE)?;
    copy_to(page, &[0; 16]);
    // As much at a time as was asked for at first.
    check_eq!(read_to(0, page, 16)?, 5);
    check_eq!((peek(page), peek(page + 4), peek(page + 5)), (b'h', b'o', 0));
    check_eq!(read_to(0, page, 16)?, 1);
    check_eq!(read_to(0, page, 16)?, 0);
    Ok(())
}
