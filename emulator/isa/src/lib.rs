//! The hardware manual as code: every fact of the RISC-V architecture and of Folio's platform that the
//! emulator, the guest OS and the tests share is written once, here.
//!
//! The crate is `no_std`, has no `unsafe` and no heavy dependency, and imports nothing of Folio's.
#![no_std]
#![forbid(unsafe_code)]
// Encodings are written in groups of the manual's fields.
#![allow(clippy::unusual_byte_groupings)]

#[macro_use]
mod table;

pub mod addr;
pub mod asm;
pub mod binds;
pub mod csr;
pub mod decode;
mod decode_c;
pub mod disasm;
pub mod effect;
pub mod encode;
pub mod events;
pub mod ext;
pub mod frame_table;
pub mod gate;
pub mod hostdev;
pub mod insn;
pub mod paging;
pub mod platform;
pub mod policies;
mod pseudo;
pub mod reg;
pub mod sbi;
pub mod time;
pub mod trap;

pub use addr::{PAGE_SHIFT, PAGE_SIZE, PhysAddr, Ppn, VirtAddr, Vpn};
pub use asm::assemble;
pub use decode::{decode, insn_len};
pub use disasm::disasm;
pub use effect::{Effect, EndsBlock};
pub use encode::encode;
pub use ext::{Extension, IsaSet};
pub use insn::{Format, Insn, Op, Operand};
pub use time::Step;
pub use trap::{Exception, Interrupt, Privilege, Trap};
