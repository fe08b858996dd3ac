//! What catchpoints mean has happened: whether the machine stops there, what is said, and where one looks then.

use super::breakpoints::{Breakpoint, Where};
use super::catches::Catch;
use super::command::{Happening, is_vfork};
use super::execute::Debugger;
use super::points::{Hit, Point, Scene, What};
use super::run::Halt;
use super::space::{AtTrap, Doing};
use super::symbols::Named;
use super::tap::Caught;
use super::target::{Heard, Place, Stop, Target};
use super::views;
use crate::exec::TlbSide;
use crate::source::{InlineFrame, Spot, in_brackets, is_called};
use crate::trace::{Event, GuestView, ThreadId};
use isa::csr::Csr;
use isa::events::{EventKind, GIVEN_UP, SignalTold};
use isa::{Exception, Privilege, Step, VirtAddr, reg};
use std::cell::RefCell;

/// The calls by which a thread ends.
pub(super) const EXITS: [&str; 2] = ["exit", "exit_group"];

/// Of how many threads the registers are kept that they had at their last traps.
const MAX_TRAPPED: usize = 4096;

/// What was met while another stop was being made: it is told of by the next command that runs the machine.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    hit: Hit,
    /// The event that was caught, if it is one.
    event: Option<Event>,
}

impl Debugger {
    /// Whether the event that was caught stops the machine; then looks at the program that it is about.
    pub(super) fn catch_event(&mut self, target: &mut dyn Target) -> Option<Halt> {
        let Some((hit, event)) = self.decide_event(target) else { return self.death(target) };
        if matches!(event.kind(), Some(EventKind::Protection | EventKind::Segv | EventKind::Signal)) {
            let thread = ThreadId { pid: event.record.pid, tid: event.record.tid };
            self.told_refused = Some((thread, event.record.pc));
        }
        self.look_at_program(target, &event);
        Some(Halt::Hit(hit))
    }

    /// What was met while another stop was being made.
    pub(super) fn take_pending(&mut self, target: &mut dyn Target) -> Option<Halt> {
        let Pending { hit, event } = self.pending.take()?;
        if let Some(event) = event {
            self.look_at_program(target, &event);
        }
        Some(Halt::Hit(hit))
    }

    /// Whether the event that was caught stops the machine.
    pub(super) fn decide_event(&mut self, target: &dyn Target) -> Option<(Hit, Event)> {
        let Caught { ids, others, event, va, pid } = self.tap.borrow_mut().take_caught()?;
        let record = &event.record;
        let thread = ThreadId { pid: record.pid, tid: record.tid };
        let scene = Scene {
            pid: Some(pid),
            tid: Some(record.tid),
            va: Some(va.0),
            pc: Some(record.pc),
            frame: Some(record.frame),
            registers: self.trapped.get(&thread).map(|program| program.registers),
        };
        let points = self.stopping(target, &ids, scene);
        match Hit::of_all(&points, |point| self.event_text(point, &event)) {
            Some(hit) => Some((hit, event)),
            None => {
                self.note_missed(target, &ids, &event, scene);
                self.note_other_kinds(target, &others, &event, scene);
                None
            }
        }
    }

    /// What there is to say of an event that has stopped the machine.
    fn event_text(&self, point: &Point, event: &Event) -> String {
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let record = &event.record;
        let told = SignalTold::read(record);
        let is_fault = matches!(point.what, What::Catch(Catch::Fault(..))) || event.is_fault();
        if is_fault {
            let (what, va) = match told {
                Some(told) => (self.signal_words(told.signal), told.value),
                None => (event.kind().map_or("", |kind| kind.name()).to_owned(), record.va),
            };
            let pid = record.pid;
            let process = guest.process(pid);
            let name = process.and_then(|process| self.symbols.name_in_process(guest, process, VirtAddr(va)));
            let name = name.map(|name| format!(" <{name}>")).unwrap_or_default();
            // The machine stands behind what the kernel did for it: `explain` and a trace tell of this step.
            let step = event.step;
            return format!("{what} at {va:#x}{name} in process {pid} at step {step} (`explain` tells more)");
        }
        match told {
            Some(told) => {
                let sender = match told.sender {
                    0 => "the kernel".to_owned(),
                    pid => process(guest, pid),
                };
                let effect = told.effect.name();
                let signal = self.signal_words(told.signal);
                format!("{signal} of {sender} to {}: {effect}", process(guest, record.pid))
            }
            None if event.kind() == Some(EventKind::Exit) => {
                let thread = ThreadId { pid: record.pid, tid: record.tid };
                let called = self.ending.get(&thread).map_or_else(String::new, |text| format!("\n{text}"));
                happening(guest, event) + &self.last_place(thread) + called.trim_end()
            }
            None => happening(guest, event),
        }
    }

