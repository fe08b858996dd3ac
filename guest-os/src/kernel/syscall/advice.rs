//! What a program says of pages to come: `madvise`, `process_madvise`, `fadvise64`, `readahead`.

use super::files::{details, file_to_use};
use super::memory::{range_of, set_vma_flags};
use super::spans::{Span, spans, total_of};
use super::{Arguments, Outcome, pidfd, uint};
use crate::events;
use crate::hart::current;
use crate::memory::{heap, mem, pages, read_ahead, reclaim, user};
use crate::processes::process::{self, SharedSpace};
use ::proc::CapSet;
use abi::sets;
use alloc::rc::Rc;
use core::ops::Range;
use fs::{Errno, Object};
use isa::PAGE_SIZE;
use isa::events::{Access, EventKind, EventRecord};
use linux_raw_sys::general as linux;
use mm::{Backing, FileId, PageRange, Prot, Vma, VmaFlags};

/// EINVAL for what is no advice, or none for such memory; ENOMEM where nothing is mapped, when all else is done.
pub fn madvise([address, len, advice, ..]: Arguments) -> Outcome {
    advise(&current().process.space(), address, len, uint(advice))?;
    Ok(0)
}

/// The same of the process behind a descriptor, and of several ranges: how many bytes of them were seen to, up to the first that could not.
pub fn process_madvise([fd, vector, count, advice, flags, ..]: Arguments) -> Outcome {
    if uint(flags) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let spans = spans(vector, count)?;
    total_of(&spans)?;
    let space = space_behind(fd, uint(advice))?;
    let advised = advise_each(&space, &spans, uint(advice));
    // The process may have ended meanwhile.
    process::release_space(space);
    advised
}

/// The address space of the process behind a descriptor, if the running one may give it such advice. Of another's it may only say how
/// soon its pages are needed.
fn space_behind(fd: u64, advice: u32) -> Result<SharedSpace, Errno> {
    let (pid, _) = pidfd::process_of(fd)?;
    let process = pid.and_then(process::find).ok_or(Errno::ESRCH)?;
    if !process.may_be_inspected(false) {
        return Err(Errno::EACCES);
    }
    let this = current();
    let space = process.space.borrow().clone().ok_or(Errno::ESRCH)?;
    let verdict = match advice {
        _ if Rc::ptr_eq(&space, &this.process.space()) => Ok(()),
        linux::MADV_COLD | linux::MADV_PAGEOUT | linux::MADV_WILLNEED => {
            if this.process.credentials.borrow().can(CapSet::SYS_NICE) { Ok(()) } else { Err(Errno::EPERM) }
        }
        _ => Err(Errno::EINVAL),
    };
    verdict.map(|()| space)
}

