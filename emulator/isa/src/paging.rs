//! Page-based virtual memory: Sv39, Sv48 and Sv57, page-table entries and their flags, `satp`, the walk (privileged
//! manual, "Sv39: Page-Based 39-bit Virtual-Memory System" and what follows it, "Svnapot", "Svpbmt").

use crate::{Exception, PAGE_SHIFT, PhysAddr, Ppn, Privilege, VirtAddr};
use bitflags::bitflags;

/// A translation scheme. They differ in the number of levels only; level 0 maps 4 KiB pages.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scheme {
    /// 39-bit addresses, three levels.
    Sv39,
    /// 48-bit addresses, four levels.
    Sv48,
    /// 57-bit addresses, five levels.
    Sv57,
}

impl Scheme {
    /// All schemes, the smallest first.
    pub const ALL: [Scheme; 3] = [Self::Sv39, Self::Sv48, Self::Sv57];

    /// The scheme with this encoding in `satp.MODE`; `None` for Bare and for reserved encodings.
    pub const fn from_satp_mode(mode: u64) -> Option<Self> {
        match mode {
            8 => Some(Self::Sv39),
            9 => Some(Self::Sv48),
            10 => Some(Self::Sv57),
            _ => None,
        }
    }
    /// Its encoding in `satp.MODE`.
    pub const fn satp_mode(self) -> u64 {
        8 + self as u64
    }
    /// Levels of its page tables; the root's is the last of them.
    pub const fn levels(self) -> u8 {
        3 + self as u8
    }
    /// The level of the root.
    pub const fn root_level(self) -> u8 {
        self.levels() - 1
    }
    /// Bits of a virtual address that it translates; the rest must equal the topmost of them.
    pub const fn va_bits(self) -> u32 {
        PAGE_SHIFT + VPN_BITS * self.levels() as u32
    }
    /// Whether the bits of `va` above those that it translates all equal the topmost of these.
    pub const fn is_canonical(self, va: VirtAddr) -> bool {
        let shift = 64 - self.va_bits();
        ((va.0 << shift) as i64 >> shift) as u64 == va.0
    }
    /// The manual's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sv39 => "Sv39",
            Self::Sv48 => "Sv48",
            Self::Sv57 => "Sv57",
        }
    }
}

/// Bits of the virtual page number that index one level.
pub const VPN_BITS: u32 = 9;
/// Entries in one page-table page.
pub const ENTRIES: u64 = 1 << VPN_BITS;
/// Bytes of an entry.
pub const PTE_BYTES: u64 = 8;
/// log2 of the pages that a NAPOT leaf maps: 64 KiB.
pub const NAPOT_PAGES_LOG2: u8 = 4;

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
/// Bits 60:54: must be zero.
const RESERVED_MASK: u64 = 0x7f << ATTRIBUTES_SHIFT;
/// Above the frame number: reserved bits, PBMT, N.
const ATTRIBUTES_SHIFT: u32 = 54;
const PBMT_SHIFT: u32 = 61;
const N: u64 = 1 << 63;

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
    /// Whether one of bits 60:54 is set, which is a page fault.
    pub const fn has_reserved_bits(self) -> bool {
        self.0 & RESERVED_MASK != 0
    }
    /// N: the leaf is one of sixteen that map 64 KiB together (Svnapot).
    pub const fn is_napot(self) -> bool {
        self.0 & N != 0
    }
    /// PBMT, the memory type (Svpbmt): 0 as the physical memory's, 1 NC, 2 IO, 3 reserved.
    pub const fn memory_type(self) -> u64 {
        self.0 >> PBMT_SHIFT & 3
    }
}

/// The index of `va` into the page-table page of `level`.
pub const fn vpn_index(va: VirtAddr, level: u8) -> u64 {
    va.0 >> (PAGE_SHIFT + VPN_BITS * level as u32) & (ENTRIES - 1)
}

/// log2 of the 4 KiB pages that an entry at `level` spans.
pub const fn pages_log2(level: u8) -> u8 {
    9 * level
}

/// Bytes that an entry at `level` spans: 4 KiB, 2 MiB, 1 GiB, 512 GiB, 256 TiB.
pub const fn leaf_bytes(level: u8) -> u64 {
    1 << (PAGE_SHIFT + pages_log2(level) as u32)
}

/// Where the entry for `va` lies in the page-table page `table` of `level`.
pub const fn pte_addr(table: Ppn, va: VirtAddr, level: u8) -> PhysAddr {
    PhysAddr((table.0 << 12) + vpn_index(va, level) * PTE_BYTES)
}

/// `satp.MODE`: no translation.
pub const MODE_BARE: u64 = 0;

/// The value of the `satp` CSR.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[repr(transparent)]
pub struct Satp(pub u64);

