//! Zfa: additional floating-point instructions of every format (unprivileged manual, chapter "Zfa").

use super::engine::Engine;
use super::float::{self, Precision, bodies};
use crate::softfloat::{self as soft, Binary16, Binary32, Binary64, Round};
use isa::insn::Insn;

bodies! { Binary16:
    fli_h = constant;
    fminm_h = choose(float::minimum::<Binary16>);
    fmaxm_h = choose(float::maximum::<Binary16>);
    fround_h = unary(float::round_to_integral::<Binary16>);
    froundnx_h = unary(float::round_to_integral_exact::<Binary16>);
    fleq_h = compare(float::le_quiet::<Binary16>);
    fltq_h = compare(float::lt_quiet::<Binary16>);
}
bodies! { Binary32:
    fli_s = constant;
    fminm_s = choose(float::minimum::<Binary32>);
    fmaxm_s = choose(float::maximum::<Binary32>);
    fround_s = unary(float::round_to_integral::<Binary32>);
    froundnx_s = unary(float::round_to_integral_exact::<Binary32>);
    fleq_s = compare(float::le_quiet::<Binary32>);
    fltq_s = compare(float::lt_quiet::<Binary32>);
}
bodies! { Binary64:
    fli_d = constant;
    fminm_d = choose(float::minimum::<Binary64>);
    fmaxm_d = choose(float::maximum::<Binary64>);
    fround_d = unary(float::round_to_integral::<Binary64>);
    froundnx_d = unary(float::round_to_integral_exact::<Binary64>);
    fleq_d = compare(float::le_quiet::<Binary64>);
    fltq_d = compare(float::lt_quiet::<Binary64>);
}

/// Integer `rd` = the low word of `rs1` as an integer of any size, sign-extended.
pub fn fcvtmod_w_d<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.fp_enabled(i)?;
    let a = Binary64::get(e, i.rs1);
    let rounding = e.rounding_unused();
    let value = e.float(float::to_i32_modular::<Binary64>, [a], rounding);
    e.set_x(i.rd, value);
    Ok(())
}

/// The number of the entry that is the format's least normal number.
const LEAST_NORMAL: u8 = 1;
/// The number of the entry that is the canonical NaN.
const NAN: u8 = 31;

/// The constants that all formats share, as binary64; a format to which one is too large has infinity instead.
const CONSTANTS: [f64; 31] = [
    -1.0,
    0.0,
    1.0 / 65536.0,
    1.0 / 32768.0,
    1.0 / 256.0,
    1.0 / 128.0,
    0.0625,
    0.125,
    0.25,
    0.3125,
    0.375,
    0.4375,
    0.5,
    0.625,
    0.75,
    0.875,
    1.0,
    1.25,
    1.5,
    1.75,
    2.0,
    2.5,
    3.0,
    4.0,
    8.0,
    16.0,
    128.0,
    256.0,
    32768.0,
    65536.0,
    f64::INFINITY,
];

/// The constant of `fli` with this number.
pub(super) fn constant<F: Precision>(number: u8) -> u64 {
    match number {
        LEAST_NORMAL => 1 << F::FRACTION_BITS,
        NAN => F::CANONICAL_NAN,
        _ => {
            let bits = CONSTANTS[usize::from(number % NAN)].to_bits();
            F::to_word(soft::convert::<Binary64, F>(bits, Round::NearestEven).0)
        }
    }
}
