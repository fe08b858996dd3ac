//! Files that live in memory (tmpfs, shared anonymous memory): what `read`, `write` and `truncate` do to the pages that mappings show.
//!
//! Such a file has its pages in the page cache and nowhere else. A page that nobody has written or mapped is a hole: it reads as
//! zeros and takes no frame. A page in swap space must be brought back before it is read or changed ([`Memory::first_out`]), since that takes
//! its time: a transfer ends before it. So must a page that a device has of a file of [`Store::Overlay`], unless all of it is written.
//!
//! Bytes of the last page past the end of the file are what mappings have stored there. They become zeros before the end moves
//! past them, so that a longer file shows zeros.

use crate::frame::{FrameId, FrameKind, OutOfFrames};
use crate::memory::{Contents, Memory};
use crate::page_cache::{FileId, PageKey, PageLookup, PageState, Store};
use crate::phys::PhysMem;
use crate::swap::SlotState;
use core::ops::Range;
use isa::PAGE_SIZE;

/// A piece of a transfer that lies in one page.
struct Piece {
    key: PageKey,
    /// Where in the page it begins.
    offset: u64,
    len: usize,
}

impl Piece {
    /// Whether nothing of its page stays as it is, in a file with this length.
    fn is_whole(&self, file_bytes: u64) -> bool {
        let in_page = file_bytes.saturating_sub(self.key.offset_bytes()).min(PAGE_SIZE);
        self.offset == 0 && self.len as u64 >= in_page
    }
}

/// A page that must be brought into memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Out {
    /// From swap space.
    InSlot(PageKey),
    /// From the device.
    OnDevice(PageKey),
}

/// What is about to be done with a range of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transfer {
    /// It is read, or becomes its end.
    Read,
    /// It is written.
    Write,
}

/// The first piece of a transfer of `len` bytes from `offset_bytes` on.
fn piece(file: FileId, offset_bytes: u64, len: usize) -> Piece {
    let offset = offset_bytes % PAGE_SIZE;
    let room = usize::try_from(PAGE_SIZE - offset).unwrap_or(len);
    Piece { key: PageKey { file, index: offset_bytes / PAGE_SIZE }, offset, len: len.min(room) }
}

/// The pages that lie wholly in a range of a file.
pub fn whole_pages(bytes: &Range<u64>) -> Range<u64> {
    bytes.start.div_ceil(PAGE_SIZE)..bytes.end / PAGE_SIZE
}

impl<P: PhysMem> Memory<P> {
    /// The frame of a page of a file that lives in memory: the one that is there, or a new one of zeros.
    ///
    /// # Panics
    /// If the page lies past the end of the file, or the file has no room for it ([`PageLookup::NoRoom`]).
    pub fn memory_page(&mut self, key: PageKey) -> Result<FrameId, OutOfFrames> {
        self.with_frames(FrameKind::PageCache(key), |mem| mem.fill_hole(key))
    }

    /// As [`Memory::memory_page`]; a new frame is a free one.
    pub(crate) fn fill_hole(&mut self, key: PageKey) -> Result<FrameId, OutOfFrames> {
        match self.cache().lookup(key) {
            PageLookup::Ready(frame) => Ok(frame),
            PageLookup::Hole => {
                let frame = self.allocate(FrameKind::PageCache(key), Contents::Zeros)?;
                self.cache_mut().enter(key, frame, PageState::Ready { dirty: true });
                self.offer(frame);
                Ok(frame)
            }
            other => unreachable!("{key:?} does not live in memory only: {other:?}"),
        }
    }

    /// The length of a file; 0 if it is not known.
    pub fn file_len_bytes(&self, file: FileId) -> u64 {
        self.cache().file_len_bytes(file).unwrap_or(0)
    }

