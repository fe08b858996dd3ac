//! Times, clocks, addresses and lengths that cannot be.

use core::ffi::CStr;

use rt::abi::errno;
use rt::abi::general as g;
use rt::{PAGE_SIZE, os};

use crate::check::{Outcome, each_is_refused};
use crate::exec::unlink;
use crate::memory::{READ_WRITE, map, munmap};
use crate::raw::sys;
use crate::users::as_user;
use crate::{check_eq, tests};

tests! {
    clocks_that_are_none, alarms_that_are_none, ranges_that_are_none, ranges_with_a_gap, @Kernel advised_ranges_that_are_none, @Kernel memory_that_may_not_be_locked,
    @Kernel calls_that_are_new, advice_that_is_none, words_that_wait_for_nothing, names_without_room, @Kernel names_of_the_machine, programs_that_are_none, @Kernel interpreters_that_are_none, bytes_from_nowhere,
}

/// Where nothing is.
const BAD: usize = 8;
const CWD: usize = (g::AT_FDCWD as isize).cast_unsigned();

fn clocks_that_are_none() -> Outcome {
    let (negative, too_much) = ([u64::MAX, 0], [0u64, 1_000_000_000]);
    let (negative, too_much) = (negative.as_ptr() as usize, too_much.as_ptr() as usize);
    let mut room = [0u64; 8];
    let room = room.as_mut_ptr() as usize;
    let monotonic = g::CLOCK_MONOTONIC as usize;
    let path = c"/tmp/vmtests.file".as_ptr() as usize;
    os::close(crate::memory::temporary(c"/tmp/vmtests.file", b"")?)?;
    let bad_microseconds = [0u64, 1_000_000];
    let bad_microseconds = bad_microseconds.as_ptr() as usize;
    let wrong_pair = [0u64, 1_000_000_000, 0, 0];
    let wrong_pair = wrong_pair.as_ptr() as usize;
    each_is_refused(&[
        (g::__NR_clock_gettime, &[99, room], errno::EINVAL),
        (g::__NR_clock_getres, &[99, room], errno::EINVAL),
        (g::__NR_clock_settime, &[99, room], errno::EINVAL),
        (g::__NR_clock_settime, &[monotonic, room], errno::EINVAL),
        (g::__NR_clock_nanosleep, &[99, 0, room], errno::EINVAL),
        (g::__NR_clock_nanosleep, &[g::CLOCK_THREAD_CPUTIME_ID as usize, 0, room], errno::EOPNOTSUPP),
        (g::__NR_clock_nanosleep, &[g::CLOCK_MONOTONIC_RAW as usize, 0, room], errno::EOPNOTSUPP),
        (g::__NR_clock_nanosleep, &[g::CLOCK_REALTIME_COARSE as usize, 0, room], errno::EOPNOTSUPP),
        (g::__NR_utimensat, &[CWD, path, wrong_pair], errno::EINVAL),
        (g::__NR_utimensat, &[CWD, path, 0, 0x8000_0000], errno::EINVAL),
        (g::__NR_utimensat, &[CWD, path, BAD], errno::EFAULT),
        (g::__NR_settimeofday, &[bad_microseconds, 0], errno::EINVAL),
        (g::__NR_settimeofday, &[BAD, 0], errno::EFAULT),
        (g::__NR_gettimeofday, &[BAD, 0], errno::EFAULT),
        (g::__NR_getitimer, &[77, room], errno::EINVAL),
        (g::__NR_setitimer, &[77, room], errno::EINVAL),
        (g::__NR_getrandom, &[BAD, 1], errno::EFAULT),
        (g::__NR_getrandom, &[room, 1, 0x100], errno::EINVAL),
        (g::__NR_getrandom, &[room, 1, (g::GRND_RANDOM | g::GRND_INSECURE) as usize], errno::EINVAL),
    ])?;
    for wrong in [negative, too_much] {
        each_is_refused(&[
            (g::__NR_nanosleep, &[wrong], errno::EINVAL),
            (g::__NR_clock_nanosleep, &[monotonic, 0, wrong], errno::EINVAL),
            (g::__NR_clock_settime, &[0, wrong], errno::EINVAL),
        ])?;
    }
    let user = [0u64, 0, 5, 0];
    let set_times = [CWD, path, user.as_ptr() as usize, 0, 0, 0];
    // Times of their own are for who owns the file; the time of now for who may write it.
    if as_user(|| Ok(0)) == Ok(0) {
        check_eq!(as_user(|| sys(g::__NR_utimensat, set_times))?, errno::EPERM);
        check_eq!(as_user(|| sys(g::__NR_utimensat, [CWD, path, 0, 0]))?, errno::EACCES);
    }
    unlink(c"/tmp/vmtests.file")?;
    Ok(())
}

