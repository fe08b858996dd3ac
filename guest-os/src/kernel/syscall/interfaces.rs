//! What sockets are asked by `ioctl` (netdevice(7), tcp(7)): their queues, and the one interface that there is, `lo`.

use super::{Arguments, Outcome};
use crate::files::vfs::open_files;
use crate::memory::user::{self, UserPtr};
use fs::loopback::{self, INDEX, NAME};
use fs::{Errno, Family, SocketId, SocketKind};
use linux_raw_sys::ioctl as request;

const AF_INET: u16 = 2;

/// `struct ifreq`: a name, and what is asked or told.
const NAME_BYTES: usize = 16;
const REQUEST_BYTES: usize = 40;

/// A request of a socket. ENOTTY for one that it does not know.
pub fn socket_request(socket: SocketId, [_, number, argument, ..]: Arguments) -> Outcome {
    let number = super::uint(number);
    let (family, kind) = {
        let files = open_files();
        (files.sockets().family(socket), files.sockets().kind(socket))
    };
    match number {
        request::FIONREAD => {
            let len = open_files().sockets().bytes_to_read(socket)?;
            super::terminal::tell_length(argument, len)
        }
        // What is sent is with the other end at once.
        request::TIOCOUTQ if open_files().sockets().is_listening(socket) => Err(Errno::EINVAL.into()),
        request::TIOCOUTQ => super::terminal::tell_length(argument, 0),
        // There is no urgent data, so never a mark.
        request::SIOCATMARK if kind == SocketKind::Stream => super::terminal::tell_length(argument, 0),
        request::SIOCGIFCONF => tell_all(argument),
        request::SIOCGIFNAME => {
            let mut asked = [0; REQUEST_BYTES];
            user::copy_in(argument, &mut asked)?;
            if asked[NAME_BYTES..][..4] != INDEX.to_ne_bytes() {
                return Err(Errno::ENODEV.into());
            }
            asked[..NAME_BYTES].fill(0);
            asked[..NAME.len()].copy_from_slice(NAME);
            user::copy_out(argument, &asked)?;
            Ok(0)
        }
        _ => {
            let (told, len) = fact(number, family).ok_or(Errno::ENOTTY)?;
            let mut asked = [0; REQUEST_BYTES];
            user::copy_in(argument, &mut asked)?;
            let name = &asked[..NAME_BYTES - 1];
            // What follows a colon names one of several addresses.
            let end = name.iter().position(|&byte| byte == 0 || byte == b':').unwrap_or(name.len());
            if name[..end] != *NAME {
                return Err(Errno::ENODEV.into());
            }
            user::copy_out(argument.wrapping_add(NAME_BYTES as u64), &told[..len])?;
            Ok(0)
        }
    }
}

/// What a request tells of the interface: the second part of `struct ifreq`, as far as it is used.
fn fact(number: u32, family: Family) -> Option<([u8; REQUEST_BYTES - NAME_BYTES], usize)> {
    let mut told = [0; REQUEST_BYTES - NAME_BYTES];
    // A map of the hardware's memory, of which there is none, is all of that part.
    let len = if number == request::SIOCGIFMAP { told.len() } else { 16 };
    let mut put = |bytes: &[u8]| told[..bytes.len()].copy_from_slice(bytes);
    match (number, family) {
        // Flags are a `short`.
        (request::SIOCGIFFLAGS, _) => put(&loopback::FLAGS.to_ne_bytes()[..2]),
        (request::SIOCGIFINDEX, _) => put(&INDEX.to_ne_bytes()),
        (request::SIOCGIFMTU, _) => put(&loopback::MTU.to_ne_bytes()),
        (request::SIOCGIFTXQLEN, _) => put(&loopback::QUEUE_LENGTH.to_ne_bytes()),
        (request::SIOCGIFHWADDR, _) => put(&loopback::HARDWARE.to_ne_bytes()),
        (request::SIOCGIFMETRIC | request::SIOCGIFMAP, _) => {}
        (request::SIOCGIFADDR | request::SIOCGIFDSTADDR, Family::Inet) => put(&address(loopback::ADDRESS)),
        (request::SIOCGIFNETMASK, Family::Inet) => put(&address(loopback::MASK)),
        (request::SIOCGIFBRDADDR, Family::Inet) => put(&address([0; 4])),
        _ => return None,
    }
    Some((told, len))
}

/// `struct sockaddr_in` without a port, up to its padding.
fn address(ip: [u8; 4]) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..2].copy_from_slice(&AF_INET.to_ne_bytes());
    bytes[4..].copy_from_slice(&ip);
    bytes
}

/// SIOCGIFCONF: the interfaces that have an address, or how many bytes that takes.
fn tell_all(argument: u64) -> Outcome {
    let len = UserPtr::<i32>::from(argument);
    let buffer = UserPtr::<u64>::from(argument).at(1).read()?;
    let room = usize::try_from(len.read()?).map_err(|_| Errno::EINVAL)?;
    let told = if buffer == 0 || room >= REQUEST_BYTES { REQUEST_BYTES } else { 0 };
    if buffer != 0 && told > 0 {
        let mut one = [0; REQUEST_BYTES];
        one[..NAME.len()].copy_from_slice(NAME);
        one[NAME_BYTES..][..8].copy_from_slice(&address(loopback::ADDRESS));
        user::copy_out(buffer, &one)?;
    }
    len.write(i32::try_from(told).unwrap_or(0))?;
    Ok(0)
}
