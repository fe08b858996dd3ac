//! Shared memory of System V: `shmget`, `shmat`, `shmdt`, `shmctl`.
//!
//! A segment is a nameless file in memory. It stays when nobody maps it, until it is removed; one that was removed stays as long as it is
//! mapped.

use super::ipc::{self, IPC_INFO, IPC_RMID, IPC_SET, IPC_STAT, errno, now, pair, permission, write_words};
use super::memory::{map, unmap};
use super::{Arguments, Outcome, int, uint};
use crate::hart::current;
use crate::local::HartLocal;
use crate::memory::{commit, mem, pages};
use crate::settings::setting;
use ::proc::{CapSet, IpcObject, IpcTable, Ownership};
use alloc::rc::Rc;
use alloc::vec::Vec;
use fs::{Errno, Setting};
use isa::{PAGE_SIZE, VirtAddr};
use linux_raw_sys::general as linux;
use mm::vma::{FileBacking, OpenPath};
use mm::{Backing, FileId, MapRequest, Name, PageRange, Placement, Prot, VmaFlags};

const SHM_LOCK: u32 = 11;
const SHM_UNLOCK: u32 = 12;
const SHM_STAT: u32 = 13;
const SHM_INFO: u32 = 14;
const SHM_STAT_ANY: u32 = 15;
const SHM_HUGETLB: u32 = 0o4000;
const SHM_NORESERVE: u32 = 0o10000;
const SHM_RDONLY: u32 = 0o10_000;
const SHM_RND: u32 = 0o20_000;
const SHM_REMAP: u32 = 0o40_000;
const SHM_EXEC: u32 = 0o100_000;
/// Bits of a mode: it goes with its last mapping; its pages are locked.
const SHM_DEST: u32 = 0o1000;
const SHM_LOCKED: u32 = 0o2000;

/// A segment.
#[derive(Debug)]
struct Segment {
    file: FileId,
    len_bytes: u64,
    attached: i64,
    detached: i64,
    changed: i64,
    maker: u32,
    last: u32,
    is_removed: bool,
    is_locked: bool,
}

static SEGMENTS: HartLocal<IpcTable<Segment>> = HartLocal::new(IpcTable::new());

impl Segment {
    fn len_pages(&self) -> u64 {
        self.len_bytes.div_ceil(PAGE_SIZE)
    }
    /// How many mappings show it.
    fn uses(&self) -> u64 {
        mem::memory().file_mappings().count(self.file)
    }
}

pub fn shmget([key, len, flags, ..]: Arguments) -> Outcome {
    let (key, flags) = (int(key), uint(flags));
    let process = &current().process;
    let mut segments = SEGMENTS.get_mut();
    if let Some(id) = ipc::find(&segments, key, flags, |segment| len <= segment.len_bytes)? {
        return Ok(id.into());
    }
    let who = process.credentials.borrow();
    if len == 0 || len > setting(Setting::SHM_MAX) {
        return Err(Errno::EINVAL.into());
    }
    if flags & SHM_HUGETLB != 0 {
        // There are no huge pages.
        return Err(Errno::EINVAL.into());
    }
    let len_pages = len.div_ceil(PAGE_SIZE);
    let all_pages: u64 = segments.iter().map(|(_, segment)| segment.value.len_pages()).sum();
    if segments.len() as u64 >= setting(Setting::SHM_MNI)
        || all_pages.saturating_add(len_pages) > setting(Setting::SHM_ALL)
    {
        return Err(Errno::ENOSPC.into());
    }
    if len_pages > mm::layout::USER_END_PAGE.0 {
        return Err(Errno::ENOMEM.into());
    }
    commit::promise(len_pages, flags & SHM_NORESERVE != 0)?;
    let segment = Segment {
        file: pages::nameless_file(len_pages * PAGE_SIZE),
        len_bytes: len,
        attached: 0,
        detached: 0,
        changed: now(),
        maker: process.pid,
        last: 0,
        is_removed: false,
        is_locked: false,
    };
    Ok(segments.insert(Ownership::new(key, flags, &who), segment).into())
}

