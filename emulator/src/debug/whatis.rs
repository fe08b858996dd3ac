//! `whatis ADDR` and `swap`: everything that is known of an address, and of the slots of the swap space.

use super::execute::Debugger;
use super::expression::{self, Expression};
use super::space::{Owner, Space, check_lives};
use super::target::Target;
use super::views;
use super::walk::{self, translate};
use crate::source::Type;
use crate::trace::{
    Away, GuestView, Residence, SpaceView, Trace, VmaView, at_page, pte_flags, why_not_mapped,
};
use isa::{PAGE_SIZE, Ppn, VirtAddr};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Slots that `swap` lists at most.
const MAX_SLOTS: usize = 64;

impl Debugger {
    /// What there is at an address: whose it is, its symbol, mapping, file, frame, owners, swap slot.
    pub(super) fn whatis(&mut self, target: &dyn Target, at: &Expression) -> Result<String, String> {
        let (va, of) = self.evaluate(target, at)?;
        if let Some(pid) = of.or(self.selected_process())
            && let Err(ended) = check_lives(&self.tap.borrow().trace().guest, pid)
        {
            return self.last_whatis(pid, va).ok_or(ended);
        }
        let (va, space) = self.locate(target, Some(at.clone()))?;
        let symbol = self.symbol_at(&space, va).map(|name| format!(": {name}")).unwrap_or_default();
        let mut text = match &space.owner {
            Owner::Process(pid, name) if va.0 >> 63 == 0 => {
                format!("{va} of process {pid} ({name}){symbol}\n")
            }
            _ => format!("{va} of the kernel{symbol}\n"),
        };
        if let Some(type_) = self.type_of(target, at) {
            let _ = writeln!(text, "  type     {type_}");
        }
        let tap = self.tap.borrow();
        let trace = tap.trace();
        let pid = space.process().filter(|_| va.0 >> 63 == 0);
        let view = pid.and_then(|pid| Some((pid, trace.guest.space(pid)?)));
        match view {
            Some((pid, view)) => {
                let lines = page(trace, pid, view, va);
                lines.lines().for_each(|line| text.push_str(&(self.with_places(pid, line) + "\n")));
            }
            None => {
                let at = translate(target, &space, va);
                let at =
                    at.map_or_else(|| "nothing is mapped there".to_owned(), |pa| format!("at {pa} of RAM"));
                let _ = writeln!(text, "  memory   {at}");
            }
        }
        text.push_str(&entry(target, &space, va));
        Ok(text)
    }

    /// The type of a variable or of a part of one, if it is told.
    fn type_of(&self, target: &dyn Target, at: &Expression) -> Option<Type> {
        let place = self.looking(target, |from| expression::place(at.node(), from)).ok()??;
        Some(place.1.type_).filter(|type_| !matches!(type_, Type::Unknown(_)) && type_.size().is_some())
    }

    /// What there was at an address of a process that has ended.
    fn last_whatis(&self, pid: u64, va: VirtAddr) -> Option<String> {
        let tap = self.tap.borrow();
        let trace = tap.trace();
        let name = trace.guest.process(pid)?.name();
        let view = trace.guest.last_space(pid)?;
        let symbol = self.symbols.name_in_process(&trace.guest, trace.guest.process(pid)?, va);
        let symbol = symbol.map(|name| format!(": {name}")).unwrap_or_default();
        let mut text = format!("{va} of process {pid} ({name}), when it ended{symbol}\n");
        let Some(vma) = view.vma_at(va) else {
            let why = self.with_places(pid, &why_not_mapped(trace, pid, va));
            let _ = writeln!(text, "  mapping  none: {why}");
            return Some(text);
        };
        text.push_str(&mapping(vma, va));
        let page = match (view.frame_of(va.page()), view.away(va.page())) {
            (Some(frame), _) => format!("was in frame {:#x}", frame.0),
            (None, Some(Away::Slot(slot))) => format!("was in swap slot {slot}"),
            (None, Some(Away::Zeros)) => "was zeros, and had left memory".to_owned(),
            (None, Some(Away::GivenUp)) => "had been given up (MADV_FREE), and had left memory".to_owned(),
            (None, None) => "was not in memory".to_owned(),
        };
        let _ = writeln!(text, "  page     {page}");
        Some(text)
    }

