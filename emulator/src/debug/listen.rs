//! What is listened for while the machine runs. Where nothing is, nobody listens.

use super::execute::Debugger;
use super::points::Hit;
use super::target::{Heard, Place, Target};
use super::watch::ArmedWatch;

/// What is listened for.
#[derive(Clone, Debug)]
pub(super) struct Listens {
    /// For each miss of the TLB.
    misses: bool,
    /// For accesses.
    watches: Vec<ArmedWatch>,
}

impl Listens {
    pub(super) fn is_empty(&self) -> bool {
        !self.misses && self.watches.is_empty()
    }
    /// Whether this may stop the machine, done by the instruction at a place.
    pub(super) fn wants(&self, place: &Place, what: &Heard) -> bool {
        match what {
            Heard::TlbMiss { .. } => self.misses,
            Heard::Access(access) => self.watches.iter().any(|watch| watch.means(place, access)),
        }
    }
    /// Whether something of the process is watched whose program is at a place.
    pub(super) fn concern(&self, place: &Place) -> bool {
        self.watches.iter().any(|watch| watch.is_of(place))
    }
}

impl Debugger {
    pub(super) fn listens(&self) -> Listens {
        Listens { misses: !self.points.catch_misses().is_empty(), watches: self.armed_watches() }
    }

    /// Whether what the instruction at `place` has done stops the machine.
    pub(super) fn hit_by(&mut self, target: &dyn Target, place: &Place, what: &Heard) -> Option<Hit> {
        match what {
            Heard::TlbMiss { .. } => self.catch_miss(target, place, what),
            Heard::Access(access) => self.watch_access(target, place, access),
        }
    }
}
