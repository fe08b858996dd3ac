//! What a row of the table says.

use crate::{FlagSet, Layout};

/// A system call that the kernel has.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Its number, in `a7`.
    pub number: u32,
    /// Its name, as in `asm-generic/unistd.h`.
    pub name: &'static str,
    /// What is in `a0`, `a1`, …; at most six.
    pub arguments: &'static [Argument],
    /// What comes back in `a0`.
    pub returns: Returns,
    /// Whether it may need memory of the kernel's.
    pub memory: Memory,
    /// What a program may want to know; empty where Folio does as Linux does.
    pub remark: &'static str,
}

/// An argument of a call.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
}

/// What an argument is.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// An open file's descriptor.
    Fd,
    /// A descriptor of a directory, or `AT_FDCWD`.
    DirFd,
    /// An `int`.
    Int,
    /// An `unsigned int`.
    Unsigned,
    /// An `unsigned long` that is best read in hexadecimal.
    Word,
    /// How many bytes, or how many elements of a list.
    Size,
    /// A position or a length in a file.
    Offset,
    /// An address that the call does not look at, or not at once.
    Address,
    /// A process, or a group of them.
    Pid,
    /// A signal.
    Signal,
    /// Permission bits.
    Mode,
    /// A user or group; -1 is none.
    Id,
    /// Flags, or one of several choices.
    Flags(&'static FlagSet),
    /// Address of a path, ended by NUL.
    Path,
    /// Address of a list of addresses of strings, ended by NULL.
    Strings,
    /// Address of what the call reads.
    In(Layout),
    /// Address of what the call writes.
    Out(Layout),
    /// Address of what it reads, then writes.
    InOut(Layout),
}

impl Kind {
    /// Whether it is an address at which the call reads or writes.
    pub const fn is_pointer(self) -> bool {
        matches!(self, Kind::Path | Kind::Strings | Kind::In(_) | Kind::Out(_) | Kind::InOut(_))
    }
}

/// What a call gives back when it succeeds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Returns {
    /// A number.
    Number,
    /// An address.
    Address,
    /// Permission bits.
    Mode,
    /// A signal.
    Signal,
    /// Flags.
    Flags(&'static FlagSet),
    /// Nothing, ever.
    Never,
}

/// What a call asks of the kernel's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Memory {
    /// It may need some, and is refused when there is none.
    Needs,
    /// It only gives back or only tells: it goes on with what is left.
    Spares,
}

/// The most arguments that a call has.
pub const MAX_ARGUMENTS: usize = 6;

/// The bits of each argument of `call` that make it EINVAL, whatever else is asked.
pub const fn refused_bits(call: &Call) -> [u64; MAX_ARGUMENTS] {
    let mut bits = [0; MAX_ARGUMENTS];
    let mut index = 0;
    while index < call.arguments.len() {
        if let Kind::Flags(set) = call.arguments[index].kind {
            bits[index] = set.refused();
        }
        index += 1;
    }
    bits
}
