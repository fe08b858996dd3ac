//! Entering and leaving traps, and choosing the interrupt to take (privileged manual, "Machine Trap-Handling",
//! "Interrupt Priorities").

use super::Hart;
use isa::csr::mstatus;
use isa::trap::CAUSE_INTERRUPT;
use isa::{Exception, Interrupt, Privilege, Trap};

const SUPERVISOR_STACK: u64 = mstatus::SPP | mstatus::SPIE | mstatus::SIE;
const MACHINE_STACK: u64 = mstatus::MPP | mstatus::MPIE | mstatus::MIE;

impl Hart {
    /// Takes an exception raised by the instruction at `pc`.
    pub(crate) fn take_exception(&mut self, trap: Trap) {
        let code = u64::from(trap.exception.code());
        let delegated = self.csr.medeleg >> code & 1 != 0;
        self.enter_trap(code, code, trap.tval, delegated, false);
    }

    /// Takes an interrupt before the instruction at `pc`.
    pub(crate) fn take_interrupt(&mut self, interrupt: Interrupt) {
        let code = u64::from(interrupt.code());
        let delegated = self.csr.mideleg & interrupt.mask() != 0;
        self.waiting = false;
        self.enter_trap(CAUSE_INTERRUPT | code, code, 0, delegated, true);
    }

    fn enter_trap(&mut self, cause: u64, code: u64, tval: u64, delegated: bool, interrupt: bool) {
        let vectored = |tvec: u64| {
            let base = tvec & !3;
            if interrupt && tvec & 1 != 0 { base.wrapping_add(4 * code) } else { base }
        };
        self.reservation = None; // so that no handler has to end the reservation of what it interrupted
        let status = self.csr.mstatus;
        let csr = &mut self.csr;
        if delegated && self.privilege != Privilege::Machine {
            (csr.sepc, csr.scause, csr.stval) = (self.pc, cause, tval);
            let previous = if self.privilege == Privilege::Supervisor { mstatus::SPP } else { 0 };
            let enabled = if status & mstatus::SIE != 0 { mstatus::SPIE } else { 0 };
            csr.mstatus = status & !SUPERVISOR_STACK | previous | enabled;
            self.pc = vectored(csr.stvec);
            self.privilege = Privilege::Supervisor;
        } else {
            (csr.mepc, csr.mcause, csr.mtval) = (self.pc, cause, tval);
            let previous = (self.privilege as u64) << mstatus::MPP_SHIFT;
            let enabled = if status & mstatus::MIE != 0 { mstatus::MPIE } else { 0 };
            csr.mstatus = status & !MACHINE_STACK | previous | enabled;
            self.pc = vectored(csr.mtvec);
            self.privilege = Privilege::Machine;
        }
        self.choose_banks();
    }

    /// MRET: the mode and interrupt enable before the trap. The address to go on at.
    pub(crate) fn leave_machine_trap(&mut self) -> u64 {
        let status = self.csr.mstatus;
        self.privilege = Privilege::from_bits(status >> mstatus::MPP_SHIFT).unwrap_or(Privilege::User);
        let enabled = if status & mstatus::MPIE != 0 { mstatus::MIE } else { 0 };
        self.csr.mstatus = status & !MACHINE_STACK | enabled | mstatus::MPIE;
        self.after_return(self.csr.mepc & self.pc_mask())
    }

    /// SRET: the mode and interrupt enable before the trap. The address to go on at.
    pub(crate) fn leave_supervisor_trap(&mut self) -> u64 {
        let status = self.csr.mstatus;
        self.privilege = if status & mstatus::SPP != 0 { Privilege::Supervisor } else { Privilege::User };
        let enabled = if status & mstatus::SPIE != 0 { mstatus::SIE } else { 0 };
        self.csr.mstatus = status & !SUPERVISOR_STACK | enabled | mstatus::SPIE;
        self.after_return(self.csr.sepc & self.pc_mask())
    }

    fn after_return(&mut self, target: u64) -> u64 {
        if self.privilege != Privilege::Machine {
            self.csr.mstatus &= !mstatus::MPRV;
        }
        self.choose_banks();
        target
    }

    /// Pending and enabled in `mie`, whatever the global enables say: what ends WFI.
    #[inline]
    pub fn awaited_interrupts(&self) -> u64 {
        self.csr.mip() & self.csr.mie
    }

    /// The interrupt that is to be taken before the next instruction.
    #[inline]
    pub fn interrupt_to_take(&self) -> Option<Interrupt> {
        let pending = self.awaited_interrupts();
        if pending == 0 {
            return None;
        }
        let machine_enabled = self.privilege < Privilege::Machine || self.csr.mstatus & mstatus::MIE != 0;
        let supervisor_enabled = match self.privilege {
            Privilege::User => true,
            Privilege::Supervisor => self.csr.mstatus & mstatus::SIE != 0,
            Privilege::Machine => false,
        };
        let to_machine = if machine_enabled { pending & !self.csr.mideleg } else { 0 };
        let to_supervisor = if supervisor_enabled { pending & self.csr.mideleg } else { 0 };
        let chosen = if to_machine != 0 { to_machine } else { to_supervisor };
        Interrupt::BY_PRIORITY.into_iter().find(|i| chosen & i.mask() != 0)
    }

    /// The exception an ECALL raises here.
    pub(crate) fn ecall_exception(&self) -> Exception {
        match self.privilege {
            Privilege::User => Exception::EcallU,
            Privilege::Supervisor => Exception::EcallS,
            Privilege::Machine => Exception::EcallM,
        }
    }
}
