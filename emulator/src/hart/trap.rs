//! Entering and leaving traps, and choosing the interrupt to take (privileged manual, "Machine Trap-Handling",
//! "Interrupt Priorities").

use super::Hart;
use isa::csr::mstatus;
use isa::trap::CAUSE_INTERRUPT;
use isa::{Exception, Interrupt, Privilege, Trap, VirtAddr};

const SUPERVISOR_STACK: u64 = mstatus::SPP | mstatus::SPIE | mstatus::SIE;
const MACHINE_STACK: u64 = mstatus::MPP | mstatus::MPIE | mstatus::MIE;

/// The registers of a program when it trapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LeftProgram {
    /// The address of the instruction that trapped, or before which an interrupt came.
    pub pc: u64,
    /// Integer registers.
    pub x: [u64; 32],
    /// Floating-point registers.
    pub f: [u64; 32],
    /// Its address space.
    pub satp: u64,
}

impl Hart {
    /// The registers of the program that was left last for a trap, since the machine was made or loaded.
    pub fn left_program(&self) -> &LeftProgram {
        &self.left_program
    }

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
        if self.privilege == Privilege::User {
            self.left_program = LeftProgram { pc: self.pc, x: self.x, f: self.f, satp: self.csr.satp };
        }
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

    /// Whether the exception, taken in mode `from` at `pc`, comes again and again without end.
    ///
    /// So it is if the handler lies at `pc` and the address (untranslated, so that nothing can change it) cannot be
    /// fetched from, while each interrupt that is enabled is masked in this mode. Then no instruction retires, and nothing
    /// but time and pending bits ever changes.
    #[inline]
    pub(crate) fn is_in_trap_loop(&self, exception: Exception, pc: VirtAddr, from: Privilege) -> bool {
        exception == Exception::InstructionAccess
            && (self.pc, self.privilege) == (pc.0, from)
            && !self.translates(from)
            && self.first_to_take(self.csr.mie).is_none()
    }

    /// The interrupt that is to be taken before the next instruction.
    #[inline]
    pub fn interrupt_to_take(&self) -> Option<Interrupt> {
        let pending = self.awaited_interrupts();
        if pending == 0 { None } else { self.first_to_take(pending) }
    }

    /// The one that this mode takes first of several interrupts.
    #[inline]
    fn first_to_take(&self, pending: u64) -> Option<Interrupt> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::tlb::TlbGeometry;

    const MODES: [Privilege; 3] = [Privilege::User, Privilege::Supervisor, Privilege::Machine];
    /// The numbers of the interrupts, the most urgent first (manual, "mip and mie").
    const BY_URGENCY: [u32; 6] = [11, 3, 7, 9, 1, 5];

    /// The bits of the six interrupts that `n` counts through.
    fn interrupts(n: u64) -> u64 {
        (0..6).filter(|bit| n >> bit & 1 == 1).map(|bit| 1 << (2 * bit + 1)).sum()
    }

    /// Whether one interrupt, pending and enabled, would be taken, and if so whether in M-mode.
    fn destination(delegated: bool, mode: Privilege, mie: bool, sie: bool) -> Option<bool> {
        match (delegated, mode) {
            (false, Privilege::Machine) => mie.then_some(true),
            (false, _) => Some(true),
            (true, Privilege::Machine) => None,
            (true, Privilege::Supervisor) => sie.then_some(false),
            (true, Privilege::User) => Some(false),
        }
    }

    #[test]
    fn every_set_of_interrupts_in_every_mode() {
        let mut hart = Hart::new(0, TlbGeometry::default());
        for (pending, enabled) in (0..64).flat_map(|p| (0..64).map(move |e| (interrupts(p), interrupts(e)))) {
            for mideleg in (0..8).map(|n| (n & 1) << 1 | (n & 2) << 4 | (n & 4) << 7) {
                for (mode, enables) in MODES.into_iter().flat_map(|mode| (0..4).map(move |n| (mode, n))) {
                    let (mie, sie) = (enables & 1 != 0, enables & 2 != 0);
                    (hart.csr.mip_lines, hart.csr.mie, hart.csr.mideleg) = (pending, enabled, mideleg);
                    hart.csr.mstatus =
                        if mie { mstatus::MIE } else { 0 } | if sie { mstatus::SIE } else { 0 };
                    hart.privilege = mode;
                    let goes = |n: &u32| {
                        let there = pending >> n & enabled >> n & 1 == 1;
                        let to = destination(mideleg >> n & 1 == 1, mode, mie, sie)?;
                        there.then_some((to, *n))
                    };
                    let to =
                        |machine: bool| BY_URGENCY.iter().filter_map(goes).find(|&(to, _)| to == machine);
                    let expected = to(true).or(to(false)).map(|(_, n)| n);
                    let found = hart.interrupt_to_take().map(|interrupt| u32::from(interrupt.code()));
                    assert_eq!(
                        found, expected,
                        "mip {pending:#x} mie {enabled:#x} mideleg {mideleg:#x} {mode:?} MIE {mie} SIE {sie}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_exception_in_every_mode_goes_where_medeleg_says() {
        for exception in Exception::ALL {
            let bit = 1 << exception.code();
            for (mode, medeleg) in MODES.into_iter().flat_map(|mode| [0, bit, !bit].map(|m| (mode, m))) {
                let mut hart = Hart::new(0, TlbGeometry::default());
                (hart.pc, hart.privilege, hart.csr.medeleg) = (0x100, mode, medeleg);
                (hart.csr.mtvec, hart.csr.stvec) = (0x1001, 0x2001);
                hart.take_exception(Trap::new(exception, 7));
                let csr = &hart.csr;
                let cause = u64::from(exception.code());
                let to_supervisor = mode != Privilege::Machine && medeleg & bit != 0;
                let (there, elsewhere) = ([0x100, cause, 7], [0, 0, 0]);
                let (machine, supervisor) =
                    if to_supervisor { (elsewhere, there) } else { (there, elsewhere) };
                assert_eq!([csr.mepc, csr.mcause, csr.mtval], machine, "{exception:?} {mode:?} {medeleg:#x}");
                assert_eq!(
                    [csr.sepc, csr.scause, csr.stval],
                    supervisor,
                    "{exception:?} {mode:?} {medeleg:#x}"
                );
                // Vectored mode is for interrupts.
                let place = if to_supervisor {
                    (0x2000, Privilege::Supervisor)
                } else {
                    (0x1000, Privilege::Machine)
                };
                assert_eq!((hart.pc, hart.privilege), place, "{exception:?} {mode:?} {medeleg:#x}");
                assert_eq!(hart.reservation, None);
            }
        }
    }
}
