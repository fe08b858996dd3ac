//! devfs: a fixed directory of device files and links, and in `/dev/pts` a file for each pseudo-terminal there is now.

use crate::{Device, DirEntry, Errno, FileType, LoopDevice, ProcInfo, Stat, StatFs, Timestamp};
use alloc::vec::Vec;

/// What a name in `/dev` is.
#[derive(Clone, Copy)]
enum Node {
    Device(Device),
    Link(&'static str),
    /// A loop device by its number.
    Loop(u8),
    /// A mount point, or that of the pseudo-terminals.
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
    ("console", Node::Device(Device::Console)),
    (SERIAL, Node::Device(Device::Serial)),
    ("ptmx", Node::Device(Device::Ptmx)),
    (PTS, Node::Directory),
    ("fd", Node::Link("/proc/self/fd")),
    ("stdin", Node::Link("/proc/self/fd/0")),
    ("stdout", Node::Link("/proc/self/fd/1")),
    ("stderr", Node::Link("/proc/self/fd/2")),
    (SHM, Node::Directory),
    ("loop-control", Node::Device(Device::LoopControl)),
    ("loop0", Node::Loop(0)),
    ("loop1", Node::Loop(1)),
    ("loop2", Node::Loop(2)),
    ("loop3", Node::Loop(3)),
    ("loop4", Node::Loop(4)),
    ("loop5", Node::Loop(5)),
    ("loop6", Node::Loop(6)),
    ("loop7", Node::Loop(7)),
];
/// Where POSIX shared memory is mounted.
pub(crate) const SHM: &str = "shm";
/// The console's terminal by its own name.
const SERIAL: &str = "ttyS0";
/// Where the pseudo-terminals are.
const PTS: &str = "pts";
/// The inode number of pseudo-terminal 0; the others follow.
const FIRST_PSEUDO: u64 = 1 << 32;
/// Group `tty` of Debian's.
const TTY_GROUP: u32 = 5;
/// Group `disk`.
const DISK_GROUP: u32 = 6;

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

/// The pseudo-terminal that an inode stands for, were it gone.
fn pseudo(ino: u64) -> Option<u32> {
    ino.checked_sub(FIRST_PSEUDO).and_then(|number| u32::try_from(number).ok())
}

fn node(ino: u64) -> Result<Node, Errno> {
    match pseudo(ino) {
        Some(number) => Ok(Node::Device(Device::Pseudo(number))),
        None => entry(ino).map(|entry| entry.1).ok_or(Errno::ENOENT),
    }
}

pub(crate) fn lookup(dir: u64, sought: &[u8], info: &dyn ProcInfo) -> Result<u64, Errno> {
    if file_type(dir)? != FileType::Directory {
        return Err(Errno::ENOTDIR);
    }
    if name(dir) == Some(PTS) {
        if sought == b".." {
            return Ok(ROOT);
        }
        let is_plain = sought == b"0" || !sought.starts_with(b"0");
        let digits = core::str::from_utf8(sought).ok().filter(|text| is_plain && !text.starts_with('+'));
        let number = digits.and_then(|text| text.parse().ok()).ok_or(Errno::ENOENT)?;
        let found = info.next_terminal(number).filter(|&(found, _)| found == number);
        return found.map(|_| FIRST_PSEUDO + u64::from(number)).ok_or(Errno::ENOENT);
    }
    let index = NODES.iter().position(|(known, _)| known.as_bytes() == sought).filter(|_| dir == ROOT);
    index.map(|index| ROOT + 1 + index as u64).ok_or(Errno::ENOENT)
}

pub(crate) fn file_type(ino: u64) -> Result<FileType, Errno> {
    if ino == ROOT {
        return Ok(FileType::Directory);
    }
    Ok(match node(ino)? {
        Node::Device(_) => FileType::CharDevice,
        Node::Link(_) => FileType::Symlink,
        Node::Loop(_) => FileType::BlockDevice,
        Node::Directory => FileType::Directory,
    })
}

pub(crate) fn device(ino: u64) -> Result<Device, Errno> {
    match node(ino)? {
        Node::Device(device) => Ok(device),
        _ => Err(Errno::ENXIO),
    }
}

/// The loop device behind a node.
pub(crate) fn loop_device(ino: u64) -> Result<LoopDevice, Errno> {
    match node(ino)? {
        Node::Loop(number) => LoopDevice::new(number).ok_or(Errno::ENXIO),
        _ => Err(Errno::ENXIO),
    }
}

/// `/dev/random` leads to the same device as `/dev/urandom`, by a number of its own.
fn rdev(ino: u64) -> Result<u64, Errno> {
    match name(ino) {
        Some("random") => Ok(crate::stat::device_number(1, 8)),
        _ if file_type(ino)? == FileType::BlockDevice => Ok(loop_device(ino)?.rdev()),
        _ => Ok(device(ino)?.rdev()),
    }
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
    info: &dyn ProcInfo,
    mut visit: impl FnMut(DirEntry<'_>) -> bool,
) -> Result<(), Errno> {
    let dots = [(dir, b".".as_slice()), (ROOT, b"..")];
    let names = NODES.iter().enumerate().filter(|_| dir == ROOT);
    let names = names.map(|(index, (name, _))| (ROOT + 1 + index as u64, name.as_bytes()));
    for (cookie, (ino, name)) in (0..).zip(dots.into_iter().chain(names)) {
        let entry = DirEntry { ino, file_type: file_type(ino)?, name, next: cookie + 1 };
        if cookie >= position && !visit(entry) {
            return Ok(());
        }
    }
    if name(dir) != Some(PTS) {
        return Ok(());
    }
    // Behind the two dots a place is a number.
    let mut from = u32::try_from(position.saturating_sub(2)).unwrap_or(u32::MAX);
    while let Some((number, _)) = info.next_terminal(from) {
        let text = alloc::format!("{number}");
        let (ino, next) = (FIRST_PSEUDO + u64::from(number), u64::from(number) + 3);
        if !visit(DirEntry { ino, file_type: FileType::CharDevice, name: text.as_bytes(), next }) {
            break;
        }
        from = number + 1;
    }
    Ok(())
}

pub(crate) fn stat(ino: u64, boot: Timestamp, info: &dyn ProcInfo) -> Result<Stat, Errno> {
    let file_type = file_type(ino)?;
    let (permissions, nlink, rdev, size) = match file_type {
        FileType::Directory => (0o755, 2, 0, NODES.len() as u64),
        FileType::Symlink => (0o777, 1, 0, readlink(ino)?.len() as u64),
        _ => (0o666, 1, rdev(ino)?, 0),
    };
    let (permissions, uid, gid) = match device(ino) {
        Ok(Device::Pseudo(number)) => {
            let owner = info.next_terminal(number).filter(|found| found.0 == number);
            (0o620, owner.map_or(0, |found| found.1), TTY_GROUP)
        }
        Ok(Device::Console | Device::Serial) => (0o620, 0, TTY_GROUP),
        Ok(Device::LoopControl) => (0o660, 0, DISK_GROUP),
        _ if file_type == FileType::BlockDevice => (0o660, 0, DISK_GROUP),
        _ => (permissions, 0, 0),
    };
    Ok(Stat {
        ino,
        mode: file_type.mode_bits() | permissions,
        nlink,
        uid,
        gid,
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
