//! What is not to be done with a file in memory any more (fcntl(2), "File Sealing").

use crate::{Errno, Inode};
use bitflags::bitflags;
use linux_raw_sys::general as linux;

bitflags! {
    /// The seals of a file.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Seals: u32 {
        /// No more seals.
        const SEAL = linux::F_SEAL_SEAL;
        /// It does not become shorter,
        const SHRINK = linux::F_SEAL_SHRINK;
        /// nor longer.
        const GROW = linux::F_SEAL_GROW;
        /// Nobody writes it.
        const WRITE = linux::F_SEAL_WRITE;
        /// Nobody writes it but by mappings that there are.
        const FUTURE_WRITE = linux::F_SEAL_FUTURE_WRITE;
        /// Its mode says for good whether it can be executed.
        const EXEC = linux::F_SEAL_EXEC;
    }
}

/// The bits of a mode by which a file can be executed.
const EXECUTABLE: u32 = 0o111;

impl Seals {
    /// The seals that a file has when these are added to those that it has: what cannot be written any more can be executed. EPERM.
    pub fn with(self, added: Seals, mode: u32) -> Result<Seals, Errno> {
        if self.contains(Seals::SEAL) {
            return Err(Errno::EPERM);
        }
        let follows = match added.contains(Seals::EXEC) && mode & EXECUTABLE != 0 {
            true => Seals::SHRINK | Seals::GROW | Seals::WRITE | Seals::FUTURE_WRITE,
            false => Seals::empty(),
        };
        Ok(self | added | follows)
    }

    /// Whether nobody may write from now on.
    pub fn deny_writing(self) -> bool {
        self.intersects(Seals::WRITE | Seals::FUTURE_WRITE)
    }

    /// EPERM unless bytes may be written up to `end` of a file of `size` bytes.
    pub(crate) fn check_write(self, end: u64, size: u64) -> Result<(), Errno> {
        let grows = self.contains(Seals::GROW) && end > size;
        if self.deny_writing() || grows { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// EPERM unless a file of `size` bytes may be made this long.
    pub(crate) fn check_size(self, len: u64, size: u64) -> Result<(), Errno> {
        let shrinks = self.contains(Seals::SHRINK) && len < size;
        let grows = self.contains(Seals::GROW) && len > size;
        if shrinks || grows { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// EPERM unless a file's mode may become this one.
    pub(crate) fn check_mode(self, before: u32, wanted: u32) -> Result<(), Errno> {
        let changes = (before ^ wanted) & EXECUTABLE != 0;
        if changes && self.contains(Seals::EXEC) { Err(Errno::EPERM) } else { Ok(()) }
    }
}

impl Inode {
    /// Its seals. A file that was not made to be sealed has that one seal, and what is not in memory has no more.
    pub fn seals(&self) -> Seals {
        self.pin.as_ref().map_or(Seals::SEAL, |pin| pin.seals())
    }
    /// Sets them.
    pub fn set_seals(&self, seals: Seals) {
        if let Some(pin) = &self.pin {
            pin.set_seals(seals);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seals_say_what_cannot_be_done() {
        let none = Seals::empty();
        assert_eq!(none.with(Seals::GROW, 0o777), Ok(Seals::GROW));
        assert_eq!(none.with(Seals::EXEC, 0o666), Ok(Seals::EXEC));
        assert!(none.with(Seals::EXEC, 0o777).unwrap().contains(Seals::WRITE | Seals::SHRINK));
        assert_eq!(Seals::SEAL.with(Seals::GROW, 0), Err(Errno::EPERM));
        assert_eq!(Seals::GROW.check_write(10, 10), Ok(()));
        assert_eq!(Seals::GROW.check_write(11, 10), Err(Errno::EPERM));
        assert_eq!(Seals::FUTURE_WRITE.check_write(1, 10), Err(Errno::EPERM));
        assert_eq!(
            (Seals::GROW.check_size(9, 10), Seals::GROW.check_size(11, 10)),
            (Ok(()), Err(Errno::EPERM))
        );
        assert_eq!(
            (Seals::SHRINK.check_size(9, 10), Seals::SHRINK.check_size(11, 10)),
            (Err(Errno::EPERM), Ok(()))
        );
        assert_eq!(
            (Seals::EXEC.check_mode(0o644, 0o600), Seals::EXEC.check_mode(0o644, 0o755)),
            (Ok(()), Err(Errno::EPERM))
        );
    }
}
