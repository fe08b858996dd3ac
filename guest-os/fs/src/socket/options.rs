//! What a socket has been told to do: the plain values behind `getsockopt` and `setsockopt` (socket(7)).

use super::{Family, SocketKind};

/// SO_LINGER.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Linger {
    /// Whether `close` waits.
    pub is_on: bool,
    /// For how many seconds. 0: what was not sent is thrown away.
    pub seconds: u32,
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
    /// Those that are remembered and told, and nothing else: a value for each row of the table.
    remembered: [i32; REMEMBERED.len()],
}

/// Options that change nothing where there are no packets: level, name, and value at first.
const REMEMBERED: [(u32, u32, i32); 39] = [
    (SOL_SOCKET, 9, 0),  // SO_KEEPALIVE
    (SOL_SOCKET, 6, 0),  // SO_BROADCAST
    (SOL_SOCKET, 10, 0), // SO_OOBINLINE
    (SOL_SOCKET, 5, 0),  // SO_DONTROUTE
    (SOL_SOCKET, 1, 0),  // SO_DEBUG
    (SOL_SOCKET, 12, 0), // SO_PRIORITY
    (SOL_SOCKET, 36, 0), // SO_MARK
    (SOL_SOCKET, 29, 0), // SO_TIMESTAMP
    (SOL_SOCKET, 35, 0), // SO_TIMESTAMPNS
    (SOL_SOCKET, 11, 0), // SO_NO_CHECK
    (SOL_SOCKET, 46, 0), // SO_BUSY_POLL
    (SOL_TCP, 25, -1),   // TCP_NOTSENT_LOWAT
    (SOL_TCP, 30, 0),    // TCP_FASTOPEN_CONNECT
    (SOL_TCP, 1, 0),     // TCP_NODELAY
    (SOL_TCP, 2, 65483), // TCP_MAXSEG
    (SOL_TCP, 3, 0),     // TCP_CORK
    (SOL_TCP, 4, 7200),  // TCP_KEEPIDLE
    (SOL_TCP, 5, 75),    // TCP_KEEPINTVL
    (SOL_TCP, 6, 9),     // TCP_KEEPCNT
    (SOL_TCP, 9, 0),     // TCP_DEFER_ACCEPT
    (SOL_TCP, 12, 1),    // TCP_QUICKACK
    (SOL_TCP, 18, 0),    // TCP_USER_TIMEOUT
    (SOL_TCP, 23, 0),    // TCP_FASTOPEN
    (SOL_IP, 1, 0),      // IP_TOS
    (SOL_IP, 2, 64),     // IP_TTL
    (SOL_IP, 10, 1),     // IP_MTU_DISCOVER
    (SOL_IP, 11, 0),     // IP_RECVERR
    (SOL_IP, 8, 0),      // IP_PKTINFO
    (SOL_IP, 12, 0),     // IP_RECVTTL
    (SOL_IP, 13, 0),     // IP_RECVTOS
    (SOL_IP, 15, 0),     // IP_FREEBIND
    (SOL_IP, 24, 0),     // IP_BIND_ADDRESS_NO_PORT
    (SOL_IP, 33, 1),     // IP_MULTICAST_TTL
    (SOL_IP, 34, 1),     // IP_MULTICAST_LOOP
    (SOL_IPV6, 16, 64),  // IPV6_UNICAST_HOPS
    (SOL_IPV6, 19, 1),   // IPV6_MULTICAST_LOOP
    (SOL_IPV6, 25, 0),   // IPV6_RECVERR
    (SOL_IPV6, 49, 0),   // IPV6_RECVPKTINFO
    (SOL_IPV6, 67, 0),   // IPV6_TCLASS
];

const SOL_IP: u32 = 0;
const SOL_SOCKET: u32 = 1;
const SOL_TCP: u32 = 6;
const SOL_IPV6: u32 = 41;

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
            remembered: REMEMBERED.map(|(_, _, value)| value),
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
    pub fn remembered(&mut self, level: u32, name: u32) -> Option<&mut i32> {
        let row = REMEMBERED.iter().position(|row| (row.0, row.1) == (level, name))?;
        self.remembered.get_mut(row)
    }
}

/// As Linux does, so that its own bookkeeping has room.
fn doubled(wanted: u32) -> usize {
    2 * usize::try_from(wanted).unwrap_or(BUFFER_MAX).min(BUFFER_MAX)
}
