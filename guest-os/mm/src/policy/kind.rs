//! The one table of policies: number, name, and what each does in a line. Command line, kernel, events and docs/policies.md have them from here.

use super::Policy;
use super::aging::Aging;
use super::clock::Clock;
use super::enhanced_clock::EnhancedClock;
use super::fifo::Fifo;
use super::random::Random;
use super::second_chance::SecondChance;
use alloc::boxed::Box;
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
    /// A policy without places. `seed` is for those that draw lots. One small allocation, not asked for by `try_`.
    pub fn make(self, seed: u64) -> Box<dyn Policy> {
        match self {
            Self::Fifo => Box::<Fifo>::default(),
            Self::SecondChance => Box::<SecondChance>::default(),
            Self::Clock => Box::<Clock>::default(),
            Self::EnhancedClock => Box::<EnhancedClock>::default(),
            Self::Aging => Box::<Aging>::default(),
            Self::Random => Box::new(Random::new(seed)),
        }
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