    /// Where the program of a thread was when it left for the kernel, as the end of a sentence.
    fn last_place(&self, thread: ThreadId) -> String {
        let Some(program) = self.trapped.get(&thread) else { return String::new() };
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let pc = program.registers.pc;
        let loaded = guest.process(thread.pid).and_then(|process| self.symbols.loaded_at(guest, process, pc));
        match loaded.map(|loaded| loaded.spot(pc)) {
            Some(Spot { symbol: Some(symbol), source }) => {
                format!("; it was last at {symbol} (pc {pc}){}", in_brackets(source.as_ref()))
            }
            _ => format!("; it was last at pc {pc}"),
        }
    }

    /// After an event that was caught: looks at the program, which runs again soon, or as it was at its trap.
    fn look_at_program(&mut self, target: &mut dyn Target, event: &Event) {
        let kind = event.kind();
        self.at_event = kind.map(|kind| (kind, event.record.pid));
        let goes_on = match kind {
            Some(EventKind::Fork | EventKind::Exec) => true,
            Some(EventKind::Protection | EventKind::Segv) => false,
            _ => event.is_fault() && !event.kernel_copy(),
        };
        if goes_on {
            self.return_to_user(target, ThreadId { pid: event.record.pid, tid: event.record.tid });
            // Where it had a fault breakpoints were looked at before.
            self.is_at_new_place |= matches!(kind, Some(EventKind::Fork | EventKind::Exec));
            return;
        }
        let trap = self.tap.borrow().trace().history.last_trap().map(|trap| (trap.step, trap.pid));
        let is_trap = trap == Some((event.step, event.record.pid));
        let doing = match kind {
            Some(EventKind::Signal) if is_trap => Doing::Refuses,
            Some(EventKind::Protection | EventKind::Segv) => Doing::Refuses,
            _ if event.is_fault() => Doing::Touches,
            _ => Doing::Works,
        };
        let thread = ThreadId { pid: event.record.pid, tid: event.record.tid };
        match kind {
            // Who is given the hart was in the kernel before.
            Some(EventKind::Switch) => {}
            Some(EventKind::Exit) => {
                let ended = views::living(&self.tap.borrow().trace().guest, thread.pid).err();
                self.select_ended(target, thread, &ended.unwrap_or_default());
            }
            // Who needs the room is at work, and the event does not say which thread of it.
            Some(EventKind::Evict | EventKind::EvictEntry | EventKind::SwapOut) => {
                let running = {
                    let tap = self.tap.borrow();
                    let trace = tap.trace();
                    let lives =
                        |thread: &ThreadId| trace.guest.process(thread.pid).is_some_and(|p| p.is_alive());
                    trace.history.running_on(event.hart).filter(lives)
                };
                let _ = running.map(|thread| self.look_at_trap(thread, doing));
            }
            _ => self.look_at_trap(thread, doing),
        }
        // As `explain` and a trace tell of it.
        if let Some(at_trap) = self.at_trap.as_mut().filter(|_| event.is_fault()) {
            at_trap.step = event.step;
        }
    }

    /// Keeps a thread's program as it was at its trap.
    pub(super) fn keep_trap(&mut self, thread: ThreadId, program: AtTrap) {
        self.trapped.insert(thread, program);
        if self.trapped.len() > MAX_TRAPPED {
            self.trapped.pop_first();
        }
    }

    /// Looks at a thread's program as it was at its last trap, if the hart looked at was its.
    fn look_at_trap(&mut self, thread: ThreadId, doing: Doing) {
        let program = self.trapped.get(&thread).copied();
        let program = program.map(|program| AtTrap { doing, ..program });
        self.at_trap = program.filter(|program| program.registers.hart == self.hart);
    }

