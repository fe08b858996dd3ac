//! Random programs in which everything meets everything: loads, stores, atomics and instructions over two pages, into code,
//! into page tables, through several names of one frame; code among the entries that map it; A and D set by the walker and
//! cleared again behind its back; fences now and then.

use emulator::exec::Observer;
use emulator::loader::Boot;
use emulator::machine::{Machine, MachineConfig};
use isa::asm::assemble;
use isa::encode::encode;
use isa::insn::{Format, Op};
use isa::platform::RAM_BASE;
use isa::{Insn, Operand, Step};

use crate::GEOMETRIES;
use crate::lost_code::{Loss, Losses};
use crate::random_values::Random;

const RAM_BYTES: u64 = 256 << 10;
/// Offsets in RAM: the prologue, the registers that it loads, the handler, code, data, page tables.
const VALUES: u64 = 0x200;
const HANDLER: u64 = 0x400;
const CODE: u64 = 0x1_0000;
const DATA: u64 = 0x1_8000;
const ROOT: u64 = 0x2_0000;
const LEVEL_1: u64 = 0x2_1000;
const LEVEL_0: u64 = 0x2_2000;
const END: u64 = 0x2_3000;
/// Virtual: pages mapped one by one, and all of RAM again by a 2 MiB leaf.
const WINDOW: u64 = 0x4000_0000;
const LARGE: u64 = WINDOW + 0x20_0000;
/// Pages of the window: code, code by other names, data, the table that maps them.
const PAGES: u64 = 32;
/// The first entry of that table that maps nothing: code lies from there on.
const FREE_ENTRY: u64 = 40;

/// Registers that hold addresses; no instruction of the program's own writes them.
const POINTERS: std::ops::Range<u8> = 16..32;
const VALUES_IN: std::ops::Range<u8> = 5..16;

/// What all trials together did.
#[derive(Default, Debug)]
pub struct Seen {
    pub trials: u64,
    pub steps: u64,
    /// Instructions of the random code, which is all that is translated: fetches over two pages count two.
    pub fetches: u64,
    pub fetch_misses: u64,
    pub data_accesses: u64,
    pub data_misses: u64,
}

struct Nobody;
impl Observer for Nobody {}

/// Runs trials until so many instructions have been compared.
pub fn run(first_seed: u64, instructions: u64) -> Seen {
    let mut seen = Seen::default();
    for seed in first_seed.. {
        if seen.fetches >= instructions {
            break;
        }
        trial(seed, &mut seen);
    }
    seen
}

fn trial(seed: u64, seen: &mut Seen) {
    let mut random = Random(seed);
    let harts = if random.below(8) == 0 { 2 } else { 1 };
    let geometry = GEOMETRIES[(seed % 3) as usize];
    let image = image(&mut random);
    let machine = || {
        let tlb = geometry.parse().unwrap();
        let config = MachineConfig { ram_bytes: RAM_BYTES, tlb, harts, ..MachineConfig::default() };
        let mut machine = Machine::new(config).unwrap();
        machine.boot(&Boot::bare(&image)).unwrap();
        machine
    };
    let until = Step(if harts == 1 { 8_000 } else { 24_000 });
    let mut whole = machine();
    let reason = whole.run(until);
    let check = |how: &str, found: (emulator::machine::StopReason, Machine)| {
        let (its_reason, cut) = found;
        let facts = |m: &Machine| (m.steps(), m.instructions(), m.tlb_counters(), m.state_hash());
        let (expected, found) = ((reason, facts(&whole)), (its_reason, facts(&cut)));
        assert_eq!(found, expected, "seed {seed}, {harts} harts, TLB {geometry}: {how}");
    };
    for loss in [Loss::Dropped, Loss::SavedAndLoaded] {
        // A save costs more than a step, so they are rarer.
        let longest = random.of(if loss == Loss::Dropped { &[3, 30, 300] } else { &[300, 1500] });
        let mut machine = machine();
        let reason = Losses::new(seed, longest).run_bare(&mut machine, until, loss);
        check(&format!("{loss:?} every 1 to {longest} steps"), (reason, machine));
    }
    let mut observed = machine();
    let reason = observed.run_observed(until, &mut Nobody);
    check("observed", (reason, observed));
    let (fetches, data) = whole.tlb_counters();
    seen.trials += 1;
    seen.steps += whole.steps().0;
    seen.fetches += fetches.accesses;
    seen.data_accesses += data.accesses;
    seen.fetch_misses += fetches.misses;
    seen.data_misses += data.misses;
}

