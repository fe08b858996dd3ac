//! What `/proc` tells of the processes, of memory and of the machine.

use crate::devices::{block, clock, swap};
use crate::files::vfs::open_files;
use crate::hart::{current, hart};
use crate::memory::{commit, mem, pages};
use crate::processes::process::{self, Process, Usage};
use crate::processes::thread::Thread;
use crate::processes::wait::scheduler;
use crate::syscall::files::status_flags;
use crate::{arch, settings};
use alloc::rc::Rc;
use alloc::vec::Vec;
use fs::{
    DescriptorInfo, Errno, Identity, Location, MapFlags, MapInfo, MapUse, ProcInfo, ProcessInfo, SegmentInfo,
    Setting, SwapInfo, SystemInfo, SystemName, Text, Timestamp, Transfers, name_of_now,
};
use isa::Vpn;
use isa::paging::{Pte, PteFlags};
use linux_raw_sys::general as linux;
use mm::page_cache::PageLookup;
use mm::pte::NotPresent;
use mm::{AddressSpace, Backing, FrameKind, Prot, Vma, VmaFlags};
use proc::{CapSet, Credentials, Disposition, Signal, Tid};

/// `/proc`'s source of facts.
pub struct KernelFacts;

const TICKS_PER_HUNDREDTH: u64 = isa::time::TIMEBASE_HZ / 100;

