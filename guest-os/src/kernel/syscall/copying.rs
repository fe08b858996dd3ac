//! Copying from one open file to another inside the kernel: `copy_file_range`, `sendfile`, `splice`, `tee`; and between a pipe and memory,
//! `vmsplice`.
//!
//! Nothing is shared: pieces pass through the thread's scratch page. What goes into a pipe waits for room before it looks at what there is to
//! go, so that a full pipe is told of even at the end of a file; then it moves what there is room for.

use super::files::{details, file_to_use};
use super::io::{self, Moved, PIECE_BYTES, Position, count_transfer, has_positions, read_stored, send};
use super::messages;
use super::spans::{Cursor, MAX_BYTES, Span, spans, total_of};
use super::{Arguments, Outcome, Stop, has_failed, length, limits, uint};
use crate::files::ready;
use crate::files::turns::Turn;
use crate::files::vfs::{self, open_files};
use crate::hart::current;
use crate::memory::user::UserPtr;
use crate::memory::{heap, inject};
use fs::{
    Device, Errno, LAST_BYTE, Notice, Object, OpenFile, OpenFileId, OpenFlags, PipeEnd, PipeOutcome,
    Readiness, SocketId, SocketKind, Source,
};
use linux_raw_sys::general as linux;

/// An offset that the program keeps, or the file's own.
#[derive(Clone, Copy)]
struct Place {
    id: OpenFileId,
    pointer: Option<UserPtr<u64>>,
    start: u64,
}

impl Place {
    fn new(id: OpenFileId, pointer: u64) -> Result<Self, Errno> {
        let pointer = UserPtr::<u64>::from(pointer).non_null();
        let start = match pointer {
            Some(pointer) => {
                let start = pointer.read()?;
                // Whether it can be written shows before anything has been done.
                pointer.write(start)?;
                start
            }
            None => open_files().get(id).offset,
        };
        Ok(Self { id, pointer, start })
    }
    /// EINVAL unless so many bytes from here on can be a file's: none lie before its first, or past the last that has a number.
    fn check(self, len: u64) -> Result<Self, Errno> {
        let numbers = [self.start, len, self.start.wrapping_add(len)];
        if numbers.into_iter().all(|number| number.cast_signed() >= 0) {
            Ok(self)
        } else {
            Err(Errno::EINVAL)
        }
    }
    /// Goes on behind what has been done.
    fn advance(self, done: u64) -> Result<(), Errno> {
        match self.pointer {
            Some(pointer) => pointer.write(self.start + done),
            None => {
                open_files().get_mut(self.id).offset = self.start + done;
                Ok(())
            }
        }
    }
}

/// EISDIR, EINVAL unless it is a regular file.
fn check_regular(file: &OpenFile) -> Result<(), Errno> {
    match file.object {
        Object::Disk(_) | Object::Memory(_) => Ok(()),
        Object::Directory(_) => Err(Errno::EISDIR),
        _ => Err(Errno::EINVAL),
    }
}

pub fn copy_file_range([input, input_offset, out, out_offset, len, flags]: Arguments) -> Outcome {
    let (input, out) = (file_to_use(input)?, file_to_use(out)?);
    if uint(flags) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let _turns = Turn::at_offsets(input, out);
    let (source, target) = (details(input), details(out));
    check_regular(&source)?;
    check_regular(&target)?;
    source.check_readable()?;
    target.check_writable()?;
    if target.flags.contains(OpenFlags::APPEND) {
        return Err(Errno::EBADF.into());
    }
    let (from, to) = (Place::new(input, input_offset)?, Place::new(out, out_offset)?);
    if [from, to].into_iter().any(|place| place.start.checked_add(len).is_none()) {
        return Err(Errno::EOVERFLOW.into());
    }
    // No more than there is, and as much as there may be.
    let len = len.min(size_of(&source)?.saturating_sub(from.start));
    if to.start.cast_signed() >= LAST_BYTE.cast_signed() {
        return Err(Errno::EFBIG.into());
    }
    let len = limits::bytes_of_write(to.start, length(len))? as u64;
    let (from_end, to_end) = (from.start.saturating_add(len), to.start.saturating_add(len));
    if source.inode() == target.inode() && from.start < to_end && to.start < from_end {
        return Err(Errno::EINVAL.into());
    }
    let (from, to) = (from.check(len)?, to.check(len)?);
    let count = len.min(MAX_BYTES as u64);
    let done = pieces(count, |done, want| {
        let thread = current();
        let mut scratch = thread.scratch.borrow_mut();
        let read = read_stored(&source.object, from.start + done, &mut scratch[..want])?;
        match read {
            0 => Ok(0),
            read => io::write_stored(out, &target, &scratch[..read], Position::At(to.start + done)),
        }
    })?;
    from.advance(done)?;
    to.advance(done)?;
    tell(input, out, done);
    Ok(done)
}

