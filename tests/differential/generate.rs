//! Cases made by chance. A [`Plan`] is what proptest makes and shrinks: the seed of the state, passes, and a list of
//! seeds of items, any of which can be left out. [`Plan::case`] makes of it the case that is run.

use isa::csr::{Csr, menvcfg, mstatus};
use isa::{Extension, Format, Insn, IsaSet, Op, Operand, Privilege, decode, encode};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::case::Case;
use crate::item::{Item, assemble_items};
use crate::layout::Slot;
use crate::paging;
use crate::random_values::Random;

/// Registers that point into the data when a case starts: stack pointer, anywhere, and aligned for atomics.
const SP: u8 = 2;
const BASE: u8 = 8;
const ATOMIC_BASE: u8 = 9;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    pub seed: u64,
    pub passes: u64,
    pub items: Vec<u64>,
}

/// Every plan.
pub fn plans() -> impl Strategy<Value = Plan> {
    let seed = any::<u64>().no_shrink();
    (seed, 1..=12u64, vec(any::<u64>().no_shrink(), 1..64)).prop_map(|(seed, passes, items)| Plan {
        seed,
        passes,
        items,
    })
}

/// How a case runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Mode {
    privilege: Privilege,
    /// `satp.MODE`; 0 is Bare.
    translation: u64,
    /// M-mode with MPRV: only data is translated.
    mprv: bool,
}

impl Plan {
    /// The case, for a machine with the extensions of `isa`.
    pub fn case(&self, slot: Slot, isa: &IsaSet) -> Case {
        let mut random = Random(self.seed);
        let mode = Mode::random(&mut random, isa);
        let (entries, changes) = if mode.translation == 0 {
            (Vec::new(), Vec::new())
        } else {
            paging::random(&mut random, slot, mode.translation, mode.privilege == Privilege::User, isa)
        };
        let mut x = std::array::from_fn(|_| random.integer());
        let pointers: Vec<u8> =
            [SP, BASE, ATOMIC_BASE].into_iter().chain((10..16).filter(|_| random.below(3) == 0)).collect();
        for &n in &pointers {
            let aligned = n == SP || n == ATOMIC_BASE;
            let page = paging::data_address(&mut random, slot, mode.translation);
            let offset = if aligned { random.below(0x200) * 8 } else { random.of(&[0, 0, 4, 0xff8, 0x7fd]) };
            x[usize::from(n)] = page + offset;
        }
        let mstatus = mode.mstatus(&mut random);
        let csrs = mode.csrs(&mut random, mstatus, slot);
        let generator = Generator { isa, mode };
        let items: Vec<Item> = self.items.iter().map(|&seed| generator.item(&mut Random(seed))).collect();
        let code = assemble_items(&items);
        // Somewhere in the two pages, often so that it crosses from one to the other.
        let room = Slot::CODE_PAGES * 0x1000 - code.len() as u64 * 2 - 4;
        let crossing = (0x1000 - random.below(code.len() as u64 + 1) * 2).min(room);
        let code_offset = if random.below(2) == 0 { crossing } else { random.below(room / 2) * 2 };
        Case {
            slot,
            mode: mode.privilege,
            passes: self.passes,
            x,
            f: std::array::from_fn(|_| random.float()),
            fcsr: random.below(5) << 5 | random.below(32),
            mstatus,
            csrs,
            data_seed: random.next(),
            entries,
            changes,
            code_offset,
            code,
        }
    }
}

impl Mode {
    fn random(random: &mut Random, isa: &IsaSet) -> Mode {
        let privilege = random.of(&[Privilege::Machine, Privilege::Supervisor, Privilege::User]);
        let translates = random.below(3) != 0;
        let mprv = privilege == Privilege::Machine && random.below(4) == 0;
        let translated = if privilege == Privilege::Machine { mprv && translates } else { translates };
        let modes = [(8, Extension::Sv39), (9, Extension::Sv48), (10, Extension::Sv57)];
        let (mode, extension) = random.of(&modes);
        let mode = if isa.contains(extension) { mode } else { 8 };
        Mode { privilege, translation: if translated { mode } else { 0 }, mprv }
    }

