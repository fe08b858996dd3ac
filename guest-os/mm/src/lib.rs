//! Memory management of the guest OS: frames, VMAs, address spaces, `fault::decide`, the page cache.
#![no_std]
#![forbid(unsafe_code)]