pub fn shmat([id, address, flags, ..]: Arguments) -> Outcome {
    let (id, flags) = (uint(id), uint(flags));
    let address = match address {
        0 if flags & SHM_REMAP != 0 => return Err(Errno::EINVAL.into()),
        address if address.is_multiple_of(PAGE_SIZE) => address,
        address if flags & SHM_RND == 0 => {
            let _ = address;
            return Err(Errno::EINVAL.into());
        }
        address => match address & !(PAGE_SIZE - 1) {
            0 if flags & SHM_REMAP != 0 => return Err(Errno::EINVAL.into()),
            rounded => rounded,
        },
    };
    let process = &current().process;
    let (request, id) = {
        let segments = SEGMENTS.get();
        let segment = segments.get(id).map_err(errno)?;
        let is_read_only = flags & SHM_RDONLY != 0;
        let wanted = if is_read_only { 0o4 } else { 0o6 } | if flags & SHM_EXEC != 0 { 0o1 } else { 0 };
        if !segment.owner.allows(&process.credentials.borrow(), wanted) {
            return Err(Errno::EACCES.into());
        }
        let mut prot = Prot::READ;
        prot.set(Prot::WRITE, !is_read_only);
        prot.set(Prot::EXEC, flags & SHM_EXEC != 0);
        let never = if is_read_only { VmaFlags::NEVER_WRITABLE } else { VmaFlags::empty() };
        let placement = match VirtAddr(address).page() {
            _ if address == 0 => Placement::Anywhere,
            page if flags & SHM_REMAP != 0 => Placement::Fixed(page),
            page => Placement::FixedNoReplace(page),
        };
        let request = MapRequest {
            placement,
            len_pages: segment.value.len_pages(),
            prot,
            flags: VmaFlags::SHARED | never,
            backing: Backing::File(FileBacking { file: segment.value.file, first_page: 0, len_bytes: None }),
            name: name_of(segment.owner.key),
        };
        (request, id)
    };
    let mapped =
        map(process, request).map_err(|error| if error == Errno::EEXIST { Errno::EINVAL } else { error });
    pages::release_unmapped_files();
    let range = mapped?;
    if let Ok(segment) = SEGMENTS.get_mut().get_mut(id) {
        (segment.value.attached, segment.value.last) = (now(), process.pid);
    }
    Ok(range.start.base().0)
}

/// What a segment is called in `maps`.
fn name_of(key: i32) -> Name {
    let path = alloc::format!("/SYSV{key:08x} (deleted)").into_bytes();
    Name::Path(Rc::new(OpenPath { path: Rc::new(path), kept: None }))
}

pub fn shmdt([address, ..]: Arguments) -> Outcome {
    if !address.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL.into());
    }
    let (process, at) = (&current().process, VirtAddr(address).page());
    let space = process.space();
    let found: Option<(FileId, Vec<PageRange>)> = {
        let (space, segments) = (space.borrow(), SEGMENTS.get());
        let is_segment = |file| segments.iter().any(|(_, segment)| segment.value.file == file);
        let starts_here = |vma: &mm::Vma| match vma.backing {
            Backing::File(file) => {
                vma.range.start.0.wrapping_sub(file.first_page) == at.0 && is_segment(file.file)
            }
            Backing::Anon => false,
        };
        let file = space.vmas().iter().find(|vma| starts_here(vma)).and_then(|vma| vma.file());
        // All parts of that mapping, if it was divided since.
        let parts = |file| {
            let parts = space.vmas().iter().filter(|vma| vma.file() == Some(file) && starts_here(vma));
            parts.map(|vma| vma.range).collect()
        };
        file.map(|file| (file, parts(file)))
    };
    let Some((file, parts)) = found else { return Err(Errno::EINVAL.into()) };
    for part in parts {
        unmap(&space, part)?;
    }
    if let Some((_, segment)) = SEGMENTS.get_mut().iter_mut().find(|(_, segment)| segment.value.file == file)
    {
        (segment.value.detached, segment.value.last) = (now(), process.pid);
    }
    pages::release_unmapped_files();
    Ok(0)
}

/// Whether a file is a segment that stays although nobody maps it; one that was removed is forgotten.
pub fn keeps(file: FileId) -> bool {
    let mut segments = SEGMENTS.get_mut();
    let found = segments.iter_mut().find(|(_, segment)| segment.value.file == file);
    let Some((id, segment)) = found else { return false };
    segment.value.detached = now();
    if segment.value.is_removed {
        segments.remove(id);
        return false;
    }
    true
}

/// At the end of the run all segments go.
#[inline(never)] // a frame of its own, not part of its caller's
pub fn stop() {
    let ids: Vec<u32> = SEGMENTS.get().iter().map(|(id, _)| id).collect();
    for id in ids {
        let removed = SEGMENTS.get_mut().remove(id);
        if let Some(segment) = removed {
            mem::memory().remove_file(segment.value.file);
        }
    }
}

