//! The extensions of the architecture by name, sets of them, and the strings that name a set (`rv64gc_zba_zbb`).
//!
//! [`Extension`] has one variant for each name; [`IsaSet`] is the set that a machine has. An instruction, a CSR or a
//! mode that belongs to an extension which is not in the set does not exist. Follows the unprivileged manual, "ISA
//! Extension Naming Conventions", and for profile names the RVA20 and RVA22 profiles.
//!
//! The vector extension (`v`, `zv*`) and the hypervisor extension (`h`) have no variants yet: a set has room for them
//! (128 bits), `parse` refuses their names, and `misa` has their letters free.

use core::fmt;

macro_rules! extensions {
    ($($(#[$doc:meta])* $variant:ident $name:literal needs [$($need:ident)*] has [$($part:ident)*];)*) => {
        /// The name of an extension, in the order in which an ISA string lists them.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum Extension { $($(#[$doc])* $variant,)* }

        impl Extension {
            /// All of them, in order; `ALL[extension as usize] == extension`.
            pub const ALL: &'static [Extension] = &[$(Extension::$variant),*];

            /// The name as ISA strings have it, in lower case.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
            /// The extensions without which it cannot be.
            const fn needs(self) -> &'static [Extension] {
                match self { $(Self::$variant => &[$(Extension::$need),*],)* }
            }
            /// The extensions that it is another name for, or contains.
            const fn parts(self) -> &'static [Extension] {
                match self { $(Self::$variant => &[$(Extension::$part),*],)* }
            }
        }
    };
}

