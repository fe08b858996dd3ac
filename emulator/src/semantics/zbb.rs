//! Zbb: basic bit manipulation (unprivileged manual, chapter "B").

use super::engine::{Engine, Width};
use isa::insn::Insn;

macro_rules! with_complement {
    ($($name:ident $op:ident;)*) => {$(
        #[doc = concat!("`rd = ", stringify!($op), "(rs1, !rs2)`.")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            let (a, b, ones) = (e.x(i.rs1), e.x(i.rs2), e.imm(-1));
            let complement = e.xor(b, ones);
            let value = e.$op(a, complement);
            e.set_x(i.rd, value);
            Ok(())
        }
    )*};
}
with_complement! { andn and; orn or; xnor xor; }

/// A function of one register.
fn unary<E: Engine>(e: &mut E, i: &Insn, op: fn(&mut E, E::Val) -> E::Val) -> Result<(), E::Stop> {
    let a = e.x(i.rs1);
    let value = op(e, a);
    e.set_x(i.rd, value);
    Ok(())
}

/// A word that has the leading zeros of the low word of `a`, and ones behind it.
fn word_on_top<E: Engine>(e: &mut E, a: E::Val) -> E::Val {
    let (count, ones) = (e.imm(32), e.imm(0xffff_ffff));
    let top = e.sll(a, count);
    e.or(top, ones)
}
/// The low word of `a` with a one above it.
fn word_with_end<E: Engine>(e: &mut E, a: E::Val) -> E::Val {
    let end = e.imm(1 << 32);
    e.or(a, end)
}

macro_rules! unary {
    ($($name:ident $e:ident $a:ident $value:expr;)*) => {$(
        #[doc = concat!("`rd = ", stringify!($name), "(rs1)`.")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            unary(e, i, |$e, $a| $value)
        }
    )*};
}
unary! {
    clz e a e.clz(a);
    ctz e a e.ctz(a);
    cpop e a e.cpop(a);
    clzw e a { let top = word_on_top(e, a); e.clz(top) };
    ctzw e a { let word = word_with_end(e, a); e.ctz(word) };
    cpopw e a { let word = e.zext(a, Width::Word); e.cpop(word) };
    sext_b e a e.sext(a, Width::Byte);
    sext_h e a e.sext(a, Width::Half);
    rev8 e a e.swap_bytes(a);
    orc_b e a or_combine(e, a);
}

/// Each byte becomes all ones if any of its bits is set.
fn or_combine<E: Engine>(e: &mut E, a: E::Val) -> E::Val {
    let (low, high, seven) =
        (e.imm(0x7f7f_7f7f_7f7f_7f7f), e.imm(0x8080_8080_8080_8080_u64.cast_signed()), e.imm(7));
    // The top bit of a byte is set if it was, or if the lower seven carry into it.
    let lower = e.and(a, low);
    let carried = e.add(lower, low);
    let any = e.or(carried, a);
    let top = e.and(any, high);
    let bottom = e.srl(top, seven);
    let rest = e.sub(top, bottom);
    e.or(rest, top)
}

macro_rules! extremes {
    ($($name:ident $less:ident $a:ident $b:ident;)*) => {$(
        #[doc = concat!("`rd = ", stringify!($name), "(rs1, rs2)`.")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            let ($a, $b) = (e.x(i.rs1), e.x(i.rs2));
            let first = e.$less($a, $b);
            let value = e.select(first, $a, $b);
            e.set_x(i.rd, value);
            Ok(())
        }
    )*};
}
extremes! { min lt a b; minu ltu a b; max ge a b; maxu geu a b; }

fn register<E: Engine>(e: &mut E, i: &Insn) -> E::Val {
    e.x(i.rs2)
}
fn immediate<E: Engine>(e: &mut E, i: &Insn) -> E::Val {
    e.imm(i64::from(i.imm))
}

/// Rotates right; a shift uses the low six bits of its count, so the negated count is what is left of 64.
fn rotate_right<E: Engine>(e: &mut E, a: E::Val, count: E::Val) -> E::Val {
    let zero = e.imm(0);
    let left = e.sub(zero, count);
    let (low, high) = (e.srl(a, count), e.sll(a, left));
    e.or(low, high)
}
fn rotate_left<E: Engine>(e: &mut E, a: E::Val, count: E::Val) -> E::Val {
    let zero = e.imm(0);
    let right = e.sub(zero, count);
    rotate_right(e, a, right)
}
/// The low word of `a` twice: a rotation of it by less than 32 bits rotates the word in each half.
fn doubled<E: Engine>(e: &mut E, a: E::Val) -> E::Val {
    let (word, count) = (e.zext(a, Width::Word), e.imm(32));
    let high = e.sll(word, count);
    e.or(high, word)
}

macro_rules! rotations {
    ($($name:ident $word:ident $op:ident $count:ident;)*) => {$(
        #[doc = concat!("`rd = ", stringify!($op), "(rs1, ", stringify!($count), ")`.")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            let (a, count) = (e.x(i.rs1), $count(e, i));
            let value = $op(e, a, count);
            e.set_x(i.rd, value);
            Ok(())
        }
        #[doc = concat!("The same of the low word, sign-extended.")]
        pub fn $word<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            let (a, count) = (e.x(i.rs1), $count(e, i));
            let both = doubled(e, a);
            let rotated = $op(e, both, count);
            let value = e.sext(rotated, Width::Word);
            e.set_x(i.rd, value);
            Ok(())
        }
    )*};
}
rotations! { ror rorw rotate_right register; rori roriw rotate_right immediate; rol rolw rotate_left register; }
