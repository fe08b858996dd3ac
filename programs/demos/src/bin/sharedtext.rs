//! Shared text: several processes read the same pages of one program, and there is one copy of each in memory.
//!
//! `sharedtext [CHILDREN] [PAGES]` (4 and 16) lets each child read the same pages while the ones before are still alive.
//! Look at: `faults.by_kind`. The first child's pages come from disk (`file_disk`); each further child only maps what is in the
//! page cache (`file_cache`). `frames.peak` hardly grows with the number of children.
#![no_std]
#![no_main]

use rt::{Args, Result, eprintln, os, println};

rt::main!(main);

fn main(args: Args) -> i32 {
    match run(args.number(1, 4), args.number(2, 16).min(demos::PAGES)) {
        Ok(()) => 0,
        Err(errno) => {
            eprintln!("sharedtext: {errno:?}");
            1
        }
    }
}

fn run(children: usize, pages: usize) -> Result<()> {
    // A child says on its `done` that it has read its pages, and lives until the parent closes `hold`. Nobody else writes to
    // `done`, so it ends with the child, if that comes to grief.
    let hold = os::pipe(0)?;
    for _ in 0..children {
        let done = os::pipe(0)?;
        if os::fork()? == 0 {
            os::close(hold.1)?;
            let right =
                (0..pages).filter(|&n| demos::read_page(n) == Some(char::from(demos::letter(n)))).count();
            os::write(done.1, b".")?;
            os::read(hold.0, &mut [0])?;
            os::exit(i32::from(right != pages));
        }
        os::close(done.1)?;
        os::read(done.0, &mut [0])?;
        os::close(done.0)?;
    }
    os::close(hold.1)?;
    let mut right = 0;
    for _ in 0..children {
        right += usize::from(os::wait(-1)?.1 == os::Status::Exited(0));
    }
    println!("{right} of {children} processes read the same {pages} pages");
    if right != children {
        os::exit(1);
    }
    Ok(())
}
