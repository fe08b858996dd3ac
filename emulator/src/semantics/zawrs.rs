//! Zawrs: waiting on a reservation set (unprivileged manual, chapter "Zawrs").
//!
//! A hart may go on at any time, and these always do at once: a hart's reservation ends with its turn, so the store
//! that it waits for cannot be missed by asking again.

use super::engine::Engine;
use isa::csr::mstatus;
use isa::insn::Insn;
use isa::{Privilege, Trap};

/// Waits until the reservation set may have been stored to.
pub fn wrs_nto<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.helper(i, |core, i| {
        let hart = core.hart();
        // With TW the time that it may wait is none, as in Spike.
        let trapped = hart.privilege < Privilege::Machine && hart.csr.mstatus & mstatus::TW != 0;
        if trapped { Err(Trap::illegal(i.bits)) } else { Ok(()) }
    })
}

/// The same with a short timeout.
pub fn wrs_sto<E: Engine>(_: &mut E, _: &Insn) -> Result<(), E::Stop> {
    Ok(())
}
