//! What calls and faults cost when there is much of something: instructions, counted by the hart.

use rt::abi::general::{self as g, PROT_READ};
use rt::{PAGE_SIZE, Result, println};

use crate::check::Outcome;
use crate::memory::{READ_WRITE, map, mmap, mprotect, munmap, program_file};
use crate::raw::{instructions, peek, poke, sys};
use crate::{check, tests};

tests! {
    @ByName many_vmas_cost_little, @ByName pages_from_disk_cost,
}

/// What is done between the VMAs, and the fewest instructions that it took in some places among them.
const WORK: [&str; 6] = ["mmap", "mmap with a hint", "fault", "mprotect", "munmap", "brk"];

/// The fewest instructions of a few tries: no try is free of interrupts for sure.
fn least(least: &mut u64, work: impl FnOnce() -> Result<usize>) -> Result<usize> {
    let before = instructions();
    let result = work()?;
    *least = (*least).min(instructions() - before);
    Ok(result)
}

fn cost_among(vmas: usize) -> Result<[u64; WORK.len()]> {
    // VMAs of one page with gaps of one page, all lower than what is free.
    let at = map(2 * vmas, READ_WRITE)?;
    let page = |number: usize| at + number * PAGE_SIZE;
    for vma in 0..vmas {
        sys(g::__NR_munmap, [page(2 * vma), PAGE_SIZE])?;
    }
    let mut costs = [u64::MAX; WORK.len()];
    let [plain, hinted, fault, protect, unmap, brk] = &mut costs;
    for place in (1..30).map(|part| vmas / 30 * part) {
        let (gap, vma) = (page(2 * place), page(2 * place + 1));
        // Fits into none of the gaps.
        let new = least(plain, || map(2, READ_WRITE))?;
        least(unmap, || sys(g::__NR_munmap, [new, 2 * PAGE_SIZE]))?;
        let flags = (g::MAP_PRIVATE | g::MAP_ANONYMOUS) as usize;
        let new =
            least(hinted, || sys(g::__NR_mmap, [gap, PAGE_SIZE, PROT_READ as usize, flags, usize::MAX, 0]))?;
        least(unmap, || sys(g::__NR_munmap, [new, PAGE_SIZE]))?;
        least(fault, || {
            poke(vma, 1);
            Ok(0)
        })?;
        least(protect, || mprotect(vma, 1, PROT_READ))?;
        least(unmap, || sys(g::__NR_munmap, [vma, PAGE_SIZE]))?;
        let end = sys(g::__NR_brk, [0])?;
        least(brk, || sys(g::__NR_brk, [end + PAGE_SIZE]))?;
    }
    sys(g::__NR_munmap, [at, 2 * vmas * PAGE_SIZE])?;
    Ok(costs)
}

fn many_vmas_cost_little() -> Outcome {
    let (few, many) = (cost_among(600)?, cost_among(60_000)?);
    for ((name, few), many) in WORK.iter().zip(few).zip(many) {
        println!("  {name}: {few} instructions among 600 VMAs, {many} among 60,000");
        // The logarithm has grown by 1.7.
        check!(many <= 2 * few);
    }
    Ok(())
}

/// Pages of a file that are mapped at once: a few, so that the others can make room.
const WINDOW_PAGES: usize = 64;

/// Tells what a page from disk costs when the page cache is full: this program's file, which the caller has made longer than
/// memory, is read by mappings from its first page to its last. The last quarter counts.
fn pages_from_disk_cost() -> Outcome {
    let (fd, bytes) = program_file()?;
    let windows = bytes / (WINDOW_PAGES * PAGE_SIZE);
    let mut total = 0;
    for window in 0..windows {
        let offset = window * WINDOW_PAGES * PAGE_SIZE;
        let at = mmap(0, WINDOW_PAGES * PAGE_SIZE, PROT_READ, g::MAP_SHARED, fd, offset)?;
        let before = instructions();
        for page in 0..WINDOW_PAGES {
            peek(at + page * PAGE_SIZE);
        }
        if window >= windows / 4 * 3 {
            total += instructions() - before;
        }
        munmap(at, WINDOW_PAGES * PAGE_SIZE)?;
    }
    let pages = (windows - windows / 4 * 3) * WINDOW_PAGES;
    println!("{} instructions a page", total / pages as u64);
    Ok(())
}
