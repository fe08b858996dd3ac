//! Why an access was refused, in a line: what a program died of.

use super::event::Event;
use super::guest_view::GuestView;
use super::history::{History, Place};
use super::space::VmaView;
use isa::VirtAddr;
use isa::events::{Access, EventKind, SegvReason, VMA_EXEC, VMA_READ, VMA_WRITE};

/// An access that the kernel has refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What was tried.
    pub access: Access,
    /// The address.
    pub va: VirtAddr,
    /// The instruction.
    pub pc: Place,
    /// Why not, in words.
    pub reason: String,
}

impl Refusal {
    /// What a refused fault tells; `guest` and `history` being as they were at that time.
    pub(super) fn of(event: &Event, guest: &GuestView, history: &History) -> Option<Self> {
        let record = &event.record;
        let va = VirtAddr(record.va);
        let access = record.access()?;
        let vma = guest.vma_at(record.pid, va);
        let reason = match (event.kind()?, vma) {
            (EventKind::Protection, Some(vma)) => forbidden(vma, access),
            (EventKind::Protection, None) => "the mapping does not allow it".to_owned(),
            _ => match SegvReason::from_number(record.detail3)? {
                SegvReason::NotMapped => match history.unmapped_at(record.space, va) {
                    Some((step, EventKind::Brk)) => format!("given back by brk at step {step}"),
                    Some((step, _)) => format!("unmapped by munmap at step {step}"),
                    None => "no mapping holds this address".to_owned(),
                },
                SegvReason::StackLimit => format!("the stack's limit of {}", size(record.detail)),
                SegvReason::BeyondEndOfFile => {
                    format!("past the end of {}", vma.map_or("the file", VmaView::title))
                }
                SegvReason::ReadFailed => "the page could not be read from the disk".to_owned(),
                SegvReason::NoRoom => "no room for more pages in files in memory".to_owned(),
            },
        };
        Some(Self { access, va, pc: Place::of(VirtAddr(record.pc), record.pid, guest), reason })
    }
}

/// What a mapping is, and what it does not allow.
fn forbidden(vma: &VmaView, access: Access) -> String {
    let allows = |bit| vma.flags & bit != 0;
    let lacks = match access {
        _ if vma.flags & (VMA_READ | VMA_WRITE | VMA_EXEC) == 0 => "no access",
        Access::Write => "read-only",
        Access::Execute => "not executable",
        Access::Read => "not readable",
    };
    let is_text = vma.file != 0 && allows(VMA_EXEC);
    let what = if is_text { format!("text of {}", vma.title()) } else { vma.title().to_owned() };
    format!("{lacks}: {what} ({})", vma.permissions())
}

/// `8 MiB`.
fn size(bytes: u64) -> String {
    match bytes {
        _ if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ if bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} bytes"),
    }
}
