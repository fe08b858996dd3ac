//! The sets of flags and choices, with what Folio does with each. Bits and names are Linux's for riscv64.

mod children;

use crate::flags::{Flag, FlagSet, Others, declined, ignored, refused, taken};
pub use children::{CLONE, CLONE_ARGS, UNSHARE, UNSHARE_NAMESPACES, WAIT, WAIT_KIND, WAITID};

const WORD_BITS: u32 = 32;

/// Flags of an `int`, of which bits without a name are EINVAL.
const fn strict(title: &'static str, flags: &'static [Flag]) -> FlagSet {
    FlagSet { title, choice_bits: 0, choices: &[], flags, others: Others::Refused, width_bits: WORD_BITS }
}

/// Flags of an `int`, of which bits without a name are not looked at.
const fn lenient(title: &'static str, flags: &'static [Flag]) -> FlagSet {
    FlagSet { others: Others::Ignored, ..strict(title, flags) }
}

/// One of several choices in an `int`.
const fn choice(title: &'static str, choices: &'static [Flag]) -> FlagSet {
    FlagSet { choice_bits: u32::MAX as u64, choices, ..strict(title, &[]) }
}

/// How a file is opened.
pub const OPEN: FlagSet = FlagSet {
    choice_bits: 0o3,
    choices: &[taken("O_RDONLY", 0), taken("O_WRONLY", 0o1), taken("O_RDWR", 0o2)],
    ..lenient(
        "open",
        &[
            taken("O_CREAT", 0o100),
            taken("O_EXCL", 0o200),
            ignored("O_NOCTTY", 0o400),
            taken("O_TRUNC", 0o1000),
            taken("O_APPEND", 0o2000),
            taken("O_NONBLOCK", 0o4000),
            ignored("O_SYNC", 0o4_010_000),
            ignored("O_DSYNC", 0o10_000),
            ignored("O_DIRECT", 0o40_000),
            ignored("O_LARGEFILE", 0o100_000),
            taken("O_TMPFILE", 0o20_200_000),
            taken("O_DIRECTORY", 0o200_000),
            taken("O_NOFOLLOW", 0o400_000),
            ignored("O_NOATIME", 0o1_000_000),
            taken("O_CLOEXEC", 0o2_000_000),
            taken("O_PATH", 0o10_000_000),
        ],
    )
};

/// What `dup3` takes of them.
pub const DUP: FlagSet = strict("dup3", &[taken("O_CLOEXEC", 0o2_000_000)]);

/// Flags of a descriptor, not of what it opens.
pub const DESCRIPTOR: FlagSet = lenient("descriptor", &[taken("FD_CLOEXEC", 1)]);

/// What `pipe2` takes of them.
pub const PIPE: FlagSet = strict(
    "pipe2",
    &[taken("O_NONBLOCK", 0o4000), taken("O_DIRECT", 0o40_000), taken("O_CLOEXEC", 0o2_000_000)],
);

/// `eventfd2`.
pub const EVENT_FILE: FlagSet = strict(
    "eventfd2",
    &[taken("EFD_SEMAPHORE", 1), taken("EFD_NONBLOCK", 0o4000), taken("EFD_CLOEXEC", 0o2_000_000)],
);

/// `epoll_create1`.
pub const EPOLL: FlagSet = strict("epoll_create1", &[taken("EPOLL_CLOEXEC", 0o2_000_000)]);

/// What `epoll_ctl` does.
pub const EPOLL_OPERATION: FlagSet =
    choice("epoll_ctl", &[taken("EPOLL_CTL_ADD", 1), taken("EPOLL_CTL_DEL", 2), taken("EPOLL_CTL_MOD", 3)]);

/// `signalfd4`.
pub const SIGNAL_FILE: FlagSet =
    strict("signalfd4", &[taken("SFD_NONBLOCK", 0o4000), taken("SFD_CLOEXEC", 0o2_000_000)]);

/// `timerfd_create`.
pub const TIMER_FILE: FlagSet =
    strict("timerfd_create", &[taken("TFD_NONBLOCK", 0o4000), taken("TFD_CLOEXEC", 0o2_000_000)]);

/// The clock of a timer that is read.
pub const TIMER_CLOCK: FlagSet = choice(
    "clock of timerfd_create",
    &[
        taken("CLOCK_REALTIME", 0),
        taken("CLOCK_MONOTONIC", 1),
        taken("CLOCK_BOOTTIME", 7),
        declined("CLOCK_REALTIME_ALARM", 8),
        declined("CLOCK_BOOTTIME_ALARM", 9),
    ],
);

