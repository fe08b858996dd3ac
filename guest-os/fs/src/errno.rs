//! Linux's error numbers, as a type that cannot be mixed up with a length or a count.
//!
//! Numbers come from `linux-raw-sys`; the names and the sentences are listed here once and serve the kernel's
//! returns to user mode as well as the messages about a program that cannot be executed.

use core::fmt;

/// A Linux error number, as a system call returns it (negated).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Errno(u16);

macro_rules! errnos {
    ($($name:ident $reason:literal,)*) => {
        impl Errno {
            $(#[doc = $reason] pub const $name: Errno = Errno::from_raw(linux_raw_sys::errno::$name);)*

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
    EPERM "operation not permitted",
    ENOENT "no such file or directory",
    ESRCH "no such process",
    EINTR "interrupted system call",
    EIO "input/output error",
    ENXIO "no such device or address",
    E2BIG "argument list too long",
    ENOEXEC "exec format error",
    EBADF "bad file descriptor",
    ECHILD "no child processes",
    EAGAIN "resource temporarily unavailable",
    ENOMEM "cannot allocate memory",
    EACCES "permission denied",
    EFAULT "bad address",
    ENOTBLK "block device required",
    EBUSY "device or resource busy",
    EEXIST "file exists",
    EXDEV "invalid cross-device link",
    ENODEV "no such device",
    ENOTDIR "not a directory",
    EISDIR "is a directory",
    EINVAL "invalid argument",
    ENFILE "too many open files in system",
    EMFILE "too many open files",
    ENOTTY "inappropriate ioctl for device",
    ETXTBSY "text file busy",
    EFBIG "file too large",
    ENOSPC "no space left on device",
    ESPIPE "illegal seek",
    EROFS "read-only file system",
    EMLINK "too many links",
    EPIPE "broken pipe",
    EDOM "numerical argument out of domain",
    ERANGE "numerical result out of range",
    EDEADLK "resource deadlock avoided",
    ENAMETOOLONG "file name too long",
    ENOSYS "function not implemented",
    ENOTEMPTY "directory not empty",
    ELOOP "too many levels of symbolic links",
    ENODATA "no data available",
    EOVERFLOW "value too large for defined data type",
    ELIBBAD "accessing a corrupted shared library",
    EUCLEAN "structure needs cleaning",
    ENOTSOCK "socket operation on non-socket",
    EOPNOTSUPP "operation not supported",
    EAFNOSUPPORT "address family not supported by protocol",
    ETIMEDOUT "connection timed out",
}

impl Errno {
    /// The error numbered `number`. Linux keeps them below 4096, which the narrowing relies on.
    #[allow(clippy::cast_possible_truncation)] // asserted on the line above it
    const fn from_raw(number: u32) -> Errno {
        assert!(number > 0 && number < 4096);
        Errno(number as u16)
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
        assert_eq!(format!("{}", Errno::ELOOP), "ELOOP (too many levels of symbolic links)");
    }
}
