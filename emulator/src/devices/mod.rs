//! The devices of Folio's board, each a plain, serialisable register file with its rules.
//!
//! A device sees offsets, never its base address, and takes RAM and host handles as arguments. [`board`] is the one table
//! that knows where each lies; [`crate::machine::bus::Bus`] wires their lines to the PLIC.

pub mod board;
pub mod changed;
pub mod clint;
pub mod device;
pub mod finisher;
pub mod host;
pub mod htif;
pub mod input;
pub mod plic;
pub mod rtc;
pub mod uart;
pub mod virtio;
