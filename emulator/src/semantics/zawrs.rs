//! Zawrs: waiting on a reservation set (unprivileged manual, chapter "Zawrs").
//!
//! A hart may go on at any time, and these always do at once: a hart's reservation ends with its turn, so the store
//! that it waits for cannot be missed by asking again.

use super::engine::Engine;
use isa::insn::Insn;

/// Waits until the reservation set may have been stored to.
pub fn wrs_nto<E: Engine>(_: &mut E, _: &Insn) -> Result<(), E::Stop> {
    Ok(())
}

/// The same with a short timeout.
pub fn wrs_sto<E: Engine>(_: &mut E, _: &Insn) -> Result<(), E::Stop> {
    Ok(())
}
