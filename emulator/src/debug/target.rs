//! What the debugger needs of a machine, and of the host that drives it.

use crate::exec::{MemoryAccess, Observer, TlbSide as Side};
use crate::hart::Hart;
use crate::machine::{HartState, StopReason, TlbCounters};
use core::ops::ControlFlow;
use isa::csr::Csr;
use isa::paging::{MODE_BARE, PteFlags, Satp};
use isa::{PhysAddr, Ppn, Privilege, Step, VirtAddr, Vpn};

/// The registers of the hart that is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Registers {
    /// Which hart.
    pub hart: usize,
    /// Address of the next instruction.
    pub pc: VirtAddr,
    /// Integer registers.
    pub x: [u64; 32],
    /// Floating-point registers.
    pub f: [u64; 32],
    /// The mode it is in.
    pub privilege: Privilege,
    /// Its address space.
    pub satp: Satp,
}

impl Registers {
    /// Those of `hart`.
    pub fn of(hart: &Hart) -> Self {
        Self {
            hart: hart.id,
            pc: VirtAddr(hart.pc),
            x: hart.x,
            f: hart.f,
            privilege: hart.privilege,
            satp: hart.satp(),
        }
    }
    /// Whether instruction addresses are translated now.
    pub fn translates(&self) -> bool {
        self.privilege != Privilege::Machine && self.satp.mode() != MODE_BARE
    }
    /// Where it is.
    pub fn place(&self, step: Step) -> Place {
        Place {
            step,
            hart: self.hart,
            pc: self.pc,
            sp: self.x[usize::from(isa::reg::SP)],
            ra: self.x[usize::from(isa::reg::RA)],
            privilege: self.privilege,
            satp: self.satp,
        }
    }
}

/// Where a hart is before an instruction: what breakpoints compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The instruction's step.
    pub step: Step,
    /// The hart.
    pub hart: usize,
    /// Its address.
    pub pc: VirtAddr,
    /// The stack pointer.
    pub sp: u64,
    /// The return address, as far as a call has just put it there.
    pub ra: u64,
    /// The mode.
    pub privilege: Privilege,
    /// The address space.
    pub satp: Satp,
}

/// A translation in the TLB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TlbLine {
    /// The virtual page.
    pub vpn: Vpn,
    /// The frame.
    pub ppn: Ppn,
    /// The address space it belongs to.
    pub asid: u16,
    /// The flags of the leaf entry when it was walked.
    pub flags: PteFlags,
    /// Level of that leaf.
    pub level: u8,
}

/// One side of the TLB.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TlbSide {
    /// How it is built, as `--tlb` has it.
    pub geometry: String,
    /// What it has counted so far.
    pub counters: TlbCounters,
    /// What it holds.
    pub lines: Vec<TlbLine>,
}

/// Why a run came back to the debugger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// The step that was asked for has been reached.
    Reached,
    /// `stop_before` said so; that instruction has not run.
    Before,
    /// The event sink asked for it.
    Event,
    /// The user has pressed Ctrl-C.
    Interrupted,
    /// The machine has ended, or has no fuel left: it can't go on.
    Ended(StopReason),
}

/// Is asked before each instruction whether to stop there.
pub type StopBefore<'a> = &'a mut dyn FnMut(&Place) -> bool;

/// What an instruction has done that can be listened for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// A load or store; an AMO does both.
    Access(MemoryAccess),
    /// A translation was not in the TLB; the walk has found `pa`, or failed.
    TlbMiss {
        /// Which side of the TLB.
        side: Side,
        /// The address.
        va: VirtAddr,
        /// Where it lies.
        pa: Option<PhysAddr>,
    },
}

/// Is told what the instruction at a place has done, before it is asked whether to stop at the next.
pub type Hears<'a> = &'a mut dyn FnMut(&Place, &Heard);

/// Asks before each instruction, and where somebody listens tells what each does: an [`Observer`] for embedders.
pub struct Asking<'a> {
    stop_before: StopBefore<'a>,
    hears: Option<Hears<'a>>,
    /// The instruction that runs.
    place: Option<Place>,
}

impl<'a> Asking<'a> {
    /// Asks and tells these.
    pub fn new(stop_before: StopBefore<'a>, hears: Option<Hears<'a>>) -> Self {
        Self { stop_before, hears, place: None }
    }
    fn tell(&mut self, heard: Heard) {
        if let (Some(hears), Some(place)) = (&mut self.hears, &self.place) {
            hears(place, &heard);
        }
    }
}

impl Observer for Asking<'_> {
    fn before(&mut self, hart: &Hart, now: Step) -> ControlFlow<()> {
        let place = Place {
            step: now,
            hart: hart.id,
            pc: VirtAddr(hart.pc),
            sp: hart.x[usize::from(isa::reg::SP)],
            ra: hart.x[usize::from(isa::reg::RA)],
            privilege: hart.privilege,
            satp: hart.satp(),
        };
        self.place = Some(place);
        if (self.stop_before)(&place) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
    fn memory(&mut self, access: MemoryAccess) {
        self.tell(Heard::Access(access));
    }
    fn tlb_miss(&mut self, side: Side, va: VirtAddr, _: u16, pa: Option<PhysAddr>) {
        self.tell(Heard::TlbMiss { side, va, pa });
    }
}

/// What a machine holds: enough to look at the memory of its processes, be it in RAM or not.
pub trait Memory {
    /// Fills `into` from RAM. Returns false, and reads nothing, if that is not all RAM: devices are not touched.
    fn read_ram(&self, at: PhysAddr, into: &mut [u8]) -> bool;
    /// The page of a slot of the swap space, as the swap disk has it; `None` if it was never written, or nobody knows of a swap disk.
    fn swap_page(&self, _slot: u64) -> Option<&[u8]> {
        None
    }
}

/// A machine to be debugged. An embedder implements it over its machine; waiting for input when the guest is idle is
/// its business.
pub trait Target: Memory {
    /// The step of the next instruction.
    fn step(&self) -> Step;
    /// The number of harts.
    fn harts(&self) -> usize;
    /// The hart that runs next, if any does.
    fn next_hart(&self) -> usize;
    /// What a hart, which exists, does.
    fn hart_state(&self, hart: usize) -> HartState;
    /// Looks at a hart, which exists, from now on; at first it is the one that runs next.
    fn look_at(&mut self, hart: usize);
    /// The registers of the hart that is looked at.
    fn registers(&self) -> Registers;
    /// The registers of the program that the hart that is looked at has left last for a trap; `None` if nobody has kept them.
    fn left_program(&self) -> Option<Registers> {
        None
    }
    /// A CSR of the hart that is looked at, as M-mode would read it; `None` if there is no such CSR.
    fn csr(&self, csr: Csr) -> Option<u64>;
    /// Instructions that the hart that is looked at has executed in user mode.
    fn instructions_user(&self) -> u64;
    /// The instruction and the data side of the TLB of the hart that is looked at.
    fn tlb(&self) -> [TlbSide; 2];
    /// Whether the user has pressed Ctrl-C since this was asked last, or a run has told it: asked between the short runs of which
    /// stepping consists, whose ends may hide it.
    fn take_interrupt(&mut self) -> bool {
        false
    }
    /// Runs up to step `until`, or until something stops it earlier. The guest can't tell the difference.
    fn run(&mut self, until: Step, stop_before: Option<StopBefore<'_>>) -> Stop;
    /// The same, and tells what each instruction does.
    fn run_listening(&mut self, until: Step, stop_before: StopBefore<'_>, hears: Hears<'_>) -> Stop;
}
