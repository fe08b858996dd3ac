//! Reading and writing open files.
//!
//! Data passes through the thread's scratch page: no lock is held and no frame pinned while user memory is touched.
//! A call works piece by piece, and a piece that finds no memory has done nothing: what a pipe or a device holds is taken out of it
//! only when it can be delivered. What came before it makes the call's result.

use super::files::{details, open_file};
use super::spans::{Cursor, MAX_BYTES, Span, span, spans, total_of};
use super::{
    Arguments, Outcome, Stop, event_files, has_failed, length, limits, loops, messages, system, uint,
};
use crate::devices::console;
use crate::files::process_memory;
use crate::files::ready;
use crate::files::terminals;
use crate::files::turns::{Turn, TurnAt};
use crate::files::vfs::{self, open_files};
use crate::hart::current;
use crate::memory::mem::FRAME_BYTES;
use crate::memory::user;
use crate::memory::{heap, inject, pages};
use crate::processes::thread::Thread;
use ::proc::{SigInfo, Signal};
use fs::{
    Device, Errno, Inode, LAST_BYTE, Notice, Object, OpenFile, OpenFileId, OpenFiles, OpenFlags, PipeId,
    PipeOutcome, Source,
};
use isa::PAGE_SIZE;
use linux_raw_sys::general as linux;
use mm::file_memory::Transfer;

/// Bytes moved in one piece: what the thread's scratch page holds.
pub const PIECE_BYTES: usize = FRAME_BYTES;

/// Where in the file a call reads or writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// At the open file's offset, which moves.
    Current,
    /// At an offset of its own.
    At(u64),
}

pub fn read([fd, buffer, len, ..]: Arguments) -> Outcome {
    read_spans(open_file(fd)?, &[span(buffer, len)], Position::Current)
}

pub fn write([fd, buffer, len, ..]: Arguments) -> Outcome {
    write_spans(open_file(fd)?, &[span(buffer, len)], Position::Current)
}

pub fn readv([fd, vector, count, ..]: Arguments) -> Outcome {
    read_vector(open_file(fd)?, vector, count, Position::Current, 0)
}

pub fn writev([fd, vector, count, ..]: Arguments) -> Outcome {
    write_vector(open_file(fd)?, vector, count, Position::Current, 0)
}

pub fn pread64([fd, buffer, len, offset, ..]: Arguments) -> Outcome {
    let (id, position) = open_at(fd, offset)?;
    read_spans(id, &[span(buffer, len)], position)
}

pub fn pwrite64([fd, buffer, len, offset, ..]: Arguments) -> Outcome {
    let (id, position) = open_at(fd, offset)?;
    write_spans(id, &[span(buffer, len)], position)
}

pub fn preadv([fd, vector, count, offset, ..]: Arguments) -> Outcome {
    let (id, position) = open_at(fd, offset)?;
    read_vector(id, vector, count, position, 0)
}

pub fn pwritev([fd, vector, count, offset, ..]: Arguments) -> Outcome {
    let (id, position) = open_at(fd, offset)?;
    write_vector(id, vector, count, position, 0)
}

/// -1 for the file's own offset, which moves.
const NO_OFFSET: u64 = u64::MAX;

pub fn preadv2([fd, vector, count, offset, _, flags]: Arguments) -> Outcome {
    let (id, position) = open_at_or_here(fd, offset)?;
    read_vector(id, vector, count, position, flags)
}

pub fn pwritev2([fd, vector, count, offset, _, flags]: Arguments) -> Outcome {
    let (id, position) = open_at_or_here(fd, offset)?;
    write_vector(id, vector, count, position, flags)
}

/// Reads into a vector of buffers. If all of them are empty nobody asks the file, whatever it is.
fn read_vector(id: OpenFileId, vector: u64, count: u64, position: Position, flags: u64) -> Outcome {
    check_reads(&open_files(), id)?;
    let spans = spans(vector, count)?;
    if total_of(&spans)? == 0 {
        return Ok(0);
    }
    check_manner(flags)?;
    read_spans(id, &spans, position)
}

