//! The host device: event records, stdio and the end of the run. Its protocol is [`isa::hostdev`].
//!
//! Requests other than a read are complete when the doorbell store is. A read is looked at when the doorbell store
//! is [`READ_LATENCY_STEPS`] old, then each [`POLL_INTERVAL_STEPS`], and at once when the machine is idle. Registers are
//! 64 bits wide; other widths and offsets are access faults.

use super::changed::ChangedLog;
use super::device::{Access, Device, Effect, World};
use super::input::{InputDoor, POLL_INTERVAL_STEPS, Reader};
use crate::host::{Input, Output, Stdio};
use crate::mem::ram::Ram;
use crate::platform::AccessFault;
use isa::hostdev::*;
use isa::{PhysAddr, Step};
use serde::{Deserialize, Serialize};

/// Steps from a read request to the first look at the host's input.
pub const READ_LATENCY_STEPS: u64 = 1_000;
/// Most bytes of one log message; the rest is cut off.
const MAX_LOG_BYTES: u64 = 4096;
/// Most bytes moved at once between host and guest.
const CHUNK_BYTES: usize = 4096;
const DEFAULT_WINDOW: (u16, u16) = (24, 80);

/// A read that waits for input.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct PendingRead {
    request: PhysAddr,
    buffer: PhysAddr,
    len_bytes: u64,
    next_poll: Step,
}

/// The device's state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HostDevice {
    seed: u64,
    frame_limit: u64,
    interrupt: bool,
    pending: Option<PendingRead>,
    /// What has become of binds.
    pub changed: ChangedLog,
}

/// How the guest kernel ended the run through the host device ([`isa::hostdev::REG_EXIT`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum GuestExit {
    /// The first program ended with this exit status.
    Status(u8),
    /// The first program was killed by this signal.
    Signaled(u32),
    /// The first program could not be executed: the errno.
    ExecFailed(u32),
    /// The kernel itself has failed, after logging why.
    Panic,
}

impl HostDevice {
    /// The device with the two numbers it hands to the guest.
    pub fn new(seed: u64, frame_limit: u64) -> Self {
        Self { seed, frame_limit, interrupt: false, pending: None, changed: ChangedLog::default() }
    }

    /// Asks the host for input for the pending read. Returns whether the read is complete.
    fn poll(&mut self, ram: &mut Ram, input: &mut InputDoor, stdio: &mut dyn Stdio, now: Step) -> bool {
        let Some(read) = self.pending else { return false };
        let mut buffer = [0; CHUNK_BYTES];
        let len = usize::try_from(read.len_bytes).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        let (done, count) = match input.poll(Reader::HostDevice, stdio, &mut buffer[..len]) {
            Input::Bytes(count) => (STATUS_DONE, count.min(len)),
            Input::Eof => (STATUS_DONE, 0),
            Input::Resized => (STATUS_RESIZED, 0),
            Input::NotYet => {
                self.pending = Some(PendingRead { next_poll: now.after(POLL_INTERVAL_STEPS), ..read });
                return false;
            }
        };
        self.pending = None;
        let status = if ram.write(read.buffer, &buffer[..count]) { done } else { STATUS_FAULT };
        finish(ram, read.request, status, count as u64);
        self.interrupt = true;
        true
    }

    /// A load at `offset`.
    fn read(&self, offset: u64, width_bytes: u8) -> Result<u64, AccessFault> {
        if width_bytes != 8 {
            return Err(AccessFault);
        }
        match offset {
            REG_MAGIC => Ok(MAGIC),
            REG_VERSION => Ok(VERSION),
            REG_INTERRUPT => Ok(u64::from(self.interrupt)),
            REG_SEED => Ok(self.seed),
            REG_FRAME_LIMIT => Ok(self.frame_limit),
            REG_EVENT | REG_REQUEST | REG_EXIT => Ok(0),
            _ => Err(AccessFault),
        }
    }

