//! Sockets over the loopback interface: TCP and UDP, by IPv4 and IPv6.

use rt::Result;
use rt::abi::general as g;
use rt::abi::net as n;
use rt::os;

use crate::check::Outcome;
use crate::raw::{Action, on_signal, sys};
use crate::sockets::{
    DGRAM, DONTWAIT, HOME, INET, INET6, NONBLOCK, Name, SOL_SOCKET, STREAM, accept, bind, connect, inet,
    inet6, listen, name_by, option, own_name, polled, receive, send, set_option, shutdown, socket,
};
use crate::{check, check_eq, check_error, tests};

tests! {
    tcp_on_loopback, tcp_without_waiting, tcp_resets, ports_are_taken, udp_on_loopback, udp_to_nobody, headers_of_datagrams, other_addresses,
}

fn listener(ip: u32) -> Result<(i32, Name)> {
    let server = socket(INET, STREAM)?;
    bind(server, inet(ip, 0))?;
    listen(server, 5)?;
    Ok((server, own_name(server)?))
}

fn tcp_on_loopback() -> Outcome {
    let (server, name) = listener(HOME)?;
    check!(name.port() >= 1024 && name.len == 16);
    check_eq!(option(server, SOL_SOCKET, n::SO_ACCEPTCONN)?, 1);
    let client = socket(INET, STREAM)?;
    connect(client, name)?;
    let other = accept(server)?;
    check_eq!(name_by(g::__NR_getpeername, other)?.bytes, own_name(client)?.bytes);
    check_eq!(own_name(other)?.bytes, name.bytes);
    check_error!(connect(client, name), EISCONN);
    os::write(client, b"request")?;
    let mut bytes = [0; 16];
    check_eq!(os::read(other, &mut bytes)?, 7);
    os::write(other, b"answer")?;
    os::close(other)?;
    check_eq!(os::read(client, &mut bytes)?, 6);
    check_eq!(os::read(client, &mut bytes)?, 0);
    // Half a connection ends, the other half goes on.
    let client = socket(INET, STREAM)?;
    connect(client, name)?;
    let other = accept(server)?;
    shutdown(client, 1)?;
    check_eq!(os::read(other, &mut bytes)?, 0);
    os::write(other, b"late")?;
    check_eq!(os::read(client, &mut bytes)?, 4);
    // By IPv6, and by IPv4 to who listens for both.
    let both = socket(INET6, STREAM)?;
    bind(both, inet6(0, 0))?;
    listen(both, 5)?;
    let port = own_name(both)?.port();
    let six = socket(INET6, STREAM)?;
    connect(six, inet6(1, port))?;
    check_eq!(own_name(six)?.len, 28);
    let four = socket(INET, STREAM)?;
    connect(four, inet(HOME, port))?;
    accept(both)?;
    let mapped = name_by(g::__NR_getpeername, accept(both)?)?;
    check_eq!((mapped.len, &mapped.bytes[18..24]), (28, &[0xff, 0xff, 127, 0, 0, 1][..]));
    Ok(())
}

fn tcp_without_waiting() -> Outcome {
    let (server, name) = listener(HOME)?;
    let client = socket(INET, STREAM | NONBLOCK)?;
    check_error!(connect(client, name), EINPROGRESS);
    for _ in 0..1000 {
        if polled(client)? & 4 != 0 {
            break;
        }
        os::sched_yield();
    }
    check_eq!(polled(client)?, 0x104);
    check_eq!(option(client, SOL_SOCKET, n::SO_ERROR)?, 0);
    check_eq!(connect(client, name)?, 0);
    check_error!(connect(client, name), EISCONN);
    accept(server)?;
    os::close(server)?;
    let refused = socket(INET, STREAM | NONBLOCK)?;
    check_error!(connect(refused, name), EINPROGRESS);
    for _ in 0..1000 {
        if polled(refused)? & 8 != 0 {
            break;
        }
        os::sched_yield();
    }
    check_eq!(option(refused, SOL_SOCKET, n::SO_ERROR)?, 111);
    check_eq!(option(refused, SOL_SOCKET, n::SO_ERROR)?, 0);
    Ok(())
}

