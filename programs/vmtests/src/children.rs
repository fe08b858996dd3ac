//! Children: what their parents hear of them, whose they become, what they share, and the groups that they are in.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

use rt::Result;
use rt::abi::errno::ECHILD;
use rt::abi::general::{self as g, SIGCHLD, SIGCONT, SIGHUP, SIGKILL, SIGSTOP, SIGTSTP, SIGUSR1};
use rt::abi::prctl::{PR_GET_CHILD_SUBREAPER, PR_GET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG};
use rt::os::{self, Pid, Status};

use crate::check::{Outcome, is_error};
use crate::exec::exec_program;
use crate::processes::sleep_ns;
use crate::raw::{Action, on_signal, peek64, sys};
use crate::{check, check_eq, check_error, tests};

tests! {
    @Kernel waitid_tells, waitid_leaves, @Kernel waitid_chooses, @Kernel waitid_of_stopped, waitid_errors, wait_though_nothing_can_be_told, wait_for_the_smallest_number,
    @Kernel wait_by_kind, @Kernel stops_are_told, @Kernel stops_are_not_told, death_signal, @Kernel orphans_are_adopted, @Kernel orphans_leave_nothing, @Kernel brothers, @Kernel child_shares_descriptors,
    @Kernel child_shares_directory, groups_of_zombies, @Kernel group_after_exec, @Kernel orphaned_group, @Kernel orphaned_group_does_not_stop, dump_is_told,
}

fn address<T>(value: &mut T) -> usize {
    core::ptr::from_mut(value) as usize
}

fn child_that(run: impl FnOnce() -> i32) -> Result<Pid> {
    match os::fork()? {
        0 => os::exit(run()),
        pid => Ok(pid),
    }
}

fn spin() -> i32 {
    loop {
        os::sched_yield();
    }
}

/// waitid(2): si_signo, si_code, si_pid and si_status.
fn waitid(kind: u32, id: Pid, options: u32) -> Result<[u32; 4]> {
    let mut info = [0xffff_ffffu32; 32];
    sys(g::__NR_waitid, [kind as usize, id as usize, address(&mut info), options as usize, 0])?;
    let info = core::hint::black_box(info);
    Ok([info[0], info[2], info[4], info[6]])
}

fn waitid_tells() -> Outcome {
    let pid = child_that(|| 5)?;
    check_eq!(waitid(g::P_PID, pid, g::WEXITED)?, [SIGCHLD, 1, pid as u32, 5]);
    let pid = child_that(spin)?;
    check_eq!(waitid(g::P_ALL, 0, g::WEXITED | g::WNOHANG)?, [0; 4]);
    os::kill(pid, SIGKILL)?;
    check_eq!(waitid(g::P_ALL, 0, g::WEXITED)?, [SIGCHLD, 2, pid as u32, SIGKILL]);
    check_error!(waitid(g::P_ALL, 0, g::WEXITED), ECHILD);
    Ok(())
}

fn waitid_leaves() -> Outcome {
    let pid = child_that(|| 5)?;
    for _ in 0..3 {
        check_eq!(waitid(g::P_PID, pid, g::WEXITED | g::WNOWAIT)?, [SIGCHLD, 1, pid as u32, 5]);
    }
    check_eq!(os::wait(pid)?, (pid, Status::Exited(5)));
    check_error!(waitid(g::P_PID, pid, g::WEXITED), ECHILD);
    Ok(())
}

fn waitid_chooses() -> Outcome {
    let first = child_that(|| 1)?;
    let second = child_that(spin)?;
    sys(g::__NR_setpgid, [second as usize, second as usize])?;
    check_eq!(waitid(g::P_PGID, second, g::WEXITED | g::WNOHANG)?, [0; 4]);
    check_eq!(waitid(g::P_PGID, 0, g::WEXITED)?[2], first as u32);
    check_error!(waitid(g::P_PGID, 0, g::WEXITED), ECHILD);
    os::kill(second, SIGKILL)?;
    check_eq!(waitid(g::P_PGID, second, g::WEXITED)?[2], second as u32);
    Ok(())
}

