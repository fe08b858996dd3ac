//! mmap, munmap, mprotect, brk: semantics and limits.

use rt::abi::general::{self as g, PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE, SIGBUS, SIGSEGV};
use rt::os::{self, Status};
use rt::{PAGE_SIZE, Result};

use crate::check::Outcome;
use crate::raw::{amo_add, jump, lr_sc_increment, peek, peek64, poke, poke64, sys};
use crate::{check, check_eq, check_error, tests};

tests! {
    anonymous_is_zero, zero_after_reuse, munmap_unmaps, munmap_middle, munmap_bad, fixed_replaces, @Kernel fixed_noreplace, hint_is_free_to_ignore,
    mmap_bad, @Kernel mmap_of_no_file, read_only_zeros_stay_so, @Kernel mmap_past_any_file, mmap_huge_is_lazy, mmap_too_big, page_crossing, atomics_on_fresh_pages, file_private, file_past_end,
    mprotect_read_only, mprotect_none, mprotect_middle, mprotect_back, mprotect_bad, @Kernel mprotect_nothing, mprotect_exec, mprotect_fork, many_mappings, many_at_once, many_gaps, madvise_dontneed, @Kernel madvise_gap, madvise_backings, @Kernel madvise_bad,
    brk_grows, @Kernel brk_shrinks, brk_zero_again, brk_limits,
}

/// The protection of ordinary memory.
pub const READ_WRITE: u32 = PROT_READ | PROT_WRITE;
const PRIVATE: u32 = g::MAP_PRIVATE | g::MAP_ANONYMOUS;

/// mmap(2) of `pages` private anonymous pages.
pub fn map(pages: usize, prot: u32) -> Result<usize> {
    mmap(0, pages * PAGE_SIZE, prot, PRIVATE, -1, 0)
}

/// mmap(2).
pub fn mmap(at: usize, len: usize, prot: u32, flags: u32, fd: i32, offset: usize) -> Result<usize> {
    sys(g::__NR_mmap, [at, len, prot as usize, flags as usize, fd as isize as usize, offset])
}

/// munmap(2).
pub fn munmap(at: usize, len: usize) -> Result<usize> {
    sys(g::__NR_munmap, [at, len])
}

/// mprotect(2) of whole pages.
pub fn mprotect(at: usize, pages: usize, prot: u32) -> Result<usize> {
    sys(g::__NR_mprotect, [at, pages * PAGE_SIZE, prot as usize])
}

/// How a child that runs `body` ends.
pub fn child<T>(body: impl FnOnce() -> T) -> Result<Status> {
    os::in_child(|| {
        let _ = body();
        0
    })
}

/// The end of a child that the hardware stopped.
pub const SEGV: Result<Status> = Ok(Status::Signaled(SIGSEGV));
const DONE: Result<Status> = Ok(Status::Exited(0));

fn all_zero(at: usize, pages: usize) -> bool {
    (at..at + pages * PAGE_SIZE).step_by(8).all(|address| peek64(address) == 0)
}

fn fill(at: usize, pages: usize, byte: u8) {
    (at..at + pages * PAGE_SIZE).for_each(|address| poke(address, byte));
}

fn anonymous_is_zero() -> Outcome {
    let at = map(64, READ_WRITE)?;
    check!(all_zero(at, 64));
    fill(at, 64, 0xa5);
    check_eq!(peek(at + 64 * PAGE_SIZE - 1), 0xa5);
    Ok(())
}

fn zero_after_reuse() -> Outcome {
    for round in 0..8u8 {
        let dirtied = child(|| {
            if let Ok(at) = map(256, READ_WRITE) {
                fill(at, 256, 0x11 * (round + 1));
            }
        });
        check_eq!(dirtied, DONE);
        let at = map(256, READ_WRITE)?;
        // Written first, so that each page is a frame of its own.
        (0..256).for_each(|page| poke(at + page * PAGE_SIZE, 0));
        check!(all_zero(at, 256));
        fill(at, 256, 0xee);
        munmap(at, 256 * PAGE_SIZE)?;
    }
    Ok(())
}

