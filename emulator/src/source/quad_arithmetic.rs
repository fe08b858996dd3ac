//! Arithmetic of RISC-V's `long double`, which is IEEE 754's binary128: rounded once, to the nearest, of two as near ones to the even
//! one. What arithmetic raises beside its result nobody asks for here.

use std::cmp::Ordering;

/// A floating-point format of IEEE 754.
#[derive(Clone, Copy)]
struct Format {
    fraction_bits: u32,
    exponent_bits: u32,
}

const SINGLE: Format = Format { fraction_bits: 23, exponent_bits: 8 };
const DOUBLE: Format = Format { fraction_bits: 52, exponent_bits: 11 };
const QUAD: Format = Format { fraction_bits: 112, exponent_bits: 15 };

/// A binary128, by its bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Quad(pub(super) u128);

/// What bits mean: of a number `significand` times two to the power of `exponent`.
#[derive(Clone, Copy)]
enum Parts {
    NotANumber,
    Infinite { is_negative: bool },
    Finite { is_negative: bool, exponent: i32, significand: u128 },
}

impl Format {
    fn bias(self) -> i32 {
        (1 << (self.exponent_bits - 1)) - 1
    }
    fn infinity(self) -> u128 {
        ((1 << self.exponent_bits) - 1) << self.fraction_bits
    }
    fn signed(self, is_negative: bool, magnitude: u128) -> u128 {
        u128::from(is_negative) << (self.fraction_bits + self.exponent_bits) | magnitude
    }

    fn parts(self, bits: u128) -> Parts {
        let is_negative = bits >> (self.fraction_bits + self.exponent_bits) & 1 == 1;
        let fraction = bits & ((1 << self.fraction_bits) - 1);
        let field = i32::try_from(bits >> self.fraction_bits & ((1 << self.exponent_bits) - 1)).unwrap_or(0);
        if field == (1 << self.exponent_bits) - 1 {
            return if fraction == 0 { Parts::Infinite { is_negative } } else { Parts::NotANumber };
        }
        // What has no hidden bit is as large as the smallest that has one.
        let hidden = if field == 0 { 0 } else { 1 << self.fraction_bits };
        let exponent = field.max(1) - self.bias() - self.fraction_bits.cast_signed();
        Parts::Finite { is_negative, exponent, significand: fraction | hidden }
    }

    /// The nearest number to `significand` times two to the power of `exponent`; the lowest bit may stand for anything that is less.
    fn rounded(self, is_negative: bool, exponent: i32, significand: u128) -> u128 {
        if significand == 0 {
            return self.signed(is_negative, 0);
        }
        let zeros = significand.leading_zeros();
        let (significand, exponent) = (significand << zeros, exponent.saturating_sub(zeros.cast_signed()));
        // That of the highest bit, counted from that of the smallest number with a hidden bit.
        let above_smallest = exponent.saturating_add(127 + self.bias() - 1);
        let lost = (127 - self.fraction_bits).saturating_add(above_smallest.min(0).unsigned_abs());
        let kept = significand.checked_shr(lost).unwrap_or(0);
        let rest = if lost > 127 { significand } else { significand & ((1 << lost) - 1) };
        let half = 1u128.checked_shl(lost.saturating_sub(1)).unwrap_or(u128::MAX);
        let rounds_up = lost <= 128 && (rest > half || rest == half && kept & 1 == 1);
        // The hidden bit adds one to the exponent, and so does what is carried out of the fraction.
        let field = above_smallest.max(0).cast_unsigned();
        if field >= 1 << self.exponent_bits {
            return self.signed(is_negative, self.infinity());
        }
        let magnitude = (u128::from(field) << self.fraction_bits) + kept + u128::from(rounds_up);
        self.signed(is_negative, magnitude.min(self.infinity()))
    }

    /// The number of this format nearest to one of another.
    fn of(self, parts: Parts) -> u128 {
        match parts {
            Parts::NotANumber => self.infinity() | 1 << (self.fraction_bits - 1),
            Parts::Infinite { is_negative } => self.signed(is_negative, self.infinity()),
            Parts::Finite { is_negative, exponent, significand } => {
                self.rounded(is_negative, exponent, significand)
            }
        }
    }
}

