//! The superblock and the group descriptors: where things lie.

use super::block_cache::BlockCache;
use super::bytes::{u16_at, u32_at};
use crate::Errno;

/// Where the superblock lies, and its length.
const OFFSET: u64 = 1024;
const LEN: usize = 1024;
const MAGIC: u16 = 0xef53;

/// Incompatible features that a reader needs not care about or that are read here: FILETYPE, META_BG, EXTENTS,
/// 64BIT, MMP, FLEX_BG, EA_INODE, CSUM_SEED, LARGEDIR, CASEFOLD.
const INCOMPAT_READ: u32 = 0x2 | 0x10 | 0x40 | 0x80 | 0x100 | 0x200 | 0x400 | 0x2000 | 0x4000 | 0x2_0000;
const INCOMPAT_RECOVER: u32 = 0x4;
const INCOMPAT_META_BG: u32 = 0x10;
const INCOMPAT_64BIT: u32 = 0x80;

/// `s_flags`: directory hashes were made with signed or unsigned `char`.
const FLAG_UNSIGNED_HASH: u32 = 0x2;

/// What the superblock says, checked.
#[derive(Clone, Debug)]
pub(super) struct Superblock {
    pub(super) block_size: u64,
    pub(super) blocks: u64,
    pub(super) blocks_free: u64,
    pub(super) inodes: u32,
    pub(super) inodes_free: u32,
    pub(super) inode_size: u16,
    pub(super) hash_seed: [u32; 4],
    pub(super) unsigned_hash: bool,
    first_data_block: u64,
    blocks_per_group: u64,
    inodes_per_group: u32,
    groups: u64,
    desc_size: u64,
    meta_bg: bool,
    first_meta_bg: u64,
}

impl Superblock {
    /// Reads and checks it. ENODEV: no ext4. EINVAL: one with features that are not read here (the log says which).
    /// EUCLEAN: damaged, or not cleanly unmounted.
    pub(super) fn read(cache: &mut BlockCache) -> Result<Superblock, Errno> {
        if cache.len_bytes() < OFFSET + LEN as u64 {
            return Err(Errno::ENODEV);
        }
        let device_len = cache.len_bytes();
        let sb = cache.bytes(OFFSET, LEN)?;
        if u16_at(sb, 0x38) != MAGIC {
            return Err(Errno::ENODEV);
        }
        let incompat = u32_at(sb, 0x60);
        if incompat & INCOMPAT_RECOVER != 0 {
            log::error!("ext4: the journal has to be replayed first; run e2fsck on the image");
            return Err(Errno::EUCLEAN);
        }
        if incompat & !INCOMPAT_READ != 0 {
            log::error!("ext4: unsupported features {:#x}", incompat & !INCOMPAT_READ);
            return Err(Errno::EINVAL);
        }
        let log_block_size = u32_at(sb, 0x18);
        if log_block_size > 2 {
            log::error!("ext4: blocks larger than 4 KiB are not supported");
            return Err(Errno::EINVAL);
        }
        let is_64bit = incompat & INCOMPAT_64BIT != 0;
        let high = |offset| if is_64bit { u64::from(u32_at(sb, offset)) << 32 } else { 0 };
        let old_revision = u32_at(sb, 0x4c) == 0;
        let superblock = Superblock {
            block_size: 1024 << log_block_size,
            blocks: u64::from(u32_at(sb, 0x04)) | high(0x150),
            blocks_free: u64::from(u32_at(sb, 0x0c)) | high(0x158),
            inodes: u32_at(sb, 0x00),
            inodes_free: u32_at(sb, 0x10),
            inode_size: if old_revision { 128 } else { u16_at(sb, 0x58) },
            hash_seed: [u32_at(sb, 0xec), u32_at(sb, 0xf0), u32_at(sb, 0xf4), u32_at(sb, 0xf8)],
            unsigned_hash: u32_at(sb, 0x160) & FLAG_UNSIGNED_HASH != 0,
            first_data_block: u64::from(u32_at(sb, 0x14)),
            blocks_per_group: u64::from(u32_at(sb, 0x20)),
            inodes_per_group: u32_at(sb, 0x28),
            groups: 0,
            desc_size: if is_64bit { u64::from(u16_at(sb, 0xfe)) } else { 32 },
            meta_bg: incompat & INCOMPAT_META_BG != 0,
            first_meta_bg: u64::from(u32_at(sb, 0x104)),
        };
        superblock.check(device_len)
    }

