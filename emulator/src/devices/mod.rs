//! The devices of Folio's board, each a plain, serialisable register file with its rules.
//!
//! A device sees offsets, never its base address, and takes RAM and host handles as arguments. [`crate::machine::bus::Bus`]
//! knows where each lies and wires its line to the PLIC.

pub mod clint;
pub mod finisher;
pub mod host;
pub mod htif;
pub mod input;
pub mod plic;
pub mod rtc;
pub mod uart;
pub mod virtio;
