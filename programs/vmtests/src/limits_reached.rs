//! Room that ends: of file systems, of files by RLIMIT_FSIZE, of attributes, of memory that may be locked; and seals.

use core::ffi::CStr;

use rt::abi::errno;
use rt::abi::general as g;
use rt::{PAGE_SIZE, Result, os};

use crate::check::{Outcome, each_is_refused, is_refused};
use crate::exec::unlink;
use crate::memory::{READ_WRITE, map, temporary};
use crate::raw::{Action, on_signal, sys};
use crate::users::as_user;
use crate::{check_eq, tests};

tests! {
    files_that_may_not_grow, seals_forbid, pipes_without_room, devices_without_room, @Kernel attributes_without_room,
    @Kernel locked_memory_that_may_not_grow, @Kernel bytes_without_a_place,
    @Kernel queues_and_segments_without_a_place, @Kernel processes_without_a_place, alarms_have_an_end,
}

const PATH: &CStr = c"/tmp/vmtests.file";
const SPLICE_NONBLOCK: usize = 2;

fn limit(resource: u32, value: u64) -> Result<usize> {
    let limit = [value; 2];
    sys(g::__NR_prlimit64, [0, resource as usize, limit.as_ptr() as usize, 0])
}

/// EFBIG, once the signal is ignored.
fn files_that_may_not_grow() -> Outcome {
    let file = temporary(PATH, b"some text")? as usize;
    let source = temporary(c"/tmp/vmtests.source", b"some text")? as usize;
    let mut bytes = [0u64; 2];
    let bytes = bytes.as_mut_ptr() as usize;
    let vector = [bytes, 8];
    let vector = vector.as_ptr() as usize;
    let (mut begin, mut end) = ([0u64], [16u64]);
    let (begin, end) = (begin.as_mut_ptr() as usize, end.as_mut_ptr() as usize);
    let path = PATH.as_ptr() as usize;
    on_signal(g::SIGXFSZ, Action::Ignore, 0)?;
    limit(g::RLIMIT_FSIZE, 16)?;
    sys(g::__NR_lseek, [file, 16, g::SEEK_SET as usize])?;
    each_is_refused(&[
        (g::__NR_write, &[file, bytes, 1], errno::EFBIG),
        (g::__NR_writev, &[file, vector, 1], errno::EFBIG),
        (g::__NR_pwrite64, &[file, bytes, 1, 16], errno::EFBIG),
        (g::__NR_pwritev, &[file, vector, 1, 16], errno::EFBIG),
        (g::__NR_truncate, &[path, 17], errno::EFBIG),
        (g::__NR_ftruncate, &[file, 17], errno::EFBIG),
        (g::__NR_fallocate, &[file, 0, 0, 17], errno::EFBIG),
        (g::__NR_sendfile, &[file, source, begin, 1], errno::EFBIG),
        (g::__NR_copy_file_range, &[source, begin, file, end, 1], errno::EFBIG),
    ])?;
    unlink(c"/tmp/vmtests.source")?;
    unlink(PATH)?;
    Ok(())
}

fn seals_forbid() -> Outcome {
    let file = sys(g::__NR_memfd_create, [c"sealed".as_ptr() as usize, g::MFD_ALLOW_SEALING as usize])?;
    let mut bytes = [0u64; 2];
    let bytes = bytes.as_mut_ptr() as usize;
    let vector = [bytes, 8];
    let vector = vector.as_ptr() as usize;
    sys(g::__NR_write, [file, bytes, 8])?;
    let all = g::F_SEAL_WRITE | g::F_SEAL_GROW | g::F_SEAL_SHRINK | g::F_SEAL_SEAL;
    sys(g::__NR_fcntl, [file, g::F_ADD_SEALS as usize, all as usize])?;
    let (read_write, shared) = (READ_WRITE as usize, g::MAP_SHARED as usize);
    sys(g::__NR_dup3, [file, 9, 0])?;
    let path = c"/proc/self/fd/9".as_ptr() as usize;
    each_is_refused(&[
        (g::__NR_write, &[file, bytes, 1], errno::EPERM),
        (g::__NR_writev, &[file, vector, 1], errno::EPERM),
        (g::__NR_pwrite64, &[file, bytes, 1, 0], errno::EPERM),
        (g::__NR_pwritev, &[file, vector, 1, 0], errno::EPERM),
        (g::__NR_ftruncate, &[file, 0], errno::EPERM),
        (g::__NR_ftruncate, &[file, 9], errno::EPERM),
        (g::__NR_truncate, &[path, 0], errno::EPERM),
        (g::__NR_fallocate, &[file, 0, 0, 9], errno::EPERM),
        (g::__NR_fcntl, &[file, g::F_ADD_SEALS as usize, g::F_SEAL_WRITE as usize], errno::EPERM),
        (g::__NR_mmap, &[0, PAGE_SIZE, read_write, shared, file, 0], errno::EPERM),
    ])
}