    fn mstatus(self, random: &mut Random) -> u64 {
        let mut status = random.next() & (mstatus::SUM | mstatus::MXR | mstatus::TVM | mstatus::SPIE);
        if random.below(8) == 0 {
            status |= random.next() & (mstatus::TW | mstatus::TSR);
        }
        // Off, initial, clean, dirty; mostly dirty.
        let float = if random.below(20) == 0 { 0 } else { random.of(&[1, 2, 3, 3, 3, 3]) };
        status |= float << mstatus::FS_SHIFT;
        let previous = match (self.privilege, self.mprv) {
            (Privilege::Machine, true) => random.of(&[Privilege::User, Privilege::Supervisor]),
            (other, _) => other,
        };
        status |= (previous as u64) << mstatus::MPP_SHIFT;
        if self.mprv { status | mstatus::MPRV } else { status }
    }

    fn csrs(self, random: &mut Random, status: u64, slot: Slot) -> Vec<(Csr, u64)> {
        // ECALL from S-mode is how the handler there ends a pass; its SRET must not trap to itself.
        let mut kept = 1 << 9;
        if self.privilege == Privilege::Machine || status & mstatus::TSR != 0 {
            kept |= 1 << 2;
        }
        let delegated = if random.below(3) == 0 { random.next() & 0xb1ff & !kept } else { 0 };
        let mut environment = if random.below(4) == 0 { random.next() & 0xf0 } else { 0xf0 };
        // Bits of extensions that are not there are read-only.
        environment |= random.next() & (menvcfg::ADUE | menvcfg::PBMTE);
        let satp = if self.translation == 0 {
            0
        } else {
            self.translation << 60 | (random.next() & 0xffff) << 44 | slot.tables() >> 12
        };
        let counters = random.below(8);
        // Software sets interrupts pending; each is taken until the pass ends, skipping an instruction each time.
        let interrupts = random.below(8) == 0;
        vec![
            (Csr::MENVCFG, environment),
            (Csr::SENVCFG, random.of(&[0xf0, 0xf0, 0x50, 0x30, 0])),
            (Csr::MEDELEG, delegated),
            (Csr::MCOUNTEREN, counters),
            (Csr::MIE, if interrupts { random.next() & 0xaaa } else { 0 }),
            (Csr::MIDELEG, random.next()),
            (Csr::MIP, if interrupts { random.next() & random.next() } else { 0 }),
            (Csr::SCOUNTEREN, random.below(8)),
            (Csr::SATP, satp),
        ]
    }
}

/// Makes items that suit a mode.
struct Generator<'a> {
    isa: &'a IsaSet,
    mode: Mode,
}

impl Generator<'_> {
    fn item(&self, random: &mut Random) -> Item {
        match random.below(100) {
            0..42 => self.operation(random),
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

    fn control_register(&self, random: &mut Random) -> Item {
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
            if self.has(op) {
                break op;
            }
        };
        Item::Word(encode(&operands(random, op)).expect("operands fit"))
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

/// Registers whose reading and writing both machines understand alike, and that no handler needs.
const FREE: &[Csr] = &[
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

/// A load, a store or an atomic: it has an address.
fn addresses(op: Op) -> bool {
    op.format()
        .operands()
        .iter()
        .any(|o| matches!(o, Operand::Offset | Operand::Address | Operand::BlockOffset))
        && op.format() != Format::Jalr
}

fn is_control(insn: &Insn) -> bool {
    matches!(insn.op.format(), Format::B | Format::J | Format::Jalr)
        || matches!(insn.op, Op::Mret | Op::Sret | Op::Wfi)
}

/// Whether the instruction writes a register that points to the data.
fn clobbers(insn: &Insn) -> bool {
    insn.op.format().operands().contains(&Operand::Rd) && matches!(insn.rd, SP | BASE | ATOMIC_BASE)
}

/// A register that may be written.
fn destination(random: &mut Random) -> u8 {
    loop {
        let r = random.below(32) as u8;
        if !matches!(r, SP | BASE | ATOMIC_BASE) {
            return r;
        }
    }
}

/// `op` with operands by chance; loads and stores mostly where data is.
fn operands(random: &mut Random, op: Op) -> Insn {
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
