//! Memory larger than RAM: an array four times the size of RAM is filled, sorted and looked through by a program that knows nothing of it.
//!
//! `larger [RAM]` (2M) fills 4 × RAM with numbers by chance and sorts them by quicksort. That sort suits paging: each division goes through
//! its part once from both ends, page after page, and as soon as a part fits in memory no page of it is read again until it is sorted.
//! So to sort an array of four times RAM costs little more than reading it three times. A heap sort, whose every step leaps to twice the index, would
//! fault at nearly each.
//! `larger random [SIZE] [ROUNDS] [PROCESSES]` (8M, 1, 1) reads and writes at random places, one for each page and round: nothing suits
//! it, and with memory for a tenth of its pages nine of ten accesses fault. A quarter of SIZE was filled before the processes were forked, a
//! quarter is shared by all, half is divided among them.
//! Look at: the major faults, on standard error; with memory enough there are none. What is on standard output is the same whatever the memory.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use demos::{Random, checksum, counted};
use rt::os::{self, Whose};
use rt::{Args, PAGE_SIZE, PAGE_WORDS, Pages, Result, eprintln, println};

rt::main!(main);

fn main(args: Args) -> i32 {
    let result = if args.get(1) == Some("random") {
        random(args.bytes(2, 8 << 20), args.number(3, 1), args.number(4, 1).clamp(1, PAGE_WORDS))
    } else {
        sorted(4 * args.bytes(1, 2 << 20))
    };
    demos::status("larger", result)
}

fn sorted(bytes: usize) -> Result<bool> {
    let memory = Pages::map(bytes.div_ceil(PAGE_SIZE).max(1))?;
    let words = memory.words();
    let sum = counted("filled", || fill(words, 1))?;
    counted("sorted", || sort(words))?;
    let (sum_after, in_order, check) = counted("looked through", || {
        let (mut sum, mut in_order, mut check, mut last) = (0u64, true, 0, 0);
        for word in words.iter().map(|word| word.load(Relaxed)) {
            sum = sum.wrapping_add(word);
            in_order &= last <= word;
            check = checksum(check, word);
            last = word;
        }
        (sum, in_order, check)
    })?;
    let order = if in_order { "in order" } else { "not in order" };
    let same = if sum == sum_after { "as before" } else { "another than before" };
    println!("{} pages of numbers, {order}; their sum is {same}; checksum {check:016x}", memory.len_pages());
    Ok(in_order && sum == sum_after)
}

/// Fills with the numbers of a seed; their sum.
fn fill(words: &[AtomicU64], seed: u64) -> u64 {
    let mut random = Random::new(seed);
    words.iter().fold(0, |sum, word| {
        let number = random.next();
        word.store(number, Relaxed);
        sum.wrapping_add(number)
    })
}

/// Parts that are no longer are sorted by insertion.
const SHORT: usize = 16;

fn sort(mut words: &[AtomicU64]) {
    while words.len() > SHORT {
        let (low, high) = words.split_at(divide(words));
        // The shorter part first: so the depth is the logarithm at most, and the stack one page.
        let (shorter, longer) = if low.len() < high.len() { (low, high) } else { (high, low) };
        sort(shorter);
        words = longer;
    }
    for end in 1..words.len() {
        let number = words[end].load(Relaxed);
        let mut at = end;
        while at > 0 && words[at - 1].load(Relaxed) > number {
            words[at].store(words[at - 1].load(Relaxed), Relaxed);
            at -= 1;
        }
        words[at].store(number, Relaxed);
    }
}

/// Exchanges numbers so that none before the place returned is above any from there on. Neither part is empty.
fn divide(words: &[AtomicU64]) -> usize {
    let at = |index: usize| words[index].load(Relaxed);
    let mut three = [at(0), at(words.len() / 2), at(words.len() - 1)];
    three.sort_unstable();
    let median = three[1];
    let (mut low, mut high) = (0, words.len());
    loop {
        // Both stop: there is a number that is not below the median, and one that is not above.
        while at(low) < median {
            low += 1;
        }
        high -= 1;
        while at(high) > median {
            high -= 1;
        }
        if low >= high {
            return high + 1;
        }
        let number = at(low);
        words[low].store(at(high), Relaxed);
        words[high].store(number, Relaxed);
        low += 1;
    }
}

