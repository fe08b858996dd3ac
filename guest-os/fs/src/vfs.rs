//! The virtual file system: one tree of names over ext4 with what has changed of it (`/`, and where else a disk is mounted), tmpfs
//! (`/tmp`, `/dev/shm`), devices (`/dev`), `/proc`, and `/sys`, which is of the same kind.
//!
//! Path resolution is in [`walk`], changes of names in [`names`], what is mounted where in [`mounts`]; this file says what each operation on
//! a file means on the file system that holds it. The kinds of file systems are fixed, so that they are told apart by a `match`, not by a
//! trait object.

mod changes;
mod in_memory;
mod mounting;
mod mounts;
mod names;
#[cfg(test)]
mod tests;
mod walk;

use crate::anonymous::Happenings;
use crate::open_file::{read_text, write_entry};
use crate::overlay::{Overlay, Overlays};
use crate::permission::{EXECUTE, PERMISSIONS, READ, SET_GROUP, WRITE};
use crate::tmpfs::Tmpfs;
use crate::xattr::{self, SetAs};
use crate::{
    Device, DirEntry, DirentWriter, Errno, Ext4, FileId, FileMemory, FileSystemId, FileType, Happening,
    Identity, Inode, Location, LoopDevice, MemoryView, Object, OpenFile, OpenFlags, PageSource, PipeId,
    ProcInfo, SocketId, Stat, StatFs, Timestamp, devfs, procfs,
};
use abi::CapSet;
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::ops::Range;
use in_memory::InMemory;
use isa::PAGE_SIZE;
pub use mounting::{MountFlags, MountRequest};
pub(crate) use mounts::{Mount, Mounts};
pub use names::RenameAs;
pub use walk::{LastLink, Resolved};

const ROOT: FileSystemId = FileSystemId::ROOT;
const DEV: FileSystemId = FileSystemId(1);
const PROC: FileSystemId = FileSystemId(2);

impl Inode {
    /// The process whose folder below `/proc` it is.
    pub fn process(&self) -> Option<u32> {
        (self.id.fs == PROC).then(|| procfs::process_of_folder(self.id.ino)).flatten()
    }
}
const TMP: FileSystemId = FileSystemId(3);
const SHM: FileSystemId = FileSystemId(4);
const SYS: FileSystemId = FileSystemId(5);

/// What `statfs` calls `/sys`.
const SYSFS_MAGIC: u64 = 0x6265_6572;

/// What `open` found.
#[derive(Clone, Debug)]
pub enum Opened {
    /// A new open file, to be entered into [`crate::OpenFiles`].
    New(OpenFile),
    /// `/proc/self/fd/N` (also `/dev/stdin`, `/dev/fd/N`) of what is no file, as a pipe: the caller's own descriptor N, to be duplicated.
    SameAs(u32),
    /// A FIFO, to be opened by [`crate::OpenFiles::open_fifo`].
    Fifo(Location),
}

/// All mounted file systems. The kernel keeps it under one sleeping lock, because metadata reads may sleep.
pub struct Vfs {
    disks: Overlays,
    in_memory: InMemory,
    mounts: Mounts,
    contents: Box<dyn FileMemory>,
    info: Box<dyn ProcInfo>,
    happenings: Happenings,
    /// Permissions are looked at by real ids for now: for `access`.
    by_real_ids: bool,
    boot: Timestamp,
}

