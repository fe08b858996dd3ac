//! Descriptors and open files: open, close, dup, fcntl, lseek, pipes, directories.

use super::{
    Arguments, Outcome, Stop, descriptor, descriptor_error, has_failed, int, length, limits, seals, uint,
};
use crate::files::locks;
use crate::files::terminals;
use crate::files::turns::{Turn, TurnAt};
use crate::files::vfs::{self, open_files};
use crate::hart::current;
use crate::memory::mem::FRAME_BYTES;
use crate::memory::user::{self, UserPtr};
use crate::memory::{heap, inject, pages};
use crate::processes::process::Process;
use crate::processes::thread::Thread;
use crate::processes::wait::{self, Channel, WaitOutcome};
use ::proc::{DescriptorError, DescriptorTable};
use alloc::rc::Rc;
use core::ops::Range;
use fs::{
    Errno, Inode, Location, Notice, Object, OpenFile, OpenFileId, OpenFlags, Opened, PipeEnd, Seals, Source,
    Whence,
};
use isa::PAGE_SIZE;
use linux_raw_sys::general as linux;
use mm::file_memory::Transfer;

/// Largest buffer of `getdents64` served at once.
const MAX_ENTRIES_BYTES: usize = 32 << 10;

/// The open file behind a descriptor argument. It stays open until the call ends, whatever other threads close meanwhile.
pub fn open_file(argument: u64) -> Result<OpenFileId, Errno> {
    let fd = descriptor(argument)?;
    let thread = current();
    let id = thread.process.files().borrow().get(fd).map_err(descriptor_error)?;
    if thread.process.has_had_threads.get() {
        open_files().duplicate(id);
        thread.held_files.borrow_mut().push(id);
    }
    Ok(id)
}

/// The same, of a descriptor that is more than a name: EBADF with O_PATH. For calls that do something with the file; reading
/// and writing find that out by themselves.
pub fn file_to_use(argument: u64) -> Result<OpenFileId, Errno> {
    let id = open_file(argument)?;
    if open_files().get(id).flags.contains(OpenFlags::PATH) { Err(Errno::EBADF) } else { Ok(id) }
}

/// The running thread's call has ended: it lets go of the files that it has looked up.
#[inline]
pub fn release_held(thread: &Thread) {
    if thread.process.has_had_threads.get() {
        release_all(thread);
    }
}

#[cold]
fn release_all(thread: &Thread) {
    thread.held_files.take().into_iter().for_each(close_file);
}

/// What is known of an open file. Its path and its text are shared with it.
pub fn details(id: OpenFileId) -> OpenFile {
    open_files().get(id).clone()
}

/// An open file that is more than a name (O_PATH): EBADF.
pub fn opened(fd: u64) -> Result<OpenFile, Errno> {
    let file = details(open_file(fd)?);
    if matches!(file.object, Object::Path(_)) { Err(Errno::EBADF) } else { Ok(file) }
}

/// A descriptor of a process was taken out of its table.
pub fn close_descriptor(process: &Process, id: OpenFileId) {
    locks::descriptor_closed(process.pid, open_files().get(id));
    close_file(id);
}

/// One reference less to an open file, and to those that were on their way to it and now come to nobody.
pub fn close_file(id: OpenFileId) {
    close_one(id);
    close_released();
}

/// Closes what nobody has a descriptor of any more.
pub fn close_released() {
    loop {
        let Some(next) = open_files().take_released() else { return };
        close_one(next);
    }
}

fn close_one(id: OpenFileId) {
    let closed = open_files().close(id);
    let Some(file) = closed else { return };
    locks::file_closed(id, &file);
    terminals::closed(&file.object);
    let may_free =
        matches!(file.object, Object::Memory(_) | Object::Path(_) | Object::Directory(_) | Object::Socket(_));
    drop(file);
    if may_free {
        vfs::lock().reap();
    }
}

/// A process gives up its descriptors. Who shares them keeps them, but not the locks of this process.
pub fn give_up_descriptors(process: &Process) {
    let Some(files) = process.take_files() else { return };
    match Rc::try_unwrap(files) {
        Ok(files) => close_all(files.into_inner(), |id| close_descriptor(process, id)),
        Err(shared) => {
            for (_, id) in shared.borrow().iter() {
                locks::descriptor_closed(process.pid, open_files().get(id));
            }
        }
    }
}

