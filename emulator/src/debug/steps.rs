//! `step`, `next`, `stepi` and `nexti`.
//!
//! Whose registers are looked at is stepped. Who looks at a program stays with it: the kernel runs until the thread goes on in its program or
//! has ended, also where the machine stands in the kernel at that moment (a system call that was caught, a signal that ends the
//! program). `stepi` alone steps the machine.

use super::command::StepKind;
use super::execute::Debugger;
use super::lines::{Last, LineStep};
use super::memory;
use super::run::{Halt, Until};
use super::space::{Space, loaded_at};
use super::symbols::Symbols;
use super::tap::SharedTap;
use super::target::{Place, Registers, Target};
use crate::trace::ThreadId;
use isa::events::EventKind;
use isa::{Op, Privilege, VirtAddr, decode};
use std::ops::Range;

/// Who is stepped: a thread's program, or what a hart does in the kernel.
pub(super) struct Stepped {
    tap: SharedTap,
    /// The registers at the beginning.
    pub(super) start: Registers,
    /// The thread, if it is in its program.
    thread: Option<ThreadId>,
}

impl Stepped {
    /// Whether a place is one of who is stepped.
    pub(super) fn is_here(&self, place: &Place) -> bool {
        let runs = || self.tap.borrow().trace().history.running_on(place.hart);
        place.privilege == self.start.privilege
            && match place.privilege {
                // The kernel keeps its own addresses in every address space.
                Privilege::Supervisor | Privilege::Machine => place.hart == self.start.hart,
                // The threads of a process share its addresses.
                Privilege::User => {
                    place.satp == self.start.satp && self.thread.is_none_or(|thread| runs() == Some(thread))
                }
            }
    }
}

/// A run to code whose line is known.
struct ToALine {
    tap: SharedTap,
    symbols: Symbols,
    space: Space,
    /// Whoever has less stack than this is called by code whose line is to be come to.
    least_sp: u64,
    /// Code of which no line is known.
    without: Range<u64>,
    last: Last,
    /// The stack behind a signal's handler that runs.
    handler: Option<u64>,
}

impl ToALine {
    /// Whether the step ends before the instruction at this place, the next one of who is stepped.
    fn reached(&mut self, place: &Place) -> bool {
        let last = std::mem::replace(&mut self.last, Last::at(place));
        self.handler = self.handler.filter(|&sp| place.sp != sp).or_else(|| last.sp_behind_handler(place));
        let is_called = self.handler.is_some() || place.sp < self.least_sp;
        !is_called && !self.without.contains(&place.pc.0) && self.has_line(place.pc)
    }

