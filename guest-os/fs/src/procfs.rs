//! procfs: the names below `/proc`. What the files say is written in [`text`].
//!
//! An inode number is (process, node, descriptor or thread): see [`Node`]. Process 0 stands for the system.

mod config;
mod text;

use crate::settings::{ROWS, Row};
use crate::vfs::Mounts;
use crate::{DirEntry, Errno, FileType, MemoryView, ProcInfo, Setting, Stat, StatFs, Text};
use alloc::string::ToString;
use alloc::vec::Vec;
pub(crate) use text::mount_number;
pub use text::{RELEASE, RELEASE_AS_2_6, VERSION};

/// A file below `/proc`, packed into an inode number as `pid << 32 | (number + 1) << 8 | name`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Node {
    /// 0: not of a process.
    pid: u32,
    /// An index into [`NAMES`].
    name: u8,
    /// The descriptor below `fd` and `fdinfo`, the thread below `task`.
    number: Option<u32>,
}

/// What a name is.
#[derive(Clone, Copy)]
enum Kind {
    /// With names from this table; `/proc`, `fd`, `fdinfo` and `task` hold numbers as well.
    Directory,
    Text(text::Writer),
    /// What is mounted.
    Mounts(text::MountsWriter),
    /// A text that its process may replace.
    Written(text::Writer, text::Taker),
    /// A number of the kernel's.
    Setting(Setting),
    /// The memory of a process, which the kernel reads itself.
    Memory(MemoryView),
    Link,
}

#[derive(Clone, Copy)]
struct Name {
    parent: u8,
    name: &'static str,
    kind: Kind,
    permissions: u32,
    /// Only for who may look into the process.
    is_inner: bool,
}

const fn dir(parent: u8, name: &'static str) -> Name {
    Name { parent, name, kind: Kind::Directory, permissions: 0o555, is_inner: false }
}
const fn link(parent: u8, name: &'static str) -> Name {
    Name { parent, name, kind: Kind::Link, permissions: 0o777, is_inner: false }
}
const fn text(parent: u8, name: &'static str, writer: text::Writer) -> Name {
    Name { parent, name, kind: Kind::Text(writer), permissions: 0o444, is_inner: false }
}
const fn mounts(parent: u8, name: &'static str, writer: text::MountsWriter) -> Name {
    Name { parent, name, kind: Kind::Mounts(writer), permissions: 0o444, is_inner: false }
}
const fn written(parent: u8, name: &'static str, writer: text::Writer, taker: text::Taker) -> Name {
    Name { parent, name, kind: Kind::Written(writer, taker), permissions: 0o644, is_inner: false }
}
const fn memory(parent: u8, name: &'static str, view: MemoryView) -> Name {
    let permissions = match view {
        MemoryView::Bytes => 0o600,
        MemoryView::Pages => 0o400,
    };
    Name { parent, name, kind: Kind::Memory(view), permissions, is_inner: true }
}
/// What is inside of a process.
const fn inner(name: Name) -> Name {
    Name { is_inner: true, ..name }
}
/// What only its user may use.
const fn own(name: Name) -> Name {
    Name { permissions: name.permissions & 0o700, ..name }
}

const fn setting(parent: u8, row: usize) -> Name {
    let setting = Setting::of_row(row);
    let permissions = if ROWS[row].is_written { 0o644 } else { 0o444 };
    Name { parent, name: ROWS[row].name, kind: Kind::Setting(setting), permissions, is_inner: false }
}

const ROOT: u8 = 0;
const PROCESS: u8 = 1;
const FD: u8 = 2;
const SYS: u8 = 3;
const SYS_KERNEL: u8 = 4;
const SYS_VM: u8 = 5;
const SELF: u8 = 6;
const EXE: u8 = 7;
const CWD: u8 = 8;
const PROCESS_ROOT: u8 = 9;
const MOUNTS: u8 = 10;
const TASK: u8 = 11;
const THREAD: u8 = 12;
const SYS_FS: u8 = 13;
const SYSVIPC: u8 = 14;
const SYS_INOTIFY: u8 = 15;
const FDINFO: u8 = 16;
const NET: u8 = 17;
const NET_LINK: u8 = 18;
/// The root of `/sys`, which is made of the same stuff.
const SYSFS: u8 = 19;
const SYSFS_DEVICES: u8 = 20;
const SYSFS_SYSTEM: u8 = 21;
const SYSFS_CPU: u8 = 22;
const SYSFS_KERNEL: u8 = 23;
const SYSFS_MM: u8 = 24;
const SYSFS_HUGE: u8 = 25;

