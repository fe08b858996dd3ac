//! A file system on a disk: what is there, and what has changed since it was mounted. The disk is never written.
//!
//! It works by inode. A file that is about to change is *adopted*: from then on its attributes, a directory's names, a link's target are
//! those of a node in a [`Tmpfs`] with the same inode number, and its contents are the kernel's ([`FileMemory::overlay`]), which still reads
//! from the disk what was not written over. So hard links, open files, mappings and `st_ino` are what they were; what is new gets
//! numbers that the disk does not have. A journal that writes changes back would begin here.
//!
//! Cost: adopting a directory reads all of its names; moving one into another folder adopts those above the new place, too.

use crate::anonymous::Happenings;
use crate::inode::Pin;
use crate::tmpfs::{Adopted, Directory, Tmpfs};
use crate::{DirEntry, Errno, Ext4, FileId, FileMemory, FileSystemId, FileType, PageSource, Stat, StatFs};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Names read between two looks at the kernel's memory.
const NAMES_AT_A_TIME: usize = 64;

/// A file system on a disk, with what has changed of it.
pub(crate) struct Overlay {
    id: FileSystemId,
    disk: Box<Ext4>,
    changed: Tmpfs,
    /// What the handles on files that have not been adopted share.
    pins: BTreeMap<u64, Pin>,
    /// The pins are looked through when there are so many.
    next_sweep: usize,
}

/// All of them: that of `/` first, then as they were mounted.
pub(crate) struct Overlays(Vec<Overlay>);

impl Overlays {
    pub(crate) fn new(root: Ext4) -> Overlays {
        Overlays(Vec::from([Overlay::new(FileSystemId::ROOT, root)]))
    }

    /// One more. ENOSPC when there are as many as have numbers.
    pub(crate) fn add(&mut self, disk: Ext4) -> Result<&mut Overlay, Errno> {
        let id = FileSystemId::of_disk(self.0.len()).ok_or(Errno::ENOSPC)?;
        self.0.push(Overlay::new(id, disk));
        self.get_mut(id)
    }

    /// ENODEV for what is on no disk.
    pub(crate) fn get(&self, fs: FileSystemId) -> Result<&Overlay, Errno> {
        fs.disk_number().and_then(|number| self.0.get(number)).ok_or(Errno::ENODEV)
    }

