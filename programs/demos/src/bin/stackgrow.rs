//! The stack grows by itself, page by page, until its limit; behind the limit there is nothing.
//!
//! `stackgrow [PAGES]` (32) recurses so deep that it needs that many pages of stack; `stackgrow forever` never stops.
//! Look at: `faults.by_kind.stack_grow`: one for each page. With `forever` the last fault is a `segv`, and the status is 139.
#![no_std]
#![no_main]

use core::hint::black_box;

use rt::{Args, PAGE_SIZE, println};

rt::main!(main);

fn main(args: Args) -> i32 {
    let forever = args.get(1) == Some("forever");
    let pages = if forever { usize::MAX } else { args.number(1, 32) };
    println!("recursing");
    let deepest = descend(pages);
    println!("came back from {pages} pages down: {deepest}");
    0
}

/// Uses one page of stack and goes on below it; the sum of what was stored on the way.
#[inline(never)]
fn descend(pages: usize) -> usize {
    if pages == 0 {
        return 0;
    }
    let mut local = [0u8; PAGE_SIZE];
    black_box(&mut local)[0] = 1;
    // The page is still needed after the call: no tail call can save the stack.
    descend(pages - 1) + usize::from(black_box(&local)[0])
}
