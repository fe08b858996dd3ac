//! What `stat`, `statx` and `statfs` report, independent of their memory layout.

use crate::FileType;
use crate::MountFlags;

/// A time stamp since the epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Timestamp {
    /// Seconds since 1970-01-01.
    pub seconds: i64,
    /// Nanoseconds within the second.
    pub nanoseconds: u32,
}

/// Attributes of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stat {
    /// Device number of the file system, as `makedev` makes it.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// File type and permission bits, as `st_mode`.
    pub mode: u32,
    /// Names that lead to it.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of a device file, as `makedev` makes it.
    pub rdev: u64,
    /// Length in bytes.
    pub size: u64,
    /// Preferred block size for I/O.
    pub blksize: u32,
    /// Allocated units of 512 bytes.
    pub blocks: u64,
    /// Last access.
    pub atime: Timestamp,
    /// Last change of contents.
    pub mtime: Timestamp,
    /// Last change of the inode.
    pub ctime: Timestamp,
    /// Creation, where the file system keeps it.
    pub btime: Option<Timestamp>,
    /// The number of the mount that it is reached by, as `/proc/self/mountinfo` tells it; 0 for what has no path.
    pub mount: u64,
    /// It is where a file system is mounted.
    pub is_mount_root: bool,
}

impl Stat {
    /// The file's type, from its mode. A mode with no valid type reads as a regular file.
    pub fn file_type(&self) -> FileType {
        FileType::from_mode(self.mode).unwrap_or(FileType::Regular)
    }
}

/// Attributes of a file system, as `statfs` reports them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StatFs {
    /// The magic number of the file system's type.
    pub magic: u64,
    /// Bytes in a block.
    pub block_size: u64,
    /// Blocks in all.
    pub blocks: u64,
    /// Blocks free.
    pub blocks_free: u64,
    /// Inodes in all.
    pub files: u64,
    /// Inodes free.
    pub files_free: u64,
    /// Longest file name.
    pub name_max: u64,
    /// What may not be done there.
    pub flags: MountFlags,
}

/// Linux's `dev_t` as user programs see it (`makedev`).
pub(crate) const fn device_number(major: u64, minor: u64) -> u64 {
    (minor & 0xff) | (major & 0xfff) << 8 | (minor & !0xff) << 12 | (major & !0xfff) << 32
}
