//! The contents of a tmpfs file: pages by index; those never written are holes.
//!
//! Invariant: bytes of a page past the end of the file are zero, so that growing the file shows zeros.

use super::PAGE;
use crate::{Errno, PageId, PageSource, PageStore};
use alloc::collections::BTreeMap;

static ZEROS: [u8; 1 << isa::addr::PAGE_SHIFT] = [0; 1 << isa::addr::PAGE_SHIFT];

#[derive(Debug, Default)]
pub(crate) struct Contents {
    size: u64,
    pages: BTreeMap<u64, PageId>,
}

/// A piece of a transfer that lies in one page.
struct Piece {
    page: u64,
    offset: usize,
    len: usize,
}

impl Contents {
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn resident_pages(&self) -> u64 {
        self.pages.len() as u64
    }

    pub(crate) fn page_source(&self, page: u64) -> PageSource {
        self.pages.get(&page).map_or(PageSource::Zero, |&page| PageSource::Memory(page))
    }

    /// The page to be written through a mapping. It may lie past the end of the file only within its last page.
    pub(crate) fn page_for_write(&mut self, page: u64, store: &mut dyn PageStore) -> Result<PageId, Errno> {
        if page >= self.size.div_ceil(PAGE) {
            return Err(Errno::ENXIO);
        }
        self.page(page, store).ok_or(Errno::ENOSPC)
    }

    pub(crate) fn read(&self, offset: u64, out: &mut [u8], store: &dyn PageStore) -> usize {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let len = out.len().min(left);
        let mut done = 0;
        while done < len {
            let piece = piece(offset + done as u64, len - done);
            let out = &mut out[done..done + piece.len];
            match self.pages.get(&piece.page) {
                Some(&page) => store.read(page, piece.offset, out),
                None => out.fill(0),
            }
            done += piece.len;
        }
        len
    }

    /// Writes what fits. ENOSPC, or EFBIG past the largest offset, when that is nothing.
    pub(crate) fn write(
        &mut self,
        offset: u64,
        bytes: &[u8],
        store: &mut dyn PageStore,
    ) -> Result<usize, Errno> {
        let room = (i64::MAX as u64).saturating_sub(offset);
        let len = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        if len == 0 && !bytes.is_empty() {
            return Err(Errno::EFBIG);
        }
        let mut done = 0;
        while done < len {
            let piece = piece(offset + done as u64, len - done);
            let Some(page) = self.page(piece.page, store) else { break };
            store.write(page, piece.offset, &bytes[done..done + piece.len]);
            done += piece.len;
            self.size = self.size.max(offset + done as u64);
        }
        if done == 0 && len > 0 { Err(Errno::ENOSPC) } else { Ok(done) }
    }

    pub(crate) fn truncate(&mut self, size: u64, store: &mut dyn PageStore) {
        let kept = size.div_ceil(PAGE);
        while let Some(entry) = self.pages.last_entry().filter(|entry| *entry.key() >= kept) {
            store.free(entry.remove());
        }
        let tail = piece(size, usize::MAX);
        if tail.offset != 0
            && size < self.size
            && let Some(&page) = self.pages.get(&tail.page)
        {
            store.write(page, tail.offset, &ZEROS[..tail.len]);
        }
        self.size = size;
    }

    fn page(&mut self, page: u64, store: &mut dyn PageStore) -> Option<PageId> {
        if let Some(&id) = self.pages.get(&page) {
            return Some(id);
        }
        let id = store.alloc()?;
        self.pages.insert(page, id);
        Some(id)
    }
}

/// The first piece of a transfer of `len` bytes from `offset` on.
#[allow(clippy::cast_possible_truncation)] // less than a page
fn piece(offset: u64, len: usize) -> Piece {
    let within = (offset % PAGE) as usize;
    Piece { page: offset / PAGE, offset: within, len: len.min(PAGE as usize - within) }
}
