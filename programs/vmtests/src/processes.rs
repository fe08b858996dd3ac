//! wait4 and its statuses, orphans, vfork, and processes that take turns.

use core::sync::atomic::{AtomicI32, AtomicU64, Ordering::SeqCst};

use rt::abi::general::{self as g, SIGKILL, SIGTERM, WNOHANG};
use rt::os::{self, Status};
use rt::{PAGE_SIZE, Pages};

use crate::check::{Failed, Outcome};
use crate::memory::{READ_WRITE, map};
use crate::raw::{self, peek64, poke, sys};
use crate::{check, check_eq, check_error, tests};

tests! {
    wait_statuses, wait_signaled, wait_nohang, wait_none, wait_chosen, wait_any_order, wait_rusage, wait_siginfo_bad_options,
    orphans, exit_closes_files, @Kernel vfork_shares, @Kernel vfork_waits, vfork_exec_fails, preemption, float_registers, sleepers,
    ids, process_groups, @Kernel vfork_killed, @Kernel limits_of_the_dying, @ByName out_of_memory,
}

fn wait_statuses() -> Outcome {
    for status in [0, 1, 42, 127, 128, 255] {
        check_eq!(os::in_child(|| status)?, Status::Exited(status));
    }
    // Only eight bits come through.
    check_eq!(os::in_child(|| 0x1234)?, Status::Exited(0x34));
    check_eq!(os::in_child(|| -1)?, Status::Exited(255));
    Ok(())
}

fn wait_signaled() -> Outcome {
    for signal in [SIGKILL, SIGTERM, g::SIGINT, g::SIGHUP, g::SIGUSR1, g::SIGABRT, g::SIGPIPE, g::SIGALRM] {
        let ended = os::in_child(|| {
            let _ = os::kill(os::getpid(), signal);
            1
        });
        check_eq!(ended, Ok(Status::Signaled(signal)));
    }
    // Ignored by default.
    for signal in [g::SIGCHLD, g::SIGURG, g::SIGWINCH, g::SIGCONT] {
        check_eq!(os::in_child(|| i32::from(os::kill(os::getpid(), signal).is_err()))?, Status::Exited(0));
    }
    Ok(())
}

fn wait_nohang() -> Outcome {
    let (read, write) = os::pipe(0)?;
    let pid = os::fork()?;
    if pid == 0 {
        let _ = os::read(read, &mut [0]);
        os::exit(3);
    }
    check_eq!(os::wait_with(pid, WNOHANG)?.0, 0);
    check_eq!(os::wait_with(-1, WNOHANG)?.0, 0);
    os::write(write, b".")?;
    check_eq!(os::wait(pid)?, (pid, Status::Exited(3)));
    check_error!(os::wait_with(pid, WNOHANG), ECHILD);
    Ok(())
}

fn wait_none() -> Outcome {
    check_error!(os::wait(-1), ECHILD);
    check_error!(os::wait(os::getpid()), ECHILD);
    check_error!(os::wait(1 << 22), ECHILD);
    check_eq!(os::in_child(|| i32::from(os::wait(-1).is_ok()))?, Status::Exited(0));
    Ok(())
}

fn wait_chosen() -> Outcome {
    let first = os::fork()?;
    if first == 0 {
        os::exit(1);
    }
    let second = os::fork()?;
    if second == 0 {
        os::exit(2);
    }
    check_eq!(os::wait(second)?, (second, Status::Exited(2)));
    check_error!(os::wait(second), ECHILD);
    check_eq!(os::wait(first)?, (first, Status::Exited(1)));
    check_error!(os::wait(-1), ECHILD);
    Ok(())
}

fn wait_any_order() -> Outcome {
    let mut sum = 0;
    for number in 1..=20 {
        if os::fork()? == 0 {
            os::exit(number);
        }
    }
    for _ in 1..=20 {
        let (_, status) = os::wait(-1)?;
        let Status::Exited(number) = status else {
            check_eq!(status, Status::Exited(0));
            continue;
        };
        sum += number;
    }
    check_eq!(sum, 210);
    Ok(())
}

fn wait_rusage() -> Outcome {
    let pid = os::fork()?;
    if pid == 0 {
        os::exit(0);
    }
    let mut usage = [u64::MAX; 18];
    let at = usage.as_mut_ptr() as usize;
    check_eq!(sys(g::__NR_wait4, [pid as usize, 0, 0, at])?, pid as usize);
    check!(peek64(at) < 1000);
    Ok(())
}

fn wait_siginfo_bad_options() -> Outcome {
    check_error!(os::wait_with(-1, 0x0010_0000), EINVAL);
    Ok(())
}