fn munmap_unmaps() -> Outcome {
    let at = map(2, READ_WRITE)?;
    poke(at, 1);
    munmap(at, PAGE_SIZE)?;
    check_eq!(child(|| peek(at)), SEGV);
    check_eq!(child(|| poke(at, 1)), SEGV);
    check_eq!(peek(at + PAGE_SIZE), 0);
    // Unmapping what is not mapped is no error.
    munmap(at, 2 * PAGE_SIZE)?;
    munmap(at, 2 * PAGE_SIZE)?;
    Ok(())
}

fn munmap_middle() -> Outcome {
    let at = map(9, READ_WRITE)?;
    (0..9).for_each(|page| poke(at + page * PAGE_SIZE, b'0' + page as u8));
    munmap(at + 3 * PAGE_SIZE, 3 * PAGE_SIZE)?;
    for page in [0, 1, 2, 6, 7, 8] {
        check_eq!(peek(at + page * PAGE_SIZE), b'0' + page as u8);
    }
    for page in [3, 4, 5] {
        check_eq!(child(|| peek(at + page * PAGE_SIZE)), SEGV);
    }
    // The hole can be filled again, with zeros.
    let again = mmap(at + 3 * PAGE_SIZE, 3 * PAGE_SIZE, READ_WRITE, PRIVATE | g::MAP_FIXED, -1, 0)?;
    check_eq!(again, at + 3 * PAGE_SIZE);
    check!(all_zero(again, 3));
    Ok(())
}

fn munmap_bad() -> Outcome {
    let at = map(2, READ_WRITE)?;
    check_error!(munmap(at + 1, PAGE_SIZE), EINVAL);
    check_error!(munmap(at, 0), EINVAL);
    check_error!(munmap(at, usize::MAX - 8 * PAGE_SIZE), EINVAL);
    check_error!(munmap(1 << 63, PAGE_SIZE), EINVAL);
    // A length is rounded up to whole pages.
    munmap(at, 1)?;
    check_eq!(child(|| peek(at + 100)), SEGV);
    Ok(())
}

fn fixed_replaces() -> Outcome {
    let at = map(4, READ_WRITE)?;
    fill(at, 4, 7);
    check_eq!(
        mmap(at + PAGE_SIZE, 2 * PAGE_SIZE, READ_WRITE, PRIVATE | g::MAP_FIXED, -1, 0)?,
        at + PAGE_SIZE
    );
    check!(all_zero(at + PAGE_SIZE, 2));
    check_eq!(peek(at), 7);
    check_eq!(peek(at + 3 * PAGE_SIZE), 7);
    Ok(())
}

fn fixed_noreplace() -> Outcome {
    let at = map(3, READ_WRITE)?;
    poke(at, 9);
    let flags = PRIVATE | g::MAP_FIXED_NOREPLACE;
    check_error!(mmap(at, PAGE_SIZE, READ_WRITE, flags, -1, 0), EEXIST);
    check_eq!(peek(at), 9);
    munmap(at + PAGE_SIZE, PAGE_SIZE)?;
    check_eq!(mmap(at + PAGE_SIZE, PAGE_SIZE, READ_WRITE, flags, -1, 0)?, at + PAGE_SIZE);
    Ok(())
}

fn hint_is_free_to_ignore() -> Outcome {
    let taken = map(1, READ_WRITE)?;
    poke(taken, 5);
    let other = mmap(taken, PAGE_SIZE, READ_WRITE, PRIVATE, -1, 0)?;
    check!(other != taken);
    check_eq!(peek(taken), 5);
    check_eq!(peek(other), 0);
    Ok(())
}

