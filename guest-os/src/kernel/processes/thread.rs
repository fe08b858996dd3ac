//! A thread: its registers, its kernel stack, its signals, and its life.
//!
//! That life is [`start`]: run user code until it traps, serve the trap, deliver signals, again. It ends by returning to that loop with
//! a status, so that nothing is left on its stack; a thread that others end is made to return there.

use crate::arch::{self, Context, FpState, TrapFrame, UserTrap};
use crate::devices::interrupts::{self, QUANTUM_TICKS};
use crate::hart::{current, hart};
use crate::memory::fault;
use crate::memory::heap;
use crate::memory::mem::KernelFrame;
use crate::memory::stack::KernelStack;
use crate::memory::standstill::Standstill;
use crate::processes::process::{Process, Usage, table};
use crate::processes::wait::{self, scheduler};
use crate::processes::{exit, signal, timers};
use crate::{kmain, syscall};
use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell, UnsafeCell};
use fs::{Errno, OpenFileId};
use isa::events::Access;
use isa::{Exception, VirtAddr};
use proc::{ExitStatus, QueueFull, Scheduling, SigInfo, Signal, ThreadSignals, Tid};

/// A thread of a process.
pub struct Thread {
    tid: Cell<Tid>,
    /// Whose it is.
    pub process: Rc<Process>,
    /// The kernel thread's registers while it does not run. Written by the context switch.
    pub context: UnsafeCell<Context>,
    /// What it has of the kernel's memory.
    _room: RoomInUse,
    /// A page that what is copied from and to user memory passes through.
    pub scratch: RefCell<KernelFrame>,
    /// What the injector knows of it.
    pub attempts: Cell<crate::memory::inject::Attempts>,
    /// The user's registers. Borrowed by the thread itself while user code runs.
    pub frame: RefCell<Box<TrapFrame>>,
    /// The user's FP registers, when the hart does not hold them.
    pub fp: RefCell<Box<FpState>>,
    /// What it blocks, and the signals that were sent to it alone.
    pub signals: RefCell<ThreadSignals>,
    /// At most 15 bytes: the last part of the path that its program was executed by, until it gives itself another name.
    pub name: RefCell<Vec<u8>>,
    /// How it is to be scheduled. It is remembered: turns are the same for all.
    pub scheduling: Cell<Scheduling>,
    /// How late its timers may be. It is remembered: they are exact.
    pub slack: Cell<Slack>,
    /// What it says of the system that its programs were made for (`personality`).
    pub persona: Cell<u32>,
    /// Its own times and counts.
    pub usage: Cell<Usage>,
    /// When it last began to run in the kernel, in ticks.
    stamp: Cell<u64>,
    /// Word to store its number to before it first runs (CLONE_CHILD_SETTID).
    pub set_child_tid: Cell<u64>,
    /// Word to clear at the end (CLONE_CHILD_CLEARTID, `set_tid_address`).
    pub clear_child_tid: Cell<u64>,
    /// The kinds of wake-up that it waits for at a futex (FUTEX_WAIT_BITSET).
    pub futex_bits: Cell<u32>,
    /// The list of the locks that it holds (`set_robust_list`).
    pub robust_list: Cell<u64>,
    /// The files that its system call has looked up, each counted as one of its descriptors, if others might close them meanwhile.
    pub held_files: RefCell<Vec<OpenFileId>>,
    /// A system call that a signal has cut short, until the signal is delivered.
    pub restart: Cell<Option<signal::Interrupted>>,
    /// What is left to do of it, for `restart_syscall`.
    pub rest: Cell<Option<syscall::Rest>>,
    /// Another thread has decided that it ends; a SIGKILL of its own brings it to its loop.
    pub is_condemned: Cell<bool>,
    /// It is on its way out: what it still does in user memory, it does if it can.
    pub is_leaving: Cell<bool>,
    /// It waits for a device and not for an event (state D in `/proc`).
    pub uninterruptible: Cell<bool>,
    /// Where its last fault from disk found it.
    pub standstill: Cell<Standstill>,
}

/// Where a thread is: made of its registers, others as soon as it has executed an instruction.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Place(u64);

impl Thread {
    /// Where it is; `None` while it runs.
    pub fn place(&self) -> Option<Place> {
        let frame = self.frame.try_borrow().ok()?;
        Some(Place(frame.x.iter().fold(frame.pc, |sum, &register| sum.rotate_left(7) ^ register)))
    }
}

/// How late timers may be, in nanoseconds (PR_SET_TIMERSLACK).
#[derive(Clone, Copy)]
pub struct Slack {
    /// Now.
    pub now: u64,
    /// As its maker's was.
    pub usual: u64,
}

