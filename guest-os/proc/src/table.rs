//! The process table: who is whose child, which group and session each is in, who has ended, and whose each thread is.

use crate::{ExitStatus, Signal};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// A process's number.
pub type Pid = u32;

/// A thread's number. The first thread of a process has the process's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tid(pub u32);

/// The first program's number, which adopts orphans.
const INIT: Pid = 1;
/// Numbers start again after this one (`kernel.pid_max`).
pub const PID_MAX: Pid = 32_768;

/// Why a number cannot be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoNumber {
    /// The one that is wanted is another's.
    Taken,
    /// All are others'.
    AllTaken,
}

/// Which children `wait4` asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WaitFor {
    /// Any child.
    Any,
    /// The child with this number.
    Process(Pid),
    /// Any child in this group.
    Group(Pid),
}

/// Which of them by the signal that tells of their end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChildKind {
    /// Those of `fork`, whose end SIGCHLD tells.
    Usual,
    /// Those of `clone` with another signal, or none (`__WCLONE`).
    Clones,
    /// Both (`__WALL`).
    All,
}

/// The children that a call waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Awaited {
    /// Which by number.
    pub who: WaitFor,
    /// Which by kind.
    pub kind: ChildKind,
}

#[derive(Debug)]
enum State<P> {
    Alive(P),
    /// Ended, not yet waited for; the payload is gone.
    Zombie(ExitStatus),
}

#[derive(Debug)]
struct Entry<P> {
    state: State<P>,
    parent: Pid,
    /// What its parent gets at its end, if anything.
    exit_signal: Option<Signal>,
    /// The first process has it for want of another parent: it is nobody's, as a child of Linux' init.
    is_adopted: bool,
    /// It adopts the orphans among its descendants (`PR_SET_CHILD_SUBREAPER`).
    adopts: bool,
    group: Pid,
    session: Pid,
}

/// All processes and their threads, each with a payload of the kernel's while it lives.
#[derive(Debug)]
pub struct ProcessTable<P, T> {
    entries: BTreeMap<Pid, Entry<P>>,
    threads: BTreeMap<Tid, T>,
    /// Whose each thread is.
    members: BTreeSet<(Pid, Tid)>,
    /// Whose child each process is; which group and session each is in: as in the entries, in the order that is asked for.
    kin: BTreeSet<(Pid, Pid)>,
    groups: BTreeSet<(Pid, Pid)>,
    sessions: BTreeSet<(Pid, Pid)>,
    /// How many have not ended.
    living: usize,
    last_pid: Pid,
}

/// The second numbers of the pairs that begin with `first`.
fn with_first(pairs: &BTreeSet<(Pid, Pid)>, first: Pid) -> impl Iterator<Item = Pid> + '_ {
    pairs.range((first, 0)..=(first, Pid::MAX)).map(|&(_, second)| second)
}

impl<P, T> Default for ProcessTable<P, T> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            threads: BTreeMap::new(),
            members: BTreeSet::new(),
            kin: BTreeSet::new(),
            groups: BTreeSet::new(),
            sessions: BTreeSet::new(),
            living: 0,
            last_pid: 0,
        }
    }
}

