//! The virtio-mmio slots: eight transports side by side, each empty or with a device behind it.
//!
//! Disk `n` is in slot `n`; the other devices fill the slots from the last one down, so that they move no disk.

use super::block::{Block, DiskCounters};
use super::console;
use super::device::{Device as Behind, Host};
use super::disk::DiskLatency;
use super::disk_fault::{DiskFault, DiskFaults};
use super::mmio::VirtioMmio;
use super::{mmio, net, rng};
use crate::devices::device::{Access, Device, Effect, View, World};
use crate::devices::input::{Console, InputDoor};
use crate::host::DiskImage;
use crate::platform::AccessFault;
use isa::Step;
use isa::platform::{VIRTIO_SLOTS, VIRTIO_STRIDE};
use serde::{Deserialize, Serialize};

/// The virtio devices, disks apart.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct VirtioConfig {
    /// The transport is the legacy one (version 1), for disks too.
    pub legacy: bool,
    /// There is an entropy source; what it gives follows from the machine's seed.
    pub rng: bool,
    /// There is a network card on a network of its own.
    pub net: bool,
}

/// A disk could not be attached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AttachError {
    /// All slots are taken.
    #[error("all of the machine's {VIRTIO_SLOTS} virtio slots are taken; attach fewer disks")]
    NoSlot,
    /// The image has no byte.
    #[error("the image is empty; is it the right file?")]
    Empty,
    /// The image is not the one that the saved machine had.
    #[error(
        "disk {slot} had {expected} sectors when the machine was saved, this image has {found}; give the same image"
    )]
    OtherImage {
        /// Number of the disk.
        slot: usize,
        /// Sectors of the disk in the saved state.
        expected: u64,
        /// Sectors of the image offered.
        found: u64,
    },
}

/// The slots' state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Slots {
    slots: Vec<Option<VirtioMmio>>,
    legacy: bool,
    faults: DiskFaults,
}

impl Slots {
    /// The slots at reset, without disks.
    pub fn new(config: &VirtioConfig, seed: u64, console: Console) -> Self {
        let console = (console == Console::Virtio).then(|| Behind::Console(console::Console::default()));
        let rng = config.rng.then(|| Behind::Rng(rng::Rng::new(seed)));
        let net = config.net.then(|| Behind::Net(net::Net::default()));
        let mut slots = vec![None; VIRTIO_SLOTS];
        for (slot, device) in slots.iter_mut().rev().zip([console, rng, net].into_iter().flatten()) {
            *slot = Some(VirtioMmio::new(device, config.legacy));
        }
        Self { slots, legacy: config.legacy, faults: DiskFaults::default() }
    }

    /// Puts a disk with an image of `len_bytes` into a slot: a new disk, or the one that the loaded state has there.
    pub fn attach(
        &mut self,
        slot: usize,
        len_bytes: u64,
        read_only: bool,
        latency: DiskLatency,
    ) -> Result<(), AttachError> {
        let place = self.slots.get_mut(slot).ok_or(AttachError::NoSlot)?;
        let disk = Block::new(slot, len_bytes, read_only, latency);
        if disk.capacity_sectors() == 0 {
            return Err(AttachError::Empty);
        }
        match place.as_ref().map(VirtioMmio::device) {
            None => *place = Some(VirtioMmio::new(Behind::Block(disk), self.legacy)),
            Some(Behind::Block(saved)) if saved.capacity_sectors() == disk.capacity_sectors() => {}
            Some(Behind::Block(saved)) => {
                let (expected, found) = (saved.capacity_sectors(), disk.capacity_sectors());
                return Err(AttachError::OtherImage { slot, expected, found });
            }
            Some(_) => return Err(AttachError::NoSlot),
        }
        Ok(())
    }

    /// A request to a disk will fail.
    pub fn plan_fault(&mut self, fault: DiskFault) {
        self.faults.plan(fault);
    }

    /// The failures that have not come yet, each with the number of requests that it has let pass.
    pub fn faults_ahead(&self) -> &[(DiskFault, u64)] {
        self.faults.ahead()
    }

