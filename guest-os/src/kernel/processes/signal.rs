//! Delivering signals: default actions, and handlers with the frame that Linux riscv64 builds for them.

use crate::arch::{FpState, TrapFrame};
use crate::hart::hart;
use crate::memory::user;
use crate::processes::exit;
use crate::processes::process::{Process, table};
use crate::processes::thread::Thread;
use crate::processes::wait::{self, Channel};
use alloc::vec::Vec;
use fs::Errno;
use isa::csr::mstatus;
use linux_raw_sys::general as linux;
use proc::{Action, AltStack, Delivery, ExitStatus, SigInfo, Signal, SignalSet};

/// `struct rt_sigframe`: `siginfo_t`, then `struct ucontext`.
const SIGINFO_BYTES: usize = 128;
/// Offsets in `struct ucontext`.
const UC_STACK: usize = 16;
const UC_SIGMASK: usize = 40;
/// `uc_mcontext` is 16-byte aligned: `pc`, `x1`…`x31`, then the FP registers.
const UC_MCONTEXT: usize = 176;
const UC_FPREGS: usize = UC_MCONTEXT + 32 * 8;
/// `union { __riscv_fp_state; __riscv_extra_ext_header; }`
const FPREGS_BYTES: usize = 528;
const FRAME_BYTES: usize = SIGINFO_BYTES + UC_FPREGS + FPREGS_BYTES;
const SS_ONSTACK: u32 = 1;
const SS_DISABLE: u32 = 2;

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
        let delivery = thread.signals.borrow_mut().deliver(&mut process.signals.borrow_mut());
        match delivery {
            Delivery::None => {
                if let Some(call) = interrupted {
                    call.again(&mut thread.frame.borrow_mut());
                }
                thread.signals.borrow_mut().end_suspension();
                return None;
            }
            Delivery::Terminate(signal) => return Some(terminate(thread, signal)),
            Delivery::Stop(signal) => stop(process, signal),
            Delivery::Handler { info, action, saved_mask } => {
                if let Some(call) = interrupted.take() {
                    call.interrupted(&mut thread.frame.borrow_mut(), action.has(linux::SA_RESTART));
                }
                if start_handler(thread, &info, &action, saved_mask).is_err() {
                    // No room for the frame: as in Linux, SIGSEGV, which ends the process if that was SIGSEGV itself.
                    if info.signal == Signal::SEGV {
                        return Some(terminate(thread, Signal::SEGV));
                    }
                    thread.force(SigInfo::from_kernel(Signal::SEGV));
                }
            }
        }
    }
}

/// A fatal signal ends all threads, whichever took it; but one that ends by another's decision decides nothing itself.
fn terminate(thread: &Thread, signal: Signal) -> ExitStatus {
    let status = ExitStatus::Signaled(signal);
    if !thread.is_condemned.get() {
        exit::end_all_threads(&thread.process, status);
    }
    status
}

/// A system call that a signal has cut short: how to go on depends on what the signal does.
#[derive(Clone, Copy, Debug)]
pub struct Interrupted {
    /// `a0` when the call came.
    pub argument: u64,
    /// Whether a handler with SA_RESTART lets it start again (ERESTARTSYS), or no handler at all does (ERESTARTNOHAND).
    pub restartable: bool,
}

impl Interrupted {
    const ECALL_BYTES: u64 = 4;

    /// No handler runs: the call starts again.
    fn again(self, frame: &mut TrapFrame) {
        frame.x[10] = self.argument;
        frame.pc -= Self::ECALL_BYTES;
    }
    fn interrupted(self, frame: &mut TrapFrame, handler_restarts: bool) {
        if self.restartable && handler_restarts {
            self.again(frame);
        } else {
            frame.x[10] = Errno::EINTR.to_return_value();
        }
    }
}

/// Stops the process, all its threads, until SIGCONT or SIGKILL.
fn stop(process: &Process, signal: Signal) {
    process.stopped.set(Some(signal));
    process.stop_unreported.set(true);
    let parent = table(|t| t.parent(process.pid));
    if let Some(parent) = crate::processes::process::find(parent) {
        let (code, value) = (CLD_STOPPED, u64::from(signal.number()));
        exit::send(&parent, SigInfo { signal: Signal::CHLD, code, pid: process.pid, value });
    }
    wait::wake(Channel::Child(parent));
}

/// Waits while the process is stopped, unless the thread is to end.
#[cold]
fn stay_stopped(thread: &Thread) {
    let process = &thread.process;
    while process.stopped.get().is_some() && !thread.is_killed() {
        wait::sleep(Channel::Continue(process.pid));
    }
}

const CLD_STOPPED: i32 = 5;

fn start_handler(
    thread: &Thread,
    info: &SigInfo,
    action: &Action,
    saved_mask: SignalSet,
) -> Result<(), Errno> {
    thread.save_fp();
    let AltStack { base, size, flags } = thread.signals.borrow().alt_stack;
    let (sp, image) = {
        let frame = thread.frame.borrow();
        let sp = frame.x[2];
        let on_alternate = size != 0 && sp.wrapping_sub(base) <= size && sp != base;
        let wants_alternate = action.has(linux::SA_ONSTACK) && flags & SS_DISABLE == 0;
        let top = if wants_alternate && !on_alternate { base.wrapping_add(size) } else { sp };
        let sp = top.wrapping_sub(FRAME_BYTES as u64) & !15;
        let state = if flags & SS_DISABLE != 0 { SS_DISABLE } else { u32::from(on_alternate) * SS_ONSTACK };
        (sp, build_frame(&frame, &thread.fp.borrow(), info, saved_mask, (base, size, state)))
    };
    user::copy_out(sp, &image)?;
    let mut frame = thread.frame.borrow_mut();
    frame.x[1] = trampoline_address(&thread.process);
    frame.x[2] = sp;
    frame.x[10] = u64::from(info.signal.number());
    frame.x[11] = sp;
    frame.x[12] = sp + SIGINFO_BYTES as u64;
    frame.pc = action.handler;
    Ok(())
}

fn trampoline_address(process: &Process) -> u64 {
    let space = process.space();
    let space = space.borrow();
    let page = space.vmas().iter().find(|vma| vma.file().is_some_and(crate::processes::trampoline::is));
    page.map_or(0, |vma| vma.range.start.base().0)
}

fn build_frame(
    frame: &TrapFrame,
    fp: &FpState,
    info: &SigInfo,
    mask: SignalSet,
    (stack, stack_size, stack_flags): (u64, u64, u32),
) -> Vec<u8> {
    let mut image = siginfo(info).to_vec();
    image.resize(FRAME_BYTES, 0);
    let (_, context) = image.split_at_mut(SIGINFO_BYTES);
    let mut put =
        |offset: usize, value: u64| context[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
    put(UC_STACK, stack);
    put(UC_STACK + 8, u64::from(stack_flags));
    put(UC_STACK + 16, stack_size);
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

/// `rt_sigreturn`: takes the registers and the mask back from the frame at the stack pointer.
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
    Ok(())
}
