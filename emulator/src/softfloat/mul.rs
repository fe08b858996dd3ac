//! Multiplication.

use super::format::Format;
use super::round::{Flags, Round, round_and_pack};
use super::unpack::{Number, Value, Wide, exact_infinity, exact_zero, invalid, propagate_nan, unpack};

/// `a * b`.
#[inline]
pub fn mul<F: Format>(a: F::Bits, b: F::Bits, mode: Round) -> (F::Bits, Flags) {
    let (x, y) = (unpack::<F>(a), unpack::<F>(b));
    match (x, y) {
        (Value::Nan { .. }, _) | (_, Value::Nan { .. }) => propagate_nan::<F>(&[x, y]),
        (Value::Infinite { .. }, Value::Zero { .. }) | (Value::Zero { .. }, Value::Infinite { .. }) => {
            invalid::<F>()
        }
        (Value::Infinite { .. }, _) | (_, Value::Infinite { .. }) => {
            exact_infinity::<F>(signs_differ::<F>(a, b))
        }
        (Value::Zero { .. }, _) | (_, Value::Zero { .. }) => exact_zero::<F>(signs_differ::<F>(a, b)),
        (Value::Finite(x), Value::Finite(y)) => round_and_pack::<F>(product(x, y), mode),
    }
}

/// The sign of a product or quotient: whether one of `a` and `b` is negative.
#[inline]
pub(super) fn signs_differ<F: Format>(a: F::Bits, b: F::Bits) -> bool {
    (F::to_word(a) ^ F::to_word(b)) & F::SIGN != 0
}

/// The exact product.
#[inline]
pub(super) fn product(a: Number, b: Number) -> Wide {
    Wide {
        sign: a.sign != b.sign,
        exponent: a.exponent + b.exponent + 1,
        significand: u128::from(a.significand) * u128::from(b.significand),
    }
}
