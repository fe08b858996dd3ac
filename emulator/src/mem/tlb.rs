//! The translation lookaside buffer, as a modelled piece of hardware: one side (instruction or data) of it.
//!
//! Contents and counters are guest-visible facts of the machine: saved, hashed, the same in every engine. The
//! fast arrays ([`super::fast`]) are caches of this model and never know more than it does.
//!
//! **Index.** A side of `sets` sets (a power of two) looks for virtual page number `vpn` in set
//! `(vpn ^ vpn >> 12 ^ vpn >> 24) mod sets`: folded by the index bits of the default geometry, so that a stride of as
//! many pages as it has entries does not fall into one set. The ASID is not part of the index, so that a global entry is
//! found from every address space. Superpages are installed as 4 KiB fragments that remember
//! their leaf's level and size (a NAPOT leaf is 16 pages of level 0).
//!
//! **Policy.** An empty way is filled first; else the victim is the oldest entry of the set (`fifo`) or the one
//! used longest ago (`lru`). A hit changes nothing except under `lru`, which is therefore kept out of the fast
//! arrays. Follows the privileged manual, "Supervisor Memory-Management Fence Instruction".

use core::fmt;
use core::iter::Sum;
use core::ops::{Add, Sub};
use core::str::FromStr;
use isa::paging::{Leaf, NAPOT_PAGES_LOG2, PteFlags, Scheme, pages_log2};
use isa::{Ppn, VirtAddr, Vpn};
use serde::{Deserialize, Serialize};

/// Which entry of a full set makes room.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Policy {
    /// First in, first out.
    #[default]
    Fifo,
    /// Least recently used.
    Lru,
}

/// Size, associativity and replacement policy of both sides.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TlbGeometry {
    entries: u32,
    ways: u32,
    policy: Policy,
}

impl Default for TlbGeometry {
    /// 4096 entries a side, direct-mapped.
    fn default() -> Self {
        Self { entries: 4096, ways: 1, policy: Policy::Fifo }
    }
}

/// Why a text is not a geometry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadGeometry;

impl fmt::Display for BadGeometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "expected ENTRIES[xWAYS[:POLICY]], for example 4096, 64x4 or 64x4:lru: WAYS must divide ENTRIES, \
             ENTRIES / WAYS must be a power of two up to 65536, POLICY is fifo or lru",
        )
    }
}

impl TlbGeometry {
    /// A geometry of `entries` a side in sets of `ways`, if the number of sets is a power of two.
    pub fn new(entries: u32, ways: u32, policy: Policy) -> Option<Self> {
        let whole = ways != 0 && entries.is_multiple_of(ways) && entries <= 1 << 16;
        (whole && (entries / ways).is_power_of_two()).then_some(Self { entries, ways, policy })
    }
    /// Entries a side.
    pub const fn entries(self) -> u32 {
        self.entries
    }
    /// Entries a set.
    pub const fn ways(self) -> u32 {
        self.ways
    }
    /// Which entry makes room.
    pub const fn policy(self) -> Policy {
        self.policy
    }
}

impl FromStr for TlbGeometry {
    type Err = BadGeometry;

    fn from_str(text: &str) -> Result<Self, BadGeometry> {
        let (size, policy) = match text.split_once(':') {
            None => (text, Policy::Fifo),
            Some((size, "fifo")) => (size, Policy::Fifo),
            Some((size, "lru")) => (size, Policy::Lru),
            Some(_) => return Err(BadGeometry),
        };
        let (entries, ways) = size.split_once('x').unwrap_or((size, "1"));
        let number = |text: &str| text.parse().map_err(|_| BadGeometry);
        Self::new(number(entries)?, number(ways)?, policy).ok_or(BadGeometry)
    }
}

impl fmt::Display for TlbGeometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let policy = match self.policy {
            Policy::Fifo => "fifo",
            Policy::Lru => "lru",
        };
        write!(f, "{}x{}:{policy}", self.entries, self.ways)
    }
}