fn orphans() -> Outcome {
    let (read, write) = os::pipe(0)?;
    let (go_read, go_write) = os::pipe(0)?;
    let (seen_read, seen_write) = os::pipe(0)?;
    let child = os::fork()?;
    if child == 0 {
        let me = os::getpid();
        let Ok(grandchild) = os::fork() else { os::exit(1) };
        if grandchild == 0 {
            // The grandchild: looks while its parent waits for that, and again when its parent is gone.
            let before = os::getppid() == me;
            let _ = os::write(seen_write, b".");
            let _ = os::read(go_read, &mut [0]);
            let after = os::getppid() != me && os::getppid() > 0;
            let _ = os::write(write, &[b'0' + u8::from(before) + 2 * u8::from(after)]);
            os::exit(0);
        }
        let _ = os::read(seen_read, &mut [0]);
        os::exit(0);
    }
    check_eq!(os::wait(child)?.1, Status::Exited(0));
    os::write(go_write, b".")?;
    let mut answer = [0];
    os::read(read, &mut answer)?;
    check_eq!(answer[0], b'3');
    Ok(())
}

fn exit_closes_files() -> Outcome {
    let (read, write) = os::pipe(0)?;
    let pid = os::fork()?;
    if pid == 0 {
        // Ends without closing anything.
        os::exit(0);
    }
    os::close(write)?;
    // The end of the file comes when the last writer, the child, is gone.
    check_eq!(os::read(read, &mut [0])?, 0);
    os::wait(pid)?;
    Ok(())
}

static SHARED: AtomicI32 = AtomicI32::new(0);

extern "C" fn store_shared(value: usize) -> i32 {
    SHARED.store(value as i32, SeqCst);
    0
}

fn vfork_shares() -> Outcome {
    let pid = raw::spawn(g::CLONE_VM | g::CLONE_VFORK | g::SIGCHLD, 0, store_shared, 1234);
    check!(pid > 0);
    check_eq!(SHARED.load(SeqCst), 1234);
    check_eq!(os::wait(pid as i32)?, (pid as i32, Status::Exited(0)));
    Ok(())
}

extern "C" fn slow_store(value: usize) -> i32 {
    for _ in 0..50 {
        os::sched_yield();
    }
    SHARED.store(value as i32, SeqCst);
    7
}

fn vfork_waits() -> Outcome {
    for round in 1..=10 {
        let pid = raw::spawn_vfork(slow_store, round);
        check_eq!(SHARED.load(SeqCst), round as i32);
        check_eq!(os::wait(pid as i32)?.1, Status::Exited(7));
    }
    Ok(())
}

extern "C" fn exec_nothing(_: usize) -> i32 {
    let errno = os::exec(c"/no/such/program", &[c"x"], &[]);
    errno.0 as i32
}

fn vfork_exec_fails() -> Outcome {
    let pid = raw::spawn_vfork(exec_nothing, 0);
    check!(pid > 0);
    check_eq!(os::wait(pid as i32)?.1, Status::Exited(rt::abi::errno::ENOENT as i32));
    Ok(())
}

fn spin(turns: u64) -> u64 {
    (0..turns).fold(1, |x: u64, i| core::hint::black_box(x.wrapping_mul(31).wrapping_add(i)))
}

fn preemption() -> Outcome {
    // One child never gives the hart away; the other must come to its end all the same, and so must this process.
    let greedy = os::fork()?;
    if greedy == 0 {
        loop {
            core::hint::black_box(spin(1000));
        }
    }
    let modest = os::fork()?;
    if modest == 0 {
        os::exit(i32::from(spin(3_000_000) == 0));
    }
    check_eq!(os::wait(modest)?.1, Status::Exited(0));
    check_eq!(os::wait_with(greedy, WNOHANG)?.0, 0);
    os::kill(greedy, SIGKILL)?;
    check_eq!(os::wait(greedy)?.1, Status::Signaled(SIGKILL));
    Ok(())
}

fn float_registers() -> Outcome {
    // Each process keeps other values, while the timer switches between them.
    let mut pids = [0; 4];
    for (number, pid) in pids.iter_mut().enumerate() {
        *pid = os::fork()?;
        if *pid == 0 {
            let seed = 0x4000_0000_0000_0000 + 0x0101_0101_0101 * (number as u64 + 1);
            os::exit(i32::from(!raw::floats_survive(seed, 2_000_000)));
        }
    }
    for pid in pids {
        check_eq!(os::wait(pid)?.1, Status::Exited(0));
    }
    Ok(())
}

/// nanosleep(2).
pub fn sleep_ns(nanoseconds: u64) -> rt::Result<usize> {
    let time = [nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000];
    sys(g::__NR_nanosleep, [time.as_ptr() as usize, 0])
}

/// Sleeps in children for 3, 2 and 1 times 20 ms and waits for all; whether they have ended in the order in which their time was up.
fn sleep_in_children() -> core::result::Result<bool, Failed> {
    let before = os::monotonic_ns()?;
    let mut pids = [0; 3];
    for (number, pid) in pids.iter_mut().enumerate() {
        *pid = os::fork()?;
        if *pid == 0 {
            // The first to start sleeps longest; nobody wakes early.
            let (start, asked) = (os::monotonic_ns(), 20_000_000 * (3 - number as u64));
            let slept = sleep_ns(asked).and(os::monotonic_ns());
            let good = matches!((start, slept), (Ok(start), Ok(end)) if end - start >= asked);
            os::exit(i32::from(!good));
        }
    }
    let mut in_order = true;
    for expected in pids.iter().rev() {
        let (pid, status) = os::wait(-1)?;
        check_eq!(status, Status::Exited(0));
        in_order &= pid == *expected;
    }
    check!(os::monotonic_ns()? - before >= 60_000_000);
    Ok(in_order)
}

