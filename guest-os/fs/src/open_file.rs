//! Open files: what a descriptor refers to, shared after `fork` and `dup`.
//!
//! The table is plain data with explicit counts, so that closing happens at a known place, where the kernel can
//! wake whoever waits for a pipe's other end. Descriptor tables hold [`OpenFileId`]s. It is a tree: what it takes at a time is small
//! however many files are open, and closing takes nothing.

use crate::anonymous::Watches;
use crate::loops::{Attached, LoopDevice, Loops};
use crate::ready::{Changes, Source};
use crate::{
    Anonymous, AnonymousId, Device, DirEntry, DirentWriter, Errno, Family, FileId, FileUse, Inode, Location,
    OpenFlags, Pipe, PipeEnd, PipeId, PipeOutcome, Readiness, Sender, SocketId, SocketKind, Sockets,
    TerminalEnd, TerminalId, Terminals, Text,
};
use alloc::collections::BTreeMap;
use alloc::rc::Rc;

/// An open file's number in the [`OpenFiles`] table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OpenFileId(pub(crate) u32);

/// How a file of `/proc` shows a process's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemoryView {
    /// `mem`: its bytes, by their addresses.
    Bytes,
    /// `pagemap`: eight bytes about each page.
    Pages,
}

/// What is open, and so who reads and writes it.
#[derive(Clone, Debug)]
pub enum Object {
    /// A regular file on disk: read through the page cache (`Vfs::size`, `Vfs::page_source`). Not writable.
    Disk(Inode),
    /// A regular file of tmpfs: `Vfs::read_at`, `Vfs::write_at`.
    Memory(Inode),
    /// A file of `/proc`: `Vfs::read_text`, `Vfs::write_text`.
    Text(Inode),
    /// A file of `/proc` that shows a process's memory: the kernel's to read.
    ProcessMemory {
        /// Which process's.
        pid: u32,
        /// How.
        view: MemoryView,
    },
    /// A directory: `Vfs::read_dir`.
    Directory(Inode),
    /// A character device.
    Device(Device),
    /// An end of a pipe: [`OpenFiles::pipe_peek`], [`OpenFiles::pipe_write`].
    Pipe {
        /// Which pipe.
        pipe: PipeId,
        /// Which end.
        end: PipeEnd,
    },
    /// An end of a terminal: [`Terminals`].
    Terminal {
        /// Which terminal.
        terminal: TerminalId,
        /// Which end.
        end: TerminalEnd,
    },
    /// A socket: [`Sockets`].
    Socket(SocketId),
    /// A file without a name that is there to be waited for: [`Anonymous`].
    Anonymous(AnonymousId),
    /// A loop device: [`Loops`].
    Loop(LoopDevice),
    /// Opened with `O_PATH`: a name, nothing to read.
    Path(Inode),
}

/// Where `lseek` counts from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whence {
    /// The start of the file.
    Set,
    /// The current offset.
    Current,
    /// The end of the file.
    End,
}

/// An open-file description.
#[derive(Clone, Debug)]
pub struct OpenFile {
    /// What is open.
    pub object: Object,
    /// How it was reached; pipes and host streams have no path.
    pub location: Option<Location>,
    /// Access mode and status flags.
    pub flags: OpenFlags,
    /// Where the next `read` or `write` starts; in a directory the cookie of the next entry.
    pub offset: u64,
    /// The text of a `/proc` file as it was when last read from its start.
    pub(crate) text: Option<Rc<Text>>,
    /// Its right to write, where others must know of it.
    pub(crate) writing: Option<Rc<FileUse>>,
}

impl OpenFile {
    /// An open file at offset 0. Flags that do not outlive `open` are dropped.
    pub fn new(object: Object, location: Option<Location>, flags: OpenFlags) -> OpenFile {
        OpenFile { object, location, flags: flags & OpenFlags::STATUS, offset: 0, text: None, writing: None }
    }

    /// Its right to write a file that can be executed, too.
    pub fn writing(&self) -> Option<Rc<FileUse>> {
        self.writing.clone()
    }

    /// The inode, where there is one.
    pub fn inode(&self) -> Option<&Inode> {
        self.location.as_ref().map(|location| &location.inode)
    }

