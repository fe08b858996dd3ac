//! The guest kernel's frame table as it lies in RAM, so that a host can hold it against what the event stream has told.
//!
//! An array of [`FrameEntry`]. The first is a header: kind [`KIND_HEADER`], `key` the number (PPN) of the first frame, `index` how many entries
//! follow; entry *n* after it is of frame `key + n`, and frames beyond were never handed out. The event
//! [`Boot`](crate::events::EventKind::Boot) tells where the array lies.

/// What a frame holds, and who maps it: 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct FrameEntry {
    /// One of the `KIND_` numbers.
    pub kind: u32,
    /// User page-table entries that map it (for a page table: its entries that are not empty).
    pub maps: u32,
    /// Holds on it by I/O in flight.
    pub pins: u16,
    /// [`DISPOSABLE`], or nothing.
    pub flags: u16,
    /// The slot of swap space that has its content, or is to get it; 0: none.
    pub slot: u32,
    /// [`KIND_PAGE_CACHE`]: the file. [`KIND_ANON_ONE`]: the kernel's key of the address space that maps it. [`KIND_ANON_SEVERAL`]: that of one that does, and
    /// in the upper half the kernel's list of the other owners.
    pub key: u64,
    /// [`KIND_PAGE_CACHE`]: the page of the file. [`KIND_ANON_ONE`], [`KIND_ANON_SEVERAL`]: the page where that address space maps it.
    pub index: u64,
}

/// Nobody's.
pub const KIND_FREE: u32 = 0;
/// The kernel's own.
pub const KIND_KERNEL: u32 = 1;
/// A page table.
pub const KIND_PAGE_TABLE: u32 = 2;
/// The zero page that untouched anonymous pages share for reading.
pub const KIND_ZERO: u32 = 3;
/// Private memory that nothing maps: not yet, or, with a slot, not again yet (the swap cache; a page of a file in memory, too, while it is there).
pub const KIND_ANON: u32 = 4;
/// Private memory that one page of one address space maps.
pub const KIND_ANON_ONE: u32 = 5;
/// Private memory that several pages of address spaces map.
pub const KIND_ANON_SEVERAL: u32 = 6;
/// A page of a file, in the page cache.
pub const KIND_PAGE_CACHE: u32 = 7;
/// A page of a file that the page cache has given up while it is mapped or held.
pub const KIND_ORPHAN: u32 = 8;
/// A flag of private memory: its program has said that its content may be lost, as long as it does not store there again.
pub const DISPOSABLE: u16 = 1;

/// The first entry: not of a frame.
pub const KIND_HEADER: u32 = u32::MAX;

impl FrameEntry {
    /// Words in an entry.
    pub const WORDS: usize = 4;
    /// Bytes in an entry.
    pub const SIZE_BYTES: u64 = 32;

    /// Whether the frame holds private memory.
    pub const fn is_anon(&self) -> bool {
        matches!(self.kind, KIND_ANON | KIND_ANON_ONE | KIND_ANON_SEVERAL)
    }

    /// The entry of these words.
    #[allow(clippy::cast_possible_truncation)] // parts of words
    pub const fn from_words(w: &[u64; Self::WORDS]) -> Self {
        Self {
            kind: w[0] as u32,
            maps: (w[0] >> 32) as u32,
            pins: w[1] as u16,
            flags: (w[1] >> 16) as u16,
            slot: (w[1] >> 32) as u32,
            key: w[2],
            index: w[3],
        }
    }
}

const _: () = assert!(core::mem::size_of::<FrameEntry>() as u64 == FrameEntry::SIZE_BYTES);