/// Empties a descriptor table that nobody uses any more.
pub fn close_all(files: DescriptorTable<OpenFileId>, close: impl Fn(OpenFileId)) {
    let mut files = files;
    let mut from = 0;
    while let Some((fd, file)) = files.take_next(from, false) {
        close(file);
        from = fd + 1;
    }
}

/// The directory that a path starts from: AT_FDCWD or a descriptor.
pub fn start_of(dirfd: u64, path: &[u8]) -> Result<Location, Errno> {
    let process = &current().process;
    // Before the descriptor is looked at, as in Linux.
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    if path.first() == Some(&b'/') || int(dirfd) == linux::AT_FDCWD {
        return Ok(process.cwd());
    }
    let file = details(open_file(dirfd)?);
    let location = file.location.ok_or(Errno::ENOTDIR)?;
    if location.inode.is_dir() { Ok(location) } else { Err(Errno::ENOTDIR) }
}

pub fn openat([dirfd, path, flags, mode, ..]: Arguments) -> Outcome {
    let path = user::read_path(path)?;
    let flags = OpenFlags::from_bits_retain(uint(flags));
    // First of all, as in Linux: a call that fails for want of a descriptor makes and truncates no file.
    let reserved = Reserved::new(0)?;
    let at = start_of(dirfd, &path)?;
    let mode = uint(mode) & 0o7777 & !current().process.fs.umask.get();
    let opened = vfs::lock().open(&at, &path, flags, mode)?;
    let id = match opened {
        Opened::New(file) => {
            if let (Object::Memory(inode), true) = (&file.object, flags.contains(OpenFlags::TRUNC)) {
                pages::unmap_past_end(inode);
            }
            match (&file.object, &file.location) {
                (Object::Device(device), Some(location)) if device.is_terminal() => {
                    terminals::open(*device, location.clone(), flags)?
                }
                _ => open_files().insert(file),
            }
        }
        Opened::Fifo(location) => {
            let id = open_fifo(location, flags)?;
            open_files().tell_of_open(id, Notice::OPEN);
            id
        }
        Opened::SameAs(fd) => {
            let id = current().process.files().borrow().get(fd).map_err(|_| Errno::ENOENT)?;
            let mut files = open_files();
            if matches!(files.get(id).object, Object::Socket(_)) {
                return Err(Errno::ENXIO.into());
            }
            files.duplicate(id);
            id
        }
    };
    Ok(u64::from(reserved.fill(id, flags.contains(OpenFlags::CLOEXEC))))
}

/// Opens a FIFO. Waits, unless the flags say otherwise, until the other end has been opened.
fn open_fifo(location: Location, flags: OpenFlags) -> Result<OpenFileId, Stop> {
    let id = open_files().open_fifo(location, flags)?;
    let Object::Pipe { pipe, end } = open_files().get(id).object else { return Ok(id) };
    let opened = |id| open_files().pipe_of(id).map(|pipe| pipe.opened());
    let before = opened(id)?;
    let has_come = |now: fs::PipeOpened| match end {
        PipeEnd::Read => now.writing > before.writing,
        _ => now.reading > before.reading,
    };
    while !flags.contains(OpenFlags::NONBLOCK)
        && !open_files().pipe_of(id)?.has_partner(end)
        && !has_come(opened(id)?)
    {
        let channel = Channel::Ready(Source::Pipe(pipe));
        if wait::sleep_on(alloc::vec![channel], None, true) == WaitOutcome::Interrupted {
            close_file(id);
            return Err(Stop::Signal(true));
        }
    }
    Ok(id)
}

/// The longest name that Linux takes: a directory entry's, less `memfd:`.
const MEMFD_NAME_MAX: usize = 249;

/// Files without a name. There are no huge pages for them.
pub fn memfd_create([name, flags, ..]: Arguments) -> Outcome {
    const EITHER: u32 = linux::MFD_EXEC | linux::MFD_NOEXEC_SEAL;
    let flags = uint(flags);
    if flags & EITHER == EITHER {
        return Err(Errno::EINVAL.into());
    }
    let name = user::read_string(name, MEMFD_NAME_MAX + 1, Errno::EINVAL)?;
    let reserved = Reserved::new(0)?;
    let (mode, seals) = match flags & linux::MFD_NOEXEC_SEAL {
        0 if flags & linux::MFD_ALLOW_SEALING == 0 => (0o777, Seals::SEAL),
        0 => (0o777, Seals::empty()),
        _ => (0o666, Seals::EXEC),
    };
    let file = vfs::lock().create_nameless(&name, mode, seals)?;
    let id = open_files().insert(file);
    Ok(u64::from(reserved.fill(id, flags & linux::MFD_CLOEXEC != 0)))
}

