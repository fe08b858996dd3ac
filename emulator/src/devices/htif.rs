//! The keyboard of the host-target interface (Spike's console device, command 0): a program asks for a character by a
//! store to `tohost` and finds it, when one has come, in `fromhost`, which it then clears.

use super::device::{Device, World};
use super::input::{InputDoor, POLL_INTERVAL_STEPS, Reader};
use crate::host::Input;
use isa::{PhysAddr, Step};
use serde::{Deserialize, Serialize};

/// In an answer: device 1, command 0.
const ANSWER: u64 = 1 << 56;
/// In an answer: there is a character.
const CHARACTER: u64 = 0x100;

/// What the program waits for.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub struct Keyboard {
    /// `fromhost`, while the program waits for a character.
    answer_at: Option<PhysAddr>,
    /// When the host may be asked again.
    next_poll: Step,
}

impl Keyboard {
    /// The program asks for a character.
    pub fn ask(&mut self, fromhost: PhysAddr) {
        self.answer_at = Some(fromhost);
    }
}

impl Device for Keyboard {
    /// The program waits for a character that may still come.
    fn wants_input(&self, input: &InputDoor) -> bool {
        self.answer_at.is_some() && input.serves(Reader::Htif) && !input.ended()
    }
    fn next_poll(&self, input: &InputDoor) -> Step {
        if self.wants_input(input) { self.next_poll } else { Step::NEVER }
    }
    fn poll_input(&mut self, world: &mut World<'_>) -> bool {
        self.next_poll = world.now.after(POLL_INTERVAL_STEPS);
        let Some(at) = self.answer_at else { return false };
        // As in Spike, the answer before it has to be taken first.
        if world.ram.read_u64(at) != Some(0) {
            return false;
        }
        let mut character = [0];
        let Input::Bytes(_) = world.input.poll(Reader::Htif, world.stdio, &mut character) else {
            return false;
        };
        self.answer_at = None;
        world.ram.write(at, &(ANSWER | CHARACTER | u64::from(character[0])).to_le_bytes())
    }
}