    /// EBADF unless open for reading.
    pub fn check_readable(&self) -> Result<(), Errno> {
        if self.flags.is_readable() { Ok(()) } else { Err(Errno::EBADF) }
    }

    /// EBADF unless open for writing.
    pub fn check_writable(&self) -> Result<(), Errno> {
        if self.flags.is_writable() { Ok(()) } else { Err(Errno::EBADF) }
    }

    /// Moves the offset (`lseek`); `size` is the file's length. Devices stay at 0, pipes give ESPIPE.
    pub fn seek(&mut self, whence: Whence, delta: i64, size: u64) -> Result<u64, Errno> {
        let base = match (&self.object, whence) {
            (
                Object::Pipe { .. }
                | Object::Terminal { .. }
                | Object::Socket(_)
                | Object::Device(Device::Stdio { .. }),
                _,
            ) => return Err(Errno::ESPIPE),
            (Object::Path(_), _) => return Err(Errno::EBADF),
            (Object::Device(_) | Object::Anonymous(_), _) => return Ok(0),
            // Neither address spaces nor texts have an end.
            (Object::ProcessMemory { .. } | Object::Text(_), Whence::End) => return Err(Errno::EINVAL),
            (_, Whence::Set) => 0,
            (_, Whence::Current) => self.offset,
            (_, Whence::End) => size,
        };
        let target =
            base.checked_add_signed(delta).filter(|&at| at <= i64::MAX as u64).ok_or(Errno::EINVAL)?;
        self.offset = target;
        Ok(target)
    }

    /// Goes where a copy of it has been read to (`Vfs::read_text`): the offset and the text are the copy's, and nothing else.
    pub fn go_on_from(&mut self, read: OpenFile) {
        (self.offset, self.text) = (read.offset, read.text);
    }

    /// Whether reading it moves an offset.
    fn has_offset(&self) -> bool {
        !matches!(
            self.object,
            Object::Pipe { .. }
                | Object::Terminal { .. }
                | Object::Socket(_)
                | Object::Anonymous(_)
                | Object::Device(_)
                | Object::Path(_)
        )
    }
}

#[derive(Debug)]
pub(crate) struct Slot {
    file: OpenFile,
    references: u32,
    /// A list of epoll's has it, or has had it.
    pub(crate) is_watched: bool,
}

/// All open files and pipes of the system.
#[derive(Debug)]
pub struct OpenFiles {
    slots: BTreeMap<OpenFileId, Slot>,
    next: u32,
    pipes: BTreeMap<PipeId, Pipe>,
    next_pipe: u32,
    /// The pipes of FIFOs that are open.
    fifos: BTreeMap<FileId, PipeId>,
    sockets: Sockets,
    loops: Loops,
    pub(crate) terminals: Terminals,
    pub(crate) anonymous: BTreeMap<AnonymousId, Anonymous>,
    pub(crate) next_anonymous: u32,
    pub(crate) watches: Watches,
    pub(crate) changes: Changes,
}

impl OpenFiles {
    /// An empty table. `wake` is called wherever a change of one file may make another one ready; it takes no memory, and comes back at
    /// once.
    pub fn new(wake: fn(Source)) -> OpenFiles {
        let (slots, pipes) = (BTreeMap::new(), BTreeMap::new());
        OpenFiles {
            slots,
            next: 0,
            pipes,
            next_pipe: 0,
            fifos: BTreeMap::new(),
            sockets: Sockets::default(),
            loops: Loops::default(),
            terminals: Terminals::default(),
            anonymous: BTreeMap::new(),
            next_anonymous: 0,
            watches: Watches::default(),
            changes: Changes::new(wake),
        }
    }

    /// Enters a file with one reference.
    pub fn insert(&mut self, file: OpenFile) -> OpenFileId {
        // Memory ends long before the numbers do, but they come round.
        while self.slots.contains_key(&OpenFileId(self.next)) {
            self.next = self.next.wrapping_add(1);
        }
        let id = OpenFileId(self.next);
        self.next = self.next.wrapping_add(1);
        self.slots.insert(id, Slot { file, references: 1, is_watched: false });
        id
    }

