//! Sleeping and waking: the named wait points of the kernel, and locks that are slept on.

use crate::arch;
use crate::devices::block::DiskId;
use crate::devices::interrupts;
use crate::files::turns::TurnAt;
use crate::hart::{current, hart};
use crate::local::HartLocal;
use crate::processes::process::table;
use crate::syscall::futex::FutexKey;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, UnsafeCell};
use core::ops::{Deref, DerefMut};
use fs::{Lockable, Source};
use isa::events::EventKind;
use mm::{PageKey, SwapSlot};
pub use proc::WaitOutcome;
use proc::{Pid, Scheduler, Tid};

/// What a thread sleeps on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Channel {
    /// A device read with this number.
    Block(u64),
    /// A place in a disk's queue.
    BlockQueue(DiskId),
    /// What is being found out about the swap disk.
    Swap,
    /// A page that someone else is reading.
    Page(PageKey),
    /// A slot of the swap space that someone else has read or written.
    Slot(SwapSlot),
    /// Room in memory: the end of others' I/O, or of a process.
    Frames,
    /// The same for who is served first, and for who ends.
    Claim,
    /// A change of one of this process's children.
    Child(Pid),
    /// A change of what is open.
    Ready(Source),
    /// A lock on this file that someone else has.
    FileLock(Lockable),
    /// Somebody else's turn.
    Turn(TurnAt),
    /// A word of memory.
    Futex(FutexKey),
    /// The child that has borrowed its parent's address space has given it back.
    Vfork(Pid),
    /// A process that only this wakes is continued, or killed.
    Continue(Pid),
    /// A sleeping lock, by its address.
    Lock(usize),
    /// A change of a set of semaphores (System V).
    Semaphores(u32),
    /// A change of a queue of messages (System V).
    Messages(u32),
    /// One of a process's threads has ended.
    Threads(Pid),
    /// Every process but the first has ended.
    LastProcess,
}

static SCHEDULER: HartLocal<Option<Scheduler<Channel>>> = HartLocal::new(None);

/// Runs `action` on the scheduler.
pub fn scheduler<R>(action: impl FnOnce(&mut Scheduler<Channel>) -> R) -> R {
    action(SCHEDULER.get_mut().get_or_insert_default())
}

/// Wakes everyone who sleeps on `channel`.
pub fn wake(channel: Channel) {
    scheduler(|s| s.wake(channel));
}

/// Sleeps on `channel` until it is woken, whatever signals come. The caller looks again at what it waits for.
#[track_caller]
pub fn sleep(channel: Channel) {
    sleep_on(alloc::vec![channel], None, false);
}

/// Sleeps on several channels until one is woken, `deadline` (in ticks) passes or, if `interruptible`, a signal comes.
#[track_caller]
pub fn sleep_on(channels: Vec<Channel>, deadline: Option<u64>, interruptible: bool) -> WaitOutcome {
    let thread = current();
    if interruptible && thread.has_signal() {
        return WaitOutcome::Interrupted;
    }
    thread.uninterruptible.set(!interruptible);
    // Nobody else changes a running thread's number.
    let tid = thread.tid();
    drop(thread);
    scheduler(|s| s.sleep(tid, channels, deadline, interruptible));
    switch_away();
    scheduler(|s| s.take_outcome(tid))
}

/// Gives the hart to the next thread in the queue, if there is one.
pub fn yield_hart() {
    if scheduler(|s| s.has_runnable()) {
        let tid = current().tid();
        scheduler(|s| s.make_runnable(tid));
        switch_away();
    }
}

/// Leaves the running thread, which has put itself where it belongs, for the next one or the idle thread.
fn switch_away() {
    let this = current();
    this.save_fp();
    this.count_system_time();
    let from = this.context.get();
    // The process table keeps a thread alive as long as it can run.
    drop(this);
    let next = scheduler(|s| s.take_next());
    let to = match next {
        Some(tid) => prepare(tid),
        None => {
            *hart().current.borrow_mut() = None;
            hart().idle.as_ptr().cast_const()
        }
    };
    if core::ptr::eq(from, to) {
        return;
    }
    // SAFETY: `from` is the running thread's own context, `to` one that is not running; no borrow is held here
    // (HartLocal and RefCell would panic at the next use if one were).
    unsafe { arch::switch(from, to) };
    after_switch();
}

