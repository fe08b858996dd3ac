//! A swap disk in memory, as `mkswap` would make it.

use abi::swap::{PAGE_BYTES, SwapHeader};
use emulator::host::DiskImage;

/// Swap space of so many pages, the header's included.
pub fn swap_space(pages: u32) -> Box<dyn DiskImage> {
    let header = SwapHeader { last_page: pages - 1, uuid: [7; 16], label: [0; 16] };
    let mut bytes = header.to_page().to_vec();
    bytes.resize(pages as usize * PAGE_BYTES, 0);
    Box::new(bytes)
}
