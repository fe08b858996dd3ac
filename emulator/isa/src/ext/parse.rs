//! Reading the strings that name a set of extensions, and saying what is wrong with one.
//!
//! Follows the unprivileged manual, "ISA Extension Naming Conventions"; versions are not looked at.

use super::Extension::{self, A, D, F, M, Sv57};
use super::{IsaSet, PROFILES, TRANSLATION_MODES};
use core::fmt;

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
                near(word)
                    .enumerate()
                    .try_for_each(|(n, near)| write!(f, "{} {near}", if n == 0 { "; nearest:" } else { "," }))
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
            (BadIsa::Unknown("zfhx"), "there is no extension `zfhx` here; nearest: zfh, zfhmin"),
            (BadIsa::Unknown("x"), "there is no extension `x` here"),
            (BadIsa::Unknown(""), "an underscore is followed by no name"),
        ] {
            assert_eq!(error.to_string(), message);
        }
        let profile = BadIsa::Profile("RVA23S64").to_string();
        assert!(profile.starts_with("`RVA23S64` asks for what is not supported: v h z"), "{profile}");
        assert!(!profile.contains("zicond"), "{profile}");
    }
}
