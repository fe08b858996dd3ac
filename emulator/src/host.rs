//! What the host gives the machine: disk images, standard input and output, and a listener for events.
//!
//! The core never blocks and never looks at a clock: every method here returns at once. The machine tells its
//! embedder when it waits for input ([`crate::machine::StopReason::NeedInput`]); only then may the host block.
//! Handles are not part of the machine's state: they are attached again after a load.

use isa::Step;
use isa::events::EventRecord;

/// The host could not read a disk image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DiskError;

/// A read-only disk image. What the guest writes goes to an overlay inside the machine.
pub trait DiskImage {
    /// Size of the image in bytes. Must not change.
    fn len_bytes(&self) -> u64;
    /// Fills `buffer` from `offset_bytes`. The machine asks only for ranges inside the image.
    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DiskError>;
}

/// A disk image held in memory.
impl DiskImage for Vec<u8> {
    fn len_bytes(&self) -> u64 {
        self.len() as u64
    }
    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        let start = usize::try_from(offset_bytes).map_err(|_| DiskError)?;
        let end = start.checked_add(buffer.len()).ok_or(DiskError)?;
        buffer.copy_from_slice(self.get(start..end).ok_or(DiskError)?);
        Ok(())
    }
}

/// A host output has gone away (for example: a broken pipe).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutputClosed;

/// What a poll of the host's standard input found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Input {
    /// So many bytes (at least one) were put at the start of the buffer.
    Bytes(usize),
    /// The input has ended.
    Eof,
    /// Nothing has arrived yet.
    NotYet,
    /// No input: the window of the terminal has another size ([`Stdio::window_size`]).
    Resized,
}

/// Which of the host's output streams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Output {
    /// Standard output: descriptor 1, and where UART, SBI console and HTIF print.
    Stdout,
    /// Standard error: descriptor 2.
    Stderr,
}

/// The host's standard streams.
pub trait Stdio {
    /// Writes all of `bytes`.
    fn write(&mut self, output: Output, bytes: &[u8]) -> Result<(), OutputClosed>;
    /// Takes what input there is, without blocking. `buffer` is not empty.
    fn poll_input(&mut self, buffer: &mut [u8]) -> Input;
    /// Whether host descriptor 0, 1 or 2 is a terminal.
    fn is_terminal(&self, descriptor: u8) -> bool {
        let _ = descriptor;
        false
    }
    /// Whether descriptor 0 is a terminal that gives keys as they are pressed, and shows none by itself.
    fn gives_keys(&self) -> bool {
        false
    }
    /// Rows and columns of the host's terminal, if there is one. Where it gives keys, they change when [`Input::Resized`] has said so.
    fn window_size(&self) -> Option<(u16, u16)> {
        None
    }
}

/// Standard streams that swallow output and have no input. What a machine has until it is given others.
#[derive(Clone, Copy, Default, Debug)]
pub struct NoStdio;

impl Stdio for NoStdio {
    fn write(&mut self, _: Output, _: &[u8]) -> Result<(), OutputClosed> {
        Ok(())
    }
    fn poll_input(&mut self, _: &mut [u8]) -> Input {
        Input::Eof
    }
}

/// Whether the machine goes on after an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EventAction {
    /// Go on.
    Continue,
    /// Stop the run ([`crate::machine::StopReason::Event`]) before the next instruction.
    Stop,
}

/// Listens to the event stream. The guest runs the same instructions whether anyone listens or not.
pub trait EventSink {
    /// The guest kernel reported `record` at step `at` on `hart`, with this text (a path or a name).
    fn event(&mut self, at: Step, hart: usize, record: &EventRecord, text: &[u8]) -> EventAction;
}