impl Vfs {
    /// Mounts `root` at `/`, devices at `/dev`, tmpfs at `/tmp` and `/dev/shm`, `/proc` and `/sys`. Mount points need not
    /// exist in `root`.
    pub fn new(root: Ext4, contents: Box<dyn FileMemory>, info: Box<dyn ProcInfo>) -> Vfs {
        let boot = info.now();
        let in_memory = InMemory::new(boot);
        let tmpfs = |fs| FileId { fs, ino: Tmpfs::EMPTY_ROOT };
        let top = FileId { fs: ROOT, ino: root.root() };
        let dev = FileId { fs: DEV, ino: devfs::root() };
        let mut mounts = Mounts::new(top, "/dev/root", "ext4");
        for (dir, path, root, kind) in [
            (top, "/dev", dev, "devtmpfs"),
            (dev, "/dev/shm", tmpfs(SHM), "tmpfs"),
            (top, "/proc", FileId { fs: PROC, ino: procfs::root() }, "proc"),
            (top, "/sys", FileId { fs: SYS, ino: procfs::sysfs_root() }, "sysfs"),
            (top, "/tmp", tmpfs(TMP), "tmpfs"),
        ] {
            let name = path.rsplit('/').next().unwrap_or_default();
            let covers = Some((dir, name.into()));
            mounts.add(Mount::new(covers, root, path.into(), kind, kind));
        }
        let happenings = Happenings::default();
        Vfs {
            disks: Overlays::new(root),
            in_memory,
            mounts,
            contents,
            info,
            happenings,
            by_real_ids: false,
            boot,
        }
    }

    /// Ends all file systems: the contents of tmpfs's files go.
    pub fn unmount(&mut self) {
        self.in_memory.iter_mut().for_each(|tmpfs| tmpfs.remove_all(&mut *self.contents));
        self.disks.iter_mut().for_each(|disk| disk.forget(&mut *self.contents));
    }

    /// The root directory.
    pub fn root(&mut self) -> Location {
        let inode = self.root_inode();
        Location { inode: self.pinned(inode), path: Rc::new(Vec::from(b"/")), dir: None }
    }

    fn root_inode(&self) -> Inode {
        Inode { id: self.mounts.root(), file_type: FileType::Directory, pin: None }
    }

    /// Opens what is already resolved (`openat` comes here last, `execve` first).
    pub fn open_found(&mut self, location: Location, flags: OpenFlags) -> Result<OpenFile, Errno> {
        let inode = location.inode.clone();
        if flags.contains(OpenFlags::DIRECTORY) && !inode.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        let (writes, truncates) = (flags.is_writable(), flags.contains(OpenFlags::TRUNC));
        let fs = inode.id.fs;
        let mut writing = None;
        let object = match inode.file_type {
            _ if flags.contains(OpenFlags::PATH) => Object::Path(inode),
            FileType::Symlink => return Err(Errno::ELOOP),
            FileType::Directory if writes || truncates => return Err(Errno::EISDIR),
            FileType::Directory => Object::Directory(inode),
            FileType::Regular if self.is_as_on_disk(inode.id) && !writes && !truncates => Object::Disk(inode),
            FileType::Regular if matches!(fs, PROC | SYS) => {
                procfs::check_open(inode.id.ino, &*self.info)?;
                let memory = procfs::memory_view(inode.id.ino);
                if let Some((pid, view)) = memory
                    && (!writes || view == MemoryView::Bytes)
                {
                    let object = Object::ProcessMemory { pid, view };
                    return Ok(OpenFile::new(object, Some(location), flags));
                }
                if writes && !procfs::is_written(inode.id.ino) {
                    return Err(Errno::EACCES);
                }
                Object::Text(inode)
            }
            FileType::Regular => {
                if writes || truncates {
                    self.check_writable(fs)?;
                    writing = inode.use_for_writing()?;
                    self.changing([inode.id])?;
                }
                if truncates {
                    self.truncate(&inode, 0)?;
                }
                Object::Memory(inode)
            }
            FileType::CharDevice | FileType::BlockDevice
                if self.mount_flags(fs).contains(MountFlags::NODEV) =>
            {
                return Err(Errno::EACCES);
            }
            FileType::CharDevice => Object::Device(self.device(&inode)?),
            FileType::BlockDevice => Object::Loop(self.loop_device(&inode)?),
            FileType::Fifo | FileType::Socket => return Err(Errno::ENXIO),
        };
        let writing = writing.filter(|_| writes);
        Ok(OpenFile { writing, ..OpenFile::new(object, Some(location), flags) })
    }