/// A cached translation of one 4 KiB page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TlbEntry {
    vpn: u64,
    ppn: u64,
    /// When it was filled (fifo) or last used (lru).
    stamp: u64,
    /// Valid while equal to the side's generation.
    generation: u32,
    flags: u16,
    asid: u16,
    level: u8,
    /// log2 of the pages that the leaf maps.
    pages_log2: u8,
}

impl TlbEntry {
    /// The virtual page.
    pub const fn vpn(&self) -> Vpn {
        Vpn(self.vpn)
    }
    /// The frame.
    pub const fn ppn(&self) -> Ppn {
        Ppn(self.ppn)
    }
    /// The flags of the leaf entry when it was walked.
    pub const fn flags(&self) -> PteFlags {
        PteFlags::from_bits_truncate(self.flags as u64)
    }
    /// The address space it was walked in (of no account if it is global).
    pub const fn asid(&self) -> u16 {
        self.asid
    }
    /// Level of the leaf that this is a fragment of: 0 for a 4 KiB page.
    pub const fn level(&self) -> u8 {
        self.level
    }
    const fn is_global(&self) -> bool {
        self.flags as u64 & PteFlags::G.bits() != 0
    }
    const fn serves(&self, asid: u16) -> bool {
        self.asid == asid || self.is_global()
    }
}

// What docs/architecture.md counts with ("The host's memory").
const _: () = assert!(size_of::<TlbEntry>() == 40);

/// What a flush has dropped, so that the fast arrays drop it too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flushed {
    /// At most entries of this page.
    Page(Vpn),
    /// Possibly entries of any page.
    Anything,
}

/// Bytes of the superpage filter.
const FILTER_SLOTS: usize = 256;

/// One side of the TLB.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tlb {
    geometry: TlbGeometry,
    entries: Vec<TlbEntry>,
    set_mask: u64,
    /// Entries of another generation are empty: a full flush adds one.
    generation: u32,
    clock: u64,
    /// One bit for each entry that is in use: what drops some of them looks at no others.
    in_use: Vec<u64>,
    /// Counts the live fragments of larger leaves by a hash of (size, leaf): zero means that none is of that leaf.
    superpages: Vec<u32>,
    /// The live fragments of leaves of each size of [`LARGE_LEAVES`].
    fragments: [u32; LARGE_LEAVES.len()],
    /// Translations asked for.
    pub accesses: u64,
    /// Those that needed a walk.
    pub misses: u64,
    /// How often it was made to forget entries, whether it had such or not.
    flushes: u64,
    /// The entries that it forgot so.
    flushed: u64,
}

/// What sides of the TLB have counted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TlbCounters {
    /// Translations asked for.
    pub accesses: u64,
    /// Those that needed a walk.
    pub misses: u64,
    /// Flushes: an SFENCE.VMA or its like of the firmware, once for each page that it names, whether there were entries or not.
    pub flushes: u64,
    /// The entries that were dropped by flushes.
    pub flushed: u64,
}

impl Add for TlbCounters {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            accesses: self.accesses + other.accesses,
            misses: self.misses + other.misses,
            flushes: self.flushes + other.flushes,
            flushed: self.flushed + other.flushed,
        }
    }
}

impl Sub for TlbCounters {
    type Output = Self;

    /// What has been counted since `earlier`.
    fn sub(self, earlier: Self) -> Self {
        Self {
            accesses: self.accesses - earlier.accesses,
            misses: self.misses - earlier.misses,
            flushes: self.flushes - earlier.flushes,
            flushed: self.flushed - earlier.flushed,
        }
    }
}

