//! What all sessions look at: the machine, its events, and the registers that threads had when they left user mode.

use super::Host;
use super::files::GuestRoot;
use super::sentry::{Snapshot, Watch};
use crate::debug::forks::Forked;
use crate::debug::peek::{self, Files, View};
use crate::debug::{Debugger, Registers, SharedTap, thread_local};
use crate::source::Programs;
use crate::trace::{GuestView, ProcessView, ThreadId};
use isa::paging::{Satp, Translation};
use isa::{PAGE_SIZE, Privilege, VirtAddr};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The world as all sessions share it.
pub(super) type SharedWorld<'d> = Rc<RefCell<World<'d>>>;

/// What a session is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Subject {
    /// The harts of the machine, whatever they run.
    Machine,
    /// A process.
    Process(u64),
    /// A process that there is not yet.
    Nobody,
}

impl Subject {
    pub(super) fn pid(&self) -> Option<u64> {
        if let Self::Process(pid) = self { Some(*pid) } else { None }
    }
}

/// See [`SharedWorld`].
pub(super) struct World<'d> {
    host: &'d mut dyn Host,
    pub(super) debugger: Debugger,
    pub(super) tap: SharedTap,
    files: Files,
    pub(super) root: Box<dyn GuestRoot>,
    /// Files that are not in the guest's root: the kernel.
    pub(super) own_files: BTreeMap<String, Rc<Vec<u8>>>,
    snapshots: BTreeMap<ThreadId, Snapshot>,
    pub(super) fresh: BTreeSet<u64>,
    pub(super) entries: BTreeMap<u64, u64>,
    /// A session has killed the run.
    pub(super) is_killed: bool,
}

/// What has come of a run.
pub(super) struct Watched {
    pub(super) ran: super::Ran,
    pub(super) sentries: Vec<super::sentry::Sentry>,
    /// The session that is to stop, its thread, and why.
    pub(super) hit: Option<(usize, u64, super::sentry::Hit)>,
    /// The hart and the thread that has made a system call which somebody wants to know of, with its program's registers.
    pub(super) called: Option<(usize, ThreadId, Registers)>,
}

impl<'d> World<'d> {
    pub(super) fn new(
        host: &'d mut dyn Host,
        debugger: Debugger,
        tap: SharedTap,
        programs: Rc<Programs>,
        root: Box<dyn GuestRoot>,
    ) -> Self {
        Self {
            host,
            debugger,
            tap,
            files: Files::new(programs),
            root,
            own_files: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            fresh: BTreeSet::new(),
            entries: BTreeMap::new(),
            is_killed: false,
        }
    }
    pub(super) fn host(&self) -> &dyn Host {
        self.host
    }
    pub(super) fn host_mut(&mut self) -> &mut dyn Host {
        self.host
    }
    /// The debugger, and the machine as it sees it.
    pub(super) fn prompt(&mut self) -> (&mut Debugger, &mut dyn crate::debug::Target) {
        (&mut self.debugger, self.host)
    }
    /// Something of the guest as its events tell of it.
    pub(super) fn guest<R>(&self, look: impl FnOnce(&GuestView) -> R) -> R {
        look(&self.tap.borrow().trace().guest)
    }
    /// The `satp` of a process that lives and has an address space.
    pub(super) fn satp_of(&self, pid: u64) -> Option<u64> {
        let is_there = |process: &&ProcessView| process.is_alive() && process.satp != 0;
        self.guest(|guest| guest.process(pid).filter(is_there).map(|process| process.satp))
    }
    /// The thread that each hart runs.
    fn threads_on_harts(&self) -> Vec<Option<ThreadId>> {
        let tap = self.tap.borrow();
        (0..self.host.harts()).map(|hart| tap.trace().history.running_on(hart)).collect()
    }

    /// Runs the machine, watched by these sentries, which come back.
    pub(super) fn run(&mut self, sentries: Vec<super::sentry::Sentry>, is_plain: bool) -> Watched {
        let threads = self.threads_on_harts();
        let call = self.host.call();
        let calls = self.debugger.calls_wanted();
        if is_plain && calls.is_empty() {
            return Watched { ran: self.host.run_on(None), sentries, hit: None, called: None };
        }
        let Self { host, snapshots, fresh, entries, .. } = self;
        let mut watch = Watch {
            sentries,
            threads,
            snapshots,
            fresh,
            entries,
            call,
            hit: None,
            watched: Vec::new(),
            pc: 0,
            calls,
            called: None,
        };
        let ran = host.run_on(Some(&mut watch));
        let Watch { sentries, hit, called, .. } = watch;
        let called = called.and_then(|(hart, ThreadId { pid, tid })| {
            let (thread, registers) = self.program_in_kernel(&Subject::Process(pid), tid)?;
            Some((hart, thread, registers))
        });
        Watched { ran, sentries, hit, called }
    }

