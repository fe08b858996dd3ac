//! The device's side of a split virtqueue (virtio 1.2, chapter 2.7). Indirect descriptors and event indices are
//! not offered.

use crate::mem::ram::Ram;
use isa::PhysAddr;
use serde::{Deserialize, Serialize};

/// Largest queue the device accepts.
pub const MAX_QUEUE_SIZE: u16 = 256;

const DESCRIPTOR_BYTES: u64 = 16;
const F_NEXT: u16 = 1;
const F_WRITE: u16 = 2;
const AVAIL_NO_INTERRUPT: u16 = 1;

/// The guest broke the queue's rules; the device needs a reset.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueBroken;

/// One buffer of a chain, known to lie in RAM.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Segment {
    /// First byte.
    pub addr: PhysAddr,
    /// Length in bytes.
    pub len_bytes: u32,
}

/// A descriptor chain: what the device may read, then what it may write.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Chain {
    /// Index of the first descriptor: the chain's name in the used ring.
    pub head: u16,
    /// Buffers for the device to read.
    pub readable: Vec<Segment>,
    /// Buffers for the device to write.
    pub writable: Vec<Segment>,
}

/// A queue as the driver has set it up, and how far the device has come.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub struct Queue {
    /// Number of descriptors.
    pub size: u16,
    /// Whether the driver has made it live.
    pub ready: bool,
    /// The descriptor table.
    pub descriptors: u64,
    /// The driver's ring of available chains.
    pub available: u64,
    /// The device's ring of used chains.
    pub used: u64,
    /// Legacy transport: the number of the queue's first page, 0 if it has none.
    pub legacy_page: u32,
    /// Legacy transport: the alignment of the used ring.
    pub legacy_align: u32,
    next_available: u16,
    next_used: u16,
}

impl Queue {
    /// Whether the sizes and addresses can be used at all: a power of two, aligned rings.
    pub fn is_sane(&self) -> bool {
        self.size.is_power_of_two()
            && self.size <= MAX_QUEUE_SIZE
            && self.descriptors.is_multiple_of(16)
            && self.available.is_multiple_of(2)
            && self.used.is_multiple_of(4)
    }

    /// Takes the next available chain, if there is one.
    pub fn pop(&mut self, ram: &Ram) -> Result<Option<Chain>, QueueBroken> {
        let index = read_u16(ram, at(self.available, 2)?)?;
        let waiting = index.wrapping_sub(self.next_available);
        if waiting == 0 {
            return Ok(None);
        }
        if waiting > self.size {
            return Err(QueueBroken);
        }
        let slot = u64::from(self.next_available % self.size);
        let head = read_u16(ram, at(self.available, 4 + 2 * slot)?)?;
        let chain = self.chain(ram, head)?;
        self.next_available = self.next_available.wrapping_add(1);
        Ok(Some(chain))
    }

    /// Hands a chain back with the number of bytes written to it. Returns whether the driver wants an interrupt.
    pub fn push(&mut self, ram: &mut Ram, head: u16, written_bytes: u32) -> Result<bool, QueueBroken> {
        let slot = u64::from(self.next_used % self.size);
        let mut element = [0; 8];
        element[..4].copy_from_slice(&u32::from(head).to_le_bytes());
        element[4..].copy_from_slice(&written_bytes.to_le_bytes());
        write(ram, at(self.used, 4 + 8 * slot)?, &element)?;
        self.next_used = self.next_used.wrapping_add(1);
        write(ram, at(self.used, 2)?, &self.next_used.to_le_bytes())?;
        Ok(read_u16(ram, PhysAddr(self.available))? & AVAIL_NO_INTERRUPT == 0)
    }

    /// Follows the chain from `head`; a chain longer than the queue is a loop.
    fn chain(&self, ram: &Ram, head: u16) -> Result<Chain, QueueBroken> {
        let mut chain = Chain { head, ..Chain::default() };
        let mut index = head;
        for _ in 0..self.size {
            if index >= self.size {
                return Err(QueueBroken);
            }
            let descriptor = at(self.descriptors, u64::from(index) * DESCRIPTOR_BYTES)?;
            let bytes = ram.slice(descriptor, 16).ok_or(QueueBroken)?;
            let field = |range: std::ops::Range<usize>| {
                bytes[range].iter().rev().fold(0u64, |value, &byte| value << 8 | u64::from(byte))
            };
            #[allow(clippy::cast_possible_truncation)] // fields of 4, 2 and 2 bytes
            let (len_bytes, flags, next) = (field(8..12) as u32, field(12..14) as u16, field(14..16) as u16);
            let segment = Segment { addr: PhysAddr(field(0..8)), len_bytes };
            ram.slice(segment.addr, len_bytes as usize).ok_or(QueueBroken)?;
            match flags & !F_NEXT {
                F_WRITE => chain.writable.push(segment),
                0 if chain.writable.is_empty() => chain.readable.push(segment),
                // A readable buffer after a writable one, an indirect table that was not offered, unknown flags.
                _ => return Err(QueueBroken),
            }
            if flags & F_NEXT == 0 {
                return Ok(chain);
            }
            index = next;
        }
        Err(QueueBroken)
    }
}

fn at(base: u64, offset: u64) -> Result<PhysAddr, QueueBroken> {
    base.checked_add(offset).map(PhysAddr).ok_or(QueueBroken)
}

fn read_u16(ram: &Ram, pa: PhysAddr) -> Result<u16, QueueBroken> {
    let bytes = ram.slice(pa, 2).ok_or(QueueBroken)?;
    Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
}

fn write(ram: &mut Ram, pa: PhysAddr, bytes: &[u8]) -> Result<(), QueueBroken> {
    if ram.write(pa, bytes) { Ok(()) } else { Err(QueueBroken) }
}
