//! System calls that find, make, remove and move names.

use super::{Opened, PROC, SHM, SYS, Vfs, check_changeable};
use crate::anonymous::Notice;
use crate::permission::{EXECUTE, GROUP_EXECUTE, PERMISSIONS, READ, SET_GROUP, WRITE};
use crate::tmpfs::{NewFile, Tmpfs};
use crate::{
    Errno, FileId, FileSystemId, FileType, Inode, LastLink, Location, Object, OpenFile, OpenFlags, Seals,
};
use abi::CapSet;
use alloc::rc::Rc;

/// What becomes of a file that has the name already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RenameAs {
    /// It loses it.
    Any,
    /// It must not be there (RENAME_NOREPLACE).
    New,
    /// It gets the other name (RENAME_EXCHANGE).
    Exchanged,
}

impl Vfs {
    /// `openat`. `mode` holds the permission bits for a new file, umask already applied. Truncates for `O_TRUNC`.
    pub fn open(&mut self, at: &Location, path: &[u8], flags: OpenFlags, mode: u32) -> Result<Opened, Errno> {
        let flags = if flags.contains(OpenFlags::PATH) { flags & OpenFlags::WITH_PATH } else { flags };
        if flags.contains(OpenFlags::TMPFILE) {
            return self.open_nameless(at, path, flags, mode).map(Opened::New);
        }
        let creates = flags.contains(OpenFlags::CREAT);
        if creates && flags.contains(OpenFlags::DIRECTORY) {
            return Err(Errno::EINVAL);
        }
        let is_exclusive = creates && flags.contains(OpenFlags::EXCL);
        let keeps_link = flags.contains(OpenFlags::NOFOLLOW) || is_exclusive;
        let walked = match path {
            [.., b'/'] if creates => self.walk_to_name(at, path)?,
            _ => self.walk(at, path, if keeps_link { LastLink::Keep } else { LastLink::Follow })?,
        };
        if creates && walked.wants_dir && !matches!(walked.name.as_slice(), b"" | b"." | b"..") {
            return Err(Errno::EISDIR);
        }
        let (target, path, dir) = match walked.own_descriptor {
            None => {
                let dir = walked.found_in();
                (walked.target, Rc::new(walked.path), dir)
            }
            Some(descriptor) => match self.behind(descriptor, walked.wants_dir)? {
                None => return Ok(Opened::SameAs(descriptor)),
                Some(location) => (Some(location.inode), location.path, location.dir),
            },
        };
        // As in Linux, what is new is not truncated.
        let flags = if target.is_none() { flags - OpenFlags::TRUNC } else { flags };
        let inode = match target {
            Some(_) if is_exclusive => return Err(Errno::EEXIST),
            Some(found) if creates && found.is_dir() => return Err(Errno::EISDIR),
            Some(found) => {
                self.check_open(&found, flags)?;
                found
            }
            None if !creates => return Err(Errno::ENOENT),
            None => self.create(&walked.dir, &walked.name, NewFile::Regular { mode })?,
        };
        let inode = self.pinned(inode);
        if inode.file_type == FileType::Fifo && !flags.contains(OpenFlags::PATH) {
            if flags.contains(OpenFlags::DIRECTORY) {
                return Err(Errno::ENOTDIR);
            }
            return Ok(Opened::Fifo(Location { inode, path, dir }));
        }
        let location = Location { inode, path, dir };
        let opened = self.open_found(location.clone(), flags)?;
        if !flags.contains(OpenFlags::PATH) {
            self.happenings.of_location(&location, Notice::OPEN);
        }
        if flags.contains(OpenFlags::TRUNC) {
            self.happenings.of_location(&location, Notice::MODIFY);
        }
        Ok(Opened::New(opened))
    }

