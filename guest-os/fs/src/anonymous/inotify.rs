//! Lists of what has happened to files (inotify(7)).
//!
//! Whoever changes files says so: the file systems keep what has become of names until they are unlocked ([`Happenings`]), and what is done
//! with an open file is told at once. A watch does not keep its file: it ends with it.

use super::{Anonymous, AnonymousId};
use crate::{
    Errno, FileId, Hold, Inode, Location, OpenFileId, OpenFiles, OpenFlags, Readiness, Source, Text,
};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bitflags::bitflags;
use core::fmt::{self, Write};
use linux_raw_sys::general as linux;

bitflags! {
    /// What happens to files, and how a watch wants to hear of it.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Notice: u32 {
        /// It is read.
        const ACCESS = linux::IN_ACCESS;
        /// It is written, or cut.
        const MODIFY = linux::IN_MODIFY;
        /// Its owner, mode, times, or how many names it has.
        const ATTRIB = linux::IN_ATTRIB;
        /// Closed by one who might write it.
        const CLOSE_WRITE = linux::IN_CLOSE_WRITE;
        /// Closed by another.
        const CLOSE_NOWRITE = linux::IN_CLOSE_NOWRITE;
        /// Opened.
        const OPEN = linux::IN_OPEN;
        /// A name leaves the directory.
        const MOVED_FROM = linux::IN_MOVED_FROM;
        /// A name comes to it.
        const MOVED_TO = linux::IN_MOVED_TO;
        /// A new name.
        const CREATE = linux::IN_CREATE;
        /// A name that is gone.
        const DELETE = linux::IN_DELETE;
        /// The file itself is gone.
        const DELETE_SELF = linux::IN_DELETE_SELF;
        /// It has another name.
        const MOVE_SELF = linux::IN_MOVE_SELF;
        /// More has happened than is told.
        const Q_OVERFLOW = linux::IN_Q_OVERFLOW;
        /// The watch has ended.
        const IGNORED = linux::IN_IGNORED;
        /// What it is about is a directory.
        const ISDIR = linux::IN_ISDIR;
        /// Nothing of what has lost its name.
        const EXCL_UNLINK = linux::IN_EXCL_UNLINK;
        /// Once is enough.
        const ONESHOT = linux::IN_ONESHOT;
        /// All that happens to files.
        const ALL = linux::IN_ALL_EVENTS;
    }
}

/// Something that has happened: to a file, or to a name in a directory.
#[derive(Clone, Debug)]
pub struct Happening {
    /// The file, or the directory.
    pub file: FileId,
    /// The name.
    pub name: Option<Box<[u8]>>,
    /// What.
    pub what: Notice,
    /// The same for both ends of a move, else 0.
    pub cookie: u32,
    /// It has lost its name.
    pub is_unlinked: bool,
}

/// What has happened to names, until it is told.
#[derive(Debug, Default)]
pub struct Happenings {
    list: Vec<Happening>,
    moves: u32,
    /// Whether somebody wants to know.
    pub(crate) is_on: bool,
}

impl Happenings {
    /// Something has happened to a file.
    pub(crate) fn of_file(&mut self, file: FileId, what: Notice) {
        self.add(Happening { file, name: None, what, cookie: 0, is_unlinked: false });
    }
    /// Something has happened to a name of `file` in `dir`.
    pub(crate) fn of_name(&mut self, dir: FileId, name: &[u8], file: &Inode, what: Notice, cookie: u32) {
        if self.is_on {
            let (name, what) = (Some(name.into()), of_kind(file, what));
            self.add(Happening { file: dir, name, what, cookie, is_unlinked: false });
        }
    }
    /// Something has happened to a file that was reached by a path.
    pub(crate) fn of_location(&mut self, location: &Location, what: Notice) {
        if let Some(dir) = location.dir {
            self.of_name(dir, location.last_name(), &location.inode, what, 0);
        }
        self.of_file(location.inode.id, of_kind(&location.inode, what));
    }
    /// A number for a move.
    pub(crate) fn next_move(&mut self) -> u32 {
        self.moves = self.moves.wrapping_add(1).max(1);
        self.moves
    }
    fn add(&mut self, happening: Happening) {
        if self.is_on {
            self.list.push(happening);
        }
    }
    /// All of it, to be told.
    pub(crate) fn take(&mut self) -> Vec<Happening> {
        core::mem::take(&mut self.list)
    }
}

fn of_kind(file: &Inode, what: Notice) -> Notice {
    if file.is_dir() { what | Notice::ISDIR } else { what }
}

/// An event as a program reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Event {
    watch: i32,
    what: Notice,
    cookie: u32,
    name: Option<Box<[u8]>>,
}

impl Event {
    /// Bytes before the name: watch, what, cookie, length of the name.
    const HEAD_BYTES: usize = 16;

