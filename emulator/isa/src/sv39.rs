//! Sv39: page-table entries, their flags, and `satp` (privileged manual, "Sv39: Page-Based 39-bit
//! Virtual-Memory System").

use crate::{Exception, PAGE_SIZE, PhysAddr, Ppn, Privilege, VirtAddr};
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

/// What a memory access wants to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Access {
    /// Fetch an instruction.
    Fetch,
    /// Load.
    Load,
    /// Store, or an atomic memory operation.
    Store,
}

impl Access {
    /// The page fault that a failed translation for this access raises.
    pub const fn page_fault(self) -> Exception {
        match self {
            Self::Fetch => Exception::InstructionPage,
            Self::Load => Exception::LoadPage,
            Self::Store => Exception::StorePage,
        }
    }
    /// The access fault that a failed physical access raises.
    pub const fn access_fault(self) -> Exception {
        match self {
            Self::Fetch => Exception::InstructionAccess,
            Self::Load => Exception::LoadAccess,
            Self::Store => Exception::StoreAccess,
        }
    }
}

/// Why a walk found no leaf.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WalkFault {
    /// Bits 63:39 of the address differ from bit 38: a page fault.
    NotCanonical,
    /// There is no memory where the entry should be: an access fault.
    NoMemory(PhysAddr),
    /// The entry of this level is not valid: a page fault.
    NotValid(Leaf),
    /// The entry of this level has a reserved encoding (W without R, a reserved bit, A, D or U in a pointer, a
    /// pointer at level 0): a page fault.
    Reserved(Leaf),
    /// A superpage whose frame number is not a multiple of its size: a page fault.
    MisalignedSuperpage(Leaf),
}

/// The entry at which a walk ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Leaf {
    /// Its level: 0 for a 4 KiB page.
    pub level: u8,
    /// Where it lies.
    pub pte_addr: PhysAddr,
    /// The entry.
    pub pte: Pte,
}

impl Leaf {
    /// The frame of the 4 KiB page of `va`, which this leaf maps.
    pub const fn frame(self, va: VirtAddr) -> Ppn {
        let low = leaf_bytes(self.level) / PAGE_SIZE - 1;
        Ppn(self.pte.ppn().0 & !low | va.page().0 & low)
    }
}

/// Finds the leaf entry that maps `va`, as the hardware's walker does (privileged manual, "Virtual Address
/// Translation Process", steps 1 to 5 and 7). `read` gives the eight bytes at a physical address, `None` if
/// there is no memory; it sees the entry of each level in turn.
///
/// Permissions, A and D are not looked at: see [`denial`].
#[inline]
pub fn walk(
    root: Ppn,
    va: VirtAddr,
    mut read: impl FnMut(PhysAddr) -> Option<u64>,
) -> Result<Leaf, WalkFault> {
    if !is_canonical(va) {
        return Err(WalkFault::NotCanonical);
    }
    let mut table = root;
    let mut level = LEVELS - 1;
    loop {
        let pte_addr = pte_addr(table, va, level);
        let pte = Pte(read(pte_addr).ok_or(WalkFault::NoMemory(pte_addr))?);
        let entry = Leaf { level, pte_addr, pte };
        let flags = pte.flags();
        if !pte.is_valid() {
            return Err(WalkFault::NotValid(entry));
        }
        if pte.has_reserved_bits() || flags.contains(PteFlags::W) && !flags.contains(PteFlags::R) {
            return Err(WalkFault::Reserved(entry));
        }
        if pte.is_leaf() {
            let low = leaf_bytes(level) / PAGE_SIZE - 1;
            return if pte.ppn().0 & low == 0 {
                Ok(entry)
            } else {
                Err(WalkFault::MisalignedSuperpage(entry))
            };
        }
        if level == 0 || flags.intersects(PteFlags::A.union(PteFlags::D).union(PteFlags::U)) {
            return Err(WalkFault::Reserved(entry));
        }
        table = pte.ppn();
        level -= 1;
    }
}

/// In what state of the hart an access is made: what decides, beside the entry, whether it is allowed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct AccessMode {
    /// The effective privilege (with MPRV applied).
    pub privilege: Privilege,
    /// `mstatus.SUM`: S-mode may load from and store to U pages.
    pub sum: bool,
    /// `mstatus.MXR`: executable pages may be loaded from.
    pub mxr: bool,
}

/// Why an entry does not allow an access, in the order in which the bits are looked at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Denial {
    /// U-mode, and U is clear.
    NotUser,
    /// S-mode, and U is set (SUM clear, or a fetch).
    UserPage,
    /// A load, and R is clear (nor X set with MXR).
    NotReadable,
    /// A store, and W is clear.
    NotWritable,
    /// A fetch, and X is clear.
    NotExecutable,
    /// A is clear: a page fault under Svade; the walker sets it under Svadu.
    NotAccessed,
    /// A store, and D is clear: a page fault under Svade; the walker sets it under Svadu.
    NotDirty,
}

