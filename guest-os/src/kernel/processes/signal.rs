//! Delivering signals: default actions, and handlers with the frame that Linux riscv64 builds for them.

use crate::arch::{FpState, TrapFrame};
use crate::events;
use crate::hart::hart;
use crate::memory::user;
use crate::processes::process::{Process, table};
use crate::processes::thread::Thread;
use crate::processes::vdso;
use crate::processes::wait::{self, Channel};
use crate::processes::{children, exit};
use alloc::vec::Vec;
use fs::Errno;
use isa::csr::mstatus;
use isa::events::{CutShort, SignalEffect};
use linux_raw_sys::general as linux;
use proc::{Action, AltStack, AltStackError, ChildEvent, Delivery, ExitStatus, SigInfo, Signal, SignalSet};

/// `struct rt_sigframe`: `siginfo_t`, then `struct ucontext`.
pub const SIGINFO_BYTES: usize = 128;
/// Offsets in `struct ucontext`.
const UC_STACK: usize = 16;
const UC_SIGMASK: usize = 40;
/// `uc_mcontext` is 16-byte aligned: `pc`, `x1`…`x31`, then the FP registers.
const UC_MCONTEXT: usize = 176;
const UC_FPREGS: usize = UC_MCONTEXT + 32 * 8;
/// `union { __riscv_fp_state; __riscv_extra_ext_header; }`
const FPREGS_BYTES: usize = 528;
const FRAME_BYTES: usize = SIGINFO_BYTES + UC_FPREGS + FPREGS_BYTES;

/// Acts on the pending signals before user mode; a status ends the thread.
#[inline]
pub fn deliver(thread: &Thread) -> Option<ExitStatus> {
    let process = &*thread.process;
    let is_quiet = thread.restart.get().is_none()
        && process.stopped.get().is_none()
        && thread.signals.borrow().is_quiet(&process.signals.borrow());
    if is_quiet { None } else { act(thread, process) }
}

#[inline(never)] // a frame of its own, not part of its caller's
fn act(thread: &Thread, process: &Process) -> Option<ExitStatus> {
    let mut interrupted = thread.restart.take();
    loop {
        if process.stopped.get().is_some() {
            stay_stopped(thread);
        }
        if process.continues.take() {
            children::tell_stop(process, ChildEvent::Continued);
        }
        let delivery = thread.signals.borrow_mut().deliver(&mut process.signals.borrow_mut());
        let cut_short = interrupted.map(|call| call.resumption);
        match delivery {
            Delivery::None => {
                if let Some(call) = interrupted {
                    call.again(&mut thread.frame.borrow_mut());
                }
                thread.signals.borrow_mut().end_suspension();
                return None;
            }
            Delivery::Ignored(info) => events::signal(thread, &info, SignalEffect::Ignored, cut_short),
            Delivery::Terminate(info) => return Some(terminate(thread, &info, cut_short)),
            Delivery::Stop(info) => {
                events::signal(thread, &info, SignalEffect::Stopped, cut_short);
                stop(process, info.signal);
            }
            Delivery::Handler { info, action, saved_mask } => {
                events::signal(thread, &info, SignalEffect::Handled, cut_short);
                if let Some(call) = interrupted.take() {
                    call.interrupted(&mut thread.frame.borrow_mut(), action.has(linux::SA_RESTART));
                }
                let is_there = start_handler(thread, &info, &action, saved_mask).is_ok();
                // Who was killed while it waited for the frame's page has nothing to say of that.
                if !is_there && !thread.is_killed() {
                    // No room for the frame: as in Linux, SIGSEGV, which ends the process if that was SIGSEGV itself.
                    let overflow = SigInfo::from_kernel(Signal::SEGV);
                    if info.signal == Signal::SEGV {
                        return Some(terminate(thread, &overflow, None));
                    }
                    thread.force(overflow);
                }
            }
        }
    }
}

