//! Directory entries and their encoding for `getdents64` (`struct linux_dirent64`).

use crate::{Errno, FileType};
/// Bytes before the name: `d_ino`, `d_off`, `d_reclen`, `d_type`.
const HEADER: usize = 8 + 8 + 2 + 1;

/// One name in a directory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DirEntry<'a> {
    /// Inode number.
    pub ino: u64,
    /// Type, as far as the directory tells.
    pub file_type: FileType,
    /// The name.
    pub name: &'a [u8],
    /// The position at which reading goes on after this entry (`d_off`).
    pub next: u64,
}

/// Puts entries into a buffer in the layout of `getdents64`.
#[derive(Debug)]
pub struct DirentWriter<'a> {
    buffer: &'a mut [u8],
    len: usize,
    is_full: bool,
}

impl<'a> DirentWriter<'a> {
    /// Into this buffer.
    pub fn new(buffer: &'a mut [u8]) -> DirentWriter<'a> {
        DirentWriter { buffer, len: 0, is_full: false }
    }

    /// Adds an entry; false, with nothing added, when it does not fit.
    pub fn push(&mut self, entry: &DirEntry<'_>) -> bool {
        // The name ends in a NUL, and each record is a multiple of 8 bytes long.
        let record = (HEADER + entry.name.len() + 1).next_multiple_of(8);
        let Ok(record_len) = u16::try_from(record) else { return false };
        let Some(place) = self.buffer.get_mut(self.len..self.len + record) else {
            self.is_full = true;
            return false;
        };
        place[..8].copy_from_slice(&entry.ino.to_le_bytes());
        place[8..16].copy_from_slice(&entry.next.to_le_bytes());
        place[16..18].copy_from_slice(&record_len.to_le_bytes());
        place[18] = entry.file_type.dirent_type();
        let (name, padding) = place[HEADER..].split_at_mut(entry.name.len());
        name.copy_from_slice(entry.name);
        padding.fill(0);
        self.len += record;
        true
    }

    /// Whether an entry did not fit.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// How many bytes to copy to the user: 0 at the end of the directory, EINVAL when not even one entry fits.
    pub fn finish(self) -> Result<usize, Errno> {
        if self.len == 0 && self.is_full { Err(Errno::EINVAL) } else { Ok(self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &[u8]) -> DirEntry<'_> {
        DirEntry { ino: 0x0102, file_type: FileType::Directory, name, next: 7 }
    }

    #[test]
    fn records_have_linux_layout_and_are_aligned() {
        let mut buffer = [0xff; 64];
        let mut writer = DirentWriter::new(&mut buffer);
        assert!(writer.push(&entry(b"abcd"))); // 19 + 4 + 1 = 24 exactly
        assert!(writer.push(&entry(b"abcde"))); // one more needs 32
        assert!(!writer.is_full() && !writer.push(&entry(b"x")) && writer.is_full());
        assert_eq!(writer.finish(), Ok(24 + 32));
        let bytes = &buffer[..24 + 32];
        assert_eq!(&bytes[..24], b"\x02\x01\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\x18\0\x04abcd\0");
        assert_eq!(bytes[24 + 16], 32);
        assert_eq!(&bytes[24 + 19..], b"abcde\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn a_buffer_too_small_for_one_entry_is_invalid_but_an_empty_directory_is_not() {
        let mut buffer = [0; 23];
        let mut writer = DirentWriter::new(&mut buffer);
        assert!(!writer.push(&entry(b"abcd")));
        assert_eq!(writer.finish(), Err(Errno::EINVAL));
        assert_eq!(DirentWriter::new(&mut []).finish(), Ok(0));
    }
}
