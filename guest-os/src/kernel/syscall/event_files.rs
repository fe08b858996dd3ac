//! Files that tell of events: `eventfd2`, `timerfd_create` and its kin, `signalfd4`; and what is read from them and written.

use super::files::{Reserved, file_to_use};
use super::spans::{Cursor, Span, total_of};
use super::{Arguments, Outcome, Stop, inotify, int, terminal, time, uint};
use crate::arch;
use crate::devices::clock::{self, NANOSECONDS_PER_TICK};
use crate::files::ready::{Patience, attempt};
use crate::files::vfs::open_files;
use crate::hart::current;
use crate::memory::user::UserPtr;
use ::proc::{SigInfo, SignalSet};
use fs::{Anonymous, Errno, EventCounter, Hold, OpenFileId, OpenFlags, Readiness, Source, Timer};
use isa::time::TIMEBASE_HZ;
use linux_raw_sys::general as linux;

const WORD_BYTES: usize = 8;
/// `struct signalfd_siginfo`, in bytes.
const SIGINFO_BYTES: usize = 128;

/// Opens a file without a name.
fn open(what: Anonymous, flags: u64) -> Outcome {
    let flags = OpenFlags::from_bits_retain(uint(flags));
    let reserved = Reserved::new(0)?;
    let id = open_files().create_anonymous(what, flags);
    Ok(u64::from(reserved.fill(id, flags.contains(OpenFlags::CLOEXEC))))
}

pub fn eventfd2([count, flags, ..]: Arguments) -> Outcome {
    let is_semaphore = uint(flags) & linux::EFD_SEMAPHORE != 0;
    open(Anonymous::Event(EventCounter::new(uint(count), is_semaphore)), flags)
}

pub fn timerfd_create([clock, flags, ..]: Arguments) -> Outcome {
    let is_realtime = match uint(clock) {
        linux::CLOCK_REALTIME => true,
        linux::CLOCK_MONOTONIC | linux::CLOCK_BOOTTIME => false,
        _ => return Err(Errno::EINVAL.into()),
    };
    open(Anonymous::Timer(Timer::new(is_realtime)), flags)
}

pub fn timerfd_settime([fd, flags, new, old, ..]: Arguments) -> Outcome {
    let new = UserPtr::<[u64; 2]>::from(new);
    let (interval, value) = (time::ticks_of(new)?, time::ticks_of(new.at(1))?);
    let id = file_to_use(fd)?;
    let now = arch::time();
    let is_absolute = uint(flags) & linux::TFD_TIMER_ABSTIME != 0;
    let mut files = open_files();
    let (Anonymous::Timer(timer), source) = files.anonymous_mut(id)? else {
        return Err(Errno::EINVAL.into());
    };
    let before = timer.left(now);
    let deadline = match (value, is_absolute) {
        (0, _) => None,
        (value, false) => Some(now.saturating_add(value)),
        (value, true) if timer.is_realtime => {
            let epoch = clock::realtime() / NANOSECONDS_PER_TICK - now;
            Some(value.saturating_sub(epoch))
        }
        (value, true) => Some(value),
    };
    timer.set(deadline, interval);
    // Who sleeps for it has another time to sleep.
    files.note(source, Readiness::empty());
    drop(files);
    if let Some(old) = UserPtr::<[u64; 2]>::from(old).non_null() {
        tell(old, before)?;
    }
    Ok(0)
}

pub fn timerfd_gettime([fd, value, ..]: Arguments) -> Outcome {
    let id = file_to_use(fd)?;
    let left = match open_files().anonymous(id)? {
        (Anonymous::Timer(timer), _) => timer.left(arch::time()),
        _ => return Err(Errno::EINVAL.into()),
    };
    tell(UserPtr::from(value), left)?;
    Ok(0)
}

/// Writes a `struct itimerspec`: how often, and how long until then.
fn tell(at: UserPtr<[u64; 2]>, (left, interval): (u64, u64)) -> Result<(), Errno> {
    let split = |ticks: u64| [ticks / TIMEBASE_HZ, ticks % TIMEBASE_HZ * NANOSECONDS_PER_TICK];
    at.write(split(interval))?;
    at.at(1).write(split(left))
}

