//! Folio's guest kernel: S-mode, Sv39, one hart, real Linux riscv64 programs under pure demand paging.
//!
//! The logic lives in the crates `mm`, `fs` and `proc`, which are tested on the host; this binary is the glue: it boots, owns the
//! hardware, switches between processes, does the waiting and speaks the Linux system calls. See `docs/architecture.md`.
#![no_std]
#![no_main]

extern crate alloc;

mod arch;
mod config;
mod devices;
mod events;
mod files;
mod hart;
mod kmain;
mod local;
mod logger;
mod memory;
mod processes;
mod sbi;
mod settings;
mod shutdown;
mod syscall;
