//! A whole file by its path: for tools on the host that look into an image. The guest reads by page.

use super::{Ext4, PAGE};
use crate::{Errno, FileType, PageSource};
use alloc::vec::Vec;

/// Symbolic links on one way, as in Linux.
const MAX_LINKS: u32 = 40;

impl Ext4 {
    /// The bytes of the regular file at `path`, which begins at the root; symbolic links are followed. ENOENT, ENOTDIR, ELOOP, EISDIR;
    /// EINVAL for what is no regular file; ENOMEM for one that is larger than memory; EUCLEAN and EIO as everywhere.
    ///
    /// Cost: a device read for each piece of each page, and the metadata on the way.
    pub fn read_whole(&mut self, path: &[u8]) -> Result<Vec<u8>, Errno> {
        let ino = self.walk(path)?;
        match self.file_type(ino)? {
            FileType::Regular => {}
            FileType::Directory => return Err(Errno::EISDIR),
            _ => return Err(Errno::EINVAL),
        }
        let size = self.size(ino)?;
        let len = usize::try_from(size).map_err(|_| Errno::ENOMEM)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len).map_err(|_| Errno::ENOMEM)?;
        bytes.resize(len, 0);
        for page in 0..size.div_ceil(PAGE) {
            let PageSource::Device { ranges, valid_bytes } = self.page_source(ino, page)? else { continue };
            let start = usize::try_from(page * PAGE).map_err(|_| Errno::ENOMEM)?;
            for range in ranges.iter().filter(|range| range.len_bytes != 0) {
                let from = start + range.page_offset as usize;
                let end = start + (range.page_offset + range.len_bytes).min(valid_bytes) as usize;
                let into = bytes.get_mut(from..end).ok_or(Errno::EUCLEAN)?;
                self.cache.device().read(range.device_offset, into).map_err(|_| Errno::EIO)?;
            }
        }
        Ok(bytes)
    }

    /// The inode at a path, the last link followed.
    fn walk(&mut self, path: &[u8]) -> Result<u64, Errno> {
        let mut links = 0;
        let mut at = self.root();
        // Parts still to go, the next one last.
        let mut rest: Vec<Vec<u8>> = parts(path);
        while let Some(part) = rest.pop() {
            let found = self.lookup(at, &part)?;
            if self.file_type(found)? != FileType::Symlink {
                at = found;
                continue;
            }
            links += 1;
            if links > MAX_LINKS {
                return Err(Errno::ELOOP);
            }
            let target = self.readlink(found)?;
            if target.starts_with(b"/") {
                at = self.root();
            }
            rest.extend(parts(&target));
        }
        Ok(at)
    }
}

/// The parts of a path, the first one last.
fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    let parts = path.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    let mut parts: Vec<Vec<u8>> = parts.map(<[u8]>::to_vec).collect();
    parts.reverse();
    parts
}
