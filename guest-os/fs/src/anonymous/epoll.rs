//! Waiting for many files: epoll(7).
//!
//! An instance is a list. Who waits looks at each of its files, as `poll` does, and sleeps on all their sources; no file keeps a list of who
//! waits for it. What Linux does by the order of wake-ups is done by counts: edge-triggered entries compare how often their file has become
//! readier ([`Edges`]) with what they have told of. Files that have been told of come last, so that a short answer is fair.

use super::{Anonymous, AnonymousId};
use crate::ready::{Edges, Source, Surroundings, Waits};
use crate::{Device, Errno, Object, OpenFileId, OpenFiles, Readiness};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Instances inside one another, beside the outermost.
const NESTS_MAX: u32 = 4;

const EXCLUSIVE: u32 = 1 << 28;
const WAKEUP: u32 = 1 << 29;
const ONE_SHOT: u32 = 1 << 30;
const EDGE: u32 = 1 << 31;
/// What may be asked for together with EPOLLEXCLUSIVE.
const WITH_EXCLUSIVE: u32 = 0x1d | EDGE | WAKEUP | EXCLUSIVE;

/// What is awaited of a file, and what the program wants to be told with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interest {
    /// Events, and how to wait for them.
    pub events: u32,
    /// The program's own.
    pub data: u64,
}

impl Interest {
    fn wanted(self) -> Readiness {
        Readiness::from_bits_truncate(u16::try_from(self.events & 0xffff).unwrap_or(0))
    }
    fn has(self, flag: u32) -> bool {
        self.events & flag != 0
    }
}

/// A file of the list: as the program calls it, since the same one may be there under two numbers.
type Key = (OpenFileId, u32);

#[derive(Debug)]
struct Entry {
    interest: Interest,
    /// What it has told of, of an edge-triggered one; none before the first time.
    told: Option<Edges>,
    /// It has told, and was to do that once.
    is_off: bool,
    /// Its place in the order of telling.
    order: u64,
}

/// The list.
#[derive(Debug, Default)]
pub struct Epoll {
    entries: BTreeMap<Key, Entry>,
    /// In the order of telling.
    by_order: BTreeMap<u64, Key>,
    next_order: u64,
}

/// An event to be told.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    key: Key,
    edges: Option<Edges>,
    /// The events that have come.
    pub events: u32,
    /// The program's own.
    pub data: u64,
}

impl Epoll {
    /// Puts an entry behind all others.
    fn place_last(&mut self, key: Key) {
        let Some(entry) = self.entries.get_mut(&key) else { return };
        self.by_order.remove(&entry.order);
        entry.order = self.next_order;
        self.by_order.insert(self.next_order, key);
        self.next_order += 1;
    }

    fn remove(&mut self, key: Key) -> bool {
        let removed = self.entries.remove(&key);
        removed.map(|entry| self.by_order.remove(&entry.order)).is_some()
    }

    fn files(&self) -> impl Iterator<Item = OpenFileId> + '_ {
        self.entries.keys().map(|&(file, _)| file)
    }
}

impl OpenFiles {
    fn epoll(&self, id: OpenFileId) -> Result<&Epoll, Errno> {
        match self.anonymous(id)? {
            (Anonymous::Epoll(epoll), _) => Ok(epoll),
            _ => Err(Errno::EINVAL),
        }
    }

    fn epoll_mut(&mut self, id: OpenFileId) -> Result<(&mut Epoll, Source), Errno> {
        match self.anonymous_mut(id)? {
            (Anonymous::Epoll(epoll), source) => Ok((epoll, source)),
            _ => Err(Errno::EINVAL),
        }
    }

    /// EPERM for a file that is always ready; EINVAL unless `list` is an instance, and not the file itself.
    pub fn check_epoll(&self, list: OpenFileId, file: OpenFileId) -> Result<(), Errno> {
        if matches!(
            self.get(file).object,
            Object::Disk(_)
                | Object::Memory(_)
                | Object::Text(_)
                | Object::ProcessMemory { .. }
                | Object::Directory(_)
                | Object::Device(Device::Null | Device::Zero | Device::Full)
        ) {
            return Err(Errno::EPERM);
        }
        self.epoll(list)?;
        if list == file { Err(Errno::EINVAL) } else { Ok(()) }
    }

