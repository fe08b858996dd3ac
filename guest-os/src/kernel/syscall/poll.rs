//! Waiting for several descriptors: `ppoll` and `pselect6`.

use super::signals::check_size;
use super::{Arguments, Outcome, Rest, Stop, length};
use crate::arch;
use crate::files::ready::{self, Kernel};
use crate::files::vfs::open_files;
use crate::hart::current;
use crate::memory::inject;
use crate::memory::user::{UserPtr, plain};
use crate::processes::wait::WaitOutcome;
use ::proc::SignalSet;
use alloc::vec::Vec;
use fs::{Errno, Readiness, Waits};
use linux_raw_sys::general::pollfd;

plain!(pollfd);

/// Most descriptors of `pselect6`, which a set has bits for.
const MAX_SELECTED: usize = 1024;
const BITS: usize = 64;

/// What is awaited of a descriptor, and what has come.
struct Awaited {
    fd: i32,
    wanted: Readiness,
    /// The bits of `revents`.
    ready: Readiness,
}

/// Looks at each descriptor once; returns how many are ready, and adds to `waits` what to sleep on.
fn look(all: &mut [Awaited], waits: &mut Waits) -> Result<u64, Errno> {
    let mut count = 0;
    for awaited in all.iter_mut().filter(|awaited| awaited.fd >= 0) {
        awaited.ready = match u32::try_from(awaited.fd)
            .ok()
            .and_then(|fd| current().process.files().borrow().get(fd).ok())
        {
            None => Readiness::NVAL,
            Some(id) => open_files().poll(id, awaited.wanted, &Kernel, waits)?,
        };
        count += u64::from(!awaited.ready.is_empty());
    }
    Ok(count)
}

/// A list with room for `count` elements, one for each descriptor that the program names.
fn room_for<T>(count: usize) -> Result<Vec<T>, Errno> {
    let mut list = Vec::new();
    list.try_reserve_exact(count).map_err(|_| Errno::ENOMEM)?;
    Ok(list)
}

/// Waits until a descriptor is ready, the deadline passes or a signal comes.
fn wait_for(all: &mut [Awaited], deadline: Option<u64>, [mask, size]: [u64; 2]) -> Outcome {
    if let Some(pointer) = UserPtr::<u64>::from(mask).non_null() {
        check_size(size)?;
        let set = SignalSet(pointer.read()?);
        current().signals.borrow_mut().suspend_with(set);
    }
    loop {
        let mut waits = Waits::default();
        let count = look(all, &mut waits)?;
        if count > 0 || deadline.is_some_and(|deadline| deadline <= arch::time()) {
            return Ok(count);
        }
        if ready::sleep_until_any(waits, deadline)? == WaitOutcome::Interrupted {
            return Err(Stop::Signal(false));
        }
    }
}

pub fn ppoll([fds, count, timeout, mask, size, _]: Arguments) -> Outcome {
    let count = length(count);
    let limit = current().process.files().borrow().limit();
    if count > length(u64::from(limit)) {
        return Err(Errno::EINVAL.into());
    }
    let deadline = deadline_of(timeout)?;
    let fds = UserPtr::<pollfd>::from(fds);
    let mut all = room_for(count)?;
    for index in 0..count as u64 {
        let entry = fds.at(index).read()?;
        let wanted = Readiness::from_bits_truncate(entry.events.cast_unsigned());
        all.push(Awaited { fd: entry.fd, wanted, ready: Readiness::empty() });
    }
    let result = match wait_for(&mut all, deadline, [mask, size]) {
        Ok(count) => count,
        Err(stop) => return tell_rest(timeout, deadline, Err(stop)),
    };
    for (index, awaited) in all.iter().enumerate() {
        let mut entry = fds.at(index as u64).read()?;
        entry.revents = awaited.ready.bits().cast_signed();
        fds.at(index as u64).write(entry)?;
    }
    tell_rest(timeout, deadline, Ok(result))
}

