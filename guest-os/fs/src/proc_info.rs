//! What `/proc` (and the clock of tmpfs) asks the kernel.

use crate::{Errno, FileId, Identity, Location, Setting, Text, Timestamp};
use abi::CapSet;
use alloc::vec::Vec;

/// A segment of System V shared memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct SegmentInfo {
    /// Its key.
    pub key: i32,
    /// Its number.
    pub id: u32,
    /// Its mode, SHM_DEST and SHM_LOCKED included.
    pub mode: u32,
    /// Its length.
    pub len_bytes: u64,
    /// Who has made it.
    pub maker_pid: u32,
    /// Who has attached or detached it last.
    pub last_pid: u32,
    /// Mappings that show it.
    pub uses: u64,
    /// User and group that own it, and that have made it.
    pub owner: [u32; 4],
    /// When it was last attached, detached and changed, in seconds since the epoch.
    pub times: [i64; 3],
    /// Its pages in memory.
    pub resident_pages: u64,
}

/// What the system is called (uname(2)).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SystemName {
    /// Among others in a network.
    Host,
    /// Where the others are.
    Domain,
}

/// An open file by its descriptor.
#[derive(Clone, Copy, Debug)]
pub struct DescriptorInfo {
    /// Where the next `read` or `write` starts.
    pub offset: u64,
    /// How it is open, O_CLOEXEC included.
    pub flags: u32,
    /// The file, if a file system has it.
    pub file: Option<FileId>,
}

