//! `ps`, `maps`, `frames` and `tlb`: the guest as its events tell of it, and the TLB.

use super::target::{Target, TlbSide};
use crate::machine::TlbCounters;
use crate::trace::{
    Away, FrameContent, FrameView, GuestView, ProcessState, ProcessView, SpaceView, SystemUse, ThreadId,
    pte_flags,
};
use isa::paging::Pte;
use isa::{PAGE_SIZE, Ppn, VirtAddr, Vpn};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Frames that `frames` lists at most.
const MAX_FRAMES: usize = 32;
/// TLB entries that `tlb` lists at most on each side.
const MAX_TLB_LINES: usize = 16;

/// The processes, and the threads of those that have several, the one that is looked at marked; `is_idle` tells of a hart, since one
/// that has nothing to run still counts as its last process's, and `does` what a thread does.
pub(super) fn processes(
    guest: &GuestView,
    is_idle: impl Fn(usize) -> bool,
    selected: Option<ThreadId>,
    does: &BTreeMap<ThreadId, String>,
) -> String {
    let mark = |is_selected| if is_selected { '*' } else { ' ' };
    let mut text = String::from("  PID  PPID  STATE       FAULTS  PAGES  PROGRAM\n");
    for process in guest.processes() {
        let hart = match process.state {
            ProcessState::Running { hart } if !is_idle(hart) => Some(hart),
            _ => None,
        };
        let state = match process.state {
            ProcessState::Ended { status } => wait_status(status),
            _ if hart.is_some() => "running".to_owned(),
            ProcessState::Running { .. } | ProcessState::Waiting => "waiting".to_owned(),
        };
        let pages = guest.space(process.pid).map_or(0, |space| space.resident_pages());
        let _ = writeln!(
            text,
            "{}{:>4} {:>5}  {state:<10} {:>7} {pages:>6}  {}",
            mark(selected.is_some_and(|thread| thread.pid == process.pid)),
            process.pid,
            process.parent,
            process.faults,
            process.program
        );
        if !process.is_alive() || process.threads.len() < 2 {
            continue;
        }
        for &tid in &process.threads {
            let thread = ThreadId { pid: process.pid, tid };
            let what = does.get(&thread).map_or("waits", String::as_str);
            let _ = writeln!(text, "     {} thread {tid} {what}", mark(selected == Some(thread)));
        }
    }
    text
}

/// A status in the encoding of `wait4`, in words.
pub(super) fn wait_status(status: u64) -> String {
    match status & 0x7f {
        0 => format!("exited {}", status >> 8 & 0xff),
        signal => format!("signal {signal}"),
    }
}

/// A process that has not ended, or what there is to say of it.
pub(super) fn living(guest: &GuestView, pid: u64) -> Result<&ProcessView, String> {
    let process = guest.process(pid).ok_or_else(|| format!("there is no process {pid}"))?;
    match process.state {
        ProcessState::Ended { status } => Err(format!(
            "process {pid} ({}) has ended ({}): its mappings and its page table are gone",
            process.name(),
            wait_status(status)
        )),
        ProcessState::Running { .. } | ProcessState::Waiting => Ok(process),
    }
}

/// The mappings of a process.
pub(super) fn maps(guest: &GuestView, pid: u64) -> Result<String, String> {
    let ended = living(guest, pid).err();
    let space = guest.last_space(pid).ok_or_else(|| match &ended {
        Some(ended) => ended.clone(),
        None => format!("process {pid} has no address space yet"),
    })?;
    let mut text = ended.map(|ended| format!("{ended}; when it ended it had\n")).unwrap_or_default();
    let (mut total, mut resident) = (0, 0);
    for vma in space.vmas() {
        let pages = (vma.end.0 - vma.start.0) / PAGE_SIZE;
        let mapped = count_in(space, vma.start, vma.end);
        total += pages;
        resident += mapped;
        let _ = writeln!(
            text,
            "{:#012x}-{:#012x} {} {:>9} {mapped:>6} of {pages:>6} pages  {}",
            vma.start.0,
            vma.end.0,
            vma.permissions(),
            if vma.file == 0 { String::new() } else { format!("{:#x}", vma.offset_bytes) },
            vma.title()
        );
    }
    let are = if resident == 1 { "is" } else { "are" };
    let _ = writeln!(text, "{resident} of {total} pages {are} in memory");
    let swapped = space.all_away().filter(|(_, away)| matches!(away, Away::Slot(_))).count();
    if swapped > 0 {
        let pages = if swapped == 1 { "page is" } else { "pages are" };
        let _ = writeln!(text, "{swapped} {pages} in swap space");
        text.push_str(&slots(guest, pid, space));
    }
    Ok(text)
}

