//! What an instruction acts on: the hart and its surroundings, the place in the running block, and why the body
//! had to stop. The same for every engine.

use super::checks::Checker;
use super::observer::Observer;
use crate::hart::{CsrContext, Hart, write_is_harmless};
use crate::mem::ram::Ram;
use crate::platform::Platform;
use crate::semantics::Surroundings;
use bitflags::bitflags;
use isa::csr::Csr;
use isa::platform::Region;
use isa::{Step, Trap, VirtAddr};

bitflags! {
    /// What the loop has to look at before the next block.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub(super) struct Attention: u8 {
        /// Pending interrupts, their enables, or the waiting flag may have changed.
        const INTERRUPTS = 1 << 0;
        /// A device has been accessed: lines, deadlines, stop requests, decoded code.
        const DEVICES = 1 << 1;
        /// The hart gives its turn away.
        const TURN = 1 << 2;
        /// `misa` has been written: decoded code may be another.
        const EXTENSIONS = 1 << 3;
    }
}

/// Why a body returned the mark [`Stopped`](super::interp::Stopped).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StopCause {
    /// The instruction raises this.
    Trap(Trap),
    /// It has had no effect and must run alone.
    RunAlone,
}

/// The hart and its surroundings, as one instruction sees them.
pub(super) struct Core<'a> {
    /// The hart.
    pub(super) hart: &'a mut Hart,
    /// RAM.
    pub(super) ram: &'a mut Ram,
    pub(super) platform: &'a mut dyn Platform,
    pub(super) watch: &'a [Region],
    pub(super) observer: Option<&'a mut dyn Observer>,
    /// Who compares cached translations with the page tables.
    pub(super) checks: Option<&'a mut Checker>,
    /// The step of the block's first instruction.
    pub(super) block_now: u64,
    /// The address of the block's first instruction.
    pub(super) block_pc: u64,
    /// Of an instruction that asks for its place: instructions before it in the block.
    pub(super) index: u64,
    /// Of an instruction that asks for its place: bytes before it in the block.
    pub(super) offset: u64,
    /// Where to go on after the block.
    pub(super) next_pc: u64,
    pub(super) stop: StopCause,
    pub(super) attention: Attention,
    /// The instruction runs alone: devices, watched addresses and decoded code may be touched.
    pub(super) alone: bool,
    /// The last entry in which the walker has set A or D: its place in RAM, and what it was before.
    pub(super) entry_before: Option<(usize, u64)>,
    /// A store to a watched address has been made.
    pub(super) watched_store: Option<super::Exit>,
}

impl Core<'_> {
    /// The step of the running instruction.
    pub(super) fn now(&self) -> Step {
        Step(self.block_now + self.index)
    }
}

impl Surroundings for Core<'_> {
    fn hart(&self) -> &Hart {
        self.hart
    }
    fn hart_mut(&mut self) -> &mut Hart {
        self.hart
    }
    #[inline]
    fn pc(&self) -> u64 {
        self.block_pc.wrapping_add(self.offset)
    }
    #[inline]
    fn set_x(&mut self, rd: u8, value: u64) {
        self.hart.x[usize::from(rd & 31)] = value;
        self.hart.x[0] = 0;
    }
    fn read_csr(&self, csr: Csr) -> Option<u64> {
        let mtime = || self.platform.mtime(self.now());
        self.hart.read_csr(csr, &CsrContext { retired_before: self.index, mtime: &mtime })
    }
    fn write_csr(&mut self, csr: Csr, value: u64) -> Option<()> {
        if !write_is_harmless(csr) {
            self.attention |= Attention::INTERRUPTS;
        }
        // The hart's own timer changes its line and what the loop waits for.
        if matches!(csr, Csr::STIMECMP | Csr::MENVCFG) {
            self.attention |= Attention::DEVICES;
        }
        if csr == Csr::SATP && self.checks.is_some() {
            return self.write_satp(value);
        }
        if csr == Csr::MISA {
            self.attention |= Attention::EXTENSIONS;
            let aligned = self.pc().is_multiple_of(4);
            self.hart.write_misa(value, aligned);
            return Some(());
        }
        self.hart.write_csr(csr, value, &CsrContext { retired_before: self.index, mtime: &|| 0 })
    }
    fn return_to(&mut self, target: u64) {
        self.next_pc = target;
        self.attention |= Attention::INTERRUPTS;
    }
    fn wait_for_interrupt(&mut self) {
        self.hart.waiting = true;
        self.attention |= Attention::INTERRUPTS;
    }
    fn end_turn(&mut self) {
        self.attention |= Attention::TURN;
    }
    fn fence_translations(&mut self, va: Option<VirtAddr>, asid: Option<u64>) {
        #[allow(clippy::cast_possible_truncation)] // bits above ASIDMAX are ignored
        let asid = asid.map(|asid| asid as u16);
        self.hart.fence_translations(va, asid);
    }
}
