//! File systems of the guest OS: VFS, ext4, tmpfs, devices, `/proc`, pipes, open files.
//!
//! Everything here is plain data and pure decisions. Nothing sleeps, wakes or touches hardware: the kernel owns a
//! [`Vfs`] and an [`OpenFiles`] table, calls them under its own locks, and does the waiting. The device reads
//! through [`BlockDevice`], the contents of tmpfs's files through [`FileMemory`], and what `/proc` tells through [`ProcInfo`]
//! are the kernel's.
//!
//! - [`Vfs`]: path resolution, `open`, directories, metadata, mounts.
//! - [`Inode`]: a handle on one file of one file system; keeps an unlinked tmpfs file alive.
//! - [`OpenFiles`]: open-file descriptions, shared after `fork` and `dup`, and the pipes among them.
//! - [`PageSource`]: where a page of a file lies, so that the page cache reads file data by itself.
//! - [`Errno`]: what a call fails with (it is `abi`'s).
#![no_std]
#![forbid(unsafe_code)]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod anonymous;
mod devfs;
mod device;
mod dirent;
mod ext4;
mod flags;
mod inode;
mod locks;
mod loops;
mod open_file;
mod overlay;
mod permission;
mod pipe;
mod proc_info;
mod procfs;
mod ready;
mod seals;
mod settings;
mod socket;
mod stat;
mod store;
mod terminal;
#[cfg(test)]
mod tests;
mod text;
mod tmpfs;
mod vfs;
mod xattr;

pub use abi::Errno;
pub use anonymous::{
    Anonymous, AnonymousId, Due, EventCounter, Happening, IfWatched, Inotify, Interest, Notice, Timer,
};
pub use device::{Device, RandomSource};
pub use dirent::{DirEntry, DirentWriter};
pub use ext4::Ext4;
pub use flags::{OpenFlags, Readiness};
pub use inode::{FileId, FileSystemId, FileType, FileUse, Inode, Location, name_of_now};
pub use locks::{FileLock, FileLocks, Holder, LAST_BYTE, LockKind, Lockable};
pub use loops::{Attached, LOOP_DEVICES, LOOP_NAME_BYTES, LoopDevice, Loops};
pub use open_file::{MemoryView, Object, OpenFile, OpenFileId, OpenFiles, Whence};
pub use permission::Identity;
pub use pipe::{Opened as PipeOpened, PIPE_BUF, PIPE_CAPACITY, Pipe, PipeEnd, PipeId, PipeOutcome};
pub use proc_info::{
    DescriptorInfo, MapFlags, MapInfo, MapUse, ProcInfo, ProcessInfo, SegmentInfo, SwapInfo, SystemInfo,
    SystemName, Transfers,
};
pub use procfs::{RELEASE, RELEASE_AS_2_6, VERSION};
pub use ready::{Changes, Edges, Hold, Source, Surroundings, Waits};
pub use seals::Seals;
pub use settings::{Setting, Settings};
pub use socket::{
    ADDRESS_MAX, Address, Congestion, Direction, Endpoint, Family, Ip, Linger, Message, NetlinkName, Options,
    PacketHeader, PacketTold, RIGHTS_MAX, Sender, SocketId, SocketKind, Sockets, Target, Wanted, kind_of,
    loopback,
};
pub use stat::{Stat, StatFs, Timestamp};
pub use store::{BlockDevice, DeviceError, DeviceRange, FileMemory, MEMORY_STEP, PageSource};
pub use terminal::{
    Console, Discipline, Next, Reading, Screen, Signals, Special, Terminal, TerminalEnd, TerminalId,
    Terminals, Termios, WindowSize,
};
pub use text::{Text, try_to_vec};
pub use vfs::{LastLink, MountFlags, MountRequest, Opened, RenameAs, Resolved, Vfs};
pub use xattr::{SetAs, VALUE_MAX as ATTRIBUTE_MAX};
