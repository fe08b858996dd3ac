//! One session: a connection to one gdb, what it follows, and whether it lets the machine run.

use super::arch::Rv64;
use super::front::{self, Checked, Front, Request, checked, framed};
use super::sentry::Hit;
use super::view::View;
use super::world::{SharedWorld, Subject};
use gdbstub::arch::Arch;
use gdbstub::common::{Signal, Tid};
use gdbstub::conn::Connection;
use gdbstub::stub::state_machine::GdbStubStateMachine;
use gdbstub::stub::{GdbStubBuilder, MultiThreadStopReason};
use gdbstub::target::ext::breakpoints::WatchKind;
use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt;
use std::rc::Rc;

/// What a session follows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Follow {
    /// The first process.
    First,
    /// The process of this number.
    Pid(u64),
    /// The first process that runs a program of this name, or at this path.
    Name(String),
    /// The guest's kernel, from the first instruction on; that is, the harts.
    Kernel,
}

impl fmt::Display for Follow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First => f.write_str("first"),
            Self::Pid(pid) => write!(f, "{pid}"),
            Self::Name(name) => f.write_str(name),
            Self::Kernel => f.write_str("kernel"),
        }
    }
}

/// What gdbstub writes, until it is sent.
#[derive(Clone, Default)]
struct Pen(Rc<RefCell<Vec<u8>>>);

impl Connection for Pen {
    type Error = Infallible;

    fn write(&mut self, byte: u8) -> Result<(), Infallible> {
        self.0.borrow_mut().push(byte);
        Ok(())
    }
    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

type Stub<'d> = GdbStubStateMachine<'static, View<'d>, Pen>;
type Stop = MultiThreadStopReason<<Rv64 as Arch>::Usize>;

/// Whether anybody is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Link {
    Absent,
    Open,
    /// It has ended: the machine runs on without it.
    Over,
}

/// What a session wants of the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wish {
    /// To stop.
    Interrupt,
    /// No more.
    Detach,
    /// The end of the run.
    Kill,
}

/// What gdb asks with where a thread has a variable of its own, which gdbstub does not know.
const THREAD_LOCAL: &[u8] = b"qGetTLSAddr:";

/// What is kept of what gdb says before there is a process: it waits for the answer to its first packet.
const MAX_EARLY_BYTES: usize = 1 << 16;

/// What gdb has said so far that a new gdbstub has to be told.
#[derive(Default)]
struct Agreed {
    supported: Option<Vec<u8>>,
    thread: Option<Vec<u8>>,
}

/// See the module.
pub(super) struct Session<'d> {
    pub(super) follow: Follow,
    pub(super) view: View<'d>,
    /// What it follows is there, at its first instruction or beyond.
    pub(super) has_arrived: bool,
    /// What there is to say where its process is at the first instruction of a program that it has executed, and that a catchpoint has caught.
    pub(super) executes: Option<String>,
    link: Link,
    front: Front,
    stub: Option<Stub<'d>>,
    pen: Pen,
    agreed: Agreed,
    /// What was sent last, should it not have been understood.
    last: Vec<u8>,
    /// What has come before the first process had.
    early: Vec<u8>,
}

