//! virtio block devices, by crate `virtio-drivers`: its `Hal` and finding the devices.

use crate::arch;
use crate::local::HartLocal;
use core::cell::UnsafeCell;
use core::ptr::NonNull;
use isa::PhysAddr;
use isa::platform::Region;
use virtio_drivers::device::blk::VirtIOBlk;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, Transport};
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE};

/// Pages for virtqueues. One device is started, with one queue of one or two pages.
const QUEUE_PAGES: usize = 8;

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

/// A virtio block device.
pub type Disk = VirtIOBlk<KernelHal, MmioTransport<'static>>;

/// The block device in the first slot that has one, with its interrupt line.
pub fn find_disk(slots: &[(Region, u32)]) -> Option<(Disk, u32)> {
    slots.iter().find_map(|&(window, interrupt)| {
        let header = NonNull::new(arch::direct_map(window.base) as *mut VirtIOHeader)?;
        // SAFETY: the device tree says that a virtio-mmio device is there; each window is visited once.
        let transport =
            unsafe { MmioTransport::new(header, usize::try_from(window.len_bytes).ok()?) }.ok()?;
        if transport.device_type() != DeviceType::Block {
            return None;
        }
        match Disk::new(transport) {
            Ok(disk) => Some((disk, interrupt)),
            Err(error) => {
                log::error!("the block device at {} does not start: {error}", window.base);
                None
            }
        }
    })
}
