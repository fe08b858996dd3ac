//! Running the machine until something stops it, and why it has stopped.

use super::execute::Debugger;
use super::points::Hit;
use super::space::AtTrap;
use super::target::{Heard, Place, Stop, Target};
use crate::machine::{HartState, StopReason};
use isa::events::EventKind;
use isa::{Privilege, Step};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Why a resumed machine has stopped.
pub(super) enum Halt {
    Reached,
    /// A breakpoint, a catchpoint or a watchpoint.
    Hit(Hit),
    /// A signal ends a program that went wrong.
    Signal(String),
    /// Who was followed has ended, in words, and the machine has not.
    Gone(String),
    Interrupted,
    Ended(StopReason),
}

/// What ends a run, if nothing else does before.
pub(super) enum Until<'a> {
    /// One instruction has run.
    OneInstruction,
    /// This step.
    Step(Step),
    /// A place for which this is true.
    Condition(&'a mut dyn FnMut(&Place) -> bool),
    /// An instruction of a program.
    Program,
    /// Nothing.
    Ever,
}

/// That the machine has ended, in words.
fn ended(reason: StopReason) -> String {
    format!("the machine has ended: {reason}")
}

/// Steps in which the kernel goes on with a program, unless it has more to do for it.
const MOST_STEPS_TO_A_PROGRAM: u64 = 100_000;

impl Debugger {
    /// Runs the machine until `until`, a breakpoint, a catchpoint, Ctrl-C or its end.
    pub(super) fn resume(&mut self, target: &mut dyn Target, mut until: Until<'_>) -> Result<Halt, String> {
        if let Some(reason) = self.ended {
            return Err(match reason.leaves_all() {
                true => format!("the machine runs no further: {reason}"),
                false => ended(reason),
            });
        }
        if let Some(halt) = self.take_pending(target).or_else(|| self.catch_event(target)) {
            return Ok(halt);
        }
        if matches!(until, Until::OneInstruction) && target.hart_state(self.hart) == HartState::Stopped {
            return Err(format!("hart {} is stopped: it runs when another hart starts it", self.hart));
        }
        self.before = Some(self.now(target));
        self.resumed_at = target.step();
        self.next_examine = None;
        self.points.stopped_at.clear();
        self.at_trap = None;
        self.at_event = None;
        self.looked_at_before = self.selected_thread();
        (self.selected, self.choice) = (None, None);
        self.frame = 0;
        target.look_at(target.next_hart());
        // The place at which a breakpoint has been looked at already.
        let mut first = target.registers().place(target.step());
        // What was heard of the instruction before says nothing of the place that comes next.
        let mut first_is_new = std::mem::take(&mut self.is_at_new_place);
        let stepping = self.hart;
        let (mut begun, mut same_instruction) = (None, true);
        // Each trap out of a program is a short stop: its registers are kept, for the case that what it wanted is refused, or that
        // someone wants to look at it while others run. Not where the machine runs without being asked anything.
        let keeps_traps = self.points.has_enabled() || !matches!(until, Until::Ever | Until::Step(_));
        let mut in_program: BTreeMap<usize, bool> = BTreeMap::new();
        let (mut was_interrupted, mut limit) = (false, None);
        loop {
            if std::mem::take(&mut was_interrupted) || target.take_interrupt() {
                if limit.is_some() || !self.is_between_programs(target) {
                    self.note_current(target);
                    return Ok(Halt::Interrupted);
                }
                // Points on the way to the program count, and so does another Ctrl-C.
                let near = Step(target.step().0.saturating_add(MOST_STEPS_TO_A_PROGRAM));
                limit = Some(if let Until::Step(step) = until { near.min(step) } else { near });
                until = Until::Program;
                first_is_new = true;
            }
            self.arm();
            let listens = self.listens();
            let heard = RefCell::new(Vec::new());
            let mut hears = |place: &Place, what: &Heard| {
                if listens.wants(place, what) {
                    heard.borrow_mut().push((*place, *what));
                }
            };
            let mut stopped_on = None;
            let (mut trapped, mut returned) = (false, false);
            let (mut is_hit, mut is_done) = (false, false);
            let armed = &self.armed;
            let end = match until {
                Until::Step(step) => step,
                _ => limit.unwrap_or(Step(u64::MAX)),
            };
            let listens_at_all = !listens.is_empty();
            let is_plain = armed.is_empty()
                && !keeps_traps
                && !listens_at_all
                && matches!(until, Until::Ever | Until::Step(_));
            let mut asks = |place: &Place| {
                if let Some((before, _)) = heard.borrow().first() {
                    stopped_on = Some(before.hart);
                    return true;
                }
                if place.hart == stepping {
                    begun.get_or_insert(place.step);
                }
                let in_user = place.privilege == Privilege::User;
                let was_in_user = in_program.insert(place.hart, in_user);
                trapped = was_in_user == Some(true) && !in_user && keeps_traps;
                returned = was_in_user == Some(false) && in_user && listens.concern(place);
                // The instruction at which the machine stands has been stopped at already; should
                // it fault and run again, it is still the same.
                if *place == first && !first_is_new {
                    return false;
                }
                let context = |place: &Place| (place.hart, place.privilege, place.satp);
                if context(place) == context(&first) && !first_is_new {
                    same_instruction &= place.pc == first.pc;
                    if same_instruction && !matches!(until, Until::OneInstruction) {
                        stopped_on = (trapped || returned).then_some(place.hart);
                        return trapped || returned;
                    }
                }
                is_hit = armed.at(place).next().is_some();
                is_done = match &mut until {
                    // Not by steps: idle time before an instruction counts as steps too.
                    Until::OneInstruction => {
                        place.hart == stepping && begun.is_some_and(|begun| place.step > begun)
                    }
                    Until::Condition(reached) => reached(place),
                    Until::Program => in_user,
                    Until::Step(_) | Until::Ever => false,
                };
                let stops = is_hit || is_done || trapped || returned;
                stopped_on = stops.then_some(place.hart);
                stops
            };
            let stop = match (is_plain, listens_at_all) {
                (true, _) => target.run(end, None),
                (false, false) => target.run(end, Some(&mut asks)),
                (false, true) => target.run_listening(end, &mut asks, &mut hears),
            };
            self.hart = stopped_on.unwrap_or(target.next_hart());
            target.look_at(self.hart);
            self.note_switches(target);
            self.note_forks();
            let heard = heard.into_inner();
            for (place, what) in &heard {
                if let Some(hit) = self.hit_by(target, place, what) {
                    self.is_at_new_place = true;
                    return Ok(Halt::Hit(hit));
                }
            }
            if !heard.is_empty() && stop == Stop::Before {
                continue;
            }
            if returned && stop == Stop::Before {
                let place = target.registers().place(target.step());
                if let Some(hit) = self.watch_return(target, &place) {
                    self.is_at_new_place = true;
                    return Ok(Halt::Hit(hit));
                }
            }
            if trapped && stop == Stop::Before {
                let thread = self.tap.borrow().trace().history.running_on(self.hart);
                if let Some((thread, program)) = thread.zip(AtTrap::of(target)) {
                    self.keep_trap(thread, program);
                    if let Some(hit) = self.catch_call(target, thread, program) {
                        return Ok(Halt::Hit(hit));
                    }
                }
            }
            match stop {
                Stop::Before | Stop::Reached => {
                    let place = target.registers().place(target.step());
                    let is_new = place != first || first_is_new;
                    if is_new && let Some(hit) = self.break_at(target, &place) {
                        return Ok(Halt::Hit(hit));
                    }
                    if is_done || stop == Stop::Reached {
                        self.note_current(target);
                        return Ok(if limit.is_some() { Halt::Interrupted } else { Halt::Reached });
                    }
                    // Passed: a breakpoint that does not count this time, or a trap.
                    if is_hit {
                        (first, first_is_new, same_instruction) = (place, false, true);
                    }
                }
                Stop::Interrupted => was_interrupted = true,
                Stop::Ended(reason) => {
                    self.note_current(target);
                    self.ended = Some(reason);
                    return Ok(Halt::Ended(reason));
                }
                Stop::Event => {
                    if let Some(halt) = self.catch_event(target) {
                        return Ok(halt);
                    }
                    if let Some(halt) = self.gone(target) {
                        return Ok(halt);
                    }
                    // Programs or mappings have changed: breakpoints are looked at anew.
                    if matches!(until, Until::OneInstruction) {
                        return Ok(Halt::Reached);
                    }
                }
            }
        }
    }