    /// Whether a file that is there may be opened like this, as far as permissions go.
    fn check_open(&mut self, file: &Inode, flags: OpenFlags) -> Result<(), Errno> {
        let writes = flags.is_writable() || flags.contains(OpenFlags::TRUNC);
        // What fails for another reason does so later.
        if flags.contains(OpenFlags::PATH) || file.file_type == FileType::Symlink || file.is_dir() && writes {
            return Ok(());
        }
        let wanted = if flags.is_readable() { READ } else { 0 } | if writes { WRITE } else { 0 };
        self.check(file, wanted)?;
        if flags.contains(OpenFlags::NOATIME) { self.check_owner(file) } else { Ok(()) }
    }

    /// EPERM unless the file is one's own.
    pub fn check_owner(&mut self, file: &Inode) -> Result<(), Errno> {
        if self.identity().owns(&self.stat(file)?) { Ok(()) } else { Err(Errno::EPERM) }
    }

    /// `O_TMPFILE`: a new file in a directory, without a name; unless `O_EXCL` is said, it may be given one.
    fn open_nameless(
        &mut self,
        at: &Location,
        path: &[u8],
        flags: OpenFlags,
        mode: u32,
    ) -> Result<OpenFile, Errno> {
        if !flags.is_writable() || flags.contains(OpenFlags::CREAT) {
            return Err(Errno::EINVAL);
        }
        let location = self.resolve(at, path, LastLink::Follow)?;
        let dir = location.inode;
        if !dir.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        let (fs, now, who) = (dir.id.fs, self.info.now(), self.identity());
        check_changeable(fs).map_err(|_| Errno::EOPNOTSUPP)?;
        self.check_room(fs)?;
        self.check(&dir, WRITE | EXECUTE)?;
        let is_linkable = !flags.contains(OpenFlags::EXCL);
        let tmpfs = self.changing([dir.id])?;
        let ino = tmpfs.create_nameless(mode, now, is_linkable);
        tmpfs.set_owner(ino, Some(who.user), Some(who.group), now)?;
        let inode = self.inode(FileId { fs, ino })?;
        let mut path = location.path.to_vec();
        path.extend_from_slice(alloc::format!("/#{ino}").as_bytes());
        let location = Location { inode: inode.clone(), path: Rc::new(path), dir: None };
        let flags = flags - (OpenFlags::DIRECTORY | OpenFlags::CREAT | OpenFlags::EXCL);
        let writing = inode.use_for_writing()?;
        Ok(OpenFile { writing, ..OpenFile::new(Object::Memory(inode), Some(location), flags) })
    }

    /// `memfd_create`: a file in memory that has no name but `/memfd:NAME (deleted)` in `/proc`.
    pub fn create_nameless(&mut self, name: &[u8], mode: u32, seals: Seals) -> Result<OpenFile, Errno> {
        let now = self.info.now();
        self.check_room(SHM)?;
        let shm = self.changing([FileId { fs: SHM, ino: Tmpfs::EMPTY_ROOT }])?;
        let ino = shm.create_nameless(mode, now, false);
        let (file_type, pin) = shm.handle(ino)?;
        let inode = Inode { id: FileId { fs: SHM, ino }, file_type, pin: Some(pin) };
        inode.set_seals(seals);
        let path = Rc::new([b"/memfd:".as_slice(), name, b" (deleted)"].concat());
        let location = Location { inode: inode.clone(), path, dir: None };
        // As in Linux, this first descriptor does not keep it from being executed.
        Ok(OpenFile::new(Object::Memory(inode), Some(location), OpenFlags::RDWR))
    }

    /// `mkdirat`.
    pub fn mkdir(&mut self, at: &Location, path: &[u8], mode: u32) -> Result<(), Errno> {
        let (dir, name) = self.new_name(at, path, true)?;
        self.create(&dir, &name, NewFile::Directory { mode }).map(|_| ())
    }

