//! Connections: `listen`, `connect`, `accept`, `shutdown`, and the end of a socket.

use super::{
    Address, Changes, Endpoint, Family, Hold, Ip, NetlinkName, Options, Sender, Socket, SocketId, SocketKind,
    Sockets, Source, State, wait,
};
use crate::{Errno, Readiness};
use alloc::collections::VecDeque;

/// Most connections that may wait to be accepted (SOMAXCONN).
const BACKLOG_MAX: usize = 4096;

/// Where a call sends to or connects with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// A socket of AF_UNIX, found by its name.
    Socket(SocketId),
    /// Whoever has an address and a port.
    Endpoint(Endpoint),
    /// Whoever has a port of netlink, or hears a group.
    Netlink(NetlinkName),
}

/// What `shutdown` ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Direction {
    /// SHUT_RD, SHUT_RDWR.
    pub receiving: bool,
    /// SHUT_WR, SHUT_RDWR.
    pub sending: bool,
}

const BOTH: Readiness = Readiness::IN.union(Readiness::OUT);

impl Sockets {
    /// `listen`.
    pub fn listen(
        &mut self,
        changes: &mut Changes,
        id: SocketId,
        backlog: u32,
        owner: Sender,
    ) -> Result<(), Errno> {
        let socket = self.socket(id);
        if !socket.kind.connects() {
            return Err(Errno::EOPNOTSUPP);
        }
        if socket.family == Family::Unix && socket.name == Address::Unnamed {
            return Err(Errno::EINVAL);
        }
        let wanted = usize::try_from(backlog).unwrap_or(BACKLOG_MAX).min(BACKLOG_MAX);
        match &mut self.socket_mut(id).state {
            State::Listening { backlog, .. } => {
                *backlog = wanted;
                changes.note(Source::Socket(id), Readiness::OUT);
                return Ok(());
            }
            State::Idle => {}
            _ => return Err(Errno::EINVAL),
        }
        if self.socket(id).family.is_inet() {
            self.check_listening(id)?;
            self.ensure_port(id, Ip::any(self.socket(id).family))?;
        }
        let socket = self.socket_mut(id);
        socket.owner = owner;
        socket.peer = Some(owner);
        socket.state = State::Listening { backlog: wanted, waiting: VecDeque::new() };
        Ok(())
    }

    /// `connect`; `is_awaited` says that the caller would wait.
    pub fn connect(
        &mut self,
        changes: &mut Changes,
        id: SocketId,
        target: Target,
        who: Sender,
        is_awaited: bool,
    ) -> Result<(), Hold> {
        let kind = self.socket(id).kind;
        match target {
            Target::Socket(other) if kind.connects() => self.connect_unix(changes, id, other, who),
            Target::Socket(other) => Ok(self.direct_unix(id, other)?),
            Target::Endpoint(to) if kind == SocketKind::Datagram => Ok(self.direct(id, to)?),
            Target::Netlink(to) => Ok(self.connect_netlink(id, to, who.pid)?),
            Target::Endpoint(to) => self.connect_tcp(changes, id, to, who, is_awaited),
        }
    }

    /// `connect` to nobody: AF_UNSPEC.
    pub fn disconnect(&mut self, changes: &mut Changes, id: SocketId) -> Result<(), Errno> {
        let socket = self.socket(id);
        match (socket.family, socket.kind) {
            (Family::Unix, SocketKind::Datagram) => {}
            (Family::Unix, _) => return Err(Errno::EINVAL),
            (_, SocketKind::Datagram | SocketKind::Raw) => {}
            _ => {
                self.leave(changes, id, true);
                let socket = self.socket_mut(id);
                (socket.receives_no_more, socket.sends_no_more) = (false, false);
            }
        }
        let socket = self.socket_mut(id);
        (socket.state, socket.peer_name) = (State::Idle, Address::Unnamed);
        self.forget_own_address(id);
        changes.note(Source::Socket(id), BOTH);
        Ok(())
    }

    fn connect_unix(
        &mut self,
        changes: &mut Changes,
        id: SocketId,
        other: SocketId,
        who: Sender,
    ) -> Result<(), Hold> {
        let (socket, listener) = (self.socket(id), self.socket(other));
        if socket.kind != listener.kind {
            return Err(Errno::EPROTOTYPE.into());
        }
        match socket.state {
            State::Idle => {}
            State::Listening { .. } => return Err(Errno::EINVAL.into()),
            _ => return Err(Errno::EISCONN.into()),
        }
        let State::Listening { backlog, waiting } = &listener.state else {
            return Err(Errno::ECONNREFUSED.into());
        };
        if listener.receives_no_more {
            return Err(Errno::ECONNREFUSED.into());
        }
        if waiting.len() > *backlog {
            return Err(wait(other));
        }
        if socket.options.tells_sender && socket.name == Address::Unnamed {
            self.make_up_name(id)?;
        }
        Ok(self.establish(changes, id, other, self.socket(other).name.clone(), who)?)
    }

