//! Pipes: a ring of bytes and the rules of POSIX about ends, atomicity and readiness.
//!
//! A pipe never sleeps. An operation that cannot go on says [`PipeOutcome::Wait`]; the kernel turns that into
//! EAGAIN (`O_NONBLOCK`) or a sleep until the other end has acted.

use crate::Readiness;
use alloc::collections::VecDeque;

/// Bytes that a pipe holds, as on Linux.
pub const PIPE_CAPACITY: usize = 64 * 1024;
/// Writes of at most this many bytes are not torn (POSIX `PIPE_BUF`).
pub const PIPE_BUF: usize = 4096;

/// A pipe's identity while it exists; also its inode number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PipeId(pub u32);

/// One end of a pipe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PipeEnd {
    /// Where bytes come out.
    Read,
    /// Where bytes go in.
    Write,
}

/// What came of a read or write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PipeOutcome {
    /// So many bytes were moved; 0 from a read is the end of the file. Wake the other end.
    Moved(usize),
    /// Nothing can be moved before the other end acts.
    Wait,
    /// Write only: no reader is left (EPIPE and SIGPIPE).
    Broken,
}

/// A pipe.
#[derive(Clone, Debug, Default)]
pub struct Pipe {
    bytes: VecDeque<u8>,
    readers: u32,
    writers: u32,
}

impl Pipe {
    /// An empty pipe with one reader and one writer.
    pub fn new() -> Pipe {
        Pipe { bytes: VecDeque::new(), readers: 1, writers: 1 }
    }

    /// Moves bytes out.
    pub fn read(&mut self, out: &mut [u8]) -> PipeOutcome {
        if self.bytes.is_empty() && self.writers > 0 && !out.is_empty() {
            return PipeOutcome::Wait;
        }
        let count = out.len().min(self.bytes.len());
        let (front, back) = self.bytes.as_slices();
        let from_front = count.min(front.len());
        out[..from_front].copy_from_slice(&front[..from_front]);
        out[from_front..count].copy_from_slice(&back[..count - from_front]);
        self.bytes.drain(..count);
        PipeOutcome::Moved(count)
    }

    /// Moves bytes in: all or nothing up to [`PIPE_BUF`], as many as fit beyond. A writer that may sleep comes
    /// back with the rest.
    pub fn write(&mut self, bytes: &[u8]) -> PipeOutcome {
        if self.readers == 0 {
            return PipeOutcome::Broken;
        }
        let room = PIPE_CAPACITY - self.bytes.len();
        if room < bytes.len().min(PIPE_BUF) {
            return PipeOutcome::Wait;
        }
        let count = room.min(bytes.len());
        self.bytes.extend(&bytes[..count]);
        PipeOutcome::Moved(count)
    }

    /// Bytes waiting to be read (`FIONREAD`).
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing waits to be read.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What `poll` says of an end.
    pub fn readiness(&self, end: PipeEnd) -> Readiness {
        match end {
            PipeEnd::Read => {
                let mut ready = Readiness::empty();
                ready.set(Readiness::IN, !self.bytes.is_empty());
                ready.set(Readiness::HUP, self.writers == 0);
                ready
            }
            PipeEnd::Write => {
                let mut ready = Readiness::empty();
                ready.set(Readiness::OUT, PIPE_CAPACITY - self.bytes.len() >= PIPE_BUF || self.readers == 0);
                ready.set(Readiness::ERR, self.readers == 0);
                ready
            }
        }
    }

    /// An end was opened once more.
    pub fn open(&mut self, end: PipeEnd) {
        *self.count(end) += 1;
    }

    /// An end was closed; true when no end is left and the pipe can go.
    pub fn close(&mut self, end: PipeEnd) -> bool {
        let count = self.count(end);
        assert!(*count > 0, "a pipe's end is closed more often than it was opened");
        *count -= 1;
        self.readers == 0 && self.writers == 0
    }

