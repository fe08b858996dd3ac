//! Folio's guest kernel: S-mode, Sv39, one hart, real Linux riscv64 programs under pure demand paging.
//!
//! The logic lives in the crates `mm`, `fs` and `proc`, which are tested on the host; this binary is the glue: it boots, owns the
//! hardware, switches between processes, does the waiting and speaks the Linux system calls. See `docs/architecture.md`.
#![no_std]
#![no_main]

extern crate alloc;

mod arch;
mod block;
mod clock;
mod config;
mod console;
mod drivers;
mod events;
mod exec;
mod exit;
mod fault;
mod file_memory;
mod hart;
mod heap;
mod inject;
mod interrupts;
mod kmain;
mod local;
mod logger;
mod mem;
mod pages;
mod proc_facts;
mod process;
mod sbi;
mod shutdown;
mod signal;
mod stack;
mod syscall;
mod thread;
mod trampoline;
mod user;
mod vfs;
mod wait;
