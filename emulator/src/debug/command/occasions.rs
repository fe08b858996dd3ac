//! What `catch` stops at, beside faults.

use crate::trace::{Event, Trace};
use isa::events::{EventKind, EventRecord};

/// Something that the guest's events tell of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Happening {
    /// A process is made.
    Fork,
    /// A process is made that borrows its parent's memory.
    Vfork,
    /// A process executes a program.
    Exec,
    /// A process ends.
    Exit,
    /// A signal is acted on, or dropped.
    Signal,
    /// A page leaves the page cache, or one process's entry for it goes, to make room.
    Evict,
    /// A page comes back from swap space.
    SwapIn,
    /// A page goes out to swap space.
    SwapOut,
    /// A hart is given to another thread.
    Switch,
}

/// The happenings by their names.
const HAPPENINGS: [(&str, Happening); 9] = [
    ("fork", Happening::Fork),
    ("vfork", Happening::Vfork),
    ("exec", Happening::Exec),
    ("exit", Happening::Exit),
    ("signal", Happening::Signal),
    ("evict", Happening::Evict),
    ("swap-in", Happening::SwapIn),
    ("swap-out", Happening::SwapOut),
    ("switch", Happening::Switch),
];

/// The words behind `catch`.
pub(in crate::debug) const OCCASIONS: &[&str] = &[
    "fault", "fork", "vfork", "exec", "exit", "syscall", "signal", "evict", "swap-in", "swap-out",
    "tlb-miss", "switch",
];

impl Happening {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        HAPPENINGS.iter().find(|(known, _)| *known == name).map(|&(_, happening)| happening)
    }
    /// Its name.
    pub fn name(self) -> &'static str {
        HAPPENINGS.iter().find(|(_, happening)| *happening == self).map_or("", |(name, _)| name)
    }
    /// Whether this event tells of it. What only the fold knows, `trace` says.
    pub(in crate::debug) fn is_told_by(self, event: &Event, trace: &Trace) -> bool {
        let kind = event.kind();
        match self {
            Self::Fork => kind == Some(EventKind::Fork),
            Self::Vfork => kind == Some(EventKind::Fork) && is_vfork(&event.record),
            Self::Exec => kind == Some(EventKind::Exec),
            Self::Exit => kind == Some(EventKind::Exit),
            Self::Signal => kind == Some(EventKind::Signal),
            // When all is over the kernel empties its frames to count them, and nobody needs the room.
            Self::Evict => {
                matches!(kind, Some(EventKind::Evict | EventKind::EvictEntry)) && !trace.guest.is_over()
            }
            Self::SwapIn => trace.history.is_swap_in(event),
            Self::SwapOut => kind == Some(EventKind::SwapOut),
            Self::Switch => kind == Some(EventKind::Switch),
        }
    }
}

/// The parent waits until the child, which has its memory, executes a program or ends (Linux's `CLONE_VFORK`).
const CLONE_VFORK: u64 = 0x4000;

/// Whether what a `fork` event tells of is a `vfork`.
pub(in crate::debug) fn is_vfork(record: &EventRecord) -> bool {
    record.flags & CLONE_VFORK != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use isa::Step;

    #[test]
    fn each_word_is_an_occasion() {
        for name in OCCASIONS {
            let by_itself = ["fault", "syscall", "tlb-miss"].contains(name);
            assert_eq!(Happening::from_name(name).map(Happening::name), (!by_itself).then_some(*name));
        }
        assert_eq!(OCCASIONS.len(), HAPPENINGS.len() + 3);
    }

    #[test]
    fn events_tell_of_happenings() {
        let told = |kind: EventKind| -> Vec<&str> {
            let record = EventRecord { kind: kind as u64, ..EventRecord::default() };
            let event = Event::new(Step(1), 0, &record, b"");
            let told = |h: &Happening| h.is_told_by(&event, &Trace::default());
            HAPPENINGS.iter().filter(|(_, h)| told(h)).map(|(name, _)| *name).collect()
        };
        assert_eq!(told(EventKind::EvictEntry), ["evict"]);
        assert_eq!(told(EventKind::SwapIn), ["swap-in"]);
        assert_eq!(told(EventKind::Fork), ["fork"]);
        assert!(told(EventKind::Mmap).is_empty());
        let any = EventKind::ALL.iter().flat_map(|&kind| told(kind));
        // All but `vfork`, which flags tell apart; two are of `evict`.
        assert_eq!(any.count(), HAPPENINGS.len());
        let flags = CLONE_VFORK;
        let record = EventRecord { kind: EventKind::Fork as u64, flags, ..EventRecord::default() };
        let event = Event::new(Step(1), 0, &record, b"");
        assert!(Happening::Vfork.is_told_by(&event, &Trace::default()));
    }
}
