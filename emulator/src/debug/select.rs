//! `process N` and `thread N`: whose registers, page table, mappings and memory are looked at, whoever runs.
//!
//! A thread that is in its program on a hart has that hart's registers. Any other has those of its last trap, which the hart keeps until it has left it.

use super::command::Command;
use super::execute::{Debugger, parse};
use super::target::{Registers, Target};
use super::waits::at;
use super::{memory, tree, views};
use crate::machine::HartState;
use crate::trace::{GuestView, ThreadId};
use isa::events::EventKind;
use isa::paging::Satp;
use isa::{Privilege, VirtAddr};
use std::fmt::Write;

/// The thread that is looked at instead of what a hart runs.
#[derive(Clone, Debug)]
pub(super) struct Selected {
    thread: ThreadId,
    registers: Registers,
    /// Whether they are those of its last trap; else only the address space is right, and pc if that is not 0.
    has_registers: bool,
    /// What it is, if it has ended.
    ended: Option<String>,
    /// Whether somebody else looks at it, for one command.
    is_for_once: bool,
}

/// That somebody was chosen by `process N` or `thread N`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    /// The hart that runs him, if one does; else it is he who is selected.
    pub(super) hart: Option<usize>,
    /// At which thread somebody else looked then, who says so.
    pub(super) asked_beside: Option<u64>,
}

impl Debugger {
    /// Looks at a process, by its first thread, or at a thread; says at whom one looks if there is no number.
    pub(super) fn select(
        &mut self,
        target: &mut dyn Target,
        pid: Option<u64>,
        tid: Option<u64>,
    ) -> Result<String, String> {
        if pid.is_none() && tid.is_none() {
            return Ok(self.selected_text(target));
        }
        let (thread, satp, ended) = {
            let tap = self.tap.borrow();
            let guest = &tap.trace().guest;
            let thread = find_thread(guest, pid, tid)?;
            let process = guest.process(thread.pid).ok_or("there is no such process")?;
            if process.is_alive() && process.satp == 0 {
                return Err(format!("process {} has no address space yet", thread.pid));
            }
            (thread, process.satp, views::living(guest, thread.pid).err())
        };
        self.at_trap = None;
        self.selected = None;
        self.frame = 0;
        self.next_examine = None;
        if ended.is_none()
            && let Some(hart) = self.hart_of(target, thread)
        {
            self.hart = hart;
            target.look_at(hart);
            self.choice = Some(Choice { hart: Some(hart), asked_beside: None });
            return Ok(self.location(target));
        }
        self.choice = Some(Choice { hart: None, asked_beside: None });
        self.select_trapped(thread, Satp(satp), ended);
        Ok(self.selected_text(target))
    }

    /// The thread that is looked at, if one is.
    pub(super) fn thread_looked_at(&self, target: &dyn Target) -> Option<ThreadId> {
        let running = || {
            let now = self.now(target);
            let (pid, _) = self.current_process(&now)?;
            let thread = self.tap.borrow().trace().history.running_on(now.hart);
            thread.filter(|thread| thread.pid == pid)
        };
        self.selected_thread().or_else(running)
    }

    /// `thread`: a line about the thread that is looked at, if its process lives, and where it is.
    pub(super) fn which_thread(&mut self, target: &dyn Target) -> String {
        let line = self.thread_looked_at(target).and_then(|ThreadId { pid, tid }| {
            let tap = self.tap.borrow();
            let process = tap.trace().guest.process(pid).filter(|process| process.is_alive())?;
            Some(format!("thread {tid} of process {pid} ({}) is looked at\n", process.name()))
        });
        line.unwrap_or_default() + &self.selected_text(target)
    }

    /// `ps`: the processes and threads, who is looked at marked, with where each is.
    pub(super) fn list_processes(&mut self, target: &mut dyn Target) -> String {
        let mut does = self.waits(target);
        for hart in 0..target.harts() {
            let is_idle = target.hart_state(hart) == HartState::Waiting;
            let thread = self.tap.borrow().trace().history.running_on(hart).filter(|_| !is_idle);
            let Some(thread) = thread else { continue };
            target.look_at(hart);
            let now = target.registers();
            target.look_at(self.hart);
            let is_dying = does.get(&thread).is_some_and(|what| what.contains("is ended by"));
            if now.privilege == Privilege::User && !is_dying {
                let space = self.space_of(&now);
                let symbol = self.symbol_at(&space, now.pc);
                does.insert(thread, format!("runs {}", at(symbol, now.pc)));
            } else if !is_dying {
                does.insert(thread, "runs".to_owned());
            }
        }
        let selected = self.thread_looked_at(target);
        let is_idle = |hart| hart < target.harts() && target.hart_state(hart) == HartState::Waiting;
        views::processes(&self.tap.borrow().trace().guest, is_idle, selected, &does)
    }

