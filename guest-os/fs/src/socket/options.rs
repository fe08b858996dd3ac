//! What a socket has been told to do: the plain values behind `getsockopt` and `setsockopt` (socket(7)).

use super::{Family, Ip, SocketKind};
use crate::Errno;

/// SO_LINGER.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Linger {
    /// Whether `close` waits.
    pub is_on: bool,
    /// For how many seconds. 0: what was not sent is thrown away.
    pub seconds: u32,
}

/// TCP_CONGESTION: those that Linux always has. Nothing is lost here, so they do the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Congestion {
    /// What Linux does unless it is told.
    #[default]
    Cubic,
    /// What there is always.
    Reno,
}

impl Congestion {
    /// One of this name.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        [Self::Cubic, Self::Reno].into_iter().find(|one| one.name().as_bytes() == name)
    }
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cubic => "cubic",
            Self::Reno => "reno",
        }
    }
}

/// A socket's options.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes that may wait to be read at the other end, as SO_SNDBUF tells.
    pub send_bytes: usize,
    /// Bytes that may wait to be read, as SO_RCVBUF tells.
    pub receive_bytes: usize,
    /// SO_RCVLOWAT.
    pub receive_at_least: u32,
    /// How long to wait for something to receive, in nanoseconds (SO_RCVTIMEO).
    pub receive_timeout: Option<u64>,
    /// How long to wait to send (SO_SNDTIMEO).
    pub send_timeout: Option<u64>,
    /// Senders are told (SO_PASSCRED).
    pub tells_sender: bool,
    /// A name that others have, too, will do (SO_REUSEADDR).
    pub reuses_address: bool,
    /// As all who have it say so (SO_REUSEPORT).
    pub reuses_port: bool,
    /// IPV6_V6ONLY.
    pub only_v6: bool,
    /// SO_LINGER.
    pub linger: Linger,
    /// Only what the loopback interface, which is all there is, brings (SO_BINDTODEVICE).
    pub is_bound_to_loopback: bool,
    /// What it is said to do where packets get lost (TCP_CONGESTION).
    pub congestion: Congestion,
    /// Those that are remembered and told, and nothing else: a value for each row of the table.
    remembered: [i32; REMEMBERED.len()],
}

/// An option that is a plain number.
#[derive(Clone, Copy)]
struct Plain {
    level: u32,
    name: u32,
    /// Its value at first.
    first: i32,
    /// Others are EINVAL.
    least: i32,
    most: i32,
}

const fn within(level: u32, name: u32, first: i32, least: i32, most: i32) -> Plain {
    Plain { level, name, first, least, most }
}

const fn plain(level: u32, name: u32, first: i32) -> Plain {
    within(level, name, first, i32::MIN, i32::MAX)
}

