//! What madvise(2), mmap(2) and mprotect(2) are told beside addresses: each piece of advice that changes something is seen at work.

use core::ffi::CStr;

use rt::PAGE_SIZE;
use rt::Result;
use rt::abi::errno;
use rt::abi::general as g;
use rt::os::{self, Status};

use crate::check::{Outcome, each_is_refused};
use crate::exec::unlink;
use crate::full::info;
use crate::memory::{READ_WRITE, SEGV, child, map, mmap, mprotect, munmap, temporary};
use crate::processes::sleep_ns;
use crate::raw::{peek, poke, sys};
use crate::users::as_user;
use crate::{check, check_eq, check_error, tests};

tests! {
    @Kernel fork_wipes, @Kernel fork_leaves_out, @Kernel advice_splits_and_merges, @Kernel populated_at_once, @Kernel removed_from_a_file,
    @Kernel paged_out_and_back, @Kernel given_up, @Kernel advice_of_files, @Kernel advice_errors, @Kernel mapping_grows_down, @Kernel mapping_flags_that_are_refused, @Kernel protection_of_a_stack,
    @Kernel advice_on_a_vast_file, @Kernel advice_by_descriptor, @Kernel advice_to_another, @Kernel advice_in_parts, @Kernel advice_that_nobody_may_give,
}

const PATH: &CStr = c"/tmp/vmtests.advice";

fn madvise(at: usize, pages: usize, advice: u32) -> Result<usize> {
    sys(g::__NR_madvise, [at, pages * PAGE_SIZE, advice as usize])
}

/// What a child sees at an address.
fn seen_by_child(at: usize) -> Result<Status> {
    os::in_child(|| i32::from(peek(at)))
}

fn fork_wipes() -> Outcome {
    let at = map(3, READ_WRITE)?;
    (0..3).for_each(|page| poke(at + page * PAGE_SIZE, 5));
    madvise(at + PAGE_SIZE, 1, g::MADV_WIPEONFORK)?;
    let seen = |page: usize| seen_by_child(at + page * PAGE_SIZE);
    check_eq!((seen(0)?, seen(1)?, seen(2)?), (Status::Exited(5), Status::Exited(0), Status::Exited(5)));
    check_eq!(peek(at + PAGE_SIZE), 5);
    // A grandchild, too, of a child that has stored there.
    let grandchild = os::in_child(|| {
        poke(at + PAGE_SIZE, 7);
        i32::from(seen_by_child(at + PAGE_SIZE) != Ok(Status::Exited(0)))
    })?;
    check_eq!(grandchild, Status::Exited(0));
    madvise(at + PAGE_SIZE, 1, g::MADV_KEEPONFORK)?;
    check_eq!(seen(1)?, Status::Exited(5));
    Ok(())
}

/// What a call costs grows with what there is of a file, not with how long it is.
fn advice_on_a_vast_file() -> Outcome {
    const VAST: usize = 1 << 61;
    const MAPPED: usize = 1 << 36;
    let fd = sys(g::__NR_memfd_create, [c"vast".as_ptr() as usize, 0])?;
    sys(g::__NR_ftruncate, [fd, VAST])?;
    sys(g::__NR_pwrite64, [fd, c"x".as_ptr() as usize, 1, MAPPED / 2])?;
    sys(g::__NR_readahead, [fd, 0, VAST])?;
    check_error!(sys(g::__NR_readahead, [fd, 0, usize::MAX]), EINVAL);
    check_error!(sys(g::__NR_readahead, [fd, 0, 1 << 63]), EINVAL);
    for advice in [g::POSIX_FADV_WILLNEED, g::POSIX_FADV_DONTNEED, g::POSIX_FADV_NORMAL] {
        sys(g::__NR_fadvise64, [fd, 0, 0, advice as usize])?;
    }
    let at = mmap(0, MAPPED, READ_WRITE, g::MAP_SHARED, fd as i32, 0)?;
    for advice in [g::MADV_WILLNEED, g::MADV_COLD, g::MADV_PAGEOUT, g::MADV_DONTNEED] {
        madvise(at, MAPPED / PAGE_SIZE, advice)?;
    }
    sys(g::__NR_msync, [at, MAPPED, g::MS_SYNC as usize])?;
    check_eq!(peek(at + MAPPED / 2), b'x');
    let hole = g::FALLOC_FL_PUNCH_HOLE | g::FALLOC_FL_KEEP_SIZE;
    sys(g::__NR_fallocate, [fd, hole as usize, 0, VAST])?;
    check_eq!(peek(at + MAPPED / 2), 0);
    check_error!(sys(g::__NR_fallocate, [fd, 0, 0, VAST]), ENOSPC);
    munmap(at, MAPPED)?;
    os::close(fd as i32)?;
    Ok(())
}

