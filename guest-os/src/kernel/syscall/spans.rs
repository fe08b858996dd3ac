//! A program's buffers, one or several: what calls that read and write copy from and to.

use super::length;
use crate::memory::user::{self, UserPtr};
use alloc::vec::Vec;
use core::ops::Range;
use fs::Errno;

/// Most bytes of one call (Linux's MAX_RW_COUNT).
pub const MAX_BYTES: usize = 0x7fff_f000;
/// Most elements of an I/O vector.
pub const IOV_MAX: u64 = 1024;

/// A piece of user memory.
#[derive(Clone, Copy)]
pub struct Span {
    pub(super) address: u64,
    pub(super) len: usize,
}

impl Span {
    /// Whether all of it could be a program's: as in Linux for riscv64, addresses that are not negative. Looked at before anything is done,
    /// and before a length is cut to what one call moves.
    fn may_be_the_users(&self) -> bool {
        self.address.checked_add(self.len as u64).is_some_and(|end| end.cast_signed() >= 0)
    }
}

/// A buffer of the program's.
pub fn span(address: u64, len: u64) -> Span {
    Span { address, len: length(len) }
}

/// A vector of buffers.
pub fn spans(vector: u64, count: u64) -> Result<Vec<Span>, Errno> {
    if count > IOV_MAX {
        return Err(Errno::EINVAL);
    }
    let vector = UserPtr::<[u64; 2]>::from(vector);
    let mut spans = Vec::new();
    spans.try_reserve_exact(length(count)).map_err(|_| Errno::ENOMEM)?;
    for index in 0..count {
        let [address, len] = vector.at(index).read()?;
        if len.cast_signed() < 0 {
            return Err(Errno::EINVAL);
        }
        spans.push(span(address, len));
    }
    if let [only] = &mut *spans {
        // As in Linux, which looks at the addresses of several before it cuts them.
        only.len = only.len.min(MAX_BYTES);
    }
    Ok(spans)
}

/// The bytes of all spans, which must be such as a program can have: EFAULT.
pub fn total_of(spans: &[Span]) -> Result<usize, Errno> {
    if !spans.iter().all(Span::may_be_the_users) {
        return Err(Errno::EFAULT);
    }
    Ok(spans.iter().fold(0, |sum: usize, span| sum.saturating_add(span.len)))
}

/// Where in a list of spans a call is.
#[derive(Clone, Copy)]
pub struct Cursor<'a> {
    spans: &'a [Span],
    /// Bytes of the first span that are done.
    part: usize,
}

impl<'a> Cursor<'a> {
    /// At the start.
    pub fn new(spans: &'a [Span]) -> Self {
        Self { spans, part: 0 }
    }
}

impl Cursor<'_> {
    /// So many bytes are done.
    #[inline]
    pub fn skip(&mut self, count: usize) {
        self.part += count;
        while let [first, rest @ ..] = self.spans
            && self.part >= first.len
        {
            self.part -= first.len;
            self.spans = rest;
        }
    }

    /// Copies from the program's memory, up to the first byte that can't be read. EFAULT only if that is the first of all.
    pub fn gather(self, into: &mut [u8]) -> Result<usize, Errno> {
        self.copy(into.len(), |address, part| user::copy_in_some(address, &mut into[part]))
    }

    /// Copies to the program's memory, up to the first byte that can't be written. EFAULT only if that is the first of all.
    pub fn scatter(self, bytes: &[u8]) -> Result<usize, Errno> {
        self.copy(bytes.len(), |address, part| user::copy_out_some(address, &bytes[part]))
    }

    /// Copies `len` bytes, a part for each span, up to the first part that is short.
    fn copy(
        mut self,
        len: usize,
        mut copy_part: impl FnMut(u64, Range<usize>) -> Result<usize, Errno>,
    ) -> Result<usize, Errno> {
        let mut done = 0;
        while done < len {
            self.skip(0);
            let [first, ..] = self.spans else { break };
            let want = (first.len - self.part).min(len - done);
            let address = first.address.wrapping_add(self.part as u64);
            match copy_part(address, done..done + want) {
                Err(error) if done == 0 => return Err(error),
                Err(_) => break,
                Ok(count) => {
                    done += count;
                    if count < want {
                        break;
                    }
                    self.skip(count);
                }
            }
        }
        Ok(done)
    }
}
