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
    tcp_on_loopback, tcp_without_waiting, tcp_resets, ports_are_taken, udp_on_loopback, udp_to_nobody, other_addresses,
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