    /// One more descriptor refers to the file (`dup`, `fork`).
    pub fn duplicate(&mut self, id: OpenFileId) {
        self.slot_mut(id).references += 1;
    }

    /// A descriptor is gone. Returns the file when it was the last one.
    pub fn close(&mut self, id: OpenFileId) -> Option<OpenFile> {
        let slot = self.slot_mut(id);
        slot.references -= 1;
        if slot.references > 0 {
            self.collect();
            return None;
        }
        let slot = self.slots.remove(&id)?;
        if slot.is_watched {
            self.forget_watched(id, &slot.file.object);
        }
        if let Some(location) = &slot.file.location {
            self.tell_of_close(location, slot.file.flags);
        }
        match slot.file.object {
            Object::Anonymous(number) => self.close_anonymous(number),
            Object::Loop(device) => {
                let is_open =
                    |slot: &Slot| matches!(slot.file.object, Object::Loop(other) if other == device);
                if !self.slots.values().any(is_open) {
                    self.loops.closed(device);
                }
            }
            Object::Pipe { pipe, end } => {
                if self.pipe_mut(pipe).close(end) {
                    self.pipes.remove(&pipe);
                    if let Some(inode) = slot.file.inode() {
                        self.fifos.remove(&inode.id());
                    }
                }
                self.changes.note(Source::Pipe(pipe), Readiness::IN | Readiness::OUT);
            }
            Object::Socket(socket) => self.sockets.close(&mut self.changes, socket),
            Object::Terminal { terminal, end } => self.close_terminal(terminal, end),
            _ => {}
        }
        Some(slot.file)
    }

    /// The file behind a number.
    pub fn get(&self, id: OpenFileId) -> &OpenFile {
        match self.slots.get(&id) {
            Some(slot) => &slot.file,
            None => unreachable!("a descriptor outlived its open file"),
        }
    }

    /// The file behind a number, and whether somebody else may move the offset that it has: by another descriptor, or in another thread.
    pub fn get_with_sharing(&self, id: OpenFileId) -> (&OpenFile, bool) {
        match self.slots.get(&id) {
            Some(slot) => (&slot.file, slot.references > 1 && slot.file.has_offset()),
            None => unreachable!("a descriptor outlived its open file"),
        }
    }

    /// The file behind a number, to move its offset or change its flags.
    pub fn get_mut(&mut self, id: OpenFileId) -> &mut OpenFile {
        &mut self.slot_mut(id).file
    }

    /// Descriptors that refer to the file.
    pub fn references(&self, id: OpenFileId) -> u32 {
        self.slots.get(&id).map_or(0, |slot| slot.references)
    }

    /// Open files in all (0 after the last process has gone).
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no file is open.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Opens an end of a FIFO, or both, as its flags say. ENXIO if a writer would have to wait for a reader and must not.
    pub fn open_fifo(&mut self, location: Location, flags: OpenFlags) -> Result<OpenFileId, Errno> {
        let end = match (flags.is_readable(), flags.is_writable()) {
            (true, true) => PipeEnd::Both,
            (true, false) => PipeEnd::Read,
            (false, _) => PipeEnd::Write,
        };
        let inode = location.inode.id();
        let known = self.fifos.get(&inode).copied();
        let has_reader = known.and_then(|pipe| self.pipe(pipe)).is_some_and(|pipe| pipe.has_partner(end));
        if end == PipeEnd::Write && flags.contains(OpenFlags::NONBLOCK) && !has_reader {
            return Err(Errno::ENXIO);
        }
        let pipe = known.unwrap_or_else(|| {
            let pipe = self.new_pipe(Pipe::closed());
            self.fifos.insert(inode, pipe);
            pipe
        });
        self.pipe_mut(pipe).open(end);
        self.changes.note(Source::Pipe(pipe), Readiness::IN | Readiness::OUT);
        Ok(self.insert(OpenFile::new(Object::Pipe { pipe, end }, Some(location), flags)))
    }

    fn new_pipe(&mut self, pipe: Pipe) -> PipeId {
        let id = PipeId(self.next_pipe);
        self.next_pipe = self.next_pipe.wrapping_add(1);
        self.pipes.insert(id, pipe);
        id
    }

