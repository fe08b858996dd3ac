//! Puts programs into RAM: ELF files (by goblin), raw images, the initial RAM disk and the device tree, and
//! works out where each hart starts.

pub mod boot;
pub mod dtb;
pub mod elf;
pub mod fdt;
mod linux;

pub use boot::{Boot, BootInfo, Firmware, Image, LoadError};
pub use fdt::Chosen;
