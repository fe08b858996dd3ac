//! What others than a prompt need of the debugger: sessions of gdb, which run the machine themselves and come here for what is told.

use super::execute::Debugger;
use super::target::Target;
use crate::trace::ThreadId;

/// A catchpoint that somebody's run has come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caught {
    /// The process that the event was about.
    pub pid: u64,
    /// What it was, in a line.
    pub text: String,
}

impl Debugger {
    /// Takes in what has come since the machine was resumed by someone else: threads that harts have left, a catchpoint.
    pub fn came_back(&mut self, target: &mut dyn Target) -> Option<Caught> {
        self.hart = target.next_hart();
        self.note_switches(target);
        target.look_at(self.hart);
        let (hit, event) = self.decide_event(target)?;
        Some(Caught { pid: event.record.pid, text: hit.text })
    }

    /// In what a thread waits, as far as it is known.
    pub fn wait_of(&mut self, target: &dyn Target, thread: ThreadId) -> Option<String> {
        self.waits(target).remove(&thread)
    }
}