/// All names, each with the directory that it is in; the constants above are indices.
const NAMES: &[Name] = &all_names();

/// The folder of a setting.
const fn folder_of(row: &Row) -> u8 {
    match row.folder.as_bytes() {
        b"kernel" => SYS_KERNEL,
        b"vm" => SYS_VM,
        b"fs" => SYS_FS,
        b"fs/inotify" => SYS_INOTIFY,
        _ => panic!("there is no such folder"),
    }
}

/// Those that are listed here, then the settings.
const fn all_names() -> [Name; LISTED.len() + ROWS.len()] {
    let mut names = [const { dir(ROOT, "") }; LISTED.len() + ROWS.len()];
    let mut index = 0;
    while index < LISTED.len() {
        names[index] = LISTED[index];
        index += 1;
    }
    while index < names.len() {
        let row = index - LISTED.len();
        names[index] = setting(folder_of(&ROWS[row]), row);
        index += 1;
    }
    names
}

const LISTED: &[Name] = &[
    dir(ROOT, ""),
    dir(ROOT, ""),
    own(dir(PROCESS, "fd")),
    dir(ROOT, "sys"),
    dir(SYS, "kernel"),
    dir(SYS, "vm"),
    link(ROOT, "self"),
    inner(link(PROCESS, "exe")),
    inner(link(PROCESS, "cwd")),
    inner(link(PROCESS, "root")),
    link(ROOT, "mounts"),
    dir(PROCESS, "task"),
    dir(TASK, ""),
    dir(SYS, "fs"),
    dir(ROOT, "sysvipc"),
    dir(SYS_FS, "inotify"),
    inner(dir(PROCESS, "fdinfo")),
    dir(PROCESS, "net"),
    link(ROOT, "net"),
    dir(SYSFS, ""),
    dir(SYSFS, "devices"),
    dir(SYSFS_DEVICES, "system"),
    dir(SYSFS_SYSTEM, "cpu"),
    dir(SYSFS, "kernel"),
    dir(SYSFS_KERNEL, "mm"),
    dir(SYSFS_MM, "transparent_hugepage"),
    text(SYSFS_CPU, "online", text::processors),
    text(SYSFS_CPU, "possible", text::processors),
    text(SYSFS_CPU, "present", text::processors),
    text(SYSFS_HUGE, "enabled", text::huge_pages),
    text(ROOT, "config.gz", config::config),
    mounts(PROCESS, "mountinfo", text::mount_info),
    text(NET, "dev", text::network_devices),
    text(NET, "route", text::routes),
    text(NET, "if_inet6", text::addresses6),
    text(ROOT, "cmdline", text::kernel_cmdline),
    text(ROOT, "cpuinfo", text::cpuinfo),
    text(ROOT, "filesystems", text::filesystems),
    text(ROOT, "loadavg", text::loadavg),
    text(ROOT, "meminfo", text::meminfo),
    text(ROOT, "stat", text::system_stat),
    text(ROOT, "swaps", text::swaps),
    text(ROOT, "uptime", text::uptime),
    text(ROOT, "version", text::version),
    text(ROOT, "vmstat", text::vmstat),
    text(SYS_KERNEL, "hostname", text::hostname),
    text(SYS_KERNEL, "osrelease", text::osrelease),
    text(SYS_KERNEL, "ostype", text::ostype),
    text(SYS_KERNEL, "version", text::kernel_version),
    text(SYS_KERNEL, "core_pattern", text::core_pattern),
    text(SYS_KERNEL, "domainname", text::domainname),
    text(SYS_FS, "file-nr", text::file_nr),
    text(SYSVIPC, "shm", text::segments),
    text(PROCESS, "cmdline", text::cmdline),
    written(PROCESS, "comm", text::comm, text::set_comm),
    inner(own(text(PROCESS, "environ", text::environ))),
    inner(text(PROCESS, "maps", text::maps)),
    mounts(PROCESS, "mounts", text::mounts),
    text(PROCESS, "stat", text::stat),
    text(PROCESS, "statm", text::statm),
    text(PROCESS, "status", text::status),
    text(PROCESS, "limits", text::limits),
    text(PROCESS, "oom_score", text::oom_score),
    written(PROCESS, "oom_score_adj", text::oom_score_adj, text::set_oom_score_adj),
    text(PROCESS, "wchan", text::wchan),
    inner(own(text(PROCESS, "auxv", text::auxv))),
    inner(own(text(PROCESS, "io", text::io))),
    memory(PROCESS, "mem", MemoryView::Bytes),
    memory(PROCESS, "pagemap", MemoryView::Pages),
    inner(text(PROCESS, "smaps", text::smaps)),
    written(THREAD, "comm", text::comm, text::set_comm),
    text(THREAD, "stat", text::stat),
    text(THREAD, "status", text::status),
];

