//! Page faults: the pure decision what a fault needs, and its names.
//!
//! [`decide`] looks at facts only and changes nothing; [`AddressSpace::fault`](crate::AddressSpace::fault) gathers the
//! facts and acts on the answer. The actions have the names of the event kinds of `isa::events`, so that
//! code, trace, report and lesson speak alike.
//!
//! **Faults restart.** When a page is on a disk and not in memory, the answer is [`FaultAction::ReadPage`] or
//! [`FaultAction::WaitPage`]: the caller starts the read, sleeps holding nothing, and asks again with
//! [`DiskWait::Done`]. That second answer resolves the same fault, which is counted once, as one from disk.

mod decide;
mod resolution;

pub use decide::decide;
pub(crate) use decide::permits;
pub use isa::events::SegvReason;
pub use resolution::{Awaited, FaultOutcome, FaultSignal, Resolution};

use crate::page_cache::PageLookup;
use crate::vma::Vma;
use isa::events::{Access, EventKind};
use isa::paging::Pte;
use isa::{VirtAddr, Vpn};

/// Whether this fault has waited for the device already.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DiskWait {
    /// It has not.
    #[default]
    None,
    /// It has waited for the page, and the read is done.
    Done,
    /// It has waited for the page, and the device reported an error.
    Failed,
}

/// What the faulting page has mapped already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MappedFrame {
    /// The shared zero page.
    Zero,
    /// An anonymous frame that so many entries map.
    Anon {
        /// Entries that map it, this one included.
        owners: u32,
    },
    /// A frame of the page cache, or one that the cache has given up.
    File,
}

/// Where a private page went that was here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Away {
    /// Nowhere: there is none yet.
    Nowhere,
    /// It held zeros.
    Zeros,
    /// To a slot of the swap space, on the disk only.
    Stored,
    /// To a slot that is being read or written.
    Busy,
    /// To a slot whose page is in memory: the swap cache.
    Cached,
}

/// Where the faulting address lies.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// In this VMA.
    Inside(&'a Vma),
    /// In no VMA, but the next one above is a stack that may grow.
    BelowStack {
        /// The stack.
        stack: &'a Vma,
        /// Whether it may grow down to the address.
        room: StackRoom,
    },
    /// In no VMA.
    Nowhere,
}

/// Whether a stack may grow down to the faulting address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StackRoom {
    /// It may.
    Enough,
    /// It would become larger than its limit.
    OverLimit,
    /// The guard gap to the VMA below it would be lost.
    Guard,
}

/// The facts on which a fault is decided.
#[derive(Clone, Copy, Debug)]
pub struct FaultQuery<'a> {
    /// The faulting address.
    pub va: VirtAddr,
    /// What was tried.
    pub access: Access,
    /// Where the address lies.
    pub place: Place<'a>,
    /// The page's entry; [`Pte::EMPTY`] also if there is no page table for it.
    pub pte: Pte,
    /// The frame that the entry maps, if it is valid.
    pub mapped: Option<MappedFrame>,
    /// Where the page went, if its entry is not valid and says so.
    pub away: Away,
    /// The page cache's answer for the page of the file behind the address, if there is one.
    pub page: Option<PageLookup>,
    /// Whether the fault has waited for the device already.
    pub waited: DiskWait,
}

impl FaultQuery<'_> {
    /// The faulting page.
    pub fn vpn(&self) -> Vpn {
        self.va.page()
    }
}

/// What a page fault needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultAction {
    /// Give the page a zeroed frame of its own.
    Zero,
    /// Map the shared zero page, read-only: the page is read before anyone has stored to it.
    ZeroShared,
    /// The page of the file, or of the slot, is not in memory: start its read, sleep, ask again.
    ReadPage,
    /// It is being read already, or still being written to its slot: sleep, ask again.
    WaitPage,
    /// Map the page-cache frame read-only; this fault waited for the device to fill it.
    FileDisk,
    /// Map the page-cache frame read-only; it was there already.
    FileCache,
    /// Copy the page of the file to a frame of the page's own: it is stored to, or its end must be zeros.
    FileCopy,
    /// Copy a frame that others share copy-on-write.
    CowCopy,
    /// Make a copy-on-write frame writable: nobody else has it any more.
    CowReuse,
    /// Let the stack grow down to the page and give it a zeroed frame.
    StackGrow,
    /// Map the frame of a shared mapping.
    SharedMap,
    /// Map the frame that has the page of the swap slot that the entry names.
    SwapIn,
    /// The entry is right but for A, or it became right meanwhile: set A.
    Accessed,
    /// A store to a clean page, which is writable: set D, and A.
    Dirtied,
    /// Refuse: the VMA does not allow the access (SIGSEGV, SEGV_ACCERR).
    Protection,
    /// Refuse: there is nothing.
    Segv(SegvReason),
}

impl FaultAction {
    /// The kind of event that tells of it; none for the steps that only put the fault off.
    pub const fn event_kind(self) -> Option<EventKind> {
        Some(match self {
            Self::ReadPage | Self::WaitPage => return None,
            Self::Zero => EventKind::Zero,
            Self::ZeroShared => EventKind::ZeroShared,
            Self::FileDisk => EventKind::FileDisk,
            Self::FileCache => EventKind::FileCache,
            Self::FileCopy => EventKind::FileCopy,
            Self::CowCopy => EventKind::CowCopy,
            Self::CowReuse => EventKind::CowReuse,
            Self::StackGrow => EventKind::StackGrow,
            Self::SharedMap => EventKind::SharedMap,
            Self::SwapIn => EventKind::SwapIn,
            Self::Accessed => EventKind::Accessed,
            Self::Dirtied => EventKind::Dirtied,
            Self::Protection => EventKind::Protection,
            Self::Segv(_) => EventKind::Segv,
        })
    }
}