impl ProcInfo for KernelFacts {
    fn now(&self) -> Timestamp {
        clock::now()
    }
    fn current(&self) -> u32 {
        current().process.pid
    }
    fn identity(&self, by_real_ids: bool) -> Identity {
        let current = current();
        let who = current.process.credentials.borrow();
        let id = |ids: &::proc::Ids| if by_real_ids { ids.real } else { ids.fs };
        let capabilities = capabilities_of(&who, by_real_ids);
        Identity { user: id(&who.user), group: id(&who.group), groups: who.groups.clone(), capabilities }
    }
    fn capabilities(&self, by_real_ids: bool) -> CapSet {
        capabilities_of(&current().process.credentials.borrow(), by_real_ids)
    }
    fn may_inspect(&self, pid: u32) -> bool {
        process::find(pid).is_none_or(|process| process.may_be_inspected(false))
    }
    fn each_process(&self, visit: &mut dyn FnMut(u32) -> bool) {
        let mut after = 0;
        while let Some((pid, _)) = process::table(|t| t.next_living(after)) {
            if !visit(pid) {
                return;
            }
            after = pid;
        }
    }
    fn each_thread(&self, pid: u32, visit: &mut dyn FnMut(u32) -> bool) {
        let mut after = None;
        while let Some((tid, _)) = process::table(|t| t.next_thread(pid, after)) {
            if !visit(tid.0) {
                return;
            }
            after = Some(tid);
        }
    }
    fn process(&self, number: u32) -> Option<ProcessInfo> {
        let family = |pid| process::table(|t| Some((t.parent(pid), t.group(pid)?, t.session(pid)?)));
        let Some(thread) = thread_for(number) else {
            let (ppid, pgid, sid) = family(number)?;
            let zombie = ProcessInfo { state: b'Z', tgid: number, ppid, pgid, sid, ..ProcessInfo::default() };
            return Some(ProcessInfo { threads: 1, ..zombie });
        };
        let process = &thread.process;
        let (ppid, pgid, sid) = family(process.pid)?;
        let info = ProcessInfo {
            tgid: process.pid,
            ppid,
            pgid,
            sid,
            terminal: process.terminal.get().map(|id| {
                (id.rdev(), open_files().terminals().get(id).and_then(|terminal| terminal.foreground))
            }),
            threads: u32::try_from(process::table(|t| t.thread_count(process.pid))).unwrap_or(u32::MAX),
            comm: thread.name.borrow().clone(),
            state: if thread.tid().0 == number { state_of(&thread) } else { b'Z' },
            users: all_of(&process.credentials.borrow().user),
            groups: all_of(&process.credentials.borrow().group),
            is_dumpable: process.space.borrow().as_ref().is_none_or(|space| space.is_dumpable.get()),
            oom_score_adj: process.oom_score_adj.get(),
            gains_nothing: process.credentials.borrow().gains_nothing,
            capabilities: {
                let sets = process.credentials.borrow().capabilities;
                [sets.inheritable, sets.permitted, sets.effective, sets.bounding, sets.ambient]
            },
            nice: thread.scheduling.get().nice,
            ..memory_of(process)
        };
        let usage = if number == process.pid { process.usage() } else { thread.usage.get() };
        Some(with_signals(with_usage(info, process, &usage), &thread))
    }
    fn set_comm(&self, tid: u32, name: &[u8]) -> Result<(), Errno> {
        let thread = thread_for(tid).filter(|thread| thread.process.pid == current().process.pid);
        *thread.ok_or(Errno::EINVAL)?.name.borrow_mut() = name.to_vec();
        Ok(())
    }
    fn set_oom_score_adj(&self, pid: u32, value: i16) -> Result<(), Errno> {
        let process = process::find(pid).ok_or(Errno::ESRCH)?;
        let may_all = current().process.credentials.borrow().can(CapSet::SYS_RESOURCE);
        if value < process.oom_score_adj_least.get() && !may_all {
            return Err(Errno::EACCES);
        }
        process.oom_score_adj.set(value);
        if may_all {
            process.oom_score_adj_least.set(value);
        }
        Ok(())
    }
    fn setting(&self, setting: Setting) -> u64 {
        settings::setting(setting)
    }
    fn set_setting(&self, setting: Setting, value: u64) -> Result<(), Errno> {
        settings::set(setting, value)
    }
    fn each_segment(&self, visit: &mut dyn FnMut(&SegmentInfo) -> Result<(), Errno>) -> Result<(), Errno> {
        crate::syscall::shared_memory::list(visit)
    }
    fn next_terminal(&self, from: u32) -> Option<(u32, u32)> {
        let files = open_files();
        let found = files.terminals().next_pseudo(from);
        found.map(|(number, terminal)| (number, terminal.owner()))
    }
    fn open_files(&self) -> usize {
        open_files().len()
    }
    fn cmdline(&self, pid: u32, out: &mut Text) -> Result<(), Errno> {
        process::find(pid).map_or(Ok(()), |p| out.push(&p.program.borrow().arguments))
    }
    fn environ(&self, pid: u32, out: &mut Text) -> Result<(), Errno> {
        process::find(pid).map_or(Ok(()), |p| out.push(&p.program.borrow().environment))
    }
    fn auxv(&self, pid: u32, out: &mut Text) -> Result<(), Errno> {
        process::find(pid).map_or(Ok(()), |p| out.push(&p.program.borrow().auxv))
    }
    fn transfers(&self, pid: u32) -> Transfers {
        process::find(pid).map_or_else(Transfers::default, |process| process.transfers.get())
    }
    fn exe(&self, pid: u32) -> Result<Vec<u8>, Errno> {
        let process = process::find(pid).ok_or(Errno::ENOENT)?;
        let program = process.program.borrow();
        let is_unlinked = program.executing.as_ref().is_some_and(|executing| executing.is_unlinked());
        name_of_now(&program.path, is_unlinked)
    }
    fn cwd(&self, pid: u32) -> Result<Vec<u8>, Errno> {
        process::find(pid).ok_or(Errno::ENOENT)?.cwd().name()
    }
    fn each_map(
        &self,
        pid: u32,
        visit: &mut dyn FnMut(&MapInfo<'_>) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let Some(space) = process::find(pid).and_then(|p| p.space.borrow().clone()) else {
            return Ok(());
        };
        space.borrow().vmas().iter().try_for_each(|vma| visit(&map_info(vma)))
    }
    fn each_map_use(
        &self,
        pid: u32,
        visit: &mut dyn FnMut(&MapInfo<'_>, &MapUse) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let Some(space) = process::find(pid).and_then(|p| p.space.borrow().clone()) else {
            return Ok(());
        };
        let space = space.borrow();
        space.vmas().iter().try_for_each(|vma| visit(&map_info(vma), &use_of(&space, vma)))
    }
    fn limits(&self, pid: u32) -> Option<[(u64, u64); 16]> {
        process::find(pid).map(|process| **process.limits.borrow())
    }
    fn each_descriptor(&self, pid: u32, visit: &mut dyn FnMut(u32) -> bool) {
        if let Some(files) = process::find(pid).and_then(|process| process.files_if_any()) {
            let _ = files.borrow().iter().all(|(fd, _)| visit(fd));
        }
    }
    fn descriptor(&self, pid: u32, descriptor: u32) -> Result<Vec<u8>, Errno> {
        let files = process::find(pid).and_then(|process| process.files_if_any()).ok_or(Errno::ENOENT)?;
        let id = files.borrow().get(descriptor).map_err(|_| Errno::ENOENT)?;
        name_of(&open_files(), id)
    }
    fn descriptor_info(&self, pid: u32, descriptor: u32) -> Option<DescriptorInfo> {
        let files = process::find(pid).and_then(|process| process.files_if_any())?;
        let (id, closes) = {
            let files = files.borrow();
            (files.get(descriptor).ok()?, files.close_on_exec(descriptor).ok()?)
        };
        let files = open_files();
        let file = files.get(id);
        let flags = status_flags(file) | if closes { linux::O_CLOEXEC } else { 0 };
        Some(DescriptorInfo { offset: file.offset, flags, file: file.inode().map(fs::Inode::id) })
    }
    fn describe_descriptor(&self, pid: u32, descriptor: u32, out: &mut Text) -> Result<(), Errno> {
        let files = process::find(pid).and_then(|process| process.files_if_any());
        let id = files.and_then(|files| files.borrow().get(descriptor).ok());
        id.map_or(Ok(()), |id| open_files().describe(id, out))
    }
    fn system_name(&self, which: SystemName) -> Vec<u8> {
        crate::syscall::system::name(which)
    }
    fn location(&self, descriptor: u32) -> Option<Location> {
        let id = current().process.files_if_any()?.borrow().get(descriptor).ok()?;
        open_files().get(id).location.clone()
    }
    fn system(&self) -> SystemInfo {
        let counts = mem::memory().frames().counts();
        let total_pages = mem::memory().frames().total();
        let shared_memory_pages = mem::memory().cache().memory_pages();
        let (running, blocked) = process::table(|t| {
            t.threads().fold((0, 0), |(r, d), thread| match state_of(thread) {
                b'R' => (r + 1, d),
                b'D' => (r, d + 1),
                _ => (r, d),
            })
        });
        let hart = hart();
        SystemInfo {
            total_pages,
            free_pages: counts.free,
            cached_pages: counts.page_cache - shared_memory_pages,
            anonymous_pages: counts.anon,
            shared_memory_pages,
            page_table_pages: counts.page_table,
            commit_limit_pages: commit::limit(),
            committed_pages: commit::committed(),
            swap: swap::area().map(|area| {
                let counts = mem::memory().swap().counts();
                SwapInfo {
                    disk: block::name(area.disk),
                    total_pages: u64::from(area.slots),
                    used_pages: counts.used,
                    cached_pages: counts.cached,
                    pages_in: counts.read,
                    pages_out: counts.written,
                }
            }),
            harts: 1,
            uptime_ticks: arch::time() / TICKS_PER_HUNDREDTH,
            user_ticks: 0,
            system_ticks: 0,
            idle_ticks: hart.idle_ticks.get() / TICKS_PER_HUNDREDTH,
            boot_seconds: clock::boot_seconds(),
            context_switches: hart.switches.get(),
            interrupts: hart.interrupts.get(),
            forks: process::forks(),
            running,
            blocked,
        }
    }
    /// Cost: a look at each thread, and at each zombie. (No fault pays for what is asked for this seldom.)
    fn faults(&self) -> (u64, u64) {
        let mut sum = (0, 0);
        process::each_living(|process| {
            add_faults(&mut sum, &process.usage());
            add_faults(&mut sum, &process.children_usage.get());
        });
        process::each_zombie(|_, remains| add_faults(&mut sum, &remains.usage));
        add_faults(&mut sum, &process::buried_usage());
        sum
    }
}

