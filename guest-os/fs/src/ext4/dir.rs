//! Directories: entries in their blocks, and the hash tree that finds the right block.

use super::bytes::{u16_at, u32_at};
use super::dir_hash::half_md4;
use super::superblock::Superblock;
use crate::{Errno, FileType};

/// Inode, record length, name length, type.
const HEADER: usize = 8;
/// Where the index begins in block 0, behind the entries `.` and `..`.
const INDEX_ROOT: usize = 0x18;
/// Where the entries of an index node begin, behind one empty directory entry.
const INDEX_NODE: usize = 8;
/// The only hash function read here (and the default); by others the directory is searched block by block.
const HASH_HALF_MD4: u8 = 1;
/// Linux stops at three levels too.
const MAX_INDEX_LEVELS: u8 = 3;

/// One entry of a directory block.
pub(super) struct Entry<'a> {
    /// 0: the entry is empty.
    pub(super) ino: u32,
    /// `None` where the file system does not keep it.
    pub(super) file_type: Option<FileType>,
    pub(super) name: &'a [u8],
    /// Offset of the next entry in the block.
    pub(super) next: usize,
}

/// The entry at `at`.
pub(super) fn entry_at(block: &[u8], at: usize) -> Result<Entry<'_>, Errno> {
    if at + HEADER > block.len() {
        return Err(Errno::EUCLEAN);
    }
    let record_len = usize::from(u16_at(block, at + 4));
    let name_len = usize::from(block[at + 6]);
    let next = at + record_len;
    let fits = record_len % 4 == 0 && record_len >= HEADER + name_len && next <= block.len();
    let ino = u32_at(block, at);
    if !fits || record_len == 0 || (ino != 0 && name_len == 0) {
        return Err(Errno::EUCLEAN);
    }
    let file_type = match block[at + 7] {
        1 => Some(FileType::Regular),
        2 => Some(FileType::Directory),
        3 => Some(FileType::CharDevice),
        4 => Some(FileType::BlockDevice),
        5 => Some(FileType::Fifo),
        6 => Some(FileType::Socket),
        7 => Some(FileType::Symlink),
        _ => None,
    };
    let name = &block[at + HEADER..at + HEADER + name_len];
    if ino != 0 && name.iter().any(|&byte| byte == b'/' || byte == 0) {
        return Err(Errno::EUCLEAN);
    }
    Ok(Entry { ino, file_type, name, next })
}

/// The inode that `name` has in this block.
pub(super) fn find_in_block(block: &[u8], name: &[u8]) -> Result<Option<u32>, Errno> {
    let mut at = 0;
    while at < block.len() {
        let entry = entry_at(block, at)?;
        if entry.ino != 0 && entry.name == name {
            return Ok(Some(entry.ino));
        }
        at = entry.next;
    }
    Ok(None)
}

/// Where the index sends us.
pub(super) struct Indexed {
    /// The block of the directory in which the name is, if anywhere.
    pub(super) block: u32,
    /// Whether it can be nowhere else. (Names with equal hashes may go on in the next block.)
    pub(super) is_only: bool,
}

/// Follows the index for `name`; `read` gives a block of the directory. `None`: an index of a kind not known here.
pub(super) fn find_block(
    superblock: &Superblock,
    name: &[u8],
    mut read: impl FnMut(u32) -> Result<alloc::vec::Vec<u8>, Errno>,
) -> Result<Option<Indexed>, Errno> {
    let mut node = read(0)?;
    if node.len() < INDEX_ROOT + 16 {
        return Err(Errno::EUCLEAN);
    }
    let (version, info_len, mut levels) = (node[INDEX_ROOT + 4], node[INDEX_ROOT + 5], node[INDEX_ROOT + 6]);
    if version != HASH_HALF_MD4 || info_len != 8 {
        return Ok(None);
    }
    if levels > MAX_INDEX_LEVELS {
        return Err(Errno::EUCLEAN);
    }
    let hash = half_md4(name, superblock.hash_seed, superblock.unsigned_hash);
    let mut entries_at = INDEX_ROOT + 8;
    let mut is_only = true;
    loop {
        let (block, more) = search_index(&node[entries_at..], hash)?;
        // In an inner node the last entry has a neighbour that is not seen from here.
        is_only &= match more {
            Neighbour::Other => true,
            Neighbour::Collides => false,
            Neighbour::None => levels == 0 && entries_at == INDEX_ROOT + 8,
        };
        if levels == 0 {
            return Ok(Some(Indexed { block, is_only }));
        }
        levels -= 1;
        node = read(block)?;
        entries_at = INDEX_NODE;
    }
}

/// What follows the entry that was found.
enum Neighbour {
    None,
    Other,
    Collides,
}

/// The last entry whose hash is not above `hash`. The first entry has no hash (it counts as 0): its place holds
/// the limit and the count.
fn search_index(entries: &[u8], hash: u32) -> Result<(u32, Neighbour), Errno> {
    if entries.len() < 8 {
        return Err(Errno::EUCLEAN);
    }
    let (limit, count) = (usize::from(u16_at(entries, 0)), usize::from(u16_at(entries, 2)));
    if count == 0 || count > limit || limit * 8 > entries.len() {
        return Err(Errno::EUCLEAN);
    }
    let hash_of = |i: usize| u32_at(entries, i * 8);
    let (mut low, mut high) = (1, count);
    while low < high {
        let middle = (low + high) / 2;
        if hash_of(middle) <= hash { low = middle + 1 } else { high = middle }
    }
    let neighbour = match low {
        _ if low == count => Neighbour::None,
        _ if hash_of(low) == hash | 1 => Neighbour::Collides,
        _ => Neighbour::Other,
    };
    // The topmost four bits of a block number are reserved.
    Ok((u32_at(entries, (low - 1) * 8 + 4) & 0x0fff_ffff, neighbour))
}