impl<'d> Session<'d> {
    pub(super) fn new(world: SharedWorld<'d>, follow: Follow) -> Self {
        let is_machine = follow == Follow::Kernel;
        let subject = if is_machine { Subject::Machine } else { Subject::Nobody };
        Self {
            view: View::new(world, subject, follow.to_string()),
            follow,
            has_arrived: is_machine,
            executes: None,
            link: Link::Absent,
            front: Front::default(),
            stub: None,
            pen: Pen::default(),
            agreed: Agreed::default(),
            last: Vec::new(),
            early: Vec::new(),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.link == Link::Over
    }
    pub(super) fn is_open(&self) -> bool {
        self.link == Link::Open
    }
    /// Whether its gdb has let the machine run.
    pub(super) fn runs(&self) -> bool {
        matches!(self.stub, Some(GdbStubStateMachine::Running(_)))
    }
    /// Whether gdb has come before the first process, or between a process's beginning and its first instruction. These come soon, sooner than
    /// gdb gives up: so it is not answered until then, and finds the process. To one that follows a process which may come much later,
    /// or never, its absence is shown.
    fn is_early(&self) -> bool {
        let comes_soon = self.follow == Follow::First || self.view.subject.pid().is_some();
        comes_soon && !self.has_arrived
    }
    /// Whether what it follows has been made, and the registers are known with which it begins.
    fn is_made(&self) -> bool {
        let pid = self.view.subject.pid();
        pid.is_some_and(|pid| self.view.world.borrow().registers(&self.view.subject, pid).is_some())
    }
    /// What it follows is there. What gdb has said before is answered now.
    pub(super) fn arrive(&mut self, send: &mut Vec<u8>) -> Option<Wish> {
        self.has_arrived = true;
        let early = std::mem::take(&mut self.early);
        self.take_in(&early, send)
    }
    /// Whether the machine has to wait for it.
    pub(super) fn holds(&self) -> bool {
        match self.link {
            Link::Absent => self.has_arrived,
            Link::Open => !self.runs() && !self.is_early(),
            Link::Over => false,
        }
    }

    /// A gdb is there.
    pub(super) fn open(&mut self) {
        (self.link, self.front, self.agreed) = (Link::Open, Front::default(), Agreed::default());
        self.renew();
    }
    /// It has gone, or is not wanted any more. Nothing is watched for it.
    pub(super) fn close(&mut self) {
        (self.link, self.stub) = (Link::Over, None);
        self.view.sentry = super::sentry::Sentry::default();
    }

    /// A new gdbstub, which knows what has been agreed upon.
    fn renew(&mut self) {
        let builder = GdbStubBuilder::new(self.pen.clone()).packet_buffer_size(front::PACKET_BYTES);
        let stub = builder.build().expect("a buffer of its own has the size that is asked for");
        self.stub = stub.run_state_machine(&mut self.view).ok();
        let Agreed { supported, thread } = &self.agreed;
        // Acknowledgements are the front's.
        let told = [Some(b"QStartNoAckMode".to_vec()), supported.clone(), thread.clone()];
        for body in told.into_iter().flatten() {
            self.feed(&body);
        }
        self.pen.0.borrow_mut().clear();
    }

    /// Gives gdbstub a packet. Whether it could make something of it.
    fn feed(&mut self, body: &[u8]) -> bool {
        for byte in framed(body) {
            let next = match self.stub.take() {
                Some(GdbStubStateMachine::Idle(stub)) => stub.incoming_data(&mut self.view, byte),
                Some(GdbStubStateMachine::Running(stub)) => stub.incoming_data(&mut self.view, byte),
                _ => return false,
            };
            match next {
                Ok(stub) => self.stub = Some(stub),
                Err(error) => {
                    log::debug!("gdb: {} is refused: {error:?}", String::from_utf8_lossy(body));
                    return false;
                }
            }
        }
        true
    }

    /// Takes in what has come from gdb; `send` is for the answer.
    pub(super) fn take_in(&mut self, bytes: &[u8], send: &mut Vec<u8>) -> Option<Wish> {
        if self.is_early() && self.is_made() {
            // It is where its first instruction is to come: the machine need not run for that, which another session may hold.
            self.view.sentry.arrives = false;
            self.has_arrived = true;
        }
        if self.is_early() {
            let room = MAX_EARLY_BYTES.saturating_sub(self.early.len()).min(bytes.len());
            self.early.extend(&bytes[..room]);
            return None;
        }
        for &byte in bytes {
            let wish = match self.front.take_in(byte, send) {
                Some(Request::Packet(body)) => self.packet(body, send),
                Some(Request::Interrupt) if self.runs() => Some(Wish::Interrupt),
                Some(Request::Again) => {
                    send.extend(&self.last);
                    None
                }
                Some(Request::Interrupt) | None => None,
            };
            // What comes behind is for nobody: gdb waits for the answer.
            if wish.is_some() {
                return wish;
            }
        }
        None
    }

    fn packet(&mut self, body: Vec<u8>, send: &mut Vec<u8>) -> Option<Wish> {
        let kills = body == b"k" || body.starts_with(b"vKill");
        if kills || body == b"D" || body.starts_with(b"D;") {
            if body != b"k" {
                self.answer(b"OK", send);
            }
            return Some(if kills { Wish::Kill } else { Wish::Detach });
        }
        if self.runs() {
            // gdb asks for nothing while it waits.
            log::debug!("gdb: {} while the machine runs", String::from_utf8_lossy(&body));
            return None;
        }
        match body.as_slice() {
            b"QStartNoAckMode" => {
                self.answer(b"OK", send);
                self.front.no_acks = true;
                return None;
            }
            b"qqemu.PhyMemMode" => {
                self.answer(if self.view.is_physical { b"1" } else { b"0" }, send);
                return None;
            }
            _ if body.starts_with(THREAD_LOCAL) => {
                let at = self.thread_local(&body[THREAD_LOCAL.len()..]);
                let answer = at.map_or_else(|| "E01".to_owned(), |at| format!("{at:x}"));
                self.answer(answer.as_bytes(), send);
                return None;
            }
            b"Qqemu.PhyMemMode:0" | b"Qqemu.PhyMemMode:1" if self.view.subject == Subject::Machine => {
                self.view.is_physical = body.ends_with(b"1");
                self.answer(b"OK", send);
                return None;
            }
            _ => {}
        }
        let mut body = match checked(body) {
            Checked::Good(body) => body,
            Checked::Answer(answer) => {
                self.answer(answer, send);
                return None;
            }
        };
        if !self.has_all(&body) {
            self.answer(b"E03", send);
            return None;
        }
        // A session that does not know its process yet cannot tell its number: it has threads only.
        if body.starts_with(b"qSupported") && self.view.subject == Subject::Nobody {
            let text = String::from_utf8_lossy(&body).replace("multiprocess+", "multiprocess-");
            body = text.into_bytes();
        }
        if !self.feed(&body) {
            self.pen.0.borrow_mut().clear();
            self.renew();
            self.answer(b"E16", send);
            return None;
        }
        if body.starts_with(b"qSupported") {
            self.agreed.supported = Some(body);
        } else if body.starts_with(b"Hg") {
            self.agreed.thread = Some(body);
        } else if let Some(tid) = body.strip_prefix(b"T").and_then(front::thread) {
            // gdb asks whether a thread is there when the user changes to it. (`Hg` comes for every list of threads, too.)
            self.view.choose(Some(tid));
        }
        self.flush(send);
        None
    }

    /// Where a thread's own variable is: `p1.2,OFFSET,ENTRY` names it by the thread, by where it lies among those of its file, and by the loader's
    /// entry of that.
    fn thread_local(&self, text: &[u8]) -> Option<u64> {
        let mut words = text.split(|&byte| byte == b',');
        let tid = front::thread(words.next()?)?;
        let (offset, entry) = (front::hex(words.next()?)?, front::hex(words.next()?)?);
        let block = self.view.world.borrow().thread_block(&self.view.subject, tid, entry)?;
        Some(block.wrapping_add(offset))
    }

    /// Whether there is each thread that a packet would let run. gdbstub would let the others run, and wait for this one.
    fn has_all(&self, body: &[u8]) -> bool {
        let threads = || self.view.world.borrow().threads(&self.view.subject);
        // 0 is any.
        front::resumed(body).into_iter().all(|tid| tid == 0 || threads().contains(&tid))
    }

    fn answer(&mut self, body: &[u8], send: &mut Vec<u8>) {
        self.last = framed(body);
        send.extend(&self.last);
    }
    fn flush(&mut self, send: &mut Vec<u8>) {
        let written = std::mem::take(&mut *self.pen.0.borrow_mut());
        if !written.is_empty() {
            send.extend(&written);
            self.last = written;
        }
    }

    /// A line on gdb's console, while it waits for the machine.
    pub(super) fn say(&self, text: &str, send: &mut Vec<u8>) {
        if self.runs() {
            send.extend(front::console(text));
        }
    }

    /// Tells gdb, which waits, that a thread has come to this.
    pub(super) fn report_hit(&mut self, tid: u64, hit: Hit, send: &mut Vec<u8>) {
        let Some(thread) = usize::try_from(tid).ok().and_then(Tid::new) else { return };
        let pc = self.view.world.borrow().registers(&self.view.subject, tid).map(|registers| registers.pc);
        let reason = match hit {
            Hit::Breakpoint if pc.is_some_and(|pc| self.view.hardware.contains(&pc)) => Stop::HwBreak(thread),
            Hit::Breakpoint => Stop::SwBreak(thread),
            Hit::Arrived | Hit::Step => Stop::SignalWithThread { tid: thread, signal: Signal::SIGTRAP },
            Hit::Watched(watchpoint, at) => {
                self.view.behind = Some((tid, at));
                let kind = match (watchpoint.loads, watchpoint.stores) {
                    (true, true) => WatchKind::ReadWrite,
                    (true, false) => WatchKind::Read,
                    (false, _) => WatchKind::Write,
                };
                Stop::Watch { tid: thread, kind, addr: watchpoint.va }
            }
        };
        if let Some(pc) = pc.filter(|_| self.view.behind.is_none()) {
            self.view.sentry.standing.insert(tid, pc);
        }
        self.report(reason, send);
    }

    /// Tells gdb, which waits, of a signal: of the thread `tid`, or of the one that has a hart.
    pub(super) fn report_signal(&mut self, tid: Option<u64>, number: u64, send: &mut Vec<u8>) {
        let (tid, pc) = {
            let world = self.view.world.borrow();
            let known = tid.filter(|&tid| world.registers(&self.view.subject, tid).is_some());
            let tid = known.or_else(|| world.current_thread(&self.view.subject));
            let registers = tid.and_then(|tid| world.registers(&self.view.subject, tid));
            (tid, registers.map(|registers| registers.pc))
        };
        if let (Some(tid), Some(pc)) = (tid, pc) {
            self.view.sentry.standing.insert(tid, pc);
        }
        let signal = gdbs_signal(number);
        let reason = match tid.and_then(|tid| usize::try_from(tid).ok()).and_then(Tid::new) {
            Some(tid) => Stop::SignalWithThread { tid, signal },
            None => Stop::Signal(signal),
        };
        self.report(reason, send);
    }

    /// Tells gdb, which waits, that what it follows has ended, with a status as `wait4` has it.
    pub(super) fn report_end(&mut self, status: u64, send: &mut Vec<u8>) {
        let reason = match status & 0x7f {
            0 => Stop::Exited(u8::try_from(status >> 8 & 0xff).unwrap_or(u8::MAX)),
            signal => Stop::Terminated(gdbs_signal(signal)),
        };
        self.report(reason, send);
    }

    fn report(&mut self, reason: Stop, send: &mut Vec<u8>) {
        self.view.sentry.steps.clear();
        self.view.choose(thread_of(&reason));
        self.stub = match self.stub.take() {
            Some(GdbStubStateMachine::Running(stub)) => stub.report_stop(&mut self.view, reason).ok(),
            other => other,
        };
        self.flush(send);
    }
}

/// The thread that gdb looks at where it is told of a stop.
fn thread_of(reason: &Stop) -> Option<u64> {
    match reason {
        Stop::SignalWithThread { tid, .. }
        | Stop::SwBreak(tid)
        | Stop::HwBreak(tid)
        | Stop::Watch { tid, .. } => Some(tid.get() as u64),
        _ => None,
    }
}

/// A signal by gdb's number: its numbers are those of no system, but the old ones.
fn gdbs_signal(linux: u64) -> Signal {
    Signal(match linux {
        7 => 10,  // SIGBUS
        10 => 30, // SIGUSR1
        12 => 31, // SIGUSR2
        17 => 20, // SIGCHLD
        18 => 19, // SIGCONT
        19 => 17, // SIGSTOP
        20 => 18, // SIGTSTP
        23 => 16, // SIGURG
        29 => 23, // SIGIO
        30 => 32, // SIGPWR
        31 => 12, // SIGSYS
        0..32 => u8::try_from(linux).unwrap_or(0),
        // 143 is "unknown".
        _ => 143,
    })
}
