//! Several sessions on one machine, which runs while all of them let it; a stop in one stops the machine.

use super::ear::SharedEar;
use super::files::GuestRoot;
use super::monitor::for_gdb;
use super::sentry::{Hit, Scope};
use super::session::{Follow, Session, Wish};
use super::world::{SharedWorld, Subject, Watched, World};
use super::{Host, Ran};
use crate::debug::forks::Forked;
use crate::debug::{Debugger, SharedTap};
use crate::machine::{GuestExit, StopReason};
use crate::source::Programs;
use crate::trace::{Event, ThreadId};
use isa::events::{EventKind, SignalTold};
use std::cell::RefCell;
use std::rc::Rc;

/// The process that comes first.
const FIRST_PROCESS: u64 = 1;
const SIGINT: u64 = 2;
const SIGTRAP: u64 = 5;
const SIGKILL: u64 = 9;

/// What has come on a line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Incoming {
    /// A gdb.
    Connected,
    /// What it says.
    Bytes(Vec<u8>),
    /// It has gone.
    Lost,
}

/// The connections, one for each session, numbered in their order.
pub trait Lines {
    /// What has come next, on which line. With `wait` it comes back when something has, or with `None` when the user wants no more.
    fn next(&mut self, wait: bool) -> Option<(usize, Incoming)>;
    /// Sends bytes.
    fn send(&mut self, line: usize, bytes: &[u8]);
    /// Ends a connection; nobody can connect there any more.
    fn close(&mut self, line: usize);
    /// Where one connects to it.
    fn name(&self, line: usize) -> String;
}

/// Why the server has come back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Every session is over: the machine may run on.
    Over,
    /// The machine has ended.
    Ended(StopReason),
    /// gdb has killed the run.
    Killed,
    /// The user wants no more.
    Left,
}