/// Adds a usage's faults to all of them and to those that waited for a device.
fn add_faults(sum: &mut (u64, u64), usage: &Usage) {
    sum.0 += usage.minor_faults + usage.major_faults;
    sum.1 += usage.major_faults;
}

/// The thread that `/proc` shows for a number: that of a thread, or of a process whose first thread may have ended.
fn thread_for(number: u32) -> Option<Rc<Thread>> {
    process::table(|t| t.thread(Tid(number)).or_else(|| Some(t.next_thread(number, None)?.1)))
}

fn all_of(ids: &proc::Ids) -> [u32; 4] {
    [ids.real, ids.effective, ids.saved, ids.fs]
}

fn state_of(thread: &Thread) -> u8 {
    if thread.process.stopped.get().is_some() {
        return b'T';
    }
    match scheduler(|s| s.is_sleeping(thread.tid())) {
        true if thread.uninterruptible.get() => b'D',
        true => b'S',
        false => b'R',
    }
}

fn memory_of(process: &Process) -> ProcessInfo {
    let start_stack = process.program.borrow().start_stack;
    let mut info = ProcessInfo { start_stack, umask: process.fs.umask.get(), ..ProcessInfo::default() };
    let Some(space) = process.space.borrow().clone() else { return info };
    let space = space.borrow();
    info.virtual_pages = space.vmas().total_pages();
    info.peak_virtual_pages = space.vmas().peak_pages();
    info.locked_pages = space.vmas().locked_pages();
    info.peak_resident_pages = space.peak_resident_pages(&mem::memory());
    info.resident_pages = space.counted_pages(&mem::memory());
    info.swapped_pages = mem::memory().space(space.key()).swapped_pages;
    for vma in space.vmas().iter() {
        let pages = vma.range.len_pages();
        if vma.flags.contains(VmaFlags::GROWS_DOWN) {
            info.stack_pages += pages;
        } else if vma.prot.contains(Prot::WRITE) {
            info.data_pages += if vma.is_shared() { 0 } else { pages };
        } else if vma.prot.contains(Prot::EXEC) {
            info.text_pages += pages;
        }
    }
    info
}