/// When the timeout passes: one that a signal without a handler has cut short keeps its time.
fn deadline_of(timeout: u64) -> Result<Option<u64>, Errno> {
    match current().rest.take() {
        Some(Rest::Poll { deadline }) => Ok(Some(deadline)),
        _ => super::time::deadline_of(timeout),
    }
}

/// As in Linux, how much of the timeout is left goes where the timeout was.
fn tell_rest(timeout: u64, deadline: Option<u64>, outcome: Outcome) -> Outcome {
    let Some(deadline) = deadline else { return outcome };
    let left = super::time::time_left(deadline);
    let told = inject::covered(|| UserPtr::<[u64; 2]>::from(timeout).write(left));
    if matches!(outcome, Err(Stop::Signal(_))) {
        if told.is_err() {
            return Err(Errno::EINTR.into());
        }
        current().rest.set(Some(Rest::Poll { deadline }));
    }
    outcome
}

pub fn pselect6([count, read, write, except, timeout, mask]: Arguments) -> Outcome {
    let count = length(count);
    if count > MAX_SELECTED {
        return Err(Errno::EINVAL.into());
    }
    let deadline = deadline_of(timeout)?;
    let words = count.div_ceil(BITS);
    let (readers, writers, excepted) = (set_of(read, words)?, set_of(write, words)?, set_of(except, words)?);
    let mut all = room_for(count)?;
    for fd in 0..count {
        if is_set(&excepted, fd) {
            super::files::open_file(fd as u64)?;
        }
        let mut wanted = Readiness::empty();
        wanted.set(Readiness::IN, is_set(&readers, fd));
        wanted.set(Readiness::OUT, is_set(&writers, fd));
        if !wanted.is_empty() {
            all.push(Awaited {
                fd: i32::try_from(fd).map_err(|_| Errno::EINVAL)?,
                wanted,
                ready: Readiness::empty(),
            });
        }
    }
    let mask = match UserPtr::<[u64; 2]>::from(mask).non_null() {
        Some(pointer) => pointer.read()?,
        None => [0; 2],
    };
    let waited = wait_for(&mut all, deadline, mask);
    if let Err(stop) = waited {
        return tell_rest(timeout, deadline, Err(stop));
    }
    if all.iter().any(|awaited| awaited.ready == Readiness::NVAL) {
        return Err(Errno::EBADF.into());
    }
    let total = put_set(read, words, &all, Readiness::IN, Readiness::IN | Readiness::HUP | Readiness::ERR)?
        + put_set(write, words, &all, Readiness::OUT, Readiness::OUT | Readiness::ERR)?;
    put_set(except, words, &[], Readiness::empty(), Readiness::empty())?;
    tell_rest(timeout, deadline, Ok(total))
}

fn set_of(pointer: u64, words: usize) -> Result<Vec<u64>, Errno> {
    match UserPtr::<u64>::from(pointer).non_null() {
        None => Ok(alloc::vec![0; words]),
        Some(pointer) => (0..words as u64).map(|index| pointer.at(index).read()).collect(),
    }
}

fn is_set(set: &[u64], fd: usize) -> bool {
    set[fd / BITS] >> (fd % BITS) & 1 != 0
}

/// Writes the descriptors that were asked for as `asked` and are ready in one of `events`; returns how many.
fn put_set(
    pointer: u64,
    words: usize,
    all: &[Awaited],
    asked: Readiness,
    events: Readiness,
) -> Result<u64, Errno> {
    let Some(pointer) = UserPtr::<u64>::from(pointer).non_null() else { return Ok(0) };
    let mut set = alloc::vec![0u64; words];
    let mut count = 0;
    for awaited in all.iter().filter(|a| a.wanted.contains(asked) && a.ready.intersects(events)) {
        let fd = usize::try_from(awaited.fd).unwrap_or(0);
        set[fd / BITS] |= 1 << (fd % BITS);
        count += 1;
    }
    for (index, word) in set.iter().enumerate() {
        pointer.at(index as u64).write(*word)?;
    }
    Ok(count)
}