    /// EPOLL_CTL_ADD. EEXIST, EINVAL, ELOOP.
    pub fn epoll_add(
        &mut self,
        list: OpenFileId,
        file: OpenFileId,
        fd: u32,
        interest: Interest,
    ) -> Result<(), Errno> {
        let key = (file, fd);
        let is_list = self.epoll(file).is_ok();
        if interest.has(EXCLUSIVE) && (is_list || interest.events & !WITH_EXCLUSIVE != 0) {
            return Err(Errno::EINVAL);
        }
        if is_list
            && (file == list
                || self.depth_below(file, list)?.saturating_add(1) + self.depth_above(list, 0) > NESTS_MAX)
        {
            return Err(Errno::ELOOP);
        }
        let (epoll, source) = self.epoll_mut(list)?;
        if epoll.entries.contains_key(&key) {
            return Err(Errno::EEXIST);
        }
        epoll.entries.insert(key, Entry { interest, told: None, is_off: false, order: u64::MAX });
        epoll.place_last(key);
        self.slot_mut(file).is_watched = true;
        if let Some(watched) = self.counted_source(&self.get(file).object) {
            self.changes.watch(watched);
        }
        self.note(source, Readiness::IN);
        Ok(())
    }

    /// EPOLL_CTL_MOD. ENOENT, EINVAL.
    pub fn epoll_modify(
        &mut self,
        list: OpenFileId,
        file: OpenFileId,
        fd: u32,
        interest: Interest,
    ) -> Result<(), Errno> {
        let (epoll, source) = self.epoll_mut(list)?;
        if interest.has(EXCLUSIVE) {
            return Err(Errno::EINVAL);
        }
        let entry = epoll.entries.get_mut(&(file, fd)).ok_or(Errno::ENOENT)?;
        if entry.interest.has(EXCLUSIVE) {
            return Err(Errno::EINVAL);
        }
        (entry.interest, entry.told, entry.is_off) = (interest, None, false);
        self.note(source, Readiness::IN);
        Ok(())
    }

    /// EPOLL_CTL_DEL. ENOENT.
    pub fn epoll_delete(&mut self, list: OpenFileId, file: OpenFileId, fd: u32) -> Result<(), Errno> {
        let (epoll, source) = self.epoll_mut(list)?;
        if !epoll.remove((file, fd)) {
            return Err(Errno::ENOENT);
        }
        self.unwatch(file);
        // Who sleeps for it need not any more.
        self.note(source, Readiness::empty());
        Ok(())
    }

    fn unwatch(&mut self, file: OpenFileId) {
        if let Some(watched) = self.counted_source(&self.get(file).object) {
            self.changes.unwatch(watched);
        }
    }

    /// A file is closed for the last time: no list has it any more.
    #[inline(never)] // a frame of its own
    pub(crate) fn forget_watched(&mut self, file: OpenFileId, object: &Object) {
        let watched = self.counted_source(object);
        for what in self.anonymous.values_mut() {
            let Anonymous::Epoll(epoll) = what else { continue };
            while let Some((&key, _)) = epoll.entries.range((file, 0)..=(file, u32::MAX)).next() {
                epoll.remove(key);
                watched.into_iter().for_each(|source| self.changes.unwatch(source));
            }
        }
    }

    /// A list is closed.
    #[inline(never)] // a frame of its own
    pub(crate) fn close_anonymous(&mut self, number: AnonymousId) {
        match self.anonymous.remove(&number) {
            Some(Anonymous::Epoll(mut epoll)) => {
                while let Some(((file, _), _)) = epoll.entries.pop_first() {
                    self.unwatch(file);
                }
            }
            Some(Anonymous::Inotify(inotify)) => self.close_inotify(number, &inotify),
            _ => {}
        }
        self.note(Source::Anonymous(number), Readiness::IN | Readiness::OUT);
    }

    /// The events of a list that are due, at most `max`; and what to sleep on if there are none. ENOMEM.
    pub fn epoll_look(
        &self,
        list: OpenFileId,
        max: usize,
        around: &dyn Surroundings,
        waits: &mut Waits,
    ) -> Result<Vec<Due>, Errno> {
        let epoll = self.epoll(list)?;
        let mut all = Vec::new();
        waits.push(self.anonymous(list)?.1)?;
        for key in epoll.by_order.values() {
            if all.len() == max {
                break;
            }
            if let Some(due) = self.due(epoll, *key, around, waits)? {
                all.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                all.push(due);
            }
        }
        Ok(all)
    }

    /// These events have been told.
    pub fn epoll_told(&mut self, list: OpenFileId, told: &[Due]) {
        let Ok((epoll, _)) = self.epoll_mut(list) else { return };
        for due in told {
            if let Some(entry) = epoll.entries.get_mut(&due.key) {
                entry.told = due.edges;
                entry.is_off = entry.interest.has(ONE_SHOT);
                epoll.place_last(due.key);
            }
        }
    }

