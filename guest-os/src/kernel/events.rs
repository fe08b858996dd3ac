//! Reporting to the event stream (`isa::events`). Without a host device a report costs one comparison.

use crate::devices::drivers::host;
use crate::hart::hart;
use crate::processes::thread::Thread;
use isa::events::{CutShort, EventKind, EventRecord, GIVEN_UP, MAX_TEXT, SignalEffect, SignalTold, WRITTEN};
use isa::{Ppn, Vpn};
use mm::vma::Backing;
use mm::{FrameNote, LocalEviction, PageRange, SpaceId, SwapOut, Vma};
use proc::SigInfo;

/// Reports an event with a text, of the running thread unless the record names one.
pub fn report_text(record: EventRecord, text: &[u8]) {
    if !host::is_present() {
        return;
    }
    let mut record = record;
    if record.pid == 0
        && let Ok(current) = hart().current.try_borrow()
        && let Some(thread) = &*current
    {
        record.pc = thread.user_pc();
        record.pid = u64::from(thread.process.pid);
        record.tid = u64::from(thread.tid().0);
        record.space = thread.process.space_id();
    }
    host::with(|host| host.report(&record, text));
}

/// Reports what `mm` says of a frame: as the kernel's own event, since there are many, and it takes long to say who runs.
pub fn frame_note(frame: Ppn, note: FrameNote) {
    let (kind, (detail, detail2, detail3)) = match note {
        FrameNote::Taken(kind) => (EventKind::FrameTake, (u64::from(kind.number()), 0, 0)),
        FrameNote::CacheFilled(key) => (EventKind::CacheFill, (key.file.0, key.index, 0)),
        FrameNote::Evicted(key, policy, why) => (EventKind::Evict, (key.file.0, key.index, why.word(policy))),
        FrameNote::CacheDropped(key) => (EventKind::CacheDrop, (key.file.0, key.index, 0)),
        FrameNote::SwappedOut(out) => return swapped_out(frame, out),
        FrameNote::LocalEvicted(entry) => return entry_evicted(frame, entry),
        FrameNote::InSwapCache { slot, is_read } => {
            (EventKind::SwapCache, (u64::from(slot.0), u64::from(is_read), 0))
        }
        FrameNote::Freed => (EventKind::FrameFree, (0, 0, 0)),
    };
    let record = EventRecord { frame: frame.0, detail, detail2, detail3, ..of(kind) };
    host::with(|host| host.report_frame(record));
}

fn swapped_out(frame: Ppn, out: SwapOut) {
    let (detail, detail2) = out.page.map_or((0, 0), |key| (key.file.0, key.index));
    let record = EventRecord {
        frame: frame.0,
        detail,
        detail2,
        detail3: out.why.word(out.policy),
        refs: out.slot.map_or(0, |slot| u64::from(slot.0)),
        flags: if out.is_written {
            WRITTEN
        } else if out.is_given_up {
            GIVEN_UP
        } else {
            0
        },
        ..of(EventKind::SwapOut)
    };
    host::with(|host| host.report_frame(record));
}

fn entry_evicted(frame: Ppn, entry: LocalEviction) {
    let record = EventRecord {
        frame: frame.0,
        space: u64::from(entry.space.0),
        va: entry.vpn.base().0,
        detail: entry.slot.map_or(0, |slot| u64::from(slot.0)),
        detail3: entry.why.word(entry.policy),
        ..of(EventKind::EvictEntry)
    };
    host::with(|host| host.report_frame(record));
}

/// Reports that a page of a file was used through an entry of an address space: as [`frame_note`].
#[cold]
pub fn page_used(frame: Ppn, space: SpaceId, vpn: Vpn) {
    let record = EventRecord {
        frame: frame.0,
        space: u64::from(space.0),
        va: vpn.base().0,
        ..of(EventKind::PageUsed)
    };
    host::with(|host| host.report_frame(record));
}

/// Reports an event without a text.
pub fn report(record: EventRecord) {
    report_text(record, &[]);
}

/// Reports why a program cannot be executed.
pub fn exec_refused(errno: u16, why: &str) {
    let record = EventRecord { detail: u64::from(errno), ..of(EventKind::ExecRefused) };
    report_text(record, &why.as_bytes()[..why.len().min(MAX_TEXT)]);
}

/// A record of this kind, all else empty.
pub fn of(kind: EventKind) -> EventRecord {
    EventRecord { kind: kind as u64, ..EventRecord::default() }
}

/// A record of this kind about `thread`.
pub fn about(kind: EventKind, thread: &Thread) -> EventRecord {
    let (pid, tid) = (u64::from(thread.process.pid), u64::from(thread.tid().0));
    EventRecord { pid, tid, space: thread.process.space_id(), ..of(kind) }
}

/// A signal of `thread` came to this; `cut_short` is the call that it broke off.
pub fn signal(thread: &Thread, info: &SigInfo, effect: SignalEffect, cut_short: Option<CutShort>) {
    let (pc, result) = thread.frame.try_borrow().map_or((0, 0), |frame| (frame.pc, frame.x[10]));
    let told = SignalTold {
        signal: u64::from(info.signal.number()),
        code: info.code,
        sender: u64::from(info.pid),
        value: info.value,
        effect,
        cut_short,
        result,
    };
    let mut record = EventRecord { pc, ..about(EventKind::Signal, thread) };
    told.write(&mut record);
    report(record);
}

/// The registers of `thread`, whose process a signal has just ended.
pub fn registers(thread: &Thread) {
    let Ok(frame) = thread.frame.try_borrow() else { return };
    let mut bytes = [0; MAX_TEXT];
    for (place, register) in bytes.chunks_exact_mut(8).zip(&frame.x[1..]) {
        place.copy_from_slice(&register.to_le_bytes());
    }
    report_text(EventRecord { pc: frame.pc, ..about(EventKind::Registers, thread) }, &bytes);
}

/// A record of this kind about a range of pages.
pub fn range(kind: EventKind, range: PageRange) -> EventRecord {
    EventRecord { va: range.start.base().0, va_end: range.end.base().0, ..of(kind) }
}

/// A VMA was entered.
pub fn mapped(vma: &Vma) {
    let (detail, detail2) = match vma.backing {
        Backing::Anon => (0, 0),
        Backing::File(file) => (file.file.0, file.first_page * isa::PAGE_SIZE),
    };
    let record =
        EventRecord { detail, detail2, detail3: vma.event_flags(), ..range(EventKind::Mmap, vma.range) };
    report_text(record, vma.name.as_bytes());
}

/// VMAs, or parts of them, were removed.
pub fn unmapped(removed: &[Vma]) {
    for vma in removed {
        report(EventRecord { detail: return_address(), ..range(EventKind::Munmap, vma.range) });
    }
}

/// The register `ra` of the running thread: in a system call, where the wrapper around it was called from.
fn return_address() -> u64 {
    let thread = hart().current.try_borrow();
    let frame = |thread: &Thread| thread.frame.try_borrow().map_or(0, |frame| frame.x[1]);
    thread.ok().and_then(|thread| thread.as_deref().map(frame)).unwrap_or(0)
}
