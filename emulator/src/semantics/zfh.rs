//! Zfhmin and Zfh: half-precision floating point (unprivileged manual, chapter "Zfh").
//!
//! The shapes of the instructions are in `float`; a result in a register is NaN-boxed there, and an operand that is not
//! boxed counts as the canonical NaN.

use super::engine::{Engine, Width};
use super::float::{self, Precision, Sign, bodies};
use crate::softfloat::{Binary16, Binary32, Binary64};
use isa::insn::Insn;

bodies! { Binary16:
    flh = load;
    fsh = store;
    fmadd_h = fused(float::madd::<Binary16>);
    fmsub_h = fused(float::msub::<Binary16>);
    fnmsub_h = fused(float::nmsub::<Binary16>);
    fnmadd_h = fused(float::nmadd::<Binary16>);
    fadd_h = binary(float::add::<Binary16>);
    fsub_h = binary(float::sub::<Binary16>);
    fmul_h = binary(float::mul::<Binary16>);
    fdiv_h = binary(float::div::<Binary16>);
    fsqrt_h = unary(float::sqrt::<Binary16>);
    fsgnj_h = inject_sign(Sign::Same);
    fsgnjn_h = inject_sign(Sign::Opposite);
    fsgnjx_h = inject_sign(Sign::Product);
    fmin_h = choose(float::min::<Binary16>);
    fmax_h = choose(float::max::<Binary16>);
    fle_h = compare(float::le::<Binary16>);
    flt_h = compare(float::lt::<Binary16>);
    feq_h = compare(float::eq::<Binary16>);
    fclass_h = class;
    fcvt_w_h = to_integer(float::to_i32::<Binary16>);
    fcvt_wu_h = to_integer(float::to_u32::<Binary16>);
    fcvt_l_h = to_integer(float::to_i64::<Binary16>);
    fcvt_lu_h = to_integer(float::to_u64::<Binary16>);
    fcvt_h_w = from_integer(float::from_i32::<Binary16>);
    fcvt_h_wu = from_integer(float::from_u32::<Binary16>);
    fcvt_h_l = from_integer(float::from_i64::<Binary16>);
    fcvt_h_lu = from_integer(float::from_u64::<Binary16>);
}

macro_rules! conversions {
    ($($name:ident $from:ident $to:ident;)*) => {$(
        #[doc = concat!("`rd` as ", stringify!($to), " = `rs1` as ", stringify!($from), ", rounded where that is needed.")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            float::between::<E, $from, $to>(e, i, float::convert::<$from, $to>)
        }
    )*};
}
conversions! {
    fcvt_h_s Binary32 Binary16; fcvt_h_d Binary64 Binary16;
    fcvt_s_h Binary16 Binary32; fcvt_d_h Binary16 Binary64;
}

/// Integer `rd` = the low 16 bits of `rs1`, sign-extended, boxed or not.
pub fn fmv_x_h<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.fp_enabled(i)?;
    let bits = e.f(i.rs1);
    let value = e.sext(bits, Width::Half);
    e.set_x(i.rd, value);
    Ok(())
}

/// `rd` = the low 16 bits of integer `rs1`.
pub fn fmv_h_x<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.fp_enabled(i)?;
    let bits = e.x(i.rs1);
    Binary16::set(e, i.rd, bits);
    Ok(())
}
