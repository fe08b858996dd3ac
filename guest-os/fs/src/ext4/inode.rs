//! Inodes as they lie on disk.

use super::bytes::{u16_at, u32_at};
use super::superblock::Superblock;
use crate::{Errno, FileType, Stat, Timestamp};

/// `i_flags`: the blocks are mapped by an extent tree.
const FLAG_EXTENTS: u32 = 0x8_0000;
/// The directory has a hash tree.
const FLAG_INDEX: u32 = 0x1000;
/// Contents lie in the inode. Encrypted or compressed. None of these is read here.
const FLAGS_UNREADABLE: u32 = 0x1000_0000 | 0x800 | 0x4;
/// Length of `i_block`: the extent tree's root, or the target of a short symbolic link.
pub(super) const I_BLOCK_LEN: usize = 60;
/// Length of the part of the inode that every revision has.
const BASE_LEN: usize = 128;

/// An inode, checked as far as it can be by itself.
#[derive(Clone, Debug)]
pub(super) struct DiskInode {
    pub(super) file_type: FileType,
    pub(super) size: u64,
    pub(super) uses_extents: bool,
    pub(super) has_index: bool,
    pub(super) i_block: [u8; I_BLOCK_LEN],
    stat: Stat,
    has_attribute_block: bool,
}

impl DiskInode {
    pub(super) fn parse(raw: &[u8], ino: u32, superblock: &Superblock) -> Result<DiskInode, Errno> {
        if raw.len() < BASE_LEN {
            return Err(Errno::EUCLEAN);
        }
        let mode = u32::from(u16_at(raw, 0x00));
        let nlink = u32::from(u16_at(raw, 0x1a));
        let flags = u32_at(raw, 0x20);
        let size = u64::from(u32_at(raw, 0x04)) | u64::from(u32_at(raw, 0x6c)) << 32;
        let file_type = FileType::from_mode(mode).ok_or(Errno::EUCLEAN)?;
        if nlink == 0 || size > i64::MAX as u64 {
            return Err(Errno::EUCLEAN);
        }
        if flags & FLAGS_UNREADABLE != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        // Fields past the first 128 bytes exist as far as i_extra_isize says.
        let extra = if raw.len() > BASE_LEN + 2 { usize::from(u16_at(raw, 0x80)) } else { 0 };
        let extra_field = |offset: usize| {
            (offset + 4 <= BASE_LEN + extra && offset + 4 <= raw.len()).then(|| u32_at(raw, offset))
        };
        let time =
            |seconds: usize, more: usize| timestamp(u32_at(raw, seconds), extra_field(more).unwrap_or(0));
        let mut i_block = [0; I_BLOCK_LEN];
        i_block.copy_from_slice(&raw[0x28..0x28 + I_BLOCK_LEN]);
        let rdev = match file_type {
            FileType::CharDevice | FileType::BlockDevice => device_number(&i_block),
            _ => 0,
        };
        let stat = Stat {
            dev: 0,
            ino: u64::from(ino),
            mode,
            nlink,
            uid: u32::from(u16_at(raw, 0x02)) | u32::from(u16_at(raw, 0x78)) << 16,
            gid: u32::from(u16_at(raw, 0x18)) | u32::from(u16_at(raw, 0x7a)) << 16,
            rdev,
            size,
            blksize: 4096,
            blocks: u64::from(u32_at(raw, 0x1c)) | u64::from(u16_at(raw, 0x74)) << 32,
            atime: time(0x08, 0x8c),
            mtime: time(0x10, 0x88),
            ctime: time(0x0c, 0x84),
            btime: extra_field(0x90).map(|seconds| timestamp(seconds, extra_field(0x94).unwrap_or(0))),
            ..Stat::default()
        };
        let inode = DiskInode {
            file_type,
            size,
            uses_extents: flags & FLAG_EXTENTS != 0,
            has_index: flags & FLAG_INDEX != 0,
            i_block,
            stat,
            has_attribute_block: u32_at(raw, 0x68) != 0 || u16_at(raw, 0x76) != 0,
        };
        // A directory fills whole blocks, and has no holes: no more blocks than the file system.
        let is_sane = file_type != FileType::Directory
            || (size % superblock.block_size == 0 && size / superblock.block_size <= superblock.blocks);
        if is_sane { Ok(inode) } else { Err(Errno::EUCLEAN) }
    }

    pub(super) fn stat(&self) -> Stat {
        self.stat
    }

    /// The target of a symbolic link that is kept in the inode itself: it has no block of its own (one may hold
    /// extended attributes).
    pub(super) fn short_link(&self, block_size: u64) -> Option<&[u8]> {
        let attributes = if self.has_attribute_block { block_size / 512 } else { 0 };
        let len = usize::try_from(self.size).ok()?;
        let is_short =
            self.file_type == FileType::Symlink && self.stat.blocks == attributes && len < I_BLOCK_LEN;
        is_short.then(|| &self.i_block[..len])
    }
}

/// Seconds are 32 bits, signed; the extra field holds two bits of epoch below thirty of nanoseconds.
fn timestamp(seconds: u32, extra: u32) -> Timestamp {
    Timestamp {
        seconds: i64::from(seconds.cast_signed()) + (i64::from(extra & 3) << 32),
        nanoseconds: (extra >> 2).min(999_999_999),
    }
}

/// Device files keep a 16-bit number in the first word of `i_block`, or a 32-bit one in the second.
fn device_number(i_block: &[u8]) -> u64 {
    let (old, new) = (u64::from(u32_at(i_block, 0)), u64::from(u32_at(i_block, 4)));
    if old != 0 {
        old & 0xffff
    } else {
        let (major, minor) = ((new >> 8) & 0xfff, (new & 0xff) | ((new >> 12) & 0xf_ff00));
        crate::stat::device_number(major, minor)
    }
}
