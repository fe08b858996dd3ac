//! Accesses to control and status registers.

use isa::csr::Csr;
use isa::{Insn, Op, encode};

use super::items::Generator;
use super::operands::destination;
use crate::item::Item;
use crate::random_values::Random;

impl Generator<'_> {
    pub(super) fn control_register(&self, random: &mut Random) -> Item {
        let op = random.of(&[Op::Csrrw, Op::Csrrs, Op::Csrrc, Op::Csrrwi, Op::Csrrsi, Op::Csrrci]);
        let source = if random.below(3) == 0 { 0 } else { random.below(32) as u8 };
        let (op, csr, rs1) = match random.below(5) {
            0 => (op, random.of(&[Csr::FFLAGS, Csr::FRM, Csr::FCSR]), source),
            1 => (op, random.of(&[Csr::CYCLE, Csr::INSTRET]), source),
            2 => (random.of(&[Op::Csrrs, Op::Csrrc, Op::Csrrsi, Op::Csrrci]), random.of(READ), 0),
            _ => (op, random.of(FREE), source),
        };
        // Few of those that the mode may not touch.
        if csr.required_privilege() > self.mode.privilege as u8 && random.below(8) != 0 {
            return self.control_register(random);
        }
        let insn = Insn { rd: destination(random), rs1, imm: i32::from(csr.0), ..Insn::blank(op) };
        Item::Word(encode(&insn).expect("any operands fit"))
    }
}

/// Registers whose reading and writing both machines understand alike, and that no handler needs.
pub(super) const FREE: &[Csr] = &[
    Csr::FFLAGS,
    Csr::FRM,
    Csr::FCSR,
    Csr::CYCLE,
    Csr::INSTRET,
    Csr::SCOUNTEREN,
    Csr::SSCRATCH,
    Csr::SEPC,
    Csr::SCAUSE,
    Csr::STVAL,
    Csr::SSTATUS,
    Csr::MVENDORID,
    Csr::MHARTID,
    Csr::MSCRATCH,
    Csr::MEPC,
    Csr::MCAUSE,
    Csr::MTVAL,
    Csr::MCOUNTEREN,
    Csr::MSTATUS,
    Csr::MINSTRET,
    Csr::MCYCLE,
    Csr::MIDELEG,
    Csr::MCOUNTINHIBIT,
    Csr::SIE,
    Csr::SIP,
    Csr::MIE,
    Csr::MIP,
    // Monitors, and the address of a PMP entry behind the one that matches everything.
    Csr(Csr::MHPMCOUNTER3.0 + 4),
    Csr(Csr::MHPMEVENT3.0 + 4),
    Csr(Csr::PMPADDR0.0 + 9),
];

/// Registers that are only read: a write could keep the handlers from running, or the two machines differ in what
/// a write leaves.
const READ: &[Csr] = &[
    Csr::SATP,
    Csr::STVEC,
    Csr::SIE,
    Csr::SIP,
    Csr::MEDELEG,
    Csr::MTVEC,
    Csr::MIE,
    Csr::MIP,
    Csr::MENVCFG,
    Csr::MISA,
    Csr::MIMPID,
    Csr::MCONFIGPTR,
    Csr::PMPCFG0,
    Csr::PMPADDR0,
];
