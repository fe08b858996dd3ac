//! Shared pages and swap: what three processes have in common goes to disk once and comes back once.
//!
//! `shared [PAGES] [FILLER]` (16 and 256): a process fills PAGES pages that are shared (MAP_SHARED) and as many private ones, and forks twice, so that
//! the private ones are shared copy-on-write. All three read them. Then the parent fills FILLER other pages, which with few frames throws
//! them out of memory, and the three read again, one after another.
//! Look at: the faults on standard error. The first to read has a major fault for each page (and for one or two of its program). The others
//! find it in memory: minor faults. At last each child stores to one page of either kind: the parent sees one of the stores.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use demos::{Random, checksum, counted};
use rt::{Args, Errno, Pages, Result, os, println};

rt::main!(main);

fn main(args: Args) -> i32 {
    demos::status("shared", run(args.number(1, 16).max(1), args.number(2, 256).max(1)))
}

/// What the processes have in common, either way.
struct Common {
    shared: Pages,
    private: Pages,
}

fn run(pages: usize, filler: usize) -> Result<bool> {
    let common = Common { shared: Pages::map_shared(pages)?, private: Pages::map(pages)? };
    let mut random = Random::new(1);
    common.words().for_each(|word| word.store(random.next(), Relaxed));
    let (before, first) = (common.checksum(), common.private.words()[0].load(Relaxed));

    let children = [Child::start(&common, 1)?, Child::start(&common, 2)?];
    for child in &children {
        child.answer()?;
    }
    let filler = Pages::map(filler)?;
    (0..filler.len_pages()).for_each(|page| filler.page(page)[0].store(page as u64, Relaxed));

    let mut is_right = report(0, counted("the parent", || common.checksum())?, before);
    for (child, name) in children.iter().zip(1..) {
        child.go_on()?;
        is_right &= report(name, child.answer()?, before);
    }
    // Only now: each has read what the parent had stored.
    for child in &children {
        child.go_on()?;
        child.answer()?;
    }
    is_right &= demos::wait_for(children.len())?;
    let (shared, private) = (common.shared.words()[0].load(Relaxed), common.private.words()[0].load(Relaxed));
    let is_mine = private == first;
    println!(
        "the parent's first shared word is {shared}, and its first private word {}",
        if is_mine { "as before" } else { "another" }
    );
    Ok(is_right && is_mine && shared == 2)
}

/// Prints what process number `name` has read, and whether it was right.
fn report(name: usize, read: u64, expected: u64) -> bool {
    println!("process {name} has read checksum {read:016x}");
    read == expected
}

impl Common {
    fn words(&self) -> impl Iterator<Item = &AtomicU64> {
        self.shared.words().iter().chain(self.private.words())
    }
    fn checksum(&self) -> u64 {
        self.words().fold(0, |sum, word| checksum(sum, word.load(Relaxed)))
    }
}

/// A child, which does its next part when it is told to go on, and answers with a number.
struct Child {
    go_on: i32,
    answers: i32,
}

impl Child {
    fn start(common: &Common, name: u64) -> Result<Self> {
        let (commands, go_on) = os::pipe(0)?;
        let (answers, answer) = os::pipe(0)?;
        if os::fork()? != 0 {
            os::close(commands)?;
            os::close(answer)?;
            return Ok(Self { go_on, answers });
        }
        os::close(go_on)?;
        os::close(answers)?;
        let tell = |number: u64| os::write(answer, &number.to_ne_bytes());
        tell(common.checksum())?;
        await_byte(commands)?;
        tell(counted(if name == 1 { "the first child" } else { "the second child" }, || common.checksum())?)?;
        await_byte(commands)?;
        common.shared.words()[0].store(name, Relaxed);
        common.private.words()[0].store(name, Relaxed);
        tell(name)?;
        os::exit(0)
    }

    fn go_on(&self) -> Result<()> {
        os::write(self.go_on, b".").map(drop)
    }

    fn answer(&self) -> Result<u64> {
        let mut number = [0; 8];
        let read = os::read(self.answers, &mut number)?;
        if read == number.len() { Ok(u64::from_ne_bytes(number)) } else { Err(CHILD_IS_GONE) }
    }
}

const CHILD_IS_GONE: Errno = Errno(rt::abi::errno::ECHILD);

/// Waits for a byte from the parent. Without a parent the child has nothing to do.
fn await_byte(from: i32) -> Result<()> {
    if os::read(from, &mut [0])? == 0 {
        os::exit(1);
    }
    Ok(())
}
