//! What others than a prompt need of the debugger: sessions of gdb, which run the machine themselves and come here for what is told.

use super::catches::Catch;
use super::caught::EXITS;
use super::command::Happening;
use super::execute::Debugger;
use super::points::Hit;
use super::select::Choice;
use super::space::{AtTrap, Doing};
use super::target::{Registers, Target};
use crate::trace::ThreadId;
use isa::Step;
use isa::events::EventKind;
use std::fmt::Write;

/// A catchpoint that somebody's run has come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caught {
    /// The process that the event was about.
    pub pid: u64,
    /// What it was, in a line.
    pub text: String,
    /// It executes a program, whose first instruction is to come.
    pub is_exec: bool,
}

impl Debugger {
    /// Takes in what has come since the machine was resumed by someone else: threads that harts have left, a catchpoint.
    pub fn came_back(&mut self, target: &mut dyn Target) -> Option<Caught> {
        self.hart = target.next_hart();
        // Whom one looked at has run since, perhaps.
        (self.selected, self.choice, self.at_trap, self.next_examine) = (None, None, None, None);
        self.at_event = None;
        self.note_switches(target);
        target.look_at(self.hart);
        // Whom the hart would go on with may wait, for others to look at.
        self.note_current(target);
        let (hit, event) = self.decide_event(target)?;
        // `explain` tells of what has stopped the machine.
        self.at_event = event.kind().map(|kind| (kind, event.record.pid));
        let is_exec = event.kind() == Some(EventKind::Exec);
        Some(Caught { pid: event.record.pid, text: self.with_end(hit), is_exec })
    }

    /// Keeps the registers with which a thread has gone to the kernel at its end.
    pub fn keep_last_trap(&mut self, thread: ThreadId, registers: Registers, step: Step) {
        self.keep_trap(thread, AtTrap { registers, step, doing: Doing::Called });
    }

    /// The system calls at which catchpoints stop, and those by which programs end, if one is to tell who has called them.
    pub fn calls_wanted(&self) -> Vec<u64> {
        let tells_of_exits =
            self.points.catches().any(|(_, catch)| *catch == Catch::Happening(Happening::Exit));
        let is_wanted = |number, name: &str| {
            tells_of_exits && EXITS.contains(&name)
                || self.points.catches().any(|(_, catch)| catch.means_call(number))
        };
        let known = self.calls.iter().filter(|(number, name)| is_wanted(*number, name));
        let mut wanted: Vec<u64> = known.map(|(number, _)| *number).collect();
        // One that has no name, by its number.
        wanted.extend(self.points.catches().filter_map(|(_, catch)| match catch {
            Catch::Syscall(Some(call)) => Some(call.number),
            _ => None,
        }));
        wanted
    }

    /// Takes in that a thread, whose program has these registers, has made one of them and is in the kernel on a hart.
    pub fn note_call(
        &mut self,
        target: &mut dyn Target,
        hart: usize,
        thread: ThreadId,
        registers: Registers,
    ) -> Option<Caught> {
        self.hart = hart;
        target.look_at(hart);
        let registers = Registers { hart, ..registers };
        let program = AtTrap { registers, step: target.step(), doing: Doing::Called };
        self.keep_trap(thread, program);
        let hit = self.catch_call(target, thread, program)?;
        Some(Caught { pid: thread.pid, text: self.with_end(hit), is_exec: false })
    }

    /// What there is to say of a stop; at the first of a catchpoint also how it is ended, which gdb knows nothing of.
    fn with_end(&self, hit: Hit) -> String {
        let is_first = |id: &u64| self.points.iter().any(|point| point.id == *id && point.hits == 1);
        let mut text = hit.text;
        for id in hit.ids.iter().filter(|id| is_first(id)) {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "gdb does not list catchpoint {id}: `delete {id}` ends it");
        }
        text
    }

    /// Does what a line says; an empty one says where one is. `program` is the thread that is looked at if it is in the kernel, with the
    /// registers that it has gone there with; `beside` is its number. Who was chosen by `thread N` is looked at instead, until there is
    /// another number beside.
    pub fn execute_for(
        &mut self,
        target: &mut dyn Target,
        program: Option<(ThreadId, Registers)>,
        beside: u64,
        line: &str,
    ) -> String {
        if self.choice.is_some_and(|choice| choice.asked_beside.is_some_and(|asked| asked != beside)) {
            (self.selected, self.choice, self.frame) = (None, None, 0);
        }
        match (self.choice, program) {
            (Some(Choice { hart: Some(hart), .. }), _) => target.look_at(hart),
            (Some(_), _) => {}
            (None, Some((thread, registers))) => self.select_for_once(thread, registers),
            (None, None) => {}
        }
        // Looks at the hart that the target looks at.
        let place = self.location(target);
        let text = if line.is_empty() { place } else { self.execute(target, line).text };
        self.end_of_once();
        if let Some(choice) = &mut self.choice {
            choice.asked_beside.get_or_insert(beside);
        }
        text
    }

    /// Whether a process or a thread was chosen, by `process N` or `thread N`.
    pub fn has_chosen(&self) -> bool {
        self.choice.is_some()
    }

    /// Looks at the innermost function of the stack again: somebody else's is looked at.
    pub fn look_at_innermost(&mut self) {
        self.frame = 0;
    }

    /// What a thread does that does not run, as far as it is known.
    pub fn wait_of(&mut self, target: &dyn Target, thread: ThreadId) -> Option<String> {
        self.waits(target).remove(&thread)
    }
}