/// Writes a vector of buffers, as [`read_vector`] reads.
fn write_vector(id: OpenFileId, vector: u64, count: u64, position: Position, flags: u64) -> Outcome {
    check_writes(&open_files(), id)?;
    let spans = spans(vector, count)?;
    if total_of(&spans)? == 0 {
        return Ok(0);
    }
    check_manner(flags)?;
    write_spans(id, &spans, position)
}

/// EBADF unless open for reading, EINVAL if it is something that cannot be read at all.
fn check_reads(files: &OpenFiles, id: OpenFileId) -> Result<(), Errno> {
    let file = files.get(id);
    file.check_readable()?;
    match &file.object {
        Object::Anonymous(_) => event_files::check_reads(files, id),
        _ => Ok(()),
    }
}

/// EBADF unless open for writing, EINVAL if it is something that cannot be written at all.
fn check_writes(files: &OpenFiles, id: OpenFileId) -> Result<(), Errno> {
    let file = files.get(id);
    file.check_writable()?;
    match &file.object {
        Object::Anonymous(_) => event_files::check_writes(files, id),
        _ => Ok(()),
    }
}

/// EOPNOTSUPP for a manner of reading and writing that is not at hand: all but those that only hurry.
fn check_manner(flags: u64) -> Result<(), Errno> {
    const HARMLESS: u32 = linux::RWF_HIPRI | linux::RWF_DSYNC | linux::RWF_SYNC;
    if uint(flags) & !HARMLESS == 0 { Ok(()) } else { Err(Errno::EOPNOTSUPP) }
}

/// How much a call moves at most: all of the spans, or as much as one call moves. `current` is the file's own offset.
fn bytes_of(spans: &[Span], position: Position, current: u64) -> Result<usize, Errno> {
    let all = total_of(spans)?;
    let offset = match position {
        Position::At(offset) => offset,
        Position::Current => current,
    };
    // The number of the last byte of a file is not negative, nor is the offset behind it.
    if offset.saturating_add(all as u64) > LAST_BYTE { Err(Errno::EINVAL) } else { Ok(all.min(MAX_BYTES)) }
}

/// An open file that has offsets, and one of them.
fn open_at(fd: u64, offset: u64) -> Result<(OpenFileId, Position), Errno> {
    if offset.cast_signed() < 0 {
        return Err(Errno::EINVAL);
    }
    let id = open_file(fd)?;
    let is_path = open_files().get(id).flags.contains(OpenFlags::PATH);
    if is_path || has_positions(&open_files().get(id).object) {
        Ok((id, Position::At(offset)))
    } else {
        Err(Errno::ESPIPE)
    }
}

/// The same, or where the file is.
fn open_at_or_here(fd: u64, offset: u64) -> Result<(OpenFileId, Position), Errno> {
    if offset == NO_OFFSET { Ok((open_file(fd)?, Position::Current)) } else { open_at(fd, offset) }
}

pub fn has_positions(object: &Object) -> bool {
    !matches!(
        object,
        Object::Pipe { .. }
            | Object::Terminal { .. }
            | Object::Socket(_)
            | Object::Anonymous(_)
            | Object::Device(Device::Stdio { .. })
    )
}

/// What one transfer came to: bytes moved, or the reason why none were.
pub type Moved = Result<usize, Stop>;

fn read_spans(id: OpenFileId, spans: &[Span], position: Position) -> Outcome {
    let outcome = read_all(id, spans, position);
    count_transfer(id, &outcome, true);
    outcome
}

/// Counts what a call has moved, and tells who watches the file.
pub fn count_transfer(id: OpenFileId, outcome: &Outcome, is_read: bool) {
    let bytes = *outcome.as_ref().unwrap_or(&0);
    current().process.count_transfer(|counts| match is_read {
        true => (counts.reads, counts.bytes_read) = (counts.reads + 1, counts.bytes_read + bytes),
        false => (counts.writes, counts.bytes_written) = (counts.writes + 1, counts.bytes_written + bytes),
    });
    if bytes > 0 {
        open_files().tell_of_open(id, if is_read { Notice::ACCESS } else { Notice::MODIFY });
    }
}

