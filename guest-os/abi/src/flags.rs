//! Flag words: which bits have names, and what Folio does with each.

/// What Folio does with a flag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// It means what it means under Linux.
    Taken,
    /// It is allowed, and changes nothing: it is a hint, or what it asks for is so anyway.
    Ignored,
    /// EINVAL, as for a bit that has no name: Linux knows it, Folio does not.
    Refused,
    /// The call has an error of its own for it: there is no such thing in Folio.
    Declined,
}

/// Bits that no flag of a set names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Others {
    /// EINVAL.
    Refused,
    /// Nobody looks at them.
    Ignored,
}

/// A named value of some bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flag {
    /// As in Linux's headers.
    pub name: &'static str,
    /// The bits.
    pub bits: u64,
    /// What Folio does with it.
    pub effect: Effect,
}

/// What a word of flags may hold: one of several choices in some bits, and flags in the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlagSet {
    /// What the set is called in the documentation.
    pub title: &'static str,
    /// The bits that hold a choice.
    pub choice_bits: u64,
    /// The choices. Another value is for the call to judge, as the error depends on the call.
    pub choices: &'static [Flag],
    /// The flags; one that includes another comes before it.
    pub flags: &'static [Flag],
    /// What happens to the bits that have no name.
    pub others: Others,
    /// The bits that count: 32, or 64 for an `unsigned long`.
    pub width_bits: u32,
}

impl FlagSet {
    /// The bits that count.
    pub const fn mask(&self) -> u64 {
        u64::MAX >> (64 - self.width_bits)
    }
    /// The bits that make a call EINVAL, whatever else is asked.
    pub const fn refused(&self) -> u64 {
        let (mut named, mut refused) = (self.choice_bits, 0);
        let mut index = 0;
        while index < self.flags.len() {
            let flag = self.flags[index];
            match flag.effect {
                Effect::Refused => refused |= flag.bits,
                Effect::Taken | Effect::Ignored | Effect::Declined => named |= flag.bits,
            }
            index += 1;
        }
        let others = match self.others {
            Others::Refused => !named,
            Others::Ignored => refused & !named,
        };
        others & self.mask()
    }
    /// The choice that a word makes, if it has a name.
    pub fn choice(&self, word: u64) -> Option<&'static Flag> {
        self.choices.iter().find(|flag| flag.bits == word & self.choice_bits)
    }
    /// Every choice and flag.
    pub fn all(&self) -> impl Iterator<Item = &'static Flag> {
        self.choices.iter().chain(self.flags)
    }
}

pub(crate) const fn taken(name: &'static str, bits: u64) -> Flag {
    Flag { name, bits, effect: Effect::Taken }
}
pub(crate) const fn ignored(name: &'static str, bits: u64) -> Flag {
    Flag { name, bits, effect: Effect::Ignored }
}
pub(crate) const fn refused(name: &'static str, bits: u64) -> Flag {
    Flag { name, bits, effect: Effect::Refused }
}
pub(crate) const fn declined(name: &'static str, bits: u64) -> Flag {
    Flag { name, bits, effect: Effect::Declined }
}
