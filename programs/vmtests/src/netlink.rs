//! Asking the kernel of its network (netlink(7), rtnetlink(7)): what `getifaddrs`, `if_nameindex` and `ip` do.

use rt::abi::general as g;
use rt::abi::net as n;
use rt::{Result, abi::errno, os};

use crate::check::{Outcome, each_is_refused};
use crate::raw::sys;
use crate::sockets::{
    DGRAM, DONTWAIT, Name, SOL_SOCKET, STREAM, bind, connect, name_by, option, own_name, polled, receive,
    send, set_option, shutdown, socket,
};
use crate::{check, check_eq, check_error, tests};

tests! {
    the_interface_is_listed, one_interface_by_number_and_by_name, addresses_and_routes, @Kernel what_cannot_be_asked,
    names_of_netlink, processes_speak_by_netlink, @Kernel groups_of_netlink, @Kernel answers_that_nobody_reads, @Kernel wrong_netlink,
}

const NETLINK: usize = 16;
const RAW: usize = 3;
const SOL_NETLINK: usize = 270;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;
const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;
const LIST: u16 = 0x301;
const ONE: u16 = 1;
const BAD: usize = 8;

fn name(port: u32, groups: u32) -> Name {
    let mut name = Name { bytes: [0; 110], len: 12 };
    name.bytes[0] = NETLINK as u8;
    name.bytes[4..8].copy_from_slice(&port.to_ne_bytes());
    name.bytes[8..12].copy_from_slice(&groups.to_ne_bytes());
    name
}