fn tcp_resets() -> Outcome {
    on_signal(g::SIGPIPE, Action::Ignore, 0)?;
    let (server, name) = listener(HOME)?;
    let mut bytes = [0; 8];
    let connected = || -> Result<(i32, i32)> {
        let client = socket(INET, STREAM)?;
        connect(client, name)?;
        Ok((client, accept(server)?))
    };
    // What was not read resets.
    let (client, other) = connected()?;
    os::write(client, b"unread")?;
    os::close(other)?;
    check_error!(os::read(client, &mut bytes), ECONNRESET);
    check_eq!(os::read(client, &mut bytes)?, 0);
    check_error!(os::write(client, b"x"), EPIPE);
    // Who has gone in peace resets who goes on.
    let (client, other) = connected()?;
    os::close(other)?;
    check_eq!(os::read(client, &mut bytes)?, 0);
    check_eq!(os::write(client, b"x")?, 1);
    for _ in 0..1000 {
        if polled(client)? & 8 != 0 {
            break;
        }
        os::sched_yield();
    }
    check_error!(os::write(client, b"x"), EPIPE);
    // As does who does not linger.
    let (client, other) = connected()?;
    let mut linger = [1u32, 0];
    let (name, at) = (n::SO_LINGER as usize, linger.as_mut_ptr() as usize);
    sys(g::__NR_setsockopt, [other as usize, SOL_SOCKET, name, at, 8])?;
    os::close(other)?;
    check_error!(os::read(client, &mut bytes), ECONNRESET);
    Ok(())
}

fn ports_are_taken() -> Outcome {
    let (server, name) = listener(HOME)?;
    let other = socket(INET, STREAM)?;
    check_error!(bind(other, name), EADDRINUSE);
    check_error!(bind(other, inet(0, name.port())), EADDRINUSE);
    set_option(other, SOL_SOCKET, n::SO_REUSEADDR, 1)?;
    check_error!(bind(other, name), EADDRINUSE);
    check_error!(bind(server, inet(HOME, 0)), EINVAL);
    let udp = socket(INET, DGRAM)?;
    bind(udp, name)?;
    check_error!(bind(socket(INET, DGRAM)?, name), EADDRINUSE);
    check_error!(listen(udp, 1), EOPNOTSUPP);
    check_error!(bind(socket(INET, DGRAM)?, inet(0x0808_0808, 0)), EADDRNOTAVAIL);
    check_error!(bind(socket(INET, DGRAM)?, inet6(1, 0)), EAFNOSUPPORT);
    let shared = [socket(INET, DGRAM)?, socket(INET, DGRAM)?];
    let mut port = inet(HOME, 0);
    for fd in shared {
        set_option(fd, SOL_SOCKET, n::SO_REUSEPORT, 1)?;
        bind(fd, port)?;
        port = own_name(fd)?;
    }
    Ok(())
}

fn udp_on_loopback() -> Outcome {
    let server = socket(INET, DGRAM)?;
    bind(server, inet(HOME, 0))?;
    let name = own_name(server)?;
    let client = socket(INET, DGRAM)?;
    check_error!(send(client, b"x", 0), EDESTADDRREQ);
    connect(client, name)?;
    send(client, b"query", 0)?;
    let mut from = Name { bytes: [0; 110], len: 110 };
    let mut bytes = [0u8; 8];
    let (at, len) = (from.bytes.as_mut_ptr() as usize, (&raw mut from.len) as usize);
    check_eq!(sys(g::__NR_recvfrom, [server as usize, bytes.as_mut_ptr() as usize, 8, 0, at, len])?, 5);
    let from = core::hint::black_box(from);
    check_eq!((from.len, from.port()), (16, own_name(client)?.port()));
    let to = [server as usize, c"reply".as_ptr() as usize, 5, 0, from.bytes.as_ptr() as usize, 16];
    check_eq!(sys(g::__NR_sendto, to)?, 5);
    check_eq!(receive(client, &mut bytes, 0)?, 5);
    // Nobody is there any more: who is connected is told.
    os::close(server)?;
    send(client, b"x", 0)?;
    check_error!(receive(client, &mut bytes, 0), ECONNREFUSED);
    check_error!(receive(client, &mut bytes, DONTWAIT), EAGAIN);
    // To nobody at all.
    connect(client, Name { bytes: [0; 110], len: 16 })?;
    check_error!(send(client, b"x", 0), EDESTADDRREQ);
    static MUCH: [u8; 70_000] = [0; 70_000];
    connect(client, inet(HOME, 9))?;
    check_error!(send(client, &MUCH, 0), EMSGSIZE);
    Ok(())
}

