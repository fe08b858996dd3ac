//! `getsockopt` and `setsockopt`.

use super::sockets::socket_of;
use super::{Arguments, Outcome, int, uint};
use crate::files::vfs::open_files;
use crate::hart::current;
use crate::memory::user::{self, UserPtr};
use ::proc::CapSet;
use alloc::vec;
use alloc::vec::Vec;
use fs::{Congestion, Errno, Family, Linger, SocketId, SocketKind};
use linux_raw_sys::net;

const SOL_SOCKET: u32 = 1;
const IPPROTO_IP: u32 = 0;
const IPPROTO_TCP: u32 = 6;
const IPPROTO_UDP: u32 = 17;
const IPPROTO_IPV6: u32 = 41;
const IPV6_V6ONLY: u32 = 26;
const SOL_NETLINK: u32 = 270;
/// `linux/netlink.h`.
const NETLINK_ADD_MEMBERSHIP: u32 = 1;
const NETLINK_DROP_MEMBERSHIP: u32 = 2;
const NETLINK_LIST_MEMBERSHIPS: u32 = 9;
/// `linux/tcp.h`.
const TCP_MAXSEG: u32 = 2;
const TCP_INFO: u32 = 11;
const TCP_CONGESTION: u32 = 13;
/// Bytes of `struct tcp_info`.
const TCP_INFO_BYTES: usize = 280;
/// `TCP_CA_NAME_MAX`, which is `IFNAMSIZ`, too: bytes of a name with its NUL.
const NAME_BYTES: usize = 16;
/// What a segment of a connection over the loopback interface has room for.
const LOOPBACK_SEGMENT: i32 = 65_483;
/// The states of TCP that a socket can be in here.
const ESTABLISHED: u8 = 1;
const CLOSE: u8 = 7;
const LISTEN: u8 = 10;
const LOOPBACK: &[u8] = b"lo";
const NANOSECONDS: u64 = 1_000_000_000;

