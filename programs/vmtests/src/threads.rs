//! Threads: what they share, what each has of its own, how they are scheduled, and how they and their process end.

use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst};

use rt::abi::errno::{EINVAL, ETIMEDOUT};
use rt::abi::general::{self as g, SIGCHLD, SIGCONT, SIGKILL, SIGSEGV, SIGSTOP, SIGUSR1};
use rt::os::{self, Pid, Status};
use rt::{Errno, PAGE_SIZE, Result};

use crate::check::Outcome;
use crate::exec::exec_program;
use crate::memory::{READ_WRITE, map};
use crate::raw::{Action, floats_survive, on_signal, peek, poke, start_thread, sys, thread_pointer};
use crate::{check, check_eq, check_error, tests};

tests! {
    thread_shares_memory, thread_has_its_own_pointer, thread_shares_files, thread_shares_directory_and_mask, thread_numbers, @Kernel thread_in_proc, many_threads,
    thread_spins_beside, thread_floats, thread_flags, file_stays_open_for_a_reader, descriptor_reused_while_read, futex_across_fork,
    thread_masks, thread_handles_its_own, thread_takes_what_others_block, thread_wakes_by_unblocking_elsewhere, signal_awaited, @Kernel thread_pending,
    exit_ends_one, exit_of_the_first, @Kernel the_first_is_seen_to_have_ended, exit_group_from_a_thread, exit_group_wakes_sleepers, @Kernel fatal_signal_ends_all, kill_ends_all, @Kernel stop_holds_all,
    fork_copies_one_thread, wait_by_any_thread, @Kernel exec_by_a_thread, @Kernel exec_ends_the_others,
}

const STACK_PAGES: usize = 4;

/// A thread that was started, to be waited for.
struct Thread {
    tid: usize,
    word: &'static AtomicU32,
}

/// Words that the kernel clears when threads end.
static WORDS: [AtomicU32; 64] = [const { AtomicU32::new(0) }; 64];
static USED: AtomicUsize = AtomicUsize::new(0);

fn start(function: extern "C" fn(usize) -> i32, argument: usize) -> Result<Thread> {
    let stack = map(STACK_PAGES, READ_WRITE)?;
    let word = &WORDS[USED.fetch_add(1, SeqCst)];
    let tid = start_thread(stack + STACK_PAGES * PAGE_SIZE, function, argument, word)?;
    Ok(Thread { tid, word })
}

impl Thread {
    fn join(self) {
        loop {
            let seen = self.word.load(SeqCst);
            if seen == 0 {
                return;
            }
            let _ = futex(self.word, g::FUTEX_WAIT, seen);
        }
    }
}

fn futex(word: &AtomicU32, operation: u32, value: u32) -> Result<usize> {
    sys(g::__NR_futex, [word.as_ptr() as usize, operation as usize, value as usize, 0])
}

/// Sleeps until the word holds `value`.
fn wait_for(word: &AtomicU32, value: u32) {
    loop {
        let seen = word.load(SeqCst);
        if seen == value {
            return;
        }
        let _ = futex(word, g::FUTEX_WAIT | g::FUTEX_PRIVATE_FLAG, seen);
    }
}

fn set(word: &AtomicU32, value: u32) {
    word.store(value, SeqCst);
    let _ = futex(word, g::FUTEX_WAKE | g::FUTEX_PRIVATE_FLAG, u32::MAX >> 1);
}

fn gettid() -> usize {
    sys(g::__NR_gettid, []).unwrap_or(0)
}

fn sleep_ms(milliseconds: u64) -> Result<usize> {
    let time = [milliseconds / 1000, milliseconds % 1000 * 1_000_000];
    sys(g::__NR_nanosleep, [time.as_ptr() as usize, 0])
}

/// Ends the running thread, and no other.
fn exit_thread(status: usize) -> ! {
    loop {
        let _ = sys(g::__NR_exit, [status]);
    }
}

