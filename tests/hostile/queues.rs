//! Random descriptors in the queues of every virtio device, over both transports: the driver sets a device up
//! as the specification says, then everything in the rings is nonsense: chains that loop, buffers over the edge of RAM or over the
//! rings themselves, lengths of 4 GiB, indices that jump.

use super::random::{Noise, Random};
use emulator::devices::board::Setup;
use emulator::devices::input::Console;
use emulator::machine::bus::{Bus, Devices};
use emulator::machine::{DiskLatency, VirtioConfig};
use emulator::mem::ram::Ram;
use emulator::platform::Platform;
use isa::platform::{self, RAM_BASE};
use isa::{PhysAddr, Step};

/// Small, as one chain may cover all of it many times.
const RAM_BYTES: u64 = 32 << 10;
/// Descriptors of a queue.
const SIZE: u16 = 16;
/// Each queue has two pages: the legacy layout, which the modern transport is told too.
const QUEUE_BYTES: u64 = 0x2000;
const USED_OFFSET: u64 = 0x1000;
const STATUS: u64 = 0x70;
const NEEDS_RESET: u64 = 0x40;
/// Descriptors after which a device is set up anew at the latest.
const DESCRIPTORS_A_SETUP: u64 = 400;

/// What became of one device's requests.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    pub name: &'static str,
    /// Chains that came back.
    pub used: u64,
    /// Times that the device asked for a reset.
    pub broken: u64,
}

pub fn run(seed: u64, descriptors: u64) -> Vec<Seen> {
    let mut random = Random(seed);
    let mut all = Vec::new();
    let last = platform::VIRTIO_SLOTS - 1;
    let kinds = [("block", 0, 2), ("console", last, 3), ("rng", last - 1, 4), ("net", last - 2, 1)];
    for legacy in [false, true] {
        for (name, slot, device_id) in kinds {
            let mut seen = Seen { name, ..Seen::default() };
            let mut left = descriptors / (2 * kinds.len() as u64) + 1;
            while left > 0 {
                let count = left.min(DESCRIPTORS_A_SETUP);
                Driver::new(&mut random, slot, device_id, legacy).attack(&mut random, count, &mut seen);
                left -= count;
            }
            all.push(seen);
        }
    }
    all
}

struct Driver {
    bus: Bus,
    ram: Ram,
    base: PhysAddr,
    legacy: bool,
    queues: u64,
    now: Step,
}

impl Driver {
    /// A board, with the device in `slot` set up.
    fn new(random: &mut Random, slot: usize, device_id: u64, legacy: bool) -> Self {
        let virtio = VirtioConfig { legacy, rng: true, net: true };
        let (seed, console) = (random.next(), Console::Virtio);
        let setup = Setup { harts: 1, seed, virtio, console, ..Setup::default() };
        let mut bus = Bus::new(Devices::new(&setup));
        bus.attach_disk(Box::new(vec![7; 16 << 10]), random.one_in(4), DiskLatency::default()).unwrap();
        bus.set_stdio(Box::new(Noise(Random(random.next()))));
        let base = platform::virtio_slot(slot).base;
        // Console and net receive in queue 0 and send in queue 1.
        let queues = if matches!(device_id, 1 | 3) { 2 } else { 1 };
        let ram = Ram::new(usize::try_from(RAM_BYTES).unwrap());
        let mut driver = Self { bus, ram, base, legacy, queues, now: Step(1) };
        assert_eq!(driver.get(8), device_id, "the device in slot {slot}");
        driver.set_up();
        driver
    }

    fn put(&mut self, offset: u64, value: u64) {
        let answer = self.bus.write(&mut self.ram, self.base.wrapping_add(offset), 4, value, self.now);
        assert_eq!(answer, Ok(()), "register {offset:#x}");
    }
    fn get(&mut self, offset: u64) -> u64 {
        self.bus.read(&mut self.ram, self.base.wrapping_add(offset), 4, self.now).unwrap()
    }
    fn poke(&mut self, at: u64, bytes: &[u8]) {
        assert!(self.ram.write(PhysAddr(at), bytes));
    }
    fn queue_at(queue: u64) -> u64 {
        RAM_BASE.0 + queue * QUEUE_BYTES
    }

