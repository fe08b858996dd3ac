//! The floating-point registers of user programs, switched lazily.
//!
//! The kernel never uses them (its FS is off). A thread's registers stay in the hart until another thread
//! that uses FP runs; they are written to memory only when FS says that they are dirty.

use super::user::TrapFrame;
use core::arch::asm;
use isa::csr::mstatus;
use proc::Tid;

/// `f0` to `f31` and `fcsr`.
#[derive(Clone, Default)]
#[repr(C)]
pub struct FpState {
    /// The registers.
    pub f: [u64; 32],
    /// Rounding mode and accrued flags.
    pub fcsr: u64,
}

/// Whose registers the hart holds: a thread's, or nobody's.
pub struct FpOwner(Option<Tid>);

impl FpOwner {
    /// Nobody's registers.
    pub const NOBODY: Self = Self(None);

    /// Before `tid` enters user mode: makes the hart's FP registers its own.
    pub fn before_user(&mut self, tid: Tid, frame: &mut TrapFrame, state: &FpState) {
        if self.0 != Some(tid) {
            load(state);
            self.0 = Some(tid);
            frame.set_fs(mstatus::FS_CLEAN);
        }
    }
    /// Writes `tid`'s registers to `state` if they have changed since they were loaded.
    pub fn save(&mut self, tid: Tid, frame: &mut TrapFrame, state: &mut FpState) {
        if self.0 == Some(tid) && frame.fs() == mstatus::FS_DIRTY {
            store(state);
            frame.set_fs(mstatus::FS_CLEAN);
        }
    }
    /// The hart's registers are `tid`'s no longer (it ended, or `state` was changed in memory).
    pub fn forget(&mut self, tid: Tid) {
        if self.0 == Some(tid) {
            self.0 = None;
        }
    }
}

fn load(state: &FpState) {
    // SAFETY: reads `state`, writes FP registers, which the kernel does not use; FS is switched on around it only.
    unsafe {
        asm!(
            "csrs sstatus, {fs}",
            ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
            "fld f\\n, 8*\\n({state})",
            ".endr",
            "csrw fcsr, {fcsr}",
            "csrc sstatus, {fs}",
            fs = in(reg) mstatus::FS, state = in(reg) state.f.as_ptr(), fcsr = in(reg) state.fcsr, options(nostack)
        );
    }
}

fn store(state: &mut FpState) {
    // SAFETY: writes `state` only; FS is switched on around it only.
    unsafe {
        asm!(
            "csrs sstatus, {fs}",
            ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
            "fsd f\\n, 8*\\n({state})",
            ".endr",
            "csrr {fcsr}, fcsr",
            "csrc sstatus, {fs}",
            fs = in(reg) mstatus::FS, state = in(reg) state.f.as_mut_ptr(), fcsr = out(reg) state.fcsr, options(nostack)
        );
    }
}
