//! A process as the kernel sees it: an address space, what is open, what its threads share. See [`crate::processes::thread`].

use crate::files::vfs::open_files;
use crate::hart::{current, hart};
use crate::local::HartLocal;
use crate::memory::{claim, mem};
use crate::processes::thread::{self, Room, Thread};
use crate::processes::timers::Timers;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::ops::Deref;
use fs::{Errno, FileUse, Location, OpenFileId, TerminalId, Transfers};
use isa::paging::Satp;
use linux_raw_sys::general as linux;
use mm::{AddressSpace, SpaceId};
use proc::{
    CapSet, Credentials, DescriptorTable, ExitStatus, Ids, NoNumber, Pid, ProcessSignals, ProcessTable,
    Signal, Tid,
};

/// An address space, with what of it never changes beside it.
pub struct Space {
    /// Its number.
    pub id: SpaceId,
    /// What makes it the hart's.
    pub satp: Satp,
    /// Others of the same user may look into it (`PR_SET_DUMPABLE`). Not after its process has become somebody else.
    pub is_dumpable: Cell<bool>,
    space: RefCell<AddressSpace>,
}

/// An address space as those share it that run in it: threads, by their process, and a parent with its child after `vfork`.
pub type SharedSpace = Rc<Space>;

impl Space {
    /// To be shared.
    pub fn new(space: AddressSpace, is_dumpable: bool) -> SharedSpace {
        let is_dumpable = Cell::new(is_dumpable);
        Rc::new(Self { id: space.id(), satp: space.satp(), is_dumpable, space: RefCell::new(space) })
    }
}

impl Deref for Space {
    type Target = RefCell<AddressSpace>;
    fn deref(&self) -> &Self::Target {
        &self.space
    }
}

/// Descriptors as those share them that `clone` with CLONE_FILES has made.
pub type SharedFiles = Rc<RefCell<DescriptorTable<OpenFileId>>>;

/// What CLONE_FS shares.
#[derive(Clone)]
pub struct FsContext {
    /// The current directory; none before the root is mounted, and after the end.
    pub cwd: RefCell<Option<Location>>,
    /// The file-mode mask.
    pub umask: Cell<u32>,
}

/// What a process executes, kept for `/proc` and for error messages.
#[derive(Clone, Default)]
pub struct Program {
    /// Absolute path, links resolved.
    pub path: Rc<Vec<u8>>,
    /// Arguments, each ended by a NUL. Shared with forked children: it never changes.
    pub arguments: Rc<Vec<u8>>,
    /// Environment, each entry ended by a NUL, shared likewise.
    pub environment: Rc<Vec<u8>>,
    /// The auxiliary vector, shared likewise.
    pub auxv: Rc<Vec<u8>>,
    /// The stack pointer at the start.
    pub start_stack: u64,
    /// Its file is not to be written (ETXTBSY), if it is one that can be.
    pub executing: Option<Rc<FileUse>>,
}

/// Times and counts, for `getrusage` and `/proc`. Times are in ticks of the timebase.
#[derive(Clone, Copy, Default)]
pub struct Usage {
    /// Time in user mode.
    pub user_ticks: u64,
    /// Time in the kernel.
    pub system_ticks: u64,
    /// Faults that did not wait for the device.
    pub minor_faults: u64,
    /// Faults that did.
    pub major_faults: u64,
    /// The most pages that were mapped at once.
    pub peak_resident_pages: u64,
}

impl Usage {
    /// Nothing.
    pub const NONE: Self =
        Self { user_ticks: 0, system_ticks: 0, minor_faults: 0, major_faults: 0, peak_resident_pages: 0 };
    /// Adds a child's.
    pub fn add(&mut self, other: &Usage) {
        self.user_ticks += other.user_ticks;
        self.system_ticks += other.system_ticks;
        self.minor_faults += other.minor_faults;
        self.major_faults += other.major_faults;
        self.peak_resident_pages = self.peak_resident_pages.max(other.peak_resident_pages);
    }
}

