//! Carrying out commands.

use super::breakpoints::{Breakpoints, Where};
use super::command::{Command, Examine, RegisterSet, help, help_on};
use super::expression::{Expression, Operand};
use super::run::Until;
use super::symbols::Symbols;
use super::tap::SharedTap;
use super::target::{Registers, Target};
use super::{ProgramFiles, memory, registers, views, walk};
use crate::machine::{HartState, StopReason};
use isa::{Ppn, Step, VirtAddr};
use std::fmt::Write;

/// What a command has to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Output {
    /// Text for the user; empty, or lines that end in a newline.
    pub text: String,
    /// Whether the session is over: `quit`.
    pub quit: bool,
}

/// A debugging session on one machine.
pub struct Debugger {
    pub(super) tap: SharedTap,
    pub(super) symbols: Symbols,
    /// The program that the guest will run first.
    pub(super) first_program: Option<String>,
    pub(super) breakpoints: Breakpoints,
    pub(super) next_id: u64,
    /// The hart that is looked at.
    pub(super) hart: usize,
    /// The registers when the machine was last resumed.
    pub(super) before: Option<Registers>,
    pub(super) next_examine: Option<VirtAddr>,
    last_examine: Examine,
    pub(super) ended: Option<StopReason>,
    last_line: String,
}

impl Debugger {
    /// A session. `tap` hears the machine's events; `kernel` is the guest kernel's ELF; `files` gives programs by their paths.
    pub fn new(
        tap: SharedTap,
        kernel: Option<&[u8]>,
        first_program: Option<String>,
        files: ProgramFiles,
    ) -> Self {
        Self {
            tap,
            symbols: Symbols::new(kernel, files),
            first_program,
            breakpoints: Breakpoints::default(),
            next_id: 1,
            hart: 0,
            before: None,
            next_examine: None,
            last_examine: Examine::default(),
            ended: None,
            last_line: String::new(),
        }
    }

    /// Why the machine has ended, if it has.
    pub fn ended(&self) -> Option<StopReason> {
        self.ended
    }

    /// Where the machine is, as after each stop.
    pub fn location(&mut self, target: &dyn Target) -> String {
        let now = target.registers();
        self.hart = now.hart;
        let hart = if target.harts() > 1 { format!("hart {}, ", now.hart) } else { String::new() };
        let mut text = format!("step {}: {hart}{}", target.step(), registers::mode(now.privilege));
        let process = self.current_process(&now);
        if let Some((pid, name)) = &process {
            let _ = write!(text, ", process {pid} ({name})");
        }
        text.push('\n');
        let symbol = self.symbol_at(&now, now.pc);
        match memory::instruction_line(target, now.pc, symbol.as_deref()) {
            Some((line, _)) => {
                let _ = writeln!(text, "=> {line}");
            }
            None => {
                let _ = writeln!(text, "=> {}: not mapped: the fetch will raise a page fault", now.pc);
            }
        }
        text
    }

    /// Does what the last line said once more: what an empty line means at a prompt.
    pub fn repeat(&mut self, target: &mut dyn Target) -> Output {
        let line = match Command::parse(&self.last_line) {
            Ok(Some(Command::Step(_) | Command::Next(_))) => self.last_line.clone(),
            Ok(Some(Command::Examine(..))) => "x".to_owned(),
            _ => return Output { text: String::new(), quit: false },
        };
        let (last_line, examine) = (self.last_line.clone(), self.last_examine);
        let output = if line == "x" {
            let text = self.examine(target, examine, None).unwrap_or_else(|error| error + "\n");
            Output { text, quit: false }
        } else {
            self.execute(target, &line)
        };
        self.last_line = last_line;
        output
    }

    /// Does what a line says.
    pub fn execute(&mut self, target: &mut dyn Target, line: &str) -> Output {
        self.last_line = line.to_owned();
        let done = match Command::parse(line) {
            Ok(None) => Ok(String::new()),
            Ok(Some(Command::Quit)) => return Output { text: String::new(), quit: true },
            Ok(Some(command)) => self.run_command(target, command),
            Err(error) => Err(error),
        };
        Output { text: done.unwrap_or_else(|error| error + "\n"), quit: false }
    }

