//! Everything that is RISC-V and not Rust: start-up, CSRs, entering user mode, switching stacks, the FP registers.
//!
//! Interrupts stay disabled (`sstatus.SIE` = 0) while the kernel runs: it is not preempted, and a trap from
//! S-mode is a bug that panics. Interrupts reach the kernel in two places only: as traps from user mode, and in
//! [`wait_for_interrupt`], where `wfi` wakes although they are disabled.
mod context;
mod csr;
mod fp;
mod start;
mod user;
mod vdso;
pub mod window;

pub use context::{Context, STACK_BYTES, StackSlot, switch};
pub use csr::{
    device_has_written, enable_interrupts_in_sie, fence_address_space, fence_instructions,
    interrupts_pending, let_programs_read_time, max_asid, set_address_space, time, wait_for_interrupt,
};
pub use fp::{FpOwner, FpState};
pub use start::{direct_map, drop_identity_map, kernel_end, kernel_root, phys_of};
pub use user::{TrapFrame, UserTrap, run_user};
pub use vdso::{vdso_epoch_offset, vdso_image, vdso_sigreturn_offset};
