//! What sockets are told and asked of TCP, of headers and of the one interface (tcp(7), ip(7), netdevice(7)).

use rt::abi::general as g;
use rt::abi::ioctl as request;
use rt::abi::net as n;
use rt::os;
use rt::{Result, abi::errno};

use crate::check::{Outcome, each_is_refused};
use crate::raw::sys;
use crate::sockets::{
    DGRAM, INET, SOL_SOCKET, STREAM, UNIX, bind, connect, inet, listen, own_name, pair, set_option, socket,
};
use crate::{check, check_eq, check_error, tests};

tests! {
    @Kernel the_interface_is_told, @Kernel queues_of_sockets, times_of_tcp, @Kernel names_of_congestion, @Kernel states_of_tcp, one_byte_is_enough_for_ip,
    @Kernel sockets_of_one_device, all_machines_at_once, nothing_is_there_at_once,
}

const TCP: usize = 6;
const IP: usize = 0;
const CONGESTION: usize = 13;
const INFO: usize = 11;
const BAD: usize = 8;

fn option(fd: i32, level: usize, name: usize, into: &mut [u8]) -> Result<usize> {
    let mut len = [into.len() as u32];
    let (bytes, room) = (into.as_mut_ptr() as usize, len.as_mut_ptr() as usize);
    sys(g::__NR_getsockopt, [fd as usize, level, name, bytes, room])?;
    Ok(core::hint::black_box(len)[0] as usize)
}

fn set(fd: i32, level: usize, name: usize, value: &[u8]) -> Result<usize> {
    sys(g::__NR_setsockopt, [fd as usize, level, name, value.as_ptr() as usize, value.len()])
}

/// `struct ifreq`.
fn asked(fd: i32, number: u32, name: &[u8], second: u32) -> Result<[u8; 40]> {
    let mut bytes = [0u8; 40];
    bytes[..name.len()].copy_from_slice(name);
    bytes[16..20].copy_from_slice(&second.to_ne_bytes());
    sys(g::__NR_ioctl, [fd as usize, number as usize, bytes.as_mut_ptr() as usize])?;
    Ok(core::hint::black_box(bytes))
}

fn word(bytes: &[u8; 40]) -> u32 {
    u32::from_ne_bytes([bytes[16], bytes[17], bytes[18], bytes[19]])
}

fn the_interface_is_told() -> Outcome {
    let (fd, local) = (socket(INET, DGRAM)?, socket(UNIX, STREAM)?);
    for fd in [fd, local] {
        check_eq!(word(&asked(fd, request::SIOCGIFINDEX, b"lo", 0)?), 1);
        check_eq!(asked(fd, request::SIOCGIFNAME, b"", 1)?[..3], *b"lo\0");
        check_eq!(word(&asked(fd, request::SIOCGIFFLAGS, b"lo", 0)?) & 0xffff, 0x49);
        check_eq!(word(&asked(fd, request::SIOCGIFMTU, b"lo", 0)?), 65_536);
        check_eq!(word(&asked(fd, request::SIOCGIFMETRIC, b"lo", 9)?), 0);
        check_eq!(word(&asked(fd, request::SIOCGIFTXQLEN, b"lo", 9)?), 1000);
        check_eq!(word(&asked(fd, request::SIOCGIFHWADDR, b"lo", 9)?) & 0xffff, 772);
        check_eq!(asked(fd, request::SIOCGIFMAP, b"lo", 9)?[16..], [0; 24]);
        check_error!(asked(fd, request::SIOCGIFNAME, b"", 7), ENODEV);
        check_error!(asked(fd, request::SIOCGIFINDEX, b"none", 0), ENODEV);
    }
    let name = asked(fd, request::SIOCGIFADDR, b"lo", 0)?;
    check_eq!(name[16..24], [2, 0, 0, 0, 127, 0, 0, 1]);
    check_eq!(asked(fd, request::SIOCGIFDSTADDR, b"lo", 0)?, name);
    check_eq!(asked(fd, request::SIOCGIFNETMASK, b"lo", 0)?[16..24], [2, 0, 0, 0, 255, 0, 0, 0]);
    check_eq!(asked(fd, request::SIOCGIFBRDADDR, b"lo", 0)?[16..24], [2, 0, 0, 0, 0, 0, 0, 0]);
    check_error!(asked(local, request::SIOCGIFADDR, b"lo", 0), ENOTTY);
    let mut all = [0u8; 80];
    let mut asks = [80usize, all.as_mut_ptr() as usize];
    let ask = |asks: &mut [usize; 2]| {
        let at = asks.as_mut_ptr() as usize;
        sys(g::__NR_ioctl, [fd as usize, request::SIOCGIFCONF as usize, at])
    };
    ask(&mut asks)?;
    check_eq!(core::hint::black_box(asks)[0] & 0xffff_ffff, 40);
    check_eq!(core::hint::black_box(all)[..3], *b"lo\0");
    check_eq!(all[16..24], [2, 0, 0, 0, 127, 0, 0, 1]);
    // How much room it takes; and too little.
    for (given, told) in [([0, 0], 40), ([39, all.as_ptr() as usize], 0)] {
        let mut asks = given;
        ask(&mut asks)?;
        check_eq!(core::hint::black_box(asks)[0] & 0xffff_ffff, told);
    }
    let fd = fd as usize;
    each_is_refused(&[
        (g::__NR_ioctl, &[fd, request::SIOCGIFINDEX as usize, BAD], errno::EFAULT),
        (g::__NR_ioctl, &[fd, request::SIOCGIFCONF as usize, BAD], errno::EFAULT),
        (g::__NR_ioctl, &[fd, 0x1234, 0], errno::ENOTTY),
    ])
}

