//! virtio block devices (virtio 1.2, chapter 5.2), on transport and virtqueue of crate `virtio-drivers`.
//!
//! Many requests are in flight on a disk, each in a place of its own; what one reads or writes is the driver's until the device is done. No
//! request takes memory. (The crate's own block driver can flush only by waiting for it, and asks for the request's memory once more
//! when it is done.)

use crate::arch;
use crate::local::HartLocal;
use crate::memory::mem::DeviceBuffer;
use bitflags::bitflags;
use core::cell::UnsafeCell;
use core::ptr::NonNull;
use isa::PhysAddr;
use isa::platform::Region;
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, Transport};
use virtio_drivers::{BufferDirection, Error, Hal, PAGE_SIZE};

/// The most disks that are used.
pub const DISKS: usize = 4;
/// The most requests that a disk has at a time.
pub const REQUESTS: usize = 10;
/// Bytes in a sector, the unit of a request's place and length.
pub const SECTOR_BYTES: usize = 512;

/// Descriptors of a queue; a request has three at most: its header, its data, its status.
const DESCRIPTORS: usize = 32;
const _: () = assert!(REQUESTS * 3 <= DESCRIPTORS);
const QUEUE: u16 = 0;

/// Pages for virtqueues. Each disk has one queue, of two pages.
const QUEUE_PAGES: usize = 2 * DISKS;

#[repr(C, align(4096))]
struct QueueMemory(UnsafeCell<[[u8; PAGE_SIZE]; QUEUE_PAGES]>);

// SAFETY: `dma_alloc` gives each page out once, and never touches it again.
unsafe impl Sync for QueueMemory {}

static QUEUE_MEMORY: QueueMemory = QueueMemory(UnsafeCell::new([[0; PAGE_SIZE]; QUEUE_PAGES]));
static QUEUE_PAGES_USED: HartLocal<usize> = HartLocal::new(0);

/// Memory for virtqueues is part of the kernel's image, since theirs must be in one piece; buffers lie in the direct map.
pub struct KernelHal;

// SAFETY: `dma_alloc` returns zeroed, page-aligned memory that nothing else uses; addresses in the direct map translate by a constant.
unsafe impl Hal for KernelHal {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (u64, NonNull<u8>) {
        let mut used = QUEUE_PAGES_USED.get_mut();
        let first = *used;
        *used += pages;
        assert!(*used <= QUEUE_PAGES, "the block devices need {} pages for their queues", *used);
        // SAFETY: page `first` is one of the array's.
        let pointer = unsafe { QUEUE_MEMORY.0.get().cast::<u8>().add(first * PAGE_SIZE) };
        let pointer = NonNull::new(pointer).expect("the kernel's image is not at zero");
        (arch::phys_of(pointer.as_ptr()).0, pointer)
    }
    // Only a device that does not start gives its queue back, and the next one gets pages of its own.
    unsafe fn dma_dealloc(_: u64, _: NonNull<u8>, _: usize) -> i32 {
        0
    }
    unsafe fn mmio_phys_to_virt(address: u64, _: usize) -> NonNull<u8> {
        NonNull::new(arch::direct_map(PhysAddr(address)) as *mut u8).expect("the direct map is not at zero")
    }
    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> u64 {
        arch::phys_of(buffer.as_ptr()).0
    }
    // SAFETY: sharing has made nothing that would have to go.
    unsafe fn unshare(_: u64, _: NonNull<[u8]>, _: BufferDirection) {}
}

bitflags! {
    /// What the driver makes use of. (Not of event indices: crate virtio-drivers compares them without their wrapping round.)
    #[derive(Clone, Copy, Debug)]
    struct Features: u64 {
        const READ_ONLY = 1 << 5;
        const FLUSH = 1 << 9;
        const VERSION_1 = 1 << 32;
    }
}

/// What the device reads and writes beside the data (chapter 5.2.6).
#[derive(Clone, Copy)]
#[repr(C)]
struct Header {
    kind: u32,
    reserved: u32,
    sector: u64,
    status: u8,
}

/// Bytes of a header that the device reads.
const REQUEST_BYTES: usize = core::mem::offset_of!(Header, status);
const _: () = assert!(REQUEST_BYTES == 16);

