//! Zicond: conditional zeroing (unprivileged manual, chapter "Zicond").

use super::engine::Engine;
use isa::insn::Insn;

/// `rd = 0` if `rs2` is zero, else `rs1`.
pub fn czero_eqz<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    let (a, b, zero) = (e.x(i.rs1), e.x(i.rs2), e.imm(0));
    let is_zero = e.eq(b, zero);
    let value = e.select(is_zero, zero, a);
    e.set_x(i.rd, value);
    Ok(())
}

/// `rd = 0` if `rs2` is not zero, else `rs1`.
pub fn czero_nez<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    let (a, b, zero) = (e.x(i.rs1), e.x(i.rs2), e.imm(0));
    let is_zero = e.eq(b, zero);
    let value = e.select(is_zero, a, zero);
    e.set_x(i.rd, value);
    Ok(())
}
