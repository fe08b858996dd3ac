//! Floating-point numbers as text: the fewest digits that are read back as the same number.
//!
//! Rust gives them for 32 and 64 bits. For RISC-V's `long double`, which is IEEE 754's binary128, they are made here with exact
//! arithmetic (Steele and White, "How to Print Floating-Point Numbers Accurately", 1990).

use super::quad_arithmetic::Quad;
use std::cmp::Ordering;

/// Bits of the fraction of a binary128.
const FRACTION_BITS: u32 = 112;
const BIAS: i32 = 16383;

/// A number of 4, 8 or 16 bytes, as near as a `f64` is to it.
#[allow(clippy::cast_possible_truncation)] // the low bits are what is asked for
pub(super) fn to_f64(bits: u128, bytes: u64) -> f64 {
    match bytes {
        4 => f64::from(f32::from_bits(bits as u32)),
        16 => Quad(bits).to_double(),
        _ => f64::from_bits(bits as u64),
    }
}

/// Its text.
#[allow(clippy::cast_possible_truncation)] // the low bits are what is asked for
pub fn text(bits: u128, bytes: u64) -> String {
    let of_rust = |value: f64, scientific: String| {
        if !value.is_finite() {
            return value.to_string();
        }
        let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
        let sign = if value.is_sign_negative() { "-" } else { "" };
        let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
        written(sign, &digits, exponent.parse().unwrap_or(0))
    };
    match bytes {
        4 => {
            let value = f32::from_bits(bits as u32);
            of_rust(value.into(), format!("{value:e}"))
        }
        16 => quad(bits),
        _ => {
            let value = f64::from_bits(bits as u64);
            of_rust(value, format!("{value:e}"))
        }
    }
}