/// A descriptor for a file that is still to be opened. Dropped unfilled, its number is free again.
pub struct Reserved {
    fd: u32,
    thread: Rc<Thread>,
    is_filled: bool,
}

impl Reserved {
    /// The lowest number from `from` on that is free. EMFILE.
    pub fn new(from: u32) -> Result<Self, Errno> {
        let thread = current();
        let reserved = thread.process.files().borrow_mut().reserve(from);
        let fd = reserved.map_err(|error| match error {
            DescriptorError::OutOfRange => Errno::EMFILE,
            other => descriptor_error(other),
        })?;
        Ok(Self { fd, thread, is_filled: false })
    }
    /// The number.
    pub fn fd(&self) -> u32 {
        self.fd
    }
    /// Makes it name a file.
    pub fn fill(mut self, id: OpenFileId, close_on_exec: bool) -> u32 {
        self.is_filled = true;
        self.thread.process.files().borrow_mut().fill(self.fd, id, close_on_exec);
        self.fd
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if !self.is_filled {
            self.thread.process.files().borrow_mut().release(self.fd);
        }
    }
}

/// Gives an open file a descriptor; closes it again if there is none free.
fn enter(id: OpenFileId, from: u32, close_on_exec: bool) -> Outcome {
    let inserted = current().process.files().borrow_mut().insert(id, from, close_on_exec);
    match inserted {
        Ok(fd) => Ok(u64::from(fd)),
        Err(error) => {
            close_file(id);
            Err(descriptor_error(error).into())
        }
    }
}

pub fn close([fd, ..]: Arguments) -> Outcome {
    let fd = descriptor(fd)?;
    let process = &current().process;
    let id = process.files().borrow_mut().remove(fd).map_err(descriptor_error)?;
    close_descriptor(process, id);
    Ok(0)
}

/// `linux/close_range.h`; not in linux-raw-sys.
const CLOSE_RANGE_CLOEXEC: u32 = 1 << 2;

pub fn close_range([first, last, flags, ..]: Arguments) -> Outcome {
    let (first, last) = (uint(first), uint(last));
    if first > last {
        return Err(Errno::EINVAL.into());
    }
    let process = &current().process;
    let highest = process.files().borrow().iter().last().map_or(0, |(fd, _)| fd);
    for fd in first..=last.min(highest) {
        let is_open = process.files().borrow().get(fd).is_ok();
        if !is_open {
            continue;
        }
        if uint(flags) & CLOSE_RANGE_CLOEXEC != 0 {
            process.files().borrow_mut().set_close_on_exec(fd, true).map_err(descriptor_error)?;
        } else {
            let id = process.files().borrow_mut().remove(fd).map_err(descriptor_error)?;
            close_descriptor(process, id);
        }
    }
    Ok(0)
}

pub fn dup([fd, ..]: Arguments) -> Outcome {
    let id = open_file(fd)?;
    open_files().duplicate(id);
    enter(id, 0, false)
}

pub fn dup3([old, new, flags, ..]: Arguments) -> Outcome {
    if uint(new) == uint(old) {
        return Err(Errno::EINVAL.into());
    }
    let id = open_file(old)?;
    let new = descriptor(new)?;
    open_files().duplicate(id);
    let process = &current().process;
    let replaced = process.files().borrow_mut().replace(new, id, uint(flags) & linux::O_CLOEXEC != 0);
    match replaced {
        Ok(before) => {
            before.into_iter().for_each(|before| close_descriptor(process, before));
            Ok(u64::from(new))
        }
        Err(error) => {
            close_file(id);
            Err(if error == DescriptorError::OutOfRange { Errno::EBADF } else { descriptor_error(error) }
                .into())
        }
    }
}