extensions! {
    /// The base integer set, RV64I.
    I "i" needs [] has [];
    /// Integer multiplication and division.
    M "m" needs [] has [Zmmul];
    /// Atomics.
    A "a" needs [] has [];
    /// Single-precision floating point.
    F "f" needs [Zicsr] has [];
    /// Double-precision floating point.
    D "d" needs [F] has [];
    /// Compressed instructions; with D, those of D too.
    C "c" needs [] has [Zca];
    /// Bit manipulation: Zba, Zbb and Zbs.
    B "b" needs [] has [Zba Zbb Zbs];
    /// Cache blocks of 64 bytes.
    Zic64b "zic64b" needs [] has [];
    /// Cache-block management: clean, flush, invalidate.
    Zicbom "zicbom" needs [] has [];
    /// Cache-block prefetch hints.
    Zicbop "zicbop" needs [] has [];
    /// Cache-block zero.
    Zicboz "zicboz" needs [] has [];
    /// Main memory supports all atomics.
    Ziccamoa "ziccamoa" needs [] has [];
    /// Stores become visible to fetches without a fence in the end.
    Ziccid "ziccid" needs [] has [];
    /// Main memory supports instruction fetch, atomically.
    Ziccif "ziccif" needs [] has [];
    /// Main memory supports misaligned loads and stores.
    Zicclsm "zicclsm" needs [] has [];
    /// Main memory supports LR/SC with eventual success.
    Ziccrse "ziccrse" needs [] has [];
    /// The base counters `cycle`, `time`, `instret`.
    Zicntr "zicntr" needs [Zicsr] has [];
    /// Conditional zeroing.
    Zicond "zicond" needs [] has [];
    /// CSR accesses.
    Zicsr "zicsr" needs [] has [];
    /// Instruction-fetch fence.
    Zifencei "zifencei" needs [] has [];
    /// The pause hint.
    Zihintpause "zihintpause" needs [] has [];
    /// Hardware performance counters.
    Zihpm "zihpm" needs [Zicsr] has [];
    /// Integer multiplication without division.
    Zmmul "zmmul" needs [] has [];
    /// Reservation sets of at most 64 bytes.
    Za64rs "za64rs" needs [] has [];
    /// Waiting on a reservation set.
    Zawrs "zawrs" needs [] has [];
    /// Additional floating-point instructions.
    Zfa "zfa" needs [F] has [];
    /// Half-precision floating point.
    Zfh "zfh" needs [Zfhmin] has [];
    /// Half-precision loads, stores, moves and conversions.
    Zfhmin "zfhmin" needs [F] has [];
    /// The part of C without floating point.
    Zca "zca" needs [] has [];
    /// Simple code-size instructions.
    Zcb "zcb" needs [Zca] has [];
    /// Compressed loads and stores of double precision.
    Zcd "zcd" needs [Zca D] has [];
    /// Address generation.
    Zba "zba" needs [] has [];
    /// Basic bit manipulation.
    Zbb "zbb" needs [] has [];
    /// Carry-less multiplication.
    Zbc "zbc" needs [] has [Zbkc];
    /// Bit manipulation for cryptography.
    Zbkb "zbkb" needs [] has [];
    /// Carry-less multiplication for cryptography.
    Zbkc "zbkc" needs [] has [];
    /// Crossbar permutations.
    Zbkx "zbkx" needs [] has [];
    /// Single-bit instructions.
    Zbs "zbs" needs [] has [];
    /// Data-independent execution time: each instruction takes one step.
    Zkt "zkt" needs [] has [];
    /// Page tables may lie in any main memory.
    Ssccptr "ssccptr" needs [] has [];
    /// `scounteren` is writable for each counter that exists.
    Sscounterenw "sscounterenw" needs [] has [];
    /// Supervisor-mode timer, `stimecmp`.
    Sstc "sstc" needs [] has [];
    /// `stval` is written with the faulting address or instruction.
    Sstvala "sstvala" needs [] has [];
    /// `stvec` holds any aligned address in direct mode.
    Sstvecd "sstvecd" needs [] has [];
    /// Virtual addresses of 39 bits.
    Sv39 "sv39" needs [] has [];
    /// Virtual addresses of 48 bits.
    Sv48 "sv48" needs [Sv39] has [];
    /// Virtual addresses of 57 bits.
    Sv57 "sv57" needs [Sv48] has [];
    /// Page faults where A or D would have to be set.
    Svade "svade" needs [] has [];
    /// The walker sets A and D.
    Svadu "svadu" needs [] has [];
    /// `satp` mode Bare.
    Svbare "svbare" needs [] has [];
    /// Fine-grained invalidation of translations.
    Svinval "svinval" needs [] has [];
    /// Naturally aligned power-of-two pages.
    Svnapot "svnapot" needs [Sv39] has [];
    /// Memory types in page-table entries.
    Svpbmt "svpbmt" needs [Sv39] has [];
    /// The privileged architecture, which every set has and no string names.
    Privileged "" needs [] has [];
}

use Extension::{
    A, B, C, D, F, I, M, Privileged, Ssccptr, Sscounterenw, Sstvala, Sstvecd, Sv39, Sv48, Sv57, Svade,
    Svbare, Svinval, Svpbmt, Za64rs, Zba, Zbb, Zbs, Zcd, Zfhmin, Zic64b, Zicbom, Zicbop, Zicboz, Ziccamoa,
    Ziccid, Ziccif, Zicclsm, Ziccrse, Zicntr, Zicsr, Zifencei, Zihintpause, Zihpm, Zkt,
};

impl Extension {
    /// The extension of this name, in upper or lower case.
    pub fn from_name(name: &str) -> Option<Extension> {
        Self::ALL.iter().copied().find(|e| e.is_named() && e.name().eq_ignore_ascii_case(name))
    }
    const fn is_named(self) -> bool {
        !matches!(self, Privileged)
    }
    /// Whether strings and device trees list it. The modes of address translation have a property of their own.
    fn is_listed(self) -> bool {
        self.is_named() && !TRANSLATION_MODES.contains(&self)
    }
}

const TRANSLATION_MODES: &[Extension] = &[Sv39, Sv48, Sv57];

