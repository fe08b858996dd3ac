//! Folio's board: where RAM and devices are, and which interrupt line each has.
//!
//! The map is that of QEMU's `virt` board, so that the same kernel boots there; only the host device
//! ([`HOST`]) is Folio's own, at an address that `virt` leaves empty.

use crate::PhysAddr;

/// A device's window on the bus.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Region {
    /// First byte.
    pub base: PhysAddr,
    /// Length in bytes.
    pub len_bytes: u64,
}

impl Region {
    /// Whether `pa` lies in the window.
    pub const fn contains(&self, pa: PhysAddr) -> bool {
        pa.0 >= self.base.0 && pa.0 - self.base.0 < self.len_bytes
    }
}

const fn region(base: u64, len_bytes: u64) -> Region {
    Region { base: PhysAddr(base), len_bytes }
}

/// First byte of RAM.
pub const RAM_BASE: PhysAddr = PhysAddr(0x8000_0000);
/// Where a kernel is loaded when firmware (or the built-in SBI) starts it.
pub const KERNEL_BASE: PhysAddr = PhysAddr(0x8020_0000);

/// SiFive test finisher: power off, fail, reset.
pub const FINISHER: Region = region(0x10_0000, 0x1000);
/// Goldfish real-time clock.
pub const RTC: Region = region(0x10_1000, 0x1000);
/// Core-local interruptor (`msip`, `mtimecmp`, `mtime`).
pub const CLINT: Region = region(0x200_0000, 0x1_0000);
/// Platform-level interrupt controller.
pub const PLIC: Region = region(0xc00_0000, 0x60_0000);
/// 16550A UART.
pub const UART: Region = region(0x1000_0000, 0x100);
/// The first virtio-mmio slot; slot `n` is [`VIRTIO_STRIDE`]` * n` further on.
pub const VIRTIO: Region = region(0x1000_1000, 0x1000);
/// Distance between two virtio-mmio slots, in bytes.
pub const VIRTIO_STRIDE: u64 = 0x1000;
/// Number of virtio-mmio slots.
pub const VIRTIO_SLOTS: usize = 8;
/// All virtio-mmio slots together.
pub const VIRTIO_WINDOW: Region = region(VIRTIO.base.0, VIRTIO_SLOTS as u64 * VIRTIO_STRIDE);
/// Folio's host device (`folio,host`): see [`crate::hostdev`].
pub const HOST: Region = region(0x1020_0000, 0x1000);

/// PLIC source of virtio slot 0; slot `n` has `VIRTIO_IRQ + n`.
pub const VIRTIO_IRQ: u32 = 1;
/// PLIC source of the UART.
pub const UART_IRQ: u32 = 10;
/// PLIC source of the RTC.
pub const RTC_IRQ: u32 = 11;
/// PLIC source of the host device.
pub const HOST_IRQ: u32 = 12;
/// Number of PLIC sources, source 0 (which does not exist) included.
pub const PLIC_SOURCES: u32 = 96;

/// The window of virtio-mmio slot `slot` (0-based).
pub const fn virtio_slot(slot: usize) -> Region {
    region(VIRTIO.base.0 + slot as u64 * VIRTIO_STRIDE, VIRTIO.len_bytes)
}

/// Seconds since 1970 at step 0: 2024-01-01 00:00:00 UTC. Fixed, so that runs are deterministic.
pub const RTC_EPOCH_SECONDS: u64 = 1_704_067_200;
