//! What is mounted where: which name in which directory leads to the root of another file system.
//!
//! The first row is the root itself. A mount point is a name, not a file: what is mounted at boot needs none in the directory. The one
//! mounted last at a name is the one that it leads to. Roots are told by their file: each file system is mounted once.

use super::{MountFlags, Vfs};
use crate::{Errno, Ext4, FileId, FileSystemId, LastLink};
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

/// A mounted file system.
#[derive(Debug)]
pub(crate) struct Mount {
    /// The directory, and the name in it, that it covers; the root covers none.
    pub(crate) covers: Option<(FileId, Vec<u8>)>,
    /// What is there instead: a directory, or a file alone.
    pub(crate) root: FileId,
    /// Where that is, for `/proc`, as it was when it was mounted.
    pub(crate) path: Vec<u8>,
    /// What `/proc` calls its device.
    pub(crate) device: Cow<'static, [u8]>,
    /// What `/proc` calls its kind.
    pub(crate) kind: &'static str,
    /// What may not be done there.
    pub(crate) flags: MountFlags,
    /// What else was said when it was mounted, each behind a comma.
    pub(crate) options: String,
    /// It may be taken away: a program has mounted it.
    pub(crate) is_by_program: bool,
    /// It goes when that is asked for once more (MNT_EXPIRE).
    pub(crate) is_expiring: bool,
}

impl Mount {
    /// One that is there for good.
    pub(super) fn new(
        covers: Option<(FileId, Vec<u8>)>,
        root: FileId,
        path: Vec<u8>,
        device: &'static str,
        kind: &'static str,
    ) -> Mount {
        let device = Cow::Borrowed(device.as_bytes());
        let (flags, options) = (MountFlags::empty(), String::new());
        Mount { covers, root, path, device, kind, flags, options, is_by_program: false, is_expiring: false }
    }
}

/// All of them, in the order of mounting.
#[derive(Debug)]
pub(crate) struct Mounts(Vec<Mount>);

impl Mounts {
    /// A table with the root alone.
    pub(super) fn new(root: FileId, device: &'static str, kind: &'static str) -> Mounts {
        Mounts(Vec::from([Mount::new(None, root, Vec::from(b"/"), device, kind)]))
    }

    /// Mounts one more. What was mounted at the same name cannot be reached any more.
    pub(super) fn add(&mut self, mount: Mount) {
        self.0.retain(|before| before.covers.is_none() || before.covers != mount.covers);
        self.0.push(mount);
    }

    /// Mounts one more above what is mounted at the same name, until it goes. ENOMEM.
    pub(super) fn stack(&mut self, mount: Mount) -> Result<(), Errno> {
        self.0.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        self.0.push(mount);
        Ok(())
    }

    /// The mount whose root a file is.
    pub(super) fn of_root(&mut self, root: FileId) -> Option<&mut Mount> {
        self.0.iter_mut().find(|mount| mount.root == root)
    }

    /// Takes away the mount whose root a file is.
    pub(super) fn remove(&mut self, root: FileId) {
        self.0.retain(|mount| mount.root != root);
    }

    /// What may not be done in a file system.
    pub(super) fn flags(&self, fs: FileSystemId) -> MountFlags {
        let mount = self.0.iter().rev().find(|mount| mount.root.fs == fs);
        mount.map_or(MountFlags::empty(), |mount| mount.flags)
    }

    /// Whether anything is mounted in a file system.
    pub(super) fn are_within(&self, fs: FileSystemId) -> bool {
        self.0.iter().any(|mount| mount.covers.as_ref().is_some_and(|(dir, _)| dir.fs == fs))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Mount> {
        self.0.iter()
    }

    /// The root directory of all.
    pub(super) fn root(&self) -> FileId {
        self.0.first().expect("the first row is the root").root
    }

    /// What is mounted at this name.
    pub(super) fn covering(&self, dir: FileId, name: &[u8]) -> Option<FileId> {
        let covers =
            |mount: &&Mount| matches!(&mount.covers, Some((in_dir, its)) if *in_dir == dir && its == name);
        self.0.iter().rev().find(covers).map(|mount| mount.root)
    }

    /// The directory above a file, if that is the root of a file system which is mounted in one.
    pub(super) fn above(&self, root: FileId) -> Option<FileId> {
        let mount = self.0.iter().find(|mount| mount.root == root)?;
        mount.covers.as_ref().map(|&(dir, _)| dir)
    }

    /// Whether a file is the root of a file system, and so can be neither moved nor removed.
    pub(super) fn is_root(&self, file: FileId) -> bool {
        self.0.iter().any(|mount| mount.root == file)
    }

    /// What is mounted at names in a directory, from the row `first` of the table on: the row, the name and the root.
    pub(super) fn covered_in(&self, dir: FileId, first: usize) -> Vec<(u64, Vec<u8>, FileId)> {
        let rows = (0..).zip(&self.0).skip(first);
        rows.filter_map(|(number, mount)| match &mount.covers {
            // What lies below another one is not seen.
            Some((in_dir, name)) if *in_dir == dir && self.covering(dir, name) == Some(mount.root) => {
                Some((number, name.clone(), mount.root))
            }
            _ => None,
        })
        .collect()
    }

    /// Whether anything is mounted at a name in this directory.
    pub(super) fn are_in(&self, dir: FileId) -> bool {
        self.0.iter().any(|mount| mount.covers.as_ref().is_some_and(|(in_dir, _)| *in_dir == dir))
    }
}

impl Vfs {
    /// Mounts what a disk has by a name in its root, a directory or a file alone, at the path `point`. Directories that are missing above it
    /// are made; it need not be there itself. EBUSY for the root, ENOTDIR or EISDIR for what is of another kind.
    pub fn mount(
        &mut self,
        disk: Ext4,
        name: &[u8],
        point: &[u8],
        device: &'static str,
    ) -> Result<FileSystemId, Errno> {
        let disk = self.disks.add(disk)?;
        let fs = disk.id();
        let root = FileId { fs, ino: disk.lookup(disk.root(), name)? };
        let is_dir = self.inode(root)?.is_dir();
        self.make_directories_above(point)?;
        let top = self.root();
        let walked = self.walk(&top, point, LastLink::Follow)?;
        match &walked.target {
            Some(found) if found.is_dir() && !is_dir => return Err(Errno::EISDIR),
            Some(found) if !found.is_dir() && is_dir => return Err(Errno::ENOTDIR),
            _ => {}
        }
        let (Some(dir), name) = (walked.found_in(), walked.name) else { return Err(Errno::EBUSY) };
        self.mounts.add(Mount::new(Some((dir, name)), root, walked.path, device, "ext4"));
        Ok(fs)
    }

    fn make_directories_above(&mut self, point: &[u8]) -> Result<(), Errno> {
        const PERMISSIONS: u32 = 0o755;
        let top = self.root();
        let trimmed = point.len() - point.iter().rev().take_while(|&&byte| byte == b'/').count();
        for end in (1..trimmed).filter(|&at| point[at] == b'/') {
            match self.mkdir(&top, &point[..end], PERMISSIONS) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