fn exit_group(status: usize) -> ! {
    loop {
        let _ = sys(g::__NR_exit_group, [status]);
    }
}

static STATE: AtomicU32 = AtomicU32::new(0);
static SEEN: AtomicUsize = AtomicUsize::new(0);
static TURNS: AtomicU64 = AtomicU64::new(0);

extern "C" fn sleep_for_good(_: usize) -> i32 {
    loop {
        let _ = sleep_ms(1_000_000);
    }
}

extern "C" fn store(address: usize) -> i32 {
    poke(address, 77);
    SEEN.store(address, SeqCst);
    0
}

fn thread_shares_memory() -> Outcome {
    let page = map(1, READ_WRITE)?;
    start(store, page)?.join();
    check_eq!((peek(page), SEEN.load(SeqCst)), (77, page));
    Ok(())
}

extern "C" fn tell_pointer(_: usize) -> i32 {
    SEEN.store(thread_pointer(), SeqCst);
    0
}

fn thread_has_its_own_pointer() -> Outcome {
    let own = thread_pointer();
    start(tell_pointer, 0x1234_5678)?.join();
    check_eq!((SEEN.load(SeqCst), thread_pointer()), (0x1234_5678, own));
    Ok(())
}

extern "C" fn open_and_close(old: usize) -> i32 {
    let opened = os::open(c"/dev/null", g::O_RDWR, 0);
    SEEN.store(opened.map_or(0, |fd| fd as usize), SeqCst);
    i32::from(os::close(old as i32).is_err())
}

fn thread_shares_files() -> Outcome {
    let old = os::open(c"/dev/zero", g::O_RDWR, 0)?;
    start(open_and_close, old as usize)?.join();
    let opened = SEEN.load(SeqCst) as i32;
    check_eq!(os::write(opened, b"x")?, 1);
    check_error!(os::write(old, b"x"), EBADF);
    Ok(())
}

extern "C" fn change_directory(_: usize) -> i32 {
    let _ = sys(g::__NR_chdir, [c"/dev".as_ptr() as usize]);
    let _ = sys(g::__NR_umask, [0o77]);
    0
}

fn thread_shares_directory_and_mask() -> Outcome {
    sys(g::__NR_chdir, [c"/".as_ptr() as usize])?;
    start(change_directory, 0)?.join();
    os::close(os::open(c"null", g::O_RDWR, 0)?)?;
    check_eq!(sys(g::__NR_umask, [0o22])?, 0o77);
    Ok(())
}

extern "C" fn tell_numbers(_: usize) -> i32 {
    SEEN.store(gettid(), SeqCst);
    STATE.store(os::getpid() as u32, SeqCst);
    0
}

fn thread_numbers() -> Outcome {
    let thread = start(tell_numbers, 0)?;
    let tid = thread.tid;
    thread.join();
    check_eq!((SEEN.load(SeqCst), STATE.load(SeqCst)), (tid, os::getpid() as u32));
    check!(tid != os::getpid() as usize && gettid() == os::getpid() as usize);
    // Its word is cleared a little before it has gone.
    let is_there = || sys(g::__NR_tgkill, [os::getpid() as usize, tid, 0]);
    while is_there().is_ok() {
        os::sched_yield();
    }
    check_error!(is_there(), ESRCH);
    Ok(())
}

extern "C" fn look_at_the_first(_: usize) -> i32 {
    for _ in 0..1000 {
        let mut bytes = [0; 1024];
        let is_seen = crate::users::text(c"/proc/self/stat", &mut bytes)
            .is_ok_and(|stat| stat.windows(3).any(|part| part == b") Z"));
        if is_seen {
            exit_group(0);
        }
        let _ = sleep_ms(1);
    }
    exit_group(1)
}

fn the_first_is_seen_to_have_ended() -> Outcome {
    let status = os::in_child(|| match start(look_at_the_first, 0) {
        Ok(_) => exit_thread(0),
        Err(_) => 2,
    })?;
    check_eq!(status, Status::Exited(0));
    Ok(())
}

