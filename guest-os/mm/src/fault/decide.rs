//! The decision itself: a pure function, read top-down like a flow chart.

use super::{Away, DiskWait, FaultAction, FaultQuery, MappedFrame, Place, SegvReason, StackRoom};
use crate::page_cache::PageLookup;
use crate::vma::{PageSource, Vma};
use isa::events::Access;
use isa::paging::{Pte, PteFlags};

/// What the fault needs. Pure: the same facts have the same answer, and nothing is changed.
#[inline(always)] // into the fault that is resolved, and the one that is forced
pub fn decide(query: &FaultQuery<'_>) -> FaultAction {
    let vma = match query.place {
        Place::Inside(vma) => vma,
        Place::BelowStack { stack, room } => return below_stack(stack, room, query.access),
        Place::Nowhere => return FaultAction::Segv(SegvReason::NotMapped),
    };
    if !vma.prot.allows(query.access) {
        return FaultAction::Protection;
    }
    match query.mapped {
        Some(_) if permits(query.pte, query.access) => marked(query.pte, query.access),
        Some(frame) => write_protected(vma, frame),
        None => match query.away {
            Away::Nowhere => untouched(vma, query),
            Away::Zeros => zeros(query.access),
            Away::Stored | Away::Busy | Away::Cached => in_swap_space(query),
        },
    }
}

fn below_stack(stack: &Vma, room: StackRoom, access: Access) -> FaultAction {
    match room {
        StackRoom::Enough if stack.prot.allows(access) => FaultAction::StackGrow,
        StackRoom::Enough => FaultAction::Protection,
        StackRoom::OverLimit => FaultAction::Segv(SegvReason::StackLimit),
        StackRoom::Guard => FaultAction::Segv(SegvReason::NotMapped),
    }
}

/// Whether a valid entry lets the user do this, A and D apart.
pub(crate) fn permits(pte: Pte, access: Access) -> bool {
    let needed = match access {
        Access::Read => PteFlags::R,
        Access::Write => PteFlags::W,
        Access::Execute => PteFlags::X,
    };
    pte.flags().contains(PteFlags::V | PteFlags::U | needed)
}

/// The entry allows the access: what the hardware has not done for itself.
fn marked(pte: Pte, access: Access) -> FaultAction {
    if access == Access::Write && !pte.flags().contains(PteFlags::D) {
        FaultAction::Dirtied
    } else {
        FaultAction::Accessed
    }
}

/// The VMA allows the access and the entry maps a frame, yet the entry forbids it: a store to a frame that
/// others may see.
fn write_protected(vma: &Vma, frame: MappedFrame) -> FaultAction {
    match frame {
        MappedFrame::Zero => FaultAction::Zero,
        MappedFrame::Anon { owners: 1 } => FaultAction::CowReuse,
        MappedFrame::Anon { .. } => FaultAction::CowCopy,
        MappedFrame::File if vma.is_shared() => FaultAction::SharedMap,
        MappedFrame::File => FaultAction::FileCopy,
    }
}

/// The page is to hold zeros.
fn zeros(access: Access) -> FaultAction {
    if access == Access::Write { FaultAction::Zero } else { FaultAction::ZeroShared }
}

/// The VMA allows the access, and the private page is in a slot of the swap space.
fn in_swap_space(query: &FaultQuery<'_>) -> FaultAction {
    match query.away {
        Away::Cached => FaultAction::SwapIn,
        _ if query.waited == DiskWait::Failed => FaultAction::Segv(SegvReason::SwapFailed),
        Away::Busy => FaultAction::WaitPage,
        _ => FaultAction::ReadPage,
    }
}

/// The VMA allows the access and the page has no frame yet.
fn untouched(vma: &Vma, query: &FaultQuery<'_>) -> FaultAction {
    let source = vma.source(query.vpn());
    if source == PageSource::Zeros {
        return zeros(query.access);
    }
    if query.waited == DiskWait::Failed {
        return FaultAction::Segv(SegvReason::ReadFailed);
    }
    match query.page {
        None | Some(PageLookup::BeyondEnd) => return FaultAction::Segv(SegvReason::BeyondEndOfFile),
        Some(PageLookup::NoRoom) => return FaultAction::Segv(SegvReason::NoRoom),
        Some(PageLookup::Absent | PageLookup::Swapped(_)) => return FaultAction::ReadPage,
        Some(PageLookup::Reading(_) | PageLookup::SwapBusy(_)) => return FaultAction::WaitPage,
        Some(PageLookup::Ready(_) | PageLookup::Hole) => {}
    }
    if vma.is_shared() {
        FaultAction::SharedMap
    } else if query.access == Access::Write || matches!(source, PageSource::FileThenZeros { .. }) {
        FaultAction::FileCopy
    } else if query.waited == DiskWait::Done {
        FaultAction::FileDisk
    } else {
        FaultAction::FileCache
    }
}