/// RAM as the machine starts.
fn image(random: &mut Random) -> Vec<u8> {
    let mut image = vec![0; END as usize];
    let mut put = |at: u64, bytes: &[u8]| image[at as usize..][..bytes.len()].copy_from_slice(bytes);
    put(0, &prologue());
    put(HANDLER, &handler());
    for register in 5..32 {
        put(VALUES + 8 * register, &value(random, register as u8).to_le_bytes());
    }
    put(CODE, &code(random, DATA - CODE));
    put(DATA, &code(random, ROOT - DATA));
    let pte = |pa: u64, flags: u64| (RAM_BASE.0 + pa) >> 12 << 10 | flags;
    put(ROOT + 8, &pte(LEVEL_1, 1).to_le_bytes());
    // All of RAM by a 1 GiB leaf for everyone.
    put(ROOT + 16, &pte(0, 0xef).to_le_bytes());
    put(LEVEL_1, &pte(LEVEL_0, 1).to_le_bytes());
    put(LEVEL_1 + 8, &pte(0, 0x0f).to_le_bytes());
    put(LEVEL_0 + 8 * FREE_ENTRY, &code(random, 0x1000 - 8 * FREE_ENTRY));
    for page in 0..PAGES {
        let frame = match page {
            24 => LEVEL_0,
            _ if page < 16 => CODE + random.below(8) * 0x1000,
            _ => DATA + random.below(8) * 0x1000,
        };
        // A and D as they come; now and then something is missing.
        let flags = 0x0f | random.next() & 0xc0;
        let flags = if random.below(24) == 0 { flags & !random.of(&[1, 4, 8]) } else { flags };
        put(LEVEL_0 + 8 * page, &pte(frame, flags).to_le_bytes());
    }
    image
}

fn value(random: &mut Random, register: u8) -> u64 {
    match register {
        // What the prologue puts into CSRs.
        5 => RAM_BASE.0 + HANDLER,
        6 => 8 << 60 | 7 << 44 | (RAM_BASE.0 + ROOT) >> 12,
        // ADUE, CBZE, CBCFE, CBIE.
        7 => 1 << 61 | 0xf0,
        8 => WINDOW + random.below(16) * 0x1000,
        // MPP is S, FS is on.
        9 => 1 << 11 | 3 << 13,
        10 => u64::MAX,
        11 => 0x1f,
        // MTIE.
        12 => 0x80,
        _ if POINTERS.contains(&register) => match random.below(4) {
            0 => LARGE + CODE + random.below(16) * 0x1000,
            1 => WINDOW + 24 * 0x1000 + 8 * (FREE_ENTRY + 8),
            _ => WINDOW + random.below(PAGES) * 0x1000,
        },
        // Instructions, which stores put into code.
        _ => u64::from(instruction(random)) << 32 | u64::from(instruction(random)),
    }
}

fn assembled(at: u64, lines: &[String]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        let insn = assemble(line, RAM_BASE.0 + at + bytes.len() as u64).unwrap_or_else(|| panic!("{line}"));
        bytes.extend(encode(&insn).unwrap_or_else(|| panic!("{line}")).to_le_bytes());
    }
    bytes
}

fn prologue() -> Vec<u8> {
    let mut lines = vec!["auipc x1, 0".to_string()];
    lines.extend((5..32).map(|r| format!("ld x{r}, {}(x1)", VALUES + 8 * r)));
    let csrs = [("mtvec", 5), ("satp", 6), ("menvcfg", 7), ("mepc", 8), ("mstatus", 9), ("mie", 12)];
    lines.extend(csrs.map(|(csr, r)| format!("csrw {csr}, x{r}")));
    lines.extend(["csrw pmpaddr0, x10", "csrw pmpcfg0, x11", "mret"].map(String::from));
    assembled(0, &lines)
}

