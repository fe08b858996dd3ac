//! Why an access was refused, in a line: what a program died of.

use super::event::Event;
use super::guest_view::GuestView;
use super::history::{History, Place, Unmapped};
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
    /// Where a call there would have returned to, if it was to be executed: the register `ra`.
    pub called_from: Option<Place>,
    /// Why not, in words.
    pub reason: String,
    /// The instructions that the reason names.
    pub named: Vec<Place>,
}

impl Refusal {
    /// What a refused fault tells; `guest` and `history` being as they were at that time.
    pub(super) fn of(event: &Event, guest: &GuestView, history: &History) -> Option<Self> {
        let record = &event.record;
        let va = VirtAddr(record.va);
        let access = record.access()?;
        let vma = guest.vma_at(record.pid, va);
        let unmapped = history.unmapped_at(record.space, va);
        let reason = match (event.kind()?, vma) {
            (EventKind::Protection, Some(vma)) => match guest.vma_at(record.pid, vma.end) {
                Some(above) if !has_access(vma) && above.flags & VMA_WRITE != 0 => format!(
                    "the guard page below the mapping at {} ({}): if that is a stack, it is too small",
                    above.start,
                    vma.permissions()
                ),
                _ => forbidden(vma, access),
            },
            (EventKind::Protection, None) => "the mapping does not allow it".to_owned(),
            _ => match SegvReason::from_number(record.detail3)? {
                SegvReason::NotMapped => match &unmapped {
                    Some(unmapped) => went_away(unmapped),
                    None => "no mapping holds this address".to_owned(),
                },
                SegvReason::StackLimit => format!("the stack's limit of {}", size(record.detail)),
                SegvReason::BeyondEndOfFile => {
                    format!("past the end of {}", vma.map_or("the file", VmaView::title))
                }
                SegvReason::ReadFailed => "the page could not be read from the disk that had it".to_owned(),
                SegvReason::NoRoom => "no room for more pages in files in memory".to_owned(),
                SegvReason::SwapFailed => "the page could not be had back from swap space".to_owned(),
            },
        };
        let place = |va| Place::of(va, record.pid, guest);
        let called_from = return_address(event).map(place);
        let named = unmapped.into_iter().flat_map(|unmapped| [unmapped.call, unmapped.called_from]);
        let named = named.flatten().map(place).collect();
        Some(Self { access, va, pc: place(VirtAddr(record.pc)), called_from, reason, named })
    }
}

/// What the register `ra` held when an instruction could not be fetched, if it held anything.
pub(super) fn return_address(event: &Event) -> Option<VirtAddr> {
    let is_fetch = event.record.access() == Some(Access::Execute);
    let has_register = match event.kind()? {
        EventKind::Protection => true,
        EventKind::Segv => !SegvReason::from_number(event.record.detail3)?.is_about_a_page(),
        _ => false,
    };
    (is_fetch && has_register && event.record.detail2 != 0).then_some(VirtAddr(event.record.detail2))
}

/// How a range went away: `unmapped by munmap at step 12 (pc 0x10432, ra 0x10268)`.
pub(super) fn went_away(unmapped: &Unmapped) -> String {
    let step = unmapped.at;
    let thread = unmapped.tid.map_or_else(String::new, |tid| format!(" in thread {tid}"));
    match (unmapped.by, unmapped.call) {
        (EventKind::Brk, Some(call)) => format!("given back by brk{thread} at step {step} (pc {call})"),
        (_, Some(call)) => {
            let from = unmapped.called_from.map_or_else(String::new, |from| format!(", ra {from}"));
            format!("unmapped by munmap{thread} at step {step} (pc {call}{from})")
        }
        (_, None) => format!("not given to this process by the fork at step {step}"),
    }
}

/// Whether a mapping allows anything.
fn has_access(vma: &VmaView) -> bool {
    vma.flags & (VMA_READ | VMA_WRITE | VMA_EXEC) != 0
}

/// What a mapping is, and what it does not allow.
fn forbidden(vma: &VmaView, access: Access) -> String {
    let allows = |bit| vma.flags & bit != 0;
    let lacks = match access {
        _ if !has_access(vma) => "no access",
        Access::Write => "read-only",
        Access::Execute => "not executable",
        Access::Read => "not readable",
    };
    let is_text = vma.file != 0 && allows(VMA_EXEC);
    let what = if is_text { format!("text of {}", vma.title()) } else { vma.title().to_owned() };
    format!("{lacks}: {what} ({})", vma.permissions())
}

/// `8 MiB`.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        _ if bytes.is_multiple_of(1 << 20) => format!("{} MiB", bytes >> 20),
        _ if bytes.is_multiple_of(1 << 10) => format!("{} KiB", bytes >> 10),
        _ => format!("{bytes} bytes"),
    }
}
