//! The program: for each mode and each CSR number, a read, then each pattern written, read back and undone.

use isa::csr::{Csr, menvcfg, mstatus};
use isa::platform::RAM_BASE;
use isa::{Insn, Op, assemble, encode};

use crate::bare;

/// RAM, and of it the program, its answers, `tohost`.
pub const RAM_BYTES: u64 = 32 << 20;
const MEMORY_BYTES: u64 = 16 << 20;
const ANSWERS: u64 = 8 << 20;
const TOHOST: u64 = 15 << 20;
/// The patterns, as the program loads them, and what its contexts put into registers.
const POOL: u64 = 7 << 20;

/// In which state of the hart a sweep is made.
#[derive(Clone, Copy)]
pub struct Context {
    pub name: &'static str,
    /// What `mret` enters: 3 is M-mode.
    mode: u64,
    counteren: u64,
    menvcfg: u64,
    mideleg: u64,
    mstatus: u64,
}

const ALL: u64 = u64::MAX;

pub const CONTEXTS: [Context; 6] = [
    Context { name: "M", mode: 3, counteren: 0, menvcfg: 0, mideleg: 0, mstatus: 0 },
    Context { name: "M+STCE", mode: 3, counteren: 0, menvcfg: menvcfg::STCE, mideleg: ALL, mstatus: 0 },
    Context { name: "S", mode: 1, counteren: ALL, menvcfg: menvcfg::STCE, mideleg: ALL, mstatus: 0 },
    Context { name: "S-", mode: 1, counteren: 0, menvcfg: 0, mideleg: 0, mstatus: mstatus::TVM },
    Context { name: "U", mode: 0, counteren: ALL, menvcfg: menvcfg::STCE, mideleg: ALL, mstatus: 0 },
    Context { name: "U-", mode: 0, counteren: 0, menvcfg: 0, mideleg: 0, mstatus: 0 },
];

const PATTERNS: [u64; 4] = [ALL, 0, 0x5555_5555_5555_5555, 0xaaaa_aaaa_aaaa_aaaa];
/// `satp` modes, with an ASID and a root.
const SATP: [u64; 16] = {
    let mut patterns = [0; 16];
    let mut mode = 0;
    while mode < 16 {
        patterns[mode as usize] = (mode << 60) | (0x0bcd_e123_4567_89ab + mode);
        mode += 1;
    }
    patterns
};
/// No entry is locked, and the first lets every mode access everything.
const PMPCFG: [u64; 4] = [0x7f7f_7f7f_7f7f_7f1f, 0x1f, 0x1516_1718_191a_1b1f, 0x0001_0203_0405_061f];

/// The patterns that a number is swept with.
pub fn patterns(context: Context, csr: Csr) -> Vec<u64> {
    match csr {
        // In S-mode those of them that do not translate the program's own addresses away.
        Csr::SATP => {
            SATP.into_iter().filter(|p| context.mode == 3 || !(8..=10).contains(&(p >> 60))).collect()
        }
        Csr(0x3a0..=0x3af) => PMPCFG.to_vec(),
        _ => PATTERNS.to_vec(),
    }
}

/// What was asked, in the order of the answers.
pub struct Sweep {
    pub cases: Vec<(Context, Csr, Vec<u64>)>,
}

impl Sweep {
    pub fn new() -> Sweep {
        let numbers = CONTEXTS.into_iter().flat_map(|context| (0..0x1000).map(move |n| (context, Csr(n))));
        Sweep { cases: numbers.map(|(context, csr)| (context, csr, patterns(context, csr))).collect() }
    }

    /// The program as an ELF.
    pub fn elf(&self) -> Vec<u8> {
        let mut p = Program::default();
        let mut cases = self.cases.iter().peekable();
        p.begin();
        for context in CONTEXTS {
            p.enter(context);
            while let Some((_, csr, patterns)) = cases.next_if(|(of, ..)| of.name == context.name) {
                p.sweep(*csr, patterns);
            }
        }
        let answered = p.answered;
        let code = p.end();
        let symbols = [
            ("tohost", TOHOST),
            ("fromhost", TOHOST + 0x40),
            ("begin_signature", ANSWERS),
            ("end_signature", ANSWERS + answered),
        ];
        bare::elf_of(&code, MEMORY_BYTES, &symbols)
    }
}

#[derive(Default)]
struct Program {
    bytes: Vec<u8>,
    pool: Vec<u64>,
    /// Bytes of answers so far.
    answered: u64,
}

impl Program {
    fn here(&self) -> u64 {
        RAM_BASE.0 + self.bytes.len() as u64
    }