    /// Bytes of the name: ended by NULs, so that the next event lies as this one does.
    fn name_bytes(&self) -> usize {
        self.name.as_ref().map_or(0, |name| (name.len() + 1).next_multiple_of(Self::HEAD_BYTES))
    }
    fn len(&self) -> usize {
        Self::HEAD_BYTES + self.name_bytes()
    }
    /// A `struct inotify_event`.
    fn write_to(&self, out: &mut Vec<u8>) {
        let name_bytes = self.name_bytes();
        let end = out.len() + Self::HEAD_BYTES + name_bytes;
        out.extend_from_slice(&self.watch.to_ne_bytes());
        out.extend_from_slice(&self.what.bits().to_ne_bytes());
        out.extend_from_slice(&self.cookie.to_ne_bytes());
        // A name has 255 bytes at most.
        out.extend_from_slice(&u32::try_from(name_bytes).unwrap_or(0).to_ne_bytes());
        out.extend_from_slice(self.name.as_deref().unwrap_or_default());
        out.resize(end, 0);
    }
}

/// A list: what it watches, and what has happened and was not read yet.
#[derive(Debug, Default)]
pub struct Inotify {
    watches: BTreeMap<i32, FileId>,
    last_watch: i32,
    /// By when they came, in pieces: no event needs much memory at once.
    events: BTreeMap<u64, Event>,
    next_event: u64,
    bytes: usize,
    most_events: usize,
}

impl Inotify {
    /// One that keeps so many events.
    pub fn new(most_events: u64) -> Self {
        Self { most_events: usize::try_from(most_events).unwrap_or(usize::MAX), ..Self::default() }
    }
    /// Bytes that are to be read.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
    /// Events that are the same as the one before are one. Whether there is one more.
    fn push(&mut self, event: Event) -> bool {
        let overflow = Event { watch: -1, what: Notice::Q_OVERFLOW, cookie: 0, name: None };
        let event = if self.events.len() < self.most_events { event } else { overflow };
        if self.events.last_key_value().is_some_and(|(_, last)| *last == event) {
            return false;
        }
        self.bytes += event.len();
        self.events.insert(self.next_event, event);
        self.next_event += 1;
        true
    }
}

/// What a list wants to hear of a file.
#[derive(Clone, Copy, Debug)]
struct Watch {
    number: i32,
    wanted: Notice,
}

/// All watches of the system.
#[derive(Debug, Default)]
pub(crate) struct Watches(BTreeMap<(FileId, AnonymousId), Watch>);

/// What becomes of a watch that is there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IfWatched {
    /// It hears of something else from now on.
    Replace,
    /// It hears of this, too (IN_MASK_ADD).
    Add,
    /// EEXIST (IN_MASK_CREATE).
    Fail,
}

/// The first number of a watch, after the largest one.
const FIRST_WATCH: i32 = 1;

impl OpenFiles {
    /// Whether anything is watched.
    pub fn are_watching(&self) -> bool {
        !self.watches.0.is_empty()
    }

    /// Lists of events, and watches, that there are.
    pub fn count_watching(&self) -> (usize, usize) {
        let is_list = |what: &&Anonymous| matches!(what, Anonymous::Inotify(_));
        (self.anonymous.values().filter(is_list).count(), self.watches.0.len())
    }

    fn inotify_mut(&mut self, id: OpenFileId) -> Result<(&mut Inotify, AnonymousId), Errno> {
        match self.anonymous_mut(id)? {
            (Anonymous::Inotify(list), Source::Anonymous(number)) => Ok((list, number)),
            _ => Err(Errno::EINVAL),
        }
    }

    /// A line for each watch of a list, as `fdinfo` has them.
    pub(super) fn describe_watches(
        &self,
        number: AnonymousId,
        list: &Inotify,
        out: &mut Text,
    ) -> fmt::Result {
        for (watch, &file) in &list.watches {
            let wanted = self.watches.0.get(&(file, number)).map_or(0, |watch| watch.wanted.bits());
            let (ino, device) = (file.ino, file.fs.device_number());
            writeln!(out, "inotify wd:{watch:x} ino:{ino:x} sdev:{device:x} mask:{wanted:x} ignored_mask:0")?;
        }
        Ok(())
    }

    /// `inotify_add_watch`: the watch's number. ENOSPC if there are `most` already.
    pub fn watch_file(
        &mut self,
        id: OpenFileId,
        file: FileId,
        wanted: Notice,
        if_watched: IfWatched,
        most: u64,
    ) -> Result<i32, Errno> {
        let all = self.watches.0.len() as u64;
        let (_, list) = self.inotify_mut(id)?;
        if let Some(watch) = self.watches.0.get_mut(&(file, list)) {
            watch.wanted = match if_watched {
                IfWatched::Replace => wanted,
                IfWatched::Add => watch.wanted | wanted,
                IfWatched::Fail => return Err(Errno::EEXIST),
            };
            return Ok(watch.number);
        }
        if all >= most {
            return Err(Errno::ENOSPC);
        }
        let (inotify, _) = self.inotify_mut(id)?;
        let number = loop {
            let next = inotify.last_watch.checked_add(1).unwrap_or(FIRST_WATCH);
            inotify.last_watch = next;
            if !inotify.watches.contains_key(&next) {
                break next;
            }
        };
        inotify.watches.insert(number, file);
        self.watches.0.insert((file, list), Watch { number, wanted });
        Ok(number)
    }