    /// Forgets a process that has ended.
    pub(super) fn forget(&mut self, pid: u64) {
        self.snapshots.retain(|thread, _| thread.pid != pid);
        self.fresh.remove(&pid);
        self.entries.remove(&pid);
    }

    /// The hart that has a thread in its own code; of a machine the hart that the thread is.
    pub(super) fn hart_of(&self, subject: &Subject, tid: u64) -> Option<usize> {
        match *subject {
            Subject::Machine => {
                let hart = usize::try_from(tid.checked_sub(1)?).ok()?;
                (hart < self.host.harts()).then_some(hart)
            }
            Subject::Process(pid) => {
                let satp = self.satp_of(pid)?;
                let harts = self.host.machine().harts().iter().zip(self.threads_on_harts());
                let mut runs_it = harts.filter(|(hart, thread)| {
                    *thread == Some(ThreadId { pid, tid })
                        && hart.privilege == Privilege::User
                        && hart.csr.satp == satp
                });
                runs_it.next().map(|(hart, _)| hart.id)
            }
            Subject::Nobody => None,
        }
    }

    /// The registers of a thread: those it has, or those it had when it went to the kernel.
    pub(super) fn registers(&self, subject: &Subject, tid: u64) -> Option<Snapshot> {
        if let Some(hart) = self.hart_of(subject, tid) {
            let hart = &self.host.machine().harts()[hart];
            return Some(Snapshot::of(hart, hart.pc));
        }
        self.snapshots.get(&ThreadId { pid: subject.pid()?, tid }).copied()
    }

    /// A process was made: it begins with its parent's registers, but for what the call says.
    pub(super) fn note_fork(&mut self, forked: &Forked) {
        let Some(&Snapshot { x, f, pc, fcsr }) = self.snapshots.get(&forked.parent) else { return };
        let (hart, privilege) = (self.host.next_hart(), Privilege::User);
        let parent = Registers { hart, pc: VirtAddr(pc), x, f, privilege, satp: Satp(0) };
        if let Some(Registers { x, f, pc, .. }) = self.debugger.child_registers(forked, &parent) {
            let thread = ThreadId { pid: forked.child, tid: forked.child };
            self.snapshots.insert(thread, Snapshot { x, f, pc: pc.0, fcsr });
        }
    }

    /// Tells the debugger with which registers a thread has gone to the kernel, where it has ended.
    pub(super) fn note_last_trap(&mut self, thread: ThreadId) {
        let Some(&Snapshot { x, f, pc, .. }) = self.snapshots.get(&thread) else { return };
        let (hart, privilege) = (self.host.next_hart(), Privilege::User);
        let registers = Registers { hart, pc: VirtAddr(pc), x, f, privilege, satp: Satp(0) };
        let step = self.host.step();
        self.debugger.keep_last_trap(thread, registers, step);
    }

    /// A thread of a process that is in the kernel, with the registers that its program has.
    pub(super) fn program_in_kernel(&self, subject: &Subject, tid: u64) -> Option<(ThreadId, Registers)> {
        let pid = subject.pid()?;
        let Snapshot { x, f, pc, .. } = self.registers(subject, tid)?;
        let (hart, privilege) = (self.host.next_hart(), Privilege::User);
        let satp = Satp(self.satp_of(pid)?);
        Some((ThreadId { pid, tid }, Registers { hart, pc: VirtAddr(pc), x, f, privilege, satp }))
    }

    /// The threads whose registers are known.
    pub(super) fn threads(&self, subject: &Subject) -> Vec<u64> {
        match *subject {
            Subject::Machine => (1..=self.host.harts() as u64).collect(),
            Subject::Process(pid) => {
                let all = self.guest(|guest| {
                    guest.process(pid).map(|process| process.threads.clone()).unwrap_or_default()
                });
                all.into_iter().filter(|&tid| self.registers(subject, tid).is_some()).collect()
            }
            Subject::Nobody => vec![1],
        }
    }