    /// Reads a file that lives in memory. Returns how many bytes there were before its end, or before a page that is in swap space.
    pub fn read_file(&self, file: FileId, offset_bytes: u64, into: &mut [u8]) -> usize {
        let left =
            usize::try_from(self.file_len_bytes(file).saturating_sub(offset_bytes)).unwrap_or(usize::MAX);
        let len = into.len().min(left);
        let mut done = 0;
        while done < len {
            let piece = piece(file, offset_bytes + done as u64, len - done);
            let part = &mut into[done..done + piece.len];
            match self.cache().lookup(piece.key) {
                PageLookup::Ready(frame) => {
                    self.phys().read_bytes(frame.base().wrapping_add(piece.offset), part);
                }
                PageLookup::Swapped(_) | PageLookup::Absent | PageLookup::Reading(_) => return done,
                _ => part.fill(0),
            }
            done += piece.len;
        }
        len
    }

    /// The first page of a file that must come into memory before `bytes` of the file are read or written, or become its end.
    /// With the page that the file ends in now, if it is to become longer.
    pub fn first_out(&mut self, file: FileId, bytes: &Range<u64>, transfer: Transfer) -> Option<Out> {
        let end = self.file_len_bytes(file);
        let last = (bytes.end > end && !end.is_multiple_of(PAGE_SIZE)).then_some(end / PAGE_SIZE);
        let pages = bytes.start / PAGE_SIZE..bytes.end.min(end).div_ceil(PAGE_SIZE);
        let is_written_over = |key: PageKey| {
            let page = key.offset_bytes()..end.min(key.offset_bytes() + PAGE_SIZE);
            transfer == Transfer::Write && bytes.start <= page.start && page.end <= bytes.end
        };
        last.into_iter().chain(pages).map(|index| PageKey { file, index }).find_map(|key| {
            match self.cache().lookup(key) {
                PageLookup::Swapped(slot) => match self.adopt(key, slot) {
                    SlotState::Stored | SlotState::Reading(_) | SlotState::Writing { .. } => {
                        Some(Out::InSlot(key))
                    }
                    SlotState::Cached(_) | SlotState::Unwritten(_) | SlotState::Kept(_) => None,
                },
                PageLookup::Reading(_) => Some(Out::OnDevice(key)),
                PageLookup::Absent if !is_written_over(key) => Some(Out::OnDevice(key)),
                _ => None,
            }
        })
    }

