//! An anonymous mapping that a program owns, touched byte by byte, so that each access is one the lesson meant.
//!
//! Unsafe: volatile loads and stores at checked offsets in a mapping that [`Pages`] owns, and a view of it as words.
#![allow(unsafe_code)]

use core::sync::atomic::AtomicU64;

use crate::abi::general::{
    __NR_mmap, __NR_munmap, MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED, O_RDONLY, PROT_READ, PROT_WRITE, SEEK_SET,
};
use crate::{Result, os, syscall};

/// Bytes in a page.
pub const PAGE_SIZE: usize = 4096;

/// Words in a page.
pub const PAGE_WORDS: usize = PAGE_SIZE / size_of::<u64>();

/// Anonymous memory, private or shared with children: promised by mmap(2), made real page by page as it is touched.
pub struct Pages {
    /// Invariant: start of a readable and writable mapping of `len_pages` pages that nothing else in this process uses.
    start: *mut u8,
    len_pages: usize,
}

impl Pages {
    /// Asks for `len_pages` pages of its own.
    pub fn map(len_pages: usize) -> Result<Self> {
        Self::map_as(MAP_PRIVATE, len_pages)
    }

    /// Asks for `len_pages` pages that children will have in common with this process.
    pub fn map_shared(len_pages: usize) -> Result<Self> {
        Self::map_as(MAP_SHARED, len_pages)
    }

    fn map_as(sharing: u32, len_pages: usize) -> Result<Self> {
        let prot = (PROT_READ | PROT_WRITE) as usize;
        let flags = (sharing | MAP_ANONYMOUS) as usize;
        // SAFETY: without MAP_FIXED the kernel chooses a range that is free.
        let start =
            unsafe { syscall::call(__NR_mmap, [0, len_pages * PAGE_SIZE, prot, flags, usize::MAX, 0]) }?;
        Ok(Self { start: start as *mut u8, len_pages })
    }

    /// Number of pages.
    pub fn len_pages(&self) -> usize {
        self.len_pages
    }

    /// Address of the first byte.
    pub fn address(&self) -> usize {
        self.start as usize
    }

    fn byte(&self, page: usize, offset: usize) -> *mut u8 {
        assert!(page < self.len_pages && offset < PAGE_SIZE, "page {page}+{offset} of {}", self.len_pages);
        self.start.wrapping_add(page * PAGE_SIZE + offset)
    }

    /// Loads one byte.
    pub fn read(&self, page: usize, offset: usize) -> u8 {
        // SAFETY: `byte` has checked that the address lies in the mapping.
        unsafe { self.byte(page, offset).read_volatile() }
    }

    /// Stores one byte.
    pub fn write(&mut self, page: usize, offset: usize, value: u8) {
        // SAFETY: `byte` has checked that the address lies in the mapping, which is ours alone.
        unsafe { self.byte(page, offset).write_volatile(value) }
    }

    /// All of it as words. Atomic, as another process may store to shared ones; relaxed accesses are plain loads and stores.
    pub fn words(&self) -> &[AtomicU64] {
        let words = self.start.cast::<AtomicU64>();
        // SAFETY: a mapping begins at a page, is this long (invariant of the field) and lives as long as `self`; any bytes are words.
        unsafe { core::slice::from_raw_parts(words, self.len_pages * PAGE_WORDS) }
    }

    /// The words of one page.
    pub fn page(&self, page: usize) -> &[AtomicU64] {
        &self.words()[page * PAGE_WORDS..][..PAGE_WORDS]
    }

    /// Whether each of the first pages is mapped, as /proc/self/pagemap has it. What lies beyond the mapping stays as it was.
    pub fn mapped<const N: usize>(&self, told: &mut [bool; N]) -> Result<()> {
        /// In the last byte of an entry.
        const PRESENT: u8 = 0x80;
        let mut entries = [[0u8; 8]; N];
        let file = os::open(c"/proc/self/pagemap", O_RDONLY, 0)?;
        os::lseek(file, (self.address() as u64 / PAGE_SIZE as u64 * 8).cast_signed(), SEEK_SET)?;
        os::read(file, entries.as_flattened_mut())?;
        os::close(file)?;
        let of_pages = told.iter_mut().zip(entries).take(self.len_pages);
        of_pages.for_each(|(told, entry)| *told = entry[7] & PRESENT != 0);
        Ok(())
    }

    /// Whether every byte of the page is zero. Reads all of it.
    pub fn is_zero(&self, page: usize) -> bool {
        (0..PAGE_SIZE).all(|offset| self.read(page, offset) == 0)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours and nothing refers to it any more. It cannot fail on a range that we mapped.
        let _ = unsafe { syscall::call(__NR_munmap, [self.start as usize, self.len_pages * PAGE_SIZE]) };
    }
}