    /// Runs on to the instruction at which a process goes on in its program, unless a breakpoint comes first, or another catchpoint,
    /// which is then told of by the next command that runs the machine.
    fn return_to_user(&mut self, target: &mut dyn Target, thread: ThreadId) {
        let (mut passed, pid) = (None, thread.pid);
        self.tap.borrow_mut().set_awaited(Some(thread));
        loop {
            self.arm();
            // A program that is executed has another address space than the one that the hart is in yet.
            let satp = self.tap.borrow().trace().guest.process(pid).filter(|p| p.is_alive()).map(|p| p.satp);
            let Some(satp) = satp else { break };
            let (armed, listens) = (&self.armed, self.listens());
            let heard = RefCell::new(Vec::new());
            let mut hears = |place: &Place, what: &Heard| {
                if listens.wants(place, what) {
                    heard.borrow_mut().push((*place, *what));
                }
            };
            let is_back = |place: &Place| place.privilege == Privilege::User && place.satp.0 == satp;
            let mut stops = |place: &Place| {
                let is_new = passed != Some(*place);
                !heard.borrow().is_empty() || is_new && (is_back(place) || armed.at(place).next().is_some())
            };
            let stop = if listens.is_empty() {
                target.run(Step(u64::MAX), Some(&mut stops))
            } else {
                target.run_listening(Step(u64::MAX), &mut stops, &mut hears)
            };
            let heard = heard.into_inner();
            self.hart = target.next_hart();
            target.look_at(self.hart);
            self.note_switches(target);
            self.note_forks();
            let place = target.registers().place(target.step());
            let mut hits = heard.iter().filter_map(|(place, what)| self.hit_by(target, place, what));
            if let Some(hit) = hits.next() {
                self.pending = Some(Pending { hit, event: None });
                self.is_at_new_place = true;
                break;
            }
            let pending = match stop {
                Stop::Before if !heard.is_empty() && !is_back(&place) => None,
                Stop::Event => {
                    self.decide_event(target).map(|(hit, event)| Pending { hit, event: Some(event) })
                }
                Stop::Before if is_back(&place) => break,
                Stop::Before => {
                    passed = Some(place);
                    self.break_at(target, &place).map(|hit| Pending { hit, event: None })
                }
                Stop::Ended(reason) => {
                    self.ended = Some(reason);
                    break;
                }
                Stop::Reached | Stop::Interrupted => break,
            };
            if pending.is_some() {
                self.pending = pending;
                break;
            }
        }
        self.tap.borrow_mut().set_awaited(None);
    }

    /// Whether a breakpoint at a place stops the machine.
    pub(super) fn break_at(&mut self, target: &dyn Target, place: &Place) -> Option<Hit> {
        let ids: Vec<u64> = self.armed.at(place).collect();
        if let Some(hit) = self.watch_ends(place, &ids) {
            // Breakpoints there come next.
            self.is_at_new_place = true;
            return Some(hit);
        }
        let ids: Vec<u64> = ids.into_iter().filter(|&id| self.points.watch(id).is_none()).collect();
        let scene = self.scene_at(target, place);
        let points = self.stopping(target, &ids, scene);
        let What::Break(first) = &points.first()?.what else { return None };
        self.frame = self.level_of(target, first, place.pc);
        Hit::of_all(&points, |point| point.what.to_string())
    }

    /// Where code of several functions begins, which the compiler has put into one another, that is looked at which a breakpoint names: how many
    /// are left out, from the innermost.
    fn level_of(&self, target: &dyn Target, breakpoint: &Breakpoint, pc: VirtAddr) -> u64 {
        let Where::Symbol(name, 0) = &breakpoint.at else { return 0 };
        let (Named::FunctionOf(_, name) | Named::Symbol(name)) = Named::of(name) else { return 0 };
        let loaded = self.loaded_at(&self.space_of(&target.registers()), pc);
        let frames = loaded.map(|loaded| loaded.inlined(pc)).unwrap_or_default();
        let is_meant = |frame: &InlineFrame| frame.function.as_deref().is_some_and(|of| is_called(of, name));
        frames.iter().position(is_meant).and_then(|level| u64::try_from(level).ok()).unwrap_or(0)
    }

    /// What is known of a hart at a place, at which it is looked.
    pub(super) fn scene_at(&self, target: &dyn Target, place: &Place) -> Scene {
        let registers = target.registers();
        let process = self.current_process(&registers);
        let tap = self.tap.borrow();
        let thread = tap.trace().history.running_on(place.hart);
        let tid = thread.filter(|t| process.as_ref().is_some_and(|&(pid, _)| pid == t.pid)).map(|t| t.tid);
        let (pid, pc) = (process.map(|(pid, _)| pid), Some(place.pc.0));
        Scene { pid, tid, pc, registers: Some(registers), ..Scene::default() }
    }

    /// The process and the thread of a scene.
    pub(super) fn who(&self, scene: &Scene) -> String {
        let tap = self.tap.borrow();
        let guest = &tap.trace().guest;
        let Some(pid) = scene.pid else { return "the kernel".to_owned() };
        let has_several = guest.process(pid).is_some_and(|process| process.threads.len() > 1);
        let thread = scene.tid.filter(|_| has_several).map(|tid| format!(", thread {tid}"));
        process(guest, pid) + &thread.unwrap_or_default()
    }