fn fork_leaves_out() -> Outcome {
    let at = map(3, READ_WRITE)?;
    (0..3).for_each(|page| poke(at + page * PAGE_SIZE, 5));
    let shared = mmap(0, PAGE_SIZE, READ_WRITE, g::MAP_SHARED | g::MAP_ANONYMOUS, -1, 0)?;
    poke(shared, 6);
    madvise(at + PAGE_SIZE, 1, g::MADV_DONTFORK)?;
    madvise(shared, 1, g::MADV_DONTFORK)?;
    check_eq!(child(|| peek(at + PAGE_SIZE)), SEGV);
    check_eq!(child(|| peek(shared)), SEGV);
    check_eq!(seen_by_child(at + 2 * PAGE_SIZE)?, Status::Exited(5));
    // The child may have something else there.
    let other = os::in_child(|| {
        let flags = g::MAP_PRIVATE | g::MAP_ANONYMOUS | g::MAP_FIXED_NOREPLACE;
        let mapped = mmap(at + PAGE_SIZE, PAGE_SIZE, READ_WRITE, flags, -1, 0);
        i32::from(mapped != Ok(at + PAGE_SIZE) || peek(at + PAGE_SIZE) != 0)
    })?;
    check_eq!(other, Status::Exited(0));
    check_eq!((peek(at + PAGE_SIZE), peek(shared)), (5, 6));
    madvise(at + PAGE_SIZE, 1, g::MADV_DOFORK)?;
    madvise(shared, 1, g::MADV_DOFORK)?;
    check_eq!(
        (seen_by_child(at + PAGE_SIZE)?, seen_by_child(shared)?),
        (Status::Exited(5), Status::Exited(6))
    );
    Ok(())
}

/// Lines of this process's list of mappings.
fn mappings() -> Result<usize> {
    let fd = os::open(c"/proc/self/maps", g::O_RDONLY, 0)?;
    let (mut lines, mut block) = (0, [0; 512]);
    loop {
        let len = os::read(fd, &mut block)?;
        if len == 0 {
            break;
        }
        lines += block[..len].iter().filter(|&&byte| byte == b'\n').count();
    }
    os::close(fd)?;
    Ok(lines)
}

fn advice_splits_and_merges() -> Outcome {
    let at = map(5, READ_WRITE)?;
    mprotect(at, 5, g::PROT_READ)?;
    let before = mappings()?;
    madvise(at + PAGE_SIZE, 1, g::MADV_WIPEONFORK)?;
    madvise(at + 3 * PAGE_SIZE, 1, g::MADV_DONTFORK)?;
    check_eq!(mappings()?, before + 4);
    madvise(at, 5, g::MADV_KEEPONFORK)?;
    madvise(at, 5, g::MADV_DOFORK)?;
    check_eq!(mappings()?, before);
    Ok(())
}

/// Pages of this process in memory (the second field of `/proc/self/statm`).
fn resident() -> Result<usize> {
    let fd = os::open(c"/proc/self/statm", g::O_RDONLY, 0)?;
    let mut text = [0; 64];
    let len = os::read(fd, &mut text)?;
    os::close(fd)?;
    let digits = text[..len].split(|&byte| byte == b' ').nth(1).unwrap_or(&[]);
    Ok(digits.iter().fold(0, |sum, &digit| sum * 10 + usize::from(digit - b'0')))
}

fn populated_at_once() -> Outcome {
    let at = map(64, READ_WRITE)?;
    resident()?;
    let before = resident()?;
    madvise(at, 32, g::MADV_POPULATE_WRITE)?;
    check!(resident()? >= before + 32);
    let file = temporary(PATH, &[7; 2 * PAGE_SIZE])?;
    let shown = mmap(0, 3 * PAGE_SIZE, g::PROT_READ, g::MAP_SHARED, file, 0)?;
    madvise(shown, 2, g::MADV_POPULATE_READ)?;
    check_error!(madvise(shown, 2, g::MADV_POPULATE_WRITE), EINVAL);
    check_error!(madvise(shown, 3, g::MADV_POPULATE_READ), EFAULT);
    munmap(at + PAGE_SIZE, PAGE_SIZE)?;
    check_error!(madvise(at, 3, g::MADV_POPULATE_WRITE), ENOMEM);
    unlink(PATH)?;
    Ok(())
}

