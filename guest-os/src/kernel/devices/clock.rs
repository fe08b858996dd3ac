//! The time of day: the real-time clock read once at boot, then the timebase, from where an administrator has set it.

use crate::arch;
use crate::devices::drivers::mmio::Mmio;
use crate::local::HartLocal;
use fs::{Errno, Timestamp};
use isa::platform;
use isa::time::TIMEBASE_HZ;

/// Nanoseconds in a tick of the timebase.
pub const NANOSECONDS_PER_TICK: u64 = 1_000_000_000 / TIMEBASE_HZ;
const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// Nanoseconds since 1970 at tick 0.
static EPOCH: HartLocal<u64> = HartLocal::new(0);

/// Reads the goldfish RTC (64 bits of nanoseconds; reading the low half latches the high one).
pub fn start() {
    let rtc = Mmio::new(platform::RTC);
    let low = rtc.read_u32(0);
    let high = rtc.read_u32(4);
    let now = u64::from(high) << 32 | u64::from(low);
    *EPOCH.get_mut() = now.saturating_sub(arch::time() * NANOSECONDS_PER_TICK);
}

/// It is so many nanoseconds after 1970 now. Not if the machine had started before that.
pub fn set(now: u64) -> Result<(), Errno> {
    *EPOCH.get_mut() = now.checked_sub(monotonic()).ok_or(Errno::EINVAL)?;
    Ok(())
}

/// Nanoseconds since 1970 when the machine started, as far as is known now.
pub fn epoch() -> u64 {
    *EPOCH.get()
}

/// Nanoseconds since 1970.
pub fn realtime() -> u64 {
    *EPOCH.get() + monotonic()
}

/// Nanoseconds since the machine started.
pub fn monotonic() -> u64 {
    arch::time() * NANOSECONDS_PER_TICK
}

/// The wall clock as a time stamp.
pub fn now() -> Timestamp {
    let now = realtime();
    Timestamp {
        seconds: (now / NANOSECONDS_PER_SECOND).cast_signed(),
        nanoseconds: u32::try_from(now % NANOSECONDS_PER_SECOND).unwrap_or(0),
    }
}

/// Seconds since 1970 when the machine started.
pub fn boot_seconds() -> i64 {
    (*EPOCH.get() / NANOSECONDS_PER_SECOND).cast_signed()
}
