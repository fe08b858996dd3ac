//! What a parent hears of its children, and what becomes of the children of a process that ends.

use crate::files::ready;
use crate::processes::exit::send;
use crate::processes::process::{self, Process, Remains, find, table};
use crate::processes::wait::{self, Channel};
use alloc::vec::Vec;
use fs::Source;
use linux_raw_sys::general as linux;
use proc::{ChildEvent, Disposition, ExitStatus, Pid, SigInfo, Signal};

/// The `siginfo_t` that tells of a child.
fn info(signal: Signal, child: Pid, event: ChildEvent) -> SigInfo {
    let (code, status) = event.code_and_status();
    SigInfo { signal, code, pid: child, value: u64::from(status) }
}

/// Tells the parent that a process has stopped or goes on, unless it does not want to know.
pub fn tell_stop(process: &Process, event: ChildEvent) {
    let Some(guardian) = table(|t| t.guardian(process.pid)) else { return };
    if let Some(parent) = find(guardian) {
        let wants = !parent.signals.borrow().action(Signal::CHLD).has(linux::SA_NOCLDSTOP);
        if wants {
            send(&parent, info(Signal::CHLD, process.pid, event));
        }
    }
    wait::wake(Channel::Child(guardian));
}

/// A process has ended: it becomes a zombie, its parent is told, and its children and their groups, who lose it.
pub fn become_zombie(process: &Process, status: ExitStatus) {
    let pid = process.pid;
    let mut usage = process.children_usage.get();
    usage.add(&process.ended_usage.get());
    process::remember(pid, Remains { usage, user: process.credentials.borrow().user });
    let (children, groups) = table(|t| (t.children(pid).collect::<Vec<Pid>>(), t.groups_to_lose(pid)));
    let payload = table(|t| t.exit(pid, status));
    drop(payload);
    for child in children {
        lose_parent(child, pid);
    }
    groups.into_iter().filter(|&group| table(|t| t.is_orphaned(group))).for_each(wake_orphans);
    tell_end(pid, status);
    ready::wake(Source::Processes);
    if table(|t| t.living()) == 1 {
        wait::wake(Channel::LastProcess);
    }
}

/// A process has another parent now: `parent` has ended.
fn lose_parent(child: Pid, parent: Pid) {
    match table(|t| t.zombie_status(child)) {
        Some(status) => tell_end(child, status),
        None => {
            if let Some(child) = find(child)
                && let Some(signal) = child.death_signal.get()
            {
                send(&child, SigInfo::from_user(signal, parent));
            }
        }
    }
}

/// Tells a parent of a zombie, which is gone at once if the parent does not wait for any, or if it is nobody's.
fn tell_end(pid: Pid, status: ExitStatus) {
    let Some(guardian) = table(|t| t.guardian(pid)) else { return bury(pid) };
    if let (Some(parent), Some(signal)) = (find(guardian), table(|t| t.exit_signal(pid))) {
        let action = parent.signals.borrow().action(Signal::CHLD);
        let ignores = action.disposition() == Disposition::Ignore;
        let is_usual = signal == Signal::CHLD;
        if is_usual && (ignores || action.has(linux::SA_NOCLDWAIT)) {
            bury(pid);
        }
        if !(is_usual && ignores) {
            send(&parent, info(signal, pid, ChildEvent::Ended(status)));
        }
    }
    wait::wake(Channel::Child(guardian));
}

/// A zombie is gone without anyone waiting for it.
fn bury(pid: Pid) {
    table(|t| t.reap(pid));
    process::bury(pid);
}

/// Nobody would let the stopped members of a group go on: if there are any, all get SIGHUP, and go on.
fn wake_orphans(group: Pid) {
    let mut are_stopped = false;
    each_member(group, &mut |process| are_stopped |= process.stopped.get().is_some());
    if are_stopped {
        for signal in [Signal::HUP, Signal::CONT] {
            each_member(group, &mut |process| send(process, SigInfo::from_kernel(signal)));
        }
    }
}

/// Calls `action` for each living process of a group, in the order of their numbers. Takes no memory.
pub fn each_member(group: Pid, action: &mut dyn FnMut(&Process)) {
    let mut after = 0;
    loop {
        let next = table(|t| t.members_of(group).find(|&pid| pid > after));
        let Some(pid) = next else { return };
        find(pid).into_iter().for_each(|process| action(&process));
        after = pid;
    }
}