fn sleepers() -> Outcome {
    // A machine that stands still for a while finds several awake, in any order; it does not do so for ever.
    let (mut rounds, mut in_order) = (0, false);
    while !in_order && rounds < 100 {
        in_order = sleep_in_children()?;
        rounds += 1;
    }
    check!(in_order);
    Ok(())
}

fn ids() -> Outcome {
    let me = os::getpid();
    check_eq!(sys(g::__NR_gettid, [])?, me as usize);
    let ended = os::in_child(|| {
        let differs = os::getpid() != me && os::getppid() == me;
        let tid = sys(g::__NR_set_tid_address, [0]) == Ok(os::getpid() as usize);
        i32::from(!differs || !tid)
    });
    check_eq!(ended, Ok(Status::Exited(0)));
    for number in [g::__NR_getuid, g::__NR_geteuid, g::__NR_getgid, g::__NR_getegid] {
        check!(sys(number, []).is_ok());
    }
    Ok(())
}

fn process_groups() -> Outcome {
    let mine = sys(g::__NR_getpgid, [0])?;
    let ended = os::in_child(|| {
        let inherited = sys(g::__NR_getpgid, [0]) == Ok(mine);
        let moved = sys(g::__NR_setpgid, [0, 0]).is_ok();
        let now = sys(g::__NR_getpgid, [0]) == Ok(os::getpid() as usize);
        i32::from(!inherited || !moved || !now)
    });
    check_eq!(ended, Ok(Status::Exited(0)));
    check_error!(sys(g::__NR_getpgid, [1 << 22]), ESRCH);
    Ok(())
}

extern "C" fn say_and_read(ends: usize) -> i32 {
    let (read, write) = ((ends & 0xff) as i32, (ends >> 8) as i32);
    let _ = os::write(write, b".");
    let _ = os::read(read, &mut [0]);
    0
}

fn vfork_killed() -> Outcome {
    // Who waits for a child that has borrowed its memory can be killed, and the child goes on in that memory.
    let (read, write) = os::pipe(0)?;
    let (said, say) = os::pipe(0)?;
    let pid = os::fork()?;
    if pid == 0 {
        raw::spawn_vfork(say_and_read, read as usize | (say as usize) << 8);
        os::exit(1);
    }
    os::close(say)?;
    os::read(said, &mut [0])?;
    // Other signals wait with it.
    os::kill(pid, SIGTERM)?;
    check_eq!(os::wait_with(pid, WNOHANG)?.0, 0);
    os::kill(pid, SIGKILL)?;
    check_eq!(os::wait(pid)?.1, Status::Signaled(SIGKILL));
    os::write(write, b".")?;
    // The end of the file comes with the end of the child.
    check_eq!(os::read(said, &mut [0])?, 0);
    Ok(())
}

/// A page of the program's file that nothing touches before its test: a call that reads or writes it sleeps until it has come from the disk.
#[repr(C, align(4096))]
pub struct ColdPage([AtomicU64; PAGE_SIZE / 8]);

impl ColdPage {
    /// A page full of one word.
    pub const fn of<const WORD: u64>() -> Self {
        Self([const { AtomicU64::new(WORD) }; PAGE_SIZE / 8])
    }
    /// Its address.
    pub fn address(&'static self) -> usize {
        self.0.as_ptr() as usize
    }
}

fn limits_of_the_dying() -> Outcome {
    // The child ends while the new limit is read from the disk.
    static LIMIT: ColdPage = ColdPage::of::<{ 8 << 20 }>();
    let pid = os::fork()?;
    if pid == 0 {
        os::exit(0);
    }
    let set = sys(g::__NR_prlimit64, [pid as usize, g::RLIMIT_STACK as usize, LIMIT.address(), 0]);
    check!(set == Ok(0) || crate::check::is_error(&set, rt::abi::errno::ESRCH));
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    Ok(())
}

fn out_of_memory() -> Outcome {
    // Whoever asks for more than there is gets killed, and everybody else goes on.
    for _ in 0..3 {
        let mut kept = Pages::map(64)?;
        (0..64).for_each(|page| kept.write(page, 1, 0x42));
        let ended = os::in_child(|| {
            // In pieces: asking for all at once would be refused.
            for _ in 0..256 {
                let Ok(at) = map(1 << 12, READ_WRITE) else { return 1 };
                (0..1 << 12).for_each(|page| poke(at + page * PAGE_SIZE, 1));
            }
            2
        });
        check_eq!(ended, Ok(Status::Signaled(SIGKILL)));
        check!((0..64).all(|page| kept.read(page, 1) == 0x42));
        let again = map(256, READ_WRITE)?;
        (0..256).for_each(|page| poke(again + page * PAGE_SIZE, 1));
    }
    Ok(())
}
