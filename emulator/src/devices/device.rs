//! What the bus asks of a device: loads and stores at offsets, lines, deadlines, input.
//!
//! A device is plain data. RAM and what the host has lent come as arguments; what concerns the whole machine goes
//! back as an [`Effect`].

use super::finisher::Finish;
use super::host::GuestExit;
use super::input::InputDoor;
use crate::host::{DiskImage, Stdio};
use crate::mem::ram::Ram;
use crate::platform::AccessFault;
use isa::{PhysAddr, Step};

/// Where a load or store meets a device: within its window, aligned to its own width.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// Bytes from the start of the window.
    pub offset: u64,
    /// 1, 2, 4 or 8.
    pub width_bytes: u8,
}

impl Access {
    /// Loads from a device that knows 32 bits at most; 64 are two loads, as on QEMU of a device that fills no page.
    pub fn load_words(
        self,
        mut load: impl FnMut(Self) -> Result<u64, AccessFault>,
    ) -> Result<u64, AccessFault> {
        match self.halves() {
            Some([low, high]) => Ok(load(low)? | load(high)? << 32),
            None => load(self),
        }
    }
    /// As [`Access::load_words`], for stores.
    pub fn store_words(
        self,
        value: u64,
        mut store: impl FnMut(Self, u64) -> Result<(), AccessFault>,
    ) -> Result<(), AccessFault> {
        match self.halves() {
            Some([low, high]) => {
                store(low, value & u64::from(u32::MAX))?;
                store(high, value >> 32)
            }
            None => store(self, value),
        }
    }
    fn halves(self) -> Option<[Self; 2]> {
        let half = |offset| Self { offset, width_bytes: 4 };
        (self.width_bytes == 8).then(|| [half(self.offset), half(self.offset + 4)])
    }
}

/// What a device may reach while it acts.
pub struct World<'a> {
    /// RAM.
    pub ram: &'a mut Ram,
    /// The standard streams.
    pub stdio: &'a mut dyn Stdio,
    /// The door that input comes through.
    pub input: &'a mut InputDoor,
    /// The images of the disks, in the order of their numbers.
    pub images: &'a mut [Box<dyn DiskImage>],
    /// The step of the instruction, or at which a device acts by itself.
    pub now: Step,
}

/// What a device may look at when it is only asked.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The door that input comes through.
    pub input: &'a InputDoor,
    /// How many disks have their images.
    pub images: usize,
    /// The present step.
    pub now: Step,
}

/// What a store asks of the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Nothing more.
    None,
    /// Hand the event record at this address to the listener.
    Event(PhysAddr),
    /// End the run: the guest kernel says so.
    Exit(GuestExit),
    /// End the run: the test finisher has been told to.
    Finish(Finish),
}

/// What a line that is high has to say to the interrupt controller.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    /// It is a level: it asks as long as it is high.
    Standing,
    /// It asks once more, whatever has been claimed before.
    Fresh,
    /// Nothing that has not been said.
    None,
}

/// A device of the board. Each is listed in [`super::board`].
pub trait Device {
    /// A load. Only what has a window is ever asked.
    fn load(&mut self, _access: Access, _world: &mut World<'_>) -> Result<u64, AccessFault> {
        Err(AccessFault)
    }
    /// A store of the low bytes of `value`.
    fn store(&mut self, _access: Access, _value: u64, _world: &mut World<'_>) -> Result<Effect, AccessFault> {
        Err(AccessFault)
    }
    /// Whether the interrupt line of unit `unit` is high.
    fn line(&self, _unit: usize) -> bool {
        false
    }
    /// What a line of its has to say that is high.
    fn take_news(&mut self) -> News {
        News::Standing
    }
    /// The next step at which it changes something by itself.
    fn next_deadline(&self, _view: View<'_>) -> Step {
        Step::NEVER
    }
    /// Does what is due, if anything is.
    fn advance(&mut self, _world: &mut World<'_>) {}
    /// Whether the guest waits for the host's input here.
    fn wants_input(&self, _input: &InputDoor) -> bool {
        false
    }
    /// When the host should be asked for input; never, if the guest does not wait for any.
    fn next_poll(&self, _input: &InputDoor) -> Step {
        Step::NEVER
    }
    /// Asks the host for input that the guest waits for. Whether any came.
    fn poll_input(&mut self, _world: &mut World<'_>) -> bool {
        false
    }
}
