//! The transport with a block device behind it: a well-behaved driver, and a hostile one.

use super::*;
use crate::devices::virtio::bench::{Bench as Driver, DATA, Layout, NEXT, RAM_BYTES, SIZE, WRITE};
use crate::devices::virtio::block::{Block, F_FLUSH, F_RO};
use crate::devices::virtio::disk::DiskLatency;
use isa::platform::RAM_BASE;
use std::ops::{Deref, DerefMut};

const LAYOUT: Layout = Layout::modern(0);
const HEADER: u64 = RAM_BASE.0 + 0x3000;
const STATUS: u64 = RAM_BASE.0 + 0x3100;

/// A driver of a disk.
struct Bench(Driver);

impl Deref for Bench {
    type Target = Driver;
    fn deref(&self) -> &Driver {
        &self.0
    }
}
impl DerefMut for Bench {
    fn deref_mut(&mut self) -> &mut Driver {
        &mut self.0
    }
}

impl Bench {
    fn new(read_only: bool, latency: DiskLatency) -> Self {
        let image: Vec<u8> = (0..16 * 512u32).map(|i| u8::try_from(i / 512).unwrap()).collect();
        let block = Block::new(0, image.len() as u64, read_only, latency);
        Self(Driver::new(Device::Block(block), false, image))
    }
    fn block(&self) -> &Block {
        let Device::Block(block) = self.device.device() else { panic!("a disk was put there") };
        block
    }
    fn descriptor(&mut self, index: u16, addr: u64, len: u32, flags: u16, next: u16) {
        self.0.descriptor(0, index, addr, len, flags, next);
    }
    fn header(&mut self, kind: u32, sector: u64) {
        let mut bytes = kind.to_le_bytes().to_vec();
        bytes.extend([0; 4]);
        bytes.extend(sector.to_le_bytes());
        self.poke(HEADER, &bytes);
    }
    fn post(&mut self, head: u16, now: Step) {
        self.now = now;
        self.0.post(0, head);
    }
    /// One whole request; its status byte and the length in the used ring.
    fn request(&mut self, kind: u32, sector: u64, len: u32) -> (u8, u32) {
        self.header(kind, sector);
        self.poke(STATUS, &[0xee]);
        let data_flags = if kind == 1 { NEXT } else { NEXT | WRITE };
        self.descriptor(0, HEADER, 16, NEXT, 1);
        self.descriptor(1, DATA, len, data_flags, 2);
        self.descriptor(2, STATUS, 1, WRITE, 0);
        self.post(0, Step(0));
        self.advance(Step::NEVER);
        let (head, written) = self.used(0, self.posted[0].wrapping_sub(1));
        assert_eq!(head, 0, "head 0 is used");
        (self.peek(STATUS, 1)[0], written)
    }
}

#[test]
fn reads_writes_flushes_and_names_itself() {
    let mut b = Bench::new(false, DiskLatency::NONE);
    assert_eq!((b.get(0), b.get(4), b.get(8), b.get(12)), (0x7472_6976, 2, 2, 0x554d_4551));
    assert_eq!(b.request(0, 3, 1024), (0, 1025));
    assert_eq!((b.peek(DATA, 2), b.peek(DATA + 512, 1)), (&[3, 3][..], &[4][..]));
    b.poke(DATA, &[0xab; 512]);
    assert_eq!(b.request(1, 3, 512), (0, 1));
    assert_eq!(b.request(0, 3, 1024), (0, 1025));
    assert_eq!((b.peek(DATA, 1), b.peek(DATA + 512, 1)), (&[0xab][..], &[4][..]));
    assert_eq!(b.image[3 * 512], 3, "the image itself is never written");
    assert_eq!(b.request(4, 0, 16), (0, 1));
    assert_eq!(b.request(8, 0, 20), (0, 21));
    assert_eq!(b.peek(DATA, 11), b"folio-disk0");
    let counters = b.block().counters();
    assert_eq!((counters.reads, counters.read_bytes, counters.writes, counters.flushes), (2, 2048, 1, 1));
    assert_eq!((b.get(0x60), b.device.line()), (1, true));
    b.put(0x64, 1);
    assert!(!b.device.line());
}

