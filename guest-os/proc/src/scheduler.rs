//! Who runs next, and who waits for what.
//!
//! Runnable threads take turns in a queue. A sleeper names the channels it waits on (any type that orders) and, perhaps, a
//! deadline; the first wake-up on any of them makes it runnable and tells it why. Nothing is lost if wake-ups come
//! in any order, since every sleeper looks again at what it waited for. Ties are broken by arrival, so runs repeat.

use crate::Tid;
use alloc::collections::{BTreeMap, BTreeSet, TryReserveError, VecDeque};
use alloc::vec::Vec;

/// Why a sleeper was woken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitOutcome {
    /// One of its channels was woken.
    Woken,
    /// Its deadline has passed.
    TimedOut,
    /// A signal or a kill asks for it.
    Interrupted,
}

#[derive(Debug)]
struct Sleeper<C> {
    channels: Vec<C>,
    /// Its place in the order of arrival.
    arrival: u64,
    deadline: Option<u64>,
    interruptible: bool,
    /// Why it was woken, from then until it runs again.
    outcome: Option<WaitOutcome>,
}

/// Every so many times who has waited longest comes before who has come last.
const FIRST_COMERS_TURN: u64 = 8;

/// The run queue and the sleepers.
#[derive(Debug)]
pub struct Scheduler<C> {
    runnable: VecDeque<Tid>,
    sleepers: BTreeMap<Tid, Sleeper<C>>,
    /// Who waits on what, in the order of arrival.
    waiting: BTreeSet<(C, u64, Tid)>,
    deadlines: BTreeSet<(u64, Tid)>,
    arrivals: u64,
    /// How often [`Scheduler::wake_last`] was asked.
    turns: u64,
}

impl<C> Default for Scheduler<C> {
    fn default() -> Self {
        Self {
            runnable: VecDeque::new(),
            sleepers: BTreeMap::new(),
            waiting: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            arrivals: 0,
            turns: 0,
        }
    }
}

