//! ext4 (and ext2, ext3), read-only: superblock, inodes, block maps and directories of an image on a [`BlockDevice`].
//!
//! Only metadata is read here, through a cache of 4 KiB units, and each inode and name looked up is remembered. File
//! data is the page cache's: [`Ext4::page_source`] says where a page lies. A damaged image gives EUCLEAN, never a
//! panic and never an endless loop: every block number is checked where it is used, every walk has a bound, and
//! directories may not be longer than the file system.
//!
//! Written for this kernel because each device read and each instruction of a start counts: mounting reads one
//! unit, a first look-up of `/bin/busybox` five more. (The crates: ext4-view tells neither inode numbers nor
//! extents; rsext4 0.9 does, but takes 9 reads and three to seven million instructions to mount.) Not here:
//! writing, journal replay, encryption, inline data, checksums.
//!
//! On-disk format: the kernel's Documentation/filesystems/ext4.

mod block_cache;
mod bytes;
mod dir;
mod dir_hash;
mod extent;
mod inode;
mod superblock;
#[cfg(test)]
mod tests;
mod whole;

use crate::{BlockDevice, DeviceRange, DirEntry, Errno, FileType, PageSource, Stat, StatFs};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use block_cache::BlockCache;
use inode::DiskInode;
use superblock::Superblock;

/// The inode of the root directory.
const ROOT: u32 = 2;
const PAGE: u64 = isa::addr::PAGE_SIZE;
/// Inodes and directory entries remembered before all are forgotten and read anew.
const REMEMBERED: usize = 4096;
/// Longest target of a symbolic link.
const PATH_MAX: u64 = 4096;
const NAME_MAX: usize = 255;

/// A mounted ext4 file system.
pub struct Ext4 {
    cache: BlockCache,
    superblock: Superblock,
    inodes: BTreeMap<u32, Arc<DiskInode>>,
    /// Names looked up, by directory; `None` for those that are not there.
    names: BTreeMap<u32, BTreeMap<Vec<u8>, Option<u32>>>,
    names_remembered: usize,
}

impl Ext4 {
    /// Mounts a device. ENODEV when it holds no ext4, EINVAL when it holds one that cannot be read, EUCLEAN when that is damaged, EIO
    /// when the device fails.
    pub fn mount(device: Box<dyn BlockDevice>) -> Result<Ext4, Errno> {
        let mut cache = BlockCache::new(device);
        let superblock = Superblock::read(&mut cache)?;
        let (inodes, names) = (BTreeMap::new(), BTreeMap::new());
        let mut ext4 = Ext4 { cache, superblock, inodes, names, names_remembered: 0 };
        match ext4.inode(ROOT)?.file_type {
            FileType::Directory => Ok(ext4),
            _ => Err(Errno::EUCLEAN),
        }
    }

    /// The root directory's inode.
    pub(crate) fn root(&self) -> u64 {
        u64::from(ROOT)
    }

    /// The lowest number that no inode here can have.
    pub(crate) fn first_free_ino(&self) -> u64 {
        u64::from(self.superblock.inodes) + 1
    }

    /// Sees to memory for what is about to be remembered of what was read here. ENOMEM.
    pub(crate) fn prepare_memory(&mut self) -> Result<(), Errno> {
        self.cache.prepare_memory()
    }

    /// The inode called `name` in directory `dir`. ENOENT, ENOTDIR.
    pub(crate) fn lookup(&mut self, dir: u64, name: &[u8]) -> Result<u64, Errno> {
        let dir = inode_number(dir)?;
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        if let Some(known) = self.names.get(&dir).and_then(|names| names.get(name)) {
            return known.map(u64::from).ok_or(Errno::ENOENT);
        }
        let found = self.search(dir, name)?;
        self.cache.prepare_memory()?;
        if self.names_remembered >= REMEMBERED {
            self.names.clear();
            self.names_remembered = 0;
        }
        self.names_remembered += 1;
        self.names.entry(dir).or_default().insert(name.to_vec(), found);
        found.map(u64::from).ok_or(Errno::ENOENT)
    }

