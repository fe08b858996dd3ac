//! What the kernel answers to a request of rtnetlink(7): what there is to tell of the one interface, its addresses and its routes.
//!
//! Nothing can be changed, for whoever asks: EPERM, as for who has not CAP_NET_ADMIN.

use crate::Errno;
use crate::socket::loopback;
use alloc::vec::Vec;

/// `struct nlmsghdr`, in bytes.
const HEADER_BYTES: usize = 16;
/// More than any message takes that tells of the interface.
const MESSAGE_BYTES: usize = 1024;

/// Kinds of messages: of netlink itself,
const ERROR: u16 = 2;
const DONE: u16 = 3;
const FIRST_OF_ROUTE: u16 = 16;
/// and of NETLINK_ROUTE. Of each object that it knows there is a NEW, a DEL, a GET and a SET.
const NEW_LINK: u16 = 16;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;
const NEW_ROUTE: u16 = 24;
const GET_ROUTE: u16 = 26;
const GET_NEIGHBOUR: u16 = 30;
const LAST_OF_ROUTE: u16 = 123;
const VERB_MASK: u16 = 3;
const GET: u16 = 2;

/// Flags of a request,
const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const DUMP: u16 = 0x300;
/// and of an answer.
const MULTIPLE: u16 = 2;
const CAPPED: u16 = 0x100;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
/// IFA_F_PERMANENT; RT_SCOPE_HOST; RT_TABLE_LOCAL; RTPROT_KERNEL.
const PERMANENT: u8 = 0x80;
const HOST: u8 = 254;
const LOCAL_TABLE: u8 = 255;
const BY_KERNEL: u8 = 2;
/// Bits of an address of IPv6.
const V6_BITS: u8 = 128;

/// One request, as it was sent.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    whole: &'a [u8],
    kind: u16,
    flags: u16,
    sequence: u32,
}

/// The requests of one message, up to the first that is none.
pub(super) fn requests(mut bytes: &[u8]) -> impl Iterator<Item = Request<'_>> {
    core::iter::from_fn(move || {
        let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let half = |at: usize| Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
        let len = usize::try_from(word(0)?).ok()?;
        let request =
            Request { whole: bytes.get(..len)?, kind: half(4)?, flags: half(6)?, sequence: word(8)? };
        if len < HEADER_BYTES || bytes.len() < HEADER_BYTES {
            return None;
        }
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(request)
    })
}

/// What the kernel sends back to the socket at `port`, a message each. ENOMEM.
pub(super) fn answer(request: Request<'_>, port: u32) -> Result<Vec<Vec<u8>>, Errno> {
    let mut replies = Replies { request, port, sent: Vec::new(), is_short: false };
    let is_for_kernel = request.flags & REQUEST != 0 && request.kind >= FIRST_OF_ROUTE;
    let outcome = if is_for_kernel { replies.of_route() } else { Ok(Told::Nothing) };
    match outcome {
        // A list is ended by its own end.
        Ok(Told::List) => {}
        Ok(Told::Nothing) if request.flags & ACKNOWLEDGE == 0 => {}
        Ok(Told::Nothing) => replies.error(0),
        Err(errno) => replies.error(-i32::from(errno.number())),
    }
    if replies.is_short { Err(Errno::ENOMEM) } else { Ok(replies.sent) }
}

/// What has been told.
enum Told {
    Nothing,
    List,
}

struct Replies<'a> {
    request: Request<'a>,
    port: u32,
    sent: Vec<Vec<u8>>,
    /// There was no memory for one.
    is_short: bool,
}

