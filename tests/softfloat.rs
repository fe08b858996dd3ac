//! The software floating point against Berkeley SoftFloat (with its RISC-V choices): values and flags, every
//! operation, format and rounding mode, over all pairs of special operands and random ones whose exponents are
//! drawn to collide. The seeds are fixed; a failure prints the operands. (Known answers for the corners, which
//! need no referee, lie beside the code. The referee's crate builds on x86-64 Linux only.)
#![allow(clippy::unwrap_used)] // in functions that only tests call
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(clippy::cast_possible_truncation)] // operands are drawn as words and cut to their format

use emulator::softfloat::{self as soft, Binary16, Binary32, Binary64, Flags, Format, Round};
use softfloat_wrapper::{ExceptionFlags, F16, F32, F64, Float, RoundingMode};

/// Random operand tuples an operation and rounding mode, beside the special ones.
const RANDOM: usize = 100_000;

/// What the referee adds to a format.
trait Refereed: Format {
    type Reference: Float;
    const NAME: &'static str;
    fn reference(bits: Self::Bits) -> Self::Reference;
    fn word(reference: &Self::Reference) -> u64;
}

impl Refereed for Binary16 {
    type Reference = F16;
    const NAME: &'static str = "binary16";
    fn reference(bits: u16) -> F16 {
        F16::from_bits(bits)
    }
    fn word(reference: &F16) -> u64 {
        u64::from(reference.to_bits())
    }
}

impl Refereed for Binary32 {
    type Reference = F32;
    const NAME: &'static str = "binary32";
    fn reference(bits: u32) -> F32 {
        F32::from_bits(bits)
    }
    fn word(reference: &F32) -> u64 {
        u64::from(reference.to_bits())
    }
}

impl Refereed for Binary64 {
    type Reference = F64;
    const NAME: &'static str = "binary64";
    fn reference(bits: u64) -> F64 {
        F64::from_bits(bits)
    }
    fn word(reference: &F64) -> u64 {
        reference.to_bits()
    }
}

fn reference_mode(mode: Round) -> RoundingMode {
    match mode {
        Round::NearestEven => RoundingMode::TiesToEven,
        Round::TowardsZero => RoundingMode::TowardZero,
        Round::Down => RoundingMode::TowardNegative,
        Round::Up => RoundingMode::TowardPositive,
        Round::NearestMaxMagnitude => RoundingMode::TiesToAway,
    }
}

/// Runs the referee and takes the flags it raised.
fn refereed<T>(operation: impl FnOnce() -> T) -> (T, Flags) {
    ExceptionFlags::default().set();
    let value = operation();
    let mut raised = ExceptionFlags::default();
    raised.get();
    (value, Flags::from_bits_retain(raised.to_bits()))
}

/// Xorshift64*: enough for operands, and the same everywhere.
struct Random(u64);

impl Random {
    fn word(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.word() % bound
    }

    /// A fraction of `bits` bits: random, or runs of ones and zeros, where carries and ties live.
    fn fraction(&mut self, bits: u32) -> u64 {
        let mask = (1 << bits) - 1;
        match self.below(4) {
            0 => self.word() & mask,
            1 => (1_u64 << self.below(u64::from(bits))) & mask,
            2 => (1_u64 << self.below(u64::from(bits))).wrapping_neg() & mask,
            _ => (self.word() & self.word() & self.word() & mask) ^ (self.word() & 1).wrapping_neg() & mask,
        }
    }

    /// An operand whose exponent lies near `centre` (a biased exponent) more often than not.
    fn operand<F: Format>(&mut self, centre: u64) -> u64 {
        let top = (1 << F::EXPONENT_BITS) - 1;
        let exponent = match self.below(8) {
            0..4 => (centre + top + self.below(9) - 4) % (top + 1),
            4 | 5 => {
                (centre + top + 1 + self.below(2 * u64::from(F::PRECISION_BITS) + 8)
                    - u64::from(F::PRECISION_BITS))
                    % (top + 1)
            }
            6 => self.below(4),
            _ => self.below(top + 1),
        };
        let sign = if self.word() & 1 != 0 { F::SIGN } else { 0 };
        sign | exponent << F::FRACTION_BITS | self.fraction(F::FRACTION_BITS)
    }

    fn operands<F: Format, const N: usize>(&mut self) -> [F::Bits; N] {
        let centre = self.below(1 << F::EXPONENT_BITS);
        core::array::from_fn(|_| F::from_word(self.operand::<F>(centre)))
    }
}