    /// A page of 4 KiB of the disk in a slot, if the guest has written to it.
    pub fn written_page(&self, slot: usize, page: u64) -> Option<&[u8]> {
        match self.slots.get(slot)?.as_ref()?.device() {
            Behind::Block(disk) => disk.overlay().page(page),
            _ => None,
        }
    }

    /// What each disk has done so far, in the order of their numbers.
    pub fn disk_counters(&self) -> impl Iterator<Item = DiskCounters> {
        self.slots.iter().flatten().filter_map(|slot| match slot.device() {
            Behind::Block(disk) => Some(disk.counters()),
            _ => None,
        })
    }
}

/// The slot of an access, and where in it.
fn locate(access: Access) -> Result<(usize, u64), AccessFault> {
    let slot = usize::try_from(access.offset / VIRTIO_STRIDE).expect("a window is small");
    let offset = access.offset % VIRTIO_STRIDE;
    if offset < mmio::END { Ok((slot, offset)) } else { Err(AccessFault) }
}

/// The image of the disk in `slot`, if there is one.
fn image_of(images: &mut [Box<dyn DiskImage>], slot: usize) -> Option<&mut dyn DiskImage> {
    match images.get_mut(slot) {
        Some(image) => Some(image.as_mut()),
        None => None,
    }
}

impl Device for Slots {
    fn load(&mut self, access: Access, _: &mut World<'_>) -> Result<u64, AccessFault> {
        access.load_words(|access| {
            let (slot, offset) = locate(access)?;
            Ok(match &self.slots[slot] {
                Some(device) => device.read(offset, access.width_bytes),
                None => mmio::read_empty(offset, self.legacy),
            })
        })
    }

    fn store(&mut self, access: Access, value: u64, world: &mut World<'_>) -> Result<Effect, AccessFault> {
        access.store_words(value, |access, value| {
            let (slot, offset) = locate(access)?;
            // Writes to an empty slot do nothing, as on QEMU.
            if let Some(device) = &mut self.slots[slot] {
                let image = image_of(world.images, slot);
                let host =
                    &mut Host { image, faults: &mut self.faults, stdio: world.stdio, input: world.input };
                device.write(world.ram, host, offset, access.width_bytes, value, world.now);
            }
            Ok(())
        })?;
        Ok(Effect::None)
    }

    fn line(&self, unit: usize) -> bool {
        self.slots[unit].as_ref().is_some_and(VirtioMmio::line)
    }

    fn next_deadline(&self, view: View<'_>) -> Step {
        let deadlines = self.slots.iter().enumerate().filter_map(|(slot, device)| {
            let device = device.as_ref()?;
            // A disk whose image has not been attached again never completes anything.
            let waits_for_image = matches!(device.device(), Behind::Block(_)) && slot >= view.images;
            (!waits_for_image).then(|| device.next_deadline())
        });
        deadlines.min().unwrap_or(Step::NEVER)
    }

    fn advance(&mut self, world: &mut World<'_>) {
        for (slot, device) in self.slots.iter_mut().enumerate() {
            let Some(device) = device else { continue };
            if device.next_deadline() <= world.now {
                let image = image_of(world.images, slot);
                let host =
                    &mut Host { image, faults: &mut self.faults, stdio: world.stdio, input: world.input };
                device.advance(world.ram, host, world.now);
            }
        }
    }

    fn wants_input(&self, input: &InputDoor) -> bool {
        !input.ended() && self.slots.iter().flatten().any(VirtioMmio::wants_input)
    }

    fn next_poll(&self, input: &InputDoor) -> Step {
        let polls = self.slots.iter().flatten().map(VirtioMmio::next_poll);
        polls.filter(|_| !input.ended()).min().unwrap_or(Step::NEVER)
    }

    fn poll_input(&mut self, world: &mut World<'_>) -> bool {
        let mut came = false;
        for device in self.slots.iter_mut().flatten().filter(|device| device.wants_input()) {
            if !world.input.ended() {
                let host = &mut Host {
                    image: None,
                    faults: &mut self.faults,
                    stdio: world.stdio,
                    input: world.input,
                };
                came |= device.poll_input(world.ram, host, world.now);
            }
        }
        came
    }
}
