//! Pipes: a queue of bytes and the rules of POSIX about ends, atomicity and readiness.
//!
//! The bytes lie in chunks of a page, which come and go with them: a pipe takes no more memory than it holds data (and one chunk), and
//! never asks for more than a page at a time. Reading has two halves, [`Pipe::peek`] and [`Pipe::consume`], so that bytes that
//! cannot be delivered stay in the pipe.
//!
//! What is written as a packet (`O_DIRECT`) is read as one, and what a read has no room for of it is lost.
//!
//! A pipe never sleeps. An operation that cannot go on says [`PipeOutcome::Wait`]; the kernel turns that into
//! EAGAIN (`O_NONBLOCK`) or a sleep until the other end has acted.

use crate::{Errno, Readiness};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;

/// Bytes that a pipe holds at first, as on Linux.
pub const PIPE_CAPACITY: usize = 64 * 1024;
/// Bytes that a pipe may be made to hold: what Linux allows those who are not root.
const PIPE_CAPACITY_MAX: usize = 1 << 20;
/// Writes of at most this many bytes are not torn (POSIX `PIPE_BUF`).
pub const PIPE_BUF: usize = 4096;
/// Bytes in a chunk.
const CHUNK_BYTES: usize = 4096;

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
    /// Both, of a FIFO that was opened to be read and written.
    Both,
}

impl PipeEnd {
    /// Whether bytes come out here.
    pub fn reads(self) -> bool {
        self != PipeEnd::Write
    }
    /// Whether bytes go in here.
    pub fn writes(self) -> bool {
        self != PipeEnd::Read
    }
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
#[derive(Clone, Debug)]
pub struct Pipe {
    /// The bytes in order, those of the first chunk from `start` on. Each chunk but the last is full.
    chunks: VecDeque<Vec<u8>>,
    /// Bytes of the first chunk that have been read.
    start: usize,
    len: usize,
    /// Most bytes that it holds: whole chunks.
    capacity: usize,
    /// Bytes read since the pipe was made.
    consumed: u64,
    /// Where packets begin and end in the stream of all bytes, those that were not read.
    packets: VecDeque<Range<u64>>,
    readers: u32,
    writers: u32,
    /// How often each end was opened: who waits for the other end to be opened need not see it open.
    opened: Opened,
}

/// How often the ends of a pipe were opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Opened {
    /// To be read.
    pub reading: u64,
    /// To be written.
    pub writing: u64,
}

impl Default for Pipe {
    /// An empty pipe with one reader and one writer.
    fn default() -> Self {
        let mut pipe = Self::closed();
        pipe.open(PipeEnd::Both);
        pipe
    }
}

impl Pipe {
    /// An empty pipe of which neither end is open.
    pub fn closed() -> Self {
        Self {
            chunks: VecDeque::new(),
            start: 0,
            len: 0,
            capacity: PIPE_CAPACITY,
            consumed: 0,
            packets: VecDeque::new(),
            readers: 0,
            writers: 0,
            opened: Opened::default(),
        }
    }

    /// Bytes that it holds at most (`F_GETPIPE_SZ`).
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Makes it hold at least `bytes`, as many as Linux would say: pages, whose number is a power of two. EPERM if that is too much, EBUSY
    /// if it holds more already. What the list of its chunks needs is seen to now.
    pub fn set_capacity(&mut self, bytes: u32) -> Result<usize, Errno> {
        let bytes = usize::try_from(bytes).map_err(|_| Errno::EINVAL)?;
        if bytes > 1 << 31 {
            return Err(Errno::EINVAL);
        }
        let capacity = bytes.max(CHUNK_BYTES).next_power_of_two();
        if capacity > self.capacity && capacity > PIPE_CAPACITY_MAX {
            return Err(Errno::EPERM);
        }
        if self.len.div_ceil(CHUNK_BYTES) * CHUNK_BYTES > capacity {
            return Err(Errno::EBUSY);
        }
        // One more, since the first may be read in part.
        let chunks = capacity / CHUNK_BYTES + 1;
        self.chunks.try_reserve_exact(chunks.saturating_sub(self.chunks.len())).map_err(|_| Errno::ENOMEM)?;
        self.capacity = capacity;
        Ok(capacity)
    }

    /// Copies the next bytes out; they stay until [`Pipe::consume`]. [`PipeOutcome::Moved`] says how many.
    pub fn peek(&self, out: &mut [u8]) -> PipeOutcome {
        if self.len == 0 && self.writers > 0 && !out.is_empty() {
            return PipeOutcome::Wait;
        }
        let count = out.len().min(self.len).min(self.until_boundary());
        let (mut done, mut from) = (0, self.start);
        for chunk in &self.chunks {
            let piece = (count - done).min(chunk.len() - from);
            out[done..done + piece].copy_from_slice(&chunk[from..from + piece]);
            (done, from) = (done + piece, 0);
        }
        PipeOutcome::Moved(count)
    }