const KIND_IN: u32 = 0;
const KIND_OUT: u32 = 1;
const KIND_FLUSH: u32 = 4;
const STATUS_OK: u8 = 0;
/// What the device overwrites.
const STATUS_NONE: u8 = 0xff;

struct HeaderMemory(UnsafeCell<[[Header; REQUESTS]; DISKS]>);

// SAFETY: a header is written while its place is free, by the only hart, and is the device's until the place is free again.
unsafe impl Sync for HeaderMemory {}

static HEADERS: HeaderMemory = {
    const FREE: Header = Header { kind: 0, reserved: 0, sector: 0, status: 0 };
    HeaderMemory(UnsafeCell::new([[FREE; REQUESTS]; DISKS]))
};

/// What a request does, and the memory that it does it with.
#[derive(Debug)]
pub enum Transfer {
    /// Fills the buffer from the disk.
    Read(DeviceBuffer),
    /// Writes the buffer to the disk.
    Write(DeviceBuffer),
    /// What has been written is kept, whatever happens.
    Flush,
}

impl Transfer {
    fn kind(&self) -> u32 {
        match self {
            Self::Read(_) => KIND_IN,
            Self::Write(_) => KIND_OUT,
            Self::Flush => KIND_FLUSH,
        }
    }
}

/// A request that the device has.
struct InFlight {
    /// The queue's name for it.
    token: u16,
    transfer: Transfer,
}

/// A disk, or room for one: it is large, so that it is made where it stays.
pub struct Disk {
    started: Option<Started>,
    in_flight: [Option<InFlight>; REQUESTS],
}

/// A virtio block device that is driven.
struct Started {
    /// Which one: its row of [`HEADERS`].
    number: usize,
    transport: MmioTransport<'static>,
    queue: VirtQueue<KernelHal, DESCRIPTORS>,
    interrupt: u32,
    sectors: u64,
    features: Features,
}

impl Started {
    #[inline(never)] // a frame of its own, not part of its caller's
    fn new(number: usize, transport: MmioTransport<'static>, interrupt: u32) -> Result<Self, Error> {
        let mut transport = transport;
        let features = transport.begin_init(Features::all());
        let sectors = transport.read_consistent(|| {
            let [low, high] =
                [transport.read_config_space::<u32>(0)?, transport.read_config_space::<u32>(4)?];
            Ok(u64::from(high) << 32 | u64::from(low))
        })?;
        let queue = VirtQueue::new(&mut transport, QUEUE, false, false)?;
        transport.finish_init();
        Ok(Self { number, transport, queue, interrupt, sectors, features })
    }

    /// The header of a place.
    fn header(&self, place: usize) -> *mut Header {
        assert!(self.number < DISKS && place < REQUESTS);
        // SAFETY: inside the array.
        unsafe { HEADERS.0.get().cast::<Header>().add(self.number * REQUESTS + place) }
    }
}

impl Disk {
    /// Room for a disk.
    pub const NONE: Self = Self { started: None, in_flight: [const { None }; REQUESTS] };

    /// Starts the block device in a slot, as number `number` of those that are used. `false` if there is none, or it does not start.
    #[inline(never)] // a frame of its own, not part of its caller's
    pub fn start(&mut self, window: Region, interrupt: u32, number: usize) -> bool {
        let Some(transport) = block_device(window) else { return false };
        match Started::new(number, transport, interrupt) {
            Ok(started) => self.started = Some(started),
            Err(error) => log::error!("the block device at {} does not start: {error}", window.base),
        }
        let Some(started) = &mut self.started else { return false };
        started.queue.set_dev_notify(true);
        true
    }

    fn started(&self) -> &Started {
        self.started.as_ref().expect("only disks that were started are asked for anything")
    }
    fn started_mut(&mut self) -> &mut Started {
        self.started.as_mut().expect("only disks that were started are asked for anything")
    }