fn mmap_bad() -> Outcome {
    check_error!(mmap(0, 0, READ_WRITE, PRIVATE, -1, 0), EINVAL);
    check_error!(mmap(0, PAGE_SIZE, READ_WRITE, PRIVATE, -1, 1), EINVAL);
    check_error!(mmap(0, PAGE_SIZE, READ_WRITE, g::MAP_ANONYMOUS, -1, 0), EINVAL);
    check_error!(mmap(0x1000_0001, PAGE_SIZE, READ_WRITE, PRIVATE | g::MAP_FIXED, -1, 0), EINVAL);
    check_error!(mmap(0, PAGE_SIZE, PROT_READ, g::MAP_PRIVATE, 99, 0), EBADF);
    check_error!(mmap(0, PAGE_SIZE, PROT_READ, g::MAP_PRIVATE, -1, 0), EBADF);
    Ok(())
}

/// A file that is not open goes before a length and a type that are wrong.
fn mmap_of_no_file() -> Outcome {
    check_error!(mmap(0, 0, PROT_READ, g::MAP_PRIVATE, -1, 0), EBADF);
    check_error!(mmap(0, PAGE_SIZE, PROT_READ, 0, 99, 0), EBADF);
    Ok(())
}

fn read_only_zeros_stay_so() -> Outcome {
    let fd = os::open(c"/dev/zero", g::O_RDONLY, 0)?;
    check_error!(mmap(0, PAGE_SIZE, READ_WRITE, g::MAP_SHARED, fd, 0), EACCES);
    let at = mmap(0, PAGE_SIZE, PROT_READ, g::MAP_SHARED, fd, 0)?;
    check_error!(mprotect(at, 1, READ_WRITE), EACCES);
    check_eq!(peek(at), 0);
    munmap(at, PAGE_SIZE)?;
    // One's own copy may be written.
    let at = mmap(0, PAGE_SIZE, READ_WRITE, g::MAP_PRIVATE, fd, 0)?;
    poke(at, 7);
    check_eq!(peek(at), 7);
    munmap(at, PAGE_SIZE)?;
    Ok(())
}

fn mmap_past_any_file() -> Outcome {
    // The last byte of a file has a number that is not negative; pages are counted by what an unsigned long holds.
    let (fd, _) = program_file()?;
    let eight = 8 * PAGE_SIZE;
    let last = (i64::MAX as usize - eight) / PAGE_SIZE * PAGE_SIZE;
    check_error!(mmap(0, eight, PROT_READ, g::MAP_PRIVATE, fd, PAGE_SIZE.wrapping_neg()), EOVERFLOW);
    check_error!(mmap(0, eight, PROT_READ, g::MAP_PRIVATE, fd, last + PAGE_SIZE), EOVERFLOW);
    check_error!(mmap(0, eight, READ_WRITE, PRIVATE, -1, PAGE_SIZE.wrapping_neg()), EOVERFLOW);
    let at = mmap(0, eight, PROT_READ, g::MAP_PRIVATE, fd, last)?;
    check_eq!(child(|| peek(at)), Ok(Status::Signaled(SIGBUS)));
    munmap(at, eight / 2)?;
    check_eq!(child(|| peek(at + eight / 2)), Ok(Status::Signaled(SIGBUS)));
    munmap(at, eight)?;
    Ok(())
}

fn mmap_huge_is_lazy() -> Outcome {
    // More than the machine has; only what is touched counts.
    let pages = 256 << 8;
    let at = mmap(0, pages * PAGE_SIZE, READ_WRITE, PRIVATE | g::MAP_NORESERVE, -1, 0)?;
    for page in (0..pages).step_by(pages / 16) {
        check_eq!(peek(at + page * PAGE_SIZE), 0);
        poke(at + page * PAGE_SIZE + 17, 1);
    }
    munmap(at, pages * PAGE_SIZE)?;
    Ok(())
}

fn mmap_too_big() -> Outcome {
    check_error!(mmap(0, 1 << 62, READ_WRITE, PRIVATE, -1, 0), ENOMEM);
    check_error!(mmap(0, usize::MAX - PAGE_SIZE, READ_WRITE, PRIVATE, -1, 0), ENOMEM);
    check_error!(mmap(0, usize::MAX, READ_WRITE, PRIVATE, -1, 0), ENOMEM);
    Ok(())
}

