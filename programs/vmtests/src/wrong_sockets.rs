//! What the calls of sockets refuse, one by one.

use core::ffi::CStr;

use rt::abi::errno;
use rt::abi::general as g;
use rt::abi::net as n;
use rt::{Result, os};

use crate::check::{Outcome, each_is_refused};
use crate::exec::unlink;
use crate::raw::sys;
use crate::sockets::{
    DGRAM, DONTWAIT, HOME, INET, NONBLOCK, Name, SEQPACKET, SOL_SOCKET, STREAM, UNIX, bind, inet, listen,
    pair, socket, unix,
};
use crate::users::as_user;
use crate::{check_eq, check_error, tests};

tests! {
    sockets_that_cannot_be, names_that_cannot_be_bound, connections_that_cannot_be, sockets_that_do_not_listen,
    messages_that_cannot_be_sent, messages_that_cannot_be_received, @Kernel times_to_receive_that_are_none, options_that_are_none, addresses_without_room,
    @Kernel sockets_of_others, @Kernel ports_that_are_not_free, connections_told_nowhere, @Kernel addresses_elsewhere,
}

/// Where nothing is.
const BAD: usize = 8;
const CWD: usize = (g::AT_FDCWD as isize).cast_unsigned();
const FOLDER: &CStr = c"/tmp/vmtests.folder";

fn made(domain: usize, kind: usize) -> Result<usize> {
    socket(domain, kind).map(|fd| fd as usize)
}

fn at(name: &Name) -> usize {
    name.bytes.as_ptr() as usize
}

fn sockets_that_cannot_be() -> Outcome {
    let mut ends = [0u32; 2];
    let ends = ends.as_mut_ptr() as usize;
    each_is_refused(&[
        (g::__NR_socket, &[99, STREAM], errno::EAFNOSUPPORT),
        (g::__NR_socket, &[UNIX, 77], errno::EINVAL),
        (g::__NR_socket, &[UNIX, STREAM, 77], errno::EPROTONOSUPPORT),
        (g::__NR_socket, &[INET, STREAM, 77], errno::EPROTONOSUPPORT),
        (g::__NR_socketpair, &[99, STREAM, 0, ends], errno::EAFNOSUPPORT),
        (g::__NR_socketpair, &[UNIX, 77, 0, ends], errno::EINVAL),
        (g::__NR_socketpair, &[UNIX, STREAM, 77, ends], errno::EPROTONOSUPPORT),
        (g::__NR_socketpair, &[INET, STREAM, 0, ends], errno::EOPNOTSUPP),
        (g::__NR_socketpair, &[UNIX, STREAM, 0, BAD], errno::EFAULT),
    ])
}

