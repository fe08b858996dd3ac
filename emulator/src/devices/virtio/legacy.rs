//! The legacy MMIO transport, version 1 (virtio 1.2, chapter 4.2.4): a queue is one piece of memory, placed by page number.
//!
//! The driver tells its page size once, then for each queue its size, the alignment of the used ring and the number of
//! its first page; page 0 takes the queue away. There is no `FEATURES_OK`, and only 32 feature bits can be seen. Registers that
//! came with version 2 read 0 and ignore stores, as on QEMU: drivers of both versions look at some of them.

use super::mmio::VirtioMmio;
use super::queue::Queue;

const GUEST_PAGE_SIZE: u64 = 0x28;
const QUEUE_NUM: u64 = 0x38;
const QUEUE_ALIGN: u64 = 0x3c;
const QUEUE_PFN: u64 = 0x40;
/// The alignment of the used ring for a driver that does not tell one, as QEMU has it.
const DEFAULT_ALIGN: u64 = 4096;

impl VirtioMmio {
    /// A load of a register that only this version has.
    pub(super) fn read_legacy(&self, offset: u64) -> u32 {
        match offset {
            QUEUE_PFN => self.selected().map_or(0, |queue| queue.legacy_page),
            _ => 0,
        }
    }

    /// A store to a register that only this version has.
    pub(super) fn write_legacy(&mut self, offset: u64, value: u32) {
        let page_bytes = self.guest_page_bytes;
        match offset {
            GUEST_PAGE_SIZE => self.guest_page_bytes = value,
            QUEUE_NUM | QUEUE_ALIGN | QUEUE_PFN => {
                if let Some(queue) = self.selected_mut() {
                    set_queue(queue, offset, value, page_bytes);
                }
            }
            _ => {}
        }
    }
}

fn set_queue(queue: &mut Queue, offset: u64, value: u32, page_bytes: u32) {
    match offset {
        // More than the maximum stays too large, and is found out at the first notification.
        QUEUE_NUM if !queue.ready => queue.size = u16::try_from(value).unwrap_or(u16::MAX),
        QUEUE_ALIGN if !queue.ready => queue.legacy_align = value,
        QUEUE_PFN if value == 0 => *queue = Queue::default(),
        QUEUE_PFN => place(queue, value, page_bytes),
        _ => {}
    }
}

/// The layout of a legacy queue (chapter 2.7.2): descriptors, available ring, then the used ring, aligned.
fn place(queue: &mut Queue, page: u32, page_bytes: u32) {
    let size = u64::from(queue.size);
    let align = if queue.legacy_align == 0 { DEFAULT_ALIGN } else { u64::from(queue.legacy_align) };
    queue.legacy_page = page;
    queue.descriptors = u64::from(page) * u64::from(page_bytes);
    queue.available = queue.descriptors + 16 * size;
    // Flags, index, entries and the event index, two bytes each.
    queue.used = (queue.available + 2 * (3 + size)).next_multiple_of(align);
    queue.ready = true;
}