/// How long a regular file is.
fn size_of(file: &OpenFile) -> Result<u64, Errno> {
    match &file.object {
        Object::Disk(inode) | Object::Memory(inode) => vfs::lock().size(inode.id()),
        _ => Err(Errno::EINVAL),
    }
}

/// Tells who watches the files what has been done with them.
fn tell(input: OpenFileId, out: OpenFileId, done: u64) {
    if done > 0 {
        open_files().tell_of_open(input, Notice::ACCESS);
        open_files().tell_of_open(out, Notice::MODIFY);
    }
}

/// Does pieces of `count` bytes until one moves nothing, or less than it should, or fails; how many bytes were moved.
fn pieces(count: u64, mut piece: impl FnMut(u64, usize) -> Moved) -> Result<u64, Stop> {
    let mut done = 0;
    while done < count {
        let want = length(count - done).min(PIECE_BYTES);
        let moved = inject::attempts(has_failed, || {
            heap::settle()?;
            piece(done, want)
        });
        match moved {
            Ok(0) => break,
            Ok(moved) => done += moved as u64,
            Err(_) if done > 0 => break,
            Err(stop) => return Err(stop),
        }
    }
    Ok(done)
}

/// Which end of a pipe an open file is, if it is one.
fn pipe_end(file: &OpenFile) -> Option<PipeEnd> {
    match file.object {
        Object::Pipe { end, .. } => Some(end),
        _ => None,
    }
}

/// Whether a call is not to wait: by its own flag, or by those of the pipes that it works with.
fn must_not_wait(flags: u64, pipes: &[&OpenFile]) -> bool {
    let is_nonblocking = |file: &&OpenFile| file.flags.contains(OpenFlags::NONBLOCK);
    uint(flags) & linux::SPLICE_F_NONBLOCK != 0 || pipes.iter().any(is_nonblocking)
}

pub fn splice([input, input_offset, out, out_offset, len, flags]: Arguments) -> Outcome {
    if len == 0 {
        return Ok(0);
    }
    let (input, out) = (file_to_use(input)?, file_to_use(out)?);
    let (source, target) = (details(input), details(out));
    source.check_readable()?;
    target.check_writable()?;
    let (from_pipe, to_pipe) = (pipe_end(&source).is_some(), pipe_end(&target).is_some());
    let stream = stream_of(&source);
    if from_pipe && input_offset != 0 || to_pipe && out_offset != 0 {
        return Err(Errno::ESPIPE.into());
    }
    if stream.is_some() && input_offset != 0 {
        return Err(Errno::EINVAL.into());
    }
    let count = len.min(MAX_BYTES as u64);
    match (from_pipe, to_pipe) {
        (true, true) if source_of(input)? == source_of(out)? => Err(Errno::EINVAL.into()),
        (true, true) => pipe_to_pipe(input, out, count, must_not_wait(flags, &[&source, &target])),
        (true, false) if target.flags.contains(OpenFlags::APPEND) => Err(Errno::EINVAL.into()),
        (true, false) => {
            let place = Place::new(out, out_offset)?.check(len)?;
            pipe_to_file(input, place, count, must_not_wait(flags, &[&source]))
        }
        (false, true) if let Some(socket) = stream => {
            let done = stream_to_pipe(input, socket, out, count, must_not_wait(flags, &[&source, &target]))?;
            tell(input, out, done);
            Ok(done)
        }
        (false, true) => {
            let place = Place::new(input, input_offset)?.check(len)?;
            let done = file_to_pipe(place, source, out, count, must_not_wait(flags, &[&target]))?;
            tell(input, out, done);
            Ok(done)
        }
        (false, false) => Err(Errno::EINVAL.into()),
    }
}

