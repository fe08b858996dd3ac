//! Sockets: unix(7), tcp(7) and udp(7) on the loopback interface, and netlink(7), which tells of it.
//!
//! There are no packets: a connection of any family is two bounded queues in memory, and what is sent to a name goes into the queue of
//! whoever has it. Like all of `fs`, nothing here sleeps: what cannot go on says on which source to wait ([`Hold`]), and what changes is noted.
//!
//! - [`address`]: names, and how programs write them.
//! - [`names`]: who has which name: `bind`, and who is found by one.
//! - [`connection`]: `listen`, `connect`, `accept`, `shutdown`, the end.
//! - [`transfer`]: sending and receiving.
//! - [`netlink`]: the sockets that ask the kernel of its network.
//! - [`loopback`]: what there is of it.
//! - [`options`]: `getsockopt` and `setsockopt`.
//! - [`collect`]: descriptors that only sockets on their way to nobody hold.

mod address;
mod collect;
mod connection;
pub mod loopback;
mod names;
mod netlink;
mod options;
mod packet;
mod queue;
#[cfg(test)]
mod tests;
mod transfer;

use crate::ready::{Changes, Hold, Source};
use crate::{Errno, FileId, Inode, OpenFileId, Readiness};
pub use address::{ADDRESS_MAX, Address, Endpoint, Ip, Wanted};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::rc::Rc;
use alloc::vec::Vec;
pub use connection::{Direction, Target};
pub use netlink::NetlinkName;
pub use options::{Congestion, Linger, Options, PacketTold};
pub use packet::PacketHeader;
pub use queue::Message;
use queue::Queue;
pub use transfer::RIGHTS_MAX;

/// A socket's identity while it exists; also its inode number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SocketId(pub u32);

/// Whose names a socket uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// AF_UNIX.
    Unix,
    /// AF_INET.
    Inet,
    /// AF_INET6.
    Inet6,
    /// AF_NETLINK.
    Netlink,
}

impl Family {
    /// Whether it is one of the internet's.
    pub fn is_inet(self) -> bool {
        matches!(self, Family::Inet | Family::Inet6)
    }
}

/// How a socket sends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SocketKind {
    /// SOCK_STREAM.
    Stream,
    /// SOCK_DGRAM.
    Datagram,
    /// SOCK_SEQPACKET.
    SeqPacket,
    /// SOCK_RAW: of AF_NETLINK, and no other than a datagram.
    Raw,
}

impl SocketKind {
    /// Whether it has connections.
    pub fn connects(self) -> bool {
        matches!(self, SocketKind::Stream | SocketKind::SeqPacket)
    }
}

/// Who sends, as SCM_CREDENTIALS and SO_PEERCRED tell it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sender {
    /// The process.
    pub pid: u32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// Where a socket is in its life.
#[derive(Debug)]
enum State {
    /// Not connected.
    Idle,
    /// Connections come in.
    Listening {
        /// How many may wait, beside one.
        backlog: usize,
        /// The sockets of those that wait, which nobody has opened yet.
        waiting: VecDeque<SocketId>,
    },
    /// What is sent goes to this socket, which may be gone.
    Connected(SocketId),
    /// Datagrams go to the peer's name, whoever has it.
    Directed,
}

/// One socket.
#[derive(Debug)]
pub(crate) struct Socket {
    family: Family,
    kind: SocketKind,
    options: Options,
    /// Its name.
    name: Address,
    /// What `bind` has asked for: the name again, once it is directed at nobody any more.
    bound_to: Option<Endpoint>,
    /// The file that is its name, if it is a path.
    file: Option<Inode>,
    state: State,
    /// The name of who it is connected with.
    peer_name: Address,
    /// Who has connected it or listens.
    owner: Sender,
    /// Who is at the other end, as SO_PEERCRED tells.
    peer: Option<Sender>,
    inbox: Queue,
    receives_no_more: bool,
    sends_no_more: bool,
    /// To be told by the next call.
    error: Option<Errno>,
    /// A connection that was not waited for has been made, and nobody has asked yet.
    is_news: bool,
}

/// All sockets, and who has which name.
#[derive(Debug, Default)]
pub struct Sockets {
    all: BTreeMap<SocketId, Box<Socket>>,
    next: u32,
    files: BTreeMap<FileId, SocketId>,
    /// Each kind of sockets has names of its own, as on Linux.
    abstract_names: BTreeMap<(SocketKind, Rc<Vec<u8>>), SocketId>,
    next_name: u32,
    /// Which sockets have a port: of streams (true) or datagrams.
    ports: BTreeSet<(bool, u16, SocketId)>,
    next_port: u16,
    /// Which socket of AF_NETLINK has a port.
    netlink_ports: BTreeMap<u32, SocketId>,
    /// Descriptors on their way in all queues.
    in_flight: usize,
    /// Descriptors whose queue has gone. There is always room for all that are on their way.
    released: Vec<OpenFileId>,
}

