//! A network that is not there: a gateway at 10.0.2.2 that answers ARP, ICMP echo and DHCP, and nothing else.
//!
//! The addresses are those of QEMU's user network. It is a pure function from a frame to its answer: no host
//! socket, no clock, no state; the one guest always gets 10.0.2.15.

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, DhcpMessageType, DhcpPacket, DhcpRepr, EthernetAddress, EthernetFrame,
    EthernetProtocol, EthernetRepr, Icmpv4Packet, Icmpv4Repr, IpAddress, IpProtocol, Ipv4Address, Ipv4Packet,
    Ipv4Repr, UdpPacket, UdpRepr,
};

/// The gateway.
pub const GATEWAY: Ipv4Address = Ipv4Address::new(10, 0, 2, 2);
/// The guest.
pub const GUEST: Ipv4Address = Ipv4Address::new(10, 0, 2, 15);
const NETMASK: Ipv4Address = Ipv4Address::new(255, 255, 255, 0);
const GATEWAY_MAC: EthernetAddress = EthernetAddress([0x52, 0x55, 10, 0, 2, 2]);
const LEASE_SECONDS: u32 = 86_400;
const DHCP_SERVER_PORT: u16 = 67;
const DHCP_CLIENT_PORT: u16 = 68;
const HOP_LIMIT: u8 = 64;
const ETHERNET_BYTES: usize = 14;

/// What the network answers to `frame`, if anything.
pub fn answer(frame: &[u8]) -> Option<Vec<u8>> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    let destination = ethernet.dst_addr();
    if destination != GATEWAY_MAC && !destination.is_broadcast() {
        return None;
    }
    let (protocol, payload) = match ethernet.ethertype() {
        EthernetProtocol::Arp => (EthernetProtocol::Arp, arp(ethernet.payload())?),
        EthernetProtocol::Ipv4 => (EthernetProtocol::Ipv4, ipv4(ethernet.payload())?),
        _ => return None,
    };
    let header = EthernetRepr { src_addr: GATEWAY_MAC, dst_addr: ethernet.src_addr(), ethertype: protocol };
    let mut bytes = vec![0; ETHERNET_BYTES];
    header.emit(&mut EthernetFrame::new_unchecked(&mut bytes));
    bytes.extend(payload);
    Some(bytes)
}

fn arp(payload: &[u8]) -> Option<Vec<u8>> {
    let ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr,
        source_protocol_addr,
        target_protocol_addr: GATEWAY,
        ..
    } = ArpRepr::parse(&ArpPacket::new_checked(payload).ok()?).ok()?
    else {
        return None;
    };
    let reply = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Reply,
        source_hardware_addr: GATEWAY_MAC,
        source_protocol_addr: GATEWAY,
        target_hardware_addr: source_hardware_addr,
        target_protocol_addr: source_protocol_addr,
    };
    let mut bytes = vec![0; reply.buffer_len()];
    reply.emit(&mut ArpPacket::new_unchecked(&mut bytes));
    Some(bytes)
}

fn ipv4(payload: &[u8]) -> Option<Vec<u8>> {
    let packet = Ipv4Packet::new_checked(payload).ok()?;
    let header = Ipv4Repr::parse(&packet, &ChecksumCapabilities::default()).ok()?;
    if packet.more_frags() || packet.frag_offset() != 0 {
        return None;
    }
    let (destination, body) = match header.next_header {
        IpProtocol::Icmp if header.dst_addr == GATEWAY => (header.src_addr, icmp(packet.payload())?),
        IpProtocol::Udp if header.dst_addr == GATEWAY || header.dst_addr.is_broadcast() => {
            dhcp(&header, packet.payload())?
        }
        _ => return None,
    };
    let reply = Ipv4Repr {
        src_addr: GATEWAY,
        dst_addr: destination,
        next_header: header.next_header,
        payload_len: body.len(),
        hop_limit: HOP_LIMIT,
    };
    let mut bytes = vec![0; reply.buffer_len()];
    bytes.extend(body);
    reply.emit(&mut Ipv4Packet::new_unchecked(&mut bytes), &ChecksumCapabilities::default());
    Some(bytes)
}

fn icmp(payload: &[u8]) -> Option<Vec<u8>> {
    let packet = Icmpv4Packet::new_checked(payload).ok()?;
    let Icmpv4Repr::EchoRequest { ident, seq_no, data } =
        Icmpv4Repr::parse(&packet, &ChecksumCapabilities::default()).ok()?
    else {
        return None;
    };
    let reply = Icmpv4Repr::EchoReply { ident, seq_no, data };
    let mut bytes = vec![0; reply.buffer_len()];
    reply.emit(&mut Icmpv4Packet::new_unchecked(&mut bytes[..]), &ChecksumCapabilities::default());
    Some(bytes)
}

/// The whole of the DHCP server: an offer for a discovery, an acknowledgement for a request.
fn dhcp(ip: &Ipv4Repr, payload: &[u8]) -> Option<(Ipv4Address, Vec<u8>)> {
    let (from, to) = (IpAddress::Ipv4(ip.src_addr), IpAddress::Ipv4(ip.dst_addr));
    let datagram = UdpPacket::new_checked(payload).ok()?;
    let ports = UdpRepr::parse(&datagram, &from, &to, &ChecksumCapabilities::default()).ok()?;
    if ports.dst_port != DHCP_SERVER_PORT {
        return None;
    }
    let packet = DhcpPacket::new_checked(datagram.payload()).ok()?;
    let request = DhcpRepr::parse(&packet).ok()?;
    let message_type = match request.message_type {
        DhcpMessageType::Discover => DhcpMessageType::Offer,
        DhcpMessageType::Request if request.requested_ip.is_none_or(|wanted| wanted == GUEST) => {
            DhcpMessageType::Ack
        }
        DhcpMessageType::Request => DhcpMessageType::Nak,
        _ => return None,
    };
    let reply = DhcpRepr {
        message_type,
        secs: 0,
        client_ip: Ipv4Address::UNSPECIFIED,
        your_ip: GUEST,
        server_ip: GATEWAY,
        router: Some(GATEWAY),
        subnet_mask: Some(NETMASK),
        requested_ip: None,
        client_identifier: None,
        server_identifier: Some(GATEWAY),
        parameter_request_list: None,
        dns_servers: None,
        max_size: None,
        lease_duration: Some(LEASE_SECONDS),
        renew_duration: None,
        rebind_duration: None,
        additional_options: &[],
        ..request
    };
    let mut message = vec![0; reply.buffer_len()];
    reply.emit(&mut DhcpPacket::new_unchecked(&mut message[..])).ok()?;
    let to = Ipv4Address::BROADCAST;
    let ports = UdpRepr { src_port: DHCP_SERVER_PORT, dst_port: DHCP_CLIENT_PORT };
    let mut bytes = vec![0; ports.header_len() + message.len()];
    ports.emit(
        &mut UdpPacket::new_unchecked(&mut bytes[..]),
        &IpAddress::Ipv4(GATEWAY),
        &IpAddress::Ipv4(to),
        message.len(),
        |body| body.copy_from_slice(&message),
        &ChecksumCapabilities::default(),
    );
    Some((to, bytes))
}
