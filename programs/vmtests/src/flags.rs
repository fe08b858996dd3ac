//! What flags do: those that no other test sees at work. `guest-os/abi/tests/flags.rs` lists which test observes which flag.

use core::ffi::CStr;
use core::sync::atomic::{AtomicI32, Ordering::SeqCst};

use rt::abi::general as g;
use rt::abi::ioctl as request;
use rt::os::{self, Status};
use rt::{PAGE_SIZE, Result};

use crate::check::Outcome;
use crate::exec::unlink;
use crate::memory::{READ_WRITE, map, temporary};
use crate::raw::{self, peek, poke, sys};
use crate::{check, check_eq, check_error, tests};

tests! {
    open_path, open_nonblocking, descriptors_close_on_exec, requests_of_descriptors,
    link_flags, rename_noreplace, flags_of_names, access_flags, @Kernel old_limits,
    @Kernel limit_of_the_stack, mapping_kinds, @Kernel mapping_validated, @Kernel discard_though_locked, @Kernel clone_numbers, @Kernel clone_clears, clone_thread_pointer, wait_for_stopped,
    poll_events, every_clock, usage_of_a_thread, @Kernel child_is_not_awaited,
}

const AT: usize = (g::AT_FDCWD as isize).cast_unsigned();
const PATH: &CStr = c"/tmp/vmtests.file";
const LINK: &CStr = c"/tmp/vmtests.link";

fn at(path: &CStr) -> usize {
    path.as_ptr() as usize
}

fn address<T>(value: &mut T) -> usize {
    core::ptr::from_mut(value) as usize
}

fn flags_of(fd: usize) -> Result<usize> {
    sys(g::__NR_fcntl, [fd, g::F_GETFD as usize])
}

fn open_path() -> Outcome {
    temporary(PATH, b"text")?;
    // A name and nothing else: it can be asked about, not read.
    let fd = os::open(PATH, g::O_PATH, 0)?;
    check_error!(os::read(fd, &mut [0; 4]), EBADF);
    check_error!(os::write(fd, b"x"), EBADF);
    check_error!(sys(g::__NR_ftruncate, [fd as usize, 0]), EBADF);
    let (read, shared) = (g::PROT_READ as usize, g::MAP_SHARED as usize);
    check_error!(sys(g::__NR_mmap, [0, rt::PAGE_SIZE, read, shared, fd as usize, 0]), EBADF);
    let mut stat = [0u64; 16];
    sys(g::__NR_fstat, [fd as usize, address(&mut stat)])?;
    check_eq!(core::hint::black_box(stat)[6], 4);
    unlink(PATH)?;
    Ok(())
}

fn open_nonblocking() -> Outcome {
    let fd = os::open(c"/dev/null", g::O_RDWR | g::O_NONBLOCK, 0)?;
    check!(sys(g::__NR_fcntl, [fd as usize, g::F_GETFL as usize])? & g::O_NONBLOCK as usize != 0);
    Ok(())
}

fn descriptors_close_on_exec() -> Outcome {
    let (plain, _) = os::pipe(0)?;
    check_eq!(flags_of(plain as usize)?, 0);
    let (read, write) = os::pipe(g::O_CLOEXEC)?;
    check_eq!(flags_of(read as usize)?, g::FD_CLOEXEC as usize);
    check_eq!(flags_of(write as usize)?, g::FD_CLOEXEC as usize);
    check_eq!(os::dup3(plain, 40, g::O_CLOEXEC)?, 40);
    check_eq!(flags_of(40)?, g::FD_CLOEXEC as usize);
    check_eq!(os::dup3(40, 41, 0)?, 41);
    check_eq!(flags_of(41)?, 0);
    let [plain, closing] = [0, g::MFD_CLOEXEC]
        .map(|flags| sys(g::__NR_memfd_create, [at(c"nameless"), flags as usize]).and_then(flags_of));
    check_eq!((plain, closing), (Ok(0), Ok(g::FD_CLOEXEC as usize)));
    /// `linux/close_range.h`
    const CLOSE_RANGE_CLOEXEC: usize = 1 << 2;
    sys(g::__NR_close_range, [41, 50, CLOSE_RANGE_CLOEXEC])?;
    check_eq!(flags_of(41)?, g::FD_CLOEXEC as usize);
    sys(g::__NR_close_range, [41, 50, 0])?;
    check_error!(flags_of(41), EBADF);
    check_eq!(flags_of(40)?, g::FD_CLOEXEC as usize);
    Ok(())
}