/// A socket that is directed at nobody any more has the name again that it had before: that of `bind`, or none.
fn udp_to_nobody() -> Outcome {
    let nobody = Name { bytes: [0; 110], len: 16 };
    let six = socket(INET6, DGRAM)?;
    connect(six, inet6(1, 9))?;
    check!(own_name(six)?.port() != 0);
    connect(six, nobody)?;
    let name = own_name(six)?;
    check_eq!((name.port(), name.bytes[8..24].iter().all(|&byte| byte == 0)), (0, true));
    let bound = socket(INET, DGRAM)?;
    bind(bound, inet(0, 0))?;
    let before = own_name(bound)?;
    connect(bound, inet(HOME, 9))?;
    check!(own_name(bound)?.bytes != before.bytes);
    connect(bound, nobody)?;
    check_eq!(own_name(bound)?.bytes, before.bytes);
    Ok(())
}

fn other_addresses() -> Outcome {
    // 127.0.0.0/8 is all home, and so is 0.0.0.0.
    let (_, name) = listener(0x7f01_0203)?;
    let client = socket(INET, STREAM)?;
    connect(client, name)?;
    check_eq!(own_name(client)?.bytes[4..8], [127, 0, 0, 1]);
    let (_, any) = listener(0)?;
    let client = socket(INET, STREAM)?;
    connect(client, inet(0, any.port()))?;
    check_eq!(name_by(g::__NR_getpeername, client)?.bytes[4..8], [127, 0, 0, 1]);
    Ok(())
}

/// Control messages of a level and a kind, each with the words behind it.
fn controls(of: &[(usize, u32, &[u32])]) -> ([u32; 24], usize) {
    let (mut words, mut at) = ([0; 24], 0);
    for &(level, kind, content) in of {
        words[at..at + 4].copy_from_slice(&[16 + 4 * content.len() as u32, 0, level as u32, kind]);
        words[at + 4..at + 4 + content.len()].copy_from_slice(content);
        at += (4 + content.len()).next_multiple_of(2);
    }
    (words, 4 * at)
}

/// Sends or receives a byte with control messages; what is in them afterwards, and how many bytes.
fn with_controls(
    number: u32,
    fd: i32,
    to: Option<&Name>,
    controls: ([u32; 24], usize),
) -> Result<([u32; 24], usize)> {
    let (mut words, len) = controls;
    let mut byte = [0u8; 1];
    let mut vector = [byte.as_mut_ptr() as usize, 1];
    let (name, name_len) = to.map_or((0, 0), |name| (name.bytes.as_ptr() as usize, name.len));
    let control = words.as_mut_ptr() as usize;
    let mut header = [name, name_len, vector.as_mut_ptr() as usize, 1, control, len, 0];
    sys(number, [fd as usize, header.as_mut_ptr() as usize, 0])?;
    core::hint::black_box((&mut words, &mut byte, &mut vector));
    let header = core::hint::black_box(header);
    Ok((core::hint::black_box(words), header[5]))
}

