//! Looking at pages that are not in memory: what their first touch would show, without that touch.
//!
//! The page table is asked first. For a page that no entry maps the events tell where its bytes are: in a file, in the page cache, in a
//! slot of the swap space or in the swap cache, or nowhere, as it reads as zeros. Nothing of the guest changes: no fault,
//! no read of a disk.

use super::breakpoints::Where;
use super::space::{Owner, Space};
use super::target::Memory;
use super::{memory, walk};
use crate::source::Programs;
use crate::trace::{Away, FrameContent, Residence, Trace, VmaView, at_page};
use goblin::elf::{Elf, program_header::PT_LOAD};
use isa::events::VMA_SHARED;
use isa::{PAGE_SIZE, Ppn, VirtAddr, Vpn};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

#[allow(clippy::cast_possible_truncation)] // a page is small
const PAGE_BYTES: usize = PAGE_SIZE as usize;

/// A file of the guest's: its path, and its bytes.
type Held = (String, Rc<Vec<u8>>);

/// The guest's files; the last one that was asked for is kept.
#[derive(Clone)]
pub struct Files {
    programs: Rc<Programs>,
    last: Rc<RefCell<Option<Held>>>,
}

impl Files {
    /// Those of a guest.
    pub fn new(programs: Rc<Programs>) -> Self {
        Self { programs, last: Rc::default() }
    }
    /// The bytes of a file.
    pub fn get(&self, path: &str) -> Option<Rc<Vec<u8>>> {
        let mut last = self.last.borrow_mut();
        if let Some((held, bytes)) = last.as_ref()
            && held == path
        {
            return Some(Rc::clone(bytes));
        }
        let bytes = Rc::new(self.programs.bytes(path)?);
        *last = Some((path.to_owned(), Rc::clone(&bytes)));
        Some(bytes)
    }
}

/// What is looked at.
pub struct View<'a> {
    /// What the machine holds.
    pub memory: &'a dyn Memory,
    /// What its events have told.
    pub trace: &'a Trace,
    /// The guest's files.
    pub files: &'a Files,
}

/// Where the bytes of a page come from that is not in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source {
    /// A page of a file.
    File(String, u64),
    /// A page of a file, which the page cache has.
    PageCache(String, u64),
    /// A slot of the swap space.
    Swap(u64),
    /// A slot of the swap space, whose page is in memory for another, or on its way.
    SwapCache(u64),
    /// It reads as zeros.
    Zeros,
}

impl Source {
    /// Whether it is a frame that holds the page.
    fn is_in_memory(&self) -> bool {
        matches!(self, Self::PageCache(..) | Self::SwapCache(_))
    }
    /// What is shown, as the end of a sentence.
    pub(super) fn words(&self) -> String {
        match self {
            Self::File(name, page) => format!("this is page {page} of {name}"),
            Self::PageCache(name, page) => format!("this is page {page} of {name}, from the page cache"),
            Self::Swap(slot) => format!("this is swap slot {slot}"),
            Self::SwapCache(slot) => format!("this is the page of swap slot {slot}, which is in memory"),
            Self::Zeros => "its first touch shows zeros".to_owned(),
        }
    }
}

/// The bytes of the page at `va` of a process, which no entry of its page table maps, and where they come from; or why there are none.
pub fn absent_page(view: &View<'_>, pid: u64, va: VirtAddr) -> Result<(Vec<u8>, Source), String> {
    let trace = view.trace;
    let vma = match at_page(trace, pid, va) {
        Residence::Later(vma, _) | Residence::Away(vma, _) => vma,
        // The kernel is at it: the entry goes, and its event has not come.
        Residence::Here(..) => return Err("not mapped".to_owned()),
        Residence::Nothing(why) => return Err(format!("not mapped: {why}")),
    };
    match trace.guest.space(pid).and_then(|space| space.away(va.page())) {
        Some(Away::Zeros | Away::GivenUp) => return Ok((vec![0; PAGE_BYTES], Source::Zeros)),
        Some(Away::Slot(slot)) => return of_slot(view, slot),
        None => {}
    }
    if vma.file == 0 && vma.flags & VMA_SHARED == 0 {
        return Ok((vec![0; PAGE_BYTES], Source::Zeros));
    }
    let page = vma.file_offset_of(va.page_base()) / PAGE_SIZE;
    if let Some(bytes) = view.files.get(&vma.name).filter(|_| !vma.name.is_empty()) {
        let bytes = of_file(view, &bytes, &vma, pid, va)?;
        return Ok((bytes, Source::File(vma.name, page)));
    }
    let content = FrameContent::File { file: vma.file, page };
    if let Some((frame, _)) = trace.guest.frames().find(|(_, frame)| frame.content == content) {
        return Ok((of_frame(view, frame)?, Source::PageCache(vma.title().to_owned(), page)));
    }
    match trace.history.slot_of_page(vma.file, page) {
        Some(slot) => of_slot(view, slot),
        // Shared anonymous memory that nobody has touched there.
        None if vma.is_anonymous() => Ok((vec![0; PAGE_BYTES], Source::Zeros)),
        None => Err(format!("not in memory, and {} cannot be read from here", vma.name)),
    }
}

fn of_frame(view: &View<'_>, frame: Ppn) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; PAGE_BYTES];
    if view.memory.read_ram(frame.base(), &mut bytes) { Ok(bytes) } else { Err("not RAM".to_owned()) }
}