fn alarms_that_are_none() -> Outcome {
    let (mut words, mut id) = ([0u64; 8], [0u32]);
    let (room, id_at) = (words.as_mut_ptr() as usize, id.as_mut_ptr() as usize);
    let wrong = [0u64, 0, 0, 1_000_000_000];
    let wrong = wrong.as_ptr() as usize;
    let timer = sys(g::__NR_timerfd_create, [g::CLOCK_MONOTONIC as usize, g::O_NONBLOCK as usize])?;
    // `struct sigevent`: value, signal and how.
    let (no_signal, no_way) = ([0u64, 99], [0u64, 77 << 32]);
    let (no_signal, no_way) = (no_signal.as_ptr() as usize, no_way.as_ptr() as usize);
    each_is_refused(&[
        (g::__NR_timerfd_create, &[99, 0], errno::EINVAL),
        (g::__NR_timerfd_create, &[g::CLOCK_MONOTONIC_RAW as usize, 0], errno::EINVAL),
        (g::__NR_timerfd_create, &[g::CLOCK_MONOTONIC as usize, 1], errno::EINVAL),
        (g::__NR_timerfd_settime, &[timer, 0, wrong], errno::EINVAL),
        (g::__NR_timerfd_settime, &[timer, 0x100, room], errno::EINVAL),
        (g::__NR_timerfd_settime, &[timer, 0, BAD], errno::EFAULT),
        (g::__NR_timerfd_gettime, &[timer, BAD], errno::EFAULT),
        (g::__NR_read, &[timer, room, 7], errno::EINVAL),
        (g::__NR_read, &[timer, room, 8], errno::EAGAIN),
        (g::__NR_timer_create, &[99, 0, room], errno::EINVAL),
        (g::__NR_timer_create, &[0, no_signal, room], errno::EINVAL),
        (g::__NR_timer_create, &[0, no_way, room], errno::EINVAL),
        (g::__NR_timer_gettime, &[77, room], errno::EINVAL),
        (g::__NR_timer_settime, &[77, 0, room], errno::EINVAL),
        (g::__NR_timer_getoverrun, &[77], errno::EINVAL),
        (g::__NR_timer_delete, &[77], errno::EINVAL),
    ])?;
    sys(g::__NR_timer_create, [g::CLOCK_MONOTONIC as usize, 0, id_at])?;
    let id = core::hint::black_box(id)[0] as usize;
    each_is_refused(&[
        (g::__NR_timer_gettime, &[id, BAD], errno::EFAULT),
        (g::__NR_timer_settime, &[id, 0, BAD], errno::EFAULT),
        (g::__NR_timer_settime, &[id, 0, wrong], errno::EINVAL),
    ])
}