    /// Makes the file that a socket of AF_UNIX has as its name. EADDRINUSE if there is one.
    pub fn make_socket(&mut self, at: &Location, path: &[u8], mode: u32) -> Result<Inode, Errno> {
        let file = NewFile::Special { file_type: FileType::Socket, mode, rdev: 0 };
        let made = self.new_name(at, path, false).and_then(|(dir, name)| self.create(&dir, &name, file));
        made.map_err(|error| if error == Errno::EEXIST { Errno::EADDRINUSE } else { error })
    }

    /// The socket file at a path that the caller wants to send to. ECONNREFUSED if it is another file, EACCES unless it may write it.
    pub fn find_socket(&mut self, at: &Location, path: &[u8]) -> Result<Inode, Errno> {
        let inode = self.resolve(at, path, LastLink::Follow)?.inode;
        self.check(&inode, WRITE)?;
        if inode.file_type() == FileType::Socket { Ok(inode) } else { Err(Errno::ECONNREFUSED) }
    }

    /// `mknodat`: a file that is neither a directory nor a link. Only root makes devices.
    pub fn make_node(
        &mut self,
        at: &Location,
        path: &[u8],
        file_type: FileType,
        mode: u32,
        rdev: u64,
    ) -> Result<(), Errno> {
        let is_device = matches!(file_type, FileType::CharDevice | FileType::BlockDevice);
        let (dir, name) = self.new_name(at, path, false)?;
        self.check(&dir, WRITE | EXECUTE)?;
        if is_device && !self.identity().can(CapSet::MKNOD) {
            return Err(Errno::EPERM);
        }
        let rdev = if is_device { rdev } else { 0 };
        let file = match file_type {
            FileType::Regular => NewFile::Regular { mode },
            _ => NewFile::Special { file_type, mode, rdev },
        };
        self.create(&dir, &name, file).map(|_| ())
    }

    /// `symlinkat`.
    pub fn symlink(&mut self, target: &[u8], at: &Location, path: &[u8]) -> Result<(), Errno> {
        if target.is_empty() {
            return Err(Errno::ENOENT);
        }
        let (dir, name) = self.new_name(at, path, false)?;
        self.create(&dir, &name, NewFile::Symlink { target }).map(|_| ())
    }

    /// `linkat` to an already resolved file.
    pub fn link(&mut self, file: &Inode, at: &Location, path: &[u8]) -> Result<(), Errno> {
        let (dir, name) = self.new_name(at, path, false)?;
        if file.id.fs != dir.id.fs {
            return Err(Errno::EXDEV);
        }
        self.check_room(dir.id.fs)?;
        self.check(&dir, WRITE | EXECUTE)?;
        let now = self.info.now();
        self.changing([file.id, dir.id])?.link(file.id.ino, dir.id.ino, &name, now)?;
        self.happenings.of_file(file.id, Notice::ATTRIB);
        self.happenings.of_name(dir.id, &name, file, Notice::CREATE, 0);
        Ok(())
    }

    /// `unlinkat` without `AT_REMOVEDIR`.
    pub fn unlink(&mut self, at: &Location, path: &[u8]) -> Result<(), Errno> {
        let (dir, name, wants_dir) = self.existing_name(at, path)?;
        if matches!(name.as_slice(), b"" | b"." | b"..") {
            return Err(Errno::EISDIR);
        }
        let target = self.child(&dir, &name)?;
        if target.is_dir() {
            return Err(Errno::EISDIR);
        }
        if wants_dir {
            return Err(Errno::ENOTDIR);
        }
        if self.mounts.is_root(target.id) {
            return Err(Errno::EBUSY);
        }
        check_changeable(dir.id.fs)?;
        self.check_removal(&dir, &target)?;
        let now = self.info.now();
        self.changing([target.id, dir.id])?.unlink(dir.id.ino, &name, now)?;
        self.happenings.of_file(target.id, Notice::ATTRIB);
        self.lose_name(&dir, &name, target);
        Ok(())
    }

