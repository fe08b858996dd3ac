//! Signals: handlers and their return, masks, SIGCHLD, SIGSEGV with its address, the alternate stack, interrupted calls.

use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

use rt::abi::general::{self as g, SIGBUS, SIGCHLD, SIGSEGV, SIGUSR1, SIGUSR2};
use rt::os::{self, Status};
use rt::{PAGE_SIZE, Result};

use crate::check::Outcome;
use crate::memory::{READ_WRITE, map, mprotect};
use crate::raw::{
    self, Action, amo_add, illegal_instruction, interrupted_pc, on_signal, peek, peek64, poke, probe,
    set_interrupted_pc, sys,
};
use crate::{check, check_eq, check_error, tests};

tests! {
    handler_runs, handler_information, @Kernel handler_nested, handler_masks_itself, @Kernel handler_nodefer, handler_once, handler_registers, mask_blocks, mask_errors, mask_inherited,
    pending_once, ignored, default_again, kill_errors, kill_cannot_be_caught, action_errors, child_signal, child_ignored, segv_address, segv_protection,
    segv_skip, segv_blocked, segv_in_handler, illegal_information, @Kernel amo_misaligned, alternate_stack, alternate_stack_errors, read_interrupted, read_restarted,
    wait_interrupted, sleep_interrupted, suspend, thread_directed, handler_floats, fork_keeps_handlers, handler_once_keeps_its_flags, stops_and_continue_take_each_other_back,
    @Kernel alternate_stack_disarms, real_time_is_queued, @Kernel queue_is_limited, queued_value, queued_errors,
}

static COUNT: AtomicU64 = AtomicU64::new(0);
static SEEN: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];

fn seen(index: usize) -> usize {
    SEEN[index].load(SeqCst)
}

fn count() -> u64 {
    COUNT.load(SeqCst)
}

/// Counts, and keeps the number, the code and the first word of what siginfo says.
extern "C" fn record(signal: i32, information: usize, _: usize) {
    COUNT.fetch_add(1, SeqCst);
    SEEN[0].store(signal as usize, SeqCst);
    SEEN[1].store(peek64(information + 8) as u32 as usize, SeqCst);
    SEEN[2].store(peek64(information + 16) as usize, SeqCst);
    SEEN[3].store(peek64(information) as u32 as usize, SeqCst);
}

fn raise(signal: u32) -> Result<()> {
    os::kill(os::getpid(), signal)
}

pub fn mask(how: u32, set: u64) -> Result<u64> {
    let (new, mut old) = ([set], [0u64]);
    sys(g::__NR_rt_sigprocmask, [how as usize, new.as_ptr() as usize, old.as_mut_ptr() as usize, 8])?;
    Ok(core::hint::black_box(old)[0])
}

pub const fn bit(signal: u32) -> u64 {
    1 << (signal - 1)
}

fn handler_runs() -> Outcome {
    on_signal(SIGUSR1, Action::Call(record), 0)?;
    for expected in 1..=50 {
        raise(SIGUSR1)?;
        check_eq!(count(), expected);
    }
    Ok(())
}

fn handler_information() -> Outcome {
    on_signal(SIGUSR2, Action::Call(record), 0)?;
    raise(SIGUSR2)?;
    check_eq!(seen(0), SIGUSR2 as usize);
    check_eq!(seen(3), SIGUSR2 as usize);
    // SI_USER, and the sender's pid.
    check_eq!(seen(1), 0);
    check_eq!(seen(2) as u32 as i32, os::getpid());
    Ok(())
}

extern "C" fn raise_other(_: i32, _: usize, _: usize) {
    COUNT.fetch_add(100, SeqCst);
    let _ = raise(SIGUSR2);
    // The other handler has run by now.
    SEEN[2].store(count() as usize, SeqCst);
}

extern "C" fn add_one(_: i32, _: usize, _: usize) {
    COUNT.fetch_add(1, SeqCst);
}

fn handler_nested() -> Outcome {
    on_signal(SIGUSR1, Action::Call(raise_other), 0)?;
    on_signal(SIGUSR2, Action::Call(add_one), 0)?;
    raise(SIGUSR1)?;
    check_eq!((count(), seen(2)), (101, 101));
    Ok(())
}

