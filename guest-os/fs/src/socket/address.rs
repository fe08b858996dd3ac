//! The names of sockets: paths and abstract names (unix(7)), internet addresses and ports (ip(7), ipv6(7)), and how programs write them.

use super::{Family, NetlinkName};
use crate::Errno;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// Where a socket is found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Address {
    /// Nowhere: a socket of AF_UNIX without a name.
    #[default]
    Unnamed,
    /// At a path, as it was bound.
    Path(Rc<Vec<u8>>),
    /// By a name that is no path.
    Abstract(Rc<Vec<u8>>),
    /// At an address and a port.
    Inet(Endpoint),
    /// At a port of netlink.
    Netlink(NetlinkName),
}

/// An internet address and a port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Endpoint {
    /// The address.
    pub ip: Ip,
    /// The port; 0 for none.
    pub port: u16,
}

/// An internet address. One of IPv4 inside IPv6 is one of IPv4.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ip {
    /// Of IPv4.
    V4([u8; 4]),
    /// Of IPv6.
    V6([u8; 16]),
}

const IPV6_LOOPBACK: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
/// What comes before an IPv4 address inside an IPv6 one.
const MAPPED: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

impl Ip {
    /// Every address of this machine.
    pub(super) fn any(family: Family) -> Ip {
        if family == Family::Inet6 { Ip::V6([0; 16]) } else { Ip::V4([0; 4]) }
    }
    /// Whether it stands for every address.
    pub fn is_any(self) -> bool {
        matches!(self, Ip::V4([0, 0, 0, 0])) || self == Ip::V6([0; 16])
    }
    /// Whether it is one of this machine's.
    pub fn is_local(self) -> bool {
        match self {
            Ip::V4([first, ..]) => first == 127 || self.is_any(),
            Ip::V6(bytes) => bytes == IPV6_LOOPBACK || self.is_any(),
        }
    }
    /// Whether it is for many.
    pub(super) fn is_multicast(self) -> bool {
        match self {
            Ip::V4([first, ..]) => first >= 224,
            Ip::V6([first, ..]) => first == 0xff,
        }
    }
    /// Where what is sent here comes to: "any" is oneself.
    pub(super) fn reached(self) -> Ip {
        match self {
            _ if !self.is_any() => self,
            Ip::V4(_) => Ip::V4([127, 0, 0, 1]),
            Ip::V6(_) => Ip::V6(IPV6_LOOPBACK),
        }
    }
    /// What a socket without an address of its own sends to here from.
    pub(super) fn source(self) -> Ip {
        match self {
            Ip::V4(_) => Ip::V4([127, 0, 0, 1]),
            Ip::V6(_) => Ip::V6(IPV6_LOOPBACK),
        }
    }
    fn from_v6(bytes: [u8; 16]) -> Ip {
        match bytes {
            [start @ .., a, b, c, d] if start == MAPPED => Ip::V4([a, b, c, d]),
            _ => Ip::V6(bytes),
        }
    }
    /// Itself, or what stands for an IPv4 address in an IPv6 one.
    pub fn to_v6(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        match self {
            Ip::V6(bytes) => return bytes,
            Ip::V4(address) => {
                bytes[..12].copy_from_slice(&MAPPED);
                bytes[12..].copy_from_slice(&address);
            }
        }
        bytes
    }
}

/// What a program has written where a name is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// AF_UNSPEC: no name at all.
    Unspecified,
    /// AF_UNIX and nothing else: any free name.
    AnyName,
    /// A name.
    Name(Address),
}

/// Bytes of the longest `sockaddr` that a call takes.
pub const ADDRESS_MAX: usize = 128;
const AF_UNSPEC: u16 = 0;
const UNIX_MAX: usize = 110;
const INET_BYTES: usize = 16;
const INET6_MIN: usize = 24;
const INET6_BYTES: usize = 28;
const NETLINK_BYTES: usize = 12;

impl Family {
    /// Its number.
    pub const fn number(self) -> u16 {
        match self {
            Family::Unix => 1,
            Family::Inet => 2,
            Family::Inet6 => 10,
            Family::Netlink => 16,
        }
    }

    /// Reads a `sockaddr` of this family. EINVAL, EAFNOSUPPORT.
    pub fn parse(self, bytes: &[u8]) -> Result<Wanted, Errno> {
        let [low, high, rest @ ..] = bytes else { return Err(Errno::EINVAL) };
        let family = u16::from_ne_bytes([*low, *high]);
        if family == AF_UNSPEC {
            return Ok(Wanted::Unspecified);
        }
        match self {
            Family::Unix => Self::parse_unix(family, bytes.len(), rest),
            Family::Inet | Family::Inet6 => self.parse_inet(family, bytes),
            Family::Netlink => Self::parse_netlink(family, bytes),
        }
    }

    fn parse_unix(family: u16, len: usize, name: &[u8]) -> Result<Wanted, Errno> {
        if family != Family::Unix.number() || len > UNIX_MAX {
            return Err(Errno::EINVAL);
        }
        let copy = |bytes: &[u8]| Rc::new(bytes.to_vec());
        Ok(match name {
            [] => Wanted::AnyName,
            [0, rest @ ..] => Wanted::Name(Address::Abstract(copy(rest))),
            path => {
                let end = path.iter().position(|&byte| byte == 0).unwrap_or(path.len());
                Wanted::Name(Address::Path(copy(&path[..end])))
            }
        })
    }