/// Goes on somewhere in the code, clears A and D of a page, and fences every eighth time. A timer calls it too, every few
/// hundred steps, so that no loop takes all of a trial.
fn handler() -> Vec<u8> {
    let lines = [
        "csrr x6, time",
        "addi x6, x6, 4",
        "csrr x7, mhartid",
        "slli x7, x7, 3",
        "lui x5, 0x2004", // mtimecmp
        "add x7, x7, x5",
        "sd x6, (x7)",
        "csrr x5, mscratch",
        "addi x5, x5, 1",
        "csrw mscratch, x5",
        "lui x7, 0x9e37",
        "addi x7, x7, 0x79b",
        "mul x6, x5, x7",
        "srli x6, x6, 11",
        "lui x7, 16",
        "addi x7, x7, -2",
        "and x6, x6, x7",
        "lui x7, 0x40000",
        "add x6, x6, x7",
        "csrw mepc, x6",
        "andi x6, x5, 31",
        "slli x6, x6, 3",
    ];
    let mut lines: Vec<String> = lines.map(String::from).into();
    let distance = (LEVEL_0 - HANDLER - 4 * lines.len() as u64).cast_signed();
    let upper = (distance + 0x800) >> 12;
    lines.push(format!("auipc x7, {upper}"));
    lines.push(format!("addi x7, x7, {}", distance - (upper << 12)));
    let rest = [
        "add x6, x6, x7",
        "ld x7, (x6)",
        "andi x7, x7, -193",
        "sd x7, (x6)",
        "andi x6, x5, 7",
        "bnez x6, .+8",
        "sfence.vma",
        "mret",
    ];
    lines.extend(rest.map(String::from));
    assembled(HANDLER, &lines)
}

/// Instructions one after the other, some of two bytes, so that the end of a page often falls into one.
fn code(random: &mut Random, len_bytes: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < len_bytes {
        if random.below(4) == 0 {
            // c.addi to a register of values.
            let rd = random.below(u64::from(VALUES_IN.end - VALUES_IN.start)) + u64::from(VALUES_IN.start);
            bytes.extend((rd << 7 | 1 | (1 + random.below(31)) << 2).to_le_bytes()[..2].iter());
        } else {
            bytes.extend(instruction(random).to_le_bytes());
        }
    }
    bytes.truncate(len_bytes as usize);
    bytes
}

fn instruction(random: &mut Random) -> u32 {
    let of = |random: &mut Random, range: std::ops::Range<u8>| {
        range.start + random.below(u64::from(range.end - range.start)) as u8
    };
    // Values, addresses where the operand is one, and nothing where there is none.
    let blank = |random: &mut Random, op: Op| {
        let mut insn = Insn::blank(op);
        for operand in op.format().operands() {
            match operand {
                Operand::Rd | Operand::FRd => insn.rd = of(random, VALUES_IN),
                Operand::Rs1 => insn.rs1 = of(random, VALUES_IN),
                Operand::Offset | Operand::Address => insn.rs1 = of(random, POINTERS),
                Operand::Rs2 | Operand::FRs2 => insn.rs2 = of(random, VALUES_IN),
                _ => {}
            }
        }
        insn
    };
    let any = |random: &mut Random, formats: &[Format]| loop {
        let op = random.of(Op::ALL);
        if formats.contains(&op.format()) {
            break op;
        }
    };
    // Around the border that the pointer points at, mostly.
    let near = |random: &mut Random| {
        if random.below(8) == 0 { random.below(4096) as i32 - 2048 } else { random.below(24) as i32 - 12 }
    };
    let insn = match random.below(40) {
        0..=13 => {
            let op =
                any(random, &[Format::Load, Format::Store, Format::Store, Format::FpLoad, Format::FpStore]);
            Insn { imm: near(random), ..blank(random, op) }
        }
        14..=16 => {
            let op = any(random, &[Format::Amo, Format::Lr]);
            blank(random, op)
        }
        17 => {
            let op = any(random, &[Format::CacheBlock]);
            blank(random, op)
        }
        18..=25 => {
            let op = random.of(&[Op::Add, Op::Xor, Op::Sub, Op::Mul, Op::Sltu]);
            blank(random, op)
        }
        26..=30 => {
            let op = random.of(&[Op::Beq, Op::Bne, Op::Blt, Op::Bgeu]);
            Insn { imm: 2 * (random.below(24) as i32 - 6), ..blank(random, op) }
        }
        31..=34 => Insn { rd: 1, imm: 2 * (random.below(8) as i32 - 4), ..blank(random, Op::Jalr) },
        35 => {
            let pointer = of(random, POINTERS);
            Insn { rs1: random.of(&[0, pointer]), ..Insn::blank(Op::SfenceVma) }
        }
        36 => blank(random, Op::Auipc),
        37 => Insn { rs1: 0, imm: random.of(&[0xc00, 0xc02, 0x142]), ..blank(random, Op::Csrrs) },
        38 => Insn { imm: random.of(&[0x10, 0xff]), ..Insn::blank(Op::Fence) },
        _ => Insn::blank(random.of(&[Op::Ecall, Op::FenceI, Op::FenceI, Op::FenceI])),
    };
    encode(&insn).unwrap_or_else(|| panic!("{insn:?} was made to be encoded"))
}
