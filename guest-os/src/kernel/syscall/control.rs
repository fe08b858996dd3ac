//! What goes along with messages (`cmsg(3)`): descriptors (SCM_RIGHTS), who sends (SCM_CREDENTIALS), and over IP what the header says (ip(7),
//! ipv6(7)).

use super::files::{Reserved, close_file};
use crate::files::vfs::open_files;
use crate::hart::current;
use crate::memory::user::{self, UserPtr};
use crate::processes::process;
use ::proc::CapSet;
use alloc::vec::Vec;
use fs::{Errno, Family, Ip, OpenFileId, PacketHeader, PacketTold, RIGHTS_MAX, Sender};

const SOL_SOCKET: u32 = 1;
const SCM_RIGHTS: u32 = 1;
const SCM_CREDENTIALS: u32 = 2;
/// `struct cmsghdr`, in bytes.
const HEADER_BYTES: u64 = 16;
const SENDER_BYTES: u64 = 12;
const SOL_IP: u32 = 0;
const IP_TOS: u32 = 1;
const IP_TTL: u32 = 2;
/// `struct in_pktinfo`.
const IP_PKTINFO: u32 = 8;
const SOL_IPV6: u32 = 41;
/// `struct in6_pktinfo`.
const IPV6_PKTINFO: u32 = 50;
const IPV6_HOPLIMIT: u32 = 52;
const IPV6_TCLASS: u32 = 67;
/// The loopback interface.
const INTERFACE: u32 = 1;
/// Most bytes of control messages that a call takes (`net.core.optmem_max`).
const CONTROL_MAX: u64 = 128 << 10;

/// Descriptors outside of any table, each counted as a reference to its open file. What is left of them is closed.
#[derive(Default)]
pub struct Rights(Vec<OpenFileId>);

impl Rights {
    /// Those that a message has had.
    pub fn of(rights: Vec<OpenFileId>) -> Self {
        Self(rights)
    }
    /// Copies of those that a message keeps.
    pub fn duplicates(rights: &[OpenFileId]) -> Self {
        let mut files = open_files();
        rights.iter().for_each(|&id| files.duplicate(id));
        Self(rights.to_vec())
    }
    /// For a message to have.
    pub fn take(&mut self) -> Vec<OpenFileId> {
        core::mem::take(&mut self.0)
    }
    /// Those that did not go.
    pub fn give_back(&mut self, rights: Vec<OpenFileId>) {
        self.0 = rights;
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        self.take().into_iter().for_each(close_file);
    }
}

/// Most descriptors that may be on their way when this process sends some.
pub fn limit_in_flight() -> usize {
    let process = &current().process;
    if process.credentials.borrow().can(CapSet::SYS_RESOURCE | CapSet::SYS_ADMIN) {
        return usize::MAX;
    }
    process.files().borrow().limit() as usize
}

/// What a program sends along.
#[derive(Default)]
pub struct Control {
    pub rights: Rights,
    /// Whom it says that it is.
    pub sender: Option<Sender>,
    /// What the header of the datagram is to say.
    pub header: PacketHeader,
}

/// Reads what a program sends along. EINVAL, EBADF, EPERM, ENOBUFS.
pub fn read(address: u64, len: u64, family: Family) -> Result<Control, Errno> {
    let mut control = Control::default();
    if address == 0 || len < HEADER_BYTES {
        return Ok(control);
    }
    if len > CONTROL_MAX {
        return Err(Errno::ENOBUFS);
    }
    let mut at = 0;
    while at + HEADER_BYTES <= len {
        let start = address.wrapping_add(at);
        let (length, [level, kind]) =
            (UserPtr::<u64>::from(start).read()?, UserPtr::<[u32; 2]>::from(start.wrapping_add(8)).read()?);
        if length < HEADER_BYTES || length > len - at {
            return Err(Errno::EINVAL);
        }
        let (content, size) = (start.wrapping_add(HEADER_BYTES), length - HEADER_BYTES);
        match (level, kind) {
            (SOL_SOCKET, _) if family != Family::Unix => {}
            (SOL_SOCKET, SCM_RIGHTS) => read_rights(content, size / 4, &mut control.rights)?,
            (SOL_SOCKET, SCM_CREDENTIALS) if size == SENDER_BYTES => {
                control.sender = Some(read_sender(content)?);
            }
            (SOL_SOCKET, _) => return Err(Errno::EINVAL),
            (SOL_IP, _) if family.is_inet() => read_ip(kind, content, size, &mut control.header)?,
            (SOL_IPV6, _) if family == Family::Inet6 => {
                read_ipv6(kind, content, size, &mut control.header)?;
            }
            // Those of other levels are for other families.
            _ => {}
        }
        at += length.next_multiple_of(8);
    }
    Ok(control)
}