pub fn signalfd4([fd, mask, size, flags, ..]: Arguments) -> Outcome {
    if size != WORD_BYTES as u64 {
        return Err(Errno::EINVAL.into());
    }
    let set = SignalSet(UserPtr::<u64>::from(mask).read()?).blockable().0;
    if int(fd) == -1 {
        return open(Anonymous::Signals(set), flags);
    }
    let id = file_to_use(fd)?;
    let mut files = open_files();
    let (Anonymous::Signals(old), _) = files.anonymous_mut(id)? else { return Err(Errno::EINVAL.into()) };
    *old = set;
    files.note(Source::Signals, Readiness::empty());
    Ok(fd)
}

/// A request of lists of events, or one that others know: of descriptors, pipes, sockets and terminals.
pub fn ioctl(a: Arguments) -> Outcome {
    let [fd, request, argument, ..] = a;
    if uint(request) == linux_raw_sys::ioctl::FIONREAD {
        let id = file_to_use(fd)?;
        if open_files().anonymous(id).is_ok() {
            return inotify::tell_bytes(id, argument);
        }
    }
    terminal::ioctl(a)
}

/// What a file holds to be read.
enum Found {
    Count(u64),
    Rings(u64),
    Signals(u64),
}

/// EINVAL unless it can be read.
pub fn check_reads(files: &fs::OpenFiles, id: OpenFileId) -> Result<(), Errno> {
    match files.anonymous(id)?.0 {
        Anonymous::Epoll(_) | Anonymous::Process { .. } => Err(Errno::EINVAL),
        _ => Ok(()),
    }
}

/// EINVAL unless it can be written: only a counter of events takes something.
pub fn check_writes(files: &fs::OpenFiles, id: OpenFileId) -> Result<(), Errno> {
    match files.anonymous(id)?.0 {
        Anonymous::Event(_) => Ok(()),
        _ => Err(Errno::EINVAL),
    }
}

/// `read` and its kin.
pub fn read(id: OpenFileId, spans: &[Span]) -> Outcome {
    let room = total_of(spans)?;
    let least = match open_files().anonymous(id)?.0 {
        Anonymous::Signals(_) => SIGINFO_BYTES,
        Anonymous::Inotify(_) => 0,
        _ => WORD_BYTES,
    };
    if room < least {
        return Err(Errno::EINVAL.into());
    }
    let patience = patience(id);
    if least == 0 {
        return inotify::read(id, spans, room, patience);
    }
    loop {
        match attempt(patience, |files| find(files, id))? {
            Found::Signals(set) => {
                if let Some(count) = read_signals(spans, room, set)? {
                    return Ok(count);
                }
            }
            Found::Count(value) | Found::Rings(value) => {
                copy(spans, 0, &value.to_ne_bytes())?;
                if take(id, value)? {
                    return Ok(WORD_BYTES as u64);
                }
            }
        }
    }
}

fn patience(id: OpenFileId) -> Patience {
    if open_files().get(id).flags.contains(OpenFlags::NONBLOCK) { Patience::NONE } else { Patience::ENDLESS }
}

fn find(files: &fs::OpenFiles, id: OpenFileId) -> Result<Found, Hold> {
    let (what, source) = files.anonymous(id)?;
    match what {
        Anonymous::Event(counter) => counter.value().map(Found::Count).ok_or(Hold::Wait(source)),
        Anonymous::Timer(timer) => {
            let now = arch::time();
            match (timer.rings(now), timer.next(now)) {
                (0, Some(next)) => Err(Hold::Until(source, next)),
                (0, None) => Err(Hold::Wait(source)),
                (rings, _) => Ok(Found::Rings(rings)),
            }
        }
        Anonymous::Signals(set) => match pending_signals() & set {
            0 => Err(Hold::Wait(Source::Signals)),
            _ => Ok(Found::Signals(*set)),
        },
        Anonymous::Epoll(_) | Anonymous::Process { .. } | Anonymous::Inotify(_) => Err(Errno::EINVAL.into()),
    }
}