#[test]
fn bad_requests_get_an_error_status() {
    let mut b = Bench::new(true, DiskLatency::NONE);
    for (kind, sector, len, status) in [
        (0, 16, 512, 1),
        (0, 15, 1024, 1),
        (0, u64::MAX, 512, 1),
        (0, 0, 100, 1),
        (1, 0, 512, 1),
        (99, 0, 512, 2),
    ] {
        assert_eq!(b.request(kind, sector, len), (status, 1), "kind {kind} sector {sector} len {len}");
    }
}

#[test]
fn completion_comes_at_its_step_and_requests_queue_behind_each_other() {
    let mut b = Bench::new(false, DiskLatency { base_steps: 100, sector_steps: 10 });
    b.header(0, 0);
    for (first, status) in [(0, STATUS), (3, STATUS + 1)] {
        b.descriptor(first, HEADER, 16, NEXT, first + 1);
        b.descriptor(first + 1, DATA, 512, NEXT | WRITE, first + 2);
        b.descriptor(first + 2, status, 1, WRITE, 0);
    }
    b.post(0, Step(1000));
    b.post(3, Step(1050));
    for (now, used, deadline) in [(1109, 0, 1110), (1110, 1, 1220), (1219, 1, 1220), (1220, 2, u64::MAX)] {
        b.advance(Step(now));
        assert_eq!((b.used_index(0), b.device.next_deadline()), (used, Step(deadline)), "step {now}");
    }
}

#[test]
fn the_driver_may_refuse_interrupts() {
    let mut b = Bench::new(false, DiskLatency::NONE);
    b.poke(LAYOUT.available, &[1, 0]);
    assert_eq!(b.request(0, 0, 512), (0, 513));
    assert!(!b.device.line());
}

#[test]
fn features_that_were_not_offered_do_not_stick() {
    let mut b = Bench::new(true, DiskLatency::NONE);
    b.put(0x14, 0);
    assert_eq!(b.get(0x10) & (F_RO | F_FLUSH), F_RO | F_FLUSH);
    for (low, high, accepted) in [(0, 1, true), (0, 0, true), (1, 1, false), (0x200, 1, true), (0, 2, false)]
    {
        b.put(0x70, 0);
        b.put(0x24, 0);
        b.put(0x20, low);
        b.put(0x24, 1);
        b.put(0x20, high);
        b.put(0x70, 11);
        assert_eq!(b.get(0x70) & 8 != 0, accepted, "{high:#x}:{low:#x}");
    }
}

#[test]
fn broken_queues_need_a_reset_and_recover_by_it() {
    type Breakage = fn(&mut Bench);
    let rows: &[(&str, Breakage)] = &[
        ("index past the table", |b| b.post(SIZE, Step(0))),
        ("a loop", |b| {
            b.descriptor(0, HEADER, 16, NEXT, 0);
            b.post(0, Step(0));
        }),
        ("a buffer outside RAM", |b| {
            b.descriptor(0, 8, 16, 0, 0);
            b.post(0, Step(0));
        }),
        ("no status byte", |b| {
            b.descriptor(0, HEADER, 16, 0, 0);
            b.post(0, Step(0));
        }),
        ("readable after writable", |b| {
            b.descriptor(0, HEADER, 16, NEXT | WRITE, 1);
            b.descriptor(1, HEADER, 16, 0, 0);
            b.post(0, Step(0));
        }),
        ("an indirect table", |b| {
            b.descriptor(0, HEADER, 16, 4, 0);
            b.post(0, Step(0));
        }),
        ("an index that jumps", |b| {
            b.posted[0] = 1000;
            b.post(0, Step(0));
        }),
        ("a size that is no power of two", |b| {
            b.start(7);
            b.post(0, Step(0));
        }),
        ("rings outside RAM", |b| {
            b.queues[0] = Layout { table: u64::MAX - 15, available: u64::MAX - 1, used: u64::MAX - 3 };
            b.start(8);
            b.put(0x50, 0);
            b.queues[0] = LAYOUT;
        }),
    ];
    for (name, breakage) in rows {
        let mut b = Bench::new(false, DiskLatency::NONE);
        breakage(&mut b);
        assert_eq!((b.get(0x70) & 64, b.device.line()), (64, true), "{name}");
        b.poke(LAYOUT.available, &[0; 64]);
        b.start(SIZE.into());
        assert_eq!(b.request(0, 1, 512), (0, 513), "{name}");
    }
}

