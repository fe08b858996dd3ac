//! Belady's anomaly: more memory, and more page faults.
//!
//! `belady [REFERENCES…]` (1 2 3 4 1 2 5 1 2 3 4 5) refers to pages of its own, numbered from 1 to 9, in this order: `3` loads from page 3, `3w` stores to
//! it. It does so with 3 pages of memory and with 4: it sets that limit itself (RLIMIT_RSS, which Folio's kernel keeps by throwing out
//! pages of this process), and has locked all else that it has, which does not count. Before it begins, each page was written and has gone to swap space.
//! Look at: the tables on standard error, a row for each page and a column for each reference: `F` the page was brought in by a fault, `+` it is in memory,
//! `.` it is not. By `fifo`, `second-chance` and `clock` there are 9 faults with 3 pages, and 10 with 4.
#![no_std]
#![no_main]

use core::sync::atomic::Ordering::Relaxed;

use rt::os::{self, Whose};
use rt::{Args, Pages, Result, eprint, eprintln, println};

rt::main!(main);

/// Belady, Nelson and Shedler's, of 1969.
const STRING: &str = "1 2 3 4 1 2 5 1 2 3 4 5";
const MOST_PAGES: usize = 9;
const MOST_REFERENCES: usize = 64;

fn main(args: Args) -> i32 {
    let mut string = References { all: [Reference::default(); MOST_REFERENCES], len: 0 };
    let is_understood = if args.len() > 1 {
        args.iter().skip(1).all(|word| string.push(word))
    } else {
        STRING.split(' ').all(|word| string.push(word))
    };
    if !is_understood {
        eprintln!(
            "belady: a reference is a page from 1 to {MOST_PAGES}, and w behind it if it is a store; {MOST_REFERENCES} at most"
        );
        return 2;
    }
    demos::status("belady", run(&string))
}

#[derive(Clone, Copy, Default)]
struct Reference {
    page: usize,
    is_store: bool,
}

struct References {
    all: [Reference; MOST_REFERENCES],
    len: usize,
}

impl References {
    /// One more. Whether it is one, and there is a place for it.
    fn push(&mut self, word: &str) -> bool {
        let digit = word.strip_suffix('w').unwrap_or(word);
        let page = digit.parse().ok().filter(|page| (1..=MOST_PAGES).contains(page));
        let (Some(page), Some(place)) = (page, self.all.get_mut(self.len)) else { return false };
        *place = Reference { page, is_store: digit.len() < word.len() };
        self.len += 1;
        true
    }
    fn iter(&self) -> impl Iterator<Item = Reference> {
        self.all.iter().copied().take(self.len)
    }
    fn pages(&self) -> usize {
        self.iter().map(|reference| reference.page).max().unwrap_or(0)
    }
}

/// What there is of the pages after a reference.
#[derive(Clone, Copy, Default)]
struct Column {
    /// The page was not in memory, and a fault has brought it in.
    is_fault: bool,
    in_memory: [bool; MOST_PAGES],
}

fn run(string: &References) -> Result<bool> {
    // What is mapped after this is not locked.
    os::lock_all()?;
    let memory = Pages::map(string.pages())?;
    let mut stores = [0; MOST_PAGES];
    let mut is_right = true;
    for limit in [3, 4] {
        push_out(&memory, &stores)?;
        os::limit_resident(Some(limit))?;
        let mut columns = [Column::default(); MOST_REFERENCES];
        for (Reference { page, is_store }, column) in string.iter().zip(&mut columns) {
            let (word, stored) = (&memory.page(page - 1)[0], &mut stores[page - 1]);
            memory.mapped(&mut column.in_memory)?;
            let was_in_memory = column.in_memory[page - 1];
            let before = os::faults(Whose::Own)?;
            if is_store {
                // One access, which stores.
                *stored += 1;
                word.fetch_add(1, Relaxed);
            } else {
                is_right &= word.load(Relaxed) == value(page, *stored);
            }
            let faults = os::faults(Whose::Own)?.since(before);
            // Where the hart does not set R and D itself there are faults of pages that are in memory, too.
            column.is_fault = !was_in_memory && faults.minor + faults.major > 0;
            memory.mapped(&mut column.in_memory)?;
        }
        os::limit_resident(None)?;
        print_table(limit, string, &columns);
    }
    is_right &= (1..=memory.len_pages())
        .all(|page| memory.page(page - 1)[0].load(Relaxed) == value(page, stores[page - 1]));
    let held = if is_right { "what was stored" } else { "something else" };
    println!("{} references to {} pages, twice, have found {held}", string.len, string.pages());
    Ok(is_right)
}

/// What the first word of a page is after so many stores by reference.
const fn value(page: usize, stores: u64) -> u64 {
    100 * page as u64 + stores
}

/// Writes each page and has it leave memory, so that none is known to whoever chooses what goes.
fn push_out(memory: &Pages, stores: &[u64]) -> Result<()> {
    os::limit_resident(Some(1))?;
    for page in 1..=memory.len_pages() {
        memory.page(page - 1)[0].store(value(page, stores[page - 1]), Relaxed);
    }
    // The last of them goes for one that ceases to be.
    let another = Pages::map(1)?;
    another.page(0)[0].store(1, Relaxed);
    drop(another);
    // A limit that is set anew begins with pages of which nothing is remembered.
    os::limit_resident(None)
}

fn print_table(limit: usize, string: &References, columns: &[Column]) {
    eprint!("with {limit} pages");
    string
        .iter()
        .for_each(|reference| eprint!(" {}{}", reference.page, if reference.is_store { "w" } else { "" }));
    eprintln!();
    for page in 1..=string.pages() {
        eprint!("  page {page}    ");
        for (reference, column) in string.iter().zip(columns) {
            let state = match column.in_memory[page - 1] {
                true if reference.page == page && column.is_fault => 'F',
                true => '+',
                false => '.',
            };
            eprint!(" {state}{}", if reference.is_store { " " } else { "" });
        }
        eprintln!();
    }
    eprintln!("  {} page faults", columns.iter().filter(|column| column.is_fault).count());
}
