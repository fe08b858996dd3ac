//! Rows made by chance: some dozens of instructions in a row, on registers full of edge cases. What they should do is
//! not known, so they serve to compare: one engine with another, and all with Spike.

use isa::csr::Csr;
use isa::encode::encoded;
use isa::{Format, Insn, Op, Operand, decode};

use crate::random_values::Random;
use crate::row::{Row, read_rows};
use crate::state::State;

/// Instructions of a row.
const LENGTH: usize = 48;
/// Registers that hold addresses, which no instruction writes: the middle of the data, for loads and stores with
/// any offset, and an aligned address for atomics.
const BASE: u8 = 8;
const ATOMIC_BASE: u8 = 9;
/// The data of a row in M-mode, and of one in U-mode.
const PHYSICAL_DATA: u64 = 0x8000_2000;
const VIRTUAL_DATA: u64 = 0x5000;
/// U-mode, the two pages of data in the order that they do not have in RAM, A and D still to be set by the walker.
const PAGED: &str = "nop : priv=U menvcfg=0x20000000000000f0 senvcfg=0xf0 map[0x5000]=0x80003000/rwu map[0x6000]=0x80002000/rwu =>";

/// Instructions made by chance.
struct Instructions(Random);

impl Instructions {
    /// A register that may be written.
    fn destination(&mut self) -> u8 {
        loop {
            let r = self.0.below(32) as u8;
            if r != BASE && r != ATOMIC_BASE {
                return r;
            }
        }
    }
    /// An instruction that neither traps nor leaves the straight line, whatever the registers hold.
    fn insn(&mut self, user: bool) -> Insn {
        if self.0.below(4) == 0 { self.compressed() } else { self.uncompressed(user) }
    }

    fn compressed(&mut self) -> Insn {
        loop {
            let Some(insn) = decode(self.0.below(0x1_0000) as u32).filter(|insn| insn.len == 2) else {
                continue;
            };
            let writes_a_base = insn.rd == BASE || insn.rd == ATOMIC_BASE;
            let fits = match insn.op.format() {
                Format::I | Format::R | Format::Unary | Format::Shift6 | Format::Shift5 | Format::U => {
                    !writes_a_base
                }
                Format::Load => (insn.rs1 == BASE || insn.rs1 == ATOMIC_BASE) && !writes_a_base,
                Format::Store | Format::FpLoad | Format::FpStore => {
                    insn.rs1 == BASE || insn.rs1 == ATOMIC_BASE
                }
                _ => false,
            };
            if fits {
                return insn;
            }
        }
    }

    fn uncompressed(&mut self, user: bool) -> Insn {
        loop {
            let op = self.0.of(Op::ALL);
            if matches!(op.format(), Format::Bare | Format::SfenceVma | Format::Jalr) {
                continue;
            }
            let mut insn = Insn::blank(op);
            for operand in op.format().operands() {
                match operand {
                    Operand::Rd | Operand::FRd => insn.rd = self.destination(),
                    Operand::Rs1 | Operand::FRs1 => insn.rs1 = self.0.below(32) as u8,
                    Operand::Rs2 | Operand::FRs2 => insn.rs2 = self.0.below(32) as u8,
                    Operand::FRs3 => insn.rs3 = self.0.below(32) as u8,
                    Operand::Imm => insn.imm = self.0.below(4096) as i32 - 2048,
                    Operand::Shamt if op.format() == Format::Shift5 => insn.imm = self.0.below(32) as i32,
                    Operand::Shamt => insn.imm = self.0.below(64) as i32,
                    Operand::Upper => insn.imm = (self.0.next() as i32) & !0xfff,
                    Operand::Offset => {
                        insn.rs1 = BASE;
                        insn.imm = self.0.below(4096) as i32 - 2048;
                    }
                    Operand::Address => {
                        insn.rs1 = ATOMIC_BASE;
                        if op.format() != Format::CacheBlock {
                            insn.rm = self.0.below(4) as u8;
                        }
                    }
                    // Taken or not, the next instruction is the same.
                    Operand::Target => insn.imm = 4,
                    Operand::Csr => {
                        insn.imm = i32::from(
                            (if user { Csr::FFLAGS } else { self.0.of(&[Csr::MSCRATCH, Csr::FFLAGS]) }).0,
                        )
                    }
                    Operand::Zimm | Operand::Constant => insn.rs1 = self.0.below(32) as u8,
                    Operand::FenceSets => insn.imm = self.0.below(256) as i32,
                    Operand::TowardsZero | Operand::BlockOffset => {}
                    Operand::Rounding | Operand::RoundingExact => insn.rm = self.0.of(&[0, 1, 2, 3, 4, 7]),
                }
            }
            return encoded(&insn).expect("operands chosen to fit");
        }
    }
}

/// The row of a seed. Its `after` is only its `before`: what it does is for an engine to say.
pub fn random_row(seed: u64) -> Row {
    let mut random = Random(seed);
    let paged = seed % 2 == 1;
    let mut before = State::initial();
    if paged {
        before = read_rows("random.rs", PAGED).next().expect("a row").before;
    }
    for n in 1..32 {
        before.x[n] = random.integer();
    }
    let data = if paged { VIRTUAL_DATA } else { PHYSICAL_DATA };
    before.x[usize::from(BASE)] = data + 0x1000;
    before.x[usize::from(ATOMIC_BASE)] = data + 0xa40;
    before.f = std::array::from_fn(|_| random.float());
    before.set_csr(Csr::FCSR, random.below(5) << 5 | random.below(32));
    for pa in (PHYSICAL_DATA..PHYSICAL_DATA + 0x2000).step_by(8) {
        before.store(pa, &random.integer().to_le_bytes());
    }
    let mut instructions = Instructions(random);
    let insns: Vec<Insn> = (0..LENGTH).map(|_| instructions.insn(paged)).collect();
    let mut pc = before.pc;
    for insn in &insns {
        before.store(pc, &insn.bits.to_le_bytes()[..usize::from(insn.len)]);
        pc += u64::from(insn.len);
    }
    let title = format!("random row, seed {seed}");
    Row { title, insns, after: before.clone(), before, traps: false, in_spike: true }
}