/// Whether there is swap space.
fn has_swap() -> Result<bool> {
    const TOTAL_SWAP: usize = 8;
    Ok(info()?[TOTAL_SWAP] > 0)
}

/// Pages of a range that are in memory.
fn in_core(at: usize, pages: usize) -> Result<usize> {
    let mut vector = [0u8; 64];
    sys(g::__NR_mincore, [at, pages * PAGE_SIZE, vector.as_mut_ptr() as usize])?;
    Ok(core::hint::black_box(vector)[..pages].iter().filter(|&&byte| byte & 1 != 0).count())
}

fn paged_out_and_back() -> Outcome {
    const PAGES: usize = 64;
    let at = map(PAGES, READ_WRITE)?;
    let page = |number: usize| at + number * PAGE_SIZE;
    (0..PAGES).for_each(|number| poke(page(number) + number, number as u8 + 1));
    madvise(at, PAGES, g::MADV_COLD)?;
    let before = resident()?;
    madvise(at, PAGES, g::MADV_PAGEOUT)?;
    if has_swap()? {
        check!(resident()? + PAGES <= before + 2);
        // Once the disk has taken them.
        while in_core(at, PAGES)? > 0 {
            sleep_ns(1_000_000)?;
        }
        madvise(at, PAGES / 2, g::MADV_WILLNEED)?;
        while in_core(at, PAGES)? < PAGES / 2 {
            sleep_ns(1_000_000)?;
        }
        check!(resident()? + PAGES <= before + 2);
    }
    (0..PAGES).for_each(|number| poke(page(number) + 200, 7));
    check!((0..PAGES).all(|number| peek(page(number) + number) == number as u8 + 1));
    sys(g::__NR_mlock, [at, PAGE_SIZE])?;
    check_error!(madvise(at, 2, g::MADV_PAGEOUT), EINVAL);
    check_error!(madvise(at, 2, g::MADV_COLD), EINVAL);
    Ok(())
}

/// What was given up is as it was or zeros, page by page, and zeros once it has left memory; what was stored since stays.
fn given_up() -> Outcome {
    const PAGES: usize = 16;
    let at = map(PAGES, READ_WRITE)?;
    let page = |number: usize| at + number * PAGE_SIZE;
    let fill = || (0..PAGES * PAGE_SIZE / 8).for_each(|word| poke(at + 8 * word, 9));
    let ends = |number: usize| [8, 2048, 4088].map(|offset| peek(page(number) + offset));
    fill();
    madvise(at, PAGES, g::MADV_FREE)?;
    poke(page(1), 1);
    check!((0..PAGES).all(|number| [[0; 3], [9; 3]].contains(&ends(number))));
    check_eq!(peek(page(1)), 1);
    madvise(at, PAGES, g::MADV_FREE)?;
    poke(page(1) + 8, 2);
    let kept_of_one = peek(page(1));
    check!([0, 1].contains(&kept_of_one));
    madvise(at, PAGES, g::MADV_PAGEOUT)?;
    check!((0..PAGES).filter(|&number| number != 1).all(|number| ends(number) == [0; 3]));
    check_eq!((peek(page(1)), peek(page(1) + 8)), (kept_of_one, 2));
    // What is in swap space goes at once.
    fill();
    if has_swap()? {
        madvise(at, PAGES, g::MADV_PAGEOUT)?;
        madvise(at, PAGES, g::MADV_FREE)?;
        check!((0..PAGES).all(|number| ends(number) == [0; 3]));
    }
    // A child finds what its parent has.
    fill();
    madvise(at, PAGES, g::MADV_FREE)?;
    let seen = os::in_child(|| {
        (0..PAGES).for_each(|number| poke(page(number) + 100, 5));
        let _ = madvise(at, PAGES, g::MADV_PAGEOUT);
        i32::from((0..PAGES).all(|number| peek(page(number) + 100) == 5))
    });
    check_eq!(seen, Ok(Status::Exited(1)));
    check!(
        (0..PAGES).all(|number| [[0; 3], [9; 3]].contains(&ends(number)) && peek(page(number) + 100) == 0)
    );
    Ok(())
}

