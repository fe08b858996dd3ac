//! The seam between harts and the rest of the machine: what a load, store or fetch that is not RAM meets. It knows
//! neither side: `exec` calls it, devices answer by its fault, and the machine's bus implements it.

use crate::mem::ram::Ram;
use isa::{PhysAddr, Step};

/// No device answers there, or not at this width or offset; the hart raises an access fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccessFault;

/// The machine around a hart: devices, time, interrupt lines. The hart's
/// execution loop calls it only for instructions that it runs alone, outside a block, so that whatever a device
/// changes (pending interrupts, a stop request, code in RAM by DMA) is seen before the next instruction.
pub trait Platform {
    /// A load of `width_bytes` (1, 2, 4 or 8) that is not RAM. `now` is the step of the instruction itself.
    fn read(&mut self, ram: &mut Ram, pa: PhysAddr, width_bytes: u8, now: Step) -> Result<u64, AccessFault>;
    /// A store of the low `width_bytes` of `value` that is not RAM.
    fn write(
        &mut self,
        ram: &mut Ram,
        pa: PhysAddr,
        width_bytes: u8,
        value: u64,
        now: Step,
    ) -> Result<(), AccessFault>;
    /// The value of `mtime` (what the `time` CSR reads) at step `now`.
    fn mtime(&self, now: Step) -> u64;
    /// The first step after `now` at which the answer to "is `mtime` at least `ticks`?" changes.
    fn timer_change(&self, ticks: u64, now: Step) -> Step;
    /// The bits of `mip` that devices drive for `hart` (MSIP, MTIP, MEIP, SEIP; STIP under the built-in SBI) at step `now`.
    fn interrupt_lines(&mut self, hart: usize, now: Step) -> u64;
    /// The first step after `now` at which [`Platform::interrupt_lines`] may change or a device wants to act by itself.
    fn next_deadline(&self, now: Step) -> Step;
    /// Lets devices act whose deadline is `now` or earlier (disk completions, timers).
    fn advance(&mut self, ram: &mut Ram, now: Step);
    /// Whether a device has asked the machine to stop (finisher, host exit). Checked after every device access.
    fn stop_requested(&self) -> bool;
}