fn names_that_cannot_be_bound() -> Outcome {
    os::close(crate::memory::temporary(c"/tmp/vmtests.file", b"")?)?;
    let _ = unlink(c"/tmp/vmtests.loop");
    let around = c"/tmp/vmtests.loop".as_ptr() as usize;
    sys(g::__NR_symlinkat, [around, CWD, around])?;
    for (path, expected) in [
        (&b"/tmp/vmtests.none/x"[..], errno::ENOENT),
        (b"/tmp/vmtests.file/x", errno::ENOTDIR),
        (b"/tmp/vmtests.loop/x", errno::ELOOP),
        (b"/tmp/vmtests.file", errno::EADDRINUSE),
        (b"/tmp", errno::EADDRINUSE),
    ] {
        let name = unix(path);
        each_is_refused(&[(g::__NR_bind, &[made(UNIX, STREAM)?, at(&name), name.len], expected)])?;
    }
    for (path, expected) in [
        (&b"/tmp/vmtests.none/x"[..], errno::ENOENT),
        (b"/tmp/vmtests.file/x", errno::ENOTDIR),
        (b"/tmp/vmtests.loop", errno::ELOOP),
        (b"/tmp/vmtests.file", errno::ECONNREFUSED),
        (b"\0vmtests.nobody", errno::ECONNREFUSED),
    ] {
        let name = unix(path);
        each_is_refused(&[
            (g::__NR_connect, &[made(UNIX, STREAM)?, at(&name), name.len], expected),
            (g::__NR_connect, &[made(UNIX, DGRAM)?, at(&name), name.len], expected),
            (g::__NR_sendto, &[made(UNIX, DGRAM)?, at(&name), 1, 0, at(&name), name.len], expected),
        ])?;
    }
    let name = unix(b"\0vmtests.name");
    let (local, internet) = (made(UNIX, STREAM)?, made(INET, STREAM)?);
    let home = inet(HOME, 0);
    each_is_refused(&[
        (g::__NR_bind, &[local, at(&name), 1], errno::EINVAL),
        (g::__NR_bind, &[local, at(&name), 111], errno::EINVAL),
        (g::__NR_bind, &[local, at(&name), usize::MAX], errno::EINVAL),
        (g::__NR_bind, &[internet, at(&home), 8], errno::EINVAL),
        (g::__NR_bind, &[internet, at(&name), 16], errno::EAFNOSUPPORT),
        (g::__NR_bind, &[local, BAD, 16], errno::EFAULT),
        (g::__NR_bind, &[internet, at(&inet(0x0808_0808, 0)), 16], errno::EADDRNOTAVAIL),
    ])?;
    sys(g::__NR_bind, [local, at(&name), name.len])?;
    each_is_refused(&[
        (g::__NR_bind, &[local, at(&name), name.len], errno::EINVAL),
        (g::__NR_bind, &[made(UNIX, STREAM)?, at(&name), name.len], errno::EADDRINUSE),
    ])?;
    unlink(c"/tmp/vmtests.loop")?;
    unlink(c"/tmp/vmtests.file")?;
    Ok(())
}

fn connections_that_cannot_be() -> Outcome {
    let _ = unlink(c"/tmp/vmtests.socket");
    let name = unix(b"/tmp/vmtests.socket");
    let server = socket(UNIX, STREAM)?;
    bind(server, name)?;
    let server = server as usize;
    let client = made(UNIX, STREAM)?;
    let (mut room, mut enough) = ([0u64; 16], [16u32]);
    let (room, enough) = (room.as_mut_ptr() as usize, enough.as_mut_ptr() as usize);
    each_is_refused(&[
        // Nobody listens yet.
        (g::__NR_connect, &[client, at(&name), name.len], errno::ECONNREFUSED),
        (g::__NR_connect, &[client, BAD, name.len], errno::EFAULT),
        (g::__NR_connect, &[client, at(&name), 1], errno::EINVAL),
        (g::__NR_connect, &[client, at(&name), 111], errno::EINVAL),
        (g::__NR_connect, &[client, at(&inet(HOME, 1)), 16], errno::EINVAL),
        (g::__NR_connect, &[made(INET, STREAM)?, at(&name), 16], errno::EAFNOSUPPORT),
        (g::__NR_connect, &[made(INET, STREAM)?, at(&inet(HOME, 1)), 16], errno::ECONNREFUSED),
        (g::__NR_connect, &[made(INET, STREAM)?, at(&inet(HOME, 1)), 8], errno::EINVAL),
        (g::__NR_getpeername, &[client, room, enough], errno::ENOTCONN),
        (g::__NR_shutdown, &[made(INET, STREAM)?, 0], errno::ENOTCONN),
        (g::__NR_shutdown, &[client, 77], errno::EINVAL),
    ])?;
    listen(server as i32, 1)?;
    each_is_refused(&[
        (g::__NR_connect, &[made(UNIX, DGRAM)?, at(&name), name.len], errno::EPROTOTYPE),
        (g::__NR_connect, &[made(UNIX, SEQPACKET)?, at(&name), name.len], errno::EPROTOTYPE),
    ])?;
    sys(g::__NR_connect, [client, at(&name), name.len])?;
    each_is_refused(&[
        (g::__NR_connect, &[client, at(&name), name.len], errno::EISCONN),
        (g::__NR_connect, &[server, at(&name), name.len], errno::EINVAL),
        (g::__NR_listen, &[client, 1], errno::EINVAL),
        (g::__NR_sendto, &[client, at(&name), 1, 0, at(&name), name.len], errno::EISCONN),
    ])?;
    // Two that wait to be accepted have all the room.
    sys(g::__NR_connect, [made(UNIX, STREAM)?, at(&name), name.len])?;
    each_is_refused(&[(
        g::__NR_connect,
        &[made(UNIX, STREAM | NONBLOCK)?, at(&name), name.len],
        errno::EAGAIN,
    )])?;
    unlink(c"/tmp/vmtests.socket")?;
    Ok(())
}

