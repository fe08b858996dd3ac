//! Sending and receiving.

use super::{
    Address, Changes, Endpoint, Family, Hold, Message, Socket, SocketId, SocketKind, Sockets, Source, State,
    Target, wait,
};
use crate::socket::queue::OVERHEAD_BYTES;
use crate::{Errno, OpenFileId, Readiness};
use alloc::vec::Vec;

/// Most descriptors that come with a message (SCM_MAX_FD).
pub const RIGHTS_MAX: usize = 253;
/// Most descriptors on their way in the whole system.
const IN_FLIGHT_MAX: usize = 1024;
/// Datagrams from strangers that may wait, beside one (`net.unix.max_dgram_qlen`).
const STRANGERS_MAX: usize = 10;
/// What a datagram of UDP holds at most.
const UDP_MAX: usize = 65_507;
/// What Linux needs of SO_SNDBUF beside a datagram.
const DATAGRAM_OVERHEAD: usize = 32;

impl Sockets {
    /// Sees to room for `count` descriptors more on their way. ETOOMANYREFS if more than `limit` are by then, or more than can be looked
    /// through whenever one is closed; ENOMEM.
    pub fn reserve_rights(&mut self, count: usize, limit: usize) -> Result<(), Errno> {
        if self.in_flight + count > limit.min(IN_FLIGHT_MAX) {
            return Err(Errno::ETOOMANYREFS);
        }
        // All that are on their way may be released at once, with nobody there to say that there is no memory.
        self.released.try_reserve(self.in_flight + count).map_err(|_| Errno::ENOMEM)
    }

    /// Sends bytes of a stream, as many as there is room for, and all descriptors of `with`, which then has none. EPIPE is with SIGPIPE.
    pub fn send_stream(
        &mut self,
        changes: &mut Changes,
        id: SocketId,
        bytes: &[u8],
        with: &mut Message,
    ) -> Result<usize, Hold> {
        let socket = self.socket_mut(id);
        let is_tcp = socket.is_tcp();
        if is_tcp && let Some(error) = socket.error.take() {
            return Err(error.into());
        }
        let peer = match socket.state {
            State::Connected(_) if socket.sends_no_more => return Err(Errno::EPIPE.into()),
            State::Connected(peer) => peer,
            _ if is_tcp => return Err(Errno::EPIPE.into()),
            _ => return Err(Errno::ENOTCONN.into()),
        };
        let send_bytes = self.socket(id).options.send_bytes;
        let Some(other) = self.all.get_mut(&peer) else {
            // Of TCP: what is sent first finds out that nobody is there, and who sends next is told.
            let socket = self.socket_mut(id);
            (socket.sends_no_more, socket.error) = (true, Some(Errno::EPIPE));
            changes.note(Source::Socket(id), Readiness::IN | Readiness::OUT);
            return Ok(bytes.len());
        };
        let room = capacity(send_bytes, other).saturating_sub(other.inbox.len());
        if room == 0 && !bytes.is_empty() {
            return Err(wait(id));
        }
        if bytes.is_empty() && with.rights.is_empty() {
            return Ok(0);
        }
        let rights = with.rights.len();
        let count = other.inbox.extend(&bytes[..bytes.len().min(room)], with)?;
        self.in_flight += rights - with.rights.len();
        changes.note(Source::Socket(peer), Readiness::IN);
        Ok(count)
    }

    /// Sends a message whole: to `to`, or to the peer. It is taken if that succeeds.
    pub fn send_message(
        &mut self,
        changes: &mut Changes,
        id: SocketId,
        message: &mut Message,
        to: Option<Target>,
    ) -> Result<(), Hold> {
        let socket = self.socket_mut(id);
        let family = socket.family;
        if let Some(error) = socket.error.take() {
            return Err(error.into());
        }
        match (family, to) {
            (Family::Unix, _) => self.send_unix(changes, id, message, to),
            (Family::Netlink, Some(Target::Netlink(to))) => self.send_netlink(changes, id, message, Some(to)),
            (Family::Netlink, _) => self.send_netlink(changes, id, message, None),
            _ => Ok(self.send_udp(changes, id, message, to)?),
        }
    }