    /// The same, to use it.
    pub(crate) fn get_mut(&mut self, fs: FileSystemId) -> Result<&mut Overlay, Errno> {
        fs.disk_number().and_then(|number| self.0.get_mut(number)).ok_or(Errno::ENODEV)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Overlay> {
        self.0.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Overlay> {
        self.0.iter_mut()
    }
}

impl Overlay {
    const LEAST_SWEEP: usize = 64;

    fn new(id: FileSystemId, disk: Ext4) -> Overlay {
        let changed = Tmpfs::over(id, disk.root(), disk.first_free_ino());
        Overlay { id, disk: Box::new(disk), changed, pins: BTreeMap::new(), next_sweep: Self::LEAST_SWEEP }
    }

    pub(crate) fn id(&self) -> FileSystemId {
        self.id
    }

    pub(crate) fn root(&self) -> u64 {
        self.disk.root()
    }

    /// Whether a file is no longer what the disk says.
    pub(crate) fn is_changed(&self, ino: u64) -> bool {
        self.changed.has(ino)
    }

    /// The files that have changed.
    pub(crate) fn changed(&self) -> &Tmpfs {
        &self.changed
    }

    /// The same, to change those that have been adopted.
    pub(crate) fn changed_mut(&mut self) -> &mut Tmpfs {
        &mut self.changed
    }

    pub(crate) fn lookup(&mut self, dir: u64, name: &[u8]) -> Result<u64, Errno> {
        if self.is_changed(dir) { self.changed.lookup(dir, name) } else { self.disk.lookup(dir, name) }
    }

    pub(crate) fn file_type(&mut self, ino: u64) -> Result<FileType, Errno> {
        match self.is_changed(ino) {
            true => self.changed.handle(ino).map(|(file_type, _)| file_type),
            false => self.disk.file_type(ino),
        }
    }

    /// What the handles on a file share, while there is one.
    pub(crate) fn pin(&mut self, ino: u64) -> Pin {
        if let Ok((_, pin)) = self.changed.handle(ino) {
            return pin;
        }
        if self.pins.len() >= self.next_sweep {
            self.pins.retain(|_, pin| Arc::strong_count(pin) > 1);
            self.next_sweep = (2 * self.pins.len()).max(Self::LEAST_SWEEP);
        }
        self.pins.entry(ino).or_default().clone()
    }

    pub(crate) fn stat(&mut self, ino: u64, contents: &dyn FileMemory) -> Result<Stat, Errno> {
        if self.is_changed(ino) { self.changed.stat(ino, contents) } else { self.disk.stat(ino) }
    }

    /// The length of a regular file.
    pub(crate) fn size(&mut self, ino: u64, contents: &dyn FileMemory) -> Result<u64, Errno> {
        match self.is_changed(ino) {
            true => Ok(contents.len_bytes(self.changed.regular(ino)?)),
            false => self.disk.size(ino),
        }
    }

    /// From `offset` on, where the next byte of a file that has changed is which may not be zero.
    pub(crate) fn next_data(
        &mut self,
        ino: u64,
        offset: u64,
        contents: &dyn FileMemory,
    ) -> Result<Option<u64>, Errno> {
        let is_new = ino >= self.disk.first_free_ino();
        if !is_new && offset < self.disk.size(ino)? {
            return Ok(Some(offset));
        }
        let page = contents.next_page(self.changed.regular(ino)?, offset / isa::PAGE_SIZE);
        Ok(page.map(|page| offset.max(page.saturating_mul(isa::PAGE_SIZE))))
    }

    pub(crate) fn readlink(&mut self, ino: u64) -> Result<Vec<u8>, Errno> {
        if self.is_changed(ino) { self.changed.readlink(ino) } else { self.disk.readlink(ino) }
    }

    pub(crate) fn read_dir(
        &mut self,
        dir: u64,
        position: u64,
        visit: impl FnMut(DirEntry<'_>) -> bool,
    ) -> Result<(), Errno> {
        match self.is_changed(dir) {
            true => self.changed.read_dir(dir, position, visit),
            false => self.disk.read_dir(dir, position, visit),
        }
    }

    /// Where a page lies that the disk has of a file.
    pub(crate) fn page_source(&mut self, ino: u64, page: u64) -> Result<PageSource, Errno> {
        self.disk.page_source(ino, page)
    }

    /// As on the disk; but there is no more room than memory has.
    pub(crate) fn statfs(&self, contents: &dyn FileMemory) -> StatFs {
        let on_disk = self.disk.statfs();
        let free_bytes = contents.capacity_pages().1.saturating_mul(isa::PAGE_SIZE);
        let blocks_free = on_disk.blocks_free.min(free_bytes / on_disk.block_size.max(1));
        StatFs { blocks_free, ..on_disk }
    }

    /// A file is about to change.
    pub(crate) fn adopt(&mut self, ino: u64, contents: &mut dyn FileMemory) -> Result<(), Errno> {
        if self.is_changed(ino) {
            return Ok(());
        }
        let stat = self.disk.stat(ino)?;
        let body = match stat.file_type() {
            FileType::Regular => Adopted::File,
            FileType::Symlink => Adopted::Symlink(self.disk.readlink(ino)?),
            FileType::Directory => Adopted::Directory(self.names(ino)?),
            special => Adopted::Special(special),
        };
        self.disk.prepare_memory()?;
        let pin = self.pins.remove(&ino).unwrap_or_default();
        if matches!(body, Adopted::File) {
            contents.overlay(FileId { fs: self.id, ino }, stat.size);
        }
        self.changed.adopt(&stat, body, pin);
        Ok(())
    }

    /// A directory is about to be moved to `dir`: what is asked about those above must be known.
    pub(crate) fn adopt_above(&mut self, dir: u64, contents: &mut dyn FileMemory) -> Result<(), Errno> {
        let (mut at, top) = (dir, self.root());
        loop {
            self.adopt(at, contents)?;
            if at == top {
                return Ok(());
            }
            at = self.changed.lookup(at, b"..")?;
        }
    }

    /// All names of a directory on the disk.
    fn names(&mut self, dir: u64) -> Result<Directory, Errno> {
        let mut names = Directory::new(self.disk.lookup(dir, b"..")?);
        let (mut position, mut goes_on) = (0, true);
        while goes_on {
            self.disk.prepare_memory()?;
            let mut count = 0;
            goes_on = false;
            self.disk.read_dir(dir, position, |entry| {
                goes_on = count == NAMES_AT_A_TIME;
                if !goes_on {
                    (count, position) = (count + 1, entry.next);
                    if !matches!(entry.name, b"." | b"..") {
                        names.insert(entry.name, entry.ino, entry.file_type);
                    }
                }
                !goes_on
            })?;
        }
        Ok(names)
    }

    /// Frees files that have changed and that nobody can reach any more.
    pub(crate) fn reap(&mut self, contents: &mut dyn FileMemory, happenings: &mut Happenings) {
        self.changed.reap(contents, happenings);
    }

    /// Forgets all changes.
    pub(crate) fn forget(&mut self, contents: &mut dyn FileMemory) {
        self.changed.remove_all(contents);
    }
}
