//! Bit sets of the system call interface: how a file is opened, and what `poll` may say of it.

use bitflags::bitflags;
use linux_raw_sys::general as linux;

bitflags! {
    /// The flags of `openat`, as riscv64 numbers them. Unknown bits are kept and ignored, as Linux does.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct OpenFlags: u32 {
        /// Open for writing only.
        const WRONLY = linux::O_WRONLY;
        /// Open for reading and writing.
        const RDWR = linux::O_RDWR;
        /// Create the file when it is not there.
        const CREAT = linux::O_CREAT;
        /// With `CREAT`: fail with EEXIST when it is there.
        const EXCL = linux::O_EXCL;
        /// Do not make a terminal the controlling one.
        const NOCTTY = linux::O_NOCTTY;
        /// Cut the file to length 0.
        const TRUNC = linux::O_TRUNC;
        /// Each write goes to the end of the file.
        const APPEND = linux::O_APPEND;
        /// EAGAIN instead of sleeping.
        const NONBLOCK = linux::O_NONBLOCK;
        /// Of a pipe: each write is a packet.
        const DIRECT = linux::O_DIRECT;
        /// Fail with ENOTDIR unless it is a directory.
        const DIRECTORY = linux::O_DIRECTORY;
        /// Fail with ELOOP when the last component is a symbolic link.
        const NOFOLLOW = linux::O_NOFOLLOW;
        /// Reading does not count as an access. For the file's owner; there are no access times to leave alone.
        const NOATIME = linux::O_NOATIME;
        /// The descriptor (not the open file) closes on `execve`.
        const CLOEXEC = linux::O_CLOEXEC;
        /// A name only: neither readable nor writable.
        const PATH = linux::O_PATH;
        /// An unnamed file in the given directory. Not supported: EOPNOTSUPP.
        const TMPFILE = linux::O_TMPFILE;
        const _ = !0;
    }
}

impl OpenFlags {
    /// The flags that `fcntl(F_GETFL)` returns and that stay with the open file.
    pub const STATUS: OpenFlags = Self::WRONLY
        .union(Self::RDWR)
        .union(Self::APPEND)
        .union(Self::NONBLOCK)
        .union(Self::DIRECT)
        .union(Self::DIRECTORY)
        .union(Self::NOFOLLOW)
        .union(Self::NOATIME)
        .union(Self::PATH);
    /// The flags that mean something with `O_PATH`; the others are passed over.
    pub const WITH_PATH: OpenFlags =
        Self::PATH.union(Self::DIRECTORY).union(Self::NOFOLLOW).union(Self::CLOEXEC);
    /// The flags that `fcntl(F_SETFL)` may change.
    pub const SETTABLE: OpenFlags =
        Self::APPEND.union(Self::NONBLOCK).union(Self::NOATIME).union(Self::DIRECT);

    /// Whether `read` is allowed.
    pub fn is_readable(self) -> bool {
        !self.contains(Self::PATH) && !self.contains(Self::WRONLY)
    }
    /// Whether `write` is allowed.
    pub fn is_writable(self) -> bool {
        !self.contains(Self::PATH) && self.intersects(Self::WRONLY | Self::RDWR)
    }
}

bitflags! {
    /// The events of `poll`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Readiness: u16 {
        /// `read` will not sleep.
        const IN = 0x001;
        /// There is something urgent. It is awaited at times, and never comes.
        const PRI = 0x002;
        /// `write` will not sleep.
        const OUT = 0x004;
        /// The other end is broken (`write` gives EPIPE).
        const ERR = 0x008;
        /// All writers are gone.
        const HUP = 0x010;
        /// No such descriptor.
        const NVAL = 0x020;
        /// As `IN`.
        const RDNORM = 0x040;
        /// As `OUT`.
        const WRNORM = 0x100;
        /// As `OUT`, of sockets.
        const WRBAND = 0x200;
        /// The other end of a connection sends no more.
        const RDHUP = 0x2000;
    }
}
