//! The end of a thread, of a process, and of the run; and the sending of signals.

use crate::devices::console;
use crate::events;
use crate::files::{binds, ready, terminals, vfs};
use crate::hart::{current, hart};
use crate::memory::user::UserPtr;
use crate::memory::{claim, heap, inject, mem, pages, read_ahead, reclaim, stack};
use crate::processes::children;
use crate::processes::process::{self, Process, Usage, release_space, table};
use crate::processes::thread::Thread;
use crate::processes::vdso;
use crate::processes::wait::{self, Channel, scheduler};
use crate::shutdown::{self, End};
use crate::syscall::files::give_up_descriptors;
use crate::syscall::{futex, limits};
use alloc::rc::Rc;
use fs::{Errno, Source};
use isa::events::{EventKind, EventRecord, SignalEffect};
use proc::{ExitStatus, Pid, QueueFull, SigInfo, Signal, SignalSet};

/// The first process; the run ends with it.
pub const FIRST: Pid = 1;

/// Ends the running thread, and its process with it if no other is left.
pub fn finish(status: ExitStatus) -> ! {
    end(status);
    wait::leave_for_good()
}

fn end(status: ExitStatus) {
    let thread = current();
    let process = &thread.process;
    thread.is_leaving.set(true);
    // What is sent to the process from now on is for others to take.
    thread.signals.borrow_mut().set_blocked(SignalSet(u64::MAX));
    if process.space.borrow().is_some() {
        futex::release_locks(&thread);
    }
    clear_child_tid(&thread);
    if table(|t| t.thread_count(process.pid)) == 1 {
        // As in Linux: if each ends by itself, it is as the last one does.
        return end_process(&thread, process.ending.get().unwrap_or(status));
    }
    // Nothing sleeps from here to the switch: who finds itself the last one is.
    hart().fp.borrow_mut().forget(thread.tid());
    let told = process.ending.get().unwrap_or(if thread.is_condemned.get() {
        // By `execve`: as Linux tells it.
        ExitStatus::Exited(0)
    } else {
        status
    });
    let detail = u64::from(told.to_wait_status());
    events::report(EventRecord { detail, ..events::about(EventKind::ThreadExit, &thread) });
    thread.count_system_time();
    process.keep_usage(&thread.usage.get());
    table(|t| t.remove_thread(thread.tid(), process.pid));
    wake_takers(process);
    wait::wake(Channel::Threads(process.pid));
}

/// The last thread of a process gives back what the process has.
fn end_process(thread: &Thread, status: ExitStatus) {
    let process = &thread.process;
    if process.pid == FIRST {
        end_all_others();
        read_ahead::wait_for_all();
    }
    give_up_descriptors(process);
    terminals::session_loses(process);
    crate::syscall::semaphores::end_of_process(process.pid);
    if Rc::strong_count(&process.fs) == 1 {
        *process.fs.cwd.borrow_mut() = None;
    }
    process.program.borrow_mut().executing = None;
    let exit = EventRecord {
        pc: thread.user_pc(),
        detail: u64::from(status.to_wait_status()),
        ..events::about(EventKind::Exit, thread)
    };
    let space = process.space.borrow_mut().take();
    if let Some(space) = space {
        let peak_resident_pages = space.borrow().peak_resident_pages(&mem::memory());
        process.keep_usage(&Usage { peak_resident_pages, ..Usage::default() });
        hart().use_kernel_address_space();
        release_space(space);
    }
    process.end_borrowing();
    hart().fp.borrow_mut().forget(thread.tid());
    events::report(exit);
    thread.count_system_time();
    if process.pid == FIRST {
        end_of_run(status);
    }
    process.keep_usage(&thread.usage.get());
    table(|t| t.remove_thread(thread.tid(), process.pid));
    children::become_zombie(process, status);
}

