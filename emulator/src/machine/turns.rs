//! Whose turn it is: several harts run one after the other, a quantum of steps each, in one thread.
//!
//! Time is counted serially: each instruction of any hart takes one step, so `mtime`, deadlines, fuel and the order of
//! events need no rule of their own. A turn ends after [`QUANTUM_STEPS`], or earlier when its hart waits, stops, or
//! spins (`pause`); then comes the next hart, in the order of their numbers, that does not wait. A hart's LR reservation
//! does not outlive its turn. The stops of a debugger, of fuel or of slices end no turn. A machine
//! of one hart knows no turns.

use super::Machine;
use super::hsm::Power;
use crate::platform::Platform;
use isa::Step;
use serde::{Deserialize, Serialize};

/// The steps of a turn. Long enough that changing harts costs little, short enough (5 µs) that no hart waits long for
/// another's answer.
pub const QUANTUM_STEPS: u64 = 5000;

/// The hart that runs, and until when.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Turn {
    /// Whose turn it is; while all wait, whose it was last.
    pub hart: usize,
    /// The step at which it ends; [`Turn::NOBODYS`] while all wait.
    pub ends: Step,
}

impl Turn {
    /// No hart can run.
    const NOBODYS: Step = Step(0);

    /// The first turn.
    pub fn first(harts: usize) -> Self {
        Self { hart: 0, ends: if harts == 1 { Step::NEVER } else { Step(QUANTUM_STEPS) } }
    }
    /// Whether the hart may run on at `now`.
    pub fn lasts(self, now: Step) -> bool {
        now < self.ends
    }
}

/// What a hart does, as seen between two instructions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HartState {
    /// It is this hart's turn.
    Running,
    /// It runs when its turn comes.
    Ready,
    /// It waits for an interrupt (WFI, or the SBI's suspend).
    Waiting,
    /// The SBI has stopped it, or has not started it yet.
    Stopped,
}

impl Machine {
    /// Ends the turn. Whether a hart can run now.
    pub(super) fn pass_turn(&mut self) -> bool {
        let count = self.harts.len();
        if count == 1 {
            return false;
        }
        // What wakes a hart may be due now.
        self.bus.advance(&mut self.ram, self.now);
        let last = self.turn.hart;
        let next = (1..=count).map(|n| (last + n) % count).find(|&hart| self.can_run(hart));
        self.turn = match next {
            Some(hart) => Turn { hart, ends: self.now.after(QUANTUM_STEPS) },
            None => Turn { hart: last, ends: Turn::NOBODYS },
        };
        if self.turn.hart != last {
            self.harts[last].reservation = None;
        }
        next.is_some()
    }

    /// Whether a hart, if it were its turn, would run an instruction.
    fn can_run(&mut self, hart: usize) -> bool {
        self.sbi_harts[hart].power != Power::Stopped && self.is_awake(hart)
    }

    /// Whether a hart does not wait, or what it waits for has come.
    pub(super) fn is_awake(&mut self, number: usize) -> bool {
        if !self.harts[number].waiting {
            return true;
        }
        let lines = self.bus.interrupt_lines(number, self.now);
        let mtime = self.bus.mtime(self.now);
        let hart = &mut self.harts[number];
        hart.sense_interrupts(lines, mtime);
        hart.awaited_interrupts() != 0
    }

    /// What a hart does.
    pub fn hart_state(&self, hart: usize) -> Option<HartState> {
        let waits = self.harts.get(hart)?.waiting;
        Some(match self.sbi_harts[hart].power {
            Power::Stopped => HartState::Stopped,
            _ if waits => HartState::Waiting,
            _ if hart == self.turn.hart => HartState::Running,
            _ => HartState::Ready,
        })
    }
}
