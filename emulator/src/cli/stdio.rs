//! The host's standard streams for a machine.
//!
//! Input keeps runs repeatable: a regular file (or `/dev/null`) answers each request at once and in full; a
//! pipe or a terminal answers only when the machine has nothing else to do ([`HostStdio::wait_for_input`]) or
//! at the fixed steps at which the run loop looks ([`HostStdio::look_for_input`]), so that the host's timing decides
//! as little as possible. Nothing is read from the host that no guest has asked for, a raw terminal's keys apart.

use super::signals::Interrupted;
use super::terminal::{Command, Escapes, Keys, Restored, Use, has_input, read_keys};
use anyhow::Context;
use emulator::debug::MAX_LINE_BYTES;
use emulator::host::{Input, Output, OutputClosed, Stdio};
use rustix::io::Errno;
use rustix::stdio::stdin;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How often a blocked wait looks for Ctrl-C.
const INTERRUPT_POLL: Duration = Duration::from_millis(20);

enum Source {
    /// A regular file or `/dev/null`: read synchronously.
    Exact(File),
    /// A pipe or a terminal: read when there is something, one request at a time.
    Streamed(Stream),
    /// A terminal whose keys are the guest's, Ctrl-A apart.
    Raw(RawTerminal),
}

struct RawTerminal {
    whose: Use,
    escapes: Escapes,
    /// Rows and columns as the guest knows them, and that it is to be told.
    window: Option<(u16, u16)>,
    resized: bool,
    /// Keys that the guest may have now.
    ready: Vec<u8>,
    command: Option<Command>,
    gone: bool,
}

impl RawTerminal {
    fn new(whose: Use) -> Self {
        let (ready, command, gone) = (Vec::new(), None, false);
        Self {
            whose,
            escapes: Escapes::of(whose),
            window: window_size(),
            resized: false,
            ready,
            command,
            gone,
        }
    }

    /// Reads keys, and looks whether the window has changed, waiting for at most `timeout`. Whether there was anything.
    fn receive(&mut self, timeout: Duration) -> bool {
        let came = self.receive_keys(timeout);
        let window = window_size();
        let has_changed = std::mem::replace(&mut self.window, window) != window;
        self.resized |= has_changed;
        came || has_changed
    }

    /// Whether the guest has something to take.
    fn has_input(&self) -> bool {
        self.resized || !self.ready.is_empty()
    }

    fn receive_keys(&mut self, timeout: Duration) -> bool {
        match read_keys(timeout) {
            Keys::Pressed(keys) => {
                self.command = self.escapes.filter(&keys, &mut self.ready).or(self.command);
                true
            }
            Keys::Nothing => false,
            Keys::Gone => {
                self.gone = true;
                self.command = Some(Command::Leave);
                true
            }
        }
    }

    fn poll(&mut self, buffer: &mut [u8]) -> Input {
        if std::mem::take(&mut self.resized) {
            return Input::Resized;
        }
        if self.ready.is_empty() {
            return if self.gone { Input::Eof } else { Input::NotYet };
        }
        take_from(&mut self.ready, buffer)
    }
}

/// Rows and columns of the terminal, if there is one.
fn window_size() -> Option<(u16, u16)> {
    terminal_size::terminal_size().map(|(width, height)| (height.0, width.0))
}

/// Hands out the first bytes of `ready`, which is not empty.
fn take_from(ready: &mut Vec<u8>, buffer: &mut [u8]) -> Input {
    let n = ready.len().min(buffer.len());
    buffer[..n].copy_from_slice(&ready[..n]);
    ready.drain(..n);
    Input::Bytes(n)
}

#[derive(Default)]
struct Stream {
    /// How much the guest wants, while it waits for more.
    wanted: Option<usize>,
    /// What the guest may have now.
    ready: Vec<u8>,
    ended: bool,
}

struct Shared {
    source: Source,
    /// The guest has written something.
    written: bool,
    /// What the guest has written and the host could not.
    lost: Option<Lost>,
}

struct Lost {
    stream: &'static str,
    error: io::Error,
}

impl Shared {
    fn new(source: Source) -> Self {
        Self { source, written: false, lost: None }
    }
}