/// Decides how a process ends: each of its threads does, at its next chance. Those that sleep wake; the first to decide is heard.
pub fn end_all_threads(process: &Process, status: ExitStatus) {
    if process.ending.get().is_none() {
        process.ending.set(Some(status));
        kill_others(process);
    }
}

/// Ends all threads of the running one's process but itself, and waits until they have. Whether there were any; EINTR if it is to end itself.
pub fn end_other_threads(thread: &Thread) -> Result<bool, Errno> {
    let process = &thread.process;
    let are_others = || table(|t| t.thread_count(process.pid)) > 1;
    if !are_others() {
        return Ok(false);
    }
    if thread.is_killed() {
        return Err(Errno::EINTR);
    }
    kill_others(process);
    while are_others() {
        wait::sleep(Channel::Threads(process.pid));
    }
    Ok(true)
}

/// Whether a process is on its way out.
pub fn is_ending(process: &Process) -> bool {
    let mut is_ending = process.ending.get().is_some();
    process::each_thread(process.pid, |thread| is_ending |= thread.is_killed() || thread.is_leaving.get());
    is_ending
}

fn kill_others(process: &Process) {
    let this = current().tid();
    process::each_thread(process.pid, |thread| {
        if thread.tid() != this {
            thread.is_condemned.set(true);
            thread.post(SigInfo::from_kernel(Signal::KILL));
            scheduler(|s| s.interrupt(thread.tid()));
        }
    });
    wait::wake(Channel::Continue(process.pid));
}

/// Kills every other process and waits until they have ended.
fn end_all_others() {
    loop {
        let mut is_last = true;
        process::each_living(|other| {
            if other.pid != FIRST {
                is_last = false;
                send(other, SigInfo::from_kernel(Signal::KILL));
            }
        });
        if is_last {
            return;
        }
        // Some may wait for the frames that this one gives back when they have ended: they look whether they are killed.
        claim::wake_all();
        wait::sleep(Channel::LastProcess);
    }
}

fn clear_child_tid(thread: &Thread) {
    let address = thread.clear_child_tid.replace(0);
    if address != 0 && thread.process.space.borrow().is_some() {
        let word = UserPtr::<u32>::from(address);
        if word.write(0).is_ok() {
            futex::wake_one(address);
        }
    }
}

/// Sends the kernel's signal to a process as a whole.
pub fn send(process: &Process, info: SigInfo) {
    // A real-time signal for which there is no room is lost, as in Linux.
    let _ = try_send(process, info);
}

/// Sends a signal to a process as a whole, if it can wait there.
pub fn try_send(process: &Process, info: SigInfo) -> Result<(), QueueFull> {
    send_with_room(process, info, limits::has_room(process, &info))
}

/// Sends a signal to a process as a whole: a thread that does not block it takes it, and is woken if it sleeps interruptibly. Whether one
/// more may wait, if it needs room: a timer's signal has it from the start.
pub fn send_with_room(process: &Process, info: SigInfo, has_room: bool) -> Result<(), QueueFull> {
    let mut kept = SignalSet(u64::MAX);
    process::each_thread(process.pid, |thread| kept = SignalSet(kept.0 & thread.signals.borrow().kept().0));
    let mut is_to_tell = process.signals.borrow().drops(info.signal, kept);
    let is_to_wake = process.signals.borrow_mut().post(info, kept, has_room)?;
    go_on(process, info.signal);
    let mut is_taken = !is_to_wake;
    process::each_thread(process.pid, |thread| {
        if core::mem::take(&mut is_to_tell) {
            events::signal(thread, &info, SignalEffect::Ignored, None);
        }
        if !is_taken && !thread.signals.borrow().blocked().contains(info.signal) {
            scheduler(|s| s.interrupt(thread.tid()));
            // All threads end by a SIGKILL: each may as well wake now.
            is_taken = info.signal != Signal::KILL;
        }
    });
    Ok(())
}

/// Sends a signal to one thread, if it can wait there.
pub fn send_to_thread(thread: &Thread, info: SigInfo) -> Result<(), QueueFull> {
    send_to_thread_with_room(thread, info, limits::has_room(&thread.process, &info))
}

