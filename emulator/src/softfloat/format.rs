//! The floating-point formats, as numbers that the generic code is written over.

use core::fmt::Debug;

/// A binary interchange format of IEEE 754 with at most 64 bits.
pub trait Format: Copy + 'static {
    /// A bit pattern of the format.
    type Bits: Copy + Eq + Debug;
    /// Bits of a pattern: sign, exponent, fraction.
    const WIDTH_BITS: u32;
    /// Bits of the exponent field.
    const EXPONENT_BITS: u32;

    /// Bits of the fraction field.
    const FRACTION_BITS: u32 = Self::WIDTH_BITS - 1 - Self::EXPONENT_BITS;
    /// Bits of a significand, the hidden one included.
    const PRECISION_BITS: u32 = Self::FRACTION_BITS + 1;
    /// Exponent of the largest finite numbers (of a significand in [1, 2)).
    const MAX_EXPONENT: i32 = (1 << (Self::EXPONENT_BITS - 1)) - 1;
    /// Exponent of the smallest normal numbers.
    const MIN_EXPONENT: i32 = 1 - Self::MAX_EXPONENT;
    /// The sign bit.
    const SIGN: u64 = 1 << (Self::WIDTH_BITS - 1);
    /// All bits of the fraction field.
    const FRACTION_MASK: u64 = (1 << Self::FRACTION_BITS) - 1;
    /// The pattern of positive infinity.
    const INFINITY: u64 = ((1 << Self::EXPONENT_BITS) - 1) << Self::FRACTION_BITS;
    /// The fraction bit that makes a NaN quiet.
    const QUIET: u64 = 1 << (Self::FRACTION_BITS - 1);
    /// The only NaN that arithmetic returns: positive, quiet, no payload.
    const CANONICAL_NAN: u64 = Self::INFINITY | Self::QUIET;

    /// The pattern, zero-extended.
    fn to_word(bits: Self::Bits) -> u64;
    /// The pattern in the low [`WIDTH_BITS`](Format::WIDTH_BITS) of `word`.
    fn from_word(word: u64) -> Self::Bits;
}

/// Half precision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Binary16;

/// Single precision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Binary32;

/// Double precision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Binary64;

impl Format for Binary16 {
    type Bits = u16;
    const WIDTH_BITS: u32 = 16;
    const EXPONENT_BITS: u32 = 5;

    #[inline]
    fn to_word(bits: u16) -> u64 {
        u64::from(bits)
    }
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // the low bits are what is asked for
    fn from_word(word: u64) -> u16 {
        word as u16
    }
}

impl Format for Binary32 {
    type Bits = u32;
    const WIDTH_BITS: u32 = 32;
    const EXPONENT_BITS: u32 = 8;

    #[inline]
    fn to_word(bits: u32) -> u64 {
        u64::from(bits)
    }
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // the low half is what is asked for
    fn from_word(word: u64) -> u32 {
        word as u32
    }
}

impl Format for Binary64 {
    type Bits = u64;
    const WIDTH_BITS: u32 = 64;
    const EXPONENT_BITS: u32 = 11;

    #[inline]
    fn to_word(bits: u64) -> u64 {
        bits
    }
    #[inline]
    fn from_word(word: u64) -> u64 {
        word
    }
}

const _: () = assert!(Binary16::INFINITY == 0x7c00 && Binary16::CANONICAL_NAN == 0x7e00);
const _: () = assert!(Binary32::INFINITY == 0x7f80_0000 && Binary32::CANONICAL_NAN == 0x7fc0_0000);
const _: () = assert!(Binary64::INFINITY == 0x7ff0 << 48 && Binary64::CANONICAL_NAN == 0x7ff8 << 48);
const _: () = assert!(Binary64::MAX_EXPONENT == 1023 && Binary64::MIN_EXPONENT == -1022);