/// What the machine is in any case: facts about its memory and its traps, not switches. Zicsr and Zifencei are
/// among them because the privileged architecture cannot do without (as Spike has it).
const ALWAYS: &[Extension] = &[
    I,
    Zicsr,
    Zifencei,
    Zic64b,
    Ziccamoa,
    Ziccid,
    Ziccif,
    Zicclsm,
    Ziccrse,
    Za64rs,
    Zkt,
    Ssccptr,
    Sscounterenw,
    Sstvala,
    Sstvecd,
    Svade,
    Svbare,
    Privileged,
];

/// Names that are complete where one of these sets has all the parts.
const COMBINATIONS: &[(Extension, &[Extension])] = &[(B, &[Zba, Zbb, Zbs]), (Zcd, &[C, D])];

const RVA20U64: &[Extension] = &[I, M, A, F, D, C, Zicntr];
const RVA22U64: &[Extension] =
    &[I, M, A, F, D, C, Zicntr, Zihpm, Zba, Zbb, Zbs, Zihintpause, Zicbom, Zicbop, Zicboz, Zfhmin, Zkt];
/// Sets by name: name, members, and what supervisor mode adds.
const PROFILES: &[(&str, &[Extension], &[Extension])] = &[
    ("rva20u64", RVA20U64, &[]),
    ("rva20s64", RVA20U64, &[Sv39]),
    ("rva22u64", RVA22U64, &[]),
    ("rva22s64", RVA22U64, &[Sv39, Svpbmt, Svinval]),
    ("all", Extension::ALL, &[]),
];

/// Profiles that no set has all of, with what they ask for beyond RVA22: the reasons to refuse them.
const LATER_PROFILES: &[(&str, &[&str])] = &[("rva23u64", RVA23U64), ("rva23s64", RVA23S64)];
const RVA23U64: &[&str] =
    &["v", "zvfhmin", "zvbb", "zvkt", "zihintntl", "zicond", "zimop", "zcmop", "zcb", "zfa", "zawrs", "supm"];
const RVA23S64: &[&str] = &[
    "v",
    "h",
    "zvfhmin",
    "zvbb",
    "zvkt",
    "zihintntl",
    "zicond",
    "zimop",
    "zcmop",
    "zcb",
    "zfa",
    "zawrs",
    "supm",
    "svnapot",
    "sstc",
    "sscofpmf",
    "ssnpm",
];

/// Names of parts that exist only in the whole: compilers list them beside it.
const PARTS_OF_A: &[&str] = &["zaamo", "zalrsc"];

/// The names of profiles.
pub fn profiles() -> impl Iterator<Item = &'static str> {
    PROFILES.iter().map(|(name, ..)| *name)
}

/// A set of extensions. It is closed: with each member it has those that the member needs or contains.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct IsaSet(u128);

const _: () = assert!(Extension::ALL.len() <= 128);

impl Default for IsaSet {
    /// Everything there is.
    fn default() -> Self {
        Self::ALL
    }
}

