//! Guest RAM: bytes at [`isa::platform::RAM_BASE`], addressed by [`PhysAddr`], sparse where untouched.
//!
//! The host's pages come lazily, and the pages ever written are known, so that hashing or saving a machine costs
//! what its guest has used. Inside the core an address in RAM is a *RAM offset*: bytes from `RAM_BASE`, as a
//! `usize` that has been checked to lie in RAM.

use super::code_map::CodeMap;
use isa::platform::RAM_BASE;
use isa::{PAGE_SHIFT, PhysAddr};

const PAGE_BYTES: usize = 1 << PAGE_SHIFT;
/// Offset of a page's last byte.
const LAST_BYTE: u32 = (1 << PAGE_SHIFT) - 1;

/// The machine's RAM, with the map of the code decoded from it.
pub struct Ram {
    bytes: Vec<u8>,
    /// One bit for each page that has ever been written. A page outside it is all zeros.
    touched: Vec<u64>,
    /// Decoded code: never saved, rebuilt as it runs.
    code: CodeMap,
}

impl Ram {
    /// RAM of `len_bytes` (rounded up to whole pages), all zero.
    pub fn new(len_bytes: usize) -> Self {
        let pages = len_bytes.div_ceil(PAGE_BYTES);
        Self {
            bytes: vec![0; pages * PAGE_BYTES],
            touched: vec![0; pages.div_ceil(64)],
            code: CodeMap::new(pages),
        }
    }
    /// Size in bytes.
    pub fn len_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }
    /// The RAM offset of `pa`, if all of `[pa, pa + len)` is RAM.
    #[inline]
    pub fn offset_of(&self, pa: PhysAddr, len: usize) -> Option<usize> {
        let start = usize::try_from(pa.0.checked_sub(RAM_BASE.0)?).ok()?;
        (start.checked_add(len)? <= self.bytes.len()).then_some(start)
    }
    /// The bytes `[pa, pa + len)`, or `None` if any of them is not RAM.
    pub fn slice(&self, pa: PhysAddr, len: usize) -> Option<&[u8]> {
        let start = self.offset_of(pa, len)?;
        self.bytes.get(start..start + len)
    }
    /// Writes `data` at `pa` as a device or the loader does (decoded code there is dropped). `false`, and nothing
    /// is written, if any byte is not RAM.
    #[must_use]
    pub fn write(&mut self, pa: PhysAddr, data: &[u8]) -> bool {
        let Some(start) = self.offset_of(pa, data.len()) else { return false };
        let mut done = 0;
        while done < data.len() {
            let (page, first) = CodeMap::locate(start + done);
            let len = (data.len() - done).min(PAGE_BYTES - first as usize);
            self.touch(page);
            let (_, last) = CodeMap::locate(start + done + len - 1);
            self.code.written(page, first, last);
            done += len;
        }
        self.bytes[start..start + data.len()].copy_from_slice(data);
        true
    }
    /// The eight bytes at `pa` (a multiple of eight), if they are RAM: how the walker reads an entry.
    #[inline]
    pub fn read_u64(&self, pa: PhysAddr) -> Option<u64> {
        self.offset_of(pa, 8).map(|offset| self.load(offset, 8))
    }

    /// The little-endian value of `width_bytes` (1, 2, 4 or 8) at a RAM offset.
    #[inline]
    pub(crate) fn load(&self, offset: usize, width_bytes: u8) -> u64 {
        let tail = &self.bytes[offset..];
        match width_bytes {
            1 => u64::from(tail[0]),
            2 => tail.first_chunk().map_or(0, |&b| u64::from(u16::from_le_bytes(b))),
            4 => tail.first_chunk().map_or(0, |&b| u64::from(u32::from_le_bytes(b))),
            _ => tail.first_chunk().map_or(0, |&b| u64::from_le_bytes(b)),
        }
    }
    /// Stores the low `width_bytes` of `value` at a RAM offset whose page is touched and holds no decoded code
    /// there. (What the fast store arrays promise.)
    #[inline]
    pub(crate) fn store(&mut self, offset: usize, width_bytes: u8, value: u64) {
        let tail = &mut self.bytes[offset..];
        let data = value.to_le_bytes();
        match width_bytes {
            1 => tail[0] = data[0],
            2 => tail[..2].copy_from_slice(&data[..2]),
            4 => tail[..4].copy_from_slice(&data[..4]),
            _ => tail[..8].copy_from_slice(&data),
        }
    }
    /// As [`Ram::store`], for any offset: the page becomes touched and decoded code there is dropped.
    pub(crate) fn store_any(&mut self, offset: usize, width_bytes: u8, value: u64) {
        let (page, first) = CodeMap::locate(offset);
        let (last_page, last) = CodeMap::locate(offset + usize::from(width_bytes) - 1);
        self.touch(page);
        if last_page == page {
            self.code.written(page, first, last);
        } else {
            self.touch(last_page);
            self.code.written(page, first, LAST_BYTE);
            self.code.written(last_page, 0, last);
        }
        self.store(offset, width_bytes, value);
    }
    /// The bytes of a page, counted from the first of RAM; it must exist.
    pub(crate) fn page_bytes(&self, page: usize) -> &[u8] {
        &self.bytes[page * PAGE_BYTES..][..PAGE_BYTES]
    }
    /// Notes that the page (counted from the first of RAM) is about to be written.
    pub(crate) fn touch(&mut self, page: usize) {
        if let Some(word) = self.touched.get_mut(page / 64) {
            *word |= 1 << (page % 64);
        }
    }
    /// The pages ever written, with their content, in order of address. Only these can differ from zero.
    pub fn touched_pages(&self) -> impl Iterator<Item = (PhysAddr, &[u8])> {
        (0..self.bytes.len() / PAGE_BYTES).filter(|page| self.touched[page / 64] >> (page % 64) & 1 != 0).map(
            |page| {
                let start = page * PAGE_BYTES;
                (PhysAddr(RAM_BASE.0 + start as u64), &self.bytes[start..start + PAGE_BYTES])
            },
        )
    }
    /// The map of decoded code.
    pub(crate) fn code(&self) -> &CodeMap {
        &self.code
    }
    /// The map of decoded code, to mark it or to take what must be dropped.
    pub(crate) fn code_mut(&mut self) -> &mut CodeMap {
        &mut self.code
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isa::PAGE_SIZE;

    #[test]
    fn writes_are_seen_and_their_pages_touched() {
        let mut ram = Ram::new(3 * PAGE_BYTES);
        let pa = PhysAddr(RAM_BASE.0 + PAGE_SIZE - 2);
        assert!(ram.write(pa, &[1, 2, 3, 4]));
        assert_eq!(ram.slice(pa, 4), Some(&[1, 2, 3, 4][..]));
        assert_eq!(ram.load(PAGE_BYTES - 2, 4), 0x0403_0201);
        let touched: Vec<u64> = ram.touched_pages().map(|(pa, _)| pa.0 - RAM_BASE.0).collect();
        assert_eq!(touched, [0, PAGE_SIZE]);
    }

    #[test]
    fn what_is_not_ram_is_neither_read_nor_written() {
        let mut ram = Ram::new(PAGE_BYTES);
        for pa in [RAM_BASE.0 - 1, RAM_BASE.0 + PAGE_SIZE - 1, u64::MAX, 0] {
            assert_eq!(ram.slice(PhysAddr(pa), 2), None, "{pa:#x}");
            assert!(!ram.write(PhysAddr(pa), &[7, 7]), "{pa:#x}");
        }
        assert_eq!(ram.touched_pages().count(), 0);
    }
}
