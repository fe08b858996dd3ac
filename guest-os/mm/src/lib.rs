//! Memory management of the guest OS, as pure logic: frames, VMAs, address spaces, faults, the page cache.
//!
//! This crate is the heart of what Folio shows: pure demand paging, zero-fill on demand and copy-on-write.
//! It holds no `unsafe`, touches memory only through the small trait [`PhysMem`], knows no file system and no
//! process, and is tested on the host.
//!
//! How a kernel uses it:
//!
//! 1. At boot it makes one [`Memory`] over the frames that it may hand out.
//! 2. Each process gets an [`AddressSpace`]; `mmap`, `munmap`, `mprotect`, `brk`, `fork` and `exit` are its verbs, one a file.
//! 3. On a page fault it calls [`AddressSpace::fault`]. That asks the pure function [`fault::decide`] what the fault
//!    needs and acts on it. The answer is a [`FaultOutcome`]: resolved, refused, or "read this page of
//!    this file first, sleep, and ask again". Copies from and to user memory go through the same door.
//! 4. It applies the [`Flush`] that each verb returns with `sfence.vma`.
//!
//! The words used here (walk, map, unmap, protect, evict, …) are those of `docs/glossary.md`; `docs/memory.md` tells the story.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod address_space;
mod cut;
mod eviction;
pub mod fault;
pub mod file_memory;
pub mod frame;
pub mod layout;
pub mod local;
pub mod memory;
pub mod page_cache;
mod page_table;
pub mod phys;
pub mod policy;
pub mod pte;
mod read_ahead;
pub mod rmap;
mod slab;
pub mod spaces;
pub mod swap;
mod swapping;
mod switches;
pub mod vma;

pub use address_space::{
    AddressSpace, AroundPage, CopiedPage, Discarded, FRAMES_OF_A_FAULT, Flush, ForkMaps, ForkReport,
    MapError, MapRequest, Mapped, Placement, SharedRange, SpaceId, Unmapped,
};
pub use fault::{DiskWait, FaultAction, FaultOutcome, FaultSignal, Resolution, SegvReason};
pub use frame::{FrameId, FrameKind, FrameTable, OutOfFrames};
pub use memory::{Contents, Memory};
pub use page_cache::{FileId, PageCache, PageKey, PageLookup, Store};
pub use phys::{FrameNote, LocalEviction, PhysMem, SwapOut};
pub use pte::SwapSlot;
pub use slab::CHUNK_BYTES;
pub use swapping::SwapWrite;
pub use switches::Switches;
pub use vma::{Backing, FileBacking, Name, PageRange, Prot, Vma, VmaFlags, VmaSet};