fn of_slot(view: &View<'_>, slot: u64) -> Result<(Vec<u8>, Source), String> {
    if let Some(frame) = view.trace.guest.frame_of_slot(slot) {
        return Ok((of_frame(view, frame)?, Source::SwapCache(slot)));
    }
    match view.memory.swap_page(slot) {
        Some(page) => Ok((page.to_vec(), Source::Swap(slot))),
        None => Err(format!("in swap slot {slot}, which cannot be read from here")),
    }
}

/// The page of a file that is mapped at `va`. What lies behind the file's end reads as zeros, and so does what lies behind the file's part
/// of a segment of the process's program, where bss begins.
fn of_file(view: &View<'_>, file: &[u8], vma: &VmaView, pid: u64, va: VirtAddr) -> Result<Vec<u8>, String> {
    let offset = vma.file_offset_of(va.page_base());
    let start = usize::try_from(offset).ok().filter(|&start| start < file.len());
    let start = start.ok_or_else(|| format!("{} ends before this page", vma.name))?;
    let from = &file[start..file.len().min(start + PAGE_BYTES)];
    let mut page = vec![0; PAGE_BYTES];
    page[..from.len()].copy_from_slice(from);
    let is_program = view.trace.guest.process(pid).is_some_and(|process| process.program == vma.name);
    if let Some(end) = Elf::parse(file).ok().filter(|_| is_program).and_then(|elf| {
        let first = view.trace.guest.first_page_of_program(pid)?.0;
        let loads = || elf.program_headers.iter().filter(|ph| ph.p_type == PT_LOAD);
        let lowest = loads().map(|ph| ph.p_vaddr).min()?;
        let bias = first.wrapping_sub(VirtAddr(lowest).page_base().0);
        let ends = loads().filter(|ph| ph.p_memsz > ph.p_filesz).filter_map(|ph| {
            let (end, offset) = (ph.p_vaddr.checked_add(ph.p_filesz)?, ph.p_offset.checked_add(ph.p_filesz)?);
            let is_here =
                end.wrapping_add(bias).wrapping_sub(va.page_base().0) == offset.wrapping_sub(start as u64);
            (is_here && offset > start as u64).then_some(offset - start as u64)
        });
        ends.filter(|&end| end < PAGE_SIZE).min()
    }) {
        page[usize::try_from(end).unwrap_or(PAGE_BYTES)..].fill(0);
    }
    Ok(page)
}

/// Fills bytes from `va` on, in memory or not; where they come from that are not. The error says at which address there are none, and why.
pub fn read(
    view: &View<'_>,
    pid: u64,
    satp: isa::paging::Satp,
    va: VirtAddr,
    into: &mut [u8],
) -> Result<Vec<(Vpn, Source)>, (VirtAddr, String)> {
    let space = Space { satp, owner: Owner::Process(pid, String::new()), bare: None, pc: None };
    let mut sources = Vec::new();
    fill(view, &space, va, into, &mut |vpn, source| sources.push((vpn, source)))?;
    Ok(sources)
}

fn fill(
    view: &View<'_>,
    space: &Space,
    va: VirtAddr,
    into: &mut [u8],
    note: &mut dyn FnMut(Vpn, Source),
) -> Result<(), (VirtAddr, String)> {
    let mut done = 0;
    while done < into.len() {
        let at = va.wrapping_add(done as u64);
        let within = usize::try_from(at.page_offset()).map_or(0, |within| within);
        let part = (PAGE_BYTES - within).min(into.len() - done);
        let part = &mut into[done..done + part];
        done += part.len();
        if memory::read(view.memory, space, at, part).is_ok() {
            continue;
        }
        let Owner::Process(pid, _) = &space.owner else { return Err((at, String::new())) };
        if matches!(Where::address(at.0), Where::Kernel(_))
            || walk::translate(view.memory, space, at).is_some()
        {
            return Err((at, "not RAM".to_owned()));
        }
        let (page, source) = absent_page(view, *pid, at).map_err(|why| (at, why))?;
        part.copy_from_slice(&page[within..within + part.len()]);
        note(at.page(), source);
    }
    Ok(())
}

/// What there is to say of pages that were shown and are not in memory.
#[derive(Default)]
pub(super) struct Notes(Vec<(Vpn, Source)>);

impl Notes {
    /// Fills bytes as [`memory::read`] does, and those of a process whose page is not in memory, too.
    pub(super) fn read(
        &mut self,
        view: &View<'_>,
        space: &Space,
        va: VirtAddr,
        into: &mut [u8],
    ) -> Result<(), VirtAddr> {
        let notes = &mut self.0;
        let mut note = |vpn, source| {
            if notes.last().is_none_or(|(last, _)| *last != vpn) {
                notes.push((vpn, source));
            }
        };
        fill(view, space, va, into, &mut note).map_err(|(at, _)| at)
    }
    /// A line for each page.
    pub(super) fn text(&self) -> String {
        const SHOWN: usize = 16;
        let mut told = BTreeSet::new();
        let mut notes = self.0.iter().filter(|(vpn, _)| told.insert(*vpn));
        let line = |(vpn, source): &(Vpn, Source)| {
            let absent = if source.is_in_memory() { "not mapped" } else { "not in memory" };
            format!("   (page {} is {absent}: {})\n", vpn.base(), source.words())
        };
        let mut text: String = notes.by_ref().take(SHOWN).map(line).collect();
        match notes.count() {
            0 => {}
            more => text.push_str(&format!("   (nor are {more} pages more)\n")),
        }
        text
    }
}
