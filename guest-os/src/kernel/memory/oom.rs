//! The end of memory: who is killed when neither frames nor swap space are left, and what is said of it.

use crate::events;
use crate::hart::current;
use crate::memory::{claim, inject, mem};
use crate::processes::exit;
use crate::processes::process::{self, Process};
use crate::processes::thread::Thread;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use isa::VirtAddr;
use isa::events::{EventKind, EventRecord};
use mm::SpaceId;
use proc::{SigInfo, Signal};

/// What there is too little of for a process to go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shortage {
    /// Frames: none is free, and none can be freed.
    OfFrames,
    /// Frames for a single instruction, of those that the process may have: its pages throw out one another.
    OfItsOwn,
}

/// What a process has of memory and of swap space, in pages: what its end would give back, but for what it shares; `all` with what
/// `oom_score_adj` makes of it, and nothing if it is not to be killed.
#[derive(Clone, Copy, Default, Debug)]
struct Badness {
    all: u64,
    resident: u64,
    swapped: u64,
}

/// The `oom_score_adj` of a process that is not to be killed for want of memory.
const NEVER_KILLED: i64 = -1000;

fn badness_of(process: &Process) -> Badness {
    let Some(space) = process.space.borrow().clone() else { return Badness::default() };
    let (space, memory) = (space.borrow(), mem::memory());
    let (resident, swapped) = (space.counted_pages(&memory), memory.space(space.key()).swapped_pages);
    let total = memory.frames().total() + memory.swap().counts().slots;
    let all = match i64::from(process.oom_score_adj.get()) {
        NEVER_KILLED => 0,
        adjusted => {
            let share = total.cast_signed() * adjusted / 1000;
            (resident + swapped).saturating_add_signed(share).max(1)
        }
    };
    Badness { all, resident, swapped }
}

/// Who else has pages, in words: those with the most, and how many more there are.
#[inline(never)] // a frame of its own, not part of its caller's
pub fn others_than(process: &Process) -> String {
    const TOLD: usize = 3;
    let mut most: [Option<(u64, Rc<Process>)>; TOLD] = Default::default();
    let mut count = 0;
    process::each_living(|other| {
        let badness = badness_of(other);
        let pages = badness.resident + badness.swapped;
        if other.pid == process.pid || pages == 0 {
            return;
        }
        count += 1;
        let is_less = |told: &Option<(u64, _)>| told.as_ref().is_none_or(|&(less, _)| less < pages);
        if let Some(place) = most.iter().position(is_less) {
            most[place..].rotate_right(1);
            most[place] = Some((pages, other.clone()));
        }
    });
    let mut text = String::new();
    for (pages, other) in most.iter().flatten() {
        let before = if text.is_empty() { "; others: " } else { ", " };
        text += &format!("{before}{} ({}) {pages}{}", other.pid, name_of(other), words_of_score(other));
    }
    if count > TOLD {
        text += &format!(" and {} more", count - TOLD);
    }
    text
}

/// Kills the process with the most memory, as Linux the youngest of several: who has forked outlives what is as large as itself. If that is another one than the running, waits until something has changed. Whether there may be
/// room then. One that is on its way out is waited for before a second one is killed; itself does without, for those that it would kill may be
/// waiting for its end.
pub fn kill_largest(va: VirtAddr) -> bool {
    let mut largest: Option<(Badness, Rc<Process>)> = None;
    let mut is_dying = false;
    let this = current();
    if this.is_killed() || this.is_leaving.get() {
        return false;
    }
    process::each_living(|process| {
        if process.pid != this.process.pid && process.space.borrow().is_some() {
            is_dying |= exit::is_ending(process);
        }
        let badness = badness_of(process);
        if badness.all > 0 && largest.as_ref().is_none_or(|(most, _)| badness.all >= most.all) {
            largest = Some((badness, process.clone()));
        }
    });
    if !is_dying {
        match largest {
            Some((badness, process)) if process.pid != this.process.pid => {
                tell_out_of_frames(&process, badness.resident, badness.swapped, va);
                exit::send(&process, SigInfo::from_kernel(Signal::KILL));
                // Who waits for room looks whether it was meant.
                claim::wake_all();
            }
            _ => {
                out_of_frames(&this, va, Shortage::OfFrames);
                return false;
            }
        }
    }
    drop(this);
    claim::sleep();
    true
}

/// The process that asks for a frame is killed.
pub fn out_of_frames(thread: &Thread, va: VirtAddr, shortage: Shortage) {
    if inject::has_refused() {
        // There are frames: the access is tried again.
        return;
    }
    if thread.is_killed() || thread.is_leaving.get() {
        // It has touched user memory once more on its way out: nothing is to be told, or has been.
        return;
    }
    let (pages, swapped, budget) = {
        let (space, memory) = (thread.process.space(), mem::memory());
        let space = space.borrow();
        let swapped = memory.space(space.key()).swapped_pages;
        (space.counted_pages(&memory), swapped, space.budget(&memory))
    };
    match budget.filter(|_| shortage == Shortage::OfItsOwn) {
        Some(budget) => {
            let (pid, name) = (thread.process.pid, name_of(&thread.process));
            let pages = if budget == 1 { "page" } else { "pages" };
            log::error!(
                "out of frames: process {pid} ({name}) is killed at {va}: one instruction needs more than the {budget} {pages} \
                 that it may have at once (--process-frames or RLIMIT_RSS gives more)"
            );
            events::report(EventRecord { va: va.0, ..events::of(EventKind::OutOfFrames) });
        }
        None => tell_out_of_frames(&thread.process, pages, swapped, va),
    }
    thread.post(SigInfo::from_kernel(Signal::KILL));
}