    /// Where the next byte to be read is in the stream of all bytes that ever went through.
    pub fn position(&self) -> u64 {
        self.consumed
    }

    /// Bytes that one read may take: up to where a packet begins or ends.
    fn until_boundary(&self) -> usize {
        let boundary = match self.packets.front() {
            Some(packet) if packet.start > self.consumed => packet.start,
            Some(packet) => packet.end,
            None => return usize::MAX,
        };
        usize::try_from(boundary - self.consumed).unwrap_or(usize::MAX)
    }

    /// Takes out `count` bytes that [`Pipe::peek`] has shown; of a packet, all that is left of it.
    pub fn consume(&mut self, count: usize) {
        assert!(count <= self.len, "more is consumed than was peeked at");
        let count = match self.packets.front() {
            Some(packet) if packet.start <= self.consumed && count > 0 => {
                let all = usize::try_from(packet.end - self.consumed).unwrap_or(count);
                self.packets.pop_front();
                all
            }
            _ => count,
        };
        self.len -= count;
        self.consumed += count as u64;
        self.start += count;
        while self.chunks.len() > 1 && self.start >= CHUNK_BYTES {
            self.chunks.pop_front();
            self.start -= CHUNK_BYTES;
        }
        if self.len == 0 {
            // The last chunk is kept for what comes next.
            self.chunks.iter_mut().for_each(Vec::clear);
            self.start = 0;
        }
    }

    /// Moves bytes in: all or nothing up to [`PIPE_BUF`], as many as fit beyond. A writer that may sleep comes
    /// back with the rest.
    pub fn write(&mut self, bytes: &[u8]) -> PipeOutcome {
        if self.readers == 0 {
            return PipeOutcome::Broken;
        }
        let room = self.capacity - self.len;
        if room < bytes.len().min(PIPE_BUF) {
            return PipeOutcome::Wait;
        }
        let count = room.min(bytes.len());
        let mut rest = &bytes[..count];
        while !rest.is_empty() {
            let chunk = match self.chunks.back_mut() {
                Some(chunk) if chunk.len() < CHUNK_BYTES => chunk,
                _ => self.chunks.push_back_mut(Vec::with_capacity(CHUNK_BYTES)),
            };
            let (now, later) = rest.split_at(rest.len().min(CHUNK_BYTES - chunk.len()));
            chunk.extend_from_slice(now);
            rest = later;
        }
        self.len += count;
        PipeOutcome::Moved(count)
    }

    /// Moves bytes in as a packet, or several of [`PIPE_BUF`]. There are as many at once as there are chunks.
    pub fn write_packet(&mut self, bytes: &[u8]) -> Result<PipeOutcome, Errno> {
        if self.packets.len() >= self.capacity / CHUNK_BYTES && self.readers > 0 {
            return Ok(PipeOutcome::Wait);
        }
        self.packets.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        let start = self.consumed + self.len as u64;
        let outcome = self.write(&bytes[..bytes.len().min(PIPE_BUF)]);
        if let PipeOutcome::Moved(count) = outcome
            && count > 0
        {
            self.packets.push_back(start..start + count as u64);
        }
        Ok(outcome)
    }

    /// Bytes waiting to be read (`FIONREAD`).
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits to be read.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What `poll` says of an end.
    pub fn readiness(&self, end: PipeEnd) -> Readiness {
        match end {
            PipeEnd::Both => self.readiness(PipeEnd::Read) | self.readiness(PipeEnd::Write),
            PipeEnd::Read => {
                let mut ready = Readiness::empty();
                ready.set(Readiness::IN, self.len > 0);
                // Nobody has hung up who was never there.
                ready.set(Readiness::HUP, self.writers == 0 && self.opened.writing > 0);
                ready
            }
            PipeEnd::Write => {
                let mut ready = Readiness::empty();
                ready.set(Readiness::OUT, self.capacity - self.len >= PIPE_BUF || self.readers == 0);
                ready.set(Readiness::ERR, self.readers == 0);
                ready
            }
        }
    }

    /// An end was opened once more.
    pub fn open(&mut self, end: PipeEnd) {
        let (reads, writes) = (u32::from(end.reads()), u32::from(end.writes()));
        (self.readers, self.writers) = (self.readers + reads, self.writers + writes);
        self.opened.reading += u64::from(reads);
        self.opened.writing += u64::from(writes);
    }

    /// How often the ends were opened.
    pub fn opened(&self) -> Opened {
        self.opened
    }

    /// Whether the end that goes with this one is open.
    pub fn has_partner(&self, end: PipeEnd) -> bool {
        match end {
            PipeEnd::Read => self.writers > 0,
            PipeEnd::Write => self.readers > 0,
            PipeEnd::Both => true,
        }
    }