fn ranges_that_are_none() -> Outcome {
    let page = map(1, READ_WRITE)?;
    let (odd, two) = (page + 1, 2 * PAGE_SIZE);
    let huge = usize::MAX - PAGE_SIZE + 1;
    let (read, async_and_sync) = (g::PROT_READ as usize, (g::MS_ASYNC | g::MS_SYNC) as usize);
    each_is_refused(&[
        (g::__NR_munmap, &[odd, PAGE_SIZE], errno::EINVAL),
        (g::__NR_munmap, &[page, 0], errno::EINVAL),
        (g::__NR_munmap, &[page, huge], errno::EINVAL),
        (g::__NR_mprotect, &[odd, PAGE_SIZE, read], errno::EINVAL),
        (g::__NR_mprotect, &[page, PAGE_SIZE, 0x100], errno::EINVAL),
        (g::__NR_mprotect, &[page, huge, read], errno::ENOMEM),
        (g::__NR_msync, &[odd, PAGE_SIZE, 0], errno::EINVAL),
        (g::__NR_msync, &[page, PAGE_SIZE, async_and_sync], errno::EINVAL),
        (g::__NR_msync, &[page, PAGE_SIZE, 0x100], errno::EINVAL),
        (g::__NR_mincore, &[page, PAGE_SIZE, BAD], errno::EFAULT),
        (g::__NR_munlock, &[page, huge], errno::EINVAL),
        (g::__NR_mlockall, &[0], errno::EINVAL),
        (g::__NR_mlockall, &[0x100], errno::EINVAL),
        (g::__NR_mlockall, &[4], errno::EINVAL),
        (g::__NR_mremap, &[odd, PAGE_SIZE, PAGE_SIZE], errno::EINVAL),
        (g::__NR_mremap, &[page, PAGE_SIZE, two, 0x100], errno::EINVAL),
        (g::__NR_mremap, &[page, PAGE_SIZE, two, g::MREMAP_FIXED as usize, page + two], errno::EINVAL),
    ])
}

/// Three pages, of which the middle one is not mapped.
fn ranges_with_a_gap() -> Outcome {
    let start = map(4, READ_WRITE)?;
    munmap(start + PAGE_SIZE, PAGE_SIZE)?;
    munmap(start + 3 * PAGE_SIZE, PAGE_SIZE)?;
    let (three, gap) = (3 * PAGE_SIZE, start + PAGE_SIZE);
    let mut vector = [0u8; 8];
    let vector = vector.as_mut_ptr() as usize;
    let read = g::PROT_READ as usize;
    each_is_refused(&[
        (g::__NR_mprotect, &[start, three, read], errno::ENOMEM),
        (g::__NR_mprotect, &[gap, PAGE_SIZE, read], errno::ENOMEM),
        (g::__NR_msync, &[start, three, g::MS_ASYNC as usize], errno::ENOMEM),
        (g::__NR_mincore, &[start, three, vector], errno::ENOMEM),
        (g::__NR_mlock, &[start, three], errno::ENOMEM),
        (g::__NR_munlock, &[start, three], errno::ENOMEM),
        (g::__NR_mremap, &[gap, PAGE_SIZE, PAGE_SIZE, 0], errno::EFAULT),
        (g::__NR_mremap, &[start, three, 4 * PAGE_SIZE, g::MREMAP_MAYMOVE as usize], errno::EFAULT),
    ])
}

/// As Linux' manual says; qemu-riscv64 7.2 has no mlock2, and looks at ranges itself.
fn advised_ranges_that_are_none() -> Outcome {
    let start = map(3, READ_WRITE)?;
    munmap(start + PAGE_SIZE, PAGE_SIZE)?;
    let (odd, three) = (start + 1, 3 * PAGE_SIZE);
    let mut vector = [0u8; 8];
    let vector = vector.as_mut_ptr() as usize;
    each_is_refused(&[
        (g::__NR_madvise, &[odd, PAGE_SIZE, g::MADV_DONTNEED as usize], errno::EINVAL),
        (g::__NR_madvise, &[start, PAGE_SIZE, 9999], errno::EINVAL),
        (g::__NR_mremap, &[start, PAGE_SIZE, 0], errno::EINVAL),
        (g::__NR_mincore, &[odd, PAGE_SIZE, vector], errno::EINVAL),
        (g::__NR_madvise, &[start, usize::MAX, g::MADV_DONTNEED as usize], errno::EINVAL),
        (g::__NR_madvise, &[start, three, g::MADV_WILLNEED as usize], errno::ENOMEM),
        // For whom no limit holds; others are told ENOMEM.
        (g::__NR_mlock, &[start, usize::MAX - PAGE_SIZE + 1], errno::EINVAL),
        (g::__NR_mlock2, &[start, PAGE_SIZE, 0x100], errno::EINVAL),
        (g::__NR_mlock2, &[start, three, 0], errno::ENOMEM),
    ])
}