    /// `unlinkat` with `AT_REMOVEDIR`.
    pub fn rmdir(&mut self, at: &Location, path: &[u8]) -> Result<(), Errno> {
        let (dir, name, _) = self.existing_name(at, path)?;
        match name.as_slice() {
            b"" => return Err(Errno::EBUSY),
            b"." => return Err(Errno::EINVAL),
            b".." => return Err(Errno::ENOTEMPTY),
            _ => {}
        }
        let target = self.child(&dir, &name)?;
        if !target.is_dir() {
            return Err(Errno::ENOTDIR);
        }
        if self.mounts.is_root(target.id) {
            return Err(Errno::EBUSY);
        }
        if self.mounts.are_in(target.id) {
            return Err(Errno::ENOTEMPTY);
        }
        check_changeable(dir.id.fs)?;
        self.check_removal(&dir, &target)?;
        let now = self.info.now();
        self.changing([target.id, dir.id])?.rmdir(dir.id.ino, &name, now)?;
        self.lose_name(&dir, &name, target);
        Ok(())
    }

    /// A name is gone, and its file with it, if nobody has another handle on it than this one.
    fn lose_name(&mut self, dir: &Inode, name: &[u8], target: Inode) {
        let without_handle = Inode { id: target.id, file_type: target.file_type, pin: None };
        drop(target);
        self.reap();
        self.happenings.of_name(dir.id, name, &without_handle, Notice::DELETE, 0);
    }

    /// `renameat2`.
    pub fn rename(
        &mut self,
        from_at: &Location,
        from: &[u8],
        to_at: &Location,
        to: &[u8],
        how: RenameAs,
    ) -> Result<(), Errno> {
        let (from_dir, from_name, from_wants_dir) = self.existing_name(from_at, from)?;
        let (to_dir, to_name, to_wants_dir) = self.existing_name(to_at, to)?;
        if from_dir.id.fs != to_dir.id.fs {
            return Err(Errno::EXDEV);
        }
        let is_everywhere = |name: &[u8]| matches!(name, b"" | b"." | b"..");
        if is_everywhere(&from_name) || is_everywhere(&to_name) && how != RenameAs::New {
            return Err(Errno::EBUSY);
        }
        if is_everywhere(&to_name) {
            return Err(Errno::EEXIST);
        }
        let moved = self.child(&from_dir, &from_name)?;
        if !moved.is_dir() && (from_wants_dir || to_wants_dir) {
            return Err(Errno::ENOTDIR);
        }
        let replaced = self.child(&to_dir, &to_name);
        let is_mount = |inode: &Inode| inode.id.fs != from_dir.id.fs;
        match &replaced {
            Ok(_) if how == RenameAs::New => return Err(Errno::EEXIST),
            Ok(replaced) if is_mount(replaced) => return Err(Errno::EBUSY),
            Err(Errno::ENOENT) if how == RenameAs::Exchanged => return Err(Errno::ENOENT),
            Ok(_) | Err(Errno::ENOENT) if is_mount(&moved) => return Err(Errno::EBUSY),
            Ok(_) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(*errno),
        }
        check_changeable(from_dir.id.fs)?;
        self.check_removal(&from_dir, &moved)?;
        match &replaced {
            Ok(replaced) => self.check_removal(&to_dir, replaced)?,
            Err(_) => self.check(&to_dir, WRITE | EXECUTE)?,
        }
        if how == RenameAs::Exchanged
            && let Ok(other) = replaced
        {
            return self.exchange((from_dir, &from_name, moved), (to_dir, &to_name, other));
        }
        let replaced = replaced.ok().map(|replaced| replaced.id);
        if let Some(replaced) = replaced {
            self.changing([replaced])?;
        }
        if moved.is_dir() && from_dir != to_dir {
            self.adopt_above(&to_dir)?;
        }
        let now = self.info.now();
        let (from, to) = ((from_dir.id.ino, from_name.as_slice()), (to_dir.id.ino, to_name.as_slice()));
        self.changing([moved.id, to_dir.id, from_dir.id])?.rename(from, to, now)?;
        if replaced == Some(moved.id) {
            // Two names of one file: nothing has moved.
            return Ok(());
        }
        self.note_move((&from_dir, &from_name), (&to_dir, &to_name), &moved);
        if let Some(replaced) = replaced {
            self.happenings.of_file(replaced, Notice::ATTRIB);
        }
        self.happenings.of_file(moved.id, Notice::MOVE_SELF);
        self.reap();
        Ok(())
    }

