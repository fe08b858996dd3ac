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
        let names = file.symbols().names();
        let mut near: Vec<_> = names.filter_map(|(name, is)| Some((likeness(name, is)?, name))).collect();
        near.sort_unstable();
        near.dedup_by_key(|(_, name)| *name);
        near.into_iter().take(MOST).map(|(_, name)| name.to_owned()).collect()
    }

    /// The names of a program that begin so.
    pub(super) fn beginning_with(&self, path: &str, beginning: &str) -> Vec<String> {
        self.program(path).symbols().beginning_with(beginning)
    }

    /// Whether a program has a symbol.
    pub(super) fn program_has(&self, path: &str, name: &str) -> bool {
        self.program(path).symbols().address_of(name).is_some()
    }

    /// The file of a process's program; `None` as long as it is not mapped.
    pub(super) fn loaded(&self, guest: &GuestView, process: &ProcessView) -> Option<Loaded> {
        guest.space(process.pid)?;
        let file = self.program(&process.program);
        let bias = file.load_bias(guest.first_page_of_program(process.pid))?;
        Some(Loaded { file, bias })
    }

    /// Where a symbol is in a process's program.
    pub(super) fn address_in_process(
        &self,
        guest: &GuestView,
        process: &ProcessView,
        name: &str,
    ) -> Option<VirtAddr> {
        let Loaded { file, bias } = self.loaded(guest, process)?;
        Some(VirtAddr(file.symbols().address_of(name)?.wrapping_add(bias)))
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
