//! The address space: brk, mmap and their kin. Each only changes VMAs; pages come with their first touch.

use super::files::{details, file_to_use};
use super::{Arguments, Outcome, limits, mlock, uint};
use crate::events;
use crate::hart::current;
use crate::memory::{ahead, commit, heap, inject, mem, pages, user};
use crate::processes::process::{Process, SharedSpace};
use abi::sets;
use alloc::rc::Rc;
use fs::{Device, Errno, Inode, Object, OpenFile};
use isa::events::{EventKind, EventRecord};
use isa::{PAGE_SIZE, VirtAddr, Vpn};
use linux_raw_sys::general as linux;
use mm::page_cache::PageLookup;
use mm::pte::NotPresent;
use mm::swap::SlotState;
use mm::vma::{FileBacking, Kept, OpenPath, PageSource};
use mm::{Backing, MapError, MapRequest, Name, PageRange, Placement, Prot, Vma, VmaFlags};

fn errno(error: MapError) -> Errno {
    match error {
        MapError::BadRange => Errno::EINVAL,
        MapError::NoRoom
        | MapError::TooManyVmas
        | MapError::NotMapped
        | MapError::OutOfFrames
        | MapError::NoMemory => Errno::ENOMEM,
        MapError::Exists => Errno::EEXIST,
        MapError::NeverWritable => Errno::EACCES,
    }
}

fn prot_of(bits: u64) -> Prot {
    let bits = uint(bits);
    let mut prot = Prot::empty();
    prot.set(Prot::READ, bits & linux::PROT_READ != 0);
    prot.set(Prot::WRITE, bits & linux::PROT_WRITE != 0);
    prot.set(Prot::EXEC, bits & linux::PROT_EXEC != 0);
    prot
}

/// Never fails: as in Linux, what cannot be done leaves the break where it is, and that is what the program is told.
pub fn brk([wanted, ..]: Arguments) -> Outcome {
    let wanted = VirtAddr(wanted);
    let end = inject::attempts(
        |end| *end != wanted,
        || {
            let _ = move_break(wanted);
            current().process.space().borrow().heap_end()
        },
    );
    Ok(end.0)
}

fn move_break(wanted: VirtAddr) -> Result<(), Errno> {
    heap::settle()?;
    let space = current().process.space();
    let before = space.borrow().heap_end();
    let more_pages = wanted.page().0.saturating_sub(before.page().0);
    limits::check_space(&space, more_pages, None)?;
    let locks = mlock::of_new_pages(&space, false, more_pages)?;
    commit::promise(more_pages, false)?;
    let (low, high) = (wanted.page().min(before.page()), before.page());
    let _prepared = prepare_list(&space, PageRange::new(low, isa::Vpn(high.0 + 1)))?;
    let flush = space.borrow_mut().brk(&mut mem::memory(), wanted);
    mem::apply(flush, space.borrow().asid());
    let (start, end) = (space.borrow().heap_start(), space.borrow().heap_end());
    if end != before {
        events::report(EventRecord { va: start.0, va_end: end.0, ..events::of(EventKind::Brk) });
    }
    if end > before
        && let Some(origin) = ahead::at_once(!locks.is_empty())
        && let Some(grown) = PageRange::covering(before, end.0 - before.0)
    {
        let _ = ahead::fault_in(&space, grown, origin);
    }
    Ok(())
}