/// What an option's value is made of.
enum Value {
    Int(i32),
    Ints([u32; 3], usize),
    Time(Option<u64>),
    /// A name, and its bytes with those that follow it.
    Name(&'static [u8], usize),
    /// What there is to say of a connection without packets: its state.
    Connection(u8),
}

pub fn getsockopt([fd, level, name, value, len, ..]: Arguments) -> Outcome {
    let (_, socket) = socket_of(fd)?;
    let len = UserPtr::<i32>::from(len);
    let room = usize::try_from(len.read()?).map_err(|_| Errno::EINVAL)?;
    let mut bytes = [0; TCP_INFO_BYTES];
    if (uint(level), uint(name)) == (SOL_SOCKET, net::SO_BINDTODEVICE) && room < NAME_BYTES {
        return Err(Errno::EINVAL.into());
    }
    let told = match value_of(socket, uint(level), uint(name))? {
        Value::Int(number) => put(&mut bytes, &[number.cast_unsigned()]),
        Value::Ints(numbers, count) => put(&mut bytes, &numbers[..count]),
        Value::Time(time) => {
            let time = time.unwrap_or(0);
            bytes[..8].copy_from_slice(&(time / NANOSECONDS).to_ne_bytes());
            bytes[8..16].copy_from_slice(&(time % NANOSECONDS / 1000).to_ne_bytes());
            16
        }
        Value::Name(name, len) => {
            bytes[..name.len()].copy_from_slice(name);
            len
        }
        Value::Connection(state) => {
            bytes[0] = state;
            TCP_INFO_BYTES
        }
    }
    .min(room);
    user::copy_out(value, &bytes[..told])?;
    len.write(i32::try_from(told).unwrap_or(0))?;
    Ok(0)
}

fn put(bytes: &mut [u8], numbers: &[u32]) -> usize {
    for (place, number) in bytes.chunks_exact_mut(4).zip(numbers) {
        place.copy_from_slice(&number.to_ne_bytes());
    }
    4 * numbers.len()
}

fn value_of(socket: SocketId, level: u32, name: u32) -> Result<Value, Errno> {
    let mut files = open_files();
    let (sockets, _) = files.sockets_mut();
    let (family, kind) = (sockets.family(socket), sockets.kind(socket));
    let bytes = |count: usize| Value::Int(i32::try_from(count).unwrap_or(i32::MAX));
    let is_tcp = family.is_inet() && kind == SocketKind::Stream;
    check_level(level, family, kind)?;
    if !matches!(level, SOL_SOCKET | IPPROTO_IP | IPPROTO_TCP | IPPROTO_UDP | IPPROTO_IPV6 | SOL_NETLINK) {
        return Err(Errno::EOPNOTSUPP);
    }
    if level == SOL_SOCKET {
        let options = sockets.options(socket);
        return Ok(match name {
            net::SO_TYPE => Value::Int(match kind {
                SocketKind::Stream => 1,
                SocketKind::Datagram => 2,
                SocketKind::Raw => 3,
                SocketKind::SeqPacket => 5,
            }),
            net::SO_DOMAIN => Value::Int(family.number().into()),
            net::SO_PROTOCOL => Value::Int(match (family, kind) {
                (Family::Unix | Family::Netlink, _) => 0,
                (_, SocketKind::Stream) => 6,
                _ => 17,
            }),
            net::SO_ERROR => Value::Int(sockets.take_error(socket).map_or(0, |error| error.number().into())),
            net::SO_ACCEPTCONN => Value::Int(sockets.is_listening(socket).into()),
            net::SO_SNDBUF => bytes(options.send_bytes),
            net::SO_RCVBUF => bytes(options.receive_bytes),
            net::SO_RCVLOWAT => Value::Int(options.receive_at_least.cast_signed()),
            net::SO_SNDLOWAT => Value::Int(1),
            net::SO_RCVTIMEO_OLD | net::SO_RCVTIMEO_NEW => Value::Time(options.receive_timeout),
            net::SO_SNDTIMEO_OLD | net::SO_SNDTIMEO_NEW => Value::Time(options.send_timeout),
            net::SO_PASSCRED => Value::Int(options.tells_sender.into()),
            net::SO_REUSEADDR => Value::Int(options.reuses_address.into()),
            net::SO_REUSEPORT => Value::Int(options.reuses_port.into()),
            net::SO_LINGER => Value::Ints([options.linger.is_on.into(), options.linger.seconds, 0], 2),
            net::SO_BINDTODEVICE => {
                let len = if options.is_bound_to_loopback { LOOPBACK.len() + 1 } else { 0 };
                Value::Name(if len > 0 { LOOPBACK } else { b"" }, len)
            }
            net::SO_PEERCRED => {
                // As in Linux, of who has no peer: nobody.
                let none = fs::Sender { pid: 0, uid: u32::MAX, gid: u32::MAX };
                let peer = sockets.peer(socket).filter(|_| family == Family::Unix).unwrap_or(none);
                Value::Ints([peer.pid, peer.uid, peer.gid], 3)
            }
            _ => Value::Int(sockets.options(socket).remembered(level, name).ok_or(Errno::ENOPROTOOPT)?),
        });
    }
    match (level, name) {
        (IPPROTO_IPV6, IPV6_V6ONLY) => Ok(Value::Int(sockets.options(socket).only_v6.into())),
        (SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS) => Ok(Value::Ints([sockets.memberships(socket), 0, 0], 1)),
        (IPPROTO_TCP, TCP_INFO) if is_tcp => Ok(Value::Connection(match () {
            () if sockets.is_listening(socket) => LISTEN,
            () if sockets.is_connected(socket) => ESTABLISHED,
            () => CLOSE,
        })),
        (IPPROTO_TCP, TCP_MAXSEG) if is_tcp && sockets.is_connected(socket) => {
            Ok(Value::Int(LOOPBACK_SEGMENT))
        }
        (IPPROTO_TCP, TCP_CONGESTION) if is_tcp => {
            Ok(Value::Name(sockets.options(socket).congestion.name().as_bytes(), NAME_BYTES))
        }
        _ => Ok(Value::Int(sockets.options(socket).remembered(level, name).ok_or(Errno::ENOPROTOOPT)?)),
    }
}

/// EOPNOTSUPP, ENOPROTOOPT for a level that a socket does not have.
fn check_level(level: u32, family: Family, kind: SocketKind) -> Result<(), Errno> {
    match (level, family) {
        (SOL_SOCKET, _) => Ok(()),
        (_, Family::Unix) => Err(Errno::EOPNOTSUPP),
        (SOL_NETLINK, Family::Netlink) => Ok(()),
        (SOL_NETLINK, _) | (_, Family::Netlink) => Err(Errno::ENOPROTOOPT),
        (IPPROTO_TCP, _) if kind != SocketKind::Stream => Err(Errno::EOPNOTSUPP),
        (IPPROTO_IPV6, Family::Inet) => Err(Errno::ENOPROTOOPT),
        _ => Ok(()),
    }
}

pub fn setsockopt([fd, level, name, value, len, ..]: Arguments) -> Outcome {
    let (_, socket) = socket_of(fd)?;
    let (level, name) = (uint(level), uint(name));
    let len = usize::try_from(int(len)).map_err(|_| Errno::EINVAL)?;
    let (family, kind) = {
        let files = open_files();
        (files.sockets().family(socket), files.sockets().kind(socket))
    };
    check_level(level, family, kind)?;
    match (level, name) {
        (SOL_SOCKET, net::SO_BINDTODEVICE) => return bind_to_device(socket, &name_given(value, len)?),
        (IPPROTO_TCP, TCP_CONGESTION) if len == 0 => return Err(Errno::EINVAL.into()),
        (IPPROTO_TCP, TCP_CONGESTION) => {
            let wanted = Congestion::named(&name_given(value, len)?).ok_or(Errno::ENOENT)?;
            open_files().sockets_mut().0.options_mut(socket).congestion = wanted;
            return Ok(0);
        }
        _ => {}
    }
    let number = match (level, len) {
        // One byte is enough for most of what a header says.
        (IPPROTO_IP, 1..4) => UserPtr::<u8>::from(value).read()?.into(),
        (_, 0..4) => return Err(Errno::EINVAL.into()),
        _ => UserPtr::<u32>::from(value).read()?,
    };
    let time = match (level, name) {
        (
            SOL_SOCKET,
            net::SO_RCVTIMEO_OLD | net::SO_RCVTIMEO_NEW | net::SO_SNDTIMEO_OLD | net::SO_SNDTIMEO_NEW,
        ) => timeout_from(value, len)?,
        _ => None,
    };
    let linger = match (level, name, len) {
        (SOL_SOCKET, net::SO_LINGER, 0..8) => return Err(Errno::EINVAL.into()),
        (SOL_SOCKET, net::SO_LINGER, _) => {
            let [is_on, seconds] = UserPtr::<[u32; 2]>::from(value).read()?;
            Linger { is_on: is_on != 0, seconds }
        }
        _ => Linger::default(),
    };
    let is_privileged = current().process.credentials.borrow().can(CapSet::NET_ADMIN);
    let mut files = open_files();
    let (sockets, _) = files.sockets_mut();
    if let (SOL_NETLINK, NETLINK_ADD_MEMBERSHIP | NETLINK_DROP_MEMBERSHIP) = (level, name) {
        sockets.set_membership(socket, number, name == NETLINK_ADD_MEMBERSHIP)?;
        return Ok(0);
    }
    let is_named = sockets.check_unnamed(socket).is_err();
    let options = sockets.options_mut(socket);
    let is_on = number != 0;
    match (level, name) {
        (SOL_SOCKET, net::SO_SNDBUF | net::SO_SNDBUFFORCE) => options.set_send_bytes(number),
        (SOL_SOCKET, net::SO_RCVBUF | net::SO_RCVBUFFORCE) => options.set_receive_bytes(number),
        (SOL_SOCKET, net::SO_RCVLOWAT) => options.receive_at_least = number.max(1),
        (SOL_SOCKET, net::SO_RCVTIMEO_OLD | net::SO_RCVTIMEO_NEW) => options.receive_timeout = time,
        (SOL_SOCKET, net::SO_SNDTIMEO_OLD | net::SO_SNDTIMEO_NEW) => options.send_timeout = time,
        (SOL_SOCKET, net::SO_PASSCRED) => options.tells_sender = is_on,
        (SOL_SOCKET, net::SO_REUSEADDR) => options.reuses_address = is_on,
        (SOL_SOCKET, net::SO_REUSEPORT) => options.reuses_port = is_on,
        (SOL_SOCKET, net::SO_LINGER) => options.linger = linger,
        (SOL_SOCKET, net::SO_MARK) if !is_privileged => return Err(Errno::EPERM.into()),
        (IPPROTO_IPV6, IPV6_V6ONLY) if is_named => return Err(Errno::EINVAL.into()),
        (IPPROTO_IPV6, IPV6_V6ONLY) => options.only_v6 = is_on,
        _ => options.remember(level, name, number.cast_signed())?,
    }
    Ok(0)
}

/// A name that a program gives: what stands before its NUL or its end.
fn name_given(value: u64, len: usize) -> Result<Vec<u8>, Errno> {
    let mut name = vec![0; len.min(NAME_BYTES - 1)];
    user::copy_in(value, &mut name)?;
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    name.truncate(end);
    Ok(name)
}

/// SO_BINDTODEVICE. No name: any device.
fn bind_to_device(socket: SocketId, name: &[u8]) -> Outcome {
    let may_change = current().process.credentials.borrow().can(CapSet::NET_RAW);
    let mut files = open_files();
    let options = files.sockets_mut().0.options_mut(socket);
    match name {
        _ if options.is_bound_to_loopback && !may_change => Err(Errno::EPERM.into()),
        b"" | LOOPBACK => {
            options.is_bound_to_loopback = name == LOOPBACK;
            Ok(0)
        }
        _ => Err(Errno::ENODEV.into()),
    }
}

/// A time to wait, in nanoseconds; none for 0. EDOM for more microseconds than a second has.
fn timeout_from(value: u64, len: usize) -> Result<Option<u64>, Errno> {
    if len < 16 {
        return Err(Errno::EINVAL);
    }
    let [seconds, microseconds] = UserPtr::<[u64; 2]>::from(value).read()?;
    if microseconds >= 1_000_000 {
        return Err(Errno::EDOM);
    }
    if seconds.cast_signed() < 0 {
        return Ok(Some(0));
    }
    let time = seconds.saturating_mul(NANOSECONDS).saturating_add(microseconds * 1000);
    Ok((time != 0).then_some(time))
}
