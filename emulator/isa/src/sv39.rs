//! Sv39: page-table entries, their flags, and `satp` (privileged manual, "Sv39: Page-Based 39-bit
//! Virtual-Memory System").

use crate::{PhysAddr, Ppn, VirtAddr};
use bitflags::bitflags;

/// Levels of an Sv39 page table. Level 2 is the root, level 0 maps 4 KiB pages.
pub const LEVELS: u8 = 3;
/// Bits of the virtual page number that index one level.
pub const VPN_BITS: u32 = 9;
/// Entries in one page-table page.
pub const ENTRIES: u64 = 1 << VPN_BITS;
/// Bytes of an entry.
pub const PTE_BYTES: u64 = 8;
/// Bits of a virtual address that Sv39 translates; the rest must equal the topmost of them.
pub const VA_BITS: u32 = 39;

bitflags! {
    /// The flag bits of a page-table entry.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
    pub struct PteFlags: u64 {
        /// Valid.
        const V = 1 << 0;
        /// Readable.
        const R = 1 << 1;
        /// Writable.
        const W = 1 << 2;
        /// Executable.
        const X = 1 << 3;
        /// Accessible to U-mode.
        const U = 1 << 4;
        /// Global: in every address space.
        const G = 1 << 5;
        /// Accessed since the bit was last cleared.
        const A = 1 << 6;
        /// Dirty: written since the bit was last cleared.
        const D = 1 << 7;
        /// Bit 8, reserved for the supervisor (RSW low).
        const RSW0 = 1 << 8;
        /// Bit 9, reserved for the supervisor (RSW high).
        const RSW1 = 1 << 9;
    }
}

const FLAG_BITS: u64 = 0x3ff;
const PPN_MASK: u64 = (1 << 44) - 1;
/// Bits 63:54 (N, PBMT and the reserved bits): must be zero while Svnapot and Svpbmt are not implemented.
pub const RESERVED_MASK: u64 = 0x3ff << 54;

/// A page-table entry, as it lies in memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(transparent)]
pub struct Pte(pub u64);

impl Pte {
    /// The invalid entry with no information in it.
    pub const EMPTY: Pte = Pte(0);

    /// An entry for `ppn` with `flags`.
    pub const fn new(ppn: Ppn, flags: PteFlags) -> Self {
        Self((ppn.0 & PPN_MASK) << 10 | flags.bits())
    }
    /// The physical page number.
    pub const fn ppn(self) -> Ppn {
        Ppn(self.0 >> 10 & PPN_MASK)
    }
    /// The flag bits.
    pub const fn flags(self) -> PteFlags {
        PteFlags::from_bits_truncate(self.0 & FLAG_BITS)
    }
    /// The same entry with other flags.
    pub const fn with_flags(self, flags: PteFlags) -> Self {
        Self(self.0 & !FLAG_BITS | flags.bits())
    }
    /// Whether V is set.
    pub const fn is_valid(self) -> bool {
        self.0 & PteFlags::V.bits() != 0
    }
    /// Whether the entry, if valid, is a leaf (R or X set) and not a pointer to the next level.
    pub const fn is_leaf(self) -> bool {
        self.0 & (PteFlags::R.bits() | PteFlags::X.bits()) != 0
    }
    /// Whether a reserved bit is set, which is a page fault.
    pub const fn has_reserved_bits(self) -> bool {
        self.0 & RESERVED_MASK != 0
    }
}

/// Whether bits 63:39 of `va` all equal bit 38.
pub const fn is_canonical(va: VirtAddr) -> bool {
    let shift = 64 - VA_BITS;
    ((va.0 << shift) as i64 >> shift) as u64 == va.0
}

/// The index of `va` into the page-table page of `level` (0, 1 or 2).
pub const fn vpn_index(va: VirtAddr, level: u8) -> u64 {
    va.0 >> (12 + VPN_BITS * level as u32) & (ENTRIES - 1)
}

/// Bytes that a leaf at `level` maps: 4 KiB, 2 MiB, 1 GiB.
pub const fn leaf_bytes(level: u8) -> u64 {
    1 << (12 + VPN_BITS * level as u32)
}

/// Where the entry for `va` lies in the page-table page `table` of `level`.
pub const fn pte_addr(table: Ppn, va: VirtAddr, level: u8) -> PhysAddr {
    PhysAddr((table.0 << 12) + vpn_index(va, level) * PTE_BYTES)
}

/// `satp.MODE`: no translation.
pub const MODE_BARE: u64 = 0;
/// `satp.MODE`: Sv39.
pub const MODE_SV39: u64 = 8;

/// The value of the `satp` CSR.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(transparent)]
pub struct Satp(pub u64);

impl Satp {
    /// Sv39 with this root and address-space identifier.
    pub const fn sv39(root: Ppn, asid: u16) -> Self {
        Self(MODE_SV39 << 60 | (asid as u64) << 44 | root.0 & PPN_MASK)
    }
    /// The MODE field.
    pub const fn mode(self) -> u64 {
        self.0 >> 60
    }
    /// The ASID field.
    #[allow(clippy::cast_possible_truncation)] // the field has 16 bits
    pub const fn asid(self) -> u16 {
        (self.0 >> 44) as u16
    }
    /// The root page table.
    pub const fn root(self) -> Ppn {
        Ppn(self.0 & PPN_MASK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_addresses() {
        for (va, yes) in [
            (0, true),
            (0x3f_ffff_ffff, true),
            (0x40_0000_0000, false),
            (0xffff_ffc0_0000_0000, true),
            (0xffff_ffbf_ffff_ffff, false),
            (u64::MAX, true),
        ] {
            assert_eq!(is_canonical(VirtAddr(va)), yes, "{va:#x}");
        }
    }

    #[test]
    fn entry_fields_round_trip() {
        let pte = Pte::new(Ppn(0x8_0200), PteFlags::V | PteFlags::R);
        assert_eq!((pte.ppn(), pte.flags()), (Ppn(0x8_0200), PteFlags::V | PteFlags::R));
        assert!(pte.is_valid() && pte.is_leaf() && !pte.has_reserved_bits());
    }

    #[test]
    fn satp_fields() {
        let satp = Satp::sv39(Ppn(0x80abc), 0xffff);
        assert_eq!((satp.mode(), satp.asid(), satp.root()), (MODE_SV39, 0xffff, Ppn(0x80abc)));
    }
}