impl Sum for TlbCounters {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

/// The sizes of leaves that are installed as fragments, as log2 of their pages: each at its [`size_class`].
const LARGE_LEAVES: [u8; 1 + Scheme::Sv57.root_level() as usize] =
    [NAPOT_PAGES_LOG2, pages_log2(1), pages_log2(2), pages_log2(3), pages_log2(4)];

const fn size_class(log2: u8) -> usize {
    (log2 / pages_log2(1)) as usize
}

#[allow(clippy::cast_possible_truncation)] // the high bits of a product
fn filter_slot(vpn: u64, pages_log2: u8) -> usize {
    // A kernel's leaves and a user's differ in few bits: folding them would let the one's fences look for the other's.
    let mixed = (vpn >> pages_log2 ^ u64::from(pages_log2)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> (u64::BITS - FILTER_SLOTS.ilog2())) as usize
}

#[allow(clippy::cast_possible_truncation)] // the flag bits of an entry are its low ten
const fn flag_bits(flags: PteFlags) -> u16 {
    flags.bits() as u16
}

impl Tlb {
    /// An empty side.
    pub fn new(geometry: TlbGeometry) -> Self {
        Self {
            geometry,
            entries: vec![TlbEntry::default(); geometry.entries as usize],
            set_mask: u64::from(geometry.entries / geometry.ways) - 1,
            generation: 1,
            clock: 0,
            in_use: vec![0; (geometry.entries as usize).div_ceil(64)],
            superpages: vec![0; FILTER_SLOTS],
            fragments: [0; LARGE_LEAVES.len()],
            accesses: 0,
            misses: 0,
            flushes: 0,
            flushed: 0,
        }
    }
    /// What it has counted.
    pub const fn counters(&self) -> TlbCounters {
        let Self { accesses, misses, flushes, flushed, .. } = *self;
        TlbCounters { accesses, misses, flushes, flushed }
    }
    /// The geometry that it was built with.
    pub const fn geometry(&self) -> TlbGeometry {
        self.geometry
    }
    /// Whether a hit changes nothing, so that hits may be answered without asking the model.
    #[inline]
    pub const fn hits_are_silent(&self) -> bool {
        self.geometry.ways == 1 || matches!(self.geometry.policy, Policy::Fifo)
    }
    /// The entries in use, with their place.
    pub fn live_entries(&self) -> impl Iterator<Item = (usize, &TlbEntry)> {
        self.entries.iter().enumerate().filter(|(_, entry)| entry.generation == self.generation)
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation)] // masked to the number of sets
    fn set_of(&self, vpn: u64) -> core::ops::Range<usize> {
        let set = (vpn ^ vpn >> 12 ^ vpn >> 24) & self.set_mask;
        let (first, ways) = (set as usize * self.geometry.ways as usize, self.geometry.ways as usize);
        first..first + ways
    }

    /// The entry for a page in an address space, and its place. Nothing changes.
    #[inline]
    pub fn find(&self, vpn: Vpn, asid: u16) -> Option<(usize, &TlbEntry)> {
        let set = self.set_of(vpn.0);
        let first = set.start;
        let held = |entry: &TlbEntry| {
            entry.vpn == vpn.0 && entry.generation == self.generation && entry.serves(asid)
        };
        let ways = self.entries.get(set)?;
        ways.iter().enumerate().find(|(_, entry)| held(entry)).map(|(way, entry)| (first + way, entry))
    }

    /// The entry at a place that [`Tlb::find`] gave has been asked for.
    #[inline]
    pub fn touch(&mut self, place: usize) {
        if matches!(self.geometry.policy, Policy::Fifo) {
            return;
        }
        // The newest stays so without a change: a block asks once for its page, single steps ask each time.
        if let Some(entry) = self.entries.get_mut(place).filter(|entry| entry.stamp != self.clock) {
            self.clock += 1;
            entry.stamp = self.clock;
        }
    }

