//! gdb's connections: a thread takes each port's, and reads it.

use super::name_of;
use crate::cli::signals::Interrupted;
use emulator::gdb::{Incoming, Lines};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often a wait looks for Ctrl-C.
const INTERRUPT_POLL: Duration = Duration::from_millis(20);

/// The connections, each read on a thread of its own.
pub(super) struct Sockets {
    inbox: Receiver<(usize, Incoming)>,
    /// The half that is written to, and the port's name.
    lines: Vec<(Arc<Mutex<Option<TcpStream>>>, String)>,
    /// What has come while something else was looked for.
    ready: VecDeque<(usize, Incoming)>,
    interrupted: Interrupted,
    call: Arc<AtomicBool>,
}

impl Sockets {
    pub(super) fn new(listeners: &mut Vec<TcpListener>, interrupted: &Interrupted) -> Self {
        let (sender, inbox) = channel();
        let call = interrupted.call();
        let lines = listeners.drain(..).enumerate().map(|(line, listener)| {
            let (name, stream) = (name_of(&listener), Arc::default());
            let port =
                Port { line, sender: sender.clone(), call: Arc::clone(&call), stream: Arc::clone(&stream) };
            std::thread::spawn(move || port.serve(listener));
            (stream, name)
        });
        Self { lines: lines.collect(), inbox, ready: VecDeque::new(), interrupted: interrupted.clone(), call }
    }
}

/// One port's thread.
struct Port {
    line: usize,
    sender: Sender<(usize, Incoming)>,
    call: Arc<AtomicBool>,
    stream: Arc<Mutex<Option<TcpStream>>>,
}

impl Port {
    /// Takes one connection, and all that it says. Who comes later is refused, and need not wait for an answer that never comes.
    fn serve(&self, listener: TcpListener) {
        let accepted = listener.accept();
        drop(listener);
        let Ok((mut stream, _)) = accepted else { return };
        // Many small packets, each waited for.
        let _ = stream.set_nodelay(true);
        let Ok(half) = stream.try_clone() else { return };
        *self.stream.lock().unwrap_or_else(PoisonError::into_inner) = Some(half);
        self.send(Incoming::Connected);
        let mut buffer = [0; 1 << 14];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            self.send(Incoming::Bytes(buffer[..count].to_vec()));
        }
        self.send(Incoming::Lost);
    }
    fn send(&self, incoming: Incoming) {
        // Nobody listens when all is over.
        if self.sender.send((self.line, incoming)).is_ok() {
            self.call.store(true, Ordering::SeqCst);
        }
    }
}

impl Lines for Sockets {
    fn next(&mut self, wait: bool) -> Option<(usize, Incoming)> {
        // Before looking: what comes now calls again.
        self.call.store(false, Ordering::SeqCst);
        loop {
            self.ready.extend(self.inbox.try_iter());
            if let Some(incoming) = self.ready.pop_front() {
                return Some(incoming);
            }
            if !wait || self.interrupted.end().is_some() {
                return None;
            }
            match self.inbox.recv_timeout(INTERRUPT_POLL) {
                Ok(incoming) => self.ready.push_back(incoming),
                Err(RecvTimeoutError::Timeout) => {}
                // Every port has had its connection, and lost it.
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }
    fn send(&mut self, line: usize, bytes: &[u8]) {
        let mut stream = self.lines[line].0.lock().unwrap_or_else(PoisonError::into_inner);
        // A connection that is lost is told of by its thread.
        let _ = stream.as_mut().map(|stream| stream.write_all(bytes));
    }
    fn close(&mut self, line: usize) {
        let stream = self.lines[line].0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = stream.map(|stream| stream.shutdown(Shutdown::Both));
    }
    fn name(&self, line: usize) -> String {
        self.lines[line].1.clone()
    }
}
