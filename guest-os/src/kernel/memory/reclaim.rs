//! Room in memory: what needs a frame and finds none waits here until a page has gone out to swap space, or a process has been killed.
//!
//! `mm` evicts what needs no I/O by itself. When it says that there is no frame, either an eviction has begun a write, which is handed to the disk here, or
//! reads and writes under way must come to their ends first, or memory is really at its end. What needed the frame sleeps with nothing
//! borrowed, and then begins again. So no frame is needed to make one: a request to a disk takes no memory ([`crate::devices::block`]).

use crate::devices::block::{Finished, Transfer};
use crate::devices::swap;
use crate::hart::current;
use crate::memory::claim::{self, Claim};
use crate::memory::mem::{self, DeviceBuffer, DirectMap};
use crate::memory::{heap, inject, motion, oom};
use crate::processes::wait::{self, Channel};
use core::sync::atomic::{AtomicU64, Ordering};
use fs::Errno;
use isa::VirtAddr;
use mm::{FrameId, Memory, OutOfFrames, SwapSlot, SwapWrite};

/// What may be done when nothing else makes room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AtTheEnd {
    /// The process with the most memory is killed: the running one, which needs a page here, or another, for whose end this waits.
    Kill(VirtAddr),
    /// Nothing: the call fails. For who holds what a process may need to end.
    Fail,
}

/// Does what needs frames, and again from its beginning, as long as there is a way to make room. Sleeps, with nothing borrowed; what `action` has found out
/// before it failed may not be true any more.
pub fn with_room<R>(
    at_the_end: AtTheEnd,
    action: impl FnMut(&mut Memory<DirectMap>) -> Result<R, OutOfFrames>,
) -> Result<R, OutOfFrames> {
    with_room_for(1, at_the_end, action)
}

/// As [`with_room`] for what may need `frames` at once.
pub fn with_room_for<R>(
    frames: u64,
    at_the_end: AtTheEnd,
    mut action: impl FnMut(&mut Memory<DirectMap>) -> Result<R, OutOfFrames>,
) -> Result<R, OutOfFrames> {
    let mut claim = Claim::on(frames);
    loop {
        let result = claim.attempt(&mut action);
        write_out();
        if result.is_ok() {
            return result;
        }
        claim.waits();
        if !makes_room(at_the_end) {
            return result;
        }
    }
}

/// Waits until so many frames are free. Nothing may sleep before they are used.
pub fn wait_for_frames(frames: u64, at_the_end: AtTheEnd) -> Result<(), OutOfFrames> {
    with_room_for(frames, at_the_end, |memory| memory.make_room(frames))
}

/// Makes the running thread's share of the kernel's heap whole ([`heap::settle`]), waiting for frames for it if need be. Sleeps.
pub fn settle() -> Result<(), Errno> {
    loop {
        match heap::settle() {
            Err(error) if !makes_room(AtTheEnd::Fail) => return Err(error),
            Err(_) => {}
            Ok(()) => return Ok(()),
        }
    }
}

/// Waits for room in memory. Whether there may be some now.
pub fn makes_room(at_the_end: AtTheEnd) -> bool {
    if inject::has_refused() || current().is_killed() {
        return false;
    }
    if write_out_in_time() || claim::lapses() {
        // There may be frames now.
        return true;
    }
    // Who is served first will say whether this is the end.
    if motion::is_under_way() || claim::is_anothers() {
        claim::sleep();
        return true;
    }
    match at_the_end {
        AtTheEnd::Kill(va) => oom::kill_largest(va),
        AtTheEnd::Fail => false,
    }
}

/// Sleeps until the disk has read or written a slot, if it is at work on it.
pub fn wait_for(slot: SwapSlot) {
    // Nobody else may come to hand it on.
    write_out_in_time();
    let is_in_motion = {
        let memory = mem::memory();
        memory.swap().is_used(slot) && memory.swap().get(slot).state.is_in_motion()
    };
    if is_in_motion {
        wait::sleep(Channel::Slot(slot));
    }
}

/// Waits for what the disk is still asked to do, at the end of the run.
pub fn finish() {
    loop {
        write_out_in_time();
        if mem::memory().swap().in_motion() == 0 {
            return;
        }
        claim::sleep();
    }
}

/// Hands the write to the disk that an eviction has begun, if one has and the disk has a place for it: without sleep, since what has been done meanwhile may not be
/// told yet. Returns whether it did.
#[inline]
pub fn write_out() -> bool {
    let is_due = mem::memory().has_write();
    is_due && swap::has_place() && submit()
}

/// As [`write_out`], and sleeps until the disk has a place for it. Returns whether it has slept.
pub fn write_out_in_time() -> bool {
    let mut has_slept = false;
    while mem::memory().has_write() {
        if write_out() {
            return has_slept;
        }
        swap::wait_for_place();
        has_slept = true;
    }
    if has_slept {
        swap::pass_place();
    }
    has_slept
}

#[cold]
fn submit() -> bool {
    let write = mem::memory().take_write();
    let Some(SwapWrite { slot, frame }) = write else { return false };
    let submitted = swap::submit(slot, Transfer::Write(DeviceBuffer::whole(frame)), written);
    assert!(submitted.is_ok(), "the disk had a place");
    true
}

/// The disk is done with a page that went out.
fn written(finished: Finished) {
    let (slot, succeeded) = (swap::slot_of(&finished), finished.succeeded);
    // Its hold on the frame ends.
    drop(finished);
    if !succeeded {
        tell_of_unwritten(slot);
    }
    mem::memory().finish_swap_out(slot, succeeded);
    has_changed(slot);
}

/// A disk that refuses one write may refuse all: the line comes at each doubling.
#[cold]
fn tell_of_unwritten(slot: SwapSlot) {
    static FAILED: AtomicU64 = AtomicU64::new(0);
    let failed = FAILED.fetch_add(1, Ordering::Relaxed) + 1;
    if failed == 1 {
        log::error!("swap: writing slot {} failed; its page stays in memory", slot.0);
    } else if failed.is_power_of_two() {
        log::error!(
            "swap: writing slot {} failed, too: {failed} writes have; their pages stay in memory",
            slot.0
        );
    }
}

/// Fills the frame of a slot that `mm` has begun to read. Sleeps. Returns whether the page is what was written.
pub fn swap_in(slot: SwapSlot, frame: FrameId) -> bool {
    let read = swap::perform(slot, Transfer::Read(DeviceBuffer::whole(frame)));
    let is_right = mem::memory().finish_swap_in(slot, frame, read.is_ok());
    if !is_right {
        tell_of_lost(slot, read.is_ok());
    }
    current().process.count_transfer(|counts| counts.bytes_from_disk += isa::PAGE_SIZE);
    has_changed(slot);
    is_right
}

/// A program that goes on may touch its lost page again and again: the line comes when it is another slot's.
#[cold]
fn tell_of_lost(slot: SwapSlot, could_be_read: bool) {
    static TOLD: AtomicU64 = AtomicU64::new(u64::MAX);
    if TOLD.swap(u64::from(slot.0), Ordering::Relaxed) == u64::from(slot.0) {
        return;
    }
    let process = &current().process;
    let (pid, name) = (process.pid, oom::name_of(process));
    let what = if could_be_read { "does not hold what was written there" } else { "cannot be read" };
    log::error!("swap: slot {} {what}; process {pid} ({name}) needs it", slot.0);
}

fn has_changed(slot: SwapSlot) {
    wait::wake(Channel::Slot(slot));
    claim::wake();
}
