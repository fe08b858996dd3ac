//! `mount` and `umount2` (mount(2), umount(2)): programs mount file systems in memory, above what is there, and take them away again.
//!
//! A mount is a name that leads elsewhere ([`super::mounts`]), and what may not be done there is asked for by its file system.

use super::{Mount, Vfs};
use crate::tmpfs::Tmpfs;
use crate::{Errno, FileId, FileSystemId, FileType, Inode, Location};
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use isa::PAGE_SIZE;

bitflags::bitflags! {
    /// What may not be done in a mounted file system, by the bits of `mount`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct MountFlags: u32 {
        /// MS_RDONLY: nothing is changed.
        const RDONLY = 1;
        /// MS_NOSUID: programs act as nobody but who has started them.
        const NOSUID = 2;
        /// MS_NODEV: device files lead nowhere.
        const NODEV = 4;
        /// MS_NOEXEC: nothing is executed.
        const NOEXEC = 8;
    }
}

impl MountFlags {
    /// As `/proc/mounts` tells them.
    pub(crate) fn words(self) -> String {
        let mut words = String::from(if self.contains(Self::RDONLY) { "ro" } else { "rw" });
        for (flag, word) in [(Self::NOSUID, ",nosuid"), (Self::NODEV, ",nodev"), (Self::NOEXEC, ",noexec")] {
            if self.contains(flag) {
                words.push_str(word);
            }
        }
        words
    }
}

/// What is to be mounted.
#[derive(Clone, Debug)]
pub struct MountRequest<'a> {
    /// What `/proc` calls its device.
    pub device: &'a [u8],
    /// Its kind: `tmpfs` is the only one.
    pub kind: &'a [u8],
    /// What may not be done there.
    pub flags: MountFlags,
    /// What else is said of it, with commas between: `size=10M,mode=700`.
    pub options: &'a [u8],
}

/// The options of tmpfs(5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct TmpfsOptions {
    size_pages: Option<u64>,
    mode: Option<u32>,
    uid: Option<u32>,
    gid: Option<u32>,
}

impl TmpfsOptions {
    /// Reads them; `total_pages` is what a percentage is of. EINVAL.
    fn parse(text: &[u8], total_pages: u64) -> Result<Self, Errno> {
        let text = core::str::from_utf8(text).map_err(|_| Errno::EINVAL)?;
        let mut options = Self::default();
        for word in text.split(',').filter(|word| !word.is_empty()) {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let number = || value.parse().map_err(|_| Errno::EINVAL);
            match name {
                "size" => options.size_pages = pages_of(value, total_pages)?,
                "nr_blocks" => options.size_pages = Some(scaled(value)?).filter(|&pages| pages != 0),
                "mode" => {
                    options.mode = Some(u32::from_str_radix(value, 8).map_err(|_| Errno::EINVAL)? & 0o7777);
                }
                "uid" => options.uid = Some(number()?),
                "gid" => options.gid = Some(number()?),
                // Names are counted all together.
                "nr_inodes" => _ = scaled(value)?,
                "huge" | "noswap" | "inode64" | "inode32" | "mpol" => {}
                _ => return Err(Errno::EINVAL),
            }
        }
        Ok(options)
    }

    /// As `/proc/mounts` tells them.
    fn words(&self) -> String {
        let mut words = String::new();
        if let Some(pages) = self.size_pages {
            words.push_str(&format!(",size={}k", pages * (PAGE_SIZE >> 10)));
        }
        if let Some(mode) = self.mode {
            words.push_str(&format!(",mode={mode:o}"));
        }
        for (name, id) in [("uid", self.uid), ("gid", self.gid)] {
            if let Some(id) = id.filter(|&id| id != 0) {
                words.push_str(&format!(",{name}={id}"));
            }
        }
        words
    }
}

