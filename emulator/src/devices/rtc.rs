//! The Goldfish real-time clock: nanoseconds since 1970, from the machine's step and a fixed epoch, with an alarm.
//!
//! All registers are 32 bits wide, and an access of 64 bits is one of each; narrower ones, and those past the last
//! register, are access faults, as on QEMU. Reading the low half latches the high half.

use super::device::{Access, Device, Effect, View, World};
use crate::platform::AccessFault;
use isa::Step;
use isa::platform::RTC_EPOCH_SECONDS;
use serde::{Deserialize, Serialize};

const TIME_LOW: u64 = 0x00;
const TIME_HIGH: u64 = 0x04;
const ALARM_LOW: u64 = 0x08;
const ALARM_HIGH: u64 = 0x0c;
const IRQ_ENABLED: u64 = 0x10;
const CLEAR_ALARM: u64 = 0x14;
const ALARM_STATUS: u64 = 0x18;
const CLEAR_INTERRUPT: u64 = 0x1c;
/// Past the last register, of which QEMU has one more.
const END: u64 = 0x24;
const NANOSECONDS: u64 = 1_000_000_000;
const LOW: u64 = 0xffff_ffff;

/// The clock's registers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rtc {
    /// Nanoseconds since 1970 at step 0; writes of the time change it.
    epoch_ns: u64,
    latched_high: u64,
    /// When the alarm is set to.
    alarm_ns: u64,
    /// It is still to come.
    alarm_armed: bool,
    irq_enabled: bool,
    irq_pending: bool,
}

impl Default for Rtc {
    fn default() -> Self {
        Self {
            epoch_ns: RTC_EPOCH_SECONDS * NANOSECONDS,
            latched_high: 0,
            alarm_ns: 0,
            alarm_armed: false,
            irq_enabled: false,
            irq_pending: false,
        }
    }
}

impl Rtc {
    /// Has the clock begin at this time, or later if it does so by itself.
    pub fn begin_no_earlier(&mut self, epoch_ns: u64) {
        self.epoch_ns = self.epoch_ns.max(epoch_ns);
    }

    /// The step of the alarm.
    fn alarm_step(&self) -> Step {
        // One step is one nanosecond.
        if self.alarm_armed { Step(self.alarm_ns.saturating_sub(self.epoch_ns)) } else { Step::NEVER }
    }

    /// Fires an alarm that is due.
    fn ring(&mut self, now: Step) {
        if self.alarm_armed && self.alarm_step() <= now {
            self.alarm_armed = false;
            self.irq_pending = true;
        }
    }

    /// A load at `offset`.
    fn read(&mut self, offset: u64, width_bytes: u8, now: Step) -> Result<u64, AccessFault> {
        if width_bytes != 4 {
            return Err(AccessFault);
        }
        match offset {
            TIME_LOW => {
                let time = self.time_ns(now);
                self.latched_high = time >> 32;
                Ok(time & LOW)
            }
            TIME_HIGH => Ok(self.latched_high),
            ALARM_LOW => Ok(self.alarm_ns & LOW),
            ALARM_HIGH => Ok(self.alarm_ns >> 32),
            IRQ_ENABLED => Ok(u64::from(self.irq_enabled)),
            ALARM_STATUS => Ok(u64::from(self.alarm_armed)),
            _ if offset < END => Ok(0),
            _ => Err(AccessFault),
        }
    }

    /// A store at `offset`.
    fn write(&mut self, offset: u64, width_bytes: u8, value: u64, now: Step) -> Result<(), AccessFault> {
        if width_bytes != 4 {
            return Err(AccessFault);
        }
        let value = value & LOW;
        match offset {
            TIME_LOW => self.set_time(self.time_ns(now) & !LOW | value, now),
            TIME_HIGH => self.set_time(self.time_ns(now) & LOW | value << 32, now),
            ALARM_LOW => {
                self.alarm_ns = self.alarm_ns & !LOW | value;
                self.alarm_armed = true;
                self.ring(now);
            }
            ALARM_HIGH => self.alarm_ns = self.alarm_ns & LOW | value << 32,
            IRQ_ENABLED => self.irq_enabled = value & 1 != 0,
            CLEAR_ALARM => self.alarm_armed = false,
            CLEAR_INTERRUPT => self.irq_pending = false,
            _ if offset < END => {}
            _ => return Err(AccessFault),
        }
        Ok(())
    }

