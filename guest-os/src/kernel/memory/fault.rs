//! Page faults: asks `mm` what is needed, does the waiting, applies the fence, reports.

use crate::devices::block::Purpose;
use crate::hart::current;
use crate::memory::claim::{self, Claim};
use crate::memory::reclaim::{self, AtTheEnd};
use crate::memory::{ahead, inject, mem, pages};
use crate::processes::process::{self, Process};
use crate::processes::thread::{Shortage, Thread};
use crate::processes::wait::{self, Channel};
use crate::{arch, events};
use alloc::format;
use alloc::string::String;
use core::sync::atomic::{AtomicBool, Ordering};
use isa::events::{Access, EventKind, EventRecord, FLAG_FROM_DISK, FLAG_KERNEL_COPY, SegvReason};
use isa::paging::{Pte, PteFlags};
use isa::{PAGE_SIZE, PhysAddr, VirtAddr};
use mm::FRAMES_OF_A_FAULT;
use mm::fault::{Awaited, FaultSignal};
use mm::{AddressSpace, DiskWait, FaultAction, FaultOutcome, FrameId, Resolution, SpaceId};
use proc::{SigInfo, Signal};

/// Who ran into the fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// An instruction of the user program.
    Trap,
    /// A copy by the kernel on its behalf.
    KernelCopy,
    /// Nobody yet: the page is to be there before it is touched. That is no fault, and not counted as one.
    Eager,
}

impl Origin {
    /// As whose a fault counts that was resolved so: what had been given, and has come back from swap space, is a fault, whoever had it come.
    fn of(self, resolution: &Resolution) -> Self {
        if self == Self::Eager && resolution.action == FaultAction::SwapIn { Self::KernelCopy } else { self }
    }
}

/// The access can't be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// This signal says why.
    Signal(FaultSignal),
    /// No frame is left; the process has been killed.
    OutOfFrames,
}

/// Resolves the running process's fault at `va`; sleeps, holding nothing, while a page is read.
pub fn resolve(va: VirtAddr, access: Access, origin: Origin) -> Result<(), Refused> {
    let is_refused = |result: &Result<_, _>| *result == Err(Refused::OutOfFrames);
    inject::attempts(is_refused, || try_resolve(va, access, origin, AddressSpace::fault)).map(|_| ())
}

/// As [`resolve`] for the kernel, though the protection of a private page forbids it. Where the byte lies: the program itself may not touch
/// it so.
pub fn resolve_forced(va: VirtAddr, access: Access) -> Result<PhysAddr, Refused> {
    let is_refused = |result: &Result<_, _>| *result == Err(Refused::OutOfFrames);
    let by = AddressSpace::fault_forced;
    let frame = inject::attempts(is_refused, || try_resolve(va, access, Origin::KernelCopy, by))?;
    Ok(frame.base().wrapping_add(va.page_offset()))
}

/// A step of a fault's resolution, as `mm` has it.
type Step<P> = fn(
    &mut AddressSpace,
    &mut mm::Memory<P>,
    VirtAddr,
    Access,
    DiskWait,
) -> Result<FaultOutcome, mm::OutOfFrames>;

