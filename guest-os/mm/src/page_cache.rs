//! The page cache: which frame holds which page of which file.
//!
//! A page is entered as [`PageState::Reading`] when its device read starts and becomes ready when the read is done; who
//! comes meanwhile waits. Clean pages can be dropped; a [`Policy`](crate::policy::Policy) says which goes first. Reads and
//! writes of the device are the caller's: this crate knows no file system. A page that no device has ([`PageCache::is_only_here`])
//! is here, or in a slot of the swap space that is named here, and nowhere else.
//!
//! This file is the index. [`Memory`](crate::Memory) moves the frames.

use crate::frame::FrameId;
use crate::pte::SwapSlot;
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
    /// In the page cache alone, and in swap space. A page that is not there is a hole and reads as zeros. (Shared anonymous memory.)
    Memory,
    /// As [`Store::Memory`], but all such files together get at most half of the frames, and of the slots of the swap space that take the
    /// place of frames which a limit withholds: programs that use them need some, too. (tmpfs, as in Linux.)
    Tmpfs,
    /// On a device, which is never written: a page that has changed is as one of [`Store::Tmpfs`], and counts as one; others can be
    /// dropped and read again. Past the pages that the device has ([`PageCache::overlay`]) there are holes.
    Overlay,
}

impl Store {
    /// Pages of a file like this that the device has, until something else is said.
    const fn device_pages(self) -> u64 {
        match self {
            Self::Device => u64::MAX,
            Self::Memory | Self::Tmpfs | Self::Overlay => 0,
        }
    }
    /// Whether what is in memory only counts as tmpfs's.
    const fn is_limited(self) -> bool {
        matches!(self, Self::Tmpfs | Self::Overlay)
    }
}

/// What is known of a page of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageLookup {
    /// Past the end of the file.
    BeyondEnd,
    /// In the file but not in the cache: it must be read from the device.
    Absent,
    /// Neither in the cache nor on a device: it is all zeros.
    Hole,
    /// A hole that must stay one: the files of [`Store::Tmpfs`] and [`Store::Overlay`] have all the frames that they may have.
    NoRoom,
    /// In a slot of the swap space, from which it must be read.
    Swapped(SwapSlot),
    /// In a slot that is being read or written.
    SwapBusy(SwapSlot),
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

/// Where a page is.
#[derive(Clone, Copy, Debug)]
enum CachedPage {
    In {
        frame: FrameId,
        state: PageState,
        /// No device has this page as it is.
        is_only_here: bool,
    },
    Swapped(SwapSlot),
}

impl CachedPage {
    fn is_only_here(&self) -> bool {
        match *self {
            Self::In { is_only_here, .. } => is_only_here,
            Self::Swapped(_) => true,
        }
    }
}

/// What a page had that has left the cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Removed {
    Frame(FrameId),
    Slot(SwapSlot),
}

#[derive(Debug)]
struct CachedFile {
    len_bytes: u64,
    store: Store,
    /// The device has the pages before this one, unless they are only here.
    device_pages: u64,
    pages: BTreeMap<u64, CachedPage>,
}

/// Which frame holds which page of which file.
#[derive(Debug)]
pub struct PageCache {
    /// The most pages that files of [`Store::Tmpfs`] and [`Store::Overlay`] may have only here, and how many they have.
    tmpfs_limit: u64,
    tmpfs_pages: u64,
    /// Pages that are only here and have a frame.
    memory_pages: u64,
    /// Pages that are only here and have a slot instead.
    swapped_pages: u64,
    files: BTreeMap<FileId, CachedFile>,
    /// All pages that have a frame.
    pages: usize,
    /// How many of them are being read.
    reading: usize,
}

