//! Zbs: single-bit instructions (unprivileged manual, chapter "B"). The number of the bit is the low six bits of a
//! register or an immediate.

use super::engine::Engine;
use isa::insn::Insn;

fn register<E: Engine>(e: &mut E, i: &Insn) -> E::Val {
    e.x(i.rs2)
}
fn immediate<E: Engine>(e: &mut E, i: &Insn) -> E::Val {
    e.imm(i64::from(i.imm))
}

fn mask<E: Engine>(e: &mut E, number: E::Val) -> E::Val {
    let one = e.imm(1);
    e.sll(one, number)
}
fn clear<E: Engine>(e: &mut E, a: E::Val, number: E::Val) -> E::Val {
    let (bit, ones) = (mask(e, number), e.imm(-1));
    let others = e.xor(bit, ones);
    e.and(a, others)
}
fn extract<E: Engine>(e: &mut E, a: E::Val, number: E::Val) -> E::Val {
    let (low, one) = (e.srl(a, number), e.imm(1));
    e.and(low, one)
}
fn invert<E: Engine>(e: &mut E, a: E::Val, number: E::Val) -> E::Val {
    let bit = mask(e, number);
    e.xor(a, bit)
}
fn set<E: Engine>(e: &mut E, a: E::Val, number: E::Val) -> E::Val {
    let bit = mask(e, number);
    e.or(a, bit)
}

macro_rules! single_bits {
    ($($name:ident $op:ident $number:ident;)*) => {$(
        #[doc = concat!("`rd = ", stringify!($op), "(rs1, bit ", stringify!($number), ")`.")]
        pub fn $name<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
            let (a, number) = (e.x(i.rs1), $number(e, i));
            let value = $op(e, a, number);
            e.set_x(i.rd, value);
            Ok(())
        }
    )*};
}
single_bits! {
    bclr clear register; bext extract register; binv invert register; bset set register;
    bclri clear immediate; bexti extract immediate; binvi invert immediate; bseti set immediate;
}
