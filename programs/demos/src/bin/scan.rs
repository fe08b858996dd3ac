//! A scan: a program that goes once through much memory, and what that does to the little that is used all the time.
//!
//! `scan [HOT] [LONG]` (32 and 512): a hot set of HOT pages is used, then LONG pages are gone through, once, and the hot set is used again.
//! Then the same, but the hot set is used after each 8 pages of the scan, as programs do.
//! Look at: the hot pages that had gone, on standard error. While it rests, the scan throws out all of it, under any policy that goes by
//! use. While it is used, `fifo` throws it out over and over, `clock` a few times (when all pages have been used, its hand takes what comes first),
//! `aging` hardly ever.
#![no_std]
#![no_main]

use core::sync::atomic::Ordering::Relaxed;

use rt::os::{self, Whose};
use rt::{Args, Pages, Result, eprintln, println};

rt::main!(main);

/// Pages of the scan between two uses of the hot set.
const EVERY: usize = 8;

fn main(args: Args) -> i32 {
    demos::status("scan", run(args.number(1, 32).max(1), args.number(2, 512).max(1)))
}

fn run(hot: usize, long: usize) -> Result<bool> {
    let (hot, long) = (Pages::map(hot)?, Pages::map(long)?);
    let mut uses = 0;
    let mut use_hot = || {
        uses += 1;
        gone(&hot)
    };
    // Once for the pages to come, and once more for them to have been used since.
    use_hot()?;
    use_hot()?;
    go_through(&long, |_| Ok(0))?;
    let thrown_out = use_hot()?;
    eprintln!(
        "a scan of {} pages while the hot set rests: {thrown_out} of {} hot pages had gone",
        long.len_pages(),
        hot.len_pages()
    );
    use_hot()?;
    let meanwhile = go_through(&long, |page| if page % EVERY == EVERY - 1 { use_hot() } else { Ok(0) })?;
    eprintln!("the same while it is used: {meanwhile} times a hot page had gone");

    let sum: u64 = (0..long.len_pages()).map(|page| long.page(page)[0].load(Relaxed)).sum();
    let is_right = (0..hot.len_pages()).all(|page| hot.page(page)[0].load(Relaxed) == uses)
        && (0..long.len_pages()).all(|page| long.page(page)[0].load(Relaxed) == 2 * page as u64);
    let held = if is_right { "what was stored" } else { "something else" };
    println!(
        "{} hot pages used {uses} times, and {} scanned twice, hold {held}; sum {sum}",
        hot.len_pages(),
        long.len_pages()
    );
    Ok(is_right)
}

/// Uses each page of the hot set. How many of them had to be read from disk.
fn gone(hot: &Pages) -> Result<usize> {
    let (mut gone, mut before) = (0, os::faults(Whose::Own)?);
    for page in 0..hot.len_pages() {
        hot.page(page)[0].fetch_add(1, Relaxed);
        // Page by page, as a page of the program itself may have gone, too.
        let faults = os::faults(Whose::Own)?;
        gone += usize::from(faults.major > before.major);
        before = faults;
    }
    Ok(gone)
}

/// Stores to each page once, and calls `between` after each; the sum of what that says.
fn go_through(long: &Pages, mut between: impl FnMut(usize) -> Result<usize>) -> Result<usize> {
    (0..long.len_pages()).try_fold(0, |sum, page| {
        long.page(page)[0].fetch_add(page as u64, Relaxed);
        between(page).map(|more| sum + more)
    })
}
