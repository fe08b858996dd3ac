//! A disk's contents: what the guest has written (part of the machine's state) over a read-only image (the host's); and how long
//! it takes.

use crate::host::{DiskError, DiskImage};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Bytes in a sector, virtio's unit.
pub const SECTOR_BYTES: u64 = 512;
/// Bytes of the overlay's unit.
pub const OVERLAY_PAGE_BYTES: usize = 4096;

/// How long the disk takes, in steps (nanoseconds of guest time): one seek, then so much for each 512-byte sector.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DiskLatency {
    /// Steps from the doorbell (or the end of the request before) to the first sector.
    pub base_steps: u64,
    /// Steps for each sector moved.
    pub sector_steps: u64,
}

impl DiskLatency {
    /// A disk that answers at once.
    pub const NONE: Self = Self { base_steps: 0, sector_steps: 0 };
}

impl Default for DiskLatency {
    /// 100 µs to seek and 1 µs a sector (about 500 MB/s): a modest solid-state disk.
    fn default() -> Self {
        Self { base_steps: 100_000, sector_steps: 1_000 }
    }
}

/// What the guest has written, by 4 KiB page. Ordered, so that saving and hashing are deterministic.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub struct Overlay {
    pages: BTreeMap<u64, Vec<u8>>,
}

impl Overlay {
    /// The pages written so far, with their numbers.
    pub fn pages(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.pages.iter().map(|(&number, bytes)| (number, bytes.as_slice()))
    }

    /// A page, if the guest has written to it.
    pub fn page(&self, number: u64) -> Option<&[u8]> {
        self.pages.get(&number).map(Vec::as_slice)
    }

    /// Fills `buffer` from `offset_bytes`; what lies past the image's end reads as zero.
    pub fn read(
        &self,
        base: &mut dyn DiskImage,
        offset_bytes: u64,
        buffer: &mut [u8],
    ) -> Result<(), DiskError> {
        for (page, within, part) in pages_of(offset_bytes, buffer.len()) {
            let target = &mut buffer[part];
            match self.pages.get(&page) {
                Some(bytes) => target.copy_from_slice(&bytes[within..within + target.len()]),
                None => read_base(base, page * OVERLAY_PAGE_BYTES as u64 + within as u64, target)?,
            }
        }
        Ok(())
    }

    /// Writes `data` at `offset_bytes`.
    pub fn write(
        &mut self,
        base: &mut dyn DiskImage,
        offset_bytes: u64,
        data: &[u8],
    ) -> Result<(), DiskError> {
        for (page, within, part) in pages_of(offset_bytes, data.len()) {
            let source = &data[part];
            let bytes = match self.pages.entry(page) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    let mut bytes = vec![0; OVERLAY_PAGE_BYTES];
                    if source.len() < OVERLAY_PAGE_BYTES {
                        read_base(base, page * OVERLAY_PAGE_BYTES as u64, &mut bytes)?;
                    }
                    entry.insert(bytes)
                }
            };
            bytes[within..within + source.len()].copy_from_slice(source);
        }
        Ok(())
    }
}

/// The 4 KiB pages that `[offset, offset + len)` touches: page number, offset in the page, range of the buffer.
fn pages_of(offset_bytes: u64, len: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let page_bytes = OVERLAY_PAGE_BYTES as u64;
    let mut done = 0;
    std::iter::from_fn(move || {
        if done >= len {
            return None;
        }
        let position = offset_bytes + done as u64;
        let within = usize::try_from(position % page_bytes).expect("less than a page");
        let start = done;
        done = len.min(done + OVERLAY_PAGE_BYTES - within);
        Some((position / page_bytes, within, start..done))
    })
}

fn read_base(base: &mut dyn DiskImage, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
    let available = base.len_bytes().saturating_sub(offset_bytes);
    let present = usize::try_from(available).unwrap_or(usize::MAX).min(buffer.len());
    let (inside, outside) = buffer.split_at_mut(present);
    outside.fill(0);
    if inside.is_empty() { Ok(()) } else { base.read(offset_bytes, inside) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_hide_the_base_and_leave_the_rest() {
        let mut base: Vec<u8> = (0..10_000u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let pristine = base.clone();
        let mut overlay = Overlay::default();
        overlay.write(&mut base, 4090, &[0xff; 20]).unwrap();
        let mut all = vec![1; 10_240];
        overlay.read(&mut base, 0, &mut all).unwrap();
        let mut expected = pristine.clone();
        expected[4090..4110].fill(0xff);
        expected.resize(10_240, 0);
        assert_eq!(all, expected);
        assert_eq!((base, overlay.pages().count()), (pristine, 2));
    }
}
