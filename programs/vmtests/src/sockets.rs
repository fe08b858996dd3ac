//! Sockets of AF_UNIX: pairs, names, connections, options; and every error on the way. `loopback` and `passing` use what is here.

use core::ffi::CStr;

use rt::Result;
use rt::abi::general as g;
use rt::abi::net as n;
use rt::os::{self, Status};

use crate::check::Outcome;
use crate::exec::unlink;
use crate::raw::sys;
use crate::{check, check_eq, check_error, tests};

tests! {
    sockets_are_made, pairs_carry_bytes, pairs_end, pairs_are_full, pairs_wait, packets_keep_their_limits, datagrams_of_a_pair, socket_paths, abstract_names, strangers_are_limited, connections_are_accepted, connections_are_refused, who_is_there, bytes_are_peeked_at, halves_are_shut, sockets_are_polled, times_to_wait, options_are_kept, sockets_are_files, @Kernel socket_signals, @Kernel sockets_at_random,
}

pub const UNIX: usize = n::AF_UNIX as usize;

pub const INET: usize = n::AF_INET as usize;

pub const INET6: usize = n::AF_INET6 as usize;

pub const STREAM: usize = 1;

pub const DGRAM: usize = 2;

pub const SEQPACKET: usize = 5;

pub const NONBLOCK: usize = g::O_NONBLOCK as usize;

pub const DONTWAIT: usize = n::MSG_DONTWAIT as usize;

pub const SOL_SOCKET: usize = 1;

pub const HOME: u32 = 0x7f00_0001;

pub fn socket(domain: usize, kind: usize) -> Result<i32> {
    Ok(sys(g::__NR_socket, [domain, kind, 0])? as i32)
}

pub fn pair(kind: usize) -> Result<(i32, i32)> {
    let mut ends = [0i32; 2];
    sys(g::__NR_socketpair, [UNIX, kind, 0, ends.as_mut_ptr() as usize])?;
    let ends = core::hint::black_box(ends);
    Ok((ends[0], ends[1]))
}

pub fn send(fd: i32, bytes: &[u8], flags: usize) -> Result<usize> {
    sys(g::__NR_sendto, [fd as usize, bytes.as_ptr() as usize, bytes.len(), flags, 0, 0])
}

pub fn receive(fd: i32, into: &mut [u8], flags: usize) -> Result<usize> {
    let count = sys(g::__NR_recvfrom, [fd as usize, into.as_mut_ptr() as usize, into.len(), flags, 0, 0]);
    core::hint::black_box(into);
    count
}

/// An address as the calls take it.
#[derive(Clone, Copy)]
pub struct Name {
    pub bytes: [u8; 110],
    pub len: usize,
}

pub fn unix(path: &[u8]) -> Name {
    let mut name = Name { bytes: [0; 110], len: 2 + path.len() };
    name.bytes[0] = n::AF_UNIX as u8;
    name.bytes[2..2 + path.len()].copy_from_slice(path);
    name
}

pub fn inet(ip: u32, port: u16) -> Name {
    let mut name = Name { bytes: [0; 110], len: 16 };
    name.bytes[0] = n::AF_INET as u8;
    name.bytes[2..4].copy_from_slice(&port.to_be_bytes());
    name.bytes[4..8].copy_from_slice(&ip.to_be_bytes());
    name
}

pub fn inet6(last: u8, port: u16) -> Name {
    let mut name = Name { bytes: [0; 110], len: 28 };
    name.bytes[0] = n::AF_INET6 as u8;
    name.bytes[2..4].copy_from_slice(&port.to_be_bytes());
    name.bytes[23] = last;
    name
}

impl Name {
    pub fn port(&self) -> u16 {
        u16::from_be_bytes([self.bytes[2], self.bytes[3]])
    }
    fn call(&self, number: u32, fd: i32) -> Result<usize> {
        sys(number, [fd as usize, self.bytes.as_ptr() as usize, self.len])
    }
}

pub fn bind(fd: i32, name: Name) -> Result<usize> {
    name.call(g::__NR_bind, fd)
}

pub fn connect(fd: i32, name: Name) -> Result<usize> {
    name.call(g::__NR_connect, fd)
}

pub fn listen(fd: i32, backlog: usize) -> Result<usize> {
    sys(g::__NR_listen, [fd as usize, backlog])
}

pub fn accept(fd: i32) -> Result<i32> {
    Ok(sys(g::__NR_accept4, [fd as usize, 0, 0, 0])? as i32)
}