/// `timerfd_settime`.
pub const TIMER_SETTING: FlagSet =
    strict("timerfd_settime", &[taken("TFD_TIMER_ABSTIME", 1), ignored("TFD_TIMER_CANCEL_ON_SET", 2)]);

/// `splice` and its kin.
pub const SPLICE: FlagSet = strict(
    "splice",
    &[
        ignored("SPLICE_F_MOVE", 1),
        taken("SPLICE_F_NONBLOCK", 2),
        ignored("SPLICE_F_MORE", 4),
        ignored("SPLICE_F_GIFT", 8),
    ],
);

/// `sync_file_range`.
pub const SYNC_RANGE: FlagSet = strict(
    "sync_file_range",
    &[
        ignored("SYNC_FILE_RANGE_WAIT_BEFORE", 1),
        ignored("SYNC_FILE_RANGE_WRITE", 2),
        ignored("SYNC_FILE_RANGE_WAIT_AFTER", 4),
    ],
);

/// What a program says of how it reads a file.
pub const FILE_ADVICE: FlagSet = choice(
    "fadvise64",
    &[
        ignored("POSIX_FADV_NORMAL", 0),
        ignored("POSIX_FADV_RANDOM", 1),
        ignored("POSIX_FADV_SEQUENTIAL", 2),
        taken("POSIX_FADV_WILLNEED", 3),
        taken("POSIX_FADV_DONTNEED", 4),
        ignored("POSIX_FADV_NOREUSE", 5),
    ],
);

/// `pidfd_open`.
pub const PIDFD: FlagSet =
    strict("pidfd_open", &[taken("PIDFD_NONBLOCK", 0o4000), refused("PIDFD_THREAD", 0o200)]);

/// `memfd_create`.
pub const MEMFD: FlagSet = strict(
    "memfd_create",
    &[
        taken("MFD_CLOEXEC", 1),
        taken("MFD_ALLOW_SEALING", 2),
        refused("MFD_HUGETLB", 4),
        taken("MFD_NOEXEC_SEAL", 8),
        ignored("MFD_EXEC", 0x10),
    ],
);

/// `close_range`.
pub const CLOSE_RANGE: FlagSet =
    strict("close_range", &[ignored("CLOSE_RANGE_UNSHARE", 1 << 1), taken("CLOSE_RANGE_CLOEXEC", 1 << 2)]);

/// What `fcntl` does.
pub const FCNTL: FlagSet = choice(
    "fcntl",
    &[
        taken("F_DUPFD", 0),
        taken("F_GETFD", 1),
        taken("F_SETFD", 2),
        taken("F_GETFL", 3),
        taken("F_SETFL", 4),
        taken("F_GETLK", 5),
        taken("F_SETLK", 6),
        taken("F_SETLKW", 7),
        ignored("F_SETOWN", 8),
        ignored("F_GETOWN", 9),
        declined("F_SETSIG", 10),
        declined("F_GETSIG", 11),
        taken("F_OFD_GETLK", 36),
        taken("F_OFD_SETLK", 37),
        taken("F_OFD_SETLKW", 38),
        declined("F_SETLEASE", 1024),
        declined("F_GETLEASE", 1025),
        declined("F_NOTIFY", 1026),
        taken("F_DUPFD_CLOEXEC", 1030),
        taken("F_SETPIPE_SZ", 1031),
        taken("F_GETPIPE_SZ", 1032),
        taken("F_ADD_SEALS", 1033),
        taken("F_GET_SEALS", 1034),
    ],
);

/// `inotify_init1`.
pub const INOTIFY: FlagSet =
    strict("inotify_init1", &[taken("IN_NONBLOCK", 0o4000), taken("IN_CLOEXEC", 0o2_000_000)]);

