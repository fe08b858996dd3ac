//! Overcommit: how much memory programs are promised (`vm.overcommit_memory`; proc(5)). No frame is taken for a promise.
//!
//! By 0, as at first, a single call is not promised more than there is RAM and swap space, whatever else has been. By 1 everything is promised, and by 2 no more than
//! [`limit`], all in all.

use crate::memory::{ahead, mem};
use crate::processes::process;
use crate::settings::setting;
use alloc::rc::Rc;
use fs::{Errno, Setting};
use isa::PAGE_SIZE;
use mm::{Prot, Vma};

const ALWAYS: u64 = 1;
const STRICTLY: u64 = 2;

/// Promises so many pages more of private or shared anonymous memory. `is_reserved_only`: MAP_NORESERVE, of which strict accounting
/// takes no notice. ENOMEM.
pub fn promise(pages: u64, is_reserved_only: bool) -> Result<(), Errno> {
    let is_kept = match setting(Setting::OVERCOMMIT) {
        ALWAYS => true,
        STRICTLY => committed().saturating_add(pages) <= limit(),
        _ => is_reserved_only || pages <= ram() + slots(),
    };
    match is_kept {
        false => Err(Errno::ENOMEM),
        true if is_reserved_only => Ok(()),
        true => ahead::admit(pages),
    }
}

/// What strict accounting promises all in all, in pages.
pub fn limit() -> u64 {
    let of_ram = match setting(Setting::OVERCOMMIT_KBYTES) {
        0 => ram().saturating_mul(setting(Setting::OVERCOMMIT_RATIO)) / 100,
        kbytes => kbytes / (PAGE_SIZE / 1024),
    };
    of_ram.saturating_add(slots())
}

/// What has been promised: private memory that may be written, of each address space, and files in memory as far as they are there. In pages.
///
/// Cost: a look at each VMA.
pub fn committed() -> u64 {
    let mut pages = 0;
    process::each_living(|process| {
        let Some(shared) = process.space.borrow().clone() else { return };
        // One that several processes run in counts once: for the first of them. (The process has it, and so has this.)
        let may_be_shared = Rc::strong_count(&shared) > 2;
        let space = shared.borrow();
        let is_first = || process::in_space(space.id()).is_some_and(|first| first.pid == process.pid);
        if !may_be_shared || is_first() {
            let promised = space.vmas().iter().filter(|vma| counts(vma));
            pages += promised.map(|vma| vma.range.len_pages()).sum::<u64>();
        }
    });
    let memory = mem::memory();
    pages + memory.cache().memory_pages() + memory.cache().swapped_pages()
}

fn counts(vma: &Vma) -> bool {
    !vma.is_shared() && vma.prot.contains(Prot::WRITE)
}

fn ram() -> u64 {
    mem::memory().frames().total()
}

fn slots() -> u64 {
    mem::memory().swap().counts().slots
}