impl Satp {
    /// A scheme with this root and address-space identifier.
    pub const fn new(scheme: Scheme, root: Ppn, asid: u16) -> Self {
        Self(scheme.satp_mode() << 60 | (asid as u64) << 44 | root.0 & PPN_MASK)
    }
    /// Sv39 with this root and address-space identifier.
    pub const fn sv39(root: Ppn, asid: u16) -> Self {
        Self::new(Scheme::Sv39, root, asid)
    }
    /// The scheme of the MODE field; `None` for Bare (and for reserved encodings, which no hart holds).
    pub const fn scheme(self) -> Option<Scheme> {
        Scheme::from_satp_mode(self.mode())
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
    /// The high bits of the address differ from the topmost that the scheme translates: a page fault.
    NotCanonical,
    /// There is no memory where the entry should be: an access fault.
    NoMemory(PhysAddr),
    /// The entry of this level is not valid: a page fault.
    NotValid(Leaf),
    /// The entry of this level has a reserved encoding (W without R, a reserved bit, A, D, U, N or PBMT in a
    /// pointer, a pointer at level 0, a NAPOT size that does not exist, a memory type that is off or reserved): a
    /// page fault.
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
    /// log2 of the 4 KiB pages that the leaf maps.
    pub const fn pages_log2(self) -> u8 {
        if self.pte.is_napot() { NAPOT_PAGES_LOG2 } else { pages_log2(self.level) }
    }
    /// The frame of the 4 KiB page of `va`, which this leaf maps.
    pub const fn frame(self, va: VirtAddr) -> Ppn {
        let low = (1 << self.pages_log2()) - 1;
        Ppn(self.pte.ppn().0 & !low | va.page().0 & low)
    }
}

/// What a walk goes by: where it starts, and which entries are legal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Translation {
    /// How many levels.
    pub scheme: Scheme,
    /// The root page table.
    pub root: Ppn,
    /// N may be set (Svnapot).
    pub napot: bool,
    /// PBMT may be set (Svpbmt, with `menvcfg.PBMTE`).
    pub memory_types: bool,
}

impl Translation {
    /// That of `satp`, with Svnapot and Svpbmt; `None` if addresses are not translated.
    pub const fn of(satp: Satp) -> Option<Self> {
        match satp.scheme() {
            Some(scheme) => Some(Self { scheme, root: satp.root(), napot: true, memory_types: true }),
            None => None,
        }
    }

    /// Whether bits 63:54 of an entry make it reserved, whatever else it holds.
    const fn attributes_are_reserved(self, pte: Pte, level: u8) -> bool {
        if pte.0 >> ATTRIBUTES_SHIFT == 0 {
            return false;
        }
        let pointer = !pte.is_leaf();
        let napot_encoding = 1 << (NAPOT_PAGES_LOG2 - 1);
        let napot_pages = (1 << NAPOT_PAGES_LOG2) - 1;
        let bad_napot = pte.is_napot()
            && (!self.napot || pointer || level != 0 || pte.ppn().0 & napot_pages != napot_encoding);
        let kind = pte.memory_type();
        pte.has_reserved_bits() || bad_napot || kind == 3 || kind != 0 && (!self.memory_types || pointer)
    }
}

