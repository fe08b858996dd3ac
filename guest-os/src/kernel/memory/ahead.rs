//! What is done before it is asked for, if the kernel's command line says so: to compare with pure demand paging, which does nothing of it.
//!
//! * **Eager** (`folio.eager`), as systems without demand paging: a program is in memory before its first instruction, every page of it, and what it
//!   gets by `brk` and `mmap` comes with the call. What is reserved only comes by faults all the same: memory that may not be accessed yet, MAP_NORESERVE; and so
//!   does a stack that grows, which it did by faults in systems without paging, too.

use crate::config::Config;
use crate::hart::hart;
use crate::memory::fault::Origin;
use crate::memory::{heap, inject, mem, read_ahead, user};
use crate::processes::process::SharedSpace;
use crate::{arch, events};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use fs::Errno;
use isa::VirtAddr;
use isa::events::{Access, EventKind, EventRecord};
use isa::paging::{ENTRIES, PteFlags};
use mm::layout::USER_END_PAGE;
use mm::rmap::AnonOwner;
use mm::{FaultAction, ForkMaps, FrameKind, PageRange, Prot, Switches, Vma, VmaFlags};

static IS_EAGER: AtomicBool = AtomicBool::new(false);
/// Pages that a fault maps at most.
static AROUND_PAGES: AtomicU64 = AtomicU64::new(1);

/// Does from now on as the kernel's command line says.
pub fn start(config: &Config) {
    let mut memory = mem::memory();
    let tells_uses = config.fault_around > 1;
    memory.set_switches(Switches { copies_at_fork: config.copies_at_fork, tells_uses });
    // Nothing would bring a child's pages but faults.
    if config.forks_maps || config.is_eager {
        memory.set_fork_maps(ForkMaps::All);
    }
    drop(memory);
    IS_EAGER.store(config.is_eager, Ordering::Relaxed);
    AROUND_PAGES.store(config.fault_around, Ordering::Relaxed);
    read_ahead::start(config.read_ahead);
}

/// Whether a fault can map so many pages around its own.
pub fn is_window(pages: u64) -> bool {
    pages.is_power_of_two() && pages <= ENTRIES
}

/// Whether faults map around their pages.
#[inline]
pub fn maps_around() -> bool {
    AROUND_PAGES.load(Ordering::Relaxed) > 1
}

/// A fault was resolved: its page's neighbours are mapped that need no more than that.
#[cold]
pub fn map_around(space: &SharedSpace, va: VirtAddr, action: FaultAction, access: Access) {
    let is_of_file =
        matches!(action, FaultAction::FileDisk | FaultAction::FileCache | FaultAction::SharedMap);
    if !is_of_file || access == Access::Write {
        return;
    }
    // Who cannot set A by itself would fault for it.
    let marks = if hart().updates_marks.get() { PteFlags::empty() } else { PteFlags::A };
    let window = AROUND_PAGES.load(Ordering::Relaxed);
    let mut space = space.borrow_mut();
    let flush = space.map_around(&mut mem::memory(), va.page(), window, marks, |page| {
        events::report(EventRecord {
            va: page.vpn.base().0,
            frame: page.frame.ppn().0,
            new_pte: page.pte.0,
            detail: page.key.file.0,
            detail2: page.key.index,
            ..events::of(EventKind::MapAround)
        });
    });
    mem::apply(flush, space.asid());
    // The frames may have been filled since instructions were last fetched from them.
    arch::fence_instructions();
}

/// Whether memory comes before it is touched.
pub fn is_eager() -> bool {
    IS_EAGER.load(Ordering::Relaxed)
}

/// ENOMEM if memory comes before it is touched and there are not so many frames.
pub fn admit(pages: u64) -> Result<(), Errno> {
    let private = FrameKind::Anon(AnonOwner::Nobody);
    if is_eager() && !mem::memory().has_room(private, pages) { Err(Errno::ENOMEM) } else { Ok(()) }
}

/// As whose new memory comes at once, if it does: it is locked or the program has asked for that, or all memory does.
pub fn at_once(is_asked: bool) -> Option<Origin> {
    if is_eager() { Some(Origin::Eager) } else { is_asked.then_some(Origin::KernelCopy) }
}

/// Has all pages of a new program come, if memory comes before it is touched. What cannot come is told to who touches it.
pub fn populate_all(space: &SharedSpace) {
    if is_eager() {
        let _ = fault_in(space, PageRange::new(isa::Vpn(0), USER_END_PAGE), Origin::Eager);
    }
}

/// Touches the pages of a range, but where they are to come with their first touch; private ones that may be written as by a store.
/// The first error is told when all else is done.
pub fn fault_in(space: &SharedSpace, range: PageRange, origin: Origin) -> Result<(), Errno> {
    let mut result = Ok(());
    let mut rest = range;
    loop {
        let found = {
            let space = space.borrow();
            let next = space.vmas().overlapping(rest).next();
            next.map(|vma| (vma.range.intersect(rest), first_access(vma)))
        };
        let Some((part, access)) = found else { return result };
        let touched = access.and_then(|access| match access {
            Some(access) => part.pages().try_for_each(|page| touch(page, access, origin)),
            None => Ok(()),
        });
        result = result.and(touched);
        rest.start = part.end;
    }
}

/// By which access the pages of a VMA come; `None` if none is to be made.
fn first_access(vma: &Vma) -> Result<Option<Access>, Errno> {
    if vma.flags.contains(VmaFlags::LOCKED_ON_FAULT) {
        return Ok(None);
    }
    let access =
        if vma.prot.contains(Prot::WRITE) && !vma.is_shared() { Access::Write } else { Access::Read };
    let possible = [access, Access::Execute].into_iter().find(|&access| vma.prot.allows(access));
    possible.map(Some).ok_or(Errno::EFAULT)
}

/// A part of its own to the injector: what has come stays, and who maps or locks is not told of what has not.
fn touch(page: isa::Vpn, access: Access, origin: Origin) -> Result<(), Errno> {
    inject::attempts(Result::is_err, || {
        heap::settle()?;
        user::resolve_as(page.base().0, access, origin).map(|_| ())
    })
}