impl Node {
    fn new(pid: u32, name: u8) -> Node {
        Node { pid, name, number: None }
    }

    fn from_ino(ino: u64) -> Result<Node, Errno> {
        let [name, ..] = ino.to_le_bytes();
        let pid = u32::try_from(ino >> 32).map_err(|_| Errno::ENOENT)?;
        let number = u32::try_from((ino >> 8) & 0xff_ffff).map_err(|_| Errno::ENOENT)?.checked_sub(1);
        // Numbers start at 1, as 0 means "no file".
        let name =
            name.checked_sub(1).filter(|&name| usize::from(name) < NAMES.len()).ok_or(Errno::ENOENT)?;
        Ok(Node { pid, name, number })
    }

    fn ino(self) -> u64 {
        let number = self.number.map_or(0, |number| u64::from(number) + 1);
        u64::from(self.pid) << 32 | (number & 0xff_ffff) << 8 | (u64::from(self.name) + 1)
    }

    fn what(self) -> &'static Name {
        &NAMES[usize::from(self.name)]
    }

    /// EACCES for what is inside of a process, unless the caller may look into it.
    fn check_inspection(self, info: &dyn ProcInfo) -> Result<(), Errno> {
        let is_inner = self.what().is_inner || self.descriptor().or(self.described()).is_some();
        if is_inner && !info.may_inspect(self.pid) { Err(Errno::EACCES) } else { Ok(()) }
    }

    fn file_type(self) -> FileType {
        match self.what().kind {
            Kind::Directory if self.descriptor().is_some() => FileType::Symlink,
            Kind::Directory if self.described().is_some() => FileType::Regular,
            Kind::Directory => FileType::Directory,
            Kind::Text(_) | Kind::Mounts(_) | Kind::Written(..) | Kind::Setting(_) | Kind::Memory(_) => {
                FileType::Regular
            }
            Kind::Link => FileType::Symlink,
        }
    }

    fn descriptor(self) -> Option<u32> {
        self.number.filter(|_| self.name == FD)
    }

    /// The descriptor that a file of `fdinfo` tells of.
    fn described(self) -> Option<u32> {
        self.number.filter(|_| self.name == FDINFO)
    }

    fn thread(self) -> Option<u32> {
        self.number.filter(|_| self.name != FD && self.name != FDINFO)
    }

    /// ENOENT once the process or thread has gone.
    fn check_alive(self, info: &dyn ProcInfo) -> Result<(), Errno> {
        let is_alive = match self.thread() {
            Some(tid) => is_thread(info, self.pid, tid),
            None => self.pid == 0 || info.process(self.pid).is_some(),
        };
        if is_alive { Ok(()) } else { Err(Errno::ENOENT) }
    }
}

pub(crate) fn root() -> u64 {
    Node::new(0, ROOT).ino()
}

/// The root of `/sys`.
pub(crate) fn sysfs_root() -> u64 {
    Node::new(0, SYSFS).ino()
}

pub(crate) fn file_type(ino: u64) -> Result<FileType, Errno> {
    Ok(Node::from_ino(ino)?.file_type())
}

