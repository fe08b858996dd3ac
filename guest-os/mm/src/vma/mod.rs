//! VMAs: which pages of an address space may be used, how, and what they hold before anyone has touched them.
//!
//! A [`Vma`] is a range of pages with one protection and one backing. A [`VmaSet`] keeps the VMAs of an address
//! space disjoint and in order, and merges neighbours that are alike. Nothing here maps a page: that is
//! the business of [`AddressSpace`](crate::AddressSpace).

mod gaps;
mod set;

pub use set::{RangeError, VmaSet};

use crate::page_cache::{FileId, PageKey};
use alloc::rc::Rc;
use alloc::vec::Vec;
use bitflags::bitflags;
use core::any::Any;
use core::fmt;
use isa::events::{self, Access};
use isa::{PAGE_SIZE, VirtAddr, Vpn};

bitflags! {
    /// What a user program may do with a page.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct Prot: u8 {
        /// Load from it.
        const READ = 1;
        /// Store to it.
        const WRITE = 2;
        /// Fetch instructions from it.
        const EXEC = 4;
    }
}

impl Prot {
    /// Whether the access is allowed. As the hardware can't map a page that is writable and not readable,
    /// permission to write is permission to read.
    pub fn allows(self, access: Access) -> bool {
        match access {
            Access::Read => self.intersects(Self::READ | Self::WRITE),
            Access::Write => self.contains(Self::WRITE),
            Access::Execute => self.contains(Self::EXEC),
        }
    }
}

bitflags! {
    /// Properties of a VMA other than its protection.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct VmaFlags: u8 {
        /// Stores are seen by everyone who maps the same file; without it they are private to the process.
        const SHARED = 1;
        /// A stack: it grows down when a page below it is touched.
        const GROWS_DOWN = 2;
        /// It may never become writable: a shared mapping of a file that was opened for reading.
        const NEVER_WRITABLE = 4;
        /// A child of `fork` has nothing there (MADV_DONTFORK).
        const DONT_FORK = 8;
        /// A child of `fork` finds zeros there (MADV_WIPEONFORK).
        const WIPE_ON_FORK = 16;
        /// Its pages stay in memory (mlock): none of them may be evicted. A child of `fork` has them unlocked.
        const LOCKED = 32;
        /// They come with their first touch, and stay from then on (MLOCK_ONFAULT); never without `LOCKED`.
        const LOCKED_ON_FAULT = 64;
        /// All that locks pages.
        const LOCKS = 32 | 64;
    }
}

/// A range of pages, `start` included, `end` not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PageRange {
    /// First page.
    pub start: Vpn,
    /// First page behind the range.
    pub end: Vpn,
}

impl PageRange {
    /// The range from `start` up to `end`.
    pub fn new(start: Vpn, end: Vpn) -> Self {
        assert!(start <= end, "a range of pages ends before it starts");
        Self { start, end }
    }
    /// The `len_pages` pages from `start` on; `None` if they leave user space.
    pub fn in_user_space(start: Vpn, len_pages: u64) -> Option<Self> {
        let end = Vpn(start.0.checked_add(len_pages)?);
        (end <= crate::layout::USER_END_PAGE).then_some(Self { start, end })
    }
    /// The pages that hold the bytes `[va, va + len_bytes)`; `None` if they leave user space.
    pub fn covering(va: VirtAddr, len_bytes: u64) -> Option<Self> {
        let end = va.0.checked_add(len_bytes)?.checked_add(PAGE_SIZE - 1)?;
        let range = Self { start: va.page(), end: VirtAddr(end).page() };
        (range.end <= crate::layout::USER_END_PAGE).then_some(range)
    }
    /// How many pages it has.
    pub fn len_pages(self) -> u64 {
        self.end.0 - self.start.0
    }
    /// Whether it has no page.
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
    /// Whether `vpn` lies in it.
    pub fn contains(self, vpn: Vpn) -> bool {
        self.start <= vpn && vpn < self.end
    }
    /// Whether it shares a page with `other`: an empty range does so with none.
    pub fn overlaps(self, other: Self) -> bool {
        self.start.max(other.start) < self.end.min(other.end)
    }
    /// The pages that both have; empty if there is none.
    pub fn intersect(self, other: Self) -> Self {
        let start = self.start.max(other.start);
        Self { start, end: self.end.min(other.end).max(start) }
    }
    /// Its pages, in order.
    pub fn pages(self) -> impl Iterator<Item = Vpn> {
        (self.start.0..self.end.0).map(Vpn)
    }
}

/// Pages of a file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FileBacking {
    /// Which file.
    pub file: FileId,
    /// The page of the file that the VMA's first page shows.
    pub first_page: u64,
    /// If set, only so many bytes from the VMA's start on come from the file, and the rest is zero: the bss tail
    /// of an ELF segment. If not, all of them do, and pages past the end of the file raise SIGBUS.
    pub len_bytes: Option<u64>,
}

impl FileBacking {
    /// The same backing, seen from a VMA that starts `pages` further on. `None` if nothing of the file is left.
    fn skip_pages(self, pages: u64) -> Option<Self> {
        let len_bytes = match self.len_bytes {
            Some(len) => Some(len.checked_sub(pages * PAGE_SIZE).filter(|&left| left > 0)?),
            None => None,
        };
        Some(Self { first_page: self.first_page + pages, len_bytes, ..self })
    }
    /// The same backing for a VMA of only `pages` pages.
    fn keep_pages(self, pages: u64) -> Self {
        Self { len_bytes: self.len_bytes.filter(|&len| len < pages * PAGE_SIZE), ..self }
    }
}

