//! Random programs: valid instructions with random operands, loads and stores at likely addresses, raw words, in M, S
//! and U, over random page tables and random CSRs. Each trial runs twice, in one go and cut into pieces (some of them
//! observed, many of one step; between them decoded code is dropped, or the machine saved and loaded), and must end in
//! the same state.

use super::random::Random;
use emulator::exec::Observer;
use emulator::loader::Boot;
use emulator::machine::{Machine, MachineConfig};
use emulator::mem::tlb::TlbGeometry;
use isa::asm::assemble;
use isa::encode::encode;
use isa::insn::{Format, Op};
use isa::platform::{self, RAM_BASE};
use isa::{PhysAddr, Privilege, Step};

const RAM_BYTES: u64 = 256 << 10;
/// What the program is, by offset in RAM: the prologue and the handlers, what they load, the random code, the page tables.
const SKIP_HANDLER: u64 = 0x400;
const HANDLER: u64 = 0x440;
const S_HANDLER: u64 = 0x4c0;
const VALUES: u64 = 0x600;
const STATUSES: u64 = 0xc00;
const CODE: u64 = 0x1000;
const CODE_BYTES: u64 = 0x8000;
const TABLES: u64 = 0x2_0000;
const TABLE_PAGES: u64 = 8;
const STEPS: u64 = 5000;
/// The mode of `satp`: Bare, Sv39, Sv48, Sv57.
const SATP_MODES: [u64; 4] = [0, 8, 9, 10];

/// What all trials together did.
#[derive(Default, Debug)]
pub struct Seen {
    pub steps: u64,
    pub retired: u64,
    /// Instructions started in U, S and M.
    pub steps_in: [u64; 3],
    /// Those started in S or U with translation on.
    pub translated: u64,
}

impl Observer for Seen {
    fn before(&mut self, hart: &emulator::hart::Hart, _: Step) -> core::ops::ControlFlow<()> {
        let mode = match hart.privilege {
            Privilege::User => 0,
            Privilege::Supervisor => 1,
            Privilege::Machine => 2,
        };
        self.steps_in[mode] += 1;
        self.translated += u64::from(mode < 2 && hart.csr.satp >> 60 != 0);
        core::ops::ControlFlow::Continue(())
    }
}

/// Runs trials until `steps` have been made.
pub fn run(seed: u64, steps: u64) -> Seen {
    let mut seen = Seen::default();
    for trial in 0.. {
        if seen.steps >= steps {
            break;
        }
        let seed = seed.wrapping_add(trial << 32);
        // What a panic says is printed after this, so it names the trial.
        print!("\rtrial {seed:#x}");
        one_trial(seed, &mut seen);
    }
    println!();
    seen
}

fn one_trial(seed: u64, seen: &mut Seen) {
    let mut whole = machine(seed);
    whole.run(Step(STEPS));
    let mut cut = machine(seed);
    let mut random = Random(!seed);
    while cut.steps() < Step(STEPS) {
        let before = cut.steps();
        let longest = random.of(&[1, 1, 20, 700]);
        let until = before.after(1 + random.below(longest)).min(Step(STEPS));
        let _ = match random.below(2) {
            0 => cut.run_observed(until, seen),
            _ => cut.run(until),
        };
        if cut.steps() == before {
            // Ended, or nothing can wake it.
            break;
        }
        if random.one_in(3) {
            cut.drop_decoded_code();
        }
        if random.one_in(200) {
            cut = Machine::load(&cut.save()).unwrap();
        }
    }
    assert_eq!(whole.steps(), cut.steps(), "seed {seed:#x}");
    assert_eq!(whole.state_hash(), cut.state_hash(), "seed {seed:#x}");
    seen.steps += whole.steps().0 + cut.steps().0;
    seen.retired += whole.instructions() + cut.instructions();
}

