//! Pages of files: the page cache of `mm` filled from the file systems of `fs`.
//!
//! A file has one number in `mm` ([`number_of`]). What is on the disk is read page by page when it is needed; what lives in memory is in the
//! page cache and nowhere else, so that `read`, `write`, `mmap` and `execve` meet in the same frames.

use crate::devices::block::{self, Purpose};
use crate::events;
use crate::files::vfs;
use crate::hart::current;
use crate::local::HartLocal;
use crate::memory::mem::DeviceBuffer;
use crate::memory::reclaim::{self, AtTheEnd};
use crate::memory::{claim, heap, mem, read_ahead};
use crate::processes::process::{self, Process};
use crate::processes::wait::{self, Channel};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use fs::{Errno, FileSystemId, Inode, PageSource};
use isa::events::{EventKind, EventRecord};
use mm::file_memory::{Out, Transfer, whole_pages};
use mm::page_cache::PageLookup;
use mm::spaces::Resident;
use mm::{FileId, Flush, FrameId, PageKey, PageRange, Store};

const FILE_SYSTEM_SHIFT: u32 = 56;
/// Files of the kernel's own: shared anonymous memory, the page of the vDSO.
const KERNEL_FILE_SYSTEM: u64 = 0xff;

/// Handles on the files that are mapped, so that an unlinked one keeps its contents; and the numbers of nameless files.
struct Files {
    mapped: BTreeMap<FileId, Inode>,
    next_nameless: u64,
}

static FILES: HartLocal<Files> = HartLocal::new(Files { mapped: BTreeMap::new(), next_nameless: 1 });

/// The number of a file in `mm`.
pub fn number_of(file: fs::FileId) -> FileId {
    FileId((u64::from(file.fs.0) + 1) << FILE_SYSTEM_SHIFT | file.ino)
}

/// The file with this number; `None` for the kernel's own.
pub fn file_of(number: FileId) -> Option<fs::FileId> {
    let file_system = number.0 >> FILE_SYSTEM_SHIFT;
    let fs = FileSystemId(u8::try_from(file_system.checked_sub(1)?).ok()?);
    (file_system != KERNEL_FILE_SYSTEM)
        .then_some(fs::FileId { fs, ino: number.0 & ((1 << FILE_SYSTEM_SHIFT) - 1) })
}

/// The file that a mapping is said to show: shared anonymous memory is a file of a file system that nobody sees, `[vdso]` is none.
pub fn told_file_of(number: FileId) -> Option<fs::FileId> {
    const UNSEEN: FileSystemId = FileSystemId(5);
    let is_told = number.0 >> FILE_SYSTEM_SHIFT == KERNEL_FILE_SYSTEM && !crate::processes::vdso::is(number);
    let unseen = fs::FileId { fs: UNSEEN, ino: number.0 & ((1 << FILE_SYSTEM_SHIFT) - 1) };
    file_of(number).or(is_told.then_some(unseen))
}

/// A new file without a name that lives in memory (shared anonymous memory).
pub fn nameless_file(len_bytes: u64) -> FileId {
    let mut files = FILES.get_mut();
    let number = FileId(KERNEL_FILE_SYSTEM << FILE_SYSTEM_SHIFT | files.next_nameless);
    files.next_nameless += 1;
    mem::memory().set_file(number, len_bytes, Store::Memory);
    number
}

/// A file's number and present length. The page cache knows of it from now on.
pub fn open(inode: &Inode) -> Result<(FileId, u64), Errno> {
    let (len_bytes, is_on_disk) = {
        let mut vfs = vfs::lock();
        (vfs.size(inode.id())?, vfs.is_as_on_disk(inode.id()))
    };
    let number = number_of(inode.id());
    if is_on_disk {
        mem::memory().set_file(number, len_bytes, Store::Device);
    }
    Ok((number, len_bytes))
}

/// Keeps a handle on a file that is about to be mapped.
pub fn hold(number: FileId, inode: &Inode) {
    FILES.get_mut().mapped.entry(number).or_insert_with(|| inode.clone());
}

/// Whether a mapped file has lost its name.
pub fn is_unlinked(number: FileId) -> bool {
    FILES.get_mut().mapped.get(&number).is_some_and(Inode::is_unlinked)
}

/// Drops the handles on files that nothing maps any more, and the contents of those without a name.
pub fn release_unmapped_files() {
    let mut from = FileId(0);
    loop {
        let unmapped = mem::memory().take_unmapped_file(from);
        let Some(number) = unmapped else { return };
        if number.0 >> FILE_SYSTEM_SHIFT == KERNEL_FILE_SYSTEM
            && !crate::processes::vdso::is(number)
            && !crate::syscall::shared_memory::keeps(number)
        {
            mem::memory().remove_file(number);
        }
        let handle = FILES.get_mut().mapped.remove(&number);
        drop(handle);
        from = number;
    }
}