    fn count(&mut self, end: PipeEnd) -> &mut u32 {
        match end {
            PipeEnd::Read => &mut self.readers,
            PipeEnd::Write => &mut self.writers,
        }
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation)] // small numbers
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn small_writes_are_all_or_nothing_and_large_ones_fill_the_pipe() {
        let mut pipe = Pipe::new();
        assert_eq!(pipe.write(&vec![1; PIPE_CAPACITY - 100]), PipeOutcome::Moved(PIPE_CAPACITY - 100));
        assert_eq!(pipe.write(&[2; 101]), PipeOutcome::Wait);
        assert_eq!(pipe.write(&[2; 100]), PipeOutcome::Moved(100));
        assert_eq!(pipe.write(&[3]), PipeOutcome::Wait);
        let mut out = vec![0; PIPE_CAPACITY];
        assert_eq!(pipe.read(&mut out[..10]), PipeOutcome::Moved(10));
        // More than PIPE_BUF may be torn, but waits until PIPE_BUF bytes fit.
        assert_eq!(pipe.write(&vec![4; PIPE_BUF + 1]), PipeOutcome::Wait);
        assert_eq!(pipe.read(&mut out[..PIPE_BUF]), PipeOutcome::Moved(PIPE_BUF));
        assert_eq!(pipe.write(&vec![4; PIPE_CAPACITY]), PipeOutcome::Moved(PIPE_BUF + 10));
        assert_eq!(pipe.len(), PIPE_CAPACITY);
        assert_eq!(pipe.read(&mut out), PipeOutcome::Moved(PIPE_CAPACITY));
        let start = PIPE_CAPACITY - PIPE_BUF - 10;
        assert_eq!(&out[start - 100..start], &[2; 100]);
        assert_eq!(&out[start..], &vec![4; PIPE_BUF + 10]);
    }

    #[test]
    fn ends_decide_end_of_file_and_broken_pipe() {
        let mut pipe = Pipe::new();
        let mut byte = [0];
        assert_eq!(pipe.read(&mut byte), PipeOutcome::Wait);
        assert_eq!(pipe.readiness(PipeEnd::Read), Readiness::empty());
        pipe.open(PipeEnd::Write);
        assert_eq!(pipe.write(b"x"), PipeOutcome::Moved(1));
        assert!(!pipe.close(PipeEnd::Write));
        assert_eq!(pipe.readiness(PipeEnd::Read), Readiness::IN);
        assert!(!pipe.close(PipeEnd::Write));
        assert_eq!(pipe.readiness(PipeEnd::Read), Readiness::IN | Readiness::HUP);
        assert_eq!(pipe.read(&mut byte), PipeOutcome::Moved(1));
        assert_eq!(pipe.read(&mut byte), PipeOutcome::Moved(0));
        assert!(pipe.close(PipeEnd::Read));

        let mut pipe = Pipe::new();
        pipe.close(PipeEnd::Read);
        assert_eq!(pipe.write(b"x"), PipeOutcome::Broken);
        assert_eq!(pipe.readiness(PipeEnd::Write), Readiness::OUT | Readiness::ERR);
    }

    #[test]
    fn bytes_come_out_as_they_went_in_across_the_ring() {
        let mut pipe = Pipe::new();
        let (mut sent, mut seen) = (0_u32, 0_u32);
        for round in 1..2000_u32 {
            let chunk: std::vec::Vec<u8> =
                (0..round % 700).map(|i| (sent.wrapping_add(i) % 251) as u8).collect();
            if let PipeOutcome::Moved(count) = pipe.write(&chunk) {
                sent += count as u32;
            }
            let mut out = vec![0; (round * 7 % 900) as usize];
            if let PipeOutcome::Moved(count) = pipe.read(&mut out) {
                for byte in &out[..count] {
                    assert_eq!(u32::from(*byte), seen % 251);
                    seen += 1;
                }
            }
        }
        assert_eq!(sent as usize, seen as usize + pipe.len());
        assert!(seen > 100_000);
    }
}
