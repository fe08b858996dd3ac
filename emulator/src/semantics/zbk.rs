//! Zbkb, Zbkc (with Zbc) and Zbkx: bit manipulation for cryptography (unprivileged manual, chapters "B" and
//! "Cryptography Extensions: Scalar").

use super::engine::{Engine, Width};
use isa::insn::Insn;

/// The low `width` of `a`, and that of `b` above it.
fn packed<E: Engine>(e: &mut E, i: &Insn, width: Width) -> E::Val {
    let (a, b, count) = (e.x(i.rs1), e.x(i.rs2), e.imm(8 * i64::from(width.bytes())));
    let (low, high) = (e.zext(a, width), e.zext(b, width));
    let high = e.sll(high, count);
    e.or(low, high)
}

/// `rd` = the low words of `rs1` and `rs2`.
pub fn pack<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    let value = packed(e, i, Width::Word);
    e.set_x(i.rd, value);
    Ok(())
}

/// `rd` = the low bytes of `rs1` and `rs2`, zero-extended.
pub fn packh<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    let value = packed(e, i, Width::Byte);
    e.set_x(i.rd, value);
    Ok(())
}

/// `rd` = the low halfwords of `rs1` and `rs2`, sign-extended.
pub fn packw<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    let word = packed(e, i, Width::Half);
    let value = e.sext(word, Width::Word);
    e.set_x(i.rd, value);
    Ok(())
}

/// Reverses the bits of each byte: swaps neighbours, then pairs, then halves.
pub fn brev8<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    let mut value = e.x(i.rs1);
    for (count, mask) in [(1, 0x5555_5555_5555_5555), (2, 0x3333_3333_3333_3333), (4, 0x0f0f_0f0f_0f0f_0f0f)]
    {
        let (count, mask) = (e.imm(count), e.imm(mask));
        let right = e.srl(value, count);
        let (right, left) = (e.and(right, mask), e.and(value, mask));
        let left = e.sll(left, count);
        value = e.or(right, left);
    }
    e.set_x(i.rd, value);
    Ok(())
}

super::m::products! { clmul clmulh }

/// `rd` = bits 126:63 of the carry-less product.
pub fn clmulr<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    let (a, b, one, last) = (e.x(i.rs1), e.x(i.rs2), e.imm(1), e.imm(63));
    let (low, high) = (e.clmul(a, b), e.clmulh(a, b));
    let (low, high) = (e.srl(low, last), e.sll(high, one));
    let value = e.or(low, high);
    e.set_x(i.rd, value);
    Ok(())
}

/// Each element of `rs2`, of `bits` bits, chooses one of `rs1`; one that names none gives zero.
fn permuted<E: Engine>(e: &mut E, i: &Insn, bits: i64) -> E::Val {
    let (table, indices) = (e.x(i.rs1), e.x(i.rs2));
    let (mask, scale, zero) = (e.imm((1 << bits) - 1), e.imm(bits), e.imm(0));
    let count = e.imm(64 / bits);
    let mut value = zero;
    for element in 0..64 / bits {
        let at = e.imm(element * bits);
        let index = e.srl(indices, at);
        let index = e.and(index, mask);
        let place = e.mul(index, scale);
        let element = e.srl(table, place);
        let element = e.and(element, mask);
        let exists = e.ltu(index, count);
        let element = e.select(exists, element, zero);
        let element = e.sll(element, at);
        value = e.or(value, element);
    }
    value
}

/// `rd` = nibbles of `rs1` chosen by those of `rs2`.
pub fn xperm4<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    let value = permuted(e, i, 4);
    e.set_x(i.rd, value);
    Ok(())
}

/// `rd` = bytes of `rs1` chosen by those of `rs2`.
pub fn xperm8<E: Engine>(e: &mut E, i: &Insn) -> Result<(), E::Stop> {
    let value = permuted(e, i, 8);
    e.set_x(i.rd, value);
    Ok(())
}
