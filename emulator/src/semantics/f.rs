//! F: single-precision floating point (unprivileged manual, chapter "F").
//!
//! The shapes of the instructions are in `float`; a result in a register is NaN-boxed there, and an operand that is not boxed counts as the canonical NaN.

use super::engine::{Engine, Width};
use super::float::{self, Sign, bodies};
use crate::softfloat::Binary32;
use isa::insn::Insn;

bodies! { Binary32:
    flw = load;
    fsw = store;
    fmadd_s = fused(float::madd::<Binary32>);
    fmsub_s = fused(float::msub::<Binary32>);
    fnmsub_s = fused(float::nmsub::<Binary32>);
    fnmadd_s = fused(float::nmadd::<Binary32>);
    fadd_s = binary(float::add::<Binary32>);
    fsub_s = binary(float::sub::<Binary32>);
    fmul_s = binary(float::mul::<Binary32>);
    fdiv_s = binary(float::div::<Binary32>);
    fsqrt_s = unary(float::sqrt::<Binary32>);
    fsgnj_s = inject_sign(Sign::Same);
    fsgnjn_s = inject_sign(Sign::Opposite);
    fsgnjx_s = inject_sign(Sign::Product);
    fmin_s = choose(float::min::<Binary32>);
    fmax_s = choose(float::max::<Binary32>);
    fle_s = compare(float::le::<Binary32>);
    flt_s = compare(float::lt::<Binary32>);
    feq_s = compare(float::eq::<Binary32>);
    fclass_s = class;
    fcvt_w_s = to_integer(float::to_i32::<Binary32>);
    fcvt_wu_s = to_integer(float::to_u32::<Binary32>);
    fcvt_l_s = to_integer(float::to_i64::<Binary32>);
    fcvt_lu_s = to_integer(float::to_u64::<Binary32>);
    fcvt_s_w = from_integer(float::from_i32::<Binary32>);
    fcvt_s_wu = from_integer(float::from_u32::<Binary32>);
    fcvt_s_l = from_integer(float::from_i64::<Binary32>);
    fcvt_s_lu = from_integer(float::from_u64::<Binary32>);
}

/// Integer `rd` = the low 32 bits of `rs1`, sign-extended, boxed or not.
pub fn fmv_x_w<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.fp_enabled(i)?;
    let bits = e.f(i.rs1);
    let value = e.sext(bits, Width::Word);
    e.set_x(i.rd, value);
    Ok(())
}

/// `rd` = the low 32 bits of integer `rs1`.
pub fn fmv_w_x<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.fp_enabled(i)?;
    let bits = e.x(i.rs1);
    e.set_f32(i.rd, bits);
    Ok(())
}