/// The machine of a trial, at its start.
fn machine(seed: u64) -> Machine {
    let random = &mut Random(seed);
    let tlb = match random.below(3) {
        0 => "64x4:lru".parse().unwrap(),
        1 => "16x2:fifo".parse().unwrap(),
        _ => TlbGeometry::default(),
    };
    let harts = if random.one_in(8) { 3 } else { 1 };
    let config = MachineConfig { ram_bytes: RAM_BYTES, tlb, harts, ..MachineConfig::default() };
    let mut machine = Machine::new(config).unwrap();
    machine.boot(&Boot::bare(&program(random))).unwrap();
    for register in 1..32 {
        let value = match random.below(3) {
            0 => data_address(random),
            1 => 0x4000_0000 | random.below(1 << 20),
            _ => random.number(),
        };
        machine.set_x(register, value);
    }
    machine
}

/// Bytes from the first byte of RAM on.
fn program(random: &mut Random) -> Vec<u8> {
    let mut image = vec![0; usize::try_from(TABLES + TABLE_PAGES * 4096).unwrap()];
    let mut put = |at: u64, bytes: &[u8]| {
        let at = usize::try_from(at).unwrap();
        image[at..at + bytes.len()].copy_from_slice(bytes);
    };
    let (prologue, values) = prologue(random);
    put(0, &prologue);
    put(
        SKIP_HANDLER,
        &assembled(SKIP_HANDLER, &["csrr t6, mepc", "addi t6, t6, 4", "csrw mepc, t6", "mret"]),
    );
    // Goes on at a place in the code that depends on how often it was called, in a mode that depends on it too.
    let handler = [
        "lui t6, 0x20",
        "csrc mstatus, t6", // MPRV
        "csrr t6, mscratch",
        "addi t6, t6, 52",
        "csrw mscratch, t6",
        "slli t5, t6, 49",
        "srli t5, t5, 49",
        "andi t5, t5, -2",
        "auipc t4, 0",
        "lui t3, 1",
        "add t4, t4, t3",
        "add t4, t4, t5",
        "csrw mepc, t4",
        "andi t5, t5, 0x3f8",
        "auipc t4, 0",
        "add t4, t4, t5",
        "ld t4, 0x788(t4)", // from STATUSES
        "csrw mstatus, t4",
        "mret",
    ];
    put(HANDLER, &assembled(HANDLER, &handler));
    put(S_HANDLER, &assembled(S_HANDLER, &["csrr t6, sepc", "addi t6, t6, 4", "csrw sepc, t6", "sret"]));
    for (index, value) in values.iter().enumerate() {
        put(VALUES + index as u64 * 8, &value.to_le_bytes());
    }
    for index in 0..128 {
        // Any privilege before, and interrupts as they come; MPRV once in a while.
        let keep = if random.one_in(8) { u64::MAX } else { !(1 << 17) };
        put(STATUSES + index * 8, &(random.next() & keep).to_le_bytes());
    }
    let mut at = CODE;
    while at < CODE + CODE_BYTES {
        let bits = instruction(random);
        put(at, &bits.to_le_bytes());
        at += 4;
    }
    for index in 0..TABLE_PAGES * 512 {
        put(TABLES + index * 8, &page_table_entry(random).to_le_bytes());
    }
    image
}

fn assembled(at: u64, lines: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for line in lines {
        let insn = assemble(line, RAM_BASE.0 + at + bytes.len() as u64).unwrap_or_else(|| panic!("{line}"));
        bytes.extend(encode(&insn).unwrap_or_else(|| panic!("{line}")).to_le_bytes());
    }
    bytes
}