fn advice_of_files() -> Outcome {
    let bytes: &[u8] = &[7; 3 * PAGE_SIZE];
    let file = temporary(PATH, bytes)?;
    let advise = |offset: usize, len: usize, advice: u32| {
        sys(g::__NR_fadvise64, [file as usize, offset, len, advice as usize])
    };
    for advice in 0..=5 {
        check_eq!(advise(1, PAGE_SIZE, advice)?, 0);
        check_eq!(advise(0, 0, advice)?, 0);
        check_eq!(advise(1 << 40, 1 << 62, advice)?, 0);
    }
    check_error!(advise(0, usize::MAX, g::POSIX_FADV_WILLNEED), EINVAL);
    check_error!(advise(0, 0, 6), EINVAL);
    check_error!(advise(0, usize::MAX, g::POSIX_FADV_DONTNEED), EINVAL);
    check_eq!(sys(g::__NR_readahead, [file as usize, 5, 1 << 20])?, 0);
    let at = mmap(0, 3 * PAGE_SIZE, READ_WRITE, g::MAP_SHARED, file, 0)?;
    poke(at + 5, 8);
    for advice in [g::MADV_COLD, g::MADV_PAGEOUT, g::MADV_WILLNEED] {
        madvise(at, 3, advice)?;
        check_eq!((peek(at + 5), peek(at + 2 * PAGE_SIZE)), (8, 7));
    }
    check_error!(madvise(at, 3, g::MADV_FREE), EINVAL);
    unlink(PATH)?;
    Ok(())
}

fn removed_from_a_file() -> Outcome {
    let file = temporary(PATH, &[7; 3 * PAGE_SIZE])?;
    let at = mmap(0, 3 * PAGE_SIZE, READ_WRITE, g::MAP_SHARED, file, 0)?;
    check_eq!(peek(at + PAGE_SIZE), 7);
    madvise(at + PAGE_SIZE, 1, g::MADV_REMOVE)?;
    check_eq!(os::lseek(file, 0, g::SEEK_HOLE)?, PAGE_SIZE);
    check_eq!((peek(at + PAGE_SIZE - 1), peek(at + PAGE_SIZE), peek(at + 2 * PAGE_SIZE)), (7, 0, 7));
    let mut byte = [1];
    os::lseek(file, PAGE_SIZE as i64 + 5, g::SEEK_SET)?;
    os::read(file, &mut byte)?;
    check_eq!(byte[0], 0);
    let shared = mmap(0, PAGE_SIZE, READ_WRITE, g::MAP_SHARED | g::MAP_ANONYMOUS, -1, 0)?;
    poke(shared, 5);
    madvise(shared, 1, g::MADV_REMOVE)?;
    check_eq!(peek(shared), 0);
    check_error!(madvise(map(1, READ_WRITE)?, 1, g::MADV_REMOVE), EINVAL);
    mprotect(at, 1, g::PROT_READ)?;
    check_error!(madvise(at, 1, g::MADV_REMOVE), EACCES);
    unlink(PATH)?;
    Ok(())
}

fn advice_errors() -> Outcome {
    let file = temporary(PATH, b"text")?;
    let shown = mmap(0, PAGE_SIZE, g::PROT_READ, g::MAP_PRIVATE, file, 0)?;
    let shared = mmap(0, PAGE_SIZE, READ_WRITE, g::MAP_SHARED | g::MAP_ANONYMOUS, -1, 0)?;
    check_error!(madvise(shown, 1, g::MADV_WIPEONFORK), EINVAL);
    check_error!(madvise(shared, 1, g::MADV_WIPEONFORK), EINVAL);
    check_error!(madvise(shown + 1, 1, g::MADV_NORMAL), EINVAL);
    unlink(PATH)?;
    Ok(())
}

