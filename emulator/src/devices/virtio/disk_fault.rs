//! Disks that fail, on purpose: which request of which kind, on which disk, and in what way.
//!
//! The guest's requests are counted as they are accepted, those that fail anyhow apart. A fault hits one request and takes no time: the
//! request ends when it would have.

use serde::{Deserialize, Serialize};

/// How a request fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum DiskFaultKind {
    /// A read ends with an error; its buffer stays as it was.
    Read,
    /// A write ends with an error, and nothing was written.
    Write,
    /// A flush ends with an error.
    Flush,
    /// A write claims success and has written the first half of its sectors.
    Torn,
    /// A write claims success and has written nothing.
    Lost,
}

/// What a request is to the count of faults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Counted {
    Read,
    Write,
    Flush,
}

impl DiskFaultKind {
    fn hits(self, request: Counted) -> bool {
        match self {
            Self::Read => request == Counted::Read,
            Self::Write | Self::Torn | Self::Lost => request == Counted::Write,
            Self::Flush => request == Counted::Flush,
        }
    }
}

/// A request that will fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DiskFault {
    /// How.
    pub kind: DiskFaultKind,
    /// The disk whose requests count, by its number; all disks' if there is none.
    pub disk: Option<usize>,
    /// Which of the requests that it could hit, from 1 on.
    pub request: u64,
}

/// The faults to come.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub struct DiskFaults {
    /// Each with the number of requests that have come which it could have hit.
    ahead: Vec<(DiskFault, u64)>,
}

impl DiskFaults {
    /// One more.
    pub fn plan(&mut self, fault: DiskFault) {
        self.ahead.push((fault, 0));
    }

    /// Those that have not come yet, each with the number of requests that it has let pass.
    pub(super) fn ahead(&self) -> &[(DiskFault, u64)] {
        &self.ahead
    }

    /// Counts a request of disk `disk`; the fault that hits it, if one does.
    pub(super) fn count(&mut self, disk: usize, request: Counted) -> Option<DiskFaultKind> {
        let mut hit = None;
        self.ahead.retain_mut(|(fault, came)| {
            *came += u64::from(fault.kind.hits(request) && fault.disk.is_none_or(|only| only == disk));
            let is_due = *came >= fault.request;
            if is_due {
                hit = hit.or(Some(fault.kind));
            }
            !is_due
        });
        hit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_hits_the_request_that_it_names_and_no_other() {
        let mut faults = DiskFaults::default();
        for (kind, disk, request) in [
            (DiskFaultKind::Read, None, 3),
            (DiskFaultKind::Torn, Some(1), 2),
            (DiskFaultKind::Flush, None, 1),
        ] {
            faults.plan(DiskFault { kind, disk, request });
        }
        for (disk, request, hit) in [
            (0, Counted::Read, None),
            (0, Counted::Write, None),
            (1, Counted::Read, None),
            (1, Counted::Write, None),
            (0, Counted::Write, None),
            (1, Counted::Write, Some(DiskFaultKind::Torn)),
            (1, Counted::Write, None),
            (0, Counted::Read, Some(DiskFaultKind::Read)),
            (0, Counted::Read, None),
            (1, Counted::Flush, Some(DiskFaultKind::Flush)),
            (1, Counted::Flush, None),
        ] {
            assert_eq!(faults.count(disk, request), hit, "{request:?} of disk {disk}");
        }
    }
}
