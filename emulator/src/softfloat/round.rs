//! Rounding modes, exception flags, and the one place where a result is rounded to its format.

use super::format::Format;
use super::unpack::Wide;
use bitflags::bitflags;

/// A rounding mode, in the encoding of the `rm` field and of `frm`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Round {
    /// RNE: to nearest, ties to even.
    NearestEven = 0,
    /// RTZ: towards zero.
    TowardsZero = 1,
    /// RDN: down, towards minus infinity.
    Down = 2,
    /// RUP: up, towards plus infinity.
    Up = 3,
    /// RMM: to nearest, ties to max magnitude.
    NearestMaxMagnitude = 4,
}

impl Round {
    /// Every mode, in the order of the encodings.
    pub const ALL: [Round; 5] =
        [Self::NearestEven, Self::TowardsZero, Self::Down, Self::Up, Self::NearestMaxMagnitude];

    /// The mode of an encoding; `None` for the reserved values 5 and 6, and for 7 (dynamic).
    #[inline]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::NearestEven),
            1 => Some(Self::TowardsZero),
            2 => Some(Self::Down),
            3 => Some(Self::Up),
            4 => Some(Self::NearestMaxMagnitude),
            _ => None,
        }
    }

    /// Whether a magnitude is to be raised to the next one, given what was cut off beneath its lowest bit.
    #[inline]
    pub(super) fn rounds_up(self, sign: bool, odd: bool, rest: u128, half: u128) -> bool {
        match self {
            Self::NearestEven => rest > half || rest == half && odd,
            Self::TowardsZero => false,
            Self::Down => sign && rest != 0,
            Self::Up => !sign && rest != 0,
            Self::NearestMaxMagnitude => rest >= half,
        }
    }

    /// Whether a result past the largest finite number becomes infinity (else it becomes that number).
    fn overflows_to_infinity(self, sign: bool) -> bool {
        match self {
            Self::NearestEven | Self::NearestMaxMagnitude => true,
            Self::TowardsZero => false,
            Self::Down => sign,
            Self::Up => !sign,
        }
    }
}

bitflags! {
    /// Exception flags, in the layout of `fflags`.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct Flags: u8 {
        /// NX: inexact.
        const INEXACT = 1 << 0;
        /// UF: underflow (tiny after rounding, and inexact).
        const UNDERFLOW = 1 << 1;
        /// OF: overflow.
        const OVERFLOW = 1 << 2;
        /// DZ: divide by zero.
        const DIVIDE_BY_ZERO = 1 << 3;
        /// NV: invalid operation.
        const INVALID = 1 << 4;
    }
}

/// `value >> shift`, with the lowest bit set if any bit was lost: enough for a later rounding to be right.
#[inline]
pub(super) fn shift_right_sticky(value: u128, shift: u32) -> u128 {
    match shift {
        0 => value,
        1..128 => value >> shift | u128::from(value << (128 - shift) != 0),
        _ => u128::from(value != 0),
    }
}

/// The top `F::PRECISION_BITS` of `significand`, rounded; and whether that lost anything.
#[inline]
fn round_significand<F: Format>(significand: u128, sign: bool, mode: Round) -> (u64, bool) {
    let cut = 128 - F::PRECISION_BITS;
    let rest = significand & ((1 << cut) - 1);
    #[allow(clippy::cast_possible_truncation)] // at most PRECISION_BITS remain
    let kept = (significand >> cut) as u64;
    let up = mode.rounds_up(sign, kept & 1 != 0, rest, 1 << (cut - 1));
    (kept + u64::from(up), rest != 0)
}

/// Rounds an exact (or sticky) non-zero `number` to `F`.
#[inline]
pub(super) fn round_and_pack<F: Format>(number: Wide, mode: Round) -> (F::Bits, Flags) {
    let Wide { sign, exponent, significand } = number.normalized();
    let sign_bit = if sign { F::SIGN } else { 0 };
    let biased = exponent - F::MIN_EXPONENT;
    if biased < 0 {
        let shifted = shift_right_sticky(significand, biased.unsigned_abs());
        let (magnitude, inexact) = round_significand::<F>(shifted, sign, mode);
        // Tininess after rounding: would the result, rounded with an unbounded exponent, be below the normals?
        // Only a number just beneath them can be rounded up to the first one.
        let reaches_normal =
            biased == -1 && round_significand::<F>(significand, sign, mode).0 == 1 << F::PRECISION_BITS;
        let flags = match (inexact, reaches_normal) {
            (false, _) => Flags::empty(),
            (true, true) => Flags::INEXACT,
            (true, false) => Flags::INEXACT | Flags::UNDERFLOW,
        };
        // A magnitude of 1 << FRACTION_BITS is the pattern of the smallest normal number.
        return (F::from_word(sign_bit | magnitude), flags);
    }
    let (rounded, inexact) = round_significand::<F>(significand, sign, mode);
    // The hidden bit adds one to the exponent field; a carry out of the rounding adds one more.
    let magnitude = u64::from(biased.unsigned_abs())
        .checked_shl(F::FRACTION_BITS)
        .filter(|_| exponent <= F::MAX_EXPONENT)
        .map_or(F::INFINITY, |field| field + rounded);
    if magnitude >= F::INFINITY {
        let magnitude = if mode.overflows_to_infinity(sign) { F::INFINITY } else { F::INFINITY - 1 };
        return (F::from_word(sign_bit | magnitude), Flags::OVERFLOW | Flags::INEXACT);
    }
    let flags = if inexact { Flags::INEXACT } else { Flags::empty() };
    (F::from_word(sign_bit | magnitude), flags)
}
