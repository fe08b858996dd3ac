//! What the transport asks of a device, and the table of all devices.
//!
//! A device is plain data: what the host lends (an image, streams) and the driver's queues come as arguments.

use super::block::Block;
use super::console::Console;
use super::disk_fault::DiskFaults;
use super::net::Net;
use super::queue::{Chain, Queue, QueueBroken};
use super::rng::Rng;
use crate::devices::input::InputDoor;
use crate::host::{DiskImage, Stdio};
use crate::mem::ram::Ram;
use isa::{PhysAddr, Step};
use serde::{Deserialize, Serialize};

/// The devices that can be in a slot.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub enum Device {
    Block(Block),
    Console(Console),
    Rng(Rng),
    Net(Net),
}

impl Device {
    /// The device behind its common face.
    pub fn get(&self) -> &dyn VirtioDevice {
        match self {
            Self::Block(device) => device,
            Self::Console(device) => device,
            Self::Rng(device) => device,
            Self::Net(device) => device,
        }
    }

    /// As [`Device::get`], to change it.
    pub fn get_mut(&mut self) -> &mut dyn VirtioDevice {
        match self {
            Self::Block(device) => device,
            Self::Console(device) => device,
            Self::Rng(device) => device,
            Self::Net(device) => device,
        }
    }
}

/// What a device may reach beside its queues: mostly what the host lends.
pub struct Host<'a> {
    /// The image of a disk.
    pub image: Option<&'a mut dyn DiskImage>,
    /// The disks' faults to come.
    pub faults: &'a mut DiskFaults,
    /// The standard streams.
    pub stdio: &'a mut dyn Stdio,
    /// The door that input comes through.
    pub input: &'a mut InputDoor,
}

/// The driver's queues, with the RAM that they lie in.
pub struct Rings<'a> {
    pub(super) queues: &'a mut [Queue],
    /// RAM, for the buffers.
    pub ram: &'a mut Ram,
    /// The driver wants to hear of what was handed back.
    pub(super) interrupt: &'a mut bool,
    /// Whether the driver is there; until then there is nothing to take.
    pub(super) live: bool,
    /// The transport's version is the legacy one.
    pub legacy: bool,
}

impl Rings<'_> {
    /// Takes the next available chain of a queue, if there is one.
    pub fn pop(&mut self, queue: usize) -> Result<Option<Chain>, QueueBroken> {
        match self.queues.get_mut(queue) {
            Some(queue) if self.live && queue.ready => {
                if queue.is_sane() {
                    queue.pop(self.ram)
                } else {
                    Err(QueueBroken)
                }
            }
            _ => Ok(None),
        }
    }

    /// Hands a chain back with the number of bytes written to it.
    pub fn push(&mut self, queue: usize, head: u16, written_bytes: u32) -> Result<(), QueueBroken> {
        let queue = self.queues.get_mut(queue).ok_or(QueueBroken)?;
        *self.interrupt |= queue.push(self.ram, head, written_bytes)?;
        Ok(())
    }

    /// Descriptors in a queue.
    pub fn size(&self, queue: usize) -> usize {
        self.queues.get(queue).map_or(0, |queue| usize::from(queue.size))
    }

    /// The bytes of a chain's readable buffers, at most `limit_bytes` of them.
    pub fn gather(&self, chain: &Chain, limit_bytes: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        for segment in &chain.readable {
            let len = (segment.len_bytes as usize).min(limit_bytes - bytes.len());
            // Each segment was found to be RAM when the chain was read.
            bytes.extend_from_slice(self.ram.slice(segment.addr, len).unwrap_or_default());
        }
        bytes
    }

    /// Fills a chain's writable buffers from `bytes`. How many had room.
    pub fn scatter(&mut self, chain: &Chain, bytes: &[u8]) -> u32 {
        let mut moved = 0;
        for segment in &chain.writable {
            let part = &bytes[moved..];
            let part = &part[..part.len().min(segment.len_bytes as usize)];
            if !part.is_empty() && !self.ram.write(PhysAddr(segment.addr.0), part) {
                break;
            }
            moved += part.len();
        }
        u32::try_from(moved).unwrap_or(u32::MAX)
    }
}

/// A device behind a virtio transport.
pub trait VirtioDevice {
    /// Virtio's number of this kind of device.
    fn id(&self) -> u32;
    /// The features offered, the transport's apart.
    fn features(&self) -> u64 {
        0
    }
    /// How many queues it has.
    fn queues(&self) -> usize;
    /// The configuration space; it never changes.
    fn config(&self) -> Vec<u8> {
        Vec::new()
    }
    /// Forgets what the driver has asked for (device reset).
    fn reset(&mut self);
    /// The driver has made something available in `queue`.
    fn notify(
        &mut self,
        queue: usize,
        rings: &mut Rings<'_>,
        host: &mut Host<'_>,
        now: Step,
    ) -> Result<(), QueueBroken>;
    /// When it next acts by itself.
    fn next_deadline(&self) -> Step {
        Step::NEVER
    }
    /// Does what is due.
    fn advance(
        &mut self,
        _rings: &mut Rings<'_>,
        _host: &mut Host<'_>,
        _now: Step,
    ) -> Result<(), QueueBroken> {
        Ok(())
    }
    /// Whether the guest waits for the host's input here.
    fn wants_input(&self) -> bool {
        false
    }
    /// When the host should be asked for input, if the guest waits for it.
    fn next_poll(&self) -> Step {
        Step::NEVER
    }
    /// Asks the host for input. Whether any came.
    fn poll_input(
        &mut self,
        _rings: &mut Rings<'_>,
        _host: &mut Host<'_>,
        _now: Step,
    ) -> Result<bool, QueueBroken> {
        Ok(false)
    }
}
