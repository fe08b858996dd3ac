//! Square root.

use super::format::Format;
use super::round::{Flags, Round, round_and_pack};
use super::unpack::{Number, Value, Wide, exact_infinity, exact_zero, invalid, propagate_nan, unpack};

/// The square root of `a`; of minus zero it is minus zero.
#[inline]
pub fn sqrt<F: Format>(a: F::Bits, mode: Round) -> (F::Bits, Flags) {
    let value = unpack::<F>(a);
    match value {
        Value::Nan { .. } => propagate_nan::<F>(&[value]),
        Value::Zero { sign } => exact_zero::<F>(sign),
        Value::Infinite { sign: true } | Value::Finite(Number { sign: true, .. }) => invalid::<F>(),
        Value::Infinite { sign: false } => exact_infinity::<F>(false),
        Value::Finite(number) => round_and_pack::<F>(root(number), mode),
    }
}

/// The root of a positive number in 64 bits, and a sticky one.
#[inline]
fn root(number: Number) -> Wide {
    // The exponent is made even by moving its odd unit into the radicand, which then lies in [2^126, 2^128).
    let odd = number.exponent.rem_euclid(2).unsigned_abs();
    let radicand = u128::from(number.significand) << (63 + odd);
    let root = radicand.isqrt();
    Wide {
        sign: false,
        exponent: number.exponent.div_euclid(2),
        significand: root << 64 | u128::from(root * root != radicand),
    }
}
