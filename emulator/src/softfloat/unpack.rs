//! Operands taken apart, and the wide intermediate form that results are rounded from.

use super::format::Format;
use super::round::Flags;

/// What a bit pattern means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Value {
    Nan { signaling: bool },
    Infinite { sign: bool },
    Zero { sign: bool },
    Finite(Number),
}

/// A finite number that is not zero: `significand / 2^63 * 2^exponent`, bit 63 of the significand set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Number {
    pub sign: bool,
    pub exponent: i32,
    pub significand: u64,
}

/// A number before rounding: `significand / 2^127 * 2^exponent`. The lowest bit may be sticky: it then stands
/// for anything strictly between its neighbours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Wide {
    pub sign: bool,
    pub exponent: i32,
    pub significand: u128,
}

impl Number {
    /// The same number, wide.
    #[inline]
    pub(super) fn widen(self) -> Wide {
        let Number { sign, exponent, significand } = self;
        Wide { sign, exponent, significand: u128::from(significand) << 64 }
    }
}

impl Wide {
    /// The same number with bit 127 of the significand, which must not be zero, set.
    #[inline]
    pub(super) fn normalized(self) -> Wide {
        debug_assert!(self.significand != 0, "zero has no normal form");
        let zeros = self.significand.leading_zeros();
        Wide { exponent: self.exponent - zeros.cast_signed(), significand: self.significand << zeros, ..self }
    }
}

/// Takes a bit pattern apart.
#[inline]
pub(super) fn unpack<F: Format>(bits: F::Bits) -> Value {
    let word = F::to_word(bits);
    let sign = word & F::SIGN != 0;
    let magnitude = word & !F::SIGN;
    let fraction = word & F::FRACTION_MASK;
    if magnitude == 0 {
        Value::Zero { sign }
    } else if magnitude == F::INFINITY {
        Value::Infinite { sign }
    } else if magnitude > F::INFINITY {
        Value::Nan { signaling: fraction & F::QUIET == 0 }
    } else if magnitude == fraction {
        // Subnormal: the top fraction bit would weigh 2^(MIN_EXPONENT - 1) as a hidden bit's neighbour.
        let zeros = fraction.leading_zeros();
        let hidden_place = 63 - F::FRACTION_BITS;
        let exponent = F::MIN_EXPONENT - (zeros - hidden_place).cast_signed();
        Value::Finite(Number { sign, exponent, significand: fraction << zeros })
    } else {
        let significand = 1 << 63 | fraction << (63 - F::FRACTION_BITS);
        Value::Finite(Number { sign, exponent: unbiased::<F>(magnitude), significand })
    }
}

#[inline]
#[allow(clippy::cast_possible_truncation)] // an exponent field has at most 11 bits
fn unbiased<F: Format>(magnitude: u64) -> i32 {
    (magnitude >> F::FRACTION_BITS) as i32 - F::MAX_EXPONENT
}

/// The canonical NaN; invalid if an operand was a signaling NaN.
#[inline]
pub(super) fn propagate_nan<F: Format>(operands: &[Value]) -> (F::Bits, Flags) {
    let signaling = operands.iter().any(|v| matches!(v, Value::Nan { signaling: true }));
    (F::from_word(F::CANONICAL_NAN), if signaling { Flags::INVALID } else { Flags::empty() })
}

/// The canonical NaN as the result of an operation that has none.
#[inline]
pub(super) fn invalid<F: Format>() -> (F::Bits, Flags) {
    (F::from_word(F::CANONICAL_NAN), Flags::INVALID)
}

/// A zero, exactly.
#[inline]
pub(super) fn exact_zero<F: Format>(sign: bool) -> (F::Bits, Flags) {
    (F::from_word(if sign { F::SIGN } else { 0 }), Flags::empty())
}

/// An infinity, exactly.
#[inline]
pub(super) fn exact_infinity<F: Format>(sign: bool) -> (F::Bits, Flags) {
    (F::from_word(F::INFINITY | if sign { F::SIGN } else { 0 }), Flags::empty())
}