/// A fatal signal ends all threads, whichever took it; but one that ends by another's decision took none, and decides nothing itself.
fn terminate(thread: &Thread, info: &SigInfo, cut_short: Option<CutShort>) -> ExitStatus {
    let status = status_of(&thread.process, info.signal);
    if !thread.is_condemned.get() {
        events::signal(thread, info, SignalEffect::Ended, cut_short);
        events::registers(thread);
        exit::end_all_threads(&thread.process, status);
    }
    status
}

/// How a process ends by a signal. No image of its memory is written, but the status says so where Linux would write one.
fn status_of(process: &Process, signal: Signal) -> ExitStatus {
    let (limit, _) = process.limits.borrow()[linux::RLIMIT_CORE as usize];
    if signal.dumps_core() && limit >= isa::PAGE_SIZE {
        ExitStatus::Dumped(signal)
    } else {
        ExitStatus::Signaled(signal)
    }
}

/// A system call that a signal has cut short: how to go on depends on what the signal does.
#[derive(Clone, Copy, Debug)]
pub struct Interrupted {
    /// `a0` when the call came.
    pub argument: u64,
    /// How it goes on.
    pub resumption: CutShort,
}

impl Interrupted {
    const ECALL_BYTES: u64 = 4;

    /// No handler runs: the call goes on.
    fn again(self, frame: &mut TrapFrame) {
        frame.x[10] = self.argument;
        if self.resumption == CutShort::Rest {
            frame.x[17] = u64::from(abi::number::restart_syscall);
        }
        frame.pc -= Self::ECALL_BYTES;
    }
    fn interrupted(self, frame: &mut TrapFrame, handler_restarts: bool) {
        if self.resumption == CutShort::Again && handler_restarts {
            self.again(frame);
        } else {
            frame.x[10] = Errno::EINTR.to_return_value();
        }
    }
}

/// Stops the process, all its threads, until SIGCONT or SIGKILL. Where nobody would let it go on, only SIGSTOP stops it.
fn stop(process: &Process, signal: Signal) {
    let is_orphaned = || table(|t| t.group(process.pid).is_some_and(|group| t.is_orphaned(group)));
    if signal != Signal::STOP && is_orphaned() {
        return;
    }
    process.stopped.set(Some(signal));
    process.stop_unreported.set(true);
    process.continue_unreported.set(false);
    children::tell_stop(process, ChildEvent::Stopped(signal));
}

/// Waits while the process is stopped, unless the thread is to end.
#[cold]
fn stay_stopped(thread: &Thread) {
    let process = &thread.process;
    while process.stopped.get().is_some() && !thread.is_killed() {
        wait::sleep(Channel::Continue(process.pid));
    }
}

fn start_handler(
    thread: &Thread,
    info: &SigInfo,
    action: &Action,
    saved_mask: SignalSet,
) -> Result<(), Errno> {
    // A call that it cuts short does not go on.
    thread.rest.set(None);
    thread.save_fp();
    let stack = thread.signals.borrow().alt_stack;
    let (sp, image) = {
        let frame = thread.frame.borrow();
        let end = stack.frame_end(frame.x[2], action.has(linux::SA_ONSTACK));
        let sp = end.wrapping_sub(FRAME_BYTES as u64) & !15;
        (sp, build_frame(&frame, &thread.fp.borrow(), info, saved_mask, &stack))
    };
    user::copy_out(sp, &image)?;
    if stack.disarms {
        thread.signals.borrow_mut().alt_stack = AltStack::NONE;
    }
    let mut frame = thread.frame.borrow_mut();
    frame.x[1] = vdso::sigreturn_in(&thread.process.space().borrow());
    frame.x[2] = sp;
    frame.x[10] = u64::from(info.signal.number());
    frame.x[11] = sp;
    frame.x[12] = sp + SIGINFO_BYTES as u64;
    frame.pc = action.handler;
    Ok(())
}

