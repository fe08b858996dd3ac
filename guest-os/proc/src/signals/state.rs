//! The state of signals: a process's part and a thread's.

use super::pending::Pending;
use super::{Action, AltStack, DefaultAction, Delivery, Disposition, SigInfo, Signal, SignalSet};
use alloc::rc::Rc;
use core::cell::Cell;
use linux_raw_sys::general as linux;

/// A real-time signal that cannot be kept: as many wait as may (EAGAIN).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueFull;

/// A process's part: what is to be done with each signal, and what was sent to the process as a whole.
#[derive(Debug)]
pub struct ProcessSignals {
    /// One a signal; those share them that `clone` has made so (CLONE_SIGHAND).
    actions: Rc<[Cell<Action>]>,
    pending: Pending,
}

impl Default for ProcessSignals {
    fn default() -> Self {
        Self { actions: (0..Signal::COUNT).map(|_| Cell::default()).collect(), pending: Pending::with_room() }
    }
}

impl ProcessSignals {
    /// The part of a forked child: the same actions, nothing pending.
    pub fn forked(&self) -> Self {
        Self { actions: self.actions.iter().cloned().collect(), ..self.shared() }
    }
    /// The part of a child that shares the actions, for as long as it executes the same program: nothing is pending.
    pub fn shared(&self) -> Self {
        Self { actions: self.actions.clone(), pending: Pending::with_room() }
    }
    /// Forgets handlers; what is ignored stays so.
    pub fn forget_handlers(&mut self) {
        for action in self.actions.iter().filter(|action| action.get().disposition() == Disposition::Handler)
        {
            action.set(Action::default());
        }
    }
    /// After `execve`: handlers are forgotten, ignored signals stay ignored, what is pending stays.
    pub fn exec(&mut self) {
        if Rc::strong_count(&self.actions) > 1 {
            self.actions = self.actions.iter().cloned().collect();
        }
        for action in self.actions.iter() {
            let is_ignored = action.get().disposition() == Disposition::Ignore;
            let handler = if is_ignored { action.get().handler } else { 0 };
            action.set(Action { handler, ..Action::default() });
        }
    }
    /// How many signals wait for the process as a whole, and how many of them are timers'.
    pub fn counts(&self) -> (usize, usize) {
        self.pending.counts()
    }
    /// The action of a signal.
    pub fn action(&self, signal: Signal) -> Action {
        self.actions[signal.index()].get()
    }
    /// Sets the action of a signal other than SIGKILL and SIGSTOP. Whether it makes the signal ignored: then pending instances
    /// vanish, here and, by [`ThreadSignals::discard`], in each thread.
    #[must_use]
    pub fn set_action(&mut self, signal: Signal, action: Action) -> bool {
        self.actions[signal.index()].set(Action { mask: action.mask.blockable(), ..action });
        let is_ignored = self.is_ignored(signal);
        if is_ignored {
            self.pending.remove(signal);
        }
        is_ignored
    }
    /// What was sent to the process and taken by no thread yet.
    pub fn pending(&self) -> SignalSet {
        self.pending.set()
    }
    /// Makes a signal pending for whichever thread takes it. `kept` are the signals that every thread [keeps](ThreadSignals::kept).
    /// `has_room` is whether one more may wait, if it [needs room](SigInfo::needs_room). Whether there is something to take: a thread that
    /// does not block it is to be woken.
    pub fn post(&mut self, info: SigInfo, kept: SignalSet, has_room: bool) -> Result<bool, QueueFull> {
        if self.drops(info.signal, kept) {
            return Ok(info.signal == Signal::CONT);
        }
        self.pending.add(info, has_room)?;
        Ok(true)
    }
    /// Whether a signal that is sent now vanishes: it is ignored, and not one of those that are [kept](ThreadSignals::kept).
    pub fn drops(&self, signal: Signal, kept: SignalSet) -> bool {
        self.is_ignored(signal) && !kept.contains(signal)
    }
    /// A pending signal of this number vanishes.
    pub fn discard(&mut self, signal: Signal) {
        self.pending.remove(signal);
    }
    /// The signal is done with by default from now on.
    fn forget(&self, signal: Signal) {
        let action = &self.actions[signal.index()];
        action.set(Action { handler: 0, ..action.get() });
    }
    fn is_ignored(&self, signal: Signal) -> bool {
        match self.action(signal).disposition() {
            Disposition::Ignore => true,
            Disposition::Default => {
                matches!(signal.default_action(), DefaultAction::Ignore | DefaultAction::Continue)
            }
            Disposition::Handler => false,
        }
    }
}