fn read_all(id: OpenFileId, spans: &[Span], position: Position) -> Outcome {
    let (all, shares_offset) = {
        let files = open_files();
        let (file, is_shared) = files.get_with_sharing(id);
        check_reads(&files, id)?;
        let all = bytes_of(spans, position, file.offset)?;
        if let Object::Directory(_) = file.object {
            return Err(Errno::EISDIR.into());
        }
        (all, is_shared && position == Position::Current)
    };
    let object = open_files().get(id).object.clone();
    match object {
        Object::Socket(socket) => return messages::read(id, socket, spans),
        Object::Anonymous(_) => return event_files::read(id, spans),
        _ => {}
    }
    let _turn = shares_offset.then(|| Turn::take(TurnAt::Offset(id)));
    let mut done = 0;
    for span in spans {
        let mut part = 0;
        while part < span.len && done < all {
            let want = (span.len - part).min(PIECE_BYTES).min(all - done);
            let address = span.address.wrapping_add(part as u64);
            let moved = piece(|| read_piece(id, address, want, advance(position, done), done == 0));
            if let Some(end) = goes_on(moved, want, &mut done) {
                return end;
            }
            part += want;
        }
    }
    Ok(done as u64)
}

fn write_spans(id: OpenFileId, spans: &[Span], position: Position) -> Outcome {
    let outcome = write_all(id, spans, position);
    count_transfer(id, &outcome, false);
    outcome
}

/// Pieces go over the limits of spans: what is written to a pipe at once is together there.
fn write_all(id: OpenFileId, spans: &[Span], position: Position) -> Outcome {
    let (all, mut file, shares_offset) = {
        let files = open_files();
        let (file, is_shared) = files.get_with_sharing(id);
        check_writes(&files, id)?;
        let all = bytes_of(spans, position, file.offset)?;
        if let Object::Device(Device::Null | Device::Zero) = file.object {
            // Nothing of the program's memory is looked at.
            return Ok(all as u64);
        }
        if let Object::Device(Device::Full) = file.object {
            return Err(Errno::ENOSPC.into());
        }
        (all, file.clone(), is_shared && position == Position::Current)
    };
    match file.object {
        Object::Socket(socket) => return messages::write(id, socket, spans),
        Object::Anonymous(_) => return event_files::write(id, spans),
        Object::Terminal { terminal, end } if all == 0 => {
            return Ok(terminals::write((terminal, end), &[], true)? as u64);
        }
        _ => {}
    }
    let _turn = shares_offset.then(|| Turn::take(TurnAt::Offset(id)));
    if shares_offset {
        file = details(id);
    }
    let _contents = turn_at_contents(&file);
    let all = within_limit(&file, position, all)?;
    let mut cursor = Cursor::new(spans);
    let mut done = 0;
    while done < all {
        let (want, before) = (PIECE_BYTES.min(all - done), done);
        let moved = piece(|| write_piece(id, &file, cursor, want, advance(position, done)));
        if let Some(end) = goes_on(moved, want, &mut done) {
            return end;
        }
        cursor.skip(done - before);
        file.offset += (done - before) as u64;
    }
    Ok(done as u64)
}

/// One's turn at what a file in memory holds.
fn turn_at_contents(file: &OpenFile) -> Option<Turn> {
    match &file.object {
        Object::Memory(inode) => Some(Turn::take(TurnAt::Contents(inode.id()))),
        _ => None,
    }
}

/// How many of `len` bytes a file may take (RLIMIT_FSIZE).
fn within_limit(file: &OpenFile, position: Position, len: usize) -> Result<usize, Errno> {
    match &file.object {
        Object::Memory(inode) if len > 0 => limits::bytes_of_write(place(file, inode, position)?, len),
        _ => Ok(len),
    }
}

