//! Copying from one open file to another inside the kernel: `copy_file_range`, `splice`, `tee`.
//!
//! Nothing is shared: pieces pass through the thread's scratch page, as in `sendfile`.

use super::files::{details, file_to_use};
use super::io::{self, Moved, PIECE_BYTES, Position, read_stored, send};
use super::spans::MAX_BYTES;
use super::{Arguments, Outcome, Stop, has_failed, length, uint};
use crate::files::ready;
use crate::files::turns::Turn;
use crate::files::vfs::open_files;
use crate::hart::current;
use crate::memory::user::UserPtr;
use crate::memory::{heap, inject};
use fs::{Errno, Notice, Object, OpenFile, OpenFileId, OpenFlags, PipeEnd, PipeOutcome, Source};
use linux_raw_sys::general as linux;

/// An offset that the program keeps, or the file's own.
#[derive(Clone, Copy)]
struct Place {
    id: OpenFileId,
    pointer: Option<UserPtr<u64>>,
    start: u64,
}

impl Place {
    /// EINVAL for one before the first byte.
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
        if start.cast_signed() < 0 { Err(Errno::EINVAL) } else { Ok(Self { id, pointer, start }) }
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
    let end_of = |place: Place| place.start.checked_add(len).filter(|end| end.cast_signed() >= 0);
    let (Some(from_end), Some(to_end)) = (end_of(from), end_of(to)) else {
        return Err(Errno::EOVERFLOW.into());
    };
    if source.inode() == target.inode() && from.start < to_end && to.start < from_end {
        return Err(Errno::EINVAL.into());
    }
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

pub fn splice([input, input_offset, out, out_offset, len, flags]: Arguments) -> Outcome {
    if len == 0 {
        return Ok(0);
    }
    let (input, out) = (file_to_use(input)?, file_to_use(out)?);
    let (source, target) = (details(input), details(out));
    source.check_readable()?;
    target.check_writable()?;
    let (from_pipe, to_pipe) = (pipe_end(&source).is_some(), pipe_end(&target).is_some());
    if from_pipe && input_offset != 0 || to_pipe && out_offset != 0 {
        return Err(Errno::ESPIPE.into());
    }
    if from_pipe && to_pipe && source_of(input)? == source_of(out)? {
        return Err(Errno::EINVAL.into());
    }
    if !from_pipe && !to_pipe || target.flags.contains(OpenFlags::APPEND) && !to_pipe {
        return Err(Errno::EINVAL.into());
    }
    let nonblocking = uint(flags) & linux::SPLICE_F_NONBLOCK != 0;
    let count = len.min(MAX_BYTES as u64);
    if from_pipe {
        return splice_out(input, out, out_offset, count, nonblocking);
    }
    if !matches!(source.object, Object::Disk(_) | Object::Memory(_)) {
        return Err(Errno::EINVAL.into());
    }
    let place = Place::new(input, input_offset)?;
    let done = pieces(count, |done, want| {
        let thread = current();
        let mut scratch = thread.scratch.borrow_mut();
        let read = read_stored(&source.object, place.start + done, &mut scratch[..want])?;
        put_into_pipe(out, &scratch[..read], nonblocking || done > 0)
    })?;
    place.advance(done)?;
    tell(input, out, done);
    Ok(done)
}

/// From a pipe to a file, a socket or another pipe.
fn splice_out(input: OpenFileId, out: OpenFileId, out_offset: u64, count: u64, nonblocking: bool) -> Outcome {
    let place = if out_offset == 0 { None } else { Some(Place::new(out, out_offset)?) };
    let done = pieces(count, |done, want| {
        let thread = current();
        let mut scratch = thread.scratch.borrow_mut();
        let found = look_into_pipe(input, &mut scratch[..want], nonblocking || done > 0)?;
        let Some((read, position)) = found else { return Ok(0) };
        let at = place.map_or(Position::Current, |place| Position::At(place.start + done));
        let target = details(out);
        let sent = match target.object {
            Object::Pipe { .. } => put_into_pipe(out, &scratch[..read], nonblocking || done > 0)?,
            Object::Memory(_) => io::write_stored(out, &target, &scratch[..read], at)?,
            _ => send(out, &target, &scratch[..read], at)?,
        };
        open_files().pipe_consume(input, position, sent);
        Ok(sent)
    })?;
    if let Some(place) = place {
        place.advance(done)?;
    }
    tell(input, out, done);
    Ok(done)
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
    let (input, out) = (file_to_use(input)?, file_to_use(out)?);
    let (source, target) = (details(input), details(out));
    source.check_readable()?;
    target.check_writable()?;
    if pipe_end(&source).is_none() || pipe_end(&target).is_none() || source_of(input)? == source_of(out)? {
        return Err(Errno::EINVAL.into());
    }
    let nonblocking = uint(flags) & linux::SPLICE_F_NONBLOCK != 0;
    let thread = current();
    let mut scratch = thread.scratch.borrow_mut();
    let want = length(len).min(PIECE_BYTES);
    if want == 0 {
        return Ok(0);
    }
    // One piece: where more is wanted, the program asks again.
    let found = look_into_pipe(input, &mut scratch[..want], nonblocking)?;
    let Some((count, _)) = found else { return Ok(0) };
    Ok(put_into_pipe(out, &scratch[..count], nonblocking)? as u64)
}
