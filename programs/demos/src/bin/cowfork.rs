//! Copy-on-write: after fork, parent and child share every frame until one of them writes.
//!
//! `cowfork [PAGES] [WRITTEN]` (64 and 1): the parent fills pages and forks; the child writes some of them and exits;
//! then the parent writes them all.
//! Look at: `faults.by_kind.cow_copy`: one for each page that the child wrote (and a few of both stacks). `cow_reuse`: one for each
//! page the parent wrote after the child was gone: the last owner needs no copy.
#![no_std]
#![no_main]

use rt::os::{self, Status};
use rt::{Args, Pages, Result, println};

rt::main!(main);

fn main(args: Args) -> i32 {
    let pages = args.number(1, 64).max(1);
    let written = args.number(2, 1).min(pages);
    demos::status("cowfork", run(pages, written))
}

fn run(pages: usize, written: usize) -> Result<bool> {
    let mut memory = Pages::map(pages)?;
    (0..pages).for_each(|page| memory.write(page, 0, b'p'));

    let child = os::in_child(|| {
        let inherited = (0..pages).filter(|&page| memory.read(page, 0) == b'p').count();
        (0..written).for_each(|page| memory.write(page, 0, b'c'));
        println!("child: read {inherited} pages of the parent's, wrote {written}");
        i32::from(inherited != pages)
    })?;

    let mine = (0..pages).filter(|&page| memory.read(page, 0) == b'p').count();
    println!("parent: the child has gone; {mine} of my {pages} pages are as I left them");
    (0..pages).for_each(|page| memory.write(page, 0, b'q'));
    println!("parent: wrote all {pages}");
    Ok(child == Status::Exited(0) && mine == pages)
}