fn waitid_of_stopped() -> Outcome {
    let pid = child_that(spin)?;
    os::kill(pid, SIGSTOP)?;
    let stopped = [SIGCHLD, 5, pid as u32, SIGSTOP];
    check_eq!(waitid(g::P_PID, pid, g::WSTOPPED | g::WNOWAIT)?, stopped);
    check_eq!(waitid(g::P_PID, pid, g::WSTOPPED)?, stopped);
    check_eq!(waitid(g::P_PID, pid, g::WSTOPPED | g::WNOHANG)?, [0; 4]);
    os::kill(pid, SIGCONT)?;
    check_eq!(waitid(g::P_PID, pid, g::WCONTINUED)?, [SIGCHLD, 6, pid as u32, SIGCONT]);
    os::kill(pid, SIGKILL)?;
    // Who waits for stops alone does not hear of the end.
    check_eq!(os::wait_with(pid, 0)?.1, Status::Signaled(SIGKILL));
    Ok(())
}

fn waitid_errors() -> Outcome {
    check_error!(waitid(g::P_ALL, 0, g::WNOHANG), EINVAL);
    check_error!(waitid(g::P_ALL, 0, g::WEXITED | 0x10), EINVAL);
    check_error!(waitid(g::P_PID, 0, g::WEXITED), EINVAL);
    check_error!(waitid(77, 1, g::WEXITED), EINVAL);
    // What is told of nothing may go nowhere.
    let pid = child_that(|| 5)?;
    check_eq!(sys(g::__NR_waitid, [g::P_PID as usize, pid as usize, 0, g::WEXITED as usize, 0])?, 0);
    Ok(())
}

fn wait_though_nothing_can_be_told() -> Outcome {
    let pid = child_that(|| 5)?;
    check_error!(sys(g::__NR_wait4, [pid as usize, 8, 0, 0]), EFAULT);
    check_error!(os::wait(pid), ECHILD);
    let pid = child_that(|| 5)?;
    check_error!(sys(g::__NR_waitid, [g::P_PID as usize, pid as usize, 8, g::WEXITED as usize, 0]), EFAULT);
    check_error!(os::wait(pid), ECHILD);
    Ok(())
}

fn wait_for_the_smallest_number() -> Outcome {
    check_error!(os::wait(i32::MIN), ESRCH);
    check_error!(os::wait(i32::MIN + 1), ECHILD);
    Ok(())
}

/// clone(2) without a stack: what fork(2) does, with other flags.
fn clone(flags: u32) -> Result<Pid> {
    sys(g::__NR_clone, [flags as usize, 0, 0, 0, 0]).map(|pid| pid as Pid)
}

fn wait_by_kind() -> Outcome {
    const __WALL: u32 = g::__WALL;
    const __WCLONE: u32 = g::__WCLONE;
    for signal in [0, SIGUSR1] {
        on_signal(SIGUSR1, Action::Ignore, 0)?;
        let pid = clone(signal)?;
        if pid == 0 {
            os::exit(3);
        }
        // Nothing tells of its end that is waited for by default.
        check_error!(os::wait(pid), ECHILD);
        check_error!(waitid(g::P_ALL, 0, g::WEXITED), ECHILD);
        check_eq!(waitid(g::P_PID, pid, g::WEXITED | g::WNOWAIT | __WALL)?[3], 3);
        check_eq!(waitid(g::P_PID, pid, g::WEXITED | g::WNOWAIT | __WCLONE)?[3], 3);
        check_eq!(os::wait_with(pid, if signal == 0 { __WALL } else { __WCLONE })?, (pid, Status::Exited(3)));
    }
    let usual = child_that(|| 4)?;
    check_error!(os::wait_with(usual, __WCLONE), ECHILD);
    check_eq!(os::wait_with(usual, __WALL)?.1, Status::Exited(4));
    // Who executes a program is a child as any other.
    let pid = clone(0)?;
    if pid == 0 {
        os::exit(exec_program(&[c"x", c"--as=nothing"], &[]).0 as i32);
    }
    check_eq!(os::wait_with(pid, __WALL)?.1, Status::Exited(0));
    Ok(())
}

/// How often SIGCHLD came, and the last four codes that it gave.
static TOLD: AtomicU64 = AtomicU64::new(0);
static CODES: AtomicU32 = AtomicU32::new(0);

extern "C" fn count_code(_: i32, information: usize, _: usize) {
    TOLD.fetch_add(1, SeqCst);
    CODES.store(CODES.load(SeqCst) << 8 | peek64(information + 8) as u32, SeqCst);
}

fn told() -> (u64, u32) {
    (TOLD.load(SeqCst), CODES.load(SeqCst))
}

