//! Calls whose later arguments, or whose result, depend on one of their arguments: what `folio run --strace` tells of them.

use crate::Kind::{Address, Fd, Flags, In, Out, Pid, Signal, Size, Unsigned, Word};
use crate::Layout::{Flock, Name, Timespec, WindowSize};
use crate::{Call, FlagSet, Kind, Layout, Returns, number, sets};

/// What one value of an argument makes of those behind it.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// The call's number.
    pub call: u32,
    /// The argument that decides.
    pub decides: usize,
    /// Which of its bits.
    pub bits: u64,
    /// What they hold.
    pub value: u64,
    /// The arguments behind it that count then, by their places.
    pub rest: &'static [(usize, Kind)],
    /// What comes back then.
    pub returns: Returns,
}

/// What a choice of `set`, argument number `decides` of `call`, makes of the rest.
const fn row(
    call: u32,
    decides: usize,
    set: &FlagSet,
    name: &str,
    rest: &'static [(usize, Kind)],
    returns: Returns,
) -> Variant {
    Variant { call, decides, bits: set.choice_bits, value: value_of(set, name), rest, returns }
}

const fn fcntl(name: &str, rest: &'static [(usize, Kind)]) -> Variant {
    row(number::fcntl, 1, &sets::FCNTL, name, rest, Returns::Number)
}

const fn fcntl_tells(name: &str, flags: &'static FlagSet) -> Variant {
    row(number::fcntl, 1, &sets::FCNTL, name, &[], Returns::Flags(flags))
}

const fn ioctl(name: &str, rest: &'static [(usize, Kind)]) -> Variant {
    row(number::ioctl, 1, &sets::IOCTL, name, rest, Returns::Number)
}

const fn prctl(name: &str, rest: &'static [(usize, Kind)]) -> Variant {
    row(number::prctl, 0, &sets::PRCTL, name, rest, Returns::Number)
}

const fn futex(name: &str, rest: &'static [(usize, Kind)]) -> Variant {
    row(number::futex, 1, &sets::FUTEX, name, rest, Returns::Number)
}

/// The value of a choice by its name.
const fn value_of(set: &FlagSet, name: &str) -> u64 {
    let mut index = 0;
    while index < set.choices.len() {
        if is_same(set.choices[index].name.as_bytes(), name.as_bytes()) {
            return set.choices[index].bits;
        }
        index += 1;
    }
    panic!("the set has no such choice")
}

const fn is_same(a: &[u8], b: &[u8]) -> bool {
    let mut index = 0;
    while index < a.len() && index < b.len() && a[index] == b[index] {
        index += 1;
    }
    index == a.len() && index == b.len()
}

const LOCK: &[(usize, Kind)] = &[(2, In(Flock))];
const LOCK_TOLD: &[(usize, Kind)] = &[(2, Out(Flock))];
const GIVEN: &[(usize, Kind)] = &[(2, In(Layout::Int))];
const TOLD: &[(usize, Kind)] = &[(2, Out(Layout::Int))];

