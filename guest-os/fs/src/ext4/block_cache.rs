//! Metadata blocks read from the device, cached in units of 4 KiB.
//!
//! Each unit costs one device read whatever the file system's block size. The cache holds at most
//! [`CAPACITY_UNITS`] units and drops the one used longest ago; nothing invalidates it, for the file system is
//! mounted read-only. File data never goes through here.

use crate::{BlockDevice, Errno};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;

/// Bytes read at a time.
pub(super) const UNIT: usize = 4096;
/// 512 KiB of metadata: all of it for a small image, the busy part of a large one.
const CAPACITY_UNITS: usize = 128;
/// What the device's reads are multiples of.
const SECTOR: u64 = 512;

struct Unit {
    bytes: Box<[u8]>,
    last_use: u64,
}

/// A device behind a cache.
pub(super) struct BlockCache {
    device: Box<dyn BlockDevice>,
    units: BTreeMap<u64, Unit>,
    uses: u64,
}

impl BlockCache {
    pub(super) fn new(device: Box<dyn BlockDevice>) -> BlockCache {
        BlockCache { device, units: BTreeMap::new(), uses: 0 }
    }

    /// The device itself: file data is not kept here.
    pub(super) fn device(&mut self) -> &mut dyn BlockDevice {
        &mut *self.device
    }
    pub(super) fn len_bytes(&self) -> u64 {
        self.device.len_bytes()
    }

    /// The `len` bytes at `offset`, which must not cross a unit: EUCLEAN where they would, or lie past the device.
    pub(super) fn bytes(&mut self, offset: u64, len: usize) -> Result<&[u8], Errno> {
        let unit = offset / UNIT as u64;
        let start = usize::try_from(offset % UNIT as u64).map_err(|_| Errno::EUCLEAN)?;
        let end = offset.checked_add(len as u64).ok_or(Errno::EUCLEAN)?;
        if start + len > UNIT || end > self.device.len_bytes() {
            return Err(Errno::EUCLEAN);
        }
        self.uses += 1;
        if !self.units.contains_key(&unit) {
            self.prepare_memory()?;
            let bytes = self.read(unit)?;
            self.make_room();
            self.units.insert(unit, Unit { bytes, last_use: 0 });
        }
        let unit = self.units.get_mut(&unit).ok_or(Errno::EIO)?;
        unit.last_use = self.uses;
        Ok(&unit.bytes[start..start + len])
    }

    /// ENOMEM unless there is memory for what is about to be remembered.
    pub(super) fn prepare_memory(&mut self) -> Result<(), Errno> {
        if self.device.prepare_memory() { Ok(()) } else { Err(Errno::ENOMEM) }
    }

    /// The last unit of a device may be cut short; it is filled up with zeros.
    fn read(&mut self, unit: u64) -> Result<Box<[u8]>, Errno> {
        // Not an array in a box, which would pass over the kernel's small stack.
        let mut bytes = alloc::vec![0; UNIT].into_boxed_slice();
        let offset = unit * UNIT as u64;
        let left = (self.device.len_bytes() - offset) / SECTOR * SECTOR;
        let len = usize::try_from(left).unwrap_or(UNIT).min(UNIT);
        self.device.read(offset, &mut bytes[..len]).map_err(|_| Errno::EIO)?;
        Ok(bytes)
    }

    fn make_room(&mut self) {
        if self.units.len() < CAPACITY_UNITS {
            return;
        }
        if let Some(oldest) =
            self.units.iter().min_by_key(|(_, unit)| unit.last_use).map(|(&number, _)| number)
        {
            self.units.remove(&oldest);
        }
    }
}
