//! What came of a page fault.

use super::{FaultAction, SegvReason};
use crate::address_space::Flush;
use crate::frame::FrameId;
use crate::page_cache::PageKey;
use crate::pte::SwapSlot;
use isa::VirtAddr;
use isa::events::{Access, EventRecord, FLAG_FROM_DISK};
use isa::paging::Pte;

/// What is read from a disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Awaited {
    /// A page of a file.
    Page(PageKey),
    /// The page of a slot of the swap space.
    Slot(SwapSlot),
}

/// What came of a page fault, or of one step of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum FaultOutcome {
    /// The page is mapped now; the access can be tried again. Apply the flush first.
    Resolved(Resolution),
    /// Read this into this frame, sleep until it is done, call [`Memory::finish_read`](crate::Memory::finish_read) or
    /// [`Memory::finish_swap_in`](crate::Memory::finish_swap_in), and ask again with [`DiskWait::Done`](super::DiskWait::Done) (or `Failed`).
    Read(Awaited, FrameId),
    /// Someone else reads this, or it is still being written: sleep until that is done, and ask again with [`DiskWait::Done`](super::DiskWait::Done).
    Wait(Awaited),
    /// The access is refused: send the signal of [`Resolution::signal`].
    Refused(Resolution),
}

/// The signal of a refused access, and its `si_code`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FaultSignal {
    /// SIGSEGV, SEGV_MAPERR.
    SegvMapErr,
    /// SIGSEGV, SEGV_ACCERR.
    SegvAccErr,
    /// SIGBUS, BUS_ADRERR.
    BusAdrErr,
}

/// One fault, decided and carried out: everything that an event record says of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resolution {
    /// What was done.
    pub action: FaultAction,
    /// The faulting address.
    pub va: VirtAddr,
    /// What was tried.
    pub access: Access,
    /// The frame that is mapped now.
    pub frame: Option<FrameId>,
    /// The frame that was mapped, or copied, before.
    pub previous_frame: Option<FrameId>,
    /// The entry when the fault came.
    pub pte: Pte,
    /// The entry now.
    pub new_pte: Pte,
    /// How many entries mapped `previous_frame` (or, if there is none, `frame`) before.
    pub owners: u32,
    /// The page of the file that took part.
    pub page: Option<PageKey>,
    /// The slot of the swap space that the entry named.
    pub slot: Option<SwapSlot>,
    /// Whether the fault waited for the device.
    pub from_disk: bool,
    /// What the TLB must forget before the access is tried again.
    pub flush: Flush,
}

impl Resolution {
    /// The signal for a refused access; `None` if it was not refused.
    pub fn signal(&self) -> Option<FaultSignal> {
        match self.action {
            FaultAction::Protection => Some(FaultSignal::SegvAccErr),
            FaultAction::Segv(SegvReason::NotMapped | SegvReason::StackLimit) => {
                Some(FaultSignal::SegvMapErr)
            }
            FaultAction::Segv(
                SegvReason::BeyondEndOfFile
                | SegvReason::NoRoom
                | SegvReason::ReadFailed
                | SegvReason::SwapFailed,
            ) => Some(FaultSignal::BusAdrErr),
            _ => None,
        }
    }

    /// Why the address can't be had at all, if that is what was found.
    pub fn refusal(&self) -> Option<SegvReason> {
        match self.action {
            FaultAction::Segv(reason) => Some(reason),
            _ => None,
        }
    }

    /// The event record of the fault; the caller adds process, thread, pc and whether it was a kernel copy.
    pub fn event(&self) -> EventRecord {
        let ppn = |frame: Option<FrameId>| frame.map_or(0, |f| f.ppn().0);
        let page = self.page.map_or((0, 0), |key| (key.file.0, key.index));
        let (detail, detail2) = self.slot.map_or(page, |slot| (u64::from(slot.0), 0));
        EventRecord {
            kind: self.action.event_kind().map_or(0, |kind| kind as u64),
            va: self.va.0,
            frame: ppn(self.frame),
            previous_frame: ppn(self.previous_frame),
            pte: self.pte.0,
            new_pte: self.new_pte.0,
            flags: self.access as u64 | if self.from_disk { FLAG_FROM_DISK } else { 0 },
            detail,
            detail2,
            detail3: u64::from(self.from_disk),
            refs: u64::from(self.owners),
            ..EventRecord::default()
        }
    }
}