pub fn shutdown(fd: i32, how: usize) -> Result<usize> {
    sys(g::__NR_shutdown, [fd as usize, how])
}

pub fn name_by(number: u32, fd: i32) -> Result<Name> {
    let mut name = Name { bytes: [0; 110], len: 0 };
    let mut len = 110u32;
    sys(number, [fd as usize, name.bytes.as_mut_ptr() as usize, (&raw mut len) as usize])?;
    name = core::hint::black_box(name);
    name.len = core::hint::black_box(len) as usize;
    Ok(name)
}

pub fn own_name(fd: i32) -> Result<Name> {
    name_by(g::__NR_getsockname, fd)
}

pub fn option(fd: i32, level: usize, name: u32) -> Result<i32> {
    let (mut value, mut len) = (0i32, 4u32);
    let (at, len) = ((&raw mut value) as usize, (&raw mut len) as usize);
    sys(g::__NR_getsockopt, [fd as usize, level, name as usize, at, len])?;
    Ok(core::hint::black_box(value))
}

pub fn set_option(fd: i32, level: usize, name: u32, value: i32) -> Result<usize> {
    let mut value = value;
    sys(g::__NR_setsockopt, [fd as usize, level, name as usize, (&raw mut value) as usize, 4])
}

pub fn polled(fd: i32) -> Result<u64> {
    const ALL: u64 = 0x27ff;
    let mut entry = u64::from(fd.cast_unsigned()) | ALL << 32;
    let mut now = [0u64; 2];
    sys(g::__NR_ppoll, [(&raw mut entry) as usize, 1, now.as_mut_ptr() as usize, 0, 8])?;
    Ok(core::hint::black_box(entry) >> 48)
}

fn sockets_are_made() -> Outcome {
    let make = |domain: i32, kind: u32, protocol: i32| {
        sys(g::__NR_socket, [domain as usize, kind as usize, protocol as usize])
    };
    check_error!(make(99, 1, 0), EAFNOSUPPORT);
    check_error!(make(-1, 1, 0), EAFNOSUPPORT);
    check_error!(make(1, 1, 5), EPROTONOSUPPORT);
    check_error!(make(1, 7, 0), ESOCKTNOSUPPORT);
    check_error!(make(1, 11, 0), EINVAL);
    check_error!(make(2, 1, 17), EPROTONOSUPPORT);
    check_error!(make(2, 5, 0), ESOCKTNOSUPPORT);
    let mut ends = [0i32; 2];
    check_error!(sys(g::__NR_socketpair, [INET, STREAM, 0, ends.as_mut_ptr() as usize]), EOPNOTSUPP);
    let (read, _) = os::pipe(0)?;
    check_error!(listen(read, 1), ENOTSOCK);
    check_error!(send(read, b"x", 0), ENOTSOCK);
    check_error!(listen(999, 1), EBADF);
    let closed = socket(UNIX, STREAM | g::O_CLOEXEC as usize | NONBLOCK)?;
    check_eq!(sys(g::__NR_fcntl, [closed as usize, g::F_GETFD as usize])?, 1);
    check_eq!(sys(g::__NR_fcntl, [closed as usize, g::F_GETFL as usize])? & NONBLOCK, NONBLOCK);
    Ok(())
}

fn pairs_carry_bytes() -> Outcome {
    let (a, b) = pair(STREAM)?;
    check_eq!(os::write(a, b"demand")?, 6);
    check_eq!(send(a, b" paging", 0)?, 7);
    let mut bytes = [0; 32];
    check_eq!(os::read(b, &mut bytes[..4])?, 4);
    check_eq!(receive(b, &mut bytes[4..], 0)?, 9);
    check_eq!(&bytes[..13], b"demand paging");
    check_eq!(os::write(b, b"back")?, 4);
    check_eq!(os::read(a, &mut bytes)?, 4);
    check_error!(receive(a, &mut bytes, DONTWAIT), EAGAIN);
    check_error!(os::lseek(a, 0, g::SEEK_CUR), ESPIPE);
    check_eq!(os::write(a, b"")?, 0);
    Ok(())
}

fn pairs_end() -> Outcome {
    let (a, b) = pair(STREAM)?;
    os::write(b, b"last")?;
    os::close(b)?;
    let mut bytes = [0; 8];
    check_eq!(os::read(a, &mut bytes)?, 4);
    check_eq!(os::read(a, &mut bytes)?, 0);
    check_error!(send(a, b"x", n::MSG_NOSIGNAL as usize), EPIPE);
    let ended = os::in_child(|| {
        let _ = os::write(a, b"x");
        1
    });
    check_eq!(ended, Ok(Status::Signaled(g::SIGPIPE)));
    // What was not read resets the other end.
    let (a, b) = pair(STREAM)?;
    os::write(a, b"unread")?;
    os::close(b)?;
    check_error!(send(a, b"x", n::MSG_NOSIGNAL as usize), EPIPE);
    check_error!(os::read(a, &mut bytes), ECONNRESET);
    check_eq!(os::read(a, &mut bytes)?, 0);
    Ok(())
}

