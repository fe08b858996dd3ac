//! Read-ahead (`folio.read_ahead=N`): who reads a page of a file from the disk has the next `N - 1` pages read, too, as far as they are not in memory and
//! the disk has places for requests. Nobody sleeps for them; who needs one meanwhile waits for it as for any page that is being read.
//!
//! A program may ask for pages, too ([`bring_file`], [`bring_private`]): then it sleeps until the disk has taken its requests. What is brought
//! so takes frames to spare only, and nobody's page leaves memory for it.

use crate::devices::block::{self, Completion, DiskId, Finished, Full, Request, Transfer, Volume};
use crate::devices::drivers::virtio::SECTOR_BYTES;
use crate::events;
use crate::files::vfs;
use crate::hart::current;
use crate::memory::mem::{self, DeviceBuffer};
use crate::memory::{claim, heap, motion, pages, reclaim};
use crate::processes::process::SharedSpace;
use crate::processes::wait::{self, Channel};
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use fs::{DeviceRange, PageSource};
use isa::events::{EventKind, EventRecord};
use isa::{PAGE_SIZE, Vpn};
use mm::pte::NotPresent;
use mm::swap::SlotState;
use mm::{FileId, FrameId, FrameKind, PageKey, PageLookup, PageRange, SwapSlot};

/// The most pages that are read for one.
pub const MOST_PAGES: u64 = 256;

/// How many pages are read for one that is asked for, itself among them.
static PAGES: AtomicU64 = AtomicU64::new(1);

/// Whether there may be pages that were read for nobody.
static IS_ON: AtomicBool = AtomicBool::new(false);

/// Reads so many pages for one from now on.
pub fn start(pages: u64) {
    PAGES.store(pages, Ordering::Relaxed);
    IS_ON.store(pages > 1, Ordering::Relaxed);
}

/// Whether pages may have been read that nobody has needed yet.
pub fn is_on() -> bool {
    IS_ON.load(Ordering::Relaxed)
}

/// To be called when the read of a page is under way: the reads of those behind it begin.
#[inline]
pub fn follow(key: PageKey) {
    if is_on() {
        begin(key);
    }
}

/// Waits until nothing is under way.
pub fn wait_for_all() {
    while motion::is_reading_ahead() {
        claim::sleep();
    }
}

/// A system call has found a page of a file in memory.
#[inline]
pub fn found(key: PageKey) {
    if is_on() {
        let (detail, detail2) = (key.file.0, key.index);
        events::report(EventRecord { detail, detail2, ..events::of(EventKind::CacheUse) });
    }
}

/// Has the pages of a file that a program will need read, or brought back from swap space: no more of them than there are frames, and the
/// cost grows with those that there are, however long the file is.
pub fn bring_file(file: FileId, pages: Range<u64>) {
    let volume = pages::file_of(file).and_then(|file| block::volume(file.fs));
    IS_ON.store(true, Ordering::Relaxed);
    // The disk has had a place for this thread, which it has not used.
    let mut has_place = false;
    let mut index = pages.start;
    // Of a file in memory only what has gone to swap space may have to come.
    let next = |index: u64| match volume {
        Some(_) => index + 1,
        None => mem::memory().cache().next_page(file, index + 1).map_or(u64::MAX, |key| key.index),
    };
    let most = if volume.is_some() { mem::memory().frames().total() } else { u64::MAX };
    let end = pages.end.min(pages.start.saturating_add(most));
    while index < end && !current().is_killed() {
        let key = PageKey { file, index };
        match begin_one(key, volume) {
            Begun::Yes => (has_place, index) = (false, index + 1),
            Begun::NotNeeded => index = next(index),
            Begun::InSlot(slot) if bring_back(slot) => index = next(index),
            Begun::DiskIsFull(disk) => {
                block::wait_for_place(disk);
                has_place = true;
            }
            Begun::InSlot(_) | Begun::NoMore => break,
        }
    }
    if let (true, Some(volume)) = (has_place, volume) {
        block::pass_place(volume.disk);
    }
}

/// Has the private pages of a range brought back from swap space.
pub fn bring_private(space: &SharedSpace, range: PageRange) {
    let mut rest = range;
    while !current().is_killed() {
        let next = space.borrow().next_entry(&mem::memory(), rest);
        let Some((vpn, entry)) = next else { return };
        rest.start = Vpn(vpn.0 + 1);
        if let Some(NotPresent::Swapped(slot)) = NotPresent::decode(entry)
            && !bring_back(slot)
        {
            return;
        }
    }
}

