//! Descriptors that nobody can reach any more: a socket that is on its way in its own queue, or in that of another one that is.
//!
//! Each keeps the other open, so that no `close` would ever end them. Whenever a descriptor is closed while some are on their way, what can be
//! reached is marked, beginning with every open file that has a reference other than those on their way; what is not is emptied.

use super::{SocketId, Sockets, State};
use crate::OpenFileId;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

impl Sockets {
    /// Whether descriptors are on their way.
    pub(crate) fn has_rights_in_flight(&self) -> bool {
        self.in_flight > 0
    }

    /// How often each open file is on its way.
    pub(crate) fn rights_in_flight(&self) -> BTreeMap<OpenFileId, u32> {
        let mut counts = BTreeMap::new();
        self.all
            .values()
            .flat_map(|socket| socket.inbox.rights())
            .for_each(|id| *counts.entry(id).or_default() += 1);
        counts
    }

    /// The descriptors in a socket's queue, and in those of the connections that wait for it.
    fn rights_behind(&self, id: SocketId) -> impl Iterator<Item = OpenFileId> + '_ {
        let socket = self.socket(id);
        let waiting = match &socket.state {
            State::Listening { waiting, .. } => Some(waiting),
            _ => None,
        };
        let behind = waiting.into_iter().flatten().flat_map(|&server| self.socket(server).inbox.rights());
        socket.inbox.rights().chain(behind)
    }

    /// Releases the descriptors in the queues of sockets that cannot be reached. `suspects` are the open files that are open only on their
    /// way, with the sockets that they are.
    #[cold]
    #[inline(never)]
    pub(crate) fn collect(&mut self, suspects: &BTreeMap<OpenFileId, SocketId>) {
        // One by one: collecting would sort, on a small stack.
        let (mut unreached, mut waits_behind) = (BTreeSet::new(), BTreeSet::new());
        suspects.values().for_each(|&id| _ = unreached.insert(id));
        for &id in &unreached {
            self.waiting_behind(id).for_each(|server| _ = waits_behind.insert(server));
        }
        let mut to_visit: Vec<SocketId> = Vec::new();
        // Without memory it is for the next close to do. Each is visited once, so there will be no need for more.
        if to_visit.try_reserve_exact(self.all.len()).is_err() {
            return;
        }
        let roots = self.all.keys().filter(|id| !unreached.contains(id) && !waits_behind.contains(id));
        to_visit.extend(roots.copied());
        while let Some(id) = to_visit.pop() {
            for right in self.rights_behind(id) {
                if let Some(found) = suspects.get(&right)
                    && unreached.remove(found)
                {
                    to_visit.push(*found);
                }
            }
        }
        for id in unreached {
            let before = self.released.len();
            let mut servers = BTreeSet::new();
            self.waiting_behind(id).for_each(|server| _ = servers.insert(server));
            for one in servers.into_iter().chain([id]) {
                if let Some(socket) = self.all.get_mut(&one) {
                    socket.inbox.take_rights(&mut self.released);
                }
            }
            self.in_flight -= self.released.len() - before;
        }
    }

    fn waiting_behind(&self, id: SocketId) -> impl Iterator<Item = SocketId> + '_ {
        match &self.socket(id).state {
            State::Listening { waiting, .. } => Some(waiting.iter().copied()),
            _ => None,
        }
        .into_iter()
        .flatten()
    }
}
