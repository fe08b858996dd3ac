//! Random loads and stores on the bus: every device, every offset and width, the gaps between devices and the ends of
//! their windows, random bytes in RAM, time that jumps.

use super::random::{Noise, Random};
use emulator::devices::board::{ROWS, Setup};
use emulator::devices::input::Console;
use emulator::machine::bus::{Bus, Devices};
use emulator::machine::{DiskLatency, VirtioConfig};
use emulator::mem::ram::Ram;
use emulator::platform::Platform;
use isa::platform::{RAM_BASE, Region};
use isa::{PhysAddr, Step};

const RAM_BYTES: u64 = 64 << 10;
const HARTS: usize = 4;
/// Accesses after which a new board is built: some devices end the run, and their registers fill with nonsense.
const ACCESSES_A_BOARD: u64 = 100_000;

/// How the accesses were answered.
#[derive(Default, Debug)]
pub struct Seen {
    pub served: u64,
    pub faults: u64,
}

pub fn run(seed: u64, accesses: u64) -> Seen {
    let (mut seen, mut random) = (Seen::default(), Random(seed));
    let mut left = accesses;
    while left > 0 {
        let count = left.min(ACCESSES_A_BOARD);
        one_board(&mut random, count, &mut seen);
        left -= count;
    }
    assert_eq!(seen.served + seen.faults, accesses);
    seen
}

fn board(random: &mut Random) -> Bus {
    let virtio = VirtioConfig { legacy: random.one_in(2), rng: true, net: true };
    let console = random.of(&[Console::Uart, Console::Virtio, Console::Sbi]);
    let setup = Setup { harts: HARTS, seed: random.next(), virtio, console, ..Setup::default() };
    let mut bus = Bus::new(Devices::new(&setup));
    for (bytes, read_only) in [(64 << 10, false), (1000, true)] {
        bus.attach_disk(Box::new(vec![7; bytes]), read_only, DiskLatency::default()).unwrap();
    }
    bus.set_stdio(Box::new(Noise(Random(random.next()))));
    if random.one_in(2) {
        bus.enable_sbi_timers(HARTS);
    }
    bus
}

fn one_board(random: &mut Random, accesses: u64, seen: &mut Seen) {
    let on_bus = ROWS.iter().filter(|row| row.window.len_bytes > 0);
    let regions: Vec<Region> = on_bus.flat_map(|row| (0..row.units).map(|unit| row.unit(unit))).collect();
    let (mut bus, mut ram, mut now) = (board(random), Ram::new(usize::try_from(RAM_BYTES).unwrap()), Step(0));
    for _ in 0..accesses {
        let pa = PhysAddr(address(random, &regions));
        let width = random.of(&[1u8, 2, 4, 4, 8, 8]);
        let value = match random.below(3) {
            0 => random.address(RAM_BYTES),
            _ => random.number(),
        };
        if random.one_in(8) {
            let at = RAM_BASE.wrapping_add(random.below(RAM_BYTES - 8));
            assert!(ram.write(at, &random.number().to_le_bytes()));
        }
        let answer = match random.below(2) {
            0 => bus.read(&mut ram, pa, width, now).map(drop),
            _ => bus.write(&mut ram, pa, width, value, now),
        };
        seen.served += u64::from(answer.is_ok());
        seen.faults += u64::from(answer.is_err());
        if random.one_in(64) {
            let hart = usize::try_from(random.below(HARTS as u64)).unwrap();
            bus.set_sbi_timer(hart, random.number(), now);
        }
        if random.one_in(256) {
            bus.poll_input(&mut ram, now);
        }
        if random.one_in(4) {
            now = match random.below(1024) {
                // The run loop jumps to deadlines when all harts wait.
                0 => bus.next_deadline(now).min(Step(1 << 62)).max(now),
                _ => now.after(random.below(1000)),
            };
            bus.advance(&mut ram, now);
            for hart in 0..HARTS {
                bus.interrupt_lines(hart, now);
            }
            assert!(bus.next_event(now) > now, "a deadline that has passed was not acted upon");
        }
    }
}

/// Mostly in a device, at a register or anywhere in its window; else at its ends, or anywhere below and above RAM.
fn address(random: &mut Random, regions: &[Region]) -> u64 {
    let region = random.of(regions);
    match random.below(16) {
        0 => random.next() >> random.below(64),
        1 => random.below(RAM_BASE.0),
        2 => region.base.0 + region.len_bytes - 8 + random.below(16),
        3 => region.base.0 - 8 + random.below(16),
        4 => region.base.0 + random.below(region.len_bytes),
        5..=7 => region.base.0 + random.below(region.len_bytes) / 8 * 8,
        _ => region.base.0 + random.below(0x100) / 4 * 4,
    }
}