fn advise_each(space: &SharedSpace, spans: &[Span], advice: u32) -> Outcome {
    let mut done = 0;
    for span in spans.iter().filter(|span| span.len > 0) {
        match advise(space, span.address, span.len as u64, advice) {
            Ok(()) => done += span.len as u64,
            Err(_) if done > 0 => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(done)
}

fn advise(space: &SharedSpace, address: u64, len: u64, advice: u32) -> Result<(), Errno> {
    let range = range_of(address, len)?;
    if sets::ADVICE.choice(u64::from(advice)).is_none() {
        return Err(Errno::EINVAL);
    }
    let any = |is_wrong: fn(&Vma) -> bool| space.borrow().vmas().overlapping(range).any(is_wrong);
    let (none, wipe, leave_out) = (VmaFlags::empty(), VmaFlags::WIPE_ON_FORK, VmaFlags::DONT_FORK);
    match advice {
        linux::MADV_REMOVE | linux::MADV_FREE | linux::MADV_COLD | linux::MADV_PAGEOUT
            if any(Vma::is_locked) =>
        {
            return Err(Errno::EINVAL);
        }
        linux::MADV_DONTNEED => discard_unlocked(space, range)?,
        linux::MADV_DONTNEED_LOCKED => discard(space, range),
        linux::MADV_FREE | linux::MADV_WIPEONFORK if any(|vma| vma.backing != Backing::Anon) => {
            return Err(Errno::EINVAL);
        }
        linux::MADV_WIPEONFORK => set_vma_flags(space, range, wipe, none)?,
        linux::MADV_KEEPONFORK => set_vma_flags(space, range, none, wipe)?,
        linux::MADV_DONTFORK => set_vma_flags(space, range, leave_out, none)?,
        linux::MADV_DOFORK => set_vma_flags(space, range, none, leave_out)?,
        linux::MADV_POPULATE_READ => populate(space, range, Access::Read)?,
        linux::MADV_POPULATE_WRITE => populate(space, range, Access::Write)?,
        linux::MADV_REMOVE => remove(space, range)?,
        linux::MADV_FREE => {
            let flush = space.borrow_mut().give_up(&mut mem::memory(), range, |gone| {
                events::report(events::range(EventKind::Discard, gone));
            });
            mem::apply(flush, space.borrow().asid());
        }
        linux::MADV_COLD => {
            let flush = space.borrow_mut().cool(&mut mem::memory(), range);
            mem::apply(flush, space.borrow().asid());
        }
        linux::MADV_PAGEOUT => page_out(space, range),
        linux::MADV_WILLNEED => bring(space, range),
        _ => {}
    }
    // A gap is told of when all else is done.
    if space.borrow().vmas().covers(range) { Ok(()) } else { Err(Errno::ENOMEM) }
}

/// Touches each page of a range, as the program would.
fn populate(space: &SharedSpace, range: PageRange, access: Access) -> Result<(), Errno> {
    for page in range.pages() {
        let prot = space.borrow().vmas().find(page).map(|vma| vma.prot).ok_or(Errno::ENOMEM)?;
        if !prot.allows(access) {
            return Err(Errno::EINVAL);
        }
        heap::settle()?;
        user::resolve(page.base().0, access)?;
    }
    Ok(())
}

/// Holes in place of what the files in a range hold there: those that are mapped shared and may be written.
fn remove(space: &SharedSpace, range: PageRange) -> Result<(), Errno> {
    let mut next = range.start;
    loop {
        let found = space.borrow().vmas().overlapping(PageRange::new(next, range.end)).next().cloned();
        let Some(vma) = found else { return Ok(()) };
        let (true, Backing::File(file)) = (vma.is_shared(), vma.backing) else { return Err(Errno::EINVAL) };
        if !vma.prot.contains(Prot::WRITE) {
            return Err(Errno::EACCES);
        }
        let part = vma.range.intersect(range);
        let first = (file.first_page + (part.start.0 - vma.range.start.0)) * PAGE_SIZE;
        pages::punch_hole(file.file, &(first..first + part.len_pages() * PAGE_SIZE));
        next = part.end;
    }
}

/// As [`discard`], up to the first locked page, which is not to be discarded.
fn discard_unlocked(space: &SharedSpace, range: PageRange) -> Result<(), Errno> {
    let locked =
        space.borrow().vmas().overlapping(range).find(|vma| vma.is_locked()).map(|vma| vma.range.start);
    match locked {
        None => discard(space, range),
        Some(locked) if locked <= range.start => return Err(Errno::EINVAL),
        Some(locked) => {
            discard(space, PageRange::new(range.start, locked));
            return Err(Errno::EINVAL);
        }
    }
    Ok(())
}

/// Forgets what was stored to the private pages of a range.
fn discard(space: &SharedSpace, range: PageRange) {
    let discarded = space.borrow_mut().discard(&mut mem::memory(), range);
    mem::apply(discarded.flush, space.borrow().asid());
    let record = events::range(EventKind::Discard, range);
    events::report(EventRecord { detail: discarded.pages, ..record });
}

/// Has the pages of a range leave memory, as far as nobody else maps them. What must be written is on its way to swap space when this is done.
fn page_out(space: &SharedSpace, range: PageRange) {
    let mut rest = range;
    while space.borrow().page_out(&mut mem::memory(), &mut rest) && !current().is_killed() {
        reclaim::write_out_in_time();
    }
}

/// Has the pages of a range come to memory, as long as there are frames to spare: those of files as by read-ahead, from swap space one by one.
fn bring(space: &SharedSpace, range: PageRange) {
    let mut next = range.start;
    loop {
        let found = space.borrow().vmas().overlapping(PageRange::new(next, range.end)).next().cloned();
        let Some(vma) = found else { return };
        let part = vma.range.intersect(range);
        match vma.backing {
            Backing::Anon => read_ahead::bring_private(space, part),
            Backing::File(file) => {
                let first = file.first_page + (part.start.0 - vma.range.start.0);
                read_ahead::bring_file(file.file, first..first + part.len_pages());
            }
        }
        next = part.end;
    }
}

/// What a program says of how it uses a file. POSIX_FADV_WILLNEED and POSIX_FADV_DONTNEED do something. ESPIPE for a pipe.
pub fn fadvise64([fd, offset, len, advice, ..]: Arguments) -> Outcome {
    let file = details(file_to_use(fd)?);
    if matches!(file.object, Object::Pipe { .. }) {
        return Err(Errno::ESPIPE.into());
    }
    if len.cast_signed() < 0 || sets::FILE_ADVICE.choice(u64::from(uint(advice))).is_none() {
        return Err(Errno::EINVAL.into());
    }
    // As Linux: no length is all that is left, and so is one that wraps around.
    let end = offset.checked_add(len).filter(|_| len > 0).unwrap_or(u64::MAX);
    match uint(advice) {
        linux::POSIX_FADV_WILLNEED => {
            bring_part(&file.object, offset / PAGE_SIZE..end.div_ceil(PAGE_SIZE))?;
        }
        linux::POSIX_FADV_DONTNEED => {
            // Pages of which a part only is not needed stay, but for the last one.
            let file_end = file_pages(&file.object)?.map_or(0, |(_, len)| len);
            let last = if end >= file_end { u64::MAX } else { end / PAGE_SIZE };
            drop_part(&file.object, offset.div_ceil(PAGE_SIZE)..last)?;
        }
        _ => {}
    }
    Ok(0)
}

/// `readahead`. EBADF, EINVAL for what is no file, and for a count below 0.
pub fn readahead([fd, offset, count, ..]: Arguments) -> Outcome {
    let file = details(file_to_use(fd)?);
    file.check_readable()?;
    if !matches!(file.object, Object::Disk(_) | Object::Memory(_)) || count.cast_signed() < 0 {
        return Err(Errno::EINVAL.into());
    }
    let end = offset.saturating_add(count);
    bring_part(&file.object, offset / PAGE_SIZE..end.div_ceil(PAGE_SIZE))?;
    Ok(0)
}

/// The number of a file whose pages are in the page cache, and its length in bytes.
fn file_pages(object: &Object) -> Result<Option<(FileId, u64)>, Errno> {
    match object {
        Object::Disk(inode) | Object::Memory(inode) => pages::open(inode).map(Some),
        _ => Ok(None),
    }
}

fn bring_part(object: &Object, part: Range<u64>) -> Result<(), Errno> {
    if let Some((file, _)) = file_pages(object)? {
        read_ahead::bring_file(file, part);
    }
    Ok(())
}

fn drop_part(object: &Object, part: Range<u64>) -> Result<(), Errno> {
    if let Some((file, _)) = file_pages(object)? {
        mem::memory().drop_unused(file, part);
    }
    Ok(())
}