    fn time_ns(&self, now: Step) -> u64 {
        self.epoch_ns.wrapping_add(now.0)
    }
    fn set_time(&mut self, time_ns: u64, now: Step) {
        self.epoch_ns = time_ns.wrapping_sub(now.0);
    }
}

impl Device for Rtc {
    fn load(&mut self, access: Access, world: &mut World<'_>) -> Result<u64, AccessFault> {
        access.load_words(|word| self.read(word.offset, word.width_bytes, world.now))
    }
    fn store(&mut self, access: Access, value: u64, world: &mut World<'_>) -> Result<Effect, AccessFault> {
        access
            .store_words(value, |word, value| self.write(word.offset, word.width_bytes, value, world.now))?;
        Ok(Effect::None)
    }
    fn line(&self, _: usize) -> bool {
        self.irq_enabled && self.irq_pending
    }
    fn next_deadline(&self, _: View<'_>) -> Step {
        self.alarm_step()
    }
    fn advance(&mut self, world: &mut World<'_>) {
        self.ring(world.now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(rtc: &mut Rtc, now: Step) -> u64 {
        let low = rtc.read(TIME_LOW, 4, now).unwrap();
        rtc.read(TIME_HIGH, 4, Step(now.0 + (1 << 33))).unwrap() << 32 | low
    }

    #[test]
    fn time_starts_at_the_fixed_epoch_and_counts_steps() {
        let mut rtc = Rtc::default();
        assert_eq!(time(&mut rtc, Step(0)), RTC_EPOCH_SECONDS * NANOSECONDS);
        assert_eq!(time(&mut rtc, Step(12345)), RTC_EPOCH_SECONDS * NANOSECONDS + 12345);
    }

    #[test]
    fn the_alarm_fires_at_its_step() {
        let mut rtc = Rtc::default();
        let alarm = RTC_EPOCH_SECONDS * NANOSECONDS + 5000;
        rtc.write(IRQ_ENABLED, 4, 1, Step(0)).unwrap();
        rtc.write(ALARM_HIGH, 4, alarm >> 32, Step(0)).unwrap();
        rtc.write(ALARM_LOW, 4, alarm & LOW, Step(0)).unwrap();
        assert_eq!(rtc.alarm_step(), Step(5000));
        rtc.ring(Step(4999));
        assert!(!rtc.line(0));
        rtc.ring(Step(5000));
        assert!(rtc.line(0));
        assert_eq!(rtc.alarm_step(), Step::NEVER);
        rtc.write(CLEAR_INTERRUPT, 4, 1, Step(5001)).unwrap();
        assert!(!rtc.line(0));
    }

    #[test]
    fn sixty_four_bits_are_two_registers() {
        let mut rtc = Rtc { alarm_ns: 0x1_2345_6789, ..Rtc::default() };
        let access = |offset| Access { offset, width_bytes: 8 };
        let load = |rtc: &mut Rtc, at| {
            access(at).load_words(|word| rtc.read(word.offset, word.width_bytes, Step(0)))
        };
        assert_eq!(load(&mut rtc, ALARM_LOW), Ok(0x1_2345_6789));
        assert_eq!(load(&mut rtc, TIME_LOW), Ok(RTC_EPOCH_SECONDS * NANOSECONDS));
        assert_eq!(load(&mut rtc, 0x20), Err(AccessFault), "its second half is past the end");
    }

    #[test]
    fn an_alarm_can_be_read_back_when_it_has_rung() {
        let mut rtc = Rtc::default();
        rtc.write(ALARM_HIGH, 4, 1, Step(0)).unwrap();
        rtc.write(ALARM_LOW, 4, 2, Step(0)).unwrap();
        let registers = [ALARM_HIGH, ALARM_LOW, ALARM_STATUS].map(|register| rtc.read(register, 4, Step(0)));
        assert_eq!(registers, [Ok(1), Ok(2), Ok(0)]);
    }

    #[test]
    fn bad_accesses_fault() {
        let mut rtc = Rtc::default();
        assert_eq!((rtc.read(0x20, 4, Step(0)), rtc.write(0x20, 4, 1, Step(0))), (Ok(0), Ok(())));
        for (offset, width) in [(END, 4), (0, 1), (0, 2)] {
            assert_eq!(rtc.read(offset, width, Step(0)), Err(AccessFault), "{offset:#x}/{width}");
            assert_eq!(rtc.write(offset, width, 0, Step(0)), Err(AccessFault), "{offset:#x}/{width}");
        }
    }
}