    /// A store at `offset`.
    fn write(
        &mut self,
        ram: &mut Ram,
        stdio: &mut dyn Stdio,
        offset: u64,
        width_bytes: u8,
        value: u64,
        now: Step,
    ) -> Result<Effect, AccessFault> {
        if width_bytes != 8 {
            return Err(AccessFault);
        }
        match offset {
            REG_EVENT => return Ok(Effect::Event(PhysAddr(value))),
            REG_EXIT => return Ok(Effect::Exit(guest_exit(value))),
            REG_REQUEST => self.request(ram, stdio, PhysAddr(value), now),
            REG_INTERRUPT => self.interrupt &= value & 1 == 0,
            REG_MAGIC | REG_VERSION | REG_SEED | REG_FRAME_LIMIT => {}
            _ => return Err(AccessFault),
        }
        Ok(Effect::None)
    }

    fn request(&mut self, ram: &mut Ram, stdio: &mut dyn Stdio, at: PhysAddr, now: Step) {
        // A block outside RAM has no status word to report to: the doorbell does nothing.
        let Some(request) = load_request(ram, at) else { return };
        let (status, result) = match request.op {
            OP_WRITE => write_out(ram, stdio, &request),
            OP_READ => match self.start_read(ram, at, &request, now) {
                Ok(()) => (STATUS_PENDING, 0),
                Err(status) => (status, 0),
            },
            OP_IS_TTY => match u8::try_from(request.fd) {
                Ok(0) if stdio.gives_keys() => (STATUS_DONE, TTY_KEYS),
                Ok(descriptor @ 0..=2) => (STATUS_DONE, u64::from(stdio.is_terminal(descriptor))),
                _ => (STATUS_INVALID, 0),
            },
            OP_WINSIZE => {
                let (rows, columns) = stdio.window_size().unwrap_or(DEFAULT_WINDOW);
                (STATUS_DONE, u64::from(rows) << 16 | u64::from(columns))
            }
            OP_LOG => log_message(ram, &request),
            OP_CHANGED => self.changed.take(ram, &request),
            OP_CANCEL_READ => (STATUS_DONE, u64::from(self.pending.take().is_some())),
            _ => (STATUS_INVALID, 0),
        };
        finish(ram, at, status, result);
    }

    fn start_read(&mut self, ram: &Ram, at: PhysAddr, request: &Request, now: Step) -> Result<(), u64> {
        if self.pending.is_some() {
            return Err(STATUS_BUSY);
        }
        if request.fd != 0 || request.len == 0 {
            return Err(STATUS_INVALID);
        }
        slice(ram, request.addr, request.len).ok_or(STATUS_FAULT)?;
        let next_poll = now.after(READ_LATENCY_STEPS);
        self.pending = Some(PendingRead {
            request: at,
            buffer: PhysAddr(request.addr),
            len_bytes: request.len,
            next_poll,
        });
        Ok(())
    }
}

impl Device for HostDevice {
    fn load(&mut self, access: Access, _: &mut World<'_>) -> Result<u64, AccessFault> {
        self.read(access.offset, access.width_bytes)
    }
    fn store(&mut self, access: Access, value: u64, world: &mut World<'_>) -> Result<Effect, AccessFault> {
        self.write(world.ram, world.stdio, access.offset, access.width_bytes, value, world.now)
    }
    fn line(&self, _: usize) -> bool {
        self.interrupt
    }
    /// A read waits.
    fn wants_input(&self, _: &InputDoor) -> bool {
        self.pending.is_some()
    }
    fn next_poll(&self, _: &InputDoor) -> Step {
        self.pending.map_or(Step::NEVER, |read| read.next_poll)
    }
    fn poll_input(&mut self, world: &mut World<'_>) -> bool {
        self.poll(world.ram, world.input, world.stdio, world.now)
    }
}

