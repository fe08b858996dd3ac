//! Page-table entries as this kernel writes them: the software bits, the flags of a mapping, and the typed
//! encoding of entries that are not valid.
//!
//! The hardware ignores every bit of an entry whose V bit is clear, so such an entry can say where its page
//! went ([`NotPresent`]): nowhere, to a slot of the swap space, or that it held zeros when it left memory.

use crate::vma::Prot;
use isa::Ppn;
use isa::events::Access;
use isa::paging::{Pte, PteFlags};

/// Software bit: the frame is, or was, shared copy-on-write since a `fork`; the next store resolves it.
pub const COW: PteFlags = PteFlags::RSW0;

/// Software bit: the page is locked in memory; its frame is no victim while an entry says so.
pub const LOCKED: PteFlags = PteFlags::RSW1;

/// A slot of the swap space: room for a page on a disk. They are counted from 1, since its first page is its header.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SwapSlot(pub u32);

/// What an entry whose V bit is clear says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotPresent {
    /// Nothing: the page was never touched, or has been given up.
    Nothing,
    /// The page held zeros when it left memory, and is to be zeros again. (In a private copy of a page of a file, `Nothing` would bring the
    /// file's.)
    Zeros,
    /// The page's content lies in this slot of the swap space, or in the frame that the slot has in memory.
    Swapped(SwapSlot),
}

const KIND_SHIFT: u32 = 1;
const KIND_MASK: u64 = 0b111;
const KIND_SWAPPED: u64 = 1;
const KIND_ZEROS: u64 = 2;
const SLOT_SHIFT: u32 = 10;

impl NotPresent {
    /// The entry in memory.
    pub const fn encode(self) -> Pte {
        match self {
            Self::Nothing => Pte::EMPTY,
            Self::Zeros => Pte(KIND_ZEROS << KIND_SHIFT),
            Self::Swapped(slot) => Pte((slot.0 as u64) << SLOT_SHIFT | KIND_SWAPPED << KIND_SHIFT),
        }
    }
    /// What a not-valid entry says; `None` if the entry is valid.
    #[allow(clippy::cast_possible_truncation)] // it was a u32
    pub const fn decode(pte: Pte) -> Option<Self> {
        if pte.is_valid() {
            return None;
        }
        match pte.0 >> KIND_SHIFT & KIND_MASK {
            KIND_SWAPPED => Some(Self::Swapped(SwapSlot((pte.0 >> SLOT_SHIFT) as u32))),
            KIND_ZEROS => Some(Self::Zeros),
            _ => Some(Self::Nothing),
        }
    }
}

/// Whether a leaf may let the user store. A frame that others may see must not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stores {
    /// As the VMA's protection says.
    AsProtected,
    /// Never: the frame is shared with someone who must not see the store.
    Forbidden,
}

/// A and D as an access needs them: A, and for a store D. An entry has them only if there was such an access since it was made or since
/// they were cleared; so pages in use are told from others, and pages with changes from those that can be had again.
pub const fn marks_of(access: Access) -> PteFlags {
    match access {
        Access::Write => PteFlags::A.union(PteFlags::D),
        Access::Read | Access::Execute => PteFlags::A,
    }
}

/// A user leaf for `prot`, made for an access.
///
/// * W without R is a reserved encoding (privileged manual, "Addressing and Memory Protection"), so a writable
///   page is readable too, as on Linux.
/// * A page without any permission keeps its frame: it is mapped readable, but not for the user (U clear).
pub fn user_leaf(frame: Ppn, prot: Prot, stores: Stores, access: Access) -> Pte {
    Pte::new(frame, permissions(prot, stores) | PteFlags::V | marks_of(access))
}

/// R, W, X and U of a leaf for `prot`.
pub(crate) fn permissions(prot: Prot, stores: Stores) -> PteFlags {
    let mut flags = PteFlags::empty();
    if prot.intersects(Prot::READ | Prot::WRITE) {
        flags |= PteFlags::R;
    }
    if prot.contains(Prot::WRITE) && stores == Stores::AsProtected {
        flags |= PteFlags::W;
    }
    if prot.contains(Prot::EXEC) {
        flags |= PteFlags::X;
    }
    if flags.is_empty() { PteFlags::R } else { flags | PteFlags::U }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_present_entries_round_trip() {
        for kind in [
            NotPresent::Nothing,
            NotPresent::Swapped(SwapSlot(0)),
            NotPresent::Swapped(SwapSlot(12345)),
            NotPresent::Swapped(SwapSlot(u32::MAX)),
            NotPresent::Zeros,
        ] {
            assert!(!kind.encode().is_valid());
            assert_eq!(NotPresent::decode(kind.encode()), Some(kind));
        }
        assert_eq!(NotPresent::decode(Pte::new(Ppn(1), PteFlags::V | PteFlags::R)), None);
    }

    #[test]
    fn leaf_flags_of_each_protection() {
        use PteFlags as F;
        for (prot, stores, flags) in [
            (Prot::READ, Stores::AsProtected, F::R | F::U),
            (Prot::READ | Prot::WRITE, Stores::AsProtected, F::R | F::W | F::U),
            (Prot::READ | Prot::WRITE, Stores::Forbidden, F::R | F::U),
            (Prot::WRITE, Stores::AsProtected, F::R | F::W | F::U),
            (Prot::WRITE, Stores::Forbidden, F::R | F::U),
            (Prot::EXEC, Stores::AsProtected, F::X | F::U),
            (Prot::READ | Prot::EXEC, Stores::Forbidden, F::R | F::X | F::U),
            (Prot::empty(), Stores::AsProtected, F::R),
        ] {
            for (access, marks) in
                [(Access::Read, F::A), (Access::Execute, F::A), (Access::Write, F::A | F::D)]
            {
                let leaf = user_leaf(Ppn(7), prot, stores, access);
                assert_eq!(leaf, Pte::new(Ppn(7), F::V | flags | marks), "{prot:?} {stores:?} {access:?}");
                assert!(leaf.is_leaf());
            }
        }
    }
}