fn sockets_that_do_not_listen() -> Outcome {
    let name = unix(b"\0vmtests.server");
    let server = socket(UNIX, STREAM | NONBLOCK)?;
    bind(server, name)?;
    let server = server as usize;
    let (one, _other) = pair(STREAM)?;
    for call in [g::__NR_accept, g::__NR_accept4] {
        each_is_refused(&[
            (call, &[server, 0, 0], errno::EINVAL),
            (call, &[made(INET, STREAM)?, 0, 0], errno::EINVAL),
            (call, &[one as usize, 0, 0], errno::EINVAL),
            (call, &[made(UNIX, DGRAM)?, 0, 0], errno::EOPNOTSUPP),
            (call, &[made(INET, DGRAM)?, 0, 0], errno::EOPNOTSUPP),
        ])?;
    }
    each_is_refused(&[
        (g::__NR_listen, &[made(UNIX, DGRAM)?, 1], errno::EOPNOTSUPP),
        (g::__NR_listen, &[made(INET, DGRAM)?, 1], errno::EOPNOTSUPP),
        (g::__NR_listen, &[made(UNIX, STREAM)?, 1], errno::EINVAL),
    ])?;
    listen(server as i32, 1)?;
    each_is_refused(&[
        (g::__NR_accept, &[server, 0, 0], errno::EAGAIN),
        (g::__NR_accept4, &[server, 0, 0, 0], errno::EAGAIN),
        (g::__NR_accept4, &[server, 0, 0, 1], errno::EINVAL),
    ])
}

/// `struct msghdr` and what it names, and a length behind it.
struct Message {
    words: [usize; 8],
    vector: [usize; 2],
    bytes: [u8; 16],
}

impl Message {
    const fn new() -> Self {
        Self { words: [0; 8], vector: [0; 2], bytes: [0; 16] }
    }

    /// Its address; it is to `name`, which may be empty.
    fn to(&mut self, name: usize, len: usize) -> usize {
        let bytes = self.bytes.as_mut_ptr() as usize;
        self.made(name, len, bytes, 1)
    }
    /// The same, to nobody, of so many vectors, the first of which says where its bytes are.
    fn of(&mut self, bytes: usize, vectors: usize) -> usize {
        self.made(0, 0, bytes, vectors)
    }
    fn made(&mut self, name: usize, len: usize, bytes: usize, vectors: usize) -> usize {
        self.vector = [bytes, self.bytes.len()];
        self.words = [name, len, self.vector.as_mut_ptr() as usize, vectors, 0, 0, 0, 0];
        self.words.as_mut_ptr() as usize
    }
}

