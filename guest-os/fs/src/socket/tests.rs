//! Sockets as programs see them, without a kernel around: what would wait says so.

use super::*;
use crate::{Object, OpenFileId, OpenFiles, OpenFlags};
use std::vec;

const ME: Sender = Sender { pid: 7, uid: 1, gid: 2 };
const HOME: Ip = Ip::V4([127, 0, 0, 1]);

/// A table with what tests need often.
struct Net(OpenFiles);

impl Net {
    fn new() -> Net {
        Net(OpenFiles::new(|_| {}))
    }
    fn socket(&mut self, family: Family, kind: SocketKind) -> (OpenFileId, SocketId) {
        let id = self.0.create_socket(family, kind, ME, OpenFlags::empty());
        (id, self.of(id))
    }
    fn pair(&mut self, kind: SocketKind) -> [(OpenFileId, SocketId); 2] {
        let (a, b) = self.0.create_socket_pair(Family::Unix, kind, ME, OpenFlags::empty()).unwrap();
        [(a, self.of(a)), (b, self.of(b))]
    }
    fn of(&self, id: OpenFileId) -> SocketId {
        match self.0.get(id).object {
            Object::Socket(socket) => socket,
            _ => panic!("not a socket"),
        }
    }
    fn send(&mut self, id: SocketId, bytes: &[u8]) -> Result<usize, Hold> {
        let (sockets, changes) = self.0.sockets_mut();
        sockets.send_stream(changes, id, bytes, &mut Message::default())
    }
    fn send_with(&mut self, id: SocketId, bytes: &[u8], rights: Vec<OpenFileId>) -> Result<usize, Hold> {
        let (sockets, changes) = self.0.sockets_mut();
        sockets.reserve_rights(rights.len(), 100)?;
        sockets.send_stream(changes, id, bytes, &mut Message { rights, ..Message::default() })
    }
    fn receive(&mut self, id: SocketId, max: usize) -> Result<std::vec::Vec<u8>, Hold> {
        let (sockets, changes) = self.0.sockets_mut();
        let mut out = vec![0; max];
        let (count, position) = sockets.peek_stream(id, &mut out, 0)?;
        sockets.consume_stream(changes, id, position, count).unwrap();
        out.truncate(count);
        Ok(out)
    }
    fn send_to(&mut self, id: SocketId, bytes: &[u8], to: Option<Target>) -> Result<(), Hold> {
        let (sockets, changes) = self.0.sockets_mut();
        let mut message = Message::new(Rc::new(bytes.to_vec()), ME, Vec::new());
        sockets.send_message(changes, id, &mut message, to)
    }
    fn message(&mut self, id: SocketId) -> Result<Option<Message>, Hold> {
        let (sockets, changes) = self.0.sockets_mut();
        let Some((_, position)) = sockets.peek_message(id)? else { return Ok(None) };
        Ok(sockets.take_message(changes, id, position))
    }
    fn bind(&mut self, id: SocketId, port: u16) -> Result<u16, Errno> {
        let (sockets, _) = self.0.sockets_mut();
        sockets.bind(id, Wanted::Name(Address::Inet(Endpoint { ip: HOME, port })), true)?;
        Ok(sockets.socket(id).endpoint().unwrap().port)
    }
    fn listen(&mut self, id: SocketId, backlog: u32) -> Result<(), Errno> {
        let (sockets, changes) = self.0.sockets_mut();
        sockets.listen(changes, id, backlog, ME)
    }
    fn connect(&mut self, id: SocketId, target: Target, is_awaited: bool) -> Result<(), Hold> {
        let (sockets, changes) = self.0.sockets_mut();
        sockets.connect(changes, id, target, ME, is_awaited)
    }
    fn accept(&mut self, id: SocketId) -> Result<(OpenFileId, SocketId), Hold> {
        let (sockets, changes) = self.0.sockets_mut();
        let socket = sockets.accept(changes, id)?;
        Ok((self.0.open_socket(socket, OpenFlags::empty()), socket))
    }
    fn ready(&self, id: SocketId) -> Readiness {
        self.0.sockets().readiness(id)
    }
    /// Closes, and all that is released by it.
    fn close(&mut self, id: OpenFileId) {
        self.0.close(id);
        while let Some(next) = self.0.sockets_mut().0.take_released() {
            self.0.close(next);
        }
    }
}

fn at(port: u16) -> Target {
    Target::Endpoint(Endpoint { ip: HOME, port })
}

fn error<T>(errno: Errno) -> Result<T, Hold> {
    Err(Hold::Errno(errno))
}

