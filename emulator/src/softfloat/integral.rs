//! Rounding to an integral number in the same format, and the modular conversion to an integer (Zfa).

use super::convert::to_i32;
use super::format::Format;
use super::round::{Flags, Round, round_and_pack, shift_right_sticky};
use super::unpack::{Number, Value, Wide, exact_zero, propagate_nan, unpack};

/// `a` rounded to an integral number (`fround`): never inexact.
#[inline]
pub fn round_to_integral<F: Format>(a: F::Bits, mode: Round) -> (F::Bits, Flags) {
    let (integral, flags) = round_to_integral_exact::<F>(a, mode);
    (integral, flags - Flags::INEXACT)
}

/// `a` rounded to an integral number (`froundnx`): inexact if that is another number. Zero keeps the sign of `a`.
#[inline]
pub fn round_to_integral_exact<F: Format>(a: F::Bits, mode: Round) -> (F::Bits, Flags) {
    let number = match unpack::<F>(a) {
        value @ Value::Nan { .. } => return propagate_nan::<F>(&[value]),
        Value::Infinite { .. } | Value::Zero { .. } => return (a, Flags::empty()),
        Value::Finite(number) => number,
    };
    // From 2^63 on a significand of 64 bits has no fraction.
    let Ok(shift) = u32::try_from(63 - number.exponent) else { return (a, Flags::empty()) };
    let Number { sign, significand, .. } = number;
    let fixed = shift_right_sticky(u128::from(significand) << 64, shift);
    let (whole, rest) = (fixed >> 64, fixed & u128::from(u64::MAX));
    let integral = whole + u128::from(mode.rounds_up(sign, whole & 1 != 0, rest, 1 << 63));
    let flags = if rest == 0 { Flags::empty() } else { Flags::INEXACT };
    if integral == 0 {
        return (exact_zero::<F>(sign).0, flags);
    }
    // It has no more bits than `a` had, or is a power of two: nothing is rounded again.
    let (bits, _) = round_and_pack::<F>(Wide { sign, exponent: 127, significand: integral }, mode);
    (bits, flags)
}

/// The low 32 bits of `a` rounded towards zero, as an integer of any size (`fcvtmod`); zero for infinities and NaNs. The
/// flags are those of the conversion that saturates.
#[inline]
#[allow(clippy::cast_possible_truncation)] // the low bits are what is asked for
pub fn to_i32_modular<F: Format>(a: F::Bits) -> (i32, Flags) {
    let (_, flags) = to_i32::<F>(a, Round::TowardsZero);
    let Value::Finite(Number { sign, exponent, significand }) = unpack::<F>(a) else { return (0, flags) };
    // The lowest bit of the significand weighs 2^(exponent - 63).
    let magnitude = match exponent - 63 {
        left @ 0..32 => (significand as u32) << left,
        32.. => 0,
        right => significand.checked_shr(right.unsigned_abs()).unwrap_or(0) as u32,
    };
    let integer = magnitude.cast_signed();
    (if sign { integer.wrapping_neg() } else { integer }, flags)
}