    /// What is to be told of one file of a list.
    fn due(
        &self,
        epoll: &Epoll,
        key: Key,
        around: &dyn Surroundings,
        waits: &mut Waits,
    ) -> Result<Option<Due>, Errno> {
        let Some(entry) = epoll.entries.get(&key).filter(|entry| !entry.is_off) else { return Ok(None) };
        let interest = entry.interest;
        let ready = self.poll(key.0, interest.wanted(), around, waits)?;
        let edges = if interest.has(EDGE) { self.edges(key.0, around) } else { None };
        let is_news = match (edges, entry.told) {
            (Some(now), Some(before)) => {
                // What ends or breaks a file is a change in both directions, so that whoever awaits only that may look at either.
                let output = Readiness::OUT | Readiness::WRNORM | Readiness::WRBAND;
                let (awaits_output, awaits_input) =
                    (interest.wanted().intersects(output), !(interest.wanted() - output).is_empty());
                now.output != before.output && awaits_output
                    || now.input != before.input && (awaits_input || !awaits_output)
            }
            _ => true,
        };
        let due = Due { key, edges, events: ready.bits().into(), data: interest.data };
        Ok((is_news && !ready.is_empty()).then_some(due))
    }

    /// Whether something is due in a list that is itself waited for.
    pub(super) fn any_due(
        &self,
        epoll: &Epoll,
        around: &dyn Surroundings,
        waits: &mut Waits,
    ) -> Result<bool, Errno> {
        let mut any = false;
        for key in epoll.entries.keys() {
            any |= self.due(epoll, *key, around, waits)?.is_some();
        }
        Ok(any)
    }

    /// How often a file has become readier; `None` where that is not counted, and each time is taken for news.
    fn edges(&self, id: OpenFileId, around: &dyn Surroundings) -> Option<Edges> {
        let object = &self.get(id).object;
        let own = self.changes.edges(self.counted_source(object)?);
        let Object::Anonymous(number) = object else { return Some(own) };
        match self.anonymous.get(number)? {
            Anonymous::Timer(timer) => Some(own.and(Edges { input: timer.total(around.now()), output: 0 })),
            Anonymous::Epoll(epoll) => {
                let inner = |sum: Edges, file| {
                    let edges = self.edges(file, around).unwrap_or_default();
                    sum.and(Edges { input: edges.input.wrapping_add(edges.output), output: 0 })
                };
                Some(epoll.files().fold(own, inner))
            }
            _ => Some(own),
        }
    }

    /// Where changes of an object are counted.
    fn counted_source(&self, object: &Object) -> Option<Source> {
        match object {
            Object::Pipe { pipe, .. } => Some(Source::Pipe(*pipe)),
            Object::Socket(socket) => Some(Source::Socket(*socket)),
            Object::Terminal { terminal, end } => Some(Source::Terminal(*terminal, *end)),
            Object::Anonymous(number) => match self.anonymous.get(number) {
                Some(Anonymous::Signals(_) | Anonymous::Process { .. }) => None,
                _ => Some(Source::Anonymous(*number)),
            },
            _ => None,
        }
    }

    /// How deep lists lie inside `list`. ELOOP if that is too deep, or `top` is among them.
    fn depth_below(&self, list: OpenFileId, top: OpenFileId) -> Result<u32, Errno> {
        self.depth_within(list, top, 0)
    }

    fn depth_within(&self, list: OpenFileId, top: OpenFileId, above: u32) -> Result<u32, Errno> {
        if list == top || above > NESTS_MAX {
            return Err(Errno::ELOOP);
        }
        let mut depth = 0;
        for file in self.epoll(list)?.files() {
            if self.epoll(file).is_ok() {
                depth = depth.max(1 + self.depth_within(file, top, above + 1)?);
            }
        }
        Ok(depth)
    }

    /// In how many lists one inside another `list` is.
    fn depth_above(&self, list: OpenFileId, below: u32) -> u32 {
        if below > NESTS_MAX || !self.slot(list).is_some_and(|slot| slot.is_watched) {
            return 0;
        }
        let mut depth = 0;
        for id in self.ids() {
            if self.epoll(id).is_ok_and(|epoll| epoll.files().any(|file| file == list)) {
                depth = depth.max(1 + self.depth_above(id, below + 1));
            }
        }
        depth
    }
}
