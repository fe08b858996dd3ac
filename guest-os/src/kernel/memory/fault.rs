//! Page faults: asks `mm` what is needed, does the waiting, applies the fence, reports.

use crate::devices::block::Purpose;
use crate::hart::current;
use crate::memory::claim::{self, Claim};
use crate::memory::oom::{self, Shortage};
use crate::memory::reclaim::{self, AtTheEnd};
use crate::memory::{ahead, inject, mem, pages, standstill};
use crate::processes::thread::Thread;
use crate::processes::wait::{self, Channel};
use crate::{arch, events};
use isa::events::{Access, EventKind, EventRecord, FLAG_FROM_DISK, FLAG_KERNEL_COPY, SegvReason};
use isa::paging::{Pte, PteFlags};
use isa::{PAGE_SIZE, PhysAddr, VirtAddr};
use mm::FRAMES_OF_A_FAULT;
use mm::fault::{Awaited, FaultSignal};
use mm::{AddressSpace, DiskWait, FaultAction, FaultOutcome, FrameId, Resolution};
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
            oom::out_of_frames(&thread, va, Shortage::OfFrames);
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
                    && let Some(shortage) = standstill::comes_no_further(&thread)
                    && !standstill::give_way(&thread, va, shortage)
                {
                    return Err(Refused::OutOfFrames);
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
                claim::has_slept();
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
