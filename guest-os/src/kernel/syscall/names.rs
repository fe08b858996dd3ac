//! Calls that name files by path.

use super::files::{details, file_to_use, open_file, start_of};
use super::{Arguments, Outcome, int, length, uint};
use crate::devices::clock;
use crate::files::vfs::{self, open_files};
use crate::hart::current;
use crate::memory::user::{self, UserPtr};
use fs::{Errno, FileType, LastLink, Location, Notice, Object, RenameAs, Resolved, Timestamp};
use linux_raw_sys::general as linux;

/// The file that a directory descriptor and a path name; with AT_EMPTY_PATH an empty path is the descriptor itself.
pub fn find(dirfd: u64, path: u64, flags: u32) -> Result<Location, Errno> {
    match find_any(dirfd, path, flags, false)? {
        Resolved::File(location) => Ok(location),
        Resolved::Descriptor(_) => Err(Errno::ENOENT),
    }
}

/// As [`find`]; what is found may be one's own descriptor of what has no path.
pub fn find_any(dirfd: u64, path: u64, flags: u32, by_real_ids: bool) -> Result<Resolved, Errno> {
    let path =
        if path == 0 && flags & linux::AT_EMPTY_PATH != 0 { alloc::vec![] } else { user::read_path(path)? };
    if path.is_empty() {
        if flags & linux::AT_EMPTY_PATH == 0 {
            return Err(Errno::ENOENT);
        }
        if int(dirfd) == linux::AT_FDCWD {
            return Ok(Resolved::File(current().process.cwd()));
        }
        return details(open_file(dirfd)?).location.map(Resolved::File).ok_or(Errno::EBADF);
    }
    let at = start_of(dirfd, &path)?;
    let last = if flags & linux::AT_SYMLINK_NOFOLLOW != 0 { LastLink::Keep } else { LastLink::Follow };
    let mut vfs = vfs::lock();
    vfs.act_by_real_ids(by_real_ids);
    let found = vfs.resolve_any(&at, &path, last);
    vfs.act_by_real_ids(false);
    found
}

pub fn readlinkat([dirfd, path, buffer, len, ..]: Arguments) -> Outcome {
    if int(len) <= 0 {
        return Err(Errno::EINVAL.into());
    }
    // An empty path is the descriptor itself, and is told to be no path if that is no link.
    let (empty, no_link) = match user::read_path(path)?.is_empty() {
        true => (linux::AT_EMPTY_PATH, Errno::ENOENT),
        false => (0, Errno::EINVAL),
    };
    let location = find(dirfd, path, linux::AT_SYMLINK_NOFOLLOW | empty)?;
    let target = vfs::lock().readlink(&location.inode);
    let target = target.map_err(|error| if error == Errno::EINVAL { no_link } else { error })?;
    if target.len() >= user::PATH_MAX {
        // A link of `/proc` leads further than any call could name.
        return Err(Errno::ENAMETOOLONG.into());
    }
    let count = target.len().min(length(len));
    user::copy_out(buffer, &target[..count])?;
    Ok(count as u64)
}

pub fn faccessat([dirfd, path, mode, ..]: Arguments) -> Outcome {
    faccessat2([dirfd, path, mode, 0, 0, 0])
}

pub fn faccessat2([dirfd, path, mode, flags, ..]: Arguments) -> Outcome {
    let by_real_ids = uint(flags) & linux::AT_EACCESS == 0;
    let found = find_any(dirfd, path, uint(flags), by_real_ids)?;
    let open = match found {
        Resolved::File(_) => None,
        Resolved::Descriptor(fd) => Some(details(open_file(fd.into())?)),
    };
    let mut vfs = vfs::lock();
    vfs.act_by_real_ids(by_real_ids);
    let checked = match (&found, &open) {
        (Resolved::File(location), _) => vfs.check_access(&location.inode, uint(mode)),
        (_, Some(file)) => vfs.check_open_file(file, uint(mode)),
        _ => Err(Errno::ENOENT),
    };
    vfs.act_by_real_ids(false);
    checked?;
    Ok(0)
}

pub fn mkdirat([dirfd, path, mode, ..]: Arguments) -> Outcome {
    let path = user::read_path(path)?;
    let at = start_of(dirfd, &path)?;
    // As in Linux, only chmod gives a folder set-user-ID or set-group-ID.
    vfs::lock().mkdir(&at, &path, uint(mode) & 0o1777 & !current().process.fs.umask.get())?;
    Ok(0)
}

