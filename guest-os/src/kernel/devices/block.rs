//! The disks, and the requests that they serve: objects of their own, which nobody need sleep for.
//!
//! A request names a disk and a place there, owns the memory that it moves, and says what happens when it is done: a sleeper is woken, or a
//! function is called from the interrupt handler. Those under way lie in a table of fixed size for each disk. So neither submitting one nor
//! completing it takes memory of the heap, and what frees memory can do both. [`read`] and [`perform`] are for threads that may sleep.

use crate::devices::drivers::plic;
use crate::devices::drivers::virtio::{DISKS, Disk, REQUESTS, SECTOR_BYTES};
use crate::events;
use crate::local::HartLocal;
use crate::memory::mem::{DeviceBuffer, FRAME_BYTES, KernelFrame};
use crate::processes::wait::{self, Channel};
use alloc::vec::Vec;
use core::mem::replace;
use fs::{BlockDevice, DeviceError, Errno, FileSystemId};
use isa::events::{EventKind, EventRecord};
use isa::platform::Region;

pub use crate::devices::drivers::virtio::Transfer;

/// A disk: its place among the machine's block devices.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DiskId(usize);

/// Something for a disk to do.
#[derive(Debug)]
pub struct Request {
    /// The disk.
    pub disk: DiskId,
    /// Where on it. A flush is of the whole disk.
    pub sector: u64,
    /// What is to be done. A buffer has whole sectors.
    pub transfer: Transfer,
    /// What happens when it is done.
    pub completion: Completion,
}

/// What happens when a request is done.
#[derive(Clone, Copy, Debug)]
pub enum Completion {
    /// Whoever sleeps for it ([`perform`]) is woken.
    Wake,
    /// This is called, by the interrupt handler: nothing is borrowed then. It must neither sleep nor take memory of the heap; it may submit
    /// another request.
    Call(fn(Finished)),
}

/// How a request has ended. When this is dropped, its frame is held no longer.
#[derive(Debug)]
pub struct Finished {
    /// The disk.
    pub disk: DiskId,
    /// Where on it.
    pub sector: u64,
    /// What was to be done, with its memory.
    pub transfer: Transfer,
    /// Whether it was.
    pub succeeded: bool,
}

/// The disk has as many requests as it can have at a time: this one may be submitted again when one of them is done.
#[derive(Debug)]
pub struct Full(pub Request);

/// A request under way, or done and not asked for yet.
#[derive(Clone, Copy, Debug)]
pub struct Ticket {
    disk: DiskId,
    place: usize,
    number: u64,
}

/// What is known of a request's place in the table.
#[derive(Clone, Copy)]
enum Place {
    Free,
    UnderWay {
        number: u64,
        sector: u64,
        completion: Completion,
    },
    /// It was some sleeper's, who will ask whether it succeeded.
    Done {
        number: u64,
        succeeded: bool,
    },
}

struct Device {
    disk: Disk,
    places: [Place; REQUESTS],
}

struct Devices {
    devices: [Device; DISKS],
    next_number: u64,
}

impl Devices {
    fn get_mut(&mut self, disk: DiskId) -> &mut Device {
        &mut self.devices[disk.0]
    }
}

static DEVICES: HartLocal<Devices> = HartLocal::new(Devices {
    devices: [const { Device { disk: Disk::NONE, places: [Place::Free; REQUESTS] } }; DISKS],
    next_number: 0,
});

/// Finds the disks.
#[inline(never)] // a frame of its own, not part of its caller's
pub fn start(slots: &[(Region, u32)]) {
    let mut devices = DEVICES.get_mut();
    let mut number = 0;
    for &(window, interrupt) in slots {
        if number == DISKS {
            log::info!("disks after the first {DISKS} are not used");
            break;
        }
        if devices.devices[number].disk.start(window, interrupt, number) {
            plic::enable(interrupt);
            number += 1;
        }
    }
}

/// The disk with this number in the order of their addresses, if there is one.
pub fn disk(number: u64) -> Option<DiskId> {
    disks().find(|disk| disk.0 as u64 == number)
}

/// The disks, in the order of their addresses.
pub fn disks() -> impl Iterator<Item = DiskId> {
    (0..DISKS).filter(|&number| DEVICES.get().devices[number].disk.is_there()).map(DiskId)
}

