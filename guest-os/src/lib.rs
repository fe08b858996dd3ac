//! The guest OS as the host sees it: the ELF images that build.rs has built for riscv64.
#![no_std]
