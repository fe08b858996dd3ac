//! What goes through sockets: `sendmsg`, `recvmsg` and their kin, and `read` and `write`.
//!
//! A stream is moved piece by piece through the thread's scratch page, as files are; a message of another kind is made whole, and taken out
//! of its queue when it has been copied. What comes along (descriptors, who sends) is in `control`.

use super::control::{self, Rights};
use super::io::{Moved, PIECE_BYTES, broken_pipe};
use super::sockets::{name_from, socket_of, target_of, tell_name, waits};
use super::spans::{Cursor, IOV_MAX, MAX_BYTES, Span, span, spans, total_of};
use super::{Arguments, Outcome, Stop, uint};
use crate::arch;
use crate::files::ready::{Patience, attempt};
use crate::files::vfs::open_files;
use crate::hart::current;
use crate::memory::user::UserPtr;
use alloc::rc::Rc;
use alloc::vec::Vec;
use fs::{Address, Errno, Family, Message, OpenFileId, PacketHeader, Sender, SocketId, SocketKind, Wanted};
use linux_raw_sys::net;

/// The largest message that is not looked at whether it fits: no socket takes as much.
const MESSAGE_MAX: usize = 1 << 20;
/// `struct msghdr` and `struct mmsghdr`, in bytes.
const MMSGHDR_BYTES: u64 = 64;
const LEN_OFFSET: u64 = 56;
/// MSG_CMSG_CLOEXEC and MSG_WAITFORONE.
const CLOSE_ON_EXEC: u32 = 0x4000_0000;
const WAIT_FOR_ONE: u32 = 0x1_0000;

/// How a call sends or receives.
#[derive(Clone, Copy)]
struct Manner {
    id: OpenFileId,
    socket: SocketId,
    family: Family,
    kind: SocketKind,
    flags: u32,
}

impl Manner {
    fn new(id: OpenFileId, socket: SocketId, flags: u32) -> Self {
        let files = open_files();
        let sockets = files.sockets();
        Self { id, socket, family: sockets.family(socket), kind: sockets.kind(socket), flags }
    }
    fn of(fd: u64, flags: u64) -> Result<Self, Errno> {
        let (id, socket) = socket_of(fd)?;
        Ok(Self::new(id, socket, uint(flags)))
    }
    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
    fn is_stream(&self) -> bool {
        self.kind == SocketKind::Stream
    }
    fn patience(&self, is_sending: bool) -> Patience {
        if self.has(net::MSG_DONTWAIT) || !waits(self.id) {
            return Patience::NONE;
        }
        let files = open_files();
        let options = files.sockets().options(self.socket);
        Patience::for_time(if is_sending { options.send_timeout } else { options.receive_timeout })
    }
}

/// Who the running process is, to whom it sends.
pub fn sender() -> Sender {
    let process = &current().process;
    let who = process.credentials.borrow();
    Sender { pid: process.pid, uid: who.user.real, gid: who.group.real }
}

/// What a message takes along.
struct Along {
    to: Option<Wanted>,
    sender: Sender,
    rights: Rights,
    header: PacketHeader,
}

impl Along {
    fn nothing() -> Self {
        Self { to: None, sender: sender(), rights: Rights::default(), header: PacketHeader::default() }
    }
}

/// `read` and its kin. Of nothing they take nothing, not even an empty message, whatever state the socket is in.
pub fn read(id: OpenFileId, socket: SocketId, spans: &[Span]) -> Outcome {
    if total_of(spans)? == 0 {
        return Ok(0);
    }
    let receipt = receive(Manner::new(id, socket, 0), spans)?;
    Ok(receipt.count as u64)
}

/// `write` and its kin.
pub fn write(id: OpenFileId, socket: SocketId, spans: &[Span]) -> Outcome {
    Ok(send(Manner::new(id, socket, 0), spans, Along::nothing())? as u64)
}