/// Writes CSRs from a table of values, then leaves for the code in a random mode.
fn prologue(random: &mut Random) -> (Vec<u8>, Vec<u64>) {
    let open_pmp = !random.one_in(4);
    let satp = random.of(&SATP_MODES) << 60
        | (random.next() & 0xffff) << 44
        | (RAM_BASE.0 + TABLES + random.below(TABLE_PAGES) * 4096) >> 12;
    let mut writes = vec![(0x305, RAM_BASE.0 + SKIP_HANDLER)];
    // Everything that a CSR instruction can name, then what matters most.
    for _ in 0..random.below(24) {
        writes.push((random.below(0x1000), random.number()));
    }
    for csr in [0x303, 0x304, 0x306, 0x30a, 0x320, 0x340, 0x100, 0x104, 0x106, 0x10a, 0x140, 0x14d, 0x003] {
        if random.one_in(2) {
            writes.push((csr, random.number()));
        }
    }
    let pmp = if open_pmp {
        (0x1f, u64::MAX >> 10)
    } else {
        (random.next() & 0x7f7f_7f7f_7f7f_7f7f, random.number())
    };
    writes.extend([(0x3b0, pmp.1), (0x3a0, pmp.0)]);
    writes.push((0x302, if random.one_in(2) { 0 } else { random.next() }));
    writes.extend([(0x105, RAM_BASE.0 + S_HANDLER), (0x180, satp), (0x341, RAM_BASE.0 + CODE)]);
    writes.extend([(0x300, random.next() & !(1 << 17)), (0x305, RAM_BASE.0 + HANDLER)]);

    let mut code = assembled(0, &["auipc t0, 0"]);
    for (index, &(csr, _)) in writes.iter().enumerate() {
        let at = code.len() as u64;
        code.extend(assembled(at, &[&format!("ld t1, {}(t0)", VALUES + index as u64 * 8)]));
        // csrrw zero, csr, t1
        code.extend((u32::try_from(csr).unwrap() << 20 | 6 << 15 | 1 << 12 | 0x73).to_le_bytes());
    }
    let at = code.len() as u64;
    code.extend(assembled(at, &["mret"]));
    assert!(code.len() as u64 <= SKIP_HANDLER && writes.len() <= 64);
    (code, writes.into_iter().map(|(_, value)| value).collect())
}

fn instruction(random: &mut Random) -> u32 {
    let of = |op: Op, random: &mut Random| op.match_bits() | random.word() & !op.mask();
    match random.below(8) {
        0 => random.word(),
        // Two compressed ones, or the first half of something.
        1 => {
            u32::from((random.half_word() & !3) | (random.half_word() % 3))
                | u32::from(random.half_word()) << 16
        }
        2 | 3 => loop {
            let op = random.of(Op::ALL);
            if matches!(op.format(), Format::Load | Format::Store | Format::Amo | Format::Lr) {
                // A small offset keeps the address where the register points.
                break of(op, random) & !0x6000_0000;
            }
        },
        4 => match random.of(Op::ALL) {
            // Jumps of any distance mostly leave RAM.
            op if matches!(op.format(), Format::B) => of(op, random) & !0x6000_0000,
            op => of(op, random),
        },
        _ => loop {
            let op = random.of(Op::ALL);
            if !matches!(op.name(), "jal" | "wfi" | "mret" | "sret") || random.one_in(8) {
                break of(op, random);
            }
        },
    }
}

/// Where programs load and store: RAM, devices, the gaps.
fn data_address(random: &mut Random) -> u64 {
    let devices = [
        platform::CLINT,
        platform::PLIC,
        platform::UART,
        platform::RTC,
        platform::HOST,
        platform::virtio_slot(0),
        platform::virtio_slot(7),
    ];
    match random.below(4) {
        0 => {
            let device = random.of(&devices);
            device.base.0 + random.below(device.len_bytes)
        }
        _ => random.address(RAM_BYTES),
    }
}

fn page_table_entry(random: &mut Random) -> u64 {
    let page = |at: u64| PhysAddr(RAM_BASE.0 + at).0 >> 12 << 10;
    match random.below(8) {
        0 => random.next(),
        1 => random.next() & 0x3ff | page(random.below(RAM_BYTES)),
        // The next level.
        2 | 3 => page(TABLES + random.below(TABLE_PAGES) * 4096) | 1,
        // Superpages where levels end early: aligned, at the first byte of RAM.
        4 => page(0) | 0xcf | random.below(2) << 4,
        _ => page(random.below(RAM_BYTES)) | 0xcf | random.below(2) << 4,
    }
}
