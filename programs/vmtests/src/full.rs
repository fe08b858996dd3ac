//! Memory nearly full: a process that holds all of it but a few pages for as long as the tests run; and calls that are refused, which must
//! take nothing of the rest.

use crate::check::Outcome;
use crate::memory::{READ_WRITE, brk, map, mprotect, munmap, protect_every_other};
use crate::raw::{peek, poke, sys};
use crate::{check, check_eq, tests};
use rt::abi::general as g;
use rt::os::{self, Status};
use rt::{PAGE_SIZE, Pages, Result};

tests! { @ByName refused_calls_take_nothing, @ByName refused_brk_is_no_error, @ByName fork_evicts_many_pages, }

/// Words of `struct sysinfo`, and those of it that count RAM and what is free of it, in bytes.
const SYSINFO_WORDS: usize = 14;
const TOTAL_RAM: usize = 4;
const FREE_RAM: usize = 5;

/// Starts a process that takes memory until at most `pages` pages are free, and waits until it has them. It lives until the machine ends.
pub fn take_all_but(pages: usize) -> Result<()> {
    let (read, write) = os::pipe(0)?;
    if os::fork()? == 0 {
        let status = i32::from(hold(pages, write).is_err());
        os::exit(status);
    }
    os::close(write)?;
    // A byte, or the end of the pipe with the process.
    os::read(read, &mut [0]).map(|_| ())
}

fn hold(pages: usize, ready: i32) -> Result<()> {
    let _held = take(pages)?;
    os::write(ready, b".")?;
    let (never, _open) = os::pipe(0)?;
    os::read(never, &mut [0]).map(|_| ())
}

/// Takes memory until at most `pages` pages are free.
fn take(pages: usize) -> Result<Pages> {
    let mut held = Pages::map(info()?[TOTAL_RAM] / PAGE_SIZE)?;
    let mut page = 0;
    loop {
        let excess = free_pages()?.saturating_sub(pages);
        if excess == 0 || page == held.len_pages() {
            break;
        }
        // Page tables are taken too: never more than half of what there is in one go.
        let end = (page + excess.div_ceil(2)).min(held.len_pages());
        (page..end).for_each(|page| held.write(page, 0, 1));
        page = end;
    }
    Ok(held)
}

fn free_pages() -> Result<usize> {
    Ok(info()?[FREE_RAM] / PAGE_SIZE)
}

/// More pages than the kernel's heap keeps for the next call when it shrinks.
const KEPT_PAGES: usize = 100;

fn fork_and_wait() -> Result<usize> {
    match os::fork()? {
        0 => os::exit(0),
        pid => os::wait(pid).map(|_| 0),
    }
}

/// Makes calls that need memory for lists of `2 * pairs` VMAs when `left` pages are free.
fn try_large_calls(pairs: usize, left: usize) -> Outcome {
    let len = 2 * pairs * PAGE_SIZE;
    let (at, fresh) = (map(2 * pairs, READ_WRITE)?, map(8, READ_WRITE)?);
    protect_every_other(at, pairs)?;
    let _held = take(left)?;
    let calls: [(&str, &dyn Fn() -> Result<usize>); 3] = [
        ("fork", &fork_and_wait),
        ("mprotect", &|| mprotect(at, 2 * pairs, g::PROT_NONE)),
        ("munmap", &|| munmap(at, len)),
    ];
    for (page, (name, call)) in calls.into_iter().enumerate() {
        // The first of the two brings in the pages of this program that the call needs.
        let (_, before) = (call(), free_pages()?);
        let result = call();
        let after = free_pages()?;
        let is_back = match result {
            Err(_) => after == before,
            Ok(_) => after + KEPT_PAGES >= before,
        };
        if !is_back {
            rt::println!("  {name} gave {result:?}: {after} pages are free, {before} were");
        }
        check!(is_back);
        // What is left is there for whoever asks for a page of it.
        poke(fresh + page * PAGE_SIZE, 1);
    }
    Ok(())
}

/// More memory is promised than there is, until the machine ends.
fn promise_all() -> Result<()> {
    let setting = os::open(c"/proc/sys/vm/overcommit_memory", g::O_WRONLY, 0)?;
    os::write(setting, b"1\n")?;
    os::close(setting)
}

fn refused_calls_take_nothing() -> Outcome {
    promise_all()?;
    for (pairs, left) in [(5000, 500), (10_000, 1000), (20_000, 100), (20_000, 2000)] {
        let ended = os::in_child(|| i32::from(try_large_calls(pairs, left).is_err()));
        check_eq!((pairs, left, ended), (pairs, left, Ok(Status::Exited(0))));
    }
    Ok(())
}

fn refused_brk_is_no_error() -> Outcome {
    // Taking the heap back needs a list of all its VMAs, for which there is no memory: the break stays where it is.
    const PAIRS: usize = 20_000;
    promise_all()?;
    let start = brk(0)?.next_multiple_of(PAGE_SIZE);
    let end = start + 2 * PAIRS * PAGE_SIZE;
    check_eq!(brk(end)?, end);
    protect_every_other(start, PAIRS)?;
    let held = take(100)?;
    check_eq!(brk(start)?, end);
    check_eq!(brk(0)?, end);
    drop(held);
    check_eq!(brk(start)?, start);
    Ok(())
}

/// What `sysinfo` tells, as words.
pub fn info() -> Result<[usize; SYSINFO_WORDS]> {
    let mut words = [0; SYSINFO_WORDS];
    sys(g::__NR_sysinfo, [&raw mut words as usize])?;
    Ok(words)
}

fn fork_evicts_many_pages() -> Outcome {
    // The child's page tables take the place of hundreds of pages of this program's file, all in one call.
    const TABLES: usize = 400;
    const TABLE_SPAN: usize = 512 * PAGE_SIZE;
    promise_all()?;
    let at = map(TABLES * TABLE_SPAN / PAGE_SIZE, READ_WRITE)?;
    check!((0..TABLES).all(|table| peek(at + table * TABLE_SPAN) == 0));
    let (file, len) = crate::memory::program_file()?;
    check!(len > (TABLES + 100) * PAGE_SIZE);
    let null = os::open(c"/dev/null", g::O_WRONLY, 0)?;
    os::lseek(file, 0, g::SEEK_SET)?;
    check_eq!(sys(g::__NR_sendfile, [null as usize, file as usize, 0, len])?, len);
    let _held = take(20)?;
    let forked = fork_and_wait();
    check!(forked == Ok(0) || crate::check::is_error(&forked, rt::abi::errno::ENOMEM));
    Ok(())
}