/// Sends bytes of the kernel's (`sendfile`).
pub fn send_bytes(id: OpenFileId, socket: SocketId, bytes: &[u8]) -> Moved {
    let manner = Manner::new(id, socket, 0);
    let mut with = Message::new(Rc::default(), sender(), Vec::new());
    if !manner.is_stream() {
        with.bytes = copy_of(bytes)?;
        send_whole(manner, &mut with, None)?;
        return Ok(bytes.len());
    }
    let mut done = 0;
    while done < bytes.len() {
        match send_piece(manner, &bytes[done..], &mut with) {
            Ok(count) => done += count,
            Err(_) if done > 0 => break,
            Err(stop) => return Err(stop),
        }
    }
    Ok(done)
}

/// Looks at the next bytes of a stream for the kernel (`splice`): how many, and where. They stay. 0: no more will come.
pub fn peek_bytes(
    id: OpenFileId,
    socket: SocketId,
    buffer: &mut [u8],
    nonblocking: bool,
) -> Result<(usize, u64), Stop> {
    let manner = Manner::new(id, socket, if nonblocking { net::MSG_DONTWAIT } else { 0 });
    attempt(manner.patience(false), |files| files.sockets_mut().0.peek_stream(socket, buffer, 0))
}

/// Takes out what was looked at. Whether it was still there.
pub fn consume_bytes(socket: SocketId, position: u64, count: usize) -> bool {
    let taken = {
        let mut files = open_files();
        let (sockets, changes) = files.sockets_mut();
        sockets.consume_stream(changes, socket, position, count)
    };
    // What has come along goes to nobody.
    taken.map(Rights::of).is_some()
}

fn copy_of(bytes: &[u8]) -> Result<Rc<Vec<u8>>, Errno> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).map_err(|_| Errno::ENOBUFS)?;
    copy.extend_from_slice(bytes);
    Ok(Rc::new(copy))
}