/// From a file into a pipe, as much as there is room for.
fn file_to_pipe(
    place: Place,
    mut source: OpenFile,
    out: OpenFileId,
    count: u64,
    nonblocking: bool,
) -> Outcome {
    await_room(out, nonblocking)?;
    let done = pieces(count, |done, want| {
        let thread = current();
        let mut scratch = thread.scratch.borrow_mut();
        match read_source(&mut source, place.start + done, &mut scratch[..want])? {
            0 => Ok(0),
            read => put_into_pipe(out, &scratch[..read], nonblocking || done > 0),
        }
    })?;
    leave(place, source, done)?;
    Ok(done)
}

/// The socket behind an open file, if bytes come from it without ends between.
fn stream_of(file: &OpenFile) -> Option<SocketId> {
    match file.object {
        Object::Socket(socket) if open_files().sockets().kind(socket) == SocketKind::Stream => Some(socket),
        _ => None,
    }
}

/// From a stream into a pipe: what the pipe has no room for stays in the socket.
fn stream_to_pipe(
    input: OpenFileId,
    socket: SocketId,
    out: OpenFileId,
    count: u64,
    nonblocking: bool,
) -> Outcome {
    await_room(out, nonblocking)?;
    pieces(count, |done, want| {
        let thread = current();
        let mut scratch = thread.scratch.borrow_mut();
        let nonblocking = nonblocking || done > 0;
        loop {
            let (read, position) = messages::peek_bytes(input, socket, &mut scratch[..want], nonblocking)?;
            let moved = if read == 0 { 0 } else { put_into_pipe(out, &scratch[..read], nonblocking)? };
            if messages::consume_bytes(socket, position, moved) {
                return Ok(moved);
            }
        }
    })
}

/// The source goes on behind what has been read of it: its own offset, with the text that was made of it, or the program's.
fn leave(place: Place, mut source: OpenFile, done: u64) -> Result<(), Errno> {
    if place.pointer.is_none() {
        source.offset = place.start + done;
        open_files().get_mut(place.id).go_on_from(source);
        return Ok(());
    }
    place.advance(done)
}

/// What a file has at `offset`, as much of it as fits into the buffer: EINVAL if it is none of those that have their bytes at hand.
fn read_source(source: &mut OpenFile, offset: u64, buffer: &mut [u8]) -> Moved {
    match source.object {
        Object::Text(_) => {
            source.offset = offset;
            Ok(vfs::lock().read_text(source, buffer)?)
        }
        Object::Device(device @ (Device::Zero | Device::Full | Device::Random)) => {
            Ok(io::read_device(device, buffer))
        }
        _ => read_stored(&source.object, offset, buffer),
    }
}

/// EINVAL for files that nothing is spliced to.
fn check_takes(target: &OpenFile) -> Result<(), Errno> {
    match target.object {
        Object::Device(Device::Full) | Object::Anonymous(_) | Object::ProcessMemory { .. } => {
            Err(Errno::EINVAL)
        }
        _ => Ok(()),
    }
}

/// From a pipe to a file or a socket.
fn pipe_to_file(input: OpenFileId, place: Place, count: u64, nonblocking: bool) -> Outcome {
    let out = place.id;
    check_takes(&details(out))?;
    let done = pieces(count, |done, want| {
        let thread = current();
        let mut scratch = thread.scratch.borrow_mut();
        let found = look_into_pipe(input, &mut scratch[..want], nonblocking || done > 0)?;
        let Some((read, position)) = found else { return Ok(0) };
        let at = match place.pointer {
            Some(_) => Position::At(place.start + done),
            None => Position::Current,
        };
        let target = details(out);
        let sent = match target.object {
            Object::Memory(_) => io::write_stored(out, &target, &scratch[..read], at)?,
            _ => send(out, &target, &scratch[..read], at)?,
        };
        open_files().pipe_consume(input, position, sent);
        Ok(sent)
    })?;
    if place.pointer.is_some() {
        place.advance(done)?;
    }
    tell(input, out, done);
    Ok(done)
}

