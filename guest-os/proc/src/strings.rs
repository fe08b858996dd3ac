//! A list of strings in one piece of memory: the arguments or the environment of a program.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

/// Strings, each ended by a NUL, one after the other: as they lie in `/proc/PID/cmdline`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Strings {
    bytes: Vec<u8>,
    count: usize,
}

impl Strings {
    /// The strings of a list in which each ends with a NUL. Bytes after the last NUL are no string.
    pub fn from_bytes(list: &[u8]) -> Result<Self, TryReserveError> {
        let end = list.iter().rposition(|&byte| byte == 0).map_or(0, |last| last + 1);
        let list = &list[..end];
        let mut strings = Self { bytes: Vec::new(), count: list.iter().filter(|&&byte| byte == 0).count() };
        strings.bytes.try_reserve_exact(list.len())?;
        strings.bytes.extend_from_slice(list);
        Ok(strings)
    }
    /// Appends a string. A NUL in it would end it: the caller has none.
    pub fn try_push(&mut self, text: &[u8]) -> Result<(), TryReserveError> {
        debug_assert!(!text.contains(&0));
        self.try_extend(text)?;
        self.try_end()
    }
    /// Appends bytes of a string that [`Strings::try_end`] will end.
    pub fn try_extend(&mut self, part: &[u8]) -> Result<(), TryReserveError> {
        self.bytes.try_reserve(part.len())?;
        self.bytes.extend_from_slice(part);
        Ok(())
    }
    /// Ends the string that the last calls of [`Strings::try_extend`] have made.
    pub fn try_end(&mut self) -> Result<(), TryReserveError> {
        self.bytes.try_reserve(1)?;
        self.bytes.push(0);
        self.count += 1;
        Ok(())
    }
    /// Appends all strings of another list but the first `skipped`.
    pub fn try_append(&mut self, other: &Strings, skipped: usize) -> Result<(), TryReserveError> {
        self.bytes.try_reserve(other.bytes.len())?;
        for text in other.iter().skip(skipped) {
            self.bytes.extend_from_slice(text);
            self.bytes.push(0);
            self.count += 1;
        }
        Ok(())
    }
    /// The strings, without their NULs.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.split(|&byte| byte == 0).take(self.count)
    }
    /// How many strings there are.
    pub fn len(&self) -> usize {
        self.count
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
    /// The strings with their NULs.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// The memory that the strings lie in.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_come_out_as_they_went_in_empty_ones_too() {
        let mut list = Strings::default();
        for text in [&b"ls"[..], b"", b"-l", b""] {
            list.try_push(text).unwrap();
        }
        assert_eq!(list.as_bytes(), b"ls\0\0-l\0\0");
        assert_eq!(list.iter().collect::<Vec<_>>(), [&b"ls"[..], b"", b"-l", b""]);
        assert_eq!(Strings::from_bytes(b"ls\0\0-l\0\0rest").unwrap(), list);
        let mut script = Strings::default();
        script.try_push(b"/bin/sh").unwrap();
        script.try_append(&list, 1).unwrap();
        assert_eq!((script.as_bytes(), script.len()), (&b"/bin/sh\0\0-l\0\0"[..], 4));
        assert!(Strings::from_bytes(b"").unwrap().is_empty());
    }
}