/// Every variant. Without one, a call is as its row says.
#[rustfmt::skip] // one line is one variant
pub const VARIANTS: &[Variant] = &[
    fcntl("F_DUPFD", &[(2, Fd)]),
    fcntl("F_DUPFD_CLOEXEC", &[(2, Fd)]),
    fcntl_tells("F_GETFD", &sets::DESCRIPTOR),
    fcntl("F_SETFD", &[(2, Flags(&sets::DESCRIPTOR))]),
    fcntl_tells("F_GETFL", &sets::OPEN),
    fcntl("F_SETFL", &[(2, Flags(&sets::OPEN))]),
    fcntl("F_GETLK", LOCK_TOLD),
    fcntl("F_SETLK", LOCK),
    fcntl("F_SETLKW", LOCK),
    fcntl("F_OFD_GETLK", LOCK_TOLD),
    fcntl("F_OFD_SETLK", LOCK),
    fcntl("F_OFD_SETLKW", LOCK),
    fcntl("F_SETOWN", &[(2, Pid)]),
    fcntl("F_GETOWN", &[]),
    fcntl("F_SETSIG", &[(2, Signal)]),
    fcntl("F_GETSIG", &[]),
    fcntl("F_GETLEASE", &[]),
    fcntl("F_SETPIPE_SZ", &[(2, Size)]),
    fcntl("F_GETPIPE_SZ", &[]),
    fcntl("F_ADD_SEALS", &[(2, Flags(&sets::SEALS))]),
    fcntl_tells("F_GET_SEALS", &sets::SEALS),
    ioctl("TIOCGPGRP", TOLD),
    ioctl("TIOCSPGRP", GIVEN),
    ioctl("TIOCSCTTY", &[(2, Size)]),
    ioctl("TCFLSH", &[(2, Size)]),
    ioctl("TCXONC", &[(2, Size)]),
    ioctl("TCSBRK", &[(2, Size)]),
    ioctl("TIOCOUTQ", TOLD),
    ioctl("TIOCGPTPEER", &[(2, Flags(&sets::OPEN))]),
    ioctl("TIOCEXCL", &[]),
    ioctl("TIOCNXCL", &[]),
    ioctl("TIOCGETD", TOLD),
    ioctl("TIOCSETD", GIVEN),
    ioctl("SIOCATMARK", TOLD),
    ioctl("TIOCSIG", &[(2, Signal)]),
    ioctl("TIOCGDEV", TOLD),
    ioctl("TIOCGEXCL", TOLD),
    ioctl("TIOCSPTLCK", GIVEN),
    ioctl("TIOCGPTN", TOLD),
    ioctl("TIOCGPTLCK", TOLD),
    ioctl("TIOCGWINSZ", &[(2, Out(WindowSize))]),
    ioctl("TIOCSWINSZ", &[(2, In(WindowSize))]),
    ioctl("FIONREAD", TOLD),
    ioctl("FIONBIO", GIVEN),
    ioctl("TIOCNOTTY", &[]),
    ioctl("TIOCGSID", TOLD),
    ioctl("FIONCLEX", &[]),
    ioctl("FIOCLEX", &[]),
    prctl("PR_SET_PDEATHSIG", &[(1, Signal)]),
    prctl("PR_GET_PDEATHSIG", &[(1, Out(Layout::Signal))]),
    prctl("PR_GET_DUMPABLE", &[]),
    prctl("PR_SET_DUMPABLE", &[(1, Flags(&sets::DUMPABLE))]),
    prctl("PR_SET_NAME", &[(1, In(Name))]),
    prctl("PR_GET_NAME", &[(1, Out(Name))]),
    prctl("PR_CAPBSET_READ", &[(1, Size)]),
    prctl("PR_SET_TIMERSLACK", &[(1, Size)]),
    prctl("PR_GET_TIMERSLACK", &[]),
    prctl("PR_SET_CHILD_SUBREAPER", &[(1, Size)]),
    prctl("PR_GET_CHILD_SUBREAPER", &[(1, Out(Layout::Int))]),
    prctl("PR_SET_NO_NEW_PRIVS", &[(1, Size), (2, Size), (3, Size), (4, Size)]),
    prctl("PR_GET_NO_NEW_PRIVS", &[(1, Size), (2, Size), (3, Size), (4, Size)]),
    futex("FUTEX_WAIT", &[(2, Unsigned), (3, In(Timespec))]),
    futex("FUTEX_WAKE", &[(2, Unsigned)]),
    futex("FUTEX_REQUEUE", &[(2, Unsigned), (3, Unsigned), (4, Address)]),
    futex("FUTEX_CMP_REQUEUE", &[(2, Unsigned), (3, Unsigned), (4, Address), (5, Unsigned)]),
    futex("FUTEX_WAKE_OP", &[(2, Unsigned), (3, Unsigned), (4, Address), (5, Word)]),
    futex("FUTEX_LOCK_PI", &[(3, In(Timespec))]),
    futex("FUTEX_UNLOCK_PI", &[]),
    futex("FUTEX_TRYLOCK_PI", &[]),
    futex("FUTEX_WAIT_BITSET", &[(2, Unsigned), (3, In(Timespec)), (5, Flags(&sets::FUTEX_BITS))]),
    futex("FUTEX_WAKE_BITSET", &[(2, Unsigned), (5, Flags(&sets::FUTEX_BITS))]),
    // Only what makes a file has a mode, and only what moves a mapping a place for it.
    Variant { call: number::openat, decides: 2, bits: 0o20_000_100, value: 0, rest: &[], returns: Returns::Number },
    Variant { call: number::mremap, decides: 3, bits: 6, value: 0, rest: &[], returns: Returns::Address },
];

/// The variant of `call` that these arguments choose.
pub fn variant(call: &Call, values: &[u64; crate::call::MAX_ARGUMENTS]) -> Option<&'static Variant> {
    VARIANTS.iter().find(|variant| {
        variant.call == call.number && values[variant.decides] & variant.bits == variant.value
    })
}