    fn set_up(&mut self) {
        if self.legacy {
            self.put(0x28, 4096);
        }
        self.put(STATUS, 0);
        self.put(STATUS, 3);
        if !self.legacy {
            self.put(0x24, 1);
            self.put(0x20, 1);
            self.put(STATUS, 11);
        }
        for queue in 0..self.queues {
            let at = Self::queue_at(queue);
            self.put(0x30, queue);
            self.put(0x38, SIZE.into());
            if self.legacy {
                self.put(0x3c, 4096);
                self.put(0x40, at / 4096);
                continue;
            }
            let available = at + 16 * u64::from(SIZE);
            for (register, address) in [(0x80, at), (0x90, available), (0xa0, at + USED_OFFSET)] {
                self.put(register, address & 0xffff_ffff);
                self.put(register + 4, address >> 32);
            }
            self.put(0x44, 1);
        }
        self.put(STATUS, if self.legacy { 7 } else { 15 });
    }

    fn used_index(&self, queue: u64) -> u16 {
        let bytes = self.ram.slice(PhysAddr(Self::queue_at(queue) + USED_OFFSET + 2), 2).unwrap();
        u16::from_le_bytes([bytes[0], bytes[1]])
    }

    fn attack(&mut self, random: &mut Random, descriptors: u64, seen: &mut Seen) {
        let mut posted = [0u16; 2];
        for _ in 0..descriptors {
            let queue = random.below(self.queues);
            // With nothing but nonsense the device would never get beyond the first descriptor.
            let sane = !random.one_in(6);
            let index = random.half_word() % SIZE;
            self.descriptor(random, queue, index, sane);
            if random.one_in(8) {
                self.request(random);
            }
            if random.one_in(2) {
                let before = self.used_index(queue);
                self.post(random, queue, index, &mut posted, sane);
                self.put(0x50, queue);
                self.pass_time(random);
                let after = self.used_index(queue);
                // A device writes nowhere but into its buffers and rings; buffers may lie over the rings.
                seen.used += u64::from(after != before);
            }
            if self.get(STATUS) & NEEDS_RESET != 0 {
                seen.broken += 1;
                self.set_up();
                posted = [0; 2];
                for queue in 0..self.queues {
                    self.poke(Self::queue_at(queue) + 16 * u64::from(SIZE), &[0; 4]);
                    self.poke(Self::queue_at(queue) + USED_OFFSET, &[0; 4]);
                }
            }
        }
    }

    fn descriptor(&mut self, random: &mut Random, queue: u64, index: u16, sane: bool) {
        let buffers = RAM_BASE.0 + self.queues * QUEUE_BYTES;
        let (addr, len, flags, next) = if sane {
            let len = random.of(&[1, 16, 512, 513, 1024]);
            (buffers + random.below(0x1000), len, random.half_word() & 2, 0)
        } else {
            let len = if random.one_in(4) { random.word() >> random.below(32) } else { random.word() % 600 };
            (random.address(RAM_BYTES), len, random.half_word() & 7, random.half_word() % (SIZE + 2))
        };
        let mut bytes = addr.to_le_bytes().to_vec();
        bytes.extend(len.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        bytes.extend(next.to_le_bytes());
        self.poke(Self::queue_at(queue) + 16 * u64::from(index), &bytes);
    }

    /// The header of a request to a disk, or of a packet, where buffers begin.
    fn request(&mut self, random: &mut Random) {
        let kind = random.of(&[0u32, 1, 4, 8, 11, 13, 14, 0xffff]);
        let mut bytes = kind.to_le_bytes().to_vec();
        bytes.extend([0; 4]);
        bytes.extend(if random.one_in(3) { random.number() } else { random.below(40) }.to_le_bytes());
        let at = RAM_BASE.0 + self.queues * QUEUE_BYTES + random.below(0x1000);
        self.poke(at, &bytes);
    }

    fn post(&mut self, random: &mut Random, queue: u64, index: u16, posted: &mut [u16; 2], sane: bool) {
        let available = Self::queue_at(queue) + 16 * u64::from(SIZE);
        let posted = &mut posted[usize::try_from(queue).unwrap()];
        let head = if !sane && random.one_in(16) { random.half_word() } else { index };
        self.poke(available + 4 + 2 * u64::from(*posted % SIZE), &head.to_le_bytes());
        *posted = match random.below(64) {
            0 if !sane => random.half_word(),
            _ => posted.wrapping_add(1),
        };
        self.poke(available + 2, &posted.to_le_bytes());
    }

    fn pass_time(&mut self, random: &mut Random) {
        if random.one_in(8) {
            self.bus.poll_input(&mut self.ram, self.now);
        }
        self.now = match random.below(4) {
            0 => self.bus.next_event(self.now).min(Step(1 << 62)).max(self.now),
            _ => self.now.after(random.below(100_000)),
        };
        self.bus.advance(&mut self.ram, self.now);
        self.bus.interrupt_lines(0, self.now);
        assert!(self.bus.next_event(self.now) > self.now);
    }
}
