//! One page of the file, two mappings: the end of the text and the start of the data lie in the same 4 KiB of the ELF.
//!
//! The kernel maps that page twice: read-only and executable, straight from the page cache, and writable, as a private copy
//! once it is written. This program stores to its data and shows that neither the text nor the file saw it.
//! Look at: `faults.by_kind.file_copy`: one copy for the data, none for the text.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rt::{Args, PAGE_SIZE, println};

rt::main!(main);

/// Initialised data, in the file; with the zero words after it in bss, in the same page.
static COUNTERS: [AtomicU32; 4] =
    [AtomicU32::new(11), AtomicU32::new(22), AtomicU32::new(33), AtomicU32::new(44)];
static ZEROS: [AtomicU32; 4] = [const { AtomicU32::new(0) }; 4];

fn main(_: Args) -> i32 {
    let before = sum(&COUNTERS);
    COUNTERS.iter().chain(&ZEROS).for_each(|counter| {
        counter.fetch_add(1, Relaxed);
    });
    let child = rt::os::in_child(|| {
        COUNTERS[0].store(1000, Relaxed);
        0
    });
    println!("sums: {before} from the file, {} and {} after adding one to each", sum(&COUNTERS), sum(&ZEROS));
    println!("the data page starts {} pages after the text page", data_page() - text_page());
    i32::from(before != 110 || sum(&COUNTERS) != 114 || sum(&ZEROS) != 4 || child.is_err())
}

#[inline(never)]
fn sum(counters: &[AtomicU32; 4]) -> u32 {
    counters.iter().map(|counter| counter.load(Relaxed)).sum()
}

fn data_page() -> usize {
    COUNTERS.as_ptr() as usize / PAGE_SIZE
}

fn text_page() -> usize {
    main as fn(Args) -> i32 as usize / PAGE_SIZE
}