/// Brings the page of a slot to the swap cache, if it is not there. Sleeps. Returns whether there may be frames for more.
fn bring_back(slot: SwapSlot) -> bool {
    let frame = {
        let mut memory = mem::memory();
        if memory.swap().get(slot).state != SlotState::Stored {
            return true;
        }
        memory.begin_swap_in_ahead(slot)
    };
    frame.is_some_and(|frame| {
        reclaim::swap_in(slot, frame);
        true
    })
}

/// What has come of the wish for a page.
enum Begun {
    /// Its read is under way.
    Yes,
    /// It is in memory, or being read, or lies so that it is left to those who need it.
    NotNeeded,
    /// It is a page of a file in memory that has gone out.
    InSlot(SwapSlot),
    /// The disk has no place for a request.
    DiskIsFull(DiskId),
    /// There are no frames to spare, or the file ends.
    NoMore,
}

#[cold]
fn begin(key: PageKey) {
    let Some(volume) = pages::file_of(key.file).and_then(|file| block::volume(file.fs)) else { return };
    for index in key.index + 1..key.index + PAGES.load(Ordering::Relaxed) {
        match begin_one(PageKey { index, ..key }, Some(volume)) {
            Begun::Yes | Begun::NotNeeded | Begun::InSlot(_) => {}
            Begun::DiskIsFull(_) | Begun::NoMore => return,
        }
    }
}

/// Has the disk asked for a page, if it is not in memory.
fn begin_one(key: PageKey, volume: Option<Volume>) -> Begun {
    let found = mem::memory().cache().lookup(key);
    match found {
        PageLookup::Absent => {}
        PageLookup::BeyondEnd => return Begun::NoMore,
        PageLookup::Swapped(slot) => return Begun::InSlot(slot),
        _ => return Begun::NotNeeded,
    }
    // Where the page lies may have to be read first; then the world may have changed, which is looked at again.
    if heap::settle().is_err() {
        return Begun::NoMore;
    }
    let (Some(volume), Some(place)) = (volume, place_of(key)) else { return Begun::NotNeeded };
    if !block::has_place(volume.disk) {
        return Begun::DiskIsFull(volume.disk);
    }
    let frame = mem::memory().begin_read_ahead(key);
    let Some(frame) = frame else { return Begun::NoMore };
    if !submit(key, frame, volume, place) {
        mem::memory().finish_read(key, frame, false);
        return Begun::NoMore;
    }
    Begun::Yes
}

/// Where a page lies, if it lies in one piece: others are left to those who need them.
fn place_of(key: PageKey) -> Option<DeviceRange> {
    let file = pages::file_of(key.file)?;
    let source: PageSource = vfs::lock().page_source(file, key.index).ok()?;
    let mut ranges = source.ranges();
    let first = ranges.next().filter(|range| range.page_offset == 0)?;
    ranges.next().is_none().then_some(first)
}

/// Asks the disk for a page. Returns whether it had a place for that.
fn submit(key: PageKey, frame: FrameId, volume: Volume, place: DeviceRange) -> bool {
    let Some(buffer) = DeviceBuffer::new(frame, 0, place.len_bytes as usize) else { return false };
    let request = Request {
        disk: volume.disk,
        sector: volume.start_bytes.saturating_add(place.device_offset) / SECTOR_BYTES as u64,
        transfer: Transfer::Read(buffer),
        completion: Completion::Call(done),
    };
    if let Err(Full(_)) = block::submit(request) {
        return false;
    }
    motion::begins_read_ahead();
    let (detail, detail2) = (key.file.0, key.index);
    events::report(EventRecord { frame: frame.ppn().0, detail, detail2, ..events::of(EventKind::ReadAhead) });
    current().process.count_transfer(|counts| counts.bytes_from_disk += PAGE_SIZE);
    true
}

/// The disk is done with a page.
fn done(finished: Finished) {
    motion::ends_read_ahead();
    let Transfer::Read(buffer) = &finished.transfer else { unreachable!("only reads are asked for ahead") };
    let frame = buffer.frame();
    let mut memory = mem::memory();
    let FrameKind::PageCache(key) = memory.frames().info(frame).kind else {
        // The file was cut or removed meanwhile.
        memory.unpin(frame);
        drop(memory);
        return claim::wake();
    };
    let left = memory.file_len_bytes(key.file).saturating_sub(key.offset_bytes());
    if left < PAGE_SIZE {
        memory.zero_from(frame, left);
    }
    memory.finish_read(key, frame, finished.succeeded);
    drop(memory);
    if !finished.succeeded {
        log::info!(
            "reading page {} of file {:#x} ahead failed: who needs it has it read again",
            key.index,
            key.file.0
        );
    }
    wait::wake(Channel::Page(key));
    claim::wake();
}