/// Whether an entry with `flags` keeps `mode` from an `access`, and why (steps 6 and 9 of the translation
/// process).
#[inline]
pub const fn denial(flags: PteFlags, access: Access, mode: AccessMode) -> Option<Denial> {
    let user_page = flags.contains(PteFlags::U);
    match mode.privilege {
        Privilege::User if !user_page => return Some(Denial::NotUser),
        Privilege::Supervisor if user_page && (!mode.sum || matches!(access, Access::Fetch)) => {
            return Some(Denial::UserPage);
        }
        _ => {}
    }
    match access {
        Access::Load if !(flags.contains(PteFlags::R) || mode.mxr && flags.contains(PteFlags::X)) => {
            Some(Denial::NotReadable)
        }
        Access::Store if !flags.contains(PteFlags::W) => Some(Denial::NotWritable),
        Access::Fetch if !flags.contains(PteFlags::X) => Some(Denial::NotExecutable),
        _ if !flags.contains(PteFlags::A) => Some(Denial::NotAccessed),
        Access::Store if !flags.contains(PteFlags::D) => Some(Denial::NotDirty),
        _ => None,
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

    /// A table of tables in a small map: address to entry.
    fn walk_in(entries: &[(u64, Pte)], va: u64) -> Result<Leaf, WalkFault> {
        walk(Ppn(1), VirtAddr(va), |pa| {
            entries.iter().find(|&&(at, _)| at == pa.0).map(|&(_, pte)| pte.0).or(Some(0))
        })
    }

    #[test]
    fn a_walk_ends_at_a_leaf_of_any_level() {
        let leaf = PteFlags::V | PteFlags::R | PteFlags::W;
        let tables = [
            (0x1000, Pte::new(Ppn(2), PteFlags::V)),
            (0x1008, Pte::new(Ppn(0x40000), leaf)),
            (0x1010, Pte::new(Ppn(0x40001), leaf)),
            (0x1018, Pte::new(Ppn(2), PteFlags::V | PteFlags::A)),
            (0x1020, Pte::new(Ppn(2), PteFlags::V | PteFlags::W)),
            (0x2000, Pte::new(Ppn(3), PteFlags::V)),
            (0x2008, Pte::new(Ppn(0x200), leaf)),
            (0x3008, Pte::new(Ppn(7), leaf)),
            (0x3010, Pte::new(Ppn(7), PteFlags::V)),
        ];
        let frame = |va| walk_in(&tables, va).map(|leaf| (leaf.level, leaf.frame(VirtAddr(va)).0));
        assert_eq!(frame(0x1abc), Ok((0, 7)));
        assert_eq!(frame(0x20_5000), Ok((1, 0x205)));
        assert_eq!(frame(0x4020_5000), Ok((2, 0x40205)));
        let fault = |va| walk_in(&tables, va).expect_err("no leaf");
        assert!(matches!(fault(0x8000_0000), WalkFault::MisalignedSuperpage(Leaf { level: 2, .. })));
        assert!(matches!(fault(0xc000_0000), WalkFault::Reserved(Leaf { level: 2, .. })));
        assert!(matches!(fault(0x1_0000_0000), WalkFault::Reserved(_)));
        assert!(matches!(fault(0x2000), WalkFault::Reserved(Leaf { level: 0, .. })));
        assert!(matches!(fault(0x5000), WalkFault::NotValid(Leaf { level: 0, .. })));
        assert_eq!(fault(1 << 38), WalkFault::NotCanonical);
        assert_eq!(walk(Ppn(1), VirtAddr(0), |_| None), Err(WalkFault::NoMemory(PhysAddr(0x1000))));
    }

    #[test]
    fn permissions() {
        let all = PteFlags::R | PteFlags::W | PteFlags::X | PteFlags::A | PteFlags::D;
        let user = AccessMode { privilege: Privilege::User, sum: false, mxr: false };
        let kernel = AccessMode { privilege: Privilege::Supervisor, ..user };
        let sum = AccessMode { sum: true, ..kernel };
        let mxr = AccessMode { mxr: true, ..kernel };
        for (flags, access, mode, expected) in [
            (all, Access::Load, user, Some(Denial::NotUser)),
            (all | PteFlags::U, Access::Load, user, None),
            (all | PteFlags::U, Access::Load, kernel, Some(Denial::UserPage)),
            (all | PteFlags::U, Access::Store, sum, None),
            (all | PteFlags::U, Access::Fetch, sum, Some(Denial::UserPage)),
            (all - PteFlags::R, Access::Load, kernel, Some(Denial::NotReadable)),
            (all - PteFlags::R, Access::Load, mxr, None),
            (all - PteFlags::W, Access::Store, kernel, Some(Denial::NotWritable)),
            (all - PteFlags::X, Access::Fetch, kernel, Some(Denial::NotExecutable)),
            (all - PteFlags::A, Access::Load, kernel, Some(Denial::NotAccessed)),
            (all - PteFlags::D, Access::Load, kernel, None),
            (all - PteFlags::D, Access::Store, kernel, Some(Denial::NotDirty)),
        ] {
            assert_eq!(denial(flags, access, mode), expected, "{flags:?} {access:?} {mode:?}");
        }
    }
}