fn pairs_are_full() -> Outcome {
    let (a, b) = pair(STREAM | NONBLOCK)?;
    let mut sent = 0;
    while let Ok(count) = os::write(a, &[7; 4096]) {
        sent += count;
        check!(sent < 1 << 24);
    }
    check!(sent > 32 << 10);
    check_error!(os::write(a, &[7; 4096]), EAGAIN);
    let mut got = 0;
    let mut block = [0; 4096];
    while let Ok(count) = os::read(b, &mut block) {
        check!(block[..count].iter().all(|&byte| byte == 7));
        got += count;
    }
    check_eq!(got, sent);
    check_eq!(os::write(a, b"x")?, 1);
    Ok(())
}

fn pairs_wait() -> Outcome {
    const TOTAL: usize = 1 << 20;
    let (a, b) = pair(STREAM)?;
    let pid = os::fork()?;
    if pid == 0 {
        os::close(b)?;
        let mut sent = 0;
        while sent < TOTAL {
            let block: [u8; 3000] = core::array::from_fn(|index| ((sent + index) % 251) as u8);
            sent += os::write(a, &block[..(TOTAL - sent).min(3000)])?;
        }
        os::exit(0);
    }
    os::close(a)?;
    let (mut got, mut block) = (0, [0; 4096]);
    loop {
        let count = os::read(b, &mut block)?;
        if count == 0 {
            break;
        }
        check!(block[..count].iter().enumerate().all(|(index, &byte)| byte == ((got + index) % 251) as u8));
        got += count;
    }
    check_eq!(got, TOTAL);
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    // All that was asked for, or nothing before the end.
    let (a, b) = pair(STREAM)?;
    let pid = os::fork()?;
    if pid == 0 {
        for part in [&b"one"[..], b"two", b"three"] {
            os::write(a, part)?;
            os::sched_yield();
        }
        os::exit(0);
    }
    os::close(a)?;
    check_eq!(receive(b, &mut block[..8], n::MSG_WAITALL as usize)?, 8);
    check_eq!(receive(b, &mut block, n::MSG_WAITALL as usize)?, 3);
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    Ok(())
}

fn packets_keep_their_limits() -> Outcome {
    let (a, b) = pair(SEQPACKET)?;
    for part in [&b"one"[..], b"three", b"two"] {
        check_eq!(os::write(a, part)?, part.len());
    }
    let mut bytes = [0; 16];
    check_eq!(os::read(b, &mut bytes)?, 3);
    // What does not fit is gone.
    check_eq!(os::read(b, &mut bytes[..2])?, 2);
    check_eq!(receive(b, &mut bytes[..1], n::MSG_TRUNC as usize)?, 3);
    os::close(a)?;
    check_eq!(os::read(b, &mut bytes)?, 0);
    check_error!(send(b, b"x", n::MSG_NOSIGNAL as usize), EPIPE);
    let alone = socket(UNIX, SEQPACKET)?;
    check_error!(send(alone, b"x", 0), ENOTCONN);
    check_error!(receive(alone, &mut bytes, 0), ENOTCONN);
    Ok(())
}

fn datagrams_of_a_pair() -> Outcome {
    let (a, b) = pair(DGRAM)?;
    send(a, b"one", 0)?;
    send(a, b"", 0)?;
    let mut bytes = [0; 8];
    check_eq!(receive(b, &mut bytes, 0)?, 3);
    check_eq!(receive(b, &mut bytes, 0)?, 0);
    check_error!(receive(b, &mut bytes, DONTWAIT), EAGAIN);
    static MUCH: [u8; 1 << 20] = [0; 1 << 20];
    check_error!(send(a, &MUCH, 0), EMSGSIZE);
    os::close(b)?;
    check_error!(send(a, b"x", 0), ECONNREFUSED);
    check_error!(send(a, b"x", 0), ENOTCONN);
    Ok(())
}

const PATH: &CStr = c"/tmp/vmtests.socket";