/// As Linux' manual says; qemu-riscv64 7.2 does not have these.
fn calls_that_are_new() -> Outcome {
    let file = crate::memory::temporary(c"/tmp/vmtests.file", b"some text")? as usize;
    let (pipe, _write) = os::pipe(0)?;
    let list = sys(g::__NR_epoll_create1, [0])?;
    let mut room = [0u64; 2];
    let room = room.as_mut_ptr() as usize;
    let vector = [room, 8];
    let vector = vector.as_ptr() as usize;
    let wrong = [0u64, 1_000_000_000];
    each_is_refused(&[
        (g::__NR_preadv2, &[file, vector, 1, 0, 0, 0x100], errno::EOPNOTSUPP),
        (g::__NR_pwritev2, &[file, vector, 1, 0, 0, 0x100], errno::EOPNOTSUPP),
        (g::__NR_preadv2, &[file, vector, 1025, 0, 0, 0], errno::EINVAL),
        (g::__NR_pwritev2, &[file, vector, 1025, 0, 0, 0], errno::EINVAL),
        (g::__NR_preadv2, &[pipe as usize, vector, 1, 0, 0, 0], errno::ESPIPE),
        (g::__NR_epoll_pwait2, &[list, room, 1, wrong.as_ptr() as usize, 0, 8], errno::EINVAL),
        (g::__NR_epoll_pwait2, &[list, room, 1, BAD, 0, 8], errno::EFAULT),
        (g::__NR_epoll_pwait2, &[list, room, 0, 0, 0, 8], errno::EINVAL),
        (g::__NR_epoll_pwait2, &[file, room, 1, 0, 0, 8], errno::EINVAL),
        (g::__NR_close_range, &[9, 10, 0x100], errno::EINVAL),
        (g::__NR_fchmodat2, &[CWD, c"/tmp/vmtests.file".as_ptr() as usize, 0o600, 1], errno::EINVAL),
        (g::__NR_faccessat2, &[CWD, c"/tmp/vmtests.file".as_ptr() as usize, 0, 1], errno::EINVAL),
        (g::__NR_execveat, &[CWD, c"".as_ptr() as usize, 0, 0, 1], errno::EINVAL),
    ])?;
    unlink(c"/tmp/vmtests.file")?;
    Ok(())
}

fn memory_that_may_not_be_locked() -> Outcome {
    let page = map(4, READ_WRITE)?;
    let limit = |bytes: u64| -> rt::Result<usize> {
        let limit = [bytes; 2];
        sys(g::__NR_prlimit64, [0, g::RLIMIT_MEMLOCK as usize, limit.as_ptr() as usize, 0])
    };
    let four = 4 * PAGE_SIZE;
    let all = (g::MCL_CURRENT | g::MCL_FUTURE) as usize;
    for (bytes, expected) in [(0, errno::EPERM), (PAGE_SIZE as u64, errno::ENOMEM)] {
        limit(bytes)?;
        for (number, arguments) in [
            (g::__NR_mlock, [page, four, 0]),
            (g::__NR_mlockall, [all, 0, 0]),
            // qemu-riscv64 7.2 has none; Linux' manual.
            (g::__NR_mlock2, [page, four, 0]),
        ] {
            check_eq!((number, as_user(|| sys(number, arguments))?), (number, expected));
        }
        limit(u64::from(u32::MAX))?;
    }
    limit(0)?;
    let locked = (g::MAP_PRIVATE | g::MAP_ANONYMOUS | g::MAP_LOCKED) as usize;
    let map_locked = [0, PAGE_SIZE, READ_WRITE as usize, locked, usize::MAX, 0];
    check_eq!(as_user(|| sys(g::__NR_mmap, map_locked))?, errno::EPERM);
    Ok(())
}

