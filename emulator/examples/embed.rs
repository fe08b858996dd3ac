//! The machine as a library: put a few instructions into it, run them, look at the registers.

use emulator::loader::Boot;
use emulator::machine::{Machine, MachineConfig, StopReason};
use isa::Step;

fn main() {
    // li a0, 6; li a1, 7; mul a2, a0, a1; then PASS to the test finisher at 0x10_0000.
    let program =
        [0x0060_0513u32, 0x0070_0593, 0x02b5_0633, 0x0010_02b7, 0x0000_5337, 0x5553_0313, 0x0062_a023];
    let bytes: Vec<u8> = program.iter().flat_map(|word| word.to_le_bytes()).collect();

    let mut machine = Machine::new(MachineConfig::default()).expect("the default machine can be built");
    machine.boot(&Boot::bare(&bytes)).expect("the program fits into RAM");
    assert_eq!(machine.run(Step(1_000)), StopReason::FinisherPass);

    println!("a2 = {} after {} instructions", machine.hart().x[12], machine.instructions());
}
