//! Zero-fill on demand: 34 MiB of bss that cost nothing until touched, and never show what a frame held before.
//!
//! `zerofill [PAGES]` (8): a child fills that many pages with 0x5a and exits, so that its frames become free; then the parent
//! touches as many pages of its own and looks at every byte.
//! Look at: `faults.by_kind.zero`: one for each page written. Reads alone map the one shared zero page (`zero_shared`).
//! `frames.peak` is far below the 8704 pages of the bss. Run it with few `--frames`, and the parent must get the child's old ones.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

use rt::os::{self, Status};
use rt::{Args, PAGE_SIZE, println};

rt::main!(main);

const BSS_PAGES: usize = 34 * 256;

/// Initialised data: three bytes in the file.
static DATA: [AtomicU8; 3] = [AtomicU8::new(1), AtomicU8::new(2), AtomicU8::new(3)];
/// The linker puts it right behind the data: its start, up to the next page, shares a page with bytes from the file.
static BSS: [AtomicU8; BSS_PAGES * PAGE_SIZE] = [const { AtomicU8::new(0) }; BSS_PAGES * PAGE_SIZE];

fn main(args: Args) -> i32 {
    let pages = args.number(1, 8).min(BSS_PAGES - 1);
    // The black boxes keep the compiler from knowing what nobody has written yet.
    let (tail, rest) = black_box(&BSS).split_at(BSS.as_ptr().align_offset(PAGE_SIZE));
    // Spread over the whole bss: page after page would look the same, but show less.
    let spread = |index: usize| &rest[index * ((BSS_PAGES - 1) / pages.max(1)) * PAGE_SIZE..][..PAGE_SIZE];

    let data: u8 = black_box(&DATA).iter().map(|byte| byte.load(Relaxed)).sum();
    let not_zero = tail.iter().filter(|byte| byte.load(Relaxed) != 0).count();
    println!("data adds up to {data}; of the bss behind it in the same page {not_zero} bytes are not zero");

    let child = os::in_child(|| {
        (0..pages).for_each(|index| spread(index).iter().for_each(|byte| byte.store(0x5a, Relaxed)));
        0
    });
    if child != Ok(Status::Exited(0)) {
        println!("the child ended with {child:?}");
        return 1;
    }
    println!("a child has filled {pages} pages with 0x5a and is gone");

    let mut dirty = 0;
    for index in 0..pages {
        // Written first: a page of its own, which a read would not give.
        spread(index)[0].store(1, Relaxed);
        dirty += spread(index)[1..].iter().filter(|byte| byte.load(Relaxed) != 0).count();
    }
    println!("{pages} pages written by the parent: {dirty} old bytes seen");
    i32::from(dirty != 0 || not_zero != 0 || data != 6)
}