/// Nothing waits to be sent, and nothing is urgent.
fn queues_of_sockets() -> Outcome {
    let number = |fd: i32, request: u32| -> Result<u32> {
        let mut told = [9u32];
        sys(g::__NR_ioctl, [fd as usize, request as usize, told.as_mut_ptr() as usize])?;
        Ok(core::hint::black_box(told)[0])
    };
    let (one, _other) = pair(STREAM)?;
    let stream = socket(INET, STREAM)?;
    let datagrams = socket(INET, DGRAM)?;
    for fd in [one, stream, datagrams] {
        check_eq!(number(fd, request::TIOCOUTQ)?, 0);
    }
    check_eq!(number(stream, request::SIOCATMARK)?, 0);
    check_error!(number(datagrams, request::SIOCATMARK), ENOTTY);
    listen(stream, 1)?;
    check_error!(number(stream, request::TIOCOUTQ), EINVAL);
    Ok(())
}

/// Times, counts and sizes that no connection has.
fn times_of_tcp() -> Outcome {
    let fd = socket(INET, STREAM)?;
    // TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_SYNCNT, TCP_USER_TIMEOUT.
    for (name, first, most) in
        [(4, 7200, 32_767), (5, 75, 32_767), (6, 9, 127), (7, 6, 127), (18, 0, i32::MAX)]
    {
        let mut bytes = [0; 4];
        check_eq!(option(fd, TCP, name, &mut bytes)?, 4);
        check_eq!(i32::from_ne_bytes(bytes), first);
        set(fd, TCP, name, &most.to_ne_bytes())?;
        option(fd, TCP, name, &mut bytes)?;
        check_eq!(i32::from_ne_bytes(bytes), most);
        check_error!(set(fd, TCP, name, &(-1i32).to_ne_bytes()), EINVAL);
        if most < i32::MAX {
            check_error!(set(fd, TCP, name, &(most + 1).to_ne_bytes()), EINVAL);
            check_error!(set(fd, TCP, name, &0i32.to_ne_bytes()), EINVAL);
        }
    }
    Ok(())
}

fn names_of_congestion() -> Outcome {
    let fd = socket(INET, STREAM)?;
    let mut name = [9u8; 20];
    check_error!(set(fd, TCP, CONGESTION, b"nothing of the kind"), ENOENT);
    check_error!(set(fd, TCP, CONGESTION, b"\0"), ENOENT);
    check_error!(set(fd, TCP, CONGESTION, b""), EINVAL);
    set(fd, TCP, CONGESTION, b"reno\0")?;
    check_eq!(option(fd, TCP, CONGESTION, &mut name)?, 16);
    check_eq!(name[..17], *b"reno\0\0\0\0\0\0\0\0\0\0\0\0\x09");
    check_eq!(option(fd, TCP, CONGESTION, &mut name[..2])?, 2);
    Ok(())
}