extern "C" fn raise_itself(_: i32, _: usize, _: usize) {
    if COUNT.fetch_add(1, SeqCst) < 3 {
        let _ = raise(SIGUSR1);
        // How often this handler has been entered when the call comes back.
        SEEN[0].fetch_add(count() as usize, SeqCst);
    }
}

fn handler_masks_itself() -> Outcome {
    on_signal(SIGUSR1, Action::Call(raise_itself), 0)?;
    raise(SIGUSR1)?;
    // One after the other: 1 + 2 + 3.
    check_eq!((count(), seen(0)), (4, 6));
    Ok(())
}

fn handler_nodefer() -> Outcome {
    on_signal(SIGUSR1, Action::Call(raise_itself), g::SA_NODEFER)?;
    raise(SIGUSR1)?;
    // One inside the other: each call comes back when all four have been entered.
    check_eq!((count(), seen(0)), (4, 12));
    Ok(())
}

fn handler_once() -> Outcome {
    let ended = os::in_child(|| {
        let _ = on_signal(SIGUSR1, Action::Call(add_one), g::SA_RESETHAND);
        let _ = raise(SIGUSR1);
        let first = count();
        let _ = raise(SIGUSR1);
        i32::from(first != 1) + 10
    });
    check_eq!(ended, Ok(Status::Signaled(SIGUSR1)));
    Ok(())
}

fn handler_registers() -> Outcome {
    // A child showers this process with signals while it computes; nothing of the computation may be lost.
    on_signal(SIGUSR1, Action::Call(add_one), 0)?;
    let parent = os::getpid();
    let pid = os::fork()?;
    if pid == 0 {
        for _ in 0..200 {
            let _ = os::kill(parent, SIGUSR1);
            os::sched_yield();
        }
        os::exit(0);
    }
    let compute = || {
        (0..300_000u64).fold((1u64, 1.0f64), |(a, b), i| {
            core::hint::black_box((
                a.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(i),
                b * 1.000_001 + 0.5,
            ))
        })
    };
    let first = compute();
    for _ in 0..5 {
        check!(compute() == first);
    }
    while os::wait(pid) == Err(rt::Errno(rt::abi::errno::EINTR)) {}
    check!(count() > 0);
    Ok(())
}

fn mask_blocks() -> Outcome {
    on_signal(SIGUSR1, Action::Call(record), 0)?;
    check_eq!(mask(g::SIG_BLOCK, bit(SIGUSR1))?, 0);
    raise(SIGUSR1)?;
    check_eq!(count(), 0);
    let mut pending = [0u64];
    sys(g::__NR_rt_sigpending, [pending.as_mut_ptr() as usize, 8])?;
    check_eq!(core::hint::black_box(pending)[0], bit(SIGUSR1));
    check_eq!(mask(g::SIG_UNBLOCK, bit(SIGUSR1))?, bit(SIGUSR1));
    check_eq!(count(), 1);
    check_eq!(mask(g::SIG_SETMASK, bit(SIGUSR2))?, 0);
    // SIGKILL and SIGSTOP stay unblocked, silently.
    check_eq!(mask(g::SIG_SETMASK, u64::MAX)?, bit(SIGUSR2));
    let low = u64::from(u32::MAX >> 1);
    check_eq!(mask(g::SIG_SETMASK, 0)? & low, low & !bit(g::SIGKILL) & !bit(g::SIGSTOP));
    Ok(())
}

fn mask_errors() -> Outcome {
    let set = [0u64];
    let at = set.as_ptr() as usize;
    check_error!(sys(g::__NR_rt_sigprocmask, [77, at, 0, 8]), EINVAL);
    check_error!(sys(g::__NR_rt_sigprocmask, [0, at, 0, 4]), EINVAL);
    // Without a new set, how does not matter.
    check_eq!(sys(g::__NR_rt_sigprocmask, [77, 0, at, 8]), Ok(0));
    Ok(())
}

