//! The core-local interruptor: machine software interrupts and the machine timer.
//!
//! Register map and reset values are SiFive's (`msip` at 0, `mtimecmp` at 0x4000, `mtime` at 0xbff8).
//! `mtime` is a function of the machine's [`Step`] and an offset that a write to `mtime` changes, so the timer
//! costs nothing while it runs and its interrupt comes at an exact step.
//!
//! Widths, as on QEMU: 32 bits, and from `mtimecmp` on 64 bits too. Others are access faults. The words of harts that do not
//! exist and the holes up to the end of `mtime` read 0 and ignore stores: kernels clear what the largest machine has.

use super::device::{Access, Device, Effect, View, World};
use crate::platform::AccessFault;
use isa::{Interrupt, Step};
use serde::{Deserialize, Serialize};

const MTIMECMP: u64 = 0x4000;
const MTIME: u64 = 0xbff8;
/// Past the last register.
const END: u64 = 0xc000;

/// The CLINT of all harts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Clint {
    msip: Vec<bool>,
    /// Reset value 0, as in Spike: MTIP is pending until a program writes it.
    mtimecmp: Vec<u64>,
    /// `mtime` is the step's ticks plus this, wrapping.
    mtime_offset: u64,
}

/// One of the device's registers and the part of it that an access names.
enum Register {
    Msip(usize),
    MtimeCmp(usize),
    Mtime,
}

impl Clint {
    /// A CLINT for `harts` harts at reset.
    pub fn new(harts: usize) -> Self {
        Self { msip: vec![false; harts], mtimecmp: vec![0; harts], mtime_offset: 0 }
    }

    /// The value of `mtime` at `now`.
    pub fn mtime(&self, now: Step) -> u64 {
        now.ticks().wrapping_add(self.mtime_offset)
    }

    /// The first step at or after `now` at which `mtime` is at least `ticks` (now, if it is already).
    pub fn step_of_mtime(&self, ticks: u64, now: Step) -> Step {
        match ticks.checked_sub(self.mtime(now)) {
            None | Some(0) => now,
            Some(remaining) => now.ticks().checked_add(remaining).map_or(Step::NEVER, Step::at_ticks),
        }
    }

    /// MSIP and MTIP of `hart` at `now`.
    pub fn lines(&self, hart: usize, now: Step) -> u64 {
        let mut lines = 0;
        if self.msip.get(hart).copied().unwrap_or(false) {
            lines |= Interrupt::MachineSoftware.mask();
        }
        if self.mtimecmp.get(hart).is_some_and(|&cmp| self.mtime(now) >= cmp) {
            lines |= Interrupt::MachineTimer.mask();
        }
        lines
    }

    /// The first step after `now` at which a timer line changes.
    fn next_change(&self, now: Step) -> Step {
        self.mtimecmp.iter().map(|&ticks| self.timer_change(ticks, now)).min().unwrap_or(Step::NEVER)
    }

    /// The first step after `now` at which a timer with this compare value rises or falls: it rises when `mtime`
    /// reaches the value, and falls when `mtime` wraps.
    pub fn timer_change(&self, ticks: u64, now: Step) -> Step {
        let mtime = self.mtime(now);
        let remaining = match ticks {
            _ if ticks > mtime => ticks - mtime,
            0 => return Step::NEVER,
            _ => mtime.wrapping_neg(),
        };
        now.ticks().checked_add(remaining).map_or(Step::NEVER, Step::at_ticks)
    }

    /// A load at `offset`.
    fn read(&self, offset: u64, width_bytes: u8, now: Step) -> Result<u64, AccessFault> {
        let Some((register, half)) = self.decode(offset, width_bytes)? else { return Ok(0) };
        let value = match register {
            Register::Msip(hart) => u64::from(self.msip[hart]),
            Register::MtimeCmp(hart) => self.mtimecmp[hart],
            Register::Mtime => self.mtime(now),
        };
        Ok(match half {
            Half::All => value,
            Half::Low => value & u64::from(u32::MAX),
            Half::High => value >> 32,
        })
    }

    /// A store at `offset`.
    fn write(&mut self, offset: u64, width_bytes: u8, value: u64, now: Step) -> Result<(), AccessFault> {
        let Some((register, half)) = self.decode(offset, width_bytes)? else { return Ok(()) };
        let merge = |old: u64| match half {
            Half::All => value,
            Half::Low => old & !u64::from(u32::MAX) | value & u64::from(u32::MAX),
            Half::High => old & u64::from(u32::MAX) | value << 32,
        };
        match register {
            Register::Msip(hart) => self.msip[hart] = value & 1 != 0,
            Register::MtimeCmp(hart) => self.mtimecmp[hart] = merge(self.mtimecmp[hart]),
            Register::Mtime => self.mtime_offset = merge(self.mtime(now)).wrapping_sub(now.ticks()),
        }
        Ok(())
    }

