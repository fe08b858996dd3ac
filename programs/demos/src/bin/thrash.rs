//! Thrashing: as long as the working sets of all processes fit in memory paging costs nothing; a few pages more, and there is nothing but paging.
//!
//! `thrash [MOST] [STEP] [PROCESSES]` (128, 8 and 1): with working sets of STEP pages, twice STEP and so on up to MOST, each process goes
//! round and round through its set, eight times, and lets the others run after each round.
//! Look at: the table on standard error. Major faults are 0 up to the knee, where sets of all processes and what the programs need
//! themselves fill memory. Beyond it every policy that goes by use faults at nearly each touch, as what was used longest ago is
//! just what comes next; `--policy random` is better at it. With PROCESSES twice as many the knee comes at half the pages.
#![no_std]
#![no_main]

use core::sync::atomic::Ordering::Relaxed;

use rt::os::{self, Whose};
use rt::{Args, Pages, Result, eprintln, println};

rt::main!(main);

const ROUNDS: usize = 8;

fn main(args: Args) -> i32 {
    let most = args.number(1, 128).max(1);
    let step = args.number(2, 8).clamp(1, most);
    demos::status("thrash", sweep(most, step, args.number(3, 1).max(1)))
}

fn sweep(most: usize, step: usize, processes: usize) -> Result<bool> {
    eprintln!("pages of a set   touches   minor faults   major faults");
    let sizes = most / step;
    for pages in (1..=sizes).map(|size| size * step) {
        let before = os::faults(Whose::Children)?;
        for _ in 0..processes {
            if os::fork()? == 0 {
                // A process of its own: the next size begins with this one's frames free again.
                os::exit(i32::from(go_round(pages) != Ok(true)));
            }
        }
        if !demos::wait_for(processes)? {
            println!("a process with {pages} pages has not found what it had stored");
            return Ok(false);
        }
        let faults = os::faults(Whose::Children)?.since(before);
        let touches = pages * ROUNDS * processes;
        eprintln!("{pages:14}{touches:10}{:15}{:15}", faults.minor, faults.major);
    }
    println!(
        "{sizes} sizes of working sets up to {most} pages, {processes} at once: all pages held what was stored"
    );
    Ok(true)
}

/// Uses a working set, and says whether it held what was stored.
fn go_round(pages: usize) -> Result<bool> {
    let memory = Pages::map(pages)?;
    for _ in 0..ROUNDS {
        for page in 0..pages {
            // One access, which stores: a load of a page that is not there would map the zero page first.
            memory.page(page)[page % 8].fetch_add(page as u64 + 1, Relaxed);
        }
        os::sched_yield();
    }
    let expected = |page: usize| (ROUNDS * (page + 1)) as u64;
    Ok((0..pages).all(|page| memory.page(page)[page % 8].load(Relaxed) == expected(page)))
}