/// Of IPv4. EINVAL for what no header says.
fn read_ip(kind: u32, content: u64, size: u64, header: &mut PacketHeader) -> Result<(), Errno> {
    let int = || UserPtr::<i32>::from(content).read();
    match (kind, size) {
        (IP_TTL, 4) => match int()? {
            ttl @ 1..=255 => header.hops = u8::try_from(ttl).ok(),
            _ => return Err(Errno::EINVAL),
        },
        (IP_TOS, 4) => header.class = Some(u8::try_from(int()?).map_err(|_| Errno::EINVAL)?),
        (IP_TOS, 1) => header.class = Some(UserPtr::<u8>::from(content).read()?),
        (IP_PKTINFO, 12) => {
            let ip = UserPtr::<u32>::from(content).at(1).read()?;
            header.here = source_from(Ip::V4(ip.to_ne_bytes()))?;
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

/// Of IPv6; -1 means what the socket says.
fn read_ipv6(kind: u32, content: u64, size: u64, header: &mut PacketHeader) -> Result<(), Errno> {
    let number = || match UserPtr::<i32>::from(content).read()? {
        -1 => Ok(None),
        number => u8::try_from(number).map(Some).map_err(|_| Errno::EINVAL),
    };
    match (kind, size) {
        (IPV6_HOPLIMIT, 4) => header.hops = number()?,
        (IPV6_TCLASS, 4) => header.class = number()?,
        (IPV6_PKTINFO, 20..) => {
            let mut ip = [0; 16];
            user::copy_in(content, &mut ip)?;
            header.here = source_from(Ip::V6(ip))?;
        }
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}

/// The address that a datagram goes out from: none if it is any. EINVAL if it is not this machine's.
fn source_from(ip: Ip) -> Result<Option<Ip>, Errno> {
    match ip {
        _ if ip.is_any() => Ok(None),
        _ if ip.is_local() => Ok(Some(ip)),
        _ => Err(Errno::EINVAL),
    }
}

fn read_rights(address: u64, count: u64, rights: &mut Rights) -> Result<(), Errno> {
    if count > RIGHTS_MAX as u64 || rights.0.len() as u64 + count > RIGHTS_MAX as u64 {
        return Err(Errno::EINVAL);
    }
    for index in 0..count {
        let fd = UserPtr::<u32>::from(address).at(index).read()?;
        let id = current().process.files().borrow().get(fd).map_err(|_| Errno::EBADF)?;
        open_files().duplicate(id);
        rights.0.push(id);
    }
    Ok(())
}

/// Who is privileged may say what it likes, others only what is so.
fn read_sender(address: u64) -> Result<Sender, Errno> {
    let word = |index| UserPtr::<u32>::from(address).at(index).read();
    let said = Sender { pid: word(0)?, uid: word(1)?, gid: word(2)? };
    let process = &current().process;
    let who = process.credentials.borrow();
    if who.can(CapSet::SYS_ADMIN) {
        let is_there = said.pid == process.pid || process::find(said.pid).is_some();
        return if is_there { Ok(said) } else { Err(Errno::ESRCH) };
    }
    let is_user = [who.user.real, who.user.effective, who.user.saved].contains(&said.uid);
    let is_group = [who.group.real, who.group.effective, who.group.saved].contains(&said.gid);
    if said.pid == process.pid && is_user && is_group { Ok(said) } else { Err(Errno::EPERM) }
}

/// Where a program wants to have what came along. A message that cannot be written there is left out, as in Linux: what has been received is.
pub struct Room {
    address: u64,
    len: u64,
    at: u64,
    /// Something had no place.
    pub is_cut: bool,
}

impl Room {
    /// All of it.
    pub fn new(address: u64, len: u64) -> Self {
        Self { address, len: if address == 0 { 0 } else { len }, at: 0, is_cut: false }
    }
    /// Bytes that are used.
    pub fn used(&self) -> u64 {
        self.at
    }
    fn left(&self) -> u64 {
        self.len - self.at
    }
    fn put_header(&self, [level, kind]: [u32; 2], size: u64) -> Result<(), Errno> {
        let start = self.address.wrapping_add(self.at);
        UserPtr::<u64>::from(start).write(HEADER_BYTES + size)?;
        UserPtr::<[u32; 2]>::from(start.wrapping_add(8)).write([level, kind])
    }
    fn content(&self) -> u64 {
        self.address.wrapping_add(self.at + HEADER_BYTES)
    }
    fn advance(&mut self, size: u64) {
        self.at = (self.at + (HEADER_BYTES + size).next_multiple_of(8)).min(self.len);
    }

    /// One message: as much of it as there is room for.
    fn put(&mut self, level_and_kind: [u32; 2], bytes: &[u8]) {
        if self.left() < HEADER_BYTES {
            self.is_cut = true;
            return;
        }
        let size = (bytes.len() as u64).min(self.left() - HEADER_BYTES);
        self.is_cut |= size < bytes.len() as u64;
        let written = self
            .put_header(level_and_kind, size)
            .and_then(|()| user::copy_out(self.content(), &bytes[..super::length(size)]));
        if written.is_ok() {
            self.advance(size);
        }
    }

    /// Who has sent.
    pub fn put_sender(&mut self, sender: Sender) {
        let mut bytes = [0; SENDER_BYTES as usize];
        for (place, number) in bytes.chunks_exact_mut(4).zip([sender.pid, sender.uid, sender.gid]) {
            place.copy_from_slice(&number.to_ne_bytes());
        }
        self.put([SOL_SOCKET, SCM_CREDENTIALS], &bytes);
    }

    /// What the header of a datagram that was sent `to` this machine says, as far as it is to be told.
    pub fn put_packet(&mut self, header: &PacketHeader, to: Ip, told: PacketTold, family: Family) {
        let int = |value: Option<u8>| i32::from(value.unwrap_or(0)).to_ne_bytes();
        if told.to && family == Family::Inet6 {
            let mut info = [0; 20];
            info[..16].copy_from_slice(&to.to_v6());
            info[16..].copy_from_slice(&INTERFACE.to_ne_bytes());
            self.put([SOL_IPV6, IPV6_PKTINFO], &info);
        }
        match to {
            Ip::V4(ip) => {
                if told.to && family == Family::Inet {
                    let mut info = [0; 12];
                    for (place, word) in info.chunks_exact_mut(4).zip([INTERFACE.to_ne_bytes(), ip, ip]) {
                        place.copy_from_slice(&word);
                    }
                    self.put([SOL_IP, IP_PKTINFO], &info);
                }
                if told.hops {
                    self.put([SOL_IP, IP_TTL], &int(header.hops));
                }
                if told.class {
                    self.put([SOL_IP, IP_TOS], &[header.class.unwrap_or(0)]);
                }
            }
            Ip::V6(_) => {
                if told.hops {
                    self.put([SOL_IPV6, IPV6_HOPLIMIT], &int(header.hops));
                }
                if told.class {
                    self.put([SOL_IPV6, IPV6_TCLASS], &int(header.class));
                }
            }
        }
    }

    /// Descriptors, which the process has from now on; those that find no place are closed.
    pub fn put_rights(&mut self, rights: &mut Rights, close_on_exec: bool) {
        if rights.is_empty() {
            return;
        }
        let most = self.left().saturating_sub(HEADER_BYTES) / 4;
        let mut count = 0;
        let all = rights.0.len() as u64;
        while count < most.min(all) {
            let Ok(reserved) = Reserved::new(0) else { break };
            if UserPtr::<u32>::from(self.content()).at(count).write(reserved.fd()).is_err() {
                break;
            }
            reserved.fill(rights.0.remove(0), close_on_exec);
            count += 1;
        }
        self.is_cut |= count < all;
        if count > 0 && self.put_header([SOL_SOCKET, SCM_RIGHTS], 4 * count).is_ok() {
            self.advance(4 * count);
        }
    }
}
