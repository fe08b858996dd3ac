//! What lies at the address that an argument gives.

/// What lies at an address. The names are those of Linux's structures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// Bytes; argument number `len` says how many.
    Bytes {
        /// Which argument.
        len: usize,
    },
    /// Bytes that mean nothing; argument number `len` says how many.
    Noise {
        /// Which argument.
        len: usize,
    },
    /// A string ended by NUL, in a buffer whose size is argument number `len`.
    Text {
        /// Which argument.
        len: usize,
    },
    /// Directory entries, in a buffer whose size is argument number `len`.
    Entries {
        /// Which argument.
        len: usize,
    },
    /// `struct iovec`s; argument number `count` says how many.
    Vector {
        /// Which argument.
        count: usize,
    },
    /// `struct pollfd`s; argument number `count` says how many.
    Polls {
        /// Which argument.
        count: usize,
    },
    /// A set of descriptors below argument number `count`.
    Descriptors {
        /// Which argument.
        count: usize,
    },
    /// A set of processors, of as many bytes as argument number `len` says.
    Processors {
        /// Which argument.
        len: usize,
    },
    /// A thread's name: at most 15 bytes and NUL.
    Name,
    /// An `int`.
    Int,
    /// An `int` that is a signal.
    Signal,
    /// Two `int`s: the ends of a pipe.
    IntPair,
    /// An `unsigned long`.
    Word,
    /// A `struct timespec`.
    Timespec,
    /// What is left of a wait that was cut short; otherwise nothing is written.
    Remainder,
    /// Two times: when a file was last read, and written.
    TimespecPair,
    /// A `struct timeval`.
    Timeval,
    /// A `struct timezone`.
    Timezone,
    /// A `struct itimerval`.
    Itimerval,
    /// A set of signals.
    Sigset,
    /// Address and size of a set of signals.
    SigsetArgument,
    /// A `struct sigaction`.
    Sigaction,
    /// A `siginfo_t`.
    Siginfo,
    /// A `stack_t`.
    SignalStack,
    /// A `struct stat`.
    Stat,
    /// A `struct statx`.
    Statx,
    /// A `struct statfs`.
    Statfs,
    /// A `struct rlimit`.
    Rlimit,
    /// A `struct rusage`.
    Rusage,
    /// A `struct tms`.
    Tms,
    /// A `struct utsname`.
    Utsname,
    /// A `struct flock`.
    Flock,
    /// A `struct winsize`.
    WindowSize,
    /// A `struct sysinfo`.
    Sysinfo,
    /// How a child ended or stopped.
    WaitStatus,
}