fn port(name: &Name) -> u32 {
    word(&name.bytes, 4)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn half(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes([bytes[at], bytes[at + 1]])
}

/// Sends a request with the number 7.
fn ask(fd: i32, kind: u16, flags: u16, body: &[u8]) -> Result<usize> {
    let mut bytes = [0; 64];
    let len = 16 + body.len();
    bytes[..4].copy_from_slice(&(len as u32).to_ne_bytes());
    bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
    bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
    bytes[8] = 7;
    bytes[16..len].copy_from_slice(body);
    send(fd, &bytes[..len], 0)
}

/// The next answer.
#[derive(Debug)]
struct Answer {
    bytes: [u8; 4096],
    len: usize,
}

impl Answer {
    fn of(fd: i32) -> Result<Self> {
        let mut answer = Self { bytes: [0; 4096], len: 0 };
        answer.len = receive(fd, &mut answer.bytes, DONTWAIT)?;
        Ok(answer)
    }
    /// Where its messages of a kind begin.
    fn messages(&self, kind: u16) -> impl Iterator<Item = &[u8]> {
        let mut at = 0;
        core::iter::from_fn(move || {
            while at + 16 <= self.len {
                let start = at;
                let len = word(&self.bytes, at) as usize;
                at += len.next_multiple_of(4);
                if half(&self.bytes, start + 4) == kind {
                    return self.bytes.get(start..start + len);
                }
            }
            None
        })
    }
    fn is_end(&self) -> bool {
        self.messages(DONE).count() == 1
    }
    /// What an error is, as a positive number; 0 for none.
    fn code(&self) -> u32 {
        self.messages(ERROR).next().map_or(9999, |error| word(error, 16).wrapping_neg())
    }
}

/// An attribute's value, of a message whose own part has `own` bytes.
fn attribute(message: &[u8], own: usize, kind: u16) -> Option<&[u8]> {
    let mut at = 16 + own;
    while at + 4 <= message.len() {
        let len = half(message, at) as usize;
        if half(message, at + 2) & 0x3fff == kind {
            return message.get(at + 4..at + len);
        }
        at += len.max(4).next_multiple_of(4);
    }
    None
}

/// The number of `lo`, its kind, that it is up; its name, its MTU.
fn is_loopback(link: &[u8]) -> bool {
    half(link, 18) == 772
        && word(link, 20) == 1
        && word(link, 24) & 0x1_0049 == 0x1_0049
        && attribute(link, 16, 3) == Some(b"lo\0")
        && attribute(link, 16, 4).is_some_and(|mtu| word(mtu, 0) >= 65_535)
        && attribute(link, 16, 1) == Some(&[0; 6])
}

fn the_interface_is_listed() -> Outcome {
    let fd = socket(NETLINK, RAW)?;
    for body in [&[0; 16][..], &[0; 1]] {
        ask(fd, GET_LINK, LIST, body)?;
        let first = Answer::of(fd)?;
        check!(first.messages(NEW_LINK).any(is_loopback));
        // Each is of a list, and answers this request of this socket's.
        for link in first.messages(NEW_LINK) {
            check_eq!((half(link, 6) & 2, word(link, 8)), (2, 7));
            check_eq!(word(link, 12), port(&own_name(fd)?));
        }
        let mut is_over = first.is_end();
        while !is_over {
            is_over = Answer::of(fd)?.is_end();
        }
        check_error!(Answer::of(fd), EAGAIN);
    }
    Ok(())
}

fn one_interface_by_number_and_by_name() -> Outcome {
    let fd = socket(NETLINK, DGRAM)?;
    let by_number = |number: u8| [0, 0, 0, 0, number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let by_name = |name: &[u8; 4]| {
        let mut body = [0; 24];
        body[16..20].copy_from_slice(&[7, 0, 3, 0]);
        body[20..].copy_from_slice(name);
        body
    };
    for body in [&by_number(1)[..], &by_name(b"lo\0\0")] {
        ask(fd, GET_LINK, ONE, body)?;
        let answer = Answer::of(fd)?;
        check_eq!(answer.messages(NEW_LINK).filter(|link| is_loopback(link)).count(), 1);
        check!(!answer.is_end());
        check_error!(Answer::of(fd), EAGAIN);
    }
    for (body, code) in [
        (&by_number(200)[..], errno::ENODEV),
        (&by_name(b"no\0\0"), errno::ENODEV),
        (&by_number(0), errno::EINVAL),
        (&[0; 4], errno::EINVAL),
    ] {
        ask(fd, GET_LINK, ONE, body)?;
        check_eq!(Answer::of(fd)?.code(), code);
    }
    Ok(())
}

fn addresses_and_routes() -> Outcome {
    const INET: u8 = 2;
    const INET6: u8 = 10;
    let fd = socket(NETLINK, RAW)?;
    // The answer that begins with messages of this kind, and what follows thrown away.
    let list = |kind: u16, family: u8| -> Result<Answer> {
        ask(fd, kind, LIST, &[family, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
        let first = Answer::of(fd)?;
        while Answer::of(fd).is_ok() {}
        Ok(first)
    };
    let v4 = |address: &[u8]| attribute(address, 8, 2) == Some(&[127, 0, 0, 1]);
    let addresses = list(GET_ADDRESS, INET)?;
    let found = addresses.messages(NEW_ADDRESS).find(|address| v4(address));
    check!(found.is_some_and(|address| {
        address[16..18] == [INET, 8]
            && address[19] == 254
            && word(address, 20) == 1
            && attribute(address, 8, 3) == Some(b"lo\0")
    }));
    check!(addresses.messages(NEW_ADDRESS).all(|address| address[16] == INET));
    let home = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let addresses = list(GET_ADDRESS, INET6)?;
    check!(addresses.messages(NEW_ADDRESS).all(|address| address[16] == INET6));
    check!(addresses.messages(NEW_ADDRESS).any(|a| a[17] == 128 && attribute(a, 8, 1) == Some(&home)));
    check!(list(GET_ADDRESS, 0)?.messages(NEW_ADDRESS).any(v4));
    // To the network of lo, through lo, of the table of what is local.
    let routes = list(GET_ROUTE, INET)?;
    let found = routes
        .messages(NEW_ROUTE)
        .find(|route| route[17] == 8 && attribute(route, 12, 1) == Some(&[127, 0, 0, 0]));
    check!(found.is_some_and(|route| {
        route[20] == 255 && attribute(route, 12, 4).is_some_and(|index| word(index, 0) == 1)
    }));
    Ok(())
}

fn what_cannot_be_asked() -> Outcome {
    let fd = socket(NETLINK, RAW)?;
    // What is no request, and what nobody wants to hear of.
    ask(fd, GET_LINK, 0, &[0; 16])?;
    ask(fd, GET_LINK, ONE, &[])?;
    ask(fd, DONE, ONE, &[])?;
    send(fd, b"abc", 0)?;
    check_error!(Answer::of(fd), EAGAIN);
    // An acknowledgement, with the request's header alone; an error has all of it.
    ask(fd, GET_LINK, 4, &[0; 16])?;
    let answer = Answer::of(fd)?;
    check_eq!((answer.code(), answer.len, word(&answer.bytes, 20)), (0, 36, 32));
    ask(fd, 999, 5, &[9; 4])?;
    let answer = Answer::of(fd)?;
    check_eq!((answer.code(), answer.len), (errno::EOPNOTSUPP, 40));
    check_eq!(answer.bytes[36..40], [9; 4]);
    // Who may not change the network.
    sys(g::__NR_setresuid, [7, 7, 7])?;
    ask(fd, NEW_LINK, ONE, &[0; 16])?;
    check_eq!(Answer::of(fd)?.code(), errno::EPERM);
    check_error!(connect(fd, name(5, 0)), EPERM);
    connect(fd, name(0, 0))?;
    ask(fd, GET_LINK, LIST, &[0; 16])?;
    check_eq!(Answer::of(fd)?.messages(NEW_LINK).filter(|link| is_loopback(link)).count(), 1);
    Ok(())
}

fn names_of_netlink() -> Outcome {
    let [first, second, third] = [socket(NETLINK, RAW)?, socket(NETLINK, DGRAM)?, socket(NETLINK, RAW)?];
    check_eq!((option(first, SOL_SOCKET, n::SO_TYPE)?, option(second, SOL_SOCKET, n::SO_TYPE)?), (3, 2));
    check_eq!(
        (option(first, SOL_SOCKET, n::SO_DOMAIN)?, option(first, SOL_SOCKET, n::SO_PROTOCOL)?),
        (16, 0)
    );
    let nobody = name(0, 0);
    for by in [g::__NR_getsockname, g::__NR_getpeername] {
        let told = name_by(by, first)?;
        check_eq!((&told.bytes[..12], told.len), (&nobody.bytes[..12], 12));
    }
    bind(first, name(0, 0))?;
    check_eq!(port(&own_name(first)?), os::getpid() as u32);
    // Any other port, then; one of its own choice; never two.
    bind(second, name(0, 1))?;
    let other = own_name(second)?;
    check!(port(&other) != port(&own_name(first)?) && port(&other) != 0);
    check_eq!(word(&other.bytes, 8), 1);
    check_error!(bind(third, name(port(&other), 0)), EADDRINUSE);
    bind(third, name(77, 0))?;
    bind(third, name(77, 2))?;
    check_eq!(word(&own_name(third)?.bytes, 8), 2);
    check_error!(bind(third, name(78, 0)), EINVAL);
    check_error!(bind(third, name(0, 0)), EINVAL);
    os::close(third)?;
    bind(socket(NETLINK, RAW)?, name(77, 0))?;
    Ok(())
}

fn processes_speak_by_netlink() -> Outcome {
    let [one, other] = [socket(NETLINK, RAW)?, socket(NETLINK, RAW)?];
    bind(other, name(77, 0))?;
    connect(one, name(77, 0))?;
    let own = own_name(one)?;
    send(one, b"hello", 0)?;
    check_eq!(polled(other)? & 1, 1);
    let (mut bytes, mut from, mut len) = ([0u8; 8], name(0, 0), 12u32);
    let (at, from_at) = (bytes.as_mut_ptr() as usize, from.bytes.as_mut_ptr() as usize);
    let count = sys(g::__NR_recvfrom, [other as usize, at, 8, 0, from_at, (&raw mut len) as usize])?;
    check_eq!((count, core::hint::black_box(bytes)[..5] == *b"hello"), (5, true));
    check_eq!((port(&core::hint::black_box(from)), core::hint::black_box(len)), (port(&own), 12));
    // Who hears somebody else.
    connect(other, name(5, 0))?;
    check_error!(send(one, b"x", 0), ECONNREFUSED);
    os::close(other)?;
    check_error!(send(one, b"x", 0), ECONNREFUSED);
    Ok(())
}

fn groups_of_netlink() -> Outcome {
    const ADD: u32 = 1;
    const DROP: u32 = 2;
    let fd = socket(NETLINK, RAW)?;
    set_option(fd, SOL_NETLINK, ADD, 3)?;
    set_option(fd, SOL_NETLINK, ADD, 1)?;
    check_eq!(word(&own_name(fd)?.bytes, 8), 0b101);
    set_option(fd, SOL_NETLINK, DROP, 1)?;
    check_eq!(word(&own_name(fd)?.bytes, 8), 0b100);
    check_error!(set_option(fd, SOL_NETLINK, ADD, 0), EINVAL);
    check_error!(set_option(fd, SOL_NETLINK, ADD, 1000), EINVAL);
    // Whoever has a port hears what is sent to a group of its.
    bind(fd, name(0, 0b100))?;
    let other = socket(NETLINK, RAW)?;
    let (mut bytes, mut from, mut len) = ([0u8; 8], name(0, 0), 12u32);
    let to = name(0, 0b100);
    let sent = sys(
        g::__NR_sendto,
        [other as usize, c"all".as_ptr() as usize, 3, 0, to.bytes.as_ptr() as usize, to.len],
    )?;
    check_eq!(sent, 3);
    let (at, from_at) = (bytes.as_mut_ptr() as usize, from.bytes.as_mut_ptr() as usize);
    let count = sys(g::__NR_recvfrom, [fd as usize, at, 8, DONTWAIT, from_at, (&raw mut len) as usize])?;
    check_eq!((count, word(&core::hint::black_box(from).bytes, 8)), (3, 0b100));
    // What is only remembered: yes or no.
    for name in [3, 4, 5, 8, 10, 11, 12] {
        check_eq!(option(fd, SOL_NETLINK, name)?, 0);
        set_option(fd, SOL_NETLINK, name, 5)?;
        check_eq!(option(fd, SOL_NETLINK, name)?, 1);
    }
    check_error!(option(fd, SOL_NETLINK, ADD), ENOPROTOOPT);
    check_error!(option(fd, SOL_NETLINK, 99), ENOPROTOOPT);
    check_error!(set_option(fd, SOL_NETLINK, 99, 1), ENOPROTOOPT);
    check_error!(option(fd, 6, 1), ENOPROTOOPT);
    Ok(())
}

/// They are lost at some time, and that is told once.
fn answers_that_nobody_reads() -> Outcome {
    let fd = socket(NETLINK, RAW)?;
    let asked = (0..100_000).take_while(|_| ask(fd, GET_LINK, LIST, &[0; 16]).is_ok()).count();
    check!(asked > 100 && asked < 100_000);
    check!(Answer::of(fd)?.messages(NEW_LINK).any(is_loopback));
    while Answer::of(fd).is_ok() {}
    ask(fd, GET_LINK, LIST, &[0; 16])?;
    check!(Answer::of(fd)?.messages(NEW_LINK).any(is_loopback));
    Ok(())
}

fn wrong_netlink() -> Outcome {
    let fd = socket(NETLINK, RAW)?;
    let mut short = name(0, 0);
    short.len = 11;
    let mut other = name(0, 0);
    other.bytes[0] = 2;
    for bad in [short, other] {
        check_error!(bind(fd, bad), EINVAL);
        check_error!(connect(fd, bad), EINVAL);
    }
    check_error!(socket(NETLINK, STREAM), ESOCKTNOSUPPORT);
    check_error!(shutdown(fd, 0), EOPNOTSUPP);
    let mut ends = [0u32; 2];
    let fd = fd as usize;
    each_is_refused(&[
        (g::__NR_socket, &[NETLINK, RAW, 22], errno::EPROTONOSUPPORT),
        (g::__NR_socketpair, &[NETLINK, RAW, 0, ends.as_mut_ptr() as usize], errno::EOPNOTSUPP),
        (g::__NR_listen, &[fd, 1], errno::EOPNOTSUPP),
        (g::__NR_accept, &[fd, 0, 0], errno::EOPNOTSUPP),
        (g::__NR_bind, &[fd, BAD, 12], errno::EFAULT),
        (g::__NR_sendto, &[fd, BAD, 20, 0, 0, 0], errno::EFAULT),
        (g::__NR_sendto, &[fd, c"x".as_ptr() as usize, 1, n::MSG_OOB as usize, 0, 0], errno::EOPNOTSUPP),
        (g::__NR_recvfrom, &[fd, BAD, 20, n::MSG_OOB as usize, 0, 0], errno::EOPNOTSUPP),
        (g::__NR_recvfrom, &[fd, BAD, 20, DONTWAIT, 0, 0], errno::EAGAIN),
    ])
}
