//! A process's descriptor table: small numbers for open files.

use alloc::collections::TryReserveError;
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
    /// Another thread's call is about to enter a file there (EBUSY).
    Reserved,
    /// There is no memory for a larger table (ENOMEM).
    NoMemory,
}

impl From<TryReserveError> for DescriptorError {
    fn from(_: TryReserveError) -> Self {
        Self::NoMemory
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry<T> {
    file: T,
    close_on_exec: bool,
}

/// What there is at a number.
#[derive(Clone, Copy, Debug)]
enum Slot<T> {
    Free,
    /// Not open, and not free: the file is still to come.
    Reserved,
    Open(Entry<T>),
}

/// Descriptors, each with the open file it names and its close-on-exec flag.
#[derive(Debug)]
pub struct DescriptorTable<T> {
    entries: Vec<Slot<T>>,
    limit: u32,
}

impl<T: Copy> DescriptorTable<T> {
    /// An empty table of at most `limit` descriptors.
    pub fn new(limit: u32) -> Self {
        Self { entries: Vec::new(), limit }
    }
    /// A table with the same descriptors open.
    pub fn try_clone(&self) -> Result<Self, TryReserveError> {
        let mut entries = Vec::new();
        entries.try_reserve_exact(self.entries.len())?;
        entries.extend(self.entries.iter().map(|slot| match slot {
            Slot::Reserved => Slot::Free,
            other => *other,
        }));
        Ok(Self { entries, limit: self.limit })
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
        let fd = self.reserve(from)?;
        self.fill(fd, file, close_on_exec);
        Ok(fd)
    }
    /// Makes `fd` name `file` (`dup3`); returns the file it named before, which is to be closed.
    pub fn replace(&mut self, fd: u32, file: T, close_on_exec: bool) -> Result<Option<T>, DescriptorError> {
        if fd >= self.limit {
            return Err(DescriptorError::OutOfRange);
        }
        self.make_room_for(fd)?;
        match core::mem::replace(&mut self.entries[fd as usize], Slot::Open(Entry { file, close_on_exec })) {
            Slot::Free => Ok(None),
            Slot::Open(before) => Ok(Some(before.file)),
            Slot::Reserved => {
                self.entries[fd as usize] = Slot::Reserved;
                Err(DescriptorError::Reserved)
            }
        }
    }
    /// Frees a descriptor; returns the file it named, which is to be closed.
    pub fn remove(&mut self, fd: u32) -> Result<T, DescriptorError> {
        let file = self.get(fd)?;
        self.entries[fd as usize] = Slot::Free;
        Ok(file)
    }
    /// Takes the lowest free number that is at least `from` for a file that is still to be opened. To be ended by
    /// [`DescriptorTable::fill`] or [`DescriptorTable::release`]; until then nobody else gets the number, and it is not open.
    pub fn reserve(&mut self, from: u32) -> Result<u32, DescriptorError> {
        if from >= self.limit {
            return Err(DescriptorError::OutOfRange);
        }
        let is_free = |&fd: &u32| matches!(self.entries.get(fd as usize), None | Some(Slot::Free));
        let fd = (from..self.limit).find(is_free).ok_or(DescriptorError::Full)?;
        self.make_room_for(fd)?;
        self.entries[fd as usize] = Slot::Reserved;
        Ok(fd)
    }
    /// Enters the file that a number was reserved for.
    pub fn fill(&mut self, fd: u32, file: T, close_on_exec: bool) {
        let slot = &mut self.entries[fd as usize];
        assert!(matches!(slot, Slot::Reserved), "descriptor {fd} is filled without having been reserved");
        *slot = Slot::Open(Entry { file, close_on_exec });
    }
    /// The file that a number was reserved for has not come.
    pub fn release(&mut self, fd: u32) {
        let slot = &mut self.entries[fd as usize];
        assert!(matches!(slot, Slot::Reserved), "descriptor {fd} is released without having been reserved");
        *slot = Slot::Free;
    }
    /// The close-on-exec flag.
    pub fn close_on_exec(&self, fd: u32) -> Result<bool, DescriptorError> {
        self.entry(fd).map(|entry| entry.close_on_exec)
    }
    /// Sets the close-on-exec flag.
    pub fn set_close_on_exec(&mut self, fd: u32, value: bool) -> Result<(), DescriptorError> {
        match self.entries.get_mut(fd as usize) {
            Some(Slot::Open(entry)) => {
                entry.close_on_exec = value;
                Ok(())
            }
            _ => Err(DescriptorError::NotOpen),
        }
    }
    /// Removes the first descriptor from `from` on, of those with the close-on-exec flag or of all; returns it with its file,
    /// which is to be closed.
    pub fn take_next(&mut self, from: u32, only_close_on_exec: bool) -> Option<(u32, T)> {
        let rest = self.entries.iter_mut().enumerate().skip(from as usize);
        for (fd, slot) in rest {
            if let Slot::Open(Entry { file, close_on_exec }) = *slot
                && (close_on_exec || !only_close_on_exec)
            {
                *slot = Slot::Free;
                return Some((u32::try_from(fd).ok()?, file));
            }
        }
        None
    }
    /// The open descriptors and their files, in order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, T)> + '_ {
        let numbered = |(fd, slot): (usize, &Slot<T>)| match slot {
            Slot::Open(entry) => Some((u32::try_from(fd).ok()?, entry.file)),
            Slot::Free | Slot::Reserved => None,
        };
        self.entries.iter().enumerate().filter_map(numbered)
    }

    fn entry(&self, fd: u32) -> Result<&Entry<T>, DescriptorError> {
        match self.entries.get(fd as usize) {
            Some(Slot::Open(entry)) => Ok(entry),
            None | Some(Slot::Free | Slot::Reserved) => Err(DescriptorError::NotOpen),
        }
    }
    fn make_room_for(&mut self, fd: u32) -> Result<(), TryReserveError> {
        let index = fd as usize;
        if index >= self.entries.len() {
            self.entries.try_reserve(index + 1 - self.entries.len())?;
            self.entries.resize_with(index + 1, || Slot::Free);
        }
        Ok(())
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
        assert_eq!(table.take_next(0, true), Some((1, 'd')));
        assert_eq!(table.take_next(2, true), None);
        assert_eq!(table.iter().collect::<Vec<_>>(), [(0, 'a'), (2, 'c'), (5, 'e')]);
    }

    #[test]
    fn a_full_table_says_so_and_replace_returns_the_former_file() {
        let mut table = DescriptorTable::new(1);
        table.insert('a', 0, false).unwrap();
        assert_eq!(
            (table.reserve(0), table.reserve(1)),
            (Err(DescriptorError::Full), Err(DescriptorError::OutOfRange))
        );
        assert_eq!(table.insert('b', 0, false), Err(DescriptorError::Full));
        assert_eq!(table.replace(0, 'c', false), Ok(Some('a')));
        assert_eq!(table.replace(1, 'd', false), Err(DescriptorError::OutOfRange));
        assert_eq!(table.try_clone().unwrap().take_next(0, false), Some((0, 'c')));
        assert_eq!((table.take_next(0, false), table.take_next(0, false)), (Some((0, 'c')), None));
    }

    #[test]
    fn a_reserved_number_is_neither_open_nor_given_away() {
        let mut table = DescriptorTable::new(8);
        assert_eq!((table.reserve(0), table.reserve(0)), (Ok(0), Ok(1)));
        assert_eq!(
            (table.get(0), table.remove(0)),
            (Err(DescriptorError::NotOpen), Err(DescriptorError::NotOpen))
        );
        assert_eq!(
            (table.insert('a', 0, false), table.replace(1, 'b', false)),
            (Ok(2), Err(DescriptorError::Reserved))
        );
        assert_eq!(table.iter().collect::<Vec<_>>(), [(2, 'a')]);
        assert_eq!(table.try_clone().unwrap().insert('c', 0, false), Ok(0));
        table.fill(0, 'd', true);
        table.release(1);
        assert_eq!(
            (table.take_next(0, true), table.insert('e', 0, false), table.insert('f', 0, false)),
            (Some((0, 'd')), Ok(0), Ok(1))
        );
    }
}