    /// The register at `offset`, and the part of it; `None` where there is none.
    fn decode(&self, offset: u64, width_bytes: u8) -> Result<Option<(Register, Half)>, AccessFault> {
        let half = match (width_bytes, offset) {
            (8, MTIMECMP..END) => Half::All,
            (4, ..END) if offset & 4 == 0 => Half::Low,
            (4, ..END) => Half::High,
            _ => return Err(AccessFault),
        };
        let hart_at = |first: u64, stride: u64| {
            usize::try_from((offset - first) / stride).ok().filter(|&hart| hart < self.msip.len())
        };
        Ok(match offset {
            ..MTIMECMP => hart_at(0, 4).map(|hart| (Register::Msip(hart), Half::Low)),
            MTIMECMP..MTIME => hart_at(MTIMECMP, 8).map(|hart| (Register::MtimeCmp(hart), half)),
            _ => Some((Register::Mtime, half)),
        })
    }
}

enum Half {
    All,
    Low,
    High,
}

impl Device for Clint {
    fn load(&mut self, access: Access, world: &mut World<'_>) -> Result<u64, AccessFault> {
        self.read(access.offset, access.width_bytes, world.now)
    }
    fn store(&mut self, access: Access, value: u64, world: &mut World<'_>) -> Result<Effect, AccessFault> {
        self.write(access.offset, access.width_bytes, value, world.now).map(|()| Effect::None)
    }
    fn next_deadline(&self, view: View<'_>) -> Step {
        self.next_change(view.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MTIP: u64 = 1 << 7;

    #[test]
    fn the_timer_line_rises_at_the_exact_step() {
        let mut clint = Clint::new(1);
        clint.write(MTIMECMP, 8, 5, Step(0)).unwrap();
        assert_eq!(clint.next_change(Step(0)), Step(500));
        assert_eq!(clint.lines(0, Step(499)) & MTIP, 0);
        assert_eq!(clint.lines(0, Step(500)) & MTIP, MTIP);
    }

    #[test]
    fn mtime_can_be_set_and_read_by_halves() {
        let mut clint = Clint::new(1);
        clint.write(MTIME, 8, 0x1_0000_0005, Step(1000)).unwrap();
        assert_eq!(clint.read(MTIME, 8, Step(1000)), Ok(0x1_0000_0005));
        assert_eq!(clint.read(MTIME, 8, Step(1100)), Ok(0x1_0000_0006));
        assert_eq!(clint.read(MTIME + 4, 4, Step(1100)), Ok(1));
        clint.write(MTIME + 4, 4, 2, Step(1100)).unwrap();
        assert_eq!(clint.read(MTIME, 8, Step(1199)), Ok(0x2_0000_0006));
    }

    #[test]
    fn a_wrapping_mtime_lowers_the_line_again() {
        let mut clint = Clint::new(1);
        clint.write(MTIMECMP, 8, u64::MAX - 1, Step(0)).unwrap();
        clint.write(MTIME, 8, u64::MAX - 1, Step(0)).unwrap();
        assert_eq!(clint.lines(0, Step(0)) & MTIP, MTIP);
        assert_eq!(clint.next_change(Step(0)), Step(200));
        assert_eq!(clint.lines(0, Step(200)) & MTIP, 0);
    }

    #[test]
    fn a_timer_that_is_always_due_has_no_deadline() {
        let clint = Clint::new(1);
        assert_eq!(clint.lines(0, Step(0)) & MTIP, MTIP);
        assert_eq!(clint.next_change(Step(77)), Step::NEVER);
    }

    #[test]
    fn software_interrupts() {
        let mut clint = Clint::new(2);
        clint.write(4, 4, 0xffff_ffff, Step(0)).unwrap();
        assert_eq!(clint.read(4, 4, Step(0)), Ok(1));
        assert_eq!((clint.lines(0, Step(0)) & 8, clint.lines(1, Step(0)) & 8), (0, 8));
    }

    #[test]
    fn absent_harts_and_holes_are_silent_and_other_widths_fault() {
        let mut clint = Clint::new(1);
        for (hole, width) in
            [(4, 4), (MTIMECMP - 4, 4), (MTIMECMP + 8, 8), (MTIMECMP + 12, 4), (0x8000, 4), (MTIME - 8, 8)]
        {
            assert_eq!(clint.write(hole, width, u64::MAX, Step(0)), Ok(()), "{hole:#x}/{width}");
            assert_eq!(clint.read(hole, width, Step(0)), Ok(0), "{hole:#x}/{width}");
        }
        for (offset, width) in [(0, 8), (0, 1), (MTIMECMP, 2), (MTIME, 1), (END, 4), (0xfff8, 8)] {
            assert_eq!(clint.read(offset, width, Step(0)), Err(AccessFault), "{offset:#x}/{width}");
            assert_eq!(clint.write(offset, width, 0, Step(0)), Err(AccessFault), "{offset:#x}/{width}");
        }
    }
}