/// A process: what its threads share.
pub struct Process {
    /// Its number.
    pub pid: Pid,
    /// Its address space; none before the first `execve` and after its end.
    pub space: RefCell<Option<SharedSpace>>,
    files: RefCell<Option<SharedFiles>>,
    /// What is to be done with signals, and those that were sent to it as a whole.
    pub signals: RefCell<ProcessSignals>,
    /// Its current directory and its file-mode mask.
    pub fs: Rc<FsContext>,
    /// Who it is.
    pub credentials: RefCell<Credentials>,
    /// Its controlling terminal.
    pub terminal: Cell<Option<TerminalId>>,
    /// What it executes.
    pub program: RefCell<Program>,
    /// Times and counts of its threads that have ended, and the most memory that it has had.
    pub ended_usage: Cell<Usage>,
    /// Those of its children that were waited for.
    pub children_usage: Cell<Usage>,
    /// What it has read and written.
    pub transfers: Cell<Transfers>,
    /// When it was made, in ticks.
    pub start_ticks: u64,
    /// Others may close its files: since it began to execute its program, it has had more than one thread, or has shared its descriptors.
    pub has_had_threads: Cell<bool>,
    /// It executes a program of its own: one that its parent has not seen start.
    pub has_executed: Cell<bool>,
    /// The signal it gets when its parent ends (`PR_SET_PDEATHSIG`).
    pub death_signal: Cell<Option<Signal>>,
    /// How much rather than others it is killed when memory runs out, from -1000 to 1000 (`oom_score_adj`); and the least that it may ask
    /// for without being root.
    pub oom_score_adj: Cell<i16>,
    /// See there.
    pub oom_score_adj_least: Cell<i16>,
    /// It has said that it wants no huge pages, of which there are none (`PR_SET_THP_DISABLE`).
    pub refuses_huge_pages: Cell<bool>,
    /// Borrows its parent's address space until it executes a program or ends (CLONE_VFORK).
    pub borrows_space: Cell<bool>,
    /// `RLIMIT_STACK`, `RLIMIT_NOFILE` and the others, soft and hard.
    pub limits: RefCell<Box<[(u64, u64); crate::syscall::limits::COUNT]>>,
    /// Its timers, and what it may use of the hart's time.
    pub timers: Timers,
    /// The signal that stopped it, while it is stopped: none of its threads enters user mode.
    pub stopped: Cell<Option<Signal>>,
    /// A stop that its parent has not been told of by `wait4`.
    pub stop_unreported: Cell<bool>,
    /// A continuation that its parent has not been told of.
    pub continue_unreported: Cell<bool>,
    /// It goes on after a stop: when it does, its parent gets SIGCHLD.
    pub continues: Cell<bool>,
    /// How it ends, once it is decided that all its threads do (`exit_group`, a fatal signal).
    pub ending: Cell<Option<ExitStatus>>,
}

impl Process {
    /// Its address space.
    #[track_caller]
    pub fn space(&self) -> SharedSpace {
        self.space.borrow().clone().expect("a process in user mode has an address space")
    }
    /// The `satp` it runs with: the kernel's own while it has no address space.
    pub fn satp(&self) -> Satp {
        match &*self.space.borrow() {
            Some(space) => space.satp,
            None => Satp::sv39(crate::arch::kernel_root(), 0),
        }
    }
    /// The number of its address space, for events; 0 while it has none.
    pub fn space_id(&self) -> u64 {
        self.space.borrow().as_ref().map_or(0, |space| u64::from(space.id.0))
    }
    /// Its descriptors, which only its end takes away.
    pub fn files(&self) -> SharedFiles {
        self.files_if_any().expect("a process that makes a call has descriptors")
    }
    /// The descriptors of a process that may be about to end.
    pub fn files_if_any(&self) -> Option<SharedFiles> {
        self.files.borrow().clone()
    }
    /// Makes its descriptors its own, if it shares them.
    pub fn unshare_files(&self) -> Result<(), Errno> {
        if let Some(files) = &mut *self.files.borrow_mut()
            && Rc::strong_count(files) > 1
        {
            *files = copy_of(files)?;
        }
        Ok(())
    }
    /// Takes its descriptors away, at its end.
    pub fn take_files(&self) -> Option<SharedFiles> {
        self.files.take()
    }
    /// Its current directory.
    pub fn cwd(&self) -> Location {
        self.fs.cwd.borrow().clone().expect("the first process has a directory before it runs a program")
    }
    /// Whether the running process may look into it: it is itself, or its user's, or root.
    pub fn may_be_inspected(&self, by_real_ids: bool) -> bool {
        let this = current();
        let who = this.process.credentials.borrow();
        let is_open = || self.space.borrow().as_ref().is_none_or(|space| space.is_dumpable.get());
        self.pid == this.process.pid
            || who.can(CapSet::SYS_PTRACE)
            || is_open() && who.may_inspect(&self.credentials.borrow(), by_real_ids)
    }
    /// How large its stack may become, in bytes (`RLIMIT_STACK`).
    pub fn stack_limit(&self) -> u64 {
        self.limits.borrow()[linux_raw_sys::general::RLIMIT_STACK as usize].0
    }
    /// Its times and counts so far, those of all its threads together.
    pub fn usage(&self) -> Usage {
        let mut sum = self.ended_usage.get();
        each_thread(self.pid, |thread| sum.add(&thread.usage.get()));
        if let Some(space) = &*self.space.borrow() {
            let peak_resident_pages = space.borrow().peak_resident_pages(&mem::memory());
            sum.peak_resident_pages = sum.peak_resident_pages.max(peak_resident_pages);
        }
        sum
    }
    /// Keeps the times and counts of a thread that ends, or the most memory that the process has had.
    pub fn keep_usage(&self, usage: &Usage) {
        let mut sum = self.ended_usage.get();
        sum.add(usage);
        self.ended_usage.set(sum);
    }
    /// Counts what it has read or written.
    pub fn count_transfer(&self, count: impl FnOnce(&mut Transfers)) {
        let mut transfers = self.transfers.get();
        count(&mut transfers);
        self.transfers.set(transfers);
    }
    /// Gives a borrowed address space back: the parent goes on.
    pub fn end_borrowing(&self) {
        if self.borrows_space.take() {
            crate::processes::wait::wake(crate::processes::wait::Channel::Vfork(self.pid));
        }
    }
}

