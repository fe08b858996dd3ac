//! Sockets: making them, their names, their connections. What goes through them is in `messages`.

use super::files::{Reserved, close_file, file_to_use};
use super::{Arguments, Outcome, Stop, int, uint};
use crate::files::ready::{Patience, attempt};
use crate::files::vfs::{self, open_files};
use crate::hart::current;
use crate::memory::user::{self, UserPtr};
use ::proc::CapSet;
use fs::{
    ADDRESS_MAX, Address, Direction, Errno, Family, Hold, NetlinkName, Object, OpenFileId, OpenFlags, Sender,
    SocketId, SocketKind, Target, Wanted,
};
use linux_raw_sys::general as linux;

/// The bits of a socket's kind that are flags.
const KIND_FLAGS: u32 = linux::O_CLOEXEC | linux::O_NONBLOCK;
const KIND_MASK: u32 = 0xf;

/// The socket behind a descriptor. ENOTSOCK.
pub fn socket_of(fd: u64) -> Result<(OpenFileId, SocketId), Errno> {
    let id = file_to_use(fd)?;
    match open_files().get(id).object {
        Object::Socket(socket) => Ok((id, socket)),
        _ => Err(Errno::ENOTSOCK),
    }
}

/// Who the running process is, to whom it connects with.
fn owner() -> Sender {
    let process = &current().process;
    let who = process.credentials.borrow();
    Sender { pid: process.pid, uid: who.user.effective, gid: who.group.effective }
}

/// Whether a call on this open file waits.
pub fn waits(id: OpenFileId) -> bool {
    !open_files().get(id).flags.contains(OpenFlags::NONBLOCK)
}

pub fn socket([domain, kind, protocol, ..]: Arguments) -> Outcome {
    let flags = uint(kind) & !KIND_MASK;
    if flags & !KIND_FLAGS != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (family, kind) = fs::kind_of(int(domain), uint(kind) & KIND_MASK, int(protocol))?;
    let flags = OpenFlags::from_bits_retain(flags);
    let reserved = Reserved::new(0)?;
    let id = open_files().create_socket(family, kind, owner(), flags);
    Ok(u64::from(reserved.fill(id, flags.contains(OpenFlags::CLOEXEC))))
}

pub fn socketpair([domain, kind, protocol, ends, ..]: Arguments) -> Outcome {
    let flags = uint(kind) & !KIND_MASK;
    if flags & !KIND_FLAGS != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (first, second) = (Reserved::new(0)?, Reserved::new(0)?);
    UserPtr::<[u32; 2]>::from(ends).write([first.fd(), second.fd()])?;
    let (family, kind) = fs::kind_of(int(domain), uint(kind) & KIND_MASK, int(protocol))?;
    let flags = OpenFlags::from_bits_retain(flags);
    let (one, other) = open_files().create_socket_pair(family, kind, owner(), flags)?;
    let close_on_exec = flags.contains(OpenFlags::CLOEXEC);
    first.fill(one, close_on_exec);
    second.fill(other, close_on_exec);
    Ok(0)
}

/// A name as the program wrote it.
pub fn name_from(family: Family, address: u64, len: u64) -> Result<Wanted, Errno> {
    let len = usize::try_from(int(len)).map_err(|_| Errno::EINVAL)?;
    let mut bytes = [0; ADDRESS_MAX];
    let bytes = bytes.get_mut(..len).ok_or(Errno::EINVAL)?;
    user::copy_in(address, bytes)?;
    family.parse(bytes)
}

/// Who is meant by a name, for a socket of this kind. ECONNREFUSED if it is nobody's; EPERM if the caller may not send there.
pub fn target_of(name: Address, kind: SocketKind) -> Result<Target, Errno> {
    let found = match name {
        Address::Inet(endpoint) => return Ok(Target::Endpoint(endpoint)),
        Address::Netlink(name) => {
            // The kernel is there for all.
            let is_privileged = current().process.credentials.borrow().can(CapSet::NET_ADMIN);
            let is_kernel = name == NetlinkName::default();
            return if is_kernel || is_privileged { Ok(Target::Netlink(name)) } else { Err(Errno::EPERM) };
        }
        Address::Abstract(name) => open_files().sockets().by_abstract_name(kind, name),
        Address::Path(path) => {
            let from = current().process.cwd();
            let file = vfs::lock().find_socket(&from, &path)?;
            open_files().sockets().by_file(&file)
        }
        Address::Unnamed => return Err(Errno::EINVAL),
    };
    found.map(Target::Socket).ok_or(Errno::ECONNREFUSED)
}

/// Tells a name: as much of it as there is room for, and how long it is.
pub fn tell_name(family: Family, name: &Address, address: u64, len: UserPtr<i32>) -> Result<(), Errno> {
    let room = usize::try_from(len.read()?).map_err(|_| Errno::EINVAL)?;
    let mut bytes = [0; ADDRESS_MAX];
    let written = family.write(name, &mut bytes);
    user::copy_out(address, &bytes[..written.min(room)])?;
    len.write(i32::try_from(written).unwrap_or(0))
}

