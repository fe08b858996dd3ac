//! Decoding: from the bits of an instruction to [`Insn`].
//!
//! A small index, built at compile time from the table, leaves at most a handful of rows to compare. Whether
//! an instruction may execute now (privilege, `mstatus.FS`, a reserved rounding mode, an absent CSR) is not
//! asked here: those are facts of the hart, not of the encoding.
//!
//! Hints decode as the instruction whose encoding they borrow. Follows the unprivileged manual, "Base
//! Instruction Formats" and "Expanded Instruction-Length Encoding".

use crate::decode_c;
use crate::insn::{Format, Insn, Op, Operand};

/// The length in bytes of the instruction that begins with this halfword. Encodings reserved for longer
/// instructions count as four bytes and are illegal.
pub const fn insn_len(low: u16) -> u8 {
    if low & 3 == 3 { 4 } else { 2 }
}

/// Decodes an instruction; `None` if it is illegal. If its two low bits say that it is compressed, the upper
/// halfword is ignored.
pub fn decode(bits: u32) -> Option<Insn> {
    if bits & 3 != 3 {
        return decode_c::decode(low_half(bits));
    }
    let slot = slot(bits);
    let (first, end) = (usize::from(INDEX.first[slot]), usize::from(INDEX.first[slot + 1]));
    let row = INDEX.rows[first..end].iter().find(|row| bits & row.mask == row.bits)?;
    Some(operands(row, bits))
}

#[allow(clippy::cast_possible_truncation)] // the lower halfword is what is wanted
const fn low_half(bits: u32) -> u16 {
    bits as u16
}

/// Which fields of [`Insn`] an operation takes from its encoding: each a mask of the field's bits, zero for none.
#[derive(Clone, Copy)]
struct Fields {
    rd: u8,
    rs1: u8,
    rs2: u8,
    rs3: u8,
    rounding: u8,
    ordering: u8,
    has_immediate: bool,
}

impl Fields {
    const NONE: Fields =
        Fields { rd: 0, rs1: 0, rs2: 0, rs3: 0, rounding: 0, ordering: 0, has_immediate: false };

    /// Those of the operands of a format.
    const fn of(format: Format) -> Fields {
        const REGISTER: u8 = 0b1_1111;
        let mut fields = Self::NONE;
        let operands = format.operands();
        let mut i = 0;
        while i < operands.len() {
            match operands[i] {
                Operand::Rd | Operand::FRd => fields.rd = REGISTER,
                Operand::Rs1 | Operand::FRs1 | Operand::Address | Operand::Zimm | Operand::Constant => {
                    fields.rs1 = REGISTER
                }
                Operand::Rs2 | Operand::FRs2 => fields.rs2 = REGISTER,
                Operand::FRs3 => fields.rs3 = REGISTER,
                Operand::Offset | Operand::BlockOffset => {
                    fields.rs1 = REGISTER;
                    fields.has_immediate = true;
                }
                Operand::Imm | Operand::Shamt | Operand::Upper | Operand::Target => {
                    fields.has_immediate = true
                }
                Operand::Csr | Operand::FenceSets => fields.has_immediate = true,
                Operand::Rounding | Operand::RoundingExact => fields.rounding = 0b111,
                Operand::TowardsZero => {}
            }
            i += 1;
        }
        if matches!(format, Format::Amo | Format::Lr) {
            fields.ordering = 0b11;
        }
        fields
    }
}

/// The operands of a row's operation in `bits`.
fn operands(row: &Row, bits: u32) -> Insn {
    let Row { op, fields, .. } = *row;
    Insn {
        bits,
        rd: field(bits, 7) & fields.rd,
        rs1: field(bits, 15) & fields.rs1,
        rs2: field(bits, 20) & fields.rs2,
        rs3: field(bits, 27) & fields.rs3,
        rm: field(bits, 12) & fields.rounding | field(bits, 25) & fields.ordering,
        imm: if fields.has_immediate { immediate(op.format(), bits) } else { 0 },
        ..Insn::blank(op)
    }
}

/// Eight bits of the encoding, from bit `low`.
#[allow(clippy::cast_possible_truncation)] // the low eight are wanted
const fn field(bits: u32, low: u32) -> u8 {
    (bits >> low) as u8
}

/// The immediate of a format that has one (unprivileged manual, "Immediate Encoding Variants").
const fn immediate(format: Format, bits: u32) -> i32 {
    let signed = bits.cast_signed();
    match format {
        Format::Shift5 => (bits >> 20 & 0x1f).cast_signed(),
        Format::Shift6 => (bits >> 20 & 0x3f).cast_signed(),
        Format::Csr | Format::CsrImm | Format::Fence => (bits >> 20).cast_signed(),
        Format::Store | Format::FpStore => (signed >> 25 << 5) | (bits >> 7 & 0x1f).cast_signed(),
        Format::B => {
            let low = (bits >> 7 & 0x1e) | (bits >> 20 & 0x7e0) | (bits << 4 & 0x800);
            (signed >> 31 << 12) | low.cast_signed()
        }
        Format::U => (bits & 0xffff_f000).cast_signed(),
        Format::J => {
            let low = (bits >> 20 & 0x7fe) | (bits >> 9 & 0x800) | (bits & 0xf_f000);
            (signed >> 31 << 20) | low.cast_signed()
        }
        _ => signed >> 20,
    }
}