/// The kinds that a family has, by the numbers of `socket`. EINVAL, EAFNOSUPPORT, ESOCKTNOSUPPORT, EPROTONOSUPPORT.
pub fn kind_of(domain: i32, kind: u32, protocol: i32) -> Result<(Family, SocketKind), Errno> {
    const KINDS_MAX: u32 = 11;
    const FAMILIES_MAX: i32 = 46;
    const TCP: i32 = 6;
    const UDP: i32 = 17;
    const NETLINK_ROUTE: i32 = 0;
    if !(0..FAMILIES_MAX).contains(&domain) {
        return Err(Errno::EAFNOSUPPORT);
    }
    if kind >= KINDS_MAX {
        return Err(Errno::EINVAL);
    }
    let family = match domain {
        1 => Family::Unix,
        2 => Family::Inet,
        10 => Family::Inet6,
        16 => Family::Netlink,
        _ => return Err(Errno::EAFNOSUPPORT),
    };
    if family == Family::Unix {
        if protocol != 0 && protocol != 1 {
            return Err(Errno::EPROTONOSUPPORT);
        }
        return match kind {
            1 => Ok((family, SocketKind::Stream)),
            // As in Linux, what is raw is a datagram.
            2 | 3 => Ok((family, SocketKind::Datagram)),
            5 => Ok((family, SocketKind::SeqPacket)),
            _ => Err(Errno::ESOCKTNOSUPPORT),
        };
    }
    if family == Family::Netlink {
        return match (kind, protocol) {
            (2, NETLINK_ROUTE) => Ok((family, SocketKind::Datagram)),
            (3, NETLINK_ROUTE) => Ok((family, SocketKind::Raw)),
            (2 | 3, _) => Err(Errno::EPROTONOSUPPORT),
            _ => Err(Errno::ESOCKTNOSUPPORT),
        };
    }
    match (kind, protocol) {
        (1, 0 | TCP) => Ok((family, SocketKind::Stream)),
        (2, 0 | UDP) => Ok((family, SocketKind::Datagram)),
        _ if !(0..256).contains(&protocol) => Err(Errno::EINVAL),
        (1..=3, _) => Err(Errno::EPROTONOSUPPORT),
        _ => Err(Errno::ESOCKTNOSUPPORT),
    }
}

impl Sockets {
    /// A new socket of the caller's.
    pub(crate) fn create(&mut self, family: Family, kind: SocketKind, owner: Sender) -> SocketId {
        while self.all.contains_key(&SocketId(self.next)) {
            self.next = self.next.wrapping_add(1);
        }
        let id = SocketId(self.next);
        self.next = self.next.wrapping_add(1);
        self.all.insert(id, Box::new(Socket::new(family, kind, owner)));
        id
    }

    /// Two sockets that are each other's peers. EOPNOTSUPP but for AF_UNIX.
    pub(crate) fn create_pair(
        &mut self,
        family: Family,
        kind: SocketKind,
        owner: Sender,
    ) -> Result<(SocketId, SocketId), Errno> {
        if family != Family::Unix {
            return Err(Errno::EOPNOTSUPP);
        }
        let pair = (self.create(family, kind, owner), self.create(family, kind, owner));
        for (one, other) in [pair, (pair.1, pair.0)] {
            let socket = self.socket_mut(one);
            socket.state = State::Connected(other);
            socket.peer = Some(owner);
        }
        Ok(pair)
    }