/// What a watch is to tell, and of which file.
pub const WATCH: FlagSet = strict(
    "inotify_add_watch",
    &[
        taken("IN_ACCESS", 1),
        taken("IN_MODIFY", 2),
        taken("IN_ATTRIB", 4),
        taken("IN_CLOSE_WRITE", 8),
        taken("IN_CLOSE_NOWRITE", 0x10),
        taken("IN_OPEN", 0x20),
        taken("IN_MOVED_FROM", 0x40),
        taken("IN_MOVED_TO", 0x80),
        taken("IN_CREATE", 0x100),
        taken("IN_DELETE", 0x200),
        taken("IN_DELETE_SELF", 0x400),
        taken("IN_MOVE_SELF", 0x800),
        ignored("IN_UNMOUNT", 0x2000),
        ignored("IN_Q_OVERFLOW", 0x4000),
        ignored("IN_IGNORED", 0x8000),
        taken("IN_ONLYDIR", 0x0100_0000),
        taken("IN_DONT_FOLLOW", 0x0200_0000),
        taken("IN_EXCL_UNLINK", 0x0400_0000),
        taken("IN_MASK_CREATE", 0x1000_0000),
        taken("IN_MASK_ADD", 0x2000_0000),
        ignored("IN_ISDIR", 0x4000_0000),
        taken("IN_ONESHOT", 0x8000_0000),
    ],
);

/// What is not to be done with a file in memory any more.
pub const SEALS: FlagSet = strict(
    "F_ADD_SEALS",
    &[
        taken("F_SEAL_SEAL", 1),
        taken("F_SEAL_SHRINK", 2),
        taken("F_SEAL_GROW", 4),
        taken("F_SEAL_WRITE", 8),
        taken("F_SEAL_FUTURE_WRITE", 0x10),
        taken("F_SEAL_EXEC", 0x20),
    ],
);

/// What `ioctl` does. Requests without a name are ENOTTY.
pub const IOCTL: FlagSet = choice(
    "ioctl",
    &[
        taken("TCGETS", 0x5401),
        taken("TCSETS", 0x5402),
        taken("TCSETSW", 0x5403),
        taken("TCSETSF", 0x5404),
        ignored("TCSBRK", 0x5409),
        taken("TCXONC", 0x540a),
        taken("TCFLSH", 0x540b),
        taken("TIOCEXCL", 0x540c),
        taken("TIOCNXCL", 0x540d),
        taken("TIOCSCTTY", 0x540e),
        taken("TIOCGPGRP", 0x540f),
        taken("TIOCSPGRP", 0x5410),
        taken("TIOCOUTQ", 0x5411),
        taken("TIOCSTI", 0x5412),
        taken("TIOCGWINSZ", 0x5413),
        taken("TIOCSWINSZ", 0x5414),
        taken("FIONREAD", 0x541b),
        declined("TIOCPKT", 0x5420),
        taken("FIONBIO", 0x5421),
        taken("TIOCNOTTY", 0x5422),
        ignored("TIOCSETD", 0x5423),
        ignored("TIOCGETD", 0x5424),
        ignored("TCSBRKP", 0x5425),
        taken("TIOCGSID", 0x5429),
        taken("TIOCGPTPEER", 0x5441),
        taken("FIONCLEX", 0x5450),
        taken("FIOCLEX", 0x5451),
        ignored("FIOASYNC", 0x5452),
        ignored("SIOCATMARK", 0x8905),
        taken("SIOCGIFNAME", 0x8910),
        taken("SIOCGIFCONF", 0x8912),
        taken("SIOCGIFFLAGS", 0x8913),
        taken("SIOCGIFADDR", 0x8915),
        taken("SIOCGIFDSTADDR", 0x8917),
        taken("SIOCGIFBRDADDR", 0x8919),
        taken("SIOCGIFNETMASK", 0x891b),
        ignored("SIOCGIFMETRIC", 0x891d),
        taken("SIOCGIFMTU", 0x8921),
        taken("SIOCGIFHWADDR", 0x8927),
        taken("SIOCGIFINDEX", 0x8933),
        taken("SIOCGIFTXQLEN", 0x8942),
        taken("SIOCGIFMAP", 0x8970),
        taken("TIOCSPTLCK", 0x4004_5431),
        taken("TIOCSIG", 0x4004_5436),
        taken("TCSETS2", 0x402c_542b),
        taken("TCSETSW2", 0x402c_542c),
        taken("TCSETSF2", 0x402c_542d),
        taken("TIOCGPTN", 0x8004_5430),
        taken("TIOCGDEV", 0x8004_5432),
        taken("TIOCGPTLCK", 0x8004_5439),
        taken("TIOCGEXCL", 0x8004_5440),
        taken("TCGETS2", 0x802c_542a),
    ],
);