fn mapping_grows_down() -> Outcome {
    let anonymous = g::MAP_PRIVATE | g::MAP_ANONYMOUS;
    // Room below, without which it could not grow.
    let at = map(1000, READ_WRITE)?;
    munmap(at, 1000 * PAGE_SIZE)?;
    let stack = at + 900 * PAGE_SIZE;
    mmap(stack, PAGE_SIZE, READ_WRITE, anonymous | g::MAP_FIXED | g::MAP_GROWSDOWN, -1, 0)?;
    poke(stack - 10 * PAGE_SIZE, 5);
    check_eq!(peek(stack - 10 * PAGE_SIZE), 5);
    // Not into the guard gap above what lies below.
    mmap(at, PAGE_SIZE, READ_WRITE, anonymous | g::MAP_FIXED, -1, 0)?;
    check_eq!(child(|| poke(at + 100 * PAGE_SIZE, 5)), SEGV);
    let shared = g::MAP_SHARED | g::MAP_ANONYMOUS | g::MAP_GROWSDOWN;
    check_error!(mmap(0, PAGE_SIZE, READ_WRITE, shared, -1, 0), EINVAL);
    Ok(())
}

fn mapping_flags_that_are_refused() -> Outcome {
    let file = temporary(PATH, b"text")?;
    let mapped = |flags: u32, fd: i32| mmap(0, PAGE_SIZE, g::PROT_READ, flags, fd, 0);
    // Without a file there is nothing that could be validated.
    check_error!(mapped(g::MAP_SHARED_VALIDATE | g::MAP_ANONYMOUS, -1), EINVAL);
    const UNKNOWN: u32 = 1 << 27;
    check_error!(mapped(g::MAP_SHARED_VALIDATE | UNKNOWN, file), EOPNOTSUPP);
    check_error!(mapped(g::MAP_SHARED_VALIDATE | g::MAP_SYNC, file), EOPNOTSUPP);
    check!(mapped(g::MAP_SHARED | UNKNOWN, file).is_ok());
    check_eq!(peek(mapped(g::MAP_SHARED_VALIDATE, file)?), b't');
    check_error!(mapped(g::MAP_PRIVATE | g::MAP_ANONYMOUS | g::MAP_HUGETLB, -1), ENOMEM);
    unlink(PATH)?;
    Ok(())
}

fn protection_of_a_stack() -> Outcome {
    let page = map(2, READ_WRITE)?;
    let protect = |at: usize, prot: u32| sys(g::__NR_mprotect, [at, PAGE_SIZE, prot as usize]);
    check_error!(protect(page, READ_WRITE | g::PROT_GROWSDOWN), EINVAL);
    check_error!(protect(page, READ_WRITE | g::PROT_GROWSUP), EINVAL);
    check_error!(protect(page, READ_WRITE | 0x40), EINVAL);
    // From where the stack begins, wherever in it the range does.
    let room = map(1000, READ_WRITE)?;
    munmap(room, 1000 * PAGE_SIZE)?;
    let flags = g::MAP_PRIVATE | g::MAP_ANONYMOUS | g::MAP_FIXED | g::MAP_GROWSDOWN;
    let stack = mmap(room + 900 * PAGE_SIZE, 4 * PAGE_SIZE, READ_WRITE, flags, -1, 0)?;
    poke(stack, 5);
    protect(stack + 2 * PAGE_SIZE, g::PROT_READ | g::PROT_GROWSDOWN)?;
    check_eq!(child(|| poke(stack, 6)), SEGV);
    check_eq!(child(|| poke(stack + 2 * PAGE_SIZE, 6)), SEGV);
    poke(stack + 3 * PAGE_SIZE, 6);
    Ok(())
}

fn pidfd(pid: i32) -> Result<usize> {
    sys(g::__NR_pidfd_open, [pid as usize, 0])
}

fn process_madvise(fd: usize, ranges: &[[usize; 2]], advice: u32) -> Result<usize> {
    sys(g::__NR_process_madvise, [fd, ranges.as_ptr() as usize, ranges.len(), advice as usize, 0])
}