fn requests_of_descriptors() -> Outcome {
    let (read, write) = os::pipe(0)?;
    let ask = |number: u32, argument: usize| sys(g::__NR_ioctl, [read as usize, number as usize, argument]);
    os::write(write, b"four")?;
    let mut count = 0u32;
    ask(request::FIONREAD, address(&mut count))?;
    check_eq!(core::hint::black_box(count), 4);
    ask(request::FIOCLEX, 0)?;
    check_eq!(flags_of(read as usize)?, g::FD_CLOEXEC as usize);
    ask(request::FIONCLEX, 0)?;
    check_eq!(flags_of(read as usize)?, 0);
    os::read(read, &mut [0; 4])?;
    let mut on = 1u32;
    ask(request::FIONBIO, address(&mut on))?;
    check_error!(os::read(read, &mut [0; 4]), EAGAIN);
    Ok(())
}

/// What the inode is, by statx(2): its number and its kind.
fn statx(dirfd: usize, path: &CStr, flags: u32) -> Result<(u64, u16)> {
    let mut statx = [0u64; 32];
    sys(
        g::__NR_statx,
        [dirfd, at(path), flags as usize, g::STATX_BASIC_STATS as usize, address(&mut statx)],
    )?;
    let statx = core::hint::black_box(statx);
    // The mode is behind four words of 32 bits and three more; the inode follows it.
    Ok((statx[4], (statx[3] >> 32) as u16))
}

fn link_flags() -> Outcome {
    const SECOND: &CStr = c"/tmp/vmtests.second";
    let _ = (unlink(LINK), unlink(SECOND));
    let fd = temporary(PATH, b"text")? as usize;
    sys(g::__NR_symlinkat, [at(PATH), AT, at(LINK)])?;
    let link = |fd: usize, path: &CStr, flags: u32| {
        sys(g::__NR_linkat, [fd, at(path), AT, at(SECOND), flags as usize])
    };
    let (file, symlink) = (statx(AT, PATH, 0)?, statx(AT, LINK, g::AT_SYMLINK_NOFOLLOW)?);
    check!(file.0 != symlink.0);
    check_eq!(u32::from(symlink.1) & g::S_IFMT, g::S_IFLNK);
    check_eq!(statx(fd, c"", g::AT_EMPTY_PATH)?, file);
    check_error!(statx(fd, c"", 0), ENOENT);
    // The symbolic link itself, unless it is to be followed.
    link(AT, LINK, 0)?;
    check_eq!(statx(AT, SECOND, g::AT_SYMLINK_NOFOLLOW)?.0, symlink.0);
    unlink(SECOND)?;
    link(AT, LINK, g::AT_SYMLINK_FOLLOW)?;
    check_eq!(statx(AT, SECOND, g::AT_SYMLINK_NOFOLLOW)?.0, file.0);
    unlink(SECOND)?;
    check_error!(link(fd, c"", 0), ENOENT);
    link(fd, c"", g::AT_EMPTY_PATH)?;
    check_eq!(statx(AT, SECOND, 0)?.0, file.0);
    for path in [SECOND, LINK, PATH] {
        unlink(path)?;
    }
    Ok(())
}

fn rename_noreplace() -> Outcome {
    const OTHER: &CStr = c"/tmp/vmtests.other";
    temporary(PATH, b"one")?;
    temporary(OTHER, b"other")?;
    let rename = |flags: u32| sys(g::__NR_renameat2, [AT, at(PATH), AT, at(OTHER), flags as usize]);
    check_error!(rename(g::RENAME_NOREPLACE), EEXIST);
    unlink(OTHER)?;
    rename(g::RENAME_NOREPLACE)?;
    temporary(PATH, b"one")?;
    rename(0)?;
    check_error!(unlink(PATH), ENOENT);
    unlink(OTHER)?;
    Ok(())
}

/// Owner and group of a file, and when it was last written; not through a symbolic link.
fn owner(path: &CStr) -> Result<(u64, u64)> {
    let mut stat = [0u64; 16];
    sys(g::__NR_newfstatat, [AT, at(path), address(&mut stat), g::AT_SYMLINK_NOFOLLOW as usize])?;
    let stat = core::hint::black_box(stat);
    Ok((stat[3], stat[11]))
}

