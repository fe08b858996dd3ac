//! A case: some dozens of instructions, and the state in which each pass over them starts. All of it is plain values,
//! so that a stored case means the same when the generator has long changed.

use isa::csr::Csr;
use isa::{Insn, Op, Privilege, decode};

use crate::layout::Slot;
use crate::random_values::Random;

/// The registers that a case may use are `x1` to this one.
pub const REGISTERS: u8 = 28;
/// Where the code is seen in a translated case; the data pages follow.
pub const VIRTUAL_CODE: u64 = 0x40_0000;

/// An entry of the page tables that changes before each pass: these bits are flipped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change {
    pub index: u16,
    pub mask: u64,
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    pub slot: Slot,
    pub mode: Privilege,
    /// How often the code is run; state goes on from pass to pass.
    pub passes: u64,
    pub x: [u64; 29],
    pub f: [u64; 32],
    pub fcsr: u64,
    /// As each pass starts.
    pub mstatus: u64,
    /// The code is seen at its physical address though it is translated.
    pub physical: bool,
    /// Registers set before each pass, in this order.
    pub csrs: Vec<(Csr, u64)>,
    /// What makes the data pages' contents.
    pub data_seed: u64,
    /// Entries of the page tables, by number; the others are zero. None in a case that is not translated.
    pub entries: Vec<(u16, u64)>,
    pub changes: Vec<Change>,
    /// Offset of the first instruction in the two pages of code.
    pub code_offset: u64,
    /// The instructions, without the `ebreak` behind them.
    pub code: Vec<u16>,
}

impl Case {
    /// The address that pages of code are executed at.
    fn code_base(&self) -> u64 {
        if self.entries.is_empty() || self.physical || self.mode == Privilege::Machine {
            self.slot.code()
        } else {
            VIRTUAL_CODE
        }
    }
    fn sets(&self, csr: Csr) -> bool {
        self.csrs.iter().any(|&(set, _)| set == csr)
    }
    /// Whether it has PMP entries of its own.
    pub fn protects_memory(&self) -> bool {
        self.sets(Csr::PMPCFG0)
    }
    /// Whether some of them are locked.
    pub fn locks_memory(&self) -> bool {
        let locks = |csr: Csr| (Csr::PMPCFG0.0..Csr::PMPADDR0.0).contains(&csr.0);
        self.csrs.iter().any(|&(csr, value)| locks(csr) && value & !0xff & 0x8080_8080_8080_8080 != 0)
    }
    /// Whether it switches extensions off.
    pub fn switches_extensions(&self) -> bool {
        self.sets(Csr::MISA)
    }
    /// The address of the first instruction.
    pub fn start(&self) -> u64 {
        self.code_base() + self.code_offset
    }
    /// The address of the `ebreak` that ends a pass.
    pub fn end(&self) -> u64 {
        self.start() + self.code.len() as u64 * 2
    }
    /// Whether an address is one of the case's instructions.
    pub fn contains(&self, pc: u64) -> bool {
        (self.start()..self.end()).contains(&pc)
    }

    /// The instruction at an address, if the case has not changed it.
    pub fn insn_at(&self, pc: u64) -> Option<Insn> {
        let at = (pc.checked_sub(self.start())? / 2) as usize;
        let half = |n: usize| self.code.get(n).map(|&half| u32::from(half));
        decode(half(at)? | half(at + 1).unwrap_or(0) << 16)
    }

    /// Puts everything but what the runtime needs into RAM.
    pub fn for_each_part(&self, put: &mut impl FnMut(u64, &[u8])) {
        let mut code: Vec<u8> = self.code.iter().flat_map(|half| half.to_le_bytes()).collect();
        code.extend(Op::Ebreak.match_bits().to_le_bytes());
        assert!(self.code_offset + code.len() as u64 <= Slot::CODE_PAGES * 0x1000);
        put(self.slot.code() + self.code_offset, &code);
        let mut random = Random(self.data_seed);
        for at in (0..Slot::DATA_PAGES * 0x1000).step_by(8) {
            let value = if at & 8 == 0 { random.integer() } else { random.float() };
            put(self.slot.data() + at, &value.to_le_bytes());
        }
        for (index, entry) in &self.entries {
            put(self.slot.tables() + u64::from(*index) * 8, &entry.to_le_bytes());
        }
    }
}