pub fn mknodat([dirfd, path, mode, rdev, ..]: Arguments) -> Outcome {
    let path = user::read_path(path)?;
    let at = start_of(dirfd, &path)?;
    let mode = uint(mode);
    let file_type = match FileType::from_mode(mode) {
        None if mode & linux::S_IFMT == 0 => FileType::Regular,
        Some(FileType::Directory) => return Err(Errno::EPERM.into()),
        Some(FileType::Symlink) | None => return Err(Errno::EINVAL.into()),
        Some(file_type) => file_type,
    };
    let mode = mode & 0o7777 & !current().process.fs.umask.get();
    vfs::lock().make_node(&at, &path, file_type, mode, u64::from(uint(rdev)))?;
    Ok(0)
}

pub fn unlinkat([dirfd, path, flags, ..]: Arguments) -> Outcome {
    let path = user::read_path(path)?;
    let at = start_of(dirfd, &path)?;
    if uint(flags) & linux::AT_REMOVEDIR != 0 {
        vfs::lock().rmdir(&at, &path)?;
    } else {
        vfs::lock().unlink(&at, &path)?;
    }
    Ok(0)
}

pub fn renameat2([from_fd, from, to_fd, to, flags, ..]: Arguments) -> Outcome {
    let (from, to) = (user::read_path(from)?, user::read_path(to)?);
    let (from_at, to_at) = (start_of(from_fd, &from)?, start_of(to_fd, &to)?);
    let how = match uint(flags) {
        0 => RenameAs::Any,
        linux::RENAME_NOREPLACE => RenameAs::New,
        linux::RENAME_EXCHANGE => RenameAs::Exchanged,
        _ => return Err(Errno::EINVAL.into()),
    };
    vfs::lock().rename(&from_at, &from, &to_at, &to, how)?;
    Ok(0)
}

pub fn linkat([from_fd, from, to_fd, to, flags, ..]: Arguments) -> Outcome {
    let follow = if uint(flags) & linux::AT_SYMLINK_FOLLOW != 0 { 0 } else { linux::AT_SYMLINK_NOFOLLOW };
    let file = find(from_fd, from, follow | uint(flags) & linux::AT_EMPTY_PATH)?;
    let to = user::read_path(to)?;
    let at = start_of(to_fd, &to)?;
    vfs::lock().link(&file.inode, &at, &to)?;
    Ok(0)
}

pub fn symlinkat([target, dirfd, path, ..]: Arguments) -> Outcome {
    let (target, path) = (user::read_path(target)?, user::read_path(path)?);
    let at = start_of(dirfd, &path)?;
    vfs::lock().symlink(&target, &at, &path)?;
    Ok(0)
}

/// The file of a descriptor that is more than a name (O_PATH).
fn location_of(fd: u64) -> Result<Location, Errno> {
    details(file_to_use(fd)?).location.ok_or(Errno::EINVAL)
}

/// What is known about a file has changed.
fn tell_of_attributes(location: &Location) -> Outcome {
    open_files().tell_of(location, Notice::ATTRIB);
    Ok(0)
}

pub fn fchmod([fd, mode, ..]: Arguments) -> Outcome {
    let location = location_of(fd)?;
    vfs::lock().set_mode(&location.inode, uint(mode) & 0o7777)?;
    tell_of_attributes(&location)
}

pub fn fchmodat([dirfd, path, mode, ..]: Arguments) -> Outcome {
    fchmodat2([dirfd, path, mode, 0, 0, 0])
}

/// A symbolic link has no mode of its own.
pub fn fchmodat2([dirfd, path, mode, flags, ..]: Arguments) -> Outcome {
    let location = find(dirfd, path, uint(flags))?;
    if location.inode.file_type() == FileType::Symlink {
        return Err(Errno::EOPNOTSUPP.into());
    }
    vfs::lock().set_mode(&location.inode, uint(mode) & 0o7777)?;
    tell_of_attributes(&location)
}

fn owner(id: u64) -> Option<u32> {
    Some(uint(id)).filter(|&id| id != u32::MAX)
}

pub fn fchown([fd, uid, gid, ..]: Arguments) -> Outcome {
    let location = location_of(fd)?;
    vfs::lock().set_owner(&location.inode, owner(uid), owner(gid))?;
    tell_of_attributes(&location)
}