    /// Two names change places.
    fn exchange(&mut self, a: (Inode, &[u8], Inode), b: (Inode, &[u8], Inode)) -> Result<(), Errno> {
        if a.0 != b.0 {
            for (moved, dir) in [(&a.2, &b.0), (&b.2, &a.0)] {
                if moved.is_dir() {
                    self.adopt_above(dir)?;
                }
            }
        }
        let now = self.info.now();
        self.changing([b.2.id])?;
        self.changing([a.2.id, b.0.id, a.0.id])?.exchange((a.0.id.ino, a.1), (b.0.id.ino, b.1), now)?;
        self.note_move((&a.0, a.1), (&b.0, b.1), &a.2);
        self.happenings.of_file(a.2.id, Notice::MOVE_SELF);
        self.note_move((&b.0, b.1), (&a.0, a.1), &b.2);
        self.happenings.of_file(b.2.id, Notice::MOVE_SELF);
        Ok(())
    }

    fn note_move(&mut self, from: (&Inode, &[u8]), to: (&Inode, &[u8]), moved: &Inode) {
        let cookie = self.happenings.next_move();
        self.happenings.of_name(from.0.id, from.1, moved, Notice::MOVED_FROM, cookie);
        self.happenings.of_name(to.0.id, to.1, moved, Notice::MOVED_TO, cookie);
    }

    /// Whether a file system takes a new name. ENOSPC if there are as many as there may be pages in memory: names lie in the kernel's, and
    /// Linux bounds the number of tmpfs's files likewise.
    fn check_room(&mut self, fs: FileSystemId) -> Result<(), Errno> {
        let is_full = self.entries_in_memory() >= self.contents.capacity_pages().0;
        if matches!(fs, PROC | SYS) {
            // As in Linux: no name can be looked for that is not there.
            return Err(Errno::ENOENT);
        }
        check_changeable(fs)?;
        self.check_writable(fs)?;
        if is_full { Err(Errno::ENOSPC) } else { Ok(()) }
    }

    fn create(&mut self, dir: &Inode, name: &[u8], file: NewFile<'_>) -> Result<Inode, Errno> {
        let (fs, now, who) = (dir.id.fs, self.info.now(), self.identity());
        self.check_room(fs)?;
        self.check(dir, WRITE | EXECUTE)?;
        let (parent, is_dir) = (self.stat(dir)?, matches!(file, NewFile::Directory { .. }));
        let tmpfs = self.changing([dir.id])?;
        let ino = tmpfs.create(dir.id.ino, name, file, now)?;
        let inherits = parent.mode & SET_GROUP != 0;
        tmpfs.set_owner(ino, Some(who.user), Some(if inherits { parent.gid } else { who.group }), now)?;
        let inode = self.inode(FileId { fs, ino })?;
        if inherits {
            let mode = self.stat(&inode)?.mode & PERMISSIONS;
            // A file that acts as a group is for the group's members to make.
            let is_foreign = !who.can(CapSet::FSETID) && !who.is_in(parent.gid) && mode & GROUP_EXECUTE != 0;
            let mode = match is_dir {
                true => mode | SET_GROUP,
                false if is_foreign => mode & !SET_GROUP,
                false => mode,
            };
            self.changing([inode.id])?.set_mode(ino, mode, now)?;
        }
        self.happenings.of_name(dir.id, name, &inode, Notice::CREATE, 0);
        Ok(inode)
    }
}