/// Size of a disk in bytes.
pub fn len_bytes(disk: DiskId) -> u64 {
    DEVICES.get_mut().get_mut(disk).disk.sectors() * SECTOR_BYTES as u64
}

/// Whether a disk refuses to be written.
pub fn is_read_only(disk: DiskId) -> bool {
    DEVICES.get_mut().get_mut(disk).disk.is_read_only()
}

/// A disk's name in `/dev`.
pub fn name(disk: DiskId) -> &'static str {
    const NAMES: [&str; DISKS] = ["vda", "vdb", "vdc", "vdd"];
    NAMES[disk.0]
}

/// Whether a disk has a place for a request.
pub fn has_place(disk: DiskId) -> bool {
    DEVICES.get_mut().get_mut(disk).places.iter().any(|place| matches!(place, Place::Free))
}

/// Sleeps until a disk may have a place for a request. Who does not use it then passes it on.
pub fn wait_for_place(disk: DiskId) {
    wait::sleep(Channel::BlockQueue(disk));
}

/// A disk has a place: one who waits for it is woken, and nobody else.
pub fn pass_place(disk: DiskId) {
    wait::scheduler(|s| s.wake_last(Channel::BlockQueue(disk), 1));
}

/// Hands a request to its disk, if that has a place for it.
pub fn submit(request: Request) -> Result<Ticket, Full> {
    let mut devices = DEVICES.get_mut();
    let number = devices.next_number;
    let device = devices.get_mut(request.disk);
    let Some(place) = device.places.iter().position(|place| matches!(place, Place::Free)) else {
        return Err(Full(request));
    };
    let Request { disk, sector, transfer, completion } = request;
    device.places[place] = Place::UnderWay { number, sector, completion };
    device.disk.submit(place, sector, transfer);
    devices.next_number += 1;
    Ok(Ticket { disk, place, number })
}

/// Has a request served, sleeping meanwhile; first, if need be, until the disk has a place for it.
pub fn perform(disk: DiskId, sector: u64, transfer: Transfer) -> Result<(), DeviceError> {
    perform_and(disk, sector, transfer, || {})
}

/// As [`perform`]. `meanwhile` is called when the request is under way.
fn perform_and(
    disk: DiskId,
    sector: u64,
    transfer: Transfer,
    meanwhile: impl FnOnce(),
) -> Result<(), DeviceError> {
    if matches!(transfer, Transfer::Flush) && !DEVICES.get_mut().get_mut(disk).disk.can_flush() {
        return Ok(());
    }
    let mut request = Request { disk, sector, transfer, completion: Completion::Wake };
    let ticket = loop {
        match submit(request) {
            Ok(ticket) => break ticket,
            Err(Full(again)) => request = again,
        }
        wait_for_place(disk);
    };
    meanwhile();
    loop {
        if let Some(succeeded) = take_result(ticket) {
            pass_place(disk);
            return if succeeded { Ok(()) } else { Err(DeviceError) };
        }
        wait::sleep(Channel::Block(ticket.number));
    }
}

/// Whether a sleeper's request has succeeded, once it is done; its place is free again then.
fn take_result(ticket: Ticket) -> Option<bool> {
    let mut devices = DEVICES.get_mut();
    let place = &mut devices.get_mut(ticket.disk).places[ticket.place];
    match *place {
        Place::Done { number, succeeded } if number == ticket.number => {
            *place = Place::Free;
            Some(succeeded)
        }
        _ => None,
    }
}

/// A device has finished something.
pub fn interrupt(source: u32) {
    let Some(disk) = acknowledge(source) else { return };
    while let Some((completion, number, finished)) = take_finished(disk) {
        match completion {
            Completion::Wake => wait::wake(Channel::Block(number)),
            Completion::Call(function) => {
                pass_place(disk);
                function(finished);
            }
        }
    }
}

/// The disk with this interrupt line, which is told that it was heard.
fn acknowledge(source: u32) -> Option<DiskId> {
    let mut devices = DEVICES.get_mut();
    let number = devices.devices.iter().position(|device| device.disk.has_line(source))?;
    devices.get_mut(DiskId(number)).disk.acknowledge();
    Some(DiskId(number))
}

