//! Lazy allocation: asking for memory costs nothing; touching it does.
//!
//! `lazymalloc [TOUCHED] [MIB]` (10 and 256) maps 256 MiB, twice what the machine has, and writes 10 pages of it.
//! Look at: `faults.by_kind.zero`: one for each page touched, however much was asked for.
#![no_std]
#![no_main]

use rt::{Args, Pages, eprintln, println};

rt::main!(main);

fn main(args: Args) -> i32 {
    let touched = args.number(1, 10);
    let mib = args.number(2, 256);
    let mut memory = match Pages::map(mib * 256) {
        Ok(memory) => memory,
        Err(errno) => {
            eprintln!("mmap of {mib} MiB: {errno:?}");
            return 1;
        }
    };
    println!("asked for {} pages", memory.len_pages());
    let stride = memory.len_pages() / touched.max(1);
    for index in 0..touched {
        memory.write(index * stride, 0, 0x5a);
    }
    println!("touched {touched}");
    0
}
