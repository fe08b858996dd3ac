//! What calls and faults cost when there is much of something: instructions, counted by the hart.

use rt::abi::general::{self as g, PROT_READ};
use rt::os::{self, Status};
use rt::{PAGE_SIZE, Pages, Result, println};

use crate::check::Outcome;
use crate::memory::{READ_WRITE, map, mmap, mprotect, munmap, program_file, protect_every_other};
use crate::raw::{instructions, peek, poke, sys};
use crate::{check, check_eq, tests};

tests! {
    @ByName many_vmas_cost_little, @ByName pages_from_disk_cost, @ByName evictions_cost_by_who_maps,
    @ByName swapping_costs_the_same_among_many_vmas, @ByName forks_cost_by_what_they_copy,
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
    let reserved = g::MAP_PRIVATE | g::MAP_ANONYMOUS | g::MAP_NORESERVE;
    let at = mmap(0, 2 * vmas * PAGE_SIZE, READ_WRITE, reserved, -1, 0)?;
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

/// Processes that wait until they are told to read some pages.
struct Readers {
    /// For each: where it is told to go on, and where it says that it has.
    pipes: [(i32, i32); MOST_READERS],
    number: usize,
}

const MOST_READERS: usize = 16;

impl Readers {
    fn start(number: usize, pages: &Pages) -> Result<Self> {
        let mut readers = Self { pipes: [(0, 0); MOST_READERS], number: 0 };
        while readers.number < number {
            let ((go, go_write), (done_read, done)) = (os::pipe(0)?, os::pipe(0)?);
            if os::fork()? == 0 {
                // Only the parent's ends, or none of them would ever see the end of its pipe.
                readers.pipes().iter().for_each(|&(go_write, _)| drop(os::close(go_write)));
                os::close(go_write)?;
                while os::read(go, &mut [0]) == Ok(1) {
                    read_all(pages);
                    let _ = os::write(done, b".");
                }
                os::exit(0);
            }
            os::close(go)?;
            os::close(done)?;
            readers.pipes[readers.number] = (go_write, done_read);
            readers.number += 1;
        }
        Ok(readers)
    }
    fn pipes(&self) -> &[(i32, i32)] {
        &self.pipes[..self.number]
    }
    /// All of them read, one after another.
    fn read(&self) -> Result<()> {
        self.pipes().iter().try_for_each(|&(go, done)| {
            os::write(go, b".")?;
            os::read(done, &mut [0]).map(drop)
        })
    }
    fn end(self) -> Result<()> {
        for &(go, done) in self.pipes() {
            os::close(go)?;
            os::close(done)?;
            os::wait(-1)?;
        }
        Ok(())
    }
}

fn read_all(pages: &Pages) {
    (0..pages.len_pages()).for_each(|page| drop(peek(pages.address() + page * PAGE_SIZE)));
}

/// What is mapped by many, in pages; and what is then read to throw it out: more than memory holds.
const MAPPED_BY_MANY: usize = 256;
const FILLER: usize = 1600;

/// What it costs to throw out pages that so many processes map, and to have all of them read these pages again.
fn cost_of_mappers(processes: usize, pages: &Pages) -> Result<[u64; 2]> {
    (0..pages.len_pages()).for_each(|page| poke(pages.address() + page * PAGE_SIZE, 1));
    let readers = Readers::start(processes - 1, pages)?;
    let filler = Pages::map(FILLER)?;
    (0..FILLER).for_each(|page| poke(filler.address() + page * PAGE_SIZE, 1));
    let mut costs = [0; 2];
    for round in 0..3 {
        let start = instructions();
        read_all(pages);
        readers.read()?;
        let all_are_there = instructions();
        read_all(&filler);
        if round > 0 {
            costs[1] += all_are_there - start;
            costs[0] += instructions() - all_are_there;
        }
    }
    readers.end()?;
    Ok(costs.map(|cost| cost / 2))
}

/// An eviction costs by the entries that it clears, and coming back by those that are set again: the rest of it does not
/// depend on how many processes there are. For pages of an object that all map, and for those that a fork has left shared.
fn evictions_cost_by_who_maps() -> Outcome {
    for (kind, make) in
        [("shared", Pages::map_shared as fn(usize) -> Result<Pages>), ("copy-on-write", Pages::map)]
    {
        let costs = [1, 4, 16].map(|processes| cost_of_mappers(processes, &make(MAPPED_BY_MANY)?));
        let [one, four, sixteen] = costs;
        let (one, four, sixteen) = (one?, four?, sixteen?);
        for (way, name) in ["thrown out", "read again"].iter().enumerate() {
            let few = (four[way] - one[way]) / 3;
            let many = (sixteen[way] - four[way]) / 12;
            println!(
                "  {kind} pages {name}: {} instructions with one process, {few} more for each of 4, {many} for each of 16",
                one[way],
            );
            check!(many <= few + few / 5);
        }
    }
    Ok(())
}

/// Pages that a process may have while its memory is measured.
const BUDGET: usize = 128;

/// What a page in and another out cost where a process has so many VMAs, each of one page.
fn swapping_among(vmas: usize) -> Result<u64> {
    let at = map(vmas, READ_WRITE)?;
    os::limit_resident(Some(BUDGET))?;
    (0..vmas).for_each(|page| poke(at + page * PAGE_SIZE, 1));
    protect_every_other(at, vmas / 2)?;
    let mut cost = 0;
    for round in 0..2 {
        let start = instructions();
        (0..vmas).for_each(|page| drop(peek(at + page * PAGE_SIZE)));
        cost = if round == 1 { instructions() - start } else { 0 };
    }
    os::limit_resident(None)?;
    munmap(at, vmas * PAGE_SIZE)?;
    Ok(cost / vmas as u64)
}

fn swapping_costs_the_same_among_many_vmas() -> Outcome {
    let [few, more, many] = [500, 2_000, 8_000].map(swapping_among);
    let (few, more, many) = (few?, more?, many?);
    println!("  {few} instructions a page in and out among 500 VMAs, {more} among 2,000, {many} among 8,000");
    check!(more <= few + few / 10 && many <= few + few / 10);
    Ok(())
}

/// The fewest instructions of a fork, its child's end and the wait.
fn fork_and_wait() -> Result<u64> {
    let mut cost = u64::MAX;
    for _ in 0..5 {
        least(&mut cost, || {
            let pid = os::fork()?;
            if pid == 0 {
                os::exit(0);
            }
            os::wait(pid).map(|_| 0)
        })?;
    }
    Ok(cost)
}

/// Among so many processes that do nothing.
fn fork_among_processes(processes: usize) -> Result<u64> {
    let (wait, end) = os::pipe(0)?;
    for _ in 0..processes {
        if os::fork()? == 0 {
            os::close(end)?;
            let _ = os::read(wait, &mut [0]);
            os::exit(0);
        }
    }
    let cost = fork_and_wait()?;
    os::close(end)?;
    os::close(wait)?;
    (0..processes).try_for_each(|_| os::wait(-1).map(drop))?;
    Ok(cost)
}

/// With so many more VMAs, whose pages are not touched.
fn fork_among_vmas(vmas: usize) -> Result<u64> {
    let at = map(vmas, READ_WRITE)?;
    protect_every_other(at, vmas / 2)?;
    let cost = fork_and_wait()?;
    munmap(at, vmas * PAGE_SIZE)?;
    Ok(cost)
}

fn forks_cost_by_what_they_copy() -> Outcome {
    let [few, more, many] = [16, 64, 256].map(fork_among_processes);
    let (few, more, many) = (few?, more?, many?);
    println!(
        "  fork, exit and wait: {few} instructions among 16 processes, {more} among 64, {many} among 256"
    );
    check!(more <= few + few / 20 && many <= few + few / 10);
    let [few, more, many] = [500, 2_000, 8_000].map(fork_among_vmas);
    let (few, more, many) = (few?, more?, many?);
    let (first, second) = ((more - few) / 1_500, (many - more) / 6_000);
    println!("  {few} with 500 VMAs, {first} for each to 2,000, {second} for each to 8,000");
    // The logarithm has grown by a quarter.
    check!(second <= first + first / 4);
    check_eq!(os::in_child(|| 0), Ok(Status::Exited(0)));
    Ok(())
}
