//! Path resolution (path_resolution(7)): components, `.` and `..`, symbolic links, mount points.

use super::{DEV, PROC, SYS, Vfs};
use crate::permission::EXECUTE;
use crate::{Errno, FileId, Inode, Location, devfs, procfs};
use alloc::borrow::Cow;
use alloc::rc::Rc;
use alloc::vec::Vec;

/// Symbolic links followed in one resolution before it fails with ELOOP.
const MAX_LINKS: u32 = 40;
/// Longest path that a system call takes, its NUL included.
const PATH_MAX: usize = 4096;
const NAME_MAX: usize = 255;

/// What path resolution does when the last component is a symbolic link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LastLink {
    /// Go where it points.
    Follow,
    /// Name the link itself.
    Keep,
}

/// What a path leads to.
#[derive(Debug)]
pub enum Resolved {
    /// A file.
    File(Location),
    /// What the caller has open under this descriptor, which has no path: a pipe, a socket, a stream of the host's (`/dev/stdin`).
    Descriptor(u32),
}

/// Where a path leads.
pub(super) struct Walked {
    /// The directory that holds the last component.
    pub(super) dir: Inode,
    /// The last component; `.` or `..` as written, empty for the root.
    pub(super) name: Vec<u8>,
    /// What it names; `None` when only this last component is missing.
    pub(super) target: Option<Inode>,
    /// The absolute path of the target, or of where it would be.
    pub(super) path: Vec<u8>,
    /// The path ends in a slash, so that only a directory will do.
    pub(super) wants_dir: bool,
    /// The path ends in a link to the caller's own open descriptor; `target` is then the link.
    pub(super) own_descriptor: Option<u32>,
}

impl Walked {
    /// The directory whose name the last component is; `.`, `..` and the root are nobody's.
    pub(super) fn found_in(&self) -> Option<FileId> {
        (!matches!(self.name.as_slice(), b"" | b"." | b"..")).then_some(self.dir.id)
    }
}