#[test]
fn a_pair_carries_bytes_both_ways_and_tells_its_end() {
    let mut net = Net::new();
    let [(a, sa), (b, sb)] = net.pair(SocketKind::Stream);
    assert_eq!(net.receive(sa, 4), Err(wait(sa)));
    assert_eq!(net.send(sa, b"hello"), Ok(5));
    assert_eq!(net.ready(sb), Readiness::IN | Readiness::OUT | Readiness::WRBAND);
    assert_eq!(net.receive(sb, 2).unwrap(), b"he");
    net.send(sb, b"left").unwrap();
    net.close(b);
    assert_eq!(net.send(sa, b"x"), error(Errno::EPIPE));
    assert_eq!(net.receive(sa, 9).unwrap(), b"left");
    assert_eq!(net.receive(sa, 9), error(Errno::ECONNRESET), "it has not read all");
    assert_eq!(net.receive(sa, 9).unwrap(), b"");
    net.close(a);
    assert!(net.0.is_empty() && net.0.sockets().all.is_empty());
}

#[test]
fn a_stream_is_full_until_it_is_read() {
    let mut net = Net::new();
    let [(_, a), (_, b)] = net.pair(SocketKind::Stream);
    let mut sent = 0;
    while let Ok(count) = net.send(a, &[1; 5000]) {
        sent += count;
    }
    assert_eq!(sent, net.0.sockets().options(a).send_bytes);
    assert_eq!(net.send(a, &[1]), Err(wait(a)));
    assert!(!net.ready(a).contains(Readiness::OUT));
    net.receive(b, sent).unwrap();
    assert!(net.ready(a).contains(Readiness::OUT) && net.send(a, &[1]) == Ok(1));
}

#[test]
fn half_a_connection_ends() {
    let mut net = Net::new();
    let [(_, a), (_, b)] = net.pair(SocketKind::Stream);
    let (sockets, changes) = net.0.sockets_mut();
    sockets.shutdown(changes, a, Direction { receiving: false, sending: true }).unwrap();
    assert_eq!(net.receive(b, 1).unwrap(), b"");
    assert_eq!(net.send(a, b"x"), error(Errno::EPIPE));
    assert_eq!(net.send(b, b"x"), Ok(1));
    assert!(net.ready(b).contains(Readiness::RDHUP) && !net.ready(b).contains(Readiness::HUP));
}

#[test]
fn datagrams_keep_their_limits_and_their_senders() {
    let mut net = Net::new();
    let [(_, a), (b, sb)] = net.pair(SocketKind::Datagram);
    net.send_to(a, b"one", None).unwrap();
    net.send_to(a, b"", None).unwrap();
    assert_eq!(**net.message(sb).unwrap().unwrap().bytes, *b"one");
    assert_eq!(**net.message(sb).unwrap().unwrap().bytes, *b"");
    assert_eq!(net.message(sb).map(|_| ()), Err(wait(sb)));
    assert_eq!(net.send_to(a, &vec![0; 300_000], None), error(Errno::EMSGSIZE));
    net.close(b);
    assert_eq!(net.send_to(a, b"x", None), error(Errno::ECONNREFUSED));
    assert_eq!(net.send_to(a, b"x", None), error(Errno::ENOTCONN));
}

#[test]
fn strangers_wait_for_who_does_not_read() {
    let mut net = Net::new();
    let (_, server) = net.socket(Family::Unix, SocketKind::Datagram);
    let (_, client) = net.socket(Family::Unix, SocketKind::Datagram);
    net.0.sockets_mut().0.bind(server, Wanted::AnyName, false).unwrap();
    let to = Some(Target::Socket(server));
    (0..11).for_each(|_| net.send_to(client, b"x", to).unwrap());
    assert_eq!(net.send_to(client, b"x", to), Err(wait(server)));
    net.message(server).unwrap();
    net.send_to(client, b"x", to).unwrap();
    assert_eq!(net.0.sockets().name(server), Address::Abstract(Rc::new(b"00000".to_vec())));
}

