//! `--strace`: the program's system calls and signals, a line each, as `strace -f` writes them.
//!
//! The machine is observed, never changed: the run stops wherever a hart goes over to the kernel or back to the program, its
//! registers say what was asked for and answered, and user memory is read by the process's own page table. Which thread it is, the
//! event stream tells. So the guest executes the same instructions with `--strace` and without.

mod arguments;
mod lines;
mod memory;
mod siginfo;
mod structures;
mod text;

use super::drive::{Driver, End};
use super::trace_file::Recorder;
use emulator::exec::Observer;
use emulator::hart::Hart;
use emulator::machine::{Machine, StopReason};
use emulator::trace::Event;
use isa::events::EventKind;
use isa::{Exception, Interrupt, Privilege, Step, Trap, VirtAddr, reg};
use lines::Lines;
use memory::UserMemory;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// Stops the run at the border between program and kernel.
#[derive(Default)]
struct Border {
    /// On which side the hart was last.
    is_user: bool,
    /// Where it was when it went over to the kernel.
    left_at: u64,
    /// Whether it called.
    is_call: bool,
}

impl Observer for Border {
    fn before(&mut self, hart: &Hart, _: Step) -> ControlFlow<()> {
        let is_user = hart.privilege == Privilege::User;
        let has_crossed = is_user != self.is_user;
        self.is_user = is_user;
        if has_crossed { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
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
    pending: Option<arguments::Asked>,
    /// Where it was when it went over to the kernel.
    left_at: u64,
    /// It executes a new program, and has not yet come to its first instruction: the program's path.
    executing: Option<String>,
    /// Its last page fault that was refused: the code of the signal, and the address.
    refused: Option<(i32, u64)>,
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
            self.take_in_events();
            match end {
                End::Stopped(StopReason::Breakpoint) => self.look(&driver.machine),
                end => {
                    self.lines.interrupt();
                    return end;
                }
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
        let call = arguments::Asked::new(argument(7), arguments, memory);
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
        let result = hart.x[usize::from(reg::A0)];
        if let Some(path) = thread.executing.take() {
            match thread.pending.take() {
                Some(call) => self.lines.end(tid, &call.rest(memory, 0)),
                None => self.lines.whole(tid, &arguments::first_program(&path, hart, memory)),
            }
            return;
        }
        // A handler that faults at its first instruction comes back there with the arguments it was called with.
        let has_moved = hart.pc != thread.left_at;
        let signal = siginfo::Delivered::find(hart, memory).filter(|_| has_moved);
        let call = thread.pending.take();
        if let Some(signal) = signal {
            if let Some(call) = call {
                let rest = match signal.interrupted_at == thread.left_at {
                    true => call.will_restart(),
                    false => call.rest(memory, signal.interrupted_result),
                };
                self.lines.end(tid, &rest);
            }
            thread.refused = None;
            self.lines.whole(tid, &signal.info.line());
        } else if let Some(call) = call {
            let rest = match has_moved {
                true => call.rest(memory, result),
                false => call.will_restart(),
            };
            self.lines.end(tid, &rest);
        }
    }

    fn take_in_events(&mut self) {
        for event in self.recorder.take_events() {
            self.take_in(&event);
        }
        let alive = self.recorder.with(|trace| trace.guest.processes().filter(|p| p.is_alive()).count());
        self.lines.set_names_processes(alive.max(self.threads.len()) > 1);
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
            Some(EventKind::Exec) => self.thread(record.tid).executing = Some(event.text.clone()),
            Some(EventKind::Segv) if !event.kernel_copy() => {
                self.thread(record.tid).refused = Some((1, record.va))
            }
            Some(EventKind::Protection) if !event.kernel_copy() => {
                self.thread(record.tid).refused = Some((2, record.va))
            }
            Some(EventKind::Exit) => self.ended(record.pid, record.detail),
            _ => {}
        }
    }

    /// A process has ended, and all of its threads.
    fn ended(&mut self, pid: u64, status: u64) {
        let mine = self.threads.iter().filter(|(_, thread)| thread.pid == pid);
        let tids: Vec<u64> = mine.map(|(&tid, _)| tid).collect();
        for tid in tids {
            let thread = self.threads.remove(&tid).unwrap_or_default();
            if let Some(call) = thread.pending {
                self.lines.end(tid, &call.never());
            }
            let last = thread.refused.and_then(|(code, va)| siginfo::refused(status, code, va));
            last.into_iter().for_each(|info| self.lines.whole(tid, &info.line()));
        }
        self.lines.whole(pid, &structures::ending(status));
    }
}