/// Both signs of zeros, ones, neighbours of every boundary, infinities, NaNs of both kinds, integers at the
/// ends of the integer types.
fn specials<F: Format>() -> Vec<F::Bits> {
    let one = F::MAX_EXPONENT as u64;
    let mut words = vec![0, 1, 2, 3, F::QUIET, F::FRACTION_MASK - 1, F::FRACTION_MASK];
    let normal = F::FRACTION_MASK + 1;
    words.extend([normal, normal + 1, normal | F::FRACTION_MASK, 2 * normal]);
    for exponent in [one - 1, one, one + 1, one + 7] {
        let base = exponent << F::FRACTION_BITS;
        words.extend([base - 1, base, base + 1, base | F::QUIET, base | F::QUIET >> 1]);
    }
    // The widest format's exponents reach them all; binary16 ends before 2^16.
    for exponent in [10, 11, 15, 23, 24, 30, 31, 32, 52, 53, 62, 63, 64].into_iter().filter(|&e| e <= one) {
        let base = (one + exponent) << F::FRACTION_BITS;
        words.extend([base - 1, base, base + 1]);
    }
    words.push((one - u64::from(F::PRECISION_BITS)) << F::FRACTION_BITS);
    words.push((one / 2 + 1) << F::FRACTION_BITS);
    words.push((one + one / 2) << F::FRACTION_BITS);
    words.extend([F::INFINITY - 2, F::INFINITY - 1, F::INFINITY - normal, F::INFINITY - normal + 1]);
    words.extend([
        F::INFINITY,
        F::INFINITY + 1,
        F::CANONICAL_NAN - 1,
        F::CANONICAL_NAN,
        F::CANONICAL_NAN + 1,
    ]);
    words.push(F::INFINITY | F::FRACTION_MASK);
    let negative: Vec<u64> = words.iter().map(|w| w | F::SIGN).collect();
    words.into_iter().chain(negative).map(F::from_word).collect()
}

/// Calls `check` with every tuple of specials (every `thin`-th one) and with `RANDOM` random tuples; with every
/// operand where there are only 65,536.
fn for_operands<F: Format, const N: usize>(seed: u64, thin: usize, mut check: impl FnMut([F::Bits; N])) {
    let specials = specials::<F>();
    let count = specials.len().pow(N as u32);
    for index in (0..count).step_by(thin) {
        let mut rest = index;
        check(core::array::from_fn(|_| {
            let special = specials[rest % specials.len()];
            rest /= specials.len();
            special
        }));
    }
    if N == 1 && F::WIDTH_BITS == 16 {
        return (0..0x1_0000).for_each(|word| check([F::from_word(word); N]));
    }
    let mut random = Random(seed | 1);
    for _ in 0..RANDOM {
        check(random.operands::<F, N>());
    }
}

fn show<F: Format>(operands: &[F::Bits]) -> String {
    operands.iter().map(|&bits| format!("{:#x} ", F::to_word(bits))).collect()
}

/// Compares a rounding operation of `N` operands in every mode.
fn check_rounding<F: Refereed, const N: usize>(
    name: &str,
    thin: usize,
    ours: impl Fn([F::Bits; N], Round) -> (F::Bits, Flags),
    theirs: impl Fn([F::Reference; N], RoundingMode) -> F::Reference,
) {
    for mode in Round::ALL {
        for_operands::<F, N>(0x5eed_0000 + mode as u64, thin, |operands| {
            let (value, flags) = ours(operands, mode);
            let (expected, expected_flags) =
                refereed(|| theirs(operands.map(F::reference), reference_mode(mode)));
            assert!(
                F::to_word(value) == F::word(&expected) && flags == expected_flags,
                "{} {name} {mode:?} of {}: {:#x} {flags:?}, the referee says {:#x} {expected_flags:?}",
                F::NAME,
                show::<F>(&operands),
                F::to_word(value),
                F::word(&expected),
            );
        });
    }
}

fn check_arithmetic<F: Refereed>() {
    check_rounding::<F, 2>("add", 1, |[a, b], m| soft::add::<F>(a, b, m), |[a, b], m| a.add(b, m));
    check_rounding::<F, 2>("sub", 1, |[a, b], m| soft::sub::<F>(a, b, m), |[a, b], m| a.sub(b, m));
    check_rounding::<F, 2>("mul", 1, |[a, b], m| soft::mul::<F>(a, b, m), |[a, b], m| a.mul(b, m));
    check_rounding::<F, 2>("div", 1, |[a, b], m| soft::div::<F>(a, b, m), |[a, b], m| a.div(b, m));
    check_rounding::<F, 1>("sqrt", 1, |[a], m| soft::sqrt::<F>(a, m), |[a], m| a.sqrt(m));
}

