//! Read-ahead (`folio.read_ahead=N`): who reads a page of a file from the disk has the next `N - 1` pages read, too, as far as they are not in memory and
//! the disk has places for requests. Nobody sleeps for them; who needs one meanwhile waits for it as for any page that is being read.

use crate::devices::block::{self, Completion, Finished, Full, Request, Transfer, Volume};
use crate::devices::drivers::virtio::SECTOR_BYTES;
use crate::events;
use crate::files::vfs;
use crate::hart::current;
use crate::memory::mem::{self, DeviceBuffer};
use crate::memory::{claim, heap, motion, pages};
use crate::processes::wait::{self, Channel};
use core::sync::atomic::{AtomicU64, Ordering};
use fs::{DeviceRange, PageSource};
use isa::PAGE_SIZE;
use isa::events::{EventKind, EventRecord};
use mm::{FrameId, FrameKind, PageKey, PageLookup};

/// The most pages that are read for one.
pub const MOST_PAGES: u64 = 256;

/// How many pages are read for one that is asked for, itself among them.
static PAGES: AtomicU64 = AtomicU64::new(1);

/// Reads so many pages for one from now on.
pub fn start(pages: u64) {
    PAGES.store(pages, Ordering::Relaxed);
}

/// Whether pages are read that nobody has asked for.
pub fn is_on() -> bool {
    PAGES.load(Ordering::Relaxed) > 1
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

#[cold]
fn begin(key: PageKey) {
    let Some(volume) = pages::file_of(key.file).and_then(|file| block::volume(file.fs)) else { return };
    for index in key.index + 1..key.index + PAGES.load(Ordering::Relaxed) {
        let next = PageKey { index, ..key };
        let found = mem::memory().cache().lookup(next);
        match found {
            PageLookup::Absent => {}
            PageLookup::BeyondEnd => return,
            _ => continue,
        }
        // Where the page lies may have to be read first; then the world may have changed, which is looked at again.
        if heap::settle().is_err() {
            return;
        }
        let Some(place) = place_of(next) else { continue };
        if !block::has_place(volume.disk) {
            return;
        }
        let frame = mem::memory().begin_read_ahead(next);
        let Some(frame) = frame else { return };
        if !submit(next, frame, volume, place) {
            mem::memory().finish_read(next, frame, false);
            return;
        }
    }
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
