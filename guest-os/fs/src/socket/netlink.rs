//! Sockets of AF_NETLINK (netlink(7)): their names, who hears from them, and what the kernel answers on NETLINK_ROUTE ([`answer`]).

mod answer;

use super::{Address, Changes, Family, Hold, Message, SocketId, Sockets, State, wait};
use crate::socket::queue::OVERHEAD_BYTES;
use crate::{Errno, Readiness, Source};
use alloc::rc::Rc;
use alloc::vec::Vec;

/// Where a socket of AF_NETLINK is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NetlinkName {
    /// By most the process that has it first; 0 for the kernel, and for who has none yet.
    pub port: u32,
    /// The groups that it hears, a bit each.
    pub groups: u32,
}

/// Groups that NETLINK_ROUTE has, of those that a name has room for.
const GROUPS: u32 = 32;
/// The first port for who finds that of its process taken; the others are below it.
const LAST_PORT: u32 = 0xffff_efff;

impl Sockets {
    /// `bind` of a socket of AF_NETLINK, of the process `pid`. EINVAL if it has another port, EADDRINUSE if somebody else has this one.
    pub fn bind_netlink(&mut self, id: SocketId, wanted: NetlinkName, pid: u32) -> Result<(), Errno> {
        let own = self.netlink_name(id);
        let port = match (own.port, wanted.port) {
            (0, 0) => self.free_netlink_port(pid)?,
            (0, wanted) if self.netlink_ports.contains_key(&wanted) => return Err(Errno::EADDRINUSE),
            (0, wanted) => wanted,
            (own, wanted) if own == wanted => own,
            _ => return Err(Errno::EINVAL),
        };
        self.netlink_ports.insert(port, id);
        self.socket_mut(id).name = Address::Netlink(NetlinkName { port, groups: wanted.groups });
        Ok(())
    }

    fn free_netlink_port(&self, pid: u32) -> Result<u32, Errno> {
        let is_free = |port: &u32| !self.netlink_ports.contains_key(port);
        let others = (1..=LAST_PORT).rev().take(self.netlink_ports.len() + 1);
        core::iter::once(pid).filter(|&pid| pid != 0).chain(others).find(is_free).ok_or(Errno::EADDRINUSE)
    }

    /// A socket has gone.
    pub(super) fn forget_netlink(&mut self, id: SocketId, name: NetlinkName) {
        if self.netlink_ports.get(&name.port) == Some(&id) {
            self.netlink_ports.remove(&name.port);
        }
    }

    pub(super) fn netlink_name(&self, id: SocketId) -> NetlinkName {
        match self.socket(id).name {
            Address::Netlink(name) => name,
            _ => NetlinkName::default(),
        }
    }

    /// The groups that it hears, a bit each (NETLINK_LIST_MEMBERSHIPS).
    pub fn memberships(&self, id: SocketId) -> u32 {
        self.netlink_name(id).groups
    }

    /// Joins or leaves a group by its number (NETLINK_ADD_MEMBERSHIP, NETLINK_DROP_MEMBERSHIP). EINVAL if there is none.
    pub fn set_membership(&mut self, id: SocketId, group: u32, is_member: bool) -> Result<(), Errno> {
        if !(1..=GROUPS).contains(&group) {
            return Err(Errno::EINVAL);
        }
        let NetlinkName { port, groups } = self.netlink_name(id);
        let bit = 1 << (group - 1);
        let groups = if is_member { groups | bit } else { groups & !bit };
        self.socket_mut(id).name = Address::Netlink(NetlinkName { port, groups });
        Ok(())
    }

    /// `connect`: to whom is sent what is sent to nobody by name, and whom alone it hears.
    pub(super) fn connect_netlink(&mut self, id: SocketId, to: NetlinkName, pid: u32) -> Result<(), Errno> {
        let own = self.netlink_name(id);
        if own.port == 0 {
            self.bind_netlink(id, own, pid)?;
        }
        let socket = self.socket_mut(id);
        (socket.state, socket.peer_name) = (State::Directed, Address::Netlink(to));
        Ok(())
    }

