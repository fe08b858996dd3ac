//! A process as the kernel sees it: its kernel thread, its registers, its address space, what it has open.
//!
//! The thread's life is [`thread_start`]: run user code until it traps, serve the trap, deliver signals, again. It ends by
//! returning to that loop with a status, so that nothing is left on its stack.

use crate::arch::{Context, FpState, TrapFrame};
use crate::hart::hart;
use crate::local::HartLocal;
use crate::mem::KernelFrame;
use crate::stack::KernelStack;
use crate::{heap, mem};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell, UnsafeCell};
use fs::{Errno, Location, OpenFileId};
use isa::paging::Satp;
use mm::AddressSpace;
use proc::{DescriptorTable, Pid, ProcessTable, Signals};

/// An address space and who shares it (after `vfork`).
pub type SharedSpace = Rc<RefCell<AddressSpace>>;

/// What a process executes, kept for `/proc` and for error messages.
#[derive(Clone, Default)]
pub struct Program {
    /// Absolute path, links resolved.
    pub path: Rc<Vec<u8>>,
    /// Last part of the path it was executed by, at most 15 bytes.
    pub name: Vec<u8>,
    /// Arguments, each ended by a NUL. Shared with forked children: it never changes.
    pub arguments: Rc<Vec<u8>>,
    /// Environment, each entry ended by a NUL, shared likewise.
    pub environment: Rc<Vec<u8>>,
    /// The stack pointer at the start.
    pub start_stack: u64,
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
    /// Adds a child's.
    pub fn add(&mut self, other: &Usage) {
        self.user_ticks += other.user_ticks;
        self.system_ticks += other.system_ticks;
        self.minor_faults += other.minor_faults;
        self.major_faults += other.major_faults;
        self.peak_resident_pages = self.peak_resident_pages.max(other.peak_resident_pages);
    }
}

/// A process.
pub struct Process {
    /// Its number.
    pub pid: Pid,
    /// The kernel thread's registers while it does not run. Written by the context switch.
    pub context: UnsafeCell<Context>,
    /// The kernel thread's stack.
    pub stack: KernelStack,
    /// Its share of the kernel heap.
    pub share: heap::Share,
    /// A page that what is copied from and to its memory passes through.
    pub scratch: RefCell<KernelFrame>,
    /// What the injector knows of it.
    pub attempts: Cell<crate::inject::Attempts>,
    /// The user's registers. Borrowed by its own thread while user code runs.
    pub frame: RefCell<Box<TrapFrame>>,
    /// The user's FP registers, when the hart does not hold them.
    pub fp: RefCell<Box<FpState>>,
    /// Its address space; none before the first `execve` and after its end.
    pub space: RefCell<Option<SharedSpace>>,
    /// Its descriptors.
    pub files: RefCell<DescriptorTable<OpenFileId>>,
    /// Its signals.
    pub signals: RefCell<Signals>,
    /// Its current directory.
    pub cwd: RefCell<Option<Location>>,
    /// Its file-mode mask.
    pub umask: Cell<u32>,
    /// What it executes.
    pub program: RefCell<Program>,
    /// Its own times and counts.
    pub usage: Cell<Usage>,
    /// Those of its children that were waited for.
    pub children_usage: Cell<Usage>,
    /// When it was made, in ticks.
    pub start_ticks: u64,
    /// When it last began to run in the kernel, in ticks.
    pub stamp: Cell<u64>,
    /// The signal its parent gets at its end; 0 for none.
    pub exit_signal: Cell<u8>,
    /// Word to store the process's number to before it first runs (CLONE_CHILD_SETTID).
    pub set_child_tid: Cell<u64>,
    /// Borrows its parent's address space until it executes a program or ends (CLONE_VFORK).
    pub borrows_space: Cell<bool>,
    /// Word to clear at the end (CLONE_CHILD_CLEARTID, `set_tid_address`).
    pub clear_child_tid: Cell<u64>,
    /// `RLIMIT_STACK`, `RLIMIT_NOFILE` and the others, soft and hard.
    pub limits: RefCell<Box<[(u64, u64); crate::syscall::limits::COUNT]>>,
    /// Deadline and interval of `setitimer(ITIMER_REAL)`, in ticks; 0 is off.
    pub alarm: Cell<(u64, u64)>,
    /// The signal that stopped it, while it is stopped.
    pub stopped: Cell<Option<proc::Signal>>,
    /// A stop that its parent has not been told of by `wait4`.
    pub stop_unreported: Cell<bool>,
    /// A continuation that its parent has not been told of.
    pub continue_unreported: Cell<bool>,
    /// A system call that a signal has cut short, until the signal is delivered.
    pub restart: Cell<Option<crate::signal::Interrupted>>,
    /// It waits for a device and not for an event (state D in `/proc`).
    pub uninterruptible: Cell<bool>,
}

