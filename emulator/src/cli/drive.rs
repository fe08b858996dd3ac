//! Runs a machine on behalf of a user: fuel, Ctrl-C, and waiting for input only when the guest is idle.

use super::stdio::{HostStdio, Interrupted};
use emulator::exec::Observer;
use emulator::machine::{Machine, StopReason};
use isa::Step;

/// Steps between two looks at Ctrl-C and at input that arrives while the guest is busy. Looks come at multiples of this
/// many steps since reset, so that where a run is cut never depends on the host.
const SLICE_STEPS: u64 = 20_000_000;

/// Why a driven run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The machine stopped by itself.
    Stopped(StopReason),
    /// The step given has been reached.
    Reached,
    /// The fuel is spent.
    OutOfFuel,
    /// Ctrl-C.
    Interrupted,
    /// The user left the debugger before the end.
    Quit,
}

/// A machine with what drives it.
pub struct Driver {
    pub machine: Machine,
    pub stdio: HostStdio,
    pub interrupted: Interrupted,
    /// The step at which the fuel is spent.
    pub fuel: Option<u64>,
}

impl Driver {
    /// Runs until the machine stops, the fuel is spent, Ctrl-C, or step `until`, telling `observer`, if there is one,
    /// of each instruction.
    pub fn run_until(&mut self, until: Step, mut observer: Option<&mut dyn Observer>) -> End {
        let fuel = Step(self.fuel.unwrap_or(u64::MAX));
        loop {
            let now = self.machine.steps();
            if now >= fuel {
                return End::OutOfFuel;
            }
            if now >= until {
                return End::Reached;
            }
            let slice_end = Step((now.0 / SLICE_STEPS + 1).saturating_mul(SLICE_STEPS));
            let stop_at = slice_end.min(fuel).min(until);
            let reason = match &mut observer {
                None => self.machine.run(stop_at),
                Some(observer) => self.machine.run_observed(stop_at, &mut **observer),
            };
            match reason {
                StopReason::Fuel => {
                    self.stdio.look_for_input();
                }
                StopReason::NeedInput => {
                    if !self.stdio.wait_for_input(&self.interrupted) {
                        return End::Interrupted;
                    }
                }
                other => return End::Stopped(other),
            }
            if self.interrupted.is_set() {
                return End::Interrupted;
            }
        }
    }
}
