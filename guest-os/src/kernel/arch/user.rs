//! Entering user mode and coming back: the trap entry, as an ordinary function call.
//!
//! [`run_user`] saves the kernel's callee-saved registers on the stack, loads the user's registers from a
//! [`TrapFrame`] and executes `sret`. The next trap stores the user's registers into the same frame, restores the kernel's and
//! returns from `run_user`. `sscratch` holds the frame's address while user code runs and 0 while the kernel runs,
//! so a trap out of the kernel (a bug) is told apart and panics, on a stack of its own, since the kernel's may be what it trapped on.

use core::arch::{asm, global_asm};
use isa::csr::mstatus;
use isa::trap::CAUSE_INTERRUPT;

/// A process's registers while it is not running in user mode.
#[derive(Clone, Default)]
#[repr(C)]
pub struct TrapFrame {
    /// `x0` to `x31`; `x[0]` is unused.
    pub x: [u64; 32],
    /// The user's program counter.
    pub pc: u64,
    /// `sstatus` to enter user mode with; FS says what the FP registers are.
    pub sstatus: u64,
    /// The kernel's stack pointer while user code runs.
    kernel_sp: u64,
}

impl TrapFrame {
    /// A frame that starts at `pc` with stack pointer `sp`, all other registers zero, FP registers initial.
    pub fn starting_at(pc: u64, sp: u64) -> Self {
        let mut frame =
            Self { pc, sstatus: mstatus::SPIE | mstatus::FS_INITIAL | 2 << 32, ..Self::default() };
        frame.x[2] = sp;
        frame
    }
    /// Argument register `a<n>`.
    pub fn argument(&self, n: usize) -> u64 {
        self.x[10 + n]
    }
    /// The FS field.
    pub fn fs(&self) -> u64 {
        self.sstatus & mstatus::FS
    }
    /// Sets the FS field.
    pub fn set_fs(&mut self, fs: u64) {
        self.sstatus = self.sstatus & !mstatus::FS | fs;
    }
}

/// Why user mode was left.
#[derive(Clone, Copy, Debug)]
pub struct UserTrap {
    /// `scause`.
    pub cause: u64,
    /// `stval`.
    pub tval: u64,
}

impl UserTrap {
    /// Whether an interrupt and not an exception ended it.
    pub fn is_interrupt(self) -> bool {
        self.cause & CAUSE_INTERRUPT != 0
    }
}

const FRAME_PC: usize = core::mem::offset_of!(TrapFrame, pc);
const FRAME_SSTATUS: usize = core::mem::offset_of!(TrapFrame, sstatus);
const FRAME_KERNEL_SP: usize = core::mem::offset_of!(TrapFrame, kernel_sp);

global_asm!(
    ".text",
    // enter_user(frame): the callee-saved registers go onto the kernel stack, 112 bytes.
    ".globl enter_user",
    "enter_user:",
    "    addi sp, sp, -112",
    "    sd ra, 0(sp)",
    "    sd gp, 8(sp)",
    "    sd tp, 16(sp)",
    "    sd s0, 24(sp)",
    "    sd s1, 32(sp)",
    "    sd s2, 40(sp)",
    "    sd s3, 48(sp)",
    "    sd s4, 56(sp)",
    "    sd s5, 64(sp)",
    "    sd s6, 72(sp)",
    "    sd s7, 80(sp)",
    "    sd s8, 88(sp)",
    "    sd s9, 96(sp)",
    "    sd s10, 104(sp)",
    "    addi sp, sp, -16",
    "    sd s11, 0(sp)",
    "    sd sp, {kernel_sp}(a0)",
    "    csrw sscratch, a0",
    "    ld t0, {pc}(a0)",
    "    ld t1, {sstatus}(a0)",
    "    csrw sepc, t0",
    "    csrw sstatus, t1",
    "    mv x31, a0",
    ".irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "    ld x\\n, 8*\\n(x31)",
    ".endr",
    "    sret",
    // stvec: four-byte aligned, direct mode.
    ".balign 4",
    ".globl trap_entry",
    "trap_entry:",
    "    csrrw x31, sscratch, x31",
    "    beqz x31, 1f",
    ".irp n, 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30",
    "    sd x\\n, 8*\\n(x31)",
    ".endr",
    "    csrrw t0, sscratch, zero",
    "    sd t0, 8*31(x31)",
    "    csrr t0, sepc",
    "    sd t0, {pc}(x31)",
    "    csrr t0, sstatus",
    "    sd t0, {sstatus}(x31)",
    "    ld sp, {kernel_sp}(x31)",
    "    ld s11, 0(sp)",
    "    addi sp, sp, 16",
    "    ld ra, 0(sp)",
    "    ld gp, 8(sp)",
    "    ld tp, 16(sp)",
    "    ld s0, 24(sp)",
    "    ld s1, 32(sp)",
    "    ld s2, 40(sp)",
    "    ld s3, 48(sp)",
    "    ld s4, 56(sp)",
    "    ld s5, 64(sp)",
    "    ld s6, 72(sp)",
    "    ld s7, 80(sp)",
    "    ld s8, 88(sp)",
    "    ld s9, 96(sp)",
    "    ld s10, 104(sp)",
    "    addi sp, sp, 112",
    // The kernel itself runs with the FP unit off.
    "    li t0, {fs}",
    "    csrc sstatus, t0",
    "    ret",
    // A trap out of the kernel: nothing is stored before the stack is another.
    "1:",
    "    csrrw x31, sscratch, x31",
    "    csrr a0, scause",
    "    csrr a1, sepc",
    "    csrr a2, stval",
    "    mv a3, sp",
    "    lla sp, emergency_stack + 16384",
    "    call kernel_trap",
    ".section .bss",
    ".balign 16",
    "emergency_stack:",
    "    .zero 16384",
    pc = const FRAME_PC,
    sstatus = const FRAME_SSTATUS,
    kernel_sp = const FRAME_KERNEL_SP,
    fs = const mstatus::FS,
);

unsafe extern "C" {
    fn enter_user(frame: *mut TrapFrame);
}

/// Runs user code from `frame` until the next trap.
pub fn run_user(frame: &mut TrapFrame) -> UserTrap {
    // SPP = 0 (user), SIE = 0 until sret, SUM and MXR never set.
    frame.sstatus = frame.sstatus & mstatus::FS | mstatus::SPIE | 2 << 32;
    let (cause, tval);
    // SAFETY: `frame` is exclusively borrowed until the call returns; `enter_user` keeps the callee-saved registers as
    // the calling convention demands; the user half of the address space is not Rust's memory.
    unsafe {
        enter_user(frame);
        asm!("csrr {}, scause", "csrr {}, stval", out(reg) cause, out(reg) tval, options(nomem, nostack));
    }
    UserTrap { cause, tval }
}

/// A trap while the kernel ran: always our bug.
#[unsafe(no_mangle)]
extern "C" fn kernel_trap(cause: u64, pc: u64, tval: u64, sp: u64) -> ! {
    crate::shutdown::trapped_in_kernel(cause, pc, tval, sp)
}
