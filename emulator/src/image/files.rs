//! Files inside an image, for those who want a program's names and lines: read by the guest's own ext4 reader.

use super::ImageError;
use super::disk::ImageFile;
use crate::host::{DiskError, DiskImage};
use ::fs::{BlockDevice, DeviceError, Ext4};
use std::path::Path;

/// The files of an ext4 image.
pub struct ImageFiles(Ext4);

/// An image as the reader wants it.
struct Disk(ImageFile);

impl BlockDevice for Disk {
    fn len_bytes(&self) -> u64 {
        self.0.len_bytes()
    }
    fn read(&mut self, offset_bytes: u64, buf: &mut [u8]) -> Result<(), DeviceError> {
        self.0.read(offset_bytes, buf).map_err(|DiskError| DeviceError)
    }
    fn prepare_memory(&mut self) -> bool {
        true
    }
}

impl ImageFiles {
    /// Those of the image file at `path`.
    pub fn open(path: &Path) -> Result<Self, ImageError> {
        let host = |error| ImageError::Host { action: "read", path: path.into(), error };
        let disk = ImageFile::open(path).map_err(host)?;
        Ext4::mount(Box::new(Disk(disk))).map(Self).map_err(|_| ImageError::NotExt4(path.into()))
    }

    /// The bytes of the file at `path` in the image; `None` if it cannot be read, or is none.
    pub fn read(&mut self, path: &str) -> Option<Vec<u8>> {
        self.0.read_whole(path.as_bytes()).ok()
    }
}