pub(crate) fn lookup(dir: u64, name: &[u8], info: &dyn ProcInfo) -> Result<u64, Errno> {
    let dir = Node::from_ino(dir)?;
    if dir.file_type() != FileType::Directory {
        return Err(Errno::ENOTDIR);
    }
    dir.check_alive(info)?;
    if name == b".." {
        let parent = NAMES[usize::from(dir.name)].parent;
        return Ok(Node::new(if parent == ROOT { 0 } else { dir.pid }, parent).ino());
    }
    let number =
        core::str::from_utf8(name).ok().filter(|name| name.len() < 10).and_then(|name| name.parse().ok());
    match number {
        Some(pid) if dir.name == ROOT && info.process(pid).is_some() => {
            return Ok(Node::new(pid, PROCESS).ino());
        }
        Some(descriptor) if matches!(dir.name, FD | FDINFO) && has_descriptor(info, dir.pid, descriptor) => {
            return Ok(Node { number: Some(descriptor), ..dir }.ino());
        }
        Some(tid) if dir.name == TASK && is_thread(info, dir.pid, tid) => {
            return Ok(Node { number: Some(tid), ..Node::new(dir.pid, THREAD) }.ino());
        }
        _ => {}
    }
    // Directories that are numbers have no name here.
    let index = (0..)
        .zip(NAMES)
        .find(|(_, known)| !name.is_empty() && known.parent == dir.name && known.name.as_bytes() == name);
    index.map(|(index, _)| Node { name: index, ..dir }.ino()).ok_or(Errno::ENOENT)
}

/// The descriptor, when `ino` is a link in the current process's own `fd` directory.
pub(crate) fn own_descriptor(ino: u64, info: &dyn ProcInfo) -> Option<u32> {
    Node::from_ino(ino).ok().filter(|node| node.pid == info.current())?.descriptor()
}

pub(crate) fn readlink(ino: u64, info: &dyn ProcInfo) -> Result<Vec<u8>, Errno> {
    let node = Node::from_ino(ino)?;
    node.check_inspection(info)?;
    if let Some(descriptor) = node.descriptor() {
        return info.descriptor(node.pid, descriptor);
    }
    match node.name {
        SELF => Ok(info.current().to_string().into_bytes()),
        MOUNTS => Ok(b"self/mounts".to_vec()),
        NET_LINK => Ok(b"self/net".to_vec()),
        EXE => info.exe(node.pid),
        CWD => info.cwd(node.pid),
        PROCESS_ROOT => Ok(b"/".to_vec()),
        _ => Err(Errno::EINVAL),
    }
}

/// EACCES unless the caller may open a file that its mode lets it open.
pub(crate) fn check_open(ino: u64, info: &dyn ProcInfo) -> Result<(), Errno> {
    Node::from_ino(ino)?.check_inspection(info)
}

/// Whether it is the caller's own list of descriptors, which is its to use whatever its mode says.
pub(crate) fn is_own_list(ino: u64, info: &dyn ProcInfo) -> bool {
    Node::from_ino(ino).is_ok_and(|node| node == Node::new(info.current(), FD))
}

/// Whose memory a file shows, and how; `None` for files that are texts.
pub(crate) fn memory_view(ino: u64) -> Option<(u32, MemoryView)> {
    let node = Node::from_ino(ino).ok()?;
    match NAMES[usize::from(node.name)].kind {
        Kind::Memory(view) => Some((node.pid, view)),
        _ => None,
    }
}

/// The process whose folder it is.
pub(crate) fn process_of_folder(ino: u64) -> Option<u32> {
    let node = Node::from_ino(ino).ok()?;
    (node == Node::new(node.pid, PROCESS)).then_some(node.pid)
}

/// What a text file says now.
pub(crate) fn read(ino: u64, info: &dyn ProcInfo, mounts: &Mounts) -> Result<Text, Errno> {
    let node = Node::from_ino(ino)?;
    match node.what().kind {
        Kind::Directory if let Some(descriptor) = node.described() => {
            let mut text = Text::default();
            text::descriptor(info, node.pid, descriptor, &mut text)?;
            Ok(text)
        }
        Kind::Text(writer) | Kind::Written(writer, _) => {
            let mut text = Text::default();
            writer(info, node.thread().unwrap_or(node.pid), &mut text)?;
            Ok(text)
        }
        Kind::Mounts(writer) => {
            let mut text = Text::default();
            writer(mounts, &mut text)?;
            Ok(text)
        }
        Kind::Setting(setting) => {
            let mut text = Text::default();
            text::setting(info.setting(setting), &mut text)?;
            Ok(text)
        }
        _ => Err(Errno::EINVAL),
    }
}

