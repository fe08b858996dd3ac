//! `mremap`: a mapping becomes smaller, larger, or is found elsewhere.

use super::memory::{advanced, map, range_of, unmap};
use super::{Arguments, Outcome, limits, mlock, uint};
use crate::events;
use crate::hart::current;
use crate::memory::reclaim::{self, AtTheEnd};
use crate::memory::{ahead, commit, heap, inject, mem, pages};
use crate::processes::process::SharedSpace;
use ::proc::{SigInfo, Signal};
use fs::Errno;
use isa::events::{EventKind, EventRecord};
use isa::{PAGE_SIZE, Vpn};
use linux_raw_sys::general::{MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE};
use mm::layout::{MAX_VMAS, USER_END_PAGE};
use mm::{AddressSpace, Backing, MapRequest, PageRange, Placement, Prot, Vma};

pub fn mremap([address, old_len, new_len, flags, new_address, ..]: Arguments) -> Outcome {
    let flags = uint(flags);
    let (may_move, keeps_old) = (flags & MREMAP_MAYMOVE != 0, flags & MREMAP_DONTUNMAP != 0);
    let old = range_of(address, old_len)?;
    // It may be more than there is room for where it is.
    let new_pages = new_len.div_ceil(PAGE_SIZE);
    let is_wrong = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) != 0 && !may_move;
    if is_wrong || new_pages == 0 || keeps_old && old.len_pages() != new_pages {
        return Err(Errno::EINVAL.into());
    }
    let target = match flags & MREMAP_FIXED {
        0 => None,
        _ => Some(target(&old, new_address, new_pages)?),
    };
    let space = current().process.space();
    let vma = space.borrow().vmas().find(old.start).cloned().ok_or(Errno::EFAULT)?;
    if old.is_empty() && !vma.is_shared() {
        return Err(Errno::EINVAL.into());
    }
    let moves = target.is_some() || keeps_old;
    if !moves && new_pages <= old.len_pages() {
        if new_pages < old.len_pages() {
            unmap(&space, PageRange::new(Vpn(old.start.0 + new_pages), old.end))?;
            pages::release_unmapped_files();
        }
        return Ok(address);
    }
    if old.end > vma.range.end {
        return Err(Errno::EFAULT.into());
    }
    if new_pages > USER_END_PAGE.0 {
        return Err(Errno::ENOMEM.into());
    }
    let more_pages = new_pages.saturating_sub(old.len_pages());
    limits::check_space(&space, more_pages, None)?;
    let locks = mlock::of_new_pages(&space, vma.is_locked(), more_pages)?;
    if !vma.is_shared() && vma.prot.contains(Prot::WRITE) {
        commit::promise(more_pages, false)?;
    }
    if !moves && grow(&vma, &old, more_pages).is_ok() {
        fault_in(&space, !locks.is_empty(), PageRange::new(old.end, Vpn(old.end.0 + more_pages)));
        return Ok(address);
    }
    if !may_move {
        return Err(Errno::ENOMEM.into());
    }
    let there = relocate(&space, &vma, old, new_pages, target, keeps_old)?;
    pages::release_unmapped_files();
    let grown = PageRange::new(Vpn(there.start.0 + old.len_pages().min(there.len_pages())), there.end);
    fault_in(&space, !locks.is_empty(), grown);
    Ok(there.start.base().0)
}

/// The first page of where MREMAP_FIXED wants to have the mapping.
fn target(old: &PageRange, address: u64, len_pages: u64) -> Result<Vpn, Errno> {
    let to = range_of(address, 0)?;
    let is_room = PageRange::in_user_space(to.start, len_pages).is_some() && to.start.0 > 0;
    let overlaps = to.start < old.end && old.start.0 < to.start.0.saturating_add(len_pages);
    if is_room && !overlaps { Ok(to.start) } else { Err(Errno::EINVAL) }
}

/// Adds what is missing behind a mapping, if there is room.
fn grow(vma: &Vma, old: &PageRange, more_pages: u64) -> Result<(), Errno> {
    if old.is_empty() || old.end < vma.range.end || has_zeros_behind(vma) {
        return Err(Errno::ENOMEM);
    }
    let request = MapRequest {
        placement: Placement::FixedNoReplace(old.end),
        len_pages: more_pages,
        prot: vma.prot,
        flags: vma.flags,
        backing: advanced(vma.backing, vma.range.len_pages()),
        name: vma.name.clone(),
    };
    map(&current().process, request).map(|_| ())
}

/// A program's data: behind the file's part are zeros.
fn has_zeros_behind(vma: &Vma) -> bool {
    matches!(vma.backing, Backing::File(file) if file.len_bytes.is_some())
}

fn fault_in(space: &SharedSpace, is_locked: bool, range: PageRange) {
    if !range.is_empty()
        && let Some(origin) = ahead::at_once(is_locked)
    {
        let _ = ahead::fault_in(space, range, origin);
    }
}

/// Maps what `old` shows elsewhere, `len_pages` of it, with the pages that it has.
fn relocate(
    space: &SharedSpace,
    vma: &Vma,
    old: PageRange,
    len_pages: u64,
    target: Option<Vpn>,
    keeps_old: bool,
) -> Result<PageRange, Errno> {
    if len_pages > old.len_pages() && has_zeros_behind(vma) {
        return Err(Errno::ENOMEM);
    }
    let kept = PageRange::new(old.start, Vpn(old.start.0 + len_pages.min(old.len_pages())));
    let frames = AddressSpace::frames_to_move(kept.len_pages());
    reclaim::wait_for_frames(frames, AtTheEnd::Fail).map_err(|_| Errno::ENOMEM)?;
    /// An owner more of a shared frame, for a moment.
    const OWNER_BYTES: usize = 4 << 10;
    let _prepared = heap::prepare(OWNER_BYTES)?;
    // The new mapping, and what is left on both sides of the old one: seen to before anything moves.
    if space.borrow().vmas().len() + 3 > MAX_VMAS {
        return Err(Errno::ENOMEM);
    }
    let start = match target {
        Some(start) => start,
        None => space.borrow().find_room(len_pages).map_err(|_| Errno::ENOMEM)?,
    };
    let request = MapRequest {
        placement: Placement::Fixed(start),
        len_pages,
        prot: vma.prot,
        flags: vma.flags,
        backing: advanced(vma.backing, old.start.0 - vma.range.start.0),
        name: vma.name.clone(),
    };
    let there = map(&current().process, request)?;
    let mut count = 0;
    let moved = inject::covered(|| {
        // There was room a moment ago; if it has gone since, what has not been moved follows when there is some again.
        reclaim::with_room(AtTheEnd::Fail, |memory| {
            let (moved, flush) = space.borrow_mut().move_pages(memory, kept, there.start)?;
            count += moved;
            mem::apply(flush, space.borrow().asid());
            Ok(())
        })
    });
    if moved.is_err() {
        // Half of its memory is elsewhere.
        current().post(SigInfo::from_kernel(Signal::KILL));
        return Err(Errno::ENOMEM);
    }
    if count > 0 {
        let record = events::range(EventKind::Mremap, kept);
        events::report(EventRecord { detail: count, detail2: there.start.base().0, ..record });
    }
    if !keeps_old && !old.is_empty() && inject::covered(|| unmap(space, old)).is_err() {
        current().post(SigInfo::from_kernel(Signal::KILL));
    }
    Ok(there)
}
