//! The page cache: which frame holds which page of which file.
//!
//! A page is entered as [`PageState::Reading`] when its device read starts and becomes ready when the read is done; who
//! comes meanwhile waits. Clean pages can be dropped; a [`Policy`](crate::policy::Policy) says which goes first. Reads and
//! writes of the device are the caller's: this crate knows no file system. A file that lives in memory only
//! ([`Store::lives_in_memory`]) keeps its pages here and nowhere else, so they are never dropped.
//!
//! This file is the index. [`Memory`](crate::Memory) moves the frames.

use crate::frame::FrameId;
use alloc::collections::BTreeMap;
use isa::PAGE_SIZE;

/// A file, as the kernel numbers them: the same number is the same content. 0 is no file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileId(pub u64);

/// A page of a file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PageKey {
    /// Which file.
    pub file: FileId,
    /// Which page of it, counted from 0.
    pub index: u64,
}

/// Where a file's content lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Store {
    /// On a device. A page that is not in the cache is read from there, and a clean page can be dropped.
    Device,
    /// In the page cache alone. A page that is not there is a hole and reads as zeros. (Shared anonymous memory.)
    Memory,
    /// As [`Store::Memory`], but all such files together get at most half of the frames: programs that use them need
    /// some, too. (tmpfs, as in Linux.)
    Tmpfs,
}

impl Store {
    /// Whether the page cache is the only place where the content is.
    pub const fn lives_in_memory(self) -> bool {
        !matches!(self, Self::Device)
    }
}

/// What is known of a page of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageLookup {
    /// Past the end of the file.
    BeyondEnd,
    /// In the file but not in the cache: it must be read from the device.
    Absent,
    /// Not in the cache, and the file lives in memory: it is all zeros.
    Hole,
    /// A hole that must stay one: the files of [`Store::Tmpfs`] have all the frames that they may have.
    NoRoom,
    /// A read into this frame is under way.
    Reading(FrameId),
    /// In this frame.
    Ready(FrameId),
}

/// How far a cached page has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageState {
    /// The device is filling the frame.
    Reading,
    /// The frame holds the page.
    Ready {
        /// Whether the frame has changes that the device does not have.
        dirty: bool,
    },
}

#[derive(Clone, Copy, Debug)]
struct CachedPage {
    frame: FrameId,
    state: PageState,
}

#[derive(Debug)]
struct CachedFile {
    len_bytes: u64,
    store: Store,
    pages: BTreeMap<u64, CachedPage>,
}

/// Which frame holds which page of which file.
#[derive(Debug)]
pub struct PageCache {
    /// The most pages that files of [`Store::Tmpfs`] may have, and how many they have.
    tmpfs_limit: u64,
    tmpfs_pages: u64,
    /// Pages of all files that live in memory.
    memory_pages: u64,
    files: BTreeMap<FileId, CachedFile>,
    /// All cached pages.
    pages: usize,
}