impl PageCache {
    /// An empty cache, of which files of [`Store::Tmpfs`] and [`Store::Overlay`] may have `tmpfs_limit` pages only here.
    pub fn new(tmpfs_limit: u64) -> Self {
        Self {
            tmpfs_limit,
            tmpfs_pages: 0,
            memory_pages: 0,
            swapped_pages: 0,
            files: BTreeMap::new(),
            pages: 0,
            reading: 0,
        }
    }
    /// The most pages that files of [`Store::Tmpfs`] and [`Store::Overlay`] may have only here.
    pub fn tmpfs_limit(&self) -> u64 {
        self.tmpfs_limit
    }
    /// From now on they may have so many.
    pub(crate) fn set_tmpfs_limit(&mut self, pages: u64) {
        self.tmpfs_limit = pages;
    }
    /// Pages that they have, in memory or in swap space.
    pub fn tmpfs_pages(&self) -> u64 {
        self.tmpfs_pages
    }
    /// Pages in memory that are only there.
    pub fn memory_pages(&self) -> u64 {
        self.memory_pages
    }
    /// Pages of files in memory that are in swap space: their slots are nobody's own.
    pub fn swapped_pages(&self) -> u64 {
        self.swapped_pages
    }
    /// How many pages are being read.
    pub fn reading(&self) -> usize {
        self.reading
    }
    /// Pages of a file that are in memory or in swap space.
    pub fn file_pages(&self, file: FileId) -> u64 {
        self.files.get(&file).map_or(0, |f| f.pages.len() as u64)
    }
    /// Makes a file known, or brings what is known of it up to date. Pages past a shorter end are not dropped by this: see [`Memory::truncate_file`](crate::Memory::truncate_file).
    pub fn set_file(&mut self, file: FileId, len_bytes: u64, store: Store) {
        let entry = self.files.entry(file).or_insert(CachedFile {
            len_bytes,
            store,
            device_pages: store.device_pages(),
            pages: BTreeMap::new(),
        });
        assert!(entry.store == store, "{file:?} has moved to another store");
        entry.len_bytes = len_bytes;
        if store == Store::Overlay {
            // What is cut off is a hole if the file grows again.
            entry.device_pages = entry.device_pages.min(len_bytes.div_ceil(PAGE_SIZE));
        }
    }
    /// A file on the device, `len_bytes` long, is about to change: from now on it is one of [`Store::Overlay`]. (Again: nothing is done.)
    pub fn overlay(&mut self, file: FileId, len_bytes: u64) {
        self.files.entry(file).or_insert(CachedFile {
            len_bytes,
            store: Store::Device,
            device_pages: u64::MAX,
            pages: BTreeMap::new(),
        });
        let entry = self.files.get_mut(&file).expect("it was just entered");
        if entry.store == Store::Device {
            (entry.store, entry.device_pages) = (Store::Overlay, entry.len_bytes.div_ceil(PAGE_SIZE));
        }
    }
    /// Pages from the first one on that the device has of a file, unless they are only here.
    pub fn device_pages(&self, file: FileId) -> u64 {
        self.files.get(&file).map_or(0, |f| f.device_pages)
    }
    /// The file's length, if it is known.
    pub fn file_len_bytes(&self, file: FileId) -> Option<u64> {
        self.files.get(&file).map(|f| f.len_bytes)
    }
    /// What the index says of a page. An unknown file has no pages. (What the disk does with a slot, [`Memory::look_up_page`](crate::Memory::look_up_page) knows.)
    pub fn lookup(&self, key: PageKey) -> PageLookup {
        let Some(file) = self.files.get(&key.file) else { return PageLookup::BeyondEnd };
        if key.index >= file.len_bytes.div_ceil(PAGE_SIZE) {
            return PageLookup::BeyondEnd;
        }
        match (file.pages.get(&key.index), file.store) {
            (Some(&CachedPage::In { frame, state: PageState::Reading, .. }), _) => PageLookup::Reading(frame),
            (Some(&CachedPage::In { frame, state: PageState::Ready { .. }, .. }), _) => {
                PageLookup::Ready(frame)
            }
            (Some(&CachedPage::Swapped(slot)), _) => PageLookup::Swapped(slot),
            (None, _) if key.index < file.device_pages => PageLookup::Absent,
            (None, store) if store.is_limited() && self.tmpfs_pages >= self.tmpfs_limit => PageLookup::NoRoom,
            (None, _) => PageLookup::Hole,
        }
    }
    /// The state of a page in memory.
    pub fn state(&self, key: PageKey) -> Option<PageState> {
        match *self.files.get(&key.file)?.pages.get(&key.index)? {
            CachedPage::In { state, .. } => Some(state),
            CachedPage::Swapped(_) => None,
        }
    }
    /// How many pages have a frame.
    pub fn len(&self) -> usize {
        self.pages
    }
    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.pages == 0
    }
    /// The pages that have a frame, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (PageKey, FrameId, PageState)> + '_ {
        self.files.iter().flat_map(|(&file, cached)| {
            cached.pages.iter().filter_map(move |(&index, page)| match *page {
                CachedPage::In { frame, state, .. } => Some((PageKey { file, index }, frame, state)),
                CachedPage::Swapped(_) => None,
            })
        })
    }
    /// The first page of a file from `index` on that has a frame, and its frame.
    pub fn next_of(&self, file: FileId, index: u64) -> Option<(u64, FrameId)> {
        self.files.get(&file)?.pages.range(index..).find_map(|(&index, page)| match *page {
            CachedPage::In { frame, .. } => Some((index, frame)),
            CachedPage::Swapped(_) => None,
        })
    }
    /// The pages in swap space, in the order of their keys.
    pub fn swapped(&self) -> impl Iterator<Item = (PageKey, SwapSlot)> + '_ {
        self.files.iter().flat_map(|(&file, cached)| {
            cached.pages.iter().filter_map(move |(&index, page)| match *page {
                CachedPage::In { .. } => None,
                CachedPage::Swapped(slot) => Some((PageKey { file, index }, slot)),
            })
        })
    }

    /// Says whether a ready page has changes that the device, or its slot, does not have. One of [`Store::Overlay`] that has is only here from
    /// then on.
    pub fn set_dirty(&mut self, key: PageKey, dirty: bool) {
        let Some(file) = self.files.get_mut(&key.file) else { return };
        if let Some(CachedPage::In { state: PageState::Ready { dirty: d }, is_only_here, .. }) =
            file.pages.get_mut(&key.index)
        {
            *d = dirty;
            if dirty && file.store == Store::Overlay && !core::mem::replace(is_only_here, true) {
                self.tmpfs_pages += 1;
                self.memory_pages += 1;
            }
        }
    }

    /// Enters a page in a state.
    pub(crate) fn enter(&mut self, key: PageKey, frame: FrameId, state: PageState) {
        let file = self.files.get_mut(&key.file).expect("pages are entered for known files only");
        let is_changed = file.store == Store::Overlay && state == PageState::Ready { dirty: true };
        let is_only_here = is_changed || key.index >= file.device_pages;
        let before = file.pages.insert(key.index, CachedPage::In { frame, state, is_only_here });
        assert!(before.is_none(), "{key:?} is cached twice");
        self.pages += 1;
        self.reading += usize::from(state == PageState::Reading);
        self.memory_pages += u64::from(is_only_here);
        self.tmpfs_pages += u64::from(is_only_here && file.store.is_limited());
    }
    /// The read of a page is done.
    pub(crate) fn set_ready(&mut self, key: PageKey) -> Option<FrameId> {
        let CachedPage::In { frame, state, .. } = self.page_mut(key)? else { return None };
        let (frame, was) = (*frame, core::mem::replace(state, PageState::Ready { dirty: false }));
        self.reading -= usize::from(was == PageState::Reading);
        Some(frame)
    }
    /// Forgets a page. Its frame, or its slot, is the caller's now.
    pub(crate) fn remove(&mut self, key: PageKey) -> Option<Removed> {
        let file = self.files.get_mut(&key.file)?;
        let page = file.pages.remove(&key.index)?;
        let is_only_here = page.is_only_here();
        self.tmpfs_pages -= u64::from(is_only_here && file.store.is_limited());
        Some(match page {
            CachedPage::In { frame, state, .. } => {
                self.reading -= usize::from(state == PageState::Reading);
                self.memory_pages -= u64::from(is_only_here);
                self.pages -= 1;
                Removed::Frame(frame)
            }
            CachedPage::Swapped(slot) => {
                self.swapped_pages -= 1;
                Removed::Slot(slot)
            }
        })
    }
    /// A page that is only here leaves its frame for a slot.
    pub(crate) fn swap_out(&mut self, key: PageKey, slot: SwapSlot) {
        let page = self.page_mut(key).expect("the page is there");
        assert!(
            matches!(page, CachedPage::In { state: PageState::Ready { .. }, is_only_here: true, .. }),
            "{key:?} is not in memory only"
        );
        *page = CachedPage::Swapped(slot);
        self.pages -= 1;
        self.memory_pages -= 1;
        self.swapped_pages += 1;
    }
    /// A page has come back from its slot, unchanged.
    pub(crate) fn swap_in(&mut self, key: PageKey, frame: FrameId) {
        let page = self.page_mut(key).expect("the page is there");
        assert!(matches!(page, CachedPage::Swapped(_)), "{key:?} is in memory");
        *page = CachedPage::In { frame, state: PageState::Ready { dirty: false }, is_only_here: true };
        self.pages += 1;
        self.memory_pages += 1;
        self.swapped_pages -= 1;
    }
    /// Forgets a file that has no page here.
    pub(crate) fn forget_file(&mut self, file: FileId) {
        let removed = self.files.remove(&file);
        debug_assert!(removed.is_none_or(|f| f.pages.is_empty()));
    }
    /// The first page of a file from page `from` on that is in memory or in swap space.
    pub fn next_page(&self, file: FileId, from: u64) -> Option<PageKey> {
        let (&index, _) = self.files.get(&file)?.pages.range(from..).next()?;
        Some(PageKey { file, index })
    }
    /// Whether no device has a page as it is, but the page cache or swap space.
    pub fn is_only_here(&self, key: PageKey) -> bool {
        self.files.get(&key.file).and_then(|f| f.pages.get(&key.index)).is_some_and(CachedPage::is_only_here)
    }
    /// Whether a file may have pages that no device has.
    pub fn may_be_only_here(&self, file: FileId) -> bool {
        self.store(file).is_some_and(|store| store != Store::Device)
    }
    /// Where the file lives, if it is known.
    pub(crate) fn store(&self, file: FileId) -> Option<Store> {
        self.files.get(&file).map(|f| f.store)
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
