//! The runtime of Folio's own user programs: what a C library would be, in five small files.
//!
//! A program is `#![no_std] #![no_main]`, says `rt::main!(main);` and writes `fn main(args: rt::Args) -> i32`.
//! Numbers, flags and structures are those of `linux-raw-sys` ([`abi`]); none is typed a second time here.
//! There is no allocator: each page that a program uses is one it asked for, so that its page faults can be counted.
#![no_std]

pub use linux_raw_sys as abi;

mod errno;
pub mod os;
pub mod pages;
mod print;
mod start;
pub mod syscall;

pub use errno::{Errno, Result};
pub use pages::{PAGE_SIZE, PAGE_WORDS, Pages};
pub use print::{Stderr, Stdout};
pub use start::Args;

/// Names the program's main function: `fn(Args) -> i32`, whose result is the exit status.
#[macro_export]
macro_rules! main {
    ($function:path) => {
        #[allow(unsafe_code)]
        #[unsafe(no_mangle)]
        fn program_main(args: $crate::Args) -> i32 {
            $function(args)
        }
    };
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    eprintln!("{info}");
    os::kill(os::getpid(), abi::general::SIGABRT).ok();
    os::exit(134)
}
