//! What paging has cost: the machine's account, and that of each process.
//!
//! A fault is its process's. What is done in a process's time is put down to it, for whomever it is: a page that it has thrown out, read or
//! written. So each account's sums over all processes are the machine's. Who lost a page is another question, which [`Accounts::thrown_out`] answers: the process at whose
//! fault or call it went, against those that mapped it. Nothing here is sampled or estimated.

use super::event::Event;
use super::frames::FrameContent;
use super::guest_view::GuestView;
use super::history::{DiskRead, FIRST_PROCESS, History, ThreadId};
use isa::events::{EventKind, EventRecord, WRITTEN};
use isa::policies::{PolicyKind, Why};
use isa::{Ppn, Step};
use std::collections::BTreeMap;

/// What became of a page that a policy chose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum EvictionKind {
    /// A page of a file on a disk, which can be read again.
    File,
    /// A private page, written to swap space.
    Private,
    /// A page of a file in memory, written to swap space.
    Tmpfs,
    /// A page that swap space had unchanged: nothing was written.
    Clean,
    /// A page of zeros, or one that its program had given up (MADV_FREE), which needs no slot: nothing was written.
    Zeros,
    /// The page stayed, for others: its process lost its entry only.
    Entry,
}

impl EvictionKind {
    /// Each of them.
    pub const ALL: [Self; 6] =
        [Self::File, Self::Private, Self::Tmpfs, Self::Clean, Self::Zeros, Self::Entry];
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Private => "private",
            Self::Tmpfs => "tmpfs",
            Self::Clean => "clean",
            Self::Zeros => "zeros",
            Self::Entry => "entry",
        }
    }
    /// What an event tells of; `None` if it is no eviction.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let EventRecord { detail: file, refs: slot, flags, .. } = event.record;
        Some(match event.kind()? {
            EventKind::Evict => Self::File,
            EventKind::EvictEntry => Self::Entry,
            EventKind::SwapOut => match (slot, flags, file) {
                (0, ..) => Self::Zeros,
                (_, WRITTEN, 0) => Self::Private,
                (_, WRITTEN, _) => Self::Tmpfs,
                _ => Self::Clean,
            },
            _ => return None,
        })
    }
}

/// Counts of a process, or of the machine.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Account {
    /// Page faults of each kind that happened.
    pub faults: BTreeMap<EventKind, u64>,
    /// Those that waited for a disk.
    pub faults_from_disk: u64,
    /// Those of them that began no read: another thread had, or their page was on its way out.
    pub faults_awaited: u64,
    /// Private pages that came back from swap space by a read of the fault's own.
    pub swap_ins_read: u64,
    /// Those that came back by what others had begun.
    pub swap_ins_awaited: u64,
    /// Pages thrown out, by kind, and whether they were chosen among those of one process.
    evictions: BTreeMap<(EvictionKind, bool), u64>,
    /// Pages of files read from a disk.
    pub file_pages_read: u64,
    /// Pages read from swap space.
    pub swap_pages_read: u64,
    /// Pages written to swap space.
    pub swap_pages_written: u64,
    /// Steps that page faults waited: from the beginning of their read, or of the wait for another's or for a frame, to their resolution.
    pub steps_waited: u64,
}

impl Account {
    /// Page faults.
    pub fn faults_total(&self) -> u64 {
        self.faults.values().sum()
    }
    /// Page faults of a kind.
    pub fn faults_of(&self, kind: EventKind) -> u64 {
        self.faults.get(&kind).copied().unwrap_or(0)
    }
    /// Private pages of swap space that were in memory when they were asked for.
    pub fn swap_ins_cached(&self) -> u64 {
        self.faults_of(EventKind::SwapIn) - self.swap_ins_read - self.swap_ins_awaited
    }
    /// Pages thrown out.
    pub fn evictions_total(&self) -> u64 {
        self.evictions.values().sum()
    }
    /// Pages thrown out of a kind.
    pub fn evictions_of(&self, kind: EvictionKind) -> u64 {
        [false, true].map(|is_local| self.evictions_for(kind, is_local)).iter().sum()
    }
    /// Pages thrown out of a kind, that were chosen among all pages or among those of one process.
    pub fn evictions_for(&self, kind: EvictionKind, is_local: bool) -> u64 {
        self.evictions.get(&(kind, is_local)).copied().unwrap_or(0)
    }
    /// Pages thrown out that were chosen among those of one process.
    pub fn evictions_local(&self) -> u64 {
        EvictionKind::ALL.map(|kind| self.evictions_for(kind, true)).iter().sum()
    }

