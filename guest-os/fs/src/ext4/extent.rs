//! From a block of a file to a block of the device: extent trees, and the indirect blocks of ext2 and ext3.

use super::block_cache::BlockCache;
use super::bytes::{u16_at, u32_at};
use super::inode::DiskInode;
use super::superblock::Superblock;
use crate::Errno;

const EXTENT_MAGIC: u16 = 0xf30a;
/// Header, index entry and leaf entry have the same length.
const ENTRY_LEN: usize = 12;
/// The kernel's limit as well: five levels cover every file with the smallest blocks.
const MAX_DEPTH: u16 = 5;
/// A longer `ee_len` marks an extent that is allocated, but reads as zeros until written.
const MAX_INITIALISED: u16 = 32768;
/// Pointers kept in the inode before the indirect ones.
const DIRECT_BLOCKS: u64 = 12;

/// The block of the device that holds `block` of the file; `None` where the file has a hole.
pub(super) fn map_block(
    cache: &mut BlockCache,
    superblock: &Superblock,
    inode: &DiskInode,
    block: u64,
) -> Result<Option<u64>, Errno> {
    let mapped = if inode.uses_extents {
        // Blocks of a file have 32-bit numbers; what lies beyond cannot have been written.
        let Ok(block) = u32::try_from(block) else { return Ok(None) };
        map_by_extents(cache, superblock, inode, block)?
    } else {
        map_by_indirection(cache, superblock, inode, block)?
    };
    match mapped {
        Some(physical) => superblock.block_offset(physical).map(|_| Some(physical)),
        None => Ok(None),
    }
}

/// What one node of the tree says about a block.
enum Step {
    Down(u64),
    Found(u64),
    Hole,
}

fn map_by_extents(
    cache: &mut BlockCache,
    superblock: &Superblock,
    inode: &DiskInode,
    block: u32,
) -> Result<Option<u64>, Errno> {
    let mut depth = u16_at(&inode.i_block, 6);
    if depth > MAX_DEPTH {
        return Err(Errno::EUCLEAN);
    }
    let mut step = search_node(&inode.i_block, depth, block)?;
    loop {
        match step {
            Step::Found(physical) => return Ok(Some(physical)),
            Step::Hole => return Ok(None),
            Step::Down(child) => {
                depth = depth.checked_sub(1).ok_or(Errno::EUCLEAN)?;
                let offset = superblock.block_offset(child)?;
                step = search_node(cache.bytes(offset, block_len(superblock))?, depth, block)?;
            }
        }
    }
}

/// Looks a block up in a node that must be `depth` levels above the leaves.
fn search_node(node: &[u8], depth: u16, block: u32) -> Result<Step, Errno> {
    let (entries, capacity) = (usize::from(u16_at(node, 2)), usize::from(u16_at(node, 4)));
    let fits = entries <= capacity && (capacity + 1) * ENTRY_LEN <= node.len();
    if u16_at(node, 0) != EXTENT_MAGIC || u16_at(node, 6) != depth || !fits {
        return Err(Errno::EUCLEAN);
    }
    // Entries ascend by their first block: the one in question is the last that does not begin after the block.
    let entry = |i: usize| &node[(i + 1) * ENTRY_LEN..(i + 2) * ENTRY_LEN];
    let (mut low, mut high) = (0, entries);
    while low < high {
        let middle = (low + high) / 2;
        if u32_at(entry(middle), 0) <= block { low = middle + 1 } else { high = middle }
    }
    let Some(index) = low.checked_sub(1) else { return Ok(Step::Hole) };
    let entry = entry(index);
    let first = u32_at(entry, 0);
    if first > block {
        return Err(Errno::EUCLEAN); // the entries do not ascend
    }
    if depth > 0 {
        return Ok(Step::Down(u64::from(u32_at(entry, 4)) | u64::from(u16_at(entry, 8)) << 32));
    }
    let len = u16_at(entry, 4);
    let start = u64::from(u32_at(entry, 8)) | u64::from(u16_at(entry, 6)) << 32;
    let within = block - first;
    Ok(if len <= MAX_INITIALISED && within < u32::from(len) {
        Step::Found(start + u64::from(within))
    } else {
        Step::Hole
    })
}

fn map_by_indirection(
    cache: &mut BlockCache,
    superblock: &Superblock,
    inode: &DiskInode,
    block: u64,
) -> Result<Option<u64>, Errno> {
    let per_block = superblock.block_size / 4;
    let pointer = |bytes: &[u8], index: u64| {
        let at = usize::try_from(index).map_err(|_| Errno::EUCLEAN)? * 4;
        Ok::<u64, Errno>(u64::from(u32_at(bytes, at)))
    };
    if block < DIRECT_BLOCKS {
        return Ok(Some(pointer(&inode.i_block, block)?).filter(|&physical| physical != 0));
    }
    // The pointers after the direct ones lead through 1, 2 and 3 levels.
    let mut index = block - DIRECT_BLOCKS;
    let (mut level, mut span) = (0, per_block);
    while index >= span {
        index -= span;
        span *= per_block;
        level += 1;
        if level == 3 {
            return Ok(None);
        }
    }
    let mut physical = pointer(&inode.i_block, DIRECT_BLOCKS + level)?;
    while physical != 0 && span > 1 {
        span /= per_block;
        let offset = superblock.block_offset(physical)?;
        physical = pointer(cache.bytes(offset, block_len(superblock))?, index / span)?;
        index %= span;
    }
    Ok(Some(physical).filter(|&physical| physical != 0))
}

/// Block sizes are 1024, 2048 or 4096.
fn block_len(superblock: &Superblock) -> usize {
    usize::try_from(superblock.block_size).unwrap_or(super::block_cache::UNIT)
}
