//! Memory that is locked: what comes at once, what is told of it, what it forbids, and who may have how much of it.

use core::ffi::CStr;

use rt::abi::errno;
use rt::abi::general as g;
use rt::os::{self, Status};
use rt::{PAGE_SIZE, Result};

use crate::check::Outcome;
use crate::exec::unlink;
use crate::memory::{READ_WRITE, brk, map, mmap, mprotect, munmap, temporary};
use crate::raw::{peek, poke, sys};
use crate::users::{as_user, text};
use crate::{check, check_eq, check_error, tests};

tests! {
    @Kernel locked_at_once, @Kernel locked_on_fault, @Kernel locked_all, @Kernel locked_by_mmap, @Kernel locks_in_words, @Kernel locks_split_and_merge,
    @Kernel locked_is_not_discarded, @Kernel lock_errors, @Kernel lock_limits, @Kernel populated_by_mmap, @Kernel given_up_is_told,
    own_pages_are_limited,
}

const ANONYMOUS: u32 = g::MAP_PRIVATE | g::MAP_ANONYMOUS;

fn mlock(at: usize, len: usize) -> Result<usize> {
    sys(g::__NR_mlock, [at, len])
}

fn munlock(at: usize, len: usize) -> Result<usize> {
    sys(g::__NR_munlock, [at, len])
}

fn mlockall(flags: u32) -> Result<usize> {
    sys(g::__NR_mlockall, [flags as usize])
}

fn madvise(at: usize, pages: usize, advice: u32) -> Result<usize> {
    sys(g::__NR_madvise, [at, pages * PAGE_SIZE, advice as usize])
}

/// More pages than a process may have in memory at once, where that is limited: what it finds in them is what it has put there, and a child finds the same. (Linux
/// remembers the limit, and nothing else.)
fn own_pages_are_limited() -> Outcome {
    const PAGES: usize = 64;
    let limit = |bytes: u64| {
        let pair = [bytes, u64::MAX];
        sys(g::__NR_setrlimit, [g::RLIMIT_RSS as usize, pair.as_ptr() as usize])
    };
    let at = map(PAGES, READ_WRITE)?;
    let shared = mmap(0, PAGES * PAGE_SIZE, READ_WRITE, g::MAP_SHARED | g::MAP_ANONYMOUS, -1, 0)?;
    let fill = |from: u8| {
        for page in 0..PAGES {
            poke(at + page * PAGE_SIZE, from + page as u8);
            poke(shared + page * PAGE_SIZE + 1, from + page as u8);
        }
    };
    let is_as_filled = |from: u8| {
        (0..PAGES).all(|page| {
            let byte = from + page as u8;
            peek(at + page * PAGE_SIZE) == byte && peek(shared + page * PAGE_SIZE + 1) == byte
        })
    };
    fill(1);
    limit(24 * PAGE_SIZE as u64)?;
    let mut told = [0u64; 2];
    sys(g::__NR_getrlimit, [g::RLIMIT_RSS as usize, told.as_mut_ptr() as usize])?;
    check_eq!(core::hint::black_box(&told)[0], 24 * PAGE_SIZE as u64);
    check!(is_as_filled(1));
    let child = os::in_child(|| i32::from(!is_as_filled(1)));
    check_eq!(child, Ok(Status::Exited(0)));
    fill(100);
    check!(is_as_filled(100));
    let pair = [u64::MAX; 2];
    sys(g::__NR_prlimit64, [0, g::RLIMIT_RSS as usize, pair.as_ptr() as usize, 0])?;
    check!(is_as_filled(100));
    munmap(at, PAGES * PAGE_SIZE)?;
    munmap(shared, PAGES * PAGE_SIZE)?;
    Ok(())
}

/// The number in a line of a file of `/proc`.
pub fn number(text: &[u8], line: &[u8]) -> usize {
    let Some(at) = text.windows(line.len()).position(|window| window == line) else { return usize::MAX };
    let digits = text[at + line.len()..].iter().skip_while(|byte| byte.is_ascii_whitespace());
    digits
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0, |sum, &digit| sum * 10 + usize::from(digit - b'0'))
}

/// Pages that are locked.
fn locked() -> Result<usize> {
    let mut buffer = [0; 2 << 10];
    Ok(number(text(c"/proc/self/status", &mut buffer)?, b"VmLck:") / 4)
}