/// Locks of whole files. What asks for a mandatory lock is done with nothing.
pub const FLOCK: FlagSet = strict(
    "flock",
    &[
        taken("LOCK_SH", 1),
        taken("LOCK_EX", 2),
        taken("LOCK_NB", 4),
        taken("LOCK_UN", 8),
        ignored("LOCK_MAND", 0x20),
        ignored("LOCK_READ", 0x40),
        ignored("LOCK_WRITE", 0x80),
    ],
);

/// Where `lseek` counts from.
pub const WHENCE: FlagSet = choice(
    "lseek",
    &[
        taken("SEEK_SET", 0),
        taken("SEEK_CUR", 1),
        taken("SEEK_END", 2),
        taken("SEEK_DATA", 3),
        taken("SEEK_HOLE", 4),
    ],
);

/// What becomes of a range of a file.
pub const FALLOCATE: FlagSet = FlagSet {
    // Bits without a name are for the call to judge: EOPNOTSUPP.
    choice_bits: 0xffff_ff80,
    choices: &[taken("FALLOC_FL_ALLOCATE_RANGE", 0)],
    ..strict(
        "fallocate",
        &[
            taken("FALLOC_FL_KEEP_SIZE", 1),
            taken("FALLOC_FL_PUNCH_HOLE", 2),
            declined("FALLOC_FL_NO_HIDE_STALE", 4),
            declined("FALLOC_FL_COLLAPSE_RANGE", 8),
            declined("FALLOC_FL_ZERO_RANGE", 0x10),
            declined("FALLOC_FL_INSERT_RANGE", 0x20),
            declined("FALLOC_FL_UNSHARE_RANGE", 0x40),
        ],
    )
};

/// `execveat`.
pub const EXECVE_AT: FlagSet =
    strict("execveat", &[refused("AT_SYMLINK_NOFOLLOW", 0x100), taken("AT_EMPTY_PATH", 0x1000)]);

/// What `access` asks for.
pub const ACCESS: FlagSet = FlagSet {
    choices: &[taken("F_OK", 0)],
    ..strict("access", &[taken("R_OK", 4), taken("W_OK", 2), taken("X_OK", 1)])
};

/// `faccessat2`.
pub const ACCESS_AT: FlagSet = strict(
    "faccessat2",
    &[taken("AT_SYMLINK_NOFOLLOW", 0x100), taken("AT_EACCESS", 0x200), taken("AT_EMPTY_PATH", 0x1000)],
);

/// `unlinkat`.
pub const UNLINK: FlagSet = strict("unlinkat", &[taken("AT_REMOVEDIR", 0x200)]);

/// `linkat`.
pub const LINK: FlagSet =
    strict("linkat", &[taken("AT_SYMLINK_FOLLOW", 0x400), taken("AT_EMPTY_PATH", 0x1000)]);

/// `renameat2`.
pub const RENAME: FlagSet = strict(
    "renameat2",
    &[taken("RENAME_NOREPLACE", 1), taken("RENAME_EXCHANGE", 2), refused("RENAME_WHITEOUT", 4)],
);

/// `fchownat` and `utimensat`.
pub const AT: FlagSet = strict("at", &[taken("AT_SYMLINK_NOFOLLOW", 0x100), taken("AT_EMPTY_PATH", 0x1000)]);

/// `newfstatat`.
pub const STAT: FlagSet = FlagSet {
    choice_bits: 0x6000,
    choices: &[ignored("AT_STATX_FORCE_SYNC", 0x2000), ignored("AT_STATX_DONT_SYNC", 0x4000)],
    ..strict(
        "stat",
        &[
            taken("AT_SYMLINK_NOFOLLOW", 0x100),
            ignored("AT_NO_AUTOMOUNT", 0x800),
            taken("AT_EMPTY_PATH", 0x1000),
        ],
    )
};

/// `statx`.
pub const STATX_AT: FlagSet = FlagSet {
    title: "flags of statx",
    choices: &[
        ignored("AT_STATX_SYNC_AS_STAT", 0),
        ignored("AT_STATX_FORCE_SYNC", 0x2000),
        ignored("AT_STATX_DONT_SYNC", 0x4000),
    ],
    ..STAT
};

