//! What has been, as far as a later sentence needs it: who had which page of a file read, what was unmapped when, for what the
//! kernel touches a program's memory, and how processes came to their ends.

use super::event::Event;
use super::frames::FrameContent;
use super::guest_view::GuestView;
use super::refusal::Refusal;
use super::space::ROOT_LEVEL;
use super::trap::Trap;
use isa::events::{EventKind, SignalEffect, SignalTold};
use isa::policies::{PolicyKind, Why};
use isa::{Ppn, Step, VirtAddr, Vpn};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many unmapped ranges are remembered, and of how many address spaces which one they were copied from.
const MAX_UNMAPPED: usize = 10_000;
/// Bytes of `ecall`: in a system call the program counter lies behind it already.
const ECALL_BYTES: u64 = 4;
/// The process that the guest starts first; the run ends with it.
pub const FIRST_PROCESS: u64 = 1;

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
    /// Whether nobody had asked for it.
    is_ahead: bool,
    /// When the page cache had given it up before that.
    dropped: Option<GivenUp>,
    /// It came from the swap cache, and was no read of this moment.
    is_from_swap: bool,
}

/// A read of a slot of the swap space.
#[derive(Clone, Copy, Debug)]
struct SlotRead {
    by: Option<ThreadId>,
    at: Step,
}

/// A page has left the page cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GivenUp {
    /// When.
    pub at: Step,
    /// Which policy chose it, to make room, and what led to that; none if its file was cut or removed.
    pub choice: Option<(PolicyKind, Why)>,
}

/// How a fault that waited for the disk came to wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskRead {
    /// It had the page read, which had not been in memory before.
    First,
    /// It had the page read once more: the page cache had given it up.
    Again(GivenUp),
    /// Another thread had begun the read at this step.
    Awaited(ThreadId, Step),
    /// It was none: the page was on its way out to swap space, and the fault waited until it was written.
    Leaving,
    /// The read had begun at this step, before anybody asked for the page.
    Ahead(Step),
}

impl DiskRead {
    /// Whether the fault waited for the disk without having had the page read itself.
    pub(super) fn is_awaited(self) -> bool {
        matches!(self, Self::Awaited(..) | Self::Ahead(_) | Self::Leaving)
    }
}

/// A range that went away.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unmapped {
    space: u64,
    start: VirtAddr,
    end: VirtAddr,
    /// When.
    pub at: Step,
    /// The kind of event that told of it.
    pub by: EventKind,
    /// The system call; `None` if it was none of the process's own.
    pub call: Option<VirtAddr>,
    /// Where the function returns to that made the call, as far as is known.
    pub called_from: Option<VirtAddr>,
    /// The thread, if the process had several.
    pub tid: Option<u64>,
}

impl Unmapped {
    fn of(event: &Event, start: VirtAddr, end: VirtAddr, guest: &GuestView) -> Self {
        let record = &event.record;
        // What a child is not given, its parent's call tells without a place in the child.
        let call = record.pc.checked_sub(ECALL_BYTES).map(VirtAddr);
        let by = event.kind().unwrap_or(EventKind::Munmap);
        let is_told = by == EventKind::Munmap && call.is_some() && record.detail != 0;
        let called_from = is_told.then_some(VirtAddr(record.detail));
        let tid = guest.has_threads(record.pid).then_some(record.tid);
        Self { space: record.space, start, end, at: event.step, by, call, called_from, tid }
    }
    fn holds(&self, space: u64, va: VirtAddr) -> bool {
        self.space == space && self.start <= va && va < self.end
    }
}

/// Takes in a range; the oldest of too many is forgotten.
fn remember(ranges: &mut VecDeque<Unmapped>, range: Unmapped) {
    if ranges.len() == MAX_UNMAPPED {
        ranges.pop_front();
    }
    ranges.push_back(range);
}

/// Why the kernel touches the memory of a thread, where that is no system call of its.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Errand {
    /// It loads a program, which has not begun yet.
    Program,
    /// It puts the frame of a signal's handler on the stack.
    Handler {
        /// The signal.
        signal: u64,
    },
    /// It ends the thread, for a signal.
    End,
}

/// How a process ended that a signal has killed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Death {
    /// The process.
    pub pid: u64,
    /// The thread, if the process had several.
    pub tid: Option<u64>,
    /// The signal.
    pub signal: u32,
    /// Whether it was for something that the program itself did, and not another's wish.
    pub is_own: bool,
    /// Whether the process has sent the signal itself.
    pub is_raised: bool,
    /// Where the program was.
    pub pc: Place,
    /// The access for which it was killed, if it was for one.
    pub refusal: Option<Refusal>,
    /// The exception, if it was for one that is no page fault.
    pub trap: Option<Trap>,
}