/// What there is to read of the mapping that begins at `at`, and behind it.
fn entry_at(at: usize, buffer: &mut [u8]) -> Result<Option<&[u8]>> {
    let smaps = text(c"/proc/self/smaps", buffer)?;
    let mut digits = [0u8; 17];
    for (index, digit) in digits[..16].iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[at >> (60 - 4 * index) & 15];
    }
    digits[16] = b'-';
    let skipped = digits.iter().position(|&digit| digit != b'0').unwrap_or(0);
    let name = &digits[skipped.min(8)..];
    let start = smaps.windows(name.len()).position(|window| window == name);
    Ok(start.map(|start| &smaps[start..]))
}

/// Pages in memory and locked, and the last line, of the mapping that begins at `at`.
fn told(at: usize) -> Result<(usize, usize, [u8; 64])> {
    let mut buffer = [0; 16 << 10];
    let Some(entry) = entry_at(at, &mut buffer)? else {
        return Ok((usize::MAX, usize::MAX, [0; 64]));
    };
    const FLAGS: &[u8] = b"VmFlags: ";
    let mut flags = [0; 64];
    if let Some(at) = entry.windows(FLAGS.len()).position(|window| window == FLAGS) {
        let line = entry[at + FLAGS.len()..].iter().take_while(|&&byte| byte != b'\n');
        flags.iter_mut().zip(line).for_each(|(to, from)| *to = *from);
    }
    Ok((number(entry, b"\nRss:") / 4, number(entry, b"\nLocked:") / 4, flags))
}

fn says(flags: &[u8; 64], expected: &[u8]) -> bool {
    flags.starts_with(expected) && flags[expected.len()] == 0
}

/// Pages that are given up are clean until they are stored to.
fn given_up_is_told() -> Outcome {
    let at = map(4, READ_WRITE)?;
    (0..4).for_each(|page| poke(at + page * PAGE_SIZE, 5));
    let told = || -> Result<(usize, usize, usize)> {
        let mut buffer = [0; 16 << 10];
        let entry = entry_at(at, &mut buffer)?.unwrap_or(b"");
        let pages = |name| number(entry, name) / 4;
        Ok((pages(b"\nLazyFree:"), pages(b"\nPrivate_Clean:"), pages(b"\nPrivate_Dirty:")))
    };
    check_eq!(told()?, (0, 0, 4));
    madvise(at, 3, g::MADV_FREE)?;
    check_eq!(told()?, (3, 3, 1));
    poke(at + PAGE_SIZE, 6);
    check_eq!(told()?, (2, 2, 2));
    munmap(at, 4 * PAGE_SIZE)?;
    Ok(())
}

fn locked_at_once() -> Outcome {
    let at = map(10, READ_WRITE)?;
    mprotect(at + 5 * PAGE_SIZE, 5, g::PROT_READ)?;
    check_eq!(locked()?, 0);
    mlock(at + 1, PAGE_SIZE)?;
    // Both pages of which a byte is meant.
    check_eq!(locked()?, 2);
    let (resident, told_locked, flags) = told(at)?;
    check_eq!((resident, told_locked), (2, 2));
    check!(says(&flags, b"rd wr mr mw me lo ac "));
    check!(says(&told(at + 2 * PAGE_SIZE)?.2, b"rd wr mr mw me ac "));
    // Twice is as once, and a child has it not.
    mlock(at, 2 * PAGE_SIZE)?;
    check_eq!(locked()?, 2);
    check_eq!(os::in_child(|| locked().map_or(-1, |pages| pages as i32))?, Status::Exited(0));
    munlock(at, PAGE_SIZE)?;
    check_eq!((locked()?, peek(at)), (1, 0));
    munmap(at, 10 * PAGE_SIZE)?;
    check_eq!(locked()?, 0);
    // A page of a file comes, too; past its end none can.
    const PATH: &CStr = c"/tmp/vmtests.locked";
    let file = temporary(PATH, b"text")?;
    let shown = mmap(0, 2 * PAGE_SIZE, READ_WRITE, g::MAP_SHARED, file, 0)?;
    mlock(shown, PAGE_SIZE)?;
    check_eq!(told(shown)?.0, 1);
    check_error!(mlock(shown, 2 * PAGE_SIZE), ENOMEM);
    check_eq!(locked()?, 2);
    unlink(PATH)?;
    Ok(())
}