impl Replies<'_> {
    fn of_route(&mut self) -> Result<Told, Errno> {
        let Request { whole, kind, flags, .. } = self.request;
        let body = &whole[HEADER_BYTES..];
        if kind > LAST_OF_ROUTE {
            return Err(Errno::EOPNOTSUPP);
        }
        // Without a family it is no request, and no error.
        let Some(&family) = body.first() else { return Ok(Told::Nothing) };
        if kind & VERB_MASK != GET {
            return Err(Errno::EPERM);
        }
        if flags & DUMP == 0 {
            return match kind {
                GET_LINK => self.one_link(body),
                _ => Err(Errno::EOPNOTSUPP),
            };
        }
        let wants = |of: u8| family == of || !matches!(family, AF_INET | AF_INET6);
        let mut list = self.begin()?;
        match kind {
            GET_LINK => self.put_link(&mut list, MULTIPLE),
            GET_ADDRESS => {
                if wants(AF_INET) {
                    self.put_address(&mut list, AF_INET);
                }
                if wants(AF_INET6) {
                    self.put_address(&mut list, AF_INET6);
                }
            }
            GET_ROUTE => {
                if wants(AF_INET) {
                    self.put_routes(&mut list);
                }
                if wants(AF_INET6) {
                    self.put_route_v6(&mut list);
                }
            }
            GET_NEIGHBOUR => {}
            _ => return Err(Errno::EOPNOTSUPP),
        }
        // As in Linux, the end of a list of IPv6 alone comes with it, and that of others in a message of its own.
        if !list.is_empty() && family != AF_INET6 {
            self.sent.push(core::mem::take(&mut list));
            list = self.begin()?;
        }
        self.message(&mut list, DONE, MULTIPLE, |list| list.extend_from_slice(&0i32.to_ne_bytes()));
        self.sent.push(list);
        Ok(Told::List)
    }

    /// The interface that a request names. EINVAL if it names none, ENODEV if there is no such.
    fn one_link(&mut self, body: &[u8]) -> Result<Told, Errno> {
        /// `struct ifinfomsg`, and where the index lies in it.
        const INFO_BYTES: usize = 16;
        const INDEX_AT: usize = 4;
        const IFLA_IFNAME: u16 = 3;
        const IFLA_ALT_IFNAME: u16 = 53;
        let info = body.get(..INFO_BYTES).ok_or(Errno::EINVAL)?;
        let index = info[INDEX_AT..].iter().take(4).rev().fold(0, |sum, &byte| sum << 8 | u32::from(byte));
        let name = attributes(&body[INFO_BYTES..])
            .find(|&(kind, _)| matches!(kind, IFLA_IFNAME | IFLA_ALT_IFNAME))
            .map(|(_, name)| name.strip_suffix(b"\0").unwrap_or(name));
        match (index, name) {
            (0, None) => return Err(Errno::EINVAL),
            (loopback::INDEX, _) | (0, Some(loopback::NAME)) => {}
            _ => return Err(Errno::ENODEV),
        }
        let mut message = self.begin()?;
        self.put_link(&mut message, 0);
        self.sent.push(message);
        Ok(Told::Nothing)
    }

    fn put_link(&self, list: &mut Vec<u8>, flags: u16) {
        self.message(list, NEW_LINK, flags, |list| {
            list.extend_from_slice(&[0, 0]);
            list.extend_from_slice(&loopback::HARDWARE.to_ne_bytes());
            list.extend_from_slice(&loopback::INDEX.to_ne_bytes());
            list.extend_from_slice(&(loopback::FLAGS | loopback::LOWER_UP).to_ne_bytes());
            list.extend_from_slice(&[0; 4]);
            let mut number = |kind: u16, value: u32| put(list, kind, &value.to_ne_bytes());
            number(13, loopback::QUEUE_LENGTH); // IFLA_TXQLEN
            number(4, loopback::MTU); // IFLA_MTU
            number(27, 0); // IFLA_GROUP
            number(30, 0); // IFLA_PROMISCUITY
            number(31, 1); // IFLA_NUM_TX_QUEUES
            number(32, 1); // IFLA_NUM_RX_QUEUES
            number(35, 0); // IFLA_CARRIER_CHANGES
            put_name(list, 3, loopback::NAME); // IFLA_IFNAME
            put_name(list, 6, b"noqueue"); // IFLA_QDISC
            put(list, 16, &[0]); // IFLA_OPERSTATE: nobody says
            put(list, 17, &[0]); // IFLA_LINKMODE
            put(list, 33, &[1]); // IFLA_CARRIER
            put(list, 1, &[0; 6]); // IFLA_ADDRESS
            put(list, 2, &[0; 6]); // IFLA_BROADCAST
            // IFLA_STATS64, IFLA_STATS: there are no packets to count.
            put(list, 23, &[0; 200]);
            put(list, 7, &[0; 96]);
        });
    }

    fn put_address(&self, list: &mut Vec<u8>, family: u8) {
        let is_v4 = family == AF_INET;
        let bits = if is_v4 { loopback::PREFIX_BITS } else { V6_BITS };
        self.message(list, NEW_ADDRESS, MULTIPLE, |list| {
            list.extend_from_slice(&[family, bits, PERMANENT, HOST]);
            list.extend_from_slice(&loopback::INDEX.to_ne_bytes());
            if is_v4 {
                put(list, 1, &loopback::ADDRESS); // IFA_ADDRESS
                put(list, 2, &loopback::ADDRESS); // IFA_LOCAL
                put_name(list, 3, loopback::NAME); // IFA_LABEL
            } else {
                put(list, 1, &loopback::ADDRESS_V6);
            }
            put(list, 8, &u32::from(PERMANENT).to_ne_bytes()); // IFA_FLAGS
            // IFA_CACHEINFO: for ever, since the start.
            let mut life = [0xff; 16];
            life[8..].fill(0);
            put(list, 6, &life);
        });
    }

    /// The network, the address in it, and the one for all in it.
    fn put_routes(&self, list: &mut Vec<u8>) {
        const LOCAL: u8 = 2;
        const BROADCAST: u8 = 3;
        const LINK: u8 = 253;
        let [network, _, _, _] = loopback::ADDRESS;
        let all = [
            ([network, 0, 0, 0], loopback::PREFIX_BITS, HOST, LOCAL),
            (loopback::ADDRESS, 32, HOST, LOCAL),
            ([network, 255, 255, 255], 32, LINK, BROADCAST),
        ];
        for (to, bits, scope, kind) in all {
            self.message(list, NEW_ROUTE, MULTIPLE, |list| {
                list.extend_from_slice(&[
                    AF_INET,
                    bits,
                    0,
                    0,
                    LOCAL_TABLE,
                    BY_KERNEL,
                    scope,
                    kind,
                    0,
                    0,
                    0,
                    0,
                ]);
                put(list, 15, &u32::from(LOCAL_TABLE).to_ne_bytes()); // RTA_TABLE
                put(list, 1, &to); // RTA_DST
                put(list, 7, &loopback::ADDRESS); // RTA_PREFSRC
                put(list, 4, &loopback::INDEX.to_ne_bytes()); // RTA_OIF
            });
        }
    }

    fn put_route_v6(&self, list: &mut Vec<u8>) {
        self.message(list, NEW_ROUTE, MULTIPLE, |list| {
            list.extend_from_slice(&[AF_INET6, V6_BITS, 0, 0, LOCAL_TABLE, BY_KERNEL, 0, 2, 0, 0, 0, 0]);
            put(list, 15, &u32::from(LOCAL_TABLE).to_ne_bytes());
            put(list, 1, &loopback::ADDRESS_V6);
            put(list, 6, &0u32.to_ne_bytes()); // RTA_PRIORITY
            put(list, 4, &loopback::INDEX.to_ne_bytes());
        });
    }

    /// An error, with the request that it is of; or its acknowledgement, with the request's header.
    fn error(&mut self, code: i32) {
        let Ok(mut reply) = self.begin() else { return };
        let whole = self.request.whole;
        let (flags, told) = if code == 0 { (CAPPED, &whole[..HEADER_BYTES]) } else { (0, whole) };
        if reply.try_reserve(2 * HEADER_BYTES + told.len()).is_err() {
            self.is_short = true;
            return;
        }
        self.message(&mut reply, ERROR, flags, |reply| {
            reply.extend_from_slice(&code.to_ne_bytes());
            reply.extend_from_slice(told);
        });
        self.sent.push(reply);
    }

    /// Room for an answer. ENOMEM.
    fn begin(&mut self) -> Result<Vec<u8>, Errno> {
        let mut bytes = Vec::new();
        let has_room = bytes.try_reserve_exact(MESSAGE_BYTES).is_ok() && self.sent.try_reserve(2).is_ok();
        self.is_short |= !has_room;
        if has_room { Ok(bytes) } else { Err(Errno::ENOMEM) }
    }

    /// Adds a message with its header.
    fn message(&self, list: &mut Vec<u8>, kind: u16, flags: u16, content: impl FnOnce(&mut Vec<u8>)) {
        let start = list.len();
        list.extend_from_slice(&[0; 4]);
        list.extend_from_slice(&kind.to_ne_bytes());
        list.extend_from_slice(&flags.to_ne_bytes());
        list.extend_from_slice(&self.request.sequence.to_ne_bytes());
        list.extend_from_slice(&self.port.to_ne_bytes());
        content(list);
        let len = u32::try_from(list.len() - start).unwrap_or(u32::MAX);
        list[start..start + 4].copy_from_slice(&len.to_ne_bytes());
    }
}

