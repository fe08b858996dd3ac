//! The virtual file system: one tree of names over ext4 (`/`), tmpfs (`/tmp`), devices (`/dev`) and `/proc`.

use crate::*;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// What path resolution does when the last component is a symbolic link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LastLink {
    /// Go where it points.
    Follow,
    /// Name the link itself.
    Keep,
}

/// What `open` found.
#[derive(Clone, Debug)]
pub enum Opened {
    /// A new open file, to be entered into [`OpenFiles`].
    New(OpenFile),
    /// `/proc/self/fd/N` (also `/dev/stdin`, `/dev/fd/N`): the caller's own descriptor N, to be duplicated.
    SameAs(u32),
}

/// All mounted file systems. The kernel keeps it under one sleeping lock, because metadata reads may sleep.
pub struct Vfs {
    #[allow(dead_code)]
    root: Ext4,
    #[allow(dead_code)]
    pages: Box<dyn PageStore>,
    #[allow(dead_code)]
    info: Box<dyn ProcInfo>,
}

#[allow(unused_variables)]
impl Vfs {
    /// Mounts `root` at `/`, tmpfs at `/tmp`, devices at `/dev` and `/proc`; mount points need not exist in `root`.
    pub fn new(root: Ext4, pages: Box<dyn PageStore>, info: Box<dyn ProcInfo>) -> Vfs {
        Vfs { root, pages, info }
    }
    /// The root directory.
    pub fn root(&self) -> Location {
        Location {
            inode: Inode {
                id: FileId { fs: FileSystemId(0), ino: 2 },
                file_type: FileType::Directory,
                pin: None,
            },
            path: alloc::vec![b'/'],
        }
    }
    /// Resolves `path`, from `at` unless it is absolute. ELOOP after 40 symbolic links.
    pub fn resolve(&mut self, at: &Location, path: &[u8], last: LastLink) -> Result<Location, Errno> {
        Err(Errno::ENOSYS)
    }
    /// `openat`. `mode` holds the permission bits for a new file, umask already applied. Truncates for `O_TRUNC`.
    pub fn open(&mut self, at: &Location, path: &[u8], flags: OpenFlags, mode: u32) -> Result<Opened, Errno> {
        Err(Errno::ENOSYS)
    }
    /// Attributes of a file.
    pub fn stat(&mut self, inode: &Inode) -> Result<Stat, Errno> {
        Err(Errno::ENOSYS)
    }
    /// Attributes of an open file, pipes and host streams included.
    pub fn stat_open(&mut self, file: &OpenFile) -> Result<Stat, Errno> {
        Err(Errno::ENOSYS)
    }
    /// Attributes of the file system that holds a file.
    pub fn statfs(&mut self, inode: &Inode) -> Result<StatFs, Errno> {
        Err(Errno::ENOSYS)
    }
    /// `faccessat`: `mode` is R_OK (4), W_OK (2), X_OK (1) or 0. The only user is root.
    pub fn check_access(&mut self, inode: &Inode, mode: u32) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }
    /// The target of the symbolic link `inode`. EINVAL when it is none.
    pub fn readlink(&mut self, inode: &Inode) -> Result<Vec<u8>, Errno> {
        Err(Errno::ENOSYS)
    }
    /// `mkdirat`.
    pub fn mkdir(&mut self, at: &Location, path: &[u8], mode: u32) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }
    /// `unlinkat` without `AT_REMOVEDIR`.
    pub fn unlink(&mut self, at: &Location, path: &[u8]) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }
    /// `unlinkat` with `AT_REMOVEDIR`.
    pub fn rmdir(&mut self, at: &Location, path: &[u8]) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }
    /// `renameat2`; `no_replace` is RENAME_NOREPLACE.
    pub fn rename(
        &mut self,
        from_at: &Location,
        from: &[u8],
        to_at: &Location,
        to: &[u8],
        no_replace: bool,
    ) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }
    /// `linkat` to an already resolved file.
    pub fn link(&mut self, file: &Inode, at: &Location, path: &[u8]) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }
    /// `symlinkat`.
    pub fn symlink(&mut self, target: &[u8], at: &Location, path: &[u8]) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }
    /// `fchmod`.
    pub fn set_mode(&mut self, inode: &Inode, mode: u32) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }
    /// `fchown`; `None` leaves a value as it is.
    pub fn set_owner(&mut self, inode: &Inode, uid: Option<u32>, gid: Option<u32>) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }
    /// `utimensat`; `None` leaves a time as it is.
    pub fn set_times(
        &mut self,
        inode: &Inode,
        atime: Option<Timestamp>,
        mtime: Option<Timestamp>,
    ) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }
    /// `ftruncate`.
    pub fn truncate(&mut self, inode: &Inode, size: u64) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }
    /// Length of a regular file.
    pub fn size(&mut self, file: FileId) -> Result<u64, Errno> {
        Err(Errno::ENOSYS)
    }
    /// Where page `page` (an index, from 0) of a regular file lies. May read metadata (the extent tree), never data.
    pub fn page_source(&mut self, file: FileId, page: u64) -> Result<PageSource, Errno> {
        Err(Errno::ENOSYS)
    }
    /// The tmpfs page to be mapped shared and writable; filled with zeros when there was none. EROFS on disk.
    pub fn page_for_write(&mut self, file: FileId, page: u64) -> Result<PageId, Errno> {
        Err(Errno::ENOSYS)
    }
    /// Reads an [`Object::Memory`] file.
    pub fn read_at(&mut self, inode: &Inode, offset: u64, out: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::ENOSYS)
    }
    /// Writes an [`Object::Memory`] file; short when memory ends, ENOSPC when not one byte fits.
    pub fn write_at(&mut self, inode: &Inode, offset: u64, bytes: &[u8]) -> Result<usize, Errno> {
        Err(Errno::ENOSYS)
    }
    /// Reads an [`Object::Text`] file at its offset, and moves it.
    pub fn read_text(&mut self, file: &mut OpenFile, out: &mut [u8]) -> Result<usize, Errno> {
        Err(Errno::ENOSYS)
    }
    /// `getdents64`: fills `writer` from the directory's offset, and moves it.
    pub fn read_dir(&mut self, file: &mut OpenFile, writer: &mut DirentWriter) -> Result<(), Errno> {
        Err(Errno::ENOSYS)
    }
    /// Frees tmpfs files that have neither a name nor an [`Inode`] handle. Every change of tmpfs does so too; call it
    /// after the last handle of a file may have gone (close, munmap, exit).
    pub fn reap(&mut self) {}
}