    fn fault(&mut self, event: &Event, kind: EventKind, read: Option<DiskRead>, is_from_swap: bool) {
        *self.faults.entry(kind).or_default() += 1;
        if !event.from_disk() {
            return;
        }
        // What was read ahead is read for the first who needs it.
        let is_awaited = matches!(read, Some(DiskRead::Awaited(..) | DiskRead::Leaving));
        self.faults_from_disk += 1;
        self.faults_awaited += u64::from(read.is_some_and(DiskRead::is_awaited));
        match kind {
            EventKind::SwapIn if is_awaited => self.swap_ins_awaited += 1,
            EventKind::SwapIn => self.swap_ins_read += 1,
            EventKind::Segv | EventKind::Protection => {}
            _ => self.file_pages_read += u64::from(!is_awaited && !is_from_swap),
        }
    }
}

/// A process's counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProcessAccount {
    /// The path of its last program; until its first `exec` that of its parent.
    pub program: String,
    /// Its counts.
    pub account: Account,
    /// Pages that it mapped and that were thrown out, whoever's time that took. One that several map is lost by each of them.
    pub pages_lost: u64,
}

impl ProcessAccount {
    /// The last component of its program's path.
    pub fn name(&self) -> &str {
        self.program.rsplit('/').next().unwrap_or(&self.program)
    }
}

/// Since when a thread's fault waits.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    since: Step,
    /// It is known that this is a fault. What begins a read may be a call.
    is_fault: bool,
}

/// The number that stands for nobody where owners of pages are counted.
pub const NOBODY: u64 = 0;

/// All accounts.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    /// The machine's.
    pub machine: Account,
    /// Each process's, by its number; 0 is the kernel. Of two processes that had a number one after the other the counts are together.
    pub processes: BTreeMap<u64, ProcessAccount>,
    /// How many pages went at the doing of a process that another (or [`NOBODY`]) mapped.
    thrown_out: BTreeMap<(u64, u64), u64>,
    /// The policy that chose, once it has.
    pub policy: Option<PolicyKind>,
    /// The highest slot of the swap space that was in use: how many were at once, as free ones are given first.
    pub slots_peak: u64,
    waiting: BTreeMap<ThreadId, Waiting>,
    /// The first process has ended, and the run with it: what the kernel throws out then, to see that no frame is missing, is nobody's.
    is_over: bool,
}

impl Accounts {
    /// Takes in the next event; `guest` is as it was before, and `history` as it is now.
    pub(super) fn fold(&mut self, event: &Event, guest: &GuestView, history: &History) {
        let Some(kind) = event.kind() else { return };
        let record = &event.record;
        let thread = ThreadId { pid: record.pid, tid: record.tid };
        if kind.is_fault() {
            return self.fault(event, kind, thread, history);
        }
        let running = history.running_on(event.hart).unwrap_or(ThreadId { pid: 0, tid: 0 });
        match kind {
            EventKind::Exec => self.process(record.pid).program.clone_from(&event.text),
            EventKind::Fork => {
                let program = self.process(record.pid).program.clone();
                self.process(record.detail).program = program;
            }
            EventKind::Wait => {
                let waiting = self.waiting.get(&thread).filter(|waiting| waiting.is_fault).copied();
                let begins = Waiting { since: event.step, is_fault: true };
                self.waiting.insert(thread, waiting.unwrap_or(begins));
            }
            EventKind::CacheFill => {
                // What the swap cache has already is not read now.
                let content = guest.frame(Ppn(record.frame)).map(|frame| frame.content);
                if !matches!(content, Some(FrameContent::Swap { .. })) {
                    self.begins_read(running, event.step);
                }
            }
            EventKind::SwapCache if record.detail2 != 0 => {
                self.both(running.pid, |account| account.swap_pages_read += 1);
                self.begins_read(running, event.step);
            }
            EventKind::DiskRead if record.frame != 0 => {
                self.both(record.pid, |account| account.file_pages_read += 1);
                self.waiting.remove(&thread);
            }
            EventKind::Evict | EventKind::SwapOut | EventKind::EvictEntry if !self.is_over => {
                self.eviction(event, guest, running.pid);
            }
            EventKind::ThreadExit => drop(self.waiting.remove(&thread)),
            EventKind::Exit => {
                self.waiting.retain(|of, _| of.pid != record.pid);
                self.is_over |= record.pid == FIRST_PROCESS;
            }
            _ => {}
        }
    }

