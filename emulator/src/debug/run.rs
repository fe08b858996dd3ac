//! Running the machine: `step`, `next`, `continue`, `until`, and why it has stopped.

use super::command::StepKind;
use super::execute::Debugger;
use super::lines::LineStep;
use super::memory;
use super::space::AtTrap;
use super::target::{Place, Stop, Target};
use crate::machine::{HartState, StopReason};
use crate::trace::{Event, ProcessView, ThreadId};
use isa::events::{EventKind, SignalTold};
use isa::{Op, Privilege, Step, decode};
use std::collections::BTreeMap;

/// Why a resumed machine has stopped.
pub(super) enum Halt {
    Reached,
    Breakpoint(u64),
    Caught(u64, Event),
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
    /// Nothing.
    Ever,
}

impl Debugger {
    /// Takes `count` steps of a kind, as long as nothing else stops the machine.
    pub(super) fn steps(
        &mut self,
        target: &mut dyn Target,
        kind: StepKind,
        count: u64,
    ) -> Result<String, String> {
        let mut halt = Halt::Reached;
        let before = target.registers();
        for _ in 0..count {
            halt = match kind {
                StepKind::Instruction => self.resume(target, Until::OneInstruction)?,
                StepKind::OverInstruction => self.next_once(target)?,
                StepKind::Line => self.line_once(target, false)?,
                StepKind::OverLine => self.line_once(target, true)?,
            };
            if !matches!(halt, Halt::Reached) {
                break;
            }
        }
        self.before = Some(before);
        Ok(self.report(target, halt))
    }

    /// A step to another line of the source; of one instruction where the line is not known.
    fn line_once(&mut self, target: &mut dyn Target, is_over: bool) -> Result<Halt, String> {
        let now = target.registers();
        let place = now.place(target.step());
        let space = self.space_of(&now);
        let step = self.loaded_at(&space, now.pc).and_then(|loaded| LineStep::from(&place, loaded, is_over));
        let Some(mut step) = step else {
            return if is_over { self.next_once(target) } else { self.resume(target, Until::OneInstruction) };
        };
        let tap = self.tap.clone();
        let running = tap.borrow().trace().history.running_on(now.hart);
        let followed = running.filter(|_| now.privilege == Privilege::User);
        // The threads of a process share its addresses; one that has ended comes to no other line.
        let is_followed = |place: &Place| {
            followed.is_none_or(|thread| tap.borrow().trace().history.running_on(place.hart) == Some(thread))
        };
        let has_ended = || {
            let is_alive = |pid| tap.borrow().trace().guest.process(pid).is_some_and(ProcessView::is_alive);
            followed.is_some_and(|thread| !is_alive(thread.pid))
        };
        let mut was_here = true;
        let mut reached = |place: &Place| {
            let is_here = step.is_here(place);
            let has_changed = std::mem::replace(&mut was_here, is_here) != is_here;
            has_changed && has_ended() || step.reached(place) && is_followed(place)
        };
        self.resume(target, Until::Condition(&mut reached))
    }

    fn next_once(&mut self, target: &mut dyn Target) -> Result<Halt, String> {
        let start = target.registers();
        let call = memory::instruction(target, &self.space_of(&start), start.pc).and_then(|(bits, len)| {
            let insn = decode(bits)?;
            let calls = matches!(insn.op, Op::Jal | Op::Jalr) && insn.rd == isa::reg::RA;
            calls.then_some(start.pc.wrapping_add(u64::from(len)))
        });
        // The kernel keeps its own addresses in every address space; a process may come back on another hart.
        let same_mode = |hart: usize, privilege: Privilege, satp| {
            privilege == start.privilege
                && match privilege {
                    Privilege::User => satp == start.satp,
                    Privilege::Supervisor | Privilege::Machine => hart == start.hart,
                }
        };
        let first = self.resume(target, Until::OneInstruction)?;
        let now = target.registers();
        if !matches!(first, Halt::Reached) || call.is_none() && same_mode(now.hart, now.privilege, now.satp) {
            return Ok(first);
        }
        let sp = start.x[usize::from(isa::reg::SP)];
        let mut returned = |place: &Place| {
            same_mode(place.hart, place.privilege, place.satp)
                && match call {
                    Some(after) => place.pc == after && place.sp == sp,
                    // After a fault the same instruction runs again first.
                    None => place.pc != start.pc,
                }
        };
        self.resume(target, Until::Condition(&mut returned))
    }

