//! Linux's interface on riscv64, as facts: the table of system calls with their arguments, the flags, errors and signals.
//!
//! [`each_call!`] is the table. The kernel makes its dispatch of it, `folio run --strace` its lines, `vmtests` its hostile
//! arguments, and `docs/syscalls.md` is written from it. A call's number stands there and nowhere else, and so does what
//! Folio does with each bit of its flags: [`refused_bits`] is what the kernel looks at before it serves a call. (The programs in
//! `programs/` are Linux programs: they take the numbers from Linux's headers, and so would find out a wrong one.)
#![no_std]
#![forbid(unsafe_code)]
#[cfg(test)]
extern crate std;

mod call;
mod capability;
mod errno;
mod flags;
mod layout;
pub mod sets;
mod signal;
pub mod swap;
mod table;
mod variants;

pub use call::{Argument, Call, Kind, Memory, Returns, refused_bits};
pub use capability::CapSet;
pub use errno::Errno;
pub use flags::{Effect, Flag, FlagSet, Others};
pub use layout::Layout;
pub use signal::signal_name;
pub use table::{CALLS, call, call_name, number};
pub use variants::{VARIANTS, Variant, variant};

/// How the reason begins, in words, for which a dynamic program is not executed because of its loader: the kernel says so, and the host knows
/// what there is to try.
pub const ITS_LOADER: &str = "its loader";
