//! The MMIO transport (virtio 1.2, chapter 4.2): version 2, and what it shares with the legacy version 1 of
//! [`super::legacy`].
//!
//! Registers below 0x100 are 32 bits wide; the configuration space may be read by any aligned width and is not
//! writable. Other widths and unknown registers read 0 and ignore stores, as on QEMU. A slot without a device has
//! device id 0.

use super::device::{Device, Host, Rings};
use super::queue::{MAX_QUEUE_SIZE, Queue, QueueBroken};
use crate::mem::ram::Ram;
use isa::Step;
use serde::{Deserialize, Serialize};

const MAGIC: u32 = u32::from_le_bytes(*b"virt");
const VERSION: u32 = 2;
const LEGACY_VERSION: u32 = 1;
/// QEMU's: xv6 takes no other for its disk's.
const VENDOR: u32 = u32::from_le_bytes(*b"QEMU");
const F_VERSION_1: u64 = 1 << 32;
const CONFIG: u64 = 0x100;

const STATUS_FEATURES_OK: u32 = 8;
const STATUS_DRIVER_OK: u32 = 4;
const STATUS_NEEDS_RESET: u32 = 64;
const INTERRUPT_USED: u32 = 1;
const INTERRUPT_CONFIG: u32 = 2;

/// A virtio-mmio slot with a device in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VirtioMmio {
    pub(super) legacy: bool,
    device: Device,
    pub(super) queues: Vec<Queue>,
    status: u32,
    interrupt: u32,
    device_features_select: u32,
    driver_features_select: u32,
    driver_features: u64,
    pub(super) queue_select: u32,
    /// The driver's page size, in which the legacy transport counts.
    pub(super) guest_page_bytes: u32,
}

/// Where a slot ends; what is left of its page is nobody's.
pub const END: u64 = 0x200;

/// A load from a slot without a device: a driver finds device id 0 and goes away.
pub fn read_empty(offset: u64, legacy: bool) -> u64 {
    u64::from(match offset {
        0x00 => MAGIC,
        0x04 => version(legacy),
        0x0c => VENDOR,
        _ => 0,
    })
}

fn version(legacy: bool) -> u32 {
    if legacy { LEGACY_VERSION } else { VERSION }
}

impl VirtioMmio {
    /// A slot with `device`, after reset.
    pub fn new(device: Device, legacy: bool) -> Self {
        Self {
            legacy,
            queues: vec![Queue::default(); device.get().queues()],
            device,
            status: 0,
            interrupt: 0,
            device_features_select: 0,
            driver_features_select: 0,
            driver_features: 0,
            queue_select: 0,
            guest_page_bytes: 0,
        }
    }

    /// The device behind the transport.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Whether the interrupt line is high.
    pub fn line(&self) -> bool {
        self.interrupt != 0
    }

    /// When the device next acts by itself.
    pub fn next_deadline(&self) -> Step {
        self.device.get().next_deadline()
    }

    /// Whether the guest waits for the host's input here.
    pub fn wants_input(&self) -> bool {
        self.device.get().wants_input()
    }

    /// When the host should be asked for input.
    pub fn next_poll(&self) -> Step {
        if self.wants_input() { self.device.get().next_poll() } else { Step::NEVER }
    }

    /// Lets the device do what is due.
    pub fn advance(&mut self, ram: &mut Ram, host: &mut Host<'_>, now: Step) {
        self.with_rings(ram, |device, rings| device.get_mut().advance(rings, host, now));
    }

    /// Asks the host for input. Whether any came.
    pub fn poll_input(&mut self, ram: &mut Ram, host: &mut Host<'_>, now: Step) -> bool {
        self.with_rings(ram, |device, rings| device.get_mut().poll_input(rings, host, now)).unwrap_or(false)
    }

    /// A load at `offset`.
    pub fn read(&self, offset: u64, width_bytes: u8) -> u64 {
        if offset >= CONFIG {
            return self.read_config(offset - CONFIG, width_bytes);
        }
        if width_bytes != 4 {
            return 0;
        }
        u64::from(match offset {
            0x00 => MAGIC,
            0x04 => version(self.legacy),
            0x08 => self.device.get().id(),
            0x0c => VENDOR,
            0x10 => half(self.offered(), self.device_features_select),
            0x34 => self.selected().map_or(0, |_| u32::from(MAX_QUEUE_SIZE)),
            0x60 => self.interrupt,
            0x70 => self.status,
            _ if self.legacy => self.read_legacy(offset),
            0x44 => self.selected().map_or(0, |queue| u32::from(queue.ready)),
            // Shared memory regions: none (length -1).
            0xb0..=0xbc => u32::MAX,
            // Write-only registers, the generation of a configuration that never changes, and what is none.
            _ => 0,
        })
    }