pub fn fcntl([fd, command, argument, ..]: Arguments) -> Outcome {
    let id = open_file(fd)?;
    let fd = descriptor(fd)?;
    let process = &current().process;
    let command = uint(command);
    let is_of_descriptor = matches!(
        command,
        linux::F_DUPFD | linux::F_DUPFD_CLOEXEC | linux::F_GETFD | linux::F_SETFD | linux::F_GETFL
    );
    if !is_of_descriptor && open_files().get(id).flags.contains(OpenFlags::PATH) {
        return Err(Errno::EBADF.into());
    }
    match command {
        command @ (linux::F_DUPFD | linux::F_DUPFD_CLOEXEC) => {
            let from = u32::try_from(int(argument)).map_err(|_| Errno::EINVAL)?;
            open_files().duplicate(id);
            enter(id, from, command == linux::F_DUPFD_CLOEXEC)
        }
        linux::F_GETFD => {
            let set = process.files().borrow().close_on_exec(fd).map_err(descriptor_error)?;
            Ok(u64::from(set) * u64::from(linux::FD_CLOEXEC))
        }
        linux::F_SETFD => {
            let set = uint(argument) & linux::FD_CLOEXEC != 0;
            process.files().borrow_mut().set_close_on_exec(fd, set).map_err(descriptor_error)?;
            Ok(0)
        }
        linux::F_GETFL => Ok(u64::from(status_flags(open_files().get(id)))),
        linux::F_SETFL => set_status(id, OpenFlags::from_bits_retain(uint(argument))),
        // Nobody is sent SIGIO.
        linux::F_SETOWN | linux::F_GETOWN => Ok(0),
        linux::F_GETPIPE_SZ => Ok(open_files().pipe_of(id)?.capacity() as u64),
        linux::F_SETPIPE_SZ => Ok(open_files().set_pipe_capacity(id, uint(argument))? as u64),
        linux::F_GET_SEALS => seals::get(id),
        linux::F_ADD_SEALS => seals::add(id, argument),
        command @ (linux::F_GETLK
        | linux::F_SETLK
        | linux::F_SETLKW
        | linux::F_OFD_GETLK
        | linux::F_OFD_SETLK
        | linux::F_OFD_SETLKW) => super::locks::record_lock(u64::from(fd), id, command, argument),
        _ => Err(Errno::EINVAL.into()),
    }
}

fn set_status(id: OpenFileId, wanted: OpenFlags) -> Outcome {
    let (flags, location) = {
        let files = open_files();
        let file = files.get(id);
        (file.flags, file.location.clone())
    };
    if (wanted - flags).contains(OpenFlags::NOATIME)
        && let Some(location) = location
    {
        vfs::lock().check_owner(&location.inode)?;
    }
    open_files().get_mut(id).flags = (flags - OpenFlags::SETTABLE) | (wanted & OpenFlags::SETTABLE);
    Ok(0)
}

/// There is nothing to write back: the disk is read-only and tmpfs lives in memory.
pub fn fsync([fd, ..]: Arguments) -> Outcome {
    match details(file_to_use(fd)?).object {
        Object::Pipe { .. }
        | Object::Terminal { .. }
        | Object::Socket(_)
        | Object::Anonymous(_)
        | Object::Device(_)
        | Object::Text(_)
        | Object::ProcessMemory { .. } => Err(Errno::EINVAL.into()),
        _ => Ok(0),
    }
}

pub fn lseek([fd, offset, whence, ..]: Arguments) -> Outcome {
    let id = open_file(fd)?;
    let whence = match uint(whence) {
        linux::SEEK_SET => Whence::Set,
        linux::SEEK_CUR => Whence::Current,
        linux::SEEK_END => Whence::End,
        linux::SEEK_DATA => return seek_extent(id, offset, false),
        linux::SEEK_HOLE => return seek_extent(id, offset, true),
        _ => return Err(Errno::EINVAL.into()),
    };
    let _turn = Turn::at_offset(id);
    let size = if whence == Whence::End { size_of_open(id)? } else { 0 };
    Ok(open_files().get_mut(id).seek(whence, offset.cast_signed(), size)?)
}

/// To the next data, or to the next hole.
fn seek_extent(id: OpenFileId, offset: u64, wants_hole: bool) -> Outcome {
    let (Object::Disk(inode) | Object::Memory(inode)) = details(id).object else {
        // Nothing moves; what cannot be sought in at all says so.
        open_files().get_mut(id).seek(Whence::Current, 0, 0)?;
        return Err(Errno::EINVAL.into());
    };
    let _turn = Turn::at_offset(id);
    // A negative one lies past every end.
    let found = vfs::lock().seek_extent(&inode, offset, wants_hole)?;
    open_files().get_mut(id).offset = found;
    Ok(found)
}

