//! Conversion between formats, and to and from integers.

use super::format::Format;
use super::round::{Flags, Round, round_and_pack, shift_right_sticky};
use super::unpack::{Value, Wide, exact_infinity, exact_zero, propagate_nan, unpack};

/// The number `a` of format `From` in format `To`.
#[inline]
pub fn convert<From: Format, To: Format>(a: From::Bits, mode: Round) -> (To::Bits, Flags) {
    let value = unpack::<From>(a);
    match value {
        Value::Nan { .. } => propagate_nan::<To>(&[value]),
        Value::Infinite { sign } => exact_infinity::<To>(sign),
        Value::Zero { sign } => exact_zero::<To>(sign),
        Value::Finite(number) => round_and_pack::<To>(number.widen(), mode),
    }
}

macro_rules! integers {
    ($($(#[$doc:meta])* $to:ident, $from:ident: $int:ty;)*) => {$(
        #[doc = concat!("`a` as an `", stringify!($int), "`, saturating; invalid if it does not fit (a NaN counts as too large).")]
        #[inline]
        #[allow(clippy::cast_possible_truncation)] // clamped to the type's range
        pub fn $to<F: Format>(a: F::Bits, mode: Round) -> ($int, Flags) {
            let (integer, flags) = to_integer::<F>(a, mode, i128::from(<$int>::MIN), i128::from(<$int>::MAX));
            (integer as $int, flags)
        }
        #[doc = concat!("The `", stringify!($int), "` `integer` as a floating-point number.")]
        #[inline]
        pub fn $from<F: Format>(integer: $int, mode: Round) -> (F::Bits, Flags) {
            from_integer::<F>(i128::from(integer), mode)
        }
    )*};
}

integers! {
    to_i32, from_i32: i32;
    to_u32, from_u32: u32;
    to_i64, from_i64: i64;
    to_u64, from_u64: u64;
}

#[inline]
fn to_integer<F: Format>(a: F::Bits, mode: Round, min: i128, max: i128) -> (i128, Flags) {
    let number = match unpack::<F>(a) {
        Value::Nan { .. } | Value::Infinite { sign: false } => return (max, Flags::INVALID),
        Value::Infinite { sign: true } => return (min, Flags::INVALID),
        Value::Zero { .. } => return (0, Flags::empty()),
        Value::Finite(number) => number,
    };
    // 64 bits of fraction below the integer. From 2^64 on, every type's range is left.
    let (integer, inexact) = match u32::try_from(63 - number.exponent) {
        Ok(shift) => {
            let fixed = shift_right_sticky(u128::from(number.significand) << 64, shift);
            let (whole, rest) = ((fixed >> 64).cast_signed(), fixed & u128::from(u64::MAX));
            let up = mode.rounds_up(number.sign, whole & 1 != 0, rest, 1 << 63);
            (whole + i128::from(up), rest != 0)
        }
        Err(_) => (i128::MAX, false),
    };
    let integer = if number.sign { -integer } else { integer };
    if (min..=max).contains(&integer) {
        (integer, if inexact { Flags::INEXACT } else { Flags::empty() })
    } else {
        (integer.clamp(min, max), Flags::INVALID)
    }
}

#[inline]
fn from_integer<F: Format>(integer: i128, mode: Round) -> (F::Bits, Flags) {
    if integer == 0 {
        return exact_zero::<F>(false);
    }
    round_and_pack::<F>(Wide { sign: integer < 0, exponent: 127, significand: integer.unsigned_abs() }, mode)
}
