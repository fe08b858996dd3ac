//! The contents of files that change: those of [`Store::Tmpfs`], and of [`Store::Overlay`] over the disk, in the page cache, where mappings of
//! them are served from too.

use crate::memory::{mem, pages};
use core::ops::Range;
use fs::{Errno, FileId, FileMemory};
use isa::PAGE_SIZE;
use mm::file_memory::Transfer;
use mm::{OutOfFrames, Store};

/// The kernel's side of [`FileMemory`]. It is asked while the file systems are locked, so it never waits: neither for a page, whose reader may wait for
/// that lock, nor for a frame. [`pages::restarting`] does.
pub struct CachedFiles;

impl FileMemory for CachedFiles {
    fn len_bytes(&self, file: FileId) -> u64 {
        mem::memory().file_len_bytes(pages::number_of(file))
    }
    fn resident_pages(&self, file: FileId) -> u64 {
        mem::memory().cache().file_pages(pages::number_of(file))
    }
    fn read(&self, file: FileId, offset_bytes: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        let memory = mem::memory();
        let number = pages::number_of(file);
        let done = memory.read_file(number, offset_bytes, buf);
        let is_at_end = offset_bytes + done as u64 >= memory.file_len_bytes(number);
        if done == buf.len() || is_at_end { Ok(done) } else { Err(Errno::ERESTART) }
    }
    fn write(&mut self, file: FileId, offset_bytes: u64, bytes: &[u8]) -> Result<usize, Errno> {
        let number = pages::number_of(file);
        let end = offset_bytes.saturating_add(bytes.len() as u64);
        pages::check_in_memory(number, &(offset_bytes..end), Transfer::Write)?;
        let mut memory = mem::memory();
        let count = memory.write_file(number, Store::Tmpfs, offset_bytes, bytes);
        let is_full = || memory.is_full(number, offset_bytes + count as u64);
        if count > 0 || bytes.is_empty() || is_full() { Ok(count) } else { Err(Errno::ERESTART) }
    }
    fn set_len(&mut self, file: FileId, len_bytes: u64) -> Result<(), Errno> {
        let number = pages::number_of(file);
        // What the end cuts in two, now or then, is changed.
        let (end, last) = (len_bytes, len_bytes - len_bytes % PAGE_SIZE);
        if !end.is_multiple_of(PAGE_SIZE) {
            pages::check_in_memory(number, &(last..end), Transfer::Read)?;
        }
        pages::check_in_memory(number, &(end..end), Transfer::Read)?;
        mem::memory().resize_file(number, Store::Tmpfs, len_bytes);
        Ok(())
    }
    fn next_page(&self, file: FileId, page: u64) -> Option<u64> {
        mem::memory().cache().next_page(pages::number_of(file), page).map(|key| key.index)
    }
    fn fill_holes(&mut self, file: FileId, range: Range<u64>) -> Result<(), Errno> {
        let (number, mut memory) = (pages::number_of(file), mem::memory());
        range.into_iter().try_for_each(|page| match memory.fill_hole_at(number, page) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Errno::ENOSPC),
            Err(OutOfFrames) => Err(Errno::ERESTART),
        })
    }
    fn punch_hole(&mut self, file: FileId, bytes: Range<u64>) -> Result<(), Errno> {
        let number = pages::number_of(file);
        if bytes.start / PAGE_SIZE < mem::memory().cache().device_pages(number) {
            return Err(Errno::EOPNOTSUPP);
        }
        for at in [bytes.start, bytes.end] {
            if !at.is_multiple_of(PAGE_SIZE) {
                pages::check_in_memory(number, &(at..at + 1), Transfer::Read)?;
            }
        }
        pages::punch_hole(number, &bytes);
        Ok(())
    }
    fn overlay(&mut self, file: FileId, len_bytes: u64) {
        mem::memory().overlay_file(pages::number_of(file), len_bytes);
    }
    fn remove(&mut self, file: FileId) {
        mem::memory().remove_file(pages::number_of(file));
    }
    fn capacity_pages(&self) -> (u64, u64) {
        let memory = mem::memory();
        let (limit, used) = (memory.cache().tmpfs_limit(), memory.cache().tmpfs_pages());
        (limit, limit.saturating_sub(used))
    }
}