/// Which slots the pages of a process are in, and which other processes have them there, too.
fn slots(guest: &GuestView, pid: u64, space: &SpaceView) -> String {
    const SHOWN: usize = 16;
    let mut text = String::new();
    let mut rest = space.all_away();
    for (vpn, away) in rest.by_ref().take(SHOWN) {
        let _ = match away {
            Away::Zeros => writeln!(text, "  page {:#x}: zeros, in no slot", vpn.base().0),
            Away::GivenUp => {
                writeln!(text, "  page {:#x}: given up (MADV_FREE), in no slot", vpn.base().0)
            }
            Away::Slot(slot) => {
                let others: Vec<String> = guest
                    .names_of_slot(slot)
                    .filter(|&(space, _)| guest.process(pid).is_none_or(|process| process.space != space))
                    .map(|(space, vpn)| place_in(guest, space, vpn))
                    .collect();
                let also =
                    if others.is_empty() { String::new() } else { format!(", also of {}", some_of(&others)) };
                let cached = guest.frame_of_slot(slot).map(|frame| format!(", also in frame {:#x}", frame.0));
                writeln!(text, "  page {:#x}: slot {slot}{}{also}", vpn.base().0, cached.unwrap_or_default())
            }
        };
    }
    match rest.count() {
        0 => {}
        more => drop(writeln!(text, "  {more} more")),
    }
    text
}

fn count_in(space: &SpaceView, start: VirtAddr, end: VirtAddr) -> u64 {
    space.pages().filter(|(vpn, _)| (start.page()..end.page()).contains(vpn)).count() as u64
}

/// What the frames hold: the sums, then frame by frame from `first` on.
pub(super) fn frames(guest: &GuestView, first: Ppn) -> String {
    let tally = Tally::of(guest);
    let tables = guest.system_frames().filter(|&(_, system_use)| system_use == SystemUse::PageTable).count();
    let kernel = guest.system_frames().count() - tables;
    let hold = |count| {
        if count == 1 { "1 frame holds pages".to_owned() } else { format!("{count} frames hold pages") }
    };
    let are = if tables == 1 { "is a page table" } else { "are page tables" };
    let mut text = format!(
        "{}: {}\n{tables} more {are}, {kernel} the kernel's\n",
        hold(guest.frames_in_use()),
        tally.text()
    );
    let mut rest = guest.frames().filter(|(ppn, _)| *ppn >= first);
    for (ppn, frame) in rest.by_ref().take(MAX_FRAMES) {
        let _ = writeln!(text, "  frame {:#x}: {}", ppn.0, describe_frame(guest, frame));
    }
    if let Some((next, _)) = rest.next() {
        let _ = writeln!(text, "  {} more: `frames {:#x}`", rest.count() + 1, next.0);
    }
    text
}

/// How many frames hold what: every frame that holds a page is one of these.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Tally {
    private: u64,
    shared: u64,
    cached_mapped: u64,
    cached: u64,
    zero: u64,
    dropped: u64,
    swap_cache: u64,
}

impl Tally {
    fn of(guest: &GuestView) -> Self {
        let mut tally = Self::default();
        for (_, frame) in guest.frames() {
            let count = match (frame.content, frame.mappings.len()) {
                (FrameContent::Zero, _) => &mut tally.zero,
                (FrameContent::Dropped, _) => &mut tally.dropped,
                (FrameContent::Swap { .. }, _) => &mut tally.swap_cache,
                (FrameContent::Anonymous, 0 | 1) => &mut tally.private,
                (FrameContent::Anonymous, _) => &mut tally.shared,
                (FrameContent::File { .. }, 0) => &mut tally.cached,
                (FrameContent::File { .. }, _) => &mut tally.cached_mapped,
            };
            *count += 1;
        }
        tally
    }
    fn text(&self) -> String {
        let Self { private, shared, cached_mapped, cached, zero, dropped, swap_cache } = self;
        let mut text = format!(
            "{private} private, {shared} shared copy-on-write, {cached_mapped} of the page cache mapped, {cached} not mapped, {zero} the zero page"
        );
        if *dropped > 0 {
            let _ = write!(text, ", {dropped} of files that were cut or removed");
        }
        if *swap_cache > 0 {
            let _ = write!(text, ", {swap_cache} of swap slots, mapped nowhere");
        }
        text
    }
}