/// What the pages of a VMA hold before anyone has stored to them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Backing {
    /// Zeros.
    Anon,
    /// A file.
    File(FileBacking),
}

/// What one page of a VMA holds before anyone has stored to it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PageSource {
    /// Zeros.
    Zeros,
    /// A page of a file, whole.
    File(PageKey),
    /// The first `len_bytes` bytes (at least one, less than a page) of a page of a file, then zeros.
    FileThenZeros {
        /// Which page of which file.
        key: PageKey,
        /// Bytes that come from the file.
        len_bytes: u64,
    },
}

impl PageSource {
    /// The page of the file that is behind it.
    pub fn key(self) -> Option<PageKey> {
        match self {
            Self::Zeros => None,
            Self::File(key) | Self::FileThenZeros { key, .. } => Some(key),
        }
    }
}

/// What `/proc/PID/maps` calls a VMA. It takes no memory of its own, however long it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Name {
    /// `[heap]`, `[stack]`, or nothing.
    Text(&'static str),
    /// A file's path.
    Path(Rc<OpenPath>),
}

/// By which path a file was opened, and what the kernel keeps for as long as a VMA shows it as it was opened: the right to write it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenPath {
    /// The path, shared with the open file.
    pub path: Rc<Vec<u8>>,
    /// What is kept.
    pub kept: Option<Kept>,
}

/// A VMA is moved a lot: 16 bytes more are 4 % more instructions for an `mmap` with its `munmap`.
const _: () = assert!(size_of::<Vma>() <= 88);

/// Something of the kernel's that lives as long as a VMA has it. Two are equal if they keep the same thing.
#[derive(Clone)]
pub struct Kept(pub Rc<dyn Any>);

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Kept {}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

impl Name {
    /// Its bytes, which need not be UTF-8.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Path(open) => &open.path,
        }
    }
}

impl From<&'static str> for Name {
    fn from(text: &'static str) -> Self {
        Self::Text(text)
    }
}

/// A range of pages with one protection and one backing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Vma {
    /// The pages; never empty.
    pub range: PageRange,
    /// What the program may do with them.
    pub prot: Prot,
    /// Shared or private, stack or not.
    pub flags: VmaFlags,
    /// What they hold at first.
    pub backing: Backing,
    /// What `/proc/PID/maps` calls it.
    pub name: Name,
}

impl Vma {
    /// Whether stores are seen by others.
    pub fn is_shared(&self) -> bool {
        self.flags.contains(VmaFlags::SHARED)
    }
    /// Whether its pages are not to be evicted.
    pub fn is_locked(&self) -> bool {
        self.flags.contains(VmaFlags::LOCKED)
    }
    /// The file behind it, if there is one.
    pub fn file(&self) -> Option<FileId> {
        match self.backing {
            Backing::Anon => None,
            Backing::File(file) => Some(file.file),
        }
    }
    /// What the page `vpn`, which lies in the VMA, holds before anyone has stored to it.
    pub fn source(&self, vpn: Vpn) -> PageSource {
        debug_assert!(self.range.contains(vpn));
        let Backing::File(file) = self.backing else { return PageSource::Zeros };
        let page = vpn.0 - self.range.start.0;
        let key = PageKey { file: file.file, index: file.first_page + page };
        match file.len_bytes.map(|len| len.saturating_sub(page * PAGE_SIZE)) {
            None | Some(PAGE_SIZE..) => PageSource::File(key),
            Some(0) => PageSource::Zeros,
            Some(len_bytes) => PageSource::FileThenZeros { key, len_bytes },
        }
    }
    /// Protection and flags as event records carry them (`detail3`).
    pub fn event_flags(&self) -> u64 {
        [
            (self.prot.contains(Prot::READ), events::VMA_READ),
            (self.prot.contains(Prot::WRITE), events::VMA_WRITE),
            (self.prot.contains(Prot::EXEC), events::VMA_EXEC),
            (self.is_shared(), events::VMA_SHARED),
            (self.flags.contains(VmaFlags::GROWS_DOWN), events::VMA_GROWSDOWN),
        ]
        .into_iter()
        .filter_map(|(set, bit)| set.then_some(bit))
        .sum()
    }

    /// The part of the VMA that lies in `range`, which it overlaps.
    pub(crate) fn part(&self, range: PageRange) -> Vma {
        let range = self.range.intersect(range);
        debug_assert!(!range.is_empty());
        let backing = match self.backing {
            Backing::Anon => Backing::Anon,
            Backing::File(file) => match file.skip_pages(range.start.0 - self.range.start.0) {
                Some(file) => Backing::File(file.keep_pages(range.len_pages())),
                None => Backing::Anon,
            },
        };
        Vma { range, backing, ..self.clone() }
    }

    /// Whether `next`, which begins where this VMA ends, could be one VMA with it.
    fn continues_in(&self, next: &Vma) -> bool {
        let alike = self.range.end == next.range.start
            && self.prot == next.prot
            && self.flags == next.flags
            && self.name == next.name
            && !self.flags.contains(VmaFlags::GROWS_DOWN);
        alike
            && match (self.backing, next.backing) {
                (Backing::Anon, Backing::Anon) => true,
                (Backing::File(a), Backing::File(b)) => {
                    a.file == b.file
                        && a.len_bytes.is_none()
                        && b.len_bytes.is_none()
                        && a.first_page + self.range.len_pages() == b.first_page
                }
                _ => false,
            }
    }
}