/// Adds a component to an absolute path, which may become longer than any path that a call takes. ENOMEM.
fn push_component(path: &mut Vec<u8>, name: &[u8]) -> Result<(), Errno> {
    path.try_reserve(1 + name.len()).map_err(|_| Errno::ENOMEM)?;
    if path.last() != Some(&b'/') {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    Ok(())
}

impl Vfs {
    /// Resolves `path`, from `at` unless it is absolute. ELOOP after 40 symbolic links. ENOENT for what has no path, as a pipe.
    pub fn resolve(&mut self, at: &Location, path: &[u8], last: LastLink) -> Result<Location, Errno> {
        match self.resolve_any(at, path, last)? {
            Resolved::File(location) => Ok(location),
            Resolved::Descriptor(_) => Err(Errno::ENOENT),
        }
    }

    /// As [`Vfs::resolve`]; the path may lead to one's own descriptor of what has none.
    pub fn resolve_any(&mut self, at: &Location, path: &[u8], last: LastLink) -> Result<Resolved, Errno> {
        let walked = self.walk(at, path, last)?;
        if let Some(descriptor) = walked.own_descriptor {
            let found = self.behind(descriptor, walked.wants_dir)?;
            return Ok(found.map_or(Resolved::Descriptor(descriptor), Resolved::File));
        }
        let dir = walked.found_in();
        let inode = walked.target.ok_or(Errno::ENOENT)?;
        Ok(Resolved::File(Location { inode: self.pinned(inode), path: Rc::new(walked.path), dir }))
    }

    /// Resolves all but the last component for sure, and that one as far as it exists.
    pub(super) fn walk(&mut self, at: &Location, path: &[u8], last: LastLink) -> Result<Walked, Errno> {
        match path.len() {
            0 => return Err(Errno::ENOENT),
            len if len >= PATH_MAX => return Err(Errno::ENAMETOOLONG),
            _ => {}
        }
        let (mut here, start) = match path[0] {
            b'/' => (self.root_inode(), b"/".as_slice()),
            _ => (at.inode.clone(), at.path.as_slice()),
        };
        let who = if self.overrides() { None } else { Some(self.identity()) };
        let mut here_path = Vec::new();
        // Room for all that the components add, unless a link makes it longer.
        here_path.try_reserve_exact(start.len() + 1 + path.len()).map_err(|_| Errno::ENOMEM)?;
        here_path.extend_from_slice(start);
        let mut rest = Cow::Borrowed(path);
        let (mut position, mut links) = (0, 0);
        loop {
            let Some(Component { name, after, is_last, wants_dir }) = next_component(&rest[position..])
            else {
                let (dir, target) = (here.clone(), Some(here));
                let (name, own_descriptor) = (Vec::new(), None);
                return Ok(Walked { dir, name, target, path: here_path, wants_dir: true, own_descriptor });
            };
            if !here.is_dir() {
                return Err(Errno::ENOTDIR);
            }
            if let Some(who) = &who {
                who.check(&self.stat(&here)?, EXECUTE)?;
            }
            let done = |dir, target, path, own_descriptor| {
                Ok(Walked { dir, name: name.to_vec(), target, path, wants_dir, own_descriptor })
            };
            if name == b"." || name == b".." {
                let next = if name == b"." { here.clone() } else { self.parent(here.id)? };
                if name == b".." {
                    let slash = here_path.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
                    here_path.truncate(slash.max(1));
                }
                if is_last {
                    return done(here, Some(next), here_path, None);
                }
                here = next;
                position = rest.len() - after.len();
                continue;
            }
            let inode = match self.child(&here, name) {
                Ok(inode) => inode,
                Err(Errno::ENOENT) if is_last => {
                    push_component(&mut here_path, name)?;
                    return done(here, None, here_path, None);
                }
                Err(errno) => return Err(errno),
            };
            let is_link = inode.file_type() == crate::FileType::Symlink;
            if is_link && (!is_last || wants_dir || last == LastLink::Follow) {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Errno::ELOOP);
                }
                if is_last && let Some(descriptor) = self.own_descriptor(&inode) {
                    push_component(&mut here_path, name)?;
                    return done(here, Some(inode), here_path, Some(descriptor));
                }
                let mut target = self.readlink(&inode)?;
                if target.is_empty() {
                    return Err(Errno::ENOENT);
                }
                if target[0] == b'/' {
                    here = self.root_inode();
                    here_path.truncate(1);
                }
                // `after` keeps its slashes, so that a trailing one still asks for a directory. Links to links may make it long.
                target.try_reserve_exact(after.len()).map_err(|_| Errno::ENOMEM)?;
                target.extend_from_slice(after);
                rest = Cow::Owned(target);
                position = 0;
                continue;
            }
            push_component(&mut here_path, name)?;
            if !is_last {
                here = inode;
                position = rest.len() - after.len();
                continue;
            }
            if wants_dir && !inode.is_dir() {
                return Err(Errno::ENOTDIR);
            }
            return done(here, Some(inode), here_path, None);
        }
    }

    /// For calls that make a name: the directory and the name, EEXIST when it is there. A trailing slash is for
    /// directories only.
    pub(super) fn new_name(
        &mut self,
        at: &Location,
        path: &[u8],
        is_dir: bool,
    ) -> Result<(Inode, Vec<u8>), Errno> {
        let walked = self.walk_to_name(at, path)?;
        match walked.target {
            Some(_) => Err(Errno::EEXIST),
            None if walked.wants_dir && !is_dir => Err(Errno::ENOENT),
            None => Ok((walked.dir, walked.name)),
        }
    }

    /// For calls that remove or move a name: the directory, the name (not followed), and whether it ended in a slash.
    /// On a read-only file system a name that is there gives EROFS.
    pub(super) fn existing_name(
        &mut self,
        at: &Location,
        path: &[u8],
    ) -> Result<(Inode, Vec<u8>, bool), Errno> {
        let walked = self.walk_to_name(at, path)?;
        Ok((walked.dir, walked.name, walked.wants_dir))
    }

    /// Like [`Vfs::walk`], but a link in the last place is kept even if a slash follows it.
    pub(super) fn walk_to_name(&mut self, at: &Location, path: &[u8]) -> Result<Walked, Errno> {
        let trimmed = path.len() - path.iter().rev().take_while(|&&byte| byte == b'/').count();
        if trimmed == 0 {
            return self.walk(at, path, LastLink::Keep);
        }
        let mut walked = self.walk(at, &path[..trimmed], LastLink::Keep)?;
        walked.wants_dir |= trimmed < path.len();
        Ok(walked)
    }

    /// The file `name` in directory `dir`, mount points crossed.
    pub(super) fn child(&mut self, dir: &Inode, name: &[u8]) -> Result<Inode, Errno> {
        if name.len() > NAME_MAX {
            return Err(Errno::ENAMETOOLONG);
        }
        let id = match self.mounts.covering(dir.id, name) {
            Some(root) => root,
            None => FileId { fs: dir.id.fs, ino: self.lookup(dir.id, name)? },
        };
        self.inode(id)
    }

    /// Whether the file system that holds `dir` has `name` itself, mounts aside.
    pub(super) fn exists_below(&mut self, dir: &Inode, name: &[u8]) -> Result<bool, Errno> {
        match self.lookup(dir.id, name) {
            Ok(_) => Ok(true),
            Err(Errno::ENOENT) => Ok(false),
            Err(errno) => Err(errno),
        }
    }

    /// The directory above; above the root is the root.
    pub(super) fn parent(&mut self, id: FileId) -> Result<Inode, Errno> {
        let root = self.root_inode();
        if id == root.id {
            return Ok(root);
        }
        let parent = match self.mounts.above(id) {
            Some(parent) => parent,
            None => FileId { fs: id.fs, ino: self.lookup(id, b"..")? },
        };
        self.inode(parent)
    }

    fn lookup(&mut self, dir: FileId, name: &[u8]) -> Result<u64, Errno> {
        match dir.fs {
            fs if fs.is_on_disk() => self.disks.get_mut(fs)?.lookup(dir.ino, name),
            DEV => devfs::lookup(dir.ino, name, &*self.info),
            PROC | SYS => procfs::lookup(dir.ino, name, &*self.info),
            fs => self.tmpfs(fs)?.lookup(dir.ino, name),
        }
    }

    /// A handle on a file; of one on the disk it does not keep it ([`Vfs::pinned`]).
    pub(super) fn inode(&mut self, id: FileId) -> Result<Inode, Errno> {
        let (file_type, pin) = match id.fs {
            fs if fs.is_on_disk() => (self.disks.get_mut(fs)?.file_type(id.ino)?, None),
            DEV => (devfs::file_type(id.ino)?, None),
            PROC | SYS => (procfs::file_type(id.ino)?, None),
            fs => {
                let (file_type, pin) = self.tmpfs(fs)?.handle(id.ino)?;
                (file_type, Some(pin))
            }
        };
        Ok(Inode { id, file_type, pin })
    }

    /// The handle, one that keeps the file.
    pub(super) fn pinned(&mut self, inode: Inode) -> Inode {
        match self.disks.get_mut(inode.id.fs) {
            Ok(disk) => Inode { pin: Some(disk.pin(inode.id.ino)), ..inode },
            Err(_) => inode,
        }
    }

    /// The file behind one's own descriptor itself, whatever its path leads to by now; pipes and streams are none.
    pub(super) fn behind(&self, descriptor: u32, wants_dir: bool) -> Result<Option<Location>, Errno> {
        let location = self.info.location(descriptor);
        let is_wrong = |location: &Location| wants_dir && !location.inode.is_dir();
        if location.as_ref().is_some_and(is_wrong) { Err(Errno::ENOTDIR) } else { Ok(location) }
    }

    fn own_descriptor(&self, inode: &Inode) -> Option<u32> {
        (inode.id.fs == PROC).then(|| procfs::own_descriptor(inode.id.ino, &*self.info)).flatten()
    }
}

/// One step of a path.
struct Component<'a> {
    name: &'a [u8],
    /// What follows the name, its slashes included.
    after: &'a [u8],
    /// Nothing but slashes follows.
    is_last: bool,
    /// Something follows, if only a slash.
    wants_dir: bool,
}

fn next_component(path: &[u8]) -> Option<Component<'_>> {
    let start = path.iter().position(|&byte| byte != b'/')?;
    let path = &path[start..];
    let end = path.iter().position(|&byte| byte == b'/').unwrap_or(path.len());
    let (name, after) = path.split_at(end);
    let is_last = after.iter().all(|&byte| byte == b'/');
    Some(Component { name, after, is_last, wants_dir: !after.is_empty() })
}
