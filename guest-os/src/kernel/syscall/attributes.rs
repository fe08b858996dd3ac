//! Extended attributes of files.

use super::files::{details, file_to_use};
use super::{Arguments, Outcome, length, names, uint};
use crate::files::vfs::{self, open_files};
use crate::memory::user;
use alloc::vec::Vec;
use fs::{ATTRIBUTE_MAX, Errno, Location, Notice, SetAs};
use linux_raw_sys::general as linux;

/// Longest name, its NUL included.
const NAME_BYTES: usize = 256;
const XATTR_CREATE: u32 = 1;

fn by_path(path: u64, follow: bool) -> Result<Location, Errno> {
    let flags = if follow { 0 } else { linux::AT_SYMLINK_NOFOLLOW };
    names::find(linux::AT_FDCWD as u64, path, flags)
}

fn by_descriptor(fd: u64) -> Result<Location, Errno> {
    details(file_to_use(fd)?).location.ok_or(Errno::EOPNOTSUPP)
}

fn name_at(address: u64) -> Result<Vec<u8>, Errno> {
    user::read_string(address, NAME_BYTES, Errno::ERANGE)
}

fn set(
    file: impl FnOnce() -> Result<Location, Errno>,
    [_, name, value, size, flags, _]: Arguments,
) -> Outcome {
    let how = match uint(flags) {
        0 => SetAs::Any,
        XATTR_CREATE => SetAs::New,
        flags if flags & XATTR_CREATE != 0 => return Err(Errno::EINVAL.into()),
        _ => SetAs::Replaced,
    };
    let name = name_at(name)?;
    if length(size) > ATTRIBUTE_MAX {
        return Err(Errno::E2BIG.into());
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length(size)).map_err(|_| Errno::ENOMEM)?;
    bytes.resize(length(size), 0);
    user::copy_in(value, &mut bytes)?;
    let file = file()?;
    vfs::lock().set_attribute(&file.inode, &name, &bytes, how)?;
    open_files().tell_of(&file, Notice::ATTRIB);
    Ok(0)
}

/// Tells bytes, or how many there are if the program has no room. ERANGE if it has too little.
fn tell(bytes: &[u8], buffer: u64, size: u64) -> Outcome {
    if size > 0 {
        if length(size) < bytes.len() {
            return Err(Errno::ERANGE.into());
        }
        user::copy_out(buffer, bytes)?;
    }
    Ok(bytes.len() as u64)
}

fn get(file: impl FnOnce() -> Result<Location, Errno>, [_, name, value, size, ..]: Arguments) -> Outcome {
    let (name, file) = (name_at(name)?, file()?);
    let found = vfs::lock().attribute(&file.inode, &name)?;
    tell(&found, value, size)
}

fn list(file: Location, [_, buffer, size, ..]: Arguments) -> Outcome {
    let found = vfs::lock().attribute_names(&file.inode)?;
    tell(&found, buffer, size)
}

fn remove(file: impl FnOnce() -> Result<Location, Errno>, name: u64) -> Outcome {
    let (name, file) = (name_at(name)?, file()?);
    vfs::lock().remove_attribute(&file.inode, &name)?;
    open_files().tell_of(&file, Notice::ATTRIB);
    Ok(0)
}

pub fn setxattr(a: Arguments) -> Outcome {
    set(|| by_path(a[0], true), a)
}

pub fn lsetxattr(a: Arguments) -> Outcome {
    set(|| by_path(a[0], false), a)
}

pub fn fsetxattr(a: Arguments) -> Outcome {
    let file = by_descriptor(a[0])?;
    set(|| Ok(file), a)
}

pub fn getxattr(a: Arguments) -> Outcome {
    get(|| by_path(a[0], true), a)
}

pub fn lgetxattr(a: Arguments) -> Outcome {
    get(|| by_path(a[0], false), a)
}

pub fn fgetxattr(a: Arguments) -> Outcome {
    let file = by_descriptor(a[0])?;
    get(|| Ok(file), a)
}

pub fn listxattr(a: Arguments) -> Outcome {
    list(by_path(a[0], true)?, a)
}

pub fn llistxattr(a: Arguments) -> Outcome {
    list(by_path(a[0], false)?, a)
}

pub fn flistxattr(a: Arguments) -> Outcome {
    match by_descriptor(a[0]) {
        // What has no name has none.
        Err(Errno::EOPNOTSUPP) => tell(&[], a[1], a[2]),
        file => list(file?, a),
    }
}

pub fn removexattr([path, name, ..]: Arguments) -> Outcome {
    remove(|| by_path(path, true), name)
}

pub fn lremovexattr([path, name, ..]: Arguments) -> Outcome {
    remove(|| by_path(path, false), name)
}

pub fn fremovexattr([fd, name, ..]: Arguments) -> Outcome {
    let file = by_descriptor(fd)?;
    remove(|| Ok(file), name)
}