impl<P: Clone, T: Clone> ProcessTable<P, T> {
    /// A number that no process, thread, group or session has; `None` if all are taken.
    fn allocate_pid(&mut self) -> Option<Pid> {
        let candidates = (self.last_pid + 1..=PID_MAX).chain(2..=self.last_pid.min(PID_MAX));
        self.last_pid = candidates.into_iter().find(|&pid| self.is_free(pid))?;
        Some(self.last_pid)
    }
    /// The number that is wanted, or the next free one if none is.
    pub fn number_for(&mut self, wanted: Option<Pid>) -> Result<Pid, NoNumber> {
        match wanted {
            Some(pid) if self.is_free(pid) => Ok(pid),
            Some(_) => Err(NoNumber::Taken),
            None => self.allocate_pid().ok_or(NoNumber::AllTaken),
        }
    }
    /// Whether no process, thread, group or session has this number.
    fn is_free(&self, pid: Pid) -> bool {
        !self.entries.contains_key(&pid)
            && !self.threads.contains_key(&Tid(pid))
            && !self.has_group(pid)
            && with_first(&self.sessions, pid).next().is_none()
    }
    /// Enters a process as the child of `parent`, in its group and session; the first one leads its own.
    pub fn insert(&mut self, pid: Pid, parent: Pid, exit_signal: Option<Signal>, payload: P) {
        let (group, session) =
            self.entries.get(&parent).map_or((pid, pid), |entry| (entry.group, entry.session));
        let state = State::Alive(payload);
        let entry = Entry { state, parent, exit_signal, is_adopted: false, adopts: false, group, session };
        let before = self.entries.insert(pid, entry);
        assert!(before.is_none(), "process {pid} is entered twice");
        self.kin.insert((parent, pid));
        self.groups.insert((group, pid));
        self.sessions.insert((session, pid));
        self.living += 1;
    }
    /// Enters a thread of a living process.
    pub fn insert_thread(&mut self, tid: Tid, pid: Pid, payload: T) {
        let is_new = self.members.insert((pid, tid)) && self.threads.insert(tid, payload).is_none();
        assert!(is_new, "thread {} is entered twice", tid.0);
    }
    /// A thread has ended; its number is free, unless it is its process's.
    pub fn remove_thread(&mut self, tid: Tid, pid: Pid) {
        let was_there = self.members.remove(&(pid, tid)) && self.threads.remove(&tid).is_some();
        assert!(was_there, "thread {} ends twice", tid.0);
    }
    /// The only thread of a process takes the process's number (`execve`).
    pub fn make_first(&mut self, tid: Tid, pid: Pid) {
        let payload = self.threads.remove(&tid).expect("a thread that runs is in the table");
        self.members.remove(&(pid, tid));
        self.insert_thread(Tid(pid), pid, payload);
    }
    /// The payload of a thread.
    pub fn thread(&self, tid: Tid) -> Option<T> {
        self.threads.get(&tid).cloned()
    }
    /// A process's first thread with a number above `after`, or at all: a walk that stays right whatever happens to the table meanwhile.
    pub fn next_thread(&self, pid: Pid, after: Option<Tid>) -> Option<(Tid, T)> {
        let from = after.map_or(0, |tid| tid.0 + 1);
        let &(_, tid) = self.members.range((pid, Tid(from))..=(pid, Tid(Pid::MAX))).next()?;
        Some((tid, self.thread(tid)?))
    }
    /// How many threads a process has.
    pub fn thread_count(&self, pid: Pid) -> usize {
        self.members.range((pid, Tid(0))..=(pid, Tid(Pid::MAX))).count()
    }
    /// All threads.
    pub fn threads(&self) -> impl Iterator<Item = &T> {
        self.threads.values()
    }
    /// How many threads there are in all.
    pub fn all_threads(&self) -> usize {
        self.threads.len()
    }
    /// The payload of a living process.
    pub fn get(&self, pid: Pid) -> Option<P> {
        match &self.entries.get(&pid)?.state {
            State::Alive(payload) => Some(payload.clone()),
            State::Zombie(_) => None,
        }
    }
    /// Whether the number names a process, living or not yet waited for.
    pub fn exists(&self, pid: Pid) -> bool {
        self.entries.contains_key(&pid)
    }
    /// How many processes live.
    pub fn living(&self) -> usize {
        self.living
    }
    /// The status of a process that has ended and was not waited for.
    pub fn zombie_status(&self, pid: Pid) -> Option<ExitStatus> {
        match self.entries.get(&pid)?.state {
            State::Zombie(status) => Some(status),
            State::Alive(_) => None,
        }
    }
    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
    /// The parent's number; 0 for the first process.
    pub fn parent(&self, pid: Pid) -> Pid {
        self.entries.get(&pid).map_or(0, |entry| entry.parent)
    }
    /// The signal that tells of the end of a process.
    pub fn exit_signal(&self, pid: Pid) -> Option<Signal> {
        self.entries.get(&pid)?.exit_signal
    }
    /// Who hears of a process and may wait for it: its parent, unless it is nobody's.
    pub fn guardian(&self, pid: Pid) -> Option<Pid> {
        self.entries.get(&pid).filter(|entry| !entry.is_adopted).map(|entry| entry.parent)
    }
    /// A process that executes a program ends as those of `fork` do.
    pub fn tell_end_as_usual(&mut self, pid: Pid) {
        if let Some(entry) = self.entries.get_mut(&pid) {
            entry.exit_signal = Some(Signal::CHLD);
        }
    }
    /// Whether a process adopts the orphans among its descendants.
    pub fn adopts(&self, pid: Pid) -> bool {
        self.entries.get(&pid).is_some_and(|entry| entry.adopts)
    }
    /// Sets whether it does.
    pub fn set_adopts(&mut self, pid: Pid, adopts: bool) {
        if let Some(entry) = self.entries.get_mut(&pid) {
            entry.adopts = adopts;
        }
    }
    /// Who adopts the children of a process that ends: its nearest ancestor that does so, or the first process.
    pub fn adopter(&self, pid: Pid) -> Pid {
        let mut ancestor = self.parent(pid);
        while let Some(entry) = self.entries.get(&ancestor) {
            if entry.adopts {
                return ancestor;
            }
            ancestor = entry.parent;
        }
        INIT
    }
    /// Whether a process is why its group is no orphan: its parent, in the same session but another group, may look after the group. The
    /// first process passes for the child of a shell, the orphans that it adopts for nobody's.
    fn ties_group(&self, pid: Pid) -> bool {
        let Some(entry) = self.entries.get(&pid) else { return false };
        let is_tied_to = |parent: &Entry<P>| parent.session == entry.session && parent.group != entry.group;
        pid == INIT || !entry.is_adopted && self.entries.get(&entry.parent).is_some_and(is_tied_to)
    }
    /// Whether nobody looks after a group: the parent of each living member is in the group too, or in another session.
    pub fn is_orphaned(&self, group: Pid) -> bool {
        let is_alive =
            |pid: &Pid| matches!(self.entries.get(pid), Some(Entry { state: State::Alive(_), .. }));
        !self.members_of(group).filter(is_alive).any(|pid| self.ties_group(pid))
    }
    /// The groups that may be orphans when a process has ended: its own and its children's, if they are not already.
    pub fn groups_to_lose(&self, pid: Pid) -> Vec<Pid> {
        let family = self.children(pid).chain([pid]).filter(|&member| self.ties_group(member));
        let mut groups: Vec<Pid> = family.filter_map(|member| self.group(member)).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }
    /// Whether any process is in a group, living or not yet waited for.
    pub fn has_group(&self, group: Pid) -> bool {
        self.members_of(group).next().is_some()
    }
    /// The processes in a group.
    pub fn members_of(&self, group: Pid) -> impl Iterator<Item = Pid> + '_ {
        with_first(&self.groups, group)
    }
    /// The process group.
    pub fn group(&self, pid: Pid) -> Option<Pid> {
        self.entries.get(&pid).map(|entry| entry.group)
    }
    /// The session.
    pub fn session(&self, pid: Pid) -> Option<Pid> {
        self.entries.get(&pid).map(|entry| entry.session)
    }
    /// Puts a process into a group of its session: an existing one, or a new one that it leads. `false` if that is not allowed.
    pub fn set_group(&mut self, pid: Pid, group: Pid) -> bool {
        let Some(session) = self.session(pid) else { return false };
        let joinable = group == pid || self.members_of(group).any(|pid| self.session(pid) == Some(session));
        if session == pid || !joinable {
            return false;
        }
        self.put(pid, group, session);
        true
    }
    /// Makes a process the leader of a new session and group. `false` if it leads a group already.
    pub fn new_session(&mut self, pid: Pid) -> bool {
        if self.has_group(pid) {
            return false;
        }
        self.put(pid, pid, pid);
        true
    }
    fn put(&mut self, pid: Pid, group: Pid, session: Pid) {
        let Some(entry) = self.entries.get_mut(&pid) else { return };
        self.groups.remove(&(entry.group, pid));
        self.sessions.remove(&(entry.session, pid));
        (entry.group, entry.session) = (group, session);
        self.groups.insert((group, pid));
        self.sessions.insert((session, pid));
    }
    /// The first living process with a number above `after`: a walk that stays right whatever happens to the table meanwhile.
    pub fn next_living(&self, after: Pid) -> Option<(Pid, P)> {
        self.entries.range(after + 1..).find_map(|(&pid, entry)| match &entry.state {
            State::Alive(payload) => Some((pid, payload.clone())),
            State::Zombie(_) => None,
        })
    }
    /// A process has ended: it becomes a zombie, and its [adopter](ProcessTable::adopter) gets its children. Returns its payload.
    pub fn exit(&mut self, pid: Pid, status: ExitStatus) -> Option<P> {
        let adopter = self.adopter(pid);
        let is_adopted = !self.adopts(adopter);
        let first_child = |kin: &BTreeSet<_>| with_first(kin, pid).next();
        while let Some(child) = first_child(&self.kin) {
            self.kin.remove(&(pid, child));
            self.kin.insert((adopter, child));
            let child = self.entries.get_mut(&child).expect("kin are in the table");
            (child.parent, child.is_adopted, child.exit_signal) = (adopter, is_adopted, Some(Signal::CHLD));
        }
        let entry = self.entries.get_mut(&pid)?;
        match core::mem::replace(&mut entry.state, State::Zombie(status)) {
            State::Alive(payload) => {
                self.living -= 1;
                Some(payload)
            }
            State::Zombie(_) => unreachable!("process {pid} ends twice"),
        }
    }
    /// Removes a zombie without anyone waiting for it.
    pub fn reap(&mut self, pid: Pid) {
        let Some(entry) = self.entries.remove(&pid) else { return };
        self.kin.remove(&(entry.parent, pid));
        self.groups.remove(&(entry.group, pid));
        self.sessions.remove(&(entry.session, pid));
        self.living -= usize::from(matches!(entry.state, State::Alive(_)));
    }
    /// Whether a call waits for this child of its caller.
    fn is_awaited(&self, pid: Pid, awaited: Awaited) -> bool {
        self.entries.get(&pid).is_some_and(|entry| {
            let is_usual = entry.exit_signal == Some(Signal::CHLD);
            let is_kind = match awaited.kind {
                ChildKind::Usual => is_usual,
                ChildKind::Clones => !is_usual,
                ChildKind::All => true,
            };
            is_kind
                && !entry.is_adopted
                && match awaited.who {
                    WaitFor::Any => true,
                    WaitFor::Process(wanted) => wanted == pid,
                    WaitFor::Group(group) => entry.group == group,
                }
        })
    }
    /// The first child that a call waits for and of which `tell` has something; `Err` if it waits for no child at all.
    pub fn find_child<E>(
        &self,
        parent: Pid,
        awaited: Awaited,
        tell: impl Fn(Pid) -> Option<E>,
    ) -> Result<Option<(Pid, E)>, NoChild> {
        // Of a single one it is known at once whether it is a child.
        let only = match awaited.who {
            WaitFor::Process(pid) => Some(pid),
            _ => None,
        };
        let children = self.kin.range((parent, only.unwrap_or(0))..=(parent, only.unwrap_or(Pid::MAX)));
        let mut awaited =
            children.map(|&(_, pid)| pid).filter(|&pid| self.is_awaited(pid, awaited)).peekable();
        if awaited.peek().is_none() {
            return Err(NoChild);
        }
        Ok(awaited.find_map(|pid| tell(pid).map(|told| (pid, told))))
    }
    /// The children of a process, ended or not.
    pub fn children(&self, parent: Pid) -> impl Iterator<Item = Pid> + '_ {
        with_first(&self.kin, parent)
    }
}