fn page_crossing() -> Outcome {
    let at = map(3, READ_WRITE)?;
    let across = at + PAGE_SIZE - 3;
    poke64(across, 0x0102_0304_0506_0708);
    check_eq!(peek64(across), 0x0102_0304_0506_0708);
    check_eq!(peek(at + PAGE_SIZE), 0x05);
    // The second page of the two is missing: the store faults, whatever part came first.
    munmap(at + 2 * PAGE_SIZE, PAGE_SIZE)?;
    check_eq!(child(|| poke64(at + 2 * PAGE_SIZE - 4, 1)), SEGV);
    Ok(())
}

fn atomics_on_fresh_pages() -> Outcome {
    let at = map(4, READ_WRITE)?;
    check_eq!(amo_add(at, 5), 0);
    check_eq!(lr_sc_increment(at + PAGE_SIZE), 0);
    // After a read has mapped the zero page.
    check_eq!(peek64(at + 2 * PAGE_SIZE), 0);
    check_eq!(amo_add(at + 2 * PAGE_SIZE, 5), 0);
    check_eq!(peek64(at + 3 * PAGE_SIZE), 0);
    check_eq!(lr_sc_increment(at + 3 * PAGE_SIZE), 0);
    // On pages shared with a child.
    let parent = [5u64, 1, 5, 1];
    let ended = os::in_child(|| {
        let right = (0..4).all(|page| {
            let address = at + page * PAGE_SIZE;
            if page % 2 == 0 { amo_add(address, 10) == 5 } else { lr_sc_increment(address) == 1 }
        });
        i32::from(!right)
    });
    check_eq!(ended, DONE);
    for (page, value) in parent.iter().enumerate() {
        check_eq!(peek64(at + page * PAGE_SIZE), *value);
    }
    Ok(())
}

/// A file in /tmp with these bytes, open for reading and writing.
pub fn temporary(name: &core::ffi::CStr, bytes: &[u8]) -> Result<i32> {
    let fd = os::open(name, g::O_RDWR | g::O_CREAT | g::O_TRUNC, 0o755)?;
    let mut rest = bytes;
    while !rest.is_empty() {
        rest = &rest[os::write(fd, rest)?..];
    }
    Ok(fd)
}

/// This program's file, and its size.
pub fn program_file() -> Result<(i32, usize)> {
    let at = (g::AT_FDCWD as isize).cast_unsigned();
    let fd = sys(g::__NR_openat, [at, crate::program(), g::O_RDONLY as usize, 0])? as i32;
    Ok((fd, os::lseek(fd, 0, g::SEEK_END)?))
}

fn file_private() -> Outcome {
    let (fd, _) = program_file()?;
    let at = mmap(0, 2 * PAGE_SIZE, READ_WRITE, g::MAP_PRIVATE, fd, 0)?;
    let other = mmap(0, PAGE_SIZE, PROT_READ, g::MAP_PRIVATE, fd, 0)?;
    os::close(fd)?;
    check_eq!(peek64(at) & 0xffff_ffff, u64::from(u32::from_le_bytes(*b"\x7fELF")));
    poke(at, b'X');
    check_eq!(peek(at), b'X');
    check_eq!(peek(at + 1), b'E');
    // Neither the file nor another mapping of it has changed.
    check_eq!(peek(other), 0x7f);
    let (fd, _) = program_file()?;
    os::lseek(fd, 0, g::SEEK_SET)?;
    let mut first = [0; 4];
    check_eq!(os::read(fd, &mut first)?, 4);
    check_eq!(&first, b"\x7fELF");
    Ok(())
}

fn file_past_end() -> Outcome {
    let (fd, size) = program_file()?;
    let last = (size - 1) / PAGE_SIZE * PAGE_SIZE;
    let at = mmap(0, 3 * PAGE_SIZE, PROT_READ, g::MAP_PRIVATE, fd, last)?;
    // What the last page has after the file's end is zero; whole pages after it are a bus error.
    check!((size - last..PAGE_SIZE).all(|offset| peek(at + offset) == 0));
    check_eq!(child(|| peek(at + PAGE_SIZE)), Ok(Status::Signaled(SIGBUS)));
    check_eq!(child(|| peek(at + 2 * PAGE_SIZE)), Ok(Status::Signaled(SIGBUS)));
    Ok(())
}