    /// Makes a pipe; returns its read end and its write end (`pipe2`; of the flags `O_NONBLOCK` and `O_DIRECT` matter here).
    pub fn create_pipe(&mut self, flags: OpenFlags) -> (OpenFileId, OpenFileId) {
        let pipe = self.new_pipe(Pipe::default());
        let status = flags & (OpenFlags::NONBLOCK | OpenFlags::DIRECT);
        let reader = self.insert(OpenFile::new(Object::Pipe { pipe, end: PipeEnd::Read }, None, status));
        let writer =
            OpenFile::new(Object::Pipe { pipe, end: PipeEnd::Write }, None, status | OpenFlags::WRONLY);
        (reader, self.insert(writer))
    }

    /// Copies the next bytes of a pipe out, and says where in its stream they are. They stay in the pipe until
    /// [`OpenFiles::pipe_consume`]. EBADF when `id` is no read end.
    pub fn pipe_peek(&self, id: OpenFileId, out: &mut [u8]) -> Result<(PipeOutcome, u64), Errno> {
        match self.get(id).object {
            Object::Pipe { pipe: number, end } if end.reads() => {
                let pipe = self.pipe(number).ok_or(Errno::EBADF)?;
                Ok((pipe.peek(out), pipe.position()))
            }
            _ => Err(Errno::EBADF),
        }
    }

    /// Takes out bytes that were peeked at: `count` of those at `position` of the stream. `false`, with nothing done, if another
    /// reader has had them meanwhile.
    pub fn pipe_consume(&mut self, id: OpenFileId, position: u64, count: usize) -> bool {
        let Object::Pipe { pipe, .. } = self.get(id).object else { return false };
        let queue = self.pipe_mut(pipe);
        let is_there = queue.position() == position;
        if is_there {
            queue.consume(count);
            self.changes.note(Source::Pipe(pipe), Readiness::OUT);
        }
        is_there
    }

    /// Writes to a pipe's end. EBADF when `id` is no write end.
    pub fn pipe_write(&mut self, id: OpenFileId, bytes: &[u8]) -> Result<PipeOutcome, Errno> {
        let file = self.get(id);
        let is_packet = file.flags.contains(OpenFlags::DIRECT);
        match file.object {
            Object::Pipe { pipe, end } if end.writes() => {
                let queue = self.pipe_mut(pipe);
                let outcome = if is_packet { queue.write_packet(bytes)? } else { queue.write(bytes) };
                if let PipeOutcome::Moved(_) = outcome {
                    self.changes.note(Source::Pipe(pipe), Readiness::IN);
                }
                Ok(outcome)
            }
            _ => Err(Errno::EBADF),
        }
    }

    /// The pipe behind a number, while one of its ends is open.
    pub fn pipe(&self, pipe: PipeId) -> Option<&Pipe> {
        self.pipes.get(&pipe)
    }

    /// The pipe that a file is an end of. EBADF if it is none.
    pub fn pipe_of(&self, id: OpenFileId) -> Result<&Pipe, Errno> {
        match self.get(id).object {
            Object::Pipe { pipe, .. } => self.pipe(pipe).ok_or(Errno::EBADF),
            _ => Err(Errno::EBADF),
        }
    }

    /// Makes a pipe hold at least so many bytes; returns how many. EBADF if it is none, and as [`Pipe::set_capacity`].
    pub fn set_pipe_capacity(&mut self, id: OpenFileId, bytes: u32) -> Result<usize, Errno> {
        let Object::Pipe { pipe, .. } = self.get(id).object else { return Err(Errno::EBADF) };
        let capacity = self.pipe_mut(pipe).set_capacity(bytes)?;
        self.changes.note(Source::Pipe(pipe), Readiness::OUT);
        Ok(capacity)
    }

    /// Makes a socket (`socket`); of the flags only `O_NONBLOCK` matters here.
    pub fn create_socket(
        &mut self,
        family: Family,
        kind: SocketKind,
        owner: Sender,
        flags: OpenFlags,
    ) -> OpenFileId {
        let socket = self.sockets.create(family, kind, owner);
        self.open_socket(socket, flags)
    }

