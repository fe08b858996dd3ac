//! Instructions' operands by chance, and what must not be touched.

use isa::csr::Csr;
use isa::{Format, Insn, Op, Operand};

use super::{ATOMIC_BASE, BASE, SP};
use crate::random_values::Random;

/// A load, a store or an atomic: it has an address.
pub(super) fn addresses(op: Op) -> bool {
    op.format()
        .operands()
        .iter()
        .any(|o| matches!(o, Operand::Offset | Operand::Address | Operand::BlockOffset))
        && op.format() != Format::Jalr
}

pub(super) fn is_control(insn: &Insn) -> bool {
    matches!(insn.op.format(), Format::B | Format::J | Format::Jalr)
        || matches!(insn.op, Op::Mret | Op::Sret | Op::Wfi)
}

/// Whether the instruction writes a register that points to the data.
pub(super) fn clobbers(insn: &Insn) -> bool {
    insn.op.format().operands().contains(&Operand::Rd) && matches!(insn.rd, SP | BASE | ATOMIC_BASE)
}

/// A register that may be written.
pub(super) fn destination(random: &mut Random) -> u8 {
    loop {
        let r = random.below(32) as u8;
        if !matches!(r, SP | BASE | ATOMIC_BASE) {
            return r;
        }
    }
}

/// `op` with operands by chance; loads and stores mostly where data is.
pub(super) fn operands(random: &mut Random, op: Op) -> Insn {
    let mut insn = Insn::blank(op);
    for operand in op.format().operands() {
        match operand {
            Operand::Rd => insn.rd = destination(random),
            Operand::FRd => insn.rd = random.below(32) as u8,
            Operand::Rs1 | Operand::FRs1 | Operand::Zimm | Operand::Constant => {
                insn.rs1 = random.below(32) as u8
            }
            Operand::Rs2 | Operand::FRs2 => insn.rs2 = random.below(32) as u8,
            Operand::FRs3 => insn.rs3 = random.below(32) as u8,
            Operand::Imm => insn.imm = random.below(4096) as i32 - 2048,
            Operand::Shamt if op.format() == Format::Shift5 => insn.imm = random.below(32) as i32,
            Operand::Shamt => insn.imm = random.below(64) as i32,
            Operand::Upper => insn.imm = (random.next() as i32) & !0xfff,
            Operand::Offset => {
                insn.rs1 = base(random);
                let near = random.below(16) as i32 - 8;
                insn.imm = if random.below(2) == 0 { near } else { random.below(4096) as i32 - 2048 };
            }
            Operand::Address => {
                insn.rs1 = if random.below(10) == 0 { base(random) } else { ATOMIC_BASE };
                if op.format() != Format::CacheBlock {
                    insn.rm = random.below(4) as u8;
                }
            }
            Operand::BlockOffset => {
                insn.rs1 = base(random);
                insn.imm = (random.below(128) as i32 - 64) * 32;
            }
            Operand::TowardsZero => {}
            Operand::Target => insn.imm = 4,
            Operand::Csr => insn.imm = i32::from(Csr::FCSR.0),
            Operand::FenceSets => insn.imm = random.below(256) as i32,
            // All modes, the reserved ones now and then.
            Operand::Rounding | Operand::RoundingExact => {
                insn.rm =
                    if random.below(32) == 0 { random.of(&[5, 6]) } else { random.of(&[0, 1, 2, 3, 4, 7]) }
            }
        }
    }
    insn
}

fn base(random: &mut Random) -> u8 {
    match random.below(20) {
        0 => random.below(32) as u8,
        1..5 => SP,
        5..8 => 10 + random.below(6) as u8,
        8..10 => ATOMIC_BASE,
        _ => BASE,
    }
}