    /// Whether the line of an address is known.
    fn has_line(&mut self, pc: VirtAddr) -> bool {
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let vma = self.space.process().and_then(|pid| guest.vma_at(pid, pc));
        let (mut before, mut behind) = vma.map_or((0, 1), |vma| (pc.0 - vma.start.0, vma.end.0 - pc.0));
        let loaded = loaded_at(&self.symbols, guest, &self.space, pc);
        if let Some((lines, bias)) =
            loaded.as_ref().and_then(|loaded| Some((loaded.file.lines()?, loaded.bias)))
        {
            let at = pc.0.wrapping_sub(bias);
            let Some(gap) = lines.without_line(at) else { return true };
            (before, behind) = (before.min(at - gap.start), behind.min(gap.end - at));
        }
        self.without = pc.0 - before..pc.0.saturating_add(behind);
        false
    }
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
        let before = self.now(target);
        for _ in 0..count {
            halt = match kind {
                StepKind::Instruction => self.resume(target, Until::OneInstruction)?,
                StepKind::OverInstruction => self.follow(target, Self::next_once)?,
                StepKind::Line | StepKind::OverLine | StepKind::PastLine => {
                    self.follow(target, |this, target, who| this.line_once(target, who, kind))?
                }
            };
            if !matches!(halt, Halt::Reached) {
                break;
            }
        }
        self.before = Some(before);
        Ok(self.report(target, halt))
    }

    /// Runs the machine for who is looked at, whose end is waited for, too; with the first process the machine itself ends.
    pub(super) fn follow(
        &mut self,
        target: &mut dyn Target,
        run: impl FnOnce(&mut Self, &mut dyn Target, &Stepped) -> Result<Halt, String>,
    ) -> Result<Halt, String> {
        if let Some((EventKind::Exit, pid)) = self.at_event {
            return Err(format!(
                "process {pid} has ended: `continue` lets the machine run on, `stepi` steps the kernel"
            ));
        }
        self.check_page_table()?;
        let start = self.now(target);
        let tap = self.tap.clone();
        let running = self.selected_thread().or(tap.borrow().trace().history.running_on(start.hart));
        let thread = running.filter(|_| start.privilege == Privilege::User);
        tap.borrow_mut().set_awaited(thread);
        let halt = run(self, target, &Stepped { tap: tap.clone(), start, thread });
        tap.borrow_mut().set_awaited(None);
        halt
    }

    /// A step to another line of the source; where the line is not known to one that is, or of one instruction if the program has none.
    fn line_once(&mut self, target: &mut dyn Target, who: &Stepped, kind: StepKind) -> Result<Halt, String> {
        let is_over = kind != StepKind::Line;
        let place = who.start.place(target.step());
        let space = self.space_of(&who.start);
        let step =
            self.loaded_at(&space, place.pc).and_then(|loaded| LineStep::from(&place, loaded, is_over));
        let is_onwards = kind == StepKind::PastLine;
        match step.map(|step| if is_onwards { step.onwards() } else { step }) {
            Some(mut step) => {
                let mut reached = |place: &Place| who.is_here(place) && step.reached(place);
                self.resume(target, Until::Condition(&mut reached))
            }
            None if self.has_lines(&space) => self.run_to_a_line(target, who, space, is_over),
            None if is_over || !is_machines(target, who) => self.next_once(target, who),
            None => self.resume(target, Until::OneInstruction),
        }
    }

    /// Whether lines of the source are known of the program of an address space, or of a library of its.
    fn has_lines(&self, space: &Space) -> bool {
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let process = space.process().and_then(|pid| guest.process(pid));
        process.is_some_and(|process| {
            self.symbols.all_loaded(guest, process).iter().any(|loaded| loaded.file.lines().is_some())
        })
    }

    /// Runs to code whose line is known: out of a library, or from start-up code to where the program begins. A function that is come to
    /// at its beginning is run to its body. What a library calls is passed with `is_over`.
    fn run_to_a_line(
        &mut self,
        target: &mut dyn Target,
        who: &Stepped,
        space: Space,
        is_over: bool,
    ) -> Result<Halt, String> {
        let callers = if is_over { self.stack(target) } else { Vec::new() };
        let caller = callers.iter().find(|caller| caller.spot.source.is_some());
        let mut to = ToALine {
            tap: self.tap.clone(),
            symbols: self.symbols.clone(),
            space: space.clone(),
            least_sp: caller.and_then(|caller| caller.frame.x[usize::from(isa::reg::SP)]).unwrap_or(0),
            without: 0..0,
            last: Last::at(&who.start.place(target.step())),
            handler: None,
        };
        let mut reached = |place: &Place| who.is_here(place) && to.reached(place);
        let halt = self.resume(target, Until::Condition(&mut reached))?;
        let pc = target.registers().pc;
        let loaded = self.loaded_at(&space, pc).filter(|_| matches!(halt, Halt::Reached));
        let body = loaded.and_then(|loaded| {
            let body = loaded.file.body_of(pc.0.wrapping_sub(loaded.bias))?;
            Some(body.wrapping_add(loaded.bias))
        });
        match body.filter(|&body| body != pc.0) {
            Some(body) => {
                let mut reached = |place: &Place| who.is_here(place) && place.pc.0 == body;
                self.resume(target, Until::Condition(&mut reached))
            }
            None => Ok(halt),
        }
    }

    /// One instruction, or the call, the system call or the fault that it is to its return.
    fn next_once(&mut self, target: &mut dyn Target, who: &Stepped) -> Result<Halt, String> {
        let start = &who.start;
        let mut call = None;
        if is_machines(target, who) {
            call = memory::instruction(&mut memory::mapped(target, &self.space_of(start)), start.pc)
                .and_then(|(bits, len)| {
                    let insn = decode(bits)?;
                    let calls = matches!(insn.op, Op::Jal | Op::Jalr) && insn.rd == isa::reg::RA;
                    calls.then_some(start.pc.wrapping_add(u64::from(len)))
                });
            let first = self.resume(target, Until::OneInstruction)?;
            let is_done = call.is_none() && who.is_here(&target.registers().place(target.step()));
            if is_done || !matches!(first, Halt::Reached) {
                return Ok(first);
            }
        }
        let sp = start.x[usize::from(isa::reg::SP)];
        let mut returned = |place: &Place| {
            who.is_here(place)
                && match call {
                    Some(after) => place.pc == after && place.sp == sp,
                    // After a fault the same instruction runs again first.
                    None => place.pc != start.pc,
                }
        };
        self.resume(target, Until::Condition(&mut returned))
    }
}

/// Whether the machine stands where who is stepped does, and not in the kernel.
fn is_machines(target: &dyn Target, who: &Stepped) -> bool {
    target.registers() == who.start
}
