//! The kernel heap: it grows by frames, and what a kernel thread needs to finish a call is there before the call begins.
//!
//! An allocation that fails panics in Rust, unless it was asked for by `try_reserve`. So there are two kinds, told apart by size:
//!
//! - *Pieces* of at most [`PIECE_BYTES`] (tree nodes, boxes, names) cannot fail. Each thread has [`THREAD_BYTES`] for them, kept as pages that are
//!   mapped behind the end of the heap and not yet in use. [`settle`] makes the thread's share whole again: it is asked at the start of each
//!   system call and page fault, and between the parts of a call that needs more than a share; when there is no memory, the call is
//!   refused before it has done anything. [`prepare`] raises the share for a call that is known to need more.
//! - *Larger allocations*, whose size a program decides, may be refused: they come from frames at once, and leave the shares alone.
//!   The kernel asks for them by `try_reserve` and its kin and answers ENOMEM.
//!
//! The heap starts in the RAM behind the kernel's image, with room for the frame table and for booting, and grows in a window of
//! 4 KiB mappings, so that scattered frames make one piece. It gives frames back from its end.

use crate::arch::{self, window::HEAP_WINDOW};
use crate::local::HartLocal;
use crate::memory::{inject, mem};
use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{NonNull, null_mut};
use fs::Errno;
use isa::paging::ENTRIES;
use isa::policies::PolicyKind;
use isa::{PAGE_SIZE, PhysAddr};
use mem::FRAME_BYTES;
use mm::FrameKind;
use talc::base::Talc;
use talc::base::binning::DefaultBinning;
use talc::source::Manual;

/// The largest allocation that is not asked for by `try_reserve`: the longest path, and its copy while it grows.
pub const PIECE_BYTES: usize = 8 << 10;
// What `mm` asks for one by one, when the frames are its own and the heap can't grow.
const _: () = assert!(mm::CHUNK_BYTES <= PIECE_BYTES);
/// What a thread may allocate in pieces between two calls of [`settle`], less what it frees meanwhile.
pub const THREAD_BYTES: usize = 48 << 10;
/// What a thread costs beside its address space: its share, its stack, its scratch page.
const THREAD_COST_BYTES: usize = THREAD_BYTES + arch::STACK_BYTES + FRAME_BYTES;
/// Bytes of the heap at the start, beside the frame table.
const BOOT_BYTES: u64 = 512 << 10;
/// What kernel threads cost is at most so many eighths of RAM, so that those that there are can go on (Linux allows one for stacks alone). With swap space
/// programs get by with less: their pages go there, and what cannot go, page tables above all, is a fraction of what their threads cost.
const THREADS_EIGHTHS: usize = 2;
const THREADS_EIGHTHS_WITH_SWAP: usize = 5;
/// Pages kept ready for what no thread answers for: interrupts, and the scattering of free memory.
const COMMON_PAGES: usize = 16;
/// Ready pages above what is promised that are not given back: a process that comes and goes should not map and unmap.
const IDLE_PAGES: usize = 64;
/// The allocator's bookkeeping beside a block.
const CHUNK_OVERHEAD: usize = 64;

struct KernelHeap {
    talc: HartLocal<Talc<Manual, DefaultBinning>>,
    growth: HartLocal<Growth>,
}

/// The part of the heap in the window.
struct Growth {
    /// Where the allocator's part ends; `None` before there is one.
    end: Option<NonNull<u8>>,
    /// The first address of the window that is not mapped.
    mapped_end: usize,
    /// Threads that have a share.
    threads: usize,
    /// Frames of RAM, of which threads may have a part.
    ram_frames: usize,
    /// Bytes promised by [`prepare`] beside the shares.
    prepared: usize,
    /// Frames that hold the window's page tables.
    tables: u64,
    /// Something has been freed that may let the heap shrink.
    may_shrink: bool,
}

#[global_allocator]
static HEAP: KernelHeap = KernelHeap {
    talc: HartLocal::new(Talc::new(Manual)),
    growth: HartLocal::new(Growth {
        end: None,
        mapped_end: HEAP_WINDOW.range().start,
        threads: 0,
        ram_frames: 0,
        prepared: 0,
        tables: 0,
        may_shrink: false,
    }),
};

// SAFETY: Talc upholds the contract of GlobalAlloc; HartLocal gives it exclusive access for each call.
unsafe impl GlobalAlloc for KernelHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let is_piece = layout.size() <= PIECE_BYTES;
        if layout.size() == 0 || !is_piece && inject::refuses() {
            return null_mut();
        }
        inject::charge(layout.size(), is_piece);
        loop {
            // SAFETY: the size is not zero. The guard ends with the statement.
            let block = unsafe { self.talc.get_mut().allocate(layout) };
            match block {
                Some(block) => return block.as_ptr(),
                None if extend(layout.size() + layout.align() + CHUNK_OVERHEAD, is_piece) => {}
                None => return null_mut(),
            }
        }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller passes a block of this heap with its layout.
        unsafe { self.talc.get_mut().deallocate(block, layout) }
        inject::credit(layout.size());
        if layout.size() > PIECE_BYTES {
            self.growth.get_mut().may_shrink = true;
        }
    }
}

