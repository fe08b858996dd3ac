//! Virtio 1.2 over MMIO: the register transports (version 2, and legacy version 1), the split virtqueue's device side, and the
//! devices, one file each, listed in [`device::Device`].
//!
//! Whatever lies in guest memory is checked when it is read: garbage gives `DEVICE_NEEDS_RESET` or an I/O
//! error, never a panic, and no loop is longer than the queue.

#[cfg(test)]
mod bench;
pub mod block;
pub mod console;
pub mod device;
pub mod disk;
pub mod disk_fault;
mod legacy;
pub mod mmio;
pub mod net;
pub mod queue;
pub mod rng;
pub mod slots;
pub mod user_net;

#[cfg(test)]
mod tests;