/// Why a string names no set; it holds the word that is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadIsa<'a> {
    /// It starts neither with `rv64` nor with the name of a profile.
    Start(&'a str),
    /// The base is not `i` or `g`.
    Base(&'a str),
    /// No such extension, or none that this machine has.
    Unknown(&'a str),
    /// A profile that asks for more than this machine has.
    Profile(&'a str),
    /// A part of A, without A.
    Part(&'a str),
    /// An extension that this machine does not have yet.
    Vector(&'a str),
    /// An extension that this machine does not have yet.
    Hypervisor(&'a str),
}

impl fmt::Display for BadIsa<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(word) => {
                write!(f, "`{word}` starts neither with rv64 nor with a profile such as rva22s64")
            }
            Self::Base(word) => write!(f, "`{word}` has no base: rv64 is followed by i or g"),
            Self::Unknown("") => f.write_str("an underscore is followed by no name"),
            Self::Unknown(word) => {
                write!(f, "there is no extension `{word}` here")?;
                near(word).enumerate().try_for_each(|(n, near)| {
                    write!(f, "{} {near}", if n == 0 { "; the nearest are" } else { "," })
                })
            }
            Self::Profile(word) => {
                write!(f, "`{word}` asks for what is not supported:")?;
                let asked = LATER_PROFILES.iter().filter(|(name, _)| name.eq_ignore_ascii_case(word));
                let mut missing =
                    asked.flat_map(|(_, names)| *names).filter(|name| Extension::from_name(name).is_none());
                missing.try_for_each(|name| write!(f, " {name}"))
            }
            Self::Part(word) => write!(f, "`{word}` is here only as a part of `a`"),
            Self::Vector(word) => write!(f, "`{word}`: the vector extension is not supported"),
            Self::Hypervisor(word) => write!(f, "`{word}`: the hypervisor extension is not supported"),
        }
    }
}

/// The names that have the most first letters in common with a word, if any.
fn near(word: &str) -> impl Iterator<Item = &'static str> {
    let common = move |name: &str| {
        let pairs = word.bytes().zip(name.bytes());
        pairs.take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
    };
    let names = || Extension::ALL.iter().filter(|e| e.is_named()).map(|e| e.name());
    let most = names().map(common).max().unwrap_or(0);
    names().filter(move |name| most > 0 && common(name) == most)
}

impl core::error::Error for BadIsa<'_> {}

impl IsaSet {
    /// Everything there is.
    pub const ALL: IsaSet = IsaSet((1 << Extension::ALL.len()) - 1);
    /// What every machine has.
    const LEAST: IsaSet = IsaSet::of(ALWAYS);

    const fn of(extensions: &[Extension]) -> IsaSet {
        let (mut bits, mut i) = (0, 0);
        while i < extensions.len() {
            bits |= 1 << extensions[i] as u8;
            i += 1;
        }
        IsaSet(bits)
    }

    /// Whether the extension is in the set.
    #[inline]
    pub const fn contains(self, extension: Extension) -> bool {
        self.0 >> extension as u8 & 1 != 0
    }
    /// Whether all of them are in the set.
    pub const fn contains_all(self, extensions: &[Extension]) -> bool {
        let all = Self::of(extensions).0;
        self.0 & all == all
    }
    /// The members in the order of ISA strings.
    pub fn iter(self) -> impl Iterator<Item = Extension> {
        Extension::ALL.iter().copied().filter(move |&e| self.contains(e))
    }
    /// The set with an extension more, and all that it needs or contains.
    #[must_use]
    pub fn with(self, extension: Extension) -> IsaSet {
        let mut set = IsaSet(self.0 | Self::of(&[extension]).0);
        for &other in extension.needs().iter().chain(extension.parts()) {
            if !set.contains(other) {
                set = set.with(other);
            }
        }
        for (whole, parts) in COMBINATIONS {
            if !set.contains(*whole) && set.contains_all(parts) {
                set = set.with(*whole);
            }
        }
        set
    }
    /// The set without an extension, what it contains, and all that needs any of it.
    #[must_use]
    pub fn without(self, extension: Extension) -> IsaSet {
        let mut set = IsaSet(self.0 & !Self::of(&[extension]).0);
        for &part in extension.parts() {
            if set.contains(part) {
                set = set.without(part);
            }
        }
        for &other in Extension::ALL {
            let broken = other.needs().contains(&extension) || other.parts().contains(&extension);
            if set.contains(other) && broken {
                set = set.without(other);
            }
        }
        set
    }

    /// The set that a string names: `rv64` with a base (`i` or `g`), single letters, and other names after
    /// underscores (`rv64gc_zba_zbb`); or a profile, with more names after it (`rva22s64_zfh`).
    ///
    /// A name may have a version (`rv64i2p1_m2p0`), which is not looked at.
    /// Case does not matter, nor does the order. What a name depends on comes with it. What describes the machine in any
    /// case (Zicsr, Zifencei, Svbare and the like) need not be named; of the modes of address translation a string that
    /// names none has all.
    pub fn parse(text: &str) -> Result<IsaSet, BadIsa<'_>> {
        let text = text.trim();
        let mut words = text.split('_');
        let mut set = Self::first_word(words.next().unwrap_or(text))?;
        let mut names_a_mode = TRANSLATION_MODES.iter().any(|&mode| set.contains(mode));
        let mut part = None;
        for word in words {
            if PARTS_OF_A.iter().any(|name| name.eq_ignore_ascii_case(without_version(word))) {
                part = Some(word);
                continue;
            }
            let extension = Self::extension(word)?;
            names_a_mode |= TRANSLATION_MODES.contains(&extension);
            set = set.with(extension);
        }
        match part {
            Some(part) if !set.contains(A) => Err(BadIsa::Part(part)),
            _ if names_a_mode => Ok(set),
            _ => Ok(set.with(Sv57)),
        }
    }

    fn first_word(word: &str) -> Result<IsaSet, BadIsa<'_>> {
        let start = Self::LEAST;
        if let Some((_, user, more)) = PROFILES.iter().find(|(name, ..)| name.eq_ignore_ascii_case(word)) {
            return Ok(user.iter().chain(*more).fold(start, |set, &e| set.with(e)));
        }
        if LATER_PROFILES.iter().any(|(name, _)| name.eq_ignore_ascii_case(word)) {
            return Err(BadIsa::Profile(word));
        }
        let Some((_, mut letters)) = word.split_at_checked(4).filter(|(b, _)| b.eq_ignore_ascii_case("rv64"))
        else {
            return Err(BadIsa::Start(word));
        };
        let mut set = match letters.as_bytes().first() {
            Some(b'i' | b'I') => start,
            Some(b'g' | b'G') => [M, A, F, D].into_iter().fold(start, IsaSet::with),
            _ => return Err(BadIsa::Base(word)),
        };
        letters = &letters[1 + version_bytes(&letters[1..])..];
        while let Some(letter) = letters.chars().next() {
            // The first of the longer names needs no underscore before it.
            let name = if "zsZS".contains(letter) { letters } else { &letters[..letter.len_utf8()] };
            set = set.with(Self::extension(name)?);
            letters = &letters[name.len()..];
            letters = &letters[version_bytes(letters)..];
        }
        Ok(set)
    }

    fn extension(word: &str) -> Result<Extension, BadIsa<'_>> {
        let name = without_version(word);
        let starts = |start: &str| word.get(..start.len()).is_some_and(|s| s.eq_ignore_ascii_case(start));
        match Extension::from_name(word).or_else(|| Extension::from_name(name)) {
            Some(extension) => Ok(extension),
            None if name.eq_ignore_ascii_case("v") || starts("zv") => Err(BadIsa::Vector(word)),
            None if name.eq_ignore_ascii_case("h") || starts("sh") => Err(BadIsa::Hypervisor(word)),
            None => Err(BadIsa::Unknown(word)),
        }
    }

    /// The names that a device tree lists in `riscv,isa-extensions`.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.iter().filter(|e| e.is_listed()).map(Extension::name)
    }

    /// The widest addresses that can be translated, if any: what a device tree calls `mmu-type`.
    pub fn widest_translation(self) -> Option<Extension> {
        TRANSLATION_MODES.iter().rev().copied().find(|&mode| self.contains(mode))
    }

    /// `misa` of this set: MXL of 64 bits, its single letters, S and U.
    pub const fn misa(self) -> u64 {
        let mut misa = 2 << 62 | misa_bit(b'S') | misa_bit(b'U');
        let mut i = 0;
        while i < MISA_LETTERS.len() {
            let (letter, extension) = MISA_LETTERS[i];
            if self.contains(extension) {
                misa |= misa_bit(letter);
            }
            i += 1;
        }
        misa
    }

    /// The set that is left of this one when `misa` has been written with `value`: each letter but I can be
    /// cleared, with all that needs it, and set again. As in Spike.
    #[must_use]
    pub fn restricted(self, value: u64) -> IsaSet {
        let cleared = |(letter, e): &&(u8, Extension)| *e != I && value & misa_bit(*letter) == 0;
        MISA_LETTERS
            .iter()
            .filter(cleared)
            .filter(|(_, e)| self.contains(*e))
            .fold(self, |set, (_, e)| set.without(*e))
    }
}

