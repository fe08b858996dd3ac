//! Physical memory for crate `mm`: its [`PhysMem`] over the direct map, the one [`Memory`], ASIDs and fences.

use crate::arch;
use crate::local::HartLocal;
use alloc::collections::BTreeSet;
use core::cell::RefMut;
use isa::paging::Pte;
use isa::{PAGE_SIZE, PhysAddr, Ppn};
use mm::{Flush, FrameId, FrameTable, Memory, PhysMem, SpaceId};

/// Bytes in a frame, as a length of slices.
pub const FRAME_BYTES: usize = 4096;
const _: () = assert!(FRAME_BYTES as u64 == PAGE_SIZE);

/// All RAM, through the direct map.
#[derive(Debug)]
pub struct DirectMap {
    /// Only made by [`start`], once.
    _private: (),
}

fn frame_pointer(frame: Ppn) -> *mut [u8; FRAME_BYTES] {
    arch::direct_map(frame.base()) as *mut [u8; FRAME_BYTES]
}

impl PhysMem for DirectMap {
    fn read_pte(&self, at: PhysAddr) -> Pte {
        assert!(at.is_aligned(8));
        // SAFETY: page tables lie in frames of the frame table or in the kernel's root: RAM in the direct map.
        // Volatile, because the hart may set A and D.
        Pte(unsafe { (arch::direct_map(at) as *const u64).read_volatile() })
    }
    fn write_pte(&mut self, at: PhysAddr, pte: Pte) {
        assert!(at.is_aligned(8));
        // SAFETY: as above; only `mm` calls this, for tables that it owns.
        unsafe { (arch::direct_map(at) as *mut u64).write_volatile(pte.0) }
    }
    fn zero_frame(&mut self, frame: Ppn) {
        // SAFETY: a frame of the frame table, which nothing else refers to: frames are reached through this type only,
        // and through `with_frame` and device reads, which the owner of the frame calls.
        unsafe { frame_pointer(frame).write_bytes(0, 1) }
    }
    fn copy_frame(&mut self, from: Ppn, to: Ppn) {
        assert_ne!(from, to);
        // SAFETY: two different frames of the frame table.
        unsafe { core::ptr::copy_nonoverlapping(frame_pointer(from), frame_pointer(to), 1) }
    }
    fn read_bytes(&self, at: PhysAddr, into: &mut [u8]) {
        assert!(at.page_offset() + into.len() as u64 <= PAGE_SIZE);
        let from = arch::direct_map(at) as *const u8;
        // SAFETY: inside one frame of the frame table; `into` is kernel memory outside all of them.
        unsafe { core::ptr::copy_nonoverlapping(from, into.as_mut_ptr(), into.len()) }
    }
    fn write_bytes(&mut self, at: PhysAddr, bytes: &[u8]) {
        assert!(at.page_offset() + bytes.len() as u64 <= PAGE_SIZE);
        let to = arch::direct_map(at) as *mut u8;
        // SAFETY: as above.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) }
    }
}

/// The bytes of a frame that the caller has pinned for a device to fill.
///
/// # Safety
/// The frame must be pinned, and nothing else may read or write it while the slice lives.
pub unsafe fn frame_bytes_mut(frame: FrameId) -> &'static mut [u8; FRAME_BYTES] {
    // SAFETY: the caller's promise.
    unsafe { &mut *frame_pointer(frame.ppn()) }
}

static MEMORY: HartLocal<Option<Memory<DirectMap>>> = HartLocal::new(None);

/// Hands all frames from `first` to `end` to crate `mm`. Called once.
pub fn start(first: Ppn, end: Ppn, limit: u64) {
    let available = end.0.saturating_sub(first.0);
    let total = if limit == 0 { available } else { available.min(limit) };
    let memory = Memory::new(DirectMap { _private: () }, FrameTable::new(first, total));
    *MEMORY.get_mut() = Some(memory.expect("there is a frame for the zero page"));
}

/// The memory of the machine; to be dropped before anything sleeps.
#[track_caller]
pub fn memory() -> RefMut<'static, Memory<DirectMap>> {
    RefMut::map(MEMORY.get_mut(), |memory| memory.as_mut().expect("memory is set up before anything uses it"))
}

/// Numbers for new address spaces.
struct Names {
    next_space: u32,
    free_asids: BTreeSet<u16>,
    next_asid: u16,
    max_asid: u16,
}

static NAMES: HartLocal<Names> =
    HartLocal::new(Names { next_space: 1, free_asids: BTreeSet::new(), next_asid: 1, max_asid: 0 });

/// A name and an ASID for a new address space; `None` if all ASIDs are in use.
pub fn allocate_space_name() -> Option<(SpaceId, u16)> {
    let mut names = NAMES.get_mut();
    if names.max_asid == 0 {
        names.max_asid = arch::max_asid();
    }
    let asid = match names.free_asids.pop_first() {
        Some(asid) => asid,
        None if names.next_asid <= names.max_asid => {
            names.next_asid += 1;
            names.next_asid - 1
        }
        None => return None,
    };
    let id = SpaceId(names.next_space);
    names.next_space += 1;
    Some((id, asid))
}

/// The address space with this ASID is gone; the ASID is flushed so that it can be used again.
pub fn free_asid(asid: u16) {
    arch::fence_address_space(None, Some(u64::from(asid)));
    NAMES.get_mut().free_asids.insert(asid);
}

/// Makes the TLB forget what `mm` asks for.
pub fn apply(flush: Flush, asid: u16) {
    let asid = Some(u64::from(asid));
    match flush {
        Flush::None => {}
        Flush::Pages(range) => {
            for vpn in range.pages() {
                arch::fence_address_space(Some(vpn.base().0), asid);
            }
        }
        Flush::All => arch::fence_address_space(None, asid),
    }
}