/// TCP_INFO's state: closed, listening, established; and how long a segment is.
fn states_of_tcp() -> Outcome {
    let (fd, server) = (socket(INET, STREAM)?, socket(INET, STREAM)?);
    let mut told = [9u8; 24];
    option(fd, TCP, INFO, &mut told)?;
    check_eq!(told[0], 7);
    bind(server, inet(0x7f00_0001, 0))?;
    listen(server, 1)?;
    option(server, TCP, INFO, &mut told)?;
    check_eq!(told[0], 10);
    let mut size = [0; 4];
    option(fd, TCP, 2, &mut size)?;
    check_eq!(i32::from_ne_bytes(size), 536);
    connect(fd, own_name(server)?)?;
    option(fd, TCP, INFO, &mut told)?;
    check_eq!(told[0], 1);
    option(fd, TCP, 2, &mut size)?;
    check_eq!(i32::from_ne_bytes(size), 65_483);
    check_error!(option(fd, 99, 1, &mut size), EOPNOTSUPP);
    check_error!(set(fd, 99, 1, &size), ENOPROTOOPT);
    Ok(())
}

fn one_byte_is_enough_for_ip() -> Outcome {
    let fd = socket(INET, STREAM)?;
    set(fd, IP, n::IP_TOS as usize, &[0x10])?;
    let mut value = [9u8; 1];
    check_eq!(option(fd, IP, n::IP_TOS as usize, &mut value)?, 1);
    check_eq!(value, [0x10]);
    check_error!(set(fd, IP, n::IP_MTU_DISCOVER as usize, &9i32.to_ne_bytes()), EINVAL);
    check_error!(set(fd, TCP, 1, &[1]), EINVAL);
    Ok(())
}

fn sockets_of_one_device() -> Outcome {
    let fd = socket(INET, STREAM)?;
    let device = n::SO_BINDTODEVICE as usize;
    let mut name = [9u8; 16];
    check_eq!(option(fd, SOL_SOCKET, device, &mut name)?, 0);
    check_error!(set(fd, SOL_SOCKET, device, b"none"), ENODEV);
    set(fd, SOL_SOCKET, device, b"lo")?;
    check_eq!(option(fd, SOL_SOCKET, device, &mut name)?, 3);
    check_eq!(name[..3], *b"lo\0");
    check_error!(option(fd, SOL_SOCKET, device, &mut name[..15]), EINVAL);
    set(fd, SOL_SOCKET, device, b"")?;
    check_eq!(option(fd, SOL_SOCKET, device, &mut name)?, 0);
    Ok(())
}

/// A datagram for all has to be wanted.
fn all_machines_at_once() -> Outcome {
    let fd = socket(INET, DGRAM)?;
    let all = inet(0xffff_ffff, 9);
    check_error!(connect(fd, inet(0xffff_ffff, 9)), EACCES);
    let send = [fd as usize, c"x".as_ptr() as usize, 1, 0, all.bytes.as_ptr() as usize, 16];
    check_error!(sys(g::__NR_sendto, send), EACCES);
    set_option(fd, SOL_SOCKET, n::SO_BROADCAST, 1)?;
    check!(sys(g::__NR_sendto, send) != Err(rt::Errno(errno::EACCES)));
    Ok(())
}

/// To receive no bytes by TCP waits for none.
fn nothing_is_there_at_once() -> Outcome {
    let (fd, server) = (socket(INET, STREAM)?, socket(INET, STREAM)?);
    bind(server, inet(0x7f00_0001, 0))?;
    listen(server, 1)?;
    connect(fd, own_name(server)?)?;
    let mut nothing = [0u8; 1];
    check_eq!(sys(g::__NR_recvfrom, [fd as usize, nothing.as_mut_ptr() as usize, 0, 0, 0, 0])?, 0);
    os::close(server)?;
    Ok(())
}
