//! The debugger's ear on the event stream: the fold of what the guest did, and the catchpoints.
//!
//! The embedder gives every event to [`Tap::take_in`] and does what it answers.

use super::catches::{self, Catch};
use super::forks::Forked;
use crate::host::EventAction;
use crate::trace::{
    Attribution, Death, Event, FIRST_PROCESS, ProcessView, ThreadId, Trace, Trap, explain, explain_departure,
};
use isa::events::EventKind;
use isa::{Ppn, VirtAddr};
use std::cell::RefCell;
use std::rc::Rc;

/// A tap that both the event sink and the debugger hold.
pub type SharedTap = Rc<RefCell<Tap>>;

/// An event that catchpoints mean.
#[derive(Clone, Debug)]
pub(super) struct Caught {
    /// The catchpoints.
    pub(super) ids: Vec<u64>,
    /// Catchpoints of other kinds of faults, which wait for one at an address that may be this.
    pub(super) others: Vec<u64>,
    pub(super) event: Event,
    /// The address that it is about.
    pub(super) va: VirtAddr,
    /// The process that it is about.
    pub(super) pid: u64,
}

/// What the debugger has heard of the guest, and what it waits for.
#[derive(Debug, Default)]
pub struct Tap {
    trace: Trace,
    /// By the numbers of the catchpoints.
    catches: Vec<(u64, Catch)>,
    /// Those that wait for a fault at some address: they hear of faults of other kinds, too.
    waiting: Vec<u64>,
    caught: Option<Caught>,
    /// What there is to say of the last page fault, by the state of things at that time.
    explanation: Option<String>,
    /// What there is to say of the last page that left memory, by the state of things before.
    departure: Option<String>,
    /// Some breakpoint waits for a program to be mapped.
    wants_programs: bool,
    /// The end of this thread, or of its process, is waited for.
    awaited: Option<ThreadId>,
    /// There is a debugger, which asks which threads harts have left and why faults happened.
    is_followed: bool,
    switches: Vec<(usize, Option<ThreadId>)>,
    forks: Vec<Forked>,
    /// Whether the debugger comes back where a signal ends a process that went wrong.
    stops_at_deaths: bool,
    /// What told the registers of one that has not been stopped at yet.
    died: Option<Event>,
}

impl Tap {
    /// Takes in the next event. `Stop` means: come back to the debugger before the next instruction.
    pub fn take_in(&mut self, event: &Event) -> EventAction {
        let left = self.trace.history.running_on(event.hart);
        let holder = self.is_followed.then(|| holder_of_leaving(event, &self.trace)).flatten();
        if self.is_followed {
            self.departure = explain_departure(event, &self.trace).or_else(|| self.departure.take());
        }
        self.trace.fold(event);
        if self.is_followed && event.is_fault() {
            self.explanation = explain(event, &self.trace);
        }
        let Some(kind) = event.kind() else { return EventAction::Continue };
        let is_switch = self.is_followed && kind == EventKind::Switch;
        if is_switch {
            self.switches.push((event.hart, left));
        }
        let is_fork = self.is_followed && kind == EventKind::Fork;
        if is_fork {
            self.forks.push(Forked::told_by(event));
        }
        let trap = self.trace.history.last_trap().filter(|trap| {
            kind == EventKind::Signal && trap.step == event.step && trap.pid == event.record.pid
        });
        let means = |(id, catch): &(u64, Catch)| catch.means(&self.trace, event, trap).then_some(*id);
        let ids: Vec<u64> = self.catches.iter().filter_map(means).collect();
        let is_fault = event.is_fault();
        let others = self.waiting.iter().copied().filter(|id| is_fault && !ids.contains(id));
        let others: Vec<u64> = others.collect();
        if !ids.is_empty() || !others.is_empty() {
            let (pid, va) = holder.unwrap_or_else(|| (event.record.pid, catches::address(event, trap)));
            self.caught = Some(Caught { ids, others, event: event.clone(), va, pid });
            return EventAction::Stop;
        }
        let ends = matches!(kind, EventKind::Exit | EventKind::ThreadExit);
        if is_switch || is_fork || ends && self.awaited_end().is_some() {
            return EventAction::Stop;
        }
        let is_crash = || self.trace.history.dying(event.record.pid).is_some_and(Death::is_by_itself);
        if self.stops_at_deaths && kind == EventKind::Registers && is_crash() {
            self.died = Some(event.clone());
            return EventAction::Stop;
        }
        let maps_a_program = kind == EventKind::Mmap && event.record.detail != 0;
        if self.wants_programs && (maps_a_program || matches!(kind, EventKind::Exec | EventKind::Fork)) {
            return EventAction::Stop;
        }
        EventAction::Continue
    }
    /// Forgets what was heard: the machine begins anew. What is listened for stays.
    pub fn begin_anew(&mut self) {
        let attributes = self.trace.attribution.is_some();
        let Self { catches, waiting, wants_programs, is_followed, stops_at_deaths, .. } =
            std::mem::take(self);
        *self = Self { catches, waiting, wants_programs, is_followed, stops_at_deaths, ..Self::default() };
        if attributes {
            self.attribute();
        }
    }

