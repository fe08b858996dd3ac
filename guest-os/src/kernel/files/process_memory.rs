//! `/proc/PID/mem` and `/proc/PID/pagemap`: a process's memory as files.
//!
//! A process's own memory is touched as by itself, so that pages come as they are needed, and past their protection, as a debugger does:
//! what is private and must not be written gets a copy of its own. Of another's one finds what is in memory and may be touched so.

use crate::arch;
use crate::hart::current;
use crate::memory::mem::{self, FRAME_BYTES};
use crate::memory::user;
use crate::processes::process::{self, SharedSpace};
use fs::{Errno, MemoryView};
use isa::events::Access;
use isa::{PAGE_SIZE, PhysAddr, VirtAddr};
use mm::pte::NotPresent;
use mm::{FrameKind, PhysMem, layout};

/// Bytes about a page in `pagemap`.
const ENTRY_BYTES: u64 = 8;

/// Reads what lies at `offset`; 0 behind the end, and of a process that is no more.
pub fn read(pid: u32, view: MemoryView, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
    let Some(space) = process::find(pid).and_then(|process| process.space.borrow().clone()) else {
        return Ok(0);
    };
    match view {
        MemoryView::Bytes => each_piece(pid, &space, offset, into.len(), Access::Read, |at, place| {
            mem::memory().phys().read_bytes(at, &mut into[place]);
        }),
        MemoryView::Pages => read_entries(&space, offset, into),
    }
}

/// Writes what lies at `offset`.
pub fn write(pid: u32, offset: u64, bytes: &[u8]) -> Result<usize, Errno> {
    let Some(space) = process::find(pid).and_then(|process| process.space.borrow().clone()) else {
        return Ok(0);
    };
    let written = each_piece(pid, &space, offset, bytes.len(), Access::Write, |at, place| {
        mem::memory().phys_mut().write_bytes(at, &bytes[place]);
    });
    // It may have been text.
    arch::fence_instructions();
    written
}

/// Hands the pieces of a range to `action`, page by page, up to the first that cannot be had, or, of another process, is not in memory: EIO
/// if that is the first of all.
fn each_piece(
    pid: u32,
    space: &SharedSpace,
    offset: u64,
    len: usize,
    access: Access,
    mut action: impl FnMut(PhysAddr, core::ops::Range<usize>),
) -> Result<usize, Errno> {
    let mut done = 0;
    while done < len {
        let va = VirtAddr(offset.wrapping_add(done as u64));
        let found = match pid == current().process.pid {
            true => user::resolve_forced(va.0, access).ok(),
            false => {
                // As by the hart: a page whose bits a policy has cleared is there all the same.
                let (space, memory) = (&mut *space.borrow_mut(), &mut *mem::memory());
                space.mark(memory, va, access).then(|| space.translate(memory, va, access)).flatten()
            }
        };
        let Some(at) = found else { break };
        let room = usize::try_from(PAGE_SIZE - va.page_offset()).unwrap_or(FRAME_BYTES);
        let end = len.min(done + room);
        action(at, done..end);
        done = end;
    }
    if done == 0 && len > 0 { Err(Errno::EIO) } else { Ok(done) }
}

fn read_entries(space: &SharedSpace, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
    if !offset.is_multiple_of(ENTRY_BYTES) || !(into.len() as u64).is_multiple_of(ENTRY_BYTES) {
        return Err(Errno::EINVAL);
    }
    let end = layout::USER_END_PAGE.0;
    let mut done = 0;
    for (page, entry) in (offset / ENTRY_BYTES..end).zip(into.as_chunks_mut().0) {
        *entry = entry_of(space, isa::Vpn(page)).to_le_bytes();
        done += entry.len();
    }
    Ok(done)
}

/// An entry as Documentation/admin-guide/mm/pagemap.rst has it.
fn entry_of(space: &SharedSpace, page: isa::Vpn) -> u64 {
    const PRESENT: u64 = 1 << 63;
    const SWAPPED: u64 = 1 << 62;
    /// Below are five bits for the number of the swap space: there is one.
    const SLOT_SHIFT: u32 = 5;
    const FILE_OR_SHARED: u64 = 1 << 61;
    const EXCLUSIVE: u64 = 1 << 56;
    let memory = mem::memory();
    let pte = space.borrow().pte(&memory, page);
    if let Some(NotPresent::Swapped(slot)) = NotPresent::decode(pte) {
        let exclusive = if memory.swap().get(slot).names == 1 { EXCLUSIVE } else { 0 };
        return SWAPPED | u64::from(slot.0) << SLOT_SHIFT | exclusive;
    }
    let Some(frame) = memory.frames().lookup(pte.ppn()).filter(|_| pte.is_valid()) else { return 0 };
    let info = memory.frames().info(frame);
    let is_file = matches!(info.kind, FrameKind::PageCache(_) | FrameKind::Orphan);
    let flags = [(is_file, FILE_OR_SHARED), (info.maps == 1 && info.kind != FrameKind::Zero, EXCLUSIVE)];
    flags.into_iter().fold(PRESENT | pte.ppn().0, |entry, (set, bit)| if set { entry | bit } else { entry })
}
