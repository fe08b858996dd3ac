//! The run loop with a small board: a timer, a device that counts its accesses, one that writes RAM.

mod code_memory;
mod counts;
mod crossing;
mod decoded;
mod exact;
mod extensions;
mod memory;
mod privileged;

use super::{CodeCache, Exec, Exit, Observer, Options};
use crate::hart::Hart;
use crate::mem::ram::Ram;
use crate::mem::tlb::TlbGeometry;
use crate::platform::{AccessFault, Platform};
use isa::paging::{Pte, PteFlags, Satp};
use isa::platform::{CLINT, RAM_BASE};
use isa::{Interrupt, PhysAddr, Ppn, Privilege, Step, asm::assemble};

/// Reads count up; a write is remembered.
pub const DEVICE: u64 = 0x1000_0000;
/// A write of an address makes the device store `addi a0, a0, 64` there.
pub const DMA: u64 = 0x1000_1000;
const MTIMECMP: u64 = CLINT.base.0 + 0x4000;

#[derive(Default)]
pub struct Board {
    pub mtimecmp: u64,
    pub reads: u64,
    pub written: Vec<u64>,
    pub stop: bool,
    /// Interrupt lines that stay as they are.
    pub lines: u64,
}

impl Platform for Board {
    fn read(&mut self, _: &mut Ram, pa: PhysAddr, _: u8, now: Step) -> Result<u64, AccessFault> {
        match pa.0 {
            MTIMECMP => Ok(self.mtimecmp),
            DEVICE => {
                self.reads += 1;
                Ok(self.reads << 32 | now.0)
            }
            _ => Err(AccessFault),
        }
    }
    fn write(&mut self, ram: &mut Ram, pa: PhysAddr, _: u8, value: u64, _: Step) -> Result<(), AccessFault> {
        match pa.0 {
            MTIMECMP => self.mtimecmp = value,
            DEVICE => self.written.push(value),
            DMA => assert!(ram.write(PhysAddr(value), &word("addi a0, a0, 64").to_le_bytes())),
            _ => return Err(AccessFault),
        }
        Ok(())
    }
    fn mtime(&self, now: Step) -> u64 {
        now.0
    }
    fn timer_change(&self, ticks: u64, now: Step) -> Step {
        if ticks > now.0 { Step(ticks) } else { Step::NEVER }
    }
    fn interrupt_lines(&mut self, _: usize, now: Step) -> u64 {
        self.lines | if self.mtimecmp <= now.0 { Interrupt::MachineTimer.mask() } else { 0 }
    }
    fn next_deadline(&self, now: Step) -> Step {
        if self.mtimecmp > now.0 { Step(self.mtimecmp) } else { Step::NEVER }
    }
    fn advance(&mut self, _: &mut Ram, _: Step) {}
    fn stop_requested(&self) -> bool {
        self.stop
    }
}

/// Hart, pages of RAM, what the device has seen, the step.
type State = (Vec<u8>, Vec<(u64, Vec<u8>)>, u64, Vec<u64>, u64);

pub struct Rig {
    pub hart: Hart,
    pub code: CodeCache,
    pub ram: Ram,
    pub board: Board,
    pub options: Options,
    pub now: Step,
}

pub fn word(text: &str) -> u32 {
    assemble(text, 0).unwrap_or_else(|| panic!("cannot assemble `{text}`")).bits
}

/// Where page tables lie in a rig with translation, and where the window's frames begin.
pub const TABLES: u64 = RAM_BASE.0 + 0x10_0000;
pub const FRAMES: u64 = RAM_BASE.0 + 0x20_0000;
/// The first virtual address of the window that the tables map page by page.
pub const WINDOW: u64 = 0x4000_0000;
pub const ALL: PteFlags = PteFlags::from_bits_truncate(0xcf);

impl Rig {
    /// `program` at the first byte of RAM, in M-mode, no timer set.
    pub fn new(program: &[&str]) -> Self {
        let mut rig = Self {
            hart: Hart::new(0, TlbGeometry::default()),
            code: CodeCache::new(),
            ram: Ram::new(4 << 20),
            board: Board { mtimecmp: u64::MAX, ..Board::default() },
            options: Options::default(),
            now: Step(0),
        };
        rig.put(RAM_BASE.0, program);
        rig
    }
    /// Assembles `program` at `at`.
    pub fn put(&mut self, at: u64, program: &[&str]) {
        for (n, text) in program.iter().enumerate() {
            assert!(self.ram.write(PhysAddr(at + 4 * n as u64), &word(text).to_le_bytes()));
        }
    }
    /// Translation on in S-mode: RAM and devices are mapped onto themselves, `window` maps pages of the window.
    pub fn with_window(program: &[&str], window: &[(u64, u64, PteFlags)]) -> Self {
        let mut rig = Self::new(program);
        let (root, level1, level0) = (TABLES, TABLES + 0x1000, TABLES + 0x2000);
        let table = |at: u64| Pte::new(PhysAddr(at).page(), PteFlags::V);
        rig.set_pte(root, Pte::new(Ppn(0), ALL | PteFlags::G));
        rig.set_pte(root + 8, table(level1));
        rig.set_pte(root + 16, Pte::new(RAM_BASE.page(), ALL | PteFlags::G));
        rig.set_pte(level1, table(level0));
        for &(page, frame, flags) in window {
            rig.set_pte(Self::window_pte(page), Pte::new(Ppn((FRAMES >> 12) + frame), flags));
        }
        rig.hart.csr.satp = Satp::sv39(PhysAddr(root).page(), 7).0;
        rig.hart.privilege = Privilege::Supervisor;
        rig.hart.rebuild();
        rig
    }
    /// Where the entry of a page of the window lies.
    pub fn window_pte(page: u64) -> u64 {
        TABLES + 0x2000 + 8 * page
    }
    pub fn set_pte(&mut self, at: u64, pte: Pte) {
        assert!(self.ram.write(PhysAddr(at), &pte.0.to_le_bytes()));
    }
    pub fn exec(&mut self) -> (Exec<'_>, &mut Step) {
        let exec = Exec {
            hart: &mut self.hart,
            code: &mut self.code,
            ram: &mut self.ram,
            platform: &mut self.board,
            options: &self.options,
            checks: None,
        };
        (exec, &mut self.now)
    }
    /// Runs until step `until`.
    pub fn run(&mut self, until: u64) -> Exit {
        let (exec, now) = self.exec();
        exec.run(now, Step(until))
    }
    pub fn run_observed(&mut self, until: u64, observer: &mut dyn Observer) -> Exit {
        let (exec, now) = self.exec();
        exec.run_observed(now, Step(until), observer)
    }
    pub fn word_at(&self, at: u64) -> u64 {
        self.ram.read_u64(PhysAddr(at)).expect("in RAM")
    }
    /// The whole state: hart, RAM, devices, time.
    pub fn state(&self) -> State {
        let hart = postcard::to_allocvec(&self.hart).expect("plain data");
        let pages = self.ram.touched_pages().map(|(at, page)| (at.0, page.to_vec())).collect();
        (hart, pages, self.board.reads, self.board.written.clone(), self.now.0)
    }
}

/// Registers by name.
pub const A0: usize = 10;
pub const A1: usize = 11;
pub const A2: usize = 12;
pub const A3: usize = 13;