    /// The device behind a device file, in `/dev` or made by `mknod` in the root image.
    fn device(&mut self, inode: &Inode) -> Result<Device, Errno> {
        match inode.id.fs {
            DEV => devfs::device(inode.id.ino),
            _ => Device::from_rdev(self.stat(inode)?.rdev).ok_or(Errno::ENXIO),
        }
    }

    /// The block device behind a device file.
    fn loop_device(&mut self, inode: &Inode) -> Result<LoopDevice, Errno> {
        match inode.id.fs {
            DEV => devfs::loop_device(inode.id.ino),
            _ => LoopDevice::from_rdev(self.stat(inode)?.rdev).ok_or(Errno::ENXIO),
        }
    }

    /// Attributes of a file.
    pub fn stat(&mut self, inode: &Inode) -> Result<Stat, Errno> {
        let FileId { fs, ino } = inode.id;
        let stat = match fs {
            _ if fs.is_on_disk() => self.disks.get_mut(fs)?.stat(ino, &*self.contents),
            DEV => devfs::stat(ino, self.boot, &*self.info),
            PROC | SYS => procfs::stat(ino, &*self.info),
            _ => self.tmpfs(fs)?.stat(ino, &*self.contents),
        }?;
        let (mount, is_mount_root) = (procfs::mount_number(fs), self.mounts.is_root(inode.id));
        Ok(Stat { dev: fs.device_number(), mount, is_mount_root, ..stat })
    }

    /// Attributes of an open file, pipes and the host's streams included.
    pub fn stat_open(&mut self, file: &OpenFile) -> Result<Stat, Errno> {
        const PERMISSIONS: u32 = 0o600;
        if let Some(location) = &file.location {
            return self.stat(&location.inode);
        }
        let (file_type, ino, rdev) = match file.object {
            Object::Pipe { pipe: PipeId(number), .. } => (FileType::Fifo, u64::from(number) + 1, 0),
            // As in Linux, all of them are one file.
            Object::Anonymous(_) => (FileType::Regular, 1, 0),
            Object::Socket(SocketId(number)) => (FileType::Socket, u64::from(number) + 1, 0),
            // What the host lends is no terminal: to the guest it looks like a pipe.
            Object::Device(Device::Stdio { stream }) => (FileType::Fifo, u64::from(stream) + 1, 0),
            _ => return Err(Errno::EBADF),
        };
        let permissions = if file_type == FileType::Socket { 0o777 } else { PERMISSIONS };
        let (mode, now) = (file_type.mode_bits() | permissions, self.info.now());
        let times = Stat { atime: now, mtime: now, ctime: now, ..Stat::default() };
        Ok(Stat { ino, mode, nlink: 1, rdev, blksize: 4096, ..times })
    }

    /// Attributes of the file system that holds a file.
    pub fn statfs(&mut self, inode: &Inode) -> Result<StatFs, Errno> {
        let flags = self.mount_flags(inode.id.fs);
        let stat = match inode.id.fs {
            fs if fs.is_on_disk() => self.disks.get(fs)?.statfs(&*self.contents),
            DEV => devfs::statfs(),
            PROC => procfs::statfs(),
            SYS => StatFs { magic: SYSFS_MAGIC, ..procfs::statfs() },
            fs => self.in_memory.statfs(fs, &*self.contents, self.entries_in_memory())?,
        };
        Ok(StatFs { flags, ..stat })
    }

