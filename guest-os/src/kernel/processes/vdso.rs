//! The page that each program shows as `[vdso]`: functions that need no system call, and the one that a signal's handler returns to
//! (riscv64 programs pass no restorer of their own). [`arch::vdso_image`] is what it holds.
//!
//! One frame for all, which never leaves memory.

use crate::arch;
use crate::devices::clock;
use crate::local::HartLocal;
use crate::memory::{mem, pages};
use isa::VirtAddr;
use mm::vma::FileBacking;
use mm::{AddressSpace, Backing, FileId, FrameId, MapRequest, PageKey, PhysMem, Placement, Prot, VmaFlags};

static PAGE: HartLocal<Option<(FileId, FrameId)>> = HartLocal::new(None);

/// Makes the page.
pub fn start() {
    arch::let_programs_read_time();
    let file = pages::nameless_file(isa::PAGE_SIZE);
    let mut memory = mem::memory();
    let frame = memory.memory_page(PageKey { file, index: 0 }).expect("memory is empty at boot");
    memory.pin(frame);
    memory.phys_mut().write_bytes(frame.base(), arch::vdso_image());
    drop(memory);
    *PAGE.get_mut() = Some((file, frame));
    follow_clock();
}

/// Gives the page back at the end of the run.
pub fn stop() {
    if let Some((file, frame)) = PAGE.get_mut().take() {
        let mut memory = mem::memory();
        memory.unpin(frame);
        memory.remove_file(file);
    }
}

/// The clock has been set: programs read that, too.
pub fn follow_clock() {
    if let Some((_, frame)) = *PAGE.get() {
        let at = frame.base().wrapping_add(arch::vdso_epoch_offset() as u64);
        mem::memory().phys_mut().write_bytes(at, &clock::epoch().to_le_bytes());
    }
}

/// Whether this is the page's file.
pub fn is(number: FileId) -> bool {
    PAGE.get().is_some_and(|(file, _)| file == number)
}

/// The mapping of it in a new address space.
pub fn mapping() -> MapRequest {
    let (file, _) = PAGE.get().expect("the vDSO is made at boot");
    MapRequest {
        placement: Placement::Anywhere,
        len_pages: 1,
        prot: Prot::READ | Prot::EXEC,
        flags: VmaFlags::empty(),
        backing: Backing::File(FileBacking { file, first_page: 0, len_bytes: None }),
        name: "[vdso]".into(),
    }
}

/// Where an address space has it, if it has not unmapped it.
pub fn address_in(space: &AddressSpace) -> Option<VirtAddr> {
    let page = space.vmas().iter().find(|vma| vma.file().is_some_and(is))?;
    Some(page.range.start.base())
}

/// Where the handlers of signals return to in an address space; 0 if it has unmapped that.
pub fn sigreturn_in(space: &AddressSpace) -> u64 {
    address_in(space).map_or(0, |start| start.0 + arch::vdso_sigreturn_offset() as u64)
}
