//! What files are: `stat` in its forms, and `statfs`.

use super::files::{details, open_file};
use super::names::{find, find_any};
use super::{Arguments, Outcome, uint};
use crate::files::vfs;
use crate::memory::user::{UserPtr, plain, zeroed};
use abi::sets;
use fs::{Errno, Resolved, Stat, StatFs, Timestamp};
use linux_raw_sys::general as linux;

plain!(linux::stat, linux::statx, linux::statfs64);

pub fn newfstatat([dirfd, path, buffer, flags, ..]: Arguments) -> Outcome {
    let stat = stat_at(dirfd, path, uint(flags))?;
    UserPtr::from(buffer).write(to_stat(&stat))?;
    Ok(0)
}

/// Of a path, or (AT_EMPTY_PATH) of a descriptor, which need not have one: a pipe, a host stream.
fn stat_at(dirfd: u64, path: u64, flags: u32) -> Result<Stat, fs::Errno> {
    let by_descriptor = flags & linux::AT_EMPTY_PATH != 0
        && super::int(dirfd) != linux::AT_FDCWD
        && (path == 0 || UserPtr::<u8>::from(path).read()? == 0);
    if by_descriptor {
        let file = details(open_file(dirfd)?);
        return vfs::lock().stat_open(&file);
    }
    match find_any(dirfd, path, flags, false)? {
        Resolved::File(location) => vfs::lock().stat(&location.inode),
        Resolved::Descriptor(fd) => {
            let file = details(open_file(fd.into())?);
            vfs::lock().stat_open(&file)
        }
    }
}

pub fn fstat([fd, buffer, ..]: Arguments) -> Outcome {
    let file = details(open_file(fd)?);
    let stat = vfs::lock().stat_open(&file)?;
    UserPtr::from(buffer).write(to_stat(&stat))?;
    Ok(0)
}

pub fn statx([dirfd, path, flags, _mask, buffer, ..]: Arguments) -> Outcome {
    // Both kinds of synchronising at once.
    if sets::STATX_AT.choice(flags).is_none() {
        return Err(Errno::EINVAL.into());
    }
    let stat = stat_at(dirfd, path, uint(flags))?;
    UserPtr::from(buffer).write(to_statx(&stat))?;
    Ok(0)
}

pub fn statfs([path, buffer, ..]: Arguments) -> Outcome {
    let location = find(linux::AT_FDCWD as u64, path, 0)?;
    let stat = vfs::lock().statfs(&location.inode)?;
    UserPtr::from(buffer).write(to_statfs(&stat))?;
    Ok(0)
}

pub fn fstatfs([fd, buffer, ..]: Arguments) -> Outcome {
    let file = details(open_file(fd)?);
    let stat = vfs::lock().statfs_open(&file)?;
    UserPtr::from(buffer).write(to_statfs(&stat))?;
    Ok(0)
}

fn to_stat(stat: &Stat) -> linux::stat {
    linux::stat {
        st_dev: stat.dev,
        st_ino: stat.ino,
        st_mode: stat.mode,
        st_nlink: stat.nlink,
        st_uid: stat.uid,
        st_gid: stat.gid,
        st_rdev: stat.rdev,
        st_size: stat.size.cast_signed(),
        st_blksize: stat.blksize.cast_signed(),
        st_blocks: stat.blocks.cast_signed(),
        st_atime: stat.atime.seconds,
        st_atime_nsec: u64::from(stat.atime.nanoseconds),
        st_mtime: stat.mtime.seconds,
        st_mtime_nsec: u64::from(stat.mtime.nanoseconds),
        st_ctime: stat.ctime.seconds,
        st_ctime_nsec: u64::from(stat.ctime.nanoseconds),
        ..zeroed()
    }
}

fn to_statx(stat: &Stat) -> linux::statx {
    let time = |stamp: Timestamp| linux::statx_timestamp {
        tv_sec: stamp.seconds,
        tv_nsec: stamp.nanoseconds,
        __reserved: 0,
    };
    let (dev_major, dev_minor) = device(stat.dev);
    let (rdev_major, rdev_minor) = device(stat.rdev);
    let btime = if stat.btime.is_some() { linux::STATX_BTIME } else { 0 };
    let mount = if stat.mount != 0 { linux::STATX_MNT_ID } else { 0 };
    let attributes = u64::from(linux::STATX_ATTR_MOUNT_ROOT);
    linux::statx {
        stx_mask: linux::STATX_BASIC_STATS | btime | mount,
        stx_attributes: if stat.is_mount_root { attributes } else { 0 },
        stx_attributes_mask: attributes,
        stx_mnt_id: stat.mount,
        stx_blksize: stat.blksize,
        stx_nlink: stat.nlink,
        stx_uid: stat.uid,
        stx_gid: stat.gid,
        stx_mode: u16::try_from(stat.mode & 0xffff).unwrap_or(0),
        stx_ino: stat.ino,
        stx_size: stat.size,
        stx_blocks: stat.blocks,
        stx_atime: time(stat.atime),
        stx_btime: time(stat.btime.unwrap_or_default()),
        stx_ctime: time(stat.ctime),
        stx_mtime: time(stat.mtime),
        stx_rdev_major: rdev_major,
        stx_rdev_minor: rdev_minor,
        stx_dev_major: dev_major,
        stx_dev_minor: dev_minor,
        ..zeroed()
    }
}

/// Major and minor number of a `dev_t`.
fn device(dev: u64) -> (u32, u32) {
    let major = dev >> 8 & 0xfff | dev >> 32 & !0xfff;
    let minor = dev & 0xff | dev >> 12 & !0xff;
    (u32::try_from(major & 0xffff_ffff).unwrap_or(0), u32::try_from(minor & 0xffff_ffff).unwrap_or(0))
}

/// ST_VALID and ST_RELATIME; the flags of `mount` have the same bits.
const VALID: i64 = 0x20;
const RELATIVE_TIMES: i64 = 0x1000;

fn to_statfs(stat: &StatFs) -> linux::statfs64 {
    linux::statfs64 {
        f_type: stat.magic.cast_signed(),
        f_bsize: stat.block_size.cast_signed(),
        f_blocks: stat.blocks,
        f_bfree: stat.blocks_free,
        f_bavail: stat.blocks_free,
        f_files: stat.files,
        f_ffree: stat.files_free,
        f_namelen: stat.name_max.cast_signed(),
        f_frsize: stat.block_size.cast_signed(),
        f_flags: VALID | RELATIVE_TIMES | i64::from(stat.flags.bits()),
        ..zeroed()
    }
}