/// The kernel's answers for `/proc`. Called while the VFS is locked: the answers must not need the VFS.
/// Lists are visited, not returned, since programs decide how long they are.
pub trait ProcInfo: Send {
    /// The wall clock, for time stamps.
    fn now(&self) -> Timestamp;
    /// The process that is running, for `/proc/self`.
    fn current(&self) -> u32;
    /// As whom the running process uses files, or, for `access`, by whom it was started.
    fn identity(&self, by_real_ids: bool) -> Identity;
    /// What it may do with files whatever their modes say: cheaper to say.
    fn capabilities(&self, by_real_ids: bool) -> CapSet {
        self.identity(by_real_ids).capabilities
    }
    /// Whether the running process may look into another one (ptrace(2), "Ptrace access mode checking").
    fn may_inspect(&self, pid: u32) -> bool;
    /// Visits all processes, ascending, until `visit` says stop (false).
    fn each_process(&self, visit: &mut dyn FnMut(u32) -> bool);
    /// Visits the threads of a process, ascending, until `visit` says stop (false).
    fn each_thread(&self, pid: u32, visit: &mut dyn FnMut(u32) -> bool);
    /// The numbers of a process, or of a thread that is not its process's first; `None` when it does not exist.
    fn process(&self, pid: u32) -> Option<ProcessInfo>;
    /// Gives a thread of the running process another name. EINVAL of another's.
    fn set_comm(&self, tid: u32, name: &[u8]) -> Result<(), Errno>;
    /// Says how much rather than others a process is killed. EACCES if only root may.
    fn set_oom_score_adj(&self, pid: u32, value: i16) -> Result<(), Errno>;
    /// A setting of the kernel.
    fn setting(&self, setting: Setting) -> u64;
    /// Changes it. EINVAL out of its range.
    fn set_setting(&self, setting: Setting, value: u64) -> Result<(), Errno>;
    /// Visits the segments of shared memory.
    fn each_segment(&self, visit: &mut dyn FnMut(&SegmentInfo) -> Result<(), Errno>) -> Result<(), Errno>;
    /// The first pseudo-terminal whose number is no less, and its owner.
    fn next_terminal(&self, from: u32) -> Option<(u32, u32)>;
    /// Open files of all processes.
    fn open_files(&self) -> usize;
    /// Writes its arguments, each ended by a NUL.
    fn cmdline(&self, pid: u32, out: &mut Text) -> Result<(), Errno>;
    /// Writes its environment at exec, each entry ended by a NUL.
    fn environ(&self, pid: u32, out: &mut Text) -> Result<(), Errno>;
    /// Writes its auxiliary vector, as its stack had it at exec.
    fn auxv(&self, pid: u32, out: &mut Text) -> Result<(), Errno>;
    /// What it has read and written.
    fn transfers(&self, pid: u32) -> Transfers;
    /// The absolute path of its executable; ENOENT for a zombie.
    fn exe(&self, pid: u32) -> Result<Vec<u8>, Errno>;
    /// The absolute path of its current directory; ENOENT for a zombie.
    fn cwd(&self, pid: u32) -> Result<Vec<u8>, Errno>;
    /// Visits its mappings, ascending, until one fails.
    fn each_map(
        &self,
        pid: u32,
        visit: &mut dyn FnMut(&MapInfo<'_>) -> Result<(), Errno>,
    ) -> Result<(), Errno>;
    /// As [`ProcInfo::each_map`], with what is in memory of each.
    fn each_map_use(
        &self,
        pid: u32,
        visit: &mut dyn FnMut(&MapInfo<'_>, &MapUse) -> Result<(), Errno>,
    ) -> Result<(), Errno>;
    /// Its resource limits, soft and hard, by their numbers; none of a process that is no more.
    fn limits(&self, pid: u32) -> Option<[(u64, u64); 16]>;
    /// Visits its descriptors, ascending, until `visit` says stop (false).
    fn each_descriptor(&self, pid: u32, visit: &mut dyn FnMut(u32) -> bool);
    /// What `readlink` says of a descriptor: a path, `pipe:[7]`, …. ENOENT when it is not open.
    fn descriptor(&self, pid: u32, descriptor: u32) -> Result<Vec<u8>, Errno>;
    /// What `fdinfo` says of a descriptor; `None` when it is not open.
    fn descriptor_info(&self, pid: u32, descriptor: u32) -> Option<DescriptorInfo>;
    /// What else `fdinfo` says of it, by what it is.
    fn describe_descriptor(&self, pid: u32, descriptor: u32, out: &mut Text) -> Result<(), Errno>;
    /// What the system is called.
    fn system_name(&self, which: SystemName) -> Vec<u8>;
    /// The file behind a descriptor of the running process; `None` where it is no file of a file system.
    fn location(&self, descriptor: u32) -> Option<Location>;
    /// The system's numbers.
    fn system(&self) -> SystemInfo;
    /// The page faults of all processes since boot, those that have ended too, and how many of them waited for a device.
    fn faults(&self) -> (u64, u64);
}

/// A process in numbers.
#[derive(Clone, Debug, Default)]
pub struct ProcessInfo {
    /// Name of the program, at most 15 bytes.
    pub comm: Vec<u8>,
    /// `b'R'`, `b'S'`, `b'D'`, `b'T'` or `b'Z'`.
    pub state: u8,
    /// The process, whether asked for by its number or by a thread's.
    pub tgid: u32,
    /// Parent.
    pub ppid: u32,
    /// Process group.
    pub pgid: u32,
    /// Session.
    pub sid: u32,
    /// Its controlling terminal, by the number of its device, and the group in the foreground of that.
    pub terminal: Option<(u64, Option<u32>)>,
    /// Threads.
    pub threads: u32,
    /// Faults that needed no device read.
    pub minor_faults: u64,
    /// Faults that waited for a device read.
    pub major_faults: u64,
    /// Time in user mode, in hundredths of a second.
    pub user_ticks: u64,
    /// Time in the kernel, in hundredths of a second.
    pub system_ticks: u64,
    /// When it started, in hundredths of a second since boot.
    pub start_ticks: u64,
    /// Size of the address space in pages.
    pub virtual_pages: u64,
    /// The largest size that it ever had.
    pub peak_virtual_pages: u64,
    /// Of its pages, locked.
    pub locked_pages: u64,
    /// Frames mapped, but for the page of zeros.
    pub resident_pages: u64,
    /// The most frames that were ever mapped at once.
    pub peak_resident_pages: u64,
    /// Of its private pages, those in swap space.
    pub swapped_pages: u64,
    /// The user's ids: real, effective, saved, for files.
    pub users: [u32; 4],
    /// The group's.
    pub groups: [u32; 4],
    /// Others of its user may look into it.
    pub is_dumpable: bool,
    /// It gains nothing by executing a program (`PR_SET_NO_NEW_PRIVS`).
    pub gains_nothing: bool,
    /// How much rather than others it is killed when memory runs out, from -1000 (never) to 1000.
    pub oom_score_adj: i16,
    /// Its sets of capabilities: inheritable, permitted, effective, bounding, ambient.
    pub capabilities: [CapSet; 5],
    /// How nice it is, -20 to 19.
    pub nice: i32,
    /// The mask of file modes.
    pub umask: u32,
    /// Pages of its private VMAs that it may write, but for the stack's.
    pub data_pages: u64,
    /// Pages of its stack VMAs.
    pub stack_pages: u64,
    /// Pages of its VMAs that it may execute and not write.
    pub text_pages: u64,
    /// First address of the stack at exec.
    pub start_stack: u64,
    /// Signals blocked, ignored and caught, as bit sets.
    pub signals_blocked: u64,
    /// See `signals_blocked`.
    pub signals_ignored: u64,
    /// See `signals_blocked`.
    pub signals_caught: u64,
    /// Signals pending for the thread alone.
    pub signals_pending: u64,
    /// Signals pending for the whole process.
    pub signals_pending_shared: u64,
}

bitflags::bitflags! {
    /// What a mapping is beside its protection.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct MapFlags: u8 {
        /// It never becomes writable.
        const NEVER_WRITABLE = 1;
        /// A stack.
        const GROWS_DOWN = 2;
        /// Its pages stay in memory.
        const LOCKED = 4;
        /// They stay once they are there.
        const LOCKED_ON_FAULT = 8;
        /// A child of `fork` has it not.
        const DONT_FORK = 16;
        /// A child of `fork` finds zeros there.
        const WIPE_ON_FORK = 32;
    }
}

/// One mapping, a line of `/proc/PID/maps`.
#[derive(Clone, Debug, Default)]
pub struct MapInfo<'a> {
    /// First address.
    pub start: u64,
    /// First address after it.
    pub end: u64,
    /// May be read.
    pub readable: bool,
    /// May be written.
    pub writable: bool,
    /// May be executed.
    pub executable: bool,
    /// Writes are shared.
    pub shared: bool,
    /// What else it is.
    pub flags: MapFlags,
    /// Offset in the file.
    pub offset: u64,
    /// The file.
    pub file: Option<FileId>,
    /// Its path, or `[heap]`, `[stack]`, or nothing.
    pub name: &'a [u8],
    /// The file has lost that name, and has no other.
    pub is_deleted: bool,
}

