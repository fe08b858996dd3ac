//! Which bytes of RAM have been decoded: one bit for each 64-byte granule, one word for each page.
//!
//! A set bit means that decoded code *may* lie in the granule. Whoever writes RAM asks here; a write to a marked
//! granule clears the mark and queues the granule, and the code cache drops the blocks of every queued granule
//! before it runs another one. A page with any mark never enters a fast store array.

/// log2 of a granule's size in bytes; 64 granules to a page make its marks one word.
const GRANULE_SHIFT: u32 = 6;
const PAGE_SHIFT: u32 = isa::PAGE_SHIFT;

/// A granule whose decoded code must be dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Granule {
    /// The page's number, counted from the first byte of RAM.
    pub page: usize,
    /// Offset of the granule's first byte in its page.
    pub offset_bytes: u32,
}

impl Granule {
    /// A granule's size.
    pub const BYTES: u32 = 1 << GRANULE_SHIFT;
}

/// Marks for all of RAM, and the queue of granules to drop.
#[derive(Default)]
pub struct CodeMap {
    /// For each page of RAM, bit `n` for the granule at offset `64 * n`.
    marks: Vec<u64>,
    queue: Vec<Granule>,
}

/// The marks of the bytes `[first, last]` of one page.
fn mask(first: u32, last: u32) -> u64 {
    let (low, high) = (first >> GRANULE_SHIFT, last >> GRANULE_SHIFT);
    (u64::MAX << low) & (u64::MAX >> (63 - high))
}

impl CodeMap {
    /// A map for `pages` pages, nothing marked.
    pub fn new(pages: usize) -> Self {
        Self { marks: vec![0; pages], queue: Vec::new() }
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
    /// The bytes `[first, last]` of the page are being written: clears their marks and queues them.
    #[inline]
    pub fn written(&mut self, page: usize, first: u32, last: u32) {
        let Some(marks) = self.marks.get_mut(page) else { return };
        let mut hit = *marks & mask(first, last);
        if hit == 0 {
            return;
        }
        *marks &= !hit;
        while hit != 0 {
            self.queue.push(Granule { page, offset_bytes: hit.trailing_zeros() << GRANULE_SHIFT });
            hit &= hit - 1;
        }
    }
    /// Takes a granule off the queue.
    pub fn pop(&mut self) -> Option<Granule> {
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
        assert_eq!(map.pop(), Some(Granule { page: 1, offset_bytes: 0 }));
        assert_eq!(map.pop(), None);
        assert!(!map.has_code(1, 0, 63) && map.has_code(1, 64, 64));
        map.written(1, 0, 4095);
        assert_eq!(map.pop().zip(map.pop()).map(|(a, b)| a.offset_bytes + b.offset_bytes), Some(64 + 128));
        assert!(!map.page_has_code(1));
    }
}