    /// Sends a message to the kernel, to a socket or to a group. ECONNREFUSED, EMSGSIZE.
    pub(super) fn send_netlink(
        &mut self,
        changes: &mut Changes,
        id: SocketId,
        message: &mut Message,
        to: Option<NetlinkName>,
    ) -> Result<(), Hold> {
        /// What Linux needs of SO_SNDBUF beside a message.
        const OVERHEAD: usize = 32;
        let socket = self.socket(id);
        if message.bytes.len() > socket.options.send_bytes.saturating_sub(OVERHEAD) {
            return Err(Errno::EMSGSIZE.into());
        }
        let to = match (to, &socket.peer_name) {
            (Some(to), _) | (None, &Address::Netlink(to)) => to,
            _ => NetlinkName::default(),
        };
        let mut own = self.netlink_name(id);
        if own.port == 0 {
            self.bind_netlink(id, own, message.sender.pid)?;
            own = self.netlink_name(id);
        }
        if to.groups != 0 {
            self.send_to_group(changes, id, message, to.groups & to.groups.wrapping_neg())?;
        }
        match to.port {
            0 => self.ask_kernel(changes, id, own.port, &message.bytes)?,
            port => self.send_to_port(changes, id, message, port)?,
        }
        // It is taken, whoever has heard it.
        *message = Message::default();
        Ok(())
    }

    fn send_to_port(
        &mut self,
        changes: &mut Changes,
        id: SocketId,
        message: &Message,
        port: u32,
    ) -> Result<(), Hold> {
        let own = self.netlink_name(id);
        let other = *self.netlink_ports.get(&port).ok_or(Errno::ECONNREFUSED)?;
        let receiver = self.socket(other);
        let hears = match (&receiver.state, &receiver.peer_name) {
            (State::Directed, Address::Netlink(peer)) => peer.port == own.port,
            _ => true,
        };
        if !hears {
            return Err(Errno::ECONNREFUSED.into());
        }
        if !self.has_netlink_room(other, message.bytes.len()) {
            return Err(wait(other));
        }
        Ok(self.deliver_netlink(changes, other, message, NetlinkName { groups: 0, ..own })?)
    }

    /// Those of a group who have no room miss it. ENOMEM, and then nobody has heard it.
    fn send_to_group(
        &mut self,
        changes: &mut Changes,
        id: SocketId,
        message: &Message,
        group: u32,
    ) -> Result<(), Errno> {
        let from = NetlinkName { groups: group, ..self.netlink_name(id) };
        self.each_of_group(id, group, |sockets, other| sockets.socket_mut(other).inbox.reserve(1))?;
        self.each_of_group(id, group, |sockets, other| {
            sockets.deliver_or_miss(changes, other, message, from);
            Ok(())
        })
    }

    fn each_of_group(
        &mut self,
        id: SocketId,
        group: u32,
        mut action: impl FnMut(&mut Self, SocketId) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let mut next = Some(0);
        while let Some(from) = next
            && let Some((&port, &other)) = self.netlink_ports.range(from..).next()
        {
            if other != id && self.netlink_name(other).groups & group != 0 {
                action(self, other)?;
            }
            next = port.checked_add(1);
        }
        Ok(())
    }

    /// The kernel answers at once. ENOMEM, and then it has not.
    fn ask_kernel(
        &mut self,
        changes: &mut Changes,
        id: SocketId,
        port: u32,
        bytes: &[u8],
    ) -> Result<(), Errno> {
        let mut replies = Vec::new();
        for request in answer::requests(bytes) {
            let mut more = answer::answer(request, port)?;
            replies.try_reserve(more.len()).map_err(|_| Errno::ENOMEM)?;
            replies.append(&mut more);
        }
        self.socket_mut(id).inbox.reserve(replies.len())?;
        for reply in replies {
            let message = Message { bytes: Rc::new(reply), ..Message::default() };
            self.deliver_or_miss(changes, id, &message, NetlinkName::default());
        }
        Ok(())
    }

    /// Who has no room misses something, and is told so once: ENOBUFS.
    fn deliver_or_miss(&mut self, changes: &mut Changes, to: SocketId, message: &Message, from: NetlinkName) {
        let is_heard = self.has_netlink_room(to, message.bytes.len())
            && self.deliver_netlink(changes, to, message, from).is_ok();
        if !is_heard {
            self.socket_mut(to).error = Some(Errno::ENOBUFS);
            changes.note(Source::Socket(to), Readiness::IN);
        }
    }

    fn has_netlink_room(&self, to: SocketId, len: usize) -> bool {
        let receiver = self.socket(to);
        receiver.inbox.is_empty()
            || receiver.inbox.cost() + len + OVERHEAD_BYTES <= receiver.options.receive_bytes
    }

    fn deliver_netlink(
        &mut self,
        changes: &mut Changes,
        to: SocketId,
        message: &Message,
        from: NetlinkName,
    ) -> Result<(), Errno> {
        debug_assert!(self.socket(to).family == Family::Netlink, "only these have ports of netlink");
        let (bytes, sender) = (message.bytes.clone(), message.sender);
        let copy = Message { bytes, sender, from: Address::Netlink(from), ..Message::default() };
        self.socket_mut(to).inbox.push(copy).map_err(|(errno, _)| errno)?;
        changes.note(Source::Socket(to), Readiness::IN);
        Ok(())
    }
}