    /// Whether there is one.
    pub fn is_there(&self) -> bool {
        self.started.is_some()
    }
    /// Size in sectors.
    pub fn sectors(&self) -> u64 {
        self.started().sectors
    }
    /// Whether it refuses to be written.
    pub fn is_read_only(&self) -> bool {
        self.started().features.contains(Features::READ_ONLY)
    }
    /// Whether it knows how to flush; if not, what has been written is safe.
    pub fn can_flush(&self) -> bool {
        self.started().features.contains(Features::FLUSH)
    }
    /// Whether this is its interrupt line.
    pub fn has_line(&self, interrupt: u32) -> bool {
        self.started.as_ref().is_some_and(|started| started.interrupt == interrupt)
    }
    /// The interrupt has been seen.
    pub fn acknowledge(&mut self) {
        self.started_mut().transport.ack_interrupt();
    }

    /// Hands the request to the device, in a place that is free.
    pub fn submit(&mut self, place: usize, sector: u64, transfer: Transfer) {
        assert!(self.in_flight[place].is_none(), "place {place} is in use");
        assert!(!matches!(transfer, Transfer::Flush) || self.can_flush(), "the device cannot flush");
        let started = self.started_mut();
        let header = started.header(place);
        // SAFETY: the header of a free place is nobody's.
        unsafe { header.write(Header { kind: transfer.kind(), reserved: 0, sector, status: STATUS_NONE }) };
        // SAFETY: header and buffer stay where they are, and the driver's, until `take_finished` has popped the request.
        let token =
            with_parts(header, &transfer, |inputs, outputs| unsafe { started.queue.add(inputs, outputs) });
        let token = token.expect("the queue has room for a request in each place");
        if started.queue.should_notify() {
            started.transport.notify(QUEUE);
        }
        self.in_flight[place] = Some(InFlight { token, transfer });
    }

    /// The next request that the device is done with: its place, which is free again, what it has done, and whether that succeeded.
    pub fn take_finished(&mut self) -> Option<(usize, Transfer, bool)> {
        let started = self.started.as_mut()?;
        let token = started.queue.peek_used()?;
        let has_token =
            |place: &Option<InFlight>| place.as_ref().is_some_and(|request| request.token == token);
        let place = self.in_flight.iter().position(has_token)?;
        let InFlight { transfer, .. } = self.in_flight[place].take()?;
        let header = started.header(place);
        // SAFETY: the same header and buffer as in `submit`.
        let popped = with_parts(header, &transfer, |inputs, outputs| unsafe {
            started.queue.pop_used(token, inputs, outputs)
        });
        // SAFETY: the device is done with the header.
        let status = unsafe { (&raw const (*header).status).read_volatile() };
        Some((place, transfer, popped.is_ok() && status == STATUS_OK))
    }
}

/// Calls `action` with what the device reads of a request, and what it writes.
fn with_parts<R>(
    header: *mut Header,
    transfer: &Transfer,
    action: impl for<'a> FnOnce(&'a [&'a [u8]], &'a mut [&'a mut [u8]]) -> R,
) -> R {
    // SAFETY: a header of the array's, which the driver does not touch meanwhile.
    let (request, status) = unsafe {
        let status = &raw mut (*header).status;
        (
            core::slice::from_raw_parts(header.cast::<u8>(), REQUEST_BYTES),
            core::slice::from_raw_parts_mut(status, 1),
        )
    };
    match transfer {
        // SAFETY: the frame is held for the device, and nobody reads or writes the buffer meanwhile.
        Transfer::Read(buffer) => action(&[request], &mut [unsafe { &mut *buffer.bytes() }, status]),
        // SAFETY: as above; nobody writes it.
        Transfer::Write(buffer) => action(&[request, unsafe { &*buffer.bytes() }], &mut [status]),
        Transfer::Flush => action(&[request], &mut [status]),
    }
}

/// The transport of a slot with a block device in it.
fn block_device(window: Region) -> Option<MmioTransport<'static>> {
    let header = NonNull::new(arch::direct_map(window.base) as *mut VirtIOHeader)?;
    // SAFETY: the device tree says that a virtio-mmio device is there; each window is visited once.
    let transport = unsafe { MmioTransport::new(header, usize::try_from(window.len_bytes).ok()?) }.ok()?;
    (transport.device_type() == DeviceType::Block).then_some(transport)
}
