//! Rows made by chance: some dozens of instructions in a row, on registers full of edge cases. What they should do is
//! not known, so they serve to compare: one engine with another, and all with Spike.

use isa::csr::Csr;
use isa::encode::encoded;
use isa::{Format, Insn, Op, Operand, decode};

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

/// A generator with a seed (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
    /// A register that may be written.
    fn destination(&mut self) -> u8 {
        loop {
            let r = self.below(32) as u8;
            if r != BASE && r != ATOMIC_BASE {
                return r;
            }
        }
    }
    /// An integer register's value: edges of every width, or anything.
    fn integer(&mut self) -> u64 {
        let edge =
            self.of(&[0, 1, u64::MAX, 1 << 63, i64::MAX as u64, 1 << 31, 0x7fff_ffff, u64::from(u32::MAX)]);
        match self.below(4) {
            0 => edge,
            1 => edge.wrapping_add(self.below(5)).wrapping_sub(2),
            2 => self.next() >> self.below(64),
            _ => self.next(),
        }
    }
    /// A floating-point register's value: specials, neighbours of one, small integers, subnormals, anything; as
    /// binary64, or as binary32 or binary16 in its box or out of it.
    fn float(&mut self) -> u64 {
        let sign = self.below(2);
        let double = match self.below(6) {
            0 => self.of(&[0, 0x7ff0 << 48, 0x7ff8 << 48, 0x7ff0_0000_0000_0001, 1, 0x000f_ffff_ffff_ffff]),
            1 => (0x3ff0_u64 << 48).wrapping_add(self.below(4)).wrapping_sub(2),
            2 => (self.below(100) as f64).to_bits(),
            3 => self.next() >> 12 >> self.below(52),
            _ => self.next() >> 1,
        };
        let single = match self.below(6) {
            0 => self.of(&[0, 0x7f80_0000, 0x7fc0_0000, 0x7f80_0001, 1, 0x007f_ffff]),
            1 => 0x3f80_0000_u32.wrapping_add(self.below(4) as u32).wrapping_sub(2),
            2 => (self.below(100) as f32).to_bits(),
            3 => (self.next() as u32) >> 9 >> self.below(23),
            _ => self.next() as u32 >> 1,
        };
        let half = match self.below(6) {
            0 => self.of(&[0, 0x7c00, 0x7e00, 0x7c01, 1, 0x03ff]),
            1 => 0x3c00_u64.wrapping_add(self.below(4)).wrapping_sub(2),
            2 => self.next() & 0x3ff >> self.below(10),
            _ => self.next() & 0x7fff,
        };
        let boxed_half = !0xffff | self.below(2) << 15 | half;
        let boxed = u64::from(u32::MAX) << 32 | sign << 31 | u64::from(single);
        match self.below(8) {
            0 => u64::from(single),
            1..3 => boxed,
            3 | 4 => boxed_half,
            _ => sign << 63 | double,
        }
    }

    /// An instruction that neither traps nor leaves the straight line, whatever the registers hold.
    fn insn(&mut self, user: bool) -> Insn {
        if self.below(4) == 0 { self.compressed() } else { self.uncompressed(user) }
    }

    fn compressed(&mut self) -> Insn {
        loop {
            let Some(insn) = decode(self.below(0x1_0000) as u32).filter(|insn| insn.len == 2) else {
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
            let op = self.of(Op::ALL);
            if matches!(op.format(), Format::Bare | Format::SfenceVma | Format::Jalr) {
                continue;
            }
            let mut insn = Insn::blank(op);
            for operand in op.format().operands() {
                match operand {
                    Operand::Rd | Operand::FRd => insn.rd = self.destination(),
                    Operand::Rs1 | Operand::FRs1 => insn.rs1 = self.below(32) as u8,
                    Operand::Rs2 | Operand::FRs2 => insn.rs2 = self.below(32) as u8,
                    Operand::FRs3 => insn.rs3 = self.below(32) as u8,
                    Operand::Imm => insn.imm = self.below(4096) as i32 - 2048,
                    Operand::Shamt if op.format() == Format::Shift5 => insn.imm = self.below(32) as i32,
                    Operand::Shamt => insn.imm = self.below(64) as i32,
                    Operand::Upper => insn.imm = (self.next() as i32) & !0xfff,
                    Operand::Offset => {
                        insn.rs1 = BASE;
                        insn.imm = self.below(4096) as i32 - 2048;
                    }
                    Operand::Address => {
                        insn.rs1 = ATOMIC_BASE;
                        if op.format() != Format::CacheBlock {
                            insn.rm = self.below(4) as u8;
                        }
                    }
                    // Taken or not, the next instruction is the same.
                    Operand::Target => insn.imm = 4,
                    Operand::Csr => {
                        insn.imm = i32::from(
                            (if user { Csr::FFLAGS } else { self.of(&[Csr::MSCRATCH, Csr::FFLAGS]) }).0,
                        )
                    }
                    Operand::Zimm | Operand::Constant => insn.rs1 = self.below(32) as u8,
                    Operand::FenceSets => insn.imm = self.below(256) as i32,
                    Operand::TowardsZero | Operand::BlockOffset => {}
                    Operand::Rounding | Operand::RoundingExact => insn.rm = self.of(&[0, 1, 2, 3, 4, 7]),
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
    let insns: Vec<Insn> = (0..LENGTH).map(|_| random.insn(paged)).collect();
    let mut pc = before.pc;
    for insn in &insns {
        before.store(pc, &insn.bits.to_le_bytes()[..usize::from(insn.len)]);
        pc += u64::from(insn.len);
    }
    let title = format!("random row, seed {seed}");
    Row { title, insns, after: before.clone(), before, traps: false, in_spike: true }
}