/// Opens `/proc/self/task/TID/comm`, with the number in decimal.
fn open_comm(tid: usize, flags: u32) -> Result<i32> {
    let mut path = *b"/proc/self/task/00000/comm\0";
    let mut rest = tid;
    let digits = (0..5).rev().find(|&n| tid >= 10usize.pow(n)).map_or(1, |n| n as usize + 1);
    let tail = *b"/comm\0";
    for place in (16..16 + digits).rev() {
        path[place] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    path[16 + digits..22 + digits].copy_from_slice(&tail);
    let path = core::ffi::CStr::from_bytes_until_nul(&path).unwrap_or(c"");
    os::open(path, flags, 0)
}

fn comm_of(tid: usize) -> Result<[u8; 16]> {
    let fd = open_comm(tid, g::O_RDONLY)?;
    let mut text = [0; 16];
    os::read(fd, &mut text)?;
    os::close(fd)?;
    Ok(text)
}

extern "C" fn take_a_name(_: usize) -> i32 {
    let _ = sys(g::__NR_prctl, [15, c"second".as_ptr() as usize]);
    set(&STATE, 1);
    wait_for(&STATE, 2);
    0
}

fn thread_in_proc() -> Outcome {
    let thread = start(take_a_name, 0)?;
    let tid = thread.tid;
    wait_for(&STATE, 1);
    check!(comm_of(tid)?.starts_with(b"second\n"));
    check!(!comm_of(os::getpid() as usize)?.starts_with(b"second\n"));
    // Others of its process name it, too, as pthread_setname_np does.
    let fd = open_comm(tid, g::O_RDWR)?;
    check_eq!(os::write(fd, b"a name that is too long")?, 23);
    check_eq!(&comm_of(tid)?, b"a name that is \n");
    check_eq!(os::write(fd, b"worker\0 and more")?, 16);
    check!(comm_of(tid)?.starts_with(b"worker\n"));
    let own = os::open(c"/proc/self/comm", g::O_WRONLY, 0)?;
    os::write(own, b"first")?;
    check!(comm_of(os::getpid() as usize)?.starts_with(b"first\n"));
    // Not so another process, though it is of the same user.
    check_eq!(os::in_child(|| i32::from(os::write(fd, b"child") != Err(Errno(EINVAL))))?, Status::Exited(0));
    check!(comm_of(tid)?.starts_with(b"worker\n"));
    set(&STATE, 2);
    thread.join();
    check_error!(comm_of(tid), ENOENT);
    Ok(())
}

extern "C" fn add(value: usize) -> i32 {
    TURNS.fetch_add(value as u64, SeqCst);
    0
}

fn many_threads() -> Outcome {
    let mut threads = [const { None }; 50];
    for (value, slot) in threads.iter_mut().enumerate() {
        *slot = Some(start(add, value)?);
    }
    threads.into_iter().flatten().for_each(Thread::join);
    check_eq!(TURNS.load(SeqCst), 49 * 50 / 2);
    Ok(())
}

/// Counts without asking the kernel for anything, until told to stop.
extern "C" fn spin(_: usize) -> i32 {
    while STATE.load(SeqCst) == 0 {
        TURNS.fetch_add(1, SeqCst);
    }
    0
}

fn thread_spins_beside() -> Outcome {
    let threads = [start(spin, 0)?, start(spin, 0)?];
    // This thread, which spins too, gets its turns, and so does the other.
    while TURNS.load(SeqCst) < 1000 {}
    let before = TURNS.load(SeqCst);
    while TURNS.load(SeqCst) < before + 1000 {}
    STATE.store(1, SeqCst);
    threads.into_iter().for_each(Thread::join);
    Ok(())
}

extern "C" fn keep_floats(seed: usize) -> i32 {
    if floats_survive(seed as u64, 12_000_000) {
        TURNS.fetch_add(1, SeqCst);
    }
    0
}

fn thread_floats() -> Outcome {
    let threads = [start(keep_floats, 0x1111_2222)?, start(keep_floats, 0x3333_4444)?];
    check!(floats_survive(0x5555_6666, 12_000_000));
    threads.into_iter().for_each(Thread::join);
    check_eq!(TURNS.load(SeqCst), 2);
    Ok(())
}

fn thread_flags() -> Outcome {
    for flags in [g::CLONE_THREAD, g::CLONE_SIGHAND, g::CLONE_THREAD | g::CLONE_SIGHAND] {
        check_error!(sys(g::__NR_clone, [flags as usize, 0, 0, 0, 0]), EINVAL);
    }
    Ok(())
}

static FDS: [AtomicI32; 2] = [const { AtomicI32::new(0) }; 2];

extern "C" fn read_one(_: usize) -> i32 {
    let mut byte = [0];
    STATE.store(1, SeqCst);
    let count = os::read(FDS[0].load(SeqCst), &mut byte);
    SEEN.store(count.unwrap_or(99) << 8 | usize::from(byte[0]), SeqCst);
    0
}

/// A reader of a pipe that sleeps already when this returns.
fn sleeping_reader() -> Result<Thread> {
    let (reader, writer) = os::pipe(0)?;
    FDS[0].store(reader, SeqCst);
    FDS[1].store(writer, SeqCst);
    let thread = start(read_one, 0)?;
    while STATE.load(SeqCst) == 0 {
        os::sched_yield();
    }
    sleep_ms(5)?;
    Ok(thread)
}

fn file_stays_open_for_a_reader() -> Outcome {
    let thread = sleeping_reader()?;
    os::close(FDS[0].load(SeqCst))?;
    check_eq!(os::write(FDS[1].load(SeqCst), b"q")?, 1);
    thread.join();
    check_eq!(SEEN.load(SeqCst), 1 << 8 | usize::from(b'q'));
    // Now nobody reads any more.
    on_signal(g::SIGPIPE, Action::Ignore, 0)?;
    check_error!(os::write(FDS[1].load(SeqCst), b"q"), EPIPE);
    Ok(())
}

fn descriptor_reused_while_read() -> Outcome {
    let thread = sleeping_reader()?;
    let zero = os::open(c"/dev/zero", g::O_RDWR, 0)?;
    os::dup3(zero, FDS[0].load(SeqCst), 0)?;
    // The reader waits for the pipe still, not for what its descriptor names now.
    sleep_ms(5)?;
    check_eq!(SEEN.load(SeqCst), 0);
    os::write(FDS[1].load(SeqCst), b"r")?;
    thread.join();
    check_eq!(SEEN.load(SeqCst), 1 << 8 | usize::from(b'r'));
    Ok(())
}

extern "C" fn wait_for_two(_: usize) -> i32 {
    wait_for(&STATE, 2);
    0
}

fn futex_across_fork() -> Outcome {
    let thread = start(wait_for_two, 0)?;
    sleep_ms(5)?;
    // The word's page is shared with a child from now on, so the store below goes to another frame.
    let pid = match os::fork()? {
        0 => exit_group(usize::from(sleep_ms(20).is_err())),
        pid => pid,
    };
    set(&STATE, 2);
    thread.join();
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    Ok(())
}

const fn bit(signal: u32) -> u64 {
    1 << (signal - 1)
}

fn mask(how: u32, set: u64) -> Result<u64> {
    let (new, mut old) = ([set], [0u64]);
    sys(g::__NR_rt_sigprocmask, [how as usize, new.as_ptr() as usize, old.as_mut_ptr() as usize, 8])?;
    Ok(core::hint::black_box(old)[0])
}

fn tgkill(tid: usize, signal: u32) -> Result<usize> {
    sys(g::__NR_tgkill, [os::getpid() as usize, tid, signal as usize])
}

extern "C" fn block_more(_: usize) -> i32 {
    // The mask is its maker's.
    SEEN.store(mask(g::SIG_BLOCK, bit(SIGCHLD)).unwrap_or(0) as usize, SeqCst);
    0
}

fn thread_masks() -> Outcome {
    mask(g::SIG_BLOCK, bit(SIGUSR1))?;
    start(block_more, 0)?.join();
    check_eq!((SEEN.load(SeqCst) as u64, mask(g::SIG_BLOCK, 0)?), (bit(SIGUSR1), bit(SIGUSR1)));
    Ok(())
}

extern "C" fn tell_who(_: i32, _: usize, _: usize) {
    SEEN.store(gettid(), SeqCst);
    TURNS.fetch_add(1, SeqCst);
}

extern "C" fn sleep_until_handled(_: usize) -> i32 {
    let _ = mask(g::SIG_UNBLOCK, bit(SIGUSR1));
    STATE.store(1, SeqCst);
    while TURNS.load(SeqCst) == 0 {
        let _ = sleep_ms(1_000_000);
    }
    0
}

fn started_sleeper() -> Result<Thread> {
    let thread = start(sleep_until_handled, 0)?;
    while STATE.load(SeqCst) == 0 {
        os::sched_yield();
    }
    sleep_ms(5)?;
    Ok(thread)
}

fn thread_handles_its_own() -> Outcome {
    on_signal(SIGUSR1, Action::Call(tell_who), 0)?;
    let thread = started_sleeper()?;
    let tid = thread.tid;
    tgkill(tid, SIGUSR1)?;
    thread.join();
    check_eq!((SEEN.load(SeqCst), TURNS.load(SeqCst)), (tid, 1));
    Ok(())
}

fn thread_takes_what_others_block() -> Outcome {
    on_signal(SIGUSR1, Action::Call(tell_who), 0)?;
    mask(g::SIG_BLOCK, bit(SIGUSR1))?;
    let thread = started_sleeper()?;
    let tid = thread.tid;
    os::kill(os::getpid(), SIGUSR1)?;
    thread.join();
    check_eq!((SEEN.load(SeqCst), TURNS.load(SeqCst)), (tid, 1));
    mask(g::SIG_UNBLOCK, bit(SIGUSR1))?;
    check_eq!(TURNS.load(SeqCst), 1);
    Ok(())
}

extern "C" fn unblock_late(_: usize) -> i32 {
    wait_for(&STATE, 1);
    sleep_until_handled(0)
}

fn thread_wakes_by_unblocking_elsewhere() -> Outcome {
    on_signal(SIGUSR1, Action::Call(tell_who), 0)?;
    mask(g::SIG_BLOCK, bit(SIGUSR1))?;
    let thread = start(unblock_late, 0)?;
    os::kill(os::getpid(), SIGUSR1)?;
    set(&STATE, 1);
    let tid = thread.tid;
    thread.join();
    check_eq!((SEEN.load(SeqCst), TURNS.load(SeqCst)), (tid, 1));
    Ok(())
}

extern "C" fn await_child(_: usize) -> i32 {
    let set = [bit(SIGCHLD)];
    STATE.store(1, SeqCst);
    let taken = sys(g::__NR_rt_sigtimedwait, [set.as_ptr() as usize, 0, 0, 8]);
    SEEN.store(taken.unwrap_or(0), SeqCst);
    0
}

/// A signal that is ignored unless somebody waits for it is not lost on who waits.
fn signal_awaited() -> Outcome {
    mask(g::SIG_BLOCK, bit(SIGCHLD))?;
    let thread = start(await_child, 0)?;
    while STATE.load(SeqCst) == 0 {
        os::sched_yield();
    }
    sleep_ms(5)?;
    check_eq!(os::in_child(|| 3)?, Status::Exited(3));
    thread.join();
    check_eq!(SEEN.load(SeqCst), SIGCHLD as usize);
    Ok(())
}

extern "C" fn have_pending(_: usize) -> i32 {
    let mut set = [0u64];
    wait_for(&STATE, 1);
    let _ = sys(g::__NR_rt_sigpending, [set.as_mut_ptr() as usize, 8]);
    SEEN.store(core::hint::black_box(set)[0] as usize, SeqCst);
    0
}

fn thread_pending() -> Outcome {
    mask(g::SIG_BLOCK, bit(SIGUSR1) | bit(SIGCHLD))?;
    let thread = start(have_pending, 0)?;
    tgkill(thread.tid, SIGUSR1)?;
    let mut set = [0u64];
    sys(g::__NR_rt_sigpending, [set.as_mut_ptr() as usize, 8])?;
    check_eq!(core::hint::black_box(set)[0], 0);
    os::kill(os::getpid(), SIGCHLD)?;
    sys(g::__NR_rt_sigpending, [set.as_mut_ptr() as usize, 8])?;
    check_eq!(core::hint::black_box(set)[0], bit(SIGCHLD));
    self::set(&STATE, 1);
    thread.join();
    check_eq!(SEEN.load(SeqCst) as u64, bit(SIGUSR1) | bit(SIGCHLD));
    Ok(())
}

extern "C" fn end_with(status: usize) -> i32 {
    status as i32
}

fn exit_ends_one() -> Outcome {
    let ended = os::in_child(|| match start(end_with, 9) {
        Ok(thread) => {
            thread.join();
            4
        }
        Err(_) => 1,
    })?;
    check_eq!(ended, Status::Exited(4));
    Ok(())
}

fn exit_of_the_first() -> Outcome {
    let (reader, writer) = os::pipe(0)?;
    let pid = match os::fork()? {
        0 => {
            FDS[1].store(writer, SeqCst);
            let _ = start(write_late, 9);
            exit_thread(5)
        }
        pid => pid,
    };
    os::close(writer)?;
    // The process goes on without its first thread, and ends as the last one does.
    let mut byte = [0];
    check_eq!((os::read(reader, &mut byte)?, byte[0]), (1, b'!'));
    check_eq!(os::wait(pid)?.1, Status::Exited(9));
    Ok(())
}

extern "C" fn write_late(status: usize) -> i32 {
    let _ = sleep_ms(20);
    let _ = os::write(FDS[1].load(SeqCst), b"!");
    status as i32
}

extern "C" fn end_all(status: usize) -> i32 {
    let _ = sleep_ms(5);
    exit_group(status)
}

fn exit_group_from_a_thread() -> Outcome {
    let ended = os::in_child(|| match start(end_all, 6) {
        Ok(_) => sleep_for_good(0),
        Err(_) => 1,
    })?;
    check_eq!(ended, Status::Exited(6));
    Ok(())
}

fn exit_group_wakes_sleepers() -> Outcome {
    let ended = os::in_child(|| {
        let started = [
            start(sleep_for_good, 0).is_ok(),
            start(wait_for_two, 0).is_ok(),
            sleeping_reader().is_ok(),
            start(spin, 0).is_ok(),
            start(await_child, 0).is_ok(),
        ];
        let _ = sleep_ms(5);
        if started == [true; 5] { 7 } else { 1 }
    })?;
    check_eq!(ended, Status::Exited(7));
    Ok(())
}

extern "C" fn touch_nothing(_: usize) -> i32 {
    let _ = sleep_ms(5);
    i32::from(peek(0))
}

fn fatal_signal_ends_all() -> Outcome {
    let ended = os::in_child(|| match start(touch_nothing, 0) {
        Ok(_) => sleep_for_good(0),
        Err(_) => 1,
    })?;
    check_eq!(ended, Status::Signaled(SIGSEGV));
    Ok(())
}

/// A child of three threads, one of which counts in a page that this process sees.
fn child_with_threads(page: usize) -> Result<Pid> {
    match os::fork()? {
        0 => {
            let _ = start(sleep_for_good, 0);
            let _ = start(count_in_page, page);
            sleep_for_good(0);
            exit_group(0)
        }
        pid => Ok(pid),
    }
}

extern "C" fn count_in_page(page: usize) -> i32 {
    loop {
        poke(page, peek(page).wrapping_add(1));
    }
}

fn shared_page() -> Result<usize> {
    let flags = g::MAP_SHARED | g::MAP_ANONYMOUS;
    sys(g::__NR_mmap, [0, PAGE_SIZE, READ_WRITE as usize, flags as usize, usize::MAX, 0])
}

/// Fails after some seconds: with next to no memory the counter may have been killed.
fn wait_until_it_counts(page: usize) -> Result<()> {
    let before = peek(page);
    for _ in 0..2000 {
        if peek(page) != before {
            return Ok(());
        }
        sleep_ms(1)?;
    }
    Err(Errno(ETIMEDOUT))
}

fn kill_ends_all() -> Outcome {
    let page = shared_page()?;
    let pid = child_with_threads(page)?;
    wait_until_it_counts(page)?;
    os::kill(pid, SIGKILL)?;
    check_eq!(os::wait(pid)?.1, Status::Signaled(SIGKILL));
    let last = peek(page);
    sleep_ms(30)?;
    check_eq!(peek(page), last);
    Ok(())
}

fn stop_holds_all() -> Outcome {
    let page = shared_page()?;
    let pid = child_with_threads(page)?;
    wait_until_it_counts(page)?;
    os::kill(pid, SIGSTOP)?;
    check_eq!(os::wait_with(pid, g::WUNTRACED)?.1, Status::Other((SIGSTOP << 8 | 0x7f) as i32));
    // Whoever had a turn left has come to the door by now.
    sleep_ms(30)?;
    let last = peek(page);
    sleep_ms(50)?;
    check_eq!(peek(page), last);
    os::kill(pid, SIGCONT)?;
    wait_until_it_counts(page)?;
    os::kill(pid, SIGKILL)?;
    check_eq!(os::wait(pid)?.1, Status::Signaled(SIGKILL));
    Ok(())
}

extern "C" fn fork_once(_: usize) -> i32 {
    let child = os::in_child(|| {
        let is_alone = gettid() == os::getpid() as usize;
        if is_alone && SEEN.load(SeqCst) == 1 { 8 } else { 1 }
    });
    STATE.store(u32::from(child == Ok(Status::Exited(8))), SeqCst);
    0
}

fn fork_copies_one_thread() -> Outcome {
    SEEN.store(1, SeqCst);
    start(fork_once, 0)?.join();
    check_eq!(STATE.load(SeqCst), 1);
    Ok(())
}

extern "C" fn wait_for_child(pid: usize) -> i32 {
    let ended = os::wait(pid as Pid);
    STATE.store(u32::from(ended == Ok((pid as Pid, Status::Exited(3)))), SeqCst);
    0
}

fn wait_by_any_thread() -> Outcome {
    let pid = match os::fork()? {
        0 => exit_group(3),
        pid => pid,
    };
    start(wait_for_child, pid as usize)?.join();
    check_eq!(STATE.load(SeqCst), 1);
    Ok(())
}

extern "C" fn execute(_: usize) -> i32 {
    let _ = sleep_ms(5);
    exec_program(&[c"x", c"--as=thread"], &[]);
    98
}

fn exec_by_a_thread() -> Outcome {
    let ended = os::in_child(|| match start(execute, 0) {
        Ok(_) => sleep_for_good(0),
        Err(_) => 1,
    })?;
    check_eq!(ended, Status::Exited(0));
    Ok(())
}

fn exec_ends_the_others() -> Outcome {
    let page = shared_page()?;
    let ended = os::in_child(|| {
        if start(count_in_page, page).is_err() || wait_until_it_counts(page).is_err() {
            return 1;
        }
        exec_program(&[c"x", c"--as=thread"], &[]);
        98
    })?;
    check_eq!(ended, Status::Exited(0));
    let last = peek(page);
    sleep_ms(30)?;
    check_eq!(peek(page), last);
    Ok(())
}
