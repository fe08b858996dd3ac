//! Decoding of compressed instructions: each expands to an instruction of the table with `len = 2`.
//!
//! Reserved encodings are illegal (those of Zcmop among them); hints expand to the base instruction that they
//! look like. Which extension an encoding belongs to is `gate`'s to say. Follows the
//! unprivileged manual, `"C" Extension for Compressed Instructions`, "RVC Instruction Set Listings".

use crate::insn::{Insn, Op};
use crate::reg::{RA, SP, ZERO};

/// Expands a compressed instruction; `None` if it is illegal.
pub(crate) fn decode(half: u16) -> Option<Insn> {
    let c = Compressed(half);
    let insn = match half & 3 {
        0 => quadrant_0(c),
        1 => quadrant_1(c),
        2 => quadrant_2(c),
        _ => None,
    }?;
    Some(Insn { len: 2, bits: u32::from(half), ..insn })
}

fn quadrant_0(c: Compressed) -> Option<Insn> {
    let (rd, rs1) = (c.reg_low(2), c.reg_low(7));
    match c.funct3() {
        0 => {
            // c.addi4spn; a zero immediate is reserved, and so is the encoding of all zeros.
            let imm = c.field(11, 2) << 4 | c.field(7, 4) << 6 | c.field(6, 1) << 2 | c.field(5, 1) << 3;
            (imm != 0).then(|| addi(rd, SP, imm))
        }
        1 => Some(load(Op::Fld, rd, rs1, c.offset_d())),
        2 => Some(load(Op::Lw, rd, rs1, c.offset_w())),
        3 => Some(load(Op::Ld, rd, rs1, c.offset_d())),
        4 => short_access(c),
        5 => Some(store(Op::Fsd, rd, rs1, c.offset_d())),
        6 => Some(store(Op::Sw, rd, rs1, c.offset_w())),
        7 => Some(store(Op::Sd, rd, rs1, c.offset_d())),
        _ => None,
    }
}

/// Loads and stores of bytes and halfwords (Zcb).
fn short_access(c: Compressed) -> Option<Insn> {
    let (rd, rs1) = (c.reg_low(2), c.reg_low(7));
    let byte_offset = c.field(6, 1) | c.field(5, 1) << 1;
    let half_offset = c.field(5, 1) << 1;
    match (c.field(10, 3), c.field(6, 1)) {
        (0, _) => Some(load(Op::Lbu, rd, rs1, byte_offset)),
        (1, 0) => Some(load(Op::Lhu, rd, rs1, half_offset)),
        (1, _) => Some(load(Op::Lh, rd, rs1, half_offset)),
        (2, _) => Some(store(Op::Sb, rd, rs1, byte_offset)),
        (3, 0) => Some(store(Op::Sh, rd, rs1, half_offset)),
        _ => None,
    }
}

fn quadrant_1(c: Compressed) -> Option<Insn> {
    let rd = c.rd();
    match c.funct3() {
        // c.addi; c.nop and its hints have rd = x0.
        0 => Some(addi(rd, rd, c.imm6())),
        1 => (rd != ZERO).then(|| Insn { rd, rs1: rd, imm: c.imm6(), ..Insn::blank(Op::Addiw) }),
        2 => Some(addi(rd, ZERO, c.imm6())),
        3 if rd == SP => {
            // c.addi16sp
            let low = c.field(6, 1) << 4 | c.field(2, 1) << 5 | c.field(5, 1) << 6 | c.field(3, 2) << 7;
            let imm = c.sign(9) | low;
            (imm != 0).then(|| addi(SP, SP, imm))
        }
        3 => (c.imm6() != 0).then(|| Insn { rd, imm: c.imm6() << 12, ..Insn::blank(Op::Lui) }),
        4 => arithmetic(c),
        5 => Some(Insn { rd: ZERO, imm: c.jump_offset(), ..Insn::blank(Op::Jal) }),
        6 => Some(branch(Op::Beq, c)),
        _ => Some(branch(Op::Bne, c)),
    }
}

/// The register-to-register and immediate operations on `rd'` (quadrant 1, funct3 = 4).
fn arithmetic(c: Compressed) -> Option<Insn> {
    let rd = c.reg_low(7);
    let immediate = |op, imm| Insn { rd, rs1: rd, imm, ..Insn::blank(op) };
    let insn = match (c.field(10, 2), c.field(12, 1), c.field(5, 2)) {
        (0, ..) => immediate(Op::Srli, c.shamt()),
        (1, ..) => immediate(Op::Srai, c.shamt()),
        (2, ..) => immediate(Op::Andi, c.imm6()),
        (_, high, low) => {
            let op = match (high, low) {
                (0, 0) => Op::Sub,
                (0, 1) => Op::Xor,
                (0, 2) => Op::Or,
                (0, _) => Op::And,
                (_, 0) => Op::Subw,
                (_, 1) => Op::Addw,
                (_, 2) => Op::Mul,
                _ => return extend(c),
            };
            Insn { rd, rs1: rd, rs2: c.reg_low(2), ..Insn::blank(op) }
        }
    };
    Some(insn)
}