impl<C: Ord + Copy> Scheduler<C> {
    /// Sees to room for `threads` threads: waking one of so many allocates nothing.
    pub fn reserve(&mut self, threads: usize) -> Result<(), TryReserveError> {
        self.runnable.try_reserve(threads.saturating_sub(self.runnable.len()))
    }
    /// Puts a thread at the end of the run queue.
    pub fn make_runnable(&mut self, tid: Tid) {
        debug_assert!(!self.runnable.contains(&tid) && !self.is_sleeping(tid));
        self.runnable.push_back(tid);
    }
    /// Takes the next thread to run out of the queue.
    pub fn take_next(&mut self) -> Option<Tid> {
        self.runnable.pop_front()
    }
    /// Whether a thread waits for the hart.
    pub fn has_runnable(&self) -> bool {
        !self.runnable.is_empty()
    }
    /// The running thread goes to sleep on `channels` until `deadline`. If `interruptible`, [`Scheduler::interrupt`] wakes it too.
    pub fn sleep(&mut self, tid: Tid, channels: Vec<C>, deadline: Option<u64>, interruptible: bool) {
        self.arrivals += 1;
        let arrival = self.arrivals;
        self.waiting.extend(channels.iter().map(|&channel| (channel, arrival, tid)));
        if let Some(deadline) = deadline {
            self.deadlines.insert((deadline, tid));
        }
        self.sleepers.insert(tid, Sleeper { channels, arrival, deadline, interruptible, outcome: None });
    }
    /// Why a thread that has slept was woken; to be asked once, when it runs again.
    pub fn take_outcome(&mut self, tid: Tid) -> WaitOutcome {
        self.sleepers.remove(&tid).and_then(|sleeper| sleeper.outcome).unwrap_or(WaitOutcome::Woken)
    }
    /// Wakes all who wait on a channel, in the order they came.
    pub fn wake(&mut self, channel: C) {
        self.wake_some(channel, usize::MAX);
    }
    /// Wakes at most `count` who wait on a channel; returns how many.
    pub fn wake_some(&mut self, channel: C, count: usize) -> usize {
        self.wake_those(channel, count, |_| true)
    }
    /// Wakes who wait on a channel for something of which there is enough for `count`: who came last first, since their pages are still in
    /// memory, where all in turn would throw out each other's. So that nobody waits for ever, now and then who came first is woken
    /// before. Returns how many were woken.
    pub fn wake_last(&mut self, channel: C, count: usize) -> usize {
        self.turns += 1;
        let is_first_comers = self.turns.is_multiple_of(FIRST_COMERS_TURN) && count > 0;
        let mut woken = if is_first_comers { self.wake_some(channel, 1) } else { 0 };
        let all = (channel, 0, Tid(0))..=(channel, u64::MAX, Tid(u32::MAX));
        while woken < count
            && let Some(&(_, _, tid)) = self.waiting.range(all.clone()).next_back()
        {
            self.rouse(tid, WaitOutcome::Woken);
            woken += 1;
        }
        woken
    }
    /// Wakes at most `count` of those who wait on a channel and are meant; returns how many.
    pub fn wake_those(&mut self, channel: C, count: usize, is_meant: impl Fn(Tid) -> bool) -> usize {
        let (mut woken, mut after) = (0, 0);
        while woken < count
            && let Some((arrival, tid)) = self.next_waiting(channel, after)
        {
            after = arrival + 1;
            if is_meant(tid) {
                self.rouse(tid, WaitOutcome::Woken);
                woken += 1;
            }
        }
        woken
    }
    /// Lets at most `count` who wait on `from`, and on nothing else, wait on `to`, as if they had just come; returns how many.
    pub fn move_some(&mut self, from: C, to: C, count: usize) -> usize {
        let (mut moved, last) = (0, self.arrivals);
        while moved < count
            && let Some((arrival, tid)) = self.next_waiting(from, 0)
            && arrival <= last
            && let Some(sleeper) = self.sleepers.get_mut(&tid)
        {
            debug_assert!(sleeper.channels == [from], "a sleeper that is moved waits on one channel");
            self.arrivals += 1;
            sleeper.arrival = self.arrivals;
            sleeper.channels[0] = to;
            self.waiting.remove(&(from, arrival, tid));
            self.waiting.insert((to, self.arrivals, tid));
            moved += 1;
        }
        moved
    }
    /// The first who waits on a channel and came at `arrival` or later.
    fn next_waiting(&self, channel: C, arrival: u64) -> Option<(u64, Tid)> {
        let &(waited, arrival, tid) = self.waiting.range((channel, arrival, Tid(0))..).next()?;
        (waited == channel).then_some((arrival, tid))
    }
    /// Wakes a thread for a signal if it sleeps interruptibly.
    pub fn interrupt(&mut self, tid: Tid) {
        if self.is_sleeping(tid) && self.sleepers.get(&tid).is_some_and(|sleeper| sleeper.interruptible) {
            self.rouse(tid, WaitOutcome::Interrupted);
        }
    }
    /// Wakes everyone whose deadline is `now` or earlier.
    pub fn expire(&mut self, now: u64) {
        while let Some(&(deadline, tid)) = self.deadlines.first()
            && deadline <= now
        {
            self.rouse(tid, WaitOutcome::TimedOut);
        }
    }
    /// The earliest deadline of a sleeper.
    pub fn next_deadline(&self) -> Option<u64> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }
    /// Whether this thread sleeps.
    pub fn is_sleeping(&self, tid: Tid) -> bool {
        self.sleepers.get(&tid).is_some_and(|sleeper| sleeper.outcome.is_none())
    }

    /// Makes a sleeper runnable. Allocates nothing, since it may be an interrupt that does it.
    fn rouse(&mut self, tid: Tid, outcome: WaitOutcome) {
        let Some(sleeper) = self.sleepers.get_mut(&tid).filter(|sleeper| sleeper.outcome.is_none()) else {
            return;
        };
        sleeper.outcome = Some(outcome);
        for &channel in &sleeper.channels {
            self.waiting.remove(&(channel, sleeper.arrival, tid));
        }
        sleeper.channels = Vec::new();
        if let Some(deadline) = sleeper.deadline {
            self.deadlines.remove(&(deadline, tid));
        }
        self.runnable.push_back(tid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tid as T;
    use alloc::vec;

    #[test]
    fn sleepers_wake_in_order_and_once() {
        let mut scheduler = Scheduler::default();
        scheduler.sleep(T(2), vec!['a', 'b'], Some(50), true);
        scheduler.sleep(T(1), vec!['a'], None, false);
        scheduler.wake('a');
        scheduler.wake('b');
        scheduler.expire(100);
        assert_eq!(
            (scheduler.take_next(), scheduler.take_next(), scheduler.take_next()),
            (Some(T(2)), Some(T(1)), None)
        );
        assert_eq!(scheduler.take_outcome(T(2)), WaitOutcome::Woken);
        assert_eq!(scheduler.next_deadline(), None);
    }

    #[test]
    fn deadlines_expire_earliest_first_and_only_interruptible_sleep_is_interrupted() {
        let mut scheduler = Scheduler::default();
        scheduler.sleep(T(1), vec!['a'], Some(20), false);
        scheduler.sleep(T(2), vec![], Some(10), true);
        scheduler.interrupt(T(1));
        assert_eq!((scheduler.has_runnable(), scheduler.next_deadline()), (false, Some(10)));
        scheduler.expire(19);
        assert_eq!(
            (scheduler.take_next(), scheduler.take_outcome(T(2))),
            (Some(T(2)), WaitOutcome::TimedOut)
        );
        assert!(scheduler.is_sleeping(T(1)) && !scheduler.is_sleeping(T(2)));
    }

    #[test]
    fn who_came_last_wakes_first_and_nobody_waits_for_ever() {
        let mut scheduler = Scheduler::default();
        for tid in 1..=9 {
            scheduler.sleep(T(tid), vec!['f'], None, false);
        }
        scheduler.sleep(T(99), vec!['g'], None, false);
        assert_eq!(scheduler.wake_last('f', 0), 0);
        let mut order = Vec::new();
        while scheduler.wake_last('f', 1) == 1 {
            order.extend(scheduler.take_next());
        }
        assert_eq!(order, [9, 8, 7, 6, 5, 4, 1, 3, 2].map(T));
        assert_eq!((scheduler.wake_last('g', 5), scheduler.take_next()), (1, Some(T(99))));
    }

    #[test]
    fn those_who_are_meant_wake_and_others_are_moved() {
        let mut scheduler = Scheduler::default();
        for tid in [3, 1, 2, 5] {
            scheduler.sleep(T(tid), vec!['f'], None, true);
        }
        scheduler.sleep(T(9), vec!['g'], None, true);
        assert_eq!(scheduler.wake_those('f', 9, |tid| tid.0 == 2), 1);
        assert_eq!(scheduler.take_next(), Some(T(2)));
        assert_eq!(scheduler.move_some('f', 'g', 2), 2);
        assert_eq!((scheduler.wake_some('f', 9), scheduler.take_next()), (1, Some(T(5))));
        assert_eq!(scheduler.move_some('g', 'g', 9), 3, "each once");
        assert_eq!(scheduler.wake_some('g', 9), 3);
        let order = [scheduler.take_next(), scheduler.take_next(), scheduler.take_next()];
        assert_eq!(order, [Some(T(9)), Some(T(3)), Some(T(1))]);
    }

    #[test]
    fn wake_some_leaves_the_rest_asleep() {
        let mut scheduler = Scheduler::default();
        for tid in [3, 1, 2] {
            scheduler.sleep(T(tid), vec!['f'], None, true);
        }
        assert_eq!(scheduler.wake_some('f', 2), 2);
        assert_eq!(
            (scheduler.take_next(), scheduler.take_next(), scheduler.take_next()),
            (Some(T(3)), Some(T(1)), None)
        );
        assert_eq!(scheduler.wake_some('f', 9), 1);
    }
}
