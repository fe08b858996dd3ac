//! The devices besides the disk, and the disk over the legacy transport: each is driven as its driver does.

use super::bench::{Bench, DATA, NEXT, RAM_BYTES, SIZE, WRITE};
use super::block::Block;
use super::console::Console;
use super::device::Device;
use super::disk::DiskLatency;
use super::net::Net;
use super::rng::Rng;
use super::user_net::{GATEWAY, GUEST, answer};
use isa::Step;
use isa::platform::RAM_BASE;

const BUFFER: u64 = DATA + 0x1000;

/// Posts one writable buffer of `len` bytes in `queue`.
fn offer(bench: &mut Bench, queue: usize, index: u16, at: u64, len: u32) {
    bench.descriptor(queue, index, at, len, WRITE, 0);
    bench.post(queue, index);
}

/// Sends `bytes` through `queue`.
fn send(bench: &mut Bench, queue: usize, bytes: &[u8]) {
    bench.poke(DATA, bytes);
    bench.descriptor(queue, 0, DATA, u32::try_from(bytes.len()).unwrap(), 0, 0);
    bench.post(queue, 0);
}

#[test]
fn the_rng_gives_what_follows_from_the_seed() {
    let bytes = |seed, legacy| {
        let mut bench = Bench::new(Device::Rng(Rng::new(seed)), legacy, Vec::new());
        assert_eq!(bench.get(8), 4);
        offer(&mut bench, 0, 0, DATA, 20);
        assert_eq!((bench.used(0, 0), bench.device.line()), ((0, 20), true));
        bench.peek(DATA, 24).to_vec()
    };
    let first = bytes(1, false);
    assert_eq!(first[20..], [0; 4], "no more than was asked for");
    assert_eq!(first, bytes(1, true));
    assert_ne!(first, bytes(2, false));
    assert!(first[..20].iter().filter(|&&byte| byte == 0).count() < 3);
}

#[test]
fn the_console_sends_at_once_and_receives_when_input_comes() {
    for legacy in [false, true] {
        let mut bench = Bench::new(Device::Console(Console::default()), legacy, Vec::new());
        assert_eq!(bench.get(8), 3);
        send(&mut bench, 1, b"hello\n");
        assert_eq!((bench.stdio.output.as_slice(), bench.used(1, 0)), (&b"hello\n"[..], (0, 0)));
        assert!(!bench.device.wants_input());
        offer(&mut bench, 0, 0, BUFFER, 4);
        offer(&mut bench, 0, 1, BUFFER + 16, 4);
        assert!(bench.device.wants_input() && !bench.poll() && bench.used_index(0) == 0);
        bench.stdio.input.extend(b"abcdef");
        assert!(bench.poll() && bench.poll());
        assert_eq!((bench.used(0, 0), bench.used(0, 1)), ((0, 4), (1, 2)));
        assert_eq!((bench.peek(BUFFER, 5), bench.peek(BUFFER + 16, 3)), (&b"abcd\0"[..], &b"ef\0"[..]));
        assert!(!bench.device.wants_input());
    }
}

#[test]
fn the_legacy_transport_serves_a_disk() {
    let image: Vec<u8> = (0..8 * 512u32).map(|i| u8::try_from(i / 512).unwrap()).collect();
    let block = Block::new(0, image.len() as u64, false, DiskLatency::NONE);
    let mut bench = Bench::new(Device::Block(block), true, image);
    assert_eq!((bench.get(0), bench.get(4), bench.get(8), bench.get(0x100)), (0x7472_6976, 1, 2, 8));
    bench.put(0x14, 1);
    assert_eq!(bench.get(0x10), 0, "only 32 feature bits can be seen");
    assert_eq!(bench.get(0x40), RAM_BASE.0 / 4096);
    // Header, data, status: a read of sector 5.
    let mut header = vec![0; 16];
    header[8] = 5;
    bench.poke(DATA, &header);
    bench.descriptor(0, 0, DATA, 16, NEXT, 1);
    bench.descriptor(0, 1, BUFFER, 512, NEXT | WRITE, 2);
    bench.descriptor(0, 2, DATA + 64, 1, WRITE, 0);
    bench.post(0, 0);
    assert_eq!(
        (bench.used(0, 0), bench.peek(BUFFER, 2), bench.peek(DATA + 64, 1)),
        ((0, 513), &[5, 5][..], &[0][..])
    );
    // Page 0 takes the queue away.
    bench.put(0x40, 0);
    bench.post(0, 0);
    assert_eq!((bench.used_index(0), bench.get(0x40)), (1, 0));
    for register in [0x44, 0x80, 0xfc] {
        assert_eq!(bench.device.read(register, 4), 0, "{register:#x} is a register of version 2");
        bench.put(register, 1);
    }
    bench.write(0x100, 1, 1);
}