/// Where in a file in memory a write begins.
fn place(file: &OpenFile, inode: &Inode, position: Position) -> Result<u64, Errno> {
    match position {
        _ if file.flags.contains(OpenFlags::APPEND) => vfs::lock().size(inode.id()),
        Position::Current => Ok(file.offset),
        Position::At(offset) => Ok(offset),
    }
}

/// Does a piece of a call.
fn piece(mut action: impl FnMut() -> Moved) -> Moved {
    inject::attempts(has_failed, || {
        heap::settle()?;
        action()
    })
}

/// Counts what a piece has moved; what the call comes to, if that was the last one.
fn goes_on(moved: Moved, want: usize, done: &mut usize) -> Option<Outcome> {
    match moved {
        Ok(count) => {
            *done += count;
            (count < want).then_some(Ok(*done as u64))
        }
        Err(_) if *done > 0 => Some(Ok(*done as u64)),
        Err(stop) => Some(Err(stop)),
    }
}

fn advance(position: Position, done: usize) -> Position {
    match position {
        Position::Current => Position::Current,
        Position::At(offset) => Position::At(offset.saturating_add(done as u64)),
    }
}

fn read_piece(id: OpenFileId, address: u64, want: usize, position: Position, may_wait: bool) -> Moved {
    let (object, flags, offset) = {
        let files = open_files();
        let file = files.get(id);
        (file.object.clone(), file.flags, file.offset)
    };
    let thread = current();
    let mut scratch = thread.scratch.borrow_mut();
    let buffer = &mut scratch[..want];
    let nonblocking = flags.contains(OpenFlags::NONBLOCK) || !may_wait;
    let offset = match position {
        Position::Current => offset,
        Position::At(offset) => offset,
    };
    let count = match &object {
        Object::Disk(inode) => {
            let (number, len_bytes) = pages::open(inode)?;
            pages::read(number, len_bytes, offset, buffer)?
        }
        Object::Memory(inode) => read_memory(inode, offset, buffer)?,
        Object::ProcessMemory { pid, view } => process_memory::read(*pid, *view, offset, buffer)?,
        Object::Loop(device) => loops::read(*device, offset, buffer)?,
        Object::Text(_) => return read_text(id, address, buffer, position),
        Object::Device(Device::Stdio { .. }) => return read_console(address, buffer, nonblocking),
        Object::Terminal { terminal, end } => {
            return terminals::read((*terminal, *end), address, buffer, nonblocking);
        }
        Object::Device(device) => read_device(*device, buffer),
        Object::Pipe { pipe, .. } => return read_pipe(id, *pipe, address, buffer, nonblocking),
        // Folders cannot be read; a socket is read whole messages at a time, before any piece.
        Object::Directory(_) | Object::Socket(_) | Object::Anonymous(_) | Object::Path(_) => {
            return Err(Errno::EBADF.into());
        }
    };
    let copied = user::copy_out_some(address, &buffer[..count])?;
    let has_offset = matches!(
        object,
        Object::Disk(_) | Object::Memory(_) | Object::ProcessMemory { .. } | Object::Loop(_)
    );
    if position == Position::Current && has_offset {
        open_files().get_mut(id).offset = offset + copied as u64;
    }
    Ok(copied)
}

/// A file of `/proc`: its text is made while the file systems are locked and kept with the open file.
fn read_text(id: OpenFileId, address: u64, buffer: &mut [u8], position: Position) -> Moved {
    let mut file = details(id);
    if let Position::At(offset) = position {
        file.offset = offset;
    }
    let start = file.offset;
    let count = vfs::lock().read_text(&mut file, buffer)?;
    let copied = user::copy_out_some(address, &buffer[..count])?;
    if position == Position::Current {
        file.offset = start + copied as u64;
        open_files().get_mut(id).go_on_from(file);
    }
    Ok(copied)
}