pub fn mmap([address, len, prot, flags, fd, offset]: Arguments) -> Outcome {
    let flags = uint(flags);
    let is_anonymous = flags & linux::MAP_ANONYMOUS != 0;
    if !offset.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL.into());
    }
    // As in Linux, a file that is not open goes before whatever else is wrong.
    let file = if is_anonymous { None } else { Some(details(file_to_use(fd)?)) };
    if len == 0 {
        return Err(Errno::EINVAL.into());
    }
    let len_pages = len.checked_add(PAGE_SIZE - 1).ok_or(Errno::ENOMEM)? / PAGE_SIZE;
    // An offset is a signed number, of which the page's number keeps the sign.
    let first_page = (offset.cast_signed() / PAGE_SIZE.cast_signed()).cast_unsigned();
    first_page.checked_add(len_pages).ok_or(Errno::EOVERFLOW)?;
    if len_pages > mm::layout::USER_END_PAGE.0 {
        return Err(Errno::ENOMEM.into());
    }
    let is_shared = match flags & linux::MAP_TYPE {
        linux::MAP_SHARED => true,
        linux::MAP_SHARED_VALIDATE if !is_anonymous => {
            validate(flags)?;
            true
        }
        linux::MAP_PRIVATE => false,
        _ => return Err(Errno::EINVAL.into()),
    };
    let prot = prot_of(prot);
    if flags & linux::MAP_HUGETLB != 0 {
        // There are no huge pages, and no file is one of theirs.
        return Err(if is_anonymous { Errno::ENOMEM } else { Errno::EINVAL }.into());
    }
    let process = &current().process;
    let space = process.space();
    let placement = placement(VirtAddr(address), flags)?;
    limits::check_space(&space, len_pages, replaced_by(placement, len_pages))?;
    let locks = mlock::of_new_pages(&space, flags & linux::MAP_LOCKED != 0, len_pages)?;
    let is_reserved_only = flags & linux::MAP_NORESERVE != 0;
    if is_promise(file.as_ref(), is_shared, prot) {
        commit::promise(len_pages, is_reserved_only)?;
    }
    let grows_down = flags & linux::MAP_GROWSDOWN != 0;
    let source = match &file {
        Some(file) => Source::of_open_file(file, is_shared, prot, len_pages, first_page)?,
        None if grows_down && is_shared => return Err(Errno::EINVAL.into()),
        None => Source::anonymous(is_shared, len_pages),
    };
    let request = MapRequest {
        placement,
        len_pages,
        prot,
        flags: source.flags
            | locks
            | if grows_down && is_anonymous { VmaFlags::GROWS_DOWN } else { VmaFlags::empty() },
        backing: source.backing,
        name: source.name,
    };
    let result = map(process, request);
    pages::release_unmapped_files();
    let range = result?;
    const AT_ONCE: u32 = linux::MAP_POPULATE | linux::MAP_NONBLOCK;
    let is_asked = !locks.is_empty() || flags & AT_ONCE == linux::MAP_POPULATE;
    if let Some(origin) = ahead::at_once(is_asked)
        && (is_asked || !is_reserved_only)
    {
        // As in Linux, what cannot come is told to who touches it.
        let _ = ahead::fault_in(&space, range, origin);
    }
    Ok(range.start.base().0)
}

/// Whether a mapping may need memory of its own: private pages that can be written, and shared ones that are no file's.
fn is_promise(file: Option<&OpenFile>, is_shared: bool, prot: Prot) -> bool {
    let has_no_file = file.is_none_or(|file| matches!(file.object, Object::Device(Device::Zero)));
    if is_shared { has_no_file } else { prot.contains(Prot::WRITE) }
}

/// What MAP_SHARED_VALIDATE asks for: that flags which mean nothing for this file are refused, and not passed over.
fn validate(flags: u32) -> Result<(), Errno> {
    // As in Linux: those that there were before it, but MAP_SYNC is for memory that outlives the machine.
    let known: u64 = sets::MAP.flags.iter().fold(sets::MAP.choice_bits, |bits, flag| bits | flag.bits);
    if u64::from(flags) & !known != 0 || flags & linux::MAP_SYNC != 0 {
        Err(Errno::EOPNOTSUPP)
    } else {
        Ok(())
    }
}

/// Whole pages of the longest file.
const MAX_FILE_PAGES: u64 = i64::MAX.cast_unsigned() / PAGE_SIZE;

