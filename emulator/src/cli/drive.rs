//! Runs a machine to its end on behalf of a user: fuel, Ctrl-C, and waiting for input only when the guest is idle.

use super::stdio::{HostStdio, Interrupted};
use emulator::machine::{Machine, StopReason};
use isa::Step;

/// Steps between two looks at Ctrl-C and at input that arrives while the guest is busy. A multiple of this many steps
/// since reset, so that where a run is cut never depends on the host.
const SLICE_STEPS: u64 = 20_000_000;

/// Why a driven run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The machine stopped by itself.
    Stopped(StopReason),
    /// The fuel is spent.
    OutOfFuel,
    /// Ctrl-C.
    Interrupted,
}

/// Runs `machine` until it stops, its step count reaches `fuel_steps`, or Ctrl-C.
pub fn drive(
    machine: &mut Machine,
    stdio: &HostStdio,
    interrupted: &Interrupted,
    fuel_steps: Option<u64>,
) -> End {
    let limit = fuel_steps.unwrap_or(u64::MAX);
    loop {
        let now = machine.steps().0;
        if now >= limit {
            return End::OutOfFuel;
        }
        let slice_end = (now / SLICE_STEPS + 1).saturating_mul(SLICE_STEPS);
        match machine.run(Step(slice_end.min(limit))) {
            StopReason::Fuel => {
                stdio.look_for_input();
            }
            StopReason::NeedInput => {
                if !stdio.wait_for_input(interrupted) {
                    return End::Interrupted;
                }
            }
            other => return End::Stopped(other),
        }
        if interrupted.is_set() {
            return End::Interrupted;
        }
    }
}
