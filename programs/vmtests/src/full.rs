//! Memory nearly full: a process that holds all of it but a few pages for as long as the tests run.

use crate::raw::sys;
use rt::abi::general as g;
use rt::os;
use rt::{PAGE_SIZE, Pages, Result};

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
    let mut held = Pages::map(info()?[TOTAL_RAM] / PAGE_SIZE)?;
    let mut page = 0;
    loop {
        let excess = (info()?[FREE_RAM] / PAGE_SIZE).saturating_sub(pages);
        if excess == 0 || page == held.len_pages() {
            break;
        }
        // Page tables are taken too: never more than half of what there is in one go.
        let end = (page + excess.div_ceil(2)).min(held.len_pages());
        (page..end).for_each(|page| held.write(page, 0, 1));
        page = end;
    }
    os::write(ready, b".")?;
    let (never, _open) = os::pipe(0)?;
    os::read(never, &mut [0]).map(|_| ())
}

fn info() -> Result<[usize; SYSINFO_WORDS]> {
    let mut words = [0; SYSINFO_WORDS];
    sys(g::__NR_sysinfo, [&raw mut words as usize])?;
    Ok(words)
}