    fn parse_netlink(family: u16, bytes: &[u8]) -> Result<Wanted, Errno> {
        let &[_, _, _, _, a, b, c, d, e, f, g, h, ..] = bytes else { return Err(Errno::EINVAL) };
        if family != Family::Netlink.number() {
            return Err(Errno::EINVAL);
        }
        let (port, groups) = (u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h]));
        Ok(Wanted::Name(Address::Netlink(NetlinkName { port, groups })))
    }

    fn parse_inet(self, family: u16, bytes: &[u8]) -> Result<Wanted, Errno> {
        let shortest = if self == Family::Inet { INET_BYTES } else { INET6_MIN };
        // A socket of IPv6 may be told an address of IPv4 as such.
        let is_v4 = family == Family::Inet.number();
        if bytes.len() < if is_v4 { INET_BYTES } else { shortest } {
            return Err(Errno::EINVAL);
        }
        let port = u16::from_be_bytes([bytes[2], bytes[3]]);
        let part = |start: usize, index: usize| bytes[start + index];
        let ip = match (self, family) {
            (_, _) if is_v4 => Ip::V4(core::array::from_fn(|index| part(4, index))),
            (Family::Inet6, family) if family == self.number() => {
                Ip::from_v6(core::array::from_fn(|index| part(8, index)))
            }
            _ => return Err(Errno::EAFNOSUPPORT),
        };
        Ok(Wanted::Name(Address::Inet(Endpoint { ip, port })))
    }

    /// Writes a name as a `sockaddr`, whole; returns how many bytes it takes.
    pub fn write(self, address: &Address, out: &mut [u8; ADDRESS_MAX]) -> usize {
        out[..2].copy_from_slice(&self.number().to_ne_bytes());
        let endpoint = match address {
            Address::Unnamed => return 2,
            Address::Path(path) => {
                // With the NUL behind it.
                out[2..2 + path.len()].copy_from_slice(path);
                out[2 + path.len()] = 0;
                return 2 + path.len() + 1;
            }
            Address::Abstract(name) => {
                out[2] = 0;
                out[3..3 + name.len()].copy_from_slice(name);
                return 3 + name.len();
            }
            Address::Inet(endpoint) => endpoint,
            Address::Netlink(name) => {
                out[2..4].fill(0);
                out[4..8].copy_from_slice(&name.port.to_ne_bytes());
                out[8..NETLINK_BYTES].copy_from_slice(&name.groups.to_ne_bytes());
                return NETLINK_BYTES;
            }
        };
        out[2..4].copy_from_slice(&endpoint.port.to_be_bytes());
        out[4..INET6_BYTES].fill(0);
        match (self, endpoint.ip) {
            (Family::Inet, Ip::V4(ip)) => {
                out[4..8].copy_from_slice(&ip);
                INET_BYTES
            }
            (_, ip) => {
                out[8..24].copy_from_slice(&ip.to_v6());
                INET6_BYTES
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written_as_linux_does() {
        let mut out = [0; ADDRESS_MAX];
        let mut round = |family: Family, bytes: &[u8]| {
            let Ok(Wanted::Name(address)) = family.parse(bytes) else { panic!("{bytes:?}") };
            let len = family.write(&address, &mut out);
            out[..len].to_vec()
        };
        assert_eq!(round(Family::Unix, b"\x01\0/a/b\0junk"), b"\x01\0/a/b\0");
        assert_eq!(round(Family::Unix, b"\x01\0/a"), b"\x01\0/a\0");
        assert_eq!(round(Family::Unix, b"\x01\0\0a\0b"), b"\x01\0\0a\0b");
        let v4 = *b"\x02\0\x1f\x90\x7f\0\0\x01\0\0\0\0\0\0\0\0";
        assert_eq!(round(Family::Inet, &v4), v4);
        let mapped = round(Family::Inet6, &v4);
        assert_eq!(mapped.len(), 28);
        assert_eq!(round(Family::Inet6, &mapped), mapped);
        let netlink = *b"\x10\0\0\0\x07\0\0\0\x03\0\0\0";
        assert_eq!(round(Family::Netlink, &netlink), netlink);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        assert_eq!(Family::Unix.parse(b"\x01\0"), Ok(Wanted::AnyName));
        assert_eq!(Family::Unix.parse(b"\x02\0/a"), Err(Errno::EINVAL));
        assert_eq!(Family::Unix.parse(&[1; 111]), Err(Errno::EINVAL));
        assert_eq!(Family::Inet.parse(b"\x02\0\0\0"), Err(Errno::EINVAL));
        assert_eq!(
            Family::Inet.parse(&[10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            Err(Errno::EAFNOSUPPORT)
        );
        assert_eq!(Family::Inet.parse(&[0; 16]), Ok(Wanted::Unspecified));
        assert_eq!(Family::Inet.parse(&[0]), Err(Errno::EINVAL));
        assert_eq!(Family::Netlink.parse(&[16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Err(Errno::EINVAL));
        assert_eq!(Family::Netlink.parse(&[2; 12]), Err(Errno::EINVAL));
    }
}
