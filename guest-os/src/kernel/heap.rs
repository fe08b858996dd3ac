//! The kernel heap: one region reserved at boot, and the admission check that keeps it from running dry.
//!
//! An allocation that fails panics in Rust, so nothing a user program can ask for may be allocated without asking
//! first: [`admit`] says whether `bytes` more leave the reserve untouched, and system calls that make the kernel remember
//! more (processes, mappings, open files, tmpfs nodes, pipes) turn a refusal into ENOMEM or EAGAIN.

use crate::arch;
use crate::local::HartLocal;
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::null_mut;
use isa::PhysAddr;
use talc::base::Talc;
use talc::base::binning::DefaultBinning;
use talc::source::Manual;

/// Bytes that stay free for what the kernel needs to go on and to clean up.
const RESERVE_BYTES: usize = 1 << 20;
/// A freed chunk costs this much bookkeeping at most; used to keep the estimate on the safe side.
const CHUNK_OVERHEAD: usize = 16;

struct KernelHeap {
    talc: HartLocal<Talc<Manual, DefaultBinning>>,
    account: HartLocal<Account>,
}

#[derive(Clone, Copy)]
struct Account {
    total: usize,
    used: usize,
}

#[global_allocator]
static HEAP: KernelHeap = KernelHeap {
    talc: HartLocal::new(Talc::new(Manual)),
    account: HartLocal::new(Account { total: 0, used: 0 }),
};

// SAFETY: Talc upholds the contract of GlobalAlloc; HartLocal gives it exclusive access for each call.
unsafe impl GlobalAlloc for KernelHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() == 0 {
            return null_mut();
        }
        // SAFETY: the size is not zero.
        let Some(block) = (unsafe { self.talc.get_mut().allocate(layout) }) else { return null_mut() };
        self.account.get_mut().used += layout.size() + CHUNK_OVERHEAD;
        block.as_ptr()
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller passes a block of this heap with its layout.
        unsafe { self.talc.get_mut().deallocate(block, layout) }
        self.account.get_mut().used -= layout.size() + CHUNK_OVERHEAD;
    }
}

/// Gives the heap its region. Called once, before the first allocation.
///
/// # Safety
/// `[start, start + bytes)` must be RAM in the direct map that nothing else uses.
pub unsafe fn start(start: PhysAddr, bytes: usize) {
    let base = arch::direct_map(start) as *mut u8;
    // SAFETY: the caller's promise.
    let end = unsafe { HEAP.talc.get_mut().claim(base, bytes) };
    assert!(end.is_some(), "the kernel heap is too small");
    HEAP.account.get_mut().total = bytes;
}

/// Whether the kernel may allocate about `bytes` more on behalf of a user program: the reserve stays untouched, and there is
/// a free piece as large, since free memory may lie in small ones.
pub fn admit(bytes: usize) -> bool {
    let account = *HEAP.account.get();
    let free = account.total.saturating_sub(account.used).saturating_sub(RESERVE_BYTES);
    free / 2 >= bytes && has_piece(bytes.max(1))
}

/// Whether one allocation of this size would succeed: tries it.
fn has_piece(bytes: usize) -> bool {
    let Ok(layout) = Layout::from_size_align(bytes, align_of::<u64>()) else { return false };
    // SAFETY: the size is not zero.
    let block = unsafe { HEAP.alloc(layout) };
    if block.is_null() {
        return false;
    }
    // SAFETY: allocated on the line above with this layout.
    unsafe { HEAP.dealloc(block, layout) };
    true
}