    fn check(mut self, device_len: u64) -> Result<Superblock, Errno> {
        let sane = self.blocks_per_group > 0
            && self.inodes_per_group > 0
            && self.first_data_block < self.blocks
            && self.blocks.checked_mul(self.block_size).is_some_and(|len| len <= device_len)
            && self.inode_size.is_power_of_two()
            && (128..=self.block_size).contains(&u64::from(self.inode_size))
            && self.desc_size.is_power_of_two()
            && (32..=self.block_size).contains(&self.desc_size);
        if !sane {
            log::error!("ext4: the superblock is damaged or larger than its device");
            return Err(Errno::EUCLEAN);
        }
        self.groups = (self.blocks - self.first_data_block).div_ceil(self.blocks_per_group);
        Ok(self)
    }

    /// Where on the device inode `ino` lies (its `inode_size` bytes do not cross a block).
    pub(super) fn inode_offset(&self, cache: &mut BlockCache, ino: u32) -> Result<u64, Errno> {
        if ino == 0 || ino > self.inodes {
            return Err(Errno::EUCLEAN);
        }
        let group = u64::from((ino - 1) / self.inodes_per_group);
        let index = u64::from((ino - 1) % self.inodes_per_group);
        let descriptor = cache.bytes(self.descriptor_offset(group)?, 64.min(self.desc_len()))?;
        let high = if self.desc_size >= 64 { u64::from(u32_at(descriptor, 0x28)) << 32 } else { 0 };
        let table = u64::from(u32_at(descriptor, 0x08)) | high;
        let offset = self.block_offset(table)? + index * u64::from(self.inode_size);
        // The rest of the table may run past the end of a damaged file system.
        self.block_offset(offset / self.block_size)?;
        Ok(offset)
    }

    fn desc_len(&self) -> usize {
        if self.desc_size >= 64 { 64 } else { 32 }
    }

    /// Descriptors fill the blocks after the superblock's; with META_BG those from `first_meta_bg` on lie in the
    /// first group that they describe.
    fn descriptor_offset(&self, group: u64) -> Result<u64, Errno> {
        if group >= self.groups {
            return Err(Errno::EUCLEAN);
        }
        let per_block = self.block_size / self.desc_size;
        let (table_block, within) = (group / per_block, group % per_block);
        let block = if self.meta_bg && table_block >= self.first_meta_bg {
            let first_group = table_block * per_block;
            let backup = u64::from(self.has_superblock(first_group));
            self.first_data_block + first_group * self.blocks_per_group + backup
        } else {
            self.first_data_block + 1 + table_block
        };
        Ok(self.block_offset(block)? + within * self.desc_size)
    }

    /// With META_BG only group 0 is certain to begin with a superblock; mke2fs makes such file systems sparse:
    /// groups 0, 1 and the powers of 3, 5 and 7.
    fn has_superblock(&self, group: u64) -> bool {
        let is_power_of = |base: u64| {
            let mut power = base;
            while power < group {
                power *= base;
            }
            power == group
        };
        group <= 1 || is_power_of(3) || is_power_of(5) || is_power_of(7)
    }

    /// Where a block lies on the device; EUCLEAN when there is no such block.
    pub(super) fn block_offset(&self, block: u64) -> Result<u64, Errno> {
        if block < self.first_data_block || block >= self.blocks {
            return Err(Errno::EUCLEAN);
        }
        Ok(block * self.block_size)
    }
}
