//! Standard input, output and error: the host's through the host device, else the firmware's console and the UART.

use crate::devices::drivers::mmio::Mmio;
use crate::devices::drivers::{host, plic};
use crate::files::ready;
use crate::local::HartLocal;
use crate::logger;
use crate::memory::mem::{FRAME_BYTES, KernelFrame};
use crate::processes::wait::{self, Channel, WaitOutcome};
use crate::syscall::terminal;
use core::ops::Range;
use fs::{Errno, Source};
use isa::platform;

const BUFFER_BYTES: usize = FRAME_BYTES;
/// Frames in use once [`start`] has run: the input buffer.
pub const FRAMES: u64 = 1;
const UART: Mmio = Mmio::new(platform::UART);

/// What has been read ahead for nobody in particular, and the read under way.
struct Input {
    /// Where the host or the UART's interrupt puts the bytes.
    buffer: Option<KernelFrame>,
    /// The bytes of the buffer that nobody has read yet.
    ready: Range<usize>,
    /// Bytes read since the start.
    consumed: u64,
    is_reading: bool,
    /// An end of file that no reader has seen yet.
    ended: bool,
}

static INPUT: HartLocal<Input> =
    HartLocal::new(Input { buffer: None, ready: 0..0, consumed: 0, is_reading: false, ended: false });

impl Input {
    /// A character of the UART's. When the buffer is full it is lost, as in a driver without flow control.
    fn push(&mut self, byte: u8) {
        if self.ready.is_empty() {
            self.ready = 0..0;
        }
        let end = self.ready.end;
        if let Some(place) = self.buffer.as_mut().and_then(|buffer| buffer.get_mut(end)) {
            *place = byte;
            self.ready.end += 1;
        }
    }
    fn end_line_or_file(&mut self) {
        let last = self.ready.clone().last().and_then(|at| self.buffer.as_ref()?.get(at).copied());
        self.ended = last.is_none_or(|last| last == b'\n');
    }
}

/// Sets the devices up.
pub fn start() {
    INPUT.get_mut().buffer = Some(KernelFrame::new().expect("a machine that has just started has frames"));
    if host::is_present() {
        plic::enable(platform::HOST_IRQ);
    } else {
        uart::enable_receive_interrupt();
        plic::enable(platform::UART_IRQ);
    }
}

/// Whether the stream is a terminal.
pub fn is_terminal(stream: u64) -> bool {
    host::with(|host| host.is_terminal(stream)).unwrap_or(true)
}

/// Rows and columns.
pub fn window_size() -> (u16, u16) {
    host::with(|host| host.window_size()).unwrap_or((24, 80))
}

/// Writes bytes (in the direct map) to stdout (1) or stderr (2). EIO if the host can't; a closed pipe gives EPIPE.
pub fn write(stream: u64, bytes: &[u8]) -> Result<usize, Errno> {
    match host::with(|host| host.write(stream, bytes)) {
        Some(Some(count)) => usize::try_from(count).map_err(|_| Errno::EIO),
        Some(None) => Err(Errno::EPIPE),
        None => {
            logger::console_write(bytes);
            Ok(bytes.len())
        }
    }
}

/// Whether a read would not wait. Starts one so that it will be known.
pub fn has_input() -> bool {
    collect();
    let ready = {
        let input = INPUT.get();
        !input.ready.is_empty() || input.ended
    };
    if !ready {
        request(BUFFER_BYTES);
    }
    ready
}

/// Copies the next input out, waiting for the first byte, and says where in the stream of all input it is. It stays until
/// [`consume`]. No byte at the end. `Err(None)`: interrupted by a signal.
pub fn peek(into: &mut [u8], may_wait: bool) -> Result<(usize, u64), Option<Errno>> {
    loop {
        collect();
        {
            let mut guard = INPUT.get_mut();
            let input = &mut *guard;
            if let (false, Some(buffer)) = (input.ready.is_empty(), &input.buffer) {
                let count = into.len().min(input.ready.len());
                into[..count].copy_from_slice(&buffer[input.ready.start..][..count]);
                return Ok((count, input.consumed));
            }
            if core::mem::take(&mut input.ended) {
                return Ok((0, input.consumed));
            }
        }
        request(into.len());
        if !may_wait {
            collect();
            if !INPUT.get().ready.is_empty() {
                continue;
            }
            return Err(Some(Errno::EAGAIN));
        }
        if wait::sleep_on(alloc::vec![Channel::Ready(Source::Console)], None, true)
            == WaitOutcome::Interrupted
        {
            return Err(None);
        }
    }
}

/// Takes out input that was peeked at: `count` of the bytes at `position` of the stream. `false`, with nothing done, if another reader
/// has had them meanwhile.
pub fn consume(position: u64, count: usize) -> bool {
    let mut input = INPUT.get_mut();
    let is_there = input.consumed == position;
    if is_there {
        input.ready.start += count;
        input.consumed += count as u64;
    }
    is_there
}

/// Asks the host for at most `len` bytes, unless a read is under way. Nothing is in the buffer.
fn request(len: usize) {
    let mut input = INPUT.get_mut();
    if input.is_reading || !host::is_present() {
        return;
    }
    let Some(buffer) = &input.buffer else { return };
    let address = buffer.address().0;
    host::with(|host| host.start_read(address, len.min(BUFFER_BYTES) as u64));
    input.is_reading = true;
}

/// Takes over what a completed read has brought.
fn collect() {
    let mut guard = INPUT.get_mut();
    let input = &mut *guard;
    if !input.is_reading {
        return;
    }
    let Some(Some(count)) = host::with(|host| host.finished_read()) else { return };
    input.is_reading = false;
    let count = usize::try_from(count).unwrap_or(0).min(BUFFER_BYTES);
    if let Some(buffer) = &input.buffer {
        buffer.changed_by_device();
        input.ready = 0..count;
    }
    input.ended = count == 0;
}

/// The host device's interrupt: a read has completed.
pub fn host_interrupt() {
    host::with(|host| host.acknowledge());
    collect();
    ready::wake(Source::Console);
}

/// The UART's interrupt: characters have come.
pub fn uart_interrupt() {
    while let Some(byte) = uart::receive() {
        match byte {
            // Ctrl-D at the start of a line ends the file, Ctrl-C interrupts, a carriage return ends a line.
            4 => INPUT.get_mut().end_line_or_file(),
            3 => terminal::interrupt(),
            b'\r' => INPUT.get_mut().push(b'\n'),
            _ => INPUT.get_mut().push(byte),
        }
    }
    ready::wake(Source::Console);
}

/// The 16550A's registers that are in use.
mod uart {
    use super::UART;

    const RECEIVER_BUFFER: u64 = 0;
    const INTERRUPT_ENABLE: u64 = 1;
    const LINE_STATUS: u64 = 5;
    const DATA_READY: u8 = 1;

    pub fn enable_receive_interrupt() {
        UART.write_u8(INTERRUPT_ENABLE, DATA_READY);
    }
    pub fn receive() -> Option<u8> {
        (UART.read_u8(LINE_STATUS) & DATA_READY != 0).then(|| UART.read_u8(RECEIVER_BUFFER))
    }
}