    /// The thread that has a hart now, or the first.
    pub(super) fn current_thread(&self, subject: &Subject) -> Option<u64> {
        let threads = self.threads(subject);
        let running = match *subject {
            Subject::Machine => Some(self.host.next_hart() as u64 + 1),
            Subject::Process(pid) => {
                let on_harts = self.threads_on_harts();
                on_harts.into_iter().flatten().find(|thread| thread.pid == pid).map(|thread| thread.tid)
            }
            Subject::Nobody => None,
        };
        running.filter(|tid| threads.contains(tid)).or_else(|| threads.first().copied())
    }

    /// How addresses of a thread are translated, `Some(None)` being not at all; `None` if there are no addresses.
    pub(super) fn translation(&self, subject: &Subject, tid: u64) -> Option<Option<Translation>> {
        match *subject {
            Subject::Machine => {
                let hart = &self.host.machine().harts()[self.hart_of(subject, tid)?];
                Some(match hart.privilege {
                    Privilege::Machine => None,
                    _ => Translation::of(Satp(hart.csr.satp)),
                })
            }
            Subject::Process(pid) => Some(Some(Translation::of(Satp(self.satp_of(pid)?))?)),
            Subject::Nobody => None,
        }
    }

    /// Where the variables begin that a thread of a process has of a file, by the loader's entry of that; 0 if the program needs none.
    pub(super) fn thread_block(&self, subject: &Subject, tid: u64, entry: u64) -> Option<u64> {
        let pointer = self.registers(subject, tid)?.x[usize::from(isa::reg::TP)];
        let read = |at| {
            let mut bytes = [0; 8];
            let is_whole = self.read_memory(subject, tid, VirtAddr(at), &mut bytes) == bytes.len();
            is_whole.then(|| u64::from_le_bytes(bytes))
        };
        if thread_local::is_program(&read, entry) {
            return Some(pointer);
        }
        let program = self.guest(|guest| guest.first_page_of_program(subject.pid()?))?;
        thread_local::block_of(&read, pointer, program.0, entry)
    }

    /// Fills `into` with memory as a thread sees it, as far as there is any. How many bytes.
    pub(super) fn read_memory(&self, subject: &Subject, tid: u64, va: VirtAddr, into: &mut [u8]) -> usize {
        let mut done = 0;
        while done < into.len() {
            let at = va.wrapping_add(done as u64);
            let room = usize::try_from(PAGE_SIZE - at.page_offset()).unwrap_or(0);
            let len = room.min(into.len() - done);
            if !self.read_in_page(subject, tid, at, &mut into[done..done + len]) {
                break;
            }
            done += len;
        }
        done
    }

    fn read_in_page(&self, subject: &Subject, tid: u64, at: VirtAddr, into: &mut [u8]) -> bool {
        if let Subject::Process(pid) = *subject {
            let Some(satp) = self.satp_of(pid) else { return false };
            let tap = self.tap.borrow();
            let view = View { memory: self.host, trace: tap.trace(), files: &self.files };
            return peek::read(&view, pid, Satp(satp), at, into).is_ok();
        }
        let Some(translation) = self.translation(subject, tid) else { return false };
        let pa = match translation {
            None => isa::PhysAddr(at.0),
            Some(by) => {
                let ram = self.host.machine().ram();
                let Ok(leaf) = isa::paging::walk(by, at, |entry| ram.read_u64(entry)) else {
                    return self.read_absent(tid, at, into);
                };
                leaf.frame(at).base().wrapping_add(at.page_offset())
            }
        };
        self.host.read_ram(pa, into)
    }

    /// Memory of the process that a hart runs, whose page is not in memory.
    fn read_absent(&self, tid: u64, at: VirtAddr, into: &mut [u8]) -> bool {
        let thread = self.hart_of(&Subject::Machine, tid).and_then(|hart| {
            let satp = self.host.machine().harts()[hart].csr.satp;
            self.guest(|guest| guest.process_of_satp(satp).map(|process| (process.pid, process.satp)))
        });
        let Some((pid, satp)) = thread else { return false };
        let tap = self.tap.borrow();
        let view = View { memory: self.host, trace: tap.trace(), files: &self.files };
        peek::read(&view, pid, Satp(satp), at, into).is_ok()
    }
}