/// The product of two numbers, high half and low half.
fn product(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a1, a0, b1, b0) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let (low, middle, other, high) = (a0 * b0, a1 * b0, a0 * b1, a1 * b1);
    let carried = (low >> 64) + (middle & LOW) + (other & LOW);
    (high + (middle >> 64) + (other >> 64) + (carried >> 64), carried << 64 | low & LOW)
}

impl Quad {
    const NAN: Self = Self(0x7fff_8000 << 96);

    pub(super) fn of_integer(value: i128) -> Self {
        Self(QUAD.rounded(value < 0, 0, value.unsigned_abs()))
    }

    pub(super) fn of_double(value: f64) -> Self {
        Self(QUAD.of(DOUBLE.parts(value.to_bits().into())))
    }

    /// `digits` times ten to the power of `exponent`; `None` where that might be rounded twice.
    pub(super) fn of_decimal(digits: u128, exponent: i32) -> Option<Self> {
        // Five to that power fits into a significand.
        const EXACT: u32 = 48;
        if digits >> 113 != 0 || exponent.unsigned_abs() > EXACT {
            return None;
        }
        let power = 5u128.pow(exponent.unsigned_abs());
        let power = Self(QUAD.rounded(false, exponent.abs(), power));
        let digits = Self(QUAD.rounded(false, 0, digits));
        Some(if exponent < 0 { digits.divided_by(power) } else { digits.times(power) })
    }

    pub(super) fn to_double(self) -> f64 {
        f64::from_bits(u64::try_from(DOUBLE.of(QUAD.parts(self.0))).unwrap_or(0))
    }

    pub(super) fn to_single(self) -> f32 {
        f32::from_bits(u32::try_from(SINGLE.of(QUAD.parts(self.0))).unwrap_or(0))
    }

    /// Its whole part; of what is larger than any the largest.
    pub(super) fn to_integer(self) -> i128 {
        let (is_negative, exponent, significand) = match QUAD.parts(self.0) {
            Parts::NotANumber => return 0,
            Parts::Infinite { is_negative } => (is_negative, i32::MAX, 1),
            Parts::Finite { is_negative, exponent, significand } => (is_negative, exponent, significand),
        };
        let by = exponent.unsigned_abs();
        let magnitude = if exponent < 0 {
            significand.checked_shr(by).unwrap_or(0)
        } else if by <= significand.leading_zeros() {
            significand.checked_shl(by).unwrap_or(0)
        } else {
            u128::MAX
        };
        let whole = i128::try_from(magnitude).unwrap_or(i128::MAX);
        if is_negative { -whole } else { whole }
    }

    pub(super) fn is_zero(self) -> bool {
        self.0 << 1 == 0
    }

    fn is_negative(self) -> bool {
        self.0 >> 127 == 1
    }

    pub(super) fn negated(self) -> Self {
        Self(self.0 ^ 1 << 127)
    }

    pub(super) fn plus(self, other: Self) -> Self {
        let (a, b) = match (QUAD.parts(self.0), QUAD.parts(other.0)) {
            (Parts::NotANumber, _) | (_, Parts::NotANumber) => return Self::NAN,
            (Parts::Infinite { is_negative: a }, Parts::Infinite { is_negative: b }) if a != b => {
                return Self::NAN;
            }
            (Parts::Infinite { .. }, _) => return self,
            (_, Parts::Infinite { .. }) => return other,
            (
                Parts::Finite { is_negative: a, exponent: of_a, significand: bits_a },
                Parts::Finite { is_negative: b, exponent: of_b, significand: bits_b },
            ) => ((of_a, bits_a, a), (of_b, bits_b, b)),
        };
        let (large, small) = if (a.0, a.1) >= (b.0, b.1) { (a, b) } else { (b, a) };
        // Room for a carry above, and below for what decides how it is rounded: where bits are lost at most one is cancelled.
        let (upper, lower) = (large.1 << 14, small.1 << 14);
        let distance = (large.0 - small.0).unsigned_abs();
        let cut = lower.checked_shr(distance).unwrap_or(0);
        let is_cut = lower != 0 && cut.checked_shl(distance).unwrap_or(0) != lower;
        let lower = cut | u128::from(is_cut);
        if large.2 == small.2 {
            return Self(QUAD.rounded(large.2, large.0 - 14, upper + lower));
        }
        // The larger of two numbers with one exponent may be any of the two.
        let (is_negative, difference) =
            if upper >= lower { (large.2, upper - lower) } else { (small.2, lower - upper) };
        Self(QUAD.rounded(is_negative && difference != 0, large.0 - 14, difference))
    }