pub fn bind([fd, address, len, ..]: Arguments) -> Outcome {
    let (_, socket) = socket_of(fd)?;
    let family = open_files().sockets().family(socket);
    match name_from(family, address, len)? {
        Wanted::Name(Address::Path(path)) => {
            open_files().sockets().check_unnamed(socket)?;
            let (from, mode) = (current().process.cwd(), 0o777 & !current().process.fs.umask.get());
            let file = vfs::lock().make_socket(&from, &path, mode)?;
            open_files().sockets_mut().0.bind_file(socket, path, file)?;
        }
        Wanted::Name(Address::Netlink(name)) => {
            open_files().sockets_mut().0.bind_netlink(socket, name, current().process.pid)?;
        }
        other => {
            let is_privileged = current().process.credentials.borrow().can(CapSet::NET_BIND_SERVICE);
            open_files().sockets_mut().0.bind(socket, other, is_privileged)?;
        }
    }
    Ok(0)
}

pub fn listen([fd, backlog, ..]: Arguments) -> Outcome {
    let (_, socket) = socket_of(fd)?;
    let owner = owner();
    let mut files = open_files();
    let (sockets, changes) = files.sockets_mut();
    sockets.listen(changes, socket, uint(backlog), owner)?;
    Ok(0)
}

pub fn connect([fd, address, len, ..]: Arguments) -> Outcome {
    let (id, socket) = socket_of(fd)?;
    let (family, timeout) = {
        let files = open_files();
        (files.sockets().family(socket), files.sockets().options(socket).send_timeout)
    };
    let name = match name_from(family, address, len)? {
        Wanted::Name(name) => name,
        Wanted::AnyName => return Err(Errno::EINVAL.into()),
        Wanted::Unspecified => {
            let mut files = open_files();
            let (sockets, changes) = files.sockets_mut();
            sockets.disconnect(changes, socket)?;
            return Ok(0);
        }
    };
    let kind = open_files().sockets().kind(socket);
    let (target, who, is_awaited) = (target_of(name, kind)?, owner(), waits(id));
    let patience = if is_awaited { Patience::for_time(timeout) } else { Patience::NONE };
    attempt(patience, |files| {
        let (sockets, changes) = files.sockets_mut();
        // Whom it waited for may have gone meanwhile.
        if let Target::Socket(other) = target
            && !sockets.is_there(other)
        {
            return Err(Hold::Errno(Errno::ECONNREFUSED));
        }
        sockets.connect(changes, socket, target, who, is_awaited)
    })?;
    Ok(0)
}

pub fn accept([fd, address, len, ..]: Arguments) -> Outcome {
    accept_with(fd, address, len, 0)
}

pub fn accept4([fd, address, len, flags, ..]: Arguments) -> Outcome {
    accept_with(fd, address, len, uint(flags))
}

fn accept_with(fd: u64, address: u64, len: u64, flags: u32) -> Outcome {
    if flags & !KIND_FLAGS != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (id, socket) = socket_of(fd)?;
    let reserved = Reserved::new(0)?;
    let timeout = open_files().sockets().options(socket).receive_timeout;
    let patience = if waits(id) { Patience::for_time(timeout) } else { Patience::NONE };
    let flags = OpenFlags::from_bits_retain(flags);
    let accepted = attempt(patience, |files| {
        let (sockets, changes) = files.sockets_mut();
        let socket = sockets.accept(changes, socket)?;
        Ok(files.open_socket(socket, flags))
    })?;
    if address != 0
        && let Err(error) = tell_peer(accepted, address, len)
    {
        close_file(accepted);
        return Err(error.into());
    }
    Ok(u64::from(reserved.fill(accepted, flags.contains(OpenFlags::CLOEXEC))))
}

/// Tells the name of who an open socket is connected with.
fn tell_peer(id: OpenFileId, address: u64, len: u64) -> Result<(), Errno> {
    let Object::Socket(socket) = open_files().get(id).object else { return Err(Errno::ENOTSOCK) };
    let (family, name) = {
        let files = open_files();
        (files.sockets().family(socket), files.sockets().peer_name(socket)?)
    };
    tell_name(family, &name, address, UserPtr::from(len))
}

pub fn getsockname([fd, address, len, ..]: Arguments) -> Outcome {
    let (_, socket) = socket_of(fd)?;
    let (family, name) = {
        let files = open_files();
        (files.sockets().family(socket), files.sockets().name(socket))
    };
    tell_name(family, &name, address, UserPtr::from(len))?;
    Ok(0)
}

pub fn getpeername([fd, address, len, ..]: Arguments) -> Outcome {
    let (id, _) = socket_of(fd)?;
    tell_peer(id, address, len).map_err(Stop::from)?;
    Ok(0)
}

pub fn shutdown([fd, how, ..]: Arguments) -> Outcome {
    let (_, socket) = socket_of(fd)?;
    let what = match int(how) {
        0 => Direction { receiving: true, sending: false },
        1 => Direction { receiving: false, sending: true },
        2 => Direction { receiving: true, sending: true },
        _ => return Err(Errno::EINVAL.into()),
    };
    let mut files = open_files();
    let (sockets, changes) = files.sockets_mut();
    sockets.shutdown(changes, socket, what)?;
    Ok(0)
}