/// A thread's part: what it blocks, and what was sent to it alone.
#[derive(Debug)]
pub struct ThreadSignals {
    pending: Pending,
    blocked: SignalSet,
    /// The mask to go back to after a call that waits with another one.
    suspended_mask: Option<SignalSet>,
    /// Its alternate stack.
    pub alt_stack: AltStack,
}

impl Default for ThreadSignals {
    fn default() -> Self {
        Self {
            pending: Pending::default(),
            blocked: SignalSet::default(),
            suspended_mask: None,
            alt_stack: AltStack::NONE,
        }
    }
}

impl ThreadSignals {
    /// The part of a new thread made by this one, in its own process or in a forked child: the same mask, nothing pending.
    pub fn inherited(&self, alt_stack: AltStack) -> Self {
        Self { blocked: self.blocked, alt_stack, ..Self::default() }
    }
    /// After `execve`: the alternate stack is gone, the mask and what is pending stay.
    pub fn exec(&mut self) {
        self.alt_stack = AltStack::NONE;
    }
    /// The blocked signals.
    pub fn blocked(&self) -> SignalSet {
        self.blocked
    }
    /// The signals that stay pending though they are ignored: those that are blocked, since their action may change before they are
    /// taken, and those that are blocked but for a wait that is going on.
    pub fn kept(&self) -> SignalSet {
        self.suspended_mask.map_or(self.blocked, |mask| mask.union(self.blocked))
    }
    /// Blocks exactly these.
    pub fn set_blocked(&mut self, set: SignalSet) {
        self.blocked = set.blockable();
    }
    /// Blocks these until the next handler has been started (`rt_sigsuspend`, `ppoll`).
    pub fn suspend_with(&mut self, set: SignalSet) {
        self.suspended_mask.get_or_insert(self.blocked);
        self.blocked = set.blockable();
    }
    /// Goes back to the mask before [`ThreadSignals::suspend_with`] if no handler has taken it along.
    pub fn end_suspension(&mut self) {
        if let Some(mask) = self.suspended_mask.take() {
            self.blocked = mask;
        }
    }
    /// The signals pending for this thread alone.
    pub fn pending_alone(&self) -> SignalSet {
        self.pending.set()
    }
    /// How many signals wait for this thread alone, and how many of them are timers'.
    pub fn counts(&self) -> (usize, usize) {
        self.pending.counts()
    }
    /// The signals pending for this thread or for its process.
    #[inline]
    pub fn pending(&self, process: &ProcessSignals) -> SignalSet {
        self.pending.set().union(process.pending.set())
    }
    /// Whether an unblocked signal waits for delivery.
    #[inline]
    pub fn has_deliverable(&self, process: &ProcessSignals) -> bool {
        !self.pending(process).without(self.blocked).is_empty()
    }
    /// Whether there is nothing to act on before user mode: no signal, and no mask to go back to.
    #[inline]
    pub fn is_quiet(&self, process: &ProcessSignals) -> bool {
        self.suspended_mask.is_none() && !self.has_deliverable(process)
    }
    /// Whether SIGKILL waits.
    pub fn is_killed(&self, process: &ProcessSignals) -> bool {
        self.pending(process).contains(Signal::KILL)
    }
    /// Makes a signal pending for this thread alone, as [`ProcessSignals::post`] does. Returns whether it is to be woken.
    pub fn post(
        &mut self,
        process: &ProcessSignals,
        info: SigInfo,
        has_room: bool,
    ) -> Result<bool, QueueFull> {
        if process.drops(info.signal, self.kept()) {
            return Ok(info.signal == Signal::CONT);
        }
        self.pending.add(info, has_room)?;
        Ok(!self.blocked.contains(info.signal))
    }
    /// A pending signal of this number vanishes.
    pub fn discard(&mut self, signal: Signal) {
        self.pending.remove(signal);
    }
    /// Makes a fault's signal pending so that it cannot be blocked or ignored: then the default action is taken.
    pub fn force(&mut self, process: &mut ProcessSignals, info: SigInfo) {
        let signal = info.signal;
        if self.blocked.contains(signal) || process.action(signal).disposition() == Disposition::Ignore {
            process.forget(signal);
            self.blocked.remove(signal);
        }
        self.pending.replace(info);
    }
    /// Takes the next unblocked pending signal, its own before its process's, and says what to do about it.
    pub fn deliver(&mut self, process: &mut ProcessSignals) -> Delivery {
        let Some(info) = self.take(process, SignalSet(!self.blocked.0)) else { return Delivery::None };
        let action = process.action(info.signal);
        match (action.disposition(), info.signal.default_action()) {
            (Disposition::Ignore, _)
            | (Disposition::Default, DefaultAction::Ignore | DefaultAction::Continue) => {
                Delivery::Ignored(info)
            }
            (Disposition::Default, DefaultAction::Terminate) => Delivery::Terminate(info),
            (Disposition::Default, DefaultAction::Stop) => Delivery::Stop(info),
            (Disposition::Handler, _) => self.start_handler(process, info, action),
        }
    }
    /// Takes one of the pending signals in `set` without delivering it (`rt_sigtimedwait`).
    pub fn take(&mut self, process: &mut ProcessSignals, set: SignalSet) -> Option<SigInfo> {
        [&mut self.pending, &mut process.pending].into_iter().find_map(|pending| {
            let signal = SignalSet(pending.set().0 & set.0).first()?;
            Some(pending.take(signal))
        })
    }