fn messages_that_cannot_be_sent() -> Outcome {
    let nobody = unix(b"\0vmtests.nobody");
    let (one, other) = pair(STREAM)?;
    let (packets, _twin) = pair(SEQPACKET)?;
    let (stream, packets) = (one as usize, packets as usize);
    let [alone, unbound, internet] = [(UNIX, STREAM), (UNIX, DGRAM), (INET, STREAM)]
        .map(|(domain, kind)| made(domain, kind).unwrap_or(usize::MAX));
    let mut message = Message::new();
    let plain = message.to(0, 0);
    let mut addressed = Message::new();
    let addressed = addressed.to(at(&nobody), nobody.len);
    let (mut many, mut torn) = (Message::new(), Message::new());
    let (many, torn) = (many.of(BAD, 1025), torn.of(BAD, 1));
    let quiet = n::MSG_NOSIGNAL as usize;
    let urgent = n::MSG_OOB as usize;
    let huge = crate::memory::map(100, crate::memory::READ_WRITE)?;
    let bytes = at(&nobody);
    each_is_refused(&[
        (g::__NR_sendto, &[alone, bytes, 1, quiet], errno::ENOTCONN),
        (g::__NR_sendmsg, &[alone, plain, quiet], errno::ENOTCONN),
        (g::__NR_sendto, &[internet, bytes, 1, quiet], errno::EPIPE),
        (g::__NR_sendmsg, &[internet, plain, quiet], errno::EPIPE),
        (g::__NR_sendto, &[unbound, bytes, 1], errno::ENOTCONN),
        (g::__NR_sendto, &[made(INET, DGRAM)?, bytes, 1], errno::EDESTADDRREQ),
        (g::__NR_sendmsg, &[made(INET, DGRAM)?, plain], errno::EDESTADDRREQ),
        (g::__NR_write, &[made(INET, DGRAM)?, bytes, 1], errno::EDESTADDRREQ),
        (g::__NR_sendmsg, &[unbound, addressed], errno::ECONNREFUSED),
        (g::__NR_sendmsg, &[stream, addressed], errno::EISCONN),
        (g::__NR_sendto, &[stream, BAD, 1], errno::EFAULT),
        (g::__NR_sendto, &[unbound, bytes, 1, 0, BAD, 16], errno::EFAULT),
        (g::__NR_sendmsg, &[stream, BAD], errno::EFAULT),
        (g::__NR_sendmsg, &[stream, torn], errno::EFAULT),
        (g::__NR_sendmsg, &[stream, many], errno::EMSGSIZE),
        (g::__NR_sendto, &[packets, huge, 409_600], errno::EMSGSIZE),
        (g::__NR_sendto, &[packets, bytes, 1, urgent], errno::EOPNOTSUPP),
        (g::__NR_sendmsg, &[packets, plain, urgent], errno::EOPNOTSUPP),
        (g::__NR_sendto, &[made(INET, DGRAM)?, huge, 70_000, 0, at(&inet(HOME, 9)), 16], errno::EMSGSIZE),
        (g::__NR_sendto, &[unbound, bytes, 1, 0, at(&nobody), 1], errno::EINVAL),
    ])?;
    os::close(other)?;
    each_is_refused(&[
        (g::__NR_sendto, &[stream, bytes, 1, quiet], errno::EPIPE),
        (g::__NR_sendmsg, &[stream, plain, quiet], errno::EPIPE),
        (g::__NR_sendmmsg, &[stream, plain, 1, quiet], errno::EPIPE),
    ])?;
    // A full one that does not wait.
    let (full, _reader) = pair(STREAM)?;
    while sys(g::__NR_sendto, [full as usize, huge, 4096, DONTWAIT, 0, 0]).is_ok() {}
    each_is_refused(&[
        (g::__NR_sendto, &[full as usize, huge, 4096, DONTWAIT], errno::EAGAIN),
        (g::__NR_sendmsg, &[full as usize, plain, DONTWAIT], errno::EAGAIN),
    ])
}

fn messages_that_cannot_be_received() -> Outcome {
    let (one, other) = pair(STREAM)?;
    let stream = one as usize;
    let mut message = Message::new();
    let plain = message.to(0, 0);
    let mut many = Message::new();
    let many = many.of(BAD, 1025);
    let mut bytes = [0u64; 2];
    let bytes = bytes.as_mut_ptr() as usize;
    let out_of_band = n::MSG_OOB as usize;
    each_is_refused(&[
        (g::__NR_recvfrom, &[stream, bytes, 1, DONTWAIT], errno::EAGAIN),
        (g::__NR_recvmsg, &[stream, plain, DONTWAIT], errno::EAGAIN),
        (g::__NR_recvmmsg, &[stream, plain, 1, DONTWAIT], errno::EAGAIN),
        (g::__NR_recvmsg, &[stream, many, DONTWAIT], errno::EMSGSIZE),
        (g::__NR_recvmsg, &[stream, BAD, DONTWAIT], errno::EFAULT),
        (g::__NR_recvfrom, &[made(UNIX, STREAM)?, bytes, 1], errno::EINVAL),
        (g::__NR_recvfrom, &[made(INET, STREAM)?, bytes, 1], errno::ENOTCONN),
        (g::__NR_recvmsg, &[made(INET, STREAM)?, plain], errno::ENOTCONN),
        (g::__NR_recvfrom, &[made(UNIX, DGRAM)?, bytes, 1, out_of_band], errno::EOPNOTSUPP),
    ])?;
    os::write(other, b"byte")?;
    check_error!(sys(g::__NR_recvfrom, [stream, BAD, 1, 0]), EFAULT);
    check_eq!(sys(g::__NR_recvfrom, [stream, bytes, 4, 0]), Ok(4));
    Ok(())
}