/// The signals that wait for the running thread.
pub fn pending_signals() -> u64 {
    let this = current();
    let pending = this.signals.borrow().pending(&this.process.signals.borrow());
    pending.0
}

/// Takes what was read; not if another reader has had it meanwhile.
fn take(id: OpenFileId, value: u64) -> Result<bool, Errno> {
    let mut files = open_files();
    let (what, source) = files.anonymous_mut(id)?;
    let now = arch::time();
    let is_there = match what {
        Anonymous::Event(counter) => counter.take(value),
        // It may have rung again, but not less often.
        Anonymous::Timer(timer) if timer.rings(now) >= value => {
            timer.take(value, now);
            true
        }
        _ => false,
    };
    if is_there {
        files.note(source, Readiness::OUT);
    }
    Ok(is_there)
}

/// Copies to a program's buffers, behind the first `skip` bytes. EFAULT.
fn copy(spans: &[Span], skip: usize, bytes: &[u8]) -> Result<(), Errno> {
    let mut cursor = Cursor::new(spans);
    cursor.skip(skip);
    if cursor.scatter(bytes)? == bytes.len() { Ok(()) } else { Err(Errno::EFAULT) }
}

/// Takes signals as long as there are some and there is room; `None` if others have had them meanwhile.
fn read_signals(spans: &[Span], room: usize, set: u64) -> Result<Option<u64>, Errno> {
    let this = current();
    let mut done = 0;
    while done + SIGINFO_BYTES <= room && pending_signals() & set != 0 {
        // What is taken can be delivered.
        match copy(spans, done, &[0; SIGINFO_BYTES]) {
            Err(_) if done > 0 => break,
            other => other?,
        }
        let taken = this.signals.borrow_mut().take(&mut this.process.signals.borrow_mut(), SignalSet(set));
        let Some(info) = taken else { break };
        copy(spans, done, &to_bytes(&info))?;
        done += SIGINFO_BYTES;
    }
    Ok((done > 0).then_some(done as u64))
}

/// A `struct signalfd_siginfo`.
fn to_bytes(info: &SigInfo) -> [u8; SIGINFO_BYTES] {
    const CODE: usize = 8;
    const SENDER: usize = 12;
    const STATUS: usize = 40;
    const INT: usize = 44;
    const POINTER: usize = 48;
    let mut bytes = [0; SIGINFO_BYTES];
    let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
    let [low @ .., _, _, _, _] = info.value.to_ne_bytes();
    put(0, &u32::from(info.signal.number()).to_ne_bytes());
    put(CODE, &info.code.to_ne_bytes());
    put(SENDER, &info.pid.to_ne_bytes());
    if info.signal == ::proc::Signal::CHLD {
        put(STATUS, &low);
    } else {
        put(INT, &low);
        put(POINTER, &info.value.to_ne_bytes());
    }
    bytes
}

/// `write` and its kin, to a counter of events.
pub fn write(id: OpenFileId, spans: &[Span]) -> Outcome {
    if total_of(spans)? < WORD_BYTES {
        return Err(Errno::EINVAL.into());
    }
    let mut bytes = [0; WORD_BYTES];
    if Cursor::new(spans).gather(&mut bytes)? < WORD_BYTES {
        return Err(Errno::EFAULT.into());
    }
    let value = u64::from_ne_bytes(bytes);
    if value == u64::MAX {
        return Err(Errno::EINVAL.into());
    }
    attempt(patience(id), |files| {
        let (Anonymous::Event(counter), source) = files.anonymous_mut(id)? else {
            return Err(Errno::EINVAL.into());
        };
        if !counter.add(value) {
            return Err(Hold::Wait(source));
        }
        files.note(source, Readiness::IN);
        Ok(())
    })
    .map_err(Stop::from)?;
    Ok(WORD_BYTES as u64)
}
