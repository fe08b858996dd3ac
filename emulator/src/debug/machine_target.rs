//! A whole machine as a [`Target`]: what looking at it comes to is written here, once for all who run one.

use super::target::{Asking, Hears, Memory, Registers, Stop, StopBefore, Target, TlbLine, TlbSide};
use crate::exec::Observer;
use crate::hart::{Hart, LeftProgram};
use crate::machine::{HartState, Machine};
use crate::mem::tlb::Tlb;
use isa::csr::Csr;
use isa::paging::Satp;
use isa::{PhysAddr, Privilege, Step, VirtAddr};

/// Someone who has a machine and runs it. All of [`Target`] comes with it.
pub trait MachineTarget {
    /// The machine.
    fn machine(&self) -> &Machine;
    /// The number of its swap disk, if it is known which that is.
    fn swap_disk(&self) -> Option<usize> {
        None
    }
    /// The hart that is looked at.
    fn looked_at(&self) -> usize;
    /// Looks at another, which exists.
    fn set_looked_at(&mut self, hart: usize);
    /// Runs up to step `until`, observed or not, or until something stops it earlier.
    fn run_observed(&mut self, until: Step, observer: Option<&mut dyn Observer>) -> Stop;
    /// As [`Target::take_interrupt`].
    fn take_ctrl_c(&mut self) -> bool {
        false
    }
}

/// A machine's memory, and the number of its swap disk, if it is known which that is.
pub struct MachineMemory<'a>(pub &'a Machine, pub Option<usize>);

impl Memory for MachineMemory<'_> {
    fn read_ram(&self, at: PhysAddr, into: &mut [u8]) -> bool {
        self.0.ram().slice(at, into.len()).map(|bytes| into.copy_from_slice(bytes)).is_some()
    }
    fn swap_page(&self, slot: u64) -> Option<&[u8]> {
        // A slot in use has been written by this run: it is not in the disk's image.
        self.0.written_page(self.1?, slot)
    }
}

fn hart<T: MachineTarget>(of: &T) -> &Hart {
    &of.machine().harts()[of.looked_at()]
}

fn tlb_side(tlb: &Tlb) -> TlbSide {
    let lines = tlb.live_entries().map(|(_, entry)| TlbLine {
        vpn: entry.vpn(),
        ppn: entry.ppn(),
        asid: entry.asid(),
        flags: entry.flags(),
        level: entry.level(),
    });
    TlbSide { geometry: tlb.geometry().to_string(), counters: tlb.counters(), lines: lines.collect() }
}

impl<T: MachineTarget> Memory for T {
    fn read_ram(&self, at: PhysAddr, into: &mut [u8]) -> bool {
        MachineMemory(self.machine(), self.swap_disk()).read_ram(at, into)
    }
    fn swap_page(&self, slot: u64) -> Option<&[u8]> {
        self.machine().written_page(self.swap_disk()?, slot)
    }
}

impl<T: MachineTarget> Target for T {
    fn step(&self) -> Step {
        self.machine().steps()
    }
    fn harts(&self) -> usize {
        self.machine().harts().len()
    }
    fn next_hart(&self) -> usize {
        self.machine().hart().id
    }
    fn hart_state(&self, hart: usize) -> HartState {
        self.machine().hart_state(hart).expect("only harts that exist are asked for")
    }
    fn look_at(&mut self, hart: usize) {
        self.set_looked_at(hart);
    }
    fn registers(&self) -> Registers {
        Registers::of(hart(self))
    }
    fn left_program(&self) -> Option<Registers> {
        let LeftProgram { pc, x, f, satp } = *hart(self).left_program();
        let (hart, privilege) = (self.looked_at(), Privilege::User);
        Some(Registers { hart, pc: VirtAddr(pc), x, f, privilege, satp: Satp(satp) })
    }
    fn csr(&self, csr: Csr) -> Option<u64> {
        self.machine().csr_of(self.looked_at(), csr)
    }
    fn instructions_user(&self) -> u64 {
        hart(self).counters.retired_in(Privilege::User)
    }
    fn tlb(&self) -> [TlbSide; 2] {
        [tlb_side(&hart(self).itlb), tlb_side(&hart(self).dtlb)]
    }
    fn take_interrupt(&mut self) -> bool {
        self.take_ctrl_c()
    }
    fn run(&mut self, until: Step, stop_before: Option<StopBefore<'_>>) -> Stop {
        match stop_before {
            None => self.run_observed(until, None),
            Some(stop_before) => self.run_observed(until, Some(&mut Asking::new(stop_before, None))),
        }
    }
    fn run_listening(&mut self, until: Step, stop_before: StopBefore<'_>, hears: Hears<'_>) -> Stop {
        self.run_observed(until, Some(&mut Asking::new(stop_before, Some(hears))))
    }
}