    fn fault(&mut self, event: &Event, kind: EventKind, thread: ThreadId, history: &History) {
        let (read, is_from_swap) = (history.disk_read(event), history.is_from_swap(event));
        let waiting = self.waiting.remove(&thread);
        let counts = waiting.filter(|waiting| waiting.is_fault || event.from_disk());
        let waited = counts.map_or(0, |waiting| event.step.0 - waiting.since.0);
        self.both(thread.pid, |account| {
            account.fault(event, kind, read, is_from_swap);
            account.steps_waited += waited;
        });
    }

    /// A thread has a page read from now on; if it waits already, it goes on doing so.
    fn begins_read(&mut self, thread: ThreadId, at: Step) {
        let waiting = self.waiting.get(&thread).filter(|waiting| waiting.is_fault).copied();
        self.waiting.insert(thread, waiting.unwrap_or(Waiting { since: at, is_fault: false }));
    }

    fn eviction(&mut self, event: &Event, guest: &GuestView, by: u64) {
        let Some(kind) = EvictionKind::of(event) else { return };
        let record = &event.record;
        let choice = Why::from_word(record.detail3);
        let is_local = choice.is_some_and(|(_, why)| why.is_local);
        self.policy = choice.map(|(policy, _)| policy).or(self.policy);
        let slot = if kind == EvictionKind::Entry { record.detail } else { record.refs };
        self.slots_peak = self.slots_peak.max(if kind == EvictionKind::File { 0 } else { slot });
        let is_written = matches!(kind, EvictionKind::Private | EvictionKind::Tmpfs);
        self.both(by, |account| {
            *account.evictions.entry((kind, is_local)).or_default() += 1;
            account.swap_pages_written += u64::from(is_written);
        });
        let mut owners = match kind {
            EvictionKind::Entry => guest.processes_in(|space| space == record.space),
            _ => guest.owners_of(Ppn(record.frame)),
        };
        for &owner in &owners {
            self.process(owner).pages_lost += 1;
        }
        if owners.is_empty() {
            owners.insert(NOBODY);
        }
        for owner in owners {
            *self.thrown_out.entry((by, owner)).or_default() += 1;
        }
    }

    /// How many pages went at a fault or call of process `by` that process `owner` mapped ([`NOBODY`]: that nobody did).
    pub fn thrown_out(&self, by: u64, owner: u64) -> u64 {
        self.thrown_out.get(&(by, owner)).copied().unwrap_or(0)
    }
    /// As [`Accounts::thrown_out`], for each owner that lost pages to `by`.
    pub fn thrown_out_by(&self, by: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.thrown_out.range((by, 0)..=(by, u64::MAX)).map(|(&(_, owner), &pages)| (owner, pages))
    }

    fn process(&mut self, pid: u64) -> &mut ProcessAccount {
        self.processes.entry(pid).or_default()
    }
    fn both(&mut self, pid: u64, change: impl Fn(&mut Account)) {
        change(&mut self.machine);
        change(&mut self.process(pid).account);
    }
}