/// A child stops, goes on, and ends; what SIGCHLD has told after each.
fn stop_and_go_on(flags: u32) -> Result<[(u64, u32); 3]> {
    on_signal(SIGCHLD, Action::Call(count_code), g::SA_RESTART | flags)?;
    let pid = child_that(spin)?;
    os::kill(pid, SIGSTOP)?;
    os::wait_with(pid, g::WUNTRACED)?;
    let after_stop = told();
    os::kill(pid, SIGCONT)?;
    // Until it goes on itself.
    for _ in 0..20 {
        os::sched_yield();
    }
    let after_continuation = told();
    os::kill(pid, SIGKILL)?;
    os::wait(pid)?;
    Ok([after_stop, after_continuation, told()])
}

fn stops_are_told() -> Outcome {
    check_eq!(stop_and_go_on(0)?, [(1, 5), (2, 0x506), (3, 0x5_0602)]);
    Ok(())
}

fn stops_are_not_told() -> Outcome {
    // SA_NOCLDSTOP: the end is told all the same.
    check_eq!(stop_and_go_on(g::SA_NOCLDSTOP)?, [(0, 0), (0, 0), (1, 2)]);
    Ok(())
}

static GOT: AtomicU32 = AtomicU32::new(0);

extern "C" fn keep(signal: i32, _: usize, _: usize) {
    GOT.store(signal as u32, SeqCst);
}

fn prctl(option: u32, argument: usize) -> Result<usize> {
    sys(g::__NR_prctl, [option as usize, argument])
}

