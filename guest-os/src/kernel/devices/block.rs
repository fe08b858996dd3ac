//! The block queue: reads that put the reading process to sleep until the device has filled its buffer.
//!
//! Requests go to the device at once, several at a time; its interrupt wakes whoever waits for each.

use crate::devices::drivers::plic;
use crate::devices::drivers::virtio::{self, Disk};
use crate::events;
use crate::local::HartLocal;
use crate::memory::mem::{FRAME_BYTES, KernelFrame};
use crate::processes::wait::{self, Channel};
use fs::{BlockDevice, DeviceError, Errno};
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

/// Frames in use while no file system is mounted: the headers.
pub const FRAMES: u64 = 1;

/// Requests that the device can have at once: as many as its queue has entries.
const SLOTS: usize = 16;

/// What the device reads and writes beside the data.
#[derive(Default)]
#[repr(C, align(64))]
struct Header {
    request: BlkReq,
    response: BlkResp,
}
const _: () = assert!(SLOTS * size_of::<Header>() <= FRAME_BYTES);

/// A request, until its reader has been told how it ended.
#[derive(Clone, Copy)]
struct InFlight {
    buffer: *mut [u8],
    number: u64,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// The device has it, under this token, which is used again as soon as the device is done.
    Submitted(u16),
    /// The device is done; whether it succeeded.
    Finished(bool),
}

struct Queue {
    disk: Disk,
    interrupt: u32,
    /// The headers, one a slot.
    headers: KernelFrame,
    slots: [Option<InFlight>; SLOTS],
    next_number: u64,
}

impl Queue {
    /// The header of a slot.
    fn header(&mut self, slot: usize) -> *mut Header {
        let first = self.headers.as_mut_ptr().cast::<Header>();
        assert!(slot < SLOTS);
        // SAFETY: the frame has room for all slots.
        unsafe { first.add(slot) }
    }
}

static QUEUE: HartLocal<Option<Queue>> = HartLocal::new(None);

/// Finds the disk. `false` if there is none.
#[inline(never)] // a frame of its own, not part of its caller's
pub fn start(slots: &[(Region, u32)]) -> bool {
    let Some((mut disk, interrupt)) = virtio::find_disk(slots) else { return false };
    let headers = KernelFrame::new().expect("a machine that has just started has frames");
    disk.enable_interrupts();
    plic::enable(interrupt);
    *QUEUE.get_mut() = Some(Queue { disk, interrupt, headers, slots: [None; SLOTS], next_number: 0 });
    true
}

/// Size of the disk in bytes.
pub fn len_bytes() -> u64 {
    QUEUE.get().as_ref().map_or(0, |queue| queue.disk.capacity() * SECTOR_SIZE as u64)
}

/// Fills `buffer` from the disk, sleeping meanwhile. Offset and length are multiples of the sector size. The buffer
/// must lie in the direct map and stay where it is, which a borrowed slice of a pinned frame does.
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
    let slot = queue.slots.iter().position(Option::is_none).ok_or(Error::QueueFull)?;
    let header = queue.header(slot);
    let buffer: *mut [u8] = buffer;
    // SAFETY: a free slot's header is nobody's. It stays where it is, and so does the buffer, whose reader sleeps until the
    // device is done: `read` does not return before.
    let token = unsafe {
        header.write(Header::default());
        queue.disk.read_blocks_nb(sector, &mut (*header).request, &mut *buffer, &mut (*header).response)
    }?;
    let number = queue.next_number;
    queue.next_number += 1;
    queue.slots[slot] = Some(InFlight { buffer, number, state: State::Submitted(token) });
    Ok(number)
}

/// Whether a request has succeeded, once it is done; its slot is free again then.
fn take_finished(number: u64) -> Option<bool> {
    let mut queue = QUEUE.get_mut();
    let mut slots = queue.as_mut()?.slots.iter_mut();
    let slot = slots.find(|slot| slot.is_some_and(|entry| entry.number == number))?;
    match slot.as_ref()?.state {
        State::Submitted(_) => None,
        State::Finished(succeeded) => {
            *slot = None;
            Some(succeeded)
        }
    }
}

/// The device has finished something.
pub fn interrupt(source: u32) {
    let mut guard = QUEUE.get_mut();
    let Some(queue) = guard.as_mut().filter(|queue| queue.interrupt == source) else { return };
    queue.disk.ack_interrupt();
    while let Some(token) = queue.disk.peek_used() {
        let has_token = |slot: &Option<InFlight>| {
            slot.is_some_and(|entry| matches!(entry.state, State::Submitted(t) if t == token))
        };
        let Some(slot) = queue.slots.iter().position(has_token) else { break };
        let header = queue.header(slot);
        let Some(entry) = &mut queue.slots[slot] else { break };
        // SAFETY: the same header and buffer as in `submit`; the reader still sleeps.
        let succeeded = unsafe {
            let (request, response) = (&(*header).request, &mut (*header).response);
            let result = queue.disk.complete_read_blocks(token, request, &mut *entry.buffer, response);
            result.is_ok() && response.status() == RespStatus::OK
        };
        entry.state = State::Finished(succeeded);
        wait::wake(Channel::Block(entry.number));
    }
}

/// The disk as the file systems read their metadata from it: through a frame, since their buffers may be anywhere.
pub struct RootDisk(KernelFrame);

impl RootDisk {
    /// The disk. ENOMEM without a frame.
    pub fn new() -> Result<Self, Errno> {
        KernelFrame::new().map(Self)
    }
}

impl BlockDevice for RootDisk {
    fn len_bytes(&self) -> u64 {
        len_bytes()
    }
    fn read(&mut self, offset_bytes: u64, buffer: &mut [u8]) -> Result<(), DeviceError> {
        let mut at = offset_bytes;
        for piece in buffer.chunks_mut(FRAME_BYTES) {
            read(at, &mut self.0[..piece.len()], Purpose::Metadata)?;
            self.0.changed_by_device();
            piece.copy_from_slice(&self.0[..piece.len()]);
            at += piece.len() as u64;
        }
        Ok(())
    }
    fn prepare_memory(&mut self) -> bool {
        crate::memory::heap::settle().is_ok()
    }
}

const _: () = assert!(fs::MEMORY_STEP < crate::memory::heap::THREAD_BYTES);