/// Bytes that the heap takes at the start, in a machine with this much RAM left and this replacement policy, whose first program has lists of arguments and
/// variables of this size: they are copied before the heap can grow.
pub fn bytes_at_start(ram_bytes: u64, policy: PolicyKind, list_bytes: u64) -> u64 {
    let frames = ram_bytes / PAGE_SIZE;
    let table_bytes = mm::FrameTable::bytes_for(frames) + policy.bytes_for(frames);
    (table_bytes + list_bytes + BOOT_BYTES).next_multiple_of(PAGE_SIZE)
}

/// Gives the heap its first region. Called once, before the first allocation.
///
/// # Safety
/// `[start, start + bytes)` must be RAM in the direct map that nothing else uses.
pub unsafe fn start(start: PhysAddr, bytes: usize) {
    let base = arch::direct_map(start) as *mut u8;
    // SAFETY: the caller's promise.
    let end = unsafe { HEAP.talc.get_mut().claim(base, bytes) };
    assert!(end.is_some(), "the kernel heap is too small");
}

/// Lets the part of the heap in the window begin. Called once, when there are frames.
pub fn start_growing() -> Result<(), Errno> {
    let ram_frames = usize::try_from(mem::memory().frames().total()).map_err(|_| Errno::ENOMEM)?;
    HEAP.growth.get_mut().ram_frames = ram_frames;
    grow(COMMON_PAGES)?;
    let base = HEAP_WINDOW.range().start;
    // SAFETY: the page was mapped for the heap on the line above.
    let end = unsafe { HEAP.talc.get_mut().claim(base as *mut u8, FRAME_BYTES) };
    assert!(end.is_some(), "a page is enough for a region of the heap");
    HEAP.growth.get_mut().end = end;
    settle()
}

/// Frames that the heap has taken since the start, with those of its page tables.
pub fn frames() -> u64 {
    let growth = HEAP.growth.get();
    (growth.mapped_end - HEAP_WINDOW.range().start) as u64 / PAGE_SIZE + growth.tables
}

/// A thread's share of the heap, from its making to its end.
pub struct Share {
    _private: (),
}

impl Share {
    /// Whether there may be one more, with swap space or without.
    pub fn may_be_made(has_swap: bool) -> bool {
        let eighths = if has_swap { THREADS_EIGHTHS_WITH_SWAP } else { THREADS_EIGHTHS };
        let growth = HEAP.growth.get();
        growth.threads < growth.ram_frames * eighths / 8 * FRAME_BYTES / THREAD_COST_BYTES
    }
    /// A share for one more thread. ENOMEM if there is no memory for it.
    pub fn new() -> Result<Self, Errno> {
        HEAP.growth.get_mut().threads += 1;
        let share = Self { _private: () };
        settle().map(|()| share)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut growth = HEAP.growth.get_mut();
        growth.threads -= 1;
        growth.may_shrink = true;
    }
}

/// Makes the running thread's share whole: it may allocate [`THREAD_BYTES`] in pieces from here on. ENOMEM if there is no memory for that;
/// then what is left of its share is for calls that only give back.
pub fn settle() -> Result<(), Errno> {
    if inject::refuses() {
        return Err(Errno::ENOMEM);
    }
    let (missing, may_shrink) = {
        let growth = HEAP.growth.get();
        (growth.promised_pages().saturating_sub(growth.ready_pages()), growth.may_shrink)
    };
    if missing > 0 {
        grow(missing)?;
    } else if may_shrink {
        shrink();
    }
    inject::settled();
    Ok(())
}

/// Memory beside the thread's share, for pieces and for larger allocations, as long as it lives. What works while the frames are
/// borrowed (`mm`) has its lists prepared, since the heap cannot grow then.
pub struct Prepared {
    bytes: usize,
}

/// As [`settle`], with `bytes` more until what this returns is dropped. Dropped before the thread's share ends.
pub fn prepare(bytes: usize) -> Result<Prepared, Errno> {
    HEAP.growth.get_mut().prepared += bytes;
    let prepared = Prepared { bytes };
    settle()?;
    inject::allow(bytes);
    Ok(prepared)
}

impl Drop for Prepared {
    fn drop(&mut self) {
        let mut growth = HEAP.growth.get_mut();
        growth.prepared -= self.bytes;
        growth.may_shrink |= self.bytes > PIECE_BYTES;
    }
}