#[inline]
fn try_resolve(
    va: VirtAddr,
    access: Access,
    origin: Origin,
    step: Step<mem::DirectMap>,
) -> Result<FrameId, Refused> {
    let thread = current();
    let space = thread.process.space();
    let (mut waited, mut has_read) = (DiskWait::None, false);
    let mut claim = Claim::on(FRAMES_OF_A_FAULT);
    loop {
        if waited == DiskWait::None && reclaim::settle().is_err() {
            out_of_frames(&thread, va, Shortage::OfFrames);
            return Err(Refused::OutOfFrames);
        }
        let outcome = claim.attempt(|memory| step(&mut space.borrow_mut(), memory, va, access, waited));
        if outcome.is_err() {
            tell_wait(va, None);
            claim.waits();
            if reclaim::makes_room(AtTheEnd::Kill(va)) {
                continue;
            }
        }
        reclaim::write_out();
        match outcome {
            Ok(FaultOutcome::Resolved(resolution)) => {
                mem::apply(resolution.flush, space.borrow().asid());
                if access == Access::Execute {
                    // The frame may have been filled since instructions were last fetched from it.
                    arch::fence_instructions();
                }
                let origin = origin.of(&resolution);
                if origin != Origin::Eager {
                    count(&thread, has_read);
                }
                report(&resolution, origin);
                if ahead::maps_around() {
                    ahead::map_around(&space, va, resolution.action, access);
                }
                if has_come_back(&resolution)
                    && origin == Origin::Trap
                    && let Some(shortage) = comes_no_further(&thread)
                {
                    give_way(&thread, va, shortage)?;
                }
                if is_still_shared(&resolution) {
                    // The page is there, and others have it, too: the store is a fault of its own.
                    waited = DiskWait::None;
                    continue;
                }
                return Ok(resolution.frame.expect("what is resolved is mapped"));
            }
            Ok(FaultOutcome::Refused(resolution)) => {
                report_refused(&resolution, origin, space.borrow().stack_limit_pages());
                let signal = resolution.signal().expect("a refused fault has a signal");
                return Err(Refused::Signal(signal));
            }
            Ok(FaultOutcome::Read(awaited, frame)) => {
                has_read = true;
                let is_there = match awaited {
                    Awaited::Page(key) => pages::fill(key, frame, Purpose::Fault),
                    Awaited::Slot(slot) => reclaim::swap_in(slot, frame),
                };
                waited = if is_there { DiskWait::Done } else { DiskWait::Failed };
            }
            Ok(FaultOutcome::Wait(awaited)) => {
                tell_wait(va, Some(awaited));
                match awaited {
                    Awaited::Page(key) => wait::sleep(Channel::Page(key)),
                    Awaited::Slot(slot) => reclaim::wait_for(slot),
                }
                waited = DiskWait::Done;
            }
            Err(_) => return Err(Refused::OutOfFrames),
        }
    }
}

/// A fault begins to wait for what others do, or for room. (Where it has a page read itself, the read is told of.)
#[cold]
fn tell_wait(va: VirtAddr, awaited: Option<Awaited>) {
    let slot = match awaited {
        Some(Awaited::Slot(slot)) => u64::from(slot.0),
        Some(Awaited::Page(_)) | None => 0,
    };
    let record = EventRecord { va: va.0, detail: slot, ..events::of(EventKind::Wait) };
    events::report(EventRecord { detail2: u64::from(awaited.is_none()), ..record });
}

/// Whether a page that was to be stored to has come back from swap space as one that others have, too.
fn is_still_shared(resolution: &Resolution) -> bool {
    resolution.action == FaultAction::SwapIn
        && resolution.access == Access::Write
        && !resolution.new_pte.flags().contains(PteFlags::W)
}

/// Whether a page had left memory, or come from disk: it may have to leave again before it is used.
fn has_come_back(resolution: &Resolution) -> bool {
    resolution.from_disk || !resolution.pte.is_valid() && resolution.pte != Pte::EMPTY
}

/// What there is too little of for a thread that has one such fault after the other and executes no instruction between them.
fn comes_no_further(thread: &Thread) -> Option<Shortage> {
    if claim::is_anothers() {
        // That one will be served, and then there are more.
        return None;
    }
    let shortage = shortage(thread);
    let frame = thread.frame.try_borrow().ok()?;
    let standstill = thread.standstill.get().after(&frame, shortage);
    thread.standstill.set(standstill);
    shortage.filter(|&shortage| standstill.is_final(shortage))
}

/// What there is too little of for pages to stay.
fn shortage(thread: &Thread) -> Option<Shortage> {
    let (space, memory) = (thread.process.space(), mem::memory());
    let space = space.borrow();
    let is_full = !memory.has_frames_for_a_fault();
    if space.budget(&memory).is_some() && !(is_full && memory.is_within_budget(space.key())) {
        return Some(Shortage::OfItsOwn);
    }
    is_full.then_some(Shortage::OfFrames)
}

/// A thread comes no further: its process is killed if it may not have more; otherwise the largest, for whose end it waits if that is another one.
#[cold]
fn give_way(thread: &Thread, va: VirtAddr, shortage: Shortage) -> Result<(), Refused> {
    thread.standstill.take();
    let may_go_on = match shortage {
        Shortage::OfItsOwn => {
            out_of_frames(thread, va, shortage);
            false
        }
        Shortage::OfFrames => reclaim::kill_largest(va),
    };
    if may_go_on { Ok(()) } else { Err(Refused::OutOfFrames) }
}