    /// Does what a line says for some threads, or for all, the one looked at being the same afterwards.
    pub(super) fn apply(
        &mut self,
        target: &mut dyn Target,
        tids: Option<Vec<u64>>,
        line: &str,
    ) -> Result<String, String> {
        let command = parse(line)?.ok_or("a command is missing")?;
        if !command.only_looks() {
            return Err(format!(
                "`{line}` is for one: `thread apply` is for what only looks, as `bt` and `regs`"
            ));
        }
        let threads: Vec<ThreadId> = {
            let tap = self.tap.borrow();
            let guest = &tap.trace().guest;
            let living = guest.processes().filter(|process| process.is_alive());
            let all = living
                .flat_map(|process| process.threads.iter().map(|&tid| ThreadId { pid: process.pid, tid }));
            all.filter(|thread| tids.as_ref().is_none_or(|tids| tids.contains(&thread.tid))).collect()
        };
        let has = |tid: &u64| threads.iter().any(|thread| thread.tid == *tid);
        if let Some(tid) = tids.iter().flatten().find(|tid| !has(tid)) {
            return Err(format!("there is no thread {tid}"));
        }
        let (selected, at_trap, frame, hart) = (self.selected.clone(), self.at_trap, self.frame, self.hart);
        let choice = self.choice;
        let mut text = String::new();
        for ThreadId { pid, tid } in threads {
            let name =
                self.tap.borrow().trace().guest.process(pid).map_or(String::new(), |p| p.name().to_owned());
            let _ = writeln!(text, "thread {tid} of process {pid} ({name}):");
            let told = self.select(target, None, Some(tid));
            match told.and_then(|_| self.run_command(target, command.clone())) {
                Ok(told) => text.push_str(&told),
                Err(why) => text.push_str(&(why + "\n")),
            }
        }
        (self.selected, self.at_trap, self.frame, self.hart) = (selected, at_trap, frame, hart);
        self.choice = choice;
        target.look_at(hart);
        Ok(text)
    }

    /// Looks at a thread that has just ended, of which `what` tells.
    pub(super) fn select_ended(&mut self, target: &dyn Target, thread: ThreadId, what: &str) {
        self.select_trapped(thread, target.registers().satp, Some(what.to_owned()));
    }

    /// Looks at a thread that no hart runs, as it was at its last trap, as far as that is known.
    pub(super) fn select_trapped(&mut self, thread: ThreadId, satp: Satp, ended: Option<String>) {
        let kept = self.trapped.get(&thread).map(|program| program.registers);
        let has_registers = kept.is_some();
        let pc = self.waits.pc_of(thread).unwrap_or(VirtAddr(0));
        let (hart, x, f, privilege) = (self.hart, [0; 32], [0; 32], Privilege::User);
        let registers = kept.unwrap_or(Registers { hart, pc, x, f, privilege, satp });
        self.selected = Some(Selected { thread, registers, has_registers, ended, is_for_once: false });
    }

    /// Looks at a thread that is in the kernel for one command, with the registers that its program has, unless one looks at another already.
    pub(super) fn select_for_once(&mut self, thread: ThreadId, registers: Registers) {
        if self.selected.is_none() {
            let (has_registers, ended, is_for_once) = (true, None, true);
            self.selected = Some(Selected { thread, registers, has_registers, ended, is_for_once });
        }
    }
    /// Ends that.
    pub(super) fn end_of_once(&mut self) {
        self.selected.take_if(|selected| selected.is_for_once);
    }

    /// The hart that runs a thread's program now.
    fn hart_of(&self, target: &mut dyn Target, thread: ThreadId) -> Option<usize> {
        let tap = self.tap.borrow();
        let history = &tap.trace().history;
        let mut harts = (0..target.harts()).filter(|&hart| history.running_on(hart) == Some(thread));
        let found = harts.find(|&hart| {
            target.look_at(hart);
            target.registers().privilege == Privilege::User
        });
        target.look_at(self.hart);
        found
    }

    /// At whom one looks.
    pub(super) fn selected_text(&mut self, target: &dyn Target) -> String {
        let Some(selected) = self.selected.clone() else { return self.location(target) };
        let ThreadId { pid, tid } = selected.thread;
        if let Some(ended) = &selected.ended {
            let registers = if selected.has_registers { ", `regs` those of its last trap" } else { "" };
            return format!("{ended}; `maps`, `pt` and `whatis` tell its last state{registers}\n");
        }
        let waits = self.waits(target);
        let (name, has_several) = {
            let tap = self.tap.borrow();
            let process = tap.trace().guest.process(pid);
            (
                process.map_or(String::new(), |p| p.name().to_owned()),
                process.is_some_and(|p| p.threads.len() > 1),
            )
        };
        let thread = if has_several { format!(", thread {tid}") } else { String::new() };
        let waits = waits.get(&selected.thread).map_or("does not run", String::as_str);
        let mut text = format!("process {pid} ({name}){thread} {waits}\n");
        if selected.registers.pc.0 != 0 {
            let space = self.space_of(&selected.registers);
            let symbol = self.symbol_at(&space, selected.registers.pc);
            let read = &mut memory::mapped(target, &space);
            let line = memory::instruction_line(read, selected.registers.pc, symbol.as_deref());
            let place = || {
                let symbol = symbol.as_deref().map_or_else(String::new, |name| format!(" <{name}>"));
                format!("{}{symbol}", selected.registers.pc)
            };
            let _ = writeln!(text, "=> {}", line.map_or_else(place, |(line, _)| line));
            text.push_str(&self.source_line(&space, selected.registers.pc));
        }
        if !selected.has_registers && self.has_run(selected.thread) {
            text.push_str(
                "   its registers are not known: it has not trapped while the debugger kept them\n",
            );
        }
        text
    }

