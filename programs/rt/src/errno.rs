//! Linux error numbers as a type.

use linux_raw_sys::errno;

/// A positive error number, as in errno(3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub u32);

/// What a system call gives back.
pub type Result<T> = core::result::Result<T, Errno>;

macro_rules! names {
    ($($name:ident)*) => {
        impl Errno {
            /// The symbolic name, for the error numbers that our programs meet.
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $(errno::$name => stringify!($name),)*
                    _ => "E?",
                }
            }
        }
    };
}

names! {
    EPERM ENOENT ESRCH EINTR EIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT EEXIST EXDEV ENOTDIR EISDIR
    EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG ENOSPC ESPIPE EROFS EPIPE ERANGE ENAMETOOLONG ENOSYS ENOTEMPTY ELOOP
    ELIBBAD EOVERFLOW ENXIO EBUSY ENODEV EMLINK EDOM EDEADLK ENOLCK ENOMSG EIDRM ENODATA EPROTO EUSERS ENOTSOCK
    EDESTADDRREQ EMSGSIZE EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EAFNOSUPPORT EADDRINUSE
    EADDRNOTAVAIL ENETUNREACH ECONNABORTED ECONNRESET ENOBUFS EISCONN ENOTCONN ETIMEDOUT ECONNREFUSED EALREADY
    EINPROGRESS ECANCELED ETOOMANYREFS
}

impl core::fmt::Debug for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}
