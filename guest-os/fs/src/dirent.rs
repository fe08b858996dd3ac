//! Directory entries and their encoding for `getdents64` (`struct linux_dirent64`).

use crate::{Errno, FileType};
use alloc::vec::Vec;

/// Bytes before the name: `d_ino`, `d_off`, `d_reclen`, `d_type`.
const HEADER: usize = 8 + 8 + 2 + 1;

/// One name in a directory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DirEntry {
    /// Inode number.
    pub ino: u64,
    /// Type, as far as the directory tells.
    pub file_type: FileType,
    /// The name.
    pub name: Vec<u8>,
    /// The position at which reading goes on after this entry (`d_off`).
    pub next: u64,
}

/// Collects entries in the layout of `getdents64` up to the caller's buffer size.
#[derive(Debug)]
pub struct DirentWriter {
    bytes: Vec<u8>,
    capacity: usize,
    overflow: bool,
}

impl DirentWriter {
    /// For a user buffer of `capacity` bytes.
    pub fn new(capacity: usize) -> DirentWriter {
        DirentWriter { bytes: Vec::new(), capacity, overflow: false }
    }

    /// Adds an entry; false, with nothing added, when it does not fit.
    pub fn push(&mut self, entry: &DirEntry) -> bool {
        let start = self.bytes.len();
        // The name ends in a NUL, and each record is a multiple of 8 bytes long.
        let record = (HEADER + entry.name.len() + 1).next_multiple_of(8);
        let Ok(record_len) = u16::try_from(record) else { return false };
        if start + record > self.capacity {
            self.overflow = true;
            return false;
        }
        self.bytes.extend_from_slice(&entry.ino.to_le_bytes());
        self.bytes.extend_from_slice(&entry.next.to_le_bytes());
        self.bytes.extend_from_slice(&record_len.to_le_bytes());
        self.bytes.push(entry.file_type.dirent_type());
        self.bytes.extend_from_slice(&entry.name);
        self.bytes.resize(start + record, 0);
        true
    }

    /// What to copy to the user: empty at the end of the directory, EINVAL when not even one entry fits.
    pub fn finish(self) -> Result<Vec<u8>, Errno> {
        if self.bytes.is_empty() && self.overflow { Err(Errno::EINVAL) } else { Ok(self.bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &[u8]) -> DirEntry {
        DirEntry { ino: 0x0102, file_type: FileType::Directory, name: name.to_vec(), next: 7 }
    }

    #[test]
    fn records_have_linux_layout_and_are_aligned() {
        let mut writer = DirentWriter::new(64);
        assert!(writer.push(&entry(b"abcd"))); // 19 + 4 + 1 = 24 exactly
        assert!(writer.push(&entry(b"abcde"))); // one more needs 32
        assert!(!writer.push(&entry(b"x")));
        let bytes = writer.finish().unwrap();
        assert_eq!(bytes.len(), 24 + 32);
        assert_eq!(&bytes[..24], b"\x02\x01\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\x18\0\x04abcd\0");
        assert_eq!(bytes[24 + 16], 32);
        assert_eq!(&bytes[24 + 19..], b"abcde\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn a_buffer_too_small_for_one_entry_is_invalid_but_an_empty_directory_is_not() {
        let mut writer = DirentWriter::new(23);
        assert!(!writer.push(&entry(b"abcd")));
        assert_eq!(writer.finish(), Err(Errno::EINVAL));
        assert_eq!(DirentWriter::new(0).finish(), Ok(Vec::new()));
    }
}
