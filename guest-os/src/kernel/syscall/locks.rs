//! File locks: what `fcntl` and `flock` ask of the table in [`crate::files::locks`].

use super::files::{details, file_to_use, size_of_open};
use super::{Arguments, Outcome, descriptor, uint};
use crate::files::locks;
use crate::hart::current;
use crate::memory::user::UserPtr;
use fs::{Errno, FileLock, Holder, LAST_BYTE, LockKind, Lockable, OpenFileId};
use linux_raw_sys::general as linux;

/// `struct flock`, which is passed by words because of its padding.
#[derive(Clone, Copy)]
struct Request {
    /// F_RDLCK, F_WRLCK or F_UNLCK, and where the start counts from.
    kind: u16,
    whence: u16,
    start: i64,
    len: i64,
    pid: u32,
}

impl Request {
    fn from_words([kinds, start, len, pid]: [u64; 4]) -> Self {
        let half = |n: u32| u16::try_from(kinds >> (16 * n) & 0xffff).unwrap_or(0);
        let (start, len) = (start.cast_signed(), len.cast_signed());
        Self { kind: half(0), whence: half(1), start, len, pid: uint(pid) }
    }
    fn to_words(self) -> [u64; 4] {
        let kinds = u64::from(self.kind) | u64::from(self.whence) << 16;
        [kinds, self.start.cast_unsigned(), self.len.cast_unsigned(), u64::from(self.pid)]
    }
}

/// `fcntl` with one of the six commands about locks.
pub fn record_lock(fd: u64, id: OpenFileId, command: u32, argument: u64) -> Outcome {
    let pointer = UserPtr::<[u64; 4]>::from(argument);
    let request = Request::from_words(pointer.read()?);
    let file = details(id);
    let range = range_of(&request, id, file.offset)?;
    let kind = kind_of(request.kind)?;
    let is_of_file = matches!(command, linux::F_OFD_GETLK | linux::F_OFD_SETLK | linux::F_OFD_SETLKW);
    let tells = matches!(command, linux::F_GETLK | linux::F_OFD_GETLK);
    match kind {
        _ if tells => {}
        Some(LockKind::Shared) if !file.flags.is_readable() => return Err(Errno::EBADF.into()),
        Some(LockKind::Exclusive) if !file.flags.is_writable() => return Err(Errno::EBADF.into()),
        _ => {}
    }
    if is_of_file && request.pid != 0 {
        return Err(Errno::EINVAL.into());
    }
    let lockable = Lockable::of(&file).ok_or(Errno::EBADF)?;
    let this = current().process.pid;
    let holder = if is_of_file { Holder::OpenFile(id) } else { Holder::Process(this) };
    let (start, last) = range;
    let lock = |kind| FileLock { holder, start, last, kind };
    match kind {
        // As in Linux: what the open file itself has there.
        None if tells && is_of_file => {
            let own = locks::table().held_within(lockable, holder, start, last);
            pointer.write(told(request, own).to_words())?;
        }
        None if tells => return Err(Errno::EINVAL.into()),
        Some(kind) if tells => {
            let conflict = locks::table().conflict(lockable, &lock(kind));
            pointer.write(told(request, conflict).to_words())?;
        }
        None => locks::release(lockable, holder, start, last),
        Some(kind) => {
            let may_wait = matches!(command, linux::F_SETLKW | linux::F_OFD_SETLKW);
            locks::take(lockable, lock(kind), may_wait)?;
            // Another thread may have closed the descriptor meanwhile, and nobody would give the lock back.
            if current().process.files().borrow().get(descriptor(fd)?) != Ok(id) {
                locks::release(lockable, holder, start, last);
                return Err(Errno::EBADF.into());
            }
        }
    }
    Ok(0)
}

/// `None`: to be given back.
fn kind_of(kind: u16) -> Result<Option<LockKind>, Errno> {
    match u32::from(kind) {
        linux::F_RDLCK => Ok(Some(LockKind::Shared)),
        linux::F_WRLCK => Ok(Some(LockKind::Exclusive)),
        linux::F_UNLCK => Ok(None),
        _ => Err(Errno::EINVAL),
    }
}

/// First and last byte.
fn range_of(request: &Request, id: OpenFileId, offset: u64) -> Result<(u64, u64), Errno> {
    let base = match u32::from(request.whence) {
        linux::SEEK_SET => 0,
        linux::SEEK_CUR => offset,
        linux::SEEK_END => size_of_open(id)?,
        _ => return Err(Errno::EINVAL),
    };
    let base = base.cast_signed();
    let start = base.checked_add(request.start).ok_or(Errno::EOVERFLOW)?;
    let (start, last) = match request.len {
        0 => (start, LAST_BYTE.cast_signed()),
        len @ 1.. => (start, start.checked_add(len - 1).ok_or(Errno::EOVERFLOW)?),
        len => (start.checked_add(len).ok_or(Errno::EINVAL)?, start - 1),
    };
    let unsigned = |offset: i64| u64::try_from(offset).map_err(|_| Errno::EINVAL);
    Ok((unsigned(start)?, unsigned(last)?))
}

/// What F_GETLK says: the lock that is in the way, or F_UNLCK with the rest as it was asked.
fn told(request: Request, conflict: Option<FileLock>) -> Request {
    let half = |value: u32| u16::try_from(value).unwrap_or(0);
    let Some(lock) = conflict else { return Request { kind: half(linux::F_UNLCK), ..request } };
    Request {
        kind: half(if lock.kind == LockKind::Shared { linux::F_RDLCK } else { linux::F_WRLCK }),
        whence: half(linux::SEEK_SET),
        start: lock.start.cast_signed(),
        len: if lock.last == LAST_BYTE { 0 } else { (lock.last - lock.start + 1).cast_signed() },
        pid: match lock.holder {
            Holder::Process(pid) => pid,
            // As in Linux: nobody in particular.
            Holder::OpenFile(_) | Holder::Flock(_) => u32::MAX,
        },
    }
}

pub fn flock([fd, operation, ..]: Arguments) -> Outcome {
    let operation = uint(operation);
    if operation & linux::LOCK_MAND != 0 {
        // As in Linux, which has given these locks up and looks at nothing else.
        return Ok(0);
    }
    let kind = match operation & !linux::LOCK_NB {
        linux::LOCK_SH => Some(LockKind::Shared),
        linux::LOCK_EX => Some(LockKind::Exclusive),
        linux::LOCK_UN => None,
        _ => return Err(Errno::EINVAL.into()),
    };
    let id = file_to_use(fd)?;
    let file = details(id);
    if kind.is_some() && !file.flags.is_readable() && !file.flags.is_writable() {
        return Err(Errno::EBADF.into());
    }
    let lockable = Lockable::of(&file).ok_or(Errno::EBADF)?;
    let holder = Holder::Flock(id);
    let held = locks::table().held_whole(lockable, holder);
    if held == kind {
        return Ok(0);
    }
    // As in Linux, another kind of lock is not had before the old one is given back: others may come between.
    locks::release(lockable, holder, 0, LAST_BYTE);
    let Some(kind) = kind else { return Ok(0) };
    locks::take(lockable, FileLock::whole(holder, kind), operation & linux::LOCK_NB == 0)?;
    Ok(0)
}