fn placement(address: VirtAddr, flags: u32) -> Result<Placement, Errno> {
    let fixed = flags & (linux::MAP_FIXED | linux::MAP_FIXED_NOREPLACE);
    if fixed != 0 && !address.is_aligned(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    Ok(match (fixed, address.0) {
        (fixed, 0) if fixed & linux::MAP_FIXED != 0 => return Err(Errno::EPERM),
        (fixed, _) if fixed & linux::MAP_FIXED_NOREPLACE != 0 => Placement::FixedNoReplace(address.page()),
        (fixed, _) if fixed != 0 => Placement::Fixed(address.page()),
        (_, 0) => Placement::Anywhere,
        _ => Placement::Hint(address.page()),
    })
}

/// What is mapped.
struct Source {
    backing: Backing,
    flags: VmaFlags,
    name: Name,
}

impl Source {
    fn anonymous(is_shared: bool, len_pages: u64) -> Self {
        if !is_shared {
            return Self { backing: Backing::Anon, flags: VmaFlags::empty(), name: "".into() };
        }
        let file = pages::nameless_file(len_pages * PAGE_SIZE);
        let backing = Backing::File(FileBacking { file, first_page: 0, len_bytes: None });
        Self { backing, flags: VmaFlags::SHARED, name: "/dev/zero (deleted)".into() }
    }

    fn of_open_file(
        file: &OpenFile,
        is_shared: bool,
        prot: Prot,
        len_pages: u64,
        first_page: u64,
    ) -> Result<Self, Errno> {
        let denies_writing = matches!(&file.object, Object::Memory(inode) if inode.seals().deny_writing());
        if denies_writing && is_shared && prot.contains(Prot::WRITE) {
            return Err(Errno::EPERM);
        }
        let is_writable = file.flags.is_writable() && !denies_writing;
        if first_page + len_pages > MAX_FILE_PAGES {
            return Err(Errno::EOVERFLOW);
        }
        if !file.flags.is_readable() {
            return Err(Errno::EACCES);
        }
        let path = file.location.as_ref().map(|location| location.path.clone());
        // As in Linux, a mapping keeps the file as it was opened: even a private one the right to write it.
        let kept = file.writing().map(|writing| Kept(writing as _));
        let name = path.map_or(Name::from(""), |path| Name::Path(Rc::new(OpenPath { path, kept })));
        let flags = match (is_shared, is_writable) {
            (false, _) => VmaFlags::empty(),
            (true, false) => VmaFlags::SHARED | VmaFlags::NEVER_WRITABLE,
            (true, true) => VmaFlags::SHARED,
        };
        match &file.object {
            Object::Device(Device::Zero) | Object::Disk(_) | Object::Memory(_)
                if flags.contains(VmaFlags::NEVER_WRITABLE) && prot.contains(Prot::WRITE) =>
            {
                Err(Errno::EACCES)
            }
            Object::Device(Device::Zero) => Ok(Self { flags, ..Self::anonymous(is_shared, len_pages) }),
            Object::Disk(inode) | Object::Memory(inode) => Self::file(inode, first_page, flags, name),
            _ => Err(Errno::ENODEV),
        }
    }

    fn file(inode: &Inode, first_page: u64, flags: VmaFlags, name: Name) -> Result<Self, Errno> {
        let (file, _) = pages::open(inode)?;
        pages::hold(file, inode);
        Ok(Self { backing: Backing::File(FileBacking { file, first_page, len_bytes: None }), flags, name })
    }
}

/// What a mapping takes the place of.
fn replaced_by(placement: Placement, len_pages: u64) -> Option<PageRange> {
    match placement {
        Placement::Fixed(at) => PageRange::in_user_space(at, len_pages),
        _ => None,
    }
}

/// Enters a mapping and tells of it.
pub fn map(process: &Process, request: MapRequest) -> Result<PageRange, Errno> {
    let is_fixed = matches!(request.placement, Placement::Fixed(_) | Placement::FixedNoReplace(_));
    let space = process.space();
    let replaced = replaced_by(request.placement, request.len_pages);
    let _prepared = replaced.map(|range| prepare_list(&space, range)).transpose()?;
    let mapped = space.borrow_mut().map(&mut mem::memory(), request).map_err(|error| match error {
        MapError::BadRange if is_fixed => Errno::ENOMEM,
        error => errno(error),
    })?;
    mem::apply(mapped.flush, space.borrow().asid());
    events::unmapped(&mapped.replaced);
    report_mapped(&space, mapped.range);
    Ok(mapped.range)
}

/// Reports a new mapping by its own range: the VMA it lies in may have been merged with a neighbour.
fn report_mapped(space: &SharedSpace, range: PageRange) {
    let space = space.borrow();
    let Some(vma) = space.vmas().find(range.start) else { return };
    let delta = range.start.0 - vma.range.start.0;
    events::mapped(&Vma { range, backing: advanced(vma.backing, delta), ..vma.clone() });
}

/// The backing of a VMA, seen from `pages` further on.
pub fn advanced(backing: Backing, pages: u64) -> Backing {
    match backing {
        Backing::Anon => Backing::Anon,
        Backing::File(file) => {
            let len_bytes = file.len_bytes.map(|len| len.saturating_sub(pages * PAGE_SIZE));
            if len_bytes == Some(0) {
                return Backing::Anon;
            }
            Backing::File(FileBacking { first_page: file.first_page + pages, len_bytes, ..file })
        }
    }
}

pub fn range_of(address: u64, len: u64) -> Result<PageRange, Errno> {
    if !address.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    PageRange::covering(VirtAddr(address), len).ok_or(Errno::EINVAL)
}

/// Sees to memory for a list of the VMAs in a range, which is made while the frames are borrowed.
pub fn prepare_list(space: &SharedSpace, range: PageRange) -> Result<heap::Prepared, Errno> {
    let count = space.borrow().vmas().overlapping(range).count();
    heap::prepare(count * size_of::<Vma>())
}

pub fn munmap([address, len, ..]: Arguments) -> Outcome {
    let range = range_of(address, len)?;
    if range.is_empty() {
        return Err(Errno::EINVAL.into());
    }
    unmap(&current().process.space(), range)?;
    pages::release_unmapped_files();
    Ok(0)
}

/// Takes what is mapped in a range away and tells of it. Files that nothing maps any more are still there.
pub fn unmap(space: &SharedSpace, range: PageRange) -> Result<(), Errno> {
    let _prepared = prepare_list(space, range)?;
    let unmapped = space.borrow_mut().unmap(&mut mem::memory(), range).map_err(errno)?;
    mem::apply(unmapped.flush, space.borrow().asid());
    events::unmapped(&unmapped.removed);
    Ok(())
}

pub fn mprotect([address, len, prot, ..]: Arguments) -> Outcome {
    let prot = uint(prot);
    let range = range_of(address, len)
        .map_err(|error| if address % PAGE_SIZE == 0 { Errno::ENOMEM } else { error })?;
    if range.is_empty() {
        return Ok(0);
    }
    let space = current().process.space();
    let range = if prot & linux::PROT_GROWSDOWN != 0 { from_start_of_stack(&space, range)? } else { range };
    let _prepared = prepare_list(&space, range)?;
    let changed = space.borrow_mut().protect(&mut mem::memory(), range, prot_of(u64::from(prot)));
    let (changed, flush) = changed.map_err(errno)?;
    mem::apply(flush, space.borrow().asid());
    for vma in &changed {
        let record = events::range(EventKind::Mprotect, vma.range.intersect(range));
        events::report(EventRecord { detail3: vma.event_flags(), ..record });
    }
    Ok(0)
}

/// PROT_GROWSDOWN: the range begins where the stack does that it begins in.
fn from_start_of_stack(space: &SharedSpace, range: PageRange) -> Result<PageRange, Errno> {
    let space = space.borrow();
    let vma = space.vmas().overlapping(range).next().ok_or(Errno::ENOMEM)?;
    if !vma.flags.contains(VmaFlags::GROWS_DOWN) {
        return Err(Errno::EINVAL);
    }
    Ok(PageRange::new(vma.range.start.min(range.start), range.end))
}

pub(super) fn set_vma_flags(
    space: &SharedSpace,
    range: PageRange,
    set: VmaFlags,
    unset: VmaFlags,
) -> Result<(), Errno> {
    let _prepared = prepare_list(space, range)?;
    space.borrow_mut().set_vma_flags(&mut mem::memory(), range, set, unset).map_err(errno)
}

/// The range must be mapped.
fn check_mapped([address, len, ..]: Arguments) -> Outcome {
    let start = VirtAddr(address).page_base();
    let range = range_of(start.0, len.saturating_add(address - start.0)).map_err(|_| Errno::ENOMEM)?;
    if range.is_empty() || current().process.space().borrow().vmas().covers(range) {
        Ok(0)
    } else {
        Err(Errno::ENOMEM.into())
    }
}

/// A byte a page: 1 where the page is in memory, mapped here, in the page cache or in the swap cache.
pub fn mincore([address, len, vector, ..]: Arguments) -> Outcome {
    let range = range_of(address, len)
        .map_err(|error| if address % PAGE_SIZE == 0 { Errno::ENOMEM } else { error })?;
    let space = current().process.space();
    if !space.borrow().vmas().covers(range) {
        return Err(Errno::ENOMEM.into());
    }
    const PIECE_PAGES: usize = 64;
    let mut rest = range;
    while !rest.is_empty() {
        let mut told = [0; PIECE_PAGES];
        let pages =
            rest.pages().zip(&mut told).map(|(vpn, told)| *told = u8::from(is_in_memory(&space, vpn)));
        let count = pages.count();
        user::copy_out(vector.wrapping_add(rest.start.0 - range.start.0), &told[..count])?;
        rest.start.0 += count as u64;
    }
    Ok(0)
}

fn is_in_memory(space: &SharedSpace, vpn: Vpn) -> bool {
    let (space, memory) = (space.borrow(), mem::memory());
    let is_in_swap_cache = |slot| match memory.swap().get(slot).state {
        SlotState::Stored | SlotState::Reading(_) => false,
        SlotState::Writing { .. } | SlotState::Cached(_) | SlotState::Unwritten(_) | SlotState::Kept(_) => {
            true
        }
    };
    let is_cached = |vma: &Vma| match vma.source(vpn) {
        PageSource::Zeros => false,
        PageSource::File(key) | PageSource::FileThenZeros { key, .. } => match memory.cache().lookup(key) {
            PageLookup::Ready(_) => true,
            PageLookup::Swapped(slot) | PageLookup::SwapBusy(slot) => is_in_swap_cache(slot),
            _ => false,
        },
    };
    match NotPresent::decode(space.pte(&memory, vpn)) {
        None => true,
        Some(NotPresent::Swapped(slot)) => is_in_swap_cache(slot),
        // It left memory as zeros, and would not show the file.
        Some(NotPresent::Zeros) => false,
        Some(NotPresent::Nothing) => space.vmas().find(vpn).is_some_and(is_cached),
    }
}

/// Every file that is mapped shared lives in memory or is never written: there is nothing to write back.
pub fn msync([address, len, flags, ..]: Arguments) -> Outcome {
    let both = linux::MS_ASYNC | linux::MS_SYNC;
    if uint(flags) & both == both || !address.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL.into());
    }
    if uint(flags) & linux::MS_INVALIDATE != 0
        && let Ok(range) = range_of(address, len)
        && current().process.space().borrow().vmas().overlapping(range).any(Vma::is_locked)
    {
        return Err(Errno::EBUSY.into());
    }
    check_mapped([address, len, 0, 0, 0, 0])
}

/// Instructions written by this process are fetched from now on. There is one hart, so `fence.i` here does it all.
pub fn riscv_flush_icache(_: Arguments) -> Outcome {
    crate::arch::fence_instructions();
    Ok(0)
}