pub fn read_device(device: Device, buffer: &mut [u8]) -> usize {
    match device {
        Device::Zero | Device::Full => buffer.fill(0),
        Device::Random => system::fill_random(buffer),
        _ => return 0,
    }
    buffer.len()
}

fn read_console(address: u64, buffer: &mut [u8], nonblocking: bool) -> Moved {
    loop {
        let peeked = console::peek(buffer, !nonblocking);
        let (count, position) = peeked.map_err(|error| error.map_or(Stop::Signal(true), Stop::Errno))?;
        let copied = user::copy_out_some(address, &buffer[..count])?;
        // As with a pipe.
        if console::consume(position, copied) {
            return Ok(copied);
        }
    }
}

fn read_pipe(id: OpenFileId, pipe: PipeId, address: u64, buffer: &mut [u8], nonblocking: bool) -> Moved {
    loop {
        let (outcome, position) = open_files().pipe_peek(id, buffer)?;
        match outcome {
            PipeOutcome::Moved(count) => {
                let copied = user::copy_out_some(address, &buffer[..count])?;
                // The copy may have slept, and another reader have had these bytes.
                if open_files().pipe_consume(id, position, copied) {
                    return Ok(copied);
                }
            }
            PipeOutcome::Broken => return Err(Errno::EPIPE.into()),
            PipeOutcome::Wait if nonblocking => return Err(Errno::EAGAIN.into()),
            PipeOutcome::Wait => ready::wait_for(Source::Pipe(pipe))?,
        }
    }
}

fn write_piece(id: OpenFileId, file: &OpenFile, from: Cursor<'_>, want: usize, position: Position) -> Moved {
    if let Object::Disk(_) = &file.object {
        return Err(Errno::EBADF.into());
    }
    let thread = current();
    let mut scratch = thread.scratch.borrow_mut();
    let gathered = from.gather(&mut scratch[..want])?;
    if gathered < want && matches!(file.object, Object::Pipe { .. }) {
        // As in Linux: what goes into a pipe at once goes whole.
        return Err(Errno::EFAULT.into());
    }
    send(id, file, &scratch[..gathered], position)
}

