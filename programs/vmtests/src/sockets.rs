//! Sockets: pairs, names, connections of AF_UNIX and over loopback, what goes along with messages, and every error on the way.

use core::ffi::CStr;

use rt::Result;
use rt::abi::general as g;
use rt::abi::net as n;
use rt::os::{self, Status};

use crate::check::Outcome;
use crate::exec::unlink;
use crate::raw::{Action, on_signal, sys};
use crate::{check, check_eq, check_error, tests};

tests! {
    sockets_are_made, pairs_carry_bytes, pairs_end, pairs_are_full, pairs_wait, packets_keep_their_limits, datagrams_of_a_pair,
    socket_paths, abstract_names, strangers_are_limited, connections_are_accepted, connections_are_refused, who_is_there,
    descriptors_are_passed, @Kernel descriptors_find_no_room, descriptors_in_circles, senders_are_told, bytes_are_peeked_at, halves_are_shut,
    sockets_are_polled, times_to_wait, options_are_kept, @Kernel messages_by_the_dozen, tcp_on_loopback, tcp_without_waiting, tcp_resets, ports_are_taken,
    udp_on_loopback, other_addresses, sockets_are_files, @Kernel socket_signals,
}

const UNIX: usize = n::AF_UNIX as usize;
const INET: usize = n::AF_INET as usize;
const INET6: usize = n::AF_INET6 as usize;
const STREAM: usize = 1;
const DGRAM: usize = 2;
const SEQPACKET: usize = 5;
const NONBLOCK: usize = g::O_NONBLOCK as usize;
const DONTWAIT: usize = n::MSG_DONTWAIT as usize;
/// `linux/socket.h`; not in linux-raw-sys.
const MSG_WAITFORONE: usize = 0x1_0000;
const SOL_SOCKET: usize = 1;
const HOME: u32 = 0x7f00_0001;

fn socket(domain: usize, kind: usize) -> Result<i32> {
    Ok(sys(g::__NR_socket, [domain, kind, 0])? as i32)
}

fn pair(kind: usize) -> Result<(i32, i32)> {
    let mut ends = [0i32; 2];
    sys(g::__NR_socketpair, [UNIX, kind, 0, ends.as_mut_ptr() as usize])?;
    let ends = core::hint::black_box(ends);
    Ok((ends[0], ends[1]))
}

fn send(fd: i32, bytes: &[u8], flags: usize) -> Result<usize> {
    sys(g::__NR_sendto, [fd as usize, bytes.as_ptr() as usize, bytes.len(), flags, 0, 0])
}

fn receive(fd: i32, into: &mut [u8], flags: usize) -> Result<usize> {
    let count = sys(g::__NR_recvfrom, [fd as usize, into.as_mut_ptr() as usize, into.len(), flags, 0, 0]);
    core::hint::black_box(into);
    count
}

/// An address as the calls take it.
#[derive(Clone, Copy)]
struct Name {
    bytes: [u8; 110],
    len: usize,
}

fn unix(path: &[u8]) -> Name {
    let mut name = Name { bytes: [0; 110], len: 2 + path.len() };
    name.bytes[0] = n::AF_UNIX as u8;
    name.bytes[2..2 + path.len()].copy_from_slice(path);
    name
}

fn inet(ip: u32, port: u16) -> Name {
    let mut name = Name { bytes: [0; 110], len: 16 };
    name.bytes[0] = n::AF_INET as u8;
    name.bytes[2..4].copy_from_slice(&port.to_be_bytes());
    name.bytes[4..8].copy_from_slice(&ip.to_be_bytes());
    name
}

fn inet6(last: u8, port: u16) -> Name {
    let mut name = Name { bytes: [0; 110], len: 28 };
    name.bytes[0] = n::AF_INET6 as u8;
    name.bytes[2..4].copy_from_slice(&port.to_be_bytes());
    name.bytes[23] = last;
    name
}

impl Name {
    fn port(&self) -> u16 {
        u16::from_be_bytes([self.bytes[2], self.bytes[3]])
    }
    fn call(&self, number: u32, fd: i32) -> Result<usize> {
        sys(number, [fd as usize, self.bytes.as_ptr() as usize, self.len])
    }
}

fn bind(fd: i32, name: Name) -> Result<usize> {
    name.call(g::__NR_bind, fd)
}

fn connect(fd: i32, name: Name) -> Result<usize> {
    name.call(g::__NR_connect, fd)
}

fn listen(fd: i32, backlog: usize) -> Result<usize> {
    sys(g::__NR_listen, [fd as usize, backlog])
}

fn accept(fd: i32) -> Result<i32> {
    Ok(sys(g::__NR_accept4, [fd as usize, 0, 0, 0])? as i32)
}