pub fn shmctl([id, command, buffer, ..]: Arguments) -> Outcome {
    let (number, command) = (uint(id), uint(command));
    if int(id) < 0 || int(command.into()) < 0 {
        return Err(Errno::EINVAL.into());
    }
    match command {
        IPC_INFO => {
            let limits =
                [Setting::SHM_MAX, Setting::SHM_MNI, Setting::SHM_MNI, Setting::SHM_ALL].map(setting);
            let [most, all_segments, per_process, all_pages] = limits;
            let highest = SEGMENTS.get().highest_index();
            write_words(buffer, &[most, 1, all_segments, per_process, all_pages, 0, 0, 0, 0])?;
            Ok(highest.into())
        }
        SHM_INFO => {
            let (words, highest) = {
                let segments = SEGMENTS.get();
                let sum =
                    |of: fn(&Segment) -> u64| segments.iter().map(|(_, segment)| of(&segment.value)).sum();
                let in_memory = sum(|segment| mem::memory().cache().file_pages(segment.file));
                let words = [segments.len() as u64, sum(Segment::len_pages), in_memory, 0, 0, 0];
                (words, segments.highest_index())
            };
            write_words(buffer, &words)?;
            Ok(highest.into())
        }
        IPC_STAT | SHM_STAT | SHM_STAT_ANY => {
            let (id, words) = stat(number, command)?;
            write_words(buffer, &words)?;
            Ok(if command == IPC_STAT { 0 } else { id.into() })
        }
        IPC_RMID | IPC_SET | SHM_LOCK | SHM_UNLOCK => change(number, command, buffer),
        _ => Err(Errno::EINVAL.into()),
    }
}

/// A segment's number, and its `struct shmid_ds`.
fn stat(number: u32, command: u32) -> Result<(u32, [u64; 14]), Errno> {
    let segments = SEGMENTS.get();
    let (id, segment) = ipc::to_tell(&segments, number, command, command == SHM_STAT_ANY)?;
    let it = &segment.value;
    let [a, b, c, d, e, f] = permission(segment.owner, mode_of(segment), segment.sequence);
    let [attached, detached, changed] = [it.attached, it.detached, it.changed].map(i64::cast_unsigned);
    let pids = pair(it.maker, it.last);
    let words = [a, b, c, d, e, f, it.len_bytes, attached, detached, changed, pids, it.uses(), 0, 0];
    Ok((id, words))
}

fn mode_of(segment: &IpcObject<Segment>) -> u32 {
    segment.owner.mode
        | if segment.value.is_removed { SHM_DEST } else { 0 }
        | if segment.value.is_locked { SHM_LOCKED } else { 0 }
}

fn change(id: u32, command: u32, buffer: u64) -> Outcome {
    let wanted = if command == IPC_SET { Some(ipc::read_owner(buffer)?) } else { None };
    let who = current().process.credentials.borrow().clone();
    let mut segments = SEGMENTS.get_mut();
    let segment = segments.get_mut(id).map_err(errno)?;
    let is_lock = matches!(command, SHM_LOCK | SHM_UNLOCK);
    let may = segment.owner.is_owned_by(&who) || is_lock && who.can(CapSet::IPC_LOCK);
    if !may {
        return Err(Errno::EPERM.into());
    }
    match (command, wanted) {
        (IPC_SET, Some(wanted)) => {
            ipc::set_owner(&mut segment.owner, wanted);
            segment.value.changed = now();
        }
        (SHM_LOCK | SHM_UNLOCK, _) => {
            let limit = current().process.limits.borrow()[linux::RLIMIT_MEMLOCK as usize].0;
            if command == SHM_LOCK && limit == 0 && !who.can(CapSet::IPC_LOCK) {
                return Err(Errno::EPERM.into());
            }
            segment.value.is_locked = command == SHM_LOCK;
        }
        _ => {
            // Its key leads nowhere from now on.
            segment.value.is_removed = true;
            segment.owner.key = 0;
            let (file, is_unused) = (segment.value.file, segment.value.uses() == 0);
            if is_unused {
                segments.remove(id);
                drop(segments);
                mem::memory().remove_file(file);
            }
        }
    }
    Ok(0)
}

/// The lines of `/proc/sysvipc/shm`.
pub fn list(visit: &mut dyn FnMut(&fs::SegmentInfo) -> Result<(), Errno>) -> Result<(), Errno> {
    for (id, segment) in SEGMENTS.get().iter() {
        let (owner, it) = (segment.owner, &segment.value);
        visit(&fs::SegmentInfo {
            key: owner.key,
            id,
            mode: mode_of(segment),
            len_bytes: it.len_bytes,
            maker_pid: it.maker,
            last_pid: it.last,
            uses: it.uses(),
            owner: [owner.user, owner.group, owner.maker, owner.maker_group],
            times: [it.attached, it.detached, it.changed],
            resident_pages: mem::memory().cache().file_pages(it.file),
        })?;
    }
    Ok(())
}