impl Growth {
    /// Pages that are mapped and not yet in use.
    fn ready_pages(&self) -> usize {
        self.end.map_or(0, |end| (self.mapped_end - end.as_ptr().addr()) / FRAME_BYTES)
    }
    /// Pages that must be ready for the shares.
    fn shared_pages(&self) -> usize {
        COMMON_PAGES + (self.threads * THREAD_BYTES).div_ceil(FRAME_BYTES)
    }
    /// Pages that must be ready for the shares and what was prepared.
    fn promised_pages(&self) -> usize {
        self.shared_pages() + self.prepared.div_ceil(FRAME_BYTES)
    }
}

/// Takes as many ready pages into use as an allocation of `bytes` needs at most.
fn extend(bytes: usize, is_piece: bool) -> bool {
    let pages = bytes.div_ceil(FRAME_BYTES);
    let (ready, kept) = {
        let growth = HEAP.growth.get();
        // Only pieces may take what is promised as shares; what was prepared is for whatever the call needs.
        (growth.ready_pages(), if is_piece { 0 } else { growth.shared_pages() })
    };
    if ready < pages + kept && grow(pages + kept - ready).is_err() {
        return false;
    }
    let mut growth = HEAP.growth.get_mut();
    let Some(end) = growth.end else { return false };
    let new_end = (end.as_ptr().addr() + pages * FRAME_BYTES).min(growth.mapped_end);
    // SAFETY: `end` is where the allocator's part ends, and the pages up to `new_end` are mapped for it.
    growth.end = Some(unsafe { HEAP.talc.get_mut().extend(end, new_end as *mut u8) });
    true
}

/// Maps `pages` more pages, or none: what there is not enough of is not taken from those who get by with less.
fn grow(pages: usize) -> Result<(), Errno> {
    if !has_room(pages) {
        return Err(Errno::ENOMEM);
    }
    let before = HEAP.growth.get().mapped_end;
    let mapped = (0..pages).try_for_each(|page| {
        // To the injector all pages between the first and the last are alike.
        if page == 0 || page + 1 == pages { map_page() } else { inject::covered(map_page) }
    });
    if mapped.is_err() {
        unmap_pages(before);
    }
    mapped
}

/// Whether there are addresses and frames for `pages` more pages and their page tables. Not while `mm` works: its frames cannot be had
/// then (nor by [`map_page`]), and a piece that it allocates is covered by a share.
fn has_room(pages: usize) -> bool {
    let range = HEAP_WINDOW.range();
    let (tables, mapped) = {
        let growth = HEAP.growth.get();
        (growth.tables, (growth.mapped_end - range.start) / FRAME_BYTES)
    };
    let Some(end) = mapped.checked_add(pages).filter(|&end| end <= range.len() / FRAME_BYTES) else {
        return false;
    };
    let missing_tables = (end as u64).div_ceil(ENTRIES).saturating_sub(tables);
    // A single page is had or not; of several, some could be taken in vain.
    pages == 1
        || mem::try_memory()
            .is_some_and(|memory| memory.has_room(FrameKind::Kernel, pages as u64 + missing_tables))
}

fn map_page() -> Result<(), Errno> {
    let va = HEAP.growth.get().mapped_end;
    let frames = mem::map_page(&HEAP_WINDOW, va)?;
    let mut growth = HEAP.growth.get_mut();
    growth.mapped_end += FRAME_BYTES;
    growth.tables += frames - 1;
    Ok(())
}

/// Gives back what lies unused at the end of the heap, but for what is promised and a little more.
fn shrink() {
    let (end, keep) = {
        let mut growth = HEAP.growth.get_mut();
        growth.may_shrink = false;
        let Some(end) = growth.end else { return };
        (end, (growth.promised_pages() + IDLE_PAGES) * FRAME_BYTES)
    };
    let first_page = HEAP_WINDOW.range().start + FRAME_BYTES;
    let used_end = {
        let talc = HEAP.talc.get();
        // SAFETY: `end` is where the allocator's part ends.
        unsafe { talc.reserved(end) }.up_to.as_ptr().addr().next_multiple_of(FRAME_BYTES).max(first_page)
    };
    let mut growth = HEAP.growth.get_mut();
    if growth.mapped_end <= used_end + keep {
        return;
    }
    if used_end < end.as_ptr().addr() {
        // SAFETY: as above; the first page, which is kept, holds the region's start.
        growth.end = unsafe { HEAP.talc.get_mut().truncate(end, used_end as *mut u8) };
    }
    drop(growth);
    unmap_pages(used_end + keep);
}

/// Unmaps the pages from `end` on that are not in use.
fn unmap_pages(end: usize) {
    let mut growth = HEAP.growth.get_mut();
    let used_end = growth.end.map_or(end, |end| end.as_ptr().addr());
    while growth.mapped_end > end.max(used_end) {
        let Some(mut memory) = mem::try_memory() else { return };
        growth.mapped_end -= FRAME_BYTES;
        let frame = HEAP_WINDOW.unmap(growth.mapped_end);
        let frame = memory.frames().lookup(frame).expect("the window maps frames of the frame table");
        memory.free_kernel(frame);
    }
}
