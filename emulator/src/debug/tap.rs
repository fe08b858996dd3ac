//! The debugger's ear on the event stream: the fold of what the guest did, and the catchpoints.
//!
//! The embedder gives every event to [`Tap::take_in`] and does what it answers.

use super::command::FaultFilter;
use crate::host::EventAction;
use crate::trace::{Event, Trace, explain};
use isa::events::EventKind;
use std::cell::RefCell;
use std::rc::Rc;

/// A tap that both the event sink and the debugger hold.
pub type SharedTap = Rc<RefCell<Tap>>;

/// What the debugger has heard of the guest, and what it waits for.
#[derive(Debug, Default)]
pub struct Tap {
    trace: Trace,
    catches: Vec<(u64, FaultFilter)>,
    caught: Option<(u64, Event)>,
    /// What there is to say of the last page fault, by the state of things at that time.
    explanation: Option<String>,
    /// Some breakpoint waits for a program to be mapped.
    wants_programs: bool,
}

impl Tap {
    /// Takes in the next event. `Stop` means: come back to the debugger before the next instruction.
    pub fn take_in(&mut self, event: &Event) -> EventAction {
        self.trace.fold(event);
        self.explanation = explain(event, &self.trace).or(self.explanation.take());
        let Some(kind) = event.kind() else { return EventAction::Continue };
        if let Some((id, _)) = self.catches.iter().find(|(_, filter)| filter.kinds.contains(&kind)) {
            self.caught = Some((*id, event.clone()));
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

    /// The last page fault, explained.
    pub fn explanation(&self) -> Option<&str> {
        self.explanation.as_deref()
    }

    pub(super) fn set_wants_programs(&mut self, wanted: bool) {
        self.wants_programs = wanted;
    }
    pub(super) fn add_catch(&mut self, id: u64, filter: FaultFilter) {
        self.catches.push((id, filter));
    }
    /// Deletes a catchpoint, or all. Returns how many there were.
    pub(super) fn delete_catches(&mut self, id: Option<u64>) -> usize {
        let before = self.catches.len();
        self.catches.retain(|(other, _)| id.is_some_and(|id| id != *other));
        before - self.catches.len()
    }
    pub(super) fn catches(&self) -> &[(u64, FaultFilter)] {
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