    pub(super) fn minus(self, other: Self) -> Self {
        self.plus(other.negated())
    }

    pub(super) fn times(self, other: Self) -> Self {
        let is_negative = self.is_negative() != other.is_negative();
        match (QUAD.parts(self.0), QUAD.parts(other.0)) {
            (Parts::NotANumber, _) | (_, Parts::NotANumber) => Self::NAN,
            (Parts::Infinite { .. }, _) if other.is_zero() => Self::NAN,
            (_, Parts::Infinite { .. }) if self.is_zero() => Self::NAN,
            (Parts::Infinite { .. }, _) | (_, Parts::Infinite { .. }) => {
                Self(QUAD.signed(is_negative, QUAD.infinity()))
            }
            (
                Parts::Finite { exponent: a, significand: bits_a, .. },
                Parts::Finite { exponent: b, significand: bits_b, .. },
            ) => {
                let (zeros_a, zeros_b) = (bits_a.leading_zeros() & 127, bits_b.leading_zeros() & 127);
                let (high, low) = product(bits_a << zeros_a, bits_b << zeros_b);
                let exponent = a + b + 128 - zeros_a.cast_signed() - zeros_b.cast_signed();
                Self(QUAD.rounded(is_negative, exponent, high | u128::from(low != 0)))
            }
        }
    }

    pub(super) fn divided_by(self, other: Self) -> Self {
        /// Bits of a quotient, enough to round it.
        const BITS: u32 = 120;
        let is_negative = self.is_negative() != other.is_negative();
        match (QUAD.parts(self.0), QUAD.parts(other.0)) {
            (Parts::NotANumber, _) | (_, Parts::NotANumber) => Self::NAN,
            (Parts::Infinite { .. }, Parts::Infinite { .. }) => Self::NAN,
            _ if self.is_zero() && other.is_zero() => Self::NAN,
            (Parts::Infinite { .. }, _) => Self(QUAD.signed(is_negative, QUAD.infinity())),
            _ if other.is_zero() => Self(QUAD.signed(is_negative, QUAD.infinity())),
            (_, Parts::Infinite { .. }) => Self(QUAD.signed(is_negative, 0)),
            (Parts::Finite { significand: 0, .. }, _) => Self(QUAD.signed(is_negative, 0)),
            (
                Parts::Finite { exponent: a, significand: bits_a, .. },
                Parts::Finite { exponent: b, significand: bits_b, .. },
            ) => {
                let (zeros_a, zeros_b) = (bits_a.leading_zeros(), bits_b.leading_zeros());
                let (mut rest, by) = (bits_a << zeros_a, bits_b << zeros_b);
                let (mut quotient, mut is_carried) = (0u128, false);
                for _ in 0..BITS {
                    quotient <<= 1;
                    if is_carried || rest >= by {
                        rest = rest.wrapping_sub(by);
                        quotient |= 1;
                    }
                    is_carried = rest >> 127 == 1;
                    rest <<= 1;
                }
                let quotient = quotient << 1 | u128::from(is_carried || rest != 0);
                let exponent = (a - zeros_a.cast_signed()) - (b - zeros_b.cast_signed()) - BITS.cast_signed();
                Self(QUAD.rounded(is_negative, exponent, quotient))
            }
        }
    }

