//! Which faults `catch fault` stops at.

use super::near::{distance_within, nearest};
use crate::trace::{Event, Trace};
use isa::events::EventKind;

/// Which of the faults are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Which {
    /// Each of them.
    Any,
    /// Those that waited for a disk.
    FromDisk,
    /// Those of pages that had been in swap space.
    FromSwap,
    /// Those of these kinds.
    Of(&'static [EventKind]),
    /// Those of one kind.
    One(EventKind),
    /// Those that were refused; and exceptions that are no page faults.
    Refused,
}

/// The groups of kinds by their names.
const GROUPS: &[(&str, Which)] = &[
    ("zero", Which::Of(&[EventKind::Zero, EventKind::ZeroShared, EventKind::StackGrow])),
    (
        "file",
        Which::Of(&[EventKind::FileDisk, EventKind::FileCache, EventKind::FileCopy, EventKind::SharedMap]),
    ),
    ("disk", Which::FromDisk),
    ("cow", Which::Of(&[EventKind::CowCopy, EventKind::CowReuse])),
    ("swap", Which::FromSwap),
    ("segv", Which::Refused),
    ("any", Which::Any),
];

/// Which faults `catch fault` stops at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Faults {
    /// As typed.
    pub name: String,
    which: Which,
}

impl Faults {
    /// A group, or a kind by its own name.
    pub fn from_name(name: &str) -> Option<Self> {
        let group = GROUPS.iter().find(|(group, _)| *group == name).map(|&(_, which)| which);
        let kind = || EventKind::from_name(name).filter(|kind| kind.is_fault()).map(Which::One);
        Some(Self { name: name.to_owned(), which: group.or_else(kind)? })
    }
    /// Every name: of the groups, then of the kinds.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let kinds = EventKind::ALL.iter().filter(|kind| kind.is_fault()).map(|kind| kind.name());
        let is_group = |name: &&str| GROUPS.iter().any(|(group, _)| group == name);
        GROUPS.iter().map(|(group, _)| *group).chain(kinds.filter(move |name| !is_group(name)))
    }
    /// Whether this event is a fault that is meant. What only the fold knows of it, `trace` says.
    pub(in crate::debug) fn mean(&self, event: &Event, trace: &Trace) -> bool {
        let Some(kind) = event.kind().filter(|kind| kind.is_fault()) else { return false };
        match self.which {
            Which::Any => true,
            Which::FromDisk => event.from_disk(),
            Which::FromSwap => trace.history.is_swap_in(event),
            Which::Of(kinds) => kinds.contains(&kind),
            Which::One(only) => kind == only,
            Which::Refused => matches!(kind, EventKind::Segv | EventKind::Protection),
        }
    }
    /// Whether copies of shared pages are meant, and little else.
    pub(in crate::debug) fn mean_copies(&self) -> bool {
        match self.which {
            Which::Of(kinds) => kinds.contains(&EventKind::CowCopy),
            Which::One(kind) => kind == EventKind::CowCopy,
            Which::Any | Which::FromDisk | Which::FromSwap | Which::Refused => false,
        }
    }
    /// Whether they come only where something is mapped.
    pub(in crate::debug) fn need_a_mapping(&self) -> bool {
        !matches!(self.which, Which::Any | Which::Refused | Which::One(EventKind::Segv))
    }
    /// Whether exceptions that are no page faults are meant, too.
    pub(in crate::debug) fn mean_traps(&self) -> bool {
        self.which == Which::Refused
    }
}

/// A kind of fault that there is not.
pub(super) fn no_fault(name: &str) -> String {
    // The names are short: two other letters make another word of most, unless they only stand in another order.
    let sorted = |word: &str| {
        let mut letters: Vec<char> = word.chars().collect();
        letters.sort_unstable();
        letters
    };
    let is_near = |near: &&str| distance_within(name, near, 1) == Some(1) || sorted(name) == sorted(near);
    match nearest(name, Faults::names()).filter(is_near) {
        Some(near) => format!("there is no fault of kind `{name}`; did you mean `{near}`?"),
        None => {
            let groups: Vec<&str> = GROUPS.iter().map(|(group, _)| *group).collect();
            format!(
                "there is no fault of kind `{name}`: there are {}, and each kind of fault that --stats counts",
                groups.join(", ")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isa::Step;
    use isa::events::{EventRecord, FLAG_FROM_DISK};

    /// Which kinds a name means of faults that waited for nothing, and of the same that waited for a disk.
    fn meant(name: &str, flags: u64) -> Vec<EventKind> {
        let faults = Faults::from_name(name).unwrap();
        let is_meant = |kind: &EventKind| {
            let record = EventRecord { kind: *kind as u64, flags, ..EventRecord::default() };
            faults.mean(&Event::new(Step(1), 0, &record, b""), &Trace::default())
        };
        EventKind::ALL.iter().copied().filter(is_meant).collect()
    }

    #[test]
    fn names_mean_faults() {
        use EventKind as K;
        let all: Vec<K> = K::ALL.iter().copied().filter(|kind| kind.is_fault()).collect();
        assert_eq!(meant("any", 0), all);
        assert_eq!((meant("disk", 0), meant("disk", FLAG_FROM_DISK)), (Vec::new(), all));
        assert_eq!(meant("cow", 0), [K::CowCopy, K::CowReuse]);
        assert_eq!(meant("zero", 0), [K::Zero, K::ZeroShared, K::StackGrow]);
        assert_eq!(meant("segv", 0), [K::Protection, K::Segv]);
        assert_eq!(meant("stack_grow", 0), [K::StackGrow]);
        assert_eq!(meant("swap", 0), [K::SwapIn]);
        for name in Faults::names() {
            let faults = Faults::from_name(name).unwrap();
            assert_eq!(faults.mean_traps(), name == "segv", "{name}");
            assert_eq!(faults.need_a_mapping(), !["any", "segv"].contains(&name), "{name}");
            assert_eq!(faults.mean_copies(), ["cow", "cow_copy"].contains(&name), "{name}");
        }
        assert_eq!((Faults::from_name("mmap"), Faults::from_name("")), (None, None));
    }
}
