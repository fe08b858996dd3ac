//! What the tests share: images made by `mke2fs`, a device that counts its reads, files in the host's memory, a process table.

use crate::{
    BlockDevice, DescriptorInfo, DeviceError, Errno, FileId, FileMemory, FileSystemId, Identity, Location,
    MapInfo, MapUse, ProcInfo, ProcessInfo, SwapInfo, SystemInfo, SystemName, Text, Timestamp,
};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::string::String;
use std::{format, fs};

/// A directory that goes when the test ends.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Scratch {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let unique =
            format!("folio-fs-{}-{}-{name}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(unique);
        fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The image that `mke2fs OPTIONS -d TREE` makes; `None`, with a word about it, where there is no mke2fs.
pub(crate) fn mke2fs(tree: &Path, size: &str, options: &[&str]) -> Vec<u8> {
    let image = Scratch::new("image");
    let file = image.0.join("image");
    let mut command = Command::new("mke2fs");
    command.args(["-q", "-F", "-E", "root_owner=0:0"]).args(options).arg("-d").arg(tree).arg(&file).arg(size);
    run(&mut command, &[0]);
    fs::read(file).unwrap()
}

/// The image with an index in each large directory, by `e2fsck -D`.
pub(crate) fn index_directories(image: Vec<u8>) -> Vec<u8> {
    let dir = Scratch::new("index");
    let file = dir.0.join("image");
    fs::write(&file, image).unwrap();
    // 1: the file system was changed, as it was asked to.
    run(Command::new("e2fsck").args(["-f", "-y", "-D"]).arg(&file), &[0, 1]);
    fs::read(file).unwrap()
}

fn run(command: &mut Command, good: &[i32]) {
    let path = format!("{}:/sbin:/usr/sbin", std::env::var("PATH").unwrap_or_default());
    match command.env("PATH", path).output() {
        Ok(output) if output.status.code().is_some_and(|code| good.contains(&code)) => {}
        Ok(output) => panic!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => panic!("{command:?} cannot be run ({error}): run `make setup-test`"),
    }
}

/// A device in memory that counts how often it is read.
pub(crate) struct MemoryDevice {
    pub(crate) bytes: Arc<Vec<u8>>,
    pub(crate) reads: Arc<AtomicU64>,
    /// Requests for memory so far, and which of them (counted from 0) is refused.
    pub(crate) requests: Arc<AtomicU64>,
    pub(crate) refused: Arc<AtomicU64>,
}

impl MemoryDevice {
    pub(crate) fn boxed(bytes: Arc<Vec<u8>>) -> (Box<dyn BlockDevice>, Arc<AtomicU64>) {
        let device = MemoryDevice::new(bytes);
        let reads = device.reads.clone();
        (Box::new(device), reads)
    }

    pub(crate) fn new(bytes: Arc<Vec<u8>>) -> MemoryDevice {
        let count = |start| Arc::new(AtomicU64::new(start));
        MemoryDevice { bytes, reads: count(0), requests: count(0), refused: count(u64::MAX) }
    }
}

impl BlockDevice for MemoryDevice {
    fn len_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }
    fn read(&mut self, offset_bytes: u64, buf: &mut [u8]) -> Result<(), DeviceError> {
        assert!(offset_bytes.is_multiple_of(512) && buf.len().is_multiple_of(512), "reads are whole sectors");
        self.reads.fetch_add(1, Ordering::Relaxed);
        let start = usize::try_from(offset_bytes).unwrap();
        buf.copy_from_slice(&self.bytes[start..start + buf.len()]);
        Ok(())
    }
    fn prepare_memory(&mut self) -> bool {
        self.requests.fetch_add(1, Ordering::Relaxed) != self.refused.load(Ordering::Relaxed)
    }
}

/// Files in the host's memory, whose pages are counted; there are only so many.
pub(crate) struct HostFiles {
    files: BTreeMap<FileId, HostFile>,
    limit: u64,
    in_use: Arc<AtomicU64>,
}

#[derive(Default)]
struct HostFile {
    bytes: Vec<u8>,
    /// Pages that were written.
    pages: BTreeSet<usize>,
}

impl HostFiles {
    pub(crate) fn new(limit: u64) -> (HostFiles, Arc<AtomicU64>) {
        let in_use = Arc::new(AtomicU64::new(0));
        (HostFiles { files: BTreeMap::new(), limit, in_use: in_use.clone() }, in_use)
    }
    fn pages(&self) -> u64 {
        self.files.values().map(|file| file.pages.len() as u64).sum()
    }
}

