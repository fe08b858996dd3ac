//! Zawrs: waiting on a reservation set (unprivileged manual, chapter "Zawrs").
//!
//! Only another hart can store to it, and a reservation ends with its turn: who holds one gives the rest of the turn
//! away, and the wait is over when the next one comes. On a machine of one hart nothing could end the wait but an
//! interrupt or the timeout, which may come at once.

use super::engine::{Engine, Surroundings};
use isa::csr::mstatus;
use isa::insn::Insn;
use isa::{Privilege, Trap};

fn wait(core: &mut dyn Surroundings) {
    if core.hart().reservation.is_some() {
        core.end_turn();
    }
}

/// Waits until the reservation set may have been stored to.
pub fn wrs_nto<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.helper(i, |core, i| {
        let hart = core.hart();
        // With TW the time that it may wait is none, as in Spike.
        if hart.privilege < Privilege::Machine && hart.csr.mstatus & mstatus::TW != 0 {
            return Err(Trap::illegal(i.bits));
        }
        wait(core);
        Ok(())
    })
}

/// The same with a short timeout.
pub fn wrs_sto<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.helper(i, |core, _| {
        wait(core);
        Ok(())
    })
}