impl Death {
    /// Whether the program has brought it about: it went wrong, or has sent itself the signal.
    pub fn is_by_itself(&self) -> bool {
        self.is_own || self.is_raised
    }
}

/// Signals of a program that goes wrong, by their numbers and names.
pub const CRASHES: [(u64, &str); 6] =
    [(4, "SIGILL"), (5, "SIGTRAP"), (6, "SIGABRT"), (7, "SIGBUS"), (8, "SIGFPE"), (11, "SIGSEGV")];

/// An address of a program, so that its symbol can be found when the process has gone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// The address.
    pub va: VirtAddr,
    /// The path of the program.
    pub program: String,
    /// Where the first page of the program is mapped.
    pub first_page: Option<VirtAddr>,
    /// What is mapped at the address, if it is another file than the program.
    pub library: Option<Library>,
}

/// A file that a process has mapped beside its program.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Library {
    /// Its path.
    pub path: String,
    /// Where the mapping begins.
    pub start: VirtAddr,
    /// From which byte of the file on it is mapped.
    pub offset_bytes: u64,
}

/// What is remembered of the stream.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The thread that each hart runs.
    running: BTreeMap<usize, ThreadId>,
    /// Threads that were ever given a hart, and have not ended.
    started: BTreeSet<ThreadId>,
    /// By file and page.
    fills: BTreeMap<(u64, u64), PageFill>,
    drops: BTreeMap<(u64, u64), GivenUp>,
    /// The slots of pages of files in memory that are in swap space.
    away: BTreeMap<(u64, u64), u64>,
    /// When each slot of the swap space was last given a page.
    swapped_out: BTreeMap<u64, GivenUp>,
    /// The read of each slot since then.
    slot_reads: BTreeMap<u64, SlotRead>,
    /// Pages that an address space has thrown out, and that have stayed in memory.
    emptied: BTreeMap<(u64, Vpn), GivenUp>,
    /// Whether the last fault's page was one of them.
    was_emptied: Option<GivenUp>,
    /// The page of a file that was given a frame last, and for whom; until the next fault.
    new_page: Option<((u64, u64), ThreadId)>,
    was_new: bool,
    unmapped: VecDeque<Unmapped>,
    /// Ranges whose pages were given up, and whose mappings stayed.
    discarded: VecDeque<Unmapped>,
    /// The address space of which each was made a copy, and when.
    origins: BTreeMap<u64, (u64, Step)>,
    /// The program break of each address space.
    breaks: BTreeMap<u64, VirtAddr>,
    errands: BTreeMap<ThreadId, Errand>,
    /// The lowest level of page table that the last fault's page had.
    lowest_table: u8,
    /// The last access of each thread that was refused.
    refusals: BTreeMap<ThreadId, Refusal>,
    /// The last exception that is no page fault.
    last_trap: Option<Trap>,
    /// Processes that a signal is ending.
    ending: BTreeMap<u64, Death>,
    death: Option<Death>,
    last_death: Option<Death>,
}