fn mprotect_read_only() -> Outcome {
    let at = map(2, READ_WRITE)?;
    poke(at, 3);
    mprotect(at, 2, PROT_READ)?;
    check_eq!(peek(at), 3);
    check_eq!(child(|| poke(at, 4)), SEGV);
    // A page that was never touched obeys as well.
    check_eq!(child(|| poke(at + PAGE_SIZE, 4)), SEGV);
    check_eq!(peek(at + PAGE_SIZE), 0);
    Ok(())
}

fn mprotect_none() -> Outcome {
    let at = map(1, READ_WRITE)?;
    poke(at, 3);
    mprotect(at, 1, PROT_NONE)?;
    check_eq!(child(|| peek(at)), SEGV);
    mprotect(at, 1, PROT_READ)?;
    check_eq!(peek(at), 3);
    let never = map(1, PROT_NONE)?;
    check_eq!(child(|| peek(never)), SEGV);
    check_eq!(child(|| poke(never, 1)), SEGV);
    Ok(())
}

fn mprotect_middle() -> Outcome {
    let at = map(5, READ_WRITE)?;
    fill(at, 5, 1);
    mprotect(at + 2 * PAGE_SIZE, 1, PROT_READ)?;
    for page in [0, 1, 3, 4] {
        poke(at + page * PAGE_SIZE, 2);
        check_eq!(peek(at + page * PAGE_SIZE), 2);
    }
    check_eq!(child(|| poke(at + 2 * PAGE_SIZE, 2)), SEGV);
    check_eq!(peek(at + 2 * PAGE_SIZE), 1);
    Ok(())
}

fn mprotect_back() -> Outcome {
    let at = map(1, READ_WRITE)?;
    for round in 0..20u8 {
        poke(at, round);
        mprotect(at, 1, PROT_READ)?;
        check_eq!(peek(at), round);
        mprotect(at, 1, READ_WRITE)?;
    }
    Ok(())
}

fn mprotect_bad() -> Outcome {
    let at = map(3, READ_WRITE)?;
    check_error!(sys(g::__NR_mprotect, [at + 1, PAGE_SIZE, PROT_READ as usize]), EINVAL);
    munmap(at + PAGE_SIZE, PAGE_SIZE)?;
    check_error!(mprotect(at, 3, PROT_READ), ENOMEM);
    check_error!(mprotect(at + PAGE_SIZE, 1, PROT_READ), ENOMEM);
    Ok(())
}

fn mprotect_nothing() -> Outcome {
    let at = map(1, READ_WRITE)?;
    mprotect(at, 0, PROT_READ)?;
    poke(at, 1);
    Ok(())
}

fn mprotect_exec() -> Outcome {
    let at = map(1, READ_WRITE)?;
    // c.jr ra
    poke(at, 0x82);
    poke(at + 1, 0x80);
    check_eq!(child(|| jump(at)), SEGV);
    mprotect(at, 1, PROT_READ | PROT_EXEC)?;
    sys(g::__NR_riscv_flush_icache, [at, at + PAGE_SIZE, 0])?;
    jump(at);
    check_eq!(child(|| poke(at, 0)), SEGV);
    Ok(())
}

fn mprotect_fork() -> Outcome {
    // Protection changed after fork must not give a shared frame away.
    let at = map(1, READ_WRITE)?;
    poke(at, 1);
    let ended = os::in_child(|| {
        let changed = mprotect(at, 1, PROT_READ).is_ok() && mprotect(at, 1, READ_WRITE).is_ok();
        poke(at, 2);
        i32::from(!changed || peek(at) != 2)
    });
    check_eq!(ended, DONE);
    check_eq!(peek(at), 1);
    Ok(())
}

