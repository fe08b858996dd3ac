//! SiFive's test finisher: one 32-bit register that ends the run.
//!
//! The low half of a store is the command, the high half the code of a failure. Unknown commands do nothing.
//! Loads read 0. 16- and 32-bit accesses are allowed, as on QEMU; a 16-bit store has code 0.

use crate::platform::AccessFault;

const PASS: u64 = 0x5555;
const FAIL: u64 = 0x3333;
const RESET: u64 = 0x7777;

/// How a program ended the run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Finish {
    /// PASS: power off.
    Pass,
    /// FAIL with this code.
    Fail(u16),
    /// Reset.
    Reset,
}

/// A load at `offset`.
pub fn read(_offset: u64, width_bytes: u8) -> Result<u64, AccessFault> {
    if matches!(width_bytes, 2 | 4) { Ok(0) } else { Err(AccessFault) }
}

/// A store at `offset`: how the run ends, if it does.
pub fn write(offset: u64, width_bytes: u8, value: u64) -> Result<Option<Finish>, AccessFault> {
    if !matches!(width_bytes, 2 | 4) {
        return Err(AccessFault);
    }
    if offset != 0 {
        return Ok(None);
    }
    let code = if width_bytes == 4 { value >> 16 & 0xffff } else { 0 };
    Ok(match value & 0xffff {
        PASS => Some(Finish::Pass),
        FAIL => Some(Finish::Fail(u16::try_from(code).expect("masked to 16 bits"))),
        RESET => Some(Finish::Reset),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        for (width, value, stop) in [
            (4, 0x5555, Ok(Some(Finish::Pass))),
            (4, 0x002a_3333, Ok(Some(Finish::Fail(42)))),
            (2, 0x3333, Ok(Some(Finish::Fail(0)))),
            (4, 0x7777, Ok(Some(Finish::Reset))),
            (4, 0, Ok(None)),
            (8, 0x5555, Err(AccessFault)),
            (1, 0x55, Err(AccessFault)),
        ] {
            assert_eq!(write(0, width, value), stop, "{value:#x}/{width}");
        }
        assert_eq!(write(8, 4, 0x5555), Ok(None));
        assert_eq!((read(0, 4), read(0, 8)), (Ok(0), Err(AccessFault)));
    }
}
