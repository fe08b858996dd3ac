//! Names and source lines of addresses, in the kernel and in the processes of the guest.

use super::command::distance;
use crate::source::{Loaded, ProgramFile, Programs, SourceLine};
use crate::trace::{GuestView, Place, ProcessView};
use isa::VirtAddr;
use std::rc::Rc;

/// The kernel's file, and those of programs as they are needed.
pub(super) struct Symbols {
    pub(super) kernel: Rc<ProgramFile>,
    programs: Rc<Programs>,
}

impl Symbols {
    pub(super) fn new(kernel: Option<&[u8]>, programs: Rc<Programs>) -> Self {
        let kernel = kernel.map(|bytes| ProgramFile::read(bytes.to_vec())).unwrap_or_default();
        Self { kernel: Rc::new(kernel), programs }
    }

    /// The file of a program.
    pub(super) fn program(&self, path: &str) -> Rc<ProgramFile> {
        self.programs.get(path)
    }

    /// The lines of a source file, if it can be had.
    pub(super) fn source_lines(&self, source: &SourceLine) -> Option<Rc<Vec<String>>> {
        self.programs.source_lines(source)
    }

    /// The text of a line, if its file can be had.
    pub(super) fn source_text(&self, source: &SourceLine) -> Option<String> {
        let index = usize::try_from(source.line).ok()?.checked_sub(1)?;
        self.source_lines(source)?.get(index).cloned()
    }

    /// The bits of the instruction at a place of a program, if its file tells.
    pub(super) fn instruction(&self, place: &Place) -> Option<u32> {
        let file = self.program(&place.program);
        file.instruction(place.va.0.wrapping_sub(file.load_bias(place.first_page)?))
    }

    /// The names of a program that are most like `name`, a few at most: those that begin so, then those that differ in few letters;
    /// functions that the whole program knows before others.
    pub(super) fn nearest(&self, path: &str, name: &str) -> Vec<String> {
        const MOST: usize = 3;
        let allowed = (name.chars().count() / 2).clamp(1, 3);
        let file = self.program(path);
        let likeness = |other: &str, is_global_function: bool| {
            let (begins_so, distance) = (other.starts_with(name), distance(name, other));
            let place = if is_global_function { 0 } else { 1 };
            (begins_so || distance <= allowed).then_some((!begins_so, place, distance))
        };
        let variables = file.lines().into_iter().flat_map(|lines| lines.variable_names());
        let names = file.symbols().names().chain(variables.map(|name| (name, false)));
        let mut near: Vec<_> = names.filter_map(|(name, is)| Some((likeness(name, is)?, name))).collect();
        near.sort_unstable();
        near.dedup_by_key(|(_, name)| *name);
        near.into_iter().take(MOST).map(|(_, name)| name.to_owned()).collect()
    }

    /// The names of a program that begin so.
    pub(super) fn beginning_with(&self, path: &str, beginning: &str) -> Vec<String> {
        let file = self.program(path);
        let variables = file.lines().into_iter().flat_map(|lines| lines.variable_names());
        let variables = variables.filter(|name| name.starts_with(beginning)).map(str::to_owned);
        file.symbols().beginning_with(beginning).into_iter().chain(variables).collect()
    }

    /// Whether a program has a symbol or a line of the source.
    pub(super) fn program_has(&self, path: &str, name: &str) -> bool {
        !addresses_of(&self.program(path), name).is_empty()
    }

    /// Whether a program has a variable of this name, in whatever function.
    pub(super) fn program_has_variable(&self, path: &str, name: &str) -> bool {
        let file = self.program(path);
        let name = name.rsplit(':').next().unwrap_or(name);
        file.lines().is_some_and(|lines| lines.variable_names().any(|known| known == name))
    }

    /// The addresses that a symbol or a line of the source has in the kernel.
    pub(super) fn addresses_in_kernel(&self, name: &str) -> Vec<VirtAddr> {
        addresses_of(&self.kernel, name).into_iter().map(VirtAddr).collect()
    }

