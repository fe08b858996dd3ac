//! Control and status registers: which exist, who may access them, what a write leaves in them (WARL rules).
//!
//! Where the manual leaves a choice this follows Spike with `--isa=rv64imafdc_zicntr_svadu`. There are no
//! debug triggers (`tselect` and `tdata1..3` read zero, `tinfo` that there is none), no hardware performance counters beyond `mcycle`
//! and `minstret` (`mhpmcounter3..31` and their events read zero). Follows the privileged manual, "CSRs".

use super::Hart;
use super::warl;
use isa::csr::{Csr, menvcfg, mstatus};
use isa::paging::Satp;
use isa::{Extension, Interrupt, Privilege};
use serde::{Deserialize, Serialize};

/// The registers that hold state of their own. The views (`sstatus`, `sie`, `sip`) and the counters are not here.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // the names are the manual's
pub struct CsrFile {
    /// Without the constant fields (UXL, SXL) and SD, which follow from the rest: see [`CsrFile::mstatus`].
    pub mstatus: u64,
    pub medeleg: u64,
    pub mideleg: u64,
    pub mie: u64,
    /// The bits of `mip` that software has set.
    pub mip_software: u64,
    /// The bits of `mip` that devices drive, as they were when last asked; they are asked again when a run starts.
    #[serde(skip)]
    pub mip_lines: u64,
    pub mtvec: u64,
    pub mcounteren: u64,
    pub menvcfg: u64,
    pub mscratch: u64,
    pub mepc: u64,
    pub mcause: u64,
    pub mtval: u64,
    pub stvec: u64,
    pub scounteren: u64,
    pub senvcfg: u64,
    pub sscratch: u64,
    pub sepc: u64,
    pub scause: u64,
    pub stval: u64,
    pub stimecmp: u64,
    pub satp: u64,
    pub scontext: u64,
    pub mcontext: u64,
    pub fflags: u8,
    pub frm: u8,
}

/// Folio's architecture number: none has been allotted, so zero, "not implemented".
const MARCHID: u64 = 0;

const FCSR_FRM_SHIFT: u32 = 5;
const FFLAGS: u64 = 0x1f;
const FRM: u64 = 0x7;

impl CsrFile {
    /// `mstatus` as it reads.
    pub fn mstatus(&self) -> u64 {
        let dirty = if self.mstatus & mstatus::FS == mstatus::FS_DIRTY { mstatus::SD } else { 0 };
        self.mstatus | mstatus::XLEN_64 | dirty
    }
    /// `fcsr`.
    pub fn fcsr(&self) -> u64 {
        u64::from(self.frm) << FCSR_FRM_SHIFT | u64::from(self.fflags)
    }
    /// Sets `fcsr`.
    pub(crate) fn write_fcsr(&mut self, value: u64) {
        self.frm = low_bits(value >> FCSR_FRM_SHIFT, FRM);
        self.fflags = low_bits(value, FFLAGS);
    }
    /// Whether floating point is on (`mstatus.FS` is not Off).
    #[inline]
    pub fn float_is_on(&self) -> bool {
        self.mstatus & mstatus::FS != 0
    }
    /// Floating-point state has been written.
    #[inline]
    pub(crate) fn float_is_dirty(&mut self) {
        self.mstatus |= mstatus::FS_DIRTY;
    }
    /// Whether the walker sets A and D (Svadu) and does not fault (Svade).
    pub fn updates_accessed_and_dirty(&self) -> bool {
        self.menvcfg & menvcfg::ADUE != 0
    }
    fn write_mstatus(&mut self, value: u64, writable: u64) {
        let mut new = self.mstatus & !writable | value & writable;
        // The reserved mode 2 becomes U, as in Spike.
        if Privilege::from_bits(new >> mstatus::MPP_SHIFT).is_none() {
            new &= !mstatus::MPP;
        }
        self.mstatus = new;
    }
}