fn flags_of_names() -> Outcome {
    let _ = unlink(LINK);
    let fd = temporary(PATH, b"text")? as usize;
    sys(g::__NR_symlinkat, [at(PATH), AT, at(LINK)])?;
    let chown = |fd: usize, path: &CStr, id: usize, flags: u32| {
        sys(g::__NR_fchownat, [fd, at(path), id, id, flags as usize])
    };
    let both = |id: u64| id << 32 | id;
    // Only root may give files away.
    if chown(AT, PATH, 7, 0).is_ok() {
        chown(AT, LINK, 8, g::AT_SYMLINK_NOFOLLOW)?;
        check_eq!((owner(PATH)?.0, owner(LINK)?.0), (both(7), both(8)));
        chown(AT, LINK, 9, 0)?;
        check_eq!((owner(PATH)?.0, owner(LINK)?.0), (both(9), both(8)));
        chown(fd, c"", 10, g::AT_EMPTY_PATH)?;
        check_eq!(owner(PATH)?.0, both(10));
    }
    let touch = |fd: usize, path: &CStr, seconds: u64, flags: u32| {
        let mut times = [seconds, 0, seconds, 0];
        sys(g::__NR_utimensat, [fd, at(path), address(&mut times), flags as usize])
    };
    touch(AT, PATH, 1000, 0)?;
    touch(AT, LINK, 2000, g::AT_SYMLINK_NOFOLLOW)?;
    check_eq!((owner(PATH)?.1, owner(LINK)?.1), (1000, 2000));
    touch(AT, LINK, 3000, 0)?;
    check_eq!((owner(PATH)?.1, owner(LINK)?.1), (3000, 2000));
    touch(fd, c"", 4000, g::AT_EMPTY_PATH)?;
    check_eq!(owner(PATH)?.1, 4000);
    unlink(LINK)?;
    unlink(PATH)?;
    Ok(())
}

fn access_flags() -> Outcome {
    let _ = unlink(LINK);
    let fd = temporary(PATH, b"text")? as usize;
    let access = |fd: usize, path: &CStr, mode: u32, flags: u32| {
        sys(g::__NR_faccessat2, [fd, at(path), mode as usize, flags as usize])
    };
    sys(g::__NR_fchmodat, [AT, at(PATH), 0o644])?;
    access(AT, PATH, g::W_OK, 0)?;
    check_error!(access(AT, PATH, g::X_OK, 0), EACCES);
    check_error!(access(AT, c"/no/such", g::F_OK, 0), ENOENT);
    check_error!(access(fd, c"", g::F_OK, 0), ENOENT);
    access(fd, c"", g::F_OK, g::AT_EMPTY_PATH)?;
    // Through the link there is nothing, the link itself is there.
    sys(g::__NR_symlinkat, [at(c"/no/such"), AT, at(LINK)])?;
    check_error!(access(AT, LINK, g::F_OK, 0), ENOENT);
    access(AT, LINK, g::F_OK, g::AT_SYMLINK_NOFOLLOW)?;
    unlink(LINK)?;
    unlink(PATH)?;
    Ok(())
}

fn old_limits() -> Outcome {
    for resource in [g::RLIMIT_STACK, g::RLIMIT_NOFILE] {
        let (mut old, mut new) = ([0u64; 2], [0u64; 2]);
        sys(g::__NR_getrlimit, [resource as usize, address(&mut old)])?;
        sys(g::__NR_prlimit64, [0, resource as usize, 0, address(&mut new)])?;
        let [soft, hard] = core::hint::black_box(old);
        check_eq!(core::hint::black_box(new), [soft, hard]);
        let mut half = [soft / 2, hard];
        sys(g::__NR_setrlimit, [resource as usize, address(&mut half)])?;
        sys(g::__NR_prlimit64, [0, resource as usize, 0, address(&mut new)])?;
        check_eq!(core::hint::black_box(new), [soft / 2, hard]);
        // A soft limit above the hard one.
        let mut wrong = [hard, hard - 1];
        check_error!(sys(g::__NR_setrlimit, [resource as usize, address(&mut wrong)]), EINVAL);
    }
    // It is in force.
    let (mut few, mut none) = ([4u64, 1000], 0);
    sys(g::__NR_setrlimit, [g::RLIMIT_NOFILE as usize, address(&mut few)])?;
    while os::open(c"/dev/null", g::O_RDONLY, 0).is_ok() {
        none += 1;
    }
    check!(none <= 4);
    check_error!(os::open(c"/dev/null", g::O_RDONLY, 0), EMFILE);
    Ok(())
}