fn mask_inherited() -> Outcome {
    mask(g::SIG_BLOCK, bit(SIGUSR1))?;
    raise(SIGUSR1)?;
    let ended = os::in_child(|| {
        // The mask is inherited, what is pending is not.
        let mut pending = [1u64];
        let asked = sys(g::__NR_rt_sigpending, [pending.as_mut_ptr() as usize, 8]);
        let blocked = mask(g::SIG_BLOCK, 0) == Ok(bit(SIGUSR1));
        i32::from(asked.is_err() || core::hint::black_box(pending)[0] != 0 || !blocked)
    });
    check_eq!(ended, Ok(Status::Exited(0)));
    Ok(())
}

fn pending_once() -> Outcome {
    on_signal(SIGUSR1, Action::Call(add_one), 0)?;
    mask(g::SIG_BLOCK, bit(SIGUSR1))?;
    for _ in 0..5 {
        raise(SIGUSR1)?;
    }
    mask(g::SIG_UNBLOCK, bit(SIGUSR1))?;
    check_eq!(count(), 1);
    Ok(())
}

fn ignored() -> Outcome {
    on_signal(SIGUSR1, Action::Ignore, 0)?;
    raise(SIGUSR1)?;
    // Ignored while blocked: it does not stay pending.
    mask(g::SIG_BLOCK, bit(SIGUSR1))?;
    raise(SIGUSR1)?;
    on_signal(SIGUSR1, Action::Ignore, 0)?;
    mask(g::SIG_UNBLOCK, bit(SIGUSR1))?;
    Ok(())
}

fn default_again() -> Outcome {
    let ended = os::in_child(|| {
        let _ = on_signal(SIGUSR1, Action::Call(add_one), 0);
        let _ = raise(SIGUSR1);
        let _ = on_signal(SIGUSR1, Action::Default, 0);
        let _ = raise(SIGUSR1);
        0
    });
    check_eq!(ended, Ok(Status::Signaled(SIGUSR1)));
    Ok(())
}

fn kill_errors() -> Outcome {
    check_error!(os::kill(1 << 22, 0), ESRCH);
    check_error!(os::kill(os::getpid(), 65), EINVAL);
    check_error!(os::kill(os::getpid(), u32::MAX), EINVAL);
    os::kill(os::getpid(), 0)?;
    // A zombie still counts as there.
    let pid = os::fork()?;
    if pid == 0 {
        os::exit(0);
    }
    os::kill(pid, 0)?;
    os::wait(pid)?;
    check_error!(os::kill(pid, 0), ESRCH);
    Ok(())
}

fn kill_cannot_be_caught() -> Outcome {
    for signal in [g::SIGKILL, g::SIGSTOP] {
        check_error!(on_signal(signal, Action::Call(record), 0), EINVAL);
        check_error!(on_signal(signal, Action::Ignore, 0), EINVAL);
    }
    let ended = os::in_child(|| {
        let _ = mask(g::SIG_SETMASK, u64::MAX);
        let _ = raise(g::SIGKILL);
        0
    });
    check_eq!(ended, Ok(Status::Signaled(g::SIGKILL)));
    Ok(())
}

fn action_errors() -> Outcome {
    check_error!(on_signal(0, Action::Ignore, 0), EINVAL);
    check_error!(on_signal(65, Action::Ignore, 0), EINVAL);
    check_error!(sys(g::__NR_rt_sigaction, [SIGUSR1 as usize, 0, 0, 4]), EINVAL);
    on_signal(SIGUSR1, Action::Call(record), g::SA_RESTART)?;
    let mut old = [0usize; 3];
    sys(g::__NR_rt_sigaction, [SIGUSR1 as usize, 0, old.as_mut_ptr() as usize, 8])?;
    check_eq!(core::hint::black_box(old)[0], record as extern "C" fn(i32, usize, usize) as usize);
    Ok(())
}

fn child_signal() -> Outcome {
    on_signal(SIGCHLD, Action::Call(record), g::SA_RESTART)?;
    let pid = os::fork()?;
    if pid == 0 {
        os::exit(9);
    }
    check_eq!(os::wait(pid)?, (pid, Status::Exited(9)));
    check_eq!(count(), 1);
    // CLD_EXITED, and whose end it was.
    check_eq!((seen(1), seen(2) as u32 as i32), (1, pid));
    let pid = os::fork()?;
    if pid == 0 {
        let _ = raise(g::SIGKILL);
    }
    os::wait(pid)?;
    check_eq!((count(), seen(1)), (2, 2));
    Ok(())
}