fn locked_on_fault() -> Outcome {
    let at = map(4, READ_WRITE)?;
    let mlock2 = |flags: u32| sys(g::__NR_mlock2, [at, 4 * PAGE_SIZE, flags as usize]);
    check_error!(mlock2(2), EINVAL);
    mlock2(g::MLOCK_ONFAULT)?;
    poke(at + PAGE_SIZE, 1);
    let (resident, told_locked, flags) = told(at)?;
    check_eq!((locked()?, resident, told_locked), (4, 1, 1));
    check!(says(&flags, b"rd wr mr mw me lo lf ac "));
    mlock2(0)?;
    check_eq!(told(at)?.0, 4);
    check!(says(&told(at)?.2, b"rd wr mr mw me lo ac "));
    Ok(())
}

fn locked_all() -> Outcome {
    for wrong in [0, g::MCL_ONFAULT, 8, 9] {
        check_error!(mlockall(wrong), EINVAL);
    }
    let before = map(4, READ_WRITE)?;
    mlockall(g::MCL_CURRENT | g::MCL_ONFAULT)?;
    check!(locked()? > 4);
    check_eq!(told(before)?.0, 0);
    mlockall(g::MCL_CURRENT)?;
    check_eq!(told(before)?.0, 4);
    sys(g::__NR_munlockall, [])?;
    check_eq!(locked()?, 0);
    // From now on, and only from now on.
    mlockall(g::MCL_FUTURE)?;
    check_eq!(locked()?, 0);
    let after = map(4, READ_WRITE)?;
    check_eq!((locked()?, told(after)?.0), (4, 4));
    let end = brk(0)?;
    brk(end + 2 * PAGE_SIZE)?;
    check_eq!(locked()?, 6);
    let none = map(3, g::PROT_NONE)?;
    check_eq!((locked()?, told(none)?.0), (9, 0));
    // Nothing of this for a child, nor for what it maps.
    let child = os::in_child(|| {
        let mapped = map(4, READ_WRITE);
        i32::from(mapped.is_err() || locked() != Ok(0))
    })?;
    check_eq!(child, Status::Exited(0));
    mlockall(g::MCL_FUTURE | g::MCL_ONFAULT)?;
    let late = map(4, READ_WRITE)?;
    check_eq!((locked()?, told(late)?.0), (13, 0));
    sys(g::__NR_munlockall, [])?;
    let free = map(4, READ_WRITE)?;
    check_eq!((locked()?, told(free)?.1), (0, 0));
    Ok(())
}

fn locked_by_mmap() -> Outcome {
    let at = mmap(0, 4 * PAGE_SIZE, READ_WRITE, ANONYMOUS | g::MAP_LOCKED, -1, 0)?;
    check_eq!((locked()?, told(at)?.0), (4, 4));
    // Another mapping in its place is another one.
    mmap(at, PAGE_SIZE, READ_WRITE, ANONYMOUS | g::MAP_FIXED, -1, 0)?;
    check_eq!(locked()?, 3);
    // What it grows by is as it is.
    let grown = mmap(0, 8 * PAGE_SIZE, READ_WRITE, ANONYMOUS | g::MAP_LOCKED, -1, 0)?;
    munmap(grown + 4 * PAGE_SIZE, 4 * PAGE_SIZE)?;
    check_eq!(locked()?, 7);
    sys(g::__NR_mremap, [grown, 4 * PAGE_SIZE, 6 * PAGE_SIZE, 0])?;
    check_eq!((locked()?, told(grown)?.0), (9, 6));
    Ok(())
}

fn populated_by_mmap() -> Outcome {
    let mapped = |flags: u32| mmap(0, 4 * PAGE_SIZE, READ_WRITE, ANONYMOUS | flags, -1, 0);
    let populated = mapped(g::MAP_POPULATE)?;
    check_eq!((told(populated)?.0, locked()?), (4, 0));
    munmap(populated, 4 * PAGE_SIZE)?;
    let not_now = mapped(g::MAP_POPULATE | g::MAP_NONBLOCK)?;
    check_eq!((told(not_now)?.0, locked()?), (0, 0));
    Ok(())
}

