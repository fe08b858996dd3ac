//! What was done before anybody needed it (`--fault-around`, `--read-ahead`), and how much of that was needed then.

use super::event::Event;
use isa::events::EventKind;
use isa::{VirtAddr, Vpn};
use std::collections::{BTreeMap, BTreeSet};

/// A page of a file: the file's number, and which page of it.
type FilePage = (u64, u64);

/// Pages that were mapped or read for their neighbours' sake.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Ahead {
    /// Pages that were mapped since their neighbours were.
    pub mapped_around: u64,
    /// Those of them that are known to have been used: by a fault, or by their A bit when they went.
    pub around_used: u64,
    /// Pages whose read nobody had asked for.
    pub read_ahead: u64,
    /// Those of them that were used.
    pub ahead_used: u64,
    /// By address space and page: what was mapped and is not known to have been used.
    unused: BTreeMap<(u64, Vpn), FilePage>,
    /// What was read and was not used yet.
    unread: BTreeSet<FilePage>,
}

impl Ahead {
    /// Takes in the next event.
    pub(super) fn fold(&mut self, event: &Event) {
        let Some(kind) = event.kind() else { return };
        let record = &event.record;
        let (page, entry) = ((record.detail, record.detail2), (record.space, VirtAddr(record.va).page()));
        match kind {
            EventKind::MapAround => {
                self.mapped_around += 1;
                self.unused.insert(entry, page);
            }
            EventKind::PageUsed => self.use_entry(entry),
            EventKind::ReadAhead => {
                self.read_ahead += 1;
                self.unread.insert(page);
            }
            EventKind::CacheUse => self.use_page(page),
            EventKind::Evict | EventKind::CacheDrop => drop(self.unread.remove(&page)),
            EventKind::Protection | EventKind::Segv => {}
            // It names a slot, and no page of a file.
            EventKind::SwapIn => self.use_entry(entry),
            _ if kind.is_fault() || kind == EventKind::Populate => {
                self.use_entry(entry);
                self.use_page(page);
            }
            _ => {}
        }
    }

    fn use_entry(&mut self, entry: (u64, Vpn)) {
        if let Some(page) = self.unused.remove(&entry) {
            self.around_used += 1;
            self.use_page(page);
        }
    }

    fn use_page(&mut self, page: FilePage) {
        self.ahead_used += u64::from(self.unread.remove(&page));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DiskRead, Trace, explain};
    use super::*;
    use isa::Step;
    use isa::events::{Access, EventRecord, FLAG_FROM_DISK};

    const FILE: u64 = 7;

    fn push(trace: &mut Trace, kind: EventKind, fill: impl FnOnce(&mut EventRecord)) -> Event {
        let mut record =
            EventRecord { kind: kind as u64, pid: 1, tid: 1, space: 5, ..EventRecord::default() };
        fill(&mut record);
        let step = Step(trace.stats.count(EventKind::Switch) * 1000 + trace.stats.faults_total * 100 + 1);
        let event = Event::new(step, 0, &record, b"");
        trace.fold(&event);
        event
    }

    /// `page` of the file, in frame `100 + page`, at that page of the address space.
    fn about(page: u64) -> impl FnOnce(&mut EventRecord) {
        move |r| (r.va, r.frame, r.detail, r.detail2) = (page << 12, 100 + page, FILE, page)
    }

    #[test]
    fn what_was_mapped_around_is_used_by_a_fault_or_by_its_a_bit() {
        let mut trace = Trace::default();
        (1..6).for_each(|page| drop(push(&mut trace, EventKind::MapAround, about(page))));
        push(&mut trace, EventKind::PageUsed, |r| (r.pid, r.va) = (0, 2 << 12));
        push(&mut trace, EventKind::FileCopy, |r| {
            (r.va, r.frame, r.previous_frame, r.detail, r.detail2) = (3 << 12, 200, 103, FILE, 3)
        });
        // Neither used twice, nor by another address space, nor by an access that was refused.
        push(&mut trace, EventKind::PageUsed, |r| (r.pid, r.va) = (0, 2 << 12));
        push(&mut trace, EventKind::PageUsed, |r| (r.pid, r.va, r.space) = (0, 4 << 12, 6));
        push(&mut trace, EventKind::Protection, |r| r.va = 5 << 12);
        assert_eq!((trace.stats.ahead.mapped_around, trace.stats.ahead.around_used), (5, 2));
        assert_eq!(trace.stats.faults_total, 2);
        let space = trace.guest.space(1).expect("the process runs");
        assert_eq!(space.frame_of(Vpn(4)), Some(isa::Ppn(104)));
    }

    #[test]
    fn what_was_read_ahead_is_used_by_whoever_needs_the_page() {
        let mut trace = Trace::default();
        for page in 1..7 {
            push(&mut trace, EventKind::CacheFill, about(page));
            push(&mut trace, EventKind::ReadAhead, about(page));
        }
        push(&mut trace, EventKind::FileCache, about(1));
        push(&mut trace, EventKind::CacheUse, about(2));
        // To be mapped is not to be used, to be used there is.
        push(&mut trace, EventKind::MapAround, about(3));
        push(&mut trace, EventKind::MapAround, about(4));
        push(&mut trace, EventKind::PageUsed, |r| (r.pid, r.va) = (0, 4 << 12));
        push(&mut trace, EventKind::Evict, about(5));
        push(&mut trace, EventKind::CacheFill, about(5));
        push(&mut trace, EventKind::FileDisk, about(5));
        push(&mut trace, EventKind::FileCache, about(1));
        assert_eq!((trace.stats.ahead.read_ahead, trace.stats.ahead.ahead_used), (6, 3));
    }

    #[test]
    fn who_waits_for_a_page_that_is_read_ahead_is_told_so() {
        let mut trace = Trace::default();
        push(&mut trace, EventKind::CacheFill, about(9));
        push(&mut trace, EventKind::ReadAhead, about(9));
        let fault = push(&mut trace, EventKind::FileDisk, |r| {
            about(9)(r);
            r.flags = Access::Read as u64 | FLAG_FROM_DISK;
        });
        assert!(matches!(trace.history.disk_read(&fault), Some(DiskRead::Ahead(_))));
        assert_eq!((trace.stats.faults_from_disk, trace.stats.faults_awaited), (1, 1));
        assert_eq!(trace.accounts.machine.faults_awaited, 1);
        let text = explain(&fault, &trace).expect("it is a fault");
        assert!(
            text.contains(
                "since step 1, as a page before it was needed then: the kernel began no second read"
            ),
            "{text}"
        );
    }
}