/// A file in memory was cut: what every process has mapped of it past its end goes, and touching that is SIGBUS from now on.
///
/// Cost: a look at each interval of address spaces that shows the file, and at the processes for each that shows its end.
pub fn unmap_past_end(inode: &Inode) {
    let number = number_of(inode.id());
    if !mem::memory().is_file_mapped(number) {
        return;
    }
    let first_gone = mem::memory().file_len_bytes(number).div_ceil(isa::PAGE_SIZE);
    mem::memory().cut_file(number, first_gone, tell_of_discarded);
}

/// Makes a hole of a part of a file in memory, for all who have it mapped, too: the frames of its whole pages are free again.
///
/// Cost: as [`unmap_past_end`].
pub fn punch_hole(number: FileId, bytes: &Range<u64>) {
    let hole = whole_pages(bytes);
    mem::memory().punch_file(number, bytes.clone());
    if !hole.is_empty() {
        mem::memory().unmap_hole(number, &hole, tell_of_discarded);
    }
}

/// Pages of an address space were taken from it.
fn tell_of_discarded(space: &Resident, range: PageRange, pages: u64, flush: Flush) {
    mem::apply(flush, space.asid);
    let pid = process::in_space(space.id).map_or(0, |process| u64::from(process.pid));
    let record = events::range(EventKind::Discard, range);
    let told = EventRecord { pid, tid: pid, space: u64::from(space.id.0), ..record };
    events::report(EventRecord { detail: pages, ..told });
}

/// Fills a page that `mm` has begun to read. Sleeps. Returns whether it worked.
pub fn fill(key: PageKey, frame: FrameId, purpose: Purpose) -> bool {
    let succeeded = read_into(key, frame, purpose);
    if let Err(error) = succeeded {
        tell_of_failure(key, error);
    }
    current().process.count_transfer(|counts| counts.bytes_from_disk += isa::PAGE_SIZE);
    mem::memory().finish_read(key, frame, succeeded.is_ok());
    wait::wake(Channel::Page(key));
    claim::wake();
    succeeded.is_ok()
}

/// By the path under which the process has mapped or opened the file, if it has.
#[cold]
fn tell_of_failure(key: PageKey, error: Errno) {
    let process = &current().process;
    let name = mapped_name(process, key.file).or_else(|| open_name(process, key.file));
    match name {
        Some(name) => {
            log::error!("reading page {} of {} failed: {error}", key.index, String::from_utf8_lossy(&name));
        }
        None => {
            let inode = key.file.0 & ((1 << FILE_SYSTEM_SHIFT) - 1);
            log::error!("reading page {} of the file with inode {inode} failed: {error}", key.index);
        }
    }
}

fn mapped_name(process: &Process, file: FileId) -> Option<Vec<u8>> {
    let space = process.space.borrow();
    let space = space.as_ref()?.borrow();
    let vma = space.vmas().iter().find(|vma| vma.file() == Some(file))?;
    Some(vma.name.as_bytes().to_vec())
}

fn open_name(process: &Process, file: FileId) -> Option<Vec<u8>> {
    let files = process.files_if_any()?;
    let (files, open) = (files.borrow(), vfs::open_files());
    let locations = files.iter().filter_map(|(_, id)| open.get(id).location.as_ref());
    let mut meant = locations.filter(|location| number_of(location.inode.id()) == file);
    meant.next()?.name().ok()
}

fn read_into(key: PageKey, frame: FrameId, purpose: Purpose) -> Result<(), Errno> {
    let file = file_of(key.file).ok_or(Errno::EIO)?;
    let source = vfs::lock().page_source(file, key.index)?;
    if let PageSource::Device { valid_bytes, .. } = source {
        let volume = block::volume(file.fs).ok_or(Errno::EIO)?;
        for range in source.ranges() {
            let piece = DeviceBuffer::new(frame, range.page_offset as usize, range.len_bytes as usize);
            let piece = piece.ok_or(Errno::EIO)?;
            let at = volume.start_bytes.saturating_add(range.device_offset);
            let is_read = block::read(volume.disk, at, piece, purpose, || read_ahead::follow(key));
            is_read.map_err(|_| Errno::EIO)?;
        }
        mem::memory().zero_from(frame, valid_bytes.into());
    }
    Ok(())
}

