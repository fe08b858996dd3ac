//! Calls that always come to the same.

use super::files::file_to_use;
use super::{Arguments, Outcome, Stop};
use fs::Errno;

/// Nothing to do, or nothing that could be otherwise: the disk is read-only, there is one hart.
pub fn nothing(_: Arguments) -> Outcome {
    Ok(0)
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
    file_to_use(fd).and(Err(Errno::ENOTSOCK)).map_err(Stop::from)
}