/// The length of an open file that has one, else 0.
pub fn size_of_open(id: OpenFileId) -> Result<u64, Errno> {
    match details(id).object {
        Object::Disk(inode) | Object::Memory(inode) => vfs::lock().size(inode.id()),
        Object::Loop(device) => super::loops::len_bytes(device),
        _ => Ok(0),
    }
}

pub fn pipe2([fds, flags, ..]: Arguments) -> Outcome {
    let flags = OpenFlags::from_bits_retain(uint(flags));
    let (first, second) = (Reserved::new(0)?, Reserved::new(0)?);
    UserPtr::<[u32; 2]>::from(fds).write([first.fd, second.fd])?;
    let (reader, writer) = open_files().create_pipe(flags);
    let close_on_exec = flags.contains(OpenFlags::CLOEXEC);
    first.fill(reader, close_on_exec);
    second.fill(writer, close_on_exec);
    Ok(0)
}

pub fn ftruncate([fd, len, ..]: Arguments) -> Outcome {
    let file = details(file_to_use(fd)?);
    file.check_writable().map_err(|_| Errno::EINVAL)?;
    if len.cast_signed() < 0 {
        return Err(Errno::EINVAL.into());
    }
    match (&file.object, &file.location) {
        (Object::Memory(_), Some(location)) => truncate(location, len),
        _ => Err(Errno::EINVAL.into()),
    }
}

/// Cuts a file, or lets it grow, between the writes of others.
pub fn truncate(location: &Location, len: u64) -> Outcome {
    let inode = &location.inode;
    let _turn = Turn::take(TurnAt::Contents(inode.id()));
    let size = vfs::lock().size(inode.id())?;
    if len > size {
        limits::check_growth(len)?;
    }
    truncate_in_turn(inode, len)?;
    open_files().tell_of(location, Notice::MODIFY);
    Ok(0)
}

fn truncate_in_turn(inode: &Inode, len: u64) -> Result<(), Errno> {
    pages::restarting(inode, &(len..len), Transfer::Read, || vfs::lock().truncate(inode, len))?;
    pages::unmap_past_end(inode);
    Ok(())
}

/// Pages that take memory from now on, or a hole in place of what was there.
pub fn fallocate([fd, mode, offset, len, ..]: Arguments) -> Outcome {
    let file = opened(fd)?;
    set_aside(&file, uint(mode), offset, len)?;
    if let Some(location) = &file.location {
        open_files().tell_of(location, Notice::MODIFY);
    }
    Ok(0)
}

fn set_aside(file: &OpenFile, mode: u32, offset: u64, len: u64) -> Outcome {
    const PUNCH_HOLE: u32 = linux::FALLOC_FL_PUNCH_HOLE | linux::FALLOC_FL_KEEP_SIZE;
    if offset.cast_signed() < 0 || len.cast_signed() <= 0 {
        return Err(Errno::EINVAL.into());
    }
    if !matches!(mode, 0 | linux::FALLOC_FL_KEEP_SIZE | PUNCH_HOLE) {
        return Err(Errno::EOPNOTSUPP.into());
    }
    file.check_writable()?;
    let Object::Memory(inode) = &file.object else {
        let is_pipe = matches!(file.object, Object::Pipe { .. });
        return Err(if is_pipe { Errno::ESPIPE } else { Errno::ENODEV }.into());
    };
    let end = offset.checked_add(len).filter(|&end| end <= i64::MAX.cast_unsigned()).ok_or(Errno::EFBIG)?;
    let _turn = Turn::take(TurnAt::Contents(inode.id()));
    if mode == PUNCH_HOLE {
        return punch_hole(inode, offset, end);
    }
    let size = vfs::lock().size(inode.id())?;
    if end > size {
        // As in Linux, also where the size is kept.
        limits::check_growth(end)?;
    }
    let keeps_size = mode & linux::FALLOC_FL_KEEP_SIZE != 0;
    // Past the end there is no place for pages.
    let end = if keeps_size { end.min(size) } else { end };
    let range = offset / PAGE_SIZE..end.div_ceil(PAGE_SIZE);
    if range.end.saturating_sub(range.start) > vfs::lock().statfs(inode)?.blocks {
        return Err(Errno::ENOSPC.into());
    }
    if end > size {
        pages::restarting(inode, &(end..end), Transfer::Read, || vfs::lock().truncate(inode, end))?;
    }
    let filled = fill_holes(inode, range);
    if filled.is_err() && end > size {
        truncate_in_turn(inode, size)?;
    }
    filled
}