/// An Ethernet frame from the guest's card.
fn frame(to: [u8; 6], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = to.to_vec();
    bytes.extend([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
    bytes.extend(ethertype.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn checksum(bytes: &[u8]) -> u16 {
    let sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap()
}

fn ipv4(protocol: u8, from: [u8; 4], to: [u8; 4], body: &[u8]) -> Vec<u8> {
    let mut header = vec![0x45, 0];
    header.extend(u16::try_from(20 + body.len()).unwrap().to_be_bytes());
    header.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
    header.extend(from);
    header.extend(to);
    let sum = checksum(&header).to_be_bytes();
    header[10..12].copy_from_slice(&sum);
    header.extend(body);
    header
}

fn echo_request() -> Vec<u8> {
    let mut icmp = vec![8, 0, 0, 0, 0x12, 0x34, 0, 1];
    icmp.extend(b"payload!");
    let sum = checksum(&icmp).to_be_bytes();
    icmp[2..4].copy_from_slice(&sum);
    icmp
}

const BROADCAST: [u8; 6] = [0xff; 6];
const GATEWAY_MAC: [u8; 6] = [0x52, 0x55, 10, 0, 2, 2];

fn arp_request(for_address: [u8; 4]) -> Vec<u8> {
    let mut arp = vec![0, 1, 8, 0, 6, 4, 0, 1, 0x52, 0x54, 0, 0x12, 0x34, 0x56];
    arp.extend(GUEST.octets());
    arp.extend([0; 6]);
    arp.extend(for_address);
    frame(BROADCAST, 0x0806, &arp)
}

#[test]
fn the_gateway_answers_arp_and_echo_for_itself_only() {
    let reply = answer(&arp_request([10, 0, 2, 2])).unwrap();
    assert_eq!(
        (&reply[6..12], &reply[20..22], &reply[22..28]),
        (&GATEWAY_MAC[..], &[0, 2][..], &GATEWAY_MAC[..])
    );
    assert_eq!(answer(&arp_request([10, 0, 2, 3])), None);

    let ping = |to| answer(&frame(GATEWAY_MAC, 0x0800, &ipv4(1, GUEST.octets(), to, &echo_request())));
    let reply = ping(GATEWAY.octets()).unwrap();
    let (ip, icmp) = (&reply[14..34], &reply[34..]);
    assert_eq!((checksum(ip), checksum(icmp)), (0, 0));
    assert_eq!((&ip[12..16], &ip[16..20]), (&[10, 0, 2, 2][..], &[10, 0, 2, 15][..]));
    assert_eq!((icmp[0], &icmp[4..]), (0, &echo_request()[4..]));
    assert_eq!(ping([8, 8, 8, 8]), None);
    assert_eq!(
        answer(&frame([2; 6], 0x0800, &ipv4(1, GUEST.octets(), GATEWAY.octets(), &echo_request()))),
        None
    );
}

#[test]
fn dhcp_offers_the_one_address() {
    for (request, reply) in [(1u8, 2u8), (3, 5)] {
        let mut dhcp = vec![1, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef];
        dhcp.resize(28, 0);
        dhcp.extend([0x52, 0x54, 0, 0x12, 0x34, 0x56]);
        dhcp.resize(236, 0);
        dhcp.extend([0x63, 0x82, 0x53, 0x63, 53, 1, request, 255]);
        let mut udp = vec![0, 68, 0, 67];
        udp.extend(u16::try_from(8 + dhcp.len()).unwrap().to_be_bytes());
        udp.extend([0, 0]);
        udp.extend(&dhcp);
        let bytes = answer(&frame(BROADCAST, 0x0800, &ipv4(17, [0; 4], [255; 4], &udp))).unwrap();
        let message = &bytes[42..];
        assert_eq!(
            (message[0], &message[4..8]),
            (2, &[0xde, 0xad, 0xbe, 0xef][..]),
            "a reply to this request"
        );
        assert_eq!(message[16..20], GUEST.octets());
        assert!(message[240..].windows(3).any(|option| option == [53, 1, reply]), "kind {reply}");
    }
}

#[test]
fn an_answer_waits_for_a_buffer() {
    for (legacy, header) in [(false, 12), (true, 10)] {
        let mut bench = Bench::new(Device::Net(Net::default()), legacy, Vec::new());
        assert_eq!((bench.get(8), bench.get(0x100)), (1, 0x1200_5452));
        let mut packet = vec![0; header];
        packet.extend(arp_request([10, 0, 2, 2]));
        send(&mut bench, 1, &packet);
        assert_eq!((bench.used_index(1), bench.used_index(0)), (1, 0));
        offer(&mut bench, 0, 0, BUFFER, 1526);
        assert_eq!(bench.used(0, 0), (0, u32::try_from(header + 42).unwrap()));
        assert_eq!(bench.peek(BUFFER + header as u64 + 6, 6), GATEWAY_MAC);
    }
}

/// Random frames, and good ones with a few bytes changed, break nothing.
#[test]
fn hostile_frames_break_nothing() {
    let mut random = crate::test_support::xorshift(0x0123_4567_89ab_cdef);
    let good = [
        arp_request([10, 0, 2, 2]),
        frame(GATEWAY_MAC, 0x0800, &ipv4(1, GUEST.octets(), GATEWAY.octets(), &echo_request())),
    ];
    let mut answered = 0;
    for _ in 0..200_000 {
        let mut bytes = good[usize::try_from(random() % 2).unwrap()].clone();
        for _ in 0..random() % 4 {
            let at = usize::try_from(random()).unwrap() % bytes.len();
            bytes[at] = random().to_le_bytes()[0];
        }
        if random().is_multiple_of(4) {
            bytes.truncate(usize::try_from(random()).unwrap() % bytes.len());
        }
        answered += u32::from(answer(&bytes).is_some());
    }
    assert!(answered > 1000, "{answered} frames were answered");
}

/// Random tables, rings and registers at each device, over both transports.
#[test]
fn a_hostile_driver_breaks_no_device() {
    let mut random = crate::test_support::xorshift(0xfeed_beef_1234_5677);
    let devices =
        [Device::Rng(Rng::new(3)), Device::Console(Console::default()), Device::Net(Net::default())];
    for (device, legacy) in devices.into_iter().flat_map(|device| [(device.clone(), false), (device, true)]) {
        let mut bench = Bench::new(device, legacy, Vec::new());
        let queues = bench.queues.len();
        let (mut broken, mut served) = (0, 0);
        for round in 0..5_000u64 {
            bench.now = Step(round * 1000);
            let queue = usize::try_from(random()).unwrap() % queues;
            for index in 0..SIZE {
                let addr = match random() % 16 {
                    0 => random(),
                    _ => RAM_BASE.0 + random() % (RAM_BYTES as u64 - 4096),
                };
                let len = [0, 1, 16, 60, 1526, 4096][usize::try_from(random() % 6).unwrap()];
                let flags =
                    u16::try_from([0, 1, 2, 2, 3, random() % 16][usize::try_from(random() % 6).unwrap()]);
                bench.descriptor(
                    queue,
                    index,
                    addr,
                    len,
                    flags.unwrap(),
                    u16::try_from(random() % 9).unwrap(),
                );
            }
            match random() % 16 {
                0 => bench.posted[queue] = u16::try_from(random() & 0xffff).unwrap(),
                1 => bench.write(random() % 96 * 4, 4, random() >> (random() % 64)),
                _ => bench.stdio.input.extend(b"x"),
            }
            bench.post(queue, u16::try_from(random() % 8).unwrap());
            bench.advance(Step(round * 1000 + 500));
            if bench.device.wants_input() {
                bench.poll();
            }
            if bench.get(0x70) & 64 != 0 || bench.get(0x70) & 4 == 0 {
                broken += 1;
                for layout in bench.queues.clone() {
                    bench.poke(layout.available, &[0; 32]);
                }
                if legacy { bench.start_legacy() } else { bench.start(SIZE.into()) }
            } else {
                served += 1;
            }
        }
        assert!(broken > 50 && served > 50, "both ways were taken: {broken} broken, {served} not");
    }
}