    /// `inotify_rm_watch`. EINVAL if there is no such watch.
    pub fn unwatch_file(&mut self, id: OpenFileId, watch: i32) -> Result<(), Errno> {
        let (inotify, list) = self.inotify_mut(id)?;
        let file = *inotify.watches.get(&watch).ok_or(Errno::EINVAL)?;
        self.end_watch(file, list);
        Ok(())
    }

    /// A watch ends, and its list hears of it.
    fn end_watch(&mut self, file: FileId, list: AnonymousId) {
        let Some(watch) = self.watches.0.remove(&(file, list)) else { return };
        if let Some(Anonymous::Inotify(inotify)) = self.anonymous.get_mut(&list) {
            inotify.watches.remove(&watch.number);
        }
        self.tell_list(list, Event { watch: watch.number, what: Notice::IGNORED, cookie: 0, name: None });
    }

    /// A list is gone: nothing is watched for it.
    pub(super) fn close_inotify(&mut self, list: AnonymousId, inotify: &Inotify) {
        for &file in inotify.watches.values() {
            self.watches.0.remove(&(file, list));
        }
    }

    fn tell_list(&mut self, list: AnonymousId, event: Event) {
        if let Some(Anonymous::Inotify(inotify)) = self.anonymous.get_mut(&list)
            && inotify.push(event)
        {
            self.changes.note(Source::Anonymous(list), Readiness::IN);
        }
    }

    /// Tells all who want to know.
    pub fn tell(&mut self, happening: &Happening) {
        let Happening { file, what, is_unlinked, .. } = *happening;
        let mut after = AnonymousId(0);
        loop {
            let next = self.watches.0.range((file, after)..=(file, AnonymousId(u32::MAX))).next();
            let Some((&(_, list), &watch)) = next else { break };
            let is_too_late = is_unlinked && watch.wanted.contains(Notice::EXCL_UNLINK);
            if watch.wanted.intersects(what & Notice::ALL) && !is_too_late {
                let name = happening.name.clone();
                self.tell_list(list, Event { watch: watch.number, what, cookie: happening.cookie, name });
                if watch.wanted.contains(Notice::ONESHOT) {
                    self.end_watch(file, list);
                }
            }
            if what.contains(Notice::DELETE_SELF) {
                self.end_watch(file, list);
            }
            let Some(beyond) = list.0.checked_add(1) else { break };
            after = AnonymousId(beyond);
        }
    }

    /// Something has happened to a file that was reached by a path: its directory hears of it, and it itself.
    pub fn tell_of(&mut self, location: &Location, what: Notice) {
        if !self.are_watching() {
            return;
        }
        let (inode, is_unlinked) = (&location.inode, location.inode.is_unlinked());
        let what = of_kind(inode, what);
        let of_file = Happening { file: inode.id, name: None, what, cookie: 0, is_unlinked: false };
        if let Some(dir) = location.dir {
            let name = Some(location.last_name().into());
            self.tell(&Happening { file: dir, name, is_unlinked, ..of_file });
        }
        self.tell(&of_file);
    }

    /// Something has been done with an open file.
    pub fn tell_of_open(&mut self, id: OpenFileId, what: Notice) {
        if self.are_watching()
            && let Some(location) = self.get(id).location.clone()
        {
            self.tell_of(&location, what);
        }
    }

    /// An open file is closed for good.
    pub(crate) fn tell_of_close(&mut self, location: &Location, flags: OpenFlags) {
        let what = if flags.is_writable() { Notice::CLOSE_WRITE } else { Notice::CLOSE_NOWRITE };
        if !flags.contains(OpenFlags::PATH) {
            self.tell_of(location, what);
        }
    }

    /// The next events of a list, as many as `room` bytes hold, and the number behind the last. EINVAL if not one does.
    pub fn events(&self, id: OpenFileId, room: usize) -> Result<(Vec<u8>, u64), Hold> {
        let (Anonymous::Inotify(list), source) = self.anonymous(id)? else {
            return Err(Errno::EINVAL.into());
        };
        let (mut bytes, mut end) = (Vec::new(), 0);
        if list.events.is_empty() {
            return Err(Hold::Wait(source));
        }
        bytes.try_reserve_exact(room.min(list.bytes)).map_err(|_| Errno::ENOMEM)?;
        for (&number, event) in &list.events {
            if bytes.len() + event.len() > room {
                break;
            }
            event.write_to(&mut bytes);
            end = number + 1;
        }
        if bytes.is_empty() { Err(Errno::EINVAL.into()) } else { Ok((bytes, end)) }
    }

    /// The events before this number, of which there are `bytes` bytes, have been read. Not if another reader has had them.
    pub fn take_events(&mut self, id: OpenFileId, bytes: usize, end: u64) -> Result<bool, Errno> {
        let (list, _) = self.inotify_mut(id)?;
        let taken: usize = list.events.range(..end).map(|(_, event)| event.len()).sum();
        if taken != bytes {
            return Ok(false);
        }
        list.events = list.events.split_off(&end);
        list.bytes -= bytes;
        Ok(true)
    }
}