    fn start_handler(&mut self, process: &mut ProcessSignals, info: SigInfo, action: Action) -> Delivery {
        let saved_mask = self.suspended_mask.take().unwrap_or(self.blocked);
        self.blocked = self.blocked.union(action.mask);
        if !action.has(linux::SA_NODEFER) {
            self.blocked.add(info.signal);
        }
        if action.has(linux::SA_RESETHAND) {
            // As in Linux, the flags stay, SA_SIGINFO among them.
            process.forget(info.signal);
        }
        Delivery::Handler { info, action, saved_mask }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDLER: Action = Action { handler: 0x1000, flags: 0, mask: SignalSet(0) };
    const IGNORE: Action = Action { handler: 1, flags: 0, mask: SignalSet(0) };

    fn only(signal: Signal) -> SignalSet {
        let mut set = SignalSet::default();
        set.add(signal);
        set
    }

    fn sent(signal: Signal) -> SigInfo {
        SigInfo::from_user(signal, 1)
    }

    fn with_action(signal: Signal, action: Action) -> (ProcessSignals, ThreadSignals) {
        let mut process = ProcessSignals::default();
        let _ = process.set_action(signal, action);
        (process, ThreadSignals::default())
    }

    #[test]
    fn default_actions() {
        for (signal, expected) in [
            (Signal::TERM, Delivery::Terminate(sent(Signal::TERM))),
            (Signal::CHLD, Delivery::None),
            (Signal::CONT, Delivery::None),
            (Signal::TSTP, Delivery::Stop(sent(Signal::TSTP))),
        ] {
            let (mut process, mut thread) = (ProcessSignals::default(), ThreadSignals::default());
            process.post(sent(signal), thread.kept(), true).unwrap();
            assert_eq!(thread.deliver(&mut process), expected, "{signal:?} to the process");
            thread.post(&process, sent(signal), true).unwrap();
            assert_eq!(thread.deliver(&mut process), expected, "{signal:?} to the thread");
        }
    }

    #[test]
    fn a_blocked_signal_waits_and_a_handler_blocks_its_own() {
        let (mut process, mut thread) = with_action(Signal::INT, HANDLER);
        thread.set_blocked(SignalSet(u64::MAX));
        assert!(!thread.blocked().contains(Signal::KILL));
        assert_eq!(thread.post(&process, sent(Signal::INT), true), Ok(false));
        assert_eq!(thread.deliver(&mut process), Delivery::None);
        thread.set_blocked(SignalSet::default());
        let Delivery::Handler { info, saved_mask, .. } = thread.deliver(&mut process) else {
            panic!("not delivered")
        };
        assert_eq!((info.signal, saved_mask), (Signal::INT, SignalSet::default()));
        assert!(thread.blocked().contains(Signal::INT));
    }

    #[test]
    fn any_thread_that_does_not_block_it_takes_what_its_process_was_sent_and_only_one_does() {
        let (mut process, mut first) = with_action(Signal::INT, HANDLER);
        let mut second = first.inherited(AltStack::NONE);
        first.set_blocked(only(Signal::INT));
        assert_eq!(process.post(sent(Signal::INT), SignalSet::default(), true), Ok(true));
        assert!(!first.has_deliverable(&process) && second.has_deliverable(&process));
        assert_eq!(first.deliver(&mut process), Delivery::None);
        assert!(matches!(second.deliver(&mut process), Delivery::Handler { .. }));
        first.set_blocked(SignalSet::default());
        assert!(!first.has_deliverable(&process) && process.pending().is_empty());
    }

    #[test]
    fn what_was_sent_to_a_thread_is_its_own() {
        let (mut process, mut first) = with_action(Signal::INT, HANDLER);
        let mut second = ThreadSignals::default();
        first.set_blocked(only(Signal::INT));
        second.set_blocked(only(Signal::INT));
        let child = second.inherited(AltStack::NONE);
        assert_eq!(second.post(&process, sent(Signal::INT), true), Ok(false));
        assert_eq!(first.take(&mut process, only(Signal::INT)), None);
        assert_eq!(second.take(&mut process, only(Signal::INT)), Some(sent(Signal::INT)));
        assert!(child.pending(&process).is_empty() && child.blocked() == only(Signal::INT));
    }

    #[test]
    fn a_threads_own_signals_come_before_its_processs() {
        let (mut process, mut thread) = with_action(Signal::TERM, HANDLER);
        process.post(sent(Signal::INT), SignalSet::default(), true).unwrap();
        thread.post(&process, sent(Signal::TERM), true).unwrap();
        assert!(matches!(thread.deliver(&mut process), Delivery::Handler { .. }));
        assert_eq!(thread.deliver(&mut process), Delivery::Terminate(sent(Signal::INT)));
    }

    #[test]
    fn an_ignored_signal_is_kept_where_every_thread_blocks_it() {
        let mut process = ProcessSignals::default();
        assert_eq!(process.post(sent(Signal::CHLD), SignalSet::default(), true), Ok(false));
        assert!(process.pending().is_empty());
        let mut thread = ThreadSignals::default();
        thread.set_blocked(only(Signal::CHLD));
        // A wait that lets the signal through, as `rt_sigtimedwait` does, does not make it ignored.
        thread.suspend_with(SignalSet::default());
        assert_eq!(process.post(sent(Signal::CHLD), thread.kept(), true), Ok(true));
        assert_eq!(thread.take(&mut process, only(Signal::CHLD)), Some(sent(Signal::CHLD)));
    }

    #[test]
    fn one_that_was_kept_and_is_still_ignored_does_nothing() {
        let (mut process, mut thread) = (ProcessSignals::default(), ThreadSignals::default());
        thread.set_blocked(only(Signal::CHLD));
        process.post(sent(Signal::CHLD), thread.kept(), true).unwrap();
        thread.set_blocked(SignalSet::default());
        assert_eq!(thread.deliver(&mut process), Delivery::Ignored(sent(Signal::CHLD)));
        assert_eq!(thread.deliver(&mut process), Delivery::None);
        assert!(process.drops(Signal::CHLD, thread.kept()) && !process.drops(Signal::TERM, thread.kept()));
    }

    #[test]
    fn what_an_action_makes_ignored_vanishes() {
        let (mut process, mut thread) = with_action(Signal::INT, HANDLER);
        process.post(sent(Signal::INT), SignalSet::default(), true).unwrap();
        thread.post(&process, sent(Signal::INT), true).unwrap();
        assert!(process.set_action(Signal::INT, IGNORE));
        thread.discard(Signal::INT);
        assert!(thread.pending(&process).is_empty());
        assert!(!process.set_action(Signal::INT, HANDLER));
    }

    #[test]
    fn continuing_takes_back_pending_stops() {
        let (mut process, mut thread) = (ProcessSignals::default(), ThreadSignals::default());
        process.post(sent(Signal::STOP), SignalSet::default(), true).unwrap();
        thread.post(&process, sent(Signal::TSTP), true).unwrap();
        for &stop in Signal::CONT.takes_back() {
            process.discard(stop);
            thread.discard(stop);
        }
        assert_eq!(process.post(sent(Signal::CONT), SignalSet::default(), true), Ok(true));
        assert_eq!(thread.post(&process, sent(Signal::CONT), true), Ok(true));
        assert!(thread.pending(&process).is_empty());
    }

    #[test]
    fn a_stop_takes_back_what_continues() {
        for stop in Signal::STOPS {
            assert_eq!(stop.takes_back(), [Signal::CONT]);
        }
        assert!(Signal::KILL.takes_back().is_empty());
    }

    #[test]
    fn a_suspension_ends_with_the_handler_or_without() {
        let (mut process, mut thread) = with_action(Signal::INT, HANDLER);
        let mask = only(Signal::INT);
        thread.set_blocked(mask);
        thread.suspend_with(SignalSet::default());
        assert_eq!(thread.post(&process, sent(Signal::INT), true), Ok(true));
        assert!(
            matches!(thread.deliver(&mut process), Delivery::Handler { saved_mask, .. } if saved_mask == mask)
        );
        thread.end_suspension();
        assert!(thread.blocked().contains(Signal::INT));
    }

    #[test]
    fn faults_come_first_and_cannot_be_refused() {
        let (mut process, mut thread) = with_action(Signal::SEGV, IGNORE);
        let _ = process.set_action(Signal::HUP, HANDLER);
        thread.post(&process, sent(Signal::HUP), true).unwrap();
        let fault = SigInfo { signal: Signal::SEGV, code: 1, pid: 0, value: 0x40 };
        thread.force(&mut process, fault);
        assert_eq!(thread.deliver(&mut process), Delivery::Terminate(fault));
    }

    #[test]
    fn real_time_signals_wait_in_a_queue_lowest_first() {
        let (low, high) = (Signal::new(34).unwrap(), Signal::new(40).unwrap());
        let queued = |signal, value| SigInfo { signal, code: -1, pid: 1, value };
        let (mut process, mut thread) = with_action(low, HANDLER);
        let _ = process.set_action(high, HANDLER);
        for info in [queued(high, 1), queued(low, 2), queued(high, 3), queued(low, 2)] {
            assert_eq!(process.post(info, SignalSet::default(), true), Ok(true));
        }
        assert_eq!(process.post(queued(low, 9), SignalSet::default(), false), Err(QueueFull));
        assert_eq!(process.counts(), (4, 0));
        // A signal by `kill` comes though there is no room to say from whom.
        assert_eq!(process.post(sent(low), SignalSet::default(), false), Ok(true));
        assert_eq!(thread.post(&process, queued(low, 7), true), Ok(true), "a thread has a queue of its own");
        let mut order = std::vec::Vec::new();
        while let Some(info) = thread.take(&mut process, SignalSet(u64::MAX)) {
            order.push((info.signal, info.value));
        }
        assert_eq!(order, [(low, 7), (low, 2), (low, 2), (high, 1), (high, 3)]);
        assert!(process.pending().is_empty());
        assert_eq!(process.post(queued(low, 9), SignalSet::default(), true), Ok(true));
        assert!(process.set_action(low, IGNORE));
        assert_eq!(thread.take(&mut process, SignalSet(u64::MAX)), None);
    }

    #[test]
    fn signals_that_wait_are_counted_and_lose_their_reason_without_room() {
        let ring = SigInfo { signal: Signal::ALRM, code: SigInfo::TIMER, pid: 0, value: 3 };
        let said = SigInfo { signal: Signal::HUP, code: -1, pid: 1, value: 7 };
        assert!(ring.needs_room() && said.needs_room() && !sent(Signal::HUP).needs_room());
        let (mut process, mut thread) = with_action(Signal::ALRM, HANDLER);
        assert_eq!((process.counts(), thread.counts()), ((0, 0), (0, 0)));
        for info in [ring, ring, sent(Signal::TERM), sent(Signal::KILL)] {
            process.post(info, SignalSet::default(), true).unwrap();
        }
        thread.post(&process, said, false).unwrap();
        assert_eq!((process.counts(), thread.counts()), ((2, 1), (1, 0)));
        assert_eq!(thread.take(&mut process, only(Signal::HUP)), Some(SigInfo::from_user(Signal::HUP, 0)));
        assert_eq!(thread.counts(), (0, 0));
    }

    #[test]
    fn a_handler_that_runs_once_keeps_its_flags() {
        let flags = u64::from(linux::SA_RESETHAND | linux::SA_SIGINFO);
        let (mut process, mut thread) = with_action(Signal::INT, Action { flags, ..HANDLER });
        process.post(sent(Signal::INT), SignalSet::default(), true).unwrap();
        assert!(matches!(thread.deliver(&mut process), Delivery::Handler { .. }));
        assert_eq!(process.action(Signal::INT), Action { handler: 0, flags, ..HANDLER });
    }

    #[test]
    fn exec_keeps_only_ignored_signals() {
        let (mut process, mut thread) = with_action(Signal::INT, HANDLER);
        let _ = process.set_action(Signal::QUIT, IGNORE);
        thread.alt_stack = AltStack { base: 0x1000, size: 0x4000, disarms: false };
        process.exec();
        thread.exec();
        assert_eq!(process.action(Signal::INT).disposition(), Disposition::Default);
        assert_eq!(process.action(Signal::QUIT).disposition(), Disposition::Ignore);
        assert_eq!(thread.alt_stack, AltStack::NONE);
    }
}
