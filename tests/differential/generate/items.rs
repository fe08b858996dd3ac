//! Items of every class, by chance, such as suit a case's mode.

use isa::csr::{Csr, mstatus};
use isa::{Format, IsaSet, Op, Operand, Privilege, decode, encode};

use super::csrs::FREE;
use super::mode::Mode;
use super::operands::{addresses, clobbers, destination, is_control, operands};
use crate::item::Item;
use crate::layout::Slot;
use crate::random_values::Random;

/// Makes items that suit a mode.
pub(super) struct Generator<'a> {
    pub(super) isa: &'a IsaSet,
    pub(super) mode: Mode,
    pub(super) slot: Slot,
}

impl Generator<'_> {
    pub(super) fn item(&self, random: &mut Random) -> Item {
        match random.below(100) {
            0..2 => self.state(random).unwrap_or_else(|| self.operation(random)),
            2..42 => self.operation(random),
            42..62 => self.compressed(random),
            62..76 => self.memory(random),
            76..82 => self.control_register(random),
            82..89 => self.jump(random),
            89..94 => self.raw(random),
            94..97 => self.system(random),
            97..98 => self.special(random),
            _ => self.floating(random),
        }
    }

    fn has(&self, op: Op) -> bool {
        self.isa.contains(op.extension())
    }

    /// Any instruction but those that have a turn of their own.
    fn operation(&self, random: &mut Random) -> Item {
        self.of_formats(random, |op| {
            !matches!(
                op.format(),
                Format::B
                    | Format::J
                    | Format::Jalr
                    | Format::Bare
                    | Format::Csr
                    | Format::CsrImm
                    | Format::SfenceVma
                    | Format::Load
                    | Format::Store
                    | Format::FpLoad
                    | Format::FpStore
                    | Format::Amo
                    | Format::Lr
            ) && !addresses(op)
        })
    }

    fn floating(&self, random: &mut Random) -> Item {
        let float = |op: Op| op.format().operands().iter().any(|o| matches!(o, Operand::FRd | Operand::FRs1));
        self.of_formats(random, |op| float(op) && !addresses(op))
    }

    fn memory(&self, random: &mut Random) -> Item {
        self.of_formats(random, addresses)
    }

    /// An instruction of those that `suits` names, with operands by chance.
    fn of_formats(&self, random: &mut Random, suits: impl Fn(Op) -> bool) -> Item {
        loop {
            let op = random.of(Op::ALL);
            if !self.has(op) || !suits(op) {
                continue;
            }
            let insn = operands(random, op);
            if !clobbers(&insn)
                && let Some(bits) = encode(&insn)
            {
                return Item::Word(bits);
            }
        }
    }

    fn compressed(&self, random: &mut Random) -> Item {
        loop {
            let half = random.next() as u16;
            if half & 3 == 3 {
                continue;
            }
            match decode(u32::from(half)) {
                Some(insn) if clobbers(&insn) || is_control(&insn) => continue,
                // Few of the illegal ones: each costs a trap.
                None if random.below(10) != 0 => continue,
                _ => return Item::Half(half),
            }
        }
    }

    fn jump(&self, random: &mut Random) -> Item {
        let skip = random.below(6) as u8;
        let (any, rs1) = (destination(random), destination(random).max(1));
        let rd = random.of(&[0, 1, 5, any]);
        match random.below(12) {
            0..5 => {
                let op = random.of(&[Op::Beq, Op::Bne, Op::Blt, Op::Bge, Op::Bltu, Op::Bgeu]);
                Item::Branch { op, rs1: random.below(32) as u8, rs2: random.below(32) as u8, skip }
            }
            5..8 => {
                let op = random.of(&[Op::Beq, Op::Bne]);
                Item::ShortBranch { op, rs1: 8 + random.below(8) as u8, skip }
            }
            8 => Item::Jump { rd, skip, short: true },
            9 => Item::Jump { rd, skip, short: false },
            _ => Item::Indirect { rd, rs1, skip, odd: random.below(2) == 0, short: random.below(2) == 0 },
        }
    }

    /// A word of no origin, or a near miss of an instruction.
    fn raw(&self, random: &mut Random) -> Item {
        loop {
            let bits = match random.below(3) {
                0 => random.next() as u32 | 3,
                _ => {
                    let op = random.of(Op::ALL);
                    let free = random.next() as u32 & !op.mask();
                    let flipped = 1 << random.below(32);
                    (op.match_bits() | free) ^ if random.below(2) == 0 { flipped } else { 0 } | 3
                }
            };
            if self.may_be_run(bits) {
                return Item::Word(bits);
            }
        }
    }

    /// Whether a word of no origin can do no harm to the run, and both machines have what it names.
    fn may_be_run(&self, bits: u32) -> bool {
        if bits & 0x7f == 0x73 && bits >> 12 & 7 != 0 {
            let csr = Csr((bits >> 20) as u16);
            let allowed = csr.required_privilege() <= self.mode.privilege as u8;
            return !allowed || FREE.contains(&csr);
        }
        // Reserved lengths, and what belongs to extensions that the other machine may have.
        match decode(bits) {
            Some(insn) if !self.has(insn.op) => false,
            Some(insn) => !clobbers(&insn) && !is_control(&insn) && !matches!(insn.op, Op::Wfi),
            None => bits & 0x1f != 0x1f,
        }
    }

    fn system(&self, random: &mut Random) -> Item {
        let op = loop {
            let op = random.of(SYSTEM);
            if self.has(op) && (op != Op::Wfi || self.traps_waiting()) {
                break op;
            }
        };
        Item::Word(encode(&operands(random, op)).expect("operands fit"))
    }

    /// Whether WFI is illegal for as long as the case runs: it would wait for ever.
    fn traps_waiting(&self) -> bool {
        match self.mode.privilege {
            Privilege::User => true,
            Privilege::Supervisor => self.mode.status & mstatus::TW != 0,
            Privilege::Machine => false,
        }
    }

    fn special(&self, random: &mut Random) -> Item {
        let (skip, rs1) = (random.below(6) as u8, destination(random).max(1));
        match random.below(8) {
            0 => Item::Wild { rs1: random.below(32) as u8, imm: random.below(4096) as i16 - 2048 },
            1..4 => Item::Return { supervisor: random.below(2) == 0, rs1, skip },
            _ => {
                let near = |random: &mut Random| random.below(40) as i16 * 2 - 8;
                let (from, to) = (near(random), 16 + near(random).abs());
                Item::Modify { rs1, from, to, fence: random.below(2) == 0 }
            }
        }
    }
}

/// Instructions that are their own class.
const SYSTEM: &[Op] = &[
    Op::Ecall,
    Op::Wfi,
    Op::Ebreak,
    Op::Fence,
    Op::FenceI,
    Op::SfenceVma,
    Op::SinvalVma,
    Op::SfenceWInval,
    Op::SfenceInvalIr,
    Op::WrsNto,
    Op::WrsSto,
];