/// What a process has read and written (proc_pid_io(5)).
#[derive(Clone, Copy, Default, Debug)]
pub struct Transfers {
    /// Bytes that calls have read, wherever from.
    pub bytes_read: u64,
    /// Bytes that calls have written.
    pub bytes_written: u64,
    /// Such calls that read.
    pub reads: u64,
    /// Such calls that wrote.
    pub writes: u64,
    /// Bytes that had to come from the disk.
    pub bytes_from_disk: u64,
}

/// What is in memory of a mapping, in pages.
#[derive(Clone, Copy, Default, Debug)]
pub struct MapUse {
    /// Mapped here and elsewhere, and not changed.
    pub shared_clean: u64,
    /// Mapped here and elsewhere, and changed.
    pub shared_dirty: u64,
    /// Mapped here only, and not changed.
    pub private_clean: u64,
    /// Mapped here only, and changed.
    pub private_dirty: u64,
    /// Its share of what is mapped: in bytes, as pages are divided by those who map them.
    pub share_bytes: u64,
    /// Pages that were used.
    pub referenced: u64,
    /// Pages that are no file's.
    pub anonymous: u64,
    /// Pages that may go without being written (MADV_FREE).
    pub given_up: u64,
    /// Pages of files on the disk.
    pub file: u64,
    /// Pages of files in memory.
    pub memory_file: u64,
    /// Pages in swap space.
    pub swapped: u64,
    /// Its share of those that are private memory: in bytes, as slots are divided by those who name them.
    pub swapped_share_bytes: u64,
}

impl MapUse {
    /// All that is mapped.
    pub fn resident(&self) -> u64 {
        self.shared_clean + self.shared_dirty + self.private_clean + self.private_dirty
    }
}

/// Swap space. Sizes are in pages of 4 KiB.
#[derive(Clone, Debug, Default)]
pub struct SwapInfo {
    /// The disk that it is on, by its name in `/dev`.
    pub disk: &'static str,
    /// All of it.
    pub total_pages: u64,
    /// In use.
    pub used_pages: u64,
    /// In use, and in memory, too.
    pub cached_pages: u64,
    /// Read since boot.
    pub pages_in: u64,
    /// Written since boot.
    pub pages_out: u64,
}

/// The system in numbers. Sizes are in pages of 4 KiB.
#[derive(Clone, Debug, Default)]
pub struct SystemInfo {
    /// All frames.
    pub total_pages: u64,
    /// Free frames.
    pub free_pages: u64,
    /// Frames of the page cache.
    pub cached_pages: u64,
    /// Anonymous frames mapped.
    pub anonymous_pages: u64,
    /// Frames of tmpfs.
    pub shared_memory_pages: u64,
    /// Frames that hold page tables.
    pub page_table_pages: u64,
    /// What programs are promised all in all where that is limited (`vm.overcommit_memory` 2).
    pub commit_limit_pages: u64,
    /// What they have been promised.
    pub committed_pages: u64,
    /// Swap space.
    pub swap: Option<SwapInfo>,
    /// Harts.
    pub harts: u32,
    /// Hundredths of a second since boot.
    pub uptime_ticks: u64,
    /// Of these, in user mode.
    pub user_ticks: u64,
    /// Of these, in the kernel.
    pub system_ticks: u64,
    /// Of these, idle.
    pub idle_ticks: u64,
    /// Seconds since the epoch at boot.
    pub boot_seconds: i64,
    /// Context switches since boot.
    pub context_switches: u64,
    /// Interrupts since boot.
    pub interrupts: u64,
    /// Processes made since boot.
    pub forks: u64,
    /// Processes that can run.
    pub running: u32,
    /// Processes that wait for a device.
    pub blocked: u32,
}
