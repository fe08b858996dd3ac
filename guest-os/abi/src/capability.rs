//! Capabilities: parts of what root may do (capabilities(7)).

use bitflags::bitflags;

bitflags! {
    /// A set of capabilities, by Linux's numbers.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct CapSet: u64 {
        /// Give files to others.
        const CHOWN = 1 << 0;
        /// Use files whatever their modes say.
        const DAC_OVERRIDE = 1 << 1;
        /// Read files and search directories whatever their modes say.
        const DAC_READ_SEARCH = 1 << 2;
        /// Do with files what their owners may.
        const FOWNER = 1 << 3;
        /// Change files that act as their owner or group, and leave them so.
        const FSETID = 1 << 4;
        /// Send signals to anyone.
        const KILL = 1 << 5;
        /// Become any group.
        const SETGID = 1 << 6;
        /// Become any user.
        const SETUID = 1 << 7;
        /// Change sets of capabilities.
        const SETPCAP = 1 << 8;
        /// Use the ports that are kept for services.
        const NET_BIND_SERVICE = 1 << 10;
        /// Whatever an administrator of networks does.
        const NET_ADMIN = 1 << 12;
        /// Bind sockets to other devices than they are bound to.
        const NET_RAW = 1 << 13;
        /// Lock as much memory as one likes.
        const IPC_LOCK = 1 << 14;
        /// Use shared memory, semaphores and queues of others.
        const IPC_OWNER = 1 << 15;
        /// Look into other processes.
        const SYS_PTRACE = 1 << 19;
        /// Whatever an administrator does.
        const SYS_ADMIN = 1 << 21;
        /// Be nicer to oneself than to others.
        const SYS_NICE = 1 << 23;
        /// Use another root.
        const SYS_CHROOT = 1 << 18;
        /// Set the clock.
        const SYS_TIME = 1 << 25;
        /// Go past limits.
        const SYS_RESOURCE = 1 << 24;
        /// Make devices.
        const MKNOD = 1 << 27;
        /// Say which process has which number.
        const CHECKPOINT_RESTORE = 1 << 40;
        /// Those that `setfsuid` turns off and on.
        const FS = Self::CHOWN.bits() | Self::DAC_OVERRIDE.bits() | Self::DAC_READ_SEARCH.bits() | Self::FOWNER.bits()
            | Self::FSETID.bits() | 1 << 9 | Self::MKNOD.bits() | 1 << 32;
        /// All that Linux knows: CAP_CHOWN to CAP_CHECKPOINT_RESTORE.
        const ALL = (1 << Self::COUNT) - 1;
    }
}

impl CapSet {
    /// How many capabilities there are.
    pub const COUNT: u32 = 41;

    /// The set with this capability alone; `None` if there is none with this number.
    pub fn with_number(number: u64) -> Option<CapSet> {
        (number < u64::from(Self::COUNT)).then(|| Self::from_bits_retain(1 << number))
    }
}