/// There is no child to wait for (ECHILD).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoChild;

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: Awaited = Awaited { who: WaitFor::Any, kind: ChildKind::Usual };

    fn ended(
        table: &ProcessTable<char, char>,
        parent: Pid,
        awaited: Awaited,
    ) -> Result<Option<(Pid, ExitStatus)>, NoChild> {
        table.find_child(parent, awaited, |pid| table.zombie_status(pid))
    }

    fn family() -> ProcessTable<char, char> {
        let mut table = ProcessTable::default();
        for (parent, payload) in [(0, 'a'), (1, 'b'), (2, 'c')] {
            let pid = table.allocate_pid().unwrap();
            table.insert(pid, parent, Some(Signal::CHLD), payload);
        }
        table
    }

    #[test]
    fn children_are_waited_for_once() {
        let mut table = family();
        let second = Awaited { who: WaitFor::Process(2), ..ANY };
        assert_eq!(ended(&table, 1, ANY), Ok(None));
        assert_eq!(ended(&table, 3, ANY), Err(NoChild));
        assert_eq!(table.exit(2, ExitStatus::Exited(7)), Some('b'));
        assert_eq!(ended(&table, 1, second), Ok(Some((2, ExitStatus::Exited(7)))));
        table.reap(2);
        assert_eq!(ended(&table, 1, second), Err(NoChild));
    }

    #[test]
    fn the_signal_of_its_end_says_who_waits_for_a_child() {
        let mut table = family();
        table.insert(4, 1, None, 'd');
        let of_kind = |kind| Awaited { who: WaitFor::Process(4), kind };
        assert_eq!(ended(&table, 1, of_kind(ChildKind::Usual)), Err(NoChild));
        assert_eq!(ended(&table, 1, of_kind(ChildKind::Clones)), Ok(None));
        assert_eq!(ended(&table, 1, of_kind(ChildKind::All)), Ok(None));
        table.tell_end_as_usual(4);
        assert_eq!(ended(&table, 1, of_kind(ChildKind::Usual)), Ok(None));
        assert_eq!(ended(&table, 1, of_kind(ChildKind::Clones)), Err(NoChild));
    }

    #[test]
    fn orphans_go_to_the_nearest_ancestor_that_adopts() {
        let mut table = family();
        table.insert(4, 3, None, 'd');
        table.set_adopts(2, true);
        assert_eq!((table.adopter(3), table.adopter(2)), (2, 1));
        table.exit(3, ExitStatus::Exited(0));
        assert_eq!((table.parent(4), table.exit_signal(4)), (2, Some(Signal::CHLD)));
        table.exit(2, ExitStatus::Exited(0));
        assert_eq!((table.parent(4), table.parent(3)), (1, 1));
    }

    #[test]
    fn a_group_is_an_orphan_when_nobody_looks_after_it() {
        // Process 3, a child of 2, leads a group of its own.
        let mut table = family();
        assert!(table.set_group(3, 3));
        assert!(!table.is_orphaned(1) && !table.is_orphaned(3) && table.is_orphaned(77));
        assert_eq!(table.groups_to_lose(2), [3]);
        table.exit(2, ExitStatus::Exited(0));
        assert!(table.is_orphaned(3), "who adopts it does not look after it");
        assert_eq!((table.groups_to_lose(3), table.groups_to_lose(1)), (std::vec![], std::vec![1]));
        // The same, but with somebody who said that he adopts.
        let mut table = family();
        assert!(table.set_group(3, 3));
        table.set_adopts(1, true);
        table.exit(2, ExitStatus::Exited(0));
        assert!(!table.is_orphaned(3));
        table.exit(3, ExitStatus::Exited(0));
        assert!(table.has_group(3), "a zombie is still in its group");
        table.reap(3);
        assert!(!table.has_group(3));
    }

    #[test]
    fn orphans_go_to_the_first_process() {
        let mut table = family();
        table.exit(2, ExitStatus::Signaled(Signal::KILL));
        assert_eq!(table.parent(3), 1);
        assert!(table.children(1).eq([2, 3]));
    }

    #[test]
    fn what_the_first_process_adopts_is_nobodys_unless_it_has_asked_for_it() {
        let mut table = family();
        table.exit(2, ExitStatus::Exited(0));
        assert_eq!((table.guardian(2), table.guardian(3)), (Some(1), None));
        table.exit(3, ExitStatus::Exited(5));
        assert_eq!(ended(&table, 1, ANY), Ok(Some((2, ExitStatus::Exited(0)))));
        table.reap(2);
        // Too late for this one.
        table.set_adopts(1, true);
        assert_eq!(ended(&table, 1, ANY), Err(NoChild));
        let mut table = family();
        table.set_adopts(1, true);
        table.exit(2, ExitStatus::Exited(0));
        assert_eq!(table.guardian(3), Some(1));
    }

    #[test]
    fn groups_stay_in_their_session() {
        let mut table = family();
        assert_eq!((table.group(3), table.session(3)), (Some(1), Some(1)));
        assert!(table.set_group(2, 2) && table.set_group(3, 2));
        assert!(!table.set_group(1, 2), "a session's leader stays where it is");
        assert!(!table.set_group(3, 99));
        assert!(!table.new_session(2) && table.new_session(3));
        assert_eq!((table.next_living(1), table.next_living(3)), (Some((2, 'b')), None));
        assert!(!table.set_group(3, 2));
    }

    #[test]
    fn numbers_are_not_used_again_at_once() {
        let mut table = family();
        table.exit(3, ExitStatus::Exited(0));
        table.reap(3);
        assert_eq!(table.allocate_pid(), Some(4));
    }

    #[test]
    fn threads_are_found_by_number_and_by_process() {
        let mut table = family();
        table.insert_thread(Tid(2), 2, 'm');
        let tid = Tid(table.allocate_pid().unwrap());
        table.insert_thread(tid, 2, 'n');
        table.insert_thread(Tid(3), 3, 'c');
        assert_eq!((tid, table.thread_count(2), table.all_threads()), (Tid(4), 2, 3));
        assert_eq!(table.next_thread(2, None), Some((Tid(2), 'm')));
        assert_eq!(table.next_thread(2, Some(Tid(2))), Some((Tid(4), 'n')));
        assert_eq!(table.next_thread(2, Some(Tid(4))), None);
        assert_eq!((table.thread(Tid(3)), table.thread(Tid(5))), (Some('c'), None));
        table.remove_thread(Tid(2), 2);
        assert_eq!((table.next_thread(2, None), table.thread_count(2)), (Some((Tid(4), 'n')), 1));
    }

    #[test]
    fn a_thread_that_executes_a_program_becomes_the_first() {
        let mut table = family();
        table.insert_thread(Tid(4), 2, 'n');
        table.make_first(Tid(4), 2);
        assert_eq!((table.thread(Tid(4)), table.next_thread(2, None)), (None, Some((Tid(2), 'n'))));
    }

    #[test]
    fn a_threads_number_is_not_given_away() {
        let mut table = family();
        table.insert_thread(Tid(4), 2, 'n');
        assert_eq!(table.allocate_pid(), Some(5));
    }
}