    fn direct_unix(&mut self, id: SocketId, other: SocketId) -> Result<(), Errno> {
        self.check_receiver(id, other)?;
        let name = self.socket(other).name.clone();
        if self.socket(id).options.tells_sender && self.socket(id).name == Address::Unnamed {
            self.make_up_name(id)?;
        }
        let peer = self.socket(other).owner;
        let socket = self.socket_mut(id);
        (socket.state, socket.peer_name, socket.peer) = (State::Connected(other), name, Some(peer));
        Ok(())
    }

    fn direct(&mut self, id: SocketId, to: Endpoint) -> Result<(), Errno> {
        let to = self.reachable(id, to)?;
        self.ensure_port(id, to.ip.source())?;
        let socket = self.socket_mut(id);
        if let Address::Inet(name) = &mut socket.name
            && name.ip.is_any()
        {
            name.ip = to.ip.source();
        }
        (socket.state, socket.peer_name) = (State::Directed, Address::Inet(to));
        Ok(())
    }

    /// Where an address leads that a socket of a family names. ENETUNREACH if that is not this machine; EACCES for all machines, unless it says that it wants that.
    pub(super) fn reachable(&self, id: SocketId, to: Endpoint) -> Result<Endpoint, Errno> {
        let socket = self.socket(id);
        match (socket.family, to.ip) {
            (Family::Inet, Ip::V6(_)) => Err(Errno::EAFNOSUPPORT),
            (Family::Inet6, Ip::V4(_)) if socket.options.only_v6 => Err(Errno::ENETUNREACH),
            (Family::Inet, Ip::V4([255, 255, 255, 255]))
                if socket.kind == SocketKind::Datagram && !socket.options.may_broadcast() =>
            {
                Err(Errno::EACCES)
            }
            (_, ip) if ip.is_multicast() || !ip.is_local() => Err(Errno::ENETUNREACH),
            (_, ip) => Ok(Endpoint { ip: ip.reached(), ..to }),
        }
    }

    fn connect_tcp(
        &mut self,
        changes: &mut Changes,
        id: SocketId,
        to: Endpoint,
        who: Sender,
        is_awaited: bool,
    ) -> Result<(), Hold> {
        let socket = self.socket_mut(id);
        if core::mem::take(&mut socket.is_news) {
            return Ok(());
        }
        if let Some(error) = socket.error.take() {
            return Err(error.into());
        }
        if !matches!(socket.state, State::Idle) {
            return Err(Errno::EISCONN.into());
        }
        let to = self.reachable(id, to)?;
        self.ensure_port(id, to.ip.source())?;
        let found = self.listener_at(to);
        let is_full = |listener: SocketId| match &self.socket(listener).state {
            State::Listening { backlog, waiting } => {
                waiting.len() > if is_awaited { *backlog } else { BACKLOG_MAX }
            }
            _ => true,
        };
        let result = match found {
            None => Err(Errno::ECONNREFUSED),
            Some(listener) if is_full(listener) && is_awaited => return Err(wait(listener)),
            Some(listener) if is_full(listener) => Err(Errno::ECONNREFUSED),
            Some(listener) => self.establish(changes, id, listener, Address::Inet(to), who),
        };
        if is_awaited {
            return Ok(result?);
        }
        // As in Linux, who does not wait hears of it later, though it is over by now.
        let socket = self.socket_mut(id);
        match result {
            Ok(()) => socket.is_news = true,
            Err(error) => socket.error = Some(error),
        }
        changes.note(Source::Socket(id), BOTH);
        Err(Errno::EINPROGRESS.into())
    }

    /// Connects a socket with one that is made for it and waits to be accepted. ENOMEM.
    fn establish(
        &mut self,
        changes: &mut Changes,
        id: SocketId,
        listener: SocketId,
        to: Address,
        who: Sender,
    ) -> Result<(), Errno> {
        let Socket { family, kind, owner, options, .. } = self.socket(listener);
        let (family, kind, owner) = (*family, *kind, *owner);
        // As in Linux, only those of TCP pass on what they have been told.
        let options = if family == Family::Unix { Options::new(family, kind) } else { options.clone() };
        if let State::Listening { waiting, .. } = &mut self.socket_mut(listener).state {
            waiting.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        }
        if let (Address::Inet(to), Address::Inet(name)) = (&to, &mut self.socket_mut(id).name)
            && name.ip.is_any()
        {
            name.ip = to.ip.source();
        }
        let server = self.create(family, kind, owner);
        match &to {
            Address::Inet(endpoint) => self.take_port(server, *endpoint),
            name => self.socket_mut(server).name = name.clone(),
        }
        let client_name = self.socket(id).name.clone();
        let accepted = self.socket_mut(server);
        accepted.options = options;
        accepted.state = State::Connected(id);
        accepted.peer_name = client_name;
        accepted.peer = Some(who);
        let client = self.socket_mut(id);
        client.state = State::Connected(server);
        client.peer_name = to;
        client.peer = Some(owner);
        if let State::Listening { waiting, .. } = &mut self.socket_mut(listener).state {
            waiting.push_back(server);
        }
        changes.note(Source::Socket(listener), Readiness::IN);
        changes.note(Source::Socket(id), Readiness::OUT);
        Ok(())
    }