/// Sends a signal to one thread; whether one more may wait, as in [`send_with_room`].
pub fn send_to_thread_with_room(thread: &Thread, info: SigInfo, has_room: bool) -> Result<(), QueueFull> {
    if thread.process.signals.borrow().drops(info.signal, thread.signals.borrow().kept()) {
        events::signal(thread, &info, SignalEffect::Ignored, None);
    }
    let is_to_wake = thread.try_post(info, has_room)?;
    go_on(&thread.process, info.signal);
    if is_to_wake {
        scheduler(|s| s.interrupt(thread.tid()));
    }
    Ok(())
}

/// A stopped process goes on by SIGCONT, and by SIGKILL to its end. SIGCONT and the stops take each other back.
fn go_on(process: &Process, signal: Signal) {
    // Signals are also read.
    ready::wake(Source::Signals);
    for &opposite in signal.takes_back() {
        process::each_thread(process.pid, |thread| thread.signals.borrow_mut().discard(opposite));
        process.signals.borrow_mut().discard(opposite);
    }
    if signal != Signal::CONT && signal != Signal::KILL {
        return;
    }
    let was_stopped = process.stopped.take().is_some();
    if was_stopped && signal == Signal::CONT {
        process.stop_unreported.set(false);
        process.continue_unreported.set(true);
        if let Some(guardian) = table(|t| t.guardian(process.pid)) {
            wait::wake(Channel::Child(guardian));
        }
    }
    // Who is killed before it goes on has not gone on.
    process.continues.set((was_stopped || process.continues.get()) && signal == Signal::CONT);
    wait::wake(Channel::Continue(process.pid));
}

/// Wakes those threads of a process that a pending signal is for: the one that was woken for it has ended, or blocks it now.
pub fn wake_takers(process: &Process) {
    process::each_thread(process.pid, |thread| {
        if thread.has_signal() {
            scheduler(|s| s.interrupt(thread.tid()));
        }
    });
}

/// Frames that the kernel keeps as long as it runs: its heap, its stacks, what its devices use, the last thread's scratch page.
fn kernel_frames() -> u64 {
    heap::frames() + stack::frames() + console::FRAMES + 1
}

/// Checks that every frame has come back, says so, and stops the machine.
fn end_of_run(status: ExitStatus) -> ! {
    binds::tell_changes();
    vfs::stop();
    crate::syscall::shared_memory::stop();
    crate::syscall::semaphores::stop();
    crate::syscall::message_queues::stop();
    vdso::stop();
    pages::release_unmapped_files();
    reclaim::finish();
    if !all_frames_are_back() {
        shutdown::stop(End::Panic);
    }
    inject::report();
    shutdown::stop(match status {
        ExitStatus::Exited(code) => End::Exited(code),
        ExitStatus::Signaled(signal) | ExitStatus::Dumped(signal) => End::Signaled(signal.number()),
    })
}

/// Whether every frame but the kernel's own is free or holds a clean page of a file; reports the counts.
#[inline(never)] // a frame of its own, not part of its caller's
fn all_frames_are_back() -> bool {
    let (free, cached, total) = {
        let memory = mem::memory();
        let counts = memory.frames().counts();
        (counts.free + counts.zero, counts.page_cache, memory.frames().total() - kernel_frames())
    };
    let mut complete = free + cached == total;
    mem::memory().evict_all();
    let (after, slots) = {
        let memory = mem::memory();
        (memory.frames().counts(), memory.swap().counts())
    };
    complete &= after.free + after.zero == total && slots.used == slots.bad;
    events::report(EventRecord {
        detail: free,
        detail2: cached,
        detail3: total,
        ..events::of(EventKind::Shutdown)
    });
    if !complete {
        log::error!(
            "frames or slots are missing at the end: {free} free and {cached} cached of {total}; then {after:?}, {slots:?}"
        );
    }
    complete
}
