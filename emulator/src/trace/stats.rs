//! Counts folded from events: what `--stats` and `--json` tell of the guest OS.

use super::ahead::Ahead;
use super::event::Event;
use super::guest_view::GuestView;
use super::history::DiskRead;
use isa::events::EventKind;

/// Counts over a whole run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stats {
    /// Events of each kind, in the order of [`EventKind::ALL`].
    counts: Vec<u64>,
    /// Page faults resolved or refused, by trap or for a copy by the kernel.
    pub faults_total: u64,
    /// Those that waited for a device read: their own, or one that was under way.
    pub faults_from_disk: u64,
    /// Those of them that waited for a read which another thread had begun or which was begun ahead, or for the write of a page on its way out.
    pub faults_awaited: u64,
    /// Those resolved for a copy by the kernel.
    pub faults_for_kernel_copies: u64,
    /// Frames that programs may have, those that they have at boot included (the zero page, page tables); 0 until the kernel has
    /// booted.
    pub frames_total: u64,
    /// Most frames that programs had at one time: with their pages or those of files, and page tables; the kernel's own
    /// memory not included.
    pub frames_peak: u64,
    /// Most of them that were private memory of processes or page tables at one time.
    pub private_peak: u64,
    /// Most of the others at one time: pages of files, which all who use a file share, and the page of zeros.
    pub shared_peak: u64,
    /// What was done before anybody needed it.
    pub ahead: Ahead,
    /// Events of kinds that this version does not know.
    pub unknown: u64,
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            counts: vec![0; EventKind::ALL.len()],
            faults_total: 0,
            faults_from_disk: 0,
            faults_awaited: 0,
            faults_for_kernel_copies: 0,
            frames_total: 0,
            frames_peak: 0,
            private_peak: 0,
            shared_peak: 0,
            ahead: Ahead::default(),
            unknown: 0,
        }
    }
}

impl Stats {
    /// Takes in the next event; `guest` is as it is after it, `read` how it came to wait for the disk.
    pub(super) fn fold(&mut self, event: &Event, guest: &GuestView, read: Option<DiskRead>) {
        let Some(kind) = event.kind() else {
            self.unknown += 1;
            return;
        };
        if let Some(count) = position(kind).and_then(|at| self.counts.get_mut(at)) {
            *count += 1;
        }
        self.ahead.fold(event);
        self.faults_total += u64::from(event.is_fault());
        self.faults_from_disk += u64::from(event.from_disk());
        self.faults_awaited += u64::from(read.is_some_and(DiskRead::is_awaited));
        self.faults_for_kernel_copies += u64::from(event.kernel_copy());
        let (frames_in_use, private) = (guest.frames_of_programs(), guest.frames_private());
        if kind == EventKind::Boot {
            self.frames_total = event.record.detail + frames_in_use;
        }
        self.frames_peak = self.frames_peak.max(frames_in_use);
        self.private_peak = self.private_peak.max(private);
        self.shared_peak = self.shared_peak.max(frames_in_use - private);
    }

    /// How many events of this kind there were.
    pub fn count(&self, kind: EventKind) -> u64 {
        position(kind).and_then(|at| self.counts.get(at).copied()).unwrap_or(0)
    }
    /// Page faults by kind: every kind of fault, in the order of the numbers, those that did not happen too.
    pub fn faults_by_kind(&self) -> impl Iterator<Item = (EventKind, u64)> + '_ {
        EventKind::ALL.iter().filter(|kind| kind.is_fault()).map(|&kind| (kind, self.count(kind)))
    }
    /// How often another process was given the hart.
    pub fn context_switches(&self) -> u64 {
        self.count(EventKind::Switch)
    }
}

fn position(kind: EventKind) -> Option<usize> {
    EventKind::ALL.iter().position(|&k| k == kind)
}
