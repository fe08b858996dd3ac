//! Runs a machine on behalf of a user: fuel, signals, and waiting for input only when the guest is idle.

use super::pace::Pace;
use super::signals::Interrupted;
use super::stdio::HostStdio;
use super::terminal::Command;
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
    /// The time of this machine's clock is up (`--timeout`).
    TimeIsUp,
    /// Ctrl-C, or another signal to end: the exit status that tells of it.
    Interrupted(u8),
    /// The guest's output could not be written ([`HostStdio::check_output`] has the reason).
    OutputLost,
    /// The user left before the end: the debugger by `quit`, or the console by Ctrl-A x.
    Quit,
    /// A command of the debugger's script failed.
    ScriptFailed,
    /// Ctrl-A c: the user wants the monitor.
    Monitor,
    /// Another thread calls.
    Called,
}

/// A machine with what drives it.
pub struct Driver {
    pub machine: Machine,
    pub stdio: HostStdio,
    pub interrupted: Interrupted,
    /// The step at which the fuel is spent.
    pub fuel: Option<u64>,
    /// Holds guest time back to the host's.
    pub pace: Option<Pace>,
    /// The number of the disk that swap space is on.
    pub swap_disk: Option<usize>,
    /// Looks at the machine when the event sink has stopped it; true: that is all, the run goes on.
    pub at_event: Option<LookAtEvent>,
    /// The user has left by Ctrl-A x.
    left: bool,
}

/// What looks at a machine that the event sink has stopped.
pub type LookAtEvent = Box<dyn FnMut(&Machine) -> bool>;

impl Driver {
    /// Drives `machine` until step `fuel`, if there is such a limit.
    pub fn new(machine: Machine, stdio: HostStdio, interrupted: Interrupted, fuel: Option<u64>) -> Self {
        Self { machine, stdio, interrupted, fuel, pace: None, swap_disk: None, at_event: None, left: false }
    }

    /// Whether the event sink's stop was for somebody who has looked at the machine by now, and for nobody else.
    fn looked_at_event(&mut self) -> bool {
        self.at_event.as_mut().is_some_and(|look| look(&self.machine))
    }

    /// Whether the user wants no more of the machine, not even a prompt.
    pub fn is_left(&self) -> bool {
        self.left || self.interrupted.is_final()
    }

    fn interruption(&self) -> End {
        self.interrupted.end().unwrap_or(End::Called)
    }

    /// Runs until the machine stops, the fuel is spent, Ctrl-C, or step `until`, telling `observer`, if there is one,
    /// of each instruction.
    pub fn run_until(&mut self, until: Step, mut observer: Option<&mut dyn Observer>) -> End {
        let fuel = Step(self.fuel.unwrap_or(u64::MAX));
        let _raw = self.stdio.enter_raw();
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
            if self.stdio.has_lost_output() {
                return End::OutputLost;
            }
            match reason {
                StopReason::Fuel => {
                    let ahead = self.pace.as_mut().map(|pace| pace.ahead(self.machine.steps()));
                    match ahead {
                        Some(ahead) if !ahead.is_zero() => self.stdio.sleep(ahead, &self.interrupted),
                        _ => {
                            self.stdio.look_for_input();
                        }
                    }
                }
                StopReason::NeedInput => {
                    if !self.stdio.wait_for_input(&self.interrupted) {
                        return self.interruption();
                    }
                }
                StopReason::Event if self.looked_at_event() => {}
                other => return End::Stopped(other),
            }
            if self.interrupted.is_set() {
                return self.interruption();
            }
            match self.stdio.take_command() {
                Some(Command::Leave) => {
                    self.left = true;
                    return End::Quit;
                }
                Some(Command::Monitor) => return End::Monitor,
                Some(Command::Help) => {
                    self.stdio.raw_use().into_iter().for_each(|whose| tell!("\nfolio: {}", whose.keys()));
                }
                None => {}
            }
        }
    }
}