    /// Runs the machine until `until`, a breakpoint, a catchpoint, Ctrl-C or its end.
    pub(super) fn resume(&mut self, target: &mut dyn Target, mut until: Until<'_>) -> Result<Halt, String> {
        if let Some(ended) = self.ended {
            return Err(format!("the machine has ended: {}", ended));
        }
        let caught = self.tap.borrow_mut().take_caught();
        if let Some((id, event)) = caught {
            self.look_at_program(target, &event);
            return Ok(Halt::Caught(id, event));
        }
        if matches!(until, Until::OneInstruction) && target.hart_state(self.hart) == HartState::Stopped {
            return Err(format!("hart {} is stopped: it runs when another hart starts it", self.hart));
        }
        self.before = Some(self.now(target));
        self.next_examine = None;
        self.at_trap = None;
        target.look_at(target.next_hart());
        let first = target.registers().place(target.step());
        let stepping = self.hart;
        let (mut begun, mut same_instruction) = (None, true);
        // With catchpoints, each trap out of a program is a short stop: its registers are kept, for the case that what it
        // wanted is refused.
        let keeps_traps = self.tap.borrow().has_catches();
        let mut in_program: BTreeMap<usize, bool> = BTreeMap::new();
        loop {
            if target.take_interrupt() {
                return Ok(Halt::Interrupted);
            }
            self.arm();
            let (mut hit, mut stopped_on) = (None, None);
            let (mut trapped, mut wanted) = (false, false);
            let breakpoints = &self.breakpoints;
            let end = if let Until::Step(step) = until { step } else { Step(u64::MAX) };
            let stop = match &mut until {
                Until::Ever | Until::Step(_) if breakpoints.nothing_armed() && !keeps_traps => {
                    target.run(end, None)
                }
                until => target.run(
                    end,
                    Some(&mut |place| {
                        if place.hart == stepping {
                            begun.get_or_insert(place.step);
                        }
                        let in_user = place.privilege == Privilege::User;
                        trapped =
                            in_program.insert(place.hart, in_user) == Some(true) && !in_user && keeps_traps;
                        // The instruction at which the machine stands has been stopped at already; should
                        // it fault and run again, it is still the same.
                        if *place == first {
                            return false;
                        }
                        let context = |place: &Place| (place.hart, place.privilege, place.satp);
                        if context(place) == context(&first) {
                            same_instruction &= place.pc == first.pc;
                            if same_instruction && !matches!(until, Until::OneInstruction) {
                                return trapped;
                            }
                        }
                        hit = breakpoints.at(place);
                        let stops = hit.is_some()
                            || match until {
                                // Not by steps: idle time before an instruction counts as steps too.
                                Until::OneInstruction => {
                                    place.hart == stepping && begun.is_some_and(|begun| place.step > begun)
                                }
                                Until::Condition(reached) => reached(place),
                                Until::Step(_) | Until::Ever => false,
                            };
                        wanted = stops;
                        stopped_on = (stops || trapped).then_some(place.hart);
                        stops || trapped
                    }),
                ),
            };
            self.hart = stopped_on.unwrap_or(target.next_hart());
            target.look_at(self.hart);
            self.note_switches(target);
            if trapped && stop == Stop::Before {
                let thread = self.tap.borrow().trace().history.running_on(self.hart);
                self.trapped.extend(thread.zip(AtTrap::of(target)));
                if !wanted {
                    continue;
                }
            }
            return Ok(match (stop, hit) {
                (Stop::Before, Some(id)) => Halt::Breakpoint(id),
                (Stop::Reached, _) => {
                    let place = target.registers().place(target.step());
                    match self.breakpoints.at(&place).filter(|_| place != first) {
                        Some(id) => Halt::Breakpoint(id),
                        None => Halt::Reached,
                    }
                }
                (Stop::Before, None) => Halt::Reached,
                (Stop::Interrupted, _) => Halt::Interrupted,
                (Stop::Ended(reason), _) => {
                    self.ended = Some(reason);
                    Halt::Ended(reason)
                }
                (Stop::Event, _) => {
                    let caught = self.tap.borrow_mut().take_caught();
                    match caught {
                        Some((id, event)) => {
                            self.look_at_program(target, &event);
                            Halt::Caught(id, event)
                        }
                        // Programs or mappings have changed: breakpoints are looked at anew.
                        None if matches!(until, Until::OneInstruction) => Halt::Reached,
                        None => continue,
                    }
                }
            });
        }
    }