/// Finds the leaf entry that maps `va`, as the hardware's walker does (privileged manual, "Virtual Address
/// Translation Process", steps 1 to 5 and 7). `read` gives the eight bytes at a physical address, `None` if
/// there is no memory; it sees the entry of each level in turn.
///
/// Permissions, A and D are not looked at: see [`denial`].
#[inline]
pub fn walk(
    by: Translation,
    va: VirtAddr,
    mut read: impl FnMut(PhysAddr) -> Option<u64>,
) -> Result<Leaf, WalkFault> {
    if !by.scheme.is_canonical(va) {
        return Err(WalkFault::NotCanonical);
    }
    let mut table = by.root;
    let mut level = by.scheme.root_level();
    loop {
        let pte_addr = pte_addr(table, va, level);
        let pte = Pte(read(pte_addr).ok_or(WalkFault::NoMemory(pte_addr))?);
        let entry = Leaf { level, pte_addr, pte };
        let flags = pte.flags();
        if !pte.is_valid() {
            return Err(WalkFault::NotValid(entry));
        }
        let writable_only = flags.contains(PteFlags::W) && !flags.contains(PteFlags::R);
        if writable_only || by.attributes_are_reserved(pte, level) {
            return Err(WalkFault::Reserved(entry));
        }
        if pte.is_leaf() {
            let low = (1 << pages_log2(level)) - 1;
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
        // The smallest scheme, by number of levels, in which the address is canonical; 6 for none.
        for (va, levels) in [
            (0, 3),
            (0x3f_ffff_ffff, 3),
            (0x40_0000_0000, 4),
            (0x7fff_ffff_ffff, 4),
            (0x8000_0000_0000, 5),
            (0xff_ffff_ffff_ffff, 5),
            (0x100_0000_0000_0000, 6),
            (0xfeff_ffff_ffff_ffff, 6),
            (0xff00_0000_0000_0000, 5),
            (0xffff_7fff_ffff_ffff, 5),
            (0xffff_8000_0000_0000, 4),
            (0xffff_ffbf_ffff_ffff, 4),
            (0xffff_ffc0_0000_0000, 3),
            (u64::MAX, 3),
        ] {
            for scheme in Scheme::ALL {
                assert_eq!(
                    scheme.is_canonical(VirtAddr(va)),
                    scheme.levels() >= levels,
                    "{va:#x} {scheme:?}"
                );
            }
        }
    }

    #[test]
    fn schemes_are_told_by_their_mode() {
        for scheme in Scheme::ALL {
            assert_eq!(Scheme::from_satp_mode(scheme.satp_mode()), Some(scheme));
            let satp = Satp::new(scheme, Ppn(0x80abc), 7);
            assert_eq!((satp.scheme(), satp.root(), satp.asid()), (Some(scheme), Ppn(0x80abc), 7));
        }
        assert_eq!(Scheme::ALL.map(Scheme::va_bits), [39, 48, 57]);
        for mode in (0..8).chain(11..16) {
            assert_eq!(Scheme::from_satp_mode(mode), None);
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
        assert_eq!((satp.mode(), satp.asid(), satp.root()), (8, 0xffff, Ppn(0x80abc)));
    }

    const SV39: Translation =
        Translation { scheme: Scheme::Sv39, root: Ppn(1), napot: true, memory_types: true };

    /// A table of tables in a small map: address to entry.
    fn walk_in(entries: &[(u64, Pte)], va: u64) -> Result<Leaf, WalkFault> {
        walk(SV39, VirtAddr(va), |pa| {
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
        assert_eq!(walk(SV39, VirtAddr(0), |_| None), Err(WalkFault::NoMemory(PhysAddr(0x1000))));
    }

    #[test]
    fn every_scheme_walks_its_levels() {
        for scheme in Scheme::ALL {
            let mut read = 0;
            let by = Translation { scheme, ..SV39 };
            let end = walk(by, VirtAddr(0x1000), |_| {
                read += 1;
                Some(Pte::new(Ppn(1), PteFlags::V).0)
            });
            assert!(matches!(end, Err(WalkFault::Reserved(Leaf { level: 0, .. }))), "{end:?}");
            assert_eq!(read, scheme.levels());
        }
    }

    #[test]
    fn napot_and_memory_types() {
        let leaf = PteFlags::V | PteFlags::R;
        let with = |ppn, flags, n: u64, pbmt: u64| Pte(Pte::new(Ppn(ppn), flags).0 | n << 63 | pbmt << 61);
        let pointer = |n, pbmt| with(2, PteFlags::V, n, pbmt);
        // (the root's entry, the entry of level 1, the entry of level 0): the frame of 0x5000, if one is found.
        let found = |by: Translation, entries: [Pte; 3]| {
            let entries = entries.map(|pte| pte.0);
            let mut at = 0;
            let leaf = walk(by, VirtAddr(0x5000), |_| {
                at += 1;
                Some(entries[at - 1])
            });
            leaf.ok().map(|leaf| leaf.frame(VirtAddr(0x5000)).0)
        };
        let plain = pointer(0, 0);
        let (off, on) = (Translation { napot: false, memory_types: false, ..SV39 }, SV39);
        for (entries, without, with_both) in [
            ([plain, plain, with(0x18, leaf, 0, 0)], Some(0x18), Some(0x18)),
            ([plain, plain, with(0x18, leaf, 1, 0)], None, Some(0x15)),
            ([plain, plain, with(0x10, leaf, 1, 0)], None, None),
            ([plain, plain, with(0x1c, leaf, 1, 0)], None, None),
            ([plain, with(0x208, leaf, 1, 0), plain], None, None),
            ([plain, pointer(1, 0), with(0x18, leaf, 0, 0)], None, None),
            ([plain, plain, with(7, leaf, 0, 1)], None, Some(7)),
            ([plain, plain, with(7, leaf, 0, 2)], None, Some(7)),
            ([plain, plain, with(7, leaf, 0, 3)], None, None),
            ([pointer(0, 1), plain, with(7, leaf, 0, 0)], None, None),
            ([plain, with(0x200, leaf, 0, 1), plain], None, Some(0x205)),
            ([plain, plain, with(0x18, leaf, 1, 2)], None, Some(0x15)),
        ] {
            assert_eq!((found(off, entries), found(on, entries)), (without, with_both), "{entries:x?}");
        }
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