    /// The process that is meant: the one given, or else the one that is looked at.
    pub(super) fn process_or_current(&self, target: &dyn Target, pid: Option<u64>) -> Result<u64, String> {
        let current = || self.current_process(&self.now(target)).map(|(pid, _)| pid);
        let pid = pid.or(self.selected_process()).or_else(current);
        pid.ok_or_else(|| "no process runs now: give a PID (`ps` lists them)".to_owned())
    }

    /// The page table of a process, or what the hart has if none runs, as a tree.
    pub(super) fn page_table(&mut self, target: &dyn Target, pid: Option<u64>) -> Result<String, String> {
        let now = self.now(target);
        let Ok(pid) = self.process_or_current(target, pid) else {
            return tree::tree(target, &self.space_of(&now), false, &|_| None);
        };
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let process = guest.process(pid).ok_or_else(|| format!("there is no process {pid}"))?;
        if !process.is_alive() {
            let last = guest.last_space(pid).ok_or("nothing is remembered of its address space")?;
            return Ok(tree::last_pages(pid, last));
        }
        let space = self.space_of_process(&now, pid)?;
        let title = |va| guest.vma_at(pid, va).map(|vma| vma.title().to_owned());
        tree::tree(target, &space, true, &title)
    }

    /// The registers that are looked at instead of a hart's.
    pub(super) fn selected_registers(&self) -> Option<Registers> {
        self.selected.as_ref().map(|selected| selected.registers)
    }
    /// The thread that was chosen.
    pub(super) fn selected_thread(&self) -> Option<ThreadId> {
        self.selected.as_ref().map(|selected| selected.thread)
    }
    /// The process that was chosen.
    pub(super) fn selected_process(&self) -> Option<u64> {
        self.selected.as_ref().map(|selected| selected.thread.pid)
    }
    /// Complains if the registers of who is looked at are not known.
    pub(super) fn check_registers(&self) -> Result<(), String> {
        match &self.selected {
            Some(Selected {
                thread: thread @ ThreadId { pid, tid }, has_registers: false, ended, ..
            }) => {
                let who = if tid == pid { String::new() } else { format!("thread {tid} of ") };
                Err(match ended.is_some() || self.has_run(*thread) {
                    true => format!(
                        "the registers of {who}process {pid} are not known: it has not trapped while the debugger kept them"
                    ),
                    false => format!("{who}process {pid} has not run yet: it has called nothing so far"),
                })
            }
            _ => Ok(()),
        }
    }
    fn has_run(&self, thread: ThreadId) -> bool {
        self.tap.borrow().trace().history.has_run(thread)
    }
    /// Complains if who is looked at has ended, so that there is no page table.
    pub(super) fn check_page_table(&self) -> Result<(), String> {
        match self.selected.as_ref().and_then(|selected| selected.ended.clone()) {
            Some(ended) if matches!(self.at_event, Some((EventKind::Exit, _))) => {
                Err(format!("{ended}; `catch syscall exit_group` stops before a program ends by itself"))
            }
            Some(ended) => Err(ended),
            None => Ok(()),
        }
    }
}

impl Command {
    /// Whether it tells of whom one looks at, and changes nothing.
    fn only_looks(&self) -> bool {
        matches!(
            self,
            Self::Backtrace { .. }
                | Self::Print(..)
                | Self::Variables(_)
                | Self::Regs(_)
                | Self::Examine(..)
                | Self::Disas { .. }
                | Self::Walk(_)
                | Self::WhatIs(_)
                | Self::Line(_)
                | Self::Explain(Some(_))
        )
    }
}

/// The thread that is meant: of a process that has it, or by its number alone; a process's first where only that is given.
fn find_thread(guest: &GuestView, pid: Option<u64>, tid: Option<u64>) -> Result<ThreadId, String> {
    match (pid, tid) {
        (Some(pid), _) => {
            let process = guest.process(pid).ok_or_else(|| format!("there is no process {pid}"))?;
            let first = process.threads.first().copied().unwrap_or(pid);
            Ok(ThreadId { pid, tid: first })
        }
        (None, tid) => {
            let tid = tid.unwrap_or_default();
            let mut living = guest.processes().filter(|process| process.is_alive());
            let process = living.find(|process| process.threads.contains(&tid));
            let pid = process.map(|process| process.pid);
            Ok(ThreadId { pid: pid.ok_or_else(|| format!("there is no thread {tid}"))?, tid })
        }
    }
}