/// A number with a letter for powers of 1024. EINVAL.
fn scaled(text: &str) -> Result<u64, Errno> {
    let (digits, shift) = match text.as_bytes().last().map(u8::to_ascii_lowercase) {
        Some(b'k') => (&text[..text.len() - 1], 10),
        Some(b'm') => (&text[..text.len() - 1], 20),
        Some(b'g') => (&text[..text.len() - 1], 30),
        Some(b't') => (&text[..text.len() - 1], 40),
        _ => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|_| Errno::EINVAL)?;
    number.checked_mul(1 << shift).ok_or(Errno::EINVAL)
}

/// `size=`: bytes, or a part of memory. 0 is as much as there is.
fn pages_of(text: &str, total_pages: u64) -> Result<Option<u64>, Errno> {
    let pages = match text.strip_suffix('%') {
        Some(percent) => {
            let percent: u64 = percent.parse().map_err(|_| Errno::EINVAL)?;
            percent.checked_mul(total_pages).ok_or(Errno::EINVAL)? / 100
        }
        None => scaled(text)?.div_ceil(PAGE_SIZE),
    };
    Ok(Some(pages).filter(|&pages| pages != 0))
}

impl Vfs {
    /// Mounts a file system above a directory. ENODEV for a kind that there is not, ENOTDIR, EINVAL, EBUSY at the root of all.
    pub fn mount_new(&mut self, at: &Location, request: &MountRequest<'_>) -> Result<(), Errno> {
        if request.kind != b"tmpfs" {
            return Err(Errno::ENODEV);
        }
        if !at.inode.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        let covers = self.name_of_directory(at)?;
        let options = TmpfsOptions::parse(request.options, self.contents.capacity_pages().0)?;
        let now = self.info.now();
        let tmpfs = self.in_memory.add(options.size_pages, now)?;
        let (fs, ino) = (tmpfs.id(), tmpfs.root());
        let set = options.mode.map_or(Ok(()), |mode| tmpfs.set_mode(ino, mode, now));
        let set = set.and_then(|()| tmpfs.set_owner(ino, options.uid, options.gid, now));
        let mount = Mount {
            flags: request.flags,
            options: options.words(),
            device: Cow::Owned(Vec::from(request.device)),
            is_by_program: true,
            ..Mount::new(Some(covers), FileId { fs, ino }, at.path.to_vec(), "", "tmpfs")
        };
        set.and_then(|()| self.mounts.stack(mount)).inspect_err(|_| {
            self.in_memory.remove(fs, &mut *self.contents);
        })
    }

    /// The directory in which a directory has its name, and the name. EBUSY for the root of all.
    fn name_of_directory(&mut self, at: &Location) -> Result<(FileId, Vec<u8>), Errno> {
        // What is mounted here already is named where it covers.
        if let Some(mount) = self.mounts.of_root(at.inode.id) {
            return mount.covers.clone().ok_or(Errno::EBUSY);
        }
        let name = at.last_name().to_vec();
        match at.dir {
            Some(dir) if !name.is_empty() => Ok((dir, name)),
            // By a path such as `.`: where its name is now.
            _ => {
                let above = self.parent(at.inode.id)?;
                let is_named = self.child(&above, &name).is_ok_and(|found| found == at.inode);
                if is_named && !name.is_empty() { Ok((above.id, name)) } else { Err(Errno::EBUSY) }
            }
        }
    }

    /// Changes what may be done in a mounted file system, and its size (MS_REMOUNT). EINVAL where nothing is mounted; EBUSY if it is to
    /// be changed no more and somebody writes.
    pub fn remount(&mut self, at: &Location, flags: MountFlags, options: &[u8]) -> Result<(), Errno> {
        let root = at.inode.id;
        let parsed = TmpfsOptions::parse(options, self.contents.capacity_pages().0)?;
        let mount = self.mounts.of_root(root).ok_or(Errno::EINVAL)?;
        if !mount.is_by_program {
            return Err(Errno::EBUSY);
        }
        let is_written = self.in_memory.get(root.fs).is_some_and(Tmpfs::is_written);
        if flags.contains(MountFlags::RDONLY) && is_written {
            return Err(Errno::EBUSY);
        }
        if parsed.size_pages.is_some() {
            self.in_memory.resize(root.fs, parsed.size_pages, &*self.contents)?;
        }
        mount.flags = flags;
        if parsed.size_pages.is_some() {
            mount.options = parsed.words();
        }
        Ok(())
    }

