//! For tests: a small driver that talks to a device through registers and RAM, over either transport.

use super::device::{Device, Host};
use super::disk_fault::DiskFaults;
use super::mmio::VirtioMmio;
use crate::devices::input::{Console, InputDoor};
use crate::mem::ram::Ram;
use crate::test_support::MemoryStdio;
use isa::platform::RAM_BASE;
use isa::{PhysAddr, Step};

pub const RAM_BYTES: usize = 64 << 10;
pub const SIZE: u16 = 8;
pub const NEXT: u16 = 1;
pub const WRITE: u16 = 2;
/// Free for buffers: from here to the end of RAM, apart from the second queue's rings at 0x8000.
pub const DATA: u64 = RAM_BASE.0 + 0x4000;
const QUEUE_STRIDE: u64 = 0x8000;

/// Where a queue's parts lie.
#[derive(Clone, Copy)]
pub struct Layout {
    pub table: u64,
    pub available: u64,
    pub used: u64,
}

impl Layout {
    pub const fn modern(queue: u64) -> Self {
        let table = RAM_BASE.0 + queue * QUEUE_STRIDE;
        Self { table, available: table + 0x1000, used: table + 0x2000 }
    }
    const fn legacy(queue: u64) -> Self {
        let table = RAM_BASE.0 + queue * QUEUE_STRIDE;
        Self { table, available: table + 16 * SIZE as u64, used: table + 0x1000 }
    }
}

pub struct Bench {
    pub device: VirtioMmio,
    pub ram: Ram,
    pub image: Vec<u8>,
    pub faults: DiskFaults,
    pub stdio: MemoryStdio,
    pub input: InputDoor,
    pub queues: Vec<Layout>,
    pub posted: Vec<u16>,
    pub now: Step,
}

impl Bench {
    /// A driver of `device`, with its queues set up.
    pub fn new(device: Device, legacy: bool, image: Vec<u8>) -> Self {
        let queues = device.get().queues();
        let layout = if legacy { Layout::legacy } else { Layout::modern };
        let mut bench = Self {
            device: VirtioMmio::new(device, legacy),
            ram: Ram::new(RAM_BYTES),
            image,
            faults: DiskFaults::default(),
            stdio: MemoryStdio::default(),
            input: InputDoor::new(Console::Virtio),
            queues: (0..queues as u64).map(layout).collect(),
            posted: vec![0; queues],
            now: Step(0),
        };
        if legacy {
            bench.start_legacy()
        } else {
            bench.start(SIZE.into())
        }
        bench
    }
    pub fn write(&mut self, offset: u64, width: u8, value: u64) {
        let host = &mut Host {
            image: Some(&mut self.image),
            faults: &mut self.faults,
            stdio: &mut self.stdio,
            input: &mut self.input,
        };
        self.device.write(&mut self.ram, host, offset, width, value, self.now);
    }
    pub fn put(&mut self, offset: u64, value: u64) {
        self.write(offset, 4, value);
    }
    pub fn get(&self, offset: u64) -> u64 {
        self.device.read(offset, 4)
    }
    pub fn advance(&mut self, now: Step) {
        let host = &mut Host {
            image: Some(&mut self.image),
            faults: &mut self.faults,
            stdio: &mut self.stdio,
            input: &mut self.input,
        };
        self.device.advance(&mut self.ram, host, now);
    }
    pub fn poll(&mut self) -> bool {
        let host = &mut Host {
            image: Some(&mut self.image),
            faults: &mut self.faults,
            stdio: &mut self.stdio,
            input: &mut self.input,
        };
        self.device.poll_input(&mut self.ram, host, self.now)
    }
    /// Resets the device and sets all queues up, of `size` descriptors each.
    pub fn start(&mut self, size: u64) {
        self.put(0x70, 0);
        self.put(0x70, 3);
        self.put(0x24, 1);
        self.put(0x20, 1);
        self.put(0x70, 11);
        assert_eq!(self.get(0x70), 11, "features accepted");
        for (queue, layout) in self.queues.clone().into_iter().enumerate() {
            self.put(0x30, queue as u64);
            self.put(0x38, size);
            for (register, address) in [(0x80, layout.table), (0x90, layout.available), (0xa0, layout.used)] {
                self.put(register, address & 0xffff_ffff);
                self.put(register + 4, address >> 32);
            }
            self.put(0x44, 1);
        }
        self.put(0x70, 15);
        self.posted.fill(0);
    }
    /// The same through the legacy registers.
    pub fn start_legacy(&mut self) {
        self.put(0x28, 4096);
        self.put(0x70, 0);
        self.put(0x70, 3);
        for (queue, layout) in self.queues.clone().into_iter().enumerate() {
            self.put(0x30, queue as u64);
            self.put(0x38, SIZE.into());
            // The alignment is left at its default for queue 0, and told for others.
            if queue > 0 {
                self.put(0x3c, 4096);
            }
            self.put(0x40, layout.table / 4096);
        }
        self.put(0x70, 7);
        self.posted.fill(0);
    }
    pub fn poke(&mut self, at: u64, bytes: &[u8]) {
        assert!(self.ram.write(PhysAddr(at), bytes));
    }
    pub fn peek(&self, at: u64, len: usize) -> &[u8] {
        self.ram.slice(PhysAddr(at), len).unwrap()
    }
    pub fn descriptor(&mut self, queue: usize, index: u16, addr: u64, len: u32, flags: u16, next: u16) {
        let mut bytes = addr.to_le_bytes().to_vec();
        bytes.extend(len.to_le_bytes());
        bytes.extend(flags.to_le_bytes());
        bytes.extend(next.to_le_bytes());
        self.poke(self.queues[queue].table + u64::from(index) * 16, &bytes);
    }
    /// Makes a chain available and rings the doorbell.
    pub fn post(&mut self, queue: usize, head: u16) {
        let available = self.queues[queue].available;
        let slot = u64::from(self.posted[queue] % SIZE);
        self.poke(available + 4 + slot * 2, &head.to_le_bytes());
        self.posted[queue] = self.posted[queue].wrapping_add(1);
        self.poke(available + 2, &self.posted[queue].to_le_bytes());
        self.put(0x50, queue as u64);
    }
    /// How many chains the device has handed back.
    pub fn used_index(&self, queue: usize) -> u16 {
        u16::from_le_bytes(self.peek(self.queues[queue].used + 2, 2).try_into().unwrap())
    }
    /// Head and length of the `n`th chain handed back.
    pub fn used(&self, queue: usize, n: u16) -> (u32, u32) {
        let element = self.peek(self.queues[queue].used + 4 + u64::from(n % SIZE) * 8, 8);
        let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
        (word(&element[..4]), word(&element[4..]))
    }
}
