//! Zawrs: waiting on a reservation set (unprivileged manual, chapter "Zawrs").
//!
//! Only another hart can store to it, and a reservation ends with its turn: who holds one gives the rest of the turn
//! away, and the wait is over when the next one comes. On a machine of one hart nothing could end the wait but an
//! interrupt or the timeout, which may come at once.

use super::engine::Engine;
use isa::insn::Insn;

fn wait<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.helper(i, |core, _| {
        if core.hart().reservation.is_some() {
            core.end_turn();
        }
        Ok(())
    })
}

/// Waits until the reservation set may have been stored to.
pub fn wrs_nto<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    wait(e, i)
}

/// The same with a short timeout.
pub fn wrs_sto<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    wait(e, i)
}
