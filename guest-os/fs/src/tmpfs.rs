//! tmpfs: the names and attributes of files that live in memory. Their contents are in a [`FileMemory`]. (What has changed of the root
//! is kept in one, too: [`Tmpfs::over`].)
//!
//! A file is freed when it has neither a name nor a handle: each node holds an `Arc` whose clones are the
//! [`crate::Inode`] handles, and nameless nodes whose `Arc` is alone are reaped.

use crate::anonymous::{Happenings, Notice};
use crate::inode::Pin;
use crate::permission::PERMISSIONS;
use crate::xattr::Attributes;
use crate::{DirEntry, Errno, FileId, FileMemory, FileSystemId, FileType, Stat, StatFs, Timestamp};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

const ROOT: u64 = 1;
/// Links to one file; far above what a test tries, far below what overflows `u32`.
const LINK_MAX: u32 = 65_000;
const NAME_MAX: usize = 255;
const PAGE: u64 = isa::addr::PAGE_SIZE;
/// The cookies of `.` and `..`; entries count on from here.
const FIRST_COOKIE: u64 = 2;
/// Where a directory that lists its newest name first has the name with cookie 0; far above what is counted to.
const END_OF_NEWEST_FIRST: u64 = 1 << 61;

/// A name in a directory.
#[derive(Debug)]
struct Entry {
    name: Vec<u8>,
    ino: u64,
    file_type: FileType,
}

/// A directory: names in the order of creation, so that reading it while names come and go skips none that stays.
#[derive(Debug)]
pub(crate) struct Directory {
    parent: u64,
    entries: BTreeMap<u64, Entry>,
    cookies: BTreeMap<Vec<u8>, u64>,
    next_cookie: u64,
}

#[derive(Debug)]
enum Body {
    File,
    Directory(Directory),
    Symlink(Vec<u8>),
    /// A pipe, a socket or a device, and the number of that.
    Special(FileType, u64),
}

#[derive(Debug)]
struct Node {
    body: Body,
    mode: u32,
    uid: u32,
    gid: u32,
    nlink: u32,
    atime: Timestamp,
    mtime: Timestamp,
    ctime: Timestamp,
    btime: Option<Timestamp>,
    /// It was made without a name and may be given one.
    is_linkable: bool,
    /// Extended attributes.
    attributes: Attributes,
    /// Units of 512 bytes that an adopted file has below.
    blocks_below: u64,
    pin: Pin,
}

impl Node {
    fn new(body: Body, mode: u32, nlink: u32, now: Timestamp) -> Node {
        let (pin, btime) = (Pin::default(), Some(now));
        let (uid, gid, blocks_below) = (0, 0, 0);
        let (is_linkable, attributes) = (false, Attributes::default());
        Node {
            body,
            mode,
            uid,
            gid,
            nlink,
            atime: now,
            mtime: now,
            ctime: now,
            btime,
            is_linkable,
            attributes,
            blocks_below,
            pin,
        }
    }

    fn file_type(&self) -> FileType {
        match self.body {
            Body::File => FileType::Regular,
            Body::Directory(_) => FileType::Directory,
            Body::Symlink(_) => FileType::Symlink,
            Body::Special(file_type, _) => file_type,
        }
    }

    fn is_file(&self) -> bool {
        matches!(self.body, Body::File)
    }

    fn changed(&mut self, now: Timestamp) {
        self.mtime = now;
        self.ctime = now;
    }
}

impl Directory {
    pub(crate) fn new(parent: u64) -> Directory {
        let (entries, cookies) = (BTreeMap::new(), BTreeMap::new());
        Directory { parent, entries, cookies, next_cookie: FIRST_COOKIE }
    }
    fn get(&self, name: &[u8]) -> Option<u64> {
        self.cookies.get(name).and_then(|cookie| self.entries.get(cookie)).map(|entry| entry.ino)
    }
    pub(crate) fn insert(&mut self, name: &[u8], ino: u64, file_type: FileType) {
        self.cookies.insert(name.to_vec(), self.next_cookie);
        self.entries.insert(self.next_cookie, Entry { name: name.to_vec(), ino, file_type });
        self.next_cookie += 1;
    }
    fn remove(&mut self, name: &[u8]) {
        if let Some(cookie) = self.cookies.remove(name) {
            self.entries.remove(&cookie);
        }
    }
}