    /// After a trap of a program, whose registers are kept: whether it is a system call that stops the machine.
    pub(super) fn catch_call(
        &mut self,
        target: &dyn Target,
        thread: ThreadId,
        program: AtTrap,
    ) -> Option<Hit> {
        if target.csr(Csr::SCAUSE) != Some(u64::from(Exception::EcallU.code())) {
            return None;
        }
        let number = program.registers.x[usize::from(reg::A7)];
        let is_exit = self.calls.iter().any(|(of, name)| *of == number && EXITS.contains(name));
        if is_exit && self.points.catches().any(|(_, catch)| *catch == Catch::Happening(Happening::Exit)) {
            // Its stack is gone when it has ended.
            self.look_at_trap(thread, Doing::Called);
            let called = self.called_from(target);
            self.at_trap = None;
            self.ending.insert(thread, called);
        }
        let ids: Vec<u64> =
            self.points.catches().filter(|(_, c)| c.means_call(number)).map(|(id, _)| id).collect();
        let scene = Scene {
            pid: Some(thread.pid),
            tid: Some(thread.tid),
            pc: Some(program.registers.pc.0),
            registers: Some(program.registers),
            ..Scene::default()
        };
        let points = self.stopping(target, &ids, scene);
        if points.is_empty() {
            return None;
        }
        self.look_at_trap(thread, Doing::Called);
        let name = self.calls.iter().find(|(known, _)| *known == number);
        let name = name.map_or_else(|| number.to_string(), |(_, name)| format!("{name} ({number})"));
        let tap = self.tap.borrow();
        let who = process(&tap.trace().guest, thread.pid);
        Hit::of_all(&points, |_| format!("system call {name} of {who}"))
    }

    /// Whether a miss of the TLB stops the machine. The instruction that missed was at `place`.
    pub(super) fn catch_miss(&mut self, target: &dyn Target, place: &Place, heard: &Heard) -> Option<Hit> {
        let Heard::TlbMiss { side, va, pa } = heard else { return None };
        let ids = self.points.catch_misses();
        let frame = pa.map(|pa| pa.page().0);
        let scene = Scene { va: Some(va.0), frame, ..self.scene_at(target, place) };
        let points = self.stopping(target, &ids, scene);
        let side = match side {
            TlbSide::Instruction => "instruction",
            TlbSide::Data => "data",
        };
        let found = match frame {
            Some(frame) => format!("the walk has found frame {frame:#x}"),
            None => "the walk has found no page".to_owned(),
        };
        Hit::of_all(&points, |_| format!("{side} TLB miss at {va} (pc {}): {found}", place.pc))
    }
}

/// What has happened, of what is neither a fault nor a signal.
fn happening(guest: &GuestView, event: &Event) -> String {
    let record = &event.record;
    let who = process(guest, record.pid);
    let page = || {
        let (file, page) = (record.detail, record.detail2);
        match guest.file_name(file) {
            Some(name) => format!("page {page} of {name}"),
            None => format!("page {page} of file {file}"),
        }
    };
    match event.kind() {
        Some(EventKind::Fork) => {
            let fork = if is_vfork(record) { "vfork" } else { "fork" };
            format!("{fork}: {who} has made process {}", record.detail)
        }
        Some(EventKind::Exec) => format!("exec: process {} runs {}", record.pid, event.text),
        Some(EventKind::Exit) => match record.detail & 0x7f {
            0 => format!("exit: {who} has ended with status {}", record.detail >> 8 & 0xff),
            signal => format!("exit: {who} has ended by signal {signal}"),
        },
        Some(EventKind::Evict) => format!("evict: {} leaves frame {:#x}", page(), record.frame),
        Some(EventKind::EvictEntry) => format!(
            "evict: {} loses its entry for {}, in frame {:#x}",
            guest
                .process_of_space(record.space)
                .map_or_else(|| "nobody".to_owned(), |p| process(guest, p.pid)),
            VirtAddr(record.va),
            record.frame
        ),
        Some(EventKind::SwapOut) => {
            let what = if record.detail == 0 { "a private page".to_owned() } else { page() };
            let to = match record.refs {
                0 if record.flags == GIVEN_UP => "no slot, since it was given up (MADV_FREE)".to_owned(),
                0 => "no slot, since it holds zeros".to_owned(),
                slot => format!("slot {slot}"),
            };
            format!("swap-out: {what} leaves frame {:#x} for {to}", record.frame)
        }
        Some(EventKind::Switch) if record.pid == 0 => {
            format!("switch: hart {} has nothing to run", event.hart)
        }
        Some(EventKind::Switch) => {
            format!("switch: hart {} goes to {who}, thread {}", event.hart, record.tid)
        }
        kind => kind.map_or("", |kind| kind.name()).to_owned(),
    }
}

/// A process by its number and name.
fn process(guest: &GuestView, pid: u64) -> String {
    match guest.process(pid).map(|process| process.name()) {
        Some(name) if !name.is_empty() => format!("process {pid} ({name})"),
        _ => format!("process {pid}"),
    }
}
