//! Handles on files: which file system, which inode, of what type, and by which path it was reached.

use crate::{Errno, Seals};
use alloc::rc::Rc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering::Relaxed};

/// A mounted file system, by the order of mounting.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileSystemId(pub u8);

impl FileSystemId {
    /// The root's, on a disk.
    pub const ROOT: FileSystemId = FileSystemId(0);
    /// That of the second file system that is on a disk; those between are in memory, or the kernel's own.
    const SECOND_ON_DISK: u8 = 6;
    /// That of the first that a program may mount, which are in memory; the last number of all is the kernel's own.
    const FIRST_MOUNTED: u8 = 192;
    const LAST_MOUNTED: u8 = u8::MAX - 2;

    /// The `number`-th file system that is on a disk, from the root's (0) on.
    pub(crate) fn of_disk(number: usize) -> Option<FileSystemId> {
        match number.checked_sub(1) {
            None => Some(Self::ROOT),
            Some(more) => {
                let id = u8::try_from(more).ok()?.checked_add(Self::SECOND_ON_DISK)?;
                (id < Self::FIRST_MOUNTED).then_some(FileSystemId(id))
            }
        }
    }

    /// Which of the file systems that are on a disk it is, in the order of mounting; `None` for others.
    pub fn disk_number(self) -> Option<usize> {
        match self.0 {
            0 => Some(0),
            id if id >= Self::FIRST_MOUNTED => None,
            id => id.checked_sub(Self::SECOND_ON_DISK).map(|more| usize::from(more) + 1),
        }
    }

    /// Those that programs may mount.
    pub(crate) fn mounted() -> impl Iterator<Item = FileSystemId> {
        (Self::FIRST_MOUNTED..=Self::LAST_MOUNTED).map(FileSystemId)
    }

    /// Whether it is one of them.
    pub(crate) fn is_mounted(self) -> bool {
        (Self::FIRST_MOUNTED..=Self::LAST_MOUNTED).contains(&self.0)
    }

    /// Whether it is on a disk.
    pub fn is_on_disk(self) -> bool {
        self.disk_number().is_some()
    }

    /// `st_dev` of its files.
    pub(crate) fn device_number(self) -> u64 {
        crate::stat::device_number(0, u64::from(self.0) + 1)
    }
}

/// A file's identity: equal for equal files, stable while the file exists. The key of the page cache.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileId {
    /// The file system.
    pub fs: FileSystemId,
    /// The inode number in it.
    pub ino: u64,
}

impl FileId {
    /// Whether the file is one of the disk's.
    pub fn is_on_disk(self) -> bool {
        self.fs.is_on_disk()
    }
}

/// What kind of file an inode is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FileType {
    /// Bytes.
    Regular,
    /// Names.
    Directory,
    /// Another path.
    Symlink,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
    /// A pipe.
    Fifo,
    /// A socket.
    Socket,
}

impl FileType {
    const MASK: u32 = 0o170_000;

    /// The type bits of `st_mode`.
    pub const fn mode_bits(self) -> u32 {
        match self {
            FileType::Fifo => 0o010_000,
            FileType::CharDevice => 0o020_000,
            FileType::Directory => 0o040_000,
            FileType::BlockDevice => 0o060_000,
            FileType::Regular => 0o100_000,
            FileType::Symlink => 0o120_000,
            FileType::Socket => 0o140_000,
        }
    }

    /// The type in `st_mode`; `None` where the bits mean nothing.
    pub const fn from_mode(mode: u32) -> Option<FileType> {
        Some(match mode & Self::MASK {
            0o010_000 => FileType::Fifo,
            0o020_000 => FileType::CharDevice,
            0o040_000 => FileType::Directory,
            0o060_000 => FileType::BlockDevice,
            0o100_000 => FileType::Regular,
            0o120_000 => FileType::Symlink,
            0o140_000 => FileType::Socket,
            _ => return None,
        })
    }

    /// `d_type` of `getdents64`: the type bits of the mode, shifted down.
    pub const fn dirent_type(self) -> u8 {
        match self {
            FileType::Fifo => 1,
            FileType::CharDevice => 2,
            FileType::Directory => 4,
            FileType::BlockDevice => 6,
            FileType::Regular => 8,
            FileType::Symlink => 10,
            FileType::Socket => 12,
        }
    }
}

/// What the handles on a file in memory share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// How many open files and mappings may write it, or, below zero, how many programs execute it. Both at once there are not
    /// (ETXTBSY).
    uses: AtomicI32,
    /// It has lost its last name.
    is_unlinked: AtomicBool,
    /// What is not to be done with it any more.
    seals: AtomicU32,
}

impl Default for Shared {
    fn default() -> Shared {
        let seals = AtomicU32::new(Seals::SEAL.bits());
        Shared { uses: AtomicI32::new(0), is_unlinked: AtomicBool::new(false), seals }
    }
}