/// Options that are plain numbers. But for those of headers they change nothing where there are no packets.
const REMEMBERED: [Plain; 51] = [
    plain(SOL_SOCKET, 9, 0), // SO_KEEPALIVE
    plain(SOL_SOCKET, SO_BROADCAST, 0),
    plain(SOL_SOCKET, 10, 0),            // SO_OOBINLINE
    plain(SOL_SOCKET, 5, 0),             // SO_DONTROUTE
    plain(SOL_SOCKET, 1, 0),             // SO_DEBUG
    plain(SOL_SOCKET, 12, 0),            // SO_PRIORITY
    plain(SOL_SOCKET, 36, 0),            // SO_MARK
    plain(SOL_SOCKET, 29, 0),            // SO_TIMESTAMP
    plain(SOL_SOCKET, 35, 0),            // SO_TIMESTAMPNS
    plain(SOL_SOCKET, 11, 0),            // SO_NO_CHECK
    plain(SOL_SOCKET, 46, 0),            // SO_BUSY_POLL
    plain(SOL_TCP, 25, -1),              // TCP_NOTSENT_LOWAT
    plain(SOL_TCP, 30, 0),               // TCP_FASTOPEN_CONNECT
    plain(SOL_TCP, 1, 0),                // TCP_NODELAY
    within(SOL_TCP, 2, 536, 88, 32_767), // TCP_MAXSEG
    plain(SOL_TCP, 3, 0),                // TCP_CORK
    within(SOL_TCP, 4, 7200, 1, 32767),  // TCP_KEEPIDLE
    within(SOL_TCP, 5, 75, 1, 32767),    // TCP_KEEPINTVL
    within(SOL_TCP, 6, 9, 1, 127),       // TCP_KEEPCNT
    within(SOL_TCP, 7, 6, 1, 127),       // TCP_SYNCNT
    plain(SOL_TCP, 8, 60),               // TCP_LINGER2
    plain(SOL_TCP, 10, 0),               // TCP_WINDOW_CLAMP
    plain(SOL_TCP, 9, 0),                // TCP_DEFER_ACCEPT
    plain(SOL_TCP, 12, 1),               // TCP_QUICKACK
    within(SOL_TCP, 18, 0, 0, i32::MAX), // TCP_USER_TIMEOUT
    plain(SOL_TCP, 23, 0),               // TCP_FASTOPEN
    plain(SOL_IP, IP_TOS, 0),
    plain(SOL_IP, IP_TTL, 64),
    within(SOL_IP, 10, 1, 0, 5), // IP_MTU_DISCOVER
    plain(SOL_IP, 11, 0),        // IP_RECVERR
    plain(SOL_IP, IP_PKTINFO, 0),
    plain(SOL_IP, IP_RECVTTL, 0),
    plain(SOL_IP, IP_RECVTOS, 0),
    plain(SOL_IP, 15, 0),           // IP_FREEBIND
    plain(SOL_IP, 24, 0),           // IP_BIND_ADDRESS_NO_PORT
    within(SOL_IP, 33, 1, -1, 255), // IP_MULTICAST_TTL
    plain(SOL_IP, 34, 1),           // IP_MULTICAST_LOOP
    plain(SOL_IPV6, IPV6_UNICAST_HOPS, 64),
    plain(SOL_IPV6, 19, 1), // IPV6_MULTICAST_LOOP
    plain(SOL_IPV6, 25, 0), // IPV6_RECVERR
    plain(SOL_IPV6, IPV6_RECVPKTINFO, 0),
    plain(SOL_IPV6, IPV6_RECVHOPLIMIT, 0),
    plain(SOL_IPV6, IPV6_RECVTCLASS, 0),
    plain(SOL_IPV6, IPV6_TCLASS, 0),
    plain(SOL_NETLINK, 3, 0),  // NETLINK_PKTINFO
    plain(SOL_NETLINK, 4, 0),  // NETLINK_BROADCAST_ERROR
    plain(SOL_NETLINK, 5, 0),  // NETLINK_NO_ENOBUFS
    plain(SOL_NETLINK, 8, 0),  // NETLINK_LISTEN_ALL_NSID
    plain(SOL_NETLINK, 10, 0), // NETLINK_CAP_ACK
    plain(SOL_NETLINK, 11, 0), // NETLINK_EXT_ACK
    plain(SOL_NETLINK, 12, 0), // NETLINK_GET_STRICT_CHK
];

const SO_BROADCAST: u32 = 6;
const IP_TOS: u32 = 1;
const IP_TTL: u32 = 2;
const IP_PKTINFO: u32 = 8;
const IP_RECVTTL: u32 = 12;
const IP_RECVTOS: u32 = 13;
const IPV6_UNICAST_HOPS: u32 = 16;
const IPV6_RECVPKTINFO: u32 = 49;
const IPV6_RECVHOPLIMIT: u32 = 51;
const IPV6_RECVTCLASS: u32 = 66;
const IPV6_TCLASS: u32 = 67;

/// What a receiver of datagrams over IP wants to be told of their headers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PacketTold {
    /// Where it was sent to (IP_PKTINFO, IPV6_RECVPKTINFO).
    pub to: bool,
    /// IP_RECVTTL, IPV6_RECVHOPLIMIT.
    pub hops: bool,
    /// IP_RECVTOS, IPV6_RECVTCLASS.
    pub class: bool,
}

const SOL_IP: u32 = 0;
const SOL_SOCKET: u32 = 1;
const SOL_TCP: u32 = 6;
const SOL_IPV6: u32 = 41;
const SOL_NETLINK: u32 = 270;

/// Most that SO_SNDBUF and SO_RCVBUF may be set to, before Linux doubles it.
const BUFFER_MAX: usize = 212_992;
const SEND_MIN: usize = 4608;
const RECEIVE_MIN: usize = 2304;