/// The same descriptors in a table of its own, each counted once more.
pub fn copy_of(files: &SharedFiles) -> Result<SharedFiles, Errno> {
    let own = files.borrow().try_clone().map_err(|_| Errno::ENOMEM)?;
    for (_, id) in own.iter() {
        open_files().duplicate(id);
    }
    Ok(Rc::new(RefCell::new(own)))
}

type Table = ProcessTable<Rc<Process>, Rc<Thread>>;

static PROCESSES: HartLocal<Option<Table>> = HartLocal::new(None);

/// Runs `action` on the process table.
pub fn table<R>(action: impl FnOnce(&mut Table) -> R) -> R {
    action(PROCESSES.get_mut().get_or_insert_default())
}

/// A living process.
pub fn find(pid: Pid) -> Option<Rc<Process>> {
    table(|t| t.get(pid))
}

/// Calls `action` for each living process, in the order of their numbers. Neither a new process nor one that ends meanwhile confuses it.
pub fn each_living(mut action: impl FnMut(&Rc<Process>)) {
    let mut after = 0;
    loop {
        let next = table(|t| t.next_living(after));
        let Some((pid, process)) = next else { return };
        action(&process);
        after = pid;
    }
}

/// The first living process that runs in this address space.
pub fn in_space(space: SpaceId) -> Option<Rc<Process>> {
    let mut found = None;
    each_living(|process| {
        if found.is_none() && process.space.borrow().as_ref().is_some_and(|its| its.id == space) {
            found = Some(process.clone());
        }
    });
    found
}

/// Calls `action` for each thread of a process, in the order of their numbers. Neither a new thread nor one that ends meanwhile
/// confuses it.
pub fn each_thread(pid: Pid, mut action: impl FnMut(&Rc<Thread>)) {
    let mut after = None;
    while let Some((tid, thread)) = table(|t| t.next_thread(pid, after)) {
        action(&thread);
        after = Some(tid);
    }
}

/// What is known of a process that has ended, until its parent asks.
#[derive(Clone, Copy, Default)]
pub struct Remains {
    /// Its usage, and that of all it waited for.
    pub usage: Usage,
    /// Whose it was: who may send it a signal.
    pub user: Ids,
}

static REMAINS: HartLocal<BTreeMap<Pid, Remains>> = HartLocal::new(BTreeMap::new());
static BURIED: HartLocal<Usage> = HartLocal::new(Usage::NONE);
static FORKS: HartLocal<u64> = HartLocal::new(0);