impl Shared {
    pub(crate) fn seals(&self) -> Seals {
        Seals::from_bits_truncate(self.seals.load(Relaxed))
    }
    pub(crate) fn set_seals(&self, seals: Seals) {
        self.seals.store(seals.bits(), Relaxed);
    }
    /// Whether it is open for writing, or mapped so.
    pub(crate) fn is_written(&self) -> bool {
        self.uses.load(Relaxed) > 0
    }
    /// The file has lost its last name.
    pub(crate) fn set_unlinked(&self) {
        self.is_unlinked.store(true, Relaxed);
    }
}

pub(crate) type Pin = Arc<Shared>;

/// A right to write a file in memory, or to execute it, until it is dropped.
#[derive(Debug)]
pub struct FileUse {
    pin: Pin,
    count: i32,
}

impl FileUse {
    fn new(pin: &Pin, count: i32) -> Result<Rc<FileUse>, Errno> {
        if pin.uses.load(Relaxed).signum() * count < 0 {
            return Err(Errno::ETXTBSY);
        }
        pin.uses.fetch_add(count, Relaxed);
        Ok(Rc::new(FileUse { pin: pin.clone(), count }))
    }

    /// Whether the file has lost its last name.
    pub fn is_unlinked(&self) -> bool {
        self.pin.is_unlinked.load(Relaxed)
    }
}

impl Drop for FileUse {
    fn drop(&mut self) {
        self.pin.uses.fetch_sub(self.count, Relaxed);
    }
}

/// A handle on a file. While a clone of it lives, an unlinked tmpfs file keeps its contents and its number.
///
/// Whoever uses the file holds one: open files, current directories, VMAs.
#[derive(Clone, Debug)]
pub struct Inode {
    pub(crate) id: FileId,
    pub(crate) file_type: FileType,
    /// Shared with the tmpfs node; its count tells whether the file is in use.
    pub(crate) pin: Option<Pin>,
}

impl Inode {
    /// The file's identity.
    pub fn id(&self) -> FileId {
        self.id
    }
    /// The file's type (it never changes).
    pub fn file_type(&self) -> FileType {
        self.file_type
    }
    /// Begins to write the file: ETXTBSY while it is executed. `None`: it is not one that can be written.
    pub fn use_for_writing(&self) -> Result<Option<Rc<FileUse>>, Errno> {
        self.pin.as_ref().map(|pin| FileUse::new(pin, 1)).transpose()
    }
    /// Begins to execute the file: ETXTBSY while it is open for writing. `None`: it is not one that can be written.
    pub fn use_for_executing(&self) -> Result<Option<Rc<FileUse>>, Errno> {
        self.pin.as_ref().map(|pin| FileUse::new(pin, -1)).transpose()
    }
    /// Whether it had a name and has none any more.
    pub fn is_unlinked(&self) -> bool {
        self.pin.as_ref().is_some_and(|pin| pin.is_unlinked.load(Relaxed))
    }
    /// Whether it is a directory.
    pub fn is_dir(&self) -> bool {
        self.file_type == FileType::Directory
    }
}

impl PartialEq for Inode {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}
impl Eq for Inode {}

/// A file and the absolute path it was reached by, symbolic links resolved (what `getcwd` and
/// `readlink /proc/self/exe` say). A later `rename` of a directory on the way leaves the path as it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Location {
    /// The file.
    pub inode: Inode,
    /// Its absolute path, without `.`, `..` or a trailing slash. It may be longer than any path that a call takes.
    pub path: Rc<Vec<u8>>,
    /// The directory in which the last part of the path was found, if one was looked for.
    pub dir: Option<FileId>,
}

impl Location {
    /// What `/proc` calls the file. ENOMEM.
    pub fn name(&self) -> Result<Vec<u8>, Errno> {
        name_of_now(&self.path, self.inode.is_unlinked())
    }
    /// The last part of its path; empty for the root.
    pub fn last_name(&self) -> &[u8] {
        let slash = self.path.iter().rposition(|&byte| byte == b'/');
        &self.path[slash.map_or(0, |slash| slash + 1)..]
    }
}

/// What `/proc` puts behind the path of a file that has lost its name.
pub(crate) const DELETED: &[u8] = b" (deleted)";

/// What `/proc` calls a file with this path. ENOMEM.
pub fn name_of_now(path: &[u8], is_unlinked: bool) -> Result<Vec<u8>, Errno> {
    let suffix = if is_unlinked { DELETED } else { b"" };
    let mut name = Vec::new();
    name.try_reserve_exact(path.len() + suffix.len()).map_err(|_| Errno::ENOMEM)?;
    name.extend_from_slice(path);
    name.extend_from_slice(suffix);
    Ok(name)
}