/// A pipe that is full, and nobody who would wait.
fn pipes_without_room() -> Outcome {
    let (_read, write) = os::pipe(g::O_NONBLOCK)?;
    let (source, input) = os::pipe(0)?;
    let file = temporary(PATH, b"some text")? as usize;
    let page = map(1, READ_WRITE)?;
    let vector = [page, PAGE_SIZE];
    let vector = vector.as_ptr() as usize;
    while sys(g::__NR_write, [write as usize, page, PAGE_SIZE]).is_ok() {}
    os::write(input, b"bytes")?;
    let (full, source) = (write as usize, source as usize);
    let mut begin = [0u64];
    let begin = begin.as_mut_ptr() as usize;
    each_is_refused(&[
        (g::__NR_write, &[full, page, PAGE_SIZE], errno::EAGAIN),
        (g::__NR_writev, &[full, vector, 1], errno::EAGAIN),
        (g::__NR_vmsplice, &[full, vector, 1, SPLICE_NONBLOCK], errno::EAGAIN),
        (g::__NR_tee, &[source, full, 1, SPLICE_NONBLOCK], errno::EAGAIN),
        (g::__NR_splice, &[file, begin, full, 0, 1, SPLICE_NONBLOCK], errno::EAGAIN),
        (g::__NR_splice, &[source, 0, full, 0, 1, SPLICE_NONBLOCK], errno::EAGAIN),
        (g::__NR_sendfile, &[full, file, begin, 1], errno::EAGAIN),
    ])?;
    unlink(PATH)?;
    Ok(())
}

fn devices_without_room() -> Outcome {
    let full = os::open(c"/dev/full", g::O_RDWR, 0)? as usize;
    let byte = [0u8; 8];
    let byte = byte.as_ptr() as usize;
    let vector = [byte, 8];
    each_is_refused(&[
        (g::__NR_write, &[full, byte, 1], errno::ENOSPC),
        (g::__NR_writev, &[full, vector.as_ptr() as usize, 1], errno::ENOSPC),
        (g::__NR_pwrite64, &[full, byte, 1, 0], errno::ENOSPC),
    ])
}

/// 64 KiB a file: Folio's limit, and that of most file systems, though not of every Linux' tmpfs.
fn attributes_without_room() -> Outcome {
    let file = temporary(PATH, b"text")? as usize;
    let path = PATH.as_ptr() as usize;
    let value = map(10, READ_WRITE)?;
    let (first, second) = (c"user.first".as_ptr() as usize, c"user.second".as_ptr() as usize);
    let most = 10 * PAGE_SIZE;
    sys(g::__NR_fsetxattr, [file, first, value, most, 0])?;
    each_is_refused(&[
        (g::__NR_setxattr, &[path, second, value, most], errno::ENOSPC),
        (g::__NR_lsetxattr, &[path, second, value, most], errno::ENOSPC),
        (g::__NR_fsetxattr, &[file, second, value, most], errno::ENOSPC),
    ])?;
    unlink(PATH)?;
    Ok(())
}

fn locked_memory_that_may_not_grow() -> Outcome {
    let locked = (g::MAP_PRIVATE | g::MAP_ANONYMOUS | g::MAP_LOCKED) as usize;
    limit(g::RLIMIT_MEMLOCK, 2 * PAGE_SIZE as u64)?;
    let grown = || {
        let page = sys(g::__NR_mmap, [0, PAGE_SIZE, READ_WRITE as usize, locked, usize::MAX, 0])?;
        sys(g::__NR_mremap, [page, PAGE_SIZE, 4 * PAGE_SIZE, g::MREMAP_MAYMOVE as usize, 0])
    };
    check_eq!(as_user(grown)?, errno::EAGAIN);
    let mapped = || sys(g::__NR_mmap, [0, 4 * PAGE_SIZE, READ_WRITE as usize, locked, usize::MAX, 0]);
    check_eq!(as_user(mapped)?, errno::EAGAIN);
    Ok(())
}