/// The next request that a disk is done with.
fn take_finished(disk: DiskId) -> Option<(Completion, u64, Finished)> {
    let mut devices = DEVICES.get_mut();
    let device = devices.get_mut(disk);
    let (place, transfer, succeeded) = device.disk.take_finished()?;
    let Place::UnderWay { number, sector, completion } = replace(&mut device.places[place], Place::Free)
    else {
        unreachable!("the driver has requests in places that are under way only")
    };
    if matches!(completion, Completion::Wake) {
        device.places[place] = Place::Done { number, succeeded };
    }
    Some((completion, number, Finished { disk, sector, transfer, succeeded }))
}

/// What a read is for: a page fault reports itself, everything else is reported as `disk_read`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// A page fault waits for it.
    Fault,
    /// File-system metadata.
    Metadata,
    /// A page of the page cache that a system call needs: `read`, the headers of a program.
    Call {
        /// The file's number in `mm`.
        file: u64,
        /// Where in the file.
        offset_bytes: u64,
        /// The frame that is filled.
        frame: u64,
    },
}

impl Purpose {
    /// The event that tells of the read; none for a page fault's.
    fn record(self) -> Option<EventRecord> {
        let record = events::of(EventKind::DiskRead);
        match self {
            Purpose::Fault => None,
            Purpose::Metadata => Some(record),
            Purpose::Call { file, offset_bytes, frame } => {
                Some(EventRecord { frame, va: offset_bytes, detail3: file, ..record })
            }
        }
    }
}

/// Fills a buffer from a disk, sleeping meanwhile. Offset and length are multiples of the sector size. `meanwhile` is called when the request is under way.
pub fn read(
    disk: DiskId,
    offset_bytes: u64,
    buffer: DeviceBuffer,
    purpose: Purpose,
    meanwhile: impl FnOnce(),
) -> Result<(), DeviceError> {
    if !offset_bytes.is_multiple_of(SECTOR_BYTES as u64) || !buffer.len_bytes().is_multiple_of(SECTOR_BYTES) {
        return Err(DeviceError);
    }
    let sector = offset_bytes / SECTOR_BYTES as u64;
    if let Some(record) = purpose.record() {
        let (detail, detail2) = (sector, buffer.len_bytes() as u64);
        events::report(EventRecord { detail, detail2, ..record });
    }
    perform_and(disk, sector, Transfer::Read(buffer), meanwhile)
}

/// Where a file system lies.
#[derive(Clone, Copy, Debug)]
pub struct Volume {
    /// On which disk.
    pub disk: DiskId,
    /// Where on it the file system begins, a multiple of the sector size.
    pub start_bytes: u64,
}

/// Those of the file systems that are mounted, in the order of mounting: the root's first.
static VOLUMES: HartLocal<Vec<Volume>> = HartLocal::new(Vec::new());

/// Where the files of a file system are read from; `None` for one that is on no disk.
pub fn volume(fs: FileSystemId) -> Option<Volume> {
    VOLUMES.get().get(fs.disk_number()?).copied()
}

/// The disk that the root file system is on, once it is mounted.
pub fn root() -> Option<DiskId> {
    volume(FileSystemId::ROOT).map(|volume| volume.disk)
}

/// One more file system is mounted.
pub fn mounted(volume: Volume) {
    VOLUMES.get_mut().push(volume);
}

/// A disk as the file systems read their metadata from it: through a frame, since their buffers may be anywhere.
pub struct MetadataDisk {
    volume: Volume,
    frame: KernelFrame,
}

impl MetadataDisk {
    /// From where a file system begins. ENOMEM without a frame.
    pub fn new(volume: Volume) -> Result<Self, Errno> {
        Ok(Self { volume, frame: KernelFrame::new()? })
    }
}

impl BlockDevice for MetadataDisk {
    fn len_bytes(&self) -> u64 {
        len_bytes(self.volume.disk).saturating_sub(self.volume.start_bytes)
    }
    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        let mut at = self.volume.start_bytes.saturating_add(offset_bytes);
        for piece in buffer.chunks_mut(FRAME_BYTES) {
            read(self.volume.disk, at, self.frame.lend(piece.len()), Purpose::Metadata, || {})?;
            self.frame.changed_by_device();
            piece.copy_from_slice(&self.frame[..piece.len()]);
            at += piece.len() as u64;
        }
        Ok(())
    }
    fn prepare_memory(&mut self) -> bool {
        crate::memory::heap::settle().is_ok()
    }
}

const _: () = assert!(fs::MEMORY_STEP < crate::memory::heap::THREAD_BYTES);
