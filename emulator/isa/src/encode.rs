//! Encoding: from [`Insn`] to the bits of a four-byte instruction. The inverse of `decode.rs`.

use crate::insn::{Format, Insn, Op, Operand};

/// The four-byte encoding of `insn`, from its `op` and operands (`len` and `bits` do not count); `None` if an
/// operand does not fit its field, or one that the format does not have is not zero.
pub fn encode(insn: &Insn) -> Option<u32> {
    let format = insn.op.format();
    // What is left of `insn` once each operand has been taken must be a blank one.
    let mut rest = Insn { len: 4, bits: 0, ..*insn };
    let mut bits = insn.op.match_bits();
    for operand in format.operands() {
        bits |= match operand {
            Operand::Rd | Operand::FRd => place(take(&mut rest.rd), 7, 5)?,
            Operand::Rs1 | Operand::FRs1 | Operand::Address | Operand::Zimm | Operand::Constant => {
                place(take(&mut rest.rs1), 15, 5)?
            }
            Operand::Rs2 | Operand::FRs2 => place(take(&mut rest.rs2), 20, 5)?,
            Operand::FRs3 => place(take(&mut rest.rs3), 27, 5)?,
            Operand::Rounding | Operand::RoundingExact => place(take(&mut rest.rm), 12, 3)?,
            Operand::TowardsZero => 0,
            Operand::Offset | Operand::BlockOffset => {
                place(take(&mut rest.rs1), 15, 5)? | immediate(format, core::mem::take(&mut rest.imm))?
            }
            Operand::Imm
            | Operand::Shamt
            | Operand::Upper
            | Operand::Target
            | Operand::Csr
            | Operand::FenceSets => immediate(format, core::mem::take(&mut rest.imm))?,
        };
    }
    if matches!(format, Format::Amo | Format::Lr) {
        bits |= place(take(&mut rest.rm), 25, 2)?;
    }
    (rest == Insn::blank(insn.op)).then_some(bits)
}

/// `insn` with `len` and `bits` of its four-byte encoding; `None` as for [`encode`].
pub fn encoded(insn: &Insn) -> Option<Insn> {
    Some(Insn { len: 4, bits: encode(insn)?, ..*insn })
}

fn take(field: &mut u8) -> u32 {
    u32::from(core::mem::take(field))
}

/// `value` at bit `low`, if it fits `width` bits.
fn place(value: u32, low: u32, width: u32) -> Option<u32> {
    (value < 1 << width).then_some(value << low)
}

/// The bits of an immediate (unprivileged manual, "Immediate Encoding Variants").
fn immediate(format: Format, imm: i32) -> Option<u32> {
    let value = imm.cast_unsigned();
    let signed = |width: u32| (imm >> (width - 1) == 0 || imm >> (width - 1) == -1).then_some(());
    match format {
        Format::Shift5 => place(value, 20, 5),
        Format::Shift6 => place(value, 20, 6),
        Format::Csr | Format::CsrImm | Format::Fence => place(value, 20, 12),
        Format::Store | Format::FpStore => {
            signed(12)?;
            Some((value >> 5 & 0x7f) << 25 | (value & 0x1f) << 7)
        }
        Format::B => {
            signed(13)?;
            let bits = (value >> 12 & 1) << 31 | (value >> 5 & 0x3f) << 25 | (value >> 1 & 0xf) << 8;
            (value & 1 == 0).then_some(bits | (value >> 11 & 1) << 7)
        }
        Format::U => (value & 0xfff == 0).then_some(value),
        Format::J => {
            signed(21)?;
            let bits = (value >> 20 & 1) << 31 | (value >> 1 & 0x3ff) << 21 | (value >> 11 & 1) << 20;
            (value & 1 == 0).then_some(bits | (value & 0xf_f000))
        }
        _ => {
            signed(12)?;
            Some((value & 0xfff) << 20)
        }
    }
}

/// The four-byte no-operation, `addi x0, x0, 0`.
pub const NOP: u32 = Op::Addi.match_bits();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode;

    /// Random bits in the free fields of every row: what decodes encodes to the same bits, and the other way.
    #[test]
    fn encode_is_the_inverse_of_decode() {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u32
        };
        for &op in Op::ALL {
            for _ in 0..2000 {
                let mut bits = op.match_bits() | random() & !op.mask();
                // The reserved fields of the fences do not decode to anything.
                match op.format() {
                    Format::Fence => bits &= 0xfff0_707f,
                    Format::FenceI => bits = op.match_bits(),
                    _ => {}
                }
                let insn = decode(bits).unwrap();
                assert_eq!(insn.op, op, "{bits:#010x}");
                assert_eq!(encode(&insn), Some(bits), "{insn:?}");
                assert_eq!(encoded(&insn), Some(insn));
            }
        }
    }

    #[test]
    fn operands_that_do_not_fit_are_refused() {
        let refused = [
            Insn { rd: 32, ..Insn::blank(Op::Addi) },
            Insn { imm: 2048, ..Insn::blank(Op::Addi) },
            Insn { imm: -2049, ..Insn::blank(Op::Sd) },
            Insn { imm: 64, ..Insn::blank(Op::Slli) },
            Insn { imm: 32, ..Insn::blank(Op::Sraiw) },
            Insn { imm: -1, ..Insn::blank(Op::Slli) },
            Insn { imm: 3, ..Insn::blank(Op::Beq) },
            Insn { imm: 4096, ..Insn::blank(Op::Beq) },
            Insn { imm: 1 << 20, ..Insn::blank(Op::Jal) },
            Insn { imm: 1, ..Insn::blank(Op::Lui) },
            Insn { imm: 0x1000, ..Insn::blank(Op::Csrrw) },
            Insn { rs2: 1, ..Insn::blank(Op::LrW) },
            Insn { rm: 4, ..Insn::blank(Op::AmoaddD) },
            Insn { rm: 8, ..Insn::blank(Op::FaddS) },
            Insn { rm: 1, ..Insn::blank(Op::FminS) },
            Insn { rs1: 1, ..Insn::blank(Op::Ecall) },
        ];
        for insn in refused {
            assert_eq!(encode(&insn), None, "{insn:?}");
        }
    }
}
