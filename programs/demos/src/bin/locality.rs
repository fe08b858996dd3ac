//! Locality: one matrix, walked by rows and by columns. The same additions, in another order.
//!
//! `locality [ROWS] [COLUMNS]` (256 and 16): each row is a page and holds COLUMNS numbers, evenly spread. By rows the program has
//! done with a page when it leaves it; by columns it comes back to each page COLUMNS times, and every time has been to all others.
//! Look at: the major faults on standard error. With fewer frames than rows the walk by columns has COLUMNS times as many. With more there
//! are none, and both take the same time.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use demos::{Random, checksum, counted};
use rt::{Args, PAGE_WORDS, Pages, Result, eprintln, os, println};

rt::main!(main);

fn main(args: Args) -> i32 {
    let (rows, columns) = (args.number(1, 256).max(1), args.number(2, 16).clamp(1, PAGE_WORDS));
    match Pages::map(rows) {
        Ok(memory) => demos::status("locality", walk(&Matrix { memory, columns })),
        Err(errno) => demos::status("locality", Err(errno)),
    }
}

struct Matrix {
    memory: Pages,
    columns: usize,
}

impl Matrix {
    fn rows(&self) -> usize {
        self.memory.len_pages()
    }
    fn at(&self, row: usize, column: usize) -> &AtomicU64 {
        &self.memory.page(row)[column * (PAGE_WORDS / self.columns)]
    }
}

fn walk(matrix: &Matrix) -> Result<bool> {
    let (rows, columns) = (matrix.rows(), matrix.columns);
    let mut random = Random::new(1);
    counted("filled", || {
        (0..rows).for_each(|row| {
            (0..columns).for_each(|column| matrix.at(row, column).store(random.next(), Relaxed))
        });
    })?;
    let by_rows = timed("by rows", || {
        (0..rows)
            .flat_map(|row| (0..columns).map(move |column| (row, column)))
            .for_each(|place| add(matrix, place));
    })?;
    let by_columns = timed("by columns", || {
        (0..columns)
            .flat_map(|column| (0..rows).map(move |row| (row, column)))
            .for_each(|place| add(matrix, place));
    })?;
    eprintln!("by rows {by_rows} µs, by columns {by_columns} µs");
    let mut random = Random::new(1);
    let (mut check, mut is_right) = (0, true);
    for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
        let number = matrix.at(row, column).load(Relaxed);
        is_right &= number == random.next().wrapping_add(2 * (row * columns + column) as u64);
        check = checksum(check, number);
    }
    let right = if is_right { "as they should be" } else { "not as they should be" };
    println!("{rows} rows of {columns} numbers, which are {right}; checksum {check:016x}");
    Ok(is_right)
}

/// Adds to a number its place in the matrix.
fn add(matrix: &Matrix, (row, column): (usize, usize)) {
    let number = matrix.at(row, column);
    number.store(number.load(Relaxed).wrapping_add((row * matrix.columns + column) as u64), Relaxed);
}

/// As [`counted`]; how many microseconds it took.
fn timed(what: &str, part: impl FnOnce()) -> Result<u64> {
    let start = os::monotonic_ns()?;
    counted(what, part)?;
    Ok((os::monotonic_ns()? - start) / 1000)
}