/// The index's slots: 32 major opcodes by up to 32 values of a second field.
const SLOTS: usize = 32 * 32;

/// Which slot an encoding belongs to: its major opcode, and a field that every row of that opcode fixes.
const fn slot(bits: u32) -> usize {
    let major = bits >> 2 & 0x1f;
    let minor = match major {
        // AMO and OP-FP: funct5.
        0b01011 | 0b10100 => bits >> 27,
        // MADD, MSUB, NMSUB, NMADD: the operands' format.
        0b10000..=0b10011 => bits >> 25 & 3,
        // AUIPC, LUI, JAL have no second field.
        0b00101 | 0b01101 | 0b11011 => 0,
        // All others: funct3.
        _ => bits >> 12 & 7,
    };
    (major << 5 | minor) as usize
}

/// A row, ready to be compared.
#[derive(Clone, Copy)]
struct Row {
    mask: u32,
    bits: u32,
    op: Op,
    fields: Fields,
}

/// The rows sorted by slot; those of slot `s` are `rows[first[s]..first[s + 1]]`.
struct Index {
    first: [u16; SLOTS + 1],
    rows: [Row; Op::ALL.len()],
}

static INDEX: Index = Index::new();

impl Index {
    /// Sorts the table by counting.
    const fn new() -> Index {
        let mut first = [0u16; SLOTS + 1];
        let mut i = 0;
        while i < Op::ALL.len() {
            // A slot must be a function of fixed bits, or some encodings of a row would look elsewhere.
            let (mask, bits) = (Op::ALL[i].mask(), Op::ALL[i].match_bits());
            assert!(slot(bits) == slot(bits | !mask) && bits & !mask == 0);
            first[slot(bits) + 1] += 1;
            i += 1;
        }
        let mut s = 0;
        while s < SLOTS {
            first[s + 1] += first[s];
            s += 1;
        }
        let mut next = first;
        let mut rows = [Row { mask: 0, bits: 0, op: Op::ALL[0], fields: Fields::NONE }; Op::ALL.len()];
        let mut i = 0;
        while i < Op::ALL.len() {
            let op = Op::ALL[i];
            let s = slot(op.match_bits());
            rows[next[s] as usize] =
                Row { mask: op.mask(), bits: op.match_bits(), op, fields: Fields::of(op.format()) };
            next[s] += 1;
            i += 1;
        }
        Index { first, rows }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_rows_overlap() {
        for (i, a) in Op::ALL.iter().enumerate() {
            assert_eq!(*a as usize, i);
            assert_eq!(a.match_bits() & 3, 3, "{}", a.name());
            for b in &Op::ALL[..i] {
                let both = a.mask() & b.mask();
                assert_ne!(a.match_bits() & both, b.match_bits() & both, "{} and {}", a.name(), b.name());
            }
        }
    }

    /// `check(bits, insn)`: expected fields written out, by the manual's figures.
    #[test]
    fn immediates_of_each_format() {
        fn check(bits: u32, expected: Insn) {
            assert_eq!(decode(bits), Some(Insn { bits, ..expected }), "{bits:#010x}");
        }
        let b = Insn::blank;
        check(0xfff5_8513, Insn { rd: 10, rs1: 11, imm: -1, ..b(Op::Addi) });
        check(0xfea5_ae23, Insn { rs1: 11, rs2: 10, imm: -4, ..b(Op::Sw) });
        check(0xfe00_0ee3, Insn { imm: -4, ..b(Op::Beq) });
        check(0x7e00_0fe3, Insn { imm: 4094, ..b(Op::Beq) });
        check(0x8000_00b7, Insn { rd: 1, imm: i32::MIN, ..b(Op::Lui) });
        check(0xffdf_f06f, Insn { imm: -4, ..b(Op::Jal) });
        check(0x7fff_f06f, Insn { imm: 0xf_fffe, ..b(Op::Jal) });
        check(0x43f5_5513, Insn { rd: 10, rs1: 10, imm: 63, ..b(Op::Srai) });
        check(0x41f5_551b, Insn { rd: 10, rs1: 10, imm: 31, ..b(Op::Sraiw) });
        check(0xf140_2573, Insn { rd: 10, imm: 0xf14, ..b(Op::Csrrs) });
        check(0x300f_d073, Insn { rs1: 31, imm: 0x300, ..b(Op::Csrrwi) });
        check(0x0e53_232f, Insn { rd: 6, rs1: 6, rs2: 5, rm: Insn::AQ | Insn::RL, ..b(Op::AmoswapW) });
        check(0x1a31_7143, Insn { rd: 2, rs1: 2, rs2: 3, rs3: 3, rm: 7, ..b(Op::FmaddD) });
        check(0x0ff0_000f, Insn { imm: 0xff, ..b(Op::Fence) });
    }

    #[test]
    fn reserved_encodings_are_illegal() {
        let reserved = [
            (0x0000_0000, "all zeros"),
            (0xffff_ffff, "all ones"),
            (0x1015_a52f, "lr.w with rs2"),
            (0x0205_951b, "slliw by 32"),
            (0x0000_7003, "load of funct3 7"),
            (0x0000_0173, "ecall with rd"),
            (0x5e05_8553, "fsqrt of a reserved format"),
        ];
        for (bits, what) in reserved {
            assert_eq!(decode(bits), None, "{what}");
        }
    }
}