    /// How two numbers compare; `None` if one of them is none.
    pub(super) fn compared(self, other: Self) -> Option<Ordering> {
        let is_none = |quad: Self| matches!(QUAD.parts(quad.0), Parts::NotANumber);
        if is_none(self) || is_none(other) {
            return None;
        }
        let placed = |quad: Self| {
            let magnitude = (quad.0 << 1 >> 1).cast_signed();
            if quad.is_negative() { -magnitude } else { magnitude }
        };
        Some(placed(self).cmp(&placed(other)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quad(value: f64) -> Quad {
        Quad::of_double(value)
    }

    #[test]
    fn known_answers() {
        let (one, three, ten) = (quad(1.0), quad(3.0), quad(10.0));
        for (quad, bits) in [
            (one.divided_by(three), 0x3ffd_5555_5555_5555_5555_5555_5555_5555),
            (quad(2.0).divided_by(three), 0x3ffe_5555_5555_5555_5555_5555_5555_5555),
            (one.divided_by(ten), 0x3ffb_9999_9999_9999_9999_9999_9999_999a),
            (one.plus(Quad(0x3f8e << 112)), 0x3fff << 112),
            (one.plus(Quad(0x3f8e << 112 | 1)), 0x3fff << 112 | 1),
            (one.minus(one), 0),
            (one.minus(three), 0xc000 << 112),
            (one.divided_by(quad(0.0)), 0x7fff << 112),
            (quad(0.0).times(one.divided_by(quad(0.0))), 0x7fff_8000 << 96),
            // The smallest number of all, half of it, and one and a half of it.
            (Quad(1).times(quad(0.5)), 0),
            (Quad(1).times(quad(1.5)), 2),
            (Quad(1 << 112).times(quad(0.5)), 1 << 111),
            (Quad(0x7ffe << 112).times(quad(2.0)), 0x7fff << 112),
            (Quad::of_integer(-5), 0xc001_4000 << 96),
            (Quad::of_integer(i128::MAX), 0x407e << 112),
        ] {
            assert_eq!(quad.0, bits, "{:#x} is not {bits:#x}", quad.0);
        }
        assert_eq!(Quad::of_decimal(1, -1), Some(one.divided_by(ten)));
        assert_eq!(Quad::of_decimal(25, -1), Some(quad(2.5)));
        assert_eq!(Quad::of_decimal(1, 400), None);
        assert_eq!(quad(-2.75).to_integer(), -2);
        assert_eq!(quad(1e300).to_integer(), i128::MAX);
        assert_eq!(quad(f64::NAN).compared(one), None);
        assert_eq!(quad(-0.0).compared(quad(0.0)), Some(Ordering::Equal));
        assert_eq!(quad(-3.0).compared(one), Some(Ordering::Less));
    }

    /// A quad is more than twice as precise as a double, so that a result of two doubles that is rounded to it and then to a double is right.
    #[test]
    fn doubles_are_calculated_with_as_the_host_does() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let bits = state ^ state >> 29;
            // Exponents near one another, so that sums are no copies, and now and then any at all.
            match bits % 5 {
                0 => f64::from_bits(bits.rotate_left(17)),
                _ => f64::from_bits(bits & 0x800f_ffff_ffff_ffff | (1000 + (bits >> 7) % 50) << 52),
            }
        };
        for _ in 0..200_000 {
            let (a, b) = (next(), next());
            for (sign, quad, double) in [
                ('+', quad(a).plus(quad(b)), a + b),
                ('-', quad(a).minus(quad(b)), a - b),
                ('*', quad(a).times(quad(b)), a * b),
                ('/', quad(a).divided_by(quad(b)), a / b),
            ] {
                let found = quad.to_double();
                let is_same = found.to_bits() == double.to_bits() || found.is_nan() && double.is_nan();
                assert!(is_same, "{a:e} {sign} {b:e} is {double:e} and not {found:e}");
            }
            assert_eq!(quad(a).compared(quad(b)), a.partial_cmp(&b));
            #[allow(clippy::cast_possible_truncation)] // what is compared
            let single = a as f32;
            assert!(quad(a).to_single() == single || a.is_nan(), "{a:e}");
        }
    }
}