#[test]
fn registers_have_their_widths() {
    let mut b = Bench::new(false, DiskLatency::NONE);
    assert_eq!((b.device.read(0x100, 4), b.device.read(0x100, 1)), (16, 16));
    for (offset, width) in [(0, 1), (4, 2), (0x18, 4), (0xf8, 4), (0x1fc, 4)] {
        assert_eq!(b.device.read(offset, width), 0, "{offset:#x}/{width}");
    }
    // Neither the configuration nor a part of a register is written.
    b.write(0x100, 4, 1);
    b.write(0x70, 1, 0);
    assert_eq!((b.get(0x100), b.get(0x70)), (16, 15));
    let empty = [0, 4, 8, 0xc, 0x100].map(|offset| read_empty(offset, false));
    assert_eq!(empty, [u64::from(MAGIC), 2, 0, u64::from(VENDOR), 0]);
    assert_eq!(read_empty(4, true), 1);
}

/// The specification knows no longest request: boot loaders read a whole RAM disk by one.
#[test]
fn a_request_may_be_of_any_length() {
    const LEN: u32 = 40 << 20;
    let image: Vec<u8> = (0..LEN).map(|i| u8::try_from(i / 512 % 251).unwrap()).collect();
    let block = Block::new(0, LEN.into(), false, DiskLatency::NONE);
    let mut b = Bench(Driver::new(Device::Block(block), false, image));
    b.ram = Ram::new(LEN as usize + RAM_BYTES);
    b.start(SIZE.into());
    assert_eq!(b.request(0, 0, LEN), (0, LEN + 1));
    assert!(b.peek(DATA, LEN as usize) == b.image);
    b.ram = Ram::new(LEN as usize + RAM_BYTES);
    b.start(SIZE.into());
    assert_eq!(b.request(1, 0, LEN), (0, 1));
    assert_eq!(b.request(0, u64::from(LEN / 512) - 1, 512), (0, 513));
    assert!(b.peek(DATA, 512).iter().all(|&byte| byte == 0));
    assert_eq!(b.block().counters().written_bytes, u64::from(LEN));
    assert_eq!(b.request(0, 1, LEN).0, 1, "past the end");
}

/// Tens of thousands of random tables, rings and register writes: no panic, no endless loop, memory bounded.
#[test]
fn a_hostile_driver_breaks_nothing() {
    let mut random = crate::test_support::xorshift(0x1234_5678_9abc_def1);
    let mut b = Bench::new(false, DiskLatency { base_steps: 50, sector_steps: 1 });
    let (mut broken, mut served) = (0, 0);
    for round in 0..40_000u64 {
        for index in 0..SIZE {
            let addr = match random() % 8 {
                0 => random(),
                1 => RAM_BASE.0 + RAM_BYTES as u64 - random() % 8,
                _ => RAM_BASE.0 + random() % RAM_BYTES as u64,
            };
            let len = [0, 1, 16, 17, 512, 513, 4096, u32::MAX][usize::try_from(random() % 8).unwrap()];
            let flags = u16::try_from(
                [0, 1, 1, 1, 2, 3, 3, random() & 0xffff][usize::try_from(random() % 8).unwrap()],
            );
            let next = u16::try_from(random() % 10).unwrap();
            b.descriptor(index, addr, len, flags.unwrap(), next);
        }
        let sector = if random().is_multiple_of(4) { random() } else { random() % 20 };
        b.header(u32::try_from(random() % 10).unwrap(), sector);
        match random() % 8 {
            0 => b.posted[0] = u16::try_from(random() & 0xffff).unwrap(),
            1 => {
                // Any register, any value; the ones that do not exist fault.
                let (offset, value) = (random() % 64 * 4, random());
                b.write(offset, 4, value);
            }
            _ => {}
        }
        // A good header first, so that some requests get through.
        if random().is_multiple_of(2) {
            b.descriptor(0, HEADER, 16, NEXT, 1);
        }
        b.post(u16::try_from(random() % 9).unwrap(), Step(round * 10));
        b.advance(Step(round * 10 + random() % 100));
        assert!(b.block().in_flight() <= 256);
        if b.get(0x70) & 64 != 0 {
            broken += 1;
            b.poke(LAYOUT.available, &[0; 64]);
            b.start(SIZE.into());
        } else {
            served += 1;
        }
    }
    assert!(broken > 1000 && served > 1000, "both ways were taken: {broken} broken, {served} not");
}