fn socket_paths() -> Outcome {
    let _ = unlink(PATH);
    let name = unix(PATH.to_bytes());
    let server = socket(UNIX, STREAM)?;
    check_error!(listen(server, 1), EINVAL);
    check_error!(connect(socket(UNIX, STREAM)?, name), ENOENT);
    check_error!(bind(server, unix(b"/no/such/folder")), ENOENT);
    check_error!(bind(server, inet(HOME, 0)), EINVAL);
    bind(server, name)?;
    check_error!(bind(server, unix(b"/tmp/vmtests.other")), EINVAL);
    check_error!(bind(socket(UNIX, STREAM)?, name), EADDRINUSE);
    check_eq!(own_name(server)?.len, name.len + 1);
    check_eq!(&own_name(server)?.bytes[2..name.len], PATH.to_bytes());
    // The file is there, and cannot be opened.
    check_error!(os::open(PATH, g::O_RDWR, 0), ENXIO);
    let mut stat = [0u32; 32];
    let at = (g::AT_FDCWD as isize).cast_unsigned();
    sys(g::__NR_newfstatat, [at, PATH.as_ptr() as usize, stat.as_mut_ptr() as usize, 0])?;
    check_eq!(core::hint::black_box(stat)[4] & 0o170_000, 0o140_000);
    check_error!(connect(socket(UNIX, STREAM)?, name), ECONNREFUSED);
    listen(server, 1)?;
    check_error!(connect(socket(UNIX, DGRAM)?, name), EPROTOTYPE);
    let client = socket(UNIX, STREAM)?;
    connect(client, name)?;
    check_error!(connect(client, name), EISCONN);
    check_eq!(name_by(g::__NR_getpeername, client)?.len, name.len + 1);
    // Without its name it goes on.
    unlink(PATH)?;
    check_error!(connect(socket(UNIX, STREAM)?, name), ENOENT);
    os::write(client, b"hello")?;
    let other = accept(server)?;
    check_eq!(os::read(other, &mut [0; 8])?, 5);
    check_eq!(name_by(g::__NR_getpeername, other)?.len, 2);
    check_error!(connect(socket(UNIX, STREAM)?, unix(b"/etc")), ECONNREFUSED);
    Ok(())
}

fn abstract_names() -> Outcome {
    let name = unix(b"\0vmtests\0name");
    let server = socket(UNIX, DGRAM)?;
    bind(server, name)?;
    check_error!(bind(socket(UNIX, DGRAM)?, name), EADDRINUSE);
    // Each kind of sockets has its own.
    let stream = socket(UNIX, STREAM)?;
    check_error!(connect(stream, name), ECONNREFUSED);
    bind(stream, name)?;
    os::close(stream)?;
    check_eq!(own_name(server)?.len, name.len);
    let client = socket(UNIX, DGRAM)?;
    // A name of the kernel's choice.
    bind(client, Name { len: 2, ..unix(b"") })?;
    let chosen = own_name(client)?;
    check_eq!((chosen.len, chosen.bytes[2]), (8, 0));
    let to = |fd: i32, name: &Name| {
        sys(
            g::__NR_sendto,
            [fd as usize, c"hey".as_ptr() as usize, 3, 0, name.bytes.as_ptr() as usize, name.len],
        )
    };
    check_eq!(to(client, &name)?, 3);
    let mut from = Name { bytes: [0; 110], len: 110 };
    let mut bytes = [0u8; 8];
    let (at, len) = (from.bytes.as_mut_ptr() as usize, (&raw mut from.len) as usize);
    check_eq!(sys(g::__NR_recvfrom, [server as usize, bytes.as_mut_ptr() as usize, 8, 0, at, len])?, 3);
    let from = core::hint::black_box(from);
    check_eq!((from.len, &from.bytes[2..8]), (8, &chosen.bytes[2..8]));
    check_error!(to(client, &unix(b"\0nobody")), ECONNREFUSED);
    check_error!(to(client, &unix(b"/tmp/no/body")), ENOENT);
    // Who has a peer hears that one only.
    connect(server, chosen)?;
    check_error!(to(socket(UNIX, DGRAM)?, &name), EPERM);
    os::close(server)?;
    bind(socket(UNIX, DGRAM)?, name)?;
    Ok(())
}