fn locks_in_words() -> Outcome {
    let at = map(2, READ_WRITE)?;
    madvise(at, 1, g::MADV_DONTFORK)?;
    check!(says(&told(at)?.2, b"rd wr mr mw me dc ac "));
    madvise(at, 1, g::MADV_WIPEONFORK)?;
    check!(says(&told(at)?.2, b"rd wr mr mw me dc ac wf "));
    let code = map(1, g::PROT_READ | g::PROT_EXEC)?;
    check!(says(&told(code)?.2, b"rd ex mr mw me "));
    let shared = mmap(0, PAGE_SIZE, READ_WRITE, g::MAP_SHARED | g::MAP_ANONYMOUS, -1, 0)?;
    check!(says(&told(shared)?.2, b"rd wr sh mr mw me ms "));
    const PATH: &CStr = c"/tmp/vmtests.locked";
    os::close(temporary(PATH, b"text")?)?;
    let file = os::open(PATH, g::O_RDONLY, 0)?;
    let shown = mmap(0, PAGE_SIZE, g::PROT_READ, g::MAP_SHARED, file, 0)?;
    check!(says(&told(shown)?.2, b"rd mr me ms "));
    unlink(PATH)?;
    Ok(())
}

fn locks_split_and_merge() -> Outcome {
    let at = map(5, READ_WRITE)?;
    mprotect(at, 5, g::PROT_READ)?;
    mprotect(at, 5, READ_WRITE)?;
    mlock(at + 2 * PAGE_SIZE, PAGE_SIZE)?;
    check_eq!(told(at + 2 * PAGE_SIZE)?.1, 1);
    check_eq!(told(at + 3 * PAGE_SIZE)?.1, 0);
    mlock(at + PAGE_SIZE, 3 * PAGE_SIZE)?;
    check_eq!((told(at + PAGE_SIZE)?.1, locked()?), (3, 3));
    munlock(at, 5 * PAGE_SIZE)?;
    // One mapping again: nothing begins in its middle.
    check_eq!((told(at + PAGE_SIZE)?.1, told(at + 4 * PAGE_SIZE)?.1), (usize::MAX, usize::MAX));
    Ok(())
}

fn locked_is_not_discarded() -> Outcome {
    let at = map(3, READ_WRITE)?;
    (0..3).for_each(|page| poke(at + page * PAGE_SIZE, 5));
    mlock(at + PAGE_SIZE, PAGE_SIZE)?;
    for advice in [g::MADV_DONTNEED, g::MADV_FREE, g::MADV_COLD, g::MADV_PAGEOUT, g::MADV_REMOVE] {
        check_error!(madvise(at + PAGE_SIZE, 1, advice), EINVAL);
    }
    check_eq!(peek(at + PAGE_SIZE), 5);
    // What lies before it is.
    check_error!(madvise(at, 3, g::MADV_DONTNEED), EINVAL);
    check_eq!((peek(at), peek(at + PAGE_SIZE), peek(at + 2 * PAGE_SIZE)), (0, 5, 5));
    madvise(at + PAGE_SIZE, 1, g::MADV_DONTNEED_LOCKED)?;
    check_eq!((peek(at + PAGE_SIZE), locked()?), (0, 1));
    munlock(at, 3 * PAGE_SIZE)?;
    madvise(at, 3, g::MADV_DONTNEED)?;
    check_eq!(peek(at + 2 * PAGE_SIZE), 0);
    Ok(())
}

fn lock_errors() -> Outcome {
    let at = map(4, READ_WRITE)?;
    munmap(at + 2 * PAGE_SIZE, PAGE_SIZE)?;
    // Up to the gap it is done.
    check_error!(mlock(at, 4 * PAGE_SIZE), ENOMEM);
    check_eq!(locked()?, 2);
    check_error!(munlock(at, 4 * PAGE_SIZE), ENOMEM);
    check_eq!(locked()?, 0);
    check_error!(mlock(at + 2 * PAGE_SIZE, PAGE_SIZE), ENOMEM);
    check_error!(mlock(PAGE_SIZE, PAGE_SIZE), ENOMEM);
    check_error!(munlock(PAGE_SIZE, PAGE_SIZE), ENOMEM);
    check_error!(mlock(PAGE_SIZE.wrapping_neg(), PAGE_SIZE), EINVAL);
    check_error!(mlock(PAGE_SIZE.wrapping_neg(), 2 * PAGE_SIZE), EINVAL);
    check_error!(mlock(at + 3 * PAGE_SIZE, 1 << 63), ENOMEM);
    sys(g::__NR_munlockall, [])?;
    // A length that rounds up to nothing is none.
    check_eq!((mlock(at, usize::MAX)?, mlock(at + 1, 0)? + locked()?), (0, 1));
    sys(g::__NR_munlockall, [])?;
    mprotect(at, 1, g::PROT_NONE)?;
    check_error!(mlock(at, 2 * PAGE_SIZE), ENOMEM);
    check_eq!(locked()?, 2);
    Ok(())
}

