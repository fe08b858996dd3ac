//! The debugger's ear on the event stream: the fold of what the guest did, and the catchpoints.
//!
//! The embedder gives every event to [`Tap::take_in`] and does what it answers.

use super::command::Faults;
use crate::host::EventAction;
use crate::trace::{Event, ThreadId, Trace, Trap, explain};
use isa::events::EventKind;
use isa::{VirtAddr, Vpn};
use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

/// A tap that both the event sink and the debugger hold.
pub type SharedTap = Rc<RefCell<Tap>>;

/// Pages to catch faults in: of every process, or of one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Pages {
    pub(super) range: Range<Vpn>,
    pub(super) pid: Option<u64>,
}

/// A catchpoint.
#[derive(Clone, Debug)]
pub(super) struct Catch {
    pub(super) id: u64,
    pub(super) faults: Faults,
    pub(super) pages: Option<Pages>,
}

impl Catch {
    /// Whether it stops at this event, which may tell of an exception that is no page fault.
    fn catches(&self, trace: &Trace, event: &Event, trap: Option<&Trap>) -> bool {
        let record = &event.record;
        let va = trap.map_or(VirtAddr(record.va), |trap| trap.pc.va);
        let is_there =
            |pages: &Pages| pages.range.contains(&va.page()) && pages.pid.is_none_or(|pid| pid == record.pid);
        let is_meant = self.faults.mean(event, trace) || self.faults.mean_traps() && trap.is_some();
        is_meant && self.pages.as_ref().is_none_or(is_there)
    }
}

impl fmt::Display for Catch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "catchpoint {}: fault {}", self.id, self.faults.name)?;
        let Some(Pages { range, pid }) = &self.pages else { return Ok(()) };
        write!(f, " in {}-{}", range.start.base(), range.end.base())?;
        pid.map_or(Ok(()), |pid| write!(f, " of process {pid}"))
    }
}

/// What the debugger has heard of the guest, and what it waits for.
#[derive(Debug, Default)]
pub struct Tap {
    trace: Trace,
    catches: Vec<Catch>,
    caught: Option<(u64, Event)>,
    /// What there is to say of the last page fault, by the state of things at that time.
    explanation: Option<String>,
    /// Some breakpoint waits for a program to be mapped.
    wants_programs: bool,
    /// There is a debugger, which asks which threads harts have left and why faults happened.
    is_followed: bool,
    switches: Vec<(usize, Option<ThreadId>)>,
}

impl Tap {
    /// Takes in the next event. `Stop` means: come back to the debugger before the next instruction.
    pub fn take_in(&mut self, event: &Event) -> EventAction {
        let left = self.trace.history.running_on(event.hart);
        self.trace.fold(event);
        if self.is_followed && event.is_fault() {
            self.explanation = explain(event, &self.trace);
        }
        let Some(kind) = event.kind() else { return EventAction::Continue };
        let trap = self.trace.history.last_trap().filter(|trap| {
            kind == EventKind::Signal && trap.step == event.step && trap.pid == event.record.pid
        });
        if let Some(catch) = self.catches.iter().find(|catch| catch.catches(&self.trace, event, trap)) {
            self.caught = Some((catch.id, event.clone()));
            return EventAction::Stop;
        }
        if self.is_followed && kind == EventKind::Switch {
            self.switches.push((event.hart, left));
            return EventAction::Stop;
        }
        let maps_a_program = kind == EventKind::Mmap && event.record.detail != 0;
        if self.wants_programs && (maps_a_program || matches!(kind, EventKind::Exec | EventKind::Fork)) {
            return EventAction::Stop;
        }
        EventAction::Continue
    }
    /// What was heard so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The last page fault, explained; one before the debugger came by the state of things now.
    pub fn explanation(&self) -> Option<String> {
        self.explanation.clone().or_else(|| explain(self.trace.last_fault.as_ref()?, &self.trace))
    }

    /// The last exception, if it is one that is no page fault and no fault has come since.
    pub(super) fn trap(&self) -> Option<&Trap> {
        let since = self.trace.last_fault.as_ref().map(|fault| fault.step);
        self.trace.history.last_trap().filter(|trap| since.is_none_or(|since| since < trap.step))
    }

    pub(super) fn set_wants_programs(&mut self, wanted: bool) {
        self.wants_programs = wanted;
    }
    /// From now on each fault is explained when it comes, and the debugger comes back whenever a hart is given to another thread.
    pub(super) fn follow(&mut self) {
        self.is_followed = true;
    }
    /// The harts that were given to other threads since the last time, and the threads that they left.
    pub(super) fn take_switches(&mut self) -> Vec<(usize, Option<ThreadId>)> {
        std::mem::take(&mut self.switches)
    }
    pub(super) fn add_catch(&mut self, catch: Catch) {
        self.catches.push(catch);
    }
    /// Deletes a catchpoint, or all. Returns how many there were.
    pub(super) fn delete_catches(&mut self, id: Option<u64>) -> usize {
        let before = self.catches.len();
        self.catches.retain(|catch| id.is_some_and(|id| id != catch.id));
        before - self.catches.len()
    }
    pub(super) fn catches(&self) -> &[Catch] {
        &self.catches
    }
    pub(super) fn has_catches(&self) -> bool {
        !self.catches.is_empty()
    }
    pub(super) fn has_caught(&self) -> bool {
        self.caught.is_some()
    }
    pub(super) fn take_caught(&mut self) -> Option<(u64, Event)> {
        self.caught.take()
    }
}
