//! A one-line assembler for tests and tools: reads what the disassembler writes, pseudo-instructions too.
//!
//! Beyond that it takes spaces around operands, registers by number (`x10`), targets relative to the
//! instruction (`.+8`, `.-4`), and numbers in decimal or hexadecimal. It knows no labels, no relocations and
//! no compressed encodings, and `li` only for immediates of 12 bits.

use crate::csr::Csr;
use crate::disasm::{FENCE_SET, FLI_CONSTANTS, ORDERINGS, ROUNDINGS};
use crate::encode::encoded;
use crate::insn::{Format, Insn, Op, Operand};
use crate::pseudo::{Fixed, PSEUDOS};
use crate::reg::{f_from_name, x_from_name};

/// Assembles one instruction that lies at `pc`; `None` if no spelling of that mnemonic fits the operands.
pub fn assemble(text: &str, pc: u64) -> Option<Insn> {
    let text = text.trim();
    let (mnemonic, operands) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let plain = || {
        let (op, rm) = op_and_ordering(mnemonic)?;
        let insn = Insn { rm, ..Insn::blank(op) };
        parse_operands(insn, op.format().operands(), operands, pc)
    };
    let pseudo = || {
        // A spelling that exists only for a two-byte encoding is not one to assemble.
        let named = |p: &&crate::pseudo::Pseudo| {
            p.name == mnemonic && !p.when.iter().any(|fixed| matches!(fixed, Fixed::Compressed))
        };
        PSEUDOS.iter().filter(named).find_map(|p| {
            let mut insn = parse_operands(Insn::blank(p.op), p.operands, operands, pc)?;
            p.when.iter().for_each(|&fixed| fix(&mut insn, fixed));
            Some(insn)
        })
    };
    plain().and_then(|insn| encoded(&insn)).or_else(|| pseudo().and_then(|insn| encoded(&insn)))
}

fn op_and_ordering(mnemonic: &str) -> Option<(Op, u8)> {
    if let Some(op) = Op::from_name(mnemonic) {
        return Some((op, 0));
    }
    (1..4u8).rev().find_map(|rm| {
        let op = Op::from_name(mnemonic.strip_suffix(ORDERINGS[usize::from(rm)])?)?;
        matches!(op.format(), Format::Amo | Format::Lr).then_some((op, rm))
    })
}

fn fix(insn: &mut Insn, fixed: Fixed) {
    match fixed {
        Fixed::Rd(n) => insn.rd = n,
        Fixed::Rs1(n) => insn.rs1 = n,
        Fixed::Rs2(n) => insn.rs2 = n,
        Fixed::Imm(n) => insn.imm = n,
        Fixed::ImmLow(n) => insn.imm |= n,
        Fixed::SameSources => insn.rs2 = insn.rs1,
        Fixed::Compressed => {}
    }
}

fn parse_operands(mut insn: Insn, operands: &[Operand], text: &str, pc: u64) -> Option<Insn> {
    let mut words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    for &operand in operands {
        match operand {
            Operand::Rounding => insn.rm = words.next().map_or(Some(Insn::RM_DYNAMIC), rounding)?,
            Operand::RoundingExact => insn.rm = words.next().map_or(Some(0), rounding)?,
            Operand::FenceSets => insn.imm = fence_set(words.next()?)? << 4 | fence_set(words.next()?)?,
            _ => parse_operand(&mut insn, operand, words.next()?, pc)?,
        }
    }
    words.next().is_none().then_some(insn)
}

fn parse_operand(insn: &mut Insn, operand: Operand, word: &str, pc: u64) -> Option<()> {
    match operand {
        Operand::Rd => insn.rd = x_from_name(word)?,
        Operand::Rs1 => insn.rs1 = x_from_name(word)?,
        Operand::Rs2 => insn.rs2 = x_from_name(word)?,
        Operand::FRd => insn.rd = f_from_name(word)?,
        Operand::FRs1 => insn.rs1 = f_from_name(word)?,
        Operand::FRs2 => insn.rs2 = f_from_name(word)?,
        Operand::FRs3 => insn.rs3 = f_from_name(word)?,
        Operand::Imm | Operand::Shamt => insn.imm = i32::try_from(number(word)?).ok()?,
        Operand::Upper => insn.imm = upper(number(word)?)?,
        Operand::Zimm => insn.rs1 = u8::try_from(number(word)?).ok()?,
        Operand::Csr => {
            let by_number = || number(word).and_then(|n| u16::try_from(n).ok()).map(Csr);
            insn.imm = i32::from(Csr::from_name(word).or_else(by_number)?.0);
        }
        Operand::Constant => {
            let number = FLI_CONSTANTS.iter().position(|&constant| constant == word)?;
            insn.rs1 = u8::try_from(number).ok()?;
        }
        Operand::TowardsZero => return (word == ROUNDINGS[1]).then_some(()),
        Operand::Offset | Operand::Address | Operand::BlockOffset => {
            let (offset, base) = word.strip_suffix(')')?.split_once('(')?;
            insn.rs1 = x_from_name(base.trim())?;
            match offset.trim() {
                "" => {}
                offset if operand == Operand::Offset => insn.imm = i32::try_from(number(offset)?).ok()?,
                offset if operand == Operand::BlockOffset => {
                    insn.imm = i32::try_from(number(offset)?).ok().filter(|imm| imm & 31 == 0)?;
                }
                _ => return None,
            }
        }
        Operand::Target => {
            let offset = match word.strip_prefix('.') {
                Some("") => 0,
                Some(relative) => number(relative.strip_prefix('+').unwrap_or(relative))?,
                None => number(word)?.wrapping_sub_unsigned(pc),
            };
            insn.imm = i32::try_from(offset).ok()?;
        }
        Operand::Rounding | Operand::RoundingExact | Operand::FenceSets => return None,
    }
    Some(())
}

/// The upper 20 bits, given as an unsigned number or as a negative one.
fn upper(value: i64) -> Option<i32> {
    let bits = u32::try_from(if value < 0 { value + (1 << 20) } else { value }).ok()?;
    (bits < 1 << 20).then_some((bits << 12).cast_signed())
}

fn rounding(word: &str) -> Option<u8> {
    (0..8).find(|&rm| ROUNDINGS[usize::from(rm)] == word)
}

fn fence_set(word: &str) -> Option<i32> {
    if word == "0" {
        return Some(0);
    }
    word.chars().try_fold(0, |set, letter| {
        let (bit, _) = FENCE_SET.iter().find(|&&(bit, l)| l == letter && set & bit == 0)?;
        Some(set | bit)
    })
}

/// A decimal or hexadecimal number with an optional minus sign; the hexadecimal ones may use all 64 bits.
fn number(word: &str) -> Option<i64> {
    let (negative, digits) = word.strip_prefix('-').map_or((false, word), |digits| (true, digits));
    let magnitude = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    let value = magnitude.cast_signed();
    Some(if negative { value.checked_neg()? } else { value })
}
