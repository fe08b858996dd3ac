//! The devices: interrupt controller, block device, host device, test finisher, SBI console.
pub mod finisher;
pub mod host;
pub mod mmio;
pub mod plic;
pub mod virtio;