fn with_usage(info: ProcessInfo, process: &Process, usage: &Usage) -> ProcessInfo {
    ProcessInfo {
        minor_faults: usage.minor_faults,
        major_faults: usage.major_faults,
        user_ticks: usage.user_ticks / TICKS_PER_HUNDREDTH,
        system_ticks: usage.system_ticks / TICKS_PER_HUNDREDTH,
        start_ticks: process.start_ticks / TICKS_PER_HUNDREDTH,
        ..info
    }
}

fn with_signals(info: ProcessInfo, thread: &Thread) -> ProcessInfo {
    let (own, signals) = (thread.signals.borrow(), thread.process.signals.borrow());
    let with = |disposition| {
        (1..=Signal::COUNT as u64)
            .filter_map(Signal::new)
            .filter(|&signal| signals.action(signal).disposition() == disposition)
            .fold(0, |set, signal| set | 1 << (signal.number() - 1))
    };
    ProcessInfo {
        signals_blocked: own.blocked().0,
        signals_pending: own.pending_alone().0,
        signals_pending_shared: signals.pending().0,
        signals_ignored: with(Disposition::Ignore),
        signals_caught: with(Disposition::Handler),
        ..info
    }
}

fn map_info(vma: &Vma) -> MapInfo<'_> {
    let (offset, file) = match vma.backing {
        Backing::Anon => (0, None),
        Backing::File(file) => (file.first_page * isa::PAGE_SIZE, pages::told_file_of(file.file)),
    };
    MapInfo {
        start: vma.range.start.base().0,
        end: vma.range.end.base().0,
        readable: vma.prot.contains(Prot::READ),
        writable: vma.prot.contains(Prot::WRITE),
        executable: vma.prot.contains(Prot::EXEC),
        shared: vma.is_shared(),
        flags: map_flags(vma.flags),
        offset,
        file,
        name: vma.name.as_bytes(),
        is_deleted: vma.file().is_some_and(pages::is_unlinked),
    }
}

fn map_flags(flags: VmaFlags) -> MapFlags {
    let pairs = [
        (VmaFlags::NEVER_WRITABLE, MapFlags::NEVER_WRITABLE),
        (VmaFlags::GROWS_DOWN, MapFlags::GROWS_DOWN),
        (VmaFlags::LOCKED, MapFlags::LOCKED),
        (VmaFlags::LOCKED_ON_FAULT, MapFlags::LOCKED_ON_FAULT),
        (VmaFlags::DONT_FORK, MapFlags::DONT_FORK),
        (VmaFlags::WIPE_ON_FORK, MapFlags::WIPE_ON_FORK),
    ];
    pairs.into_iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, told)| told).collect()
}