/// Serves a page-fault trap: a refused access becomes a signal.
pub fn trap(va: VirtAddr, access: Access) {
    let Err(Refused::Signal(signal)) = resolve(va, access, Origin::Trap) else { return };
    let (signal, code) = match signal {
        FaultSignal::SegvMapErr => (Signal::SEGV, 1),
        FaultSignal::SegvAccErr => (Signal::SEGV, 2),
        FaultSignal::BusAdrErr => (Signal::BUS, 2),
    };
    current().force(SigInfo { signal, code, pid: 0, value: va.0 });
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
        format!("since it is the largest that may be; process {} needs the page at {va}", thread.process.pid)
    };
    let (in_swap, of_slots, more_slots) = words_of_slots(swapped);
    log::error!(
        "out of frames: process {pid} ({name}) is killed {place}; it had {pages} pages in memory{in_swap}{}{of_slots}{} (-m or --frames \
         gives more{more_slots})",
        words_of_frames(),
        reclaim::others_than(process)
    );
    let (pid, tid, space) = (u64::from(pid), u64::from(pid), process.space_id());
    let told = EventRecord { va: va.0, ..events::of(EventKind::OutOfFrames) };
    if pid == u64::from(thread.process.pid) {
        events::report(told);
    } else {
        events::report(EventRecord { pid, tid, space, ..told });
    }
}

/// How many frames there are, and what takes them that is in no process's own pages, if it is much.
#[inline(never)] // a frame of its own, not part of its caller's
fn words_of_frames() -> String {
    let (frames, ram, counts, in_files) = {
        let memory = mem::memory();
        let frames = memory.frames();
        (frames.limit(), frames.total(), frames.counts(), memory.cache().memory_pages())
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

/// The name of a process: its running thread's, or its first one's.
pub fn name_of(process: &Process) -> String {
    let this = current();
    let mut name = (this.process.pid == process.pid).then(|| this.name.borrow().clone());
    process::each_thread(process.pid, |thread| {
        name.get_or_insert_with(|| thread.name.borrow().clone());
    });
    String::from_utf8_lossy(&name.unwrap_or_default()).into_owned()
}

/// Counts a fault for `getrusage`. As on Linux it is a major one if it had the page read itself (`has_read`): a page that four threads wait
/// for is one major fault, and three minor ones.
fn count(thread: &Thread, has_read: bool) {
    thread.count(|usage| {
        if has_read {
            usage.major_faults += 1;
        } else {
            usage.minor_faults += 1;
        }
    });
}

#[inline(never)] // it would have a copy made of the resolution
fn report(resolution: &Resolution, origin: Origin) {
    let event = resolution.event();
    if origin == Origin::Eager {
        // The record is that of the fault which there will not be.
        return events::report(EventRecord {
            kind: EventKind::Populate as u64,
            detail3: event.kind,
            ..event
        });
    }
    report_event(event, origin);
}

#[cold]
fn report_refused(resolution: &Resolution, origin: Origin, stack_limit_pages: u64) {
    if origin == Origin::Eager {
        // Nobody has asked.
        return;
    }
    let mut event = resolution.event();
    if let Some(reason) = resolution.refusal() {
        event.detail3 = reason as u64;
        if reason == SegvReason::StackLimit {
            event.detail = stack_limit_pages.saturating_mul(PAGE_SIZE);
        }
    }
    let is_about_a_page = resolution.refusal().is_some_and(SegvReason::is_about_a_page);
    if event.access() == Some(Access::Execute) && !is_about_a_page {
        // Where it jumped to tells little: where it came from may stand here.
        event.detail2 = current().frame.borrow().x[1];
    }
    report_event(event, origin);
}

#[inline]
fn report_event(event: EventRecord, origin: Origin) {
    let copy = if origin == Origin::KernelCopy { FLAG_KERNEL_COPY } else { 0 };
    events::report(EventRecord { flags: event.flags | copy, ..event });
    const _: () = assert!(FLAG_FROM_DISK != FLAG_KERNEL_COPY);
}
