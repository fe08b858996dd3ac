//! Who has which name: `bind`, and who is found by one.

use super::{Address, Endpoint, Family, Ip, Socket, SocketId, SocketKind, Sockets, State, Wanted};
use crate::{Errno, Inode};
use alloc::rc::Rc;
use alloc::vec::Vec;

/// The ports that a socket without one gets.
const FIRST_PORT: u16 = 32_768;
const LAST_PORT: u16 = 60_999;
/// Abstract names that are made up are numbers of five digits.
const MADE_UP_NAMES: u32 = 1 << 20;

impl Sockets {
    /// EINVAL if it has a name already.
    pub fn check_unnamed(&self, id: SocketId) -> Result<(), Errno> {
        match self.socket(id).name {
            Address::Unnamed => Ok(()),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Binds a socket of AF_UNIX to a path, whose file has just been made.
    pub fn bind_file(&mut self, id: SocketId, path: Rc<Vec<u8>>, file: Inode) -> Result<(), Errno> {
        self.check_unnamed(id)?;
        self.files.insert(file.id(), id);
        let socket = self.socket_mut(id);
        (socket.name, socket.file) = (Address::Path(path), Some(file));
        Ok(())
    }

    /// `bind` to anything but a path or a port of netlink. EADDRINUSE, EADDRNOTAVAIL, EINVAL. The lowest ports are for who is privileged: EACCES.
    pub fn bind(&mut self, id: SocketId, wanted: Wanted, is_privileged: bool) -> Result<(), Errno> {
        let family = self.socket(id).family;
        match wanted {
            Wanted::AnyName => {
                self.check_unnamed(id)?;
                self.make_up_name(id)
            }
            Wanted::Name(Address::Abstract(name)) => {
                self.check_unnamed(id)?;
                let key = (self.socket(id).kind, name.clone());
                if self.abstract_names.contains_key(&key) {
                    return Err(Errno::EADDRINUSE);
                }
                self.abstract_names.insert(key, id);
                self.socket_mut(id).name = Address::Abstract(name);
                Ok(())
            }
            Wanted::Name(Address::Inet(endpoint)) => self.bind_port(id, endpoint, is_privileged),
            Wanted::Unspecified if family.is_inet() => Err(Errno::EAFNOSUPPORT),
            _ => Err(Errno::EINVAL),
        }
    }

    fn bind_port(&mut self, id: SocketId, endpoint: Endpoint, is_privileged: bool) -> Result<(), Errno> {
        const FIRST_FREE: u16 = 1024;
        let socket = self.socket(id);
        match (socket.family, endpoint.ip) {
            (Family::Inet, Ip::V6(_)) => return Err(Errno::EAFNOSUPPORT),
            (Family::Inet6, Ip::V4(_)) if socket.options.only_v6 => return Err(Errno::EINVAL),
            (_, ip) if !ip.is_local() => return Err(Errno::EADDRNOTAVAIL),
            _ => {}
        }
        if (1..FIRST_FREE).contains(&endpoint.port) && !is_privileged {
            return Err(Errno::EACCES);
        }
        self.check_unnamed(id)?;
        let port = match endpoint.port {
            0 => self.free_port(id)?,
            port if self.is_taken(id, Endpoint { port, ..endpoint }) => return Err(Errno::EADDRINUSE),
            port => port,
        };
        self.take_port(id, Endpoint { port, ..endpoint });
        self.socket_mut(id).bound_to = Some(Endpoint { port, ..endpoint });
        Ok(())
    }

    /// A socket has the name again that `bind` has given it, or none.
    pub(super) fn forget_own_address(&mut self, id: SocketId) {
        let socket = self.socket_mut(id);
        let is_stream = socket.kind.connects();
        let Address::Inet(now) = socket.name else { return };
        match socket.bound_to {
            Some(bound) => socket.name = Address::Inet(bound),
            None => {
                socket.name = Address::Unnamed;
                self.ports.remove(&(is_stream, now.port, id));
            }
        }
    }

    pub(super) fn take_port(&mut self, id: SocketId, endpoint: Endpoint) {
        let is_stream = self.socket(id).kind.connects();
        self.ports.insert((is_stream, endpoint.port, id));
        self.socket_mut(id).name = Address::Inet(endpoint);
    }

    /// Gives a socket a name if it has none, as it needs one: to send from.
    pub(super) fn ensure_port(&mut self, id: SocketId, ip: Ip) -> Result<(), Errno> {
        if self.socket(id).name == Address::Unnamed {
            let port = self.free_port(id)?;
            self.take_port(id, Endpoint { ip, port });
        }
        Ok(())
    }

    /// A port that nobody has, the next in turn. EADDRINUSE if there is none.
    fn free_port(&mut self, id: SocketId) -> Result<u16, Errno> {
        for _ in FIRST_PORT..=LAST_PORT {
            let next = self.next_port.clamp(FIRST_PORT, LAST_PORT);
            self.next_port = if next == LAST_PORT { FIRST_PORT } else { next + 1 };
            let is_stream = self.socket(id).kind.connects();
            if self.with_port(is_stream, next).next().is_none() {
                return Ok(next);
            }
        }
        Err(Errno::EADDRINUSE)
    }

    /// Everyone who has a port.
    fn with_port(&self, is_stream: bool, port: u16) -> impl DoubleEndedIterator<Item = (SocketId, &Socket)> {
        let range = (is_stream, port, SocketId(0))..=(is_stream, port, SocketId(u32::MAX));
        self.ports.range(range).filter_map(|&(_, _, id)| Some((id, &**self.all.get(&id)?)))
    }

    /// Whether somebody has a name that leaves no room for this one.
    fn is_taken(&self, id: SocketId, endpoint: Endpoint) -> bool {
        let this = self.socket(id);
        self.with_port(this.kind.connects(), endpoint.port).any(|(_, other)| {
            let Some(theirs) = other.endpoint() else { return false };
            let listens = matches!(other.state, State::Listening { .. });
            let both_reuse = this.options.reuses_address && other.options.reuses_address && !listens;
            let both_share = this.options.reuses_port && other.options.reuses_port;
            !both_reuse && !both_share && meet((this, endpoint.ip), (other, theirs.ip))
        })
    }

    /// EADDRINUSE if somebody else listens at this socket's name.
    pub(super) fn check_listening(&self, id: SocketId) -> Result<(), Errno> {
        let this = self.socket(id);
        let Some(endpoint) = this.endpoint() else { return Ok(()) };
        let is_other = self.with_port(true, endpoint.port).any(|(other_id, other)| {
            let Some(theirs) = other.endpoint() else { return false };
            let listens = matches!(other.state, State::Listening { .. });
            let both_share = this.options.reuses_port && other.options.reuses_port;
            other_id != id && listens && !both_share && meet((this, endpoint.ip), (other, theirs.ip))
        });
        if is_other { Err(Errno::EADDRINUSE) } else { Ok(()) }
    }

    /// Who listens at an address and a port.
    pub(super) fn listener_at(&self, to: Endpoint) -> Option<SocketId> {
        let listeners =
            self.with_port(true, to.port).filter(|(_, s)| matches!(s.state, State::Listening { .. }));
        listeners.filter_map(|(id, socket)| Some((reach(socket, to.ip)?, id))).max().map(|(_, id)| id)
    }

    /// Who gets a datagram from `from` to `to`: before all others who is connected with the sender.
    pub(super) fn receiver_at(&self, to: Endpoint, from: Endpoint) -> Option<SocketId> {
        let all = self.with_port(false, to.port).filter_map(|(id, socket)| {
            let is_peer = socket.peer_name == Address::Inet(from);
            let is_directed = matches!(socket.state, State::Directed);
            let reached = reach(socket, to.ip)?;
            (is_peer || !is_directed).then_some(((is_directed, reached), id))
        });
        all.max().map(|(_, id)| id)
    }

    /// Who of a kind has an abstract name.
    pub fn by_abstract_name(&self, kind: SocketKind, name: Rc<Vec<u8>>) -> Option<SocketId> {
        self.abstract_names.get(&(kind, name)).copied()
    }

    /// Who has a file as its name.
    pub fn by_file(&self, file: &Inode) -> Option<SocketId> {
        self.files.get(&file.id()).copied()
    }

    /// A name of five hexadecimal digits that nobody has.
    pub(super) fn make_up_name(&mut self, id: SocketId) -> Result<(), Errno> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let kind = self.socket(id).kind;
        for _ in 0..MADE_UP_NAMES {
            let number = self.next_name;
            self.next_name = (self.next_name + 1) % MADE_UP_NAMES;
            let digits = (0..5).rev().map(|place| DIGITS[(number >> (4 * place) & 0xf) as usize]);
            let key = (kind, Rc::new(digits.collect()));
            if !self.abstract_names.contains_key(&key) {
                return self.bind(id, Wanted::Name(Address::Abstract(key.1)), true);
            }
        }
        Err(Errno::ENOSPC)
    }

    /// A socket goes, and its name with it: the file stays, and leads nowhere.
    pub(super) fn forget_name(&mut self, id: SocketId) {
        let socket = self.socket_mut(id);
        let (name, file) = (core::mem::take(&mut socket.name), socket.file.take());
        let kind = socket.kind;
        match name {
            Address::Path(_) => {
                if let Some(file) = file {
                    self.files.remove(&file.id());
                }
            }
            // What `accept` has made is called as who listens, and does not have the name.
            Address::Abstract(name) => {
                let key = (kind, name);
                if self.abstract_names.get(&key) == Some(&id) {
                    self.abstract_names.remove(&key);
                }
            }
            Address::Inet(endpoint) => _ = self.ports.remove(&(kind.connects(), endpoint.port, id)),
            Address::Netlink(name) => self.forget_netlink(id, name),
            Address::Unnamed => {}
        }
    }
}

/// How exactly a socket's name says an address: `None` if it does not reach it.
fn reach(socket: &Socket, ip: Ip) -> Option<u8> {
    let name = socket.endpoint()?.ip;
    if name == ip {
        return Some(2);
    }
    let is_of_family = match (name, ip) {
        (Ip::V4(_), Ip::V4(_)) | (Ip::V6(_), Ip::V6(_)) => true,
        (Ip::V6(_), Ip::V4(_)) => !socket.options.only_v6,
        (Ip::V4(_), Ip::V6(_)) => false,
    };
    (name.is_any() && is_of_family)
        .then(|| u8::from(matches!((name, ip), (Ip::V4(_), Ip::V4(_)) | (Ip::V6(_), Ip::V6(_)))))
}

/// Whether what is sent to one address could be for either.
fn meet((a, a_ip): (&Socket, Ip), (b, b_ip): (&Socket, Ip)) -> bool {
    let covers = |socket: &Socket, any: Ip, ip: Ip| {
        any.is_any()
            && match (any, ip) {
                (Ip::V6(_), Ip::V4(_)) => !socket.options.only_v6,
                (Ip::V4(_), Ip::V6(_)) => false,
                _ => true,
            }
    };
    a_ip == b_ip || covers(a, a_ip, b_ip) || covers(b, b_ip, a_ip)
}
