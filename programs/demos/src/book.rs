//! A big read-only book, each page of which knows its own number.

use rt::PAGE_SIZE;

/// Pages in the book: 1 MiB of read-only data.
pub const PAGES: usize = 256;

/// Page-aligned, so that one page of the book is one page of memory and of the file.
#[repr(C, align(4096))]
struct Book([[u8; PAGE_SIZE]; PAGES]);

static BOOK: Book = Book::print();

impl Book {
    const fn print() -> Self {
        let mut pages = [[b'.'; PAGE_SIZE]; PAGES];
        let mut number = 0;
        while number < PAGES {
            pages[number][0] = letter(number);
            number += 1;
        }
        Self(pages)
    }
}

/// The letter with which page `number` of the book begins.
#[allow(clippy::cast_possible_truncation)]
pub const fn letter(number: usize) -> u8 {
    b'a' + (number % 26) as u8
}

/// Opens the book at page `number` and reads its first letter: the one touch of that page.
pub fn read_page(number: usize) -> Option<char> {
    // The black box keeps the compiler from knowing the answer without looking.
    let page = core::hint::black_box(&BOOK).0.get(number)?;
    Some(char::from(core::hint::black_box(page)[0]))
}