    /// There is no debugger any more: nothing is listened for.
    pub fn leave(&mut self) {
        *self = Self { trace: std::mem::take(&mut self.trace), ..Self::default() };
    }

    /// Tells apart who is the cause of page faults, from now on.
    pub fn attribute(&mut self) {
        self.trace.attribution = Some(Attribution::default());
    }
    /// What was heard so far.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The last page fault, explained; one before the debugger came by the state of things now.
    pub fn explanation(&self) -> Option<String> {
        self.explanation.clone().or_else(|| explain(self.trace.last_fault.as_ref()?, &self.trace))
    }

    /// The last page that left memory, explained.
    pub(super) fn departure(&self) -> Option<&str> {
        self.departure.as_deref()
    }

    /// The last exception, if it is one that is no page fault and no fault has come since.
    pub(super) fn trap(&self) -> Option<&Trap> {
        let since = self.trace.last_fault.as_ref().map(|fault| fault.step);
        self.trace.history.last_trap().filter(|trap| since.is_none_or(|since| since < trap.step))
    }

    pub(super) fn set_wants_programs(&mut self, wanted: bool) {
        self.wants_programs = wanted;
    }
    /// From now on each fault is explained when it comes, and the debugger comes back whenever a hart is given to another thread, or a
    /// process is made.
    pub(super) fn follow(&mut self) {
        self.is_followed = true;
    }
    /// The harts that were given to other threads since the last time, and the threads that they left.
    pub(super) fn take_switches(&mut self) -> Vec<(usize, Option<ThreadId>)> {
        std::mem::take(&mut self.switches)
    }
    /// The processes that were made since the last time.
    pub(super) fn take_forks(&mut self) -> Vec<Forked> {
        std::mem::take(&mut self.forks)
    }
    /// The end of this thread, or of its process, is waited for, too.
    pub(super) fn set_awaited(&mut self, thread: Option<ThreadId>) {
        self.awaited = thread;
    }
    /// Who was waited for, if it has ended and the machine does not end with it: the thread, and its process unless other threads of it go on.
    pub(super) fn awaited_end(&self) -> Option<(ThreadId, &ProcessView)> {
        let thread = self.awaited?;
        let process = self.trace.guest.process(thread.pid)?;
        // The end of the last thread is told before that of the process.
        let has_others = !process.threads.is_empty() && !process.threads.contains(&thread.tid);
        let has_ended = !process.is_alive() && thread.pid != FIRST_PROCESS;
        (has_ended || has_others).then_some((thread, process))
    }
    /// The catchpoints that count from now on, by their numbers; those `waiting` hear of faults of other kinds, too.
    pub(super) fn set_catches(&mut self, catches: Vec<(u64, Catch)>, waiting: Vec<u64>) {
        (self.catches, self.waiting) = (catches, waiting);
    }
    /// From now on the debugger comes back where a signal ends a process that went wrong.
    pub(super) fn set_stops_at_deaths(&mut self) {
        self.stops_at_deaths = true;
    }
    pub(super) fn take_died(&mut self) -> Option<Event> {
        self.died.take()
    }
    pub(super) fn take_caught(&mut self) -> Option<Caught> {
        self.caught.take()
    }
}

/// Whose the page is that leaves memory, or the entry that is emptied, and where: of several who map it the first. `trace` is the state of things before.
fn holder_of_leaving(event: &Event, trace: &Trace) -> Option<(u64, VirtAddr)> {
    let record = &event.record;
    let (space, va) = match event.kind()? {
        EventKind::EvictEntry => (record.space, VirtAddr(record.va)),
        EventKind::Evict | EventKind::SwapOut => {
            let &(space, page) = trace.guest.frame(Ppn(record.frame))?.mappings.first()?;
            (space, page.base())
        }
        _ => return None,
    };
    Some((trace.guest.process_of_space(space)?.pid, va))
}