impl History {
    /// Takes in the next event; `guest` is as it was before.
    pub(super) fn fold(&mut self, event: &Event, guest: &GuestView) {
        let record = &event.record;
        let thread = ThreadId { pid: record.pid, tid: record.tid };
        let page = (record.detail, record.detail2);
        if event.is_fault() {
            let space = guest.space(record.pid);
            self.was_emptied = self.emptied.remove(&(record.space, VirtAddr(record.va).page()));
            self.was_new = self.new_page.take() == Some((page, thread));
            self.lowest_table = space.map_or(ROOT_LEVEL, |space| space.lowest_table(VirtAddr(record.va)));
            if !event.kernel_copy() {
                self.errands.remove(&thread);
            }
        }
        match event.kind() {
            Some(EventKind::Switch) => {
                self.running.insert(event.hart, thread);
                self.started.insert(thread);
                // The frame of a handler is put down at once: who comes back later is in a call.
                if matches!(self.errands.get(&thread), Some(Errand::Handler { .. })) {
                    self.errands.remove(&thread);
                }
            }
            Some(EventKind::Exec) => {
                self.errands.insert(ThreadId { pid: record.pid, tid: record.pid }, Errand::Program);
            }
            Some(EventKind::Fork) if record.detail3 != record.space => {
                self.origins.insert(record.detail3, (record.space, event.step));
                if self.origins.len() > MAX_UNMAPPED {
                    self.origins.pop_first();
                }
            }
            Some(EventKind::CacheFill) => {
                self.away.remove(&page);
                let dropped = self.drops.get(&page).copied();
                let content = guest.frame(Ppn(record.frame)).map(|frame| frame.content);
                let fill = match content {
                    Some(FrameContent::Swap { slot }) => {
                        let read = self.slot_reads.get(&slot);
                        let at = read.map_or(event.step, |read| read.at);
                        let by = read.and_then(|read| read.by);
                        PageFill { by, at, is_ahead: false, dropped, is_from_swap: true }
                    }
                    _ => {
                        let by = self.running.get(&event.hart).copied();
                        PageFill { by, at: event.step, is_ahead: false, dropped, is_from_swap: false }
                    }
                };
                self.fills.insert(page, fill);
                self.new_page = fill.by.filter(|_| !fill.is_from_swap).map(|by| (page, by));
            }
            Some(EventKind::SwapCache) if record.detail2 != 0 => {
                let by = self.running.get(&event.hart).copied();
                self.slot_reads.insert(record.detail, SlotRead { by, at: event.step });
            }
            Some(EventKind::ReadAhead) => {
                self.fills.entry(page).and_modify(|fill| fill.is_ahead = true);
            }
            Some(kind @ (EventKind::Evict | EventKind::CacheDrop)) => {
                let choice = (kind == EventKind::Evict).then(|| Why::from_word(record.detail3)).flatten();
                self.drops.insert(page, GivenUp { at: event.step, choice });
                self.away.remove(&page);
            }
            Some(EventKind::SwapOut) => {
                let given_up = GivenUp { at: event.step, choice: Why::from_word(record.detail3) };
                if record.detail != 0 {
                    self.drops.insert(page, given_up);
                    self.away.insert(page, record.refs);
                }
                if record.refs != 0 {
                    self.swapped_out.insert(record.refs, given_up);
                    self.slot_reads.remove(&record.refs);
                }
            }
            Some(EventKind::EvictEntry) => {
                let given_up = GivenUp { at: event.step, choice: Why::from_word(record.detail3) };
                if record.detail != 0 {
                    self.swapped_out.insert(record.detail, given_up);
                }
                self.emptied.insert((record.space, VirtAddr(record.va).page()), given_up);
                if self.emptied.len() > MAX_UNMAPPED {
                    self.emptied.pop_first();
                }
            }
            Some(EventKind::Munmap) => {
                self.forget_emptied(record.space, VirtAddr(record.va), VirtAddr(record.va_end));
                let range = Unmapped::of(event, VirtAddr(record.va), VirtAddr(record.va_end), guest);
                remember(&mut self.unmapped, range);
            }
            Some(EventKind::Discard) => {
                self.forget_emptied(record.space, VirtAddr(record.va), VirtAddr(record.va_end));
                let range = Unmapped::of(event, VirtAddr(record.va), VirtAddr(record.va_end), guest);
                remember(&mut self.discarded, range);
            }
            Some(EventKind::Brk) => {
                let end = VirtAddr(record.va_end);
                let before = self.breaks.insert(record.space, end);
                if let Some(before) = before.filter(|&before| end < before) {
                    remember(&mut self.unmapped, Unmapped::of(event, end, before, guest));
                }
            }
            Some(EventKind::Protection | EventKind::Segv) if !event.kernel_copy() => {
                match Refusal::of(event, guest, self) {
                    Some(refusal) => self.refusals.insert(thread, refusal),
                    None => self.refusals.remove(&thread),
                };
            }
            Some(EventKind::Signal) => self.signal(thread, event, guest),
            Some(EventKind::ThreadExit) => {
                self.errands.remove(&thread);
                self.refusals.remove(&thread);
                self.started.remove(&thread);
            }
            Some(EventKind::Exit) => self.exit(thread, event, guest),
            _ => {}
        }
    }