/// That of the first thread.
pub const SLACK_NANOSECONDS: u64 = 50_000;

/// What a thread takes of the kernel's memory, seen to before it is made.
pub struct Room {
    in_use: RoomInUse,
    scratch: KernelFrame,
}

/// Kept for as long as the thread is there.
struct RoomInUse {
    stack: KernelStack,
    /// Of the kernel heap.
    _share: heap::Share,
}

impl Room {
    /// Room for one more thread. ENOMEM if there is none.
    pub fn new() -> Result<Self, Errno> {
        let (_share, scratch, stack) = (heap::Share::new()?, KernelFrame::new()?, KernelStack::new()?);
        let threads = table(|t| t.all_threads()) + 1;
        scheduler(|s| s.reserve(threads)).map_err(|_| Errno::ENOMEM)?;
        Ok(Self { in_use: RoomInUse { stack, _share }, scratch })
    }
}

/// What a thread starts with.
pub struct Start {
    /// The user's registers. Boxed, as what is large here: it is moved on a small stack.
    pub frame: Box<TrapFrame>,
    /// The FP registers.
    pub fp: Box<FpState>,
    /// The signal mask and the alternate stack.
    pub signals: ThreadSignals,
    /// Its name.
    pub name: Vec<u8>,
    /// How it is to be scheduled.
    pub scheduling: Scheduling,
    /// How late its timers may be, in nanoseconds.
    pub slack: u64,
    /// Its personality.
    pub persona: u32,
}

/// Makes a thread and enters it into the table, not yet runnable.
#[inline(never)] // a frame of its own, not part of its caller's
pub fn create(tid: Tid, process: Rc<Process>, room: Room, start: Start) -> Rc<Thread> {
    let pid = process.pid;
    let thread = Rc::new(Thread {
        tid: Cell::new(tid),
        process,
        context: UnsafeCell::new(Context::starting_in(self::start, room.in_use.stack.slot())),
        _room: room.in_use,
        scratch: RefCell::new(room.scratch),
        attempts: Cell::default(),
        frame: RefCell::new(start.frame),
        fp: RefCell::new(start.fp),
        signals: RefCell::new(start.signals),
        name: RefCell::new(start.name),
        scheduling: Cell::new(start.scheduling),
        slack: Cell::new(Slack { now: start.slack, usual: start.slack }),
        persona: Cell::new(start.persona),
        usage: Cell::default(),
        stamp: Cell::new(arch::time()),
        set_child_tid: Cell::new(0),
        clear_child_tid: Cell::new(0),
        held_files: RefCell::default(),
        restart: Cell::new(None),
        rest: Cell::new(None),
        futex_bits: Cell::new(0),
        robust_list: Cell::new(0),
        is_condemned: Cell::new(false),
        is_leaving: Cell::new(false),
        standstill: Cell::default(),
        uninterruptible: Cell::new(false),
    });
    table(|t| t.insert_thread(tid, pid, thread.clone()));
    thread
}

impl Thread {
    /// Its number.
    pub fn tid(&self) -> Tid {
        self.tid.get()
    }
    /// Whether it is its process's first.
    pub fn is_first(&self) -> bool {
        self.tid().0 == self.process.pid
    }
    /// As its process's only thread, it becomes the first.
    pub fn become_first(&self) {
        if !self.is_first() {
            hart().fp.borrow_mut().forget(self.tid());
            table(|t| t.make_first(self.tid(), self.process.pid));
            self.tid.set(Tid(self.process.pid));
        }
    }
    /// Its user program counter, if its registers can be looked at now.
    pub fn user_pc(&self) -> u64 {
        self.frame.try_borrow().map_or(0, |frame| frame.pc)
    }
    /// Whether a signal waits that is to be acted on.
    pub fn has_signal(&self) -> bool {
        self.signals.borrow().has_deliverable(&self.process.signals.borrow())
    }
    /// Whether it is to end.
    pub fn is_killed(&self) -> bool {
        self.signals.borrow().is_killed(&self.process.signals.borrow())
    }
    /// Makes a standard signal pending for it alone.
    pub fn post(&self, info: SigInfo) {
        // Only real-time signals need room.
        let _ = self.try_post(info, true);
    }
    /// Makes a signal pending for it alone; whether one more may wait. Returns whether it is to be woken.
    pub fn try_post(&self, info: SigInfo, has_room: bool) -> Result<bool, QueueFull> {
        self.signals.borrow_mut().post(&self.process.signals.borrow(), info, has_room)
    }
    /// Gives it a signal that it cannot refuse: that of a fault.
    pub fn force(&self, info: SigInfo) {
        self.signals.borrow_mut().force(&mut self.process.signals.borrow_mut(), info);
    }
    /// Writes its FP registers to memory if the hart holds newer ones.
    pub fn save_fp(&self) {
        let (mut frame, mut fp) = (self.frame.borrow_mut(), self.fp.borrow_mut());
        hart().fp.borrow_mut().save(self.tid(), &mut frame, &mut fp);
    }
    /// It runs in the kernel from `now` on.
    pub fn start_stamp(&self, now: u64) {
        self.stamp.set(now);
    }
    /// Counts the time since the last stamp as spent in the kernel.
    pub fn count_system_time(&self) {
        let now = arch::time();
        let before = self.stamp.replace(now);
        self.count(|usage| usage.system_ticks += now - before);
    }
    /// Counts the time since the last stamp as spent in user mode.
    pub fn count_user_time(&self) {
        let now = arch::time();
        let before = self.stamp.replace(now);
        self.count(|usage| usage.user_ticks += now - before);
    }
    /// Changes its counts.
    pub fn count(&self, change: impl FnOnce(&mut Usage)) {
        let mut usage = self.usage.get();
        change(&mut usage);
        self.usage.set(usage);
    }
}

