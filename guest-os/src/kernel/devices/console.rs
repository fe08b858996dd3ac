//! Standard input, output and error: the host's through the host device, else the firmware's console and the UART.
//!
//! What is typed at a terminal goes through the console's line discipline (`fs::Terminal`), whose master is this file: keys come as they
//! are pressed, at any time, or as lines that the host's own terminal has edited, when somebody waits for one. A standard input that is
//! no terminal is read as it is.

use crate::devices::drivers::host::{self, Finished};
use crate::devices::drivers::mmio::Mmio;
use crate::devices::drivers::plic;
use crate::files::vfs::open_files;
use crate::files::{ready, terminals};
use crate::local::HartLocal;
use crate::logger;
use crate::memory::mem::{FRAME_BYTES, KernelFrame};
use crate::processes::wait::{self, Channel, WaitOutcome};
use core::ops::Range;
use fs::{Console, Errno, Signals, Source, TerminalEnd, TerminalId, WindowSize};
use isa::platform;

const BUFFER_BYTES: usize = FRAME_BYTES;
/// Frames in use once [`start`] has run: a buffer for input, one for what the screen shows.
pub const FRAMES: u64 = 2;
const MASTER: terminals::At = (TerminalId::Console, TerminalEnd::Master);
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

/// The console as a terminal.
struct Terminal {
    /// Who types, if anybody can.
    typist: Option<Console>,
    /// The host's stream that is its screen.
    stream: u64,
    /// What goes to the host next.
    buffer: Option<KernelFrame>,
}

static TERMINAL: HartLocal<Terminal> = HartLocal::new(Terminal { typist: None, stream: 1, buffer: None });

static INPUT: HartLocal<Input> =
    HartLocal::new(Input { buffer: None, ready: 0..0, consumed: 0, is_reading: false, ended: false });

const FRESH: &str = "a machine that has just started has frames";

/// Sets the devices up.
pub fn start() {
    INPUT.get_mut().buffer = Some(KernelFrame::new().expect(FRESH));
    let typist = match host::with(|host| (host.is_terminal(0), host.has_keys())) {
        None | Some((_, true)) => Some(Console::Keys),
        Some((true, false)) => Some(Console::Lines),
        Some((false, _)) => None,
    };
    let stream = (1..3).find(|&stream| is_terminal(stream)).unwrap_or(1);
    *TERMINAL.get_mut() = Terminal { typist, stream, buffer: Some(KernelFrame::new().expect(FRESH)) };
}

/// Makes the console's terminal, since there are open files now, and begins to listen.
pub fn start_terminal() {
    // Where nobody types, the host's terminal does what there is to do for the screen.
    open_files().create_console(typist().unwrap_or(Console::Lines)).expect(FRESH);
    let size = window_size();
    open_files()
        .change_terminal(TerminalId::Console, |terminal| terminal.window = size)
        .expect("it is there");
    if host::is_present() {
        plic::enable(platform::HOST_IRQ);
        listen();
    } else {
        uart::enable_receive_interrupt();
        plic::enable(platform::UART_IRQ);
    }
}

fn typist() -> Option<Console> {
    TERMINAL.get().typist
}

/// Keys come whenever they are pressed, as long as those that came before have found their place.
pub fn listen() {
    let is_settled =
        || open_files().terminals().get(TerminalId::Console).is_some_and(fs::Terminal::is_settled);
    if typist() == Some(Console::Keys) && is_settled() {
        request(BUFFER_BYTES);
    }
}

/// Somebody waits for a line. `false`: none can ever come.
pub fn await_line() -> bool {
    if typist() == Some(Console::Lines) {
        request(BUFFER_BYTES);
    }
    typist().is_some()
}

/// Shows what the screen of the console holds. EIO if the host cannot.
pub fn show() -> Result<(), Errno> {
    let mut terminal = TERMINAL.get_mut();
    let stream = terminal.stream;
    let Some(buffer) = &mut terminal.buffer else { return Ok(()) };
    let mut result = Ok(());
    loop {
        let (count, position) = open_files().terminal_peek(MASTER, &mut buffer[..]);
        if count == 0 {
            return result;
        }
        open_files().terminal_consume(MASTER, position, count);
        result = result.and(write(stream, &buffer[..count]).map(|_| ()).map_err(|_| Errno::EIO));
    }
}

/// Whether the stream is a terminal.
pub fn is_terminal(stream: u64) -> bool {
    host::with(|host| host.is_terminal(stream)).unwrap_or(true)
}

fn window_size() -> WindowSize {
    let (rows, columns) = host::with(|host| host.window_size()).unwrap_or((24, 80));
    WindowSize { rows, columns, ..WindowSize::default() }
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
    let Some(Some(finished)) = host::with(|host| host.finished_read()) else { return };
    input.is_reading = false;
    let count = match finished {
        Finished::Bytes(count) => usize::try_from(count).unwrap_or(0).min(BUFFER_BYTES),
        Finished::Resized => return,
    };
    if let Some(buffer) = &input.buffer {
        buffer.changed_by_device();
        input.ready = 0..count;
    }
    input.ended = count == 0;
}

/// The host device's interrupt: a read has completed.
pub fn host_interrupt() {
    host::with(|host| host.acknowledge());
    if typist().is_none() {
        collect();
        ready::wake(Source::Console);
    } else {
        terminal_input();
    }
}

/// What the host's terminal had to say: keys, a line, or that its window has changed.
fn terminal_input() {
    let finished = {
        let mut input = INPUT.get_mut();
        match host::with(|host| host.finished_read()) {
            Some(Some(finished)) if core::mem::take(&mut input.is_reading) => finished,
            _ => return,
        }
    };
    match finished {
        Finished::Resized => terminals::resize(TerminalId::Console, window_size()),
        Finished::Bytes(count) => {
            let input = INPUT.get();
            let count = usize::try_from(count).unwrap_or(0).min(BUFFER_BYTES);
            let Some(buffer) = &input.buffer else { return };
            buffer.changed_by_device();
            type_in(&buffer[..count]);
        }
    }
    listen();
}

/// Somebody types. Keys for which there is no room are lost, as in a driver without flow control; no bytes are the end of the file.
fn type_in(bytes: &[u8]) {
    let is_edited = typist() == Some(Console::Lines);
    let typed = open_files().change_terminal(TerminalId::Console, |terminal| {
        let (_, signals) = terminal.type_in(bytes);
        if is_edited {
            terminal.end_of_edited(bytes.is_empty());
        }
        signals
    });
    let signals: Signals = typed.unwrap_or_default();
    // Whoever writes hears of a host that cannot show it.
    let _ = terminals::settle(TerminalId::Console, signals);
}

/// The UART's interrupt: characters have come.
pub fn uart_interrupt() {
    while let Some(byte) = uart::receive() {
        type_in(&[byte]);
    }
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
