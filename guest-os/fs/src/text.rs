//! A text that is made in one go and read piece by piece: what a file of `/proc` says.
//!
//! Programs decide how long it is (a line for each mapping, all arguments), so growing it may fail: ENOMEM. It lies in chunks, so that it
//! is never copied while it grows.

use crate::Errno;
use alloc::vec::Vec;
use core::fmt;

/// Bytes of a chunk.
const CHUNK_BYTES: usize = 16 << 10;
/// Bytes that the first chunk begins with.
const FIRST_BYTES: usize = 64;

/// A text. Formatting into it fails when there is no memory.
#[derive(Debug, Default)]
pub struct Text {
    /// Each chunk but the last is full.
    chunks: Vec<Vec<u8>>,
}

impl Text {
    /// Adds bytes to the end. ENOMEM; then some of them may be there.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Errno> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let chunk = match self.chunks.last_mut() {
                Some(chunk) if chunk.len() < CHUNK_BYTES => chunk,
                _ => {
                    self.chunks.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
                    self.chunks.push_mut(Vec::new())
                }
            };
            let (now, later) = rest.split_at(rest.len().min(CHUNK_BYTES - chunk.len()));
            let len = chunk.len() + now.len();
            if chunk.capacity() < len {
                let capacity = len.next_power_of_two().max(FIRST_BYTES);
                chunk.try_reserve_exact(capacity - chunk.len()).map_err(|_| Errno::ENOMEM)?;
            }
            chunk.extend_from_slice(now);
            rest = later;
        }
        Ok(())
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK_BYTES + last.len())
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Copies what there is from `offset` on; returns how many bytes.
    pub fn read(&self, offset: usize, out: &mut [u8]) -> usize {
        let mut done = 0;
        while done < out.len() {
            let at = offset.saturating_add(done);
            let chunk = self.chunks.get(at / CHUNK_BYTES);
            let Some(bytes) = chunk.and_then(|chunk| chunk.get(at % CHUNK_BYTES..)) else { break };
            let count = bytes.len().min(out.len() - done);
            if count == 0 {
                break;
            }
            out[done..done + count].copy_from_slice(&bytes[..count]);
            done += count;
        }
        done
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes()).map_err(|_| fmt::Error)
    }
}

/// Memory for a copy of bytes whose number a program decides. ENOMEM.
pub fn try_to_vec(bytes: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len()).map_err(|_| Errno::ENOMEM)?;
    copy.extend_from_slice(bytes);
    Ok(copy)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::cast_possible_truncation)] // small numbers

    use super::*;
    use crate::tests::Random;
    use core::fmt::Write;
    use std::vec;

    #[test]
    fn a_text_agrees_with_a_plain_vector() {
        let (mut text, mut model) = (Text::default(), Vec::new());
        let mut random = Random(0x7e_c57e);
        assert!(text.is_empty());
        for round in 0..400 {
            writeln!(text, "line {round}").unwrap();
            model.extend_from_slice(std::format!("line {round}\n").as_bytes());
            let piece = vec![b'a' + (round % 26) as u8; random.below(1000) as usize];
            text.push(&piece).unwrap();
            model.extend_from_slice(&piece);
            assert_eq!(text.len(), model.len());
            let (offset, len) =
                (random.below(model.len() as u64 + 9) as usize, random.below(40_000) as usize);
            let mut out = vec![0; len];
            let count = text.read(offset, &mut out);
            let expected = model.get(offset..).unwrap_or_default();
            assert_eq!(out[..count], expected[..len.min(expected.len())]);
        }
        assert!(text.len() > 5 * CHUNK_BYTES && text.read(usize::MAX, &mut [0]) == 0);
        let memory: usize = text.chunks.iter().map(Vec::capacity).sum();
        assert!(memory < text.len() + CHUNK_BYTES, "no more memory than the text needs: {memory}");
    }
}