fn advice_that_is_none() -> Outcome {
    let memory = sys(g::__NR_memfd_create, [c"name".as_ptr() as usize, 0])?;
    let long = [b'a'; 300];
    each_is_refused(&[
        (g::__NR_memfd_create, &[long.as_ptr() as usize, 0], errno::EINVAL),
        (g::__NR_memfd_create, &[c"name".as_ptr() as usize, 0x100], errno::EINVAL),
        (g::__NR_memfd_create, &[BAD, 0], errno::EFAULT),
        // No seals can be added to what was not made for them.
        (g::__NR_fcntl, &[memory, g::F_ADD_SEALS as usize, g::F_SEAL_WRITE as usize], errno::EPERM),
        (g::__NR_fcntl, &[memory, 0x7777, 0], errno::EINVAL),
        (g::__NR_fcntl, &[memory, g::F_DUPFD as usize, usize::MAX], errno::EINVAL),
        (g::__NR_eventfd2, &[0, 1 << 20], errno::EINVAL),
        (g::__NR_epoll_create1, &[1], errno::EINVAL),
        (g::__NR_inotify_init1, &[1], errno::EINVAL),
        (g::__NR_close_range, &[5, 4, 0], errno::EINVAL),
        (g::__NR_dup3, &[memory, 50, 1], errno::EINVAL),
        (g::__NR_flock, &[memory, 77], errno::EINVAL),
    ])
}

fn words_that_wait_for_nothing() -> Outcome {
    const WAIT: usize = 128;
    const WAKE: usize = 129;
    const COMPARE_REQUEUE: usize = 132;
    let word = [5u32, 5];
    let word = word.as_ptr() as usize;
    let (wrong, none) = ([0u64, 1_000_000_000], [0u64; 2]);
    let (wrong, none) = (wrong.as_ptr() as usize, none.as_ptr() as usize);
    each_is_refused(&[
        (g::__NR_futex, &[word, WAIT, 4], errno::EAGAIN),
        (g::__NR_futex, &[word, WAIT, 5, none], errno::ETIMEDOUT),
        (g::__NR_futex, &[word, WAIT, 5, wrong], errno::EINVAL),
        (g::__NR_futex, &[word, WAIT, 5, BAD], errno::EFAULT),
        (g::__NR_futex, &[word + 1, WAIT, 5], errno::EINVAL),
        (g::__NR_futex, &[word + 1, WAKE, 1], errno::EINVAL),
        (g::__NR_futex, &[BAD, WAIT, 5], errno::EFAULT),
        (g::__NR_futex, &[word, COMPARE_REQUEUE, 1, 1, word + 4, 4], errno::EAGAIN),
        (g::__NR_futex, &[word, 77, 0], errno::ENOSYS),
    ])
}

fn names_without_room() -> Outcome {
    let mut room = [0u8; 64];
    let room = room.as_mut_ptr() as usize;
    each_is_refused(&[
        (g::__NR_getcwd, &[room, 0], errno::ERANGE),
        (g::__NR_readlinkat, &[CWD, c"/proc/self/exe".as_ptr() as usize, room, 0], errno::EINVAL),
        (g::__NR_newfstatat, &[CWD, c"/tmp".as_ptr() as usize, room, 0x8000_0000], errno::EINVAL),
        (g::__NR_faccessat, &[CWD, c"/tmp".as_ptr() as usize, 8], errno::EINVAL),
    ])
}

/// For whoever may name the machine: others are told EPERM first.
fn names_of_the_machine() -> Outcome {
    let room = [0u8; 64];
    let room = room.as_ptr() as usize;
    each_is_refused(&[
        (g::__NR_sethostname, &[room, 65], errno::EINVAL),
        (g::__NR_sethostname, &[room, usize::MAX], errno::EINVAL),
        (g::__NR_setdomainname, &[room, 65], errno::EINVAL),
        (g::__NR_setdomainname, &[room, usize::MAX], errno::EINVAL),
        (g::__NR_setgroups, &[65_537, room], errno::EINVAL),
        (g::__NR_setgroups, &[1, BAD], errno::EFAULT),
    ])
}

