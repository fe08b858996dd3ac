//! devfs: a fixed directory of device files and links.

use crate::{Device, DirEntry, Errno, FileType, Stat, StatFs, Timestamp};
use alloc::vec::Vec;

/// What a name in `/dev` is.
#[derive(Clone, Copy)]
enum Node {
    Device(Device),
    Link(&'static str),
    /// A mount point.
    Directory,
}

const ROOT: u64 = 1;
/// Inode numbers follow the root's in the order of this table.
const NODES: &[(&str, Node)] = &[
    ("null", Node::Device(Device::Null)),
    ("zero", Node::Device(Device::Zero)),
    ("full", Node::Device(Device::Full)),
    ("random", Node::Device(Device::Random)),
    ("urandom", Node::Device(Device::Random)),
    ("tty", Node::Device(Device::Tty)),
    ("console", Node::Device(Device::Tty)),
    ("fd", Node::Link("/proc/self/fd")),
    ("stdin", Node::Link("/proc/self/fd/0")),
    ("stdout", Node::Link("/proc/self/fd/1")),
    ("stderr", Node::Link("/proc/self/fd/2")),
    (SHM, Node::Directory),
];
/// Where POSIX shared memory is mounted.
pub(crate) const SHM: &str = "shm";

pub(crate) fn root() -> u64 {
    ROOT
}

fn entry(ino: u64) -> Option<&'static (&'static str, Node)> {
    let index = usize::try_from(ino.checked_sub(ROOT + 1)?).ok()?;
    NODES.get(index)
}

fn name(ino: u64) -> Option<&'static str> {
    entry(ino).map(|entry| entry.0)
}

fn node(ino: u64) -> Result<Node, Errno> {
    entry(ino).map(|entry| entry.1).ok_or(Errno::ENOENT)
}

pub(crate) fn lookup(dir: u64, name: &[u8]) -> Result<u64, Errno> {
    if file_type(dir)? != FileType::Directory {
        return Err(Errno::ENOTDIR);
    }
    let index = NODES.iter().position(|(known, _)| known.as_bytes() == name).filter(|_| dir == ROOT);
    index.map(|index| ROOT + 1 + index as u64).ok_or(Errno::ENOENT)
}

pub(crate) fn file_type(ino: u64) -> Result<FileType, Errno> {
    if ino == ROOT {
        return Ok(FileType::Directory);
    }
    Ok(match node(ino)? {
        Node::Device(_) => FileType::CharDevice,
        Node::Link(_) => FileType::Symlink,
        Node::Directory => FileType::Directory,
    })
}

pub(crate) fn device(ino: u64) -> Result<Device, Errno> {
    match node(ino)? {
        Node::Device(device) => Ok(device),
        _ => Err(Errno::ENXIO),
    }
}

/// `/dev/random` and `/dev/console` lead to the same devices as `/dev/urandom` and `/dev/tty`, by numbers of their own.
fn rdev(ino: u64) -> Result<u64, Errno> {
    let (major, minor) = match name(ino) {
        Some("random") => (1, 8),
        Some("console") => (5, 1),
        _ => return Ok(device(ino)?.rdev()),
    };
    Ok(crate::stat::device_number(major, minor))
}

pub(crate) fn readlink(ino: u64) -> Result<Vec<u8>, Errno> {
    match node(ino)? {
        Node::Link(target) => Ok(target.as_bytes().to_vec()),
        _ => Err(Errno::EINVAL),
    }
}

pub(crate) fn read_dir(
    dir: u64,
    position: u64,
    mut visit: impl FnMut(DirEntry<'_>) -> bool,
) -> Result<(), Errno> {
    let dots = [(dir, b".".as_slice()), (ROOT, b"..")];
    let names = NODES.iter().enumerate().filter(|_| dir == ROOT);
    let names = names.map(|(index, (name, _))| (ROOT + 1 + index as u64, name.as_bytes()));
    for (cookie, (ino, name)) in (0..).zip(dots.into_iter().chain(names)) {
        let entry = DirEntry { ino, file_type: file_type(ino)?, name, next: cookie + 1 };
        if cookie >= position && !visit(entry) {
            break;
        }
    }
    Ok(())
}

pub(crate) fn stat(ino: u64, boot: Timestamp) -> Result<Stat, Errno> {
    let file_type = file_type(ino)?;
    let (permissions, nlink, rdev, size) = match file_type {
        FileType::Directory => (0o755, 2, 0, NODES.len() as u64),
        FileType::Symlink => (0o777, 1, 0, readlink(ino)?.len() as u64),
        _ => (0o666, 1, rdev(ino)?, 0),
    };
    Ok(Stat {
        ino,
        mode: file_type.mode_bits() | permissions,
        nlink,
        rdev,
        size,
        blksize: 4096,
        atime: boot,
        mtime: boot,
        ctime: boot,
        ..Stat::default()
    })
}

pub(crate) fn statfs() -> StatFs {
    StatFs { magic: 0x0102_1994, block_size: 4096, name_max: 255, ..StatFs::default() }
}