/// What `statx` is asked for: Folio tells everything it knows.
pub const STATX: FlagSet = lenient(
    "statx",
    &[
        ignored("STATX_ALL", 0xfff),
        ignored("STATX_BASIC_STATS", 0x7ff),
        ignored("STATX_TYPE", 1),
        ignored("STATX_MODE", 2),
        ignored("STATX_NLINK", 4),
        ignored("STATX_UID", 8),
        ignored("STATX_GID", 0x10),
        ignored("STATX_ATIME", 0x20),
        ignored("STATX_MTIME", 0x40),
        ignored("STATX_CTIME", 0x80),
        ignored("STATX_INO", 0x100),
        ignored("STATX_SIZE", 0x200),
        ignored("STATX_BLOCKS", 0x400),
        ignored("STATX_BTIME", 0x800),
        ignored("STATX_MNT_ID", 0x1000),
        refused("STATX__RESERVED", 0x8000_0000),
    ],
);

const READ: Flag = taken("PROT_READ", 1);
const WRITE: Flag = taken("PROT_WRITE", 2);
const EXEC: Flag = taken("PROT_EXEC", 4);
const NO_ACCESS: &[Flag] = &[taken("PROT_NONE", 0)];

/// What may be done with new pages.
pub const MMAP_PROT: FlagSet =
    FlagSet { choices: NO_ACCESS, ..lenient("protection of mmap", &[READ, WRITE, EXEC]) };

/// What may be done with pages that are there.
pub const MPROTECT: FlagSet = FlagSet {
    choices: NO_ACCESS,
    ..strict(
        "protection of mprotect",
        &[
            READ,
            WRITE,
            EXEC,
            ignored("PROT_SEM", 8),
            taken("PROT_GROWSDOWN", 0x0100_0000),
            refused("PROT_GROWSUP", 0x0200_0000),
        ],
    )
};

/// How memory is mapped.
pub const MAP: FlagSet = FlagSet {
    choice_bits: 0xf,
    choices: &[
        taken("MAP_SHARED", 1),
        taken("MAP_PRIVATE", 2),
        taken("MAP_SHARED_VALIDATE", 3),
        declined("MAP_DROPPABLE", 8),
    ],
    ..lenient(
        "mmap",
        &[
            taken("MAP_FIXED", 0x10),
            taken("MAP_ANONYMOUS", 0x20),
            taken("MAP_GROWSDOWN", 0x100),
            ignored("MAP_DENYWRITE", 0x800),
            ignored("MAP_EXECUTABLE", 0x1000),
            taken("MAP_LOCKED", 0x2000),
            ignored("MAP_NORESERVE", 0x4000),
            taken("MAP_POPULATE", 0x8000),
            taken("MAP_NONBLOCK", 0x1_0000),
            ignored("MAP_STACK", 0x2_0000),
            declined("MAP_HUGETLB", 0x4_0000),
            ignored("MAP_SYNC", 0x8_0000),
            taken("MAP_FIXED_NOREPLACE", 0x10_0000),
        ],
    )
};

/// `setxattr`.
pub const XATTR: FlagSet = strict("setxattr", &[taken("XATTR_CREATE", 1), taken("XATTR_REPLACE", 2)]);

/// `mremap`.
pub const MREMAP: FlagSet = FlagSet {
    width_bits: 64,
    ..strict("mremap", &[taken("MREMAP_MAYMOVE", 1), taken("MREMAP_FIXED", 2), taken("MREMAP_DONTUNMAP", 4)])
};

/// `mlock2`.
pub const MLOCK: FlagSet = strict("mlock2", &[taken("MLOCK_ONFAULT", 1)]);

/// `mlockall`.
pub const MLOCKALL: FlagSet =
    strict("mlockall", &[taken("MCL_CURRENT", 1), taken("MCL_FUTURE", 2), taken("MCL_ONFAULT", 4)]);

/// What a program says of its memory.
pub const ADVICE: FlagSet = choice(
    "madvise",
    &[
        ignored("MADV_NORMAL", 0),
        ignored("MADV_RANDOM", 1),
        ignored("MADV_SEQUENTIAL", 2),
        taken("MADV_WILLNEED", 3),
        taken("MADV_DONTNEED", 4),
        taken("MADV_FREE", 8),
        taken("MADV_REMOVE", 9),
        taken("MADV_DONTFORK", 10),
        taken("MADV_DOFORK", 11),
        ignored("MADV_MERGEABLE", 12),
        ignored("MADV_UNMERGEABLE", 13),
        ignored("MADV_HUGEPAGE", 14),
        ignored("MADV_NOHUGEPAGE", 15),
        ignored("MADV_DONTDUMP", 16),
        ignored("MADV_DODUMP", 17),
        taken("MADV_WIPEONFORK", 18),
        taken("MADV_KEEPONFORK", 19),
        taken("MADV_COLD", 20),
        taken("MADV_PAGEOUT", 21),
        taken("MADV_POPULATE_READ", 22),
        taken("MADV_POPULATE_WRITE", 23),
        taken("MADV_DONTNEED_LOCKED", 24),
        ignored("MADV_COLLAPSE", 25),
    ],
);

