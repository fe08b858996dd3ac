//! Who is the cause of page faults, and whose pages take the frames: a tally for each instruction and each mapping.
//!
//! Folded only for those who ask (`--stats --by`). Cost: a look-up in a map for each fault, and for each frame that comes or goes.

use super::event::Event;
use super::guest_view::GuestView;
use super::history::Place;
use isa::events::EventKind;
use isa::{Ppn, VirtAddr};
use std::collections::BTreeMap;

/// What is counted of an instruction or a mapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Page faults by their kinds, refused ones among them.
    pub by_kind: BTreeMap<EventKind, u64>,
    /// Those that waited for a disk.
    pub from_disk: u64,
    /// Frames that these faults have mapped a page in, and that nobody has given up since.
    pub frames: u64,
    /// The most of them at once.
    pub frames_peak: u64,
}

impl Tally {
    /// All faults.
    pub fn faults(&self) -> u64 {
        self.by_kind.values().sum()
    }
    /// The faults of some kinds.
    pub fn count(&self, kinds: &[EventKind]) -> u64 {
        kinds.iter().filter_map(|kind| self.by_kind.get(kind)).sum()
    }
    /// Adds another, which is not of the same frames. The peaks need not have been at the same time: the sum is a bound.
    pub fn add(&mut self, other: &Self) {
        for (&kind, n) in &other.by_kind {
            *self.by_kind.entry(kind).or_default() += n;
        }
        self.from_disk += other.from_disk;
        self.frames += other.frames;
        self.frames_peak += other.frames_peak;
    }
}

/// The cause of a fault.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Cause {
    /// The instruction; of a copy by the kernel the one behind the system call.
    pub at: Place,
    /// Whether it was a copy by the kernel.
    pub is_kernel_copy: bool,
    /// The mapping that the page is of, as `maps` names it; empty if there was none.
    pub mapping: String,
}

/// All causes.
#[derive(Clone, Debug, Default)]
pub struct Attribution {
    tallies: Vec<(Cause, Tally)>,
    /// Places in the list.
    known: BTreeMap<Cause, usize>,
    /// The cause of each frame's page.
    frames: BTreeMap<Ppn, usize>,
}

impl Attribution {
    /// Takes in the next event; `guest` is as it was before.
    pub fn fold(&mut self, event: &Event, guest: &GuestView) {
        let record = &event.record;
        let Some(kind) = event.kind() else { return };
        let frame = Ppn(record.frame);
        match kind {
            _ if event.is_fault() => {
                let index = self.index_of(event, guest);
                let tally = &mut self.tallies[index].1;
                *tally.by_kind.entry(kind).or_default() += 1;
                tally.from_disk += u64::from(event.from_disk());
                let brings_a_page = matches!(
                    kind,
                    EventKind::Zero
                        | EventKind::StackGrow
                        | EventKind::FileDisk
                        | EventKind::FileCopy
                        | EventKind::CowCopy
                        | EventKind::SwapIn
                );
                if brings_a_page && self.frames.get(&frame) != Some(&index) {
                    self.give_up(frame);
                    self.frames.insert(frame, index);
                    let tally = &mut self.tallies[index].1;
                    tally.frames += 1;
                    tally.frames_peak = tally.frames_peak.max(tally.frames);
                }
            }
            _ => {}
        }
    }

    /// After an event, of which `guest` knows by now: frames that hold no page any more are nobody's.
    ///
    /// Cost: a look at each frame that is somebody's, if pages may have gone other than one by one.
    pub fn sweep(&mut self, event: &Event, guest: &GuestView) {
        match event.kind() {
            Some(EventKind::FrameFree | EventKind::CacheDrop | EventKind::Evict | EventKind::SwapOut) => {
                self.give_up(Ppn(event.record.frame));
            }
            Some(
                EventKind::Munmap
                | EventKind::Discard
                | EventKind::Brk
                | EventKind::Exec
                | EventKind::Exit
                | EventKind::EvictEntry,
            ) => {
                let gone = self.frames.keys().filter(|&&frame| guest.frame(frame).is_none());
                for frame in gone.copied().collect::<Vec<_>>() {
                    self.give_up(frame);
                }
            }
            _ => {}
        }
    }

    fn give_up(&mut self, frame: Ppn) {
        if let Some(index) = self.frames.remove(&frame) {
            self.tallies[index].1.frames -= 1;
        }
    }

    fn index_of(&mut self, event: &Event, guest: &GuestView) -> usize {
        let record = &event.record;
        let vma = guest.vma_at(record.pid, VirtAddr(record.va));
        let cause = Cause {
            at: Place::of(VirtAddr(record.pc), record.pid, guest),
            is_kernel_copy: event.kernel_copy(),
            mapping: vma.map_or_else(String::new, |vma| format!("{} {}", vma.title(), vma.permissions())),
        };
        let next = self.tallies.len();
        let index = *self.known.entry(cause.clone()).or_insert(next);
        if index == next {
            self.tallies.push((cause, Tally::default()));
        }
        index
    }

    /// All causes, in the order in which they came.
    pub fn causes(&self) -> impl Iterator<Item = (&Cause, &Tally)> {
        self.tallies.iter().map(|(cause, tally)| (cause, tally))
    }
}