    /// A store at `offset`.
    pub fn write(
        &mut self,
        ram: &mut Ram,
        host: &mut Host<'_>,
        offset: u64,
        width_bytes: u8,
        value: u64,
        now: Step,
    ) {
        // A legacy driver may write its configuration; nothing here takes it up.
        if width_bytes != 4 || offset >= CONFIG {
            return;
        }
        #[allow(clippy::cast_possible_truncation)] // the registers have 32 bits
        let value = value as u32;
        match offset {
            0x14 => self.device_features_select = value,
            0x20 => set_half(&mut self.driver_features, self.driver_features_select, value),
            0x24 => self.driver_features_select = value,
            0x30 => self.queue_select = value,
            0x50 => self.notify(ram, host, value, now),
            0x64 => self.interrupt &= !value,
            0x70 => self.set_status(value),
            _ if self.legacy => self.write_legacy(offset, value),
            0x38 | 0x44 | 0x80..=0xa4 => {
                if let Some(queue) = self.selected_mut() {
                    set_queue(queue, offset, value);
                }
            }
            // Read-only registers, and what is none.
            _ => {}
        }
    }

    /// The queue that the driver has selected.
    pub(super) fn selected(&self) -> Option<&Queue> {
        self.queues.get(usize::try_from(self.queue_select).ok()?)
    }

    /// As [`VirtioMmio::selected`], to change it.
    pub(super) fn selected_mut(&mut self) -> Option<&mut Queue> {
        self.queues.get_mut(usize::try_from(self.queue_select).ok()?)
    }

    fn offered(&self) -> u64 {
        self.device.get().features() | if self.legacy { 0 } else { F_VERSION_1 }
    }

    fn set_status(&mut self, value: u32) {
        if value == 0 {
            self.device.get_mut().reset();
            self.queues.fill(Queue::default());
            (self.status, self.interrupt, self.queue_select) = (0, 0, 0);
            (self.device_features_select, self.driver_features_select, self.driver_features) = (0, 0, 0);
            return;
        }
        let mut status = value & !STATUS_NEEDS_RESET | self.status & STATUS_NEEDS_RESET;
        // Features that were not offered: FEATURES_OK does not stick. A driver that leaves VERSION_1 out, as xv6's does, is
        // served all the same, as on QEMU.
        if self.driver_features & !self.offered() != 0 {
            status &= !STATUS_FEATURES_OK;
        }
        self.status = status;
    }

    fn notify(&mut self, ram: &mut Ram, host: &mut Host<'_>, queue: u32, now: Step) {
        let Ok(queue) = usize::try_from(queue) else { return };
        if queue >= self.queues.len() || !self.is_live() {
            return;
        }
        self.with_rings(ram, |device, rings| {
            device.get_mut().notify(queue, rings, host, now)?;
            device.get_mut().advance(rings, host, now)
        });
    }

    fn is_live(&self) -> bool {
        self.status & STATUS_DRIVER_OK != 0 && self.status & STATUS_NEEDS_RESET == 0
    }

    /// Lets the device work on its queues; if it finds their rules broken, it needs a reset.
    fn with_rings<T>(
        &mut self,
        ram: &mut Ram,
        work: impl FnOnce(&mut Device, &mut Rings<'_>) -> Result<T, QueueBroken>,
    ) -> Option<T> {
        let (live, legacy) = (self.is_live(), self.legacy);
        let mut interrupt = false;
        let mut rings = Rings { queues: &mut self.queues, ram, interrupt: &mut interrupt, live, legacy };
        let result = work(&mut self.device, &mut rings);
        if interrupt {
            self.interrupt |= INTERRUPT_USED;
        }
        if result.is_err() {
            self.fail();
        }
        result.ok()
    }

    fn fail(&mut self) {
        log::warn!(target: "virtio", "the driver broke the queue's rules; the device needs a reset");
        self.device.get_mut().reset();
        self.status |= STATUS_NEEDS_RESET;
        if self.status & STATUS_DRIVER_OK != 0 {
            self.interrupt |= INTERRUPT_CONFIG;
        }
    }

    fn read_config(&self, offset: u64, width_bytes: u8) -> u64 {
        let config = self.device.get().config();
        let byte = |index: u64| usize::try_from(index).ok().and_then(|i| config.get(i)).copied().unwrap_or(0);
        (0..u64::from(width_bytes)).rev().fold(0, |value, i| value << 8 | u64::from(byte(offset + i)))
    }
}

/// A store to one of a queue's registers.
fn set_queue(queue: &mut Queue, offset: u64, value: u32) {
    match offset {
        0x44 => queue.ready = value & 1 != 0,
        // A live queue's place and size do not change (chapter 4.2.3.2).
        _ if queue.ready => {}
        // More than the maximum stays too large, and is found out at the first notification.
        0x38 => queue.size = u16::try_from(value).unwrap_or(u16::MAX),
        0x80 => set_half(&mut queue.descriptors, 0, value),
        0x84 => set_half(&mut queue.descriptors, 1, value),
        0x90 => set_half(&mut queue.available, 0, value),
        0x94 => set_half(&mut queue.available, 1, value),
        0xa0 => set_half(&mut queue.used, 0, value),
        0xa4 => set_half(&mut queue.used, 1, value),
        _ => {}
    }
}

#[allow(clippy::cast_possible_truncation)] // one half of 64 bits is meant
fn half(value: u64, select: u32) -> u32 {
    match select {
        0 => value as u32,
        1 => (value >> 32) as u32,
        _ => 0,
    }
}

fn set_half(target: &mut u64, select: u32, value: u32) {
    match select {
        0 => *target = *target & !u64::from(u32::MAX) | u64::from(value),
        1 => *target = *target & u64::from(u32::MAX) | u64::from(value) << 32,
        _ => {}
    }
}

#[cfg(test)]
mod tests;