/// Keeps what remains of a process that has ended.
pub fn remember(pid: Pid, remains: Remains) {
    REMAINS.get_mut().insert(pid, remains);
}
/// Takes what remains of a process that was waited for.
pub fn forget(pid: Pid) -> Remains {
    REMAINS.get_mut().remove(&pid).unwrap_or_default()
}
/// Keeps the counts of a process that is gone without having been waited for.
pub fn bury(pid: Pid) {
    BURIED.get_mut().add(&forget(pid).usage);
}
/// The counts of those processes, all together.
pub fn buried_usage() -> Usage {
    *BURIED.get()
}
/// What remains of a zombie.
pub fn remains(pid: Pid) -> Option<Remains> {
    REMAINS.get().get(&pid).copied()
}
/// Calls `action` for each zombie.
pub fn each_zombie(mut action: impl FnMut(Pid, &Remains)) {
    REMAINS.get().iter().for_each(|(&pid, remains)| action(pid, remains));
}
/// Processes made since boot.
pub fn forks() -> u64 {
    *FORKS.get()
}

/// Takes a number for a new thread.
pub fn take_number(wanted: Option<Pid>) -> Result<Pid, Errno> {
    table(|t| t.number_for(wanted)).map_err(|none| match none {
        NoNumber::Taken => Errno::EEXIST,
        NoNumber::AllTaken => Errno::EAGAIN,
    })
}

/// What a child takes over from its parent, or the first process starts with.
pub struct Start {
    /// The number that it is to have, if it matters.
    pub number: Option<Pid>,
    /// Its first thread's part.
    pub thread: thread::Start,
    /// The address space.
    pub space: Option<SharedSpace>,
    /// The descriptors, already counted.
    pub files: SharedFiles,
    /// The signal state.
    pub signals: ProcessSignals,
    /// The current directory and the file-mode mask.
    pub fs: Rc<FsContext>,
    /// Who it is.
    pub credentials: Credentials,
    /// Its controlling terminal.
    pub terminal: Option<TerminalId>,
    /// What it executes.
    pub program: Program,
    /// How much rather than others it is killed, and the least of that.
    pub oom_score_adj: (i16, i16),
    /// It wants no huge pages.
    pub refuses_huge_pages: bool,
    /// The resource limits.
    pub limits: Box<[(u64, u64); crate::syscall::limits::COUNT]>,
}

/// Makes a process and its first thread and enters them into the table, not yet runnable. EAGAIN if there is no room for them, EEXIST if
/// the number that it is to have is another's.
#[inline(never)] // a frame of its own, not part of its caller's
pub fn create(
    parent: Pid,
    exit_signal: Option<Signal>,
    start: Box<Start>,
) -> Result<Rc<Thread>, (Errno, Box<Start>)> {
    let Ok(room) = Room::new() else { return Err((Errno::EAGAIN, start)) };
    let pid = match take_number(start.number) {
        Ok(pid) => pid,
        Err(error) => return Err((error, start)),
    };
    let start = *start;
    let timers = Timers::default();
    timers.limit(start.limits[linux::RLIMIT_CPU as usize]);
    let process = Rc::new(Process {
        pid,
        space: RefCell::new(start.space),
        files: RefCell::new(Some(start.files)),
        signals: RefCell::new(start.signals),
        fs: start.fs,
        credentials: RefCell::new(start.credentials),
        terminal: Cell::new(start.terminal),
        program: RefCell::new(start.program),
        ended_usage: Cell::default(),
        children_usage: Cell::default(),
        transfers: Cell::default(),
        start_ticks: crate::arch::time(),
        has_had_threads: Cell::new(false),
        has_executed: Cell::new(false),
        death_signal: Cell::new(None),
        oom_score_adj: Cell::new(start.oom_score_adj.0),
        oom_score_adj_least: Cell::new(start.oom_score_adj.1),
        refuses_huge_pages: Cell::new(start.refuses_huge_pages),
        borrows_space: Cell::new(false),
        limits: RefCell::new(start.limits),
        timers,
        stopped: Cell::new(None),
        stop_unreported: Cell::new(false),
        continue_unreported: Cell::new(false),
        continues: Cell::new(false),
        ending: Cell::new(None),
    });
    table(|t| t.insert(pid, parent, exit_signal, process.clone()));
    *FORKS.get_mut() += 1;
    Ok(thread::create(Tid(pid), process, room, start.thread))
}

/// Gives up a reference to an address space; the last one tears it down.
pub fn release_space(space: SharedSpace) {
    let Some(Space { space, .. }) = Rc::into_inner(space) else { return };
    let space = space.into_inner();
    if hart().address_space() == space.satp() {
        hart().use_kernel_address_space();
    }
    let asid = space.asid();
    space.teardown(&mut mem::memory());
    mem::free_asid(asid);
    crate::memory::pages::release_unmapped_files();
    claim::wake();
}