fn child_ignored() -> Outcome {
    // Whoever ignores SIGCHLD has no zombies.
    on_signal(SIGCHLD, Action::Ignore, 0)?;
    for _ in 0..5 {
        if os::fork()? == 0 {
            os::exit(0);
        }
    }
    check_error!(os::wait(-1), ECHILD);
    Ok(())
}

/// Makes the page that faulted accessible and lets the access happen again.
extern "C" fn unprotect(_: i32, information: usize, _: usize) {
    COUNT.fetch_add(1, SeqCst);
    let address = peek64(information + 16) as usize;
    SEEN[1].store(peek64(information + 8) as u32 as usize, SeqCst);
    SEEN[2].store(address, SeqCst);
    if mprotect(address / PAGE_SIZE * PAGE_SIZE, 1, READ_WRITE).is_err() {
        os::exit(99);
    }
}

fn segv_protection() -> Outcome {
    on_signal(SIGSEGV, Action::Call(unprotect), 0)?;
    let at = map(8, g::PROT_NONE)?;
    for page in 0..8u8 {
        let address = at + usize::from(page) * PAGE_SIZE + 5;
        poke(address, page);
        // SEGV_ACCERR, and the exact address.
        check_eq!((count(), seen(1), seen(2)), (u64::from(page) + 1, 2, address));
        check_eq!(peek(address), page);
    }
    Ok(())
}

/// Steps over the instruction of four bytes that trapped.
extern "C" fn skip(signal: i32, information: usize, context: usize) {
    record(signal, information, context);
    set_interrupted_pc(context, interrupted_pc(context) + 4);
}

fn segv_address() -> Outcome {
    on_signal(SIGSEGV, Action::Call(skip), 0)?;
    for (number, address) in [0, 0x10, 0x3000_0123, 0x3f_0000_0000].into_iter().enumerate() {
        probe(address);
        // SEGV_MAPERR
        check_eq!((count(), seen(0), seen(1), seen(2)), (number as u64 + 1, SIGSEGV as usize, 1, address));
    }
    Ok(())
}

fn segv_skip() -> Outcome {
    on_signal(SIGSEGV, Action::Call(skip), 0)?;
    for _ in 0..100 {
        probe(0);
    }
    check_eq!(count(), 100);
    Ok(())
}

fn segv_blocked() -> Outcome {
    // A fault cannot wait: blocked, it kills.
    let ended = os::in_child(|| {
        let _ = on_signal(SIGSEGV, Action::Call(skip), 0);
        let _ = mask(g::SIG_BLOCK, bit(SIGSEGV));
        probe(0);
        0
    });
    check_eq!(ended, Ok(Status::Signaled(SIGSEGV)));
    // Nor can it be ignored.
    let ended = os::in_child(|| {
        let _ = on_signal(SIGSEGV, Action::Ignore, 0);
        probe(0);
        0
    });
    check_eq!(ended, Ok(Status::Signaled(SIGSEGV)));
    Ok(())
}

extern "C" fn fault_again(_: i32, _: usize, _: usize) {
    probe(8);
}

fn segv_in_handler() -> Outcome {
    let ended = os::in_child(|| {
        let _ = on_signal(SIGSEGV, Action::Call(fault_again), 0);
        probe(0);
        0
    });
    check_eq!(ended, Ok(Status::Signaled(SIGSEGV)));
    Ok(())
}

fn illegal_information() -> Outcome {
    on_signal(g::SIGILL, Action::Call(skip), 0)?;
    illegal_instruction();
    // ILL_ILLOPC
    check_eq!((count(), seen(0), seen(1)), (1, g::SIGILL as usize, 1));
    Ok(())
}

/// Keeps where the instruction of four bytes lies that trapped, and steps over it.
extern "C" fn skip_and_keep_pc(signal: i32, information: usize, context: usize) {
    skip(signal, information, context);
    SEEN[3].store(interrupted_pc(context) as usize - 4, SeqCst);
}

