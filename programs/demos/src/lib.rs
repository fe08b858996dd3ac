//! What several lessons share: a big read-only book, numbers by chance, and how a lesson ends.
#![no_std]

mod book;
mod numbers;

pub use book::{PAGES, letter, read_page};
pub use numbers::{Random, checksum};

use rt::os::{self, Faults};
use rt::{Result, eprintln};

/// The exit status of a lesson that has found all as it should be, or not, or could not get what it asked for.
pub fn status(name: &str, result: Result<bool>) -> i32 {
    if let Err(errno) = result {
        eprintln!("{name}: {errno:?}");
    }
    i32::from(result != Ok(true))
}

/// Does `part` of a lesson and says on standard error, as replacement and frames decide it, how many page faults of this process that took.
pub fn counted<T>(what: &str, part: impl FnOnce() -> T) -> Result<T> {
    let before = os::faults(os::Whose::Own)?;
    let done = part();
    let Faults { minor, major } = os::faults(os::Whose::Own)?.since(before);
    eprintln!("{what}: {major} major and {minor} minor faults");
    Ok(done)
}

/// Waits for `children` children, each of which must exit with status 0.
pub fn wait_for(children: usize) -> Result<bool> {
    let mut all = true;
    for _ in 0..children {
        all &= os::wait(-1)?.1 == os::Status::Exited(0);
    }
    Ok(all)
}
