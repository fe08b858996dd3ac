//! Processes, their address spaces and the frames, as the event stream tells of them: what `ps`, `maps` and `frames`
//! show, and what gives an address of a process its file and symbol.

use super::event::Event;
use super::frames::{FrameContent, FrameView, Frames, SystemUse};
use super::space::{Away, SpaceView, VmaView, asid, title_of_file};
use isa::events::{EventKind, EventRecord, WRITTEN};
use isa::{PAGE_SIZE, Ppn, VirtAddr, Vpn};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many processes that have ended are remembered.
const MAX_ENDED: usize = 1000;
/// Of how many of them the address space is remembered.
const MAX_REMAINS: usize = 16;

/// What a process does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProcessState {
    /// It has this hart.
    Running {
        /// Which hart.
        hart: usize,
    },
    /// It waits: for its turn, or for something to happen. The stream does not tell which.
    Waiting,
    /// It has ended.
    Ended {
        /// The status in the encoding of `wait4`.
        status: u64,
    },
}

/// A process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProcessView {
    /// Its number.
    pub pid: u64,
    /// The process that made it; 0 is the kernel.
    pub parent: u64,
    /// The path of its program; until its first `exec` that of its parent.
    pub program: String,
    /// The number of its address space; 0 as long as it has none.
    pub space: u64,
    /// The `satp` of its address space; 0 as long as no event has told it.
    pub satp: u64,
    /// What it does.
    pub state: ProcessState,
    /// The numbers of its threads; of a process that has ended, the last one's.
    pub threads: BTreeSet<u64>,
    /// Page faults it has had.
    pub faults: u64,
}

impl ProcessView {
    fn new(pid: u64, space: u64) -> Self {
        let (program, state, threads) = (String::new(), ProcessState::Waiting, BTreeSet::from([pid]));
        Self { pid, parent: 0, program, space, satp: 0, state, threads, faults: 0 }
    }
    /// The last component of its program's path.
    pub fn name(&self) -> &str {
        self.program.rsplit('/').next().unwrap_or(&self.program)
    }
    /// Its address-space identifier.
    pub fn asid(&self) -> u16 {
        asid(self.satp)
    }
    /// Whether it has not ended.
    pub fn is_alive(&self) -> bool {
        !matches!(self.state, ProcessState::Ended { .. })
    }
}

/// The guest OS as its events tell of it.
#[derive(Clone, Debug, Default)]
pub struct GuestView {
    processes: BTreeMap<u64, ProcessView>,
    /// By number. Processes without one share that of 0.
    spaces: BTreeMap<u64, SpaceView>,
    frames: Frames,
    /// Paths of files that were mapped, by the kernel's numbers.
    files: BTreeMap<u64, String>,
    /// The process and the thread that each hart runs.
    running: BTreeMap<usize, (u64, u64)>,
    /// Processes that have ended, oldest first.
    ended: Vec<u64>,
    /// The address spaces that the last of them had, as they were at the end.
    remains: VecDeque<(u64, SpaceView)>,
}