impl Process {
    /// Its user program counter, if its registers can be looked at now.
    pub fn user_pc(&self) -> u64 {
        self.frame.try_borrow().map_or(0, |frame| frame.pc)
    }
    /// Its address space.
    #[track_caller]
    pub fn space(&self) -> SharedSpace {
        self.space.borrow().clone().expect("a process in user mode has an address space")
    }
    /// The `satp` it runs with: the kernel's own while it has no address space.
    pub fn satp(&self) -> Satp {
        match &*self.space.borrow() {
            Some(space) => space.borrow().satp(),
            None => Satp::sv39(crate::arch::kernel_root(), 0),
        }
    }
    /// Its current directory.
    pub fn cwd(&self) -> Location {
        self.cwd.borrow().clone().expect("the first process has a directory before it runs a program")
    }
    /// Whether a signal waits that is to be acted on.
    pub fn has_signal(&self) -> bool {
        self.signals.borrow().has_deliverable()
    }
    /// Writes its FP registers to memory if the hart holds newer ones.
    pub fn save_fp(&self) {
        let (mut frame, mut fp) = (self.frame.borrow_mut(), self.fp.borrow_mut());
        hart().fp.borrow_mut().save(self.pid, &mut frame, &mut fp);
    }
    /// Counts the time since the last stamp as spent in the kernel.
    pub fn count_system_time(&self) {
        let now = crate::arch::time();
        let before = self.stamp.replace(now);
        self.count(|usage| usage.system_ticks += now - before);
    }
    /// Counts the time since the last stamp as spent in user mode.
    pub fn count_user_time(&self) {
        let now = crate::arch::time();
        let before = self.stamp.replace(now);
        self.count(|usage| usage.user_ticks += now - before);
    }
    /// Gives a borrowed address space back: the parent goes on.
    pub fn end_borrowing(&self) {
        if self.borrows_space.take() {
            crate::wait::wake(crate::wait::Channel::Vfork(self.pid));
        }
    }
    /// Changes its counts.
    pub fn count(&self, change: impl FnOnce(&mut Usage)) {
        let mut usage = self.usage.get();
        change(&mut usage);
        self.usage.set(usage);
    }
}

static PROCESSES: HartLocal<Option<ProcessTable<Rc<Process>>>> = HartLocal::new(None);

/// Runs `action` on the process table.
pub fn table<R>(action: impl FnOnce(&mut ProcessTable<Rc<Process>>) -> R) -> R {
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

/// The usage of zombies and all they waited for, until their parents ask.
static ENDED_USAGE: HartLocal<BTreeMap<Pid, Usage>> = HartLocal::new(BTreeMap::new());
static FORKS: HartLocal<u64> = HartLocal::new(0);

/// Keeps the usage of a process that has ended.
pub fn remember_usage(pid: Pid, usage: Usage) {
    ENDED_USAGE.get_mut().insert(pid, usage);
}
/// Takes the usage of a process that was waited for.
pub fn forget_usage(pid: Pid) -> Usage {
    ENDED_USAGE.get_mut().remove(&pid).unwrap_or_default()
}
/// The usage of a zombie.
pub fn ended_usage(pid: Pid) -> Usage {
    ENDED_USAGE.get().get(&pid).copied().unwrap_or_default()
}
/// Processes made since boot.
pub fn forks() -> u64 {
    *FORKS.get()
}

/// What a child takes over from its parent, or the first process starts with.
pub struct Start {
    /// The user's registers. Boxed, as what is large here: it is moved on a small stack.
    pub frame: Box<TrapFrame>,
    /// The FP registers.
    pub fp: Box<FpState>,
    /// The address space.
    pub space: Option<SharedSpace>,
    /// The descriptors, already counted.
    pub files: DescriptorTable<OpenFileId>,
    /// The signal state.
    pub signals: Signals,
    /// The current directory.
    pub cwd: Option<Location>,
    /// The file-mode mask.
    pub umask: u32,
    /// What it executes.
    pub program: Program,
    /// The resource limits.
    pub limits: Box<[(u64, u64); crate::syscall::limits::COUNT]>,
}

/// Makes a process and enters it into the table, not yet runnable. EAGAIN if there is no room for it.
#[inline(never)] // a frame of its own, not part of its caller's
pub fn create(parent: Pid, start: Box<Start>) -> Result<Rc<Process>, (Errno, Box<Start>)> {
    let (Ok(share), Ok(scratch), Ok(stack)) = (heap::Share::new(), KernelFrame::new(), KernelStack::new())
    else {
        return Err((Errno::EAGAIN, start));
    };
    let threads = table(|t| t.len()) + 1;
    if crate::wait::scheduler(|s| s.reserve(threads)).is_err() {
        return Err((Errno::EAGAIN, start));
    }
    let Some(pid) = table(|t| t.allocate_pid()) else { return Err((Errno::EAGAIN, start)) };
    let start = *start;
    let now = crate::arch::time();
    let process = Rc::new(Process {
        pid,
        context: UnsafeCell::new(Context::starting_in(crate::thread::start, stack.slot())),
        stack,
        share,
        scratch: RefCell::new(scratch),
        attempts: Cell::default(),
        frame: RefCell::new(start.frame),
        fp: RefCell::new(start.fp),
        space: RefCell::new(start.space),
        files: RefCell::new(start.files),
        signals: RefCell::new(start.signals),
        cwd: RefCell::new(start.cwd),
        umask: Cell::new(start.umask),
        program: RefCell::new(start.program),
        usage: Cell::default(),
        children_usage: Cell::default(),
        start_ticks: now,
        stamp: Cell::new(now),
        exit_signal: Cell::new(0),
        set_child_tid: Cell::new(0),
        borrows_space: Cell::new(false),
        clear_child_tid: Cell::new(0),
        limits: RefCell::new(start.limits),
        alarm: Cell::new((0, 0)),
        stopped: Cell::new(None),
        stop_unreported: Cell::new(false),
        continue_unreported: Cell::new(false),
        restart: Cell::new(None),
        uninterruptible: Cell::new(false),
    });
    table(|t| t.insert(pid, parent, process.clone()));
    *FORKS.get_mut() += 1;
    Ok(process)
}

/// Gives up a reference to an address space; the last one tears it down.
pub fn release_space(space: SharedSpace) {
    let Some(space) = Rc::into_inner(space) else { return };
    let space = space.into_inner();
    if hart().address_space() == space.satp() {
        hart().use_kernel_address_space();
    }
    let asid = space.asid();
    space.teardown(&mut mem::memory());
    mem::free_asid(asid);
    crate::pages::release_unmapped_files();
}