impl FileMemory for HostFiles {
    fn len_bytes(&self, file: FileId) -> u64 {
        self.files.get(&file).map_or(0, |file| file.bytes.len() as u64)
    }
    fn resident_pages(&self, file: FileId) -> u64 {
        self.files.get(&file).map_or(0, |file| file.pages.len() as u64)
    }
    fn read(&self, file: FileId, offset_bytes: u64, buf: &mut [u8]) -> Result<usize, Errno> {
        let bytes = self.files.get(&file).map_or(&[][..], |file| &file.bytes);
        let from = bytes.len().min(usize::try_from(offset_bytes).unwrap());
        let count = buf.len().min(bytes.len() - from);
        buf[..count].copy_from_slice(&bytes[from..from + count]);
        Ok(count)
    }
    fn write(&mut self, file: FileId, offset_bytes: u64, bytes: &[u8]) -> Result<usize, Errno> {
        let offset = usize::try_from(offset_bytes).unwrap();
        for (done, &byte) in bytes.iter().enumerate() {
            let (at, left) = (offset + done, self.limit - self.pages());
            let file = self.files.entry(file).or_default();
            if !file.pages.contains(&(at / 4096)) {
                if left == 0 {
                    return Ok(done);
                }
                file.pages.insert(at / 4096);
            }
            file.bytes.resize(file.bytes.len().max(at + 1), 0);
            file.bytes[at] = byte;
        }
        self.in_use.store(self.pages(), Ordering::Relaxed);
        Ok(bytes.len())
    }
    fn set_len(&mut self, file: FileId, len_bytes: u64) -> Result<(), Errno> {
        let file = self.files.entry(file).or_default();
        let len = usize::try_from(len_bytes).unwrap();
        file.bytes.resize(len, 0);
        file.pages.retain(|page| *page < len.div_ceil(4096));
        self.in_use.store(self.pages(), Ordering::Relaxed);
        Ok(())
    }
    fn overlay(&mut self, file: FileId, len_bytes: u64) {
        // What the disk has is not known here: it is told apart by its length.
        let bytes = std::vec![0; usize::try_from(len_bytes).unwrap()];
        self.files.entry(file).or_insert(HostFile { bytes, pages: BTreeSet::new() });
    }
    fn next_page(&self, file: FileId, page: u64) -> Option<u64> {
        let from = usize::try_from(page).unwrap();
        self.files.get(&file)?.pages.range(from..).next().map(|&page| page as u64)
    }
    fn fill_holes(&mut self, file: FileId, pages: Range<u64>) -> Result<(), Errno> {
        let new = pages.map(|page| usize::try_from(page).unwrap());
        self.files.entry(file).or_default().pages.extend(new);
        self.in_use.store(self.pages(), Ordering::Relaxed);
        if self.pages() <= self.limit { Ok(()) } else { Err(Errno::ENOSPC) }
    }
    fn punch_hole(&mut self, file: FileId, bytes: Range<u64>) -> Result<(), Errno> {
        let [start, end] = [bytes.start, bytes.end].map(|at| usize::try_from(at).unwrap());
        let file = self.files.entry(file).or_default();
        let len = file.bytes.len();
        file.bytes[start.min(len)..end.min(len)].fill(0);
        let gone = start.div_ceil(4096)..end / 4096;
        file.pages.retain(|page| !gone.contains(page));
        Ok(())
    }
    fn remove(&mut self, file: FileId) {
        self.files.remove(&file);
        self.in_use.store(self.pages(), Ordering::Relaxed);
    }
    fn capacity_pages(&self) -> (u64, u64) {
        (self.limit, self.limit - self.pages())
    }
}

std::thread_local! {
    /// The file behind descriptor 3 of process 7, if it is one.
    pub(crate) static OPENED: std::cell::RefCell<Option<Location>> = const { std::cell::RefCell::new(None) };
}

/// Processes 1 and 7, which has a second thread, 9; 7 is running.
pub(crate) struct Processes;