    fn run_command(&mut self, target: &mut dyn Target, command: Command) -> Result<String, String> {
        target.look_at(self.hart);
        match command {
            Command::Step(count) => self.step(target, count),
            Command::Next(count) => self.next(target, count),
            Command::Continue => {
                let halt = self.resume(target, Until::Ever)?;
                Ok(self.report(target, halt))
            }
            Command::Until(step) => {
                if Step(step) <= target.step() {
                    return Err(format!("step {step} has passed; the machine is at step {}", target.step()));
                }
                let halt = self.resume(target, Until::Step(Step(step)))?;
                Ok(self.report(target, halt))
            }
            Command::Break { at: None, .. } => Ok(self.list_stops()),
            Command::Break { at: Some(at), pid } => self.add_breakpoint(target, &at, pid),
            Command::Delete(id) => self.delete(id),
            Command::Catch(None) => Ok(self.list_stops()),
            Command::Catch(Some(filter)) => Ok(self.add_catch(filter)),
            Command::Regs(set) => {
                let now = target.registers();
                let before = self.before.filter(|before| before.hart == now.hart).unwrap_or(now);
                Ok(match set {
                    RegisterSet::Integer => registers::integer(&now, &before),
                    RegisterSet::Float => registers::float(&now, &before),
                    RegisterSet::Csr => registers::csrs(target),
                })
            }
            Command::Examine(examine, at) => self.examine(target, examine, at),
            Command::Disas { at, count } => {
                let va = self.address(target, at)?;
                let now = target.registers();
                Ok(memory::instructions(target, va, count, |va| self.symbol_at(&now, va)).0)
            }
            Command::Walk(at) => Ok(walk::tell(target, self.address(target, at)?)),
            Command::Tlb(at) => {
                let va = at.map(|at| self.address(target, Some(at))).transpose()?;
                Ok(views::tlb(target, va))
            }
            Command::Frames(first) => {
                Ok(views::frames(&self.tap.borrow().trace().guest, Ppn(first.unwrap_or(0))))
            }
            Command::Maps(pid) => {
                let current = self.current_process(&target.registers()).map(|(pid, _)| pid);
                let pid = pid.or(current).ok_or("no process runs now: give a PID (`ps` lists them)")?;
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
                Ok(self.location(target))
            }
            Command::Ps => Ok(views::processes(&self.tap.borrow().trace().guest)),
            Command::Explain => self.explain(),
            Command::Help(None) => Ok(help()),
            Command::Help(Some(name)) => help_on(&name),
            Command::Quit => unreachable!("`execute` has seen to it"),
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
            let symbol = self.symbol_at(&now, now.pc).map(|name| format!(" <{name}>")).unwrap_or_default();
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
        let va = match (at, self.next_examine) {
            (None, Some(next)) => next,
            (at, _) => self.address(target, at)?,
        };
        let now = target.registers();
        let (text, end) = memory::examine(target, va, examine, |va| self.symbol_at(&now, va));
        self.next_examine = Some(end);
        self.last_examine = examine;
        Ok(text)
    }

    fn explain(&self) -> Result<String, String> {
        let tap = self.tap.borrow();
        tap.explanation().map(|text| wrap(text, 100)).ok_or("there has been no page fault yet".to_owned())
    }

    /// The address that an expression means; pc if there is none.
    pub(super) fn address(
        &mut self,
        target: &dyn Target,
        at: Option<Expression>,
    ) -> Result<VirtAddr, String> {
        let now = target.registers();
        let Some(at) = at else { return Ok(now.pc) };
        let base = match &at.base {
            Operand::Number(number) => *number,
            Operand::Register(name) if name == "fault" => {
                let tap = self.tap.borrow();
                tap.trace().last_fault.as_ref().ok_or("there has been no page fault yet")?.record.va
            }
            Operand::Register(name) => registers::value(target, name)
                .ok_or_else(|| format!("there is no register or CSR `${name}`"))?,
            Operand::Symbol(name) => self.symbol_address(&now, name)?,
        };
        Ok(VirtAddr(base.wrapping_add(at.offset)))
    }

    fn symbol_address(&mut self, now: &Registers, name: &str) -> Result<u64, String> {
        let (_, place, pid) = self.symbol_place(name, 0, None)?;
        let name = match place {
            Where::Kernel(va) | Where::User(va) => return Ok(va.0),
            Where::Symbol(name, _) => name,
        };
        let current = self.current_process(now).map(|(pid, _)| pid);
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let wanted =
            pid.or(current).ok_or_else(|| format!("no process runs now that could have `{name}`"))?;
        let process = guest.process(wanted).ok_or_else(|| format!("there is no process {wanted}"))?;
        let found = self.symbols.address_in_process(guest, process, &name);
        found
            .map(|va| va.0)
            .ok_or_else(|| format!("process {wanted} ({}) has no symbol `{name}`", process.name()))
    }

    /// The process whose address space the hart is in.
    fn current_process(&self, now: &Registers) -> Option<(u64, String)> {
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let running = guest.running_on(now.hart).filter(|process| process.satp == now.satp.0);
        let process = running.or_else(|| guest.process_of_satp(now.satp.0))?;
        (now.translates() && process.satp != 0).then(|| (process.pid, process.name().to_owned()))
    }

    /// The symbol at an address: the kernel's in the upper half and outside processes.
    fn symbol_at(&mut self, now: &Registers, va: VirtAddr) -> Option<String> {
        let process = self.current_process(now);
        if let (Where::User(_), Some((pid, _))) = (Where::address(va.0), process) {
            let tap = self.tap.borrow();
            let guest = &tap.trace().guest;
            return self.symbols.name_in_process(guest, guest.process(pid)?, va);
        }
        let kernel = &self.symbols.kernel;
        if now.translates() { kernel.name_of(va.0) } else { kernel.name_of_physical(va.0) }
    }
}

/// Breaks a paragraph into lines of at most `width` letters.
fn wrap(text: &str, width: usize) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let len = word.chars().count();
        if column > 0 && column + 1 + len > width {
            lines.push('\n');
            column = 0;
        }
        if column > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += len;
    }
    lines.push('\n');
    lines
}
