//! Which bytes of RAM have been decoded: one bit for each 64-byte granule, one word for each page.
//!
//! A set bit means that decoded code *may* lie in the granule. Whoever writes RAM asks here; a write to a marked
//! granule clears the mark and queues the granule, and the code cache drops the blocks of every queued granule
//! before it runs another one. A page with any mark never enters a fast store array.

/// log2 of a granule's size in bytes; 64 granules to a page make its marks one word.
const GRANULE_SHIFT: u32 = 6;
/// A granule's size in bytes.
pub const GRANULE_BYTES: usize = 1 << GRANULE_SHIFT;
const PAGE_SHIFT: u32 = isa::PAGE_SHIFT;

/// Decoded code that must be dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stale {
    /// The page's number, counted from the first byte of RAM.
    pub page: usize,
    /// Its granules that have been written, as in [`mask`].
    pub granules: u64,
}

/// Marks for all of RAM, and the queue of granules to drop.
#[derive(Default)]
pub struct CodeMap {
    /// For each page of RAM, bit `n` for the granule at offset `64 * n`.
    marks: Vec<u64>,
    queue: Vec<Stale>,
    /// The page and the highest granule of the last write that met a mark.
    last_hit: (usize, u32),
}

/// The granules that the bytes `[first, last]` of one page touch: bit `n` for the one at offset `64 * n`.
pub const fn mask(first: u32, last: u32) -> u64 {
    let (low, high) = (first >> GRANULE_SHIFT, last >> GRANULE_SHIFT);
    (u64::MAX << low) & (u64::MAX >> (63 - high))
}

impl CodeMap {
    /// A map for `pages` pages, nothing marked.
    pub fn new(pages: usize) -> Self {
        Self { marks: vec![0; pages], queue: Vec::new(), last_hit: (usize::MAX, 0) }
    }
    /// Whether any granule of the page is marked.
    #[inline]
    pub fn page_has_code(&self, page: usize) -> bool {
        self.marks.get(page).is_some_and(|&marks| marks != 0)
    }
    /// Whether any granule that the bytes `[first, last]` (offsets in the page) touch is marked.
    #[inline]
    pub fn has_code(&self, page: usize, first: u32, last: u32) -> bool {
        self.marks.get(page).is_some_and(|marks| marks & mask(first, last) != 0)
    }
    /// Marks the granules that the bytes `[first, last]` of the page touch. Whether these are the page's first.
    pub fn mark(&mut self, page: usize, first: u32, last: u32) -> bool {
        let Some(marks) = self.marks.get_mut(page) else { return false };
        let was_clean = *marks == 0;
        *marks |= mask(first, last);
        was_clean
    }
    /// The bytes `[first, last]` of the page are being written: clears their marks and queues their granules. Two
    /// writes to granules that follow each other look like a page that is filled with something else: then all of
    /// the page is queued, so that the rest of the filling meets no marks.
    #[inline]
    pub fn written(&mut self, page: usize, first: u32, last: u32) {
        let Some(marks) = self.marks.get_mut(page) else { return };
        let hit = *marks & mask(first, last);
        if hit == 0 {
            return;
        }
        let follows = self.last_hit == (page, (first >> GRANULE_SHIFT).wrapping_sub(1));
        let granules = if follows { *marks } else { hit };
        *marks &= !granules;
        self.last_hit = (page, last >> GRANULE_SHIFT);
        self.queue.push(Stale { page, granules });
    }
    /// Whether there is decoded code that must be dropped.
    pub fn is_stale(&self) -> bool {
        !self.queue.is_empty()
    }
    /// Takes something off the queue.
    pub fn pop(&mut self) -> Option<Stale> {
        self.queue.pop()
    }
    /// Forgets all marks and the queue: there is no decoded code any more.
    pub fn clear(&mut self) {
        self.marks.fill(0);
        self.queue.clear();
    }
    /// The page that holds offset `bytes` of RAM, and the offset in it.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // masked to twelve bits
    pub fn locate(bytes: usize) -> (usize, u32) {
        (bytes >> PAGE_SHIFT, (bytes & ((1 << PAGE_SHIFT) - 1)) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_to_a_marked_granule_clears_and_queues_it() {
        let mut map = CodeMap::new(2);
        assert!(map.mark(1, 60, 64));
        assert!(!map.mark(1, 128, 129));
        assert!(map.page_has_code(1) && !map.page_has_code(0));
        assert!(map.has_code(1, 0, 0) && map.has_code(1, 127, 127) && !map.has_code(1, 192, 4095));
        map.written(1, 8, 15);
        assert_eq!(map.pop(), Some(Stale { page: 1, granules: 1 }));
        assert_eq!(map.pop(), None);
        assert!(!map.has_code(1, 0, 63) && map.has_code(1, 64, 64));
        map.written(1, 0, 4095);
        assert_eq!(map.pop(), Some(Stale { page: 1, granules: 0b110 }));
        assert!(!map.page_has_code(1));
    }

    #[test]
    fn a_page_that_is_filled_is_dropped_as_a_whole() {
        let mut map = CodeMap::new(1);
        map.mark(0, 0, 4095);
        map.written(0, 64, 71);
        assert!(map.has_code(0, 128, 4095), "one write drops no more than it touches");
        map.written(0, 256, 263);
        assert!(map.has_code(0, 320, 4095));
        map.written(0, 320, 327);
        assert!(!map.page_has_code(0));
    }
}