fn build_frame(
    frame: &TrapFrame,
    fp: &FpState,
    info: &SigInfo,
    mask: SignalSet,
    stack: &AltStack,
) -> Vec<u8> {
    let mut image = siginfo(info).to_vec();
    image.resize(FRAME_BYTES, 0);
    let (_, context) = image.split_at_mut(SIGINFO_BYTES);
    let mut put =
        |offset: usize, value: u64| context[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    put(UC_STACK, stack.base);
    put(UC_STACK + 8, u64::from(stack.saved_flags()));
    put(UC_STACK + 16, stack.size);
    put(UC_SIGMASK, mask.0);
    put(UC_MCONTEXT, frame.pc);
    for (n, &value) in frame.x.iter().enumerate().skip(1) {
        put(UC_MCONTEXT + 8 * n, value);
    }
    for (n, &value) in fp.f.iter().enumerate() {
        put(UC_FPREGS + 8 * n, value);
    }
    put(UC_FPREGS + 32 * 8, fp.fcsr);
    image
}

/// `siginfo_t`.
pub fn siginfo(info: &SigInfo) -> [u8; SIGINFO_BYTES] {
    let mut bytes = [0; SIGINFO_BYTES];
    let mut put = |offset: usize, value: &[u8]| bytes[offset..offset + value.len()].copy_from_slice(value);
    put(0, &u32::from(info.signal.number()).to_le_bytes());
    put(8, &info.code.to_le_bytes());
    let is_fault =
        matches!(info.signal, Signal::SEGV | Signal::BUS | Signal::ILL | Signal::TRAP | Signal::FPE);
    if is_fault && info.code > 0 && info.pid == 0 {
        put(16, &info.value.to_le_bytes());
    } else {
        put(16, &info.pid.to_le_bytes());
        put(24, &info.value.to_le_bytes());
    }
    bytes
}

/// Sets the thread's alternate stack, unless it runs on the one that it has.
pub fn set_alt_stack(thread: &Thread, [base, flags, size]: [u64; 3]) -> Result<(), Errno> {
    let sp = thread.frame.borrow().x[2];
    let current = &mut thread.signals.borrow_mut().alt_stack;
    if current.is_in_use(sp) {
        return Err(Errno::EPERM);
    }
    // The flags are an `int`: what lies above them is padding.
    let flags = u32::try_from(flags & u64::from(u32::MAX)).unwrap_or(0);
    *current = AltStack::requested(base, flags, size).map_err(|error| match error {
        AltStackError::Flags => Errno::EINVAL,
        AltStackError::Size => Errno::ENOMEM,
    })?;
    Ok(())
}

/// `rt_sigreturn`: takes the registers, the mask and the alternate stack back from the frame at the stack pointer.
pub fn return_from_handler(thread: &Thread) -> Result<(), Errno> {
    let sp = thread.frame.borrow().x[2];
    let mut image = alloc::vec![0; FRAME_BYTES];
    user::copy_in(sp, &mut image)?;
    let context = &image[SIGINFO_BYTES..];
    let word = |offset: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&context[offset..offset + 8]);
        u64::from_le_bytes(bytes)
    };
    thread.signals.borrow_mut().set_blocked(SignalSet(word(UC_SIGMASK)));
    hart().fp.borrow_mut().forget(thread.tid());
    let mut fp = thread.fp.borrow_mut();
    for n in 0..32 {
        fp.f[n] = word(UC_FPREGS + 8 * n);
    }
    fp.fcsr = word(UC_FPREGS + 32 * 8) & 0xff;
    let mut frame = thread.frame.borrow_mut();
    frame.pc = word(UC_MCONTEXT);
    for n in 1..32 {
        frame.x[n] = word(UC_MCONTEXT + 8 * n);
    }
    frame.set_fs(mstatus::FS_CLEAN);
    drop(frame);
    // As in Linux, a stack that is in use or none stays as it is.
    let _ = set_alt_stack(thread, [word(UC_STACK), word(UC_STACK + 8), word(UC_STACK + 16)]);
    Ok(())
}