    /// The slots of the swap space that hold a page, and whose: those from one on, at most so many.
    pub(super) fn swap(&self, from: u64, most: Option<u64>) -> String {
        let tap = self.tap.borrow();
        let trace = tap.trace();
        let guest = &trace.guest;
        let mut slots: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        for (slot, space, vpn) in guest.named_slots() {
            slots.entry(slot).or_default().push(views::place_in(guest, space, vpn));
        }
        for (slot, file, page) in trace.history.slots_of_files() {
            let name = guest.file_name(file).map_or_else(|| format!("file {file}"), str::to_owned);
            slots.entry(slot).or_default().push(format!("page {page} of {name}"));
        }
        if slots.is_empty() {
            return "no page is in swap space\n".to_owned();
        }
        let holds = if slots.len() == 1 { " holds" } else { "s hold" };
        let mut text = format!("{} slot{holds} a page\n", slots.len());
        let most = most.map_or(MAX_SLOTS, |most| usize::try_from(most).unwrap_or(usize::MAX));
        let mut rest = slots.range(from..).peekable();
        if rest.peek().is_none() {
            let _ = writeln!(text, "  none of them from slot {from} on");
        }
        for (slot, owners) in rest.by_ref().take(most) {
            let since = trace.history.swapped_out(*slot).map(|out| format!(", since step {}", out.at));
            let cached = guest.frame_of_slot(*slot).map(|frame| format!(", also in frame {:#x}", frame.0));
            let (since, cached) = (since.unwrap_or_default(), cached.unwrap_or_default());
            let _ = writeln!(text, "  slot {slot}: {}{since}{cached}", views::some_of(owners));
        }
        if let Some((next, _)) = rest.next() {
            let _ = writeln!(text, "  and {} more: `swap {next}`, or `swap all`", rest.count() + 1);
        }
        text
    }
}

/// The mapping that holds an address, and where in its file that is.
fn mapping(vma: &VmaView, va: VirtAddr) -> String {
    let mut text = format!("  mapping  {} ({}, {}-{})\n", vma.title(), vma.permissions(), vma.start, vma.end);
    if vma.file != 0 {
        let offset = vma.file_offset_of(va);
        let _ = writeln!(text, "  file     byte {offset:#x}, in page {}", offset / PAGE_SIZE);
    }
    text
}

/// The mapping, the file and the page of an address of a process.
fn page(trace: &Trace, pid: u64, view: &SpaceView, va: VirtAddr) -> String {
    let residence = at_page(trace, pid, va);
    let Some(vma) = view.vma_at(va) else {
        return format!("  mapping  none: {}\n", why_not_mapped(trace, pid, va));
    };
    let mut text = mapping(vma, va);
    let page = match (view.frame_of(va.page()), view.away(va.page())) {
        (Some(frame), _) => in_frame(&trace.guest, frame),
        (None, Some(Away::Slot(slot))) => {
            let guest = &trace.guest;
            let owners: Vec<String> =
                guest.names_of_slot(slot).map(|(space, vpn)| views::place_in(guest, space, vpn)).collect();
            let also = guest.frame_of_slot(slot).map(|frame| format!(", also in frame {:#x}", frame.0));
            format!("in swap slot {slot}{}: {}", also.unwrap_or_default(), views::some_of(&owners))
        }
        (None, Some(Away::Zeros | Away::GivenUp) | None) => match residence {
            Residence::Later(_, first_touch) => format!("not in memory yet: {first_touch}"),
            Residence::Away(_, place) => format!("not mapped any more: it {place}"),
            Residence::Here(..) | Residence::Nothing(_) => "not in memory".to_owned(),
        },
    };
    let _ = writeln!(text, "  page     {page}");
    text
}

/// A frame, and who maps it.
fn in_frame(guest: &GuestView, frame: Ppn) -> String {
    match guest.frame(frame) {
        Some(view) => format!("in frame {:#x}: {}", frame.0, views::describe_frame(guest, view)),
        None => format!("in frame {:#x}", frame.0),
    }
}

/// The entry that decides, where addresses are translated.
fn entry(target: &dyn Target, space: &Space, va: VirtAddr) -> String {
    match walk::deciding(target, space, va) {
        Some((level, pte)) => format!("  entry    {:#x} [{}] at level {level}\n", pte.0, pte_flags(pte)),
        None => String::new(),
    }
}
