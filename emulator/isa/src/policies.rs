//! Page-replacement policies as command line, kernel, events and docs speak of them: the one table of names and numbers, and what a policy says of a
//! choice. (The policies are in crate `mm`.)

use core::fmt;
use core::str::FromStr;

/// A policy by name. Its number in event records is its place in the table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[allow(missing_docs)] // the table tells
#[repr(u8)]
pub enum PolicyKind {
    Fifo,
    SecondChance,
    #[default]
    Clock,
    EnhancedClock,
    Aging,
    Random,
}

const TABLE: [(PolicyKind, &str, &str); 6] = [
    (PolicyKind::Fifo, "fifo", "the page that came first goes"),
    (
        PolicyKind::SecondChance,
        "second-chance",
        "first in, first out, but a page that was used comes in once more",
    ),
    (PolicyKind::Clock, "clock", "a hand goes round and takes the first page not used since it last came by"),
    (
        PolicyKind::EnhancedClock,
        "enhanced-clock",
        "as clock, and what need not be written goes before what must",
    ),
    (
        PolicyKind::Aging,
        "aging",
        "the page whose last uses lie back longest goes, by a bit for each of eight intervals",
    ),
    (PolicyKind::Random, "random", "any page, each as likely as the others; a seed makes it repeatable"),
];

const _: () = {
    let mut number = 0;
    while number < TABLE.len() {
        assert!(TABLE[number].0 as usize == number, "a policy's number is its place in the table");
        number += 1;
    }
};

impl PolicyKind {
    /// Every policy, in the order of the numbers.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.0)
    }
    /// The policy of a number.
    pub fn from_number(number: u8) -> Option<Self> {
        TABLE.get(usize::from(number)).map(|row| row.0)
    }
    /// Its number in event records.
    pub const fn number(self) -> u8 {
        self as u8
    }
    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        TABLE[self as usize].1
    }
    /// What it does, in a line.
    pub const fn about(self) -> &'static str {
        TABLE[self as usize].2
    }
    /// Bytes that it keeps for so many places, one bit of each for uses that the kernel has seen.
    pub const fn bytes_for(self, places: u64) -> u64 {
        let bytes = match self {
            Self::EnhancedClock => 16,
            Self::Aging => 9,
            Self::Fifo | Self::SecondChance | Self::Clock | Self::Random => 8,
        };
        places * bytes + places.div_ceil(64) * 8
    }
}

impl fmt::Display for PolicyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// No policy has this name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownPolicy;

impl fmt::Display for UnknownPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such replacement policy; there are: ")?;
        for (number, kind) in PolicyKind::all().enumerate() {
            write!(f, "{}{kind}", if number == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl core::error::Error for UnknownPolicy {}

impl FromStr for PolicyKind {
    type Err = UnknownPolicy;
    fn from_str(name: &str) -> Result<Self, UnknownPolicy> {
        Self::all().find(|kind| kind.name() == name).ok_or(UnknownPolicy)
    }
}

/// What the hardware has noted of a page, in any entry that maps it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Marks {
    /// R, the A bit of an entry: it was used since a look has cleared this.
    pub accessed: bool,
    /// D: it was stored to, and has to be written before its frame is another's.
    pub dirty: bool,
}

/// What led to a choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Why {
    /// The victim's bits when it was chosen. Policies that do not go by R leave it as it is and tell it all the same.
    pub marks: Marks,
    /// `aging`: the victim's counter. 0 from the others.
    pub counter: u8,
    /// How many pages were asked for, one that was asked for twice counted twice; the victim is the last of them. One less is what the hand has passed.
    pub looks: u32,
    /// How many of these had been used, and have their R bit cleared by this search.
    pub cleared: u32,
    /// It was chosen among the pages of one address space, whose budget was met.
    pub is_local: bool,
    /// No policy has chosen it: its program has asked for it to go (MADV_PAGEOUT).
    pub is_asked: bool,
}

/// Bits of [`Why::word`] for each count. Larger counts are told as the largest.
const COUNT_BITS: u32 = 20;
const COUNT_MAX: u32 = (1 << COUNT_BITS) - 1;
const DIRTY: u64 = 1 << 8;
const ACCESSED: u64 = 1 << 9;
const LOCAL: u64 = 1 << 10;
const ASKED: u64 = 1 << 11;
const COUNTER_AT: u32 = 16;
const LOOKS_AT: u32 = 24;
const CLEARED_AT: u32 = LOOKS_AT + COUNT_BITS;
const _: () = assert!(CLEARED_AT + COUNT_BITS == u64::BITS);

impl Why {
    /// As a word of an event record: bits 0 to 7 the policy's number, 8 D, 9 R, 10 local, 11 asked for, 16 to 23 the counter, 24 to 43 looks, 44 to 63 bits cleared.
    pub fn word(self, policy: PolicyKind) -> u64 {
        let mut word = u64::from(policy.number()) | u64::from(self.counter) << COUNTER_AT;
        if self.marks.dirty {
            word |= DIRTY;
        }
        if self.marks.accessed {
            word |= ACCESSED;
        }
        if self.is_local {
            word |= LOCAL;
        }
        if self.is_asked {
            word |= ASKED;
        }
        word | u64::from(self.looks.min(COUNT_MAX)) << LOOKS_AT
            | u64::from(self.cleared.min(COUNT_MAX)) << CLEARED_AT
    }

    /// What [`Why::word`] has written. `None` if no policy has this number.
    #[allow(clippy::cast_possible_truncation)] // cut to the field's width
    pub fn from_word(word: u64) -> Option<(PolicyKind, Self)> {
        let count = |at: u32| (word >> at) as u32 & COUNT_MAX;
        let why = Self {
            marks: Marks { accessed: word & ACCESSED != 0, dirty: word & DIRTY != 0 },
            counter: (word >> COUNTER_AT) as u8,
            looks: count(LOOKS_AT),
            cleared: count(CLEARED_AT),
            is_local: word & LOCAL != 0,
            is_asked: word & ASKED != 0,
        };
        Some((PolicyKind::from_number(word as u8)?, why))
    }
}
