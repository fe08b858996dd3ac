//! The extensions of the architecture by name, sets of them, and the strings that name a set (`rv64gc_zba_zbb`).
//!
//! [`Extension`] has one variant for each name; [`IsaSet`] is the set that a machine has. An instruction, a CSR or a
//! mode that belongs to an extension which is not in the set does not exist. Follows the unprivileged manual, "ISA
//! Extension Naming Conventions", and for profile names the RVA20 and RVA22 profiles.
//!
//! The vector extension (`v`, `zv*`) and the hypervisor extension (`h`) have no variants yet: a set has room for them
//! (128 bits), `parse` refuses their names, and `misa` has their letters free.

mod parse;

pub use parse::{BadIsa, profiles};

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