/// What an access needs to know that is not in the hart: where in a block the instruction is, and the time.
pub(crate) struct CsrContext<'a> {
    /// Instructions of the running block that have retired before this one.
    pub retired_before: u64,
    /// `mtime`.
    pub mtime: &'a dyn Fn() -> u64,
}

fn low_bits(value: u64, mask: u64) -> u8 {
    u8::try_from(value & mask).unwrap_or(0)
}

/// The index of `csr` in the family of `len` registers that starts at `first`.
fn index_in(csr: Csr, first: Csr, len: u16) -> Option<usize> {
    let n = csr.0.checked_sub(first.0)?;
    (n < len).then_some(usize::from(n))
}

impl Hart {
    /// Reads a CSR from the current mode; `None` if that is an illegal instruction.
    pub(crate) fn read_csr(&self, csr: Csr, context: &CsrContext) -> Option<u64> {
        if (self.privilege as u8) < csr.required_privilege() {
            return None;
        }
        self.read_csr_unchecked(csr, context)
    }

    /// A CSR's value as M-mode would read it at this moment; `None` if there is no such register.
    pub fn csr_value(&self, csr: Csr, mtime: u64) -> Option<u64> {
        let context = CsrContext { retired_before: 0, mtime: &|| mtime };
        match csr {
            Csr::FFLAGS => Some(u64::from(self.csr.fflags)),
            Csr::FRM => Some(u64::from(self.csr.frm)),
            Csr::FCSR => Some(self.csr.fcsr()),
            Csr::SATP => Some(self.csr.satp),
            Csr::STIMECMP => self.isa.contains(Extension::Sstc).then_some(self.csr.stimecmp),
            Csr::CYCLE => Some(self.counters.cycle(0)),
            Csr::TIME => Some(mtime),
            Csr::INSTRET => Some(self.counters.instret(0)),
            _ => self.read_csr_unchecked(csr, &context),
        }
    }

    fn read_csr_unchecked(&self, csr: Csr, context: &CsrContext) -> Option<u64> {
        let c = &self.csr;
        Some(match csr {
            Csr::FFLAGS | Csr::FRM | Csr::FCSR
                if !c.float_is_on() || !self.enabled.contains(Extension::F) =>
            {
                return None;
            }
            Csr::FFLAGS => u64::from(c.fflags),
            Csr::FRM => u64::from(c.frm),
            Csr::FCSR => c.fcsr(),
            Csr::CYCLE | Csr::TIME | Csr::INSTRET if !self.may_read_counter(csr, Extension::Zicntr) => {
                return None;
            }
            Csr::CYCLE | Csr::MCYCLE => self.counters.cycle(context.retired_before),
            Csr::INSTRET | Csr::MINSTRET => self.counters.instret(context.retired_before),
            Csr::TIME => (context.mtime)(),
            Csr::SSTATUS => c.mstatus() & warl::SSTATUS_VISIBLE,
            Csr::SIE => c.mie & c.mideleg,
            Csr::SIP => c.mip() & c.mideleg,
            Csr::STVEC => c.stvec,
            Csr::SCOUNTEREN => c.scounteren,
            Csr::SENVCFG => c.senvcfg,
            Csr::STIMECMP if !self.may_use_timer() => return None,
            Csr::STIMECMP => c.stimecmp,
            Csr::SCONTEXT => c.scontext,
            Csr::MCONTEXT => c.mcontext,
            Csr::SSCRATCH => c.sscratch,
            Csr::SEPC => c.sepc & self.pc_mask(),
            Csr::SCAUSE => c.scause,
            Csr::STVAL => c.stval,
            Csr::SATP if self.privilege == Privilege::Supervisor && c.mstatus & mstatus::TVM != 0 => {
                return None;
            }
            Csr::SATP => c.satp,
            Csr::MVENDORID | Csr::MIMPID | Csr::MCONFIGPTR => 0,
            Csr::MARCHID => MARCHID,
            Csr::MHARTID => self.id as u64,
            Csr::MSTATUS => c.mstatus(),
            Csr::MISA => self.enabled.misa(),
            Csr::MEDELEG => c.medeleg,
            Csr::MIDELEG => c.mideleg,
            Csr::MIE => c.mie,
            Csr::MIP => c.mip(),
            Csr::MTVEC => c.mtvec,
            Csr::MCOUNTEREN => c.mcounteren,
            Csr::MCOUNTINHIBIT => self.counters.inhibited(),
            Csr::MENVCFG => c.menvcfg,
            Csr::MSCRATCH => c.mscratch,
            Csr::MEPC => c.mepc & self.pc_mask(),
            Csr::MCAUSE => c.mcause,
            Csr::MTVAL => c.mtval,
            Csr::TSELECT | Csr::TDATA1 | Csr::TDATA2 | Csr::TDATA3 => 0,
            // "If the currently selected trigger doesn't exist, this field contains 1" (Sdtrig, "Trigger Info").
            Csr::TINFO => 1,
            _ => return self.read_numbered(csr),
        })
    }