/// What a new name leads to.
pub(crate) enum NewFile<'a> {
    Regular { mode: u32 },
    Directory { mode: u32 },
    Symlink { target: &'a [u8] },
    Special { file_type: FileType, mode: u32, rdev: u64 },
}

/// What a file of the file system below is.
pub(crate) enum Adopted {
    File,
    /// With names that may lead to files which stay below.
    Directory(Directory),
    Symlink(Vec<u8>),
    Special(FileType),
}

/// A file system in memory.
pub(crate) struct Tmpfs {
    id: FileSystemId,
    root: u64,
    /// As Linux' tmpfs lists them. Names that come from a disk keep their order.
    lists_newest_first: bool,
    nodes: BTreeMap<u64, Box<Node>>,
    /// Nodes without a name.
    orphans: BTreeSet<u64>,
    next_ino: u64,
    /// Names in all directories; those of adopted ones, when they were.
    names: u64,
    adopted_names: u64,
}

impl Tmpfs {
    /// The root of each that was [`new`](Tmpfs::new).
    pub(crate) const EMPTY_ROOT: u64 = ROOT;

    /// An empty file system; its root may be written by everyone, as `/tmp` is.
    pub(crate) fn new(id: FileSystemId, now: Timestamp) -> Tmpfs {
        let root = Node::new(Body::Directory(Directory::new(ROOT)), 0o1777, 2, now);
        Tmpfs {
            lists_newest_first: true,
            nodes: BTreeMap::from([(ROOT, Box::new(root))]),
            ..Self::over(id, ROOT, ROOT + 1)
        }
    }

    /// What lies over another file system, whose root is `root` and which has no inode from `next_ino` on: nothing, until files are
    /// [adopted](Tmpfs::adopt).
    pub(crate) fn over(id: FileSystemId, root: u64, next_ino: u64) -> Tmpfs {
        Tmpfs {
            id,
            root,
            lists_newest_first: false,
            nodes: BTreeMap::new(),
            orphans: BTreeSet::new(),
            next_ino,
            names: 0,
            adopted_names: 0,
        }
    }

    pub(crate) fn root(&self) -> u64 {
        self.root
    }

    pub(crate) fn id(&self) -> FileSystemId {
        self.id
    }

    /// Whether it has a file with this number.
    pub(crate) fn has(&self, ino: u64) -> bool {
        self.nodes.contains_key(&ino)
    }

    /// The first file from number `from` on that has a name.
    pub(crate) fn next_named(&self, from: u64) -> Option<u64> {
        self.nodes.range(from..).find(|(_, node)| node.nlink > 0).map(|(&ino, _)| ino)
    }

    /// Takes over a file of the file system below, with these attributes.
    pub(crate) fn adopt(&mut self, stat: &Stat, body: Adopted, pin: Pin) {
        let body = match body {
            Adopted::File => Body::File,
            Adopted::Symlink(target) => Body::Symlink(target),
            Adopted::Special(file_type) => Body::Special(file_type, stat.rdev),
            Adopted::Directory(directory) => {
                self.names += directory.entries.len() as u64;
                self.adopted_names += directory.entries.len() as u64;
                Body::Directory(directory)
            }
        };
        let Stat { uid, gid, nlink, atime, mtime, ctime, btime, blocks: blocks_below, .. } = *stat;
        let mode = stat.mode & PERMISSIONS;
        let new = Node::new(body, mode, nlink, ctime);
        let node = Node { uid, gid, atime, mtime, btime, blocks_below, pin, ..new };
        let before = self.nodes.insert(stat.ino, Box::new(node));
        assert!(before.is_none(), "inode {} is adopted twice", stat.ino);
    }

    /// What it keeps in the kernel's own memory: names, links, and files that have lost theirs.
    pub(crate) fn entries(&self) -> u64 {
        (self.names + self.orphans.len() as u64).saturating_sub(self.adopted_names)
    }

    /// A file's type and the count of its handles.
    pub(crate) fn handle(&self, ino: u64) -> Result<(FileType, Pin), Errno> {
        let node = self.node(ino)?;
        Ok((node.file_type(), node.pin.clone()))
    }

