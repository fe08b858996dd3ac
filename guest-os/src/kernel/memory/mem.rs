//! Physical memory for crate `mm`: its [`PhysMem`] over the direct map, the one [`Memory`], ASIDs and fences.

use crate::arch::window::Window;
use crate::local::HartLocal;
use crate::memory::{inject, oom};
use crate::{arch, events};
use alloc::collections::BTreeSet;
use core::cell::RefMut;
use core::ops::{Deref, DerefMut};
use fs::Errno;
use isa::paging::{PTE_BYTES, Pte};
use isa::policies::PolicyKind;
use isa::time::STEPS_PER_TICK;
use isa::{PAGE_SIZE, PhysAddr, Ppn, Step, Vpn};
use mm::{Flush, FrameId, FrameNote, FrameTable, Memory, PhysMem, SpaceId};

/// Bytes in a frame, as a length of slices.
pub const FRAME_BYTES: usize = 4096;
const _: () = assert!(FRAME_BYTES as u64 == PAGE_SIZE);

/// Words in a frame.
const FRAME_WORDS: usize = FRAME_BYTES / size_of::<u64>();

/// All RAM, through the direct map.
#[derive(Debug)]
pub struct DirectMap {
    /// Only made by [`start`], once.
    _private: (),
}

fn frame_pointer(frame: Ppn) -> *mut [u8; FRAME_BYTES] {
    arch::direct_map(frame.base()) as *mut [u8; FRAME_BYTES]
}

fn frame_words(frame: Ppn) -> *mut u64 {
    frame_pointer(frame).cast()
}

/// Calls `each` for the number of every word of a frame, eight of them in each turn of the loop. (The compiler's own `memset` and
/// `memcpy` take a turn for each word; it makes calls of them from any loop whose accesses are not volatile.)
fn each_word(each: impl Fn(usize)) {
    const TOGETHER: usize = 8;
    for first in (0..FRAME_BYTES / size_of::<u64>()).step_by(TOGETHER) {
        (first..first + TOGETHER).for_each(&each);
    }
}