    /// Calls `visit` with each entry from byte `position` of the directory on, until it says stop (false).
    pub(crate) fn read_dir(
        &mut self,
        dir: u64,
        position: u64,
        mut visit: impl FnMut(DirEntry<'_>) -> bool,
    ) -> Result<(), Errno> {
        let inode = self.directory(inode_number(dir)?)?;
        let block_size = self.superblock.block_size;
        for block in position / block_size..inode.size / block_size {
            let bytes = self.dir_block(&inode, block)?;
            let mut at = 0;
            while at < bytes.len() {
                let entry = dir::entry_at(&bytes, at)?;
                let (start, next) = (block * block_size + at as u64, block * block_size + entry.next as u64);
                if entry.ino != 0 && start >= position {
                    let file_type = match entry.file_type {
                        Some(file_type) => file_type,
                        None => self.inode(entry.ino)?.file_type,
                    };
                    let ino = u64::from(entry.ino);
                    if !visit(DirEntry { ino, file_type, name: entry.name, next }) {
                        return Ok(());
                    }
                }
                at = entry.next;
            }
        }
        Ok(())
    }

    /// A file's type.
    pub(crate) fn file_type(&mut self, ino: u64) -> Result<FileType, Errno> {
        Ok(self.inode(inode_number(ino)?)?.file_type)
    }

    /// A file's attributes (`dev` left 0).
    pub(crate) fn stat(&mut self, ino: u64) -> Result<Stat, Errno> {
        Ok(self.inode(inode_number(ino)?)?.stat())
    }

    /// A file's length.
    pub(crate) fn size(&mut self, ino: u64) -> Result<u64, Errno> {
        Ok(self.inode(inode_number(ino)?)?.size)
    }

    /// The target of a symbolic link.
    pub(crate) fn readlink(&mut self, ino: u64) -> Result<Vec<u8>, Errno> {
        let inode = self.inode(inode_number(ino)?)?;
        if inode.file_type != FileType::Symlink {
            return Err(Errno::EINVAL);
        }
        let target = if let Some(target) = inode.short_link(self.superblock.block_size) {
            target.to_vec()
        } else if inode.size > self.superblock.block_size.min(PATH_MAX) {
            return Err(Errno::EUCLEAN);
        } else {
            let block = self.map(&inode, 0)?.ok_or(Errno::EUCLEAN)?;
            let len = usize::try_from(inode.size).map_err(|_| Errno::EUCLEAN)?;
            self.cache.bytes(block * self.superblock.block_size, len)?.to_vec()
        };
        // Linux takes a link as a C string, and the empty one leads nowhere.
        let len = target.iter().position(|&byte| byte == 0).unwrap_or(target.len());
        if len == 0 { Err(Errno::EUCLEAN) } else { Ok(target[..len].to_vec()) }
    }

    /// Where page `page` of a regular file lies. Reads extent blocks at most.
    pub(crate) fn page_source(&mut self, ino: u64, page: u64) -> Result<PageSource, Errno> {
        let inode = self.inode(inode_number(ino)?)?;
        let start = match page.checked_mul(PAGE) {
            Some(start) if start < inode.size => start,
            _ => return Ok(PageSource::Zero),
        };
        let valid = (inode.size - start).min(PAGE);
        let block_size = self.superblock.block_size;
        let mut ranges = [DeviceRange::default(); 4];
        let mut count = 0;
        for page_offset in (0..valid).step_by(in_page(block_size) as usize) {
            let Some(block) = self.map(&inode, (start + page_offset) / block_size)? else { continue };
            let (page_offset, device_offset) = (in_page(page_offset), block * block_size);
            // Blocks that follow each other are one read.
            let last: Option<&mut DeviceRange> = ranges[..count].last_mut();
            match last {
                Some(last) if last.is_followed_by(page_offset, device_offset) => {
                    last.len_bytes += in_page(block_size);
                }
                _ => {
                    ranges[count] =
                        DeviceRange { page_offset, len_bytes: in_page(block_size), device_offset };
                    count += 1;
                }
            }
        }
        if count == 0 {
            return Ok(PageSource::Zero);
        }
        Ok(PageSource::Device { ranges, valid_bytes: in_page(valid) })
    }

    /// Attributes of the file system.
    pub(crate) fn statfs(&self) -> StatFs {
        let sb = &self.superblock;
        StatFs {
            magic: 0xef53,
            block_size: sb.block_size,
            blocks: sb.blocks,
            blocks_free: sb.blocks_free,
            files: u64::from(sb.inodes),
            files_free: u64::from(sb.inodes_free),
            name_max: NAME_MAX as u64,
            ..StatFs::default()
        }
    }

    fn inode(&mut self, ino: u32) -> Result<Arc<DiskInode>, Errno> {
        if let Some(inode) = self.inodes.get(&ino) {
            return Ok(inode.clone());
        }
        let offset = self.superblock.inode_offset(&mut self.cache, ino)?;
        self.cache.prepare_memory()?;
        let raw = self.cache.bytes(offset, usize::from(self.superblock.inode_size))?;
        let inode = Arc::new(DiskInode::parse(raw, ino, &self.superblock)?);
        if self.inodes.len() >= REMEMBERED {
            self.inodes.clear();
        }
        self.inodes.insert(ino, inode.clone());
        Ok(inode)
    }

    fn directory(&mut self, ino: u32) -> Result<Arc<DiskInode>, Errno> {
        let inode = self.inode(ino)?;
        if inode.file_type == FileType::Directory { Ok(inode) } else { Err(Errno::ENOTDIR) }
    }

    fn search(&mut self, dir: u32, name: &[u8]) -> Result<Option<u32>, Errno> {
        let inode = self.directory(dir)?;
        let blocks = inode.size / self.superblock.block_size;
        // `.` and `..` lie before the index.
        if inode.has_index && name != b"." && name != b".." {
            let superblock = self.superblock.clone();
            let indexed =
                dir::find_block(&superblock, name, |block| self.dir_block(&inode, u64::from(block)))?;
            if let Some(dir::Indexed { block, is_only }) = indexed {
                let found = dir::find_in_block(&self.dir_block(&inode, u64::from(block))?, name)?;
                if found.is_some() || is_only {
                    return Ok(found);
                }
            }
        }
        for block in 0..blocks {
            if let Some(ino) = dir::find_in_block(&self.dir_block(&inode, block)?, name)? {
                return Ok(Some(ino));
            }
        }
        Ok(None)
    }

    /// A block of a directory, which has no holes.
    fn dir_block(&mut self, inode: &DiskInode, block: u64) -> Result<Vec<u8>, Errno> {
        if block >= inode.size / self.superblock.block_size {
            return Err(Errno::EUCLEAN);
        }
        let physical = self.map(inode, block)?.ok_or(Errno::EUCLEAN)?;
        let offset = self.superblock.block_offset(physical)?;
        Ok(self.cache.bytes(offset, in_page(self.superblock.block_size) as usize)?.to_vec())
    }

    fn map(&mut self, inode: &DiskInode, block: u64) -> Result<Option<u64>, Errno> {
        extent::map_block(&mut self.cache, &self.superblock, inode, block)
    }
}

/// A length or offset within a page.
#[allow(clippy::cast_possible_truncation)] // at most 4096
fn in_page(bytes: u64) -> u32 {
    debug_assert!(bytes <= PAGE);
    bytes as u32
}

/// Numbers from user space (`d_ino` of a hostile directory) may be anything.
fn inode_number(ino: u64) -> Result<u32, Errno> {
    u32::try_from(ino).map_err(|_| Errno::EUCLEAN)
}