/// Decodes a store to the exit register.
fn guest_exit(value: u64) -> GuestExit {
    #[allow(clippy::cast_possible_truncation)] // the low 32 bits are meant
    let low = value as u32;
    if value & EXIT_PANIC != 0 {
        GuestExit::Panic
    } else if value & EXIT_EXEC_FAILED != 0 {
        GuestExit::ExecFailed(low)
    } else if value & EXIT_SIGNALED != 0 {
        GuestExit::Signaled(low)
    } else {
        GuestExit::Status(value.to_le_bytes()[0])
    }
}

pub(super) fn slice(ram: &Ram, addr: u64, len_bytes: u64) -> Option<&[u8]> {
    ram.slice(PhysAddr(addr), usize::try_from(len_bytes).ok()?)
}

fn load_request(ram: &Ram, at: PhysAddr) -> Option<Request> {
    let bytes = slice(ram, at.0, Request::SIZE_BYTES)?;
    let word = |index: usize| {
        let bytes = bytes[index * 8..index * 8 + 8].try_into().expect("eight bytes");
        u64::from_le_bytes(bytes)
    };
    Some(Request { op: word(0), fd: word(1), addr: word(2), len: word(3), status: word(4), result: word(5) })
}

fn finish(ram: &mut Ram, at: PhysAddr, status: u64, result: u64) {
    let mut words = [0; 16];
    words[..8].copy_from_slice(&status.to_le_bytes());
    words[8..].copy_from_slice(&result.to_le_bytes());
    // A read's block was checked when the read began; RAM does not move.
    let _ = ram.write(at.wrapping_add(Request::STATUS_OFFSET), &words);
}

fn write_out(ram: &Ram, stdio: &mut dyn Stdio, request: &Request) -> (u64, u64) {
    let output = match request.fd {
        1 => Output::Stdout,
        2 => Output::Stderr,
        _ => return (STATUS_INVALID, 0),
    };
    let Some(bytes) = slice(ram, request.addr, request.len) else { return (STATUS_FAULT, 0) };
    match stdio.write(output, bytes) {
        Ok(()) => (STATUS_DONE, request.len),
        Err(_) => (STATUS_IO, 0),
    }
}