fn strangers_are_limited() -> Outcome {
    let name = unix(b"\0vmtests.limited");
    let server = socket(UNIX, DGRAM)?;
    bind(server, name)?;
    let client = socket(UNIX, DGRAM | NONBLOCK)?;
    connect(client, name)?;
    let mut count = 0;
    while send(client, b"x", 0).is_ok() {
        count += 1;
        check!(count < 2000);
    }
    check_error!(send(client, b"x", 0), EAGAIN);
    check_eq!(polled(client)? & 4, 0);
    receive(server, &mut [0; 4], 0)?;
    check_eq!(polled(client)? & 4, 4);
    send(client, b"x", 0)?;
    // One that waits is woken.
    sys(g::__NR_fcntl, [client as usize, g::F_SETFL as usize, 0])?;
    let pid = os::fork()?;
    if pid == 0 {
        send(client, b"late", 0)?;
        os::exit(0);
    }
    (0..10).for_each(|_| os::sched_yield());
    receive(server, &mut [0; 4], 0)?;
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    Ok(())
}

fn connections_are_accepted() -> Outcome {
    let name = unix(b"\0vmtests.listener");
    let server = socket(UNIX, STREAM)?;
    check_error!(accept(server), EINVAL);
    bind(server, name)?;
    listen(server, 0)?;
    check_error!(sys(g::__NR_accept4, [server as usize, 0, 0, 1]), EINVAL);
    check_error!(accept(socket(UNIX, DGRAM)?), EOPNOTSUPP);
    check_error!(listen(socket(UNIX, DGRAM)?, 1), EOPNOTSUPP);
    let first = socket(UNIX, STREAM)?;
    connect(first, name)?;
    check_eq!(polled(server)?, 0x41);
    // One may wait; the next one waits outside.
    check_error!(connect(socket(UNIX, STREAM | NONBLOCK)?, name), EAGAIN);
    let pid = os::fork()?;
    if pid == 0 {
        let second = socket(UNIX, STREAM)?;
        connect(second, name)?;
        os::write(second, b"second")?;
        os::exit(0);
    }
    (0..10).for_each(|_| os::sched_yield());
    let one = accept(server)?;
    os::write(first, b"first")?;
    check_eq!(os::read(one, &mut [0; 16])?, 5);
    let two = accept(server)?;
    check_eq!(os::read(two, &mut [0; 16])?, 6);
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    // accept(2) waits, too.
    let pid = os::fork()?;
    if pid == 0 {
        (0..10).for_each(|_| os::sched_yield());
        connect(socket(UNIX, STREAM)?, name)?;
        os::exit(0);
    }
    accept(server)?;
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    let mut all = socket(UNIX, STREAM | NONBLOCK)?;
    bind(all, unix(b"\0vmtests.second"))?;
    listen(all, 5)?;
    check_error!(accept(all), EAGAIN);
    all = socket(UNIX, STREAM)?;
    connect(all, name)?;
    os::close(server)?;
    check_error!(os::read(all, &mut [0; 1]), ECONNRESET);
    Ok(())
}

fn connections_are_refused() -> Outcome {
    let one = socket(UNIX, STREAM)?;
    check_error!(receive(one, &mut [0; 1], 0), EINVAL);
    check_error!(send(one, b"x", 0), ENOTCONN);
    check_error!(name_by(g::__NR_getpeername, one).map(drop), ENOTCONN);
    check_error!(connect(one, unix(b"\0nobody at all")), ECONNREFUSED);
    check_error!(connect(one, Name { len: 2, ..unix(b"") }), EINVAL);
    check_error!(connect(one, Name { len: 1, ..unix(b"") }), EINVAL);
    check_error!(connect(one, inet(HOME, 1)), EINVAL);
    check_eq!(shutdown(one, 2)?, 0);
    check_error!(shutdown(one, 3), EINVAL);
    let tcp = socket(INET, STREAM)?;
    check_error!(connect(tcp, inet(HOME, 1)), ECONNREFUSED);
    check_error!(connect(tcp, unix(b"/x").call_len(16)), EAFNOSUPPORT);
    check_error!(connect(tcp, Name { len: 8, ..inet(HOME, 1) }), EINVAL);
    let fresh = socket(INET, STREAM)?;
    check_error!(shutdown(fresh, 2), ENOTCONN);
    check_eq!(receive(fresh, &mut [0; 1], 0)?, 0);
    let fresh = socket(INET, STREAM)?;
    check_error!(receive(fresh, &mut [0; 1], 0), ENOTCONN);
    check_error!(send(fresh, b"x", n::MSG_NOSIGNAL as usize), EPIPE);
    check_error!(accept(fresh), EINVAL);
    Ok(())
}

impl Name {
    fn call_len(self, len: usize) -> Name {
        Name { len, ..self }
    }
}

