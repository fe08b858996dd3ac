//! What a run is watched for on behalf of sessions: breakpoints, steps and watchpoints, compared by process and address; and the
//! registers that a program has when it leaves user mode, which are all there is of them until it comes back.

use crate::exec::{MemoryAccess, Observer};
use crate::hart::Hart;
use crate::trace::ThreadId;
use isa::csr::mstatus;
use isa::insn::Insn;
use isa::paging::Access;
use isa::{Exception, Interrupt, Privilege, Step, Trap, VirtAddr};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The registers of a thread.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Snapshot {
    pub(super) x: [u64; 32],
    pub(super) f: [u64; 32],
    pub(super) pc: u64,
    pub(super) fcsr: u64,
}

impl Snapshot {
    /// Those of a hart, its next instruction being at `pc`.
    pub(super) fn of(hart: &Hart, pc: u64) -> Self {
        Self { x: hart.x, f: hart.f, pc, fcsr: hart.csr.fcsr() }
    }
}

/// Whose instructions count.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum Scope {
    /// Those of a process, in user mode.
    Process { pid: u64, satp: u64 },
    /// All; each hart is a thread.
    Machine,
    /// Nobody's yet.
    #[default]
    Nobody,
}

/// A thread that is to make a step.
#[derive(Clone, Debug)]
pub(super) struct Stepping {
    pub(super) tid: u64,
    /// Where it is.
    pub(super) start: u64,
    /// It goes on as long as it stays in here.
    pub(super) range: Option<Range<u64>>,
    /// The instruction has been run, or has gone to the kernel for what it wants there.
    done: bool,
}

impl Stepping {
    pub(super) fn new(tid: u64, start: u64, range: Option<Range<u64>>) -> Self {
        Self { tid, start, range, done: false }
    }
    /// Whether the step ends before the instruction at `pc`.
    fn ends_at(&mut self, pc: u64) -> bool {
        if !self.done && pc == self.start {
            return false;
        }
        if self.range.as_ref().is_some_and(|range| range.contains(&pc)) {
            (self.start, self.done) = (pc, false);
            return false;
        }
        true
    }
}

/// Memory whose accesses stop the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Watchpoint {
    pub(super) va: u64,
    pub(super) len: u64,
    pub(super) loads: bool,
    pub(super) stores: bool,
}

impl Watchpoint {
    fn meets(&self, access: &MemoryAccess) -> bool {
        let wanted = if access.access == Access::Store { self.stores } else { self.loads };
        let (start, len) = (access.va.0, u64::from(access.width_bytes));
        wanted && start.wrapping_sub(self.va) < self.len
            || wanted && self.va.wrapping_sub(start) < len && self.len > 0
    }
}

/// Why a session is to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Hit {
    /// Its process is at its first instruction; the stack pointer there.
    Arrived,
    Breakpoint,
    Step,
    /// The instruction at this address, the one before, has met a watchpoint.
    Watched(Watchpoint, u64),
}

/// What a session wants to stop at.
#[derive(Debug, Default)]
pub(super) struct Sentry {
    pub(super) scope: Scope,
    /// The process has not run an instruction of its program: stop at the first.
    pub(super) arrives: bool,
    /// Addresses, in order.
    pub(super) breakpoints: BTreeSet<u64>,
    pub(super) watchpoints: Vec<Watchpoint>,
    pub(super) steps: Vec<Stepping>,
    /// Where each thread was told to be: what is there has been stopped at, also if it faults and runs again.
    pub(super) standing: BTreeMap<u64, u64>,
    /// A watchpoint that the running instruction has met, and its address.
    touched: Option<(Watchpoint, u64)>,
}

impl Sentry {
    /// Whether there is anything to stop a machine's session.
    pub(super) fn is_idle(&self) -> bool {
        self.breakpoints.is_empty() && self.watchpoints.is_empty() && self.steps.is_empty() && !self.arrives
    }

    /// Whether an instruction of a hart may count here: most are ruled out by the mode.
    fn may_count(&self, hart: &Hart) -> bool {
        hart.privilege == Privilege::User || self.scope == Scope::Machine
    }

    /// The thread that a hart runs, if it counts here.
    fn thread(&self, hart: &Hart, thread: Option<ThreadId>) -> Option<u64> {
        match self.scope {
            Scope::Process { pid, satp } if hart.privilege == Privilege::User && hart.csr.satp == satp => {
                thread.filter(|thread| thread.pid == pid).map(|thread| thread.tid)
            }
            Scope::Machine => Some(hart.id as u64 + 1),
            _ => None,
        }
    }