    /// An end was closed; true when no end is left and the pipe can go.
    pub fn close(&mut self, end: PipeEnd) -> bool {
        for (count, is_closed) in [(&mut self.readers, end.reads()), (&mut self.writers, end.writes())] {
            let left = count.checked_sub(u32::from(is_closed));
            *count = left.expect("a pipe's end is closed as often as it was opened");
        }
        self.readers == 0 && self.writers == 0
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation)] // small numbers
mod tests {
    use super::*;
    use crate::tests::Random;
    use std::vec;

    fn read(pipe: &mut Pipe, out: &mut [u8]) -> PipeOutcome {
        let outcome = pipe.peek(out);
        if let PipeOutcome::Moved(count) = outcome {
            pipe.consume(count);
        }
        outcome
    }

    #[test]
    fn packets_are_read_one_by_one() {
        let mut pipe = Pipe::default();
        assert_eq!(pipe.write(b"plain"), PipeOutcome::Moved(5));
        assert_eq!(pipe.write_packet(b"one"), Ok(PipeOutcome::Moved(3)));
        assert_eq!(pipe.write_packet(b"second"), Ok(PipeOutcome::Moved(6)));
        assert_eq!(pipe.write(b"rest"), PipeOutcome::Moved(4));
        let mut out = [0; 16];
        let mut next = |room: usize| {
            let outcome = read(&mut pipe, &mut out[..room]);
            let PipeOutcome::Moved(count) = outcome else { panic!("{outcome:?}") };
            out[..count].to_vec()
        };
        assert_eq!((next(3), next(9), next(9)), (b"pla".to_vec(), b"in".to_vec(), b"one".to_vec()));
        // What there is no room for is lost.
        assert_eq!((next(2), next(9)), (b"se".to_vec(), b"rest".to_vec()));
        assert!(pipe.is_empty());
        for _ in 0..PIPE_CAPACITY / CHUNK_BYTES {
            assert_eq!(pipe.write_packet(b"x"), Ok(PipeOutcome::Moved(1)));
        }
        assert_eq!(pipe.write_packet(b"x"), Ok(PipeOutcome::Wait));
        assert_eq!(pipe.write_packet(&[1; 9000]), Ok(PipeOutcome::Wait));
    }

    #[test]
    fn ends_come_and_go() {
        let mut fifo = Pipe::closed();
        fifo.open(PipeEnd::Read);
        assert!(!fifo.has_partner(PipeEnd::Read) && fifo.readiness(PipeEnd::Read).is_empty());
        fifo.open(PipeEnd::Both);
        assert!(fifo.has_partner(PipeEnd::Read) && fifo.has_partner(PipeEnd::Both));
        assert!(!fifo.close(PipeEnd::Both));
        assert_eq!(fifo.readiness(PipeEnd::Read), Readiness::HUP);
        assert_eq!(fifo.opened(), Opened { reading: 2, writing: 1 });
        assert!(fifo.close(PipeEnd::Read));
    }

    #[test]
    fn small_writes_are_all_or_nothing_and_large_ones_fill_the_pipe() {
        let mut pipe = Pipe::default();
        assert_eq!(pipe.write(&vec![1; PIPE_CAPACITY - 100]), PipeOutcome::Moved(PIPE_CAPACITY - 100));
        assert_eq!(pipe.write(&[2; 101]), PipeOutcome::Wait);
        assert_eq!(pipe.write(&[2; 100]), PipeOutcome::Moved(100));
        assert_eq!(pipe.write(&[3]), PipeOutcome::Wait);
        let mut out = vec![0; PIPE_CAPACITY];
        assert_eq!(read(&mut pipe, &mut out[..10]), PipeOutcome::Moved(10));
        // More than PIPE_BUF may be torn, but waits until PIPE_BUF bytes fit.
        assert_eq!(pipe.write(&vec![4; PIPE_BUF + 1]), PipeOutcome::Wait);
        assert_eq!(read(&mut pipe, &mut out[..PIPE_BUF]), PipeOutcome::Moved(PIPE_BUF));
        assert_eq!(pipe.write(&vec![4; PIPE_CAPACITY]), PipeOutcome::Moved(PIPE_BUF + 10));
        assert_eq!(pipe.len(), PIPE_CAPACITY);
        assert_eq!(read(&mut pipe, &mut out), PipeOutcome::Moved(PIPE_CAPACITY));
        let start = PIPE_CAPACITY - PIPE_BUF - 10;
        assert_eq!(&out[start - 100..start], &[2; 100]);
        assert_eq!(&out[start..], &vec![4; PIPE_BUF + 10]);
    }

