//! Where threads wait: at which instruction each was when the hart last came from it to the kernel.
//!
//! The kernel takes no trap of its own, so what a hart's `sepc` and `scause` say in the kernel is the last trap of a program. They are
//! looked at whenever the hart is given to another thread, and count for the thread that it leaves only if that has run
//! since it was given the hart: one that goes from one wait to the next in the kernel is still where it was.

use super::execute::Debugger;
use super::space::{AtTrap, Doing};
use super::target::Target;
use crate::machine::HartState;
use crate::trace::{ProcessView, ThreadId, Trace};
use isa::csr::Csr;
use isa::paging::Satp;
use isa::{Exception, Privilege, VirtAddr};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Waiting threads that a stop lists at most.
const MAX_SHOWN: usize = 8;

/// A trap that a thread has not come back from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Trap {
    pc: VirtAddr,
    cause: u64,
}

/// The last traps of threads that harts have left.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits {
    traps: BTreeMap<ThreadId, Trap>,
    /// Instructions that each hart had run in user mode when it was given to the thread that has it.
    before: BTreeMap<usize, u64>,
}

impl Waits {
    /// Where a thread is that a hart has left.
    pub(super) fn pc_of(&self, thread: ThreadId) -> Option<VirtAddr> {
        self.traps.get(&thread).map(|trap| trap.pc)
    }
}

impl Debugger {
    /// Takes in that harts were given to other threads.
    pub(super) fn note_switches(&mut self, target: &mut dyn Target) {
        let switches = self.tap.borrow_mut().take_switches();
        for (hart, left) in switches {
            target.look_at(hart);
            if let (Some(thread), Some(trap)) = (left, self.last_trap(target, hart)) {
                self.waits.traps.insert(thread, trap);
                self.keep_left(target, thread);
            }
            self.waits.before.insert(hart, target.instructions_user());
            target.look_at(self.hart);
        }
    }

    /// Keeps the registers with which a thread has left its program for the hart that is looked at.
    fn keep_left(&mut self, target: &dyn Target, thread: ThreadId) {
        if let Some(registers) = target.left_program() {
            self.keep_trap(thread, AtTrap { registers, step: target.step(), doing: Doing::Works });
        }
    }

    /// As [`Debugger::note_switches`] for the thread that the hart looked at has, if it is in the kernel.
    pub(super) fn note_current(&mut self, target: &dyn Target) {
        let registers = target.registers();
        let thread = self.tap.borrow().trace().history.running_on(registers.hart);
        let is_away =
            registers.privilege != Privilege::User && self.last_trap(target, registers.hart).is_some();
        if let Some(thread) = thread.filter(|_| is_away) {
            self.keep_left(target, thread);
        }
    }

    /// The last trap of the thread that the hart looked at has, if that has run since it was given the hart.
    fn last_trap(&self, target: &dyn Target, hart: usize) -> Option<Trap> {
        let has_run = target.instructions_user() > *self.waits.before.get(&hart)?;
        let (pc, cause) = (target.csr(Csr::SEPC)?, target.csr(Csr::SCAUSE)?);
        has_run.then_some(Trap { pc: VirtAddr(pc), cause })
    }

    /// A signal's name, or its number if it has none.
    pub(super) fn signal_words(&self, number: u64) -> String {
        let name = self.signals.iter().find(|(known, _)| *known == number);
        name.map_or_else(|| format!("signal {number}"), |(_, name)| (*name).to_owned())
    }

    /// Which signal ends a thread's process by what it has done, in words, if one does.
    fn ending_of(&self, trace: &Trace, process: &ProcessView, thread: ThreadId) -> Option<String> {
        let death = trace.history.dying(process.pid)?;
        let is_its = death.tid.is_none_or(|tid| tid == thread.tid);
        let number = u64::from(death.signal);
        let name = self.signal_words(number);
        let at = at(self.symbols.name_in_process(&trace.guest, process, death.pc.va), death.pc.va);
        is_its.then(|| format!("is ended by {name} {at}"))
    }

