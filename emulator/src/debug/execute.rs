//! Carrying out commands.

use super::breakpoints::Armed;
use super::caught::Pending;
use super::command::{Beginning, Command, Contents, Examine, RegisterSet, help, help_on};
use super::display::Displays;
use super::expression::{self, Expression, Names};
use super::listing::Listed;
use super::missed::Note;
use super::peek::{self, Files, View};
use super::points::Points;
use super::run::Until;
use super::select::{Choice, Selected};
use super::space::{AtTrap, Owner, Space};
use super::stopped::Stopped;
use super::symbols::Symbols;
use super::tap::SharedTap;
use super::target::{Place, Registers, Target};
use super::waits::Waits;
use super::{memory, registers, stack, views, walk};
use crate::machine::{HartState, StopReason};
use crate::source::{Format, Frame, Loaded, Programs};
use crate::trace::{Residence, ThreadId};
use isa::events::EventKind;
use isa::{Ppn, Privilege, Step, VirtAddr};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;
use std::rc::Rc;

/// What a command has to say.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Output {
    /// Text for the user; empty, or lines that end in a newline.
    pub text: String,
    /// Whether the session is over: `quit`.
    pub quit: bool,
    /// The program is to begin anew: [`Debugger::begin_anew`] with a new machine, [`Debugger::run_to_program`], and then the command that
    /// this names.
    pub begins_anew: Option<Beginning>,
    /// Whether the command could not be carried out, or an expectation failed: `text` says why.
    pub failed: bool,
    /// Whether that was an expectation, which ends every script.
    pub is_unexpected: bool,
}

impl Output {
    fn said(text: String) -> Self {
        Self { text, ..Self::default() }
    }
    fn of(done: Result<String, String>) -> Self {
        match done {
            Ok(text) => Self::said(text),
            Err(error) => Self { text: error + "\n", failed: true, ..Self::default() },
        }
    }
}

/// Instructions that `disas` shows of code that is no function's beginning.
const SOME_INSTRUCTIONS: u64 = 8;

/// Longest line that may be a command, in bytes.
pub const MAX_LINE_BYTES: usize = 1 << 16;

/// What a line says, if it is not longer than a command can be.
pub(super) fn parse(line: &str) -> Result<Option<Command>, String> {
    if line.len() > MAX_LINE_BYTES {
        return Err(format!("a line of more than {MAX_LINE_BYTES} bytes is no command"));
    }
    Command::parse(line)
}

