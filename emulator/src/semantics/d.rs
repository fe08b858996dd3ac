//! D: double-precision floating point (unprivileged manual, chapter "D").
//!
//! The shapes of the instructions are in `float`; here they are given their operations, and what F does not have stands below.

use super::engine::Engine;
use super::float::{self, Sign, bodies};
use crate::softfloat::{Binary32, Binary64};
use isa::insn::Insn;

bodies! { Binary64:
    fld = load;
    fsd = store;
    fmadd_d = fused(float::madd::<Binary64>);
    fmsub_d = fused(float::msub::<Binary64>);
    fnmsub_d = fused(float::nmsub::<Binary64>);
    fnmadd_d = fused(float::nmadd::<Binary64>);
    fadd_d = binary(float::add::<Binary64>);
    fsub_d = binary(float::sub::<Binary64>);
    fmul_d = binary(float::mul::<Binary64>);
    fdiv_d = binary(float::div::<Binary64>);
    fsqrt_d = unary(float::sqrt::<Binary64>);
    fsgnj_d = inject_sign(Sign::Same);
    fsgnjn_d = inject_sign(Sign::Opposite);
    fsgnjx_d = inject_sign(Sign::Product);
    fmin_d = choose(float::min::<Binary64>);
    fmax_d = choose(float::max::<Binary64>);
    fle_d = compare(float::le::<Binary64>);
    flt_d = compare(float::lt::<Binary64>);
    feq_d = compare(float::eq::<Binary64>);
    fclass_d = class;
    fcvt_w_d = to_integer(float::to_i32::<Binary64>);
    fcvt_wu_d = to_integer(float::to_u32::<Binary64>);
    fcvt_l_d = to_integer(float::to_i64::<Binary64>);
    fcvt_lu_d = to_integer(float::to_u64::<Binary64>);
    fcvt_d_w = from_integer(float::from_i32::<Binary64>);
    fcvt_d_wu = from_integer(float::from_u32::<Binary64>);
    fcvt_d_l = from_integer(float::from_i64::<Binary64>);
    fcvt_d_lu = from_integer(float::from_u64::<Binary64>);
}

/// Single-precision `rd` = double-precision `rs1`, rounded.
pub fn fcvt_s_d<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    float::between::<E, Binary64, Binary32>(e, i, float::convert::<Binary64, Binary32>)
}

/// Double-precision `rd` = single-precision `rs1`: exact, yet a reserved rounding mode is illegal.
pub fn fcvt_d_s<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    float::between::<E, Binary32, Binary64>(e, i, float::convert::<Binary32, Binary64>)
}

/// Integer `rd` = the bits of `rs1`.
pub fn fmv_x_d<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.fp_enabled(i)?;
    let bits = e.f(i.rs1);
    e.set_x(i.rd, bits);
    Ok(())
}

/// `rd` = the bits of integer `rs1`.
pub fn fmv_d_x<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.fp_enabled(i)?;
    let bits = e.x(i.rs1);
    e.set_f(i.rd, bits);
    Ok(())
}