/// `msync`.
pub const MSYNC: FlagSet =
    strict("msync", &[ignored("MS_ASYNC", 1), ignored("MS_INVALIDATE", 2), ignored("MS_SYNC", 4)]);

/// `umount2`.
pub const UMOUNT: FlagSet = strict(
    "umount2",
    &[
        ignored("MNT_FORCE", UMOUNT_FORCE as u64),
        taken("MNT_DETACH", UMOUNT_DETACH as u64),
        taken("MNT_EXPIRE", UMOUNT_EXPIRE as u64),
        taken("UMOUNT_NOFOLLOW", UMOUNT_NOFOLLOW as u64),
    ],
);
/// A symbolic link is not followed.
pub const UMOUNT_NOFOLLOW: u32 = 8;
/// As if nothing were in use: for file systems elsewhere.
pub const UMOUNT_FORCE: u32 = 1;
/// At once by name, and the rest when nobody uses it.
pub const UMOUNT_DETACH: u32 = 2;
/// Only if that has been asked for before.
pub const UMOUNT_EXPIRE: u32 = 4;

/// What `futex` does.
pub const FUTEX: FlagSet = FlagSet {
    choice_bits: 0xffff_fe7f,
    choices: &[
        taken("FUTEX_WAIT", 0),
        taken("FUTEX_WAKE", 1),
        taken("FUTEX_REQUEUE", 3),
        taken("FUTEX_CMP_REQUEUE", 4),
        taken("FUTEX_WAKE_OP", 5),
        declined("FUTEX_LOCK_PI", 6),
        declined("FUTEX_UNLOCK_PI", 7),
        declined("FUTEX_TRYLOCK_PI", 8),
        taken("FUTEX_WAIT_BITSET", 9),
        taken("FUTEX_WAKE_BITSET", 10),
        declined("FUTEX_WAIT_REQUEUE_PI", 11),
        declined("FUTEX_CMP_REQUEUE_PI", 12),
        declined("FUTEX_LOCK_PI2", 13),
    ],
    ..strict("futex", &[ignored("FUTEX_PRIVATE_FLAG", 0x80), taken("FUTEX_CLOCK_REALTIME", 0x100)])
};

/// Which waiters `futex` means.
pub const FUTEX_BITS: FlagSet = choice("bits of futex", &[taken("FUTEX_BITSET_MATCH_ANY", 0xffff_ffff)]);

/// What `rt_sigprocmask` does with its set.
pub const SIGMASK: FlagSet =
    choice("rt_sigprocmask", &[taken("SIG_BLOCK", 0), taken("SIG_UNBLOCK", 1), taken("SIG_SETMASK", 2)]);

/// Flags of a `struct sigaction`. Those without a name are kept, as Linux does.
pub const SIGACTION: FlagSet = lenient(
    "sa_flags",
    &[
        taken("SA_NOCLDSTOP", 1),
        taken("SA_NOCLDWAIT", 2),
        ignored("SA_SIGINFO", 4),
        taken("SA_ONSTACK", 0x0800_0000),
        taken("SA_RESTART", 0x1000_0000),
        taken("SA_NODEFER", 0x4000_0000),
        taken("SA_RESETHAND", 0x8000_0000),
    ],
);

/// Flags of a `stack_t`.
pub const SIGNAL_STACK: FlagSet = FlagSet {
    choice_bits: 0x7fff_ffff,
    choices: &[ignored("SS_ONSTACK", 1), taken("SS_DISABLE", 2)],
    ..lenient("ss_flags", &[taken("SS_AUTODISARM", 0x8000_0000)])
};

/// What `poll` waits for.
pub const POLL: FlagSet = lenient(
    "poll",
    &[
        taken("POLLIN", 1),
        ignored("POLLPRI", 2),
        taken("POLLOUT", 4),
        taken("POLLERR", 8),
        taken("POLLHUP", 0x10),
        taken("POLLNVAL", 0x20),
        ignored("POLLRDNORM", 0x40),
        ignored("POLLRDBAND", 0x80),
        ignored("POLLWRNORM", 0x100),
        ignored("POLLWRBAND", 0x200),
        ignored("POLLRDHUP", 0x2000),
    ],
);