    /// After a fault that was caught: looks at the program, which runs again soon, or was refused.
    fn look_at_program(&mut self, target: &mut dyn Target, event: &Event) {
        let refused =
            matches!(event.kind(), Some(EventKind::Protection | EventKind::Segv | EventKind::Signal));
        if !refused && !event.kernel_copy() {
            return self.return_to_user(target);
        }
        let thread = ThreadId { pid: event.record.pid, tid: event.record.tid };
        let program = self.trapped.get(&thread).copied();
        let program = program.map(|program| AtTrap { is_refused: refused, ..program });
        self.at_trap = program.filter(|program| program.registers.hart == self.hart);
    }

    /// After a page fault that was resolved for the program itself: runs on to the instruction that faulted, unless
    /// a breakpoint comes first, or another catchpoint, which is then told of by the next command that runs the machine.
    fn return_to_user(&mut self, target: &mut dyn Target) {
        let satp = target.registers().satp;
        loop {
            self.arm();
            let breakpoints = &self.breakpoints;
            let mut returned = |place: &Place| {
                place.privilege == Privilege::User && place.satp == satp || breakpoints.at(place).is_some()
            };
            let stop = target.run(Step(u64::MAX), Some(&mut returned));
            self.hart = target.next_hart();
            target.look_at(self.hart);
            self.note_switches(target);
            match stop {
                Stop::Event if !self.tap.borrow().has_caught() => {}
                Stop::Ended(reason) => return self.ended = Some(reason),
                _ => return,
            }
        }
    }

    pub(super) fn arm(&mut self) {
        self.breakpoints.arm(&self.tap.borrow().trace().guest, &self.symbols);
        self.tap.borrow_mut().set_wants_programs(self.breakpoints.depend_on_programs());
    }

    /// Why the machine has stopped, and where.
    pub(super) fn report(&mut self, target: &dyn Target, halt: Halt) -> String {
        let is_interrupted = matches!(halt, Halt::Interrupted);
        let mut text = match halt {
            Halt::Reached => String::new(),
            Halt::Breakpoint(id) => {
                let what = self.breakpoints.count_hit(id).map_or(String::new(), |b| b.text.clone());
                format!("breakpoint {id}: {what}\n")
            }
            Halt::Caught(id, event) => {
                let record = &event.record;
                let (what, va) = match SignalTold::read(record) {
                    Some(told) => (format!("signal {}", told.signal), told.value),
                    None => (event.kind().map_or("", |kind| kind.name()).to_owned(), record.va),
                };
                format!(
                    "catchpoint {id}: {what} at {va:#x} in process {} (`explain` tells more)\n",
                    record.pid
                )
            }
            Halt::Interrupted => "interrupted\n".to_owned(),
            Halt::Ended(reason) => {
                return format!("step {}: {}\n", target.step(), reason);
            }
        };
        text.push_str(&self.location(target));
        if is_interrupted {
            text.push_str(&self.waiting(target));
        }
        text
    }
}
