//! Demand paging: a program of 1 MiB of which a few pages are read.
//!
//! `demand [PAGE]…` opens a book of 256 pages, part of the program's file, at the pages named.
//! Look at: `faults.by_kind.file_disk` and `disk.reads`. Each page named costs exactly one fault and one page from disk; the
//! pages not named are never read. Name a page twice, and the second time is free.
#![no_std]
#![no_main]

use demos::{PAGES, read_page};
use rt::{Args, eprintln, println};

rt::main!(main);

fn main(args: Args) -> i32 {
    if args.len() <= 1 {
        for number in [0, 100, 200] {
            show(number);
        }
        return 0;
    }
    for index in 1..args.len() {
        if !show(args.number(index, PAGES)) {
            eprintln!("demand: the pages are 0 to {}", PAGES - 1);
            return 2;
        }
    }
    0
}

fn show(number: usize) -> bool {
    let Some(letter) = read_page(number) else { return false };
    println!("page {number} begins with '{letter}'");
    true
}