/// The machine's half; clones share the streams, so that the run loop can wait for input.
#[derive(Clone)]
pub struct HostStdio(Arc<Mutex<Shared>>);

impl HostStdio {
    /// The process's own standard streams.
    pub fn new() -> Self {
        let source = match exact_stdin() {
            Some(file) => Source::Exact(file),
            None => Source::Streamed(Stream::default()),
        };
        Self(Arc::new(Mutex::new(Shared::new(source))))
    }

    /// As [`HostStdio::new`]; a terminal is to be raw while the machine runs. A program's only where the guest can show what is typed.
    pub fn raw(whose: Use) -> Self {
        let shows = whose == Use::Board || io::stdout().is_terminal() || io::stderr().is_terminal();
        if io::stdin().is_terminal() && shows {
            return Self(Arc::new(Mutex::new(Shared::new(Source::Raw(RawTerminal::new(whose))))));
        }
        Self::new()
    }

    /// Whose terminal it is that is raw while the machine runs, if there is one.
    pub fn raw_use(&self) -> Option<Use> {
        match &self.lock().source {
            Source::Raw(terminal) => Some(terminal.whose),
            Source::Exact(_) | Source::Streamed(_) => None,
        }
    }

    /// Makes the terminal raw, if it is to be, for as long as the guard lives.
    pub fn enter_raw(&self) -> Option<Restored> {
        self.raw_use().and_then(Restored::from_raw)
    }

    /// Whether the guest has written anything.
    pub fn has_written(&self) -> bool {
        self.lock().written
    }

    /// Whether output was lost because the host could not write it (and not because nobody reads it any more).
    pub fn has_lost_output(&self) -> bool {
        self.lock().lost.is_some()
    }

    /// Fails if output was lost, with the reason.
    pub fn check_output(&self) -> anyhow::Result<()> {
        match self.lock().lost.take() {
            Some(Lost { stream, error }) => Err(error).with_context(|| format!("cannot write to {stream}")),
            None => Ok(()),
        }
    }

    /// What the user wants of Folio itself.
    pub fn take_command(&self) -> Option<Command> {
        match &mut self.lock().source {
            Source::Raw(terminal) => terminal.command.take(),
            Source::Exact(_) | Source::Streamed(_) => None,
        }
    }

    /// Blocks until the input a guest waits for has arrived or ended. `false` if Ctrl-C came first.
    pub fn wait_for_input(&self, interrupted: &Interrupted) -> bool {
        loop {
            if interrupted.is_set() {
                return false;
            }
            let came = match &mut self.lock().source {
                Source::Exact(_) => true,
                Source::Streamed(stream) => stream.receive(INTERRUPT_POLL),
                Source::Raw(terminal) => terminal.has_input() || terminal.receive(INTERRUPT_POLL),
            };
            if came {
                return true;
            }
        }
    }

    /// Takes what has arrived, without waiting. `true` if there is something to read.
    pub fn look_for_input(&self) -> bool {
        match &mut self.lock().source {
            Source::Exact(_) => true,
            Source::Streamed(stream) => stream.receive(Duration::ZERO),
            Source::Raw(terminal) => terminal.receive(Duration::ZERO) || terminal.has_input(),
        }
    }