/// Says which process is killed for want of frames, and why it: it had `pages` in memory and `swapped` in swap space. The running one needs the page at `va`.
pub fn tell_out_of_frames(process: &Process, pages: u64, swapped: u64, va: VirtAddr) {
    let (thread, pid) = (current(), process.pid);
    let name = name_of(process);
    let place = if pid == thread.process.pid {
        format!("at {va}")
    } else {
        let score = words_of_score(process);
        format!(
            "since it is the largest that may be{score}; process {} needs the page at {va}",
            thread.process.pid
        )
    };
    let locked = match locked_pages(process).min(pages) {
        0 => String::new(),
        locked => format!(" ({locked} of them locked)"),
    };
    let (in_swap, of_slots, more_slots) = words_of_slots(swapped);
    log::error!(
        "out of frames: process {pid} ({name}) is killed {place}; it had {pages} pages in memory{locked}{in_swap}{}{of_slots}{} (-m or --frames \
         gives more{more_slots})",
        words_of_frames(),
        others_than(process)
    );
    let (pid, tid, space) = (u64::from(pid), u64::from(pid), process.space_id());
    let told = EventRecord { va: va.0, ..events::of(EventKind::OutOfFrames) };
    if pid == u64::from(thread.process.pid) {
        events::report(told);
    } else {
        events::report(EventRecord { pid, tid, space, ..told });
    }
}

/// What makes a process count for more or less than it has, if something does.
fn words_of_score(process: &Process) -> String {
    match process.oom_score_adj.get() {
        0 => String::new(),
        adjusted => format!(" (oom_score_adj {adjusted})"),
    }
}

/// Pages that a process has locked, those in memory among them.
fn locked_pages(process: &Process) -> u64 {
    let Some(space) = process.space.borrow().clone() else { return 0 };
    let space = space.borrow();
    space.vmas().iter().filter(|vma| vma.is_locked()).map(|vma| vma.range.len_pages()).sum()
}

/// How many frames programs can have at most: all but what the kernel had at boot.
static FRAMES: AtomicU64 = AtomicU64::new(0);

/// To be called when the kernel has what it needs to begin with.
pub fn start() {
    let memory = mem::memory();
    let frames = memory.frames();
    FRAMES.store(frames.limit().min(frames.total() - frames.counts().kernel), Ordering::Relaxed);
}

/// How many frames there are, and what takes them that is in no process's own pages, if it is much.
#[inline(never)] // a frame of its own, not part of its caller's
fn words_of_frames() -> String {
    let (frames, ram, counts, in_files) = {
        let memory = mem::memory();
        let frames = memory.frames();
        (FRAMES.load(Ordering::Relaxed), frames.total(), frames.counts(), memory.cache().memory_pages())
    };
    let mut text = format!("; of {frames} frames too few are free");
    for (count, what) in
        [(counts.page_table, "are page tables"), (in_files, "hold shared memory and files in memory")]
    {
        if count > frames / 4 {
            text += &format!(", {count} of them {what}");
        }
    }
    if counts.kernel > ram / 4 {
        text += &format!(", beside {} of the kernel for pipes, sockets and the like", counts.kernel);
    }
    text
}

/// What a process had in swap space, what takes that, and how to have more, if that helps.
#[inline(never)] // a frame of its own, not part of its caller's
fn words_of_slots(swapped: u64) -> (String, String, &'static str) {
    let (slots, swapped_files) = {
        let memory = mem::memory();
        (memory.swap().counts(), memory.cache().swapped_pages())
    };
    if slots.slots == 0 {
        return (String::new(), String::new(), "; --swap room for more of them");
    }
    let of_files = match swapped_files {
        few if few <= slots.slots / 4 => String::new(),
        many => format!(", {many} of them by shared memory and files in memory"),
    };
    // While many slots are free, more of them change nothing.
    let more = if slots.used > slots.slots / 2 { "; --swap more of those" } else { "" };
    let used = format!("; of {} slots of swap space {} are in use{of_files}", slots.slots, slots.used);
    (format!(" and {swapped} in swap space"), used, more)
}

/// Says that an address space maps more than the `limit` pages that it may have at once. Once a run: all others meet the same.
#[cold]
pub fn tell_beyond_budget(space: SpaceId, limit: u64) {
    static IS_TOLD: AtomicBool = AtomicBool::new(false);
    let Some(process) = process::in_space(space).filter(|_| !IS_TOLD.swap(true, Ordering::Relaxed)) else {
        return;
    };
    let (pid, name) = (process.pid, name_of(&process));
    log::warn!(
        "process {pid} ({name}) has more than the {limit} pages that it may have at once: none of them can leave memory, for want of \
         room in swap space (--swap gives more; not told again)"
    );
}

/// Says that a process may have more than the `limit` pages of its budget for a while. Once a run.
pub fn tell_lent(process: &Process, limit: u64) {
    static IS_TOLD: AtomicBool = AtomicBool::new(false);
    if IS_TOLD.swap(true, Ordering::Relaxed) {
        return;
    }
    let (pid, name) = (process.pid, name_of(process));
    log::warn!(
        "process {pid} ({name}) is lent a page more than the {limit} that it may have at once: with these it comes no further \
         (--process-frames or RLIMIT_RSS gives more; not told again)"
    );
}

/// The name of a process: its running thread's, or its first one's.
pub fn name_of(process: &Process) -> String {
    let this = current();
    let mut name = (this.process.pid == process.pid).then(|| this.name.borrow().clone());
    process::each_thread(process.pid, |thread| {
        name.get_or_insert_with(|| thread.name.borrow().clone());
    });
    String::from_utf8_lossy(&name.unwrap_or_default()).into_owned()
}
