//! Everything of a hart and its memory that an instruction could change, and the state a row starts from.

use std::collections::BTreeMap;

use isa::csr::{Csr, mstatus};
use isa::{Exception, IsaSet, Privilege, VirtAddr};

/// Where RAM starts and, unless a row says otherwise, the instruction lies.
pub const RAM_BASE: u64 = 0x8000_0000;
/// RAM of a row: code page, spare page, data, handlers, page tables.
pub const RAM_BYTES: usize = 0x1_0000;
/// Where machine-mode traps go.
pub const MTVEC: u64 = 0x8000_4000;
/// Where delegated traps go.
pub const STVEC: u64 = 0x8000_5000;
/// First byte of the page tables that `map` builds; the root comes first.
pub const TABLES: u64 = 0x8000_8000;
/// What memory holds that no row mentions: in the data pages a pattern, elsewhere `c.ebreak`.
const DATA: std::ops::Range<usize> = 0x2000..0x4000;
const DATA_BYTE: u8 = 0xa5;
const C_EBREAK: [u8; 2] = [0x02, 0x90];

/// The registers that are compared. Views of them (`sstatus`, `sie`, `sip`, `fflags`, `frm`, the user's counters)
/// need no place here.
pub const CSRS: [(Csr, u64); 30] = [
    (Csr::MISA, 0),
    (Csr::FCSR, 0),
    (Csr::MTVEC, MTVEC),
    (Csr::MEPC, 0x8000_6000),
    (Csr::MCAUSE, 24),
    (Csr::MTVAL, 0x4d4d),
    (Csr::MSCRATCH, 0x0123_4567_89ab_cdef),
    (Csr::MEDELEG, 0),
    (Csr::MIDELEG, 0),
    (Csr::MIE, 0),
    (Csr::MIP, 0),
    (Csr::MCOUNTEREN, 0),
    (Csr::MCOUNTINHIBIT, 0),
    (Csr::MENVCFG, 0),
    (Csr::STVEC, STVEC),
    (Csr::SEPC, 0x8000_6100),
    (Csr::SCAUSE, 24),
    (Csr::STVAL, 0x5353),
    (Csr::SSCRATCH, 0xfedc_ba98_7654_3210),
    (Csr::SCOUNTEREN, 0),
    (Csr::SENVCFG, 0),
    (Csr::STIMECMP, u64::MAX),
    (Csr::SATP, 0),
    (Csr::PMPADDR0, (1 << 54) - 1),
    (Csr(Csr::PMPADDR0.0 + 1), 0),
    (Csr(Csr::PMPADDR0.0 + 2), 0),
    (Csr::PMPCFG0, 0x1f),
    (Csr::MCYCLE, 0),
    (Csr::MINSTRET, 0),
    (Csr::MSTATUS, mstatus::XLEN_64 | mstatus::FS_DIRTY | mstatus::SD | mstatus::MPIE),
];

/// A hart and its memory.
#[derive(Clone, PartialEq, Eq)]
pub struct State {
    pub privilege: Privilege,
    pub pc: u64,
    pub x: [u64; 32],
    pub f: [u64; 32],
    pub csrs: BTreeMap<Csr, u64>,
    pub memory: Vec<u8>,
    /// The extensions of the hart, which `misa` starts from.
    pub isa: IsaSet,
}

impl State {
    /// The state that rows start from: machine mode at the start of RAM, no register zero (but `x0`), so that a
    /// stray read or write of any of them shows.
    pub fn initial() -> State {
        let pattern = |tag: u64, n: usize| tag << 56 | 0x5a5a_0000_0000 | (n as u64 * 0x0101);
        let mut memory = C_EBREAK.repeat(RAM_BYTES / C_EBREAK.len());
        memory[DATA].fill(DATA_BYTE);
        memory[offset(TABLES)..].fill(0);
        let isa = IsaSet::default();
        let mut csrs: BTreeMap<Csr, u64> = CSRS.into_iter().collect();
        csrs.insert(Csr::MISA, isa.misa());
        State {
            isa,
            privilege: Privilege::Machine,
            pc: RAM_BASE,
            x: std::array::from_fn(|n| if n == 0 { 0 } else { pattern(0x11, n) }),
            f: std::array::from_fn(|n| pattern(0xf1, n)),
            csrs,
            memory,
        }
    }

