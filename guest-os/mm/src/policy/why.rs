//! What a policy says of its choice: enough for a sentence to whoever asks why this page, and few enough bits for a field of an event record.

use super::{Marks, Place, PolicyKind};

/// A victim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choice {
    /// Where it lies.
    pub place: Place,
    /// What led to it.
    pub why: Why,
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
}

/// Bits of [`Why::word`] for each count. Larger counts are told as the largest.
const COUNT_BITS: u32 = 20;
const COUNT_MAX: u32 = (1 << COUNT_BITS) - 1;
const DIRTY: u64 = 1 << 8;
const ACCESSED: u64 = 1 << 9;
const COUNTER_AT: u32 = 16;
const LOOKS_AT: u32 = 24;
const CLEARED_AT: u32 = LOOKS_AT + COUNT_BITS;
const _: () = assert!(CLEARED_AT + COUNT_BITS == u64::BITS);

impl Why {
    /// As a word of an event record: bits 0 to 7 the policy's number, 8 D, 9 R, 16 to 23 the counter, 24 to 43 looks, 44 to 63 bits cleared.
    pub fn word(self, policy: PolicyKind) -> u64 {
        let mut word = u64::from(policy.number()) | u64::from(self.counter) << COUNTER_AT;
        if self.marks.dirty {
            word |= DIRTY;
        }
        if self.marks.accessed {
            word |= ACCESSED;
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
        };
        Some((PolicyKind::from_number(word as u8)?, why))
    }
}
