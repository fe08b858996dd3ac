//! The test finisher: ends the run where there is no host device.

use super::mmio::Mmio;
use isa::platform;

const PASS: u32 = 0x5555;
const FAIL: u32 = 0x3333;

/// Powers the machine off with this status (0..=255).
pub fn exit(status: u32) -> ! {
    let value = if status == 0 { PASS } else { FAIL | status << 16 };
    loop {
        Mmio::new(platform::FINISHER).write_u32(0, value);
    }
}
