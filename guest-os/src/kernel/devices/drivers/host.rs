//! The host device (`isa::hostdev`): events, stdio, the log and the end of the run.
//!
//! Present or not is decided once, at boot; absent, [`with`] gives `None` and callers fall back to SBI and the finisher.

use super::mmio::Mmio;
use crate::arch;
use crate::local::HartLocal;
use core::sync::atomic::{AtomicBool, Ordering};
use isa::events::{EventRecord, MAX_TEXT};
use isa::hostdev::{self, Request};
use isa::platform;

const HOST: Mmio = Mmio::new(platform::HOST);

/// A record and its text, as they lie in RAM.
#[repr(C)]
struct Report {
    words: [u64; EventRecord::WORDS],
    text: [u8; MAX_TEXT],
}

/// What the device reads and writes: part of the kernel's image, and so in the direct map.
pub struct Host {
    report: Report,
    /// Block of the operations that complete at once.
    request: Request,
    /// Block of the pending read.
    read: Request,
}

/// What has come of a read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// So many bytes; none at the end of the file.
    Bytes(u64),
    /// None: the window of the terminal has another size.
    Resized,
}

const NO_REQUEST: Request = Request { op: 0, fd: 0, addr: 0, len: 0, status: 0, result: 0 };

static IS_PRESENT: AtomicBool = AtomicBool::new(false);
static DEVICE: HartLocal<Host> = HartLocal::new(Host {
    report: Report { words: [0; EventRecord::WORDS], text: [0; MAX_TEXT] },
    request: NO_REQUEST,
    read: NO_REQUEST,
});

/// Finds the device. `present`: the device tree names it.
pub fn start(present: bool) {
    let present = present && HOST.read_u64(hostdev::REG_MAGIC) == hostdev::MAGIC;
    IS_PRESENT.store(present, Ordering::Relaxed);
}

/// Ends the run with a value for `REG_EXIT`, whoever has the device; comes back if there is none.
pub fn exit_at_once(value: u64) {
    if IS_PRESENT.load(Ordering::Relaxed) {
        HOST.write_u64(hostdev::REG_EXIT, value);
    }
}

/// Runs `action` with the device if there is one.
pub fn with<R>(action: impl FnOnce(&mut Host) -> R) -> Option<R> {
    is_present().then(|| action(&mut DEVICE.get_mut()))
}

/// Whether the device is there.
pub fn is_present() -> bool {
    IS_PRESENT.load(Ordering::Relaxed)
}

impl Host {
    /// Reports an event; `text` is cut at [`MAX_TEXT`] bytes.
    pub fn report(&mut self, record: &EventRecord, text: &[u8]) {
        let text = &text[..text.len().min(MAX_TEXT)];
        self.report.words = EventRecord { text_len: text.len() as u64, ..*record }.to_words();
        self.report.text[..text.len()].copy_from_slice(text);
        HOST.write_u64(hostdev::REG_EVENT, arch::phys_of(&raw const self.report).0);
    }

    /// As [`Host::report`], without a text; of a record that is known but for a few words it takes few instructions.
    #[inline]
    pub fn report_frame(&mut self, record: EventRecord) {
        self.report.words = record.to_words();
        HOST.write_u64(hostdev::REG_EVENT, arch::phys_of(&raw const self.report).0);
    }

    fn submit(&mut self, op: u64, fd: u64, bytes: &[u8]) -> (u64, u64) {
        // An empty slice points nowhere.
        let addr = if bytes.is_empty() { 0 } else { arch::phys_of(bytes.as_ptr()).0 };
        self.request =
            Request { op, fd, addr, len: bytes.len() as u64, status: hostdev::STATUS_PENDING, result: 0 };
        let block = &raw const self.request;
        HOST.write_u64(hostdev::REG_REQUEST, arch::phys_of(block).0);
        // SAFETY: the block is ours; the device has written status and result, so they are read afresh.
        let done = unsafe { block.read_volatile() };
        (done.status, done.result)
    }

    /// Writes to the host's stdout (1) or stderr (2). The bytes lie in the direct map. `None`: the host could not.
    pub fn write(&mut self, fd: u64, bytes: &[u8]) -> Option<u64> {
        let (status, count) = self.submit(hostdev::OP_WRITE, fd, bytes);
        (status == hostdev::STATUS_DONE).then_some(count)
    }
    /// A line for the host's log.
    pub fn log(&mut self, level: u64, text: &[u8]) {
        self.submit(hostdev::OP_LOG, level, text);
    }
    /// Hands over a record about a bind ([`isa::binds`]), which lies in the direct map. Whether the host took it.
    pub fn tell_changed(&mut self, bind: u64, record: &[u8]) -> bool {
        self.submit(hostdev::OP_CHANGED, bind, record).0 == hostdev::STATUS_DONE
    }
    /// Whether the host's descriptor is a terminal.
    pub fn is_terminal(&mut self, fd: u64) -> bool {
        let (status, answer) = self.submit(hostdev::OP_IS_TTY, fd, &[]);
        status == hostdev::STATUS_DONE && answer != 0
    }
    /// Whether the host's standard input is a terminal whose keys come as they are pressed.
    pub fn has_keys(&mut self) -> bool {
        self.submit(hostdev::OP_IS_TTY, 0, &[]) == (hostdev::STATUS_DONE, hostdev::TTY_KEYS)
    }
    /// Rows and columns of the host's terminal.
    pub fn window_size(&mut self) -> (u16, u16) {
        let (_, size) = self.submit(hostdev::OP_WINSIZE, 1, &[]);
        (u16::try_from(size >> 16 & 0xffff).unwrap_or(24), u16::try_from(size & 0xffff).unwrap_or(80))
    }

    /// Asks for up to `len` bytes of stdin at physical address `addr`. One read may be pending.
    pub fn start_read(&mut self, addr: u64, len: u64) {
        self.read =
            Request { op: hostdev::OP_READ, fd: 0, addr, len, status: hostdev::STATUS_PENDING, result: 0 };
        HOST.write_u64(hostdev::REG_REQUEST, arch::phys_of(&raw const self.read).0);
    }
    /// What has come of the read that was started, once it has completed; an error of the device counts as end of file.
    pub fn finished_read(&mut self) -> Option<Finished> {
        // SAFETY: the block is ours; the device writes it.
        let block = unsafe { (&raw const self.read).read_volatile() };
        match block.status {
            hostdev::STATUS_PENDING => None,
            hostdev::STATUS_DONE => Some(Finished::Bytes(block.result)),
            hostdev::STATUS_RESIZED => Some(Finished::Resized),
            _ => Some(Finished::Bytes(0)),
        }
    }
    /// Acknowledges the interrupt of a completed read.
    pub fn acknowledge(&mut self) {
        HOST.write_u64(hostdev::REG_INTERRUPT, 1);
    }
    /// Ends the run with a value for `REG_EXIT`.
    pub fn exit(&mut self, value: u64) {
        HOST.write_u64(hostdev::REG_EXIT, value);
    }
    /// The seed of `--seed`.
    pub fn seed(&self) -> u64 {
        HOST.read_u64(hostdev::REG_SEED)
    }
    /// The limit of user frames; 0 is none.
    pub fn frame_limit(&self) -> u64 {
        HOST.read_u64(hostdev::REG_FRAME_LIMIT)
    }
}
