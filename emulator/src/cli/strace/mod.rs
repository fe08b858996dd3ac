//! `--strace`: the program's system calls and signals, a line each, as `strace -f` writes them.
//!
//! The machine is observed, never changed: the run stops wherever a hart goes over to the kernel or back to the program, its
//! registers say what was asked for and answered, and user memory is read by the process's own page table. Which thread it is,
//! and what became of signals, the event stream tells. So the guest executes the same instructions with `--strace` and without.

mod arguments;
mod lines;
mod memory;
mod siginfo;
mod structures;
mod text;

use super::drive::{Driver, End};
use super::trace_file::Recorder;
use arguments::Asked;
use emulator::exec::Observer;
use emulator::hart::Hart;
use emulator::machine::{Machine, StopReason};
use emulator::trace::Event;
use isa::events::{CutShort, EventKind, SignalEffect, SignalTold};
use isa::paging::Satp;
use isa::{Exception, Interrupt, Privilege, Step, Trap, VirtAddr, reg};
use lines::Lines;
use memory::UserMemory;
use siginfo::Siginfo;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Stops the run at the border between program and kernel, and when the kernel leaves an address space: what a call asked for can be
/// read from it for the last time then.
struct Border {
    /// On which side the hart was last.
    is_user: bool,
    /// Where it was when it went over to the kernel.
    left_at: u64,
    /// Whether it called.
    is_call: bool,
    /// Whether it has gone over since the last look.
    has_crossed: bool,
    /// The address space that it runs in.
    space: Satp,
    /// The one that it has left since the last look.
    left: Option<Satp>,
}

impl Default for Border {
    fn default() -> Self {
        let (is_user, left_at, is_call, has_crossed) = (false, 0, false, false);
        Self { is_user, left_at, is_call, has_crossed, space: Satp(0), left: None }
    }
}