    fn send_unix(
        &mut self,
        changes: &mut Changes,
        id: SocketId,
        message: &mut Message,
        to: Option<Target>,
    ) -> Result<(), Hold> {
        let socket = self.socket(id);
        if socket.options.tells_sender && socket.name == Address::Unnamed {
            self.make_up_name(id)?;
        }
        let socket = self.socket(id);
        let len = message.bytes.len();
        if len > socket.options.send_bytes.saturating_sub(DATAGRAM_OVERHEAD) {
            return Err(Errno::EMSGSIZE.into());
        }
        if socket.sends_no_more {
            return Err(Errno::EPIPE.into());
        }
        let peer = match (to, &socket.state) {
            (Some(Target::Socket(other)), _) if !socket.kind.connects() => other,
            (_, State::Connected(peer)) => *peer,
            _ => return Err(Errno::ENOTCONN.into()),
        };
        let from = socket.name.clone();
        if !self.all.contains_key(&peer) {
            if socket.kind.connects() {
                return Err(Errno::EPIPE.into());
            }
            // As in Linux, a datagram's peer that has gone is told of once.
            let socket = self.socket_mut(id);
            (socket.state, socket.peer_name) = (State::Idle, Address::Unnamed);
            return Err(Errno::ECONNREFUSED.into());
        }
        if !socket.kind.connects() {
            self.check_receiver(id, peer)?;
        }
        let (socket, other) = (self.socket(id), self.socket(peer));
        if other.receives_no_more {
            return Err(Errno::EPIPE.into());
        }
        if !has_room(id, socket, other, len) {
            // Whoever reads there tells those who are its peer, and those who wait for it.
            let told_by = if is_mutual(id, other) { id } else { peer };
            return Err(wait(told_by));
        }
        self.deliver(changes, peer, Message { from, ..core::mem::take(message) }, message)?;
        Ok(())
    }

    /// EPROTOTYPE, EPERM unless a datagram may be sent to this socket: one that has a peer takes them from it only.
    pub(super) fn check_receiver(&self, id: SocketId, other: SocketId) -> Result<(), Errno> {
        let receiver = self.socket(other);
        if receiver.kind != self.socket(id).kind {
            return Err(Errno::EPROTOTYPE);
        }
        match receiver.state {
            State::Connected(peer) if peer != id => Err(Errno::EPERM),
            _ => Ok(()),
        }
    }

    fn send_udp(
        &mut self,
        changes: &mut Changes,
        id: SocketId,
        message: &mut Message,
        to: Option<Target>,
    ) -> Result<(), Errno> {
        let socket = self.socket(id);
        let to = match (to, &socket.peer_name) {
            (Some(Target::Endpoint(to)), _) => self.reachable(id, to)?,
            (_, Address::Inet(to)) if matches!(socket.state, State::Directed) => *to,
            _ => return Err(Errno::EDESTADDRREQ),
        };
        if to.port == 0 {
            return Err(Errno::EINVAL);
        }
        if message.bytes.len() > UDP_MAX {
            return Err(Errno::EMSGSIZE);
        }
        if socket.sends_no_more {
            return Err(Errno::EPIPE);
        }
        self.ensure_port(id, super::Ip::any(self.socket(id).family))?;
        let Some(name) = self.socket(id).endpoint() else { return Err(Errno::EINVAL) };
        let own = if name.ip.is_any() { to.ip.source() } else { name.ip };
        let from = Endpoint { ip: message.header.here.unwrap_or(own), ..name };
        let Some(receiver) = self.receiver_at(to, from) else {
            if matches!(self.socket(id).state, State::Directed) {
                self.socket_mut(id).error = Some(Errno::ECONNREFUSED);
                changes.note(Source::Socket(id), Readiness::IN | Readiness::OUT);
            }
            return Ok(());
        };
        let header = message.header.sent(to.ip, &self.socket(id).options);
        let inbox = &self.socket(receiver).inbox;
        let limit = self.socket(receiver).options.receive_bytes;
        if !inbox.is_empty() && inbox.cost() + message.bytes.len() + OVERHEAD_BYTES > limit {
            // As in Linux, what does not fit is lost.
            return Ok(());
        }
        self.deliver(
            changes,
            receiver,
            Message { from: Address::Inet(from), header, ..core::mem::take(message) },
            message,
        )
    }

    /// Puts a message into a queue; gives it back if there is no memory.
    fn deliver(
        &mut self,
        changes: &mut Changes,
        to: SocketId,
        message: Message,
        back: &mut Message,
    ) -> Result<(), Errno> {
        let rights = message.rights.len();
        if let Err((errno, message)) = self.socket_mut(to).inbox.push(message) {
            *back = message;
            return Err(errno);
        }
        self.in_flight += rights;
        changes.note(Source::Socket(to), Readiness::IN);
        Ok(())
    }

    /// The next message, whole, and where it is; it stays. `None`: no more will come.
    pub fn peek_message(&mut self, id: SocketId) -> Result<Option<(Message, u64)>, Hold> {
        let socket = self.socket_mut(id);
        if socket.kind == SocketKind::SeqPacket
            && matches!(socket.state, State::Idle | State::Listening { .. })
        {
            return Err(Errno::ENOTCONN.into());
        }
        if let Some(message) = socket.inbox.first() {
            return Ok(Some((message.clone(), socket.inbox.position())));
        }
        if let Some(error) = socket.error.take() {
            return Err(error.into());
        }
        if socket.receives_no_more { Ok(None) } else { Err(wait(id)) }
    }