    /// `accept`: the socket at this end of the connection that came first.
    pub fn accept(&mut self, changes: &mut Changes, id: SocketId) -> Result<SocketId, Hold> {
        let socket = self.socket_mut(id);
        if !socket.kind.connects() {
            return Err(Errno::EOPNOTSUPP.into());
        }
        let State::Listening { waiting, .. } = &mut socket.state else { return Err(Errno::EINVAL.into()) };
        match waiting.pop_front() {
            Some(server) => {
                changes.note(Source::Socket(id), Readiness::OUT);
                Ok(server)
            }
            None if socket.receives_no_more => Err(Errno::EINVAL.into()),
            None => Err(wait(id)),
        }
    }

    /// `shutdown`.
    pub fn shutdown(&mut self, changes: &mut Changes, id: SocketId, what: Direction) -> Result<(), Errno> {
        let socket = self.socket_mut(id);
        let is_unix = socket.family == Family::Unix;
        if socket.family == Family::Netlink {
            return Err(Errno::EOPNOTSUPP);
        }
        if socket.is_tcp() {
            match socket.state {
                State::Listening { .. } if what.receiving => {
                    self.leave(changes, id, true);
                    self.socket_mut(id).state = State::Idle;
                    changes.note(Source::Socket(id), BOTH);
                    return Ok(());
                }
                State::Listening { .. } => return Ok(()),
                _ => {}
            }
        }
        socket.receives_no_more |= what.receiving;
        socket.sends_no_more |= what.sending;
        let is_directed = !matches!(socket.state, State::Idle);
        if let (State::Connected(peer), true) = (&socket.state, socket.kind.connects()) {
            let peer = *peer;
            if let Some(other) = self.all.get_mut(&peer) {
                other.receives_no_more |= what.sending;
                // Of AF_UNIX each knows at once that the other one listens no more.
                other.sends_no_more |= what.receiving && is_unix;
                changes.note(Source::Socket(peer), BOTH);
            }
        }
        changes.note(Source::Socket(id), BOTH);
        if is_unix || is_directed { Ok(()) } else { Err(Errno::ENOTCONN) }
    }

    /// The last descriptor of a socket is gone, and so is the socket.
    #[inline(never)] // a frame of its own
    pub(crate) fn close(&mut self, changes: &mut Changes, id: SocketId) {
        self.leave(changes, id, false);
        self.forget_name(id);
        if let Some(mut socket) = self.all.remove(&id) {
            let before = self.released.len();
            socket.inbox.take_rights(&mut self.released);
            self.in_flight -= self.released.len() - before;
        }
        changes.note(Source::Socket(id), BOTH);
    }

    /// Tells whoever is connected with a socket, or waits to be accepted by it, that it is no longer there.
    fn leave(&mut self, changes: &mut Changes, id: SocketId, is_abort: bool) {
        let socket = self.socket_mut(id);
        let is_unread = !socket.inbox.is_empty();
        let aborts = is_abort
            || is_unread
            || socket.options.linger.is_on && socket.options.linger.seconds == 0 && socket.is_tcp();
        match &mut socket.state {
            State::Listening { waiting, .. } => {
                let mut waiting = core::mem::take(waiting);
                while let Some(server) = waiting.pop_front() {
                    self.leave(changes, server, true);
                    self.close_quietly(changes, server);
                }
            }
            State::Connected(peer) if socket.kind.connects() => {
                let peer = *peer;
                let Some(other) = self.all.get_mut(&peer) else { return };
                if !matches!(other.state, State::Connected(back) if back == id) {
                    return;
                }
                other.receives_no_more = true;
                other.sends_no_more |= aborts || other.family == Family::Unix;
                if aborts {
                    other.error = Some(Errno::ECONNRESET);
                }
                changes.note(Source::Socket(peer), BOTH);
            }
            _ => {}
        }
    }

    /// A socket that nobody has opened goes; its peer has been told.
    fn close_quietly(&mut self, changes: &mut Changes, id: SocketId) {
        self.socket_mut(id).state = State::Idle;
        self.close(changes, id);
    }
}