/// Reads a file whose contents are in memory, as far as they are.
fn read_memory(inode: &Inode, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
    let mut done = 0;
    while done < into.len() {
        let at = offset.saturating_add(done as u64);
        let end = into.len().min(done + to_end_of_page(at));
        let part = &mut into[done..end];
        let bytes = at..at.saturating_add(part.len() as u64);
        let count = pages::restarting(inode, &bytes, Transfer::Read, || vfs::lock().read_at(inode, at, part));
        match count {
            Ok(count) if count == part.len() => done += count,
            Ok(count) => return Ok(done + count),
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// How many bytes there are from an offset to the end of its page.
fn to_end_of_page(offset: u64) -> usize {
    FRAME_BYTES - length(offset % PAGE_SIZE)
}

/// Writes to a file in memory, page by page: what finds no memory has done nothing.
fn write_memory(inode: &Inode, offset: u64, bytes: &[u8]) -> Moved {
    let mut done = 0;
    while done < bytes.len() {
        let at = offset + done as u64;
        let part = &bytes[done..bytes.len().min(done + to_end_of_page(at))];
        let written = inject::attempts(has_failed, || {
            heap::settle()?;
            let bytes = at..at + part.len() as u64;
            Ok(pages::restarting(inode, &bytes, Transfer::Write, || vfs::lock().write_at(inode, at, part))?)
        });
        match written {
            Ok(count) => done += count,
            Err(_) if done > 0 => break,
            Err(stop) => return Err(stop),
        }
    }
    Ok(done)
}

fn write_console(stream: u64, bytes: &[u8]) -> Moved {
    match console::write(stream, bytes) {
        Err(Errno::EPIPE) => broken_pipe(&current()),
        result => Ok(result?),
    }
}

/// Moves all bytes unless the file is nonblocking.
fn write_pipe(id: OpenFileId, pipe: PipeId, bytes: &[u8], nonblocking: bool) -> Moved {
    let mut done = 0;
    loop {
        let outcome = inject::attempts(has_failed, || {
            heap::settle()?;
            Ok(open_files().pipe_write(id, &bytes[done..])?)
        });
        match outcome {
            Err(_) if done > 0 => return Ok(done),
            Err(stop) => return Err(stop),
            Ok(PipeOutcome::Moved(count)) => {
                done += count;
                if done == bytes.len() {
                    return Ok(done);
                }
            }
            Ok(PipeOutcome::Broken) if done > 0 => return Ok(done),
            Ok(PipeOutcome::Broken) => return broken_pipe(&current()),
            Ok(PipeOutcome::Wait) if nonblocking && done > 0 => return Ok(done),
            Ok(PipeOutcome::Wait) if nonblocking => return Err(Errno::EAGAIN.into()),
            Ok(PipeOutcome::Wait) => {
                if let Err(stop) = ready::wait_for(Source::Pipe(pipe)) {
                    return if done > 0 { Ok(done) } else { Err(stop) };
                }
            }
        }
    }
}

/// EPIPE, with its signal.
pub fn broken_pipe(thread: &Thread) -> Moved {
    thread.post(SigInfo::from_user(Signal::PIPE, thread.process.pid));
    Err(Errno::EPIPE.into())
}

/// Reads a regular file: what it has at `offset`, as much of it as fits into the buffer.
pub fn read_stored(source: &Object, offset: u64, buffer: &mut [u8]) -> Moved {
    match source {
        Object::Disk(inode) => {
            let (number, len_bytes) = pages::open(inode)?;
            Ok(pages::read(number, len_bytes, offset, buffer)?)
        }
        Object::Memory(inode) => Ok(read_memory(inode, offset, buffer)?),
        _ => Err(Errno::EINVAL.into()),
    }
}

/// Sends kernel bytes to an open file, in one's turn at its contents and within what a file may hold.
pub fn write_stored(out: OpenFileId, target: &OpenFile, bytes: &[u8], position: Position) -> Moved {
    let _contents = turn_at_contents(target);
    let want = within_limit(target, position, bytes.len())?;
    send(out, target, &bytes[..want], position)
}

/// Writes kernel bytes to an open file. It is the caller's turn at its offset and its contents.
pub fn send(id: OpenFileId, file: &OpenFile, bytes: &[u8], position: Position) -> Moved {
    match &file.object {
        Object::Memory(inode) => {
            let offset = place(file, inode, position)?;
            let count = write_memory(inode, offset, bytes)?;
            if position == Position::Current {
                open_files().get_mut(id).offset = offset + count as u64;
            }
            Ok(count)
        }
        Object::ProcessMemory { .. } | Object::Loop(_) => {
            let offset = match position {
                Position::Current => file.offset,
                Position::At(offset) => offset,
            };
            let count = match &file.object {
                Object::Loop(device) => loops::write(*device, offset, bytes)?,
                Object::ProcessMemory { pid, .. } => process_memory::write(*pid, offset, bytes)?,
                _ => return Err(Errno::EBADF.into()),
            };
            if position == Position::Current {
                open_files().get_mut(id).offset = offset + count as u64;
            }
            Ok(count)
        }
        Object::Text(inode) => Ok(vfs::lock().write_text(inode, bytes)?),
        Object::Pipe { pipe, .. } => write_pipe(id, *pipe, bytes, file.flags.contains(OpenFlags::NONBLOCK)),
        Object::Socket(socket) => messages::send_bytes(id, *socket, bytes),
        Object::Terminal { terminal, end } => {
            terminals::write((*terminal, *end), bytes, file.flags.contains(OpenFlags::NONBLOCK))
        }
        Object::Device(Device::Stdio { stream }) => write_console(u64::from(*stream).max(1), bytes),
        Object::Device(Device::Full) => Err(Errno::ENOSPC.into()),
        Object::Device(_) => Ok(bytes.len()),
        _ => Err(Errno::EBADF.into()),
    }
}