/// Whether it may be opened for writing.
pub(crate) fn is_written(ino: u64) -> bool {
    Node::from_ino(ino).is_ok_and(|node| match node.what().kind {
        Kind::Setting(setting) => setting.row().is_written,
        kind => matches!(kind, Kind::Written(..)),
    })
}

/// Takes what a program has written to a text file.
pub(crate) fn write(ino: u64, bytes: &[u8], info: &dyn ProcInfo) -> Result<(), Errno> {
    let node = Node::from_ino(ino)?;
    match node.what().kind {
        Kind::Written(_, taker) => taker(info, node.thread().unwrap_or(node.pid), bytes),
        Kind::Setting(setting) => info.set_setting(setting, text::number(bytes)?),
        _ => Err(Errno::EBADF),
    }
}

fn is_thread(info: &dyn ProcInfo, pid: u32, tid: u32) -> bool {
    info.process(tid).is_some_and(|thread| thread.tgid == pid)
}

fn has_descriptor(info: &dyn ProcInfo, pid: u32, wanted: u32) -> bool {
    let mut found = false;
    info.each_descriptor(pid, &mut |descriptor| {
        found = descriptor == wanted;
        descriptor < wanted
    });
    found
}

/// Cookies: 0 and 1 are the dots, 2 to 255 the named files, and what is listed counts on from 256.
pub(crate) fn read_dir(
    dir: u64,
    position: u64,
    info: &dyn ProcInfo,
    mut visit: impl FnMut(DirEntry<'_>) -> bool,
) -> Result<(), Errno> {
    const FIRST_LISTED: u64 = 256;
    let node = Node::from_ino(dir)?;
    node.check_alive(info)?;
    let parent = lookup(dir, b"..", info)?;
    let mut list = |cookie: u64, node: Node, name: &[u8]| {
        let (ino, file_type) = (node.ino(), node.file_type());
        cookie < position || visit(DirEntry { ino, file_type, name, next: cookie + 1 })
    };
    if !list(0, node, b".") || !list(1, Node::from_ino(parent)?, b"..") {
        return Ok(());
    }
    for (index, known) in (0..).zip(NAMES) {
        // Directories that are numbers have no name here.
        let is_here = !known.name.is_empty() && known.parent == node.name;
        if is_here && !list(2 + u64::from(index), Node { name: index, ..node }, known.name.as_bytes()) {
            return Ok(());
        }
    }
    let mut list_number =
        |number: u32, node: Node| list(FIRST_LISTED + u64::from(number), node, number.to_string().as_bytes());
    match node.name {
        ROOT => info.each_process(&mut |pid| list_number(pid, Node::new(pid, PROCESS))),
        FD | FDINFO => info.each_descriptor(node.pid, &mut |descriptor| {
            list_number(descriptor, Node { number: Some(descriptor), ..node })
        }),
        TASK => info.each_thread(node.pid, &mut |tid| {
            list_number(tid, Node { number: Some(tid), ..Node::new(node.pid, THREAD) })
        }),
        _ => {}
    }
    Ok(())
}

pub(crate) fn stat(ino: u64, info: &dyn ProcInfo) -> Result<Stat, Errno> {
    let node = Node::from_ino(ino)?;
    node.check_alive(info)?;
    let file_type = node.file_type();
    let permissions = match (node.descriptor(), node.described()) {
        (Some(_), _) => 0o777,
        (_, Some(_)) => 0o444,
        _ => node.what().permissions,
    };
    let now = info.now();
    let process = if node.pid == 0 { None } else { info.process(node.pid) };
    // Who is not to be looked into keeps no more than the folders that are open to all.
    let is_open = file_type == FileType::Directory && permissions == 0o555;
    let owner = process.filter(|process| is_open || process.is_dumpable);
    Ok(Stat {
        ino,
        uid: owner.as_ref().map_or(0, |process| process.users[1]),
        gid: owner.as_ref().map_or(0, |process| process.groups[1]),
        mode: file_type.mode_bits() | permissions,
        nlink: if file_type == FileType::Directory { 2 } else { 1 },
        blksize: 1024,
        atime: now,
        mtime: now,
        ctime: now,
        ..Stat::default()
    })
}

pub(crate) fn statfs() -> StatFs {
    StatFs { magic: 0x9fa0, block_size: 4096, name_max: 255, ..StatFs::default() }
}