    /// What each thread does that does not run, in words, as far as it is known: `waits in a system call at read+0x12 (pc 0x1f5a2)`.
    pub(super) fn waits(&mut self, target: &dyn Target) -> BTreeMap<ThreadId, String> {
        let tap = self.tap.borrow();
        let (hart, trace) = (target.registers().hart, tap.trace());
        let has_hart = trace.history.running_on(hart);
        let now = self.last_trap(target, hart);
        let mut waits = BTreeMap::new();
        for process in trace.guest.processes().filter(|process| process.is_alive()) {
            for thread in process.threads.iter().map(|&tid| ThreadId { pid: process.pid, tid }) {
                if let Some(what) = self.ending_of(trace, process, thread) {
                    waits.insert(thread, what);
                    continue;
                }
                let now = now.filter(|_| has_hart == Some(thread));
                if !trace.history.has_run(thread) {
                    waits.insert(thread, "has not run yet".to_owned());
                    continue;
                }
                let Some(trap) = now.or_else(|| self.waits.traps.get(&thread).copied()) else { continue };
                let symbol = self.symbols.name_in_process(&trace.guest, process, trap.pc);
                waits.insert(thread, trap.words(symbol));
            }
        }
        waits
    }

    /// Looks at who waits, at a stop at which no program runs: at whom one has looked before, at the only process, or at who ran last.
    pub(super) fn look_at_waiting(&mut self, target: &dyn Target, before: Option<ThreadId>) {
        if target.hart_state(target.registers().hart) != HartState::Waiting {
            return;
        }
        let found = {
            let tap = self.tap.borrow();
            let guest = &tap.trace().guest;
            let mut living = guest.processes().filter(|process| process.is_alive() && process.satp != 0);
            let first =
                |process: &ProcessView| Some(ThreadId { pid: process.pid, tid: *process.threads.first()? });
            let only = living.next().filter(|_| living.next().is_none()).and_then(first);
            let lives = |thread: &ThreadId| {
                guest.process(thread.pid).is_some_and(|p| p.is_alive() && p.threads.contains(&thread.tid))
            };
            let last = tap.trace().history.running_on(target.registers().hart).filter(lives);
            let thread = before.filter(lives).or(only).or(last);
            thread.and_then(|thread| Some((thread, Satp(guest.process(thread.pid)?.satp))))
        };
        let is_known =
            |thread: &ThreadId| self.trapped.contains_key(thread) || self.waits.pc_of(*thread).is_some();
        if let Some((thread, satp)) = found.filter(|(thread, _)| is_known(thread)) {
            self.select_trapped(thread, satp, None);
        }
    }

    /// A line for each thread that waits and is not looked at, for a stop at which no program runs.
    pub(super) fn waiting(&mut self, target: &dyn Target) -> String {
        let mut text = String::new();
        if target.hart_state(target.registers().hart) != HartState::Waiting {
            return text;
        }
        let selected = self.selected_thread();
        let waits = self.waits(target);
        for (thread, what) in waits.iter().filter(|(thread, _)| Some(**thread) != selected).take(MAX_SHOWN) {
            let tap = self.tap.borrow();
            let Some(process) = tap.trace().guest.process(thread.pid) else { continue };
            let ThreadId { pid, tid } = *thread;
            let (of, way) = match process.threads.len() {
                ..=1 => (String::new(), format!("process {pid}")),
                _ => (format!(", thread {tid}"), format!("thread {tid}")),
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "   process {pid} ({}){of} {what}: `{way}` looks at it", process.name());
        }
        text
    }
}

impl Trap {
    /// What a thread waits for that has not come back from it.
    fn words(self, symbol: Option<String>) -> String {
        let pc = self.pc;
        let at = at(symbol, pc);
        let exception = u8::try_from(self.cause).ok().and_then(|code| Exception::from_code(code.into()));
        match exception {
            Some(Exception::EcallU) => format!("waits in a system call {at}"),
            Some(Exception::LoadPage | Exception::StorePage | Exception::InstructionPage) => {
                format!("waits for a page {at}")
            }
            // An interrupt: it could go on.
            _ => format!("waits for its turn {at}"),
        }
    }
}

/// `at read+0x12 (pc 0x1f5a2)`.
pub(super) fn at(symbol: Option<String>, pc: VirtAddr) -> String {
    symbol.map_or_else(|| format!("at pc {pc}"), |symbol| format!("at {symbol} (pc {pc})"))
}
