//! Virtio 1.2 over MMIO: the register transport, the split virtqueue's device side, and the block device.
//!
//! Whatever lies in guest memory is checked when it is read: garbage gives `DEVICE_NEEDS_RESET` or an I/O
//! error, never a panic, and no loop is longer than the queue.

pub mod block;
pub mod disk;
pub mod mmio;
pub mod queue;
