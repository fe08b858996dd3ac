//! What can be told of a run while it goes on. The plain interpreter has none of these calls compiled in.

use crate::hart::Hart;
use core::ops::ControlFlow;
use isa::insn::Insn;
use isa::paging::Access;
use isa::{Interrupt, PhysAddr, Step, Trap, VirtAddr};

/// Which side of the TLB.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TlbSide {
    /// Instruction fetches.
    Instruction,
    /// Loads, stores, atomics.
    Data,
}

/// A load or store that has been made. An AMO is a load followed by a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemoryAccess {
    /// Where, before translation.
    pub va: VirtAddr,
    /// [`Access::Load`] or [`Access::Store`].
    pub access: Access,
    /// How many bytes.
    pub width_bytes: u8,
    /// What was loaded (zero-extended) or stored.
    pub value: u64,
}

/// Is told what a hart does. Each method does nothing unless it is overridden.
#[allow(unused_variables)]
pub trait Observer {
    /// The instruction at `hart.pc` is about to run. `Break` leaves the loop before it
    /// ([`Exit::Breakpoint`](super::Exit::Breakpoint)).
    fn before(&mut self, hart: &Hart, now: Step) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
    /// An instruction has retired; it was at `pc`, and `hart.pc` is the next.
    fn retired(&mut self, hart: &Hart, now: Step, pc: VirtAddr, insn: &Insn) {}
    /// A load or store has been made.
    fn memory(&mut self, access: MemoryAccess) {}
    /// The running instruction has raised floating-point flags (those of `fflags`, new or not).
    fn float_flags(&mut self, raised: u8) {}
    /// A translation was not in the TLB; `pa` is what the walk found, `None` if it failed.
    fn tlb_miss(&mut self, side: TlbSide, va: VirtAddr, asid: u16, pa: Option<PhysAddr>) {}
    /// An exception has been taken: `hart` is at its handler, the instruction was at `pc`.
    fn exception(&mut self, hart: &Hart, now: Step, pc: VirtAddr, trap: Trap) {}
    /// An interrupt has been taken before the instruction at `pc`.
    fn interrupt(&mut self, hart: &Hart, now: Step, pc: VirtAddr, interrupt: Interrupt) {}
}
