//! A hart with a little memory that runs one instruction at a time.

use emulator::exec::{Checker, CodeCache, Exec, Options};
use emulator::hart::Hart;
use emulator::mem::ram::Ram;
use emulator::mem::tlb::TlbGeometry;
use isa::{PhysAddr, Privilege, Step, assemble};

use crate::no_devices::NoDevices;

pub const RAM_BASE: u64 = 0x8000_0000;
pub const RAM_BYTES: u64 = 0x1_8000;
/// One instruction in each of these places, which is all the code there is.
pub const CODE: u64 = RAM_BASE + 0x1_2000;
const HANDLER: u64 = RAM_BASE + 0x1_3000;
const PALETTE: [&str; 10] = [
    "ld a0, 0(a1)",
    "sd a0, 0(a1)",
    "amoadd.d a0, a2, (a1)",
    "sfence.vma",
    "sfence.vma a1, zero",
    "sfence.vma zero, a2",
    "sfence.vma a1, a2",
    "csrrw zero, satp, a1",
    "sinval.vma a1, a2",
    "nop",
];

/// How an instruction ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Done,
    /// `mcause` and `mtval`.
    Trap(u64, u64),
}

pub struct Rig {
    pub hart: Hart,
    pub ram: Ram,
    code: CodeCache,
    options: Options,
    now: Step,
    /// Who compares cached translations with the tables.
    pub checks: Option<Checker>,
}

impl Rig {
    pub fn new(tlb: TlbGeometry) -> Rig {
        let mut ram = Ram::new(RAM_BYTES as usize);
        for (n, text) in PALETTE.iter().enumerate() {
            let bits = assemble(text, 0).unwrap().bits;
            assert!(ram.write(PhysAddr(CODE + 4 * n as u64), &bits.to_le_bytes()));
        }
        let mut hart = Hart::new(0, tlb);
        hart.csr.mtvec = HANDLER;
        Rig { hart, ram, code: CodeCache::new(), options: Options::default(), now: Step(0), checks: None }
    }

    /// The physical address of an instruction of the palette.
    pub fn place(text: &str) -> u64 {
        CODE + 4 * PALETTE.iter().position(|&known| known == text).unwrap() as u64
    }

    /// Eight bytes of memory, where there is memory.
    pub fn read(&self, pa: u64) -> Option<u64> {
        self.ram.read_u64(PhysAddr(pa))
    }

    pub fn word(&self, pa: u64) -> u64 {
        self.read(pa).unwrap()
    }

    pub fn set_word(&mut self, pa: u64, value: u64) {
        assert!(self.ram.write(PhysAddr(pa), &value.to_le_bytes()));
    }

    pub fn all_of_ram(&self) -> &[u8] {
        self.ram.slice(PhysAddr(RAM_BASE), RAM_BYTES as usize).unwrap()
    }

    /// Runs the instruction at `pc` in `privilege`, from a state of the hart's that is left as it was but for the
    /// instruction's own effect.
    pub fn run(&mut self, pc: u64, privilege: Privilege) -> End {
        let status = self.hart.csr.mstatus;
        self.hart.pc = pc;
        self.hart.privilege = privilege;
        let exec = Exec {
            hart: &mut self.hart,
            code: &mut self.code,
            ram: &mut self.ram,
            platform: &mut NoDevices,
            options: &self.options,
            checks: self.checks.as_mut(),
        };
        let until = Step(self.now.0 + 1);
        exec.run(&mut self.now, until);
        self.hart.csr.mstatus = status;
        if self.hart.pc == HANDLER {
            return End::Trap(self.hart.csr.mcause, self.hart.csr.mtval);
        }
        assert_eq!(self.hart.pc, pc.wrapping_add(4));
        End::Done
    }
}

/// xorshift: the same numbers in every run.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }
    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }
}
