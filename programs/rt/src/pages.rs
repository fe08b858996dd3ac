//! An anonymous mapping that a program owns, touched byte by byte, so that each access is one the lesson meant.
//!
//! Unsafe: volatile loads and stores at checked offsets in a mapping that [`Pages`] owns.
#![allow(unsafe_code)]

use crate::abi::general::{__NR_mmap, __NR_munmap, MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE};
use crate::{Result, syscall};

/// Bytes in a page.
pub const PAGE_SIZE: usize = 4096;

/// Private anonymous memory: promised by mmap(2), made real page by page as it is touched.
pub struct Pages {
    /// Invariant: start of a readable and writable mapping of `len_pages` pages that nothing else uses.
    start: *mut u8,
    len_pages: usize,
}

impl Pages {
    /// Asks for `len_pages` pages.
    pub fn map(len_pages: usize) -> Result<Self> {
        let prot = (PROT_READ | PROT_WRITE) as usize;
        let flags = (MAP_PRIVATE | MAP_ANONYMOUS) as usize;
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
