//! What can be waited for: one name for everything whose readiness others change.
//!
//! Every kind of object comes here with one row: [`Source`] names it, `OpenFiles::poll` says whether it is ready and what to sleep on,
//! and who changes it calls [`Changes::note`]. So `poll`, `epoll`, a blocking call and the kernel's wake-ups agree by construction.

use crate::{
    AnonymousId, Device, Errno, Object, OpenFileId, OpenFiles, OpenFlags, PipeId, Readiness, SocketId,
    TerminalEnd, TerminalId,
};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Something whose readiness others change: what a thread sleeps on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// What comes from the host's standard input, where it is no terminal.
    Console,
    /// A pipe, both its ends.
    Pipe(PipeId),
    /// A socket.
    Socket(SocketId),
    /// An end of a terminal.
    Terminal(TerminalId, TerminalEnd),
    /// Signals, of whatever process.
    Signals,
    /// The end of a process, whichever.
    Processes,
    /// A file without a name: a counter of events, a timer …
    Anonymous(AnonymousId),
}

/// How often something has become ready, or readier, in each direction: what edge-triggered waiting compares.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Edges {
    /// To be read.
    pub input: u64,
    /// To be written.
    pub output: u64,
}

impl Edges {
    /// Those of two things that are looked at as one.
    pub fn and(self, other: Edges) -> Edges {
        Edges { input: self.input.wrapping_add(other.input), output: self.output.wrapping_add(other.output) }
    }
}

/// Who waits for one source by edges, and what they have missed.
#[derive(Debug, Default)]
struct Watched {
    edges: Edges,
    watchers: u32,
}

/// Tells of changes: wakes who sleeps, and counts for who waits by edges.
#[derive(Debug)]
pub struct Changes {
    /// Wakes everyone who sleeps on a source. Takes no memory and never sleeps.
    wake: fn(Source),
    /// The sources that someone counts.
    watched: BTreeMap<Source, Watched>,
}

impl Changes {
    pub(crate) fn new(wake: fn(Source)) -> Changes {
        Changes { wake, watched: BTreeMap::new() }
    }

    /// `source` has become readier for what is said. A change that makes nothing readier is none.
    pub fn note(&mut self, source: Source, what: Readiness) {
        if let Some(watched) = self.watched.get_mut(&source) {
            watched.edges.input += u64::from(what.contains(Readiness::IN));
            watched.edges.output += u64::from(what.contains(Readiness::OUT));
        }
        (self.wake)(source);
    }

    /// The counts so far. Only what is watched is counted.
    pub(crate) fn edges(&self, source: Source) -> Edges {
        self.watched.get(&source).map_or(Edges::default(), |watched| watched.edges)
    }

    /// Begins to count a source, for one watcher more.
    pub(crate) fn watch(&mut self, source: Source) {
        self.watched.entry(source).or_default().watchers += 1;
    }

    /// One watcher less.
    pub(crate) fn unwatch(&mut self, source: Source) {
        let Some(watched) = self.watched.get_mut(&source) else { return };
        watched.watchers -= 1;
        if watched.watchers == 0 {
            self.watched.remove(&source);
        }
    }
}

/// What to sleep on until something may be ready.
#[derive(Debug, Default)]
pub struct Waits {
    /// Until one of these changes.
    pub sources: Vec<Source>,
    /// Or until this time, in ticks.
    pub deadline: Option<u64>,
}

impl Waits {
    /// Also until `source` changes. ENOMEM.
    pub fn push(&mut self, source: Source) -> Result<(), Errno> {
        self.sources.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.sources.push(source);
        Ok(())
    }

    /// Not after `deadline`.
    pub fn until(&mut self, deadline: u64) {
        self.deadline = Some(self.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
    }
}

/// Why a call cannot be done now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hold {
    /// It fails.
    Errno(Errno),
    /// It can be tried again when this has changed.
    Wait(Source),
    /// It can be tried again then, in ticks, or when the source has changed.
    Until(Source, u64),
}

impl From<Errno> for Hold {
    fn from(errno: Errno) -> Hold {
        Hold::Errno(errno)
    }
}

/// What is ready by what only the kernel knows: its console, its signals, its clock.
pub trait Surroundings {
    /// Whether a read of the console would not wait. Sees to it that it will be known.
    fn console_has_input(&self) -> bool;
    /// Somebody awaits input of a terminal.
    fn awaits_terminal(&self, terminal: TerminalId);
    /// The signals that wait for the running thread, bit n-1 for signal n.
    fn pending_signals(&self) -> u64;
    /// Whether a process that was made at this time has ended.
    fn has_ended(&self, pid: u32, birth: u64) -> bool;
    /// Ticks since the start.
    fn now(&self) -> u64;
}

impl OpenFiles {
    /// Which of the events in `wanted` have come for a file, with those that come unasked; and what to sleep on until others do, if that
    /// is anything.
    pub fn poll(
        &self,
        id: OpenFileId,
        wanted: Readiness,
        around: &dyn Surroundings,
        waits: &mut Waits,
    ) -> Result<Readiness, Errno> {
        const UNASKED: Readiness = Readiness::ERR.union(Readiness::HUP);
        let file = self.get(id);
        let ready = match file.object {
            _ if file.flags.contains(OpenFlags::PATH) => return Ok(Readiness::NVAL),
            Object::Pipe { pipe, end } => {
                waits.push(Source::Pipe(pipe))?;
                with_norms(self.pipe(pipe).map_or(Readiness::empty(), |p| p.readiness(end)))
            }
            Object::Anonymous(number) => self.poll_anonymous(number, around, waits)?,
            Object::Socket(socket) => {
                waits.push(Source::Socket(socket))?;
                if let Some(other) = self.sockets().also_waits_for(socket) {
                    waits.push(Source::Socket(other))?;
                }
                with_norms(self.sockets().readiness(socket))
            }
            Object::Terminal { terminal, end } => {
                waits.push(Source::Terminal(terminal, end))?;
                if wanted.intersects(Readiness::IN | Readiness::RDNORM) {
                    around.awaits_terminal(terminal);
                }
                with_norms(self.terminals().readiness(terminal, end))
            }
            Object::Device(Device::Stdio { .. }) => {
                waits.push(Source::Console)?;
                let awaits_input = wanted.intersects(Readiness::IN | Readiness::RDNORM);
                let input = if awaits_input && around.console_has_input() {
                    Readiness::IN
                } else {
                    Readiness::empty()
                };
                with_norms(Readiness::OUT | input)
            }
            _ => with_norms(Readiness::IN | Readiness::OUT),
        };
        Ok(ready & (wanted | UNASKED))
    }
}

/// Adds what Linux tells beside the plain bits.
fn with_norms(ready: Readiness) -> Readiness {
    let mut all = ready;
    all.set(Readiness::RDNORM, ready.contains(Readiness::IN));
    all.set(Readiness::WRNORM, ready.contains(Readiness::OUT));
    all
}