/// TTL, hop limit, class and the address that it was sent to come along, if they are asked for.
fn headers_of_datagrams() -> Outcome {
    const IP: usize = 0;
    const IPV6: usize = 41;
    let (tos, ttl, info, told_ttl, told_tos) = (1, 2, 8, 12, 13);
    let (told_info6, info6, told_hops, hops, told_class, class) = (49, 50, 51, 52, 66, 67);
    let nothing = ([0; 24], 96);
    let (server, client) = (socket(INET6, DGRAM)?, socket(INET6, DGRAM)?);
    bind(server, inet6(1, 0))?;
    let name = own_name(server)?;
    let receive = |fd| with_controls(g::__NR_recvmsg, fd, None, nothing);
    let send = |fd, name, with: &[_]| with_controls(g::__NR_sendmsg, fd, Some(name), controls(with));
    send(client, &name, &[])?;
    check_eq!(receive(server)?.1, 0);
    [told_info6, told_hops, told_class]
        .iter()
        .try_for_each(|&name| set_option(server, IPV6, name, 1).map(drop))?;
    send(client, &name, &[])?;
    let loopback = [0, 0, 0, 0x0100_0000, 1];
    check_eq!(
        receive(server)?,
        controls(&[(IPV6, info6, &loopback), (IPV6, hops, &[64]), (IPV6, class, &[0])])
    );
    set_option(server, IPV6, told_info6, 0)?;
    set_option(client, IPV6, class, 8)?;
    send(client, &name, &[(IPV6, hops, &[2])])?;
    check_eq!(receive(server)?, controls(&[(IPV6, hops, &[2]), (IPV6, class, &[8])]));
    send(client, &name, &[(IPV6, class, &[9]), (IPV6, hops, &[u32::MAX])])?;
    check_eq!(receive(server)?, controls(&[(IPV6, hops, &[64]), (IPV6, class, &[9])]));
    // What finds no room is cut.
    send(client, &name, &[])?;
    check_eq!(with_controls(g::__NR_recvmsg, server, None, ([0; 24], 24))?.1, 24);
    send(client, &name, &[])?;
    check_eq!(with_controls(g::__NR_recvmsg, server, None, ([0; 24], 8))?.1, 0);
    for wrong in [(IPV6, hops, &[256][..]), (IPV6, hops, &[1, 2]), (IPV6, class, &[256]), (IPV6, 99, &[1])] {
        check_error!(send(client, &name, &[wrong]), EINVAL);
    }
    check_error!(set_option(client, IPV6, class, 256), EINVAL);
    check_error!(set_option(client, IPV6, 16, 256), EINVAL);

    let (server, client) = (socket(INET, DGRAM)?, socket(INET, DGRAM)?);
    bind(server, inet(0, 0))?;
    let name = inet(HOME + 1, own_name(server)?.port());
    [info, told_ttl, told_tos].iter().try_for_each(|&name| set_option(server, IP, name, 1).map(drop))?;
    set_option(client, IP, ttl, 7)?;
    send(client, &name, &[(IP, tos, &[4])])?;
    let (words, len) = receive(server)?;
    let there = (HOME + 1).to_be();
    let (expected, expected_len) = controls(&[(IP, info, &[1, there, there]), (IP, ttl, &[7])]);
    check_eq!(words[..14], expected[..14]);
    // The class is a byte.
    check_eq!((len, &words[14..18], words[18] as u8), (expected_len + 24, &[17, 0, IP as u32, tos][..], 4));
    for wrong in [(IP, ttl, &[0][..]), (IP, ttl, &[256]), (IP, tos, &[256]), (IP, 99, &[1])] {
        check_error!(send(client, &name, &[wrong]), EINVAL);
    }
    check_error!(set_option(client, IP, ttl, 0), EINVAL);
    // An address to send from.
    send(client, &name, &[(IP, info, &[0, (HOME + 2).to_be(), 0])])?;
    let (mut from, mut len) = (Name { bytes: [0; 110], len: 0 }, 110u32);
    let at = [from.bytes.as_mut_ptr() as usize, (&raw mut len) as usize];
    sys(g::__NR_recvfrom, [server as usize, at[0], 0, 0, at[0], at[1]])?;
    from = core::hint::black_box(from);
    check_eq!(from.bytes[4..8], (HOME + 2).to_be_bytes());
    Ok(())
}
