//! Where a signal ends a program that went wrong, or that has sent it to itself: the machine stops there, while its memory and its stack can still be looked at.
//!
//! Nothing needs to be asked for. The kernel tells the registers of whom it ends, so that the machine need not stop at each trap. `handle SIGNAL nostop`
//! lets it go on; a signal that has a handler, or that another process has sent, is none of these.

use super::execute::Debugger;
use super::run::Halt;
use super::space::{AtTrap, Doing};
use super::target::{Registers, Target};
use super::views;
use crate::source::{Spot, StackFrame, without_offset};
use crate::trace::{CRASHES, Event, ProcessState, ThreadId};
use isa::paging::Satp;
use isa::{Privilege, VirtAddr};

impl Debugger {
    /// Stops from now on where a signal ends a program by what it has done itself: for those who sit before a prompt.
    pub fn stop_at_deaths(&mut self) {
        self.tap.borrow_mut().set_stops_at_deaths();
    }

    /// Whether a signal by which a program ends itself stops the machine; then looks at the program as it was.
    pub(super) fn death(&mut self, target: &mut dyn Target) -> Option<Halt> {
        let event = self.tap.borrow_mut().take_died()?;
        let (pid, thread) = (event.record.pid, ThreadId { pid: event.record.pid, tid: event.record.tid });
        let tap = self.tap.clone();
        let tap = tap.borrow();
        let death = tap.trace().history.dying(pid)?;
        let name = self.signal_words(death.signal.into());
        let is_told = self.told_refused.take() == Some((thread, event.record.pc));
        if is_told || self.unstopped.contains(&name) {
            return None;
        }
        let process = tap.trace().guest.process(pid)?;
        self.hart = event.hart;
        target.look_at(self.hart);
        let mut program = program(&event, Satp(process.satp), target);
        // Of an access that was refused `explain` tells by its own event, which has come before.
        let fault = tap.trace().last_fault.as_ref().filter(|_| death.refusal.is_some());
        let is_its = |fault: &&Event| fault.record.pid == pid && fault.record.pc == event.record.pc;
        program.step = fault.filter(is_its).map_or(program.step, |fault| fault.step);
        self.at_trap = Some(program);
        let who = if process.name().is_empty() { String::new() } else { format!(" ({})", process.name()) };
        let of = death.tid.map_or_else(String::new, |tid| format!(", in thread {tid}"));
        let text = format!("{name} ends process {pid}{who}{of} (`bt`, `explain` tell more)\n");
        // What is asked of it when it has ended is answered by these.
        self.keep_trap(thread, program);
        Some(Halt::Signal(text + &self.called_from(target)))
    }

    /// Whether who was waited for has ended; then looks at it as it was.
    pub(super) fn gone(&mut self, target: &mut dyn Target) -> Option<Halt> {
        let (thread, what) = {
            let tap = self.tap.borrow();
            let (thread, process) = tap.awaited_end()?;
            let of = format!("process {} ({})", thread.pid, process.name());
            let what = match process.state {
                ProcessState::Ended { status } => format!("{of} has ended ({})", views::wait_status(status)),
                _ => format!("thread {} of {of} has ended", thread.tid),
            };
            (thread, what)
        };
        self.select_ended(target, thread, &what);
        Some(Halt::Gone(what))
    }

    /// A line about the call whose source is known, if that of the innermost function is not: of what a program calls to end.
    pub(super) fn called_from(&self, target: &dyn Target) -> String {
        let frames = self.stack(target);
        let known = frames.iter().position(|frame| frame.spot.source.is_some()).filter(|&at| at > 0);
        let Some(StackFrame { spot: Spot { symbol, source: Some(source) }, .. }) =
            known.map(|at| &frames[at])
        else {
            return String::new();
        };
        let text =
            self.symbols.source_text(source).map_or_else(String::new, |text| format!(": {}", text.trim()));
        let symbol = symbol.as_deref().map(without_offset).unwrap_or("?");
        format!("called from {symbol} at {source}{text}\n")
    }

    /// `handle`: whether signals that end a program stop the machine; tells of those that do if there is none.
    pub(super) fn handle(&mut self, signal: Option<(String, bool)>) -> Result<String, String> {
        let crashes = CRASHES.iter().map(|(_, name)| *name);
        let Some((typed, stops)) = signal else {
            let others: Vec<&String> =
                self.unstopped.iter().filter(|name| !crashes.clone().any(|crash| crash == *name)).collect();
            let lines: String = crashes
                .chain(others.into_iter().map(String::as_str))
                .map(|name| self.handled(name))
                .collect();
            return Ok(lines + "others stop it where a program has sent them to itself\n");
        };
        let mut known = crashes.clone().chain(self.signals.iter().map(|(_, name)| *name));
        let name = known.find(|known| *known == typed || known.strip_prefix("SIG") == Some(&typed));
        let name = name.ok_or_else(|| {
            format!(
                "there is no signal `{typed}`: there are {}, and others",
                crashes.collect::<Vec<_>>().join(", ")
            )
        })?;
        match stops {
            true => drop(self.unstopped.remove(name)),
            false => drop(self.unstopped.insert(name.to_owned())),
        }
        Ok(self.handled(name))
    }

    fn handled(&self, name: &str) -> String {
        let stops = if self.unstopped.contains(name) { "does not stop" } else { "stops" };
        format!("{name} {stops} the machine where it ends a program\n")
    }
}

/// The program whose registers an event tells. Those of floating point are the hart's still: the kernel has none.
fn program(event: &Event, satp: Satp, target: &dyn Target) -> AtTrap {
    let mut x = [0; 32];
    if let Some(registers) = &event.registers {
        x[1..].copy_from_slice(&registers[..]);
    }
    let (pc, privilege) = (VirtAddr(event.record.pc), Privilege::User);
    let registers = Registers { pc, x, privilege, satp, ..target.registers() };
    AtTrap { registers, step: event.step, doing: Doing::Ends }
}
