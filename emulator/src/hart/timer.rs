//! Sstc: the supervisor's own timer (privileged manual, "Sstc Extension for Supervisor-mode Timer Interrupts").
//!
//! While `menvcfg.STCE` is set, `mip.STIP` says whether `time` has reached `stimecmp` and nothing else: the bit that
//! software has set keeps its value out of sight, and what firmware's timer drives does not count.

use super::{CsrFile, Hart};
use isa::Interrupt;
use isa::csr::menvcfg;

const STIP: u64 = Interrupt::SupervisorTimer.mask();

impl CsrFile {
    /// Whether `stimecmp` drives STIP.
    #[inline]
    pub fn supervisor_timer_is_on(&self) -> bool {
        self.menvcfg & menvcfg::STCE != 0
    }
    /// `mip` as it reads.
    #[inline]
    pub fn mip(&self) -> u64 {
        let hidden = if self.supervisor_timer_is_on() { STIP } else { 0 };
        self.mip_software & !hidden | self.mip_lines
    }
}

impl Hart {
    /// Takes note of the interrupt lines: those that the platform drives at `mtime`, and the hart's own timer's.
    pub(crate) fn sense_interrupts(&mut self, lines: u64, mtime: u64) {
        self.csr.mip_lines = match self.csr.supervisor_timer_is_on() {
            false => lines,
            true => lines & !STIP | if mtime >= self.csr.stimecmp { STIP } else { 0 },
        };
    }
    /// The value of `mtime` that the hart's own timer waits for, if it is on.
    pub(crate) fn timer(&self) -> Option<u64> {
        self.csr.supervisor_timer_is_on().then_some(self.csr.stimecmp)
    }
}