fn amo_misaligned() -> Outcome {
    for signal in [SIGBUS, SIGSEGV] {
        on_signal(signal, Action::Call(skip_and_keep_pc), 0)?;
    }
    let at = map(1, READ_WRITE)?;
    amo_add(at + 1, 1);
    // A hart may raise either exception: SEGV_ACCERR for an access fault, BUS_ADRALN for a misaligned address.
    let told = (seen(0) as u32, seen(1));
    check!(told == (SIGSEGV, 2) || told == (SIGBUS, 1));
    check_eq!((count(), seen(2)), (1, seen(3)));
    check_eq!(peek64(at), 0);
    Ok(())
}

static STACK_RANGE: [AtomicUsize; 2] = [const { AtomicUsize::new(0) }; 2];

extern "C" fn leave_if_on_alternate_stack(_: i32, _: usize, _: usize) {
    let here = 0u8;
    let at = &raw const here as usize;
    let inside = STACK_RANGE[0].load(SeqCst) <= at && at < STACK_RANGE[1].load(SeqCst);
    os::exit(if inside { 17 } else { 18 });
}

#[inline(never)]
#[allow(unconditional_recursion)]
fn overflow() -> i32 {
    let mut local = [0u8; 1024];
    core::hint::black_box(&mut local)[0] = 1;
    overflow() + i32::from(core::hint::black_box(&local)[0])
}

fn alternate_stack() -> Outcome {
    let ended = os::in_child(|| {
        let Ok(at) = map(8, READ_WRITE) else { return 1 };
        STACK_RANGE[0].store(at, SeqCst);
        STACK_RANGE[1].store(at + 8 * PAGE_SIZE, SeqCst);
        let stack = [at, 0, 8 * PAGE_SIZE];
        if sys(g::__NR_sigaltstack, [stack.as_ptr() as usize, 0]).is_err() {
            return 2;
        }
        if on_signal(SIGSEGV, Action::Call(leave_if_on_alternate_stack), g::SA_ONSTACK).is_err() {
            return 3;
        }
        overflow()
    });
    check_eq!(ended, Ok(Status::Exited(17)));
    Ok(())
}

fn alternate_stack_errors() -> Outcome {
    let at = map(8, READ_WRITE)?;
    let small = [at, 0, 100];
    check_error!(sys(g::__NR_sigaltstack, [small.as_ptr() as usize, 0]), ENOMEM);
    let wrong = [at, 77, 8 * PAGE_SIZE];
    check_error!(sys(g::__NR_sigaltstack, [wrong.as_ptr() as usize, 0]), EINVAL);
    let mut old = [0usize; 3];
    sys(g::__NR_sigaltstack, [0, old.as_mut_ptr() as usize])?;
    // SS_DISABLE
    check_eq!(core::hint::black_box(old)[1] as u32, 2);
    Ok(())
}

/// A child that signals this process again and again, so that no moment is missed, until it is killed.
fn pester(signal: u32) -> Result<i32> {
    let parent = os::getpid();
    let pid = os::fork()?;
    if pid == 0 {
        loop {
            let _ = crate::processes::sleep_ns(5_000_000);
            let _ = os::kill(parent, signal);
        }
    }
    Ok(pid)
}

fn read_interrupted() -> Outcome {
    let (read, _write) = os::pipe(0)?;
    on_signal(SIGUSR1, Action::Call(add_one), 0)?;
    let pid = pester(SIGUSR1)?;
    check_error!(os::read(read, &mut [0]), EINTR);
    check!(count() >= 1);
    os::kill(pid, g::SIGKILL)?;
    Ok(())
}

fn read_restarted() -> Outcome {
    let (read, write) = os::pipe(0)?;
    on_signal(SIGUSR1, Action::Call(add_one), g::SA_RESTART)?;
    let parent = os::getpid();
    let pid = os::fork()?;
    if pid == 0 {
        for _ in 0..3 {
            let _ = crate::processes::sleep_ns(5_000_000);
            let _ = os::kill(parent, SIGUSR1);
        }
        let _ = os::write(write, b"!");
        os::exit(0);
    }
    let mut byte = [0];
    check_eq!(os::read(read, &mut byte)?, 1);
    check_eq!(&byte, b"!");
    check!(count() >= 1);
    Ok(())
}