    /// Takes a mounted file system away. EINVAL where nothing is mounted, EBUSY for what is there for good or is in use; EAGAIN for the first
    /// who asks only whether it still `expires`. `detaches` takes its name away though it is in use, and the rest when it no longer is.
    pub fn unmount_at(&mut self, at: &Location, detaches: bool, expires: bool) -> Result<(), Errno> {
        let root = at.inode.id;
        let is_within = self.mounts.are_within(root.fs);
        let mount = self.mounts.of_root(root).ok_or(Errno::EINVAL)?;
        if !mount.is_by_program || is_within {
            return Err(Errno::EBUSY);
        }
        // The caller has the root itself.
        let is_used = self.in_memory.get(root.fs).is_some_and(|tmpfs| tmpfs.is_used_but(root.ino, 1));
        if is_used && !detaches {
            return Err(Errno::EBUSY);
        }
        if expires && !core::mem::replace(&mut mount.is_expiring, true) {
            return Err(Errno::EAGAIN);
        }
        self.mounts.remove(root);
        if !is_used {
            self.in_memory.remove(root.fs, &mut *self.contents);
        }
        Ok(())
    }

    /// What was detached while it was in use goes when it no longer is.
    pub(super) fn remove_detached(&mut self) {
        let next = |vfs: &Self| {
            let is_mounted = |fs: FileSystemId| vfs.mounts.iter().any(|mount| mount.root.fs == fs);
            let is_gone = |one: &&Tmpfs| one.id().is_mounted() && !is_mounted(one.id()) && !one.is_used();
            vfs.in_memory.iter().find(is_gone).map(Tmpfs::id)
        };
        while let Some(fs) = next(self) {
            self.in_memory.remove(fs, &mut *self.contents);
        }
    }

    /// What may not be done in the file system of a file.
    pub fn mount_flags(&self, fs: FileSystemId) -> MountFlags {
        if fs.is_mounted() { self.mounts.flags(fs) } else { MountFlags::empty() }
    }

    /// EROFS where nothing is to be changed.
    pub(super) fn check_writable(&self, fs: FileSystemId) -> Result<(), Errno> {
        if self.mount_flags(fs).contains(MountFlags::RDONLY) { Err(Errno::EROFS) } else { Ok(()) }
    }

    /// EACCES where nothing is to be executed.
    pub(super) fn check_executable(&self, file: &Inode) -> Result<(), Errno> {
        let is_barred =
            file.file_type == FileType::Regular && self.mount_flags(file.id.fs).contains(MountFlags::NOEXEC);
        if is_barred { Err(Errno::EACCES) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_tmpfs_are_read() {
        let all = TmpfsOptions::parse(b"size=10m,mode=0750,,uid=7,gid=8,nr_inodes=1k", 1000);
        let (uid, gid, mode) = (Some(7), Some(8), Some(0o750));
        assert_eq!(all, Ok(TmpfsOptions { size_pages: Some(2560), mode, uid, gid }));
        assert_eq!(all.unwrap().words(), ",size=10240k,mode=750,uid=7,gid=8");
        let size = |text: &[u8]| TmpfsOptions::parse(text, 1000).map(|options| options.size_pages);
        assert_eq!(size(b"size=50%"), Ok(Some(500)));
        assert_eq!(size(b"size=1"), Ok(Some(1)));
        assert_eq!(size(b"size=0"), Ok(None));
        assert_eq!(size(b"nr_blocks=9"), Ok(Some(9)));
        for bad in [&b"size="[..], b"size=x", b"size=-1", b"mode=9", b"what", b"size=99999999999t", b"\xff"] {
            assert_eq!(size(bad), Err(Errno::EINVAL), "{bad:?}");
        }
    }
}