    /// Makes two sockets that are connected (`socketpair`). EOPNOTSUPP.
    pub fn create_socket_pair(
        &mut self,
        family: Family,
        kind: SocketKind,
        owner: Sender,
        flags: OpenFlags,
    ) -> Result<(OpenFileId, OpenFileId), Errno> {
        let (one, other) = self.sockets.create_pair(family, kind, owner)?;
        Ok((self.open_socket(one, flags), self.open_socket(other, flags)))
    }

    /// Opens a socket that `accept` has given.
    pub fn open_socket(&mut self, socket: SocketId, flags: OpenFlags) -> OpenFileId {
        let flags = flags & OpenFlags::NONBLOCK | OpenFlags::RDWR;
        self.insert(OpenFile::new(Object::Socket(socket), None, flags))
    }

    /// The sockets.
    pub fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    /// The loop devices.
    pub fn loops(&self) -> &Loops {
        &self.loops
    }

    /// The same, to be changed.
    pub fn loops_mut(&mut self) -> &mut Loops {
        &mut self.loops
    }

    /// Attaches a loop device to an open file, which stays open for it. EBUSY if it is attached.
    pub fn attach_loop(&mut self, device: LoopDevice, to: Attached) -> Result<(), Errno> {
        self.loops.attach(device, to)?;
        self.duplicate(to.file);
        Ok(())
    }

    /// Open files that nobody has a descriptor of any more, one by one: those of loop devices, and those in the queues of sockets. The
    /// caller closes them.
    pub fn take_released(&mut self) -> Option<OpenFileId> {
        self.loops.take_left().or_else(|| self.sockets.take_released())
    }

    /// The sockets, and where changes of them are told.
    pub fn sockets_mut(&mut self) -> (&mut Sockets, &mut Changes) {
        (&mut self.sockets, &mut self.changes)
    }

    /// Empties the queues of sockets that are on their way to nobody. What they held is [released](Sockets::take_released).
    #[inline]
    fn collect(&mut self) {
        if self.sockets.has_rights_in_flight() {
            self.collect_unreachable();
        }
    }

    #[cold]
    #[inline(never)]
    fn collect_unreachable(&mut self) {
        let mut suspects = BTreeMap::new();
        for (id, count) in self.sockets.rights_in_flight() {
            if let Some(Slot { file, references, .. }) = self.slots.get(&id)
                && let Object::Socket(socket) = file.object
                && *references == count
            {
                suspects.insert(id, socket);
            }
        }
        if !suspects.is_empty() {
            self.sockets.collect(&suspects);
        }
    }

    fn pipe_mut(&mut self, pipe: PipeId) -> &mut Pipe {
        match self.pipes.get_mut(&pipe) {
            Some(pipe) => pipe,
            None => unreachable!("a pipe went before its last end"),
        }
    }

    /// Every open file, in no order that means anything.
    pub(crate) fn ids(&self) -> impl Iterator<Item = OpenFileId> + '_ {
        self.slots.keys().copied()
    }

    pub(crate) fn slot(&self, id: OpenFileId) -> Option<&Slot> {
        self.slots.get(&id)
    }

    pub(crate) fn slot_mut(&mut self, id: OpenFileId) -> &mut Slot {
        match self.slots.get_mut(&id) {
            Some(slot) => slot,
            None => unreachable!("a descriptor outlived its open file"),
        }
    }
}

/// Reads a `/proc` text at the file's offset: from a copy that is made anew at offset 0, so that a reader sees one
/// consistent state however small its buffer is.
pub(crate) fn read_text(
    file: &mut OpenFile,
    out: &mut [u8],
    make: impl FnOnce() -> Result<Text, Errno>,
) -> Result<usize, Errno> {
    let text = match &file.text {
        Some(text) if file.offset != 0 => text,
        _ => file.text.insert(Rc::new(make()?)),
    };
    let count = text.read(usize::try_from(file.offset).unwrap_or(usize::MAX), out);
    file.offset += count as u64;
    Ok(count)
}

