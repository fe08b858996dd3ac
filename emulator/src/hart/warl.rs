//! Which values the control and status registers can hold: WARL and WPRI fields, by the extensions that a hart has
//! (privileged manual, "CSR Field Specifications" and the registers' own sections).
//!
//! Where the manual leaves a choice this is Spike's.

use super::Hart;
use isa::csr::{menvcfg, mstatus};
use isa::paging::{MODE_BARE, Satp, Scheme};
use isa::{Exception, Extension, Interrupt};

pub(super) const MSTATUS: u64 = SSTATUS
    | mstatus::MIE
    | mstatus::MPIE
    | mstatus::MPP
    | mstatus::MPRV
    | mstatus::TVM
    | mstatus::TW
    | mstatus::TSR;
pub(super) const SSTATUS: u64 =
    mstatus::SIE | mstatus::SPIE | mstatus::SPP | mstatus::FS | mstatus::SUM | mstatus::MXR;
pub(super) const SSTATUS_VISIBLE: u64 = SSTATUS | mstatus::UXL | mstatus::SD;

/// The exceptions that can be delegated: all but ECALL from M-mode and, where compressed instructions make it
/// impossible, instruction-address-misaligned. (Bits 18 and 19, software check and hardware error, are writable as in
/// Spike.)
const MEDELEG: u64 = 0xc_b3fe;
pub(super) const SUPERVISOR_INTERRUPTS: u64 = Interrupt::SupervisorSoftware.mask()
    | Interrupt::SupervisorTimer.mask()
    | Interrupt::SupervisorExternal.mask();
pub(super) const ALL_INTERRUPTS: u64 = SUPERVISOR_INTERRUPTS
    | Interrupt::MachineSoftware.mask()
    | Interrupt::MachineTimer.mask()
    | Interrupt::MachineExternal.mask();
/// `mtvec` and `stvec`: modes Direct and Vectored, any base.
pub(super) const TVEC: u64 = !2;
/// `mepc` and `sepc`: bit 0 is always zero.
pub(super) const EPC: u64 = !1;
/// `scontext` and `mcontext`, of a debugger's triggers. There are no triggers to compare them.
pub(super) const SCONTEXT: u64 = 0xffff_ffff;
pub(super) const MCONTEXT: u64 = 0x1fff;

/// CY, TM and IR.
const BASE_COUNTERS: u64 = 0b111;
const TIME: u64 = 0b010;
const MONITORS: u64 = 0xffff_fff8;

/// The reserved encoding 2 of CBIE becomes 0.
const fn legal_cbie(value: u64) -> u64 {
    if value & menvcfg::CBIE == 2 << menvcfg::CBIE.trailing_zeros() { value & !menvcfg::CBIE } else { value }
}

impl Hart {
    fn mask_if(&self, extension: Extension, mask: u64) -> u64 {
        if self.isa.contains(extension) { mask } else { 0 }
    }
    /// What `mcounteren` and `scounteren` can hold (Sscounterenw: a bit for each counter that there is).
    pub(super) fn counteren_mask(&self) -> u64 {
        self.mask_if(Extension::Zicntr, BASE_COUNTERS) | self.mask_if(Extension::Zihpm, MONITORS)
    }
    pub(super) fn countinhibit_mask(&self) -> u64 {
        self.counteren_mask() & !TIME
    }
    pub(super) fn medeleg_mask(&self) -> u64 {
        let misaligned = if self.isa.contains(Extension::Zca) { 0 } else { 1 };
        MEDELEG | misaligned << Exception::InstructionMisaligned.code()
    }
    pub(super) fn legal_menvcfg(&self, value: u64) -> u64 {
        let supervisor = self.mask_if(Extension::Svadu, menvcfg::ADUE)
            | self.mask_if(Extension::Svpbmt, menvcfg::PBMTE)
            | self.mask_if(Extension::Sstc, menvcfg::STCE);
        self.legal_senvcfg(value) | value & supervisor
    }
    pub(super) fn legal_senvcfg(&self, value: u64) -> u64 {
        let writable = self.mask_if(Extension::Zicbom, menvcfg::CBIE | menvcfg::CBCFE)
            | self.mask_if(Extension::Zicboz, menvcfg::CBZE);
        legal_cbie(value) & writable
    }
    /// Lets S-mode use every counter, and all that `menvcfg` has, as firmware does before it starts a kernel.
    pub(crate) fn allow_supervisor(&mut self) {
        self.csr.mcounteren = self.counteren_mask();
        self.csr.menvcfg = self.legal_menvcfg(u64::MAX);
    }
    /// Whether `satp` may be written with this: a mode that is not implemented changes nothing.
    pub(super) fn satp_is_legal(&self, satp: Satp) -> bool {
        satp.mode() == MODE_BARE
            || satp.scheme().is_some_and(|scheme| {
                self.isa.contains(match scheme {
                    Scheme::Sv39 => Extension::Sv39,
                    Scheme::Sv48 => Extension::Sv48,
                    Scheme::Sv57 => Extension::Sv57,
                })
            })
    }
}
