//! M: multiplication and division (unprivileged manual, chapter "M").
//!
//! Division by zero gives all ones (quotient) or the dividend (remainder); signed overflow gives the dividend
//! (quotient) or zero (remainder). The divisor is replaced by one in these cases, so that the engine's division
//! never meets them.

use super::engine::{Engine, Width};
use isa::insn::Insn;

/// Bodies of instructions that are one operation of the engine on `rs1` and `rs2`.
macro_rules! products {
    ($($name:ident)*) => {$(
        #[doc = concat!("`rd = ", stringify!($name), "(rs1, rs2)`.")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            let (a, b) = (e.x(i.rs1), e.x(i.rs2));
            let value = e.$name(a, b);
            e.set_x(i.rd, value);
            Ok(())
        }
    )*};
}
pub(super) use products;
products! { mul mulh mulhsu mulhu }

/// `rd = sext32(rs1 * rs2)`.
pub fn mulw<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    let (a, b) = (e.x(i.rs1), e.x(i.rs2));
    let wide = e.mul(a, b);
    let value = e.sext(wide, Width::Word);
    e.set_x(i.rd, value);
    Ok(())
}

/// `b`, or one where it is zero or where `a / b` overflows: a divisor that the engine can use.
fn safe_divisor<E: Engine>(e: &mut E, a: E::Val, b: E::Val) -> E::Val {
    let (zero, one, minus_one, least) = (e.imm(0), e.imm(1), e.imm(-1), e.imm(i64::MIN));
    let (is_zero, is_least, is_minus_one) = (e.eq(b, zero), e.eq(a, least), e.eq(b, minus_one));
    let overflows = e.both(is_least, is_minus_one);
    let divisor = e.select(overflows, one, b);
    e.select(is_zero, one, divisor)
}

fn signed_quotient<E: Engine>(e: &mut E, a: E::Val, b: E::Val) -> E::Val {
    let (zero, ones, divisor) = (e.imm(0), e.imm(-1), safe_divisor(e, a, b));
    let (is_zero, quotient) = (e.eq(b, zero), e.div(a, divisor));
    e.select(is_zero, ones, quotient)
}

fn signed_remainder<E: Engine>(e: &mut E, a: E::Val, b: E::Val) -> E::Val {
    let (zero, divisor) = (e.imm(0), safe_divisor(e, a, b));
    let (is_zero, remainder) = (e.eq(b, zero), e.rem(a, divisor));
    e.select(is_zero, a, remainder)
}

fn unsigned_divisor<E: Engine>(e: &mut E, b: E::Val) -> (E::Cond, E::Val) {
    let (zero, one) = (e.imm(0), e.imm(1));
    let is_zero = e.eq(b, zero);
    (is_zero, e.select(is_zero, one, b))
}

fn unsigned_quotient<E: Engine>(e: &mut E, a: E::Val, b: E::Val) -> E::Val {
    let (is_zero, divisor) = unsigned_divisor(e, b);
    let (ones, quotient) = (e.imm(-1), e.divu(a, divisor));
    e.select(is_zero, ones, quotient)
}

fn unsigned_remainder<E: Engine>(e: &mut E, a: E::Val, b: E::Val) -> E::Val {
    let (is_zero, divisor) = unsigned_divisor(e, b);
    let remainder = e.remu(a, divisor);
    e.select(is_zero, a, remainder)
}

macro_rules! divisions {
    ($($name:ident $word:ident $op:ident $extend:ident;)*) => {$(
        #[doc = concat!("`rd = ", stringify!($op), "(rs1, rs2)`.")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            let (a, b) = (e.x(i.rs1), e.x(i.rs2));
            let value = $op(e, a, b);
            e.set_x(i.rd, value);
            Ok(())
        }
        #[doc = concat!("`rd = ", stringify!($op), "(rs1, rs2)` of the low words.")]
        pub fn $word<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            let (a, b) = (e.x(i.rs1), e.x(i.rs2));
            let (a, b) = (e.$extend(a, Width::Word), e.$extend(b, Width::Word));
            let wide = $op(e, a, b);
            let value = e.sext(wide, Width::Word);
            e.set_x(i.rd, value);
            Ok(())
        }
    )*};
}
divisions! {
    div divw signed_quotient sext;
    divu divuw unsigned_quotient zext;
    rem remw signed_remainder sext;
    remu remuw unsigned_remainder zext;
}
