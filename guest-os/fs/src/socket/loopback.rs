//! The one network interface that there is, `lo`, as Linux has it (netdevice(7), rtnetlink(7)): its facts, for whoever tells them.
//!
//! No packets go over it (a connection is two queues), so that nothing of it is counted.

/// Its name.
pub const NAME: &[u8] = b"lo";
/// Its number.
pub const INDEX: u32 = 1;
/// IFF_UP, IFF_LOOPBACK, IFF_RUNNING; IFF_LOWER_UP is told by netlink alone.
pub const FLAGS: u32 = 0x49;
/// IFF_LOWER_UP: the wire is there, too.
pub(super) const LOWER_UP: u32 = 0x1_0000;
/// Bytes of the largest packet.
pub const MTU: u32 = 65_536;
/// Packets that may wait to be sent.
pub const QUEUE_LENGTH: u32 = 1000;
/// ARPHRD_LOOPBACK: its hardware has no address.
pub const HARDWARE: u16 = 772;
/// Its address of IPv4,
pub const ADDRESS: [u8; 4] = [127, 0, 0, 1];
/// and the network that it is in, by the length of its prefix.
pub(super) const PREFIX_BITS: u8 = 8;
/// The same as a mask.
pub const MASK: [u8; 4] = [255, 0, 0, 0];
/// Its address of IPv6.
pub(super) const ADDRESS_V6: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
