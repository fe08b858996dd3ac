//! What a program may say and hear of the header of a datagram over IP (ip(7), ipv6(7), RFC 3542).

use super::{Ip, Options};

/// What a sender asks for, and what a receiver is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PacketHeader {
    /// This end's address: where it goes out from, if the sender says so, and where it has come to.
    pub here: Option<Ip>,
    /// Over how many machines more it may go: TTL, or hop limit.
    pub hops: Option<u8>,
    /// What it is like: TOS, or traffic class.
    pub class: Option<u8>,
}

impl PacketHeader {
    /// As it goes out, by a socket with these options.
    pub(super) fn sent(self, to: Ip, options: &Options) -> Self {
        let hops = self.hops.unwrap_or_else(|| options.hops(to));
        let class = self.class.unwrap_or_else(|| options.class(to));
        Self { here: Some(to), hops: Some(hops), class: Some(class) }
    }
}
