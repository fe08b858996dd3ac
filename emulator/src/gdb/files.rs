//! Files for gdb: those in the guest's root, read only, so that `set sysroot target:` finds them; and `/proc/PID/maps`, which is written
//! from the events.

use super::world::{Subject, World};
use crate::trace::{GuestView, VmaView};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::rc::Rc;

/// Files that a session may have open at one time.
const MAX_OPEN: usize = 64;

/// Why a file cannot be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileError {
    /// There is none.
    NotFound,
    /// It is a folder.
    IsFolder,
    /// It is no symbolic link.
    NotLink,
    /// It would be written to.
    ReadOnly,
    /// Too many are open.
    TooMany,
    /// No file is open by this number.
    NotOpen,
    /// The host cannot read it.
    Unreadable,
}

/// The guest's root file system.
pub trait GuestRoot {
    /// The bytes of a file.
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError>;
    /// Where a symbolic link leads.
    fn read_link(&self, path: &str) -> Result<String, FileError>;
}

/// The files that a session has open.
#[derive(Debug, Default)]
pub(super) struct OpenFiles(BTreeMap<u32, Rc<Vec<u8>>>);

impl OpenFiles {
    pub(super) fn open(&mut self, world: &World<'_>, path: &str) -> Result<u32, FileError> {
        if self.0.len() >= MAX_OPEN {
            return Err(FileError::TooMany);
        }
        let bytes = match world.own_files.get(path) {
            Some(bytes) => Rc::clone(bytes),
            None => Rc::new(match process_file(world, path) {
                Some(bytes) => bytes,
                None => world.root.read(path)?,
            }),
        };
        // The lowest number that is free, as ever.
        let number = (0..).find(|number| !self.0.contains_key(number)).ok_or(FileError::TooMany)?;
        self.0.insert(number, bytes);
        Ok(number)
    }
    pub(super) fn close(&mut self, number: u32) -> Result<(), FileError> {
        self.0.remove(&number).map(drop).ok_or(FileError::NotOpen)
    }
    pub(super) fn len_bytes(&self, number: u32) -> Result<u64, FileError> {
        self.0.get(&number).map(|bytes| bytes.len() as u64).ok_or(FileError::NotOpen)
    }
    /// Fills `into` from an offset; how many bytes there were.
    pub(super) fn read(&self, number: u32, offset: u64, into: &mut [u8]) -> Result<usize, FileError> {
        let bytes = self.0.get(&number).ok_or(FileError::NotOpen)?;
        Ok(copy_part(bytes, offset, into))
    }
}

/// Copies as much of `bytes` from `offset` on as there is and has room.
pub(super) fn copy_part(bytes: &[u8], offset: u64, into: &mut [u8]) -> usize {
    let rest = usize::try_from(offset).ok().and_then(|start| bytes.get(start..)).unwrap_or_default();
    let len = rest.len().min(into.len());
    into[..len].copy_from_slice(&rest[..len]);
    len
}

/// `/proc/PID/maps` of a process that lives.
fn process_file(world: &World<'_>, path: &str) -> Option<Vec<u8>> {
    let (pid, name) = path.strip_prefix("/proc/")?.split_once('/')?;
    let pid = pid.parse().ok().filter(|_| name == "maps")?;
    world.guest(|guest| maps(guest, pid)).map(String::into_bytes)
}

fn maps(guest: &GuestView, pid: u64) -> Option<String> {
    let line = |text: &mut String, vma: &VmaView| {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:08x}-{:08x} {} {:08x} 00:00 {:<10} {}",
            vma.start.0,
            vma.end.0,
            vma.permissions(),
            if vma.file == 0 { 0 } else { vma.offset_bytes },
            vma.file,
            vma.name
        );
    };
    let mut text = String::new();
    guest.space(pid)?.vmas().for_each(|vma| line(&mut text, vma));
    Some(text)
}

impl World<'_> {
    /// The path of the program that a session is about.
    pub(super) fn program_of(&self, subject: &Subject) -> Option<String> {
        match *subject {
            Subject::Process(pid) => self.guest(|guest| guest.process(pid).map(|p| p.program.clone())),
            Subject::Machine => self.own_files.keys().next().cloned(),
            Subject::Nobody => None,
        }
    }
}
