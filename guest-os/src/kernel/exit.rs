//! The end of a process, and of the run.

use crate::hart::{current, hart};
use crate::local::HartLocal;
use crate::process::{self, Process, find, release_space, table};
use crate::shutdown::{self, End};
use crate::syscall::files::close_file;
use crate::user::UserPtr;
use crate::wait::{self, Channel, scheduler};
use crate::{block, console, events, heap, inject, mem, pages, stack, trampoline, vfs};
use isa::events::{EventKind, EventRecord};
use proc::{ExitStatus, Pid, SigInfo, Signal};

/// The first process; the run ends with it.
pub const FIRST: Pid = 1;

/// Ends the running process.
pub fn finish(status: ExitStatus) -> ! {
    end(status);
    wait::leave_for_good()
}

fn end(status: ExitStatus) {
    let process = current();
    if process.pid == FIRST {
        end_all_others();
    }
    clear_child_tid(&process);
    let mut from = 0;
    loop {
        let next = process.files.borrow_mut().take_next(from, false);
        let Some((fd, file)) = next else { break };
        close_file(file);
        from = fd + 1;
    }
    *process.cwd.borrow_mut() = None;
    let space = process.space.borrow_mut().take();
    if let Some(space) = space {
        let peak = space.borrow().peak_resident_pages();
        process.count(|usage| usage.peak_resident_pages = usage.peak_resident_pages.max(peak));
        hart().use_kernel_address_space();
        release_space(space);
    }
    process.end_borrowing();
    hart().fp.borrow_mut().forget(process.pid);
    events::report(EventRecord {
        detail: u64::from(status.to_wait_status()),
        ..events::about(EventKind::Exit, &process)
    });
    process.count_system_time();
    if process.pid == FIRST {
        end_of_run(status);
    }
    become_zombie(&process, status);
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
        wait::sleep(Channel::LastProcess);
    }
}

fn clear_child_tid(process: &Process) {
    let address = process.clear_child_tid.replace(0);
    if address != 0 && process.space.borrow().is_some() {
        let word = UserPtr::<u32>::from(address);
        if word.write(0).is_ok() {
            crate::syscall::futex::wake_all(address);
        }
    }
}

fn become_zombie(process: &Process, status: ExitStatus) {
    let pid = process.pid;
    let parent = table(|t| t.parent(pid));
    process.children_usage.set({
        let mut sum = process.children_usage.get();
        sum.add(&process.usage.get());
        sum
    });
    process::remember_usage(pid, process.children_usage.get());
    // Zombies that come to the first process by adoption are its to wait for.
    let leaves_zombies = table(|t| t.children(pid).any(|orphan| t.zombie_status(orphan).is_some()));
    let payload = table(|t| t.exit(pid, status));
    drop(payload);
    let (code, value) = match status {
        ExitStatus::Exited(code) => (CLD_EXITED, u64::from(code)),
        ExitStatus::Signaled(signal) => (CLD_KILLED, u64::from(signal.number())),
    };
    if leaves_zombies {
        wait::wake(Channel::Child(FIRST));
    }
    if let (Some(parent), Some(signal)) = (find(parent), Signal::new(u64::from(process.exit_signal.get()))) {
        let action = parent.signals.borrow().action(Signal::CHLD);
        let ignores = action.disposition() == proc::Disposition::Ignore
            || action.has(linux_raw_sys::general::SA_NOCLDWAIT);
        if signal == Signal::CHLD && ignores {
            table(|t| t.reap(pid));
            process::forget_usage(pid);
        }
        send(&parent, SigInfo { signal, code, pid, value });
    }
    wait::wake(Channel::Child(parent));
    if table(|t| t.living().count()) == 1 {
        wait::wake(Channel::LastProcess);
    }
}

const CLD_EXITED: i32 = 1;
const CLD_KILLED: i32 = 2;

/// Sends a signal to a process and wakes it if it sleeps interruptibly.
pub fn send(process: &Process, info: SigInfo) {
    let wakes = process.signals.borrow_mut().post(info);
    if info.signal == Signal::CONT || info.signal == Signal::KILL {
        if process.stopped.take().is_some() && info.signal == Signal::CONT {
            process.continue_unreported.set(true);
            wait::wake(Channel::Child(table(|t| t.parent(process.pid))));
        }
        wait::wake(Channel::Continue(process.pid));
    }
    if wakes {
        scheduler(|s| s.interrupt(process.pid));
    }
}

/// Sends SIGALRM to every process whose timer has run out.
pub fn ring_alarms(now: u64) {
    if now < ALARM.get().unwrap_or(u64::MAX) {
        return;
    }
    process::each_living(|process| {
        let (deadline, interval) = process.alarm.get();
        if deadline != 0 && deadline <= now {
            let next = if interval == 0 { 0 } else { deadline.saturating_add(interval) };
            process.alarm.set((next, interval));
            send(process, SigInfo::from_kernel(Signal::ALRM));
        }
    });
    let earliest = table(|t| {
        t.living().map(|(_, process)| process.alarm.get().0).filter(|&deadline| deadline != 0).min()
    });
    *ALARM.get_mut() = earliest;
}

/// The earliest deadline of a process's timer, or an earlier one that has been put off.
static ALARM: HartLocal<Option<u64>> = HartLocal::new(None);

/// A process's timer was set to `deadline`.
pub fn alarm_set(deadline: u64) {
    let mut alarm = ALARM.get_mut();
    *alarm = Some(alarm.map_or(deadline, |earliest| earliest.min(deadline)));
}

/// When the next timer runs out.
pub fn next_alarm() -> Option<u64> {
    *ALARM.get()
}

/// Frames that the kernel keeps as long as it runs: its heap, its stacks, what its devices use, the last thread's scratch page.
fn kernel_frames() -> u64 {
    heap::frames() + stack::frames() + block::FRAMES + console::FRAMES + 1
}

/// Checks that every frame has come back, says so, and stops the machine.
fn end_of_run(status: ExitStatus) -> ! {
    vfs::stop();
    trampoline::stop();
    pages::release_unmapped_files();
    if !all_frames_are_back() {
        shutdown::stop(End::Panic);
    }
    inject::report();
    shutdown::stop(match status {
        ExitStatus::Exited(code) => End::Exited(code),
        ExitStatus::Signaled(signal) => End::Signaled(signal.number()),
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
    mem::memory().evict_all_clean();
    let after = mem::memory().frames().counts();
    complete &= after.free + after.zero == total;
    events::report(EventRecord {
        detail: free,
        detail2: cached,
        detail3: total,
        ..events::of(EventKind::Shutdown)
    });
    if !complete {
        log::error!(
            "frames are missing at the end: {free} free and {cached} cached of {total}; then {after:?}"
        );
    }
    complete
}
