//! What there is at an address of a process: a page in memory, one that its first touch brings, or nothing.

use super::Trace;
use super::explain::choice;
use super::frames::FrameContent;
use super::refusal::{size, went_away};
use super::space::{Away, SCHEME, VmaView};
use isa::events::{EventKind, SegvReason, VMA_EXEC, VMA_READ, VMA_SHARED, VMA_WRITE};
use isa::{PAGE_SIZE, Ppn, VirtAddr};

/// What there is at an address of a process, as far as events tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Residence {
    /// A page of this VMA, in this frame.
    Here(VmaView, Ppn),
    /// A page that is not there yet; in words what its first touch does.
    Later(VmaView, String),
    /// A page that has left memory, or the entry's hold on it; in words behind "its page" what has become of it.
    Away(VmaView, String),
    /// Nothing; in words why.
    Nothing(String),
}

/// What there is at an address of a process.
pub fn at_page(trace: &Trace, pid: u64, va: VirtAddr) -> Residence {
    let guest = &trace.guest;
    if let Some(why) = no_user_address(va) {
        return Residence::Nothing(why);
    }
    let Some(space) = guest.space(pid) else { return Residence::Nothing("no address space".to_owned()) };
    let Some(vma) = space.vma_at(va) else { return Residence::Nothing(why_not_mapped(trace, pid, va)) };
    if let Some(frame) = space.frame_of(va.page()) {
        return Residence::Here(vma.clone(), frame);
    }
    let place = match space.away(va.page()) {
        Some(Away::Zeros) => {
            Some("held zeros and has left memory; its next touch faults and maps zeros".to_owned())
        }
        Some(Away::GivenUp) => Some(
            "had been given up (MADV_FREE) and has left memory; its next touch faults and maps zeros"
                .to_owned(),
        ),
        Some(Away::Slot(slot)) => Some(in_slot(trace, slot)),
        None => match slot_of_file(trace, vma, va) {
            Some(slot) => Some(in_slot(trace, slot)),
            None => taken(trace, pid, vma, va),
        },
    };
    match place {
        Some(place) => Residence::Away(vma.clone(), place),
        None => Residence::Later(vma.clone(), first_touch(trace, vma, va)),
    }
}

/// What has become of a page of a file whose entry a budget has emptied.
fn taken(trace: &Trace, pid: u64, vma: &VmaView, va: VirtAddr) -> Option<String> {
    let number = trace.guest.process(pid)?.space;
    let out = trace.history.emptied_at(number, va)?;
    let next = first_touch(trace, vma, va).replacen("first", "next", 1);
    Some(format!("was taken from it at step {}{}; {next}", out.at, choice(out)))
}

/// Why no mapping of a process holds an address, or held it when the process ended.
pub fn why_not_mapped(trace: &Trace, pid: u64, va: VirtAddr) -> String {
    if let Some(why) = no_user_address(va) {
        return why;
    }
    let number = trace.guest.process(pid).map_or(0, |process| process.space);
    match trace.history.unmapped_at(number, va) {
        Some(unmapped) => went_away(&unmapped),
        None if let Some(text) = below_stack(trace, pid, va) => text,
        None if trace.history.has_forgotten() => "no mapping holds it".to_owned(),
        None => "no mapping has ever held it".to_owned(),
    }
}

/// What there is to say of an address that no mapping has held, if a stack might grow to it.
fn below_stack(trace: &Trace, pid: u64, va: VirtAddr) -> Option<String> {
    /// Bytes below a stack in which an address is taken for one that is meant to be on it.
    const NEAR_BYTES: u64 = 64 << 20;
    let stack = trace.guest.space(pid)?.stack_above(va)?;
    if stack.end.0 - va.0 > NEAR_BYTES {
        return None;
    }
    let number = trace.guest.process(pid)?.space;
    let refused = trace.last_fault.as_ref().map(|fault| &fault.record).filter(|refused| {
        let is_here = refused.space == number && va.page() <= VirtAddr(refused.va).page();
        let is_refusal = refused.kind == EventKind::Segv as u64;
        is_here && is_refusal && SegvReason::from_number(refused.detail3) == Some(SegvReason::StackLimit)
    });
    Some(match refused {
        Some(refused) => {
            format!("below the stack, which has come to its limit of {} (RLIMIT_STACK)", size(refused.detail))
        }
        None => "below the stack, which grows to it at a touch if its limit (RLIMIT_STACK) allows".to_owned(),
    })
}

/// What has become of a page that an entry names by its slot.
fn in_slot(trace: &Trace, slot: u64) -> String {
    let left = trace.history.swapped_out(slot).map(|out| format!(" at step {}{}", out.at, choice(out)));
    let left = left.unwrap_or_default();
    match trace.guest.frame_of_slot(slot) {
        Some(frame) => format!(
            "was taken from it{left}, and is in memory all the same, in frame {:#x}, as the page of swap slot {slot}; its next touch faults and maps that",
            frame.0
        ),
        None => {
            format!("left memory{left} and is in swap slot {slot}; its next touch faults and brings it back")
        }
    }
}

/// The slot of the page that a mapping shows of a file in memory, if the page is in swap space.
fn slot_of_file(trace: &Trace, vma: &VmaView, va: VirtAddr) -> Option<u64> {
    let page = vma.file_offset_of(va.page_base()) / PAGE_SIZE;
    (vma.file != 0).then(|| trace.history.slot_of_page(vma.file, page)).flatten()
}

/// What the first touch of a page does that no entry maps yet.
fn first_touch(trace: &Trace, vma: &VmaView, va: VirtAddr) -> String {
    if vma.flags & (VMA_READ | VMA_WRITE | VMA_EXEC) == 0 {
        return "the mapping allows no access".to_owned();
    }
    if vma.file == 0 {
        return match vma.flags & VMA_SHARED {
            0 => "its first touch faults and maps a page of zeros".to_owned(),
            _ => "its first touch faults and maps the page that all who share it see".to_owned(),
        };
    }
    let page = vma.file_offset_of(va.page_base()) / PAGE_SIZE;
    let content = FrameContent::File { file: vma.file, page };
    let is_cached = trace.guest.frames().any(|(_, frame)| frame.content == content);
    if vma.is_anonymous() {
        let whence = if is_cached { ", which is in memory" } else { "" };
        return format!("its first touch faults and maps page {page} of the {}{whence}", vma.title());
    }
    let verb = if is_cached { "maps" } else { "reads" };
    let whence = if is_cached { ", which is in the page cache" } else { "" };
    format!("its first touch faults and {verb} page {page} of {}{whence}", vma.title())
}

/// Why an address is none that a program could have, if so.
pub(super) fn no_user_address(va: VirtAddr) -> Option<String> {
    let bits = SCHEME.va_bits();
    if !SCHEME.is_canonical(va) {
        let name = SCHEME.name();
        return Some(format!("no address of {name}, since bits 63 to {bits} differ from bit {}", bits - 1));
    }
    (va.0 >> 63 != 0).then(|| "in the kernel's half of the address space".to_owned())
}