/// Adds an attribute.
fn put(list: &mut Vec<u8>, kind: u16, value: &[u8]) {
    put_padded(list, kind, value, 0);
}

/// Adds a name with its NUL.
fn put_name(list: &mut Vec<u8>, kind: u16, name: &[u8]) {
    put_padded(list, kind, name, 1);
}

fn put_padded(list: &mut Vec<u8>, kind: u16, value: &[u8], zeros: usize) {
    let len = u16::try_from(4 + value.len() + zeros).unwrap_or(u16::MAX);
    list.extend_from_slice(&len.to_ne_bytes());
    list.extend_from_slice(&kind.to_ne_bytes());
    list.extend_from_slice(value);
    list.resize((list.len() + zeros).next_multiple_of(4), 0);
}

/// The attributes of a request, up to the first that is none.
fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    const KIND_MASK: u16 = 0x3fff;
    core::iter::from_fn(move || {
        let (len, kind) = (bytes.get(..2)?, bytes.get(2..4)?);
        let len = usize::from(u16::from_ne_bytes(len.try_into().ok()?));
        let kind = u16::from_ne_bytes(kind.try_into().ok()?) & KIND_MASK;
        let value = bytes.get(4..len)?;
        bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    /// A request, as a program writes it.
    fn asked(kind: u16, flags: u16, body: &[u8]) -> std::vec::Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes[0] = u8::try_from(HEADER_BYTES + body.len()).unwrap();
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        bytes[8] = 7;
        bytes.extend_from_slice(body);
        bytes
    }

    /// The kinds of the messages that answer it, datagram by datagram, and the code of an error.
    fn told(bytes: &[u8]) -> (std::vec::Vec<std::vec::Vec<u16>>, i32) {
        let mut code = 0;
        let replies: std::vec::Vec<_> =
            requests(bytes).flat_map(|request| answer(request, 99).unwrap()).collect();
        let kinds = replies.iter().map(|reply| {
            let messages = requests(reply).map(|message| {
                assert_eq!(message.sequence, 7, "as in the request");
                assert_eq!(message.whole[12..16], 99u32.to_ne_bytes());
                if message.kind == ERROR {
                    code = i32::from_ne_bytes(message.whole[16..20].try_into().unwrap());
                }
                message.kind
            });
            messages.collect()
        });
        (kinds.collect(), code)
    }

    const LIST: u16 = REQUEST | DUMP;
    const ONE: u16 = REQUEST | ACKNOWLEDGE;

    #[test]
    fn lists_are_told_and_ended() {
        let families = [vec![0; 16], vec![AF_INET; 16], vec![AF_INET6; 16]];
        let [all, v4, v6] = [0, 1, 2].map(|index| families[index].as_slice());
        for (kind, family, datagrams) in [
            (GET_LINK, all, vec![vec![NEW_LINK], vec![DONE]]),
            (GET_ADDRESS, all, vec![vec![NEW_ADDRESS; 2], vec![DONE]]),
            (GET_ADDRESS, v4, vec![vec![NEW_ADDRESS], vec![DONE]]),
            (GET_ADDRESS, v6, vec![vec![NEW_ADDRESS, DONE]]),
            (GET_ROUTE, all, vec![vec![NEW_ROUTE; 4], vec![DONE]]),
            (GET_ROUTE, v6, vec![vec![NEW_ROUTE, DONE]]),
            (GET_NEIGHBOUR, all, vec![vec![DONE]]),
        ] {
            assert_eq!(told(&asked(kind, LIST, family)), (datagrams, 0), "{kind} {}", family[0]);
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_the_request() {
        let code = |errno: Errno| (vec![vec![ERROR]], -i32::from(errno.number()));
        let named = |name: &[u8]| {
            let mut body = vec![0; 16];
            put_name(&mut body, 3, name);
            asked(GET_LINK, REQUEST, &body)
        };
        let mut other = [0; 16];
        other[4] = 5;
        for (request, answer) in [
            (asked(GET_LINK, REQUEST, &other), code(Errno::ENODEV)),
            (asked(GET_LINK, REQUEST, &[0; 16]), code(Errno::EINVAL)),
            (asked(GET_LINK, REQUEST, &[0; 4]), code(Errno::EINVAL)),
            (named(b"xo"), code(Errno::ENODEV)),
            (named(b"lo"), (vec![vec![NEW_LINK]], 0)),
            (asked(GET_ADDRESS, REQUEST, &[0; 8]), code(Errno::EOPNOTSUPP)),
            (asked(999, ONE, &[0; 4]), code(Errno::EOPNOTSUPP)),
            (asked(80 + GET, LIST, &[0; 4]), code(Errno::EOPNOTSUPP)),
            (asked(NEW_LINK, ONE, &[0; 16]), code(Errno::EPERM)),
            (asked(GET_LINK, ONE, &[]), (vec![vec![ERROR]], 0)),
            (asked(GET_LINK, ACKNOWLEDGE, &[0; 16]), (vec![vec![ERROR]], 0)),
            (asked(GET_LINK, 0, &[0; 16]), (vec![], 0)),
            (asked(1, ONE, &[]), (vec![vec![ERROR]], 0)),
            (asked(DONE, REQUEST, &[]), (vec![], 0)),
        ] {
            assert_eq!(told(&request), answer, "{request:?}");
        }
        let refused =
            requests(&named(b"xo")).flat_map(|request| answer(request, 99).unwrap()).next().unwrap();
        assert_eq!(refused[20..], named(b"xo"));
    }

    #[test]
    fn what_is_no_request_ends_the_message() {
        let good = asked(GET_NEIGHBOUR, LIST, &[0; 12]);
        for bad in [&b"abc"[..], &[8, 0, 0, 0, 18, 0, 1, 3], &[255; 16], &[4; 16]] {
            let both = [&good[..], bad].concat();
            assert_eq!(told(&both), (vec![vec![DONE]], 0));
        }
        assert_eq!(told(&[&good[..], &good[..]].concat()).0, vec![vec![DONE], vec![DONE]]);
    }
}
