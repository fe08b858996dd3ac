//! What has changed of a file system on a disk, file by file: for whoever writes it to where the disk has it from.

use super::Vfs;
use crate::{Errno, FileId, FileSystemId, Inode};

impl Vfs {
    /// The first file from inode number `from` on that has a name and is not what the disk says, or is new.
    pub fn next_changed(&mut self, fs: FileSystemId, from: u64) -> Option<Inode> {
        let ino = self.disks.get(fs).ok()?.changed().next_named(from)?;
        let inode = self.inode(FileId { fs, ino }).ok()?;
        Some(self.pinned(inode))
    }

    /// Calls `visit` with each name in a directory that has changed, and the inode number of the file, until it says stop.
    pub fn each_changed_name(
        &mut self,
        dir: &Inode,
        visit: &mut dyn FnMut(&[u8], u64) -> bool,
    ) -> Result<(), Errno> {
        let changed = self.disks.get(dir.id.fs)?.changed();
        changed.read_dir(dir.id.ino, 0, |entry| {
            matches!(entry.name, b"." | b"..") || visit(entry.name, entry.ino)
        })
    }

    /// Where, from `offset` on, the next byte lies of a regular file that has changed; what lies between is zero. `None`: nothing but
    /// zeros to the end.
    pub fn next_data(&mut self, file: &Inode, offset: u64) -> Result<Option<u64>, Errno> {
        self.disks.get_mut(file.id.fs)?.next_data(file.id.ino, offset, &*self.contents)
    }
}