/// Leaves the running thread for good. Whatever its stack still owns would leak: nothing may be left there.
pub fn leave_for_good() -> ! {
    let this = hart().current.borrow_mut().take().expect("a thread is running");
    let from = this.context.get();
    *hart().ended.borrow_mut() = Some(this);
    let to = match scheduler(|s| s.take_next()) {
        Some(tid) => prepare(tid),
        None => hart().idle.as_ptr().cast_const(),
    };
    // SAFETY: as in `switch_away`; `ended` keeps the context and the stack alive until the switch is done.
    unsafe { arch::switch(from, to) };
    unreachable!("an ended thread was switched to");
}

/// Makes `tid` the running thread, as far as can be done before its stack is in use.
fn prepare(tid: Tid) -> *const arch::Context {
    let thread = table(|t| t.thread(tid)).expect("a runnable thread is in the table");
    let satp = thread.process.satp();
    hart().use_address_space(satp);
    hart().switches.set(hart().switches.get() + 1);
    let context = thread.context.get().cast_const();
    let now = arch::time();
    thread.start_stamp(now);
    hart().turn_end.set(now + interrupts::QUANTUM_TICKS);
    let record = crate::events::about(EventKind::Switch, &thread);
    *hart().current.borrow_mut() = Some(thread);
    crate::events::report(isa::events::EventRecord { detail2: satp.0, ..record });
    context
}

/// The first thing a thread does when it runs (again).
pub fn after_switch() {
    let ended = hart().ended.borrow_mut().take();
    if let Some(thread) = ended {
        assert_eq!(Rc::strong_count(&thread), 1, "someone keeps an ended thread");
    }
}

/// The idle thread: runs others while there are any, else waits for interrupts.
pub fn idle() -> ! {
    loop {
        interrupts::poll();
        if let Some(tid) = scheduler(|s| s.take_next()) {
            let to = prepare(tid);
            // SAFETY: the idle thread runs on the boot stack and its context is used by nobody else.
            unsafe { arch::switch(hart().idle.as_ptr(), to) };
            after_switch();
            continue;
        }
        let deadline = scheduler(|s| s.next_deadline());
        let alarm = crate::processes::timers::next().unwrap_or(u64::MAX);
        interrupts::set_timer(deadline.unwrap_or(u64::MAX).min(alarm));
        let start = arch::time();
        arch::wait_for_interrupt();
        hart().idle_ticks.set(hart().idle_ticks.get() + arch::time() - start);
    }
}

/// A lock that is slept on. Held across disk reads; places in the order: the VFS is the only one, so there is no order to keep.
pub struct SleepLock<T> {
    locked: Cell<bool>,
    value: UnsafeCell<T>,
}

// SAFETY: one hart, no preemption; `locked` is only changed between switches, and guards exclude each other.
unsafe impl<T> Sync for SleepLock<T> {}

impl<T> SleepLock<T> {
    /// An unlocked lock.
    pub const fn new(value: T) -> Self {
        Self { locked: Cell::new(false), value: UnsafeCell::new(value) }
    }
    fn channel(&self) -> Channel {
        Channel::Lock(core::ptr::from_ref(self).addr())
    }
    /// Takes the lock, sleeping while another thread has it.
    #[track_caller]
    pub fn lock(&self) -> SleepGuard<'_, T> {
        while self.locked.replace(true) {
            sleep(self.channel());
        }
        SleepGuard { lock: self }
    }
}

/// Access to what a [`SleepLock`] protects.
pub struct SleepGuard<'a, T> {
    lock: &'a SleepLock<T>,
}

impl<T> Deref for SleepGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard has the lock.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for SleepGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard has the lock, and is borrowed exclusively.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for SleepGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.locked.set(false);
        wake(self.lock.channel());
    }
}