fn who_is_there() -> Outcome {
    let (a, _) = pair(STREAM)?;
    let (mut who, mut len) = ([0u32; 3], 12u32);
    let (at, len) = (who.as_mut_ptr() as usize, (&raw mut len) as usize);
    sys(g::__NR_getsockopt, [a as usize, SOL_SOCKET, n::SO_PEERCRED as usize, at, len])?;
    check_eq!(core::hint::black_box(who)[0], os::getpid().cast_unsigned());
    let name = unix(b"\0vmtests.who");
    let server = socket(UNIX, STREAM)?;
    bind(server, name)?;
    listen(server, 1)?;
    let pid = os::fork()?;
    if pid == 0 {
        connect(socket(UNIX, STREAM)?, name)?;
        os::exit(0);
    }
    let one = accept(server)?;
    sys(g::__NR_getsockopt, [one as usize, SOL_SOCKET, n::SO_PEERCRED as usize, at, len])?;
    check_eq!(core::hint::black_box(who)[0], pid.cast_unsigned());
    os::wait(pid)?;
    Ok(())
}

fn bytes_are_peeked_at() -> Outcome {
    for kind in [STREAM, DGRAM] {
        let (a, b) = pair(kind)?;
        os::write(a, b"peek")?;
        let mut bytes = [0; 8];
        check_eq!(receive(b, &mut bytes, n::MSG_PEEK as usize)?, 4);
        let mut count = 0u32;
        sys(g::__NR_ioctl, [b as usize, rt::abi::ioctl::FIONREAD as usize, (&raw mut count) as usize])?;
        check_eq!(core::hint::black_box(count), 4);
        check_eq!(receive(b, &mut bytes, 0)?, 4);
        check_eq!(&bytes[..4], b"peek");
        check_error!(receive(b, &mut bytes, DONTWAIT), EAGAIN);
        // A place that cannot be written to loses nothing of a stream.
        if kind == STREAM {
            os::write(a, b"kept")?;
            check_error!(sys(g::__NR_read, [b as usize, 8, 4]), EFAULT);
            check_eq!(os::read(b, &mut bytes)?, 4);
        }
    }
    Ok(())
}

fn halves_are_shut() -> Outcome {
    let (a, b) = pair(STREAM)?;
    shutdown(a, 1)?;
    check_eq!(os::read(b, &mut [0; 1])?, 0);
    check_error!(send(a, b"x", n::MSG_NOSIGNAL as usize), EPIPE);
    os::write(b, b"still")?;
    check_eq!(os::read(a, &mut [0; 8])?, 5);
    shutdown(a, 0)?;
    check_error!(send(b, b"x", n::MSG_NOSIGNAL as usize), EPIPE);
    // A reader that waits is woken.
    let (a, b) = pair(STREAM)?;
    let pid = os::fork()?;
    if pid == 0 {
        os::exit(os::read(b, &mut [0; 1])? as i32);
    }
    (0..10).for_each(|_| os::sched_yield());
    shutdown(a, 1)?;
    check_eq!(os::wait(pid)?.1, Status::Exited(0));
    Ok(())
}

fn sockets_are_polled() -> Outcome {
    check_eq!(polled(socket(UNIX, STREAM)?)?, 0x314);
    check_eq!(polled(socket(UNIX, DGRAM)?)?, 0x304);
    check_eq!(polled(socket(INET, STREAM)?)?, 0x114);
    check_eq!(polled(socket(INET, DGRAM)?)?, 0x304);
    let (a, b) = pair(STREAM)?;
    check_eq!(polled(a)?, 0x304);
    os::write(b, b"x")?;
    check_eq!(polled(a)?, 0x345);
    os::read(a, &mut [0; 1])?;
    shutdown(b, 1)?;
    check_eq!(polled(a)?, 0x2345);
    os::close(b)?;
    check_eq!(polled(a)?, 0x2355);
    Ok(())
}

fn times_to_wait() -> Outcome {
    let (a, b) = pair(STREAM)?;
    let mut time = [0u64, 20_000];
    let set = |fd: i32, name: u32, time: &mut [u64; 2]| {
        sys(g::__NR_setsockopt, [fd as usize, SOL_SOCKET, name as usize, time.as_mut_ptr() as usize, 16])
    };
    set(a, n::SO_RCVTIMEO, &mut time)?;
    set(b, n::SO_SNDTIMEO, &mut time)?;
    let start = os::monotonic_ns()?;
    check_error!(os::read(a, &mut [0; 1]), EAGAIN);
    check!(os::monotonic_ns()? - start >= 20_000_000);
    let mut last = os::write(b, &[0; 4096]);
    for _ in 0..1000 {
        if last.is_err() {
            break;
        }
        last = os::write(b, &[0; 4096]);
    }
    check_error!(last, EAGAIN);
    check_error!(set(a, n::SO_RCVTIMEO, &mut [0, 1_000_000]), EDOM);
    Ok(())
}