impl PageCache {
    /// An empty cache, of which files of [`Store::Tmpfs`] may have `tmpfs_limit` pages.
    pub fn new(tmpfs_limit: u64) -> Self {
        Self { tmpfs_limit, tmpfs_pages: 0, memory_pages: 0, files: BTreeMap::new(), pages: 0 }
    }
    /// The most pages that files of [`Store::Tmpfs`] may have.
    pub fn tmpfs_limit(&self) -> u64 {
        self.tmpfs_limit
    }
    /// Pages that files of [`Store::Tmpfs`] have.
    pub fn tmpfs_pages(&self) -> u64 {
        self.tmpfs_pages
    }
    /// Cached pages of files that live in memory.
    pub fn memory_pages(&self) -> u64 {
        self.memory_pages
    }
    /// Cached pages of a file.
    pub fn file_pages(&self, file: FileId) -> u64 {
        self.files.get(&file).map_or(0, |f| f.pages.len() as u64)
    }
    /// Makes a file known, or brings what is known of it up to date. Pages past a shorter end are not dropped by this: see [`Memory::truncate_file`](crate::Memory::truncate_file).
    pub fn set_file(&mut self, file: FileId, len_bytes: u64, store: Store) {
        let entry = self.files.entry(file).or_insert(CachedFile { len_bytes, store, pages: BTreeMap::new() });
        assert!(entry.store == store, "{file:?} has moved to another store");
        entry.len_bytes = len_bytes;
    }
    /// The file's length, if it is known.
    pub fn file_len_bytes(&self, file: FileId) -> Option<u64> {
        self.files.get(&file).map(|f| f.len_bytes)
    }
    /// What is known of a page. An unknown file has no pages.
    pub fn lookup(&self, key: PageKey) -> PageLookup {
        let Some(file) = self.files.get(&key.file) else { return PageLookup::BeyondEnd };
        if key.index >= file.len_bytes.div_ceil(PAGE_SIZE) {
            return PageLookup::BeyondEnd;
        }
        match (file.pages.get(&key.index), file.store) {
            (Some(page), _) => match page.state {
                PageState::Reading => PageLookup::Reading(page.frame),
                PageState::Ready { .. } => PageLookup::Ready(page.frame),
            },
            (None, Store::Device) => PageLookup::Absent,
            (None, Store::Tmpfs) if self.tmpfs_pages >= self.tmpfs_limit => PageLookup::NoRoom,
            (None, Store::Memory | Store::Tmpfs) => PageLookup::Hole,
        }
    }
    /// The state of a cached page.
    pub fn state(&self, key: PageKey) -> Option<PageState> {
        self.files.get(&key.file)?.pages.get(&key.index).map(|page| page.state)
    }
    /// How many pages are cached.
    pub fn len(&self) -> usize {
        self.pages
    }
    /// Whether nothing is cached.
    pub fn is_empty(&self) -> bool {
        self.pages == 0
    }
    /// The cached pages, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (PageKey, FrameId, PageState)> + '_ {
        self.files.iter().flat_map(|(&file, cached)| {
            cached.pages.iter().map(move |(&index, page)| (PageKey { file, index }, page.frame, page.state))
        })
    }

    /// Says whether a ready page has changes that the device does not have.
    pub fn set_dirty(&mut self, key: PageKey, dirty: bool) {
        if let Some(CachedPage { state: PageState::Ready { dirty: d }, .. }) = self.page_mut(key) {
            *d = dirty;
        }
    }

    /// Enters a page in a state.
    pub(crate) fn enter(&mut self, key: PageKey, frame: FrameId, state: PageState) {
        let file = self.files.get_mut(&key.file).expect("pages are entered for known files only");
        let store = file.store;
        let before = file.pages.insert(key.index, CachedPage { frame, state });
        assert!(before.is_none(), "{key:?} is cached twice");
        self.pages += 1;
        self.memory_pages += u64::from(store.lives_in_memory());
        self.tmpfs_pages += u64::from(store == Store::Tmpfs);
    }
    /// The read of a page is done.
    pub(crate) fn set_ready(&mut self, key: PageKey) -> Option<FrameId> {
        let page = self.page_mut(key)?;
        page.state = PageState::Ready { dirty: false };
        Some(page.frame)
    }
    /// Forgets a page. Its frame is the caller's now.
    pub(crate) fn remove(&mut self, key: PageKey) -> Option<FrameId> {
        let file = self.files.get_mut(&key.file)?;
        let page = file.pages.remove(&key.index)?;
        self.memory_pages -= u64::from(file.store.lives_in_memory());
        self.tmpfs_pages -= u64::from(file.store == Store::Tmpfs);
        self.pages -= 1;
        Some(page.frame)
    }
    /// Forgets a file that has no cached page.
    pub(crate) fn forget_file(&mut self, file: FileId) {
        let removed = self.files.remove(&file);
        debug_assert!(removed.is_none_or(|f| f.pages.is_empty()));
    }
    /// The first cached page of a file from page `from` on.
    pub fn next_page(&self, file: FileId, from: u64) -> Option<PageKey> {
        let (&index, _) = self.files.get(&file)?.pages.range(from..).next()?;
        Some(PageKey { file, index })
    }
    /// Whether the page's content can be had again from a device, unchanged.
    pub(crate) fn is_clean_copy(&self, key: PageKey) -> bool {
        let stored = self.files.get(&key.file).is_some_and(|f| !f.store.lives_in_memory());
        stored && self.state(key) == Some(PageState::Ready { dirty: false })
    }

    fn page_mut(&mut self, key: PageKey) -> Option<&mut CachedPage> {
        self.files.get_mut(&key.file)?.pages.get_mut(&key.index)
    }
}

impl PageKey {
    /// Where the page begins in the file.
    pub const fn offset_bytes(self) -> u64 {
        self.index * PAGE_SIZE
    }
}
