//! What has been, as far as a later sentence needs it: who had which page of a file read, what was unmapped when, and how the
//! first process came to its end.

use super::event::Event;
use super::guest_view::GuestView;
use super::refusal::Refusal;
use isa::events::{EventKind, SignalEffect, SignalTold};
use isa::{Step, VirtAddr};
use std::collections::{BTreeMap, VecDeque};

/// How many unmapped ranges are remembered.
const MAX_UNMAPPED: usize = 10_000;
/// The process that the guest starts first; the run ends with it.
const FIRST_PROCESS: u64 = 1;

/// A thread: its process and its own number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ThreadId {
    /// The process.
    pub pid: u64,
    /// The thread.
    pub tid: u64,
}

/// The last time that a page of a file was given a frame in the page cache.
#[derive(Clone, Copy, Debug)]
struct PageFill {
    by: Option<ThreadId>,
    at: Step,
    /// When the page cache had given it up before that.
    dropped: Option<Step>,
}

/// How a fault that waited for the disk came to wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskRead {
    /// It had the page read, which had not been in memory before.
    First,
    /// It had the page read once more: the page cache had given it up at this step.
    Again(Step),
    /// Another thread had begun the read at this step.
    Awaited(ThreadId, Step),
}

#[derive(Clone, Copy, Debug)]
struct Unmapped {
    space: u64,
    start: VirtAddr,
    end: VirtAddr,
    at: Step,
    by: EventKind,
}

/// How a process ended that a signal has killed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Death {
    /// Where the program was.
    pub pc: Place,
    /// The access for which it was killed, if it was for one.
    pub refusal: Option<Refusal>,
}

/// An address of a program, so that its symbol can be found when the process has gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The address.
    pub va: VirtAddr,
    /// The path of the program.
    pub program: String,
    /// Where the first page of the program is mapped.
    pub first_page: Option<VirtAddr>,
}

/// What is remembered of the stream.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The thread that each hart runs.
    running: BTreeMap<usize, ThreadId>,
    /// By file and page.
    fills: BTreeMap<(u64, u64), PageFill>,
    drops: BTreeMap<(u64, u64), Step>,
    unmapped: VecDeque<Unmapped>,
    /// The program break of each address space.
    breaks: BTreeMap<u64, VirtAddr>,
    /// The last access of the first process that was refused.
    refusal: Option<(ThreadId, Refusal)>,
    death: Option<Death>,
}

impl History {
    /// Takes in the next event; `guest` is as it was before.
    pub(super) fn fold(&mut self, event: &Event, guest: &GuestView) {
        let record = &event.record;
        let thread = ThreadId { pid: record.pid, tid: record.tid };
        let page = (record.detail, record.detail2);
        match event.kind() {
            Some(EventKind::Switch) => {
                self.running.insert(event.hart, thread);
            }
            Some(EventKind::CacheFill) => {
                let by = self.running.get(&event.hart).copied();
                let fill = PageFill { by, at: event.step, dropped: self.drops.get(&page).copied() };
                self.fills.insert(page, fill);
            }
            Some(EventKind::Evict | EventKind::CacheDrop) => {
                self.drops.insert(page, event.step);
            }
            Some(kind @ EventKind::Munmap) => {
                self.unmap(event, VirtAddr(record.va), VirtAddr(record.va_end), kind);
            }
            Some(kind @ EventKind::Brk) => {
                let end = VirtAddr(record.va_end);
                let before = self.breaks.insert(record.space, end);
                if let Some(before) = before.filter(|&before| end < before) {
                    self.unmap(event, end, before, kind);
                }
            }
            Some(EventKind::Protection | EventKind::Segv)
                if record.pid == FIRST_PROCESS && !event.kernel_copy() =>
            {
                self.refusal = Refusal::of(event, guest, self).map(|refusal| (thread, refusal));
            }
            // The thread that takes the fatal signal need not be the one that ends last.
            Some(EventKind::Signal)
                if record.pid == FIRST_PROCESS
                    && self.death.is_none()
                    && SignalTold::read(record).is_some_and(|told| told.effect == SignalEffect::Ended) =>
            {
                self.death = Some(self.death_of(thread, record.pc, guest));
            }
            Some(EventKind::Exit) if record.pid == FIRST_PROCESS => {
                let is_killed = record.detail & 0x7f != 0;
                let death = self.death.take().unwrap_or_else(|| self.death_of(thread, record.pc, guest));
                self.death = is_killed.then_some(death);
            }
            _ => {}
        }
    }

    fn death_of(&self, thread: ThreadId, pc: u64, guest: &GuestView) -> Death {
        let pc = Place::of(VirtAddr(pc), thread.pid, guest);
        // Who was killed for an access never came back from it.
        let is_fatal = |(at, refusal): &&(ThreadId, Refusal)| *at == thread && refusal.pc.va == pc.va;
        let refusal = self.refusal.as_ref().filter(is_fatal).map(|(_, refusal)| refusal.clone());
        Death { pc, refusal }
    }

    fn unmap(&mut self, event: &Event, start: VirtAddr, end: VirtAddr, by: EventKind) {
        if self.unmapped.len() == MAX_UNMAPPED {
            self.unmapped.pop_front();
        }
        self.unmapped.push_back(Unmapped { space: event.record.space, start, end, at: event.step, by });
    }

    /// How a fault that waited for the disk came to wait; `None` if it did not wait, or nothing is known of it.
    pub fn disk_read(&self, event: &Event) -> Option<DiskRead> {
        let record = &event.record;
        let fill = self.fills.get(&(record.detail, record.detail2)).filter(|_| event.from_disk())?;
        let this = ThreadId { pid: record.pid, tid: record.tid };
        Some(match (fill.by, fill.dropped) {
            (Some(other), _) if other != this => DiskRead::Awaited(other, fill.at),
            (_, Some(dropped)) => DiskRead::Again(dropped),
            (_, None) => DiskRead::First,
        })
    }

    /// When an address of an address space was unmapped last, and by which kind of event.
    pub(super) fn unmapped_at(&self, space: u64, va: VirtAddr) -> Option<(Step, EventKind)> {
        let here = |range: &&Unmapped| range.space == space && range.start <= va && va < range.end;
        self.unmapped.iter().rev().find(here).map(|range| (range.at, range.by))
    }

    /// The thread that a hart runs, if any.
    pub fn running_on(&self, hart: usize) -> Option<ThreadId> {
        self.running.get(&hart).copied()
    }

    /// How the first process ended, if a signal has killed it.
    pub fn death(&self) -> Option<&Death> {
        self.death.as_ref()
    }
}

impl Place {
    /// An address of a process that has not ended.
    pub(super) fn of(va: VirtAddr, pid: u64, guest: &GuestView) -> Self {
        let program = guest.process(pid).map_or(String::new(), |process| process.program.clone());
        Self { va, program, first_page: guest.first_page_of_program(pid) }
    }
}