/// Which clock.
pub const CLOCK: FlagSet = choice(
    "clock",
    &[
        taken("CLOCK_REALTIME", 0),
        taken("CLOCK_MONOTONIC", 1),
        taken("CLOCK_PROCESS_CPUTIME_ID", 2),
        taken("CLOCK_THREAD_CPUTIME_ID", 3),
        taken("CLOCK_MONOTONIC_RAW", 4),
        taken("CLOCK_REALTIME_COARSE", 5),
        taken("CLOCK_MONOTONIC_COARSE", 6),
        taken("CLOCK_BOOTTIME", 7),
        declined("CLOCK_REALTIME_ALARM", 8),
        declined("CLOCK_BOOTTIME_ALARM", 9),
        taken("CLOCK_TAI", 11),
    ],
);

/// Which clock can be set.
pub const SET_CLOCK: FlagSet = choice(
    "clock of clock_settime",
    &[
        taken("CLOCK_REALTIME", 0),
        declined("CLOCK_MONOTONIC", 1),
        declined("CLOCK_PROCESS_CPUTIME_ID", 2),
        declined("CLOCK_THREAD_CPUTIME_ID", 3),
        declined("CLOCK_BOOTTIME", 7),
    ],
);

/// By which clock a program sleeps. By the one that counts its own time it sleeps as by `CLOCK_MONOTONIC`.
pub const SLEEP_CLOCK: FlagSet = choice(
    "clock of clock_nanosleep",
    &[
        taken("CLOCK_REALTIME", 0),
        taken("CLOCK_MONOTONIC", 1),
        ignored("CLOCK_PROCESS_CPUTIME_ID", 2),
        declined("CLOCK_THREAD_CPUTIME_ID", 3),
        declined("CLOCK_MONOTONIC_RAW", 4),
        declined("CLOCK_REALTIME_COARSE", 5),
        declined("CLOCK_MONOTONIC_COARSE", 6),
        taken("CLOCK_BOOTTIME", 7),
        declined("CLOCK_REALTIME_ALARM", 8),
        declined("CLOCK_BOOTTIME_ALARM", 9),
        taken("CLOCK_TAI", 11),
    ],
);

/// `clock_nanosleep`.
pub const SLEEP: FlagSet = lenient("clock_nanosleep", &[taken("TIMER_ABSTIME", 1)]);

/// Which timer.
pub const ITIMER: FlagSet =
    choice("itimer", &[taken("ITIMER_REAL", 0), taken("ITIMER_VIRTUAL", 1), taken("ITIMER_PROF", 2)]);

/// `getrandom`: there is no other source, and it never waits.
pub const RANDOM: FlagSet = strict(
    "getrandom",
    &[ignored("GRND_NONBLOCK", 1), ignored("GRND_RANDOM", 2), ignored("GRND_INSECURE", 4)],
);

/// What `prctl` does.
pub const PRCTL: FlagSet = choice(
    "prctl",
    &[
        taken("PR_SET_PDEATHSIG", 1),
        taken("PR_GET_PDEATHSIG", 2),
        taken("PR_GET_DUMPABLE", 3),
        taken("PR_SET_DUMPABLE", 4),
        taken("PR_GET_KEEPCAPS", 7),
        taken("PR_SET_KEEPCAPS", 8),
        ignored("PR_GET_TIMING", 13),
        ignored("PR_SET_TIMING", 14),
        taken("PR_SET_NAME", 15),
        taken("PR_GET_NAME", 16),
        ignored("PR_GET_SECCOMP", 21),
        taken("PR_CAPBSET_READ", 23),
        taken("PR_CAPBSET_DROP", 24),
        taken("PR_GET_SECUREBITS", 27),
        taken("PR_SET_TIMERSLACK", 29),
        taken("PR_GET_TIMERSLACK", 30),
        ignored("PR_TASK_PERF_EVENTS_DISABLE", 31),
        ignored("PR_TASK_PERF_EVENTS_ENABLE", 32),
        ignored("PR_MCE_KILL_GET", 34),
        taken("PR_SET_CHILD_SUBREAPER", 36),
        taken("PR_GET_CHILD_SUBREAPER", 37),
        taken("PR_SET_NO_NEW_PRIVS", 38),
        taken("PR_GET_NO_NEW_PRIVS", 39),
        taken("PR_GET_TID_ADDRESS", 40),
        taken("PR_SET_THP_DISABLE", 41),
        taken("PR_GET_THP_DISABLE", 42),
        taken("PR_CAP_AMBIENT", 47),
        taken("PR_GET_AUXV", 0x4155_5856),
    ],
);

