//! The contents of files that change: those of [`Store::Tmpfs`], and of [`Store::Overlay`] over the disk, in the page cache, where mappings of
//! them are served from too.

use crate::memory::reclaim::{self, AtTheEnd};
use crate::memory::{mem, pages};
use core::ops::Range;
use fs::{Errno, FileId, FileMemory};
use isa::PAGE_SIZE;
use mm::Store;
use mm::file_memory::Transfer;

/// The kernel's side of [`FileMemory`].
pub struct CachedFiles;

impl FileMemory for CachedFiles {
    fn len_bytes(&self, file: FileId) -> u64 {
        mem::memory().file_len_bytes(pages::number_of(file))
    }
    fn resident_pages(&self, file: FileId) -> u64 {
        mem::memory().cache().file_pages(pages::number_of(file))
    }
    fn read(&self, file: FileId, offset_bytes: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        let number = pages::number_of(file);
        let mut done = 0;
        loop {
            let at = offset_bytes + done as u64;
            // What has come in may go again while the next page comes: so it is read first.
            done += mem::memory().read_file(number, at, &mut buf[done..]);
            let at = offset_bytes + done as u64;
            let is_at_end = at >= mem::memory().file_len_bytes(number);
            if done == buf.len() || is_at_end {
                return Ok(done);
            }
            pages::have_in_memory(number, &(at..at + 1), Transfer::Read)?;
        }
    }
    fn write(&mut self, file: FileId, offset_bytes: u64, bytes: &[u8]) -> Result<usize, Errno> {
        let number = pages::number_of(file);
        let mut done = 0;
        while done < bytes.len() {
            let at = offset_bytes + done as u64;
            let part = &bytes[done..bytes.len().min(done + in_page(at))];
            // What has come in may go again while room is made: so this begins with what is there.
            pages::have_in_memory(number, &(at..at + part.len() as u64), Transfer::Write)?;
            let (count, is_full) = {
                let mut memory = mem::memory();
                (memory.write_file(number, Store::Tmpfs, at, part), memory.is_full(number, at))
            };
            done += count;
            if count == 0 && (is_full || !reclaim::makes_room(AtTheEnd::Fail)) {
                break;
            }
        }
        Ok(done)
    }
    fn set_len(&mut self, file: FileId, len_bytes: u64) -> Result<(), Errno> {
        let number = pages::number_of(file);
        // What the end cuts in two, now or then, is changed.
        let (end, last) = (len_bytes, len_bytes - len_bytes % PAGE_SIZE);
        if !end.is_multiple_of(PAGE_SIZE) {
            pages::have_in_memory(number, &(last..end), Transfer::Read)?;
        }
        pages::have_in_memory(number, &(end..end), Transfer::Read)?;
        mem::memory().resize_file(number, Store::Tmpfs, len_bytes);
        Ok(())
    }
    fn next_page(&self, file: FileId, page: u64) -> Option<u64> {
        mem::memory().cache().next_page(pages::number_of(file), page).map(|key| key.index)
    }
    fn fill_holes(&mut self, file: FileId, range: Range<u64>) -> bool {
        let number = pages::number_of(file);
        range.into_iter().all(|page| {
            let filled = reclaim::with_room(AtTheEnd::Fail, |memory| memory.fill_hole_at(number, page));
            filled == Ok(true)
        })
    }
    fn punch_hole(&mut self, file: FileId, bytes: Range<u64>) -> Result<(), Errno> {
        let number = pages::number_of(file);
        if bytes.start / PAGE_SIZE < mem::memory().cache().device_pages(number) {
            return Err(Errno::EOPNOTSUPP);
        }
        for at in [bytes.start, bytes.end] {
            if !at.is_multiple_of(PAGE_SIZE) {
                pages::have_in_memory(number, &(at..at + 1), Transfer::Read)?;
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
        (limit, memory.frames().free().min(limit.saturating_sub(used)))
    }
}

/// Bytes from `at` to the end of its page.
fn in_page(at: u64) -> usize {
    usize::try_from(PAGE_SIZE - at % PAGE_SIZE).unwrap_or(1)
}
