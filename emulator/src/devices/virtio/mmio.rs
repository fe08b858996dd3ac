//! The MMIO transport, version 2 (virtio 1.2, chapter 4.2), with one queue and a block device behind it.
//!
//! Registers below 0x100 are 32 bits wide; the configuration space may be read by any aligned width and is not
//! writable. Other widths and unknown registers are access faults. A slot without a device has device id 0.

use super::block::{Block, DEVICE_ID};
use super::queue::{MAX_QUEUE_SIZE, Queue, QueueBroken};
use crate::bus::AccessFault;
use crate::host::DiskImage;
use crate::mem::ram::Ram;
use isa::Step;
use serde::{Deserialize, Serialize};

const MAGIC: u32 = u32::from_le_bytes(*b"virt");
const VERSION: u32 = 2;
const VENDOR: u32 = u32::from_le_bytes(*b"FLIO");
const F_VERSION_1: u64 = 1 << 32;
const CONFIG: u64 = 0x100;

const STATUS_FEATURES_OK: u32 = 8;
const STATUS_DRIVER_OK: u32 = 4;
const STATUS_NEEDS_RESET: u32 = 64;
const INTERRUPT_USED: u32 = 1;
const INTERRUPT_CONFIG: u32 = 2;

/// A virtio-mmio slot with a block device in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VirtioBlock {
    block: Block,
    queue: Queue,
    status: u32,
    interrupt: u32,
    device_features_select: u32,
    driver_features_select: u32,
    driver_features: u64,
    queue_select: u32,
}

/// A load from a slot without a device: a driver finds device id 0 and goes away.
pub fn read_empty(offset: u64, width_bytes: u8) -> Result<u64, AccessFault> {
    match (offset, width_bytes) {
        (0x00, 4) => Ok(u64::from(MAGIC)),
        (0x04, 4) => Ok(u64::from(VERSION)),
        (0x08.., 4) => Ok(0),
        (CONFIG.., _) => Ok(0),
        _ => Err(AccessFault),
    }
}

impl VirtioBlock {
    /// The device after reset.
    pub fn new(block: Block) -> Self {
        Self {
            block,
            queue: Queue::default(),
            status: 0,
            interrupt: 0,
            device_features_select: 0,
            driver_features_select: 0,
            driver_features: 0,
            queue_select: 0,
        }
    }

    /// The block device behind the transport.
    pub fn block(&self) -> &Block {
        &self.block
    }

    /// Whether the interrupt line is high.
    pub fn line(&self) -> bool {
        self.interrupt != 0
    }

    /// When the next request completes.
    pub fn next_deadline(&self) -> Step {
        self.block.next_deadline()
    }

    /// Completes what is due, and accepts what had no room.
    pub fn advance(&mut self, ram: &mut Ram, image: &mut dyn DiskImage, now: Step) {
        while let Some(done) = self.block.complete(ram, image, now) {
            match self.queue.push(ram, done.head, done.written_bytes) {
                Ok(true) => self.interrupt |= INTERRUPT_USED,
                Ok(false) => {}
                Err(QueueBroken) => return self.fail(),
            }
            self.accept(ram, now);
        }
    }

    /// A load at `offset`.
    pub fn read(&self, offset: u64, width_bytes: u8) -> Result<u64, AccessFault> {
        if offset >= CONFIG {
            return self.read_config(offset - CONFIG, width_bytes);
        }
        if width_bytes != 4 {
            return Err(AccessFault);
        }
        Ok(u64::from(match offset {
            0x00 => MAGIC,
            0x04 => VERSION,
            0x08 => DEVICE_ID,
            0x0c => VENDOR,
            0x10 => half(self.block.features() | F_VERSION_1, self.device_features_select),
            0x34 if self.queue_select == 0 => u32::from(MAX_QUEUE_SIZE),
            0x44 if self.queue_select == 0 => u32::from(self.queue.ready),
            0x34 | 0x44 => 0,
            0x60 => self.interrupt,
            0x70 => self.status,
            // Configuration generation: the configuration never changes.
            0xfc => 0,
            // Shared memory regions: none (length -1).
            0xb0..=0xbc => u32::MAX,
            // Write-only registers.
            0x14 | 0x20 | 0x24 | 0x30 | 0x38 | 0x50 | 0x64 | 0x80..=0xac => 0,
            _ => return Err(AccessFault),
        }))
    }

