//! virtio block devices, by crate `virtio-drivers`: its `Hal` and finding the devices.

use crate::arch;
use alloc::alloc::{Layout, alloc_zeroed, dealloc};
use core::ptr::NonNull;
use isa::PhysAddr;
use isa::platform::Region;
use virtio_drivers::device::blk::VirtIOBlk;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, Transport};
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE};

/// Memory for virtqueues comes from the kernel heap; buffers lie in the direct map.
pub struct KernelHal;

fn layout(pages: usize) -> Layout {
    Layout::from_size_align(pages * PAGE_SIZE, PAGE_SIZE).expect("a page size is a valid alignment")
}

// SAFETY: `dma_alloc` returns zeroed, page-aligned memory of its own; addresses in the direct map translate by a constant.
unsafe impl Hal for KernelHal {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (u64, NonNull<u8>) {
        // SAFETY: virtqueues have at least one page.
        let pointer = unsafe { alloc_zeroed(layout(pages)) };
        let pointer = NonNull::new(pointer).expect("the heap is empty at boot");
        (arch::phys_of(pointer.as_ptr()).0, pointer)
    }
    unsafe fn dma_dealloc(_: u64, pointer: NonNull<u8>, pages: usize) -> i32 {
        // SAFETY: allocated in `dma_alloc` with the same layout.
        unsafe { dealloc(pointer.as_ptr(), layout(pages)) };
        0
    }
    unsafe fn mmio_phys_to_virt(address: u64, _: usize) -> NonNull<u8> {
        NonNull::new(arch::direct_map(PhysAddr(address)) as *mut u8).expect("the direct map is not at zero")
    }
    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> u64 {
        arch::phys_of(buffer.as_ptr()).0
    }
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
