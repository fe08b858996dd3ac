//! `mlock` and its kin: memory whose pages come at once and stay. What is locked is marked in the VMAs, which nothing may evict pages from;
//! how much a user may lock is limited (RLIMIT_MEMLOCK).

use super::memory::set_vma_flags;
use super::{Arguments, Outcome, uint};
use crate::hart::current;
use crate::memory::ahead;
use crate::memory::fault::Origin;
use crate::processes::process::SharedSpace;
use ::proc::CapSet;
use fs::Errno;
use isa::{PAGE_SIZE, VirtAddr};
use linux_raw_sys::general as linux;
use mm::layout::USER_END_PAGE;
use mm::{PageRange, Vma, VmaFlags};

/// How many pages the running process may have locked. EPERM if it may lock none.
fn limit_pages() -> Result<u64, Errno> {
    let this = current();
    let (limit, _) = this.process.limits.borrow()[linux::RLIMIT_MEMLOCK as usize];
    match limit {
        _ if this.process.credentials.borrow().can(CapSet::IPC_LOCK) => Ok(u64::MAX),
        0 => Err(Errno::EPERM),
        limit => Ok(limit / PAGE_SIZE),
    }
}

/// How new pages are locked: as this call says, and as `mlockall` has said for all. EPERM or EAGAIN if there may not be so many more.
pub fn of_new_pages(space: &SharedSpace, says_locked: bool, len_pages: u64) -> Result<VmaFlags, Errno> {
    let by_call = if says_locked { VmaFlags::LOCKED } else { VmaFlags::empty() };
    let locks = by_call | space.borrow().locks_of_new();
    if says_locked {
        limit_pages()?;
    }
    if !locks.is_empty() && len_pages > 0 {
        let locked = space.borrow().vmas().locked_pages().saturating_add(len_pages);
        if locked > limit_pages().unwrap_or(0) {
            return Err(Errno::EAGAIN);
        }
    }
    Ok(locks)
}

pub fn mlock([address, len, ..]: Arguments) -> Outcome {
    lock(address, len, VmaFlags::LOCKED)
}

pub fn mlock2([address, len, flags, ..]: Arguments) -> Outcome {
    lock(address, len, locks(uint(flags) & linux::MLOCK_ONFAULT != 0))
}

/// Pages come with their first touch, or at once.
fn locks(on_fault: bool) -> VmaFlags {
    if on_fault { VmaFlags::LOCKS } else { VmaFlags::LOCKED }
}

pub fn munlock([address, len, ..]: Arguments) -> Outcome {
    if let Some(range) = range_of(address, len)? {
        mark(&current().process.space(), range, VmaFlags::empty())?;
    }
    Ok(0)
}

fn lock(address: u64, len: u64, locks: VmaFlags) -> Outcome {
    let limit = limit_pages()?;
    let Some(range) = range_of(address, len)? else { return Ok(0) };
    let space = current().process.space();
    let locked = |vma: &Vma| if vma.is_locked() { vma.range.intersect(range).len_pages() } else { 0 };
    let already = space.borrow().vmas().overlapping(range).map(locked).sum::<u64>();
    if space.borrow().vmas().locked_pages() - already + range.len_pages() > limit {
        return Err(Errno::ENOMEM.into());
    }
    mark(&space, range, locks)?;
    ahead::fault_in(&space, range, Origin::KernelCopy).map_err(|_| Errno::ENOMEM)?;
    Ok(0)
}

/// The pages that a call means; none if it means no byte. As in Linux the length may wrap around to that, and only then.
fn range_of(address: u64, len: u64) -> Result<Option<PageRange>, Errno> {
    let start = VirtAddr(address).page_base();
    let rounded = len.wrapping_add(address % PAGE_SIZE).wrapping_add(PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
    let end = start.0.checked_add(rounded).ok_or(Errno::EINVAL)?;
    if end == start.0 {
        return Ok(None);
    }
    if start.page() >= USER_END_PAGE {
        return Err(Errno::ENOMEM);
    }
    // What lies past the end of user space is a gap like any other: one page tells as much as all.
    let past_end = isa::Vpn(USER_END_PAGE.0 + 1);
    Ok(Some(PageRange::new(start.page(), VirtAddr(end).page().min(past_end))))
}

/// Marks what is mapped up to the first gap, of which ENOMEM tells.
fn mark(space: &SharedSpace, range: PageRange, locks: VmaFlags) -> Result<(), Errno> {
    let part = space.borrow().vmas().mapped_start(range);
    set_vma_flags(space, part, locks, VmaFlags::LOCKS)?;
    if part == range { Ok(()) } else { Err(Errno::ENOMEM) }
}

fn everything() -> PageRange {
    PageRange::new(isa::Vpn(0), USER_END_PAGE)
}

pub fn mlockall([flags, ..]: Arguments) -> Outcome {
    let has = |flag: u32| uint(flags) & flag != 0;
    if !has(linux::MCL_CURRENT | linux::MCL_FUTURE) {
        return Err(Errno::EINVAL.into());
    }
    let limit = limit_pages()?;
    let space = current().process.space();
    if has(linux::MCL_CURRENT) && space.borrow().vmas().total_pages() > limit {
        return Err(Errno::ENOMEM.into());
    }
    let locks = locks(has(linux::MCL_ONFAULT));
    space.borrow_mut().lock_new(if has(linux::MCL_FUTURE) { locks } else { VmaFlags::empty() });
    if has(linux::MCL_CURRENT) {
        set_vma_flags(&space, everything(), locks, VmaFlags::LOCKS)?;
        // As in Linux, it is no error that there are pages which cannot come.
        let _ = ahead::fault_in(&space, everything(), Origin::KernelCopy);
    }
    Ok(0)
}

pub fn munlockall(_: Arguments) -> Outcome {
    let space = current().process.space();
    space.borrow_mut().lock_new(VmaFlags::empty());
    set_vma_flags(&space, everything(), VmaFlags::empty(), VmaFlags::LOCKS)?;
    Ok(0)
}
