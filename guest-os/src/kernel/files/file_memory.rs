//! tmpfs's contents: files of [`Store::Tmpfs`] in the page cache, where mappings of them are served from too.

use crate::memory::{mem, pages};
use core::ops::Range;
use fs::{FileId, FileMemory};
use mm::Store;

/// The kernel's side of [`FileMemory`].
pub struct CachedFiles;

impl FileMemory for CachedFiles {
    fn len_bytes(&self, file: FileId) -> u64 {
        mem::memory().file_len_bytes(pages::number_of(file))
    }
    fn resident_pages(&self, file: FileId) -> u64 {
        mem::memory().cache().file_pages(pages::number_of(file))
    }
    fn read(&self, file: FileId, offset_bytes: u64, buf: &mut [u8]) -> usize {
        mem::memory().read_file(pages::number_of(file), offset_bytes, buf)
    }
    fn write(&mut self, file: FileId, offset_bytes: u64, bytes: &[u8]) -> usize {
        let written = mem::memory().write_file(pages::number_of(file), Store::Tmpfs, offset_bytes, bytes);
        written
    }
    fn set_len(&mut self, file: FileId, len_bytes: u64) {
        mem::memory().resize_file(pages::number_of(file), Store::Tmpfs, len_bytes);
    }
    fn next_page(&self, file: FileId, page: u64) -> Option<u64> {
        mem::memory().cache().next_page(pages::number_of(file), page).map(|key| key.index)
    }
    fn fill_holes(&mut self, file: FileId, range: Range<u64>) -> bool {
        mem::memory().fill_holes(pages::number_of(file), range)
    }
    fn punch_hole(&mut self, file: FileId, bytes: Range<u64>) {
        pages::punch_hole(pages::number_of(file), &bytes);
    }
    fn remove(&mut self, file: FileId) {
        mem::memory().remove_file(pages::number_of(file));
    }
    fn capacity_pages(&self) -> (u64, u64) {
        let memory = mem::memory();
        let (limit, used) = (memory.cache().tmpfs_limit(), memory.cache().tmpfs_pages());
        (limit, memory.frames().free().min(limit.saturating_sub(used)))
    }
}
