//! The file systems that are in memory alone: `/tmp`, `/dev/shm`, and those that programs mount (tmpfs(5)).
//!
//! All share the memory there is for files; one that was mounted with a size has no more than that. What its files take is counted anew when
//! writing could have brought it to its size, so that writing costs no count as long as there is room.

use super::{SHM, TMP};
use crate::tmpfs::Tmpfs;
use crate::{Errno, FileId, FileMemory, FileSystemId, StatFs, Timestamp};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use core::ops::Range;
use isa::PAGE_SIZE;

/// One of them.
struct Volume {
    tmpfs: Tmpfs,
    /// Pages that its files may take; `None` for as many as there are.
    size_pages: Option<u64>,
    /// Pages that may be written before its files are counted again.
    budget_pages: u64,
}

/// All of them.
pub(super) struct InMemory(BTreeMap<FileSystemId, Box<Volume>>);

impl InMemory {
    pub(super) fn new(boot: Timestamp) -> Self {
        let volume = |id| (id, Volume::boxed(Tmpfs::new(id, boot), None));
        Self(BTreeMap::from([volume(TMP), volume(SHM)]))
    }

    pub(super) fn get(&self, fs: FileSystemId) -> Option<&Tmpfs> {
        self.0.get(&fs).map(|volume| &volume.tmpfs)
    }
    pub(super) fn get_mut(&mut self, fs: FileSystemId) -> Option<&mut Tmpfs> {
        self.0.get_mut(&fs).map(|volume| &mut volume.tmpfs)
    }
    pub(super) fn iter(&self) -> impl Iterator<Item = &Tmpfs> {
        self.0.values().map(|volume| &volume.tmpfs)
    }
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Tmpfs> {
        self.0.values_mut().map(|volume| &mut volume.tmpfs)
    }

    /// Adds an empty one. ENOSPC if there are as many as there can be.
    pub(super) fn add(&mut self, size_pages: Option<u64>, now: Timestamp) -> Result<&mut Tmpfs, Errno> {
        let id = FileSystemId::mounted().find(|id| !self.0.contains_key(id)).ok_or(Errno::ENOSPC)?;
        let volume = self.0.entry(id).or_insert_with(|| Volume::boxed(Tmpfs::new(id, now), size_pages));
        Ok(&mut volume.tmpfs)
    }

    /// Gives one another size. EINVAL if its files take more already.
    pub(super) fn resize(
        &mut self,
        fs: FileSystemId,
        size_pages: Option<u64>,
        contents: &dyn FileMemory,
    ) -> Result<(), Errno> {
        let Some(volume) = self.0.get_mut(&fs) else { return Err(Errno::EINVAL) };
        if size_pages.is_some_and(|size| volume.tmpfs.resident_pages(contents) > size) {
            return Err(Errno::EINVAL);
        }
        (volume.size_pages, volume.budget_pages) = (size_pages, 0);
        Ok(())
    }

    /// Takes one away, with all that its files hold. Nobody uses them.
    pub(super) fn remove(&mut self, fs: FileSystemId, contents: &mut dyn FileMemory) {
        if let Some(mut volume) = self.0.remove(&fs) {
            volume.tmpfs.remove_all(contents);
        }
    }

    /// How many of these bytes of a file may be written: all, unless the file system has a size. ENOSPC for none.
    pub(super) fn room(
        &mut self,
        file: FileId,
        bytes: Range<u64>,
        contents: &dyn FileMemory,
    ) -> Result<u64, Errno> {
        let wanted = bytes.end - bytes.start;
        let Some(volume) = self.0.get_mut(&file.fs) else { return Ok(wanted) };
        let Some(size) = volume.size_pages else { return Ok(wanted) };
        let pages = bytes.start / PAGE_SIZE..bytes.end.div_ceil(PAGE_SIZE);
        if let Some(left) = volume.budget_pages.checked_sub(pages.end - pages.start) {
            volume.budget_pages = left;
            return Ok(wanted);
        }
        let mut left = size.saturating_sub(volume.tmpfs.resident_pages(contents));
        let first_without_room = pages.into_iter().find(|&page| {
            let is_there = contents.next_page(file, page) == Some(page);
            let is_too_much = !is_there && left == 0;
            left -= u64::from(!is_there && !is_too_much);
            is_too_much
        });
        volume.budget_pages = left;
        match first_without_room.map(|page| (page * PAGE_SIZE).saturating_sub(bytes.start)) {
            None => Ok(wanted),
            Some(0) => Err(Errno::ENOSPC),
            Some(room) => Ok(room),
        }
    }

    /// What `statfs` says of one; `entries` are the names in all of them.
    pub(super) fn statfs(
        &self,
        fs: FileSystemId,
        contents: &dyn FileMemory,
        entries: u64,
    ) -> Result<StatFs, Errno> {
        let volume = self.0.get(&fs).ok_or(Errno::EINVAL)?;
        let all = Tmpfs::statfs(contents, entries);
        Ok(match volume.size_pages {
            None => all,
            Some(size) => {
                let free = size.saturating_sub(volume.tmpfs.resident_pages(contents)).min(all.blocks_free);
                StatFs { blocks: size, blocks_free: free, ..all }
            }
        })
    }
}

impl Volume {
    fn boxed(tmpfs: Tmpfs, size_pages: Option<u64>) -> Box<Self> {
        Box::new(Self { tmpfs, size_pages, budget_pages: 0 })
    }
}
