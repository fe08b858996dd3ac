//! What is done before it is asked for, if the kernel's command line says so: to compare with pure demand paging, which does nothing of it.
//!
//! * **Eager** (`folio.eager`), as systems without demand paging: a program is in memory before its first instruction, every page of it, and what it
//!   gets by `brk` and `mmap` comes with the call. What is reserved only comes by faults all the same: memory that may not be accessed yet, MAP_NORESERVE; and so
//!   does a stack that grows, which it did by faults in systems without paging, too.

use crate::config::Config;
use crate::memory::fault::Origin;
use crate::memory::{heap, inject, mem, user};
use crate::processes::process::SharedSpace;
use core::sync::atomic::{AtomicBool, Ordering};
use fs::Errno;
use isa::events::Access;
use mm::layout::USER_END_PAGE;
use mm::rmap::AnonOwner;
use mm::{ForkMaps, FrameKind, PageRange, Prot, Switches, Vma, VmaFlags};

static IS_EAGER: AtomicBool = AtomicBool::new(false);

/// Does from now on as the kernel's command line says.
pub fn start(config: &Config) {
    let mut memory = mem::memory();
    memory.set_switches(Switches { copies_at_fork: config.copies_at_fork });
    // Nothing would bring a child's pages but faults.
    if config.forks_maps || config.is_eager {
        memory.set_fork_maps(ForkMaps::All);
    }
    IS_EAGER.store(config.is_eager, Ordering::Relaxed);
}

/// Whether memory comes before it is touched.
fn is_eager() -> bool {
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