impl Observer for Border {
    fn before(&mut self, hart: &Hart, _: Step) -> ControlFlow<()> {
        let is_user = hart.privilege == Privilege::User;
        self.has_crossed = is_user != self.is_user;
        self.is_user = is_user;
        let space = hart.satp();
        if space != self.space {
            self.left = Some(core::mem::replace(&mut self.space, space));
        }
        let is_to_look = self.has_crossed || self.left.is_some();
        if is_to_look { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
    fn exception(&mut self, _: &Hart, _: Step, pc: VirtAddr, trap: Trap) {
        (self.left_at, self.is_call) = (pc.0, trap.exception == Exception::EcallU);
    }
    fn interrupt(&mut self, _: &Hart, _: Step, pc: VirtAddr, _: Interrupt) {
        (self.left_at, self.is_call) = (pc.0, false);
    }
}

/// What is known of a thread.
#[derive(Default)]
struct Thread {
    /// Its process.
    pid: u64,
    /// A call that has not come back.
    pending: Option<Asked>,
    /// Where it was when it went over to the kernel.
    left_at: u64,
    /// It executes a new program, and has not yet come to its first instruction: the program's path.
    executing: Option<String>,
    /// Signals that it took or that were dropped, and that are told when it is back in its program.
    signals: Vec<SignalTold>,
}

/// What follows the calls of a run.
pub struct Strace {
    recorder: Recorder,
    border: Border,
    /// By their numbers.
    threads: BTreeMap<u64, Thread>,
    /// The thread that each hart runs.
    running: BTreeMap<usize, u64>,
    lines: Lines,
}

impl Strace {
    /// Follows the calls by what `recorder` hears from now on.
    pub fn new(recorder: &Recorder) -> Self {
        recorder.keep_events();
        Self {
            recorder: recorder.clone(),
            border: Border::default(),
            threads: BTreeMap::new(),
            running: BTreeMap::new(),
            lines: Lines::default(),
        }
    }

    /// Runs to the end.
    pub fn run(&mut self, driver: &mut Driver) -> End {
        loop {
            let end = driver.run_until(Step::NEVER, Some(&mut self.border));
            if let Some(space) = self.border.left.take() {
                self.left(&UserMemory::new(&driver.machine, space));
            }
            self.take_in_events();
            match end {
                End::Stopped(StopReason::Breakpoint) if self.border.has_crossed => {
                    self.look(&driver.machine);
                }
                End::Stopped(StopReason::Breakpoint) => {}
                end => {
                    self.lines.interrupt();
                    return end;
                }
            }
        }
    }

    /// An address space is left, and may end: what calls asked for there and could not be read before, the kernel has read by now.
    fn left(&mut self, memory: &UserMemory<'_>) {
        for (&tid, thread) in &mut self.threads {
            let Some(call) = &mut thread.pending else { continue };
            if call.look_again(memory)
                && let Some(entry) = self.lines.entry_mut(tid)
            {
                call.enter();
                *entry = call.entry().to_string();
            }
        }
    }

    /// The hart has gone over to the other side.
    fn look(&mut self, machine: &Machine) {
        let hart = machine.hart();
        let Some(&tid) = self.running.get(&hart.id) else { return };
        let memory = UserMemory::new(machine, hart.satp());
        if self.border.is_user {
            self.returned(tid, hart, &memory);
        } else {
            self.thread(tid).left_at = self.border.left_at;
            if self.border.is_call {
                self.called(tid, hart, &memory);
            }
        }
    }

    fn called(&mut self, tid: u64, hart: &Hart, memory: &UserMemory<'_>) {
        let argument = |n: usize| hart.x[usize::from(reg::A0) + n];
        let arguments = [0, 1, 2, 3, 4, 5].map(argument);
        let call = Asked::new(argument(7), arguments, hart.x[usize::from(reg::SP)], memory);
        self.lines.begin(tid, call.entry());
        if call.comes_back() {
            self.thread(tid).pending = Some(call);
        } else {
            self.lines.end(tid, &call.never());
        }
    }

    /// The program goes on: after its call, in a handler, or at the start of a new program.
    fn returned(&mut self, tid: u64, hart: &Hart, memory: &UserMemory<'_>) {
        let thread = self.threads.entry(tid).or_default();
        let signals = core::mem::take(&mut thread.signals);
        let (executing, call) = (thread.executing.take(), thread.pending.take());
        match (executing, call) {
            (Some(_), Some(call)) => self.lines.end(tid, &call.rest(None, 0)),
            (Some(path), None) => {
                self.lines.whole(tid, &arguments::first_program(&path, hart, memory));
            }
            (None, Some(call)) => {
                let result = hart.x[usize::from(reg::A0)];
                let has_moved = hart.pc != thread.left_at;
                let is_by =
                    |told: &&SignalTold| told.effect == SignalEffect::Handled || told.cut_short.is_some();
                let rest = match signals.iter().find(is_by) {
                    Some(told) => met(&call, told, Some(memory)),
                    None if has_moved => call.rest(Some(memory), result),
                    None => call.cut_short(Some(memory), CutShort::Again),
                };
                self.lines.end(tid, &rest);
            }
            (None, None) => {}
        }
        for told in signals {
            self.lines.whole(tid, &Siginfo::of(&told).line());
        }
    }

    fn take_in_events(&mut self) {
        for event in self.recorder.take_events() {
            self.take_in(&event);
        }
        self.lines.set_names_threads(self.threads.len() > 1);
    }

    fn thread(&mut self, tid: u64) -> &mut Thread {
        self.threads.entry(tid).or_default()
    }

    fn take_in(&mut self, event: &Event) {
        let record = &event.record;
        match event.kind() {
            Some(EventKind::Switch) if record.pid == 0 => drop(self.running.remove(&event.hart)),
            Some(EventKind::Switch) => {
                self.thread(record.tid).pid = record.pid;
                self.running.insert(event.hart, record.tid);
            }
            Some(EventKind::Fork) => self.made(record.detail, record.detail),
            Some(EventKind::Thread) => self.made(record.detail, record.pid),
            Some(EventKind::Exec) => {
                self.superseded(event.hart, record.tid);
                self.thread(record.tid).executing = Some(event.text.clone());
            }
            Some(EventKind::Signal) => {
                if let Some(told) = SignalTold::read(record) {
                    self.signalled(record.tid, told);
                }
            }
            // A process's first thread is told of with its last one, as by `strace`, when it has ended before.
            Some(EventKind::ThreadExit) if record.tid == record.pid => self.abandons_call(record.tid),
            Some(EventKind::ThreadExit) => self.ended(record.tid, record.detail),
            Some(EventKind::Exit) => {
                let mine = self.threads.iter().filter(|(_, thread)| thread.pid == record.pid);
                let others: Vec<u64> = mine.map(|(&tid, _)| tid).filter(|&tid| tid != record.pid).collect();
                others.into_iter().for_each(|tid| self.ended(tid, record.detail));
                self.ended(record.pid, record.detail);
            }
            _ => {}
        }
    }

    fn made(&mut self, tid: u64, pid: u64) {
        self.thread(tid).pid = pid;
        self.lines.attach(tid);
    }

    /// The thread on a hart executes a new program. It has its process's number from now on, whichever it had.
    fn superseded(&mut self, hart: usize, tid: u64) {
        let Some(old) = self.running.insert(hart, tid).filter(|&old| old != tid) else { return };
        self.lines.whole(tid, &format!("+++ superseded by execve in pid {old} +++"));
        self.lines.rename(old, tid);
        let thread = self.threads.remove(&old).unwrap_or_default();
        self.threads.insert(tid, thread);
    }

    /// A signal of a thread: what ends or stops it is told at once, since it does not come back to its program, or not soon.
    fn signalled(&mut self, tid: u64, told: SignalTold) {
        let thread = self.thread(tid);
        if matches!(told.effect, SignalEffect::Handled | SignalEffect::Ignored) {
            thread.signals.push(told);
            return;
        }
        // A call does not hear of SIGKILL, and nothing but the thread's end is told of it.
        let is_heard = !Siginfo::of(&told).is_kill();
        let signals: Vec<SignalTold> =
            core::mem::take(&mut thread.signals).into_iter().chain(is_heard.then_some(told)).collect();
        let first = signals.iter().find(|told| told.effect != SignalEffect::Ignored);
        if let Some(first) = first
            && let Some(call) = thread.pending.take()
        {
            self.lines.end(tid, &met(&call, first, None));
        }
        for told in signals {
            self.lines.whole(tid, &Siginfo::of(&told).line());
        }
        if told.effect == SignalEffect::Stopped {
            self.lines.whole(tid, &format!("--- stopped by {} ---", text::signal(told.signal)));
        }
    }

    /// A thread ends, in a call if it was in one.
    fn abandons_call(&mut self, tid: u64) {
        if let Some(call) = self.thread(tid).pending.take() {
            self.lines.end(tid, &call.abandoned());
        }
    }

    /// A thread has ended.
    fn ended(&mut self, tid: u64, status: u64) {
        self.abandons_call(tid);
        self.threads.remove(&tid);
        self.lines.whole(tid, &structures::ending(status));
    }
}

/// How a call ends that a signal has met.
fn met(call: &Asked, told: &SignalTold, memory: Option<&UserMemory<'_>>) -> (String, String) {
    match told.cut_short {
        Some(how) => call.cut_short(memory, how),
        None => call.rest(memory, told.result),
    }
}