fn shutdown(fd: i32, how: usize) -> Result<usize> {
    sys(g::__NR_shutdown, [fd as usize, how])
}

fn name_by(number: u32, fd: i32) -> Result<Name> {
    let mut name = Name { bytes: [0; 110], len: 0 };
    let mut len = 110u32;
    sys(number, [fd as usize, name.bytes.as_mut_ptr() as usize, (&raw mut len) as usize])?;
    name = core::hint::black_box(name);
    name.len = core::hint::black_box(len) as usize;
    Ok(name)
}

fn own_name(fd: i32) -> Result<Name> {
    name_by(g::__NR_getsockname, fd)
}

fn option(fd: i32, level: usize, name: u32) -> Result<i32> {
    let (mut value, mut len) = (0i32, 4u32);
    let (at, len) = ((&raw mut value) as usize, (&raw mut len) as usize);
    sys(g::__NR_getsockopt, [fd as usize, level, name as usize, at, len])?;
    Ok(core::hint::black_box(value))
}

fn set_option(fd: i32, level: usize, name: u32, value: i32) -> Result<usize> {
    let mut value = value;
    sys(g::__NR_setsockopt, [fd as usize, level, name as usize, (&raw mut value) as usize, 4])
}

fn polled(fd: i32) -> Result<u64> {
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

/// A message with room for what comes along.
#[repr(C)]
struct Envelope {
    header: [usize; 7],
    vector: [usize; 2],
    bytes: [u8; 16],
    control: [u32; 32],
}

impl Envelope {
    fn new(len: usize, control_bytes: usize) -> Self {
        let mut this = Self { header: [0; 7], vector: [0; 2], bytes: *b"with descriptors", control: [0; 32] };
        this.vector[1] = len;
        this.header[5] = control_bytes;
        this
    }
    fn call(&mut self, number: u32, fd: i32, flags: usize) -> Result<usize> {
        self.vector[0] = self.bytes.as_mut_ptr() as usize;
        self.header[2] = self.vector.as_mut_ptr() as usize;
        self.header[3] = 1;
        self.header[4] = self.control.as_mut_ptr() as usize;
        let at = self.header.as_mut_ptr() as usize;
        let result = sys(number, [fd as usize, at, flags]);
        core::hint::black_box(self);
        result
    }
    fn put(&mut self, kind: u32, words: &[u32]) {
        let len = 16 + 4 * words.len();
        self.control[..4].copy_from_slice(&[len as u32, 0, SOL_SOCKET as u32, kind]);
        self.control[4..4 + words.len()].copy_from_slice(words);
        self.header[5] = len.next_multiple_of(8);
    }
    fn flags(&self) -> u32 {
        self.header[6] as u32
    }
}

const RIGHTS: u32 = 1;
const CREDENTIALS: u32 = 2;

fn pass(over: i32, descriptors: &[i32]) -> Result<usize> {
    let mut message = Envelope::new(1, 0);
    let words: [u32; 8] = core::array::from_fn(|i| descriptors.get(i).map_or(0, |fd| fd.cast_unsigned()));
    message.put(RIGHTS, &words[..descriptors.len()]);
    message.call(g::__NR_sendmsg, over, 0)
}

fn descriptors_are_passed() -> Outcome {
    for kind in [STREAM, DGRAM, SEQPACKET] {
        let (a, b) = pair(kind)?;
        let (read, write) = os::pipe(0)?;
        check_error!(pass(a, &[999]), EBADF);
        check_eq!(pass(a, &[write])?, 1);
        os::close(write)?;
        let mut message = Envelope::new(16, 64);
        check_eq!(message.call(g::__NR_recvmsg, b, n::MSG_CMSG_CLOEXEC as usize)?, 1);
        check_eq!((message.header[5], message.control[0], message.control[3]), (24, 20, RIGHTS));
        check_eq!(message.flags() & n::MSG_CTRUNC, 0);
        let passed = message.control[4] as i32;
        check_eq!(sys(g::__NR_fcntl, [passed as usize, g::F_GETFD as usize])?, 1);
        os::write(passed, b"through")?;
        check_eq!(os::read(read, &mut [0; 8])?, 7);
        // The last one is gone with the queue that it is in.
        pass(a, &[passed])?;
        os::close(passed)?;
        os::close(b)?;
        os::close(a)?;
        check_eq!(os::read(read, &mut [0; 8])?, 0);
        os::close(read)?;
    }
    // Bytes before the descriptors come with them, bytes behind them do not.
    let (a, b) = pair(STREAM)?;
    os::write(a, b"before")?;
    pass(a, &[a])?;
    os::write(a, b"behind")?;
    let mut message = Envelope::new(16, 64);
    check_eq!(message.call(g::__NR_recvmsg, b, 0)?, 7);
    check_eq!(os::read(b, &mut [0; 16])?, 6);
    Ok(())
}

fn descriptors_find_no_room() -> Outcome {
    let (a, b) = pair(STREAM)?;
    let (read, write) = os::pipe(0)?;
    pass(a, &[write, write, write])?;
    os::close(write)?;
    let mut message = Envelope::new(16, 24);
    check_eq!(message.call(g::__NR_recvmsg, b, 0)?, 1);
    check!(message.flags() & n::MSG_CTRUNC != 0);
    let count = (message.control[0] as usize - 16) / 4;
    check!((1..3).contains(&count));
    for place in 0..count {
        os::close(message.control[4 + place] as i32)?;
    }
    check_eq!(os::read(read, &mut [0; 1])?, 0);
    // Who does not ask for them does not get them.
    let (read, write) = os::pipe(0)?;
    pass(a, &[write])?;
    os::close(write)?;
    check_eq!(os::read(b, &mut [0; 16])?, 1);
    check_eq!(os::read(read, &mut [0; 1])?, 0);
    let mut message = Envelope::new(1, 0);
    message.put(77, &[1]);
    check_error!(message.call(g::__NR_sendmsg, a, 0), EINVAL);
    message.put(RIGHTS, &[1]);
    message.control[0] = 9;
    check_error!(message.call(g::__NR_sendmsg, a, 0), EINVAL);
    Ok(())
}

fn descriptors_in_circles() -> Outcome {
    // Each is on its way in the other's queue: nobody can reach them, and the pipe in them is closed.
    let (read, write) = os::pipe(0)?;
    for _ in 0..20 {
        let (a, b) = pair(STREAM)?;
        pass(a, &[a, write])?;
        pass(b, &[b])?;
        os::close(a)?;
        os::close(b)?;
    }
    os::close(write)?;
    // Linux collects them at another time: a look at it begins that.
    pair(STREAM)?;
    check_eq!(os::read(read, &mut [0; 1])?, 0);
    Ok(())
}

fn senders_are_told() -> Outcome {
    let (a, b) = pair(DGRAM)?;
    set_option(b, SOL_SOCKET, n::SO_PASSCRED, 1)?;
    let pid = os::fork()?;
    if pid == 0 {
        os::write(a, b"x")?;
        os::exit(0);
    }
    os::wait(pid)?;
    let mut message = Envelope::new(16, 64);
    check_eq!(message.call(g::__NR_recvmsg, b, 0)?, 1);
    check_eq!((message.control[0], message.control[3]), (28, CREDENTIALS));
    check_eq!(message.control[4], pid.cast_unsigned());
    let mut message = Envelope::new(1, 0);
    message.put(CREDENTIALS, &[os::getpid().cast_unsigned(), message.control[5], message.control[6]]);
    let _ = message.call(g::__NR_sendmsg, a, 0)?;
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

fn messages_by_the_dozen() -> Outcome {
    let (a, b) = pair(DGRAM)?;
    let parts: [&[u8]; 3] = [b"a", b"bc", b"def"];
    let mut vectors: [[usize; 2]; 3] = core::array::from_fn(|i| [parts[i].as_ptr() as usize, parts[i].len()]);
    let start = vectors.as_mut_ptr() as usize;
    let mut messages: [[usize; 8]; 4] = core::array::from_fn(|i| [0, 0, start + 16 * (i % 3), 1, 0, 0, 0, 0]);
    let at = messages.as_mut_ptr() as usize;
    check_eq!(sys(g::__NR_sendmmsg, [a as usize, at, 3, 0])?, 3);
    check_eq!(core::hint::black_box(&messages)[2][7], 3);
    let mut buffers = [[0u8; 8]; 4];
    let mut vectors: [[usize; 2]; 4] = core::array::from_fn(|i| [buffers[i].as_mut_ptr() as usize, 8]);
    let start = vectors.as_mut_ptr() as usize;
    for (index, message) in messages.iter_mut().enumerate() {
        *message = [0, 0, start + 16 * index, 1, 0, 0, 0, 0];
    }
    let at = messages.as_mut_ptr() as usize;
    check_eq!(sys(g::__NR_recvmmsg, [b as usize, at, 4, MSG_WAITFORONE, 0])?, 3);
    check_eq!(&core::hint::black_box(buffers)[2][..3], b"def");
    check_error!(sys(g::__NR_recvmmsg, [b as usize, at, 4, DONTWAIT, 0]), EAGAIN);
    Ok(())
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
