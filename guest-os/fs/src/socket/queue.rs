//! What has come for a socket and was not read yet.
//!
//! A stream's bytes lie in pieces of a page at most, and a piece ends where descriptors come or the sender changes; a datagram is a piece of
//! its own, whatever its length. So memory follows the data, and each piece counts for what it takes beside its bytes, too.

use super::{Address, PacketHeader, Sender};
use crate::{Errno, OpenFileId};
use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// Bytes in a piece of a stream.
const PIECE_BYTES: usize = 4096;
/// What a message counts beside its bytes.
pub(super) const OVERHEAD_BYTES: usize = 256;

/// What came at once.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Its bytes; of a stream's piece, those not read yet begin at `start`.
    pub bytes: Rc<Vec<u8>>,
    pub(super) start: usize,
    /// Where it comes from.
    pub from: Address,
    /// Who has sent it.
    pub sender: Sender,
    /// Over IP: its header.
    pub header: PacketHeader,
    /// Descriptors that came with it, each counted as a reference to its open file.
    pub rights: Vec<OpenFileId>,
}

impl Message {
    /// To be sent: what it takes along, and by whom.
    pub fn new(bytes: Rc<Vec<u8>>, sender: Sender, rights: Vec<OpenFileId>) -> Message {
        Message { bytes, sender, rights, ..Message::default() }
    }
}