#[test]
fn a_connection_over_loopback_has_names_and_a_backlog() {
    let mut net = Net::new();
    let (l, listener) = net.socket(Family::Inet, SocketKind::Stream);
    let port = net.bind(listener, 0).unwrap();
    assert_eq!(port, 32_768);
    net.listen(listener, 0).unwrap();
    let (_, client) = net.socket(Family::Inet, SocketKind::Stream);
    let (_, other) = net.socket(Family::Inet, SocketKind::Stream);
    net.connect(client, at(port), true).unwrap();
    assert_eq!(net.connect(other, at(port), true), Err(wait(listener)));
    let (s, server) = net.accept(listener).unwrap();
    assert_eq!(net.0.sockets().peer_name(server).unwrap(), net.0.sockets().name(client));
    assert_eq!(net.0.sockets().peer_name(client).unwrap(), net.0.sockets().name(server));
    assert_eq!(net.connect(client, at(port), true), error(Errno::EISCONN));
    assert_eq!(net.connect(other, at(port), false), error(Errno::EINPROGRESS));
    assert_eq!(net.connect(other, at(port), false), Ok(()));
    // Whoever was not accepted is told so; who is connected is not concerned.
    net.close(l);
    assert_eq!(net.receive(other, 1), error(Errno::ECONNRESET));
    net.send(server, b"bye").unwrap();
    net.close(s);
    assert_eq!(net.receive(client, 9).unwrap(), b"bye");
    assert_eq!(net.receive(client, 9).unwrap(), b"");
    // What is sent first to nobody is lost, then it is known.
    assert_eq!(net.send(client, b"x"), Ok(1));
    assert_eq!(net.send(client, b"x"), error(Errno::EPIPE));
    let (_, late) = net.socket(Family::Inet, SocketKind::Stream);
    assert_eq!(net.connect(late, at(port), true), error(Errno::ECONNREFUSED));
    assert_eq!(
        net.connect(late, Target::Endpoint(Endpoint { ip: Ip::V4([10, 0, 0, 1]), port }), true),
        error(Errno::ENETUNREACH)
    );
}

#[test]
fn ports_are_one_s_own_unless_both_say_otherwise() {
    let mut net = Net::new();
    let [(_, a), (_, b), (_, c)] = core::array::from_fn(|_| net.socket(Family::Inet, SocketKind::Stream));
    let (_, udp) = net.socket(Family::Inet, SocketKind::Datagram);
    assert_eq!(net.bind(a, 80), Ok(80));
    assert_eq!(net.bind(a, 81), Err(Errno::EINVAL));
    assert_eq!(net.bind(udp, 80), Ok(80));
    assert_eq!(net.bind(b, 80), Err(Errno::EADDRINUSE));
    for id in [a, b, c] {
        net.0.sockets_mut().0.options_mut(id).reuses_address = true;
    }
    assert_eq!(net.bind(b, 80), Ok(80));
    net.listen(a, 1).unwrap();
    assert_eq!(net.bind(c, 80), Err(Errno::EADDRINUSE), "somebody listens");
    assert_eq!(net.listen(b, 1), Err(Errno::EADDRINUSE));
    let (_, poor) = net.socket(Family::Inet, SocketKind::Stream);
    let low = Wanted::Name(Address::Inet(Endpoint { ip: HOME, port: 99 }));
    assert_eq!(net.0.sockets_mut().0.bind(poor, low, false), Err(Errno::EACCES));
}

#[test]
fn udp_finds_the_most_exact_name_and_tells_of_nobody() {
    let mut net = Net::new();
    let (_, any) = net.socket(Family::Inet6, SocketKind::Datagram);
    net.0
        .sockets_mut()
        .0
        .bind(any, Wanted::Name(Address::Inet(Endpoint { ip: Ip::V6([0; 16]), port: 53 })), true)
        .unwrap();
    let (_, client) = net.socket(Family::Inet, SocketKind::Datagram);
    net.send_to(client, b"q", Some(at(53))).unwrap();
    let got = net.message(any).unwrap().unwrap();
    assert_eq!(got.from, Address::Inet(Endpoint { ip: HOME, port: 32_768 }));
    assert_eq!(net.send_to(client, b"q", None), error(Errno::EDESTADDRREQ));
    net.connect(client, at(9), true).unwrap();
    assert_eq!(net.send_to(client, b"q", None), Ok(()));
    assert!(net.ready(client).contains(Readiness::ERR));
    assert_eq!(net.send_to(client, b"q", None), error(Errno::ECONNREFUSED));
    // Connected, it hears its peer only.
    let port = net.0.sockets().socket(client).endpoint().unwrap().port;
    net.send_to(any, b"a", Some(at(port))).unwrap();
    assert_eq!(net.message(client).map(|_| ()), Err(wait(client)));
}

#[test]
fn descriptors_on_their_way_are_kept_and_go_with_the_queue() {
    let mut net = Net::new();
    let [(a, sa), (b, sb)] = net.pair(SocketKind::Stream);
    let passed =
        net.0.insert(crate::OpenFile::new(Object::Device(crate::Device::Null), None, OpenFlags::empty()));
    for bytes in [b"x", b"y"] {
        net.0.duplicate(passed);
        net.send_with(sa, bytes, vec![passed]).unwrap();
    }
    net.close(passed);
    assert_eq!(net.0.references(passed), 2);
    assert_eq!(net.receive(sb, 9).unwrap(), b"x", "each comes with its own bytes");
    assert_eq!(net.0.sockets().in_flight, 1);
    net.close(passed);
    net.close(b);
    assert_eq!((net.0.references(passed), net.0.sockets().in_flight), (0, 0));
    net.close(a);
    assert!(net.0.is_empty());
}