impl ProcInfo for Processes {
    fn now(&self) -> Timestamp {
        Timestamp { seconds: 1_700_000_000, nanoseconds: 5 }
    }
    fn current(&self) -> u32 {
        7
    }
    fn identity(&self, _: bool) -> Identity {
        Identity { capabilities: abi::CapSet::ALL, ..Identity::default() }
    }
    fn may_inspect(&self, pid: u32) -> bool {
        pid == 7
    }
    fn next_terminal(&self, from: u32) -> Option<(u32, u32)> {
        [(3, 5), (12, 5)].into_iter().find(|terminal| terminal.0 >= from)
    }
    fn each_process(&self, visit: &mut dyn FnMut(u32) -> bool) {
        let _ = [1, 7].into_iter().all(visit);
    }
    fn process(&self, pid: u32) -> Option<ProcessInfo> {
        let comm = b"a (b".to_vec();
        let tgid = if pid == 9 { 7 } else { pid };
        let known = ProcessInfo {
            comm,
            state: b'R',
            tgid,
            ppid: 1,
            threads: 1,
            virtual_pages: 10,
            swapped_pages: 6,
            users: [5; 4],
            is_dumpable: pid == 7,
            ..Default::default()
        };
        [1, 7, 9].contains(&pid).then_some(known)
    }
    fn each_thread(&self, pid: u32, visit: &mut dyn FnMut(u32) -> bool) {
        let _ = [(1, 1), (7, 7), (7, 9)]
            .into_iter()
            .filter(|thread| thread.0 == pid)
            .all(|thread| visit(thread.1));
    }
    fn set_oom_score_adj(&self, pid: u32, value: i16) -> Result<(), Errno> {
        if (pid, value) == (7, -5) { Ok(()) } else { Err(Errno::EACCES) }
    }
    fn setting(&self, setting: crate::Setting) -> u64 {
        crate::Settings::new().get(setting)
    }
    fn set_setting(&self, setting: crate::Setting, value: u64) -> Result<(), Errno> {
        crate::Settings::new().set(setting, value)
    }
    fn each_segment(
        &self,
        visit: &mut dyn FnMut(&crate::SegmentInfo) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        visit(&crate::SegmentInfo { key: 5, id: 7, ..Default::default() })
    }
    fn open_files(&self) -> usize {
        3
    }
    fn set_comm(&self, tid: u32, name: &[u8]) -> Result<(), Errno> {
        if tid == 9 && name == b"fifteen bytes a" { Ok(()) } else { Err(Errno::EINVAL) }
    }
    fn cmdline(&self, _: u32, out: &mut Text) -> Result<(), Errno> {
        out.push(b"sh\0-c\0")
    }
    fn environ(&self, _: u32, out: &mut Text) -> Result<(), Errno> {
        out.push(b"A=1\0")
    }
    fn auxv(&self, _: u32, out: &mut Text) -> Result<(), Errno> {
        out.push(&[0; 16])
    }
    fn transfers(&self, _: u32) -> crate::Transfers {
        crate::Transfers { bytes_read: 5, reads: 1, ..Default::default() }
    }
    fn exe(&self, pid: u32) -> Result<Vec<u8>, Errno> {
        if pid == 7 { Ok(b"/bin/sh".to_vec()) } else { Err(Errno::ENOENT) }
    }
    fn cwd(&self, _: u32) -> Result<Vec<u8>, Errno> {
        Ok(b"/tmp".to_vec())
    }
    fn each_map(
        &self,
        _: u32,
        visit: &mut dyn FnMut(&MapInfo<'_>) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let file = Some(crate::FileId { fs: crate::FileSystemId(0), ino: 12 });
        let code =
            MapInfo { start: 0x10000, end: 0x12000, readable: true, executable: true, ..Default::default() };
        [
            MapInfo { file, name: b"/bin/sh", ..code },
            MapInfo {
                start: 0x3f_ffff_e000,
                end: 0x40_0000_0000,
                readable: true,
                writable: true,
                ..Default::default()
            },
        ]
        .iter()
        .try_for_each(visit)
    }
    fn each_map_use(
        &self,
        pid: u32,
        visit: &mut dyn FnMut(&MapInfo<'_>, &MapUse) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let used = MapUse {
            private_dirty: 2,
            shared_clean: 1,
            share_bytes: 10_240,
            anonymous: 2,
            file: 1,
            swapped: 3,
            swapped_share_bytes: 6144,
            ..MapUse::default()
        };
        self.each_map(pid, &mut |map| visit(map, &used))
    }
    fn location(&self, descriptor: u32) -> Option<Location> {
        OPENED.with_borrow(|opened| opened.clone()).filter(|_| descriptor == 3)
    }
    fn limits(&self, _: u32) -> Option<[(u64, u64); 16]> {
        let mut limits = [(u64::MAX, u64::MAX); 16];
        limits[3].0 = 8 << 20;
        Some(limits)
    }
    fn each_descriptor(&self, pid: u32, visit: &mut dyn FnMut(u32) -> bool) {
        let _ = pid == 7 && [0, 3].into_iter().all(visit);
    }
    fn descriptor(&self, pid: u32, descriptor: u32) -> Result<Vec<u8>, Errno> {
        match (pid, descriptor) {
            (7, 0) => Ok(b"/dev/null".to_vec()),
            (7, 3) => Ok(b"pipe:[1]".to_vec()),
            _ => Err(Errno::ENOENT),
        }
    }
    fn descriptor_info(&self, pid: u32, descriptor: u32) -> Option<DescriptorInfo> {
        let file = Some(FileId { fs: FileSystemId(1), ino: 5 });
        (pid == 7 && descriptor == 3).then_some(DescriptorInfo { offset: 12, flags: 0o100_002, file })
    }
    fn describe_descriptor(&self, _: u32, _: u32, _: &mut Text) -> Result<(), Errno> {
        Ok(())
    }
    fn system_name(&self, which: SystemName) -> Vec<u8> {
        if which == SystemName::Host { b"folio".to_vec() } else { b"(none)".to_vec() }
    }
    fn system(&self) -> SystemInfo {
        let swap = Some(SwapInfo {
            disk: "vdb",
            total_pages: 2000,
            used_pages: 3,
            cached_pages: 2,
            pages_in: 17,
            pages_out: 19,
        });
        SystemInfo {
            total_pages: 32768,
            free_pages: 1000,
            harts: 1,
            uptime_ticks: 123,
            swap,
            anonymous_pages: 40,
            cached_pages: 7,
            shared_memory_pages: 5,
            page_table_pages: 6,
            ..Default::default()
        }
    }
    fn faults(&self) -> (u64, u64) {
        (123, 45)
    }
}

/// A generator for tests: the same numbers each time.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
