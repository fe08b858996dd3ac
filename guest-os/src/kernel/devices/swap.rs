//! Swap space: the disk that it is on, found by Linux's signature, and its slots of a page each.
//!
//! A slot is written and read by requests like any other's; which slots are in use is for `mm` to know. Slot 0 is the header's.

use crate::devices::block::{self, Completion, DiskId, Finished, Full, Request, Transfer};
use crate::devices::drivers::virtio::SECTOR_BYTES;
use crate::local::HartLocal;
use crate::memory::mem::{self, FRAME_BYTES, KernelFrame};
use crate::processes::wait::{self, Channel};
use abi::swap::{NotSwap, PAGE_BYTES, SwapHeader};
use core::mem::replace;
use fs::DeviceError;
use mm::pte::SwapSlot;
use mm::swap::SwapMap;

const SECTORS_PER_SLOT: u64 = (FRAME_BYTES / SECTOR_BYTES) as u64;
const _: () = assert!(PAGE_BYTES == FRAME_BYTES);

/// Swap space that was found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Area {
    /// The disk.
    pub disk: DiskId,
    /// How many slots it has, from 1 on.
    pub slots: u32,
}

/// What is known of swap space.
enum Search {
    /// There is none.
    Nothing,
    /// The header of a disk is being read into this.
    Reading(KernelFrame),
    Found(Area),
}

static SEARCH: HartLocal<Search> = HartLocal::new(Search::Nothing);

/// Begins to look for swap space on the disks that are not the root's. Nobody waits for their answers before [`wait_until_known`].
pub fn look_for() {
    if let Some(disk) = candidates().next() {
        look_at(disk, KernelFrame::new().expect("a machine that has just started has frames"));
    }
}

/// Sleeps until it is known whether there is swap space.
pub fn wait_until_known() {
    while matches!(*SEARCH.get(), Search::Reading(_)) {
        wait::sleep(Channel::Swap);
    }
}

/// Disks that may hold swap space.
fn candidates() -> impl Iterator<Item = DiskId> {
    block::disks().filter(|&disk| Some(disk) != block::root() && !block::is_read_only(disk))
}

fn look_at(disk: DiskId, frame: KernelFrame) {
    let mut frame = frame;
    let transfer = Transfer::Read(frame.lend_all());
    *SEARCH.get_mut() = Search::Reading(frame);
    let request = Request { disk, sector: 0, transfer, completion: Completion::Call(looked_at) };
    block::submit(request).expect("nothing else is asked of this disk yet");
}

/// A disk's first page is there.
fn looked_at(read: Finished) {
    let Search::Reading(frame) = replace(&mut *SEARCH.get_mut(), Search::Nothing) else {
        unreachable!("one header is read at a time")
    };
    frame.changed_by_device();
    let Finished { disk, succeeded, transfer, .. } = read;
    drop(transfer);
    let name = block::name(disk);
    let pages = block::len_bytes(disk) / FRAME_BYTES as u64;
    match SwapHeader::from_page(&frame, pages) {
        _ if !succeeded => log::error!("swap: the first page of /dev/{name} cannot be read"),
        Ok(header) => {
            let area = Area { disk, slots: header.last_page };
            log::info!("swap: {} pages on /dev/{name}", area.slots);
            *SEARCH.get_mut() = Search::Found(area);
            wait::wake(Channel::Swap);
            return;
        }
        Err(NotSwap::NoSignature) => {}
        Err(why) => log::error!("swap: /dev/{name} is not used: {why}"),
    }
    match candidates().find(|&next| next > disk) {
        Some(next) => look_at(next, frame),
        None => wait::wake(Channel::Swap),
    }
}

/// The swap space, if there is any.
pub fn area() -> Option<Area> {
    match *SEARCH.get() {
        Search::Found(area) => Some(area),
        Search::Nothing | Search::Reading(_) => None,
    }
}

/// Lets pages go out, if there is swap space.
pub fn start() {
    let Some(area) = area() else { return };
    // The map's list takes memory of the kernel's: with little of that, not all slots are used.
    let mut slots = area.slots;
    let map = loop {
        match SwapMap::new(slots) {
            Ok(map) => break map,
            Err(_) => slots /= 2,
        }
    };
    if slots < area.slots {
        log::warn!("swap: there is memory to know of {slots} pages, and no more are used");
    }
    mem::memory().start_swap(map);
}

/// How many slots are in use.
pub fn used_slots() -> u64 {
    mem::memory().swap().counts().used
}

/// Hands a read or write of a slot to the disk, if that has a place for it: `done` is called when it is done, by the interrupt handler (see
/// [`Completion::Call`]). The buffer is a whole frame.
pub fn submit(slot: SwapSlot, transfer: Transfer, done: fn(Finished)) -> Result<(), Full> {
    let (disk, sector) = place_of(slot);
    block::submit(Request { disk, sector, transfer, completion: Completion::Call(done) }).map(|_| ())
}

/// Whether the disk has a place for a request.
pub fn has_place() -> bool {
    area().is_some_and(|area| block::has_place(area.disk))
}

/// Sleeps until the disk may have a place for a request; [`pass_place`] if it is not used.
pub fn wait_for_place() {
    block::wait_for_place(used_area().disk);
}

/// The disk has a place that its waiter has no use for.
pub fn pass_place() {
    block::pass_place(used_area().disk);
}

/// Has a slot read or written, sleeping meanwhile.
pub fn perform(slot: SwapSlot, transfer: Transfer) -> Result<(), DeviceError> {
    let (disk, sector) = place_of(slot);
    block::perform(disk, sector, transfer)
}

/// The slot that a request of [`submit`] was about.
pub fn slot_of(finished: &Finished) -> SwapSlot {
    SwapSlot(u32::try_from(finished.sector / SECTORS_PER_SLOT).unwrap_or(u32::MAX))
}

fn used_area() -> Area {
    area().expect("slots are of swap space that was found")
}

fn place_of(slot: SwapSlot) -> (DiskId, u64) {
    let area = used_area();
    assert!((1..=area.slots).contains(&slot.0), "slot {} is not one of {}", slot.0, area.slots);
    (area.disk, u64::from(slot.0) * SECTORS_PER_SLOT)
}
