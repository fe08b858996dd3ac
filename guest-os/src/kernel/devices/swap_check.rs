//! The swap disk's own test (`folio.check_swap` on the kernel's command line): before the first program starts, slots from the first to the last
//! are written, flushed and read back, as many at a time as the disk takes, with nobody asleep on any of them. The kernel's log says what
//! came of it.

use crate::devices::block::{self, Finished, Full, Transfer};
use crate::devices::swap::{self, Area};
use crate::local::HartLocal;
use crate::memory::mem::{DeviceBuffer, FRAME_BYTES, KernelFrame};
use crate::processes::wait::{self, Channel};
use alloc::vec::Vec;
use mm::pte::SwapSlot;

/// Slots that are looked at: more than a disk takes requests at a time.
const SLOTS: u32 = 16;

/// How the requests have ended so far.
#[derive(Clone, Copy, Default)]
struct Tally {
    under_way: u64,
    failed: u64,
}

static TALLY: HartLocal<Tally> = HartLocal::new(Tally { under_way: 0, failed: 0 });

static IS_PLANNED: HartLocal<bool> = HartLocal::new(false);

/// The test is wanted.
pub fn plan() {
    *IS_PLANNED.get_mut() = true;
}

/// Runs the test if it is wanted. It overwrites slots, so nothing may be in them.
pub fn run_if_planned() {
    if *IS_PLANNED.get() {
        run();
    }
}

#[inline(never)] // a frame of its own, not part of its caller's
fn run() {
    let Some(area) = swap::area() else {
        log::error!("swap check: there is no swap space");
        return;
    };
    let mut frames = Vec::new();
    for number in 0..SLOTS.min(area.slots) {
        let frame = KernelFrame::new().expect("a machine that has just started has frames");
        frames.push((slot(area, number), frame));
    }
    for (slot, frame) in &mut frames {
        frame.iter_mut().enumerate().for_each(|(at, byte)| *byte = pattern(*slot, at));
    }
    let (unwritten, waited) = each(&mut frames, Transfer::Write);
    let flush = block::perform(area.disk, 0, Transfer::Flush);
    frames.iter_mut().for_each(|(_, frame)| frame.fill(0));
    let (unread, _) = each(&mut frames, Transfer::Read);
    let differ = frames.iter().filter(|(slot, frame)| !has_pattern(*slot, frame)).count();
    // Once more as one does who may sleep.
    let count = frames.len();
    let (first, frame) = &mut frames[0];
    let slept = swap::perform(*first, Transfer::Read(frame.lend_all()));
    frame.changed_by_device();
    // Who has asked for it wants to see it, on a bare console too.
    log::warn!(
        "swap check: {count} slots to {}; {waited} waits for a place; {unwritten} writes, {unread} reads, {} flushes and {} sleepers' reads \
         failed; {differ} slots differ",
        slot(area, SLOTS - 1).0,
        u64::from(flush.is_err()),
        u64::from(slept.is_err() || !has_pattern(*first, frame)),
    );
}

/// The slot with this number among those that are looked at.
fn slot(area: Area, number: u32) -> SwapSlot {
    let last = SLOTS.min(area.slots) - 1;
    let way = u64::from(number.min(last)) * u64::from(area.slots - 1) / u64::from(last.max(1));
    SwapSlot(1 + u32::try_from(way).expect("it is less than the slots are"))
}

/// What stands at a byte of a slot.
fn pattern(slot: SwapSlot, at: usize) -> u8 {
    let [mixed, ..] =
        ((u64::from(slot.0) << 12 | at as u64) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes();
    mixed
}

fn has_pattern(slot: SwapSlot, frame: &[u8; FRAME_BYTES]) -> bool {
    frame.iter().enumerate().all(|(at, &byte)| byte == pattern(slot, at))
}

/// Has all slots written or read. How many failed, and how often there was no place for a request.
fn each(frames: &mut [(SwapSlot, KernelFrame)], transfer: fn(DeviceBuffer) -> Transfer) -> (u64, u64) {
    let mut waited = 0;
    *TALLY.get_mut() = Tally::default();
    for (slot, frame) in frames.iter_mut() {
        let mut transfer = transfer(frame.lend_all());
        TALLY.get_mut().under_way += 1;
        while let Err(Full(request)) = swap::submit(*slot, transfer, done) {
            transfer = request.transfer;
            waited += 1;
            swap::wait_for_place();
        }
    }
    while TALLY.get().under_way > 0 {
        wait::sleep(Channel::Swap);
    }
    frames.iter().for_each(|(_, frame)| frame.changed_by_device());
    (TALLY.get().failed, waited)
}

fn done(finished: Finished) {
    let mut tally = TALLY.get_mut();
    tally.under_way -= 1;
    tally.failed += u64::from(!finished.succeeded);
    log::debug!("swap check: slot {} is done", swap::slot_of(&finished).0);
    wait::wake(Channel::Swap);
}