/// As Linux' manual says; qemu-riscv64 7.2 does not look at the time.
fn times_to_receive_that_are_none() -> Outcome {
    let (one, _other) = pair(STREAM)?;
    let mut message = Message::new();
    let message = message.to(0, 0);
    for wrong in [[0u64, 1_000_000_000], [u64::MAX, 0]] {
        let waits = [one as usize, message, 1, DONTWAIT, wrong.as_ptr() as usize];
        each_is_refused(&[(g::__NR_recvmmsg, &waits, errno::EINVAL)])?;
    }
    Ok(())
}

fn options_that_are_none() -> Outcome {
    let local = made(UNIX, STREAM)?;
    let value = [1u32; 4];
    let value = value.as_ptr() as usize;
    let mut four = [4u32];
    let four = four.as_mut_ptr() as usize;
    let mut less = [u32::MAX];
    let less = less.as_mut_ptr() as usize;
    let reuse = n::SO_REUSEADDR as usize;
    each_is_refused(&[
        (g::__NR_setsockopt, &[local, SOL_SOCKET, 9999, value, 4], errno::ENOPROTOOPT),
        (g::__NR_getsockopt, &[local, SOL_SOCKET, 9999, value, four], errno::ENOPROTOOPT),
        (g::__NR_setsockopt, &[local, SOL_SOCKET, reuse, value, 3], errno::EINVAL),
        (g::__NR_setsockopt, &[local, SOL_SOCKET, reuse, BAD, 4], errno::EFAULT),
        (g::__NR_getsockopt, &[local, SOL_SOCKET, reuse, BAD, four], errno::EFAULT),
        (g::__NR_getsockopt, &[local, SOL_SOCKET, reuse, value, BAD], errno::EFAULT),
        (g::__NR_getsockopt, &[local, SOL_SOCKET, reuse, value, less], errno::EINVAL),
    ])
}

/// Where an address is to be told.
fn addresses_without_room() -> Outcome {
    let (one, _other) = pair(STREAM)?;
    let socket = one as usize;
    let mut room = [0u64; 16];
    let room = room.as_mut_ptr() as usize;
    let (mut less, mut enough) = ([u32::MAX], [16u32]);
    let (less, enough) = (less.as_mut_ptr() as usize, enough.as_mut_ptr() as usize);
    for call in [g::__NR_getsockname, g::__NR_getpeername] {
        each_is_refused(&[
            (call, &[socket, room, less], errno::EINVAL),
            (call, &[socket, room, BAD], errno::EFAULT),
            (call, &[socket, BAD, enough], errno::EFAULT),
        ])?;
    }
    Ok(())
}

