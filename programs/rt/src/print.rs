//! `print!`, `println!`, `eprint!` and `eprintln!`: one write(2) for each call, through a buffer on the stack.

use core::fmt::{Arguments, Result, Write};

/// Standard output, by descriptor.
pub struct Stdout;
/// Standard error, by descriptor.
pub struct Stderr;

/// Collects a line's pieces, so that lines of several processes do not mix.
struct Buffered {
    fd: i32,
    len: usize,
    bytes: [u8; 256],
}

impl Buffered {
    fn flush(&mut self) -> Result {
        let mut rest = &self.bytes[..self.len];
        while !rest.is_empty() {
            let written = crate::os::write(self.fd, rest).map_err(|_| core::fmt::Error)?;
            rest = &rest[written..];
        }
        self.len = 0;
        Ok(())
    }
}

impl Write for Buffered {
    fn write_str(&mut self, text: &str) -> Result {
        for &byte in text.as_bytes() {
            if self.len == self.bytes.len() {
                self.flush()?;
            }
            self.bytes[self.len] = byte;
            self.len += 1;
        }
        Ok(())
    }
}

fn print(fd: i32, arguments: Arguments<'_>) {
    let mut out = Buffered { fd, len: 0, bytes: [0; 256] };
    // A closed standard output is no reason to stop a lesson.
    let _ = out.write_fmt(arguments).and_then(|()| out.flush());
}

impl Stdout {
    /// Writes the formatted text.
    pub fn print(arguments: Arguments<'_>) {
        print(1, arguments);
    }
}

impl Stderr {
    /// Writes the formatted text.
    pub fn print(arguments: Arguments<'_>) {
        print(2, arguments);
    }
}

/// Prints to standard output.
#[macro_export]
macro_rules! print {
    ($($part:tt)*) => { $crate::Stdout::print(::core::format_args!($($part)*)) };
}

/// Prints a line to standard output.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($format:literal $($part:tt)*) => { $crate::print!("{}\n", ::core::format_args!($format $($part)*)) };
}

/// Prints to standard error.
#[macro_export]
macro_rules! eprint {
    ($($part:tt)*) => { $crate::Stderr::print(::core::format_args!($($part)*)) };
}

/// Prints a line to standard error.
#[macro_export]
macro_rules! eprintln {
    () => { $crate::eprint!("\n") };
    ($format:literal $($part:tt)*) => { $crate::eprint!("{}\n", ::core::format_args!($format $($part)*)) };
}