/// Whether others of the same user may look into a process.
pub const DUMPABLE: FlagSet =
    choice("dumpable", &[taken("SUID_DUMP_DISABLE", 0), taken("SUID_DUMP_USER", 1)]);

/// What is limited. Those that are ignored are only remembered.
pub const RLIMIT: FlagSet = choice(
    "rlimit",
    &[
        taken("RLIMIT_CPU", 0),
        taken("RLIMIT_FSIZE", 1),
        ignored("RLIMIT_DATA", 2),
        taken("RLIMIT_STACK", 3),
        taken("RLIMIT_CORE", 4),
        taken("RLIMIT_RSS", 5),
        taken("RLIMIT_NPROC", 6),
        taken("RLIMIT_NOFILE", 7),
        taken("RLIMIT_MEMLOCK", 8),
        taken("RLIMIT_AS", 9),
        ignored("RLIMIT_LOCKS", 10),
        taken("RLIMIT_SIGPENDING", 11),
        ignored("RLIMIT_MSGQUEUE", 12),
        taken("RLIMIT_NICE", 13),
        ignored("RLIMIT_RTPRIO", 14),
        ignored("RLIMIT_RTTIME", 15),
    ],
);

/// Whose usage.
pub const RUSAGE: FlagSet = choice(
    "getrusage",
    &[taken("RUSAGE_SELF", 0), taken("RUSAGE_CHILDREN", 0xffff_ffff), taken("RUSAGE_THREAD", 1)],
);

/// Whose priority.
pub const PRIORITY: FlagSet =
    choice("priority", &[taken("PRIO_PROCESS", 0), taken("PRIO_PGRP", 1), taken("PRIO_USER", 2)]);

/// Whose place in line for the disk.
pub const IO_PRIORITY: FlagSet = choice(
    "ioprio",
    &[taken("IOPRIO_WHO_PROCESS", 1), taken("IOPRIO_WHO_PGRP", 2), taken("IOPRIO_WHO_USER", 3)],
);

/// How a thread is scheduled.
pub const SCHEDULER: FlagSet = FlagSet {
    choice_bits: 0xbfff_ffff,
    choices: &[
        taken("SCHED_NORMAL", 0),
        taken("SCHED_FIFO", 1),
        taken("SCHED_RR", 2),
        taken("SCHED_BATCH", 3),
        taken("SCHED_IDLE", 5),
        declined("SCHED_DEADLINE", 6),
        declined("SCHED_EXT", 7),
    ],
    ..strict("sched_setscheduler", &[taken("SCHED_RESET_ON_FORK", 0x4000_0000)])
};

/// What kind of file system `statfs` tells of: the numbers of those that there are.
pub const FILE_SYSTEM: FlagSet = FlagSet {
    width_bits: 64,
    ..choice(
        "file system",
        &[
            taken("EXT2_SUPER_MAGIC", 0xef53),
            taken("TMPFS_MAGIC", 0x0102_1994),
            taken("PROC_SUPER_MAGIC", 0x9fa0),
            taken("PIPEFS_MAGIC", 0x5049_5045),
            taken("DEVPTS_SUPER_MAGIC", 0x1cd1),
            taken("SYSFS_MAGIC", 0x6265_6572),
        ],
    )
};

/// How `statfs` says that it is mounted.
pub const MOUNT: FlagSet = lenient(
    "mount",
    &[
        taken("ST_RDONLY", 1),
        ignored("ST_NOSUID", 2),
        ignored("ST_NODEV", 4),
        ignored("ST_NOEXEC", 8),
        taken("ST_VALID", 0x20),
        ignored("ST_NOATIME", 0x400),
        ignored("ST_NODIRATIME", 0x800),
        ignored("ST_RELATIME", 0x1000),
    ],
);

/// `riscv_flush_icache`: there is one hart.
pub const ICACHE: FlagSet =
    FlagSet { width_bits: 64, ..strict("riscv_flush_icache", &[ignored("SYS_RISCV_FLUSH_ICACHE_LOCAL", 1)]) };