    fn line(&mut self, text: &str) {
        let insn = assemble(text, self.here()).unwrap_or_else(|| panic!("cannot assemble {text}"));
        self.bytes.extend(encode(&insn).unwrap().to_le_bytes());
    }

    fn lines(&mut self, texts: &[&str]) {
        texts.iter().for_each(|text| self.line(text));
    }

    fn access(&mut self, op: Op, rd: u8, csr: Csr, rs1: u8) {
        let insn = Insn { rd, rs1, imm: i32::from(csr.0), ..Insn::blank(op) };
        self.bytes.extend(encode(&insn).unwrap().to_le_bytes());
    }

    /// `register` = an address in RAM.
    fn address(&mut self, register: u8, offset: u64) {
        let distance = i32::try_from((RAM_BASE.0 + offset).wrapping_sub(self.here()).cast_signed()).unwrap();
        let low = distance << 20 >> 20;
        let upper = Insn { rd: register, imm: distance.wrapping_sub(low), ..Insn::blank(Op::Auipc) };
        self.bytes.extend(encode(&upper).unwrap().to_le_bytes());
        self.line(&format!("addi x{register}, x{register}, {low}"));
    }

    /// `register` = a constant, from the pool that `gp` points to.
    fn constant(&mut self, register: &str, value: u64) {
        let at = self.pool.iter().position(|&known| known == value).unwrap_or_else(|| {
            self.pool.push(value);
            self.pool.len() - 1
        });
        self.line(&format!("ld {register}, {}(gp)", 8 * at));
    }

    fn begin(&mut self) {
        // The handler comes first: an illegal access is counted in a5 and passed over, an ECALL goes on in M-mode.
        self.lines(&["j .+52", "csrr t5, mepc", "addi t5, t5, 4", "csrw mepc, t5", "csrr t5, mcause"]);
        self.lines(&["addi t4, zero, 2", "beq t5, t4, .+20", "lui t5, 2", "addi t5, t5, -2048"]);
        self.lines(&["csrs mstatus, t5", "mret", "addi a5, a5, 1", "mret"]);
        self.address(3, POOL);
        self.address(8, ANSWERS);
        self.line("auipc t0, 0");
        let back = self.bytes.len() - 4 - 4;
        self.lines(&[&format!("addi t0, t0, -{back}"), "csrw mtvec, t0"]);
        // No timer interrupt, of either kind.
        self.lines(&["lui t0, 0x2004", "addi t1, zero, -1", "sd t1, 0(t0)", "csrw stimecmp, t1"]);
    }

    /// Enters a mode.
    fn enter(&mut self, context: Context) {
        self.line("ecall");
        for (csr, value) in [
            ("mcounteren", context.counteren),
            ("scounteren", context.counteren),
            ("menvcfg", context.menvcfg),
            ("mideleg", context.mideleg),
            ("mstatus", context.mode << mstatus::MPP_SHIFT | mstatus::FS_DIRTY | context.mstatus),
        ] {
            self.constant("t0", value);
            self.line(&format!("csrw {csr}, t0"));
        }
        self.lines(&["auipc t0, 0", "addi t0, t0, 16", "csrw mepc, t0", "mret"]);
    }

    /// Answers: the value at first, the value read back for each pattern, and how many accesses were illegal.
    fn sweep(&mut self, csr: Csr, patterns: &[u64]) {
        let (a0, a1, a2) = (10, 11, 12);
        self.lines(&["li a5, 0", "li a1, 0"]);
        self.access(Op::Csrrs, a1, csr, 0);
        self.line("sd a1, 0(s0)");
        for (n, &pattern) in patterns.iter().enumerate() {
            self.constant("a0", pattern);
            self.lines(&["li a1, 0", "li a2, 0"]);
            self.access(Op::Csrrw, a1, csr, a0);
            self.access(Op::Csrrw, a2, csr, a1);
            self.line(&format!("sd a2, {}(s0)", 8 + 8 * n));
        }
        let len = 8 * (patterns.len() + 2);
        self.lines(&[&format!("sd a5, {}(s0)", len - 8), &format!("addi s0, s0, {len}")]);
        self.answered += len as u64;
    }

    fn end(mut self) -> Vec<u8> {
        self.line("ecall");
        self.address(5, TOHOST);
        self.lines(&["li t1, 1", "sd t1, 0(t0)", "j ."]);
        assert!(self.bytes.len() as u64 <= POOL && ANSWERS + self.answered <= TOHOST);
        assert!(self.pool.len() <= 256, "the pool is within reach of gp");
        let mut image = self.bytes;
        image.resize(POOL as usize, 0);
        image.extend(self.pool.iter().flat_map(|value| value.to_le_bytes()));
        image
    }
}