/// The frame of a page of a file, pinned, reading it if need be; `None` past the end. Not a page fault: `execve` and
/// `read` come this way. The caller unpins.
pub fn pinned(key: PageKey) -> Result<Option<FrameId>, Errno> {
    loop {
        heap::settle()?;
        let found = mem::memory().look_up_page(key);
        match found {
            PageLookup::Ready(frame) => {
                mem::memory().pin(frame);
                read_ahead::found(key);
                return Ok(Some(frame));
            }
            PageLookup::BeyondEnd => return Ok(None),
            PageLookup::Hole => {
                // While this waits for a frame the page may come and go to swap space, or the file be shortened.
                let frame = reclaim::with_room(AtTheEnd::Fail, |memory| match memory.look_up_page(key) {
                    PageLookup::Hole => memory.memory_page(key).map(Some),
                    _ => Ok(None),
                });
                let Some(frame) = frame.map_err(|_| Errno::ENOMEM)? else { continue };
                mem::memory().pin(frame);
                return Ok(Some(frame));
            }
            PageLookup::NoRoom => return Err(Errno::ENOMEM),
            PageLookup::Reading(_) => wait::sleep(Channel::Page(key)),
            PageLookup::SwapBusy(slot) => reclaim::wait_for(slot),
            PageLookup::Swapped(_) => bring_in(key)?,
            PageLookup::Absent => {
                // The same: another may have read it.
                let frame = reclaim::with_room(AtTheEnd::Fail, |memory| match memory.look_up_page(key) {
                    PageLookup::Absent => memory.begin_read(key).map(Some),
                    _ => Ok(None),
                });
                let Some(frame) = frame.map_err(|_| Errno::ENOMEM)? else { continue };
                let purpose = Purpose::Call {
                    file: key.file.0,
                    offset_bytes: key.offset_bytes(),
                    frame: frame.ppn().0,
                };
                if !fill(key, frame, purpose) {
                    return Err(Errno::EIO);
                }
            }
        }
    }
}

/// Has a page of a file brought back into memory, if it is in swap space only by now. ENOMEM without a frame, EIO if it is lost.
fn bring_in(key: PageKey) -> Result<(), Errno> {
    // While this waits for a frame the page may come back, and its slot become another's.
    let begun = reclaim::with_room(AtTheEnd::Fail, |memory| match memory.look_up_page(key) {
        PageLookup::Swapped(slot) => memory.begin_swap_in(slot).map(|frame| Some((slot, frame))),
        _ => Ok(None),
    });
    match begun.map_err(|_| Errno::ENOMEM)? {
        Some((slot, frame)) if !reclaim::swap_in(slot, frame) => Err(Errno::EIO),
        _ => Ok(()),
    }
}

/// ERESTART if something of what a call reads or changes of a file in memory is not there, but in swap space or on the disk only. With the page that the
/// file ends in, if it is to become longer.
pub fn check_in_memory(number: FileId, bytes: &Range<u64>, transfer: Transfer) -> Result<(), Errno> {
    let out = mem::memory().first_out(number, bytes, transfer);
    if out.is_some() { Err(Errno::ERESTART) } else { Ok(()) }
}

/// Does what reads or changes `bytes` of a file while the file systems are locked. If a page is not in memory, or a new one finds no frame,
/// nothing is done ([`fs::FileMemory`]): then this waits, without that lock, until it can be, and `action` begins again. ENOSPC without a frame.
///
/// The bytes lie in one page: of several one might leave while the next one comes.
pub fn restarting<R>(
    inode: &Inode,
    bytes: &Range<u64>,
    transfer: Transfer,
    mut action: impl FnMut() -> Result<R, Errno>,
) -> Result<R, Errno> {
    loop {
        match action() {
            Err(Errno::ERESTART) => {}
            result => return result,
        }
        if !bring_in_all(number_of(inode.id()), bytes, transfer)? {
            reclaim::wait_for_frames(1, AtTheEnd::Fail).map_err(|_| Errno::ENOSPC)?;
        }
    }
}

/// Brings back what of these bytes is not in memory. Returns whether something was not. Sleeps.
fn bring_in_all(number: FileId, bytes: &Range<u64>, transfer: Transfer) -> Result<bool, Errno> {
    let mut was_out = false;
    loop {
        let out = mem::memory().first_out(number, bytes, transfer);
        match out {
            None => return Ok(was_out),
            Some(Out::InSlot(key)) => bring_back(key)?,
            Some(Out::OnDevice(key)) => {
                if let Some(frame) = pinned(key)? {
                    mem::memory().unpin(frame);
                }
            }
        }
        was_out = true;
    }
}

/// One step of bringing a page of a file back from its slot.
fn bring_back(key: PageKey) -> Result<(), Errno> {
    let lookup = mem::memory().look_up_page(key);
    match lookup {
        PageLookup::SwapBusy(slot) => reclaim::wait_for(slot),
        PageLookup::Swapped(_) => bring_in(key)?,
        _ => {}
    }
    Ok(())
}

/// Copies bytes of a file out of the page cache; returns how many there are before the end of the file.
pub fn read(number: FileId, len_bytes: u64, offset: u64, into: &mut [u8]) -> Result<usize, Errno> {
    let left = usize::try_from(len_bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
    let wanted = into.len().min(left);
    let mut done = 0;
    while done < wanted {
        let at = offset + done as u64;
        let Some(frame) = pinned(PageKey { file: number, index: at / isa::PAGE_SIZE })? else { break };
        let in_page = at % isa::PAGE_SIZE;
        let room = usize::try_from(isa::PAGE_SIZE - in_page).unwrap_or(0);
        let len = room.min(wanted - done);
        let mut memory = mem::memory();
        mm::PhysMem::read_bytes(
            memory.phys(),
            frame.base().wrapping_add(in_page),
            &mut into[done..done + len],
        );
        memory.unpin(frame);
        done += len;
    }
    Ok(done)
}
