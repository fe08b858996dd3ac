//! Page replacement: which page of the page cache goes when a frame is needed.
//!
//! A [`Replacement`] is told facts (a page has come, was used, has gone) and names a victim. It knows neither frames nor page
//! tables: whether a page may go at all (clean, not mapped, not held by I/O) is the page cache's to know, which offers the policy *candidates* only, as
//! far as it has looked. A policy must be deterministic, and no call may take more than logarithmic time.

use crate::page_cache::PageKey;
use alloc::collections::BTreeMap;
use core::fmt;

/// A word that the page cache keeps with each page for the policy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Mark(u64);

/// A replacement policy.
pub trait Replacement: fmt::Debug {
    /// A page has come into the cache.
    fn enters(&mut self, page: PageKey) -> Mark;
    /// A page was looked up. Only candidates can be chosen; those that are not keep their place for when they are again.
    fn is_used(&mut self, page: PageKey, mark: Mark, is_candidate: bool) -> Mark;
    /// A page may be chosen from now on.
    fn add_candidate(&mut self, page: PageKey, mark: Mark);
    /// A page may not be chosen any more: it has left the cache, or is in use.
    fn remove_candidate(&mut self, page: PageKey, mark: Mark);
    /// The candidate to go first. It stays one until it is removed.
    fn victim(&self) -> Option<PageKey>;
}

/// The page that was not looked up for the longest time goes first. (A mapped page is looked up at faults only.)
#[derive(Debug, Default)]
pub struct LeastRecentlyUsed {
    /// Counts uses; a mark is the count of the last one.
    clock: u64,
    candidates: BTreeMap<Mark, PageKey>,
}

impl LeastRecentlyUsed {
    fn now(&mut self) -> Mark {
        self.clock += 1;
        Mark(self.clock)
    }
}

impl Replacement for LeastRecentlyUsed {
    fn enters(&mut self, _: PageKey) -> Mark {
        self.now()
    }
    fn is_used(&mut self, page: PageKey, mark: Mark, is_candidate: bool) -> Mark {
        let now = self.now();
        if is_candidate {
            self.candidates.remove(&mark);
            self.candidates.insert(now, page);
        }
        now
    }
    fn add_candidate(&mut self, page: PageKey, mark: Mark) {
        self.candidates.insert(mark, page);
    }
    fn remove_candidate(&mut self, _: PageKey, mark: Mark) {
        self.candidates.remove(&mark);
    }
    fn victim(&self) -> Option<PageKey> {
        self.candidates.first_key_value().map(|(_, &page)| page)
    }
}
