//! The guest OS as the host sees it: the ELF images that build.rs has built for riscv64.
//!
//! On riscv64 this library is empty; the package's binary is the kernel.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(not(target_arch = "riscv64"))]
include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
