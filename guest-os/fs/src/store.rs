//! The kernel's side: the block device below ext4, the contents of tmpfs's files, and where a page of a file on disk lies.

use crate::{Errno, FileId};
use core::ops::Range;

/// A device read that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceError;

/// A device that metadata is read from. A read may sleep, so it is called under sleeping locks only.
pub trait BlockDevice: Send {
    /// Size of the device.
    fn len_bytes(&self) -> u64;
    /// Fills `buf` from `offset_bytes`. Both offset and length are multiples of 512; the range lies in the device.
    fn read(&mut self, offset_bytes: u64, buf: &mut [u8]) -> Result<(), DeviceError>;
    /// Sees to memory for [`MEMORY_STEP`] bytes, which the file system is about to remember of what it has read. `false`: there is
    /// none. One call may ask many times, as it looks up many names or searches a large directory.
    fn prepare_memory(&mut self) -> bool;
}

/// The most that a file system takes of the heap between two calls of [`BlockDevice::prepare_memory`]: a unit of metadata, an inode, a
/// name, with their places in the trees that hold them.
pub const MEMORY_STEP: usize = 32 << 10;

/// The contents of tmpfs's files, and of those of the disk that have changed. They are the kernel's to keep, page by page where mappings of them are served from too, so that
/// `read`, `write` and a mapping show the same bytes. ERESTART of any of these: a page that it needs is on a disk only, or
/// a new one finds no memory. Nothing was done, or what is right to do once more; the kernel sees to it while nobody has the file systems, and asks again.
pub trait FileMemory: Send {
    /// The file's length; 0 before anything was written.
    fn len_bytes(&self, file: FileId) -> u64;
    /// Pages of memory that the file takes.
    fn resident_pages(&self, file: FileId) -> u64;
    /// Copies from `offset_bytes` on; returns how many bytes there were before the end of the file. What was never written is zero. EIO for
    /// what has been lost.
    fn read(&self, file: FileId, offset_bytes: u64, buf: &mut [u8]) -> Result<usize, Errno>;
    /// Copies to `offset_bytes`, and makes the file longer if need be; returns how many bytes there was memory for.
    fn write(&mut self, file: FileId, offset_bytes: u64, bytes: &[u8]) -> Result<usize, Errno>;
    /// Cuts the file, or makes it longer by zeros that take no memory.
    fn set_len(&mut self, file: FileId, len_bytes: u64) -> Result<(), Errno>;
    /// The first page from `page` on that takes memory, if the file has one; what lies between is a hole.
    fn next_page(&self, file: FileId, page: u64) -> Option<u64>;
    /// Gives memory to those of the pages that have none. All of them lie before the end. ENOSPC if files in memory have all that they may have.
    fn fill_holes(&mut self, file: FileId, pages: Range<u64>) -> Result<(), Errno>;
    /// Makes a hole of what is there: whole pages take no memory any more, and of others this part becomes zeros.
    fn punch_hole(&mut self, file: FileId, bytes: Range<u64>) -> Result<(), Errno>;
    /// A file on the disk, `len_bytes` long, is about to change: what is not written over is still the disk's.
    fn overlay(&mut self, file: FileId, len_bytes: u64);
    /// The file is gone.
    fn remove(&mut self, file: FileId);
    /// Pages that all files may take, and pages that are left of them, for `statfs`.
    fn capacity_pages(&self) -> (u64, u64);
}

/// A run of bytes on the device that belongs into a page of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DeviceRange {
    /// Where in the page it goes.
    pub page_offset: u32,
    /// Length, a multiple of the file system's block size.
    pub len_bytes: u32,
    /// Where on the device it lies, a multiple of the block size.
    pub device_offset: u64,
}

impl DeviceRange {
    /// Whether the block for `page_offset` at `device_offset` carries this range on, in page and on device.
    pub(crate) fn is_followed_by(&self, page_offset: u32, device_offset: u64) -> bool {
        self.page_offset + self.len_bytes == page_offset
            && self.device_offset + u64::from(self.len_bytes) == device_offset
    }
}

/// Blocks of 1 KiB make at most four pieces of a page.
const MAX_RANGES: usize = 4;

/// Where one page of a file on disk lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageSource {
    /// Nothing was ever written here: zeros (a hole, or past the end of the file).
    Zero,
    /// On the device, in up to four pieces; bytes of the page covered by none of them are zeros, and so are those
    /// from `valid_bytes` on (the end of the file), whatever the device holds there.
    Device {
        /// The pieces; unused ones have length 0. Use [`PageSource::ranges`].
        ranges: [DeviceRange; MAX_RANGES],
        /// Bytes of the page that lie before the end of the file.
        valid_bytes: u32,
    },
}

impl PageSource {
    /// The pieces that must be read from the device.
    pub fn ranges(&self) -> impl Iterator<Item = DeviceRange> + '_ {
        let ranges: &[DeviceRange] = match self {
            PageSource::Device { ranges, .. } => ranges,
            PageSource::Zero => &[],
        };
        ranges.iter().copied().filter(|range| range.len_bytes != 0)
    }
}