fn wait_interrupted() -> Outcome {
    on_signal(SIGUSR1, Action::Call(add_one), 0)?;
    let pid = pester(SIGUSR1)?;
    check_error!(os::wait(pid), EINTR);
    os::kill(pid, g::SIGKILL)?;
    while os::wait(pid) == Err(rt::Errno(rt::abi::errno::EINTR)) {}
    Ok(())
}

fn stops_and_continue_take_each_other_back() -> Outcome {
    let (stop, go) = (bit(g::SIGTSTP), bit(g::SIGCONT));
    let pending = || {
        let mut set = [0u64];
        sys(g::__NR_rt_sigpending, [set.as_mut_ptr() as usize, 8])?;
        Ok::<_, rt::Errno>(core::hint::black_box(set)[0] & (stop | go))
    };
    mask(g::SIG_BLOCK, stop | go)?;
    raise(g::SIGCONT)?;
    check_eq!(pending()?, go);
    raise(g::SIGTSTP)?;
    check_eq!(pending()?, stop);
    raise(g::SIGCONT)?;
    check_eq!(pending()?, go);
    // What one thread was sent goes, too; and who ignores the one loses the other.
    sys(g::__NR_tkill, [os::getpid() as usize, g::SIGTSTP as usize])?;
    check_eq!(pending()?, stop);
    mask(g::SIG_UNBLOCK, go)?;
    on_signal(g::SIGCONT, Action::Ignore, 0)?;
    raise(g::SIGCONT)?;
    check_eq!(pending()?, 0);
    Ok(())
}

fn sleep_interrupted() -> Outcome {
    on_signal(SIGUSR1, Action::Call(add_one), g::SA_RESTART)?;
    let pid = pester(SIGUSR1)?;
    // Even with SA_RESTART.
    check_error!(crate::processes::sleep_ns(60_000_000_000), EINTR);
    os::kill(pid, g::SIGKILL)?;
    Ok(())
}

fn suspend() -> Outcome {
    on_signal(SIGUSR1, Action::Call(add_one), 0)?;
    mask(g::SIG_BLOCK, bit(SIGUSR1))?;
    raise(SIGUSR1)?;
    let set = [0u64];
    // The mask is exchanged and the signal taken in one step; afterwards the old mask is back.
    check_error!(sys(g::__NR_rt_sigsuspend, [set.as_ptr() as usize, 8]), EINTR);
    check_eq!(count(), 1);
    check_eq!(mask(g::SIG_BLOCK, 0)?, bit(SIGUSR1));
    Ok(())
}

fn thread_directed() -> Outcome {
    on_signal(SIGUSR1, Action::Call(record), 0)?;
    let me = os::getpid() as usize;
    sys(g::__NR_tgkill, [me, me, SIGUSR1 as usize])?;
    check_eq!(count(), 1);
    check_error!(sys(g::__NR_tgkill, [me, 1 << 22, SIGUSR1 as usize]), ESRCH);
    Ok(())
}

extern "C" fn clobber_floats(_: i32, _: usize, _: usize) {
    COUNT.fetch_add(1, SeqCst);
    core::hint::black_box(raw::floats_survive(0x1111_2222_3333_4444, 10));
}

fn handler_floats() -> Outcome {
    // A handler may use the floating-point registers; the interrupted code finds its own again.
    on_signal(SIGUSR1, Action::Call(clobber_floats), 0)?;
    let pid = pester(SIGUSR1)?;
    // However long that takes: until handlers have run while the registers were in use, several times.
    let mut interrupted = 0;
    while interrupted < 4 {
        let before = count();
        check!(raw::floats_survive(0x4009_21fb_5444_2d18, 1_000_000));
        interrupted += u64::from(count() > before);
    }
    os::kill(pid, g::SIGKILL)?;
    Ok(())
}

