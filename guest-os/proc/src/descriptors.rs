//! A process's descriptor table: small numbers for open files.

use alloc::vec::Vec;

/// Why a descriptor operation failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DescriptorError {
    /// Not open (EBADF).
    NotOpen,
    /// All numbers below the limit are in use (EMFILE).
    Full,
    /// The wanted number is not below the limit (EINVAL or EBADF, as the call says).
    OutOfRange,
}

#[derive(Clone, Copy, Debug)]
struct Entry<T> {
    file: T,
    close_on_exec: bool,
}

/// Descriptors, each with the open file it names and its close-on-exec flag.
#[derive(Clone, Debug)]
pub struct DescriptorTable<T> {
    entries: Vec<Option<Entry<T>>>,
    limit: u32,
}

impl<T: Copy> DescriptorTable<T> {
    /// An empty table of at most `limit` descriptors.
    pub fn new(limit: u32) -> Self {
        Self { entries: Vec::new(), limit }
    }
    /// The limit (`RLIMIT_NOFILE`).
    pub fn limit(&self) -> u32 {
        self.limit
    }
    /// Changes the limit. Descriptors above it stay open, as in Linux.
    pub fn set_limit(&mut self, limit: u32) {
        self.limit = limit;
    }
    /// The file behind a descriptor.
    pub fn get(&self, fd: u32) -> Result<T, DescriptorError> {
        self.entry(fd).map(|entry| entry.file)
    }
    /// Enters a file at the lowest free number that is at least `from`.
    pub fn insert(&mut self, file: T, from: u32, close_on_exec: bool) -> Result<u32, DescriptorError> {
        if from >= self.limit {
            return Err(DescriptorError::OutOfRange);
        }
        let fd = (from..self.limit).find(|&fd| self.entry(fd).is_err()).ok_or(DescriptorError::Full)?;
        self.put(fd, file, close_on_exec);
        Ok(fd)
    }
    /// Makes `fd` name `file` (`dup3`); returns the file it named before, which is to be closed.
    pub fn replace(&mut self, fd: u32, file: T, close_on_exec: bool) -> Result<Option<T>, DescriptorError> {
        if fd >= self.limit {
            return Err(DescriptorError::OutOfRange);
        }
        let before = self.get(fd).ok();
        self.put(fd, file, close_on_exec);
        Ok(before)
    }
    /// Frees a descriptor; returns the file it named, which is to be closed.
    pub fn remove(&mut self, fd: u32) -> Result<T, DescriptorError> {
        let file = self.get(fd)?;
        self.entries[fd as usize] = None;
        Ok(file)
    }
    /// The close-on-exec flag.
    pub fn close_on_exec(&self, fd: u32) -> Result<bool, DescriptorError> {
        self.entry(fd).map(|entry| entry.close_on_exec)
    }
    /// Sets the close-on-exec flag.
    pub fn set_close_on_exec(&mut self, fd: u32, value: bool) -> Result<(), DescriptorError> {
        match self.entries.get_mut(fd as usize) {
            Some(Some(entry)) => {
                entry.close_on_exec = value;
                Ok(())
            }
            _ => Err(DescriptorError::NotOpen),
        }
    }
    /// Removes the descriptors with the close-on-exec flag; returns their files, which are to be closed.
    pub fn take_close_on_exec(&mut self) -> Vec<T> {
        let flagged =
            |slot: &mut Option<Entry<T>>| slot.take_if(|entry| entry.close_on_exec).map(|entry| entry.file);
        self.entries.iter_mut().filter_map(flagged).collect()
    }
    /// Removes all descriptors; returns their files, which are to be closed.
    pub fn take_all(&mut self) -> Vec<T> {
        core::mem::take(&mut self.entries).into_iter().flatten().map(|entry| entry.file).collect()
    }
    /// The open descriptors and their files, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, T)> + '_ {
        let numbered =
            |(fd, slot): (usize, &Option<Entry<T>>)| Some((u32::try_from(fd).ok()?, slot.as_ref()?.file));
        self.entries.iter().enumerate().filter_map(numbered)
    }

    fn entry(&self, fd: u32) -> Result<&Entry<T>, DescriptorError> {
        self.entries.get(fd as usize).and_then(Option::as_ref).ok_or(DescriptorError::NotOpen)
    }
    fn put(&mut self, fd: u32, file: T, close_on_exec: bool) {
        let index = fd as usize;
        if index >= self.entries.len() {
            self.entries.resize_with(index + 1, || None);
        }
        self.entries[index] = Some(Entry { file, close_on_exec });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_is_taken() {
        let mut table = DescriptorTable::new(8);
        for name in ['a', 'b', 'c'] {
            table.insert(name, 0, false).unwrap();
        }
        assert_eq!(table.remove(1), Ok('b'));
        assert_eq!(table.insert('d', 0, true), Ok(1));
        assert_eq!(table.insert('e', 5, false), Ok(5));
        assert_eq!(table.insert('f', 8, false), Err(DescriptorError::OutOfRange));
        assert_eq!(table.get(4), Err(DescriptorError::NotOpen));
        assert_eq!(table.take_close_on_exec(), ['d']);
        assert_eq!(table.iter().collect::<Vec<_>>(), [(0, 'a'), (2, 'c'), (5, 'e')]);
    }

    #[test]
    fn a_full_table_says_so_and_replace_returns_the_former_file() {
        let mut table = DescriptorTable::new(1);
        table.insert('a', 0, false).unwrap();
        assert_eq!(table.insert('b', 0, false), Err(DescriptorError::Full));
        assert_eq!(table.replace(0, 'c', false), Ok(Some('a')));
        assert_eq!(table.replace(1, 'd', false), Err(DescriptorError::OutOfRange));
        assert_eq!(table.take_all(), ['c']);
    }
}