/// The memory of the processes of `larger random`.
struct Memory {
    /// Filled by the parent before it forks. Everybody reads it everywhere, and process n of N stores to every N-th page, which becomes its own.
    inherited: Pages,
    /// In common. Process n of N uses every N-th word of each page, so that all use all pages and the result does not depend on who is first.
    shared: Pages,
    /// A process's own.
    own: Pages,
    /// The checksums of what the processes have found.
    results: Pages,
    processes: usize,
}

const SEED_OF_INHERITED: u64 = 2;
const SEED_OF_SHARED: u64 = 3;
const SEED_OF_OWN: u64 = 100;

fn random(bytes: usize, rounds: usize, processes: usize) -> Result<bool> {
    let pages = bytes.div_ceil(PAGE_SIZE).max(4 * processes);
    let quarter = pages / 4;
    let memory = Memory {
        inherited: Pages::map(quarter)?,
        shared: Pages::map_shared(quarter)?,
        own: Pages::map((pages - 2 * quarter) / processes)?,
        results: Pages::map_shared(1)?,
        processes,
    };
    fill(memory.inherited.words(), SEED_OF_INHERITED);
    fill(memory.shared.words(), SEED_OF_SHARED);
    let accesses = pages * rounds / processes;
    if processes == 1 {
        memory.work(0, accesses);
    } else {
        for process in 0..processes {
            if os::fork()? == 0 {
                memory.work(process, accesses);
                os::exit(0);
            }
        }
        if !demos::wait_for(processes)? {
            println!("a process has not ended well");
            return Ok(false);
        }
    }
    for (process, result) in memory.results.words()[..processes].iter().enumerate() {
        println!("process {process}: checksum {:016x}", result.load(Relaxed));
    }
    println!("what is shared: checksum {:016x}", all(memory.shared.words()));
    let is_as_filled = processes == 1 || holds(memory.inherited.words(), SEED_OF_INHERITED);
    if !is_as_filled {
        println!("what was inherited has changed in the parent");
    }
    let (own, children) = (os::faults(Whose::Own)?, os::faults(Whose::Children)?);
    eprintln!(
        "{pages} pages, {} accesses: {} major and {} minor faults",
        accesses * processes,
        own.major + children.major,
        own.minor + children.minor
    );
    Ok(is_as_filled)
}

/// Whether the words are as [`fill`] has left them.
fn holds(words: &[AtomicU64], seed: u64) -> bool {
    let mut random = Random::new(seed);
    words.iter().all(|word| word.load(Relaxed) == random.next())
}

fn all(words: &[AtomicU64]) -> u64 {
    words.iter().fold(0, |check, word| checksum(check, word.load(Relaxed)))
}

impl Memory {
    /// What process number `process` does.
    fn work(&self, process: usize, accesses: usize) {
        let seed = SEED_OF_OWN + process as u64;
        fill(self.own.words(), seed);
        let mut random = Random::new(seed);
        let (inherited, shared) = (self.inherited.len_pages(), self.shared.len_pages());
        let lanes = PAGE_WORDS / self.processes;
        let mut check = 0;
        for _ in 0..accesses {
            let page = random.below(inherited + shared + self.own.len_pages());
            let index = random.below(PAGE_WORDS);
            let (word, may_store) = if page < inherited {
                (&self.inherited.page(page)[index], self.is_mine(process, page))
            } else if page < inherited + shared {
                let lane = index % lanes * self.processes + process;
                (&self.shared.page(page - inherited)[lane], true)
            } else {
                (&self.own.page(page - inherited - shared)[index], true)
            };
            let number = word.load(Relaxed);
            check = checksum(check, number);
            if may_store && check & 1 == 1 {
                word.store(check, Relaxed);
            }
        }
        check = checksum(check, all(self.own.words()));
        for page in (0..inherited).filter(|&page| self.is_mine(process, page)) {
            check = checksum(check, all(self.inherited.page(page)));
        }
        self.results.words()[process].store(check, Relaxed);
    }

    /// Whether it is this process that stores to a page of what was inherited.
    fn is_mine(&self, process: usize, page: usize) -> bool {
        page % self.processes == process
    }
}
