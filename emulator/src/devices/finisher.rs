//! SiFive's test finisher: one 32-bit register that ends the run.
//!
//! The low half of a store is the command, the high half the code of a failure. Unknown commands do nothing.
//! Loads read 0. 16- and 32-bit accesses are allowed, as on QEMU; a 16-bit store has code 0.

use super::device::{Access, Device, Effect, World};
use crate::platform::AccessFault;
use serde::{Deserialize, Serialize};

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

/// The finisher, which has no state.
#[derive(Clone, Copy, Default, Debug, Serialize, Deserialize)]
pub struct Finisher;

impl Device for Finisher {
    fn load(&mut self, access: Access, _: &mut World<'_>) -> Result<u64, AccessFault> {
        if matches!(access.width_bytes, 2 | 4) { Ok(0) } else { Err(AccessFault) }
    }
    fn store(&mut self, access: Access, value: u64, _: &mut World<'_>) -> Result<Effect, AccessFault> {
        Ok(command(access, value)?.map_or(Effect::None, Effect::Finish))
    }
}

/// What a store says of how the run ends, if it does.
fn command(access: Access, value: u64) -> Result<Option<Finish>, AccessFault> {
    if !matches!(access.width_bytes, 2 | 4) {
        return Err(AccessFault);
    }
    if access.offset != 0 {
        return Ok(None);
    }
    let code = if access.width_bytes == 4 { value >> 16 & 0xffff } else { 0 };
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
        for (width_bytes, value, stop) in [
            (4, 0x5555, Ok(Some(Finish::Pass))),
            (4, 0x002a_3333, Ok(Some(Finish::Fail(42)))),
            (2, 0x3333, Ok(Some(Finish::Fail(0)))),
            (4, 0x7777, Ok(Some(Finish::Reset))),
            (4, 0, Ok(None)),
            (8, 0x5555, Err(AccessFault)),
            (1, 0x55, Err(AccessFault)),
        ] {
            assert_eq!(command(Access { offset: 0, width_bytes }, value), stop, "{value:#x}/{width_bytes}");
        }
        assert_eq!(command(Access { offset: 8, width_bytes: 4 }, 0x5555), Ok(None));
    }
}
