//! What F and D have in common: the shapes of their instructions, written over the format.
//!
//! A body reads its registers through [`Precision`], so that NaN boxing is checked and made in one place; all
//! arithmetic is a pure function of `softfloat`, handed to the engine as a [`FloatFn`]. Order in each body: FS,
//! rounding mode (both may be illegal), operands, operation with its flags, result.

use super::engine::{Engine, FloatFn, Width};
use super::zfa;
use crate::softfloat::{self as soft, Binary16, Binary32, Binary64, Flags, Format, Round};
use isa::insn::Insn;

/// A format that registers hold, and how.
pub(super) trait Precision: Format {
    /// Width in memory.
    const WIDTH: Width;
    /// Register `r` as a zero-extended pattern of this format.
    fn get<E: Engine>(e: &mut E, r: u8) -> E::Val;
    /// Writes a pattern of this format to register `rd`.
    fn set<E: Engine>(e: &mut E, rd: u8, value: E::Val);
}

impl Precision for Binary16 {
    const WIDTH: Width = Width::Half;
    #[inline(always)]
    fn get<E: Engine>(e: &mut E, r: u8) -> E::Val {
        let (bits, above, ones) = (e.f(r), e.imm(16), e.imm((1 << 48) - 1));
        let (upper, nan) = (e.srl(bits, above), e.imm(Self::CANONICAL_NAN.cast_signed()));
        let boxed = e.eq(upper, ones);
        let half = e.zext(bits, Width::Half);
        e.select(boxed, half, nan)
    }
    #[inline(always)]
    fn set<E: Engine>(e: &mut E, rd: u8, value: E::Val) {
        let (half, ones) = (e.zext(value, Width::Half), e.imm(-1 << 16));
        let boxed = e.or(half, ones);
        e.set_f(rd, boxed);
    }
}

impl Precision for Binary32 {
    const WIDTH: Width = Width::Word;
    #[inline(always)]
    fn get<E: Engine>(e: &mut E, r: u8) -> E::Val {
        e.f32(r)
    }
    #[inline(always)]
    fn set<E: Engine>(e: &mut E, rd: u8, value: E::Val) {
        e.set_f32(rd, value);
    }
}

impl Precision for Binary64 {
    const WIDTH: Width = Width::Double;
    #[inline(always)]
    fn get<E: Engine>(e: &mut E, r: u8) -> E::Val {
        e.f(r)
    }
    #[inline(always)]
    fn set<E: Engine>(e: &mut E, rd: u8, value: E::Val) {
        e.set_f(rd, value);
    }
}

fn address<E: Engine>(e: &mut E, i: &Insn) -> E::Val {
    let (base, offset) = (e.x(i.rs1), e.imm(i64::from(i.imm)));
    e.add(base, offset)
}

/// `rd = memory`.
#[inline(always)]
pub(super) fn load<E: Engine, F: Precision>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.fp_enabled(i)?;
    let addr = address(e, i);
    let value = e.load(addr, F::WIDTH)?;
    F::set(e, i.rd, value);
    Ok(())
}

/// `memory = rs2`: the register's low bits, boxed or not.
#[inline(always)]
pub(super) fn store<E: Engine, F: Precision>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.fp_enabled(i)?;
    let (addr, value) = (address(e, i), e.f(i.rs2));
    e.store(addr, F::WIDTH, value)
}

/// `rd = op(rs1)`, rounded.
#[inline(always)]
pub(super) fn unary<E: Engine, F: Precision>(e: &mut E, i: &Insn, op: FloatFn<1>) -> Result<(), E::Stop> {
    between::<E, F, F>(e, i, op)
}

/// `rd = op(rs1)`, rounded, from one format to another.
#[inline(always)]
pub(super) fn between<E: Engine, From: Precision, To: Precision>(
    e: &mut E,
    i: &Insn,
    op: FloatFn<1>,
) -> Result<(), E::Stop> {
    e.fp_enabled(i)?;
    let rounding = e.rounding(i)?;
    let a = From::get(e, i.rs1);
    let value = e.float(op, [a], rounding);
    To::set(e, i.rd, value);
    Ok(())
}

/// `rd = op(rs1, rs2)`, rounded.
#[inline(always)]
pub(super) fn binary<E: Engine, F: Precision>(e: &mut E, i: &Insn, op: FloatFn<2>) -> Result<(), E::Stop> {
    e.fp_enabled(i)?;
    let rounding = e.rounding(i)?;
    let operands = [F::get(e, i.rs1), F::get(e, i.rs2)];
    let value = e.float(op, operands, rounding);
    F::set(e, i.rd, value);
    Ok(())
}