/// To itself a program may say all that it may say by madvise(2). These and the following as the host's Linux has them; qemu-riscv64 7.2 has
/// no process_madvise.
fn advice_by_descriptor() -> Outcome {
    let at = map(4, READ_WRITE)?;
    let me = pidfd(os::getpid())?;
    let advise =
        |page: usize, advice: u32| process_madvise(me, &[[at + page * PAGE_SIZE, PAGE_SIZE]], advice);
    let place = |page: usize| is_where(os::getpid(), at + page * PAGE_SIZE);
    check_eq!((place(0)?, place(1)?), ((false, false), (false, false)));
    check_eq!(
        (advise(0, g::MADV_POPULATE_WRITE)?, advise(1, g::MADV_POPULATE_READ)?),
        (PAGE_SIZE, PAGE_SIZE)
    );
    check_eq!((place(0)?, place(1)?), ((true, false), (true, false)));
    poke(at, 5);
    advise(0, g::MADV_WIPEONFORK)?;
    check_eq!(seen_by_child(at)?, Status::Exited(0));
    advise(0, g::MADV_KEEPONFORK)?;
    check_eq!(seen_by_child(at)?, Status::Exited(5));
    advise(0, g::MADV_DONTFORK)?;
    check_eq!(child(|| peek(at)), SEGV);
    advise(0, g::MADV_DOFORK)?;
    check_eq!(seen_by_child(at)?, Status::Exited(5));
    for advice in [g::MADV_COLD, g::MADV_PAGEOUT, g::MADV_WILLNEED] {
        check_eq!((advise(0, advice)?, peek(at)), (PAGE_SIZE, 5));
    }
    check_eq!((advise(0, g::MADV_DONTNEED)?, peek(at)), (PAGE_SIZE, 0));
    poke(at, 5);
    check_eq!((advise(0, g::MADV_FREE)?, advise(0, g::MADV_PAGEOUT)?, peek(at)), (PAGE_SIZE, PAGE_SIZE, 0));
    poke(at, 5);
    sys(g::__NR_mlock, [at, PAGE_SIZE])?;
    check_error!(advise(0, g::MADV_DONTNEED), EINVAL);
    check_eq!((advise(0, g::MADV_DONTNEED_LOCKED)?, peek(at)), (PAGE_SIZE, 0));
    let memory = sys(g::__NR_memfd_create, [c"removed".as_ptr() as usize, 0])?;
    sys(g::__NR_ftruncate, [memory, PAGE_SIZE])?;
    let shared = mmap(0, PAGE_SIZE, READ_WRITE, g::MAP_SHARED, memory as i32, 0)?;
    poke(shared, 5);
    check_eq!((process_madvise(me, &[[shared, PAGE_SIZE]], g::MADV_REMOVE)?, peek(shared)), (PAGE_SIZE, 0));
    Ok(())
}

/// Of a page of another process: whether it is in memory, and whether in swap space.
fn is_where(pid: i32, at: usize) -> Result<(bool, bool)> {
    let mut path = *b"/proc/0000000/pagemap\0";
    let mut rest = pid;
    for digit in path[6..13].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let digits = path[6..13].iter().take_while(|&&digit| digit == b'0').count();
    path.copy_within(6 + digits.., 6);
    let path = CStr::from_bytes_until_nul(&path).unwrap_or_default();
    let fd = os::open(path, g::O_RDONLY, 0)?;
    let mut entry = [0u64];
    sys(g::__NR_pread64, [fd as usize, entry.as_mut_ptr() as usize, 8, at / PAGE_SIZE * 8])?;
    os::close(fd)?;
    let entry = core::hint::black_box(entry)[0];
    Ok((entry >> 63 != 0, entry >> 62 & 1 != 0))
}

fn advice_to_another() -> Outcome {
    let at = map(2, READ_WRITE)?;
    let ((ready, tell_ready), (go_on, tell_go_on)) = (os::pipe(0)?, os::pipe(0)?);
    let child = os::fork()?;
    if child == 0 {
        let _ = os::close(tell_go_on);
        (0..2).for_each(|page| poke(at + page * PAGE_SIZE, 7));
        let _ = os::write(tell_ready, b"x");
        let _ = os::read(go_on, &mut [0]);
        os::exit(i32::from((0..2).any(|page| peek(at + page * PAGE_SIZE) != 7)));
    }
    os::read(ready, &mut [0])?;
    let fd = pidfd(child)?;
    let ranges = [[at, PAGE_SIZE], [at + PAGE_SIZE, PAGE_SIZE]];
    check_eq!(process_madvise(fd, &ranges, g::MADV_COLD)?, 2 * PAGE_SIZE);
    check_eq!(process_madvise(fd, &ranges, g::MADV_PAGEOUT)?, 2 * PAGE_SIZE);
    // Once the disk has taken them.
    while has_swap()? && (0..2).any(|page| is_where(child, at + page * PAGE_SIZE) != Ok((false, true))) {
        sleep_ns(1_000_000)?;
    }
    check_eq!(process_madvise(fd, &ranges, g::MADV_WILLNEED)?, 2 * PAGE_SIZE);
    // Nothing that changes what it has, or how it goes on.
    for advice in [
        g::MADV_NORMAL,
        g::MADV_DONTNEED,
        g::MADV_FREE,
        g::MADV_DONTFORK,
        g::MADV_WIPEONFORK,
        g::MADV_POPULATE_WRITE,
        g::MADV_COLLAPSE,
        9999,
    ] {
        check_error!(process_madvise(fd, &ranges, advice), EINVAL);
    }
    os::write(tell_go_on, b"x")?;
    check_eq!(os::wait(child)?.1, Status::Exited(0));
    check_error!(process_madvise(fd, &ranges, g::MADV_COLD), ESRCH);
    Ok(())
}