    /// Whether there is more than breakpoints to look at before an instruction, and something to note behind it.
    fn is_busy(&self) -> bool {
        self.arrives || self.touched.is_some() || !self.steps.is_empty() || !self.standing.is_empty()
    }

    fn before(&mut self, tid: u64, pc: u64) -> Option<Hit> {
        if !self.is_busy() {
            return self.breakpoints.contains(&pc).then_some(Hit::Breakpoint);
        }
        if std::mem::take(&mut self.arrives) {
            return Some(Hit::Arrived);
        }
        if let Some((watchpoint, at)) = self.touched.take() {
            return Some(Hit::Watched(watchpoint, at));
        }
        let mut steps = self.steps.iter_mut().filter(|step| step.tid == tid);
        if steps.any(|step| step.ends_at(pc)) {
            return Some(Hit::Step);
        }
        if self.standing.get(&tid).is_some_and(|&standing| standing != pc) {
            self.standing.remove(&tid);
        }
        let is_hit = self.breakpoints.contains(&pc) && !self.standing.contains_key(&tid);
        is_hit.then_some(Hit::Breakpoint)
    }

    /// The thread's instruction has been run; or it was one that the kernel does something for.
    fn has_run(&mut self, tid: u64) {
        self.standing.remove(&tid);
        for step in self.steps.iter_mut().filter(|step| step.tid == tid) {
            step.done = true;
        }
    }
}

/// Watches a run.
pub(super) struct Watch<'a> {
    pub(super) sentries: Vec<Sentry>,
    /// Which thread each hart runs: the same in all of the run, since a change of threads ends it.
    pub(super) threads: Vec<Option<ThreadId>>,
    pub(super) snapshots: &'a mut BTreeMap<ThreadId, Snapshot>,
    /// Processes that have begun another program, and have not run an instruction of it.
    pub(super) fresh: &'a mut BTreeSet<u64>,
    /// The stack pointer that each process's program began with.
    pub(super) entries: &'a mut BTreeMap<u64, u64>,
    pub(super) call: Arc<AtomicBool>,
    /// The session that is to stop, its thread, and why.
    pub(super) hit: Option<(usize, u64, Hit)>,
    /// Which of the sentries the accesses of the running instruction concern, and its address.
    pub(super) watched: Vec<usize>,
    pub(super) pc: u64,
    /// System calls that somebody wants to know of.
    pub(super) calls: Vec<u64>,
    /// The hart and the thread that has made one, with its stack still there.
    pub(super) called: Option<(usize, ThreadId)>,
}

impl Watch<'_> {
    fn thread_of(&self, hart: &Hart) -> Option<ThreadId> {
        self.threads.get(hart.id).copied().flatten()
    }

    /// A hart has left a program at `pc` for the kernel.
    fn left(&mut self, hart: &Hart, pc: VirtAddr, asks: bool) {
        let came_from_user = match hart.privilege {
            Privilege::Supervisor => hart.csr.mstatus & mstatus::SPP == 0,
            Privilege::Machine => hart.csr.mstatus & mstatus::MPP == 0,
            Privilege::User => false,
        };
        let Some(thread) = self.thread_of(hart).filter(|_| came_from_user) else { return };
        self.snapshots.insert(thread, Snapshot::of(hart, pc.0));
        for sentry in self.sentries.iter_mut().filter(|_| asks) {
            if matches!(sentry.scope, Scope::Process { pid, satp } if pid == thread.pid && satp == hart.csr.satp)
            {
                sentry.has_run(thread.tid);
            }
        }
    }
}

