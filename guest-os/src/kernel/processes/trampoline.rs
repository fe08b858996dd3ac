//! The page that returns from signal handlers.
//!
//! riscv64 programs pass no restorer: Linux lets a handler return into its vDSO. Folio maps one page with the two instructions
//! that call `rt_sigreturn`, named `[vdso]` in `maps`; there is no vDSO image and no `AT_SYSINFO_EHDR`.

use crate::local::HartLocal;
use crate::memory::{mem, pages};
use mm::vma::FileBacking;
use mm::{Backing, FileId, MapRequest, PageKey, PhysMem, Placement, Prot, VmaFlags};

static FILE: HartLocal<Option<FileId>> = HartLocal::new(None);

/// `li a7, rt_sigreturn`, `ecall`.
const CODE: [u32; 2] = [abi::number::rt_sigreturn << 20 | 17 << 7 | 0x13, 0x73];

/// Makes the page.
pub fn start() {
    let file = pages::nameless_file(isa::PAGE_SIZE);
    let mut memory = mem::memory();
    let frame = memory.memory_page(PageKey { file, index: 0 }).expect("memory is empty at boot");
    let bytes: alloc::vec::Vec<u8> = CODE.iter().flat_map(|instruction| instruction.to_le_bytes()).collect();
    memory.phys_mut().write_bytes(frame.base(), &bytes);
    *FILE.get_mut() = Some(file);
}

/// Gives the page back at the end of the run.
pub fn stop() {
    if let Some(file) = FILE.get_mut().take() {
        mem::memory().remove_file(file);
    }
}

/// Whether this is the page's file.
pub fn is(number: FileId) -> bool {
    *FILE.get() == Some(number)
}

/// The mapping of it in a new address space.
pub fn mapping() -> MapRequest {
    let file = FILE.get().expect("the trampoline is made at boot");
    MapRequest {
        placement: Placement::Anywhere,
        len_pages: 1,
        prot: Prot::READ | Prot::EXEC,
        flags: VmaFlags::empty(),
        backing: Backing::File(FileBacking { file, first_page: 0, len_bytes: None }),
        name: "[vdso]".into(),
    }
}