    /// The file of a process's program; `None` as long as it is not mapped.
    pub(super) fn loaded(&self, guest: &GuestView, process: &ProcessView) -> Option<Loaded> {
        guest.last_space(process.pid)?;
        let file = self.program(&process.program);
        let bias = file.load_bias(guest.first_page_of_program(process.pid))?;
        Some(Loaded { file, bias })
    }

    /// The file whose code or data a process has at an address.
    pub(super) fn loaded_at(&self, guest: &GuestView, process: &ProcessView, va: VirtAddr) -> Option<Loaded> {
        loaded_at(&self.programs, guest, process, va)
    }

    /// Where a symbol is in a process's program, or where its statements begin of a line of the source.
    pub(super) fn addresses_in_process(
        &self,
        guest: &GuestView,
        process: &ProcessView,
        name: &str,
    ) -> Vec<VirtAddr> {
        self.placed(guest, process, |file| addresses_of(file, name))
    }

    /// Where a breakpoint stops: at a function behind the code that makes room on the stack, so that its arguments are where the debug
    /// information says.
    pub(super) fn stops_in_process(
        &self,
        guest: &GuestView,
        process: &ProcessView,
        name: &str,
    ) -> Vec<VirtAddr> {
        let is_line = source_line(name).is_some();
        self.placed(guest, process, |file| {
            let addresses = addresses_of(file, name).into_iter();
            let body = |address| file.body_of(address).filter(|_| !is_line);
            addresses.map(|address| body(address).unwrap_or(address)).collect()
        })
    }

    /// Addresses of a program's file, where a process has them.
    fn placed(
        &self,
        guest: &GuestView,
        process: &ProcessView,
        addresses: impl FnOnce(&ProgramFile) -> Vec<u64>,
    ) -> Vec<VirtAddr> {
        let Some(Loaded { file, bias }) = self.loaded(guest, process) else { return Vec::new() };
        addresses(&file).into_iter().map(|address| VirtAddr(address.wrapping_add(bias))).collect()
    }

    /// The symbol at an address of a process.
    pub(super) fn name_in_process(
        &self,
        guest: &GuestView,
        process: &ProcessView,
        va: VirtAddr,
    ) -> Option<String> {
        let Loaded { file, bias } = self.loaded(guest, process)?;
        file.symbols().name_of(va.0.wrapping_sub(bias))
    }
}

/// The file whose code or data a process has at an address. What is mapped of no file is its program's: data that begins as
/// zeros.
pub fn loaded_at(
    programs: &Programs,
    guest: &GuestView,
    process: &ProcessView,
    va: VirtAddr,
) -> Option<Loaded> {
    let vma = guest.last_space(process.pid)?.vma_at(va)?;
    if vma.file != 0 && vma.name != process.program {
        let file = programs.get(&vma.name);
        let bias = vma.start.0.wrapping_sub(file.address_at(vma.offset_bytes)?);
        return Some(Loaded { file, bias });
    }
    let file = programs.get(&process.program);
    let bias = file.load_bias(guest.first_page_of_program(process.pid))?;
    Some(Loaded { file, bias })
}

/// The addresses in a file of a symbol, or of a line of the source (`FILE:LINE`).
fn addresses_of(file: &ProgramFile, name: &str) -> Vec<u64> {
    match source_line(name) {
        Some((source, line)) => {
            let found = file.lines().and_then(|lines| lines.addresses_of(source, line));
            found.map(|(_, addresses)| addresses).unwrap_or_default()
        }
        None => file.symbols().address_of(name).into_iter().collect(),
    }
}

/// `FILE:LINE`: a line of the source.
pub(super) fn source_line(name: &str) -> Option<(&str, u32)> {
    let (file, line) = name.rsplit_once(':')?;
    let is_file = file.contains('.') && !file.ends_with(':');
    Some((file, line.parse().ok().filter(|_| is_file)?))
}