/// A debugging session on one machine.
pub struct Debugger {
    pub(super) tap: SharedTap,
    pub(super) symbols: Symbols,
    /// The guest's files, for pages of theirs that are not in memory.
    pub(super) files: Files,
    /// The program that the guest will run first.
    pub(super) first_program: Option<String>,
    pub(super) points: Points,
    /// The addresses of breakpoints, as programs lie now.
    pub(super) armed: Armed,
    /// What was met while another stop was being made.
    pub(super) pending: Option<Pending>,
    /// The machine stands at an instruction at which no breakpoint has been looked for yet.
    pub(super) is_at_new_place: bool,
    /// The thread and the instruction at which an event has stopped the machine that may lead to the program's end.
    pub(super) told_refused: Option<(ThreadId, u64)>,
    /// The machine stands where this happened to this process, which a catchpoint has caught.
    pub(super) at_event: Option<(EventKind, u64)>,
    /// Signals that do not stop the machine where they end a program.
    pub(super) unstopped: BTreeSet<String>,
    /// What the next stop has to say of catchpoints that have not stopped.
    pub(super) notes: Vec<Note>,
    /// What such notes were about: catchpoint, process and symbol.
    pub(super) told_missed: BTreeSet<(u64, u64, String)>,
    /// What is to be done, since something stopped the machine for which it was asked.
    pub(super) due: VecDeque<String>,
    /// The commands that are being taken down for a point, until `end`.
    pub(super) taking_down: Option<(u64, Vec<String>)>,
    pub(super) displays: Displays,
    /// Whether the embedder can make the machine anew.
    pub(super) can_begin_anew: bool,
    /// The system calls of the guest, by number and name.
    pub(super) calls: Vec<(u64, &'static str)>,
    /// Its signals.
    pub(super) signals: Vec<(u64, &'static str)>,
    /// Whether somebody was chosen to be looked at.
    pub(super) choice: Option<Choice>,
    /// The hart that is looked at.
    pub(super) hart: usize,
    /// The registers when the machine was last resumed.
    pub(super) before: Option<Registers>,
    pub(super) next_examine: Option<(VirtAddr, Space)>,
    /// What is looked at instead of the hart: the program for which the kernel touches a page, or which it refuses one.
    pub(super) at_trap: Option<AtTrap>,
    /// The thread that was chosen to be looked at.
    pub(super) selected: Option<Selected>,
    /// That which was chosen when the machine was last resumed.
    pub(super) looked_at_before: Option<ThreadId>,
    /// The function of the stack that is looked at, by its number: 0 is the innermost.
    pub(super) frame: u64,
    /// The program of each thread as it was at its last trap, as long as traps are kept.
    pub(super) trapped: BTreeMap<ThreadId, AtTrap>,
    /// Who has called what threads end by, in a line, as far as an end is to stop the machine.
    pub(super) ending: BTreeMap<ThreadId, String>,
    /// Where threads wait that the harts have left.
    pub(super) waits: Waits,
    /// The function that was looked at when the last prompt was shown: its file, its frame, and how many that were put into it are left out.
    pub(super) seen: Option<(Loaded, Frame, usize)>,
    /// What `list` showed last.
    pub(super) listed: Option<Listed>,
    /// The program that was looked at at the last stop.
    pub(super) last_program: Option<String>,
    /// The last stop, for those who ask.
    pub(super) stopped: Option<Stopped>,
    /// Where the machine was resumed last.
    pub(super) resumed_at: Step,
    /// What the last command said.
    last_text: String,
    last_examine: Examine,
    pub(super) ended: Option<StopReason>,
    last_line: String,
}

impl Debugger {
    /// A session. `tap` hears the machine's events; `kernel` is the guest kernel's ELF.
    pub fn new(
        tap: SharedTap,
        kernel: Option<&[u8]>,
        first_program: Option<String>,
        programs: Rc<Programs>,
    ) -> Self {
        tap.borrow_mut().follow();
        let files = Files::new(Rc::clone(&programs));
        Self {
            tap,
            symbols: Symbols::new(kernel, programs),
            files,
            last_program: first_program.clone(),
            first_program,
            points: Points::default(),
            armed: Armed::default(),
            pending: None,
            is_at_new_place: false,
            told_refused: None,
            at_event: None,
            unstopped: BTreeSet::new(),
            choice: None,
            notes: Vec::new(),
            told_missed: BTreeSet::new(),
            due: VecDeque::new(),
            taking_down: None,
            displays: Displays::default(),
            can_begin_anew: false,
            calls: Vec::new(),
            signals: Vec::new(),
            hart: 0,
            before: None,
            next_examine: None,
            at_trap: None,
            selected: None,
            looked_at_before: None,
            frame: 0,
            trapped: BTreeMap::new(),
            ending: BTreeMap::new(),
            waits: Waits::default(),
            stopped: None,
            resumed_at: Step(0),
            seen: None,
            listed: None,
            last_text: String::new(),
            last_examine: Examine::default(),
            ended: None,
            last_line: String::new(),
        }
    }

    /// Tells it the system calls of the guest, by number and name.
    pub fn know_calls(&mut self, calls: impl Iterator<Item = (u64, &'static str)>) {
        self.calls = calls.collect();
    }

    /// Tells it the signals of the guest, by number and name.
    pub fn know_signals(&mut self, signals: impl Iterator<Item = (u64, &'static str)>) {
        self.signals = signals.collect();
    }

    /// Why the machine has ended, if it has.
    pub fn ended(&self) -> Option<StopReason> {
        self.ended
    }

    /// Where the machine is, as after each stop.
    pub fn location(&mut self, target: &dyn Target) -> String {
        self.hart = target.registers().hart;
        let now = self.now(target);
        let hart = if target.harts() > 1 { format!("hart {}, ", now.hart) } else { String::new() };
        let step = self.at_trap.map_or(target.step(), |at_trap| at_trap.step);
        let mut text = format!("step {step}: {hart}{}", registers::mode(now.privilege));
        let space = self.space_of(&now);
        if let Owner::Process(pid, name) = &space.owner {
            let _ = write!(text, ", process {pid} ({name})");
            let tap = self.tap.borrow();
            let has_several = tap.trace().guest.process(*pid).is_some_and(|p| p.threads.len() > 1);
            let thread = tap.trace().history.running_on(now.hart).filter(|t| has_several && t.pid == *pid);
            let _ = thread.map(|thread| write!(text, ", thread {}", thread.tid));
        }
        text.push('\n');
        text.push_str(&self.source_line(&space, now.pc));
        let symbol = self.symbol_at(&space, now.pc);
        match memory::instruction_line(&mut memory::mapped(target, &space), now.pc, symbol.as_deref()) {
            Some((line, _)) => {
                let _ = writeln!(text, "=> {line}");
            }
            None => {
                let symbol = symbol.map(|name| format!(" <{name}>")).unwrap_or_default();
                let _ = write!(text, "=> {}{symbol}: {}", now.pc, self.absent(&space)(now.pc));
                if matches!(self.residence(&space, now.pc), None | Some(Residence::Nothing(_))) {
                    text.push_str("; the fetch will raise a page fault");
                    let ra = VirtAddr(now.x[usize::from(isa::reg::RA)]);
                    let caller = self.symbol_at(&space, ra).filter(|_| ra.0 != 0);
                    let _ = caller.map(|caller| write!(text, "; ra is {ra} <{caller}>"));
                }
                text.push('\n');
            }
        }
        if let Some(at_trap) = self.at_trap {
            let _ = writeln!(
                text,
                "   the program as it was; the machine is at step {}, in the kernel, which {}",
                target.step(),
                at_trap.kernel_does()
            );
        }
        text
    }

    /// Does what the last line said once more: what an empty line means at a prompt.
    pub fn repeat(&mut self, target: &mut dyn Target) -> Output {
        let line = match Command::parse(&self.last_line) {
            Ok(Some(Command::Step(..))) => self.last_line.clone(),
            Ok(Some(Command::List(_))) => return self.execute(target, "list"),
            Ok(Some(Command::Examine(..))) => "x".to_owned(),
            _ => return Output::said(String::new()),
        };
        let (last_line, examine) = (self.last_line.clone(), self.last_examine);
        let output = if line == "x" {
            Output::of(self.examine(target, examine, None))
        } else {
            self.execute(target, &line)
        };
        self.last_line = last_line;
        output
    }

    /// Does what a line says.
    pub fn execute(&mut self, target: &mut dyn Target, line: &str) -> Output {
        self.last_line = if line.len() > MAX_LINE_BYTES { String::new() } else { line.to_owned() };
        if self.taking_down.is_some() {
            return Output::of(self.take_down(line));
        }
        self.due.clear();
        self.run_line(target, line)
    }

    /// Does the next of what was asked for at a stop, if there is more to do; to be called until there is not, after each [`Self::execute`].
    pub fn execute_due(&mut self, target: &mut dyn Target) -> Option<(String, Output)> {
        let line = self.due.pop_front()?;
        let output = self.run_line(target, &line);
        Some((line, output))
    }

    /// What to show where a line may be typed.
    pub fn prompt(&self) -> &'static str {
        if self.taking_down.is_some() { "> " } else { "(folio) " }
    }

    fn run_line(&mut self, target: &mut dyn Target, line: &str) -> Output {
        let done = match parse(line) {
            Ok(None) => Ok(String::new()),
            Ok(Some(Command::Quit)) => return Output { quit: true, ..Output::said(String::new()) },
            Ok(Some(Command::Begin(beginning))) if self.can_begin_anew => {
                return Output { begins_anew: Some(beginning), ..Output::default() };
            }
            Ok(Some(Command::Expect(text))) => {
                let output = Output::of(self.expect(&text));
                return Output { is_unexpected: output.failed, ..output };
            }
            Ok(Some(command)) => self.run_command(target, command),
            Err(error) => Err(error),
        };
        let output = Output::of(done);
        self.last_text.clone_from(&output.text);
        output
    }

    /// Runs to the first instruction of the first program.
    pub fn run_to_program(&mut self, target: &mut dyn Target) -> Output {
        let mut reached = |place: &Place| place.privilege == Privilege::User;
        let halt = self.resume(target, Until::Condition(&mut reached));
        self.watch_anew(target);
        // Nothing has changed yet for those who come to look.
        self.before = None;
        Output::of(halt.map(|halt| self.report(target, halt)))
    }

    /// Whether the last command has said this.
    fn expect(&self, text: &str) -> Result<String, String> {
        if self.last_text.contains(text) {
            return Ok(String::new());
        }
        Err(format!("`{text}` was expected of the command before, and it has not said so"))
    }

    pub(super) fn run_command(
        &mut self,
        target: &mut dyn Target,
        command: Command,
    ) -> Result<String, String> {
        target.look_at(self.hart);
        match command {
            Command::Step(kind, count) => self.steps(target, kind, count),
            Command::Begin(_) => Err("nothing is known here of how the machine began".to_owned()),
            Command::Continue => {
                let halt = self.resume(target, Until::Ever)?;
                Ok(self.report(target, halt))
            }
            Command::Until(step) => {
                if Step(step) <= target.step() {
                    return Err(format!(
                        "step {step} has passed; the machine is at step {} (`advance {step}` is for a line)",
                        target.step()
                    ));
                }
                let halt = self.resume(target, Until::Step(Step(step)))?;
                Ok(self.report(target, halt))
            }
            Command::Advance(at) => self.advance(target, &at),
            Command::Finish => self.finish(target),
            Command::Stop(command) => self.run_stop_command(target, command),
            Command::Display(None) => Ok(self.list_displays()),
            Command::Display(Some((text, shown, at))) => self.add_display(target, text, shown, at),
            Command::Undisplay(id) => self.remove_display(id),
            Command::Regs(set) => {
                self.check_registers()?;
                if let Some((frame, _)) = self.chosen_frame(target).filter(|(frame, _)| !frame.is_exact) {
                    return match set {
                        RegisterSet::Csr => Ok(registers::csrs(target)),
                        RegisterSet::Integer | RegisterSet::Float => {
                            Ok(registers::of_caller(&frame, set == RegisterSet::Float))
                        }
                        RegisterSet::All => {
                            Ok(registers::of_caller(&frame, false) + &registers::of_caller(&frame, true))
                        }
                        RegisterSet::Named(names) => registers::some_of_caller(target, &frame, &names),
                    };
                }
                let now = self.now(target);
                // Of a thread that was chosen nothing is known to have changed.
                let before =
                    self.before.filter(|b| b.hart == now.hart && self.selected.is_none()).unwrap_or(now);
                match set {
                    RegisterSet::Integer => Ok(registers::integer(&now, &before)),
                    RegisterSet::Float => Ok(registers::float(&now, &before)),
                    RegisterSet::All => {
                        Ok(registers::integer(&now, &before) + &registers::float(&now, &before))
                    }
                    RegisterSet::Csr => Ok(registers::csrs(target)),
                    RegisterSet::Named(names) => registers::some(target, &now, &names),
                }
            }
            Command::Examine(examine, at) => self.examine(target, examine, at),
            Command::ContinuePast(count) => self.continue_past(target, count),
            Command::Backtrace { most, is_outermost, is_full } => {
                self.check_page_table()?;
                self.check_registers()?;
                self.backtrace(target, most.unwrap_or(stack::SHOWN), is_outermost, is_full)
            }
            Command::Define(of) => self.define(target, &of),
            Command::Print(at, format) => self.print(target, &at, format),
            Command::Frame(choice) => {
                self.check_page_table()?;
                self.check_registers()?;
                self.choose_frame(target, choice)
            }
            Command::Variables(which) => {
                self.check_page_table()?;
                self.variables(target, which)
            }
            Command::List(what) => self.list(target, what),
            Command::Line(at) => self.line(target, at),
            Command::Symbols(kind, word) => self.list_symbols(target, kind, &word),
            Command::Disas { at, count } => self.disassemble(target, at, count),
            Command::Walk(at) => {
                let (va, space) = self.locate(target, at)?;
                Ok(walk::tell(target, &space, va))
            }
            Command::Tlb(None) => Ok(views::tlb(target, self.now(target).satp.asid(), None)),
            Command::Tlb(at) => {
                let (va, space) = self.locate(target, at)?;
                Ok(views::tlb(target, space.satp.asid(), Some(va)))
            }
            Command::Frames(first) => {
                Ok(views::frames(&self.tap.borrow().trace().guest, Ppn(first.unwrap_or(0))))
            }
            Command::Maps(pid) => {
                let pid = self.process_or_current(target, pid)?;
                views::maps(&self.tap.borrow().trace().guest, pid)
            }
            Command::Hart(None) => Ok(self.list_harts(target)),
            Command::Hart(Some(hart)) => {
                let hart = usize::try_from(hart).ok().filter(|&hart| hart < target.harts());
                let hart = hart.ok_or_else(|| match target.harts() {
                    1 => "the machine has one hart: 0".to_owned(),
                    harts => format!("the machine has harts 0 to {}", harts - 1),
                })?;
                target.look_at(hart);
                (self.selected, self.choice) = (None, None);
                self.frame = 0;
                Ok(self.location(target))
            }
            Command::Select { pid, tid } => self.select(target, pid, tid),
            Command::WhichThread => Ok(self.which_thread(target)),
            Command::Apply { tids, line } => self.apply(target, tids, &line),
            Command::PageTable(pid) => self.page_table(target, pid),
            Command::WhatIs(at) => self.whatis(target, &at),
            Command::Swap { from, most } => Ok(self.swap(from, most)),
            Command::Ps => Ok(self.list_processes(target)),
            Command::Explain(None) => self.explain(target),
            Command::Explain(Some(at)) => self.explain_address(target, at),
            Command::Help(None) => Ok(help()),
            Command::Help(Some(name)) => help_on(&name),
            Command::Quit | Command::Expect(_) => unreachable!("`execute` has seen to it"),
        }
    }

    /// A line for each hart; the one looked at is marked.
    fn list_harts(&mut self, target: &mut dyn Target) -> String {
        let mut text = String::new();
        for hart in 0..target.harts() {
            target.look_at(hart);
            let now = target.registers();
            let mark = if hart == self.hart { '*' } else { ' ' };
            let state = match target.hart_state(hart) {
                HartState::Running => "runs next",
                HartState::Ready => "ready",
                HartState::Waiting => "waits",
                HartState::Stopped => "stopped",
            };
            let mode = registers::mode(now.privilege);
            let space = self.space_of(&now);
            let symbol = self.symbol_at(&space, now.pc).map(|name| format!(" <{name}>")).unwrap_or_default();
            let process = self.current_process(&now);
            let process = process.map(|(pid, name)| format!(", process {pid} ({name})")).unwrap_or_default();
            let _ = writeln!(text, "{mark} hart {hart}  {state:<9}  {mode:<15}  {}{symbol}{process}", now.pc);
        }
        target.look_at(self.hart);
        text
    }

    fn examine(
        &mut self,
        target: &dyn Target,
        examine: Examine,
        at: Option<Expression>,
    ) -> Result<String, String> {
        let examine = self.sized(target, examine, at.as_ref());
        let (text, next) = self.examine_at(target, examine, at)?;
        self.next_examine = Some(next);
        self.last_examine = examine;
        Ok(text)
    }

    /// The instructions of a function that is named, or some from an address on.
    fn disassemble(
        &mut self,
        target: &dyn Target,
        at: Option<Expression>,
        count: Option<u64>,
    ) -> Result<String, String> {
        let is_named = at.is_some();
        let (va, space) = self.locate(target, at)?;
        let whose = space.process().filter(|_| is_named);
        let function = self.looking(target, |from| from.symbol_at(va.0, whose));
        let function = function.filter(|range| is_named && range.start == va.0);
        let (text, _) = self.with_reader(target, &space, |this, read| {
            let of_function = || Some(memory::instructions_in(read, function?)).filter(|count| *count > 0);
            let count = count.or_else(of_function).unwrap_or(SOME_INSTRUCTIONS);
            let absent = this.absent(&space);
            memory::instructions(&space, va, count, read, absent, |va| this.symbol_at(&space, va))
        });
        Ok(text)
    }

    /// What is made of memory, with notes of pages that are not in memory; and where it goes on.
    fn with_reader(
        &self,
        target: &dyn Target,
        space: &Space,
        make: impl FnOnce(&Self, memory::Read<'_>) -> (String, VirtAddr),
    ) -> (String, VirtAddr) {
        let mut notes = peek::Notes::default();
        let (mut text, end) = make(self, &mut |at, into: &mut [u8]| {
            let tap = self.tap.borrow();
            let view = View { memory: target, trace: tap.trace(), files: &self.files };
            notes.read(&view, space, at, into)
        });
        text.push_str(&notes.text());
        (text, end)
    }

    /// The same, with the size of the numbers that an address is of; where it goes on, the size that was shown before.
    fn sized(&self, target: &dyn Target, examine: Examine, at: Option<&Expression>) -> Examine {
        if examine.contents != Contents::Floats {
            return examine;
        }
        let value = |at: &Expression| self.looking(target, |from| expression::value(at.node(), from)).ok();
        let bytes = match at {
            Some(at) => value(at).and_then(|value| value.type_.float_bytes()),
            None => Some(self.last_examine.size_bytes).filter(|&bytes| matches!(bytes, 4 | 8)),
        };
        let contents = Contents::Values(Format::Float);
        Examine { contents, size_bytes: bytes.unwrap_or(examine.size_bytes), ..examine }
    }

    /// What memory holds, and where it goes on.
    pub(super) fn examine_at(
        &mut self,
        target: &dyn Target,
        examine: Examine,
        at: Option<Expression>,
    ) -> Result<(String, (VirtAddr, Space)), String> {
        let examine = self.sized(target, examine, at.as_ref());
        // A text of C++'s has its letters elsewhere.
        let letters = at.as_ref().filter(|_| examine.contents == Contents::Values(Format::Text));
        let letters =
            letters.and_then(|at| self.looking(target, |from| expression::letters(at.node(), from)));
        let (va, space) = match (at, self.next_examine.clone()) {
            (None, Some(next)) => next,
            (at, _) => self.locate(target, at)?,
        };
        let va = letters.map_or(va, VirtAddr);
        let (text, end) = self.with_reader(target, &space, |this, read| {
            let absent = this.absent(&space);
            memory::examine(&space, va, examine, read, absent, |va| this.symbol_at(&space, va))
        });
        Ok((text, (end, space)))
    }
}