#[test]
fn what_only_holds_itself_is_let_go() {
    let mut net = Net::new();
    let [(a, sa), (b, sb)] = net.pair(SocketKind::Stream);
    // Each is on its way in the queue of the other.
    for (to, passed) in [(sa, a), (sb, b), (sa, b)] {
        net.0.duplicate(passed);
        net.send_with(to, b"x", vec![passed]).unwrap();
    }
    net.close(a);
    assert!(net.0.references(a) > 0, "the other end can still be reached");
    net.close(b);
    assert!(net.0.is_empty() && net.0.sockets().all.is_empty());
}

#[test]
fn netlink_has_ports_and_its_kernel_answers() {
    let mut net = Net::new();
    let [(a, sa), (b, sb), (c, sc)] = [(); 3].map(|()| net.socket(Family::Netlink, SocketKind::Raw));
    let named = |net: &Net, id| net.0.sockets().name(id);
    let at = |port, groups| Address::Netlink(NetlinkName { port, groups });
    assert_eq!((named(&net, sa), net.0.sockets().peer_name(sa)), (at(0, 0), Ok(at(0, 0))));
    let bind = |net: &mut Net, id, port, groups| {
        net.0.sockets_mut().0.bind_netlink(id, NetlinkName { port, groups }, ME.pid)
    };
    assert_eq!(bind(&mut net, sb, 5, 0), Ok(()));
    assert_eq!(bind(&mut net, sb, 5, 1), Ok(()), "the groups may change");
    assert_eq!(bind(&mut net, sb, 6, 0), Err(Errno::EINVAL));
    assert_eq!(bind(&mut net, sb, 0, 0), Err(Errno::EINVAL));
    assert_eq!(bind(&mut net, sc, 5, 0), Err(Errno::EADDRINUSE));

    // RTM_GETLINK, a list: the interface, and the end. Who asks is named by its process.
    let ask = [&[20, 0, 0, 0, 18, 0, 1, 3][..], &[0; 12]].concat();
    net.send_to(sa, &ask, None).unwrap();
    assert_eq!(named(&net, sa), at(ME.pid, 0));
    let message = net.message(sa).unwrap().unwrap();
    assert_eq!((message.from, &message.bytes[4..6]), (at(0, 0), &[16, 0][..]));
    assert_eq!(net.message(sa).unwrap().unwrap().bytes[4..6], [3, 0]);
    assert_eq!(net.message(sa).unwrap_err(), wait(sa));

    // Who finds that name taken gets another; sockets reach each other by port and by group, and only whom they hear.
    let to = |port, groups| Some(Target::Netlink(NetlinkName { port, groups }));
    net.send_to(sc, b"one", to(5, 0)).unwrap();
    net.send_to(sc, b"all", to(0, 1)).unwrap();
    let Address::Netlink(own) = named(&net, sc) else { panic!("it has a name") };
    assert!(own.port != 0 && own.port != ME.pid && own.port != 5);
    let heard = [(); 2].map(|()| net.message(sb).unwrap().unwrap());
    assert_eq!((&heard[0].bytes[..], &heard[0].from), (&b"one"[..], &at(own.port, 0)));
    assert_eq!((&heard[1].bytes[..], &heard[1].from), (&b"all"[..], &at(own.port, 1)));
    assert_eq!(net.send_to(sc, b"nobody", to(77, 0)), error(Errno::ECONNREFUSED));
    net.connect(sb, Target::Netlink(NetlinkName { port: 77, groups: 0 }), true).unwrap();
    assert_eq!(net.send_to(sc, b"deaf", to(5, 0)), error(Errno::ECONNREFUSED));
    net.0.sockets_mut().0.set_membership(sc, 3, true).unwrap();
    assert_eq!(named(&net, sc), at(own.port, 4));
    assert_eq!(net.0.sockets_mut().0.set_membership(sc, 33, true), Err(Errno::EINVAL));

    // Who does not read misses answers, and is told so.
    let many: std::vec::Vec<u8> = ask.repeat(2000);
    net.send_to(sa, &many, None).unwrap();
    assert!(net.ready(sa).contains(Readiness::ERR | Readiness::IN));
    assert_eq!(net.send_to(sa, b"", None), error(Errno::ENOBUFS));
    [a, b, c].into_iter().for_each(|id| net.close(id));
    assert!(net.0.sockets().netlink_ports.is_empty());
}
