//! Division.

use super::format::Format;
use super::mul::signs_differ;
use super::round::{Flags, Round, round_and_pack};
use super::unpack::{Number, Value, Wide, exact_infinity, exact_zero, invalid, propagate_nan, unpack};

/// `a / b`.
#[inline]
pub fn div<F: Format>(a: F::Bits, b: F::Bits, mode: Round) -> (F::Bits, Flags) {
    let (x, y) = (unpack::<F>(a), unpack::<F>(b));
    let sign = signs_differ::<F>(a, b);
    match (x, y) {
        (Value::Nan { .. }, _) | (_, Value::Nan { .. }) => propagate_nan::<F>(&[x, y]),
        (Value::Infinite { .. }, Value::Infinite { .. }) | (Value::Zero { .. }, Value::Zero { .. }) => {
            invalid::<F>()
        }
        (Value::Infinite { .. }, _) => exact_infinity::<F>(sign),
        (Value::Finite(_), Value::Zero { .. }) => (exact_infinity::<F>(sign).0, Flags::DIVIDE_BY_ZERO),
        (Value::Zero { .. }, _) | (_, Value::Infinite { .. }) => exact_zero::<F>(sign),
        (Value::Finite(x), Value::Finite(y)) => round_and_pack::<F>(quotient(x, y), mode),
    }
}

/// The quotient in at least 63 bits, and a sticky one.
#[inline]
fn quotient(a: Number, b: Number) -> Wide {
    let (dividend, divisor) = (u128::from(a.significand) << 63, u128::from(b.significand));
    let (quotient, rest) = (dividend / divisor, dividend % divisor);
    Wide {
        sign: a.sign != b.sign,
        exponent: a.exponent - b.exponent,
        significand: quotient << 64 | u128::from(rest != 0),
    }
}