fn programs_that_are_none() -> Outcome {
    const PATH: &CStr = c"/tmp/vmtests.program";
    let path = PATH.as_ptr() as usize;
    for (bytes, expected) in [
        (&b"no program"[..], errno::ENOEXEC),
        (b"#!/no/such/program\n", errno::ENOENT),
        (b"#!/tmp\n", errno::EACCES),
    ] {
        os::close(crate::memory::temporary(PATH, bytes)?)?;
        each_is_refused(&[(g::__NR_execve, &[path], expected)])?;
        unlink(PATH)?;
    }
    each_is_refused(&[
        (g::__NR_execve, &[path], errno::ENOENT),
        (g::__NR_execve, &[BAD], errno::EFAULT),
        (g::__NR_execve, &[c"/dev/null".as_ptr() as usize], errno::EACCES),
    ])
}

/// A program whose interpreter is no program, or is not there: as Linux says of its own programs (of these it knows nothing where
/// qemu-riscv64 alone runs them).
fn interpreters_that_are_none() -> Outcome {
    const PATH: &CStr = c"/tmp/vmtests.program";
    const TEXT: &CStr = c"/tmp/vmtests.interp";
    let path = PATH.as_ptr() as usize;
    // Longer than an ELF header, and none.
    os::close(crate::memory::temporary(TEXT, &[b't'; 200])?)?;
    let mut elf = [0u8; 160];
    elf[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\0");
    // A shared object for RISC-V, version 1; its program header follows the file's.
    elf[16..24].copy_from_slice(&[3, 0, 243, 0, 1, 0, 0, 0]);
    elf[32] = 64;
    elf[52] = 64;
    elf[54] = 56;
    elf[56] = 1;
    // PT_INTERP, to be read: 20 bytes from 120 on.
    elf[64] = 3;
    elf[68] = 4;
    elf[72] = 120;
    elf[96] = 20;
    elf[104] = 20;
    elf[120..139].copy_from_slice(b"/tmp/vmtests.interp");
    os::close(crate::memory::temporary(PATH, &elf)?)?;
    each_is_refused(&[(g::__NR_execve, &[path], errno::ELIBBAD)])?;
    unlink(TEXT)?;
    each_is_refused(&[(g::__NR_execve, &[path], errno::ENOENT)])?;
    unlink(PATH)?;
    Ok(())
}

/// Waiting calls whose memory is none.
fn bytes_from_nowhere() -> Outcome {
    let (read, write) = os::pipe(0)?;
    let (read, write) = (read as usize, write as usize);
    os::write(write as i32, b"bytes")?;
    let event = sys(g::__NR_eventfd2, [1, 0])?;
    let list = sys(g::__NR_epoll_create1, [0])?;
    let torn = [BAD, 5];
    let torn = torn.as_ptr() as usize;
    let file = crate::memory::temporary(c"/tmp/vmtests.file", b"some text")? as usize;
    let mut watched = [1u64, 0];
    sys(g::__NR_epoll_ctl, [list, 1, read, watched.as_mut_ptr() as usize])?;
    each_is_refused(&[
        (g::__NR_read, &[read, BAD, 1], errno::EFAULT),
        (g::__NR_readv, &[read, torn, 1], errno::EFAULT),
        (g::__NR_write, &[write, BAD, 1], errno::EFAULT),
        (g::__NR_writev, &[write, torn, 1], errno::EFAULT),
        (g::__NR_vmsplice, &[write, torn, 1], errno::EFAULT),
        (g::__NR_read, &[event, BAD, 8], errno::EFAULT),
        (g::__NR_epoll_ctl, &[list, 1, write, BAD], errno::EFAULT),
        (g::__NR_epoll_pwait, &[list, BAD, 1], errno::EFAULT),
        (g::__NR_pread64, &[file, BAD, 1], errno::EFAULT),
        (g::__NR_preadv, &[file, torn, 1], errno::EFAULT),
        (g::__NR_pwrite64, &[file, BAD, 1], errno::EFAULT),
        (g::__NR_pwritev, &[file, torn, 1], errno::EFAULT),
        (g::__NR_sendfile, &[write, file, BAD, 1], errno::EFAULT),
        (g::__NR_splice, &[file, BAD, write, 0, 1], errno::EFAULT),
        (g::__NR_copy_file_range, &[file, BAD, file, 0, 1], errno::EFAULT),
    ])?;
    unlink(c"/tmp/vmtests.file")?;
    Ok(())
}