fn pipe_to_pipe(input: OpenFileId, out: OpenFileId, count: u64, nonblocking: bool) -> Outcome {
    let done = pieces(count, |done, want| {
        let thread = current();
        let mut scratch = thread.scratch.borrow_mut();
        let nonblocking = nonblocking || done > 0;
        let copied = copy_between(input, out, &mut scratch[..want], nonblocking)?;
        let Some((moved, position)) = copied else { return Ok(0) };
        open_files().pipe_consume(input, position, moved);
        Ok(moved)
    })?;
    tell(input, out, done);
    Ok(done)
}

/// Copies what one pipe holds into another, by way of a buffer: how much, and where in the first one. None at its end. Waits for bytes and
/// then for room, as Linux does.
fn copy_between(
    input: OpenFileId,
    out: OpenFileId,
    buffer: &mut [u8],
    nonblocking: bool,
) -> Result<Option<(usize, u64)>, Stop> {
    look_into_pipe(input, &mut [0], nonblocking)?;
    await_room(out, nonblocking)?;
    // While it waited for room another may have had the bytes.
    let Some((read, position)) = look_into_pipe(input, buffer, nonblocking)? else { return Ok(None) };
    Ok(Some((put_into_pipe(out, &buffer[..read], nonblocking)?, position)))
}

/// What a pipe holds, which stays; none at its end.
fn look_into_pipe(id: OpenFileId, into: &mut [u8], nonblocking: bool) -> Result<Option<(usize, u64)>, Stop> {
    loop {
        let (outcome, position) = open_files().pipe_peek(id, into)?;
        match outcome {
            PipeOutcome::Moved(0) => return Ok(None),
            PipeOutcome::Moved(count) => return Ok(Some((count, position))),
            PipeOutcome::Wait if nonblocking => return Err(Errno::EAGAIN.into()),
            PipeOutcome::Wait => ready::wait_for(source_of(id)?)?,
            PipeOutcome::Broken => return Err(Errno::EPIPE.into()),
        }
    }
}

fn source_of(id: OpenFileId) -> Result<Source, Errno> {
    match open_files().get(id).object {
        Object::Pipe { pipe, .. } => Ok(Source::Pipe(pipe)),
        _ => Err(Errno::EINVAL),
    }
}

/// Until a pipe has room for a page: EAGAIN, and EPIPE if nobody will read.
fn await_room(id: OpenFileId, nonblocking: bool) -> Result<(), Stop> {
    loop {
        let ready = open_files().pipe_of(id)?.readiness(PipeEnd::Write);
        if ready.contains(Readiness::ERR) {
            return io::broken_pipe(&current()).map(drop);
        }
        if ready.contains(Readiness::OUT) {
            return Ok(());
        }
        if nonblocking {
            return Err(Errno::EAGAIN.into());
        }
        ready::wait_for(source_of(id)?)?;
    }
}

/// As many of the bytes as a pipe has room for.
fn put_into_pipe(id: OpenFileId, bytes: &[u8], nonblocking: bool) -> Moved {
    loop {
        let outcome = open_files().pipe_write(id, bytes)?;
        match outcome {
            PipeOutcome::Moved(count) => return Ok(count),
            PipeOutcome::Broken => return io::broken_pipe(&current()),
            PipeOutcome::Wait if nonblocking => return Err(Errno::EAGAIN.into()),
            PipeOutcome::Wait => ready::wait_for(source_of(id)?)?,
        }
    }
}

/// What one pipe holds goes into another one, and stays.
pub fn tee([input, out, len, flags, ..]: Arguments) -> Outcome {
    if len == 0 {
        return Ok(0);
    }
    let (input, out) = (file_to_use(input)?, file_to_use(out)?);
    let (source, target) = (details(input), details(out));
    source.check_readable()?;
    target.check_writable()?;
    if pipe_end(&source).is_none() || pipe_end(&target).is_none() || source_of(input)? == source_of(out)? {
        return Err(Errno::EINVAL.into());
    }
    let thread = current();
    let mut scratch = thread.scratch.borrow_mut();
    // One piece: where more is wanted, the program asks again.
    let want = length(len).min(PIECE_BYTES);
    let nonblocking = must_not_wait(flags, &[&source, &target]);
    let copied = copy_between(input, out, &mut scratch[..want], nonblocking)?;
    Ok(copied.map_or(0, |(count, _)| count as u64))
}