    pub(crate) fn lookup(&self, dir: u64, name: &[u8]) -> Result<u64, Errno> {
        let directory = self.directory(dir)?;
        match name {
            b"." => Ok(dir),
            b".." => Ok(directory.parent),
            _ if name.len() > NAME_MAX => Err(Errno::ENAMETOOLONG),
            _ => directory.get(name).ok_or(Errno::ENOENT),
        }
    }

    pub(crate) fn create(
        &mut self,
        dir: u64,
        name: &[u8],
        file: NewFile<'_>,
        now: Timestamp,
    ) -> Result<u64, Errno> {
        self.check_new_name(dir, name)?;
        let ino = self.next_ino;
        let node = match file {
            NewFile::Regular { mode } => Node::new(Body::File, mode & 0o7777, 1, now),
            NewFile::Directory { mode } => {
                self.node_mut(dir)?.nlink += 1;
                Node::new(Body::Directory(Directory::new(dir)), mode & 0o7777, 2, now)
            }
            NewFile::Symlink { target } => Node::new(Body::Symlink(target.to_vec()), 0o777, 1, now),
            NewFile::Special { file_type, mode, rdev } => {
                Node::new(Body::Special(file_type, rdev), mode & 0o7777, 1, now)
            }
        };
        let file_type = node.file_type();
        self.next_ino += 1;
        self.nodes.insert(ino, Box::new(node));
        self.insert_name(dir, name, (ino, file_type), now)?;
        Ok(ino)
    }

    /// A regular file without a name, which goes with its last handle, unless it is given a name before.
    pub(crate) fn create_nameless(&mut self, mode: u32, now: Timestamp, is_linkable: bool) -> u64 {
        let ino = self.next_ino;
        self.next_ino += 1;
        let node = Node { is_linkable, ..Node::new(Body::File, mode & 0o7777, 0, now) };
        self.nodes.insert(ino, Box::new(node));
        self.orphans.insert(ino);
        ino
    }

    pub(crate) fn link(&mut self, ino: u64, dir: u64, name: &[u8], now: Timestamp) -> Result<(), Errno> {
        let node = self.node(ino)?;
        match node.file_type() {
            FileType::Directory => return Err(Errno::EPERM),
            _ if node.nlink == 0 && !node.is_linkable => return Err(Errno::ENOENT),
            _ if node.nlink >= LINK_MAX => return Err(Errno::EMLINK),
            _ => {}
        }
        self.check_new_name(dir, name)?;
        let node = self.node_mut(ino)?;
        node.nlink += 1;
        node.ctime = now;
        node.is_linkable = false;
        let file_type = node.file_type();
        self.orphans.remove(&ino);
        self.insert_name(dir, name, (ino, file_type), now)
    }

    pub(crate) fn unlink(&mut self, dir: u64, name: &[u8], now: Timestamp) -> Result<(), Errno> {
        let ino = self.lookup(dir, name)?;
        if self.node(ino)?.file_type() == FileType::Directory {
            return Err(Errno::EISDIR);
        }
        self.remove_name(dir, name, now)?;
        self.drop_link(ino, 1, now)
    }

    pub(crate) fn rmdir(&mut self, dir: u64, name: &[u8], now: Timestamp) -> Result<(), Errno> {
        let ino = self.lookup(dir, name)?;
        if !self.directory(ino)?.entries.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.remove_name(dir, name, now)?;
        self.node_mut(dir)?.nlink -= 1;
        self.drop_link(ino, 2, now)
    }

