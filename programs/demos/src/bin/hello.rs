//! The smallest program: prints a line and its arguments.
//!
//! Look at: `folio run --stats hello`. A program of a few pages needs a handful of faults: one for each page of text,
//! read-only data and stack that it really used. Nothing else was read.
#![no_std]
#![no_main]

use rt::{Args, println};

rt::main!(main);

fn main(args: Args) -> i32 {
    println!("Hello from page one.");
    for (index, arg) in args.iter().enumerate().skip(1) {
        println!("argument {index}: {arg}");
    }
    0
}