    /// Takes a message that was peeked at, with its descriptors; `None` if another reader has had it.
    pub fn take_message(&mut self, changes: &mut Changes, id: SocketId, position: u64) -> Option<Message> {
        let socket = self.socket_mut(id);
        let message = if socket.inbox.position() == position { socket.inbox.pop() } else { None }?;
        self.in_flight -= message.rights.len();
        self.tell_room(changes, id);
        Some(message)
    }

    /// Copies the next bytes of a stream out, those behind the first `skip`, and says where they are; they stay. None: no more will come.
    pub fn peek_stream(&mut self, id: SocketId, out: &mut [u8], skip: usize) -> Result<(usize, u64), Hold> {
        let socket = self.socket_mut(id);
        let is_connected = matches!(socket.state, State::Connected(_));
        if !is_connected && !socket.is_tcp() {
            return Err(Errno::EINVAL.into());
        }
        let position = socket.inbox.position();
        if !socket.inbox.is_empty() {
            return Ok((socket.inbox.peek(out, skip, socket.options.tells_sender), position));
        }
        // One of TCP that has heard the other end out is not told that it then has gone.
        if socket.error.is_some_and(|error| error != Errno::EPIPE)
            && let Some(error) = socket.error.take()
        {
            return Err(error.into());
        }
        if socket.receives_no_more {
            return Ok((0, position));
        }
        if is_connected { Err(wait(id)) } else { Err(Errno::ENOTCONN.into()) }
    }

    /// What came with the next bytes of a stream: from whom, by whom, with which descriptors.
    pub fn first_message(&self, id: SocketId) -> Option<&Message> {
        self.socket(id).inbox.first()
    }

    /// Takes bytes out that were peeked at, and the descriptors that came with them; `None`, with nothing done, if another reader has had them.
    pub fn consume_stream(
        &mut self,
        changes: &mut Changes,
        id: SocketId,
        position: u64,
        count: usize,
    ) -> Option<Vec<OpenFileId>> {
        let inbox = &mut self.socket_mut(id).inbox;
        if inbox.position() != position {
            return None;
        }
        let rights = inbox.take_first_rights();
        inbox.consume(count);
        self.in_flight -= rights.len();
        if count > 0 {
            self.tell_room(changes, id);
        }
        Some(rights)
    }

    /// There is room in a queue: for the peer, and for strangers who wait.
    fn tell_room(&self, changes: &mut Changes, id: SocketId) {
        let socket = self.socket(id);
        if let State::Connected(peer) = socket.state {
            changes.note(Source::Socket(peer), Readiness::OUT);
        }
        if !socket.kind.connects() {
            changes.note(Source::Socket(id), Readiness::OUT);
        }
    }

    /// Whether `poll` says that a socket may send.
    pub(super) fn may_send_now(&self, socket: &Socket) -> bool {
        const QUARTERS: usize = 4;
        let State::Connected(peer) = socket.state else { return true };
        let Some(other) = self.all.get(&peer) else { return true };
        if socket.sends_no_more {
            return true;
        }
        if socket.kind == SocketKind::Stream {
            let used = other.inbox.len() * if socket.is_tcp() { 2 } else { QUARTERS };
            return used <= capacity(socket.options.send_bytes, other);
        }
        let is_mutual = matches!(other.state, State::Connected(back) if self.all.get(&back).is_some_and(|s| core::ptr::eq(&**s, socket)));
        if is_mutual {
            other.inbox.cost() * QUARTERS <= socket.options.send_bytes
        } else {
            other.inbox.messages() <= STRANGERS_MAX
        }
    }
}

/// Bytes that may wait in a stream's queue.
fn capacity(send_bytes: usize, receiver: &Socket) -> usize {
    if receiver.is_tcp() { send_bytes + receiver.options.receive_bytes } else { send_bytes }
}

/// Whether a socket sends to `id` only.
fn is_mutual(id: SocketId, other: &Socket) -> bool {
    matches!(other.state, State::Connected(peer) if peer == id)
}

/// Whether a message of `len` bytes fits into a queue of AF_UNIX.
fn has_room(id: SocketId, socket: &Socket, other: &Socket, len: usize) -> bool {
    if other.inbox.is_empty() {
        return true;
    }
    let fits = other.inbox.cost() + len + OVERHEAD_BYTES <= socket.options.send_bytes;
    fits && (is_mutual(id, other) || other.inbox.messages() <= STRANGERS_MAX)
}