fn lock_limits() -> Outcome {
    let at = map(16, READ_WRITE)?;
    let limit = |pages: usize| {
        let pair = [(pages * PAGE_SIZE) as u64, (pages * PAGE_SIZE) as u64];
        sys(g::__NR_setrlimit, [g::RLIMIT_MEMLOCK as usize, pair.as_ptr() as usize])
    };
    let mapped = |pages: usize, flags: u32| mmap(0, pages * PAGE_SIZE, READ_WRITE, ANONYMOUS | flags, -1, 0);
    // Root is not limited.
    limit(0)?;
    mlock(at, PAGE_SIZE)?;
    munlock(at, PAGE_SIZE)?;
    let few = || {
        // In a child that is not limited by what the test before has set: a hard limit is lowered only.
        mlock(at, PAGE_SIZE)?;
        mlock(at, PAGE_SIZE)?;
        mlock(at + 2 * PAGE_SIZE, PAGE_SIZE)
    };
    let in_force = |pages: usize, ask: &dyn Fn() -> Result<usize>| {
        limit(pages)?;
        as_user(ask)
    };
    check_eq!(in_force(2, &few)?, 0);
    check_eq!(in_force(2, &|| few().and_then(|_| mlock(at + PAGE_SIZE, PAGE_SIZE)))?, errno::ENOMEM);
    check_eq!(in_force(2, &|| mlock(at, 3 * PAGE_SIZE))?, errno::ENOMEM);
    check_eq!(in_force(2, &|| mlockall(g::MCL_CURRENT))?, errno::ENOMEM);
    check_eq!(in_force(2, &|| mapped(3, g::MAP_LOCKED))?, errno::EAGAIN);
    check_eq!(in_force(2, &|| mapped(2, g::MAP_LOCKED))?, 0);
    check_eq!(in_force(2, &|| mlockall(g::MCL_FUTURE).and_then(|_| mapped(3, 0)))?, errno::EAGAIN);
    // The break stays where it is.
    let stays = || {
        let end = brk(0)?;
        mlockall(g::MCL_FUTURE)?;
        check_break(brk(end + 3 * PAGE_SIZE)? == end && brk(end + PAGE_SIZE)? == end + PAGE_SIZE)
    };
    check_eq!(in_force(2, &stays)?, 0);
    for asked in [&|| mlock(at, PAGE_SIZE), &|| mlock(at, 0), &|| mlockall(g::MCL_FUTURE), &|| {
        mapped(1, g::MAP_LOCKED)
    }] as [&dyn Fn() -> Result<usize>; 4]
    {
        check_eq!(in_force(0, asked)?, errno::EPERM);
    }
    check_eq!(in_force(0, &|| munlock(at, PAGE_SIZE).and_then(|_| sys(g::__NR_munlockall, [])))?, 0);
    // By any of the calls that set it, and each tells it.
    let mut told = [0u64; 2];
    sys(g::__NR_getrlimit, [g::RLIMIT_MEMLOCK as usize, told.as_mut_ptr() as usize])?;
    check_eq!(core::hint::black_box(told), [0, 0]);
    let one = [PAGE_SIZE as u64; 2];
    let mut before = [1u64; 2];
    let (new, old) = (one.as_ptr() as usize, before.as_mut_ptr() as usize);
    sys(g::__NR_prlimit64, [0, g::RLIMIT_MEMLOCK as usize, new, old])?;
    check_eq!(core::hint::black_box(before), [0, 0]);
    check_eq!((as_user(|| mlock(at, PAGE_SIZE))?, as_user(|| mlock(at, 2 * PAGE_SIZE))?), (0, errno::ENOMEM));
    Ok(())
}

fn check_break(is_so: bool) -> Result<usize> {
    if is_so { Ok(0) } else { Err(rt::Errno(255)) }
}