    /// The numbered families: PMP and performance monitors.
    fn read_numbered(&self, csr: Csr) -> Option<u64> {
        if let Some(n) = index_in(csr, Csr::PMPCFG0, 16) {
            return (n % 2 == 0 && self.pmp.exists()).then(|| self.pmp.read_config(n));
        }
        if let Some(n) = index_in(csr, Csr::PMPADDR0, 64) {
            return self.pmp.exists().then(|| self.pmp.read_addr(n));
        }
        if index_in(csr, Csr::HPMCOUNTER3, 29).is_some() {
            return self.may_read_counter(csr, Extension::Zihpm).then_some(0);
        }
        let monitor = index_in(csr, Csr::MHPMCOUNTER3, 29).or(index_in(csr, Csr::MHPMEVENT3, 29));
        monitor.map(|_| 0)
    }

    /// Whether a counter for users exists, as part of `extension`, and the modes above have enabled it.
    fn may_read_counter(&self, csr: Csr, extension: Extension) -> bool {
        let bit = 1 << (csr.0 - Csr::CYCLE.0);
        self.isa.contains(extension)
            && match self.privilege {
                Privilege::Machine => true,
                Privilege::Supervisor => self.csr.mcounteren & bit != 0,
                Privilege::User => self.csr.mcounteren & self.csr.scounteren & bit != 0,
            }
    }

    /// `stimecmp`: below M-mode only if `menvcfg.STCE` says so and `time` may be read.
    fn may_use_timer(&self) -> bool {
        self.isa.contains(Extension::Sstc)
            && (self.privilege == Privilege::Machine
                || self.csr.supervisor_timer_is_on() && self.may_read_counter(Csr::TIME, Extension::Zicntr))
    }

    /// The value that a read-modify-write starts from: that of `mip` without what devices drive.
    pub(crate) fn csr_modify_base(&self, csr: Csr, value_read: u64) -> u64 {
        if csr == Csr::MIP { self.csr.mip_software } else { value_read }
    }