impl GuestView {
    /// Takes in the next event.
    pub fn fold(&mut self, event: &Event) {
        let record = &event.record;
        let Some(kind) = event.kind() else { return };
        // What is undone after a process has ended, its end has told already.
        let ended = self.process(record.pid).is_some_and(|process| !process.is_alive());
        if ended && !is_of_the_machine(kind) {
            return;
        }
        if record.pid != 0 {
            self.introduce(record.pid, record.space);
        }
        if event.is_fault() {
            if let Some(process) = self.processes.get_mut(&record.pid) {
                process.faults += 1;
            }
            self.map_page(kind, record);
            return;
        }
        let (start, end, space) = (VirtAddr(record.va), page_end(record.va_end), record.space);
        match kind {
            EventKind::Mmap => self.mmap(event, start, end),
            EventKind::Munmap => {
                self.unmap_pages(space, start, end);
                self.space_mut(space).remove(start, end);
            }
            EventKind::Discard => self.unmap_pages(space, start, end),
            EventKind::Mremap => self.move_pages(space, start, end, VirtAddr(record.detail2)),
            EventKind::Mprotect => self.space_mut(space).protect(start, end, record.detail3),
            EventKind::Brk => {
                if let Some(old_end) = self.space_mut(space).set_heap(start, end) {
                    self.unmap_pages(space, end, old_end);
                }
            }
            EventKind::Fork => self.fork(record),
            EventKind::Populate => {
                EventKind::from_number(record.detail3)
                    .into_iter()
                    .for_each(|kind| self.map_page(kind, record));
            }
            EventKind::MapAround => self.map_page(EventKind::FileCache, record),
            EventKind::ForkCopy => {
                let of_child = EventRecord { space: record.detail2, ..*record };
                self.map_page(EventKind::CowCopy, &of_child);
            }
            EventKind::CowShare => self.share_pages(record, start, end),
            EventKind::Exec => self.exec(record, &event.text),
            EventKind::Exit => self.exit(record),
            EventKind::Switch => self.switch(event.hart, record),
            EventKind::Thread => {
                self.threads_mut(record.pid).map(|threads| threads.insert(record.detail));
            }
            EventKind::ThreadExit => {
                self.threads_mut(record.pid).map(|threads| threads.remove(&record.tid));
            }
            EventKind::Evict => self.evict(Ppn(record.frame), record.detail, record.detail2),
            EventKind::CacheFill => {
                self.frames.forget(Ppn(record.frame));
                let content = FrameContent::File { file: record.detail, page: record.detail2 };
                self.frames.hold(Ppn(record.frame), content);
            }
            EventKind::CacheDrop => self.frames.drop_cached(Ppn(record.frame)),
            EventKind::FrameTake => self.frames.take(Ppn(record.frame), record.detail),
            EventKind::FrameFree => self.frames.forget(Ppn(record.frame)),
            // A read that filled a page of the page cache names its frame.
            EventKind::DiskRead if record.frame != 0 => {
                let content = FrameContent::File { file: record.detail3, page: record.va / PAGE_SIZE };
                self.frames.hold(Ppn(record.frame), content);
            }
            EventKind::SwapOut => self.swap_out(record),
            EventKind::EvictEntry => {
                let vpn = start.page();
                self.unmap_pages(space, start, VirtAddr(start.0 + PAGE_SIZE));
                if record.detail != 0 {
                    self.space_mut(space).set_away(vpn, Away::told(record.detail, 0));
                    self.frames.name_slot(Ppn(record.frame), record.detail);
                }
            }
            EventKind::SwapCache => {
                self.frames.forget(Ppn(record.frame));
                self.frames.hold(Ppn(record.frame), FrameContent::Swap { slot: record.detail });
                if record.detail2 != 0 {
                    self.frames.begin_read(Ppn(record.frame));
                }
            }
            _ => {}
        }
    }

    /// A page has left memory, whoever mapped it.
    fn evict(&mut self, frame: Ppn, file: u64, page: u64) {
        for (space, vpn) in self.frames.evict(frame, file, page) {
            self.space_mut(space).forget_page(vpn);
        }
    }

    /// A page goes out to swap space, whoever mapped it.
    fn swap_out(&mut self, record: &EventRecord) {
        let is_private = record.detail == 0;
        for (space, vpn) in self.frames.swap_out(Ppn(record.frame), record.refs, record.flags == WRITTEN) {
            let space = self.space_mut(space);
            space.forget_page(vpn);
            if is_private {
                space.set_away(vpn, Away::told(record.refs, record.flags));
            }
        }
    }