    /// Whether the socket is still there, which another thread may have closed.
    pub fn is_there(&self, id: SocketId) -> bool {
        self.all.contains_key(&id)
    }
    /// Whose names it uses.
    pub fn family(&self, id: SocketId) -> Family {
        self.socket(id).family
    }
    /// How it sends.
    pub fn kind(&self, id: SocketId) -> SocketKind {
        self.socket(id).kind
    }
    /// Whether connections come in here.
    pub fn is_listening(&self, id: SocketId) -> bool {
        matches!(self.socket(id).state, State::Listening { .. })
    }
    /// What it has been told to do.
    pub fn options(&self, id: SocketId) -> &Options {
        &self.socket(id).options
    }
    /// The same, to be changed.
    pub fn options_mut(&mut self, id: SocketId) -> &mut Options {
        &mut self.socket_mut(id).options
    }
    /// Who is at the other end.
    pub fn peer(&self, id: SocketId) -> Option<Sender> {
        self.socket(id).peer
    }
    /// Its name.
    pub fn name(&self, id: SocketId) -> Address {
        let socket = self.socket(id);
        match (&socket.name, socket.family) {
            (Address::Unnamed, family @ (Family::Inet | Family::Inet6)) => {
                Address::Inet(Endpoint { ip: Ip::any(family), port: 0 })
            }
            (name, _) => name.clone(),
        }
    }
    /// The name of who it is connected with. ENOTCONN.
    pub fn peer_name(&self, id: SocketId) -> Result<Address, Errno> {
        let socket = self.socket(id);
        match socket.state {
            State::Connected(_) | State::Directed => Ok(socket.peer_name.clone()),
            // Who has said nothing else asks the kernel.
            _ if socket.family == Family::Netlink => Ok(Address::Netlink(NetlinkName::default())),
            _ => Err(Errno::ENOTCONN),
        }
    }
    /// What has gone wrong since it was last asked; it is told once.
    pub fn take_error(&mut self, id: SocketId) -> Option<Errno> {
        self.socket_mut(id).error.take()
    }
    /// Whether it has another end.
    pub fn is_connected(&self, id: SocketId) -> bool {
        matches!(self.socket(id).state, State::Connected(_))
    }
    /// Bytes that can be read now (FIONREAD): of a datagram the next one's. EINVAL of a socket that listens.
    pub fn bytes_to_read(&self, id: SocketId) -> Result<usize, Errno> {
        let socket = self.socket(id);
        match (&socket.state, socket.kind) {
            (State::Listening { .. }, _) => Err(Errno::EINVAL),
            (_, SocketKind::Stream) => Ok(socket.inbox.len()),
            (_, SocketKind::SeqPacket) => Ok(socket.inbox.len()),
            (_, SocketKind::Datagram | SocketKind::Raw) => Ok(socket.inbox.first_len()),
        }
    }

    /// What `poll` says.
    pub(crate) fn readiness(&self, id: SocketId) -> Readiness {
        let socket = self.socket(id);
        let mut ready = Readiness::empty();
        ready.set(Readiness::ERR, socket.error.is_some());
        if let State::Listening { waiting, .. } = &socket.state {
            ready.set(Readiness::IN, !waiting.is_empty() || socket.receives_no_more);
            return ready;
        }
        let is_unconnected = socket.kind.connects() && matches!(socket.state, State::Idle);
        let is_over = socket.receives_no_more && socket.sends_no_more;
        ready.set(Readiness::HUP, is_over || is_unconnected);
        ready.set(Readiness::IN, !socket.inbox.is_empty() || socket.receives_no_more);
        ready.set(Readiness::RDHUP, socket.receives_no_more);
        let takes_more = self.may_send_now(socket);
        ready.set(Readiness::OUT, takes_more);
        ready
            .set(Readiness::WRBAND, takes_more && (socket.family == Family::Unix || !socket.kind.connects()));
        ready
    }

    /// The socket whose reading makes room for what this one sends, where nobody would tell this one.
    pub(crate) fn also_waits_for(&self, id: SocketId) -> Option<SocketId> {
        match self.socket(id).state {
            State::Connected(peer) if !self.socket(id).kind.connects() => Some(peer),
            _ => None,
        }
    }

    /// Descriptors whose queue has gone, one by one: the caller closes them.
    pub fn take_released(&mut self) -> Option<OpenFileId> {
        self.released.pop()
    }

    fn socket(&self, id: SocketId) -> &Socket {
        match self.all.get(&id) {
            Some(socket) => socket,
            None => unreachable!("a socket went before its file"),
        }
    }
    fn socket_mut(&mut self, id: SocketId) -> &mut Socket {
        match self.all.get_mut(&id) {
            Some(socket) => socket,
            None => unreachable!("a socket went before its file"),
        }
    }
}

impl Socket {
    fn new(family: Family, kind: SocketKind, owner: Sender) -> Socket {
        Socket {
            family,
            kind,
            options: Options::new(family, kind),
            name: match family {
                Family::Netlink => Address::Netlink(NetlinkName::default()),
                _ => Address::Unnamed,
            },
            bound_to: None,
            file: None,
            state: State::Idle,
            peer_name: Address::Unnamed,
            owner,
            peer: None,
            inbox: Queue::default(),
            receives_no_more: false,
            sends_no_more: false,
            error: None,
            is_news: false,
        }
    }

    /// Whether it is one of TCP.
    fn is_tcp(&self) -> bool {
        self.family.is_inet() && self.kind == SocketKind::Stream
    }

    /// Its port, if it has one.
    fn endpoint(&self) -> Option<Endpoint> {
        match self.name {
            Address::Inet(endpoint) => Some(endpoint),
            _ => None,
        }
    }
}

/// Waits for a socket.
fn wait(id: SocketId) -> Hold {
    Hold::Wait(Source::Socket(id))
}