/// How many bytes were seen to is told, up to the first range that is none; what is wrong with it only if it is the first of all.
fn advice_in_parts() -> Outcome {
    let at = map(4, READ_WRITE)?;
    munmap(at + 2 * PAGE_SIZE, PAGE_SIZE)?;
    let me = pidfd(os::getpid())?;
    let cold = |ranges: &[[usize; 2]]| process_madvise(me, ranges, g::MADV_COLD);
    let (page, hole) = ([at, PAGE_SIZE], [at + 2 * PAGE_SIZE, PAGE_SIZE]);
    check_eq!((cold(&[page, hole, page])?, cold(&[page, [at + 1, 1], page])?), (PAGE_SIZE, PAGE_SIZE));
    check_eq!((cold(&[[at, 100], page])?, cold(&[])?, cold(&[[at + 1, 0]])?), (PAGE_SIZE + 100, 0, 0));
    check_error!(cold(&[hole, page]), ENOMEM);
    check_error!(cold(&[[at, 4 * PAGE_SIZE]]), ENOMEM);
    check_error!(cold(&[[at + 1, 1]]), EINVAL);
    check_error!(cold(&[page, [usize::MAX - PAGE_SIZE, 1]]), EFAULT);
    check_error!(process_madvise(me, &[page], 9999), EINVAL);
    check_eq!(process_madvise(me, &[], 9999)?, 0);
    Ok(())
}

fn advice_that_nobody_may_give() -> Outcome {
    let range = [[map(1, READ_WRITE)?, PAGE_SIZE]];
    let (me, at) = (pidfd(os::getpid())?, range.as_ptr() as usize);
    let null = os::open(c"/dev/null", g::O_RDONLY, 0)? as usize;
    let cold = g::MADV_COLD as usize;
    each_is_refused(&[
        (g::__NR_process_madvise, &[me, at, 1, cold, 1], errno::EINVAL),
        (g::__NR_process_madvise, &[me, at, 1025, cold], errno::EINVAL),
        (g::__NR_process_madvise, &[999, at, 1025, cold], errno::EINVAL),
        (g::__NR_process_madvise, &[999, 8, 1, cold], errno::EFAULT),
        (g::__NR_process_madvise, &[999, at, 1, 9999], errno::EBADF),
        (g::__NR_process_madvise, &[null, at, 1, cold], errno::EBADF),
    ])?;
    // Another user's, and for who may look into it but not see to it.
    check_eq!(as_user(|| process_madvise(me, &range, g::MADV_COLD))?, errno::EACCES);
    check_eq!(as_user(|| process_madvise(me, &range, 9999))?, errno::EACCES);
    let may_look_only = || {
        // CAP_SYS_PTRACE alone, by `struct __user_cap_header_struct` and two of `struct __user_cap_data_struct`.
        let (header, data) = ([0x2008_0522u32, 0], [1u32 << 19, 1 << 19, 0, 0, 0, 0]);
        sys(g::__NR_capset, [header.as_ptr() as usize, data.as_ptr() as usize])?;
        process_madvise(me, &range, g::MADV_COLD)
    };
    let ended = os::in_child(|| may_look_only().err().map_or(0, |rt::Errno(number)| number as i32))?;
    check_eq!(ended, Status::Exited(errno::EPERM as i32));
    Ok(())
}