    /// Sleeps for `duration`, or until input arrives or Ctrl-C comes.
    pub fn sleep(&self, duration: Duration, interrupted: &Interrupted) {
        let end = Instant::now() + duration;
        // What was there before is no reason to wake.
        let mut waits = !self.look_for_input();
        loop {
            let left = end.saturating_duration_since(Instant::now()).min(INTERRUPT_POLL);
            if left.is_zero() || interrupted.is_set() {
                return;
            }
            let came = match &mut self.lock().source {
                Source::Raw(terminal) => terminal.receive(left),
                Source::Streamed(stream) if waits && stream.wanted.is_some() => stream.receive(left),
                Source::Streamed(_) | Source::Exact(_) => {
                    std::thread::sleep(left);
                    false
                }
            };
            if came && waits {
                return;
            }
            waits &= !came;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Standard input as a file, if it is one whose reads never wait.
fn exact_stdin() -> Option<File> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        let file = File::from(io::stdin().as_fd().try_clone_to_owned().ok()?);
        let kind = file.metadata().ok()?;
        let null = std::fs::metadata("/dev/null").ok();
        let is_null = null.is_some_and(|null| same_device(&kind, &null));
        (kind.is_file() || is_null).then_some(file)
    }
    #[cfg(not(unix))]
    None
}

#[cfg(unix)]
fn same_device(a: &std::fs::Metadata, b: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    a.file_type().is_char_device() && a.rdev() == b.rdev()
}

impl Stream {
    /// Whether the guest's read can be answered, waiting for at most `timeout`. Only here is the host's input read, so that
    /// nothing is taken from a prompt or from whoever reads after the run.
    fn receive(&mut self, timeout: Duration) -> bool {
        if !self.ready.is_empty() || self.ended {
            return true;
        }
        let Some(len) = self.wanted.filter(|_| has_input(timeout)) else { return false };
        let mut buffer = vec![0; len];
        match rustix::io::read(stdin(), &mut buffer) {
            Ok(0) => self.ended = true,
            Ok(count) => {
                buffer.truncate(count);
                self.ready = buffer;
            }
            Err(Errno::INTR | Errno::AGAIN) => return false,
            Err(error) => {
                log::warn!("standard input cannot be read: {error}");
                self.ended = true;
            }
        }
        self.wanted = None;
        true
    }

    fn poll(&mut self, buffer: &mut [u8]) -> Input {
        if !self.ready.is_empty() {
            return take_from(&mut self.ready, buffer);
        }
        if self.ended {
            // A terminal's end of file is not for ever: the next request asks again.
            self.ended = !io::stdin().is_terminal();
            return Input::Eof;
        }
        self.wanted.get_or_insert(buffer.len());
        Input::NotYet
    }
}

/// The next line of standard input without its end, for commands; `None` at its end. Nothing behind the line is read: that is
/// the guest's, or the next command.
pub fn read_command() -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        match rustix::io::read(stdin(), &mut byte) {
            Ok(0) if line.is_empty() => return Ok(None),
            Ok(0) => break,
            Ok(_) if byte[0] == b'\n' => break,
            // No command is so long: it is refused, and what comes behind it is not waited for.
            Ok(_) if line.len() > MAX_LINE_BYTES => break,
            Ok(_) => line.push(byte[0]),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

impl Stdio for HostStdio {
    fn write(&mut self, output: Output, bytes: &[u8]) -> Result<(), OutputClosed> {
        let (stream, result) = match output {
            Output::Stdout => {
                let mut out = io::stdout().lock();
                ("standard output", out.write_all(bytes).and_then(|()| out.flush()))
            }
            Output::Stderr => ("standard error", io::stderr().lock().write_all(bytes)),
        };
        let mut shared = self.lock();
        shared.written = true;
        result.map_err(|error| {
            // Nobody reads any more: that is the guest's to know.
            if error.kind() != io::ErrorKind::BrokenPipe {
                shared.lost.get_or_insert(Lost { stream, error });
            }
            OutputClosed
        })
    }

    fn poll_input(&mut self, buffer: &mut [u8]) -> Input {
        match &mut self.lock().source {
            Source::Exact(file) => match file.read(buffer) {
                Ok(0) => Input::Eof,
                Ok(n) => Input::Bytes(n),
                Err(error) => {
                    log::warn!("standard input cannot be read: {error}");
                    Input::Eof
                }
            },
            Source::Streamed(stream) => stream.poll(buffer),
            Source::Raw(terminal) => terminal.poll(buffer),
        }
    }

    fn is_terminal(&self, descriptor: u8) -> bool {
        match descriptor {
            0 => io::stdin().is_terminal(),
            1 => io::stdout().is_terminal(),
            2 => io::stderr().is_terminal(),
            _ => false,
        }
    }

    fn gives_keys(&self) -> bool {
        self.raw_use().is_some()
    }

    fn window_size(&self) -> Option<(u16, u16)> {
        match &self.lock().source {
            Source::Raw(terminal) => terminal.window,
            Source::Exact(_) | Source::Streamed(_) => window_size(),
        }
    }
}
