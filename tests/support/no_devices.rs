//! A hart by itself: a platform without devices, for tests that run harts without a machine.

use emulator::mem::ram::Ram;
use emulator::platform::{AccessFault, Platform};
use isa::{PhysAddr, Step};

/// A platform where nothing answers and nothing ever happens.
pub struct NoDevices;

impl Platform for NoDevices {
    fn read(&mut self, _: &mut Ram, _: PhysAddr, _: u8, _: Step) -> Result<u64, AccessFault> {
        Err(AccessFault)
    }
    fn write(&mut self, _: &mut Ram, _: PhysAddr, _: u8, _: u64, _: Step) -> Result<(), AccessFault> {
        Err(AccessFault)
    }
    fn mtime(&self, _: Step) -> u64 {
        0
    }
    fn timer_change(&self, _: u64, _: Step) -> Step {
        Step::NEVER
    }
    fn interrupt_lines(&mut self, _: usize, _: Step) -> u64 {
        0
    }
    fn next_deadline(&self, _: Step) -> Step {
        Step(u64::MAX)
    }
    fn advance(&mut self, _: &mut Ram, _: Step) {}
    fn stop_requested(&self) -> bool {
        false
    }
}
