//! Runs a machine so that what it has decoded is lost at random steps: the code cache is dropped, or the machine is saved
//! and loaded. Neither may change anything that is saved or hashed.
#![allow(dead_code)] // each test target uses its part

use emulator::machine::{Machine, StopReason};
use isa::Step;

use crate::random_values::Random;

/// How decoded code is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// Decoded code is dropped.
    Dropped,
    /// The machine is saved, and goes on as what was loaded.
    SavedAndLoaded,
}

/// Where a run loses its decoded code, from a seed.
pub struct Losses {
    random: Random,
    longest_steps: u64,
}

impl Losses {
    /// Losses 1 to `longest_steps` apart.
    pub fn new(seed: u64, longest_steps: u64) -> Losses {
        Losses { random: Random(seed), longest_steps }
    }

    /// Runs `machine` until `until` or another reason to stop. `load` makes a machine of what was saved, and lends it
    /// what the old one had.
    pub fn run(
        &mut self,
        machine: &mut Machine,
        until: Step,
        loss: Loss,
        mut load: impl FnMut(&[u8]) -> Machine,
    ) -> StopReason {
        loop {
            let next = machine.steps().after(1 + self.random.below(self.longest_steps)).min(until);
            match machine.run(next) {
                StopReason::Fuel if next < until => {}
                reason => return reason,
            }
            match loss {
                Loss::Dropped => machine.drop_decoded_code(),
                Loss::SavedAndLoaded => *machine = load(&machine.save()),
            }
        }
    }

    /// As [`Losses::run`], for a machine with nothing lent to it.
    pub fn run_bare(&mut self, machine: &mut Machine, until: Step, loss: Loss) -> StopReason {
        self.run(machine, until, loss, |saved| Machine::load(saved).expect("it was saved a moment ago"))
    }
}