fn options_are_kept() -> Outcome {
    let (a, _) = pair(SEQPACKET)?;
    check_eq!(option(a, SOL_SOCKET, n::SO_TYPE)?, 5);
    check_eq!(option(a, SOL_SOCKET, n::SO_DOMAIN)?, 1);
    check_eq!(option(a, SOL_SOCKET, n::SO_PROTOCOL)?, 0);
    check_eq!(option(a, SOL_SOCKET, n::SO_ERROR)?, 0);
    check_eq!(option(a, SOL_SOCKET, n::SO_ACCEPTCONN)?, 0);
    set_option(a, SOL_SOCKET, n::SO_SNDBUF, 10_000)?;
    check_eq!(option(a, SOL_SOCKET, n::SO_SNDBUF)?, 20_000);
    set_option(a, SOL_SOCKET, n::SO_RCVBUF, 1)?;
    check_eq!(option(a, SOL_SOCKET, n::SO_RCVBUF)?, 2304);
    check_error!(option(a, SOL_SOCKET, 9999), ENOPROTOOPT);
    check_error!(option(a, 6, 1), EOPNOTSUPP);
    let tcp = socket(INET, STREAM)?;
    for (level, name) in [(SOL_SOCKET, n::SO_REUSEADDR), (SOL_SOCKET, n::SO_KEEPALIVE), (6, 1)] {
        check_eq!(option(tcp, level, name)?, 0);
        set_option(tcp, level, name, 1)?;
        check_eq!(option(tcp, level, name)?, 1);
    }
    check_eq!(option(tcp, SOL_SOCKET, n::SO_PROTOCOL)?, 6);
    check_error!(set_option(tcp, 41, 26, 1), ENOPROTOOPT);
    let (at, value) = (8, n::SO_TYPE as usize);
    check_error!(sys(g::__NR_getsockopt, [tcp as usize, SOL_SOCKET, value, at, at]), EFAULT);
    check_error!(sys(g::__NR_setsockopt, [tcp as usize, SOL_SOCKET, value, at, 4]), EFAULT);
    check_error!(set_option(tcp, SOL_SOCKET, n::SO_TYPE, 1), ENOPROTOOPT);
    Ok(())
}

fn sockets_are_files() -> Outcome {
    let (a, b) = pair(STREAM)?;
    let mut stat = [0u32; 32];
    sys(g::__NR_fstat, [a as usize, stat.as_mut_ptr() as usize])?;
    check_eq!(core::hint::black_box(stat)[4], 0o140_777);
    check_error!(sys(g::__NR_ftruncate, [a as usize, 0]), EINVAL);
    check_error!(sys(g::__NR_fsync, [a as usize]), EINVAL);
    let parts: [&[u8]; 2] = [b"de", b"mand"];
    let vector = parts.map(|part| [part.as_ptr() as usize, part.len()]);
    check_eq!(sys(g::__NR_writev, [a as usize, vector.as_ptr() as usize, 2])?, 6);
    let (mut one, mut two) = ([0u8; 3], [0u8; 8]);
    let vector = [[one.as_mut_ptr() as usize, 3], [two.as_mut_ptr() as usize, 8]];
    check_eq!(sys(g::__NR_readv, [b as usize, vector.as_ptr() as usize, 2])?, 6);
    check_eq!((core::hint::black_box(&one), &core::hint::black_box(&two)[..3]), (b"dem", &b"and"[..]));
    let file = crate::memory::temporary(c"/tmp/vmtests.sent", b"by sendfile")?;
    os::lseek(file, 3, g::SEEK_SET)?;
    check_eq!(sys(g::__NR_sendfile, [a as usize, file as usize, 0, 100])?, 8);
    check_eq!(os::read(b, &mut two)?, 8);
    unlink(c"/tmp/vmtests.sent")?;
    let mut link = [0u8; 32];
    let mut path = *b"/proc/self/fd/0\0";
    path[14] = b'0' + a as u8;
    let at = (g::AT_FDCWD as isize).cast_unsigned();
    let len = sys(g::__NR_readlinkat, [at, path.as_ptr() as usize, link.as_mut_ptr() as usize, 32])?;
    check!(core::hint::black_box(&link)[..len].starts_with(b"socket:["));
    Ok(())
}

