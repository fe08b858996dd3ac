//! Addition and subtraction.

use super::compare::negate;
use super::format::Format;
use super::round::{Flags, Round, round_and_pack, shift_right_sticky};
use super::unpack::{Value, Wide, exact_infinity, exact_zero, invalid, propagate_nan, unpack};

/// `a + b`.
#[inline]
pub fn add<F: Format>(a: F::Bits, b: F::Bits, mode: Round) -> (F::Bits, Flags) {
    let (x, y) = (unpack::<F>(a), unpack::<F>(b));
    match (x, y) {
        (Value::Nan { .. }, _) | (_, Value::Nan { .. }) => propagate_nan::<F>(&[x, y]),
        (Value::Infinite { sign }, Value::Infinite { sign: other }) if sign != other => invalid::<F>(),
        (Value::Infinite { sign }, _) | (_, Value::Infinite { sign }) => exact_infinity::<F>(sign),
        (Value::Zero { sign }, Value::Zero { sign: other }) => {
            exact_zero::<F>(sign_of_zero_sum(sign, other, mode))
        }
        (Value::Zero { .. }, Value::Finite(_)) => (b, Flags::empty()),
        (Value::Finite(_), Value::Zero { .. }) => (a, Flags::empty()),
        (Value::Finite(x), Value::Finite(y)) => sum::<F>(x.widen(), y.widen(), mode),
    }
}

/// `a - b`.
#[inline]
pub fn sub<F: Format>(a: F::Bits, b: F::Bits, mode: Round) -> (F::Bits, Flags) {
    add::<F>(a, negate::<F>(b), mode)
}

/// The sign of a sum of two zeros, or of two numbers that cancel (then the signs differ).
#[inline]
pub(super) fn sign_of_zero_sum(a: bool, b: bool, mode: Round) -> bool {
    if a == b { a } else { mode == Round::Down }
}

/// The sum of two normalised numbers whose significands have at most 126 bits that are not zero.
///
/// 128 bits suffice: bits are lost only from an operand that lies far beneath the other one, where at most one
/// leading bit can cancel, so the sticky bit stays far below the place of rounding.
#[inline]
pub(super) fn sum<F: Format>(a: Wide, b: Wide, mode: Round) -> (F::Bits, Flags) {
    let (large, small) =
        if (a.exponent, a.significand) >= (b.exponent, b.significand) { (a, b) } else { (b, a) };
    let distance = large.exponent.abs_diff(small.exponent);
    // One place of headroom for the carry.
    let upper = large.significand >> 1;
    let lower = shift_right_sticky(small.significand >> 1, distance);
    let significand = if large.sign == small.sign { upper + lower } else { upper - lower };
    if significand == 0 {
        return exact_zero::<F>(sign_of_zero_sum(a.sign, b.sign, mode));
    }
    round_and_pack::<F>(Wide { sign: large.sign, exponent: large.exponent + 1, significand }, mode)
}
