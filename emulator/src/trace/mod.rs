//! What Folio knows of the guest OS, folded from the event stream.
//!
//! The guest kernel reports records (`isa::events`); the machine stamps them and hands them to the
//! [`EventSink`](crate::host::EventSink) of its embedder. There they become an [`Event`], which [`Trace`] folds into
//! counts ([`Stats`]) and into a picture of processes, VMAs and frames ([`GuestView`]). [`explain`] tells one fault in
//! plain words. Nothing here reads guest memory, and no part of the machine imports this module.
//!
//! Beside it, [`CommitLog`] observes the hart itself and writes what each instruction does.
//!
//! What the folds rely on, in the order of the stream: `exec` comes before the `mmap`s of the new image and empties
//! the address space; `fork` comes when the parent's pages are shared; each fault that was resolved or refused is one
//! event; a page's frame is gone when its range is unmapped, its address space ends, or another frame is mapped there.

mod accounts;
mod ahead;
mod attribution;
mod commit_log;
mod departure;
mod event;
mod explain;
mod frames;
mod guest_view;
mod history;
mod refusal;
mod residence;
mod space;
mod stats;
#[cfg(test)]
mod tests;
mod trap;

pub use accounts::{Account, Accounts, EvictionKind, NOBODY, ProcessAccount};
pub use ahead::Ahead;
pub use attribution::{Attribution, Cause, Tally};
pub use commit_log::CommitLog;
pub use departure::explain_departure;
pub use event::{Event, TRACE_SCHEMA, TRACE_VERSION, TraceHeader};
pub use explain::{Verdict, explain, pte_flags, verdict};
pub use frames::{FrameContent, FrameView, SystemUse};
pub use guest_view::{GuestView, ProcessState, ProcessView};
pub use history::{
    CRASHES, Death, DiskRead, Errand, FIRST_PROCESS, GivenUp, History, Library, Place, ThreadId, Unmapped,
};
pub use refusal::Refusal;
pub use residence::{Residence, at_page, why_not_mapped};
pub use space::{Away, SpaceView, VmaView};
pub use stats::Stats;
pub use trap::{Trap, TrapKind};

use isa::events::EventKind;

/// Everything that is folded from one machine's events.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Counts.
    pub stats: Stats,
    /// What paging has cost, process by process.
    pub accounts: Accounts,
    /// Processes, VMAs and frames as they are now.
    pub guest: GuestView,
    /// What has been.
    pub history: History,
    /// Who is the cause of faults, for those who ask.
    pub attribution: Option<Attribution>,
    /// The last page fault, for `explain`.
    pub last_fault: Option<Event>,
    /// Why the last file that was refused as a program was refused.
    pub last_refusal: Option<String>,
}

impl Trace {
    /// Takes in the next event of the stream.
    pub fn fold(&mut self, event: &Event) {
        self.history.fold(event, &self.guest);
        self.accounts.fold(event, &self.guest, &self.history);
        if let Some(attribution) = &mut self.attribution {
            attribution.fold(event, &self.guest);
        }
        self.guest.fold(event);
        if let Some(attribution) = &mut self.attribution {
            attribution.sweep(event, &self.guest);
        }
        self.stats.fold(event, &self.guest, self.history.disk_read(event));
        if event.is_fault() {
            self.last_fault = Some(event.clone());
        }
        if event.kind() == Some(EventKind::ExecRefused) {
            self.last_refusal = Some(event.text.clone());
        }
    }
}
