//! Sequences that change what an address or an instruction means while the case runs: `satp`, `mstatus`, `medeleg`,
//! `menvcfg`, `misa`, the entries of PMP.

use isa::csr::{Csr, menvcfg, mstatus};
use isa::{Insn, Op, Privilege};

use super::items::Generator;
use super::operands::destination;
use crate::item::Item;
use crate::layout::SLOT_BYTES;
use crate::random_values::Random;

/// Exceptions that a handler's ways can be delegated with: not ECALL from S-mode, by which a pass ends there, and not
/// illegal instructions, as which its SRET may trap.
const DELEGATED: u32 = 0xb1ff & !(1 << 9 | 1 << 2);
/// The extensions that can be switched off and on without the handlers or the addresses of instructions minding.
const SWITCHED: u32 = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 5 | 1 << 12;

impl Generator<'_> {
    /// A change of state that suits the mode, if there is one.
    pub(super) fn state(&self, random: &mut Random) -> Option<Item> {
        let scratch = loop {
            let r = destination(random).max(1);
            if r != 28 {
                break r;
            }
        };
        let fence = Insn::blank(Op::SfenceVma);
        let supervisor = self.mode.privilege != Privilege::User;
        let machine = self.mode.privilege == Privilege::Machine;
        match random.below(6) {
            2 if machine && self.mode.pmp => Some(self.pmp(random, scratch)),
            0..3 if machine && self.mode.misa => {
                let mut value = SWITCHED & random.next() as u32;
                if random.below(16) == 0 {
                    value |= 1 << 2;
                }
                Some(set(random, scratch, Csr::MISA, value))
            }
            0 | 1 if supervisor => self.satp(random, scratch),
            3 if machine => {
                let rights = [mstatus::MPRV, mstatus::MPP, mstatus::SUM, mstatus::MXR];
                let bits = random.of(&rights) | random.of(&rights);
                Some(set(random, scratch, Csr::MSTATUS, bits as u32))
            }
            3 if supervisor => {
                let bits = random.of(&[mstatus::SUM, mstatus::MXR, mstatus::SUM | mstatus::MXR]);
                Some(set(random, scratch, Csr::SSTATUS, bits as u32))
            }
            4 if machine && !self.mode.pmp => {
                let delegated = DELEGATED & random.next() as u32;
                Some(set(random, scratch, Csr::MEDELEG, delegated))
            }
            5 if machine => {
                let (value, bit) = match random.below(3) {
                    0 => (1 + random.below(15), 4),
                    _ => (1, random.of(&[menvcfg::ADUE, menvcfg::PBMTE]).trailing_zeros()),
                };
                Some(Item::sequence(&[
                    Insn { rd: scratch, imm: value as i32, ..Insn::blank(Op::Addi) },
                    Insn { rd: scratch, rs1: scratch, imm: bit as i32, ..Insn::blank(Op::Slli) },
                    access(random, Csr::MENVCFG, scratch),
                    fence,
                ]))
            }
            _ => None,
        }
    }

    /// Another mode of translation by the same tables, or none where code is executed at physical addresses; then a
    /// fence, for the tables may be others.
    fn satp(&self, random: &mut Random, scratch: u8) -> Option<Item> {
        let (mode, i) = (self.mode, Insn::blank);
        // An instruction that an interrupt skips would leave any value.
        if mode.translation == 0 || mode.interrupts {
            return None;
        }
        let other = 8 + random.below(mode.translation - 7);
        let (to, root) = match random.below(8) {
            // Modes that do not exist: nothing changes.
            0 => (random.of(&[1, 7, 11, 15]), 0),
            1 | 2 if mode.physical || mode.privilege == Privilege::Machine => (0, 0),
            // Schemes with fewer levels begin at a later table.
            _ => (other, mode.translation - other),
        };
        let page = (self.slot.tables() >> 12) + root;
        let (high, low) = (page >> 12 << 12, page & 0xfff);
        assert!(low < 0x800, "it is added as a number with a sign");
        let asid = if random.below(4) == 0 { 0 } else { random.below(0x800) };
        Some(Item::sequence(&[
            Insn { rd: scratch, imm: to as i32, ..i(Op::Addi) },
            Insn { rd: scratch, rs1: scratch, imm: 16, ..i(Op::Slli) },
            Insn { rd: scratch, rs1: scratch, imm: asid as i32, ..i(Op::Addi) },
            Insn { rd: scratch, rs1: scratch, imm: 44, ..i(Op::Slli) },
            Insn { rd: 28, imm: high as i32, ..i(Op::Lui) },
            Insn { rd: 28, rs1: 28, imm: low as i32, ..i(Op::Addi) },
            Insn { rd: scratch, rs1: scratch, rs2: 28, ..i(Op::Or) },
            Insn { rd: destination(random), rs1: scratch, imm: i32::from(Csr::SATP.0), ..i(Op::Csrrw) },
            i(Op::SfenceVma),
        ]))
    }

    /// An entry moves to another place in the slot, or its rights change; then a fence, for PMP may be looked at when a
    /// translation is made.
    fn pmp(&self, random: &mut Random, scratch: u8) -> Item {
        let i = Insn::blank;
        let number = random.below(14) as i32 + 2;
        let rd = destination(random);
        match random.below(4) {
            // Bits that are cleared lock nothing.
            0 => {
                let csr = Csr(Csr::PMPCFG0.0 + random.below(2) as u16 * 2);
                let clear = Insn { rd, rs1: scratch, imm: i32::from(csr.0), ..i(Op::Csrrc) };
                Item::sequence(&[clear, i(Op::SfenceVma)])
            }
            // Entry 8.
            1 => {
                let op = random.of(&[Op::Csrrsi, Op::Csrrci]);
                let imm = i32::from(Csr::PMPCFG0.0 + 2);
                let write = Insn { rd, rs1: random.below(32) as u8, imm, ..i(op) };
                Item::sequence(&[write, i(Op::SfenceVma)])
            }
            _ => {
                let size = random.below(10);
                let word = (self.slot.base() + random.below(SLOT_BYTES)) >> 2 >> size << size;
                let napot = random.below(2) * (((1 << size) - 1) >> 1);
                let [upper, lower] = load(scratch, (word | napot) as u32);
                let csr = i32::from(Csr::PMPADDR0.0) + number;
                let write = Insn { rd, rs1: scratch, imm: csr, ..i(Op::Csrrw) };
                Item::sequence(&[upper, lower, write, i(Op::SfenceVma)])
            }
        }
    }
}

/// Sets or clears the bits `value` of a register.
fn set(random: &mut Random, scratch: u8, csr: Csr, value: u32) -> Item {
    let [upper, lower] = load(scratch, value);
    Item::sequence(&[upper, lower, access(random, csr, scratch)])
}

/// The register becomes the value.
fn load(rd: u8, value: u32) -> [Insn; 2] {
    let value = value.cast_signed();
    let low = value << 20 >> 20;
    let upper = Insn { rd, imm: value.wrapping_sub(low), ..Insn::blank(Op::Lui) };
    [upper, Insn { rd, rs1: rd, imm: low, ..Insn::blank(Op::Addi) }]
}

fn access(random: &mut Random, csr: Csr, rs1: u8) -> Insn {
    let op = random.of(&[Op::Csrrs, Op::Csrrc]);
    Insn { rd: destination(random), rs1, imm: i32::from(csr.0), ..Insn::blank(op) }
}