/// In three parts, so that each needs at most one page to be in memory: those at the ends leave something of a page.
fn punch_hole(inode: &Inode, offset: u64, end: u64) -> Outcome {
    let first_whole = offset.next_multiple_of(PAGE_SIZE).min(end);
    let after_whole = (end - end % PAGE_SIZE).max(first_whole);
    for bytes in [offset..first_whole, first_whole..after_whole, after_whole..end] {
        if !bytes.is_empty() {
            let punch = || vfs::lock().punch_hole(inode, bytes.clone());
            pages::restarting(inode, &bytes, Transfer::Read, punch)?;
        }
    }
    Ok(0)
}

/// Piece by piece, as each takes its share of the kernel's own memory.
fn fill_holes(inode: &Inode, range: Range<u64>) -> Outcome {
    const PIECE_PAGES: usize = 64;
    for first in range.clone().step_by(PIECE_PAGES) {
        let pages = first..range.end.min(first + PIECE_PAGES as u64);
        inject::attempts(has_failed, || {
            heap::settle()?;
            let filled = || vfs::lock().fill_holes(inode, pages.clone());
            Ok(pages::restarting(inode, &(0..0), Transfer::Read, filled)?)
        })?;
    }
    Ok(0)
}

pub fn getdents64([fd, buffer, len, ..]: Arguments) -> Outcome {
    let id = file_to_use(fd)?;
    let capacity = length(len).min(MAX_ENTRIES_BYTES);
    let _turn = Turn::at_offset(id);
    // The file's state is taken out while the file systems are locked, since that may sleep.
    let mut file = details(id);
    if !matches!(file.object, Object::Directory(_)) {
        return Err(Errno::ENOTDIR.into());
    }
    let thread = current();
    let mut scratch = thread.scratch.borrow_mut();
    let mut done = 0;
    loop {
        let (want, start) = ((capacity - done).min(FRAME_BYTES), file.offset);
        let listed = inject::attempts(has_failed, || {
            file.offset = start;
            next_entries(&mut file, &mut scratch[..want], buffer.wrapping_add(done as u64))
        });
        match listed {
            Ok((count, goes_on)) => {
                open_files().get_mut(id).offset = file.offset;
                done += count;
                if !goes_on || count == 0 {
                    open_files().tell_of_open(id, Notice::ACCESS);
                    return Ok(done as u64);
                }
            }
            Err(_) if done > 0 => return Ok(done as u64),
            Err(stop) => return Err(stop),
        }
    }
}

/// What F_GETFL tells. Linux adds O_LARGEFILE to what `open` has opened, but for names (O_PATH).
pub fn status_flags(file: &OpenFile) -> u32 {
    let has_been_opened =
        !matches!(file.object, Object::Pipe { .. } | Object::Socket(_) | Object::Anonymous(_));
    let is_opened = has_been_opened && !file.flags.contains(OpenFlags::PATH);
    file.flags.bits() | if is_opened { linux::O_LARGEFILE } else { 0 }
}

/// Copies the next entries of a directory to the program, as many as fit into `scratch`. Returns how many bytes they take, and whether more
/// would have come.
fn next_entries(file: &mut OpenFile, scratch: &mut [u8], address: u64) -> Result<(usize, bool), Stop> {
    heap::settle()?;
    let start = file.offset;
    let (count, goes_on) = list_entries(file, scratch)?;
    let copied = user::copy_out_some(address, &scratch[..count])?;
    if copied == count {
        return Ok((count, goes_on));
    }
    // As in Linux: the entries before a hole count.
    file.offset = start;
    let (count, _) = list_entries(file, &mut scratch[..copied]).map_err(|error| match error {
        Errno::EINVAL => Errno::EFAULT,
        error => error,
    })?;
    user::copy_out(address, &scratch[..count])?;
    Ok((count, false))
}

/// The next entries of a directory, as many as fit: how many bytes they take, and whether there are more.
fn list_entries(file: &mut OpenFile, into: &mut [u8]) -> Result<(usize, bool), Errno> {
    let mut writer = fs::DirentWriter::new(into);
    vfs::lock().read_dir(file, &mut writer)?;
    let is_full = writer.is_full();
    Ok((writer.finish()?, is_full))
}