    /// Whether the kernel works for a thread and will go on with its program, or with another's. Who presses Ctrl-C then means a program.
    fn is_between_programs(&self, target: &dyn Target) -> bool {
        let now = target.registers();
        now.privilege != Privilege::User
            && target.hart_state(now.hart) == HartState::Running
            && self.tap.borrow().trace().history.running_on(now.hart).is_some()
    }

    /// Complains if the machine has ended and left nothing to look at.
    pub(super) fn check_lasts(&self) -> Result<(), String> {
        match self.ended {
            Some(reason) if !reason.leaves_all() => Err(ended(reason)),
            _ => Ok(()),
        }
    }

    pub(super) fn arm(&mut self) {
        self.armed.arm(self.points.breakpoints(), &self.tap.borrow().trace().guest, &self.symbols);
        for (id, pc, satp) in self.ends_of_watches() {
            self.armed.add_end(id, pc, satp);
        }
        let depends = self.points.breakpoints().any(|(_, breakpoint)| breakpoint.depends_on_programs());
        self.tap.borrow_mut().set_wants_programs(depends);
    }

    /// Why the machine has stopped, and where.
    pub(super) fn report(&mut self, target: &dyn Target, halt: Halt) -> String {
        // It has come to no place of its own: who waits is looked at.
        let is_nowhere = match halt {
            Halt::Interrupted => true,
            Halt::Ended(reason) => reason.leaves_all(),
            _ => false,
        };
        if is_nowhere {
            self.look_at_waiting(target, self.looked_at_before);
        }
        self.note_stop(target, &halt);
        let notes = self.take_notes();
        let mut text = match halt {
            Halt::Reached => String::new(),
            Halt::Hit(hit) => {
                self.due = hit.commands.into();
                if hit.is_silent {
                    return notes;
                }
                hit.text
            }
            Halt::Signal(text) => text,
            Halt::Interrupted => {
                // Who presses Ctrl-C wants no more of what a stop has asked for.
                self.due.clear();
                "interrupted\n".to_owned()
            }
            Halt::Gone(what) => {
                return format!("{notes}step {}: {what}; `continue` runs the others on\n", target.step());
            }
            Halt::Ended(reason) => {
                let text = format!("{}step {}: {reason}\n", self.idle_watches(), target.step());
                if !reason.leaves_all() {
                    return notes + &text;
                }
                text
            }
        };
        text.insert_str(0, &notes);
        match self.at_event {
            Some((EventKind::Exit, _)) => {
                let _ = write!(text, "step {}: {}", target.step(), self.selected_text(target));
            }
            _ if is_nowhere && self.selected_thread().is_some() => {
                if self.ended.is_none() {
                    let _ = writeln!(text, "step {}: no program runs", target.step());
                }
                text.push_str(&self.selected_text(target));
            }
            _ => text.push_str(&self.location(target)),
        }
        if is_nowhere {
            text.push_str(&self.waiting(target));
        }
        text.push_str(&self.displays(target));
        text
    }
}