#[test]
fn arithmetic_16() {
    check_arithmetic::<Binary16>();
}

#[test]
fn arithmetic_32() {
    check_arithmetic::<Binary32>();
}

#[test]
fn arithmetic_64() {
    check_arithmetic::<Binary64>();
}

fn check_fused<F: Refereed>() {
    // A prime step visits every kind of triple without visiting all 2 million.
    check_rounding::<F, 3>(
        "fused multiply-add",
        17,
        |[a, b, c], m| soft::fused_multiply_add::<F>(a, b, c, m),
        |[a, b, c], m| a.fused_mul_add(b, c, m),
    );
    // Addends that nearly cancel the product, where a second rounding would show.
    for mode in Round::ALL {
        let mut random = Random(0xfeed + mode as u64 * 2);
        for _ in 0..RANDOM {
            let [a, b] = random.operands::<F, 2>();
            let product = soft::mul::<F>(a, b, mode).0;
            let nudge = random.below(5).wrapping_sub(2);
            let c = F::from_word((F::to_word(product) ^ F::SIGN).wrapping_add(nudge));
            let (value, flags) = soft::fused_multiply_add::<F>(a, b, c, mode);
            let (expected, expected_flags) = refereed(|| {
                F::reference(a).fused_mul_add(F::reference(b), F::reference(c), reference_mode(mode))
            });
            assert!(
                F::to_word(value) == F::word(&expected) && flags == expected_flags,
                "{} fused {mode:?} of {}: {:#x} {flags:?}, the referee says {:#x} {expected_flags:?}",
                F::NAME,
                show::<F>(&[a, b, c]),
                F::to_word(value),
                F::word(&expected),
            );
        }
    }
}

#[test]
fn fused_16() {
    check_fused::<Binary16>();
}

#[test]
fn fused_32() {
    check_fused::<Binary32>();
}

#[test]
fn fused_64() {
    check_fused::<Binary64>();
}

/// Compares a conversion of `F` to a plain value in every mode.
fn check_conversion<F: Refereed, T: PartialEq + core::fmt::Debug>(
    name: &str,
    ours: impl Fn(F::Bits, Round) -> (T, Flags),
    theirs: impl Fn(F::Reference, RoundingMode) -> T,
) {
    for mode in Round::ALL {
        for_operands::<F, 1>(0xc0de + mode as u64 * 2, 1, |[a]| {
            let ours = ours(a, mode);
            let theirs = refereed(|| theirs(F::reference(a), reference_mode(mode)));
            assert_eq!(ours, theirs, "{} {name} {mode:?} of {:#x}", F::NAME, F::to_word(a));
        });
        // Numbers in and around the integers' ranges.
        let mut random = Random(0xface + mode as u64 * 2);
        for _ in 0..RANDOM {
            let exponent = (F::MAX_EXPONENT as u64 + random.below(69) - 3).min((1 << F::EXPONENT_BITS) - 1);
            let sign = if random.word() & 1 != 0 { F::SIGN } else { 0 };
            let a = F::from_word(sign | exponent << F::FRACTION_BITS | random.fraction(F::FRACTION_BITS));
            let ours = ours(a, mode);
            let theirs = refereed(|| theirs(F::reference(a), reference_mode(mode)));
            assert_eq!(ours, theirs, "{} {name} {mode:?} of {:#x}", F::NAME, F::to_word(a));
        }
    }
}

fn check_conversions<F: Refereed>() {
    check_conversion::<F, _>("to i32", soft::to_i32::<F>, |a, m| a.to_i32(m, true));
    check_conversion::<F, _>("to u32", soft::to_u32::<F>, |a, m| a.to_u32(m, true));
    check_conversion::<F, _>("to i64", soft::to_i64::<F>, |a, m| a.to_i64(m, true));
    check_conversion::<F, _>("to u64", soft::to_u64::<F>, |a, m| a.to_u64(m, true));
    let mut random = Random(0x1237);
    for round in 0..40_000_u64 {
        let word = match round {
            0..64 => 1 << round,
            64..128 => (1_u64 << (round - 64)).wrapping_neg(),
            _ => (random.fraction(63) >> random.below(63)) ^ (random.word() & 1).wrapping_neg(),
        };
        for mode in Round::ALL {
            let m = reference_mode(mode);
            let rows = [
                (soft::from_i32::<F>(word as i32, mode), refereed(|| F::Reference::from_i32(word as i32, m))),
                (soft::from_u32::<F>(word as u32, mode), refereed(|| F::Reference::from_u32(word as u32, m))),
                (soft::from_i64::<F>(word as i64, mode), refereed(|| F::Reference::from_i64(word as i64, m))),
                (soft::from_u64::<F>(word, mode), refereed(|| F::Reference::from_u64(word, m))),
            ];
            for (index, ((value, flags), (expected, expected_flags))) in rows.into_iter().enumerate() {
                assert_eq!(
                    (F::to_word(value), flags),
                    (F::word(&expected), expected_flags),
                    "{} from integer (type {index}) {word:#x} {mode:?}",
                    F::NAME
                );
            }
        }
    }
}