/// Where every kernel thread starts.
pub extern "C" fn start() -> ! {
    wait::after_switch();
    let status = run();
    exit::finish(status)
}

fn run() -> ExitStatus {
    if current().process.satp().root() == arch::kernel_root() {
        // The first process has no program yet.
        kmain::first_process();
    }
    store_child_tid();
    let thread = current();
    loop {
        if let Some(status) = signal::deliver(&thread) {
            return status;
        }
        let trap = enter_user(&thread);
        if let Some(status) = serve(&thread, trap) {
            return status;
        }
        end_of_turn();
    }
}

fn store_child_tid() {
    let thread = current();
    let address = thread.set_child_tid.replace(0);
    if address != 0 {
        // As in Linux, a bad address is the program's loss.
        let _ = crate::memory::user::UserPtr::<u32>::from(address).write(thread.tid().0);
    }
}

fn enter_user(thread: &Thread) -> UserTrap {
    thread.count_system_time();
    interrupts::arm_timer(hart().turn_end.get());
    let mut frame = thread.frame.borrow_mut();
    hart().fp.borrow_mut().before_user(thread.tid(), &mut frame, &thread.fp.borrow());
    let trap = arch::run_user(&mut frame);
    drop(frame);
    thread.count_user_time();
    trap
}

/// Serves a trap; a status ends the thread.
fn serve(thread: &Thread, trap: UserTrap) -> Option<ExitStatus> {
    if trap.is_interrupt() {
        interrupts::poll();
        return None;
    }
    let pc = thread.user_pc();
    let va = VirtAddr(trap.tval);
    match Exception::from_code(trap.cause) {
        Some(Exception::EcallU) => return syscall::serve(thread),
        Some(Exception::InstructionPage) => fault::trap(va, Access::Execute),
        Some(Exception::LoadPage) => fault::trap(va, Access::Read),
        Some(Exception::StorePage) => fault::trap(va, Access::Write),
        Some(Exception::IllegalInstruction) => force(thread, Signal::ILL, ILL_ILLOPC, pc),
        Some(Exception::Breakpoint) => force(thread, Signal::TRAP, TRAP_BRKPT, pc),
        // Linux tells of these the instruction, not what it accessed.
        Some(Exception::InstructionMisaligned | Exception::LoadMisaligned | Exception::StoreMisaligned) => {
            force(thread, Signal::BUS, BUS_ADRALN, pc);
        }
        // User mappings show nothing but memory: a misaligned LR, SC or AMO.
        Some(Exception::InstructionAccess | Exception::LoadAccess | Exception::StoreAccess) => {
            force(thread, Signal::SEGV, SEGV_ACCERR, pc);
        }
        _ => force(thread, Signal::ILL, ILL_ILLTRP, pc),
    }
    None
}

const ILL_ILLOPC: i32 = 1;
const TRAP_BRKPT: i32 = 1;
const BUS_ADRALN: i32 = 1;
const SEGV_ACCERR: i32 = 2;
const ILL_ILLTRP: i32 = 4;

fn force(thread: &Thread, signal: Signal, code: i32, address: u64) {
    thread.force(SigInfo { signal, code, pid: 0, value: address });
}

/// Lets the next thread run if this one's turn is over.
fn end_of_turn() {
    let now = arch::time();
    scheduler(|s| s.expire(now));
    timers::ring(now);
    if now >= hart().turn_end.get() {
        wait::yield_hart();
        hart().turn_end.set(arch::time() + QUANTUM_TICKS);
    }
}