pub(super) fn describe_frame(guest: &GuestView, frame: &FrameView) -> String {
    let mut text = match frame.content {
        FrameContent::Zero => "the zero page".to_owned(),
        FrameContent::Anonymous if frame.mappings.len() > 1 => "private, copy-on-write".to_owned(),
        FrameContent::Anonymous => "private".to_owned(),
        FrameContent::Dropped => "a page of a file that was cut or removed".to_owned(),
        FrameContent::Swap { slot } => format!("swap slot {slot}, mapped nowhere (the swap cache)"),
        FrameContent::File { file, page } => match guest.file_name(file) {
            Some(name) => format!("page {page} of {name}"),
            None => format!("page {page} of file {file}"),
        },
    };
    let owners: Vec<String> =
        frame.mappings.iter().map(|&(space, vpn)| place_in(guest, space, vpn)).collect();
    if !owners.is_empty() {
        let _ = write!(text, "; {}", some_of(&owners));
    }
    if let FrameContent::Swap { slot } = frame.content {
        let names: Vec<String> =
            guest.names_of_slot(slot).map(|(space, vpn)| place_in(guest, space, vpn)).collect();
        if !names.is_empty() {
            let _ = write!(text, "; the page of {}", some_of(&names));
        }
    }
    text
}

/// A page by its process and address.
pub(super) fn place_in(guest: &GuestView, space: u64, vpn: Vpn) -> String {
    match guest.process_of_space(space) {
        Some(process) => format!("process {} at {:#x}", process.pid, vpn.base().0),
        None => format!("address space {space} at {:#x}", vpn.base().0),
    }
}

/// The first of a list, and how many there are beside.
pub(super) fn some_of(places: &[String]) -> String {
    const SHOWN: usize = 3;
    let more = match places.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", places[..places.len().min(SHOWN)].join(", "))
}

/// Both sides of the TLB, address space `asid` first; with `va` only the entries for its page.
pub(super) fn tlb(target: &dyn Target, asid: u16, va: Option<VirtAddr>) -> String {
    let mut text = String::new();
    for (name, side) in ["instruction", "data"].into_iter().zip(target.tlb()) {
        side_text(&mut text, name, &side, asid, va);
    }
    text
}

fn side_text(text: &mut String, name: &str, side: &TlbSide, asid: u16, va: Option<VirtAddr>) {
    let TlbCounters { accesses, misses, flushes, flushed } = side.counters;
    let _ = writeln!(
        text,
        "{name} side ({}): {accesses} accesses, {misses} misses, {} entries; {flushes} flushes dropped {flushed}",
        side.geometry,
        side.lines.len()
    );
    let mut lines = side.lines.clone();
    // This address space first, then by page.
    lines.sort_by_key(|line| (line.asid != asid, line.asid, line.vpn));
    let wanted: Vec<_> = lines.iter().filter(|line| va.is_none_or(|va| line.vpn == va.page())).collect();
    for line in wanted.iter().take(MAX_TLB_LINES) {
        let flags = pte_flags(Pte::new(line.ppn, line.flags));
        let part =
            if line.level > 0 { format!(", of a leaf of level {}", line.level) } else { String::new() };
        let _ = writeln!(
            text,
            "  {:#x} -> frame {:#x}  {flags}  ASID {}{part}",
            line.vpn.base().0,
            line.ppn.0,
            line.asid
        );
    }
    if wanted.len() > MAX_TLB_LINES {
        let _ = writeln!(text, "  and {} more", wanted.len() - MAX_TLB_LINES);
    }
}