impl Observer for Watch<'_> {
    fn before(&mut self, hart: &Hart, _: Step) -> ControlFlow<()> {
        if self.call.load(Ordering::Relaxed) || self.called.is_some() {
            return ControlFlow::Break(());
        }
        if self.sentries.iter().all(|sentry| !sentry.may_count(hart)) {
            self.watched.clear();
            return ControlFlow::Continue(());
        }
        let thread = self.thread_of(hart);
        if hart.privilege == Privilege::User
            && !self.fresh.is_empty()
            && let Some(thread) = thread
            && self.fresh.remove(&thread.pid)
        {
            self.entries.insert(thread.pid, hart.x[usize::from(isa::reg::SP)]);
        }
        self.watched.clear();
        self.pc = hart.pc;
        for (index, sentry) in self.sentries.iter_mut().enumerate() {
            let Some(tid) = sentry.thread(hart, thread) else { continue };
            if let Some(hit) = sentry.before(tid, hart.pc) {
                self.hit = Some((index, tid, hit));
                return ControlFlow::Break(());
            }
            if !sentry.watchpoints.is_empty() {
                self.watched.push(index);
            }
        }
        ControlFlow::Continue(())
    }

    fn retired(&mut self, hart: &Hart, _: Step, _: VirtAddr, _: &Insn) {
        if self.sentries.iter().all(|sentry| sentry.steps.is_empty() && sentry.standing.is_empty()) {
            return;
        }
        let thread = self.thread_of(hart);
        for sentry in &mut self.sentries {
            if let Some(tid) = sentry.thread(hart, thread) {
                sentry.has_run(tid);
            }
        }
    }

    fn memory(&mut self, access: MemoryAccess) {
        for &index in &self.watched {
            let sentry = &mut self.sentries[index];
            let met = sentry.watchpoints.iter().find(|watchpoint| watchpoint.meets(&access));
            sentry.touched = met.map(|watchpoint| (*watchpoint, self.pc)).or(sentry.touched);
        }
    }

    fn exception(&mut self, hart: &Hart, _: Step, pc: VirtAddr, trap: Trap) {
        let is_call = trap.exception == Exception::EcallU;
        self.left(hart, pc, is_call);
        if is_call && self.calls.contains(&hart.x[usize::from(isa::reg::A7)]) {
            self.called = self.thread_of(hart).map(|thread| (hart.id, thread));
        }
        // A machine's step goes into the handler.
        for sentry in self.sentries.iter_mut().filter(|sentry| sentry.scope == Scope::Machine) {
            sentry.has_run(hart.id as u64 + 1);
        }
    }

    fn interrupt(&mut self, hart: &Hart, _: Step, pc: VirtAddr, _: Interrupt) {
        self.left(hart, pc, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_ends_behind_its_instruction_or_its_range() {
        let mut step = Stepping::new(1, 0x100, None);
        assert!(!step.ends_at(0x100), "it has faulted and runs again");
        step.done = true;
        assert!(step.ends_at(0x100), "a jump to itself");
        assert!(Stepping::new(1, 0x100, None).ends_at(0x200), "a handler runs");
        let mut step = Stepping::new(1, 0x100, Some(0x100..0x108));
        step.done = true;
        assert!(!step.ends_at(0x104) && !step.ends_at(0x104));
        step.done = true;
        assert!(step.ends_at(0x108));
    }

    #[test]
    fn a_watchpoint_is_met_by_any_byte_of_it() {
        let watched = |loads, stores| Watchpoint { va: 0x1002, len: 4, loads, stores };
        for (va, width_bytes, access, met) in [
            (0x1000, 2, Access::Store, false),
            (0x1000, 4, Access::Store, true),
            (0x1002, 1, Access::Store, true),
            (0x1005, 1, Access::Store, true),
            (0x1006, 8, Access::Store, false),
            (0x0ffe, 8, Access::Store, true),
            (0x1002, 4, Access::Load, false),
        ] {
            let access = MemoryAccess { va: VirtAddr(va), access, width_bytes, value: 0 };
            assert_eq!(watched(false, true).meets(&access), met, "{access:?}");
        }
        let load = MemoryAccess { va: VirtAddr(0x1002), access: Access::Load, width_bytes: 4, value: 0 };
        assert!(watched(true, false).meets(&load) && watched(true, true).meets(&load));
    }

    #[test]
    fn where_a_thread_stands_does_not_stop_it_again() {
        let mut sentry = Sentry { breakpoints: BTreeSet::from([0x100]), ..Sentry::default() };
        assert_eq!(sentry.before(1, 0x100), Some(Hit::Breakpoint));
        sentry.standing.insert(1, 0x100);
        assert_eq!(sentry.before(1, 0x100), None);
        assert_eq!(sentry.before(2, 0x100), Some(Hit::Breakpoint), "another thread has not stopped there");
        sentry.has_run(1);
        assert_eq!(sentry.before(1, 0x100), Some(Hit::Breakpoint), "it came round");
    }
}