fn many_mappings() -> Outcome {
    let mut at = [0; 200];
    for (index, slot) in at.iter_mut().enumerate() {
        // Alternating protection keeps neighbours from becoming one mapping.
        *slot = map(1, if index % 2 == 0 { READ_WRITE } else { PROT_READ })?;
        if index % 2 == 0 {
            poke(*slot, index as u8);
        }
    }
    for (index, &slot) in at.iter().enumerate() {
        check_eq!(peek(slot), if index % 2 == 0 { index as u8 } else { 0 });
    }
    for (index, &slot) in at.iter().enumerate().filter(|(index, _)| index % 3 == 0) {
        munmap(slot, PAGE_SIZE)?;
        check!(index < 200);
    }
    for (index, &slot) in at.iter().enumerate().filter(|(index, _)| index % 6 == 2) {
        check_eq!(peek(slot), index as u8);
    }
    Ok(())
}

/// Makes a mapping of `2 * pairs` pages as many VMAs.
pub fn protect_every_other(at: usize, pairs: usize) -> Result<()> {
    (0..pairs).try_for_each(|pair| mprotect(at + 2 * pair * PAGE_SIZE, 1, PROT_READ).map(drop))
}

fn many_at_once() -> Outcome {
    // One call that meets thousands of mappings: there is memory enough for the lists that the kernel makes of them.
    const PAIRS: usize = 3000;
    let split = || -> Result<usize> {
        let at = map(2 * PAIRS, READ_WRITE)?;
        protect_every_other(at, PAIRS)?;
        for pair in 0..PAIRS {
            poke(at + (2 * pair + 1) * PAGE_SIZE, 1);
        }
        Ok(at)
    };
    let at = split()?;
    let last = at + (2 * PAIRS - 1) * PAGE_SIZE;
    check_eq!(os::in_child(|| i32::from(peek(last) != 1)), DONE);
    mprotect(at, 2 * PAIRS, PROT_READ)?;
    check_eq!(peek(last), 1);
    munmap(at, 2 * PAIRS * PAGE_SIZE)?;
    let at = split()?;
    let flags = (g::MAP_PRIVATE | g::MAP_ANONYMOUS | g::MAP_FIXED) as usize;
    sys(g::__NR_mmap, [at, 2 * PAIRS * PAGE_SIZE, READ_WRITE as usize, flags, usize::MAX, 0])?;
    check_eq!(peek(at + PAGE_SIZE), 0);
    Ok(())
}

fn many_gaps() -> Outcome {
    // Mappings far from each other: from one of them on the kernel lists the gaps between them.
    const COUNT: usize = 150;
    const STRIDE: usize = 1 << 30;
    let at = |number: usize| STRIDE + number * STRIDE;
    for number in 0..COUNT {
        check_eq!(mmap(at(number), PAGE_SIZE, READ_WRITE, PRIVATE | g::MAP_FIXED, -1, 0)?, at(number));
    }
    let taken = |address| (0..COUNT).any(|number| address == at(number));
    check!(!taken(map(1, READ_WRITE)?));
    check!(!taken(mmap(at(7), PAGE_SIZE, READ_WRITE, PRIVATE, -1, 0)?));
    check_eq!(os::in_child(|| i32::from(peek(at(COUNT / 2)) != 0)), DONE);
    munmap(at(1), (COUNT - 2) * STRIDE)?;
    check_eq!(mmap(at(7), PAGE_SIZE, READ_WRITE, PRIVATE, -1, 0)?, at(7));
    poke(at(0), 1);
    poke(at(COUNT - 1), 1);
    Ok(())
}

fn madvise_dontneed() -> Outcome {
    let at = map(4, READ_WRITE)?;
    fill(at, 4, 1);
    sys(g::__NR_madvise, [at + PAGE_SIZE, 2 * PAGE_SIZE, g::MADV_DONTNEED as usize])?;
    check_eq!(peek(at), 1);
    check!(all_zero(at + PAGE_SIZE, 2));
    check_eq!(peek(at + 3 * PAGE_SIZE), 1);
    poke(at + PAGE_SIZE, 2);
    check_eq!(peek(at + PAGE_SIZE), 2);
    Ok(())
}