    /// Writes a file that lives in memory, and makes it longer if need be; an unknown file is new and lives in `store`. Returns
    /// how many bytes there was memory for, before a page that is in swap space ([`Memory::first_out`]).
    pub fn write_file(&mut self, file: FileId, store: Store, offset_bytes: u64, bytes: &[u8]) -> usize {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset_bytes + done as u64;
            let piece = piece(file, at, bytes.len() - done);
            let len_before = self.file_len_bytes(file);
            let end = at + piece.len as u64;
            if end > len_before {
                self.grow_file(file, store, end);
            }
            let frame = match self.cache().lookup(piece.key) {
                PageLookup::Ready(frame) if !self.is_full(file, at) => Some(frame),
                PageLookup::Hole => self.memory_page(piece.key).ok(),
                PageLookup::Absent if piece.is_whole(len_before) && !self.is_full(file, at) => {
                    self.written_over(piece.key).ok()
                }
                _ => None,
            };
            let Some(frame) = frame else {
                self.set_len(file, store, len_before);
                break;
            };
            let part = &bytes[done..done + piece.len];
            self.phys_mut().write_bytes(frame.base().wrapping_add(piece.offset), part);
            self.mark_dirty(piece.key);
            done += piece.len;
        }
        done
    }

    /// Cuts a file that lives in memory, or makes it longer by a hole; an unknown file is new and lives in `store`. Pages past the end leave
    /// the cache, and the rest of the last page becomes zero. Address spaces that map the file are to be told
    /// ([`Memory::cut_file`]): until then they keep the frames of dropped pages.
    pub fn resize_file(&mut self, file: FileId, store: Store, len_bytes: u64) {
        if len_bytes >= self.file_len_bytes(file) {
            return self.grow_file(file, store, len_bytes);
        }
        self.drop_pages(file, len_bytes.div_ceil(PAGE_SIZE)..u64::MAX);
        self.zero_past_end(file, len_bytes, u64::MAX);
        self.set_len(file, store, len_bytes);
    }

    /// Makes a hole of a range of a file that lives in memory: its whole pages ([`whole_pages`]) leave the cache, and zeros take the place
    /// of what it has of other pages. Address spaces that map the file are to be told ([`Memory::unmap_hole`]): until then they keep the
    /// frames of dropped pages.
    pub fn punch_file(&mut self, file: FileId, bytes: Range<u64>) {
        let whole = whole_pages(&bytes);
        self.drop_pages(file, whole.clone());
        for index in [bytes.start / PAGE_SIZE, bytes.end / PAGE_SIZE] {
            let key = PageKey { file, index };
            if let (false, PageLookup::Ready(frame)) = (whole.contains(&index), self.cache().lookup(key)) {
                let within = |at: u64| at.saturating_sub(key.offset_bytes()).min(PAGE_SIZE);
                self.zero_part(frame, within(bytes.start)..within(bytes.end));
                self.mark_dirty(key);
            }
        }
    }

    /// Gives a frame to a page of a file in memory, if it is a hole. Returns whether it is none now: such files may have all that they may have.
    pub fn fill_hole_at(&mut self, file: FileId, index: u64) -> Result<bool, OutOfFrames> {
        let key = PageKey { file, index };
        match self.cache().lookup(key) {
            PageLookup::Hole => self.memory_page(key).map(|_| true),
            PageLookup::NoRoom => Ok(false),
            _ => Ok(true),
        }
    }

    /// Whether a byte of a file lies in a page that must not change, since files in memory have all the pages that they may have.
    pub fn is_full(&self, file: FileId, offset_bytes: u64) -> bool {
        let key = PageKey { file, index: offset_bytes / PAGE_SIZE };
        self.cache().tmpfs_pages() >= self.cache().tmpfs_limit()
            && self.cache().store(file) != Some(Store::Memory)
            && !self.cache().is_only_here(key)
    }

    /// The frame of a page that the device has and that is written over as a whole: its old content is never read.
    fn written_over(&mut self, key: PageKey) -> Result<FrameId, OutOfFrames> {
        self.with_frames(FrameKind::PageCache(key), |mem| match mem.cache().lookup(key) {
            PageLookup::Absent => {
                let frame = mem.allocate(FrameKind::PageCache(key), Contents::Zeros)?;
                mem.cache_mut().enter(key, frame, PageState::Ready { dirty: true });
                mem.offer(frame);
                Ok(frame)
            }
            other => unreachable!("{key:?} was on the device: {other:?}"),
        })
    }

    fn set_len(&mut self, file: FileId, store: Store, len_bytes: u64) {
        let store = self.cache().store(file).unwrap_or(store);
        self.cache_mut().set_file(file, len_bytes, store);
    }

    fn grow_file(&mut self, file: FileId, store: Store, len_bytes: u64) {
        self.zero_past_end(file, self.file_len_bytes(file), len_bytes);
        self.set_len(file, store, len_bytes);
    }

    /// Zeroes what lies from `end_bytes` to `new_end_bytes` in the page that the former lies in.
    fn zero_past_end(&mut self, file: FileId, end_bytes: u64, new_end_bytes: u64) {
        let last = piece(file, end_bytes, 0);
        if last.offset != 0
            && let PageLookup::Ready(frame) = self.cache().lookup(last.key)
        {
            let room = PAGE_SIZE - last.offset;
            self.zero_part(frame, last.offset..last.offset + room.min(new_end_bytes - end_bytes));
            self.mark_dirty(last.key);
        }
    }
}