    /// Attributes of the file system that holds an open file: pipes, and what the host lends, have one of their own.
    pub fn statfs_open(&mut self, file: &OpenFile) -> Result<StatFs, Errno> {
        const PIPEFS_MAGIC: u64 = 0x5049_5045;
        const SOCKFS_MAGIC: u64 = 0x534f_434b;
        if let Object::Socket(_) = file.object {
            return Ok(StatFs { magic: SOCKFS_MAGIC, block_size: 4096, name_max: 255, ..StatFs::default() });
        }
        match (file.inode(), &file.object) {
            (Some(inode), _) => self.statfs(inode),
            _ => Ok(StatFs { magic: PIPEFS_MAGIC, block_size: 4096, name_max: 255, ..StatFs::default() }),
        }
    }

    /// `faccessat`: `mode` is R_OK (4), W_OK (2), X_OK (1) or 0.
    pub fn check_access(&mut self, inode: &Inode, mode: u32) -> Result<(), Errno> {
        self.check(inode, mode)?;
        let is_stored =
            matches!(inode.file_type, FileType::Regular | FileType::Directory | FileType::Symlink);
        if mode & WRITE != 0 && is_stored {
            self.check_writable(inode.id.fs)?;
        }
        if mode & EXECUTE != 0 { self.check_executable(inode) } else { Ok(()) }
    }

    /// The same of what the caller has open, which may have no path.
    pub fn check_open_file(&mut self, file: &OpenFile, wanted: u32) -> Result<(), Errno> {
        let stat = self.stat_open(file)?;
        self.identity().check(&stat, wanted)
    }

    /// From now on permissions are looked at by real ids, or again by those for files.
    pub fn act_by_real_ids(&mut self, by_real_ids: bool) {
        self.by_real_ids = by_real_ids;
    }

    /// As whom files are used now.
    fn identity(&self) -> Identity {
        self.info.identity(self.by_real_ids)
    }

    /// Whether the caller may read, write and search whatever modes say.
    fn overrides(&self) -> bool {
        self.info.capabilities(self.by_real_ids).contains(CapSet::DAC_OVERRIDE)
    }

    /// EACCES unless the caller may do this with the file, as far as its mode says: read (4), write (2), execute (1) it.
    pub fn check(&mut self, inode: &Inode, wanted: u32) -> Result<(), Errno> {
        if wanted & 7 == 0 || wanted & EXECUTE == 0 && self.overrides() {
            return Ok(());
        }
        if inode.id.fs == PROC && procfs::is_own_list(inode.id.ino, &*self.info) {
            return Ok(());
        }
        let stat = self.stat(inode)?;
        self.identity().check(&stat, wanted)
    }

    /// Whether the caller may take the name of `file` out of `dir`.
    fn check_removal(&mut self, dir: &Inode, file: &Inode) -> Result<(), Errno> {
        let who = self.identity();
        if who.can(CapSet::DAC_OVERRIDE) && who.can(CapSet::FOWNER) {
            return Ok(());
        }
        let (dir, file) = (self.stat(dir)?, self.stat(file)?);
        who.check_removal(&dir, &file)
    }

    /// The target of the symbolic link `inode`. EINVAL when it is none.
    pub fn readlink(&mut self, inode: &Inode) -> Result<Vec<u8>, Errno> {
        let FileId { fs, ino } = inode.id;
        match fs {
            _ if fs.is_on_disk() => self.disks.get_mut(fs)?.readlink(ino),
            DEV => devfs::readlink(ino),
            PROC | SYS => procfs::readlink(ino, &*self.info),
            _ => self.tmpfs(fs)?.readlink(ino),
        }
    }

    /// The value of an extended attribute of a file.
    pub fn attribute(&mut self, inode: &Inode, name: &[u8]) -> Result<Vec<u8>, Errno> {
        let capabilities = self.info.capabilities(self.by_real_ids);
        xattr::check_name(name, inode.file_type, capabilities, xattr::Access::Read)?;
        self.check(inode, if name.starts_with(b"user.") { READ } else { 0 })?;
        self.tmpfs_with(inode)?.map_or(Err(Errno::ENODATA), |tmpfs| {
            crate::try_to_vec(tmpfs.attributes(inode.id.ino)?.get(name)?)
        })
    }