fn sockets_of_others() -> Outcome {
    let (name, inside) = (unix(b"/tmp/vmtests.socket"), unix(b"/tmp/vmtests.folder/socket"));
    let _ = unlink(c"/tmp/vmtests.socket");
    sys(g::__NR_mkdirat, [CWD, FOLDER.as_ptr() as usize, 0o700])?;
    let server = socket(UNIX, STREAM)?;
    let letters = socket(UNIX, DGRAM)?;
    bind(server, name)?;
    listen(server, 5)?;
    sys(g::__NR_fchmodat, [CWD, c"/tmp/vmtests.socket".as_ptr() as usize, 0o600])?;
    bind(letters, unix(b"/tmp/vmtests.letters"))?;
    sys(g::__NR_fchmodat, [CWD, c"/tmp/vmtests.letters".as_ptr() as usize, 0o600])?;
    let letters_name = unix(b"/tmp/vmtests.letters");
    let (client, sender) = (made(UNIX, STREAM)?, made(UNIX, DGRAM)?);
    let mut message = Message::new();
    let message = message.to(at(&letters_name), letters_name.len);
    let rows: [(u32, [usize; 6]); 5] = [
        (g::__NR_bind, [client, at(&inside), inside.len, 0, 0, 0]),
        (g::__NR_connect, [client, at(&name), name.len, 0, 0, 0]),
        (g::__NR_connect, [client, at(&inside), inside.len, 0, 0, 0]),
        (g::__NR_sendto, [sender, at(&name), 1, 0, at(&letters_name), letters_name.len]),
        (g::__NR_sendmsg, [sender, message, 0, 0, 0, 0]),
    ];
    for (row, (number, arguments)) in rows.into_iter().enumerate() {
        check_eq!((row, as_user(|| sys(number, arguments))?), (row, errno::EACCES));
    }
    unlink(c"/tmp/vmtests.letters")?;
    unlink(c"/tmp/vmtests.socket")?;
    sys(g::__NR_unlinkat, [CWD, FOLDER.as_ptr() as usize, g::AT_REMOVEDIR as usize])?;
    Ok(())
}

/// Ports that only administrators bind, and one that another socket listens at.
fn ports_that_are_not_free() -> Outcome {
    let on = [1u32];
    let listener = || -> Result<usize> {
        let socket = made(INET, STREAM)?;
        sys(g::__NR_setsockopt, [socket, SOL_SOCKET, n::SO_REUSEADDR as usize, on.as_ptr() as usize, 4])?;
        bind(socket as i32, inet(HOME, 45_454))?;
        Ok(socket)
    };
    let (first, second) = (listener()?, listener()?);
    listen(first as i32, 1)?;
    let name = inet(HOME, 45_454);
    each_is_refused(&[
        (g::__NR_listen, &[second, 1], errno::EADDRINUSE),
        (g::__NR_bind, &[made(INET, STREAM)?, at(&name), 16], errno::EADDRINUSE),
    ])?;
    let known = inet(HOME, 80);
    let mine = made(INET, STREAM)?;
    check_eq!(as_user(|| sys(g::__NR_bind, [mine, at(&known), 16]))?, errno::EACCES);
    Ok(())
}

/// Where who connects is to be told.
fn connections_told_nowhere() -> Outcome {
    let server = socket(UNIX, STREAM)?;
    let name = unix(b"\0vmtests.told");
    bind(server, name)?;
    listen(server, 5)?;
    let mut enough = [16u32];
    let enough = enough.as_mut_ptr() as usize;
    for call in [g::__NR_accept, g::__NR_accept4] {
        let client = made(UNIX, STREAM)?;
        let mine = unix(b"\0vmtests.client");
        bind(client as i32, mine)?;
        sys(g::__NR_connect, [client, at(&name), name.len])?;
        each_is_refused(&[(call, &[server as usize, BAD, enough], errno::EFAULT)])?;
        sys(g::__NR_close, [client])?;
    }
    Ok(())
}

/// Folio's network ends at the loopback interface; so does that of a Linux whose only interface this is.
fn addresses_elsewhere() -> Outcome {
    let away = inet(0x0a01_0203, 9);
    let (stream, datagrams) = (made(INET, STREAM)?, made(INET, DGRAM)?);
    each_is_refused(&[
        (g::__NR_connect, &[stream, at(&away), 16], errno::ENETUNREACH),
        (g::__NR_connect, &[datagrams, at(&away), 16], errno::ENETUNREACH),
        (g::__NR_sendto, &[datagrams, at(&away), 1, 0, at(&away), 16], errno::ENETUNREACH),
    ])
}
