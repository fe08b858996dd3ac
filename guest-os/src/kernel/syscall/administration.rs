//! What only administrators may ask for, and what even they do not get: there are no namespaces.

use super::clone::refuse_namespaces;
use super::names::find;
use super::{Arguments, Outcome, uint};
use crate::files::vfs;
use crate::hart::current;
use crate::memory::user;
use crate::processes::process::table;
use ::proc::CapSet;
use abi::sets;
use alloc::vec::Vec;
use fs::{Errno, MountFlags, MountRequest};
use linux_raw_sys::general as linux;

/// EPERM for who is no administrator.
fn check_administrator() -> Result<(), Errno> {
    let may = current().process.credentials.borrow().can(CapSet::SYS_ADMIN);
    if may { Ok(()) } else { Err(Errno::EPERM) }
}

/// What `mount` is told to do beside mounting something new.
const REMOUNT: u32 = 0x20;
const BIND: u32 = 0x1000;
const MOVE: u32 = 0x2000;
/// MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED: who hears of what is mounted. Nobody else is there to hear.
const PROPAGATION: u32 = 0x1e_0000;

/// File systems in memory are mounted above a directory (tmpfs(5)). ENODEV for other kinds; EINVAL to mount what is elsewhere once more.
pub fn mount([source, path, kind, flags, options, ..]: Arguments) -> Outcome {
    let text = |address: u64| if address == 0 { Ok(Vec::new()) } else { user::read_path(address) };
    let (kind_of, device, options) = (text(kind)?, text(source)?, text(options)?);
    let at = find(linux::AT_FDCWD as u64, path, 0)?;
    check_administrator()?;
    let flags = uint(flags);
    let barred = MountFlags::from_bits_truncate(flags);
    let mut vfs = vfs::lock();
    match () {
        () if flags & REMOUNT != 0 => vfs.remount(&at, barred, &options)?,
        () if flags & (BIND | MOVE) != 0 => return Err(Errno::EINVAL.into()),
        () if flags & PROPAGATION != 0 && vfs.is_mounted(&at.inode) => {}
        () if flags & PROPAGATION != 0 || kind == 0 => return Err(Errno::EINVAL.into()),
        () => {
            let device = if device.is_empty() { b"none" } else { device.as_slice() };
            let request = MountRequest { device, kind: &kind_of, flags: barred, options: &options };
            vfs.mount_new(&at, &request)?;
        }
    }
    Ok(0)
}

/// Takes away what a program has mounted. EBUSY for what is in use, or there for good; EINVAL where nothing is mounted.
pub fn umount2([path, flags, ..]: Arguments) -> Outcome {
    let flags = uint(flags);
    let is = |flag: u32| flags & flag != 0;
    if is(sets::UMOUNT_EXPIRE) && is(sets::UMOUNT_DETACH | sets::UMOUNT_FORCE) {
        return Err(Errno::EINVAL.into());
    }
    let links = if is(sets::UMOUNT_NOFOLLOW) { linux::AT_SYMLINK_NOFOLLOW } else { 0 };
    let location = find(linux::AT_FDCWD as u64, path, links)?;
    check_administrator()?;
    vfs::lock().unmount_at(&location, is(sets::UMOUNT_DETACH), is(sets::UMOUNT_EXPIRE))?;
    Ok(0)
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