    /// The names of a file's extended attributes, each ended by a NUL.
    pub fn attribute_names(&mut self, inode: &Inode) -> Result<Vec<u8>, Errno> {
        let capabilities = self.info.capabilities(self.by_real_ids);
        match self.tmpfs_with(inode) {
            Ok(Some(tmpfs)) => tmpfs.attributes(inode.id.ino)?.names(capabilities),
            // Who cannot have any has none.
            Ok(None) | Err(Errno::EOPNOTSUPP) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Sets an extended attribute.
    pub fn set_attribute(
        &mut self,
        inode: &Inode,
        name: &[u8],
        value: &[u8],
        how: SetAs,
    ) -> Result<(), Errno> {
        self.check_attribute_change(inode, name)?;
        let now = self.info.now();
        self.changing([inode.id])?.attributes_mut(inode.id.ino, now)?.set(name, value, how)
    }

    /// Takes an extended attribute away.
    pub fn remove_attribute(&mut self, inode: &Inode, name: &[u8]) -> Result<(), Errno> {
        self.check_attribute_change(inode, name)?;
        let now = self.info.now();
        self.changing([inode.id])?.attributes_mut(inode.id.ino, now)?.remove(name)
    }

    fn check_attribute_change(&mut self, inode: &Inode, name: &[u8]) -> Result<(), Errno> {
        let capabilities = self.info.capabilities(self.by_real_ids);
        xattr::check_name(name, inode.file_type, capabilities, xattr::Access::Change)?;
        check_changeable(inode.id.fs).map_err(|_| Errno::EOPNOTSUPP)?;
        self.check(inode, if name.starts_with(b"user.") { WRITE } else { 0 })
    }

    /// The file system in memory that knows a file's attributes; `None` if the file has none. EOPNOTSUPP where there can be none.
    fn tmpfs_with(&self, inode: &Inode) -> Result<Option<&Tmpfs>, Errno> {
        if self.is_as_on_disk(inode.id) {
            return Ok(None);
        }
        self.tmpfs(inode.id.fs).map(Some).map_err(|_| Errno::EOPNOTSUPP)
    }

    /// `fchmod`.
    pub fn set_mode(&mut self, inode: &Inode, mode: u32) -> Result<(), Errno> {
        let (now, who) = (self.info.now(), self.identity());
        check_changeable(inode.id.fs)?;
        let stat = self.stat(inode)?;
        if !who.owns(&stat) {
            return Err(Errno::EPERM);
        }
        inode.seals().check_mode(stat.mode, mode)?;
        let keeps_group = who.can(CapSet::FSETID) || who.is_in(stat.gid);
        let mode = if keeps_group { mode } else { mode & !SET_GROUP };
        self.changing([inode.id])?.set_mode(inode.id.ino, mode, now)
    }

    /// `fchown`; `None` leaves a value as it is.
    pub fn set_owner(&mut self, inode: &Inode, uid: Option<u32>, gid: Option<u32>) -> Result<(), Errno> {
        let (now, who) = (self.info.now(), self.identity());
        check_changeable(inode.id.fs)?;
        let stat = self.stat(inode)?;
        let mode = if inode.is_dir() { stat.mode & PERMISSIONS } else { who.without_set_ids(&stat) };
        let changes_nothing = uid.is_none() && gid.is_none() && mode == stat.mode & PERMISSIONS;
        let may_change = uid.is_none_or(|uid| uid == stat.uid) && gid.is_none_or(|gid| who.is_in(gid));
        if !(who.can(CapSet::CHOWN) || who.user == stat.uid && may_change || changes_nothing) {
            return Err(Errno::EPERM);
        }
        let tmpfs = self.changing([inode.id])?;
        tmpfs.set_mode(inode.id.ino, mode, now)?;
        tmpfs.set_owner(inode.id.ino, uid, gid, now)
    }

    /// `utimensat`; `None` leaves a time as it is. Who may write the file may set both to now (`to_now`).
    pub fn set_times(
        &mut self,
        inode: &Inode,
        atime: Option<Timestamp>,
        mtime: Option<Timestamp>,
        to_now: bool,
    ) -> Result<(), Errno> {
        let (now, who) = (self.info.now(), self.identity());
        check_changeable(inode.id.fs)?;
        let stat = self.stat(inode)?;
        if !who.owns(&stat) {
            if !to_now {
                return Err(Errno::EPERM);
            }
            who.check(&stat, WRITE)?;
        }
        self.changing([inode.id])?.set_times(inode.id.ino, atime, mtime, now)
    }

    /// A regular file whose contents are about to change. Unless root changes them it no longer acts as its owner or its group.
    fn regular_to_change(&mut self, inode: &Inode) -> Result<FileId, Errno> {
        let (now, ino) = (self.info.now(), inode.id.ino);
        let file = self.changing([inode.id])?.regular_to_change(ino, now)?;
        if !self.info.capabilities(self.by_real_ids).contains(CapSet::FSETID) {
            let (who, stat) = (self.identity(), self.stat(inode)?);
            self.changing([inode.id])?.set_mode(ino, who.without_set_ids(&stat), now)?;
        }
        Ok(file)
    }

    /// Whether it is the root of a file system.
    pub fn is_mounted(&self, inode: &Inode) -> bool {
        self.mounts.is_root(inode.id)
    }

    /// Whether a file can be sealed: one in memory that is not of the root.
    pub fn has_seals(&self, inode: &Inode) -> bool {
        self.in_memory.get(inode.id.fs).is_some() && inode.file_type == FileType::Regular
    }

    /// `ftruncate`. Mappings still show what was cut off: the kernel takes that away.
    pub fn truncate(&mut self, inode: &Inode, size: u64) -> Result<(), Errno> {
        if size > i64::MAX as u64 {
            return Err(Errno::EFBIG);
        }
        if inode.is_dir() {
            return Err(Errno::EISDIR);
        }
        inode.seals().check_size(size, self.size(inode.id)?)?;
        let file = self.regular_to_change(inode)?;
        self.contents.set_len(file, size)
    }

    /// `fallocate` of pages that lie before the end: each takes memory from now on. ENOSPC, and then some do, maybe.
    pub fn fill_holes(&mut self, inode: &Inode, pages: Range<u64>) -> Result<(), Errno> {
        let file = self.regular_to_change(inode)?;
        let bytes = pages.start * PAGE_SIZE..pages.end * PAGE_SIZE;
        if self.in_memory.room(file, bytes.clone(), &*self.contents)? < bytes.end - bytes.start {
            return Err(Errno::ENOSPC);
        }
        self.contents.fill_holes(file, pages)
    }

    /// `fallocate` with FALLOC_FL_PUNCH_HOLE.
    pub fn punch_hole(&mut self, inode: &Inode, bytes: Range<u64>) -> Result<(), Errno> {
        inode.seals().check_write(0, 0)?;
        let file = self.regular_to_change(inode)?;
        self.contents.punch_hole(file, bytes)
    }

    /// `lseek` to the next data from `offset` on, or to the next hole, of which there is one at the end. ENXIO. A file on disk is all data.
    pub fn seek_extent(&mut self, inode: &Inode, offset: u64, wants_hole: bool) -> Result<u64, Errno> {
        let end = self.size(inode.id)?;
        if offset >= end {
            return Err(Errno::ENXIO);
        }
        if inode.id.is_on_disk() {
            return Ok(if wants_hole { end } else { offset });
        }
        let first = offset / PAGE_SIZE;
        let found = if wants_hole {
            (first..).find(|&page| self.contents.next_page(inode.id, page) != Some(page))
        } else {
            self.contents.next_page(inode.id, first)
        };
        match found.map(|page| offset.max(page.saturating_mul(PAGE_SIZE))) {
            Some(found) if found < end => Ok(found),
            _ if wants_hole => Ok(end),
            _ => Err(Errno::ENXIO),
        }
    }

    /// Length of a regular file.
    pub fn size(&mut self, file: FileId) -> Result<u64, Errno> {
        match file.fs {
            fs if fs.is_on_disk() => self.disks.get_mut(fs)?.size(file.ino, &*self.contents),
            DEV | PROC | SYS => Ok(0),
            fs => Ok(self.contents.len_bytes(self.tmpfs(fs)?.regular(file.ino)?)),
        }
    }

    /// Where page `page` (an index, from 0) of a regular file on disk lies. ENODEV for files that are not on disk. May read metadata (the extent tree), never data.
    pub fn page_source(&mut self, file: FileId, page: u64) -> Result<PageSource, Errno> {
        self.disks.get_mut(file.fs)?.page_source(file.ino, page)
    }

    /// Reads an [`Object::Memory`] file.
    pub fn read_at(&mut self, inode: &Inode, offset: u64, out: &mut [u8]) -> Result<usize, Errno> {
        let file = self.tmpfs(inode.id.fs)?.regular(inode.id.ino)?;
        self.contents.read(file, offset, out)
    }

    /// Writes an [`Object::Memory`] file; short when memory ends. ENOSPC when not one byte fits, EFBIG past the largest offset.
    pub fn write_at(&mut self, inode: &Inode, offset: u64, bytes: &[u8]) -> Result<usize, Errno> {
        let room = (i64::MAX as u64).saturating_sub(offset);
        let len = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        if len == 0 && !bytes.is_empty() {
            return Err(Errno::EFBIG);
        }
        let seals = inode.seals();
        if !seals.is_empty() {
            seals.check_write(offset.saturating_add(len as u64), self.size(inode.id)?)?;
        }
        let file = self.regular_to_change(inode)?;
        let room = self.in_memory.room(file, offset..offset + len as u64, &*self.contents)?;
        let len = len.min(usize::try_from(room).unwrap_or(usize::MAX));
        match self.contents.write(file, offset, &bytes[..len])? {
            0 if len > 0 => Err(Errno::ENOSPC),
            count => Ok(count),
        }
    }

    /// Writes to an [`Object::Text`] file: all at once, wherever its offset is.
    pub fn write_text(&mut self, inode: &Inode, bytes: &[u8]) -> Result<usize, Errno> {
        procfs::write(inode.id.ino, bytes, &*self.info).map(|()| bytes.len())
    }

    /// Reads an [`Object::Text`] file at its offset, and moves it.
    pub fn read_text(&mut self, file: &mut OpenFile, out: &mut [u8]) -> Result<usize, Errno> {
        let Object::Text(inode) = &file.object else { return Err(Errno::EINVAL) };
        let (ino, info, mounts) = (inode.id.ino, &*self.info, &self.mounts);
        read_text(file, out, || procfs::read(ino, info, mounts))
    }

    /// `getdents64`: fills `writer` from the directory's offset, and moves it. ENOTDIR.
    pub fn read_dir(&mut self, file: &mut OpenFile, writer: &mut DirentWriter<'_>) -> Result<(), Errno> {
        /// Cookies of mount points whose directory is missing in the file system below.
        const FIRST_MOUNT: u64 = 1 << 62;
        let Object::Directory(inode) = &file.object else { return Err(Errno::ENOTDIR) };
        if inode.is_unlinked() {
            return Err(Errno::ENOENT);
        }
        let FileId { fs, ino } = inode.id;
        let (inode, position) = (inode.clone(), file.offset);
        let mut is_full = false;
        let visit = |entry: DirEntry<'_>| {
            is_full = !write_entry(file, writer, entry);
            !is_full
        };
        if position < FIRST_MOUNT {
            match fs {
                _ if fs.is_on_disk() => self.disks.get_mut(fs)?.read_dir(ino, position, visit),
                DEV => devfs::read_dir(ino, position, &*self.info, visit),
                PROC | SYS => procfs::read_dir(ino, position, &*self.info, visit),
                _ => self.tmpfs(fs)?.read_dir(ino, position, visit),
            }?;
        }
        if is_full {
            return Ok(());
        }
        let first = usize::try_from(position.saturating_sub(FIRST_MOUNT)).unwrap_or(usize::MAX);
        let covered: Vec<(u64, Vec<u8>, FileId)> = self.mounts.covered_in(inode.id, first);
        for (number, name, root) in covered {
            if self.exists_below(&inode, &name)? {
                continue;
            }
            let file_type = self.inode(root)?.file_type;
            let next = FIRST_MOUNT + number + 1;
            if !write_entry(file, writer, DirEntry { ino: root.ino, file_type, name: &name, next }) {
                break;
            }
        }
        Ok(())
    }

    /// Frees tmpfs files that have neither a name nor an [`Inode`] handle. Removing a name does so too; call it after
    /// the last handle of a file may have gone (close, munmap, exit).
    pub fn reap(&mut self) {
        for tmpfs in self.in_memory.iter_mut() {
            tmpfs.reap(&mut *self.contents, &mut self.happenings);
        }
        self.remove_detached();
        self.disks.iter_mut().for_each(|disk| disk.reap(&mut *self.contents, &mut self.happenings));
    }

    /// From now on what happens to names is kept until it is [taken](Vfs::take_happenings), or it is not.
    pub fn keep_happenings(&mut self, is_on: bool) {
        self.happenings.is_on = is_on;
    }

    /// What has happened to names since the last time, to be told by [`crate::OpenFiles::tell`].
    pub fn take_happenings(&mut self) -> Vec<Happening> {
        self.happenings.take()
    }

    /// Whether a file is what the disk says: nothing of it has changed.
    pub fn is_as_on_disk(&self, file: FileId) -> bool {
        self.disks.get(file.fs).is_ok_and(|disk| !disk.is_changed(file.ino))
    }

    /// Where the files of one file system are changed that are named here.
    fn changing<const N: usize>(&mut self, files: [FileId; N]) -> Result<&mut Tmpfs, Errno> {
        let fs = files.first().map_or(ROOT, |file| file.fs);
        self.check_writable(fs)?;
        match self.in_memory.get_mut(fs) {
            Some(tmpfs) => Ok(tmpfs),
            None => {
                check_changeable(fs)?;
                let disk = self.disks.get_mut(fs)?;
                for file in files {
                    disk.adopt(file.ino, &mut *self.contents)?;
                }
                Ok(disk.changed_mut())
            }
        }
    }

    /// A directory is about to be moved to `dir`.
    fn adopt_above(&mut self, dir: &Inode) -> Result<(), Errno> {
        match self.disks.get_mut(dir.id.fs) {
            Ok(disk) => disk.adopt_above(dir.id.ino, &mut *self.contents),
            Err(_) => Ok(()),
        }
    }

    /// Names in memory that are on no disk, of all file systems together.
    fn entries_in_memory(&self) -> u64 {
        let changed: u64 = self.disks.iter().map(|disk| disk.changed().entries()).sum();
        self.in_memory.iter().map(Tmpfs::entries).sum::<u64>() + changed
    }

    /// The file system in memory that has a file.
    fn tmpfs(&self, fs: FileSystemId) -> Result<&Tmpfs, Errno> {
        match self.in_memory.get(fs) {
            Some(tmpfs) => Ok(tmpfs),
            None => self.disks.get(fs).map(Overlay::changed).map_err(|_| Errno::EINVAL),
        }
    }
}

/// EPERM for files that can't be changed.
fn check_changeable(fs: FileSystemId) -> Result<(), Errno> {
    if fs.is_on_disk() || matches!(fs, TMP | SHM) || fs.is_mounted() { Ok(()) } else { Err(Errno::EPERM) }
}
