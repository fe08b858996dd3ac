//! The block queue: reads that put the reading process to sleep until the device has filled its buffer.
//!
//! Requests go to the device at once, several at a time; its interrupt wakes whoever waits for each.

use crate::drivers::plic;
use crate::drivers::virtio::{self, Disk};
use crate::local::HartLocal;
use crate::wait::{self, Channel};
use crate::{arch, events};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use fs::{BlockDevice, DeviceError};
use isa::events::{EventKind, EventRecord};
use isa::platform::Region;
use virtio_drivers::Error;
use virtio_drivers::device::blk::{BlkReq, BlkResp, RespStatus, SECTOR_SIZE};

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

/// A request that the device has: what it reads and writes must not move.
struct InFlight {
    request: Box<BlkReq>,
    response: Box<BlkResp>,
    buffer: *mut [u8],
    number: u64,
}

struct Queue {
    disk: Disk,
    interrupt: u32,
    /// By the device's token, which is used again as soon as the device is done.
    in_flight: BTreeMap<u16, InFlight>,
    /// Requests that are done and whose readers have not run yet, by their own number; whether they succeeded.
    finished: BTreeMap<u64, bool>,
    next_number: u64,
}

static QUEUE: HartLocal<Option<Queue>> = HartLocal::new(None);

/// Finds the disk. `false` if there is none.
pub fn start(slots: &[(Region, u32)]) -> bool {
    let Some((mut disk, interrupt)) = virtio::find_disk(slots) else { return false };
    disk.enable_interrupts();
    plic::enable(interrupt);
    *QUEUE.get_mut() = Some(Queue {
        disk,
        interrupt,
        in_flight: BTreeMap::new(),
        finished: BTreeMap::new(),
        next_number: 0,
    });
    true
}

/// Size of the disk in bytes.
pub fn len_bytes() -> u64 {
    QUEUE.get().as_ref().map_or(0, |queue| queue.disk.capacity() * SECTOR_SIZE as u64)
}

/// Fills `buffer` from the disk, sleeping meanwhile. Offset and length are multiples of the sector size. The buffer
/// must lie in the direct map and stay where it is, which a borrowed slice of the heap or of a pinned frame does.
pub fn read(offset_bytes: u64, buffer: &mut [u8], purpose: Purpose) -> Result<(), DeviceError> {
    let sector = usize::try_from(offset_bytes / SECTOR_SIZE as u64).map_err(|_| DeviceError)?;
    if buffer.is_empty()
        || !offset_bytes.is_multiple_of(SECTOR_SIZE as u64)
        || !buffer.len().is_multiple_of(SECTOR_SIZE)
    {
        return Err(DeviceError);
    }
    if let Some(record) = purpose.record() {
        let (detail, detail2) = (offset_bytes / SECTOR_SIZE as u64, buffer.len() as u64);
        events::report(EventRecord { detail, detail2, ..record });
    }
    let number = loop {
        match submit(sector, buffer) {
            Ok(number) => break number,
            Err(Error::QueueFull) => wait::sleep(Channel::BlockQueue),
            Err(_) => return Err(DeviceError),
        }
    };
    loop {
        if let Some(succeeded) = take_finished(number) {
            wait::wake(Channel::BlockQueue);
            return if succeeded { Ok(()) } else { Err(DeviceError) };
        }
        wait::sleep(Channel::Block(number));
    }
}

fn submit(sector: usize, buffer: &mut [u8]) -> Result<u64, Error> {
    let mut queue = QUEUE.get_mut();
    let queue = queue.as_mut().ok_or(Error::NotReady)?;
    let (mut request, mut response) = (Box::<BlkReq>::default(), Box::<BlkResp>::default());
    let pointer: *mut [u8] = buffer;
    // SAFETY: request and response stay boxed in `in_flight`, and the reader, who owns the buffer, sleeps until the
    // device is done: `read` does not return before.
    let token = unsafe { queue.disk.read_blocks_nb(sector, &mut request, &mut *pointer, &mut response) }?;
    let number = queue.next_number;
    queue.next_number += 1;
    queue.in_flight.insert(token, InFlight { request, response, buffer: pointer, number });
    Ok(number)
}

fn take_finished(number: u64) -> Option<bool> {
    QUEUE.get_mut().as_mut()?.finished.remove(&number)
}

/// The device has finished something.
pub fn interrupt(source: u32) {
    let mut guard = QUEUE.get_mut();
    let Some(queue) = guard.as_mut().filter(|queue| queue.interrupt == source) else { return };
    queue.disk.ack_interrupt();
    while let Some(token) = queue.disk.peek_used() {
        let Some(mut entry) = queue.in_flight.remove(&token) else { break };
        // SAFETY: the same request, buffer and response as in `submit`; the reader still sleeps.
        let result = unsafe {
            queue.disk.complete_read_blocks(token, &entry.request, &mut *entry.buffer, &mut entry.response)
        };
        queue.finished.insert(entry.number, result.is_ok() && entry.response.status() == RespStatus::OK);
        wait::wake(Channel::Block(entry.number));
    }
}

/// The disk as the file systems read their metadata from it.
pub struct RootDisk;

impl BlockDevice for RootDisk {
    fn len_bytes(&self) -> u64 {
        len_bytes()
    }
    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        // A buffer on a kernel stack lies in the direct map too: stacks are heap memory.
        debug_assert!(buffer.as_ptr() as usize >= arch::direct_map(isa::PhysAddr(0)));
        read(offset_bytes, buffer, Purpose::Metadata)
    }
}