fn fork_keeps_handlers() -> Outcome {
    on_signal(SIGUSR1, Action::Call(add_one), 0)?;
    let ended = os::in_child(|| {
        let _ = raise(SIGUSR1);
        i32::from(count() != 1)
    });
    check_eq!(ended, Ok(Status::Exited(0)));
    check_eq!(count(), 0);
    Ok(())
}

/// What rt_sigaction(2) tells of a signal: handler and flags.
fn action_of(signal: u32) -> Result<[usize; 2]> {
    let mut old = [0usize; 3];
    sys(g::__NR_rt_sigaction, [signal as usize, 0, old.as_mut_ptr() as usize, 8])?;
    let [handler, flags, _] = core::hint::black_box(old);
    Ok([handler, flags])
}

fn handler_once_keeps_its_flags() -> Outcome {
    on_signal(SIGUSR1, Action::Call(record), g::SA_RESETHAND)?;
    let [_, flags] = action_of(SIGUSR1)?;
    raise(SIGUSR1)?;
    check_eq!(seen(0), SIGUSR1 as usize);
    check_eq!(action_of(SIGUSR1)?, [0, flags]);
    Ok(())
}

/// sigaltstack(2): address, flags and size before.
fn exchange_stack(new: Option<[usize; 3]>) -> Result<[usize; 3]> {
    let mut old = [0usize; 3];
    let new = new.as_ref().map_or(0, |new| new.as_ptr() as usize);
    sys(g::__NR_sigaltstack, [new, old.as_mut_ptr() as usize])?;
    let [at, flags, size] = core::hint::black_box(old);
    Ok([at, flags & u32::MAX as usize, size])
}

extern "C" fn look_at_stack(_: i32, _: usize, _: usize) {
    let here = 0u8;
    let at = &raw const here as usize;
    SEEN[0].store(usize::from(STACK_RANGE[0].load(SeqCst) <= at && at < STACK_RANGE[1].load(SeqCst)), SeqCst);
    SEEN[1].store(exchange_stack(None).map_or(usize::MAX, |[_, flags, _]| flags), SeqCst);
    // Another stack may be set meanwhile.
    let other = [STACK_RANGE[0].load(SeqCst), 0, 4 * PAGE_SIZE];
    SEEN[2].store(usize::from(exchange_stack(Some(other)).is_ok()), SeqCst);
}

fn alternate_stack_disarms() -> Outcome {
    const SS_AUTODISARM: usize = g::SS_AUTODISARM as usize;
    const SS_ONSTACK: usize = g::SS_ONSTACK as usize;
    const SS_DISABLE: usize = g::SS_DISABLE as usize;
    let at = map(8, READ_WRITE)?;
    STACK_RANGE[0].store(at, SeqCst);
    STACK_RANGE[1].store(at + 8 * PAGE_SIZE, SeqCst);
    on_signal(SIGUSR1, Action::Call(look_at_stack), g::SA_ONSTACK)?;
    // While a handler runs on it there is none; afterwards it is back.
    let stack = [at, SS_AUTODISARM, 8 * PAGE_SIZE];
    exchange_stack(Some(stack))?;
    raise(SIGUSR1)?;
    check_eq!([seen(0), seen(1), seen(2)], [1, SS_DISABLE, 1]);
    check_eq!(exchange_stack(None)?, stack);
    // Without the flag it stays, and stays in use.
    let stack = [at, 0, 8 * PAGE_SIZE];
    exchange_stack(Some(stack))?;
    raise(SIGUSR1)?;
    check_eq!([seen(0), seen(1), seen(2)], [1, SS_ONSTACK, 0]);
    check_eq!(exchange_stack(None)?, stack);
    Ok(())
}

/// The first signals that a C library leaves to programs.
pub const RT: u32 = 35;

/// rt_sigqueueinfo(2) to this process, with SI_QUEUE.
/// rt_sigqueueinfo(2) to this process.
pub fn queue(signal: u32, value: u64) -> Result<usize> {
    queue_to(os::getpid(), signal, value)
}

/// rt_sigqueueinfo(2).
pub fn queue_to(pid: i32, signal: u32, value: u64) -> Result<usize> {
    let me = os::getpid() as u32;
    let mut info = [0u32; 32];
    (info[0], info[2], info[4], info[6]) = (signal, (-1i32).cast_unsigned(), me, value as u32);
    info[7] = (value >> 32) as u32;
    sys(g::__NR_rt_sigqueueinfo, [pid as usize, signal as usize, info.as_ptr() as usize])
}