    pub(crate) fn rename(
        &mut self,
        (from_dir, from): (u64, &[u8]),
        (to_dir, to): (u64, &[u8]),
        now: Timestamp,
    ) -> Result<(), Errno> {
        let ino = self.lookup(from_dir, from)?;
        let file_type = self.node(ino)?.file_type();
        let is_dir = file_type == FileType::Directory;
        if is_dir && self.is_within(to_dir, ino)? {
            return Err(Errno::EINVAL);
        }
        match self.lookup(to_dir, to) {
            Ok(old) if old == ino => return Ok(()),
            Ok(old) => {
                let old_is_dir = self.node(old)?.file_type() == FileType::Directory;
                match (is_dir, old_is_dir) {
                    (true, false) => return Err(Errno::ENOTDIR),
                    (false, true) => return Err(Errno::EISDIR),
                    (true, true) => self.rmdir(to_dir, to, now)?,
                    (false, false) => self.unlink(to_dir, to, now)?,
                }
            }
            Err(Errno::ENOENT) => self.check_new_name(to_dir, to)?,
            Err(other) => return Err(other),
        }
        self.remove_name(from_dir, from, now)?;
        self.insert_name(to_dir, to, (ino, file_type), now)?;
        if is_dir && from_dir != to_dir {
            self.node_mut(from_dir)?.nlink -= 1;
            self.node_mut(to_dir)?.nlink += 1;
            if let Body::Directory(directory) = &mut self.node_mut(ino)?.body {
                directory.parent = to_dir;
            }
        }
        self.node_mut(ino)?.ctime = now;
        Ok(())
    }

    /// Two names change places.
    pub(crate) fn exchange(
        &mut self,
        (first_dir, first): (u64, &[u8]),
        (second_dir, second): (u64, &[u8]),
        now: Timestamp,
    ) -> Result<(), Errno> {
        let (a, b) = (self.lookup(first_dir, first)?, self.lookup(second_dir, second)?);
        if a == b {
            return Ok(());
        }
        let types = [self.node(a)?.file_type(), self.node(b)?.file_type()];
        let [a_is_dir, b_is_dir] = types.map(|kind| kind == FileType::Directory);
        if a_is_dir && self.is_within(second_dir, a)? || b_is_dir && self.is_within(first_dir, b)? {
            return Err(Errno::EINVAL);
        }
        self.remove_name(first_dir, first, now)?;
        self.remove_name(second_dir, second, now)?;
        self.insert_name(first_dir, first, (b, types[1]), now)?;
        self.insert_name(second_dir, second, (a, types[0]), now)?;
        for (ino, is_dir, from, to) in
            [(a, a_is_dir, first_dir, second_dir), (b, b_is_dir, second_dir, first_dir)]
        {
            if is_dir && from != to {
                self.node_mut(from)?.nlink -= 1;
                self.node_mut(to)?.nlink += 1;
                if let Body::Directory(directory) = &mut self.node_mut(ino)?.body {
                    directory.parent = to;
                }
            }
            self.node_mut(ino)?.ctime = now;
        }
        Ok(())
    }

    pub(crate) fn readlink(&self, ino: u64) -> Result<Vec<u8>, Errno> {
        match &self.node(ino)?.body {
            Body::Symlink(target) => Ok(target.clone()),
            _ => Err(Errno::EINVAL),
        }
    }

