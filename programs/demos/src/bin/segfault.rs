//! Three ways to be killed by SIGSEGV, and what the hardware says about each.
//!
//! `segfault null` (the default) loads from address 0, where nothing is mapped; `segfault text` stores to a page that may be read
//! and executed only; `segfault data` executes a page of data.
//! Look at: the status, 139 (128 + SIGSEGV); the last fault's kind, `segv` (no mapping) or `protection` (the mapping forbids it).
//!
//! Unsafe: breaking the rules is the lesson. Each access is one that the kernel must answer with SIGSEGV.
#![no_std]
#![no_main]
#![allow(unsafe_code)]

use core::hint::black_box;

use rt::{Args, Pages, eprintln, println};

rt::main!(main);

fn main(args: Args) -> i32 {
    match args.get(1).unwrap_or("null") {
        "null" => {
            println!("loading from address 0");
            let nowhere = black_box(core::ptr::null::<u8>());
            // SAFETY: none: nothing is mapped there, and the process ends here.
            let byte = unsafe { nowhere.read_volatile() };
            println!("there was {byte}");
        }
        "text" => {
            println!("storing to this program's text");
            let text = black_box(main as fn(Args) -> i32 as *mut u8);
            // SAFETY: none: text is not writable, and the process ends here.
            unsafe { text.write_volatile(0) };
        }
        "data" => {
            println!("executing a page of data");
            let Ok(mut page) = Pages::map(1) else { return 1 };
            // c.jr ra: would return, if it could be executed.
            page.write(0, 0, 0x82);
            page.write(0, 1, 0x80);
            // SAFETY: none: the page is not executable, and the process ends here.
            let code = unsafe { core::mem::transmute::<usize, extern "C" fn()>(page.address()) };
            black_box(code)();
        }
        other => {
            eprintln!("segfault: {other} is none of null, text, data");
            return 2;
        }
    }
    println!("still alive: the kernel should not have allowed that");
    1
}
