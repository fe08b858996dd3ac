//! The sets of flags of calls that make children, wait for them, and take apart what is shared.

use super::{choice, lenient, strict};
use crate::flags::{FlagSet, declined, ignored, taken};

/// What a child shares with its parent. The low eight bits are the signal that tells of its end.
pub const CLONE: FlagSet = FlagSet {
    choice_bits: 0xff,
    choices: &[taken("SIGCHLD", 17)],
    ..lenient(
        "clone",
        &[
            taken("CLONE_VM", 0x100),
            taken("CLONE_FS", 0x200),
            taken("CLONE_FILES", 0x400),
            taken("CLONE_SIGHAND", 0x800),
            taken("CLONE_PIDFD", 0x1000),
            ignored("CLONE_PTRACE", 0x2000),
            taken("CLONE_VFORK", 0x4000),
            taken("CLONE_PARENT", 0x8000),
            taken("CLONE_THREAD", 0x1_0000),
            declined("CLONE_NEWNS", 0x2_0000),
            ignored("CLONE_SYSVSEM", 0x4_0000),
            taken("CLONE_SETTLS", 0x8_0000),
            taken("CLONE_PARENT_SETTID", 0x10_0000),
            taken("CLONE_CHILD_CLEARTID", 0x20_0000),
            ignored("CLONE_DETACHED", 0x40_0000),
            ignored("CLONE_UNTRACED", 0x80_0000),
            taken("CLONE_CHILD_SETTID", 0x100_0000),
            declined("CLONE_NEWCGROUP", 0x200_0000),
            declined("CLONE_NEWUTS", 0x400_0000),
            declined("CLONE_NEWIPC", 0x800_0000),
            declined("CLONE_NEWUSER", 0x1000_0000),
            declined("CLONE_NEWPID", 0x2000_0000),
            declined("CLONE_NEWNET", 0x4000_0000),
            ignored("CLONE_IO", 0x8000_0000),
        ],
    )
};

/// The namespaces that `unshare` is asked for.
pub const UNSHARE_NAMESPACES: u64 = 0x7e02_0080;
/// What `unshare` makes a process's own.
pub const UNSHARE: FlagSet = strict(
    "unshare",
    &[
        declined("CLONE_NEWTIME", 0x80),
        ignored("CLONE_VM", 0x100),
        ignored("CLONE_FS", 0x200),
        taken("CLONE_FILES", 0x400),
        ignored("CLONE_SIGHAND", 0x800),
        ignored("CLONE_THREAD", 0x1_0000),
        declined("CLONE_NEWNS", 0x2_0000),
        ignored("CLONE_SYSVSEM", 0x4_0000),
        declined("CLONE_NEWCGROUP", 0x200_0000),
        declined("CLONE_NEWUTS", 0x400_0000),
        declined("CLONE_NEWIPC", 0x800_0000),
        declined("CLONE_NEWUSER", 0x1000_0000),
        declined("CLONE_NEWPID", 0x2000_0000),
        declined("CLONE_NEWNET", 0x4000_0000),
    ],
);

/// What `clone3` can be asked for beside that, in its structure.
pub const CLONE_ARGS: FlagSet = FlagSet {
    width_bits: 64,
    ..strict(
        "struct clone_args",
        &[taken("CLONE_CLEAR_SIGHAND", 1 << 32), declined("CLONE_INTO_CGROUP", 1 << 33)],
    )
};

/// Which changes of a child `wait4` tells.
pub const WAIT: FlagSet = strict(
    "wait4",
    &[
        taken("WNOHANG", 1),
        taken("WUNTRACED", 2),
        taken("WCONTINUED", 8),
        ignored("__WNOTHREAD", 0x2000_0000),
        taken("__WALL", 0x4000_0000),
        taken("__WCLONE", 0x8000_0000),
    ],
);

/// Which changes of a child `waitid` tells, and whether it leaves them to be told again.
pub const WAITID: FlagSet = strict(
    "waitid",
    &[
        taken("WNOHANG", 1),
        taken("WSTOPPED", 2),
        taken("WEXITED", 4),
        taken("WCONTINUED", 8),
        taken("WNOWAIT", 0x0100_0000),
        ignored("__WNOTHREAD", 0x2000_0000),
        taken("__WALL", 0x4000_0000),
        taken("__WCLONE", 0x8000_0000),
    ],
);

/// Which children `waitid` waits for.
pub const WAIT_KIND: FlagSet = choice(
    "kind of waitid",
    &[taken("P_ALL", 0), taken("P_PID", 1), taken("P_PGID", 2), taken("P_PIDFD", 3)],
);