fn socket_signals() -> Outcome {
    let (a, _b) = pair(STREAM)?;
    check_error!(crate::timers::cut_short(|| os::read(a, &mut [0; 1])), EINTR);
    let name = unix(b"\0vmtests.signals");
    let server = socket(UNIX, STREAM)?;
    bind(server, name)?;
    listen(server, 1)?;
    check_error!(crate::timers::cut_short(|| accept(server).map(|fd| fd as usize)), EINTR);
    Ok(())
}

/// Not for what they answer, but for that they answer, and leave nothing behind. The numbers are the same in every run.
fn sockets_at_random() -> Outcome {
    const FIRST: usize = 3;
    const LAST: usize = 40;
    let mut state = 0x2545_f491_4f6c_dd1du64;
    let mut next = move |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % limit
    };
    let mut buffer = [0u8; 5000];
    for _ in 0..30_000 {
        let (fd, other) = (FIRST + next(LAST - FIRST), FIRST + next(LAST - FIRST));
        let name = match next(5) {
            0 => inet(HOME, 40_000 + next(3) as u16),
            1 => inet6(1, 40_000 + next(3) as u16),
            2 => unix(b"\0vmtests.random"),
            3 => unix(b"\0vmtests.other"),
            _ => Name { bytes: [0; 110], len: 16 },
        };
        let at = name.bytes.as_ptr() as usize;
        let (kind, domain) = ([STREAM, DGRAM, SEQPACKET][next(3)], [UNIX, INET, INET6][next(3)]);
        let (bytes, len) = (buffer.as_mut_ptr() as usize, next(buffer.len()));
        let mut pair = [0i32; 2];
        let mut event = [[1usize, 1 << 31 | 5, 1 << 30 | 1, 1 << 28 | 1][next(4)] as u64, 7];
        let event = event.as_mut_ptr() as usize;
        let rights = [20u64, 1 << 32 | 1, other as u64];
        let vector = [bytes, len];
        let control = [rights.as_ptr() as usize, 20];
        let message = [0, 0, vector.as_ptr() as usize, 1, control[0], control[1], 0];
        let mut room = [0u64; 8];
        let received = [0, 0, vector.as_ptr() as usize, 1, room.as_mut_ptr() as usize, 64, 0];
        let flags = [DONTWAIT, DONTWAIT | n::MSG_PEEK as usize, DONTWAIT | n::MSG_TRUNC as usize][next(3)];
        let quiet = DONTWAIT | n::MSG_NOSIGNAL as usize;
        let _ = match next(18) {
            0 | 1 => sys(g::__NR_socket, [domain, kind | NONBLOCK, 0]),
            2 => sys(g::__NR_socketpair, [UNIX, kind | NONBLOCK, 0, pair.as_mut_ptr() as usize]),
            3 | 4 => sys(g::__NR_bind, [fd, at, name.len]),
            5 => sys(g::__NR_listen, [fd, next(3)]),
            6 => sys(g::__NR_connect, [fd, at, name.len]),
            7 => sys(g::__NR_accept4, [fd, 0, 0, NONBLOCK]),
            8 => sys(g::__NR_sendto, [fd, bytes, len, quiet, 0, 0]),
            9 => sys(g::__NR_sendto, [fd, bytes, len % 600, quiet, at, name.len]),
            10 | 11 => sys(g::__NR_recvfrom, [fd, bytes, len, flags, 0, 0]),
            12 => sys(g::__NR_sendmsg, [fd, message.as_ptr() as usize, quiet]),
            13 => sys(g::__NR_recvmsg, [fd, received.as_ptr() as usize, flags]),
            14 => sys(g::__NR_shutdown, [fd, next(3)]),
            15 => sys(g::__NR_epoll_ctl, [fd, 1 + next(3), other, event]),
            16 => match next(4) {
                0 => sys(g::__NR_epoll_create1, [0]),
                1 => sys(g::__NR_eventfd2, [1, NONBLOCK]),
                2 => sys(g::__NR_epoll_pwait, [fd, room.as_mut_ptr() as usize, 4, 0, 0, 8]),
                _ => sys(g::__NR_setsockopt, [fd, SOL_SOCKET, next(48), event, 8]),
            },
            _ => sys(g::__NR_close, [fd]),
        };
        // Not more than there are places for.
        for extra in LAST..LAST + 3 {
            let _ = os::close(extra as i32);
        }
    }
    (FIRST..LAST).for_each(|fd| _ = os::close(fd as i32));
    check_eq!(socket(UNIX, STREAM)?, FIRST as i32);
    Ok(())
}
