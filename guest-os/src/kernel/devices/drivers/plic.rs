//! The platform-level interrupt controller (RISC-V PLIC specification), S-mode context of hart 0.

use super::mmio::Mmio;
use isa::platform;

const PLIC: Mmio = Mmio::new(platform::PLIC);
/// Context 0 is M-mode of hart 0, context 1 its S-mode.
const CONTEXT: u64 = 1;
const ENABLE: u64 = 0x2000 + CONTEXT * 0x80;
const THRESHOLD: u64 = 0x20_0000 + CONTEXT * 0x1000;
const CLAIM: u64 = THRESHOLD + 4;

/// Lets `source` interrupt the hart.
pub fn enable(source: u32) {
    PLIC.write_u32(u64::from(source) * 4, 1);
    let word = ENABLE + u64::from(source / 32) * 4;
    PLIC.write_u32(word, PLIC.read_u32(word) | 1 << (source % 32));
    PLIC.write_u32(THRESHOLD, 0);
}

/// Takes the next pending source, if any. [`complete`] must follow.
pub fn claim() -> Option<u32> {
    let source = PLIC.read_u32(CLAIM);
    (source != 0).then_some(source)
}

/// The source has been served.
pub fn complete(source: u32) {
    PLIC.write_u32(CLAIM, source);
}