fn madvise(at: usize, pages: usize, advice: u32) -> Result<usize> {
    sys(g::__NR_madvise, [at, pages * PAGE_SIZE, advice as usize])
}

fn madvise_gap() -> Outcome {
    // What lies before and behind the gap is dropped all the same.
    let at = map(3, READ_WRITE)?;
    fill(at, 3, 1);
    munmap(at + PAGE_SIZE, PAGE_SIZE)?;
    check_error!(madvise(at, 3, g::MADV_DONTNEED), ENOMEM);
    check_eq!(peek(at), 0);
    check_eq!(peek(at + 2 * PAGE_SIZE), 0);
    Ok(())
}

fn madvise_backings() -> Outcome {
    // A private page of a file shows the file again, shared memory keeps what it has.
    let (fd, _) = program_file()?;
    let private = mmap(0, PAGE_SIZE, READ_WRITE, g::MAP_PRIVATE, fd, 0)?;
    poke(private + 1, b'x');
    madvise(private, 1, g::MADV_DONTNEED)?;
    check_eq!(peek(private + 1), b'E');
    let shared = mmap(0, PAGE_SIZE, READ_WRITE, g::MAP_SHARED | g::MAP_ANONYMOUS, -1, 0)?;
    poke(shared, 3);
    madvise(shared, 1, g::MADV_DONTNEED)?;
    check_eq!(peek(shared), 3);
    // The mapping of a page that was dropped is what it was: it can be given another protection, and unmapped.
    mprotect(private, 1, PROT_READ)?;
    check_eq!(child(|| poke(private, 1)), SEGV);
    munmap(private, PAGE_SIZE)?;
    Ok(())
}

fn madvise_bad() -> Outcome {
    let at = map(1, READ_WRITE)?;
    check_error!(madvise(at + 1, 1, g::MADV_DONTNEED), EINVAL);
    check_error!(madvise(at, 1, 5), EINVAL);
    check_error!(madvise(at, 0, 5), EINVAL);
    let shared = mmap(0, PAGE_SIZE, READ_WRITE, g::MAP_SHARED | g::MAP_ANONYMOUS, -1, 0)?;
    check_error!(madvise(shared, 1, g::MADV_FREE), EINVAL);
    Ok(())
}

/// brk(2).
pub fn brk(at: usize) -> Result<usize> {
    sys(g::__NR_brk, [at])
}

fn brk_grows() -> Outcome {
    let start = brk(0)?;
    let end = start + 100 * PAGE_SIZE + 1;
    check_eq!(brk(end)?, end);
    check_eq!(peek(start), 0);
    poke(start, 1);
    poke(end - 1, 2);
    check_eq!(brk(0)?, end);
    check_eq!(peek(end - 1), 2);
    Ok(())
}

fn brk_shrinks() -> Outcome {
    let start = brk(0)?;
    check_eq!(brk(start + 10 * PAGE_SIZE)?, start + 10 * PAGE_SIZE);
    let far = start + 9 * PAGE_SIZE;
    poke(far, 1);
    check_eq!(brk(start)?, start);
    check_eq!(child(|| peek(far)), SEGV);
    Ok(())
}

fn brk_zero_again() -> Outcome {
    let start = brk(0)?.next_multiple_of(PAGE_SIZE);
    check_eq!(brk(start + 4 * PAGE_SIZE)?, start + 4 * PAGE_SIZE);
    fill(start, 4, 0xcc);
    check_eq!(brk(start)?, start);
    check_eq!(brk(start + 4 * PAGE_SIZE)?, start + 4 * PAGE_SIZE);
    check!(all_zero(start, 4));
    Ok(())
}

fn brk_limits() -> Outcome {
    // brk(2) never fails: it gives the break as it is.
    let start = brk(0)?;
    for wild in [1, PAGE_SIZE, start - PAGE_SIZE, 1 << 46, 1 << 62, usize::MAX] {
        check_eq!(brk(wild)?, start);
    }
    check_eq!(child(|| peek(start.next_multiple_of(PAGE_SIZE) + 64 * PAGE_SIZE)), SEGV);
    Ok(())
}
