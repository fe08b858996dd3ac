//! From the firmware's jump to the first process.

use crate::config::{self, Config};
use crate::drivers::host;
use crate::shutdown::{End, stop};
use crate::{arch, heap, logger};
use fdt::Fdt;
use isa::{PAGE_SIZE, PhysAddr};

/// The kernel heap's share of RAM, and its bounds.
const HEAP_SHARE: u64 = 8;
const HEAP_MIN_BYTES: u64 = 8 << 20;
const HEAP_MAX_BYTES: u64 = 128 << 20;

/// Called by the start-up code, on the boot stack, in the high half.
#[unsafe(no_mangle)]
extern "C" fn kmain(_hart: u64, device_tree: u64) -> ! {
    let device_tree = PhysAddr(device_tree);
    // SAFETY: the firmware's argument; no memory is handed out before the tree has been read.
    let bytes = unsafe { config::device_tree(device_tree) };
    let fdt = Fdt::new(bytes).expect("the firmware passes a device tree");
    let (_, ram_end) = config::ram_bounds(&fdt);
    let tree_end = PhysAddr(device_tree.0 + bytes.len() as u64);
    let heap_bytes = ((ram_end.0 - arch::kernel_end().0) / HEAP_SHARE).clamp(HEAP_MIN_BYTES, HEAP_MAX_BYTES)
        & !(PAGE_SIZE - 1);
    let heap_start = heap_start(heap_bytes, device_tree, tree_end);
    // SAFETY: between the kernel's end and the RAM's, not over the device tree.
    unsafe { heap::start(heap_start, usize::try_from(heap_bytes).expect("a usize has 64 bits")) };
    let config = Config::from_device_tree(&fdt);
    host::start(config.has_host);
    logger::start();
    log::warn!(
        "hello: heap {:?}, ram end {}, init {:?}",
        heap::usage(),
        config.ram_end,
        alloc::string::String::from_utf8_lossy(&config.init.program)
    );
    stop(End::Exited(3))
}

/// Right after the kernel, or after the device tree if that lies there.
fn heap_start(heap_bytes: u64, tree_start: PhysAddr, tree_end: PhysAddr) -> PhysAddr {
    let kernel_end = arch::kernel_end();
    let overlaps = tree_start.0 < kernel_end.0 + heap_bytes && tree_end > kernel_end;
    let after = if overlaps { tree_end } else { kernel_end };
    PhysAddr(after.0.next_multiple_of(PAGE_SIZE))
}