/// Every number of binary16 to the wider formats; and those of the wider formats near both ends of binary16, where
/// overflow, underflow and its tininess are decided.
#[test]
fn conversions_16() {
    check_conversions::<Binary16>();
    for (a, mode) in (0..=u16::MAX).flat_map(|a| Round::ALL.map(|mode| (a, mode))) {
        let (x, m) = (F16::from_bits(a), reference_mode(mode));
        let single = refereed(|| x.to_f32(m).to_bits());
        assert_eq!(soft::convert::<Binary16, Binary32>(a, mode), single, "to binary32 of {a:#x}");
        let double = refereed(|| x.to_f64(m).to_bits());
        assert_eq!(soft::convert::<Binary16, Binary64>(a, mode), double, "to binary64 of {a:#x}");
    }
    let from_single = soft::convert::<Binary32, Binary16>;
    check_conversion::<Binary32, _>("to binary16", from_single, |a, m| a.to_f16(m).to_bits());
    let from_double = soft::convert::<Binary64, Binary16>;
    check_conversion::<Binary64, _>("to binary16", from_double, |a, m| a.to_f16(m).to_bits());
    for mode in Round::ALL {
        let mut random = Random(0xf16 + mode as u64 * 2);
        for _ in 0..RANDOM {
            let beyond = if random.word() & 1 != 0 { -15 } else { 15 } + random.below(32) as i64 - 16;
            let single = ((127 + beyond) as u32) << 23 | random.fraction(23) as u32;
            let theirs = refereed(|| F32::from_bits(single).to_f16(reference_mode(mode)).to_bits());
            assert_eq!(from_single(single, mode), theirs, "to binary16 {mode:?} of {single:#x}");
            let double = ((1023 + beyond) as u64) << 52 | random.fraction(52);
            let theirs = refereed(|| F64::from_bits(double).to_f16(reference_mode(mode)).to_bits());
            assert_eq!(from_double(double, mode), theirs, "to binary16 {mode:?} of {double:#x}");
        }
    }
}

#[test]
fn conversions_32() {
    check_conversions::<Binary32>();
    let ours = soft::convert::<Binary32, Binary64>;
    check_conversion::<Binary32, _>("to binary64", ours, |a, m| a.to_f64(m).to_bits());
}

#[test]
fn conversions_64() {
    check_conversions::<Binary64>();
    let ours = soft::convert::<Binary64, Binary32>;
    check_conversion::<Binary64, _>("to binary32", ours, |a, m| a.to_f32(m).to_bits());
    // Numbers near both ends of binary32, where overflow, underflow and its tininess are decided.
    for mode in Round::ALL {
        let mut random = Random(0xf32 + mode as u64 * 2);
        for _ in 0..RANDOM {
            let centre = if random.word() & 1 != 0 { 1023 - 127 } else { 1023 + 127 };
            let a = (centre + random.below(60) - 30) << 52 | random.fraction(52);
            let theirs = refereed(|| F64::from_bits(a).to_f32(reference_mode(mode)).to_bits());
            assert_eq!(ours(a, mode), theirs, "to binary32 {mode:?} of {a:#x}");
        }
    }
}