    fn signal(&mut self, thread: ThreadId, event: &Event, guest: &GuestView) {
        let Some(told) = SignalTold::read(&event.record) else { return };
        let is_refusal = |refusal: &Refusal| refusal.va.0 == told.value && refusal.pc.va.0 == event.record.pc;
        let is_for_page = self.refusals.get(&thread).is_some_and(is_refusal);
        let trap = Trap::of(event, &told, guest).filter(|_| !is_for_page);
        if trap.is_some() {
            self.last_trap.clone_from(&trap);
        }
        match told.effect {
            SignalEffect::Handled => {
                self.errands.insert(thread, Errand::Handler { signal: told.signal });
            }
            SignalEffect::Ended => {
                self.errands.insert(thread, Errand::End);
                // The thread that takes the fatal signal need not be the one that ends last.
                if !self.ending.contains_key(&thread.pid) {
                    let mut death = self.death_of(thread, event.record.pc, guest);
                    let is_by_itself = told.sender == 0 || told.sender == thread.pid;
                    death.is_own = CRASHES.iter().any(|(crash, _)| *crash == told.signal) && is_by_itself;
                    death.is_raised = told.sender == thread.pid;
                    death.signal = u32::try_from(told.signal).unwrap_or(0);
                    death.refusal = death.refusal.filter(|_| trap.is_none());
                    death.trap = trap;
                    self.ending.insert(thread.pid, death);
                }
            }
            SignalEffect::Ignored | SignalEffect::Stopped => {}
        }
    }

    fn exit(&mut self, thread: ThreadId, event: &Event, guest: &GuestView) {
        let pid = thread.pid;
        let death = self.ending.remove(&pid);
        let death = death.unwrap_or_else(|| self.death_of(thread, event.record.pc, guest));
        let signal = event.record.detail & 0x7f;
        let death = u32::try_from(signal).ok().filter(|&s| s != 0).map(|signal| Death { signal, ..death });
        if pid == FIRST_PROCESS {
            self.death.clone_from(&death);
        }
        self.last_death = death;
        self.errands.retain(|of, _| of.pid != pid);
        self.refusals.retain(|of, _| of.pid != pid);
        self.started.retain(|of| of.pid != pid);
    }

    fn death_of(&self, thread: ThreadId, pc: u64, guest: &GuestView) -> Death {
        let pc = Place::of(VirtAddr(pc), thread.pid, guest);
        // Who was killed for an access never came back from it.
        let refusal = self.refusals.get(&thread).filter(|refusal| refusal.pc.va == pc.va).cloned();
        let tid = guest.has_threads(thread.pid).then_some(thread.tid);
        Death { pid: thread.pid, tid, signal: 0, is_own: false, is_raised: false, pc, refusal, trap: None }
    }

    /// How a fault that waited for the disk came to wait; `None` if it did not wait, or nothing is known of it.
    pub fn disk_read(&self, event: &Event) -> Option<DiskRead> {
        let record = &event.record;
        let this = ThreadId { pid: record.pid, tid: record.tid };
        if !event.from_disk() {
            return None;
        }
        let (by, at, dropped, is_from_swap) = if event.kind() == Some(EventKind::SwapIn) {
            let read = self.slot_reads.get(&record.detail);
            let at = read.map_or(event.step, |read| read.at);
            (read.and_then(|read| read.by), at, self.swapped_out(record.detail), true)
        } else {
            let fill = self.fills.get(&(record.detail, record.detail2))?;
            if fill.is_ahead {
                return Some(DiskRead::Ahead(fill.at));
            }
            (fill.by, fill.at, fill.dropped, fill.is_from_swap)
        };
        Some(match (by, dropped) {
            (None, _) if is_from_swap => DiskRead::Leaving,
            (Some(other), _) if other != this => DiskRead::Awaited(other, at),
            (_, Some(dropped)) => DiskRead::Again(dropped),
            (_, None) => DiskRead::First,
        })
    }

    /// The slot of a page of a file in memory, if the page is in swap space.
    pub fn slot_of_page(&self, file: u64, page: u64) -> Option<u64> {
        self.away.get(&(file, page)).copied().filter(|&slot| slot != 0)
    }

    /// The slots that pages of files in memory are in, each with the file and the page.
    pub fn slots_of_files(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        self.away.iter().filter(|(_, slot)| **slot != 0).map(|(&(file, page), &slot)| (slot, file, page))
    }

    /// Whether a fault had a page come back from swap space, or found it in the swap cache: a private page, or one of a file in memory.
    pub fn is_swap_in(&self, event: &Event) -> bool {
        event.kind() == Some(EventKind::SwapIn) || event.from_disk() && self.is_from_swap(event)
    }

    /// Whether the page of a file that a fault was about has come into the page cache from swap space.
    pub(super) fn is_from_swap(&self, event: &Event) -> bool {
        let page = (event.record.detail, event.record.detail2);
        event.kind() != Some(EventKind::SwapIn) && self.fills.get(&page).is_some_and(|fill| fill.is_from_swap)
    }