fn death_signal() -> Outcome {
    let (read, write) = os::pipe(0)?;
    check_error!(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
    prctl(PR_SET_PDEATHSIG, g::SIGUSR2 as usize)?;
    let middle = child_that(|| {
        let (ready, say) = os::pipe(0).unwrap_or((-1, -1));
        let made = child_that(|| {
            // It is not inherited.
            let mut signal = 77u32;
            let inherited =
                prctl(PR_GET_PDEATHSIG, address(&mut signal)).is_err() || core::hint::black_box(signal) != 0;
            let _ = on_signal(SIGUSR1, Action::Call(keep), 0);
            let _ = prctl(PR_SET_PDEATHSIG, SIGUSR1 as usize);
            let _ = prctl(PR_GET_PDEATHSIG, address(&mut signal));
            let _ = os::write(say, b".");
            while GOT.load(SeqCst) == 0 {
                let _ = sleep_ns(1_000_000);
            }
            let is_right =
                !inherited && core::hint::black_box(signal) == SIGUSR1 && GOT.load(SeqCst) == SIGUSR1;
            let _ = os::write(write, &[b'0' + u8::from(is_right)]);
            0
        });
        i32::from(made.is_err() || os::read(ready, &mut [0]) != Ok(1))
    })?;
    check_eq!(os::wait(middle)?.1, Status::Exited(0));
    let mut answer = [0];
    os::read(read, &mut answer)?;
    check_eq!(&answer, b"1");
    Ok(())
}

fn orphans_are_adopted() -> Outcome {
    let mut adopts = 77u32;
    prctl(PR_GET_CHILD_SUBREAPER, address(&mut adopts))?;
    check_eq!(core::hint::black_box(adopts), 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1)?;
    prctl(PR_GET_CHILD_SUBREAPER, address(&mut adopts))?;
    check_eq!(core::hint::black_box(adopts), 1);
    let me = os::getpid();
    let middle = child_that(|| {
        // The orphan may have ended by the time it is adopted, or not.
        for delay in [0, 5_000_000] {
            let _ = child_that(|| {
                let parent = os::getppid();
                while delay != 0 && os::getppid() == parent {
                    let _ = sleep_ns(delay);
                }
                if delay == 0 || os::getppid() == me { 9 } else { 10 }
            });
        }
        let _ = sleep_ns(2_000_000);
        8
    })?;
    check_eq!(os::wait(middle)?.1, Status::Exited(8));
    check_eq!(os::wait(-1)?.1, Status::Exited(9));
    check_eq!(os::wait(-1)?.1, Status::Exited(9));
    check_error!(os::wait(-1), ECHILD);
    prctl(PR_SET_CHILD_SUBREAPER, 0)?;
    Ok(())
}

fn orphans_leave_nothing() -> Outcome {
    let (read, write) = os::pipe(0)?;
    let middle = child_that(|| {
        let me = os::getpid();
        let orphan = child_that(|| {
            while os::getppid() == me {
                let _ = sleep_ns(1_000_000);
            }
            7
        });
        let _ = os::write(write, &orphan.unwrap_or(0).to_ne_bytes());
        8
    })?;
    let mut number = [0; 4];
    os::read(read, &mut number)?;
    let orphan = Pid::from_ne_bytes(core::hint::black_box(number));
    check_eq!(os::wait(middle)?.1, Status::Exited(8));
    // It is no child of this process, and whose it is does not have to wait for it.
    check_error!(os::wait(-1), ECHILD);
    let mut tries = 0;
    while os::kill(orphan, 0).is_ok() && tries < 1000 {
        sleep_ns(1_000_000)?;
        tries += 1;
    }
    check_error!(os::kill(orphan, 0), ESRCH);
    Ok(())
}

fn brothers() -> Outcome {
    let me = os::getpid();
    let middle = child_that(|| {
        let Ok(brother) = clone(g::CLONE_PARENT | SIGCHLD) else { return 1 };
        if brother == 0 {
            return i32::from(os::getppid() != me) + 20;
        }
        // It is not this process's.
        i32::from(!is_error(&os::wait(-1), ECHILD)) + 10
    })?;
    let mut sum = 0;
    for _ in 0..2 {
        if let (_, Status::Exited(status)) = os::wait(-1)? {
            sum += status;
        }
    }
    check_eq!(sum, 30);
    check_error!(os::wait(middle), ECHILD);
    Ok(())
}

fn child_shares_descriptors() -> Outcome {
    let (read, write) = os::pipe(0)?;
    let open_in_child = |flags: u32| {
        let pid = clone(flags | SIGCHLD)?;
        if pid == 0 {
            let opened = os::open(c"/dev/null", g::O_RDONLY, 0).unwrap_or(0);
            let _ = os::close(write);
            os::exit(opened);
        }
        os::wait(pid).map(|(_, status)| status)
    };
    let Status::Exited(own) = open_in_child(0)? else { return Ok(check!(false)) };
    check_error!(os::close(own), EBADF);
    check_eq!(os::write(write, b"a")?, 1);
    let Status::Exited(shared) = open_in_child(g::CLONE_FILES)? else { return Ok(check!(false)) };
    check_eq!(os::close(shared), Ok(()));
    check_error!(os::write(write, b"a"), EBADF);
    // The last writer is gone.
    check_eq!((os::read(read, &mut [0])?, os::read(read, &mut [0])?), (1, 0));
    // A new program has descriptors of its own: those that it closes stay open here.
    let kept = os::open(c"/dev/null", g::O_RDONLY | g::O_CLOEXEC, 0)?;
    let pid = clone(g::CLONE_FILES | SIGCHLD)?;
    if pid == 0 {
        os::exit(exec_program(&[c"x", c"--as=descriptors"], &[]).0 as i32);
    }
    check_eq!(os::wait(pid)?.1, Status::Exited(1));
    check_eq!(os::close(kept), Ok(()));
    Ok(())
}

fn child_shares_directory() -> Outcome {
    let mask = || sys(g::__NR_umask, [0o22]);
    mask()?;
    for (flags, here, expected_mask) in [(0, &b"/\0"[..], 0o22), (g::CLONE_FS, &b"/tmp\0"[..], 0o77)] {
        sys(g::__NR_chdir, [c"/".as_ptr() as usize])?;
        let pid = clone(flags | SIGCHLD)?;
        if pid == 0 {
            let moved = sys(g::__NR_chdir, [c"/tmp".as_ptr() as usize]);
            os::exit(i32::from(moved.and(sys(g::__NR_umask, [0o77])).is_err()));
        }
        check_eq!(os::wait(pid)?.1, Status::Exited(0));
        let mut path = [0u8; 64];
        let len = sys(g::__NR_getcwd, [address(&mut path), 64])?;
        check_eq!(&core::hint::black_box(path)[..len], here);
        check_eq!(mask()?, expected_mask);
    }
    Ok(())
}

/// A child that leads a group of its own.
fn leader_that(run: impl FnOnce() -> i32) -> Result<Pid> {
    let pid = child_that(|| {
        let _ = sys(g::__NR_setpgid, [0, 0]);
        run()
    })?;
    // Whoever comes first.
    let _ = sys(g::__NR_setpgid, [pid as usize, pid as usize]);
    Ok(pid)
}

fn groups_of_zombies() -> Outcome {
    let pid = leader_that(|| 0)?;
    waitid(g::P_PID, pid, g::WEXITED | g::WNOWAIT)?;
    for signal in [0, g::SIGTERM] {
        os::kill(pid, signal)?;
        os::kill(-pid, signal)?;
    }
    os::wait(pid)?;
    check_error!(os::kill(-pid, 0), ESRCH);
    Ok(())
}

fn group_after_exec() -> Outcome {
    let (read, write) = os::pipe(g::O_CLOEXEC)?;
    let (held, hold) = os::pipe(0)?;
    let pid = child_that(|| {
        let _ = os::close(hold);
        // The new program reads what never comes.
        let _ = os::dup3(held, 0, 0);
        exec_program(&[c"x", c"--as=reader"], &[]).0 as i32
    })?;
    os::close(write)?;
    check_eq!(os::read(read, &mut [0])?, 0);
    check_error!(sys(g::__NR_setpgid, [pid as usize, pid as usize]), EACCES);
    os::close(hold)?;
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    Ok(())
}

static WRITER: AtomicU32 = AtomicU32::new(0);

extern "C" fn write_number(signal: i32, _: usize, _: usize) {
    let _ = os::write(WRITER.load(SeqCst) as i32, &[signal as u8]);
}

fn orphaned_group() -> Outcome {
    // Who stops, and whose parent ends then, is not left like that: it gets SIGHUP and goes on.
    let (read, write) = os::pipe(0)?;
    WRITER.store(write as u32, SeqCst);
    let parent = child_that(|| {
        let made = leader_that(|| {
            for signal in [SIGHUP, SIGCONT] {
                let _ = on_signal(signal, Action::Call(write_number), 0);
            }
            i32::from(os::kill(os::getpid(), SIGSTOP).is_err())
        });
        i32::from(made.and_then(|pid| os::wait_with(pid, g::WUNTRACED)).is_err())
    })?;
    check_eq!(os::wait(parent)?.1, Status::Exited(0));
    os::close(write)?;
    let mut got = [0u8; 4];
    let mut len = 0;
    while let count @ 1.. = os::read(read, &mut got[len..])? {
        len += count;
    }
    // The handler of the one that is delivered last runs first.
    check_eq!(&got[..len], &[SIGCONT as u8, SIGHUP as u8]);
    Ok(())
}

fn orphaned_group_does_not_stop() -> Outcome {
    let (read, write) = os::pipe(0)?;
    // Somebody looks after a group whose parent is in another one.
    let pid = leader_that(|| i32::from(os::kill(os::getpid(), SIGTSTP).is_err()))?;
    check_eq!(os::wait_with(pid, g::WUNTRACED)?.1, Status::Other((SIGTSTP << 8 | 0x7f) as i32));
    os::kill(pid, SIGCONT)?;
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    // Nobody looks after one without such a parent: then a terminal's stop does nothing.
    let parent = child_that(|| {
        let me = os::getpid();
        let made = leader_that(|| {
            while os::getppid() == me {
                let _ = sleep_ns(1_000_000);
            }
            let _ = os::kill(os::getpid(), SIGTSTP);
            i32::from(os::write(write, b".").is_err())
        });
        i32::from(made.is_err())
    })?;
    check_eq!(os::wait(parent)?.1, Status::Exited(0));
    check_eq!(os::read(read, &mut [0])?, 1);
    Ok(())
}

fn dump_is_told() -> Outcome {
    const RLIMIT_CORE: usize = g::RLIMIT_CORE as usize;
    for (limit, bit) in [(0u64, 0), (1 << 20, 0x80)] {
        for (signal, dumps) in
            [(g::SIGABRT, true), (g::SIGQUIT, true), (g::SIGXCPU, true), (g::SIGTERM, false)]
        {
            let pid = child_that(|| {
                let mut limits = [limit, 1 << 30];
                let _ = sys(g::__NR_chdir, [c"/tmp".as_ptr() as usize]);
                let _ = sys(g::__NR_setrlimit, [RLIMIT_CORE, address(&mut limits)]);
                i32::from(os::kill(os::getpid(), signal).is_err())
            })?;
            let mut status = 0u32;
            sys(g::__NR_wait4, [pid as usize, address(&mut status), 0, 0])?;
            check_eq!(core::hint::black_box(status), signal | if dumps { bit } else { 0 });
        }
    }
    Ok(())
}