/// `d.ddd` times ten to the power of `exponent`, written out where that is short.
fn written(sign: &str, digits: &str, exponent: i32) -> String {
    const LONGEST: i32 = 17;
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let body = match exponent {
        0..LONGEST if count <= exponent + 1 => {
            let zeros = usize::try_from(exponent + 1 - count).unwrap_or(0);
            format!("{digits}{}", "0".repeat(zeros))
        }
        0..LONGEST => {
            let (whole, rest) = digits.split_at(usize::try_from(exponent + 1).unwrap_or(0));
            format!("{whole}.{rest}")
        }
        -5..0 => format!("0.{}{digits}", "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0))),
        _ => {
            let (first, rest) = digits.split_at(1);
            let point = if rest.is_empty() { "" } else { "." };
            format!("{first}{point}{rest}e{exponent:+}")
        }
    };
    format!("{sign}{body}")
}

fn quad(bits: u128) -> String {
    let sign = if bits >> 127 == 0 { "" } else { "-" };
    let fraction = bits & ((1 << FRACTION_BITS) - 1);
    let exponent = i32::try_from(bits >> FRACTION_BITS & 0x7fff).unwrap_or(0);
    match (exponent, fraction) {
        (0x7fff, 0) => format!("{sign}inf"),
        (0x7fff, _) => "NaN".to_owned(),
        (0, 0) => format!("{sign}0"),
        (0, _) => digits_of(sign, fraction, 1 - BIAS - FRACTION_BITS.cast_signed(), false),
        _ => {
            let is_power = fraction == 0 && exponent > 1;
            let exponent = exponent - BIAS - FRACTION_BITS.cast_signed();
            digits_of(sign, fraction | 1 << FRACTION_BITS, exponent, is_power)
        }
    }
}

/// The shortest digits of `mantissa` times two to the power of `exponent`. `is_power` says that the number below is nearer than that
/// above.
fn digits_of(sign: &str, mantissa: u128, exponent: i32, is_power: bool) -> String {
    let wider = u32::from(is_power);
    let up = u32::try_from(exponent).unwrap_or(0);
    let down = u32::try_from(-exponent).unwrap_or(0);
    let mut rest = Natural::of(mantissa).shifted(up + 1 + wider);
    let mut scale = Natural::of(1).shifted(down + 1 + wider);
    // Half the way to the numbers above and below.
    let mut above = Natural::of(1).shifted(up + wider);
    let mut below = Natural::of(1).shifted(up);
    // What is just half way is read back as the number whose last bit is 0.
    let is_even = mantissa.is_multiple_of(2);
    let bits = 128 - i32::try_from(mantissa.leading_zeros()).unwrap_or(0);
    #[allow(clippy::cast_possible_truncation)] // a few thousand at most
    let mut power = (f64::from(exponent + bits - 1) * std::f64::consts::LOG10_2 - 1e-9).ceil() as i32;
    for _ in 0..power.max(0) {
        scale.times(10);
    }
    for _ in 0..(-power).max(0) {
        rest.times(10);
        above.times(10);
        below.times(10);
    }
    let is_high = |order: Ordering| order == Ordering::Greater || is_even && order == Ordering::Equal;
    if is_high(rest.plus(&above).cmp(&scale)) {
        power += 1;
    } else {
        for number in [&mut rest, &mut above, &mut below] {
            number.times(10);
        }
    }
    let mut digits = String::new();
    loop {
        let mut digit = 0;
        while rest.cmp(&scale) != Ordering::Less {
            rest.take(&scale);
            digit += 1;
        }
        let order = rest.cmp(&below);
        let is_low = order == Ordering::Less || is_even && order == Ordering::Equal;
        let is_high = is_high(rest.plus(&above).cmp(&scale));
        if is_low || is_high {
            let rounds_up = match (is_low, is_high) {
                (true, true) => rest.plus(&rest).cmp(&scale) != Ordering::Less,
                (_, is_high) => is_high,
            };
            digits.push(char::from(b'0' + digit + u8::from(rounds_up)));
            return written(sign, &digits, power - 1);
        }
        digits.push(char::from(b'0' + digit));
        for number in [&mut rest, &mut above, &mut below] {
            number.times(10);
        }
    }
}

/// A number without a sign of any length: 32 bits a part, the lowest first, none of them 0 at the end.
#[derive(Clone, PartialEq, Eq)]
struct Natural(Vec<u32>);

#[allow(clippy::cast_possible_truncation)] // parts of 32 bits are what it is made of
impl Natural {
    fn of(mut value: u128) -> Self {
        let mut parts = Vec::new();
        while value != 0 {
            parts.push(value as u32);
            value >>= 32;
        }
        Self(parts)
    }
    fn shifted(&self, bits: u32) -> Self {
        let mut parts = vec![0; (bits / 32) as usize];
        let mut carry = 0u64;
        for &part in &self.0 {
            carry |= u64::from(part) << (bits % 32);
            parts.push(carry as u32);
            carry >>= 32;
        }
        parts.push(carry as u32);
        Self(parts).trimmed()
    }
    fn trimmed(mut self) -> Self {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }
    fn times(&mut self, by: u32) {
        let mut carry = 0u64;
        for part in &mut self.0 {
            carry += u64::from(*part) * u64::from(by);
            *part = carry as u32;
            carry >>= 32;
        }
        if carry != 0 {
            self.0.push(carry as u32);
        }
    }
    fn plus(&self, other: &Self) -> Self {
        let mut carry = 0u64;
        let part = |of: &Self, index: usize| u64::from(of.0.get(index).copied().unwrap_or(0));
        let mut sum: Vec<u32> = Vec::with_capacity(self.0.len().max(other.0.len()) + 1);
        for index in 0..self.0.len().max(other.0.len()) {
            carry += part(self, index) + part(other, index);
            sum.push(carry as u32);
            carry >>= 32;
        }
        sum.push(carry as u32);
        Self(sum).trimmed()
    }
    /// Takes away what is not more than itself.
    fn take(&mut self, other: &Self) {
        let mut borrow = false;
        for (index, part) in self.0.iter_mut().enumerate() {
            let (less, first) = part.overflowing_sub(other.0.get(index).copied().unwrap_or(0));
            let (less, second) = less.overflowing_sub(borrow.into());
            *part = less;
            borrow = first || second;
        }
        *self = std::mem::replace(self, Self(Vec::new())).trimmed();
    }
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quads_have_the_fewest_digits() {
        for (bits, expected) in [
            (0x3fff_0000_0000_0000_0000_0000_0000_0000, "1"),
            (0xbfff_8000_0000_0000_0000_0000_0000_0000, "-1.5"),
            (0x3ffb_9999_9999_9999_9999_9999_9999_999a, "0.1"),
            (0x4000_921f_b544_42d1_8469_898c_c517_01b8, "3.1415926535897932384626433832795028"),
            (0x7ffe_ffff_ffff_ffff_ffff_ffff_ffff_ffff, "1.189731495357231765085759326628007e+4932"),
            (0x0000_0000_0000_0000_0000_0000_0000_0001, "6e-4966"),
            (0x0001_0000_0000_0000_0000_0000_0000_0000, "3.3621031431120935062626778173217526e-4932"),
            (0x7fff_0000_0000_0000_0000_0000_0000_0000, "inf"),
            (0x7fff_8000_0000_0000_0000_0000_0000_0000, "NaN"),
            (0x8000_0000_0000_0000_0000_0000_0000_0000, "-0"),
        ] {
            assert_eq!(text(bits, 16), expected);
        }
    }

    /// Numbers that both have are written alike, as far as 64 bits need no more digits.
    #[test]
    fn short_numbers_are_the_same_in_all_sizes() {
        for value in [0.5, 3.0, 1e16, 1e17, 1024.0, 0.0625, 123_456.75, -2.0] {
            let bits = f64::to_bits(value);
            let exponent = u128::from(bits >> 52 & 0x7ff) + 16383 - 1023;
            let fraction = u128::from(bits & ((1 << 52) - 1)) << 60;
            let quad = u128::from(bits >> 63) << 127 | exponent << 112 | fraction;
            assert_eq!(text(quad, 16), text(bits.into(), 8), "{value}");
            assert_eq!(to_f64(quad, 16).to_bits(), bits, "{value}");
        }
    }

    #[test]
    fn numbers_are_written_out_where_that_is_short() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (1e-5, "0.00001"),
            (1.5e-7, "1.5e-7"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(text(f64::to_bits(value).into(), 8), expected);
        }
        assert_eq!(text(f32::to_bits(0.1).into(), 4), "0.1");
    }
}