/// What is in memory and in swap space of a VMA.
fn use_of(space: &AddressSpace, vma: &Vma) -> MapUse {
    let memory = mem::memory();
    let mut used = MapUse::default();
    let mut rest = vma.range;
    while let Some((vpn, pte)) = space.next_entry(&memory, rest) {
        rest.start = Vpn(vpn.0 + 1);
        if let Some(NotPresent::Swapped(slot)) = NotPresent::decode(pte) {
            used.swapped += 1;
            used.swapped_share_bytes += isa::PAGE_SIZE / u64::from(memory.swap().get(slot).names.max(1));
        }
        let Some(frame) = memory.frames().lookup(pte.ppn()).filter(|_| pte.is_valid()) else { continue };
        // The page of zeros is nobody's.
        if frame == memory.zero_page() {
            continue;
        }
        let info = memory.frames().info(frame);
        // What is nobody's but a program's is nowhere else, unless it has given it up and stored nothing since.
        let is_stored_to = pte.flags().contains(PteFlags::D);
        let is_given_up = info.is_disposable && !is_stored_to;
        let is_dirty = is_stored_to || matches!(info.kind, FrameKind::Anon(_)) && !is_given_up;
        used.given_up += u64::from(is_given_up);
        *match (info.maps > 1, is_dirty) {
            (true, false) => &mut used.shared_clean,
            (true, true) => &mut used.shared_dirty,
            (false, false) => &mut used.private_clean,
            (false, true) => &mut used.private_dirty,
        } += 1;
        used.share_bytes += isa::PAGE_SIZE / u64::from(info.maps.max(1));
        used.referenced += u64::from(pte.flags().contains(PteFlags::A));
        match info.kind {
            FrameKind::PageCache(key) if pages::file_of(key.file).is_some_and(fs::FileId::is_on_disk) => {
                used.file += 1
            }
            FrameKind::PageCache(_) | FrameKind::Orphan => used.memory_file += 1,
            _ => used.anonymous += 1,
        }
    }
    used.swapped += swapped_of_file(&memory, space, vma);
    used
}

/// How many pages of a file in memory are in swap space that a VMA shows. (Such a page has no entry, but for one of a private copy.)
///
/// Cost: a look at each page that the file has there.
fn swapped_of_file(memory: &mm::Memory<mem::DirectMap>, space: &AddressSpace, vma: &Vma) -> u64 {
    let Backing::File(shown) = vma.backing else { return 0 };
    if !memory.swap().is_there() || !memory.cache().may_be_only_here(shown.file) {
        return 0;
    }
    let end = shown.first_page + vma.range.len_pages();
    let (mut next, mut count) = (shown.first_page, 0);
    while let Some(key) = memory.cache().next_page(shown.file, next).filter(|key| key.index < end) {
        next = key.index + 1;
        let vpn = Vpn(vma.range.start.0 + key.index - shown.first_page);
        let is_out = matches!(memory.cache().lookup(key), PageLookup::Swapped(_) | PageLookup::SwapBusy(_));
        count += u64::from(is_out && space.pte(memory, vpn) == Pte::EMPTY);
    }
    count
}

/// What a process may do, now or as `access` asks.
fn capabilities_of(who: &Credentials, by_real_ids: bool) -> CapSet {
    if by_real_ids { who.capabilities_by_real_ids() } else { who.capabilities.effective }
}

/// What `readlink` says of a descriptor.
fn name_of(files: &fs::OpenFiles, id: fs::OpenFileId) -> Result<Vec<u8>, Errno> {
    let file = files.get(id);
    Ok(match (&file.location, &file.object) {
        (Some(location), _) => location.name()?,
        (None, fs::Object::Pipe { pipe, .. }) => alloc::format!("pipe:[{}]", pipe.0).into_bytes(),
        (None, fs::Object::Socket(socket)) => alloc::format!("socket:[{}]", socket.0 + 1).into_bytes(),
        (None, fs::Object::Device(fs::Device::Stdio { stream })) => {
            alloc::format!("/dev/std{}", ["in", "out", "err"][usize::from(*stream).min(2)]).into_bytes()
        }
        (None, fs::Object::Anonymous(_)) => files.anonymous(id)?.0.name().as_bytes().to_vec(),
        _ => b"anon_inode:[unknown]".to_vec(),
    })
}
