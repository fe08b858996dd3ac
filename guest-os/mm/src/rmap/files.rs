//! Which pages of address spaces may show which pages of files.

use super::Mapper;
use crate::page_cache::{FileId, PageKey};
use crate::spaces::SpaceKey;
use crate::vma::{Backing, PageRange, Vma};
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use core::ops::{Bound, Range};
use isa::{PAGE_SIZE, Vpn};

/// Consecutive pages of an address space that show consecutive pages of a file, until they are stored to if the mapping is private.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interval {
    /// The file.
    pub file: FileId,
    /// The page of the file that the first page shows.
    pub first_page: u64,
    /// How many pages there are.
    pub len_pages: u64,
    /// The first page.
    pub at: Mapper,
}

/// Where an interval stands: by file and then by size, so that a page is looked for only where an interval of that size can begin.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Key {
    file: FileId,
    /// The binary logarithm of its length, rounded down.
    size: u32,
    first_page: u64,
    at: Mapper,
}

/// Where a search has come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Position(Key);

const FIRST_MAPPER: Mapper = Mapper { space: SpaceKey(0), vpn: Vpn(0) };

impl Key {
    fn first_of(file: FileId, size: u32, first_page: u64) -> Self {
        Self { file, size, first_page, at: FIRST_MAPPER }
    }
}

/// The intervals of all address spaces.
#[derive(Debug, Default)]
pub struct FileMappings {
    /// Their lengths in pages.
    intervals: BTreeMap<Key, u64>,
    /// How many intervals each file has; 0 until [`FileMappings::take_unmapped`] gives the file.
    counts: BTreeMap<FileId, u64>,
    /// Files in `counts` without an interval.
    unmapped: usize,
}

/// The pages of a file that the VMA of an address space shows.
fn interval(space: SpaceKey, vma: &Vma) -> Option<Interval> {
    let Backing::File(backing) = vma.backing else { return None };
    let of_file = backing.len_bytes.map_or(u64::MAX, |len_bytes| len_bytes.div_ceil(PAGE_SIZE));
    Some(Interval {
        file: backing.file,
        first_page: backing.first_page,
        len_pages: vma.range.len_pages().min(of_file),
        at: Mapper { space, vpn: vma.range.start },
    })
}

impl Interval {
    fn key(&self) -> Key {
        Key { file: self.file, size: self.len_pages.ilog2(), first_page: self.first_page, at: self.at }
    }
}

impl FileMappings {
    /// A VMA has come.
    pub(crate) fn add(&mut self, space: SpaceKey, vma: &Vma) {
        let Some(interval) = interval(space, vma) else { return };
        let before = self.intervals.insert(interval.key(), interval.len_pages);
        debug_assert!(before.is_none(), "{interval:?} is entered twice");
        match self.counts.entry(interval.file) {
            Entry::Occupied(mut count) => {
                self.unmapped -= usize::from(*count.get() == 0);
                *count.get_mut() += 1;
            }
            Entry::Vacant(count) => {
                count.insert(1);
            }
        }
    }

    /// A VMA has gone.
    pub(crate) fn remove(&mut self, space: SpaceKey, vma: &Vma) {
        let Some(interval) = interval(space, vma) else { return };
        let len_pages = self.intervals.remove(&interval.key());
        debug_assert_eq!(len_pages, Some(interval.len_pages), "{interval:?} was not entered");
        let count = self.counts.get_mut(&interval.file).expect("a file is unmapped after it was mapped");
        *count -= 1;
        self.unmapped += usize::from(*count == 0);
    }

    /// Whether some address space maps the file.
    pub fn is_mapped(&self, file: FileId) -> bool {
        self.counts.get(&file).is_some_and(|&count| count > 0)
    }

    /// How many VMAs show a file.
    pub fn count(&self, file: FileId) -> u64 {
        self.counts.get(&file).copied().unwrap_or(0)
    }

    /// A file that has lost its last mapping and was not given by this yet, the lowest number that is at least `from`.
    pub(crate) fn take_unmapped(&mut self, from: FileId) -> Option<FileId> {
        if self.unmapped == 0 {
            return None;
        }
        let (&file, _) = self.counts.range(from..).find(|&(_, &count)| count == 0)?;
        self.counts.remove(&file);
        self.unmapped -= 1;
        Some(file)
    }

    /// The pages that may show this page of a file.
    pub fn showing(&self, key: PageKey) -> impl Iterator<Item = Mapper> + '_ {
        let mut last = None;
        core::iter::from_fn(move || self.next_showing(key, &mut last))
    }

    /// The next page that may show this page of a file, behind the interval `last`, which it moves on. Intervals may come and go in between.
    ///
    /// Cost: a logarithm for each size of intervals that the file has, and for each interval of a size that begins less than twice that size before the page: most
    /// of them hold it.
    pub(crate) fn next_showing(&self, key: PageKey, last: &mut Option<Position>) -> Option<Mapper> {
        let mut from = match *last {
            Some(Position(last)) => Bound::Excluded(last),
            None => Bound::Included(Key::first_of(key.file, 0, 0)),
        };
        loop {
            let (&at, &len_pages) = self.intervals.range((from, Bound::Unbounded)).next()?;
            if at.file != key.file {
                return None;
            }
            let longest = (2 << at.size) - 1;
            let nearest = (key.index + 1).saturating_sub(longest);
            from = if at.first_page < nearest {
                Bound::Included(Key::first_of(key.file, at.size, nearest))
            } else if at.first_page > key.index {
                Bound::Included(Key::first_of(key.file, at.size + 1, 0))
            } else if key.index - at.first_page < len_pages {
                *last = Some(Position(at));
                let vpn = Vpn(at.at.vpn.0 + (key.index - at.first_page));
                return Some(Mapper { vpn, ..at.at });
            } else {
                Bound::Excluded(at)
            };
        }
    }

    /// The first interval of a file behind `last` (or the very first) that shows some of these pages of it.
    pub(crate) fn next_of(
        &self,
        file: FileId,
        pages: &Range<u64>,
        last: Option<Interval>,
    ) -> Option<Interval> {
        let from =
            last.map_or(Bound::Included(Key::first_of(file, 0, 0)), |last| Bound::Excluded(last.key()));
        let of_file = self.intervals.range((from, Bound::Unbounded)).take_while(|(key, _)| key.file == file);
        let whole = of_file.map(|(key, &len_pages)| Interval {
            file,
            first_page: key.first_page,
            len_pages,
            at: key.at,
        });
        whole.into_iter().find(|interval| !interval.pages_showing(pages).is_empty())
    }

    /// How many intervals there are.
    pub fn len(&self) -> usize {
        self.intervals.len()
    }
    /// Whether no file is mapped.
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }
    /// Every interval.
    pub fn iter(&self) -> impl Iterator<Item = Interval> + '_ {
        self.intervals.iter().map(|(key, &len_pages)| Interval {
            file: key.file,
            first_page: key.first_page,
            len_pages,
            at: key.at,
        })
    }
}

impl Interval {
    /// Its pages that show these pages of the file.
    pub(crate) fn pages_showing(&self, pages: &Range<u64>) -> PageRange {
        let at = |page: u64| Vpn(self.at.vpn.0 + page.saturating_sub(self.first_page).min(self.len_pages));
        PageRange::new(at(pages.start), at(pages.end).max(at(pages.start)))
    }
}