/// rt_sigtimedwait(2) without waiting: signal, code and value.
pub fn take_now(set: u64) -> Result<(u32, i32, u64)> {
    let (set, now, mut info) = ([set], [0u64; 2], [0u64; 16]);
    let at = info.as_mut_ptr() as usize;
    sys(g::__NR_rt_sigtimedwait, [set.as_ptr() as usize, at, now.as_ptr() as usize, 8])?;
    core::hint::black_box(&mut info);
    Ok((peek64(at) as u32, peek64(at + 8) as u32 as i32, peek64(at + 24)))
}

fn real_time_is_queued() -> Outcome {
    let both = bit(RT) | bit(RT + 5) | bit(SIGUSR1);
    mask(g::SIG_BLOCK, both)?;
    for (signal, value) in [(RT + 5, 1), (RT, 2), (RT + 5, 3), (RT, 4), (SIGUSR1, 5), (SIGUSR1, 6)] {
        queue(signal, value)?;
    }
    // Lowest first, each in order; of a standard signal only the first is kept.
    for expected in [(SIGUSR1, -1, 5), (RT, -1, 2), (RT, -1, 4), (RT + 5, -1, 1), (RT + 5, -1, 3)] {
        check_eq!(take_now(both)?, expected);
    }
    check_error!(take_now(both), EAGAIN);
    on_signal(RT, Action::Call(add_one), 0)?;
    for _ in 0..5 {
        raise(RT)?;
    }
    mask(g::SIG_UNBLOCK, both)?;
    check_eq!(count(), 5);
    Ok(())
}

fn queue_is_limited() -> Outcome {
    mask(g::SIG_BLOCK, bit(RT))?;
    let limit = [3u64, 100];
    sys(g::__NR_setrlimit, [g::RLIMIT_SIGPENDING as usize, limit.as_ptr() as usize])?;
    for value in 0..3 {
        queue(RT, value)?;
    }
    check_error!(queue(RT, 3), EAGAIN);
    // Without a reason it comes all the same.
    raise(RT)?;
    for value in 0..3 {
        check_eq!(take_now(bit(RT))?, (RT, -1, value));
    }
    check_error!(take_now(bit(RT)), EAGAIN);
    Ok(())
}

fn queued_value() -> Outcome {
    on_signal(RT, Action::Call(record), 0)?;
    queue(RT, 0x1234_5678_9abc)?;
    check_eq!((seen(0), seen(1) as u32 as i32, seen(2) as u32 as i32), (RT as usize, -1, os::getpid()));
    let me = os::getpid() as usize;
    let mut info = [0u32; 32];
    (info[2], info[4]) = ((-1i32).cast_unsigned(), 7);
    sys(g::__NR_rt_tgsigqueueinfo, [me, me, RT as usize, info.as_ptr() as usize])?;
    check_eq!((count(), seen(2)), (2, 7));
    Ok(())
}

fn queued_errors() -> Outcome {
    let me = os::getpid() as usize;
    let mut info = [0u32; 32];
    info[2] = (-1i32).cast_unsigned();
    let at = info.as_ptr() as usize;
    check_error!(sys(g::__NR_rt_sigqueueinfo, [1 << 22, RT as usize, at]), ESRCH);
    check_error!(sys(g::__NR_rt_sigqueueinfo, [me, 65, at]), EINVAL);
    check_error!(sys(g::__NR_rt_sigqueueinfo, [me, RT as usize, 8]), EFAULT);
    // To others nobody may say that kill or the kernel does.
    let pid = os::fork()?;
    if pid == 0 {
        let forged = [0u32; 32];
        let parent = os::getppid() as usize;
        let sent = sys(g::__NR_rt_sigqueueinfo, [parent, RT as usize, forged.as_ptr() as usize]);
        os::exit(i32::from(!crate::check::is_error(&sent, rt::abi::errno::EPERM)));
    }
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    Ok(())
}