impl PhysMem for DirectMap {
    fn may_take(&mut self) -> bool {
        !inject::refuses()
    }
    fn note(&mut self, frame: Ppn, note: FrameNote) {
        events::frame_note(frame, note);
    }
    fn note_use(&mut self, frame: Ppn, space: SpaceId, vpn: Vpn) {
        events::page_used(frame, space, vpn);
    }
    fn note_beyond_budget(&mut self, space: SpaceId, limit: u64) {
        oom::tell_beyond_budget(space, limit);
    }
    fn fence(&mut self, asid: u16, flush: Flush) {
        apply(flush, asid);
    }
    fn now(&self) -> Step {
        Step(arch::time() * STEPS_PER_TICK)
    }
    fn read_pte(&self, at: PhysAddr) -> Pte {
        assert!(at.is_aligned(8));
        // SAFETY: page tables lie in frames of the frame table or in the kernel's root: RAM in the direct map.
        // Volatile, because the hart may set A and D.
        Pte(unsafe { (arch::direct_map(at) as *const u64).read_volatile() })
    }
    fn first_pte(&self, at: PhysAddr, count: u64) -> Option<(u64, Pte)> {
        assert!(at.is_aligned(8) && at.page_offset() + count * PTE_BYTES <= PAGE_SIZE);
        let first = arch::direct_map(at) as *const u64;
        // SAFETY: as above, and all of them lie in the one frame.
        let mut entries =
            (0..count).map(|index| (index, Pte(unsafe { first.add(index as usize).read_volatile() })));
        entries.find(|&(_, pte)| pte != Pte::EMPTY)
    }
    fn write_pte(&mut self, at: PhysAddr, pte: Pte) {
        assert!(at.is_aligned(8));
        // SAFETY: as above; only `mm` calls this, for tables that it owns.
        unsafe { (arch::direct_map(at) as *mut u64).write_volatile(pte.0) }
    }
    fn zero_frame(&mut self, frame: Ppn) {
        // SAFETY: a frame of the frame table, which nothing else refers to: frames are reached through this type only,
        // and through device buffers, which hold it.
        each_word(|word| unsafe { frame_words(frame).add(word).write_volatile(0) });
    }
    fn is_zero(&self, frame: Ppn) -> bool {
        let words = frame_words(frame).cast_const();
        // SAFETY: as above.
        (0..FRAME_WORDS).all(|word| unsafe { words.add(word).read_volatile() } == 0)
    }
    fn checksum(&self, frame: Ppn) -> u64 {
        let words = frame_words(frame).cast_const();
        // SAFETY: as above.
        mm::swap::checksum((0..FRAME_WORDS).map(|word| unsafe { words.add(word).read_volatile() }))
    }
    fn copy_frame(&mut self, from: Ppn, to: Ppn) {
        assert_ne!(from, to);
        let (from, to) = (frame_words(from), frame_words(to));
        // SAFETY: two different frames of the frame table.
        each_word(|word| unsafe { to.add(word).write_volatile(from.add(word).read_volatile()) });
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

/// A piece of a frame, for a device to read or write. The frame is held (pinned) as long as this lives: it stays what it is, whatever its
/// owners do.
#[derive(Debug)]
pub struct DeviceBuffer {
    frame: FrameId,
    start: usize,
    len_bytes: usize,
}

impl DeviceBuffer {
    /// Bytes `start` to `start + len_bytes` of a frame; `None` if it has not so many, or they are none.
    pub fn new(frame: FrameId, start: usize, len_bytes: usize) -> Option<Self> {
        let fits = len_bytes > 0 && start.checked_add(len_bytes)? <= FRAME_BYTES;
        fits.then(|| {
            memory().pin(frame);
            Self { frame, start, len_bytes }
        })
    }
    /// A whole frame.
    pub fn whole(frame: FrameId) -> Self {
        Self::new(frame, 0, FRAME_BYTES).expect("a frame has so many bytes")
    }
    /// The frame.
    pub fn frame(&self) -> FrameId {
        self.frame
    }
    /// How many bytes.
    pub fn len_bytes(&self) -> usize {
        self.len_bytes
    }
    /// Where they are. To look at them or to change them is sound only while no device does.
    pub fn bytes(&self) -> *mut [u8] {
        let first = frame_pointer(self.frame.ppn()).cast::<u8>().wrapping_add(self.start);
        core::ptr::slice_from_raw_parts_mut(first, self.len_bytes)
    }
}

impl Drop for DeviceBuffer {
    fn drop(&mut self) {
        memory().unpin(self.frame);
    }
}

/// A zeroed frame of the kernel's, for what a device reads or writes and for what passes between user memory and the kernel's objects.
pub struct KernelFrame(FrameId);

impl KernelFrame {
    /// A new one. ENOMEM if no frame is left.
    pub fn new() -> Result<Self, Errno> {
        memory().allocate_kernel().map(Self).map_err(|_| Errno::ENOMEM)
    }
    /// To be called when a device has written the frame, before its bytes are looked at: the compiler does not know of the device.
    pub fn changed_by_device(&self) {
        arch::device_has_written();
    }
    /// All of it, for a device. Until that is done, it must not be looked at.
    pub fn lend_all(&mut self) -> DeviceBuffer {
        DeviceBuffer::whole(self.0)
    }
    /// Its first bytes, for a device, likewise.
    pub fn lend(&mut self, len_bytes: usize) -> DeviceBuffer {
        DeviceBuffer::new(self.0, 0, len_bytes).expect("the length is that of a part")
    }
    /// Where it lies for a device.
    pub fn address(&self) -> PhysAddr {
        self.0.base()
    }
}

impl Deref for KernelFrame {
    type Target = [u8; FRAME_BYTES];
    fn deref(&self) -> &Self::Target {
        // SAFETY: the frame is this value's alone; a device writes it only while its owner waits and reads it afresh.
        unsafe { &*frame_pointer(self.0.ppn()) }
    }
}

impl DerefMut for KernelFrame {
    fn deref_mut(&mut self) -> &mut Self::Target {
        // SAFETY: as above, and the value is borrowed exclusively.
        unsafe { &mut *frame_pointer(self.0.ppn()) }
    }
}

impl Drop for KernelFrame {
    fn drop(&mut self) {
        memory().free_kernel(self.0);
    }
}

/// Maps a new zeroed frame of the kernel's at `va` in a window. Gives how many frames that took: one, and the page tables that were missing.
/// ENOMEM if there is none, or while [`memory`] is in use.
pub fn map_page(window: &Window, va: usize) -> Result<u64, Errno> {
    let mut memory = try_memory().ok_or(Errno::ENOMEM)?;
    let frame = memory.allocate_kernel().map_err(|_| Errno::ENOMEM)?;
    let mut taken = 1;
    let mapped = window.map(va, frame.ppn(), || {
        taken += 1;
        memory.allocate_kernel().ok().map(|table| table.ppn())
    });
    if mapped.is_err() {
        memory.free_kernel(frame);
        return Err(Errno::ENOMEM);
    }
    Ok(taken)
}

/// Unmaps the page at `va` of a window and frees its frame.
pub fn unmap_page(window: &Window, va: usize) {
    let mut memory = memory();
    let frame = window.unmap(va);
    let frame = memory.frames().lookup(frame).expect("the window maps frames of the frame table");
    memory.free_kernel(frame);
}

static MEMORY: HartLocal<Option<Memory<DirectMap>>> = HartLocal::new(None);

/// Hands all frames from `first` to `end` to crate `mm`, of which programs may have `limit` (0: all). `policy` says which page goes first when
/// they run out; it draws its lots, if it does, by `seed`. Called once.
#[inline(never)] // a frame of its own, not part of its caller's
pub fn start(first: Ppn, end: Ppn, limit: u64, policy: PolicyKind, seed: u64) {
    let total = end.0.saturating_sub(first.0);
    let limit = if limit == 0 { total } else { limit };
    let frames = FrameTable::new(first, total, limit);
    let memory = Memory::with_policy(DirectMap { _private: () }, frames, policy, seed);
    *MEMORY.get_mut() = Some(memory.expect("there is a frame for the zero page"));
}

/// The memory of the machine; to be dropped before anything sleeps.
#[track_caller]
pub fn memory() -> RefMut<'static, Memory<DirectMap>> {
    RefMut::map(MEMORY.get_mut(), |memory| memory.as_mut().expect("memory is set up before anything uses it"))
}

/// The memory of the machine, unless it is there and in use.
pub fn try_memory() -> Option<RefMut<'static, Memory<DirectMap>>> {
    RefMut::filter_map(MEMORY.try_get_mut()?, |memory| memory.as_mut()).ok()
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

/// A name and an ASID for a new address space; `None` if all ASIDs are in use, or every name has been: none is used again.
pub fn allocate_space_name() -> Option<(SpaceId, u16)> {
    let mut names = NAMES.get_mut();
    let next_space = names.next_space.checked_add(1)?;
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
    names.next_space = next_space;
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
