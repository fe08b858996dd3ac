//! Comparison, minimum and maximum, sign injection, classification.

use super::format::Format;
use super::round::Flags;
use super::unpack::{Value, propagate_nan, unpack};

/// `a == b` (`feq`): quiet, invalid only for a signaling NaN; false if either is a NaN.
#[inline]
pub fn eq<F: Format>(a: F::Bits, b: F::Bits) -> (bool, Flags) {
    match key_pair::<F>(a, b) {
        Some((x, y)) => (x == y, Flags::empty()),
        None => (false, signaling_flag::<F>(a, b)),
    }
}

/// `a < b` (`flt`): signaling, invalid for any NaN.
#[inline]
pub fn lt<F: Format>(a: F::Bits, b: F::Bits) -> (bool, Flags) {
    key_pair::<F>(a, b).map_or((false, Flags::INVALID), |(x, y)| (x < y, Flags::empty()))
}

/// `a <= b` (`fle`): signaling, invalid for any NaN.
#[inline]
pub fn le<F: Format>(a: F::Bits, b: F::Bits) -> (bool, Flags) {
    key_pair::<F>(a, b).map_or((false, Flags::INVALID), |(x, y)| (x <= y, Flags::empty()))
}

/// `a < b` (`fltq`): quiet, invalid only for a signaling NaN; false if either is a NaN.
#[inline]
pub fn lt_quiet<F: Format>(a: F::Bits, b: F::Bits) -> (bool, Flags) {
    match key_pair::<F>(a, b) {
        Some((x, y)) => (x < y, Flags::empty()),
        None => (false, signaling_flag::<F>(a, b)),
    }
}

/// `a <= b` (`fleq`): quiet, invalid only for a signaling NaN; false if either is a NaN.
#[inline]
pub fn le_quiet<F: Format>(a: F::Bits, b: F::Bits) -> (bool, Flags) {
    match key_pair::<F>(a, b) {
        Some((x, y)) => (x <= y, Flags::empty()),
        None => (false, signaling_flag::<F>(a, b)),
    }
}

/// The smaller number (`fminm`): as [`min`], but the canonical NaN if either is a NaN.
#[inline]
pub fn minimum<F: Format>(a: F::Bits, b: F::Bits) -> (F::Bits, Flags) {
    if key_pair::<F>(a, b).is_some() { min::<F>(a, b) } else { nan_of::<F>(a, b) }
}

/// The larger number (`fmaxm`): as [`max`], but the canonical NaN if either is a NaN.
#[inline]
pub fn maximum<F: Format>(a: F::Bits, b: F::Bits) -> (F::Bits, Flags) {
    if key_pair::<F>(a, b).is_some() { max::<F>(a, b) } else { nan_of::<F>(a, b) }
}

fn nan_of<F: Format>(a: F::Bits, b: F::Bits) -> (F::Bits, Flags) {
    propagate_nan::<F>(&[unpack::<F>(a), unpack::<F>(b)])
}

/// The smaller number (`fmin`): minus zero is smaller than zero, a NaN loses against a number.
#[inline]
pub fn min<F: Format>(a: F::Bits, b: F::Bits) -> (F::Bits, Flags) {
    choose::<F>(a, b, |x, y| x < y)
}

/// The larger number (`fmax`): zero is larger than minus zero, a NaN loses against a number.
#[inline]
pub fn max<F: Format>(a: F::Bits, b: F::Bits) -> (F::Bits, Flags) {
    choose::<F>(a, b, |x, y| x > y)
}

/// The magnitude of `a` with the sign of `b` (`fsgnj`).
#[inline]
pub fn copy_sign<F: Format>(a: F::Bits, b: F::Bits) -> F::Bits {
    F::from_word(F::to_word(a) & !F::SIGN | F::to_word(b) & F::SIGN)
}

/// The magnitude of `a` with the opposite of the sign of `b` (`fsgnjn`).
#[inline]
pub fn copy_sign_negated<F: Format>(a: F::Bits, b: F::Bits) -> F::Bits {
    copy_sign::<F>(a, negate::<F>(b))
}

/// `a`, negated if `b` is negative (`fsgnjx`).
#[inline]
pub fn copy_sign_xor<F: Format>(a: F::Bits, b: F::Bits) -> F::Bits {
    F::from_word(F::to_word(a) ^ F::to_word(b) & F::SIGN)
}

/// The ten-bit class mask of `fclass`: bit 0 is minus infinity, then negative normal, negative subnormal, minus
/// zero, the same four upwards for the other sign, signaling NaN, quiet NaN.
#[inline]
pub fn classify<F: Format>(a: F::Bits) -> u64 {
    let word = F::to_word(a);
    let subnormal = word & F::INFINITY == 0;
    let (negative, positive) = match unpack::<F>(a) {
        Value::Nan { signaling } => return if signaling { 1 << 8 } else { 1 << 9 },
        Value::Infinite { .. } => (0, 7),
        Value::Finite(_) if !subnormal => (1, 6),
        Value::Finite(_) => (2, 5),
        Value::Zero { .. } => (3, 4),
    };
    1 << if word & F::SIGN != 0 { negative } else { positive }
}

/// The pattern with its sign bit inverted.
#[inline]
pub(super) fn negate<F: Format>(a: F::Bits) -> F::Bits {
    F::from_word(F::to_word(a) ^ F::SIGN)
}

/// Both operands as integers that are ordered as the numbers are (the zeros equal), or `None` if one is a NaN.
#[inline]
fn key_pair<F: Format>(a: F::Bits, b: F::Bits) -> Option<(i64, i64)> {
    Some((key::<F>(a)?, key::<F>(b)?))
}

#[inline]
fn key<F: Format>(a: F::Bits) -> Option<i64> {
    let word = F::to_word(a);
    let magnitude = (word & !F::SIGN).cast_signed();
    (magnitude <= F::INFINITY.cast_signed()).then_some(if word & F::SIGN != 0 {
        -magnitude
    } else {
        magnitude
    })
}

#[inline]
fn signaling_flag<F: Format>(a: F::Bits, b: F::Bits) -> Flags {
    propagate_nan::<F>(&[unpack::<F>(a), unpack::<F>(b)]).1
}

#[inline]
fn choose<F: Format>(a: F::Bits, b: F::Bits, first: fn(i64, i64) -> bool) -> (F::Bits, Flags) {
    match (key::<F>(a), key::<F>(b)) {
        (Some(x), Some(y)) => {
            // Zeros of two signs have equal keys: their patterns' signs decide.
            let (x, y) = if x == y {
                let negative = |bits| -i64::from(F::to_word(bits) & F::SIGN != 0);
                (negative(a), negative(b))
            } else {
                (x, y)
            };
            (if first(x, y) { a } else { b }, Flags::empty())
        }
        (Some(_), None) => (a, signaling_flag::<F>(a, b)),
        (None, Some(_)) => (b, signaling_flag::<F>(a, b)),
        (None, None) => (F::from_word(F::CANONICAL_NAN), signaling_flag::<F>(a, b)),
    }
}
