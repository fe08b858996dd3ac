//! The gaps between VMAs: where is the highest one that is large enough?
//!
//! A tree over addresses whose inner nodes say how long the longest gap below them is, written as one sorted map: an entry of level 0
//! is a gap, one of level *n* speaks of 128 neighbours of level *n − 1*. Nodes with no gap below them are left out. So a search meets at
//! most 128 entries on each of four levels upwards and again downwards, however many gaps there are.

use alloc::collections::BTreeMap;
use core::ops::Range;
use isa::Vpn;

/// A node has 2^this children.
const CHILDREN_LOG2: u32 = 7;
/// The level on which a few nodes are all of user space.
const TOP_LEVEL: u64 = (crate::layout::USER_END_PAGE.0.ilog2() as u64 - 1) / CHILDREN_LOG2 as u64;

/// A node of the tree: its level above, and below it the number of the page that its gaps begin at, without the bits in which
/// they differ.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Node(u64);

impl Node {
    const PREFIX_BITS: u32 = 32;

    const fn new(level: u64, prefix: u64) -> Self {
        Self(level << Self::PREFIX_BITS | prefix)
    }
    const fn level(self) -> u64 {
        self.0 >> Self::PREFIX_BITS
    }
    const fn prefix(self) -> u64 {
        self.0 & ((1 << Self::PREFIX_BITS) - 1)
    }
    const fn of_gap(start: Vpn) -> Self {
        Self::new(0, start.0)
    }
    /// The node that speaks of this one; none at the top.
    fn parent(self) -> Option<Self> {
        (self.level() < TOP_LEVEL).then(|| Self::new(self.level() + 1, self.prefix() >> CHILDREN_LOG2))
    }
    /// The nodes that this one, which is no gap, speaks of.
    fn children(self) -> Range<Self> {
        let first = |prefix: u64| Self::new(self.level() - 1, prefix << CHILDREN_LOG2);
        first(self.prefix())..first(self.prefix() + 1)
    }
    /// The nodes with the same parent that come before this one.
    fn elder_siblings(self) -> Range<Self> {
        let first = self.parent().map_or(0, |parent| parent.prefix() << CHILDREN_LOG2);
        Self::new(self.level(), first)..self
    }
}

/// Gaps by the page they begin at. Their lengths are not 0.
#[derive(Clone, Debug, Default)]
pub(super) struct Gaps {
    longest: BTreeMap<Node, u64>,
}

impl Gaps {
    /// Enters a gap where none begins.
    pub(super) fn insert(&mut self, start: Vpn, len_pages: u64) {
        let mut next = Some(Node::of_gap(start));
        while let Some(node) = next {
            let longest = self.longest.entry(node).or_insert(0);
            if *longest >= len_pages {
                break;
            }
            *longest = len_pages;
            next = node.parent();
        }
    }

    /// Forgets the gaps that begin in `starts`.
    pub(super) fn remove(&mut self, starts: Range<Vpn>) {
        while let Some((&node, &len_pages)) =
            self.longest.range(Node::of_gap(starts.start)..Node::of_gap(starts.end)).next()
        {
            self.longest.remove(&node);
            self.shorten(node, len_pages);
        }
    }

    /// The highest gap of at least `len_pages` that begins at or below `highest`: where it begins, and its length.
    pub(super) fn last_fitting(&self, len_pages: u64, highest: Vpn) -> Option<(Vpn, u64)> {
        let fitting = |nodes: Range<Node>| {
            let mut last = self.longest.range(nodes).rev();
            last.find(|&(_, &longest)| longest >= len_pages).map(|(&node, &longest)| (node, longest))
        };
        // Up, until something to the left is long enough; then down to the last gap there.
        let mut bound = Node::of_gap(Vpn(highest.0 + 1));
        let (mut node, mut longest) = loop {
            match fitting(bound.elder_siblings()) {
                Some(found) => break found,
                None => bound = bound.parent()?,
            }
        };
        while node.level() > 0 {
            (node, longest) = fitting(node.children()).expect("a node tells of a gap below it");
        }
        Some((Vpn(node.prefix()), longest))
    }

    /// A gap of `len_pages` below the nodes above `gone` is no more: what is the longest that is left?
    fn shorten(&mut self, gone: Node, len_pages: u64) {
        let mut next = gone.parent();
        while let Some(node) = next {
            if self.longest.get(&node) != Some(&len_pages) {
                break;
            }
            let mut longest_left = 0;
            for (_, &longest) in self.longest.range(node.children()) {
                if longest == len_pages {
                    return;
                }
                longest_left = longest_left.max(longest);
            }
            match longest_left {
                0 => self.longest.remove(&node),
                _ => self.longest.insert(node, longest_left),
            };
            next = node.parent();
        }
    }
}