/// Uses about a page of stack a step.
#[inline(never)]
pub fn descend(steps: usize) -> usize {
    let mut room = [0u8; PAGE_SIZE];
    core::hint::black_box(&mut room);
    if steps == 0 { 0 } else { descend(steps - 1) + usize::from(room[0]) + 1 }
}

fn limit_of_the_stack() -> Outcome {
    let limited = |pages: usize, by_old_call: bool| {
        os::in_child(|| {
            let mut limit = [(pages * PAGE_SIZE) as u64, (1 << 23) as u64];
            let set = match by_old_call {
                true => sys(g::__NR_setrlimit, [g::RLIMIT_STACK as usize, address(&mut limit)]),
                false => sys(g::__NR_prlimit64, [0, g::RLIMIT_STACK as usize, address(&mut limit), 0]),
            };
            i32::from(set.is_err() || descend(200) != 200)
        })
    };
    check_eq!(limited(1000, false)?, Status::Exited(0));
    check_eq!(limited(100, false)?, Status::Signaled(g::SIGSEGV));
    check_eq!(limited(100, true)?, Status::Signaled(g::SIGSEGV));
    Ok(())
}

fn mapping_kinds() -> Outcome {
    let mapped = |kind: u32, prot: u32| {
        sys(g::__NR_mmap, [0, PAGE_SIZE, prot as usize, (kind | g::MAP_ANONYMOUS) as usize, usize::MAX, 0])
    };
    // What a child stores is seen, or not.
    for (kind, seen) in [(g::MAP_SHARED, 5), (g::MAP_PRIVATE, 0)] {
        let page = mapped(kind, g::PROT_READ | g::PROT_WRITE)?;
        check_eq!(crate::memory::child(|| poke(page, 5))?, Status::Exited(0));
        check_eq!(peek(page), seen);
    }
    let page = mapped(g::MAP_PRIVATE, g::PROT_READ)?;
    check_eq!(peek(page), 0);
    check_eq!(crate::memory::child(|| poke(page, 5))?, Status::Signaled(g::SIGSEGV));
    check_eq!(crate::memory::child(|| raw::jump(page))?, Status::Signaled(g::SIGSEGV));
    let page = mapped(g::MAP_PRIVATE, g::PROT_NONE)?;
    check_eq!(crate::memory::child(|| peek(page))?, Status::Signaled(g::SIGSEGV));
    let page = mapped(g::MAP_PRIVATE, g::PROT_READ | g::PROT_WRITE | g::PROT_EXEC)?;
    // `ret`: what is executed has come there by a store.
    poke(page, 0x82);
    poke(page + 1, 0x80);
    sys(g::__NR_riscv_flush_icache, [page, page + 2, 0])?;
    raw::jump(page);
    check_eq!(sys(g::__NR_mprotect, [page, PAGE_SIZE, g::PROT_WRITE as usize | g::PROT_READ as usize])?, 0);
    poke(page, 1);
    check_eq!(crate::memory::child(|| raw::jump(page))?, Status::Signaled(g::SIGSEGV));
    Ok(())
}

fn mapping_validated() -> Outcome {
    let fd = temporary(PATH, b"text")? as usize;
    let page =
        sys(g::__NR_mmap, [0, PAGE_SIZE, g::PROT_READ as usize, g::MAP_SHARED_VALIDATE as usize, fd, 0])?;
    check_eq!(peek(page), b't');
    unlink(PATH)?;
    Ok(())
}

fn discard_though_locked() -> Outcome {
    let page = map(1, READ_WRITE)?;
    poke(page, 5);
    sys(g::__NR_madvise, [page, PAGE_SIZE, g::MADV_DONTNEED_LOCKED as usize])?;
    check_eq!(peek(page), 0);
    Ok(())
}