    /// A store at `offset`.
    pub fn write(
        &mut self,
        ram: &mut Ram,
        image: &mut dyn DiskImage,
        offset: u64,
        width_bytes: u8,
        value: u64,
        now: Step,
    ) -> Result<(), AccessFault> {
        if width_bytes != 4 || offset >= CONFIG {
            return Err(AccessFault);
        }
        #[allow(clippy::cast_possible_truncation)] // the registers have 32 bits
        let value = value as u32;
        match offset {
            0x14 => self.device_features_select = value,
            0x20 => set_half(&mut self.driver_features, self.driver_features_select, value),
            0x24 => self.driver_features_select = value,
            0x30 => self.queue_select = value,
            0x64 => self.interrupt &= !value,
            0x70 => self.set_status(value),
            0x50 if value == 0 => self.notify(ram, image, now),
            0x38 | 0x44 | 0x80..=0xa4 if self.queue_select == 0 => self.set_queue(offset, value),
            0x38 | 0x44 | 0x50 | 0x80..=0xac => {}
            // Read-only registers.
            0x00..=0x10 | 0x34 | 0x60 | 0xb0..=0xbc | 0xfc => {}
            _ => return Err(AccessFault),
        }
        Ok(())
    }

    fn set_queue(&mut self, offset: u64, value: u32) {
        let queue = &mut self.queue;
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

    fn set_status(&mut self, value: u32) {
        if value == 0 {
            self.block.reset();
            self.queue = Queue::default();
            (self.status, self.interrupt, self.queue_select) = (0, 0, 0);
            (self.device_features_select, self.driver_features_select, self.driver_features) = (0, 0, 0);
            return;
        }
        let mut status = value & !STATUS_NEEDS_RESET | self.status & STATUS_NEEDS_RESET;
        let offered = self.block.features() | F_VERSION_1;
        // Features that were not offered, or a legacy driver: FEATURES_OK does not stick.
        if self.driver_features & !offered != 0 || self.driver_features & F_VERSION_1 == 0 {
            status &= !STATUS_FEATURES_OK;
        }
        self.status = status;
    }

    fn notify(&mut self, ram: &mut Ram, image: &mut dyn DiskImage, now: Step) {
        self.accept(ram, now);
        self.advance(ram, image, now);
    }

    /// Takes available chains while there is room for them.
    fn accept(&mut self, ram: &Ram, now: Step) {
        if self.status & STATUS_DRIVER_OK == 0 || self.status & STATUS_NEEDS_RESET != 0 || !self.queue.ready {
            return;
        }
        if !self.queue.is_sane() {
            return self.fail();
        }
        while self.block.in_flight() < usize::from(self.queue.size) {
            match self.queue.pop(ram) {
                Ok(None) => return,
                Ok(Some(chain)) if self.block.submit(ram, &chain, now).is_ok() => {}
                Ok(Some(_)) | Err(QueueBroken) => return self.fail(),
            }
        }
    }

    fn fail(&mut self) {
        log::warn!(target: "virtio", "the driver broke the queue's rules; the device needs a reset");
        self.block.reset();
        self.status |= STATUS_NEEDS_RESET;
        if self.status & STATUS_DRIVER_OK != 0 {
            self.interrupt |= INTERRUPT_CONFIG;
        }
    }

    fn read_config(&self, offset: u64, width_bytes: u8) -> Result<u64, AccessFault> {
        let config = self.block.config();
        let byte = |index: u64| usize::try_from(index).ok().and_then(|i| config.get(i)).copied().unwrap_or(0);
        Ok((0..u64::from(width_bytes)).rev().fold(0, |value, i| value << 8 | u64::from(byte(offset + i))))
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