/// The length of the version that a text starts with, `2p1` or `2`; 0 if there is none.
fn version_bytes(text: &str) -> usize {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let major = digits(text);
    match text[major..].strip_prefix(['p', 'P']).map(digits) {
        Some(minor @ 1..) if major > 0 => major + 1 + minor,
        _ => major,
    }
}

/// A name without the version at its end. Some names end in digits of their own, which are left to a known name.
fn without_version(word: &str) -> &str {
    let is_version = |text: &str| !text.is_empty() && version_bytes(text) == text.len();
    let mut names = word.char_indices().map(|(at, _)| word.split_at(at)).filter(|(_, rest)| is_version(rest));
    let shortest = names.clone().next().map_or(word, |(name, _)| name);
    names.find(|(name, _)| Extension::from_name(name).is_some()).map_or(shortest, |(name, _)| name)
}

/// The letters of `misa` that stand for an extension.
const MISA_LETTERS: &[(u8, Extension)] =
    &[(b'A', A), (b'B', B), (b'C', C), (b'D', D), (b'F', F), (b'I', I), (b'M', M)];

const fn misa_bit(letter: u8) -> u64 {
    1 << (letter - b'A')
}

/// The canonical ISA string, which [`IsaSet::parse`] reads back (but for the modes of address translation).
impl fmt::Display for IsaSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rv64")?;
        for name in self.names() {
            let separator = if name.len() == 1 { "" } else { "_" };
            write!(f, "{separator}{name}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for IsaSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IsaSet({self})")
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use Extension::*;
    use std::string::ToString;

    fn set(text: &str) -> IsaSet {
        IsaSet::parse(text).unwrap()
    }

    #[test]
    fn strings_name_sets() {
        for (text, inside, outside) in [
            ("rv64i", &[I, Zicsr, Zifencei, Sv57, Privileged][..], &[M, A, F, D, C, Zca, Zicntr, Zba][..]),
            ("RV64GC", &[M, Zmmul, A, F, D, C, Zca, Zcd], &[Zcb, Zba, Zfh, Svadu]),
            ("rv64imac", &[C, Zca], &[F, Zcd]),
            ("rv64id", &[D, F], &[Zcd]),
            ("rv64izfh", &[Zfh, Zfhmin, F], &[D]),
            ("rv64i_zba_zbb_zbs", &[B], &[Zbc]),
            ("rv64ib", &[Zba, Zbb, Zbs], &[Zbc]),
            ("rv64gc_sv39", &[Sv39], &[Sv48, Sv57]),
            ("rv64i_zcb", &[Zca], &[C]),
            ("rva22s64", &[B, Zfhmin, Sv39, Svpbmt, Zicbop], &[Zfh, Sv48, Svadu, Zbkb]),
            ("rva22s64_zfh_sv48", &[Zfh, Sv48], &[Sv57]),
            ("all", Extension::ALL, &[]),
            ("RVA22U64", &[B, Zfhmin], &[Zfh]),
            // As compilers and device trees write them.
            ("rv64i2p1_m2p0_a2p1_f2p2_d2p2_c2p0_zicsr2p0_zmmul1p0_zaamo1p0_zalrsc1p0", &[M, A, D, C], &[Zba]),
            ("rv64i2p1m2p0a2zba1p0_zbb", &[M, A, Zba, Zbb], &[C, F]),
            ("RV64I2P1_ZIC64B1P0_SV391P0", &[Zic64b, Sv39], &[Sv48]),
        ] {
            let set = set(text);
            assert!(set.contains_all(inside), "{text}: {set}");
            assert!(outside.iter().all(|&e| !set.contains(e)), "{text}: {set}");
        }
    }

    #[test]
    fn words_are_refused_by_name() {
        for (text, error) in [
            ("rv32gc", BadIsa::Start("rv32gc")),
            ("", BadIsa::Start("")),
            ("rva99", BadIsa::Start("rva99")),
            ("rv64", BadIsa::Base("rv64")),
            ("rv64e", BadIsa::Base("rv64e")),
            ("rv64gcv", BadIsa::Vector("v")),
            ("rv64gc_zve64d", BadIsa::Vector("zve64d")),
            ("rv64gch", BadIsa::Hypervisor("h")),
            ("rva22s64_sha", BadIsa::Hypervisor("sha")),
            ("rv64gcq", BadIsa::Unknown("q")),
            ("rv64gc_zba_zbogus", BadIsa::Unknown("zbogus")),
            ("rv64gc_", BadIsa::Unknown("")),
            ("rv64gcé", BadIsa::Unknown("é")),
            ("rv64gc_zbé1p0", BadIsa::Unknown("zbé1p0")),
            ("rv64i2p", BadIsa::Unknown("p")),
            ("rv64gc1p0v1p0", BadIsa::Vector("v")),
            ("rv64imfd_zalrsc", BadIsa::Part("zalrsc")),
            ("rva23u64", BadIsa::Profile("rva23u64")),
            ("RVA23S64_zfh", BadIsa::Profile("RVA23S64")),
        ] {
            assert_eq!(IsaSet::parse(text), Err(error), "{text}");
            let message = error.to_string();
            assert!(message.len() < 130, "{message}");
        }
        for (error, message) in [
            (BadIsa::Unknown("zfhx"), "there is no extension `zfhx` here; the nearest are zfh, zfhmin"),
            (BadIsa::Unknown("x"), "there is no extension `x` here"),
            (BadIsa::Unknown(""), "an underscore is followed by no name"),
        ] {
            assert_eq!(error.to_string(), message);
        }
        let profile = BadIsa::Profile("RVA23S64").to_string();
        assert!(profile.starts_with("`RVA23S64` asks for what is not supported: v h z"), "{profile}");
        assert!(!profile.contains("zicond"), "{profile}");
    }

    #[test]
    fn the_canonical_string_reads_back() {
        for text in ["all", "rv64i", "rv64gc", "rva22s64_sv57", "rv64imac_zcb_svnapot"] {
            assert_eq!(IsaSet::parse(&set(text).to_string()), Ok(set(text)), "{text}");
        }
        let all = IsaSet::ALL;
        assert!(all.to_string().starts_with("rv64imafdcb_zic64b_zicbom_"), "{all}");
        assert!(all.names().all(|name| !name.is_empty()));
    }

    #[test]
    fn sets_are_closed() {
        for &e in Extension::ALL {
            let with = IsaSet::LEAST.with(e);
            for member in with.iter() {
                assert!(with.contains_all(member.needs()) && with.contains_all(member.parts()), "{with}");
            }
            let without = IsaSet::ALL.without(e);
            assert!(!without.contains(e));
            for member in without.iter() {
                let members = member.needs().iter().chain(member.parts());
                assert!(members.copied().all(|m| without.contains(m)), "{e:?}: {without} has {member:?}");
            }
        }
    }

    #[test]
    fn misa_restricts_and_restores() {
        let all = IsaSet::ALL;
        let bit = misa_bit;
        assert_eq!(
            all.misa(),
            2 << 62 | [b'A', b'B', b'C', b'D', b'F', b'I', b'M', b'S', b'U'].map(bit).iter().sum::<u64>()
        );
        assert_eq!(all.restricted(all.misa()), all);
        let without_f = all.restricted(all.misa() & !bit(b'F'));
        assert!([F, D, Zcd, Zfh, Zfhmin, Zfa].iter().all(|&e| !without_f.contains(e)));
        assert!(without_f.contains(Zca) && without_f.contains(C));
        assert_eq!(without_f.misa(), all.misa() & !(bit(b'F') | bit(b'D')));
        let nothing = all.restricted(0);
        assert!(nothing.contains(I) && nothing.contains(Zbkb) && !nothing.contains(Zcb));
        assert_eq!(IsaSet::parse("all"), Ok(IsaSet::default()));
        assert_eq!(nothing.misa(), 2 << 62 | bit(b'I') | bit(b'S') | bit(b'U'));
    }
}