static WORDS: [AtomicI32; 2] = [const { AtomicI32::new(0) }; 2];

fn clone_numbers() -> Outcome {
    let flags = g::CLONE_PARENT_SETTID | g::CLONE_CHILD_SETTID | g::SIGCHLD;
    let [parent, child] = [&WORDS[0], &WORDS[1]].map(|word| core::ptr::from_ref(word) as usize);
    let pid = sys(g::__NR_clone, [flags as usize, 0, parent, 0, child])? as i32;
    if pid == 0 {
        os::exit(i32::from(WORDS[1].load(SeqCst) != os::getpid()));
    }
    check_eq!(WORDS[0].load(SeqCst), pid);
    check_eq!(WORDS[1].load(SeqCst), 0);
    check_eq!(os::wait(pid)?, (pid, Status::Exited(0)));
    Ok(())
}

extern "C" fn nothing(_: usize) -> i32 {
    0
}

fn clone_clears() -> Outcome {
    // In memory that is shared, the child's end stores 0.
    WORDS[0].store(77, SeqCst);
    let flags = g::CLONE_VM | g::CLONE_VFORK | g::CLONE_CHILD_CLEARTID | g::SIGCHLD;
    let pid = raw::spawn(flags, core::ptr::from_ref(&WORDS[0]) as usize, nothing, 0) as i32;
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    check_eq!(WORDS[0].load(SeqCst), 0);
    Ok(())
}

fn clone_thread_pointer() -> Outcome {
    let pid = sys(g::__NR_clone, [(g::CLONE_SETTLS | g::SIGCHLD) as usize, 0, 0, 0x1234_5678, 0])? as i32;
    if pid == 0 {
        os::exit(i32::from(raw::thread_pointer() != 0x1234_5678));
    }
    check_eq!(os::wait(pid)?, (pid, Status::Exited(0)));
    Ok(())
}

fn wait_for_stopped() -> Outcome {
    let pid = os::fork()?;
    if pid == 0 {
        loop {
            os::sched_yield();
        }
    }
    let mut status = 0u32;
    let mut wait = |options: u32| {
        let waited = sys(g::__NR_wait4, [pid as usize, address(&mut status), options as usize, 0]);
        waited.map(|pid| (pid as i32, core::hint::black_box(status)))
    };
    os::kill(pid, g::SIGSTOP)?;
    check_eq!(wait(g::WUNTRACED)?, (pid, g::SIGSTOP << 8 | 0x7f));
    // It is told once.
    check_eq!(wait(g::WUNTRACED | g::WNOHANG)?.0, 0);
    os::kill(pid, g::SIGCONT)?;
    check_eq!(wait(g::WCONTINUED)?, (pid, 0xffff));
    os::kill(pid, g::SIGKILL)?;
    check_eq!(wait(0)?, (pid, g::SIGKILL));
    Ok(())
}

fn poll_events() -> Outcome {
    const POLLIN: u64 = 1;
    const POLLOUT: u64 = 4;
    const POLLERR: u64 = 8;
    const POLLHUP: u64 = 0x10;
    const POLLNVAL: u64 = 0x20;
    let mut now = [0u64; 2];
    let now = address(&mut now);
    let poll = |fd: i32, events: u64| {
        let mut entry = u64::from(fd.cast_unsigned()) | events << 32;
        let count = sys(g::__NR_ppoll, [address(&mut entry), 1, now, 0, 8]);
        count.map(|count| (count, core::hint::black_box(entry) >> 48))
    };
    let (read, write) = os::pipe(0)?;
    check_eq!(poll(read, POLLIN)?, (0, 0));
    check_eq!(poll(write, POLLIN | POLLOUT)?, (1, POLLOUT));
    os::write(write, b"x")?;
    check_eq!(poll(read, POLLIN)?, (1, POLLIN));
    check_eq!(poll(read, 0)?, (0, 0));
    os::read(read, &mut [0; 1])?;
    os::close(write)?;
    check_eq!(poll(read, 0)?, (1, POLLHUP));
    check_eq!(poll(write, POLLOUT)?, (1, POLLNVAL));
    let (read, write) = os::pipe(0)?;
    os::close(read)?;
    check!(poll(write, 0)?.1 & POLLERR != 0);
    Ok(())
}