/// As many queues and segments as /proc/sys/kernel allows: none, for a while.
fn queues_and_segments_without_a_place() -> Outcome {
    for (path, number, arguments) in [
        (c"/proc/sys/kernel/msgmni", g::__NR_msgget, [0, 0o1600, 0]),
        (c"/proc/sys/kernel/shmmni", g::__NR_shmget, [0, PAGE_SIZE, 0o1600]),
    ] {
        let setting = os::open(path, g::O_RDWR, 0)?;
        let mut before = [0; 32];
        let len = os::read(setting, &mut before)?;
        os::lseek(setting, 0, g::SEEK_SET)?;
        os::write(setting, b"0\n")?;
        let made = sys(number, arguments);
        os::lseek(setting, 0, g::SEEK_SET)?;
        os::write(setting, &before[..len])?;
        is_refused(0, number, made, errno::ENOSPC)?;
        os::close(setting)?;
    }
    Ok(())
}

/// A timer counts as a signal that waits.
fn alarms_have_an_end() -> Outcome {
    limit(g::RLIMIT_SIGPENDING, 20)?;
    let mut id = [0u32];
    let id = id.as_mut_ptr() as usize;
    let refused = (0..21)
        .find_map(|_| sys(g::__NR_timer_create, [g::CLOCK_MONOTONIC as usize, 0, id]).err())
        .map_or(Ok(0), Err);
    is_refused(0, g::__NR_timer_create, refused, errno::EAGAIN)
}

/// By clone3, which qemu-riscv64 7.2 does not have; Linux' manual.
fn processes_without_a_place() -> Outcome {
    let arguments = [0u64, 0, 0, 0, u64::from(g::SIGCHLD), 0, 0, 0];
    let cloned = || {
        limit(g::RLIMIT_NPROC, 0)?;
        let pid = sys(g::__NR_clone3, [arguments.as_ptr() as usize, size_of_val(&arguments)])?;
        if pid == 0 {
            os::exit(0);
        }
        Ok(pid)
    };
    check_eq!(as_user(cloned)?, errno::EAGAIN);
    Ok(())
}

/// tmpfs when all its room is set aside: no byte comes. Not on Linux, whose memory it would take.
fn bytes_without_a_place() -> Outcome {
    let file = temporary(PATH, b"some text")? as usize;
    let mut statfs = [0u64; 16];
    sys(g::__NR_fstatfs, [file, statfs.as_mut_ptr() as usize])?;
    let free = core::hint::black_box(statfs)[3] as usize;
    let other = temporary(c"/tmp/vmtests.other", b"")? as usize;
    sys(g::__NR_fallocate, [other, 0, 0, free * PAGE_SIZE])?;
    sys(g::__NR_lseek, [other, 0, g::SEEK_END as usize])?;
    let bytes = [1u8; 8];
    let bytes = bytes.as_ptr() as usize;
    let mut far = [1u64 << 20];
    let far = far.as_mut_ptr() as usize;
    let mut begin = [0u64];
    let begin = begin.as_mut_ptr() as usize;
    let vector = [bytes, 8];
    let vector = vector.as_ptr() as usize;
    let full = errno::ENOSPC;
    each_is_refused(&[
        (g::__NR_pwrite64, &[file, bytes, 8, 1 << 20], full),
        (g::__NR_pwritev, &[file, vector, 1, 1 << 20], full),
        (g::__NR_fallocate, &[file, 0, 1 << 20, 1], full),
        (g::__NR_copy_file_range, &[file, begin, file, far, 1], full),
        (g::__NR_write, &[other, bytes, 8], full),
        (g::__NR_writev, &[other, vector, 1], full),
    ])?;
    unlink(c"/tmp/vmtests.other")?;
    unlink(PATH)?;
    Ok(())
}