    /// Puts the fragment of `leaf` that maps `va` in. The page whose entry made room for it, if any.
    pub fn install(&mut self, va: VirtAddr, asid: u16, leaf: Leaf) -> Option<Vpn> {
        let vpn = va.page().0;
        let set = self.set_of(vpn);
        self.clock += 1;
        let new = TlbEntry {
            vpn,
            ppn: leaf.frame(va).0,
            stamp: self.clock,
            generation: self.generation,
            flags: flag_bits(leaf.pte.flags()),
            asid,
            level: leaf.level,
            pages_log2: leaf.pages_log2(),
        };
        let ways = &self.entries[set.clone()];
        let same = ways
            .iter()
            .position(|entry| entry.generation == new.generation && entry.vpn == vpn && entry.serves(asid));
        let empty = || ways.iter().position(|entry| entry.generation != new.generation);
        let oldest =
            || ways.iter().enumerate().min_by_key(|(_, entry)| entry.stamp).map_or(0, |(way, _)| way);
        let place = set.start + same.or_else(empty).unwrap_or_else(oldest);
        let old = self.entries[place];
        let evicted = self.drop_at(place).then_some(old.vpn());
        self.entries[place] = new;
        self.in_use[place / 64] |= 1 << (place % 64);
        if new.pages_log2 > 0 {
            self.superpages[filter_slot(vpn, new.pages_log2)] += 1;
            self.fragments[size_class(new.pages_log2)] += 1;
        }
        evicted
    }

    /// Empties a place. Whether it was in use.
    fn drop_at(&mut self, place: usize) -> bool {
        let entry = &mut self.entries[place];
        if entry.generation != self.generation {
            return false;
        }
        entry.generation = 0;
        self.in_use[place / 64] &= !(1 << (place % 64));
        if entry.pages_log2 > 0 {
            self.superpages[filter_slot(entry.vpn, entry.pages_log2)] -= 1;
            self.fragments[size_class(entry.pages_log2)] -= 1;
        }
        true
    }

    /// `sfence.vma` with both operands `x0`: drops everything.
    pub fn flush_all(&mut self) -> Flushed {
        self.flushes += 1;
        self.flushed += self.in_use.iter().map(|word| u64::from(word.count_ones())).sum::<u64>();
        self.in_use.fill(0);
        self.superpages.fill(0);
        self.fragments.fill(0);
        self.generation = match self.generation.checked_add(1) {
            Some(next) => next,
            None => {
                self.entries.fill(TlbEntry::default());
                1
            }
        };
        Flushed::Anything
    }

    /// `sfence.vma x0, asid`: drops the entries of an address space, global ones apart.
    pub fn flush_asid(&mut self, asid: u16) -> Flushed {
        self.flushes += 1;
        self.drop_where(|entry| entry.asid == asid && !entry.is_global());
        Flushed::Anything
    }

    /// `sfence.vma va` (`asid` is `None`: every address space and global entries too) or `sfence.vma va, asid`
    /// (that one only, global entries apart): drops all fragments of every leaf that maps `va`.
    pub fn flush_page(&mut self, va: VirtAddr, asid: Option<u16>) -> Flushed {
        // An address that is not canonical has no entries: they hold all bits of their page's number.
        let vpn = va.page().0;
        let chosen = |entry: &TlbEntry| asid.is_none_or(|asid| entry.asid == asid && !entry.is_global());
        self.flushes += 1;
        for place in self.set_of(vpn) {
            let entry = &self.entries[place];
            if entry.vpn == vpn && chosen(entry) {
                self.flushed += u64::from(self.drop_at(place));
            }
        }
        let mut flushed = Flushed::Page(Vpn(vpn));
        for (class, pages_log2) in LARGE_LEAVES.into_iter().enumerate() {
            if self.fragments[class] != 0 && self.superpages[filter_slot(vpn, pages_log2)] != 0 {
                let dropped = self.drop_where(|entry| {
                    entry.pages_log2 == pages_log2
                        && entry.vpn >> pages_log2 == vpn >> pages_log2
                        && chosen(entry)
                });
                if dropped {
                    flushed = Flushed::Anything;
                }
            }
        }
        flushed
    }

