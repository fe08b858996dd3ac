//! Random calls of the built-in SBI: every extension, functions that exist and that do not, arguments that point
//! anywhere, name harts that do not exist, ask for the impossible.

use super::random::Random;
use emulator::loader::Boot;
use emulator::machine::{Machine, MachineConfig, StopReason};
use isa::VirtAddr;
use isa::platform::KERNEL_BASE;
use isa::sbi;

const RAM_BYTES: u64 = 4 << 20;
const HARTS: usize = 3;
/// Calls after which a new machine is built: harts that were started at random run on.
const CALLS_A_MACHINE: u64 = 400;
/// `ecall; j .-4`
const KERNEL: [u32; 2] = [0x0000_0073, 0xffdf_f06f];
const A0: usize = 10;

/// How the calls were answered.
#[derive(Default, Debug)]
pub struct Seen {
    pub succeeded: u64,
    pub refused: u64,
    /// Runs that a call ended, or harts that it stopped.
    pub ended: u64,
}

pub fn run(seed: u64, calls: u64) -> Seen {
    let (mut seen, mut random, mut made) = (Seen::default(), Random(seed), 0);
    while made < calls {
        let mut machine = machine();
        for _ in 0..CALLS_A_MACHINE {
            made += 1;
            if !call(&mut machine, &mut random, &mut seen) {
                seen.ended += 1;
                break;
            }
        }
    }
    seen
}

fn machine() -> Machine {
    let config = MachineConfig { ram_bytes: RAM_BYTES, harts: HARTS, ..MachineConfig::default() };
    let mut machine = Machine::new(config).unwrap();
    machine.boot(&Boot::kernel(&KERNEL.map(u32::to_le_bytes).concat())).unwrap();
    machine
}

/// One call of the first hart; whether the machine can go on.
fn call(machine: &mut Machine, random: &mut Random, seen: &mut Seen) -> bool {
    let legacy = sbi::LEGACY_SET_TIMER..=sbi::LEGACY_SHUTDOWN;
    let named = [
        sbi::EID_BASE,
        sbi::EID_TIME,
        sbi::EID_IPI,
        sbi::EID_RFENCE,
        sbi::EID_RFENCE,
        sbi::EID_HSM,
        sbi::EID_DBCN,
        sbi::EID_DBCN,
        sbi::EID_FWFT,
        sbi::EID_FWFT,
    ];
    let extension = match random.below(32) {
        0 => random.number(),
        1 => sbi::EID_SRST,
        2..=6 => random.below(legacy.end() + 2),
        _ => random.of(&named),
    };
    let arguments: Vec<u64> = (0..6)
        .map(|_| match random.below(3) {
            0 => random.address(RAM_BYTES),
            1 => random.below(10),
            _ => random.number(),
        })
        .collect();
    for (index, value) in arguments.iter().enumerate() {
        machine.set_x(A0 + index, *value);
    }
    machine.set_x(A0 + 6, if random.one_in(8) { random.number() } else { random.below(9) });
    machine.set_x(A0 + 7, extension);
    machine.set_pc(VirtAddr(KERNEL_BASE.0));
    // One step if it is this hart's turn; another's turn lasts a few thousand.
    for _ in 0..20_000 {
        if machine.step() != StopReason::Fuel {
            return false;
        }
        if machine.hart().pc != KERNEL_BASE.0 {
            let answer = machine.hart().x[A0].cast_signed();
            seen.succeeded += u64::from(answer >= 0);
            seen.refused += u64::from(answer < 0);
            return true;
        }
    }
    false
}