    /// When and why the page of the last fault had lost its entry, and had stayed in memory.
    pub(super) fn was_emptied(&self) -> Option<GivenUp> {
        self.was_emptied
    }

    /// Whether the last fault was the first to want its page of a file, which was given its frame then.
    pub(super) fn was_new(&self) -> bool {
        self.was_new
    }

    /// When and why a page lost its entry in an address space that is not mapped again since, if it was a budget's doing.
    pub(super) fn emptied_at(&self, space: u64, va: VirtAddr) -> Option<GivenUp> {
        self.emptied.get(&(space, va.page())).copied()
    }

    /// What was mapped there is no more.
    fn forget_emptied(&mut self, space: u64, start: VirtAddr, end: VirtAddr) {
        let range = (space, start.page())..(space, end.page());
        if start < end {
            let gone: Vec<(u64, Vpn)> = self.emptied.range(range).map(|(&key, _)| key).collect();
            for key in gone {
                self.emptied.remove(&key);
            }
        }
    }

    /// When the page that a slot of the swap space has went there, and why.
    pub fn swapped_out(&self, slot: u64) -> Option<GivenUp> {
        self.swapped_out.get(&slot).copied()
    }

    /// How an address of an address space was unmapped last; what its parent had unmapped before the fork counts too.
    pub fn unmapped_at(&self, space: u64, va: VirtAddr) -> Option<Unmapped> {
        let (mut space, mut before) = (space, Step::NEVER);
        loop {
            let here = |range: &&Unmapped| range.holds(space, va) && range.at <= before;
            if let Some(range) = self.unmapped.iter().rev().find(here) {
                return Some(*range);
            }
            (space, before) = *self.origins.get(&space)?;
        }
    }

    /// How a page was given up last that is mapped all the same, if its mapping is not newer.
    pub(super) fn discarded_at(&self, space: u64, va: VirtAddr) -> Option<Unmapped> {
        let discarded = self.discarded.iter().rev().find(|range| range.holds(space, va))?;
        let unmapped = self.unmapped_at(space, va);
        Some(*discarded).filter(|range| unmapped.is_none_or(|unmapped| unmapped.at < range.at))
    }

    /// Whether there were more unmapped ranges than are remembered.
    pub(super) fn has_forgotten(&self) -> bool {
        self.unmapped.len() == MAX_UNMAPPED
    }

    /// Why the kernel touches the memory of a thread now; `None` if it does so in a system call of the thread's.
    pub(super) fn errand(&self, thread: ThreadId) -> Option<Errand> {
        self.errands.get(&thread).copied()
    }

    /// The lowest level of page table that there was for the page of the last fault, when it came.
    pub(super) fn lowest_table(&self) -> u8 {
        self.lowest_table
    }

    /// The thread that a hart runs, if any.
    pub fn running_on(&self, hart: usize) -> Option<ThreadId> {
        self.running.get(&hart).copied()
    }

    /// The last exception that is no page fault.
    pub fn last_trap(&self) -> Option<&Trap> {
        self.last_trap.as_ref()
    }

    /// Whether a thread that lives was ever given a hart.
    pub fn has_run(&self, thread: ThreadId) -> bool {
        self.started.contains(&thread)
    }

    /// How a process is coming to its end that a signal is ending.
    pub fn dying(&self, pid: u64) -> Option<&Death> {
        self.ending.get(&pid)
    }

    /// How the first process ended, if a signal has killed it.
    pub fn death(&self) -> Option<&Death> {
        self.death.as_ref()
    }
    /// How the process came to its end that ended last, if it was another than the first and went wrong.
    pub fn death_of_child(&self) -> Option<&Death> {
        self.last_death.as_ref().filter(|death| death.pid != FIRST_PROCESS && death.is_own)
    }
}

impl Place {
    /// An address of a process that has not ended.
    pub(super) fn of(va: VirtAddr, pid: u64, guest: &GuestView) -> Self {
        let program = guest.process(pid).map_or(String::new(), |process| process.program.clone());
        let vma = guest.vma_at(pid, va).filter(|vma| vma.file != 0 && vma.name != program);
        let library = vma.map(|vma| Library {
            path: vma.name.clone(),
            start: vma.start,
            offset_bytes: vma.offset_bytes,
        });
        Self { va, program, first_page: guest.first_page_of_program(pid), library }
    }
    /// The file that the address is of.
    pub fn file(&self) -> &str {
        self.library.as_ref().map_or(&self.program, |library| &library.path)
    }
}