    /// Writes a CSR that [`Hart::read_csr`] has just allowed to be read. `None` if that is an illegal instruction.
    pub(crate) fn write_csr(&mut self, csr: Csr, value: u64, context: &CsrContext) -> Option<()> {
        if csr.is_read_only() {
            return None;
        }
        let c = &mut self.csr;
        match csr {
            Csr::FFLAGS | Csr::FRM | Csr::FCSR => {
                match csr {
                    Csr::FFLAGS => c.fflags = low_bits(value, FFLAGS),
                    Csr::FRM => c.frm = low_bits(value, FRM),
                    _ => c.write_fcsr(value),
                }
                c.float_is_dirty();
            }
            Csr::SSTATUS => {
                c.write_mstatus(value, warl::SSTATUS);
                self.choose_banks();
            }
            Csr::MSTATUS => {
                c.write_mstatus(value, warl::MSTATUS);
                self.choose_banks();
            }
            Csr::SIE => c.mie = c.mie & !c.mideleg | value & c.mideleg,
            Csr::SIP => {
                let writable = c.mideleg & Interrupt::SupervisorSoftware.mask();
                c.mip_software = c.mip_software & !writable | value & writable;
            }
            Csr::STVEC => c.stvec = value & warl::TVEC,
            Csr::SCOUNTEREN => self.csr.scounteren = value & self.counteren_mask(),
            Csr::SSCRATCH => c.sscratch = value,
            Csr::SEPC => c.sepc = value & warl::EPC,
            Csr::SCAUSE => c.scause = value,
            Csr::STVAL => c.stval = value,
            Csr::SATP => self.write_satp(Satp(value)),
            Csr::MEDELEG => self.csr.medeleg = value & self.medeleg_mask(),
            Csr::MIDELEG => c.mideleg = value & warl::SUPERVISOR_INTERRUPTS,
            Csr::MIE => c.mie = value & warl::ALL_INTERRUPTS,
            Csr::MIP => {
                let timer = if c.supervisor_timer_is_on() { Interrupt::SupervisorTimer.mask() } else { 0 };
                let writable = warl::SUPERVISOR_INTERRUPTS & !timer;
                c.mip_software = c.mip_software & !writable | value & writable;
            }
            Csr::MTVEC => c.mtvec = value & warl::TVEC,
            Csr::MCOUNTEREN => self.csr.mcounteren = value & self.counteren_mask(),
            Csr::MENVCFG => self.write_menvcfg(value),
            Csr::SENVCFG => self.csr.senvcfg = self.legal_senvcfg(value),
            Csr::STIMECMP => c.stimecmp = value,
            Csr::SCONTEXT => c.scontext = value & warl::SCONTEXT,
            Csr::MCONTEXT => c.mcontext = value & warl::MCONTEXT,
            Csr::MSCRATCH => c.mscratch = value,
            Csr::MEPC => c.mepc = value & warl::EPC,
            Csr::MCAUSE => c.mcause = value,
            Csr::MTVAL => c.mtval = value,
            Csr::MCYCLE => self.counters.set_cycle(value, context.retired_before),
            Csr::MINSTRET => self.counters.set_instret(value, context.retired_before),
            Csr::MCOUNTINHIBIT => {
                let value = value & self.countinhibit_mask();
                self.counters.set_inhibited(value, context.retired_before);
            }
            // The trigger registers and the performance monitors keep their values.
            _ => self.write_numbered(csr, value),
        }
        Some(())
    }

    fn write_numbered(&mut self, csr: Csr, value: u64) {
        if let Some(n) = index_in(csr, Csr::PMPCFG0, 16) {
            self.pmp.write_config(n, value);
        } else if let Some(n) = index_in(csr, Csr::PMPADDR0, 64) {
            self.pmp.write_addr(n, value);
        } else {
            return;
        }
        self.fast.drop_all();
    }

    /// Switches extensions off and on, as a write of `misa` does. C stays on if the next instruction would else be misaligned.
    pub fn write_misa(&mut self, value: u64, pc_is_aligned: bool) {
        let new = self.isa.restricted(value);
        if pc_is_aligned || new.contains(Extension::C) || !self.enabled.contains(Extension::C) {
            self.enabled = new;
        }
    }

    fn write_menvcfg(&mut self, value: u64) {
        self.csr.menvcfg = self.legal_menvcfg(value);
    }

    /// A mode that is not implemented leaves the register as it is.
    fn write_satp(&mut self, new: Satp) {
        if self.satp_is_legal(new) && new.0 != self.csr.satp {
            self.csr.satp = new.0;
            self.fast.drop_all();
            self.choose_banks();
        }
    }
}

/// Whether a write of this CSR can change nothing but the register itself, so that a block may go on after it.
pub(crate) const fn write_is_harmless(csr: Csr) -> bool {
    matches!(
        csr,
        Csr::SSCRATCH
            | Csr::SEPC
            | Csr::SCAUSE
            | Csr::STVAL
            | Csr::MSCRATCH
            | Csr::MEPC
            | Csr::MCAUSE
            | Csr::MTVAL
            | Csr::FFLAGS
            | Csr::FRM
            | Csr::FCSR
    )
}
