//! Linux's error numbers, as a type that cannot be mixed up with a length or a count.
//!
//! Numbers, names and sentences are listed here once, and serve the kernel's returns to user mode, the messages about a
//! program that cannot be executed, and `--strace`.

use core::fmt;

/// A Linux error number, as a system call returns it (negated).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(u16);

macro_rules! errnos {
    ($($name:ident = $number:literal $reason:literal,)*) => {
        impl Errno {
            $(#[doc = $reason] pub const $name: Errno = Errno($number);)*

            /// The name as in `errno.h`, e.g. `"ENOENT"`.
            pub const fn name(self) -> &'static str {
                match self { $(Errno::$name => stringify!($name),)* _ => "errno" }
            }
            /// The reason in words, e.g. `"no such file or directory"`.
            pub const fn reason(self) -> &'static str {
                match self { $(Errno::$name => $reason,)* _ => "unknown error" }
            }
        }
    };
}

errnos! {
    EPERM = 1 "operation not permitted",
    ENOENT = 2 "no such file or directory",
    ESRCH = 3 "no such process",
    EINTR = 4 "interrupted system call",
    EIO = 5 "input/output error",
    ENXIO = 6 "no such device or address",
    E2BIG = 7 "argument list too long",
    ENOEXEC = 8 "exec format error",
    EBADF = 9 "bad file descriptor",
    ECHILD = 10 "no child processes",
    EAGAIN = 11 "resource temporarily unavailable",
    ENOMEM = 12 "cannot allocate memory",
    EACCES = 13 "permission denied",
    EFAULT = 14 "bad address",
    ENOTBLK = 15 "block device required",
    EBUSY = 16 "device or resource busy",
    EEXIST = 17 "file exists",
    EXDEV = 18 "invalid cross-device link",
    ENODEV = 19 "no such device",
    ENOTDIR = 20 "not a directory",
    EISDIR = 21 "is a directory",
    EINVAL = 22 "invalid argument",
    ENFILE = 23 "too many open files in system",
    EMFILE = 24 "too many open files",
    ENOTTY = 25 "inappropriate ioctl for device",
    ETXTBSY = 26 "text file busy",
    EFBIG = 27 "file too large",
    ENOSPC = 28 "no space left on device",
    ESPIPE = 29 "illegal seek",
    EROFS = 30 "read-only file system",
    EMLINK = 31 "too many links",
    EPIPE = 32 "broken pipe",
    EDOM = 33 "numerical argument out of domain",
    ERANGE = 34 "numerical result out of range",
    EDEADLK = 35 "resource deadlock avoided",
    ENOMSG = 42 "no message of the wanted type",
    EIDRM = 43 "identifier removed",
    ENAMETOOLONG = 36 "file name too long",
    ENOSYS = 38 "function not implemented",
    ENOTEMPTY = 39 "directory not empty",
    ELOOP = 40 "too many levels of symbolic links",
    ENODATA = 61 "no data available",
    EOVERFLOW = 75 "value too large for defined data type",
    ELIBBAD = 80 "accessing a corrupted shared library",
    ERESTART = 85 "interrupted system call should be restarted",
    EUCLEAN = 117 "structure needs cleaning",
    ENOTSOCK = 88 "socket operation on non-socket",
    EDESTADDRREQ = 89 "destination address required",
    EMSGSIZE = 90 "message too long",
    EPROTOTYPE = 91 "protocol wrong type for socket",
    ENOPROTOOPT = 92 "protocol not available",
    EPROTONOSUPPORT = 93 "protocol not supported",
    ESOCKTNOSUPPORT = 94 "socket type not supported",
    EOPNOTSUPP = 95 "operation not supported",
    EAFNOSUPPORT = 97 "address family not supported by protocol",
    EADDRINUSE = 98 "address already in use",
    EADDRNOTAVAIL = 99 "cannot assign requested address",
    ENETUNREACH = 101 "network is unreachable",
    ECONNRESET = 104 "connection reset by peer",
    ENOBUFS = 105 "no buffer space available",
    EISCONN = 106 "transport endpoint is already connected",
    ENOTCONN = 107 "transport endpoint is not connected",
    ETOOMANYREFS = 109 "too many references: cannot splice",
    ETIMEDOUT = 110 "connection timed out",
    ECONNREFUSED = 111 "connection refused",
    EINPROGRESS = 115 "operation now in progress",
    ECANCELED = 125 "operation canceled",
}

impl Errno {
    /// The error numbered `number`; `None` if Linux has none (they are below 4096).
    pub const fn from_number(number: u64) -> Option<Errno> {
        match number {
            #[allow(clippy::cast_possible_truncation)] // below 4096
            1..4096 => Some(Errno(number as u16)),
            _ => None,
        }
    }

    /// The error that a call has left in `a0`; `None` if it has succeeded.
    pub const fn from_return_value(value: u64) -> Option<Errno> {
        Self::from_number(value.wrapping_neg())
    }

    /// The number, positive.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// What the system call leaves in `a0`: the number negated, as 64 bits.
    pub const fn to_return_value(self) -> u64 {
        (self.0 as u64).wrapping_neg()
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name(), self.reason())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn an_errno_has_its_number_name_and_reason() {
        assert_eq!(Errno::ENOENT.number(), 2);
        assert_eq!(Errno::EUCLEAN.number(), 117);
        assert_eq!(Errno::ENOEXEC.to_return_value(), (-8_i64).cast_unsigned());
        assert_eq!(Errno::from_return_value((-13_i64).cast_unsigned()), Some(Errno::EACCES));
        assert_eq!(Errno::from_return_value(0), None);
        assert_eq!(Errno::from_return_value((-4096_i64).cast_unsigned()), None);
        assert_eq!(format!("{}", Errno::ELOOP), "ELOOP (too many levels of symbolic links)");
    }
}
