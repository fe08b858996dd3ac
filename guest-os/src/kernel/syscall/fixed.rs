//! Calls that always come to the same.

use super::{Arguments, Outcome};
use fs::Errno;

/// Nothing to do, or nothing that could be otherwise: the disk is read-only, there is one hart.
pub fn nothing(_: Arguments) -> Outcome {
    Ok(0)
}

/// Programs try these first and know what to do without.
pub fn absent(_: Arguments) -> Outcome {
    Err(Errno::ENOSYS.into())
}