/// Into a pipe from memory, or the other way round. Whether it waits is for its flag to say, not for the pipe.
pub fn vmsplice([fd, vector, count, flags, ..]: Arguments) -> Outcome {
    let id = file_to_use(fd)?;
    let spans = spans(vector, count)?;
    let all = total_of(&spans)?.min(MAX_BYTES) as u64;
    if all == 0 {
        return Ok(0);
    }
    let file = details(id);
    if pipe_end(&file).is_none() {
        return Err(Errno::EBADF.into());
    }
    let nonblocking = must_not_wait(flags, &[]);
    if file.flags.is_writable() {
        memory_to_pipe(id, &spans, all, nonblocking)
    } else {
        pipe_to_memory(id, &spans, all, nonblocking)
    }
}

fn memory_to_pipe(id: OpenFileId, spans: &[Span], all: u64, nonblocking: bool) -> Outcome {
    await_room(id, nonblocking)?;
    let mut cursor = Cursor::new(spans);
    let done = pieces(all, |done, want| {
        let thread = current();
        let mut scratch = thread.scratch.borrow_mut();
        let gathered = cursor.gather(&mut scratch[..want])?;
        let moved = put_into_pipe(id, &scratch[..gathered], nonblocking || done > 0)?;
        cursor.skip(moved);
        Ok(moved)
    });
    count_transfer(id, &done, false);
    done
}

fn pipe_to_memory(id: OpenFileId, spans: &[Span], all: u64, nonblocking: bool) -> Outcome {
    let mut cursor = Cursor::new(spans);
    let done = pieces(all, |done, want| {
        let thread = current();
        let mut scratch = thread.scratch.borrow_mut();
        loop {
            let found = look_into_pipe(id, &mut scratch[..want], nonblocking || done > 0)?;
            let Some((read, position)) = found else { return Ok(0) };
            let copied = cursor.scatter(&scratch[..read])?;
            // The copy may have slept, and another reader have had these bytes.
            if open_files().pipe_consume(id, position, copied) {
                cursor.skip(copied);
                return Ok(copied);
            }
        }
    });
    count_transfer(id, &done, true);
    done
}

pub fn sendfile([out, input, offset, count, ..]: Arguments) -> Outcome {
    let (out, input) = (file_to_use(out)?, file_to_use(input)?);
    let target = details(out);
    target.check_writable()?;
    details(input).check_readable()?;
    let has_own = UserPtr::<u64>::from(offset).non_null().is_some();
    let to_pipe = pipe_end(&target).is_some();
    let _turns = match has_own {
        true => (Turn::at_offset(out), None),
        false => Turn::at_offsets(out, input),
    };
    let mut source = details(input);
    let can_seek = has_positions(&source.object);
    if has_own && !can_seek {
        return Err(Errno::ESPIPE.into());
    }
    let place = Place::new(input, offset)?.check(count)?;
    let count = count.min(MAX_BYTES as u64);
    if to_pipe {
        let done = file_to_pipe(place, source, out, count, must_not_wait(0, &[&target]))?;
        count_both(input, out, done);
        return Ok(done);
    }
    // What cannot be read again is not taken from where it is.
    if target.flags.contains(OpenFlags::APPEND) || !can_seek {
        return Err(Errno::EINVAL.into());
    }
    let done = pieces(count, |done, want| {
        let thread = current();
        let mut scratch = thread.scratch.borrow_mut();
        let read = read_source(&mut source, place.start + done, &mut scratch[..want])?;
        if read == 0 {
            return Ok(0);
        }
        let target = details(out);
        check_takes(&target)?;
        io::write_stored(out, &target, &scratch[..read], Position::Current)
    })?;
    leave(place, source, done)?;
    count_both(input, out, done);
    Ok(done)
}

/// Counts what was sent from one file to another, and tells who watches them.
fn count_both(input: OpenFileId, out: OpenFileId, done: u64) {
    count_transfer(input, &Ok(done), true);
    count_transfer(out, &Ok(done), false);
}