fn check_comparisons<F: Refereed>() {
    for_operands::<F, 2>(0xabcd, 1, |[a, b]| {
        let (x, y) = (F::reference(a), F::reference(b));
        let at = || format!("{} {}", F::NAME, show::<F>(&[a, b]));
        assert_eq!(soft::eq::<F>(a, b), refereed(|| x.eq(&y)), "eq {}", at());
        assert_eq!(soft::lt::<F>(a, b), refereed(|| x.lt(&y)), "lt {}", at());
        assert_eq!(soft::le::<F>(a, b), refereed(|| x.le(&y)), "le {}", at());
        // The referee has no minimum: the quiet comparison orders numbers, the rule of the manual the rest.
        let (less, flags) = refereed(|| x.lt_quiet(&y) || x.eq(&y) && x.is_negative());
        let (low, high) = match (x.is_nan(), y.is_nan()) {
            (true, true) => (F::from_word(F::CANONICAL_NAN), F::from_word(F::CANONICAL_NAN)),
            (true, false) => (b, b),
            (false, true) => (a, a),
            (false, false) => {
                if less {
                    (a, b)
                } else {
                    (b, a)
                }
            }
        };
        assert_eq!(soft::min::<F>(a, b), (low, flags), "min {}", at());
        assert_eq!(soft::max::<F>(a, b), (high, flags), "max {}", at());
    });
}

/// Zfa: rounding to an integral number, which the referee has in the form that is never inexact; the quiet
/// comparisons; minimum and maximum that do not lose NaNs.
fn check_additional<F: Refereed>() {
    check_rounding::<F, 1>(
        "round to integral",
        1,
        |[a], m| soft::round_to_integral::<F>(a, m),
        |[a], m| a.round_to_integral(m),
    );
    for mode in Round::ALL {
        for_operands::<F, 1>(0xfa, 1, |[a]| {
            let (value, mut flags) = soft::round_to_integral::<F>(a, mode);
            let changed = !F::reference(a).is_nan() && value != a;
            flags.set(Flags::INEXACT, changed);
            let exact = soft::round_to_integral_exact::<F>(a, mode);
            assert_eq!(exact, (value, flags), "{} {}", F::NAME, show::<F>(&[a]));
        });
    }
    for_operands::<F, 2>(0xface, 1, |[a, b]| {
        let (x, y) = (F::reference(a), F::reference(b));
        let at = || format!("{} {}", F::NAME, show::<F>(&[a, b]));
        assert_eq!(soft::lt_quiet::<F>(a, b), refereed(|| x.lt_quiet(&y)), "lt {}", at());
        assert_eq!(soft::le_quiet::<F>(a, b), refereed(|| x.le_quiet(&y)), "le {}", at());
        let invalid = refereed(|| x.eq(&y)).1;
        if x.is_nan() || y.is_nan() {
            let nan = (F::from_word(F::CANONICAL_NAN), invalid);
            assert_eq!((soft::minimum::<F>(a, b), soft::maximum::<F>(a, b)), (nan, nan), "{}", at());
        } else {
            assert_eq!(soft::minimum::<F>(a, b), soft::min::<F>(a, b), "{}", at());
            assert_eq!(soft::maximum::<F>(a, b), soft::max::<F>(a, b), "{}", at());
        }
    });
}

#[test]
fn additional_16() {
    check_additional::<Binary16>();
}

#[test]
fn additional_32() {
    check_additional::<Binary32>();
}

#[test]
fn additional_64() {
    check_additional::<Binary64>();
}

/// `fcvtmod.w.d` against the referee's conversion to 64 bits where that is exact, and to 32 bits for the flags.
#[test]
fn modular_conversion() {
    for_operands::<Binary64, 1>(0x30d, 1, |[a]| {
        let (value, flags) = soft::to_i32_modular::<Binary64>(a);
        let x = F64::from_bits(a);
        let (_, expected_flags) = refereed(|| x.to_i32(RoundingMode::TowardZero, true));
        assert_eq!(flags, expected_flags, "flags of {a:#x}");
        // Multiples of 2^32 change nothing of the result: take the exponent down until 64 bits hold the number.
        let magnitude = f64::from_bits(a).abs();
        let expected = match magnitude {
            _ if !magnitude.is_finite() => 0,
            _ if magnitude < 2f64.powi(63) => refereed(|| x.to_i64(RoundingMode::TowardZero, true)).0 as i32,
            _ if magnitude < 2f64.powi(84) => {
                let low = (magnitude % 2f64.powi(32)) as u32 as i32;
                if f64::from_bits(a) < 0.0 { low.wrapping_neg() } else { low }
            }
            _ => 0,
        };
        assert_eq!(value, expected, "{a:#x}");
    });
}

#[test]
fn comparisons_16() {
    check_comparisons::<Binary16>();
}

#[test]
fn comparisons_32() {
    check_comparisons::<Binary32>();
}

#[test]
fn comparisons_64() {
    check_comparisons::<Binary64>();
}