    pub fn csr(&self, csr: Csr) -> u64 {
        self.csrs[&csr]
    }

    pub fn set_csr(&mut self, csr: Csr, value: u64) {
        assert!(self.csrs.insert(csr, value).is_some(), "{csr} is not among the compared registers");
    }

    /// Replaces the bits of `mask` in a register.
    pub fn set_field(&mut self, csr: Csr, mask: u64, value: u64) {
        let field = value << mask.trailing_zeros() & mask;
        self.set_csr(csr, self.csr(csr) & !mask | field);
    }

    /// Stores the low `bytes.len()` bytes at a physical address.
    pub fn store(&mut self, pa: u64, bytes: &[u8]) {
        self.memory[offset(pa)..][..bytes.len()].copy_from_slice(bytes);
    }

    pub fn load_u64(&self, pa: u64) -> u64 {
        u64::from_le_bytes(self.memory[offset(pa)..][..8].try_into().unwrap())
    }

    /// Enters the handler, as the manual says ("Trap delegation", "Machine status registers").
    pub fn take_trap(&mut self, exception: Exception, tval: VirtAddr) {
        let code = u64::from(exception.code());
        let from = self.privilege;
        let delegated = from != Privilege::Machine && self.csr(Csr::MEDELEG) >> code & 1 != 0;
        let enabled = |state: &State, bit| u64::from(state.csr(Csr::MSTATUS) & bit != 0);
        if delegated {
            let sie = enabled(self, mstatus::SIE);
            self.set_csr(Csr::SEPC, self.pc);
            self.set_csr(Csr::SCAUSE, code);
            self.set_csr(Csr::STVAL, tval.0);
            self.set_field(Csr::MSTATUS, mstatus::SPP, from as u64);
            self.set_field(Csr::MSTATUS, mstatus::SPIE, sie);
            self.set_field(Csr::MSTATUS, mstatus::SIE, 0);
            self.privilege = Privilege::Supervisor;
            self.pc = self.csr(Csr::STVEC) & !3;
        } else {
            let mie = enabled(self, mstatus::MIE);
            self.set_csr(Csr::MEPC, self.pc);
            self.set_csr(Csr::MCAUSE, code);
            self.set_csr(Csr::MTVAL, tval.0);
            self.set_field(Csr::MSTATUS, mstatus::MPP, from as u64);
            self.set_field(Csr::MSTATUS, mstatus::MPIE, mie);
            self.set_field(Csr::MSTATUS, mstatus::MIE, 0);
            self.privilege = Privilege::Machine;
            self.pc = self.csr(Csr::MTVEC) & !3;
        }
    }

    /// What differs between the state that was expected (`self`) and the one that was found.
    pub fn differences(&self, found: &State) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |what: &dyn Fn() -> String, expected: u64, found: u64| {
            if expected != found {
                differences.push(format!("{} is {found:#x}, not {expected:#x}", what()));
            }
        };
        compare(&|| "privilege".into(), self.privilege as u64, found.privilege as u64);
        compare(&|| "pc".into(), self.pc, found.pc);
        for n in 0..32 {
            compare(&|| isa::reg::X_NAMES[n].into(), self.x[n], found.x[n]);
            compare(&|| isa::reg::F_NAMES[n].into(), self.f[n], found.f[n]);
        }
        for (csr, value) in &self.csrs {
            compare(&|| csr.to_string(), *value, found.csr(*csr));
        }
        if self.memory != found.memory {
            for (n, (expected, found)) in self.memory.iter().zip(&found.memory).enumerate() {
                let what = || format!("byte {:#x}", RAM_BASE + n as u64);
                compare(&what, u64::from(*expected), u64::from(*found));
            }
        }
        differences
    }
}

/// The offset in RAM of a physical address.
pub fn offset(pa: u64) -> usize {
    usize::try_from(pa.wrapping_sub(RAM_BASE))
        .ok()
        .filter(|&o| o < RAM_BYTES)
        .expect("a row's addresses lie in RAM")
}