fn every_clock() -> Outcome {
    let read = |clock: u32| {
        let mut time = [0u64; 2];
        sys(g::__NR_clock_gettime, [clock as usize, address(&mut time)])?;
        let [seconds, nanoseconds] = core::hint::black_box(time);
        Ok::<u64, rt::Errno>(seconds * 1_000_000_000 + nanoseconds)
    };
    const OF_DAY: [u32; 3] = [g::CLOCK_REALTIME, g::CLOCK_REALTIME_COARSE, g::CLOCK_TAI];
    const SINCE_BOOT: [u32; 4] =
        [g::CLOCK_MONOTONIC, g::CLOCK_MONOTONIC_RAW, g::CLOCK_MONOTONIC_COARSE, g::CLOCK_BOOTTIME];
    const OF_THE_PROGRAM: [u32; 2] = [g::CLOCK_PROCESS_CPUTIME_ID, g::CLOCK_THREAD_CPUTIME_ID];
    for clock in OF_DAY {
        // Since 2023, and together.
        check!(read(clock)? > 1_672_531_200 * 1_000_000_000);
        check!(read(clock)?.abs_diff(read(g::CLOCK_REALTIME)?) < 60_000_000_000);
    }
    for clock in SINCE_BOOT {
        let before = read(clock)?;
        crate::processes::sleep_ns(20_000_000)?;
        check!(read(clock)? > before);
    }
    for clock in OF_THE_PROGRAM {
        let before = read(clock)?;
        while read(clock)? == before {}
        check!(read(clock)? < 1_000_000_000_000);
    }
    for clock in OF_DAY.into_iter().chain(SINCE_BOOT).chain(OF_THE_PROGRAM) {
        let mut resolution = [9u64; 2];
        sys(g::__NR_clock_getres, [clock as usize, address(&mut resolution)])?;
        check_eq!(core::hint::black_box(resolution)[0], 0);
    }
    for clock in [g::CLOCK_REALTIME, g::CLOCK_MONOTONIC, g::CLOCK_BOOTTIME, g::CLOCK_TAI] {
        let (before, mut wanted) = (read(clock)?, [0u64, 3_000_000]);
        sys(g::__NR_clock_nanosleep, [clock as usize, 0, address(&mut wanted), 0])?;
        check!(read(clock)? >= before + 3_000_000);
    }
    Ok(())
}

fn usage_of_a_thread() -> Outcome {
    let mut usage = [[0u64; 18]; 2];
    sys(g::__NR_getrusage, [g::RUSAGE_THREAD as usize, address(&mut usage[0])])?;
    sys(g::__NR_getrusage, [g::RUSAGE_SELF as usize, address(&mut usage[1])])?;
    let [thread, process] = core::hint::black_box(usage);
    // Page faults: those of the one thread are the process's.
    check!(thread[8] > 0);
    check!(process[8] >= thread[8]);
    // A child's count when it has been awaited.
    let children = |usage: &mut [u64; 18]| {
        let who = (g::RUSAGE_CHILDREN as isize).cast_unsigned();
        sys(g::__NR_getrusage, [who, address(usage)]).map(|_| core::hint::black_box(*usage)[8])
    };
    let before = children(&mut usage[0])?;
    let page = map(8, READ_WRITE)?;
    check_eq!(
        crate::memory::child(|| (0..8).for_each(|n| poke(page + n * PAGE_SIZE, 1)))?,
        Status::Exited(0)
    );
    check!(children(&mut usage[0])? >= before + 8);
    Ok(())
}

fn child_is_not_awaited() -> Outcome {
    raw::on_signal(g::SIGCHLD, raw::Action::Default, g::SA_NOCLDWAIT)?;
    let pid = os::fork()?;
    if pid == 0 {
        os::exit(3);
    }
    // It leaves nothing behind.
    check_error!(os::wait(pid), ECHILD);
    // A handler that runs meanwhile is no reason to say anything else.
    raw::on_signal(g::SIGCHLD, raw::Action::Call(hear), g::SA_NOCLDWAIT)?;
    let pid = os::fork()?;
    if pid == 0 {
        let _ = crate::processes::sleep_ns(1_000_000);
        os::exit(3);
    }
    check_error!(os::wait(pid), ECHILD);
    Ok(())
}

extern "C" fn hear(_: i32, _: usize, _: usize) {}