impl Options {
    pub(super) fn new(family: Family, kind: SocketKind) -> Options {
        let (send_bytes, receive_bytes) = match (family, kind) {
            (Family::Inet | Family::Inet6, SocketKind::Stream) => (16_384, 131_072),
            _ => (BUFFER_MAX, BUFFER_MAX),
        };
        Options {
            send_bytes,
            receive_bytes,
            receive_at_least: 1,
            receive_timeout: None,
            send_timeout: None,
            tells_sender: false,
            reuses_address: false,
            reuses_port: false,
            only_v6: false,
            linger: Linger::default(),
            is_bound_to_loopback: false,
            congestion: Congestion::default(),
            remembered: REMEMBERED.map(|row| row.first),
        }
    }

    /// SO_SNDBUF.
    pub fn set_send_bytes(&mut self, wanted: u32) {
        self.send_bytes = doubled(wanted).max(SEND_MIN);
    }

    /// SO_RCVBUF.
    pub fn set_receive_bytes(&mut self, wanted: u32) {
        self.receive_bytes = doubled(wanted).max(RECEIVE_MIN);
    }

    /// An option that is only remembered; `None` if it is none.
    pub fn remembered(&self, level: u32, name: u32) -> Option<i32> {
        self.remembered.get(row_of(level, name)?).copied()
    }

    /// Remembers one. ENOPROTOOPT if it is none; EINVAL for what no header can say, and what no time or number is.
    pub fn remember(&mut self, level: u32, name: u32, value: i32) -> Result<(), Errno> {
        let row = row_of(level, name).ok_or(Errno::ENOPROTOOPT)?;
        let is_of_header =
            matches!((level, name), (SOL_IP, IP_TTL | IP_TOS) | (SOL_IPV6, IPV6_UNICAST_HOPS | IPV6_TCLASS));
        let value = match (level, name, value) {
            (SOL_IP, IP_TTL, 0) => return Err(Errno::EINVAL),
            (SOL_IP, IP_TOS, _) => value & 0xff,
            (SOL_NETLINK, _, _) => (value != 0).into(),
            // As at first.
            (_, _, -1) if is_of_header => REMEMBERED[row].first,
            _ if !(REMEMBERED[row].least..=REMEMBERED[row].most).contains(&value) => {
                return Err(Errno::EINVAL);
            }
            (_, _, 0..=255) => value,
            _ if is_of_header => return Err(Errno::EINVAL),
            _ => value,
        };
        self.remembered[row] = value;
        Ok(())
    }

    /// It may send to all machines at once (SO_BROADCAST).
    pub(super) fn may_broadcast(&self) -> bool {
        self.remembered(SOL_SOCKET, SO_BROADCAST).is_some_and(|value| value != 0)
    }

    fn number(&self, level: u32, name: u32) -> u8 {
        u8::try_from(self.remembered(level, name).unwrap_or(0)).unwrap_or(u8::MAX)
    }

    /// Of what goes to this address: over how many machines.
    pub(super) fn hops(&self, to: Ip) -> u8 {
        match to {
            Ip::V4(_) => self.number(SOL_IP, IP_TTL),
            Ip::V6(_) => self.number(SOL_IPV6, IPV6_UNICAST_HOPS),
        }
    }

    /// Its class.
    pub(super) fn class(&self, to: Ip) -> u8 {
        match to {
            Ip::V4(_) => self.number(SOL_IP, IP_TOS),
            Ip::V6(_) => self.number(SOL_IPV6, IPV6_TCLASS),
        }
    }

    /// What is told of what has come to this address.
    pub fn told_of(&self, to: Ip, family: Family) -> PacketTold {
        let is_on = |level, name| self.remembered(level, name).is_some_and(|value| value != 0);
        let [hops, class] = match to {
            Ip::V4(_) => [is_on(SOL_IP, IP_RECVTTL), is_on(SOL_IP, IP_RECVTOS)],
            Ip::V6(_) => [is_on(SOL_IPV6, IPV6_RECVHOPLIMIT), is_on(SOL_IPV6, IPV6_RECVTCLASS)],
        };
        let to = match family {
            Family::Inet6 => is_on(SOL_IPV6, IPV6_RECVPKTINFO),
            _ => is_on(SOL_IP, IP_PKTINFO),
        };
        PacketTold { to, hops, class }
    }
}

fn row_of(level: u32, name: u32) -> Option<usize> {
    REMEMBERED.iter().position(|row| (row.level, row.name) == (level, name))
}

/// As Linux does, so that its own bookkeeping has room.
fn doubled(wanted: u32) -> usize {
    2 * usize::try_from(wanted).unwrap_or(BUFFER_MAX).min(BUFFER_MAX)
}