fn send(manner: Manner, spans: &[Span], along: Along) -> Moved {
    let all = total_of(spans)?.min(MAX_BYTES);
    if manner.has(net::MSG_OOB) {
        return Err(Errno::EOPNOTSUPP.into());
    }
    let Along { to, sender, mut rights, header } = along;
    if manner.is_stream() {
        if to.is_some() && manner.family == Family::Unix {
            let is_connected = open_files().sockets().peer_name(manner.socket).is_ok();
            return Err(if is_connected { Errno::EISCONN } else { Errno::EOPNOTSUPP }.into());
        }
        let mut with = Message::new(Rc::default(), sender, rights.take());
        let sent = send_stream(manner, spans, all, &mut with);
        rights.give_back(with.rights);
        return sent;
    }
    let to = match to {
        Some(Wanted::Name(name)) if !manner.kind.connects() => Some(target_of(name, manner.kind)?),
        Some(Wanted::Unspecified) if manner.family == Family::Netlink => return Err(Errno::EINVAL.into()),
        Some(Wanted::AnyName) => return Err(Errno::EINVAL.into()),
        _ => None,
    };
    if all > MESSAGE_MAX {
        return Err(Errno::EMSGSIZE.into());
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(all).map_err(|_| Errno::ENOBUFS)?;
    bytes.resize(all, 0);
    if Cursor::new(spans).gather(&mut bytes)? < all {
        return Err(Errno::EFAULT.into());
    }
    let mut message = Message::new(Rc::new(bytes), sender, rights.take());
    message.header = header;
    let sent = send_whole(manner, &mut message, to);
    rights.give_back(message.rights);
    sent.map(|()| all)
}

/// Sends a message whole. It has its descriptors still if that fails.
fn send_whole(manner: Manner, message: &mut Message, to: Option<fs::Target>) -> Result<(), Stop> {
    let limit = control::limit_in_flight();
    attempt(manner.patience(true), |files| {
        let (sockets, changes) = files.sockets_mut();
        if let Some(fs::Target::Socket(other)) = to
            && !sockets.is_there(other)
        {
            return Err(Errno::ECONNREFUSED.into());
        }
        sockets.reserve_rights(message.rights.len(), limit)?;
        sockets.send_message(changes, manner.socket, message, to)
    })
}

fn send_stream(manner: Manner, spans: &[Span], all: usize, with: &mut Message) -> Moved {
    let thread = current();
    let mut scratch = thread.scratch.borrow_mut();
    let (mut cursor, mut done) = (Cursor::new(spans), 0);
    loop {
        let want = PIECE_BYTES.min(all - done);
        let sent = cursor.gather(&mut scratch[..want]).map_err(Stop::from);
        let sent = sent.and_then(|count| send_piece(manner, &scratch[..count], with));
        match sent {
            Ok(count) => {
                done += count;
                cursor.skip(count);
                if done == all || count == 0 {
                    return Ok(done);
                }
            }
            Err(_) if done > 0 => return Ok(done),
            Err(Stop::Errno(Errno::EPIPE)) if !manner.has(net::MSG_NOSIGNAL) => return broken_pipe(&thread),
            Err(stop) => return Err(stop),
        }
    }
}

fn send_piece(manner: Manner, bytes: &[u8], with: &mut Message) -> Moved {
    let limit = control::limit_in_flight();
    attempt(manner.patience(true), |files| {
        let (sockets, changes) = files.sockets_mut();
        sockets.reserve_rights(with.rights.len(), limit)?;
        sockets.send_stream(changes, manner.socket, bytes, with)
    })
}

/// What was received.
struct Receipt {
    count: usize,
    /// The bits of `msg_flags`.
    told: u32,
    from: Address,
    sender: Sender,
    rights: Rights,
    header: PacketHeader,
}

impl Receipt {
    fn nothing() -> Self {
        let (from, sender) = (Address::Unnamed, Sender::default());
        let (rights, header) = (Rights::default(), PacketHeader::default());
        Self { count: 0, told: 0, from, sender, rights, header }
    }
}

fn receive(manner: Manner, spans: &[Span]) -> Result<Receipt, Stop> {
    let all = total_of(spans)?.min(MAX_BYTES);
    if manner.has(net::MSG_OOB) {
        return Err(if manner.family.is_inet() { Errno::EINVAL } else { Errno::EOPNOTSUPP }.into());
    }
    if manner.has(net::MSG_ERRQUEUE) && manner.family.is_inet() {
        return Err(Errno::EAGAIN.into());
    }
    if manner.is_stream() { receive_stream(manner, spans, all) } else { receive_message(manner, spans, all) }
}

fn receive_message(manner: Manner, spans: &[Span], all: usize) -> Result<Receipt, Stop> {
    let peeks = manner.has(net::MSG_PEEK);
    loop {
        let found =
            attempt(manner.patience(false), |files| files.sockets_mut().0.peek_message(manner.socket))?;
        let Some((message, position)) = found else { return Ok(Receipt::nothing()) };
        let len = message.bytes.len();
        let copied = Cursor::new(spans).scatter(&message.bytes[..len.min(all)])?;
        if copied < len.min(all) {
            return Err(Errno::EFAULT.into());
        }
        let rights = if peeks {
            Rights::duplicates(&message.rights)
        } else {
            let mut files = open_files();
            let (sockets, changes) = files.sockets_mut();
            // The copy may have slept, and another reader have had this one.
            let Some(taken) = sockets.take_message(changes, manner.socket, position) else { continue };
            Rights::of(taken.rights)
        };
        let is_cut = len > all;
        let count = if manner.has(net::MSG_TRUNC) { len } else { len.min(all) };
        let told = if is_cut { net::MSG_TRUNC } else { 0 };
        let Message { from, sender, header, .. } = message;
        return Ok(Receipt { count, told, from, sender, rights, header });
    }
}

fn receive_stream(manner: Manner, spans: &[Span], all: usize) -> Result<Receipt, Stop> {
    let thread = current();
    let mut scratch = thread.scratch.borrow_mut();
    let is_tcp = manner.family.is_inet();
    // TCP waits for no more than is wanted.
    if is_tcp && all == 0 && !open_files().sockets().is_listening(manner.socket) {
        return Ok(Receipt::nothing());
    }
    let (peeks, discards) = (manner.has(net::MSG_PEEK), manner.has(net::MSG_TRUNC) && is_tcp);
    let enough = if manner.has(net::MSG_WAITALL) { all } else { all.min(1) };
    let mut receipt = Receipt::nothing();
    let mut cursor = Cursor::new(spans);
    while receipt.count < all || all == 0 {
        let done = receipt.count;
        let want = PIECE_BYTES.min(all - done);
        let patience = if done >= enough && all > 0 { Patience::NONE } else { manner.patience(false) };
        let skip = if peeks { done } else { 0 };
        let moved = attempt(patience, |files| {
            files.sockets_mut().0.peek_stream(manner.socket, &mut scratch[..want], skip)
        });
        let (count, position) = match moved {
            Err(_) if done > 0 => break,
            other => other?,
        };
        if is_other_sender(manner.socket, &mut receipt) || count == 0 {
            break;
        }
        let copied = match if discards { Ok(count) } else { cursor.scatter(&scratch[..count]) } {
            Err(_) if done > 0 => break,
            other => other?,
        };
        if peeks {
            if done == 0 {
                let rights = open_files().sockets().first_message(manner.socket).map(|m| m.rights.clone());
                receipt.rights = Rights::duplicates(&rights.unwrap_or_default());
            }
        } else {
            let mut files = open_files();
            let (sockets, changes) = files.sockets_mut();
            // The copy may have slept, and another reader have had these bytes.
            let Some(rights) = sockets.consume_stream(changes, manner.socket, position, copied) else {
                continue;
            };
            receipt.rights = Rights::of(rights);
        }
        receipt.count += copied;
        cursor.skip(copied);
        if copied < count || !receipt.rights.is_empty() {
            break;
        }
    }
    Ok(receipt)
}

/// Whether what comes next is by another one than what has come, to somebody who wants to know; the first one is kept.
fn is_other_sender(socket: SocketId, receipt: &mut Receipt) -> bool {
    let files = open_files();
    let sockets = files.sockets();
    let Some(next) = sockets.first_message(socket) else { return false };
    if receipt.count == 0 {
        receipt.sender = next.sender;
        return false;
    }
    sockets.options(socket).tells_sender && next.sender != receipt.sender
}

pub fn sendto([fd, buffer, len, flags, address, address_len]: Arguments) -> Outcome {
    let manner = Manner::of(fd, flags)?;
    let to = if address == 0 { None } else { Some(name_from(manner.family, address, address_len)?) };
    let along = Along { to, ..Along::nothing() };
    Ok(send(manner, &[span(buffer, len.min(MAX_BYTES as u64))], along)? as u64)
}

pub fn recvfrom([fd, buffer, len, flags, address, address_len]: Arguments) -> Outcome {
    let manner = Manner::of(fd, flags)?;
    let receipt = receive(manner, &[span(buffer, len.min(MAX_BYTES as u64))])?;
    if address != 0 {
        tell_from(manner, &receipt.from, address, UserPtr::from(address_len))?;
    }
    Ok(receipt.count as u64)
}

/// Tells from whom something came; of a stream, and of who has no name, nothing.
fn tell_from(manner: Manner, from: &Address, address: u64, len: UserPtr<i32>) -> Result<(), Errno> {
    match from {
        Address::Unnamed => {
            if len.read()? < 0 {
                return Err(Errno::EINVAL);
            }
            len.write(0)
        }
        name => tell_name(manner.family, name, address, len),
    }
}

/// A `struct msghdr`, as the program wrote it.
struct Header {
    name: u64,
    name_len: u64,
    spans: Vec<Span>,
    control: u64,
    control_len: u64,
}

impl Header {
    fn read(at: u64) -> Result<Self, Errno> {
        let word = |index| UserPtr::<u64>::from(at).at(index).read();
        let (name, name_len, vector, count) = (word(0)?, word(1)?, word(2)?, word(3)?);
        let (control, control_len) = (word(4)?, word(5)?);
        let name_len = u64::from(uint(name_len));
        if name != 0 && super::int(name_len) < 0 {
            return Err(Errno::EINVAL);
        }
        if count > IOV_MAX {
            return Err(Errno::EMSGSIZE);
        }
        Ok(Self { name, name_len, spans: spans(vector, count)?, control, control_len })
    }
}

pub fn sendmsg([fd, message, flags, ..]: Arguments) -> Outcome {
    Ok(send_one(Manner::of(fd, flags)?, message)? as u64)
}

fn send_one(manner: Manner, at: u64) -> Moved {
    let header = Header::read(at)?;
    let to = match header.name {
        0 => None,
        _ if header.name_len == 0 => None,
        name => Some(name_from(manner.family, name, header.name_len.min(fs::ADDRESS_MAX as u64))?),
    };
    let control = control::read(header.control, header.control_len, manner.family)?;
    let sender = control.sender.unwrap_or_else(sender);
    let along = Along { to, sender, rights: control.rights, header: control.header };
    send(manner, &header.spans, along)
}

pub fn recvmsg([fd, message, flags, ..]: Arguments) -> Outcome {
    Ok(receive_one(Manner::of(fd, flags)?, message)? as u64)
}

fn receive_one(manner: Manner, at: u64) -> Moved {
    const NAME_LEN: u64 = 8;
    const CONTROL_LEN: u64 = 40;
    const FLAGS: u64 = 48;
    let header = Header::read(at)?;
    let mut receipt = receive(manner, &header.spans)?;
    if header.name != 0 {
        tell_from(manner, &receipt.from, header.name, UserPtr::from(at.wrapping_add(NAME_LEN)))?;
    }
    let tells_sender = open_files().sockets().options(manner.socket).tells_sender && !manner.family.is_inet();
    let mut room = control::Room::new(header.control, header.control_len);
    if tells_sender {
        room.put_sender(receipt.sender);
    }
    room.put_rights(&mut receipt.rights, manner.has(CLOSE_ON_EXEC));
    if let Some(to) = receipt.header.here {
        let told = open_files().sockets().options(manner.socket).told_of(to, manner.family);
        room.put_packet(&receipt.header, to, told, manner.family);
    }
    let told = receipt.told | if room.is_cut { net::MSG_CTRUNC } else { 0 } | manner.flags & CLOSE_ON_EXEC;
    UserPtr::<u64>::from(at.wrapping_add(CONTROL_LEN)).write(room.used())?;
    UserPtr::<u32>::from(at.wrapping_add(FLAGS)).write(told)?;
    Ok(receipt.count)
}

pub fn sendmmsg([fd, messages, count, flags, ..]: Arguments) -> Outcome {
    let manner = Manner::of(fd, flags)?;
    several(messages, count, |_, at| send_one(manner, at))
}

pub fn recvmmsg([fd, messages, count, flags, timeout, ..]: Arguments) -> Outcome {
    let deadline = super::time::deadline_of(timeout)?;
    let manner = Manner::of(fd, flags)?;
    several(messages, count, |done, at| {
        // As in Linux, the time is looked at between messages.
        if done > 0 && deadline.is_some_and(|deadline| deadline <= arch::time()) {
            return Err(Errno::EAGAIN.into());
        }
        let at_once = done > 0 && manner.has(WAIT_FOR_ONE);
        let flags = manner.flags & !WAIT_FOR_ONE | if at_once { net::MSG_DONTWAIT } else { 0 };
        receive_one(Manner { flags, ..manner }, at)
    })
}

/// Does one after the other, until one cannot be done.
fn several(messages: u64, count: u64, mut action: impl FnMut(u64, u64) -> Moved) -> Outcome {
    let count = u64::from(uint(count)).min(IOV_MAX);
    for index in 0..count {
        let at = messages.wrapping_add(index * MMSGHDR_BYTES);
        let told = action(index, at).and_then(|len| {
            let len = u32::try_from(len).unwrap_or(u32::MAX);
            Ok(UserPtr::<u32>::from(at.wrapping_add(LEN_OFFSET)).write(len)?)
        });
        match told {
            Ok(()) => {}
            Err(_) if index > 0 => return Ok(index),
            Err(stop) => return Err(stop),
        }
    }
    Ok(count)
}