fn log_message(ram: &Ram, request: &Request) -> (u64, u64) {
    let level = match request.fd {
        1 => log::Level::Error,
        2 => log::Level::Warn,
        3 => log::Level::Info,
        4 => log::Level::Debug,
        5 => log::Level::Trace,
        _ => return (STATUS_INVALID, 0),
    };
    let Some(bytes) = slice(ram, request.addr, request.len.min(MAX_LOG_BYTES)) else {
        return (STATUS_FAULT, 0);
    };
    log::log!(target: "guest", level, "{}", String::from_utf8_lossy(bytes));
    (STATUS_DONE, request.len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use isa::platform::RAM_BASE;

    #[derive(Default)]
    struct Streams {
        out: Vec<u8>,
        err: Vec<u8>,
        input: Vec<Input>,
        broken: bool,
        keys: bool,
    }
    impl Stdio for Streams {
        fn write(&mut self, output: Output, bytes: &[u8]) -> Result<(), crate::host::OutputClosed> {
            if self.broken {
                return Err(crate::host::OutputClosed);
            }
            if output == Output::Stdout { &mut self.out } else { &mut self.err }.extend(bytes);
            Ok(())
        }
        fn poll_input(&mut self, buffer: &mut [u8]) -> Input {
            let input = if self.input.is_empty() { Input::NotYet } else { self.input.remove(0) };
            if let Input::Bytes(count) = input {
                buffer[..count].fill(b'x');
            }
            input
        }
        fn gives_keys(&self) -> bool {
            self.keys
        }
        fn is_terminal(&self, descriptor: u8) -> bool {
            descriptor == 1
        }
    }

    struct Bench {
        device: HostDevice,
        ram: Ram,
        host: Streams,
        door: InputDoor,
    }
    const BLOCK: PhysAddr = RAM_BASE;
    const BUFFER: u64 = RAM_BASE.0 + 0x100;

    impl Bench {
        fn new() -> Self {
            Self {
                device: HostDevice::new(7, 9),
                ram: Ram::new(0x2000),
                host: Streams::default(),
                door: InputDoor::default(),
            }
        }
        fn ask(&mut self, op: u64, fd: u64, addr: u64, len: u64) -> (u64, u64) {
            let words = [op, fd, addr, len, 99, 99];
            let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
            assert!(self.ram.write(BLOCK, &bytes));
            let effect = self.device.write(&mut self.ram, &mut self.host, REG_REQUEST, 8, BLOCK.0, Step(0));
            assert_eq!(effect, Ok(Effect::None));
            self.answer()
        }
        fn answer(&self) -> (u64, u64) {
            let request = load_request(&self.ram, BLOCK).unwrap();
            (request.status, request.result)
        }
        fn poll(&mut self) -> bool {
            self.device.poll(&mut self.ram, &mut self.door, &mut self.host, Step(5000))
        }
    }

    #[test]
    fn a_terminal_gives_keys_and_tells_of_its_window() {
        let mut b = Bench::new();
        b.host.keys = true;
        assert_eq!(b.ask(OP_IS_TTY, 0, 0, 0), (STATUS_DONE, TTY_KEYS));
        assert_eq!(b.ask(OP_IS_TTY, 1, 0, 0), (STATUS_DONE, 1));
        b.host.input = vec![Input::Resized, Input::Bytes(2)];
        for answer in [(STATUS_RESIZED, 0), (STATUS_DONE, 2)] {
            assert_eq!(b.ask(OP_READ, 0, BUFFER, 5), (STATUS_PENDING, 0));
            assert!(b.poll());
            assert_eq!(b.answer(), answer);
        }
    }

    #[test]
    fn writes_and_questions() {
        let mut b = Bench::new();
        assert!(b.ram.write(PhysAddr(BUFFER), b"hello"));
        for (op, fd, addr, len, answer) in [
            (OP_WRITE, 1, BUFFER, 5, (STATUS_DONE, 5)),
            (OP_WRITE, 2, BUFFER, 2, (STATUS_DONE, 2)),
            (OP_WRITE, 3, BUFFER, 2, (STATUS_INVALID, 0)),
            (OP_WRITE, 1, BUFFER, 0x2000, (STATUS_FAULT, 0)),
            (OP_WRITE, 1, u64::MAX, u64::MAX, (STATUS_FAULT, 0)),
            (OP_IS_TTY, 1, 0, 0, (STATUS_DONE, 1)),
            (OP_IS_TTY, 0, 0, 0, (STATUS_DONE, 0)),
            (OP_IS_TTY, 256, 0, 0, (STATUS_INVALID, 0)),
            (OP_WINSIZE, 0, 0, 0, (STATUS_DONE, 24 << 16 | 80)),
            (OP_LOG, 3, BUFFER, 5, (STATUS_DONE, 5)),
            (OP_LOG, 6, BUFFER, 5, (STATUS_INVALID, 0)),
            (OP_READ, 1, BUFFER, 5, (STATUS_INVALID, 0)),
            (OP_READ, 0, 0, 5, (STATUS_FAULT, 0)),
            (77, 0, 0, 0, (STATUS_INVALID, 0)),
        ] {
            assert_eq!(b.ask(op, fd, addr, len), answer, "op {op} fd {fd} addr {addr:#x} len {len}");
        }
        assert_eq!((b.host.out.as_slice(), b.host.err.as_slice()), (&b"hello"[..], &b"he"[..]));
        b.host.broken = true;
        assert_eq!(b.ask(OP_WRITE, 1, BUFFER, 5), (STATUS_IO, 0));
    }

    #[test]
    fn a_read_waits_completes_with_an_interrupt_and_ends_with_eof() {
        let mut b = Bench::new();
        assert_eq!(b.ask(OP_READ, 0, BUFFER, 100), (STATUS_PENDING, 0));
        assert_eq!(b.device.next_poll(&b.door), Step(READ_LATENCY_STEPS));
        assert!(!b.poll() && b.device.wants_input(&b.door) && !b.device.line(0));
        b.host.input = vec![Input::Bytes(3), Input::Eof];
        assert!(b.poll() && b.device.line(0) && !b.device.wants_input(&b.door));
        assert_eq!((b.answer(), b.ram.slice(PhysAddr(BUFFER), 4)), ((STATUS_DONE, 3), Some(&b"xxx\0"[..])));
        b.device.write(&mut b.ram, &mut b.host, REG_INTERRUPT, 8, 1, Step(0)).unwrap();
        assert!(!b.device.line(0));
        assert_eq!(b.ask(OP_READ, 0, BUFFER, 100), (STATUS_PENDING, 0));
        assert!(b.poll());
        assert_eq!(b.answer(), (STATUS_DONE, 0));
    }

    #[test]
    fn one_read_at_a_time_and_it_can_be_taken_back() {
        let mut b = Bench::new();
        b.ask(OP_READ, 0, BUFFER, 1);
        assert_eq!(b.ask(OP_READ, 0, BUFFER, 1), (STATUS_BUSY, 0));
        assert_eq!(b.ask(OP_CANCEL_READ, 0, 0, 0), (STATUS_DONE, 1));
        assert_eq!(b.ask(OP_CANCEL_READ, 0, 0, 0), (STATUS_DONE, 0));
        b.host.input = vec![Input::Bytes(1)];
        assert!(!b.poll());
        assert_eq!(b.host.input.len(), 1, "input stays with the host");
    }

    #[test]
    fn records_about_binds_are_kept_if_they_are_wanted_and_there_is_room() {
        let mut b = Bench::new();
        assert!(b.ram.write(PhysAddr(BUFFER), b"record"));
        assert_eq!(b.ask(OP_CHANGED, 0, BUFFER, 6), (STATUS_INVALID, 0));
        b.device.changed.keep(100);
        for (addr, len, answer) in [
            (BUFFER, 6, (STATUS_DONE, 6)),
            (BUFFER, 4097, (STATUS_INVALID, 0)),
            (u64::MAX, 6, (STATUS_FAULT, 0)),
            (BUFFER, 0, (STATUS_DONE, 0)),
            (BUFFER, 100, (STATUS_IO, 0)),
        ] {
            assert_eq!(b.ask(OP_CHANGED, 3, addr, len), answer, "{len} bytes at {addr:#x}");
        }
        let kept: Vec<_> =
            b.device.changed.records().iter().map(|it| (it.bind, it.bytes.as_slice())).collect();
        assert_eq!(kept, [(3, &b"record"[..]), (3, b"")]);
    }

    #[test]
    fn registers_and_exits() {
        let mut b = Bench::new();
        for (register, value) in [(REG_MAGIC, MAGIC), (REG_VERSION, 1), (REG_SEED, 7), (REG_FRAME_LIMIT, 9)] {
            assert_eq!(b.device.read(register, 8), Ok(value));
            assert_eq!(b.device.read(register, 4), Err(AccessFault));
        }
        assert_eq!(b.device.read(0x40, 8), Err(AccessFault));
        for (value, exit) in [
            (3, GuestExit::Status(3)),
            (EXIT_PANIC, GuestExit::Panic),
            (EXIT_EXEC_FAILED | 8, GuestExit::ExecFailed(8)),
            (EXIT_SIGNALED | 11, GuestExit::Signaled(11)),
        ] {
            let effect = b.device.write(&mut b.ram, &mut b.host, REG_EXIT, 8, value, Step(0));
            assert_eq!(effect, Ok(Effect::Exit(exit)));
        }
        let block_outside_ram =
            b.device.write(&mut b.ram, &mut b.host, REG_REQUEST, 8, u64::MAX - 8, Step(0));
        assert_eq!(block_outside_ram, Ok(Effect::None));
    }
}