/// Extensions and the complement of `rd'` (Zcb).
fn extend(c: Compressed) -> Option<Insn> {
    let rd = c.reg_low(7);
    let unary = |op, imm| Insn { rd, rs1: rd, imm, ..Insn::blank(op) };
    match c.field(2, 3) {
        0 => Some(unary(Op::Andi, 0xff)),
        1 => Some(unary(Op::SextB, 0)),
        2 => Some(unary(Op::Packw, 0)),
        3 => Some(unary(Op::SextH, 0)),
        4 => Some(unary(Op::AddUw, 0)),
        5 => Some(unary(Op::Xori, -1)),
        _ => None,
    }
}

fn quadrant_2(c: Compressed) -> Option<Insn> {
    let (rd, rs2) = (c.rd(), c.rs2());
    match c.funct3() {
        0 => Some(Insn { rd, rs1: rd, imm: c.shamt(), ..Insn::blank(Op::Slli) }),
        1 => Some(load(Op::Fld, rd, SP, c.offset_sp_d())),
        2 => (rd != ZERO).then(|| load(Op::Lw, rd, SP, c.offset_sp_w())),
        3 => (rd != ZERO).then(|| load(Op::Ld, rd, SP, c.offset_sp_d())),
        4 => match (c.field(12, 1), rd, rs2) {
            (0, ZERO, ZERO) => None,
            (0, _, ZERO) => Some(Insn { rd: ZERO, rs1: rd, ..Insn::blank(Op::Jalr) }),
            (0, ..) => Some(Insn { rd, rs1: ZERO, rs2, ..Insn::blank(Op::Add) }),
            (_, ZERO, ZERO) => Some(Insn::blank(Op::Ebreak)),
            (_, _, ZERO) => Some(Insn { rd: RA, rs1: rd, ..Insn::blank(Op::Jalr) }),
            _ => Some(Insn { rd, rs1: rd, rs2, ..Insn::blank(Op::Add) }),
        },
        5 => Some(store(Op::Fsd, rs2, SP, c.offset_sp_store_d())),
        6 => Some(store(Op::Sw, rs2, SP, c.offset_sp_store_w())),
        _ => Some(store(Op::Sd, rs2, SP, c.offset_sp_store_d())),
    }
}

fn addi(rd: u8, rs1: u8, imm: i32) -> Insn {
    Insn { rd, rs1, imm, ..Insn::blank(Op::Addi) }
}

fn load(op: Op, rd: u8, rs1: u8, imm: i32) -> Insn {
    Insn { rd, rs1, imm, ..Insn::blank(op) }
}

fn store(op: Op, rs2: u8, rs1: u8, imm: i32) -> Insn {
    Insn { rs1, rs2, imm, ..Insn::blank(op) }
}

fn branch(op: Op, c: Compressed) -> Insn {
    Insn { rs1: c.reg_low(7), rs2: ZERO, imm: c.branch_offset(), ..Insn::blank(op) }
}

/// A compressed instruction and its fields.
#[derive(Clone, Copy)]
struct Compressed(u16);

impl Compressed {
    fn funct3(self) -> u16 {
        self.0 >> 13
    }
    /// `width` bits from bit `low`, unsigned.
    fn field(self, low: u32, width: u32) -> i32 {
        i32::from(self.0) >> low & ((1 << width) - 1)
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // five bits
    fn reg(self, low: u32) -> u8 {
        self.field(low, 5) as u8
    }
    /// `rd` or `rs1`, all registers.
    fn rd(self) -> u8 {
        self.reg(7)
    }
    /// `rs2`, all registers.
    fn rs2(self) -> u8 {
        self.reg(2)
    }
    /// One of `x8`..`x15` (or `f8`..`f15`), in three bits.
    fn reg_low(self, low: u32) -> u8 {
        8 | self.reg(low) & 7
    }
    /// Bit 12 as the sign: bits `bit` and above of an immediate.
    fn sign(self, bit: u32) -> i32 {
        -self.field(12, 1) << bit
    }
    fn imm6(self) -> i32 {
        self.sign(5) | self.field(2, 5)
    }
    fn shamt(self) -> i32 {
        self.field(12, 1) << 5 | self.field(2, 5)
    }
    fn offset_w(self) -> i32 {
        self.field(10, 3) << 3 | self.field(6, 1) << 2 | self.field(5, 1) << 6
    }
    fn offset_d(self) -> i32 {
        self.field(10, 3) << 3 | self.field(5, 2) << 6
    }
    fn offset_sp_w(self) -> i32 {
        self.field(12, 1) << 5 | self.field(4, 3) << 2 | self.field(2, 2) << 6
    }
    fn offset_sp_d(self) -> i32 {
        self.field(12, 1) << 5 | self.field(5, 2) << 3 | self.field(2, 3) << 6
    }
    fn offset_sp_store_w(self) -> i32 {
        self.field(9, 4) << 2 | self.field(7, 2) << 6
    }
    fn offset_sp_store_d(self) -> i32 {
        self.field(10, 3) << 3 | self.field(7, 3) << 6
    }
    fn branch_offset(self) -> i32 {
        let low =
            self.field(3, 2) << 1 | self.field(10, 2) << 3 | self.field(2, 1) << 5 | self.field(5, 2) << 6;
        self.sign(8) | low
    }
    fn jump_offset(self) -> i32 {
        let low =
            self.field(3, 3) << 1 | self.field(11, 1) << 4 | self.field(2, 1) << 5 | self.field(7, 1) << 6;
        self.sign(11) | low | self.field(6, 1) << 7 | self.field(9, 2) << 8 | self.field(8, 1) << 10
    }
}
