//! ext4, read-only: superblock, inodes, extents and directories of an image on a [`BlockDevice`].

use crate::{BlockDevice, Errno};
use alloc::boxed::Box;

/// A mounted ext4 file system.
pub struct Ext4 {
    #[allow(dead_code)] // read once the directories are
    device: Box<dyn BlockDevice>,
}

impl Ext4 {
    /// Mounts a device. EINVAL when it holds no ext4, EUCLEAN when that is corrupt, EIO when it cannot be read.
    pub fn mount(device: Box<dyn BlockDevice>) -> Result<Ext4, Errno> {
        Ok(Ext4 { device })
    }
}