    /// Whether any was dropped; how many, is counted.
    #[inline(never)]
    fn drop_where(&mut self, chosen: impl Fn(&TlbEntry) -> bool) -> bool {
        let before = self.flushed;
        for word in 0..self.in_use.len() {
            let mut left = self.in_use[word];
            while left != 0 {
                let place = 64 * word + left.trailing_zeros() as usize;
                left &= left - 1;
                if chosen(&self.entries[place]) {
                    self.flushed += u64::from(self.drop_at(place));
                }
            }
        }
        self.flushed != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isa::PhysAddr;
    use isa::paging::Pte;

    /// The slow, obvious model: all entries in one list, in the order in which they would be replaced.
    struct Model {
        geometry: TlbGeometry,
        /// (set, vpn, asid, leaf), the next victim of a set first.
        entries: Vec<(u64, u64, u16, Leaf)>,
        flushes: u64,
        flushed: u64,
    }

    impl Model {
        fn set(&self, vpn: u64) -> u64 {
            (vpn ^ vpn >> 12 ^ vpn >> 24) % u64::from(self.geometry.entries / self.geometry.ways)
        }
        fn find(&self, vpn: u64, asid: u16) -> Option<usize> {
            self.entries.iter().position(|&(_, v, a, leaf)| v == vpn && (a == asid || is_global(leaf)))
        }
        fn lookup(&mut self, vpn: u64, asid: u16) -> Option<u64> {
            let at = self.find(vpn, asid)?;
            if self.geometry.policy == Policy::Lru {
                let used = self.entries.remove(at);
                self.entries.push(used);
            }
            let (_, _, _, leaf) = self.entries[self.find(vpn, asid)?];
            Some(leaf.frame(VirtAddr(vpn << 12)).0)
        }
        fn install(&mut self, vpn: u64, asid: u16, leaf: Leaf) {
            let set = self.set(vpn);
            let in_set = self.entries.iter().filter(|entry| entry.0 == set).count();
            let victim = self.find(vpn, asid).or_else(|| {
                let full = in_set == self.geometry.ways as usize;
                full.then(|| self.entries.iter().position(|entry| entry.0 == set)).flatten()
            });
            if let Some(victim) = victim {
                self.entries.remove(victim);
            }
            self.entries.push((set, vpn, asid, leaf));
        }
        fn flush(&mut self, vpn: Option<u64>, asid: Option<u16>) {
            let before = self.entries.len();
            self.entries.retain(|&(_, v, a, leaf)| {
                let same_leaf = |vpn: u64| {
                    let shift = leaf.pages_log2();
                    v >> shift == vpn >> shift
                };
                let chosen = asid.is_none_or(|asid| a == asid && !is_global(leaf));
                !(vpn.is_none_or(same_leaf) && chosen)
            });
            self.flushes += 1;
            self.flushed += (before - self.entries.len()) as u64;
        }
    }

    /// The frame of a page, asked for as an access does.
    fn ask(tlb: &mut Tlb, vpn: Vpn, asid: u16) -> Option<u64> {
        let (place, frame) = tlb.find(vpn, asid).map(|(place, entry)| (place, entry.ppn().0))?;
        tlb.touch(place);
        Some(frame)
    }

    fn is_global(leaf: Leaf) -> bool {
        leaf.pte.flags().contains(PteFlags::G)
    }

    /// xorshift: the same numbers in every run.
    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, n: u64) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) % n
        }
    }

    #[test]
    fn asking_again_for_the_newest_page_changes_nothing() {
        let mut tlb = Tlb::new("16x4:lru".parse().unwrap());
        let leaf = Leaf { level: 0, pte_addr: PhysAddr(0), pte: Pte(0xcf | 5 << 10) };
        for va in [VirtAddr(0x1000), VirtAddr(0x2000)] {
            tlb.install(va, 1, leaf);
        }
        assert!(ask(&mut tlb, Vpn(1), 1).is_some());
        let clock = tlb.clock;
        assert!(ask(&mut tlb, Vpn(1), 1).is_some());
        assert_eq!(tlb.clock, clock);
        assert!(ask(&mut tlb, Vpn(2), 1).is_some());
        assert_eq!(tlb.clock, clock + 1);
    }

    /// Programs walk large arrays in steps of a power of two: no step makes the default thrash.
    #[test]
    fn strides_of_a_power_of_two_fit_into_the_default() {
        for log2 in 0..15 {
            let mut tlb = Tlb::new(TlbGeometry::default());
            let leaf = Leaf { level: 0, pte_addr: PhysAddr(0), pte: Pte(0xcf | 5 << 10) };
            for n in 0..4096 {
                assert_eq!(
                    tlb.install(VirtAddr(n << log2 << 12), 1, leaf),
                    None,
                    "page {n}, stride 2^{log2}"
                );
            }
        }
    }

    #[test]
    fn random_operations_agree_with_a_list() {
        for geometry in ["1", "8", "16x4", "16x4:lru", "6x3", "8x8:lru"] {
            let seed = 0x9e37_79b9_7f4a_7c15;
            let mut numbers = Numbers(seed);
            let geometry: TlbGeometry = geometry.parse().expect("a geometry");
            let mut tlb = Tlb::new(geometry);
            let mut model = Model { geometry, entries: Vec::new(), flushes: 0, flushed: 0 };
            for n in 0..40_000 {
                // Pages in a few superpages and NAPOT leaves, near and far.
                let vpn = numbers.below(5) << 18 | numbers.below(2) << 9 | numbers.below(6) << 2;
                let asid = u16::try_from(numbers.below(2)).expect("small");
                match numbers.below(20) {
                    0 => {
                        tlb.flush_page(VirtAddr(vpn << 12), None);
                        model.flush(Some(vpn), None);
                    }
                    1 => {
                        tlb.flush_page(VirtAddr(vpn << 12), Some(asid));
                        model.flush(Some(vpn), Some(asid));
                    }
                    2 if numbers.below(8) == 0 => {
                        tlb.flush_all();
                        model.flush(None, None);
                    }
                    3 if numbers.below(8) == 0 => {
                        tlb.flush_asid(asid);
                        model.flush(None, Some(asid));
                    }
                    _ => {
                        let found = ask(&mut tlb, Vpn(vpn), asid);
                        assert_eq!(found, model.lookup(vpn, asid), "{geometry} seed {seed:#x} operation {n}");
                        if found.is_none() {
                            // One leaf for all pages that it maps, as in a page table that does not change.
                            let level = u8::try_from((vpn >> 18) % 4).expect("small");
                            let global = if vpn >> 9 & 1 == 1 { PteFlags::G } else { PteFlags::empty() };
                            let frame = Ppn(1 << 40 | (vpn >> (9 * level)) << (9 * level));
                            let flags = PteFlags::V | PteFlags::R | global;
                            let pte = if vpn >> 18 == 4 {
                                Pte(Pte::new(Ppn(frame.0 & !0xf | 8), flags).0 | 1 << 63)
                            } else {
                                Pte::new(frame, flags)
                            };
                            let leaf = Leaf { level, pte_addr: PhysAddr(0), pte };
                            tlb.install(VirtAddr(vpn << 12), asid, leaf);
                            model.install(vpn, asid, leaf);
                        }
                    }
                }
            }
            assert_eq!(tlb.live_entries().count(), model.entries.len());
            let in_use: u32 = tlb.in_use.iter().map(|word| word.count_ones()).sum();
            assert_eq!(in_use as usize, model.entries.len());
            let counters = tlb.counters();
            assert_eq!((counters.flushes, counters.flushed), (model.flushes, model.flushed));
        }
    }

    #[test]
    fn geometries_are_read_and_refused() {
        for (text, shown) in [("4096", "4096x1:fifo"), ("64x4", "64x4:fifo"), ("48x3:lru", "48x3:lru")] {
            assert_eq!(text.parse::<TlbGeometry>().map(|g| g.to_string()), Ok(shown.to_owned()));
        }
        for text in ["", "0", "x4", "100", "64x0", "64x5", "64x4:random", "131072", "-1", "64x4:"] {
            assert_eq!(text.parse::<TlbGeometry>(), Err(BadGeometry), "{text}");
        }
    }
}
