//! Calls that always come to the same.

use super::files::{details, file_to_use};
use super::{Arguments, Outcome};
use fs::{Errno, Object};

/// Nothing to do, or nothing that could be otherwise: the disk is read-only, there is one hart.
pub fn nothing(_: Arguments) -> Outcome {
    Ok(0)
}

/// `sync_file_range`, where nothing is written back. ESPIPE but for files, EINVAL for what is no range.
pub fn sync_range([fd, offset, len, ..]: Arguments) -> Outcome {
    let file = details(file_to_use(fd)?);
    if offset.cast_signed() < 0 || len.cast_signed() < 0 || offset.wrapping_add(len).cast_signed() < 0 {
        return Err(Errno::EINVAL.into());
    }
    match file.object {
        Object::Disk(_) | Object::Memory(_) | Object::Directory(_) => Ok(0),
        _ => Err(Errno::ESPIPE.into()),
    }
}

/// `syncfs`.
pub fn sync_one([fd, ..]: Arguments) -> Outcome {
    file_to_use(fd)?;
    Ok(0)
}

/// Programs try these first and know what to do without.
pub fn absent(_: Arguments) -> Outcome {
    Err(Errno::ENOSYS.into())
}
