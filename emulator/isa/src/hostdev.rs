//! The host device: how the guest kernel reports events, uses the host's stdio and ends the run.
//!
//! Registers are 64 bits wide, little-endian, at [`crate::platform::HOST`]; other widths are access faults.
//! Every store takes effect at once; a read request completes later, with an interrupt. All addresses
//! handed over are physical and must lie in RAM, else the request's status is [`STATUS_FAULT`].
//!
//! Requests: the guest fills a [`Request`] in RAM (8 little-endian words) and stores its address to
//! [`REG_REQUEST`]. `OP_WRITE`, `OP_IS_TTY`, `OP_WINSIZE`, `OP_LOG` and `OP_CHANGED` are complete when that store is.
//! `OP_READ` is complete when the request's status word is no longer [`STATUS_PENDING`], at the latest when the
//! interrupt comes; one read may be pending at a time (a second one gets [`STATUS_BUSY`]).

/// Reads [`MAGIC`].
pub const REG_MAGIC: u64 = 0x00;
/// Reads [`VERSION`].
pub const REG_VERSION: u64 = 0x08;
/// Write: physical address of an event record ([`crate::events::EventRecord`]).
pub const REG_EVENT: u64 = 0x10;
/// Write: physical address of a [`Request`].
pub const REG_REQUEST: u64 = 0x18;
/// Write: end the run with this exit status (0..=255). A kernel panic writes [`EXIT_PANIC`].
pub const REG_EXIT: u64 = 0x20;
/// Read: 1 while a read has completed and the interrupt is pending. Write 1: acknowledge.
pub const REG_INTERRUPT: u64 = 0x28;
/// Read: the seed of `--seed`, for the kernel's random numbers.
pub const REG_SEED: u64 = 0x30;
/// Read: the limit of user frames given by `--frames`, or 0 for none.
pub const REG_FRAME_LIMIT: u64 = 0x38;

/// "FOLIOHST" as a little-endian number.
pub const MAGIC: u64 = u64::from_le_bytes(*b"FOLIOHST");
/// Version of this interface.
pub const VERSION: u64 = 1;
/// Written to [`REG_EXIT`] when the kernel itself has failed (after it has logged why).
pub const EXIT_PANIC: u64 = 1 << 32;
/// Bit of [`REG_EXIT`]: the first program could not be executed; the low 32 bits are the errno.
pub const EXIT_EXEC_FAILED: u64 = 1 << 33;
/// Bit of [`REG_EXIT`]: the first program was killed by the signal in the low 32 bits.
pub const EXIT_SIGNALED: u64 = 1 << 34;

/// Write `len` bytes at `addr` to host descriptor `fd` (1 or 2); `result` is the count written.
pub const OP_WRITE: u64 = 1;
/// Read up to `len` bytes of the host's stdin to `addr`; `result` is the count, 0 at end of file.
pub const OP_READ: u64 = 2;
/// `result` is 0 if host descriptor `fd` is no terminal; [`TTY_KEYS`] if it is one and gives keys as they are pressed (standard input, where
/// the host has made it raw), else 1: the host's terminal edits and echoes lines.
pub const OP_IS_TTY: u64 = 3;
/// `result` is rows << 16 | columns of the host's terminal (24 × 80 if there is none).
pub const OP_WINSIZE: u64 = 4;
/// Answer to [`OP_IS_TTY`]: keys come as they are pressed.
pub const TTY_KEYS: u64 = 2;
/// Hand `len` bytes of UTF-8 at `addr` to the host's log; `fd` is the level (1 error … 5 trace).
pub const OP_LOG: u64 = 5;
/// Take a pending read back (its reader was killed); input that had not arrived stays with the host.
pub const OP_CANCEL_READ: u64 = 6;

/// Hand over the `len` bytes at `addr`, a record of [`crate::binds`] about bind `fd` (its place in the list, from 0 on), at the end of the
/// run. [`STATUS_INVALID`] for a bind that is not to be written out, or a record that is too long; [`STATUS_IO`] if the host keeps no more.
pub const OP_CHANGED: u64 = 7;

/// Not complete yet.
pub const STATUS_PENDING: u64 = 0;
/// Complete; `result` is valid.
pub const STATUS_DONE: u64 = 1;
/// An address lies outside RAM.
pub const STATUS_FAULT: u64 = 2;
/// A read is pending already.
pub const STATUS_BUSY: u64 = 3;
/// Unknown operation or descriptor.
pub const STATUS_INVALID: u64 = 4;
/// The host's write failed (for example: broken pipe).
pub const STATUS_IO: u64 = 5;
/// A read has come back without a byte: the window of the host's terminal has another size, which [`OP_WINSIZE`] tells.
pub const STATUS_RESIZED: u64 = 6;

/// A request block, as it lies in RAM.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Request {
    /// One of the `OP_` constants.
    pub op: u64,
    /// Host descriptor, or log level.
    pub fd: u64,
    /// Physical address of the buffer.
    pub addr: u64,
    /// Length of the buffer in bytes.
    pub len: u64,
    /// Written by the host: one of the `STATUS_` constants.
    pub status: u64,
    /// Written by the host: the operation's result.
    pub result: u64,
}

impl Request {
    /// Size in RAM, in bytes.
    pub const SIZE_BYTES: u64 = 48;
    /// Offset of `status` in the block.
    pub const STATUS_OFFSET: u64 = 32;
    /// Offset of `result` in the block.
    pub const RESULT_OFFSET: u64 = 40;
}

const _: () = assert!(core::mem::size_of::<Request>() as u64 == Request::SIZE_BYTES);
const _: () = assert!(core::mem::offset_of!(Request, status) as u64 == Request::STATUS_OFFSET);
const _: () = assert!(core::mem::offset_of!(Request, result) as u64 == Request::RESULT_OFFSET);