    /// The processes in the order of their numbers, those that have ended too.
    pub fn processes(&self) -> impl Iterator<Item = &ProcessView> {
        self.processes.values()
    }
    /// A process.
    pub fn process(&self, pid: u64) -> Option<&ProcessView> {
        self.processes.get(&pid)
    }
    /// Whether there were processes, and all have ended.
    pub fn is_over(&self) -> bool {
        !self.processes.is_empty() && self.processes().all(|process| !process.is_alive())
    }
    /// The process that a hart runs.
    pub fn running_on(&self, hart: usize) -> Option<&ProcessView> {
        self.process(self.running.get(&hart)?.0)
    }
    /// The number of the thread that a hart runs.
    pub fn thread_on(&self, hart: usize) -> Option<u64> {
        self.running.get(&hart).map(|&(_, tid)| tid)
    }
    /// The process, not ended, whose address space this is (the first one, if several share it).
    pub fn process_of_space(&self, space: u64) -> Option<&ProcessView> {
        self.processes().find(|process| process.is_alive() && process.space == space)
    }
    /// The processes, not ended, whose address spaces `is_meant`.
    pub(super) fn processes_in(&self, is_meant: impl Fn(u64) -> bool) -> BTreeSet<u64> {
        let living = self.processes().filter(|process| process.is_alive());
        living.filter(|process| is_meant(process.space)).map(|process| process.pid).collect()
    }
    /// The processes that map a frame.
    pub(super) fn owners_of(&self, frame: Ppn) -> BTreeSet<u64> {
        match self.frame(frame) {
            Some(view) if !view.mappings.is_empty() => self.processes_in(|space| {
                view.mappings.range((space, Vpn(0))..=(space, Vpn(u64::MAX))).next().is_some()
            }),
            _ => BTreeSet::new(),
        }
    }
    /// The address spaces whose entries name a slot of the swap space, each with the page.
    ///
    /// Cost: a look at each private page that is away.
    pub fn names_of_slot(&self, slot: u64) -> impl Iterator<Item = (u64, Vpn)> + '_ {
        let names = move |space: &SpaceView| -> Vec<Vpn> {
            space.all_away().filter(|&(_, away)| away == Away::Slot(slot)).map(|(vpn, _)| vpn).collect()
        };
        self.spaces
            .iter()
            .flat_map(move |(&number, space)| names(space).into_iter().map(move |vpn| (number, vpn)))
    }
    /// The process, not ended, that a hart with this `satp` runs (the first one, if several share the address space).
    pub fn process_of_satp(&self, satp: u64) -> Option<&ProcessView> {
        self.processes().find(|process| process.is_alive() && process.satp == satp)
    }
    /// The address space of a process that has not ended.
    pub fn space(&self, pid: u64) -> Option<&SpaceView> {
        self.spaces.get(&self.process(pid).filter(|process| process.is_alive())?.space)
    }
    /// The address space of a process; of one of the last that have ended, as it was then.
    pub fn last_space(&self, pid: u64) -> Option<&SpaceView> {
        let remains = || self.remains.iter().rev().find(|(of, _)| *of == pid).map(|(_, space)| space);
        self.space(pid).or_else(remains)
    }
    /// The slots of the swap space that private pages are in, each with an address space and the page whose it is.
    pub fn named_slots(&self) -> impl Iterator<Item = (u64, u64, Vpn)> + '_ {
        self.spaces.iter().flat_map(|(&number, space)| {
            space.all_away().filter_map(move |(vpn, away)| match away {
                Away::Slot(slot) => Some((slot, number, vpn)),
                Away::Zeros | Away::GivenUp => None,
            })
        })
    }
    /// Whether a process has several threads.
    pub fn has_threads(&self, pid: u64) -> bool {
        self.process(pid).is_some_and(|process| process.threads.len() > 1)
    }

    /// The VMA of a process that holds an address.
    pub fn vma_at(&self, pid: u64, va: VirtAddr) -> Option<&VmaView> {
        self.space(pid)?.vma_at(va)
    }
    /// The path of a file, if it was ever mapped with a name.
    pub fn file_name(&self, file: u64) -> Option<&str> {
        self.files.get(&file).map(|name| title_of_file(name))
    }
    /// The frames that hold pages, in the order of their numbers.
    pub fn frames(&self) -> impl Iterator<Item = (Ppn, &FrameView)> {
        self.frames.iter()
    }
    /// A frame, if it holds a page.
    pub fn frame(&self, frame: Ppn) -> Option<&FrameView> {
        self.frames.get(frame)
    }
    /// The frame in which the page of a swap slot lies whole, if it is in memory.
    pub fn frame_of_slot(&self, slot: u64) -> Option<Ppn> {
        self.frames.frame_of_slot(slot)
    }
    /// The frames that the kernel has for itself, in the order of their numbers.
    pub fn system_frames(&self) -> impl Iterator<Item = (Ppn, SystemUse)> + '_ {
        self.frames.system()
    }
    /// How many frames hold pages: of programs (page tables not included) and of the page cache.
    pub fn frames_in_use(&self) -> u64 {
        self.frames.len()
    }
    /// How many frames programs have, as `--frames` counts them: those that hold pages, and page tables.
    pub fn frames_of_programs(&self) -> u64 {
        self.frames.len() + self.frames.page_tables()
    }
    /// How many of those are private memory of processes, also in the swap cache, or page tables: what nobody else can use.
    pub fn frames_private(&self) -> u64 {
        self.frames.private() + self.frames.page_tables()
    }
    /// Where a process has the first page of its program.
    pub fn first_page_of_program(&self, pid: u64) -> Option<VirtAddr> {
        let program = &self.process(pid)?.program;
        let is_first = |vma: &&VmaView| vma.name == *program && vma.offset_bytes < PAGE_SIZE;
        self.last_space(pid)?.vmas().find(is_first).map(|vma| vma.start)
    }

    /// A process that the stream has not told of yet runs in this address space.
    fn introduce(&mut self, pid: u64, space: u64) {
        if !self.processes.contains_key(&pid) {
            self.enter_space(space);
            self.processes.insert(pid, ProcessView::new(pid, space));
        }
    }
    fn threads_mut(&mut self, pid: u64) -> Option<&mut BTreeSet<u64>> {
        self.processes.get_mut(&pid).map(|process| &mut process.threads)
    }
    fn space_mut(&mut self, space: u64) -> &mut SpaceView {
        self.spaces.entry(space).or_default()
    }

    /// A page has what a fault of this kind gives it.
    fn map_page(&mut self, kind: EventKind, record: &EventRecord) {
        let (va, frame) = (VirtAddr(record.va), Ppn(record.frame));
        let file = FrameContent::File { file: record.detail, page: record.detail2 };
        let content = match kind {
            EventKind::Protection | EventKind::Segv => return,
            EventKind::ZeroShared => FrameContent::Zero,
            EventKind::FileDisk | EventKind::FileCache | EventKind::SharedMap => file,
            EventKind::FileCopy => {
                self.frames.hold(Ppn(record.previous_frame), file);
                FrameContent::Anonymous
            }
            // What the frame holds is known from the fault that mapped it first.
            EventKind::Accessed | EventKind::Dirtied => {
                self.frames.get(frame).map_or(FrameContent::Anonymous, |f| f.content)
            }
            _ => FrameContent::Anonymous,
        };
        if frame.0 == 0 {
            return;
        }
        if kind == EventKind::StackGrow {
            self.space_mut(record.space).grow_stack_to(va);
        }
        if is_new_frame(kind) {
            self.frames.forget(frame);
        }
        self.frames.hold(frame, content);
        if kind == EventKind::SwapIn && record.detail != 0 {
            self.frames.name_slot(frame, record.detail);
        }
        self.frames.map(frame, record.space, va.page());
        let before = self.space_mut(record.space).set_page(va.page(), frame);
        if let Some(before) = before.filter(|&before| before != frame) {
            self.frames.unmap(before, record.space, va.page());
        }
    }

    fn mmap(&mut self, event: &Event, start: VirtAddr, end: VirtAddr) {
        let record = &event.record;
        let file = record.detail;
        if file != 0 && !event.text.is_empty() {
            self.files.insert(file, event.text.clone());
        }
        // A mapping at a place that was taken replaces what was there.
        self.unmap_pages(record.space, start, end);
        let vma = VmaView {
            start,
            end,
            file,
            offset_bytes: record.detail2,
            flags: record.detail3,
            name: event.text.clone(),
        };
        if start < end {
            self.space_mut(record.space).insert(vma);
        }
    }

    fn unmap_pages(&mut self, space: u64, start: VirtAddr, end: VirtAddr) {
        for (vpn, frame) in self.space_mut(space).take_pages(start, end) {
            self.frames.unmap(frame, space, vpn);
        }
    }

    fn move_pages(&mut self, space: u64, start: VirtAddr, end: VirtAddr, to: VirtAddr) {
        let moved = |vpn: Vpn| Vpn(to.page().0.wrapping_add(vpn.0 - start.page().0));
        let away = self.space_mut(space).away_in(start, end);
        for (vpn, frame) in self.space_mut(space).take_pages(start, end) {
            // First there, so that the frame is somebody's all the time.
            self.frames.map(frame, space, moved(vpn));
            self.frames.unmap(frame, space, vpn);
            self.space_mut(space).set_page(moved(vpn), frame);
        }
        for (vpn, place) in away {
            self.space_mut(space).set_away(moved(vpn), place);
        }
    }

    fn fork(&mut self, record: &EventRecord) {
        let (parent, pid, space) = (record.pid, record.detail, record.detail3);
        let program = self.process(parent).map_or(String::new(), |parent| parent.program.clone());
        self.ended.retain(|&ended| ended != pid);
        self.remains.retain(|(ended, _)| *ended != pid);
        self.processes.remove(&pid);
        if space != record.space {
            let mut copy = self.spaces.get(&record.space).cloned().unwrap_or_default();
            copy.users = 0;
            // Which of the parent's pages the child maps, `cow_share` tells.
            copy.take_pages(VirtAddr(0), VirtAddr(u64::MAX));
            self.spaces.insert(space, copy);
        }
        self.enter_space(space);
        let child = ProcessView { parent, program, satp: record.detail2, ..ProcessView::new(pid, space) };
        self.processes.insert(pid, child);
    }

    fn share_pages(&mut self, record: &EventRecord, start: VirtAddr, end: VirtAddr) {
        let child = record.detail2;
        for (vpn, frame) in self.space_mut(record.space).pages_in(start, end) {
            self.space_mut(child).set_page(vpn, frame);
            self.frames.map(frame, child, vpn);
        }
        for (vpn, away) in self.space_mut(record.space).away_in(start, end) {
            self.space_mut(child).set_away(vpn, away);
        }
    }

    fn exec(&mut self, record: &EventRecord, program: &str) {
        let Some(process) = self.processes.get_mut(&record.pid) else { return };
        let before = core::mem::replace(&mut process.space, record.space);
        process.satp = record.detail2;
        process.program = program.to_owned();
        // Whichever thread asked for it, it is the process's first now.
        process.threads = BTreeSet::from([record.pid]);
        if let Some((_, tid)) = self.running.values_mut().find(|(pid, _)| *pid == record.pid) {
            *tid = record.pid;
        }
        // Entered first: a process that this event has introduced is in its new address space already.
        self.enter_space(record.space);
        self.leave_space(before);
    }

    fn exit(&mut self, record: &EventRecord) {
        let Some(process) = self.processes.get_mut(&record.pid).filter(|process| process.is_alive()) else {
            return;
        };
        process.state = ProcessState::Ended { status: record.detail };
        let space = process.space;
        if let Some(last) = self.leave_space(space) {
            self.remains.push_back((record.pid, last));
            if self.remains.len() > MAX_REMAINS {
                self.remains.pop_front();
            }
        }
        self.running.retain(|_, &mut (pid, _)| pid != record.pid);
        self.ended.push(record.pid);
        if self.ended.len() > MAX_ENDED {
            let oldest = self.ended.remove(0);
            self.processes.remove(&oldest);
        }
    }

    fn switch(&mut self, hart: usize, record: &EventRecord) {
        if let Some((before, _)) = self.running.remove(&hart)
            && let Some(process) = self.processes.get_mut(&before)
            && process.is_alive()
        {
            process.state = ProcessState::Waiting;
        }
        if record.pid == 0 {
            return;
        }
        self.running.insert(hart, (record.pid, record.tid));
        if let Some(process) = self.processes.get_mut(&record.pid) {
            process.state = ProcessState::Running { hart };
            process.satp = record.detail2;
        }
    }

    /// One process more runs in the address space.
    fn enter_space(&mut self, space: u64) {
        self.space_mut(space).users += 1;
    }
    /// One process less runs in the address space; the last one takes it along, and what it was is returned.
    fn leave_space(&mut self, space: u64) -> Option<SpaceView> {
        let view = self.space_mut(space);
        view.users = view.users.saturating_sub(1);
        if view.users == 0 { self.drop_space(space) } else { None }
    }
    fn drop_space(&mut self, space: u64) -> Option<SpaceView> {
        let view = self.spaces.remove(&space)?;
        for (vpn, frame) in view.pages() {
            self.frames.unmap(frame, space, vpn);
        }
        Some(view)
    }
}

/// Whether the event is about frames or the hart, whichever process caused it.
fn is_of_the_machine(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Switch
            | EventKind::Evict
            | EventKind::CacheFill
            | EventKind::CacheDrop
            | EventKind::FrameTake
            | EventKind::FrameFree
            | EventKind::SwapOut
            | EventKind::SwapCache
            | EventKind::EvictEntry
            | EventKind::DiskRead
    )
}

/// Whether the fault's frame was free before.
fn is_new_frame(kind: EventKind) -> bool {
    matches!(kind, EventKind::Zero | EventKind::StackGrow | EventKind::FileCopy | EventKind::CowCopy)
}

/// The end of a range, rounded up to a page.
fn page_end(end: u64) -> VirtAddr {
    VirtAddr(end.checked_next_multiple_of(PAGE_SIZE).unwrap_or(end))
}