/// Messages in the order of sending.
#[derive(Debug, Default)]
pub(super) struct Queue {
    messages: VecDeque<Message>,
    /// Bytes not read yet.
    len: usize,
    /// Bytes read, or messages taken, since the start: tells a reader that another one was faster.
    position: u64,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.len
    }
    pub(super) fn messages(&self) -> usize {
        self.messages.len()
    }
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
    pub(super) fn position(&self) -> u64 {
        self.position
    }
    /// What it counts against a limit.
    pub(super) fn cost(&self) -> usize {
        self.len + self.messages.len() * OVERHEAD_BYTES
    }
    /// Bytes of the first message.
    pub(super) fn first_len(&self) -> usize {
        self.messages.front().map_or(0, |message| message.bytes.len() - message.start)
    }
    pub(super) fn first(&self) -> Option<&Message> {
        self.messages.front()
    }
    /// Every descriptor on its way.
    pub(super) fn rights(&self) -> impl Iterator<Item = OpenFileId> + '_ {
        self.messages.iter().flat_map(|message| message.rights.iter().copied())
    }
    /// Takes all descriptors out.
    pub(super) fn take_rights(&mut self, into: &mut Vec<OpenFileId>) {
        self.messages.iter_mut().for_each(|message| into.append(&mut message.rights));
    }

    /// Sees to memory for so many messages more. ENOMEM.
    pub(super) fn reserve(&mut self, count: usize) -> Result<(), Errno> {
        self.messages.try_reserve(count).map_err(|_| Errno::ENOMEM)
    }

    /// Adds a message; gives it back if there is no memory.
    pub(super) fn push(&mut self, message: Message) -> Result<(), (Errno, Message)> {
        if self.messages.try_reserve(1).is_err() {
            return Err((Errno::ENOMEM, message));
        }
        self.len += message.bytes.len();
        self.messages.push_back(message);
        Ok(())
    }

    /// Adds bytes to a stream, with what comes along in `with`. ENOMEM, and then some may have been added: how many is told if any.
    pub(super) fn extend(&mut self, bytes: &[u8], with: &mut Message) -> Result<usize, Errno> {
        let mut done = 0;
        while done < bytes.len() {
            let added = match self.extend_last(&bytes[done..], with) {
                0 => {
                    let piece = &bytes[done..bytes.len().min(done + PIECE_BYTES)];
                    let mut copy = Vec::new();
                    let reserved = copy.try_reserve_exact(piece.len()).and(self.messages.try_reserve(1));
                    if reserved.is_err() {
                        return if done > 0 { Ok(done) } else { Err(Errno::ENOMEM) };
                    }
                    copy.extend_from_slice(piece);
                    let rights = core::mem::take(&mut with.rights);
                    let message = Message { bytes: Rc::new(copy), rights, ..with.clone() };
                    self.len += piece.len();
                    self.messages.push_back(message);
                    piece.len()
                }
                added => added,
            };
            done += added;
        }
        Ok(done)
    }

    /// Adds to the last piece, if what comes is of the same kind; returns how many bytes.
    fn extend_last(&mut self, bytes: &[u8], with: &Message) -> usize {
        let Some(last) = self.messages.back_mut() else { return 0 };
        if !with.rights.is_empty() || !last.rights.is_empty() || last.sender != with.sender {
            return 0;
        }
        let Some(piece) = Rc::get_mut(&mut last.bytes) else { return 0 };
        let count = bytes.len().min(PIECE_BYTES.saturating_sub(piece.len()));
        if count == 0 || piece.try_reserve(count).is_err() {
            return 0;
        }
        piece.extend_from_slice(&bytes[..count]);
        self.len += count;
        count
    }

    /// Copies the next bytes of a stream out, up to where descriptors come or, if it matters, the sender changes. They stay.
    pub(super) fn peek(&self, out: &mut [u8], skip: usize, sender_matters: bool) -> usize {
        let Some(first) = self.messages.front() else { return 0 };
        let (mut done, mut skip) = (0, skip);
        for (index, message) in self.messages.iter().enumerate() {
            let is_other = sender_matters && message.sender != first.sender;
            if index > 0 && (!message.rights.is_empty() || !first.rights.is_empty() || is_other) {
                break;
            }
            let bytes = &message.bytes[message.start..];
            let passed = skip.min(bytes.len());
            skip -= passed;
            let count = (bytes.len() - passed).min(out.len() - done);
            out[done..done + count].copy_from_slice(&bytes[passed..passed + count]);
            done += count;
        }
        done
    }

    /// Takes bytes out that were peeked at.
    pub(super) fn consume(&mut self, count: usize) {
        assert!(count <= self.len, "more is consumed than was peeked at");
        self.len -= count;
        self.position += count as u64;
        let mut left = count;
        while let Some(first) = self.messages.front_mut()
            && first.start + left >= first.bytes.len()
        {
            left -= first.bytes.len() - first.start;
            self.messages.pop_front();
        }
        if let Some(first) = self.messages.front_mut() {
            first.start += left;
        }
    }

    /// The descriptors that come with the next bytes, which no longer have them.
    pub(super) fn take_first_rights(&mut self) -> Vec<OpenFileId> {
        self.messages.front_mut().map(|first| core::mem::take(&mut first.rights)).unwrap_or_default()
    }

    /// Takes the first message.
    pub(super) fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.len -= message.bytes.len() - message.start;
        self.position += 1;
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    fn of(pid: u32) -> Message {
        Message { sender: Sender { pid, uid: 0, gid: 0 }, ..Message::default() }
    }

    #[test]
    fn a_stream_is_read_over_its_pieces_and_not_over_its_senders() {
        let mut queue = Queue::default();
        assert_eq!(queue.extend(&[1; 6000], &mut of(1)), Ok(6000));
        assert_eq!(queue.extend(&[2; 10], &mut of(2)), Ok(10));
        let mut out = vec![0; 8000];
        assert_eq!(queue.peek(&mut out, 0, true), 6000);
        assert_eq!(queue.peek(&mut out, 0, false), 6010);
        assert_eq!(queue.peek(&mut out, 5995, false), 15);
        queue.consume(5999);
        assert_eq!((queue.len(), queue.peek(&mut out, 0, true)), (11, 1));
        queue.consume(1);
        assert_eq!((queue.peek(&mut out, 0, true), out[0]), (10, 2));
        queue.consume(10);
        assert!(queue.is_empty() && queue.cost() == 0 && queue.position() == 6010);
    }

    #[test]
    fn small_pieces_are_put_together() {
        let mut queue = Queue::default();
        (0..5000).for_each(|_| assert_eq!(queue.extend(b"x", &mut of(1)), Ok(1)));
        assert_eq!((queue.len(), queue.messages()), (5000, 2));
    }
}