    #[test]
    fn a_pipe_holds_as_much_as_it_is_told() {
        let mut pipe = Pipe::default();
        assert_eq!((pipe.capacity(), pipe.set_capacity(0)), (PIPE_CAPACITY, Ok(CHUNK_BYTES)));
        assert_eq!((pipe.set_capacity(5000), pipe.set_capacity(3 * 4096)), (Ok(8192), Ok(4 * 4096)));
        assert_eq!(pipe.set_capacity((1 << 31) + 1), Err(Errno::EINVAL));
        assert_eq!(pipe.set_capacity((1 << 20) + 1), Err(Errno::EPERM));
        assert_eq!(pipe.write(&[1; 6 * 4096]), PipeOutcome::Moved(4 * 4096));
        assert_eq!(pipe.readiness(PipeEnd::Write), Readiness::empty());
        assert_eq!((pipe.set_capacity(8192), pipe.capacity()), (Err(Errno::EBUSY), 4 * 4096));
        assert_eq!(pipe.set_capacity(1 << 20), Ok(PIPE_CAPACITY_MAX));
        assert_eq!(pipe.write(&vec![1; PIPE_CAPACITY_MAX]), PipeOutcome::Moved(PIPE_CAPACITY_MAX - 4 * 4096));
    }

    #[test]
    fn ends_decide_end_of_file_and_broken_pipe() {
        let mut pipe = Pipe::default();
        let mut byte = [0];
        assert_eq!(read(&mut pipe, &mut byte), PipeOutcome::Wait);
        assert_eq!(pipe.readiness(PipeEnd::Read), Readiness::empty());
        pipe.open(PipeEnd::Write);
        assert_eq!(pipe.write(b"x"), PipeOutcome::Moved(1));
        assert!(!pipe.close(PipeEnd::Write));
        assert_eq!(pipe.readiness(PipeEnd::Read), Readiness::IN);
        assert!(!pipe.close(PipeEnd::Write));
        assert_eq!(pipe.readiness(PipeEnd::Read), Readiness::IN | Readiness::HUP);
        assert_eq!(read(&mut pipe, &mut byte), PipeOutcome::Moved(1));
        assert_eq!(read(&mut pipe, &mut byte), PipeOutcome::Moved(0));
        assert!(pipe.close(PipeEnd::Read));

        let mut pipe = Pipe::default();
        pipe.close(PipeEnd::Read);
        assert_eq!(pipe.write(b"x"), PipeOutcome::Broken);
        assert_eq!(pipe.readiness(PipeEnd::Write), Readiness::OUT | Readiness::ERR);
    }

    /// Random operations against a plain queue of bytes.
    #[test]
    fn a_pipe_agrees_with_a_queue_of_bytes() {
        let (mut pipe, mut model) = (Pipe::default(), VecDeque::<u8>::new());
        let mut random = Random(0x9d_5c21);
        let (mut next, mut seen) = (0_u8, 0);
        let (mut waits, mut most) = (0, 0);
        for round in 0..60_000_u32 {
            // Long phases in which the pipe fills and empties.
            let (longest_write, longest_read) = if round % 400 < 200 { (6000, 3000) } else { (3000, 6000) };
            if random.below(2) == 0 {
                let len = random.below(longest_write);
                let bytes: Vec<u8> = (0..len).map(|i| next.wrapping_add((i % 251) as u8)).collect();
                let room = PIPE_CAPACITY - model.len();
                let expected = match room < bytes.len().min(PIPE_BUF) {
                    true => PipeOutcome::Wait,
                    false => PipeOutcome::Moved(room.min(bytes.len())),
                };
                assert_eq!(pipe.write(&bytes), expected);
                match expected {
                    PipeOutcome::Moved(count) => model.extend(&bytes[..count]),
                    _ => waits += 1,
                }
                next = next.wrapping_add(77);
            } else {
                let mut out = vec![0; random.below(longest_read) as usize];
                let peeked = pipe.peek(&mut out);
                if model.is_empty() && !out.is_empty() {
                    assert_eq!(peeked, PipeOutcome::Wait);
                    continue;
                }
                let count = out.len().min(model.len());
                assert_eq!(peeked, PipeOutcome::Moved(count));
                assert!(out[..count].iter().eq(model.iter().take(count)));
                // Now and then less is taken than was seen, as when a program's buffer ends early.
                let taken = if random.below(4) == 0 { count / 2 } else { count };
                pipe.consume(taken);
                model.drain(..taken);
                seen += taken as u64;
            }
            assert_eq!((pipe.len(), pipe.position()), (model.len(), seen));
            assert!(pipe.chunks.len() <= model.len().div_ceil(CHUNK_BYTES) + 1, "memory follows the data");
            most = most.max(pipe.len());
        }
        assert!(waits > 100 && most == PIPE_CAPACITY, "the pipe was full at times: {waits}, {most}");
    }
}
