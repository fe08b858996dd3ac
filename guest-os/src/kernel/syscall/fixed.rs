//! Calls that always come to the same.

use super::files::open_file;
use super::{Arguments, Outcome, Stop};
use abi::sets;
use fs::Errno;

/// Nothing to do, or nothing that could be otherwise: the disk is read-only, there is one hart.
pub fn nothing(_: Arguments) -> Outcome {
    Ok(0)
}

/// Nice 0, as the call tells it.
pub fn getpriority([which, ..]: Arguments) -> Outcome {
    is_someones(which).map(|()| 20)
}

/// Everyone has the same priority.
pub fn setpriority([which, ..]: Arguments) -> Outcome {
    is_someones(which).map(|()| 0)
}

/// Whether there is anyone whose priority this can be.
fn is_someones(which: u64) -> Result<(), Stop> {
    sets::PRIORITY.choice(which).map(|_| ()).ok_or(Stop::from(Errno::EINVAL))
}

/// Programs try these first and know what to do without.
pub fn absent(_: Arguments) -> Outcome {
    Err(Errno::ENOSYS.into())
}

/// Programs take this for an answer (bash asks when it looks up its host's name).
pub fn socket(_: Arguments) -> Outcome {
    Err(Errno::EAFNOSUPPORT.into())
}

/// A shell asks whether its input is a connection; any other error than this means yes to it.
pub fn not_a_socket([fd, ..]: Arguments) -> Outcome {
    open_file(fd).and(Err(Errno::ENOTSOCK)).map_err(Stop::from)
}