    /// Calls `visit` with the entries from cookie `position` on, until it says stop.
    pub(crate) fn read_dir(
        &self,
        dir: u64,
        position: u64,
        mut visit: impl FnMut(DirEntry<'_>) -> bool,
    ) -> Result<(), Errno> {
        let directory = self.directory(dir)?;
        for (cookie, name, ino) in [(0, b".".as_slice(), dir), (1, b"..", directory.parent)] {
            let entry = DirEntry { ino, file_type: FileType::Directory, name, next: cookie + 1 };
            if cookie >= position && !visit(entry) {
                return Ok(());
            }
        }
        let position = position.max(FIRST_COOKIE);
        if self.lists_newest_first {
            let last = END_OF_NEWEST_FIRST.saturating_sub(position);
            let entries = directory.entries.range(..=last).rev();
            list(entries, |cookie| END_OF_NEWEST_FIRST - cookie + 1, visit);
        } else {
            list(directory.entries.range(position..), |cookie| cookie + 1, visit);
        }
        Ok(())
    }

    pub(crate) fn stat(&self, ino: u64, contents: &dyn FileMemory) -> Result<Stat, Errno> {
        let node = self.node(ino)?;
        let file = self.file_id(ino);
        let (size, blocks) = match &node.body {
            Body::File => {
                let (size, own) = (contents.len_bytes(file), contents.resident_pages(file) * (PAGE / 512));
                (size, own.max(node.blocks_below.min(size.div_ceil(512))))
            }
            // As on the disk.
            Body::Directory(_) if node.blocks_below > 0 => (node.blocks_below * 512, node.blocks_below),
            Body::Directory(directory) => (20 * (directory.entries.len() as u64 + 2), 0),
            Body::Symlink(target) => (target.len() as u64, 0),
            Body::Special(..) => (0, 0),
        };
        let rdev = if let Body::Special(_, rdev) = node.body { rdev } else { 0 };
        Ok(Stat {
            dev: 0,
            ino,
            mode: node.mode | node.file_type().mode_bits(),
            nlink: node.nlink,
            uid: node.uid,
            gid: node.gid,
            rdev,
            size,
            blksize: 4096,
            blocks,
            atime: node.atime,
            mtime: node.mtime,
            ctime: node.ctime,
            btime: node.btime,
            ..Stat::default()
        })
    }

    /// `entries`: those of every tmpfs, which share what there is.
    pub(crate) fn statfs(contents: &dyn FileMemory, entries: u64) -> StatFs {
        let (total, free) = contents.capacity_pages();
        StatFs {
            magic: 0x0102_1994,
            block_size: PAGE,
            blocks: total,
            blocks_free: free,
            files: total,
            files_free: total.saturating_sub(entries),
            name_max: NAME_MAX as u64,
            ..StatFs::default()
        }
    }

    pub(crate) fn set_mode(&mut self, ino: u64, mode: u32, now: Timestamp) -> Result<(), Errno> {
        let node = self.node_mut(ino)?;
        node.mode = mode & 0o7777;
        node.ctime = now;
        Ok(())
    }

    pub(crate) fn set_owner(
        &mut self,
        ino: u64,
        uid: Option<u32>,
        gid: Option<u32>,
        now: Timestamp,
    ) -> Result<(), Errno> {
        let node = self.node_mut(ino)?;
        node.uid = uid.unwrap_or(node.uid);
        node.gid = gid.unwrap_or(node.gid);
        node.ctime = now;
        Ok(())
    }

    pub(crate) fn set_times(
        &mut self,
        ino: u64,
        atime: Option<Timestamp>,
        mtime: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Errno> {
        let node = self.node_mut(ino)?;
        node.atime = atime.unwrap_or(node.atime);
        node.mtime = mtime.unwrap_or(node.mtime);
        node.ctime = now;
        Ok(())
    }

    /// The extended attributes of a file.
    pub(crate) fn attributes(&self, ino: u64) -> Result<&Attributes, Errno> {
        self.node(ino).map(|node| &node.attributes)
    }

    /// The same, to change them.
    pub(crate) fn attributes_mut(&mut self, ino: u64, now: Timestamp) -> Result<&mut Attributes, Errno> {
        let node = self.node_mut(ino)?;
        node.ctime = now;
        Ok(&mut node.attributes)
    }

    /// A regular file, whose contents may be asked for: EISDIR for a directory, EINVAL for a link.
    pub(crate) fn regular(&self, ino: u64) -> Result<FileId, Errno> {
        match &self.node(ino)?.body {
            Body::File => Ok(self.file_id(ino)),
            Body::Directory(_) => Err(Errno::EISDIR),
            Body::Symlink(_) | Body::Special(..) => Err(Errno::EINVAL),
        }
    }

    /// A regular file, whose contents are changed at `now`.
    pub(crate) fn regular_to_change(&mut self, ino: u64, now: Timestamp) -> Result<FileId, Errno> {
        let file = self.regular(ino)?;
        self.node_mut(ino)?.changed(now);
        Ok(file)
    }

    /// Frees what has neither name nor handle.
    pub(crate) fn reap(&mut self, contents: &mut dyn FileMemory, happenings: &mut Happenings) {
        let (id, nodes) = (self.id, &mut self.nodes);
        self.orphans.retain(|&ino| {
            let is_held = nodes.get(&ino).is_some_and(|node| Arc::strong_count(&node.pin) > 1);
            if is_held {
                return true;
            }
            let file = FileId { fs: id, ino };
            if nodes.remove(&ino).is_some_and(|node| node.is_file()) {
                contents.remove(file);
            }
            happenings.of_file(file, Notice::DELETE_SELF);
            false
        });
    }

    /// Pages of memory that its files take.
    pub(crate) fn resident_pages(&self, contents: &dyn FileMemory) -> u64 {
        let files = self.nodes.iter().filter(|(_, node)| node.is_file());
        files.map(|(&ino, _)| contents.resident_pages(self.file_id(ino))).sum()
    }

    /// Whether anybody has a handle on one of its files.
    pub(crate) fn is_used(&self) -> bool {
        self.is_used_but(self.root, 0)
    }

    /// The same, beside `own` handles on the file `ino`.
    pub(crate) fn is_used_but(&self, ino: u64, own: usize) -> bool {
        let handles = |node: &Node| Arc::strong_count(&node.pin) - 1;
        self.nodes.iter().any(|(&number, node)| handles(node) > if number == ino { own } else { 0 })
    }

    /// Whether anybody may write one of its files.
    pub(crate) fn is_written(&self) -> bool {
        self.nodes.values().any(|node| node.pin.is_written())
    }

    /// Removes every file.
    pub(crate) fn remove_all(&mut self, contents: &mut dyn FileMemory) {
        while let Some((ino, node)) = self.nodes.pop_first() {
            if node.is_file() {
                contents.remove(self.file_id(ino));
            }
        }
        self.orphans.clear();
    }

    fn file_id(&self, ino: u64) -> FileId {
        FileId { fs: self.id, ino }
    }

    fn check_new_name(&self, dir: u64, name: &[u8]) -> Result<(), Errno> {
        match self.lookup(dir, name) {
            Ok(_) => Err(Errno::EEXIST),
            // A directory that was removed while someone sits in it takes no new names.
            Err(Errno::ENOENT) if self.node(dir)?.nlink == 0 => Err(Errno::ENOENT),
            Err(Errno::ENOENT) => Ok(()),
            Err(other) => Err(other),
        }
    }

    fn insert_name(
        &mut self,
        dir: u64,
        name: &[u8],
        (ino, file_type): (u64, FileType),
        now: Timestamp,
    ) -> Result<(), Errno> {
        let node = self.node_mut(dir)?;
        node.changed(now);
        match &mut node.body {
            Body::Directory(directory) => directory.insert(name, ino, file_type),
            _ => return Err(Errno::ENOTDIR),
        }
        self.names += 1;
        Ok(())
    }

    fn remove_name(&mut self, dir: u64, name: &[u8], now: Timestamp) -> Result<(), Errno> {
        let node = self.node_mut(dir)?;
        node.changed(now);
        match &mut node.body {
            Body::Directory(directory) => directory.remove(name),
            _ => return Err(Errno::ENOTDIR),
        }
        self.names -= 1;
        Ok(())
    }

    fn drop_link(&mut self, ino: u64, links: u32, now: Timestamp) -> Result<(), Errno> {
        let node = self.node_mut(ino)?;
        node.nlink = node.nlink.saturating_sub(links);
        node.ctime = now;
        if node.nlink == 0 {
            node.pin.set_unlinked();
            self.orphans.insert(ino);
        }
        Ok(())
    }

    /// Whether directory `dir` is `ancestor` or lies below it.
    fn is_within(&self, mut dir: u64, ancestor: u64) -> Result<bool, Errno> {
        while dir != ancestor {
            if dir == self.root {
                return Ok(false);
            }
            dir = self.directory(dir)?.parent;
        }
        Ok(true)
    }

    fn directory(&self, ino: u64) -> Result<&Directory, Errno> {
        match &self.node(ino)?.body {
            Body::Directory(directory) => Ok(directory),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn node(&self, ino: u64) -> Result<&Node, Errno> {
        self.nodes.get(&ino).map(|node| &**node).ok_or(Errno::ENOENT)
    }

    fn node_mut(&mut self, ino: u64) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&ino).map(|node| &mut **node).ok_or(Errno::ENOENT)
    }
}

/// Calls `visit` with entries, of which each has its own place to go on at, until it says stop.
fn list<'a>(
    entries: impl Iterator<Item = (&'a u64, &'a Entry)>,
    next: impl Fn(u64) -> u64,
    mut visit: impl FnMut(DirEntry<'_>) -> bool,
) {
    for (&cookie, &Entry { ref name, ino, file_type }) in entries {
        if !visit(DirEntry { ino, file_type, name, next: next(cookie) }) {
            return;
        }
    }
}
