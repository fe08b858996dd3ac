//! The sessions' ear on the event stream: what makes them come back before the next instruction.

use crate::host::EventAction;
use crate::trace::Event;
use isa::events::{EventKind, SignalEffect, SignalTold};
use std::cell::RefCell;
use std::rc::Rc;

/// An ear that both the event sink and the server hold.
pub type SharedEar = Rc<RefCell<Ear>>;

/// Keeps the events that sessions act upon, until the server takes them.
#[derive(Debug, Default)]
pub struct Ear {
    kept: Vec<Event>,
    /// Nobody listens any more.
    closed: bool,
}

impl Ear {
    /// Takes in the next event, after the fold. `Stop` means: come back before the next instruction.
    pub fn take_in(&mut self, event: &Event) -> EventAction {
        let is_kept = match event.kind() {
            Some(EventKind::Exec | EventKind::Fork | EventKind::Exit) => true,
            Some(EventKind::Signal) => {
                SignalTold::read(&event.record).is_some_and(|told| told.effect == SignalEffect::Ended)
            }
            _ => false,
        };
        if !is_kept || self.closed {
            return EventAction::Continue;
        }
        self.kept.push(event.clone());
        EventAction::Stop
    }
    pub(super) fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.kept)
    }
    pub(super) fn close(&mut self) {
        self.closed = true;
    }
}
