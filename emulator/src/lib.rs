//! Folio's machine: RVA22 harts with paging and a modelled TLB, devices at the addresses of QEMU's
//! `virt` board, a built-in SBI and deterministic time.
//!
//! The library is the portable core: it uses no file system, clock, thread or host handle, and builds for
//! wasm32. What the host gives it comes through small traits. The `folio` command is behind the feature `cli`.
#![deny(unsafe_code)]

pub mod debug;
pub mod devices;
pub mod exec;
#[cfg(feature = "gdb")]
pub mod gdb;
pub mod hart;
pub mod host;
#[cfg(feature = "cli")]
pub mod image;
pub mod loader;
pub mod machine;
pub mod mem;
pub mod platform;
mod random;
pub mod sbi;
pub mod semantics;
pub mod softfloat;
pub mod source;
#[cfg(test)]
mod test_support;
pub mod trace;