/// `rd = ±(rs1 * rs2) ± rs3`, rounded once.
#[inline(always)]
pub(super) fn fused<E: Engine, F: Precision>(e: &mut E, i: &Insn, op: FloatFn<3>) -> Result<(), E::Stop> {
    e.fp_enabled(i)?;
    let rounding = e.rounding(i)?;
    let operands = [F::get(e, i.rs1), F::get(e, i.rs2), F::get(e, i.rs3)];
    let value = e.float(op, operands, rounding);
    F::set(e, i.rd, value);
    Ok(())
}

/// `rd = op(rs1, rs2)`, exact: minimum and maximum.
#[inline(always)]
pub(super) fn choose<E: Engine, F: Precision>(e: &mut E, i: &Insn, op: FloatFn<2>) -> Result<(), E::Stop> {
    e.fp_enabled(i)?;
    let operands = [F::get(e, i.rs1), F::get(e, i.rs2)];
    let rounding = e.rounding_unused();
    let value = e.float(op, operands, rounding);
    F::set(e, i.rd, value);
    Ok(())
}

/// Integer `rd = op(rs1, rs2)`: a comparison.
#[inline(always)]
pub(super) fn compare<E: Engine, F: Precision>(e: &mut E, i: &Insn, op: FloatFn<2>) -> Result<(), E::Stop> {
    e.fp_enabled(i)?;
    let operands = [F::get(e, i.rs1), F::get(e, i.rs2)];
    let rounding = e.rounding_unused();
    let value = e.float(op, operands, rounding);
    e.set_x(i.rd, value);
    Ok(())
}

/// Integer `rd = fclass(rs1)`.
#[inline(always)]
pub(super) fn class<E: Engine, F: Precision>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.fp_enabled(i)?;
    let a = F::get(e, i.rs1);
    let rounding = e.rounding_unused();
    let value = e.float(classify::<F>, [a], rounding);
    e.set_x(i.rd, value);
    Ok(())
}

/// Integer `rd = op(rs1)`, rounded to an integer.
#[inline(always)]
pub(super) fn to_integer<E: Engine, F: Precision>(
    e: &mut E,
    i: &Insn,
    op: FloatFn<1>,
) -> Result<(), E::Stop> {
    e.fp_enabled(i)?;
    let rounding = e.rounding(i)?;
    let a = F::get(e, i.rs1);
    let value = e.float(op, [a], rounding);
    e.set_x(i.rd, value);
    Ok(())
}

/// `rd = op(integer rs1)`, rounded to the format.
#[inline(always)]
pub(super) fn from_integer<E: Engine, F: Precision>(
    e: &mut E,
    i: &Insn,
    op: FloatFn<1>,
) -> Result<(), E::Stop> {
    e.fp_enabled(i)?;
    let rounding = e.rounding(i)?;
    let a = e.x(i.rs1);
    let value = e.float(op, [a], rounding);
    F::set(e, i.rd, value);
    Ok(())
}

/// `rd` = the constant whose number is in the instruction.
#[inline(always)]
pub(super) fn constant<E: Engine, F: Precision>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    e.fp_enabled(i)?;
    let value = e.imm(zfa::constant::<F>(i.rs1).cast_signed());
    F::set(e, i.rd, value);
    Ok(())
}

/// Which sign `fsgnj`, `fsgnjn` and `fsgnjx` give to the magnitude of `rs1`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// That of `rs2`.
    Same,
    /// The opposite of that of `rs2`.
    Opposite,
    /// The exclusive or of both signs.
    Product,
}

/// `rd = |rs1|` with a sign made from both: bits only, no NaN rule and no flags.
#[inline(always)]
pub(super) fn inject_sign<E: Engine, F: Precision>(e: &mut E, i: &Insn, sign: Sign) -> Result<(), E::Stop> {
    e.fp_enabled(i)?;
    let (a, b) = (F::get(e, i.rs1), F::get(e, i.rs2));
    let sign_bit = e.imm(F::SIGN.cast_signed());
    let value = if sign == Sign::Product {
        let flip = e.and(b, sign_bit);
        e.xor(a, flip)
    } else {
        let flipped = if sign == Sign::Opposite { e.xor(b, sign_bit) } else { b };
        let magnitude_mask = e.imm((F::SIGN - 1).cast_signed());
        let (magnitude, sign) = (e.and(a, magnitude_mask), e.and(flipped, sign_bit));
        e.or(magnitude, sign)
    };
    F::set(e, i.rd, value);
    Ok(())
}