/// Gives an entry to a writer and moves the directory's offset over it. `false`: it did not fit.
pub(crate) fn write_entry(file: &mut OpenFile, writer: &mut DirentWriter<'_>, entry: DirEntry<'_>) -> bool {
    let fits = writer.push(&entry);
    if fits {
        file.offset = entry.next;
    }
    fits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Surroundings, Waits};
    use std::vec::Vec;

    /// Nothing is ready.
    struct Nothing;

    impl Surroundings for Nothing {
        fn console_has_input(&self) -> bool {
            false
        }
        fn has_ended(&self, _: u32, _: u64) -> bool {
            false
        }
        fn awaits_terminal(&self, _: TerminalId) {}
        fn pending_signals(&self) -> u64 {
            0
        }
        fn now(&self) -> u64 {
            0
        }
    }

    fn null(flags: OpenFlags) -> OpenFile {
        OpenFile::new(Object::Device(Device::Null), None, flags)
    }

    #[test]
    fn the_last_close_returns_the_file_and_numbers_are_not_mixed_up() {
        let mut files = OpenFiles::new(|_| {});
        let a = files.insert(null(OpenFlags::RDWR | OpenFlags::CREAT));
        assert_eq!(files.get(a).flags, OpenFlags::RDWR);
        files.duplicate(a);
        assert!(files.close(a).is_none());
        assert!(files.close(a).is_some());
        assert!(files.is_empty());
        // Many files, of which every second one is closed; then the numbers come round.
        let ids: Vec<_> = (0..4000).map(|_| files.insert(null(OpenFlags::empty()))).collect();
        let (closed, open): (Vec<_>, Vec<_>) = ids.iter().partition(|id| id.0 % 2 == 0);
        for &id in &closed {
            assert!(files.close(id).is_some());
        }
        files.next = open[0].0;
        let new: Vec<_> = (0..1000).map(|_| files.insert(null(OpenFlags::RDWR))).collect();
        assert!(new.iter().all(|id| !open.contains(id)));
        assert_eq!(files.len(), open.len() + new.len());
        assert!(open.iter().all(|&id| files.get(id).flags.is_empty() && files.references(id) == 1));
    }

    #[test]
    fn a_pipe_lives_as_long_as_one_of_its_ends() {
        let mut files = OpenFiles::new(|_| {});
        let (reader, writer) = files.create_pipe(OpenFlags::NONBLOCK);
        assert_eq!(files.get(reader).flags, OpenFlags::NONBLOCK);
        assert_eq!(files.pipe_write(writer, b"abc"), Ok(PipeOutcome::Moved(3)));
        assert_eq!(files.pipe_write(reader, b"abc"), Err(Errno::EBADF));
        assert_eq!(files.pipe_peek(writer, &mut [0]), Err(Errno::EBADF));
        let Object::Pipe { pipe, .. } = files.close(writer).unwrap().object else { panic!("not a pipe") };
        let mut out = [0; 4];
        assert_eq!(files.pipe_peek(reader, &mut out), Ok((PipeOutcome::Moved(3), 0)));
        assert!(files.pipe_consume(reader, 0, 1));
        assert!(!files.pipe_consume(reader, 0, 2), "someone else has read");
        assert_eq!(files.pipe_peek(reader, &mut out), Ok((PipeOutcome::Moved(2), 1)));
        assert_eq!(&out[..2], b"bc");
        assert!(files.pipe_consume(reader, 1, 2));
        let mut waits = Waits::default();
        let ready = files.poll(reader, Readiness::IN, &Nothing, &mut waits);
        assert_eq!((ready, waits.sources), (Ok(Readiness::HUP), std::vec![Source::Pipe(pipe)]));
        assert!(files.pipe(pipe).is_some());
        files.close(reader);
        assert!(files.pipe(pipe).is_none());
    }

    #[test]
    fn seeking_checks_its_range_and_its_object() {
        let mut files = OpenFiles::new(|_| {});
        let (reader, _) = files.create_pipe(OpenFlags::empty());
        assert_eq!(files.get_mut(reader).seek(Whence::Set, 0, 0), Err(Errno::ESPIPE));
        assert_eq!(null(OpenFlags::empty()).seek(Whence::End, 5, 0), Ok(0));
    }
}