/// What sessions are made from.
pub struct Setup {
    /// What each session follows.
    pub follows: Vec<Follow>,
    /// Hears the machine's events for the debugger, and for the sessions.
    pub tap: SharedTap,
    /// The sessions' ear.
    pub ear: SharedEar,
    /// The kernel's ELF, if there is one.
    pub kernel: Option<Vec<u8>>,
    /// The guest's programs.
    pub programs: Rc<Programs>,
    /// The numbers and names of its system calls.
    pub calls: Vec<(u64, &'static str)>,
    /// Those of its signals.
    pub signals: Vec<(u64, &'static str)>,
    /// The guest's root.
    pub root: Box<dyn GuestRoot>,
}

/// The name under which gdb finds the kernel.
const KERNEL_FILE: &str = "/folio/kernel";

/// See the module.
pub struct Server<'d, 'l> {
    world: SharedWorld<'d>,
    sessions: Vec<Session<'d>>,
    lines: &'l mut dyn Lines,
    ear: SharedEar,
    /// A program has been executed.
    has_begun: bool,
}

impl<'d, 'l> Server<'d, 'l> {
    /// Sessions on a machine that has not run yet.
    pub fn new(host: &'d mut dyn Host, lines: &'l mut dyn Lines, setup: Setup) -> Self {
        let Setup { follows, tap, ear, kernel, programs, calls, signals, root } = setup;
        let mut debugger = Debugger::new(tap.clone(), kernel.as_deref(), None, Rc::clone(&programs));
        debugger.know_calls(calls.into_iter());
        debugger.know_signals(signals.into_iter());
        let mut world = World::new(host, debugger, tap, programs, root);
        if let Some(kernel) = kernel {
            world.own_files.insert(KERNEL_FILE.to_owned(), Rc::new(kernel));
        }
        let world = Rc::new(RefCell::new(world));
        let sessions = follows.into_iter().map(|follow| Session::new(Rc::clone(&world), follow)).collect();
        Self { world, sessions, lines, ear, has_begun: false }
    }

    /// Serves them to their ends, or to the machine's.
    pub fn serve(mut self) -> Outcome {
        for line in 0..self.sessions.len() {
            if self.sessions[line].has_arrived {
                self.announce(line, "the first instruction");
            }
        }
        let outcome = loop {
            if let Some(outcome) = self.come_to() {
                break outcome;
            }
            if let Some((line, incoming)) = self.lines.next(false) {
                self.hear(line, incoming);
                continue;
            }
            if self.sessions.iter().any(Session::holds) {
                match self.lines.next(true) {
                    Some((line, incoming)) => self.hear(line, incoming),
                    None => break Outcome::Left,
                }
                continue;
            }
            match self.run() {
                Ran::Ended(reason) if reason.leaves_all() && self.stands_still(reason) => {}
                Ran::Ended(reason) => {
                    self.end(reason);
                    break Outcome::Ended(reason);
                }
                Ran::Left => break Outcome::Left,
                Ran::Stopped | Ran::Event | Ran::Called => {}
            }
        };
        self.ear.borrow_mut().close();
        for line in 0..self.sessions.len() {
            self.lines.close(line);
        }
        outcome
    }

    fn come_to(&self) -> Option<Outcome> {
        if self.world.borrow().is_killed {
            return Some(Outcome::Killed);
        }
        self.sessions.iter().all(Session::is_over).then_some(Outcome::Over)
    }

    fn tell(&self, text: &str) {
        self.world.borrow_mut().host_mut().tell(text);
    }

    fn announce(&self, line: usize, place: &str) {
        self.tell(&format!("gdb: {place}: waits for a connection to {}", self.lines.name(line)));
    }

    /// Takes in what has come on a line.
    fn hear(&mut self, line: usize, incoming: Incoming) {
        let Some(session) = self.sessions.get_mut(line).filter(|session| !session.is_over()) else { return };
        match incoming {
            Incoming::Connected => session.open(),
            Incoming::Lost => self.leave(line, "the connection is lost"),
            Incoming::Bytes(bytes) => {
                let mut send = Vec::new();
                let wish = session.take_in(&bytes, &mut send);
                self.send(line, &send);
                self.do_as_wished(line, wish);
            }
        }
    }

    fn do_as_wished(&mut self, line: usize, wish: Option<Wish>) {
        match wish {
            Some(Wish::Interrupt) => self.report(line, |session, send| {
                session.report_signal(None, SIGINT, send);
            }),
            Some(Wish::Detach) => self.leave(line, "gdb has detached"),
            Some(Wish::Kill) => self.world.borrow_mut().is_killed = true,
            None => {}
        }
    }

    fn leave(&mut self, line: usize, why: &str) {
        self.sessions[line].close();
        self.lines.close(line);
        self.tell(&format!("gdb: {}: {why}; the run goes on without it", self.lines.name(line)));
    }

    fn send(&mut self, line: usize, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.lines.send(line, bytes);
        }
    }

    fn report(&mut self, line: usize, report: impl FnOnce(&mut Session<'d>, &mut Vec<u8>)) {
        let mut send = Vec::new();
        report(&mut self.sessions[line], &mut send);
        self.send(line, &send);
    }

    /// Runs the machine until something comes, and tells the sessions that it concerns.
    fn run(&mut self) -> Ran {
        for line in 0..self.sessions.len() {
            if let Some((tid, hit)) = self.sessions[line].view.catch_up() {
                self.report(line, |session, send| session.report_hit(tid, hit, send));
                return Ran::Called;
            }
        }
        for session in self.sessions.iter_mut().filter(|session| !session.is_over()) {
            session.view.set_scope();
        }
        let is_plain = self
            .sessions
            .iter()
            .filter(|session| !session.is_over())
            .all(|session| session.view.sentry.scope == Scope::Machine && session.view.sentry.is_idle());
        let sentries = self.sessions.iter_mut().map(|s| std::mem::take(&mut s.view.sentry)).collect();
        let Watched { ran, sentries, hit, called } = self.world.borrow_mut().run(sentries, is_plain);
        for (session, sentry) in self.sessions.iter_mut().zip(sentries) {
            session.view.sentry = sentry;
        }
        let events = self.ear.borrow_mut().take();
        let caught = {
            let mut world = self.world.borrow_mut();
            for Event { record, .. } in events.iter().filter(|e| e.kind() == Some(EventKind::Exit)) {
                world.note_last_trap(ThreadId { pid: record.pid, tid: record.tid });
            }
            let (debugger, target) = world.prompt();
            let caught = debugger.came_back(target);
            let call = |(hart, thread, registers)| debugger.note_call(target, hart, thread, registers);
            caught.or_else(|| called.and_then(call))
        };
        let is_of = |session: &Session<'_>, pid| session.view.subject == Subject::Process(pid);
        // The end of a session's own process is the session's, too: what is caught is told before.
        let ends = |pid| events.iter().any(|e| e.kind() == Some(EventKind::Exit) && e.record.pid == pid);
        let last_words = caught.as_ref().filter(|caught| ends(caught.pid));
        if let Some(caught) = last_words {
            for line in self.sessions_of(caught.pid) {
                self.report(line, |session, send| session.say(&for_gdb(&caught.text), send));
            }
        }
        events.iter().for_each(|event| self.event(event));
        if let Some(caught) = caught {
            let is_its = |session: &Session<'_>| is_of(session, caught.pid);
            let running = |session: &Session<'_>| session.is_open() && session.runs();
            let own = self.sessions.iter().position(|session| is_its(session) && running(session));
            // The stop comes where the new program begins, as at Folio's own prompt.
            if let Some(line) = own.filter(|_| caught.is_exec) {
                let session = &mut self.sessions[line];
                session.view.sentry.arrives = true;
                session.executes = Some(caught.text);
            } else if let Some(line) = own.or_else(|| self.sessions.iter().position(running)) {
                self.report(line, |session, send| {
                    session.say(&for_gdb(&caught.text), send);
                    // gdb shows its own process, whoever it was.
                    if matches!(session.view.subject, Subject::Process(own) if own != caught.pid && caught.pid != 0) {
                        let hint = format!("`monitor process {}` looks at that process\n", caught.pid);
                        session.say(&hint, send);
                    }
                    session.report_signal(None, SIGTRAP, send);
                });
            }
        }
        if let Some((line, tid, hit)) = hit {
            self.hit(line, tid, hit);
        }
        ran
    }

    fn hit(&mut self, line: usize, tid: u64, hit: Hit) {
        if hit == Hit::Arrived {
            let mut send = Vec::new();
            let session = &mut self.sessions[line];
            let wish = session.arrive(&mut send);
            let is_answered = !send.is_empty();
            self.send(line, &send);
            self.do_as_wished(line, wish);
            let session = &self.sessions[line];
            if is_answered {
                return;
            }
            if !session.is_open() {
                let pid = session.view.subject.pid().unwrap_or_default();
                let name = self.world.borrow().guest(|guest| guest.process(pid).map(|p| p.name().to_owned()));
                let name = name.unwrap_or_default();
                return self.announce(line, &format!("process {pid} ({name}) is at its first instruction"));
            }
        }
        self.report(line, |session, send| {
            if let Some(text) = session.executes.take() {
                session.say(&text, send);
            }
            session.report_hit(tid, hit, send);
        });
    }

    /// Something has become of a process.
    fn event(&mut self, event: &Event) {
        let record = &event.record;
        match event.kind() {
            Some(EventKind::Exec) => {
                self.world.borrow_mut().fresh.insert(record.pid);
                self.meet(record.pid, |follow| match follow {
                    Follow::First => record.pid == FIRST_PROCESS,
                    Follow::Pid(pid) => *pid == record.pid,
                    Follow::Name(name) => {
                        let path = event.text.as_str();
                        path == name || path.rsplit('/').next() == Some(name)
                    }
                    Follow::Kernel => false,
                });
                if !std::mem::replace(&mut self.has_begun, true) {
                    self.tell_of_waiting(record.pid, &event.text);
                }
            }
            Some(EventKind::Fork) => {
                let child = record.detail;
                let mut world = self.world.borrow_mut();
                if let Some(&entry) = world.entries.get(&record.pid) {
                    world.entries.insert(child, entry);
                }
                world.note_fork(&Forked::told_by(event));
                drop(world);
                self.meet(child, |follow| *follow == Follow::Pid(child));
            }
            Some(EventKind::Exit) => {
                for line in self.sessions_of(record.pid) {
                    let status = record.detail;
                    self.report(line, |session, send| session.report_end(status, send));
                    self.sessions[line].close();
                    self.lines.close(line);
                }
                self.world.borrow_mut().forget(record.pid);
            }
            Some(EventKind::Signal) => {
                let Some(told) = SignalTold::read(record) else { return };
                for line in self.sessions_of(record.pid) {
                    if self.sessions[line].runs() {
                        let (tid, signal) = (record.tid, told.signal);
                        self.report(line, |session, send| session.report_signal(Some(tid), signal, send));
                    }
                }
            }
            _ => {}
        }
    }

    /// The sessions, not over, that follow a process.
    fn sessions_of(&self, pid: u64) -> Vec<usize> {
        let is_its =
            |session: &Session<'_>| !session.is_over() && session.view.subject == Subject::Process(pid);
        (0..self.sessions.len()).filter(|&line| is_its(&self.sessions[line])).collect()
    }

    /// A process has come that sessions may wait for.
    fn meet(&mut self, pid: u64, is_meant: impl Fn(&Follow) -> bool) {
        for session in self.sessions.iter_mut().filter(|session| !session.is_over()) {
            if session.view.subject == Subject::Nobody && is_meant(&session.follow) {
                session.view.subject = Subject::Process(pid);
                session.view.sentry.arrives = true;
            }
        }
    }

    /// The first process has begun: sessions that wait for another hear of it, since theirs may never come.
    fn tell_of_waiting(&mut self, pid: u64, path: &str) {
        let waits = |session: &&Session<'_>| !session.is_over() && session.view.subject == Subject::Nobody;
        for (line, session) in self.sessions.iter().enumerate().filter(|(_, session)| waits(session)) {
            let (name, follow) = (self.lines.name(line), &session.follow);
            self.tell(&format!("gdb: {name}: process {pid} executes {path}; waits for process {follow}"));
        }
    }

    /// The machine runs no further, but all is there: a stop for each gdb that waits, as often as it lets the machine run. Whether there is one.
    fn stands_still(&mut self, reason: StopReason) -> bool {
        let waits = |session: &Session<'_>| session.is_open() && session.has_arrived && session.runs();
        let waiting: Vec<usize> =
            (0..self.sessions.len()).filter(|&line| waits(&self.sessions[line])).collect();
        for &line in &waiting {
            self.report(line, |session, send| {
                session.say(&format!("{reason}: it runs no further (`kill` ends it)\n"), send);
                session.report_signal(None, SIGINT, send);
            });
        }
        !waiting.is_empty()
    }

    /// The machine has ended, and with it all that is left in it.
    fn end(&mut self, reason: StopReason) {
        for line in 0..self.sessions.len() {
            if self.sessions[line].is_over() {
                continue;
            }
            if !self.sessions[line].has_arrived {
                let follow = &self.sessions[line].follow;
                self.tell(&format!("gdb: {}: there was no process {follow}", self.lines.name(line)));
            }
            let status = match reason {
                StopReason::Exit(GuestExit::Status(status)) => u64::from(status) << 8,
                StopReason::Exit(GuestExit::Signaled(signal)) => u64::from(signal) & 0x7f,
                StopReason::FinisherPass | StopReason::SbiShutdown(0) | StopReason::Reset => 0,
                StopReason::FinisherFail(code) => u64::from(code & 0xff) << 8,
                StopReason::ToHost(value) => (value >> 1 & 0xff) << 8,
                StopReason::SbiShutdown(_) => 1 << 8,
                _ => SIGKILL,
            };
            self.report(line, |session, send| {
                session.say(&format!("{reason}\n"), send);
                session.report_end(status, send);
            });
            self.sessions[line].close();
        }
    }
}