macro_rules! operations {
    ($($(#[$doc:meta])* $name:ident $n:literal ($($operand:ident),*) $mode:ident $function:ident;)*) => {$(
        $(#[$doc])*
        pub(super) fn $name<F: Format>([$($operand),*]: [u64; $n], mode: Round) -> (u64, Flags) {
            let (bits, flags) = soft::$function::<F>($(F::from_word($operand)),*, mode);
            (F::to_word(bits), flags)
        }
    )*};
}
operations! {
    add 2 (a, b) mode add;
    sub 2 (a, b) mode sub;
    mul 2 (a, b) mode mul;
    div 2 (a, b) mode div;
    sqrt 1 (a) mode sqrt;
    round_to_integral 1 (a) mode round_to_integral;
    round_to_integral_exact 1 (a) mode round_to_integral_exact;
    madd 3 (a, b, c) mode fused_multiply_add;
}

/// The pattern with its sign bit inverted.
#[inline(always)]
fn negated<F: Format>(word: u64) -> u64 {
    word ^ F::SIGN
}
pub(super) fn msub<F: Format>([a, b, c]: [u64; 3], mode: Round) -> (u64, Flags) {
    madd::<F>([a, b, negated::<F>(c)], mode)
}
pub(super) fn nmsub<F: Format>([a, b, c]: [u64; 3], mode: Round) -> (u64, Flags) {
    madd::<F>([negated::<F>(a), b, c], mode)
}
pub(super) fn nmadd<F: Format>([a, b, c]: [u64; 3], mode: Round) -> (u64, Flags) {
    madd::<F>([negated::<F>(a), b, negated::<F>(c)], mode)
}

macro_rules! unrounded {
    ($($name:ident => $result:expr;)*) => {$(
        pub(super) fn $name<F: Format>([a, b]: [u64; 2], _: Round) -> (u64, Flags) {
            let (value, flags) = soft::$name::<F>(F::from_word(a), F::from_word(b));
            ($result(value), flags)
        }
    )*};
}
unrounded! {
    min => F::to_word;
    max => F::to_word;
    eq => u64::from;
    lt => u64::from;
    le => u64::from;
    minimum => F::to_word;
    maximum => F::to_word;
    lt_quiet => u64::from;
    le_quiet => u64::from;
}

pub(super) fn classify<F: Format>([a]: [u64; 1], _: Round) -> (u64, Flags) {
    (soft::classify::<F>(F::from_word(a)), Flags::empty())
}

/// A result of 32 bits is sign-extended.
pub(super) fn to_i32_modular<F: Format>([a]: [u64; 1], _: Round) -> (u64, Flags) {
    let (integer, flags) = soft::to_i32_modular::<F>(F::from_word(a));
    (i64::from(integer).cast_unsigned(), flags)
}

pub(super) fn convert<From: Format, To: Format>([a]: [u64; 1], mode: Round) -> (u64, Flags) {
    let (bits, flags) = soft::convert::<From, To>(From::from_word(a), mode);
    (To::to_word(bits), flags)
}

macro_rules! integer_conversions {
    ($($to:ident $from:ident $int:ty as $signed:ty;)*) => {$(
        // A result of 32 bits is sign-extended, the unsigned one too.
        pub(super) fn $to<F: Format>([a]: [u64; 1], mode: Round) -> (u64, Flags) {
            let (integer, flags) = soft::$to::<F>(F::from_word(a), mode);
            (i64::from(integer as $signed).cast_unsigned(), flags)
        }
        #[allow(clippy::cast_possible_truncation)] // the low bits of the register are the operand
        pub(super) fn $from<F: Format>([a]: [u64; 1], mode: Round) -> (u64, Flags) {
            let (bits, flags) = soft::$from::<F>(a as $int, mode);
            (F::to_word(bits), flags)
        }
    )*};
}
integer_conversions! {
    to_i32 from_i32 i32 as i32;
    to_u32 from_u32 u32 as i32;
    to_i64 from_i64 i64 as i64;
    to_u64 from_u64 u64 as i64;
}

/// Defines bodies of one format: `name = shape(what the shape asks for)`.
macro_rules! bodies {
    ($format:ident: $($(#[$doc:meta])* $name:ident = $shape:ident $(($argument:expr))?;)*) => {$(
        #[doc = concat!("`", stringify!($name), "`: see `float::", stringify!($shape), "`.")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            float::$shape::<E, $format>(e, i $(, $argument)?)
        }
    )*};
}
pub(super) use bodies;
