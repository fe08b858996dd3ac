//! Folders and files of the host that the guest sees at paths of its own: how the kernel learns of them, and how it tells what has become of
//! them.
//!
//! Before the run: the property `folio,binds` of `/chosen` is a list of strings, one for each ([`Place`]). The file system in question is
//! ext4; what is to be mounted has the name [`NAME`] in its root.
//!
//! At the end of the run: for each that is to be written out, the kernel tells of every file that is not what the disk says, by its inode
//! number there, in records which it hands to the host device one by one ([`crate::hostdev::OP_CHANGED`]). New files have numbers that
//! the disk does not have. A record is a [`Header`] and the bytes that belong to it. The last one is [`END`]: without it the account is not
//! complete, and nothing is to be written.

/// The name of the folder or file in the root of its file system.
pub const NAME: &str = "bind";

/// A directory; its names follow, and it has no others.
pub const DIRECTORY: u64 = 1;
/// A name in the directory `ino`, of the file `value`: the bytes.
pub const ENTRY: u64 = 2;
/// A regular file of `value` bytes, zero but for what follows.
pub const FILE: u64 = 3;
/// What is in the file `ino` from byte `value` on.
pub const CONTENT: u64 = 4;
/// A symbolic link; its target follows.
pub const LINK: u64 = 5;
/// The target of the link `ino` from byte `value` on.
pub const TARGET: u64 = 6;
/// A pipe, a socket or a device.
pub const SPECIAL: u64 = 7;
/// All has been told.
pub const END: u64 = 8;

/// Most bytes of a record, its header included.
pub const MAX_RECORD_BYTES: usize = 4096;

/// What a record begins with, as little-endian words.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Header {
    /// What it tells: one of the constants above.
    pub kind: u64,
    /// Of which file.
    pub ino: u64,
    /// Its permission bits, in records that begin a file.
    pub mode: u64,
    /// What the kind says.
    pub value: u64,
    /// When its contents were changed last, in nanoseconds since 1970, in records that begin a file.
    pub modified_ns: u64,
}

impl Header {
    /// Its length in a record.
    pub const BYTES: usize = 40;

    /// As it lies in a record.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let words = [self.kind, self.ino, self.mode, self.value, self.modified_ns];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// A record's header, and the rest of it; `None` for one that is too short.
    pub fn of(record: &[u8]) -> Option<(Self, &[u8])> {
        let (head, rest) = record.split_first_chunk::<{ Self::BYTES }>()?;
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&head[8 * at..8 * at + 8]);
            u64::from_le_bytes(word)
        };
        let header =
            Self { kind: word(0), ino: word(1), mode: word(2), value: word(3), modified_ns: word(4) };
        Some((header, rest))
    }
}

/// Where a folder or file of the host's lies, and where it is to be seen: as text `DISK START ro|rw POINT`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place<'a> {
    /// The number of its disk among the machine's block devices.
    pub disk: u64,
    /// Where its file system begins on that.
    pub start_bytes: u64,
    /// What has become of it is to be told.
    pub is_written_out: bool,
    /// The absolute path at which it is mounted.
    pub point: &'a [u8],
}

impl<'a> Place<'a> {
    /// The words before the path, each with a space behind it.
    pub fn head(&self) -> impl core::fmt::Display {
        struct Head(u64, u64, bool);
        impl core::fmt::Display for Head {
            fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(out, "{} {} {} ", self.0, self.1, if self.2 { "rw" } else { "ro" })
            }
        }
        Head(self.disk, self.start_bytes, self.is_written_out)
    }

    /// What the text says; `None` for another text.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let mut words = text.splitn(4, |&byte| byte == b' ');
        let mut word = || words.next();
        let number = |word: &[u8]| core::str::from_utf8(word).ok()?.parse().ok();
        let (disk, start_bytes) = (number(word()?)?, number(word()?)?);
        let is_written_out = match word()? {
            b"rw" => true,
            b"ro" => false,
            _ => return None,
        };
        Some(Self { disk, start_bytes, is_written_out, point: word()? })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::format;

    #[test]
    fn places_and_headers_come_out_as_they_went_in() {
        let place = Place { disk: 2, start_bytes: 1 << 30, is_written_out: true, point: b"/a b/c" };
        let text = [format!("{}", place.head()).as_bytes(), place.point].concat();
        assert_eq!((text.as_slice(), Place::parse(&text)), (&b"2 1073741824 rw /a b/c"[..], Some(place)));
        for text in ["", "2", "2 0 rw", "x 0 rw /a", "2 -1 rw /a", "2 0 wr /a"] {
            assert_eq!(Place::parse(text.as_bytes()), None, "{text}");
        }
        let header = Header { kind: FILE, ino: u64::MAX, mode: 0o755, value: 7, modified_ns: 9 };
        let record = [&header.to_bytes()[..], b"rest"].concat();
        assert_eq!(Header::of(&record), Some((header, &b"rest"[..])));
        assert_eq!(Header::of(&record[..39]), None);
    }
}
