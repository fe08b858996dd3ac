//! Calls to the firmware below (Supervisor Binary Interface 3.0, and its legacy console).

use core::arch::asm;
use isa::sbi;

/// One call: extension, function, three arguments; the error and the value.
fn call(extension: u64, function: u64, arguments: [u64; 3]) -> (i64, u64) {
    let (error, value);
    // SAFETY: the firmware keeps all registers but a0 and a1; memory it reads (console strings) is passed by address.
    unsafe {
        asm!(
            "ecall",
            inlateout("a0") arguments[0] => error,
            inlateout("a1") arguments[1] => value,
            in("a2") arguments[2],
            in("a6") function,
            in("a7") extension,
            options(nostack)
        );
    }
    (error, value)
}

/// Whether the firmware has an extension.
pub fn has_extension(extension: u64) -> bool {
    let probe = 3;
    call(sbi::EID_BASE, probe, [extension, 0, 0]) == (sbi::SUCCESS, 1)
}

/// Sets a firmware feature of this hart; whether the firmware has done so.
pub fn set_feature(feature: u32, value: u64) -> bool {
    call(sbi::EID_FWFT, 0, [u64::from(feature), value, 0]).0 == sbi::SUCCESS
}

/// Asks for a timer interrupt when `time` reaches `deadline` (`u64::MAX`: never).
pub fn set_timer(deadline: u64) {
    call(sbi::EID_TIME, 0, [deadline, 0, 0]);
}

/// Writes bytes at a physical address to the debug console; the count written, or `None` on an error.
pub fn debug_console_write(address: u64, len: u64) -> Option<u64> {
    let (error, count) = call(sbi::EID_DBCN, 0, [len, address, 0]);
    (error == sbi::SUCCESS).then_some(count)
}

/// Writes one character to the legacy console.
pub fn legacy_putchar(character: u8) {
    call(sbi::LEGACY_PUTCHAR, 0, [u64::from(character), 0, 0]);
}
