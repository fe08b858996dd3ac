//! One paragraph on a page that leaves memory: whose it was, who needed room, why the policy chose it, and what becomes of it.

use super::accounts::EvictionKind;
use super::explain::{choice, process};
use super::history::GivenUp;
use super::{Event, Trace};
use isa::events::{EventRecord, GIVEN_UP};
use isa::policies::Why;
use isa::{Ppn, VirtAddr, Vpn};

/// Of so many who had a page all are told.
const MOST_HOLDERS: usize = 4;

/// One paragraph on an eviction, `trace` being the state of things *before* it, when the page was still mapped; `None` if the event is none.
pub fn explain_departure(event: &Event, trace: &Trace) -> Option<String> {
    let kind = EvictionKind::of(event)?;
    let record = &event.record;
    let given_up = GivenUp { at: event.step, choice: Why::from_word(record.detail3) };
    let running = trace.history.running_on(event.hart);
    let by = running.map_or_else(|| "the kernel".to_owned(), |thread| process(thread.pid, &trace.guest));
    let (page, frame) = (page(record, kind, trace), Ppn(record.frame));
    let holders = if kind == EvictionKind::Entry { String::new() } else { holders(frame, trace) };
    let (verb, fate) = fate(record, kind);
    Some(format!(
        "At step {}, in the time of {by}, {page}{holders} {verb} frame {:#x}{}. {fate}",
        event.step,
        frame.0,
        choice(given_up)
    ))
}

/// What page it is.
fn page(record: &EventRecord, kind: EvictionKind, trace: &Trace) -> String {
    if kind == EvictionKind::Entry {
        let holder = trace.guest.process_of_space(record.space);
        let whose = holder.map_or_else(|| "a process".to_owned(), |holder| process(holder.pid, &trace.guest));
        return format!(
            "the entry of {whose} for {}",
            place(record.space, VirtAddr(record.va).page(), trace)
        );
    }
    if record.detail == 0 {
        return "a private page".to_owned();
    }
    let name = trace.guest.file_name(record.detail).map(str::to_owned);
    format!("page {} of {}", record.detail2, name.unwrap_or_else(|| format!("file {}", record.detail)))
}

/// A page of an address space, and what it lies in.
fn place(space: u64, page: Vpn, trace: &Trace) -> String {
    let va = page.base();
    let holder = trace.guest.process_of_space(space);
    match holder.and_then(|holder| trace.guest.vma_at(holder.pid, va)) {
        Some(vma) => format!("{va} in {}", vma.title()),
        None => va.to_string(),
    }
}

/// Who maps a frame.
fn holders(frame: Ppn, trace: &Trace) -> String {
    let mappings = trace.guest.frame(frame).map(|view| view.mappings.iter().copied().collect::<Vec<_>>());
    let mappings = mappings.unwrap_or_default();
    let named = mappings.iter().take(MOST_HOLDERS).map(|&(space, page)| {
        let who = trace.guest.process_of_space(space);
        let who = who.map_or_else(|| "a process".to_owned(), |who| process(who.pid, &trace.guest));
        format!("{who} at {}", place(space, page, trace))
    });
    let named: Vec<String> = named.collect();
    let more = match mappings.len().saturating_sub(MOST_HOLDERS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match named.is_empty() {
        true => ", which nobody mapped,".to_owned(),
        false => format!(", mapped by {}{more},", named.join(", by ")),
    }
}

/// What is done, as a verb before "frame", and what comes of it.
fn fate(record: &EventRecord, kind: EvictionKind) -> (&'static str, String) {
    let slot = record.refs;
    match kind {
        EvictionKind::File => (
            "left",
            "It was as it is on the disk: nothing is written, and the next touch reads it from there."
                .to_owned(),
        ),
        EvictionKind::Private | EvictionKind::Tmpfs => (
            "left",
            format!(
                "Swap space did not have it as it was: it is written to slot {slot} first, and then the frame is free; the next touch brings it back."
            ),
        ),
        EvictionKind::Clean => (
            "left",
            format!(
                "Slot {slot} has it unchanged since it was written there last: nothing is written; the next touch reads it from there."
            ),
        ),
        EvictionKind::Zeros if record.flags == GIVEN_UP => (
            "left",
            "Its program had said that it needs the content no more (MADV_FREE), and has not stored there since: nothing is written, it needs no slot, and the next touch gets zeros."
                .to_owned(),
        ),
        EvictionKind::Zeros => (
            "left",
            "It held zeros only: nothing is written, it needs no slot, and the next touch gets zeros."
                .to_owned(),
        ),
        EvictionKind::Entry => (
            "was emptied, which named",
            "The page stays in memory for others who map it; the next touch maps it again.".to_owned(),
        ),
    }
}