pub fn fchownat([dirfd, path, uid, gid, flags, ..]: Arguments) -> Outcome {
    let location = find(dirfd, path, uint(flags))?;
    vfs::lock().set_owner(&location.inode, owner(uid), owner(gid))?;
    tell_of_attributes(&location)
}

pub fn utimensat([dirfd, path, times, flags, ..]: Arguments) -> Outcome {
    let times = UserPtr::<[u64; 4]>::from(times).non_null().map(UserPtr::read).transpose()?;
    if let Some([_, UTIME_OMIT, _, UTIME_OMIT]) = times {
        // As in Linux: with nothing to do nobody looks for the file.
        return Ok(0);
    }
    let location = match path {
        0 if uint(dirfd) == linux::AT_FDCWD.cast_unsigned() => return Err(Errno::EFAULT.into()),
        0 if uint(flags) != 0 => return Err(Errno::EINVAL.into()),
        0 => location_of(dirfd)?,
        path => find(dirfd, path, uint(flags))?,
    };
    let (atime, mtime, to_now) = match times {
        None => (Some(clock::now()), Some(clock::now()), true),
        Some([a_seconds, a_nanos, m_seconds, m_nanos]) => {
            let to_now = a_nanos == UTIME_NOW && m_nanos == UTIME_NOW;
            (time_stamp(a_seconds, a_nanos)?, time_stamp(m_seconds, m_nanos)?, to_now)
        }
    };
    vfs::lock().set_times(&location.inode, atime, mtime, to_now)?;
    tell_of_attributes(&location)
}

const UTIME_NOW: u64 = 0x3fff_ffff;
const UTIME_OMIT: u64 = 0x3fff_fffe;

fn time_stamp(seconds: u64, nanoseconds: u64) -> Result<Option<Timestamp>, Errno> {
    match nanoseconds {
        UTIME_NOW => Ok(Some(clock::now())),
        UTIME_OMIT => Ok(None),
        0..1_000_000_000 => {
            let nanoseconds = u32::try_from(nanoseconds).map_err(|_| Errno::EINVAL)?;
            Ok(Some(Timestamp { seconds: seconds.cast_signed(), nanoseconds }))
        }
        _ => Err(Errno::EINVAL),
    }
}

pub fn truncate([path, len, ..]: Arguments) -> Outcome {
    if len.cast_signed() < 0 {
        return Err(Errno::EINVAL.into());
    }
    let location = find(linux::AT_FDCWD as u64, path, 0)?;
    if location.inode.is_dir() {
        return Err(Errno::EISDIR.into());
    }
    if location.inode.file_type() != FileType::Regular {
        return Err(Errno::EINVAL.into());
    }
    vfs::lock().check(&location.inode, linux::W_OK)?;
    let _writing = location.inode.use_for_writing()?;
    super::files::truncate(&location, len)
}

pub fn chdir([path, ..]: Arguments) -> Outcome {
    let location = find(linux::AT_FDCWD as u64, path, 0)?;
    change_directory(location)
}

pub fn fchdir([fd, ..]: Arguments) -> Outcome {
    let file = details(open_file(fd)?);
    if !matches!(file.object, Object::Directory(_) | Object::Path(_)) {
        return Err(Errno::ENOTDIR.into());
    }
    change_directory(file.location.ok_or(Errno::ENOTDIR)?)
}

fn change_directory(location: Location) -> Outcome {
    if !location.inode.is_dir() {
        return Err(Errno::ENOTDIR.into());
    }
    vfs::lock().check(&location.inode, linux::X_OK)?;
    *current().process.fs.cwd.borrow_mut() = Some(location);
    Ok(0)
}

pub fn getcwd([buffer, len, ..]: Arguments) -> Outcome {
    let Location { inode, path, .. } = current().process.cwd();
    if inode.is_unlinked() {
        return Err(Errno::ENOENT.into());
    }
    if length(len) <= path.len() {
        return Err(Errno::ERANGE.into());
    }
    user::copy_out(buffer, &path)?;
    user::copy_out(buffer.wrapping_add(path.len() as u64), &[0])?;
    Ok(path.len() as u64 + 1)
}

pub fn umask([mask, ..]: Arguments) -> Outcome {
    Ok(u64::from(current().process.fs.umask.replace(uint(mask) & 0o777)))
}
