//! What only administrators may ask for, and what even they do not get: what is mounted where is fixed, and there are no namespaces.

use super::clone::refuse_namespaces;
use super::names::find;
use super::{Arguments, Outcome, uint};
use crate::files::vfs;
use crate::hart::current;
use crate::memory::user;
use crate::processes::process::table;
use ::proc::CapSet;
use abi::sets;
use fs::Errno;
use linux_raw_sys::general as linux;

/// EPERM for who is no administrator.
fn check_administrator() -> Result<(), Errno> {
    let may = current().process.credentials.borrow().can(CapSet::SYS_ADMIN);
    if may { Ok(()) } else { Err(Errno::EPERM) }
}

/// There is no file system that could be mounted once more: ENODEV, as of one that is not there.
pub fn mount([source, path, kind, ..]: Arguments) -> Outcome {
    for text in [kind, source].into_iter().filter(|&address| address != 0) {
        user::read_path(text)?;
    }
    find(linux::AT_FDCWD as u64, path, 0)?;
    check_administrator()?;
    Err(Errno::ENODEV.into())
}

/// EBUSY: what is mounted is in use for good. EINVAL where nothing is.
pub fn umount2([path, flags, ..]: Arguments) -> Outcome {
    let keeps_link = uint(flags) & sets::UMOUNT_NOFOLLOW != 0;
    let location =
        find(linux::AT_FDCWD as u64, path, if keeps_link { linux::AT_SYMLINK_NOFOLLOW } else { 0 })?;
    check_administrator()?;
    let is_mounted = vfs::lock().is_mounted(&location.inode);
    Err(if is_mounted { Errno::EBUSY } else { Errno::EINVAL }.into())
}

/// A process gets descriptors of its own. What else it shares with nobody is its own already.
pub fn unshare([flags, ..]: Arguments) -> Outcome {
    const NAMESPACES: u64 = sets::UNSHARE_NAMESPACES;
    let process = &current().process;
    if flags & NAMESPACES != 0 {
        return Err(refuse_namespaces().into());
    }
    let flags = uint(flags);
    let is_shared_by_threads = table(|t| t.thread_count(process.pid)) > 1;
    let of_threads =
        linux::CLONE_THREAD | linux::CLONE_SIGHAND | linux::CLONE_VM | linux::CLONE_FILES | linux::CLONE_FS;
    let keeps_directory = flags & linux::CLONE_FS != 0 && alloc::rc::Rc::strong_count(&process.fs) > 1;
    if is_shared_by_threads && flags & of_threads != 0 || keeps_directory {
        return Err(Errno::EINVAL.into());
    }
    if flags & linux::CLONE_FILES != 0 {
        process.unshare_files()?;
    }
    Ok(0)
}
