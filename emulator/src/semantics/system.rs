//! The environment: ECALL, EBREAK, returns from traps, WFI, the fence of the page tables (privileged manual,
//! "Machine-Mode Privileged Instructions", "Supervisor Instructions").

use super::engine::{Engine, Surroundings};
use isa::csr::mstatus;
use isa::insn::Insn;
use isa::{Exception, Privilege, Trap, VirtAddr};

/// Environment call.
pub fn ecall<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.helper(i, |core, _| Err(Trap::new(core.hart().ecall_exception(), 0)))
}

/// Breakpoint; `tval` is the address of the instruction, as in Spike.
pub fn ebreak<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.helper(i, |core, _| Err(Trap::new(Exception::Breakpoint, core.pc())))
}

/// Illegal unless the mode is at least `lowest`, and, in S-mode, unless `forbidden` is clear in `mstatus`.
fn require(core: &dyn Surroundings, i: &Insn, lowest: Privilege, forbidden: u64) -> Result<(), Trap> {
    let privilege = core.hart().privilege;
    let trapped = privilege == Privilege::Supervisor && core.hart().csr.mstatus & forbidden != 0;
    if privilege < lowest || trapped { Err(Trap::illegal(i.bits)) } else { Ok(()) }
}

/// Return from a trap taken in S-mode.
pub fn sret<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.helper(i, |core, i| {
        require(core, i, Privilege::Supervisor, mstatus::TSR)?;
        let target = core.hart_mut().leave_supervisor_trap();
        core.return_to(target);
        Ok(())
    })
}

/// Return from a trap taken in M-mode.
pub fn mret<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.helper(i, |core, i| {
        require(core, i, Privilege::Machine, 0)?;
        let target = core.hart_mut().leave_machine_trap();
        core.return_to(target);
        Ok(())
    })
}

/// Wait for an interrupt. It retires, then the hart waits.
pub fn wfi<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.helper(i, |core, i| {
        require(core, i, Privilege::Supervisor, mstatus::TW)?;
        core.wait_for_interrupt();
        Ok(())
    })
}

/// Orders stores to page tables before the walks that follow: drops translations.
pub fn sfence_vma<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.helper(i, |core, i| {
        require(core, i, Privilege::Supervisor, mstatus::TVM)?;
        let va = (i.rs1 != 0).then(|| VirtAddr(core.hart().x[usize::from(i.rs1)]));
        let asid = (i.rs2 != 0).then(|| core.hart().x[usize::from(i.rs2)]);
        core.fence_translations(va, asid);
        Ok(())
    })
}

/// Drops translations, ordered by the two fences below and not by itself. Since it acts at once it is
/// [`sfence_vma`].
pub fn sinval_vma<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    sfence_vma(e, i)
}

/// Orders stores before the invalidations that follow: nothing to do. TVM does not bind it.
pub fn sfence_w_inval<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.helper(i, |core, i| require(core, i, Privilege::Supervisor, 0))
}

/// Orders invalidations before the walks that follow: nothing to do. TVM does not bind it.
pub fn sfence_inval_ir<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.helper(i, |core, i| require(core, i, Privilege::Supervisor, 0))
}
